/*
 * Rules of a description.
 *
 * 1. What a rule needs to mean something, it also tests: the id of an answer or
 *    a call, the name of a call or an event. So a rule that holds says all that
 *    its kind says.
 * 2. Tests are sets of kinds as far as they can be, since those cost nothing.
 */
#include "parse.h"

#include <stdio.h>
#include <string.h>

#include "wire/json_text.h"

#define ANY_STRING UVOW__ONLY(UVOW__KIND(STRING))
#define PRESENT UVOW__ONLY(UVOW__KINDS_ANY)
#define TESTS_MAX 32

static const struct {
  const char *name;
  uint8_t kind;
} kinds[] = {
    {"ok", UVOW__MSG_OK},           {"error", UVOW__MSG_ERROR},
    {"partial", UVOW__MSG_PARTIAL}, {"end", UVOW__MSG_END},
    {"event", UVOW__MSG_EVENT},     {"call", UVOW__MSG_CALL},
    {"cancel", UVOW__MSG_CANCEL},   {"control", UVOW__MSG_CONTROL},
    {"ignore", UVOW__MSG_IGNORE},
};

static const struct {
  const char *name;
  uint8_t kinds;
} types[] = {
    {"null", UVOW__KIND(NULL)},
    {"true", UVOW__KIND(TRUE)},
    {"false", UVOW__KIND(FALSE)},
    {"number", UVOW__KIND(NUMBER)},
    {"string", UVOW__KIND(STRING)},
    {"array", UVOW__KIND(ARRAY)},
    {"object", UVOW__KIND(OBJECT)},
    {"boolean", UVOW__KIND(TRUE) | UVOW__KIND(FALSE)},
};

const char *uvow__parse_kind_name(unsigned kind) {
  size_t i = 0;
  while (kinds[i].kind != kind)
    i++;
  return kinds[i].name;
}

static int add_test(uvow__parser_t *p, uvow__rule_t *rule, uvow__place_t *place,
                    uvow__test_how_t how, const char *text, size_t len) {
  uvow__test_t *tests = (uvow__test_t *)(uintptr_t)rule->tests;
  const char *kept = uvow__parse_copy(p, text, len);
  place->compared = 1;
  if (!tests)
    tests = (uvow__test_t *)uvow__parse_take(p, TESTS_MAX * sizeof(*tests));
  if (rule->test_count == TESTS_MAX)
    return uvow__parse_fail(p, "more than %d values are compared", TESTS_MAX);
  if (!tests || !kept)
    return -1;
  rule->tests = tests;
  uvow__test_t *test = &tests[rule->test_count++];
  test->capture = place->capture;
  test->how = (uint8_t)how;
  test->text = (uvow__slice_t){kept, len};
  return 0;
}

/* Equal to this text: with quotes, if it needs no escape. */
static int test_text(uvow__parser_t *p, uvow__rule_t *rule,
                     uvow__place_t *place, uvow__test_how_t how, json_t *json) {
  const char *text = json_string_value(json);
  size_t len = json_string_length(json);
  rule->denied[place->capture] |= ANY_STRING;
  if (how != UVOW__TEST_IS || !uvow__json_stands((uvow__slice_t){text, len}))
    return add_test(p, rule, place,
                    how == UVOW__TEST_IS ? UVOW__TEST_MEANS : how, text, len);
  char *quoted = (char *)uvow__parse_take(p, len + 3);
  if (!quoted)
    return -1;
  quoted[0] = quoted[len + 1] = '"';
  memcpy(quoted + 1, text, len);
  return add_test(p, rule, place, how, quoted, len + 2);
}

