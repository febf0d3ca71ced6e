/*
 * The callee: what the other end calls, and how it is answered.
 *
 *   begin -> run_call -> value, error ----------------------> answer
 *                     -> future -> run_answer, when settled -> answer
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

#include "wire/message.h"

#define INDEX_MIN 64

static uvow__slice_t slice_of(const char *text) {
  uvow__slice_t slice = {text, text ? strlen(text) : 0};
  return slice;
}

void uvow__callee_init(uvow__callee_t *callee, uvow_loop_t *loop,
                       const uvow_protocol_t *protocol, uvow_methods_t *methods,
                       const uvow__callee_hooks_t *hooks) {
  memset(callee, 0, sizeof(*callee));
  callee->loop = loop;
  callee->protocol = protocol;
  callee->methods = uvow_methods_ref(methods);
  callee->hooks = hooks;
  uvow__list_init(&callee->calls);
}

void uvow__callee_done(uvow__callee_t *callee) {
  uvow_methods_unref(callee->methods);
  uvow__free(&callee->loop->rt.plain, callee->index);
  callee->methods = NULL;
  callee->index = NULL;
}

/* ---- calls by id: only once one is canceled ---- */

static uint32_t hash_id(uvow__slice_t id) {
  uint32_t h = UINT32_C(2166136261);
  for (size_t i = 0; i < id.len; i++)
    h = (h ^ (unsigned char)id.ptr[i]) * UINT32_C(16777619);
  return h;
}

static void index_add(uvow__callee_t *callee, uvow_call_t *call) {
  if (!call->id.ptr)
    return;
  call->hash = hash_id(call->id);
  uvow_call_t **place = &callee->index[call->hash & callee->index_mask];
  call->next = *place;
  *place = call;
}

static void index_remove(uvow__callee_t *callee, const uvow_call_t *call) {
  if (!callee->index || !call->id.ptr)
    return;
  uvow_call_t **at = &callee->index[call->hash & callee->index_mask];
  while (*at != call)
    at = &(*at)->next;
  *at = call->next;
}

/* Of all calls, for twice as many. Without memory the old one stays. */
static int index_grow(uvow__callee_t *callee) {
  size_t count = INDEX_MIN;
  size_t size;
  while (count < callee->count * 2)
    count *= 2;
  if (callee->index && count <= callee->index_mask + 1)
    return 0;
  if (uvow__size_mul(count, sizeof(uvow_call_t *), &size))
    return UVOW_ENOMEM;
  uvow_call_t **index =
      (uvow_call_t **)uvow__calloc(&callee->loop->rt.plain, size);
  if (!index)
    return UVOW_ENOMEM;
  uvow__free(&callee->loop->rt.plain, callee->index);
  callee->index = index;
  callee->index_mask = count - 1;
  for (uvow__list_t *at = callee->calls.next; at != &callee->calls;
       at = at->next)
    index_add(callee, UVOW__CONTAINER(at, uvow_call_t, link));
  return 0;
}

/* Without memory for an index, nothing is found. */
static uvow_call_t *find_call(uvow__callee_t *callee, uvow__slice_t id) {
  if (callee->count == 0 || index_grow(callee))
    return NULL;
  uint32_t hash = hash_id(id);
  uvow_call_t *call = callee->index[hash & callee->index_mask];
  while (call && (call->hash != hash || call->id.len != id.len ||
                  memcmp(call->id.ptr, id.ptr, id.len) != 0))
    call = call->next;
  return call;
}

/* ---- answers ---- */

/* Out of its callee, which has forgotten nothing else of it. */
static void leave(uvow_call_t *call) {
  uvow__callee_t *callee = call->callee;
  index_remove(callee, call);
  uvow__list_remove(&call->link);
  callee->count--;
  callee->bytes -= call->bytes;
  call->callee = NULL;
}

static void end_call(uvow_call_t *call) {
  uvow__callee_t *callee = call->callee;
  leave(call);
  uvow__call_free(call);
  if (callee->count == 0)
    callee->hooks->on_idle(callee);
}

int uvow__callee_send(uvow__callee_t *callee, uvow__op_t *op) {
  uvow__buf_t *scratch = &callee->loop->scratch;
  uvow__splice_t splice = {{NULL, 0}, {NULL, 0}, 0};
  if (!callee->channel)
    return UVOW_ECLOSED;
  op->params_how |= UVOW__PARAMS_SPLICED;
  op->splice = &splice;
  int rc = uvow__protocol_encode(callee->protocol, op, scratch);
  if (rc == 0) {
    splice.text.ptr = (const char *)uvow__buf_front(scratch);
    splice.text.len = uvow__buf_size(scratch);
    rc = uvow__channel_send(callee->channel, UVOW__OP_TEXT, &splice);
  }
  uvow__buf_clear(scratch, UVOW__READ_SIZE);
  if (rc == 0)
    callee->hooks->on_sent(callee);
  return rc;
}

