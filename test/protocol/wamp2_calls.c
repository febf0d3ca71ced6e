/* WAMP's calls: what a router may say that isn't right, registrations that come
 * and go, and no memory. What goes right is in test/rpc/wamp.c. */
#include "protocol/dialect.h"
#include "protocol/wamp2_names.h"

#include <stdio.h>

#include "support/support.h"

#include <uvow/error.h>

#define S(text)                                                                \
  { text, sizeof(text) - 1 }

typedef struct log {
  uvow_reader_t reader; /* first */
  char text[400];
} log_t;

static void on_message(uvow_reader_t *reader, int rc, const uvow__msg_t *msg,
                       uvow__slice_t bytes) {
  static const char *const names[] = {
      "MALFORMED", "OK",     "ERROR", "PARTIAL", "EVENT", "CALL",
      "CONTROL",   "IGNORE", "END",   "CANCEL",  "FAULT", "BAD"};
  log_t *log = (log_t *)(void *)reader;
  const uvow__slice_t *value =
      rc == 0 && msg->kind == UVOW__MSG_ERROR ? &msg->error_data : &msg->value;
  (void)bytes;
  if (rc)
    snprintf(log->text, sizeof(log->text), "?");
  else
    snprintf(log->text, sizeof(log->text), "%s %.*s %.*s", names[msg->kind],
             (int)msg->name.len, msg->name.ptr ? msg->name.ptr : "",
             (int)value->len, value->ptr ? value->ptr : "");
}

static const char *say(uvow__dialect_t *dialect, const char *text) {
  static log_t log;
  size_t len = strlen(text);
  char *copy = (char *)malloc(len ? len : 1);
  assert_non_null(copy);
  memcpy(copy, text, len);
  memset(&log, 0, sizeof(log));
  log.reader.dialect = dialect;
  log.reader.on_message = on_message;
  uvow__dialect_read(&log.reader, 0, (uvow__slice_t){copy, len});
  free(copy);
  return log.text;
}

static int ask(uvow__dialect_t *dialect, uint64_t id, const char *uri) {
  char params[100];
  uvow__op_t op = {.kind = UVOW__OP_CALL, .id = id, .method = S("REGISTER")};
  uvow__buf_t out;
  int is_binary;
  int len = snprintf(params, sizeof(params), " [ {} , \"%s\" ] ", uri);
  op.params = (uvow__slice_t){params, (size_t)len};
  uvow__buf_init(&out, dialect->mem, 10000);
  int rc = uvow__dialect_write(dialect, &op, &out, &is_binary);
  assert_true(rc == 0 || uvow__buf_size(&out) == 0);
  uvow__buf_done(&out);
  return rc;
}

static void init(uvow__dialect_t *dialect, const uvow__mem_t *mem) {
  uvow__dialect_init(dialect, mem, uvow_protocol_by_name("wamp2"), NULL);
}

#define KNOWN "CALL \"com.add\" "
#define UNKNOWN "CALL \"invocation\" "

