/*
 * What the model knows, what it expects of each message, and what must be true
 * after each step.
 *
 * The trace hooks tell when something happens within the client; what they say
 * is checked against what the server sees and what the futures bring.
 */
#include "streams.h"

#include <stdio.h>

static sim_t *sim_of(void *data) {
  return (sim_t *)data;
}

sim_request_t *sim_request_of(sim_t *s, uint64_t id) {
  return id && id < SIM_IDS ? s->by_id[id] : NULL;
}

static int is_in_flight(const sim_t *s, const sim_request_t *r) {
  return r->id && !r->settled && s->link && r->sent_on == s->link->number;
}

void sim_registered(sim_t *s, sim_request_t *request, uint64_t id) {
  if (id >= SIM_IDS || s->by_id[id] ||
      (request->role == SIM_WORK && id <= s->last_id))
    sim_fail(s, "id %llu after id %llu", (unsigned long long)id,
             (unsigned long long)s->last_id);
  request->id = id;
  if (s->last_id < id)
    s->last_id = id;
  s->by_id[id] = request;
  s->expect.requests++;
  s->live++;
}

/* Notices. */

void sim_expect_notice(sim_t *s, int kind, uint32_t code) {
  if (s->alloc_failed || !s->client)
    return;
  if (s->notice_count == SIM_NOTICES)
    sim_fail(s, "too many notices wait");
  size_t at = (s->notice_first + s->notice_count++) % SIM_NOTICES;
  s->notices[at].kind = kind;
  s->notices[at].code = code;
}

/* A change of state that the application itself causes, as it reacts to one
 * message, is told before the events and strays of the messages after that. */
static void bring_forward(sim_t *s, int kind) {
  size_t i = 0;
  sim_notice_t notice = s->notices[s->notice_first];
  while (kind == 3 && notice.kind != 3 && ++i < s->notice_count)
    notice = s->notices[(s->notice_first + i) % SIM_NOTICES];
  if (kind != 3 || notice.kind != 3)
    return;
  for (; i > 0; i--)
    s->notices[(s->notice_first + i) % SIM_NOTICES] =
        s->notices[(s->notice_first + i - 1) % SIM_NOTICES];
  s->notices[s->notice_first] = notice;
}

void sim_took_notice(sim_t *s, int kind, uint32_t code) {
  if (!s->client)
    sim_fail(s, "a callback of a client that was freed");
  if (s->alloc_failed)
    return;
  if (s->notice_count == 0)
    sim_fail(s, "the application is told %d:%u, and nothing happened", kind,
             code);
  bring_forward(s, kind);
  sim_notice_t *notice = &s->notices[s->notice_first];
  s->notice_first = (s->notice_first + 1) % SIM_NOTICES;
  s->notice_count--;
  /* Late or duplicate: either may be said of an id whose slot is taken. */
  if (notice->kind == 2 && notice->code == 0 && code <= UVOW_STRAY_DUPLICATE)
    return;
  if (notice->kind != kind || notice->code != code)
    sim_fail(s, "the application is told %d:%u, not %d:%u", kind, code,
             notice->kind, notice->code);
}

/* Hooks. */

/* FIFO: nobody who came earlier waits still; and what is made again, for
 * nobody. */
static void check_fair(sim_t *s, const sim_request_t *r) {
  for (uint64_t id = 1; id <= s->last_id; id++) {
    const sim_request_t *other = s->by_id[id];
    int first =
        other && (other->renewal ? !r->renewal : id < r->id && !r->renewal);
    if (first && !other->settled && other->sent_on != r->sent_on)
      sim_fail(s, "request %u overtakes request %u", r->nonce, other->nonce);
  }
}

/* One that is sent or settled and that nobody knew of. */
static sim_request_t *learn_of(sim_t *s, uint64_t id, const char *method) {
  sim_request_t *r =
      s->asking && !s->asking->id ? s->asking : sim_streams_own(s, method);
  if (!r)
    sim_fail(s, "a request of nobody's is called %s", method);
  sim_registered(s, r, id);
  return r;
}

