#include "wire/mask.h"

#include "support/support.h"

static const uint8_t key[UVOW__MASK_KEY] = {0x37, 0xfa, 0x21, 0x3d};

/* RFC 6455 5.3, byte by byte. */
static void mask_slowly(uint8_t *to, const uint8_t *from, size_t len) {
  for (size_t i = 0; i < len; i++)
    to[i] = from[i] ^ key[i % 4];
}

TEST_CASE(masks_every_length) {
  for (size_t len = 0; len < 100; len++) {
    uint8_t *from = (uint8_t *)malloc(len ? len : 1);
    uint8_t *to = (uint8_t *)malloc(len ? len : 1);
    uint8_t expected[100];
    assert_non_null(from);
    assert_non_null(to);
    for (size_t i = 0; i < len; i++)
      from[i] = (uint8_t)(i * 29 + 1);
    mask_slowly(expected, from, len);
    uvow__mask(to, from, len, key);
    if (len)
      assert_memory_equal(to, expected, len);
    free(from);
    free(to);
  }
}

#define STREAM_MAX 150000

/* Frames as a client sends them, and as wslay wants them. */
typedef struct stream {
  uint8_t masked[STREAM_MAX];
  size_t masked_len;
  uint8_t plain[STREAM_MAX];
  size_t plain_len;
  uint8_t starts[STREAM_MAX]; /* where in `plain` a frame starts */
} stream_t;

static void add_frame(stream_t *s, uint8_t first, size_t len) {
  uint8_t *plain = s->plain + s->plain_len;
  uint8_t *masked = s->masked + s->masked_len;
  size_t more = len < 126 ? 0 : len < 65536 ? 2 : 8;
  assert_true(s->masked_len + 14 + len <= STREAM_MAX);
  s->starts[s->plain_len] = 1;
  plain[0] = first;
  plain[1] = (uint8_t)(more == 0 ? len : more == 2 ? 126 : 127);
  for (size_t i = 0; i < more; i++)
    plain[2 + i] = (uint8_t)((uint64_t)len >> 8 * (more - 1 - i));
  memcpy(masked, plain, 2 + more);
  masked[1] |= 0x80;
  memcpy(masked + 2 + more, key, sizeof(key));
  for (size_t i = 0; i < len; i++)
    plain[2 + more + i] = (uint8_t)(i * 7 + len);
  mask_slowly(masked + 6 + more, plain + 2 + more, len);
  s->plain_len += 2 + more + len;
  s->masked_len += 6 + more + len;
}

/* Feeds bytes that lie alone in their memory, and checks what comes out. */
static void feed(uvow__unmask_t *unmask, const stream_t *s, size_t from,
                 size_t len, size_t room, size_t *at) {
  uint8_t *bytes = (uint8_t *)malloc(len ? len : 1);
  uint8_t *out = (uint8_t *)malloc(room);
  const uint8_t *in = bytes;
  size_t left = len;
  assert_non_null(bytes);
  assert_non_null(out);
  memcpy(bytes, s->masked + from, len);
  for (;;) {
    size_t before = left;
    size_t got = uvow__unmask(unmask, out, room, &in, &left);
    assert_true(in == bytes + (len - left));
    assert_true(got <= room && got <= s->plain_len - *at);
    if (got)
      assert_memory_equal(out, s->plain + *at, got);
    for (size_t i = 1; i < got; i++)
      assert_false(s->starts[*at + i]); /* of one frame only */
    *at += got;
    if (left == before)
      break;
  }
  assert_int_equal(left, 0);
  free(bytes);
  free(out);
}

static stream_t *short_stream(void) {
  static const size_t lens[] = {5, 0, 1, 3, 0, 0, 8, 9, 16, 125, 126, 2, 0};
  stream_t *s = (stream_t *)calloc(1, sizeof(*s));
  assert_non_null(s);
  for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++)
    add_frame(s, (uint8_t)(0x80 | i), lens[i]);
  return s;
}

TEST_CASE(unmasks_a_stream_cut_anywhere) {
  stream_t *s = short_stream();
  for (size_t room = UVOW__HEAD_MAX; room < 400; room += 31) {
    for (size_t cut = 0; cut <= s->masked_len; cut++) {
      uvow__unmask_t unmask = {0};
      size_t at = 0;
      feed(&unmask, s, 0, cut, room, &at);
      feed(&unmask, s, cut, s->masked_len - cut, room, &at);
      assert_int_equal(at, s->plain_len);
    }
    for (size_t step = 1; step < 20; step++) {
      uvow__unmask_t unmask = {0};
      size_t at = 0;
      for (size_t from = 0; from < s->masked_len; from += step) {
        size_t left = s->masked_len - from;
        feed(&unmask, s, from, left < step ? left : step, room, &at);
      }
      assert_int_equal(at, s->plain_len);
    }
  }
  free(s);
}

TEST_CASE(unmasks_long_frames) {
  stream_t *s = (stream_t *)calloc(1, sizeof(*s));
  assert_non_null(s);
  add_frame(s, 0x01, 65535);
  add_frame(s, 0x00, 65536);
  add_frame(s, 0x80, 3);
  for (size_t step = 1; step < 200000; step = step * 5 + 2) {
    uvow__unmask_t unmask = {0};
    size_t at = 0;
    for (size_t from = 0; from < s->masked_len; from += step) {
      size_t left = s->masked_len - from;
      feed(&unmask, s, from, left < step ? left : step, 4096, &at);
    }
    assert_int_equal(at, s->plain_len);
  }
  free(s);
}

/* The header as the peer sent it, for who has to judge it. */
TEST_CASE(keeps_the_header) {
  stream_t *s = short_stream();
  for (size_t len = 1; len <= 11; len++) {
    uvow__unmask_t unmask = {0};
    uint8_t out[100];
    const uint8_t *in = s->masked;
    size_t left = len;
    size_t got = uvow__unmask(&unmask, out, sizeof(out), &in, &left);
    assert_int_equal(got, len < 6 ? 0 : len - 4);
    assert_int_equal(unmask.head_len, len < 6 ? len : 6);
    assert_memory_equal(unmask.head, s->masked, unmask.head_len);
    /* Nothing new: nothing changes. */
    assert_int_equal(uvow__unmask(&unmask, out, sizeof(out), &in, &left), 0);
    assert_int_equal(unmask.head_len, len < 6 ? len : 6);
  }
  free(s);
}

TEST_CASE(hands_over_nothing_of_an_unmasked_frame) {
  static const uint8_t bytes[] =
      "\x81\x05"
      "Hello\x81\x85"
      "abcdHelloHello";
  for (size_t cut = 0; cut < sizeof(bytes) - 1; cut++) {
    uvow__unmask_t unmask = {0};
    uint8_t out[100];
    const uint8_t *in = bytes;
    size_t left = cut;
    assert_int_equal(uvow__unmask(&unmask, out, sizeof(out), &in, &left), 0);
    left += sizeof(bytes) - 1 - cut;
    for (int i = 0; i < 3; i++)
      assert_int_equal(uvow__unmask(&unmask, out, sizeof(out), &in, &left), 0);
    assert_true(unmask.head_len >= 2);
    assert_memory_equal(unmask.head, bytes, unmask.head_len);
  }
}

TEST_MODULE(mask) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(masks_every_length),
      cmocka_unit_test(unmasks_a_stream_cut_anywhere),
      cmocka_unit_test(unmasks_long_frames),
      cmocka_unit_test(keeps_the_header),
      cmocka_unit_test(hands_over_nothing_of_an_unmasked_frame),
  };
  return cmocka_run_group_tests_name("wire/mask", tests, NULL, NULL);
}
