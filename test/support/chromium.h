#ifndef UVOW_TEST_CHROMIUM_H
#define UVOW_TEST_CHROMIUM_H

#include "interop.h"

/* Chromium, headless, and a client of its DevTools. */

/* Starts it with the test's folder as its profile; url: where its DevTools
 * are. */
void chromium_start(interop_t *it, char *url, size_t size);
/* The session of a page, attached to in the session's own way ("flat"): a peer
 * within it->client. Returns new. target: its id, to be freed; or NULL. */
uvow_peer_t *chromium_page(interop_t *it, char **target);
/* What a script in the page evaluates to: it may be a promise. */
answer_t *chromium_evaluate(interop_t *it, uvow_peer_t *page,
                            const char *script);
/* The value of chromium_evaluate. Borrowed. */
json_t *chromium_value(answer_t *answer);
/* Goes to a page, and waits until it's loaded. */
void chromium_navigate(interop_t *it, uvow_peer_t *page, const char *url);
/* It goes by itself. */
void chromium_close(interop_t *it);

#endif
