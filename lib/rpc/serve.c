/*
 * Streams as answers: what a method returns item by item.
 *
 *   READING --an item--> sent: PARTIAL, or else an event of the method's name;
 *                           with the caller's token, where the protocol has them
 *      ^                   |
 *      +--- little unsent -+- much is unsent --> STALLED --resume--> READING
 *   READING --the end--> the answer
 *
 * 1. Its reader is the call's own task, which is in one list at most: the
 *    stream's, the queue, or the callee's stalled ones.
 * 2. While it is stalled nothing is read, so the stream fills up, and its source
 *    waits, as of any slow reader: a peer that doesn't read costs STALL_BYTES
 *    and what its streams may hold.
 * 3. One item a task: other calls, and other peers, have their turn in between.
 */
#include "serve.h"

#include "base/text.h"
#include "future/stream.h"
#include "wire/json_pointer.h"

/* Unsent bytes of a peer above which its streams aren't read. Far below what
 * pauses reading (R14): a stream stops nobody's calls. */
#define STALL_BYTES ((size_t)64 * 1024)

void uvow__serve_leave(uvow_call_t *call) {
  uvow_stream_t *stream = call->stream;
  call->stream = NULL;
  uvow__stream_leave(stream);
}

/* Takes the error. */
static void fail(uvow_call_t *call, uvow_error_t *error) {
  if (!call->replied)
    uvow__callee_answer(call, NULL, error);
  uvow_error_unref(error);
  uvow__serve_leave(call);
  uvow__callee_end_call(call);
}

static void end(uvow_call_t *call) {
  uvow_stream_t *stream = call->stream;
  uvow_result_t result;
  uvow__future_result(stream->end, &result);
  if (!call->replied &&
      (result.error || result.value.type || !uvow__callee_end_parts(call)))
    uvow__callee_answer(call, &result.value, result.error);
  uvow__stream_read(stream);
  uvow__serve_leave(call);
  uvow__callee_end_call(call);
}

/* Whether a partial answer needs one. A description may have said it otherwise.
 */
static int has_tokens(const uvow_protocol_t *protocol) {
  return protocol->notes && protocol->templates[UVOW__OP_PARTIAL].pieces ==
                                protocol->notes->partial;
}

/* Returns 0, or why it can't be sent. */
static int send_item(uvow_call_t *call, const uvow_value_t *value) {
  uvow__callee_t *callee = call->callee;
  uvow__op_t op = {0};
  if (!call->id.ptr || !uvow__dialect_wants_parts(&callee->dialect, call->id))
    return 0; /* nobody waits for what it says */
  op.kind = UVOW__OP_PARTIAL;
  uvow__call_set_session(call, &op);
  op.raw_id = has_tokens(callee->protocol) ? call->token : call->id;
  if (!op.raw_id.ptr || !uvow__protocol_can(callee->protocol, op.kind)) {
    op.kind = uvow__protocol_can(callee->protocol, UVOW__OP_EVENT)
                  ? UVOW__OP_EVENT
                  : UVOW__OP_NOTIFY;
    op.method = (uvow__slice_t){call->name, call->name_len};
  }
  return uvow__callee_send_value(call, &op, value);
}

static int is_stalled(const uvow__callee_t *callee) {
  return callee->channel && uvow__channel_unsent(callee->channel) > STALL_BYTES;
}

static void go_on(uvow_call_t *call) {
  if (is_stalled(call->callee))
    uvow__list_append(&call->callee->stalled, &call->task.link);
  else
    uvow__stream_ask(call->stream);
}

static void run_serve(uvow__task_t *task) {
  uvow_call_t *call = UVOW__CONTAINER(task, uvow_call_t, task);
  uvow_stream_t *stream = call->stream;
  uvow__item_t item;
  int got = uvow__stream_take(stream, &item);
  if (got == UVOW__STREAM_END) {
    end(call);
    return;
  }
  if (got == UVOW__STREAM_NONE) {
    uvow__stream_ask(stream);
    return;
  }
  if (item.value.type == &uvow__type_error) {
    fail(call, (uvow_error_t *)item.value.as.ptr);
    return;
  }
  int rc = item.is_gap ? 0 : send_item(call, &item.value);
  uvow__value_release_later(&call->loop->rt, item.value);
  if (rc)
    fail(call, uvow__error_code(&call->loop->rt.mem, rc, UVOW_OUTCOME_NONE));
  else
    go_on(call);
}

/* By what its items are told from others', where the protocol has tokens for
 * that, and the caller has asked so. */
static uvow__slice_t token_of(const uvow_call_t *call) {
  const uvow__notes_t *notes = call->callee->protocol->notes;
  uvow__slice_t params = {call->params.bytes, call->params.len};
  uvow__slice_t token = {NULL, 0};
  if (!has_tokens(call->callee->protocol) || !params.ptr ||
      uvow__json_find(params, notes->asks_token, &token))
    return token;
  int is_id =
      *token.ptr == '"' || *token.ptr == '-' || uvow__is_digit(*token.ptr);
  return is_id ? token : (uvow__slice_t){NULL, 0};
}

void uvow__serve(uvow_call_t *call, uvow_stream_t *stream) {
  int rc = UVOW_ENOMEM;
  if (stream)
    rc = stream->rt == &call->loop->rt ? uvow__stream_claim(stream, &call->task)
                                       : UVOW_EINVAL;
  if (rc) {
    uvow_stream_unref(stream);
    fail(call, uvow__error_code(&call->loop->rt.mem, rc, UVOW_OUTCOME_NONE));
    return;
  }
  call->stream = stream;
  call->token = token_of(call);
  call->replied = call->callee->protocol->replies_first && call->id.ptr;
  if (call->replied) {
    uvow_value_t none = uvow_value_none();
    uvow__callee_answer(call, &none, NULL);
  }
  call->task.run = run_serve;
  go_on(call);
}

void uvow__serve_resume(uvow__callee_t *callee) {
  uvow__list_t stalled;
  uvow__list_init(&stalled);
  uvow__list_splice(&stalled, &callee->stalled);
  while (!uvow__list_empty(&stalled)) {
    uvow__task_t *task = UVOW__CONTAINER(stalled.next, uvow__task_t, link);
    uvow__list_remove(&task->link);
    uvow__runtime_push(&callee->loop->rt, task);
  }
}
