/*
 * RFC 6455 framing on wslay's frame API. The one file that knows wslay.
 *
 *   feed -> take_short: a short message that lies whole in what came
 *        -> wslay_frame_recv -> pull -> skip (it wants input)
 *                            -> take -> message_begin, message_piece
 *                                    -> take_direct -> message_copy
 *        (paused: the next feed goes on)
 *   send -> send_short
 *        -> (send_compressed -> send) -> wslay_frame_send
 *        -> push (wslay has a header), then finish
 *   send_splice -> the same with finish_pieces; to be compressed: joined, send
 *
 * 1. wslay's codes never leave this file: -100 and -101 are libuv's on Linux.
 * 2. wslay gets one frame at a time, unmasked, its header whole. It reports a
 *    header only with the first byte behind it, so what it holds at the end of
 *    a feed is judged by us: `ahead` bytes of unmask.head, which is the header
 *    that it looks at, or will.
 * 3. wslay masks byte by byte. It never does: push takes its header, and finish
 *    sets the mask bit, adds the key, and masks 16 bytes at a time while it
 *    copies the payload.
 * 4. Room for a whole frame is made before wslay is called: push can't fail. A
 *    compressed message that fails before that is forgotten.
 * 5. wslay holds 4 KiB. What is behind that in a long payload never goes there:
 *    skip says that so much was written, wslay counts it and reports a piece of
 *    that length, and take_direct has it from where it lies. wslay looks at no
 *    byte of a payload that isn't masked.
 * 6. A short whole message in ASCII, between two others, and whole in what is
 *    fed, goes by take_short: all that the rules say of it is seen at a glance.
 *    All else goes by wslay and message.c, whose rules are the only ones. A
 *    short message is sent with the two bytes that are its header.
 * 7. wslay's 4.3 KiB are had when a frame needs them, and while it's under way:
 *    then they are put back, for the next framer that does.
 *
 * Not here: what frames may say (message.c).
 */
#include "framer.h"

#include <string.h>

#include <wslay/wslay.h>

#include <uvow/error.h>

#define SHORT_MAX 125 /* bytes of the longest payload of a two-byte header */

/* wslay, and whose it is just now. */
struct uvow__wslay {
  struct wslay_frame_context *context;
  uvow__framer_t *framer;
};

/* More of a payload, for take_direct: wslay counts it, and never sees it. It
 * wants no more than it has room for. */
static ssize_t skip(uvow__framer_t *framer, size_t len) {
  framer->direct = framer->in;
  return (ssize_t)uvow__unmask_skip(&framer->unmask, len, &framer->in,
                                    &framer->in_left, framer->direct_key);
}

/* What wslay gets was never masked. */
static ssize_t pull(uint8_t *buf, size_t len, int flags, void *data) {
  uvow__framer_t *framer = ((uvow__wslay_t *)data)->framer;
  (void)flags;
  if (framer->in_left == 0)
    return 0;
  if (uvow__message_copies(&framer->message))
    return skip(framer, len);
  len = uvow__unmask(&framer->unmask, buf, len, &framer->in, &framer->in_left);
  framer->ahead = framer->unmask.head_len;
  return (ssize_t)len;
}

/* Takes the header as wslay made it. The payload needs no way through here. */
static ssize_t push(const uint8_t *bytes, size_t len, int flags, void *data) {
  uvow__framer_t *framer = ((uvow__wslay_t *)data)->framer;
  uint8_t *to = framer->head_to;
  (void)flags;
  if (to) {
    for (size_t i = 0; i < len; i++)
      to[i] = bytes[i];
    framer->head_to = NULL;
    framer->head_len = len;
  }
  return (ssize_t)len;
}

/* The mask, and the payload, behind the header at `to`. Returns how many bytes
 * the frame has. */
static inline size_t finish(uint8_t *to, size_t head_len, const uint8_t *key,
                            const uint8_t *bytes, size_t len) {
  if (key) {
    to[1] |= 0x80;
    memcpy(to + head_len, key, UVOW__MASK_KEY);
    head_len += UVOW__MASK_KEY;
    uvow__mask(to + head_len, bytes, len, key);
  } else if (len) {
    memcpy(to + head_len, bytes, len);
  }
  return head_len + len;
}

