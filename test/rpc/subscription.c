/* Subscriptions: from the request to the end, told by events or by partial
 * answers, and in memory. */
#include "rpc/subscription.h"

#include "support/subs.h"

#include <uvow/combine.h>

TEST_CASE(test_events) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  parts_read(subs_make(&s), &a);
  parts_read(subs_make(&s), &b);
  subs_expect_sent(&s, 1, "sub", "[\"x\"]");
  subs_expect_sent(&s, 2, "sub", "[\"x\"]");
  subs_answer(&s, 2, "\"0xb\"");
  subs_answer(&s, 1, "\"0xa\"");
  subs_event(&s, "\"0xa\"", 1);
  subs_event(&s, "\"0xb\"", 2);
  subs_event(&s, "\"0xa\"", 3);
  script_expect(&s, "a:1 b:2 a:3");
  subs_event(&s, "\"0xc\"", 4);
  assert_int_equal(subs_strays(&s), 1);
  uvow_peer_end(s.client);
  script_turns(&s);
  script_expect(&s, "a= b=");
  script_end(&s);
}

/* What comes before the answer is its own, in order. */
TEST_CASE(test_before_the_answer) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  parts_read(subs_make(&s), &a);
  parts_read(subs_make(&s), &b);
  subs_event(&s, "2", 1);
  subs_event(&s, "1", 2);
  subs_event(&s, "3", 3);
  subs_event(&s, "1", 4);
  uvow__runtime_enter(&s.loop->rt);
  subs_answer(&s, 1, "1");
  subs_event(&s, "1", 5); /* it comes before the answer was seen */
  uvow__runtime_leave(&s.loop->rt);
  script_expect(&s, "a:2 a:4 a:5");
  subs_answer(&s, 2, "2");
  assert_int_equal(subs_strays(&s), 1); /* nobody was left for 3 */
  subs_event(&s, "2", 6);
  script_expect(&s, "b:6");
  subs_end(&s);
}

TEST_CASE(test_refused) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  parts_read(subs_make(&s), &a);
  subs_event(&s, "1", 1);
  script_text(&s,
              "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":5,"
              "\"message\":\"no\"}}");
  script_expect(&s,
                "event?{\"jsonrpc\":\"2.0\",\"method\":\"ev\",\"params\":"
                "{\"subscription\":1,\"result\":1}} a!EREMOTE:ANSWERED");
  assert_int_equal(s.client->session.listeners.names.count, 0);
  script_end(&s);
}

/* Letting go unsubscribes with the key; what comes until that is answered is
 * nobody's stray. */
TEST_CASE(test_let_go) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  uvow_stream_t *stream = subs_make(&s);
  subs_answer(&s, 1, "\"k\"");
  script_next(&s);
  script_watch(uvow_stream_close(stream), &a);
  script_turns(&s);
  subs_expect_sent(&s, 2, "unsub", "[\"k\"]");
  subs_event(&s, "\"k\"", 1);
  script_expect(&s, "");
  subs_answer(&s, 2, "true");
  script_expect(&s, "a=");
  subs_event(&s, "\"k\"", 1);
  assert_int_equal(subs_strays(&s), 1);
  assert_int_equal(s.client->session.listeners.names.count, 0);
  assert_int_equal(s.client->session.subscriptions.by_key.count, 0);
  script_end(&s);
}

/* Before its answer: the peer has subscribed it, and is told once it said so. */
TEST_CASE(test_let_go_early) {
  script_t s;
  subs_start(&s);
  uvow_stream_unref(subs_make(&s));
  script_turns(&s);
  subs_expect_sent(&s, 1, "sub", "[\"x\"]");
  script_expect_sent(&s, "");
  subs_answer(&s, 1, "7");
  subs_expect_sent(&s, 2, "unsub", "[7]");
  subs_answer(&s, 2, "true");
  assert_true(uvow__list_empty(&s.client->session.subscriptions.all));
  /* Without such a request it is canceled. */
  uvow_subscription_options_t options = subs_options();
  options.unsubscribe = NULL;
  uvow_stream_unref(subs_with(&s, &options));
  script_turns(&s);
  subs_expect_sent(&s, 3, "sub", "[\"x\"]");
  script_expect_sent(&s,
                     "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\","
                     "\"params\":{\"id\":3}}");
  assert_true(uvow__list_empty(&s.client->session.subscriptions.all));
  script_end(&s);
}

