/* Signals, changes of files, entries of directories: as streams. */
#include <signal.h>
#include <stdio.h>

#include <uvow/uv.h>

#include "support/loop_bed.h"
#include "support/folder.h"

TEST_CASE(a_signal) {
  loop_bed_t bed;
  uvow_result_t r;
  int64_t signum = 0;
  loop_bed_open(&bed);
  uvow_stream_t *signals = uvow_signal(bed.loop, SIGUSR2);
  loop_bed_run(&bed); /* it doesn't hold the loop */
  (void)uv_kill(uv_os_getpid(), SIGUSR2);
  uvow_future_t *holds = uvow_future_delay(bed.loop, 1000000);
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(signals), &r), 0);
  uvow_future_drop(holds);
  assert_int_equal(uvow_value_get_int64(&r.value, &signum), 0);
  assert_int_equal(signum, SIGUSR2);
  uvow_stream_unref(signals);
  signals = uvow_signal(bed.loop, -1);
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(signals), &r),
                   UV_EINVAL);
  uvow_stream_unref(signals);
  assert_null(uvow_signal(NULL, SIGUSR2));
  uvow_stream_t *last = uvow_signal(bed.loop, SIGUSR2);
  uvow_future_detach(uvow_stream_collect(last, 10));
  loop_bed_close(&bed, "closed");
}

TEST_CASE(a_change) {
  loop_bed_t bed;
  folder_t folder;
  char path[FOLDER_PATH];
  uvow_result_t r;
  size_t len = 0;
  loop_bed_open(&bed);
  folder_make(&folder);
  uvow_stream_t *changes = uvow_fs_watch(bed.loop, folder.path);
  folder_file(&folder, "a", "hello", path);
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(changes), &r), 0);
  const char *name = uvow_result_bytes(&r).bytes;
  len = uvow_result_bytes(&r).len;
  assert_int_equal(len, 1);
  assert_memory_equal(name, "a", 1);
  assert_true(uvow_result_kind(&r) & (UV_RENAME | UV_CHANGE));
  assert_int_equal(uvow_result_kind(NULL), 0);
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_close(changes), NULL), 0);
  changes = uvow_fs_watch(bed.loop, "/no/such/folder");
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(changes), &r),
                   UV_ENOENT);
  assert_string_equal(uvow_error_message(r.error),
                      "watch /no/such/folder: no such file or directory");
  uvow_stream_unref(changes);
  changes = uvow_fs_watch_tree(bed.loop, NULL);
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(changes), &r),
                   UVOW_EINVAL);
  uvow_stream_unref(changes);
  loop_bed_close(&bed, "closed");
  folder_remove(&folder);
}

/* One that is looked at every so often. */
TEST_CASE(a_change_that_is_looked_for) {
  loop_bed_t bed;
  folder_t folder;
  char path[FOLDER_PATH];
  uvow_result_t r;
  loop_bed_open(&bed);
  folder_make(&folder);
  folder_file(&folder, "a", "hello", path);
  uvow_stream_t *looks = uvow_fs_poll(bed.loop, path, 1);
  uvow_future_t *next = uvow_stream_next(looks);
  for (int i = 0; uvow_future_state(next) == UVOW_PENDING; i++) {
    uv_run(&bed.uv, UV_RUN_ONCE);
    folder_file(&folder, "a", i % 2 ? "hello" : "hello you", path);
  }
  assert_int_equal(loop_bed_wait(&bed, next, &r), 0);
  assert_true(uvow_result_stat(&r)->st_mode != 0);
  folder_remove(&folder);
  do
    assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(looks), &r), 0);
  while (uvow_result_stat(&r)->st_mode);
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_close(looks), NULL), 0);
  looks = uvow_fs_poll(bed.loop, path, 0);
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(looks), &r),
                   UVOW_EINVAL);
  uvow_stream_unref(looks);
  looks = uvow_fs_poll(bed.loop, NULL, 1);
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(looks), &r),
                   UVOW_EINVAL);
  uvow_stream_unref(looks);
  assert_null(uvow_fs_poll(NULL, path, 1));
  uvow_stream_t *last = uvow_fs_poll(bed.loop, "/", 1000);
  uvow_future_detach(uvow_stream_collect(last, 10));
  loop_bed_close(&bed, "closed");
}

TEST_MODULE(signal) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_signal),
      cmocka_unit_test(a_change),
      cmocka_unit_test(a_change_that_is_looked_for),
  };
  return cmocka_run_group_tests_name("uv/signal", tests, NULL, NULL);
}
