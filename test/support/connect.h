#ifndef UVOW_TEST_CONNECT_H
#define UVOW_TEST_CONNECT_H

#include <uvow/peer.h>

#include "net/io.h"

/* How a test connects: all options of one peer, by value. */
typedef struct test_connect_options {
  const char *url;
  uvow_peer_options_t peer; /* its websocket is set by test_connect */
  uvow_websocket_options_t websocket;
  uvow_method_cb on_event; /* for all names that no method has; or NULL */
} test_connect_t;

/* A peer's options, all defaults but that what is given up isn't canceled. */
test_connect_t test_connect_options(const uvow_protocol_t *protocol);
/* A peer in *ret. Returns 0, or why there is none: UVOW_ENOMEM, or UVOW_EINVAL,
 * as it was closed at once. */
int test_connect(uvow_loop_t *loop, const test_connect_t *options,
                 uvow_peer_t **ret);
/* The same on a transport. */
int test_connect_on(uvow_loop_t *loop, const test_connect_t *options,
                    const uvow__transport_t *transport, uvow_peer_t **ret);
/* What on_event returns: a call of the peer's finds no such method. */
uvow_next_t test_event_end(const uvow_call_t *call);

#endif
