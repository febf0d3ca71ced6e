/* R5: the peer is told of what is canceled, once, also where there's no room for
 * that at first: then as soon as there is. */
#include "rpc/peer.h"

#include "support/link.h"

#include <stdio.h>

#define MANY 100000

static void start_with(script_t *s, uvow_reconnect_options_t *reconnect,
                       size_t max_unsent) {
  script_init(s);
  script_drive_clock(s);
  test_connect_t options = link_options(s, reconnect);
  options.peer.on_state = NULL;
  options.peer.on_stray = NULL;
  options.peer.no_cancel = 0;
  options.websocket.max_unsent_bytes = max_unsent;
  options.websocket.ping_ms = options.websocket.dead_ms = UVOW_NO_TIMEOUT;
  link_open(s, &options);
}

static void start(script_t *s, uvow_reconnect_options_t *reconnect) {
  start_with(s, reconnect, 1000);
}

/* A request that has left. */
static uvow_future_t *ask(script_t *s) {
  uvow_future_t *f = script_request(s, "m", NULL);
  script_turns(s);
  assert_string_not_equal(script_next(s), "");
  return f;
}

static void cancel(uvow_future_t *f) {
  uvow_future_cancel(f);
  uvow_future_unref(f);
}

/* The stream takes what it is given, and a message that fills the room waits
 * behind it. */
static void fill(script_t *s) {
  char text[512];
  s->block = 1;
  assert_int_equal(uvow_peer_notify(s->client, "n", uvow_value_none()), 0);
  script_turns(s);
  for (int i = 0; i < 2; i++) {
    snprintf(text, sizeof(text), "[\"%0400d\"]", i);
    assert_int_equal(uvow_peer_notify(s->client, "n", uvow_value_raw(text)), 0);
  }
  script_turns(s);
}

static void unfill(script_t *s) {
  s->block = 0;
  script_unblock(s);
  script_turns(s);
}

static void expect_canceled(script_t *s, uint64_t id) {
  char text[128];
  snprintf(text, sizeof(text),
           "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":"
           "{\"id\":%llu}}",
           (unsigned long long)id);
  script_expect_sent(s, text);
}

/* What fill has sent. */
static void expect_filling(script_t *s) {
  for (int i = 0; i < 3; i++)
    assert_non_null(strstr(script_next(s), "\"method\":\"n\""));
}

TEST_CASE(test_at_once) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  start(&s, &reconnect);
  cancel(ask(&s));
  script_turns(&s);
  expect_canceled(&s, 1);
  assert_int_equal(s.client->dispatcher.kept, 0);
  script_end(&s);
}

/* The look for them begins with the first that was canceled, and goes round. */
TEST_CASE(test_without_room) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  start(&s, &reconnect);
  uvow_future_t *first = ask(&s);
  uvow_future_t *second = ask(&s);
  fill(&s);
  cancel(second);
  cancel(first);
  script_turns(&s);
  assert_int_equal(s.client->dispatcher.unsaid, 2);
  unfill(&s);
  expect_filling(&s);
  expect_canceled(&s, 2);
  expect_canceled(&s, 1);
  script_expect_sent(&s, "");
  assert_int_equal(s.client->dispatcher.kept, 0);
  script_end(&s);
}

/* A time that is over is a cancel too. */
TEST_CASE(test_a_timeout_without_room) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  start(&s, &reconnect);
  script_mark_t a = script_mark(&s, "a");
  uvow_request_options_t options = {.size = sizeof(options), .timeout_ms = 10};
  script_watch(
      uvow_peer_request_with(s.client, "m", uvow_value_none(), &options), &a);
  script_turns(&s);
  script_next(&s);
  fill(&s);
  script_advance(&s, 20);
  script_expect(&s, "a!ETIMEDOUT:MAYBE");
  unfill(&s);
  expect_filling(&s);
  expect_canceled(&s, 1);
  script_expect_sent(&s, "");
  script_end(&s);
}

/* The peer forgets its calls with their connection. */
TEST_CASE(test_lost_meanwhile) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  start(&s, &reconnect);
  uvow_future_t *f = ask(&s);
  fill(&s);
  cancel(f);
  script_turns(&s);
  assert_int_equal(s.client->dispatcher.unsaid, 1);
  script_hang_up(&s, UV_ECONNRESET);
  script_turns(&s);
  s.block = 0;
  assert_int_equal(s.client->dispatcher.kept, 0);
  link_again(&s);
  script_turns(&s);
  script_expect_sent(&s, "");
  link_prove(&s);
  script_expect_sent(&s, "");
  script_end(&s);
}

