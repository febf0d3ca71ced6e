/*
 * The session: what is done about a message, whichever side one stands on.
 *
 *   channel -> message -> decode -> OK, ERROR -> dispatcher -> future
 *                      -> many -> each of them
 *                                -> CALL      -> callee -> method
 *                                -> PARTIAL   -> what its request says
 *                                -> EVENT     -> streams; callee, if a method
 *                                                has its name
 *                                -> FAULT     -> the request that it means
 *                                -> none of it: counted, on_stray
 *
 * 1. Nothing here calls the application.
 * 2. A message that can't be read, or is nobody's, is counted and shown; it
 *    ends nothing (R3).
 * 3. An answer counts only if this connection has carried its request: what was
 *    sent on an earlier one, or not at all, is no request that it can know.
 * 4. An error without an id rejects a request only if nothing else of ours can
 *    be meant; one about an array that we sent, each request of it. Messages are read in order: so an answer shows that all that was
 *    sent before its request has been read without such an error.
 *
 * When it reads: session_pace.c.
 */
#include "session.h"

#include <string.h>

#include "base/apart.h"
#include "notes.h"
#include "session_vars.h"
#include "wire/json_text.h"
#include "wire/message.h"

/* How many answers before its own a request is fetched to the caches. */
#define AHEAD 3
#define NOTED_FROM 32 /* answers, before what they look like is noted */

static void on_stall(uvow__deadline_t *deadline) {
  uvow__session_t *session = UVOW__CONTAINER(deadline, uvow__session_t, stall);
  session->callee.hooks->on_failed(&session->callee, UVOW_EOVERLOAD);
}

void uvow__session_init(uvow__session_t *session,
                        uvow__dispatcher_t *dispatcher,
                        const uvow__session_hooks_t *hooks) {
  session->dispatcher = dispatcher;
  session->hooks = hooks;
  uvow__histogram_init(&session->rtt, &dispatcher->rt->mem, 5);
  uvow__deadline_init(&session->stall, on_stall);
  uvow__partials_init(&session->partials, dispatcher->rt);
  uvow__events_init(&session->listeners, dispatcher->rt);
  uvow__subscriptions_init(&session->subscriptions, &dispatcher->rt->mem);
  uvow__pulse_init(&session->pulse, &session->callee, dispatcher);
}

void uvow__session_stray(uvow__session_t *session, uvow_stray_t kind,
                         uvow__slice_t bytes) {
  session->strays[kind]++;
  session->hooks->on_stray(session, kind, bytes, NULL);
}

/* ---- answers ---- */

/* A message that can't be read, if it may be a call. */
static void refuse(uvow__session_t *session, const uvow__msg_t *msg,
                   uvow__slice_t bytes) {
  if (!uvow__session_closes(session, msg, bytes) && msg->refusal)
    uvow__callee_refuse(&session->callee,
                        msg->raw_id.ptr ? msg->raw_id : UVOW__SLICE("null"),
                        msg->refusal_code, msg->refusal);
}

/* Why requests that wait now may get no answer; NULL: it is over. */
static void set_fault(uvow__session_t *session, const uvow_error_t *error) {
  uvow__dispatcher_t *d = session->dispatcher;
  if (d->cause == session->fault)
    d->cause = error;
  uvow_error_unref(session->fault);
  session->fault = uvow_error_ref(error);
}

void uvow__session_all_answered(uvow__session_t *session) {
  if (session->fault)
    set_fault(session, NULL);
  uvow__session_pace(session);
}

/* No request waits for it. */
static void stray_answer(uvow__session_t *session, const uvow__msg_t *msg,
                         uvow__slice_t bytes, int unknown) {
  uvow__dispatcher_t *d = session->dispatcher;
  if (!unknown && uvow__dispatcher_paid(d, msg->id))
    session->hooks->on_paid(session);
  uvow__session_stray(session,
                      unknown ? UVOW_STRAY_UNKNOWN
                              : uvow__dispatcher_classify(d, msg->id),
                      bytes);
  if (msg->kind == UVOW__MSG_MALFORMED && session->answers_faults)
    refuse(session, msg, bytes);
}

/* A request that was sent is answered. */
static inline void note_answer(uvow__session_t *session,
                               const uvow__request_t *request) {
  const uvow__dispatcher_t *d = session->dispatcher;
  uvow__histogram_add(&session->rtt,
                      uvow__runtime_now(d->rt) - request->sent_ns, 1);
  if (request->id >= session->unclear)
    session->unclear = 0;
}

