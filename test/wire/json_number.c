/* Numbers, against the C library. */
#include "wire/json_number.h"

#include "support/support.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include <uvow/error.h>

#include "support/json_random.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static uvow__slice_t slice(const char *text) {
  uvow__slice_t s = {text, strlen(text)};
  return s;
}

TEST_CASE(integers) {
  static const struct {
    const char *text;
    int64_t number;
  } cases[] = {{"0", 0},
               {"-0", 0},
               {"0.0", 0},
               {"0e999999999999999999", 0},
               {"7", 7},
               {"-12", -12},
               {"1.0", 1},
               {"1e2", 100},
               {"1.5e1", 15},
               {"1.50e1", 15},
               {"100e-2", 1},
               {"0.001e3", 1},
               {"-0.25E+2", -25},
               {"10000000000000000000000000e-24", 10},
               {"1.00000000000000000000000000", 1},
               {"9223372036854775807", INT64_MAX},
               {"-9223372036854775808", INT64_MIN},
               {"9.223372036854775807e18", INT64_MAX},
               {"9007199254740993", INT64_C(9007199254740993)}};
  static const char *const none[] = {"0.5",
                                     "1e-1",
                                     "1.01",
                                     "9223372036854775808",
                                     "-9223372036854775809",
                                     "1e19",
                                     "1e999999999999999999",
                                     "12345678901234567890123",
                                     "1.00000000000000000000000001",
                                     "",
                                     "\"1\"",
                                     "true",
                                     "[1]",
                                     "-",
                                     "-a"};
  for (size_t i = 0; i < COUNT(cases); i++) {
    int64_t number = 42;
    assert_int_equal(uvow__json_to_i64(slice(cases[i].text), &number), 0);
    if (number != cases[i].number)
      fail_msg("%s", cases[i].text);
  }
  for (size_t i = 0; i < COUNT(none); i++) {
    int64_t number = 42;
    if (uvow__json_to_i64(slice(none[i]), &number) != UVOW_ETYPE)
      fail_msg("%s", none[i]);
    assert_true(number == 42);
  }
}

static uint64_t bits_of(double number) {
  uint64_t bits;
  memcpy(&bits, &number, sizeof(bits));
  return bits;
}

static void reads_as_strtod(const char *text) {
  double number = 42;
  double expected = strtod(text, NULL);
  int rc = uvow__json_to_double(slice(text), &number);
  if (isinf(expected))
    assert_int_equal(rc, UVOW_ETYPE);
  else if (rc || bits_of(number) != bits_of(expected))
    fail_msg("%s: %.17g, not %.17g", text, number, expected);
}

TEST_CASE(doubles) {
  static const char *const texts[] = {
      "0",
      "-0",
      "0.0",
      "-0.0e5",
      "1",
      "0.1",
      "-2.5",
      "3.14159",
      "1e22",
      "1e23",
      "123456789012345678",
      "9007199254740993",
      "1e-22",
      "1e-23",
      "5e-324",
      "4.9e-324",
      "2e-324",
      "1e-400",
      "2.2250738585072011e-308",
      "1.7976931348623157e308",
      "1.7976931348623159e308",
      "1e308",
      "1e309",
      "-1e309",
      "0.00000000000000000000000000001e29",
      "1e-999999999999999999",
      "1e999999999999999999",
      "0e999999999999999999",
      "8."
      "988465674311579538646525953945123668089884894711532863671504057886e307",
      "0.500000000000000166533453693773481063544750213623046875",
      "3.518437208883201171875e13",
      "62.5364939768271845828"};
  for (size_t i = 0; i < COUNT(texts); i++)
    reads_as_strtod(texts[i]);
  double number = 42;
  assert_int_equal(uvow__json_to_double(slice("\"1\""), &number), UVOW_ETYPE);
  assert_int_equal(uvow__json_to_double(slice(""), &number), UVOW_ETYPE);
  assert_true(number == 42);
}

/* Halfway between two doubles, and one digit far behind, on either side. */
TEST_CASE(every_digit_counts) {
  static char text[3000];
  for (size_t zeros = 0; zeros < 2000; zeros += 37) {
    int len = snprintf(text, sizeof(text), "9007199254740993.%0*d",
                       (int)zeros + 1, 0);
    reads_as_strtod(text);
    text[len] = '1';
    text[len + 1] = '\0';
    reads_as_strtod(text);
  }
  /* 770 digits and more: 1 + 2^-53, exactly, and next to it. */
  snprintf(text, sizeof(text), "%.60f", 1.0 + ldexp(1, -52));
  reads_as_strtod(text);
  for (size_t digits = 790; digits < 820; digits++) {
    memset(text, '3', digits);
    snprintf(text + digits, sizeof(text) - digits, "e-700");
    reads_as_strtod(text);
    memset(text, '0', 20);
    text[1] = '.';
    reads_as_strtod(text);
  }
}

