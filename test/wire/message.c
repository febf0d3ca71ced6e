/*
 * The rules about frames, given as frames: framer.c's tests give them as bytes.
 */
#include "support/support.h"

#include <stdio.h>

#include <uvow/error.h>

#include "base/mem.h"
#include "wire/message.h"

/* What was called back, as text. */
typedef struct heard {
  char text[512];
  size_t len;
} heard_t;

static void hear(heard_t *heard, const char *what, int number,
                 const void *bytes, size_t len) {
  assert_non_null(bytes);
  size_t room = sizeof(heard->text) - heard->len;
  int n = snprintf(heard->text + heard->len, room, "%s%d:%.*s ", what, number,
                   (int)len, (const char *)bytes);
  assert_true(n > 0 && (size_t)n < room);
  heard->len += (size_t)n;
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
  hear((heard_t *)ctx, "close", code, reason, len);
}

static const uvow__framer_callbacks_t callbacks = {on_message, on_ping, on_pong,
                                                   on_close};

static void start(uvow__message_t *m, size_t max, heard_t *heard) {
  memset(heard, 0, sizeof(*heard));
  uvow__message_init(m, &uvow__mem_default, max, &callbacks, heard);
}

/* One unmasked frame in pieces of `size` bytes. */
static int frame(uvow__message_t *m, unsigned first, const char *text,
                 size_t len, size_t size) {
  int rc = uvow__message_begin(m, first, 0, len);
  size_t at = 0;
  do {
    size_t n = len - at < size ? len - at : size;
    if (rc == 0)
      rc = uvow__message_piece(m, (const uint8_t *)text + at, n);
    at += n;
  } while (rc == 0 && at < len);
  return rc;
}

TEST_CASE(test_headers) {
  /* What may come between messages, and inside one (allow_rsv1 too). */
  static const struct {
    unsigned first;
    int idle;
    int open;
    int idle_rsv1;
  } rules[] = {
      {0x81, 0, 1, 0}, {0x01, 0, 1, 0}, {0x82, 0, 1, 0}, {0x02, 0, 1, 0},
      {0x80, 1, 0, 1}, {0x00, 1, 0, 1}, {0x88, 0, 0, 0}, {0x89, 0, 0, 0},
      {0x8A, 0, 0, 0}, {0x08, 1, 1, 1}, {0x09, 1, 1, 1}, {0x0A, 1, 1, 1},
      {0xC1, 1, 1, 0}, {0xC2, 1, 1, 0}, {0x41, 1, 1, 0}, {0xC0, 1, 1, 1},
      {0xC8, 1, 1, 1}, {0xC9, 1, 1, 1}, {0xA1, 1, 1, 1}, {0x91, 1, 1, 1},
      {0xF1, 1, 1, 1}, {0x83, 1, 1, 1}, {0x87, 1, 1, 1}, {0x8B, 1, 1, 1},
      {0x8F, 1, 1, 1},
  };
  for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
    uvow__message_t m;
    heard_t heard;
    uint8_t head[1] = {(uint8_t)rules[i].first};
    for (int rsv1 = 0; rsv1 < 2; rsv1++) {
      int want = rsv1 ? rules[i].idle_rsv1 : rules[i].idle;
      start(&m, 100, &heard);
      m.allow_rsv1 = (uint8_t)rsv1;
      assert_int_equal(uvow__message_judge(&m, head, 1),
                       want ? UVOW_EPROTO : 0);
      assert_int_equal(m.why != NULL, want);
      assert_int_equal(uvow__message_begin(&m, head[0], 0, 3),
                       want ? UVOW_EPROTO : 0);
      uvow__message_done(&m);
    }
    start(&m, 100, &heard);
    assert_int_equal(frame(&m, 0x01, "abc", 3, 3), 0);
    assert_int_equal(uvow__message_judge(&m, head, 1),
                     rules[i].open ? UVOW_EPROTO : 0);
    uvow__message_done(&m);
  }
}

