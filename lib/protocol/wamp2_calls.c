/*
 * WAMP's calls, both ways: what wamp2.c's tables can't say.
 *
 *   args and kwargs   a value is args if it's an array, kwargs if it's an
 *                     object; {"args": [], "kwargs": {}}, an object of just
 *                     these two, is both
 *   [64,...] REGISTER its URI is the method of the invocations of that
 *                     registration
 *   [8,68,...]        an error's code that is text is its URI; data are its
 *                     kwargs, if an object; its args, if an array
 *   WAMP's own        requests REGISTER, UNREGISTER, PUBLISH, SUBSCRIBE,
 *                     UNSUBSCRIBE: params are what follows the request's id
 *
 * 1. A message that isn't read here is read by the tables.
 * 2. Registrations are a connection's. An invocation of one that nobody asked
 *    for is a call of "invocation", by the tables.
 * 3. Progress is told only to who asked for it: a router ends the session
 *    else. Without memory to note that, only the result is sent.
 */
#include "wamp2_calls.h"

#include <stddef.h>
#include <string.h>

#include <uvow/error.h>

#include "wamp2_names.h"
#include "wire/json_pointer.h"
#include "wire/json_text.h"

enum {
  CODE = UVOW__CAPTURE_FIRST,
  ITEM_1,
  ITEM_2,
  ITEM_3,
  ITEM_4,
  ITEM_5,
  ITEM_6,
  REASON,
  PROGRESS,
  WANTS_PARTS,
  PROCEDURE,
  ARGS,
  KWARGS,
};

