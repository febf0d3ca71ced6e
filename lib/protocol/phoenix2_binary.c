/*
 * Phoenix' messages whose payload is bytes, serializer 2.0.0
 * (Phoenix.Socket.V2.JSONSerializer, phoenix.js' serializer.js).
 *
 *   0  push       of a client: join_ref, ref, topic, event
 *                 of a server: join_ref, topic, event
 *   1  reply      join_ref, ref, topic, status
 *   2  broadcast  topic, event
 *
 * A byte for the kind, a byte for the length of each of these, then they, as
 * UTF-8, then the bytes.
 *
 * 1. Bytes are {"$binary": base64} wherever a value is JSON: that alone makes a
 *    message binary, and is what one is read as.
 * 2. Who was connected to reads a client's pushes, who connected all others.
 */
#include "phoenix2_binary.h"

#include <string.h>

#include <uvow/error.h>

#include "wire/base64.h"
#include "wire/json_pointer.h"
#include "wire/json_text.h"

enum { PUSH, REPLY, BROADCAST };

#define TEXTS_MAX 4
#define TEXT_MAX 255 /* its length is a byte */

/* ---- writing ---- */

static const uvow__key_t binary_keys[] = {
    UVOW__KEY("$binary", UVOW__CAPTURE_FIRST, NULL)};
static const uvow__level_t binary_level = UVOW__OBJECT(binary_keys);

/* Whether an object has no other member than this string: its name, of which
 * there is but one, comes first, and nothing is behind it. */
static int is_alone(uvow__slice_t object, uvow__slice_t value) {
  const char *end = object.ptr + object.len;
  const char *first = uvow__json_space(object.ptr + 1, end);
  const char *behind = uvow__json_space(value.ptr + value.len, end);
  return behind == end - 1 && memcmp(first, "\"$binary\"", 9) == 0;
}

/* The base64 of a value that stands for bytes (invariant 1): 1, or 0: it's a
 * value as any other. */
static int find_bytes(uvow__slice_t value, uvow__slice_t *ret) {
  uvow__captures_t found;
  if (value.len == 0 || !memchr(value.ptr, '$', value.len) ||
      uvow__envelope_scan(&binary_level, value.ptr, value.len, &found))
    return 0;
  *ret = uvow__capture_text(&found, UVOW__CAPTURE_FIRST);
  return uvow__capture_kind(&found, UVOW__CAPTURE_FIRST) == UVOW__JSON_STRING &&
         is_alone(uvow__capture_text(&found, UVOW__CAPTURE_ALL), *ret);
}

/* A variable: the session's, or the application's; JSON text, or NULL. */
static uvow__slice_t get_var(const uvow__op_t *op, const char *name) {
  for (size_t i = op->session_var_count; i > 0; i--)
    if (uvow__slice_is(op->session_vars[i - 1].name, name))
      return op->session_vars[i - 1].json;
  for (size_t i = op->var_count; i > 0; i--)
    if (uvow__slice_is(op->vars[i - 1].name, name))
      return op->vars[i - 1].json;
  return (uvow__slice_t){NULL, 0};
}

/* A message that is being written: its lengths are at `lengths`, from the
 * front. */
typedef struct frame {
  uvow__buf_t *out;
  size_t lengths;
  size_t texts;
  size_t at; /* where the text begins that is written last */
} frame_t;

static int begin(frame_t *frame, uvow__buf_t *out, int kind, size_t texts) {
  uint8_t head[1 + TEXTS_MAX] = {0};
  head[0] = (uint8_t)kind;
  frame->out = out;
  frame->lengths = uvow__buf_size(out) + 1;
  frame->texts = 0;
  int rc = uvow__buf_append(out, head, 1 + texts);
  frame->at = uvow__buf_size(out);
  return rc;
}

/* A text has been appended. */
static int end_text(frame_t *frame) {
  size_t len = uvow__buf_size(frame->out) - frame->at;
  if (len > TEXT_MAX)
    return UVOW_EINVAL;
  uvow__buf_front(frame->out)[frame->lengths + frame->texts++] = (uint8_t)len;
  frame->at += len;
  return 0;
}

/* What JSON text means: a string; null and nothing are empty. */
static int put_json(frame_t *frame, uvow__slice_t json) {
  int rc = 0;
  if (json.len && !uvow__slice_is(json, "null"))
    rc = uvow__json_unescape(frame->out, json);
  if (rc == UVOW_EENVELOPE) /* a number, as it stands */
    rc = uvow__buf_append(frame->out, json.ptr, json.len);
  return rc ? rc : end_text(frame);
}

