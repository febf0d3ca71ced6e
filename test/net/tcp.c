#include "net/tcp.h"

#include "support/script.h"

#include <netdb.h>
#include <stdio.h>

/* One end of a stream, and what it was told. */
typedef struct side {
  script_t *s;
  uvow__io_t *stream;
  size_t read;     /* bytes */
  uint32_t expect; /* what the next byte is made of */
  int opened;
  int drained;
  int ended;
  int closed;
  int wrong; /* something came that may not */
  uvow_error_t *error;
} side_t;

static uint8_t byte_at(uint32_t n) {
  return (uint8_t)(n ^ n >> 8 ^ n >> 16);
}

static void on_open(void *ctx) {
  ((side_t *)ctx)->opened++;
}

static void on_read(void *ctx, const uint8_t *bytes, size_t len) {
  side_t *side = (side_t *)ctx;
  for (size_t i = 0; i < len; i++)
    side->wrong += bytes[i] != byte_at(side->expect++);
  side->read += len;
}

static void on_drained(void *ctx) {
  ((side_t *)ctx)->drained++;
}

static void on_end(void *ctx, uvow_error_t *error) {
  side_t *side = (side_t *)ctx;
  side->ended++;
  side->error = error;
  side->stream->ops->close(side->stream);
}

static void on_closed(void *ctx) {
  ((side_t *)ctx)->closed++;
}

static const uvow__io_callbacks_t callbacks = {on_open, on_read, on_drained,
                                               on_end, on_closed};

typedef struct fixture {
  script_t s;
  uvow__listener_t *listener;
  uint16_t port;
  side_t a; /* connects */
  side_t b; /* is accepted */
  int listener_closed;
} fixture_t;

static void on_incoming(void *ctx, uvow__listener_t *listener) {
  fixture_t *x = (fixture_t *)ctx;
  if (!x->b.stream)
    assert_int_equal(uvow__tcp_transport.accept(&uvow__tcp_transport, listener,
                                                &callbacks, &x->b,
                                                &x->b.stream),
                     0);
}

static void on_listener_closed(void *ctx) {
  ((fixture_t *)ctx)->listener_closed++;
}

static const uvow__listener_callbacks_t listener_callbacks = {
    on_incoming, on_listener_closed};

static int start(fixture_t *x, const char *host) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  x->a.s = x->b.s = &x->s;
  int rc = uvow__tcp_listen(x->s.loop, host, 0, &listener_callbacks, x,
                            &x->listener);
  if (rc == 0)
    assert_int_equal(uvow__listens_at(x->listener, &x->port), 0);
  return rc;
}

static void connect_to(fixture_t *x, const char *host, uint16_t port) {
  uvow__endpoint_t endpoint = {host, port, 0, NULL, 0};
  assert_int_equal(uvow__tcp_transport.connect(&uvow__tcp_transport, x->s.loop,
                                               &endpoint, &callbacks, &x->a,
                                               &x->a.stream),
                   0);
}

static void close_side(side_t *side) {
  if (side->stream && !side->closed) {
    side->stream->ops->close(side->stream);
    side->stream->ops->close(side->stream); /* twice is once */
  }
}

/* Until it has closed, though lingering it doesn't hold the loop. */
static void await_closed(script_t *s, side_t *side) {
  if (side->stream && !side->closed) {
    side->stream->ops->hold(side->stream, 1);
    script_until(s, &side->closed);
  }
}

static void end(fixture_t *x) {
  close_side(&x->a);
  close_side(&x->b);
  if (x->listener) {
    uvow__unlisten(x->listener);
    uvow__unlisten(x->listener);
  }
  await_closed(&x->s, &x->a);
  await_closed(&x->s, &x->b);
  while (uv_run(&x->s.uv, UV_RUN_ONCE))
    ;
  assert_int_equal(x->a.closed, x->a.stream != NULL);
  assert_int_equal(x->b.closed, x->b.stream != NULL);
  assert_int_equal(x->listener_closed, x->listener != NULL);
  assert_int_equal(x->a.wrong + x->b.wrong, 0);
  uvow_error_unref(x->a.error);
  uvow_error_unref(x->b.error);
  script_end(&x->s);
}

