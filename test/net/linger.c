/* What a stream does between its close and that of its socket. */
#include "net/tcp.h"

#include "support/script.h"

#define LINGER_MS 2000

/* A stream of ours that was accepted, and a plain socket as its peer. */
typedef struct fixture {
  script_t s;
  uvow__listener_t *listener;
  uvow__io_t *stream;
  uv_tcp_t peer;
  uv_connect_t connect;
  uv_write_t write;
  uv_shutdown_t shutdown;
  char buffer[65536];
  size_t read;  /* by the stream */
  size_t heard; /* by the peer */
  int connected;
  int written; /* the peer's write: 1, or its error */
  int status;  /* of the peer's end: UV_EOF, UV_ECONNRESET; 0: not yet */
  int closed;
  int listener_closed;
} fixture_t;

static void on_open(void *ctx) {
  (void)ctx;
}

static void on_read(void *ctx, const uint8_t *bytes, size_t len) {
  (void)bytes;
  ((fixture_t *)ctx)->read += len;
}

static void on_end(void *ctx, uvow_error_t *error) {
  fixture_t *x = (fixture_t *)ctx;
  uvow_error_unref(error);
  x->stream->ops->close(x->stream);
}

static void on_closed(void *ctx) {
  ((fixture_t *)ctx)->closed++;
}

static const uvow__io_callbacks_t callbacks = {on_open, on_read, on_open,
                                               on_end, on_closed};

static void on_incoming(void *ctx, uvow__listener_t *listener) {
  fixture_t *x = (fixture_t *)ctx;
  assert_int_equal(uvow__tcp_transport.accept(&uvow__tcp_transport, listener,
                                              &callbacks, x, &x->stream),
                   0);
}

static void on_listener_closed(void *ctx) {
  ((fixture_t *)ctx)->listener_closed++;
}

static const uvow__listener_callbacks_t listener_callbacks = {
    on_incoming, on_listener_closed};

static void on_connected(uv_connect_t *req, int status) {
  assert_int_equal(status, 0);
  ((fixture_t *)req->data)->connected = 1;
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  fixture_t *x = (fixture_t *)handle->data;
  (void)size;
  *buf = uv_buf_init(x->buffer, sizeof(x->buffer));
}

static void on_heard(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
  fixture_t *x = (fixture_t *)stream->data;
  (void)buf;
  if (len > 0)
    x->heard += (size_t)len;
  if (len < 0)
    x->status = (int)len;
}

static void on_written(uv_write_t *req, int status) {
  ((fixture_t *)req->data)->written = status ? status : 1;
}

static void on_shut(uv_shutdown_t *req, int status) {
  (void)req;
  (void)status;
}

static void start(fixture_t *x) {
  struct sockaddr_in address;
  uint16_t port;
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  script_drive_clock(&x->s);
  assert_int_equal(uvow__tcp_listen(x->s.loop, "127.0.0.1", 0,
                                    &listener_callbacks, x, &x->listener),
                   0);
  assert_int_equal(uvow__listens_at(x->listener, &port), 0);
  uv_ip4_addr("127.0.0.1", port, &address);
  uv_tcp_init(&x->s.uv, &x->peer);
  x->peer.data = x->connect.data = x->write.data = x;
  assert_int_equal(uv_tcp_connect(&x->connect, &x->peer,
                                  (const struct sockaddr *)&address,
                                  on_connected),
                   0);
  while (!x->connected || !x->stream)
    assert_true(uv_run(&x->s.uv, UV_RUN_ONCE));
  uvow__unlisten(x->listener);
  script_until(&x->s, &x->listener_closed);
}

static void listen_to_it(fixture_t *x) {
  uv_read_start((uv_stream_t *)&x->peer, on_alloc, on_heard);
}

static void say(fixture_t *x, const char *bytes, size_t len) {
  uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)len);
  assert_int_equal(
      uv_write(&x->write, (uv_stream_t *)&x->peer, &buf, 1, on_written), 0);
}

static void say_last_words(fixture_t *x) {
  uvow__buf_t out;
  uvow__buf_init(&out, uvow__loop_mem(x->s.loop), 100);
  uvow__buf_append_text(&out, "goodbye");
  assert_int_equal(x->stream->ops->write(x->stream, &out), 0);
  x->stream->ops->close(x->stream);
}

/* Something else keeps the loop running, as the application does: what lingers
 * doesn't. */
static void until_closed(fixture_t *x) {
  uv_async_t other;
  assert_int_equal(uv_async_init(&x->s.uv, &other, NULL), 0);
  script_until(&x->s, &x->closed);
  uv_close((uv_handle_t *)&other, NULL);
  uv_run(&x->s.uv, UV_RUN_NOWAIT);
}

static void end(fixture_t *x) {
  uv_close((uv_handle_t *)&x->peer, NULL);
  script_until(&x->s, &x->closed);
  assert_int_equal(x->closed, 1);
  script_end(&x->s);
}

/* A peer that is still sending reads what was said last, and then an end: no
 * reset takes it away. Nothing that it sends is delivered any more. */
TEST_CASE(test_last_words_reach_a_peer_that_talks) {
  static char much[4 << 20];
  fixture_t x;
  start(&x);
  say(&x, much, sizeof(much));
  while (x.read == 0)
    assert_true(uv_run(&x.s.uv, UV_RUN_ONCE));
  say_last_words(&x);
  size_t read = x.read;
  script_until(&x.s, &x.written);
  assert_int_equal(x.written, 1); /* all of it: it was read and dropped */
  listen_to_it(&x);
  script_until(&x.s, &x.status);
  assert_int_equal(x.status, UV_EOF);
  assert_int_equal(x.heard, 7);
  assert_int_equal(x.read, read);
  assert_int_equal(x.closed, 0);
  uv_shutdown(&x.shutdown, (uv_stream_t *)&x.peer, on_shut);
  until_closed(&x); /* it ends, so we do */
  end(&x);
}

