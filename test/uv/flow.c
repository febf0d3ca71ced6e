/* Channels of bytes over sockets: both ways, full, half closed, ended. */
#include <signal.h>
#include <stdio.h>

#include <uvow/uv.h>

#include "net/loop.h"
#include "support/loop_bed.h"

typedef struct scene {
  loop_bed_t bed;
  uvow_stream_t *peers;
  uvow_channel_t a; /* connected */
  uvow_channel_t b; /* accepted */
} scene_t;

static int wait(scene_t *s, uvow_future_t *f, uvow_result_t *ret) {
  return loop_bed_wait(&s->bed, f, ret);
}

static void open_scene(scene_t *s) {
  uvow_result_t r;
  uint16_t port = 0;
  memset(s, 0, sizeof(*s));
  signal(SIGPIPE, SIG_IGN);
  loop_bed_open(&s->bed);
  s->peers = uvow_tcp_listen(s->bed.loop, "127.0.0.1", 0, &port);
  assert_true(port > 0);
  s->a = uvow_tcp_connect(s->bed.loop, "127.0.0.1", port);
  assert_int_equal(wait(s, uvow_stream_next(s->peers), &r), 0);
  s->b = uvow_result_channel(&r);
  assert_non_null(s->b.in);
  assert_non_null(s->b.out);
}

static void close_scene(scene_t *s) {
  uvow_stream_unref(s->peers);
  uvow_stream_unref(s->a.in);
  uvow_stream_unref(s->b.in);
  uvow_sink_drop(s->a.out);
  uvow_sink_drop(s->b.out);
  loop_bed_close(&s->bed, "closed");
}

/* Reads until so many bytes have come, which are as expected. */
static void expect(scene_t *s, uvow_stream_t *in, const char *text) {
  size_t want = strlen(text), at = 0, len = 0;
  uvow_result_t r;
  while (at < want) {
    assert_int_equal(wait(s, uvow_stream_next(in), &r), 0);
    assert_false(uvow_result_is_end(&r));
    const char *bytes = uvow_result_bytes(&r).bytes;
    len = uvow_result_bytes(&r).len;
    assert_true(at + len <= want);
    assert_memory_equal(bytes, text + at, len);
    at += len;
  }
}

static void expect_end(scene_t *s, uvow_stream_t *in) {
  uvow_result_t r;
  assert_int_equal(wait(s, uvow_stream_next(in), &r), 0);
  assert_true(uvow_result_is_end(&r));
}

/* What the next item or the end says; for errors. */
static int end_code(scene_t *s, uvow_stream_t *in) {
  uvow_result_t r;
  int rc;
  while ((rc = wait(s, uvow_stream_next(in), &r)) == 0)
    assert_false(uvow_result_is_end(&r));
  return rc;
}

static int push(uvow_sink_t *out, const char *text) {
  return uvow_sink_push(out, uvow_value_text(text));
}

/* A slice on the stack. */
static int push_slice(uvow_sink_t *out, const char *text) {
  char copy[16];
  uvow_slice_t slice = {copy, strlen(text)};
  memcpy(copy, text, slice.len);
  return uvow_sink_push(out, uvow_value_slice(&slice));
}

TEST_CASE(both_ways) {
  scene_t s;
  open_scene(&s);
  assert_int_equal(push(s.a.out, "hello "), 0);
  assert_int_equal(push(s.a.out, ""), 0);
  assert_int_equal(push_slice(s.a.out, "you"), 0);
  expect(&s, s.b.in, "hello you");
  assert_int_equal(push(s.b.out, "hi"), 0);
  expect(&s, s.a.in, "hi");
  close_scene(&s);
}

/* One side ends; the other goes on. */
TEST_CASE(half_closed) {
  scene_t s;
  open_scene(&s);
  uvow_future_t *flushed = uvow_sink_flushed(s.a.out);
  assert_int_equal(push(s.a.out, "a question"), 0);
  uvow_sink_end(s.a.out);
  s.a.out = NULL;
  expect(&s, s.b.in, "a question");
  expect_end(&s, s.b.in);
  assert_int_equal(wait(&s, flushed, NULL), 0);
  assert_int_equal(push(s.b.out, "an answer"), 0);
  uvow_sink_end(s.b.out);
  s.b.out = NULL;
  expect(&s, s.a.in, "an answer");
  expect_end(&s, s.a.in);
  uvow_stream_unref(s.peers);
  s.peers = NULL;
  loop_bed_run(&s.bed); /* both are closed: nothing holds the loop */
  close_scene(&s);
}

