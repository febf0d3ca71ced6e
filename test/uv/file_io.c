/* Files as streams and sinks. */
#include <stdio.h>
#include <sys/stat.h>

#include <uvow/uv.h>

#include "support/loop_bed.h"
#include "support/folder.h"

typedef struct scene {
  loop_bed_t bed;
  folder_t folder;
  char from[FOLDER_PATH];
  char to[FOLDER_PATH];
} scene_t;

static char large[300001];

static void open_scene(scene_t *s) {
  memset(s, 0, sizeof(*s));
  loop_bed_open(&s->bed);
  folder_make(&s->folder);
  for (size_t i = 0; i < sizeof(large) - 1; i++)
    large[i] = (char)('a' + i % 23);
  folder_file(&s->folder, "from", large, s->from);
  folder_file(&s->folder, "to", NULL, s->to);
}

/* What is in the folder, but for what is named, is left by nobody. */
static int entries(scene_t *s) {
  uv_fs_t req;
  int n = uv_fs_scandir(NULL, &req, s->folder.path, 0, NULL);
  uv_fs_req_cleanup(&req);
  return n;
}

static void close_scene(scene_t *s) {
  loop_bed_close(&s->bed, "closed");
  folder_remove(&s->folder);
}

static int wait(scene_t *s, uvow_future_t *f) {
  return loop_bed_wait(&s->bed, f, NULL);
}

static void expect_file(const char *path, const char *text) {
  static char room[400000];
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  size_t len = fread(room, 1, sizeof(room), file);
  fclose(file);
  assert_int_equal(len, strlen(text));
  assert_memory_equal(room, text, len);
}

TEST_CASE(a_copy) {
  scene_t s;
  open_scene(&s);
  uvow_future_t *f = uvow_stream_pipe(uvow_fs_read_stream(s.bed.loop, s.from),
                                      uvow_fs_write_sink(s.bed.loop, s.to));
  assert_int_equal(wait(&s, f), 0);
  expect_file(s.to, large);
  assert_int_equal(entries(&s), 2);
  close_scene(&s);
}

/* The temporary file is as private as what it replaces. */
TEST_CASE(a_secret_stays_one) {
  scene_t s;
  uv_fs_t req;
  uv_dirent_t entry;
  struct stat st;
  char path[FOLDER_PATH + 300];
  open_scene(&s);
  assert_int_equal(chmod(s.from, 0600), 0);
  uvow_sink_t *sink = uvow_fs_write_sink(s.bed.loop, s.from);
  while (entries(&s) == 1)
    (void)uv_run(&s.bed.uv, UV_RUN_NOWAIT);
  assert_int_equal(uv_fs_scandir(NULL, &req, s.folder.path, 0, NULL), 2);
  while (uv_fs_scandir_next(&req, &entry) == 0) {
    snprintf(path, sizeof(path), "%s/%s", s.folder.path, entry.name);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
  }
  uv_fs_req_cleanup(&req);
  uvow_sink_drop(sink);
  close_scene(&s);
}

/* Nobody reads: it doesn't read on. */
TEST_CASE(a_reader_that_waits) {
  scene_t s;
  uvow_result_t r;
  size_t len = 0, came = 0;
  open_scene(&s);
  uvow_stream_t *bytes = uvow_fs_read_stream(s.bed.loop, s.from);
  loop_bed_run(&s.bed);
  assert_in_range(uvow_stream_waiting(bytes), 1, 4);
  for (;;) {
    assert_int_equal(loop_bed_wait(&s.bed, uvow_stream_next(bytes), &r), 0);
    if (uvow_result_is_end(&r))
      break;
    const char *part = uvow_result_bytes(&r).bytes;
    len = uvow_result_bytes(&r).len;
    assert_memory_equal(part, large + came, len);
    came += len;
  }
  assert_int_equal(came, sizeof(large) - 1);
  uvow_stream_unref(bytes);
  close_scene(&s);
}

/* At each moment: nothing is left, neither a file nor a descriptor. */
static uvow_file_t *open_file(scene_t *s, const char *path, int flags) {
  uvow_result_t r;
  uvow_future_t *f = uvow_fs_open(s->bed.loop, path, flags, 0600);
  assert_int_equal(loop_bed_wait(&s->bed, f, &r), 0);
  return uvow_file_ref(uvow_result_file(&r));
}

