/* A client whose connection is lost, over and over, while one allocation fails,
 * or all from one on: whatever was promised is settled once, what is pending is
 * counted as such, and once there is memory again the next connection carries
 * requests and subscriptions as if nothing had been. */
#include "support/subs.h"

#include <uvow/group.h>

#define TEXT "0123456789012345678901234567890123456789012345678901234567890123"

/* ids: how an answer begins, up to its id; and from its id to its value. */
typedef struct kind {
  const char *name; /* NULL: that of parts.h */
  const char *answer;
  const char *value;
  const char *event;
  uint32_t batch;
  int renews;
  const char *session;
} kind_t;

#define JSONRPC "{\"jsonrpc\":\"2.0\","

static const kind_t kinds[] = {
    {"jsonrpc2", JSONRPC "\"id\":", ",\"result\":", JSONRPC "\"method\":", 0, 1,
     NULL},
    {"jsonrpc2", JSONRPC "\"id\":", ",\"result\":", JSONRPC "\"method\":", 3, 0,
     NULL},
    {"cdp", "{\"id\":", ",\"result\":", "{\"method\":", 0, 0, "S1"},
    {NULL, "{\"id\":", ",\"ok\":", "{\"event\":", 0, 0, NULL},
};

typedef struct day {
  script_t s; /* first */
  const kind_t *kind;
  uvow_methods_t *methods;
  uvow_group_t *group;
  uvow_peer_t *within;
  int promised;
  int settled;
  int fulfilled;
} day_t;

/* ---- what is promised ---- */

static void on_done(const uvow_result_t *result, void *data) {
  day_t *x = (day_t *)data;
  x->settled++;
  x->fulfilled += result->error == NULL;
  if (result->error)
    assert_string_not_equal(uvow_error_message(result->error), "");
}

static void expect(day_t *x, uvow_future_t *f) {
  if (f && uvow_future_done(f, on_done, x) == 0)
    x->promised++;
}

static uvow_next_t pass(const uvow_result_t *item, void *data) {
  (void)item, (void)data;
  return uvow_next_pass();
}

static void expect_items(day_t *x, uvow_stream_t *stream) {
  expect(x, uvow_stream_each(stream, pass, NULL));
}

static void on_part(const uvow_result_t *part, void *data) {
  (void)part, (void)data;
}

/* ---- the other end ---- */

/* Answers each id in what was sent, but to answers of ours. */
static void answer_ids(day_t *x, const char *text, const char *value) {
  const char *at = text;
  char answer[1024];
  while ((at = strstr(at, "\"id\":")) != NULL) {
    at += 5;
    int len = (int)strcspn(at, ",}");
    if (*at == '"')
      continue;
    snprintf(answer, sizeof(answer), "%s%.*s%s%s}", x->kind->answer, len, at,
             x->kind->value, value);
    script_text(&x->s, answer);
  }
}

static void answer_all(day_t *x, const char *value) {
  char text[sizeof(x->s.text)];
  script_turns(&x->s);
  while (*script_next(&x->s)) {
    memcpy(text, x->s.text, sizeof(text));
    answer_ids(x, text, value);
  }
  script_turns(&x->s);
}

/* Its connection, if there is one that can be made. */
static void connect_again(day_t *x) {
  script_t *s = &x->s;
  for (int ms = 0; ms < 101 && !s->stream; ms++)
    script_advance(s, 1);
  script_turns(s);
  if (!s->stream)
    return;
  s->sent_len = s->sent_at = 0;
  script_connected(s);
  if (s->sent_len)
    script_accept(s);
  script_turns(s);
}

static void lose(day_t *x) {
  if (x->s.stream)
    script_hang_up(&x->s, UV_ECONNRESET);
  script_turns(&x->s);
}

/* ---- the client ---- */

static uvow_next_t on_renew(uvow_peer_t *peer, uint32_t attempt, void *data) {
  (void)attempt, (void)data;
  (void)uvow_peer_set_target(peer, "ws://h/again", NULL, 0);
  return uvow_next_none();
}

static void on_state(uvow_peer_t *peer, const uvow_peer_change_t *change,
                     void *data) {
  (void)peer, (void)change, (void)data;
}

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call, (void)params, (void)data;
  return uvow_next_pass();
}

/* With all the memory that it wants. */
static void start(day_t *x, const kind_t *kind, test_alloc_t *alloc) {
  uvow_reconnect_options_t reconnect;
  uvow_protocol_t *own = kind->name ? NULL : parts_protocol();
  memset(x, 0, sizeof(*x));
  x->kind = kind;
  script_init_with(&x->s, alloc);
  script_drive_clock(&x->s);
  test_connect_t options = link_options(&x->s, &reconnect);
  options.peer.protocol = own ? own : uvow_protocol_by_name(kind->name);
  options.peer.on_state = on_state;
  options.peer.no_cancel = 0;
  options.peer.max_in_flight = 6;
  options.peer.max_batch = kind->batch;
  options.peer.renew = kind->renews ? on_renew : NULL;
  options.on_event = NULL;
  x->methods = uvow_methods_new(x->s.loop);
  assert_int_equal(uvow_methods_add(x->methods, "echo", echo, NULL), 0);
  options.peer.methods = x->methods;
  link_open(&x->s, &options);
  uvow_protocol_unref(own);
  x->group = uvow_group_new(x->s.loop);
  assert_int_equal(uvow_group_add(x->group, x->s.client), 0);
  if (kind->session)
    x->within =
        uvow_peer_within(x->s.client, "{s:s}", "sessionId", kind->session);
  assert_true(!kind->session || x->within);
}

