/*
 * Protocols in code: between a codec's public structs and what a session knows.
 *
 *   op -> uvow_operation_t -> write -> bytes, or 1: the base's template
 *   bytes -> read -> uvow_meaning_t -> uvow_reader_emit -> msg
 *                 -> or 1: the base's rules
 *
 * 1. A codec can't make a message forge another: params and values are JSON as
 *    far as any payload is, whichever way they go.
 * 2. Names, messages and codes are plain text for a codec, and JSON strings
 *    within: what isn't UTF-8, or has a NUL, is refused.
 * 3. A failed write leaves nothing in the buffer.
 */
#include "codec.h"

#include <string.h>

#include "base/error.h"
#include "base/options.h"
#include "wire/json_text.h"

int uvow__codec_check(const uvow_codec_t *codec) {
  int complete =
      codec && codec->name && (codec->base || (codec->write && codec->read));
  return complete ? 0 : UVOW_EINVAL;
}

void uvow__codec_init(uvow_protocol_t *protocol, const uvow_codec_t *codec) {
  if (codec->base)
    *protocol = *codec->base;
  else
    memset(protocol, 0, sizeof(*protocol));
  protocol->name = codec->name;
  if (codec->subprotocol)
    protocol->subprotocol = codec->subprotocol;
  protocol->codec = codec;
}

/* ---- writing ---- */

int uvow_writer_add(uvow_writer_t *out, const void *bytes, size_t len) {
  int rc = bytes || len == 0 ? 0 : UVOW_EINVAL;
  if (!out)
    return UVOW_EINVAL;
  if (rc == 0 && len)
    rc = uvow__buf_append(out->out, bytes, len);
  out->rc = out->rc ? out->rc : rc;
  return rc;
}

void uvow_writer_set_binary(uvow_writer_t *out) {
  if (out)
    out->is_binary = 1;
}

static uvow_slice_t shown(uvow__slice_t slice) {
  uvow_slice_t own = {slice.ptr ? slice.ptr : "", slice.len};
  return own;
}

static const uvow_operation_kind_t kinds[UVOW__OP_KINDS] = {
    [UVOW__OP_CALL] = UVOW_WRITE_CALL,
    [UVOW__OP_NOTIFY] = UVOW_WRITE_NOTIFY,
    [UVOW__OP_REPLY] = UVOW_WRITE_REPLY,
    [UVOW__OP_REPLY_ERROR] = UVOW_WRITE_REPLY_ERROR,
    [UVOW__OP_EVENT] = UVOW_WRITE_EVENT,
    [UVOW__OP_CANCEL] = UVOW_WRITE_CANCEL,
    [UVOW__OP_PARTIAL] = UVOW_WRITE_PARTIAL,
    [UVOW__OP_END] = UVOW_WRITE_END,
    [UVOW__OP_SUBSCRIBE] = UVOW_WRITE_SUBSCRIBE,
};

static size_t print_id(uint64_t id, char *to) {
  char digits[24];
  size_t len = 0;
  do {
    digits[len++] = (char)('0' + id % 10);
    id /= 10;
  } while (id);
  for (size_t i = 0; i < len; i++)
    to[i] = digits[len - 1 - i];
  return len;
}

static uvow_error_t *make_error(const uvow__dialect_t *dialect,
                                const uvow__op_t *op) {
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_EREMOTE;
  spec.peer_code = op->error_code;
  spec.peer_code_text = op->error_code_text;
  spec.peer_message = spec.detail = op->error_message;
  spec.data = op->error_data;
  return uvow__error_make(dialect->mem, &spec);
}

/* Invariant 1. */
static int check_json(uvow__slice_t *text) {
  uvow__json_kind_t kind;
  if (text->len == 0)
    return 0;
  return uvow__json_utf8(*text) ? uvow__envelope_value(*text, &kind, text)
                                : UVOW_EINVAL;
}

