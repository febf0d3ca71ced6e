/*
 * Payloads: JSON text that is checked or parsed only when someone asks.
 *
 * What its strings mean is kept beside the text, at the same places: so there's
 * one allocation, whoever asks for whichever of them how often.
 *
 * A request's payload lives in the tail of its future's block; as its type has
 * no ref, whoever keeps it keeps that future.
 */
#include "payload.h"

#include <assert.h>
#include <string.h>

#include "base/own.h"
#include "future/bytes.h"
#include "future/fail.h"
#include "future/misuse.h"
#include "wire/json.h"
#include "wire/json_check.h"
#include "wire/json_text.h"

static void destroy_cb(void *ptr) {
  uvow__payload_done((uvow__payload_t *)ptr);
}

const uvow_type_t uvow__type_payload = {
    sizeof(uvow_type_t), uvow__own_names.bytes, NULL, destroy_cb};

static void json_ref_cb(void *ptr) {
  uvow__json_ref((struct json_t *)ptr);
}

static void json_destroy_cb(void *ptr) {
  uvow__json_unref((struct json_t *)ptr);
}

const uvow_type_t uvow_type_json = {sizeof(uvow_type_t), uvow__own_names.json,
                                    json_ref_cb, json_destroy_cb};

static struct json_t **json_of(uvow__payload_t *payload) {
  return payload->seen & UVOW__PAYLOAD_HAS_TEXTS ? &payload->u.texts->json
                                                 : &payload->u.json;
}

#ifdef UVOW_DEBUG
/* What a result has as json_t by now, or NULL. */
static const struct json_t *tree_of(const uvow_result_t *result) {
  const uvow__bytes_t *bytes = uvow__value_bytes(&result->value);
  void *ptr = NULL;
  if (uvow_value_get_ptr(&result->value, &uvow_type_json, &ptr) == 0)
    return (const struct json_t *)ptr;
  if (bytes && !bytes->view)
    return NULL;
  uvow__payload_t *payload;
  return uvow__result_payload(result, &payload) ? NULL : *json_of(payload);
}

/* It is to be taken: who has it must own it, beside the result that lends it. */
static void check_taken(const struct json_t *json) {
  const uvow_result_t *lent = uvow__lent();
  const struct json_t *tree = lent && !lent->error ? tree_of(lent) : NULL;
  uvow__count_json(uvow__json_owners);
  if (!tree || !json || uvow__json_owners(json) != 1)
    return;
  if (lent->value.type == &uvow_type_json ? tree == json
                                          : uvow__json_holds(tree, json))
    uvow__misuse(
        "a json_t is given away that belongs to the result a callback was "
        "lent, which would be released twice: json_incref(json) makes it "
        "yours, uvow_next_pass() passes the result on");
}
#else
static inline void check_taken(const struct json_t *json) {
  (void)json;
}
#endif

uvow_value_t uvow_value_json(struct json_t *json) {
  check_taken(json);
  return json ? uvow_value_ptr(&uvow_type_json, json) : uvow_value_none();
}

uvow_next_t uvow_next_json(struct json_t *json) {
  if (!json)
    return uvow_next_code(UVOW_EPAYLOAD, NULL);
  return uvow_next_value(uvow_value_json(json));
}

