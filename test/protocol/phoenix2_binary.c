/* Phoenix' payloads of bytes, both ways and both ends. The pushes of a client
 * are what phoenix.js writes; the others what Phoenix.Socket.V2.JSONSerializer
 * does. */
#include "protocol/dialect.h"

#include <stdio.h>

#include "support/support.h"

#include <uvow/error.h>

#define S(text)                                                                \
  { text, sizeof(text) - 1 }

typedef struct read_case {
  uvow__slice_t bytes;
  int accepted;
  const char *expected; /* "KIND id name value data session session2" */
} read_case_t;

/* A NUL, a byte that isn't UTF-8, and "hi". */
#define BYTES "\x00\x01\xffhi"
#define VALUE "{\"$binary\":\"AAH/aGk=\"}"

static const read_case_t reads[] = {
    /* A client's push. */
    {S("\0\1\1\6\4"
       "12room:1file" BYTES),
     1, "CALL \"2\" \"file\" " VALUE " - \"1\" \"room:1\""},
    {S("\0\0\1\6\4"
       "2room:1file"),
     1, "CALL \"2\" \"file\" {\"$binary\":\"\"} - null \"room:1\""},
    /* A server's. */
    {S("\0\1\6\4"
       "1room:1file" BYTES),
     0, "EVENT - \"file\" " VALUE " - \"1\" \"room:1\""},
    {S("\1\1\1\6\2"
       "12room:1ok" BYTES),
     0, "OK \"2\" - " VALUE " - \"1\" \"room:1\""},
    {S("\1\1\1\6\5"
       "12room:1error" BYTES),
     0, "ERROR \"2\" - - " VALUE " \"1\" \"room:1\""},
    {S("\2\6\4"
       "room:1file" BYTES),
     0, "EVENT - \"file\" " VALUE " - null \"room:1\""},
    {S("\2\4\2"
       "a\"\xc3\xa9"
       "e\n"),
     0, "EVENT - \"e\\n\" {\"$binary\":\"\"} - null \"a\\\"\xc3\xa9\""},
    /* What nobody sends to this end, or at all. */
    {S("\1\1\1\6\2"
       "12room:1ok"),
     1, "?"},
    {S("\2\6\4"
       "room:1file"),
     1, "?"},
    {S("\3\1\1\6\2"
       "12room:1ok"),
     0, "?"},
    {S("\1\1\1\6\3"
       "12room:1odd"),
     0, "?"},
    {S("\2\1\1"
       "\xff"
       "e"),
     0, "?"},
    {S("\2\1\1"
       "t\0"),
     0, "?"},
    {S("\2\1\1"
       "t"),
     0, "?"},
    {S(""), 0, "?"},
};

typedef struct log {
  uvow_reader_t reader; /* first */
  char text[600];
} log_t;

static uvow__slice_t shown(uvow__slice_t text) {
  return text.ptr ? text : UVOW__SLICE("-");
}

#define SHOW(slice) (int)shown(slice).len, shown(slice).ptr

static void on_message(uvow_reader_t *reader, int rc, const uvow__msg_t *msg,
                       uvow__slice_t bytes) {
  static const char *const names[] = {
      "MALFORMED", "OK",     "ERROR", "PARTIAL", "EVENT", "CALL",
      "CONTROL",   "IGNORE", "END",   "CANCEL",  "FAULT", "BAD"};
  log_t *log = (log_t *)(void *)reader;
  uvow__slice_t none = {NULL, 0};
  (void)bytes;
  if (rc)
    snprintf(log->text, sizeof(log->text), "?");
  else
    snprintf(log->text, sizeof(log->text), "%s %.*s %.*s %.*s %.*s %.*s %.*s",
             names[msg->kind], SHOW(msg->raw_id), SHOW(msg->name),
             SHOW(msg->value),
             SHOW(msg->kind == UVOW__MSG_ERROR ? msg->error_data : none),
             SHOW(msg->session), SHOW(msg->session2));
  if (rc == 0 && msg->kind != UVOW__MSG_CALL)
    assert_int_equal(msg->has_id, msg->raw_id.ptr != NULL);
  if (rc == 0 && msg->has_id)
    assert_int_equal(msg->id, 2);
}

static void init(uvow__dialect_t *dialect, int accepted) {
  uvow__dialect_init(dialect, &uvow__mem_default,
                     uvow_protocol_by_name("phoenix2"), NULL);
  dialect->accepted = accepted;
}