static int test_value(uvow__parser_t *p, uvow__rule_t *rule,
                      uvow__place_t *place, json_t *json) {
  uint8_t *denied = &rule->denied[place->capture];
  char digits[32];
  if (json_is_string(json))
    return test_text(p, rule, place, UVOW__TEST_IS, json);
  if (json_is_integer(json)) {
    *denied |= UVOW__ONLY(UVOW__KIND(NUMBER));
    int len = snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT,
                       json_integer_value(json));
    return add_test(p, rule, place, UVOW__TEST_IS, digits, (size_t)len);
  }
  if (json_is_null(json))
    *denied |= UVOW__ONLY(UVOW__KIND(NULL));
  else if (json_is_boolean(json))
    *denied |= json_is_true(json) ? UVOW__ONLY(UVOW__KIND(TRUE))
                                  : UVOW__ONLY(UVOW__KIND(FALSE));
  else
    return uvow__parse_fail(p,
                            "only text, integers, null, true and false can "
                            "be compared; one of several is a rule for each");
  return 0;
}

/* The set of kinds that a name, or a list of names, means. */
static int read_types(uvow__parser_t *p, json_t *json, uint8_t *ret) {
  size_t count = json_is_array(json) ? json_array_size(json) : 1;
  *ret = 0;
  for (size_t i = 0; i < count; i++) {
    const char *name =
        json_string_value(json_is_array(json) ? json_array_get(json, i) : json);
    size_t at = 0;
    while (at < UVOW__COUNT(types) && (!name || strcmp(types[at].name, name)))
      at++;
    if (at == UVOW__COUNT(types))
      return uvow__parse_fail(p,
                              "a type is null, true, false, boolean, number, "
                              "string, array, object, or a list of them");
    *ret |= types[at].kinds;
  }
  return *ret ? 0 : uvow__parse_fail(p, "no type at all never fits");
}

/* {"suffix": text}, {"prefix": text}, {"type": name}, {"is": value} */
static int test_object(uvow__parser_t *p, uvow__rule_t *rule,
                       uvow__place_t *place, json_t *json) {
  static const char *const names[] = {"suffix", "prefix", "type", "is", NULL};
  const char *name;
  json_t *value;
  uint8_t set;
  if (uvow__parse_known(p, json, names))
    return -1;
  if (json_object_size(json) == 0)
    return uvow__parse_fail(p, "a test says suffix, prefix, type or is");
  json_object_foreach(json, name, value) {
    if (strcmp(name, "type") == 0) {
      if (read_types(p, value, &set))
        return -1;
      rule->denied[place->capture] |= UVOW__ONLY(set);
    } else if (strcmp(name, "is") == 0) {
      if (test_value(p, rule, place, value))
        return -1;
    } else if (!json_is_string(value)) {
      return uvow__parse_fail(p, "%s is text", name);
    } else if (test_text(p, rule, place,
                         *name == 's' ? UVOW__TEST_ENDS : UVOW__TEST_BEGINS,
                         value)) {
      return -1;
    }
  }
  return 0;
}

int uvow__parse_tests(uvow__parser_t *p, json_t *json, uvow__rule_t *ret) {
  const char *pointer;
  json_t *test;
  if (!json_is_object(json))
    return uvow__parse_fail(p, "tests are an object: {\"/pointer\": value}");
  json_object_foreach(json, pointer, test) {
    uvow__parse_enter(p, pointer, 0);
    uvow__place_t *place = uvow__parse_place(p, pointer);
    if (place == &p->root)
      uvow__parse_fail(p, "the whole message can't be tested");
    if (p->rc || !uvow__parse_capture(p, place))
      return -1;
    uint8_t *denied = &ret->denied[place->capture];
    if (json_is_true(test))
      *denied |= PRESENT;
    else if (json_is_false(test))
      *denied |= UVOW__NOT;
    else if (json_is_object(test) ? test_object(p, ret, place, test)
                                  : test_value(p, ret, place, test))
      return -1;
    if (*denied == 0xFF)
      return uvow__parse_fail(p, "no message can have what is asked for here");
    uvow__parse_leave(p);
  }
  return 0;
}

