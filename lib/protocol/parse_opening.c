/*
 * Opening steps and heartbeats of a description.
 *
 * 1. What a step picks must be there, or the step isn't done; but for what a
 *    question mark is behind.
 */
#include "parse.h"

#include <string.h>

#define MEANWHILE_MAX 8

static int read_pick(uvow__parser_t *p, json_t *pick, uvow__step_t *step) {
  const char *name;
  json_t *pointer;
  if (!json_is_object(pick))
    return uvow__parse_fail(p,
                            "what is picked is {\"variable\": \"/pointer\"}");
  json_object_foreach(pick, name, pointer) {
    const char *text = uvow__parse_text(p, pick, name, 1);
    if (step->pick_count == UVOW__PICKS_MAX)
      return uvow__parse_fail(p, "a step picks at most %d values",
                              UVOW__PICKS_MAX);
    uvow__pick_t *to = &step->picks[step->pick_count++];
    (void)pointer;
    size_t len = strlen(name);
    int is_optional = len > 0 && name[len - 1] == '?';
    to->name = uvow__parse_copy(p, name, len - (size_t)is_optional);
    to->capture = text ? uvow__parse_capture(p, uvow__parse_place(p, text)) : 0;
    if (p->rc)
      return -1;
    if (!is_optional)
      step->expect.denied[to->capture] |= UVOW__KIND(ABSENT);
  }
  return 0;
}

/* Tests in a member: 0, also if it isn't there. */
static int read_tests(uvow__parser_t *p, json_t *json, const char *name,
                      uvow__rule_t *ret) {
  json_t *tests = json_object_get(json, name);
  if (!tests)
    return 0;
  uvow__parse_enter(p, name, 0);
  if (json_object_size(tests) == 0)
    return uvow__parse_fail(p, "without tests, any message would do");
  if (uvow__parse_tests(p, tests, ret))
    return -1;
  uvow__parse_leave(p);
  return 0;
}

/* Who makes a variable of what was picked. */
static int read_maker(uvow__parser_t *p, json_t *json, uvow__step_t *ret) {
  const char *make = uvow__parse_text(p, json, "make", 0);
  if (!make)
    return p->rc ? -1 : 0;
  if (strcmp(make, "obs5") == 0)
    ret->makes = UVOW__MAKES_OBS5;
  else if (strcmp(make, "wampcra") == 0)
    ret->makes = UVOW__MAKES_WAMPCRA;
  else if (strcmp(make, "obs5_asks") == 0)
    ret->makes = UVOW__MAKES_OBS5_ASKS;
  else
    return uvow__parse_fail(p,
                            "what is made is \"obs5\", \"obs5_asks\" or "
                            "\"wampcra\"");
  return 0;
}

static int read_send(uvow__parser_t *p, json_t *send, uvow__step_t *ret) {
  uvow__parse_enter(p, "send", 0);
  if (uvow__parse_template(p, send, UVOW__FOR_OPENING, UVOW__KINDS_ANY,
                           &ret->send))
    return -1;
  uvow__parse_leave(p);
  return 0;
}

static int read_other(uvow__parser_t *p, json_t *json, uvow__step_t *ret) {
  static const char *const names[] = {"when", "pick", "make", "send", NULL};
  json_t *send = json_object_get(json, "send");
  json_t *pick = json_object_get(json, "pick");
  if (!json_is_object(json) || !send || !json_object_get(json, "when"))
    return uvow__parse_fail(p, "it has \"when\", and \"send\"");
  if (uvow__parse_known(p, json, names) ||
      read_tests(p, json, "when", &ret->expect))
    return -1;
  uvow__parse_enter(p, "pick", 0);
  if (pick && read_pick(p, pick, ret))
    return -1;
  uvow__parse_leave(p);
  return read_maker(p, json, ret) || read_send(p, send, ret) ? -1 : 0;
}

/* What may come before what is expected, and is answered. */
static int read_meanwhile(uvow__parser_t *p, json_t *json, uvow__step_t *ret) {
  json_t *list = json_object_get(json, "meanwhile");
  size_t count = json_array_size(list);
  if (!list)
    return 0;
  uvow__parse_enter(p, "meanwhile", 0);
  if (!json_is_array(list) || count == 0 || count > MEANWHILE_MAX)
    return uvow__parse_fail(p, "it's an array of 1 to %d messages",
                            MEANWHILE_MAX);
  uvow__step_t *others =
      (uvow__step_t *)uvow__parse_take(p, count * sizeof(*others));
  for (size_t i = 0; others && i < count; i++) {
    uvow__parse_enter(p, NULL, i);
    if (read_other(p, json_array_get(list, i), &others[i]))
      return -1;
    uvow__parse_leave(p);
  }
  ret->meanwhile = others;
  ret->meanwhile_count = (uint8_t)count;
  uvow__parse_leave(p);
  return p->rc ? -1 : 0;
}