void uvow__callee_send_text(uvow__callee_t *callee,
                            const uvow__splice_t *text) {
  int rc = callee->channel
               ? uvow__channel_send(callee->channel, UVOW__OP_TEXT, text)
               : UVOW_ECLOSED;
  if (rc == 0)
    callee->hooks->on_sent(callee);
  else if (rc != UVOW_ECLOSED)
    callee->hooks->on_failed(callee, rc);
}

/* Returns why it can't be written, or 0: it was sent, or never will be. */
static int send_answer(uvow__callee_t *callee, uvow__op_t *op) {
  int rc = uvow__callee_send(callee, op);
  if (rc == UVOW_ECLOSED)
    return 0; /* nobody waits for it */
  if (rc != UVOW_EOVERLOAD)
    return rc;
  callee->hooks->on_failed(callee, rc); /* it does not read what it asks for */
  return 0;
}

void uvow__callee_refuse(uvow__callee_t *callee, uvow__slice_t raw_id,
                         int64_t code, const char *message) {
  uvow__op_t op = {0};
  op.kind = UVOW__OP_REPLY_ERROR;
  op.raw_id = raw_id;
  op.error_code = code;
  op.error_message = slice_of(message);
  if (!uvow__protocol_can(callee->protocol, op.kind))
    return;
  /* No memory even for this: the peer would wait in vain. */
  if (send_answer(callee, &op) == UVOW_ENOMEM)
    callee->hooks->on_failed(callee, UVOW_ENOMEM);
}

static void answer_error(uvow_call_t *call, const uvow_error_t *error) {
  uvow__op_t op = {0};
  op.kind = UVOW__OP_REPLY_ERROR;
  op.raw_id = call->id;
  op.error_code = UVOW__INTERNAL_ERROR;
  op.error_message = slice_of(uvow_error_message(error));
  if (uvow_error_code(error) == UVOW_EREMOTE) {
    op.error_code = uvow_error_peer_code(error);
    op.error_data.ptr = uvow_error_data(error, &op.error_data.len);
  }
  int rc = send_answer(call->callee, &op);
  if (rc) /* its message isn't UTF-8, its data not JSON */
    uvow__callee_refuse(call->callee, call->id, UVOW__INTERNAL_ERROR,
                        uvow_strerror(rc));
}

/* A value as JSON text, which is in `result`. A payload is such a text, and
 * unless it's the user's own, it was checked when it came. */
static int set_result(uvow__op_t *op, const uvow_value_t *value,
                      uvow__buf_t *result) {
  void *ptr;
  if (value->type && uvow_value_get_ptr(value, &uvow_type_payload, &ptr) == 0) {
    const uvow_payload_t *payload = (uvow_payload_t *)ptr;
    op->params = (uvow__slice_t){payload->bytes, payload->len};
    if (payload->where != UVOW__PAYLOAD_HEAP)
      op->params_how = UVOW__PARAMS_CHECKED;
    if (payload->len)
      return 0;
  }
  int rc = uvow__value_to_json(value, result);
  op->params.ptr = (const char *)uvow__buf_front(result);
  op->params.len = uvow__buf_size(result);
  return rc;
}

static void answer_value(uvow_call_t *call, const uvow_value_t *value) {
  uvow__buf_t *result = &call->loop->params;
  uvow__op_t op = {0};
  result->max = SIZE_MAX;
  int rc = set_result(&op, value, result);
  if (rc == 0) {
    op.kind = UVOW__OP_REPLY;
    op.raw_id = call->id;
    rc = send_answer(call->callee, &op);
  }
  if (rc)
    uvow__callee_refuse(call->callee, call->id, UVOW__INTERNAL_ERROR,
                        uvow_strerror(rc));
  uvow__buf_clear(result, UVOW__READ_SIZE);
}

/* Answers, if anyone waits. */
static void answer(uvow_call_t *call, const uvow_value_t *value,
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
  answer(call, &result.value, result.error);
  end_call(call);
  uvow_future_unref(source);
}

/* What the method returned is an error: takes it. */
static void answer_next_error(uvow_call_t *call, uvow_next_t *next) {
  uvow_error_t *error = next->kind == UVOW_NEXT_ERROR ? next->u.error : NULL;
  if (!error)
    error = uvow_error_new(
        call->loop, next->kind == UVOW_NEXT_CODE ? next->code : UVOW_EINVAL,
        next->kind == UVOW_NEXT_CODE ? next->u.text : NULL);
  answer(call, NULL, error);
  uvow_error_unref(error);
}