/* What the application is told of has been. */
static inline void end_answer(uvow__session_t *session) {
  if (session->dispatcher->sent == 0) /* the peer owes us nothing any more */
    uvow__session_all_answered(session);
}

/* A result. */
static inline void answer_request(uvow__session_t *session,
                                  uvow__request_t *request, uvow__slice_t value,
                                  uvow__buf_t *whole) {
  static uvow__buf_t none;
  note_answer(session, request);
  uvow__dispatcher_fulfill(request, value, whole ? whole : &none);
  end_answer(session);
}

static void answer(uvow__session_t *session, const uvow__msg_t *msg,
                   uvow__slice_t bytes, uvow__buf_t *whole) {
  uvow__dispatcher_t *d = session->dispatcher;
  const uvow__mem_t *mem = &d->rt->mem;
  if (!msg->has_id) {
    uvow__session_stray(session, UVOW_STRAY_MALFORMED, bytes);
    if (msg->kind == UVOW__MSG_MALFORMED && session->answers_faults)
      refuse(session, msg, bytes);
    return;
  }
  uvow__request_t *request = uvow__dispatcher_find(d, msg->id);
  if (!request || !request->sent) {
    stray_answer(session, msg, bytes, request != NULL);
    return;
  }
  if (!msg->half && (msg->kind == UVOW__MSG_OK || msg->kind == UVOW__MSG_END)) {
    answer_request(session, request, msg->value, whole);
    return;
  }
  note_answer(session, request);
  if (msg->half) {
    uvow_error_t *error = msg->kind == UVOW__MSG_ERROR
                              ? uvow__session_remote(mem, msg, UVOW_ANSWERED)
                              : NULL;
    uvow__partials_half(&session->partials, request, msg->kind == UVOW__MSG_END,
                        msg->value, error);
  } else if (msg->kind == UVOW__MSG_ERROR) {
    uvow__dispatcher_reject(request,
                            uvow__session_remote(mem, msg, UVOW_ANSWERED));
  } else {
    session->strays[UVOW_STRAY_MALFORMED]++;
    uvow__dispatcher_reject(request, uvow__session_malformed(mem, msg, bytes));
  }
  end_answer(session);
}

/* One that looks as one before it did: mostly. Returns 0: it's to be read. */
static inline int answer_alike(uvow__session_t *session, uvow__slice_t text,
                               uvow__buf_t *whole) {
  uvow__slice_t value;
  uint64_t id;
  if (!session->answers || uvow__session_is_opening(session) ||
      !uvow__answers_read(session->answers, session->callee.dialect.protocol,
                          text, &id, &value))
    return 0;
  uvow__request_t *request = uvow__dispatcher_find(session->dispatcher, id);
  if (!request || !request->sent)
    return 0;
  session->like = UVOW__OP_REPLY;
  uvow__dispatcher_expect(session->dispatcher, id + AHEAD);
  answer_request(session, request, value, whole);
  return 1;
}

/* Once there were some: it takes memory. Without it each is read. */
UVOW__APART static void note_alike(uvow__session_t *session,
                                   uvow__slice_t text) {
  const uvow__mem_t *mem = &session->dispatcher->rt->mem;
  if (!session->answers && session->dispatcher->count.answered >= NOTED_FROM)
    session->answers =
        (uvow__answers_t *)uvow__calloc(mem, sizeof(*session->answers));
  if (session->answers)
    uvow__answers_note(session->answers, &session->callee.dialect, text);
}

/* A partial answer. Those that come behind the last are no duplicates of it:
 * who answers may have had them on the way. */
static void partial(uvow__session_t *session, const uvow__msg_t *msg,
                    uvow__slice_t bytes) {
  uvow__dispatcher_t *d = session->dispatcher;
  if (!msg->has_id) {
    uvow__session_stray(session, UVOW_STRAY_MALFORMED, bytes);
    return;
  }
  uvow__request_t *request = uvow__dispatcher_find(d, msg->id);
  if ((!request || request->sent) &&
      uvow__subscriptions_part(&session->subscriptions, msg->id, msg->value))
    return;
  if (!request || !request->sent) {
    uvow_stray_t kind =
        request ? UVOW_STRAY_UNKNOWN : uvow__dispatcher_classify(d, msg->id);
    if (kind != UVOW_STRAY_DUPLICATE)
      uvow__session_stray(session, kind, bytes);
    return;
  }
  if (!request->partials)
    return;
  uvow__partials_came(&session->partials, request, msg->value);
  if (d->sent == 0)
    uvow__session_all_answered(session);
}

/* Whether no more partial answers follow, to a subscription that was answered.
 */
