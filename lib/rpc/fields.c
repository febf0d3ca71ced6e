/*
 * Fields of results: out of the bytes, without a tree.
 *
 *   getter -> find -> uvow__field_open   the payload, checked when first seen
 *                  -> uvow__json_find    the field's text
 *          -> what it means
 *
 * 1. A getter that fails leaves what it was given as it is.
 * 2. What is lent lies in the payload: in its bytes, or beside them. It's there
 *    as long as the result.
 * 3. An item of a walk is the walk itself, seen as a value: it owns nothing.
 * 4. A getter that fails says why, for uvow_loop_error: in static text, or as
 *    jansson says it of what isn't JSON.
 */
#include "fields.h"

#include <string.h>

#include "future/fail.h"
#include "net/loop.h"
#include "wire/base64.h"
#include "wire/json.h"
#include "wire/json_number.h"
#include "wire/json_pointer.h"

/* future/bytes.h: where its bytes are. */
_Static_assert(offsetof(uvow_json_walk_t, item) == sizeof(uvow_slice_t),
               "an item is a walk's second slice");

static const uvow_json_walk_t *walk_of(const uvow_result_t *result) {
  if (result->error || result->value.type != &uvow__type_item)
    return NULL;
  return (const uvow_json_walk_t *)result->value.as.ptr;
}

static uvow_slice_t lent(uvow__slice_t slice) {
  uvow_slice_t ret = {slice.ptr, slice.len};
  return ret;
}

static uvow__slice_t own(uvow_slice_t slice) {
  uvow__slice_t ret = {slice.bytes, slice.len};
  return ret;
}

int uvow__field_open(const uvow_result_t *result, uvow__field_t *ret) {
  if (!result)
    return UVOW_EINVAL;
  const uvow_json_walk_t *walk = walk_of(result);
  if (walk) {
    ret->payload = (uvow__payload_t *)walk->bytes;
    ret->raw = own(walk->item);
    return 0;
  }
  int rc = uvow__result_payload(result, &ret->payload);
  if (rc || !ret->payload->bytes)
    return rc ? rc : UVOW_ETYPE;
  ret->raw.ptr = ret->payload->bytes;
  ret->raw.len = ret->payload->len;
  return uvow__payload_check(ret->payload);
}

/* What jansson says of the payload, and where. */
static int said_no_json(const uvow_result_t *result) {
  uvow__payload_t *payload;
  char text[250] = "the result isn't JSON: ";
  size_t len = strlen(text);
  uvow__error_spec_t spec = {0};
  if (uvow__result_payload(result, &payload) == 0)
    uvow__json_reason((uvow__slice_t){payload->bytes, payload->len}, text + len,
                      sizeof(text) - len);
  spec.code = UVOW_EPAYLOAD;
  spec.detail = (uvow__slice_t){text, strlen(text)};
  uvow__fail_error(result->loop,
                   uvow__error_make(uvow__loop_mem(result->loop), &spec));
  return UVOW_EPAYLOAD;
}

int uvow__field_said(const uvow_result_t *result, int rc, const char *what,
                     const char *expected) {
  if (rc == 0 || rc == UVOW_ENOMEM || !result)
    return rc;
  if (rc == UVOW_EPAYLOAD)
    return said_no_json(result);
  if (rc == UVOW_ETYPE && result->error)
    return uvow__fail(result->loop, rc, "the result", "is an error");
  return uvow__fail(result->loop, rc, what, expected);
}

/* What a getter returns. */
static int got(const uvow_result_t *result, int rc, const char *expected) {
  return uvow__field_said(result, rc, "pointer",
                          rc == UVOW_EINVAL ? "is no JSON Pointer" : expected);
}

static int find(const uvow_result_t *result, const char *pointer,
                const void *ret, uvow__field_t *ret_field) {
  if (!ret)
    return UVOW_EINVAL;
  int rc = uvow__field_open(result, ret_field);
  if (rc)
    return uvow__json_is_pointer(pointer) ? rc : UVOW_EINVAL;
  return uvow__json_find(ret_field->raw, pointer, &ret_field->raw);
}

int uvow_result_get_int64(const uvow_result_t *result, const char *pointer,
                          int64_t *ret_i64) {
  uvow__field_t field;
  int rc = find(result, pointer, ret_i64, &field);
  rc = rc ? rc : uvow__json_to_i64(field.raw, ret_i64);
  return got(result, rc, "leads to no integer of 64 bits");
}

