/* Connecting and listening: TCP, paths, and what can't be. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

#include <uvow/uv.h>

#include "support/loop_bed.h"
#include "support/folder.h"

TEST_CASE(a_path) {
  loop_bed_t bed;
  folder_t folder;
  char path[FOLDER_PATH];
  uvow_result_t r;
  size_t len = 0;
  loop_bed_open(&bed);
  folder_make(&folder);
  uvow_stream_t *peers =
      uvow_pipe_listen(bed.loop, folder_file(&folder, "socket", NULL, path));
  uvow_channel_t a = uvow_pipe_connect(bed.loop, path);
  assert_int_equal(uvow_sink_push(a.out, uvow_value_text("hello")), 0);
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(peers), &r), 0);
  uvow_channel_t b = uvow_result_channel(&r);
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(b.in), &r), 0);
  len = uvow_result_bytes(&r).len;
  assert_int_equal(len, 5);
  uvow_sink_end(a.out);
  uvow_sink_end(b.out);
  uvow_stream_unref(a.in);
  uvow_stream_unref(b.in);
  uvow_stream_unref(peers);
  loop_bed_run(&bed);
  loop_bed_close(&bed, "closed");
  folder_remove(&folder);
}

/* Its end, and the message. */
static void expect_failure(loop_bed_t *bed, uvow_channel_t channel, int code,
                           const char *text) {
  uvow_result_t r;
  assert_non_null(channel.in);
  uvow_future_t *flushed = uvow_sink_flushed(channel.out);
  assert_int_equal(loop_bed_wait(bed, uvow_stream_next(channel.in), &r), code);
  assert_non_null(strstr(uvow_error_message(r.error), text));
  assert_int_equal(loop_bed_wait(bed, flushed, NULL),
                   code == UVOW_EINVAL ? UVOW_ECLOSED : code);
  assert_int_equal(uvow_sink_push(channel.out, uvow_value_none()),
                   UVOW_ECLOSED);
  uvow_stream_unref(channel.in);
  uvow_sink_drop(channel.out);
}

TEST_CASE(connections_that_fail) {
  loop_bed_t bed;
  uint16_t port = 0;
  loop_bed_open(&bed);
  uvow_stream_unref(uvow_tcp_listen(bed.loop, "127.0.0.1", 0, &port));
  loop_bed_run(&bed);
  expect_failure(&bed, uvow_tcp_connect(bed.loop, "127.0.0.1", port),
                 UV_ECONNREFUSED, "connect to 127.0.0.1");
  expect_failure(&bed, uvow_pipe_connect(bed.loop, "/no/such/path"), UV_ENOENT,
                 "connect to /no/such/path: no such file");
  expect_failure(&bed, uvow_tcp_connect(bed.loop, NULL, 1), UVOW_EINVAL,
                 "connect to NULL port 1");
  expect_failure(&bed, uvow_pipe_connect(bed.loop, NULL), UVOW_EINVAL,
                 "connect to NULL");
  loop_bed_close(&bed, "closed");
}

static void expect_no_listener(loop_bed_t *bed, uvow_stream_t *peers, int code,
                               const char *text) {
  uvow_result_t r;
  uvow_future_t *f = uvow_stream_next(peers);
  assert_int_equal(uvow_future_state(f), UVOW_REJECTED); /* at once */
  assert_int_equal(loop_bed_wait(bed, f, &r), code);
  assert_non_null(strstr(uvow_error_message(r.error), text));
  uvow_stream_unref(peers);
}

TEST_CASE(listeners_that_fail) {
  loop_bed_t bed;
  uint16_t port = 0, other = 7;
  loop_bed_open(&bed);
  uvow_stream_t *peers = uvow_tcp_listen(bed.loop, "127.0.0.1", 0, &port);
  expect_no_listener(&bed, uvow_tcp_listen(bed.loop, "127.0.0.1", port, &other),
                     UV_EADDRINUSE, "listen at 127.0.0.1 port ");
  expect_no_listener(&bed, uvow_tcp_listen(bed.loop, "a name", 1, NULL),
                     UVOW_EINVAL, "listen at a name port 1");
  expect_no_listener(&bed, uvow_tcp_listen(bed.loop, NULL, 1, NULL),
                     UVOW_EINVAL, "listen at NULL");
  expect_no_listener(&bed, uvow_pipe_listen(bed.loop, NULL), UVOW_EINVAL,
                     "listen at ");
  expect_no_listener(&bed, uvow_pipe_listen(bed.loop, "/no/such/folder/x"),
                     UV_EACCES, "listen at /no/such/folder/x");
  assert_int_equal(other, 7);
  assert_null(uvow_tcp_listen(NULL, "127.0.0.1", 0, NULL));
  assert_null(uvow_tcp_connect(NULL, "127.0.0.1", 1).in);
  assert_null(uvow_pipe_connect(NULL, "x").out);
  uvow_stream_unref(peers);
  loop_bed_close(&bed, "closed");
}

/* Nobody asks: the peers wait in the system's queue, and in no memory of ours.
 */
