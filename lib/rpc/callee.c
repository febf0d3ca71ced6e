/*
 * The callee: what the other end calls, and how it is answered.
 *
 *   begin -> run_call -> value, error ----------------------> answer
 *                     -> future -> run_answer, when settled -> answer
 *                     -> stream: serve.c -------------------> answer
 *   cancel -> run_canceled -> answer
 *   drop_calls -> run_dropped: no answer
 *
 * 1. A method runs as a task, never on the stack of what brought its call.
 * 2. What may call the application (a future that is given up, a value that is
 *    released) is the last act of a task, and nothing is touched after it.
 * 3. Every call that wants an answer gets one, as long as the peer is there:
 *    the method's, or one that says why there is none.
 * 4. Work is bounded in number and bytes; what is more is refused at once.
 */
#include "callee.h"

#include <string.h>

#include "base/text.h"
#include "future/misuse.h"
#include "future/stream.h"
#include "future/tell.h"
#include "serve.h"
#include "wire/message.h"

#define INDEX_MIN 64

void uvow__callee_init(uvow__callee_t *callee, uvow_loop_t *loop,
                       const uvow_protocol_t *protocol, uvow_methods_t *methods,
                       const uvow__callee_hooks_t *hooks) {
  uint8_t random[UVOW__PREFIX_RANDOM] = {0};
  memset(callee, 0, sizeof(*callee));
  callee->loop = loop;
  callee->protocol = protocol;
  if (protocol->ids.form == UVOW__IDS_RANDOM)
    (void)uvow__loop_random(loop, random, sizeof(random));
  uvow__dialect_init(&callee->dialect, uvow__loop_mem(loop), protocol, random);
  callee->methods = uvow_methods_ref(methods);
  callee->hooks = hooks;
  uvow__table_init(&callee->index, &loop->rt.plain);
  uvow__list_init(&callee->calls);
  uvow__list_init(&callee->stalled);
}

void uvow__callee_done(uvow__callee_t *callee) {
  uvow_methods_unref(callee->methods);
  uvow__callee_end_codec(callee);
  uvow__dialect_done(&callee->dialect);
  uvow__table_done(&callee->index);
  callee->methods = NULL;
  callee->protocol = NULL;
}

/* ---- calls by id: only once one is canceled ---- */

/* Which no peer can foresee. */
static uint64_t hash_id(const uvow__callee_t *callee, uvow__slice_t id) {
  return uvow__hash_text(callee->seed, id);
}

static int index_add(uvow__callee_t *callee, uvow_call_t *call) {
  return call->id.ptr ? uvow__table_add(&callee->index, &call->entry,
                                        hash_id(callee, call->id))
                      : 0;
}

static void index_remove(uvow__callee_t *callee, uvow_call_t *call) {
  if (callee->index.places && call->id.ptr)
    uvow__table_remove(&callee->index, &call->entry);
}

/* Of all calls, with the first that is canceled. UVOW_ENOMEM: none yet. */
static int index_all(uvow__callee_t *callee) {
  int rc = 0;
  if (callee->index.places)
    return 0;
  callee->seed = uvow__runtime_random(&callee->loop->rt);
  for (uvow__list_t *at = callee->calls.next; rc == 0 && at != &callee->calls;
       at = at->next)
    rc = index_add(callee, UVOW__CONTAINER(at, uvow_call_t, link));
  return rc;
}

/* The first from `at` on that has this id, or NULL. */
static uvow_call_t *with_id(uvow__entry_t *at, uvow__slice_t id) {
  for (; at; at = uvow__table_next(at)) {
    uvow_call_t *call = UVOW__CONTAINER(at, uvow_call_t, entry);
    if (call->id.len == id.len && memcmp(call->id.ptr, id.ptr, id.len) == 0)
      return call;
  }
  return NULL;
}

/* ---- answers ---- */

/* Out of its callee, which has forgotten nothing else of it. */
static void leave(uvow_call_t *call) {
  uvow__callee_t *callee = call->callee;
  index_remove(callee, call);
  uvow__list_remove(&call->link);
  callee->count--;
  callee->bytes -= call->bytes;
  if (callee->quota)
    callee->quota->used -= call->bytes;
  call->callee = NULL;
  uvow__batch_leave(call->batch);
  call->batch = NULL;
}

void uvow__callee_end_call(uvow_call_t *call) {
  uvow__callee_t *callee = call->callee;
  leave(call);
  uvow__call_free(call);
  if (callee->count == 0)
    callee->hooks->on_idle(callee);
}

