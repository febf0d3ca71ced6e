/* HTTP CONNECT: streams through a proxy that the test plays. */
#include "websocket/tunnel.h"

#include "support/script.h"

#include <stdio.h>

#include "base/error.h"

/* One stream through a proxy, on the script's. */
typedef struct fixture {
  uvow__transport_t transport; /* first: the script's, which looks where to */
  script_t s;
  uvow__io_t *stream;
  char host[64]; /* whom the stream below was to connect to */
  uint16_t port;
  unsigned keepalive_s;
  uvow__url_t proxy;
  uvow__tunnel_transport_t tunnel;
  char text[256]; /* all that came */
  int opened;
  int drained;
  int ended;
  int closed;
  int close_in_open;
  uvow_error_t *error;
} fixture_t;

static void on_open(void *ctx) {
  fixture_t *x = (fixture_t *)ctx;
  x->opened++;
  if (x->close_in_open)
    x->stream->ops->close(x->stream);
}

static void on_read(void *ctx, const uint8_t *bytes, size_t len) {
  fixture_t *x = (fixture_t *)ctx;
  size_t at = strlen(x->text);
  assert_int_equal(x->opened, 1);
  assert_true(at + len < sizeof(x->text));
  memcpy(x->text + at, bytes, len);
}

static void on_drained(void *ctx) {
  ((fixture_t *)ctx)->drained++;
}

static void on_end(void *ctx, uvow_error_t *error) {
  fixture_t *x = (fixture_t *)ctx;
  x->ended++;
  x->error = error;
}

static void on_closed(void *ctx) {
  ((fixture_t *)ctx)->closed++;
}

static const uvow__io_callbacks_t callbacks = {on_open, on_read, on_drained,
                                               on_end, on_closed};

static int look(const uvow__transport_t *transport, uvow_loop_t *loop,
                const uvow__endpoint_t *endpoint,
                const uvow__io_callbacks_t *own, void *ctx,
                uvow__io_t **ret_io) {
  fixture_t *x = (fixture_t *)(uintptr_t)(const void *)transport;
  snprintf(x->host, sizeof(x->host), "%s", endpoint->host);
  x->port = endpoint->port;
  x->keepalive_s = endpoint->keepalive_s;
  assert_int_equal(endpoint->secure, 0);
  assert_null(endpoint->path);
  return x->s.transport.connect(&x->s.transport, loop, endpoint, own, ctx,
                                ret_io);
}

static void prepare(fixture_t *x) {
  memset(x, 0, sizeof(*x));
  x->transport.connect = look;
}

static int connect_to(fixture_t *x, const char *host, const char *proxy) {
  uvow__endpoint_t endpoint = {host, 81, 1, NULL, 7};
  assert_int_equal(
      uvow__url_parse(&uvow__mem_default, proxy, strlen(proxy), &x->proxy), 0);
  uvow__tunnel_transport_init(&x->tunnel, &x->transport, &x->proxy);
  return x->tunnel.transport.connect(&x->tunnel.transport, x->s.loop, &endpoint,
                                     &callbacks, x, &x->stream);
}

static void start(fixture_t *x, const char *host, const char *proxy) {
  prepare(x);
  script_init(&x->s);
  assert_int_equal(connect_to(x, host, proxy), 0);
  assert_int_equal(x->s.writes, 0);
}

static void end(fixture_t *x) {
  if (x->stream) {
    x->stream->ops->close(x->stream);
    script_until(&x->s, &x->closed);
    assert_int_equal(x->closed, 1);
  }
  uvow_error_unref(x->error);
  uvow__url_done(&x->proxy);
  script_end(&x->s);
}

/* What was written since the last time. */
static void expect_written(script_t *s, const char *text) {
  size_t len = strlen(text);
  assert_int_equal(s->sent_len - s->sent_at, len);
  if (len)
    assert_memory_equal(s->sent + s->sent_at, text, len);
  s->sent_at = s->sent_len;
}