TEST_CASE(peers_wait_until_they_are_asked_for) {
  enum { PEERS = 20 };
  uvow_channel_t peers[PEERS];
  loop_bed_t bed;
  uvow_result_t r;
  uint16_t port = 0;
  loop_bed_open(&bed);
  uvow_stream_t *incoming = uvow_tcp_listen(bed.loop, "127.0.0.1", 0, &port);
  for (int i = 0; i < PEERS; i++) {
    peers[i] = uvow_tcp_connect(bed.loop, "127.0.0.1", port);
    assert_int_equal(uvow_sink_push(peers[i].out, uvow_value_text("x")), 0);
  }
  for (int i = 0; i < 50; i++)
    uv_run(&bed.uv, UV_RUN_NOWAIT);
  assert_int_equal(uvow_stream_waiting(incoming), 0);
  for (int i = 0; i < PEERS; i++) {
    assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(incoming), &r), 0);
    uvow_channel_t peer = uvow_result_channel(&r);
    assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(peer.in), &r), 0);
    uvow_stream_unref(peer.in);
    uvow_sink_drop(peer.out);
  }
  for (int i = 0; i < PEERS; i++) {
    uvow_stream_unref(peers[i].in);
    uvow_sink_drop(peers[i].out);
  }
  loop_bed_wait(&bed, uvow_stream_close(incoming), NULL);
  loop_bed_run(&bed);
  loop_bed_close(&bed, "closed");
}

/* Given up before it's connected. */
TEST_CASE(a_connection_that_is_dropped) {
  loop_bed_t bed;
  uvow_result_t r;
  uint16_t port = 0;
  loop_bed_open(&bed);
  uvow_stream_t *peers = uvow_tcp_listen(bed.loop, "127.0.0.1", 0, &port);
  uvow_channel_t a = uvow_tcp_connect(bed.loop, "127.0.0.1", port);
  uvow_sink_drop(a.out);
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(a.in), &r),
                   UVOW_EBROKEN);
  uvow_stream_unref(a.in);
  a = uvow_tcp_connect(bed.loop, "127.0.0.1", port);
  uvow_stream_unref(a.in);
  uvow_sink_drop(a.out);
  a = uvow_tcp_connect(bed.loop, "127.0.0.1", port); /* sent all the same */
  assert_int_equal(uvow_sink_push(a.out, uvow_value_text("x")), 0);
  uvow_sink_end(a.out);
  uvow_stream_unref(a.in);
  int got = 0;
  while (!got) {
    assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(peers), &r), 0);
    uvow_channel_t b = uvow_result_channel(&r);
    if (loop_bed_wait(&bed, uvow_stream_next(b.in), &r) == 0)
      got = !uvow_result_is_end(&r);
    uvow_stream_unref(b.in);
    uvow_sink_end(b.out);
  }
  uvow_stream_unref(peers);
  a = uvow_tcp_connect(bed.loop, "127.0.0.1", port); /* at the loop's end */
  uvow_stream_unref(a.in);
  uvow_sink_end(a.out);
  loop_bed_close(&bed, "closed");
}

TEST_CASE(who_connected) {
  loop_bed_t bed;
  uvow_result_t r;
  uint16_t port = 0, from = 0;
  loop_bed_open(&bed);
  uvow_stream_t *peers = uvow_tcp_listen(bed.loop, "127.0.0.1", 0, &port);
  uvow_channel_t a = uvow_tcp_connect(bed.loop, "127.0.0.1", port);
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(peers), &r), 0);
  assert_string_equal(uvow_result_from(&r, &from), "127.0.0.1");
  assert_true(from > 0 && from != port);
  assert_string_equal(uvow_result_from(&r, NULL), "127.0.0.1");
  uvow_channel_t b = uvow_result_channel(&r);
  uvow_stream_unref(a.in);
  uvow_sink_end(a.out);
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(b.in), &r), 0);
  assert_null(uvow_result_from(&r, &from)); /* the end */
  assert_null(uvow_result_from(NULL, NULL));
  uvow_stream_unref(b.in);
  uvow_sink_end(b.out);
  uvow_stream_unref(peers);
  loop_bed_close(&bed, "closed");
}

static void count_tuned(uv_handle_t *handle, void *tuned) {
  int on = 0, probed = 0;
  socklen_t size = sizeof(on);
  uv_os_fd_t fd;
  if (handle->type != UV_TCP || !uv_is_readable((uv_stream_t *)handle))
    return; /* the listener */
  assert_int_equal(uv_fileno(handle, &fd), 0);
  assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
  assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &probed, &size), 0);
  *(int *)tuned += on && probed;
}

/* Neither end waits to send little, nor for a peer that has vanished. */
TEST_CASE(both_ends_are_tuned) {
  loop_bed_t bed;
  uvow_result_t r;
  uint16_t port = 0;
  int tuned = 0;
  loop_bed_open(&bed);
  uvow_stream_t *peers = uvow_tcp_listen(bed.loop, "127.0.0.1", 0, &port);
  uvow_channel_t a = uvow_tcp_connect(bed.loop, "127.0.0.1", port);
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(peers), &r), 0);
  uvow_channel_t b = uvow_result_channel(&r);
  uvow_sink_push(b.out, uvow_value_text("x"));
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(a.in), &r), 0);
  uv_walk(&bed.uv, count_tuned, &tuned);
  assert_int_equal(tuned, 2);
  uvow_stream_unref(a.in);
  uvow_stream_unref(b.in);
  uvow_sink_end(a.out);
  uvow_sink_end(b.out);
  uvow_stream_unref(peers);
  loop_bed_close(&bed, "closed");
}

TEST_MODULE(connect) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_path),
      cmocka_unit_test(connections_that_fail),
      cmocka_unit_test(listeners_that_fail),
      cmocka_unit_test(peers_wait_until_they_are_asked_for),
      cmocka_unit_test(a_connection_that_is_dropped),
      cmocka_unit_test(who_connected),
      cmocka_unit_test(both_ends_are_tuned),
  };
  return cmocka_run_group_tests_name("uv/connect", tests, NULL, NULL);
}
