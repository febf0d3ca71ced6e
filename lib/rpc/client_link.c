/*
 * A client's connection: made, lost, made again, closed.
 *
 *   CONNECTING --open--> OPEN --lost--> WAITING --pause over--> CONNECTING
 *       |                  |              ^ |
 *       +------failed------+--------------+ | no attempt left, or none wanted
 *                                           v
 *   any --uvow_client_close--> CLOSING --> CLOSED
 *
 * 1. When a connection is lost, what it carried settles at once, unless it was
 *    marked idempotent: that goes to the front of the backlog. What was never
 *    sent stays there. Nothing else is ever sent again (R2).
 * 2. Pauses grow exponentially with full jitter; attempts and time are counted
 *    from when the last good connection was lost.
 * 3. The user's renew callback runs as a task, like all user code.
 * 4. A connection that has ended calls back no more: nothing of it can reach
 *    what the next one does.
 */
#include "client.h"

#include <string.h>

#define NS_PER_MS 1000000u

static uvow__slice_t slice_of(const char *text) {
  uvow__slice_t slice = {text, text ? strlen(text) : 0};
  return slice;
}

void uvow__client_enter(uvow_client_t *client, uvow_client_state_t state,
                        const uvow_error_t *why) {
  if (client->state == state)
    return;
  client->stats.lost += uvow__client_is_open(client) && !client->closing;
  client->state = state;
  if (client->config.trace.on_state)
    client->config.trace.on_state(client, state, client->config.trace.data);
  uvow__client_tell_state(client, state, why);
}

void uvow__client_maybe_drained(uvow_client_t *client) {
  if (uvow__gate_awaited(&client->drained) &&
      uvow__client_unsent(client) <= client->config.max_unsent_bytes / 2)
    uvow__gate_pass(&client->drained);
}

/* What a request rejects with when its connection ends so. */
static void spec_of_end(const uvow_client_t *client, const uvow_error_t *error,
                        uvow__error_spec_t *ret) {
  memset(ret, 0, sizeof(*ret));
  ret->code = uvow_error_code(error);
  if (client->closing)
    ret->code = UVOW_ECLOSED;
  else if (client->was_open && ret->code == UVOW_ECLOSED)
    ret->code = UVOW_ELOST; /* closed in order, but under our requests */
  ret->status = uvow_error_status(error);
  ret->detail = slice_of(uvow_error_message(error));
  ret->cause = error;
}

void uvow__client_end(uvow_client_t *client, uvow_error_t *error) {
  uvow__error_spec_t spec;
  client->connection = NULL;
  client->ended = error;
  uvow__client_stop_pause(client);
  spec_of_end(client, error, &spec);
  uvow__dispatcher_fail_all(&client->dispatcher, &spec);
  uvow__backlog_clear(&client->backlog);
  client->notes = client->dead = 0;
  uvow__task_cancel(&client->pump);
  uvow__wheel_disarm(&client->drain);
  uvow__client_enter(client, UVOW_CLIENT_CLOSED, error);
  uvow__gate_fail(&client->ready, error);
  uvow__gate_fail(&client->drained, error);
  uvow__gate_pass(&client->closed);
}

void uvow__client_maybe_close(uvow_client_t *client) {
  if (!client->closing || client->ended)
    return;
  if (!client->connection) { /* between two attempts, and no other follows */
    uvow__client_end(client, uvow__error_code(uvow__client_mem(client),
                                              UVOW_ECLOSED, UVOW_OUTCOME_NONE));
    return;
  }
  if (client->dispatcher.live || client->notes)
    return;
  uvow__wheel_disarm(&client->drain);
  uvow__connection_close(client->connection, 1000, "");
}

/* An idempotent request whose connection was lost: it will be sent again. */
static int send_again(uvow__request_t *request, void *data) {
  uvow__slice_t text = {request->text->bytes, request->text->len};
  return uvow__backlog_push((uvow__backlog_t *)data, request->id, text);
}

