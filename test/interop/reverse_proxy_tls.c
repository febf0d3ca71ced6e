/*
 * wss through nginx and haproxy: each ends TLS in front of a server of ours,
 * and speaks TLS to one; what it refuses, and what becomes of it when it dies.
 */
#include "support/front.h"

#include <stdio.h>

#include "rpc/peer.h"
#include "websocket/connection_private.h"
#include "support/certs.h"
#include "support/serve.h"

#define MIB ((size_t)1024 * 1024)
#define SILENCE_MS 200 /* what a silent backend is given */

/* A client, a proxy that shows it a certificate, and a server behind it. */
typedef struct scene {
  interop_t *it;
  const front_program_t *program;
  cert_t *ca;
  cert_t *wrong;     /* of the CA, for another host */
  uvow_tls_t *ours;  /* the client's: trusts the CA */
  uvow_tls_t *shown; /* the server's; NULL: it's plain ws */
  uvow_server_t *server;
  uvow_promise_t *owed; /* the answer to "never" */
  front_t front;
  const uvow_deflate_options_t *deflate; /* of both ends */
  int asked;                             /* how many handshakes came through */
} scene_t;

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

/* Text of so many bytes that don't repeat. */
static char *make_text(size_t len) {
  char *text = (char *)malloc(len + 1);
  uint32_t seed = 1;
  assert_non_null(text);
  for (size_t i = 0; i < len; i++) {
    seed = seed * 1664525 + 1013904223;
    text[i] = (char)('A' + (seed >> 24) % 50);
  }
  for (size_t i = 0; i < len; i++)
    text[i] = text[i] == '\\' ? '/' : text[i];
  text[len] = '\0';
  return text;
}

/* Answers with as much as it's asked for. */
static uvow_next_t give(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  json_int_t len =
      json_integer_value(json_array_get(uvow_result_json(params), 0));
  (void)call;
  (void)data;
  char *text = make_text((size_t)len);
  json_t *json = json_string(text);
  free(text);
  return uvow_next_json(json);
}

static uvow_next_t count(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  const char *text =
      json_string_value(json_array_get(uvow_result_json(params), 0));
  (void)call;
  (void)data;
  return uvow_next_value(uvow_value_int64((int64_t)strlen(text ? text : "")));
}

static uvow_next_t never(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  scene_t *x = (scene_t *)data;
  (void)params;
  return uvow_next_future(uvow_promise_new(uvow_call_loop(call), &x->owed));
}

/* It must have come through the proxy, which must have come by TLS. */
static uvow_next_t look(uvow_websocket_t *ws, void *data) {
  scene_t *x = (scene_t *)data;
  const char *by = uvow_websocket_header(ws, "X-Forwarded-By");
  const char *scheme = uvow_websocket_header(ws, "X-Forwarded-Proto");
  x->asked++;
  if (strcmp(uvow_websocket_target(ws), "/chat?room=1") != 0 || !by ||
      !strstr(x->program->path, by) || !scheme || strcmp(scheme, "https") != 0)
    uvow_websocket_refuse(ws, 400, "not as it was sent");
  else if (uvow_websocket_header(ws, "X-Unwelcome"))
    uvow_websocket_refuse(ws, 401, "who is that?");
  else
    return uvow_next_none();
  return uvow_next_code(UVOW_EINVAL, NULL);
}

static uvow_tls_t *make_tls(scene_t *x, const cert_t *cert) {
  uvow_tls_options_t options = {0};
  uvow_tls_t *tls;
  options.size = sizeof(options);
  options.is_server = cert != NULL;
  options.ca_pem = cert ? NULL : x->ca->pem;
  options.cert_pem = cert ? cert->pem : NULL;
  options.key_pem = cert ? cert->key_pem : NULL;
  assert_int_equal(uvow_tls_new(x->it->loop, &options, &tls, NULL), 0);
  return tls;
}

static scene_t make_scene(void **state, const front_program_t *program) {
  scene_t x = {0};
  cert_spec_t spec = {0};
  x.it = (interop_t *)*state;
  x.program = program;
  x.ca = cert_new_ca("CA");
  spec.name = "other";
  spec.hosts = "DNS:other.test";
  spec.issuer = x.ca;
  x.wrong = cert_new(&spec);
  x.ours = make_tls(&x, NULL);
  return x;
}

