/*
 * The client: one connection, and the requests on it.
 *
 *   new --connect--> (requests wait in the backlog) --open--> they leave
 *   request -> dispatcher slot -> encode -> connection -> ... -> answer
 *   end of the connection -> every request rejects, at once (R2)
 *   close -> no new requests -> none in flight | drain deadline
 *         -> close handshake -> closed
 *
 * 1. A request has its slot before its bytes go anywhere (R1).
 * 2. A backlog entry names its request; if that was given up before the
 *    connection opened, its bytes never leave: it was NOT_SENT, and that's
 *    true.
 * 3. Freeing settles all that is pending, and lets the connection end alone.
 */
#include "client.h"

#include <string.h>

#include "wire/json.h"

#define SCRATCH_KEEP 65536

/* In front of each message in the backlog. */
typedef struct waiting {
  uint64_t id; /* 0: of no request */
  size_t len;
} waiting_t;

static const uvow__mem_t *mem_of(const uvow_client_t *client) {
  return uvow__loop_mem(client->loop);
}

static uvow__slice_t slice_of(const char *text) {
  uvow__slice_t slice = {text, text ? strlen(text) : 0};
  return slice;
}

/* Settles a future of the client's own, and lets it go. */
static void settle_own(uvow_future_t **own, uvow_error_t *error) {
  uvow_future_t *f = *own;
  *own = NULL;
  if (f && f->state == UVOW_PENDING && error)
    uvow__future_reject(f, uvow_error_ref(error));
  else if (f && f->state == UVOW_PENDING)
    uvow__future_fulfill(f, uvow_value_none());
  uvow_future_unref(f);
}

/* There is no connection any more, and won't be: takes the error. */
static void end(uvow_client_t *client, uvow_error_t *error) {
  uvow__error_spec_t spec = {0};
  int code = uvow_error_code(error);
  client->connection = NULL;
  client->ended = error;
  spec.code = code;
  if (client->closing)
    spec.code = UVOW_ECLOSED;
  else if (client->opened && code == UVOW_ECLOSED)
    spec.code = UVOW_ELOST; /* closed in order, but under our requests */
  spec.status = uvow_error_status(error);
  spec.detail = slice_of(uvow_error_message(error));
  spec.cause = error;
  uvow__dispatcher_fail_all(&client->dispatcher, &spec);
  uvow__buf_clear(&client->backlog, 0);
  uvow__wheel_disarm(&client->drain);
  settle_own(&client->ready, error);
  settle_own(&client->closed, NULL);
}

/* At close, when nothing is in flight any more: the close handshake. */
static void maybe_close(uvow_client_t *client) {
  if (!client->closing || client->dispatcher.live || !client->connection)
    return;
  uvow__wheel_disarm(&client->drain);
  uvow__connection_close(client->connection, 1000, "");
}

static void on_drain_deadline(uvow__deadline_t *deadline) {
  uvow_client_t *client = UVOW__CONTAINER(deadline, uvow_client_t, drain);
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_ECLOSED;
  spec.detail = UVOW__SLICE("closed before the answer came");
  uvow__dispatcher_fail_all(&client->dispatcher, &spec);
  maybe_close(client);
}

static void on_given_up(uvow__dispatcher_t *dispatcher,
                        const uvow__request_t *request) {
  uvow_client_t *client = (uvow_client_t *)dispatcher->data;
  (void)request;
  maybe_close(client);
}

/* What the backlog holds goes out, but for what was given up. */
static void flush_backlog(uvow_client_t *client) {
  uvow__buf_t *backlog = &client->backlog;
  waiting_t next;
  while (uvow__buf_size(backlog) >= sizeof(next)) {
    memcpy(&next, uvow__buf_front(backlog), sizeof(next));
    uvow__buf_consume(backlog, sizeof(next));
    uvow__request_t *request =
        next.id ? uvow__dispatcher_find(&client->dispatcher, next.id) : NULL;
    int rc = 0;
    if (request || next.id == 0)
      rc = uvow__connection_send(client->connection, UVOW__OP_TEXT,
                                 uvow__buf_front(backlog), next.len);
    if (request && rc)
      uvow__dispatcher_reject(
          request, uvow__error_code(mem_of(client), rc, UVOW_NOT_SENT));
    else if (request)
      uvow__dispatcher_mark_sent(request);
    uvow__buf_consume(backlog, next.len);
  }
  uvow__buf_clear(backlog, 0);
}