/* Returns as the codec's callback. */
static int call_write(const uvow__dialect_t *dialect, const uvow__op_t *op,
                      uvow_writer_t *writer) {
  char digits[24];
  uvow_operation_t shown_op = {0};
  uvow_error_t *error = NULL;
  uvow__slice_t params = op->params;
  uvow__slice_t data = op->error_data;
  uvow__slice_t id = op->raw_id;
  if (id.len == 0 && op->id)
    id = (uvow__slice_t){digits, print_id(op->id, digits)};
  if ((!(op->params_how & UVOW__PARAMS_CHECKED) && check_json(&params)) ||
      check_json(&data))
    return UVOW_EINVAL;
  shown_op.size = sizeof(shown_op);
  shown_op.kind = kinds[op->kind];
  shown_op.id = shown(id);
  shown_op.method = shown(op->method);
  shown_op.value = shown(params);
  shown_op.session = shown(op->session);
  if (op->kind == UVOW__OP_REPLY_ERROR)
    shown_op.error = error = make_error(dialect, op);
  int rc = dialect->protocol->codec->write(dialect->state, &shown_op, writer);
  uvow_error_unref(error);
  return rc == 0 ? writer->rc : rc;
}

int uvow__codec_write(uvow__dialect_t *dialect, const uvow__op_t *op,
                      uvow__buf_t *out, int *ret_binary) {
  const uvow_codec_t *codec = dialect->protocol->codec;
  size_t size = uvow__buf_size(out);
  uvow_writer_t writer = {out, 0, 0};
  int rc = (unsigned)op->kind >= UVOW__OP_KINDS ? UVOW_EINVAL : 1;
  if (!dialect->is_ready)
    rc = UVOW_ENOMEM;
  if (rc > 0 && codec->write)
    rc = call_write(dialect, op, &writer);
  if (rc == 0) {
    *ret_binary = writer.is_binary;
    return 0;
  }
  if (out->data)
    out->len = out->off + size;
  if (rc < 0 || !codec->base)
    return rc < 0 ? rc : UVOW_EINVAL;
  return uvow__dialect_write_base(dialect, op, out, ret_binary);
}

/* ---- reading ---- */

int uvow__codec_read(uvow_reader_t *reader, uvow__slice_t message) {
  const uvow_codec_t *codec = reader->dialect->protocol->codec;
  int rc = reader->dialect->is_ready ? 1 : UVOW_ENOMEM;
  if (rc > 0 && codec->read)
    rc = codec->read(reader->dialect->state, shown(message), reader->is_binary,
                     reader);
  return rc > 0 && !codec->base ? UVOW_EENVELOPE : rc;
}

static const uint8_t read_kinds[] = {
    [UVOW_READ_IGNORE] = UVOW__MSG_IGNORE,
    [UVOW_READ_OK] = UVOW__MSG_OK,
    [UVOW_READ_ERROR] = UVOW__MSG_ERROR,
    [UVOW_READ_PARTIAL] = UVOW__MSG_PARTIAL,
    [UVOW_READ_END] = UVOW__MSG_END,
    [UVOW_READ_EVENT] = UVOW__MSG_EVENT,
    [UVOW_READ_CALL] = UVOW__MSG_CALL,
    [UVOW_READ_CANCEL] = UVOW__MSG_CANCEL,
    [UVOW_READ_CONTROL] = UVOW__MSG_CONTROL,
};

static uvow__slice_t taken(uvow_slice_t slice) {
  uvow__slice_t own = {slice.len ? slice.bytes : NULL, slice.len};
  return own;
}

/* Plain text as a JSON string, in buf, which has room for it. */
static int quote(uvow__buf_t *buf, uvow_slice_t text, uvow__slice_t *ret) {
  size_t at = uvow__buf_size(buf);
  if (text.len == 0)
    return 0;
  if (memchr(text.bytes, '\0', text.len))
    return UVOW_EINVAL;
  int rc = uvow__json_escape(buf, (uvow__slice_t){text.bytes, text.len});
  if (rc == 0)
    *ret = (uvow__slice_t){(const char *)uvow__buf_front(buf) + at,
                           uvow__buf_size(buf) - at};
  return rc;
}

