/*
 * Opening steps and heartbeats: read and written as all other messages are.
 *
 * 1. A step that waits says of each message whether it's the one, refuses, or
 *    is about something else, which is then read by the rules.
 */
#include "opening.h"

#include <string.h>

#include <uvow/error.h>

static void take_picks(const uvow__step_t *step, const uvow__captures_t *found,
                       uvow__step_read_t *ret) {
  for (size_t i = 0; i < step->pick_count; i++) {
    const char *name = step->picks[i].name;
    uvow__slice_t json = uvow__capture_text(found, step->picks[i].capture);
    if (json.ptr)
      ret->picks[ret->pick_count++] = (uvow__var_t){{name, strlen(name)}, json};
  }
}

/* Takes as long wherever they differ: it may be a secret. */
static int is_same(uvow__slice_t a, uvow__slice_t b) {
  unsigned differ = a.len != b.len;
  for (size_t i = 0; i < a.len && i < b.len; i++)
    differ |= (unsigned char)(a.ptr[i] ^ b.ptr[i]);
  return a.len && !differ;
}

uvow__step_result_t uvow__step_read(const uvow_protocol_t *protocol,
                                    const uvow__step_t *step,
                                    uvow__slice_t same, const char *text,
                                    size_t len, uvow__step_read_t *ret) {
  uvow__captures_t found;
  uvow__slice_t none = {NULL, 0};
  ret->pick_count = 0;
  ret->message = none;
  if (step->send.count ||
      uvow__envelope_scan(protocol->root, text, len, &found))
    return UVOW__STEP_OTHER;
  if (uvow__rule_holds(&step->expect, &found)) {
    take_picks(step, &found, ret);
    if (!step->same.name || (step->same_if_set && !same.ptr) ||
        is_same(uvow__capture_text(&found, step->same.capture), same))
      return UVOW__STEP_DONE;
    return UVOW__STEP_REFUSED;
  }
  if (step->refusal.kind != UVOW__MSG_ERROR ||
      !uvow__rule_holds(&step->refusal, &found))
    return UVOW__STEP_OTHER;
  uint8_t message = step->refusal.error_message;
  if (uvow__capture_kind(&found, message) == UVOW__JSON_STRING)
    ret->message = uvow__capture_text(&found, message);
  return UVOW__STEP_REFUSED;
}

uvow__step_result_t uvow__step_meanwhile(const uvow_protocol_t *protocol,
                                         const uvow__step_t *step,
                                         const char *text, size_t len,
                                         uvow__step_read_t *ret,
                                         const uvow__step_t **ret_which) {
  uvow__captures_t found;
  ret->pick_count = 0;
  if (!step->meanwhile_count ||
      uvow__envelope_scan(protocol->root, text, len, &found))
    return UVOW__STEP_OTHER;
  for (size_t i = 0; i < step->meanwhile_count; i++) {
    if (!uvow__rule_holds(&step->meanwhile[i].expect, &found))
      continue;
    *ret_which = &step->meanwhile[i];
    take_picks(*ret_which, &found, ret);
    return UVOW__STEP_DONE;
  }
  return UVOW__STEP_OTHER;
}

const char *uvow__maker_gives(unsigned maker) {
  return maker == UVOW__MAKES_WAMPCRA ? "signature" : "authentication";
}

int uvow__step_write(const uvow_protocol_t *protocol,
                     const uvow__template_t *template, const uvow__op_t *op,
                     uvow__buf_t *out) {
  if (!template->count)
    return UVOW_EINVAL;
  return uvow__template_write(template, op->ids ? op->ids : &protocol->ids, op,
                              out);
}

int uvow__heartbeat_write(const uvow_protocol_t *protocol, const uvow__op_t *op,
                          uvow__buf_t *out) {
  if (!protocol->heartbeat || !protocol->heartbeat->message.count)
    return UVOW_EINVAL;
  return uvow__template_write(&protocol->heartbeat->message,
                              op->ids ? op->ids : &protocol->ids, op, out);
}