static void say(script_t *s, const char *text) {
  script_feed(s, text, strlen(text));
}

static void write_text(fixture_t *x, const char *text) {
  uvow__buf_t out;
  uvow__buf_init(&out, uvow__loop_mem(x->s.loop), SIZE_MAX);
  assert_int_equal(uvow__buf_append_text(&out, text), 0);
  assert_int_equal(x->stream->ops->write(x->stream, &out), 0);
  uvow__buf_done(&out);
}

#define ASKED "CONNECT h.test:81 HTTP/1.1\r\nHost: h.test:81\r\n\r\n"

TEST_CASE(the_proxy_is_asked_for_the_server) {
  fixture_t x;
  start(&x, "h.test", "ws://p.test:3128");
  assert_string_equal(x.host, "p.test");
  assert_int_equal(x.port, 3128);
  assert_int_equal(x.keepalive_s, 7);
  script_connected(&x.s);
  expect_written(&x.s, ASKED);
  assert_int_equal(x.opened, 0);
  say(&x.s, "HTTP/1.1 200 Fine\r\n\r\n");
  assert_int_equal(x.opened, 1);
  end(&x);
}

TEST_CASE(brackets_are_put_around_ipv6) {
  fixture_t x;
  start(&x, "fd00::1", "ws://[::1]");
  assert_string_equal(x.host, "::1");
  assert_int_equal(x.port, 80);
  script_connected(&x.s);
  expect_written(&x.s,
                 "CONNECT [fd00::1]:81 HTTP/1.1\r\nHost: [fd00::1]:81\r\n\r\n");
  end(&x);
}

TEST_CASE(credentials_are_sent) {
  fixture_t x;
  start(&x, "h.test", "ws://Aladdin:open%20sesame@p");
  script_connected(&x.s);
  expect_written(&x.s,
                 "CONNECT h.test:81 HTTP/1.1\r\nHost: h.test:81\r\n"
                 "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"
                 "\r\n");
  end(&x);
  start(&x, "h.test", "ws://u@p");
  script_connected(&x.s);
  expect_written(&x.s,
                 "CONNECT h.test:81 HTTP/1.1\r\nHost: h.test:81\r\n"
                 "Proxy-Authorization: Basic dTo=\r\n\r\n");
  end(&x);
}

TEST_CASE(what_stands_behind_the_head_is_the_servers) {
  static const char *const heads[] = {
      "HTTP/1.1 200 Connection established\r\n\r\n",
      "HTTP/1.0 200 OK\r\nVia: x\r\nContent-Length: 4\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\n\r\n",
      "HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 299 \r\n\r\n"};
  for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
    for (unsigned cut = 0; cut < 6; cut++) {
      fixture_t x;
      char text[256];
      start(&x, "h.test", "ws://p");
      x.s.cut = cut;
      script_connected(&x.s);
      snprintf(text, sizeof(text), "%sHTTP/1.1 500 not for us\r\n\r\n",
               heads[i]);
      say(&x.s, text);
      assert_string_equal(x.text, "HTTP/1.1 500 not for us\r\n\r\n");
      assert_int_equal(x.opened, 1);
      assert_int_equal(x.ended, 0);
      end(&x);
    }
  }
}

/* The error of a proxy that isn't open: code, status, and its words. */
static void expect_error(fixture_t *x, int status, const char *text) {
  assert_int_equal(x->opened, 0);
  assert_int_equal(x->ended, 1);
  assert_int_equal(uvow_error_code(x->error), UVOW_EPROXY);
  assert_int_equal(uvow_error_outcome(x->error), UVOW_OUTCOME_NONE);
  assert_int_equal(uvow_error_status(x->error), status);
  assert_string_equal(uvow_error_message(x->error), text);
}

