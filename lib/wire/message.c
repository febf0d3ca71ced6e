/*
 * The rules of RFC 6455 that are about more than one frame, or about what a
 * frame says: which may come, which role masks, how long, what text is.
 *
 *   between frames --begin--> in a frame --piece, left > 0--> in a frame
 *                                        --piece, left = 0--> between frames
 *
 * 1. A header is judged from its first bytes on, in the order of its bytes:
 *    however the stream is cut, its first violation is the one reported.
 * 2. A message over the limit is refused by a header, or, with `beginning`, once
 *    so much of it is in `parts`: what is assembled never exceeds max.
 * 3. A message that is a single piece is never copied. Others are assembled in
 *    parts, which keeps no more than PARTS_KEEP bytes between messages. Each
 *    piece is copied there once, unmasked on the way, and checked while it is
 *    in the cache. What a frame announces is believed up to TRUST times what
 *    has come.
 * 4. Control frames have their own room, so they may come inside a message.
 * 5. Of a compressed message, `parts` holds what its pieces inflate to, so the
 *    limit and UTF-8 are judged as early as for any other. The length of its
 *    frames says nothing.
 * 6. With `budget` or `frames` used up it pauses, in the midst of inflating a
 *    piece too: the rest of that, at most what the framer's wslay holds, is
 *    kept for go_on.
 *
 * Not here: how bytes become frames (framer.c).
 */
#include "message.h"

#include <string.h>

#include <uvow/error.h>

#include "mask.h"

#define PARTS_KEEP 4096
#define TRUST 16 /* times what has come of a message is room made for more */
#define OVER 1   /* see judge_length */
#define KNOWN_OPCODES 0x0707u /* bits 0, 1, 2, 8, 9, 10 */

static int refuse(uvow__message_t *m, int code, const char *why) {
  m->why = why;
  return code;
}

void uvow__message_init(uvow__message_t *m, const uvow__mem_t *mem, size_t max,
                        const uvow__framer_callbacks_t *callbacks, void *ctx) {
  memset(m, 0, sizeof(*m));
  m->callbacks = callbacks;
  m->ctx = ctx;
  m->max = max;
  m->budget = m->frames = SIZE_MAX;
  uvow__buf_init(&m->parts, mem, max);
  uvow__buf_init(&m->rest, mem, SIZE_MAX);
}

void uvow__message_done(uvow__message_t *m) {
  uvow__buf_done(&m->parts);
  uvow__buf_done(&m->rest);
  uvow__free(m->parts.mem, m->control);
}

static int is_control(unsigned opcode) {
  return opcode >= UVOW__OP_CLOSE;
}

/* FIN, reserved bits and opcode (RFC 6455 5.2, 5.4, 5.5). */
static int judge_first(uvow__message_t *m, unsigned first) {
  unsigned opcode = first & 0x0F;
  unsigned rsv = first & 0x70;
  if (!((KNOWN_OPCODES >> opcode) & 1))
    return refuse(m, UVOW_EPROTO, "unknown opcode");
  if (rsv & 0x30)
    return refuse(m, UVOW_EPROTO, "reserved bit set");
  if (rsv && !m->allow_rsv1)
    return refuse(m, UVOW_EPROTO, "compressed frame without an extension");
  if (rsv && opcode != UVOW__OP_TEXT && opcode != UVOW__OP_BINARY)
    return refuse(m, UVOW_EPROTO, "RSV1 on no first frame of a message");
  if (is_control(opcode))
    return first & 0x80 ? 0
                        : refuse(m, UVOW_EPROTO, "control frame in fragments");
  if (opcode == UVOW__OP_CONTINUATION && !m->open)
    return refuse(m, UVOW_EPROTO, "continuation of no message");
  if (opcode != UVOW__OP_CONTINUATION && m->open)
    return refuse(m, UVOW_EPROTO, "new message inside a fragmented one");
  return 0;
}

/* The mask bit (RFC 6455 5.1), and lengths that are seen beside it. `length` is
 * exact below 126. */
static int judge_second(uvow__message_t *m, unsigned opcode, unsigned masked,
                        uint64_t length) {
  if (masked != m->is_server)
    return refuse(m, UVOW_EPROTO,
                  masked ? "masked frame from a server"
                         : "unmasked frame from a client");
  if (!is_control(opcode))
    return 0;
  if (length > UVOW__CONTROL_MAX)
    return refuse(m, UVOW_EPROTO, "control frame over 125 bytes");
  if (opcode == UVOW__OP_CLOSE && length == 1)
    return refuse(m, UVOW_EPROTO, "close frame with half a code");
  return 0;
}

/* Whether a frame with this first byte is of a message to be inflated. */
static int inflates(const uvow__message_t *m, unsigned first) {
  if ((first & 0x0F) == UVOW__OP_CONTINUATION)
    return m->packed;
  return (first & 0x40) && m->deflate;
}

/* So much is read of a message that is over the limit: all of it comes. */
static size_t beginning(const uvow__message_t *m) {
  return m->beginning < m->max ? m->beginning : m->max;
}

