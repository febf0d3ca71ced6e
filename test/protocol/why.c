/* What an operation that can't be written lacks: which part of it, and what is
 * expected. */
#include "protocol/why.h"

#include "support/support.h"

#include <uvow/error.h>

#define S(text)                                                                \
  { text, sizeof(text) - 1 }
#define OWN                                                                    \
  "{\"name\":\"own\",\"call\":{\"id\":\"$id\",\"m\":\"$method\",\"t\":"        \
  "\"$topic!\",\"p\":\"$params!\"},\"params\":\"structured\",\"rules\":[{"     \
  "\"is\":\"ok\",\"id\":\"/id\"}]}"

typedef struct why_case {
  const char *protocol; /* NULL: OWN */
  uvow__op_t op;
  const char *why;
} why_case_t;

#define CALL .kind = UVOW__OP_CALL, .id = 1
static const uvow__var_t topic[] = {{S("topic"), S("\"t\"")}};
static const uvow__var_t bad_topic[] = {{S("topic"), S("{")}};
#define TOPIC .vars = topic, .var_count = 1

static const why_case_t cases[] = {
    {NULL,
     {CALL, .method = S("m"), .params = S("{}")},
     "own's call can't be written: $topic isn't set: JSON is expected, in "
     "options.vars or by uvow_peer_within"},
    {NULL,
     {CALL, .method = S("m"), .params = S("{}"), .vars = bad_topic,
      .var_count = 1},
     "own's call can't be written: $topic isn't set: JSON is expected, in "
     "options.vars or by uvow_peer_within"},
    {NULL,
     {CALL, .method = S("m"), TOPIC},
     "own's call can't be written: params: there's none, where an object or an "
     "array is expected"},
    {NULL,
     {CALL, .method = S("m"), TOPIC, .params = S("5")},
     "own's call can't be written: params: it's a number, where an object or "
     "an array is expected"},
    {NULL,
     {CALL, .method = S("m"), TOPIC, .params = S("{\"a\":")},
     "own's call can't be written: params: it's no JSON, where an object or an "
     "array is expected"},
    {NULL,
     {CALL, .method = S("\xff"), TOPIC, .params = S("{}")},
     "own's call can't be written: method: UTF-8 is expected"},
    {NULL,
     {.kind = UVOW__OP_NOTIFY, .method = S("m")},
     "own's notify can't be written: the protocol has no such message"},
    {"cdp",
     {CALL, .method = S("m"), .params = S("[]")},
     "cdp's call can't be written: params: it's an array, where an object is "
     "expected"},
    {"home_assistant",
     {CALL, .method = S("m"), .params = S("{\"a\":1,\"id\":5}")},
     "home_assistant's call can't be written: params have the member \"id\", "
     "which is the protocol's own"},
    {"home_assistant",
     {CALL, .method = S("m"), .params = S("[]")},
     "home_assistant's call can't be written: params: it's an array, where an "
     "object is expected"},
    {"home_assistant",
     {CALL, .method = S("m"), .params = S("{\"a\":\"\xff\"}")},
     "home_assistant's call can't be written: params: it's no JSON, where an "
     "object is expected"},
    {"cdp",
     {CALL, .method = S("m"), .session = S("\"S\""), .params = S("[]")},
     "cdp's call can't be written: params: it's an array, where an object is "
     "expected"},
    {"jsonrpc2",
     {CALL, .method = S("m"), .session = S("s")},
     "jsonrpc2's call can't be written: the protocol has no sessions"},
    {"jsonrpc2",
     {.kind = UVOW__OP_REPLY, .raw_id = S("[1]"), .params = S("1")},
     "jsonrpc2's reply can't be written: id: it's an array, where text or a "
     "number or null is expected"},
    {"jsonrpc2",
     {.kind = UVOW__OP_REPLY_ERROR,
      .raw_id = S("1"),
      .error_message = S("no"),
      .error_data = S("{")},
     "jsonrpc2's reply_error can't be written: data: it's no JSON, where any "
     "JSON is expected"},
    {"jsonrpc2",
     {.kind = UVOW__OP_REPLY_ERROR,
      .raw_id = S("1"),
      .error_message = S("\xff")},
     "jsonrpc2's reply_error can't be written: message: UTF-8 is expected"},
    {"home_assistant",
     {CALL, .method = S("m"), .params = S("{\"type\":1}")},
     "home_assistant's call can't be written: params have the member \"type\", "
     "which is the protocol's own"},
    {"wamp2",
     {CALL, .method = S("REGISTER"), .params = S("{}")},
     "wamp2's call can't be written: REGISTER, PUBLISH and its like take an "
     "array of what follows the request's id, which isn't empty"},
    {"phoenix2",
     {CALL, .method = S("m"), .params = S("{\"$binary\":\"*\"}")},
     "phoenix2's call can't be written: bytes are {\"$binary\": base64}, "
     "beside "
     "texts of at most 255 bytes each"},
    {"phoenix2",
     {CALL, .method = S("m"), .params = S("{\"$binary\":\"QU\\u0046C\"}")},
     "phoenix2's call can't be written: bytes are {\"$binary\": base64}, "
     "beside "
     "texts of at most 255 bytes each"},
};