TEST_CASE(another_status_is_an_error) {
  static const struct {
    const char *answer;
    int status;
    const char *text;
  } samples[] = {
      {"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 4\r\n"
       "\r\nbody",
       407,
       "the proxy p.test:3128 answered HTTP 407 Proxy Authentication Required"},
      {"HTTP/1.0 403 \r\n\r\n", 403,
       "the proxy p.test:3128 answered HTTP 403 "},
      {"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", 302,
       "the proxy p.test:3128 answered HTTP 302 Found"},
      {"HTTP/1.1 300\r\n\r\n", 300, "the proxy p.test:3128 answered HTTP 300 "},
      {"HTTP/1.1 101 Switching\r\n\r\n", 101,
       "the proxy p.test:3128 answered HTTP 101 Switching"},
      {"HTTP/1.1 199 x\r\n\r\n", 199,
       "the proxy p.test:3128 answered HTTP 199 x"},
      {"HTTP/1.1 407 \xc2\x9b[2J\t!\r\n\r\n", 407,
       "the proxy p.test:3128 answered HTTP 407 ??[2J?!"}};
  for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
    for (unsigned cut = 0; cut < 3; cut++) {
      fixture_t x;
      start(&x, "h.test", "ws://user:secret@p.test:3128");
      x.s.cut = cut;
      script_connected(&x.s);
      say(&x.s, samples[i].answer);
      expect_error(&x, samples[i].status, samples[i].text);
      script_hang_up(&x.s, 0); /* nothing is told twice */
      assert_int_equal(x.ended, 1);
      end(&x);
    }
  }
}

TEST_CASE(long_reasons_are_cut) {
  fixture_t x;
  char answer[700];
  memset(answer, 'r', sizeof(answer));
  memcpy(answer, "HTTP/1.1 500 ", 13);
  snprintf(answer + sizeof(answer) - 5, 5, "\r\n\r\n");
  start(&x, "h.test", "ws://p");
  script_connected(&x.s);
  say(&x.s, answer);
  assert_int_equal(x.ended, 1);
  assert_int_equal(uvow_error_status(x.error), 500);
  assert_true(strlen(uvow_error_message(x.error)) < 150);
  end(&x);
}

TEST_CASE(what_is_not_http_is_an_error) {
  fixture_t x;
  start(&x, "h.test", "ws://p");
  script_connected(&x.s);
  say(&x.s, "SSH-2.0-x\r\n");
  expect_error(&x, 0,
               "the proxy p answered with what can't be read: malformed HTTP "
               "in the handshake");
  assert_int_equal(uvow_error_code(uvow_error_cause(x.error)), UVOW_EHTTP);
  end(&x);
}

TEST_CASE(a_head_without_end_is_an_error) {
  fixture_t x;
  static const char line[] = "X: 0123456789012345678901234567890123456789\r\n";
  start(&x, "h.test", "ws://p");
  script_connected(&x.s);
  say(&x.s, "HTTP/1.1 200 OK\r\n");
  for (int i = 0; i < 2000 && !x.ended; i++)
    say(&x.s, line);
  assert_int_equal(x.ended, 1);
  assert_int_equal(uvow_error_code(uvow_error_cause(x.error)), UVOW_ETOOBIG);
  assert_non_null(
      strstr(uvow_error_message(x.error), "its head has more than 100 fields"));
  end(&x);
}

TEST_CASE(a_pause_is_the_lower_streams) {
  fixture_t x;
  start(&x, "h.test", "ws://p");
  script_connected(&x.s);
  x.stream->ops->pause(x.stream, 1); /* the handshake goes on */
  assert_int_equal(x.s.paused, 0);
  say(&x.s, "HTTP/1.1 200 OK\r\n\r\n");
  assert_int_equal(x.opened, 1);
  x.stream->ops->pause(x.stream, 1);
  assert_int_equal(x.s.paused, 1);
  x.stream->ops->pause(x.stream, 0);
  assert_int_equal(x.s.paused, 0);
  say(&x.s, "first");
  assert_string_equal(x.text, "first");
  end(&x);
}

