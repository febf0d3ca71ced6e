#ifndef UVOW__IO_H
#define UVOW__IO_H

#include <uvow/error.h>

#include "base/buf.h"

/*
 * Bytes to and from a peer: tcp, tls on it, or a script in a test.
 *
 *   connect or accept -> on_open -> on_read* -> on_end -> close -> on_closed
 *                                   pause <-> on_read*
 *
 * Whoever made it closes it; close may come at any time, also from a callback,
 * and then only on_closed follows.
 */
typedef struct uvow__io uvow__io_t;

typedef struct uvow__io_callbacks {
  /* It may be written to, and reads. */
  void (*on_open)(void *ctx);
  /* Bytes of the peer, borrowed for the call; len 0: some came, and with what
   * follows they will be bytes to read. */
  void (*on_read)(void *ctx, const uint8_t *bytes, size_t len);
  /* What write could not send at once has left. */
  void (*on_drained)(void *ctx);
  /* It is over: takes the error; NULL: the peer ended it in order. */
  void (*on_end)(void *ctx, uvow_error_t *error);
  /* After close: the last callback; the io's memory is gone. */
  void (*on_closed)(void *ctx);
} uvow__io_callbacks_t;

typedef struct uvow__io_ops {
  /* Sends what is in out, and empties it: what can't leave at once is kept, and
   * `writing` is set until on_drained. Not while `writing`. Returns 0 or the
   * system's error. */
  int (*write)(uvow__io_t *io, uvow__buf_t *out);
  void (*close)(uvow__io_t *io);
  /* Whether it, while nothing else does, keeps the loop running. From on_open
   * to close; a new one does. */
  void (*hold)(uvow__io_t *io, int hold);
  /* From on_open on. 1: it doesn't read: no on_read follows, and no on_end but
   * that of a failure. What it has read already is kept: bounded, and told in a
   * later turn once it goes on, whether more comes or not. Within on_read the
   * rest of those bytes is the caller's. While it's paused and nothing is
   * written, it doesn't keep the loop running. */
  void (*pause)(uvow__io_t *io, int pause);
  /* Bytes that write took and the system hasn't: smaller, once some left. */
  size_t (*unsent)(const uvow__io_t *io);
} uvow__io_ops_t;

/* What can be asked of the other end. */
enum {
  UVOW__WHO_ADDRESS,     /* "127.0.0.1:80", "[::1]:80" */
  UVOW__WHO_CERTIFICATE, /* its subject, RFC 4514 */
  UVOW__WHO_TLS          /* version and cipher, "TLSv1.3 TLS_AES_..." */
};

struct uvow__io {
  const uvow__io_ops_t *ops;
  const uvow__io_callbacks_t *callbacks;
  void *ctx;
  int writing;
  int is_open; /* when accept returns: then there's no on_open */
  /* Before on_open: what it is at, and what has failed so far. Returns new, or
   * NULL. NULL: it has nothing to say. */
  uvow_error_t *(*trouble)(const uvow__io_t *io);
  /* While it's open: appends who the other end is, or nothing, as it isn't
   * known. UVOW_ENOMEM. NULL: it isn't known. */
  int (*who)(const uvow__io_t *io, int what, uvow__buf_t *out);
};

static inline uvow_error_t *uvow__io_trouble(const uvow__io_t *io) {
  return io->trouble ? io->trouble(io) : NULL;
}

static inline int uvow__io_who(const uvow__io_t *io, int what,
                               uvow__buf_t *out) {
  return io->who ? io->who(io, what, out) : 0;
}

#define UVOW__KEEPALIVE_MAX_S 32767 /* Linux takes no more */

/* Where to connect, or to listen. All borrowed for the call. */
typedef struct uvow__endpoint {
  const char *host; /* a name or an address */
  uint16_t port;
  int secure;
  const char *path;     /* of a Unix domain socket: then that; or NULL */
  unsigned keepalive_s; /* until TCP probes a silent peer; 0: it doesn't */
} uvow__endpoint_t;

typedef struct uvow__listener uvow__listener_t;

typedef struct uvow__listener_callbacks {
  /* A peer waits: accept it now, or say that it waits, or it's refused. */
  void (*on_incoming)(void *ctx, uvow__listener_t *listener);
  /* After close: the last callback. */
  void (*on_closed)(void *ctx);
} uvow__listener_callbacks_t;

typedef struct uvow__listener_ops {
  /* The port that it listens on; 0: it has none. Returns 0 or the system's
   * error. */
  int (*port)(const uvow__listener_t *listener, uint16_t *ret_port);
  /* Within on_incoming: the peer waits, and all that come after it, until
   * resume, which calls on_incoming again. */
  void (*wait)(uvow__listener_t *listener);
  void (*resume)(uvow__listener_t *listener);
  /* on_closed follows, later. Again: nothing. */
  void (*close)(uvow__listener_t *listener);
} uvow__listener_ops_t;

/* What each kind of listener begins with. */
struct uvow__listener {
  const uvow__listener_ops_t *ops;
};

static inline int uvow__listens_at(const uvow__listener_t *listener,
                                   uint16_t *ret_port) {
  return listener->ops->port(listener, ret_port);
}
static inline void uvow__unlisten(uvow__listener_t *listener) {
  listener->ops->close(listener);
}

/* Makes ios: the loop's own, or a test's. All keep callbacks and ctx, and
 * return new; on error nothing is called back. */
typedef struct uvow__transport uvow__transport_t;
struct uvow__transport {
  /* Begins to connect. */
  int (*connect)(const uvow__transport_t *transport, uvow_loop_t *loop,
                 const uvow__endpoint_t *endpoint,
                 const uvow__io_callbacks_t *callbacks, void *ctx,
                 uvow__io_t **ret_io);
  /* Listens where the endpoint says: host is a numeric address, port 0: the
   * system chooses; keepalive_s is for the ios that it accepts. Errors:
   * UVOW_EINVAL: no address, or no path; UV_ENAMETOOLONG; UVOW_ENOMEM;
   * libuv's. Who made it closes it. */
  int (*listen)(const uvow__transport_t *transport, uvow_loop_t *loop,
                const uvow__endpoint_t *endpoint,
                const uvow__listener_callbacks_t *callbacks, void *ctx,
                uvow__listener_t **ret_listener);
  /* Takes the peer that waits, within on_incoming. It's open when it's
   * returned (is_open), or at on_open. */
  int (*accept)(const uvow__transport_t *transport, uvow__listener_t *listener,
                const uvow__io_callbacks_t *callbacks, void *ctx,
                uvow__io_t **ret_io);
};

#endif