/* One that wasn't sent yet never is. */
TEST_CASE(test_let_go_unsent) {
  script_t s;
  subs_start(&s);
  script_hang_up(&s, UV_ECONNRESET);
  uvow_stream_unref(subs_make(&s));
  script_turns(&s);
  assert_true(uvow__list_empty(&s.client->session.subscriptions.all));
  link_again(&s);
  script_expect_sent(&s, "");
  script_end(&s);
}

/* Two with one key: only the last one to go unsubscribes. */
TEST_CASE(test_shared_key) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  uvow_stream_t *first = subs_make(&s);
  uvow_stream_t *second = subs_make(&s);
  subs_answer(&s, 1, "5");
  subs_answer(&s, 2, "5");
  script_next(&s), script_next(&s);
  subs_event(&s, "5", 1);
  assert_int_equal(uvow_stream_waiting(first), 1);
  uvow_stream_unref(first);
  script_turns(&s);
  script_expect_sent(&s, "");
  subs_event(&s, "5", 2);
  script_watch(uvow_stream_next(second), &a);
  script_turns(&s);
  script_expect(&s, "a=1");
  uvow_stream_unref(second);
  script_turns(&s);
  subs_expect_sent(&s, 3, "unsub", "[5]");
  script_end(&s);
}

TEST_CASE(test_too_slow) {
  script_t s;
  subs_start(&s);
  script_mark_t a = script_mark(&s, "a");
  uvow_stream_options_t bounds = {.size = sizeof(bounds), .max_items = 2};
  uvow_subscription_options_t options = subs_options();
  options.stream = &bounds;
  uvow_stream_t *stream = subs_with(&s, &options);
  script_next(&s);
  subs_answer(&s, 1, "1");
  for (int i = 1; i <= 3; i++)
    subs_event(&s, "1", i);
  subs_expect_sent(&s, 2, "unsub", "[1]");
  parts_read(stream, &a);
  script_turns(&s);
  script_expect(&s, "a:1 a:2 a!EOVERLOAD");
  script_end(&s);
}

/* ---- no room to say so ---- */

static void start_narrow(script_t *s, uvow_reconnect_options_t *reconnect) {
  script_init(s);
  script_drive_clock(s);
  test_connect_t options = link_options(s, reconnect);
  options.on_event = NULL;
  options.peer.on_state = NULL;
  options.peer.max_in_flight = 1;
  options.peer.max_queued = 1;
  options.websocket.ping_ms = options.websocket.dead_ms = UVOW_NO_TIMEOUT;
  link_open(s, &options);
}

/* A request that takes the only place in flight for as long as it likes. */
static void fill(script_t *s, script_mark_t *mark) {
  uvow_request_options_t forever = {.size = sizeof(forever),
                                    .timeout_ms = UVOW_NO_TIMEOUT};
  script_watch(
      uvow_peer_request_with(s->client, "long", uvow_value_none(), &forever),
      mark);
  script_turns(s);
}

/* The request that unsubscribes waits until its time is over: it is made again.
 */
TEST_CASE(test_let_go_in_a_queue) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  start_narrow(&s, &reconnect);
  script_mark_t a = script_mark(&s, "a"), b = script_mark(&s, "b");
  uvow_stream_t *stream = subs_make(&s);
  subs_answer(&s, 1, "\"k\"");
  script_next(&s);
  fill(&s, &b);
  script_next(&s);
  script_watch(uvow_stream_close(stream), &a);
  for (int i = 0; i < 3; i++)
    script_advance(&s, 31000);
  script_expect_sent(&s, "");
  script_expect(&s, "");
  subs_answer(&s, 2, "1");
  subs_expect_sent(&s, 5, "unsub", "[\"k\"]");
  subs_answer(&s, 5, "true");
  script_expect(&s, "b=1 a=");
  assert_true(uvow__list_empty(&s.client->session.subscriptions.all));
  script_end(&s);
}

