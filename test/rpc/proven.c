/* R7: attempts, pauses and resends are bounded by what has proven itself. */
#include "rpc/peer.h"

#include "support/link.h"

#include <stdio.h>

typedef struct world {
  script_t s;
  test_connect_t options;
  uvow_reconnect_options_t reconnect;
  uvow_peer_state_t state; /* of the last change, and the rest of it */
  uint32_t attempt;
  uint64_t pause_ms;
  int changes;
  int renewals;
  uint32_t renew_attempt;
  uvow_promise_t *token; /* what renew waits for; NULL: nothing */
  int wait;
} world_t;

static void on_state(uvow_peer_t *client, const uvow_peer_change_t *change,
                     void *data) {
  world_t *w = (world_t *)((script_t *)data)->extra;
  (void)client;
  w->state = change->state;
  w->attempt = change->attempt;
  w->pause_ms = change->pause_ms;
  w->changes++;
}

static uvow_next_t on_renew(uvow_peer_t *client, uint32_t attempt, void *data) {
  world_t *w = (world_t *)((script_t *)data)->extra;
  (void)client;
  w->renewals++;
  w->renew_attempt = attempt;
  if (!w->wait)
    return uvow_next_pass();
  return uvow_next_future(uvow_promise_new(w->s.loop, &w->token));
}

static void begin(world_t *w) {
  memset(w, 0, sizeof(*w));
  script_init(&w->s);
  script_drive_clock(&w->s);
  w->options = link_options(&w->s, &w->reconnect);
  w->options.peer.on_state = on_state;
  w->options.peer.timeout_ms = UVOW_NO_TIMEOUT;
  w->s.extra = w;
}

static void start(world_t *w) {
  assert_int_equal(script_client(&w->s, &w->options), 0);
  script_turns(&w->s);
}

static void end(world_t *w) {
  w->s.log[0] = '\0';
  script_end(&w->s);
}

/* How the server ends a connection that it has accepted. */
enum { HANG_UP, RESET, CLOSE };

static void accept_and_end(world_t *w, int how, int code) {
  link_up(&w->s);
  if (how == CLOSE)
    script_close_frame(&w->s, code);
  script_hang_up(&w->s, how == RESET ? UV_ECONNRESET : 0);
  script_turns(&w->s);
}

/* The server answers the handshake with another status. */
static void refuse(world_t *w, int status, const char *more) {
  char text[200];
  script_connected(&w->s);
  snprintf(text, sizeof(text), "HTTP/1.1 %d No\r\n%sContent-Length: 0\r\n\r\n",
           status, more);
  script_feed(&w->s, text, strlen(text));
  script_turns(&w->s);
}

/* However it ends, one that opens and closes at once is an attempt that has
 * failed: as many as max_attempts, with pauses that grow. */
TEST_CASE(an_open_connection_proves_nothing) {
  static const int codes[] = {1000, 1001, 1011, 1012, 1013, 4000};
  for (size_t i = 0; i < 2 + sizeof(codes) / sizeof(*codes); i++) {
    world_t w;
    begin(&w);
    w.reconnect.max_attempts = 4;
    w.reconnect.max_ms = 80;
    w.reconnect.base_ms = 10;
    start(&w);
    for (uint32_t n = 1; n <= 4; n++) {
      if (n > 1)
        link_wait(&w.s);
      accept_and_end(&w, i < 2 ? (int)i : CLOSE, i < 2 ? 0 : codes[i - 2]);
      if (n == 4)
        break;
      assert_int_equal(w.state, UVOW_PEER_WAITING);
      assert_int_equal(w.attempt, n);
      assert_true(w.pause_ms <= (10u << (n - 1)));
    }
    assert_int_equal(w.state, UVOW_PEER_CLOSED);
    assert_int_equal(w.s.connects, 4);
    end(&w);
  }
}

TEST_CASE(total_time_runs_on_over_unproven_ones) {
  world_t w;
  begin(&w);
  w.reconnect.total_ms = 1000;
  start(&w);
  uint64_t begun = w.s.now_ns;
  while (w.state != UVOW_PEER_CLOSED) {
    if (w.s.stream)
      accept_and_end(&w, RESET, 0);
    else
      script_advance(&w.s, 1);
    assert_true(w.s.connects < 1000);
  }
  assert_in_range((w.s.now_ns - begun) / 1000000, 1000, 1002);
  end(&w);
}

/* An answer, also an error, proves it; events and time alone, for less than 5 s
 * or the last pause's bound, don't. */