TEST_CASE(random_texts) {
  uint32_t seed = 3;
  for (int round = 0; round < 20000; round++) {
    char text[80];
    size_t len = 0;
    if (json_roll(&seed, 2))
      text[len++] = '-';
    text[len++] = (char)('1' + json_roll(&seed, 9));
    for (unsigned i = json_roll(&seed, 20); i; i--)
      text[len++] = (char)('0' + json_roll(&seed, 10));
    if (json_roll(&seed, 2)) {
      text[len++] = '.';
      for (unsigned i = 1 + json_roll(&seed, 20); i; i--)
        text[len++] = (char)('0' + json_roll(&seed, 10));
    }
    text[len] = '\0';
    if (json_roll(&seed, 2))
      snprintf(text + len, sizeof(text) - len, "e%d",
               (int)json_roll(&seed, 700) - 350);
    reads_as_strtod(text);
  }
}

static const char *written(double number, char text[64]) {
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, 63);
  assert_int_equal(uvow__json_put_double(&out, number), 0);
  memcpy(text, uvow__buf_front(&out), uvow__buf_size(&out));
  text[uvow__buf_size(&out)] = '\0';
  uvow__buf_done(&out);
  return text;
}

TEST_CASE(writes_the_shortest) {
  static const struct {
    double number;
    const char *text;
  } cases[] = {{0, "0.0"},
               {-0.0, "-0.0"},
               {1, "1.0"},
               {-1.5, "-1.5"},
               {0.1, "0.1"},
               {0.3, "0.3"},
               {0.30000000000000004, "3.0000000000000004e-1"},
               {100, "100.0"},
               {1234.5678, "1234.5678"},
               {0.001, "0.001"},
               {1e-7, "1e-7"},
               {1e15, "1000000000000000.0"},
               {1e16, "1e16"},
               {1e22, "1e22"},
               {1.5e300, "1.5e300"},
               {-1e-300, "-1e-300"},
               {DBL_MAX, "1.7976931348623157e308"},
               {DBL_MIN, "2.2250738585072014e-308"},
               {5e-324, "5e-324"}};
  char text[64];
  for (size_t i = 0; i < COUNT(cases); i++)
    assert_string_equal(written(cases[i].number, text), cases[i].text);
}

/* Any bits: what is written is JSON's, a real, and read as the same. */
TEST_CASE(what_is_written_is_read) {
  uint32_t seed = 9;
  for (int round = 0; round < 20000; round++) {
    char text[64];
    double number;
    uint64_t bits = 0;
    for (int i = 0; i < 4; i++)
      bits = bits << 16 | json_roll(&seed, 65536);
    memcpy(&number, &bits, sizeof(number));
    if (round % 2)
      number = (double)(int64_t)(bits >> 40) / (1 + (double)(bits & 4095));
    if (!isfinite(number))
      continue;
    written(number, text);
    assert_true(strlen(text) <= 25);
    assert_true(bits_of(strtod(text, NULL)) == bits_of(number));
    reads_as_strtod(text);
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_true(json_is_real(json));
    assert_true(bits_of(json_real_value(json)) == bits_of(number));
    json_decref(json);
  }
}

TEST_CASE(refuses_what_is_none) {
  uvow__buf_t out;
  uvow__buf_init(&out, &uvow__mem_default, 3);
  assert_int_equal(uvow__json_put_double(&out, HUGE_VAL), UVOW_EINVAL);
  assert_int_equal(uvow__json_put_double(&out, -HUGE_VAL), UVOW_EINVAL);
  assert_int_equal(uvow__json_put_double(&out, nan("")), UVOW_EINVAL);
  assert_int_equal(uvow__json_put_double(&out, -1.5), UVOW_EOVERLOAD);
  assert_int_equal(uvow__buf_size(&out), 0);
  uvow__buf_done(&out);
}

TEST_MODULE(json_number) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(integers),
      cmocka_unit_test(doubles),
      cmocka_unit_test(every_digit_counts),
      cmocka_unit_test(random_texts),
      cmocka_unit_test(writes_the_shortest),
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(refuses_what_is_none),
  };
  return cmocka_run_group_tests_name("wire/json_number", tests, NULL, NULL);
}
