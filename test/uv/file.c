/* Files, call by call. */
#include <stdio.h>

#include <sys/stat.h>
#include <unistd.h>

#include <uvow/uv.h>

#include "support/loop_bed.h"
#include "support/folder.h"

typedef struct scene {
  loop_bed_t bed;
  folder_t folder;
  char path[FOLDER_PATH];
  char other[FOLDER_PATH];
} scene_t;

static void open_scene(scene_t *s) {
  memset(s, 0, sizeof(*s));
  loop_bed_open(&s->bed);
  folder_make(&s->folder);
  folder_file(&s->folder, "a", NULL, s->path);
  folder_file(&s->folder, "b", NULL, s->other);
}

static void close_scene(scene_t *s) {
  loop_bed_close(&s->bed, "closed");
  folder_remove(&s->folder);
}

static uvow_file_t *open_file(scene_t *s, int flags) {
  uvow_result_t r;
  int rc = loop_bed_wait(&s->bed,
                         uvow_fs_open(s->bed.loop, s->path, flags, 0600), &r);
  assert_int_equal(rc, 0);
  uvow_file_t *file = uvow_file_ref(uvow_result_file(&r));
  assert_non_null(file);
  return file;
}

static int wait(scene_t *s, uvow_future_t *f) {
  return loop_bed_wait(&s->bed, f, NULL);
}

/* Descriptors of this process. */
static int open_fds(void) {
  uv_fs_t req;
  int n = uv_fs_scandir(NULL, &req, "/proc/self/fd", 0, NULL);
  uv_fs_req_cleanup(&req);
  return n;
}

/* A slice on the stack: it's gone when the file is written. */
static uvow_future_t *write_slice(uvow_file_t *file) {
  char text[] = "a slice";
  uvow_slice_t slice = {text, strlen(text)};
  return uvow_fs_write(file, uvow_value_slice(&slice), 0);
}

static uvow_future_t *write_whole(scene_t *s) {
  char text[] = "[a, slice]";
  uvow_slice_t slice = {text, strlen(text)};
  return uvow_fs_write_file(s->bed.loop, s->other, uvow_value_slice(&slice));
}

TEST_CASE(any_bytes_are_written) {
  scene_t s;
  uvow_result_t r;
  open_scene(&s);
  uvow_file_t *file = open_file(&s, UV_FS_O_RDWR | UV_FS_O_CREAT);
  assert_int_equal(wait(&s, write_slice(file)), 0);
  assert_int_equal(wait(&s, uvow_fs_write(file, uvow_value_raw("[1]"), 7)), 0);
  assert_int_equal(loop_bed_wait(&s.bed, uvow_fs_read(file, 100, 0), &r), 0);
  uvow_slice_t got = uvow_result_bytes(&r);
  assert_int_equal(got.len, 10);
  assert_memory_equal(got.bytes, "a slice[1]", 10);
  assert_int_equal(wait(&s, uvow_fs_write(file, uvow_value_int64(1), 0)),
                   UVOW_ETYPE);
  uvow_file_unref(file);
  assert_int_equal(wait(&s, write_whole(&s)), 0);
  assert_int_equal(
      loop_bed_wait(&s.bed, uvow_fs_read_file(s.bed.loop, s.other, 100), &r),
      0);
  assert_int_equal(uvow_result_bytes(&r).len, 10);
  close_scene(&s);
}

TEST_CASE(writes_and_reads) {
  scene_t s;
  uvow_result_t r;
  open_scene(&s);
  uvow_file_t *file =
      open_file(&s, UV_FS_O_RDWR | UV_FS_O_CREAT | UV_FS_O_EXCL);
  assert_int_equal(wait(&s, uvow_fs_write(file, uvow_value_text("hello"), 0)),
                   0);
  assert_int_equal(wait(&s, uvow_fs_write(file, uvow_value_text(" you"), 5)),
                   0);
  assert_int_equal(wait(&s, uvow_fs_fsync(file)), 0);
  assert_int_equal(loop_bed_wait(&s.bed, uvow_fs_read(file, 100, 1), &r), 0);
  uvow_slice_t got = uvow_result_bytes(&r);
  assert_int_equal(got.len, 8);
  assert_memory_equal(got.bytes, "ello you", 8);
  /* What was read may be written. */
  uvow_value_t value = uvow_result_keep(&r);
  assert_int_equal(wait(&s, uvow_fs_write(file, value, 9)), 0);
  assert_int_equal(loop_bed_wait(&s.bed, uvow_fs_read(file, 3, 16), &r), 0);
  got = uvow_result_bytes(&r);
  assert_int_equal(got.len, 1); /* the end is near */
  assert_int_equal(loop_bed_wait(&s.bed, uvow_fs_read(file, 3, 17), &r), 0);
  got = uvow_result_bytes(&r);
  assert_int_equal(got.len, 0);
  uvow_file_unref(file);
  close_scene(&s);
}

