#include "rpc/outbox.h"

#include <stdio.h>

#include "rpc/peer.h"

#include "support/link.h"

static uvow__slice_t slice(const char *text) {
  return (uvow__slice_t){text, strlen(text)};
}

static int send_text(script_t *s, const char *text) {
  return uvow__outbox_send_text(s->client, NULL, slice(text));
}

/* How many messages wait. */
static size_t waiting(const script_t *s) {
  const uvow__backlog_t *backlog = &s->client->outbox->backlog;
  size_t count = 0, at = 0;
  uvow__slice_t text;
  uint64_t id;
  while (uvow__backlog_next(backlog, &at, &id, &text))
    count++;
  return count;
}

/* A client that isn't connected yet. */
static void start(script_t *s, void (*set)(test_connect_t *options)) {
  script_init(s);
  test_connect_t options = script_options(s);
  if (set)
    set(&options);
  assert_int_equal(script_client(s, &options), 0);
}

static void open_it(script_t *s) {
  script_connected(s);
  script_accept(s);
}

/* ---- who has one ---- */

static uvow_peer_t *peer_of(script_t *s, size_t max_batch) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.max_batch = max_batch;
  return uvow__peer_new(s->loop, uvow__peer_config_new(s->loop, &options), 0);
}

TEST_CASE(who_never_has_to_wait_has_none) {
  script_t s;
  script_init(&s);
  uvow_peer_t *plain = peer_of(&s, 0);
  uvow_peer_t *batches = peer_of(&s, 8);
  assert_null(plain->outbox);
  assert_non_null(batches->outbox);
  assert_int_equal(batches->outbox->max_batch, 8);
  uvow_peer_unref(plain);
  uvow_peer_unref(batches);
  script_end(&s);
}

/* ---- what waits ---- */

TEST_CASE(it_waits_for_the_connection_in_order) {
  script_t s;
  start(&s, NULL);
  assert_int_equal(send_text(&s, "{\"a\":1}"), 0);
  assert_int_equal(uvow__outbox_send_raw(s.client, 2, slice("xy")), 0);
  assert_int_equal(send_text(&s, "{\"b\":2}"), 0);
  assert_int_equal(waiting(&s), 3);
  assert_int_equal(s.client->outbox->notes, 3);
  uvow__outbox_pump(s.client); /* nowhere to go */
  assert_int_equal(waiting(&s), 3);
  open_it(&s);
  assert_int_equal(waiting(&s), 0);
  assert_int_equal(s.client->outbox->notes, 0);
  script_end(&s);
}

TEST_CASE(it_leaves_in_the_order_in_which_it_came) {
  script_t s;
  start(&s, NULL);
  script_connected(&s);
  assert_int_equal(send_text(&s, "{\"a\":1}"), 0);
  assert_int_equal(uvow__outbox_send_raw(s.client, 2, slice("xy")), 0);
  script_accept(&s);
  assert_int_equal(send_text(&s, "{\"b\":2}"), 0); /* at once */
  script_turns(&s);
  script_expect_sent(&s, "{\"a\":1}");
  script_expect_sent(&s, "binary:xy");
  script_expect_sent(&s, "{\"b\":2}");
  script_end(&s);
}

static void two_queued(test_connect_t *options) {
  options->peer.max_queued = 2;
}

TEST_CASE(what_waits_is_bounded_in_number) {
  script_t s;
  start(&s, two_queued);
  assert_int_equal(send_text(&s, "1"), 0);
  assert_int_equal(send_text(&s, "2"), 0);
  assert_int_equal(send_text(&s, "3"), UVOW_EOVERLOAD);
  assert_int_equal(waiting(&s), 2);
  open_it(&s);
  assert_int_equal(send_text(&s, "4"), 0);
  script_end(&s);
}

static void hundred_bytes(test_connect_t *options) {
  options->websocket.max_unsent_bytes = 100;
}

TEST_CASE(what_waits_is_bounded_in_bytes) {
  char large[101];
  script_t s;
  start(&s, hundred_bytes);
  memset(large, '1', sizeof(large));
  large[100] = '\0';
  assert_int_equal(send_text(&s, large), UVOW_EOVERLOAD);
  large[60] = '\0';
  assert_int_equal(send_text(&s, large), 0);
  assert_int_equal(send_text(&s, large), UVOW_EOVERLOAD);
  assert_int_equal(waiting(&s), 1);
  script_end(&s);
}

/* ---- caps ---- */

static void two_in_flight(test_connect_t *options) {
  options->peer.max_in_flight = 2;
}

