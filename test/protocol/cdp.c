#include "protocol/protocol.h"

#include "support/protocol_cases.h"

#define P (&uvow__protocol_cdp)

static const decode_case_t decode_cases[] = {
    /* as Chrome sends them */
    {"{\"id\":1,\"result\":{\"frameId\":\"F\"},\"sessionId\":\"S\"}", OK, 1,
     "1||{\"frameId\":\"F\"}|\"S\"||||"},
    {"{\"id\":2,\"result\":{}}", OK, 2, "2||{}|||||"},
    {"{\"id\":3,\"error\":{\"code\":-32601,\"message\":\"'X' wasn't "
     "found\"},\"sessionId\":\"S\"}",
     FAILED, 3, "3|||\"S\"|-32601|\"'X' wasn't found\"||"},
    {"{\"id\":3,\"error\":{\"code\":-32000,\"message\":\"m\",\"data\":\"d\"}}",
     FAILED, 3, "3||||-32000|\"m\"|\"d\"|"},
    {"{\"error\":{\"code\":-32700,\"message\":\"Message must be a valid "
     "JSON\"}}",
     FAULT, 0, "||||-32700|\"Message must be a valid JSON\"||"},
    {"{\"method\":\"Page.loadEventFired\",\"params\":{\"timestamp\":1.5},"
     "\"sessionId\":\"S\"}",
     EVENT, 0, "|\"Page.loadEventFired\"|{\"timestamp\":1.5}|\"S\"||||"},
    {"{\"method\":\"Inspector.detached\"}", EVENT, 0,
     "|\"Inspector.detached\"||||||"},
    {"{\"id\":5,\"method\":\"Page.enable\",\"params\":{},\"sessionId\":\"S\"}",
     CALL, 5, "5|\"Page.enable\"|{}|\"S\"||||"},
    {"{\"id\":5,\"method\":\"Page.enable\"}", CALL, 5,
     "5|\"Page.enable\"||||||"},
    /* answers that are none keep their id */
    {"{\"id\":1}", MALFORMED, 1, "1|||||||"},
    {"{\"id\":1,\"result\":{},\"error\":{}}", MALFORMED, 1, "1|||||||"},
    {"{\"id\":1,\"result\":{},\"sessionId\":5}", MALFORMED, 1, "1|||||||"},
    {"{\"id\":1,\"error\":7,\"sessionId\":\"S\"}", MALFORMED, 1, "1|||||||"},
    {"{\"id\":1,\"method\":\"m\",\"result\":{}}", BAD_CALL, 1, "1|||||||"},
    {"{\"id\":1,\"method\":\"m\",\"params\":[]}", BAD_CALL, 1, "1|||||||"},
    {"{\"method\":5}", BAD_CALL, 0, "|||||||"},
    {"{\"sessionId\":\"S\",\"result\":{}}", MALFORMED, 0, "|||||||"},
    {"{\"id\":1,\"result\":{},\"sessionId\":\"S\",\"sessionId\":\"T\"}",
     MALFORMED, 1, "1|||||||"},
    {"null", BAD, 0, NULL},
    {"[]", BAD, 0, NULL},
    /* ids that are ours, and ids that are not */
    {"{\"result\":{},\"id\":9007199254740991}", OK, UINT64_C(9007199254740991),
     "9007199254740991||{}|||||"},
    {"{\"result\":{},\"id\":0}", OK, 0, "0||{}|||||"},
    {"{\"result\":{},\"id\":9007199254740992}", OK, 0,
     "9007199254740992||{}|||||"},
    {"{\"result\":{},\"id\":-1}", OK, 0, "-1||{}|||||"},
    {"{\"result\":{},\"id\":1.0}", OK, 0, "1.0||{}|||||"},
    {"{\"result\":{},\"id\":1e0}", OK, 0, "1e0||{}|||||"},
    {"{\"result\":{},\"id\":\"1\"}", OK, 0, "\"1\"||{}|||||"},
    {"{\"result\":{},\"id\":[1]}", OK, 0, "[1]||{}|||||"},
    {"{\"result\":{},\"id\":{}}", OK, 0, "{}||{}|||||"},
    {"{\"result\":{},\"id\":true}", OK, 0, "true||{}|||||"},
    {"{\"result\":{},\"id\":1E2}", OK, 0, "1E2||{}|||||"},
    {"{\"result\":{},\"id\":-0}", OK, 0, "-0||{}|||||"},
    {"{\"result\":{},\"id\":18446744073709551617}", OK, 0,
     "18446744073709551617||{}|||||"},
    {"{\"result\":{},\"id\":100000000000000000000001}", OK, 0,
     "100000000000000000000001||{}|||||"},
    {"{\"result\":{},\"id\":null}", OK, 0, "null||{}|||||"},
    {"{\"result\":{},\"id\":01}", BAD, 0, NULL},
};

static const encode_case_t encode_cases[] = {
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("Page.enable"),
      .params = S("{}"),
      .session = S("S\"")},
     "{\"id\":1,\"method\":\"Page.enable\",\"params\":{},\"sessionId\":"
     "\"S\\\"\"}"},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("Page.enable")},
     "{\"id\":1,\"method\":\"Page.enable\"}"},
    {{.kind = UVOW__OP_REPLY,
      .raw_id = S("1"),
      .params = S("{\"a\":1}"),
      .session = S("S")},
     "{\"id\":1,\"result\":{\"a\":1},\"sessionId\":\"S\"}"},
    {{.kind = UVOW__OP_REPLY_ERROR,
      .raw_id = S("1"),
      .error_code = -32000,
      .error_message = S("m"),
      .error_data = S("\"d\""),
      .session = S("S")},
     "{\"id\":1,\"error\":{\"code\":-32000,\"message\":\"m\",\"data\":\"d\"},"
     "\"sessionId\":\"S\"}"},
    {{.kind = UVOW__OP_EVENT,
      .method = S("A.b"),
      .params = S("{\"c\":1}"),
      .session = S("S")},
     "{\"method\":\"A.b\",\"params\":{\"c\":1},\"sessionId\":\"S\"}"},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .params = S("[]")},
     NULL},
    {{.kind = UVOW__OP_NOTIFY, .method = S("m")}, NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .session = S("\xff")},
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
  assert_ptr_equal(uvow_protocol_by_name("cdp"), P);
  assert_ptr_equal(uvow_protocol_by_name("cdp"), P);
  assert_string_equal(uvow_protocol_name(P), "cdp");
}

TEST_MODULE(cdp) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(decodes),
      cmocka_unit_test(refuses_prefixes),
      cmocka_unit_test(encodes),
      cmocka_unit_test(is_found_by_name),
  };
  return cmocka_run_group_tests_name("protocol/cdp", tests, NULL, NULL);
}
