/*
 * Any bytes through every protocol: as a message, and as params. A message that
 * is written with them reads back as what it was meant to be, with its own id:
 * nothing of the params gets out of its place. And the short way of reading
 * says what the rules say.
 */
#include <stdlib.h>
#include <string.h>

#include "protocol/protocol.h"
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
  check_slice(msg.name, text, size);
  check_slice(msg.value, text, size);
  check_slice(msg.session, text, size);
  if (msg.kind != UVOW__MSG_ERROR && msg.kind != UVOW__MSG_FAULT)
    return; /* the others don't have what follows */
  check_slice(msg.error_code_text, text, size);
  check_slice(msg.error_message, text, size);
  check_slice(msg.error_data, text, size);
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
    check(uvow__protocol_decode(protocol, text, uvow__buf_size(&out), &msg) ==
          0);
    check(msg.kind == expected);
    check(expected == UVOW__MSG_EVENT ? !msg.has_id : msg.id == 77);
    check(expected == UVOW__MSG_OK || uvow__slice_is(msg.name, "\"m\""));
  } else {
    check(uvow__buf_size(&out) == 0);
  }
  uvow__buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"jsonrpc2", "callback_id", "cdp"};
  static const char *const others[] = {"graphql_transport_ws",
                                       "home_assistant",
                                       "lsp",
                                       "mcp",
                                       "obs5",
                                       "phoenix2",
                                       "webdriver_bidi"};
  uvow__slice_t params = {(const char *)data, size};
  for (size_t i = 0; i < UVOW__COUNT(names); i++) {
    const uvow_protocol_t *protocol = uvow_protocol_by_name(names[i]);
    read_message(protocol, params.ptr, size);
    write_message(protocol, UVOW__OP_CALL, UVOW__MSG_CALL, params);
    write_message(protocol, UVOW__OP_NOTIFY, UVOW__MSG_EVENT, params);
    write_message(protocol, UVOW__OP_REPLY, UVOW__MSG_OK, params);
    write_message(protocol, UVOW__OP_EVENT, UVOW__MSG_EVENT, params);
  }
  for (size_t i = 0; i < UVOW__COUNT(others); i++)
    read_message(uvow_protocol_by_name(others[i]), params.ptr, size);
  return 0;
}
