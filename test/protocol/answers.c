/*
 * Answers that look as one before them did, against the templates and the rules:
 * the same id and the same value, or they are left to those.
 */
#include "protocol/answers.h"

#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const protocols[] = {
    "jsonrpc2",       "callback_id", "cdp",           "graphql_transport_ws",
    "home_assistant", "lsp",         "mcp",           "obs5",
    "phoenix2",       "wamp2",       "webdriver_bidi"};

static const char *const values[] = {"{\"x\":81}", "[1,2,3]",   "5",
                                     "0",          "-10.5e+07", "\"t35t\"",
                                     "true",       "null",      "[\"1\\\"2\"]",
                                     "\"\\u0041\""};

static const uint64_t ids[] = {1,
                               7,
                               10,
                               4711,
                               1234567,
                               12345678,
                               123456789,
                               9999999999,
                               100000000000000,
                               UINT64_C(999999999999999)};

static uint32_t seed = 3;

static unsigned roll(unsigned n) {
  seed = seed * 1664525 + 1013904223;
  return (seed >> 16) % n;
}

typedef struct bed {
  uvow__dialect_t dialect;
  uvow__answers_t answers;
  uvow__buf_t text;
  unsigned alike; /* how many were */
} bed_t;

static void open_bed(bed_t *bed, const char *protocol) {
  memset(bed, 0, sizeof(*bed));
  uvow__dialect_init(&bed->dialect, &uvow__mem_default,
                     uvow_protocol_by_name(protocol), NULL);
  uvow__buf_init(&bed->text, &uvow__mem_default, SIZE_MAX);
}

static void close_bed(bed_t *bed) {
  uvow__buf_done(&bed->text);
  uvow__dialect_done(&bed->dialect);
}

/* Returns whether the protocol can write it. */
static int write_answer(bed_t *bed, uint64_t id, const char *value) {
  char digits[24];
  uvow__op_t op = {0};
  int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)id);
  op.kind = UVOW__OP_REPLY;
  op.raw_id = (uvow__slice_t){digits, (size_t)len};
  op.params = (uvow__slice_t){value, strlen(value)};
  uvow__buf_clear(&bed->text, SIZE_MAX);
  return uvow__protocol_can(bed->dialect.protocol, op.kind) &&
         uvow__protocol_encode(bed->dialect.protocol, &op, &bed->text) == 0;
}

static uvow__slice_t text_of(bed_t *bed) {
  return (uvow__slice_t){(const char *)uvow__buf_front(&bed->text),
                         uvow__buf_size(&bed->text)};
}

static void same(uvow__slice_t a, uvow__slice_t b) {
  assert_ptr_equal(a.ptr, b.ptr);
  assert_int_equal(a.len, b.len);
}

/* In memory of its own, so that ASan sees the smallest over-read. */
static void compare(bed_t *bed, uvow__slice_t text) {
  const uvow_protocol_t *protocol = bed->dialect.protocol;
  uvow__slice_t value;
  uvow__msg_t msg;
  uint64_t id;
  char *own = (char *)malloc(text.len + !text.len);
  assert_non_null(own);
  memcpy(own, text.ptr, text.len);
  text.ptr = own;
  if (uvow__answers_read(&bed->answers, protocol, text, &id, &value)) {
    bed->alike++;
    assert_int_equal(uvow__protocol_decode_by_rules(protocol, &bed->dialect.ids,
                                                    own, text.len, &msg),
                     0);
    assert_int_equal(msg.kind, UVOW__MSG_OK);
    assert_true(msg.has_id && !msg.half);
    assert_int_equal(msg.id, id);
    same(msg.value, value);
  }
  free(own);
}