/* behind: the server's certificate; NULL: it's plain ws. */
static void serve(scene_t *x, const cert_t *behind) {
  test_serve_t options = test_serve_options();
  options.listener.on_handshake = look;
  options.listener.data = options.peer.data = x;
  options.listener.deflate = x->deflate;
  x->shown = behind ? make_tls(x, behind) : NULL;
  options.listener.tls = x->shown;
  assert_int_equal(test_serve(x->it->loop, &options, &x->server), 0);
  assert_int_equal(test_method(x->server, "echo", echo, x), 0);
  assert_int_equal(test_method(x->server, "give", give, x), 0);
  assert_int_equal(test_method(x->server, "count", count, x), 0);
  assert_int_equal(test_method(x->server, "never", never, x), 0);
}

/* The proxy, in front of this port, showing `cert`. */
static void run_front(scene_t *x, const cert_t *cert, unsigned backend,
                      unsigned silence_ms) {
  char *pem = cert_join(cert->pem, cert->key_pem);
  front_options_t options = {
      x->program, backend, pem, x->shown ? x->ca->pem : NULL, silence_ms, 0};
  front_run(&x->front, x->it, &options);
  free(pem);
}

static void connect_through(scene_t *x, const char *header) {
  char url[64];
  uvow_header_t headers = {sizeof(uvow_header_t), header, "1"};
  snprintf(url, sizeof(url), "wss://127.0.0.1:%u/chat?room=1", x->front.port);
  test_connect_t options =
      interop_options(x->it, url, uvow_protocol_by_name("jsonrpc2"));
  options.websocket.tls = x->ours;
  options.websocket.deflate = x->deflate;
  options.websocket.headers = header ? &headers : NULL;
  options.websocket.header_count = header ? 1 : 0;
  uvow_peer_unref(x->it->client);
  x->it->client = NULL;
  interop_connect_with(x->it, &options);
}

/* The server, the proxy, and a client that is connected to it. */
static void meet(scene_t *x, int tls_behind) {
  cert_t *cert = cert_new_localhost(x->ca);
  serve(x, tls_behind ? cert : NULL);
  run_front(x, cert, uvow_server_port(x->server), 0);
  cert_free(cert);
  connect_through(x, NULL);
  answer_t *ready = interop_watch(x->it, uvow_peer_ready(x->it->client));
  interop_wait(ready);
  if (ready->error)
    fail_msg("%s; the proxy: %s", uvow_error_message(ready->error),
             x->it->log ? x->it->log : "says nothing");
  assert_int_equal(x->asked, 1);
}

static void end(scene_t *x) {
  uvow_peer_unref(x->it->client);
  x->it->client = NULL;
  uvow_promise_drop(x->owed);
  uvow_server_free(x->server);
  uvow_tls_unref(x->ours);
  uvow_tls_unref(x->shown);
  interop_finish(x->it);
  front_done(&x->front);
  cert_free(x->wrong);
  cert_free(x->ca);
}

/* The connection isn't made, and this is why. Returns the error: borrowed. */
static uvow_error_t *expect_failed(scene_t *x, int code, const char *word) {
  answer_t *ready = interop_watch(x->it, uvow_peer_ready(x->it->client));
  assert_rejected(interop_ask(x->it, "echo", NULL), code, UVOW_NOT_SENT);
  interop_wait(ready);
  assert_int_equal(ready->code, code);
  if (!strstr(uvow_error_message(ready->error), word))
    fail_msg("'%s' is not in: %s", word, uvow_error_message(ready->error));
  return ready->error;
}

static void expect_status(scene_t *x, int status) {
  uvow_error_t *error = expect_failed(x, UVOW_EHANDSHAKE, "");
  if (uvow_error_status(error) != status)
    fail_msg("%d isn't %d: %s", uvow_error_status(error), status,
             uvow_error_message(error));
}