static int is_part_end(uvow__session_t *session, const uvow__msg_t *msg) {
  const uvow__request_t *request =
      msg->has_id ? uvow__dispatcher_find(session->dispatcher, msg->id) : NULL;
  return msg->has_id && (!request || request->sent) &&
         uvow__subscriptions_part_end(&session->subscriptions, msg->id);
}

static inline void answer_ok(uvow__session_t *session, const uvow__msg_t *msg,
                             uvow__slice_t bytes, uvow__buf_t *whole) {
  session->like = UVOW__OP_REPLY;
  if (!whole) /* as short ones are */
    note_alike(session, bytes);
  answer(session, msg, bytes, whole);
}

/* Whether all that was sent is one array, and this isn't of the answers to one. */
static int is_of_array(const uvow__session_t *session) {
  const uvow__arrays_t *arrays = &session->arrays;
  const uvow__dispatcher_t *d = session->dispatcher;
  size_t count = 0;
  if (!arrays->first || session->callee.batch)
    return 0;
  for (uint64_t id = arrays->first; id <= arrays->last; id++) {
    const uvow__request_t *request = uvow__dispatcher_find(d, id);
    count += request && request->sent;
  }
  return count == d->sent;
}

/* Borrows the error. */
static void reject_array(uvow__session_t *session, uvow_error_t *error) {
  const uvow__arrays_t *arrays = &session->arrays;
  uvow__dispatcher_t *d = session->dispatcher;
  for (uint64_t id = arrays->first; id <= arrays->last; id++) {
    uvow__request_t *request = uvow__dispatcher_find(d, id);
    if (request && request->sent)
      uvow__dispatcher_reject(request, uvow_error_ref(error));
  }
  uvow__session_all_answered(session);
}

/* An error of the peer's that names no request (Q4). */
static void fault(uvow__session_t *session, const uvow__msg_t *msg,
                  uvow__slice_t bytes) {
  uvow__dispatcher_t *d = session->dispatcher;
  uvow_error_t *error =
      uvow__session_remote(&d->rt->mem, msg, UVOW_MAYBE_EXECUTED);
  if (d->sent == 1 && session->unclear == 0) {
    uvow__dispatcher_reject(uvow__dispatcher_only(d), error);
    uvow__session_all_answered(session);
    return;
  }
  if (d->sent > 1 && session->unclear == 0 && is_of_array(session)) {
    reject_array(session, error);
    uvow_error_unref(error);
    return;
  }
  session->strays[UVOW_STRAY_MALFORMED]++;
  session->hooks->on_stray(session, UVOW_STRAY_FAULT, bytes, error);
  if (d->sent && !d->cause)
    set_fault(session, error);
  uvow_error_unref(error);
}

/* ---- calls and events ---- */

/* Whether a method takes events of this name. It isn't looked for where nobody
 * wants to know. */
static int has_method(const uvow__session_t *session, const uvow__msg_t *msg,
                      int is_taken) {
  const uvow__callee_t *callee = &session->callee;
  uvow__slice_t name = {"", 0};
  uvow__buf_t buf;
  int has = callee->methods != NULL;
  if (!has || callee->methods->other ||
      (!is_taken &&
       !session->hooks->wants_strays((uvow__session_t *)(uintptr_t)session)))
    return has;
  uvow__buf_init(&buf, uvow__loop_mem(callee->loop), SIZE_MAX);
  has = uvow__session_text(msg->name, &buf, &name) == 0 &&
        uvow__methods_find(callee->methods, name) != NULL;
  uvow__buf_done(&buf);
  return has;
}

/* session2 is written only where sessions have names. */
static int is_in_session(const uvow__session_t *session,
                         const uvow__msg_t *msg) {
  return msg->session.ptr ||
         (uvow__session_is_named(session->callee.protocol) &&
          msg->session2.ptr);
}

static void event(uvow__session_t *session, const uvow__msg_t *msg,
                  uvow__slice_t bytes, uvow__buf_t *whole) {
  session->events++;
  session->like = UVOW__OP_EVENT;
  if (uvow__notes_take(session, msg))
    return;
  int taken = uvow__events_give(&session->listeners, msg, bytes);
  if (is_in_session(session, msg))
    taken |= session->hooks->on_session_event(session, msg, bytes);
  if (has_method(session, msg, taken) &&
      uvow__callee_begin(&session->callee, msg, whole) == 0)
    return;
  if (!taken)
    uvow__session_stray(session, UVOW_STRAY_EVENT, bytes);
}

/* ---- messages ---- */

