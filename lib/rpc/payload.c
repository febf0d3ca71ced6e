/*
 * Payloads: JSON text that is parsed only when someone asks.
 *
 * A request's payload lives in the tail of its future's block; as its type has
 * no ref, whoever keeps it keeps that future.
 */
#include "payload.h"

#include <assert.h>
#include <string.h>

#include "wire/json.h"
#include "wire/json_text.h"

static void destroy_cb(void *ptr) {
  uvow__payload_done((uvow_payload_t *)ptr);
}

const uvow_type_t uvow_type_payload = {sizeof(uvow_type_t), "payload", NULL,
                                       destroy_cb};

static void json_ref_cb(void *ptr) {
  uvow__json_ref((struct json_t *)ptr);
}

static void json_destroy_cb(void *ptr) {
  uvow__json_unref((struct json_t *)ptr);
}

const uvow_type_t uvow_type_json = {sizeof(uvow_type_t), "json", json_ref_cb,
                                    json_destroy_cb};

uvow_value_t uvow_value_json(struct json_t *json) {
  return json ? uvow_value_ptr(&uvow_type_json, json) : uvow_value_none();
}

uvow_next_t uvow_next_json(struct json_t *json) {
  if (!json)
    return uvow_next_code(UVOW_EPAYLOAD, NULL);
  return uvow_next_value(uvow_value_json(json));
}

int uvow__payload_init(uvow_payload_t *payload, uvow__cache_t *cache,
                       uvow__slice_t text) {
  payload->bytes = NULL;
  payload->json = NULL;
  payload->cache = cache;
  payload->len = 0;
  payload->where = UVOW__PAYLOAD_INSIDE;
  if (!text.ptr)
    return 0;
  char *room = payload->small;
  if (text.len > sizeof(payload->small)) {
    room = (char *)uvow__cache_take(cache, text.len);
    if (!room)
      return UVOW_ENOMEM;
    payload->where = UVOW__PAYLOAD_OUTSIDE;
  }
  memcpy(room, text.ptr, text.len);
  payload->bytes = room;
  payload->len = text.len;
  return 0;
}

/* Whether the text is in it, and wastes less than it has. */
static int is_most_of(uvow__slice_t text, const uvow__buf_t *whole) {
  uintptr_t from = (uintptr_t)whole->data;
  uintptr_t at = (uintptr_t)text.ptr;
  return whole->data && at >= from && at - from <= whole->len &&
         text.len <= whole->len - (at - from) && text.len >= whole->cap / 2;
}

int uvow__payload_take(uvow_payload_t *payload, uvow__cache_t *cache,
                       uvow__slice_t text, uvow__buf_t *whole) {
  if (text.len < UVOW__PAYLOAD_LARGE || !is_most_of(text, whole))
    return uvow__payload_init(payload, cache, text);
  assert(whole->mem == cache->mem);
  payload->bytes = text.ptr;
  payload->json = NULL;
  payload->cache = cache;
  payload->len = text.len;
  payload->where = UVOW__PAYLOAD_TAKEN;
  memcpy(payload->small, &whole->data, sizeof(whole->data));
  whole->data = NULL;
  whole->off = whole->len = whole->cap = 0;
  return 0;
}

static void free_taken(uvow_payload_t *payload) {
  void *block;
  memcpy(&block, payload->small, sizeof(block));
  uvow__free(payload->cache->mem, block);
}

void uvow__payload_done(uvow_payload_t *payload) {
  uvow__json_unref(payload->json);
  payload->json = NULL;
  if (payload->where == UVOW__PAYLOAD_TAKEN)
    free_taken(payload);
  else if (payload->where == UVOW__PAYLOAD_OUTSIDE)
    uvow__cache_give(payload->cache, (char *)(uintptr_t)payload->bytes,
                     payload->len);
  else if (payload->where == UVOW__PAYLOAD_HEAP)
    uvow__cache_give(payload->cache, payload, sizeof(*payload) + payload->len);
}

const char *uvow_payload_bytes(const uvow_payload_t *payload, size_t *ret_len) {
  if (ret_len)
    *ret_len = payload ? payload->len : 0;
  return payload ? payload->bytes : NULL;
}

int uvow_payload_json(uvow_payload_t *payload, struct json_t **ret_json) {
  uvow__slice_t text;
  if (!payload || !ret_json)
    return UVOW_EINVAL;
  text.ptr = payload->bytes;
  text.len = payload->len;
  int rc = payload->json ? 0 : uvow__json_parse(text, &payload->json);
  if (rc == 0)
    *ret_json = payload->json;
  return rc;
}

uvow_payload_t *uvow_result_payload(const uvow_result_t *result) {
  void *ptr = NULL;
  if (result->error ||
      uvow_value_get_ptr(&result->value, &uvow_type_payload, &ptr))
    return NULL;
  return (uvow_payload_t *)ptr;
}

const char *uvow_result_bytes(const uvow_result_t *result, size_t *ret_len) {
  return uvow_payload_bytes(uvow_result_payload(result), ret_len);
}

struct json_t *uvow_result_json(const uvow_result_t *result) {
  void *ptr = NULL;
  struct json_t *json = NULL;
  if (!result->error &&
      uvow_value_get_ptr(&result->value, &uvow_type_json, &ptr) == 0)
    return (struct json_t *)ptr;
  return uvow_payload_json(uvow_result_payload(result), &json) ? NULL : json;
}

uvow_value_t uvow_value_bytes(uvow_loop_t *loop, const char *text, size_t len) {
  uvow__cache_t *cache = &uvow__runtime_of(loop)->texts;
  size_t size;
  if (uvow__size_add(sizeof(uvow_payload_t), len, &size))
    return uvow_value_none();
  uvow_payload_t *payload = (uvow_payload_t *)uvow__cache_take(cache, size);
  if (!payload)
    return uvow_value_none();
  payload->json = NULL;
  payload->cache = cache;
  payload->len = len;
  payload->where = UVOW__PAYLOAD_HEAP;
  payload->bytes = payload->small;
  if (len)
    memcpy(payload->small, text, len);
  return uvow_value_ptr(&uvow_type_payload, payload);
}

uvow_next_t uvow_next_bytes(uvow_loop_t *loop, const char *text, size_t len) {
  uvow_value_t value = uvow_value_bytes(loop, text, len);
  return value.type ? uvow_next_value(value)
                    : uvow_next_code(UVOW_ENOMEM, NULL);
}

static int payload_to_json(const uvow_payload_t *payload, uvow__buf_t *out) {
  if (payload->len == 0)
    return uvow__buf_append_text(out, "null");
  return uvow__buf_append(out, payload->bytes, payload->len);
}

int uvow__value_to_json(const uvow_value_t *value, uvow__buf_t *out) {
  int64_t i64;
  double f64;
  const char *text;
  void *ptr;
  if (!value->type)
    return uvow__buf_append_text(out, "null");
  if (uvow_value_get_ptr(value, &uvow_type_payload, &ptr) == 0)
    return payload_to_json((uvow_payload_t *)ptr, out);
  if (uvow_value_get_ptr(value, &uvow_type_json, &ptr) == 0)
    return uvow__json_dump((struct json_t *)ptr, out);
  if (uvow_value_get_int64(value, &i64) == 0)
    return uvow__buf_append_i64(out, i64);
  if (uvow_value_get_double(value, &f64) == 0)
    return uvow__json_dump_double(f64, out);
  if (uvow_value_get_text(value, &text) == 0)
    return uvow__json_escape(out, (uvow__slice_t){text, strlen(text)});
  return UVOW_ETYPE;
}
