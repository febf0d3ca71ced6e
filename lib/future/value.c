/* Values: reading them, and making errors for a loop. */
#include <uvow/value.h>

#include <string.h>

#include "future.h"

const uvow_type_t uvow_type_int64 = {sizeof(uvow_type_t), "int64", NULL, NULL};
const uvow_type_t uvow_type_double = {sizeof(uvow_type_t), "double", NULL,
                                      NULL};
const uvow_type_t uvow_type_text = {sizeof(uvow_type_t), "text", NULL, NULL};

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
  if (!type || value->type != type)
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
  if (old.type && old.type->size == sizeof(uvow_type_t) && old.type->destroy)
    old.type->destroy(old.as.ptr);
}

static uvow__slice_t slice_of(const char *text) {
  uvow__slice_t slice = {text, text ? strlen(text) : 0};
  return slice;
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
  spec.detail = slice_of(detail);
  return make(loop, &spec);
}

uvow_error_t *uvow_error_new_peer(uvow_loop_t *loop, int64_t peer_code,
                                  const char *message, const char *data,
                                  size_t data_len) {
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_EREMOTE;
  spec.detail = slice_of(message);
  spec.peer_code = peer_code;
  spec.peer_message = slice_of(message);
  spec.data.ptr = data;
  spec.data.len = data ? data_len : 0;
  return make(loop, &spec);
}