static void start_both(fixture_t *x) {
  assert_int_equal(start(x, "127.0.0.1"), 0);
  connect_to(x, "127.0.0.1", x->port);
  script_until(&x->s, &x->a.opened);
  while (!x->b.stream)
    uv_run(&x->s.uv, UV_RUN_ONCE);
}

static void fill(uvow__buf_t *buf, uint32_t *at, size_t len) {
  assert_int_equal(uvow__buf_reserve(buf, len), 0);
  for (size_t i = 0; i < len; i++)
    buf->data[buf->len++] = byte_at((*at)++);
}

/* A refusal names who refused. */
TEST_CASE(test_refused) {
  fixture_t x;
  char port[16];
  assert_int_equal(start(&x, "127.0.0.1"), 0);
  uint16_t unused = x.port;
  uvow__unlisten(x.listener);
  script_until(&x.s, &x.listener_closed);
  connect_to(&x, "127.0.0.1", unused);
  script_until(&x.s, &x.a.ended);
  assert_int_equal(x.a.opened, 0);
  assert_int_equal(uvow_error_code(x.a.error), UV_ECONNREFUSED);
  assert_int_equal(uvow_error_outcome(x.a.error), UVOW_OUTCOME_NONE);
  snprintf(port, sizeof(port), " %u", (unsigned)unused);
  assert_non_null(strstr(uvow_error_message(x.a.error), "127.0.0.1"));
  assert_non_null(strstr(uvow_error_message(x.a.error), port));
  x.listener = NULL;
  x.listener_closed = 0;
  end(&x);
}

/* A name that isn't one. */
TEST_CASE(test_unresolved) {
  fixture_t x;
  assert_int_equal(start(&x, "127.0.0.1"), 0);
  connect_to(&x, "256.256.256.256", 1);
  script_until(&x.s, &x.a.ended);
  assert_non_null(x.a.error);
  assert_true(uvow_error_code(x.a.error) < 0);
  assert_non_null(strstr(uvow_error_message(x.a.error), "256.256.256.256"));
  end(&x);
}

/* What the system's resolver says, here: "two.test" has two addresses, nobody
 * listens on the first; on "none.test", nobody at all. Where a program can't
 * stand in for the resolver, it isn't asked, and the test is skipped. */
static int asked;

static struct addrinfo *address_of(const char *host, int port,
                                   struct addrinfo *next) {
  struct addrinfo *at = (struct addrinfo *)calloc(1, sizeof(*at));
  struct sockaddr_in *address =
      (struct sockaddr_in *)calloc(1, sizeof(*address));
  assert_non_null(at);
  if (uv_ip4_addr(host, port, address)) {
    free(address);
    free(at);
    return NULL;
  }
  at->ai_family = AF_INET;
  at->ai_socktype = SOCK_STREAM;
  at->ai_addrlen = sizeof(*address);
  at->ai_addr = (struct sockaddr *)address;
  at->ai_next = next;
  return at;
}

int getaddrinfo(const char *host, const char *service,
                const struct addrinfo *hints, struct addrinfo **ret) {
  int port = atoi(service);
  (void)hints;
  asked++;
  if (strcmp(host, "two.test") == 0)
    *ret = address_of("127.0.0.2", port, address_of("127.0.0.1", port, NULL));
  else if (strcmp(host, "none.test") == 0)
    *ret = address_of("127.0.0.2", port, address_of("127.0.0.3", port, NULL));
  else
    *ret =
        address_of(strcmp(host, "localhost") ? host : "127.0.0.1", port, NULL);
  return *ret ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *at) {
  while (at) {
    struct addrinfo *next = at->ai_next;
    free(at->ai_addr);
    free(at);
    at = next;
  }
}