TEST_CASE(requests_wait_for_their_turn) {
  script_t s;
  start(&s, two_in_flight);
  open_it(&s);
  script_mark_t marks[3];
  assert_false(uvow__outbox_at_cap(s.client, 1));
  for (int i = 0; i < 3; i++) {
    marks[i] = script_mark(&s, "a");
    script_call(&s, "m", &marks[i]);
  }
  assert_true(uvow__outbox_at_cap(s.client, 0));
  assert_int_equal(waiting(&s), 1);
  assert_int_equal(s.client->dispatcher.sent, 2);
  link_answer(&s, 1);
  script_turns(&s);
  assert_int_equal(waiting(&s), 0);
  assert_int_equal(s.client->dispatcher.sent, 2);
  link_answer(&s, 2);
  link_answer(&s, 3);
  script_turns(&s);
  assert_false(uvow__outbox_at_cap(s.client, 1));
  script_expect(&s, "a=1 a=2 a=3");
  script_end(&s);
}

/* ---- what is given up ---- */

/* Once most of what waits is nobody's, it goes; before, it isn't moved. */
TEST_CASE(what_is_given_up_goes_when_it_is_most) {
  script_t s;
  start(&s, NULL);
  uvow_future_t *futures[8];
  for (int i = 0; i < 8; i++)
    futures[i] = script_request(&s, "m", NULL);
  assert_int_equal(waiting(&s), 8);
  for (int i = 0; i < 4; i++)
    uvow_future_drop(futures[i]);
  assert_int_equal(s.client->outbox->dead, 4);
  assert_int_equal(waiting(&s), 8);
  uvow_future_drop(futures[4]);
  assert_int_equal(s.client->outbox->dead, 0);
  assert_int_equal(waiting(&s), 3);
  open_it(&s);
  script_turns(&s);
  for (int i = 6; i <= 8; i++) {
    char text[80];
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"id\":%d,"
             "\"method\":\"m\"}",
             i);
    script_expect_sent(&s, text);
  }
  script_expect_sent(&s, "");
  for (int i = 5; i < 8; i++)
    uvow_future_drop(futures[i]);
  script_end(&s);
}

TEST_CASE(clear_leaves_nothing) {
  script_t s;
  start(&s, NULL);
  assert_int_equal(send_text(&s, "1"), 0);
  uvow__outbox_pump_late(s.client);
  uvow__outbox_clear(s.client);
  assert_int_equal(waiting(&s), 0);
  assert_int_equal(s.client->outbox->notes, 0);
  assert_false(uvow__task_queued(&s.client->outbox->pump));
  open_it(&s);
  script_turns(&s);
  script_expect_sent(&s, "");
  script_end(&s);
}

/* ---- large ones, which are copied once ---- */

#define LARGE 20000

static void on_traced(const uvow_peer_t *peer, uvow_slice_t message,
                      int is_outgoing, void *data) {
  char text[100];
  (void)peer;
  snprintf(text, sizeof(text), "%.*s%s",
           message.len > LARGE ? 24 : (int)message.len, message.bytes,
           message.len > LARGE ? ".." : "");
  if (is_outgoing)
    script_log((script_t *)data, "", text);
}

static const char *large(char last) {
  static char text[LARGE + 1];
  memset(text, '0', LARGE);
  memcpy(text, "[\"", 2);
  text[LARGE - 2] = '"';
  text[LARGE - 1] = last;
  return text;
}

static void start_large(script_t *s, uvow_reconnect_options_t *reconnect,
                        size_t max_in_flight, size_t max_unsent) {
  uvow_trace_t trace = {.size = sizeof(trace), .on_message = on_traced};
  script_init(s);
  script_drive_clock(s);
  test_connect_t options = link_options(s, reconnect);
  trace.data = s;
  options.peer.trace = &trace;
  options.peer.on_state = NULL;
  options.peer.max_in_flight = max_in_flight;
  options.websocket.max_unsent_bytes = max_unsent;
  link_open(s, &options);
}

#define ASKED(id) "{\"jsonrpc\":\"2.0\",\"id\":" #id ",.."

