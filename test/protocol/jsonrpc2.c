#include "protocol/protocol.h"

#include "support/protocol_cases.h"

#define P (&uvow__protocol_jsonrpc2)

static const decode_case_t decode_cases[] = {
    /* the envelopes of the specification */
    {"{\"jsonrpc\":\"2.0\",\"id\":123,\"result\":{\"x\":81}}", OK, 123,
     "123||{\"x\":81}|||||"},
    {"{\"result\": -19, \"id\": 2, \"jsonrpc\": \"2.0\"}", OK, 2,
     "2||-19|||||"},
    {"{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32601, \"message\": "
     "\"Method not found\"}, \"id\": 1}",
     FAILED, 1, "1||||-32601|\"Method not found\"||"},
    {"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"Parse "
     "error\"},\"id\":null}",
     FAULT, 0, "null||||-32700|\"Parse error\"||"},
    {"{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"Parse "
     "error\"}}",
     FAULT, 0, "||||-32700|\"Parse error\"||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"message\":\"m\\n\",\"data\":["
     "1,{}],\"code\":7}}",
     FAILED, 4, "4||||7|\"m\\n\"|[1,{}]|"},
    {"{\"jsonrpc\": \"2.0\", \"method\": \"update\", \"params\": [1,2]}", EVENT,
     0, "|\"update\"|[1,2]|||||"},
    {"{\"jsonrpc\": \"2.0\", \"method\": \"foobar\"}", EVENT, 0,
     "|\"foobar\"||||||"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"params\":{\"a\":1},\"id\":"
     "\"x\"}",
     CALL, 0, "\"x\"|\"sum\"|{\"a\":1}|||||"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"id\":null}", CALL, 0,
     "null|\"sum\"||||||"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"sum\",\"id\":9}", CALL, 9,
     "9|\"sum\"||||||"},
    /* Deribit */
    {"{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":\"ok\",\"usIn\":1,\"usOut\":2,"
     "\"usDiff\":1,\"testnet\":false}",
     OK, 5, "5||\"ok\"|||||"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":"
     "\"c\",\"data\":[]}}",
     EVENT, 0, "|\"subscription\"|{\"channel\":\"c\",\"data\":[]}|||||"},
    /* the outcome that is null does not count */
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"error\":null}", OK, 1,
     "1||1|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}", OK, 1, "1||null|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null,\"error\":null}", OK, 1,
     "1||null|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null,\"error\":{\"code\":1}}",
     FAILED, 1, "1||||1|||"},
    /* errors that are odd are errors still */
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}", FAILED, 1, "1|||||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":\"E\",\"message\":5}}",
     FAILED, 1, "1||||\"E\"|||"},
    /* answers that are none keep their id */
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"error\":{\"code\":1}}",
     MALFORMED, 1, "1|||||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1}", MALFORMED, 1, "1|||||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":null}", MALFORMED, 1, "1|||||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":\"boom\"}", MALFORMED, 1,
     "1|||||||"},
    {"{\"id\":1,\"result\":1}", MALFORMED, 1, "1|||||||"},
    {"{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":1}", MALFORMED, 1, "1|||||||"},
    {"{\"jsonrpc\":2.0,\"id\":1,\"result\":1}", MALFORMED, 1, "1|||||||"},
    /* escapes are no disguise */
    {"{\"jsonrpc\":\"2\\u002e0\",\"\\u0069d\":1,\"r\\u0065sult\":1}", OK, 1,
     "1||1|||||"},
    /* calls that are none keep nothing: their id is not ours */
    {"{\"method\":\"m\",\"id\":1}", BAD_CALL, 1, "1|||||||"},
    {"{\"jsonrpc\":\"2.0\",\"method\":5,\"id\":1}", BAD_CALL, 1, "1|||||||"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":5,\"id\":1}", BAD_CALL,
     1, "1|||||||"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":null}", EVENT, 0,
     "|\"m\"|null|||||"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":{}}", BAD_CALL, 0,
     "|||||||"},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":1,\"result\":1}", MALFORMED,
     1, "1|||||||"},
    /* no envelopes (defect 6 of the seed) */
    {"null", BAD, 0, NULL},
    {"", BAD, 0, NULL},
    {"5", BAD, 0, NULL},
    {"{", BAD, 0, NULL},
    {"[]", BAD, 0, NULL},
    {"{}", BAD, 0, NULL},
    {"{\"jsonrpc\":\"2.0\",\"result\":1}", MALFORMED, 0, "|||||||"},
    {"[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}]", BAD, 0, NULL},
    /* two ids, two results */
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"id\":2}", MALFORMED, 1,
     "1|||||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"result\":2}", MALFORMED, 1,
     "1|||||||"},
    /* ids that are ours, and ids that are not */
    {"{\"jsonrpc\":\"2.0\",\"id\":9007199254740991,\"result\":1}", OK,
     UINT64_C(9007199254740991), "9007199254740991||1|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":1}", OK, 0, "0||1|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":9007199254740992,\"result\":1}", OK, 0,
     "9007199254740992||1|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":-1,\"result\":1}", OK, 0, "-1||1|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1.0,\"result\":1}", OK, 0, "1.0||1|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1e0,\"result\":1}", OK, 0, "1e0||1|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":1}", OK, 0, "\"1\"||1|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":[1],\"result\":1}", OK, 0, "[1]||1|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":{},\"result\":1}", OK, 0, "{}||1|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":true,\"result\":1}", OK, 0, "true||1|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1E2,\"result\":1}", OK, 0, "1E2||1|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":-0,\"result\":1}", OK, 0, "-0||1|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":18446744073709551617,\"result\":1}", OK, 0,
     "18446744073709551617||1|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":100000000000000000000001,\"result\":1}", OK,
     0, "100000000000000000000001||1|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":1}", OK, 0, "null||1|||||"},
    {"{\"jsonrpc\":\"2.0\",\"id\":01,\"result\":1}", BAD, 0, NULL},
};