static const uvow_protocol_t *protocol_of(const char *name) {
  uvow_error_t *error = NULL;
  uvow_protocol_t *made = name ? uvow_protocol_by_name(name)
                               : uvow_protocol_parse(OWN, strlen(OWN), &error);
  if (!made)
    fail_msg("%s", uvow_error_message(error));
  return made;
}

TEST_CASE(test_why) {
  for (size_t i = 0; i < UVOW__COUNT(cases); i++) {
    const uvow_protocol_t *protocol = protocol_of(cases[i].protocol);
    uvow__dialect_t dialect;
    uvow__op_t op = cases[i].op;
    uvow__buf_t out;
    char text[400];
    int is_binary;
    uvow__dialect_init(&dialect, &uvow__mem_default, protocol, NULL);
    uvow__buf_init(&out, &uvow__mem_default, 10000);
    assert_int_equal(uvow__dialect_write(&dialect, &op, &out, &is_binary),
                     UVOW_EINVAL);
    uvow__dialect_why(&dialect, &op, text, sizeof(text));
    assert_string_equal(text, cases[i].why);
    uvow__buf_done(&out);
    uvow__dialect_done(&dialect);
    uvow__protocol_drop(protocol);
  }
}

/* Without memory it's said less well. */
static void sweep(test_alloc_t *alloc, void *data) {
  const why_case_t *one = (const why_case_t *)data;
  uvow__dialect_t dialect;
  uvow__op_t op = one->op;
  char text[400];
  uvow__dialect_init(&dialect, &alloc->allocator,
                     uvow_protocol_by_name(one->protocol), NULL);
  uvow__dialect_why(&dialect, &op, text, sizeof(text));
  assert_string_equal(text, alloc->failed ? "cdp's call can't be written: its "
                                            "parts aren't what is expected"
                                          : one->why);
  uvow__dialect_done(&dialect);
}

TEST_CASE(test_without_memory) {
  assert_string_equal(cases[7].protocol, "cdp");
  test_alloc_sweep(sweep, (void *)(uintptr_t)&cases[7]);
}

/* It isn't cut in the middle of nothing, nor written beyond. */
TEST_CASE(test_short) {
  char text[20];
  uvow__dialect_t dialect;
  uvow__op_t op = cases[8].op;
  uvow__dialect_init(&dialect, &uvow__mem_default,
                     uvow_protocol_by_name("home_assistant"), NULL);
  uvow__dialect_why(&dialect, &op, text, sizeof(text));
  assert_int_equal(strlen(text), sizeof(text) - 1);
  uvow__dialect_done(&dialect);
}

TEST_MODULE(why) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_why),
      cmocka_unit_test(test_without_memory),
      cmocka_unit_test(test_short),
  };
  return cmocka_run_group_tests_name("protocol/why", tests, NULL, NULL);
}