static const struct {
  const char *text;
  const char *expected;
} cases[] = {
    {"[68,9,7,{},[1]]", KNOWN "[1]"},
    {" [ 68 , 9 , 7 , {} , [1] ] ", KNOWN "[1]"},
    {"[68,9,7,{}]", KNOWN},
    {"[68,9,7]", KNOWN},
    {"[68,9,7,{\"procedure\":5},[]]", KNOWN "[]"},
    {"[68,9,7,{\"procedure\":\"a\\u0000b\"},[]]", KNOWN "[]"},
    /* What isn't args, or kwargs; whose registration nobody knows. */
    {"[68,9,7,{},5]", UNKNOWN "[68,9,7,{},5]"},
    {"[68,9,7,{},[],[]]", UNKNOWN "[68,9,7,{},[],[]]"},
    {"[68,9,\"7\",{},[]]", UNKNOWN "[68,9,\"7\",{},[]]"},
    {"[68,9,0,{},[]]", UNKNOWN "[68,9,0,{},[]]"},
    {"[68,9,8,{},[]]", UNKNOWN "[68,9,8,{},[]]"},
    {"[68,null,7,{},[]]", "?"},
    {"[68,9,7,{},[", "BAD  "},
    {"[68", "?"},
    {"[", "?"},
    {"", "?"},
    /* Results and errors with kwargs. */
    {"[50,1,{},[1],{\"a\":2}]", "OK  {\"args\":[1],\"kwargs\":{\"a\":2}}"},
    {"[50,1,{\"progress\":true},[],{\"a\":2}]", "PARTIAL  {\"a\":2}"},
    {"[50,1,{},5,{\"a\":2}]", "OK  5"},
    {"[50,{},[1],{\"a\":2}]", "OK  {\"a\":2}"},
    {"[8,48,1,{},\"e\",[],{\"a\":2}]", "ERROR  {\"a\":2}"},
    {"[8,48,1,{},5,[],{\"a\":2}]", "ERROR  []"},
    {"[8,{}]", "FAULT  "},
    {"[50,1,{},[1],{\"a\":2}\t\n]\r\n ",
     "OK  {\"args\":[1],\"kwargs\":{\"a\":2}}"},
    {"[1000,1,{}]", "?"},
    /* What is said of no registration, or isn't whole: none is made of it. */
    {"[65,0,8]", "OK  8"},
    {"[65,1,8", "MALFORMED  "},
    {"[68,9,8,{}]", UNKNOWN "[68,9,8,{}]"},
};

TEST_CASE(test_reads) {
  uvow__dialect_t dialect;
  init(&dialect, &uvow__mem_default);
  assert_int_equal(ask(&dialect, 1, "com.add"), 0);
  assert_string_equal(say(&dialect, "[65,1,7]"), "OK  7");
  for (size_t i = 0; i < UVOW__COUNT(cases); i++)
    assert_string_equal(say(&dialect, cases[i].text), cases[i].expected);
  uvow__dialect_done(&dialect);
}

/* Refused ones, those of a connection that has ended, and what is still asked
 * for then. */
TEST_CASE(test_registrations_end) {
  uvow__dialect_t dialect;
  init(&dialect, &uvow__mem_default);
  assert_int_equal(ask(&dialect, 1, "com.a"), 0);
  assert_int_equal(ask(&dialect, 2, "com.b"), 0);
  assert_int_equal(ask(&dialect, 3, "com.c"), 0);
  (void)say(&dialect, "[65,1,7]");
  (void)say(&dialect, "[8,64,2,{},\"no\"]");
  (void)say(&dialect, "[65,2,8]");
  assert_string_equal(say(&dialect, "[68,9,7,{}]"), "CALL \"com.a\" ");
  assert_string_equal(say(&dialect, "[68,9,8,{}]"), UNKNOWN "[68,9,8,{}]");
  uvow__dialect_end(&dialect);
  assert_string_equal(say(&dialect, "[68,9,7,{}]"), UNKNOWN "[68,9,7,{}]");
  (void)say(&dialect, "[65,3,7]");
  assert_string_equal(say(&dialect, "[68,9,7,{}]"), "CALL \"com.c\" ");
  uvow__dialect_done(&dialect);
}

/* Who never answers doesn't take memory for ever: the oldest question goes. */
TEST_CASE(test_many_questions) {
  uvow__dialect_t dialect;
  init(&dialect, &uvow__mem_default);
  for (uint64_t id = 1; id <= 1100; id++)
    assert_int_equal(ask(&dialect, id, "com.a"), 0);
  (void)say(&dialect, "[65,1,5]");
  (void)say(&dialect, "[65,1100,6]");
  assert_string_equal(say(&dialect, "[68,9,5,{}]"), UNKNOWN "[68,9,5,{}]");
  assert_string_equal(say(&dialect, "[68,9,6,{}]"), "CALL \"com.a\" ");
  uvow__dialect_done(&dialect);
}

/* What is written with args and kwargs, and what isn't: 1, it's the templates'. */
#define BOTH "{\"args\":[1],\"kwargs\":{\"a\":2}}"
#define NOT_BOTH(value)                                                        \
  {                                                                            \
    {.kind = UVOW__OP_REPLY, .raw_id = S("9"), .params = S(value)},            \
        "[70,9,{},[" value "]]"                                                \
  }