int uvow__message_refuse(uvow__message_t *m) {
  return refuse(m, UVOW_ETOOBIG, "message over the limit");
}

/* OVER: it will be refused, once its beginning is there. */
static inline int judge_length(uvow__message_t *m, unsigned first,
                               uint64_t length) {
  if (is_control(first & 0x0F))
    return 0;
  size_t before = uvow__buf_size(&m->parts);
  if (length <= m->max - before || inflates(m, first))
    return 0;
  m->excess = before + length; /* less than 2^63 each */
  return before < beginning(m) ? OVER : uvow__message_refuse(m);
}

int uvow__message_judge(uvow__message_t *m, const uint8_t *head, size_t len) {
  if (len == 0)
    return 0;
  int rc = judge_first(m, head[0]);
  if (rc || len == 1)
    return rc;
  unsigned opcode = head[0] & 0x0F;
  uint64_t length = head[1] & 0x7F;
  rc = judge_second(m, opcode, head[1] >> 7, length);
  if (rc)
    return rc;
  size_t more = length < 126 ? 0 : length == 126 ? 2 : 8;
  if (len - 2 < more)
    return 0;
  for (size_t i = 0; i < more; i++)
    length = (i ? length << 8 : 0) | head[2 + i];
  if (length >> 63)
    return refuse(m, UVOW_EPROTO, "frame length over 63 bits");
  if (more && length < (more == 2 ? 126 : 65536))
    return refuse(m, UVOW_EPROTO, "frame length not in its shortest form");
  rc = judge_length(m, head[0], length);
  return rc == OVER ? 0 : rc;
}

int uvow__message_begin(uvow__message_t *m, unsigned first, unsigned masked,
                        uint64_t length) {
  unsigned opcode = first & 0x0F;
  int rc = judge_first(m, first);
  if (rc == 0)
    rc = judge_second(m, opcode, masked, length);
  if (rc == 0)
    rc = judge_length(m, first, length);
  if (rc < 0)
    return rc;
  m->over = rc == OVER;
  m->fin = (first & 0x80) != 0;
  m->opcode = (uint8_t)opcode;
  m->left = length;
  m->control_len = 0;
  uvow__message_spend(m, 1, 0);
  if (opcode == UVOW__OP_TEXT || opcode == UVOW__OP_BINARY) {
    m->open = 1;
    m->kind = (uint8_t)opcode;
    m->rsv1 = (first & 0x40) != 0;
    m->packed = m->rsv1 && m->deflate;
    uvow__utf8_init(&m->utf8);
  }
  return 0;
}