TEST_CASE(what_proves_a_connection) {
  static const struct {
    const char *text; /* what the server says; NULL: nothing */
    uint64_t max_ms;
    unsigned life_ms;
    int proven;
  } rows[] = {
      {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}", 100, 0, 1},
      {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"\"}}",
       100, 0, 1},
      {"{\"jsonrpc\":\"2.0\",\"method\":\"e\"}", 100, 0, 0},
      {"{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":1}", 100, 0, 0},
      {"nonsense", 100, 0, 0},
      {NULL, 100, 4990, 0},
      {NULL, 100, 5010, 1},
      {NULL, 40000, 5010, 0},
      {NULL, 40000, 40010, 1},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    world_t w;
    begin(&w);
    w.reconnect.base_ms = w.reconnect.max_ms = rows[i].max_ms;
    start(&w);
    script_hang_up(&w.s, UV_ECONNREFUSED);
    script_turns(&w.s);
    script_advance(&w.s, rows[i].max_ms + 1);
    link_up(&w.s);
    script_mark_t a = script_mark(&w.s, "a");
    script_call(&w.s, "m", &a);
    script_turns(&w.s);
    if (rows[i].text)
      script_text(&w.s, rows[i].text);
    script_advance(&w.s, rows[i].life_ms);
    script_hang_up(&w.s, 0);
    script_turns(&w.s);
    assert_int_equal(w.state, UVOW_PEER_WAITING);
    assert_int_equal(w.attempt, rows[i].proven ? 0 : 2);
    end(&w);
  }
}

/* One idempotent request: sent once, and max_resends times again. */
TEST_CASE(resends_are_bounded) {
  static const uint32_t options[] = {0, 1, 3};
  for (size_t i = 0; i < 3; i++) {
    world_t w;
    uint32_t most = options[i] ? options[i] : 1;
    begin(&w);
    w.reconnect.max_resends = options[i];
    start(&w);
    link_up(&w.s);
    script_mark_t a = script_mark(&w.s, "a");
    link_call_idempotent(&w.s, "m", &a);
    script_turns(&w.s);
    for (uint32_t n = 0; n <= most; n++) {
      assert_int_equal(a.calls, 0);
      assert_int_equal(script_stats(&w.s).resent, n);
      script_hang_up(&w.s, UV_ECONNRESET);
      /* An attempt that fails sends nothing: it doesn't count. */
      link_wait(&w.s);
      script_hang_up(&w.s, UV_ECONNREFUSED);
      link_again(&w.s);
    }
    script_expect(&w.s, "a!ELOST:MAYBE");
    assert_int_equal(script_stats(&w.s).resent, most);
    end(&w);
  }
}

/* A close code that may be about a message of ours: none of those that were in
 * flight is sent again, what waited is. */
TEST_CASE(nothing_is_sent_again_after_a_complaint) {
  static const int codes[] = {1003, 1007, 1008, 1009, 1011};
  for (size_t i = 0; i < 5; i++) {
    world_t w;
    begin(&w);
    w.reconnect.max_resends = 5;
    w.options.peer.max_in_flight = 1;
    start(&w);
    link_up(&w.s);
    script_mark_t a = script_mark(&w.s, "a");
    script_mark_t b = script_mark(&w.s, "b");
    link_call_idempotent(&w.s, "m", &a);
    link_call_idempotent(&w.s, "n", &b);
    script_turns(&w.s);
    script_close_frame(&w.s, codes[i]);
    script_hang_up(&w.s, 0);
    script_turns(&w.s);
    script_expect(&w.s, codes[i] == 1011 ? "" : "a!ELOST:MAYBE");
    link_again(&w.s);
    script_expect_sent(&w.s, codes[i] == 1011
                                 ? "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
                                   "\"m\"}"
                                 : "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":"
                                   "\"n\"}");
    uvow_peer_unref(w.s.client);
    w.s.client = NULL;
    script_turns(&w.s);
    end(&w);
  }
}

typedef struct fatal {
  int status; /* of the handshake; 0: a close code */
  int code;
  int fatal;
} fatal_t;

static const fatal_t failures[] = {
    {400, 0, 1},  {401, 0, 1},  {404, 0, 1},  {407, 0, 1},  {408, 0, 0},
    {421, 0, 0},  {425, 0, 0},  {429, 0, 0},  {499, 0, 1},  {500, 0, 0},
    {503, 0, 0},  {302, 0, 0},  {0, 1000, 0}, {0, 1001, 0}, {0, 1002, 1},
    {0, 1008, 0}, {0, 1009, 0}, {0, 1010, 1}, {0, 1011, 0}, {0, 4000, 2},
    {0, 4999, 2},
};

