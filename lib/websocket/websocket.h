#ifndef UVOW__WEBSOCKET_H
#define UVOW__WEBSOCKET_H

#include <uvow/websocket.h>

#include "dial.h"
#include "future/stream.h"
#include "marks.h"
#include "net/channel.h"
#include "silence.h"

typedef enum uvow__ws_state {
  UVOW__WS_CONNECTING, /* the handshake included */
  UVOW__WS_OPEN,
  UVOW__WS_CLOSING, /* one end has said so */
  UVOW__WS_CLOSED
} uvow__ws_state_t;

/* Who the other end is, and what it said in its handshake. */
typedef struct uvow__ws_says {
  char *head; /* target, then names and values, each with its NUL; a name of no
                 bytes ends it; NULL: not yet */
  char *subprotocol; /* agreed on; NULL: none */
  char *address;     /* NULL: not known */
  char *certificate; /* NULL: none */
  int is_whole;      /* there was memory for all of an answer */
} uvow__ws_says_t;

/* What comes, in its public form: messages.c. */
typedef struct uvow__ws_in {
  uvow_stream_t *messages; /* pinned; NULL: not made */
  int taken;               /* somebody asked for it */
  int owns;                /* its readers own the WebSocket */
  int paused;              /* the connection, for the stream */
  int holds;               /* the answer to the peer's close */
  uvow__task_t let_go;     /* nobody reads it any more */
  uvow__task_t answer;     /* late: the peer's close, if all was read */
} uvow__ws_in_t;

/* What goes, in its public form: send.c, sink.c. */
typedef struct uvow__ws_out {
  uvow__buf_t front;  /* messages that wait until it is open, and parts */
  uvow__buf_t behind; /* messages that wait for a last part */
  int in_parts;       /* the last part has yet to come */
  size_t full_at;     /* bytes: above it the sender is to wait */
  uint64_t put;       /* bytes that were given to the connection */
  uvow__gate_t room;
  uvow__marks_t flushes; /* of what was put */
  uvow__marks_t pings;   /* by number */
  uint64_t pinged;       /* the last number */
  uvow__list_t sinks;
} uvow__ws_out_t;

/*
 * A WebSocket: a connection that is owned by many, and may be gone. As a
 * channel it belongs to a session, told with uvow__channel_tell; else its
 * public form has what comes.
 */
struct uvow_websocket {
  uvow__channel_t channel; /* first */
  uvow__resident_t resident;
  uvow_loop_t *loop;
  size_t owners;                  /* readers and sinks, too */
  size_t pins;                    /* what may not lose its memory now */
  uvow__connection_t *connection; /* NULL: not yet, or no more */
  uvow__ws_config_t *config;
  uvow__ws_state_t state;
  int asked;           /* we closed it */
  uvow_error_t *ended; /* CLOSED: why */
  uvow__gate_t ready;
  uvow__gate_t closed;
  /* Whether its session has something under way, so that it isn't idle; or
   * NULL. Given the channel's ctx. */
  int (*is_busy)(void *ctx);
  uvow__ws_says_t says;
  uvow__ws_in_t in;
  uvow__ws_out_t out;
  struct uvow__guest *guest; /* that it is; NULL: we have connected */
};

/* One that a listener has accepted: listener.c, greeting.c. */
typedef struct uvow__guest {
  uvow_websocket_t ws;       /* first */
  uvow_listener_t *listener; /* NULL: gone */
  uvow__list_t link;         /* of its guests */
  uvow__list_t waiting;      /* of those that are open and not delivered */
  uvow__list_t by_address;
  uvow__silence_t idle; /* of messages */
  int is_surplus;
  int is_ours;           /* its listener owns it */
  uvow__http_t *request; /* being decided on; NULL: it isn't */
  uvow_future_t *answer; /* of on_handshake; NULL: not yet, or no more */
  uvow__task_t task;     /* asks, and then answers */
  int status;            /* to refuse with; 0: it wasn't said */
  char *text;            /* the same; or NULL */
} uvow__guest_t;

/*
 * For a session: connects. Keeps config, borrows target and transport (see
 * dial.h). The channel's callbacks and ctx are told from on_open on; after
 * on_end, or its ops->drop, no more. Returns new, one owner. Errors, and nothing
 * is called back: as uvow__dial.
 */
