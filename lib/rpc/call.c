/*
 * Calls: from a message to an answer.
 *
 *   message -> call (queued) -> method -> value, error ----------> answer
 *                                      -> future -> when settled -> answer
 *
 * 1. The method runs when the tasks drain, never on the socket's stack.
 * 2. A call whose peer has gone is given up: its future is canceled if nobody
 *    else waits for it. A method that drops its own peer (by freeing the
 *    server) finds its call alive until it returns.
 */
#include "server.h"

#include <string.h>

#include "wire/json_text.h"
#include "wire/traceparent.h"

/* JSON-RPC 2.0, section 5.1. */
enum {
  PARSE_ERROR = -32700,
  METHOD_NOT_FOUND = -32601,
  INTERNAL_ERROR = -32603,
  OVERLOADED = -32000
};

static uvow__slice_t slice_of(const char *text) {
  uvow__slice_t slice = {text, text ? strlen(text) : 0};
  return slice;
}

/* Out of its peer's list: nothing else refers to it. */
static void free_call(uvow_server_t *server, uvow_call_t *call) {
  uvow__payload_done(&call->params);
  uvow__free(uvow__loop_mem(server->loop), call->outside);
  uvow__pool_give(&server->calls, call);
}

static void end_call(uvow_call_t *call) {
  uvow__peer_t *peer = call->peer;
  uvow__list_remove(&call->link);
  peer->call_count--;
  free_call(peer->server, call);
}

void uvow__calls_drop(uvow__peer_t *peer) {
  while (!uvow__list_empty(&peer->calls)) {
    uvow_call_t *call = UVOW__CONTAINER(peer->calls.next, uvow_call_t, link);
    uvow_future_t *source = call->source;
    call->source = NULL;
    uvow__task_cancel(&call->task);
    if (call->running) {
      call->ended = 1;
      uvow__list_remove(&call->link);
    } else {
      end_call(call);
    }
    uvow__future_abandon(source);
  }
}

/* Returns why it can't be written, or 0. */
static int send_op(uvow__peer_t *peer, uvow__op_t *op) {
  uvow_server_t *server = peer->server;
  uvow__splice_t splice = {{NULL, 0}, {NULL, 0}, 0};
  op->params_how |= UVOW__PARAMS_SPLICED;
  op->splice = &splice;
  int rc = uvow__protocol_encode(server->protocol, op, &server->scratch);
  if (rc == 0)
    uvow__peer_send(peer, &splice);
  uvow__buf_clear(&server->scratch, UVOW__READ_SIZE);
  return rc;
}

static void send_error(uvow__peer_t *peer, uvow__slice_t raw_id, int64_t code,
                       const char *message) {
  uvow__op_t op = {0};
  op.kind = UVOW__OP_REPLY_ERROR;
  op.raw_id = raw_id;
  op.error_code = code;
  op.error_message = slice_of(message);
  /* No memory even for this: the peer would wait in vain. */
  if (send_op(peer, &op) == UVOW_ENOMEM)
    uvow__peer_doom(peer);
}

static void answer_error(uvow_call_t *call, const uvow_error_t *error) {
  uvow__op_t op = {0};
  op.kind = UVOW__OP_REPLY_ERROR;
  op.raw_id = call->id;
  op.error_code = INTERNAL_ERROR;
  op.error_message = slice_of(uvow_error_message(error));
  if (uvow_error_code(error) == UVOW_EREMOTE) {
    op.error_code = uvow_error_peer_code(error);
    op.error_data.ptr = uvow_error_data(error, &op.error_data.len);
  }
  int rc = send_op(call->peer, &op);
  if (rc) /* its message isn't UTF-8, its data not JSON */
    send_error(call->peer, call->id, INTERNAL_ERROR, uvow_strerror(rc));
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
  uvow_server_t *server = call->peer->server;
  uvow__op_t op = {0};
  int rc = set_result(&op, value, &server->result);
  if (rc == 0) {
    op.kind = UVOW__OP_REPLY;
    op.raw_id = call->id;
    rc = send_op(call->peer, &op);
  }
  if (rc)
    send_error(call->peer, call->id, INTERNAL_ERROR, uvow_strerror(rc));
  uvow__buf_clear(&server->result, UVOW__READ_SIZE);
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
  call->source = NULL;
  uvow__future_result(source, &result);
  answer(call, &result.value, result.error);
  end_call(call);
  uvow_future_unref(source);
}

/* What the method returned is an error: takes it. */
static void answer_next_error(uvow_call_t *call, uvow_next_t *next) {
  uvow_loop_t *loop = call->loop;
  uvow_error_t *error = next->kind == UVOW_NEXT_ERROR ? next->u.error : NULL;
  if (!error)
    error = uvow_error_new(
        loop, next->kind == UVOW_NEXT_CODE ? next->code : UVOW_EINVAL,
        next->kind == UVOW_NEXT_CODE ? next->u.text : NULL);
  answer(call, NULL, error);
  uvow_error_unref(error);
}

static void answer_future(uvow_call_t *call, uvow_future_t *future) {
  if (!future || future->rt != &call->loop->rt) {
    if (call->id.ptr)
      send_error(call->peer, call->id, INTERNAL_ERROR,
                 uvow_strerror(future ? UVOW_EINVAL : UVOW_ENOMEM));
    uvow_future_unref(future);
    end_call(call);
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
    break;
  case UVOW_NEXT_VALUE:
    answer(call, &next.u.value, NULL);
    uvow_value_clear(&next.u.value);
    break;
  case UVOW_NEXT_FUTURE:
    answer_future(call, next.u.future);
    return;
  default:
    answer_next_error(call, &next);
    break;
  }
  end_call(call);
}

