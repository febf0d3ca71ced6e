/*
 * Compressed messages that grow (RFC 7692 8): each is closed with 1009 at the
 * first byte over the limit, and meanwhile an end holds little more than the
 * limit, counted in the bytes of its allocator.
 */
#include "support/bed.h"

#include <stdio.h>

#include <zlib.h>

#define KIB ((size_t)1024)
#define MIB (KIB * 1024)
#define LIMIT MIB /* of a message */
/* What it may hold besides the message: a window of 32 KiB to inflate with, one
 * read's bytes, and those that wait for the next turn; see the figures in
 * include/uvow/deflate.h. */
#define REST (128 * KIB)

typedef struct bytes {
  uint8_t *at;
  size_t len;
} bytes_t;

/* Megabytes of 'x', in about a KiB each: every one is compressed for itself, so
 * they are all the same. */
static bytes_t make_bomb(size_t megabytes) {
  uint8_t piece[4096];
  uint8_t *plain = (uint8_t *)malloc(MIB);
  z_stream z = {0};
  bytes_t bomb;
  assert_non_null(plain);
  memset(plain, 'x', MIB);
  assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY),
                   Z_OK);
  z.next_in = plain;
  z.avail_in = (uInt)MIB;
  z.next_out = piece;
  z.avail_out = sizeof(piece);
  assert_int_equal(deflate(&z, Z_FULL_FLUSH), Z_OK);
  size_t size = sizeof(piece) - z.avail_out;
  deflateEnd(&z);
  free(plain);
  bomb.len = size * megabytes;
  bomb.at = (uint8_t *)malloc(bomb.len);
  assert_non_null(bomb.at);
  for (size_t i = 0; i < megabytes; i++)
    memcpy(bomb.at + i * size, piece, size);
  bomb.len -= 4; /* 7.2.1: not the end of the last block */
  return bomb;
}

static void open_bed(bed_t *bed, int is_client) {
  uvow_deflate_options_t options = {0};
  options.size = sizeof(options);
  bed_init_sized(bed, is_client);
  bed->config.max_message = LIMIT;
  bed->quiet = 1;
  bed->peer.extensions = "permessage-deflate";
  assert_int_equal(
      uvow__deflate_configure(&bed->config.deflate, &options, !is_client), 0);
  bed_open(bed);
  bed->alloc.peak = bed->alloc.bytes;
}

/* Plays what the peer has, and returns how much more than before was held at
 * most. */
static size_t play(bed_t *bed, unsigned cut, size_t piece) {
  size_t before = bed->alloc.bytes;
  bed_play(bed, cut, piece);
  print_message("# a %s held %zu bytes more\n",
                bed->is_client ? "client" : "server", bed->alloc.peak - before);
  return bed->alloc.peak - before;
}

static void expect_refused(bed_t *bed) {
  char *came = peer_text(&bed->peer);
  assert_string_equal(came, "88<03f1>");
  assert_int_equal(bed->code, UVOW_ETOOBIG);
  assert_int_equal(bed->status, 1009);
  assert_int_equal(bed->messages, 0);
  free(came);
  bed_done(bed);
}

/* In fragments; unfinished: the last is not marked as such. */
static void put_fragments(bed_t *bed, unsigned opcode, bytes_t bytes,
                          size_t size, int unfinished) {
  for (size_t at = 0; at < bytes.len; at += size) {
    size_t n = bytes.len - at < size ? bytes.len - at : size;
    unsigned fin = at + n == bytes.len && !unfinished ? 0x80 : 0;
    peer_put_frame(&bed->peer, fin | (at ? 0 : 0x40 | opcode), bytes.at + at,
                   n);
  }
}

TEST_CASE(test_gigabyte) {
  bytes_t bomb = make_bomb(1024);
  assert_true(bomb.len < 2 * MIB);
  for (int is_client = 0; is_client < 2; is_client++)
    for (unsigned opcode = 1; opcode <= 2; opcode++) {
      bed_t bed;
      open_bed(&bed, is_client);
      peer_put_frame(&bed.peer, 0xC0 | opcode, bomb.at, bomb.len);
      assert_true(play(&bed, 0, 0) <= LIMIT + REST);
      expect_refused(&bed);
    }
  free(bomb.at);
}

TEST_CASE(test_fragments) {
  static const size_t sizes[] = {1, 100, 5000};
  bytes_t bomb = make_bomb(8);
  for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
    for (int is_client = 0; is_client < 2; is_client++)
      for (int unfinished = 0; unfinished < 2; unfinished++) {
        bed_t bed;
        open_bed(&bed, is_client);
        put_fragments(&bed, 1 + i % 2, bomb, sizes[i], unfinished);
        assert_true(play(&bed, 9, 3000) <= LIMIT + REST);
        expect_refused(&bed);
      }
  free(bomb.at);
}

