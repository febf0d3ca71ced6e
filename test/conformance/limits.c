/*
 * Sizes, as group 9 of Autobahn's suite: messages to 16 MiB, whole and in
 * fragments of every size, cut as networks cut; many small ones; and what is
 * over the limit, which is refused (1009) before it is there.
 */
#include "support/bed.h"

#include <stdio.h>

#define MIB ((size_t)1024 * 1024)

/* The frames of a message that has this size, in fragments of so much. */
static void put_message(peer_t *peer, unsigned opcode, const uint8_t *bytes,
                        size_t size, size_t fragment) {
  size_t at = 0;
  do {
    size_t len = size - at < fragment ? size - at : fragment;
    unsigned fin = at + len == size ? 0x80 : 0;
    peer_put_frame(peer, fin | (at ? 0 : opcode), bytes + at, len);
    at += len;
  } while (at < size);
}

static uint8_t *make_text(size_t size) {
  uint8_t *bytes = (uint8_t *)malloc(size + 1);
  assert_non_null(bytes);
  for (size_t i = 0; i < size; i++)
    bytes[i] = (uint8_t)("future promise fulfill reject "[i % 30]);
  return bytes;
}

static void run_size(size_t size, unsigned opcode, size_t fragment,
                     size_t piece) {
  char expect[256];
  uint8_t *bytes = make_text(size);
  for (int is_client = 0; is_client < 2; is_client++) {
    bed_t bed;
    bed_init(&bed, is_client);
    bed_open(&bed);
    put_message(&bed.peer, opcode, bytes, size, fragment);
    peer_put(&bed.peer, "88<03e8>");
    bed_play(&bed, piece ? 77 : 0, piece);
    char *came = peer_text(&bed.peer);
    size_t at =
        peer_describe(expect, 0, sizeof(expect), 0x80 | opcode, bytes, size);
    (void)snprintf(expect + at, sizeof(expect) - at, " 88<03e8>");
    assert_string_equal(came, expect);
    assert_int_equal(bed.code, UVOW_ECLOSED);
    free(came);
    bed_done(&bed);
  }
  free(bytes);
}

/* 9.1, 9.2. */
TEST_CASE(test_sizes) {
  static const size_t sizes[] = {64 * 1024, 256 * 1024, MIB,
                                 4 * MIB,   8 * MIB,    16 * MIB};
  for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
    for (unsigned opcode = 1; opcode <= 2; opcode++)
      run_size(sizes[i], opcode, SIZE_MAX, 0);
}

/* 9.3, 9.4. */
TEST_CASE(test_fragments) {
  static const size_t fragments[] = {
      64, 256, 1024, 4096, 16 * 1024, 64 * 1024, 256 * 1024, MIB, 4 * MIB};
  for (size_t i = 0; i < sizeof(fragments) / sizeof(*fragments); i++)
    for (unsigned opcode = 1; opcode <= 2; opcode++)
      run_size(fragments[i] < 1024 ? MIB / 2 : 4 * MIB, opcode, fragments[i],
               0);
  run_size(16 * MIB, 1, 16 * MIB - 1, 0);
}

/* 9.5, 9.6. */
TEST_CASE(test_pieces) {
  static const size_t pieces[] = {64, 128, 256, 512, 1024, 2048, 65536};
  for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++)
    for (unsigned opcode = 1; opcode <= 2; opcode++)
      run_size(pieces[i] < 1024 ? MIB / 16 : MIB, opcode, SIZE_MAX, pieces[i]);
}

/* 9.7, 9.8. */
TEST_CASE(test_many) {
  static const size_t sizes[] = {0, 16, 64, 256, 1024, 4096, 16 * 1024};
  for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
    for (int is_client = 0; is_client < 2; is_client++) {
      bed_t bed;
      uint8_t *bytes = make_text(sizes[i]);
      bed_init(&bed, is_client);
      bed_open(&bed);
      for (int n = 0; n < 1000; n++) {
        if (sizes[i] >= 2)
          bytes[0] = (uint8_t)('A' + n % 26);
        peer_put_frame(&bed.peer, 0x81u + (unsigned)n % 2, bytes, sizes[i]);
      }
      peer_put(&bed.peer, "88<03e8>");
      bed_play(&bed, 5, 100000);
      assert_int_equal(bed.messages, 1000);
      assert_int_equal(bed.peer.frame_count, 1001);
      for (size_t n = 0; n < 1000; n++) {
        const peer_frame_t *frame = &bed.peer.frames[n];
        if (sizes[i] >= 2)
          bytes[0] = (uint8_t)('A' + n % 26);
        assert_int_equal(frame->first, 0x81 + n % 2);
        assert_int_equal(frame->len, sizes[i]);
        assert_memory_equal(bed.peer.in + frame->off, bytes, sizes[i]);
      }
      free(bytes);
      bed_done(&bed);
    }
}

#define TOO_BIG(name, send, expect)                                            \
  { name, send, expect "88<03f1>", UVOW_ETOOBIG, 1009 }

/* With a limit of 16 MiB, and little sent. */
TEST_CASE(test_over_the_limit) {
  static const bed_case_t cases[] = {
      TOO_BIG("a byte more than 16 MiB", "81+16777217", ""),
      TOO_BIG("and for binary", "82+16777217", ""),
      TOO_BIG("the most that there is", "82+9223372036854775807", ""),
      TOO_BIG("a fragment that would fit, behind others",
              "01*1048576 00+15728641", ""),
      TOO_BIG("an endless message", "01 00*8388608 00*8388608 00*1", ""),
      TOO_BIG("behind a good one", "81'ok' 82+99999999", "81'ok' "),
  };
  static const bed_case_t fits = {"16 MiB in two and an empty one",
                                  "02*8388608 00*8388608 80 88<03e8>",
                                  "82*16777216 88<03e8>", UVOW_ECLOSED, 1000};
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    for (int is_client = 0; is_client < 2; is_client++)
      bed_run_one(&cases[i], is_client, 0, 0);
  for (int is_client = 0; is_client < 2; is_client++)
    bed_run_one(&fits, is_client, 0, 0);
}

TEST_MODULE(limits) {
  const struct CMUnitTest tests[] = {
      {"messages have every size to 16 MiB", test_sizes, NULL, NULL, NULL},
      {"fragments have every size", test_fragments, NULL, NULL, NULL},
      {"messages come in small pieces", test_pieces, NULL, NULL, NULL},
      {"a thousand messages come back in order", test_many, NULL, NULL, NULL},
      {"a message over the limit is refused at once", test_over_the_limit, NULL,
       NULL, NULL},
  };
  return cmocka_run_group_tests_name("conformance/limits", tests, NULL, NULL);
}
