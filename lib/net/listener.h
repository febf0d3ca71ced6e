#ifndef UVOW__LISTENER_H
#define UVOW__LISTENER_H

#include "socket.h"
#include "tcp.h"

/* A listening socket, for tcp.c, which accepts from it. */
struct uvow__listener {
  uvow_loop_t *loop;
  uvow__handle_t handle;
  int is_pipe;
  unsigned keepalive_s;   /* of the streams it makes */
  uvow__handle_t refused; /* a peer that isn't wanted, being closed */
  int accepted;           /* the peer that waits was taken */
  int refusing;           /* refused is open */
  int waiting;            /* another is to be refused, after that one */
  const uvow__listener_callbacks_t *callbacks;
  void *ctx;
};

#endif