/* ---- wslay's own ---- */

void uvow__wslay_free(const uvow__mem_t *mem, uvow__wslay_t *wslay) {
  if (!wslay)
    return;
  wslay_frame_context_free(wslay->context);
  uvow__free(mem, wslay);
}

static uvow__wslay_t *new_wslay(const uvow__mem_t *mem) {
  static const struct wslay_frame_callbacks io = {push, pull, NULL};
  uvow__wslay_t *wslay = (uvow__wslay_t *)uvow__malloc(mem, sizeof(*wslay));
  if (wslay && wslay_frame_context_init(&wslay->context, &io, wslay)) {
    uvow__free(mem, wslay);
    return NULL;
  }
  return wslay;
}

/* A frame needs it. UVOW_ENOMEM. */
static int need_wslay(uvow__framer_t *framer) {
  if (framer->wslay)
    return 0;
  if (framer->spare) {
    framer->wslay = *framer->spare;
    *framer->spare = NULL;
  }
  if (!framer->wslay)
    framer->wslay = new_wslay(framer->message.parts.mem);
  if (!framer->wslay)
    return UVOW_ENOMEM;
  framer->wslay->framer = framer;
  return 0;
}

/* Whether the next byte begins a frame. */
static inline int is_between(const uvow__framer_t *framer) {
  return framer->unmask.state == UVOW__UNMASK_BETWEEN && !framer->ahead &&
         !framer->message.left;
}

/* It was needed: others may, now. What has refused a frame is no use to them.
 */
static void leave_wslay(uvow__framer_t *framer) {
  uvow__wslay_t *wslay = framer->wslay;
  if (!wslay || !framer->spare || !is_between(framer) || framer->err)
    return;
  framer->wslay = NULL;
  if (*framer->spare)
    uvow__wslay_free(framer->message.parts.mem, wslay);
  else
    *framer->spare = wslay;
}

int uvow__framer_init(uvow__framer_t *framer, const uvow__mem_t *mem,
                      const uvow__framer_config_t *config,
                      const uvow__framer_callbacks_t *callbacks, void *ctx) {
  if (!config->is_server && (!config->random || !config->keys))
    return UVOW_EINVAL;
  memset(framer, 0, sizeof(*framer));
  uvow__message_init(&framer->message, mem,
                     config->max_message ? config->max_message
                                         : UVOW__FRAMER_MAX_MESSAGE,
                     callbacks, ctx);
  framer->message.beginning = config->beginning;
  framer->message.is_server = config->is_server != 0;
  framer->message.allow_rsv1 = config->allow_rsv1 || config->deflate;
  framer->message.deflate = config->deflate;
  framer->unmask.plain = !config->is_server;
  framer->spare = config->spare;
  framer->random = config->random;
  framer->keys = config->keys;
  framer->short_max = SHORT_MAX;
  if (config->deflate && config->deflate->threshold <= SHORT_MAX)
    framer->short_max =
        config->deflate->threshold ? config->deflate->threshold - 1 : 0;
  return 0;
}

void uvow__framer_done(uvow__framer_t *framer) {
  uvow__wslay_free(framer->message.parts.mem, framer->wslay);
  framer->wslay = NULL;
  uvow__message_done(&framer->message);
}

void uvow__framer_allow(uvow__framer_t *framer, size_t bytes, size_t frames) {
  framer->message.budget = bytes ? bytes : SIZE_MAX;
  framer->message.frames = frames ? frames : SIZE_MAX;
}

int uvow__framer_close_code(int err) {
  switch (err) {
  case UVOW_EPROTO:
    return 1002;
  case UVOW_EUTF8:
    return 1007;
  case UVOW_ETOOBIG:
    return 1009;
  default:
    return 1011;
  }
}

static size_t header_size(uint64_t length, int masked) {
  size_t size = length < 126 ? 2 : length < 65536 ? 4 : 10;
  return masked ? size + UVOW__MASK_KEY : size;
}

