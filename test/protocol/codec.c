/* Protocols in code: what a codec writes and reads, and what it can't. */
#include "protocol/codec.h"

#include <stdio.h>

#include "protocol/why.h"
#include "support/support.h"

#include <uvow/error.h>

/* "id method params", answers "id value" and "id !message", events "- name
 * value", a line each. */

static int add(uvow_writer_t *out, uvow_slice_t s, const char *end) {
  int rc = uvow_writer_add(out, s.bytes, s.len);
  return rc ? rc : uvow_writer_add(out, end, strlen(end));
}

static int write_line(void *state, const uvow_operation_t *op,
                      uvow_writer_t *out) {
  int *binary = (int *)state;
  int rc = add(out, op->id, " ");
  assert_int_equal(op->size, sizeof(*op));
  if (binary && *binary)
    uvow_writer_set_binary(out);
  if (op->kind == UVOW_WRITE_NOTIFY)
    return UVOW_EINVAL;
  if (op->kind == UVOW_WRITE_REPLY_ERROR) {
    const char *message = uvow_error_peer_message(op->error);
    uvow_slice_t text = {message, strlen(message)};
    return rc ? rc : add(out, text, "!\n");
  }
  if (rc == 0)
    rc = add(out, op->method, " ");
  return rc ? rc : add(out, op->value, "\n");
}

static uvow_slice_t word(uvow_slice_t *rest, char end) {
  uvow_slice_t w = *rest;
  const char *stop = w.len ? (const char *)memchr(w.bytes, end, w.len) : NULL;
  if (stop)
    w.len = (size_t)(stop - w.bytes);
  rest->bytes += w.len + (stop != NULL);
  rest->len -= w.len + (stop != NULL);
  return w;
}

static uvow_meaning_kind_t kind_of(uvow_slice_t id, uvow_slice_t rest) {
  switch (id.len ? id.bytes[0] : '\0') {
  case '-':
    return UVOW_READ_EVENT;
  case '+':
    return UVOW_READ_CONTROL;
  case '?':
    return UVOW_READ_CALL;
  default:
    return rest.len && rest.bytes[0] == '!' ? UVOW_READ_ERROR : UVOW_READ_OK;
  }
}

static int read_lines(void *state, uvow_slice_t message, int is_binary,
                      uvow_reader_t *out) {
  int rc = 0;
  (void)state;
  if (is_binary)
    return UVOW_EENVELOPE;
  while (message.len && rc == 0) {
    uvow_slice_t line = word(&message, '\n');
    uvow_meaning_t m = {0};
    m.size = sizeof(m);
    m.id = word(&line, ' ');
    m.kind = kind_of(m.id, line);
    if (m.kind == UVOW_READ_EVENT || m.kind == UVOW_READ_CALL)
      m.name = word(&line, ' ');
    if (m.kind == UVOW_READ_CALL) {
      m.id.bytes++;
      m.id.len--;
    }
    if (m.kind == UVOW_READ_ERROR) {
      word(&line, '!');
      m.code = 5;
      m.message = line;
    } else {
      m.value = line;
    }
    rc = uvow_reader_emit(out, &m);
  }
  return rc;
}

static const uvow_codec_t lines = {.size = sizeof(lines),
                                   .name = "lines",
                                   .write = write_line,
                                   .read = read_lines};

typedef struct log {
  uvow_reader_t reader; /* first */
  char text[1000];
} log_t;

static void on_message(uvow_reader_t *reader, int rc, const uvow__msg_t *msg,
                       uvow__slice_t bytes) {
  log_t *log = (log_t *)(void *)reader;
  size_t at = strlen(log->text);
  uvow__slice_t message = {"", 0};
  (void)bytes;
  if (msg->kind == UVOW__MSG_ERROR || msg->kind == UVOW__MSG_FAULT)
    message = msg->error_message;
  if (rc)
    snprintf(log->text + at, sizeof(log->text) - at, "[%d]", rc);
  else
    snprintf(log->text + at, sizeof(log->text) - at, "[%d|%d|%.*s|%.*s|%.*s]",
             (int)msg->kind, (int)msg->id, (int)msg->name.len,
             msg->name.ptr ? msg->name.ptr : "", (int)msg->value.len,
             msg->value.ptr ? msg->value.ptr : "", (int)message.len,
             message.ptr ? message.ptr : "");
}

