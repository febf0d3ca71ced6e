/*
 * The client: its life. Its connection is in client_link.c, its requests in
 * client_request.c, what comes back in client_message.c.
 *
 * 1. Freeing settles all that is pending, and lets the connection end alone.
 * 2. Freed within one of its own callbacks, its memory goes when that returns.
 * 3. The loop may close first: then the client is shut, and still to be freed.
 */
#include "client.h"

#include <string.h>

static void free_client(uvow_client_t *client) {
  uvow_loop_t *loop = client->loop;
  int enrolled = client->freed; /* one that failed to start never was */
  uvow_error_unref(client->ended);
  uvow_error_unref(client->link.last);
  uvow__client_session_done(client);
  uvow__dispatcher_done(&client->dispatcher);
  uvow__backlog_done(&client->backlog);
  uvow__intern_done(&client->methods);
  uvow__intern_done(&client->sessions);
  uvow__histogram_done(&client->rtt);
  uvow__client_config_done(&client->config, uvow__client_mem(client));
  uvow_tls_unref(client->tls);
  uvow__free(uvow__loop_mem(loop), client);
  if (enrolled)
    uvow__loop_unpin(loop);
}

int uvow__client_unhold(uvow_client_t *client) {
  if (--client->busy || !client->freed)
    return 0;
  free_client(client);
  return 1;
}

void uvow__client_shut(uvow_client_t *client) {
  uvow__connection_t *connection = client->connection;
  client->closing = 1;
  uvow__client_stop_pause(client);
  client->connection = NULL;
  uvow__client_session_use(client, NULL);
  if (connection)
    uvow__connection_abandon(connection);
  if (!client->ended)
    uvow__client_end(client, uvow__error_code(uvow__client_mem(client),
                                              UVOW_ECLOSED, UVOW_OUTCOME_NONE));
  uvow__client_drop_notices(client);
}

static void evict(uvow__resident_t *resident) {
  uvow__client_shut(UVOW__CONTAINER(resident, uvow_client_t, resident));
}

static void on_drain_deadline(uvow__deadline_t *deadline) {
  uvow_client_t *client = UVOW__CONTAINER(deadline, uvow_client_t, drain);
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_ECLOSED;
  spec.detail = UVOW__SLICE("closed before the answer came");
  spec.cause = client->link.last;
  uvow__dispatcher_fail_all(&client->dispatcher, &spec);
  uvow__callee_drop_calls(&client->session.callee);
  client->notes = 0;
  uvow__client_maybe_close(client);
}

static void on_settled(uvow__dispatcher_t *dispatcher,
                       const uvow__request_t *request,
                       const uvow_error_t *error) {
  uvow_client_t *client = (uvow_client_t *)dispatcher->data;
  const uvow_trace_t *trace = &client->config.trace;
  if (trace->on_settled)
    trace->on_settled(client, request->id,
                      uvow__intern_text(&client->methods, request->method).ptr,
                      error, trace->data);
}

static void init(uvow_client_t *client, uvow_loop_t *loop,
                 const uvow_client_options_t *options,
                 const uvow__transport_t *transport) {
  const uvow__mem_t *mem = uvow__loop_mem(loop);
  client->loop = loop;
  client->resident.evict = evict;
  client->protocol = options->protocol;
  client->transport = transport;
  client->tls = uvow_tls_ref(options->tls);
  client->on_event = options->on_event;
  client->on_stray = options->on_stray;
  client->on_state = options->on_state;
  client->data = options->data;
  uvow__list_init(&client->notices);
  uvow__task_init(&client->pump, uvow__client_run_pump);
  uvow__gate_init(&client->ready, &loop->rt);
  uvow__gate_init(&client->closed, &loop->rt);
  uvow__gate_init(&client->drained, &loop->rt);
  uvow__deadline_init(&client->drain, on_drain_deadline);
  uvow__intern_init(&client->methods, mem);
  uvow__intern_init(&client->sessions, mem);
  uvow__histogram_init(&client->rtt, mem, 5);
}

/* What needs the options. */
static void init_limits(uvow_client_t *client,
                        const uvow_client_options_t *options) {
  const uvow__client_config_t *config = &client->config;
  uvow__backlog_init(&client->backlog, uvow__client_mem(client),
                     config->max_unsent_bytes);
  uvow__dispatcher_init(&client->dispatcher, &client->loop->rt,
                        config->max_pending);
  client->dispatcher.data = client;
  client->dispatcher.on_given_up = uvow__client_given_up;
  client->dispatcher.keep_owed = config->count_unanswered;
  if (config->trace.on_settled)
    client->dispatcher.on_settled = on_settled;
  uvow__client_session_init(client, options);
  uvow__client_link_init(client);
}

