/*
 * Streams of bytes through the framer: whole, byte by byte, in every two
 * halves, and in random pieces; each way must call back the same.
 */
#include "support/support.h"

#include <stdio.h>

#include <uvow/error.h>

#include "base/mem.h"
#include "wire/framer.h"

#define MIB ((size_t)1024 * 1024)

/* What was called back: text, with long payloads as a sum. */
typedef struct heard {
  uvow__framer_t *framer;
  size_t stop_after; /* callbacks; 0: never */
  size_t calls;
  size_t len;
  char text[2048];
} heard_t;

static uint32_t sum(const uint8_t *bytes, size_t len) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < len; i++)
    hash = (hash ^ bytes[i]) * 16777619u;
  return hash;
}

static void hear(heard_t *heard, const char *what, int number,
                 const uint8_t *bytes, size_t len) {
  char *to = heard->text + heard->len;
  size_t room = sizeof(heard->text) - heard->len;
  assert_non_null(bytes);
  int n = len > 40 ? snprintf(to, room, "%s%d:%zu#%08x ", what, number, len,
                              (unsigned)sum(bytes, len))
                   : snprintf(to, room, "%s%d:%.*s ", what, number, (int)len,
                              (const char *)bytes);
  assert_true(n > 0 && (size_t)n < room);
  heard->len += (size_t)n;
  if (++heard->calls == heard->stop_after)
    uvow__framer_stop(heard->framer);
}

static void on_message(void *ctx, int opcode, int rsv1, const uint8_t *bytes,
                       size_t len, uvow__buf_t *whole) {
  (void)whole;
  hear((heard_t *)ctx, rsv1 ? "packed" : "message", opcode, bytes, len);
}

static void on_ping(void *ctx, const uint8_t *bytes, size_t len) {
  hear((heard_t *)ctx, "ping", 0, bytes, len);
}

static void on_pong(void *ctx, const uint8_t *bytes, size_t len) {
  hear((heard_t *)ctx, "pong", 0, bytes, len);
}

static void on_close(void *ctx, int code, const char *reason, size_t len) {
  hear((heard_t *)ctx, "close", code, (const uint8_t *)reason, len);
}
static const uvow__framer_callbacks_t callbacks = {on_message, on_ping, on_pong,
                                                   on_close};

static size_t random_calls;
static int random_error;

static int fixed_random(void *ctx, uint8_t *bytes, size_t len) {
  (void)ctx;
  random_calls++;
  for (size_t i = 0; i < len; i++)
    bytes[i] = (uint8_t)(i * 167 + 13);
  return random_error;
}

static void start(uvow__framer_t *framer, int is_server, size_t max,
                  heard_t *heard) {
  static uvow__mask_keys_t keys;
  uvow__framer_config_t config = {is_server, 1,    max, fixed_random,
                                  NULL,      NULL, 0,   &keys};
  keys.left = 0;
  memset(heard, 0, sizeof(*heard));
  heard->framer = framer;
  assert_int_equal(
      uvow__framer_init(framer, &uvow__mem_default, &config, &callbacks, heard),
      0);
}

/* A frame by hand, straight from RFC 6455 5.2. */
static void put(uvow__buf_t *to, unsigned first, int masked, const void *bytes,
                size_t len) {
  static const uint8_t key[4] = {0x37, 0xFA, 0x21, 0x3D};
  uint8_t head[14] = {(uint8_t)first};
  size_t n = 2;
  size_t more = len < 126 ? 0 : len < 65536 ? 2 : 8;
  head[1] = (uint8_t)(more == 0 ? len : more == 2 ? 126 : 127);
  for (size_t i = more; i > 0; i--)
    head[n++] = (uint8_t)((uint64_t)len >> (8 * (i - 1)));
  if (masked) {
    head[1] |= 0x80;
    memcpy(head + n, key, 4);
    n += 4;
  }
  assert_int_equal(uvow__buf_append(to, head, n), 0);
  assert_int_equal(uvow__buf_append(to, bytes, len), 0);
  for (size_t i = 0; masked && i < len; i++)
    to->data[to->len - len + i] ^= key[i % 4];
}

typedef struct stream {
  int is_server;
  size_t max;
  size_t stop_after;
  const uint8_t *bytes;
  size_t len;
  int rc;
  const char *want;
} stream_t;

