#include "protocol_cases.h"

/* Decodes a copy without anything behind it, so that an over-read is seen. The
 * parts are rendered to text: the copy is gone. */
static int decode(const uvow_protocol_t *protocol, const char *text, size_t len,
                  uvow__msg_t *ret, uvow__buf_t *out) {
  char *copy = (char *)malloc(len ? len : 1);
  assert_non_null(copy);
  memcpy(copy, text, len);
  int rc = uvow__protocol_decode(protocol, copy, len, ret);
  const uvow__slice_t *parts[] = {&ret->raw_id,          &ret->name,
                                  &ret->value,           &ret->session,
                                  &ret->error_code_text, &ret->error_message,
                                  &ret->error_data};
  int is_error = ret->kind == UVOW__MSG_ERROR || ret->kind == UVOW__MSG_FAULT;
  for (size_t i = 0; rc == 0 && i < UVOW__COUNT(parts); i++) {
    if (i >= 4 && !is_error) {
      assert_int_equal(uvow__buf_append(out, "|", 1), 0);
      continue;
    }
    assert_int_equal(uvow__buf_append(out, parts[i]->ptr, parts[i]->len), 0);
    assert_int_equal(uvow__buf_append(out, "|", 1), 0);
  }
  free(copy);
  return rc;
}

static void check_decode(const uvow_protocol_t *protocol,
                         const decode_case_t *c) {
  uvow__msg_t msg;
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, 10000);
  int rc = decode(protocol, c->text, strlen(c->text), &msg, &out);
  if ((rc ? rc : (int)msg.kind) != c->kind)
    fail_msg("%d, kind %d: %s", rc, rc ? -1 : (int)msg.kind, c->text);
  if (rc == 0) {
    assert_int_equal(msg.id, c->id);
    assert_int_equal(msg.has_id, c->id != 0);
    assert_int_equal(uvow__buf_append(&out, "", 1), 0);
    assert_string_equal((const char *)uvow__buf_front(&out), c->parts);
  }
  uvow__buf_done(&out);
}

void check_decodes(const uvow_protocol_t *protocol, const decode_case_t *cases,
                   size_t count) {
  for (size_t i = 0; i < count; i++)
    check_decode(protocol, &cases[i]);
}

void check_prefixes(const uvow_protocol_t *protocol, const decode_case_t *cases,
                    size_t count) {
  for (size_t i = 0; i < count; i++) {
    size_t whole = cases[i].kind >= 0 ? strlen(cases[i].text) : 0;
    for (size_t len = 0; len < whole; len++) {
      uvow__msg_t msg;
      uvow__buf_t out;
      uvow__buf_init(&out, &uvow__mem_default, 10000);
      int rc = decode(protocol, cases[i].text, len, &msg, &out);
      uvow__buf_done(&out);
      if (msg.fault != UVOW__FAULT_TWICE)
        assert_int_equal(msg.fault, UVOW__FAULT_SYNTAX);
      if (rc == 0 && msg.kind == UVOW__MSG_MALFORMED)
        assert_int_equal(msg.id, cases[i].id);
      else if (rc == 0)
        assert_int_equal(msg.kind, UVOW__MSG_BAD_CALL);
      else
        assert_int_equal(rc, BAD);
    }
  }
}

/* With less room than it needs, it's an error, and nothing is written. */
static void check_room(const uvow_protocol_t *protocol, const uvow__op_t *op,
                       size_t len) {
  for (size_t max = 0; max <= len; max++) {
    uvow__buf_t out;
    uvow__buf_init(&out, &uvow__mem_default, max);
    int rc = uvow__protocol_encode(protocol, op, &out);
    assert_int_equal(rc, max < len ? UVOW_EOVERLOAD : 0);
    assert_int_equal(uvow__buf_size(&out), max < len ? 0 : len);
    uvow__buf_done(&out);
  }
}

void check_encode(const uvow_protocol_t *protocol, const encode_case_t *one) {
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, 10000);
  int rc = uvow__protocol_encode(protocol, &one->op, &out);
  assert_int_equal(uvow__buf_append(&out, "", 1), 0);
  assert_string_equal((const char *)uvow__buf_front(&out),
                      one->expected ? one->expected : "");
  assert_int_equal(rc, one->expected ? 0 : UVOW_EINVAL);
  uvow__buf_done(&out);
  if (one->expected)
    check_room(protocol, &one->op, strlen(one->expected));
}

void check_encodes(const uvow_protocol_t *protocol, const encode_case_t *cases,
                   size_t count) {
  for (size_t i = 0; i < count; i++)
    check_encode(protocol, &cases[i]);
}