/* They are refused and wait as others do. */
TEST_CASE(large_ones_keep_to_the_rules) {
  uvow_reconnect_options_t reconnect;
  script_t s;
  start_large(&s, &reconnect, 2, LARGE);
  script_mark_t a = script_mark(&s, "a");
  script_watch(script_request(&s, "m", large(']')), &a);
  script_turns(&s);
  script_expect(&s, "a!EOVERLOAD:NOT"); /* with its envelope */
  script_end(&s);
  start_large(&s, &reconnect, 2, 0);
  a = script_mark(&s, "a");
  script_watch(script_request(&s, "m", large('}')), &a);
  script_turns(&s);
  script_expect(&s, "a!EINVAL:NOT");
  for (int i = 0; i < 3; i++) /* the last one has to wait */
    script_watch(script_request(&s, "m", large(']')), &a);
  script_turns(&s);
  script_expect(&s, ASKED(2) " " ASKED(3));
  assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_raw(large(']'))),
                   0);
  script_turns(&s);
  script_expect(&s, "");
  link_answer(&s, 2);
  script_turns(&s);
  script_expect(&s, "a=2 " ASKED(4) " {\"jsonrpc\":\"2.0\",\"method..");
  link_answer(&s, 3);
  link_answer(&s, 4);
  script_turns(&s);
  script_expect(&s, "a=3 a=4");
  script_end(&s);
}

/* What may be sent again is kept, however large. */
TEST_CASE(large_ones_are_sent_again) {
  uvow_reconnect_options_t reconnect;
  uvow_request_options_t again = {.size = sizeof(again), .idempotent = 1};
  script_t s;
  start_large(&s, &reconnect, 0, 0);
  script_mark_t a = script_mark(&s, "a");
  script_watch(
      uvow_peer_request_with(s.client, "m", uvow_value_raw(large(']')), &again),
      &a);
  script_turns(&s);
  script_expect(&s, ASKED(1));
  script_hang_up(&s, UV_ECONNRESET);
  link_again(&s);
  script_turns(&s);
  script_expect(&s, ASKED(1));
  link_answer(&s, 1);
  script_turns(&s);
  script_expect(&s, "a=1");
  script_end(&s);
}

/* ---- what comes of handing it over ---- */

TEST_CASE(a_lost_connection_is_waited_for_and_a_refusal_is_not) {
  script_t s;
  start(&s, NULL);
  open_it(&s);
  assert_true(uvow__outbox_is_over(s.client, 0));
  assert_true(uvow__outbox_is_over(s.client, UVOW_ENOMEM));
  assert_false(uvow__outbox_is_over(s.client, UVOW_ELOST));
  /* No room, though all of it is free: there never is. */
  assert_true(uvow__outbox_is_over(s.client, UVOW_EOVERLOAD));
  s.block = 1;
  assert_int_equal(send_text(&s, "1"), 0);
  assert_false(uvow__outbox_is_over(s.client, UVOW_EOVERLOAD));
  s.block = 0;
  script_unblock(&s);
  script_end(&s);
}

/* What concerns this connection only doesn't wait for another. */
TEST_CASE(aside_is_now_or_never) {
  script_t s;
  uvow__op_t op = {0};
  op.kind = UVOW__OP_NOTIFY;
  op.method = slice("n");
  start(&s, NULL);
  assert_int_equal(uvow__outbox_send_first(s.client, &op, NULL), UVOW_ELOST);
  uvow__outbox_send_aside(s.client, &op);
  assert_int_equal(waiting(&s), 0);
  open_it(&s);
  script_expect_sent(&s, "");
  uvow__outbox_send_aside(s.client, &op);
  assert_int_equal(uvow__outbox_send_first(s.client, &op, NULL), 0);
  script_turns(&s);
  script_expect_sent(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"n\"}");
  script_expect_sent(&s, "{\"jsonrpc\":\"2.0\",\"method\":\"n\"}");
  script_end(&s);
}

TEST_MODULE(outbox) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(who_never_has_to_wait_has_none),
      cmocka_unit_test(it_waits_for_the_connection_in_order),
      cmocka_unit_test(it_leaves_in_the_order_in_which_it_came),
      cmocka_unit_test(what_waits_is_bounded_in_number),
      cmocka_unit_test(what_waits_is_bounded_in_bytes),
      cmocka_unit_test(requests_wait_for_their_turn),
      cmocka_unit_test(what_is_given_up_goes_when_it_is_most),
      cmocka_unit_test(large_ones_keep_to_the_rules),
      cmocka_unit_test(large_ones_are_sent_again),
      cmocka_unit_test(clear_leaves_nothing),
      cmocka_unit_test(a_lost_connection_is_waited_for_and_a_refusal_is_not),
      cmocka_unit_test(aside_is_now_or_never),
  };
  return cmocka_run_group_tests_name("rpc/outbox", tests, NULL, NULL);
}