/* What is answered needs no cancel. */
TEST_CASE(test_answered_meanwhile) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  start(&s, &reconnect);
  uvow_future_t *f = ask(&s);
  uvow_future_t *other = ask(&s);
  uvow_future_t *third = ask(&s); /* else it isn't read */
  fill(&s);
  cancel(f);
  cancel(other);
  link_answer(&s, 1);
  assert_int_equal(script_stats(&s).late, 1);
  assert_int_equal(s.client->dispatcher.unsaid, 1);
  unfill(&s);
  expect_filling(&s);
  expect_canceled(&s, 2);
  script_expect_sent(&s, "");
  cancel(third);
  script_end(&s);
}

/* Whoever else has the room of one has it first; the others follow. */
TEST_CASE(test_room_for_one) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  uvow_future_t *f[3];
  start(&s, &reconnect);
  for (int i = 0; i < 3; i++)
    f[i] = ask(&s);
  s.client->outbox->max_unsent = 0;
  for (int i = 0; i < 3; i++)
    cancel(f[i]);
  script_turns(&s);
  for (int i = 0; i < 3; i++) {
    s.client->outbox->max_unsent = 90;
    s.block = 1;
    uvow__outbox_pump(s.client);
    s.client->outbox->max_unsent = 0;
    s.block = 0;
    script_turns(&s);
    expect_canceled(&s, (uint64_t)i + 1);
    script_expect_sent(&s, "");
    assert_int_equal(s.client->dispatcher.unsaid, 2 - i);
  }
  script_end(&s);
}

/* What counts until it's answered does so, told or not. */
TEST_CASE(test_one_that_counts) {
  for (int answered = 0; answered < 2; answered++) {
    script_t s;
    uvow_reconnect_options_t reconnect;
    start(&s, &reconnect);
    uvow_future_t *f = ask(&s);
    s.client->dispatcher.keep_owed = 1;
    s.client->outbox->max_unsent = 0;
    cancel(f);
    script_turns(&s);
    assert_int_equal(s.client->dispatcher.owed, 1);
    assert_int_equal(s.client->dispatcher.kept, 1);
    if (answered)
      link_answer(&s, 1);
    s.client->outbox->max_unsent = 1000;
    uvow__outbox_pump(s.client);
    script_turns(&s);
    if (!answered)
      expect_canceled(&s, 1);
    script_expect_sent(&s, "");
    assert_int_equal(s.client->dispatcher.owed, !answered);
    link_answer(&s, 1);
    assert_int_equal(s.client->dispatcher.kept, 0);
    script_end(&s);
  }
}

/* Without memory for the message it is said as soon as another has come. */
TEST_CASE(test_without_memory) {
  int failed = 1;
  size_t unsaid = 0;
  for (size_t n = 1; failed; n++) {
    script_t s;
    uvow_reconnect_options_t reconnect;
    start(&s, &reconnect);
    uvow_future_t *f = ask(&s);
    size_t before = s.alloc->failed;
    uvow__buf_done(&s.loop->scratch); /* what is written needs memory */
    s.alloc->fail_at = s.alloc->calls + n;
    s.alloc->fail_all_after = 1;
    cancel(f);
    script_turns(&s);
    failed = s.alloc->failed > before;
    s.alloc->fail_at = 0;
    s.alloc->fail_all_after = 0;
    unsaid += s.client->dispatcher.unsaid;
    script_text(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"any\"}");
    script_turns(&s);
    if (!script_gone(&s))
      expect_canceled(&s, 1);
    script_expect_sent(&s, "");
    assert_true(failed || !script_gone(&s));
    s.log[0] = '\0';
    script_end(&s);
  }
  assert_true(unsaid > 0);
}

/* A storm takes no memory of its own, no id is used again, and each is said
 * once. */
