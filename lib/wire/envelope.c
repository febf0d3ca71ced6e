/*
 * A scanner over one JSON text that knows what it is looking for.
 *
 * 1. No byte outside [text, text + len) is read: every function gets the end,
 *    and returns where it stopped, or NULL: malformed.
 * 2. No memory is taken. Payloads are skipped with a counter; scan_value and
 *    the scanners of levels call each other only as deep as the tree of keys.
 * 3. A capture is written once: a second member of that name is malformed.
 *    Two ids in one message can't be trusted.
 * 4. Why a scan failed is found out afterwards, from what was captured and
 *    where the innermost value began that failed: no other scan pays for it.
 *
 * scan_value -> scan_object, scan_array   for what the tree describes
 *            -> uvow__json_skip           for payloads
 *            -> scan_short, scan_number, scan_word
 *
 * It doesn't check UTF-8 (the framer did), and it converts nothing.
 */
#include "envelope.h"

#include <string.h>

#include <uvow/error.h>

#include "base/text.h"
#include "json_skip.h"
#include "json_text.h"
#include "base/word.h"

static const uvow__key_t unknown_key = UVOW__ITEM(UVOW__CAPTURE_NONE, NULL);

static const char *skip_space(const char *p, const char *end) {
  while (p < end && (unsigned char)*p <= ' ' &&
         (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
    p++;
  return p;
}

/* To the next character that isn't space; most often, p is at it, and it is
 * the one that's hoped for. */
static inline const char *seek(const char *p, const char *end, char hope) {
  return p < end && *p == hope ? p : skip_space(p, end);
}

/* The escape at p: what's behind it. RFC 8259, section 7. */
static const char *scan_escape(const char *p, const char *end) {
  if (end - p < 2)
    return NULL;
  if (p[1] != 'u')
    return p[1] && strchr("\"\\/bfnrt", p[1]) ? p + 2 : NULL;
  return end - p >= 6 && uvow__json_hex(p + 2, 4) >= 0 ? p + 6 : NULL;
}

/* From behind the opening quote to behind the closing one. Only the strings of
 * the envelope: no control characters, no unknown escapes. */
static const char *scan_string(const char *p, const char *end) {
  for (;;) {
    while (end - p >= 8) {
      uint64_t marks = uvow__word_special(uvow__word(p));
      if (marks) {
        p += uvow__word_lowest(marks);
        break;
      }
      p += 8;
    }
    if (p == end)
      return NULL;
    if (*p == '"')
      return p + 1;
    if (*p == '\\')
      p = scan_escape(p, end);
    else
      p = (unsigned char)*p < ' ' ? NULL : p + 1;
    if (!p)
      return NULL;
  }
}

/* The same for a short one, inline. */
static inline const char *scan_short(const char *p, const char *end) {
  if (end - p >= 8) {
    uint64_t marks = uvow__word_special(uvow__word(p));
    if (marks && p[uvow__word_lowest(marks)] == '"')
      return p + uvow__word_lowest(marks) + 1;
  }
  return scan_string(p, end);
}

static inline int at_digit(const char *p, const char *end) {
  return p < end && uvow__is_digit(*p);
}

/* One digit at least. */
static inline const char *scan_digits(const char *p, const char *end) {
  if (!at_digit(p, end))
    return NULL;
  do
    p++;
  while (at_digit(p, end));
  return p;
}

/* The fraction and the exponent, p behind the integer. */
static const char *scan_fraction(const char *p, const char *end) {
  if (p < end && *p == '.')
    p = scan_digits(p + 1, end);
  if (p && p < end && (*p == 'e' || *p == 'E')) {
    p++;
    if (p < end && (*p == '+' || *p == '-'))
      p++;
    p = scan_digits(p, end);
  }
  return p;
}

/* RFC 8259, section 6. */
static inline const char *scan_number(const char *p, const char *end) {
  if (*p == '-')
    p++;
  if (p < end && *p == '0')
    p++;
  else
    p = scan_digits(p, end);
  if (p && p < end && (*p == '.' || *p == 'e' || *p == 'E'))
    p = scan_fraction(p, end);
  return p;
}

static const char *scan_word(const char *p, const char *end) {
  size_t left = (size_t)(end - p);
  if (left >= 4 && (memcmp(p, "null", 4) == 0 || memcmp(p, "true", 4) == 0))
    return p + 4;
  return left >= 5 && memcmp(p, "false", 5) == 0 ? p + 5 : NULL;
}

/* What a value that starts with this byte is; 0: there's none. */
static const uint8_t kind_of[256] = {
    ['{'] = UVOW__JSON_OBJECT, ['['] = UVOW__JSON_ARRAY,
    ['"'] = UVOW__JSON_STRING, ['t'] = UVOW__JSON_TRUE,
    ['f'] = UVOW__JSON_FALSE,  ['n'] = UVOW__JSON_NULL,
    ['-'] = UVOW__JSON_NUMBER, ['0'] = UVOW__JSON_NUMBER,
    ['1'] = UVOW__JSON_NUMBER, ['2'] = UVOW__JSON_NUMBER,
    ['3'] = UVOW__JSON_NUMBER, ['4'] = UVOW__JSON_NUMBER,
    ['5'] = UVOW__JSON_NUMBER, ['6'] = UVOW__JSON_NUMBER,
    ['7'] = UVOW__JSON_NUMBER, ['8'] = UVOW__JSON_NUMBER,
    ['9'] = UVOW__JSON_NUMBER};

/* A value that has nothing of the tree in it, its kind not 0. */
static inline const char *scan_leaf(const char *p, const char *end,
                                    unsigned kind) {
  if (kind & (UVOW__JSON_OBJECT | UVOW__JSON_ARRAY))
    return uvow__json_skip(p, end);
  if (kind & UVOW__JSON_NUMBER)
    return scan_number(p, end);
  if (kind & UVOW__JSON_STRING)
    return scan_short(p + 1, end);
  return scan_word(p, end);
}

/* Notes what was found; 0: it was found before. Kinds are added to a whole
 * word, which is then read as one: narrower stores would stall that. */
static inline int capture(uvow__captures_t *ret, size_t at, unsigned kind,
                          const char *from, const char *to) {
  uint64_t *kinds = &ret->kinds[at / 8];
  unsigned shift = (unsigned)(at % 8 * 8);
  if (!(*kinds >> shift & UVOW__JSON_ABSENT))
    return 0;
  *kinds += (uint64_t)(kind - UVOW__JSON_ABSENT) << shift;
  ret->texts[at].ptr = from;
  ret->texts[at].len = (size_t)(to - from);
  return 1;
}

static const char *scan_object(const char *p, const char *end,
                               const uvow__level_t *level,
                               uvow__captures_t *ret);
static const char *scan_array(const char *p, const char *end,
                              const uvow__level_t *level,
                              uvow__captures_t *ret);

/* A container that the tree may describe. */
static const char *scan_nested(const char *p, const char *end, unsigned kind,
                               const uvow__level_t *level,
                               uvow__captures_t *ret) {
  if (kind == UVOW__JSON_OBJECT && level->key_count)
    return scan_object(p, end, level, ret);
  if (kind == UVOW__JSON_ARRAY && level->item_count)
    return scan_array(p, end, level, ret);
  return uvow__json_skip(p, end);
}

/* A value that failed is noted too, so that it can be told what the message
 * would have been. Returns NULL. */
static const char *note_broken(uvow__captures_t *ret, const uvow__key_t *key,
                               unsigned kind, const char *start) {
  if (!ret->broken)
    ret->broken = start;
  if (key->capture != UVOW__CAPTURE_NONE)
    capture(ret, key->capture, kind, start, start);
  return NULL;
}

/* A value, with space before it. */
static inline const char *scan_value(const char *p, const char *end,
                                     const uvow__key_t *key,
                                     uvow__captures_t *ret) {
  unsigned kind = p < end ? kind_of[(unsigned char)*p] : 0;
  if (kind == 0) {
    p = skip_space(p, end);
    kind = p < end ? kind_of[(unsigned char)*p] : 0;
    if (kind == 0)
      return NULL;
  }
  const char *start = p;
  if (key->below && kind >= UVOW__JSON_ARRAY)
    p = scan_nested(p, end, kind, key->below, ret);
  else
    p = scan_leaf(p, end, kind);
  if (!p)
    return note_broken(ret, key, kind, start);
  if (key->capture == UVOW__CAPTURE_NONE ||
      capture(ret, key->capture, kind, start, p))
    return p;
  ret->twice = start;
  return note_broken(ret, key, kind, start);
}

/* Reads a key from behind its quote to behind its other quote, byte by byte:
 * one that isn't known, is escaped, or stands at the end of the text. */
static const char *scan_key(const char *p, const char *end,
                            const uvow__level_t *level,
                            const uvow__key_t **ret_key) {
  const char *stop = scan_string(p, end);
  if (!stop)
    return NULL;
  uvow__slice_t raw = {p - 1, (size_t)(stop - p) + 1};
  *ret_key = &unknown_key;
  for (size_t i = 0; i < level->key_count; i++) {
    const uvow__key_t *key = &level->keys[i];
    uvow__slice_t name = {uvow__key_name(key), key->len};
    if (raw.len >= name.len + 2 && uvow__json_string_is(raw, name))
      *ret_key = key;
  }
  return stop;
}

/* Whether this key stands at p, as the tree has it; `word` is at p. Its name
 * and its quote are compared as one word, short names shifted to drop what is
 * behind them, long ones with a second word that ends with the quote. */
static inline int is_key(const uvow__key_t *key, uint64_t word, const char *p,
                         const char *end) {
  if ((word ^ uvow__word(key->text)) << key->shift)
    return 0;
  size_t len = (size_t)key->len + 1;
  if (len <= 8)
    return 1;
  if ((size_t)(end - p) < len)
    return 0;
  return key->whole
             ? memcmp(p, key->whole, len) == 0
             : uvow__word(p + len - 8) == uvow__word(key->text + len - 8);
}

/* The same as scan_key, at once where the key is in the tree, or is short and
 * has no escapes. Members mostly come in the order of the tree: `next` is tried
 * first. */
static inline const char *find_key(const char *p, const char *end,
                                   const uvow__level_t *level,
                                   const uvow__key_t *next,
                                   const uvow__key_t **ret_key) {
  if (end - p < 8)
    return scan_key(p, end, level, ret_key);
  uint64_t word = uvow__word(p);
  *ret_key = next;
  if (is_key(next, word, p, end))
    return p + next->len + 1;
  const uvow__key_t *last = level->keys + level->key_count;
  for (const uvow__key_t *key = level->keys; key < last; key++) {
    *ret_key = key;
    if (is_key(key, word, p, end))
      return p + key->len + 1;
  }
  uint64_t marks = uvow__word_special(word);
  if (!marks || p[uvow__word_lowest(marks)] != '"')
    return scan_key(p, end, level, ret_key);
  *ret_key = &unknown_key;
  return p + uvow__word_lowest(marks) + 1;
}

static const char *scan_object(const char *p, const char *end,
                               const uvow__level_t *level,
                               uvow__captures_t *ret) {
  const uvow__key_t *last = level->keys + level->key_count;
  const uvow__key_t *next = level->keys;
  const uvow__key_t *key;
  p = seek(p + 1, end, '"');
  if (p < end && *p == '}')
    return p + 1;
  for (;;) {
    if (p == end || *p != '"')
      return NULL;
    p = find_key(p + 1, end, level, next, &key);
    if (!p)
      return NULL;
    p = seek(p, end, ':');
    if (p == end || *p != ':')
      return NULL;
    p = scan_value(p + 1, end, key, ret);
    if (!p)
      return NULL;
    p = seek(p, end, ',');
    if (p == end || (*p != ',' && *p != '}'))
      return NULL;
    if (*p == '}')
      return p + 1;
    p = seek(p + 1, end, '"');
    if (key != &unknown_key)
      next = key + 1 < last ? key + 1 : level->keys;
  }
}

static const char *scan_array(const char *p, const char *end,
                              const uvow__level_t *level,
                              uvow__captures_t *ret) {
  p = skip_space(p + 1, end);
  if (p < end && *p == ']')
    return p + 1;
  for (size_t i = 0;; i++) {
    const uvow__key_t *key =
        i < level->item_count ? &level->items[i] : &unknown_key;
    p = scan_value(p, end, key, ret);
    if (!p)
      return NULL;
    p = seek(p, end, ',');
    if (p == end || (*p != ',' && *p != ']'))
      return NULL;
    if (*p == ']')
      return p + 1;
    p++;
  }
}

/* RFC 8259, section 8.1: a byte order mark may be passed over. */
static const char *skip_mark(const char *p, const char *end) {
  return end - p >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0 ? p + 3 : p;
}

static inline const char *find_root(const char *text, const char *end) {
  return *text == '{' ? text : skip_space(skip_mark(text, end), end);
}

int uvow__envelope_scan(const uvow__level_t *root, const char *text, size_t len,
                        uvow__captures_t *ret) {
  ret->broken = ret->twice = NULL;
  ret->kinds[0] = ret->kinds[1] = UVOW__WORD_ONES * UVOW__JSON_ABSENT;
  for (size_t i = 2; i < root->groups; i++)
    ret->kinds[i] = UVOW__WORD_ONES * UVOW__JSON_ABSENT;
  if (len == 0)
    return UVOW_EENVELOPE;
  const char *end = text + len;
  const char *start = find_root(text, end);
  const char *p = NULL;
  unsigned kind = UVOW__JSON_OBJECT;
  if (start < end && *start == '{' && root->key_count) {
    p = scan_object(start, end, root, ret);
  } else if (start < end && *start == '[' && root->item_count) {
    kind = UVOW__JSON_ARRAY;
    p = scan_array(start, end, root, ret);
  }
  if (!p || (p != end && skip_space(p, end) != end))
    return UVOW_EENVELOPE;
  capture(ret, UVOW__CAPTURE_ALL, kind, start, p);
  return 0;
}

/* Why the value at `found->broken` failed. */
static uvow__fault_t fault_of_value(const uvow__captures_t *found,
                                    const char *end) {
  if (found->twice == found->broken)
    return UVOW__FAULT_TWICE;
  return (*found->broken == '{' || *found->broken == '[') &&
                 uvow__json_too_deep(found->broken, end)
             ? UVOW__FAULT_DEEP
             : UVOW__FAULT_SYNTAX;
}

uvow__fault_t uvow__envelope_fault(const uvow__level_t *root, const char *text,
                                   size_t len, const uvow__captures_t *found,
                                   size_t *ret_at) {
  uvow__json_kind_t kind;
  uvow__slice_t value;
  const char *end = text + len;
  *ret_at = found->broken ? (size_t)(found->broken - text) : 0;
  if (found->broken)
    return fault_of_value(found, end);
  if (len == 0)
    return UVOW__FAULT_SYNTAX;
  value.ptr = find_root(text, end);
  value.len = (size_t)(end - value.ptr);
  if (uvow__envelope_value(value, &kind, &value))
    return UVOW__FAULT_SYNTAX;
  return (kind == UVOW__JSON_OBJECT && root->key_count) ||
                 (kind == UVOW__JSON_ARRAY && root->item_count)
             ? UVOW__FAULT_SYNTAX
             : UVOW__FAULT_ROOT;
}

int uvow__envelope_is_whole(uvow__slice_t value, const char *end) {
  if (value.len == 0)
    return 0;
  const char *p = skip_space(value.ptr + value.len, end);
  return p < end && (*p == ',' || *p == '}' || *p == ']');
}

uvow__json_kind_t uvow__envelope_kind(char first) {
  return (uvow__json_kind_t)kind_of[(unsigned char)first];
}

const char *uvow__envelope_skip(const char *p, const char *end,
                                uvow__json_kind_t *ret_kind) {
  unsigned kind = p < end ? kind_of[(unsigned char)*p] : 0;
  if (kind == 0)
    return NULL;
  *ret_kind = (uvow__json_kind_t)kind;
  return scan_leaf(p, end, kind);
}

int uvow__envelope_value(uvow__slice_t text, uvow__json_kind_t *ret_kind,
                         uvow__slice_t *ret_text) {
  if (text.len == 0)
    return UVOW_EENVELOPE;
  const char *end = text.ptr + text.len;
  const char *start = skip_space(text.ptr, end);
  const char *p = uvow__envelope_skip(start, end, ret_kind);
  if (!p || (p != end && skip_space(p, end) != end))
    return UVOW_EENVELOPE;
  ret_text->ptr = start;
  ret_text->len = (size_t)(p - start);
  return 0;
}
