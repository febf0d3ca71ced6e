/*
 * Opening steps and heartbeats of a description.
 *
 * 1. What a step picks must be there, or the step isn't done; but for what a
 *    question mark is behind.
 */
#include "parse.h"

#include <string.h>

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

static int read_step(uvow__parser_t *p, json_t *json, uvow__step_t *ret) {
  static const char *const names[] = {"send",   "expect",  "pick",
                                      "refuse", "message", NULL};
  json_t *send = json_object_get(json, "send");
  json_t *expect = json_object_get(json, "expect");
  json_t *pick = json_object_get(json, "pick");
  const char *message = uvow__parse_text(p, json, "message", 0);
  if (!json_is_object(json) || !send == !expect)
    return uvow__parse_fail(p, "a step has \"send\", or \"expect\"");
  if (uvow__parse_known(p, json, names))
    return -1;
  if (send) {
    uvow__parse_enter(p, "send", 0);
    if (uvow__parse_template(p, send, UVOW__FOR_OPENING, UVOW__KINDS_ANY,
                             &ret->send))
      return -1;
    uvow__parse_leave(p);
    return 0;
  }
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
  return p->rc ? -1 : 0;
}

int uvow__parse_open(uvow__parser_t *p, json_t *json) {
  uvow_protocol_t *protocol = &p->description->protocol;
  json_t *open = json_object_get(json, "open");
  size_t count = json_array_size(open);
  if (!open)
    return 0;
  uvow__parse_enter(p, "open", 0);
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
  protocol->steps = steps;
  protocol->step_count = count;
  uvow__parse_leave(p);
  return p->rc ? -1 : 0;
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
