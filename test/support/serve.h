#ifndef UVOW_TEST_SERVE_H
#define UVOW_TEST_SERVE_H

#include <uvow/server.h>

/* How a test serves: all options of a listener and of its peers, by value. */
typedef struct test_serve_options {
  uvow_listener_options_t listener;
  uvow_peer_options_t peer; /* its methods: or a table, for test_method */
} test_serve_t;

/* All defaults, of JSON-RPC 2.0. */
test_serve_t test_serve_options(void);
/* A server in *ret. Returns 0, or why there is none. */
int test_serve(uvow_loop_t *loop, const test_serve_t *options,
               uvow_server_t **ret);
/* A method for its peers; see uvow_methods_add. */
int test_method(const uvow_server_t *server, const char *name,
                uvow_method_cb cb, void *data);
/* How many peers it has. */
size_t test_peers(const uvow_server_t *server);
/* How many connections, those too that are in their handshakes or are refused. */
size_t test_guests(const uvow_server_t *server);

#endif
