/* Options to connect and to listen: checked, copied, with their defaults. */
#include "websocket/config.h"

#include "support/script.h"

#include "websocket/target.h"

#define MIB ((size_t)1024 * 1024)

static uvow__slice_t slice(const char *text) {
  return (uvow__slice_t){text, strlen(text)};
}

TEST_CASE(test_defaults) {
  uvow__ws_config_t *a = NULL;
  uvow__ws_config_t *b = NULL;
  script_t s;
  script_init(&s);
  assert_int_equal(uvow__ws_config_connect(s.loop, NULL, &a), 0);
  assert_int_equal(uvow__ws_config_listen(s.loop, NULL, &b), 0);
  for (int i = 0; i < 2; i++) {
    const uvow__ws_config_t *config = i ? b : a;
    assert_int_equal(config->open_ms, 10000);
    assert_int_equal(config->close_ms, 5000);
    assert_int_equal(config->ping_ms, 30000);
    assert_int_equal(config->dead_ms, 75000);
    assert_int_equal(config->message_ms, 30000);
    assert_int_equal(config->max_message, 16 * MIB);
    assert_int_equal(config->max_unsent, 64 * MIB);
    assert_int_equal(config->deflate.terms.on, 0);
  }
  assert_int_equal(a->quota.max, 0);
  assert_int_equal(b->quota.max, 1024 * MIB);
  assert_int_equal(b->listen->max_peers, 10000);
  assert_int_equal(b->listen->max_peers_per_address, 10000);
  assert_int_equal(b->listen->idle_ms, 0);
  assert_int_equal(b->listen->is_loopback, 1);
  uvow__ws_config_unref(a);
  uvow__ws_config_unref(b);
  uvow__ws_config_unref(NULL);
  script_end(&s);
}

/* UVOW_NO_TIMEOUT is never where never is possible. */
TEST_CASE(test_never) {
  uvow_websocket_options_t options = {.size = sizeof(options)};
  uvow__ws_config_t *config = NULL;
  script_t s;
  script_init(&s);
  options.ping_ms = options.dead_ms = UVOW_NO_TIMEOUT;
  options.message_timeout_ms = UVOW_NO_TIMEOUT;
  options.close_timeout_ms = 7;
  assert_int_equal(uvow__ws_config_connect(s.loop, &options, &config), 0);
  assert_int_equal(config->ping_ms, 0);
  assert_int_equal(config->dead_ms, 0);
  assert_int_equal(config->message_ms, 0);
  assert_int_equal(config->close_ms, 7);
  uvow__ws_config_unref(config);
  script_end(&s);
}

/* What was given may change, or go, once it was copied. */
TEST_CASE(test_everything_is_copied) {
  char text[4][8] = {"one", "two", "bearer", "origin"};
  const char *texts[] = {text[0], text[1]};
  uvow_websocket_options_t options = {.size = sizeof(options)};
  uvow_listener_options_t listen = {.size = sizeof(listen)};
  uvow__ws_config_t *config = NULL;
  script_t s;
  script_init(&s);
  options.subprotocols = listen.origins = listen.hosts = texts;
  options.subprotocol_count = listen.origin_count = 2;
  listen.host_count = 1;
  options.bearer = text[2];
  options.origin = text[3];
  assert_int_equal(uvow__ws_config_connect(s.loop, &options, &config), 0);
  uvow__ws_config_t *other = NULL;
  assert_int_equal(uvow__ws_config_listen(s.loop, &listen, &other), 0);
  memset(text, 'x', sizeof(text));
  assert_int_equal(config->subprotocols.count, 2);
  assert_string_equal(config->subprotocols.at[1], "two");
  assert_string_equal(config->connect.bearer, "bearer");
  assert_string_equal(config->connect.origin, "origin");
  assert_true(uvow__texts_have(&other->listen->origins, slice("TWO")));
  assert_false(uvow__texts_have(&other->listen->origins, slice("tw")));
  assert_false(uvow__texts_have(&other->listen->hosts, slice("two")));
  uvow__ws_config_unref(config);
  uvow__ws_config_unref(other);
  script_end(&s);
}

static void refuse(script_t *s, const uvow_websocket_options_t *options) {
  uvow__ws_config_t *config = NULL;
  assert_int_equal(uvow__ws_config_connect(s->loop, options, &config),
                   UVOW_EINVAL);
  assert_null(config);
}

static void refuse_listen(script_t *s, const uvow_listener_options_t *options) {
  uvow__ws_config_t *config = NULL;
  assert_int_equal(uvow__ws_config_listen(s->loop, options, &config),
                   UVOW_EINVAL);
  assert_null(config);
}

