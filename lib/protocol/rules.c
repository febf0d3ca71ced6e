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

#include "base/word.h"
#include "base/apart.h"
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
  return uvow__word((const char *)p);
}

/* The tests that a text is no matter of. */
static int suits(const uvow__test_t *test, uvow__slice_t raw) {
  if (test->how == UVOW__TEST_BEGINS)
    return uvow__json_string_begins(raw, test->text);
  return test->how == UVOW__TEST_ENDS ? uvow__json_string_ends(raw, test->text)
                                      : uvow__json_string_is(raw, test->text);
}

static inline int holds(const uvow__rule_t *rule,
                        const uvow__captures_t *found) {
  if ((load(rule->denied) & found->kinds[0]) |
      (load(rule->denied + 8) & found->kinds[1]))
    return 0;
  for (size_t i = 2; i < rule->groups; i++)
    if (load(rule->denied + 8 * i) & found->kinds[i])
      return 0;
  for (size_t i = 0; i < rule->test_count; i++) {
    const uvow__test_t *test = &rule->tests[i];
    uvow__slice_t raw = uvow__capture_text(found, test->capture);
    if (test->how == UVOW__TEST_IS ? !means(raw, test->text)
                                   : !suits(test, raw))
      return 0;
  }
  return 1;
}

int uvow__rule_holds(const uvow__rule_t *rule, const uvow__captures_t *found) {
  return holds(rule, found);
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

int uvow__ids_read(const uvow__ids_t *ids, uvow__slice_t raw,
                   uint64_t *ret_id) {
  const char *p = raw.ptr;
  size_t len = raw.len;
  uint64_t id = 0;
  if (len > 2 && *p == '"' && (ids->form != UVOW__IDS_NUMBER || ids->texts)) {
    p++;
    len -= 2;
    if (len <= ids->prefix_len ||
        (ids->prefix_len && memcmp(p, ids->prefix, ids->prefix_len) != 0))
      return 0;
    p += ids->prefix_len;
    len -= ids->prefix_len;
  } else if (ids->form != UVOW__IDS_NUMBER) {
    return 0;
  }
  if (len == 0 || *p == '0' || !read_digits(p, len, UVOW__ID_MAX, &id))
    return 0;
  *ret_id = id;
  return 1;
}

/* Whether an object has more members than these. */
static int has_more(uvow__slice_t object, unsigned known) {
  uvow__json_kind_t kind;
  unsigned count = 0;
  if (object.len < 2 || *object.ptr != '{')
    return 0;
  const char *end = object.ptr + object.len;
  for (const char *p = object.ptr + 1; p < end;) {
    if (*p == ':')
      count++;
    p = uvow__envelope_kind(*p) ? uvow__envelope_skip(p, end, &kind) : p + 1;
  }
  return count > known;
}

static inline int is_there(const uvow__captures_t *found, size_t capture) {
  return uvow__capture_kind(found, capture) != UVOW__JSON_ABSENT;
}

static void fill_error(const uvow__rule_t *rule, const uvow__captures_t *found,
                       uvow__msg_t *msg) {
  msg->error_data = uvow__capture_text(found, rule->error_data);
  msg->error_whole = uvow__capture_text(found, rule->error_whole);
  msg->error_code_text = uvow__capture_text(found, rule->error_code);
  msg->has_error_code =
      (uint8_t)read_code(msg->error_code_text, &msg->error_code);
  if (uvow__capture_kind(found, rule->error_message) == UVOW__JSON_STRING)
    msg->error_message = found->texts[rule->error_message];
  if (!msg->error_data.ptr &&
      has_more(msg->error_whole,
               (unsigned)(is_there(found, rule->error_code) +
                          is_there(found, rule->error_message))))
    msg->error_data = msg->error_whole;
  if (!msg->raw_id.ptr ||
      uvow__capture_kind(found, rule->id) == UVOW__JSON_NULL)
    msg->kind = UVOW__MSG_FAULT;
}

/* JSON-RPC 2.0, section 5.1; where codes are other ones, nobody sees these. */
static void refuse(uvow__msg_t *msg, uvow__fault_t fault) {
  msg->refusal_code = fault == UVOW__FAULT_SYNTAX ? -32700 : -32600;
  msg->refusal =
      fault == UVOW__FAULT_SYNTAX ? "Parse error" : "Invalid Request";
}

static void fill_malformed(const uvow__rule_t *rule, uvow__msg_t *msg,
                           uvow__fault_t fault) {
  msg->fault = (uint8_t)fault;
  if (rule->refuses || msg->kind == UVOW__MSG_BAD_CALL)
    refuse(msg, fault);
}

/* A number of ours, or one in a string. */
static inline void fill_id(const uvow__ids_t *ids, uvow__msg_t *msg) {
  uint64_t id;
  if (ids->form == UVOW__IDS_NUMBER && !ids->texts
          ? read_digits(msg->raw_id.ptr, msg->raw_id.len, UVOW__ID_MAX, &id) &&
                id
          : uvow__ids_read(ids, msg->raw_id, &id)) {
    msg->has_id = 1;
    msg->id = id;
  }
}

static inline void fill(const uvow__rule_t *rule, const uvow__captures_t *found,
                        const uvow__ids_t *ids, uvow__msg_t *ret) {
  static const uvow__msg_t empty;
  *ret = empty;
  ret->kind = (uvow__msg_kind_t)rule->kind;
  ret->value = uvow__capture_text(found, rule->value);
  ret->reply = rule->reply;
  if (rule->id) {
    ret->raw_id = uvow__capture_text(found, rule->id);
    fill_id(ids, ret);
  }
  ret->name = rule->name ? uvow__capture_text(found, rule->name) : rule->named;
  if (rule->session)
    ret->session = uvow__capture_text(found, rule->session);
  if (rule->session2)
    ret->session2 = uvow__capture_text(found, rule->session2);
  if (uvow__capture_kind(found, rule->traceparent) == UVOW__JSON_STRING)
    ret->traceparent = found->texts[rule->traceparent];
  ret->half = rule->half;
  if (rule->kind == UVOW__MSG_ERROR)
    fill_error(rule, found, ret);
  else if (rule->kind == UVOW__MSG_MALFORMED ||
           rule->kind == UVOW__MSG_BAD_CALL)
    fill_malformed(rule, ret, UVOW__FAULT_SHAPE);
}

static const uvow__rule_t *find_rule(const uvow_protocol_t *protocol,
                                     const uvow__captures_t *found) {
  const uvow__rule_t *rule = protocol->rules;
  const uvow__rule_t *last = rule + protocol->rule_count;
  while (rule < last && !holds(rule, found))
    rule++;
  return rule < last ? rule : NULL;
}

void uvow__protocol_fault(uvow__msg_t *ret, uvow__fault_t fault, size_t at) {
  static const uvow__msg_t empty;
  *ret = empty;
  ret->fault = (uint8_t)fault;
  ret->fault_at = at;
  refuse(ret, fault);
}

/* Nothing that the protocol knows. */
static int fail(uvow__msg_t *ret, uvow__fault_t fault, size_t at) {
  uvow__protocol_fault(ret, fault, at);
  return UVOW_EENVELOPE;
}

static int is_answer(unsigned kind) {
  return kind == UVOW__MSG_OK || kind == UVOW__MSG_ERROR ||
         kind == UVOW__MSG_PARTIAL || kind == UVOW__MSG_END ||
         kind == UVOW__MSG_MALFORMED;
}

/* A text that the scanner refused. What it would have been is told by what was
 * found before: an answer with an id of ours, a call with its own; anything
 * else is as good as nothing. */
static int salvage(const uvow_protocol_t *protocol, const uvow__ids_t *ids,
                   uvow__slice_t text, const uvow__captures_t *found,
                   uvow__msg_t *ret) {
  size_t at;
  uvow__fault_t fault =
      uvow__envelope_fault(protocol->root, text.ptr, text.len, found, &at);
  const uvow__rule_t *rule = find_rule(protocol, found);
  if (!rule)
    return fail(ret, fault, at);
  fill(rule, found, ids, ret);
  if (!uvow__envelope_is_whole(ret->raw_id, text.ptr + text.len)) {
    ret->raw_id = (uvow__slice_t){NULL, 0};
    ret->has_id = 0;
    ret->id = 0;
  }
  uvow__msg_t read = *ret;
  (void)fail(ret, fault, at);
  if (is_answer(rule->kind) && read.has_id) {
    ret->has_id = 1;
    ret->id = read.id;
    ret->raw_id = read.raw_id;
    ret->refusal = rule->refuses ? ret->refusal : NULL;
    return 0;
  }
  if (rule->kind != UVOW__MSG_CALL && rule->kind != UVOW__MSG_BAD_CALL)
    return UVOW_EENVELOPE;
  ret->kind = UVOW__MSG_BAD_CALL;
  if (fault != UVOW__FAULT_SYNTAX)
    ret->raw_id = read.raw_id;
  return 0;
}

/* C's strings end with a NUL, and names are C's strings. */
static int refuse_name(uvow__msg_t *msg) {
  if (msg->kind != UVOW__MSG_CALL)
    return fail(msg, UVOW__FAULT_NUL, 0);
  uvow__slice_t id = msg->raw_id;
  (void)fail(msg, UVOW__FAULT_NUL, 0);
  msg->kind = UVOW__MSG_BAD_CALL;
  msg->raw_id = id;
  return 0;
}

int uvow__protocol_ends(const uvow_protocol_t *protocol) {
  for (size_t i = 0; i < protocol->rule_count; i++)
    if (protocol->rules[i].kind == UVOW__MSG_END)
      return 1;
  return protocol->codec && protocol->codec->read;
}

int uvow__protocol_decode_by_rules(const uvow_protocol_t *protocol,
                                   const uvow__ids_t *ids, const char *text,
                                   size_t len, uvow__msg_t *ret) {
  uvow__captures_t found;
  if (uvow__envelope_scan(protocol->root, text, len, &found))
    return salvage(protocol, ids, (uvow__slice_t){text, len}, &found, ret);
  const uvow__rule_t *rule = find_rule(protocol, &found);
  if (!rule)
    return fail(ret, UVOW__FAULT_SHAPE, 0);
  fill(rule, &found, ids, ret);
  return ret->name.ptr && uvow__json_string_has_nul(ret->name)
             ? refuse_name(ret)
             : 0;
}

/* It isn't like that. */
UVOW__APART static int decode_unlike(const uvow_protocol_t *protocol,
                                     const uvow__ids_t *ids,
                                     uvow__op_kind_t like, const char *text,
                                     size_t len, uvow__msg_t *ret) {
  static const uvow__op_kind_t often[] = {UVOW__OP_REPLY, UVOW__OP_CALL,
                                          UVOW__OP_EVENT};
  const uvow__template_t *written = protocol->templates;
  for (size_t i = 0; i < UVOW__COUNT(often); i++)
    if (often[i] != like &&
        uvow__template_read(&written[often[i]], ids, text, len, ret))
      return 0;
  return uvow__protocol_decode_by_rules(protocol, ids, text, len, ret);
}

int uvow__protocol_decode_like(const uvow_protocol_t *protocol,
                               const uvow__ids_t *ids, uvow__op_kind_t like,
                               const char *text, size_t len, uvow__msg_t *ret) {
  return uvow__template_read(&protocol->templates[like], ids, text, len, ret)
             ? 0
             : decode_unlike(protocol, ids, like, text, len, ret);
}

int uvow__protocol_decode_as(const uvow_protocol_t *protocol,
                             const uvow__ids_t *ids, const char *text,
                             size_t len, uvow__msg_t *ret) {
  return uvow__protocol_decode_like(protocol, ids, UVOW__OP_REPLY, text, len,
                                    ret);
}

int uvow__protocol_decode(const uvow_protocol_t *protocol, const char *text,
                          size_t len, uvow__msg_t *ret) {
  return uvow__protocol_decode_as(protocol, &protocol->ids, text, len, ret);
}

const char *uvow__fault_text(uvow__fault_t fault) {
  switch (fault) {
  case UVOW__FAULT_SYNTAX:
    return "not valid JSON, or it ends too early";
  case UVOW__FAULT_DEEP:
    return "nested deeper than 2048 levels";
  case UVOW__FAULT_TWICE:
    return "a member of the envelope is there twice";
  case UVOW__FAULT_ROOT:
    return "JSON, but no envelope of this protocol";
  case UVOW__FAULT_NUL:
    return "a name with a NUL character";
  default:
    return "no message of this protocol";
  }
}

int uvow__protocol_control(const uvow_protocol_t *protocol,
                           const uvow__msg_t *msg, uvow__buf_t *out) {
  uvow__op_t op = {0};
  if (msg->kind != UVOW__MSG_CONTROL || !msg->reply)
    return UVOW_EINVAL;
  op.raw_id = msg->raw_id;
  op.params = msg->value;
  return uvow__template_write(msg->reply, &protocol->ids, &op, out);
}

const char *uvow__protocol_lacks(const uvow_protocol_t *protocol) {
  unsigned kinds = 0;
  if (protocol->codec)
    return NULL; /* it says what it can't when it's asked */
  if (!uvow__protocol_can(protocol, UVOW__OP_REPLY) &&
      !(uvow__protocol_can(protocol, UVOW__OP_PARTIAL) &&
        uvow__protocol_can(protocol, UVOW__OP_END)))
    return "reply, or partial and end";
  if (!uvow__protocol_can(protocol, UVOW__OP_REPLY_ERROR))
    return "reply_error";
  for (size_t i = 0; i < protocol->rule_count; i++)
    kinds |= 1u << protocol->rules[i].kind;
  return kinds & 1u << UVOW__MSG_CALL ? NULL : "a rule for calls";
}

/* ---- the public side ---- */

static const uvow_protocol_t *const protocols[] = {

    &uvow__protocol_jsonrpc2,
    &uvow__protocol_callback_id,
    &uvow__protocol_cdp,
    &uvow__protocol_graphql_transport_ws,
    &uvow__protocol_home_assistant,
    &uvow__protocol_lsp,
    &uvow__protocol_mcp,
    &uvow__protocol_obs5,
    &uvow__protocol_phoenix2,
    &uvow__protocol_wamp2,
    &uvow__protocol_webdriver_bidi};

/* What has no owner is never written to, whoever has a pointer to it. */
uvow_protocol_t *uvow_protocol_by_name(const char *name) {
  for (size_t i = 0; name && i < UVOW__COUNT(protocols); i++)
    if (strcmp(protocols[i]->name, name) == 0)
      return (uvow_protocol_t *)(uintptr_t)protocols[i];
  return NULL;
}

uvow_protocol_t *uvow_protocol_ref(uvow_protocol_t *protocol) {
  if (protocol && protocol->owner)
    atomic_fetch_add_explicit(&protocol->owner->refs, 1, memory_order_relaxed);
  return protocol;
}

void uvow_protocol_unref(uvow_protocol_t *protocol) {
  uvow__owner_t *owner = protocol ? protocol->owner : NULL;
  if (owner &&
      atomic_fetch_sub_explicit(&owner->refs, 1, memory_order_acq_rel) == 1)
    owner->release(owner);
}

const char *uvow_protocol_name(const uvow_protocol_t *protocol) {
  return protocol ? protocol->name : NULL;
}
