#ifndef UVOW_TEST_CHOPPER_H
#define UVOW_TEST_CHOPPER_H

#include <uv.h>

#include "sim/random.h"

/*
 * A TCP proxy that keeps every byte, and no piece as it came: it splits, joins
 * and holds back, by chance, both ways. It waits in turns of the loop, never in
 * time: while it holds anything the loop doesn't sleep.
 */
typedef struct chopper {
  uv_loop_t *uv;
  uv_tcp_t listener;
  uv_idle_t idle;
  unsigned port;    /* of its own */
  unsigned to_port; /* on 127.0.0.1 */
  sim_random_t random;
  size_t moved; /* bytes that it has read or written: grows */
  size_t held;  /* bytes that it has read, and not written */
  size_t open;  /* handles */
  struct chopper_pair *pairs;
} chopper_t;

/* Listens on chopper->port, which it chooses. 0, or libuv's error. */
int chopper_start(chopper_t *chopper, uv_loop_t *uv, unsigned to_port,
                  uint64_t seed);
/* Ends all, and closes: the loop goes on until it's closed. */
void chopper_stop(chopper_t *chopper);

#endif