/* Digits are others, and sometimes a byte is. */
static void compare_changed(bed_t *bed) {
  uvow__slice_t text = text_of(bed);
  char changed[256];
  assert_true(text.len <= sizeof(changed));
  for (int round = 0; round < 200; round++) {
    memcpy(changed, text.ptr, text.len);
    for (size_t i = 0; i < text.len; i++)
      if (changed[i] >= '0' && changed[i] <= '9' && roll(2))
        changed[i] = (char)('0' + roll(10));
    if (roll(3) == 0)
      changed[roll((unsigned)text.len)] = (char)roll(256);
    compare(bed, (uvow__slice_t){changed, text.len - roll(20) / 19});
  }
}

static unsigned compare_all(const char *protocol) {
  bed_t bed;
  open_bed(&bed, protocol);
  for (size_t i = 0; i < UVOW__COUNT(ids); i++)
    for (size_t v = 0; v < UVOW__COUNT(values); v++) {
      if (!write_answer(&bed, ids[i], values[v]))
        continue;
      bed.answers.text.rest = bed.answers.text.patience = 0;
      uvow__answers_note(&bed.answers, &bed.dialect, text_of(&bed));
      compare(&bed, text_of(&bed));
      compare_changed(&bed);
    }
  close_bed(&bed);
  return bed.alike;
}

TEST_CASE(as_the_rules) {
  for (size_t i = 0; i < UVOW__COUNT(protocols); i++)
    (void)compare_all(protocols[i]);
}

/* It isn't for nothing: each that was noted, and those with other digits. */
TEST_CASE(reads_what_is_usual) {
  assert_true(compare_all("jsonrpc2") >
              2 * UVOW__COUNT(ids) * UVOW__COUNT(values));
  assert_true(compare_all("cdp") > 2 * UVOW__COUNT(ids) * UVOW__COUNT(values));
}

/* Not what only the rules read, nor what isn't an answer, nor of another. */
TEST_CASE(notes_no_other) {
  static const char *const others[] = {
      "{\"id\":1,\"jsonrpc\":\"2.0\",\"result\":55}",
      "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":55}",
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":55} ",
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"\"}}",
      "{\"jsonrpc\":\"2.0\",\"method\":\"m1\",\"params\":[1]}",
      "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":55}]",
      "{}",
      ""};
  bed_t bed;
  open_bed(&bed, "jsonrpc2");
  for (size_t i = 0; i < UVOW__COUNT(others); i++) {
    bed.answers.text.rest = 0;
    uvow__answers_note(&bed.answers, &bed.dialect,
                       (uvow__slice_t){others[i], strlen(others[i])});
    assert_null(bed.answers.protocol);
  }
  assert_true(write_answer(&bed, 1, "5"));
  bed.answers.text.rest = 0;
  uvow__answers_note(&bed.answers, &bed.dialect, text_of(&bed));
  uvow__slice_t value;
  uint64_t id;
  assert_false(uvow__answers_read(&bed.answers, uvow_protocol_by_name("cdp"),
                                  text_of(&bed), &id, &value));
  close_bed(&bed);
}

/* Each in its own way: few are noted. Alike again: the next one is, soon. */
TEST_CASE(patience) {
  bed_t bed;
  unsigned noted = 0;
  open_bed(&bed, "jsonrpc2");
  for (unsigned i = 0; i < 1000; i++) {
    char value[64];
    memset(value, '"', sizeof(value));
    memset(value + 1, 'a' + (int)(i % 26), 1 + i % 40);
    value[3 + i % 40] = 0;
    assert_true(write_answer(&bed, 5, value));
    noted += bed.answers.text.rest == 0;
    uvow__answers_note(&bed.answers, &bed.dialect, text_of(&bed));
  }
  assert_in_range(noted, 1, 16);
  for (unsigned i = 0; i < 256; i++)
    uvow__answers_note(&bed.answers, &bed.dialect, text_of(&bed));
  compare(&bed, text_of(&bed));
  assert_int_equal(bed.alike, 1);
  close_bed(&bed);
}

TEST_MODULE(answers) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_the_rules),
      cmocka_unit_test(reads_what_is_usual),
      cmocka_unit_test(notes_no_other),
      cmocka_unit_test(patience),
  };
  return cmocka_run_group_tests_name("protocol/answers", tests, NULL, NULL);
}