TEST_CASE(a_proxy_that_is_not_there_is_named) {
  fixture_t x;
  start(&x, "h.test", "ws://u:secret@p.test:3128");
  script_hang_up(&x.s, UV_ECONNREFUSED);
  expect_error(&x, 0,
               "the proxy p.test:3128 can't be reached: connection refused");
  assert_int_equal(uvow_error_code(uvow_error_cause(x.error)), UV_ECONNREFUSED);
  end(&x);
}

TEST_CASE(a_proxy_that_goes_is_named) {
  fixture_t x;
  start(&x, "h.test", "ws://p");
  script_connected(&x.s);
  say(&x.s, "HTTP/1.1 200 O");
  script_hang_up(&x.s, 0);
  expect_error(&x, 0, "the proxy p ended the connection before it answered");
  end(&x);
  start(&x, "h.test", "ws://p");
  script_connected(&x.s);
  script_hang_up(&x.s, UV_ECONNRESET);
  expect_error(&x, 0,
               "the proxy p ended the connection before it answered: "
               "connection reset by peer");
  end(&x);
  start(&x, "h.test", "ws://p");
  x.s.write_error = UV_EPIPE;
  script_connected(&x.s);
  expect_error(&x, 0, "the proxy p could not be asked: broken pipe");
  end(&x);
}

TEST_CASE(open_it_passes_all_on) {
  fixture_t x;
  for (int in_order = 0; in_order < 2; in_order++) {
    start(&x, "h.test", "ws://p");
    script_connected(&x.s);
    expect_written(&x.s, ASKED);
    say(&x.s, "HTTP/1.1 200 OK\r\n\r\n");
    write_text(&x, "up");
    expect_written(&x.s, "up");
    assert_int_equal(x.stream->writing, 0);
    x.s.block = 1;
    write_text(&x, "blocked");
    assert_int_equal(x.stream->writing, 1);
    assert_int_equal(x.drained, 0);
    script_unblock(&x.s);
    assert_int_equal(x.stream->writing, 0);
    assert_int_equal(x.drained, 1);
    x.stream->ops->hold(x.stream, 0);
    assert_int_equal(x.s.held, 0);
    x.stream->ops->hold(x.stream, 1);
    assert_int_equal(x.s.held, 1);
    assert_null(uvow__io_trouble(x.stream));
    say(&x.s, "down");
    assert_string_equal(x.text, "down");
    script_hang_up(&x.s, in_order ? 0 : UV_ECONNRESET);
    assert_int_equal(x.ended, 1);
    assert_int_equal(uvow_error_code(x.error), in_order ? 0 : UV_ECONNRESET);
    end(&x);
  }
}

/* The answer may come while the question is still being written. */
TEST_CASE(a_write_that_takes_long_is_waited_for) {
  fixture_t x;
  start(&x, "h.test", "ws://p");
  x.s.block = 1;
  script_connected(&x.s);
  say(&x.s, "HTTP/1.1 200 OK\r\n\r\n");
  assert_int_equal(x.opened, 1);
  assert_int_equal(x.stream->writing, 1);
  script_unblock(&x.s);
  assert_int_equal(x.drained, 1);
  assert_int_equal(x.stream->writing, 0);
  end(&x);
  start(&x, "h.test", "ws://p");
  x.s.block = 1;
  script_connected(&x.s);
  script_unblock(&x.s);
  assert_int_equal(x.drained, 0); /* none of ours */
  end(&x);
}

TEST_CASE(closed_at_any_time_it_says_nothing) {
  for (int stage = 0; stage < 4; stage++) {
    fixture_t x;
    start(&x, "h.test", "ws://p");
    x.close_in_open = stage == 3;
    if (stage)
      script_connected(&x.s);
    if (stage > 1)
      say(&x.s, "HTTP/1.1 200 OK\r\n\r\nbytes");
    x.stream->ops->close(x.stream);
    x.stream->ops->close(x.stream); /* twice is once */
    script_until(&x.s, &x.closed);
    assert_int_equal(x.closed, 1);
    assert_int_equal(x.opened, stage > 1);
    assert_int_equal(x.ended, 0);
    assert_string_equal(x.text, stage == 2 ? "bytes" : "");
    x.stream = NULL;
    end(&x);
  }
}

