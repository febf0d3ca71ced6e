/*
 * A built-in protocol as the base of a description: its tables are taken in.
 *
 * 1. Its places get captures among those of the description, and its rules and
 *    opening steps are copied with those. Its templates are used as they are.
 */
#include "parse.h"

#include <string.h>

typedef struct map {
  uvow__parser_t *p;
  uint8_t to[UVOW__CAPTURES_MAX];
} map_t;

static void take_level(map_t *map, const uvow__level_t *level,
                       uvow__place_t *place);

static void take_key(map_t *map, const uvow__key_t *key, const char *name,
                     unsigned index, uvow__place_t *place) {
  uvow__place_t *below = uvow__parse_below(map->p, place, name, index);
  if (!below)
    return;
  if (key->capture)
    map->to[key->capture] = uvow__parse_capture(map->p, below);
  if (key->below)
    take_level(map, key->below, below);
}

static void take_level(map_t *map, const uvow__level_t *level,
                       uvow__place_t *place) {
  for (unsigned i = 0; i < level->key_count && !map->p->rc; i++) {
    const uvow__key_t *key = &level->keys[i];
    const char *name = uvow__parse_copy(map->p, uvow__key_name(key), key->len);
    if (name)
      take_key(map, key, name, 0, place);
  }
  for (unsigned i = 0; i < level->item_count && !map->p->rc; i++)
    take_key(map, &level->items[i], NULL, i, place);
}

static void mark_compared(uvow__place_t *place, uint8_t capture) {
  for (uvow__place_t *at = place->below; at; at = at->next) {
    if (at->capture == capture)
      at->compared = 1;
    mark_compared(at, capture);
  }
}

static int take_tests(map_t *map, uvow__rule_t *rule) {
  uvow__test_t *tests = (uvow__test_t *)uvow__parse_take(
      map->p, (rule->test_count + 1u) * sizeof(*tests));
  for (size_t i = 0; tests && i < rule->test_count; i++) {
    tests[i] = rule->tests[i];
    tests[i].capture = map->to[tests[i].capture];
    mark_compared(&map->p->root, tests[i].capture);
  }
  rule->tests = tests;
  return tests ? 0 : -1;
}

static int take_rule(map_t *map, const uvow__rule_t *from, uvow__rule_t *ret) {
  *ret = *from;
  memset(ret->denied, 0, sizeof(ret->denied));
  for (size_t i = UVOW__CAPTURE_FIRST; i < UVOW__CAPTURES_MAX; i++)
    if (from->denied[i])
      ret->denied[map->to[i]] = from->denied[i];
  ret->id = map->to[from->id];
  ret->name = map->to[from->name];
  ret->value = map->to[from->value];
  ret->session = map->to[from->session];
  ret->session2 = map->to[from->session2];
  ret->traceparent = map->to[from->traceparent];
  ret->error_code = map->to[from->error_code];
  ret->error_message = map->to[from->error_message];
  ret->error_data = map->to[from->error_data];
  ret->error_whole = map->to[from->error_whole];
  return take_tests(map, ret);
}

static const uvow__step_t *take_steps(map_t *map, const uvow__step_t *from,
                                      size_t count);

static void take_step(map_t *map, const uvow__step_t *from, uvow__step_t *ret) {
  *ret = *from;
  ret->same.capture = map->to[from->same.capture];
  for (size_t i = 0; i < from->pick_count; i++)
    ret->picks[i].capture = map->to[from->picks[i].capture];
  if (take_rule(map, &from->expect, &ret->expect) ||
      take_rule(map, &from->refusal, &ret->refusal))
    return;
  if (from->meanwhile_count)
    ret->meanwhile = take_steps(map, from->meanwhile, from->meanwhile_count);
}

static const uvow__step_t *take_steps(map_t *map, const uvow__step_t *from,
                                      size_t count) {
  uvow__step_t *steps =
      (uvow__step_t *)uvow__parse_take(map->p, (count + 1) * sizeof(*steps));
  for (size_t i = 0; steps && i < count && !map->p->rc; i++)
    take_step(map, &from[i], &steps[i]);
  return steps;
}

/* A member of "liberal": -1: it isn't there. */
static int liberty(json_t *liberal, const char *name) {
  json_t *value = json_object_get(liberal, name);
  return value ? json_is_true(value) : -1;
}

/* Strict where it's asked for: no null for params, nor for no error. */
static void be_strict(const uvow__rule_t *rules, size_t count, json_t *liberal,
                      uvow__rule_t *rule) {
  if ((rule->kind == UVOW__MSG_CALL || rule->kind == UVOW__MSG_EVENT) &&
      rule->value > UVOW__CAPTURE_ALL && liberty(liberal, "null_params") == 0)
    rule->denied[rule->value] |= UVOW__KIND(NULL);
  for (size_t i = 0; i < count; i++)
    if (rule->kind == UVOW__MSG_OK && rules[i].kind == UVOW__MSG_ERROR &&
        rules[i].error_whole && liberty(liberal, "null_error") == 0)
      rule->denied[rules[i].error_whole] |= UVOW__KIND(NULL);
}

int uvow__parse_base(uvow__parser_t *p, const uvow_protocol_t *base,
                     uvow__rule_t *ret_rules, json_t *liberal) {
  map_t map;
  memset(&map, 0, sizeof(map));
  map.p = p;
  map.to[UVOW__CAPTURE_ALL] = UVOW__CAPTURE_ALL;
  take_level(&map, base->root, &p->root);
  for (size_t i = 0; i < base->rule_count && !p->rc; i++)
    if (take_rule(&map, &base->rules[i], &ret_rules[i]))
      return -1;
  for (size_t i = 0; i < base->rule_count && !p->rc; i++)
    be_strict(ret_rules, base->rule_count, liberal, &ret_rules[i]);
  uvow_protocol_t *protocol = &p->description->protocol;
  protocol->steps = take_steps(&map, base->steps, base->step_count);
  protocol->accepts = take_steps(&map, base->accepts, base->accept_count);
  return p->rc ? -1 : 0;
}
