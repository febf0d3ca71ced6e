/* Files as a whole: read, and written at once or not at all. */
#include <stdio.h>

#include <uvow/uv.h>

#include "support/loop_bed.h"
#include "support/folder.h"

#define LARGE ((size_t)1000 * 1000)

typedef struct scene {
  loop_bed_t bed;
  folder_t folder;
  char path[FOLDER_PATH];
} scene_t;

static void open_scene(scene_t *s, const char *text) {
  memset(s, 0, sizeof(*s));
  loop_bed_open(&s->bed);
  folder_make(&s->folder);
  folder_file(&s->folder, "a", text, s->path);
}

static void close_scene(scene_t *s) {
  loop_bed_close(&s->bed, "closed");
  folder_remove(&s->folder);
}

/* How many files are in the folder. */
static int count(scene_t *s) {
  uv_fs_t req;
  int n = uv_fs_scandir(NULL, &req, s->folder.path, 0, NULL);
  uv_fs_req_cleanup(&req);
  return n;
}

static void expect_file(scene_t *s, const char *text, size_t text_len) {
  uvow_result_t r;
  int rc = loop_bed_wait(&s->bed,
                         uvow_fs_read_file(s->bed.loop, s->path, SIZE_MAX), &r);
  assert_int_equal(rc, 0);
  uvow_slice_t got = uvow_result_bytes(&r);
  assert_int_equal(got.len, text_len);
  assert_memory_equal(got.bytes, text, got.len);
}

static int write_file(scene_t *s, const char *text) {
  return loop_bed_wait(
      &s->bed, uvow_fs_write_file(s->bed.loop, s->path, uvow_value_text(text)),
      NULL);
}

TEST_CASE(files_of_any_size) {
  static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, LARGE};
  char *text = malloc(LARGE + 1);
  scene_t s;
  memset(text, 'x', LARGE);
  text[LARGE - 1] = 'y';
  open_scene(&s, "old");
  for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
    char *end = text + LARGE - sizes[i];
    text[LARGE] = '\0';
    assert_int_equal(write_file(&s, end), 0);
    expect_file(&s, end, sizes[i]);
    assert_int_equal(count(&s), 1);
  }
  free(text);
  close_scene(&s);
}

TEST_CASE(a_file_over_the_limit) {
  scene_t s;
  open_scene(&s, "0123456789");
  assert_int_equal(
      loop_bed_wait(&s.bed, uvow_fs_read_file(s.bed.loop, s.path, 10), NULL),
      0);
  assert_int_equal(
      loop_bed_wait(&s.bed, uvow_fs_read_file(s.bed.loop, s.path, 9), NULL),
      UVOW_ETOOBIG);
  assert_int_equal(
      loop_bed_wait(&s.bed, uvow_fs_read_file(s.bed.loop, s.path, 0), NULL),
      UVOW_ETOOBIG);
  /* One whose size nobody knows before. */
  assert_int_equal(
      loop_bed_wait(&s.bed, uvow_fs_read_file(s.bed.loop, "/dev/zero", 3000000),
                    NULL),
      UVOW_ETOOBIG);
  close_scene(&s);
}

TEST_CASE(the_mode_stays) {
  scene_t s;
  uv_fs_t req;
  open_scene(&s, "old");
  assert_int_equal(uv_fs_chmod(NULL, &req, s.path, 0640, NULL), 0);
  assert_int_equal(write_file(&s, "new"), 0);
  expect_file(&s, "new", 3);
  assert_int_equal(uv_fs_stat(NULL, &req, s.path, NULL), 0);
  assert_int_equal(req.statbuf.st_mode & 0777, 0640);
  uv_fs_req_cleanup(&req);
  close_scene(&s);
}

