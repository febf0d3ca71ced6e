/* Compressed messages in frames, both ways: framer.c and message.c with a
 * deflate that was agreed on. */
#include "support/support.h"

#include <stdio.h>

#include <uvow/error.h>

#include "base/mem.h"
#include "support/deflate.h"
#include "wire/framer.h"

/* One end. What it heard is text: "1:Hello ", "9:ping ", "close:1000 ". */
typedef struct end {
  uvow__deflate_t deflate;
  uvow__framer_t framer;
  const uint8_t *expected; /* NULL, or what messages begin with */
  char text[2048];
  size_t len;
} end_t;

static void hear(end_t *end, int what, const void *bytes, size_t len) {
  size_t room = sizeof(end->text) - end->len;
  int n = snprintf(end->text + end->len, room, "%d:%.*s ", what,
                   len > 200 ? 0 : (int)len, (const char *)bytes);
  assert_non_null(bytes);
  assert_true(n > 0 && (size_t)n < room);
  end->len += (size_t)n;
}

static void on_message(void *ctx, int opcode, int rsv1, const uint8_t *bytes,
                       size_t len, uvow__buf_t *whole) {
  (void)whole;
  const uint8_t *expected = ((end_t *)ctx)->expected;
  assert_int_equal(rsv1, 0);
  if (expected)
    assert_memory_equal(bytes, expected, len);
  hear((end_t *)ctx, opcode, bytes, len);
}

static void on_ping(void *ctx, const uint8_t *bytes, size_t len) {
  hear((end_t *)ctx, 9, bytes, len);
}

static void on_pong(void *ctx, const uint8_t *bytes, size_t len) {
  hear((end_t *)ctx, 10, bytes, len);
}

static void on_close(void *ctx, int code, const char *reason, size_t len) {
  hear((end_t *)ctx, code, reason, len);
}

static int no_random(void *ctx, uint8_t *bytes, size_t len) {
  (void)ctx;
  memset(bytes, 0x5A, len);
  return 0;
}

static int begin_with(end_t *end, const uvow__mem_t *mem, int is_server,
                      size_t max, size_t threshold) {
  static const uvow__framer_callbacks_t callbacks = {on_message, on_ping,
                                                     on_pong, on_close};
  static uvow__mask_keys_t keys;
  uvow__framer_config_t config = {is_server,     0,    max, no_random,
                                  &end->deflate, NULL, 0,   &keys};
  uvow__deflate_config_t terms = deflate_agreed(15, 0, 6);
  memset(end, 0, sizeof(*end));
  terms.is_server = (uint8_t)is_server;
  terms.threshold = threshold;
  uvow__deflate_init(&end->deflate, mem, &terms);
  return uvow__framer_init(&end->framer, mem, &config, &callbacks, end);
}

static void begin(end_t *end, int is_server, size_t max) {
  assert_int_equal(begin_with(end, &uvow__mem_default, is_server, max, 1), 0);
}

static void finish(end_t *end) {
  uvow__framer_done(&end->framer);
  uvow__deflate_done(&end->deflate);
}

/* Feeds a client with bytes cut at `cut`, then every `step`. */
static int feed_cut(end_t *end, const char *bytes, size_t len, size_t cut,
                    size_t step) {
  const uint8_t *at = (const uint8_t *)bytes;
  int rc = uvow__framer_feed(&end->framer, at, cut);
  while (rc == 0 && cut < len) {
    size_t n = step && step < len - cut ? step : len - cut;
    rc = uvow__framer_feed(&end->framer, at + cut, n);
    cut += n;
  }
  assert_int_equal(rc != 0, uvow__framer_why(&end->framer) != NULL);
  return rc;
}

