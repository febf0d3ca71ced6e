#ifndef UVOW__MESSAGE_H
#define UVOW__MESSAGE_H

#include "base/buf.h"
#include "deflate.h"
#include "utf8.h"

/* What a frame is (RFC 6455 5.2). */
enum {
  UVOW__OP_CONTINUATION = 0x0,
  UVOW__OP_TEXT = 0x1,
  UVOW__OP_BINARY = 0x2,
  UVOW__OP_CLOSE = 0x8,
  UVOW__OP_PING = 0x9,
  UVOW__OP_PONG = 0xA
};

#define UVOW__CONTROL_MAX 125 /* bytes of the longest control payload */
#define UVOW__CLOSE_NONE 1005 /* the code of a close frame that has none */

/* What a peer said. Each is required; bytes are borrowed for the call and never
 * NULL. None may feed or end the framer that calls it; sending is fine. */
typedef struct uvow__framer_callbacks {
  /* A whole message: text (checked UTF-8, unless rsv1) or binary. rsv1 is that
   * of its first frame: the bytes are compressed; never with `deflate`. whole:
   * what it was put together in, whose memory may be taken; NULL: it wasn't. */
  void (*on_message)(void *ctx, int opcode, int rsv1, const uint8_t *bytes,
                     size_t len, uvow__buf_t *whole);
  void (*on_ping)(void *ctx, const uint8_t *bytes, size_t len);
  void (*on_pong)(void *ctx, const uint8_t *bytes, size_t len);
  /* Nothing follows it. The reason is UTF-8 without a NUL. */
  void (*on_close)(void *ctx, int code, const char *reason, size_t len);
} uvow__framer_callbacks_t;

/* The rules for what frames may say, and the message that is under way. */
typedef struct uvow__message {
  const uvow__framer_callbacks_t *callbacks; /* kept by the framer */
  void *ctx;
  uvow__deflate_t *deflate; /* NULL: compressed messages stay so */
  size_t max;               /* bytes of a message */
  size_t beginning;  /* bytes of one over max that are read; 0: it's refused at
                       once */
  const char *why;   /* the violation, static text; NULL: none */
  uint64_t excess;   /* bytes of a message that was announced, over max; or 0 */
  uint64_t left;     /* of this frame's payload, not seen yet */
  uint8_t is_server; /* so the peer must mask */
  uint8_t allow_rsv1;
  uint8_t stopped;
  uint8_t fin;    /* of this frame */
  uint8_t opcode; /* of this frame */
  uint8_t open;   /* a message has begun and not ended */
  uint8_t kind;   /* its opcode */
  uint8_t rsv1;   /* of its first frame */
  uint8_t packed; /* it is to be inflated */
  uint8_t over;   /* it is over max: only its beginning is read */
  uvow__utf8_t utf8;
  uvow__buf_t parts; /* what came of the message before this piece */
  size_t budget;     /* bytes, inflated, until it pauses: see framer.h */
  size_t frames;     /* the same, frames */
  size_t whole;      /* messages that were */
  uint8_t paused;    /* nothing more now */
  uint8_t resting;   /* in the midst of inflating: `rest` is to come */
  uint8_t rest_last; /* it's the message's last piece */
  uvow__buf_t rest;  /* of a compressed piece */
  size_t control_len;
  uint8_t *control; /* NULL: none came in pieces; UVOW__CONTROL_MAX bytes */
} uvow__message_t;

void uvow__message_init(uvow__message_t *m, const uvow__mem_t *mem, size_t max,
                        const uvow__framer_callbacks_t *callbacks, void *ctx);
void uvow__message_done(uvow__message_t *m);

/* Judges as much of a frame header as is there, and changes nothing but `why`.
 * Returns 0, UVOW_EPROTO or UVOW_ETOOBIG. */
int uvow__message_judge(uvow__message_t *m, const uint8_t *head, size_t len);

/* A frame begins: its first byte, mask bit and payload length. Errors as those
 * of judge. */
int uvow__message_begin(uvow__message_t *m, unsigned first, unsigned masked,
                        uint64_t length);

/* The message is over the limit: returns UVOW_ETOOBIG, and says so. */
int uvow__message_refuse(uvow__message_t *m);

/* The next piece of the frame's payload, at most `left` bytes, and a single
 * empty one for an empty payload. Returns 0, UVOW_EPROTO, UVOW_EUTF8 or
 * UVOW_ENOMEM. */
int uvow__message_piece(uvow__message_t *m, const uint8_t *bytes, size_t len);

/* So much was done. */
static inline void uvow__message_spend(uvow__message_t *m, size_t frames,
                                       size_t bytes) {
  m->frames -= frames;
  m->budget -= bytes < m->budget ? bytes : m->budget;
  if (!m->frames || !m->budget)
    m->paused = 1;
}
/* Goes on where it paused. Errors as uvow__message_piece. */
int uvow__message_go_on(uvow__message_t *m);

/* Whether more of a payload is to come that is kept as it is: its pieces are
 * then for uvow__message_copy. */
static inline int uvow__message_copies(const uvow__message_t *m) {
  return m->left && m->opcode < UVOW__OP_CLOSE && !m->packed;
}
/* As uvow__message_piece, once a part of the message is there; unmasks it with
 * the key, unless that is NULL. */
int uvow__message_copy(uvow__message_t *m, const uint8_t *bytes, size_t len,
                       const uint8_t *key);

/* Whether a close frame may carry this code (RFC 6455 7.4). */
int uvow__close_code_ok(int code);

#endif
