#ifndef UVOW__CHANNEL_H
#define UVOW__CHANNEL_H

#include "base/buf.h"
#include "loop.h"

/*
 * A channel: messages in, messages out. It is all that a session knows of the
 * world: a WebSocket, or one end of a pair in memory.
 *
 * A send never calls the other end's on_message before it has returned. Who
 * made a channel owns it until on_end, or until it drops it; nothing is called
 * back after that.
 */
typedef struct uvow__channel uvow__channel_t;

typedef struct uvow__channel_callbacks {
  /* Messages can be sent. A channel of a pair is open when it is made. */
  void (*on_open)(void *ctx);
  /* A whole message, borrowed for the call. whole: the buffer that it is in,
   * whose memory may be taken; NULL: it can't be. */
  void (*on_message)(void *ctx, int opcode, const uint8_t *bytes, size_t len,
                     uvow__buf_t *whole);
  /* The other end closes, and sends no more messages; on_end follows, with this
   * error. Borrowed for the call. */
  void (*on_peer_close)(void *ctx, const uvow_error_t *why);
  /* All that was sent has left. */
  void (*on_writable)(void *ctx);
  /* It is over. Takes the error, never NULL: UVOW_ECLOSED after an orderly
   * close, with the close code as its status. The last callback. */
  void (*on_end)(void *ctx, uvow_error_t *error);
  /* A message is over the limit, of which this is the beginning, and `why` says
   * so. Both borrowed for the call; on_end follows. `why` NULL: such a message
   * has begun; returns whether its beginning may tell somebody something. NULL:
   * nobody is told. */
  int (*on_excess)(void *ctx, uvow__slice_t beginning, const char *why);
} uvow__channel_callbacks_t;

typedef struct uvow__channel_ops {
  /* Sends a text or binary message (opcode 1 or 2). Errors, and nothing is
   * sent: UVOW_ECLOSED, UVOW_EOVERLOAD: too much is unsent; UVOW_ENOMEM. */
  int (*send)(uvow__channel_t *channel, int opcode,
              const uvow__splice_t *message);
  /* Bytes that the other end has yet to take. */
  size_t (*unsent)(const uvow__channel_t *channel);
  /* Whether messages wait instead of being given to on_message. NULL: this
   * channel can't. */
  void (*pause)(uvow__channel_t *channel, int on);
  /* Closes in order: what was sent arrives first. on_end follows. */
  void (*close)(uvow__channel_t *channel, int code, const char *reason);
  /* Gives it up: no callback follows. */
  void (*drop)(uvow__channel_t *channel);
  /* Whether it keeps the loop running. */
  void (*hold)(uvow__channel_t *channel, int on);
} uvow__channel_ops_t;

/* What each kind of channel begins with. */
struct uvow__channel {
  const uvow__channel_ops_t *ops;
  const uvow__channel_callbacks_t *callbacks; /* NULL: nobody to tell */
  void *ctx;
};

static inline int uvow__channel_send(uvow__channel_t *channel, int opcode,
                                     const uvow__splice_t *message) {
  return channel->ops->send(channel, opcode, message);
}
static inline size_t uvow__channel_unsent(const uvow__channel_t *channel) {
  return channel->ops->unsent(channel);
}

/* Who the callbacks of a channel are. */
static inline void uvow__channel_tell(uvow__channel_t *channel,
                                      const uvow__channel_callbacks_t *cbs,
                                      void *ctx) {
  channel->callbacks = cbs;
  channel->ctx = ctx;
}

/* Two ends in memory: what one sends, the other gets, in order, each message by
 * a task of its own. max_a, max_b: bytes that may be unsent of each. Whose
 * callbacks they are is to be told before the next turn. Returns new, both, or
 * UVOW_ENOMEM. */
int uvow__channel_pair(uvow_loop_t *loop, size_t max_a, size_t max_b,
                       uvow__channel_t **ret_a, uvow__channel_t **ret_b);

#endif
