/*
 * Opening steps and heartbeats: read and written as all other messages are.
 *
 * 1. A step that waits says of each message whether it's the one, refuses, or
 *    is about something else, which is then read by the rules.
 */
#include "opening.h"

#include <string.h>

#include <uvow/error.h>

uvow__step_result_t uvow__step_read(const uvow_protocol_t *protocol,
                                    const uvow__step_t *step, const char *text,
                                    size_t len, uvow__step_read_t *ret) {
  uvow__captures_t found;
  uvow__slice_t none = {NULL, 0};
  ret->pick_count = 0;
  ret->message = none;
  if (step->send.count ||
      uvow__envelope_scan(protocol->root, text, len, &found))
    return UVOW__STEP_OTHER;
  if (uvow__rule_holds(&step->expect, &found)) {
    for (size_t i = 0; i < step->pick_count; i++) {
      const char *name = step->picks[i].name;
      uvow__slice_t json = uvow__capture_text(&found, step->picks[i].capture);
      if (json.ptr)
        ret->picks[ret->pick_count++] =
            (uvow__var_t){{name, strlen(name)}, json};
    }
    return UVOW__STEP_DONE;
  }
  if (step->refusal.kind != UVOW__MSG_ERROR ||
      !uvow__rule_holds(&step->refusal, &found))
    return UVOW__STEP_OTHER;
  uint8_t message = step->refusal.error_message;
  if (uvow__capture_kind(&found, message) == UVOW__JSON_STRING)
    ret->message = uvow__capture_text(&found, message);
  return UVOW__STEP_REFUSED;
}

int uvow__step_write(const uvow_protocol_t *protocol, const uvow__step_t *step,
                     const uvow__op_t *op, uvow__buf_t *out) {
  if (!step->send.count)
    return UVOW_EINVAL;
  return uvow__template_write(&step->send, op->ids ? op->ids : &protocol->ids,
                              op, out);
}

int uvow__heartbeat_write(const uvow_protocol_t *protocol, const uvow__op_t *op,
                          uvow__buf_t *out) {
  if (!protocol->heartbeat || !protocol->heartbeat->message.count)
    return UVOW_EINVAL;
  return uvow__template_write(&protocol->heartbeat->message,
                              op->ids ? op->ids : &protocol->ids, op, out);
}