void uvow__callee_speak(uvow__callee_t *callee) {
  if (uvow__dialect_is_coded(&callee->dialect) && !callee->dialect.is_ready)
    (void)uvow__codec_begin(callee->loop, &callee->dialect,
                            &callee->codec_state);
}

void uvow__callee_end_codec(uvow__callee_t *callee) {
  uvow__codec_state_t *state = callee->codec_state;
  callee->codec_state = NULL;
  callee->dialect.state = NULL;
  callee->dialect.is_ready = 0;
  uvow__dialect_end(&callee->dialect);
  uvow__codec_end(state);
}

int uvow__callee_write(uvow__callee_t *callee, uvow__op_t *op, uvow__buf_t *out,
                       int *ret_binary) {
  uvow__callee_speak(callee);
  const char *before = uvow__ask(&callee->loop->rt, "a codec's write");
  int rc = uvow__dialect_write(&callee->dialect, op, out, ret_binary);
  uvow__answered(&callee->loop->rt, before);
  return rc;
}

int uvow__callee_send(uvow__callee_t *callee, uvow__op_t *op) {
  uvow__buf_t *scratch = &callee->loop->scratch;
  uvow__splice_t splice = {{NULL, 0}, {NULL, 0}, 0, NULL};
  if (!callee->channel)
    return UVOW_ECLOSED;
  op->params_how |= UVOW__PARAMS_SPLICED;
  op->splice = &splice;
  int is_binary;
  int rc = uvow__callee_write(callee, op, scratch, &is_binary);
  if (rc == 0) {
    splice.text.ptr = (const char *)uvow__buf_front(scratch);
    splice.text.len = uvow__buf_size(scratch);
    rc = uvow__channel_send(
        callee->channel, is_binary ? UVOW__OP_BINARY : UVOW__OP_TEXT, &splice);
  }
  uvow__buf_clear(scratch, UVOW__READ_SIZE);
  if (rc == 0)
    callee->hooks->on_sent(callee, op->kind);
  return rc;
}

void uvow__callee_send_text(uvow__callee_t *callee,
                            const uvow__splice_t *text) {
  int rc = callee->channel
               ? uvow__channel_send(callee->channel, UVOW__OP_TEXT, text)
               : UVOW_ECLOSED;
  if (rc == 0)
    callee->hooks->on_sent(callee, UVOW__OP_NOTIFY);
  else if (rc != UVOW_ECLOSED)
    callee->hooks->on_failed(callee, rc);
}

static uvow__slice_t name_of(const uvow_call_t *call) {
  return (uvow__slice_t){call->name, call->name_len};
}

/* Returns why it can't be written, or 0: it was sent, or never will be. */
static int send_answer(uvow__callee_t *callee, uvow__batch_t *batch,
                       uvow__op_t *op) {
  int rc = batch ? uvow__batch_add(batch, op) : uvow__callee_send(callee, op);
  if (rc == UVOW_ECLOSED)
    return 0; /* nobody waits for it */
  if (rc != UVOW_EOVERLOAD)
    return rc;
  callee->hooks->on_failed(callee, rc); /* it does not read what it asks for */
  return 0;
}

/* Returns why it can't be written, or 0. */
static int refuse_in(uvow__callee_t *callee, uvow__batch_t *batch,
                     uvow__op_t *op, int64_t code, const char *message) {
  op->kind = UVOW__OP_REPLY_ERROR;
  op->error_code = code;
  op->error_message = uvow__slice_of(message);
  return uvow__protocol_can(callee->protocol, op->kind)
             ? send_answer(callee, batch, op)
             : 0;
}

void uvow__callee_refuse(uvow__callee_t *callee, uvow__slice_t raw_id,
                         int64_t code, const char *message) {
  uvow__op_t op = {0};
  op.raw_id = raw_id;
  /* No memory even for this: the peer would wait in vain. */
  if (refuse_in(callee, callee->batch, &op, code, message) == UVOW_ENOMEM)
    callee->hooks->on_failed(callee, UVOW_ENOMEM);
}

static void refuse_call(uvow_call_t *call, int64_t code, const char *message) {
  uvow__op_t op = {0};
  op.raw_id = call->id;
  op.method = name_of(call);
  uvow__call_set_session(call, &op);
  int rc = refuse_in(call->callee, call->batch, &op, code, message);
  if (rc) /* not even this can be written */
    call->callee->hooks->on_failed(call->callee, rc);
}