/* The capture of a part; 0: there's none, or failed. */
static uint8_t part(uvow__parser_t *p, json_t *rule, const char *name) {
  const char *pointer = uvow__parse_text(p, rule, name, 0);
  if (!pointer)
    return UVOW__CAPTURE_NONE;
  uvow__parse_enter(p, name, 0);
  uint8_t capture = uvow__parse_capture(p, uvow__parse_place(p, pointer));
  uvow__parse_leave(p);
  return capture;
}

/* What is around a code or a message: the error as a whole. */
static uint8_t whole_error(uvow__parser_t *p, json_t *rule) {
  const char *pointer = json_string_value(json_object_get(rule, "code"));
  if (!pointer)
    pointer = json_string_value(json_object_get(rule, "message"));
  const char *last = pointer ? strrchr(pointer, '/') : NULL;
  if (!last || last == pointer)
    return UVOW__CAPTURE_NONE;
  const char *around = uvow__parse_copy(p, pointer, (size_t)(last - pointer));
  return around ? uvow__parse_capture(p, uvow__parse_place(p, around)) : 0;
}

/* {"variable": "/pointer"}: each variable has one place among a session's. */
static int read_session(uvow__parser_t *p, json_t *json, uvow__rule_t *rule) {
  const char **known = p->description->protocol.sessions;
  const char *name;
  json_t *pointer;
  if (!json_is_object(json))
    return uvow__parse_fail(p, "a session is {\"variable\": \"/pointer\"}");
  json_object_foreach(json, name, pointer) {
    size_t i = 0;
    while (i < UVOW__SESSIONS_MAX && known[i] && strcmp(known[i], name))
      i++;
    if (i == UVOW__SESSIONS_MAX)
      return uvow__parse_fail(p, "a session has at most %d variables",
                              UVOW__SESSIONS_MAX);
    if (!known[i])
      known[i] = uvow__parse_copy(p, name, strlen(name));
    uint8_t capture = part(p, json, name);
    (void)pointer;
    if (p->rc)
      return -1;
    *(i ? &rule->session2 : &rule->session) = capture;
  }
  p->description->protocol.has_session = 1;
  return 0;
}

static int needs(uvow__parser_t *p, uvow__rule_t *rule, uint8_t capture,
                 uint8_t allowed, const char *what) {
  if (!capture || capture == UVOW__CAPTURE_ALL)
    return uvow__parse_fail(p, "a rule of kind %s needs \"%s\"",
                            uvow__parse_kind_name(rule->kind), what);
  rule->denied[capture] |= UVOW__ONLY(allowed);
  if (rule->denied[capture] == 0xFF)
    return uvow__parse_fail(p, "\"%s\" can't be what the tests make it", what);
  return 0;
}

/* A name of the rule's own, as JSON text. */
static int read_named(uvow__parser_t *p, json_t *json, uvow__rule_t *ret) {
  const char *named = uvow__parse_text(p, json, "named", 0);
  size_t len = named ? strlen(named) : 0;
  if (!named)
    return p->rc ? -1 : 0;
  if (!uvow__json_stands((uvow__slice_t){named, len}) || ret->name)
    return uvow__parse_fail(p, "\"named\" is plain text, instead of \"name\"");
  char *text = (char *)uvow__parse_take(p, len + 3);
  if (!text)
    return -1;
  text[0] = text[len + 1] = '"';
  memcpy(text + 1, named, len);
  ret->named = (uvow__slice_t){text, len + 2};
  return 0;
}

/* Invariant 1. */
static int check_parts(uvow__parser_t *p, uvow__rule_t *rule) {
  const uint8_t id = UVOW__KIND(NUMBER) | UVOW__KIND(STRING);
  switch (rule->kind) {
  case UVOW__MSG_OK:
  case UVOW__MSG_PARTIAL:
  case UVOW__MSG_END:
    return needs(p, rule, rule->id, UVOW__KINDS_ANY, "id");
  case UVOW__MSG_CANCEL:
    return needs(p, rule, rule->id, id, "id");
  case UVOW__MSG_CALL:
    if (needs(p, rule, rule->id, id, "id"))
      return -1;
    return rule->named.ptr
               ? 0
               : needs(p, rule, rule->name, UVOW__KIND(STRING), "name");
  case UVOW__MSG_EVENT:
    return rule->named.ptr
               ? 0
               : needs(p, rule, rule->name, UVOW__KIND(STRING), "name");
  default:
    return 0;
  }
}

