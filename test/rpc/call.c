#include "rpc/server.h"

#include "support/script.h"
#include "support/serve.h"

#include <stdio.h>

/* A server, and a peer that is no WebSocket client but what the test says. */
typedef struct raw {
  script_t s;
  uvow_server_t *server;
  uv_tcp_t tcp;
  uv_connect_t connect;
  uv_write_t write;
  uint8_t *got;
  size_t got_len;
  size_t at; /* read so far */
  int opened;
  int ended;
  int calls;
  char buffer[65536];
} raw_t;

static void on_raw_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf) {
  raw_t *x = (raw_t *)handle->data;
  (void)size;
  *buf = uv_buf_init(x->buffer, sizeof(x->buffer));
}

static void on_raw_read(uv_stream_t *handle, ssize_t len, const uv_buf_t *buf) {
  raw_t *x = (raw_t *)handle->data;
  if (len < 0) {
    x->ended = 1;
    uv_read_stop(handle);
    return;
  }
  x->got = (uint8_t *)realloc(x->got, x->got_len + (size_t)len + 1);
  assert_non_null(x->got);
  memcpy(x->got + x->got_len, buf->base, (size_t)len);
  x->got_len += (size_t)len;
  x->got[x->got_len] = '\0';
}

static void on_raw_connect(uv_connect_t *req, int status) {
  raw_t *x = (raw_t *)req->data;
  assert_int_equal(status, 0);
  x->opened = 1;
}

static void read_on(raw_t *x) {
  uv_read_start((uv_stream_t *)&x->tcp, on_raw_alloc, on_raw_read);
}

static void connect_raw(raw_t *x) {
  struct sockaddr_in address;
  x->opened = x->ended = 0;
  x->got_len = x->at = 0;
  assert_int_equal(uv_tcp_init(&x->s.uv, &x->tcp), 0);
  x->tcp.data = x->connect.data = x;
  uv_ip4_addr("127.0.0.1", uvow_server_port(x->server), &address);
  assert_int_equal(uv_tcp_connect(&x->connect, &x->tcp,
                                  (struct sockaddr *)&address, on_raw_connect),
                   0);
  script_until(&x->s, &x->opened);
}

static void start_with(raw_t *x, const test_serve_t *options) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  assert_int_equal(test_serve(x->s.loop, options, &x->server), 0);
  connect_raw(x);
}

static test_serve_t default_options(void) {
  test_serve_t options = test_serve_options();
  return options;
}

static void start(raw_t *x) {
  test_serve_t options = default_options();
  start_with(x, &options);
  read_on(x);
}

static void hang_up(raw_t *x) {
  uv_close((uv_handle_t *)&x->tcp, NULL);
}

static void end(raw_t *x) {
  if (!uv_is_closing((uv_handle_t *)&x->tcp))
    hang_up(x);
  uvow_server_free(x->server);
  free(x->got);
  script_end(&x->s);
}

static void say(raw_t *x, const void *bytes, size_t len) {
  const char *at = (const char *)bytes;
  while (len) {
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)at, (unsigned)len);
    int n = uv_try_write((uv_stream_t *)&x->tcp, &buf, 1);
    if (n == UV_EAGAIN) {
      uv_run(&x->s.uv, UV_RUN_NOWAIT);
      continue;
    }
    assert_true(n > 0);
    at += n;
    len -= (size_t)n;
  }
}

static void say_text(raw_t *x, const char *text) {
  say(x, text, strlen(text));
}

/* A client's frame, masked with `key`. */
static void say_frame(raw_t *x, unsigned first, const char *text) {
  static const uint8_t key[4] = {1, 2, 3, 4};
  uint8_t bytes[4096];
  size_t len = strlen(text);
  size_t head = script_put_frame(bytes, first, NULL, 0);
  if (len >= 126) {
    bytes[1] = 126;
    bytes[2] = (uint8_t)(len >> 8);
    bytes[3] = (uint8_t)len;
    head = 4;
  } else {
    bytes[1] = (uint8_t)len;
  }
  bytes[1] |= 0x80;
  memcpy(bytes + head, key, 4);
  for (size_t i = 0; i < len; i++)
    bytes[head + 4 + i] = (uint8_t)text[i] ^ key[i % 4];
  say(x, bytes, head + 4 + len);
}

static void until_ended(raw_t *x) {
  script_until(&x->s, &x->ended);
}

static const char handshake[] =
    "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: x, b, a\r\n\r\n";

