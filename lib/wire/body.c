/*
 * The body of a refused handshake: for people, so no error comes of it. What is
 * wrong with it ends it.
 *
 *   Content-Length:  sized -> over
 *   chunked:         size -> line -LF-> chunk -> chunk_end -LF-> size
 *                                line -LF, of the last chunk-> over
 *   neither:         endless, until the connection is over
 *
 * 1. At most UVOW__BODY_MAX bytes are kept.
 * 2. How the bytes are split never changes what comes out.
 */
#include "body.h"

#include <uvow/error.h>

#include "base/text.h"

enum { SIZED, ENDLESS, SIZE, LINE, CHUNK, CHUNK_END, OVER };

void uvow__body_init(uvow__body_t *body, const uvow__mem_t *mem,
                     const uvow__http_t *http) {
  uvow__slice_t length;
  int status = uvow__http_status(http);
  uvow__buf_init(&body->bytes, mem, UVOW__BODY_MAX);
  body->state = ENDLESS;
  body->digits = 0;
  body->left = 0;
  if (status == 204 || status == 304 || status < 200)
    body->state = OVER;
  else if (uvow__http_has_token(http, "Transfer-Encoding", "chunked"))
    body->state = SIZE;
  else if (uvow__http_header(http, "Content-Length", &length) == 1 &&
           uvow__slice_u64(length, UINT64_MAX, &body->left) == 0)
    body->state = body->left ? SIZED : OVER;
}

void uvow__body_done(uvow__body_t *body) {
  if (body->bytes.mem)
    uvow__buf_done(&body->bytes);
}

/* What is payload. Returns how much of it was used. */
static size_t keep(uvow__body_t *body, const uint8_t *bytes, size_t len) {
  size_t room = UVOW__BODY_MAX - uvow__buf_size(&body->bytes);
  if (body->state != ENDLESS && body->left < len)
    len = (size_t)body->left;
  if (uvow__buf_append(&body->bytes, bytes, len < room ? len : room) ||
      len >= room) {
    body->state = OVER;
    return len;
  }
  if (body->state == ENDLESS)
    return len;
  body->left -= len;
  if (body->left == 0)
    body->state = body->state == SIZED ? OVER : CHUNK_END;
  return len;
}

/* RFC 9112 7.1: chunk-size, as far as it makes sense here. */
static void read_size(uvow__body_t *body, uint8_t c) {
  int digit = uvow__hex_value(c);
  if (digit >= 0 && body->digits < 8) {
    body->left = body->left << 4 | (unsigned)digit;
    body->digits++;
  } else if (digit >= 0 || body->digits == 0) {
    body->state = OVER;
  } else {
    body->state = LINE;
  }
}

/* Its extensions; behind the last chunk nothing is of interest. */
static void read_line(uvow__body_t *body, uint8_t c) {
  if (c == '\n')
    body->state = body->left ? CHUNK : OVER;
}

static void read_chunk_end(uvow__body_t *body, uint8_t c) {
  if (c != '\n')
    return;
  body->state = SIZE;
  body->digits = 0;
  body->left = 0;
}

int uvow__body_feed(uvow__body_t *body, const uint8_t *bytes, size_t len) {
  while (len && body->state != OVER) {
    size_t used = 1;
    if (body->state == SIZE)
      read_size(body, *bytes);
    else if (body->state == LINE)
      read_line(body, *bytes);
    else if (body->state == CHUNK_END)
      read_chunk_end(body, *bytes);
    else
      used = keep(body, bytes, len);
    bytes += used;
    len -= used;
  }
  return body->state == OVER;
}

int uvow__body_complete(const uvow__body_t *body) {
  return body->state == OVER;
}
