#ifndef UVOW__FRAMER_H
#define UVOW__FRAMER_H

#include "base/hash.h"
#include "mask.h"
#include "message.h"

#define UVOW__FRAMER_MAX_MESSAGE ((size_t)16 * 1024 * 1024)
#define UVOW__SHORT_BEYOND 32

/* What long frames are read and written with: 4.3 KiB. */
typedef struct uvow__wslay uvow__wslay_t;

typedef struct uvow__framer_config {
  /* Which end this is: a server sends unmasked and wants masked frames. */
  int is_server;
  /* permessage-deflate was agreed on: RSV1 may mark a message. */
  int allow_rsv1;
  /* Optional, default UVOW__FRAMER_MAX_MESSAGE: bytes of a received message. */
  size_t max_message;
  /* Required for a client: fills len unpredictable bytes, for mask keys.
   * Returns 0, or the code that the send then fails with. */
  int (*random)(void *ctx, uint8_t *bytes, size_t len);
  /* Optional, kept: permessage-deflate was agreed on, this does it. Messages
   * are inflated and, where it pays, compressed; allow_rsv1 is implied. */
  uvow__deflate_t *deflate;
  /* Optional, kept: where framers of one thread, whose `mem` is the same, leave
   * what they don't need just now to each other. NULL at first, and freed by
   * its owner, when the last of them is done. */
  uvow__wslay_t **spare;
  /* Optional, default 0: so many bytes of a message over the limit are read
   * before it is refused, so that it can be said what it was. */
  size_t beginning;
  /* Required for a client, kept: those of all framers of the thread. */
  uvow__mask_keys_t *keys;
} uvow__framer_config_t;

/* One end of a WebSocket, after its handshake: bytes to messages and back. */
typedef struct uvow__framer {
  uvow__wslay_t *wslay;  /* NULL: none is needed now */
  uvow__wslay_t **spare; /* where it is put when it isn't; or NULL: it stays */
  int err;               /* the first violation, or 0 */
  int (*random)(void *ctx, uint8_t *bytes, size_t len);
  const uint8_t *in; /* what was not read yet of this feed */
  size_t in_left;
  size_t ahead;          /* of a header that wslay has, or is to have */
  const uint8_t *direct; /* a piece that wslay only counted; or NULL */
  uint8_t direct_key[UVOW__MASK_KEY]; /* of a server: it is masked with it */
  uvow__unmask_t unmask;
  uint8_t *head_to; /* where the header of the frame being sent goes */
  size_t head_len;
  size_t short_max;        /* bytes of a message that is sent the short way */
  uvow__mask_keys_t *keys; /* NULL: of a server */
  uvow__message_t message;
} uvow__framer_t;

/* Borrows config, keeps mem, callbacks and ctx (which must live as long). The
 * framer may not be moved.
 * Errors: UVOW_EINVAL: a client without random; UVOW_ENOMEM. After an error
 * there is nothing to end. */
int uvow__framer_init(uvow__framer_t *framer, const uvow__mem_t *mem,
                      const uvow__framer_config_t *config,
                      const uvow__framer_callbacks_t *callbacks, void *ctx);
/* Not from a callback. */
void uvow__framer_done(uvow__framer_t *framer);
/* What a spare place holds. Accepts NULL. */
void uvow__wslay_free(const uvow__mem_t *mem, uvow__wslay_t *wslay);

/*
 * Takes in what the peer sent, cut anywhere, and calls back for what is whole.
 * Returns 0, or the first violation, seen at the first byte that makes it one:
 *
 * UVOW_EPROTO   a rule of RFC 6455 or RFC 7692
 * UVOW_EUTF8    text or a close reason is not UTF-8
 * UVOW_ETOOBIG  a header announces a message over the limit, of which the
 *               `beginning` is there, or one inflates over it
 * UVOW_ENOMEM   no memory to assemble or inflate a message
 *
 * From then on it refuses all with the same error. After a close frame, or
 * stop, it returns 0 and discards all.
 */
int uvow__framer_feed(uvow__framer_t *framer, const uint8_t *bytes, size_t len);

/*
 * Bounds what it does: after so many bytes of payload, inflated, or frames (0:
 * no bound) it pauses, in the midst of a message too. To be called again before
 * each feed.
 */
void uvow__framer_allow(uvow__framer_t *framer, size_t bytes, size_t frames);
/* Pauses now: from a callback, nothing is called back for what follows. */
static inline void uvow__framer_pause(uvow__framer_t *framer) {
  framer->message.paused = 1;
}
/* Whether it has paused: then the bytes of the feed that it hasn't read are to
 * be kept, and fed before any others, even if there are none. */
