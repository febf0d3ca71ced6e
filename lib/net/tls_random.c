/*
 * Random bytes. The system's take 2.7 ns a byte here, a mask key of 4 bytes as
 * long as a frame's header; OpenSSL's generator, which it seeds from the system
 * and seeds again after a fork, takes 0.3.
 */
#include "loop.h"

#include <limits.h>

#include <openssl/rand.h>

int uvow__random(uint8_t *bytes, size_t len) {
  if (len <= INT_MAX && RAND_bytes(bytes, (int)len) == 1)
    return 0;
  return uv_random(NULL, NULL, bytes, len, 0, NULL);
}
