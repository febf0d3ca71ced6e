/*
 * RFC 6455 5.1 to 5.5, as the groups 1 to 5 of Autobahn's suite: frames of
 * every length, pings and pongs, reserved bits, opcodes, fragments.
 */
#include "support/bed.h"

#include <stdio.h>

#define TEXT_1 "81'one'"
#define SKIP                                                                   \
  " 81'later'" /* what stands behind a violation is not looked at              \
                */

/* 1: lengths, each form of them; 9.1, 9.2 are in limits.c. */
static const bed_case_t lengths[] = {
    BED_OK("1.1.1 empty text", "81", "81"),
    BED_OK("1.1.2 text of 125", "81*125", "81*125"),
    BED_OK("1.1.3 text of 126", "81*126", "81*126"),
    BED_OK("1.1.4 text of 127", "81*127", "81*127"),
    BED_OK("1.1.5 text of 128", "81*128", "81*128"),
    BED_OK("1.2.1 empty binary", "82", "82"),
    BED_OK("1.2.2 binary of 125", "82*125", "82*125"),
    BED_OK("1.2.3 binary of 126", "82*126", "82*126"),
    BED_OK("1.2.4 binary of 127", "82*127", "82*127"),
    BED_OK("1.2.5 binary that is no text", "82<00ff80c3>", "82<00ff80c3>"),
    BED_OK("text with a NUL", "81'a'<00>'b'", "81<610062>"),
    BED_BAD("5 bytes in 16 bits", "81/16'Hello'" SKIP, ""),
    BED_BAD("125 bytes in 16 bits", TEXT_1 " 82/16*125" SKIP, "81'one'"),
    BED_BAD("none in 16 bits", "81/16", ""),
    BED_BAD("126 bytes in 64 bits", "82/64*126" SKIP, ""),
    BED_BAD("65535 bytes in 64 bits", "82/64+65535", ""),
    BED_BAD("none in 64 bits", "81/64", ""),
    BED_BAD("the highest bit of a length", "81/64+9223372036854775808", ""),
    BED_BAD("a length of 2^64-1", "82/64+18446744073709551615", ""),
    BED_BAD("the mask bit is the other role's", "81!'Hello'", ""),
    BED_BAD("and for an empty frame", "81!", ""),
    BED_BAD("and for a ping", TEXT_1 " 89!'a'", "81'one'"),
    BED_BAD("and for a close frame", "88!<03e8>", ""),
    BED_BAD("and within a message", "01'a' 80!'b'", ""),
};

/* 65535 and 65536: where the form changes. */
static const bed_case_t long_frames[] = {
    BED_OK("1.1.6 text of 65535", "81*65535", "81*65535"),
    BED_OK("1.1.7 text of 65536", "81*65536", "81*65536"),
    BED_OK("1.2.6 binary of 65535", "82*65535", "82*65535"),
    BED_OK("1.2.7 binary of 65536", "82*65536", "82*65536"),
    BED_OK("two of them", "82*65536 81*65535", "82*65536 81*65535"),
};

static const bed_case_t pings[] = {
    BED_OK("2.1 a ping", "89", "8a"),
    BED_OK("2.2 a ping with a payload", "89'Hello'", "8a'Hello'"),
    BED_OK("2.3 a ping of bytes", "89<00fffefdfcfb00ff>",
           "8a<00fffefdfcfb00ff>"),
    BED_OK("2.4 a ping of 125", "89*125", "8a*125"),
    BED_BAD("2.5 a ping of 126", "89*126" SKIP, ""),
    BED_BAD("a ping of 126, of which nothing came yet", "89+126", ""),
    BED_BAD("a ping with 64 bits of length", "89/64'a'", ""),
    BED_BAD("a ping with 16 bits of length", "89/16'a'", ""),
    BED_OK("2.7 a pong that nobody asked for", "8a", ""),
    BED_OK("2.8 and with a payload", "8a'unsolicited'", ""),
    BED_OK("2.9 a pong, then a ping", "8a'no' 89'yes'", "8a'yes'"),
    BED_OK("2.10 ten pings in order",
           "89'0' 89'1' 89'2' 89'3' 89'4' 89'5' 89'6' 89'7' 89'8' 89'9'",
           "8a'0' 8a'1' 8a'2' 8a'3' 8a'4' 8a'5' 8a'6' 8a'7' 8a'8' 8a'9'"),
    BED_OK("pings between messages", "81'a' 89'b' 82'c' 89'd'",
           "81'a' 8a'b' 82'c' 8a'd'"),
    BED_BAD("a ping in fragments", "09'a' 80'b'", ""),
    BED_BAD("a pong of 126", "8a*126", ""),
    BED_BAD("a pong in fragments", "0a", ""),
};