static inline int uvow__framer_paused(const uvow__framer_t *framer) {
  return framer->message.paused;
}
/* Those bytes: borrowed from the feed that it paused in. */
static inline const uint8_t *uvow__framer_rest(const uvow__framer_t *framer,
                                               size_t *ret_len) {
  *ret_len = framer->in_left;
  return framer->in;
}

/* Whether it's in the midst of a frame or message. */
static inline int uvow__framer_under_way(const uvow__framer_t *framer) {
  return framer->message.open || framer->message.left || framer->ahead;
}

/* Whether a message over the limit has begun, whose `beginning` is to come. */
static inline int uvow__framer_is_over(const uvow__framer_t *framer) {
  return framer->message.excess != 0;
}
/* It isn't waited for. Returns UVOW_ETOOBIG. */
static inline int uvow__framer_refuse(uvow__framer_t *framer) {
  return framer->err = uvow__message_refuse(&framer->message);
}

/* After stop, not from a callback: what came of a message goes. */
static inline void uvow__framer_drop(uvow__framer_t *framer) {
  uvow__buf_done(&framer->message.parts);
  uvow__buf_done(&framer->message.rest);
}

/* Nothing more is wanted, also not of the burst that a callback is in. */
static inline void uvow__framer_stop(uvow__framer_t *framer) {
  framer->message.stopped = 1;
}

/* The violation in words: borrowed static text, or NULL while there is none. */
static inline const char *uvow__framer_why(const uvow__framer_t *framer) {
  return framer->message.why;
}

/* Of UVOW_ETOOBIG: how the message begins: at most as configured, and borrowed
 * until the framer is done. */
static inline uvow__slice_t uvow__framer_beginning(uvow__framer_t *framer) {
  uvow__message_t *m = &framer->message;
  uvow__slice_t text = {(const char *)uvow__buf_front(&m->parts),
                        uvow__buf_size(&m->parts)};
  if (text.len > m->beginning)
    text.len = m->beginning;
  return text;
}

/* Of UVOW_ETOOBIG: how many bytes of a message were announced, at least; 0: that
 * isn't known, it was compressed. */
static inline uint64_t uvow__framer_excess(const uvow__framer_t *framer) {
  return framer->message.excess;
}

/* The close code that tells the peer of an error of feed (RFC 6455 7.4.1). */
int uvow__framer_close_code(int err);

/*
 * Appends one whole frame to `out`, all or nothing. `bytes` lie outside of
 * `out`. rsv1: they are compressed; if not, a message is with `deflate`.
 *
 * Errors: UVOW_EINVAL: unknown opcode, or rsv1 or more than 125 bytes on a
 * control frame; UVOW_EOVERLOAD: over the limit of `out`; UVOW_ETOOBIG,
 * UVOW_ENOMEM; what random said.
 */
int uvow__framer_send(uvow__framer_t *framer, uvow__buf_t *out, int opcode,
                      int rsv1, const void *bytes, size_t len);

/*
 * Begins the frame of a short text, its header written and its length counted:
 * returns where its `len` bytes are to be written, masked with the key, the
 * first byte lowest (0 from a server). Up to UVOW__SHORT_BEYOND bytes behind
 * them may be written too. NULL: nothing is begun, uvow__framer_send may send it.
 */
uint8_t *uvow__framer_short(uvow__framer_t *framer, uvow__buf_t *out,
                            size_t len, uint32_t *ret_key);

/* As send, for a message (not a control frame) that goes to many. */
int uvow__framer_send_packed(uvow__framer_t *framer, uvow__buf_t *out,
                             int opcode, uvow__slice_t message,
                             uvow__packed_t *packed);

/* Appends a fragment of a message, as it is: the first with its opcode, others
 * with UVOW__OP_CONTINUATION, and no other message between them. As send. */
int uvow__framer_send_part(uvow__framer_t *framer, uvow__buf_t *out, int opcode,
                           int is_last, const void *bytes, size_t len);

/* The same for a message (not a control frame) that has another text inside. */
int uvow__framer_send_splice(uvow__framer_t *framer, uvow__buf_t *out,
                             int opcode, const uvow__splice_t *splice);

/* Appends a close frame; UVOW__CLOSE_NONE: without a code. Errors as send;
 * UVOW_EINVAL also: a code that none may send, a reason that isn't UTF-8, has
 * more than 123 bytes, or comes without a code. */
int uvow__framer_send_close(uvow__framer_t *framer, uvow__buf_t *out, int code,
                            const char *reason, size_t len);

#endif