/* Nobody ever saw it. */
static void abort_client(uvow_client_t *client) {
  uvow__client_stop_pause(client);
  uvow__client_drop_notices(client);
  free_client(client);
}

int uvow__client_new(uvow_loop_t *loop, const uvow_client_options_t *options,
                     const uvow__transport_t *transport,
                     uvow_client_t **ret_client) {
  if (!loop || !options || options->size != sizeof(*options) || !options->url ||
      !options->protocol || !ret_client ||
      (options->tls && !uvow__tls_fits(options->tls, loop, 0)))
    return UVOW_EINVAL;
  if (loop->rt.closed)
    return UVOW_ECLOSED;
  uvow_client_t *client =
      (uvow_client_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*client));
  if (!client)
    return UVOW_ENOMEM;
  init(client, loop, options, transport);
  int rc =
      uvow__client_config_init(&client->config, uvow__loop_mem(loop), options);
  init_limits(client, options);
  if (rc == 0)
    rc = uvow__client_connect(client);
  if (rc) {
    abort_client(client);
    return rc;
  }
  uvow__loop_enroll(loop, &client->resident);
  *ret_client = client;
  return 0;
}

int uvow_client_new(uvow_loop_t *loop, const uvow_client_options_t *options,
                    uvow_client_t **ret_client) {
  return uvow__client_new(loop, options, &uvow__tcp_transport, ret_client);
}

uvow_future_t *uvow_client_ready(uvow_client_t *client) {
  if (!client)
    return NULL;
  if (client->ended)
    return uvow_future_rejected(client->loop, uvow_error_ref(client->ended));
  if (uvow__client_is_open(client))
    return uvow_future_fulfilled(client->loop, uvow_value_none());
  return uvow__gate_wait(&client->ready);
}

uvow_future_t *uvow_client_drained(uvow_client_t *client) {
  if (!client)
    return NULL;
  if (client->ended)
    return uvow_future_rejected(client->loop, uvow_error_ref(client->ended));
  uvow_future_t *f = uvow__gate_wait(&client->drained);
  uvow__client_maybe_drained(client);
  return f;
}

uvow_future_t *uvow_client_close(uvow_client_t *client) {
  if (!client)
    return NULL;
  if (client->ended)
    return uvow_future_fulfilled(client->loop, uvow_value_none());
  uvow_future_t *f = uvow__gate_wait(&client->closed);
  if (client->closing)
    return f;
  client->closing = 1;
  client->session.callee.closing = 1;
  uvow__client_enter(client, UVOW_CLIENT_CLOSING, NULL);
  uvow__runtime_arm(&client->loop->rt, &client->drain,
                    client->config.close_timeout_ms);
  uvow__client_maybe_close(client);
  return f;
}

void uvow_client_free(uvow_client_t *client) {
  if (!client || client->freed)
    return;
  uvow__loop_depart(client->loop, &client->resident);
  uvow__client_hold(client);
  uvow__client_shut(client);
  client->freed = 1;
  uvow__client_unhold(client);
}

uvow_client_state_t uvow_client_state(const uvow_client_t *client) {
  return client ? client->state : UVOW_CLIENT_CLOSED;
}

const char *uvow_client_state_name(uvow_client_state_t state) {
  static const char *const names[] = {"unknown", "connecting", "open",
                                      "waiting", "closing",    "closed"};
  unsigned i = (unsigned)state;
  return names[i < sizeof(names) / sizeof(*names) ? i : 0];
}

int uvow_client_set_target(uvow_client_t *client, const char *url,
                           const uvow_header_t *headers, size_t header_count) {
  if (!client)
    return UVOW_EINVAL;
  client->link.refused =
      uvow__target_set(&client->config.target, uvow__client_mem(client), url,
                       headers, header_count);
  return client->link.refused;
}

static void hold(uvow_client_t *client, int on) {
  if (!client)
    return;
  client->unheld = !on;
  if (client->connection && client->state != UVOW_CLIENT_CONNECTING)
    uvow__connection_hold(client->connection, on);
  if (client->link.pausing == on || !uvow__deadline_armed(&client->link.pause))
    return;
  client->loop->rt.holds += on ? 1 : (size_t)-1;
  client->link.pausing = on != 0;
  uvow__runtime_poke(&client->loop->rt);
}

void uvow_client_ref(uvow_client_t *client) {
  hold(client, 1);
}

void uvow_client_unref(uvow_client_t *client) {
  hold(client, 0);
}