/* RFC 6455 7.4, and 1012 to 1014 of IANA's registry, which servers send. */
int uvow__close_code_ok(int code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

/* RFC 6455 5.5.1. Judge refused a payload of one byte. */
static int take_close(uvow__message_t *m, const uint8_t *bytes, size_t len) {
  int code = UVOW__CLOSE_NONE;
  if (len >= 2) {
    uvow__utf8_t utf8;
    code = bytes[0] << 8 | bytes[1];
    bytes += 2;
    len -= 2;
    if (!uvow__close_code_ok(code))
      return refuse(m, UVOW_EPROTO, "close code that none may send");
    uvow__utf8_init(&utf8);
    if (uvow__utf8_feed(&utf8, bytes, len) || uvow__utf8_end(&utf8))
      return refuse(m, UVOW_EUTF8, "close reason is not UTF-8");
  }
  m->stopped = 1;
  m->callbacks->on_close(m->ctx, code, (const char *)bytes, len);
  return 0;
}

/* Of one that comes in pieces. */
static int has_room(uvow__message_t *m) {
  if (!m->control)
    m->control = (uint8_t *)uvow__malloc(m->parts.mem, UVOW__CONTROL_MAX);
  return m->control != NULL;
}

static int take_control(uvow__message_t *m, const uint8_t *bytes, size_t len) {
  if (m->left || m->control_len) {
    if (!has_room(m))
      return refuse(m, UVOW_ENOMEM, "no memory for a control frame");
    memcpy(m->control + m->control_len, bytes, len);
    m->control_len += len;
    bytes = m->control;
    len = m->control_len;
  }
  if (m->left)
    return 0;
  if (m->opcode == UVOW__OP_CLOSE)
    return take_close(m, bytes, len);
  if (m->opcode == UVOW__OP_PING)
    m->callbacks->on_ping(m->ctx, bytes, len);
  else
    m->callbacks->on_pong(m->ctx, bytes, len);
  return 0;
}

/* Whether the text goes on as UTF-8. */
static int check_text(uvow__message_t *m, const uint8_t *bytes, size_t len,
                      int last) {
  if (m->kind != UVOW__OP_TEXT || m->rsv1)
    return 0;
  if (uvow__utf8_feed(&m->utf8, bytes, len))
    return refuse(m, UVOW_EUTF8, "text is not UTF-8");
  if (last && uvow__utf8_end(&m->utf8))
    return refuse(m, UVOW_EUTF8, "text ends inside a character");
  return 0;
}

/* Room for a piece, and for what is to come of its frame, as far as that can be
 * believed. */
static int make_room(uvow__message_t *m, size_t len) {
  uvow__buf_t *parts = &m->parts;
  if (len <= parts->cap - parts->len)
    return 0;
  size_t more = m->left < m->max ? (size_t)m->left : m->max;
  size_t trusted = uvow__buf_size(parts) + len;
  if (more / TRUST > trusted)
    more = trusted * TRUST;
  if (uvow__buf_reserve(parts, len + more))
    return refuse(m, UVOW_ENOMEM, "no memory for a message");
  return 0;
}

/* The message is whole, in `parts`, whose memory may be taken. */
static void deliver_parts(uvow__message_t *m) {
  m->open = 0;
  m->whole++;
  m->callbacks->on_message(m->ctx, m->kind, m->rsv1 && !m->packed,
                           uvow__buf_front(&m->parts),
                           uvow__buf_size(&m->parts), &m->parts);
  uvow__buf_clear(&m->parts, PARTS_KEEP);
}

/* See (6). Appends to `parts` what comes of a compressed piece. */
static int take_packed(uvow__message_t *m, const uint8_t *bytes, size_t len,
                       int last) {
  uvow__deflate_sink_t sink = {
      &m->parts, m->kind == UVOW__OP_TEXT ? &m->utf8 : NULL, NULL, m->budget, 0,
      0};
  int rc = uvow__deflate_inflate(m->deflate, bytes, len, last, &sink);
  uvow__message_spend(m, 0, sink.made);
  if (rc == UVOW__DEFLATE_MORE) {
    m->resting = m->paused = 1;
    m->rest_last = last != 0;
    bytes += sink.used;
    if (uvow__buf_append(&m->rest, bytes, len - sink.used))
      return refuse(m, UVOW_ENOMEM, "no memory for a message");
    return 0;
  }
  if (rc)
    return refuse(m, rc, sink.why);
  if (last)
    deliver_parts(m);
  return 0;
}

int uvow__message_go_on(uvow__message_t *m) {
  uvow__buf_t rest = m->rest;
  m->paused = 0;
  if (!m->resting)
    return 0;
  m->resting = 0;
  m->rest.data = NULL;
  m->rest.off = m->rest.len = m->rest.cap = 0;
  int rc =
      take_packed(m, rest.data ? uvow__buf_front(&rest) : (const uint8_t *)"",
                  uvow__buf_size(&rest), m->rest_last);
  uvow__buf_done(&rest);
  return rc;
}

/* See (2): a piece of the beginning. */
static int take_over(uvow__message_t *m, const uint8_t *bytes, size_t len,
                     const uint8_t *key) {
  uvow__buf_t *parts = &m->parts;
  size_t want = beginning(m) - uvow__buf_size(parts);
  size_t taken = len < want ? len : want;
  if (uvow__buf_reserve(parts, taken))
    return refuse(m, UVOW_ENOMEM, "no memory for a message");
  if (key)
    uvow__mask(parts->data + parts->len, bytes, taken, key);
  else
    memcpy(parts->data + parts->len, bytes, taken);
  parts->len += taken;
  uvow__message_spend(m, 0, taken);
  return taken < want ? 0 : uvow__message_refuse(m);
}

static int take_data(uvow__message_t *m, const uint8_t *bytes, size_t len) {
  int last = m->fin && m->left == 0;
  if (m->over)
    return take_over(m, bytes, len, NULL);
  if (m->packed)
    return take_packed(m, bytes, len, last);
  uvow__message_spend(m, 0, len);
  int rc = check_text(m, bytes, len, last);
  if (rc)
    return rc;
  if (last && uvow__buf_size(&m->parts) == 0) {
    m->open = 0;
    m->whole++;
    m->callbacks->on_message(m->ctx, m->kind, m->rsv1, bytes, len, NULL);
    return 0;
  }
  rc = make_room(m, len);
  if (rc)
    return rc;
  uvow__buf_append(&m->parts, bytes, len);
  if (last)
    deliver_parts(m);
  return 0;
}

int uvow__message_piece(uvow__message_t *m, const uint8_t *bytes, size_t len) {
  m->left -= len;
  return is_control(m->opcode) ? take_control(m, bytes, len)
                               : take_data(m, bytes, len);
}

int uvow__message_copy(uvow__message_t *m, const uint8_t *bytes, size_t len,
                       const uint8_t *key) {
  m->left -= len;
  int last = m->fin && m->left == 0;
  if (m->over)
    return take_over(m, bytes, len, key);
  uvow__message_spend(m, 0, len);
  int rc = make_room(m, len);
  if (rc)
    return rc;
  uint8_t *to = m->parts.data + m->parts.len;
  if (key)
    uvow__mask(to, bytes, len, key);
  else
    memcpy(to, bytes, len);
  m->parts.len += len;
  rc = check_text(m, to, len, last);
  if (rc == 0 && last)
    deliver_parts(m);
  return rc;
}
