/*
 * Any bytes through every protocol: as a message, and as params. A message that
 * is written with them reads back as what it was meant to be, with its own id:
 * nothing of the params gets out of its place. And the short way of reading
 * says what the rules say.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/answers.h"
#include "protocol/protocol.h"
#include "wire/json_check.h"
#include "wire/json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds) {
  if (!holds)
    abort();
}

static void check_slice(uvow__slice_t part, const char *text, size_t size) {
  check(part.ptr ? part.ptr >= text && part.len <= size &&
                       (size_t)(part.ptr - text) <= size - part.len
                 : part.len == 0);
}

/* A rule may have a name of its own: wamp2's goodbye. */
static void check_name(uvow__slice_t name, const char *text, size_t size) {
  if (name.len > 1 && !(name.ptr >= text && name.ptr < text + size))
    check(name.ptr[0] == '"' && name.ptr[name.len - 1] == '"');
  else
    check_slice(name, text, size);
}

static int same(uvow__slice_t a, uvow__slice_t b) {
  return a.ptr == b.ptr && a.len == b.len;
}

static void read_by_rules(const uvow_protocol_t *protocol, const char *text,
                          size_t size, const uvow__msg_t *msg) {
  uvow__msg_t other;
  check(uvow__protocol_decode_by_rules(protocol, &protocol->ids, text, size,
                                       &other) == 0);
  check(msg->kind == other.kind && msg->id == other.id &&
        msg->has_id == other.has_id && same(msg->raw_id, other.raw_id) &&
        same(msg->name, other.name) && same(msg->value, other.value) &&
        same(msg->session, other.session));
}

static void read_message(const uvow_protocol_t *protocol, const char *text,
                         size_t size) {
  uvow__msg_t msg;
  if (uvow__protocol_decode(protocol, text, size, &msg)) {
    check(uvow__protocol_decode_by_rules(protocol, &protocol->ids, text, size,
                                         &msg) != 0);
    return;
  }
  read_by_rules(protocol, text, size, &msg);
  check(!msg.has_id == (msg.id == 0) && msg.id <= UVOW__ID_MAX);
  check_slice(msg.raw_id, text, size);
  check_name(msg.name, text, size);
  check_slice(msg.value, text, size);
  check_slice(msg.session, text, size);
  if (msg.kind != UVOW__MSG_ERROR && msg.kind != UVOW__MSG_FAULT)
    return; /* the others don't have what follows */
  check_slice(msg.error_code_text, text, size);
  check_slice(msg.error_message, text, size);
  check_slice(msg.error_data, text, size);
}

/* An answer that is noted, and one with other digits, which turns with them: what
 * looks the same says what the rules say. */
static void read_alike(const uvow_protocol_t *protocol, const char *text,
                       size_t size) {
  uvow__dialect_t dialect;
  uvow__answers_t answers = {0};
  uvow__slice_t value;
  uvow__msg_t msg;
  uint64_t id;
  char other[UVOW__ALIKE_MAX];
  if (size > sizeof(other))
    return;
  uvow__dialect_init(&dialect, &uvow__mem_default, protocol, NULL);
  uvow__answers_note(&answers, &dialect, (uvow__slice_t){text, size});
  for (unsigned turn = 0; turn < 10; turn++) {
    for (size_t i = 0; i < size; i++)
      other[i] = text[i] >= '0' && text[i] <= '9'
                     ? (char)('0' + ((unsigned)(text[i] - '0') + turn) % 10)
                     : text[i];
    if (!uvow__answers_read(&answers, protocol, (uvow__slice_t){other, size},
                            &id, &value))
      continue;
    check(uvow__protocol_decode_by_rules(protocol, &dialect.ids, other, size,
                                         &msg) == 0);
    check(msg.kind == UVOW__MSG_OK && msg.has_id && !msg.half && msg.id == id &&
          same(msg.value, value));
  }
  uvow__dialect_done(&dialect);
}