TEST_CASE(failing_leaves_all_as_it_was) {
  scene_t s;
  uvow_result_t r;
  uv_fs_t req;
  char text[FOLDER_PATH + 100];
  open_scene(&s, NULL);
  /* A folder can't be replaced. */
  assert_int_equal(uv_fs_mkdir(NULL, &req, s.path, 0700, NULL), 0);
  int rc = loop_bed_wait(
      &s.bed, uvow_fs_write_file(s.bed.loop, s.path, uvow_value_text("new")),
      &r);
  assert_int_equal(rc, UV_EISDIR);
  snprintf(text, sizeof(text), "rename %s: %s", s.path, uv_strerror(rc));
  assert_string_equal(uvow_error_message(r.error), text);
  assert_int_equal(count(&s), 1);
  assert_int_equal(
      loop_bed_wait(&s.bed, uvow_fs_read_file(s.bed.loop, s.path, 10), &r),
      UV_EISDIR);
  snprintf(text, sizeof(text), "read %s: %s", s.path, uv_strerror(rc));
  assert_string_equal(uvow_error_message(r.error), text);
  strcat(s.path, "/none/a");
  assert_int_equal(write_file(&s, "new"), UV_ENOENT);
  assert_int_equal(
      loop_bed_wait(&s.bed, uvow_fs_read_file(s.bed.loop, s.path, 10), NULL),
      UV_ENOENT);
  close_scene(&s);
}

TEST_CASE(bad_arguments) {
  scene_t s;
  uvow_loop_t *loop;
  open_scene(&s, NULL);
  loop = s.bed.loop;
  assert_null(uvow_fs_read_file(NULL, "a", 1));
  assert_null(uvow_fs_write_file(NULL, "a", uvow_value_text("a")));
  assert_int_equal(
      loop_bed_wait(&s.bed, uvow_fs_read_file(loop, NULL, 1), NULL),
      UVOW_EINVAL);
  assert_int_equal(
      loop_bed_wait(&s.bed,
                    uvow_fs_write_file(loop, NULL, uvow_value_text("a")), NULL),
      UVOW_EINVAL);
  assert_int_equal(
      loop_bed_wait(
          &s.bed, uvow_fs_write_file(loop, s.path, uvow_value_int64(1)), NULL),
      UVOW_ETYPE);
  close_scene(&s);
}

/* Before it began, while it runs, after it: never a part, never a leftover. */
TEST_CASE(a_cancel_at_any_time) {
  char *text = malloc(LARGE + 1);
  scene_t s;
  memset(text, 'n', LARGE);
  text[LARGE] = '\0';
  for (int i = 0; i < 20; i++) {
    open_scene(&s, "old");
    uvow_future_t *f =
        uvow_fs_write_file(s.bed.loop, s.path, uvow_value_text(text));
    uvow_future_t *g = uvow_fs_read_file(s.bed.loop, s.path, SIZE_MAX);
    for (int n = 0; n < i * 50; n++)
      (void)count(&s);
    assert_int_equal(uvow_future_cancel(f), 0);
    assert_int_equal(uvow_future_cancel(g), 0);
    uvow_future_unref(f);
    uvow_future_unref(g);
    loop_bed_run(&s.bed);
    assert_int_equal(count(&s), 1);
    uvow_result_t r;
    assert_int_equal(
        loop_bed_wait(&s.bed, uvow_fs_read_file(s.bed.loop, s.path, SIZE_MAX),
                      &r),
        0);
    size_t len = uvow_result_bytes(&r).len;
    assert_true(len == 3 || len == LARGE);
    close_scene(&s);
  }
  free(text);
}

TEST_CASE(the_loop_closes_meanwhile) {
  scene_t s;
  open_scene(&s, "old");
  for (int i = 0; i < 10; i++) {
    uvow_future_detach(
        uvow_fs_write_file(s.bed.loop, s.path, uvow_value_text("new")));
    uvow_future_detach(uvow_fs_read_file(s.bed.loop, s.path, 100));
  }
  loop_bed_close(&s.bed, "closed");
  assert_int_equal(count(&s), 1);
  folder_remove(&s.folder);
}

TEST_MODULE(whole) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(files_of_any_size),
      cmocka_unit_test(a_file_over_the_limit),
      cmocka_unit_test(the_mode_stays),
      cmocka_unit_test(failing_leaves_all_as_it_was),
      cmocka_unit_test(bad_arguments),
      cmocka_unit_test(a_cancel_at_any_time),
      cmocka_unit_test(the_loop_closes_meanwhile),
  };
  return cmocka_run_group_tests_name("uv/whole", tests, NULL, NULL);
}
