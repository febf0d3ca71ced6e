#include "protocol/protocol.h"

#include "support/support.h"

#include <uvow/error.h>

#define P (&uvow__protocol_callback_id)

/* Decodes a copy without anything behind it, so that an over-read is seen. The
 * parts are rendered to text: the copy is gone. */
static int decode(const char *text, size_t len, uvow__msg_t *ret,
                  uvow__buf_t *out) {
  char *copy = (char *)malloc(len ? len : 1);
  assert_non_null(copy);
  memcpy(copy, text, len);
  int rc = uvow__protocol_decode(P, copy, len, ret);
  const uvow__slice_t *parts[] = {&ret->raw_id,          &ret->name,
                                  &ret->value,           &ret->session,
                                  &ret->error_code_text, &ret->error_message,
                                  &ret->error_data};
  for (size_t i = 0; rc == 0 && i < UVOW__COUNT(parts); i++) {
    assert_int_equal(uvow__buf_append(out, parts[i]->ptr, parts[i]->len), 0);
    assert_int_equal(uvow__buf_append(out, "|", 1), 0);
  }
  free(copy);
  return rc;
}

/* parts: id|name|value|session|code|message|data| */
typedef struct decode_case {
  const char *text;
  int kind; /* or UVOW_EENVELOPE */
  uint64_t id;
  const char *parts;
} decode_case_t;

static void check_decode(const decode_case_t *c) {
  uvow__msg_t msg;
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, 10000);
  int rc = decode(c->text, strlen(c->text), &msg, &out);
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

/* Nothing that is cut short is a message. */
static void check_prefixes(const char *text) {
  for (size_t len = 0; len < strlen(text); len++) {
    uvow__msg_t msg;
    assert_int_equal(decode(text, len, &msg, NULL), UVOW_EENVELOPE);
  }
}

/* expected: the text, or NULL: UVOW_EINVAL, and nothing appended. */
typedef struct encode_case {
  uvow__op_t op;
  const char *expected;
} encode_case_t;

static void check_encode(const encode_case_t *c) {
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, 10000);
  int rc = uvow__protocol_encode(P, &c->op, &out);
  assert_int_equal(uvow__buf_append(&out, "", 1), 0);
  assert_string_equal((const char *)uvow__buf_front(&out),
                      c->expected ? c->expected : "");
  assert_int_equal(rc, c->expected ? 0 : UVOW_EINVAL);
  uvow__buf_done(&out);
}

#define S(literal)                                                             \
  { literal, sizeof(literal) - 1 }
#define MALFORMED UVOW__MSG_MALFORMED
#define OK UVOW__MSG_OK
#define FAILED UVOW__MSG_ERROR
#define EVENT UVOW__MSG_EVENT
#define CALL UVOW__MSG_CALL
#define BAD UVOW_EENVELOPE