typedef struct speech {
  uvow_protocol_t protocol;
  uvow__dialect_t dialect;
  log_t log;
} speech_t;

static void speak(speech_t *x, const uvow_codec_t *codec) {
  memset(x, 0, sizeof(*x));
  assert_int_equal(uvow__codec_check(codec), 0);
  uvow__codec_init(&x->protocol, codec);
  uvow__dialect_init(&x->dialect, &uvow__mem_default, &x->protocol, NULL);
  x->dialect.is_ready = 1;
  x->log.reader.dialect = &x->dialect;
  x->log.reader.on_message = on_message;
}

static const char *hear(speech_t *x, const char *text, size_t len,
                        int is_binary) {
  char *copy = (char *)malloc(len ? len : 1);
  assert_non_null(copy);
  memcpy(copy, text, len);
  x->log.text[0] = '\0';
  uvow__dialect_read(&x->log.reader, is_binary, (uvow__slice_t){copy, len});
  free(copy);
  return x->log.text;
}

#define expect_heard(x, text, expected)                                        \
  assert_string_equal(hear((x), (text), sizeof(text) - 1, 0), (expected))

TEST_CASE(reads_many) {
  speech_t x;
  speak(&x, &lines);
  expect_heard(&x, "", "");
  expect_heard(&x, "1 [1]\n2 !no \"more\"\n- tick 5\n",
               "[1|1||[1]|][2|2|||\"no \\\"more\\\"\"][4|0|\"tick\"|5|]");
  expect_heard(&x, "?\"a\" add [1]\n", "[5|0|\"add\"|[1]|]");
  expect_heard(&x, "+ as it is\n", "[6|0||as it is|]");
  /* What isn't ours is told as it is. */
  expect_heard(&x, "x 1\n", "[1|0||1|]");
  expect_heard(&x, "0 1\n", "[1|0||1|]");
  expect_heard(&x, " !no id\n", "[10|0|||\"no id\"]");
  char code[16];
  snprintf(code, sizeof(code), "[%d]", UVOW_EENVELOPE);
  assert_string_equal(hear(&x, "1 2", 3, 1), code);
  uvow__dialect_done(&x.dialect);
}

/* Invariants 1 and 2. */
TEST_CASE(refuses_what_is_no_json) {
  char code[16];
  speech_t x;
  speak(&x, &lines);
  snprintf(code, sizeof(code), "[%d]", UVOW_EENVELOPE);
  expect_heard(&x, "1 [1\n", "[0|1|||]"); /* its request is rejected */
  expect_heard(&x, "1 1},{\n", "[0|1|||]");
  expect_heard(&x, "1 \"\xFF\"\n", "[0|1|||]");
  expect_heard(&x, "- tick [\n", code);
  expect_heard(&x, "- \xFF 1\n", code);
  expect_heard(&x, "- a\0b 1\n", code);
  expect_heard(&x, "-\n", code); /* no name */
  expect_heard(&x, "?1} m 1\n", code);
  expect_heard(&x, "? m 1\n", code);
  uvow__dialect_done(&x.dialect);
}

static void expect_said(speech_t *x, uvow__op_t op, int rc, const char *text) {
  uvow__buf_t out;
  int is_binary;
  uvow__buf_init(&out, &uvow__mem_default, 60);
  assert_int_equal(uvow__buf_append(&out, ">", 1), 0);
  assert_int_equal(uvow__dialect_write(&x->dialect, &op, &out, &is_binary), rc);
  assert_int_equal(uvow__buf_append(&out, "", 1), 0);
  assert_string_equal((const char *)uvow__buf_front(&out), text);
  uvow__buf_done(&out);
}