int uvow__websocket_dial(uvow__ws_config_t *config,
                         const uvow__target_t *target,
                         const uvow__transport_t *transport,
                         const uvow__channel_callbacks_t *callbacks, void *ctx,
                         uvow_websocket_t **ret_ws, uvow_error_t **ret_error);
static inline uvow__channel_t *uvow__websocket_channel(uvow_websocket_t *ws) {
  return &ws->channel;
}

/* Whether a listener has accepted it. */
static inline int uvow__websocket_is_server(const uvow_websocket_t *ws) {
  return ws->guest != NULL;
}

/* The public form, on a transport that leads there: see uvow_websocket_connect.
 */
uvow_websocket_t *
uvow__websocket_connect(uvow_loop_t *loop, const char *url,
                        const uvow_websocket_options_t *options,
                        const uvow__transport_t *transport);
/* In memory that begins with it and is all zero: one that isn't connected; keeps
 * config; one owner. */
void uvow__websocket_init(uvow_websocket_t *ws, uvow__ws_config_t *config);
/* Its connection's callbacks; ctx is the WebSocket. */
const uvow__connection_callbacks_t *
uvow__websocket_callbacks(const uvow_websocket_t *ws);
/* It is over: takes the error. Again: nothing. */
void uvow__websocket_ended(uvow_websocket_t *ws, uvow_error_t *error);
/* Ends it: what was sent leaves, then a close frame with this status; nobody is
 * waited for. */
void uvow__websocket_end(uvow_websocket_t *ws, int code, int status,
                         const char *detail);
void uvow__websocket_pin(uvow_websocket_t *ws);
void uvow__websocket_unpin(uvow_websocket_t *ws);
static inline const uvow__mem_t *
uvow__websocket_mem(const uvow_websocket_t *ws) {
  return uvow__loop_mem(ws->loop);
}

/* says.c. The head that came; target: of a client, what it asked for. Each
 * returns 0 or UVOW_ENOMEM. */
int uvow__says_head(uvow_websocket_t *ws, const char *target,
                    const uvow__http_t *http);
int uvow__says_subprotocol(uvow_websocket_t *ws, const char *subprotocol);
/* The headers that came, borrowed as long as it is: how many; NULL: only that.
 */
size_t uvow__says_headers(const uvow_websocket_t *ws, uvow_header_t *headers);
/* What its io knows: address, certificate. */
int uvow__says_who(uvow_websocket_t *ws, int what);
void uvow__says_done(uvow_websocket_t *ws);

/* messages.c. Makes the stream; 0 or UVOW_ENOMEM. */
int uvow__in_init(uvow_websocket_t *ws);
void uvow__in_message(uvow_websocket_t *ws, int opcode, const uint8_t *bytes,
                      size_t len);
/* The peer closes: whether that is to be answered later, once what came before
 * was read, and asked for more. */
int uvow__in_holds_close(uvow_websocket_t *ws);
void uvow__in_end(uvow_websocket_t *ws);
void uvow__in_done(uvow_websocket_t *ws);

/* send.c. */
void uvow__out_init(uvow_websocket_t *ws);
/* It is open: what waited for that goes. */
void uvow__out_open(uvow_websocket_t *ws);
/* Some of what was put has left. */
void uvow__out_writable(uvow_websocket_t *ws);
void uvow__out_pong(uvow_websocket_t *ws, const uint8_t *bytes, size_t len);
void uvow__out_end(uvow_websocket_t *ws);
void uvow__out_done(uvow_websocket_t *ws);
/* Bytes that wait. */
size_t uvow__out_unsent(const uvow_websocket_t *ws);
static inline int uvow__out_is_full(const uvow_websocket_t *ws) {
  return uvow__out_unsent(ws) > ws->out.full_at;
}
/* sink.c: looks after all sinks. */
void uvow__sinks_wake(uvow_websocket_t *ws);

/* listener.c, greeting.c. */
void uvow__guest_init(uvow__guest_t *guest);
int uvow__guest_requested(uvow_websocket_t *ws, uvow__http_t *http);
void uvow__guest_opened(uvow_websocket_t *ws);
/* It has gone. */
void uvow__guest_left(uvow_websocket_t *ws);
/* It is decided on no more. */
void uvow__guest_undecided(uvow__guest_t *guest);
/* No message came for idle_ms. */
void uvow__guest_idle(uvow__silence_t *idle, int dead);
void uvow__guest_done(uvow__guest_t *guest);

#endif
