/*
 * A protocol in use: what comes is one message, an array of them, or a codec's.
 *
 *   message -> codec -> emits 0..n
 *           -> batches, and an array -> each element -> decode
 *           -> decode
 *
 * 1. An array is looked at whole before any of its elements is read: one that
 *    isn't an array, is empty or has too many elements is one malformed
 *    message (JSON-RPC 2.0, section 6).
 * 2. An element that is no message is malformed by itself.
 * 3. Binary messages are text only where the protocol is that liberal, and only
 *    if they are UTF-8.
 */
#include "dialect.h"

#include <string.h>

#include <uvow/error.h>

#include "codec.h"
#include "vars.h"
#include "base/text.h"
#include "wire/json_check.h"
#include "wire/json_pointer.h"
#include "wire/json_text.h"

/* ---- ids ---- */

static void make_prefix(uvow__dialect_t *dialect, const uint8_t *random) {
  const uvow__ids_t *own = &dialect->protocol->ids;
  char *to = dialect->prefix;
  if (own->prefix_len)
    memcpy(to, own->prefix, own->prefix_len);
  to += own->prefix_len;
  for (size_t i = 0; i < UVOW__PREFIX_RANDOM; i++) {
    unsigned byte = random ? random[i] : 0;
    *to++ = uvow__hex_digit(byte >> 4);
    *to++ = uvow__hex_digit(byte);
  }
  *to++ = '-';
  dialect->ids.prefix = dialect->prefix;
  dialect->ids.prefix_len = (size_t)(to - dialect->prefix);
}

void uvow__dialect_init(uvow__dialect_t *dialect, const uvow__mem_t *mem,
                        const uvow_protocol_t *protocol,
                        const uint8_t *random) {
  memset(dialect, 0, sizeof(*dialect));
  dialect->mem = mem;
  dialect->protocol = uvow__protocol_keep(protocol);
  if (!protocol)
    return;
  dialect->ids = protocol->ids;
  if (protocol->ids.form == UVOW__IDS_RANDOM)
    make_prefix(dialect, random);
}

static void end(uvow__dialect_t *dialect, int for_good) {
  const uvow__native_t *native =
      dialect->protocol ? dialect->protocol->native : NULL;
  if (native && native->end)
    native->end(dialect, for_good);
}

void uvow__dialect_end(uvow__dialect_t *dialect) {
  end(dialect, 0);
}

int uvow__dialect_wants_parts(const uvow__dialect_t *dialect,
                              uvow__slice_t raw_id) {
  const uvow__native_t *native = dialect->protocol->native;
  return !native || !native->wants_parts ||
         native->wants_parts(dialect, raw_id);
}

void uvow__dialect_done(uvow__dialect_t *dialect) {
  end(dialect, 1);
  uvow__protocol_drop(dialect->protocol);
  dialect->protocol = NULL;
}

/* ---- writing ---- */

int uvow__dialect_write_base(uvow__dialect_t *dialect, const uvow__op_t *op,
                             uvow__buf_t *out, int *ret_binary) {
  const uvow_protocol_t *protocol = dialect->protocol;
  int rc = protocol->native
               ? protocol->native->write(dialect, op, out, ret_binary)
               : 1;
  return rc > 0 ? uvow__protocol_encode(protocol, op, out) : rc;
}

int uvow__dialect_write(uvow__dialect_t *dialect, uvow__op_t *op,
                        uvow__buf_t *out, int *ret_binary) {
  *ret_binary = 0;
  op->ids = &dialect->ids;
  if (dialect->vars && !op->var_count) {
    op->vars = dialect->vars->list;
    op->var_count = dialect->vars->count;
  }
  if (dialect->protocol->codec)
    return uvow__codec_write(dialect, op, out, ret_binary);
  return uvow__dialect_write_base(dialect, op, out, ret_binary);
}

/* ---- reading ---- */

static void fail(uvow_reader_t *reader, uvow__fault_t fault,
                 uvow__slice_t bytes) {
  uvow__msg_t msg;
  uvow__protocol_fault(&msg, fault, 0);
  reader->on_message(reader, UVOW_EENVELOPE, &msg, bytes);
}

