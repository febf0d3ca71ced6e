/* The trace hook for a handshake that a server has accepted. */
#include "rpc/accepted.h"

#include "support/link.h"
#include "support/serve.h"
#include "support/tls_peer.h"

#include <stdio.h>

#include <uvow/server.h>

typedef struct heard {
  int calls;
  char address[64];
  char tls[80];
  char certificate[80];
  char subprotocol[32];
  char upgrade[32];
  size_t headers;
  size_t size;
} heard_t;

static void copy(char *to, size_t size, const char *text) {
  snprintf(to, size, "%s", text ? text : "(none)");
}

static void on_handshake(const uvow_peer_t *peer, const uvow_handshake_t *said,
                         void *data) {
  heard_t *heard = (heard_t *)data;
  assert_non_null(peer);
  heard->calls++;
  heard->size = said->size;
  heard->headers = said->header_count;
  copy(heard->address, sizeof(heard->address), said->address);
  copy(heard->tls, sizeof(heard->tls), said->tls);
  copy(heard->certificate, sizeof(heard->certificate), said->certificate);
  copy(heard->subprotocol, sizeof(heard->subprotocol), said->subprotocol);
  for (size_t i = 0; i < said->header_count; i++)
    if (strcmp(said->headers[i].name, "Upgrade") == 0)
      copy(heard->upgrade, sizeof(heard->upgrade), said->headers[i].value);
}

static uvow_trace_t trace_of(heard_t *heard) {
  uvow_trace_t trace = {.size = sizeof(trace)};
  memset(heard, 0, sizeof(*heard));
  trace.data = heard;
  trace.on_handshake = on_handshake;
  return trace;
}

/* Told once for each connection, before the peer is open. */
TEST_CASE(test_each_answer_is_told) {
  script_t s;
  heard_t heard;
  uvow_reconnect_options_t reconnect;
  uvow_trace_t trace = trace_of(&heard);
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.trace = &trace;
  assert_int_equal(script_client(&s, &options), 0);
  script_turns(&s);
  script_expect(&s, "state:CONNECTING");
  assert_int_equal(heard.calls, 0);
  link_up(&s);
  script_expect(&s, "state:OPEN");
  assert_int_equal(heard.calls, 1);
  assert_int_equal(heard.size, sizeof(uvow_handshake_t));
  assert_int_equal(heard.headers, 3);
  assert_string_equal(heard.upgrade, "websocket");
  assert_string_equal(heard.address, ""); /* a stream without a socket */
  assert_string_equal(heard.tls, "(none)");
  assert_string_equal(heard.certificate, "(none)");
  assert_string_equal(heard.subprotocol, "(none)");
  script_hang_up(&s, 0);
  link_again(&s);
  script_expect(&s, "state:WAITING!ELOST state:CONNECTING state:OPEN");
  assert_int_equal(heard.calls, 2);
  script_end(&s);
}

static uvow_tls_t *make_tls(script_t *s, int is_server) {
  uvow_tls_options_t options = tls_options(is_server);
  uvow_tls_t *tls = NULL;
  assert_int_equal(uvow_tls_new(s->loop, &options, &tls, NULL), 0);
  return tls;
}

/* Over TLS it says with whom, and how. */
TEST_CASE(test_tls_is_told) {
  static const char *const subprotocols[] = {"one", "two"};
  script_t s;
  heard_t heard;
  char url[64];
  uvow_server_t *server = NULL;
  uvow_trace_t trace = trace_of(&heard);
  script_init(&s);
  uvow_tls_t *ours = make_tls(&s, 0);
  uvow_tls_t *theirs = make_tls(&s, 1);
  test_serve_t serve = test_serve_options();
  serve.listener.tls = theirs;
  serve.listener.subprotocols = subprotocols;
  serve.listener.subprotocol_count = 2;
  assert_int_equal(test_serve(s.loop, &serve, &server), 0);
  test_connect_t options = script_options(&s);
  snprintf(url, sizeof(url), "wss://127.0.0.1:%u",
           (unsigned)uvow_server_port(server));
  options.url = url;
  options.peer.trace = &trace;
  options.websocket.tls = ours;
  options.websocket.subprotocols = subprotocols + 1;
  options.websocket.subprotocol_count = 1;
  assert_int_equal(test_connect(s.loop, &options, &s.client), 0);
  script_mark_t a = script_mark(&s, "a");
  script_watch(uvow_peer_ready(s.client), &a);
  script_until(&s, &a.done);
  script_expect(&s, "a=");
  assert_int_equal(heard.calls, 1);
  assert_string_equal(heard.address,
                      url + strlen("wss://127.0.0.1") - strlen("127.0.0.1"));
  assert_int_equal(strncmp(heard.tls, "TLSv1.3 TLS_", 12), 0);
  assert_string_equal(heard.certificate, "CN=localhost");
  assert_string_equal(heard.subprotocol, "two");
  uvow_server_free(server);
  uvow_tls_unref(ours);
  uvow_tls_unref(theirs);
  script_end(&s);
}

/* Without memory for what it said it isn't told; the connection goes on. */
static void swept(test_alloc_t *alloc, void *data) {
  script_t s;
  heard_t heard;
  uvow_trace_t trace = trace_of(&heard);
  (void)data;
  script_init_with(&s, alloc);
  if (s.loop) {
    test_connect_t options = script_options(&s);
    options.peer.trace = &trace;
    if (script_client(&s, &options) == 0) {
      script_turns(&s);
      if (s.stream) {
        script_connected(&s);
        if (s.sent_len)
          script_accept(&s);
      }
      script_turns(&s);
      assert_true(heard.calls <= 1);
      if (heard.calls)
        assert_string_equal(heard.upgrade, "websocket");
    }
  }
  script_quit(&s);
}

TEST_CASE(test_oom) {
  test_alloc_sweep(swept, NULL);
}

TEST_MODULE(accepted) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_answer_is_told),
      cmocka_unit_test(test_tls_is_told),
      cmocka_unit_test(test_oom),
  };
  return cmocka_run_group_tests_name("rpc/accepted", tests, tls_setup,
                                     tls_teardown);
}