static const decode_case_t decode_cases[] = {
    /* the envelopes of the article */
    {"{\"result\":true,\"callback_id\":1,\"data\":[{\"name\":\"A\"}]}", OK, 1,
     "1||[{\"name\":\"A\"}]|||||"},
    {"{\"callback_id\":7,\"result\":true}", OK, 7, "7|||||||"},
    /* defect 4: result false is no success */
    {"{\"result\":false,\"callback_id\":2,\"data\":\"no such table\"}", FAILED,
     2, "2|||||\"no such table\"|\"no such table\"|"},
    {"{\"result\":false,\"callback_id\":2,\"data\":{\"code\":5}}", FAILED, 2,
     "2||||||{\"code\":5}|"},
    {"{\"result\":false,\"callback_id\":2}", FAILED, 2, "2|||||||"},
    /* events, whole or their data */
    {"{\"type\":\"news\",\"data\":{\"a\":1}}", EVENT, 0,
     "|\"news\"|{\"a\":1}|||||"},
    {" {\"type\":\"news\",\"text\":\"x\"}", EVENT, 0,
     "|\"news\"|{\"type\":\"news\",\"text\":\"x\"}|||||"},
    {"{\"type\":\"news\",\"result\":true}", EVENT, 0,
     "|\"news\"|{\"type\":\"news\",\"result\":true}|||||"},
    {"{\"type\":\"news\",\"callback_id\":null,\"data\":null}", EVENT, 0,
     "|\"news\"|null|||||"},
    /* calls: the method looks at its fields (defect 14: all of them are there)
     */
    {"{\"type\":\"get_customers\",\"limit\":5,\"callback_id\":3}", CALL, 3,
     "3|\"get_customers\"|{\"type\":\"get_customers\",\"limit\":5,\"callback_"
     "id\":3}|||||"},
    {"{\"type\":\"set\",\"result\":true,\"callback_id\":\"x\"}", CALL, 0,
     "\"x\"|\"set\"|{\"type\":\"set\",\"result\":true,\"callback_id\":\"x\"}|||"
     "||"},
    /* answers that are none keep their id */
    {"{\"result\":1,\"callback_id\":4,\"data\":5}", MALFORMED, 4, "4|||||||"},
    {"{\"result\":\"true\",\"callback_id\":4}", MALFORMED, 4, "4|||||||"},
    {"{\"callback_id\":4,\"data\":5}", MALFORMED, 4, "4|||||||"},
    {"{\"result\":null,\"callback_id\":4}", MALFORMED, 4, "4|||||||"},
    /* nothing at all (defect 6) */
    {"null", BAD, 0, NULL},
    {"{", BAD, 0, NULL},
    {"[]", BAD, 0, NULL},
    {"{}", BAD, 0, NULL},
    {"{\"result\":true,\"data\":1}", BAD, 0, NULL},
    {"{\"type\":5}", BAD, 0, NULL},
    {"{\"type\":5,\"callback_id\":1}", BAD, 0, NULL},
    {"{\"type\":\"t\",\"callback_id\":[1]}", BAD, 0, NULL},
    {"{\"result\":true,\"callback_id\":1,\"callback_id\":2}", BAD, 0, NULL},
    {"{\"result\":true,\"result\":false,\"callback_id\":1}", BAD, 0, NULL},
    {"{\"result\":true,\"callback_id\":1,\"data\":[}", BAD, 0, NULL},
    /* defect 7: no coercion */
    /* ids that are ours, and ids that are not */
    {"{\"result\":true,\"callback_id\":9007199254740991,\"data\":1}", OK,
     UINT64_C(9007199254740991), "9007199254740991||1|||||"},
    {"{\"result\":true,\"callback_id\":0,\"data\":1}", OK, 0, "0||1|||||"},
    {"{\"result\":true,\"callback_id\":9007199254740992,\"data\":1}", OK, 0,
     "9007199254740992||1|||||"},
    {"{\"result\":true,\"callback_id\":-1,\"data\":1}", OK, 0, "-1||1|||||"},
    {"{\"result\":true,\"callback_id\":1.0,\"data\":1}", OK, 0, "1.0||1|||||"},
    {"{\"result\":true,\"callback_id\":1e0,\"data\":1}", OK, 0, "1e0||1|||||"},
    {"{\"result\":true,\"callback_id\":\"1\",\"data\":1}", OK, 0,
     "\"1\"||1|||||"},
    {"{\"result\":true,\"callback_id\":[1],\"data\":1}", OK, 0, "[1]||1|||||"},
    {"{\"result\":true,\"callback_id\":{},\"data\":1}", OK, 0, "{}||1|||||"},
    {"{\"result\":true,\"callback_id\":true,\"data\":1}", OK, 0,
     "true||1|||||"},
    {"{\"result\":true,\"callback_id\":1E2,\"data\":1}", OK, 0, "1E2||1|||||"},
    {"{\"result\":true,\"callback_id\":-0,\"data\":1}", OK, 0, "-0||1|||||"},
    {"{\"result\":true,\"callback_id\":18446744073709551617,\"data\":1}", OK, 0,
     "18446744073709551617||1|||||"},
    {"{\"result\":true,\"callback_id\":100000000000000000000001,\"data\":1}",
     OK, 0, "100000000000000000000001||1|||||"},
    {"{\"result\":true,\"callback_id\":null,\"data\":1}", OK, 0,
     "null||1|||||"},
    {"{\"result\":true,\"callback_id\":01,\"data\":1}", BAD, 0, NULL},
};

