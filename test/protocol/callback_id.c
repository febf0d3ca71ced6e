#include "protocol/protocol.h"

#include "support/protocol_cases.h"

#define P (&uvow__protocol_callback_id)

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
    {"{\"result\":true,\"data\":1}", MALFORMED, 0, "|||||||"},
    {"{\"type\":5}", BAD, 0, NULL},
    {"{\"type\":5,\"callback_id\":1}", BAD_CALL, 1, "1|||||||"},
    {"{\"type\":\"t\",\"callback_id\":[1]}", BAD, 0, NULL},
    {"{\"result\":true,\"callback_id\":1,\"callback_id\":2}", MALFORMED, 1,
     "1|||||||"},
    {"{\"result\":true,\"result\":false,\"callback_id\":1}", BAD, 0, NULL},
    {"{\"result\":true,\"callback_id\":1,\"data\":[}", MALFORMED, 1,
     "1|||||||"},
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

TEST_CASE(decodes) {
  check_decodes(P, decode_cases, UVOW__COUNT(decode_cases));
}

TEST_CASE(refuses_prefixes) {
  check_prefixes(P, decode_cases, UVOW__COUNT(decode_cases));
}

TEST_CASE(encodes) {
  check_encodes(P, encode_cases, UVOW__COUNT(encode_cases));
}

TEST_CASE(is_found_by_name) {
  assert_ptr_equal(uvow_protocol_by_name("callback_id"), P);
  assert_ptr_equal(uvow_protocol_by_name("callback_id"), P);
  assert_string_equal(uvow_protocol_name(P), "callback_id");
}

TEST_MODULE(callback_id) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(decodes),
      cmocka_unit_test(refuses_prefixes),
      cmocka_unit_test(encodes),
      cmocka_unit_test(is_found_by_name),
  };
  return cmocka_run_group_tests_name("protocol/callback_id", tests, NULL, NULL);
}
