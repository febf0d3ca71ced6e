/* Who is told of the loop's close begins nothing any more. */
#include <uvow/thread.h>
#include <uvow/uv.h>

#include "support/loop_bed.h"

static void expect_closed(loop_bed_t *bed) {
  assert_int_equal(uvow_error_code(uvow_loop_error(bed->loop)), UVOW_ECLOSED);
}

static void expect_no_channel(loop_bed_t *bed, uvow_channel_t channel) {
  assert_null(channel.in);
  assert_null(channel.out);
  expect_closed(bed);
}

#define EXPECT_NONE(bed, call)                                                 \
  do {                                                                         \
    assert_null(call);                                                         \
    expect_closed(bed);                                                        \
  } while (0)

static void begin_late(const uvow_result_t *result, void *data) {
  loop_bed_t *bed = (loop_bed_t *)data;
  uvow_loop_t *loop = bed->loop;
  assert_int_equal(uvow_error_code(result->error), UVOW_ECLOSED);
  EXPECT_NONE(bed, uvow_random(loop, 8));
  EXPECT_NONE(bed, uvow_fs_stat(loop, "."));
  EXPECT_NONE(bed, uvow_resolve(loop, "127.0.0.1"));
  EXPECT_NONE(bed, uvow_fs_watch(loop, "."));
  EXPECT_NONE(bed, uvow_fs_write_sink(loop, "/dev/null"));
  EXPECT_NONE(bed, uvow_tcp_listen(loop, "127.0.0.1", 0, NULL));
  EXPECT_NONE(bed, uvow_stdin(loop));
  EXPECT_NONE(bed, uvow_stderr(loop));
  expect_no_channel(bed, uvow_tcp_connect(loop, "127.0.0.1", 1));
  expect_no_channel(bed, uvow_pipe_connect(loop, "/none"));
  expect_no_channel(bed, uvow_udp_open(loop, NULL, NULL));
  expect_no_channel(bed, uvow_stdio(loop));
  uvow_loop_close(loop, NULL, NULL); /* it does */
  EXPECT_NONE(bed, uvow_thread_loop_new(loop, NULL));
  loop_bed_log(bed, "late");
}

TEST_CASE(nothing_begins_as_the_loop_closes) {
  loop_bed_t bed;
  loop_bed_open(&bed);
  uvow_future_done(uvow_future_delay(bed.loop, 100000), begin_late, &bed);
  loop_bed_close(&bed, "late closed");
}

TEST_MODULE(closing) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_begins_as_the_loop_closes),
  };
  return cmocka_run_group_tests_name("uv/closing", tests, NULL, NULL);
}
