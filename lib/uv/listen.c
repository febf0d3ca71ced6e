/*
 * Listening: peers as a stream of channels.
 *
 * Lazy: a peer is accepted when somebody asks for it. Until then it waits where
 * it is, in libuv and in the system's queue, which is what bounds them; so a
 * server that is busy makes its peers wait, and no memory of ours does.
 */
#include <stdio.h>

#include "address.h"
#include "flow.h"
#include "future/channel.h"
#include "net/listener.h"
#include "op.h"
#include "origin.h"

typedef struct source {
  uvow__origin_t origin; /* first */
  uvow__listener_t *listener;
  uvow__task_t task; /* accepts; or it's gone, and was never open */
  int waiting;       /* a peer does, in libuv */
} source_t;

static source_t *source_of(uvow__origin_t *origin) {
  return (source_t *)(void *)origin;
}

/* Who it is, by TCP; else empty. */
static uint16_t peer_of(const uvow__socket_t *socket,
                        char ret_host[UVOW__ADDRESS_MAX]) {
  struct sockaddr_storage address;
  int len = (int)sizeof(address);
  ret_host[0] = '\0';
  if (socket->handle.base.type != UV_TCP ||
      uv_tcp_getpeername(&socket->handle.tcp, (struct sockaddr *)&address,
                         &len))
    return 0;
  return uvow__address_text((const struct sockaddr *)&address, ret_host);
}

/* The flow of an accepted peer, named for errors: "peer 127.0.0.1 port 80".
 * NULL: no memory. */
static uvow__flow_t *flow_with(uvow_loop_t *loop, const char *host,
                               uint16_t port, uvow_channel_t *ret_channel) {
  char name[96];
  if (host[0])
    snprintf(name, sizeof(name), "peer %s port %u", host, (unsigned)port);
  else
    snprintf(name, sizeof(name), "the peer");
  return uvow__flow_new(loop, UVOW__FLOW_BOTH, name, ret_channel);
}

/* The peer that waits, as a value. Errors: UVOW_ENOMEM: it's refused; libuv's:
 * it has gone. */
static int accept_one(source_t *source, uvow_value_t *ret) {
  uvow_loop_t *loop = source->origin.loop;
  uvow__doors_t *doors = uvow__doors_of(source->listener);
  uvow_channel_t channel = {NULL, NULL};
  uvow__socket_t *socket;
  char host[UVOW__ADDRESS_MAX] = "";
  uint16_t port = 0;
  int rc = uvow__socket_new(loop, doors->is_pipe, NULL, &socket);
  doors->accepted = 1;
  if (rc) {
    uvow__doors_refuse(doors);
    return rc;
  }
  rc = uv_accept(&doors->handle.stream, &socket->handle.stream);
  uvow__flow_t *flow = NULL;
  if (rc == 0) {
    port = peer_of(socket, host);
    flow = flow_with(loop, host, port, &channel);
    rc = flow ? 0 : UVOW_ENOMEM;
  }
  if (rc) {
    uvow__socket_close(socket, NULL);
    return rc;
  }
  uvow__flow_open(flow, socket);
  return uvow__channel_box(&loop->rt, channel, host, port, ret);
}

static int may_accept(source_t *source) {
  uvow_stream_t *stream = source->origin.stream;
  if (source->origin.stopped || !source->waiting)
    return 0;
  if (uvow__stream_has_room(stream))
    return 1;
  stream->flags |= UVOW__STREAM_PAUSED;
  return 0;
}

static void accept_all(source_t *source) {
  uvow_value_t value;
  while (may_accept(source)) {
    source->waiting = 0;
    if (accept_one(source, &value) == 0)
      (void)uvow__origin_put(&source->origin, value);
  }
}

static void run_accept(uvow__task_t *task) {
  accept_all(UVOW__CONTAINER(task, source_t, task));
}

static void on_incoming(void *ctx, uvow__listener_t *listener) {
  source_t *source = (source_t *)ctx;
  (void)listener;
  source->waiting = 1;
  accept_all(source);
}

static void on_unlistened(void *ctx) {
  source_t *source = (source_t *)ctx;
  uvow__origin_gone(&source->origin);
}

static const uvow__listener_callbacks_t callbacks = {on_incoming,
                                                     on_unlistened};

static void resume(uvow__origin_t *origin) {
  source_t *source = source_of(origin);
  if (source->waiting && !uvow__task_queued(&source->task))
    uvow__runtime_push(&origin->loop->rt, &source->task);
}

static void run_gone(uvow__task_t *task) {
  uvow__origin_gone(&UVOW__CONTAINER(task, source_t, task)->origin);
}

static void stop(uvow__origin_t *origin) {
  source_t *source = source_of(origin);
  uvow__task_cancel(&source->task);
  if (source->listener) {
    uvow__unlisten(source->listener);
    return;
  }
  source->task.run = run_gone;
  uvow__runtime_push(&origin->loop->rt, &source->task);
}

static const uvow__origin_ops_t ops = {resume, stop, NULL};

/* path NULL: TCP. */
static uvow_stream_t *listen_at(uvow_loop_t *loop, const char *address,
                                uint16_t port, const char *path,
                                uint16_t *ret_port) {
  char name[256];
  if (path)
    snprintf(name, sizeof(name), "%s", path);
  else
    snprintf(name, sizeof(name), "%s port %u", address ? address : "NULL",
             (unsigned)port);
  source_t *source = (source_t *)(void *)uvow__origin_new(loop, sizeof(*source),
                                                          &ops, NULL, name);
  if (!source)
    return NULL;
  uvow_stream_t *stream = source->origin.stream;
  uvow__task_init(&source->task, run_accept);
  int rc = UVOW_EINVAL;
  if (path)
    rc = uvow__pipe_listen(loop, path, &callbacks, source, &source->listener);
  else if (address)
    rc = uvow__tcp_listen(loop, address, port, &callbacks, source,
                          &source->listener);
  if (rc == 0 && ret_port)
    rc = uvow__listens_at(source->listener, ret_port);
  if (rc)
    uvow__origin_fail(&source->origin, "listen at", rc);
  else
    uvow__doors_of(source->listener)->patient = 1;
  return stream;
}

uvow_stream_t *uvow_tcp_listen(uvow_loop_t *loop, const char *address,
                               uint16_t port, uint16_t *ret_port) {
  return listen_at(loop, address, port, NULL, ret_port);
}

uvow_stream_t *uvow_pipe_listen(uvow_loop_t *loop, const char *path) {
  return listen_at(loop, NULL, 0, path ? path : "", NULL);
}