static void finish(day_t *x) {
  uvow_group_free(x->group);
  uvow_peer_unref(x->within);
  uvow_peer_unref(x->s.client);
  x->s.client = NULL;
  script_turns(&x->s);
  uvow_methods_unref(x->methods);
  assert_int_equal(x->settled, x->promised);
  script_quit(&x->s);
}

/* ---- the day ---- */

static void ask(day_t *x, uvow_peer_t *peer) {
  uvow_request_options_t again = {.size = sizeof(again), .idempotent = 1};
  uvow_request_options_t parts = {.size = sizeof(parts)};
  parts.on_partial = on_part;
  parts.partial_moves_deadline = 1;
  parts.timeout_ms = 60000;
  expect(x, uvow_peer_requestf(peer, "a", "{s:s}", "k", "\"\\" TEXT));
  expect(x, uvow_peer_request_with(peer, "b", uvow_value_raw("[\"" TEXT "\"]"),
                                   &again));
  expect(x, uvow_peer_request_with(peer, "c", uvow_value_none(), &parts));
  expect_items(x, uvow_peer_request_stream(peer, "d", uvow_value_raw("[1]")));
  (void)uvow_peer_notifyf(peer, "n", "[s]", TEXT);
  (void)uvow_group_notify(x->group, "g", uvow_value_raw("[\"" TEXT "\"]"));
}

static void follow(day_t *x, uvow_peer_t *peer) {
  uvow_subscription_options_t options = subs_options();
  options.answer_key = "/id";
  for (int i = 0; i < 2; i++) {
    uvow_stream_t *stream = uvow_peer_subscribe(
        peer, "sub", uvow_value_raw("[\"" TEXT "\"]"), &options);
    if (i == 0)
      expect_items(x, stream);
    else if (stream)
      expect_items(x, uvow_stream_take(stream, 1));
    options.unsubscribe = NULL;
  }
  expect_items(x, uvow_peer_subscribe(peer, "parts", uvow_value_none(), NULL));
}

static void hear(day_t *x) {
  char text[512];
  snprintf(text, sizeof(text),
           "%s\"ev\",\"params\":{\"subscription\":\"\\u0041" TEXT TEXT
           "\",\"result\":1}}",
           x->kind->event);
  script_text(&x->s, text);
  script_text(&x->s, "{\"id\":3,\"part\":{\"a\":\"" TEXT TEXT "\"}}");
  script_text(&x->s, "{\"id\":4,\"part\":{\"a\":\"" TEXT TEXT "\"}}");
  script_text(&x->s, JSONRPC "\"id\":\"q1\",\"method\":\"echo\"}");
  script_turns(&x->s);
}

/* What its key is takes memory, to read and to keep. */
static const char a_key[] = "{\"id\":\"\\u0041" TEXT TEXT "\"}";

static void live(day_t *x) {
  uvow_peer_t *peer = x->within ? x->within : x->s.client;
  ask(x, peer);
  follow(x, peer);
  script_turns(&x->s);
  hear(x);
  lose(x);
  ask(x, peer); /* waits */
  connect_again(x);
  hear(x);
  answer_all(x, a_key);
  hear(x);
  answer_all(x, a_key);
  lose(x);
  connect_again(x);
  answer_all(x, a_key);
}

/* There is memory again. */
static void go_on(day_t *x) {
  script_t *s = &x->s;
  link_check_stats(s);
  assert_int_not_equal(uvow_peer_state(s->client), UVOW_PEER_CLOSED);
  lose(x);
  connect_again(x);
  for (int i = 0; i < 8; i++)
    answer_all(x, a_key);
  assert_int_equal(uvow_peer_state(s->client), UVOW_PEER_OPEN);
  assert_int_equal(script_stats(s).pending, 0);
  int before = x->fulfilled;
  expect(x, uvow_peer_request(s->client, "last", uvow_value_none()));
  answer_all(x, "{}");
  assert_int_equal(x->fulfilled, before + 1);
  link_check_stats(s);
}

/* The n-th allocation of the day fails, and with `all` those behind it. Returns
 * whether there was one. */
static int live_without(const kind_t *kind, size_t n, int all) {
  test_alloc_t alloc;
  day_t x;
  test_alloc_init(&alloc);
  start(&x, kind, &alloc);
  alloc.fail_at = alloc.calls + n;
  alloc.fail_all_after = all;
  live(&x);
  alloc.fail_at = 0;
  alloc.fail_all_after = 0;
  go_on(&x);
  finish(&x);
  assert_int_equal(alloc.live, 0);
  return alloc.failed > 0;
}

static void each_allocation(const kind_t *kind) {
  size_t n = 1;
  while (live_without(kind, n, 0)) {
    (void)live_without(kind, n, 1);
    n++;
  }
  assert_true(n > 50);
}

TEST_CASE(of_its_own_renewal) {
  each_allocation(&kinds[0]);
}

TEST_CASE(in_arrays) {
  each_allocation(&kinds[1]);
}

TEST_CASE(within_a_session) {
  each_allocation(&kinds[2]);
}

TEST_CASE(told_by_parts) {
  each_allocation(&kinds[3]);
}

TEST_MODULE(scarce_link) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(of_its_own_renewal),
      cmocka_unit_test(in_arrays),
      cmocka_unit_test(within_a_session),
      cmocka_unit_test(told_by_parts),
  };
  return cmocka_run_group_tests_name("rpc/scarce_link", tests, NULL, NULL);
}