TEST_CASE(test_lengths) {
  static const struct {
    uint8_t head[10];
    size_t len;
    int rc;
  } rules[] = {
      {{0x82, 125}, 2, 0},
      {{0x82, 126}, 2, 0},
      {{0x82, 126, 0}, 3, 0},
      {{0x82, 126, 0, 126}, 4, 0},
      {{0x82, 126, 0, 125}, 4, UVOW_EPROTO},
      {{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}, 10, 0},
      {{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 1}, 10, UVOW_ETOOBIG},
      {{0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0}, 10, UVOW_ETOOBIG},
      {{0x82, 127, 0x7F, 255, 255, 255, 255, 255, 255, 255}, 10, UVOW_ETOOBIG},
      {{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, 10, UVOW_EPROTO},
      {{0x82, 127, 0, 0, 0, 0, 0, 0, 255, 255}, 10, UVOW_EPROTO},
      {{0x89, 125}, 2, 0},
      {{0x89, 126}, 2, UVOW_EPROTO},
      {{0x89, 127}, 2, UVOW_EPROTO},
      {{0x88, 0}, 2, 0},
      {{0x88, 1}, 2, UVOW_EPROTO},
      {{0x88, 2}, 2, 0},
      {{0x8A, 1}, 2, 0},
  };
  for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
    for (int server = 0; server < 2; server++) {
      uvow__message_t m;
      heard_t heard;
      uint8_t head[10];
      start(&m, 65536, &heard);
      m.is_server = (uint8_t)server;
      memcpy(head, rules[i].head, sizeof(head));
      assert_int_equal(uvow__message_judge(&m, head, 0), 0);
      if (server) {
        assert_int_equal(uvow__message_judge(&m, head, 2), UVOW_EPROTO);
        head[1] |= 0x80;
      }
      assert_int_equal(uvow__message_judge(&m, head, rules[i].len),
                       rules[i].rc);
      assert_int_equal(m.why != NULL, server || rules[i].rc);
      if (!server) {
        head[1] |= 0x80;
        assert_int_equal(uvow__message_judge(&m, head, 2), UVOW_EPROTO);
      }
      uvow__message_done(&m);
    }
  }
}

TEST_CASE(test_close_codes) {
  for (int code = 0; code < 65536; code++) {
    int ok = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
             (code >= 3000 && code <= 4999);
    char payload[2] = {(char)(code >> 8), (char)code};
    uvow__message_t m;
    heard_t heard;
    char want[32];
    start(&m, 100, &heard);
    snprintf(want, sizeof(want), "close%d: ", code);
    assert_int_equal(uvow__close_code_ok(code), ok);
    assert_int_equal(frame(&m, 0x88, payload, 2, 1), ok ? 0 : UVOW_EPROTO);
    assert_string_equal(heard.text, ok ? want : "");
    assert_int_equal(m.stopped, ok);
    uvow__message_done(&m);
  }
}

TEST_CASE(test_close_reasons) {
  static const struct {
    const char *payload;
    size_t len;
    int rc;
    const char *want;
  } rules[] = {
      {"", 0, 0, "close1005: "},
      {"\x03\xE8", 2, 0, "close1000: "},
      {"\x03\xE8gone", 6, 0, "close1000:gone "},
      {"\x03\xE8\xC3\xA9", 4, 0, "close1000:\xC3\xA9 "},
      {"\x03\xE8\xC3", 3, UVOW_EUTF8, ""},
      {"\x03\xE8\xFFxx", 5, UVOW_EUTF8, ""},
  };
  for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
    for (size_t size = 1; size < 8; size++) {
      uvow__message_t m;
      heard_t heard;
      start(&m, 100, &heard);
      assert_int_equal(frame(&m, 0x88, rules[i].payload, rules[i].len, size),
                       rules[i].rc);
      assert_string_equal(heard.text, rules[i].want);
      uvow__message_done(&m);
    }
  }
}

TEST_CASE(test_control_inside_message) {
  char payload[UVOW__CONTROL_MAX];
  memset(payload, 'p', sizeof(payload));
  for (size_t size = 1; size <= 128; size++) {
    uvow__message_t m;
    heard_t heard;
    start(&m, 10, &heard); /* the limit is one of messages */
    assert_int_equal(frame(&m, 0x01, "ab\xE2", 3, size), 0);
    assert_int_equal(frame(&m, 0x89, payload, sizeof(payload), size), 0);
    assert_int_equal(frame(&m, 0x00, "\x82", 1, size), 0);
    assert_int_equal(frame(&m, 0x8A, "q", 1, size), 0);
    assert_int_equal(frame(&m, 0x8A, "", 0, size), 0);
    assert_int_equal(frame(&m, 0x00, "", 0, size), 0);
    assert_int_equal(frame(&m, 0x80,
                           "\xAC"
                           "d",
                           2, size),
                     0);
    assert_int_equal(frame(&m, 0x82, "\xFF", 1, size), 0);
    assert_non_null(strstr(heard.text,
                           "p pong0:q pong0: message1:ab\xE2\x82"
                           "\xAC"
                           "d message2:\xFF "));
    assert_int_equal(heard.len, 132 + 8 + 7 + 16 + 11);
    uvow__message_done(&m);
  }
}