static void run_call(uvow__task_t *task) {
  uvow_call_t *call = UVOW__CONTAINER(task, uvow_call_t, task);
  uvow_server_t *server = call->peer->server;
  uvow__slice_t name = {call->name, call->name_len};
  const uvow__method_t *method = uvow__methods_find(&server->methods, name);
  if (!method) {
    if (call->id.ptr)
      send_error(call->peer, call->id, METHOD_NOT_FOUND, "Method not found");
    end_call(call);
    return;
  }
  call->running = 1;
  server->busy++;
  uvow_next_t next = method->cb(call, method->data);
  call->running = 0;
  if (call->ended) {
    uvow__next_drop(&next);
    free_call(server, call);
  } else {
    answer_next(call, next);
  }
  uvow__server_idle(server);
}

/* Copies name and id: within, if they fit. */
static int keep_texts(uvow_call_t *call, const uvow__mem_t *mem,
                      uvow__slice_t name, uvow__slice_t id) {
  char *name_at = call->name_room;
  char *id_at = call->id_room;
  if (name.len >= sizeof(call->name_room) || id.len > sizeof(call->id_room)) {
    size_t size;
    if (uvow__size_add(name.len, id.len, &size) ||
        uvow__size_add(size, 1, &size))
      return UVOW_ENOMEM;
    call->outside = (char *)uvow__malloc(mem, size);
    if (!call->outside)
      return UVOW_ENOMEM;
    name_at = call->outside;
    id_at = name_at + name.len + 1;
  }
  if (name.len)
    memcpy(name_at, name.ptr, name.len);
  name_at[name.len] = '\0';
  call->name = name_at;
  call->name_len = name.len;
  if (id.ptr) {
    memcpy(id_at, id.ptr, id.len);
    call->id.ptr = id_at;
    call->id.len = id.len;
  }
  return 0;
}

/* One that isn't valid is as good as none (W3C Trace Context 4.3). */
static void keep_traceparent(uvow_call_t *call, uvow__slice_t raw) {
  uvow__slice_t text;
  call->traceparent[0] = '\0';
  if (!raw.ptr || !uvow__json_plain(raw, &text) ||
      !uvow__traceparent_valid(text))
    return;
  memcpy(call->traceparent, text.ptr, text.len);
  call->traceparent[text.len] = '\0';
}

static int keep_message(uvow_call_t *call, const uvow__mem_t *mem,
                        const uvow__msg_t *msg) {
  uvow__slice_t name = msg->name;
  uvow__slice_t id = {NULL, 0};
  uvow__buf_t unescaped;
  int rc = 0;
  if (msg->kind == UVOW__MSG_CALL)
    id = msg->raw_id;
  uvow__buf_init(&unescaped, mem, SIZE_MAX);
  if (name.ptr && !uvow__json_plain(msg->name, &name)) {
    rc = uvow__json_unescape(&unescaped, msg->name);
    name.ptr = (const char *)unescaped.data;
    name.len = uvow__buf_size(&unescaped);
  }
  if (rc == 0)
    rc = keep_texts(call, mem, name, id);
  if (rc == 0)
    rc = uvow__payload_take(&call->params, &call->loop->rt.texts, msg->value,
                            uvow__connection_whole(call->peer->connection));
  keep_traceparent(call, msg->traceparent);
  uvow__buf_done(&unescaped);
  return rc;
}

/* A call that holds what the message says, or an error. */
static int new_call(uvow__peer_t *peer, const uvow__msg_t *msg,
                    uvow_call_t **ret_call) {
  uvow_server_t *server = peer->server;
  if (peer->call_count >= server->max_calls)
    return UVOW_EOVERLOAD;
  uvow_call_t *call = (uvow_call_t *)uvow__pool_take(&server->calls);
  if (!call)
    return UVOW_ENOMEM;
  memset(call, 0, offsetof(uvow_call_t, name_room));
  call->peer = peer;
  call->loop = server->loop;
  uvow__task_init(&call->task, run_call);
  int rc = keep_message(call, uvow__loop_mem(server->loop), msg);
  if (rc)
    free_call(server, call);
  else
    *ret_call = call;
  return rc;
}

void uvow__call_begin(uvow__peer_t *peer, const uvow__msg_t *msg) {
  uvow_call_t *call;
  int rc = new_call(peer, msg, &call);
  if (rc == 0) {
    uvow__list_append(&peer->calls, &call->link);
    peer->call_count++;
    uvow__runtime_push(&peer->server->loop->rt, &call->task);
  } else if (msg->kind == UVOW__MSG_CALL) {
    send_error(peer, msg->raw_id, OVERLOADED, uvow_strerror(rc));
  }
}

void uvow__call_refuse(uvow__peer_t *peer, const uvow__msg_t *msg) {
  uvow__slice_t id = msg && msg->raw_id.ptr ? msg->raw_id : UVOW__SLICE("null");
  if (!msg)
    send_error(peer, id, PARSE_ERROR, "Parse error");
  else if (msg->refusal)
    send_error(peer, id, msg->refusal_code, msg->refusal);
}

const char *uvow_call_method(const uvow_call_t *call) {
  return call->name;
}

uvow_payload_t *uvow_call_params(const uvow_call_t *call) {
  return (uvow_payload_t *)(uintptr_t)&call->params;
}

struct json_t *uvow_call_json(const uvow_call_t *call) {
  struct json_t *json;
  return uvow_payload_json(uvow_call_params(call), &json) ? NULL : json;
}

const char *uvow_call_traceparent(const uvow_call_t *call) {
  return call->traceparent[0] ? call->traceparent : NULL;
}

uvow_loop_t *uvow_call_loop(const uvow_call_t *call) {
  return call->loop;
}

int uvow_call_wants_answer(const uvow_call_t *call) {
  return call->id.ptr != NULL;
}
