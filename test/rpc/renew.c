#include "rpc/peer.h"

#include "support/link.h"

#include <stdio.h>

typedef struct plan {
  script_t *s;
  struct {
    const char *url;
    const uvow_header_t *headers;
    size_t header_count;
  } renewal;             /* the target that the callback sets, if any */
  int code;              /* what it answers, but for 0 */
  uvow_future_t *future; /* the same: taken; or NULL */
  int calls;
  uint32_t attempt;
  void (*act)(struct plan *plan);
  script_mark_t mark;
} plan_t;

static uvow_next_t on_renew(uvow_peer_t *client, uint32_t attempt, void *data) {
  script_t *s = (script_t *)data;
  plan_t *plan = (plan_t *)s->extra;
  uvow_future_t *future = plan->future;
  assert_true(client == s->client);
  plan->calls++;
  plan->attempt = attempt;
  plan->future = NULL;
  if (plan->renewal.url || plan->renewal.headers)
    uvow_peer_set_target(client, plan->renewal.url, plan->renewal.headers,
                         plan->renewal.header_count);
  if (plan->act)
    plan->act(plan);
  if (future)
    return uvow_next_future(future);
  return plan->code ? uvow_next_code(plan->code, NULL) : uvow_next_pass();
}

static void begin(script_t *s, plan_t *plan, test_connect_t *options,
                  uvow_reconnect_options_t *reconnect) {
  memset(plan, 0, sizeof(*plan));
  script_init(s);
  script_drive_clock(s);
  plan->s = s;
  plan->mark = script_mark(s, "closed");
  s->extra = plan;
  *options = link_options(s, reconnect);
  options->peer.renew = on_renew;
}

/* A client whose connection is open and proven. */
static void open_and_prove(script_t *s, plan_t *plan,
                           const test_connect_t *options) {
  link_open(s, options);
  link_prove(s);
  plan->calls = 0;
}

/* The handshake that the client writes now, as text. */
static const char *read_handshake(script_t *s) {
  s->sent_len = s->sent_at = 0;
  script_connected(s);
  s->sent = (uint8_t *)realloc(s->sent, s->sent_len + 1);
  assert_non_null(s->sent);
  s->sent[s->sent_len] = '\0';
  return (const char *)s->sent;
}

#define expect_in(text, part) assert_non_null(strstr((text), (part)))
#define expect_not_in(text, part) assert_null(strstr((text), (part)))

TEST_CASE(test_a_new_url_and_headers_are_used) {
  script_t s;
  plan_t plan;
  test_connect_t options;
  uvow_reconnect_options_t reconnect;
  uvow_header_t first = {sizeof(uvow_header_t), "Authorization", "old"};
  char value[16] = "new";
  char url[64] = "ws://other:77/path";
  uvow_header_t fresh = {sizeof(uvow_header_t), "Authorization", value};
  begin(&s, &plan, &options, &reconnect);
  options.websocket.headers = &first;
  options.websocket.header_count = 1;
  link_open(&s, &options);
  assert_int_equal(plan.calls, 1); /* for the first one too */
  assert_int_equal(plan.attempt, 1);
  plan.calls = 0;
  link_prove(&s);
  plan.renewal.url = url;
  plan.renewal.headers = &fresh;
  plan.renewal.header_count = 1;
  script_hang_up(&s, 0);
  link_wait(&s);
  assert_int_equal(plan.attempt, 1);
  snprintf(value, sizeof(value), "gone"); /* they were copied */
  snprintf(url, sizeof(url), "gone");
  const char *text = read_handshake(&s);
  expect_in(text, "GET /path HTTP/1.1\r\n");
  expect_in(text, "Host: other:77\r\n");
  expect_in(text, "Authorization: new\r\n");
  expect_not_in(text, "old");
  memset(&plan.renewal, 0, sizeof(plan.renewal)); /* as they are */
  script_hang_up(&s, UV_ECONNRESET);
  link_wait(&s);
  assert_int_equal(plan.attempt, 2);
  text = read_handshake(&s);
  expect_in(text, "Host: other:77\r\n");
  expect_in(text, "Authorization: new\r\n");
  plan.renewal.headers = &fresh; /* none */
  script_accept(&s);
  link_prove(&s);
  script_hang_up(&s, 0);
  link_wait(&s);
  assert_int_equal(plan.attempt, 1);
  expect_not_in(read_handshake(&s), "Authorization");
  s.log[0] = '\0';
  script_end(&s);
}

