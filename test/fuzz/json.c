/*
 * Any bytes as JSON, and as a pointer into it: what is JSON here is so for
 * jansson, unless its types can't hold it; what a pointer leads to lies within
 * the text, is JSON itself, and is what the tree has there.
 *
 * The input: a pointer, a NUL, a text.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <uvow/error.h>

#include "wire/json_check.h"
#include "wire/json_format.h"
#include "wire/json_number.h"
#include "wire/json_pointer.h"
#include "wire/json_text.h"
#include "wire/json_unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds) {
  if (!holds)
    abort();
}

static json_t *tree_of(uvow__slice_t text, json_error_t *error) {
  return json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL,
                    error);
}

static int format(uvow__buf_t *out, const char *text, ...) {
  va_list args;
  va_start(args, text);
  int rc = uvow__json_format(out, text, args);
  va_end(args);
  return rc;
}

static int read_plan(uvow__json_plan_t *plan, const char *text, ...) {
  va_list args;
  va_start(args, text);
  int rc = uvow__json_plan_read(plan, text, args);
  va_end(args);
  return rc;
}

static void check_number(uvow__slice_t raw, const json_t *json) {
  int64_t i64;
  double f64;
  int is_i64 = uvow__json_to_i64(raw, &i64) == 0;
  int is_f64 = uvow__json_to_double(raw, &f64) == 0;
  check(is_i64 <= is_f64);
  if (json_is_integer(json))
    check(is_i64 && i64 == json_integer_value(json));
  if (json_is_real(json))
    check(is_f64 && f64 >= json_real_value(json) &&
          f64 <= json_real_value(json));
  if (!is_f64)
    return;
  uvow__buf_t out;
  double again;
  uvow__buf_init(&out, &uvow__mem_default, 100);
  check(uvow__json_put_double(&out, f64) == 0);
  uvow__slice_t text = {(const char *)uvow__buf_front(&out),
                        uvow__buf_size(&out)};
  check(uvow__json_check(text) == 0);
  check(uvow__json_to_double(text, &again) == 0 &&
        memcmp(&again, &f64, sizeof(f64)) == 0);
  uvow__buf_done(&out);
}

static void check_string(uvow__slice_t raw) {
  uvow__buf_t text, out;
  uvow__buf_init(&text, &uvow__mem_default, SIZE_MAX);
  uvow__buf_init(&out, &uvow__mem_default, SIZE_MAX);
  check(uvow__json_unescape(&text, raw) == 0);
  check(uvow__buf_size(&text) <= raw.len - 2);
  if (uvow__buf_size(&text)) {
    check(format(&out, "[s%]", uvow__buf_front(&text), uvow__buf_size(&text)) ==
          0);
    uvow__slice_t written = {(const char *)uvow__buf_front(&out),
                             uvow__buf_size(&out)};
    check(uvow__json_check(written) == 0);
  }
  uvow__buf_done(&text);
  uvow__buf_done(&out);
}

/* What all of an object's members are, and whether one of them is wanted. */
static void check_members(uvow__slice_t raw, const json_t *json) {
  uvow__json_items_t items = uvow__json_items(raw);
  uvow__json_plan_t plan;
  uvow__slice_t key, value;
  void *ret = &plan;
  size_t count = 0;
  while (uvow__json_items_next(&items, &key, &value)) {
    check(uvow__json_check(value) == 0);
    check(!key.ptr || uvow__json_check(key) == 0);
    count++;
  }
  if (json_is_array(json))
    check(count == json_array_size(json));
  if (!json_is_object(json))
    return;
  check(count >= json_object_size(json));
  check(read_plan(&plan, "{s?o,s?o}", "a", ret, "id", ret) == 0);
  check(uvow__json_plan_match(&plan, raw) == 0);
  check((plan.wants[1].raw.ptr != NULL) ==
        (json_object_get(json, "a") != NULL));
  check((plan.wants[2].raw.ptr != NULL) ==
        (json_object_get(json, "id") != NULL));
}

static void check_value(uvow__slice_t raw) {
  json_error_t error;
  json_t *json = tree_of(raw, &error);
  check(uvow__json_check(raw) == 0);
  if (*raw.ptr == '"')
    check_string(raw);
  else if (*raw.ptr == '-' || (*raw.ptr >= '0' && *raw.ptr <= '9'))
    check_number(raw, json);
  check_members(raw, json);
  json_decref(json);
}

/* Whatever a text is, what is found in it lies within. */
static void check_place(uvow__slice_t text, const char *pointer, int is_json) {
  uvow__slice_t found;
  int rc = uvow__json_find(text, pointer, &found);
  check((rc == UVOW_EINVAL) == !uvow__json_is_pointer(pointer));
  if (rc)
    return;
  check(found.ptr >= text.ptr && found.len <= text.len &&
        (size_t)(found.ptr - text.ptr) <= text.len - found.len);
  if (is_json)
    check_value(found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const uint8_t *nul = size ? (const uint8_t *)memchr(data, 0, size) : NULL;
  json_error_t error;
  if (!nul)
    return 0;
  uvow__slice_t text = {(const char *)nul + 1, size - 1 - (size_t)(nul - data)};
  json_t *json = tree_of(text, &error);
  int is_json = uvow__json_check(text) == 0;
  /* jansson passes over a NUL behind a number or a word. */
  check(is_json || !json || memchr(text.ptr, 0, text.len));
  check_place(text, (const char *)data, is_json);
  check_place(text, "", is_json);
  check_place(text, "/a/0", is_json);
  json_decref(json);
  return 0;
}
