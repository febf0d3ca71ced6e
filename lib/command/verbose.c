/*
 * What -v and --trace write on stderr.
 *
 *   * connecting to ws://127.0.0.1:9000/
 *   * connected to 127.0.0.1:9000, TLSv1.3 TLS_AES_256_GCM_SHA384
 *   < Upgrade: websocket
 *   * subprotocol: none
 *   * open after 0.41 ms
 *   > {"jsonrpc":"2.0",...}            with --trace
 *   * add answered after 0.62 ms
 *
 * The hooks are called within the library: they only write.
 */
#include "client.h"

#include "verdict.h"

static void begin(const client_t *client, const char *mark) {
  screen_put(&client->err, INK_DIM, mark);
  fputc(' ', stderr);
}

void verbose_state(const client_t *client, uvow_peer_state_t state) {
  char age[24];
  begin(client, "*");
  if (state == UVOW_PEER_CONNECTING)
    fprintf(stderr, "connecting to %s\n", client->args->url);
  else
    fprintf(stderr, "%s after %s\n", uvow_peer_state_name(state),
            client_age(client, age, sizeof(age)));
}

void verbose_connected(const client_t *client, const char *address,
                       const char *tls, const char *certificate) {
  begin(client, "*");
  fprintf(stderr, "connected to %s", *address ? address : "a socket");
  if (tls && *tls)
    fprintf(stderr, ", %s", tls);
  fputc('\n', stderr);
  if (!certificate)
    return;
  begin(client, "*");
  fputs("certificate of ", stderr);
  screen_peer_text(&client->err, certificate);
  fputs(client->args->insecure ? ", not checked\n" : ", checked\n", stderr);
}

void verbose_header(const client_t *client, const char *name,
                    const char *value) {
  begin(client, "<");
  screen_peer_text(&client->err, name);
  fputs(": ", stderr);
  screen_peer_text(&client->err, value);
  fputc('\n', stderr);
}

void verbose_subprotocol(const client_t *client, const char *subprotocol) {
  begin(client, "*");
  fputs("subprotocol: ", stderr);
  screen_peer_text(&client->err, subprotocol ? subprotocol : "none");
  fputc('\n', stderr);
}

static void on_state(const uvow_peer_t *peer, uvow_peer_state_t state,
                     void *data) {
  (void)peer;
  verbose_state((const client_t *)data, state);
}

static void on_handshake(const uvow_peer_t *peer,
                         const uvow_handshake_t *handshake, void *data) {
  const client_t *client = (const client_t *)data;
  (void)peer;
  verbose_connected(client, handshake->address, handshake->tls,
                    handshake->certificate);
  for (size_t i = 0; i < handshake->header_count; i++)
    verbose_header(client, handshake->headers[i].name,
                   handshake->headers[i].value);
  verbose_subprotocol(client, handshake->subprotocol);
}

static void on_settled(const uvow_peer_t *peer, uint64_t id, const char *method,
                       const uvow_error_t *error, void *data) {
  const client_t *client = (const client_t *)data;
  char age[24];
  (void)peer;
  (void)id;
  begin(client, "*");
  fprintf(stderr, "%s %s after %s\n", method,
          verdict_text(error ? uvow_error_outcome(error) : UVOW_ANSWERED),
          client_age(client, age, sizeof(age)));
}

static void on_message(const uvow_peer_t *peer, uvow_slice_t message,
                       int is_outgoing, void *data) {
  const client_t *client = (const client_t *)data;
  (void)peer;
  begin(client, is_outgoing ? ">" : "<");
  screen_peer(&client->err, message.bytes, message.len);
  fputc('\n', stderr);
}

void verbose_trace(const client_t *client, uvow_trace_t *ret) {
  ret->data = (void *)(uintptr_t)client;
  if (client->args->trace)
    ret->on_message = on_message;
  if (!client->args->verbose)
    return;
  ret->on_state = on_state;
  ret->on_handshake = on_handshake;
  ret->on_settled = on_settled;
}
