/*
 * Short messages have a way of their own, in and out: it says what the long one
 * says. And what only the long one needs is had while it's needed.
 */
#include "support/support.h"

#include <uvow/error.h>

#include "wire/framer.h"

typedef struct end {
  uvow__framer_t framer;
  uvow__mask_keys_t keys;
  uvow__buf_t heard;
  int messages;
  int pause_at;       /* message at which it pauses; 0: none */
  uvow__buf_t *reply; /* sent to at each message, what doesn't go short */
} end_t;

static const uint8_t long_text[300];

static void on_message(void *ctx, int opcode, int rsv1, const uint8_t *bytes,
                       size_t len, uvow__buf_t *whole) {
  end_t *end = (end_t *)ctx;
  (void)rsv1;
  (void)whole;
  uint8_t head[2] = {(uint8_t)opcode, (uint8_t)len};
  if (end->reply) {
    assert_int_equal(uvow__framer_send(&end->framer, end->reply, 2, 0,
                                       long_text, sizeof(long_text)),
                     0);
    assert_non_null(end->framer.wslay); /* the bytes lie in it */
  }
  assert_int_equal(uvow__buf_append(&end->heard, head, sizeof(head)), 0);
  if (len)
    assert_int_equal(uvow__buf_append(&end->heard, bytes, len), 0);
  if (++end->messages == end->pause_at)
    uvow__framer_pause(&end->framer);
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

static void begin(end_t *end, int is_server, const uvow__mem_t *mem,
                  uvow__wslay_t **spare) {
  static const uvow__framer_callbacks_t callbacks = {on_message, on_control,
                                                     on_control, on_close};
  uvow__framer_config_t config = {.is_server = is_server,
                                  .keys = &end->keys,
                                  .max_message = 120,
                                  .random = not_random,
                                  .spare = spare};
  memset(end, 0, sizeof(*end));
  uvow__buf_init(&end->heard, &uvow__mem_default, SIZE_MAX);
  assert_int_equal(
      uvow__framer_init(&end->framer, mem, &config, &callbacks, end), 0);
}

static void finish(end_t *end) {
  uvow__framer_done(&end->framer);
  uvow__buf_done(&end->heard);
}

/* Whole, in one feed of its own memory: what goes the short way. */
static int feed_whole(end_t *end, const uvow__buf_t *frame) {
  uint8_t *copy = (uint8_t *)malloc(frame->len);
  assert_non_null(copy);
  memcpy(copy, frame->data, frame->len);
  int rc = uvow__framer_feed(&end->framer, copy, frame->len);
  free(copy);
  return rc;
}

/* The last byte apart: never. */
static int feed_cut(end_t *end, const uvow__buf_t *frame) {
  int rc = uvow__framer_feed(&end->framer, frame->data, frame->len - 1);
  return rc ? rc
            : uvow__framer_feed(&end->framer, frame->data + frame->len - 1, 1);
}

static void compare(int is_server, uvow__buf_t *frame) {
  end_t whole;
  end_t cut;
  begin(&whole, is_server, &uvow__mem_default, NULL);
  begin(&cut, is_server, &uvow__mem_default, NULL);
  assert_int_equal(feed_whole(&whole, frame), feed_cut(&cut, frame));
  assert_int_equal(whole.messages, cut.messages);
  assert_int_equal(whole.heard.len, cut.heard.len);
  if (cut.heard.len)
    assert_memory_equal(whole.heard.data, cut.heard.data, cut.heard.len);
  assert_int_equal(whole.framer.message.frames, cut.framer.message.frames);
  assert_int_equal(whole.framer.message.whole, cut.framer.message.whole);
  finish(&whole);
  finish(&cut);
}

/* Every first byte, every length around the limits, with and without a mask,
 * ASCII, another language, and no text at all. */
TEST_CASE(says_what_the_rules_say) {
  static const char *const texts[] = {"\x61\x7F", "\xC3\xA4", "\xFF\x61"};
  for (unsigned i = 0; i < 256 * 132 * 4; i++) {
    unsigned first = i % 256;
    size_t len = i / 256 % 132;
    int is_server = i / 256 / 132 % 2 != 0;
    int masked = i / 256 / 132 / 2 != 0;
    const char *text = texts[(first + len) % 3];
    uint8_t bytes[6 + 132] = {0};
    size_t head = masked ? 6 : 2;
    if ((first & 0x0F) > 2) /* control frames and unknown ones */
      continue;
    bytes[0] = (uint8_t)first;
    bytes[1] = (uint8_t)((len & 0x7F) | (masked ? 0x80u : 0));
    if (masked)
      memcpy(bytes + 2, "\x12\x34\x56\x78", 4);
    for (size_t at = 0; at < len; at++)
      bytes[head + at] =
          (uint8_t)text[at % 2] ^ (masked ? bytes[2 + at % 4] : 0);
    uvow__buf_t frame = {.data = bytes, .len = head + len};
    compare(is_server, &frame);
  }
}

/* The two bytes are the header that wslay makes. */
TEST_CASE(is_sent_with_the_same_header) {
  static const uint8_t bytes[126];
  for (size_t i = 0; i < 127 * 4; i++) {
    size_t len = i / 4;
    int opcode = i % 2 ? UVOW__OP_TEXT : UVOW__OP_BINARY;
    int is_server = i / 2 % 2 != 0;
    end_t a;
    end_t b;
    uvow__buf_t out_a;
    uvow__buf_t out_b;
    begin(&a, is_server, &uvow__mem_default, NULL);
    begin(&b, is_server, &uvow__mem_default, NULL);
    uvow__buf_init(&out_a, &uvow__mem_default, SIZE_MAX);
    uvow__buf_init(&out_b, &uvow__mem_default, SIZE_MAX);
    assert_int_equal(uvow__buf_reserve(&out_a, 1000), 0);
    assert_int_equal(
        uvow__framer_send(&a.framer, &out_a, opcode, 0, bytes, len), 0);
    assert_int_equal(
        uvow__framer_send_part(&b.framer, &out_b, opcode, 1, bytes, len), 0);
    assert_int_equal((a.framer.wslay == NULL), len <= 125);
    assert_non_null(b.framer.wslay);
    assert_int_equal(out_a.len, out_b.len);
    assert_memory_equal(out_a.data, out_b.data, out_a.len);
    uvow__buf_done(&out_a);
    uvow__buf_done(&out_b);
    finish(&a);
    finish(&b);
  }
}

/* It stops where it's told to, and goes on there. */
TEST_CASE(pauses_between_two) {
  static const uint8_t burst[] = "\x81\x01x\x81\x01y\x81\x01z\x81\x7E";
  end_t end;
  size_t left;
  begin(&end, 0, &uvow__mem_default, NULL);
  end.pause_at = 2;
  assert_int_equal(uvow__framer_feed(&end.framer, burst, sizeof(burst) - 1), 0);
  assert_int_equal(end.messages, 2);
  assert_true(uvow__framer_paused(&end.framer));
  const uint8_t *rest = uvow__framer_rest(&end.framer, &left);
  assert_ptr_equal(rest, burst + 6);
  assert_int_equal(left, sizeof(burst) - 1 - 6);
  assert_int_equal(uvow__framer_feed(&end.framer, rest, left), 0);
  assert_int_equal(end.messages, 3);
  assert_true(uvow__framer_under_way(&end.framer));
  assert_int_equal(uvow__framer_feed(&end.framer, burst + 11, 1), 0);
  finish(&end);
}

/* What long frames need goes from one to the next, and stays with a frame that
 * is under way. */
TEST_CASE(shares_what_long_frames_need) {
  static const uint8_t part[] = "\x01\x05he";
  test_alloc_t alloc;
  uvow__wslay_t *spare = NULL;
  uvow__buf_t out;
  end_t ends[3];
  test_alloc_init(&alloc);
  uvow__buf_init(&out, &uvow__mem_default, SIZE_MAX);
  for (int i = 0; i < 3; i++)
    begin(&ends[i], 0, &alloc.allocator, &spare);
  assert_int_equal(
      uvow__framer_feed(&ends[0].framer, (const uint8_t *)"\x81\x01x", 3), 0);
  assert_int_equal(alloc.live, 0); /* a short one needs nothing */
  for (int i = 0; i < 3; i++)
    assert_int_equal(uvow__framer_send(&ends[i].framer, &out, 2, 0, long_text,
                                       sizeof(long_text)),
                     0);
  assert_int_equal(alloc.live, 1);
  assert_non_null(spare);
  ends[1].reply = &out;
  for (int i = 0; i < 2; i++)
    assert_int_equal(uvow__framer_feed(&ends[i].framer, part, sizeof(part) - 1),
                     0);
  assert_null(spare);
  assert_int_equal(alloc.live, 4); /* and what there is of two messages */
  for (int i = 0; i < 2; i++)
    assert_int_equal(
        uvow__framer_feed(&ends[i].framer, (const uint8_t *)"llo\x80\x01!", 6),
        0);
  assert_int_equal(uvow__framer_feed(&ends[1].framer,
                                     (const uint8_t *)"\x81\x02\xC3\xA4", 4),
                   0);
  assert_int_equal(ends[1].messages, 2);
  assert_memory_equal(ends[1].heard.data, "\x01\x06hello!", 8);
  assert_non_null(spare);
  assert_null(ends[0].framer.wslay);
  assert_null(ends[1].framer.wslay);
  for (int i = 0; i < 3; i++)
    finish(&ends[i]);
  uvow__buf_done(&out);
  uvow__wslay_free(&alloc.allocator, spare);
  assert_int_equal(alloc.live, 0);
}

/* Begun, and written by the caller: the same frame, of every length. */
TEST_CASE(begun) {
  static const uint8_t letters[] =
      "a text that is long enough for all of it....";
  for (size_t i = 0; i < 132 * 2; i++) {
    size_t len = i % 132;
    int is_server = i >= 132;
    uint8_t text[132];
    uint8_t key[UVOW__MASK_KEY];
    uint32_t word;
    uvow__buf_t a, b;
    end_t one, other;
    for (size_t n = 0; n < len; n++)
      text[n] = letters[n % sizeof(letters)];
    begin(&one, is_server, &uvow__mem_default, NULL);
    begin(&other, is_server, &uvow__mem_default, NULL);
    uvow__buf_init(&a, &uvow__mem_default, SIZE_MAX);
    uvow__buf_init(&b, &uvow__mem_default, SIZE_MAX);
    assert_int_equal(uvow__buf_reserve(&a, 400), 0);
    uint8_t *to = uvow__framer_short(&one.framer, &a, len, &word);
    assert_int_equal(to != NULL, len <= 125);
    if (to) {
      for (unsigned n = 0; n < UVOW__MASK_KEY; n++)
        key[n] = (uint8_t)(word >> (8 * n));
      uvow__mask(to, text, len, key);
      assert_int_equal(
          uvow__framer_send(&other.framer, &b, UVOW__OP_TEXT, 0, text, len), 0);
      assert_int_equal(a.len, b.len);
      assert_memory_equal(a.data, b.data, b.len);
      assert_true(a.cap - a.len >= UVOW__SHORT_BEYOND);
    }
    assert_int_equal(a.len, b.len);
    uvow__buf_done(&a);
    uvow__buf_done(&b);
    finish(&one);
    finish(&other);
  }
}

static int no_random(void *ctx, uint8_t *bytes, size_t len) {
  (void)ctx;
  (void)bytes;
  (void)len;
  return UVOW_ENOMEM;
}

/* Without room, without a key: nothing is begun. */
TEST_CASE(not_begun) {
  uvow__buf_t out;
  uint32_t key;
  end_t end;
  begin(&end, 0, &uvow__mem_default, NULL);
  uvow__buf_init(&out, &uvow__mem_default, 200);
  assert_null(uvow__framer_short(&end.framer, &out, 1, &key));
  assert_int_equal(uvow__buf_reserve(&out, 200), 0);
  assert_non_null(uvow__framer_short(&end.framer, &out, 100, &key));
  assert_null(uvow__framer_short(&end.framer, &out, 1, &key));
  assert_int_equal(out.len, 106);
  out.len = 0;
  end.keys.left = 0;
  end.framer.random = no_random;
  assert_null(uvow__framer_short(&end.framer, &out, 1, &key));
  assert_int_equal(out.len, 0);
  uvow__buf_done(&out);
  finish(&end);
}

TEST_MODULE(framer_short) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(says_what_the_rules_say),
      cmocka_unit_test(begun),
      cmocka_unit_test(not_begun),
      cmocka_unit_test(is_sent_with_the_same_header),
      cmocka_unit_test(pauses_between_two),
      cmocka_unit_test(shares_what_long_frames_need),
  };
  return cmocka_run_group_tests_name("wire/framer_short", tests, NULL, NULL);
}