TEST_CASE(writes) {
  speech_t x;
  speak(&x, &lines);
  uvow__op_t op = {.kind = UVOW__OP_CALL, .id = 12, .method = {"add", 3}};
  op.params = UVOW__SLICE("[1]");
  expect_said(&x, op, 0, ">12 add [1]\n");
  op.params = UVOW__SLICE("1},{");
  expect_said(&x, op, UVOW_EINVAL, ">");
  op.params = UVOW__SLICE("\"\xFF\"");
  expect_said(&x, op, UVOW_EINVAL, ">");
  op.kind = UVOW__OP_NOTIFY; /* it began to write */
  op.params = UVOW__SLICE("[1]");
  expect_said(&x, op, UVOW_EINVAL, ">");
  op.kind = UVOW__OP_KINDS;
  expect_said(&x, op, UVOW_EINVAL, ">");
  op.kind = UVOW__OP_REPLY_ERROR;
  op.raw_id = UVOW__SLICE("\"x\"");
  op.error_message = UVOW__SLICE("no");
  expect_said(&x, op, 0, ">\"x\" no!\n");
  op.kind = UVOW__OP_REPLY;
  op.params =
      UVOW__SLICE("\"a value that doesn't fit where there are 60 bytes\"");
  expect_said(&x, op, UVOW_EOVERLOAD, ">");
  uvow__dialect_done(&x.dialect);
}

/* A failed add fails the message, whatever the codec says of it. */
static int write_carelessly(void *state, const uvow_operation_t *op,
                            uvow_writer_t *out) {
  (void)state;
  (void)op;
  for (int i = 0; i < 10; i++)
    (void)uvow_writer_add(out, "12345678", 8);
  return 0;
}

TEST_CASE(fails_as_a_whole) {
  uvow_codec_t codec = lines;
  speech_t x;
  codec.write = write_carelessly;
  speak(&x, &codec);
  expect_said(&x, (uvow__op_t){.kind = UVOW__OP_CALL, .id = 1}, UVOW_EOVERLOAD,
              ">");
  uvow__dialect_done(&x.dialect);
}

TEST_CASE(writes_binary) {
  int on = 1;
  int is_binary = 0;
  uvow__buf_t out;
  speech_t x;
  speak(&x, &lines);
  x.dialect.state = &on;
  uvow__buf_init(&out, &uvow__mem_default, 60);
  uvow__op_t op = {.kind = UVOW__OP_CALL, .id = 1, .method = {"m", 1}};
  assert_int_equal(uvow__dialect_write(&x.dialect, &op, &out, &is_binary), 0);
  assert_int_equal(is_binary, 1);
  uvow__buf_done(&out);
  uvow__dialect_done(&x.dialect);
}

/* Nothing was said before it was made ready: its state isn't there. */
TEST_CASE(needs_its_state) {
  char code[16];
  char text[100];
  uvow__op_t op = {.kind = UVOW__OP_NOTIFY, .id = 1, .method = {"m", 1}};
  speech_t x;
  speak(&x, &lines);
  uvow__dialect_why(&x.dialect, &op, text, sizeof(text));
  assert_string_equal(text,
                      "lines's notify can't be written: its codec refuses");
  x.dialect.is_ready = 0;
  snprintf(code, sizeof(code), "[%d]", UVOW_EENVELOPE);
  expect_said(&x, op, UVOW_ENOMEM, ">");
  expect_heard(&x, "1 [1]\n", code);
  uvow__dialect_done(&x.dialect);
  assert_int_equal(uvow_writer_add(NULL, "a", 1), UVOW_EINVAL);
  uvow_writer_set_binary(NULL);
}

/* What a codec says of a message, and its rc is what it's answered with. */
static int emit_one(void *state, uvow_slice_t message, int is_binary,
                    uvow_reader_t *out) {
  const uvow_meaning_t *meaning = (const uvow_meaning_t *)state;
  (void)message;
  (void)is_binary;
  return uvow_reader_emit(out, meaning);
}

