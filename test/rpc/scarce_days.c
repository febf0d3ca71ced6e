/* A day of a peer that we connect to, over connections that are lost and made
 * again: what waits, what is sent again, subscriptions and their ends, groups,
 * and what there is no room for. It is lived with each allocation failing once,
 * and with little room: nobody waits in vain, and all counts add up. */
#include "support/link.h"
#include "support/parts.h"

#include <uvow/combine.h>
#include <uvow/group.h>
#include <uvow/subscription.h>

#define LONG_KEY                                                               \
  "\\u0061 key that has no room in what is reserved for keys of answers"

/* How it talks. */
typedef struct kind {
  size_t batch;
  size_t in_flight;
  size_t unsent;
} kind_t;

static const kind_t kinds[] = {
    {0, 0, 0},
    {3, 2, 0},
};

typedef struct day {
  script_t s; /* first */
  const kind_t *kind;
  uvow_group_t *group;
  int promised;
  int settled;
  int deaf; /* nothing is answered */
} day_t;

/* ---- what comes of it ---- */

static void on_done(const uvow_result_t *result, void *data) {
  day_t *x = (day_t *)data;
  x->settled++;
  if (!result->error)
    return;
  if (script_stats(&x->s).connected) /* there was room for a handshake */
    assert_int_not_equal(uvow_error_code(result->error), UVOW_ETIMEDOUT);
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

static void on_state(uvow_peer_t *peer, const uvow_peer_change_t *change,
                     void *data) {
  (void)peer, (void)data;
  assert_int_equal(change->size, sizeof(*change));
}

static int on_stray(uvow_peer_t *peer, uvow_stray_t stray, uvow_slice_t message,
                    const uvow_error_t *error, void *data) {
  (void)peer, (void)stray, (void)message, (void)error, (void)data;
  return 0;
}

/* ---- the server ---- */

static int is_method(const char *at, const char *name) {
  const char *method = strstr(at, "\"method\":\"");
  return method && strncmp(method + 10, name, strlen(name)) == 0 &&
         method[10 + strlen(name)] == '"';
}

/* Answers one call; subscriptions are known by their id, some by a long key. */
static void answer(day_t *x, const char *at, int id) {
  char key[128];
  char text[512];
  snprintf(key, sizeof(key), "\"%s%d\"", id % 2 ? "k" : LONG_KEY, id);
  snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":%s}",
           id, is_method(at, "sub") ? key : "[true]");
  script_text(&x->s, text);
  if (!is_method(at, "sub"))
    return;
  snprintf(text, sizeof(text),
           "{\"jsonrpc\":\"2.0\",\"method\":\"ev\",\"params\":"
           "{\"subscription\":%s,\"result\":%d}}",
           key, id);
  script_text(&x->s, text);
}

/* Reads all that was sent, and answers it. */
static void serve(day_t *x) {
  static const char call[] = "\"id\":";
  char text[sizeof(x->s.text)];
  while (!x->deaf && x->s.stream && *script_next(&x->s)) {
    memcpy(text, x->s.text, sizeof(text));
    if (strncmp(text, "ping:", 5) == 0)
      script_frame(&x->s, 0x8A, text + 5, strlen(text + 5));
    for (char *at = strstr(text, call); at; at = strstr(at + 1, call))
      if (at[5] >= '0' && at[5] <= '9' && at[-1] != '{')
        answer(x, at, atoi(at + 5));
  }
  script_turns(&x->s);
}

static int is_over(const day_t *x) {
  return uvow_peer_state(x->s.client) == UVOW_PEER_CLOSED;
}

/* Until it is open: an attempt may fail. */
static void connect_it(day_t *x) {
  script_t *s = &x->s;
  for (int i = 0; i < 20 && !is_over(x); i++) {
    if (uvow_peer_state(s->client) == UVOW_PEER_OPEN)
      break;
    if (!s->stream)
      script_advance(s, 100);
    s->sent_len = s->sent_at = 0;
    script_connected(s);
    if (s->stream && s->sent_len)
      script_accept(s);
    script_turns(s);
  }
  serve(x);
}

static void lose_it(day_t *x) {
  x->s.sent_at = x->s.sent_len;
  script_hang_up(&x->s, UV_ECONNRESET);
  script_turns(&x->s);
}

/* ---- the day ---- */

static int begin(day_t *x) {
  uvow_reconnect_options_t reconnect;
  test_connect_t options = link_options(&x->s, &reconnect);
  options.on_event = NULL;
  options.peer.on_state = on_state;
  options.peer.on_stray = on_stray;
  options.peer.no_cancel = 0;
  options.peer.max_batch = x->kind->batch;
  options.peer.max_in_flight = x->kind->in_flight;
  options.websocket.max_unsent_bytes = x->kind->unsent;
  return script_client(&x->s, &options);
}

static void ask(day_t *x, int n) {
  uvow_request_options_t options = {.size = sizeof(options)};
  options.idempotent = 1;
  for (int i = 0; i < n; i++) {
    expect(x, uvow_peer_request(x->s.client, "m", uvow_value_raw("[1]")));
    expect(x, uvow_peer_request_with(x->s.client, "again",
                                     uvow_value_raw("{\"a\":1}"), &options));
    (void)uvow_peer_notify(x->s.client, "n", uvow_value_none());
  }
}

enum { BY_NAME, BY_KEY, UNSAID };

