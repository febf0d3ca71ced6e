/*
 * Any bytes as a description, up to the first empty line; what compiles reads
 * what is behind it as a message, by its templates and by its rules alike, and
 * writes only messages that stay within their places.
 */
#include <stdlib.h>
#include <string.h>

#include <uvow/error.h>

#include "protocol/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds) {
  if (!holds)
    abort();
}

static void read_message(const uvow_protocol_t *protocol, const char *text,
                         size_t len) {
  uvow__msg_t quick, slow;
  int rc = uvow__protocol_decode(protocol, text, len, &quick);
  check(uvow__protocol_decode_by_rules(protocol, &protocol->ids, text, len,
                                       &slow) == rc);
  check(quick.kind == slow.kind && quick.id == slow.id &&
        quick.value.ptr == slow.value.ptr && quick.name.ptr == slow.name.ptr &&
        quick.raw_id.ptr == slow.raw_id.ptr);
}

static void write_messages(const uvow_protocol_t *protocol, const char *text,
                           size_t len) {
  for (int kind = 0; kind < UVOW__OP_KINDS; kind++) {
    uvow__op_t op = {.kind = (uvow__op_kind_t)kind,
                     .id = 7,
                     .method = {"m", 1},
                     .error_message = {"e", 1}};
    uvow__json_kind_t json;
    uvow__slice_t whole;
    uvow__buf_t out;
    op.params = (uvow__slice_t){text, len};
    uvow__buf_init(&out, &uvow__mem_default, 1u << 24);
    if (uvow__protocol_encode(protocol, &op, &out) == 0)
      check(uvow__envelope_value(
                (uvow__slice_t){(const char *)uvow__buf_front(&out),
                                uvow__buf_size(&out)},
                &json, &whole) == 0);
    uvow__buf_done(&out);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *text = (const char *)data;
  size_t len = size;
  uvow_error_t *error = NULL;
  for (size_t i = 0; i + 1 < size && len == size; i++)
    if (text[i] == '\n' && text[i + 1] == '\n')
      len = i;
  uvow_protocol_t *protocol = uvow_protocol_parse(text, len, &error);
  check(!protocol == (error != NULL));
  uvow_error_unref(error);
  if (!protocol)
    return 0;
  const char *message = text + (len == size ? size : len + 2);
  read_message(protocol, message, (size_t)(text + size - message));
  write_messages(protocol, message, (size_t)(text + size - message));
  uvow_protocol_unref(protocol);
  return 0;
}
