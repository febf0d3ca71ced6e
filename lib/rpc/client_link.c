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
 *    marked idempotent: that goes to the front of the backlog, max_resends
 * times at most, and never if a message of ours may be why. What was never sent
 *    stays there. Nothing else is ever sent again (R2).
 * 2. Pauses grow exponentially with full jitter; attempts, pauses and time are
 *    counted from when the last proven connection was lost (R7).
 * 3. Each end is judged once: when the peer's close frame comes, or, where none
 *    does, when the connection has gone. What was found is told with the state.
 * 4. A connection that has ended calls back no more: nothing of it can reach
 *    what the next one does.
 */
#include "client.h"

#include <string.h>

#include "failure.h"

#define NS_PER_MS 1000000u
#define PROOF_MS 5000 /* a connection that lives longer is a good one */

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
  uvow__client_session_use(client, NULL);
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
  if (client->dispatcher.live || client->notes || client->session.callee.count)
    return;
  uvow__wheel_disarm(&client->drain);
  uvow__connection_close(client->connection, 1000, "");
}

/* How requests are sent again, those that may be. */
typedef struct again {
  uvow__backlog_t backlog;
  uint32_t most; /* times */
} again_t;

/* An idempotent request whose connection was lost: it will be sent again. */
static int send_again(uvow__request_t *request, void *data) {
  again_t *again = (again_t *)data;
  uvow__slice_t text = {request->text->bytes, request->text->len};
  if (request->resent >= again->most)
    return UVOW_ELOST;
  return uvow__backlog_push(&again->backlog, request->id, text);
}

/* What was sent on the connection settles, or waits for the next one. */
static void requests_lost(uvow_client_t *client, const uvow_error_t *error) {
  uvow__error_spec_t spec;
  again_t again;
  spec_of_end(client, error, &spec);
  again.most = uvow__failure_may_be_ours(error)
                   ? 0
                   : client->config.reconnect.max_resends;
  uvow__backlog_init(&again.backlog, uvow__client_mem(client), SIZE_MAX);
  uvow__dispatcher_forgive(&client->dispatcher);
  uvow__dispatcher_lost(&client->dispatcher, &spec, send_again, &again);
  if (uvow__backlog_prepend(&client->backlog, &again.backlog)) {
    /* No memory: what waits there can't be sent, and must not hang. */
    spec.code = UVOW_ENOMEM;
    uvow__dispatcher_fail_all(&client->dispatcher, &spec);
  }
  uvow__backlog_done(&again.backlog);
  uvow__client_maybe_drained(client);
}

/* From now on this is why there is no connection; NULL: there is one. */
static void set_last(uvow_client_t *client, const uvow_error_t *error) {
  uvow_error_t *before = client->link.last;
  client->link.last = uvow_error_ref(error);
  client->dispatcher.cause = client->link.last;
  uvow_error_unref(before);
}

void uvow__client_stop_pause(uvow_client_t *client) {
  uvow__link_t *link = &client->link;
  uvow_future_t *renewal = link->renewal;
  uvow__task_cancel(&link->attempt);
  uvow__task_cancel(&link->renewed);
  link->renewal = NULL;
  if (link->pausing)
    uvow__runtime_unhold(&client->loop->rt, &link->pause);
  link->pausing = 0;
  uvow__wheel_disarm(&link->pause);
  uvow__future_abandon(renewal);
}

/* For how long attempts may still begin, ms. */
static uint64_t time_left(const uvow_client_t *client) {
  uint64_t total = client->config.reconnect.total_ms;
  uint64_t down =
      (uvow__runtime_now(&client->loop->rt) - client->link.down_since) /
      NS_PER_MS;
  if (total == 0)
    return UVOW__MS_MAX;
  return down < total ? total - down : 0;
}

static void start_pause(uvow_client_t *client) {
  uvow__runtime_t *rt = &client->loop->rt;
  uvow__link_t *link = &client->link;
  if (client->unheld) {
    uvow__runtime_arm(rt, &link->pause, link->pause_ms);
    return;
  }
  link->pausing = 1;
  uvow__runtime_hold(rt, &link->pause, link->pause_ms);
}

/* Whether the connection that ends has proven itself: by an answer, or by a
 * life that was longer than the pause before it can have been, and than 5 s. */
static int has_proven(const uvow_client_t *client) {
  const uvow__link_t *link = &client->link;
  uint64_t least = link->bound_ms > PROOF_MS ? link->bound_ms : PROOF_MS;
  if (!link->open_since)
    return 0;
  if (client->dispatcher.count.answered > link->answered)
    return 1;
  return uvow__runtime_now(&client->loop->rt) - link->open_since >
         least * NS_PER_MS;
}

/* Whether the failure ends the client: it can't get better. */
static int is_fatal(uvow_client_t *client, const uvow_error_t *error) {
  const uvow_reconnect_options_t *options = &client->config.reconnect;
  uvow__link_t *link = &client->link;
  if (!uvow__failure_is_fatal(error, options->fatal_4xxx))
    return 0;
  if (client->config.renew && !link->denied && uvow__failure_is_denial(error)) {
    link->denied = 1;
    return 0;
  }
  link->backoff.bound_ms = link->backoff.max_ms;
  link->bound_ms = link->pause_ms = link->backoff.max_ms;
  return options->after_fatal == UVOW_AFTER_FATAL_END ||
         (options->after_fatal == UVOW_AFTER_FATAL_DEFAULT && !link->proven);
}

