/*
 * One attempt of a client at a connection.
 *
 *   uvow__client_attempt --renew--> its future --settled--> open
 *                        --no renew------------------------> open
 *   any of them fails --> uvow__client_lost
 *
 * 1. The user's renew callback runs as a task, like all user code; while its
 *    future is pending there's no connection, and a close, a free or the loop's
 *    end gives it up.
 * 2. A URL or header that set_target refuses meanwhile fails the attempt, as an
 *    error of renew does. A client without any URL that can be read is over.
 */
#include "client.h"

/* Through a proxy, if there's one for this URL. */
static int pass_proxy(uvow_client_t *client,
                      const uvow__transport_t **transport,
                      uvow_error_t **ret_error) {
  const uvow__client_config_t *own = &client->config;
  const uvow__proxy_t *proxy =
      uvow__proxies_choose(&own->proxies, &own->target.url);
  if (!proxy)
    return 0;
  if (proxy->code) {
    uvow__error_spec_t spec = {0};
    spec.code = UVOW_EPROXY;
    spec.detail = UVOW__SLICE(
        "what the environment names as proxy isn't one "
        "that uvow knows: http://host:port");
    *ret_error = uvow__error_make(uvow__client_mem(client), &spec);
    return UVOW_EPROXY;
  }
  uvow__tunnel_transport_init(&client->tunnel, *transport, &proxy->url);
  *transport = &client->tunnel.transport;
  return 0;
}

/* For wss: TLS on what leads to the server. */
static int make_secure(uvow_client_t *client,
                       const uvow__transport_t **transport,
                       uvow_error_t **ret_error) {
  int rc = client->tls
               ? 0
               : uvow__tls_default(client->loop, &client->tls, ret_error);
  if (rc)
    return rc;
  uvow__tls_transport_init(&client->tls_transport, *transport, client->tls);
  *transport = &client->tls_transport.transport;
  return 0;
}

/* Where the code doesn't say enough of an error, it's in ret_error. */
static int open_connection(uvow_client_t *client, uvow_error_t **ret_error) {
  uvow__connection_config_t config = {0};
  const uvow__client_config_t *own = &client->config;
  config.url = &own->target.url;
  config.transport = client->transport;
  config.subprotocols = (const char *const *)own->subprotocols;
  config.subprotocol_count = own->subprotocol_count;
  config.headers = own->target.headers;
  config.header_count = own->target.header_count;
  config.bearer = own->bearer;
  config.origin = own->origin;
  config.max_message = own->max_message_bytes;
  config.max_unsent = own->max_unsent_bytes;
  config.deflate = own->deflate;
  config.open_ms = own->connect_timeout_ms;
  config.close_ms = own->close_timeout_ms;
  config.ping_ms = own->ping_ms;
  config.dead_ms = own->dead_ms;
  config.keepalive_s = own->keepalive_s;
  int rc = pass_proxy(client, &config.transport, ret_error);
  if (rc == 0 && own->target.url.secure)
    rc = make_secure(client, &config.transport, ret_error);
  if (rc)
    return rc;
  return uvow__connection_open(client->loop, &config, &uvow__client_callbacks,
                               client, &client->connection);
}

/* Opens the connection. UVOW_ENOMEM, UVOW_EINVAL: nothing has begun. */
static int open_now(uvow_client_t *client) {
  const uvow__mem_t *mem = uvow__client_mem(client);
  int code = client->config.target.url_code;
  uvow_error_t *error = NULL;
  if (code) { /* no attempt makes it better */
    uvow__client_end(client, uvow__error_code(mem, code, UVOW_OUTCOME_NONE));
    return 0;
  }
  code = open_connection(client, &error);
  if (code == 0 || code == UVOW_ENOMEM || code == UVOW_EINVAL) {
    uvow_error_unref(error);
    return code;
  }
  uvow__client_lost(
      client, error ? error : uvow__error_code(mem, code, UVOW_OUTCOME_NONE));
  return 0;
}

static void fail_code(uvow_client_t *client, int code) {
  uvow__client_lost(client, uvow__error_code(uvow__client_mem(client), code,
                                             UVOW_OUTCOME_NONE));
}

static void open_or_fail(uvow_client_t *client) {
  int rc = open_now(client);
  if (rc)
    fail_code(client, rc);
}

static void begin(uvow_client_t *client) {
  uvow__link_t *link = &client->link;
  link->attempts += link->attempts < UINT32_MAX;
  link->open_since = 0;
  link->judged = 0;
  uvow__client_enter(client, UVOW_CLIENT_CONNECTING, NULL);
}

/* renew's answer is settled. */
static void run_renewed(uvow__task_t *task) {
  uvow_client_t *client = UVOW__CONTAINER(task, uvow_client_t, link.renewed);
  uvow__link_t *link = &client->link;
  uvow_future_t *renewal = link->renewal;
  link->renewal = NULL;
  if (renewal->state == UVOW_REJECTED)
    uvow__client_lost(client, uvow_error_ref(renewal->u.error));
  else if (link->refused)
    fail_code(client, link->refused);
  else
    open_or_fail(client);
  uvow_future_unref(renewal);
}

/* Waits for what renew answered. Takes what next owns. */
static void await_renewal(uvow_client_t *client, uvow_next_t *next) {
  uvow__link_t *link = &client->link;
  uvow_future_t *f = uvow__future_new(&client->loop->rt, 2, UVOW__OBSERVED);
  if (!f) {
    uvow__next_drop(next);
    fail_code(client, UVOW_ENOMEM);
    return;
  }
  if (next->kind == UVOW_NEXT_PASS)
    *next = uvow_next_none();
  link->renewal = f;
  uvow__future_next(f, next, NULL);
  uvow__future_watch(f, &link->renewed);
}

/* Asks the user for a new URL and headers. */
static void ask_renew(uvow_client_t *client) {
  client->link.refused = 0;
  uvow__client_hold(client);
  uvow_next_t next =
      client->config.renew(client, client->link.attempts, client->data);
  if (client->freed || client->ended)
    uvow__next_drop(&next);
  else
    await_renewal(client, &next);
  uvow__client_unhold(client);
}

static void run_attempt(uvow__task_t *task) {
  uvow_client_t *client = UVOW__CONTAINER(task, uvow_client_t, link.attempt);
  if (client->state != UVOW_CLIENT_CONNECTING) /* the first one has begun */
    begin(client);
  if (client->config.renew)
    ask_renew(client);
  else
    open_or_fail(client);
}

void uvow__client_attempt_init(uvow_client_t *client) {
  uvow__task_init(&client->link.attempt, run_attempt);
  uvow__task_init(&client->link.renewed, run_renewed);
}

int uvow__client_connect(uvow_client_t *client) {
  begin(client);
  if (!client->config.renew)
    return open_now(client);
  uvow__runtime_push(&client->loop->rt, &client->link.attempt);
  return 0;
}