/* {"token": "/access_token"}: that must be what the variable is. */
static int read_same(uvow__parser_t *p, json_t *json, uvow__step_t *ret) {
  json_t *same = json_object_get(json, "same");
  json_t *otherwise = json_object_get(json, "otherwise");
  uvow__step_t picked;
  if (same) {
    memset(&picked, 0, sizeof(picked));
    uvow__parse_enter(p, "same", 0);
    if (json_object_size(same) != 1)
      return uvow__parse_fail(p, "it's {\"variable\": \"/pointer\"}");
    if (read_pick(p, same, &picked))
      return -1;
    uvow__parse_leave(p);
    ret->same = picked.picks[0];
    ret->same_if_set = !picked.expect.denied[ret->same.capture];
    if (!ret->same_if_set)
      ret->expect.denied[ret->same.capture] |= UVOW__KIND(ABSENT);
  }
  uvow__parse_enter(p, "otherwise", 0);
  if (otherwise && uvow__parse_template(p, otherwise, UVOW__FOR_OPENING,
                                        UVOW__KINDS_ANY, &ret->otherwise))
    return -1;
  uvow__parse_leave(p);
  return 0;
}

/* A close code of the application's, or of the protocol's own. */
static int read_code(uvow__parser_t *p, json_t *code, uint16_t *ret) {
  json_int_t value = json_integer_value(code);
  if (value < 1000 || value > 4999 || (value >= 1004 && value <= 1006) ||
      (value > 1014 && value < 3000))
    return uvow__parse_fail(p,
                            "a close code is 1000 to 4999, but those that "
                            "can't be sent (1004 to 1006, 1015 to 2999)");
  *ret = (uint16_t)value;
  uvow__parse_leave(p);
  return 0;
}

static int read_close(uvow__parser_t *p, json_t *json, const char *name,
                      uint16_t *ret) {
  json_t *code = json_object_get(json, name);
  if (!code)
    return 0;
  uvow__parse_enter(p, name, 0);
  return read_code(p, code, ret);
}

/* A base's are replaced. */
static int read_final(uvow__parser_t *p, json_t *closes, uint16_t *ret) {
  json_t *list = json_object_get(closes, "final");
  size_t count = json_array_size(list);
  if (!list)
    return 0;
  uvow__parse_enter(p, "final", 0);
  if (!json_is_array(list) || count > UVOW__FINAL_MAX)
    return uvow__parse_fail(p, "it's an array of at most %d close codes",
                            UVOW__FINAL_MAX);
  memset(ret, 0, UVOW__FINAL_MAX * sizeof(*ret));
  for (size_t i = 0; i < count; i++) {
    uvow__parse_enter(p, NULL, i);
    if (read_code(p, json_array_get(list, i), &ret[i]))
      return -1;
  }
  uvow__parse_leave(p);
  return 0;
}

/* What is sent has nothing that is about what is expected. */
static int only_sends(uvow__parser_t *p, json_t *json) {
  const char *name;
  json_t *value;
  json_object_foreach(json, name, value) {
    if (strcmp(name, "send") == 0 || strcmp(name, "make") == 0)
      continue;
    uvow__parse_enter(p, name, 0);
    return uvow__parse_fail(p, "only a step that expects something has this");
  }
  return 0;
}

static int read_step(uvow__parser_t *p, json_t *json, uvow__step_t *ret) {
  static const char *const names[] = {
      "send", "expect",    "pick",  "refuse", "message", "meanwhile", "make",
      "same", "otherwise", "close", "late",   "ask",     NULL};
  json_t *send = json_object_get(json, "send");
  json_t *expect = json_object_get(json, "expect");
  json_t *pick = json_object_get(json, "pick");
  const char *message = uvow__parse_text(p, json, "message", 0);
  if (!json_is_object(json) || !send == !expect)
    return uvow__parse_fail(p, "a step has \"send\", or \"expect\"");
  if (uvow__parse_known(p, json, names))
    return -1;
  if (send)
    return only_sends(p, json) || read_maker(p, json, ret) ||
                   read_send(p, send, ret)
               ? -1
               : 0;
  ret->asks = json_is_true(json_object_get(json, "ask"));
  if (read_close(p, json, "close", &ret->close) ||
      read_close(p, json, "late", &ret->late))
    return -1;
  if (read_tests(p, json, "expect", &ret->expect) ||
      read_tests(p, json, "refuse", &ret->refusal))
    return -1;
  if (json_object_get(json, "refuse"))
    ret->refusal.kind = UVOW__MSG_ERROR;
  if (message)
    ret->refusal.error_message =
        uvow__parse_capture(p, uvow__parse_place(p, message));
  uvow__parse_enter(p, "pick", 0);
  if (pick && read_pick(p, pick, ret))
    return -1;
  uvow__parse_leave(p);
  if (p->rc || read_maker(p, json, ret) || read_same(p, json, ret))
    return -1;
  return read_meanwhile(p, json, ret);
}