static int put_plain(frame_t *frame, uvow__slice_t text) {
  int rc = uvow__json_utf8(text)
               ? uvow__buf_append(frame->out, text.ptr, text.len)
               : UVOW_EINVAL;
  return rc ? rc : end_text(frame);
}

static int put_ref(frame_t *frame, const uvow__dialect_t *dialect,
                   const uvow__op_t *op) {
  if (op->raw_id.len)
    return put_json(frame, op->raw_id);
  int rc = uvow__buf_append(frame->out, dialect->ids.prefix,
                            dialect->ids.prefix_len);
  if (rc == 0)
    rc = uvow__buf_append_u64(frame->out, op->id);
  return rc ? rc : end_text(frame);
}

static int put_bytes(uvow__buf_t *out, uvow__slice_t base64) {
  uvow__slice_t text;
  size_t len;
  if (!uvow__json_plain(base64, &text))
    return UVOW_EINVAL;
  int rc = uvow__buf_reserve(out, text.len + 1);
  if (rc == 0)
    rc = uvow__base64_decode(text.ptr, text.len, out->data + out->len,
                             text.len + 1, &len);
  if (rc == 0)
    out->len += len;
  return rc;
}

/* What an operation is as a kind of message; -1: none. */
static int kind_of(const uvow__dialect_t *dialect, const uvow__op_t *op) {
  if (op->kind == UVOW__OP_CALL)
    return dialect->accepted ? -1 : PUSH;
  if (op->kind == UVOW__OP_REPLY || op->kind == UVOW__OP_REPLY_ERROR)
    return REPLY;
  if (op->kind != UVOW__OP_EVENT || !dialect->accepted)
    return -1;
  uvow__slice_t join_ref = get_var(op, "join_ref");
  return join_ref.len && !uvow__slice_is(join_ref, "null") ? PUSH : BROADCAST;
}

static int write_texts(frame_t *frame, const uvow__dialect_t *dialect,
                       const uvow__op_t *op, int kind) {
  int has_ref = op->kind != UVOW__OP_EVENT;
  uvow__slice_t last = op->method;
  int rc = 0;
  if (kind == REPLY)
    last =
        op->kind == UVOW__OP_REPLY ? UVOW__SLICE("ok") : UVOW__SLICE("error");
  if (kind != BROADCAST)
    rc = put_json(frame, get_var(op, "join_ref"));
  if (rc == 0 && has_ref)
    rc = put_ref(frame, dialect, op);
  if (rc == 0)
    rc = put_json(frame, get_var(op, "topic"));
  return rc ? rc : put_plain(frame, last);
}

static int write_binary(uvow__dialect_t *dialect, const uvow__op_t *op,
                        uvow__buf_t *out, int *ret_binary) {
  static const uint8_t texts[] = {[PUSH] = 3, [REPLY] = 4, [BROADCAST] = 2};
  size_t size = uvow__buf_size(out);
  uvow__slice_t base64;
  frame_t frame;
  int kind = kind_of(dialect, op);
  if (kind < 0 || !find_bytes(op->kind == UVOW__OP_REPLY_ERROR ? op->error_data
                                                               : op->params,
                              &base64))
    return 1;
  int is_call = op->kind == UVOW__OP_CALL;
  int rc = begin(&frame, out, kind, texts[kind] + (is_call ? 1u : 0u));
  if (rc == 0)
    rc = write_texts(&frame, dialect, op, kind);
  if (rc == 0)
    rc = put_bytes(out, base64);
  if (rc == 0)
    *ret_binary = 1;
  else if (out->data)
    out->len = out->off + size;
  return rc;
}

/* ---- reading ---- */

/* The texts of a message, and what is behind them. */
typedef struct parts {
  uvow__slice_t texts[TEXTS_MAX];
  uvow__slice_t bytes;
} parts_t;

static int split(uvow__slice_t message, size_t count, parts_t *ret) {
  size_t at = 1 + count;
  if (message.len < at)
    return UVOW_EENVELOPE;
  for (size_t i = 0; i < count; i++) {
    size_t len = (unsigned char)message.ptr[1 + i];
    if (len > message.len - at)
      return UVOW_EENVELOPE;
    ret->texts[i] = (uvow__slice_t){message.ptr + at, len};
    if (!uvow__json_utf8(ret->texts[i]) || memchr(message.ptr + at, '\0', len))
      return UVOW_EENVELOPE;
    at += len;
  }
  ret->bytes = (uvow__slice_t){message.ptr + at, message.len - at};
  return 0;
}

/* What JSON a part becomes lies one behind the other, in room that is there
 * before: nothing of it moves. */
