#ifndef UVOW_TEST_SIM_FRAMES_H
#define UVOW_TEST_SIM_FRAMES_H

#include <stddef.h>
#include <stdint.h>

/*
 * The server's end of RFC 6455, written for the simulation from the RFC alone:
 * nothing of lib/wire is used, so that a bug there meets another opinion.
 */

/* Bytes that grow at the end and are read from the front. */
typedef struct sim_bytes {
  uint8_t *data;
  size_t len;
  size_t pos; /* read so far */
  size_t cap;
} sim_bytes_t;

void sim_bytes_add(sim_bytes_t *bytes, const void *data, size_t len);
void sim_bytes_done(sim_bytes_t *bytes);
static inline size_t sim_bytes_left(const sim_bytes_t *bytes) {
  return bytes->len - bytes->pos;
}

/* A frame of a client, unmasked in place. Borrows. */
typedef struct sim_frame {
  unsigned first; /* its first byte */
  uint8_t *data;
  size_t len;
} sim_frame_t;

/* Appends a frame: `first` is FIN, reserved bits and opcode; masked only to
 * break the rule that a server doesn't. */
void sim_frame_put(sim_bytes_t *out, unsigned first, const void *data,
                   size_t len, int masked);
/* Takes the next frame: 1; 0: it isn't whole yet; -1: no client may send it,
 * and *ret_why says why. */
int sim_frame_take(sim_bytes_t *in, sim_frame_t *ret, const char **ret_why);

/* Takes the client's opening handshake, and writes the 101 that accepts it.
 * Returns as sim_frame_take. bad_accept: with an Accept of another key. */
int sim_handshake_take(sim_bytes_t *in, sim_bytes_t *out, int bad_accept);

#endif