TEST_CASE(test_set_target_is_for_the_next_attempt) {
  script_t s;
  plan_t plan;
  test_connect_t options;
  uvow_reconnect_options_t reconnect;
  uvow_header_t header = {sizeof(uvow_header_t), "X-Token", "t2"};
  uvow_header_t nameless = {sizeof(uvow_header_t), NULL, "t2"};
  begin(&s, &plan, &options, &reconnect);
  options.peer.renew = NULL;
  link_open(&s, &options);
  assert_int_equal(uvow_peer_set_target(s.client, "ws://b/", &header, 1), 0);
  assert_int_equal(uvow_peer_set_target(s.client, NULL, NULL, 0), 0);
  assert_int_equal(uvow_peer_set_target(s.client, "ws://c/", &nameless, 1),
                   UVOW_EINVAL);
  assert_int_equal(uvow_peer_set_target(NULL, "ws://c/", NULL, 0), UVOW_EINVAL);
  script_hang_up(&s, 0);
  link_wait(&s);
  const char *text = read_handshake(&s);
  expect_in(text, "Host: b\r\n");
  expect_in(text, "X-Token: t2\r\n");
  s.log[0] = '\0';
  script_end(&s);
}

/* The callback's error is the attempt's; the next one comes after a pause. */
TEST_CASE(test_an_error_fails_the_attempt) {
  script_t s;
  plan_t plan;
  test_connect_t options;
  uvow_reconnect_options_t reconnect;
  begin(&s, &plan, &options, &reconnect);
  reconnect.max_attempts = 3;
  open_and_prove(&s, &plan, &options);
  script_mark_t a = script_mark(&s, "a");
  plan.code = UV_EACCES;
  script_hang_up(&s, 0);
  script_call(&s, "m", &a);
  while (plan.calls < 2)
    script_advance(&s, 1);
  assert_int_equal(plan.attempt, 2);
  assert_int_equal(s.connects, 1);
  script_expect(&s,
                "state:WAITING!ELOST state:CONNECTING "
                "state:WAITING!EACCES state:CONNECTING "
                "state:WAITING!EACCES");
  plan.code = 1; /* no error code */
  while (plan.calls < 3)
    script_advance(&s, 1);
  script_expect(&s, "state:CONNECTING a!EINVAL:NOT state:CLOSED!EINVAL");
  script_advance(&s, 1000);
  assert_int_equal(plan.calls, 3);
  script_end(&s);
}

TEST_CASE(test_a_bad_new_url_fails_the_attempt) {
  script_t s;
  plan_t plan;
  test_connect_t options;
  uvow_reconnect_options_t reconnect;
  uvow_header_t host = {sizeof(uvow_header_t), "Host", "x"};
  uvow_header_t nameless = {sizeof(uvow_header_t), NULL, "x"};
  begin(&s, &plan, &options, &reconnect);
  open_and_prove(&s, &plan, &options);
  plan.renewal.url = "http://x";
  script_hang_up(&s, 0);
  while (plan.calls < 1)
    script_advance(&s, 1);
  plan.renewal.url = "ws://x/";
  plan.renewal.headers = &host; /* ours to send */
  plan.renewal.header_count = 1;
  while (plan.calls < 2)
    script_advance(&s, 1);
  plan.renewal.headers = &nameless;
  while (plan.calls < 3)
    script_advance(&s, 1);
  assert_int_equal(s.connects, 1);
  plan.renewal.headers = NULL;
  s.log[0] = '\0';
  /* The headers of the second attempt are still there, and still wrong. */
  assert_int_equal(uvow_peer_set_target(s.client, NULL, &nameless, 0), 0);
  link_again(&s);
  script_expect(&s, "state:CONNECTING state:OPEN");
  script_end(&s);
}

static void act_free(plan_t *plan) {
  uvow_peer_t *client = plan->s->client;
  plan->s->client = NULL;
  uvow_peer_unref(client);
}

static void act_close(plan_t *plan) {
  script_watch(uvow_peer_close(plan->s->client), &plan->mark);
}

