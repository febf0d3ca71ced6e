/*
 * Requests on their way out.
 *
 *   request -> slot -> encode -> sent, or the backlog -> pump -> sent
 *
 * 1. A request has its slot before its bytes go anywhere (R1).
 * 2. Whatever can't be sent at once waits in one backlog, first come, first
 *    served: while the connection isn't open, while max_in_flight requests are
 *    in flight, while max_unsent_bytes wait to be written. A message never
 *    overtakes one that waits, but for those that mean something on this
 *    connection only: a cancel, the answer to the server's call.
 * 3. A backlog entry names its request; if that was given up meanwhile, its
 *    bytes never leave: it was NOT_SENT, and that's true.
 * 4. Slots that become free are filled once the turn's tasks have run: what is
 *    given up in one cascade, or in its consequences, has gone by then.
 */
#include "client.h"

#include <string.h>

#include "wire/json.h"
#include "wire/traceparent.h"

/* Bytes that a message takes at most beside its text: before it is sent, in the
 * backlog, and after, as a frame. */
#define MESSAGE_OVERHEAD 16

static uvow__slice_t slice_of(const char *text) {
  uvow__slice_t slice = {text, text ? strlen(text) : 0};
  return slice;
}

static uvow__slice_t text_in(uvow__buf_t *buf) {
  uvow__slice_t text = {NULL, 0};
  text.len = uvow__buf_size(buf);
  if (text.len)
    text.ptr = (const char *)uvow__buf_front(buf);
  return text;
}

static size_t queued(const uvow_client_t *client) {
  return client->dispatcher.live - client->dispatcher.sent + client->notes;
}

static int at_cap(const uvow_client_t *client) {
  const uvow__dispatcher_t *d = &client->dispatcher;
  return d->sent + d->owed >= client->config.max_in_flight;
}

/* What is kept of a request, should it have to be sent again. */
static int keep_text(uvow_client_t *client, uvow__request_t *request,
                     uvow__slice_t text) {
  if (!request->idempotent || request->text ||
      client->config.reconnect.size == 0)
    return 0;
  return uvow__request_keep_text(request, text);
}

/* It has been sent, unless rc. */
static inline int note_sent(uvow_client_t *client, uvow__request_t *request,
                            int rc) {
  if (rc)
    return rc == UVOW_ECLOSED && !client->closing ? UVOW_ELOST : rc;
  if (request) {
    uvow__dispatcher_mark_sent(request, uvow__runtime_now(&client->loop->rt));
    if (client->session.paused) /* the server owes us an answer now */
      uvow__session_pace(&client->session);
    if (client->config.trace.on_sent)
      client->config.trace.on_sent(
          client, request->id,
          uvow__intern_text(&client->methods, request->method).ptr,
          client->config.trace.data);
  }
  return 0;
}

static int send_now(uvow_client_t *client, uvow__request_t *request,
                    uvow__slice_t text) {
  int rc = request ? keep_text(client, request, text) : 0;
  if (rc == 0)
    rc = uvow__connection_send(client->connection, UVOW__OP_TEXT, text.ptr,
                               text.len);
  return note_sent(client, request, rc);
}

static int wait_in_backlog(uvow_client_t *client, uvow__request_t *request,
                           uvow__slice_t text) {
  /* The request itself is counted already. */
  if (queued(client) - (request != NULL) >= client->config.max_queued)
    return UVOW_EOVERLOAD;
  int rc =
      uvow__backlog_push(&client->backlog, request ? request->id : 0, text);
  if (rc == 0 && !request)
    client->notes++;
  return rc;
}

/* Whether one more message is within max_unsent_bytes. Both the connection and
 * the backlog keep to it alone; this is about both. */
static int has_room(const uvow_client_t *client, size_t len) {
  size_t max = client->config.max_unsent_bytes;
  size_t unsent = uvow__client_unsent(client);
  return unsent <= max && len <= max - unsent &&
         MESSAGE_OVERHEAD <= max - unsent - len;
}

/* The same for large params that can be sent at once, and aren't kept: they are
 * copied only once. */
