/*
 * What the command line says, as the library's options.
 */
#include "args.h"

#include <stdio.h>

static const uvow_deflate_options_t deflate = {.size = sizeof(deflate)};

void args_to_client(const args_t *args, uvow_client_options_t *client) {
  client->url = args->url;
  client->protocol = args->protocol;
  client->headers = args->headers;
  client->header_count = args->header_count;
  client->subprotocols = args->subprotocols;
  client->subprotocol_count = args->subprotocol_count;
  client->timeout_ms = (uint32_t)args->timeout_ms;
  client->deflate = args->deflate ? &deflate : NULL;
}

void args_to_server(const args_t *args, uvow_server_options_t *server) {
  server->protocol = args->protocol;
  server->host = args->host ? args->host : "127.0.0.1";
  server->port = (uint16_t)args->port;
  server->deflate = args->deflate ? &deflate : NULL;
}

int args_to_tls(const args_t *args, uvow_loop_t *loop, uvow_tls_t **ret_tls) {
  uvow_tls_options_t options = {.size = sizeof(options)};
  uvow_error_t *error = NULL;
  *ret_tls = NULL;
  if (!args->ca && !args->insecure && !args->cert)
    return 0;
  options.is_server = args->cert != NULL;
  options.ca_file = args->ca;
  options.cert_file = args->cert;
  options.key_file = args->key;
  options.insecure_no_verify = args->insecure;
  int rc = uvow_tls_new(loop, &options, ret_tls, &error);
  if (rc)
    fprintf(stderr, "uvow: %s\n",
            error ? uvow_error_message(error) : uvow_strerror(rc));
  uvow_error_unref(error);
  return rc ? 1 : 0;
}
