/* Servers of tests. */
#include "serve.h"

#include <string.h>

#include "rpc/server.h"

test_serve_t test_serve_options(void) {
  test_serve_t options;
  memset(&options, 0, sizeof(options));
  options.listener.size = sizeof(options.listener);
  options.peer.size = sizeof(options.peer);
  options.peer.protocol = uvow_protocol_by_name("jsonrpc2");
  return options;
}

int test_serve(uvow_loop_t *loop, const test_serve_t *options,
               uvow_server_t **ret) {
  uvow_peer_options_t peer = options->peer;
  uvow_listener_t *listener = uvow_listener_new(loop, &options->listener);
  uvow_server_t *server = NULL;
  if (listener && !peer.methods)
    peer.methods = uvow_methods_new(loop);
  if (listener && peer.methods)
    server = uvow_server_new(listener, &peer);
  else
    uvow_listener_free(listener);
  if (!options->peer.methods)
    uvow_methods_unref(peer.methods);
  if (!server)
    return uvow_error_code(uvow_loop_error(loop));
  *ret = server;
  return 0;
}

int test_method(const uvow_server_t *server, const char *name,
                uvow_method_cb cb, void *data) {
  return uvow_methods_add(server->manners->config->options.methods, name, cb,
                          data);
}

size_t test_peers(const uvow_server_t *server) {
  return uvow_group_walk(uvow_server_peers(server), NULL, NULL);
}

size_t test_guests(const uvow_server_t *server) {
  return server->listener->count;
}