static char large[256 * 1024];

/* Nobody reads: pushes are refused in the end; then all comes. */
TEST_CASE(a_full_sink) {
  scene_t s;
  uvow_result_t r;
  size_t sent = 0, came = 0;
  int rc = 0;
  memset(large, 'x', sizeof(large) - 1);
  open_scene(&s);
  for (int turns = 0; turns < 100 && rc == 0; turns++) {
    while ((rc = push(s.a.out, large)) == 0)
      sent += sizeof(large) - 1;
    sent += rc == 1 ? sizeof(large) - 1 : 0;
    for (int i = 0; i < 20; i++) /* what can go, goes */
      uv_run(&s.bed.uv, UV_RUN_NOWAIT);
    uvow_future_t *room = uvow_sink_room(s.a.out);
    rc = uvow_future_state(room) == UVOW_PENDING;
    uvow_future_unref(room);
  }
  assert_int_equal(rc, 1); /* it's full, and stays so */
  assert_int_equal(push(s.a.out, "more"), UVOW_EOVERLOAD);
  assert_true(uvow_stream_waiting(s.b.in) <= 64);
  uvow_sink_end(s.a.out);
  s.a.out = NULL;
  do {
    assert_int_equal(wait(&s, uvow_stream_next(s.b.in), &r), 0);
    came += uvow_result_bytes(&r).len;
  } while (!uvow_result_is_end(&r));
  assert_int_equal(came, sent);
  close_scene(&s);
}

TEST_CASE(room_comes) {
  scene_t s;
  int rc;
  memset(large, 'x', sizeof(large) - 1);
  open_scene(&s);
  while ((rc = push(s.a.out, large)) == 0)
    ;
  assert_int_equal(rc, 1);
  uvow_future_t *room = uvow_sink_room(s.a.out);
  uvow_future_t *all = uvow_stream_collect(s.b.in, 100000);
  s.b.in = NULL;
  assert_int_equal(wait(&s, room, NULL), 0);
  assert_true(push(s.a.out, "more") >= 0);
  uvow_sink_end(s.a.out);
  s.a.out = NULL;
  assert_int_equal(wait(&s, all, NULL), 0);
  close_scene(&s);
}

/* A drop is no end: the peer sees that it isn't in order. */
TEST_CASE(a_drop_resets) {
  scene_t s;
  open_scene(&s);
  assert_int_equal(push(s.a.out, "not all"), 0);
  expect(&s, s.b.in, "not all");
  uvow_sink_drop(s.a.out);
  s.a.out = NULL;
  assert_int_equal(end_code(&s, s.a.in), UVOW_EBROKEN);
  assert_int_equal(end_code(&s, s.b.in), UV_ECONNRESET);
  close_scene(&s);
}

TEST_CASE(an_error_has_the_peers_name) {
  scene_t s;
  uvow_result_t r;
  open_scene(&s);
  uvow_sink_fail(s.a.out, uvow_error_new(s.bed.loop, UVOW_EPROTO, "enough"));
  s.a.out = NULL;
  assert_int_equal(end_code(&s, s.a.in), UVOW_EPROTO);
  assert_int_equal(wait(&s, uvow_stream_next(s.b.in), &r), UV_ECONNRESET);
  assert_non_null(
      strstr(uvow_error_message(r.error), "read from peer 127.0.0.1 port "));
  assert_non_null(strstr(uvow_error_message(r.error), ": connection reset"));
  /* Who pushes learns of it. */
  assert_int_equal(push(s.b.out, "x"), UVOW_ECLOSED);
  close_scene(&s);
}

/* A drop while the peer doesn't read, and much waits. */
TEST_CASE(a_drop_of_what_waits) {
  scene_t s;
  memset(large, 'x', sizeof(large) - 1);
  open_scene(&s);
  while (push(s.a.out, large) == 0)
    for (int i = 0; i < 10; i++)
      uv_run(&s.bed.uv, UV_RUN_NOWAIT);
  uvow_sink_drop(s.a.out);
  s.a.out = NULL;
  assert_int_equal(end_code(&s, s.a.in), UVOW_EBROKEN);
  /* libuv calls it an end where the last read was short. */
  uvow_future_t *all = uvow_stream_collect(s.b.in, 100000);
  s.b.in = NULL;
  int rc = wait(&s, all, NULL);
  assert_true(rc == 0 || rc == UV_ECONNRESET);
  close_scene(&s);
}

