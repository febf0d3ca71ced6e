/* A call as it is kept: what its message says, and what a method sees of it. */
#include "call.h"

#include <string.h>

#include "callee.h"
#include "wire/json_text.h"
#include "wire/traceparent.h"

void uvow__call_free(uvow_call_t *call) {
  uvow_methods_t *methods = call->methods;
  uvow__payload_done(&call->params);
  uvow__free(uvow__loop_mem(call->loop), call->outside);
  uvow__pool_give(&methods->calls, call);
  uvow_methods_unref(methods);
}

/* Copies name and id: within, if they fit. */
static int keep_texts(uvow_call_t *call, uvow__slice_t name, uvow__slice_t id) {
  char *name_at = call->name_room;
  char *id_at = call->id_room;
  if (name.len >= sizeof(call->name_room) || id.len > sizeof(call->id_room)) {
    size_t size;
    if (uvow__size_add(name.len, id.len, &size) ||
        uvow__size_add(size, 1, &size))
      return UVOW_ENOMEM;
    call->outside = (char *)uvow__malloc(uvow__loop_mem(call->loop), size);
    if (!call->outside)
      return UVOW_ENOMEM;
    name_at = call->outside;
    id_at = name_at + name.len + 1;
    call->bytes += size;
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

static int keep_message(uvow_call_t *call, const uvow__msg_t *msg,
                        uvow__buf_t *whole) {
  static uvow__buf_t none;
  uvow__slice_t name = msg->name;
  uvow__slice_t id = {NULL, 0};
  uvow__buf_t unescaped;
  int rc = 0;
  if (msg->kind == UVOW__MSG_CALL)
    id = msg->raw_id;
  uvow__buf_init(&unescaped, uvow__loop_mem(call->loop), SIZE_MAX);
  if (name.ptr && !uvow__json_plain(msg->name, &name)) {
    rc = uvow__json_unescape(&unescaped, msg->name);
    name.ptr = (const char *)unescaped.data;
    name.len = uvow__buf_size(&unescaped);
    if (rc == 0 && name.len && memchr(name.ptr, '\0', name.len))
      rc = UVOW_EINVAL;
  }
  if (rc == 0)
    rc = keep_texts(call, name, id);
  if (rc == 0)
    rc = uvow__payload_take(&call->params, &call->loop->rt.texts, msg->value,
                            whole ? whole : &none);
  keep_traceparent(call, msg->traceparent);
  uvow__buf_done(&unescaped);
  return rc;
}

int uvow__call_new(uvow_methods_t *methods, const uvow__msg_t *msg,
                   uvow__buf_t *whole, uvow_call_t **ret_call) {
  if (!methods->calls.mem)
    uvow__pool_init(&methods->calls, uvow__loop_mem(methods->loop),
                    sizeof(uvow_call_t));
  uvow_call_t *call = (uvow_call_t *)uvow__pool_take(&methods->calls);
  if (!call)
    return UVOW_ENOMEM;
  memset(call, 0, offsetof(uvow_call_t, name_room));
  uvow__list_init(&call->link);
  call->methods = uvow_methods_ref(methods);
  call->loop = methods->loop;
  call->bytes = sizeof(*call) + msg->value.len;
  int rc = keep_message(call, msg, whole);
  if (rc)
    uvow__call_free(call);
  else
    *ret_call = call;
  return rc;
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

uvow_peer_t *uvow_call_peer(const uvow_call_t *call) {
  return call->callee ? uvow__callee_peer(call->callee) : NULL;
}