/* From memory of just that size: what reads beyond it is found. */
static const char *read_bytes(uvow__slice_t bytes, int accepted) {
  static log_t log;
  uvow__dialect_t dialect;
  char *copy = (char *)malloc(bytes.len ? bytes.len : 1);
  assert_non_null(copy);
  memcpy(copy, bytes.ptr, bytes.len);
  memset(&log, 0, sizeof(log));
  init(&dialect, accepted);
  log.reader.dialect = &dialect;
  log.reader.on_message = on_message;
  uvow__dialect_read(&log.reader, 1, (uvow__slice_t){copy, bytes.len});
  uvow__dialect_done(&dialect);
  free(copy);
  return log.text;
}

TEST_CASE(test_reads) {
  for (size_t i = 0; i < UVOW__COUNT(reads); i++)
    assert_string_equal(read_bytes(reads[i].bytes, reads[i].accepted),
                        reads[i].expected);
}

/* What is cut off anywhere is a message with less in it, or none. */
TEST_CASE(test_cut_off) {
  for (size_t i = 0; i < UVOW__COUNT(reads); i++)
    for (size_t len = 0; len < reads[i].bytes.len; len++)
      for (int accepted = 0; accepted < 2; accepted++) {
        uvow__slice_t part = {reads[i].bytes.ptr, len};
        assert_true(*read_bytes(part, accepted) != '\0');
      }
  assert_string_equal(read_bytes((uvow__slice_t)S("\1\1\1\6\2"
                                                  "12room:1o"),
                                 0),
                      "?");
}

typedef struct write_case {
  int accepted;
  uvow__op_t op;
  int rc;
  uvow__slice_t bytes; /* of a text: as it is */
  int is_text;
} write_case_t;

static const uvow__var_t both[] = {{S("join_ref"), S("\"1\"")},
                                   {S("topic"), S("\"room:1\"")}};
#define BOTH .session_vars = both, .session_var_count = 2
#define TOPIC .vars = both + 1, .var_count = 1
#define FILE_OF(value) .method = S("file"), .params = S(value)
#define LONG                                                                   \
  "\"0123456789012345678901234567890123456789012345678901234567890123456789"   \
  "01234567890123456789012345678901234567890123456789012345678901234567890"    \
  "12345678901234567890123456789012345678901234567890123456789012345678901"    \
  "2345678901234567890123456789012345678901234567890123456789012345678901\""
static const uvow__var_t no_topic[] = {{S("topic"), S("null")}};
static const uvow__var_t too_long[] = {{S("topic"), S(LONG)}};

static const write_case_t writes[] = {
    {0,
     {.kind = UVOW__OP_CALL, .id = 2, BOTH, FILE_OF(VALUE)},
     0,
     S("\0\1\1\6\4"
       "12room:1file" BYTES),
     0},
    {0,
     {.kind = UVOW__OP_CALL,
      .id = 2,
      TOPIC,
      FILE_OF(" { \"$binary\" : \"AAH/aGk=\" } ")},
     0,
     S("\0\0\1\6\4"
       "2room:1file" BYTES),
     0},
    {0,
     {.kind = UVOW__OP_CALL, .id = 2, FILE_OF("{\"$binary\":\"\"}")},
     0,
     S("\0\0\1\0\4"
       "2file"),
     0},
    {1,
     {.kind = UVOW__OP_REPLY, .raw_id = S("\"2\""), BOTH, FILE_OF(VALUE)},
     0,
     S("\1\1\1\6\2"
       "12room:1ok" BYTES),
     0},
    {1,
     {.kind = UVOW__OP_REPLY_ERROR,
      .raw_id = S("\"2\""),
      BOTH,
      .error_message = S("no"),
      .error_data = S(VALUE)},
     0,
     S("\1\1\1\6\5"
       "12room:1error" BYTES),
     0},
    {1,
     {.kind = UVOW__OP_EVENT, BOTH, FILE_OF(VALUE)},
     0,
     S("\0\1\6\4"
       "1room:1file" BYTES),
     0},
    {1,
     {.kind = UVOW__OP_EVENT, TOPIC, FILE_OF(VALUE)},
     0,
     S("\2\6\4"
       "room:1file" BYTES),
     0},
    /* Values as any other. */
    {0,
     {.kind = UVOW__OP_CALL, .id = 2, BOTH, FILE_OF("{\"$binary\":5}")},
     0,
     S("[\"1\",\"2\",\"room:1\",\"file\",{\"$binary\":5}]"),
     1},
    {0,
     {.kind = UVOW__OP_CALL,
      .id = 2,
      BOTH,
      FILE_OF("{\"$binary\":\"\",\"a\":1}")},
     0,
     S("[\"1\",\"2\",\"room:1\",\"file\",{\"$binary\":\"\",\"a\":1}]"),
     1},
    {0,
     {.kind = UVOW__OP_CALL,
      .id = 2,
      BOTH,
      FILE_OF("{\"a\":1,\"$binary\":\"\"}")},
     0,
     S("[\"1\",\"2\",\"room:1\",\"file\",{\"a\":1,\"$binary\":\"\"}]"),
     1},
    {0,
     {.kind = UVOW__OP_CALL, .id = 2, BOTH, FILE_OF("{\"$binary\":")},
     UVOW_EINVAL,
     S(""),
     1},
    /* No topic yet. */
    {0,
     {.kind = UVOW__OP_CALL,
      .id = 2,
      .vars = no_topic,
      .var_count = 1,
      FILE_OF(VALUE)},
     0,
     S("\0\0\1\0\4"
       "2file" BYTES),
     0},
    /* A name that isn't UTF-8; no base64; a topic of more than 255 bytes. */
    {0,
     {.kind = UVOW__OP_CALL,
      .id = 2,
      BOTH,
      .method = S("\xff"),
      .params = S(VALUE)},
     UVOW_EINVAL,
     S(""),
     0},
    {0,
     {.kind = UVOW__OP_CALL, .id = 2, BOTH, FILE_OF("{\"$binary\":\"x\"}")},
     UVOW_EINVAL,
     S(""),
     0},
    {0,
     {.kind = UVOW__OP_CALL,
      .id = 2,
      .vars = too_long,
      .var_count = 1,
      FILE_OF(VALUE)},
     UVOW_EINVAL,
     S(""),
     0},
};

