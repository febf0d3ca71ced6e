/*
 * RFC 6455 5.5.1 and 7, as group 7 of Autobahn's suite: who may say what in a
 * close frame, what is sent back, and that nothing behind it counts.
 */
#include "support/bed.h"

#include <stdio.h>

static const bed_case_t orders[] = {
    BED_OK("7.1.1 text, then close", "81'Hello'", "81'Hello'"),
    {"7.1.2 two close frames", "88<03e8> 88<03e9>", "88<03e8>", UVOW_ECLOSED,
     1000},
    {"7.1.3 a ping behind it", "88<03e8> 89'p'", "88<03e8>", UVOW_ECLOSED,
     1000},
    {"7.1.4 text behind it", "88<03e8> 81'late'", "88<03e8>", UVOW_ECLOSED,
     1000},
    {"7.1.5 within a message, and its rest behind",
     "01'frag' 88<03e8> 80'ment'", "88<03e8>", UVOW_ECLOSED, 1000},
    {"garbage behind it", "88<03e8> =<ffffffffffffffff>", "88<03e8>",
     UVOW_ECLOSED, 1000},
    {"pongs before it", "89'a' 89'b' 88<03e8>", "8a'a' 8a'b' 88<03e8>",
     UVOW_ECLOSED, 1000},
};

static const bed_case_t payloads[] = {
    {"7.3.1 empty", "88", "88", UVOW_ECLOSED, 1005},
    BED_BAD("7.3.2 one byte", "88<03>", ""),
    BED_BAD("one byte, that didn't come", "88+1", ""),
    {"7.3.3 a code", "88<03e8>", "88<03e8>", UVOW_ECLOSED, 1000},
    {"7.3.4 and a reason", "88<03e8>'Hello World!'", "88<03e8>", UVOW_ECLOSED,
     1000},
    {"7.3.5 a reason of 123 bytes", "88<03e8>*123", "88<03e8>", UVOW_ECLOSED,
     1000},
    BED_BAD("7.3.6 a reason of 124 bytes", "88<03e8>*124", ""),
    BED_BAD_TEXT("7.5.1 a reason that isn't UTF-8",
                 "88<03e8cebae1bdb9cf83cebcceb5eda080656469746564>", ""),
    BED_BAD_TEXT("a reason that ends within a character", "88<03e8c3>", ""),
    BED_BAD("a close frame in fragments", "08<03e8> 80", ""),
};

/* RFC 6455 7.4, and what IANA registered since. */
static int is_code(int code) {
  return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 &&
          code != 1006) ||
         (code >= 3000 && code <= 4999);
}

static void run_code(int code) {
  char send[64];
  char expect[64];
  bed_case_t good = {"7.7 a code", send, expect, UVOW_ECLOSED, code};
  bed_case_t bad = BED_BAD("7.9 no code", "", "");
  bed_case_t *one = is_code(code) ? &good : &bad;
  (void)snprintf(send, sizeof(send), "88<%04x>'why'", (unsigned)code);
  (void)snprintf(expect, sizeof(expect), "88<%04x>", (unsigned)code);
  one->send = send;
  for (int is_client = 0; is_client < 2; is_client++)
    bed_run_one(one, is_client, 0, 0);
}

TEST_CASE(test_orders) {
  BED_RUN(orders);
}

TEST_CASE(test_payloads) {
  static const bed_case_t behind = {"7.1.6 behind a long message",
                                    "81*262144 88<03e8> 89",
                                    "81*262144 88<03e8>", UVOW_ECLOSED, 1000};
  BED_RUN(payloads);
  for (int is_client = 0; is_client < 2; is_client++)
    for (unsigned cut = 0; cut < 4; cut += 3)
      bed_run_one(&behind, is_client, cut, 9970);
}

TEST_CASE(test_codes) {
  static const int others[] = {0,    1,    125,   126,   127,   500,  999,
                               1099, 1100, 1500,  2000,  2999,  3000, 3001,
                               3500, 3999, 4000,  4500,  4999,  5000, 5001,
                               6000, 9999, 32767, 32768, 65534, 65535};
  for (int code = 1000; code < 1032; code++)
    run_code(code);
  for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
    run_code(others[i]);
}

/* uvow begins: what it says, and that the peer's messages still count until
 * its close frame, but get no answer. */
TEST_CASE(test_own_close) {
  static const struct {
    int code;
    const char *reason;
    const char *expect;
  } cases[] = {
      {1000, "", "88<03e8>"},
      {1001, "going away", "88<03e9>'going away'"},
      {3000, "\xc3\xbc", "88<0bb8><c3bc>"},
      {4999, "", "88<1387>"},
      {1005, "", "88"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    for (int is_client = 0; is_client < 2; is_client++) {
      bed_t bed;
      bed_init(&bed, is_client);
      bed_open(&bed);
      uvow__connection_close(bed.connection, cases[i].code, cases[i].reason);
      uvow__connection_close(bed.connection, 4000, "once is enough");
      while (!peer_got_close(&bed.peer))
        uv_run(&bed.uv, UV_RUN_ONCE);
      peer_put(&bed.peer, "89'no pong any more' 88<0bb9>'bye'");
      bed_play(&bed, 0, 0);
      char *came = peer_text(&bed.peer);
      assert_string_equal(came, cases[i].expect);
      assert_int_equal(bed.code, UVOW_ECLOSED);
      assert_int_equal(bed.status, 3001);
      free(came);
      bed_done(&bed);
    }
}

/* The peer goes without a close frame, or in the middle of one. */
TEST_CASE(test_no_close) {
  static const char *const before[] = {"",       "89",       "01'a'",   "=<81>",
                                       "81+200", "81+5'He'", "88+2<03>"};
  for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++)
    for (int is_client = 0; is_client < 2; is_client++) {
      bed_t bed;
      bed_init(&bed, is_client);
      bed_open(&bed);
      peer_put(&bed.peer, before[i]);
      peer_send(&bed.peer, 0, 0);
      peer_close(&bed.peer);
      while (!bed.ended)
        uv_run(&bed.uv, UV_RUN_ONCE);
      assert_int_equal(bed.code, UVOW_ELOST);
      assert_int_equal(bed.status, 1006); /* RFC 6455 7.1.5 */
      bed_done(&bed);
    }
}

TEST_MODULE(close) {
  const struct CMUnitTest tests[] = {
      {"nothing counts behind a close frame", test_orders, NULL, NULL, NULL},
      {"close frames say what they may", test_payloads, NULL, NULL, NULL},
      {"close codes are those that may be sent", test_codes, NULL, NULL, NULL},
      {"uvow's own close is said once", test_own_close, NULL, NULL, NULL},
      {"an end without a close frame is 1006", test_no_close, NULL, NULL, NULL},
  };
  return cmocka_run_group_tests_name("conformance/close", tests, NULL, NULL);
}
