#ifndef UVOW__CLIENT_H
#define UVOW__CLIENT_H

#include <uvow/client.h>

#include "backlog.h"
#include "base/histogram.h"
#include "base/intern.h"
#include "websocket/connection.h"
#include "dispatcher.h"
#include "client_link.h"
#include "peer.h"
#include "session.h"
#include "ws_channel.h"
#include "future/gate.h"
#include "net/tls.h"
#include "websocket/proxy.h"
#include "websocket/tunnel.h"
#include "protocol/protocol.h"

/* Where to connect, and what to say there. */
typedef struct uvow__target {
  uvow__url_t url;
  int url_code; /* why there is no URL, or 0 */
  uvow__handshake_header_t *headers;
  size_t header_count;
} uvow__target_t;

/* What is kept of a client's options. */
typedef struct uvow__client_config {
  uvow__target_t target;
  char **subprotocols;
  size_t subprotocol_count;
  char *bearer; /* NULL: none */
  char *origin; /* NULL: none */
  uint32_t timeout_ms;
  uint32_t connect_timeout_ms;
  uint32_t close_timeout_ms;
  uint32_t ping_ms;
  uint32_t dead_ms;
  size_t max_message_bytes;
  size_t max_unsent_bytes;
  uvow__deflate_config_t deflate;
  uvow__proxies_t proxies;
  unsigned keepalive_s;
  size_t max_pending;
  size_t max_queued;
  size_t max_in_flight;
  int send_cancel;
  int count_unanswered;
  uvow_reconnect_options_t reconnect; /* size 0: don't */
  uvow_renew_cb renew;                /* NULL: none */
  uvow_trace_t trace;
} uvow__client_config_t;

struct uvow_client {
  uvow__resident_t resident;
  uvow_loop_t *loop;
  const uvow_protocol_t *protocol;
  const uvow__transport_t *transport;
  uvow_tls_t *tls; /* NULL: the loop's default, once it's needed */
  uvow__tunnel_transport_t tunnel;     /* on transport, for a proxy */
  uvow__tls_transport_t tls_transport; /* on one of them, with tls */
  uvow__client_config_t config;
  uvow_event_cb on_event;
  uvow_stray_cb on_stray;
  uvow_state_cb on_state;
  void *data;
  uvow__dispatcher_t dispatcher;
  uvow__session_t session; /* of the dispatcher */
  uvow__ws_channel_t ws;   /* the connection, for the session */
  uvow_peer_t *face;       /* of uvow_call_peer; NULL: nobody asked */
  uvow__task_t fail;       /* ends the connection: answers can't be sent */
  uvow_client_state_t state;
  uvow__connection_t *connection; /* NULL: not yet, or no more */
  uvow_error_t *ended;            /* why there won't be one any more */
  uvow__gate_t ready;             /* it's open */
  uvow__gate_t closed;            /* it's over */
  uvow__gate_t drained;           /* little is unsent */
  int closing;
  int was_open; /* at least once */
  int unheld;
  int busy;  /* user callbacks with the client that are on the stack */
  int freed; /* by one of them: the memory goes when the last returns */
  uvow__deadline_t drain; /* for what is in flight at close */
  uvow__link_t link;
  uvow__backlog_t backlog;
  uvow__task_t pump; /* late: what has its turn leaves */
  size_t notes;      /* in it: how many no request waits for */
  size_t dead;       /* in it: how many are of requests that were given up */
  uvow__intern_t methods;
  uvow__intern_t sessions; /* CDP's */
  uvow__list_t notices;
  uvow__histogram_t rtt;
  uvow_client_stats_t stats;
};

/* As uvow_client_new, on a transport that outlives the client. */
int uvow__client_new(uvow_loop_t *loop, const uvow_client_options_t *options,
                     const uvow__transport_t *transport,
                     uvow_client_t **ret_client);

static inline const uvow__mem_t *uvow__client_mem(const uvow_client_t *client) {
  return uvow__loop_mem(client->loop);
}
static inline int uvow__client_is_open(const uvow_client_t *client) {
  return client->state == UVOW_CLIENT_OPEN;
}

/* Whether messages can leave: also while it closes, for what came before. */
static inline int uvow__client_can_send(const uvow_client_t *client) {
  return client->connection && uvow__connection_is_open(client->connection);
}
/* Bytes that wait to be written, or to be sent. */
static inline size_t uvow__client_unsent(const uvow_client_t *client) {
  size_t unsent = uvow__buf_size(&client->backlog.buf);
  if (client->connection)
    unsent += uvow__connection_unsent(client->connection);
  return unsent;
}

