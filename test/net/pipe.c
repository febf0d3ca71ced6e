/* Unix domain sockets: streams, and a client and a server on one. */
#include "net/tcp.h"

#include "support/folder.h"
#include "support/script.h"
#include "support/serve.h"

#include <stdio.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <uvow/server.h>

#include "net/connect.h"

/* One end of a stream, and what it was told. */
typedef struct side {
  uvow__io_t *stream;
  char text[64]; /* all that came */
  int opened;
  int read;
  int ended;
  int closed;
  uvow_error_t *error;
} side_t;

static void on_open(void *ctx) {
  ((side_t *)ctx)->opened++;
}

static void on_read(void *ctx, const uint8_t *bytes, size_t len) {
  side_t *side = (side_t *)ctx;
  size_t at = strlen(side->text);
  assert_true(at + len < sizeof(side->text));
  memcpy(side->text + at, bytes, len);
  side->read = 1;
}

static void on_drained(void *ctx) {
  (void)ctx;
}

static void on_end(void *ctx, uvow_error_t *error) {
  side_t *side = (side_t *)ctx;
  side->ended++;
  side->error = error;
}

static void on_closed(void *ctx) {
  ((side_t *)ctx)->closed++;
}

static const uvow__io_callbacks_t callbacks = {on_open, on_read, on_drained,
                                               on_end, on_closed};

typedef struct fixture {
  script_t s;
  folder_t folder;
  char path[FOLDER_PATH];
  uvow__listener_t *listener;
  int accepts; /* how many are wanted */
  int unlistened;
  side_t a; /* connects */
  side_t b; /* is accepted */
} fixture_t;

static void on_incoming(void *ctx, uvow__listener_t *listener) {
  fixture_t *x = (fixture_t *)ctx;
  if (x->accepts-- > 0)
    assert_int_equal(uvow__tcp_transport.accept(&uvow__tcp_transport, listener,
                                                &callbacks, &x->b,
                                                &x->b.stream),
                     0);
}

static void on_unlistened(void *ctx) {
  ((fixture_t *)ctx)->unlistened++;
}

static const uvow__listener_callbacks_t listener_callbacks = {on_incoming,
                                                              on_unlistened};

static void start(fixture_t *x) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  folder_make(&x->folder);
  folder_file(&x->folder, "socket", NULL, x->path);
  x->accepts = 1;
}

static void start_listener(fixture_t *x) {
  start(x);
  assert_int_equal(uvow__pipe_listen(x->s.loop, x->path, &listener_callbacks, x,
                                     &x->listener),
                   0);
}

static void connect_to(fixture_t *x, const char *path) {
  uvow__endpoint_t endpoint = {"localhost", 80, 0, path, 10};
  assert_int_equal(uvow__tcp_transport.connect(&uvow__tcp_transport, x->s.loop,
                                               &endpoint, &callbacks, &x->a,
                                               &x->a.stream),
                   0);
}

static void close_side(side_t *side) {
  if (side->stream)
    side->stream->ops->close(side->stream);
}

/* Until it has closed, though lingering it doesn't hold the loop. */
static void await_closed(fixture_t *x, side_t *side) {
  if (side->stream && !side->closed) {
    side->stream->ops->hold(side->stream, 1);
    script_until(&x->s, &side->closed);
  }
  uvow_error_unref(side->error);
}

static void end(fixture_t *x) {
  close_side(&x->a);
  close_side(&x->b);
  await_closed(x, &x->a);
  await_closed(x, &x->b);
  if (x->listener) {
    uvow__unlisten(x->listener);
    script_until(&x->s, &x->unlistened);
  }
  script_end(&x->s);
  folder_remove(&x->folder);
}

static void say(fixture_t *x, side_t *side, const char *text) {
  uvow__buf_t out;
  uvow__buf_init(&out, uvow__loop_mem(x->s.loop), SIZE_MAX);
  assert_int_equal(uvow__buf_append_text(&out, text), 0);
  assert_int_equal(side->stream->ops->write(side->stream, &out), 0);
  uvow__buf_done(&out);
}

static int is_there(fixture_t *x) {
  uv_fs_t req;
  int rc = uv_fs_stat(&x->s.uv, &req, x->path, NULL);
  uv_fs_req_cleanup(&req);
  return rc == 0;
}

TEST_CASE(bytes_go_both_ways) {
  fixture_t x;
  start_listener(&x);
  connect_to(&x, x.path);
  script_until(&x.s, &x.a.opened);
  while (!x.b.stream)
    uv_run(&x.s.uv, UV_RUN_ONCE);
  say(&x, &x.a, "hello");
  script_until(&x.s, &x.b.read);
  say(&x, &x.b, "and you");
  script_until(&x.s, &x.a.read);
  assert_string_equal(x.b.text, "hello");
  assert_string_equal(x.a.text, "and you");
  close_side(&x.b);
  x.b.stream = NULL;
  script_until(&x.s, &x.a.ended);
  assert_null(x.a.error); /* in order */
  end(&x);
}

