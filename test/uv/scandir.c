/* A directory's entries. */
#include <stdio.h>

#include <uvow/uv.h>

#include "support/loop_bed.h"
#include "support/folder.h"

typedef struct scene {
  loop_bed_t bed;
  folder_t folder;
} scene_t;

static void open_scene(scene_t *s, int files) {
  char path[FOLDER_PATH], name[16];
  memset(s, 0, sizeof(*s));
  loop_bed_open(&s->bed);
  folder_make(&s->folder);
  for (int i = 0; i < files; i++) {
    snprintf(name, sizeof(name), "f%d", i);
    folder_file(&s->folder, name, "x", path);
  }
}

static void close_scene(scene_t *s) {
  loop_bed_close(&s->bed, "closed");
  folder_remove(&s->folder);
}

/* Reads them one by one: each name once. */
TEST_CASE(all_names) {
  enum { FILES = 200 };
  char seen[FILES] = {0};
  uvow_result_t r;
  size_t len = 0;
  int count = 0;
  scene_t s;
  open_scene(&s, FILES);
  uvow_stream_t *names = uvow_fs_scandir(s.bed.loop, s.folder.path);
  for (;;) {
    assert_int_equal(loop_bed_wait(&s.bed, uvow_stream_next(names), &r), 0);
    if (uvow_result_is_end(&r))
      break;
    char name[16] = "";
    const char *bytes = uvow_result_bytes(&r).bytes;
    len = uvow_result_bytes(&r).len;
    assert_true(len > 1 && len < sizeof(name));
    assert_int_equal(uvow_result_kind(&r), UV_DIRENT_FILE);
    memcpy(name, bytes, len);
    seen[atoi(name + 1)]++;
    count++;
    assert_true(uvow_stream_waiting(names) <= 64);
  }
  uvow_stream_unref(names);
  assert_int_equal(count, FILES);
  for (int i = 0; i < FILES; i++)
    assert_int_equal(seen[i], 1);
  close_scene(&s);
}

/* Nobody asks: it stops where the stream is full, and goes on. */
TEST_CASE(a_reader_that_waits) {
  enum { FILES = 300 };
  uvow_result_t r;
  int count = 0;
  scene_t s;
  open_scene(&s, FILES);
  uvow_stream_t *names = uvow_fs_scandir(s.bed.loop, s.folder.path);
  uvow_future_t *first = uvow_stream_next(names);
  assert_int_equal(loop_bed_wait(&s.bed, first, NULL), 0);
  loop_bed_run(&s.bed);
  assert_true(uvow_stream_waiting(names) < FILES - 1);
  for (;; count++) {
    assert_int_equal(loop_bed_wait(&s.bed, uvow_stream_next(names), &r), 0);
    if (uvow_result_is_end(&r))
      break;
  }
  uvow_stream_unref(names);
  assert_int_equal(count, FILES - 1);
  close_scene(&s);
}

static int open_fds(void) {
  uv_fs_t req;
  int n = uv_fs_scandir(NULL, &req, "/proc/self/fd", 0, NULL);
  uv_fs_req_cleanup(&req);
  return n;
}

/* Two readers have the same names. */
TEST_CASE(names_of_two) {
  uvow_result_t a, b;
  scene_t s;
  open_scene(&s, 3);
  uvow_stream_t *names = uvow_fs_scandir(s.bed.loop, s.folder.path);
  uvow_stream_t *copy = uvow_stream_tee(names, NULL);
  for (int i = 0; i < 3; i++) {
    uvow_future_t *first = uvow_stream_next(names);
    uvow_future_t *second = uvow_stream_next(copy);
    loop_bed_run(&s.bed);
    assert_int_equal(uvow_future_peek(first, &a), 0);
    assert_int_equal(uvow_future_peek(second, &b), 0);
    assert_int_equal(uvow_result_bytes(&a).len, 2);
    assert_memory_equal(uvow_result_bytes(&a).bytes,
                        uvow_result_bytes(&b).bytes, 2);
    assert_int_equal(uvow_result_kind(&b), UV_DIRENT_FILE);
    uvow_future_unref(first);
    uvow_future_unref(second);
  }
  uvow_stream_unref(copy);
  uvow_stream_unref(names);
  close_scene(&s);
}

/* At each moment: nothing stays open. */
TEST_CASE(let_go_of) {
  scene_t s;
  open_scene(&s, 100);
  loop_bed_run(&s.bed);
  int fds = open_fds();
  for (int turns = 0; turns < 12; turns++) {
    uvow_stream_t *names = uvow_fs_scandir(s.bed.loop, s.folder.path);
    for (int i = 0; i < turns; i++)
      uv_run(&s.bed.uv, UV_RUN_ONCE);
    assert_int_equal(loop_bed_wait(&s.bed, uvow_stream_close(names), NULL), 0);
    assert_int_equal(open_fds(), fds);
  }
  uvow_future_t *all =
      uvow_stream_collect(uvow_fs_scandir(s.bed.loop, s.folder.path), 10);
  assert_int_equal(loop_bed_wait(&s.bed, all, NULL), UVOW_ETOOBIG);
  uvow_stream_t *last = uvow_fs_scandir(s.bed.loop, s.folder.path);
  uvow_future_detach(uvow_stream_collect(last, 1000));
  close_scene(&s);
}

TEST_CASE(what_cannot_be_scanned) {
  scene_t s;
  uvow_result_t r;
  open_scene(&s, 0);
  uvow_stream_t *names = uvow_fs_scandir(s.bed.loop, "/no/such/folder");
  assert_int_equal(loop_bed_wait(&s.bed, uvow_stream_next(names), &r),
                   UV_ENOENT);
  assert_string_equal(uvow_error_message(r.error),
                      "scan /no/such/folder: no such file or directory");
  uvow_stream_unref(names);
  names = uvow_fs_scandir(s.bed.loop, NULL);
  assert_int_equal(loop_bed_wait(&s.bed, uvow_stream_next(names), &r),
                   UVOW_EINVAL);
  uvow_stream_unref(names);
  names = uvow_fs_scandir(s.bed.loop, s.folder.path); /* it's empty */
  assert_int_equal(loop_bed_wait(&s.bed, uvow_stream_next(names), &r), 0);
  assert_true(uvow_result_is_end(&r));
  uvow_stream_unref(names);
  close_scene(&s);
}

TEST_MODULE(scandir) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_names),
      cmocka_unit_test(a_reader_that_waits),
      cmocka_unit_test(names_of_two),
      cmocka_unit_test(let_go_of),
      cmocka_unit_test(what_cannot_be_scanned),
  };
  return cmocka_run_group_tests_name("uv/scandir", tests, NULL, NULL);
}