/* Feeds what ends at each of `ends`; a copy each, so that ASan sees it all. */
static void feed_cut(const stream_t *s, const size_t *ends, size_t count) {
  uvow__framer_t framer;
  heard_t heard;
  size_t at = 0;
  int rc = 0;
  start(&framer, s->is_server, s->max, &heard);
  heard.stop_after = s->stop_after;
  for (size_t i = 0; i < count; i++) {
    size_t len = ends[i] - at;
    uint8_t *copy = (uint8_t *)malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, s->bytes + at, len);
    int now = uvow__framer_feed(&framer, copy, len);
    free(copy);
    assert_true(rc == 0 || now == rc); /* it stays refused */
    rc = now;
    at = ends[i];
  }
  assert_int_equal(rc, s->rc);
  assert_int_equal(uvow__framer_why(&framer) != NULL, s->rc != 0);
  if (s->want)
    assert_string_equal(heard.text, s->want);
  uvow__framer_done(&framer);
}

static void check(const stream_t *s) {
  size_t *ends = (size_t *)calloc(s->len + 1, sizeof(*ends));
  uint32_t seed = 7;
  assert_non_null(ends);
  ends[0] = s->len;
  feed_cut(s, ends, 1);
  for (size_t i = 0; i < s->len; i++)
    ends[i] = i + 1;
  feed_cut(s, ends, s->len);
  ends[1] = s->len;
  for (ends[0] = 0; s->len < 1000 && ends[0] <= s->len; ends[0]++)
    feed_cut(s, ends, 2);
  for (int round = 0; round < 20; round++) {
    size_t count = 0;
    for (size_t at = 0; at < s->len;) {
      seed = seed * 1664525 + 1013904223;
      size_t step = (seed >> 16) % (round % 2 ? 9 : 6000);
      at = s->len - at < step ? s->len : at + step;
      if (count == 0 || at > ends[count - 1])
        ends[count++] = at;
    }
    feed_cut(s, ends, count);
  }
  free(ends);
}

/* The byte at which a stream is refused: 1 for its first; 0: never. */
static size_t refused_at(const stream_t *s) {
  uvow__framer_t framer;
  heard_t heard;
  size_t at = 0;
  size_t refused = 0;
  start(&framer, s->is_server, s->max, &heard);
  while (!refused && at < s->len) {
    int rc = uvow__framer_feed(&framer, s->bytes + at, 1);
    at++;
    if (rc)
      refused = at;
  }
  uvow__framer_done(&framer);
  return refused;
}

/* RFC 6455 5.7, byte for byte. */
TEST_CASE(test_rfc_examples) {
  static const struct {
    int is_server;
    const char *bytes;
    const char *want;
  } examples[] = {
      {0, "\x81\x05Hello", "message1:Hello "},
      {1, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "message1:Hello "},
      {0, "\x01\x03Hel\x80\x02lo", "message1:Hello "},
      {0, "\x89\x05Hello", "ping0:Hello "},
      {1, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", "pong0:Hello "},
  };
  for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
    const uint8_t *bytes = (const uint8_t *)examples[i].bytes;
    stream_t s = {
        examples[i].is_server, 0, 0, bytes, strlen(examples[i].bytes), 0,
        examples[i].want};
    check(&s);
  }
  stream_t big = {0,
                  3,
                  0,
                  (const uint8_t *)"\x81\3abc\x81\4abcd",
                  11,
                  UVOW_ETOOBIG,
                  "message1:abc "};
  assert_int_equal(refused_at(&big), 7);
  check(&big);
  static uint8_t long1[4 + 256] = {0x82, 0x7E, 0x01, 0x00};
  static uint8_t long2[10 + 65536] = {0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0};
  stream_t s1 = {0, 0, 0, long1, sizeof(long1), 0, "message2:256#e6a1d1c5 "};
  stream_t s2 = {0, 0, 0, long2, sizeof(long2), 0, "message2:65536#5e509dc5 "};
  check(&s1);
  check(&s2);
}

enum { PROTO = UVOW_EPROTO, UTF8 = UVOW_EUTF8, NONE = 0x100 };