TEST_CASE(test_writes) {
  for (size_t i = 0; i < UVOW__COUNT(writes); i++) {
    const write_case_t *c = &writes[i];
    uvow__dialect_t dialect;
    uvow__op_t op = c->op;
    uvow__buf_t out;
    int is_binary = -1;
    init(&dialect, c->accepted);
    uvow__buf_init(&out, &uvow__mem_default, 10000);
    assert_int_equal(uvow__buf_append(&out, "x", 1), 0);
    assert_int_equal(uvow__dialect_write(&dialect, &op, &out, &is_binary),
                     c->rc);
    assert_int_equal(uvow__buf_size(&out), 1 + c->bytes.len);
    assert_memory_equal(uvow__buf_front(&out) + 1, c->bytes.ptr, c->bytes.len);
    if (c->rc == 0)
      assert_int_equal(is_binary, !c->is_text);
    uvow__buf_done(&out);
    uvow__dialect_done(&dialect);
  }
}

/* Without memory: an error, and nothing is written. */
TEST_CASE(test_no_memory) {
  for (size_t i = 0; i < UVOW__COUNT(writes); i++)
    for (size_t max = 0; max < writes[i].bytes.len; max++) {
      uvow__dialect_t dialect;
      uvow__op_t op = writes[i].op;
      uvow__buf_t out;
      int is_binary;
      init(&dialect, writes[i].accepted);
      uvow__buf_init(&out, &uvow__mem_default, max);
      assert_int_not_equal(uvow__dialect_write(&dialect, &op, &out, &is_binary),
                           0);
      assert_int_equal(uvow__buf_size(&out), 0);
      uvow__buf_done(&out);
      uvow__dialect_done(&dialect);
    }
}

/* Both ways, an allocation failing: it's said, and nothing is left. */
static void sweep(test_alloc_t *alloc, void *data) {
  uvow__dialect_t dialect;
  uvow__op_t op = writes[0].op;
  uvow__buf_t out;
  log_t log;
  int is_binary;
  (void)data;
  memset(&log, 0, sizeof(log));
  init(&dialect, 0);
  dialect.mem = &alloc->allocator;
  log.reader.dialect = &dialect;
  log.reader.on_message = on_message;
  uvow__dialect_read(&log.reader, 1, reads[3].bytes);
  assert_string_equal(log.text, alloc->failed ? "?" : reads[3].expected);
  uvow__buf_init(&out, &alloc->allocator, 10000);
  int rc = uvow__dialect_write(&dialect, &op, &out, &is_binary);
  assert_true(rc == 0 || (rc == UVOW_ENOMEM && uvow__buf_size(&out) == 0));
  uvow__buf_done(&out);
  uvow__dialect_done(&dialect);
}

TEST_CASE(test_failing_allocations) {
  test_alloc_sweep(sweep, NULL);
}

TEST_MODULE(phoenix2_binary) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reads),
      cmocka_unit_test(test_cut_off),
      cmocka_unit_test(test_writes),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_failing_allocations),
  };
  return cmocka_run_group_tests_name("protocol/phoenix2_binary", tests, NULL,
                                     NULL);
}
