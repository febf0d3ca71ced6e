/* What all protocols share, with protocols made up for it. */
#include "protocol/protocol.h"

#include "support/support.h"

#include <uvow/error.h>

/* Phoenix, as far as rules go: [join_ref, ref, topic, event, payload] */
enum { REF = UVOW__CAPTURE_FIRST, TOPIC, EVENT, PAYLOAD, STATUS, RESPONSE };

static const uvow__key_t payload_keys[] = {
    UVOW__KEY("status", STATUS, NULL), UVOW__KEY("response", RESPONSE, NULL)};
static const uvow__level_t payload_level = UVOW__OBJECT(payload_keys);
static const uvow__key_t items[] = {
    UVOW__ITEM(UVOW__CAPTURE_NONE, NULL), UVOW__ITEM(REF, NULL),
    UVOW__ITEM(TOPIC, NULL), UVOW__ITEM(EVENT, NULL),
    UVOW__ITEM(PAYLOAD, &payload_level)};
static const uvow__level_t root = UVOW__ARRAY(items);

static const uvow__test_t is_ok[] = {UVOW__TEST(EVENT, "\"phx_reply\""),
                                     UVOW__TEST(STATUS, "\"ok\"")};
static const uvow__test_t is_number[] = {UVOW__TEST(TOPIC, "7")};
static const uvow__rule_t rules[] = {
    {UVOW__TESTS(is_ok), .kind = UVOW__MSG_OK, .id = REF, .value = RESPONSE},
    {UVOW__TESTS(is_number), .kind = UVOW__MSG_CONTROL},
    {.denied = {[REF] = UVOW__ONLY(UVOW__KIND(NULL))},
     .kind = UVOW__MSG_EVENT,
     .name = EVENT,
     .value = PAYLOAD},
};
static const uvow_protocol_t phoenix = {.name = "phoenix",
                                        .root = &root,
                                        .rules = rules,
                                        .rule_count = UVOW__COUNT(rules)};

static int decode(const uvow_protocol_t *protocol, const char *text,
                  uvow__msg_t *ret) {
  return uvow__protocol_decode(protocol, text, strlen(text), ret);
}

TEST_CASE(first_rule_wins) {
  uvow__msg_t msg;
  assert_int_equal(
      decode(&phoenix,
             "[null,null,\"t\",\"phx_reply\",{\"status\":\"o\\u006b\","
             "\"response\":[5]}]",
             &msg),
      0);
  assert_int_equal(msg.kind, UVOW__MSG_OK);
  assert_true(uvow__slice_is(msg.raw_id, "null"));
  assert_true(uvow__slice_is(msg.value, "[5]"));
  assert_int_equal(decode(&phoenix, "[0,1,7,\"phx_reply\",{}]", &msg), 0);
  assert_int_equal(msg.kind, UVOW__MSG_CONTROL);
  assert_null(msg.raw_id.ptr);
  assert_int_equal(decode(&phoenix, "[0,null,\"t\",\"e\",[]]", &msg), 0);
  assert_int_equal(msg.kind, UVOW__MSG_EVENT);
  assert_true(uvow__slice_is(msg.name, "\"e\""));
  assert_true(uvow__slice_is(msg.value, "[]"));
}

TEST_CASE(no_rule_is_malformed) {
  uvow__msg_t msg;
  assert_int_equal(decode(&phoenix, "[0,1,\"t\",\"e\",[]]", &msg),
                   UVOW_EENVELOPE);
  /* "7" is not 7 */
  assert_int_equal(decode(&phoenix, "[0,1,\"7\",\"e\",[]]", &msg),
                   UVOW_EENVELOPE);
  assert_int_equal(decode(&phoenix, "[]", &msg), UVOW_EENVELOPE);
  assert_int_equal(msg.fault, UVOW__FAULT_SHAPE);
  assert_int_equal(msg.refusal_code, -32600);
}

TEST_CASE(reads_error_codes) {
  static const struct {
    const char *text;
    int is_code;
    int64_t code;
  } cases[] = {
      {"0", 1, 0},
      {"-0", 1, 0},
      {"-32601", 1, -32601},
      {"9223372036854775807", 1, INT64_MAX},
      {"-9223372036854775808", 1, INT64_MIN},
      {"9223372036854775808", 0, 0},
      {"-9223372036854775809", 0, 0},
      {"99999999999999999999", 0, 0},
      {"1.0", 0, 0},
      {"1e3", 0, 0},
      {"\"1\"", 0, 0},
      {"null", 0, 0},
  };
  for (size_t i = 0; i < UVOW__COUNT(cases); i++) {
    uvow__msg_t msg;
    char text[100] = "{\"id\":1,\"error\":{\"code\":";
    strcat(text, cases[i].text);
    strcat(text, "}}");
    assert_int_equal(decode(uvow_protocol_by_name("cdp"), text, &msg), 0);
    assert_int_equal(msg.has_error_code, cases[i].is_code);
    assert_true(msg.error_code == cases[i].code);
    assert_true(uvow__slice_is(msg.error_code_text, cases[i].text));
  }
}

TEST_CASE(finds_protocols) {
  assert_null(uvow_protocol_by_name(NULL));
  assert_null(uvow_protocol_by_name(""));
  assert_null(uvow_protocol_by_name("jsonrpc"));
  assert_null(uvow_protocol_name(NULL));
  assert_true(uvow__protocol_can(uvow_protocol_by_name("cdp"), UVOW__OP_CALL));
  assert_false(
      uvow__protocol_can(uvow_protocol_by_name("cdp"), UVOW__OP_NOTIFY));
}

TEST_MODULE(rules) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(first_rule_wins),
      cmocka_unit_test(no_rule_is_malformed),
      cmocka_unit_test(reads_error_codes),
      cmocka_unit_test(finds_protocols),
  };
  return cmocka_run_group_tests_name("protocol/rules", tests, NULL, NULL);
}