static const struct {
  unsigned first[3]; /* frames; NONE: no more */
  const char *payload[3];
  size_t seen; /* byte of the last frame, unmasked; 1: its first */
  int rc;
  const char *want; /* behind the first message */
} violations[] = {
    {{0x91, NONE}, {"x"}, 1, PROTO, ""},
    {{0x83, NONE}, {"x"}, 1, PROTO, ""},
    {{0x09, NONE}, {"x"}, 1, PROTO, ""},
    {{0x80, NONE}, {"x"}, 1, PROTO, ""},
    {{0x00, NONE}, {""}, 1, PROTO, ""},
    {{0x01, 0x81, NONE}, {"a", "b"}, 1, PROTO, ""},
    {{0x01, 0x80, 0x80}, {"a", "b", "c"}, 1, PROTO, "message1:ab "},
    {{0x01, 0x89, 0x02}, {"a", "b", "c"}, 1, PROTO, "ping0:b "},
    {{0x88, NONE}, {"x"}, 2, PROTO, ""},
    {{0x88, NONE}, {"\x03\xEDzzz"}, 7, PROTO, ""},
    {{0x88, NONE}, {"\x03\xE8\xFF"}, 5, UTF8, ""},
    {{0x81, NONE}, {"ok\xC0zz"}, 5, UTF8, ""},
    {{0x81, NONE}, {"\xED\xA0\x80zz"}, 4, UTF8, ""},
    {{0x81, NONE}, {"\xE2\x82"}, 4, UTF8, ""},
    {{0x01, 0x00, 0x00}, {"a\xF0", "\x9F", "\x98q\x80zzz"}, 4, UTF8, ""},
    {{0x01, 0x89, 0x80}, {"a\xE0", "\xFF", "\x9Fzz"}, 3, UTF8, "ping0:\xFF "},
    {{0x01, 0x80, NONE}, {"a\xE0", ""}, 2, UTF8, ""},
};

/* Before the first violation all is delivered, and nothing after it. */
static void check_violation(size_t i, int server) {
  uvow__buf_t buf;
  char want[64];
  size_t last = 0;
  size_t seen = violations[i].seen;
  uvow__buf_init(&buf, &uvow__mem_default, 1000);
  put(&buf, 0x82, server, "before", 6);
  for (size_t k = 0; k < 3 && violations[i].first[k] != NONE; k++) {
    const char *payload = violations[i].payload[k];
    last = uvow__buf_size(&buf);
    put(&buf, violations[i].first[k], server, payload, strlen(payload));
  }
  snprintf(want, sizeof(want), "message2:before %s", violations[i].want);
  stream_t s = {server, 0, 0, buf.data, buf.len, violations[i].rc, want};
  if (server && (seen > 2 || (seen == 2 && last + 6 == buf.len)))
    seen += 4; /* the key comes before the payload */
  seen += last;
  assert_int_equal(refused_at(&s), seen);
  assert_int_equal(uvow__framer_close_code(s.rc), s.rc == PROTO ? 1002 : 1007);
  s.len = seen;
  check(&s);
  put(&buf, 0x82, server, "behind", 6);
  s.bytes = buf.data;
  s.len = buf.len;
  check(&s);
  uvow__buf_done(&buf);
}

TEST_CASE(test_violations) {
  for (size_t i = 0; i < sizeof(violations) / sizeof(violations[0]); i++) {
    check_violation(i, 0);
    check_violation(i, 1);
  }
}

TEST_CASE(test_wrong_mask) {
  for (int server = 0; server < 2; server++) {
    uvow__buf_t buf;
    uvow__buf_init(&buf, &uvow__mem_default, 10000);
    put(&buf, 0x81, !server, "0123456789", server ? 10 : 0);
    stream_t s = {server, 0, 0, buf.data, buf.len, UVOW_EPROTO, ""};
    assert_int_equal(refused_at(&s), 2);
    check(&s);
    uvow__buf_done(&buf);
  }
}

