/*
 * RFC 6455 framing on wslay's frame API. The one file that knows wslay.
 *
 *   feed -> wslay_frame_recv -> pull, pull_masked -> skip (it wants input)
 *                            -> take -> message_begin, message_piece
 *                                    -> take_direct -> message_copy
 *        (paused: the next feed goes on)
 *   send -> (send_compressed -> send) -> wslay_frame_send
 *        -> push (wslay has a header), then finish
 *   send_splice -> the same with finish_pieces; to be compressed: joined, send
 *
 * 1. wslay's codes never leave this file: -100 and -101 are libuv's on Linux.
 * 2. wslay reports a header only with the first byte behind it. So whatever it
 *    holds at the end of a feed is judged by us: between frames, the last
 *    `ahead` bytes it pulled are a header that isn't whole, or a whole one
 *    without payload, and `head` keeps them for the next feed.
 * 3. wslay masks byte by byte. It never does: push takes its header, and finish
 *    sets the mask bit, adds the key, and masks 8 bytes at a time while it
 *    copies the payload; what a server's wslay pulls is unmasked already, frame
 *    by frame, so that `head` of unmask is the one that wslay looks at.
 * 4. Room for a whole frame is made before wslay is called: push can't fail. A
 *    compressed message that fails before that is forgotten.
 * 5. wslay holds 4 KiB. What is behind that in a long payload never goes there:
 *    skip says that so much was written, wslay counts it and reports a piece of
 *    that length, and take_direct has it from where it lies. wslay looks at no
 *    byte of a payload that isn't masked.
 * 6. A short whole message in ASCII takes a short way: take_short. All else
 *    goes through message.c, whose rules are the only ones.
 *
 * 7. A client's wslay holds frames when it pauses, up to 4 KiB: `behind` keeps
 *    their bytes, so that a header among them can still be judged.
 *
 * Not here: what frames may say (message.c).
 */
#include "framer.h"

#include <string.h>

#include <wslay/wslay.h>

#include <uvow/error.h>

#define SHORT_MAX 125 /* bytes of the longest payload of a two-byte header */

/* More of a payload, for take_direct: wslay counts it, and never sees it. It
 * wants no more than it has room for. */
static ssize_t skip(uvow__framer_t *framer, size_t len) {
  framer->direct = framer->in;
  if (framer->message.is_server)
    return (ssize_t)uvow__unmask_skip(&framer->unmask, len, &framer->in,
                                      &framer->in_left, framer->direct_key);
  if (len > framer->message.left)
    len = (size_t)framer->message.left;
  framer->in += len;
  framer->in_left -= len;
  return (ssize_t)len;
}

static ssize_t pull(uint8_t *buf, size_t len, int flags, void *data) {
  uvow__framer_t *framer = (uvow__framer_t *)data;
  (void)flags;
  if (len > framer->in_left)
    len = framer->in_left;
  if (len == 0)
    return 0;
  if (uvow__message_copies(&framer->message))
    return skip(framer, len);
  memcpy(buf, framer->in, len);
  framer->in += len;
  framer->in_left -= len;
  framer->ahead += len;
  return (ssize_t)len;
}

/* The same for a server: what wslay gets was never masked. A header may have to
 * be judged until wslay reports the first piece behind it. */