/* Who lets go of what comes sends what waits all the same. */
TEST_CASE(a_deaf_one_sends_all) {
  scene_t s;
  open_scene(&s);
  assert_int_equal(push(s.b.out, "that nobody reads"), 0);
  for (int i = 0; i < 10; i++)
    uv_run(&s.bed.uv, UV_RUN_NOWAIT);
  assert_int_equal(push(s.a.out, "the last word"), 0);
  uvow_stream_unref(s.a.in);
  s.a.in = NULL;
  uvow_sink_end(s.a.out);
  s.a.out = NULL;
  expect(&s, s.b.in, "the last word");
  expect_end(&s, s.b.in);
  uvow_sink_end(s.b.out);
  s.b.out = NULL;
  close_scene(&s);
}

/* The same, but what comes is let go of at last. */
TEST_CASE(deaf_at_last) {
  scene_t s;
  open_scene(&s);
  uvow_sink_end(s.a.out);
  s.a.out = NULL;
  expect_end(&s, s.b.in);
  uvow_future_t *closed = uvow_stream_close(s.a.in);
  s.a.in = NULL;
  uvow_sink_end(s.b.out);
  s.b.out = NULL;
  assert_int_equal(wait(&s, closed, NULL), 0);
  close_scene(&s);
}

/* The peer has gone, but what it said is read. */
TEST_CASE(what_was_said_is_read) {
  scene_t s;
  open_scene(&s);
  assert_int_equal(push(s.a.out, "bye"), 0);
  uvow_sink_end(s.a.out);
  s.a.out = NULL;
  uvow_stream_unref(s.a.in);
  s.a.in = NULL;
  for (int i = 0; i < 10; i++) {
    (void)push(s.b.out, "nobody hears it");
    uv_run(&s.bed.uv, UV_RUN_NOWAIT);
  }
  expect(&s, s.b.in, "bye");
  close_scene(&s);
}

/* It says no more, hears no more, and the peer doesn't close: that has its time,
 * or ends with the loop, or as too many linger. */
TEST_CASE(a_peer_that_never_closes) {
  for (int closes = 0; closes < 3; closes++) {
    scene_t s;
    int rc = 0;
    open_scene(&s);
    uvow_loop_advance(s.bed.loop, 1);
    assert_int_equal(push(s.a.out, "bye"), 0);
    uvow_sink_end(s.a.out);
    s.a.out = NULL;
    uvow_stream_unref(s.a.in);
    s.a.in = NULL;
    expect(&s, s.b.in, "bye");
    expect_end(&s, s.b.in);
    for (int i = 0; i < 10; i++) {
      assert_int_equal(push(s.b.out, "nobody hears it"), 0);
      uv_run(&s.bed.uv, UV_RUN_NOWAIT);
    }
    if (closes == 2) {
      uvow__lingerer_t another = {.stop = NULL};
      assert_int_equal(s.bed.loop->lingering, 1);
      s.bed.loop->linger_max = 1;
      uvow__loop_linger(s.bed.loop, &another);
      assert_int_equal(s.bed.loop->lingering, 1);
      uvow__loop_unlinger(s.bed.loop, &another);
    }
    if (closes != 1) {
      if (closes == 0)
        uvow_loop_advance(s.bed.loop, 100000);
      for (int i = 0; rc == 0 && i < 100000; i++) {
        rc = push(s.b.out, "x");
        uv_run(&s.bed.uv, UV_RUN_NOWAIT);
      }
      assert_int_equal(rc, UVOW_ECLOSED);
    }
    close_scene(&s);
  }
}

TEST_CASE(what_is_not_bytes) {
  scene_t s;
  open_scene(&s);
  uvow_future_t *flushed = uvow_sink_flushed(s.a.out);
  assert_int_equal(uvow_sink_push(s.a.out, uvow_value_int64(1)), 0);
  assert_int_equal(wait(&s, flushed, NULL), UVOW_ETYPE);
  assert_int_equal(push(s.a.out, "x"), UVOW_ECLOSED);
  close_scene(&s);
}