/* Headers of what never comes, refused as soon as they say so. */
TEST_CASE(test_lying_headers) {
  static const struct {
    const char *head;
    size_t len;
    size_t seen;
    int rc;
  } rules[] = {
      {"\x82\x7F\0\0\1\0\0\0\0\0", 10, 10, UVOW_ETOOBIG},
      {"\x82\x7E\x03\xE9", 4, 4, UVOW_ETOOBIG},
      {"\x82\x7F\xFF\0\0\0\0\0\0\0", 10, 10, UVOW_EPROTO},
      {"\x82\x7F\0\0\0\0\0\0\0\1", 10, 10, UVOW_EPROTO},
      {"\x82\x7E\0\x7D", 4, 4, UVOW_EPROTO},
      {"\x89\x7E\0\x7E", 4, 2, UVOW_EPROTO},
      {"\x82\x7E\x03\xE8", 4, 0, 0},
  };
  for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
    for (int server = 0; server < 2; server++) {
      uvow__buf_t buf;
      char want[] = "message2:before ";
      uvow__buf_init(&buf, &uvow__mem_default, 1000);
      put(&buf, 0x82, server, "before", 6);
      size_t at = buf.len;
      assert_int_equal(uvow__buf_append(&buf, rules[i].head, rules[i].len), 0);
      buf.data[at + 1] |= server ? 0x80 : 0;
      stream_t s = {server, 1000, 0, buf.data, buf.len, rules[i].rc, want};
      assert_int_equal(refused_at(&s), rules[i].seen ? at + rules[i].seen : 0);
      check(&s);
      assert_int_equal(uvow__buf_append(&buf, "\1\2\3\4payload", 11), 0);
      s.bytes = buf.data;
      s.len = buf.len;
      check(&s);
      uvow__buf_done(&buf);
    }
  }
}

TEST_CASE(test_stop_and_close) {
  for (int server = 0; server < 2; server++) {
    uvow__buf_t buf;
    uvow__buf_init(&buf, &uvow__mem_default, 1000);
    put(&buf, 0x81, server, "one", 3);
    put(&buf, 0x01, server, "tw", 2);
    put(&buf, 0x89, server, "", 0);
    put(&buf, 0x80, server, "o", 1);
    put(&buf, 0x88, server, "\x03\xE9zzz", 5);
    put(&buf, 0x81, server, "late", 4);
    put(&buf, 0xFF, !server, "nonsense", 8);
    stream_t s = {server,
                  0,
                  0,
                  buf.data,
                  buf.len,
                  0,
                  "message1:one ping0: message1:two close1001:zzz "};
    check(&s);
    s.stop_after = 3;
    s.want = "message1:one ping0: message1:two ";
    check(&s);
    s.stop_after = 1;
    s.want = "message1:one ";
    check(&s);
    uvow__buf_done(&buf);
  }
}

/* Many frames in a feed, across wslay's 4 KiB, some of them longer. */
TEST_CASE(test_burst) {
  static uint8_t payload[9000];
  for (int server = 0; server < 2; server++) {
    uvow__buf_t buf;
    char want[2048];
    size_t at = 0;
    uvow__buf_init(&buf, &uvow__mem_default, MIB);
    for (size_t i = 0; i < sizeof(payload); i++)
      payload[i] = (uint8_t)('a' + i % 23);
    for (size_t i = 0; i < 60; i++) {
      size_t len = i * i * 7 % 1200 + (i % 20 == 3 ? 7700 : 41);
      put(&buf, 0x81, server, payload, len);
      at += (size_t)snprintf(want + at, sizeof(want) - at, "message1:%zu#%08x ",
                             len, (unsigned)sum(payload, len));
    }
    stream_t s = {server, 0, 0, buf.data, buf.len, 0, want};
    check(&s);
    uvow__buf_done(&buf);
  }
}

/* What is sent, by either role, comes to the other as it was. */
TEST_CASE(test_round_trip) {
  static const size_t lens[] = {0,   1,   2,   3,    4,     5,     7,    8,
                                9,   15,  16,  17,   45,    124,   125,  126,
                                127, 128, 300, 4096, 65535, 65536, 70001};
  uint8_t *bytes = (uint8_t *)malloc(70001);
  assert_non_null(bytes);
  for (size_t i = 0; i < 70001; i++)
    bytes[i] = (uint8_t)(i * 31 >> 3);
  for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
    for (int server = 0; server < 2; server++) {
      uvow__framer_t from;
      heard_t heard;
      char want[512];
      uvow__buf_t out;
      size_t len = lens[i];
      uint8_t *exact = (uint8_t *)malloc(len ? len : 1);
      assert_non_null(exact);
      memcpy(exact, bytes, len);
      uvow__buf_init(&out, &uvow__mem_default, MIB);
      start(&from, server, 0, &heard);
      assert_int_equal(uvow__framer_send(&from, &out, 2, 0, exact, len), 0);
      size_t head = len < 126 ? 2 : len < 65536 ? 4 : 10;
      assert_int_equal(uvow__buf_size(&out), head + (server ? 0 : 4) + len);
      if (!server && len > 0) /* the key's own first byte is not 0 */
        assert_int_not_equal(out.data[head + 4], exact[0]);
      assert_int_equal(uvow__framer_send(&from, &out, 2, 1, exact, len), 0);
      free(exact);
      hear(&heard, "message", 2, bytes, len);
      hear(&heard, "packed", 2, bytes, len);
      memcpy(want, heard.text, heard.len + 1);
      stream_t s = {!server, 0, 0, out.data, out.len, 0, want};
      check(&s);
      uvow__buf_done(&out);
      uvow__framer_done(&from);
    }
  }
  free(bytes);
}