/* A log: what comes is written behind what is there. */
TEST_CASE(an_open_file) {
  scene_t s;
  uvow_result_t r;
  open_scene(&s);
  for (int i = 0; i < 2; i++) {
    uvow_file_t *log =
        open_file(&s, s.to, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_APPEND);
    uvow_sink_t *sink = uvow_file_sink(log);
    uvow_file_unref(log); /* it has its own */
    assert_int_equal(uvow_sink_push(sink, uvow_value_text("one ")), 0);
    assert_int_equal(uvow_sink_push(sink, uvow_value_text("two ")), 0);
    uvow_future_t *flushed = uvow_sink_flushed(sink);
    uvow_sink_end(sink);
    assert_int_equal(wait(&s, flushed), 0);
  }
  expect_file(s.to, "one two one two ");
  uvow_file_t *file = open_file(&s, s.to, UV_FS_O_RDONLY);
  assert_int_equal(wait(&s, uvow_fs_read(file, 4, -1)), 0);
  uvow_stream_t *rest = uvow_file_stream(file);
  assert_int_equal(loop_bed_wait(&s.bed, uvow_stream_next(rest), &r), 0);
  assert_int_equal(uvow_result_bytes(&r).len, 12);
  uvow_stream_unref(rest);
  uvow_sink_t *sink = uvow_file_sink(file); /* it can't be written */
  uvow_future_t *flushed = uvow_sink_flushed(sink);
  assert_int_equal(uvow_sink_push(sink, uvow_value_text("x")), 0);
  assert_int_equal(loop_bed_wait(&s.bed, flushed, &r), UV_EBADF);
  assert_non_null(strstr(uvow_error_message(r.error), s.to));
  uvow_sink_drop(sink);
  sink = uvow_file_sink(file); /* under way as the loop closes */
  (void)uvow_sink_push(sink, uvow_value_text("x"));
  uvow_stream_t *last = uvow_file_stream(file);
  uvow_loop_close(s.bed.loop, NULL, NULL);
  s.bed.loop = NULL;
  assert_null(uvow_file_stream(file));
  assert_null(uvow_file_sink(file));
  uvow_stream_unref(last);
  uvow_sink_drop(sink);
  uvow_file_unref(file);
  assert_null(uvow_file_sink(NULL));
  assert_null(uvow_file_stream(NULL));
  loop_bed_close(&s.bed, "");
  folder_remove(&s.folder);
}

/* Who asks lets go of the stream before it's answered: what is put ends it. */
TEST_CASE(a_last_ask) {
  scene_t s;
  open_scene(&s);
  for (int i = 0; i < 50; i++) {
    uvow_stream_t *of[] = {uvow_fs_read_stream(s.bed.loop, s.from),
                           uvow_fs_scandir(s.bed.loop, s.folder.path)};
    for (int k = 0; k < 2; k++) {
      uvow_future_t *f = uvow_stream_next(of[k]);
      uvow_stream_unref(of[k]);
      assert_int_equal(loop_bed_wait(&s.bed, f, NULL), 0);
    }
    loop_bed_run(&s.bed);
  }
  close_scene(&s);
}

TEST_CASE(given_up) {
  scene_t s;
  open_scene(&s);
  for (int turns = 0; turns < 12; turns++) {
    uvow_sink_t *sink = uvow_fs_write_sink(s.bed.loop, s.to);
    (void)uvow_sink_push(sink, uvow_value_text("half of it"));
    for (int i = 0; i < turns; i++)
      uv_run(&s.bed.uv, UV_RUN_NOWAIT);
    uvow_sink_drop(sink);
    uvow_stream_t *bytes = uvow_fs_read_stream(s.bed.loop, s.from);
    for (int i = 0; i < turns; i++)
      uv_run(&s.bed.uv, UV_RUN_ONCE);
    assert_int_equal(wait(&s, uvow_stream_close(bytes)), 0);
    loop_bed_run(&s.bed);
    assert_int_equal(entries(&s), 1);
  }
  uvow_future_t *f = uvow_stream_pipe(uvow_fs_read_stream(s.bed.loop, s.from),
                                      uvow_fs_write_sink(s.bed.loop, s.to));
  uv_run(&s.bed.uv, UV_RUN_ONCE);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  loop_bed_run(&s.bed);
  assert_int_equal(entries(&s), 1);
  close_scene(&s);
}