/* UNSAID: nothing but a cancel says that it is let go of. */
static uvow_stream_t *subscribe(day_t *x, int how) {
  uvow_stream_options_t bounds = {.size = sizeof(bounds)};
  uvow_subscription_options_t options = {.size = sizeof(options)};
  bounds.max_items = 2;
  bounds.full = how ? UVOW_FULL_FAIL : UVOW_FULL_DROP_OLDEST;
  options.event = "ev";
  options.key = how ? "/subscription" : NULL;
  options.item = "/result";
  options.unsubscribe = how == UNSAID ? NULL : "unsub";
  options.stream = &bounds;
  uvow_stream_t *stream =
      uvow_peer_subscribe(x->s.client, "sub", uvow_value_none(), &options);
  expect(x, uvow_subscription_ready(stream));
  return stream;
}

static void read_it(day_t *x, uvow_stream_t *stream) {
  expect(x, uvow_stream_each(stream, pass, NULL));
}

/* What is written waits, so there's no more room at some time. */
static void be_full(day_t *x) {
  char text[512];
  x->s.block = 1;
  snprintf(text, sizeof(text), "[\"%0400d\"]", 1);
  uvow_future_t *f = uvow_peer_request(x->s.client, "m", uvow_value_none());
  script_turns(&x->s);
  for (int i = 0; i < 4; i++)
    (void)uvow_peer_notify(x->s.client, "n", uvow_value_raw(text));
  ask(x, 1);
  (void)uvow_group_notify(x->group, "n", uvow_value_raw(text));
  if (f)
    (void)uvow_future_cancel(f);
  uvow_future_unref(f);
  script_turns(&x->s);
  expect(x, uvow_peer_room(x->s.client));
  x->s.block = 0;
  script_unblock(&x->s);
  script_turns(&x->s);
  serve(x);
}

static void live(day_t *x) {
  uvow_stream_t *left = subscribe(x, BY_KEY);
  expect(x, uvow_peer_ready(x->s.client));
  ask(x, 2);
  read_it(x, subscribe(x, BY_KEY));
  read_it(x, subscribe(x, BY_NAME));
  read_it(x, subscribe(x, UNSAID));
  read_it(x, subscribe(x, UNSAID));
  uvow_stream_unref(subscribe(x, BY_KEY));
  connect_it(x);
  uvow_stream_unref(left); /* its key has come */
  x->deaf = 1;
  uvow_stream_t *early = subscribe(x, BY_KEY);
  read_it(x, subscribe(x, BY_KEY));
  ask(x, 2);
  script_turns(&x->s);
  uvow_stream_unref(early); /* its key hasn't */
  lose_it(x);
  x->deaf = 0;
  uvow_future_t *f = uvow_peer_request(x->s.client, "m", uvow_value_none());
  ask(x, 1);
  (void)uvow_group_notify(x->group, "n", uvow_value_none());
  if (f)
    (void)uvow_future_cancel(f);
  uvow_future_unref(f);
  connect_it(x);
  be_full(x);
  script_frame(&x->s, 0x89, "p", 1);
  script_text(&x->s, "{");
  script_text(&x->s, "{\"jsonrpc\":\"2.0\",\"id\":9,\"error\":{\"code\":1}}");
  serve(x);
}

/* What still waits has its time, and more. */
static void wait_long(day_t *x) {
  for (int i = 0; i < 8; i++) {
    script_advance(&x->s, 10000);
    connect_it(x);
  }
}

static void close_it(day_t *x) {
  expect(x, uvow_peer_close(x->s.client));
  script_turns(&x->s);
  serve(x);
  script_close_frame(&x->s, 1000);
  script_hang_up(&x->s, 0);
  script_turns(&x->s);
  script_advance(&x->s, 60000);
}

static void live_through(day_t *x, test_alloc_t *alloc) {
  script_init_with(&x->s, alloc);
  if (x->s.loop)
    script_drive_clock(&x->s);
  if (x->s.loop && begin(x) == 0) {
    x->group = uvow_group_new(x->s.loop);
    (void)uvow_group_add(x->group, x->s.client);
    live(x);
    wait_long(x);
    link_check_stats(&x->s);
    close_it(x);
    assert_int_equal(x->settled, x->promised);
    assert_int_equal(script_stats(&x->s).pending, 0);
    assert_int_equal(script_stats(&x->s).unsent_bytes, 0);
  }
  uvow_group_free(x->group);
  script_quit(&x->s);
}

static void body(test_alloc_t *alloc, void *data) {
  day_t x;
  memset(&x, 0, sizeof(x));
  x.kind = (const kind_t *)data;
  live_through(&x, alloc);
}

TEST_CASE(memory_is_scarce) {
  for (size_t i = 0; i < UVOW__COUNT(kinds); i++)
    test_alloc_sweep(body, (void *)(uintptr_t)&kinds[i]);
}

TEST_CASE(room_is_scarce) {
  for (size_t max = 1; max < 4000; max += 1 + max / 4)
    for (size_t i = 0; i < UVOW__COUNT(kinds); i++) {
      kind_t kind = kinds[i];
      test_alloc_t alloc;
      test_alloc_init(&alloc);
      kind.unsent = max;
      body(&alloc, &kind);
      assert_int_equal(alloc.live, 0);
    }
}

TEST_MODULE(scarce_days) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(room_is_scarce),
      cmocka_unit_test(memory_is_scarce),
  };
  return cmocka_run_group_tests_name("rpc/scarce_days", tests, NULL, NULL);
}
