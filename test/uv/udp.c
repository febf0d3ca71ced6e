/* Datagrams. */
#include <stdio.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <uvow/uv.h>

#include "support/loop_bed.h"
#include "support/faults.h"

typedef struct scene {
  loop_bed_t bed;
  uvow_channel_t a, b;
  uint16_t port; /* of b */
} scene_t;

static void open_scene(scene_t *s) {
  uvow_udp_options_t options = {.size = sizeof(options)};
  memset(s, 0, sizeof(*s));
  loop_bed_open(&s->bed);
  options.address = "127.0.0.1";
  s->a = uvow_udp_open(s->bed.loop, &options, NULL);
  s->b = uvow_udp_open(s->bed.loop, &options, &s->port);
  assert_true(s->port > 0);
}

static void close_scene(scene_t *s) {
  uvow_stream_unref(s->a.in);
  uvow_stream_unref(s->b.in);
  uvow_sink_drop(s->a.out);
  uvow_sink_drop(s->b.out);
  loop_bed_close(&s->bed, "closed");
}

static int send_text(scene_t *s, const char *text) {
  return uvow_sink_push(s->a.out,
                        uvow_value_datagram(s->bed.loop, text, strlen(text),
                                            "127.0.0.1", s->port));
}

static void expect(scene_t *s, uvow_stream_t *in, const char *text,
                   uvow_result_t *ret) {
  assert_int_equal(loop_bed_wait(&s->bed, uvow_stream_next(in), ret), 0);
  uvow_slice_t got = uvow_result_bytes(ret);
  assert_int_equal(got.len, strlen(text));
  assert_memory_equal(got.bytes, text, got.len);
}

TEST_CASE(a_question_and_its_answer) {
  scene_t s;
  uvow_result_t r;
  uint16_t port = 0;
  open_scene(&s);
  assert_int_equal(send_text(&s, "one"), 0);
  assert_int_equal(send_text(&s, ""), 0);
  assert_int_equal(send_text(&s, "two"), 0);
  expect(&s, s.b.in, "one", &r);
  assert_string_equal(uvow_result_from(&r, &port), "127.0.0.1");
  assert_true(port > 0 && port != s.port);
  assert_int_equal(uvow_sink_push(s.b.out, uvow_result_keep(&r)), 0);
  expect(&s, s.b.in, "", &r);
  expect(&s, s.b.in, "two", &r);
  expect(&s, s.a.in, "one", &r); /* what comes may go, back to its sender */
  assert_non_null(uvow_result_from(&r, &port));
  assert_int_equal(port, s.port);
  close_scene(&s);
}

/* A datagram is made of an address and bytes; a result may have none. */
TEST_CASE(what_is_no_datagram) {
  static const struct {
    const char *bytes;
    size_t len;
    const char *address;
    int rc;
  } cases[] = {{"x", 1, NULL, UVOW_EINVAL},
               {"x", 1, "a name", UVOW_EINVAL},
               {NULL, 1, "127.0.0.1", UVOW_EINVAL},
               {NULL, 0, "127.0.0.1", 0},
               {"x", 1, "::1", 0}};
  uvow_result_t r;
  scene_t s;
  open_scene(&s);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    uvow_value_t value = uvow_value_datagram(s.bed.loop, cases[i].bytes,
                                             cases[i].len, cases[i].address, 1);
    uvow_future_t *f = uvow_future_fulfilled(s.bed.loop, value);
    assert_int_equal(loop_bed_wait(&s.bed, f, &r), cases[i].rc);
    if (cases[i].rc)
      assert_null(uvow_result_from(&r, NULL));
    else
      assert_string_equal(uvow_result_from(&r, NULL), cases[i].address);
  }
  uvow_value_t none = uvow_value_datagram(NULL, "x", 1, "127.0.0.1", 1);
  uvow_value_clear(&none);
  close_scene(&s);
}

