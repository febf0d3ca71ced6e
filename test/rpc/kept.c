/* Results, values and errors that are kept longer than their loop: each reader
 * of them answers as before. */
#include <uvow.h>
#include <uvow/uv.h>

#include "support/support.h"

#include <uv.h>

#define TEXT "{\"i\":1,\"d\":1.5,\"b\":true,\"t\":\"text\",\"z\":\"AQ==\"}"

static void on_closed(void *data) {
  ++*(int *)data;
}

/* All that can be read of one, and what can't: that is noted on the loop, which
 * is closed. */
static void read_all(const uvow_result_t *result) {
  int64_t i64 = 0;
  double f64 = 0;
  int b = 0;
  const char *text = NULL;
  uvow_slice_t slice;
  uvow_value_t bytes = uvow_value_none();
  assert_int_equal(uvow_result_get_int64(result, "/i", &i64), 0);
  assert_int_equal(i64, 1);
  assert_int_equal(uvow_result_get_double(result, "/d", &f64), 0);
  assert_int_equal(uvow_result_get_bool(result, "/b", &b), 0);
  assert_true(b);
  assert_int_equal(uvow_result_get_text(result, "/t", &text), 0);
  assert_string_equal(text, "text");
  assert_int_equal(uvow_result_get_slice(result, "/t", &slice), 0);
  assert_int_equal(uvow_result_get_base64(result, "/z", &bytes), 0);
  uvow_value_clear(&bytes);
  assert_int_equal(uvow_result_getf(result, "{s:I}", "i", &i64), 0);
  assert_int_equal(uvow_result_get_int64(result, "/none", &i64), UVOW_ETYPE);
  assert_int_equal(uvow_result_get_int64(result, "/t", &i64), UVOW_ETYPE);
  assert_non_null(uvow_loop_error(result->loop));
  assert_int_equal(uvow_result_bytes(result).len, strlen(TEXT));
  assert_non_null(uvow_result_json(result));
  assert_int_equal(uvow_result_is_binary(result), 0);
  assert_int_equal(uvow_result_is_end(result), 0);
  assert_int_equal(uvow_result_missed(result), 0);
  (void)uvow_result_walk(result, "");
  assert_null(uvow_result_file(result));
  assert_null(uvow_result_event(result));
  uvow_value_t kept = uvow_result_keep(result);
  assert_string_equal(uvow_value_type_name(&kept), "bytes");
  uvow_value_clear(&kept);
}

static void read_error(const uvow_error_t *error) {
  size_t len;
  assert_int_equal(uvow_error_code(error), UVOW_EREMOTE);
  assert_non_null(strstr(uvow_error_message(error), "why"));
  (void)uvow_error_outcome(error);
  (void)uvow_error_status(error);
  (void)uvow_error_cause(error);
  (void)uvow_error_header(error, "x", &len);
}

TEST_CASE(all_is_readable_once_the_loop_is_closed) {
  uv_loop_t uv;
  uvow_result_t result;
  const uvow_results_t *results = NULL;
  void *ptr;
  int closed = 0;
  assert_int_equal(uv_loop_init(&uv), 0);
  uvow_loop_t *loop = uvow_loop_new(&uv, NULL);
  uvow_future_t *f[2] = {
      uvow_future_fulfilled(loop, uvow_value_bytes(loop, TEXT, strlen(TEXT))),
      uvow_future_rejected(loop, uvow_error_new(loop, UVOW_EREMOTE, "why"))};
  uvow_future_t *all = uvow_future_all_settled(loop, f, 2);
  uvow_result_t awaited;
  assert_int_equal(uvow_loop_await(loop, uvow_future_ref(all), &awaited), 0);
  uvow_value_t kept = uvow_result_keep(&awaited);
  uvow_future_unref(all);
  uvow_loop_close(loop, on_closed, &closed);
  uv_run(&uv, UV_RUN_DEFAULT);
  assert_int_equal(closed, 1);
  assert_int_equal(uv_loop_close(&uv), 0);

  assert_int_equal(uvow_value_get_ptr(&kept, &uvow_type_results, &ptr), 0);
  results = (const uvow_results_t *)ptr;
  assert_int_equal(uvow_results_get(results, 0, &result), 0);
  read_all(&result);
  uvow_value_t one = uvow_result_keep(&result);
  assert_int_equal(uvow_results_get(results, 1, &result), 0);
  uvow_error_t *error = uvow_error_ref(result.error);
  uvow_value_clear(&kept);
  assert_string_equal(uvow_value_type_name(&one), "bytes");
  uvow_value_clear(&one);
  read_error(error);
  uvow_error_unref(error); /* with it the loop's memory */
}

TEST_MODULE(kept) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_is_readable_once_the_loop_is_closed),
  };
  return cmocka_run_group_tests_name("rpc/kept", tests, NULL, NULL);
}