static void answer_future(uvow_call_t *call, uvow_future_t *future) {
  if (!future || future->rt != &call->loop->rt) {
    if (call->id.ptr)
      uvow__callee_refuse(call->callee, call->id, UVOW__INTERNAL_ERROR,
                          uvow_strerror(future ? UVOW_EINVAL : UVOW_ENOMEM));
    end_call(call);
    uvow_future_unref(future);
    return;
  }
  call->source = future;
  call->task.run = run_answer;
  uvow__future_watch(future, &call->task);
}

static void answer_next(uvow_call_t *call, uvow_next_t next) {
  uvow_value_t params = uvow_value_ptr(&uvow_type_payload, &call->params);
  switch (next.kind) {
  case UVOW_NEXT_PASS:
    answer(call, &params, NULL);
    end_call(call);
    break;
  case UVOW_NEXT_VALUE:
    answer(call, &next.u.value, NULL);
    end_call(call);
    uvow_value_clear(&next.u.value);
    break;
  case UVOW_NEXT_FUTURE:
    answer_future(call, next.u.future);
    break;
  default:
    answer_next_error(call, &next);
    end_call(call);
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
      uvow__callee_refuse(call->callee, call->id, UVOW__METHOD_NOT_FOUND,
                          "Method not found");
    end_call(call);
    return;
  }
  call->running = 1;
  uvow_next_t next = method->cb(call, method->data);
  call->running = 0;
  if (call->callee) {
    answer_next(call, next);
    return;
  }
  uvow__call_free(call);
  uvow__next_drop(&next);
}

/* The peer has gone: nobody waits any more. */
static void run_dropped(uvow__task_t *task) {
  uvow_call_t *call = UVOW__CONTAINER(task, uvow_call_t, task);
  uvow_future_t *source = call->source;
  uvow__call_free(call);
  uvow__future_abandon(source);
}

static void run_canceled(uvow__task_t *task) {
  uvow_call_t *call = UVOW__CONTAINER(task, uvow_call_t, task);
  uvow_future_t *source = call->source;
  uvow__callee_refuse(call->callee, call->id, UVOW__CALL_CANCELED,
                      "Request canceled");
  end_call(call);
  uvow__future_abandon(source);
}

void uvow__callee_drop_calls(uvow__callee_t *callee) {
  while (!uvow__list_empty(&callee->calls)) {
    uvow_call_t *call = UVOW__CONTAINER(callee->calls.next, uvow_call_t, link);
    leave(call);
    if (call->running)
      continue; /* ends when the method returns */
    uvow__task_cancel(&call->task);
    call->task.run = run_dropped;
    if (call->source)
      uvow__later(call->loop, &call->task);
    else
      run_dropped(&call->task);
  }
}

void uvow__callee_cancel(uvow__callee_t *callee, uvow__slice_t raw_id) {
  uvow_call_t *call = raw_id.ptr ? find_call(callee, raw_id) : NULL;
  if (!call || (call->source && call->source->state != UVOW_PENDING))
    return; /* its answer is on its way */
  if (call->task.run == run_canceled)
    return;
  uvow__task_cancel(&call->task);
  call->task.run = run_canceled;
  uvow__runtime_push(&callee->loop->rt, &call->task);
}

/* Why there is no place for one more of this size, or 0. */
static int is_full(const uvow__callee_t *callee, const uvow__msg_t *msg) {
  size_t size = msg->value.len + sizeof(uvow_call_t);
  if (callee->closing || callee->count >= callee->max_calls ||
      size > callee->max_bytes || callee->bytes > callee->max_bytes - size)
    return UVOW_EOVERLOAD;
  return 0;
}

static void refuse(uvow__callee_t *callee, const uvow__msg_t *msg, int rc) {
  if (msg->kind != UVOW__MSG_CALL)
    return;
  if (rc == UVOW_EINVAL)
    uvow__callee_refuse(callee, msg->raw_id, UVOW__INVALID_REQUEST,
                        "Invalid Request");
  else
    uvow__callee_refuse(callee, msg->raw_id, UVOW__OVERLOADED,
                        callee->closing ? "closing" : uvow_strerror(rc));
}

void uvow__callee_begin(uvow__callee_t *callee, const uvow__msg_t *msg,
                        uvow__buf_t *whole) {
  uvow_call_t *call;
  if (!callee->methods) {
    if (msg->kind == UVOW__MSG_CALL)
      uvow__callee_refuse(callee, msg->raw_id, UVOW__METHOD_NOT_FOUND,
                          "Method not found");
    return;
  }
  int rc = is_full(callee, msg);
  if (rc == 0)
    rc = uvow__call_new(callee->methods, msg, whole, &call);
  if (rc) {
    refuse(callee, msg, rc);
    return;
  }
  call->callee = callee;
  uvow__task_init(&call->task, run_call);
  uvow__list_append(&callee->calls, &call->link);
  callee->count++;
  callee->bytes += call->bytes;
  if (callee->index)
    index_add(callee, call);
  uvow__runtime_push(&callee->loop->rt, &call->task);
}