static const struct {
  uvow__op_t op;
  const char *expected; /* NULL: it can't be */
} writes[] = {
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("m"), .params = S(BOTH)},
     "[48,1,{\"receive_progress\":true},\"m\",[1],{\"a\":2}]"},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("m"),
      .params = S(" { \"kwargs\" : {} , \"args\" : [ ] } ")},
     "[48,1,{\"receive_progress\":true},\"m\",[ ],{}]"},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("REGISTER"),
      .params = S("[{},\"com.a\"]")},
     "[64,1,{},\"com.a\"]"},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("PUBLISH"),
      .params = S(" [ {} ]")},
     "[16,1, {} ]"},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("PUBLISH"),
      .params = S("[ ]")},
     NULL},
    {{.kind = UVOW__OP_CALL, .id = 1, .method = S("PUBLISH")}, NULL},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("PUBLISH"),
      .params = S("[\xff]")},
     NULL},
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("REGISTER"),
      .params = S("[{},5]")},
     NULL},
    {{.kind = UVOW__OP_REPLY, .raw_id = S("9"), .params = S(BOTH)},
     "[70,9,{},[1],{\"a\":2}]"},
    {{.kind = UVOW__OP_PARTIAL, .raw_id = S("9"), .params = S(BOTH)},
     "[70,9,{\"progress\":true},[1],{\"a\":2}]"},
    NOT_BOTH("{\"args\":5,\"kwargs\":{}}"),
    NOT_BOTH("{\"args\":[],\"kwargs\":5}"),
    NOT_BOTH("{\"args\":[],\"kwargs\":{},\"b\":1}"),
    NOT_BOTH("{\"arguments\":[]}"),
    NOT_BOTH("{\"a\":11}"),
    NOT_BOTH("{             }"),
    {{.kind = UVOW__OP_REPLY,
      .raw_id = S("9"),
      .params = S("{\"args\":[],\"kwargs\":{\"a\":\"\xff\"}}")},
     NULL},
    NOT_BOTH("{\"args\":[],\"args\":[]}"),
    {{.kind = UVOW__OP_CALL,
      .id = 1,
      .method = S("m"),
      .params = S("{\"args\":[],\"kwargs\":{\"a\":\"\xff\"}}")},
     NULL},
    {{.kind = UVOW__OP_REPLY_ERROR,
      .raw_id = S("9"),
      .error_message = S("no"),
      .error_data = S("{\"a\":2}")},
     "[8,68,9,{},\"wamp.error.runtime_error\",[\"no\"],{\"a\":2}]"},
    {{.kind = UVOW__OP_REPLY_ERROR,
      .raw_id = S("9"),
      .error_code = -32601,
      .error_message = S("no"),
      .error_data = S("[1]")},
     "[8,68,9,{},\"wamp.error.no_such_procedure\",[1]]"},
    {{.kind = UVOW__OP_REPLY_ERROR,
      .raw_id = S("9"),
      .error_code = -32800,
      .error_message = S("no")},
     "[8,68,9,{},\"wamp.error.canceled\",[\"no\"]]"},
    {{.kind = UVOW__OP_REPLY_ERROR,
      .error_code_text = S("com.e"),
      .error_message = S("no")},
     "[8,68,null,{},\"com.e\",[\"no\"]]"},
    {{.kind = UVOW__OP_REPLY_ERROR,
      .raw_id = S("9"),
      .error_message = S("no"),
      .error_data = S("[\xff]")},
     NULL},
    {{.kind = UVOW__OP_REPLY_ERROR,
      .raw_id = S("9"),
      .error_message = S("no"),
      .error_data = S("[1")},
     NULL},
};

static int write_one(size_t i, size_t max, uvow__buf_t *out) {
  uvow__dialect_t dialect;
  uvow__op_t op = writes[i].op;
  int is_binary;
  init(&dialect, &uvow__mem_default);
  uvow__buf_init(out, &uvow__mem_default, max);
  int rc = uvow__dialect_write(&dialect, &op, out, &is_binary);
  uvow__dialect_done(&dialect);
  return rc;
}