TEST_CASE(test_limit_counts_fragments) {
  uvow__message_t m;
  heard_t heard;
  start(&m, 10, &heard);
  assert_int_equal(frame(&m, 0x82, "0123456789", 10, 10), 0);
  assert_int_equal(frame(&m, 0x02, "0123456", 7, 3), 0);
  assert_int_equal(frame(&m, 0x80, "789", 3, 3), 0);
  assert_int_equal(frame(&m, 0x02, "0123456", 7, 7), 0);
  assert_int_equal(uvow__message_begin(&m, 0x00, 0, 4), UVOW_ETOOBIG);
  assert_int_equal(uvow__buf_size(&m.parts), 7);
  assert_int_equal(uvow__message_begin(&m, 0x00, 0, UINT64_MAX >> 1),
                   UVOW_ETOOBIG);
  assert_string_equal(heard.text, "message2:0123456789 message2:0123456789 ");
  uvow__message_done(&m);
}

TEST_CASE(test_packed_text_is_not_checked) {
  uvow__message_t m;
  heard_t heard;
  start(&m, 10, &heard);
  m.allow_rsv1 = 1;
  assert_int_equal(frame(&m, 0x41, "\xFF", 1, 1), 0);
  assert_int_equal(frame(&m, 0x80, "\xC0", 1, 1), 0);
  assert_int_equal(frame(&m, 0xC2, "x", 1, 1), 0);
  assert_int_equal(frame(&m, 0x81, "y", 1, 1), 0);
  assert_string_equal(heard.text, "packed1:\xFF\xC0 packed2:x message1:y ");
  assert_int_equal(frame(&m, 0x81, "\xC0", 1, 1), UVOW_EUTF8);
  uvow__message_done(&m);
}

/* A frame that announces much gets room for 16 times what has come, and in the
 * end for itself, not for twice that. */
TEST_CASE(test_believes_little) {
  static const uint8_t piece[4096];
  const size_t length = 1000 * sizeof(piece);
  uvow__message_t m;
  heard_t heard = {"", 0};
  start(&m, 2 * length, &heard);
  assert_int_equal(uvow__message_begin(&m, 0x02, 0, length), 0);
  assert_int_equal(uvow__message_piece(&m, piece, sizeof(piece)), 0);
  for (size_t come = sizeof(piece);; come += sizeof(piece)) {
    assert_true(m.parts.cap <= 19 * come);
    if (come == length)
      break;
    assert_true(uvow__message_copies(&m));
    assert_int_equal(uvow__message_copy(&m, piece, sizeof(piece), NULL), 0);
  }
  assert_true(m.parts.cap <= length + length / 8);
  assert_true(m.parts.cap >= length);
  assert_int_equal(heard.len, 0); /* it isn't the last fragment */
  uvow__message_done(&m);
}

TEST_CASE(test_keeps_little_room) {
  static char big[10000];
  uvow__message_t m;
  heard_t heard;
  start(&m, sizeof(big), &heard); /* NULs: they print as nothing */
  assert_int_equal(frame(&m, 0x82, big, sizeof(big), 4096), 0);
  assert_true(m.parts.cap <= 4096);
  assert_int_equal(frame(&m, 0x82, big, 100, 50), 0);
  assert_int_equal(m.parts.cap, 256);
  assert_int_equal(frame(&m, 0x82, big, 100, 100), 0);
  assert_int_equal(uvow__buf_size(&m.parts), 0);
  uvow__message_done(&m);
}

static void no_memory(test_alloc_t *alloc, void *data) {
  uvow__message_t m;
  heard_t heard;
  char text[900];
  (void)data;
  memset(&heard, 0, sizeof(heard));
  memset(text, 0, sizeof(text));
  uvow__message_init(&m, &alloc->allocator, 1000, &callbacks, &heard);
  int rc = frame(&m, 0x01, text, sizeof(text), 100);
  if (rc == 0)
    rc = frame(&m, 0x80, "!", 1, 1);
  assert_int_equal(rc, alloc->failed ? UVOW_ENOMEM : 0);
  assert_int_equal(heard.len == 0, alloc->failed != 0);
  assert_int_equal(m.why != NULL, alloc->failed != 0);
  uvow__message_done(&m);
}

TEST_CASE(test_no_memory) {
  test_alloc_sweep(no_memory, NULL);
}

TEST_MODULE(message) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_headers),
      cmocka_unit_test(test_lengths),
      cmocka_unit_test(test_close_codes),
      cmocka_unit_test(test_close_reasons),
      cmocka_unit_test(test_control_inside_message),
      cmocka_unit_test(test_limit_counts_fragments),
      cmocka_unit_test(test_packed_text_is_not_checked),
      cmocka_unit_test(test_believes_little),
      cmocka_unit_test(test_keeps_little_room),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests_name("wire/message", tests, NULL, NULL);
}