static void answer_error(uvow_call_t *call, const uvow_error_t *error) {
  uvow__op_t op = {0};
  op.kind = UVOW__OP_REPLY_ERROR;
  op.raw_id = call->id;
  op.method = name_of(call);
  uvow__call_set_session(call, &op);
  op.error_code = UVOW__INTERNAL_ERROR;
  op.error_message = uvow__slice_of(uvow_error_message(error));
  if (uvow_error_code(error) == UVOW_EREMOTE) {
    op.error_code = uvow_error_peer_code(error);
    op.error_code_text = uvow__slice_of(uvow_error_peer_code_text(error));
    op.error_data.ptr = uvow_error_data(error, &op.error_data.len);
  }
  int rc = send_answer(call->callee, call->batch, &op);
  if (rc) /* its message isn't UTF-8, its data not JSON */
    refuse_call(call, UVOW__INTERNAL_ERROR, uvow_strerror(rc));
}

/* The result as JSON text, which may be in `out`. Bytes that came as a payload
 * were checked then. */
static int set_result(uvow__op_t *op, const uvow_value_t *value,
                      uvow__buf_t *out) {
  if (uvow__value_is_checked(value))
    op->params_how = UVOW__PARAMS_CHECKED;
  int rc = uvow__value_text(value, out, &op->params);
  if (rc == 0 && op->params.len == 0)
    op->params = (uvow__slice_t){"null", 4};
  return rc;
}

static int send_end(uvow_call_t *call) {
  uvow__op_t end = {0};
  end.method = name_of(call);
  uvow__call_set_session(call, &end);
  end.kind = UVOW__OP_END;
  end.raw_id = call->id;
  return send_answer(call->callee, call->batch, &end);
}

int uvow__callee_end_parts(uvow_call_t *call) {
  const uvow_protocol_t *protocol = call->callee->protocol;
  return call->id.ptr && !uvow__protocol_can(protocol, UVOW__OP_REPLY) &&
         uvow__protocol_can(protocol, UVOW__OP_END) && send_end(call) == 0;
}

/* Where there's no reply, a value is a partial answer, and its end. */
static int send_reply(uvow_call_t *call, uvow__op_t *op) {
  const uvow_protocol_t *protocol = call->callee->protocol;
  op->kind = UVOW__OP_REPLY;
  op->raw_id = call->id;
  op->method = name_of(call);
  uvow__call_set_session(call, op);
  if (uvow__protocol_can(protocol, UVOW__OP_REPLY) ||
      !uvow__protocol_can(protocol, UVOW__OP_PARTIAL))
    return send_answer(call->callee, call->batch, op);
  op->kind = UVOW__OP_PARTIAL;
  int rc = send_answer(call->callee, call->batch, op);
  return rc ? rc : send_end(call);
}

static void answer_value(uvow_call_t *call, const uvow_value_t *value) {
  uvow__buf_t *result = &call->loop->params;
  uvow__op_t op;
  uvow__op_init(&op);
  result->max = SIZE_MAX;
  int rc = set_result(&op, value, result);
  if (rc == 0)
    rc = send_reply(call, &op);
  if (rc)
    refuse_call(call, UVOW__INTERNAL_ERROR, uvow_strerror(rc));
  uvow__buf_clear(result, UVOW__READ_SIZE);
}

int uvow__callee_send_value(uvow_call_t *call, uvow__op_t *op,
                            const uvow_value_t *value) {
  uvow__buf_t *text = &call->loop->params;
  text->max = SIZE_MAX;
  int rc = set_result(op, value, text);
  if (rc == 0)
    rc = send_answer(call->callee, NULL, op);
  uvow__buf_clear(text, UVOW__READ_SIZE);
  return rc;
}

void uvow__callee_answer(uvow_call_t *call, const uvow_value_t *value,
                         const uvow_error_t *error) {
  if (call->id.ptr && error)
    answer_error(call, error);
  else if (call->id.ptr)
    answer_value(call, value);
}

static void run_answer(uvow__task_t *task) {
  uvow_call_t *call = UVOW__CONTAINER(task, uvow_call_t, task);
  uvow_future_t *source = call->source;
  uvow_result_t result;
  uvow__future_result(source, &result);
  uvow__callee_answer(call, &result.value, result.error);
  uvow__callee_end_call(call);
  uvow_future_unref(source);
}

/* What the method returned is an error: takes it. */
static void answer_next_error(uvow_call_t *call, uvow_next_t *next) {
  uvow_error_t *error = next->kind == UVOW_NEXT_ERROR ? next->u.error : NULL;
  if (!error)
    error = uvow_error_new(
        call->loop, next->kind == UVOW_NEXT_CODE ? next->code : UVOW_EINVAL,
        next->kind == UVOW_NEXT_CODE ? next->u.text : NULL);
  uvow__callee_answer(call, NULL, error);
  uvow_error_unref(error);
}