/* There is no place in the queue: it is made once there is. */
TEST_CASE(test_let_go_with_a_full_queue) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  start_narrow(&s, &reconnect);
  script_mark_t a = script_mark(&s, "a"), b = script_mark(&s, "b");
  script_mark_t c = script_mark(&s, "c"), d = script_mark(&s, "d");
  uvow_stream_t *first = subs_make(&s);
  subs_answer(&s, 1, "1");
  uvow_stream_t *second = subs_make(&s);
  subs_answer(&s, 2, "2");
  script_next(&s), script_next(&s);
  fill(&s, &a);
  fill(&s, &b);
  script_next(&s);
  script_watch(uvow_stream_close(first), &c);
  script_watch(uvow_stream_close(second), &d);
  script_turns(&s);
  subs_event(&s, "1", 1);
  script_expect(&s, "");
  subs_answer(&s, 3, "3");
  script_next(&s); /* the one that waited */
  subs_answer(&s, 4, "4");
  subs_expect_sent(&s, 9, "unsub", "[1]");
  subs_answer(&s, 9, "true");
  script_turns(&s);
  subs_expect_sent(&s, 14, "unsub", "[2]");
  subs_answer(&s, 14, "true");
  script_expect(&s, "a=3 b=4 c= d=");
  script_end(&s);
}

/* The same with the protocol's cancel, for want of room in the connection; and
 * one that is lost with it needs no telling. */
TEST_CASE(test_let_go_without_room) {
  for (int lost = 0; lost < 2; lost++) {
    script_t s;
    subs_start(&s);
    script_mark_t a = script_mark(&s, "a");
    uvow_subscription_options_t options = subs_options();
    options.unsubscribe = NULL;
    uvow_stream_t *stream = subs_with(&s, &options);
    subs_answer(&s, 1, "1");
    script_next(&s);
    s.client->outbox->max_unsent = 0;
    script_watch(uvow_stream_close(stream), &a);
    script_turns(&s);
    script_expect_sent(&s, "");
    script_expect(&s, "");
    s.client->outbox->max_unsent = SIZE_MAX;
    if (lost)
      script_hang_up(&s, UV_ECONNRESET);
    else
      uvow__outbox_pump(s.client);
    script_turns(&s);
    if (!lost)
      script_expect_sent(&s,
                         "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\","
                         "\"params\":{\"id\":1}}");
    script_expect(&s, "a=");
    subs_end(&s);
  }
}

/* ---- by partial answers ---- */

static void start_parts(script_t *s, uvow_reconnect_options_t *reconnect) {
  uvow_protocol_t *protocol = parts_protocol();
  script_init(s);
  script_drive_clock(s);
  test_connect_t options = link_options(s, reconnect);
  options.peer.protocol = protocol;
  options.peer.on_state = NULL;
  options.peer.no_cancel = 0;
  options.on_event = NULL;
  link_open(s, &options);
  uvow_protocol_unref(protocol);
}

TEST_CASE(test_parts) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  start_parts(&s, &reconnect);
  script_mark_t a = script_mark(&s, "a");
  uvow_stream_t *stream = subs_with(&s, NULL);
  script_expect_sent(&s, "{\"id\":1,\"call\":\"sub\",\"params\":[\"x\"]}");
  parts_read(uvow_stream_ref(stream), &a);
  script_text(&s, "{\"id\":1,\"part\":1}");
  script_text(&s, "{\"id\":1,\"ok\":\"k\"}"); /* it goes on behind its answer */
  script_text(&s, "{\"id\":1,\"part\":2}");
  script_expect(&s, "a:1 a:2");
  script_hang_up(&s, UV_ECONNRESET);
  link_again(&s);
  script_expect_sent(&s, "{\"id\":2,\"call\":\"sub\",\"params\":[\"x\"]}");
  script_text(&s, "{\"id\":1,\"part\":9}");
  assert_int_equal(script_stats(&s).late + script_stats(&s).duplicate, 0);
  script_text(&s, "{\"id\":2,\"part\":3}");
  script_text(&s, "{\"id\":2,\"ok\":1}");
  script_text(&s, "{\"id\":2,\"part\":4}");
  script_expect(&s, "a:3(+?) a:4");
  script_text(&s, "{\"id\":2,\"end\":true}");
  script_expect(&s, "a=");
  script_text(&s, "{\"id\":2,\"part\":5}");
  script_expect(&s, "");
  uvow_stream_unref(stream);
  script_end(&s);
}

/* One that only its end answers is on once it was sent. */
TEST_CASE(test_parts_renewed_unanswered) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  start_parts(&s, &reconnect);
  script_mark_t a = script_mark(&s, "a");
  parts_read(subs_with(&s, NULL), &a);
  script_hang_up(&s, UV_ECONNRESET);
  link_again(&s);
  script_text(&s, "{\"id\":2,\"part\":1}");
  script_text(&s, "{\"id\":2,\"part\":2}");
  script_expect(&s, "a:1(+?) a:2");
  script_hang_up(&s, UV_ECONNRESET);
  link_again(&s);
  script_text(&s, "{\"id\":3,\"end\":true}");
  script_expect(&s, "a=");
  script_end(&s);
}