/* What a server sends, byte for byte. */
static const struct {
  const char *bytes;
  size_t len;
  int rc;
  const char *heard;
} streams[] = {
    /* RFC 7692 7.2.3.1: whole, in two fragments, and with history. */
    {"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", 9, 0, "1:Hello "},
    {"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00", 11, 0, "1:Hello "},
    {"\xc2\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00", 16, 0,
     "2:Hello 1:Hello "},
    /* A last block (7.2.3.5), stored (7.2.3.3), and none (7.2.3.6). */
    {"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 10, 0, "1:Hello "},
    {"\xc1\x0b\x00\x05\x00\xfa\xffHello\x00", 13, 0, "1:Hello "},
    {"\xc1\x01\x00\xc2\x01\x00", 6, 0, "1: 2: "},
    /* Plain messages between, which history doesn't know. */
    {"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\x81\x02hi\xc1\x05\xf2\x00\x11\x00"
     "\x00",
     20, 0, "1:Hello 1:hi 1:Hello "},
    /* A ping inside, and empty fragments. */
    {"\x41\x01\xf2\x89\x02pp\x00\x00\x00\x06\x48\xcd\xc9\xc9\x07\x00\x80\x00",
     19, 0, "9:pp 1:Hello "},
    /* RSV1 where it may not be. */
    {"\x41\x01\xf2\xc0\x06\x48\xcd\xc9\xc9\x07\x00", 11, UVOW_EPROTO, ""},
    {"\x01\x01h\xc0\x01\x00", 6, UVOW_EPROTO, ""},
    {"\xc9\x00", 2, UVOW_EPROTO, ""},
    {"\xc8\x02\x03\xe8", 4, UVOW_EPROTO, ""},
    {"\xe1\x01\x00", 3, UVOW_EPROTO, ""},
    /* No DEFLATE, or cut off; what came before is heard. */
    {"\x81\x01h\xc1\x01\x07", 6, UVOW_EPROTO, "1:h "},
    {"\xc1\x00", 2, UVOW_EPROTO, ""},
    {"\xc1\x04\xf2\x48\xcd\xc9", 6, UVOW_EPROTO, ""},
    /* Stored C3, then 28: text, seen in the first fragment; and binary. */
    {"\x41\x07\x00\x02\x00\xfd\xff\xc3(", 9, UVOW_EUTF8, ""},
    {"\xc1\x08\x00\x02\x00\xfd\xff\xc3(\x00", 10, UVOW_EUTF8, ""},
    {"\xc1\x07\x00\x01\x00\xfe\xff\xc3\x00", 9, UVOW_EUTF8, ""},
    {"\xc2\x07\x00\x01\x00\xfe\xff\xc3\x00", 9, 0, "2:\xc3 "},
    /* A character in two fragments. */
    {"\x41\x06\x00\x01\x00\xfe\xff\xc3\x80\x07\x00\x01\x00\xfe\xff\xa9\x00", 17,
     0, "1:\xc3\xa9 "},
};

TEST_CASE(takes_compressed_frames_however_they_are_cut) {
  for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
    for (size_t cut = 0; cut <= streams[i].len; cut++) {
      for (size_t step = 0; step < 3; step++) {
        end_t end;
        begin(&end, 0, 100);
        int rc = feed_cut(&end, streams[i].bytes, streams[i].len, cut, step);
        if (rc != streams[i].rc || strcmp(end.text, streams[i].heard) != 0)
          fail_msg("stream %zu cut at %zu: %d, %s", i, cut, rc, end.text);
        finish(&end);
      }
    }
  }
}

/* A message in pieces is compressed as one. */
TEST_CASE(sends_pieces_as_one) {
  static uint8_t bytes[70000];
  deflate_prose(bytes, sizeof(bytes), 1);
  for (int server = 0; server < 2; server++) {
    end_t ends[2];
    uvow__buf_t out;
    begin(&ends[0], 0, 0);
    begin(&ends[1], 1, 0);
    ends[!server].expected = bytes;
    uvow__buf_init(&out, &uvow__mem_default, sizeof(bytes));
    char text[200];
    memcpy(text, bytes, 90);
    memcpy(text + 90, bytes + sizeof(bytes) - 110, 110);
    uvow__splice_t splice = {
        {text, 200}, {(char *)bytes + 90, sizeof(bytes) - 200}, 90, NULL};
    assert_int_equal(
        uvow__framer_send_splice(&ends[server].framer, &out, 1, &splice), 0);
    assert_int_equal(uvow__buf_front(&out)[0], 0xC1);
    assert_int_equal(uvow__framer_feed(&ends[!server].framer,
                                       uvow__buf_front(&out),
                                       uvow__buf_size(&out)),
                     0);
    assert_true(ends[!server].len > 0);
    uvow__buf_done(&out);
    finish(&ends[0]);
    finish(&ends[1]);
  }
}