static const encode_case_t encode_cases[] = {
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("subtract"),
      .params = S("[42,23]")},
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subtract\",\"params\":[42,23]"
     "}"},
    {{.kind = UVOW__OP_CALL,
      .id = UVOW__ID_MAX,
      .method = S("m"),
      .params = S(" {\"a\":1}\n")},
     "{\"jsonrpc\":\"2.0\",\"id\":9007199254740991,\"method\":\"m\",\"params\":"
     "{\"a\":1}}"},
    {{.kind = UVOW__OP_CALL, .id = 3, .method = S("a\"\n")},
     "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"a\\\"\\n\"}"},
    {{.kind = UVOW__OP_NOTIFY, .method = S("update"), .params = S("{}")},
     "{\"jsonrpc\":\"2.0\",\"method\":\"update\",\"params\":{}}"},
    {{.kind = UVOW__OP_EVENT, .method = S("")},
     "{\"jsonrpc\":\"2.0\",\"method\":\"\"}"},
    {{.kind = UVOW__OP_REPLY, .raw_id = S("\"x\""), .params = S("5")},
     "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":5}"},
    {{.kind = UVOW__OP_REPLY, .raw_id = S("1.50")},
     "{\"jsonrpc\":\"2.0\",\"id\":1.50,\"result\":null}"},
    {{.kind = UVOW__OP_REPLY, .raw_id = S("null"), .params = S("\"s\"")},
     "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":\"s\"}"},
    {{.kind = UVOW__OP_REPLY_ERROR,
      .raw_id = S("7"),
      .error_code = -32601,
      .error_message = S("no \"m\""),
      .error_data = S("{\"a\":[]}")},
     "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32601,\"message\":"
     "\"no \\\"m\\\"\",\"data\":{\"a\":[]}}}"},
    {{.kind = UVOW__OP_REPLY_ERROR,
      .error_code = INT64_MIN,
      .error_message = S("")},
     "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-"
     "9223372036854775808,\"message\":\"\"}}"},
    /* params of the wrong kind, or more than params */
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .params = S("5")},
     NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .params = S("\"s\"")},
     NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .params = S("null")},
     NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .params = S("true")},
     NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .params = S("{")},
     NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .params = S("{}}")},
     NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .params = S("[1")},
     NULL},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("m"),
      .params = S("{},\"id\":7")},
     NULL},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("m"),
      .params = S("[1],\"id\":7")},
     NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .params = S("{]")},
     NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .params = S(" ")},
     NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .params = S("[\"")},
     NULL},
    /* no method, no id, no UTF-8, no session, no such operation */
    {{.kind = UVOW__OP_CALL, .id = 1}, NULL},
    {{.kind = UVOW__OP_CALL, .method = S("m")}, NULL},
    {{.kind = UVOW__OP_CALL, .id = UVOW__ID_MAX + 1, .method = S("m")}, NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("\xff")}, NULL},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("m"),
      .params = S("[\"\xc0\x80\"]")},
     NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .session = S("s")},
     NULL},
    {{.kind = UVOW__OP_CANCEL, .id = 1, .method = S("m")},
     "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\","
     "\"params\":{\"id\":1}}"},
    {{.kind = UVOW__OP_KINDS, .id = 1}, NULL},
    {{.kind = UVOW__OP_REPLY, .params = S("1")}, NULL},
    {{.kind = UVOW__OP_REPLY, .raw_id = S("[1]")}, NULL},
    {{.kind = UVOW__OP_REPLY, .raw_id = S("1,\"result\":2")}, NULL},
    {{.kind = UVOW__OP_REPLY_ERROR, .raw_id = S("1")}, NULL},
    {{.kind = UVOW__OP_REPLY_ERROR,
      .raw_id = S("1"),
      .error_message = S("m"),
      .error_data = S("{")},
     NULL},
};

