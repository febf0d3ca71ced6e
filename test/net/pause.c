/* Streams that don't read for a while: tcp, on real sockets, and tls. */
#include "support/tls_peer.h"

#include "net/tcp.h"

#define MUCH ((size_t)300000)

/* One end of a tcp stream. */
typedef struct side {
  script_t *s;
  uvow__io_t *stream;
  size_t read;
  size_t pause_at; /* within the on_read that brings this byte; 0: never */
  int ended;
  int closed;
} side_t;

static void on_open(void *ctx) {
  (void)ctx;
}

static void on_read(void *ctx, const uint8_t *bytes, size_t len) {
  side_t *side = (side_t *)ctx;
  for (size_t i = 0; i < len; i++)
    assert_int_equal(bytes[i], (side->read + i) % 251);
  assert_false(side->ended);
  side->read += len;
  if (side->pause_at && side->read >= side->pause_at)
    side->stream->ops->pause(side->stream, 1);
}

static void on_drained(void *ctx) {
  (void)ctx;
}

static void on_end(void *ctx, uvow_error_t *error) {
  side_t *side = (side_t *)ctx;
  assert_null(error);
  side->ended++;
}

static void on_closed(void *ctx) {
  ((side_t *)ctx)->closed++;
}

static const uvow__io_callbacks_t callbacks = {on_open, on_read, on_drained,
                                               on_end, on_closed};

typedef struct sockets {
  script_t s;
  uvow__listener_t *listener;
  side_t a; /* connects, writes */
  side_t b; /* is accepted, reads */
  int listener_closed;
} sockets_t;

static void on_incoming(void *ctx, uvow__listener_t *listener) {
  sockets_t *x = (sockets_t *)ctx;
  assert_int_equal(uvow__tcp_transport.accept(&uvow__tcp_transport, listener,
                                              &callbacks, &x->b, &x->b.stream),
                   0);
}

static void on_listener_closed(void *ctx) {
  ((sockets_t *)ctx)->listener_closed++;
}

static const uvow__listener_callbacks_t listening = {on_incoming,
                                                     on_listener_closed};

static void start(sockets_t *x) {
  uint16_t port;
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  assert_int_equal(
      uvow__tcp_listen(x->s.loop, "127.0.0.1", 0, &listening, x, &x->listener),
      0);
  assert_int_equal(uvow__listens_at(x->listener, &port), 0);
  uvow__endpoint_t endpoint = {"127.0.0.1", port, 0, NULL, 0};
  assert_int_equal(uvow__tcp_transport.connect(&uvow__tcp_transport, x->s.loop,
                                               &endpoint, &callbacks, &x->a,
                                               &x->a.stream),
                   0);
  while (!x->b.stream)
    uv_run(&x->s.uv, UV_RUN_ONCE);
}

static void write_much(sockets_t *x) {
  uvow__buf_t out;
  uvow__buf_init(&out, uvow__loop_mem(x->s.loop), SIZE_MAX);
  assert_int_equal(uvow__buf_reserve(&out, MUCH), 0);
  for (size_t i = 0; i < MUCH; i++)
    out.data[out.len++] = (uint8_t)(i % 251);
  assert_int_equal(x->a.stream->ops->write(x->a.stream, &out), 0);
  uvow__buf_done(&out);
}

static void turns(sockets_t *x) {
  for (int i = 0; i < 50; i++)
    uv_run(&x->s.uv, UV_RUN_NOWAIT);
}

static void until(sockets_t *x, const size_t *number, size_t value) {
  while (*number < value)
    uv_run(&x->s.uv, UV_RUN_ONCE);
}

static void close_side(side_t *side, script_t *s) {
  side->stream->ops->close(side->stream);
  script_until(s, &side->closed);
}

static void end(sockets_t *x) {
  x->a.stream->ops->close(x->a.stream);
  close_side(&x->b, &x->s);
  script_until(&x->s, &x->a.closed);
  uvow__unlisten(x->listener);
  script_until(&x->s, &x->listener_closed);
  script_end(&x->s);
}

TEST_CASE(what_comes_in_a_pause_waits) {
  sockets_t x;
  start(&x);
  x.b.stream->ops->pause(x.b.stream, 1);
  write_much(&x);
  turns(&x);
  assert_int_equal(x.b.read, 0);
  x.b.stream->ops->pause(x.b.stream, 0);
  assert_int_equal(x.b.read, 0); /* nothing is called back from within */
  until(&x, &x.b.read, MUCH);
  assert_int_equal(x.b.read, MUCH);
  end(&x);
}