static void answer_future(uvow_call_t *call, uvow_future_t *future) {
  if (!future || future->rt != &call->loop->rt) {
    if (call->id.ptr)
      refuse_call(call, UVOW__INTERNAL_ERROR,
                  uvow_strerror(future ? UVOW_EINVAL : UVOW_ENOMEM));
    uvow__callee_end_call(call);
    uvow_future_unref(future);
    return;
  }
  call->source = future;
  call->task.run = run_answer;
  uvow__future_watch(future, &call->task);
}

static void answer_next(uvow_call_t *call, uvow_next_t next) {
  uvow_value_t params = uvow_value_ptr(&uvow__type_params, &call->params);
  switch (next.kind) {
  case UVOW_NEXT_PASS:
    uvow__callee_answer(call, &params, NULL);
    uvow__callee_end_call(call);
    break;
  case UVOW_NEXT_VALUE:
    uvow__callee_answer(call, &next.u.value, NULL);
    uvow__callee_end_call(call);
    uvow_value_clear(&next.u.value);
    break;
  case UVOW_NEXT_FUTURE:
    answer_future(call, next.u.future);
    break;
  case UVOW_NEXT_STREAM:
    uvow__serve(call, next.u.stream);
    break;
  default:
    answer_next_error(call, &next);
    uvow__callee_end_call(call);
    break;
  }
}

/* ---- calls ---- */

static void run_call(uvow__task_t *task) {
  uvow_call_t *call = UVOW__CONTAINER(task, uvow_call_t, task);
  uvow__slice_t name = {call->name, call->name_len};
  const uvow__method_t *method = uvow__methods_find(call->methods, name);
  if (!method) {
    if (call->id.ptr)
      refuse_call(call, UVOW__METHOD_NOT_FOUND, "Method not found");
    uvow__callee_end_call(call);
    return;
  }
  uvow_result_t params = {0};
  params.loop = call->loop;
  params.value = uvow_value_ptr(&uvow__type_params, &call->params);
  call->refs++; /* the peer may go meanwhile */
  uvow__lend(&params);
  uvow_next_t next = method->cb(call, &params, method->data);
  uvow__lend(NULL);
  int is_under_way = call->callee != NULL;
  uvow__call_free(call);
  if (is_under_way) {
    answer_next(call, next);
    return;
  }
  uvow__next_drop(&next);
}

/* The peer has gone: nobody waits any more. */
static void run_dropped(uvow__task_t *task) {
  uvow_call_t *call = UVOW__CONTAINER(task, uvow_call_t, task);
  uvow_future_t *source = call->source;
  uvow__serve_leave(call);
  uvow__call_free(call);
  uvow__future_drop(source);
}

static void run_canceled(uvow__task_t *task) {
  uvow_call_t *call = UVOW__CONTAINER(task, uvow_call_t, task);
  uvow_future_t *source = call->source;
  uvow__serve_leave(call);
  if (!call->quiet && !call->replied)
    refuse_call(call, UVOW__CALL_CANCELED, "Request canceled");
  uvow__callee_end_call(call);
  uvow__future_drop(source);
}

/* An event that has yet to be told: nobody waits for what its method does. */
static int is_news(const uvow_call_t *call) {
  return !call->id.ptr && !call->source && !call->stream &&
         uvow__task_queued(&call->task);
}

void uvow__callee_drop_calls(uvow__callee_t *callee, int all) {
  uvow__list_t *next;
  for (uvow__list_t *at = callee->calls.next; at != &callee->calls; at = next) {
    uvow_call_t *call = UVOW__CONTAINER(at, uvow_call_t, link);
    next = at->next;
    if (!all && is_news(call))
      continue;
    leave(call);
    uvow__task_cancel(&call->task);
    call->task.run = run_dropped;
    if (call->stream)
      uvow__stream_unask(call->stream);
    if (call->source || call->stream)
      uvow__tell(&call->loop->rt, &call->task);
    else
      run_dropped(&call->task);
  }
}

static void cancel_one(uvow__callee_t *callee, uvow_call_t *call, int quiet) {
  if (call->source && call->source->state != UVOW_PENDING)
    return; /* its answer is on its way */
  if (call->task.run == run_canceled)
    return;
  call->quiet = quiet;
  uvow__task_cancel(&call->task);
  if (call->stream)
    uvow__stream_unask(call->stream);
  call->task.run = run_canceled;
  uvow__runtime_push(&callee->loop->rt, &call->task);
}

/* A peer that gave one id to several calls means all of them: it can't tell
 * their answers apart. Without memory for an index, nothing is found. */
