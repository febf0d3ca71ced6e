/*
 * Random bytes for mask keys and nonces, from OpenSSL's generator. The system's
 * take 2.7 ns each here, a mask key as long as a frame's header; these take
 * 0.3, and they are seeded from the system, again after a fork. Not in loop.c:
 * whoever links the futures alone needs no OpenSSL.
 */
#include "loop.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/rand.h>

static int refill(uvow_loop_t *loop) {
  int rc = 0;
  if (RAND_bytes(loop->random, sizeof(loop->random)) != 1) {
    ERR_clear_error();
    rc = uv_random(NULL, NULL, loop->random, sizeof(loop->random), 0, NULL);
  }
  loop->random_left = rc ? 0 : sizeof(loop->random);
  return rc;
}

int uvow__loop_random(uvow_loop_t *loop, uint8_t *bytes, size_t len) {
  while (len) {
    int rc = loop->random_left ? 0 : refill(loop);
    if (rc)
      return rc;
    size_t part = len < loop->random_left ? len : loop->random_left;
    memcpy(bytes, loop->random + sizeof(loop->random) - loop->random_left,
           part);
    loop->random_left -= part;
    bytes += part;
    len -= part;
  }
  return 0;
}
