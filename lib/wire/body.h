#ifndef UVOW__BODY_H
#define UVOW__BODY_H

#include "http.h"

#define UVOW__BODY_MAX 4096 /* bytes that are kept */

/* The body of a response that isn't 101 (RFC 9112 6), being read. */
typedef struct uvow__body {
  uvow__buf_t bytes; /* what came of it, without its chunks' headers */
  int state;
  int digits;    /* of a chunk's size, so far; of a line, in trailers */
  uint64_t left; /* of it, or of this chunk */
} uvow__body_t;

/* How it ends is said by the head, which is complete. Keeps mem. Takes no
 * memory before the first byte. */
void uvow__body_init(uvow__body_t *body, const uvow__mem_t *mem,
                     const uvow__http_t *http);
/* Harmless on one that is all zero. */
void uvow__body_done(uvow__body_t *body);
/* Reads on. Returns whether that's all: its end came, UVOW__BODY_MAX bytes are
 * there, it's malformed, or there's no memory for more. */
int uvow__body_feed(uvow__body_t *body, const uint8_t *bytes, size_t len);
/* The same, of what came up to now. */
int uvow__body_complete(const uvow__body_t *body);

#endif
