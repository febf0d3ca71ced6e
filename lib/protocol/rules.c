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
  if (rule->kind == UVOW__MSG_ERROR)
    fill_error(rule, found, ret);
}

int uvow__protocol_decode(const uvow_protocol_t *protocol, const char *text,
                          size_t len, uvow__msg_t *ret) {
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

/* ---- writing ---- */

static int put(uvow__buf_t *out, uvow__slice_t text) {
  return uvow__buf_append(out, text.ptr, text.len);
}

/* JSON text of one of the kinds a piece allows: 0 or UVOW_EINVAL. */
static int check_json(const uvow__piece_t *piece, uvow__slice_t text,
                      uvow__slice_t *ret_text) {
  uvow__json_kind_t kind;
  uvow__slice_t trimmed;
  if (!uvow__json_utf8(text) || uvow__envelope_value(text, &kind, &trimmed) ||
      !(piece->kinds & (unsigned)kind))
    return UVOW_EINVAL;
  *ret_text = trimmed;
  return 0;
}

static int put_json(const uvow__piece_t *piece, uvow__slice_t text,
                    uvow__buf_t *out) {
  uvow__slice_t trimmed;
  int rc = check_json(piece, text, &trimmed);
  if (rc == 0)
    rc = put(out, piece->before);
  return rc ? rc : put(out, trimmed);
}

/* The members of an object, none of them reserved. */
static int put_fields(const uvow__piece_t *piece, uvow__slice_t text,
                      uvow__buf_t *out) {
  uvow__captures_t found;
  uvow__slice_t object;
  if (check_json(piece, text, &object))
    return UVOW_EINVAL;
  size_t count = UVOW__CAPTURE_FIRST + (size_t)piece->reserved->key_count;
  if (uvow__envelope_scan(piece->reserved, object.ptr, object.len, &found))
    return UVOW_EINVAL;
  for (size_t i = UVOW__CAPTURE_FIRST; i < count; i++)
    if (uvow__capture_kind(&found, i) != UVOW__JSON_ABSENT)
      return UVOW_EINVAL;
  size_t at = 1;
  while (strchr(" \t\r\n", object.ptr[at]) && object.ptr[at])
    at++;
  if (object.ptr[at] == '}')
    return 0;
  int rc = put(out, piece->before);
  return rc ? rc : uvow__buf_append(out, object.ptr + at, object.len - at - 1);
}

static int put_string(const uvow__piece_t *piece, uvow__slice_t text,
                      uvow__buf_t *out) {
  int rc = put(out, piece->before);
  return rc ? rc : uvow__json_escape(out, text);
}

static int put_id(const uvow__piece_t *piece, const uvow__op_t *op,
                  uvow__buf_t *out) {
  if (op->raw_id.len)
    return put_json(piece, op->raw_id, out);
  if (op->id > UVOW__ID_MAX)
    return UVOW_EINVAL;
  int rc = put(out, piece->before);
  return rc ? rc : uvow__buf_append_u64(out, op->id);
}

static int put_code(const uvow__piece_t *piece, const uvow__op_t *op,
                    uvow__buf_t *out) {
  int rc = put(out, piece->before);
  return rc ? rc : uvow__buf_append_i64(out, op->error_code);
}

/* Whether the operation has nothing for this piece. */
static int lacks(const uvow__piece_t *piece, const uvow__op_t *op) {
  switch ((uvow__piece_kind_t)piece->kind) {
  case UVOW__PUT_ID:
    return op->raw_id.len == 0 && op->id == 0;
  case UVOW__PUT_METHOD:
    return op->method.ptr == NULL;
  case UVOW__PUT_PARAMS:
  case UVOW__PUT_FIELDS:
    return op->params.len == 0;
  case UVOW__PUT_SESSION:
    return op->session.len == 0;
  case UVOW__PUT_ERROR_MESSAGE:
    return op->error_message.ptr == NULL;
  case UVOW__PUT_ERROR_DATA:
    return op->error_data.len == 0;
  case UVOW__PUT_ERROR_DATA_OR_MESSAGE:
    return op->error_data.len == 0 && op->error_message.ptr == NULL;
  case UVOW__PUT_TEXT:
  case UVOW__PUT_ERROR_CODE:
    break;
  }
  return 0;
}

static int put_present(const uvow__piece_t *piece, const uvow__op_t *op,
                       uvow__buf_t *out) {
  switch ((uvow__piece_kind_t)piece->kind) {
  case UVOW__PUT_TEXT:
    return put(out, piece->before);
  case UVOW__PUT_ID:
    return put_id(piece, op, out);
  case UVOW__PUT_METHOD:
    return put_string(piece, op->method, out);
  case UVOW__PUT_PARAMS:
    return put_json(piece, op->params, out);
  case UVOW__PUT_FIELDS:
    return put_fields(piece, op->params, out);
  case UVOW__PUT_SESSION:
    return put_string(piece, op->session, out);
  case UVOW__PUT_ERROR_CODE:
    return put_code(piece, op, out);
  case UVOW__PUT_ERROR_MESSAGE:
    return put_string(piece, op->error_message, out);
  case UVOW__PUT_ERROR_DATA:
    return put_json(piece, op->error_data, out);
  case UVOW__PUT_ERROR_DATA_OR_MESSAGE:
    return op->error_data.len ? put_json(piece, op->error_data, out)
                              : put_string(piece, op->error_message, out);
  }
  return UVOW_EINVAL;
}

static int put_piece(const uvow__piece_t *piece, const uvow__op_t *op,
                     uvow__buf_t *out) {
  if (!lacks(piece, op))
    return put_present(piece, op, out);
  if (piece->absent == UVOW__ABSENT_OMITS)
    return 0;
  if (piece->absent == UVOW__ABSENT_FAILS)
    return UVOW_EINVAL;
  int rc = put(out, piece->before);
  return rc ? rc : uvow__buf_append(out, "null", 4);
}

int uvow__protocol_encode(const uvow_protocol_t *protocol, const uvow__op_t *op,
                          uvow__buf_t *out) {
  if ((unsigned)op->kind >= UVOW__OP_KINDS ||
      !uvow__protocol_can(protocol, op->kind) ||
      (op->session.len && !protocol->has_session))
    return UVOW_EINVAL;
  const uvow__template_t *template = &protocol->templates[op->kind];
  size_t size = uvow__buf_size(out);
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < template->count; i++)
    rc = put_piece(&template->pieces[i], op, out);
  if (rc)
    out->len = out->off + size;
  return rc;
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
