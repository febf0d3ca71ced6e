/* A listener and a peer, over TCP and a Unix domain socket, with each call of
 * libuv's failing. */
#include "net/tcp.h"

#include "support/folder.h"
#include "support/script.h"
#include "support/faults.h"

enum { SIZE = 3 * 1024 * 1024 }; /* more than leaves at once */

typedef struct scene scene_t;

typedef struct side {
  scene_t *scene;
  uvow__io_t *io; /* NULL: there's none, or it's closing */
  size_t got;
} side_t;

struct scene {
  script_t s;
  const char *path; /* NULL: TCP */
  int code;         /* what fails; 0: nothing does */
  int whole;        /* how often all has come */
  uvow__listener_t *listener;
  side_t a; /* connects, and writes */
  side_t b; /* is accepted, and reads */
  int open; /* ends and a listener that have yet to close */
};

/* Where the other side has gone, the system says it as it likes. */
static void check_code(const scene_t *x, int code) {
  if (code && code != UV_ECONNRESET && code != UV_EPIPE)
    assert_int_equal(code, x->code);
}

static void close_side(side_t *side) {
  uvow__io_t *io = side->io;
  side->io = NULL;
  if (!io)
    return;
  io->ops->close(io);
  io->ops->hold(io, 1); /* lingering, it doesn't by itself */
}

static void close_all(scene_t *x) {
  close_side(&x->a);
  close_side(&x->b);
  if (x->listener)
    uvow__unlisten(x->listener);
  x->listener = NULL;
}

static void on_open(void *ctx) {
  scene_t *x = ((side_t *)ctx)->scene;
  uvow__buf_t out;
  uvow__buf_init(&out, uvow__loop_mem(x->s.loop), SIZE_MAX);
  assert_int_equal(uvow__buf_reserve(&out, SIZE), 0);
  memset(out.data, 'x', SIZE);
  out.len = SIZE;
  int rc = x->a.io->ops->write(x->a.io, &out);
  uvow__buf_done(&out);
  check_code(x, rc);
  if (rc)
    close_all(x);
}

static void on_read(void *ctx, const uint8_t *bytes, size_t len) {
  side_t *side = (side_t *)ctx;
  side->got += len;
  assert_int_equal(bytes[len - 1], 'x');
  if (side->got == SIZE)
    close_all(side->scene);
}

static void on_drained(void *ctx) {
  (void)ctx;
}

static void on_end(void *ctx, uvow_error_t *error) {
  side_t *side = (side_t *)ctx;
  check_code(side->scene, uvow_error_code(error));
  uvow_error_unref(error);
  close_all(side->scene);
}

static void on_closed(void *ctx) {
  side_t *side = (side_t *)ctx;
  side->scene->open--;
}

static const uvow__io_callbacks_t callbacks = {on_open, on_read, on_drained,
                                               on_end, on_closed};

static void on_incoming(void *ctx, uvow__listener_t *listener) {
  scene_t *x = (scene_t *)ctx;
  int rc = uvow__tcp_transport.accept(&uvow__tcp_transport, listener,
                                      &callbacks, &x->b, &x->b.io);
  check_code(x, rc);
  x->open += rc == 0;
}

static void on_unlistened(void *ctx) {
  ((scene_t *)ctx)->open--;
}

static const uvow__listener_callbacks_t listener_callbacks = {on_incoming,
                                                              on_unlistened};

/* Returns libuv's error. */
static int start(scene_t *x) {
  uvow__endpoint_t endpoint = {"127.0.0.1", 0, 60, x->path, 0};
  int rc =
      uvow__tcp_transport.listen(&uvow__tcp_transport, x->s.loop, &endpoint,
                                 &listener_callbacks, x, &x->listener);
  if (rc)
    return rc;
  x->open++;
  rc = uvow__listens_at(x->listener, &endpoint.port);
  if (rc == 0)
    rc = uvow__tcp_transport.connect(&uvow__tcp_transport, x->s.loop, &endpoint,
                                     &callbacks, &x->a, &x->a.io);
  x->open += rc == 0;
  return rc;
}

static void body(void *data) {
  scene_t *x = (scene_t *)data;
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  x->a = x->b = (side_t){x, NULL, 0};
  script_init_with(&x->s, &alloc);
  if (x->s.loop) { /* else: there were no random bytes */
    int rc = start(x);
    check_code(x, rc);
    if (rc)
      close_all(x);
    while (x->open)
      assert_true(uv_run(&x->s.uv, UV_RUN_ONCE) || !x->open);
    if (x->code == 0)
      assert_int_equal(x->b.got, SIZE);
    x->whole += x->b.got == SIZE;
  }
  script_quit(&x->s);
  assert_int_equal(alloc.live, 0);
}

static void sweep(const char *path, int code) {
  scene_t x = {.path = path, .code = code == UV_EAGAIN ? 0 : code};
  faults_sweep(code, body, &x);
  assert_true(x.whole >= 2); /* before the first, and behind the last */
}

TEST_CASE(every_call_over_tcp_may_fail) {
  sweep(NULL, UV_EBADF);
}

TEST_CASE(every_write_over_tcp_may_have_to_wait) {
  sweep(NULL, UV_EAGAIN);
}

TEST_CASE(every_call_over_a_pipe_may_fail) {
  char path[FOLDER_PATH];
  folder_t folder;
  folder_make(&folder);
  folder_file(&folder, "s", NULL, path);
  sweep(path, UV_EBADF);
  folder_remove(&folder);
}

TEST_MODULE(faults) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_call_over_tcp_may_fail),
      cmocka_unit_test(every_write_over_tcp_may_have_to_wait),
      cmocka_unit_test(every_call_over_a_pipe_may_fail),
  };
  return cmocka_run_group_tests_name("net/faults", tests, NULL, NULL);
}
