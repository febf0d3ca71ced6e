#ifndef UVOW_TEST_JSON_RANDOM_H
#define UVOW_TEST_JSON_RANDOM_H

#include <stdint.h>
#include <string.h>

#include <jansson.h>

/*
 * Documents of any shape, by a seed: every kind of value, names with everything
 * that needs an escape, also in a pointer.
 */
static inline unsigned json_roll(uint32_t *seed, unsigned n) {
  *seed = *seed * 1664525 + 1013904223;
  return (*seed >> 16) % n;
}

static inline json_t *json_random_string(uint32_t *seed) {
  static const char *const parts[] = {"a",
                                      "name",
                                      "/",
                                      "~",
                                      "~1",
                                      "\"",
                                      "\\",
                                      "\n",
                                      "\x01",
                                      "0",
                                      "\xc3\xa4",
                                      "\xe2\x82\xac",
                                      "\xf0\x9f\x98\x80",
                                      "long enough for more than one word",
                                      "]",
                                      "}",
                                      ",",
                                      ":",
                                      " ",
                                      ""};
  char text[256];
  size_t len = 0;
  for (unsigned i = json_roll(seed, 4); i; i--) {
    const char *part = parts[json_roll(seed, sizeof(parts) / sizeof(*parts))];
    size_t more = strlen(part);
    memcpy(text + len, part, more);
    len += more;
  }
  return json_stringn(text, len);
}

static inline json_t *json_random_number(uint32_t *seed) {
  json_int_t number = 0;
  for (unsigned i = json_roll(seed, 5); i; i--)
    number = number * 4096 + json_roll(seed, 4096);
  if (json_roll(seed, 2))
    number = -number;
  if (json_roll(seed, 2))
    return json_integer(number);
  return json_real((double)number / (1 + json_roll(seed, 1000)));
}

static inline json_t *json_random(uint32_t *seed, unsigned depth) {
  unsigned kind = json_roll(seed, depth ? 8 : 5);
  json_t *json = NULL;
  switch (kind) {
  case 0:
    return json_null();
  case 1:
    return json_boolean(json_roll(seed, 2));
  case 2:
    return json_random_number(seed);
  case 3:
  case 4:
    return json_random_string(seed);
  case 5:
    json = json_array();
    for (unsigned i = json_roll(seed, 5); i; i--)
      json_array_append_new(json, json_random(seed, depth - 1));
    return json;
  default:
    json = json_object();
    for (unsigned i = json_roll(seed, 6); i; i--) {
      json_t *key = json_random_string(seed);
      json_object_set_new(json, json_string_value(key),
                          json_random(seed, depth - 1));
      json_decref(key);
    }
    return json;
  }
}

/* Its text, in any of the ways that there are. */
static inline char *json_random_text(uint32_t *seed, const json_t *json) {
  size_t flags = JSON_ENCODE_ANY | JSON_INDENT(json_roll(seed, 3));
  flags |= json_roll(seed, 2) ? JSON_ENSURE_ASCII : 0;
  flags |= json_roll(seed, 2) ? JSON_ESCAPE_SLASH : 0;
  flags |= json_roll(seed, 2) ? JSON_COMPACT : 0;
  return json_dumps(json, flags);
}

#endif