/* A piece that wslay has counted. */
static int take_direct(uvow__framer_t *framer, size_t len) {
  const uint8_t *bytes = framer->direct;
  framer->direct = NULL;
  return uvow__message_copy(&framer->message, bytes, len,
                            framer->message.is_server ? framer->direct_key
                                                      : NULL);
}

/* ---- receiving ---- */

/* A server's frames were all masked: see pull. */
static int take(uvow__framer_t *framer, const struct wslay_frame_iocb *iocb) {
  uvow__message_t *m = &framer->message;
  if (framer->direct)
    return take_direct(framer, iocb->data_length);
  if (m->left == 0) {
    unsigned first = (unsigned)iocb->fin << 7 | (unsigned)iocb->rsv << 4 |
                     (unsigned)iocb->opcode;
    int rc = uvow__message_begin(m, first, iocb->mask | m->is_server,
                                 iocb->payload_length);
    if (rc)
      return rc;
  }
  framer->ahead = 0;
  return uvow__message_piece(m, iocb->data, iocb->data_length);
}

#define SHORT_TEXT 0x81 /* the first byte of a whole message, a text */

/* Most frames are a short message, whole and in ASCII, between two others: they
 * pass every rule of message.c at a glance. Returns whether this was one. */
static inline int take_short(uvow__framer_t *framer) {
  uvow__message_t *m = &framer->message;
  uint8_t unmasked[SHORT_MAX];
  const uint8_t *in = framer->in;
  size_t head = m->is_server ? 2 + UVOW__MASK_KEY : 2;
  if (framer->in_left < head || in[0] != SHORT_TEXT || m->open)
    return 0;
  size_t len = in[1] ^ (m->is_server ? 0x80u : 0);
  if (len > SHORT_MAX || len > framer->in_left - head || len > m->max)
    return 0;
  const uint8_t *bytes = in + head;
  if (m->is_server) {
    uvow__mask(unmasked, bytes, len, in + 2);
    bytes = unmasked;
  }
  if (!uvow__utf8_is_ascii(bytes, len))
    return 0;
  framer->in = in + head + len;
  framer->in_left -= head + len;
  uvow__message_spend(m, 1, len);
  m->whole++;
  m->callbacks->on_message(m->ctx, UVOW__OP_TEXT, 0, bytes, len, NULL);
  return 1;
}

/* wslay has no more frames: it wants input, or it refuses a header. Inside a
 * payload it holds nothing back: `ahead` is 0, and there is nothing to judge.
 */
static int judge_rest(uvow__framer_t *framer, int refused) {
  uvow__message_t *m = &framer->message;
  int rc = uvow__message_judge(m, framer->unmask.head, framer->ahead);
  if (rc == 0 && refused) {
    m->why = "malformed frame";
    rc = UVOW_EPROTO;
  }
  return rc;
}

/* Whether frames are to be read. */
static inline int goes_on(const uvow__framer_t *framer) {
  const uvow__message_t *m = &framer->message;
  return !framer->err && !m->stopped && !m->paused;
}

/* A frame that isn't short, or isn't whole. Returns 0: wslay has no more. */
static int read_frame(uvow__framer_t *framer) {
  struct wslay_frame_iocb iocb;
  if (need_wslay(framer)) {
    framer->message.why = "no memory for a frame";
    framer->err = UVOW_ENOMEM;
    return 0;
  }
  ssize_t got = wslay_frame_recv(framer->wslay->context, &iocb);
  if (got < 0) {
    framer->err = judge_rest(framer, got != WSLAY_ERR_WANT_READ);
    return 0;
  }
  framer->err = take(framer, &iocb);
  return 1;
}

/* Frames, until there is no more input, or no more is wanted of them. */
static void read_frames(uvow__framer_t *framer) {
  while (goes_on(framer)) {
    if (is_between(framer)) {
      if (framer->in_left == 0)
        return;
      if (take_short(framer))
        continue;
    }
    if (!read_frame(framer))
      return;
  }
}