/* For each byte six of an escape, for each text two quotes. */
static int reserve(uvow__buf_t *buf, const uvow_meaning_t *meaning) {
  const uvow_slice_t *texts[] = {&meaning->name, &meaning->code_text,
                                 &meaning->message};
  size_t whole = 0;
  for (size_t i = 0; i < UVOW__COUNT(texts); i++) {
    size_t len;
    if (uvow__size_mul(texts[i]->len, 6, &len) ||
        uvow__size_add(whole, len, &whole) || uvow__size_add(whole, 2, &whole))
      return UVOW_ENOMEM;
  }
  return uvow__buf_reserve(buf, whole);
}

static int is_answer(uvow__msg_kind_t kind) {
  return kind == UVOW__MSG_OK || kind == UVOW__MSG_ERROR ||
         kind == UVOW__MSG_PARTIAL || kind == UVOW__MSG_END;
}

/* Whose it is: a number of ours, or JSON of the peer's. */
static int take_id(const uvow_meaning_t *meaning, uvow__msg_t *msg) {
  uint64_t id;
  uvow__slice_t text = taken(meaning->id);
  msg->raw_id = text;
  if (is_answer(msg->kind)) {
    msg->has_id =
        text.len && uvow__slice_u64(text, UVOW__ID_MAX, &id) == 0 && id > 0;
    msg->id = msg->has_id ? id : 0;
    return 0;
  }
  if (msg->kind != UVOW__MSG_CALL && msg->kind != UVOW__MSG_CANCEL)
    return 0;
  return text.len && check_json(&msg->raw_id) == 0 ? 0 : UVOW_EINVAL;
}

static int take_error(const uvow_meaning_t *meaning, uvow__buf_t *buf,
                      uvow__msg_t *msg) {
  msg->has_error_code = meaning->code_text.len == 0;
  msg->error_code = meaning->code;
  msg->error_data = taken(meaning->data);
  int rc = quote(buf, meaning->code_text, &msg->error_code_text);
  if (rc == 0)
    rc = quote(buf, meaning->message, &msg->error_message);
  if (rc == 0 && check_json(&msg->error_data))
    rc = UVOW_EINVAL;
  if (!msg->raw_id.len)
    msg->kind = UVOW__MSG_FAULT;
  return rc;
}

static int take(const uvow_meaning_t *meaning, uvow__buf_t *buf,
                uvow__msg_t *msg) {
  int rc = reserve(buf, meaning);
  if (rc == 0)
    rc = take_id(meaning, msg);
  if (rc == 0)
    rc = quote(buf, meaning->name, &msg->name);
  if (rc == 0 && !msg->name.len &&
      (msg->kind == UVOW__MSG_CALL || msg->kind == UVOW__MSG_EVENT))
    rc = UVOW_EINVAL;
  if (rc == 0 && msg->kind == UVOW__MSG_ERROR)
    rc = take_error(meaning, buf, msg);
  msg->session = taken(meaning->session);
  if (rc == 0 && check_json(&msg->session))
    rc = UVOW_EINVAL;
  msg->value = taken(meaning->value);
  if (rc || msg->kind == UVOW__MSG_CONTROL || check_json(&msg->value) == 0)
    return rc;
  if (!is_answer(msg->kind))
    return UVOW_EINVAL;
  msg->kind = UVOW__MSG_MALFORMED;
  msg->fault = UVOW__FAULT_SYNTAX;
  msg->value = (uvow__slice_t){NULL, 0};
  return 0;
}

int uvow_reader_emit(uvow_reader_t *out, const uvow_meaning_t *meaning) {
  uvow__msg_t msg = {0};
  uvow__buf_t buf;
  uvow_meaning_t own;
  if (meaning)
    meaning = (const uvow_meaning_t *)uvow__options(meaning, &own, sizeof(own));
  if (!meaning || (unsigned)meaning->kind >= UVOW__COUNT(read_kinds))
    return UVOW_EINVAL;
  msg.kind = (uvow__msg_kind_t)read_kinds[meaning->kind];
  uvow__buf_init(&buf, out->dialect->mem, SIZE_MAX);
  int rc = take(meaning, &buf, &msg);
  if (rc == 0)
    out->on_message(out, 0, &msg, out->bytes);
  uvow__buf_done(&buf);
  return rc;
}