/* What goes through, both ways. */
static void talk(scene_t *x) {
  char *big = make_text(MIB);
  answer_t *few[50];
  for (int i = 0; i < 50; i++)
    few[i] = interop_ask(x->it, "echo", json_pack("[i]", i));
  answer_t *there = interop_ask(x->it, "count", json_pack("[s]", big));
  answer_t *back = interop_ask(x->it, "give", json_pack("[i]", (int)MIB));
  assert_number(there, (json_int_t)MIB);
  assert_text(back, big);
  for (int i = 0; i < 50; i++) {
    interop_wait(few[i]);
    assert_int_equal(few[i]->code, 0);
    assert_int_equal(json_integer_value(json_array_get(few[i]->json, 0)), i);
  }
  assert_int_equal(uvow_group_notify(uvow_server_peers(x->server), "news",
                                     uvow_value_raw("[1]")),
                   0);
  interop_wait_heard(x->it, 1);
  assert_string_equal(interop_event(x->it, "news")->text, "[1]");
  free(big);
  answer_t *closed = interop_watch(x->it, uvow_peer_close(x->it->client));
  interop_wait(closed);
  assert_int_equal(closed->code, 0);
}

static void tls_in_front(void **state, const front_program_t *program) {
  scene_t x = make_scene(state, program);
  meet(&x, 0);
  talk(&x);
  end(&x);
}

static void tls_on_both_sides(void **state, const front_program_t *program) {
  scene_t x = make_scene(state, program);
  meet(&x, 1);
  talk(&x);
  uvow_tls_stats_t stats = {0};
  stats.size = sizeof(stats);
  assert_int_equal(uvow_tls_get_stats(x.shown, &stats), 0);
  assert_int_equal(stats.handshakes, 1);
  end(&x);
}

static void deflate_inside(void **state, const front_program_t *program) {
  uvow_deflate_options_t deflate = {0};
  scene_t x = make_scene(state, program);
  deflate.size = sizeof(deflate);
  deflate.server_no_context_takeover = 1;
  deflate.server_max_window_bits = 11;
  x.deflate = &deflate;
  meet(&x, 1);
  const uvow__connection_t *c = uvow__peer_connection(x.it->client);
  assert_true(c->terms.terms.on);
  assert_int_equal(c->deflate.peer_bits, 11);
  assert_int_equal(c->deflate.peer_no_takeover, 1);
  talk(&x);
  end(&x);
}

static void refusal_behind(void **state, const front_program_t *program) {
  scene_t x = make_scene(state, program);
  meet(&x, 1);
  connect_through(&x, "X-Unwelcome");
  uvow_error_t *error = expect_failed(&x, UVOW_EHANDSHAKE, "");
  assert_int_equal(uvow_error_status(error), 401);
  assert_non_null(strstr(uvow_error_data(error, NULL), "who is that?"));
  /* Nobody is behind it any more. */
  uvow_server_free(x.server);
  x.server = NULL;
  connect_through(&x, NULL);
  expect_status(&x, program->gone);
  end(&x);
}

static void wrong_host_in_front(void **state, const front_program_t *program) {
  scene_t x = make_scene(state, program);
  serve(&x, NULL);
  run_front(&x, x.wrong, uvow_server_port(x.server), 0);
  connect_through(&x, NULL);
  expect_failed(&x, UVOW_ECERT, "but for other.test");
  assert_int_equal(x.asked, 0);
  end(&x);
}

static void stranger_in_front(void **state, const front_program_t *program) {
  scene_t x = make_scene(state, program);
  cert_t *own = cert_new_localhost(NULL);
  serve(&x, NULL);
  run_front(&x, own, uvow_server_port(x.server), 0);
  cert_free(own);
  connect_through(&x, NULL);
  expect_failed(&x, UVOW_ECERT, "self-signed");
  assert_int_equal(x.asked, 0);
  end(&x);
}

/* The proxy doesn't accept the server's certificate. */
static void wrong_host_behind(void **state, const front_program_t *program) {
  scene_t x = make_scene(state, program);
  cert_t *cert = cert_new_localhost(x.ca);
  serve(&x, x.wrong);
  run_front(&x, cert, uvow_server_port(x.server), 0);
  cert_free(cert);
  connect_through(&x, NULL);
  expect_status(&x, program->gone);
  assert_int_equal(x.asked, 0);
  end(&x);
}