static ssize_t pull_masked(uint8_t *buf, size_t len, int flags, void *data) {
  uvow__framer_t *framer = (uvow__framer_t *)data;
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
  uvow__framer_t *framer = (uvow__framer_t *)data;
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

int uvow__framer_init(uvow__framer_t *framer, const uvow__mem_t *mem,
                      const uvow__framer_config_t *config,
                      const uvow__framer_callbacks_t *callbacks, void *ctx) {
  struct wslay_frame_callbacks io = {
      push, config->is_server ? pull_masked : pull, NULL};
  if (!config->is_server && !config->random)
    return UVOW_EINVAL;
  memset(framer, 0, sizeof(*framer));
  if (wslay_frame_context_init(&framer->wslay, &io, framer))
    return UVOW_ENOMEM;
  uvow__message_init(&framer->message, mem,
                     config->max_message ? config->max_message
                                         : UVOW__FRAMER_MAX_MESSAGE,
                     callbacks, ctx);
  framer->message.is_server = config->is_server != 0;
  framer->message.allow_rsv1 = config->allow_rsv1 || config->deflate;
  framer->message.deflate = config->deflate;
  framer->random = config->random;
  uvow__buf_init(&framer->behind, mem, SIZE_MAX);
  framer->short_max = SHORT_MAX;
  if (config->deflate && config->deflate->threshold <= SHORT_MAX)
    framer->short_max =
        config->deflate->threshold ? config->deflate->threshold - 1 : 0;
  return 0;
}

void uvow__framer_done(uvow__framer_t *framer) {
  wslay_frame_context_free(framer->wslay);
  framer->wslay = NULL;
  uvow__message_done(&framer->message);
  uvow__buf_done(&framer->behind);
}

void uvow__framer_allow(uvow__framer_t *framer, size_t bytes, size_t frames) {
  framer->message.budget = bytes ? bytes : SIZE_MAX;
  framer->message.frames = frames ? frames : SIZE_MAX;
}

void uvow__framer_stop(uvow__framer_t *framer) {
  framer->message.stopped = 1;
}

const char *uvow__framer_why(const uvow__framer_t *framer) {
  return framer->message.why;
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

/* Puts into `head` what there is of the header that begins `ahead` bytes before
 * the place up to which wslay has pulled. `ahead` may reach back behind this
 * feed: then `head` has those bytes already. Returns how many there are. */
static size_t collect_head(uvow__framer_t *framer, const uint8_t *bytes) {
  if (framer->message.is_server) {
    memcpy(framer->head, framer->unmask.head, framer->ahead);
    return framer->ahead;
  }
  size_t pulled = (size_t)(framer->in - bytes);
  size_t old = framer->ahead > pulled ? framer->ahead - pulled : 0;
  size_t more = framer->ahead - old;
  const uint8_t *from = framer->in - more;
  if (old && uvow__buf_size(&framer->behind)) {
    const uint8_t *kept = framer->behind.data + framer->behind.len - old;
    old = old < UVOW__HEAD_MAX ? old : UVOW__HEAD_MAX;
    memcpy(framer->head, kept, old);
  }
  if (more > UVOW__HEAD_MAX - old)
    more = UVOW__HEAD_MAX - old;
  if (more)
    memcpy(framer->head + old, from, more);
  return old + more;
}

/* It paused: keeps what wslay has pulled and not reported, for collect_head. A
 * server's frames are one by one: see pull_masked. */
static int keep_behind(uvow__framer_t *framer, const uint8_t *bytes) {
  size_t pulled = (size_t)(framer->in - bytes);
  size_t old = framer->ahead > pulled ? framer->ahead - pulled : 0;
  if (framer->message.is_server)
    return 0;
  if (uvow__buf_size(&framer->behind) > old)
    uvow__buf_consume(&framer->behind, uvow__buf_size(&framer->behind) - old);
  else if (uvow__buf_size(&framer->behind) == 0 && old &&
           uvow__buf_append(&framer->behind, framer->head, old))
    return UVOW_ENOMEM;
  return uvow__buf_append(&framer->behind, framer->in - (framer->ahead - old),
                          framer->ahead - old);
}

/* wslay has reported some of the bytes that it pulled. */
static inline void note(uvow__framer_t *framer, size_t len) {
  framer->ahead = framer->message.is_server ? 0 : framer->ahead - len;
}

/* A piece that wslay has counted. */
static int take_direct(uvow__framer_t *framer, size_t len) {
  const uint8_t *bytes = framer->direct;
  framer->direct = NULL;
  return uvow__message_copy(&framer->message, bytes, len,
                            framer->message.is_server ? framer->direct_key
                                                      : NULL);
}

/* A server's frames were all masked: see pull_masked. */
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
    note(framer, header_size(iocb->payload_length, iocb->mask));
  }
  note(framer, iocb->data_length);
  return uvow__message_piece(m, iocb->data, iocb->data_length);
}

/* Most frames are a short message, whole and in ASCII, between two others: they
 * pass every rule of message.c at a glance. Returns whether this is one. A
 * piece as long as its frame is the first, so `left` needs no look. */
static inline int take_short(uvow__framer_t *framer,
                             const struct wslay_frame_iocb *iocb) {
  uvow__message_t *m = &framer->message;
  size_t len = iocb->data_length;
  if (m->open || !iocb->fin || iocb->rsv || iocb->opcode != UVOW__OP_TEXT ||
      iocb->mask || len != iocb->payload_length || len > 125 || len > m->max ||
      !uvow__utf8_is_ascii(iocb->data, len))
    return 0;
  note(framer, len + 2);
  uvow__message_spend(m, 1, len);
  m->whole++;
  m->callbacks->on_message(m->ctx, UVOW__OP_TEXT, 0, iocb->data, len, NULL);
  return 1;
}