/* What was sent on the connection settles, or waits for the next one. */
static void requests_lost(uvow_client_t *client, const uvow_error_t *error) {
  uvow__error_spec_t spec;
  uvow__backlog_t again;
  spec_of_end(client, error, &spec);
  uvow__backlog_init(&again, uvow__client_mem(client), SIZE_MAX);
  uvow__dispatcher_forgive(&client->dispatcher);
  uvow__dispatcher_lost(&client->dispatcher, &spec, send_again, &again);
  if (uvow__backlog_prepend(&client->backlog, &again)) {
    /* No memory: what waits there can't be sent, and must not hang. */
    spec.code = UVOW_ENOMEM;
    uvow__dispatcher_fail_all(&client->dispatcher, &spec);
  }
  uvow__backlog_done(&again);
  uvow__client_maybe_drained(client);
}

void uvow__client_stop_pause(uvow_client_t *client) {
  uvow__task_cancel(&client->connect);
  if (client->pausing)
    uvow__runtime_unhold(&client->loop->rt, &client->pause);
  client->pausing = 0;
  uvow__wheel_disarm(&client->pause);
}

/* For how long attempts may still begin, ms. */
static uint64_t time_left(const uvow_client_t *client) {
  uint64_t total = client->config.reconnect.total_ms;
  uint64_t down =
      (uvow__runtime_now(&client->loop->rt) - client->down_since) / NS_PER_MS;
  if (total == 0)
    return UVOW__MS_MAX;
  return down < total ? total - down : 0;
}

static void start_pause(uvow_client_t *client) {
  uvow__runtime_t *rt = &client->loop->rt;
  uint64_t ms = uvow__backoff_next(&client->backoff, uvow__runtime_random(rt));
  uint64_t left = time_left(client);
  if (ms > left)
    ms = left; /* the last attempt begins when the time is over, not later */
  if (client->unheld) {
    uvow__runtime_arm(rt, &client->pause, ms);
    return;
  }
  client->pausing = 1;
  uvow__runtime_hold(rt, &client->pause, ms);
}

/* Whether another attempt may be made. */
static int may_reconnect(uvow_client_t *client) {
  const uvow_reconnect_options_t *options = &client->config.reconnect;
  uint64_t now = uvow__runtime_now(&client->loop->rt);
  if (options->size == 0 || client->closing || client->loop->rt.closed)
    return 0;
  if (client->attempts == 0)
    client->down_since = now; /* it was open until now */
  if (options->max_attempts && client->attempts >= options->max_attempts)
    return 0;
  return time_left(client) > 0;
}

/* The connection, or the attempt at one, has ended: takes the error. */
static void lost(uvow_client_t *client, uvow_error_t *error) {
  client->connection = NULL;
  if (!may_reconnect(client)) {
    uvow__client_end(client, error);
    return;
  }
  requests_lost(client, error);
  uvow__client_enter(client, UVOW_CLIENT_WAITING, error);
  start_pause(client);
  uvow_error_unref(error);
}

static void on_open(void *ctx) {
  uvow_client_t *client = (uvow_client_t *)ctx;
  client->was_open = 1;
  client->attempts = 0;
  client->stats.connected++;
  uvow__backoff_reset(&client->backoff);
  if (client->unheld)
    uvow__connection_hold(client->connection, 0);
  if (!client->closing)
    uvow__client_enter(client, UVOW_CLIENT_OPEN, NULL);
  uvow__client_pump(client);
  uvow__gate_pass(&client->ready);
  uvow__client_maybe_close(client);
}

static void on_message(void *ctx, int opcode, const uint8_t *bytes,
                       size_t len) {
  uvow_client_t *client = (uvow_client_t *)ctx;
  if (client->config.trace.on_message)
    client->config.trace.on_message(client, (const char *)bytes, len,
                                    client->config.trace.data);
  uvow__client_message(client, opcode, bytes, len);
  if (client->closing || !uvow__backlog_empty(&client->backlog))
    uvow__client_pump_late(client);
}