/* What nobody reads stops the socket; who reads on has all of it, in order. */
TEST_CASE(a_reader_that_waits) {
  char text[20];
  uvow_result_t r;
  scene_t s;
  open_scene(&s);
  for (int i = 0; i < 150; i++) {
    snprintf(text, sizeof(text), "%d", i);
    assert_int_equal(send_text(&s, text), 0);
    uv_run(&s.bed.uv, UV_RUN_NOWAIT);
  }
  for (int i = 0; i < 10; i++)
    uv_run(&s.bed.uv, UV_RUN_NOWAIT);
  assert_true(uvow_stream_waiting(s.b.in) < 150);
  for (int i = 0; i < 150; i++) {
    snprintf(text, sizeof(text), "%d", i);
    expect(&s, s.b.in, text, &r);
  }
  close_scene(&s);
}

/* To one address only, and from nobody else. */
TEST_CASE(one_peer) {
  uvow_udp_options_t options = {.size = sizeof(options)};
  scene_t s;
  uvow_result_t r;
  uint16_t port = 0;
  open_scene(&s);
  options.peer = "127.0.0.1";
  options.peer_port = s.port;
  uvow_channel_t c = uvow_udp_open(s.bed.loop, &options, &port);
  assert_int_equal(uvow_sink_push(c.out, uvow_value_text("hello")), 0);
  expect(&s, s.b.in, "hello", &r);
  uvow_value_t answer = uvow_result_keep(&r);
  /* a isn't its peer: what it says is dropped. */
  assert_int_equal(
      uvow_sink_push(
          s.a.out, uvow_value_datagram(s.bed.loop, "no", 2, "127.0.0.1", port)),
      0);
  assert_int_equal(uvow_sink_push(s.b.out, answer), 0);
  expect(&s, c.in, "hello", &r);
  uvow_stream_unref(c.in);
  uvow_sink_end(c.out);
  options.peer = "not an address";
  c = uvow_udp_open(s.bed.loop, &options, NULL);
  assert_int_equal(loop_bed_wait(&s.bed, uvow_stream_next(c.in), &r),
                   UVOW_EINVAL);
  uvow_stream_unref(c.in);
  uvow_sink_drop(c.out);
  options.peer = "::1";
  c = uvow_udp_open(s.bed.loop, &options, &port);
  assert_true(port > 0);
  uvow_stream_unref(c.in);
  uvow_sink_drop(c.out);
  close_scene(&s);
}

/* Each half ends on its own; with both, the socket is closed. */
TEST_CASE(halves_end) {
  scene_t s;
  uvow_result_t r;
  open_scene(&s);
  uvow_future_t *flushed = uvow_sink_flushed(s.a.out);
  assert_int_equal(send_text(&s, "the last"), 0);
  uvow_stream_unref(s.a.in);
  s.a.in = NULL;
  uvow_sink_end(s.a.out);
  s.a.out = NULL;
  assert_int_equal(loop_bed_wait(&s.bed, flushed, NULL), 0);
  expect(&s, s.b.in, "the last", &r);
  uvow_sink_end(s.b.out);
  s.b.out = NULL;
  assert_int_equal(loop_bed_wait(&s.bed, uvow_stream_close(s.b.in), NULL), 0);
  s.b.in = NULL;
  loop_bed_run(&s.bed); /* nothing holds the loop */
  close_scene(&s);
}

/* Only out is left, and the loop closes. */
TEST_CASE(the_loop_closes_meanwhile) {
  scene_t s;
  open_scene(&s);
  uvow_stream_unref(s.a.in);
  uvow_future_unref(s.bed.waited);
  s.bed.waited = NULL;
  uvow_loop_close(s.bed.loop, NULL, NULL);
  s.bed.loop = NULL;
  loop_bed_run(&s.bed);
  assert_int_equal(s.bed.leaks, 3); /* each half's end that is held yet */
  assert_int_equal(uvow_sink_push(s.a.out, uvow_value_text("x")), UVOW_ECLOSED);
  uvow_sink_drop(s.a.out);
  uvow_sink_drop(s.b.out);
  uvow_stream_unref(s.b.in);
  assert_int_equal(uv_loop_close(&s.bed.uv), 0);
  assert_int_equal(s.bed.own_alloc.live, 0);
}

