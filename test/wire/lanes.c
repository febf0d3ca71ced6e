/* 16 bytes at once, as this processor has them. */
#include "lanes_cases.h"

TEST_MODULE(lanes) {
  const struct CMUnitTest tests[] = {LANES_CASES};
  return cmocka_run_group_tests_name("wire/lanes", tests, NULL, NULL);
}