/* The frame isn't over: it announces a byte that doesn't come. */
TEST_CASE(test_unfinished_frame) {
  bytes_t bomb = make_bomb(4);
  for (int is_client = 0; is_client < 2; is_client++) {
    bed_t bed;
    open_bed(&bed, is_client);
    peer_put_frame(&bed.peer, 0xC2, bomb.at, bomb.len);
    bed.peer.out_len--;
    assert_true(play(&bed, 0, 0) <= LIMIT + REST);
    expect_refused(&bed);
  }
  free(bomb.at);
}

/* One message after the other that just fits: none is kept, but for the blocks
 * that it grew through, which the loop keeps for the next. */
TEST_CASE(test_row) {
  enum { COUNT = 50 };
  bytes_t bomb = make_bomb(1);
  for (int is_client = 0; is_client < 2; is_client++) {
    bed_t bed;
    open_bed(&bed, is_client);
    for (int i = 0; i < COUNT; i++)
      peer_put_frame(&bed.peer, 0xC1, bomb.at, bomb.len);
    peer_put(&bed.peer, "88<03e8>");
    assert_true(play(&bed, 0, 0) <= 3 * LIMIT);
    assert_int_equal(bed.messages, COUNT);
    assert_int_equal(bed.code, UVOW_ECLOSED);
    bed_done(&bed);
  }
  free(bomb.at);
}

/* Blocks that hold nothing, 5 bytes each or 10 bits, in one message: none of
 * it is kept, and the message is there at its end. */
TEST_CASE(test_empty_blocks) {
  static const uint8_t stored[] = {0, 0, 0, 0xFF, 0xFF};
  /* 4 fixed blocks: each a 0, 01 and the end's 7 zeroes, from the lowest bit.
   */
  static const uint8_t fixed[] = {0x02, 0x08, 0x20, 0x80, 0x00};
  static const uint8_t hello[] = {0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00};
  static const uint8_t *const blocks[] = {stored, fixed};
  enum { COUNT = 100000 };
  bytes_t message = {(uint8_t *)malloc(COUNT * 5 + sizeof(hello)),
                     COUNT * 5 + sizeof(hello)};
  assert_non_null(message.at);
  for (int kind = 0; kind < 4; kind++)
    for (int is_client = 0; is_client < 2; is_client++) {
      bed_t bed;
      for (size_t i = 0; i < COUNT; i++)
        memcpy(message.at + i * 5, blocks[kind % 2], 5);
      memcpy(message.at + COUNT * 5, hello, sizeof(hello));
      open_bed(&bed, is_client);
      bed.quiet = 0;
      put_fragments(&bed, 1, message, kind < 2 ? SIZE_MAX / 2 : 50, 0);
      peer_put(&bed.peer, "88<03e8>");
      assert_true(play(&bed, 9, 9000) <= REST);
      char *came = peer_text(&bed.peer);
      assert_string_equal(came, "81'Hello' 88<03e8>");
      free(came);
      bed_done(&bed);
    }
  free(message.at);
}

/* Frames that hold nothing, in a message that doesn't end. */
TEST_CASE(test_empty_fragments) {
  enum { COUNT = 20000 };
  for (int is_client = 0; is_client < 2; is_client++) {
    bed_t bed;
    open_bed(&bed, is_client);
    peer_put_frame(&bed.peer, 0x41, "", 0);
    for (int i = 0; i < COUNT; i++)
      peer_put_frame(&bed.peer, 0, "", 0);
    peer_put(&bed.peer, "88<03e8>");
    assert_true(play(&bed, 9, 9000) <= REST);
    assert_int_equal(bed.messages, 0);
    assert_int_equal(bed.code, UVOW_ECLOSED);
    bed_done(&bed);
  }
}

TEST_MODULE(bomb) {
  const struct CMUnitTest tests[] = {
      {"a gigabyte in a megabyte", test_gigabyte, NULL, NULL, NULL},
      {"in many fragments, finished or not", test_fragments, NULL, NULL, NULL},
      {"in a frame that isn't over", test_unfinished_frame, NULL, NULL, NULL},
      {"messages in a row that just fit", test_row, NULL, NULL, NULL},
      {"blocks of nothing", test_empty_blocks, NULL, NULL, NULL},
      {"fragments of nothing", test_empty_fragments, NULL, NULL, NULL},
  };
  return cmocka_run_group_tests_name("conformance/bomb", tests, NULL, NULL);
}