static int read_kind(uvow__parser_t *p, json_t *json, uvow__rule_t *ret) {
  const char *is = uvow__parse_text(p, json, "is", 1);
  if (!is)
    return -1;
  for (size_t i = 0; i < UVOW__COUNT(kinds); i++) {
    ret->kind = kinds[i].kind;
    if (strcmp(is, kinds[i].name) == 0)
      return 0;
  }
  uvow__parse_enter(p, "is", 0);
  return uvow__parse_fail(p,
                          "\"%.40s\" is no kind: ok, error, partial, end, "
                          "event, call, cancel, control, ignore",
                          is);
}

static int read_reply(uvow__parser_t *p, json_t *json, uvow__rule_t *ret) {
  json_t *reply = json_object_get(json, "reply");
  if (!reply)
    return 0;
  uvow__parse_enter(p, "reply", 0);
  uvow__template_t *made =
      (uvow__template_t *)uvow__parse_take(p, sizeof(*made));
  if (ret->kind != UVOW__MSG_CONTROL)
    return uvow__parse_fail(p, "only control messages have a reply");
  if (!made ||
      uvow__parse_template(p, reply, UVOW__FOR_CONTROL, UVOW__KINDS_ANY, made))
    return -1;
  ret->reply = made;
  uvow__parse_leave(p);
  return 0;
}

/* Half of an answer. */
static int read_half(uvow__parser_t *p, json_t *json, uvow__rule_t *ret) {
  json_t *half = json_object_get(json, "half");
  if (!half)
    return 0;
  uvow__parse_enter(p, "half", 0);
  if (!json_is_boolean(half))
    return uvow__parse_fail(p, "it's true or false");
  if (ret->kind != UVOW__MSG_OK && ret->kind != UVOW__MSG_ERROR &&
      ret->kind != UVOW__MSG_END)
    return uvow__parse_fail(p, "halves of an answer are ok or error, and end");
  ret->half = json_is_true(half);
  uvow__parse_leave(p);
  return 0;
}

int uvow__parse_rule(uvow__parser_t *p, json_t *json, uvow__rule_t *ret) {
  static const char *const names[] = {
      "when", "is",      "id",    "name",        "value", "code", "message",
      "data", "session", "reply", "traceparent", "named", "half", NULL};
  json_t *when = json_object_get(json, "when");
  json_t *session = json_object_get(json, "session");
  if (!json_is_object(json))
    return uvow__parse_fail(p, "a rule is an object");
  if (uvow__parse_known(p, json, names) || read_kind(p, json, ret))
    return -1;
  uvow__parse_enter(p, "when", 0);
  if (when && uvow__parse_tests(p, when, ret))
    return -1;
  uvow__parse_leave(p);
  ret->id = part(p, json, "id");
  ret->name = part(p, json, "name");
  ret->value = part(p, json, "value");
  ret->traceparent = part(p, json, "traceparent");
  ret->error_code = part(p, json, "code");
  ret->error_message = part(p, json, "message");
  ret->error_data = part(p, json, "data");
  if (p->rc)
    return -1;
  ret->error_whole = whole_error(p, json);
  uvow__parse_enter(p, "session", 0);
  if (session && read_session(p, session, ret))
    return -1;
  uvow__parse_leave(p);
  if (p->rc || read_named(p, json, ret) || check_parts(p, ret) ||
      read_reply(p, json, ret))
    return -1;
  return read_half(p, json, ret);
}