TEST_CASE(test_many_without_room) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  start_with(&s, &reconnect, SIZE_MAX / 2);
  uvow_future_t **f = (uvow_future_t **)calloc(MANY, sizeof(*f));
  s.client->outbox->max_unsent = SIZE_MAX / 2;
  for (int i = 0; i < MANY; i++)
    f[i] = script_request(&s, "m", NULL);
  script_turns(&s);
  s.sent_at = s.sent_len;
  s.client->outbox->max_unsent = 0;
  size_t ring = s.client->dispatcher.mask;
  for (int i = 0; i < MANY; i++)
    cancel(f[i]);
  script_turns(&s);
  assert_int_equal(s.client->dispatcher.unsaid, MANY);
  assert_int_equal(s.client->dispatcher.mask, ring);
  s.client->outbox->max_unsent = SIZE_MAX / 2;
  uvow__outbox_pump(s.client);
  script_turns(&s);
  for (int i = 0; i < MANY; i++)
    expect_canceled(&s, (uint64_t)i + 1);
  script_expect_sent(&s, "");
  assert_int_equal(s.client->dispatcher.kept, 0);
  free(f);
  script_end(&s);
}

/* Requests that come and go meanwhile leave their slots to what is unsaid. */
TEST_CASE(test_slots_are_kept) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  start(&s, &reconnect);
  uvow_future_t *kept[3];
  for (int i = 0; i < 3; i++)
    kept[i] = ask(&s);
  s.client->outbox->max_unsent = 0;
  for (int i = 0; i < 3; i++)
    cancel(kept[i]);
  script_turns(&s);
  uint64_t slots = s.client->dispatcher.mask + 1;
  for (uint64_t i = 0; i < 2 * slots; i++) {
    script_mark_t a = script_mark(&s, "a");
    script_call(&s, "m", &a);
    script_turns(&s);
    script_expect(&s, "a!EOVERLOAD:NOT");
    assert_true(((s.client->dispatcher.next_id - 1) & (slots - 1)) - 1 >= 3);
  }
  s.client->outbox->max_unsent = 1000;
  uvow__outbox_pump(s.client);
  script_turns(&s);
  for (uint64_t id = 1; id <= 3; id++)
    expect_canceled(&s, id);
  script_expect_sent(&s, "");
  script_end(&s);
}

/* ---- one that we don't connect to ---- */

typedef struct work {
  uvow_promise_t *promise;
  int canceled;
} work_t;

static void on_unwanted(void *data) {
  work_t *work = (work_t *)data;
  work->canceled++;
  uvow_promise_drop(work->promise);
}

static uvow_next_t work_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  work_t *work = (work_t *)data;
  (void)params;
  uvow_future_t *f = uvow_promise_new(uvow_call_loop(call), &work->promise);
  uvow_promise_on_cancel(work->promise, on_unwanted, work, NULL);
  return uvow_next_future(f);
}

static uvow_next_t hear_cb(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)call, (void)params, (void)data;
  return uvow_next_none();
}

TEST_CASE(test_a_pair_without_room) {
  script_t s;
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_peer_t *other;
  work_t work = {NULL, 0};
  script_init(&s);
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.max_unsent_bytes = 300;
  options.methods = uvow_methods_new(s.loop);
  assert_int_equal(uvow_methods_add(options.methods, "work", work_cb, &work),
                   0);
  assert_int_equal(uvow_methods_add(options.methods, "hear", hear_cb, NULL), 0);
  assert_int_equal(
      uvow_peer_pair(s.loop, &options, &options, &s.client, &other), 0);
  uvow_methods_unref(options.methods);
  uvow_future_t *f = script_request(&s, "work", NULL);
  script_turns(&s);
  assert_non_null(work.promise);
  while (uvow_peer_notify(s.client, "hear", uvow_value_none()) == 0)
    ;
  cancel(f);
  assert_int_equal(s.client->dispatcher.unsaid, 1);
  script_turns(&s);
  assert_int_equal(work.canceled, 1);
  assert_int_equal(s.client->dispatcher.kept, 0);
  uvow_peer_unref(other);
  script_end(&s);
}

TEST_MODULE(canceled) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_at_once),
      cmocka_unit_test(test_without_room),
      cmocka_unit_test(test_a_timeout_without_room),
      cmocka_unit_test(test_lost_meanwhile),
      cmocka_unit_test(test_answered_meanwhile),
      cmocka_unit_test(test_room_for_one),
      cmocka_unit_test(test_one_that_counts),
      cmocka_unit_test(test_without_memory),
      cmocka_unit_test(test_many_without_room),
      cmocka_unit_test(test_slots_are_kept),
      cmocka_unit_test(test_a_pair_without_room),
  };
  return cmocka_run_group_tests_name("rpc/canceled", tests, NULL, NULL);
}