static const bed_case_t reserved_bits[] = {
    BED_BAD("3.1 RSV3", "91'a'" SKIP, ""),
    BED_BAD("3.2 RSV2 behind a message", TEXT_1 " a1'a'" SKIP, "81'one'"),
    BED_BAD("3.3 RSV2 and 3, and a ping", TEXT_1 " b1'a' 89", "81'one'"),
    BED_BAD("3.4 RSV1, and no extension", TEXT_1 " c1'a' 89", "81'one'"),
    BED_BAD("3.5 RSV1 and 3 on binary", "d2<00>", ""),
    BED_BAD("3.6 RSV1 and 2 on a ping", "e9", ""),
    BED_BAD("3.7 all on a close frame", "f8<03e8>", ""),
    BED_BAD("RSV1 on a pong", "ca", ""),
    BED_BAD("RSV1 on a continuation", "01'a' c0'b'", ""),
    BED_BAD("RSV2 on a continuation", "01'a' a0'b'", ""),
    BED_BAD("RSV3 on a ping within a message", "01'a' 99", ""),
    BED_BAD("RSV1 on a long frame that didn't come", "c2+1000000", ""),
    BED_BAD("and the first byte is enough", "=<a1>", ""),
};

static const bed_case_t opcodes[] = {
    BED_BAD("4.1.1 opcode 3", "83" SKIP, ""),
    BED_BAD("4.1.2 opcode 4", "84'reserved'" SKIP, ""),
    BED_BAD("4.1.3 opcode 5", TEXT_1 " 85 89", "81'one'"),
    BED_BAD("4.1.4 opcode 6", TEXT_1 " 86'a' 89", "81'one'"),
    BED_BAD("4.1.5 opcode 7", TEXT_1 " 87'a' 89", "81'one'"),
    BED_BAD("4.2.1 opcode 11", "8b" SKIP, ""),
    BED_BAD("4.2.2 opcode 12", "8c'reserved'" SKIP, ""),
    BED_BAD("4.2.3 opcode 13", TEXT_1 " 8d 89", "81'one'"),
    BED_BAD("4.2.4 opcode 14", TEXT_1 " 8e'a' 89", "81'one'"),
    BED_BAD("4.2.5 opcode 15", TEXT_1 " 8f'a' 89", "81'one'"),
    BED_BAD("opcode 3 in fragments", "03'a'", ""),
    BED_BAD("opcode 11 in fragments", "0b", ""),
    BED_BAD("opcode 7 within a message", "01'a' 87", ""),
    BED_BAD("and the first byte is enough", "=<83>", ""),
};

