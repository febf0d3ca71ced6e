/* Values: reading them, and making errors for a loop. */
#include <uvow/value.h>

#include <string.h>

#include "base/options.h"
#include "base/own.h"
#include "base/text.h"
#include "future.h"

const uvow_type_t uvow_type_int64 = {sizeof(uvow_type_t), "int64", NULL, NULL};
const uvow_type_t uvow_type_double = {sizeof(uvow_type_t), "double", NULL,
                                      NULL};
const uvow_type_t uvow_type_text = {sizeof(uvow_type_t), "text", NULL, NULL};
const uvow_type_t uvow_type_raw = {sizeof(uvow_type_t), "raw", NULL, NULL};
const uvow_type_t uvow_type_slice = {sizeof(uvow_type_t), "slice", NULL, NULL};
const uvow_type_t uvow__type_failed = {0, "no value", NULL, NULL};

/* The value itself, where it's kept in another future, as none of the three
 * types above is: they own nothing. Never NULL. */
static const uvow_value_t *resolve(const uvow_value_t *value) {
  static const uvow_value_t none = {NULL, {NULL}};
  if (!value || !value->type)
    return &none;
  while (value->type == &uvow__type_shared)
    value = &((uvow_future_t *)value->as.ptr)->u.value;
  return value;
}

int uvow__value_fault(const uvow_value_t *value) {
  uvow_type_t own;
  if (!value->type)
    return 0;
  if (value->type == &uvow__type_failed)
    return (int)value->as.i64;
  if (value->type->size < sizeof(own))
    return UVOW_ETYPE;
  return uvow__options(value->type, &own, sizeof(own)) ? 0 : UVOW_ETYPE;
}

int uvow_value_get_int64(const uvow_value_t *value, int64_t *ret_i64) {
  if (!value || value->type != &uvow_type_int64)
    return UVOW_ETYPE;
  *ret_i64 = value->as.i64;
  return 0;
}

int uvow_value_get_double(const uvow_value_t *value, double *ret_f64) {
  if (!value || value->type != &uvow_type_double)
    return UVOW_ETYPE;
  *ret_f64 = value->as.f64;
  return 0;
}

int uvow_value_get_text(const uvow_value_t *value, const char **ret_text) {
  if (!value || value->type != &uvow_type_text)
    return UVOW_ETYPE;
  *ret_text = (const char *)value->as.ptr;
  return 0;
}

int uvow_value_get_ptr(const uvow_value_t *value, const uvow_type_t *type,
                       void **ret_ptr) {
  value = resolve(value);
  if (!type || (value->type != type && !(type == &uvow_type_bytes &&
                                         uvow__type_is_bytes(value->type))))
    return UVOW_ETYPE;
  *ret_ptr = value->as.ptr;
  return 0;
}

const char *uvow_value_type_name(const uvow_value_t *value) {
  value = resolve(value);
  return value->type ? value->type->name : "none";
}

void uvow_value_clear(uvow_value_t *value) {
  uvow_value_t old;
  if (!value)
    return;
  old = *value;
  *value = uvow_value_none();
  if (old.type && old.type->size >= sizeof(uvow_type_t) && old.type->destroy)
    old.type->destroy(old.as.ptr);
}

/* Without a loop there's no memory to take. */
static uvow_error_t *make(uvow_loop_t *loop, const uvow__error_spec_t *spec) {
  if (!loop)
    return uvow__error_nomem();
  return uvow__error_make(&uvow__runtime_of(loop)->mem, spec);
}

uvow_error_t *uvow_error_new(uvow_loop_t *loop, int code, const char *detail) {
  uvow__error_spec_t spec = {0};
  spec.code = code < 0 ? code : UVOW_EINVAL;
  spec.detail = uvow__slice_of(detail);
  return make(loop, &spec);
}

static void release_keeper(void *keeper) {
  uvow_future_unref((uvow_future_t *)keeper);
}

/* The value lives in a future, whose end tells it. */
uvow_error_t *uvow_error_new_value(uvow_loop_t *loop, int code,
                                   const char *detail, uvow_value_t value) {
  uvow__error_spec_t spec = {0};
  uvow_promise_t *promise;
  int valid = uvow__value_fault(&value) == 0;
  uvow_future_t *keeper = uvow_promise_new(loop, &promise);
  if (!keeper) {
    uvow_value_clear(&value); /* last: it is the application's */
    return uvow__error_nomem();
  }
  uvow_promise_fulfill(promise, valid ? value : uvow_value_none());
  spec.code = code < 0 ? code : UVOW_EINVAL;
  spec.detail = uvow__slice_of(detail);
  spec.value = valid && value.type ? &keeper->u.value : NULL;
  spec.keeper = keeper;
  spec.release = release_keeper;
  uvow_error_t *error = make(loop, &spec);
  if (error == uvow__error_nomem())
    uvow_future_unref(keeper);
  return error;
}

static uvow_error_t *make_peers(uvow_loop_t *loop, uvow__error_spec_t *spec,
                                const char *message, const char *data,
                                size_t data_len) {
  spec->code = UVOW_EREMOTE;
  spec->detail = spec->peer_message = uvow__slice_of(message);
  spec->data.ptr = data;
  spec->data.len = data ? data_len : 0;
  return make(loop, spec);
}

uvow_error_t *uvow_error_new_peer(uvow_loop_t *loop, int64_t peer_code,
                                  const char *message, const char *data,
                                  size_t data_len) {
  uvow__error_spec_t spec = {0};
  spec.peer_code = peer_code;
  return make_peers(loop, &spec, message, data, data_len);
}

uvow_error_t *uvow_error_new_peer_text(uvow_loop_t *loop, const char *peer_code,
                                       const char *message, const char *data,
                                       size_t data_len) {
  uvow__error_spec_t spec = {0};
  spec.peer_code_text = uvow__slice_of(peer_code);
  return make_peers(loop, &spec, message, data, data_len);
}