TEST_CASE(test_send_control) {
  static const struct {
    int opcode;
    int code; /* of a close frame, or 0 */
    size_t len;
  } wrong[] = {{9, 0, 126},  {0, 0, 1},   {3, 0, 1},
               {11, 0, 1},   {-8, 0, 1},  {0, 1006, 0},
               {0, 1005, 1}, {0, 999, 0}, {0, 1000, 124}};
  uint8_t bytes[126];
  const char *text = (const char *)bytes;
  memset(bytes, 'p', sizeof(bytes));
  for (int server = 0; server < 2; server++) {
    uvow__framer_t f;
    heard_t heard;
    uvow__buf_t out;
    uvow__buf_init(&out, &uvow__mem_default, 1000);
    start(&f, server, 0, &heard);
    assert_int_equal(uvow__framer_send(&f, &out, 9, 0, bytes, 20), 0);
    assert_int_equal(uvow__framer_send(&f, &out, 10, 0, NULL, 0), 0);
    assert_int_equal(uvow__framer_send(&f, &out, 9, 0, bytes, 125), 0);
    size_t before = uvow__buf_size(&out);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
      int code = wrong[i].code;
      size_t len = wrong[i].len;
      int rc = uvow__framer_send(&f, &out, wrong[i].opcode, 0, bytes, len);
      if (code)
        rc = uvow__framer_send_close(&f, &out, code, text, len);
      assert_int_equal(rc, UVOW_EINVAL);
    }
    assert_int_equal(uvow__framer_send(&f, &out, 9, 1, bytes, 1), UVOW_EINVAL);
    assert_int_equal(uvow__framer_send_close(&f, &out, 1000, "\xC3", 1),
                     UVOW_EINVAL);
    assert_int_equal(uvow__buf_size(&out), before);
    assert_int_equal(server ? uvow__framer_send_close(&f, &out, 1001, text, 30)
                            : uvow__framer_send_close(&f, &out, 1005, NULL, 0),
                     0);
    hear(&heard, "ping", 0, bytes, 20);
    hear(&heard, "pong", 0, bytes, 0);
    hear(&heard, "ping", 0, bytes, 125);
    hear(&heard, "close", server ? 1001 : 1005, bytes, server ? 30 : 0);
    stream_t s = {!server, 0, 0, out.data, out.len, 0, heard.text};
    check(&s);
    uvow__buf_done(&out);
    uvow__framer_done(&f);
  }
}

