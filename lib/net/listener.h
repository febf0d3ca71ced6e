#ifndef UVOW__LISTENER_H
#define UVOW__LISTENER_H

#include "socket.h"
#include "tcp.h"

/* A listening socket, for those that accept from it: tcp.c, uv/listen.c. */
typedef struct uvow__doors {
  uvow__listener_t listener; /* first */
  uvow_loop_t *loop;
  uvow__handle_t handle;
  uvow__closing_t closing; /* of handle */
  int is_pipe;
  unsigned keepalive_s;   /* of the streams it makes */
  uvow__handle_t refused; /* a peer that isn't wanted, being closed */
  int accepted;           /* the peer that waits was taken */
  int patient;            /* who isn't taken at once waits, and all behind it */
  int held;               /* the same, of this one: wait */
  uvow__task_t go_on;     /* one waits for the next turn */
  int refusing;           /* refused is open */
  int waiting;            /* another is to be refused, after that one */
  const uvow__listener_callbacks_t *callbacks;
  void *ctx;
} uvow__doors_t;

static inline uvow__doors_t *uvow__doors_of(uvow__listener_t *listener) {
  return (uvow__doors_t *)(void *)listener;
}
/* Takes the peer that waits, and closes it; without memory of its own. */
void uvow__doors_refuse(uvow__doors_t *doors);

#endif