static int reserve(uvow__buf_t *buf, const parts_t *parts) {
  size_t whole;
  if (uvow__size_add(parts->bytes.len, parts->bytes.len / 2, &whole) ||
      uvow__size_add(whole, 64 + TEXTS_MAX * (6 * TEXT_MAX + 2), &whole))
    return UVOW_ENOMEM;
  return uvow__buf_reserve(buf, whole);
}

static uvow__slice_t since(uvow__buf_t *buf, size_t at) {
  return (uvow__slice_t){(const char *)uvow__buf_front(buf) + at,
                         uvow__buf_size(buf) - at};
}

/* A string; an empty one, where there may be none, is null. */
static uvow__slice_t quote(uvow__buf_t *buf, uvow__slice_t text, int or_null) {
  size_t at = uvow__buf_size(buf);
  if (text.len == 0 && or_null)
    return UVOW__SLICE("null");
  (void)uvow__json_escape(buf, text);
  return since(buf, at);
}

/* Invariant 1. */
static uvow__slice_t put_value(uvow__buf_t *buf, uvow__slice_t bytes) {
  size_t at = uvow__buf_size(buf);
  (void)uvow__buf_append_text(buf, "{\"$binary\":\"");
  buf->len += uvow__base64_encode((const uint8_t *)bytes.ptr, bytes.len,
                                  (char *)buf->data + buf->len);
  (void)uvow__buf_append_text(buf, "\"}");
  return since(buf, at);
}

static int read_reply(const uvow__dialect_t *dialect, const parts_t *parts,
                      uvow__msg_t *msg) {
  uvow__slice_t status = parts->texts[3];
  if (uvow__slice_is(status, "ok"))
    msg->kind = UVOW__MSG_OK;
  else if (uvow__slice_is(status, "error"))
    msg->kind = UVOW__MSG_ERROR;
  else
    return UVOW_EENVELOPE;
  if (msg->kind == UVOW__MSG_ERROR) {
    msg->error_data = msg->value;
    msg->value = (uvow__slice_t){NULL, 0};
  }
  msg->has_id = (uint8_t)uvow__ids_read(&dialect->ids, msg->raw_id, &msg->id);
  return 0;
}

/* The parts of a message by its kind; texts that it doesn't have are empty. */
static int read_parts(int kind, int accepted, uvow__slice_t message,
                      parts_t *ret) {
  parts_t own = {0};
  int rc;
  memset(ret, 0, sizeof(*ret));
  if (accepted ? kind != PUSH : kind > BROADCAST)
    return UVOW_EENVELOPE;
  if (kind == REPLY || accepted)
    return split(message, 4, ret);
  rc = split(message, kind == PUSH ? 3 : 2, &own);
  ret->texts[0] = kind == PUSH ? own.texts[0] : own.texts[2];
  ret->texts[2] = own.texts[kind == PUSH ? 1 : 0];
  ret->texts[3] = own.texts[kind == PUSH ? 2 : 1];
  ret->bytes = own.bytes;
  return rc;
}

static int make_message(const uvow__dialect_t *dialect, int kind,
                        const parts_t *parts, uvow__buf_t *buf,
                        uvow__msg_t *msg) {
  int has_ref = kind == REPLY || dialect->accepted;
  int rc = reserve(buf, parts);
  if (rc)
    return rc;
  msg->session = quote(buf, parts->texts[0], 1);
  msg->session2 = quote(buf, parts->texts[2], 0);
  msg->value = put_value(buf, parts->bytes);
  if (has_ref)
    msg->raw_id = quote(buf, parts->texts[1], 0);
  if (kind == REPLY)
    return read_reply(dialect, parts, msg);
  msg->kind = dialect->accepted ? UVOW__MSG_CALL : UVOW__MSG_EVENT;
  msg->name = quote(buf, parts->texts[3], 0);
  return 0;
}

static int read_binary(uvow_reader_t *reader, uvow__slice_t message) {
  const uvow__dialect_t *dialect = reader->dialect;
  uvow__msg_t msg = {0};
  uvow__buf_t buf;
  parts_t parts;
  if (!reader->is_binary)
    return 1;
  if (message.len == 0)
    return UVOW_EENVELOPE;
  int kind = (unsigned char)*message.ptr;
  int rc = read_parts(kind, dialect->accepted, message, &parts);
  uvow__buf_init(&buf, dialect->mem, SIZE_MAX);
  if (rc == 0)
    rc = make_message(dialect, kind, &parts, &buf, &msg);
  if (rc == 0)
    reader->on_message(reader, 0, &msg, message);
  uvow__buf_done(&buf);
  return rc;
}

const uvow__native_t uvow__phoenix2_binary = {
    write_binary, read_binary, NULL, NULL,
    "bytes are {\"$binary\": base64}, beside texts of at most 255 bytes each"};
