/* Messages that can't be read: whose they are, why, and what to answer. */
#include "protocol/protocol.h"

#include "support/protocol_cases.h"

typedef struct bad_case {
  const char *text;
  int kind; /* or UVOW_EENVELOPE */
  uint64_t id;
  const char *raw_id; /* NULL: null is answered to */
  int fault;
  int64_t refusal; /* 0: none */
} bad_case_t;

#define ANSWER(text, id, raw, fault)                                           \
  { text, MALFORMED, id, raw, UVOW__FAULT_##fault, 0 }
#define EITHER(text, id, raw, fault, refusal)                                  \
  { text, MALFORMED, id, raw, UVOW__FAULT_##fault, refusal }
#define A_CALL(text, id, raw, fault, refusal)                                  \
  { text, BAD_CALL, id, raw, UVOW__FAULT_##fault, refusal }
#define NOTHING(text, fault, refusal)                                          \
  { text, BAD, 0, NULL, UVOW__FAULT_##fault, refusal }

#define V "{\"jsonrpc\":\"2.0\","

static const bad_case_t jsonrpc2_cases[] = {
    /* answers: the request is known, however the rest is broken */
    ANSWER(V "\"id\":7,\"result\":[}", 7, "7", SYNTAX),
    ANSWER(V "\"id\":7,\"result\":tru}", 7, "7", SYNTAX),
    ANSWER(V "\"id\":7,\"result\":{\"a\":\"", 7, "7", SYNTAX),
    ANSWER(V "\"id\":7,\"result\":1,\"result\":2}", 7, "7", TWICE),
    ANSWER(V "\"id\":7,\"result\":1,\"id\":7}", 7, "7", TWICE),
    ANSWER(V "\"id\":7,\"error\":{\"code\":1,\"code\":1}}", 7, "7", TWICE),
    ANSWER(V "\"id\":7,\"result\":1,\"error\":{\"code\":1}}", 7, "7", SHAPE),
    ANSWER("{\"id\":7,\"result\":1}", 7, "7", SHAPE),
    ANSWER("{\"id\":7,\"result\":[}", 7, "7", SYNTAX),
    /* whose id isn't whole, isn't there yet, or isn't ours: nobody's */
    NOTHING(V "\"result\":[},\"id\":7}", SYNTAX, -32700),
    NOTHING(V "\"result\":1,\"id\":7", SYNTAX, -32700),
    NOTHING(V "\"result\":1,\"id\":7x}", SYNTAX, -32700),
    ANSWER(V "\"result\":1}", 0, NULL, SHAPE),
    /* an answer, or a call without a method */
    EITHER(V "\"id\":7,\"methd\":\"echo\"}", 7, "7", SHAPE, -32600),
    EITHER(V "\"id\":\"x\",\"methd\":\"echo\"}", 0, "\"x\"", SHAPE, -32600),
    EITHER(V "\"id\":7,\"method\":\"echo\",\"result\":1}", 7, "7", SHAPE,
           -32600),
    EITHER(V "\"id\":7,", 7, "7", SYNTAX, -32700),
    /* calls: their id isn't ours */
    A_CALL("{\"id\":7,\"method\":\"echo\"}", 7, "7", SHAPE, -32600),
    A_CALL(V "\"id\":\"x\",\"method\":5}", 0, "\"x\"", SHAPE, -32600),
    A_CALL(V "\"id\":7,\"method\":\"m\",\"params\":5}", 7, "7", SHAPE, -32600),
    A_CALL(V "\"id\":7,\"params\":[]}", 7, "7", SHAPE, -32600),
    A_CALL(V "\"id\":{},\"method\":\"m\"}", 0, NULL, SHAPE, -32600),
    A_CALL(V "\"id\":7,\"params\":[}", 0, NULL, SYNTAX, -32700),
    A_CALL(V "\"id\":7,\"method\":\"m\",\"params\":[1,2", 0, NULL, SYNTAX,
           -32700),
    A_CALL(V "\"id\":7,\"method\":\"m\",\"method\":\"m\"}", 0, "7", TWICE,
           -32600),
    A_CALL(V "\"id\":7,\"method\":\"a\\u0000b\"}", 0, "7", NUL, -32600),
    /* the specification's examples */
    NOTHING(V "\"method\": \"foobar, \"params\": \"bar\", \"baz]", SYNTAX,
            -32700),
    A_CALL(V "\"method\":1,\"params\":\"bar\"}", 0, NULL, SHAPE, -32600),
    /* JSON, and no message */
    NOTHING("5", ROOT, -32600),
    NOTHING("\"x\"", ROOT, -32600),
    NOTHING("[1]", ROOT, -32600),
    NOTHING("{}", SHAPE, -32600),
    NOTHING("\xEF\xBB\xBF{}", SHAPE, -32600),
    /* no JSON */
    NOTHING("", SYNTAX, -32700),
    NOTHING("{", SYNTAX, -32700),
    NOTHING("{\"a\" 1}", SYNTAX, -32700),
    NOTHING("\xEF\xBB", SYNTAX, -32700),
    /* an event's name is a C string */
    NOTHING(V "\"method\":\"a\\u0000\"}", NUL, -32600),
};

static const bad_case_t cdp_cases[] = {
    ANSWER("{\"id\":7,\"result\":{},\"sessionId\":5}", 7, "7", SHAPE),
    EITHER("{\"id\":7}", 7, "7", SHAPE, -32600),
    A_CALL("{\"id\":7,\"method\":\"m\",\"params\":[]}", 7, "7", SHAPE, -32600),
};

static const bad_case_t callback_id_cases[] = {
    ANSWER("{\"result\":1,\"callback_id\":7}", 7, "7", SHAPE),
    ANSWER("{\"result\":true,\"callback_id\":7,\"data\":[}", 7, "7", SYNTAX),
    EITHER("{\"callback_id\":7}", 7, "7", SHAPE, -32600),
    A_CALL("{\"type\":5,\"callback_id\":7}", 7, "7", SHAPE, -32600),
};

/* A copy without anything behind it, so that an over-read is seen. */
static void check_bad(const uvow_protocol_t *protocol, const bad_case_t *c) {
  size_t len = strlen(c->text);
  char *copy = (char *)malloc(len ? len : 1);
  uvow__msg_t msg;
  assert_non_null(copy);
  memcpy(copy, c->text, len);
  int rc = uvow__protocol_decode(protocol, copy, len, &msg);
  int64_t refusal = rc == 0 && !msg.refusal ? 0 : msg.refusal_code;
  if ((rc ? rc : (int)msg.kind) != c->kind || msg.fault != c->fault ||
      refusal != c->refusal || msg.has_id != (msg.id != 0) ||
      (msg.kind == MALFORMED && msg.id != c->id))
    fail_msg("%s: %d, kind %d, fault %d, id %d, refusal %d", c->text, rc,
             (int)msg.kind, msg.fault, (int)msg.id, (int)refusal);
  if (c->raw_id)
    assert_true(uvow__slice_is(msg.raw_id, c->raw_id));
  else
    assert_null(msg.raw_id.ptr);
  assert_true(msg.fault_at <= len);
  assert_non_null(uvow__fault_text((uvow__fault_t)msg.fault));
  free(copy);
}

TEST_CASE(says_whose_it_is) {
  for (size_t i = 0; i < UVOW__COUNT(jsonrpc2_cases); i++)
    check_bad(uvow_protocol_by_name("jsonrpc2"), &jsonrpc2_cases[i]);
  for (size_t i = 0; i < UVOW__COUNT(cdp_cases); i++)
    check_bad(uvow_protocol_by_name("cdp"), &cdp_cases[i]);
  for (size_t i = 0; i < UVOW__COUNT(callback_id_cases); i++)
    check_bad(uvow_protocol_by_name("callback_id"), &callback_id_cases[i]);
}

/* What jansson takes is taken; above it the request is known. */
TEST_CASE(limits_depth) {
  for (size_t depth = 2047; depth < 2050; depth++) {
    char text[2 * 2050 + 50] = V "\"id\":7,\"result\":";
    size_t at = strlen(text);
    uvow__msg_t msg;
    memset(text + at, '[', depth);
    memset(text + at + depth, ']', depth);
    text[at + 2 * depth] = '}';
    assert_int_equal(uvow__protocol_decode(uvow_protocol_by_name("jsonrpc2"),
                                           text, at + 2 * depth + 1, &msg),
                     0);
    assert_int_equal(msg.id, 7);
    assert_int_equal(msg.kind, depth > 2048 ? MALFORMED : OK);
    assert_int_equal(msg.fault,
                     depth > 2048 ? UVOW__FAULT_DEEP : UVOW__FAULT_NONE);
    if (depth > 2048)
      assert_int_equal(msg.fault_at, at);
    text[at + depth] = '}'; /* what closes is another; it's not for depth */
    assert_int_equal(uvow__protocol_decode(uvow_protocol_by_name("jsonrpc2"),
                                           text, at + 2 * depth + 1, &msg),
                     0);
    assert_int_equal(msg.kind, MALFORMED);
    assert_int_equal(msg.fault,
                     depth > 2048 ? UVOW__FAULT_DEEP : UVOW__FAULT_SYNTAX);
  }
}

TEST_CASE(passes_a_byte_order_mark) {
  static const char text[] = "\xEF\xBB\xBF" V "\"id\":7,\"result\":1}";
  uvow__msg_t msg;
  assert_int_equal(uvow__protocol_decode(uvow_protocol_by_name("jsonrpc2"),
                                         text, sizeof(text) - 1, &msg),
                   0);
  assert_int_equal(msg.kind, OK);
  assert_int_equal(msg.id, 7);
}

/* Unknown members of an error are in its data; data of its own is left as it
 * is, and the whole is there beside it. */
TEST_CASE(keeps_unknown_members_of_errors) {
  static const struct {
    const char *error;
    const char *data; /* NULL: none; "": the whole */
  } cases[] = {
      {"{\"code\":1,\"message\":\"m\"}", NULL},
      {"{\"message\":\"{\\\"a\\\":1}\"}", NULL},
      {"{\"code\":1,\"message\":\"m\",\"stack\":\"at\"}", ""},
      {"{\"code\":1,\"stack\":{\"a\":[{\"b\":1}]},\"message\":\"m\"}", ""},
      {"{\"code\":1,\"message\":\"m\",\"data\":{\"x\":1},\"stack\":\"at\"}",
       "{\"x\":1}"},
      {"{}", NULL},
      {"{ \"stack\" : 1 }", ""},
  };
  for (size_t i = 0; i < UVOW__COUNT(cases); i++) {
    char text[200] = V "\"id\":7,\"error\":";
    const char *data = cases[i].data;
    uvow__msg_t msg;
    strcat(strcat(text, cases[i].error), "}");
    assert_int_equal(uvow__protocol_decode(uvow_protocol_by_name("jsonrpc2"),
                                           text, strlen(text), &msg),
                     0);
    assert_int_equal(msg.kind, FAILED);
    assert_true(uvow__slice_is(msg.error_whole, cases[i].error));
    if (data)
      assert_true(
          uvow__slice_is(msg.error_data, *data ? data : cases[i].error));
    else
      assert_null(msg.error_data.ptr);
  }
}

TEST_MODULE(malformed) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(says_whose_it_is),
      cmocka_unit_test(limits_depth),
      cmocka_unit_test(passes_a_byte_order_mark),
      cmocka_unit_test(keeps_unknown_members_of_errors),
  };
  return cmocka_run_group_tests_name("protocol/malformed", tests, NULL, NULL);
}