TEST_CASE(its_trouble_is_told) {
  fixture_t x;
  start(&x, "h.test", "ws://p.test");
  uvow_error_t *trouble = uvow__io_trouble(x.stream);
  assert_string_equal(uvow_error_message(trouble),
                      "the proxy p.test is not reached yet");
  uvow_error_unref(trouble);
  script_connected(&x.s);
  trouble = uvow__io_trouble(x.stream);
  assert_string_equal(uvow_error_message(trouble),
                      "the proxy p.test has not answered yet");
  uvow_error_unref(trouble);
  end(&x);
}

static void tunnel_with(test_alloc_t *alloc, void *data) {
  fixture_t x;
  prepare(&x);
  script_init_with(&x.s, alloc);
  if (x.s.loop && connect_to(&x, (const char *)data, "ws://u:p@p") == 0) {
    script_connected(&x.s);
    say(&x.s, "HTTP/1.1 200 OK\r\nA: b\r\n\r\nbytes");
    assert_int_equal(x.opened + x.ended, 1);
    if (x.ended)
      assert_non_null(x.error);
    x.stream->ops->close(x.stream);
  }
  script_quit(&x.s);
  assert_int_equal(x.closed, x.stream != NULL);
  uvow_error_unref(x.error);
  uvow__url_done(&x.proxy);
}

TEST_CASE(without_memory_it_fails_in_order) {
  char host[254]; /* so long that the request grows behind it */
  memset(host, 'h', sizeof(host) - 1);
  for (size_t len = 1; len < sizeof(host); len += 14) {
    host[len] = '\0';
    test_alloc_sweep(tunnel_with, host);
    host[len] = 'h';
  }
}

/* It has ended: that it ends below as well tells nobody anything. */
TEST_CASE(refused_it_ends_once) {
  fixture_t x;
  start(&x, "h.test", "ws://p");
  script_connected(&x.s);
  say(&x.s, "HTTP/1.1 403 No\r\n\r\n");
  assert_int_equal(x.ended, 1);
  script_hang_up(&x.s, UV_ECONNRESET);
  script_unblock(&x.s);
  assert_int_equal(x.ended, 1);
  end(&x);
}

/* A client: through the proxy, all that it is told to. */

