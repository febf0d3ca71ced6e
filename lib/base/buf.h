#ifndef UVOW__BUF_H
#define UVOW__BUF_H

#include "mem.h"

/*
 * Bytes that grow at the end and are consumed at the front, up to a limit.
 * [off, len) of data is what's in it.
 */
typedef struct uvow__buf {
  const uvow__mem_t *mem;
  uint8_t *data;
  size_t off;
  size_t len; /* end of the content, counted from data */
  size_t cap;
  size_t max; /* content may not exceed it */
} uvow__buf_t;

/* Bytes that belong to someone else. */
typedef struct uvow__slice {
  const char *ptr;
  size_t len;
} uvow__slice_t;

/* A text with another one inside, `at` bytes from its start. */
typedef struct uvow__splice {
  uvow__slice_t text;
  uvow__slice_t inner; /* len 0: there's none */
  size_t at;
  struct uvow__packed *packed; /* NULL, or of a text that goes to many */
} uvow__splice_t;

#define UVOW__SLICE(literal) ((uvow__slice_t){(literal), sizeof(literal) - 1})

/* Takes no memory before the first byte. */
void uvow__buf_init(uvow__buf_t *buf, const uvow__mem_t *mem, size_t max);
void uvow__buf_done(uvow__buf_t *buf);

static inline size_t uvow__buf_size(const uvow__buf_t *buf) {
  return buf->len - buf->off;
}
static inline uint8_t *uvow__buf_front(uvow__buf_t *buf) {
  return buf->data + buf->off;
}

/* Makes room for `more` bytes behind the content. Returns 0, UVOW_ENOMEM, or
 * UVOW_EOVERLOAD: the limit would be passed. */
int uvow__buf_reserve(uvow__buf_t *buf, size_t more);
/* Appends all or nothing; errors as reserve. */
int uvow__buf_append(uvow__buf_t *buf, const void *bytes, size_t len);
int uvow__buf_append_text(uvow__buf_t *buf, const char *text);
/* Appends a number in decimal. */
int uvow__buf_append_u64(uvow__buf_t *buf, uint64_t number);
int uvow__buf_append_i64(uvow__buf_t *buf, int64_t number);
/* Takes len bytes off the front. */
void uvow__buf_consume(uvow__buf_t *buf, size_t len);
/* Empties it. Keeps at most `keep` bytes of capacity. */
static inline void uvow__buf_clear(uvow__buf_t *buf, size_t keep) {
  if (buf->cap > keep)
    uvow__buf_done(buf);
  buf->off = buf->len = 0;
}

/* Whether a slice is this text. */
int uvow__slice_is(uvow__slice_t slice, const char *text);
/* The same, letters compared without case (ASCII). */
int uvow__slice_is_nocase(uvow__slice_t slice, const char *text);
/* Decimal without sign or leading zeros, at most max: 0, or UVOW_EINVAL. */
int uvow__slice_u64(uvow__slice_t slice, uint64_t max, uint64_t *ret);

#endif