TEST_CASE(sends_what_the_peer_reads) {
  static uint8_t bytes[300000];
  static const size_t sizes[] = {1, 5, 125, 126, 1000, 70000, 300000};
  deflate_prose(bytes, sizeof(bytes), 1);
  for (int server = 0; server < 2; server++) {
    end_t ends[2];
    uvow__buf_t out;
    begin(&ends[0], 0, 0);
    begin(&ends[1], 1, 0);
    ends[!server].expected = bytes;
    uvow__buf_init(&out, &uvow__mem_default, sizeof(bytes));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
      uvow__buf_clear(&out, 1024);
      assert_int_equal(
          uvow__framer_send(&ends[server].framer, &out, 1, 0, bytes, sizes[i]),
          0);
      assert_int_equal(uvow__buf_front(&out)[0], 0xC1);
      if (i)
        assert_true(uvow__buf_size(&out) < sizes[i] / 2 + 16);
      assert_int_equal(uvow__framer_feed(&ends[!server].framer,
                                         uvow__buf_front(&out),
                                         uvow__buf_size(&out)),
                       0);
      const uvow__buf_t *parts = &ends[!server].framer.message.parts;
      assert_true(parts->cap <= 4096);
    }
    assert_int_equal(ends[!server].len, 7 * 3 + 1 + 5 + 125 + 126);
    uvow__buf_done(&out);
    finish(&ends[0]);
    finish(&ends[1]);
  }
}

TEST_CASE(sends_uncompressed_what_is_short_or_control) {
  static const uint8_t bytes[1000] = {0};
  static const struct {
    size_t threshold;
    int opcode;
    size_t len;
    unsigned first;
  } cases[] = {
      {1, 1, 0, 0x81},     {1, 1, 1, 0xC1},     {2, 1, 1, 0x81},
      {125, 2, 124, 0x82}, {125, 2, 125, 0xC2}, {126, 2, 125, 0x82},
      {126, 2, 126, 0xC2}, {127, 2, 126, 0x82}, {500, 1, 499, 0x81},
      {500, 1, 500, 0xC1}, {1, 9, 125, 0x89},   {1, 10, 50, 0x8A},
      {0, 1, 0, 0x81},     {0, 1, 1, 0xC1},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    for (size_t room = 0; room < 2; room++) {
      end_t end;
      uvow__buf_t out;
      assert_int_equal(
          begin_with(&end, &uvow__mem_default, 1, 0, cases[i].threshold), 0);
      uvow__buf_init(&out, &uvow__mem_default, 2000);
      if (room)
        assert_int_equal(uvow__buf_reserve(&out, 2000), 0);
      assert_int_equal(uvow__framer_send(&end.framer, &out, cases[i].opcode, 0,
                                         bytes, cases[i].len),
                       0);
      assert_int_equal(uvow__buf_front(&out)[0], cases[i].first);
      uvow__buf_done(&out);
      finish(&end);
    }
  }
}

TEST_CASE(what_had_no_room_is_forgotten) {
  uint8_t bytes[400];
  end_t ends[2];
  uvow__buf_t out;
  deflate_noise(bytes, sizeof(bytes), 1);
  begin(&ends[0], 0, 0);
  begin(&ends[1], 1, 0);
  uvow__buf_init(&out, &uvow__mem_default, 300);
  for (int i = 0; i < 3; i++)
    assert_int_equal(
        uvow__framer_send(&ends[0].framer, &out, 2, 0, bytes, sizeof(bytes)),
        UVOW_EOVERLOAD);
  assert_int_equal(uvow__buf_size(&out), 0);
  out.max = 1000;
  assert_int_equal(
      uvow__framer_send(&ends[0].framer, &out, 2, 0, bytes, sizeof(bytes)), 0);
  assert_true(uvow__buf_size(&out) > sizeof(bytes));
  assert_int_equal(uvow__framer_feed(&ends[1].framer, uvow__buf_front(&out),
                                     uvow__buf_size(&out)),
                   0);
  assert_string_equal(ends[1].text, "2: ");
  uvow__buf_done(&out);
  finish(&ends[0]);
  finish(&ends[1]);
}

