#ifndef UVOW__STREAM_H
#define UVOW__STREAM_H

#include <uvow/error.h>

#include "base/buf.h"

/*
 * A stream of bytes to a peer: tcp, tls on it, or a script in a test.
 *
 *   connect or accept -> on_open -> on_read* -> on_end -> close -> on_closed
 *
 * Whoever made it closes it; close may come at any time, also from a callback,
 * and then only on_closed follows.
 */
typedef struct uvow__stream uvow__stream_t;

typedef struct uvow__stream_callbacks {
  /* It may be written to, and reads. */
  void (*on_open)(void *ctx);
  /* Bytes of the peer, borrowed for the call; len 0: some came, and with what
   * follows they will be bytes to read. */
  void (*on_read)(void *ctx, const uint8_t *bytes, size_t len);
  /* What write could not send at once has left. */
  void (*on_drained)(void *ctx);
  /* It is over: takes the error; NULL: the peer ended it in order. */
  void (*on_end)(void *ctx, uvow_error_t *error);
  /* After close: the last callback; the stream's memory is gone. */
  void (*on_closed)(void *ctx);
} uvow__stream_callbacks_t;

typedef struct uvow__stream_ops {
  /* Sends what is in out, and empties it: what can't leave at once is kept, and
   * `writing` is set until on_drained. Not while `writing`. Returns 0 or the
   * system's error. */
  int (*write)(uvow__stream_t *stream, uvow__buf_t *out);
  void (*close)(uvow__stream_t *stream);
  /* Whether it, while nothing else does, keeps the loop running. From on_open
   * to close; a new one does. */
  void (*hold)(uvow__stream_t *stream, int hold);
} uvow__stream_ops_t;

struct uvow__stream {
  const uvow__stream_ops_t *ops;
  const uvow__stream_callbacks_t *callbacks;
  void *ctx;
  int writing;
  /* Before on_open: what it is at, and what has failed so far. Returns new, or
   * NULL. NULL: it has nothing to say. */
  uvow_error_t *(*trouble)(const uvow__stream_t *stream);
};

static inline uvow_error_t *uvow__stream_trouble(const uvow__stream_t *stream) {
  return stream->trouble ? stream->trouble(stream) : NULL;
}

#define UVOW__KEEPALIVE_MAX_S 32767 /* Linux takes no more */

/* Where to connect. All borrowed for the call. */
typedef struct uvow__endpoint {
  const char *host; /* a name or an address */
  uint16_t port;
  int secure;
  const char *path;     /* of a Unix domain socket: then that; or NULL */
  unsigned keepalive_s; /* until TCP probes a silent peer; 0: it doesn't */
} uvow__endpoint_t;

/* Makes streams: the loop's own, or a test's. */
typedef struct uvow__transport {
  /* Begins to connect. Keeps callbacks and ctx. Returns new in ret_stream; on
   * error nothing is called back. */
  int (*connect)(const struct uvow__transport *transport, uvow_loop_t *loop,
                 const uvow__endpoint_t *endpoint,
                 const uvow__stream_callbacks_t *callbacks, void *ctx,
                 uvow__stream_t **ret_stream);
} uvow__transport_t;

#endif
