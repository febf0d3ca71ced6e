/*
 * Fields found in JSON texts, without a tree.
 *
 *   find -> step -> member_of | item_of -> items_next -> skip_value
 *
 * 1. The text was checked before: a value is skipped by its first character,
 *    and nothing is an error but that there is nothing.
 * 2. All the same no byte outside of it is read, whatever it is.
 * 3. No recursion: a container is skipped by counting brackets.
 * 4. Of two members with the same name the last one counts, so that a field is
 *    the one that a tree of the same text would have.
 */
#include "json_pointer.h"

#include <string.h>

#include <uvow/error.h>

#include "json_skip.h"
#include "json_text.h"
#include "base/word.h"

static inline int is_space(char c) {
  return c <= ' ' && (c == ' ' || c == '\n' || c == '\r' || c == '\t');
}

static inline const char *skip_space(const char *p, const char *end) {
  while (p < end && is_space(*p))
    p++;
  return p;
}

uvow__slice_t uvow__json_trim(uvow__slice_t text) {
  const char *end = text.ptr + text.len;
  const char *p = skip_space(text.ptr, end);
  while (end > p && is_space(end[-1]))
    end--;
  uvow__slice_t value = {p, (size_t)(end - p)};
  return value;
}

/* From a quote to behind the one that ends the string. */
static inline const char *skip_string(const char *p, const char *end) {
  p++;
  while (p < end) {
    if (end - p >= 8) {
      uint64_t word = uvow__word(p);
      uint64_t marks =
          uvow__word_equal(word, '"') | uvow__word_equal(word, '\\');
      p += marks ? uvow__word_lowest(marks) : 8;
      if (!marks)
        continue;
    }
    if (*p == '"')
      return p + 1;
    p += *p == '\\' ? 2 : 1;
  }
  return end;
}

/* One that is nested deeper than uvow__json_skip goes. */
static const char *skip_deep(const char *p, const char *end) {
  size_t depth = 0;
  while (p < end) {
    if (*p == '"') {
      p = skip_string(p, end);
      continue;
    }
    depth += *p == '[' || *p == '{';
    if ((*p == ']' || *p == '}') && --depth == 0)
      return p + 1;
    p++;
  }
  return end;
}

static const char *skip_container(const char *p, const char *end) {
  const char *behind = uvow__json_skip(p, end);
  return behind ? behind : skip_deep(p, end);
}

static inline const char *skip_value(const char *p, const char *end) {
  if (p == end)
    return end;
  if (*p == '"')
    return skip_string(p, end);
  if (*p == '{' || *p == '[')
    return skip_container(p, end);
  while (p < end && *p != ',' && *p != ']' && *p != '}' && !is_space(*p))
    p++;
  return p;
}

uvow__json_items_t uvow__json_items(uvow__slice_t value) {
  uvow__json_items_t items = {value.ptr, value.ptr + value.len};
  if (value.len == 0 || (*value.ptr != '{' && *value.ptr != '['))
    items.p = items.end;
  return items;
}

/* p is at the opening bracket, at a comma, or at the closing bracket. */
int uvow__json_items_next(uvow__json_items_t *items, uvow__slice_t *ret_key,
                          uvow__slice_t *ret_value) {
  const char *end = items->end;
  const char *p = items->p;
  uvow__slice_t key = {NULL, 0};
  if (p == end || *p == ']' || *p == '}')
    return 0;
  p = skip_space(p + 1, end);
  if (p == end || *p == ']' || *p == '}')
    return 0;
  const char *behind = skip_value(p, end);
  const char *next = skip_space(behind, end);
  if (next < end && *next == ':') {
    key.ptr = p;
    key.len = (size_t)(behind - p);
    p = skip_space(next + 1, end);
    behind = skip_value(p, end);
    next = skip_space(behind, end);
  }
  items->p = next;
  *ret_key = key;
  ret_value->ptr = p;
  ret_value->len = (size_t)(behind - p);
  return 1;
}

int uvow__json_key_is(uvow__slice_t raw, uvow__slice_t name) {
  if (raw.len < 2)
    return 0;
  if (raw.len - 2 == name.len && memcmp(raw.ptr + 1, name.ptr, name.len) == 0)
    return !memchr(name.ptr, '\\', name.len);
  /* An escape is longer than what it means. */
  return raw.len - 2 > name.len && memchr(raw.ptr, '\\', raw.len) &&
         uvow__json_string_is(raw, name);
}