static void adopt_one(const uvow_pending_t *pending, void *data) {
  sim_t *s = (sim_t *)data;
  if (!sim_request_of(s, pending->id))
    learn_of(s, pending->id, pending->method);
}

void sim_adopt(sim_t *s) {
  if (s->client && s->sub_count)
    uvow_peer_walk(s->client, adopt_one, s);
}

static void on_sent(const uvow_peer_t *client, uint64_t id, const char *method,
                    void *data) {
  sim_t *s = sim_of(data);
  sim_request_t *r = sim_request_of(s, id);
  (void)client;
  if (!r) { /* made this moment: its call has yet to return */
    sim_adopt(s);
    r = sim_request_of(s, id);
  }
  if (!r)
    r = learn_of(s, id, method);
  sim_trace(s, "sent %u (id %llu)", r->nonce, (unsigned long long)id);
  if (!r->sub && strcmp(method, "work") && !s->alloc_failed)
    sim_fail(s, "request %u is called %s", r->nonce, method);
  if (r->sub)
    sim_streams_sent(s, r);
  if (r->settled || !s->link || r->sent_on == s->link->number)
    sim_fail(s, "request %u is sent, and mustn't be", r->nonce);
  if (r->sent && !r->idempotent)
    sim_fail(s, "request %u is sent again", r->nonce);
  if (r->sent > (int)s->config.max_resends)
    sim_fail(s, "request %u is sent for the %dth time", r->nonce, r->sent + 1);
  s->expect.resent += r->sent > 0;
  r->sent++;
  r->sent_on = s->link->number;
  check_fair(s, r);
  if (++s->in_flight + s->owed > s->config.max_in_flight)
    sim_fail(s, "%zu requests are in flight, %zu are owed, %zu may be",
             s->in_flight, s->owed, s->config.max_in_flight);
}

/* R4: it has timed out, late; its answer hadn't come by then. */
static void check_not_there(sim_t *s, const sim_request_t *r) {
  const sim_link_t *link = s->link;
  uint64_t due = r->made_ns + (r->timeout_ms + 8) * (uint64_t)SIM_NS_PER_MS;
  if (s->now_ns < due || !link || !link->stream || !link->connected ||
      link->ended || s->state != UVOW_PEER_OPEN || r->sent_on != link->number)
    return;
  for (size_t i = link->message_read; i < link->message_count; i++)
    if (link->messages[i].id == r->id &&
        link->messages[i].what <= SIM_ANSWER_BAD)
      sim_fail(s, "request %u times out late, and its answer is there",
               r->nonce);
}

static void check_outcome(sim_t *s, const sim_request_t *r) {
  if (r->outcome == UVOW_NOT_SENT && (r->sent || r->executed))
    sim_fail(s, "request %u is NOT_SENT: sent %d times, executed %d times",
             r->nonce, r->sent, r->executed);
  if (r->outcome == UVOW_MAYBE_EXECUTED && !r->sent)
    sim_fail(s, "request %u is MAYBE_EXECUTED, and was never sent", r->nonce);
  if (r->outcome == UVOW_OUTCOME_NONE &&
      (!s->alloc_failed || r->code != UVOW_ENOMEM))
    sim_fail(s, "request %u failed without an outcome: %s", r->nonce,
             uvow_err_name(r->code));
  if (r->code == UVOW_ETIMEDOUT && !r->caused &&
      (!r->timeout_ms ||
       s->now_ns < r->made_ns + (uint64_t)r->timeout_ms * SIM_NS_PER_MS))
    sim_fail(s, "request %u timed out early", r->nonce);
  if (r->code == UVOW_ETIMEDOUT && !r->caused)
    check_not_there(s, r);
  if (r->code == UVOW_ECANCELED && !r->may_cancel &&
      !(r->sub && sim_streams_may_cancel(s, r)))
    sim_fail(s, "request %u was canceled by nobody", r->nonce);
}