static void on_open(void *ctx) {
  uvow_client_t *client = (uvow_client_t *)ctx;
  client->opened = 1;
  if (client->unheld)
    uvow__connection_hold(client->connection, 0);
  flush_backlog(client);
  settle_own(&client->ready, NULL);
}

static void on_message(void *ctx, int opcode, const uint8_t *bytes,
                       size_t len) {
  uvow_client_t *client = (uvow_client_t *)ctx;
  uvow__client_message(client, opcode, bytes, len);
  maybe_close(client);
}

static void on_end(void *ctx, uvow_error_t *error) {
  end((uvow_client_t *)ctx, error);
}

static const uvow__connection_callbacks_t connection_callbacks = {
    on_open, on_message, on_end};

static void free_client(uvow_client_t *client) {
  uvow_error_unref(client->ended);
  uvow_future_unref(client->ready);
  uvow_future_unref(client->closed);
  uvow__dispatcher_done(&client->dispatcher);
  uvow__buf_done(&client->backlog);
  uvow__buf_done(&client->scratch);
  uvow__client_config_done(&client->config, mem_of(client));
  uvow__free(mem_of(client), client);
}

/* Everything ends now; the struct stays. */
static void shut(uvow_client_t *client) {
  uvow__connection_t *connection = client->connection;
  client->closing = 1;
  uvow__client_drop_notices(client);
  client->connection = NULL;
  if (connection)
    uvow__connection_abandon(connection);
  if (!client->ended)
    end(client,
        uvow__error_code(mem_of(client), UVOW_ECLOSED, UVOW_OUTCOME_NONE));
}

static void evict(uvow__resident_t *resident) {
  shut(UVOW__CONTAINER(resident, uvow_client_t, resident));
}

static int open_connection(uvow_client_t *client) {
  uvow__connection_config_t config = {0};
  const uvow__client_config_t *own = &client->config;
  config.url = &own->url;
  config.transport = client->transport;
  config.subprotocols = (const char *const *)own->subprotocols;
  config.subprotocol_count = own->subprotocol_count;
  config.headers = own->headers;
  config.header_count = own->header_count;
  config.max_message = own->max_message_bytes;
  config.max_unsent = own->max_unsent_bytes;
  config.open_ms = own->connect_timeout_ms;
  config.close_ms = own->close_timeout_ms;
  return uvow__connection_open(client->loop, &config, &connection_callbacks,
                               client, &client->connection);
}

static int start(uvow_client_t *client) {
  client->ready = uvow__future_new(&client->loop->rt, 1, UVOW__OBSERVED);
  if (!client->ready)
    return UVOW_ENOMEM;
  int code = client->config.url_code;
  if (code == 0)
    return open_connection(client);
  end(client, uvow__error_code(mem_of(client), code, UVOW_NOT_SENT));
  return 0;
}