TEST_CASE(a_drop_ends_both) {
  scene_t s;
  uvow_result_t r;
  open_scene(&s);
  uvow_sink_drop(s.a.out);
  s.a.out = NULL;
  assert_int_equal(loop_bed_wait(&s.bed, uvow_stream_next(s.a.in), &r),
                   UVOW_EBROKEN);
  close_scene(&s);
}

static int opens(loop_bed_t *bed, const uvow_udp_options_t *options) {
  uvow_result_t r;
  uvow_channel_t a = uvow_udp_open(bed->loop, options, NULL);
  uvow_future_t *next = uvow_stream_next(a.in);
  if (uvow_future_state(next) == UVOW_PENDING)
    uvow_future_cancel(next);
  int rc = loop_bed_wait(bed, next, &r);
  uvow_stream_unref(a.in);
  uvow_sink_drop(a.out);
  return rc == UVOW_ECANCELED ? 0 : rc;
}

static void set_of(uv_handle_t *handle, void *data) {
  int *set = data;
  socklen_t size = sizeof(int);
  uv_os_fd_t fd;
  if (handle->type != UV_UDP)
    return;
  assert_int_equal(uv_fileno(handle, &fd), 0);
  getsockopt(fd, IPPROTO_IP, IP_TTL, &set[0], &size);
  getsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &set[1], &size);
  getsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &set[2], &size);
}

/* A group on the loopback interface: its own sender hears it. */
TEST_CASE(a_group_on_an_interface) {
  uvow_udp_options_t options = {.size = sizeof(options),
                                .group = "239.255.7.8",
                                .multicast_interface = "127.0.0.1",
                                .ttl = 1};
  loop_bed_t bed;
  uvow_result_t r;
  uint16_t port;
  loop_bed_open(&bed);
  uvow_channel_t a = uvow_udp_open(bed.loop, &options, &port);
  assert_int_equal(
      uvow_sink_push(
          a.out, uvow_value_datagram(bed.loop, "1", 1, options.group, port)),
      0);
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(a.in), &r), 0);
  assert_int_equal(uvow_result_bytes(&r).bytes[0], '1');
  uvow_stream_unref(a.in);
  uvow_sink_drop(a.out);
  loop_bed_close(&bed, "closed");
}

static void say(uvow_channel_t a, loop_bed_t *bed, const char *text,
                const char *address, uint16_t port) {
  assert_int_equal(
      uvow_sink_push(a.out, uvow_value_datagram(bed->loop, text, strlen(text),
                                                address, port)),
      0);
}

static void hear(uvow_channel_t a, loop_bed_t *bed, const char *text) {
  uvow_result_t r;
  assert_int_equal(loop_bed_wait(bed, uvow_stream_next(a.in), &r), 0);
  assert_int_equal(uvow_result_bytes(&r).len, strlen(text));
  assert_memory_equal(uvow_result_bytes(&r).bytes, text, strlen(text));
}

/* What is said to a group comes while the open socket is in it. */
TEST_CASE(an_open_socket_joins_and_leaves) {
  static const char *const groups[] = {"239.255.7.9", "239.255.7.10"};
  uvow_udp_options_t options = {
      .size = sizeof(options), .multicast_interface = "127.0.0.1", .ttl = 1};
  loop_bed_t bed;
  uint16_t port;
  loop_bed_open(&bed);
  uvow_channel_t a = uvow_udp_open(bed.loop, &options, &port);
  for (int i = 0; i < 2; i++)
    assert_int_equal(uvow_udp_join(a.in, groups[i], "127.0.0.1"), 0);
  assert_int_equal(uvow_udp_join(a.in, groups[0], "127.0.0.1"), UV_EADDRINUSE);
  say(a, &bed, "1", groups[0], port);
  hear(a, &bed, "1");
  assert_int_equal(uvow_udp_leave(a.in, groups[0], "127.0.0.1"), 0);
  assert_int_equal(uvow_udp_leave(a.in, groups[0], "127.0.0.1"),
                   UV_EADDRNOTAVAIL);
  say(a, &bed, "2", groups[0], port); /* to nobody */
  say(a, &bed, "3", groups[1], port);
  hear(a, &bed, "3");
  uvow_stream_unref(a.in);
  uvow_sink_drop(a.out);
  loop_bed_close(&bed, "closed");
}