TEST_CASE(the_file_comes_and_goes) {
  fixture_t x;
  uint16_t port = 1;
  uvow__listener_t *second = NULL;
  start_listener(&x);
  assert_true(is_there(&x));
  assert_int_equal(uvow__listens_at(x.listener, &port), 0);
  assert_int_equal(port, 0);
  assert_int_equal(
      uvow__pipe_listen(x.s.loop, x.path, &listener_callbacks, &x, &second),
      UV_EADDRINUSE);
  assert_true(is_there(&x));
  uvow__unlisten(x.listener);
  script_until(&x.s, &x.unlistened);
  assert_false(is_there(&x));
  x.listener = NULL;
  end(&x);
}

TEST_CASE(a_peer_that_nobody_takes_is_refused) {
  fixture_t x;
  start_listener(&x);
  x.accepts = 0;
  connect_to(&x, x.path);
  script_until(&x.s, &x.a.ended);
  assert_int_equal(x.a.opened, 1);
  end(&x);
}

static void expect_failure(const char *path, int code, const char *word) {
  fixture_t x;
  start(&x);
  connect_to(&x, path ? path : x.path);
  script_until(&x.s, &x.a.ended);
  assert_int_equal(uvow_error_code(x.a.error), code);
  assert_int_equal(uvow_error_outcome(x.a.error), UVOW_OUTCOME_NONE);
  assert_non_null(strstr(uvow_error_message(x.a.error), word));
  assert_int_equal(x.a.opened, 0);
  end(&x);
}

TEST_CASE(nobody_there_is_an_error_with_the_path) {
  expect_failure(NULL, UV_ENOENT, "/socket: no such file");
}

TEST_CASE(a_path_too_long_is_refused) {
  fixture_t x;
  char path[UVOW__SOCKET_PATH_MAX + 2];
  memset(path, 'p', sizeof(path));
  path[0] = '/';
  path[sizeof(path) - 1] = '\0';
  expect_failure(path, UV_ENAMETOOLONG, "too long for a socket");
  start(&x);
  assert_int_equal(
      uvow__pipe_listen(x.s.loop, path, &listener_callbacks, &x, &x.listener),
      UV_ENAMETOOLONG);
  assert_int_equal(
      uvow__pipe_listen(x.s.loop, "", &listener_callbacks, &x, &x.listener),
      UVOW_EINVAL);
  end(&x);
  path[UVOW__SOCKET_PATH_MAX] = '\0'; /* one less: nobody is there */
  expect_failure(path, UV_ENOENT, "no such file");
}

TEST_CASE(closed_early_it_says_nothing) {
  for (int turns = 0; turns < 3; turns++) {
    fixture_t x;
    start_listener(&x);
    connect_to(&x, x.path);
    for (int i = 0; i < turns; i++)
      uv_run(&x.s.uv, UV_RUN_NOWAIT);
    side_t before = x.a;
    close_side(&x.a);
    assert_int_equal(x.a.opened, before.opened);
    assert_int_equal(x.a.ended, 0);
    x.a.stream = NULL;
    end(&x);
  }
}

/* A client and a server of uvow's. */

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static test_serve_t server_options(fixture_t *x) {
  test_serve_t options = test_serve_options();
  options.listener.socket_path = x->path;
  return options;
}

static void expect_echo(script_t *s) {
  script_mark_t a = script_mark(s, "a");
  script_watch(uvow_peer_request(s->client, "echo", uvow_value_raw("[\"x\"]")),
               &a);
  script_until(s, &a.done);
  script_expect(s, "a=[\"x\"]");
}

TEST_CASE(a_client_asks_a_server) {
  fixture_t x;
  uvow_server_t *server;
  char url[FOLDER_PATH + 32];
  start(&x);
  test_serve_t options = server_options(&x);
  options.listener.tcp_keepalive_s = 5; /* of no use here, and no harm */
  assert_int_equal(test_serve(x.s.loop, &options, &server), 0);
  assert_int_equal(uvow_server_port(server), 0);
  test_method(server, "echo", echo, NULL);
  test_connect_t client = script_options(&x.s);
  snprintf(url, sizeof(url), "ws+unix://%s:/path?q=1", x.path);
  client.url = url;
  client.websocket.proxy = "http://127.0.0.1:1"; /* not for a path */
  assert_int_equal(test_connect(x.s.loop, &client, &x.s.client), 0);
  expect_echo(&x.s);
  uvow_server_free(server);
  script_turns(&x.s);
  assert_false(is_there(&x));
  end(&x);
}

