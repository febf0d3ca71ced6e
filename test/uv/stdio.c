/* This process's own input and output, as each kind of thing. */
#define _XOPEN_SOURCE 700 /* posix_openpt */

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <uvow/uv.h>

#include "support/faults.h"
#include "support/folder.h"
#include "support/loop_bed.h"

/* Both descriptors as they were. */
typedef struct scene {
  loop_bed_t bed;
  int in;
  int out;
} scene_t;

/* These become ours. */
static void open_scene(scene_t *s, int in, int out) {
  memset(s, 0, sizeof(*s));
  fflush(stdout);
  s->in = dup(0);
  s->out = dup(1);
  assert_int_equal(dup2(in, 0), 0);
  assert_int_equal(dup2(out, 1), 1);
  loop_bed_open(&s->bed);
}

static void close_scene(scene_t *s) {
  loop_bed_close(&s->bed, "closed");
  dup2(s->in, 0);
  dup2(s->out, 1);
  close(s->in);
  close(s->out);
}

/* Echoes lines until the end, or an error. */
static int echo(scene_t *s) {
  uvow_channel_t lines = uvow_channel_lines(uvow_stdio(s->bed.loop), 1000);
  return loop_bed_wait(&s->bed, uvow_stream_pipe(lines.in, lines.out), NULL);
}

TEST_CASE(pipes) {
  scene_t s;
  char text[64] = "";
  int in[2], out[2];
  assert_int_equal(pipe(in), 0);
  assert_int_equal(pipe(out), 0);
  assert_int_equal(write(in[1], "one\ntwo\n", 8), 8);
  close(in[1]);
  open_scene(&s, in[0], out[1]);
  int rc = echo(&s);
  loop_bed_run(&s.bed);
  close_scene(&s);
  close(in[0]);
  close(out[1]);
  assert_int_equal(rc, 0);
  assert_int_equal(read(out[0], text, sizeof(text)), 8);
  assert_string_equal(text, "one\ntwo\n");
  close(out[0]);
}

/* What printf does with a pipe that is full is to wait. */
TEST_CASE(stdin_alone_leaves_stdout) {
  scene_t s;
  uvow_result_t r;
  int in[2], out[2];
  assert_int_equal(pipe(in), 0);
  assert_int_equal(pipe(out), 0);
  assert_int_equal(write(in[1], "one\n", 4), 4);
  close(in[1]);
  open_scene(&s, in[0], out[1]);
  uvow_stream_t *lines = uvow_stream_lines(uvow_stdin(s.bed.loop), 1000);
  int rc = loop_bed_wait(&s.bed, uvow_stream_next(lines), &r);
  size_t len = uvow_result_bytes(&r).len;
  int flags = fcntl(1, F_GETFL);
  uvow_stream_unref(lines);
  close_scene(&s);
  close(in[0]);
  close(out[0]);
  close(out[1]);
  assert_int_equal(rc, 0);
  assert_int_equal(len, 3);
  assert_false(flags & O_NONBLOCK);
}

TEST_CASE(errors_go_to_stderr) {
  loop_bed_t bed;
  char text[64] = "";
  int out[2];
  int before = dup(2);
  assert_int_equal(pipe(out), 0);
  assert_int_equal(dup2(out[1], 2), 2);
  loop_bed_open(&bed);
  uvow_sink_t *err = uvow_stderr(bed.loop);
  uvow_future_t *flushed = uvow_sink_flushed(err);
  int pushed = uvow_sink_push(err, uvow_value_text("it failed\n"));
  uvow_sink_end(err);
  int rc = loop_bed_wait(&bed, flushed, NULL);
  loop_bed_close(&bed, "closed");
  int is_open = fcntl(2, F_GETFD) >= 0; /* it's never closed */
  dup2(before, 2);
  close(before);
  close(out[1]);
  assert_int_equal(pushed, 0);
  assert_int_equal(rc, 0);
  assert_true(is_open);
  assert_int_equal(read(out[0], text, sizeof(text)), 10);
  assert_string_equal(text, "it failed\n");
  close(out[0]);
  assert_null(uvow_stderr(NULL));
}

TEST_CASE(files) {
  folder_t folder;
  scene_t s;
  char from[FOLDER_PATH], to[FOLDER_PATH], text[64] = "";
  folder_make(&folder);
  int in = open(folder_file(&folder, "in", "one\ntwo\n", from), O_RDONLY);
  int out = open(folder_file(&folder, "out", NULL, to), O_CREAT | O_RDWR, 0600);
  open_scene(&s, in, out);
  int rc = echo(&s);
  loop_bed_run(&s.bed);
  close_scene(&s);
  assert_int_equal(rc, 0);
  assert_int_equal(pread(out, text, sizeof(text), 0), 8);
  assert_string_equal(text, "one\ntwo\n");
  close(in);
  close(out);
  folder_remove(&folder);
}