/* wslay has no more frames: it wants input, or it refuses a header. Inside a
 * payload it holds nothing back: `ahead` is 0, and there is nothing to judge.
 */
static int judge_rest(uvow__framer_t *framer, const uint8_t *bytes,
                      int refused) {
  uvow__message_t *m = &framer->message;
  int rc = uvow__message_judge(m, framer->head, collect_head(framer, bytes));
  if (!rc && refused) {
    m->why = "malformed frame";
    rc = UVOW_EPROTO;
  }
  return rc;
}

/* Frames, until wslay wants input, or no more is wanted of it. Returns what
 * wslay said last. */
static ssize_t read_frames(uvow__framer_t *framer) {
  const uvow__message_t *m = &framer->message;
  struct wslay_frame_iocb iocb;
  ssize_t got = 0;
  while (!framer->err && !m->stopped && !m->paused) {
    got = wslay_frame_recv(framer->wslay, &iocb);
    if (got < 0)
      break;
    if (!take_short(framer, &iocb))
      framer->err = take(framer, &iocb);
  }
  return got;
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
  ssize_t got = read_frames(framer);
  if (got < 0) {
    framer->err = judge_rest(framer, bytes, got != WSLAY_ERR_WANT_READ);
    uvow__buf_clear(&framer->behind, 0);
  } else if (m->paused && !framer->err && !m->stopped) {
    framer->err = keep_behind(framer, bytes);
    return framer->err;
  }
  framer->in = NULL;
  framer->in_left = 0;
  return framer->err;
}

static inline int next_key(uvow__framer_t *framer, const uint8_t **ret_key) {
  if (framer->keys_left == 0) {
    int rc =
        framer->random(framer->message.ctx, framer->keys, sizeof(framer->keys));
    if (rc)
      return rc;
    framer->keys_left = sizeof(framer->keys);
  }
  framer->keys_left -= UVOW__MASK_KEY;
  *ret_key = framer->keys + framer->keys_left;
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
      uvow__deflate_forget(deflate);
  }
  uvow__buf_done(&packed);
  return rc;
}

int uvow__framer_send(uvow__framer_t *framer, uvow__buf_t *out, int opcode,
                      int rsv1, const void *bytes, size_t len) {
  struct wslay_frame_iocb iocb;
  const uint8_t *key = NULL;
  int rc;
  if (!sendable(opcode, rsv1, len))
    return UVOW_EINVAL;
  if (len > framer->short_max || !has_room(out)) {
    if (framer->message.deflate && !rsv1 && opcode < UVOW__OP_CLOSE) {
      rc = send_compressed(framer, out, opcode, bytes, len);
      if (rc != UVOW__DEFLATE_AS_IS)
        return rc;
    }
    rc = reserve(out, len, !framer->message.is_server);
    if (rc)
      return rc;
  }
  rc = framer->message.is_server ? 0 : next_key(framer, &key);
  if (rc)
    return rc;
  iocb.fin = 1;
  iocb.rsv = rsv1 ? WSLAY_RSV1_BIT : WSLAY_RSV_NONE;
  iocb.opcode = (uint8_t)opcode;
  iocb.payload_length = len;
  iocb.mask = 0;
  iocb.data = (const uint8_t *)bytes;
  iocb.data_length = len;
  framer->head_to = out->data + out->len;
  /* Fails only for lengths of 2^63 and more, which no memory holds. */
  if (wslay_frame_send(framer->wslay, &iocb) < 0)
    return UVOW_ETOOBIG;
  out->len +=
      finish(out->data + out->len, framer->head_len, key, iocb.data, len);
  return 0;
}

/* A message in one piece. */
static int send_joined(uvow__framer_t *framer, uvow__buf_t *out, int opcode,
                       const uvow__slice_t pieces[3]) {
  uvow__buf_t joined;
  int rc = 0;
  uvow__buf_init(&joined, framer->message.parts.mem, SIZE_MAX);
  for (int i = 0; i < 3 && !rc; i++)
    rc = uvow__buf_append(&joined, pieces[i].ptr, pieces[i].len);
  if (!rc)
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
  framer->head_to = out->data + out->len;
  if (wslay_frame_send(framer->wslay, &iocb) < 0)
    return UVOW_ETOOBIG;
  out->len +=
      finish_pieces(out->data + out->len, framer->head_len, key, pieces);
  return 0;
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