static void shake(raw_t *x) {
  say_text(x, handshake);
  while (x->got_len < 4 || !strstr((const char *)x->got, "\r\n\r\n"))
    assert_true(uv_run(&x->s.uv, UV_RUN_ONCE));
  assert_memory_equal(x->got, "HTTP/1.1 101 ", 13);
  assert_non_null(strstr((const char *)x->got, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
  x->at = (size_t)(strstr((const char *)x->got, "\r\n\r\n") + 4 -
                   (const char *)x->got);
}

/* The server's next frame is this: first byte and payload. */
static void expect_frame(raw_t *x, unsigned first, const char *text) {
  size_t len = strlen(text);
  size_t head = len < 126 ? 2 : 4;
  while (x->got_len - x->at < head + len && !x->ended)
    assert_true(uv_run(&x->s.uv, UV_RUN_ONCE));
  const uint8_t *at = x->got + x->at;
  assert_true(x->got_len - x->at >= head + len);
  assert_int_equal(at[0], first);
  assert_int_equal(at[1], len < 126 ? len : 126); /* not masked */
  if (memcmp(at + head, text, len) != 0)
    fail_msg("%.*s isn't %s", (int)len, (const char *)at + head, text);
  x->at += head + len;
}

static void expect_nothing_more(raw_t *x) {
  script_turns(&x->s);
  assert_int_equal(x->at, x->got_len);
}

static uvow_next_t pass_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  ((raw_t *)data)->calls++;
  (void)call;
  (void)params;
  return uvow_next_pass();
}

/* Requests that are no handshake are told so. */
TEST_CASE(test_bad_handshake) {
  static const struct {
    const char *text;
    const char *answer;
  } cases[] = {
      {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 426 "},
      {"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 405 "},
      {"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
       "Connection: Upgrade\r\nSec-WebSocket-Version: 8\r\n"
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
       "HTTP/1.1 426 "},
      {"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
       "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
       "Sec-WebSocket-Key: short\r\n\r\n",
       "HTTP/1.1 400 "},
      {"\x16\x03\x01\x02", "HTTP/1.1 400 "},
      {"GARBAGE\r\n\r\n", "HTTP/1.1 400 "},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    raw_t x;
    start(&x);
    say_text(&x, cases[i].text);
    until_ended(&x);
    assert_true(x.got_len > strlen(cases[i].answer));
    assert_memory_equal(x.got, cases[i].answer, strlen(cases[i].answer));
    end(&x);
  }
}

TEST_CASE(test_subprotocol) {
  raw_t x;
  const char *subprotocols[] = {"a", "b"};
  test_serve_t options = default_options();
  options.listener.subprotocols = subprotocols;
  options.listener.subprotocol_count = 2;
  start_with(&x, &options);
  read_on(&x);
  shake(&x);
  assert_non_null(
      strstr((const char *)x.got, "\r\nSec-WebSocket-Protocol: b\r\n"));
  end(&x);
}

/* Frames of a client must be masked (RFC 6455 5.1). */
TEST_CASE(test_unmasked) {
  raw_t x;
  start(&x);
  shake(&x);
  say(&x, "\x81\x02{}", 4);
  expect_frame(&x, 0x88, "\x03\xEA");
  until_ended(&x);
  end(&x);
}

/* The peer's id goes back as it stood, short or long. */
TEST_CASE(test_ids) {
  static const char *const ids[] = {
      "1",
      "\"a\"",
      "\"\\u0041\\n\"",
      "1.50",
      "-7",
      "null",
      "123456789012345678901234567890123456789012345678901234567890",
      "\"0123456789abcdef0123456789abcd\"",  /* 32 with its quotes */
      "\"0123456789abcdef0123456789abcde\"", /* 33 */
      "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789\""};
  raw_t x;
  start(&x);
  assert_int_equal(test_method(x.server, "m", pass_cb, &x), 0);
  shake(&x);
  for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
    char text[256];
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[1],\"id\":%s}",
             ids[i]);
    say_frame(&x, 0x81, text);
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":[1]}", ids[i]);
    expect_frame(&x, 0x81, text);
  }
  assert_int_equal(x.calls, sizeof(ids) / sizeof(*ids));
  expect_nothing_more(&x);
  end(&x);
}

#define PARSE_ERROR                                                            \
  "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":"   \
  "\"Parse error\"}}"

