/*
 * What the command line says, as the library's options.
 */
#include "args.h"

#include <ctype.h>
#include <stdio.h>

static const uvow_deflate_options_t deflate = {.size = sizeof(deflate)};

void args_to_client(const args_t *args, uvow_client_options_t *client) {
  client->url = args->url;
  client->protocol = args->protocol;
  client->headers = args->headers;
  client->header_count = args->header_count;
  client->bearer = args->bearer;
  client->origin = args->origin;
  client->subprotocols = args->subprotocols;
  client->subprotocol_count = args->subprotocol_count;
  client->proxy = args->proxy;
  client->proxy_from_environment = args->proxy_env;
  client->timeout_ms = (uint32_t)args->timeout_ms;
  client->deflate = args->deflate ? &deflate : NULL;
}

void args_to_server(const args_t *args, uvow_server_options_t *server) {
  server->protocol = args->protocol;
  server->socket_path = args->socket_path;
  if (!args->socket_path)
    server->host = args->host ? args->host : "127.0.0.1";
  server->port = (uint16_t)args->port;
  server->subprotocols = args->subprotocols;
  server->subprotocol_count = args->subprotocol_count;
  server->deflate = args->deflate ? &deflate : NULL;
}

static int is_wss(const char *url) {
  static const char scheme[] = "wss:";
  for (size_t i = 0; i < sizeof(scheme) - 1; i++)
    if (tolower((unsigned char)url[i]) != scheme[i])
      return 0;
  return 1;
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
  else if (args->insecure && is_wss(args->url))
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
          "uvow: --proxy, --header, --subprotocol, --oauth2-bearer or "
          "--origin can't be sent as it is\n");
  return EXIT_USAGE;
}
