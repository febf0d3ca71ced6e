#ifndef UVOW__WS_LISTENER_H
#define UVOW__WS_LISTENER_H

#include "websocket.h"

#define UVOW__ADDRESSES 64 /* lists that peers are spread over */

/*
 * Listens, and has those it accepted: its guests, until they have gone. What is
 * open goes to a session's owner, or to a stream.
 */
struct uvow_listener {
  uvow__resident_t resident;
  uvow_loop_t *loop;
  uvow__ws_config_t *config;
  const uvow__transport_t *transport;
  uvow__tls_transport_t tls;
  uvow__listener_t *socket; /* NULL: closed */
  int is_open; /* the socket, until it is closed for the system too */
  uint16_t port;
  int closing;
  int pins;            /* what may not lose its memory now */
  int held;            /* a peer waits for the socket to go on */
  uvow__list_t guests; /* by guest.link */
  size_t count;        /* all in guests */
  size_t surplus;      /* of those, the ones that are refused */
  uvow__list_t addresses[UVOW__ADDRESSES]; /* by guest.by_address */
  uint64_t seed;                           /* of its hashes */
  uvow_handshake_cb on_handshake;          /* NULL: all are welcome */
  void *data;
  void (*on_open)(void *ctx, uvow_websocket_t *ws); /* NULL: not claimed */
  void *ctx;
  uvow_stream_t *accepted; /* pinned; NULL: nobody asked */
  int taken;               /* of accepted: somebody has its first handle */
  uvow__list_t waiting;    /* open, and not yet in it */
  uvow__task_t go_on;
  uvow__gate_t closed;
};

/* As uvow_listener_new, on a transport that outlives it. Returns new in
 * ret_listener. Errors: those of uvow__ws_config_listen and listen. */
int uvow__listener_new(uvow_loop_t *loop,
                       const uvow_listener_options_t *options,
                       const uvow__transport_t *transport,
                       uvow_listener_t **ret_listener);
/*
 * For a server: on_open is given each WebSocket that is open, borrowed, within
 * the read that opened it: who wants it refs it, and tells its channel
 * (uvow__channel_tell, uvow__websocket_channel). One that is not told anybody is
 * ended. Before the first is accepted, and instead of uvow_listener_accept. NULL:
 * to none any more, and so none is accepted.
 */
void uvow__listener_claim(uvow_listener_t *listener,
                          void (*on_open)(void *ctx, uvow_websocket_t *ws),
                          void *ctx);
/* Another subprotocol that may be agreed on. UVOW_ENOMEM. */
int uvow__listener_offer(uvow_listener_t *listener, const char *subprotocol);
/* As uvow_listener_close, without a future. */
void uvow__listener_end(uvow_listener_t *listener);
/* How many are there that aren't refused. */
static inline size_t uvow__listener_count(const uvow_listener_t *listener) {
  return listener->count - listener->surplus;
}

#endif
