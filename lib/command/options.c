/*
 * What the command line says, as the library's options.
 */
#include "args.h"

#include <stdio.h>

static const uvow_deflate_options_t deflate = {.size = sizeof(deflate)};

void args_to_client(const args_t *args, uvow_peer_options_t *options,
                    uvow_websocket_options_t *websocket) {
  options->protocol = args->protocol;
  options->vars = args->vars;
  options->timeout_ms = (uint32_t)args->timeout_ms;
  options->no_cancel = 1;
  options->websocket = websocket;
  websocket->headers = args->headers;
  websocket->header_count = args->header_count;
  websocket->bearer = args->bearer;
  websocket->origin = args->origin;
  websocket->subprotocols = args->subprotocols;
  websocket->subprotocol_count = args->subprotocol_count;
  websocket->proxy = args->proxy;
  websocket->proxy_from_environment = args->proxy_env;
  websocket->deflate = args->deflate ? &deflate : NULL;
}

/* What can't work is known at once. */
static int refusal_of(uvow_peer_t *peer) {
  uvow_result_t result;
  uvow_future_t *ready = uvow_peer_ready(peer);
  int rc = 0;
  if (ready && uvow_future_peek(ready, &result) == 0)
    rc = uvow_error_code(result.error);
  if (rc == UVOW_EINVAL)
    fprintf(stderr, "uvow: %s\n", uvow_error_message(result.error));
  uvow_future_drop(ready);
  return rc == UVOW_EINVAL ? rc : 0;
}

int args_connect(const char *url, uvow_loop_t *loop,
                 const uvow_peer_options_t *options, uvow_peer_t **ret_peer) {
  *ret_peer = uvow_peer_connect(loop, url, options);
  return *ret_peer ? refusal_of(*ret_peer) : UVOW_ENOMEM;
}

void args_to_server(const args_t *args, uvow_listener_options_t *listener,
                    uvow_peer_options_t *peer) {
  peer->protocol = args->protocol;
  peer->vars = args->vars;
  listener->socket_path = args->socket_path;
  if (!args->socket_path)
    listener->host = args->host ? args->host : "127.0.0.1";
  listener->port = (uint16_t)args->port;
  listener->subprotocols = args->subprotocols;
  listener->subprotocol_count = args->subprotocol_count;
  listener->deflate = args->deflate ? &deflate : NULL;
}

int args_to_tls(const args_t *args, uvow_loop_t *loop, uvow_tls_t **ret_tls) {
  uvow_tls_options_t options = {.size = sizeof(options)};
  uvow_error_t *error = NULL;
  *ret_tls = NULL;
  if (!args->ca && !args->insecure && !args->cert)
    return 0;
  options.is_server = args->command == COMMAND_SERVE;
  options.ca_file = args->ca;
  if (options.is_server && args->ca)
    options.client_certs = UVOW_TLS_CLIENT_CERT_REQUIRED;
  options.cert_file = args->cert;
  options.key_file = args->key ? args->key : args->cert;
  options.key_password = args->password;
  options.insecure_no_verify = args->insecure;
  int rc = uvow_tls_new(loop, &options, ret_tls, &error);
  if (rc)
    fprintf(stderr, "uvow: %s\n",
            error ? uvow_error_message(error) : uvow_strerror(rc));
  else if (args->insecure && args_begins(args->url, "wss:"))
    fprintf(stderr,
            "uvow: --insecure: the server's certificate is not "
            "checked; whoever it is gets what is sent\n");
  uvow_error_unref(error);
  return rc ? 1 : 0;
}

int args_refused(int code) {
  if (code != UVOW_EINVAL) {
    fprintf(stderr, "uvow: %s, not sent: %s\n", uvow_err_name(code),
            uvow_strerror(code));
    return EXIT_NOT_SENT;
  }
  fprintf(stderr,
          "uvow: --proxy, --header, --subprotocol, --oauth2-bearer, "
          "--origin or --vars can't be sent as it is\n");
  return EXIT_USAGE;
}