TEST_CASE(paths_are_handled) {
  scene_t s;
  uvow_result_t r;
  void *stat = NULL;
  uvow_loop_t *loop;
  open_scene(&s);
  loop = s.bed.loop;
  assert_int_equal(wait(&s, uvow_fs_mkdir(loop, s.path, 0700)), 0);
  assert_int_equal(loop_bed_wait(&s.bed, uvow_fs_stat(loop, s.path), &r), 0);
  assert_int_equal(uvow_value_get_ptr(&r.value, &uvow_type_stat, &stat), 0);
  assert_int_equal(((uv_stat_t *)stat)->st_mode & 0777, 0700);
  uvow_value_t kept = uvow_result_keep(&r);
  uvow_value_clear(&kept);
  assert_int_equal(wait(&s, uvow_fs_rename(loop, s.path, s.other)), 0);
  assert_int_equal(wait(&s, uvow_fs_rmdir(loop, s.other)), 0);
  uvow_file_unref(open_file(&s, UV_FS_O_WRONLY | UV_FS_O_CREAT));
  assert_int_equal(wait(&s, uvow_fs_copy(loop, s.path, s.other)), 0);
  assert_int_equal(wait(&s, uvow_fs_unlink(loop, s.path)), 0);
  assert_int_equal(wait(&s, uvow_fs_unlink(loop, s.other)), 0);
  close_scene(&s);
}

TEST_CASE(errors_name_the_call_and_the_path) {
  scene_t s;
  uvow_result_t r;
  char text[FOLDER_PATH + 100];
  uvow_loop_t *loop;
  open_scene(&s);
  loop = s.bed.loop;
  assert_int_equal(
      loop_bed_wait(&s.bed, uvow_fs_open(loop, s.path, UV_FS_O_RDONLY, 0), &r),
      UV_ENOENT);
  snprintf(text, sizeof(text), "open %s: %s", s.path, uv_strerror(UV_ENOENT));
  assert_string_equal(uvow_error_message(r.error), text);
  assert_int_equal(wait(&s, uvow_fs_stat(loop, s.path)), UV_ENOENT);
  assert_int_equal(wait(&s, uvow_fs_unlink(loop, s.path)), UV_ENOENT);
  assert_int_equal(wait(&s, uvow_fs_rename(loop, s.path, s.other)), UV_ENOENT);
  assert_int_equal(wait(&s, uvow_fs_copy(loop, s.path, s.other)), UV_ENOENT);
  uvow_file_t *file = open_file(&s, UV_FS_O_WRONLY | UV_FS_O_CREAT);
  assert_int_equal(loop_bed_wait(&s.bed, uvow_fs_read(file, 1, 0), &r),
                   UV_EBADF);
  snprintf(text, sizeof(text), "read %s: %s", s.path, uv_strerror(UV_EBADF));
  assert_string_equal(uvow_error_message(r.error), text);
  assert_int_equal(wait(&s, uvow_fs_write(file, uvow_value_int64(1), 0)),
                   UVOW_ETYPE);
  assert_int_equal(wait(&s, uvow_fs_read(file, SIZE_MAX, 0)), UVOW_ENOMEM);
  uvow_file_unref(file);
  close_scene(&s);
}

TEST_CASE(bad_arguments) {
  scene_t s;
  uvow_loop_t *loop;
  uvow_result_t r;
  open_scene(&s);
  loop = s.bed.loop;
  assert_null(uvow_fs_open(NULL, "a", 0, 0));
  assert_null(uvow_fs_unlink(NULL, "a"));
  assert_null(uvow_fs_read(NULL, 1, 0));
  assert_null(uvow_fs_write(NULL, uvow_value_text("a"), 0));
  assert_null(uvow_fs_fsync(NULL));
  assert_int_equal(wait(&s, uvow_fs_open(loop, NULL, 0, 0)), UVOW_EINVAL);
  assert_int_equal(uvow_future_peek(s.bed.waited, &r), 0);
  assert_string_equal(uvow_error_message(r.error), "path must not be NULL");
  assert_int_equal(wait(&s, uvow_fs_stat(loop, NULL)), UVOW_EINVAL);
  assert_int_equal(wait(&s, uvow_fs_mkdir(loop, NULL, 0)), UVOW_EINVAL);
  assert_int_equal(wait(&s, uvow_fs_rmdir(loop, NULL)), UVOW_EINVAL);
  assert_int_equal(wait(&s, uvow_fs_rename(loop, "a", NULL)), UVOW_EINVAL);
  uvow_file_unref(NULL);
  assert_null(uvow_file_ref(NULL));
  close_scene(&s);
}