/* The end is the answer, where there's no other. */
TEST_CASE(test_parts_end) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  start_parts(&s, &reconnect);
  script_mark_t a = script_mark(&s, "a");
  parts_read(subs_with(&s, NULL), &a);
  script_text(&s, "{\"id\":1,\"part\":1}");
  script_text(&s, "{\"id\":1,\"end\":true}");
  script_expect(&s, "a:1 a=");
  /* One that is answered is canceled by its id. */
  uvow_stream_t *stream = subs_with(&s, NULL);
  script_text(&s, "{\"id\":2,\"ok\":1}");
  uvow_stream_unref(stream);
  script_turns(&s);
  script_next(&s), script_next(&s);
  script_expect_sent(&s, "{\"cancel\":2}");
  /* A request of its own may do it, with the id. */
  uvow_subscription_options_t options = {.size = sizeof(options),
                                         .unsubscribe = "off",
                                         .unsubscribe_params = "{\"of\":$key}"};
  stream = subs_with(&s, &options);
  script_text(&s, "{\"id\":3,\"ok\":1}");
  uvow_stream_unref(stream);
  script_turns(&s);
  script_next(&s);
  script_expect_sent(&s, "{\"id\":4,\"call\":\"off\",\"params\":{\"of\":3}}");
  script_end(&s);
}

/* A close doesn't wait for what never ends. */
TEST_CASE(test_parts_close) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  start_parts(&s, &reconnect);
  script_mark_t a = script_mark(&s, "a");
  parts_read(subs_with(&s, NULL), &a);
  script_next(&s);
  uvow_future_detach(uvow_peer_close(s.client));
  script_turns(&s);
  script_expect_sent(&s, "{\"cancel\":1}");
  script_expect_sent(&s, "close:1000");
  script_expect(&s, "a=");
  script_end(&s);
}

/* ---- in memory ---- */

typedef struct shop {
  script_t s;
  uvow_peer_t *a;
  uvow_peer_t *b;
  int64_t next;
  int left;
} shop_t;

/* The first events come before the answer. */
static uvow_next_t on_sub(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  shop_t *x = (shop_t *)data;
  (void)params;
  int64_t key = ++x->next;
  for (int i = 0; i < 2; i++)
    (void)uvow_peer_notifyf(uvow_call_peer(call), "ev", "{s:I,s:i}",
                            "subscription", key, "result", i);
  return uvow_next_value(uvow_value_int64(key));
}

static uvow_next_t on_unsub(uvow_call_t *call, const uvow_result_t *params,
                            void *data) {
  shop_t *x = (shop_t *)data;
  (void)call;
  (void)params;
  x->left++;
  return uvow_next_none();
}

static int open_shop(shop_t *x) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.methods = uvow_methods_new(x->s.loop);
  int rc = UVOW_ENOMEM;
  if (options.methods &&
      uvow_methods_add(options.methods, "sub", on_sub, x) == 0 &&
      uvow_methods_add(options.methods, "unsub", on_unsub, x) == 0) {
    uvow_peer_options_t caller = options;
    caller.methods = NULL;
    rc = uvow_peer_pair(x->s.loop, &caller, &options, &x->a, &x->b);
  }
  uvow_methods_unref(options.methods);
  return rc;
}

TEST_CASE(test_pair) {
  shop_t x;
  memset(&x, 0, sizeof(x));
  script_init(&x.s);
  assert_int_equal(open_shop(&x), 0);
  uvow_subscription_options_t options = subs_options();
  script_mark_t a = script_mark(&x.s, "a");
  script_mark_t b = script_mark(&x.s, "b");
  parts_read(
      uvow_stream_take(
          uvow_peer_subscribe(x.a, "sub", uvow_value_none(), &options), 3),
      &a);
  parts_read(uvow_peer_subscribe(x.a, "sub", uvow_value_none(), &options), &b);
  script_turns(&x.s);
  script_turns(&x.s);
  script_expect(&x.s, "a:0 a:1 b:0 b:1");
  assert_int_equal(
      uvow_peer_notifyf(x.b, "ev", "{s:i,s:i}", "subscription", 1, "result", 7),
      0);
  script_turns(&x.s);
  script_turns(&x.s);
  script_expect(&x.s, "a:7 a=");
  assert_int_equal(x.left, 1);
  uvow_peer_unref(x.a);
  uvow_peer_unref(x.b);
  script_turns(&x.s);
  script_expect(&x.s, "b=");
  script_end(&x.s);
}