static void fail_so(world_t *w, const fatal_t *failure) {
  if (failure->status)
    refuse(w, failure->status, "");
  else
    accept_and_end(w, CLOSE, failure->code);
}

/* Each failure, after_fatal, fatal_4xxx, before and after a proven connection:
 * it ends, or goes on; and with the longest pause after a fatal one. */
TEST_CASE(what_cannot_get_better) {
  for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
    for (int how = 0; how < 12; how++) {
      world_t w;
      int proven = how % 2;
      begin(&w);
      w.reconnect.base_ms = 1;
      w.reconnect.max_ms = 70;
      w.reconnect.after_fatal = (uvow_after_fatal_t)(how / 2 % 3);
      w.reconnect.fatal_4xxx = how / 6;
      start(&w);
      if (proven) {
        link_up(&w.s);
        link_prove(&w.s);
        script_hang_up(&w.s, 0);
        link_wait(&w.s);
      }
      fail_so(&w, &failures[i]);
      int fatal = failures[i].fatal == 1 ||
                  (failures[i].fatal == 2 && w.reconnect.fatal_4xxx);
      int ends =
          fatal &&
          (w.reconnect.after_fatal == UVOW_AFTER_FATAL_END ||
           (w.reconnect.after_fatal == UVOW_AFTER_FATAL_DEFAULT && !proven));
      assert_int_equal(w.state, ends ? UVOW_PEER_CLOSED : UVOW_PEER_WAITING);
      if (fatal && !ends)
        assert_int_equal(w.pause_ms, 70);
      else
        assert_true(w.pause_ms <= 2);
      end(&w);
    }
  }
}

/* What a protocol says of close codes, which another says nothing of. */
static const struct own_codes {
  const char *description; /* or the name of a built-in one */
  uint16_t final[12];
} own_codes[] = {
    {"jsonrpc2", {0}},
    {"graphql_transport_ws", {4400, 4401, 4406, 4409, 4429, 4500}},
    {"obs5",
     {4002, 4003, 4004, 4005, 4006, 4007, 4008, 4009, 4010, 4011, 4012}},
    {"{\"name\":\"x\",\"base\":\"jsonrpc2\","
     "\"closes\":{\"final\":[4000,4999,4001]}}",
     {4000, 4999, 4001}},
    {"{\"name\":\"x\",\"base\":\"obs5\",\"closes\":{\"final\":[4999]}}",
     {4999}},
    {"{\"name\":\"x\",\"base\":\"obs5\",\"closes\":{\"final\":[]}}", {0}},
    {"{\"name\":\"x\",\"base\":\"graphql_transport_ws\","
     "\"closes\":{\"early\":4402}}",
     {4400, 4401, 4406, 4409, 4429, 4500}},
};

static int is_final(const struct own_codes *own, int code) {
  size_t i = 0;
  while (i < 12 && own->final[i] != code)
    i++;
  return i < 12;
}

static uvow_protocol_t *protocol_of(const char *text) {
  if (*text == '{')
    return uvow_protocol_parse(text, strlen(text), NULL);
  return uvow_protocol_ref(
      (uvow_protocol_t *)(uintptr_t)uvow_protocol_by_name(text));
}

TEST_CASE(what_the_protocol_calls_final) {
  static const int codes[] = {4000, 4001, 4002, 4003, 4004, 4005, 4006,
                              4007, 4008, 4009, 4010, 4011, 4012, 4013,
                              4400, 4401, 4402, 4403, 4406, 4408, 4409,
                              4429, 4499, 4500, 4504, 4999};
  for (size_t i = 0; i < sizeof(own_codes) / sizeof(*own_codes); i++) {
    uvow_protocol_t *protocol = protocol_of(own_codes[i].description);
    for (size_t j = 0; j < sizeof(codes) / sizeof(*codes); j++) {
      world_t w;
      begin(&w);
      w.options.peer.protocol = protocol;
      start(&w);
      accept_and_end(&w, CLOSE, codes[j]);
      assert_int_equal(w.state, is_final(&own_codes[i], codes[j])
                                    ? UVOW_PEER_CLOSED
                                    : UVOW_PEER_WAITING);
      end(&w);
    }
    uvow_protocol_unref(protocol);
  }
}