static int transmit_large(uvow_client_t *client, const uvow__op_t *op,
                          uvow__request_t *request) {
  uvow__splice_t splice = {{NULL, 0}, {NULL, 0}, 0};
  uvow__op_t spliced = *op;
  spliced.params_how |= UVOW__PARAMS_SPLICED;
  spliced.splice = &splice;
  int rc =
      uvow__protocol_encode(client->protocol, &spliced, &client->loop->scratch);
  splice.text = text_in(&client->loop->scratch);
  if (rc == 0 && !has_room(client, splice.text.len + splice.inner.len))
    rc = UVOW_EOVERLOAD;
  if (rc == 0)
    rc = note_sent(client, request,
                   uvow__connection_send_splice(client->connection,
                                                UVOW__OP_TEXT, &splice));
  uvow__buf_clear(&client->loop->scratch, UVOW__READ_SIZE);
  return rc;
}

int uvow__client_transmit(uvow_client_t *client, const uvow__op_t *op,
                          uvow__request_t *request) {
  uvow__buf_t *scratch = &client->loop->scratch;
  if (op->params.len >= UVOW__SPLICE_MIN && uvow__client_can_send(client) &&
      uvow__backlog_empty(&client->backlog) &&
      !(request && (request->idempotent || at_cap(client))))
    return transmit_large(client, op, request);
  int rc = uvow__protocol_encode(client->protocol, op, scratch);
  if (rc == 0) {
    uvow__slice_t text = text_in(scratch);
    /* Open, and said goodbye by the server: that's no reason to wait. */
    int open = uvow__client_is_open(client) || uvow__client_can_send(client);
    int waits = !open || !uvow__backlog_empty(&client->backlog) ||
                (request && at_cap(client));
    if (!has_room(client, text.len))
      rc = UVOW_EOVERLOAD;
    else
      rc = waits ? wait_in_backlog(client, request, text)
                 : send_now(client, request, text);
  }
  uvow__buf_clear(scratch, UVOW__READ_SIZE);
  return rc;
}

void uvow__client_send_aside(uvow_client_t *client, const uvow__op_t *op) {
  uvow__buf_t *scratch = &client->loop->scratch;
  if (!uvow__client_can_send(client) ||
      !uvow__protocol_can(client->protocol, op->kind))
    return;
  if (uvow__protocol_encode(client->protocol, op, scratch) == 0 &&
      has_room(client, uvow__buf_size(scratch)))
    (void)send_now(client, NULL, text_in(scratch));
  uvow__buf_clear(scratch, UVOW__READ_SIZE);
}

/* One message of the backlog. Returns 0: the rest has to wait. */
static int pump_one(uvow_client_t *client) {
  uvow__slice_t text;
  uint64_t id = uvow__backlog_first(&client->backlog, &text);
  uvow__request_t *request =
      id ? uvow__dispatcher_find(&client->dispatcher, id) : NULL;
  int rc = 0;
  if (request && at_cap(client))
    return 0;
  if (request || id == 0)
    rc = send_now(client, request, text);
  /* Until there's room: but if all of it is free already, there never is. Until
   * the connection's end has come. */
  if ((rc == UVOW_EOVERLOAD && uvow__connection_unsent(client->connection)) ||
      rc == UVOW_ELOST)
    return 0;
  uvow__backlog_pop(&client->backlog);
  client->notes -= id == 0;
  client->dead -= id && !request && client->dead;
  if (rc && request)
    uvow__dispatcher_fail(request, rc);
  return 1;
}

void uvow__client_pump(uvow_client_t *client) {
  while (uvow__client_can_send(client) &&
         !uvow__backlog_empty(&client->backlog))
    if (!pump_one(client))
      break;
  uvow__client_maybe_drained(client);
}

void uvow__client_pump_late(uvow_client_t *client) {
  if (!uvow__task_queued(&client->pump) && !client->ended)
    uvow__runtime_push_late(&client->loop->rt, &client->pump, UVOW__LATE_FILL);
}

void uvow__client_run_pump(uvow__task_t *task) {
  uvow_client_t *client = UVOW__CONTAINER(task, uvow_client_t, pump);
  uvow__client_pump(client);
  uvow__client_maybe_close(client);
}

static int is_wanted(uint64_t id, void *data) {
  return id == 0 || uvow__dispatcher_find((uvow__dispatcher_t *)data, id);
}

/* One more message of the backlog is nobody's. They go when they are most of
 * it: so fewer are moved for that than go. */
static void note_dead(uvow_client_t *client) {
  if (++client->dead <= queued(client))
    return;
  uvow__backlog_sift(&client->backlog, is_wanted, &client->dispatcher);
  client->dead = 0;
}

