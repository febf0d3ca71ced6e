/*
 * JSON texts checked: once, so that whoever looks for a field can trust them.
 *
 *   VALUE --scalar--> AFTER                 FIRST_VALUE --]--> AFTER
 *         --[--> FIRST_VALUE, --{--> FIRST_KEY          --else--> as VALUE
 *   KEY --string, colon--> VALUE            FIRST_KEY --}--> AFTER
 *   AFTER --comma--> KEY or VALUE                     --else--> as KEY
 *         --] or }--> AFTER, --outermost--> the end
 *
 * 1. No byte outside of the text is read.
 * 2. No recursion: a bit a level says whether it is an object.
 * 3. One step looks at each byte once, so the time is linear.
 */
#include "json_check.h"

#include <string.h>

#include <uvow/error.h>

#include "base/text.h"
#include "json_text.h"
#include "utf8.h"
#include "base/word.h"

enum { VALUE, FIRST_VALUE, KEY, FIRST_KEY, AFTER, WRONG };

typedef struct checker {
  const char *p;
  const char *end;
  size_t depth;
  uint8_t objects[UVOW__JSON_CHECK_DEPTH / 8];
} checker_t;

static inline int is_space(char c) {
  return c <= ' ' && (c == ' ' || c == '\n' || c == '\r' || c == '\t');
}

static inline void skip_space(checker_t *c) {
  while (c->p < c->end && is_space(*c->p))
    c->p++;
}

static inline int in_object(const checker_t *c) {
  size_t level = c->depth - 1;
  return c->objects[level / 8] >> (level % 8) & 1;
}

static int open_level(checker_t *c, int is_object) {
  size_t level = c->depth;
  unsigned bit = 1u << (level % 8);
  if (level == UVOW__JSON_CHECK_DEPTH)
    return WRONG;
  c->depth++;
  c->p++;
  if (level % 8 == 0)
    c->objects[level / 8] = 0;
  if (is_object)
    c->objects[level / 8] |= (uint8_t)bit;
  else
    c->objects[level / 8] &= (uint8_t)~bit;
  return is_object ? FIRST_KEY : FIRST_VALUE;
}

static int close_level(checker_t *c) {
  c->p++;
  c->depth--;
  return AFTER;
}

/* Behind a backslash. Returns 0: there is no such escape. */
static int check_escape(checker_t *c) {
  if (c->p == c->end)
    return 0;
  char name = *c->p++;
  if (name != 'u')
    return memchr("\"\\/bfnrt", name, 8) != NULL;
  if (c->end - c->p < 4 || uvow__json_hex(c->p, 4) < 0)
    return 0;
  c->p += 4;
  return 1;
}

/* From a quote to behind the one that ends the string. Returns 0: none does. */
static inline int check_string(checker_t *c) {
  c->p++;
  while (c->p < c->end) {
    if (c->end - c->p >= 8) {
      uint64_t marks = uvow__word_special(uvow__word(c->p));
      c->p += marks ? uvow__word_lowest(marks) : 8;
      if (!marks)
        continue;
    }
    unsigned char byte = (unsigned char)*c->p++;
    if (byte == '"')
      return 1;
    if (byte < ' ' || (byte == '\\' && !check_escape(c)))
      return 0;
  }
  return 0;
}

static inline size_t skip_digits(checker_t *c) {
  const char *from = c->p;
  while (c->p < c->end && uvow__is_digit(*c->p))
    c->p++;
  return (size_t)(c->p - from);
}

static inline int check_number(checker_t *c) {
  c->p += *c->p == '-';
  if (c->p < c->end && *c->p == '0')
    c->p++;
  else if (skip_digits(c) == 0)
    return 0;
  if (c->p < c->end && *c->p == '.') {
    c->p++;
    if (skip_digits(c) == 0)
      return 0;
  }
  if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
    c->p++;
    if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
      c->p++;
    return skip_digits(c) != 0;
  }
  return 1;
}

static int check_word(checker_t *c, const char *word, size_t len) {
  if ((size_t)(c->end - c->p) < len || memcmp(c->p, word, len) != 0)
    return 0;
  c->p += len;
  return 1;
}

/* A value begins, unless WRONG; there is a byte. */
static inline int take_value(checker_t *c) {
  switch (*c->p) {
  case '{':
    return open_level(c, 1);
  case '[':
    return open_level(c, 0);
  case '"':
    return check_string(c) ? AFTER : WRONG;
  case 't':
    return check_word(c, "true", 4) ? AFTER : WRONG;
  case 'f':
    return check_word(c, "false", 5) ? AFTER : WRONG;
  case 'n':
    return check_word(c, "null", 4) ? AFTER : WRONG;
  default:
    return check_number(c) ? AFTER : WRONG;
  }
}

static inline int take_key(checker_t *c) {
  if (*c->p != '"' || !check_string(c))
    return WRONG;
  skip_space(c);
  if (c->p == c->end || *c->p++ != ':')
    return WRONG;
  return VALUE;
}

/* Behind a value that isn't the outermost one. */
static inline int take_after(checker_t *c) {
  int is_object = in_object(c);
  if (*c->p == (is_object ? '}' : ']'))
    return close_level(c);
  if (*c->p++ != ',')
    return WRONG;
  return is_object ? KEY : VALUE;
}

static inline int take(checker_t *c, int state) {
  switch (state) {
  case FIRST_VALUE:
    return *c->p == ']' ? close_level(c) : take_value(c);
  case VALUE:
    return take_value(c);
  case FIRST_KEY:
    return *c->p == '}' ? close_level(c) : take_key(c);
  case KEY:
    return take_key(c);
  default:
    return take_after(c);
  }
}

int uvow__json_check(uvow__slice_t text) {
  checker_t c;
  int state = VALUE;
  if (text.len == 0 ||
      !(uvow__utf8_is_ascii((const uint8_t *)text.ptr, text.len) ||
        uvow__json_utf8(text)))
    return UVOW_EPAYLOAD;
  c.p = text.ptr;
  c.end = text.ptr + text.len;
  c.depth = 0;
  do {
    skip_space(&c);
    if (c.p == c.end)
      return UVOW_EPAYLOAD;
    state = take(&c, state);
    if (state == WRONG)
      return UVOW_EPAYLOAD;
  } while (state != AFTER || c.depth);
  skip_space(&c);
  return c.p == c.end ? 0 : UVOW_EPAYLOAD;
}
