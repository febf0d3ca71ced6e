/* Connecting, and this process's own input and output: channels of bytes. */
#include <stdio.h>

#include "flow.h"
#include "op.h"

static void on_connected(void *ctx, uvow__socket_t *socket) {
  uvow__flow_t *flow = (uvow__flow_t *)ctx;
  flow->connector = NULL;
  uvow__flow_open(flow, socket);
}

static void on_failed(void *ctx, uvow_error_t *error) {
  uvow__flow_t *flow = (uvow__flow_t *)ctx;
  flow->connector = NULL;
  uvow__flow_end(flow, error, uvow_error_code(error));
}

static const uvow__connector_callbacks_t callbacks = {on_connected, on_failed};

static uvow_channel_t connect_to(uvow_loop_t *loop,
                                 const uvow__endpoint_t *endpoint,
                                 const char *name) {
  uvow_channel_t channel;
  uvow__flow_t *flow = uvow__flow_new(loop, UVOW__FLOW_BOTH, name, &channel);
  if (!flow)
    return channel;
  int rc = UVOW_EINVAL;
  if (endpoint->host || endpoint->path)
    rc =
        uvow__connect_begin(loop, endpoint, &callbacks, flow, &flow->connector);
  if (rc)
    uvow__flow_fail(flow, "connect to", rc);
  return channel;
}

uvow_channel_t uvow_tcp_connect(uvow_loop_t *loop, const char *host,
                                uint16_t port) {
  uvow__endpoint_t endpoint = {host, port, 0, NULL, 0};
  char name[256];
  snprintf(name, sizeof(name), "%.200s port %u", host ? host : "NULL",
           (unsigned)port);
  return connect_to(loop, &endpoint, name);
}

uvow_channel_t uvow_pipe_connect(uvow_loop_t *loop, const char *path) {
  uvow__endpoint_t endpoint = {NULL, 0, 0, path, 0};
  return connect_to(loop, &endpoint, path ? path : "NULL");
}