/* A login that the protocol's server refuses. */
TEST_CASE(a_refused_opening_step_is_final) {
  for (int how = 0; how < 3; how++) {
    world_t w;
    begin(&w);
    w.reconnect.base_ms = 1;
    w.reconnect.max_ms = 70;
    w.reconnect.after_fatal = (uvow_after_fatal_t)how;
    w.options.peer.protocol = uvow_protocol_by_name("home_assistant");
    w.options.peer.vars = "{\"token\":\"T\"}";
    start(&w);
    link_up(&w.s);
    script_text(&w.s, "{\"type\":\"auth_required\"}");
    script_text(&w.s, "{\"type\":\"auth_invalid\",\"message\":\"no\"}");
    script_turns(&w.s);
    if (how == UVOW_AFTER_FATAL_GO_ON) {
      assert_int_equal(w.state, UVOW_PEER_WAITING);
      assert_int_equal(w.pause_ms, 70);
    } else {
      assert_int_equal(w.state, UVOW_PEER_CLOSED);
    }
    end(&w);
  }
}

/* 401 and 403 ask renew once more; then they are fatal. A connection that
 * proves itself begins anew. */
TEST_CASE(a_denial_asks_renew_once_more) {
  for (int status = 401; status <= 403; status += 2) {
    world_t w;
    begin(&w);
    w.options.peer.renew = on_renew;
    start(&w);
    for (int n = 1; n <= 2; n++) {
      assert_int_equal(w.renewals, n);
      assert_int_equal(w.renew_attempt, n);
      refuse(&w, status, "");
      if (n == 1)
        link_wait(&w.s);
    }
    assert_int_equal(w.state, UVOW_PEER_CLOSED);
    end(&w);
  }
}

TEST_CASE(a_proven_connection_clears_a_denial) {
  world_t w;
  begin(&w);
  w.options.peer.renew = on_renew;
  w.reconnect.after_fatal = UVOW_AFTER_FATAL_END;
  start(&w);
  for (int n = 0; n < 3; n++) {
    refuse(&w, 401, "");
    assert_int_equal(w.state, UVOW_PEER_WAITING);
    link_again(&w.s);
    link_prove(&w.s);
    script_hang_up(&w.s, 0);
    link_wait(&w.s);
    assert_int_equal(w.renew_attempt, 1);
  }
  end(&w);
}

TEST_CASE(retry_after_is_followed) {
  static const struct {
    const char *header;
    uint64_t most;  /* option; 0: default */
    uint64_t least; /* ms of pause */
  } rows[] = {
      {"Retry-After: 3\r\n", 0, 3000},
      {"Retry-After: 400\r\n", 0, 300000},
      {"Retry-After: 99999999999999999999999\r\n", 0, 300000},
      {"retry-after:  7 \r\n", 5000, 5000},
      {"Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", 0, 0},
      {"Retry-After: -1\r\n", 0, 0},
      {"", 0, 0},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    world_t w;
    begin(&w);
    w.reconnect.max_retry_after_ms = rows[i].most;
    start(&w);
    refuse(&w, 503, rows[i].header);
    assert_int_equal(w.state, UVOW_PEER_WAITING);
    assert_in_range(w.pause_ms, rows[i].least, rows[i].least + 100);
    if (w.pause_ms > 1) { /* at 0 and 1 it may be over already */
      script_advance(&w.s, w.pause_ms - 1);
      assert_int_equal(w.s.connects, 1);
    }
    script_advance(&w.s, 2);
    assert_int_equal(w.s.connects, 2);
    end(&w);
  }
}

/* renew's future is waited for, however it ends, and given up with the client.
 */
TEST_CASE(renew_may_answer_with_a_future) {
  world_t w;
  begin(&w);
  w.options.peer.renew = on_renew;
  w.wait = 1;
  start(&w);
  assert_int_equal(w.state, UVOW_PEER_CONNECTING);
  assert_int_equal(w.attempt, 1);
  assert_int_equal(w.s.connects, 0);
  script_advance(&w.s, 60000);
  assert_int_equal(w.s.connects, 0);
  assert_int_equal(uvow_peer_set_target(w.s.client, "ws://b/", NULL, 0), 0);
  uvow_promise_fulfill(w.token, uvow_value_int64(1));
  script_turns(&w.s);
  assert_int_equal(w.s.connects, 1);
  link_up(&w.s);
  script_hang_up(&w.s, 0);
  script_advance(&w.s, 101);
  uvow_promise_reject_code(w.token, UV_EACCES, "no token");
  script_turns(&w.s);
  assert_int_equal(w.s.connects, 1);
  assert_int_equal(w.state, UVOW_PEER_WAITING);
  assert_int_equal(w.attempt, 2);
  script_advance(&w.s, 101);
  /* What set_target refuses meanwhile fails it too. */
  assert_int_equal(uvow_peer_set_target(w.s.client, "http://b/", NULL, 0),
                   UVOW_ESCHEME);
  uvow_promise_fulfill(w.token, uvow_value_none());
  script_turns(&w.s);
  assert_int_equal(w.s.connects, 1);
  assert_int_equal(w.attempt, 3);
  script_advance(&w.s, 101);
  uvow_promise_fulfill(w.token, uvow_value_none());
  script_turns(&w.s);
  assert_int_equal(w.s.connects, 2);
  end(&w);
}