TEST_CASE(the_loop_closes_meanwhile) {
  scene_t s;
  memset(large, 'x', sizeof(large) - 1);
  open_scene(&s);
  while (push(s.a.out, large) == 0)
    uv_run(&s.bed.uv, UV_RUN_NOWAIT);
  uvow_future_t *f = uvow_stream_next(s.a.in);
  uvow_future_unref(s.bed.waited);
  s.bed.waited = NULL;
  uvow_loop_close(s.bed.loop, NULL, NULL);
  s.bed.loop = NULL;
  loop_bed_run(&s.bed);
  assert_int_equal(uvow_future_state(f), UVOW_REJECTED);
  assert_int_equal(s.bed.leaks, 6); /* f, and each half's end */
  uvow_future_unref(f);
  assert_int_equal(push(s.a.out, "x"), UVOW_ECLOSED);
  uvow_stream_unref(s.peers);
  uvow_stream_unref(s.a.in);
  uvow_stream_unref(s.b.in);
  uvow_sink_drop(s.a.out);
  uvow_sink_drop(s.b.out);
  assert_int_equal(uv_loop_close(&s.bed.uv), 0);
  assert_int_equal(s.bed.own_alloc.live, 0);
}

enum { MESSAGE = 4000 };

static uvow_value_t numbered(uvow_loop_t *loop, size_t number) {
  char text[MESSAGE];
  memset(text, 'x', sizeof(text));
  snprintf(text, 16, "%zu", number);
  text[strlen(text)] = ' ';
  return uvow_value_bytes(loop, text, sizeof(text));
}

/* Pushes messages until none goes any more. Returns how many were taken. */
static size_t fill(scene_t *s) {
  size_t sent = 0;
  int full = 0;
  for (int turns = 0; turns < 200 && !full; turns++) {
    int rc = 0;
    for (; rc == 0; sent += rc >= 0)
      rc = uvow_sink_push(s->a.out, numbered(s->bed.loop, sent));
    for (int i = 0; i < 20; i++)
      uv_run(&s->bed.uv, UV_RUN_NOWAIT);
    uvow_future_t *room = uvow_sink_room(s->a.out);
    full = uvow_future_state(room) == UVOW_PENDING;
    uvow_future_unref(room);
  }
  assert_true(full);
  return sent;
}

/* Who reads no messages makes who writes them wait, whatever frames them; then
 * all of them come. */
TEST_CASE(framed_ones_wait) {
  static uvow_channel_t (*const framings[])(uvow_channel_t, size_t) = {
      uvow_channel_lines, uvow_channel_content_length};
  for (int i = 0; i < 2; i++) {
    scene_t s;
    uvow_result_t r;
    size_t came = 0;
    open_scene(&s);
    s.a = framings[i](s.a, MESSAGE);
    s.b = framings[i](s.b, MESSAGE);
    size_t sent = fill(&s);
    assert_true(uvow_stream_waiting(s.b.in) <= 64);
    assert_int_equal(push(s.a.out, "more"), UVOW_EOVERLOAD);
    uvow_sink_end(s.a.out);
    s.a.out = NULL;
    for (;; came++) {
      assert_int_equal(wait(&s, uvow_stream_next(s.b.in), &r), 0);
      if (uvow_result_is_end(&r))
        break;
      assert_int_equal(uvow_result_bytes(&r).len, MESSAGE);
      assert_int_equal(strtoul(uvow_result_bytes(&r).bytes, NULL, 10), came);
    }
    assert_int_equal(came, sent);
    close_scene(&s);
  }
}

TEST_MODULE(flow) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(both_ways),
      cmocka_unit_test(half_closed),
      cmocka_unit_test(a_full_sink),
      cmocka_unit_test(room_comes),
      cmocka_unit_test(framed_ones_wait),
      cmocka_unit_test(a_drop_resets),
      cmocka_unit_test(an_error_has_the_peers_name),
      cmocka_unit_test(a_drop_of_what_waits),
      cmocka_unit_test(a_deaf_one_sends_all),
      cmocka_unit_test(deaf_at_last),
      cmocka_unit_test(what_was_said_is_read),
      cmocka_unit_test(a_peer_that_never_closes),
      cmocka_unit_test(what_is_not_bytes),
      cmocka_unit_test(the_loop_closes_meanwhile),
  };
  return cmocka_run_group_tests_name("uv/flow", tests, NULL, NULL);
}