void uvow__client_given_up(uvow__dispatcher_t *dispatcher,
                           const uvow__request_t *request) {
  uvow_client_t *client = (uvow_client_t *)dispatcher->data;
  uvow__op_t op = {0};
  op.kind = UVOW__OP_CANCEL;
  op.id = request->id;
  if (request->sent && client->config.send_cancel)
    uvow__client_send_aside(client, &op);
  if (!request->sent)
    note_dead(client);
  uvow__client_pump_late(client);
}

/* Why nothing can be sent, or 0. */
static int unusable(const uvow_client_t *client) {
  if (client->closing)
    return UVOW_ECLOSED;
  return client->ended ? UVOW_ELOST : 0;
}

static uvow_future_t *rejected(uvow_client_t *client, int code) {
  uvow__error_spec_t spec = {0};
  if (!client->ended)
    return uvow_future_rejected(
        client->loop,
        uvow__dispatcher_error(&client->dispatcher, code, UVOW_NOT_SENT));
  spec.code = code;
  spec.outcome = UVOW_NOT_SENT;
  if (!client->closing && !client->was_open)
    spec.code = uvow_error_code(client->ended);
  spec.detail = slice_of(uvow_error_message(client->ended));
  spec.cause = client->ended;
  return uvow_future_rejected(
      client->loop, uvow__error_make(uvow__client_mem(client), &spec));
}

static int check_options(const uvow_client_t *client, const char *method,
                         const uvow_request_options_t *options,
                         uint32_t *ret_ms) {
  uint32_t ms = client->config.timeout_ms;
  if (!method || (options && options->size != sizeof(*options)))
    return UVOW_EINVAL;
  if (options && options->traceparent &&
      !uvow__traceparent_valid(slice_of(options->traceparent)))
    return UVOW_EINVAL;
  if (options && (options->timeout_ms || options->deadline_at_ms))
    ms = options->timeout_ms ? options->timeout_ms : UVOW_NO_TIMEOUT;
  if (options && options->deadline_at_ms) {
    uint64_t now = uvow_loop_now(client->loop);
    uint64_t left = options->deadline_at_ms - now;
    if (options->deadline_at_ms <= now)
      return unusable(client) ? unusable(client) : UVOW_ETIMEDOUT;
    ms = left < ms ? (uint32_t)left : ms;
  }
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
  registered->json = json != 0;
  unsigned number = uvow__intern(&client->methods, method);
  registered->method = (uint16_t)number;
  op.kind = UVOW__OP_CALL;
  op.id = registered->id;
  op.method =
      number ? uvow__intern_text(&client->methods, number) : slice_of(method);
  op.params = params;
  if (options) {
    registered->idempotent = options->idempotent != 0;
    op.session = slice_of(options->session);
    if (options->session)
      registered->session =
          uvow__intern(&client->sessions, options->session) & 0x1FFF;
    op.traceparent = slice_of(options->traceparent);
  }
  rc = uvow__client_transmit(client, &op, registered);
  if (rc)
    uvow__dispatcher_fail(registered, rc);
  return f;
}

/* json as text, borrowed until dump_done: empty for NULL. Takes json. */
static int dump(uvow_client_t *client, struct json_t *json,
                uvow__slice_t *ret_text) {
  uvow__buf_t *text = &client->loop->params;
  int rc = 0;
  text->max = client->config.max_unsent_bytes;
  if (json)
    rc = uvow__json_dump(json, text);
  uvow__json_unref(json);
  *ret_text = text_in(text);
  return rc;
}

static void dump_done(uvow_client_t *client) {
  uvow__buf_clear(&client->loop->params, UVOW__READ_SIZE);
}

uvow_future_t *uvow_client_request(uvow_client_t *client, const char *method,
                                   struct json_t *params,
                                   const uvow_request_options_t *options) {
  uvow__slice_t text;
  if (!client) {
    uvow__json_unref(params);
    return NULL;
  }
  int rc = dump(client, params, &text);
  uvow_future_t *f =
      rc ? rejected(client, rc) : request(client, method, text, options, 1);
  dump_done(client);
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
  uvow__slice_t text;
  if (!client) {
    uvow__json_unref(params);
    return UVOW_EINVAL;
  }
  int rc = dump(client, params, &text);
  if (rc == 0)
    rc = notify(client, method, text);
  dump_done(client);
  return rc;
}

int uvow_client_notify_bytes(uvow_client_t *client, const char *method,
                             const char *params, size_t len) {
  uvow__slice_t text = {params, params ? len : 0};
  return client ? notify(client, method, text) : UVOW_EINVAL;
}