/* The answer that is being read must settle its request, as it says. */
static void check_answered(sim_t *s, const sim_request_t *r) {
  int code = 0;
  if (s->answering != r)
    sim_fail(s, "request %u is answered: %s; by nothing", r->nonce,
             r->code ? uvow_err_name(r->code) : "a value");
  if (s->answer->what == SIM_ANSWER_ERROR)
    code = UVOW_EREMOTE;
  else if (s->answer->what == SIM_ANSWER_BAD)
    code = UVOW_EENVELOPE;
  if (r->code != code && !(s->alloc_failed && r->code == UVOW_ENOMEM))
    sim_fail(s, "request %u is answered with %d, not %d", r->nonce, r->code,
             code);
}

/* An error without an id is taken as this request's: nothing else can be meant,
 * as far as requests go. Then it's no stray. */
static void take_fault(sim_t *s, const sim_request_t *r, int was_in_flight) {
  if (!s->faulted || !was_in_flight || s->in_flight)
    sim_fail(s, "request %u has an error that names none", r->nonce);
  s->faulted = 0;
  s->expect.malformed--;
  if (s->notice_count)
    s->notice_count--;
}

static void on_settled(const uvow_peer_t *client, uint64_t id,
                       const char *method, const uvow_error_t *error,
                       void *data) {
  sim_t *s = sim_of(data);
  sim_request_t *r = sim_request_of(s, id);
  (void)client;
  if (!r)
    r = learn_of(s, id, method);
  if (r->settled)
    sim_fail(s, "request %u settles twice", r->nonce);
  int was_in_flight = is_in_flight(s, r);
  s->in_flight -= (size_t)was_in_flight;
  r->settled = 1;
  r->code = error ? uvow_error_code(error) : 0;
  r->outcome = error ? uvow_error_outcome(error) : UVOW_ANSWERED;
  /* A deadline of its own has a cause too, while there's no connection. */
  r->caused = uvow_error_cause(error) != NULL &&
              !strstr(uvow_error_message(error), "last failure");
  if ((r->code == UVOW_ECANCELED ||
       (r->code == UVOW_ETIMEDOUT && !r->caused)) &&
      s->config.send_cancel &&
      (s->config.protocol == SIM_JSONRPC2 || s->config.protocol == SIM_PARTS) &&
      s->state == UVOW_PEER_OPEN && r->sent)
    r->cancel_on = r->sent_on;
  if (was_in_flight && s->config.count_unanswered &&
      (r->code == UVOW_ECANCELED ||
       (r->code == UVOW_ETIMEDOUT && !r->caused))) {
    r->owed_on = s->link->number;
    s->owed++;
  }
  s->live--;
  sim_trace(s, "settled %u: %s, outcome %d", r->nonce,
            error ? uvow_err_name(r->code) : "a value", (int)r->outcome);
  check_outcome(s, r);
  if (r->code == UVOW_EREMOTE && r->outcome == UVOW_MAYBE_EXECUTED)
    take_fault(s, r, was_in_flight);
  if (r->outcome == UVOW_ANSWERED)
    check_answered(s, r);
  if (r->sub)
    sim_streams_settled(s, r);
  if (s->answering == r)
    s->answering = NULL;
  if (r->outcome == UVOW_ANSWERED)
    s->expect.answered++;
  else if (r->code == UVOW_ENOMEM)
    s->blurred++;
  else if (r->code == UVOW_ETIMEDOUT && !r->caused)
    s->expect.timed_out++;
  else if (r->code == UVOW_ECANCELED)
    s->expect.canceled++;
  else
    s->expect.failed++;
}