static void expect_text(scene_t *s, uvow_future_t *f, int code,
                        const char *text) {
  uvow_result_t r;
  assert_int_equal(loop_bed_wait(&s->bed, f, &r), code);
  assert_non_null(strstr(uvow_error_message(r.error), text));
}

TEST_CASE(what_cannot_be) {
  scene_t s;
  open_scene(&s);
  uvow_stream_t *bytes = uvow_fs_read_stream(s.bed.loop, s.to);
  expect_text(&s, uvow_stream_next(bytes), UV_ENOENT, "open ");
  uvow_stream_unref(bytes);
  bytes = uvow_fs_read_stream(s.bed.loop, s.folder.path);
  expect_text(&s, uvow_stream_next(bytes), UV_EISDIR, "read ");
  uvow_stream_unref(bytes);
  bytes = uvow_fs_read_stream(s.bed.loop, NULL);
  expect_text(&s, uvow_stream_next(bytes), UVOW_EINVAL, "open NULL");
  uvow_stream_unref(bytes);
  uvow_sink_t *sink = uvow_fs_write_sink(s.bed.loop, "/no/such/folder/x");
  uvow_future_t *flushed = uvow_sink_flushed(sink);
  uvow_sink_end(sink);
  expect_text(&s, flushed, UV_ENOENT, "open /no/such/folder/x: no such");
  /* A pipe says the same. */
  expect_text(&s,
              uvow_stream_pipe(uvow_fs_read_stream(s.bed.loop, s.from),
                               uvow_fs_write_sink(s.bed.loop, "/no/such/x")),
              UV_ENOENT, "open /no/such/x: no such");
  sink = uvow_fs_write_sink(s.bed.loop, s.folder.path); /* a folder is there */
  flushed = uvow_sink_flushed(sink);
  uvow_sink_end(sink);
  expect_text(&s, flushed, UV_EISDIR, "rename ");
  sink = uvow_fs_write_sink(s.bed.loop, s.to);
  flushed = uvow_sink_flushed(sink);
  assert_int_equal(uvow_sink_push(sink, uvow_value_int64(1)), 0);
  expect_text(&s, flushed, UVOW_ETYPE, "write ");
  assert_int_equal(uvow_sink_push(sink, uvow_value_text("x")), UVOW_ECLOSED);
  uvow_sink_end(sink);
  sink = uvow_fs_write_sink(s.bed.loop, NULL);
  assert_int_equal(uvow_sink_push(sink, uvow_value_text("x")), UVOW_ECLOSED);
  uvow_sink_drop(sink);
  assert_null(uvow_fs_read_stream(NULL, s.from));
  assert_null(uvow_fs_write_sink(NULL, s.to));
  loop_bed_run(&s.bed);
  assert_int_equal(entries(&s), 1);
  close_scene(&s);
}

/* The loop closes at each moment. */
TEST_CASE(the_loop_closes_meanwhile) {
  scene_t s;
  for (int turns = 0; turns < 8; turns++) {
    open_scene(&s);
    uvow_sink_t *sink = uvow_fs_write_sink(s.bed.loop, s.to);
    uvow_future_t *f =
        uvow_stream_pipe(uvow_fs_read_stream(s.bed.loop, s.from), sink);
    for (int i = 0; i < turns; i++)
      uv_run(&s.bed.uv, UV_RUN_ONCE);
    uvow_future_detach(f);
    loop_bed_close(&s.bed, "closed");
    assert_in_range(entries(&s), 1, 2);
    if (entries(&s) == 2)
      expect_file(s.to, large);
    folder_remove(&s.folder);
  }
}

TEST_MODULE(file_io) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_copy),
      cmocka_unit_test(a_secret_stays_one),
      cmocka_unit_test(a_reader_that_waits),
      cmocka_unit_test(an_open_file),
      cmocka_unit_test(a_last_ask),
      cmocka_unit_test(given_up),
      cmocka_unit_test(what_cannot_be),
      cmocka_unit_test(the_loop_closes_meanwhile),
  };
  return cmocka_run_group_tests_name("uv/file_io", tests, NULL, NULL);
}
