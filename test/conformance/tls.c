/*
 * The rules of RFC 6455 over TLS: records that hold a piece of a frame or many
 * frames, and what is a violation there as much as elsewhere.
 */
#include "support/bed.h"

TEST_CASE(test_order) {
  static const bed_case_t cases[] = {
      BED_OK("two messages", "81'a' 82<00ff>", "81'a' 82<00ff>"),
      BED_OK("a ping within a message", "01'a' 89'p' 80'b'", "8a'p' 81'ab'"),
      BED_OK("no payload", "81 89", "81 8a"),
      BED_OK("text cut within a character", "01<e282> 80<ac>", "81<e282ac>"),
  };
  BED_RUN_TLS(cases);
}

/* Longer than a record, which is 16384 bytes at most. */
TEST_CASE(test_long_messages) {
  static const bed_case_t cases[] = {
      BED_OK("a record and a bit", "82*16385", "82*16385"),
      BED_OK("many records", "82*1048576", "82*1048576"),
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
    for (int is_client = 0; is_client < 2; is_client++)
      bed_run_one_tls(&cases[i], is_client, 9, 40000);
}

TEST_CASE(test_violations) {
  static const bed_case_t cases[] = {
      BED_BAD("the mask bit is the other role's", "81'a' 81!'b'", "81'a'"),
      BED_BAD("RSV1 without deflate", "81'a' c1'b'", "81'a'"),
      BED_BAD("RSV1 on a control frame", "c9'p'", ""),
      BED_BAD("an opcode that isn't there", "83'a'", ""),
      BED_BAD("a continuation of nothing", "80'a'", ""),
      BED_BAD("a fragmented ping", "09'p'", ""),
      BED_BAD("a length in too many bytes", "81/16'a'", ""),
      BED_BAD("a close frame of one byte", "88<03>", ""),
      BED_BAD("a close code that may not be sent", "88<03ed>", ""),
  };
  BED_RUN_TLS(cases);
}

TEST_CASE(test_utf8) {
  static const bed_case_t cases[] = {
      BED_BAD_TEXT("a byte of no character", "81'a' 81'b'<ff>", "81'a'"),
      BED_BAD_TEXT("a surrogate", "81<eda080>", ""),
      BED_BAD_TEXT("the end within a character", "81<e282>", ""),
      BED_BAD_TEXT("at once, the message isn't over", "01'a'<c0> 00+9'b'", ""),
      BED_BAD_TEXT("in a close frame", "88<03e8ff>", ""),
  };
  BED_RUN_TLS(cases);
}

TEST_MODULE(tls) {
  const struct CMUnitTest tests[] = {
      {"messages come back as they were sent", test_order, NULL, NULL, NULL},
      {"messages of many records", test_long_messages, NULL, NULL, NULL},
      {"a violation is closed with 1002", test_violations, NULL, NULL, NULL},
      {"text that isn't UTF-8 is closed with 1007", test_utf8, NULL, NULL,
       NULL},
  };
  return cmocka_run_group_tests_name("conformance/tls", tests, tls_setup,
                                     tls_teardown);
}