/* The application has but one step. */
static int check_asks(uvow__parser_t *p, const uvow__step_t *steps,
                      size_t count) {
  size_t asks = 0;
  for (size_t i = 0; i < count; i++)
    asks += steps[i].asks;
  return asks < 2 ? 0 : uvow__parse_fail(p, "at most one step has \"ask\"");
}

static int read_steps(uvow__parser_t *p, json_t *json, const char *name,
                      const uvow__step_t **ret_steps, size_t *ret_count) {
  json_t *open = json_object_get(json, name);
  size_t count = json_array_size(open);
  if (!open)
    return 0;
  uvow__parse_enter(p, name, 0);
  if (!json_is_array(open))
    return uvow__parse_fail(p, "opening steps are an array");
  uvow__step_t *steps =
      (uvow__step_t *)uvow__parse_take(p, (count + 1) * sizeof(*steps));
  for (size_t i = 0; steps && i < count; i++) {
    uvow__parse_enter(p, NULL, i);
    if (read_step(p, json_array_get(open, i), &steps[i]))
      return -1;
    uvow__parse_leave(p);
  }
  *ret_steps = steps;
  *ret_count = count;
  if (steps && check_asks(p, steps, count))
    return -1;
  uvow__parse_leave(p);
  return p->rc ? -1 : 0;
}

int uvow__parse_open(uvow__parser_t *p, json_t *json) {
  uvow_protocol_t *protocol = &p->description->protocol;
  if (read_steps(p, json, "open", &protocol->steps, &protocol->step_count))
    return -1;
  return read_steps(p, json, "accept", &protocol->accepts,
                    &protocol->accept_count);
}

int uvow__parse_closes(uvow__parser_t *p, json_t *json) {
  static const char *const names[] = {"malformed", "early", "twice",
                                      "again",     "final", NULL};
  uvow__closes_t *ret = &p->description->protocol.closes;
  json_t *closes = json_object_get(json, "closes");
  if (!closes)
    return 0;
  uvow__parse_enter(p, "closes", 0);
  if (!json_is_object(closes))
    return uvow__parse_fail(p, "it's an object of close codes");
  if (uvow__parse_known(p, closes, names) ||
      read_close(p, closes, names[0], &ret->malformed) ||
      read_close(p, closes, names[1], &ret->early) ||
      read_close(p, closes, names[2], &ret->twice) ||
      read_close(p, closes, names[3], &ret->again) ||
      read_final(p, closes, ret->final))
    return -1;
  if ((ret->early || ret->again) && !p->description->protocol.accept_count)
    return uvow__parse_fail(p,
                            "without \"accept\", nobody is early, nor let "
                            "in again");
  uvow__parse_leave(p);
  return 0;
}

int uvow__parse_heartbeat(uvow__parser_t *p, json_t *json) {
  static const char *const names[] = {"every_ms", "call", "send", NULL};
  json_t *heartbeat = json_object_get(json, "heartbeat");
  json_t *every = json_object_get(heartbeat, "every_ms");
  json_t *send = json_object_get(heartbeat, "send");
  if (!heartbeat)
    return 0;
  uvow__parse_enter(p, "heartbeat", 0);
  uvow__heartbeat_t *made =
      (uvow__heartbeat_t *)uvow__parse_take(p, sizeof(*made));
  const char *call = uvow__parse_text(p, heartbeat, "call", 0);
  if (!made || uvow__parse_known(p, heartbeat, names))
    return -1;
  if (!json_is_integer(every) || json_integer_value(every) < 1 ||
      json_integer_value(every) > UINT32_MAX)
    return uvow__parse_fail(p, "\"every_ms\" is a number of milliseconds");
  if (!call == !send)
    return uvow__parse_fail(p, "a heartbeat has \"call\", or \"send\"");
  made->every_ms = (uint32_t)json_integer_value(every);
  if (call)
    made->method = uvow__parse_copy(p, call, strlen(call));
  uvow__parse_enter(p, "send", 0);
  if (send && uvow__parse_template(p, send, UVOW__FOR_OPENING, UVOW__KINDS_ANY,
                                   &made->message))
    return -1;
  uvow__parse_leave(p);
  uvow__parse_leave(p);
  p->description->protocol.heartbeat = made;
  return p->rc ? -1 : 0;
}