static void on_state(const uvow_peer_t *client, uvow_peer_state_t state,
                     void *data) {
  sim_t *s = sim_of(data);
  (void)client;
  sim_trace(s, "state %d", (int)state);
  if (state == s->state || s->state == UVOW_PEER_CLOSED ||
      (s->state == UVOW_PEER_CLOSING && state != UVOW_PEER_CLOSED))
    sim_fail(s, "state %d after state %d", (int)state, (int)s->state);
  if (s->state == UVOW_PEER_OPEN && !s->closing && !s->loop_closing)
    s->expect.lost++;
  if (state == UVOW_PEER_CLOSED && s->config.reconnect && !s->closing &&
      !s->loop_closing && s->config.max_attempts == 0)
    sim_fail(s, "the client gave up");
  s->state = state;
  s->expect.connected += state == UVOW_PEER_OPEN;
  sim_expect_notice(s, 3, (uint32_t)state);
}

void sim_expect_stray(sim_t *s, uint32_t kind) {
  uint64_t *counts[] = {&s->repeats,          &s->expect.late,
                        &s->expect.duplicate, &s->expect.unknown,
                        &s->expect.malformed, &s->expect.malformed};
  ++*counts[kind];
  sim_expect_notice(s, 2, kind);
}

/* An answer comes: to a request that waits for it on this connection, or to
 * nobody. */
static void expect_answer(sim_t *s, const sim_message_t *message) {
  sim_request_t *r = sim_request_of(s, message->id);
  if (r && s->link && r->owed_on == s->link->number) {
    r->owed_on = 0;
    s->owed--;
  }
  if (r && is_in_flight(s, r)) {
    s->answering = r;
    s->answer = message;
    s->expect.malformed += message->what == SIM_ANSWER_BAD;
  } else if (!r && message->id > s->last_id) {
    sim_expect_stray(s, UVOW_STRAY_UNKNOWN);
  } else if (r && !r->settled) {
    sim_expect_stray(s, UVOW_STRAY_UNKNOWN);
  } else if (!r || r->outcome != UVOW_ANSWERED) {
    sim_expect_stray(s, UVOW_STRAY_LATE);
  } else {
    /* The least ring has 64 slots: so long each remembers its id. */
    sim_expect_stray(s, s->last_id - r->id < 64 ? UVOW_STRAY_DUPLICATE : 0);
  }
}

static void on_message(const uvow_peer_t *client, uvow_slice_t text,
                       int is_outgoing, void *data) {
  sim_t *s = sim_of(data);
  sim_link_t *link = s->link;
  const char *bytes = text.bytes;
  size_t len = text.len;
  (void)client;
  if (is_outgoing)
    return;
  if (s->answering)
    sim_fail(s, "an answer to request %u did not settle it",
             s->answering->nonce);
  if (!link || link->message_read == link->message_count)
    sim_fail(s, "a message that nobody sent: %.*s", (int)len, bytes);
  const sim_message_t *message = &link->messages[link->message_read++];
  s->faulted = 0;
  sim_trace(s, "client reads %.100s", message->text);
  if (message->end > link->down.pos || message->len != len ||
      memcmp(message->text, bytes, len))
    sim_fail(s, "a message is another: %.*s", (int)len, bytes);
  if (message->what == SIM_EVENT) {
    s->expect.events++;
    sim_expect_notice(s, 1, message->nonce);
    sim_streams_read(s, message);
  } else if (message->what == SIM_TICK || message->what == SIM_PART) {
    sim_streams_read(s, message);
  } else if (message->what == SIM_STRAY) {
    s->faulted = s->config.protocol != SIM_CALLBACK_ID &&
                 strstr(message->text, "\"id\":null,\"error\"") != NULL;
    sim_expect_stray(s, s->faulted ? UVOW_STRAY_FAULT : UVOW_STRAY_MALFORMED);
  } else if (message->what != SIM_CALL) {
    expect_answer(s, message);
  }
}

void sim_trace_hooks(sim_t *s, uvow_trace_t *ret) {
  ret->size = sizeof(*ret);
  ret->data = s;
  ret->on_sent = on_sent;
  ret->on_settled = on_settled;
  ret->on_state = on_state;
  ret->on_message = on_message;
}