/* Draws the pause before the next attempt. */
static void draw_pause(uvow_client_t *client, const uvow_error_t *error) {
  const uvow_reconnect_options_t *options = &client->config.reconnect;
  uvow__link_t *link = &client->link;
  uint64_t asked = uvow__failure_retry_after_ms(error);
  uint64_t left = time_left(client);
  uint64_t bound = link->backoff.bound_ms;
  if (link->pause_ms == 0) { /* it isn't the longest */
    link->bound_ms = bound;
    link->pause_ms = uvow__backoff_next(
        &link->backoff, uvow__runtime_random(&client->loop->rt));
  }
  /* And the jitter, or all who were told so would come at once. */
  link->pause_ms +=
      asked < options->max_retry_after_ms ? asked : options->max_retry_after_ms;
  if (link->pause_ms > left)
    link->pause_ms = left; /* the last attempt begins when the time is over */
}

/* What comes after this end, once for each. */
static void judge(uvow_client_t *client, const uvow_error_t *error) {
  const uvow_reconnect_options_t *options = &client->config.reconnect;
  uvow__link_t *link = &client->link;
  if (link->judged)
    return;
  link->judged = 1;
  if (has_proven(client)) {
    link->proven = 1;
    link->denied = 0;
    link->attempts = 0;
    link->down_since = uvow__runtime_now(&client->loop->rt);
    uvow__backoff_reset(&link->backoff);
  }
  set_last(client, error);
  link->pause_ms = 0;
  link->over =
      options->size == 0 || is_fatal(client, error) ||
      (options->max_attempts && link->attempts >= options->max_attempts) ||
      time_left(client) == 0;
  if (!link->over)
    draw_pause(client, error);
}

/* Whether another attempt follows. */
static int goes_on(const uvow_client_t *client) {
  return !client->link.over && !client->closing && !client->loop->rt.closed;
}

void uvow__client_lost(uvow_client_t *client, uvow_error_t *error) {
  client->connection = NULL;
  uvow__client_session_use(client, NULL);
  judge(client, error);
  if (!goes_on(client)) {
    uvow__client_end(client, error);
    return;
  }
  requests_lost(client, error);
  uvow__client_enter(client, UVOW_CLIENT_WAITING, error);
  start_pause(client);
  uvow_error_unref(error);
}

void uvow__client_lose(uvow_client_t *client, uvow_error_t *error) {
  uvow__connection_t *connection = client->connection;
  uvow__client_lost(client, error);
  if (connection)
    uvow__connection_abandon(connection);
}

static void on_open(void *ctx) {
  uvow_client_t *client = (uvow_client_t *)ctx;
  client->was_open = 1;
  client->link.open_since = uvow__runtime_now(&client->loop->rt);
  client->link.answered = client->dispatcher.count.answered;
  uvow__client_session_use(client, client->connection);
  client->stats.connected++;
  set_last(client, NULL);
  if (client->unheld)
    uvow__connection_hold(client->connection, 0);
  if (!client->closing)
    uvow__client_enter(client, UVOW_CLIENT_OPEN, NULL);
  uvow__client_pump(client);
  uvow__gate_pass(&client->ready);
  uvow__client_maybe_close(client);
}

static void on_message(void *ctx, int opcode, const uint8_t *bytes, size_t len,
                       uvow__buf_t *whole) {
  uvow_client_t *client = (uvow_client_t *)ctx;
  if (client->config.trace.on_message)
    client->config.trace.on_message(client, (const char *)bytes, len,
                                    client->config.trace.data);
  uvow__session_message(&client->session, opcode, bytes, len, whole);
  if (client->closing || !uvow__backlog_empty(&client->backlog))
    uvow__client_pump_late(client);
}

/* No answer follows, though the stream may take its time to end (R2). */
static void on_peer_close(void *ctx, const uvow_error_t *why) {
  uvow_client_t *client = (uvow_client_t *)ctx;
  uvow__error_spec_t spec;
  judge(client, why);
  if (goes_on(client)) {
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
  uvow__client_lost((uvow_client_t *)ctx, error);
}

const uvow__connection_callbacks_t uvow__client_callbacks = {
    on_open, on_message, on_peer_close, on_writable, on_end};

static void on_pause_over(uvow__deadline_t *deadline) {
  uvow_client_t *client = UVOW__CONTAINER(deadline, uvow_client_t, link.pause);
  uvow__client_stop_pause(client);
  uvow__runtime_push(&client->loop->rt, &client->link.attempt);
}

void uvow__client_link_init(uvow_client_t *client) {
  const uvow_reconnect_options_t *options = &client->config.reconnect;
  uvow__link_t *link = &client->link;
  link->down_since = uvow__runtime_now(&client->loop->rt);
  uvow__deadline_init(&link->pause, on_pause_over);
  uvow__client_attempt_init(client);
  uvow__backoff_init(&link->backoff, options->base_ms, options->max_ms);
}
