/* What the system tells: the environment and addresses. */
#include "net/system.h"

#include "support/faults.h"
#include "support/support.h"

#include <uv.h>

#include <uvow/error.h>

#define NAME "UVOW_TEST_VARIABLE"

static void expect_env(const char *value) {
  char *text = NULL;
  assert_int_equal(uvow__system_env(&uvow__mem_default, NAME, &text), 0);
  if (value)
    assert_string_equal(text, value);
  else
    assert_null(text);
  uvow__free(&uvow__mem_default, text);
}

TEST_CASE(the_version_is_that_of_its_headers) {
  assert_string_equal(uvow_version(), UVOW_VERSION_STRING);
}

TEST_CASE(a_variable_is_read_whole) {
  char big[5000];
  memset(big, 'x', sizeof(big));
  big[sizeof(big) - 1] = '\0';
  uv_os_unsetenv(NAME);
  expect_env(NULL);
  uv_os_setenv(NAME, "");
  expect_env(NULL);
  uv_os_setenv(NAME, "a");
  expect_env("a");
  uv_os_setenv(NAME, "ab");
  expect_env("ab");
  uv_os_setenv(NAME, big);
  expect_env(big);
  uv_os_unsetenv(NAME);
}

static void read_env(test_alloc_t *alloc, void *data) {
  char *text;
  (void)data;
  int rc = uvow__system_env(&alloc->allocator, NAME, &text);
  assert_int_equal(rc, alloc->failed ? UVOW_ENOMEM : 0);
  if (rc == 0)
    uvow__free(&alloc->allocator, text);
}

TEST_CASE(it_survives_no_memory) {
  uv_os_setenv(NAME, "value");
  test_alloc_sweep(read_env, NULL);
  uv_os_unsetenv(NAME);
}

/* The system's own trouble, as it's asked how long it is, and then for it. */
TEST_CASE(a_variable_that_cannot_be_read) {
  char *text = NULL;
  uv_os_setenv(NAME, "value");
  for (size_t at = 1; at <= 2; at++) {
    faults_begin("uv_os_getenv", UV_EIO, at, 1);
    assert_int_equal(uvow__system_env(&uvow__mem_default, NAME, &text), UV_EIO);
    assert_int_equal(faults_end(), 1);
    assert_null(text);
  }
  expect_env("value");
  uv_os_unsetenv(NAME);
}

TEST_CASE(addresses_are_told_from_names) {
  static const struct {
    const char *text;
    size_t len;
    uint8_t last;
  } samples[] = {
      {"127.0.0.1", 4, 1},       {"::1", 16, 1},  {"fd00::A", 16, 10},
      {"::ffff:1.2.3.4", 16, 4}, {"h", 0, 0},     {"", 0, 0},
      {"1.2.3", 0, 0},           {"[::1]", 0, 0}, {"1.2.3.256", 0, 0}};
  for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
    uint8_t ip[16];
    size_t len = uvow__system_ip(samples[i].text, ip);
    assert_int_equal(len, samples[i].len);
    if (len)
      assert_int_equal(ip[len - 1], samples[i].last);
  }
}

/* Every code has its name and its text, without a call of libuv's. */
TEST_CASE(codes_of_libuv_have_names) {
#define XX(name, text)                                                         \
  assert_string_equal(uvow_err_name(UV_##name), #name);                        \
  assert_string_equal(uvow_strerror(UV_##name), text);
  UV_ERRNO_MAP(XX)
#undef XX
  assert_string_equal(uvow_err_name(1), "UNKNOWN");
  assert_string_equal(uvow_strerror(1), "unknown error");
  assert_string_equal(uvow_err_name(0), "OK");
  assert_string_equal(uvow_strerror(0), "success");
}

TEST_MODULE(system) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(codes_of_libuv_have_names),
      cmocka_unit_test(the_version_is_that_of_its_headers),
      cmocka_unit_test(a_variable_is_read_whole),
      cmocka_unit_test(it_survives_no_memory),
      cmocka_unit_test(a_variable_that_cannot_be_read),
      cmocka_unit_test(addresses_are_told_from_names),
  };
  return cmocka_run_group_tests_name("net/system", tests, NULL, NULL);
}