/* And with less room than it needs: an error, and nothing is written. */
TEST_CASE(test_writes) {
  for (size_t i = 0; i < UVOW__COUNT(writes); i++) {
    const char *expected = writes[i].expected ? writes[i].expected : "";
    uvow__buf_t out;
    int rc = write_one(i, 10000, &out);
    assert_int_equal(uvow__buf_append(&out, "", 1), 0);
    assert_string_equal((const char *)uvow__buf_front(&out), expected);
    assert_int_equal(rc, *expected ? 0 : UVOW_EINVAL);
    uvow__buf_done(&out);
    for (size_t max = 0; max < strlen(expected); max++) {
      assert_int_equal(write_one(i, max, &out), UVOW_EOVERLOAD);
      assert_int_equal(uvow__buf_size(&out), 0);
      uvow__buf_done(&out);
    }
  }
}

/* Who may be sent parts: some, and one less. */
TEST_CASE(test_wants_parts) {
  uvow__dialect_t dialect;
  char text[60];
  init(&dialect, &uvow__mem_default);
  assert_false(uvow__dialect_wants_parts(&dialect, UVOW__SLICE("1")));
  assert_int_equal(ask(&dialect, 1, "com.add"), 0);
  (void)say(&dialect, "[65,1,7]");
  for (int i = 1; i <= 3; i++) {
    snprintf(text, sizeof(text), "[68,%d,7,{\"receive_progress\":true}]", i);
    assert_string_equal(say(&dialect, text), KNOWN);
  }
  uvow__op_t op = {.kind = UVOW__OP_REPLY, .raw_id = S("2"), .params = S("1")};
  for (int round = 0; round < 2; round++) {
    uvow__buf_t out;
    int is_binary;
    uvow__buf_init(&out, &uvow__mem_default, 1000);
    (void)uvow__dialect_write(&dialect, &op, &out, &is_binary);
    uvow__buf_done(&out);
    op.raw_id = UVOW__SLICE("\"x\"");
  }
  assert_true(uvow__dialect_wants_parts(&dialect, UVOW__SLICE("1")));
  assert_false(uvow__dialect_wants_parts(&dialect, UVOW__SLICE("2")));
  assert_true(uvow__dialect_wants_parts(&dialect, UVOW__SLICE("3")));
  assert_false(uvow__dialect_wants_parts(&dialect, UVOW__SLICE("\"x\"")));
  uvow__dialect_done(&dialect);
}

/* Who never gets an answer doesn't take memory for ever. */
TEST_CASE(test_many_parts) {
  uvow__wamp2_names_t names = {0};
  names.part_count = 65535;
  assert_int_equal(uvow__wamp2_parts_add(&names, &uvow__mem_default, 1), 0);
  assert_int_equal(uvow__wamp2_parts_add(&names, &uvow__mem_default, 2),
                   UVOW_ENOMEM);
  assert_int_equal(names.part_count, 65536);
  uvow__wamp2_names_done(&names, &uvow__mem_default);
}

static void sweep(test_alloc_t *alloc, void *data) {
  uvow__dialect_t dialect;
  (void)data;
  init(&dialect, &alloc->allocator);
  int rc = ask(&dialect, 1, "com.add");
  assert_true(rc == 0 || rc == UVOW_ENOMEM);
  (void)say(&dialect, "[65,1,7]");
  const char *said =
      say(&dialect, "[68,9,7,{\"receive_progress\":true},[1],{\"a\":2}]");
  if (!alloc->failed)
    assert_string_equal(said, KNOWN "{\"args\":[1],\"kwargs\":{\"a\":2}}");
  uvow__dialect_end(&dialect);
  uvow__dialect_done(&dialect);
}

TEST_CASE(test_failing_allocations) {
  test_alloc_sweep(sweep, NULL);
}

TEST_MODULE(wamp2_calls) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reads),
      cmocka_unit_test(test_registrations_end),
      cmocka_unit_test(test_many_questions),
      cmocka_unit_test(test_writes),
      cmocka_unit_test(test_wants_parts),
      cmocka_unit_test(test_many_parts),
      cmocka_unit_test(test_failing_allocations),
  };
  return cmocka_run_group_tests_name("protocol/wamp2_calls", tests, NULL, NULL);
}