static int is_zero(const uvow_result_t *item, void *data) {
  (void)item;
  (void)data;
  return 0;
}

TEST_CASE(what_joins_no_group) {
  scene_t s;
  uvow_sink_t *sink;
  open_scene(&s);
  uvow_stream_t *other = uvow_stream_new(s.bed.loop, NULL, &sink);
  uvow_stream_t *ticks = uvow_stream_ticks(s.bed.loop, 1000);
  assert_int_equal(uvow_udp_join(NULL, "239.255.7.9", NULL), UVOW_EINVAL);
  assert_int_equal(uvow_udp_join(other, "239.255.7.9", NULL), UVOW_EINVAL);
  assert_int_equal(uvow_udp_leave(ticks, "239.255.7.9", NULL), UVOW_EINVAL);
  assert_int_equal(uvow_udp_join(s.a.in, NULL, NULL), UVOW_EINVAL);
  assert_string_equal(uvow_error_message(uvow_loop_error(s.bed.loop)),
                      "group must not be NULL");
  assert_int_equal(uvow_udp_join(s.a.in, "a name", NULL), UV_EINVAL);
  uvow_stream_unref(other);
  uvow_stream_unref(ticks);
  uvow_sink_drop(sink);
  /* A stage of it isn't it. */
  s.a.in = uvow_stream_filter(s.a.in, is_zero, NULL);
  assert_int_equal(uvow_udp_join(s.a.in, "239.255.7.9", NULL), UVOW_EINVAL);
  uvow_sink_drop(s.b.out); /* which ends both halves */
  s.b.out = NULL;
  assert_int_equal(loop_bed_wait(&s.bed, uvow_stream_next(s.b.in), NULL),
                   UVOW_EBROKEN);
  assert_int_equal(uvow_udp_join(s.b.in, "239.255.7.9", NULL), UVOW_EINVAL);
  close_scene(&s);
}

TEST_CASE(how_far_it_goes) {
  uvow_udp_options_t options = {
      .size = sizeof(options), .ttl = 3, .no_loopback = 1};
  loop_bed_t bed;
  int set[3] = {0, 0, 1};
  loop_bed_open(&bed);
  uvow_channel_t a = uvow_udp_open(bed.loop, &options, NULL);
  uv_walk(&bed.uv, set_of, set);
  assert_int_equal(set[0], 3);
  assert_int_equal(set[1], 3);
  assert_int_equal(set[2], 0);
  uvow_stream_unref(a.in);
  uvow_sink_drop(a.out);
  options.ttl = 256;
  assert_int_equal(opens(&bed, &options), UV_EINVAL);
  options.ttl = 0;
  options.multicast_interface = "no address";
  assert_int_equal(opens(&bed, &options), UV_EINVAL);
  loop_bed_close(&bed, "closed");
}

TEST_CASE(a_group) {
  uvow_udp_options_t options = {.size = sizeof(options), .shared = 1};
  loop_bed_t bed;
  uvow_result_t r;
  loop_bed_open(&bed);
  options.group = "no address";
  uvow_channel_t a = uvow_udp_open(bed.loop, &options, NULL);
  assert_int_equal(loop_bed_wait(&bed, uvow_stream_next(a.in), &r), UV_EINVAL);
  assert_non_null(strstr(uvow_error_message(r.error), "open UDP at 0.0.0.0"));
  uvow_stream_unref(a.in);
  uvow_sink_drop(a.out);
  options.group = "239.255.7.7";
  options.broadcast = 1;
  a = uvow_udp_open(bed.loop, &options, NULL); /* where there's a network */
  uvow_stream_unref(a.in);
  uvow_sink_drop(a.out);
  loop_bed_close(&bed, "closed");
}