/* One that doesn't end its side is waited for so long, and not longer. */
TEST_CASE(test_patience_has_an_end) {
  fixture_t x;
  start(&x);
  listen_to_it(&x);
  say_last_words(&x);
  script_until(&x.s, &x.status);
  assert_int_equal(x.status, UV_EOF);
  assert_int_equal(x.heard, 7);
  script_advance(&x.s, LINGER_MS - 1);
  assert_int_equal(x.closed, 0);
  script_advance(&x.s, 2);
  script_until(&x.s, &x.closed);
  end(&x);
}

/* A reset ends the wait. */
TEST_CASE(test_a_reset_ends_it) {
  fixture_t x;
  start(&x);
  say_last_words(&x);
  script_turns(&x.s);
  assert_int_equal(uv_tcp_close_reset(&x.peer, NULL), 0);
  until_closed(&x);
  script_end(&x.s);
}

/* E2: that it lingers doesn't keep the application's loop running. */
TEST_CASE(test_it_does_not_hold_the_loop) {
  fixture_t x;
  start(&x);
  listen_to_it(&x);
  say_last_words(&x);
  script_until(&x.s, &x.status);
  uv_unref((uv_handle_t *)&x.peer);
  script_turns(&x.s);
  assert_int_equal(x.closed, 0);
  assert_int_equal(uv_loop_alive(&x.s.uv), 0);
  script_advance(&x.s, LINGER_MS + 1);
  end(&x);
}

static void on_stopped(uvow__lingerer_t *lingerer) {
  uvow_loop_t *loop = *(uvow_loop_t **)(void *)(lingerer + 1);
  uvow__loop_unlinger(loop, lingerer);
}

/* Whoever makes many linger doesn't use up our descriptors: the one that has
 * waited longest goes. */
TEST_CASE(test_few_linger_at_once) {
  static struct {
    uvow__lingerer_t lingerer;
    uvow_loop_t *loop;
  } many[UVOW__LINGER_MAX];
  fixture_t x;
  start(&x);
  listen_to_it(&x);
  say_last_words(&x);
  script_until(&x.s, &x.status);
  for (size_t i = 0; i < UVOW__LINGER_MAX; i++) {
    assert_int_equal(x.closed, 0);
    many[i].lingerer.stop = on_stopped;
    many[i].loop = x.s.loop;
    uvow__loop_linger(x.s.loop, &many[i].lingerer);
    assert_int_equal(x.s.loop->lingering,
                     i + 2 > UVOW__LINGER_MAX ? UVOW__LINGER_MAX : i + 2);
  }
  script_until(&x.s, &x.closed);
  end(&x); /* the loop's close stops the others */
}

/* One that has a stream of its own, as a WebSocket that waits for its close. */
typedef struct owner {
  uvow__lingerer_t lingerer;
  fixture_t *x;
} owner_t;

static void on_owner_stopped(uvow__lingerer_t *lingerer) {
  fixture_t *x = ((owner_t *)(void *)lingerer)->x;
  uvow__loop_unlinger(x->s.loop, lingerer);
  x->stream->ops->close(x->stream);
}

/* What one closes when it stops, as they are too many, doesn't linger in its
 * place: that would stop the next. */
TEST_CASE(test_who_stops_stops_nobody_else) {
  static struct {
    uvow__lingerer_t lingerer;
    uvow_loop_t *loop;
  } many[UVOW__LINGER_MAX];
  fixture_t x;
  owner_t owner = {.x = &x};
  start(&x);
  listen_to_it(&x);
  owner.lingerer.stop = on_owner_stopped;
  uvow__loop_linger(x.s.loop, &owner.lingerer);
  for (size_t i = 0; i < UVOW__LINGER_MAX; i++) {
    many[i].lingerer.stop = on_stopped;
    many[i].loop = x.s.loop;
    uvow__loop_linger(x.s.loop, &many[i].lingerer);
  }
  assert_true(uvow__list_empty(&owner.lingerer.link));
  assert_false(uvow__list_empty(&many[0].lingerer.link));
  assert_int_equal(x.s.loop->lingering, UVOW__LINGER_MAX);
  uv_run(&x.s.uv, UV_RUN_NOWAIT);
  assert_int_equal(x.closed, 1);
  end(&x);
}

/* E4: the loop's close doesn't wait for it. */
TEST_CASE(test_the_loop_closes_at_once) {
  fixture_t x;
  start(&x);
  listen_to_it(&x);
  say_last_words(&x);
  script_until(&x.s, &x.status);
  uv_close((uv_handle_t *)&x.peer, NULL);
  uvow_loop_close(x.s.loop, NULL, NULL);
  x.s.loop = NULL;
  while (uv_run(&x.s.uv, UV_RUN_ONCE))
    ;
  assert_int_equal(x.closed, 1);
  script_end(&x.s);
}

TEST_MODULE(linger) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_last_words_reach_a_peer_that_talks),
      cmocka_unit_test(test_patience_has_an_end),
      cmocka_unit_test(test_a_reset_ends_it),
      cmocka_unit_test(test_it_does_not_hold_the_loop),
      cmocka_unit_test(test_few_linger_at_once),
      cmocka_unit_test(test_who_stops_stops_nobody_else),
      cmocka_unit_test(test_the_loop_closes_at_once),
  };
  return cmocka_run_group_tests_name("net/linger", tests, NULL, NULL);
}
