/*
 * Tokens: params that say by what progress is to be told.
 *
 *   {"a":1} -> {"partialResultToken":7,"a":1}
 *
 * 1. The member comes first; the rest of the params stays as it stands, and is
 *    checked as all params are, where they're written.
 */
#include "token.h"

#include <stdio.h>
#include <string.h>

#include <uvow/error.h>

#include "wire/json_pointer.h"
#include "wire/json_text.h"

/* The names of a path. Returns how many; 0: it's none. */
static size_t split(const char *path, uvow__slice_t names[2]) {
  const char *slash = strchr(path, '/');
  size_t len = strlen(path);
  size_t first = slash ? (size_t)(slash - path) : len;
  names[0] = (uvow__slice_t){path, first};
  names[1] =
      (uvow__slice_t){slash ? slash + 1 : path, slash ? len - first - 1 : 0};
  if (first == 0 || !uvow__json_stands(names[0]) ||
      (slash && (names[1].len == 0 || !uvow__json_stands(names[1]))))
    return 0;
  return slash ? 2 : 1;
}

static int has_member(uvow__slice_t object, uvow__slice_t name) {
  uvow__json_items_t items = uvow__json_items(object);
  uvow__slice_t key;
  uvow__slice_t value;
  while (uvow__json_items_next(&items, &key, &value))
    if (uvow__json_key_is(key, name))
      return 1;
  return 0;
}

static int put(uvow__buf_t *out, uvow__slice_t text) {
  return uvow__buf_append(out, text.ptr, text.len);
}

static int put_name(uvow__buf_t *out, uvow__slice_t name) {
  int rc = uvow__buf_append(out, "{\"", 2);
  if (rc == 0)
    rc = put(out, name);
  return rc ? rc : uvow__buf_append(out, "\":", 2);
}

static int put_id(uvow__buf_t *out, const uvow__ids_t *ids, uint64_t id) {
  size_t is_text = ids->form != UVOW__IDS_NUMBER;
  char digits[24];
  int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)id);
  int rc = uvow__buf_append(out, "\"", is_text);
  if (rc == 0 && is_text && ids->prefix_len)
    rc = uvow__buf_append(out, ids->prefix, ids->prefix_len);
  if (rc == 0)
    rc = uvow__buf_append(out, digits, (size_t)len);
  return rc ? rc : uvow__buf_append(out, "\"", is_text);
}

/* What is in the braces, behind a comma. */
static int put_rest(uvow__buf_t *out, uvow__slice_t object) {
  uvow__slice_t inner = {"", 0};
  if (object.len > 2)
    inner = uvow__json_trim((uvow__slice_t){object.ptr + 1, object.len - 2});
  int rc = uvow__buf_append(out, ",", inner.len != 0);
  if (rc == 0 && inner.len)
    rc = put(out, inner);
  return rc ? rc : uvow__buf_append(out, "}", 1);
}

int uvow__token_put(uvow__buf_t *out, const uvow__ids_t *ids, const char *path,
                    uvow__op_t *op) {
  uvow__slice_t names[2];
  size_t count = split(path, names);
  uvow__slice_t params = uvow__json_trim(op->params);
  int is_object = params.len >= 2 && *params.ptr == '{' &&
                  params.ptr[params.len - 1] == '}';
  if (count == 0 || (params.len && !is_object) ||
      (is_object && has_member(params, names[0])))
    return UVOW_EINVAL;
  int rc = put_name(out, names[0]);
  if (rc == 0 && count == 2)
    rc = put_name(out, names[1]);
  if (rc == 0)
    rc = put_id(out, ids, op->id);
  if (rc == 0)
    rc = uvow__buf_append(out, "}", count - 1);
  if (rc == 0)
    rc = put_rest(out, params);
  if (rc)
    return rc;
  op->params =
      (uvow__slice_t){(const char *)uvow__buf_front(out), uvow__buf_size(out)};
  return 0;
}
