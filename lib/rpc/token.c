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

/* The names of a path; the second one may be none. Returns 0: it's no path. */
static int split(const char *path, uvow__slice_t names[2]) {
  const char *slash = strchr(path, '/');
  size_t len = strlen(path);
  size_t first = slash ? (size_t)(slash - path) : len;
  names[0] = (uvow__slice_t){path, first};
  names[1] =
      (uvow__slice_t){slash ? slash + 1 : path, slash ? len - first - 1 : 0};
  if (first == 0 || !uvow__json_stands(names[0]) ||
      (slash && (names[1].len == 0 || !uvow__json_stands(names[1]))))
    return 0;
  return 1;
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

static int put_all(uvow__buf_t *out, const uvow__slice_t *parts, size_t count) {
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < count; i++)
    rc = uvow__buf_append(out, parts[i].ptr, parts[i].len);
  return rc;
}

/* The names, and the id as these ids are written. */
static int put_token(uvow__buf_t *out, const uvow__slice_t names[2],
                     const uvow__ids_t *ids, uint64_t id) {
  char digits[24];
  size_t is_text = ids->form != UVOW__IDS_NUMBER;
  size_t is_deep = names[1].len != 0;
  int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)id);
  const uvow__slice_t parts[] = {{"{\"", 2},
                                 names[0],
                                 {"\":{\"", is_deep ? 4 : 0},
                                 names[1],
                                 {"\":\"", 2 + is_text},
                                 {ids->prefix, is_text ? ids->prefix_len : 0},
                                 {digits, (size_t)len},
                                 {"\"", is_text},
                                 {"}", is_deep}};
  return put_all(out, parts, sizeof(parts) / sizeof(*parts));
}

/* What is in the braces, behind a comma. */
static int put_rest(uvow__buf_t *out, uvow__slice_t object) {
  uvow__slice_t inner = {"", 0};
  if (object.len > 2)
    inner = uvow__json_trim((uvow__slice_t){object.ptr + 1, object.len - 2});
  const uvow__slice_t parts[] = {{",", inner.len != 0}, inner, {"}", 1}};
  return put_all(out, parts, sizeof(parts) / sizeof(*parts));
}

int uvow__token_put(uvow__buf_t *out, const uvow__ids_t *ids, const char *path,
                    uvow__op_t *op) {
  uvow__slice_t names[2];
  uvow__slice_t params = uvow__json_trim(op->params);
  int is_object = params.len >= 2 && *params.ptr == '{' &&
                  params.ptr[params.len - 1] == '}';
  if (!split(path, names) || (params.len && !is_object) ||
      (is_object && has_member(params, names[0])))
    return UVOW_EINVAL;
  int rc = put_token(out, names, ids, op->id);
  if (rc == 0)
    rc = put_rest(out, params);
  if (rc)
    return rc;
  op->params =
      (uvow__slice_t){(const char *)uvow__buf_front(out), uvow__buf_size(out)};
  return 0;
}
