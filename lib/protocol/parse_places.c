/*
 * Places: JSON Pointers become a tree, and the tree becomes levels.
 *
 * 1. A pointer's token of digits is an element, any other one a member.
 * 2. Places get their captures in the order in which they are asked for, and
 *    levels have their keys in that order: what rules look at first is found
 *    first.
 */
#include "parse.h"

#include <string.h>

#include "wire/json_text.h"

#define ITEMS_MAX 64

uvow__place_t *uvow__parse_below(uvow__parser_t *p, uvow__place_t *place,
                                 const char *name, unsigned index) {
  uvow__place_t **at = &place->below;
  for (; *at; at = &(*at)->next)
    if (name ? (*at)->name && strcmp((*at)->name, name) == 0
             : !(*at)->name && (*at)->index == index)
      return *at;
  uvow__place_t *made = (uvow__place_t *)uvow__parse_take(p, sizeof(*made));
  if (made) {
    made->name = name;
    made->index = index;
    *at = made;
  }
  return made;
}

uint8_t uvow__parse_capture(uvow__parser_t *p, uvow__place_t *place) {
  if (!place)
    return 0;
  if (place->capture == 0 && p->captures == UVOW__CAPTURES_MAX)
    uvow__parse_fail(p, "more than %d places are looked at",
                     UVOW__CAPTURES_MAX - UVOW__CAPTURE_FIRST);
  else if (place->capture == 0)
    place->capture = (uint8_t)p->captures++;
  return place->capture;
}

/* The name that a token means, or NULL: failed. */
static const char *unescape(uvow__parser_t *p, const char *token, size_t len) {
  char *name = (char *)uvow__parse_take(p, len + 1);
  size_t to = 0;
  for (size_t i = 0; name && i < len; i++) {
    name[to] = token[i];
    if (token[i] == '~') {
      char code = i + 1 < len ? token[++i] : '\0';
      if (code != '0' && code != '1') {
        uvow__parse_fail(p, "in a JSON Pointer, ~ is written ~0, and / ~1");
        return NULL;
      }
      name[to] = code == '0' ? '~' : '/';
    }
    to++;
  }
  if (!name)
    return NULL;
  size_t plain = 0;
  while (plain < to && name[plain] != '"' && name[plain] != '\\' &&
         (unsigned char)name[plain] >= ' ')
    plain++;
  if (plain < to || to > UVOW__KEY_MAX) {
    uvow__parse_fail(p,
                     "no name with quotes, backslashes, control characters, "
                     "or of more than %d bytes can be looked for",
                     UVOW__KEY_MAX);
    return NULL;
  }
  return name;
}

/* An index, or -1: it's a name; -2: failed. */
static int read_index(uvow__parser_t *p, const char *token, size_t len) {
  int index = 0;
  if (len == 0)
    return -1;
  for (size_t i = 0; i < len; i++) {
    if (token[i] < '0' || token[i] > '9')
      return -1;
    index = index > ITEMS_MAX ? index : index * 10 + (token[i] - '0');
  }
  if (index < ITEMS_MAX && (len == 1 || *token != '0'))
    return index;
  uvow__parse_fail(p, "elements are looked for up to number %d", ITEMS_MAX - 1);
  return -2;
}

uvow__place_t *uvow__parse_place(uvow__parser_t *p, const char *pointer) {
  uvow__place_t *place = &p->root;
  size_t deep = 0;
  if (*pointer && *pointer != '/')
    uvow__parse_fail(p, "\"%.40s\" is no JSON Pointer: it begins with /",
                     pointer);
  while (*pointer && place && !p->rc) {
    const char *token = pointer + 1;
    size_t len = strcspn(token, "/");
    int index = read_index(p, token, len);
    const char *name = index == -1 ? unescape(p, token, len) : NULL;
    if (p->rc)
      return NULL;
    if (++deep > UVOW__PARSE_DEEP)
      uvow__parse_fail(p, "pointers are at most %d deep", UVOW__PARSE_DEEP);
    place = uvow__parse_below(p, place, name, (unsigned)(name ? 0 : index));
    pointer = token + len;
  }
  return p->rc ? NULL : place;
}

uint8_t uvow__parse_groups(const uvow__parser_t *p) {
  return (uint8_t)(p->captures > 16 ? (p->captures + 7) / 8 : 0);
}

static const uvow__level_t *make_level(uvow__parser_t *p,
                                       const uvow__place_t *place);

static void make_key(uvow__parser_t *p, const uvow__place_t *place,
                     uvow__key_t *ret) {
  size_t len = place->name ? strlen(place->name) : 0;
  ret->capture = place->capture;
  ret->len = (uint8_t)len;
  ret->below = place->below ? make_level(p, place) : NULL;
  if (!place->name)
    return;
  ret->shift = (uint8_t)(len + 1 < 8 ? 64 - 8 * (len + 1) : 0);
  char *whole = (char *)uvow__parse_take(p, len + 2);
  if (!whole)
    return;
  memcpy(whole, place->name, len);
  whole[len] = '"';
  memcpy(ret->text, whole,
         len < sizeof(ret->text) ? len + 1 : sizeof(ret->text));
  if (len > UVOW__KEY_SHORT)
    ret->whole = whole;
}

static const uvow__level_t *make_level(uvow__parser_t *p,
                                       const uvow__place_t *place) {
  size_t keys = 0;
  size_t items = 0;
  for (const uvow__place_t *at = place->below; at; at = at->next) {
    keys += at->name != NULL;
    if (!at->name && at->index >= items)
      items = at->index + 1;
  }
  uvow__level_t *level = (uvow__level_t *)uvow__parse_take(p, sizeof(*level));
  uvow__key_t *made =
      (uvow__key_t *)uvow__parse_take(p, (keys + items + 1) * sizeof(*made));
  if (!level || !made)
    return NULL;
  level->keys = made;
  level->items = made + keys;
  level->key_count = (uint8_t)keys;
  level->item_count = (uint8_t)items;
  size_t key = 0;
  for (const uvow__place_t *at = place->below; at; at = at->next)
    make_key(p, at, at->name ? &made[key++] : &made[keys + at->index]);
  return level;
}

const uvow__level_t *uvow__parse_levels(uvow__parser_t *p) {
  uvow__level_t *level = (uvow__level_t *)(uintptr_t)make_level(p, &p->root);
  if (level)
    level->groups = uvow__parse_groups(p);
  return p->rc ? NULL : level;
}
