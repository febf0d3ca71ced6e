#ifndef UVOW_TEST_PROXY_H
#define UVOW_TEST_PROXY_H

#include <stdint.h>

#include <uv.h>

/* A TCP proxy that spoils connections: each is cut after a random number of
 * bytes or milliseconds, in one of several ways. */
typedef struct proxy {
  uv_loop_t *uv;
  uv_tcp_t listener;
  unsigned port;    /* of its own */
  unsigned to_port; /* on 127.0.0.1 */
  uint64_t random;
  size_t cuts;
  size_t open; /* handles */
  struct pair *pairs;
} proxy_t;

/* Listens on proxy->port, which it chooses. 0, or libuv's error. */
int proxy_start(proxy_t *proxy, uv_loop_t *uv, unsigned to_port, uint64_t seed);
/* Cuts all, and closes: the loop goes on until it's closed. */
void proxy_stop(proxy_t *proxy);
/* splitmix64 */
uint64_t proxy_random(uint64_t *state);

#endif