/* ---- memory ---- */

static uvow_next_t pass(const uvow_result_t *item, void *data) {
  (void)item;
  (void)data;
  return uvow_next_pass();
}

static void on_end(const uvow_result_t *result, void *data) {
  (void)result;
  ++*(int *)data;
}

static void subscribe_in_memory(test_alloc_t *alloc, void *data) {
  static shop_t x;
  int promised = 0;
  int ended = 0;
  (void)data;
  memset(&x, 0, sizeof(x));
  script_init_with(&x.s, alloc);
  if (open_shop(&x) == 0) {
    uvow_subscription_options_t options = subs_options();
    for (int i = 0; i < 2; i++) {
      uvow_stream_t *stream =
          uvow_peer_subscribe(x.a, "sub", uvow_value_none(), &options);
      uvow_future_t *f = uvow_stream_each(
          i ? stream : uvow_stream_take(stream, 2), pass, NULL);
      promised += f && uvow_future_done(f, on_end, &ended) == 0;
    }
    for (int i = 0; i < 20; i++)
      script_turns(&x.s);
  }
  uvow_peer_unref(x.a);
  uvow_peer_unref(x.b);
  script_turns(&x.s);
  assert_int_equal(ended, promised);
  script_quit(&x.s);
}

TEST_CASE(test_without_memory) {
  test_alloc_sweep(subscribe_in_memory, NULL);
}

/* An item takes no memory once warm, whether its key is text or a number. */
TEST_CASE(test_warm) {
  static const char *const keys[] = {
      "\"a key of some length, as uuids have it\"", "1234567", "-1", "0"};
  for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++) {
    script_t s;
    size_t calls = 0;
    subs_start(&s);
    uvow_future_detach(uvow_stream_each(subs_make(&s), pass, NULL));
    subs_answer(&s, 1, keys[k]);
    for (int i = 0; i < 300; i++) {
      if (i == 100)
        calls = s.alloc->calls;
      subs_event(&s, keys[k], i);
    }
    assert_int_equal(s.alloc->calls - calls, 0);
    script_end(&s);
  }
}

/* An event whose key takes memory that isn't there: all it may be for are told
 * that something is missing. */
TEST_CASE(test_no_memory_for_a_key) {
  for (int drops = 0; drops < 2; drops++) {
    script_t s;
    uvow_stream_options_t bounds = {.size = sizeof(bounds)};
    uvow_subscription_options_t options = subs_options();
    subs_start(&s);
    script_mark_t a = script_mark(&s, "a");
    bounds.full = drops ? UVOW_FULL_DROP_OLDEST : UVOW_FULL_DEFAULT;
    options.stream = &bounds;
    parts_read(subs_with(&s, &options), &a);
    subs_answer(&s, 1, "1");
    subs_event(&s, "1", 1);
    script_expect(&s, "a:1");
    s.alloc->fail_at = s.alloc->calls + 1;
    subs_event(&s, "1.0", 2);
    s.alloc->fail_at = 0;
    subs_event(&s, "1.0", 3);
    const char *log = strstr(s.log, drops ? "a:3(+?)" : "a!ENOMEM");
    assert_non_null(log);
    assert_null(strstr(s.log, "a:2"));
    subs_end(&s);
  }
}

TEST_MODULE(subscription) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_events),
      cmocka_unit_test(test_before_the_answer),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_let_go),
      cmocka_unit_test(test_let_go_early),
      cmocka_unit_test(test_let_go_unsent),
      cmocka_unit_test(test_shared_key),
      cmocka_unit_test(test_too_slow),
      cmocka_unit_test(test_let_go_in_a_queue),
      cmocka_unit_test(test_let_go_with_a_full_queue),
      cmocka_unit_test(test_let_go_without_room),
      cmocka_unit_test(test_parts),
      cmocka_unit_test(test_parts_renewed_unanswered),
      cmocka_unit_test(test_parts_end),
      cmocka_unit_test(test_parts_close),
      cmocka_unit_test(test_pair),
      cmocka_unit_test(test_without_memory),
      cmocka_unit_test(test_warm),
      cmocka_unit_test(test_no_memory_for_a_key),
  };
  return cmocka_run_group_tests_name("rpc/subscription", tests, NULL, NULL);
}