int uvow__payload_init(uvow__payload_t *payload, uvow__cache_t *cache,
                       uvow__slice_t text) {
  payload->bytes = NULL;
  payload->u.json = NULL;
  payload->cache = cache;
  payload->len = 0;
  payload->where = UVOW__PAYLOAD_INSIDE;
  payload->seen = 0;
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

int uvow__payload_take(uvow__payload_t *payload, uvow__cache_t *cache,
                       uvow__slice_t text, uvow__buf_t *whole) {
  if (text.len < UVOW__PAYLOAD_LARGE || !whole || !is_most_of(text, whole))
    return uvow__payload_init(payload, cache, text);
  assert(whole->mem == cache->mem);
  payload->bytes = text.ptr;
  payload->u.json = NULL;
  payload->cache = cache;
  payload->len = text.len;
  payload->where = UVOW__PAYLOAD_TAKEN;
  payload->seen = 0;
  memcpy(payload->small, &whole->data, sizeof(whole->data));
  whole->data = NULL;
  whole->off = whole->len = whole->cap = 0;
  return 0;
}

static void free_taken(uvow__payload_t *payload) {
  void *block;
  memcpy(&block, payload->small, sizeof(block));
  uvow__free(payload->cache->mem, block);
}

static void free_seen(uvow__payload_t *payload) {
  uvow__json_unref(*json_of(payload));
  if (payload->seen & UVOW__PAYLOAD_HAS_TEXTS)
    uvow__cache_give(payload->cache, payload->u.texts,
                     sizeof(uvow__payload_texts_t) + payload->len);
  payload->seen &= UVOW__PAYLOAD_IS_NAMED;
  payload->u.json = NULL;
}

const char *uvow__payload_name(const uvow__payload_t *payload) {
  return payload->seen & UVOW__PAYLOAD_IS_NAMED ? payload->small + payload->len
                                                : NULL;
}

/* What was taken for one on the heap. */
static size_t heap_size(const uvow__payload_t *payload) {
  const char *name = uvow__payload_name(payload);
  return sizeof(*payload) + payload->len + (name ? strlen(name) + 1 : 0);
}

void uvow__payload_done(uvow__payload_t *payload) {
  if (payload->u.json)
    free_seen(payload);
  if (payload->where == UVOW__PAYLOAD_TAKEN)
    free_taken(payload);
  else if (payload->where == UVOW__PAYLOAD_OUTSIDE)
    uvow__cache_give(payload->cache, (char *)(uintptr_t)payload->bytes,
                     payload->len);
  else if (payload->where == UVOW__PAYLOAD_HEAP)
    uvow__cache_give(payload->cache, payload, heap_size(payload));
}

int uvow__payload_json(uvow__payload_t *payload, struct json_t **ret_json) {
  uvow__slice_t text = {payload->bytes, payload->len};
  struct json_t **json = json_of(payload);
  int rc = *json ? 0 : uvow__json_parse(text, json);
  if (rc == 0)
    *ret_json = *json;
  return rc;
}

int uvow__payload_check(uvow__payload_t *payload) {
  if (!(payload->seen & (UVOW__PAYLOAD_IS_JSON | UVOW__PAYLOAD_NO_JSON))) {
    uvow__slice_t text = {payload->bytes, payload->len};
    payload->seen |= uvow__json_check(text) == 0 ? UVOW__PAYLOAD_IS_JSON
                                                 : UVOW__PAYLOAD_NO_JSON;
  }
  return payload->seen & UVOW__PAYLOAD_IS_JSON ? 0 : UVOW_EPAYLOAD;
}

/* Room for what the strings mean. */
static int take_texts(uvow__payload_t *payload) {
  size_t size;
  if (uvow__size_add(sizeof(uvow__payload_texts_t), payload->len, &size))
    return UVOW_ENOMEM;
  uvow__payload_texts_t *texts =
      (uvow__payload_texts_t *)uvow__cache_take(payload->cache, size);
  if (!texts)
    return UVOW_ENOMEM;
  texts->json = payload->u.json;
  payload->u.texts = texts;
  payload->seen |= UVOW__PAYLOAD_HAS_TEXTS;
  return 0;
}

/* The same for one with escapes: into its own place, which has room. */
static int unescape(const uvow__payload_t *payload, uvow__slice_t raw, char *to,
                    size_t *ret_len) {
  uvow__buf_t place;
  uvow__buf_init(&place, payload->cache->mem, raw.len);
  place.data = (uint8_t *)to;
  place.cap = raw.len;
  if (uvow__json_unescape(&place, raw) ||
      memchr(to, '\0', uvow__buf_size(&place)))
    return UVOW_ETYPE;
  *ret_len = uvow__buf_size(&place);
  return 0;
}

int uvow__payload_text(uvow__payload_t *payload, uvow__slice_t raw,
                       uvow__slice_t *ret_text) {
  uvow__slice_t text;
  int rc = 0;
  if (raw.len < 2 || *raw.ptr != '"')
    return UVOW_ETYPE;
  if (!(payload->seen & UVOW__PAYLOAD_HAS_TEXTS))
    rc = take_texts(payload);
  if (rc)
    return rc;
  char *to = payload->u.texts->texts + (raw.ptr - payload->bytes);
  if (uvow__json_plain(raw, &text)) {
    if (text.len)
      memcpy(to, text.ptr, text.len);
  } else {
    rc = unescape(payload, raw, to, &text.len);
  }
  if (rc)
    return rc;
  to[text.len] = '\0';
  ret_text->ptr = to;
  ret_text->len = text.len;
  return 0;
}

/* What was read in bytes that are no payload: kept by them. */
typedef struct view {
  uvow__cache_t cache;
  uvow__payload_t payload;
} view_t;

static void free_view(void *ptr) {
  view_t *view = (view_t *)ptr;
  const uvow__mem_t *mem = view->cache.mem;
  uvow__payload_done(&view->payload);
  uvow__cache_done(&view->cache);
  uvow__free(mem, view);
}

static int view_of(uvow__bytes_t *bytes, uvow__payload_t **ret_payload) {
  uvow__slice_t none = {NULL, 0};
  view_t *view = (view_t *)bytes->view;
  if (!view) {
    view = (view_t *)uvow__malloc(&bytes->mem, sizeof(*view));
    if (!view)
      return UVOW_ENOMEM;
    uvow__cache_init(&view->cache, &bytes->mem);
    (void)uvow__payload_init(&view->payload, &view->cache, none);
    view->payload.bytes = bytes->ptr;
    view->payload.len = bytes->len;
    bytes->view = view;
    bytes->view_free = free_view;
  }
  *ret_payload = &view->payload;
  return 0;
}

int uvow__result_payload(const uvow_result_t *result,
                         uvow__payload_t **ret_payload) {
  void *ptr = NULL;
  if (result->error ||
      uvow_value_get_ptr(&result->value, &uvow_type_bytes, &ptr))
    return UVOW_ETYPE;
  uvow__bytes_t *bytes = uvow__value_bytes(&result->value);
  if (bytes)
    return view_of(bytes, ret_payload);
  *ret_payload = (uvow__payload_t *)ptr;
  return 0;
}

struct json_t *uvow_result_json(const uvow_result_t *result) {
  void *ptr = NULL;
  struct json_t *json = NULL;
  uvow__payload_t *payload;
  if (!result)
    return NULL;
  if (!result->error &&
      uvow_value_get_ptr(&result->value, &uvow_type_json, &ptr) == 0)
    return (struct json_t *)ptr;
  if (uvow__result_payload(result, &payload) ||
      uvow__payload_json(payload, &json))
    return NULL;
  return json;
}

uvow__payload_t *uvow__payload_new(uvow__cache_t *cache, size_t len) {
  size_t size;
  if (uvow__size_add(sizeof(uvow__payload_t), len, &size))
    return NULL;
  uvow__payload_t *payload = (uvow__payload_t *)uvow__cache_take(cache, size);
  if (!payload)
    return NULL;
  payload->u.json = NULL;
  payload->cache = cache;
  payload->len = len;
  payload->where = UVOW__PAYLOAD_HEAP;
  payload->seen = 0;
  payload->bytes = payload->small;
  return payload;
}

uvow__payload_t *uvow__payload_item(uvow__cache_t *cache, uvow__slice_t text,
                                    uvow__slice_t name) {
  size_t size;
  if (uvow__size_add(text.len, name.len, &size) ||
      uvow__size_add(size, name.ptr != NULL, &size))
    return NULL;
  uvow__payload_t *payload = uvow__payload_new(cache, size);
  if (!payload)
    return NULL;
  payload->len = text.len;
  if (!text.ptr)
    payload->bytes = NULL;
  if (text.len)
    memcpy(payload->small, text.ptr, text.len);
  if (!name.ptr)
    return payload;
  if (name.len)
    memcpy(payload->small + text.len, name.ptr, name.len);
  payload->small[text.len + name.len] = '\0';
  payload->seen = UVOW__PAYLOAD_IS_NAMED;
  return payload;
}

uvow_value_t uvow_value_bytes(uvow_loop_t *loop, const void *bytes,
                              size_t len) {
  uvow__payload_t *payload =
      loop && uvow__bytes_fit(loop, bytes, len)
          ? uvow__payload_new(&uvow__runtime_of(loop)->texts, len)
          : NULL;
  if (!payload)
    return uvow__value_failed(loop && (bytes || !len) ? UVOW_ENOMEM
                                                      : UVOW_EINVAL);
  if (len)
    memcpy(payload->small, bytes, len);
  return uvow_value_ptr(&uvow__type_payload, payload);
}

int uvow_result_is_binary(const uvow_result_t *result) {
  const uvow__bytes_t *bytes =
      result && !result->error ? uvow__value_bytes(&result->value) : NULL;
  return bytes && bytes->is_binary;
}

int uvow__value_is_checked(const uvow_value_t *value) {
  void *ptr;
  if (uvow_value_get_ptr(value, &uvow__type_params, &ptr) == 0)
    return 1;
  return uvow_value_get_ptr(value, &uvow__type_payload, &ptr) == 0 &&
         ((const uvow__payload_t *)ptr)->where != UVOW__PAYLOAD_HEAP;
}

static int write_value(const uvow_value_t *value, uvow__buf_t *out) {
  int64_t i64;
  double f64;
  const char *text;
  void *ptr;
  if (uvow_value_get_ptr(value, &uvow_type_json, &ptr) == 0)
    return uvow__json_dump((struct json_t *)ptr, out);
  if (uvow_value_get_int64(value, &i64) == 0)
    return uvow__buf_append_i64(out, i64);
  if (uvow_value_get_double(value, &f64) == 0)
    return uvow__json_dump_double(f64, out);
  if (uvow_value_get_text(value, &text) == 0 && text)
    return uvow__json_escape(out, (uvow__slice_t){text, strlen(text)});
  int fault = uvow__value_fault(value);
  return fault ? fault : UVOW_ETYPE; /* a type that has no text */
}

int uvow__value_text(const uvow_value_t *value, uvow__buf_t *out,
                     uvow__slice_t *ret_text) {
  *ret_text = (uvow__slice_t){NULL, 0};
  if (!value->type || (value->type != &uvow_type_text &&
                       uvow__value_slice(value, ret_text) == 0))
    return 0;
  int rc = write_value(value, out);
  if (rc == 0) {
    ret_text->ptr = (const char *)uvow__buf_front(out);
    ret_text->len = uvow__buf_size(out);
  }
  return rc;
}