static const bed_case_t fragments[] = {
    BED_BAD("5.1 a ping in two", "09'frag' 80'ment'", ""),
    BED_BAD("5.2 a pong in two", "0a'frag' 80'ment'", ""),
    BED_OK("5.3 text in two", "01'frag' 80'ment'", "81'fragment'"),
    BED_OK("binary in two", "02<00> 80<ff>", "82<00ff>"),
    BED_OK("5.6 with a ping between", "01'frag' 89'p' 80'ment'",
           "8a'p' 81'fragment'"),
    BED_OK("with a pong between", "01'frag' 8a'p' 80'ment'", "81'fragment'"),
    BED_OK("in four, with pings", "01'a' 89'1' 00'b' 89'2' 00'c' 89'3' 80'd'",
           "8a'1' 8a'2' 8a'3' 81'abcd'"),
    BED_OK("empty fragments", "01 00 00 80", "81"),
    BED_OK("a message between empty fragments", "01 00'a' 00 80", "81'a'"),
    BED_OK("empty ends", "02'a' 00'b' 80", "82'ab'"),
    BED_BAD("5.9 nothing to continue", "80'a'" SKIP, ""),
    BED_BAD("5.10 and not the last of it", "00'a' 80'b'", ""),
    BED_BAD("5.12 behind a whole message", TEXT_1 " 00'a'", "81'one'"),
    BED_BAD("behind a fragmented one", "01'a' 80'b' 80'c'", "81'ab'"),
    BED_BAD("5.15 text, then a continuation of none",
            "01'frag' 80'ment' 00'a' 81'b'", "81'fragment'"),
    BED_BAD("5.16 a continuation of none, then text", "00'a' 01'b'", ""),
    BED_BAD("5.18 two texts at once", "01'a' 81'b'", ""),
    BED_BAD("two begin", "01'a' 01'b'", ""),
    BED_BAD("binary within text", "01'a' 82'b'", ""),
    BED_OK("5.19 pings and five fragments",
           "01'f1' 00'f2' 89'p1' 00'f3' 00'f4' 89'p2' 80'f5'",
           "8a'p1' 8a'p2' 81'f1f2f3f4f5'"),
    BED_OK("two messages in fragments", "01'a' 80'b' 02'c' 80'd'",
           "81'ab' 82'cd'"),
    BED_OK("a fragment of 16 bits, and one of 7", "01*126 80*3", "81*129"),
};

#define TABLE(name)                                                            \
  TEST_CASE(test_##name) {                                                     \
    BED_RUN(name);                                                             \
  }

TABLE(lengths)
TABLE(pings)
TABLE(reserved_bits)
TABLE(opcodes)
TABLE(fragments)

TEST_CASE(test_long_frames) {
  for (size_t i = 0; i < sizeof(long_frames) / sizeof(*long_frames); i++)
    for (int is_client = 0; is_client < 2; is_client++)
      for (unsigned cut = 0; cut < 4; cut += 2)
        bed_run_one(&long_frames[i], is_client, cut, 997);
}

/* Every first byte there is: what isn't allowed is refused by itself. */
TEST_CASE(test_every_first_byte) {
  for (unsigned first = 0; first < 256; first++) {
    char send[32];
    unsigned opcode = first & 0x0F;
    int good = (first & 0x70) == 0 &&
               (opcode == 1 || opcode == 2 || (first & 0x80 && opcode > 7)) &&
               opcode < 11;
    bed_case_t bad = BED_BAD("a first byte", "", "");
    if (good)
      continue;
    (void)snprintf(send, sizeof(send), "=<%02x>", first);
    bad.send = send;
    for (int is_client = 0; is_client < 2; is_client++)
      bed_run_one(&bad, is_client, 0, 0);
  }
}

TEST_MODULE(framing) {
  const struct CMUnitTest tests[] = {
      {"frames have every length, in its shortest form", test_lengths, NULL,
       NULL, NULL},
      {"frames with long lengths come cut", test_long_frames, NULL, NULL, NULL},
      {"pings are answered, pongs are heard", test_pings, NULL, NULL, NULL},
      {"reserved bits are refused", test_reserved_bits, NULL, NULL, NULL},
      {"reserved opcodes are refused", test_opcodes, NULL, NULL, NULL},
      {"fragments make a message", test_fragments, NULL, NULL, NULL},
      {"a first byte is judged by itself", test_every_first_byte, NULL, NULL,
       NULL},
  };
  return cmocka_run_group_tests_name("conformance/framing", tests, NULL, NULL);
}
