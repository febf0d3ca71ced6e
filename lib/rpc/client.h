#ifndef UVOW__CLIENT_H
#define UVOW__CLIENT_H

#include <uvow/client.h>

#include "connection.h"
#include "dispatcher.h"
#include "protocol/protocol.h"

/* What is kept of a client's options. */
typedef struct uvow__client_config {
  uvow__url_t url;
  int url_code; /* why there is no URL, or 0 */
  char **subprotocols;
  size_t subprotocol_count;
  uvow__handshake_header_t *headers;
  size_t header_count;
  uint32_t timeout_ms;
  uint32_t connect_timeout_ms;
  uint32_t close_timeout_ms;
  size_t max_message_bytes;
  size_t max_unsent_bytes;
  size_t max_pending;
} uvow__client_config_t;

struct uvow_client {
  uvow__resident_t resident;
  uvow_loop_t *loop;
  const uvow_protocol_t *protocol;
  const uvow__transport_t *transport;
  uvow__client_config_t config;
  uvow_event_cb on_event;
  uvow_stray_cb on_stray;
  void *data;
  uvow__dispatcher_t dispatcher;
  uvow__connection_t *connection; /* NULL: not yet, or no more */
  uvow_error_t *ended;            /* why there is no more */
  uvow_future_t *ready;           /* settled by the client, as closed */
  uvow_future_t *closed;          /* NULL: nobody asked to close */
  int closing;
  int opened;
  int unheld;
  uvow__deadline_t drain; /* for what is in flight at close */
  uvow__buf_t backlog;    /* messages that wait for the connection to open */
  uvow__buf_t scratch;    /* the message being written */
  uvow__list_t notices;
  uvow_client_stats_t stats;
};

/* As uvow_client_new, on a transport that outlives the client. */
int uvow__client_new(uvow_loop_t *loop, const uvow_client_options_t *options,
                     const uvow__transport_t *transport,
                     uvow_client_t **ret_client);

/* Copies what is in the options. What was copied is to be done, also on error:
 * UVOW_ENOMEM, UVOW_EINVAL. A malformed URL is no error here: see url_code. */
int uvow__client_config_init(uvow__client_config_t *config,
                             const uvow__mem_t *mem,
                             const uvow_client_options_t *options);
void uvow__client_config_done(uvow__client_config_t *config,
                              const uvow__mem_t *mem);

/* A message came. */
void uvow__client_message(uvow_client_t *client, int opcode,
                          const uint8_t *bytes, size_t len);
/* Forgets what on_event and on_stray were to be told. */
void uvow__client_drop_notices(uvow_client_t *client);

/* Encodes into scratch and sends, or puts it into the backlog. request: NULL
 * for a message without a future. */
int uvow__client_transmit(uvow_client_t *client, const uvow__op_t *op,
                          uvow__request_t *request);

#endif