static void on_token_canceled(void *data) {
  script_log((script_t *)data, "token", " canceled");
}

TEST_CASE(a_pending_renewal_is_given_up) {
  for (int how = 0; how < 3; how++) {
    world_t w;
    begin(&w);
    w.options.peer.renew = on_renew;
    w.wait = 1;
    start(&w);
    uvow_promise_on_cancel(w.token, on_token_canceled, &w.s, NULL);
    if (how == 0) {
      uvow_future_detach(uvow_peer_close(w.s.client));
    } else if (how == 1) {
      uvow_peer_unref(w.s.client);
      w.s.client = NULL;
    } else {
      script_quit(&w.s);
    }
    if (how < 2)
      script_turns(&w.s);
    assert_non_null(strstr(w.s.log, "token canceled"));
    uvow_promise_drop(w.token);
    assert_int_equal(w.s.connects, 0);
    if (how < 2) {
      end(&w);
    } else {
      assert_int_equal(w.s.alloc->live, 0);
      free(w.s.own_alloc.allocator.data);
    }
  }
}

/* R2, R7: whatever fails while there's no connection has its last failure as
 * the cause, and says so. */
TEST_CASE(the_last_failure_is_the_cause) {
  world_t w;
  uvow_request_options_t soon = {.size = sizeof(soon), .timeout_ms = 50};
  begin(&w);
  w.reconnect.base_ms = w.reconnect.max_ms = 100000;
  w.options.peer.max_queued = 1;
  start(&w);
  refuse(&w, 503, "X-Why: busy\r\n");
  uvow_future_t *timed =
      uvow_peer_request_with(w.s.client, "m", uvow_value_none(), &soon);
  uvow_future_t *over = script_request(&w.s, "m", NULL);
  script_turns(&w.s);
  script_advance(&w.s, 51);
  uvow_future_t *both[] = {timed, over};
  int codes[] = {UVOW_ETIMEDOUT, UVOW_EOVERLOAD};
  for (int i = 0; i < 2; i++) {
    uvow_result_t result;
    assert_int_equal(uvow_future_peek(both[i], &result), 0);
    assert_int_equal(uvow_error_code(result.error), codes[i]);
    assert_int_equal(uvow_error_outcome(result.error), UVOW_NOT_SENT);
    assert_int_equal(uvow_error_code(uvow_error_cause(result.error)),
                     UVOW_EHANDSHAKE);
    assert_non_null(uvow_error_header(result.error, "X-Why", NULL));
    assert_non_null(strstr(uvow_error_message(result.error), "HTTP 503"));
    uvow_future_unref(both[i]);
  }
  w.s.unhandled[0] = '\0';
  /* Once it's open, a timeout is its own. */
  script_advance(&w.s, 100001);
  link_up(&w.s);
  timed = uvow_peer_request_with(w.s.client, "m", uvow_value_none(), &soon);
  script_turns(&w.s);
  script_advance(&w.s, 51);
  uvow_result_t result;
  assert_int_equal(uvow_future_peek(timed, &result), 0);
  assert_int_equal(uvow_error_code(result.error), UVOW_ETIMEDOUT);
  assert_null(uvow_error_cause(result.error));
  uvow_future_unref(timed);
  w.s.unhandled[0] = '\0';
  end(&w);
}

TEST_MODULE(proven) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_open_connection_proves_nothing),
      cmocka_unit_test(total_time_runs_on_over_unproven_ones),
      cmocka_unit_test(what_proves_a_connection),
      cmocka_unit_test(resends_are_bounded),
      cmocka_unit_test(nothing_is_sent_again_after_a_complaint),
      cmocka_unit_test(what_cannot_get_better),
      cmocka_unit_test(what_the_protocol_calls_final),
      cmocka_unit_test(a_refused_opening_step_is_final),
      cmocka_unit_test(a_denial_asks_renew_once_more),
      cmocka_unit_test(a_proven_connection_clears_a_denial),
      cmocka_unit_test(retry_after_is_followed),
      cmocka_unit_test(renew_may_answer_with_a_future),
      cmocka_unit_test(a_pending_renewal_is_given_up),
      cmocka_unit_test(the_last_failure_is_the_cause),
  };
  return cmocka_run_group_tests_name("rpc/proven", tests, NULL, NULL);
}