int uvow__framer_feed(uvow__framer_t *framer, const uint8_t *bytes,
                      size_t len) {
  uvow__message_t *m = &framer->message;
  if (framer->err || m->stopped || (len == 0 && !m->paused))
    return framer->err;
  framer->in = bytes;
  framer->in_left = len;
  if (m->paused)
    framer->err = uvow__message_go_on(m);
  read_frames(framer);
  leave_wslay(framer);
  if (m->paused && !framer->err && !m->stopped)
    return 0;
  framer->in = NULL;
  framer->in_left = 0;
  return framer->err;
}

/* ---- sending ---- */

static inline int next_key(uvow__framer_t *framer, const uint8_t **ret_key) {
  uvow__mask_keys_t *keys = framer->keys;
  if (keys->left == 0) {
    int rc =
        framer->random(framer->message.ctx, keys->bytes, sizeof(keys->bytes));
    if (rc)
      return rc;
    keys->left = sizeof(keys->bytes);
  }
  keys->left -= UVOW__MASK_KEY;
  *ret_key = keys->bytes + keys->left;
  return 0;
}

/* Whether there's room for any short frame: most often, there is. */
static inline int has_room(const uvow__buf_t *out) {
  return out->cap - out->len >= UVOW__HEAD_MAX + SHORT_MAX &&
         out->max - uvow__buf_size(out) >= UVOW__HEAD_MAX + SHORT_MAX;
}

static inline int reserve(uvow__buf_t *out, size_t len, int masked) {
  size_t size;
  int rc = uvow__size_add(len, header_size(len, masked), &size);
  return rc ? rc : uvow__buf_reserve(out, size);
}

static inline int sendable(int opcode, int rsv1, size_t len) {
  if (opcode == UVOW__OP_TEXT || opcode == UVOW__OP_BINARY)
    return 1;
  return opcode >= UVOW__OP_CLOSE && opcode <= UVOW__OP_PONG && !rsv1 &&
         len <= UVOW__CONTROL_MAX;
}

/* Compresses a message and sends it: 0, UVOW__DEFLATE_AS_IS: not worth it, or
 * an error. */
static int send_compressed(uvow__framer_t *framer, uvow__buf_t *out, int opcode,
                           const void *bytes, size_t len) {
  uvow__deflate_t *deflate = framer->message.deflate;
  uvow__buf_t packed;
  uvow__buf_init(&packed, deflate->mem, SIZE_MAX);
  int rc = uvow__deflate_compress(deflate, bytes, len, &packed);
  if (rc == 0) {
    rc = uvow__framer_send(framer, out, opcode, 1, uvow__buf_front(&packed),
                           uvow__buf_size(&packed));
    if (rc)
      uvow__deflate_reset(deflate);
  }
  uvow__buf_done(&packed);
  return rc;
}

/* A message of so few bytes that its length is one: there is room for it. */
static inline int send_short(uvow__framer_t *framer, uvow__buf_t *out,
                             unsigned first, const void *bytes, size_t len) {
  uint8_t *to = out->data + out->len;
  const uint8_t *key = NULL;
  int rc = framer->message.is_server ? 0 : next_key(framer, &key);
  if (rc)
    return rc;
  to[0] = (uint8_t)first;
  to[1] = (uint8_t)len;
  out->len += finish(to, 2, key, (const uint8_t *)bytes, len);
  return 0;
}

uint8_t *uvow__framer_short(uvow__framer_t *framer, uvow__buf_t *out,
                            size_t len, uint32_t *ret_key) {
  const size_t most = UVOW__HEAD_MAX + SHORT_MAX + UVOW__SHORT_BEYOND;
  uint8_t *to = out->data + out->len;
  const uint8_t *key;
  *ret_key = 0;
  if (len > framer->short_max || out->cap - out->len < most ||
      out->max - uvow__buf_size(out) < most)
    return NULL;
  to[0] = SHORT_TEXT;
  to[1] = (uint8_t)len;
  out->len += 2 + len;
  if (framer->message.is_server)
    return to + 2;
  if (next_key(framer, &key)) {
    out->len -= 2 + len;
    return NULL;
  }
  to[1] |= 0x80;
  memcpy(to + 2, key, UVOW__MASK_KEY);
  out->len += UVOW__MASK_KEY;
  *ret_key = (uint32_t)uvow__word_half((const char *)key);
  return to + 2 + UVOW__MASK_KEY;
}

