/* What framers share, and what they take memory for when they need it. */
#include "support/support.h"

#include <uvow/error.h>

#include "wire/framer.h"

static int counted_random(void *ctx, uint8_t *bytes, size_t len) {
  (void)ctx;
  for (size_t i = 0; i < len; i++)
    bytes[i] = (uint8_t)i;
  return 0;
}

static void on_message(void *ctx, int opcode, int rsv1, const uint8_t *bytes,
                       size_t len, uvow__buf_t *whole) {
  (void)ctx, (void)opcode, (void)rsv1, (void)bytes, (void)len, (void)whole;
  fail();
}

static void on_ping(void *ctx, const uint8_t *bytes, size_t len) {
  (void)ctx;
  assert_int_equal(len, 4);
  assert_memory_equal(bytes, "ping", 4);
}

static void on_close(void *ctx, int code, const char *reason, size_t len) {
  (void)ctx, (void)code, (void)reason, (void)len;
  fail();
}

static const uvow__framer_callbacks_t callbacks = {on_message, on_ping, on_ping,
                                                   on_close};

static void start(uvow__framer_t *framer, const uvow__mem_t *mem,
                  uvow__mask_keys_t *keys) {
  uvow__framer_config_t config = {.random = counted_random, .keys = keys};
  assert_int_equal(uvow__framer_init(framer, mem, &config, &callbacks, NULL),
                   0);
}

/* Two clients of a thread: no key is used twice. */
TEST_CASE(no_key_is_used_twice) {
  uvow__mask_keys_t keys = {0};
  uint8_t used[64][4];
  uvow__framer_t f[2];
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, 10000);
  start(&f[0], &uvow__mem_default, &keys);
  start(&f[1], &uvow__mem_default, &keys);
  for (size_t i = 0; i < 64; i++) {
    uvow__buf_clear(&out, SIZE_MAX);
    assert_int_equal(uvow__framer_send(&f[i % 2], &out, 2, 0, "x", 1), 0);
    memcpy(used[i], uvow__buf_front(&out) + 2, 4);
    for (size_t k = 0; k < i; k++)
      assert_memory_not_equal(used[i], used[k], 4);
  }
  assert_int_equal(keys.left, 0);
  uvow__framer_done(&f[0]);
  uvow__framer_done(&f[1]);
  uvow__buf_done(&out);
}

/* A ping in two reads, and no memory to keep the first half. */
static void no_memory_for_a_ping(test_alloc_t *alloc, void *data) {
  static const uint8_t ping[] = {0x89, 4, 'p', 'i', 'n', 'g'};
  uvow__mask_keys_t keys = {0};
  uvow__framer_t f;
  (void)data;
  start(&f, &alloc->allocator, &keys);
  int rc = uvow__framer_feed(&f, ping, 4);
  if (rc == 0)
    rc = uvow__framer_feed(&f, ping + 4, 2);
  assert_int_equal(rc, alloc->failed ? UVOW_ENOMEM : 0);
  uvow__framer_done(&f);
}

TEST_CASE(a_ping_in_pieces_may_find_no_memory) {
  test_alloc_sweep(no_memory_for_a_ping, NULL);
}

static void count_message(void *ctx, int opcode, int rsv1, const uint8_t *bytes,
                          size_t len, uvow__buf_t *whole) {
  (void)opcode, (void)rsv1, (void)bytes, (void)len, (void)whole;
  ++*(int *)ctx;
}

static const uvow__framer_callbacks_t counting = {count_message, on_ping,
                                                  on_ping, on_close};

/* A message in pieces, or one that is more than may be, whose beginning is kept
 * where that's asked for. */
static void no_memory_in_pieces(test_alloc_t *alloc, void *data) {
  static uint8_t bytes[20000];
  const uvow__framer_config_t *config = (const uvow__framer_config_t *)data;
  uvow__mask_keys_t keys = {0};
  uvow__framer_t f, peer;
  uvow__buf_t out;
  int messages = 0, rc = 0;
  start(&peer, &uvow__mem_default, &keys);
  uvow__buf_init(&out, &uvow__mem_default, 30000);
  assert_int_equal(uvow__framer_send(&peer, &out, 2, 0, bytes, sizeof(bytes)),
                   0);
  assert_int_equal(
      uvow__framer_init(&f, &alloc->allocator, config, &counting, &messages),
      0);
  for (size_t at = 0; rc == 0 && at < out.len; at += 700)
    rc = uvow__framer_feed(&f, out.data + at,
                           out.len - at < 700 ? out.len - at : 700);
  if (alloc->failed)
    assert_int_equal(rc, UVOW_ENOMEM);
  else
    assert_int_equal(rc, config->max_message ? UVOW_ETOOBIG : 0);
  assert_int_equal(messages, rc == 0);
  uvow__framer_done(&f);
  uvow__framer_done(&peer);
  uvow__buf_done(&out);
}

TEST_CASE(a_message_in_pieces_may_find_no_memory) {
  static const uvow__framer_config_t configs[] = {
      {.is_server = 1},
      {.is_server = 1, .max_message = 9000},
      {.is_server = 1, .max_message = 9000, .beginning = 5000},
  };
  for (size_t i = 0; i < 3; i++)
    test_alloc_sweep(no_memory_in_pieces, (void *)(uintptr_t)&configs[i]);
}

TEST_MODULE(framer_shared) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_key_is_used_twice),
      cmocka_unit_test(a_ping_in_pieces_may_find_no_memory),
      cmocka_unit_test(a_message_in_pieces_may_find_no_memory),
  };
  return cmocka_run_group_tests_name("wire/framer_shared", tests, NULL, NULL);
}
