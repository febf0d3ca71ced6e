#ifndef UVOW__LISTENER_H
#define UVOW__LISTENER_H

#include <uv.h>

#include "tcp.h"

/* A listening socket, for tcp.c, which accepts from it. */
struct uvow__listener {
  uvow_loop_t *loop;
  uv_tcp_t handle;
  const uvow__listener_callbacks_t *callbacks;
  void *ctx;
};

#endif
