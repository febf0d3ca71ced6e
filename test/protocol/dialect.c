/* Arrays of messages, prefixes of ids, and text in binary messages. */
#include "protocol/dialect.h"
#include "protocol/vars.h"

#include <stdio.h>

#include "support/support.h"

#include <uvow/error.h>

typedef struct log {
  uvow_reader_t reader; /* first */
  char text[2000];
} log_t;

/* "OK:1", "CALL:"x"", "!-32600" what is refused so, "?" what just isn't read */
static void on_message(uvow_reader_t *reader, int rc, const uvow__msg_t *msg,
                       uvow__slice_t bytes) {
  static const char *const names[] = {
      "MALFORMED", "OK",     "ERROR", "PARTIAL", "EVENT", "CALL",
      "CONTROL",   "IGNORE", "END",   "CANCEL",  "FAULT", "BAD"};
  log_t *log = (log_t *)(void *)reader;
  size_t at = strlen(log->text);
  char *to = log->text + at;
  size_t left = sizeof(log->text) - at;
  (void)bytes;
  if (rc && msg->refusal)
    snprintf(to, left, "%s!%d", at ? " " : "", (int)msg->refusal_code);
  else if (rc)
    snprintf(to, left, "%s?", at ? " " : "");
  else
    snprintf(to, left, "%s%s:%.*s%s", at ? " " : "", names[msg->kind],
             (int)msg->raw_id.len, msg->raw_id.ptr ? msg->raw_id.ptr : "",
             msg->kind == UVOW__MSG_MALFORMED && msg->refusal ? "!" : "");
}

static const char *read_as(uvow__dialect_t *dialect, const char *text,
                           int is_binary) {
  static log_t log;
  size_t len = strlen(text);
  char *copy = (char *)malloc(len ? len : 1);
  assert_non_null(copy);
  memcpy(copy, text, len);
  memset(&log, 0, sizeof(log));
  log.reader.dialect = dialect;
  log.reader.on_message = on_message;
  uvow__slice_t message = {copy, len};
  uvow__dialect_read(&log.reader, is_binary, message);
  if (!uvow__dialect_is_many(dialect, is_binary, message))
    assert_int_equal(log.reader.batch, 0);
  free(copy);
  return log.text;
}

typedef struct batch_case {
  const char *text;
  const char *expected;
} batch_case_t;

/* JSON-RPC 2.0, section 7, and what else may come. */
static const batch_case_t cases[] = {
    {"[\n  {\"jsonrpc\": \"2.0\", \"method\": \"sum\", \"params\": [1,2,4], "
     "\"id\": \"1\"},\n  {\"jsonrpc\": \"2.0\", \"method\"\n]",
     "!-32700"},
    {"[]", "!-32600"},
    {" [ ] ", "!-32600"},
    {"[1]", "!-32600"},
    {"[1,2,3]", "!-32600 !-32600 !-32600"},
    {"[\n{\"jsonrpc\": \"2.0\", \"method\": \"sum\", \"params\": [1,2,4], "
     "\"id\": \"1\"},\n{\"jsonrpc\": \"2.0\", \"method\": \"notify_hello\", "
     "\"params\": [7]},\n{\"jsonrpc\": \"2.0\", \"method\": \"subtract\", "
     "\"params\": [42,23], \"id\": \"2\"},\n{\"foo\": \"boo\"},\n{\"jsonrpc\": "
     "\"2.0\", \"method\": \"foo.get\", \"params\": {\"name\": \"myself\"}, "
     "\"id\": \"5\"},\n{\"jsonrpc\": \"2.0\", \"method\": \"get_data\", "
     "\"id\": \"9\"}\n]",
     "CALL:\"1\" EVENT: CALL:\"2\" !-32600 CALL:\"5\" CALL:\"9\""},
    {"[{\"jsonrpc\":\"2.0\",\"method\":\"a\"},{\"jsonrpc\":\"2.0\",\"method\":"
     "\"b\"}]",
     "EVENT: EVENT:"},
    /* Answers, in any order, with an error and with what isn't one. */
    {"[{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":1},{\"jsonrpc\":\"2.0\","
     "\"id\":2,\"error\":{\"code\":1,\"message\":\"m\"}},{\"jsonrpc\":\"2.0\","
     "\"id\":3,\"result\":1,\"error\":{}}]",
     "OK:7 ERROR:2 MALFORMED:3"},
    {"\xEF\xBB\xBF[{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":1}]", "OK:7"},
    /* Arrays in arrays are no messages. */
    {"[[{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":1}]]", "!-32600"},
    {"[{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":1},]", "!-32700"},
    {"[,1]", "!-32700"},
    {"[1 2]", "!-32700"},
    {"[1", "!-32700"},
    {"[", "!-32700"},
    {"[1]]", "!-32700"},
    {"[1] x", "!-32700"},
    {"[{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":x}]", "!-32700"},
    {"", "!-32700"},
    {"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":1}", "OK:7"},
    {" {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":1}", "OK:7"},
};

