/* A call as it is kept: what its message says, and what a method sees of it. */
#include "call.h"

#include <string.h>

#include "base/own.h"
#include "callee.h"
#include "wire/json_text.h"
#include "wire/traceparent.h"
#include "within.h"

/* A value of its params: one owner more, or less, of the call's memory. */
static void hold_cb(void *ptr) {
  UVOW__CONTAINER(ptr, uvow_call_t, params)->refs++;
}

static void unhold_cb(void *ptr) {
  uvow__call_free(UVOW__CONTAINER(ptr, uvow_call_t, params));
}

const uvow_type_t uvow__type_params = {
    sizeof(uvow_type_t), uvow__own_names.bytes, hold_cb, unhold_cb};

void uvow__call_free(uvow_call_t *call) {
  if (--call->refs)
    return; /* its params are kept */
  uvow_methods_t *methods = call->methods;
  uvow__payload_done(&call->params);
  uvow__free(uvow__loop_mem(call->loop), call->outside);
  uvow__free(uvow__loop_mem(call->loop), call->session);
  uvow__free(uvow__loop_mem(call->loop), call->vars);
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

/* Few protocols have sessions. */
static int keep_session(uvow_call_t *call, uvow__slice_t raw) {
  uvow__slice_t text;
  uvow__buf_t unescaped;
  if (!raw.ptr)
    return 0;
  uvow__buf_init(&unescaped, uvow__loop_mem(call->loop), SIZE_MAX);
  int rc = uvow__session_text(raw, &unescaped, &text);
  if (rc == 0) {
    call->session =
        uvow__strndup(uvow__loop_mem(call->loop), text.ptr, text.len);
    rc = call->session ? 0 : UVOW_ENOMEM;
  }
  uvow__buf_done(&unescaped);
  return rc;
}

/* Who reads a message refuses names with a NUL: what is kept is a C string. */
static int keep_message(uvow_call_t *call, const uvow__msg_t *msg,
                        uvow__buf_t *whole) {
  static uvow__buf_t none;
  uvow__slice_t name;
  uvow__slice_t id = {NULL, 0};
  uvow__buf_t unescaped;
  if (msg->kind == UVOW__MSG_CALL)
    id = msg->raw_id;
  uvow__buf_init(&unescaped, uvow__loop_mem(call->loop), SIZE_MAX);
  int rc = uvow__session_text(msg->name, &unescaped, &name);
  if (rc == 0)
    rc = keep_texts(call, name, id);
  if (rc == 0)
    rc = uvow__payload_take(&call->params, &call->loop->rt.texts, msg->value,
                            whole ? whole : &none);
  if (rc == 0)
    rc = keep_session(call, msg->session);
  keep_traceparent(call, msg->traceparent);
  uvow__buf_done(&unescaped);
  return rc;
}

static int is_free(const void *block) {
  return ((const uvow_call_t *)block)->refs == 0;
}

static void init_calls(uvow_methods_t *methods) {
  uvow__pool_init(&methods->calls, uvow__loop_mem(methods->loop),
                  sizeof(uvow_call_t));
  uvow__pool_shrink(&methods->calls, &methods->loop->rt.tidy, is_free);
}

int uvow__call_new(uvow_methods_t *methods, const uvow__msg_t *msg,
                   uvow__buf_t *whole, uvow_call_t **ret_call) {
  if (!methods->calls.mem)
    init_calls(methods);
  uvow_call_t *call = (uvow_call_t *)uvow__pool_take(&methods->calls);
  if (!call)
    return UVOW_ENOMEM;
  memset(call, 0, offsetof(uvow_call_t, name_room));
  call->refs = 1;
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

int uvow__call_keep_vars(uvow_call_t *call, const uvow_protocol_t *protocol,
                         const uvow__msg_t *msg) {
  const uvow__mem_t *mem = uvow__loop_mem(call->loop);
  uvow__buf_t text;
  call->vars = uvow__session_vars_new(mem, protocol, msg);
  if (!call->vars)
    return UVOW_ENOMEM;
  if (!protocol->sessions[1])
    return 0;
  uvow__buf_init(&text, mem, SIZE_MAX);
  int rc = uvow__session_vars_text(call->vars, &text);
  if (rc == 0) {
    uvow__free(mem, call->session);
    call->session = uvow__strndup(mem, (const char *)uvow__buf_front(&text),
                                  uvow__buf_size(&text));
    rc = call->session ? 0 : UVOW_ENOMEM;
  }
  uvow__buf_done(&text);
  return rc;
}

void uvow__call_set_session(const uvow_call_t *call, uvow__op_t *op) {
  if (call->vars) {
    op->session_vars = call->vars->list;
    op->session_var_count = call->vars->count;
  } else if (call->session) {
    op->session = (uvow__slice_t){call->session, strlen(call->session)};
  }
}

const char *uvow_call_method(const uvow_call_t *call) {
  return call ? call->name : NULL;
}

const char *uvow_call_traceparent(const uvow_call_t *call) {
  return call && call->traceparent[0] ? call->traceparent : NULL;
}

const char *uvow_call_session(const uvow_call_t *call) {
  return call ? call->session : NULL;
}

uvow_loop_t *uvow_call_loop(const uvow_call_t *call) {
  return call ? call->loop : NULL;
}

int uvow_call_wants_answer(const uvow_call_t *call) {
  return call && call->id.ptr != NULL;
}

uvow_peer_t *uvow_call_peer(const uvow_call_t *call) {
  uvow_peer_t *peer =
      call && call->callee ? uvow__callee_peer(call->callee) : NULL;
  uvow__within_t *within = NULL;
  if (peer && peer->kin.parts && call->vars)
    within = uvow__within_find_vars(peer, call->vars);
  else if (peer && peer->kin.parts && call->session)
    within = uvow__within_find(
        peer, (uvow__slice_t){call->session, strlen(call->session)});
  return within ? &within->peer : peer;
}