/* What is to be answered before anything queued. */
static void control(uvow__session_t *session, const uvow__msg_t *msg,
                    int is_binary) {
  uvow__callee_t *callee = &session->callee;
  uvow__splice_t text = {msg->value, {NULL, 0}, 0, NULL};
  uvow__buf_t *scratch = &callee->loop->scratch;
  int rc = 0;
  if (msg->reply) {
    rc = uvow__protocol_control(callee->protocol, msg, scratch);
    text.text.ptr = (const char *)uvow__buf_front(scratch);
    text.text.len = uvow__buf_size(scratch);
  }
  if (rc == 0 && callee->channel && text.text.len &&
      uvow__channel_send(callee->channel,
                         is_binary ? UVOW__OP_BINARY : UVOW__OP_TEXT,
                         &text) == 0)
    callee->hooks->on_sent(callee, UVOW__OP_NOTIFY);
  uvow__buf_clear(scratch, UVOW__READ_SIZE);
}

static void unreadable(uvow__session_t *session, const uvow__msg_t *msg,
                       uvow__slice_t bytes) {
  uvow__session_stray(session, UVOW_STRAY_MALFORMED, bytes);
  if (session->answers_faults)
    refuse(session, msg, bytes);
}

/* Who answers may be told in the same words that nobody waits any more. */
static int is_ours(const uvow__session_t *session, const uvow__msg_t *msg) {
  return msg->has_id && uvow__dispatcher_find(session->dispatcher, msg->id);
}

static void handle(uvow__session_t *session, const uvow__msg_t *msg,
                   uvow__slice_t bytes, uvow__buf_t *whole) {
  switch (msg->kind) {
  case UVOW__MSG_END:
    if (is_part_end(session, msg))
      break;
    if (!is_ours(session, msg) && session->callee.count) {
      uvow__callee_drop_call(&session->callee, msg->raw_id);
      break;
    }
    answer(session, msg, bytes, whole);
    break;
  case UVOW__MSG_OK:
  case UVOW__MSG_ERROR:
  case UVOW__MSG_MALFORMED:
    answer(session, msg, bytes, whole);
    break;
  case UVOW__MSG_PARTIAL:
    partial(session, msg, bytes);
    break;
  case UVOW__MSG_EVENT:
    event(session, msg, bytes, whole);
    break;
  case UVOW__MSG_CALL:
    session->calls++;
    session->like = UVOW__OP_CALL;
    (void)uvow__callee_begin(&session->callee, msg, whole);
    break;
  case UVOW__MSG_CANCEL:
    uvow__callee_cancel(&session->callee, msg->raw_id);
    break;
  case UVOW__MSG_FAULT:
    fault(session, msg, bytes);
    break;
  case UVOW__MSG_BAD_CALL:
    uvow__session_stray(session, UVOW_STRAY_MALFORMED, bytes);
    refuse(session, msg, bytes);
    break;
  default: /* what is to be ignored */
    break;
  }
}

/* A message that may be many. */
typedef struct many {
  uvow_reader_t reader; /* first */
  uvow__session_t *session;
} many_t;

/* The answers to an array go into one. */
static void begin_batch(uvow__callee_t *callee) {
  callee->batch = uvow__batch_new(callee);
  if (!callee->batch)
    callee->hooks->on_failed(callee, UVOW_ENOMEM);
}

static void on_one(uvow_reader_t *reader, int rc, const uvow__msg_t *msg,
                   uvow__slice_t bytes) {
  uvow__session_t *session = ((many_t *)(void *)reader)->session;
  uvow__runtime_t *rt = session->dispatcher->rt;
  const char *before = uvow__ask(rt, NULL); /* it's ours again */
  if (reader->batch && !session->callee.batch)
    begin_batch(&session->callee);
  if (rc)
    unreadable(session, msg, bytes);
  else if (msg->kind == UVOW__MSG_CONTROL)
    control(session, msg, reader->is_binary);
  else
    handle(session, msg, bytes, NULL);
  uvow__answered(rt, before);
}

static void read_many(uvow__session_t *session, int is_binary,
                      uvow__slice_t bytes) {
  uvow__callee_t *callee = &session->callee;
  many_t many = {0};
  callee->dialect.strict = session->answers_faults;
  many.reader.dialect = &callee->dialect;
  many.reader.on_message = on_one;
  many.session = session;
  uvow__callee_speak(callee);
  const char *before = uvow__ask(&callee->loop->rt, "a codec's read");
  uvow__dialect_read(&many.reader, is_binary, bytes);
  uvow__answered(&callee->loop->rt, before);
  uvow__batch_t *batch = callee->batch;
  callee->batch = NULL;
  uvow__batch_leave(batch);
}