/* No answer follows, though the stream may take its time to end (R2). */
static void on_peer_close(void *ctx, const uvow_error_t *why) {
  uvow_client_t *client = (uvow_client_t *)ctx;
  uvow__error_spec_t spec;
  if (may_reconnect(client)) {
    uvow__client_enter(client, UVOW_CLIENT_WAITING, why);
    requests_lost(client, why);
  } else {
    spec_of_end(client, why, &spec);
    uvow__dispatcher_fail_all(&client->dispatcher, &spec);
  }
}

static void on_writable(void *ctx) {
  uvow_client_t *client = (uvow_client_t *)ctx;
  uvow__client_pump(client);
  uvow__client_maybe_drained(client);
}

static void on_end(void *ctx, uvow_error_t *error) {
  lost((uvow_client_t *)ctx, error);
}

static const uvow__connection_callbacks_t connection_callbacks = {
    on_open, on_message, on_peer_close, on_writable, on_end};

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
  return uvow__connection_open(client->loop, &config, &connection_callbacks,
                               client, &client->connection);
}

int uvow__client_connect(uvow_client_t *client) {
  const uvow__mem_t *mem = uvow__client_mem(client);
  int code = client->config.target.url_code;
  uvow_error_t *error = NULL;
  client->attempts++;
  uvow__client_enter(client, UVOW_CLIENT_CONNECTING, NULL);
  if (code) { /* no attempt makes it better */
    uvow__client_end(client, uvow__error_code(mem, code, UVOW_OUTCOME_NONE));
    return 0;
  }
  code = open_connection(client, &error);
  if (code == 0 || code == UVOW_ENOMEM || code == UVOW_EINVAL) {
    uvow_error_unref(error);
    return code;
  }
  lost(client, error ? error : uvow__error_code(mem, code, UVOW_OUTCOME_NONE));
  return 0;
}

/* Asks the user for a new URL and headers. Returns 0, an error that ends this
 * attempt, or 1: the client is gone. */
static int renew(uvow_client_t *client) {
  const uvow_reconnect_options_t *options = &client->config.reconnect;
  uvow_renewal_t renewal = {0};
  renewal.size = sizeof(renewal);
  if (!options->renew)
    return 0;
  uvow__client_hold(client);
  int rc = options->renew(client, client->attempts + 1, &renewal, client->data);
  if (rc == 0 && !client->freed && (renewal.url || renewal.headers))
    rc = uvow__target_set(&client->config.target, uvow__client_mem(client),
                          renewal.url, renewal.headers, renewal.header_count);
  if (rc == 0 && !client->freed && renewal.url)
    rc = client->config.target.url_code; /* the next one may be a good one */
  if (uvow__client_unhold(client))
    return 1;
  return rc > 0 ? UVOW_EINVAL : rc;
}

static void run_connect(uvow__task_t *task) {
  uvow_client_t *client = UVOW__CONTAINER(task, uvow_client_t, connect);
  int rc = renew(client);
  if (rc > 0 || client->ended || client->connection ||
      client->state != UVOW_CLIENT_WAITING)
    return;
  if (rc == 0)
    rc = uvow__client_connect(client);
  else
    client->attempts++; /* one that renew has ended */
  if (rc)
    lost(client,
         uvow__error_code(uvow__client_mem(client), rc, UVOW_OUTCOME_NONE));
}

static void on_pause_over(uvow__deadline_t *deadline) {
  uvow_client_t *client = UVOW__CONTAINER(deadline, uvow_client_t, pause);
  uvow__client_stop_pause(client);
  uvow__runtime_push(&client->loop->rt, &client->connect);
}

void uvow__client_link_init(uvow_client_t *client) {
  const uvow_reconnect_options_t *options = &client->config.reconnect;
  client->down_since = uvow__runtime_now(&client->loop->rt);
  uvow__deadline_init(&client->pause, on_pause_over);
  uvow__task_init(&client->connect, run_connect);
  uvow__backoff_init(&client->backoff, options->base_ms, options->max_ms);
}