TEST_CASE(options_that_contradict_are_refused) {
  fixture_t x;
  uvow_server_t *server = NULL;
  start(&x);
  test_serve_t options = server_options(&x);
  options.listener.host = "127.0.0.1";
  assert_int_equal(test_serve(x.s.loop, &options, &server), UVOW_EINVAL);
  options = server_options(&x);
  options.listener.port = 1;
  assert_int_equal(test_serve(x.s.loop, &options, &server), UVOW_EINVAL);
  options = server_options(&x);
  options.listener.tcp_keepalive_s = 32768;
  assert_int_equal(test_serve(x.s.loop, &options, &server), UVOW_EINVAL);
  test_connect_t client = script_options(&x.s);
  client.websocket.tcp_keepalive_s = 32768;
  assert_int_equal(test_connect(x.s.loop, &client, &x.s.client), UVOW_EINVAL);
  assert_false(is_there(&x));
  end(&x);
}

/* Every TCP socket of the loop that is connected: how many probe. */
typedef struct probes {
  int on;
  int off;
  int delay;
} probes_t;

static void look(uv_handle_t *handle, void *data) {
  probes_t *probes = (probes_t *)data;
  uv_os_fd_t fd;
  struct sockaddr_storage peer;
  int peer_len = sizeof(peer);
  int value = 0;
  socklen_t len = sizeof(value);
  if (handle->type != UV_TCP || uv_fileno(handle, &fd) ||
      uv_tcp_getpeername((uv_tcp_t *)handle, (struct sockaddr *)&peer,
                         &peer_len))
    return;
  assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
  probes->on += value != 0;
  probes->off += value == 0;
#ifdef TCP_KEEPIDLE
  len = sizeof(value);
  if (getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &value, &len) == 0)
    probes->delay = value;
#endif
}

TEST_CASE(tcp_probes_a_silent_peer_if_told_to) {
  for (int told = 0; told < 4; told++) {
    fixture_t x;
    uvow_server_t *server;
    char url[64];
    probes_t probes = {0, 0, 0};
    start(&x);
    test_serve_t options = server_options(&x);
    options.listener.socket_path = NULL;
    options.listener.tcp_keepalive_s = told & 1 ? 77 : 0;
    assert_int_equal(test_serve(x.s.loop, &options, &server), 0);
    test_method(server, "echo", echo, NULL);
    test_connect_t client = script_options(&x.s);
    snprintf(url, sizeof(url), "ws://127.0.0.1:%u",
             (unsigned)uvow_server_port(server));
    client.url = url;
    client.websocket.tcp_keepalive_s = told & 2 ? 77 : 0;
    assert_int_equal(test_connect(x.s.loop, &client, &x.s.client), 0);
    expect_echo(&x.s);
    uv_walk(&x.s.uv, look, &probes);
    assert_int_equal(probes.on, (told & 1) + (told >> 1));
    assert_int_equal(probes.on + probes.off, 2);
    if (told == 3 && probes.delay)
      assert_int_equal(probes.delay, 77);
    uvow_server_free(server);
    end(&x);
  }
}

static void listen_with(test_alloc_t *alloc, void *data) {
  const folder_t *folder = (const folder_t *)data;
  fixture_t x;
  memset(&x, 0, sizeof(x));
  folder_file(folder, "socket", NULL, x.path);
  script_init_with(&x.s, alloc);
  uvow_server_t *server = NULL;
  test_serve_t options = server_options(&x);
  test_connect_t client = script_options(&x.s);
  char url[FOLDER_PATH + 32];
  snprintf(url, sizeof(url), "ws+unix://%s", x.path);
  client.url = url;
  if (x.s.loop && test_serve(x.s.loop, &options, &server) == 0) {
    if (test_connect(x.s.loop, &client, &x.s.client) == 0) {
      script_turns(&x.s);
      script_turns(&x.s);
    }
    uvow_server_free(server);
  }
  script_quit(&x.s);
}

TEST_CASE(without_memory_it_fails_in_order) {
  folder_t folder;
  folder_make(&folder);
  test_alloc_sweep(listen_with, &folder);
  folder_remove(&folder);
}

TEST_MODULE(pipe) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_go_both_ways),
      cmocka_unit_test(the_file_comes_and_goes),
      cmocka_unit_test(a_peer_that_nobody_takes_is_refused),
      cmocka_unit_test(nobody_there_is_an_error_with_the_path),
      cmocka_unit_test(a_path_too_long_is_refused),
      cmocka_unit_test(closed_early_it_says_nothing),
      cmocka_unit_test(a_client_asks_a_server),
      cmocka_unit_test(options_that_contradict_are_refused),
      cmocka_unit_test(tcp_probes_a_silent_peer_if_told_to),
      cmocka_unit_test(without_memory_it_fails_in_order),
  };
  return cmocka_run_group_tests_name("net/pipe", tests, NULL, NULL);
}