static void read_one(uvow_reader_t *reader, uvow__slice_t text) {
  const uvow__dialect_t *dialect = reader->dialect;
  uvow__msg_t msg;
  int rc = uvow__protocol_decode_as(dialect->protocol, &dialect->ids, text.ptr,
                                    text.len, &msg);
  reader->on_message(reader, rc, &msg, text);
}

/* What is left of an array: from its bracket, or from a comma. */
typedef struct rest {
  const char *p;
  const char *end;
} rest_t;

/* The next element: 1; 0: that was all; -1: it's no array. */
static int next_element(rest_t *rest, uvow__slice_t *ret) {
  uvow__json_kind_t kind;
  int is_first = *rest->p == '[';
  const char *start = uvow__json_space(rest->p + 1, rest->end);
  if (*rest->p == ']' || (is_first && start < rest->end && *start == ']')) {
    rest->p = *rest->p == ']' ? rest->p : start;
    return uvow__json_space(rest->p + 1, rest->end) == rest->end ? 0 : -1;
  }
  const char *stop =
      start < rest->end ? uvow__envelope_skip(start, rest->end, &kind) : NULL;
  if (!stop)
    return -1;
  *ret = (uvow__slice_t){start, (size_t)(stop - start)};
  rest->p = uvow__json_space(stop, rest->end);
  return rest->p < rest->end && (*rest->p == ',' || *rest->p == ']') ? 1 : -1;
}

/* What is wrong with an array as a whole. */
static uvow__fault_t judge(const uvow__dialect_t *dialect, rest_t rest,
                           size_t *ret_count) {
  uvow__slice_t text = {rest.p, (size_t)(rest.end - rest.p)};
  uvow__slice_t element;
  size_t count = 0;
  int more;
  while ((more = next_element(&rest, &element)) > 0)
    count++;
  *ret_count = count;
  if (more < 0 || (dialect->strict && uvow__json_check(text)))
    return UVOW__FAULT_SYNTAX;
  return count == 0 || count > UVOW__BATCH_MAX ? UVOW__FAULT_ROOT
                                               : UVOW__FAULT_NONE;
}

static void read_batch(uvow_reader_t *reader, uvow__slice_t text, rest_t rest) {
  uvow__slice_t element;
  size_t count;
  uvow__fault_t fault = judge(reader->dialect, rest, &count);
  if (fault) {
    fail(reader, fault, text);
    return;
  }
  reader->batch = count;
  while (next_element(&rest, &element) > 0)
    read_one(reader, element);
}

/* Where an array begins, or NULL. A byte order mark is passed over. */
static const char *find_array(uvow__slice_t text) {
  const char *p = text.ptr;
  const char *end = p + text.len;
  if (text.len >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0)
    p += 3;
  p = uvow__json_space(p, end);
  return p < end && *p == '[' ? p : NULL;
}

static void read_text(uvow_reader_t *reader, int is_binary,
                      uvow__slice_t text) {
  const uvow_protocol_t *protocol = reader->dialect->protocol;
  if (is_binary &&
      (!(protocol->liberal & UVOW__LIBERAL_BINARY) || !uvow__json_utf8(text))) {
    fail(reader, UVOW__FAULT_SYNTAX, text);
    return;
  }
  const char *array = protocol->batches && text.len ? find_array(text) : NULL;
  if (array)
    read_batch(reader, text, (rest_t){array, text.ptr + text.len});
  else
    read_one(reader, text);
}

void uvow__dialect_read(uvow_reader_t *reader, int is_binary,
                        uvow__slice_t message) {
  const uvow_protocol_t *protocol = reader->dialect->protocol;
  reader->batch = 0;
  reader->is_binary = is_binary;
  reader->bytes = message;
  int rc = protocol->codec ? uvow__codec_read(reader, message) : 1;
  if (rc > 0 && protocol->native)
    rc = protocol->native->read(reader, message);
  if (rc < 0)
    fail(reader, UVOW__FAULT_SHAPE, message);
  else if (rc > 0)
    read_text(reader, is_binary, message);
}