TEST_CASE(decodes) {
  check_decodes(P, decode_cases, UVOW__COUNT(decode_cases));
}

TEST_CASE(refuses_prefixes) {
  check_prefixes(P, decode_cases, UVOW__COUNT(decode_cases));
}

TEST_CASE(encodes) {
  check_encodes(P, encode_cases, UVOW__COUNT(encode_cases));
}

/* W3C trace context: a member beside params, of calls and notifications, by
 * template and by rule alike; of another kind it's none. */
TEST_CASE(reads_a_traceparent) {
  static const struct {
    const char *text;
    int kind;
    const char *traceparent;
  } cases[] = {
      {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":[1],"
       "\"traceparent\":\"00-x\"}",
       CALL, "\"00-x\""},
      {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"traceparent\":\"\"}",
       CALL, "\"\""},
      {"{\"traceparent\":\"00-x\",\"jsonrpc\":\"2.0\",\"method\":\"m\"}", EVENT,
       "\"00-x\""},
      {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"traceparent\":5}",
       CALL, ""},
      {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}", CALL, ""},
      {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"traceparent\":\"x\"}", OK,
       ""},
  };
  for (size_t i = 0; i < UVOW__COUNT(cases); i++)
    for (int by_rules = 0; by_rules < 2; by_rules++) {
      uvow__msg_t msg;
      size_t len = strlen(cases[i].text);
      int rc = by_rules ? uvow__protocol_decode_by_rules(
                              P, &P->ids, cases[i].text, len, &msg)
                        : uvow__protocol_decode(P, cases[i].text, len, &msg);
      assert_int_equal(rc, 0);
      assert_int_equal(msg.kind, cases[i].kind);
      assert_int_equal(msg.traceparent.len, strlen(cases[i].traceparent));
      assert_memory_equal(msg.traceparent.ptr, cases[i].traceparent,
                          msg.traceparent.len);
    }
}

TEST_CASE(writes_a_traceparent) {
  encode_case_t c = {{.kind = UVOW__OP_CALL,
                      .id = 1,
                      .method = S("m"),
                      .params = S("[1]"),
                      .traceparent = S("00-x")},
                     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\","
                     "\"params\":[1],\"traceparent\":\"00-x\"}"};
  check_encode(P, &c);
  c.op.params = (uvow__slice_t){NULL, 0};
  c.expected =
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\","
      "\"traceparent\":\"00-x\"}";
  check_encode(P, &c);
  c.op.traceparent.len = 0;
  c.expected = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}";
  check_encode(P, &c);
}

TEST_CASE(is_found_by_name) {
  assert_ptr_equal(uvow_protocol_by_name("jsonrpc2"), P);
  assert_ptr_equal(uvow_protocol_by_name("jsonrpc2"), P);
  assert_string_equal(uvow_protocol_name(P), "jsonrpc2");
}

TEST_MODULE(jsonrpc2) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(decodes),
      cmocka_unit_test(refuses_prefixes),
      cmocka_unit_test(encodes),
      cmocka_unit_test(reads_a_traceparent),
      cmocka_unit_test(writes_a_traceparent),
      cmocka_unit_test(is_found_by_name),
  };
  return cmocka_run_group_tests_name("protocol/jsonrpc2", tests, NULL, NULL);
}