static void cancel(uvow__callee_t *callee, uvow__slice_t raw_id, int quiet) {
  if (!raw_id.ptr || callee->count == 0 || index_all(callee))
    return;
  uvow_call_t *call = with_id(
      uvow__table_find(&callee->index, hash_id(callee, raw_id)), raw_id);
  while (call) {
    uvow_call_t *next = with_id(uvow__table_next(&call->entry), raw_id);
    cancel_one(callee, call, quiet);
    call = next;
  }
}

void uvow__callee_cancel(uvow__callee_t *callee, uvow__slice_t raw_id) {
  cancel(callee, raw_id, 0);
}

void uvow__callee_drop_call(uvow__callee_t *callee, uvow__slice_t raw_id) {
  cancel(callee, raw_id, 1);
}

/* Whether a call that waits for its answer has this id. */
static int is_twice(uvow__callee_t *callee, uvow__slice_t raw_id) {
  if (callee->count == 0 || index_all(callee))
    return 0;
  uvow_call_t *call = with_id(
      uvow__table_find(&callee->index, hash_id(callee, raw_id)), raw_id);
  while (call && call->task.run == run_canceled)
    call = with_id(uvow__table_next(&call->entry), raw_id);
  return call != NULL;
}

void uvow__callee_close(uvow__callee_t *callee, uint16_t code,
                        const char *why) {
  if (callee->close_code)
    return;
  callee->close_code = code;
  callee->close_why = why;
  callee->closing = 1;
  callee->hooks->on_failed(callee, UVOW_EPROTOCOL);
}

/* Whether all that share a quota hold too much for so many bytes more. */
static int is_above(const uvow__quota_t *quota, size_t size) {
  return quota && (size > quota->max || quota->used > quota->max - size);
}

/* Why there is no place for one more of this size, or 0. */
static int is_full(uvow__callee_t *callee, const uvow__msg_t *msg) {
  size_t size = msg->value.len + sizeof(uvow_call_t);
  if ((callee->closing && msg->kind == UVOW__MSG_CALL) || callee->unopened ||
      callee->count >= callee->max_calls || size > callee->max_bytes ||
      callee->bytes > callee->max_bytes - size || is_above(callee->quota, size))
    return UVOW_EOVERLOAD;
  if (callee->protocol->closes.twice && msg->kind == UVOW__MSG_CALL &&
      is_twice(callee, msg->raw_id))
    return UVOW_EALREADY;
  return 0;
}

/* Why there is no place for it. */
static const char *overload_text(const uvow__callee_t *callee, int rc) {
  if (callee->unopened)
    return "not open yet";
  return callee->closing ? "closing" : uvow_strerror(rc);
}

static void refuse(uvow__callee_t *callee, const uvow__msg_t *msg, int rc) {
  if (msg->kind != UVOW__MSG_CALL || callee->close_code)
    return;
  if (rc == UVOW_EALREADY)
    uvow__callee_close(callee, callee->protocol->closes.twice,
                       "two calls have one id");
  else if (callee->unopened && callee->early)
    uvow__callee_close(callee, callee->early, "it isn't let in yet");
  else
    uvow__callee_refuse(callee, msg->raw_id, UVOW__OVERLOADED,
                        overload_text(callee, rc));
}

int uvow__callee_begin(uvow__callee_t *callee, const uvow__msg_t *msg,
                       uvow__buf_t *whole) {
  uvow_call_t *call;
  if (!callee->methods) {
    uvow__callee_refuse(callee, msg->raw_id, UVOW__METHOD_NOT_FOUND,
                        "Method not found");
    return UVOW_EINVAL;
  }
  int rc = is_full(callee, msg);
  if (rc == 0)
    rc = uvow__call_new(callee->methods, msg, whole, &call);
  if (rc == 0 && uvow__session_is_named(callee->protocol) &&
      (msg->session.ptr || msg->session2.ptr)) {
    rc = uvow__call_keep_vars(call, callee->protocol, msg);
    if (rc)
      uvow__call_free(call);
  }
  if (rc) {
    refuse(callee, msg, rc);
    return rc;
  }
  call->callee = callee;
  if (callee->batch && call->id.ptr) {
    call->batch = callee->batch;
    callee->batch->owners++;
  }
  uvow__task_init(&call->task, run_call);
  uvow__list_append(&callee->calls, &call->link);
  callee->count++;
  callee->bytes += call->bytes;
  if (callee->quota)
    callee->quota->used += call->bytes;
  if (callee->index.places)
    (void)index_add(callee, call); /* only the first one of all can fail */
  uvow__runtime_push(&callee->loop->rt, &call->task);
  return 0;
}
