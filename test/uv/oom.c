/* What libuv does, with each of uvow's allocations failing. */
#include <uvow/uv.h>

#include "support/loop_bed.h"
#include "support/folder.h"

typedef struct scene {
  loop_bed_t bed;
  folder_t folder;
  char path[FOLDER_PATH];
  char other[FOLDER_PATH];
} scene_t;

static uvow_value_t works(void *data) {
  (void)data;
  return uvow_value_int64(1);
}

/* As loop_bed_wait; NULL is no memory. */
static int wait(scene_t *s, uvow_future_t *f, uvow_result_t *ret) {
  int rc = f ? loop_bed_wait(&s->bed, f, ret) : UVOW_ENOMEM;
  assert_true(rc == 0 || rc == UVOW_ENOMEM);
  return rc;
}

static void use_file(scene_t *s, uvow_file_t *file) {
  uvow_result_t r;
  wait(s, uvow_fs_write(file, uvow_value_text("hello"), 0), &r);
  wait(s, uvow_fs_fsync(file), &r);
  wait(s, uvow_fs_read(file, 10, 0), &r);
  uvow_file_unref(file);
}

static void use_process(scene_t *s) {
  const char *args[] = {"true", NULL};
  uvow_process_options_t options = {.size = sizeof(options), .args = args};
  uvow_process_t *process;
  uvow_result_t r;
  int rc = uvow_spawn(s->bed.loop, &options, &process);
  assert_true(rc == 0 || rc == UVOW_ENOMEM);
  if (rc)
    return;
  wait(s, uvow_process_close(process), &r);
  uvow_process_unref(process);
}

static void use_all(scene_t *s) {
  uvow_loop_t *loop = s->bed.loop;
  uvow_result_t r;
  if (wait(s, uvow_fs_open(loop, s->path, UV_FS_O_RDWR | UV_FS_O_CREAT, 0600),
           &r) == 0)
    use_file(s, uvow_file_ref(uvow_result_file(&r)));
  wait(s, uvow_fs_write_file(loop, s->path, uvow_value_text("hello")), &r);
  if (wait(s, uvow_fs_read_file(loop, s->path, 100), &r) == 0) {
    uvow_value_t value = uvow_result_keep(&r);
    wait(s, uvow_fs_write_file(loop, s->path, value), &r);
  }
  wait(s, uvow_fs_stat(loop, "/"), &r);
  wait(s, uvow_fs_read_file(loop, s->other, 200000), &r); /* grows */
  wait(s, uvow_work(loop, works, NULL), &r);
  wait(s, uvow_resolve(loop, "127.0.0.1"), &r);
  use_process(s);
  uvow_future_detach(uvow_fs_stat(loop, "/")); /* for the close */
}

static void body(test_alloc_t *alloc, void *data) {
  scene_t *s = data;
  if (loop_bed_open_with(&s->bed, alloc)) {
    assert_int_equal(uv_loop_close(&s->bed.uv), 0);
    return;
  }
  use_all(s);
  loop_bed_close(&s->bed, "closed");
}

static void every_allocation_may_fail(void **state) {
  static char large[100001];
  scene_t s;
  (void)state;
  memset(large, 'x', sizeof(large) - 1);
  folder_make(&s.folder);
  folder_file(&s.folder, "a", NULL, s.path);
  folder_file(&s.folder, "b", large, s.other);
  test_alloc_sweep(body, &s);
  folder_remove(&s.folder);
}

TEST_MODULE(oom) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests_name("uv/oom", tests, NULL, NULL);
}