TEST_CASE(means_what_can_be) {
  static const struct {
    uvow_meaning_t meaning;
    int rc;
  } rows[] = {
      {{.kind = UVOW_READ_ERROR, .id = {"1", 1}, .data = {"{", 1}},
       UVOW_EINVAL},
      {{.kind = UVOW_READ_ERROR, .id = {"1", 1}, .data = {"{}", 2}}, 0},
      {{.kind = UVOW_READ_OK, .id = {"1", 1}, .session = {"\"", 1}},
       UVOW_EINVAL},
      {{.kind = UVOW_READ_OK, .id = {"1", 1}, .session = {"\"s\"", 3}}, 0},
      {{.kind = UVOW_READ_PARTIAL, .id = {"1", 1}, .value = {"[", 1}}, 0},
      {{.kind = UVOW_READ_END, .id = {"1", 1}, .value = {"[", 1}}, 0},
      {{.kind = UVOW_READ_IGNORE}, 0},
      {{.kind = (uvow_meaning_kind_t)99}, UVOW_EINVAL},
      {{.kind = UVOW_READ_CANCEL, .id = {"x", 1}}, UVOW_EINVAL},
      {{.kind = UVOW_READ_CALL, .id = {"1", 1}}, UVOW_EINVAL}, /* no name */
      {{.kind = UVOW_READ_ERROR, .id = {"1", 1}, .code_text = {"\xff", 1}},
       UVOW_EINVAL},
      {{.kind = UVOW_READ_ERROR, .id = {"1", 1}, .message = {"\xff", 1}},
       UVOW_EINVAL},
      {{.kind = UVOW_READ_ERROR, .id = {"1", 1}, .code_text = {"no", 2}}, 0},
  };
  uvow_codec_t codec = lines;
  codec.read = emit_one;
  codec.subprotocol = "own";
  for (size_t i = 0; i <= sizeof(rows) / sizeof(*rows); i++) {
    uvow_meaning_t meaning;
    int rc = UVOW_EENVELOPE; /* without one */
    char code[16];
    speech_t x;
    speak(&x, &codec);
    assert_string_equal(x.protocol.subprotocol, "own");
    if (i < sizeof(rows) / sizeof(*rows)) {
      meaning = rows[i].meaning;
      meaning.size = sizeof(meaning);
      x.dialect.state = &meaning;
      rc = rows[i].rc;
    }
    snprintf(code, sizeof(code), "[%d]", UVOW_EENVELOPE);
    assert_int_equal(strcmp(hear(&x, "any", 3, 0), code) == 0, rc != 0);
    uvow__dialect_done(&x.dialect);
  }
}

static int pass_write(void *state, const uvow_operation_t *op,
                      uvow_writer_t *out) {
  (void)state;
  if (op->kind != UVOW_WRITE_NOTIFY) {
    (void)uvow_writer_add(out, "thrown away", 11);
    return 1;
  }
  return uvow_writer_add(out, "note", 4);
}

static int pass_read(void *state, uvow_slice_t message, int is_binary,
                     uvow_reader_t *out) {
  uvow_meaning_t m = {0};
  (void)state;
  (void)is_binary;
  if (message.len != 4 || memcmp(message.bytes, "note", 4) != 0)
    return 1;
  m.size = sizeof(m);
  m.kind = UVOW_READ_EVENT;
  m.name = message;
  return uvow_reader_emit(out, &m);
}