TEST_CASE(a_client_goes_through) {
  fixture_t x;
  prepare(&x);
  script_init(&x.s);
  test_connect_t options = script_options(&x.s);
  options.url = "ws://h.test:81/x";
  options.websocket.proxy = "http://p.test:3128";
  options.websocket.tcp_keepalive_s = 9;
  assert_int_equal(
      test_connect_on(x.s.loop, &options, &x.transport, &x.s.client), 0);
  assert_string_equal(x.host, "p.test");
  assert_int_equal(x.keepalive_s, 9);
  script_connected(&x.s);
  expect_written(&x.s, ASKED);
  say(&x.s, "HTTP/1.1 200 OK\r\n\r\n");
  assert_memory_equal(x.s.sent + x.s.sent_at, "GET /x HTTP/1.1\r\n", 17);
  script_accept(&x.s);
  x.s.sent_at = x.s.sent_len; /* two heads */
  script_mark_t a = script_mark(&x.s, "a");
  script_call(&x.s, "m", &a);
  script_turns(&x.s);
  script_expect_sent(&x.s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
  script_text(&x.s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
  script_expect(&x.s, "a=1");
  script_end(&x.s);
}

TEST_CASE(a_refusal_rejects_what_was_asked) {
  fixture_t x;
  prepare(&x);
  script_init(&x.s);
  test_connect_t options = script_options(&x.s);
  options.url = "ws://h.test:81/x";
  options.websocket.proxy = "http://p.test:3128";
  assert_int_equal(
      test_connect_on(x.s.loop, &options, &x.transport, &x.s.client), 0);
  script_mark_t a = script_mark(&x.s, "a");
  script_call(&x.s, "m", &a);
  script_connected(&x.s);
  say(&x.s, "HTTP/1.1 407 No\r\n\r\n");
  script_turns(&x.s);
  script_expect(&x.s, "a!EPROXY:NOT");
  assert_int_equal(uvow_error_status(x.s.client->life.why), 407);
  script_end(&x.s);
}

TEST_CASE(a_proxy_that_hangs_is_named_in_the_end) {
  fixture_t x;
  prepare(&x);
  script_init(&x.s);
  script_drive_clock(&x.s);
  test_connect_t options = script_options(&x.s);
  options.websocket.proxy = "http://p.test:3128";
  options.websocket.connect_timeout_ms = 1000;
  assert_int_equal(
      test_connect_on(x.s.loop, &options, &x.transport, &x.s.client), 0);
  script_connected(&x.s);
  script_turns(&x.s);
  script_advance(&x.s, 1001);
  assert_non_null(x.s.client->life.why);
  assert_int_equal(uvow_error_code(x.s.client->life.why), UVOW_ETIMEDOUT);
  assert_string_equal(uvow_error_message(x.s.client->life.why),
                      "connecting took too long: the proxy p.test:3128 has "
                      "not answered yet");
  script_end(&x.s);
}

TEST_CASE(an_option_that_is_no_proxy_is_refused) {
  script_t s;
  script_init(&s);
  test_connect_t options = script_options(&s);
  options.websocket.proxy = "socks5://p:1";
  assert_int_equal(test_connect(s.loop, &options, &s.client), UVOW_EINVAL);
  script_end(&s);
}

TEST_CASE(the_environments_is_a_rejection) {
  script_t s;
  script_init(&s);
  char *before = getenv("http_proxy") ? strdup(getenv("http_proxy")) : NULL;
  uv_os_setenv("http_proxy", "socks5://u:secret@p:1");
  test_connect_t options = script_options(&s);
  options.url = "ws://no-such-host.test";
  options.websocket.proxy_from_environment = 1;
  assert_int_equal(script_client(&s, &options), 0);
  uv_os_unsetenv("http_proxy");
  if (before)
    uv_os_setenv("http_proxy", before);
  free(before);
  assert_int_equal(s.connects, 0);
  assert_int_equal(uvow_error_code(s.client->life.why), UVOW_EPROXY);
  assert_null(strstr(uvow_error_message(s.client->life.why), "secret"));
  script_end(&s);
}

TEST_MODULE(tunnel) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_proxy_is_asked_for_the_server),
      cmocka_unit_test(brackets_are_put_around_ipv6),
      cmocka_unit_test(credentials_are_sent),
      cmocka_unit_test(what_stands_behind_the_head_is_the_servers),
      cmocka_unit_test(another_status_is_an_error),
      cmocka_unit_test(long_reasons_are_cut),
      cmocka_unit_test(a_pause_is_the_lower_streams),
      cmocka_unit_test(what_is_not_http_is_an_error),
      cmocka_unit_test(a_head_without_end_is_an_error),
      cmocka_unit_test(a_proxy_that_is_not_there_is_named),
      cmocka_unit_test(a_proxy_that_goes_is_named),
      cmocka_unit_test(open_it_passes_all_on),
      cmocka_unit_test(a_write_that_takes_long_is_waited_for),
      cmocka_unit_test(closed_at_any_time_it_says_nothing),
      cmocka_unit_test(its_trouble_is_told),
      cmocka_unit_test(without_memory_it_fails_in_order),
      cmocka_unit_test(refused_it_ends_once),
      cmocka_unit_test(a_client_goes_through),
      cmocka_unit_test(a_refusal_rejects_what_was_asked),
      cmocka_unit_test(a_proxy_that_hangs_is_named_in_the_end),
      cmocka_unit_test(an_option_that_is_no_proxy_is_refused),
      cmocka_unit_test(the_environments_is_a_rejection),
  };
  return cmocka_run_group_tests_name("websocket/tunnel", tests, NULL, NULL);
}