static int refused(scene_t *s, uvow_value_t value) {
  uvow_future_t *flushed = uvow_sink_flushed(s->a.out);
  int rc = uvow_sink_push(s->a.out, value);
  int end = loop_bed_wait(&s->bed, flushed, NULL);
  return rc ? rc : end;
}

/* To one peer goes what has bytes; what is no socket joins no group. */
TEST_CASE(what_has_no_bytes) {
  uvow_udp_options_t options = {.size = sizeof(options)};
  scene_t s;
  uvow_sink_t *sink;
  open_scene(&s);
  options.peer = "127.0.0.1";
  options.peer_port = s.port;
  uvow_channel_t to = uvow_udp_open(s.bed.loop, &options, NULL);
  assert_int_equal(uvow_sink_push(to.out, uvow_value_int64(1)), 0);
  for (int i = 0; i < 10; i++)
    uv_run(&s.bed.uv, UV_RUN_NOWAIT);
  assert_true(uvow_sink_push(to.out, uvow_value_text("x")) < 0);
  uvow_sink_drop(to.out);
  uvow_stream_unref(to.in);
  uvow_stream_t *other = uvow_stream_new(s.bed.loop, NULL, &sink);
  assert_int_equal(uvow_udp_join(other, "224.0.0.251", NULL), UVOW_EINVAL);
  uvow_sink_drop(sink);
  uvow_stream_unref(other);
  other = uvow_fs_watch(s.bed.loop, ".");
  assert_int_equal(uvow_udp_join(other, "224.0.0.251", NULL), UVOW_EINVAL);
  uvow_stream_unref(other);
  close_scene(&s);
}

TEST_CASE(what_cannot_be_sent) {
  static char large[70000];
  scene_t s;
  memset(large, 'x', sizeof(large));
  open_scene(&s);
  assert_int_equal(
      refused(&s, uvow_value_datagram(s.bed.loop, large, sizeof(large),
                                      "127.0.0.1", s.port)),
      UV_EMSGSIZE);
  close_scene(&s);
  open_scene(&s);
  assert_int_equal(refused(&s, uvow_value_text("to nobody")), UVOW_ETYPE);
  close_scene(&s);
  open_scene(&s);
  assert_int_equal(uvow_sink_push(s.a.out, uvow_value_datagram(s.bed.loop, "x",
                                                               1, "a name", 1)),
                   UVOW_EINVAL);
  assert_null(uvow_udp_open(NULL, NULL, NULL).in);
  assert_null(uvow_result_from(NULL, NULL));
  close_scene(&s);
}

static void body(test_alloc_t *alloc, void *data) {
  scene_t s;
  uvow_result_t r;
  (void)data;
  memset(&s, 0, sizeof(s));
  if (loop_bed_open_with(&s.bed, alloc)) {
    assert_int_equal(uv_loop_close(&s.bed.uv), 0);
    return;
  }
  uvow_udp_options_t options = {.size = sizeof(options)};
  options.address = "127.0.0.1";
  s.a = uvow_udp_open(s.bed.loop, &options, NULL);
  s.b = uvow_udp_open(s.bed.loop, &options, &s.port);
  uvow_future_t *next = s.b.in ? uvow_stream_next(s.b.in) : NULL;
  if (s.a.out && next && send_text(&s, "x") == 0)
    (void)loop_bed_wait(&s.bed, next, &r);
  else
    uvow_future_drop(next);
  uvow_stream_unref(s.a.in);
  uvow_stream_unref(s.b.in);
  uvow_sink_end(s.a.out);
  uvow_sink_drop(s.b.out);
  loop_bed_close(&s.bed, "closed");
}

TEST_CASE(every_allocation_may_fail) {
  test_alloc_sweep(body, NULL);
}