void uvow__session_message(uvow__session_t *session, int opcode,
                           const uint8_t *bytes, size_t len,
                           uvow__buf_t *whole) {
  const uvow__dialect_t *dialect = &session->callee.dialect;
  uvow__slice_t text = {(const char *)bytes, len};
  int is_binary = opcode != UVOW__OP_TEXT;
  uvow__msg_t msg;
  if (!is_binary && answer_alike(session, text, whole))
    return;
  if (uvow__session_is_opening(session) && !is_binary &&
      uvow__opening_message(session->opening, text))
    return;
  if (uvow__dialect_is_many(dialect, is_binary, text))
    read_many(session, is_binary, text);
  else if (uvow__protocol_decode_like(dialect->protocol, &dialect->ids,
                                      session->like, text.ptr, len, &msg))
    unreadable(session, &msg, text);
  else if (msg.kind == UVOW__MSG_OK) /* what comes most often */
    answer_ok(session, &msg, text, whole);
  else if (msg.kind == UVOW__MSG_CONTROL)
    control(session, &msg, 0);
  else
    handle(session, &msg, text, whole);
}

/* ---- opening ---- */

static uvow__session_t *opening_of(uvow__opening_t *opening) {
  return UVOW__CONTAINER(opening->callee, uvow__session_t, callee);
}

static void opened(uvow__session_t *session) {
  session->callee.unopened = 0;
  if (!session->is_server)
    uvow__pulse_start(&session->pulse);
  session->hooks->on_open(session);
}

static void on_opened(uvow__opening_t *opening) {
  opened(opening_of(opening));
}

static void on_unopened(uvow__opening_t *opening, uvow_error_t *error) {
  uvow__session_t *session = opening_of(opening);
  session->hooks->on_unopened(session, error);
}

static void on_ask(uvow__opening_t *opening) {
  uvow__session_t *session = opening_of(opening);
  if (opening->step == opening->step_count)
    session->callee.early = 0; /* the protocol has let it in */
  session->hooks->on_ask(session);
}

static const uvow__opening_hooks_t opening_hooks = {on_opened, on_ask,
                                                    on_unopened};

int uvow__session_prepare(uvow__session_t *session,
                          const uvow__opening_plan_t *plan,
                          const char **ret_missing) {
  const uvow_protocol_t *protocol = session->callee.protocol;
  const uvow__mem_t *mem = &session->dispatcher->rt->mem;
  int rc = UVOW_ENOMEM;
  *ret_missing = NULL;
  session->is_server = plan->is_server != 0;
  session->callee.dialect.accepted = session->is_server;
  if (!plan->vars && !plan->asks &&
      !(plan->is_server ? protocol->accept_count : protocol->step_count))
    return 0;
  session->opening =
      (uvow__opening_t *)uvow__calloc(mem, sizeof(*session->opening));
  if (session->opening)
    rc = uvow__opening_init(session->opening, &session->callee, plan,
                            &opening_hooks, ret_missing);
  if (rc) {
    uvow__free(mem, session->opening);
    session->opening = NULL;
  }
  session->unprepared = rc == UVOW_ENOMEM;
  return rc;
}

void uvow__session_open(uvow__session_t *session) {
  session->excess = 0;
  session->callee.unopened =
      session->is_server && uvow__session_has_steps(session);
  session->callee.early = session->callee.protocol->closes.early;
  if (session->unprepared)
    session->callee.hooks->on_failed(&session->callee, UVOW_ENOMEM);
  else if (session->opening)
    uvow__opening_start(session->opening);
  else
    opened(session);
}

void uvow__session_done(uvow__session_t *session) {
  uvow__partials_done(&session->partials);
  uvow__events_done(&session->listeners);
  uvow__subscriptions_done(&session->subscriptions);
  if (session->opening)
    uvow__opening_done(session->opening);
  uvow__free(&session->dispatcher->rt->mem, session->opening);
  session->opening = NULL;
  uvow__histogram_done(&session->rtt);
  uvow__free(&session->dispatcher->rt->mem, session->answers);
  session->answers = NULL;
  uvow_error_unref(session->fault);
  session->fault = NULL;
}

void uvow__session_stop(uvow__session_t *session) {
  session->callee.channel = NULL;
  uvow__pulse_stop(&session->pulse);
  if (session->opening)
    uvow__opening_stop(session->opening);
  uvow__callee_end_codec(&session->callee);
  session->paused = 0;
  session->unclear = 0;
  session->arrays.first = 0;
  if (session->answers)
    session->answers->protocol = NULL;
  if (session->fault)
    set_fault(session, NULL);
  uvow__wheel_disarm(&session->stall);
}