TEST_CASE(reads_batches) {
  uvow__dialect_t dialect;
  uvow__dialect_init(&dialect, &uvow__mem_default,
                     uvow_protocol_by_name("jsonrpc2"), NULL);
  dialect.strict = 1;
  for (size_t i = 0; i < UVOW__COUNT(cases); i++)
    assert_string_equal(read_as(&dialect, cases[i].text, 0), cases[i].expected);
  uvow__dialect_done(&dialect);
}

/* Of a server's answers one may be wrong without the others being lost. */
TEST_CASE(reads_what_can_be_read) {
  uvow__dialect_t dialect;
  uvow__dialect_init(&dialect, &uvow__mem_default,
                     uvow_protocol_by_name("jsonrpc2"), NULL);
  assert_string_equal(
      read_as(&dialect,
              "[{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":x},{\"jsonrpc\":"
              "\"2.0\",\"id\":8,\"result\":1}]",
              0),
      "MALFORMED:7! OK:8");
  uvow__dialect_done(&dialect);
}

TEST_CASE(bounds_batches) {
  static char text[3 * UVOW__BATCH_MAX + 10] = "[";
  uvow__dialect_t dialect;
  size_t len = 1;
  uvow__dialect_init(&dialect, &uvow__mem_default,
                     uvow_protocol_by_name("jsonrpc2"), NULL);
  for (int i = 0; i < UVOW__BATCH_MAX; i++) {
    memcpy(text + len, "1,", 2);
    len += 2;
  }
  memcpy(text + len, "1]", 3);
  assert_string_equal(read_as(&dialect, text, 0), "!-32600");
  uvow__dialect_done(&dialect);
}

/* Every beginning of a batch is one message that can't be read. */
TEST_CASE(reads_no_part_of_a_batch) {
  uvow__dialect_t dialect;
  uvow__dialect_init(&dialect, &uvow__mem_default,
                     uvow_protocol_by_name("jsonrpc2"), NULL);
  for (size_t i = 0; i < UVOW__COUNT(cases); i++) {
    char text[1000];
    size_t len = strlen(cases[i].text);
    if (strncmp(cases[i].expected, "!-32700", 7) == 0 ||
        cases[i].text[0] != '[')
      continue;
    memcpy(text, cases[i].text, len + 1);
    for (size_t n = len; n > 1; n--) {
      text[n - 1] = '\0';
      assert_string_equal(read_as(&dialect, text, 0), "!-32700");
    }
  }
  uvow__dialect_done(&dialect);
}

/* Home Assistant coalesces; callback_id has no arrays. */
TEST_CASE(reads_as_the_protocol_says) {
  uvow__dialect_t dialect;
  uvow__dialect_init(&dialect, &uvow__mem_default,
                     uvow_protocol_by_name("home_assistant"), NULL);
  assert_string_equal(
      read_as(&dialect,
              "[{\"id\":1,\"type\":\"result\",\"success\":true,\"result\":null}"
              ",{\"id\":1,\"type\":\"event\",\"event\":{}},{\"id\":2,\"type\":"
              "\"pong\"}]",
              0),
      "OK:1 PARTIAL:1 OK:2");
  uvow__dialect_done(&dialect);
  uvow__dialect_init(&dialect, &uvow__mem_default,
                     uvow_protocol_by_name("callback_id"), NULL);
  assert_string_equal(
      read_as(&dialect, "[{\"type\":\"a\",\"callback_id\":1}]", 0), "!-32600");
  uvow__dialect_done(&dialect);
}

static uvow_protocol_t *parse(const char *text) {
  uvow_error_t *error = NULL;
  uvow_protocol_t *made = uvow_protocol_parse(text, strlen(text), &error);
  if (!made)
    fail_msg("%s", uvow_error_message(error));
  return made;
}

