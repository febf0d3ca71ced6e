#ifndef UVOW__CODEC_H
#define UVOW__CODEC_H

#include "dialect.h"

/* A message that a codec is writing. */
struct uvow_writer {
  uvow__buf_t *out;
  int is_binary;
  int rc; /* the first failure */
};

/* The tables of a protocol whose codec, callbacks and base, stays where it is.
 * Owner and memory are the caller's. */
void uvow__codec_init(uvow_protocol_t *protocol, const uvow_codec_t *codec);

/* Whether a codec can be one: 0, or UVOW_EINVAL. */
int uvow__codec_check(const uvow_codec_t *codec);

/* Writes a message by a dialect that has a codec, all or nothing. Errors as
 * those of uvow__protocol_encode, or the codec's. */
int uvow__codec_write(uvow__dialect_t *dialect, const uvow__op_t *op,
                      uvow__buf_t *out, int *ret_binary);

/* Reads one: 0, a negative code, or 1: the base does. */
int uvow__codec_read(uvow_reader_t *reader, uvow__slice_t message);

#endif