int uvow__client_new(uvow_loop_t *loop, const uvow_client_options_t *options,
                     const uvow__transport_t *transport,
                     uvow_client_t **ret_client) {
  if (!loop || !options || options->size != sizeof(*options) || !options->url ||
      !options->protocol || !ret_client)
    return UVOW_EINVAL;
  if (loop->rt.closed)
    return UVOW_ECLOSED;
  uvow_client_t *client =
      (uvow_client_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*client));
  if (!client)
    return UVOW_ENOMEM;
  client->loop = loop;
  client->resident.evict = evict;
  client->protocol = options->protocol;
  client->transport = transport;
  client->on_event = options->on_event;
  client->on_stray = options->on_stray;
  client->data = options->data;
  uvow__list_init(&client->notices);
  uvow__deadline_init(&client->drain, on_drain_deadline);
  int rc = uvow__client_config_init(&client->config, mem_of(client), options);
  uvow__buf_init(&client->backlog, mem_of(client),
                 client->config.max_unsent_bytes);
  uvow__buf_init(&client->scratch, mem_of(client), SIZE_MAX);
  uvow__dispatcher_init(&client->dispatcher, &loop->rt,
                        client->config.max_pending);
  client->dispatcher.data = client;
  client->dispatcher.on_given_up = on_given_up;
  if (rc == 0)
    rc = start(client);
  if (rc) {
    settle_own(&client->ready, NULL);
    free_client(client);
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

/* A new reader of a future of the client's own. */
static uvow_future_t *reader(uvow_client_t *client, uvow_future_t *own) {
  if (own)
    return uvow_future_ref(own);
  if (client->ended && !client->closed && !client->closing)
    return uvow_future_rejected(client->loop, uvow_error_ref(client->ended));
  return uvow_future_fulfilled(client->loop, uvow_value_none());
}

uvow_future_t *uvow_client_ready(uvow_client_t *client) {
  if (!client)
    return NULL;
  if (client->ended && !client->opened)
    return uvow_future_rejected(client->loop, uvow_error_ref(client->ended));
  return reader(client, client->ready);
}

static int put_in_backlog(uvow_client_t *client, uint64_t id) {
  waiting_t entry = {0};
  uvow__buf_t *text = &client->scratch;
  size_t size;
  entry.id = id;
  entry.len = uvow__buf_size(text);
  int rc = uvow__size_add(sizeof(entry), entry.len, &size);
  if (rc == 0)
    rc = uvow__buf_reserve(&client->backlog, size);
  if (rc)
    return rc;
  uvow__buf_append(&client->backlog, &entry, sizeof(entry));
  return uvow__buf_append(&client->backlog, uvow__buf_front(text), entry.len);
}

int uvow__client_transmit(uvow_client_t *client, const uvow__op_t *op,
                          uvow__request_t *request) {
  uvow__buf_t *text = &client->scratch;
  int rc = uvow__protocol_encode(client->protocol, op, text);
  if (rc == 0 && !client->opened)
    rc = put_in_backlog(client, request ? request->id : 0);
  else if (rc == 0)
    rc = uvow__connection_send(client->connection, UVOW__OP_TEXT,
                               uvow__buf_front(text), uvow__buf_size(text));
  if (rc == 0 && request && client->opened)
    uvow__dispatcher_mark_sent(request);
  uvow__buf_clear(text, SCRATCH_KEEP);
  return rc;
}

/* Why nothing can be sent, or 0. */
static int unusable(const uvow_client_t *client) {
  if (client->closing)
    return UVOW_ECLOSED;
  return client->ended ? UVOW_ELOST : 0;
}

static uvow_future_t *rejected(uvow_client_t *client, int code) {
  uvow__error_spec_t spec = {0};
  spec.code = code;
  spec.outcome = UVOW_NOT_SENT;
  if (client->ended) {
    if (!client->closing && !client->opened)
      spec.code = uvow_error_code(client->ended);
    spec.detail = slice_of(uvow_error_message(client->ended));
    spec.cause = client->ended;
  }
  return uvow_future_rejected(client->loop,
                              uvow__error_make(mem_of(client), &spec));
}

static int check_options(const uvow_client_t *client, const char *method,
                         const uvow_request_options_t *options,
                         uint32_t *ret_ms) {
  uint32_t ms = client->config.timeout_ms;
  if (!method || (options && options->size != sizeof(*options)))
    return UVOW_EINVAL;
  if (options && options->timeout_ms)
    ms = options->timeout_ms;
  *ret_ms = ms == UVOW_NO_TIMEOUT ? 0 : ms;
  return unusable(client);
}

static uvow_future_t *request(uvow_client_t *client, const char *method,
                              uvow__slice_t params,
                              const uvow_request_options_t *options, int json) {
  uvow_future_t *f;
  uvow__request_t *registered;
  uvow__op_t op = {0};
  uint32_t ms = 0;
  int rc = check_options(client, method, options, &ms);
  if (rc == 0)
    rc = uvow__dispatcher_register(&client->dispatcher, ms, &f, &registered);
  if (rc)
    return rejected(client, rc);
  registered->json = (uint8_t)json;
  op.kind = UVOW__OP_CALL;
  op.id = registered->id;
  op.method = slice_of(method);
  op.params = params;
  op.session = slice_of(options ? options->session : NULL);
  rc = uvow__client_transmit(client, &op, registered);
  if (rc)
    uvow__dispatcher_reject(
        registered, uvow__error_code(mem_of(client), rc, UVOW_NOT_SENT));
  return f;
}

/* json as text in ret: empty for NULL. Takes json. */
static int dump(uvow_client_t *client, struct json_t *json, uvow__buf_t *ret) {
  int rc = 0;
  uvow__buf_init(ret, mem_of(client), client->config.max_unsent_bytes);
  if (json)
    rc = uvow__json_dump(json, ret);
  uvow__json_unref(json);
  return rc;
}

static uvow__slice_t text_in(uvow__buf_t *buf) {
  uvow__slice_t text = {NULL, 0};
  text.len = uvow__buf_size(buf);
  if (text.len)
    text.ptr = (const char *)uvow__buf_front(buf);
  return text;
}

uvow_future_t *uvow_client_request(uvow_client_t *client, const char *method,
                                   struct json_t *params,
                                   const uvow_request_options_t *options) {
  uvow__buf_t text;
  if (!client) {
    uvow__json_unref(params);
    return NULL;
  }
  int rc = dump(client, params, &text);
  uvow_future_t *f = rc ? rejected(client, rc)
                        : request(client, method, text_in(&text), options, 1);
  uvow__buf_done(&text);
  return f;
}

uvow_future_t *
uvow_client_request_bytes(uvow_client_t *client, const char *method,
                          const char *params, size_t len,
                          const uvow_request_options_t *options) {
  uvow__slice_t text = {params, params ? len : 0};
  return client ? request(client, method, text, options, 0) : NULL;
}

static int notify(uvow_client_t *client, const char *method,
                  uvow__slice_t params) {
  uvow__op_t op = {0};
  int rc = method ? unusable(client) : UVOW_EINVAL;
  if (rc)
    return rc;
  op.kind = UVOW__OP_NOTIFY;
  op.method = slice_of(method);
  op.params = params;
  return uvow__client_transmit(client, &op, NULL);
}

int uvow_client_notify(uvow_client_t *client, const char *method,
                       struct json_t *params) {
  uvow__buf_t text;
  if (!client) {
    uvow__json_unref(params);
    return UVOW_EINVAL;
  }
  int rc = dump(client, params, &text);
  if (rc == 0)
    rc = notify(client, method, text_in(&text));
  uvow__buf_done(&text);
  return rc;
}

int uvow_client_notify_bytes(uvow_client_t *client, const char *method,
                             const char *params, size_t len) {
  uvow__slice_t text = {params, params ? len : 0};
  return client ? notify(client, method, text) : UVOW_EINVAL;
}

int uvow_client_stats(const uvow_client_t *client, uvow_client_stats_t *ret) {
  if (!client || !ret || ret->size != sizeof(*ret))
    return UVOW_EINVAL;
  const uvow__dispatcher_t *d = &client->dispatcher;
  *ret = client->stats;
  ret->size = sizeof(*ret);
  ret->requests = d->count.requests;
  ret->answered = d->count.answered;
  ret->timed_out = d->count.timed_out;
  ret->canceled = d->count.canceled;
  ret->failed = d->count.failed;
  ret->pending = d->live;
  ret->queued = d->live - d->sent;
  return 0;
}

uvow_future_t *uvow_client_close(uvow_client_t *client) {
  if (!client)
    return NULL;
  if (!client->closing && !client->ended) {
    client->closed = uvow__future_new(&client->loop->rt, 1, UVOW__OBSERVED);
    client->closing = 1;
    uvow_future_t *f = uvow_future_ref(client->closed);
    uvow__runtime_arm(&client->loop->rt, &client->drain,
                      client->config.close_timeout_ms);
    maybe_close(client);
    return f;
  }
  return reader(client, client->closed);
}

void uvow_client_free(uvow_client_t *client) {
  if (!client)
    return;
  uvow_loop_t *loop = client->loop;
  uvow__loop_depart(loop, &client->resident);
  shut(client);
  free_client(client);
  uvow__loop_unpin(loop);
}

static void hold(uvow_client_t *client, int on) {
  if (!client)
    return;
  client->unheld = !on;
  if (client->connection && client->opened)
    uvow__connection_hold(client->connection, on);
}

void uvow_client_ref(uvow_client_t *client) {
  hold(client, 1);
}

void uvow_client_unref(uvow_client_t *client) {
  hold(client, 0);
}