TEST_CASE(test_send_all_or_nothing) {
  uint8_t bytes[100] = {0};
  uvow__framer_t f;
  heard_t heard;
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, 105);
  start(&f, 0, 0, &heard);
  assert_int_equal(uvow__framer_send(&f, &out, 2, 0, bytes, 100),
                   UVOW_EOVERLOAD);
  assert_int_equal(uvow__buf_size(&out), 0);
  assert_int_equal(uvow__framer_send(&f, &out, 2, 0, bytes, SIZE_MAX - 3),
                   UVOW_ETOOBIG);
  assert_int_equal(uvow__framer_send(&f, &out, 2, 0, bytes, SIZE_MAX - 90),
                   UVOW_EOVERLOAD);
  assert_int_equal(uvow__framer_send(&f, &out, 2, 0, bytes, 99), 0);
  assert_int_equal(uvow__framer_send(&f, &out, 2, 0, bytes, 1), UVOW_EOVERLOAD);
  assert_int_equal(uvow__buf_size(&out), 105);
  uvow__buf_done(&out);
  uvow__framer_done(&f);

  uvow__buf_init(&out, &uvow__mem_default, 10000); /* keys come in blocks */
  start(&f, 0, 0, &heard);
  random_calls = 0;
  for (int i = 0; i < 64; i++)
    assert_int_equal(uvow__framer_send(&f, &out, 2, 0, "x", 1), 0);
  assert_int_equal(random_calls, 1);
  for (size_t i = 0; i < 64; i++) /* no key twice */
    for (size_t k = 0; k < i; k++)
      assert_memory_not_equal(out.data + 7 * i + 2, out.data + 7 * k + 2, 4);
  random_error = -5555;
  assert_int_equal(uvow__framer_send(&f, &out, 2, 0, "x", 1), -5555);
  assert_int_equal(uvow__buf_size(&out), 64 * 7);
  random_error = 0;
  assert_int_equal(uvow__framer_send(&f, &out, 2, 0, "x", 1), 0);
  assert_int_equal(random_calls, 3);
  uvow__framer_done(&f);
  uvow__mask_keys_t keys = {0};
  uvow__framer_config_t config = {0};
  config.keys = &keys;
  assert_int_equal(uvow__framer_init(&f, NULL, &config, &callbacks, NULL),
                   UVOW_EINVAL);
  config.keys = NULL;
  config.random = fixed_random;
  assert_int_equal(uvow__framer_init(&f, NULL, &config, &callbacks, NULL),
                   UVOW_EINVAL);
  uvow__buf_done(&out);
}

/* The default limit: met, and passed by a byte. */
TEST_CASE(test_default_limit) {
  size_t len = 16 * MIB;
  uint8_t *bytes = (uint8_t *)calloc(1, len + 1);
  assert_non_null(bytes);
  for (size_t more = 0; more < 2; more++) {
    uvow__framer_t f;
    heard_t heard;
    uvow__buf_t buf;
    uvow__buf_init(&buf, &uvow__mem_default, 17 * MIB);
    put(&buf, 0x81, (int)more, bytes, len + more);
    start(&f, (int)more, 0, &heard);
    for (size_t at = 0; at < buf.len; at += 65536) {
      size_t n = buf.len - at < 65536 ? buf.len - at : 65536;
      assert_int_equal(uvow__framer_feed(&f, buf.data + at, n),
                       more ? UVOW_ETOOBIG : 0);
    }
    assert_string_equal(heard.text, more ? "" : "message1:16777216#b51c9dc5 ");
    assert_int_equal(uvow__framer_close_code(UVOW_ETOOBIG), 1009);
    assert_true(f.message.parts.cap <= 4096);
    uvow__framer_done(&f);
    uvow__buf_done(&buf);
  }
  free(bytes);
}

/* A sent message that the peer must assemble: both sides need memory. */
static void no_memory(test_alloc_t *alloc, void *data) {
  static uint8_t bytes[20000];
  uvow__framer_config_t config = {.is_server = 1};
  uvow__framer_t f;
  uvow__framer_t peer;
  uvow__buf_t out;
  heard_t heard;
  (void)data;
  start(&peer, 0, 0, &heard);
  assert_int_equal(
      uvow__framer_init(&f, &alloc->allocator, &config, &callbacks, &heard), 0);
  uvow__buf_init(&out, &alloc->allocator, MIB);
  int rc = uvow__framer_send(&peer, &out, 1, 0, bytes, sizeof(bytes));
  if (rc)
    assert_int_equal(uvow__buf_size(&out), 0);
  else
    rc = uvow__framer_feed(&f, out.data, out.len);
  assert_int_equal(rc, alloc->failed ? UVOW_ENOMEM : 0);
  assert_int_equal(uvow__framer_close_code(UVOW_ENOMEM), 1011);
  assert_int_equal(heard.calls, alloc->failed ? 0 : 1);
  uvow__framer_done(&f);
  uvow__framer_done(&peer);
  uvow__buf_done(&out);
}

TEST_CASE(test_no_memory) {
  test_alloc_sweep(no_memory, NULL);
}

TEST_MODULE(framer) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rfc_examples),
      cmocka_unit_test(test_violations),
      cmocka_unit_test(test_wrong_mask),
      cmocka_unit_test(test_lying_headers),
      cmocka_unit_test(test_stop_and_close),
      cmocka_unit_test(test_burst),
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_send_control),
      cmocka_unit_test(test_send_all_or_nothing),
      cmocka_unit_test(test_default_limit),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests_name("wire/framer", tests, NULL, NULL);
}
