/* 16 bytes at once, without what a processor may have. */
#define UVOW_NO_SIMD

#include "lanes_cases.h"

TEST_MODULE(lanes_plain) {
  const struct CMUnitTest tests[] = {LANES_CASES};
  return cmocka_run_group_tests_name("wire/lanes_plain", tests, NULL, NULL);
}