/* Addresses are tried in their order; an error has each as a cause. */
TEST_CASE(test_addresses) {
  fixture_t x;
  asked = 0;
  assert_int_equal(start(&x, "127.0.0.1"), 0);
  connect_to(&x, "localhost", x.port);
  script_until(&x.s, &x.a.opened);
  end(&x);
  if (!asked) {
    print_message("# skip: the system's resolver can't be replaced here\n");
    skip();
  }
  assert_int_equal(start(&x, "127.0.0.1"), 0);
  connect_to(&x, "two.test", x.port);
  script_until(&x.s, &x.a.opened);
  assert_int_equal(x.a.ended, 0);
  end(&x);
  assert_int_equal(start(&x, "127.0.0.1"), 0);
  connect_to(&x, "none.test", x.port);
  script_until(&x.s, &x.a.ended);
  assert_int_equal(x.a.opened, 0);
  assert_int_equal(uvow_error_cause_count(x.a.error), 2);
  for (size_t i = 0; i < 2; i++) {
    const uvow_error_t *cause = uvow_error_nth_cause(x.a.error, i);
    assert_int_equal(uvow_error_code(cause), UV_ECONNREFUSED);
    assert_non_null(
        strstr(uvow_error_message(cause), i ? "127.0.0.3" : "127.0.0.2"));
    assert_null(uvow_error_cause(cause));
  }
  end(&x);
}

/* Closed at any moment of connecting: only on_closed follows. */
TEST_CASE(test_close_early) {
  for (int turns = 0; turns < 6; turns++) {
    for (int refused = 0; refused < 2; refused++) {
      fixture_t x;
      assert_int_equal(start(&x, "127.0.0.1"), 0);
      connect_to(&x, refused ? "256.1.1.1" : "localhost", x.port);
      for (int i = 0; i < turns; i++)
        uv_run(&x.s.uv,
               i < 2 || x.a.opened || x.a.ended ? UV_RUN_NOWAIT : UV_RUN_ONCE);
      side_t before = x.a;
      close_side(&x.a);
      while (!x.a.closed)
        uv_run(&x.s.uv, UV_RUN_ONCE);
      assert_int_equal(x.a.opened, before.opened);
      assert_int_equal(x.a.ended, before.ended);
      assert_int_equal(x.a.read, before.read);
      end(&x);
    }
  }
}

/* Before it is open there is no socket: nothing can be written, and what it is
 * asked is nothing yet. */
TEST_CASE(test_nothing_before_it_is_open) {
  static const char text[] = "x";
  fixture_t x;
  uvow__buf_t out;
  assert_int_equal(start(&x, "127.0.0.1"), 0);
  connect_to(&x, "localhost", x.port);
  uvow__buf_init(&out, uvow__loop_mem(x.s.loop), SIZE_MAX);
  assert_int_equal(uvow__buf_append(&out, text, 1), 0);
  assert_int_equal(x.a.stream->ops->write(x.a.stream, &out), UV_ENOTCONN);
  assert_int_equal(uvow__buf_size(&out), 1); /* it's still the caller's */
  uvow__buf_done(&out);
  x.a.stream->ops->pause(x.a.stream, 1);
  x.a.stream->ops->pause(x.a.stream, 0);
  assert_int_equal(x.a.stream->ops->unsent(x.a.stream), 0);
  assert_int_equal(uvow__io_who(x.a.stream, UVOW__WHO_ADDRESS, &out), 0);
  assert_int_equal(uvow__buf_size(&out), 0);
  end(&x);
}

#define CHUNK ((size_t)4 * 1024 * 1024)

/* More than the sockets hold: it's kept, leaves later, and arrives in order. */
TEST_CASE(test_backpressure) {
  fixture_t x;
  uint32_t at = 0;
  int waited = 0;
  start_both(&x);
  uvow__buf_t out;
  uvow__buf_init(&out, uvow__loop_mem(x.s.loop), SIZE_MAX);
  for (int i = 0; i < 4; i++) {
    fill(&out, &at, CHUNK);
    assert_int_equal(x.a.stream->ops->write(x.a.stream, &out), 0);
    assert_int_equal(uvow__buf_size(&out), 0);
    waited += x.a.stream->writing;
    int drained = x.a.drained;
    while (x.a.stream->writing)
      uv_run(&x.s.uv, UV_RUN_ONCE);
    assert_true(x.a.drained >= drained);
  }
  assert_true(waited > 0);
  assert_int_equal(x.a.drained, waited);
  while (x.b.read < 4 * CHUNK)
    uv_run(&x.s.uv, UV_RUN_ONCE);
  assert_int_equal(x.b.read, 4 * CHUNK);
  uvow__buf_done(&out);
  end(&x);
}