/* What stands between two slashes of a pointer. */
typedef struct token {
  uvow__slice_t text;
  int escaped; /* there is a ~ in it */
} token_t;

/* The first character of a token in `ret`: bytes of the token that it took. */
static size_t read_char(uvow__slice_t token, char ret[4], size_t *ret_len) {
  unsigned char first = (unsigned char)token.ptr[0];
  size_t len = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (first == '~' && token.len > 1) {
    ret[0] = token.ptr[1] == '0' ? '~' : '/';
    *ret_len = 1;
    return 2;
  }
  if (len > token.len)
    len = token.len;
  memcpy(ret, token.ptr, len);
  *ret_len = len;
  return len;
}

/* Bytes of the escape, or of the byte, at the beginning of a string's inside.
 */
static size_t escape_len(uvow__slice_t in, size_t char_len) {
  if (in.ptr[0] != '\\')
    return char_len;
  if (in.len < 2 || in.ptr[1] != 'u')
    return 2;
  return char_len == 4 ? 12 : 6;
}

/* Both may have escapes, each its own: one character after the other. */
static int escaped_key_is(uvow__slice_t raw, uvow__slice_t token) {
  char quoted[16];
  uvow__slice_t in = {raw.ptr + 1, raw.len - 2};
  while (token.len && in.len) {
    char c[4];
    uvow__slice_t name = {c, 0};
    size_t used = read_char(token, c, &name.len);
    size_t len = escape_len(in, name.len);
    if (len > in.len)
      return 0;
    quoted[0] = quoted[len + 1] = '"';
    memcpy(quoted + 1, in.ptr, len);
    uvow__slice_t one = {quoted, len + 2};
    if (!uvow__json_string_is(one, name))
      return 0;
    token.ptr += used;
    token.len -= used;
    in.ptr += len;
    in.len -= len;
  }
  return token.len == 0 && in.len == 0;
}

static int member_of(uvow__slice_t object, const token_t *token,
                     uvow__slice_t *ret) {
  uvow__json_items_t items = uvow__json_items(object);
  uvow__slice_t key, value;
  int found = 0;
  while (uvow__json_items_next(&items, &key, &value)) {
    if (key.len < 2 || !(token->escaped ? escaped_key_is(key, token->text)
                                        : uvow__json_key_is(key, token->text)))
      continue;
    *ret = value;
    found = 1;
  }
  return found;
}

static int item_of(uvow__slice_t array, const token_t *token,
                   uvow__slice_t *ret) {
  uvow__json_items_t items = uvow__json_items(array);
  uvow__slice_t key, value;
  uint64_t index;
  if (uvow__slice_u64(token->text, UINT64_MAX, &index))
    return 0;
  do {
    if (!uvow__json_items_next(&items, &key, &value))
      return 0;
  } while (index--);
  *ret = value;
  return 1;
}

/* One token of the pointer. Returns 0: it leads nowhere. */
static int step(uvow__slice_t *value, const token_t *token) {
  if (value->len == 0)
    return 0;
  if (*value->ptr == '{')
    return member_of(*value, token, value);
  return *value->ptr == '[' && item_of(*value, token, value);
}

/* The token at p, behind its slash, and what follows it; NULL: a ~ stands in it
 * that is no escape. */
static const char *read_token(const char *p, token_t *ret) {
  ret->text.ptr = p;
  ret->escaped = 0;
  for (; *p && *p != '/'; p++) {
    if (*p != '~')
      continue;
    ret->escaped = 1;
    p++;
    if (*p != '0' && *p != '1')
      return NULL;
  }
  ret->text.len = (size_t)(p - ret->text.ptr);
  return p;
}

int uvow__json_is_pointer(const char *text) {
  token_t token;
  while (text && *text == '/')
    text = read_token(text + 1, &token);
  return text && !*text;
}

int uvow__json_find(uvow__slice_t text, const char *pointer,
                    uvow__slice_t *ret_value) {
  token_t token;
  uvow__slice_t value = uvow__json_trim(text);
  const char *p = pointer;
  int found = value.len != 0;
  while (found && p && *p == '/') {
    p = read_token(p + 1, &token);
    found = p && step(&value, &token);
  }
  if (!found || !p || *p)
    return uvow__json_is_pointer(pointer) ? UVOW_ETYPE : UVOW_EINVAL;
  *ret_value = value;
  return 0;
}
