/* Payloads to json_t and back: the only file that knows jansson. */
#include "json.h"

#include <stdio.h>

#include <jansson.h>

#include <uvow/error.h>

int uvow__json_parse(uvow__slice_t text, struct json_t **ret_json) {
  json_error_t error;
  if (text.len == 0)
    return UVOW_EPAYLOAD;
  json_t *json =
      json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
  if (!json)
    return json_error_code(&error) == json_error_out_of_memory ? UVOW_ENOMEM
                                                               : UVOW_EPAYLOAD;
  *ret_json = json;
  return 0;
}

void uvow__json_reason(uvow__slice_t text, char *ret, size_t size) {
  json_error_t error;
  if (text.len == 0) {
    snprintf(ret, size, "there is no payload");
    return;
  }
  json_decref(
      json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error));
  snprintf(ret, size, "%s, in the payload's line %d, column %d (byte %d)",
           error.text, error.line, error.column, error.position);
}

typedef struct dump {
  uvow__buf_t *out;
  int rc;
} dump_t;

static int dump_cb(const char *bytes, size_t len, void *data) {
  dump_t *dump = (dump_t *)data;
  dump->rc = uvow__buf_append(dump->out, bytes, len);
  return dump->rc ? -1 : 0;
}

int uvow__json_dump(struct json_t *json, uvow__buf_t *out) {
  dump_t dump = {out, 0};
  size_t before = uvow__buf_size(out);
  if (json && json_dump_callback(json, dump_cb, &dump,
                                 JSON_COMPACT | JSON_ENCODE_ANY) == 0)
    return 0;
  out->len -= uvow__buf_size(out) - before;
  return dump.rc ? dump.rc : UVOW_EINVAL;
}

int uvow__json_dump_double(double number, uvow__buf_t *out) {
  json_t *json = json_real(number);
  int rc = uvow__json_dump(json, out);
  json_decref(json);
  return rc;
}

void uvow__json_ref(struct json_t *json) {
  json_incref(json);
}

void uvow__json_unref(struct json_t *json) {
  json_decref(json);
}

#ifdef UVOW_DEBUG
size_t uvow__json_owners(const void *json) {
  return ((const json_t *)json)->refcount;
}

/* As deep as jansson's own parser goes. */
int uvow__json_holds(const struct json_t *tree, const struct json_t *json) {
  json_t *own = (json_t *)(uintptr_t)tree; /* its walks take no const */
  int found = tree == json;
  const char *key;
  json_t *item;
  size_t i;
  json_object_foreach(own, key, item) {
    found |= uvow__json_holds(item, json);
  }
  json_array_foreach(own, i, item) {
    found |= uvow__json_holds(item, json);
  }
  return found;
}
#endif