/* Connections to it are made, and nobody accepts them. */
static void on_incoming(uv_stream_t *socket, int status) {
  (void)socket;
  (void)status;
}

static unsigned listen_in_silence(scene_t *x, uv_tcp_t *socket) {
  struct sockaddr_in address;
  int size = sizeof(address);
  uv_ip4_addr("127.0.0.1", 0, &address);
  assert_int_equal(uv_tcp_init(&x->it->uv, socket), 0);
  assert_int_equal(uv_tcp_bind(socket, (struct sockaddr *)&address, 0), 0);
  assert_int_equal(uv_listen((uv_stream_t *)socket, 8, on_incoming), 0);
  uv_tcp_getsockname(socket, (struct sockaddr *)&address, &size);
  return ntohs(address.sin_port);
}

static void silence_behind(void **state, const front_program_t *program) {
  scene_t x = make_scene(state, program);
  cert_t *cert = cert_new_localhost(x.ca);
  uv_tcp_t silent;
  run_front(&x, cert, listen_in_silence(&x, &silent), SILENCE_MS);
  cert_free(cert);
  connect_through(&x, NULL);
  interop_wait(interop_watch(x.it, uvow_peer_ready(x.it->client)));
  uv_close((uv_handle_t *)&silent, NULL);
  uv_run(&x.it->uv, UV_RUN_NOWAIT); /* gone, also if what follows fails */
  expect_status(&x, 504);
  end(&x);
}

static void killed(void **state, const front_program_t *program) {
  scene_t x = make_scene(state, program);
  meet(&x, 1);
  answer_t *done = interop_ask(x.it, "echo", json_pack("[i]", 1));
  answer_t *owed = interop_ask(x.it, "never", NULL);
  interop_wait(done);
  while (!x.owed)
    uv_run(&x.it->uv, UV_RUN_ONCE);
  process_kill(&x.it->process);
  assert_rejected(owed, UVOW_ELOST, UVOW_MAYBE_EXECUTED);
  assert_rejected(interop_ask(x.it, "echo", NULL), UVOW_ELOST, UVOW_NOT_SENT);
  while (test_peers(x.server))
    uv_run(&x.it->uv, UV_RUN_ONCE);
  connect_through(&x, NULL);
  expect_failed(&x, UV_ECONNREFUSED, "");
  end(&x);
}

/* Each with nginx and with haproxy. */
#define EACH(name, body)                                                       \
  static void nginx_##name(void **state) {                                     \
    body(state, &front_nginx);                                                 \
  }                                                                            \
  static void haproxy_##name(void **state) {                                   \
    body(state, &front_haproxy);                                               \
  }

EACH(ends_tls, tls_in_front)
EACH(speaks_tls_to_the_server_too, tls_on_both_sides)
EACH(lets_deflate_through, deflate_inside)
EACH(passes_on_a_refusal_and_says_that_nobody_is_there, refusal_behind)
EACH(with_another_hosts_certificate_is_refused, wrong_host_in_front)
EACH(with_a_certificate_of_its_own_is_refused, stranger_in_front)
EACH(refuses_another_hosts_certificate_behind_it, wrong_host_behind)
EACH(gives_up_a_server_that_says_nothing, silence_behind)
EACH(is_killed_and_every_future_settles, killed)

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(nginx_##name, interop_setup,                 \
                                  interop_teardown),                           \
      cmocka_unit_test_setup_teardown(haproxy_##name, interop_setup,           \
                                      interop_teardown)

TEST_MODULE(reverse_proxy_tls) {
  const struct CMUnitTest tests[] = {
      TEST(ends_tls),
      TEST(speaks_tls_to_the_server_too),
      TEST(lets_deflate_through),
      TEST(passes_on_a_refusal_and_says_that_nobody_is_there),
      TEST(with_another_hosts_certificate_is_refused),
      TEST(with_a_certificate_of_its_own_is_refused),
      TEST(refuses_another_hosts_certificate_behind_it),
      TEST(gives_up_a_server_that_says_nothing),
      TEST(is_killed_and_every_future_settles),
  };
  return cmocka_run_group_tests_name("interop/reverse_proxy_tls", tests, NULL,
                                     NULL);
}
