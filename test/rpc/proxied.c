/* A client and a server, and between them a proxy of the test's own, on TCP. */
#include "websocket/tunnel.h"

#include "support/serve.h"
#include "support/tls_peer.h"

#include <stdio.h>

#include <uvow/server.h>

typedef struct relay relay_t;

typedef struct leg {
  relay_t *relay;
  uvow__io_t *stream;
  uvow__buf_t out; /* to be written to it */
  int ended;
  int closed;
} leg_t;

struct relay {
  script_t s;
  uvow_server_t *server;
  uvow_tls_t *ours;
  uvow_tls_t *theirs;
  uvow__listener_t *listener;
  int unlistened;
  uint16_t port;
  char asked[512]; /* the client's head */
  leg_t client;
  leg_t target;
};

static void flush(leg_t *leg) {
  if (leg->stream && !leg->ended && !leg->stream->writing &&
      uvow__buf_size(&leg->out))
    leg->stream->ops->write(leg->stream, &leg->out);
}

static void on_leg_open(void *ctx) {
  relay_t *relay = ((leg_t *)ctx)->relay;
  uvow__buf_append_text(&relay->client.out,
                        "HTTP/1.0 200 Connection established\r\n\r\n");
  flush(&relay->client);
}

static void on_leg_end(void *ctx, uvow_error_t *error) {
  leg_t *leg = (leg_t *)ctx;
  uvow_error_unref(error);
  leg->ended = 1;
  relay_t *relay = leg->relay;
  relay->client.ended = relay->target.ended = 1;
  relay->client.stream->ops->close(relay->client.stream);
  relay->target.stream->ops->close(relay->target.stream);
}

static void on_leg_closed(void *ctx) {
  leg_t *leg = (leg_t *)ctx;
  leg->closed = 1;
  leg->stream = NULL;
}

static void on_leg_drained(void *ctx) {
  flush((leg_t *)ctx);
}

static void on_leg_read(void *ctx, const uint8_t *bytes, size_t len);

static const uvow__io_callbacks_t leg_callbacks = {
    on_leg_open, on_leg_read, on_leg_drained, on_leg_end, on_leg_closed};

static void go_to_target(relay_t *relay) {
  uvow__endpoint_t endpoint = {"127.0.0.1", 0, 0, NULL, 0};
  endpoint.port = uvow_server_port(relay->server);
  assert_int_equal(uvow__tcp_transport.connect(
                       &uvow__tcp_transport, relay->s.loop, &endpoint,
                       &leg_callbacks, &relay->target, &relay->target.stream),
                   0);
}

static void on_leg_read(void *ctx, const uint8_t *bytes, size_t len) {
  leg_t *leg = (leg_t *)ctx;
  relay_t *relay = leg->relay;
  leg_t *other = leg == &relay->client ? &relay->target : &relay->client;
  if (leg == &relay->client && !relay->target.stream) {
    size_t at = strlen(relay->asked);
    assert_true(at + len < sizeof(relay->asked));
    memcpy(relay->asked + at, bytes, len);
    if (strstr(relay->asked, "\r\n\r\n"))
      go_to_target(relay);
    return;
  }
  assert_int_equal(uvow__buf_append(&other->out, bytes, len), 0);
  flush(other);
}

static void on_incoming(void *ctx, uvow__listener_t *listener) {
  relay_t *relay = (relay_t *)ctx;
  assert_int_equal(uvow__tcp_transport.accept(&uvow__tcp_transport, listener,
                                              &leg_callbacks, &relay->client,
                                              &relay->client.stream),
                   0);
}

static void on_unlistened(void *ctx) {
  ((relay_t *)ctx)->unlistened = 1;
}

static const uvow__listener_callbacks_t listener_callbacks = {on_incoming,
                                                              on_unlistened};

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static void serve(relay_t *relay, int secure) {
  test_serve_t options = test_serve_options();
  uvow_tls_options_t theirs = tls_options(1);
  uvow_tls_options_t ours = tls_options(0);
  memset(relay, 0, sizeof(*relay));
  script_init(&relay->s);
  relay->client.relay = relay->target.relay = relay;
  uvow__buf_init(&relay->client.out, uvow__loop_mem(relay->s.loop), SIZE_MAX);
  uvow__buf_init(&relay->target.out, uvow__loop_mem(relay->s.loop), SIZE_MAX);
  if (secure) {
    assert_int_equal(uvow_tls_new(relay->s.loop, &ours, &relay->ours, NULL), 0);
    assert_int_equal(uvow_tls_new(relay->s.loop, &theirs, &relay->theirs, NULL),
                     0);
  }
  static const char *const hosts[] = {"localhost", "nowhere.test"};
  options.listener.hosts = hosts;
  options.listener.host_count = 2;
  options.listener.tls = relay->theirs;
  assert_int_equal(test_serve(relay->s.loop, &options, &relay->server), 0);
  test_method(relay->server, "echo", echo, NULL);
  assert_int_equal(uvow__tcp_listen(relay->s.loop, "127.0.0.1", 0,
                                    &listener_callbacks, relay,
                                    &relay->listener),
                   0);
  assert_int_equal(uvow__listens_at(relay->listener, &relay->port), 0);
}

static void end_relay(relay_t *relay) {
  uvow_peer_unref(relay->s.client);
  relay->s.client = NULL;
  uvow_server_free(relay->server);
  script_until(&relay->s, &relay->client.closed);
  script_until(&relay->s, &relay->target.closed);
  uvow__unlisten(relay->listener);
  script_until(&relay->s, &relay->unlistened);
  uvow_tls_unref(relay->ours);
  uvow_tls_unref(relay->theirs);
  uvow__buf_done(&relay->client.out);
  uvow__buf_done(&relay->target.out);
  script_end(&relay->s);
}

TEST_CASE(ws_and_wss_go_through_a_proxy) {
  for (int secure = 0; secure < 2; secure++) {
    relay_t relay;
    char proxy[64];
    serve(&relay, secure);
    test_connect_t options = script_options(&relay.s);
    snprintf(proxy, sizeof(proxy), "http://u:p@127.0.0.1:%u",
             (unsigned)relay.port);
    /* Only the proxy knows who that is. */
    options.url = secure ? "wss://localhost:7" : "ws://nowhere.test:7";
    options.websocket.proxy = proxy;
    options.websocket.tls = relay.ours;
    assert_int_equal(test_connect(relay.s.loop, &options, &relay.s.client), 0);
    for (int i = 0; i < 3; i++) {
      script_mark_t a = script_mark(&relay.s, "a");
      script_watch(
          uvow_peer_request(relay.s.client, "echo", uvow_value_raw("[\"x\"]")),
          &a);
      script_until(&relay.s, &a.done);
      script_expect(&relay.s, "a=[\"x\"]");
    }
    const char *line = secure ? "CONNECT localhost:7 HTTP/1.1\r\n"
                              : "CONNECT nowhere.test:7 HTTP/1.1\r\n";
    assert_memory_equal(relay.asked, line, strlen(line));
    assert_non_null(strstr(relay.asked, "\r\nProxy-Authorization: Basic "));
    end_relay(&relay);
  }
}

TEST_MODULE(proxied) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ws_and_wss_go_through_a_proxy),
  };
  return cmocka_run_group_tests_name("rpc/proxied", tests, tls_setup,
                                     tls_teardown);
}
