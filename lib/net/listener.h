#ifndef UVOW__LISTENER_H
#define UVOW__LISTENER_H

#include <uv.h>

#include "tcp.h"

/* A listening socket, for tcp.c, which accepts from it. */
struct uvow__listener {
  uvow_loop_t *loop;
  uv_tcp_t handle;
  uv_tcp_t refused; /* a peer that isn't wanted, being closed */
  int accepted;     /* the peer that waits was taken */
  int refusing;     /* refused is open */
  int waiting;      /* another is to be refused, after that one */
  const uvow__listener_callbacks_t *callbacks;
  void *ctx;
};

#endif