/* The thread pool has opened it when the cancel comes: nobody gets it. */
TEST_CASE(a_file_that_comes_too_late_is_closed) {
  scene_t s;
  int before;
  open_scene(&s);
  uvow_file_unref(open_file(&s, UV_FS_O_WRONLY | UV_FS_O_CREAT));
  loop_bed_run(&s.bed);
  before = open_fds();
  for (int i = 0; i < 50; i++) {
    uvow_future_t *f = uvow_fs_open(s.bed.loop, s.path, UV_FS_O_RDONLY, 0);
    while (i % 2 && open_fds() == before)
      ; /* until it's open: nothing runs on this thread */
    assert_int_equal(uvow_future_cancel(f), 0);
    uvow_future_unref(f);
    loop_bed_run(&s.bed);
    assert_int_equal(open_fds(), before);
  }
  close_scene(&s);
}

/* What the system takes a part of is written on; then it takes no more. */
TEST_CASE(a_write_that_is_cut) {
  static char large[1000000];
  char room[sizeof(large)];
  scene_t s;
  uvow_result_t r;
  open_scene(&s);
  memset(large, 'x', sizeof(large) - 1);
  assert_int_equal(mkfifo(s.path, 0600), 0);
  uvow_future_t *f =
      uvow_fs_open(s.bed.loop, s.path, UV_FS_O_RDWR | UV_FS_O_NONBLOCK, 0);
  assert_int_equal(loop_bed_wait(&s.bed, f, &r), 0);
  uvow_file_t *file = uvow_file_ref(uvow_result_file(&r));
  f = uvow_fs_write(file, uvow_value_text(large), -1);
  assert_int_equal(loop_bed_wait(&s.bed, f, &r), UV_EAGAIN);
  ssize_t got = read(uvow_file_fd(file), room, sizeof(room));
  assert_true(got > 0 && got < (ssize_t)sizeof(room));
  assert_memory_equal(room, large, (size_t)got);
  uvow_file_unref(file);
  loop_bed_close(&s.bed, "closed");
  folder_remove(&s.folder);
}

/* A value of it is an owner more. */
TEST_CASE(a_file_is_kept_by_its_value) {
  scene_t s;
  uvow_result_t r;
  void *file = NULL;
  open_scene(&s);
  uvow_future_t *f =
      uvow_fs_open(s.bed.loop, s.path, UV_FS_O_RDWR | UV_FS_O_CREAT, 0600);
  assert_int_equal(loop_bed_wait(&s.bed, f, &r), 0);
  int open = open_fds();
  uvow_value_t kept = uvow_result_keep(&r);
  f = uvow_future_delay(s.bed.loop, 0);
  assert_int_equal(loop_bed_wait(&s.bed, f, NULL), 0); /* the result is gone */
  assert_int_equal(open_fds(), open);
  assert_int_equal(uvow_value_get_ptr(&kept, &uvow_type_file, &file), 0);
  f = uvow_fs_write((uvow_file_t *)file, uvow_value_text("kept"), 0);
  assert_int_equal(loop_bed_wait(&s.bed, f, NULL), 0);
  uvow_value_clear(&kept);
  loop_bed_run(&s.bed);
  assert_int_equal(open_fds(), open - 1);
  loop_bed_close(&s.bed, "closed");
  folder_remove(&s.folder);
}

TEST_CASE(a_file_outlives_its_loop) {
  scene_t s;
  int before;
  open_scene(&s);
  uvow_file_unref(open_file(&s, UV_FS_O_WRONLY | UV_FS_O_CREAT));
  loop_bed_run(&s.bed);
  before = open_fds();
  uvow_file_t *file = open_file(&s, UV_FS_O_RDONLY);
  uvow_future_t *f = uvow_fs_read(file, 10, 0); /* under way */
  assert_non_null(f);
  uvow_future_unref(f);
  s.bed.alloc = NULL; /* the file is memory still */
  loop_bed_close(&s.bed, "closed");
  assert_null(uvow_fs_read(file, 10, 0));
  uvow_file_unref(file);
  assert_int_equal(s.bed.own_alloc.live, 0);
  assert_true(open_fds() < before); /* the loop's own are gone too */
  folder_remove(&s.folder);
}

TEST_MODULE(file) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(writes_and_reads),
      cmocka_unit_test(any_bytes_are_written),
      cmocka_unit_test(paths_are_handled),
      cmocka_unit_test(errors_name_the_call_and_the_path),
      cmocka_unit_test(bad_arguments),
      cmocka_unit_test(a_file_that_comes_too_late_is_closed),
      cmocka_unit_test(a_write_that_is_cut),
      cmocka_unit_test(a_file_is_kept_by_its_value),
      cmocka_unit_test(a_file_outlives_its_loop),
  };
  return cmocka_run_group_tests_name("uv/file", tests, NULL, NULL);
}