#define MESSAGE_LEVEL(name, item_2, item_3)                                    \
  static const uvow__key_t name##_items[] = {                                  \
      UVOW__ITEM(CODE, NULL),     UVOW__ITEM(ITEM_1, NULL),                    \
      UVOW__ITEM(ITEM_2, item_2), UVOW__ITEM(ITEM_3, item_3),                  \
      UVOW__ITEM(ITEM_4, NULL),   UVOW__ITEM(ITEM_5, &reason_level),           \
      UVOW__ITEM(ITEM_6, NULL)};                                               \
  static const uvow__level_t name = UVOW__ARRAY(name##_items)

static const uvow__key_t reason_items[] = {UVOW__ITEM(REASON, NULL)};
static const uvow__level_t reason_level = UVOW__ARRAY(reason_items);
static const uvow__key_t result_keys[] = {
    UVOW__KEY("progress", PROGRESS, NULL)};
static const uvow__level_t result_details = UVOW__OBJECT(result_keys);
static const uvow__key_t invocation_keys[] = {
    {"receive_progress", 16, 0, WANTS_PARTS, NULL, "receive_progress\""},
    UVOW__KEY("procedure", PROCEDURE, NULL)};
static const uvow__level_t invocation_details = UVOW__OBJECT(invocation_keys);
MESSAGE_LEVEL(result_level, &result_details, NULL);
MESSAGE_LEVEL(invocation_level, NULL, &invocation_details);
MESSAGE_LEVEL(plain_level, NULL, NULL);

static const uvow__key_t both_keys[] = {UVOW__KEY("args", ARGS, NULL),
                                        UVOW__KEY("kwargs", KWARGS, NULL)};
static const uvow__level_t both_level = UVOW__OBJECT(both_keys);

/* ---- writing ---- */

static int put(uvow__buf_t *out, uvow__slice_t text) {
  return uvow__buf_append(out, text.ptr, text.len);
}

static size_t count_members(uvow__slice_t object) {
  uvow__json_items_t items = uvow__json_items(object);
  uvow__slice_t key, value;
  size_t count = 0;
  while (uvow__json_items_next(&items, &key, &value))
    count++;
  return count;
}

/* Whether an object may be both: most aren't, by their first name. */
static int may_be_both(uvow__slice_t value) {
  const char *end = value.ptr + value.len;
  const char *p = uvow__json_space(value.ptr, end);
  if (end - p < (ptrdiff_t)sizeof("{\"args\":[]}") || *p != '{')
    return 0;
  p = uvow__json_space(p + 1, end);
  return end - p > 8 &&
         (memcmp(p, "\"args\"", 6) == 0 || memcmp(p, "\"kwargs\"", 8) == 0);
}

/* Whether a value is both, args and kwargs. */
static int find_both(uvow__slice_t value, uvow__captures_t *found) {
  if (!may_be_both(value) ||
      uvow__envelope_scan(&both_level, value.ptr, value.len, found))
    return 0;
  return uvow__capture_kind(found, ARGS) == UVOW__JSON_ARRAY &&
         uvow__capture_kind(found, KWARGS) == UVOW__JSON_OBJECT &&
         count_members(uvow__capture_text(found, UVOW__CAPTURE_ALL)) == 2;
}

static int put_both(uvow__buf_t *out, const uvow__captures_t *both) {
  int rc = uvow__buf_append(out, ",", 1);
  if (rc == 0)
    rc = put(out, uvow__capture_text(both, ARGS));
  if (rc == 0)
    rc = uvow__buf_append(out, ",", 1);
  if (rc == 0)
    rc = put(out, uvow__capture_text(both, KWARGS));
  return rc ? rc : uvow__buf_append(out, "]", 1);
}

static const char *code_of(uvow__slice_t method) {
  static const struct {
    const char *name;
    const char *code;
  } own[] = {{"REGISTER", "[64,"},
             {"UNREGISTER", "[66,"},
             {"PUBLISH", "[16,"},
             {"SUBSCRIBE", "[32,"},
             {"UNSUBSCRIBE", "[34,"}};
  for (size_t i = 0; i < UVOW__COUNT(own); i++)
    if (uvow__slice_is(method, own[i].name))
      return own[i].code;
  return NULL;
}

static uvow__wamp2_names_t *names_of(uvow__dialect_t *dialect) {
  if (!dialect->own)
    dialect->own = uvow__calloc(dialect->mem, sizeof(uvow__wamp2_names_t));
  return (uvow__wamp2_names_t *)dialect->own;
}

/* [{options}, "com.add"]: what is registered is the second of params. */
static int note_uri(uvow__dialect_t *dialect, const uvow__op_t *op,
                    uvow__slice_t params) {
  uvow__captures_t found;
  if (uvow__envelope_scan(&plain_level, params.ptr, params.len, &found) ||
      uvow__capture_kind(&found, ITEM_1) != UVOW__JSON_STRING ||
      uvow__json_string_has_nul(uvow__capture_text(&found, ITEM_1)))
    return UVOW_EINVAL;
  uvow__wamp2_names_t *names = names_of(dialect);
  return names ? uvow__wamp2_names_ask(names, dialect->mem, op->id,
                                       uvow__capture_text(&found, ITEM_1))
               : UVOW_ENOMEM;
}

/* Params as JSON of one kind, without the space around them. */
static int check_params(const uvow__op_t *op, uvow__json_kind_t kind,
                        uvow__slice_t *ret) {
  uvow__json_kind_t is;
  if (op->params.len == 0 || !uvow__json_utf8(op->params) ||
      uvow__envelope_value(op->params, &is, ret) || is != kind)
    return UVOW_EINVAL;
  return 0;
}

static int write_own(uvow__dialect_t *dialect, const uvow__op_t *op,
                     const char *code, uvow__buf_t *out) {
  uvow__slice_t params;
  int rc = check_params(op, UVOW__JSON_ARRAY, &params);
  if (rc == 0 &&
      *uvow__json_space(params.ptr + 1, params.ptr + params.len) == ']')
    rc = UVOW_EINVAL;
  if (rc == 0 && code[1] == '6' && code[2] == '4')
    rc = note_uri(dialect, op, params);
  if (rc == 0)
    rc = uvow__buf_append_text(out, code);
  if (rc == 0)
    rc = uvow__buf_append_u64(out, op->id);
  if (rc == 0)
    rc = uvow__buf_append(out, ",", 1);
  return rc ? rc : uvow__buf_append(out, params.ptr + 1, params.len - 1);
}

static int write_call(uvow__dialect_t *dialect, const uvow__op_t *op,
                      uvow__buf_t *out) {
  const char *code = code_of(op->method);
  uvow__slice_t params;
  uvow__captures_t both;
  if (code)
    return write_own(dialect, op, code, out);
  if (!find_both(op->params, &both) ||
      check_params(op, UVOW__JSON_OBJECT, &params))
    return 1;
  int rc = uvow__buf_append_text(out, "[48,");
  if (rc == 0)
    rc = uvow__buf_append_u64(out, op->id);
  if (rc == 0)
    rc = uvow__buf_append_text(out, ",{\"receive_progress\":true},");
  if (rc == 0)
    rc = uvow__json_escape(out, op->method);
  return rc ? rc : put_both(out, &both);
}

static void stop_parts(const uvow__dialect_t *dialect, const uvow__op_t *op) {
  uint64_t id;
  if (dialect->own && uvow__slice_u64(op->raw_id, UVOW__ID_MAX, &id) == 0)
    uvow__wamp2_parts_remove((uvow__wamp2_names_t *)dialect->own, id);
}

/* A result, or a part of one, that is args and kwargs. */
static int write_result(const uvow__op_t *op, uvow__buf_t *out) {
  uvow__slice_t params;
  uvow__captures_t both;
  if (!find_both(op->params, &both) ||
      check_params(op, UVOW__JSON_OBJECT, &params))
    return 1;
  int rc = uvow__buf_append_text(out, "[70,");
  if (rc == 0)
    rc = put(out, op->raw_id);
  if (rc == 0)
    rc = uvow__buf_append_text(
        out, op->kind == UVOW__OP_PARTIAL ? ",{\"progress\":true}" : ",{}");
  return rc ? rc : put_both(out, &both);
}

/* Behind the URI: [message], or what the data are. */
static int put_details(const uvow__op_t *op, uvow__buf_t *out) {
  uvow__json_kind_t kind = UVOW__JSON_ABSENT;
  uvow__slice_t data = op->error_data;
  if (data.len &&
      (!uvow__json_utf8(data) || uvow__envelope_value(data, &kind, &data)))
    return UVOW_EINVAL;
  int rc = uvow__buf_append_text(out, ",");
  if (rc == 0 && kind == UVOW__JSON_ARRAY)
    rc = put(out, data);
  if (rc || kind == UVOW__JSON_ARRAY)
    return rc ? rc : uvow__buf_append_text(out, "]");
  rc = uvow__buf_append_text(out, "[");
  if (rc == 0)
    rc = uvow__json_escape(out, op->error_message);
  if (rc == 0)
    rc = uvow__buf_append_text(out, "]");
  if (rc == 0 && kind == UVOW__JSON_OBJECT)
    rc = uvow__buf_append_text(out, ",");
  if (rc == 0 && kind == UVOW__JSON_OBJECT)
    rc = put(out, data);
  return rc ? rc : uvow__buf_append_text(out, "]");
}

static int write_error(const uvow__op_t *op, uvow__buf_t *out) {
  uvow__slice_t uri = op->error_code_text;
  if (uri.len == 0 && op->error_code == -32601)
    uri = UVOW__SLICE("wamp.error.no_such_procedure");
  else if (uri.len == 0 && op->error_code == -32800)
    uri = UVOW__SLICE("wamp.error.canceled");
  else if (uri.len == 0)
    uri = UVOW__SLICE("wamp.error.runtime_error");
  int rc = uvow__buf_append_text(out, "[8,68,");
  if (rc == 0)
    rc = op->raw_id.len ? put(out, op->raw_id)
                        : uvow__buf_append_text(out, "null");
  if (rc == 0)
    rc = uvow__buf_append_text(out, ",{},");
  if (rc == 0)
    rc = uvow__json_escape(out, uri);
  return rc ? rc : put_details(op, out);
}

static int write_one(uvow__dialect_t *dialect, const uvow__op_t *op,
                     uvow__buf_t *out) {
  if (op->kind == UVOW__OP_CALL)
    return write_call(dialect, op, out);
  if (op->kind == UVOW__OP_REPLY || op->kind == UVOW__OP_REPLY_ERROR)
    stop_parts(dialect, op);
  if (op->kind == UVOW__OP_REPLY_ERROR)
    return write_error(op, out);
  if (op->kind == UVOW__OP_REPLY || op->kind == UVOW__OP_PARTIAL)
    return write_result(op, out);
  return 1;
}

static int write_message(uvow__dialect_t *dialect, const uvow__op_t *op,
                         uvow__buf_t *out, int *ret_binary) {
  size_t size = uvow__buf_size(out);
  int rc = write_one(dialect, op, out);
  (void)ret_binary;
  if (rc < 0 && out->data)
    out->len = out->off + size;
  return rc;
}

/* ---- reading ---- */

/* The number that a message begins with; 0: none. */
static unsigned peek(uvow__slice_t message) {
  const char *end = message.ptr + message.len;
  const char *p = uvow__json_space(message.ptr, end);
  unsigned code = 0;
  if (p == end || *p != '[')
    return 0;
  for (p = uvow__json_space(p + 1, end); p < end && code < 100; p++) {
    if ((unsigned char)(*p - '0') > 9)
      break;
    code = code * 10 + (unsigned)(*p - '0');
  }
  return code;
}

/* A message whose last element is an object: all that have kwargs. It begins
 * with a bracket and a number. */
static int ends_with_object(uvow__slice_t message) {
  const char *p = message.ptr + message.len;
  for (int brackets = 0;;) {
    char c = *--p;
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
      continue;
    if (brackets++)
      return c == '}';
  }
}

/* An object or array without anything in it. */
static int is_empty(uvow__slice_t text) {
  return uvow__json_space(text.ptr + 1, text.ptr + text.len) ==
         text.ptr + text.len - 1;
}

/* What args and kwargs are together, which may be put into buf. Returns 0, or
 * UVOW_EENVELOPE: they aren't what they must be; UVOW_ENOMEM. */
static int join(const uvow__captures_t *found, size_t at, uvow__buf_t *buf,
                uvow__slice_t *ret) {
  uvow__slice_t args = uvow__capture_text(found, at);
  uvow__slice_t kwargs = uvow__capture_text(found, at + 1);
  if (uvow__capture_kind(found, at) == UVOW__JSON_NULL)
    args = (uvow__slice_t){NULL, 0}; /* as some routers write none */
  *ret = args;
  if ((args.ptr && uvow__capture_kind(found, at) != UVOW__JSON_ARRAY) ||
      (kwargs.ptr && uvow__capture_kind(found, at + 1) != UVOW__JSON_OBJECT))
    return UVOW_EENVELOPE;
  if (!kwargs.ptr || is_empty(kwargs))
    return 0;
  *ret = kwargs;
  if (!args.ptr || is_empty(args))
    return 0;
  int rc = uvow__buf_append_text(buf, "{\"args\":");
  if (rc == 0)
    rc = put(buf, args);
  if (rc == 0)
    rc = uvow__buf_append_text(buf, ",\"kwargs\":");
  if (rc == 0)
    rc = put(buf, kwargs);
  if (rc == 0)
    rc = uvow__buf_append_text(buf, "}");
  *ret =
      (uvow__slice_t){(const char *)uvow__buf_front(buf), uvow__buf_size(buf)};
  return rc;
}

static uint64_t number_at(const uvow__captures_t *found, size_t capture) {
  uint64_t number = 0;
  uvow__slice_t text = uvow__capture_text(found, capture);
  return uvow__slice_u64(text, UVOW__ID_MAX, &number) ? 0 : number;
}

/* A method by its URI: the one that a pattern matched, or what was registered.
 */
static int make_call(const uvow__dialect_t *dialect,
                     const uvow__captures_t *found, uvow__msg_t *msg) {
  uvow__wamp2_names_t *names = (uvow__wamp2_names_t *)dialect->own;
  uint64_t id = number_at(found, ITEM_1);
  uvow__slice_t uri = {NULL, 0};
  if (names)
    uri = uvow__wamp2_names_get(names, number_at(found, ITEM_2));
  if (!uri.ptr || !id)
    return 0;
  if (uvow__capture_kind(found, PROCEDURE) == UVOW__JSON_STRING &&
      !uvow__json_string_has_nul(uvow__capture_text(found, PROCEDURE)))
    uri = uvow__capture_text(found, PROCEDURE);
  if (uvow__capture_kind(found, WANTS_PARTS) == UVOW__JSON_TRUE)
    (void)uvow__wamp2_parts_add(names, dialect->mem, id);
  msg->kind = UVOW__MSG_CALL;
  msg->raw_id = uvow__capture_text(found, ITEM_1);
  msg->name = uri;
  return 1;
}

static int make_result(const uvow__dialect_t *dialect,
                       const uvow__captures_t *found, uvow__msg_t *msg) {
  msg->kind = uvow__capture_kind(found, PROGRESS) == UVOW__JSON_TRUE
                  ? UVOW__MSG_PARTIAL
                  : UVOW__MSG_OK;
  msg->raw_id = uvow__capture_text(found, ITEM_1);
  msg->has_id = (uint8_t)uvow__ids_read(&dialect->ids, msg->raw_id, &msg->id);
  return msg->raw_id.ptr != NULL;
}

/* An error with kwargs. */
static int make_error(const uvow__dialect_t *dialect,
                      const uvow__captures_t *found, uvow__msg_t *msg) {
  msg->kind = UVOW__MSG_ERROR;
  msg->raw_id = uvow__capture_text(found, ITEM_2);
  msg->has_id = (uint8_t)uvow__ids_read(&dialect->ids, msg->raw_id, &msg->id);
  msg->error_code_text = uvow__capture_text(found, ITEM_4);
  if (uvow__capture_kind(found, REASON) == UVOW__JSON_STRING)
    msg->error_message = uvow__capture_text(found, REASON);
  return msg->raw_id.ptr &&
         uvow__capture_kind(found, ITEM_4) == UVOW__JSON_STRING;
}

typedef struct reading {
  const uvow__level_t *level;
  int (*make)(const uvow__dialect_t *dialect, const uvow__captures_t *found,
              uvow__msg_t *msg);
  size_t args; /* where they are; kwargs are behind them */
} reading_t;

static const reading_t readings[] = {
    {&result_level, make_result, ITEM_3},
    {&invocation_level, make_call, ITEM_4},
    {&plain_level, make_error, ITEM_5},
};

static int read_as(uvow_reader_t *reader, const reading_t *how,
                   uvow__slice_t message) {
  uvow__captures_t found;
  uvow__msg_t msg = {0};
  uvow__slice_t value;
  uvow__buf_t buf;
  if (uvow__envelope_scan(how->level, message.ptr, message.len, &found) ||
      !how->make(reader->dialect, &found, &msg))
    return 1;
  uvow__buf_init(&buf, reader->dialect->mem, SIZE_MAX);
  int rc = join(&found, how->args, &buf, &value);
  if (rc == 0) {
    *(msg.kind == UVOW__MSG_ERROR ? &msg.error_data : &msg.value) = value;
    reader->on_message(reader, 0, &msg, message);
  }
  uvow__buf_done(&buf);
  return rc == UVOW_EENVELOPE ? 1 : rc;
}

/* What a registration's answer, and an interrupt, say to us alone. */
static void note(uvow__dialect_t *dialect, unsigned code,
                 uvow__slice_t message) {
  uvow__captures_t found;
  uvow__wamp2_names_t *names = (uvow__wamp2_names_t *)dialect->own;
  if (!names ||
      uvow__envelope_scan(&plain_level, message.ptr, message.len, &found))
    return;
  if (code == 65)
    uvow__wamp2_names_answer(names, dialect->mem, number_at(&found, ITEM_1),
                             number_at(&found, ITEM_2));
  else if (code == 69)
    uvow__wamp2_parts_remove(names, number_at(&found, ITEM_1));
  else if (number_at(&found, ITEM_1) == 64)
    uvow__wamp2_names_answer(names, dialect->mem, number_at(&found, ITEM_2), 0);
}

static int read_message(uvow_reader_t *reader, uvow__slice_t message) {
  unsigned code = reader->is_binary ? 0 : peek(message);
  if (code == 65 || code == 69 || code == 8)
    note(reader->dialect, code, message);
  if (code == 68)
    return read_as(reader, &readings[1], message);
  if ((code == 50 || code == 8) && ends_with_object(message))
    return read_as(reader, &readings[code == 50 ? 0 : 2], message);
  return 1;
}

/* ---- its life ---- */

static int wants_parts(const uvow__dialect_t *dialect, uvow__slice_t raw_id) {
  uint64_t id;
  return dialect->own && uvow__slice_u64(raw_id, UVOW__ID_MAX, &id) == 0 &&
         uvow__wamp2_parts_has((uvow__wamp2_names_t *)dialect->own, id);
}

static void end(uvow__dialect_t *dialect, int for_good) {
  uvow__wamp2_names_t *names = (uvow__wamp2_names_t *)dialect->own;
  if (!names)
    return;
  if (!for_good) {
    uvow__wamp2_names_reset(names, dialect->mem);
    return;
  }
  uvow__wamp2_names_done(names, dialect->mem);
  uvow__free(dialect->mem, names);
  dialect->own = NULL;
}

const uvow__native_t uvow__wamp2_calls = {
    write_message, read_message, wants_parts, end,
    "REGISTER, PUBLISH and its like take an array of what follows the "
    "request's id, which isn't empty"};