TEST_CASE(a_terminal) {
  uvow_result_t r;
  size_t len = 0;
  scene_t s;
  char text[64] = "";
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  assert_true(master >= 0);
  assert_int_equal(grantpt(master), 0);
  assert_int_equal(unlockpt(master), 0);
  int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
  assert_true(slave >= 0);
  assert_int_equal(write(master, "typed\n", 6), 6);
  open_scene(&s, slave, slave);
  uvow_channel_t tty = uvow_stdio(s.bed.loop);
  int rc = loop_bed_wait(&s.bed, uvow_stream_next(tty.in), &r);
  len = uvow_result_bytes(&r).len;
  uvow_future_t *flushed = uvow_sink_flushed(tty.out);
  (void)uvow_sink_push(tty.out, uvow_value_text("shown"));
  uvow_sink_end(tty.out);
  int flush = loop_bed_wait(&s.bed, flushed, NULL);
  uvow_future_detach(uvow_stream_collect(tty.in, 10)); /* until the end */
  close_scene(&s);
  assert_int_equal(rc, 0);
  assert_int_equal(len, 6);
  assert_int_equal(flush, 0);
  ssize_t got = read(master, text, sizeof(text) - 1); /* its echo first */
  assert_true(got > 0 && strstr(text, "typed"));
  if (!strstr(text, "shown"))
    assert_true(read(master, text + got, sizeof(text) - 1 - (size_t)got) > 0);
  assert_non_null(strstr(text, "shown"));
  close(slave);
  close(master);
}

/* What each kind is made of, and how it may fail. */
typedef struct kind {
  int in;
  int out;
  int code; /* what fails so; 0: memory */
} kind_t;

static void expect_failed(loop_bed_t *bed, uvow_stream_t *in,
                          const kind_t *kind) {
  uvow_result_t r;
  uvow_future_t *next = uvow_stream_next(in);
  if (!next || uvow_future_state(next) == UVOW_PENDING) {
    uvow_future_drop(next);
    return;
  }
  int code = loop_bed_wait(bed, next, &r);
  assert_true(code == UVOW_ENOMEM || code == kind->code);
}

/* It's there or it isn't, half of it never; and nothing of it stays. */
static void use(test_alloc_t *alloc, void *data) {
  const kind_t *kind = (const kind_t *)data;
  loop_bed_t bed;
  memset(&bed, 0, sizeof(bed));
  int in = dup(0), out = dup(1);
  fflush(stdout);
  dup2(kind->in, 0);
  dup2(kind->out, 1);
  if (loop_bed_open_with(&bed, alloc)) {
    assert_int_equal(uv_loop_close(&bed.uv), 0);
  } else {
    uvow_channel_t stdio = uvow_stdio(bed.loop);
    int halves = (stdio.in != NULL) + (stdio.out != NULL);
    if (stdio.in) {
      (void)uvow_sink_push(stdio.out, uvow_value_text("x"));
      uvow_sink_end(stdio.out);
      expect_failed(&bed, stdio.in, kind);
    }
    uvow_stream_unref(stdio.in);
    loop_bed_close(&bed, "closed");
    assert_true(halves != 1);
    assert_true(halves == 2 || alloc->failed);
  }
  dup2(in, 0);
  dup2(out, 1);
  close(in);
  close(out);
}

static void use_faults(void *data) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  use(&alloc, data);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(each_kind_may_fail) {
  int in[2], out[2];
  assert_int_equal(pipe(in), 0);
  assert_int_equal(pipe(out), 0);
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  assert_int_equal(grantpt(master) || unlockpt(master), 0);
  int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
  int none = open("/dev/null", O_RDWR);
  kind_t kinds[] = {{in[0], out[1], 0}, {slave, slave, 0}, {none, none, 0}};
  for (size_t i = 0; i < 3; i++) {
    kinds[i].code = 0;
    test_alloc_sweep(use, &kinds[i]);
    kinds[i].code = UV_EBADF;
    faults_sweep(UV_EBADF, use_faults, &kinds[i]);
  }
  for (int i = 0; i < 2; i++) {
    close(in[i]);
    close(out[i]);
  }
  close(slave);
  close(master);
  close(none);
}

TEST_CASE(none_at_all) {
  scene_t s;
  uvow_result_t r;
  open_scene(&s, 0, 1);
  close(0);
  close(1);
  uvow_channel_t stdio = uvow_stdio(s.bed.loop);
  int rc = loop_bed_wait(&s.bed, uvow_stream_next(stdio.in), &r);
  int said = rc && strstr(uvow_error_message(r.error), "open stdin") != NULL;
  int pushed = uvow_sink_push(stdio.out, uvow_value_text("x"));
  uvow_stream_unref(stdio.in);
  uvow_sink_drop(stdio.out);
  close_scene(&s);
  assert_int_equal(rc, UV_EBADF);
  assert_true(said);
  assert_int_equal(pushed, UVOW_ECLOSED);
  assert_null(uvow_stdio(NULL).in);
  assert_null(uvow_stdin(NULL));
}

TEST_MODULE(stdio) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pipes),
      cmocka_unit_test(stdin_alone_leaves_stdout),
      cmocka_unit_test(errors_go_to_stderr),
      cmocka_unit_test(files),
      cmocka_unit_test(a_terminal),
      cmocka_unit_test(each_kind_may_fail),
      cmocka_unit_test(none_at_all),
  };
  return cmocka_run_group_tests_name("uv/stdio", tests, NULL, NULL);
}