static void write_message(const uvow_protocol_t *protocol, uvow__op_kind_t kind,
                          uvow__msg_kind_t expected, uvow__slice_t params) {
  uvow__msg_t msg;
  uvow__buf_t out;
  uvow__op_t op = {.kind = kind, .id = 77, .method = {"m", 1}};
  op.params = params;
  uvow__buf_init(&out, &uvow__mem_default, 1u << 24);
  if (uvow__protocol_encode(protocol, &op, &out) == 0) {
    const char *text = (const char *)uvow__buf_front(&out);
    read_alike(protocol, text, uvow__buf_size(&out));
    check(uvow__protocol_decode(protocol, text, uvow__buf_size(&out), &msg) ==
          0);
    check(msg.kind == expected);
    read_by_rules(protocol, text, uvow__buf_size(&out), &msg);
    check(expected == UVOW__MSG_EVENT ? !msg.has_id : msg.id == 77);
    check((expected != UVOW__MSG_CALL && expected != UVOW__MSG_EVENT) ||
          uvow__slice_is(msg.name, "\"m\"") ||
          uvow__slice_is(msg.name, "\"subscribe\""));
  } else {
    check(uvow__buf_size(&out) == 0);
  }
  uvow__buf_done(&out);
}

/* What one end writes, the other end's rules read. They look into the params of
 * some, of which a writer checks where they end: so these are JSON. */
static void write_others(uvow__slice_t params) {
  static const struct {
    const char *name;
    uvow__op_kind_t kind;
    uvow__msg_kind_t expected;
  } all[] = {
      {"graphql_transport_ws", UVOW__OP_CALL, UVOW__MSG_CALL},
      {"graphql_transport_ws", UVOW__OP_PARTIAL, UVOW__MSG_PARTIAL},
      {"graphql_transport_ws", UVOW__OP_END, UVOW__MSG_END},
      {"home_assistant", UVOW__OP_REPLY, UVOW__MSG_OK},
      {"home_assistant", UVOW__OP_PARTIAL, UVOW__MSG_PARTIAL},
      {"lsp", UVOW__OP_CALL, UVOW__MSG_CALL},
      {"lsp", UVOW__OP_REPLY, UVOW__MSG_OK},
      {"mcp", UVOW__OP_REPLY, UVOW__MSG_OK},
      {"obs5", UVOW__OP_CALL, UVOW__MSG_CALL},
      {"obs5", UVOW__OP_REPLY, UVOW__MSG_OK},
      {"obs5", UVOW__OP_EVENT, UVOW__MSG_EVENT},
      {"phoenix2", UVOW__OP_REPLY, UVOW__MSG_OK},
      {"phoenix2", UVOW__OP_EVENT, UVOW__MSG_EVENT},
  };
  if (params.len && uvow__json_check(params))
    return;
  for (size_t i = 0; i < UVOW__COUNT(all); i++)
    write_message(uvow_protocol_by_name(all[i].name), all[i].kind,
                  all[i].expected, params);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"jsonrpc2", "callback_id", "cdp"};
  static const char *const others[] = {"graphql_transport_ws",
                                       "home_assistant",
                                       "lsp",
                                       "mcp",
                                       "obs5",
                                       "phoenix2",
                                       "wamp2",
                                       "webdriver_bidi"};
  uvow__slice_t params = {(const char *)data, size};
  for (size_t i = 0; i < UVOW__COUNT(names); i++) {
    const uvow_protocol_t *protocol = uvow_protocol_by_name(names[i]);
    read_message(protocol, params.ptr, size);
    read_alike(protocol, params.ptr, size);
    write_message(protocol, UVOW__OP_CALL, UVOW__MSG_CALL, params);
    write_message(protocol, UVOW__OP_NOTIFY, UVOW__MSG_EVENT, params);
    write_message(protocol, UVOW__OP_REPLY, UVOW__MSG_OK, params);
    write_message(protocol, UVOW__OP_EVENT, UVOW__MSG_EVENT, params);
  }
  for (size_t i = 0; i < UVOW__COUNT(others); i++)
    read_message(uvow_protocol_by_name(others[i]), params.ptr, size);
  write_others(params);
  return 0;
}