/* What is no message is answered once; answers to nothing are not. */
TEST_CASE(test_garbage) {
  raw_t x;
  start(&x);
  assert_int_equal(test_method(x.server, "m", pass_cb, &x), 0);
  shake(&x);
  say_frame(&x, 0x81, "{");
  expect_frame(&x, 0x81, PARSE_ERROR);
  say_frame(&x, 0x82, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":1}");
  expect_frame(&x, 0x81, PARSE_ERROR);
  say_frame(&x, 0x81, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
  say_frame(&x, 0x81, "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}");
  say_frame(&x, 0x89, "p");
  expect_frame(&x, 0x8A, "p");
  say_frame(&x, 0x88, "\x03\xF4");
  expect_frame(&x, 0x88, "\x03\xF4");
  until_ended(&x); /* a server closes first */
  expect_nothing_more(&x);
  assert_int_equal(x.calls, 1);
  end(&x);
}

/* A message in the bytes of the handshake, and answers in one burst. */
TEST_CASE(test_eager) {
  raw_t x;
  start(&x);
  assert_int_equal(test_method(x.server, "m", pass_cb, &x), 0);
  say_text(&x, handshake);
  say_frame(&x, 0x81, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":1}");
  say_frame(&x, 0x81, "{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":2}");
  while (x.got_len < 4 || !strstr((const char *)x.got, "\r\n\r\n"))
    assert_true(uv_run(&x.s.uv, UV_RUN_ONCE));
  x.at = (size_t)(strstr((const char *)x.got, "\r\n\r\n") + 4 -
                  (const char *)x.got);
  expect_frame(&x, 0x81, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}");
  expect_frame(&x, 0x81, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":null}");
  end(&x);
}

/* A peer that asks and never reads is dropped; the server goes on. */
TEST_CASE(test_slow_reader) {
  raw_t x;
  test_serve_t options = default_options();
  options.listener.max_unsent_bytes = 100000;
  start_with(&x, &options);
  char *big = (char *)malloc(1000002);
  assert_non_null(big);
  read_on(&x);
  shake(&x);
  uv_read_stop((uv_stream_t *)&x.tcp);
  memset(big, '1', 90000);
  big[0] = '[';
  big[89999] = ']';
  int published = 0;
  while (test_peers(x.server) && published < 10000) {
    assert_int_equal(
        uvow_group_notify(uvow_server_peers(x.server), "e",
                          uvow_value_slice(&(uvow_slice_t){big, 90000})),
        0);
    uv_run(&x.s.uv, UV_RUN_NOWAIT);
    published++;
  }
  assert_true(published < 10000);
  assert_true(published > 1);
  free(big);
  hang_up(&x);
  script_turns(&x.s);
  connect_raw(&x);
  read_on(&x);
  shake(&x);
  end(&x);
}

/* A peer that says nothing is dropped in time; so is one that half closes. */
TEST_CASE(test_silent) {
  raw_t x;
  start(&x);
  while (test_guests(x.server) == 0)
    uv_run(&x.s.uv, UV_RUN_ONCE);
  hang_up(&x);
  while (test_guests(x.server))
    uv_run(&x.s.uv, UV_RUN_ONCE);
  script_drive_clock(&x.s); /* which jumps: before the peer that is timed */
  connect_raw(&x);
  read_on(&x);
  while (test_guests(x.server) == 0)
    uv_run(&x.s.uv, UV_RUN_NOWAIT);
  script_advance(&x.s, 9000);
  assert_int_equal(test_guests(x.server), 1);
  script_advance(&x.s, 1100);
  assert_int_equal(test_guests(x.server), 0);
  until_ended(&x);
  end(&x);
}

/* No memory for a peer: it's refused, and the next is served. */
TEST_CASE(test_no_memory_for_a_peer) {
  for (size_t nth = 1; nth < 4; nth++) {
    raw_t x;
    start(&x);
    while (test_guests(x.server) == 0)
      uv_run(&x.s.uv, UV_RUN_ONCE);
    hang_up(&x);
    while (test_guests(x.server))
      uv_run(&x.s.uv, UV_RUN_ONCE);
    script_turns(&x.s);
    x.s.alloc->fail_at = x.s.alloc->calls + nth;
    x.s.alloc->failed = 0;
    connect_raw(&x);
    read_on(&x);
    while (!x.s.alloc->failed)
      uv_run(&x.s.uv, UV_RUN_ONCE);
    until_ended(&x);
    x.s.alloc->fail_at = 0;
    hang_up(&x);
    script_turns(&x.s);
    connect_raw(&x);
    read_on(&x);
    shake(&x);
    end(&x);
  }
}

TEST_MODULE(call) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bad_handshake),
      cmocka_unit_test(test_subprotocol),
      cmocka_unit_test(test_unmasked),
      cmocka_unit_test(test_ids),
      cmocka_unit_test(test_garbage),
      cmocka_unit_test(test_eager),
      cmocka_unit_test(test_slow_reader),
      cmocka_unit_test(test_silent),
      cmocka_unit_test(test_no_memory_for_a_peer),
  };
  return cmocka_run_group_tests_name("rpc/call", tests, NULL, NULL);
}