static void act_free_and_fail(plan_t *plan) {
  plan->code = UV_ECANCELED;
  act_free(plan);
}

/* As in all callbacks, whatever it then returns. */
TEST_CASE(test_it_may_free_the_client) {
  for (int i = 0; i < 2; i++) {
    script_t s;
    plan_t plan;
    test_connect_t options;
    uvow_reconnect_options_t reconnect;
    begin(&s, &plan, &options, &reconnect);
    open_and_prove(&s, &plan, &options);
    script_mark_t a = script_mark(&s, "a");
    plan.act = i ? act_free_and_fail : act_free;
    plan.renewal.url = "ws://x/";
    script_hang_up(&s, 0);
    script_call(&s, "m", &a);
    while (plan.calls < 1)
      script_advance(&s, 1);
    script_advance(&s, 1000);
    assert_int_equal(s.connects, 1);
    script_expect(&s, "state:WAITING!ELOST a!ECLOSED:NOT");
    script_end(&s);
  }
}

/* A clean stop: what is queued is told, no attempt follows. */
TEST_CASE(test_it_may_close_the_client) {
  script_t s;
  plan_t plan;
  test_connect_t options;
  uvow_reconnect_options_t reconnect;
  begin(&s, &plan, &options, &reconnect);
  open_and_prove(&s, &plan, &options);
  script_mark_t a = script_mark(&s, "a");
  plan.act = act_close;
  script_hang_up(&s, 0);
  script_call(&s, "m", &a);
  while (plan.calls < 1)
    script_advance(&s, 1);
  script_advance(&s, 1000);
  assert_int_equal(s.connects, 1);
  assert_int_equal(plan.mark.calls, 1);
  assert_int_equal(a.calls, 1);
  expect_in(s.log, "a!ECLOSED:NOT");
  expect_in(s.log, "state:CLOSED");
  s.log[0] = '\0';
  script_end(&s);
}