TEST_CASE(test_what_is_wrong_is_refused) {
  const char *gap[] = {"a", NULL};
  uvow_deflate_options_t deflate = {.size = sizeof(deflate), .level = 10};
  const uvow_websocket_options_t none = {.size = sizeof(none)};
  const uvow_listener_options_t nobody = {.size = sizeof(nobody)};
  uvow_websocket_options_t o = none;
  uvow_listener_options_t l = nobody;
  script_t s;
  script_init(&s);
  o.size = 0;
  refuse(&s, &o);
  o = none;
  o.tcp_keepalive_s = 32768;
  refuse(&s, &o);
  o = none;
  o.subprotocol_count = 1;
  refuse(&s, &o);
  o.subprotocol_count = SIZE_MAX / 2;
  o.subprotocols = gap;
  refuse(&s, &o);
  o.subprotocol_count = 2;
  refuse(&s, &o);
  o = none;
  o.proxy = "ftp://x";
  refuse(&s, &o);
  o = none;
  o.deflate = &deflate;
  refuse(&s, &o);
  l.size = 0;
  refuse_listen(&s, &l);
  l = nobody;
  l.socket_path = "/x";
  l.port = 1;
  refuse_listen(&s, &l);
  l = nobody;
  l.origins = gap;
  l.origin_count = 2;
  refuse_listen(&s, &l);
  l = nobody;
  l.host_count = 1;
  refuse_listen(&s, &l);
  script_end(&s);
}

/* A context of another loop, or of the other role. */
TEST_CASE(test_a_context_that_does_not_fit) {
  uvow_websocket_options_t o = {.size = sizeof(o)};
  uvow_listener_options_t l = {.size = sizeof(l)};
  uvow__ws_config_t *config = NULL;
  uvow_tls_options_t client = {.size = sizeof(client)};
  script_t s;
  script_t other;
  script_init(&s);
  script_init(&other);
  assert_int_equal(uvow_tls_new(s.loop, &client, &o.tls, NULL), 0);
  l.tls = o.tls;
  refuse_listen(&s, &l);
  refuse(&other, &o);
  assert_int_equal(uvow__ws_config_connect(s.loop, &o, &config), 0);
  uvow_tls_unref(o.tls); /* it is kept */
  uvow__ws_config_unref(config);
  script_end(&other);
  script_end(&s);
}

/* Newer programs have longer headers; the array steps by the first one's size.
 */
TEST_CASE(test_headers_step_by_their_size) {
  struct {
    uvow_header_t header;
    size_t more;
  } headers[] = {{{sizeof(headers[0]), "A", "1"}, 0}, {{0, "B", "2"}, 0}};
  uvow_header_t unset = {0, "A", "1"};
  uvow__target_t target;
  script_t s;
  script_init(&s);
  const uvow__mem_t *mem = uvow__loop_mem(s.loop);
  assert_int_equal(
      uvow__target_init(&target, mem, "ws://h/", &headers[0].header, 2), 0);
  assert_string_equal(target.headers[1].name, "B");
  assert_int_equal(uvow__target_set(&target, mem, NULL, &unset, 1),
                   UVOW_EINVAL);
  assert_int_equal(target.header_count, 2);
  uvow__target_done(&target, mem);
  assert_int_equal(uvow__target_init(&target, mem, "ws://h/", NULL, 1),
                   UVOW_EINVAL);
  assert_int_equal(uvow__target_init(&target, mem, "ws//h/", NULL, 0), 0);
  assert_int_equal(target.url_code, UVOW_EURL);
  uvow__target_done(&target, mem);
  script_end(&s);
}

static int make_all(uvow_loop_t *loop) {
  const char *texts[] = {"a", "b"};
  uvow_header_t header = {sizeof(header), "A", "1"};
  uvow_websocket_options_t o = {.size = sizeof(o)};
  uvow_listener_options_t l = {.size = sizeof(l)};
  uvow__ws_config_t *a = NULL;
  uvow__ws_config_t *b = NULL;
  uvow__target_t target = {0};
  o.subprotocols = l.subprotocols = l.origins = l.hosts = texts;
  o.subprotocol_count = l.subprotocol_count = 2;
  l.origin_count = l.host_count = 2;
  o.bearer = o.origin = "x";
  o.proxy = "http://p:1";
  int rc = uvow__ws_config_connect(loop, &o, &a);
  if (rc == 0)
    rc = uvow__ws_config_listen(loop, &l, &b);
  if (rc == 0)
    rc =
        uvow__target_init(&target, uvow__loop_mem(loop), "ws://h/", &header, 1);
  uvow__ws_config_unref(a);
  uvow__ws_config_unref(b);
  uvow__target_done(&target, uvow__loop_mem(loop));
  return rc;
}

static void sweep_body(test_alloc_t *alloc, void *data) {
  script_t s;
  int *calls = (int *)data;
  script_init_with(&s, alloc);
  if (s.loop) {
    int rc = make_all(s.loop);
    assert_true(rc == 0 || rc == UVOW_ENOMEM);
    assert_true(rc != 0 || alloc->failed == 0);
  }
  ++*calls;
  script_quit(&s);
}

TEST_CASE(test_no_memory) {
  int calls = 0;
  test_alloc_sweep(sweep_body, &calls);
  assert_true(calls > 20);
}

TEST_MODULE(config) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_never),
      cmocka_unit_test(test_everything_is_copied),
      cmocka_unit_test(test_what_is_wrong_is_refused),
      cmocka_unit_test(test_a_context_that_does_not_fit),
      cmocka_unit_test(test_headers_step_by_their_size),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests_name("websocket/config", tests, NULL, NULL);
}