TEST_CASE(reads_binary) {
  static const char answer[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":1}";
  uvow_protocol_t *liberal = parse(
      "{\"name\":\"b\",\"base\":\"jsonrpc2\",\"liberal\":{\"binary\":"
      "true}}");
  uvow__dialect_t dialect;
  uvow__dialect_init(&dialect, &uvow__mem_default,
                     uvow_protocol_by_name("jsonrpc2"), NULL);
  assert_string_equal(read_as(&dialect, answer, 1), "!-32700");
  uvow__dialect_done(&dialect);
  uvow__dialect_init(&dialect, &uvow__mem_default, liberal, NULL);
  assert_string_equal(read_as(&dialect, answer, 1), "OK:7");
  assert_string_equal(
      read_as(&dialect, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"\xFF\"}",
              1),
      "!-32700");
  uvow__dialect_done(&dialect);
  uvow_protocol_unref(liberal);
}

/* What is no array, as there may be one: only space, a mark and nothing. */
TEST_CASE(reads_nothing) {
  uvow__dialect_t dialect;
  uvow__dialect_init(&dialect, &uvow__mem_default,
                     uvow_protocol_by_name("jsonrpc2"), NULL);
  assert_string_equal(read_as(&dialect, "  \n", 0), "!-32700");
  assert_string_equal(read_as(&dialect, "\xEF\xBB\xBF", 0), "!-32700");
  uvow__dialect_done(&dialect);
}

/* An operation's own variables are all that it has. */
TEST_CASE(own_variables_hide_the_dialects) {
  static const uvow__var_t own[] = {{{"v", 1}, {"2", 1}}};
  uvow_protocol_t *protocol = parse(
      "{\"name\":\"v\",\"call\":{\"id\":\"$id\",\"v\":\"$v\"},"
      "\"rules\":[{\"is\":\"ok\",\"id\":\"/id\"}]}");
  uvow__dialect_t dialect;
  uvow__vars_t vars;
  uvow__buf_t out;
  int is_binary;
  assert_int_equal(uvow__vars_init(&vars, &uvow__mem_default, "{\"v\":1}"), 0);
  uvow__dialect_init(&dialect, &uvow__mem_default, protocol, NULL);
  uvow_protocol_unref(protocol);
  dialect.vars = &vars;
  uvow__buf_init(&out, &uvow__mem_default, 1000);
  uvow__op_t op = {.kind = UVOW__OP_CALL, .id = 1};
  assert_int_equal(uvow__dialect_write(&dialect, &op, &out, &is_binary), 0);
  op.vars = own;
  op.var_count = 1;
  assert_int_equal(uvow__dialect_write(&dialect, &op, &out, &is_binary), 0);
  assert_int_equal(uvow__buf_append(&out, "", 1), 0);
  assert_string_equal((const char *)uvow__buf_front(&out),
                      "{\"id\":1,\"v\":1}{\"id\":1,\"v\":2}");
  uvow__buf_done(&out);
  uvow__dialect_done(&dialect);
  uvow__vars_done(&vars);
}

/* Two clients of one server don't take each other's answers for theirs. */
TEST_CASE(tells_clients_apart) {
  static const uint8_t ones[UVOW__PREFIX_RANDOM] = {1, 1, 1, 1, 1, 1, 1, 0xAB};
  uvow_protocol_t *protocol = parse(
      "{\"name\":\"r\",\"ids\":\"random\",\"id_prefix\":\"t\",\"call\":"
      "{\"id\":\"$id\",\"m\":\"$method\"},\"rules\":[{\"when\":{\"/id\":"
      "true},\"is\":\"ok\",\"id\":\"/id\",\"value\":\"/v\"}]}");
  uvow__dialect_t a, b;
  uvow__buf_t out;
  uvow__msg_t msg;
  int is_binary = 1;
  uvow__dialect_init(&a, &uvow__mem_default, protocol, ones);
  uvow__dialect_init(&b, &uvow__mem_default, protocol, NULL);
  uvow_protocol_unref(protocol);
  uvow__buf_init(&out, &uvow__mem_default, 1000);
  uvow__op_t op = {.kind = UVOW__OP_CALL, .id = 12, .method = {"m", 1}};
  assert_int_equal(uvow__dialect_write(&a, &op, &out, &is_binary), 0);
  assert_int_equal(is_binary, 0);
  assert_int_equal(uvow__buf_append(&out, "", 1), 0);
  const char *text = (const char *)uvow__buf_front(&out);
  assert_string_equal(text, "{\"id\":\"t01010101010101ab-12\",\"m\":\"m\"}");
  assert_int_equal(
      uvow__protocol_decode_as(a.protocol, &a.ids, text, strlen(text), &msg),
      0);
  assert_int_equal(msg.id, 12);
  assert_int_equal(
      uvow__protocol_decode_as(b.protocol, &b.ids, text, strlen(text), &msg),
      0);
  assert_int_equal(msg.has_id, 0);
  uvow__buf_done(&out);
  uvow__dialect_done(&a);
  uvow__dialect_done(&b);
}

TEST_MODULE(dialect) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_batches),
      cmocka_unit_test(reads_what_can_be_read),
      cmocka_unit_test(bounds_batches),
      cmocka_unit_test(reads_no_part_of_a_batch),
      cmocka_unit_test(reads_as_the_protocol_says),
      cmocka_unit_test(reads_binary),
      cmocka_unit_test(reads_nothing),
      cmocka_unit_test(own_variables_hide_the_dialects),
      cmocka_unit_test(tells_clients_apart),
  };
  return cmocka_run_group_tests_name("protocol/dialect", tests, NULL, NULL);
}
