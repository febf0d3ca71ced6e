/*
 * Protocols that are data: templates write messages, rules read them.
 *
 * 1. The first rule whose tests all hold says what a message is.
 * 2. An id is ours only as a JSON integer from 1 to 2^53-1, in its one
 *    spelling: "1", 1.0, [1] and null are answers to nothing of ours.
 * 3. Encoding appends all or nothing, and no operation's content can end up
 *    outside its place in the message.
 *
 * It knows no protocol: those are in the files beside this one.
 */
#include "rules.h"

#include <string.h>

#include <uvow/error.h>

#include "protocol.h"
#include "wire/json_text.h"

/* ---- reading ---- */

/* Whether raw is this text, or a string that means the same. */
static inline int means(uvow__slice_t raw, uvow__slice_t text) {
  if (raw.len == text.len && memcmp(raw.ptr, text.ptr, text.len) == 0)
    return 1;
  if (text.len < 2 || text.ptr[0] != '"')
    return 0;
  return uvow__json_string_is(raw, (uvow__slice_t){text.ptr + 1, text.len - 2});
}

/* 8 sets of kinds, the first one lowest, as in captures. */
static inline uint64_t load(const uint8_t *p) {
  return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 |
         (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 |
         (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static inline int holds(const uvow__rule_t *rule,
                        const uvow__captures_t *found) {
  if ((load(rule->denied) & found->kinds[0]) |
      (load(rule->denied + 8) & found->kinds[1]))
    return 0;
  for (size_t i = 0; i < rule->test_count; i++)
    if (!means(uvow__capture_text(found, rule->tests[i].capture),
               rule->tests[i].text))
      return 0;
  return 1;
}

/* Decimal digits, at most max: 1 and the number, or 0. The scanner has seen
 * that no number begins with a needless 0. */
static inline int read_digits(const char *p, size_t len, uint64_t max,
                              uint64_t *ret) {
  uint64_t number = 0;
  if (len == 0 || len > 19)
    return 0; /* 19 digits always fit */
  for (const char *end = p + len; p < end; p++) {
    unsigned digit = (unsigned)(unsigned char)*p - '0';
    if (digit > 9)
      return 0;
    number = number * 10 + digit;
  }
  *ret = number;
  return number <= max;
}

static int read_code(uvow__slice_t text, int64_t *ret) {
  uint64_t number = 0;
  size_t sign = text.len > 0 && text.ptr[0] == '-';
  if (text.len == 0 || !read_digits(text.ptr + sign, text.len - sign,
                                    (uint64_t)INT64_MAX + sign, &number))
    return 0;
  if (!sign)
    *ret = (int64_t)number;
  else
    *ret = number > INT64_MAX ? INT64_MIN : -(int64_t)number;
  return 1;
}

static void fill_error(const uvow__rule_t *rule, const uvow__captures_t *found,
                       uvow__msg_t *msg) {
  msg->error_data = uvow__capture_text(found, rule->error_data);
  msg->error_code_text = uvow__capture_text(found, rule->error_code);
  msg->has_error_code =
      (uint8_t)read_code(msg->error_code_text, &msg->error_code);
  if (uvow__capture_kind(found, rule->error_message) == UVOW__JSON_STRING)
    msg->error_message = found->texts[rule->error_message];
}

static inline void fill(const uvow__rule_t *rule, const uvow__captures_t *found,
                        uvow__msg_t *ret) {
  static const uvow__msg_t empty;
  uint64_t id;
  *ret = empty;
  ret->kind = (uvow__msg_kind_t)rule->kind;
  ret->value = uvow__capture_text(found, rule->value);
  if (rule->id) {
    ret->raw_id = uvow__capture_text(found, rule->id);
    if (read_digits(ret->raw_id.ptr, ret->raw_id.len, UVOW__ID_MAX, &id) &&
        id) {
      ret->has_id = 1;
      ret->id = id;
    }
  }
  if (rule->name)
    ret->name = uvow__capture_text(found, rule->name);
  if (rule->session)
    ret->session = uvow__capture_text(found, rule->session);
  if (uvow__capture_kind(found, rule->traceparent) == UVOW__JSON_STRING)
    ret->traceparent = found->texts[rule->traceparent];
  if (rule->kind == UVOW__MSG_ERROR)
    fill_error(rule, found, ret);
}

int uvow__protocol_decode_by_rules(const uvow_protocol_t *protocol,
                                   const char *text, size_t len,
                                   uvow__msg_t *ret) {
  uvow__captures_t found;
  int rc = uvow__envelope_scan(protocol->root, text, len, &found);
  if (rc)
    return rc;
  const uvow__rule_t *rule = protocol->rules;
  const uvow__rule_t *last = rule + protocol->rule_count;
  while (rule < last && !holds(rule, &found))
    rule++;
  if (rule == last)
    return UVOW_EENVELOPE;
  fill(rule, &found, ret);
  return 0;
}

int uvow__protocol_decode(const uvow_protocol_t *protocol, const char *text,
                          size_t len, uvow__msg_t *ret) {
  const uvow__template_t *written = protocol->templates;
  /* What comes most often, first. */
  if (uvow__template_read(&written[UVOW__OP_REPLY], text, len, ret) ||
      uvow__template_read(&written[UVOW__OP_CALL], text, len, ret) ||
      uvow__template_read(&written[UVOW__OP_EVENT], text, len, ret))
    return 0;
  return uvow__protocol_decode_by_rules(protocol, text, len, ret);
}

/* ---- the public side ---- */

static const uvow_protocol_t *const protocols[] = {
    &uvow__protocol_jsonrpc2, &uvow__protocol_callback_id, &uvow__protocol_cdp};

const uvow_protocol_t *uvow_protocol_by_name(const char *name) {
  for (size_t i = 0; name && i < UVOW__COUNT(protocols); i++)
    if (strcmp(protocols[i]->name, name) == 0)
      return protocols[i];
  return NULL;
}

const char *uvow_protocol_name(const uvow_protocol_t *protocol) {
  return protocol ? protocol->name : NULL;
}