/* More than a piece: all of it arrives, in order, and is told of once. */
TEST_CASE(test_large_writes_go_in_pieces) {
  fixture_t x;
  uvow__buf_t out;
  uint32_t at = 0;
  for (size_t extra = 0; extra < 2; extra++) {
    size_t size = 9 * UVOW__WRITE_PIECE + extra * 77777;
    at = 0;
    start_both(&x);
    uvow__buf_init(&out, uvow__loop_mem(x.s.loop), SIZE_MAX);
    fill(&out, &at, size);
    assert_int_equal(x.a.stream->ops->write(x.a.stream, &out), 0);
    assert_int_equal(uvow__buf_size(&out), 0);
    assert_true(x.a.stream->writing); /* no socket's buffer has such room */
    script_until(&x.s, &x.a.drained);
    assert_false(x.a.stream->writing);
    while (x.b.read < size)
      assert_true(uv_run(&x.s.uv, UV_RUN_ONCE));
    assert_int_equal(x.b.read, size);
    fill(&out, &at, 10); /* and it goes on */
    assert_int_equal(x.a.stream->ops->write(x.a.stream, &out), 0);
    while (x.b.read < size + 10)
      assert_true(uv_run(&x.s.uv, UV_RUN_ONCE));
    assert_int_equal(x.a.drained, 1);
    uvow__buf_done(&out);
    end(&x);
  }
}

/* What can't leave at once needs memory to wait: without it the write fails, at
 * any of its allocations, and the stream is to be closed. */
TEST_CASE(a_write_without_memory_fails) {
  size_t failed = 1;
  for (size_t nth = 1; failed; nth++) {
    fixture_t x;
    uvow__buf_t out;
    uint32_t at = 0;
    start_both(&x);
    uvow__buf_init(&out, uvow__loop_mem(x.s.loop), SIZE_MAX);
    fill(&out, &at, 8 * CHUNK);
    x.s.alloc->fail_at = x.s.alloc->calls + nth;
    int rc = x.a.stream->ops->write(x.a.stream, &out);
    x.s.alloc->fail_at = 0;
    failed = x.s.alloc->failed;
    assert_int_equal(uvow__buf_size(&out), 0);
    assert_int_equal(rc, failed ? UVOW_ENOMEM : 0);
    while (rc == 0 && x.b.read < 8 * CHUNK)
      assert_true(uv_run(&x.s.uv, UV_RUN_ONCE));
    assert_int_equal(x.a.drained, rc == 0);
    assert_false(x.a.stream->writing);
    assert_int_equal(x.a.stream->ops->unsent(x.a.stream), 0);
    assert_true(failed || nth > 1); /* there was something to fail */
    uvow__buf_done(&out);
    end(&x);
  }
}

/* Closed while it writes: nobody is told that it's written. */
TEST_CASE(test_close_writing) {
  fixture_t x;
  uint32_t at = 0;
  start_both(&x);
  uvow__buf_t out;
  uvow__buf_init(&out, uvow__loop_mem(x.s.loop), SIZE_MAX);
  fill(&out, &at, 8 * CHUNK);
  assert_int_equal(x.a.stream->ops->write(x.a.stream, &out), 0);
  assert_int_equal(x.a.stream->writing, 1);
  close_side(&x.a);
  script_until(&x.s, &x.a.closed);
  assert_int_equal(x.a.drained, 0);
  assert_int_equal(x.a.ended, 0);
  script_until(&x.s, &x.b.ended);
  uvow__buf_done(&out);
  end(&x);
}

/* The peer goes, while a large write waits, or none does: in order, as it
 * lingers until we have ended too. */
TEST_CASE(test_peer_goes) {
  for (int writing = 0; writing < 2; writing++) {
    fixture_t x;
    uint32_t at = 0;
    uvow__buf_t out;
    start_both(&x);
    uvow__buf_init(&out, uvow__loop_mem(x.s.loop), SIZE_MAX);
    fill(&out, &at, writing ? 8 * CHUNK : 10);
    assert_int_equal(x.a.stream->ops->write(x.a.stream, &out), 0);
    assert_int_equal(x.a.stream->writing, writing);
    if (!writing)
      while (x.b.read < 10)
        uv_run(&x.s.uv, UV_RUN_ONCE);
    close_side(&x.b);
    script_until(&x.s, &x.a.ended);
    assert_null(x.a.error);
    close_side(&x.a);
    script_until(&x.s, &x.a.closed);
    assert_int_equal(x.a.ended, 1);
    uvow__buf_done(&out);
    end(&x);
  }
}