int uvow_result_get_double(const uvow_result_t *result, const char *pointer,
                           double *ret_f64) {
  uvow__field_t field;
  int rc = find(result, pointer, ret_f64, &field);
  rc = rc ? rc : uvow__json_to_double(field.raw, ret_f64);
  return got(result, rc, "leads to no number");
}

int uvow__field_bool(const uvow__field_t *field, int *ret_bool) {
  if (*field->raw.ptr != 't' && *field->raw.ptr != 'f')
    return UVOW_ETYPE;
  *ret_bool = *field->raw.ptr == 't';
  return 0;
}

int uvow_result_get_bool(const uvow_result_t *result, const char *pointer,
                         int *ret_bool) {
  uvow__field_t field;
  int rc = find(result, pointer, ret_bool, &field);
  rc = rc ? rc : uvow__field_bool(&field, ret_bool);
  return got(result, rc, "leads to neither true nor false");
}

int uvow__field_text(const uvow__field_t *field, const char **ret_text) {
  uvow__slice_t text;
  int rc = uvow__payload_text(field->payload, field->raw, &text);
  if (rc == 0)
    *ret_text = text.ptr;
  return rc;
}

int uvow_result_get_text(const uvow_result_t *result, const char *pointer,
                         const char **ret_text) {
  uvow__field_t field;
  int rc = find(result, pointer, ret_text, &field);
  rc = rc ? rc : uvow__field_text(&field, ret_text);
  return got(result, rc, "leads to no string, or to one with U+0000");
}

int uvow_result_get_slice(const uvow_result_t *result, const char *pointer,
                          uvow_slice_t *ret_slice) {
  uvow__field_t field;
  int rc = find(result, pointer, ret_slice, &field);
  if (rc == 0)
    *ret_slice = lent(field.raw);
  return got(result, rc, "leads nowhere");
}

/* A payload of what this base64 means. */
static int decode(uvow__cache_t *cache, uvow__slice_t text,
                  uvow_value_t *ret_bytes) {
  size_t len = text.len / 4 * 3;
  if (text.len % 4 != 0)
    return UVOW_ETYPE;
  if (len && text.ptr[text.len - 1] == '=')
    len -= text.ptr[text.len - 2] == '=' ? 2 : 1;
  uvow__payload_t *payload = uvow__payload_new(cache, len);
  if (!payload)
    return UVOW_ENOMEM;
  size_t decoded = 0;
  if (uvow__base64_decode(text.ptr, text.len, (uint8_t *)payload->small, len,
                          &decoded)) {
    uvow__payload_done(payload);
    return UVOW_ETYPE;
  }
  *ret_bytes = uvow_value_ptr(&uvow__type_payload, payload);
  return 0;
}

int uvow_result_get_base64(const uvow_result_t *result, const char *pointer,
                           uvow_value_t *ret_bytes) {
  uvow__field_t field;
  uvow__slice_t text;
  int rc = find(result, pointer, ret_bytes, &field);
  if (rc == 0)
    rc = uvow__payload_text(field.payload, field.raw, &text);
  rc = rc ? rc : decode(field.payload->cache, text, ret_bytes);
  return got(result, rc, "leads to no string of base64");
}

uvow_json_walk_t uvow_result_walk(const uvow_result_t *result,
                                  const char *pointer) {
  uvow_json_walk_t walk;
  uvow__field_t field;
  memset(&walk, 0, sizeof(walk));
  if (find(result, pointer, &walk, &field))
    return walk;
  walk.loop = result->loop;
  walk.bytes = field.payload;
  walk.rest = lent(field.raw);
  if (*field.raw.ptr != '[' && *field.raw.ptr != '{')
    walk.rest.len = 0;
  return walk;
}

int uvow_json_walk_next(uvow_json_walk_t *walk, uvow_result_t *ret_item) {
  uvow__slice_t key, item;
  if (!walk || !ret_item || walk->rest.len == 0)
    return 0;
  uvow__json_items_t items = {walk->rest.bytes,
                              walk->rest.bytes + walk->rest.len};
  if (!uvow__json_items_next(&items, &key, &item)) {
    walk->rest.len = 0;
    return 0;
  }
  walk->rest.bytes = items.p;
  walk->rest.len = (size_t)(items.end - items.p);
  walk->key = lent(key);
  if (key.len >= 2) { /* without its quotes */
    walk->key.bytes++;
    walk->key.len -= 2;
  }
  walk->item = lent(item);
  ret_item->loop = walk->loop;
  ret_item->error = NULL;
  ret_item->value = uvow_value_ptr(&uvow__type_item, walk);
  ret_item->source = NULL;
  return 1;
}