/* Close in a pause: at once, with what is queued, and no attempt follows. */
TEST_CASE(test_close_in_a_pause_is_at_once) {
  script_t s;
  plan_t plan;
  test_connect_t options;
  uvow_reconnect_options_t reconnect;
  begin(&s, &plan, &options, &reconnect);
  open_and_prove(&s, &plan, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  link_call_idempotent(&s, "sent", &b);
  script_turns(&s);
  script_hang_up(&s, 0);
  script_call(&s, "queued", &a);
  assert_int_equal(uvow_peer_notify(s.client, "n", uvow_value_none()), 0);
  script_turns(&s);
  script_expect(&s, "state:WAITING!ELOST");
  script_watch(uvow_peer_close(s.client), &plan.mark);
  script_turns(&s);
  script_expect(&s,
                "state:CLOSING b!ECLOSED:MAYBE a!ECLOSED:NOT "
                "state:CLOSED closed=");
  script_advance(&s, 100000);
  assert_int_equal(s.connects, 1);
  assert_int_equal(plan.calls, 0);
  link_check_stats(&s);
  script_end(&s);
}

TEST_CASE(test_free_in_a_pause) {
  script_t s;
  plan_t plan;
  test_connect_t options;
  uvow_reconnect_options_t reconnect;
  begin(&s, &plan, &options, &reconnect);
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_hang_up(&s, 0);
  script_call(&s, "queued", &a);
  uvow_peer_unref(s.client);
  s.client = NULL;
  script_advance(&s, 100000);
  script_expect(&s, "state:WAITING!ELOST a!ECLOSED:NOT");
  assert_int_equal(s.connects, 1);
  script_end(&s); /* the pause holds the loop no more */
}

TEST_CASE(test_the_loop_closes_in_a_pause) {
  script_t s;
  plan_t plan;
  test_connect_t options;
  uvow_reconnect_options_t reconnect;
  begin(&s, &plan, &options, &reconnect);
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_hang_up(&s, 0);
  script_turns(&s);
  script_call(&s, "queued", &a);
  s.log[0] = '\0';
  script_quit(&s);
  expect_in(s.log, "a!ECLOSED:NOT");
  assert_int_equal(a.calls, 1);
  assert_int_equal(s.alloc->live, 0);
  free(s.own_alloc.allocator.data);
}

static void act_close_loop(plan_t *plan) {
  uvow_loop_close(plan->s->loop, NULL, NULL);
}

TEST_CASE(test_it_may_close_the_loop) {
  script_t s;
  plan_t plan;
  test_connect_t options;
  uvow_reconnect_options_t reconnect;
  begin(&s, &plan, &options, &reconnect);
  open_and_prove(&s, &plan, &options);
  plan.act = act_close_loop;
  script_hang_up(&s, 0);
  while (plan.calls < 1)
    script_advance(&s, 1);
  uvow_peer_unref(s.client);
  s.loop = NULL;
  script_quit(&s);
  assert_int_equal(plan.calls, 1);
  assert_int_equal(s.alloc->live, 0);
  free(s.own_alloc.allocator.data);
}

/* E2: a pause holds the loop as an open connection does, and lets it go as
 * that does; a client that is held again holds it again. */
TEST_CASE(test_a_pause_holds_the_loop_until_unref) {
  script_t s;
  plan_t plan;
  test_connect_t options;
  uvow_reconnect_options_t reconnect;
  begin(&s, &plan, &options, &reconnect);
  link_open(&s, &options);
  script_hang_up(&s, 0);
  script_turns(&s);
  assert_true(uv_loop_alive(&s.uv));
  assert_int_equal(s.loop->rt.holds, 1);
  uvow_peer_hold_loop(s.client, 0);
  uvow_peer_hold_loop(s.client, 0);
  assert_int_equal(s.loop->rt.holds, 0);
  script_turns(&s);
  assert_false(uv_run(&s.uv, UV_RUN_DEFAULT));
  uvow_peer_hold_loop(s.client, 1);
  uvow_peer_hold_loop(s.client, 1);
  assert_int_equal(s.loop->rt.holds, 1);
  script_turns(&s);
  assert_true(uv_loop_alive(&s.uv));
  uvow_peer_hold_loop(s.client, 0);
  link_again(&s); /* whoever runs the loop on gets a connection all the same */
  assert_int_equal(s.held, 0);
  script_hang_up(&s, 0);
  script_turns(&s);
  assert_int_equal(s.loop->rt.holds, 0);
  assert_false(uv_run(&s.uv, UV_RUN_DEFAULT));
  s.log[0] = '\0';
  script_end(&s);
}

/* R4: the deadline doesn't stop while there is no connection. */
TEST_CASE(test_a_deadline_expires_in_a_pause) {
  script_t s;
  plan_t plan;
  test_connect_t options;
  uvow_reconnect_options_t reconnect;
  begin(&s, &plan, &options, &reconnect);
  options.peer.timeout_ms = 50;
  reconnect.base_ms = reconnect.max_ms = 100000;
  s.loop->rt.rng = 1;
  link_open(&s, &options);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  link_call_idempotent(&s, "sent", &a);
  script_turns(&s);
  script_hang_up(&s, 0);
  script_call(&s, "queued", &b);
  script_turns(&s);
  script_advance(&s, 51);
  assert_int_equal(s.connects, 1);
  script_expect(&s, "state:WAITING!ELOST a!ETIMEDOUT:MAYBE b!ETIMEDOUT:NOT");
  script_advance(&s, 100000);
  link_up(&s);
  script_expect_sent(&s, "");
  script_expect(&s, "state:CONNECTING state:OPEN");
  link_check_stats(&s);
  script_end(&s);
}

TEST_MODULE(renew) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_new_url_and_headers_are_used),
      cmocka_unit_test(test_set_target_is_for_the_next_attempt),
      cmocka_unit_test(test_an_error_fails_the_attempt),
      cmocka_unit_test(test_a_bad_new_url_fails_the_attempt),
      cmocka_unit_test(test_it_may_free_the_client),
      cmocka_unit_test(test_it_may_close_the_client),
      cmocka_unit_test(test_it_may_close_the_loop),
      cmocka_unit_test(test_close_in_a_pause_is_at_once),
      cmocka_unit_test(test_free_in_a_pause),
      cmocka_unit_test(test_the_loop_closes_in_a_pause),
      cmocka_unit_test(test_a_pause_holds_the_loop_until_unref),
      cmocka_unit_test(test_a_deadline_expires_in_a_pause),
  };
  return cmocka_run_group_tests_name("rpc/renew", tests, NULL, NULL);
}
