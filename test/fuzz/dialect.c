/*
 * Any bytes as what comes on a connection: arrays of messages are as many as
 * they say, each within the array, and read alone as they were read there. And
 * through a codec that emits whatever is in them: what gets through is JSON
 * where it must be, so that nothing of it can get out of its place. The same for
 * protocols that are code in part: wamp2's calls, phoenix2's bytes.
 */
#include <stdlib.h>
#include <string.h>

#include <uvow/error.h>

#include "protocol/codec.h"
#include "wire/json_check.h"
#include "wire/json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds) {
  if (!holds)
    abort();
}

typedef struct log {
  uvow_reader_t reader; /* first */
  uvow__slice_t whole;
  size_t messages;
  size_t read; /* of them, those that could be */
} log_t;

static void on_message(uvow_reader_t *reader, int rc, const uvow__msg_t *msg,
                       uvow__slice_t bytes) {
  const uvow__dialect_t *dialect = reader->dialect;
  log_t *log = (log_t *)(void *)reader;
  uvow__msg_t alone;
  log->messages++;
  log->read += rc == 0;
  check(bytes.ptr >= log->whole.ptr && bytes.len <= log->whole.len &&
        (size_t)(bytes.ptr - log->whole.ptr) <= log->whole.len - bytes.len);
  if (!reader->batch)
    return;
  check(uvow__protocol_decode_as(dialect->protocol, &dialect->ids, bytes.ptr,
                                 bytes.len, &alone) == rc);
  check(rc || (alone.kind == msg->kind && alone.id == msg->id &&
               alone.value.ptr == msg->value.ptr));
}

static void read_as(const char *name, uvow__slice_t text, int strict) {
  uvow__dialect_t dialect;
  log_t log;
  memset(&log, 0, sizeof(log));
  uvow__dialect_init(&dialect, &uvow__mem_default, uvow_protocol_by_name(name),
                     NULL);
  dialect.strict = strict;
  log.reader.dialect = &dialect;
  log.reader.on_message = on_message;
  log.whole = text;
  uvow__dialect_read(&log.reader, 0, text);
  check(log.messages == (log.reader.batch ? log.reader.batch : 1));
  check(log.reader.batch <= UVOW__BATCH_MAX);
  uvow__dialect_done(&dialect);
}

/* ---- a codec ---- */

/* A byte says how long the next piece is. */
static uvow_slice_t piece(uvow_slice_t *rest) {
  uvow_slice_t own = {rest->bytes, 0};
  if (rest->len == 0)
    return own;
  size_t len = (unsigned char)*rest->bytes;
  own.bytes = rest->bytes + 1;
  own.len = len < rest->len ? len : rest->len - 1;
  rest->bytes = own.bytes + own.len;
  rest->len -= own.len + 1;
  return own;
}

static int read_any(void *state, uvow_slice_t message, int is_binary,
                    uvow_reader_t *out) {
  (void)state;
  (void)is_binary;
  while (message.len) {
    uvow_meaning_t m;
    memset(&m, 0, sizeof(m));
    m.size = sizeof(m);
    m.kind = (uvow_meaning_kind_t)((unsigned char)*message.bytes % 10);
    message.bytes++;
    message.len--;
    m.id = piece(&message);
    m.name = piece(&message);
    m.value = piece(&message);
    m.code_text = piece(&message);
    m.message = piece(&message);
    m.data = piece(&message);
    (void)uvow_reader_emit(out, &m);
  }
  return 0;
}

static int write_any(void *state, const uvow_operation_t *op,
                     uvow_writer_t *out) {
  (void)state;
  return uvow_writer_add(out, op->value.bytes, op->value.len);
}

static void check_json(uvow__slice_t text) {
  uvow__json_kind_t kind;
  check(text.len == 0 || (uvow__json_utf8(text) &&
                          uvow__envelope_value(text, &kind, &text) == 0));
}

static void check_string(uvow__slice_t text) {
  check(text.len == 0 || (*text.ptr == '"' && uvow__json_check(text) == 0 &&
                          !uvow__json_string_has_nul(text)));
}

static void on_meaning(uvow_reader_t *reader, int rc, const uvow__msg_t *msg,
                       uvow__slice_t bytes) {
  (void)reader;
  (void)bytes;
  check(rc == 0);
  check_string(msg->name);
  if (msg->kind != UVOW__MSG_CONTROL)
    check_json(msg->value);
  if (msg->kind == UVOW__MSG_CALL || msg->kind == UVOW__MSG_CANCEL)
    check_json(msg->raw_id);
  if (msg->kind != UVOW__MSG_ERROR && msg->kind != UVOW__MSG_FAULT)
    return;
  check_string(msg->error_message);
  check_string(msg->error_code_text);
  check_json(msg->error_data);
}

