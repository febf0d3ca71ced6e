/* What libuv does, with each of uvow's allocations failing, and with each of
 * libuv's calls. */
#include <signal.h>

#include <netdb.h>

#include <uvow/uv.h>

#include "support/loop_bed.h"
#include "support/folder.h"
#include "support/faults.h"

typedef struct scene {
  loop_bed_t bed;
  folder_t folder;
  char path[FOLDER_PATH];
  char other[FOLDER_PATH];
  char copy[FOLDER_PATH];
  int code;  /* what fails */
  int begun; /* pieces of work that own data */
  int destroyed;
} scene_t;

static void on_destroy(void *data) {
  ((scene_t *)data)->destroyed++;
}

static uvow_value_t works(void *data) {
  (void)data;
  return uvow_value_int64(1);
}

/* As loop_bed_wait; NULL is what fails, and the loop knows it. */
static int wait(scene_t *s, uvow_future_t *f, uvow_result_t *ret) {
  int rc = f ? loop_bed_wait(&s->bed, f, ret)
             : uvow_error_code(uvow_loop_error(s->bed.loop));
  if (rc)
    assert_int_equal(rc, s->code);
  return rc;
}

/* Reads until it's over, one way or another. */
static void read_all(scene_t *s, uvow_stream_t *stream) {
  uvow_result_t r;
  while (stream && wait(s, uvow_stream_next(stream), &r) == 0 &&
         !uvow_result_is_end(&r)) {
  }
  uvow_stream_unref(stream);
}

static void use_file(scene_t *s, uvow_file_t *file) {
  uvow_result_t r;
  wait(s, uvow_fs_write(file, uvow_value_text("hello"), 0), &r);
  wait(s, uvow_fs_fsync(file), &r);
  wait(s, uvow_fs_read(file, 10, 0), &r);
  uvow_sink_end(uvow_file_sink(file));
  read_all(s, uvow_file_stream(file));
  uvow_file_unref(file);
}

static void give_up(uvow_channel_t channel) {
  uvow_stream_unref(channel.in);
  uvow_sink_drop(channel.out);
}

/* Until one of the two is settled. Whether the first is, and has an item. */
static int first_has(scene_t *s, uvow_future_t *f, uvow_future_t *other,
                     uvow_result_t *ret) {
  if (f && other)
    while (uvow_future_state(f) == UVOW_PENDING &&
           uvow_future_state(other) == UVOW_PENDING)
      uv_run(&s->bed.uv, UV_RUN_ONCE);
  return f && uvow_future_peek(f, ret) == 0 && !ret->error &&
         !uvow_result_is_end(ret);
}

/* Where it can't be written, a's half is over, and b waits for more. */
static void talk(scene_t *s, uvow_channel_t a, uvow_channel_t b) {
  uvow_result_t r;
  uvow_future_t *next = NULL, *flushed = NULL;
  if (a.in && b.in && uvow_sink_push(a.out, uvow_value_text("hello")) == 0) {
    next = uvow_stream_next(b.in);
    flushed = uvow_sink_flushed(a.out);
  }
  if (first_has(s, next, flushed, &r)) {
    (void)uvow_sink_push(b.out, uvow_result_keep(&r));
    uvow_sink_end(b.out);
    uvow_sink_end(a.out);
    uvow_stream_unref(b.in);
    uvow_stream_unref(a.in);
  } else {
    give_up(a);
    give_up(b);
  }
  uvow_future_drop(next);
  uvow_future_drop(flushed);
}

static void use_sockets(scene_t *s) {
  uvow_channel_t a = {NULL, NULL}, b = {NULL, NULL};
  uvow_loop_t *loop = s->bed.loop;
  uvow_result_t r;
  uint16_t port = 0;
  uvow_stream_t *peers = uvow_tcp_listen(loop, "127.0.0.1", 0, &port);
  if (port)
    a = uvow_tcp_connect(loop, "127.0.0.1", port);
  /* A peer that there's no memory for is refused: then a ends, not peers. */
  uvow_future_t *next = a.in ? uvow_stream_next(peers) : NULL;
  uvow_future_t *end = a.in ? uvow_stream_next(a.in) : NULL;
  if (first_has(s, next, end, &r))
    b = uvow_result_channel(&r);
  uvow_future_drop(next);
  uvow_future_drop(end);
  talk(s, a, b);
  uvow_stream_unref(peers);
}

