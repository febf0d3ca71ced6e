/*
 * A message with another text inside is one message, wherever that begins.
 */
#include "support/support.h"

#include <uvow/error.h>

#include "wire/framer.h"

#define TEXT 70
#define INNER_MAX 5000

typedef struct end {
  uvow__framer_t framer;
  uvow__buf_t heard;
  int messages;
} end_t;

static void on_message(void *ctx, int opcode, int rsv1, const uint8_t *bytes,
                       size_t len, uvow__buf_t *whole) {
  (void)whole;
  end_t *end = (end_t *)ctx;
  assert_int_equal(opcode, UVOW__OP_TEXT);
  assert_int_equal(rsv1, 0);
  end->messages++;
  assert_int_equal(uvow__buf_append(&end->heard, bytes, len), 0);
}

static void on_control(void *ctx, const uint8_t *bytes, size_t len) {
  (void)ctx;
  (void)bytes;
  (void)len;
  fail();
}

static void on_close(void *ctx, int code, const char *reason, size_t len) {
  (void)ctx;
  (void)code;
  (void)reason;
  (void)len;
  fail();
}

static int not_random(void *ctx, uint8_t *bytes, size_t len) {
  (void)ctx;
  for (size_t i = 0; i < len; i++)
    bytes[i] = (uint8_t)(0x51 + 7 * i);
  return 0;
}

static void begin(end_t *end, int is_server) {
  static const uvow__framer_callbacks_t callbacks = {on_message, on_control,
                                                     on_control, on_close};
  static uvow__mask_keys_t keys;
  uvow__framer_config_t config = {
      .is_server = is_server, .random = not_random, .keys = &keys};
  end->messages = 0;
  uvow__buf_init(&end->heard, &uvow__mem_default, SIZE_MAX);
  assert_int_equal(uvow__framer_init(&end->framer, &uvow__mem_default, &config,
                                     &callbacks, end),
                   0);
}

static void finish(end_t *end) {
  uvow__framer_done(&end->framer);
  uvow__buf_done(&end->heard);
}

/* The splice, the text it makes, and who sends it. */
static void check(const uvow__splice_t *splice, const char *joined,
                  int server) {
  static const size_t steps[] = {1, 7, 4096, 100000};
  size_t len = splice->text.len + splice->inner.len;
  end_t from;
  uvow__buf_t out;
  begin(&from, server);
  uvow__buf_init(&out, &uvow__mem_default, 6000);
  assert_int_equal(uvow__framer_send_splice(&from.framer, &out, 9, splice),
                   UVOW_EINVAL);
  assert_int_equal(uvow__framer_send_splice(&from.framer, &out, 1, splice), 0);
  for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
    end_t to;
    begin(&to, !server);
    for (size_t at = 0; at < out.len; at += steps[i]) {
      size_t step = out.len - at < steps[i] ? out.len - at : steps[i];
      assert_int_equal(uvow__framer_feed(&to.framer, out.data + at, step), 0);
    }
    assert_int_equal(to.messages, 1);
    assert_int_equal(uvow__buf_size(&to.heard), len);
    assert_memory_equal(uvow__buf_front(&to.heard), joined, len);
    finish(&to);
  }
  size_t before = out.len;
  out.max = before + len; /* no room for a header: nothing is appended */
  assert_int_equal(uvow__framer_send_splice(&from.framer, &out, 1, splice),
                   UVOW_EOVERLOAD);
  assert_int_equal(out.len, before);
  uvow__buf_done(&out);
  finish(&from);
}

TEST_CASE(a_splice_is_one_message) {
  static const size_t lens[] = {1, 2, 3, 5, 54, 55, 56, 300, INNER_MAX};
  static const size_t ats[] = {0, 1, 2, 3, 33, TEXT};
  char joined[TEXT + INNER_MAX];
  char text[TEXT];
  memset(text, 'o', sizeof(text));
  for (size_t l = 0; l < sizeof(lens) / sizeof(*lens); l++) {
    char *inner = (char *)malloc(lens[l]);
    assert_non_null(inner);
    for (size_t i = 0; i < lens[l]; i++)
      inner[i] = (char)('a' + i % 23);
    for (size_t a = 0; a < sizeof(ats) / sizeof(*ats); a++) {
      uvow__splice_t splice = {{text, TEXT}, {inner, lens[l]}, ats[a], NULL};
      memcpy(joined, text, ats[a]);
      memcpy(joined + ats[a], inner, lens[l]);
      memcpy(joined + ats[a] + lens[l], text + ats[a], TEXT - ats[a]);
      check(&splice, joined, 0);
      check(&splice, joined, 1);
    }
    free(inner);
  }
}

/* Pieces of a long payload, that wslay only counts, with every cut around its
 * buffer's size, two of them. */
TEST_CASE(a_long_payload_is_cut_anywhere) {
  static uint8_t bytes[20000];
  for (size_t i = 0; i < sizeof(bytes); i++)
    bytes[i] = (uint8_t)("\xE6\x97\xA5"[i % 3]);
  size_t len = sizeof(bytes) / 3 * 3;
  for (int server = 0; server < 2; server++) {
    end_t from;
    uvow__buf_t out;
    begin(&from, server);
    uvow__buf_init(&out, &uvow__mem_default, SIZE_MAX);
    assert_int_equal(uvow__framer_send(&from.framer, &out, 1, 0, bytes, len),
                     0);
    assert_int_equal(uvow__framer_send(&from.framer, &out, 1, 0, bytes, len),
                     0);
    for (size_t cut = 4000; cut < 4200; cut++) {
      end_t to;
      begin(&to, !server);
      assert_int_equal(uvow__framer_feed(&to.framer, out.data, cut), 0);
      assert_int_equal(
          uvow__framer_feed(&to.framer, out.data + cut, out.len - cut), 0);
      assert_int_equal(to.messages, 2);
      assert_memory_equal(uvow__buf_front(&to.heard), bytes, len);
      assert_memory_equal(uvow__buf_front(&to.heard) + len, bytes, len);
      finish(&to);
    }
    uvow__buf_done(&out);
    finish(&from);
  }
}

TEST_MODULE(framer_splice) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_splice_is_one_message),
      cmocka_unit_test(a_long_payload_is_cut_anywhere),
  };
  return cmocka_run_group_tests_name("wire/framer_splice", tests, NULL, NULL);
}