static void through_codec(uvow__slice_t text) {
  static const uvow_codec_t codec = {.size = sizeof(codec),
                                     .name = "any",
                                     .write = write_any,
                                     .read = read_any};
  uvow_protocol_t protocol;
  uvow__dialect_t dialect;
  uvow__buf_t out;
  log_t log;
  int is_binary;
  memset(&log, 0, sizeof(log));
  uvow__codec_init(&protocol, &codec);
  uvow__dialect_init(&dialect, &uvow__mem_default, &protocol, NULL);
  dialect.is_ready = 1;
  log.reader.dialect = &dialect;
  log.reader.on_message = on_meaning;
  uvow__dialect_read(&log.reader, 1, text);
  uvow__op_t op = {.kind = UVOW__OP_CALL, .id = 1, .params = text};
  uvow__buf_init(&out, &uvow__mem_default, 1u << 24);
  if (uvow__dialect_write(&dialect, &op, &out, &is_binary) == 0)
    check_json(
        (uvow__slice_t){out.data ? (const char *)uvow__buf_front(&out) : NULL,
                        uvow__buf_size(&out)});
  uvow__buf_done(&out);
  uvow__dialect_done(&dialect);
}

/* ---- protocols that are code in part ---- */

static void check_value(uvow__slice_t text) {
  uvow__json_kind_t kind;
  check(text.len == 0 || uvow__envelope_value(text, &kind, &text) == 0);
}

static void on_native(uvow_reader_t *reader, int rc, const uvow__msg_t *msg,
                      uvow__slice_t bytes) {
  (void)bytes;
  if (rc || msg->kind == UVOW__MSG_MALFORMED)
    return;
  check(msg->name.len == 0 || *msg->name.ptr == '"');
  check(!msg->has_id == (msg->id == 0) && msg->id <= UVOW__ID_MAX);
  check_value(msg->value);
  if (msg->kind == UVOW__MSG_ERROR)
    check_value(msg->error_data);
  if (!reader->is_binary)
    return;
  check_string(msg->name);
  check_json(msg->value);
  check_json(msg->session);
  check_json(msg->session2);
}

static void say(uvow__dialect_t *dialect, uvow__slice_t text, int is_binary) {
  uvow_reader_t reader;
  memset(&reader, 0, sizeof(reader));
  reader.dialect = dialect;
  reader.on_message = on_native;
  uvow__dialect_read(&reader, is_binary, text);
}

/* Params, results and errors of any bytes are one JSON text, or binary. */
static void write_ops(uvow__dialect_t *dialect, uvow__slice_t text) {
  static const uvow__op_kind_t kinds[] = {UVOW__OP_CALL, UVOW__OP_REPLY,
                                          UVOW__OP_PARTIAL,
                                          UVOW__OP_REPLY_ERROR, UVOW__OP_EVENT};
  for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
    uvow__op_t op = {.kind = kinds[i], .params = text, .error_data = text};
    uvow__buf_t out;
    int is_binary = 0;
    op.method = text.len % 2 ? UVOW__SLICE("PUBLISH") : UVOW__SLICE("m");
    op.error_message = op.method;
    if (kinds[i] == UVOW__OP_CALL)
      op.id = 5;
    else
      op.raw_id = UVOW__SLICE("6");
    uvow__buf_init(&out, &uvow__mem_default, 1u << 24);
    if (uvow__dialect_write(dialect, &op, &out, &is_binary))
      check(uvow__buf_size(&out) == 0);
    else if (!is_binary)
      check_json((uvow__slice_t){(const char *)uvow__buf_front(&out),
                                 uvow__buf_size(&out)});
    uvow__buf_done(&out);
  }
}

static void through_wamp(uvow__slice_t text) {
  uvow__dialect_t dialect;
  uvow__op_t op = {.kind = UVOW__OP_CALL, .id = 1};
  uvow__buf_t out;
  int is_binary = 0;
  uvow__dialect_init(&dialect, &uvow__mem_default,
                     uvow_protocol_by_name("wamp2"), NULL);
  op.method = UVOW__SLICE("REGISTER");
  op.params = UVOW__SLICE("[{},\"com.add\"]");
  uvow__buf_init(&out, &uvow__mem_default, 1000);
  check(uvow__dialect_write(&dialect, &op, &out, &is_binary) == 0);
  say(&dialect, UVOW__SLICE("[65,1,7]"), 0);
  say(&dialect, text, 0);
  write_ops(&dialect, text);
  uvow__dialect_end(&dialect);
  say(&dialect, text, 0);
  uvow__buf_done(&out);
  uvow__dialect_done(&dialect);
}

/* Its first bytes are made small, so that inputs are text. */
static void through_phoenix(uvow__slice_t text, int accepted) {
  uvow__dialect_t dialect;
  char *copy = (char *)malloc(text.len ? text.len : 1);
  check(copy != NULL);
  for (size_t i = 0; i < text.len; i++)
    copy[i] = (char)(i == 0  ? text.ptr[i] & 3
                     : i < 5 ? text.ptr[i] & 7
                             : text.ptr[i]);
  uvow__dialect_init(&dialect, &uvow__mem_default,
                     uvow_protocol_by_name("phoenix2"), NULL);
  dialect.accepted = accepted;
  say(&dialect, (uvow__slice_t){copy, text.len}, 1);
  write_ops(&dialect, text);
  uvow__dialect_done(&dialect);
  free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uvow__slice_t text = {(const char *)data, size};
  read_as("jsonrpc2", text, 0);
  read_as("jsonrpc2", text, 1);
  read_as("home_assistant", text, 0);
  through_codec(text);
  through_wamp(text);
  through_phoenix(text, 0);
  through_phoenix(text, 1);
  return 0;
}