static void use_streams(scene_t *s) {
  uvow_loop_t *loop = s->bed.loop;
  uvow_result_t r;
  read_all(s, uvow_fs_scandir(loop, s->folder.path));
  uvow_stream_unref(uvow_signal(loop, SIGUSR1));
  uvow_stream_unref(uvow_fs_watch(loop, s->folder.path));
  uvow_stream_unref(uvow_fs_poll(loop, s->folder.path, 1000));
  give_up(uvow_pipe_connect(loop, s->path));
  use_sockets(s);
  uvow_future_t *f = uvow_stream_pipe(uvow_fs_read_stream(loop, s->other),
                                      uvow_fs_write_sink(loop, s->copy));
  int rc = f ? loop_bed_wait(&s->bed, f, &r) : s->code;
  /* Where the sink had failed already, it's just closed. */
  assert_true(rc == 0 || rc == s->code || rc == UVOW_ECLOSED);
}

static void use_process(scene_t *s) {
  const char *args[] = {"true", NULL};
  uvow_process_options_t options = {.size = sizeof(options), .args = args};
  options.pipes = UVOW_STDIN | UVOW_STDOUT | UVOW_STDERR;
  uvow_result_t r;
  uvow_process_t *process = uvow_spawn(s->bed.loop, &options);
  if (!process)
    return;
  uvow_channel_t stdio = uvow_process_stdio(process);
  uvow_sink_end(stdio.out);
  read_all(s, stdio.in);
  read_all(s, uvow_process_errors(process));
  wait(s, uvow_process_close(process), &r);
  uvow_process_unref(process);
}

static void use_all(scene_t *s) {
  uvow_loop_t *loop = s->bed.loop;
  uvow_result_t r;
  s->begun = s->destroyed = 0;
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
  s->begun++;
  wait(s, uvow_work_own(loop, works, s, on_destroy), &r);
  loop_bed_run(&s->bed);
  assert_int_equal(s->begun, s->destroyed);
  wait(s, uvow_resolve(loop, "127.0.0.1"), &r);
  wait(s, uvow_resolve_address(loop, "127.0.0.1", 80, NI_NUMERICHOST), &r);
  wait(s, uvow_random(loop, 16), &r);
  use_process(s);
  use_streams(s);
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

static void prepare(scene_t *s, int code) {
  static char large[100001];
  memset(s, 0, sizeof(*s));
  memset(large, 'x', sizeof(large) - 1);
  signal(SIGPIPE, SIG_IGN);
  s->code = code;
  folder_make(&s->folder);
  folder_file(&s->folder, "a", NULL, s->path);
  folder_file(&s->folder, "b", large, s->other);
  folder_file(&s->folder, "c", NULL, s->copy);
}

TEST_CASE(every_allocation_may_fail) {
  scene_t s;
  prepare(&s, UVOW_ENOMEM);
  test_alloc_sweep(body, &s);
  folder_remove(&s.folder);
}

static void body_of_calls(void *data) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  body(&alloc, data);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(every_call_of_libuvs_may_fail) {
  scene_t s;
  prepare(&s, UV_EBADF);
  faults_sweep(UV_EBADF, body_of_calls, &s);
  folder_remove(&s.folder);
}

/* Nothing fails: what can't be written at once is written later. */
TEST_CASE(every_write_may_have_to_wait) {
  scene_t s;
  prepare(&s, 0);
  faults_sweep(UV_EAGAIN, body_of_calls, &s);
  folder_remove(&s.folder);
}

TEST_MODULE(oom) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(every_call_of_libuvs_may_fail),
      cmocka_unit_test(every_write_may_have_to_wait),
  };
  return cmocka_run_group_tests_name("uv/oom", tests, NULL, NULL);
}