/* E2: a stream that doesn't hold lets the uv loop end. */
TEST_CASE(test_hold) {
  fixture_t x;
  start_both(&x);
  uvow__unlisten(x.listener);
  script_until(&x.s, &x.listener_closed);
  x.listener = NULL;
  x.listener_closed = 0;
  x.a.stream->ops->hold(x.a.stream, 0);
  assert_int_equal(uv_loop_alive(&x.s.uv), 1);
  x.b.stream->ops->hold(x.b.stream, 0);
  assert_int_equal(uv_run(&x.s.uv, UV_RUN_DEFAULT), 0);
  x.b.stream->ops->hold(x.b.stream, 1);
  assert_int_equal(uv_loop_alive(&x.s.uv), 1);
  end(&x);
}

/* Peers that nobody accepts are refused, one after the other, and the listener
 * goes on; also when it's closed meanwhile. */
static void on_plain_connect(uv_connect_t *req, int status) {
  (void)req;
  (void)status;
}

static void on_plain_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  static char bytes[16];
  (void)handle;
  (void)size;
  *buf = uv_buf_init(bytes, sizeof(bytes));
}

static void on_plain_read(uv_stream_t *handle, ssize_t len,
                          const uv_buf_t *buf) {
  (void)buf;
  if (len < 0) {
    ++*(int *)handle->data;
    uv_read_stop(handle);
  }
}

TEST_CASE(test_refuses) {
  for (int early = 0; early < 4; early++) {
    fixture_t x;
    uv_tcp_t peers[10];
    uv_connect_t reqs[10];
    struct sockaddr_in address;
    int refused = 0;
    start_both(&x);
    uv_ip4_addr("127.0.0.1", x.port, &address);
    for (int i = 0; i < 10; i++) {
      uv_tcp_init(&x.s.uv, &peers[i]);
      peers[i].data = &refused;
      uv_tcp_connect(&reqs[i], &peers[i], (struct sockaddr *)&address,
                     on_plain_connect);
    }
    for (int i = 0; i < early; i++)
      uv_run(&x.s.uv, UV_RUN_NOWAIT);
    if (early) {
      uvow__unlisten(x.listener);
    } else {
      script_turns(&x.s);
      for (int i = 0; i < 10; i++)
        uv_read_start((uv_stream_t *)&peers[i], on_plain_alloc, on_plain_read);
      while (refused < 10)
        uv_run(&x.s.uv, UV_RUN_ONCE);
    }
    for (int i = 0; i < 10; i++)
      uv_close((uv_handle_t *)&peers[i], NULL);
    end(&x);
  }
}

TEST_CASE(test_listen_errors) {
  fixture_t x;
  uvow__listener_t *second = NULL;
  assert_int_equal(start(&x, "127.0.0.1"), 0);
  assert_int_equal(uvow__tcp_listen(x.s.loop, "nowhere", 0, &listener_callbacks,
                                    &x, &second),
                   UVOW_EINVAL);
  assert_int_equal(uvow__tcp_listen(x.s.loop, "127.0.0.1", x.port,
                                    &listener_callbacks, &x, &second),
                   UV_EADDRINUSE);
  assert_null(second);
  end(&x);
}

TEST_MODULE(tcp) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_unresolved),
      cmocka_unit_test(test_addresses),
      cmocka_unit_test(test_close_early),
      cmocka_unit_test(test_nothing_before_it_is_open),
      cmocka_unit_test(test_backpressure),
      cmocka_unit_test(test_close_writing),
      cmocka_unit_test(test_large_writes_go_in_pieces),
      cmocka_unit_test(a_write_without_memory_fails),
      cmocka_unit_test(test_peer_goes),
      cmocka_unit_test(test_hold),
      cmocka_unit_test(test_refuses),
      cmocka_unit_test(test_listen_errors),
  };
  return cmocka_run_group_tests_name("net/tcp", tests, NULL, NULL);
}