/* client_config.c: copies what is in the options. What was copied is to be
 * done, also on error: UVOW_ENOMEM, UVOW_EINVAL. A malformed URL is no error
 * here: see url_code. */
int uvow__client_config_init(uvow__client_config_t *config,
                             const uvow__mem_t *mem,
                             const uvow_client_options_t *options);
void uvow__client_config_done(uvow__client_config_t *config,
                              const uvow__mem_t *mem);
/* Replaces URL (NULL: as it is) and headers (NULL: as they are), or, on error,
 * nothing. UVOW_ENOMEM, UVOW_EINVAL; UVOW_EURL, UVOW_ESCHEME. */
int uvow__target_set(uvow__target_t *target, const uvow__mem_t *mem,
                     const char *url, const uvow_header_t *headers,
                     size_t count);

/* client_attempt.c: begins to connect for the first time. UVOW_ENOMEM,
 * UVOW_EINVAL: nothing has begun. */
int uvow__client_connect(uvow_client_t *client);
void uvow__client_attempt_init(uvow_client_t *client);

/* client_link.c: before anything else. */
void uvow__client_link_init(uvow_client_t *client);
/* The connection, or the attempt at one, has ended: takes the error. */
void uvow__client_lost(uvow_client_t *client, uvow_error_t *error);
extern const uvow__connection_callbacks_t uvow__client_callbacks;
/* Gives up the connection, as if it were lost. Takes the error. */
void uvow__client_lose(uvow_client_t *client, uvow_error_t *error);
/* There is no connection any more, and won't be: takes the error. */
void uvow__client_end(uvow_client_t *client, uvow_error_t *error);
/* At close, when nothing is in flight any more: the close handshake. */
void uvow__client_maybe_close(uvow_client_t *client);
/* Tells on_state, when the tasks run. why may be NULL; kept. */
void uvow__client_enter(uvow_client_t *client, uvow_client_state_t state,
                        const uvow_error_t *why);
/* Settles what waits for little to be unsent. */
void uvow__client_maybe_drained(uvow_client_t *client);
/* Stops the pause before the next attempt, and what it waits for. */
void uvow__client_stop_pause(uvow_client_t *client);

/* client_request.c: encodes and sends, or puts it into the
 * backlog. request: NULL for a message without a future. */
int uvow__client_transmit(uvow_client_t *client, const uvow__op_t *op,
                          uvow__request_t *request);
/* Sends what concerns this connection only: now, before all that waits, or, if
 * that can't be, not at all. */
void uvow__client_send_aside(uvow_client_t *client, const uvow__op_t *op);
/* Sends what the backlog holds, as far as the caps allow. */
void uvow__client_pump(uvow_client_t *client);
/* The same, and the close that may follow, once all that this turn has caused
 * is over: so what is given up together never leaves (R6). */
void uvow__client_pump_late(uvow_client_t *client);
void uvow__client_run_pump(uvow__task_t *task);
/* A request was given up: its slot is free. */
void uvow__client_given_up(uvow__dispatcher_t *dispatcher,
                           const uvow__request_t *request);

/* client_message.c: its session. init: once the options are there. */
void uvow__client_session_init(uvow_client_t *client,
                               const uvow_client_options_t *options);
/* Another connection, or NULL: none. */
void uvow__client_session_use(uvow_client_t *client,
                              uvow__connection_t *connection);
void uvow__client_session_done(uvow_client_t *client);

/* client_notice.c: what the application is told when the tasks run. Without
 * memory it isn't told. */
void uvow__client_tell_event(uvow_client_t *client, const uvow__msg_t *msg);
void uvow__client_tell_stray(uvow_client_t *client, uvow__stray_t stray,
                             uvow__slice_t bytes);
void uvow__client_tell_state(uvow_client_t *client, uvow_client_state_t state,
                             const uvow_error_t *why);
/* Forgets all that was to be told. */
void uvow__client_drop_notices(uvow_client_t *client);

/* client.c: everything ends now; the struct stays. */
void uvow__client_shut(uvow_client_t *client);
/* Around each callback of the user's with the client. After leave it
 * may be gone: returns whether it is. */
static inline void uvow__client_hold(uvow_client_t *client) {
  client->busy++;
}
int uvow__client_unhold(uvow_client_t *client);

#endif