/* The header, by wslay. */
static int push_header(uvow__framer_t *framer, uvow__buf_t *out,
                       struct wslay_frame_iocb *iocb) {
  int had = framer->wslay != NULL;
  int rc = need_wslay(framer);
  if (rc)
    return rc;
  framer->head_to = out->data + out->len;
  /* Fails only for lengths of 2^63 and more, which no memory holds. */
  if (wslay_frame_send(framer->wslay->context, iocb) < 0)
    return UVOW_ETOOBIG;
  if (!had) /* else a frame that is being read may lie there */
    leave_wslay(framer);
  return 0;
}

/* The same for any. */
static int send_frame(uvow__framer_t *framer, uvow__buf_t *out, int opcode,
                      int fin, int rsv1, const void *bytes, size_t len) {
  struct wslay_frame_iocb iocb;
  const uint8_t *key = NULL;
  int rc = framer->message.is_server ? 0 : next_key(framer, &key);
  if (rc)
    return rc;
  iocb.fin = (uint8_t)fin;
  iocb.rsv = rsv1 ? WSLAY_RSV1_BIT : WSLAY_RSV_NONE;
  iocb.opcode = (uint8_t)opcode;
  iocb.payload_length = len;
  iocb.mask = 0;
  iocb.data = (const uint8_t *)bytes;
  iocb.data_length = len;
  rc = push_header(framer, out, &iocb);
  if (rc == 0)
    out->len +=
        finish(out->data + out->len, framer->head_len, key, iocb.data, len);
  return rc;
}

int uvow__framer_send_part(uvow__framer_t *framer, uvow__buf_t *out, int opcode,
                           int is_last, const void *bytes, size_t len) {
  int rc = reserve(out, len, !framer->message.is_server);
  return rc ? rc : send_frame(framer, out, opcode, is_last != 0, 0, bytes, len);
}

int uvow__framer_send(uvow__framer_t *framer, uvow__buf_t *out, int opcode,
                      int rsv1, const void *bytes, size_t len) {
  int rc;
  if (!sendable(opcode, rsv1, len))
    return UVOW_EINVAL;
  if (len <= framer->short_max && has_room(out))
    return send_short(
        framer, out, 0x80u | (rsv1 ? 0x40u : 0) | (unsigned)opcode, bytes, len);
  if (len > framer->short_max && framer->message.deflate && !rsv1 &&
      opcode < UVOW__OP_CLOSE) {
    rc = send_compressed(framer, out, opcode, bytes, len);
    if (rc != UVOW__DEFLATE_AS_IS)
      return rc;
  }
  rc = reserve(out, len, !framer->message.is_server);
  return rc ? rc : send_frame(framer, out, opcode, 1, rsv1, bytes, len);
}

int uvow__framer_send_packed(uvow__framer_t *framer, uvow__buf_t *out,
                             int opcode, uvow__slice_t message,
                             uvow__packed_t *packed) {
  uvow__deflate_t *deflate = framer->message.deflate;
  if (!deflate || !deflate->own_no_takeover)
    return uvow__framer_send(framer, out, opcode, 0, message.ptr, message.len);
  int rc =
      uvow__deflate_compress_once(deflate, message.ptr, message.len, packed);
  if (rc < 0)
    return rc;
  if (rc == 0)
    return uvow__framer_send(framer, out, opcode, 1,
                             uvow__buf_front(&packed->bytes),
                             uvow__buf_size(&packed->bytes));
  rc = reserve(out, message.len, !framer->message.is_server);
  return rc ? rc
            : send_frame(framer, out, opcode, 1, 0, message.ptr, message.len);
}

