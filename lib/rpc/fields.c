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
 */
#include "fields.h"

#include <string.h>

#include "future/bytes.h"
#include "wire/base64.h"
#include "wire/json_number.h"
#include "wire/json_pointer.h"

const uvow_type_t uvow__type_item = {sizeof(uvow_type_t), "json item", NULL,
                                     NULL};

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

const char *uvow_result_bytes(const uvow_result_t *result, size_t *ret_len) {
  const uvow_json_walk_t *walk = walk_of(result);
  const uvow__bytes_t *bytes =
      walk || result->error ? NULL : uvow__value_bytes(&result->value);
  if (!walk && !bytes)
    return uvow_payload_bytes(uvow_result_payload(result), ret_len);
  if (ret_len)
    *ret_len = walk ? walk->item.len : bytes->len;
  return walk ? walk->item.bytes : bytes->ptr;
}

int uvow__field_open(const uvow_result_t *result, uvow__field_t *ret) {
  if (!result)
    return UVOW_EINVAL;
  const uvow_json_walk_t *walk = walk_of(result);
  if (walk) {
    ret->payload = walk->payload;
    ret->raw = own(walk->item);
    return 0;
  }
  uvow_payload_t *payload = uvow_result_payload(result);
  if (!payload || !payload->bytes)
    return UVOW_ETYPE;
  ret->payload = payload;
  ret->raw.ptr = payload->bytes;
  ret->raw.len = payload->len;
  return uvow__payload_check(payload);
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
  return rc ? rc : uvow__json_to_i64(field.raw, ret_i64);
}

int uvow_result_get_double(const uvow_result_t *result, const char *pointer,
                           double *ret_f64) {
  uvow__field_t field;
  int rc = find(result, pointer, ret_f64, &field);
  return rc ? rc : uvow__json_to_double(field.raw, ret_f64);
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
  return rc ? rc : uvow__field_bool(&field, ret_bool);
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
  return rc ? rc : uvow__field_text(&field, ret_text);
}

int uvow_result_get_slice(const uvow_result_t *result, const char *pointer,
                          uvow_slice_t *ret_slice) {
  uvow__field_t field;
  int rc = find(result, pointer, ret_slice, &field);
  if (rc == 0)
    *ret_slice = lent(field.raw);
  return rc;
}

/* A payload of what this base64 means. */
static int decode(uvow__cache_t *cache, uvow__slice_t text,
                  uvow_value_t *ret_bytes) {
  size_t len = text.len / 4 * 3;
  if (text.len % 4 != 0)
    return UVOW_ETYPE;
  if (len && text.ptr[text.len - 1] == '=')
    len -= text.ptr[text.len - 2] == '=' ? 2 : 1;
  uvow_payload_t *payload = uvow__payload_new(cache, len);
  if (!payload)
    return UVOW_ENOMEM;
  size_t decoded = 0;
  if (uvow__base64_decode(text.ptr, text.len, (uint8_t *)payload->small, len,
                          &decoded)) {
    uvow__payload_done(payload);
    return UVOW_ETYPE;
  }
  *ret_bytes = uvow_value_ptr(&uvow_type_payload, payload);
  return 0;
}

int uvow_result_get_base64(const uvow_result_t *result, const char *pointer,
                           uvow_value_t *ret_bytes) {
  uvow__field_t field;
  uvow__slice_t text;
  int rc = find(result, pointer, ret_bytes, &field);
  if (rc == 0)
    rc = uvow__payload_text(field.payload, field.raw, &text);
  return rc ? rc : decode(field.payload->cache, text, ret_bytes);
}

uvow_json_walk_t uvow_result_walk(const uvow_result_t *result,
                                  const char *pointer) {
  uvow_json_walk_t walk;
  uvow__field_t field;
  memset(&walk, 0, sizeof(walk));
  if (find(result, pointer, &walk, &field))
    return walk;
  walk.loop = result->loop;
  walk.payload = field.payload;
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