TEST_CASE(a_pause_within_on_read_is_at_once) {
  sockets_t x;
  start(&x);
  x.b.pause_at = 1;
  write_much(&x);
  until(&x, &x.b.read, 1);
  while (x.b.read < MUCH) {
    size_t before = x.b.read;
    assert_true(before <= MUCH);
    turns(&x);
    assert_int_equal(x.b.read, before);
    x.b.stream->ops->pause(x.b.stream, 0);
    until(&x, &x.b.read, before + 1);
    assert_true(x.b.read - before <= UVOW__READ_SIZE);
  }
  assert_int_equal(x.b.read, MUCH);
  end(&x);
}

/* The end comes behind the bytes, and not in the pause. */
TEST_CASE(an_end_waits_too) {
  sockets_t x;
  start(&x);
  x.b.stream->ops->pause(x.b.stream, 1);
  write_much(&x);
  x.a.stream->ops->close(x.a.stream);
  turns(&x);
  assert_int_equal(x.b.ended, 0);
  x.b.stream->ops->pause(x.b.stream, 0);
  script_until(&x.s, &x.b.ended);
  assert_int_equal(x.b.read, MUCH);
  close_side(&x.b, &x.s);
  script_until(&x.s, &x.a.closed);
  uvow__unlisten(x.listener);
  script_until(&x.s, &x.listener_closed);
  script_end(&x.s);
}

/* Much of a TLS peer's, in one piece from below: read in parts, as it's told to
 * go on, and nothing of it from within. */
TEST_CASE(tls_keeps_what_was_read) {
  static uint8_t much[MUCH];
  for (size_t i = 0; i < MUCH; i++)
    much[i] = (uint8_t)(i % 251);
  for (int is_server = 0; is_server < 2; is_server++) {
    tls_pair_t pair;
    int rounds = 0;
    tls_pair_open(&pair, is_server, 0);
    pair.act = 4;
    tls_pair_say(&pair, much, MUCH);
    tls_pair_to_us(&pair);
    while (pair.got_len < MUCH) {
      size_t before = pair.got_len;
      assert_true(before > 0);
      assert_int_equal(pair.s.paused, 1);
      script_turns(&pair.s);
      assert_int_equal(pair.got_len, before);
      pair.stream->ops->pause(pair.stream, 0);
      pair.stream->ops->pause(pair.stream, 1); /* it has thought better of it */
      script_turns(&pair.s);
      assert_int_equal(pair.got_len, before);
      pair.stream->ops->pause(pair.stream, 0);
      assert_int_equal(pair.got_len, before);
      uv_run(&pair.s.uv, UV_RUN_NOWAIT);
      assert_true(pair.got_len - before <= UVOW__READ_SIZE);
      rounds++;
    }
    assert_int_equal(pair.got_len, MUCH);
    assert_memory_equal(pair.got, much, MUCH);
    assert_true(rounds >= 4);
    /* Once it goes on, the one below does. */
    pair.act = 0;
    pair.stream->ops->pause(pair.stream, 0);
    script_turns(&pair.s);
    assert_int_equal(pair.s.paused, 0);
    tls_pair_say(&pair, "x", 1);
    tls_pair_run(&pair);
    assert_int_equal(pair.got_len, MUCH + 1);
    tls_pair_end(&pair);
  }
}

/* Its close behind the bytes, and a close of ours with some kept. */
TEST_CASE(tls_ends_behind_what_was_kept) {
  static uint8_t much[MUCH];
  for (int close_it = 0; close_it < 2; close_it++) {
    tls_pair_t pair;
    tls_pair_open(&pair, 0, 0);
    pair.act = 4;
    tls_pair_say(&pair, much, MUCH);
    SSL_shutdown(pair.peer);
    tls_pair_to_us(&pair);
    script_turns(&pair.s);
    assert_int_equal(pair.ended, 0);
    assert_true(pair.got_len > 0 && pair.got_len < MUCH);
    pair.act = 0;
    if (!close_it) {
      pair.stream->ops->pause(pair.stream, 0);
      script_turns(&pair.s);
      assert_int_equal(pair.got_len, MUCH);
      tls_pair_expect_end(&pair, 0, "");
    }
    tls_pair_end(&pair);
  }
}

TEST_MODULE(pause) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_comes_in_a_pause_waits),
      cmocka_unit_test(a_pause_within_on_read_is_at_once),
      cmocka_unit_test(an_end_waits_too),
      cmocka_unit_test(tls_keeps_what_was_read),
      cmocka_unit_test(tls_ends_behind_what_was_kept),
  };
  return cmocka_run_group_tests_name("net/pause", tests, tls_setup,
                                     tls_teardown);
}