/* A message in one piece. */
static int send_joined(uvow__framer_t *framer, uvow__buf_t *out, int opcode,
                       const uvow__slice_t pieces[3]) {
  uvow__buf_t joined;
  int rc = 0;
  uvow__buf_init(&joined, framer->message.parts.mem, SIZE_MAX);
  for (int i = 0; i < 3 && rc == 0; i++)
    rc = uvow__buf_append(&joined, pieces[i].ptr, pieces[i].len);
  if (rc == 0)
    rc = uvow__framer_send(framer, out, opcode, 0, uvow__buf_front(&joined),
                           uvow__buf_size(&joined));
  uvow__buf_done(&joined);
  return rc;
}

/* As finish, for a payload in pieces. */
static size_t finish_pieces(uint8_t *to, size_t head_len, const uint8_t *key,
                            const uvow__slice_t pieces[3]) {
  static const uint8_t none[UVOW__MASK_KEY] = {0};
  uint8_t keys[2 * UVOW__MASK_KEY];
  size_t at = finish(to, head_len, key, none, 0);
  size_t start = at;
  if (key) {
    memcpy(keys, key, UVOW__MASK_KEY);
    memcpy(keys + UVOW__MASK_KEY, key, UVOW__MASK_KEY);
  }
  for (int i = 0; i < 3; at += pieces[i++].len) {
    const uint8_t *bytes = (const uint8_t *)pieces[i].ptr;
    if (key)
      uvow__mask(to + at, bytes, pieces[i].len, keys + ((at - start) & 3));
    else if (pieces[i].len)
      memcpy(to + at, bytes, pieces[i].len);
  }
  return at;
}

static int send_pieces(uvow__framer_t *framer, uvow__buf_t *out, int opcode,
                       const uvow__slice_t pieces[3], size_t len) {
  struct wslay_frame_iocb iocb = {0};
  const uint8_t *key = NULL;
  int rc = reserve(out, len, !framer->message.is_server);
  if (rc == 0 && !framer->message.is_server)
    rc = next_key(framer, &key);
  if (rc)
    return rc;
  iocb.fin = 1;
  iocb.opcode = (uint8_t)opcode;
  iocb.payload_length = iocb.data_length = len;
  /* push doesn't look: wslay only makes a header of the length. */
  iocb.data = (const uint8_t *)pieces[0].ptr;
  rc = push_header(framer, out, &iocb);
  if (rc == 0)
    out->len +=
        finish_pieces(out->data + out->len, framer->head_len, key, pieces);
  return rc;
}

int uvow__framer_send_splice(uvow__framer_t *framer, uvow__buf_t *out,
                             int opcode, const uvow__splice_t *splice) {
  size_t len;
  const uvow__slice_t pieces[3] = {
      {splice->text.ptr, splice->at},
      splice->inner,
      {splice->text.ptr + splice->at, splice->text.len - splice->at}};
  if (opcode != UVOW__OP_TEXT && opcode != UVOW__OP_BINARY)
    return UVOW_EINVAL;
  int rc = uvow__size_add(splice->text.len, splice->inner.len, &len);
  if (rc)
    return rc;
  return framer->message.deflate
             ? send_joined(framer, out, opcode, pieces)
             : send_pieces(framer, out, opcode, pieces, len);
}

int uvow__framer_send_close(uvow__framer_t *framer, uvow__buf_t *out, int code,
                            const char *reason, size_t len) {
  uint8_t payload[UVOW__CONTROL_MAX];
  uvow__utf8_t utf8;
  if (code == UVOW__CLOSE_NONE && len == 0)
    return uvow__framer_send(framer, out, UVOW__OP_CLOSE, 0, NULL, 0);
  if (!uvow__close_code_ok(code) || len > sizeof(payload) - 2)
    return UVOW_EINVAL;
  uvow__utf8_init(&utf8);
  if (uvow__utf8_feed(&utf8, (const uint8_t *)reason, len) ||
      uvow__utf8_end(&utf8))
    return UVOW_EINVAL;
  payload[0] = (uint8_t)(code >> 8);
  payload[1] = (uint8_t)code;
  if (len)
    memcpy(payload + 2, reason, len);
  return uvow__framer_send(framer, out, UVOW__OP_CLOSE, 0, payload, len + 2);
}