/* What the callbacks leave is the base's: also its batches. */
TEST_CASE(has_a_base) {
  uvow_codec_t codec = {.size = sizeof(codec),
                        .name = "noted",
                        .write = pass_write,
                        .read = pass_read,
                        .base = uvow_protocol_by_name("jsonrpc2")};
  speech_t x;
  speak(&x, &codec);
  expect_said(&x,
              (uvow__op_t){.kind = UVOW__OP_CALL, .id = 1, .method = {"m", 1}},
              0, ">{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
  expect_said(&x, (uvow__op_t){.kind = UVOW__OP_NOTIFY}, 0, ">note");
  expect_said(&x, (uvow__op_t){.kind = UVOW__OP_PARTIAL}, UVOW_EINVAL, ">");
  expect_heard(&x, "note", "[4|0|\"note\"||]");
  expect_heard(&x, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":5}]",
               "[1|1||5|]");
  uvow__dialect_done(&x.dialect);
  codec.write = NULL;
  codec.read = NULL;
  speak(&x, &codec);
  expect_heard(&x, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":5}", "[1|1||5|]");
  uvow__dialect_done(&x.dialect);
}

static int write_not(void *state, const uvow_operation_t *op,
                     uvow_writer_t *out) {
  (void)state;
  (void)op;
  assert_int_equal(uvow_writer_add(out, NULL, 0), 0);
  assert_int_equal(uvow_writer_add(out, NULL, 1), UVOW_EINVAL);
  return 1;
}

static int read_not(void *state, uvow_slice_t message, int is_binary,
                    uvow_reader_t *out) {
  (void)state;
  (void)message;
  (void)is_binary;
  (void)out;
  return 1;
}

/* Without a base, what the callbacks leave can't be said, nor is it read. Its
 * streams may end: nobody but the codec knows. */
TEST_CASE(has_no_base) {
  uvow_codec_t codec = lines;
  char code[16];
  speech_t x;
  codec.write = write_not;
  codec.read = read_not;
  speak(&x, &codec);
  expect_said(&x, (uvow__op_t){.kind = UVOW__OP_CALL, .id = 1}, UVOW_EINVAL,
              ">");
  snprintf(code, sizeof(code), "[%d]", UVOW_EENVELOPE);
  expect_heard(&x, "any", code);
  assert_true(uvow__protocol_ends(&x.protocol));
  assert_true(uvow__protocol_can(&x.protocol, UVOW__OP_PARTIAL));
  uvow__dialect_done(&x.dialect);
}

/* One that only reads leaves all writing to its base; one that only writes, all
 * reading. */
TEST_CASE(has_half_a_base) {
  uvow_codec_t codec = {.size = sizeof(codec),
                        .name = "half",
                        .read = pass_read,
                        .base = uvow_protocol_by_name("jsonrpc2")};
  uvow__op_t op = {.kind = UVOW__OP_CALL, .id = 1, .method = {"m", 1}};
  speech_t x;
  speak(&x, &codec);
  expect_said(&x, op, 0, ">{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
  expect_heard(&x, "note", "[4|0|\"note\"||]");
  assert_true(uvow__protocol_ends(&x.protocol));
  assert_false(uvow__protocol_can(&x.protocol, UVOW__OP_END));
  uvow__dialect_done(&x.dialect);
  codec.read = NULL;
  codec.write = pass_write;
  speak(&x, &codec);
  expect_heard(&x, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":5}", "[1|1||5|]");
  assert_false(uvow__protocol_ends(&x.protocol));
  assert_false(uvow__protocol_ends(codec.base));
  uvow__dialect_done(&x.dialect);
}

TEST_CASE(must_be_complete) {
  uvow_codec_t codec = lines;
  assert_int_equal(uvow__codec_check(NULL), UVOW_EINVAL);
  codec.write = NULL;
  assert_int_equal(uvow__codec_check(&codec), UVOW_EINVAL);
  codec.write = lines.write;
  codec.read = NULL;
  assert_int_equal(uvow__codec_check(&codec), UVOW_EINVAL);
  codec.base = uvow_protocol_by_name("cdp");
  assert_int_equal(uvow__codec_check(&codec), 0);
  codec.name = NULL;
  assert_int_equal(uvow__codec_check(&codec), UVOW_EINVAL);
}

TEST_MODULE(codec) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_many),
      cmocka_unit_test(refuses_what_is_no_json),
      cmocka_unit_test(writes),
      cmocka_unit_test(fails_as_a_whole),
      cmocka_unit_test(writes_binary),
      cmocka_unit_test(needs_its_state),
      cmocka_unit_test(means_what_can_be),
      cmocka_unit_test(has_a_base),
      cmocka_unit_test(has_no_base),
      cmocka_unit_test(has_half_a_base),
      cmocka_unit_test(must_be_complete),
  };
  return cmocka_run_group_tests_name("protocol/codec", tests, NULL, NULL);
}