/* With all that is set, received and answered. Returns what failed first. */
static int talk(scene_t *s, const uvow_udp_options_t *options) {
  uvow_result_t r;
  s->a = uvow_udp_open(s->bed.loop, options, &s->port);
  if (s->port == 0) {
    int failed = loop_bed_wait(&s->bed, uvow_stream_next(s->a.in), NULL);
    uvow_stream_unref(s->a.in);
    uvow_sink_drop(s->a.out);
    return failed;
  }
  s->b = uvow_udp_open(s->bed.loop,
                       UVOW_WITH(udp, .address = "127.0.0.1",
                                 .peer = "127.0.0.1", .peer_port = s->port),
                       NULL);
  uvow_future_t *heard = uvow_stream_next(s->a.in);
  uvow_future_t *left = uvow_sink_flushed(s->b.out);
  (void)uvow_sink_push(s->b.out, uvow_value_text("hello"));
  uvow_sink_end(s->b.out);
  int rc = loop_bed_wait(&s->bed, left, NULL);
  if (rc == UVOW_ECLOSED) /* it never opened: `in` says why */
    rc = loop_bed_wait(&s->bed, uvow_stream_next(s->b.in), NULL);
  if (rc)
    uvow_future_drop(heard);
  else
    rc = loop_bed_wait(&s->bed, heard, &r);
  if (rc == 0)
    assert_memory_equal(uvow_result_bytes(&r).bytes, "hello", 5);
  uvow_stream_unref(s->a.in);
  uvow_stream_unref(s->b.in);
  uvow_sink_end(s->a.out);
  return rc;
}

typedef struct calls {
  int code; /* what may fail; 0: nothing */
  int whole;
} calls_t;

static void body_of_calls(void *data) {
  calls_t *calls = data;
  test_alloc_t alloc;
  scene_t s;
  memset(&s, 0, sizeof(s));
  test_alloc_init(&alloc);
  if (loop_bed_open_with(&s.bed, &alloc)) { /* it has no random bytes */
    assert_int_equal(uv_loop_close(&s.bed.uv), 0);
    return;
  }
  int rc = talk(&s, UVOW_WITH(udp, .address = "127.0.0.1", .ttl = 1,
                              .no_loopback = 1, .broadcast = 1,
                              .group = "239.255.7.8",
                              .multicast_interface = "127.0.0.1"));
  if (rc)
    assert_int_equal(rc, calls->code);
  calls->whole += rc == 0;
  loop_bed_close(&s.bed, "closed");
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(every_call_of_libuvs_may_fail) {
  calls_t calls = {UV_EBADF, 0};
  faults_sweep(UV_EBADF, body_of_calls, &calls);
  assert_int_equal(calls.whole, 2); /* the first and the last */
}

/* What can't leave at once leaves later. */
TEST_CASE(every_send_may_have_to_wait) {
  calls_t calls = {0, 0};
  faults_sweep(UV_EAGAIN, body_of_calls, &calls);
  assert_true(calls.whole >= 3);
}

TEST_MODULE(udp) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_question_and_its_answer),
      cmocka_unit_test(what_is_no_datagram),
      cmocka_unit_test(a_reader_that_waits),
      cmocka_unit_test(one_peer),
      cmocka_unit_test(halves_end),
      cmocka_unit_test(a_drop_ends_both),
      cmocka_unit_test(the_loop_closes_meanwhile),
      cmocka_unit_test(a_group_on_an_interface),
      cmocka_unit_test(an_open_socket_joins_and_leaves),
      cmocka_unit_test(what_joins_no_group),
      cmocka_unit_test(how_far_it_goes),
      cmocka_unit_test(a_group),
      cmocka_unit_test(what_has_no_bytes),
      cmocka_unit_test(what_cannot_be_sent),
      cmocka_unit_test(every_allocation_may_fail),
      cmocka_unit_test(every_call_of_libuvs_may_fail),
      cmocka_unit_test(every_send_may_have_to_wait),
  };
  return cmocka_run_group_tests_name("uv/udp", tests, NULL, NULL);
}