/* The limit is of what comes out: frames may be longer, or much shorter. */
TEST_CASE(the_limit_is_of_the_inflated_message) {
  static uint8_t bytes[100001];
  static const char stored[] = "\xc2\x0b\x00\x05\x00\xfa\xffHello\x00";
  end_t sender;
  begin(&sender, 1, 0);
  for (size_t more = 0; more < 2; more++) {
    end_t end;
    uvow__buf_t out;
    begin(&end, 0, 100000);
    uvow__buf_init(&out, &uvow__mem_default, 100000);
    assert_int_equal(
        uvow__framer_send(&sender.framer, &out, 2, 0, bytes, 100000 + more), 0);
    assert_true(uvow__buf_size(&out) < 200);
    assert_int_equal(uvow__framer_feed(&end.framer, uvow__buf_front(&out),
                                       uvow__buf_size(&out)),
                     more ? UVOW_ETOOBIG : 0);
    assert_string_equal(end.text, more ? "" : "2: ");
    assert_true(end.framer.message.parts.cap <= 131072);
    assert_int_equal(uvow__framer_close_code(UVOW_ETOOBIG), 1009);
    uvow__buf_done(&out);
    finish(&end);
    begin(&end, 0, 5 - more);
    assert_int_equal(feed_cut(&end, stored, 13, 0, 1), more ? UVOW_ETOOBIG : 0);
    finish(&end);
    /* Uncompressed, and in fragments, it is as ever. */
    begin(&end, 0, 5 - more);
    assert_int_equal(feed_cut(&end, "\x01\x02he\x80\x03llo", 9, 0, 0),
                     more ? UVOW_ETOOBIG : 0);
    finish(&end);
    uvow__deflate_reset(&sender.deflate);
  }
  finish(&sender);
}

/* Stored fragments of a message, and then one too many. */
TEST_CASE(the_limit_counts_fragments) {
  end_t end;
  begin(&end, 0, 7);
  assert_int_equal(feed_cut(&end, "\x42\x00", 2, 0, 0), 0);
  for (int i = 0; i < 4; i++)
    assert_int_equal(feed_cut(&end, "\x00\x07\x00\x02\x00\xfd\xffxx", 9, 0, 0),
                     i < 3 ? 0 : UVOW_ETOOBIG);
  assert_int_equal(uvow__buf_size(&end.framer.message.parts), 7);
  finish(&end);
}

static void no_memory(test_alloc_t *alloc, void *data) {
  static uint8_t bytes[20000];
  end_t ends[2];
  uvow__buf_t out;
  (void)data;
  deflate_prose(bytes, sizeof(bytes), 1);
  begin_with(&ends[0], &alloc->allocator, 0, 0, 1);
  begin_with(&ends[1], &alloc->allocator, 1, 0, 1);
  uvow__buf_init(&out, &alloc->allocator, 100000);
  int rc = uvow__framer_send(&ends[0].framer, &out, 2, 0, bytes, sizeof(bytes));
  if (rc)
    assert_int_equal(uvow__buf_size(&out), 0);
  else
    rc = uvow__framer_feed(&ends[1].framer, uvow__buf_front(&out),
                           uvow__buf_size(&out));
  assert_int_equal(rc, alloc->failed ? UVOW_ENOMEM : 0);
  assert_string_equal(ends[1].text, rc ? "" : "2: ");
  uvow__buf_done(&out);
  finish(&ends[0]);
  finish(&ends[1]);
}

TEST_CASE(survives_every_failing_allocation) {
  test_alloc_sweep(no_memory, NULL);
}

TEST_MODULE(framer_deflate) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(takes_compressed_frames_however_they_are_cut),
      cmocka_unit_test(sends_pieces_as_one),
      cmocka_unit_test(sends_what_the_peer_reads),
      cmocka_unit_test(sends_uncompressed_what_is_short_or_control),
      cmocka_unit_test(what_had_no_room_is_forgotten),
      cmocka_unit_test(the_limit_is_of_the_inflated_message),
      cmocka_unit_test(the_limit_counts_fragments),
      cmocka_unit_test(survives_every_failing_allocation),
  };
  return cmocka_run_group_tests_name("wire/framer_deflate", tests, NULL, NULL);
}