static const encode_case_t encode_cases[] = {
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("get_customers")},
     "{\"type\":\"get_customers\",\"callback_id\":1}"},
    {{.kind = UVOW__OP_CALL,
      .id = 2,
      .method = S("get"),
      .params = S("{\"a\":1,\"b\":{\"type\":2}}")},
     "{\"type\":\"get\",\"a\":1,\"b\":{\"type\":2},\"callback_id\":2}"},
    {{.kind = UVOW__OP_CALL,
      .id = 3,
      .method = S("g"),
      .params = S(" { \"a\" : 1 } ")},
     "{\"type\":\"g\",\"a\" : 1 ,\"callback_id\":3}"},
    {{.kind = UVOW__OP_CALL, .id = 4, .method = S("g"), .params = S("{}")},
     "{\"type\":\"g\",\"callback_id\":4}"},
    {{.kind = UVOW__OP_CALL, .id = 4, .method = S("g"), .params = S("{ \n}")},
     "{\"type\":\"g\",\"callback_id\":4}"},
    {{.kind = UVOW__OP_NOTIFY, .method = S("n"), .params = S("{\"a\":[1]}")},
     "{\"type\":\"n\",\"a\":[1]}"},
    {{.kind = UVOW__OP_NOTIFY, .method = S("n")}, "{\"type\":\"n\"}"},
    {{.kind = UVOW__OP_REPLY, .raw_id = S("5"), .params = S("[]")},
     "{\"result\":true,\"callback_id\":5,\"data\":[]}"},
    {{.kind = UVOW__OP_REPLY, .raw_id = S("\"x\"")},
     "{\"result\":true,\"callback_id\":\"x\",\"data\":null}"},
    {{.kind = UVOW__OP_REPLY_ERROR,
      .raw_id = S("5"),
      .error_code = 1,
      .error_message = S("no \"x\"")},
     "{\"result\":false,\"callback_id\":5,\"data\":\"no \\\"x\\\"\"}"},
    {{.kind = UVOW__OP_REPLY_ERROR,
      .raw_id = S("5"),
      .error_message = S("m"),
      .error_data = S("{\"c\":1}")},
     "{\"result\":false,\"callback_id\":5,\"data\":{\"c\":1}}"},
    {{.kind = UVOW__OP_REPLY_ERROR, .raw_id = S("5")},
     "{\"result\":false,\"callback_id\":5,\"data\":null}"},
    {{.kind = UVOW__OP_EVENT, .method = S("news"), .params = S("\"x\"")},
     "{\"type\":\"news\",\"data\":\"x\"}"},
    /* defect 8: ids and types are not forged */
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("m"),
      .params = S("{\"callback_id\":7}")},
     NULL},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("m"),
      .params = S("{\"a\":1,\"type\":\"x\"}")},
     NULL},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("m"),
      .params = S("{\"\\u0063allback_id\":7}")},
     NULL},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("m"),
      .params = S("{\"t\\u0079pe\":1}")},
     NULL},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("m"),
      .params = S("{\"type\":1,\"type\":2}")},
     NULL},
    /* what is looked for may be a field, but not twice */
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("m"),
      .params = S("{\"data\":1,\"result\":2}")},
     "{\"type\":\"m\",\"data\":1,\"result\":2,\"callback_id\":1}"},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("m"),
      .params = S("{\"data\":1,\"x\":2,\"d\\u0061ta\":3}")},
     NULL},
    {{.kind = UVOW__OP_NOTIFY,
      .method = S("m"),
      .params = S("{\"result\":1,\"result\":1}")},
     NULL},
    /* fields are members of an object */
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .params = S("[]")},
     NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .params = S("5")},
     NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .params = S("null")},
     NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .params = S("{\"a\"}")},
     NULL},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("m"),
      .params = S("{\"a\":1,}")},
     NULL},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("m"),
      .params = S("{\"a\":1}}")},
     NULL},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("m"),
      .params = S("{\"a\":1},\"callback_id\":7")},
     NULL},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("m"),
      .params = S("{\"a\":1")},
     NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .params = S("{a:1}")},
     NULL},
    {{.kind = UVOW__OP_CALL, .id = 1}, NULL},
    {{.kind = UVOW__OP_REPLY, .params = S("1")}, NULL},
    {{.kind = UVOW__OP_REPLY_ERROR, .error_message = S("m")}, NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .session = S("s")},
     NULL},
};

static void decodes(void **state) {
  (void)state;
  for (size_t i = 0; i < UVOW__COUNT(decode_cases); i++)
    check_decode(&decode_cases[i]);
}

static void refuses_prefixes(void **state) {
  (void)state;
  for (size_t i = 0; i < UVOW__COUNT(decode_cases); i++)
    if (decode_cases[i].kind >= 0)
      check_prefixes(decode_cases[i].text);
}

static void encodes(void **state) {
  (void)state;
  for (size_t i = 0; i < UVOW__COUNT(encode_cases); i++)
    check_encode(&encode_cases[i]);
}

static void is_found_by_name(void **state) {
  (void)state;
  assert_ptr_equal(uvow_protocol_callback_id(), P);
  assert_ptr_equal(uvow_protocol_by_name("callback_id"), P);
  assert_string_equal(uvow_protocol_name(P), "callback_id");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(decodes),
      cmocka_unit_test(refuses_prefixes),
      cmocka_unit_test(encodes),
      cmocka_unit_test(is_found_by_name),
  };
  return cmocka_run_group_tests_name("protocol/callback_id", tests, NULL, NULL);
}
