#ifndef UVOW_TEST_LINK_H
#define UVOW_TEST_LINK_H

#include "script.h"

/* A scripted client that connects again. What it tells is in the script's log:
 * "state:OPEN", "state:WAITING!ELOST". */

/* Options of a client that does: `reconnect` is filled in too (pauses up to
 * 100 ms), and must live until the client is made. */
test_connect_t link_options(script_t *s, uvow_reconnect_options_t *reconnect);
/* The client in s->client, opened; nothing of it is in log or sent. */
void link_open(script_t *s, const test_connect_t *options);
/* The stream that is there connects, and the handshake is answered. What the
 * client has sent so far can't be read any more. */
void link_up(script_t *s);
/* Time passes until the client makes another stream: at most 100 ms. */
void link_wait(script_t *s);
/* link_wait and link_up. */
void link_again(script_t *s);
/* A request and its answer: the connection has proven itself (R7). The log is
 * empty then. */
void link_prove(script_t *s);
/* The server answers `id` with the id. */
void link_answer(script_t *s, int id);
/* A request that may be sent again. */
void link_call_idempotent(script_t *s, const char *method, script_mark_t *mark);
/* Checks that all counts of all requests add up. */
void link_check_stats(const script_t *s);

#endif