static int has_test(const uvow__rule_t *rule, const uvow__test_t *test) {
  for (size_t i = 0; i < rule->test_count; i++)
    if (rule->tests[i].capture == test->capture &&
        rule->tests[i].how == test->how &&
        rule->tests[i].text.len == test->text.len &&
        memcmp(rule->tests[i].text.ptr, test->text.ptr, test->text.len) == 0)
      return 1;
  return 0;
}

/* Whether all that fits `rule` fits the earlier one. */
static int is_covered(const uvow__rule_t *earlier, const uvow__rule_t *rule) {
  for (size_t i = 0; i < UVOW__CAPTURES_MAX; i++)
    if (earlier->denied[i] & ~rule->denied[i])
      return 0;
  for (size_t i = 0; i < earlier->test_count; i++)
    if (!has_test(rule, &earlier->tests[i]))
      return 0;
  return 1;
}

/* Whether all that fits this error, and has its id, fits the earlier one. An
 * error without an id is about no request, which is seldom what's meant. */
static int is_hidden(const uvow__rule_t *earlier, const uvow__rule_t *rule) {
  uvow__rule_t with_id = *rule;
  if (rule->kind != UVOW__MSG_ERROR || rule->id <= UVOW__CAPTURE_ALL)
    return 0;
  with_id.denied[rule->id] |= UVOW__KIND(ABSENT) | UVOW__KIND(NULL);
  return is_covered(earlier, &with_id);
}

/* Whether a rule needs what is at this place, or below it. */
static int is_needed(const uvow__rule_t *rule, const uvow__place_t *place) {
  if (place->capture && rule->denied[place->capture] & UVOW__KIND(ABSENT))
    return 1;
  for (const uvow__place_t *at = place->below; at; at = at->next)
    if (is_needed(rule, at))
      return 1;
  return 0;
}

/* What is below a place says what it is: not both, nor what the tests say that
 * it isn't. */
static int check_place(uvow__parser_t *p, const uvow__rule_t *rule,
                       const uvow__place_t *place) {
  const uvow__place_t *member = NULL;
  const uvow__place_t *element = NULL;
  for (const uvow__place_t *at = place->below; at; at = at->next) {
    if (!is_needed(rule, at))
      continue;
    *(at->name ? &member : &element) = at;
    if (check_place(p, rule, at))
      return -1;
  }
  if (member && element)
    return uvow__parse_fail(p,
                            "nothing has both the member \"%.40s\" and the "
                            "element %u",
                            member->name, element->index);
  uint8_t denied = place->capture ? rule->denied[place->capture] : 0;
  if (member && denied & UVOW__KIND(OBJECT))
    return uvow__parse_fail(p, "what has the member \"%.40s\" is an object",
                            member->name);
  if (element && denied & UVOW__KIND(ARRAY))
    return uvow__parse_fail(p, "what has the element %u is an array",
                            element->index);
  return 0;
}

int uvow__parse_reachable(uvow__parser_t *p, const uvow__rule_t *rules,
                          size_t count) {
  for (size_t i = 0; i < count; i++) {
    uvow__parse_enter(p, NULL, i);
    if (check_place(p, &rules[i], &p->root))
      return -1;
    uvow__parse_leave(p);
  }
  for (size_t i = 1; i < count; i++) {
    for (size_t j = 0; j < i; j++) {
      if (is_hidden(&rules[j], &rules[i])) {
        uvow__parse_enter(p, NULL, i);
        return uvow__parse_fail(
            p,
            "error can't be told from %s: with its id, whatever fits this rule "
            "fits rule %zu first",
            uvow__parse_kind_name(rules[j].kind), j);
      }
      if (!is_covered(&rules[j], &rules[i]))
        continue;
      uvow__parse_enter(p, NULL, i);
      return uvow__parse_fail(
          p,
          "%s can't be told from %s: whatever fits this rule fits rule %zu "
          "first",
          uvow__parse_kind_name(rules[i].kind),
          uvow__parse_kind_name(rules[j].kind), j);
    }
  }
  return 0;
}
