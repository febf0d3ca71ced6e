/* Opening steps and heartbeats of a session: what is said, in what order, and
 * how it fails. */
#include "rpc/session.h"

#include "support/script.h"

#include <stdio.h>

typedef struct opening {
  script_t s;
  uvow__session_t session;
  uvow__dispatcher_t dispatcher;
  uvow__channel_t *own;
  uvow__channel_t *other;
  char heard[2000];
} opening_t;

static opening_t *of(uvow__session_t *session) {
  return UVOW__CONTAINER(session, opening_t, session);
}

/* ---- the other end ---- */

static void hear(void *ctx, int opcode, const uint8_t *bytes, size_t len,
                 uvow__buf_t *whole) {
  opening_t *x = (opening_t *)ctx;
  size_t at = strlen(x->heard);
  (void)whole;
  assert_int_equal(opcode, 1);
  snprintf(x->heard + at, sizeof(x->heard) - at, "%s%.*s", at ? " " : "",
           (int)len, (const char *)bytes);
}
static void nothing(void *ctx) {
  (void)ctx;
}
static void nobody_closes(void *ctx, const uvow_error_t *why) {
  (void)ctx;
  (void)why;
}
static void ended(void *ctx, uvow_error_t *error) {
  (void)ctx;
  uvow_error_unref(error);
}
static const uvow__channel_callbacks_t other_callbacks = {
    nothing, hear, nobody_closes, nothing, ended, NULL};

/* ---- the session ---- */

static void on_message(void *ctx, int opcode, const uint8_t *bytes, size_t len,
                       uvow__buf_t *whole) {
  uvow__session_message(&((opening_t *)ctx)->session, opcode, bytes, len,
                        whole);
}
static const uvow__channel_callbacks_t own_callbacks = {
    nothing, on_message, nobody_closes, nothing, ended, NULL};

static void on_stray(uvow__session_t *session, uvow_stray_t stray,
                     uvow__slice_t bytes, const uvow_error_t *error) {
  char text[200];
  uvow__msg_t msg = {0};
  (void)error;
  if (stray == UVOW_STRAY_EVENT &&
      uvow__protocol_decode(session->callee.protocol, bytes.ptr, bytes.len,
                            &msg) == 0)
    bytes = msg.name;
  snprintf(text, sizeof(text), "%.*s", (int)bytes.len, bytes.ptr);
  script_log(&of(session)->s,
             stray == UVOW_STRAY_EVENT ? "event:" : "stray:", text);
}
static int wants_strays(uvow__session_t *session) {
  (void)session;
  return 1;
}
static void on_paid(uvow__session_t *session) {
  (void)session;
}
static void on_session_end(uvow__session_t *session, uvow__slice_t raw_id) {
  (void)session;
  (void)raw_id;
}
static int on_session_event(uvow__session_t *session, const uvow__msg_t *msg,
                            uvow__slice_t bytes) {
  (void)session, (void)msg, (void)bytes;
  return 0;
}
static void on_open(uvow__session_t *session) {
  assert_false(uvow__session_is_opening(session));
  script_log(&of(session)->s, "open", "");
}
static void on_unopened(uvow__session_t *session, uvow_error_t *error) {
  char text[400];
  snprintf(text, sizeof(text), "%s(%s)",
           uvow_err_name(uvow_error_code(error)) + 5,
           uvow_error_message(error));
  uvow_error_unref(error);
  uvow__session_stop(session);
  script_log(&of(session)->s, "failed:", text);
}
static const uvow__session_hooks_t session_hooks = {
    on_stray,         wants_strays, on_paid, on_session_end,
    on_session_event, on_open,      NULL,    on_unopened};

static void idle(uvow__callee_t *callee) {
  (void)callee;
}
static void sent(uvow__callee_t *callee, uvow__op_kind_t kind) {
  (void)callee;
  (void)kind;
}
static void failed(uvow__callee_t *callee, int code) {
  (void)callee;
  (void)code;
}
static uvow_peer_t *no_peer(uvow__callee_t *callee) {
  (void)callee;
  return NULL;
}
static const uvow__callee_hooks_t callee_hooks = {idle, sent, failed, no_peer};

/* ---- a test ---- */

static void prepare(opening_t *x, const uvow_protocol_t *protocol) {
  memset(x, 0, sizeof(*x));
  script_init(&x->s);
  script_drive_clock(&x->s);
  uvow__dispatcher_init(&x->dispatcher, &x->s.loop->rt, 100);
  uvow__callee_init(&x->session.callee, x->s.loop, protocol, NULL,
                    &callee_hooks);
  uvow__session_init(&x->session, &x->dispatcher, &session_hooks);
  assert_int_equal(
      uvow__channel_pair(x->s.loop, 100000, 100000, &x->own, &x->other), 0);
  uvow__channel_tell(x->own, &own_callbacks, x);
  uvow__channel_tell(x->other, &other_callbacks, x);
}

static int prepare_session(opening_t *x, const char *vars,
                           const char **ret_missing) {
  uvow__opening_plan_t plan = {vars, 5000, 0, 0};
  return uvow__session_prepare(&x->session, &plan, ret_missing);
}

static void start(opening_t *x, const char *name, const char *vars) {
  const char *missing;
  prepare(x, uvow_protocol_by_name(name));
  assert_int_equal(prepare_session(x, vars, &missing), 0);
  assert_null(missing);
  x->session.callee.channel = x->own;
  uvow__session_open(&x->session);
  script_turns(&x->s);
}

static void finish(opening_t *x) {
  uvow__error_spec_t spec = {0};
  spec.code = UVOW_ECLOSED;
  uvow__session_stop(&x->session);
  uvow__dispatcher_fail_all(&x->dispatcher, &spec);
  script_turns(&x->s);
  x->own->ops->drop(x->own);
  x->other->ops->drop(x->other);
  uvow__session_done(&x->session);
  uvow__callee_done(&x->session.callee);
  uvow__dispatcher_done(&x->dispatcher);
  x->s.log[0] = '\0';
  script_end(&x->s);
}

static void say(opening_t *x, const char *text) {
  uvow__splice_t message = {{text, strlen(text)}, {NULL, 0}, 0, NULL};
  assert_int_equal(uvow__channel_send(x->other, 1, &message), 0);
  script_turns(&x->s);
}

static void expect_heard(opening_t *x, const char *text) {
  assert_string_equal(x->heard, text);
  x->heard[0] = '\0';
}

TEST_CASE(test_none) {
  opening_t x;
  start(&x, "jsonrpc2", NULL);
  script_expect(&x.s, "open");
  expect_heard(&x, "");
  finish(&x);
}

TEST_CASE(test_in_order) {
  opening_t x;
  start(&x, "graphql_transport_ws", "{\"secret\": {\"t\": \"a\\\"b\"}}");
  expect_heard(&x,
               "{\"type\":\"connection_init\",\"payload\":{\"t\": "
               "\"a\\\"b\"}}");
  assert_true(uvow__session_is_opening(&x.session));
  script_expect(&x.s, "");
  /* Another message is read as ever. */
  say(&x, "{\"type\":\"ping\"}");
  expect_heard(&x, "{\"type\":\"pong\"}");
  say(&x, "{\"type\":\"odd\"}");
  script_expect(&x.s, "stray:{\"type\":\"odd\"}");
  say(&x, "{\"type\":\"connection_ack\"}");
  script_expect(&x.s, "open");
  say(&x, "{\"type\":\"connection_ack\"}"); /* it isn't expected any more */
  script_expect(&x.s, "stray:{\"type\":\"connection_ack\"}");
  finish(&x);
}

TEST_CASE(test_refused) {
  opening_t x;
  start(&x, "home_assistant", "{\"token\":\"T\"}");
  expect_heard(&x, "");
  say(&x, "{\"type\":\"auth_required\"}");
  expect_heard(&x, "{\"type\":\"auth\",\"access_token\":\"T\"}");
  say(&x, "{\"type\":\"auth_invalid\",\"message\":\"no \\\"entry\\\"\"}");
  script_expect(&x.s,
                "failed:EREMOTE(opening step 3 of 3 of home_assistant was "
                "refused: no \"entry\")");
  finish(&x);
}

TEST_CASE(test_too_late) {
  opening_t x;
  start(&x, "home_assistant", "{\"token\":\"T\"}");
  script_advance(&x.s, 4000);
  say(&x, "{\"type\":\"auth_required\"}");
  script_advance(&x.s, 4000); /* each step has its own time */
  script_expect(&x.s, "");
  script_advance(&x.s, 1001);
  script_turns(&x.s);
  script_expect(&x.s,
                "failed:ETIMEDOUT(opening step 3 of 3 of home_assistant "
                "waits for what doesn't come)");
  say(&x, "{\"type\":\"auth_ok\"}");
  finish(&x);
}

TEST_CASE(test_again) {
  opening_t x;
  start(&x, "home_assistant", "{\"token\":\"T\"}");
  say(&x, "{\"type\":\"auth_required\"}");
  uvow__session_stop(&x.session);
  script_advance(&x.s, 60000);
  x.session.callee.channel = x.own;
  x.heard[0] = '\0';
  uvow__session_open(&x.session);
  script_turns(&x.s);
  expect_heard(&x, "");
  say(&x, "{\"type\":\"auth_required\"}");
  say(&x, "{\"type\":\"auth_ok\"}");
  script_expect(&x.s, "open");
  finish(&x);
}

#define HELLO                                                                  \
  "{\"op\":0,\"d\":{\"authentication\":{\"challenge\":"                        \
  "\"+IxH4CnCiqpX1rM9scsNynZzbOe4KhDeYcTNS3PDaeY=\",\"salt\":"                 \
  "\"lM1GncleQOaCu9lT1yeUZhFYnqhsLLP1G5lAGo3ixaI=\"}}}"

/* The example of obs-websocket's documentation. */
TEST_CASE(test_obs) {
  opening_t x;
  start(&x, "obs5", "{\"password\":\"supersecretpassword\",\"events\":5}");
  say(&x, HELLO);
  expect_heard(&x,
               "{\"op\":1,\"d\":{\"rpcVersion\":1,\"authentication\":"
               "\"1Ct943GAT+6YQUUX47Ia/ncufilbe6+oD6lY+5kaCu4=\","
               "\"eventSubscriptions\":5}}");
  say(&x, "{\"op\":2,\"d\":{\"negotiatedRpcVersion\":1}}");
  script_expect(&x.s, "open");
  finish(&x);
  start(&x, "obs5", NULL); /* no password is asked for */
  say(&x, "{\"op\":0,\"d\":{\"rpcVersion\":1}}");
  expect_heard(&x, "{\"op\":1,\"d\":{\"rpcVersion\":1}}");
  finish(&x);
  start(&x, "obs5", NULL);
  say(&x, HELLO);
  script_expect(&x.s,
                "failed:EINVAL(opening step 1 of 3 of obs5 asks for what "
                "isn't in vars)");
  finish(&x);
}

#define CHALLENGE "\"challenge\":\"{\\\"nonce\\\":\\\"LHRTC9zeOIrt_9U3\\\"}\""

TEST_CASE(test_wamp) {
  opening_t x;
  start(&x, "wamp2",
        "{\"realm\":\"r\",\"authmethods\":[\"wampcra\",\"ticket\"],\"authid\":"
        "\"joe\",\"secret\":\"secret\",\"ticket\":\"T\"}");
  assert_non_null(
      strstr(x.heard,
             ",\"authmethods\":[\"wampcra\",\"ticket\"],\"authid\":\"joe\"}]"));
  x.heard[0] = '\0';
  say(&x, "[4,\"ticket\",{}]");
  expect_heard(&x, "[5,\"T\",{}]");
  say(&x, "[4,\"wampcra\",{" CHALLENGE "}]");
  expect_heard(&x, "[5,\"UDynXhCmhKNkLG+P45ifr4Y+2ZP3+HHRBj9o6AD76xA=\",{}]");
  say(&x, "[4,\"wampcra\",{" CHALLENGE
          ",\"salt\":\"salt123\",\"iterations\":100,\"keylen\":32}]");
  expect_heard(&x, "[5,\"L7BgyMB6WvrQ1JYQw7XcLmJdD6wcMlAtCBwea3jPGKY=\",{}]");
  say(&x, "[2,5,{}]");
  script_expect(&x.s, "open");
  finish(&x);
  start(&x, "wamp2", "{\"realm\":\"r\"}");
  say(&x, "[4,\"ticket\",{}]");
  script_expect(&x.s,
                "failed:EINVAL(opening step 2 of 2 of wamp2 can't be "
                "answered: $ticket isn't set)");
  finish(&x);
  start(&x, "wamp2", "{\"realm\":\"r\",\"secret\":\"s\"}");
  say(&x, "[4,\"wampcra\",{" CHALLENGE
          ",\"salt\":\"x\",\"iterations\":100000000}]");
  script_expect(&x.s,
                "failed:EINVAL(opening step 2 of 2 of wamp2 asks for what "
                "isn't in vars)");
  finish(&x);
}

/* A refusal of many words isn't repeated. */
TEST_CASE(test_many_words) {
  char text[300];
  opening_t x;
  start(&x, "home_assistant", "{\"token\":\"T\"}");
  say(&x, "{\"type\":\"auth_required\"}");
  snprintf(text, sizeof(text),
           "{\"type\":\"auth_invalid\",\"message\":\"%0120d\"}", 1);
  say(&x, text);
  script_expect(&x.s,
                "failed:EREMOTE(opening step 3 of 3 of home_assistant was "
                "refused: )");
  finish(&x);
}

/* A message without what a step picks isn't the one that it waits for. */
TEST_CASE(test_nothing_to_pick) {
  static const char text[] =
      "{\"name\":\"picks\",\"open\":[{\"expect\":{\"/hi\":true},\"pick\":{"
      "\"it\":\"/it\"}},{\"send\":{\"it\":\"$it\"}}],\"call\":{\"id\":\"$id\","
      "\"m\":\"$method\"},\"rules\":[{\"is\":\"ok\",\"id\":\"/id\"}]}";
  for (int has = 0; has < 2; has++) {
    opening_t x;
    const char *missing;
    uvow_protocol_t *protocol = uvow_protocol_parse(text, strlen(text), NULL);
    assert_non_null(protocol);
    prepare(&x, protocol);
    assert_int_equal(prepare_session(&x, NULL, &missing), 0);
    x.session.callee.channel = x.own;
    uvow__session_open(&x.session);
    say(&x, has ? "{\"hi\":1,\"it\":2}" : "{\"hi\":1}");
    script_expect(&x.s, has ? "open" : "stray:{\"hi\":1}");
    assert_int_equal(uvow__session_is_opening(&x.session), !has);
    expect_heard(&x, has ? "{\"it\":2}" : "");
    finish(&x);
    uvow_protocol_unref(protocol);
  }
}

static void start_server(opening_t *x, const char *name, const char *vars) {
  uvow__opening_plan_t plan = {vars, 5000, 1, 0};
  const char *missing;
  prepare(x, uvow_protocol_by_name(name));
  assert_int_equal(uvow__session_prepare(&x->session, &plan, &missing), 0);
  x->session.callee.channel = x->own;
  uvow__session_open(&x->session);
  script_turns(&x->s);
}

/* With which code who isn't let in is told so. */
TEST_CASE(test_close_codes) {
  opening_t x;
  start_server(&x, "graphql_transport_ws", NULL);
  script_advance(&x.s, 5001);
  script_turns(&x.s);
  assert_int_equal(x.session.opening->close_code, 4408);
  x.s.log[0] = '\0';
  finish(&x);
  start_server(&x, "graphql_transport_ws", "{\"secret\":\"T\"}");
  say(&x, "{\"type\":\"connection_init\",\"payload\":\"U\"}");
  assert_int_equal(x.session.opening->close_code, 4403);
  x.s.log[0] = '\0';
  finish(&x);
  start_server(&x, "obs5", "{\"password\":\"p\"}");
  assert_non_null(strstr(x.heard, "\"authentication\":{\"challenge\":\""));
  say(&x, "{\"op\":1,\"d\":{\"rpcVersion\":1}}");
  assert_int_equal(x.session.opening->close_code, 4009);
  x.s.log[0] = x.heard[0] = '\0';
  finish(&x);
}

TEST_CASE(test_vars) {
  static const char *const bad[] = {"", "[]", "5", "{", "{\"a\":}", "{} x"};
  const char *missing;
  opening_t x;
  prepare(&x, uvow_protocol_by_name("home_assistant"));
  assert_int_equal(prepare_session(&x, NULL, &missing), UVOW_EINVAL);
  assert_string_equal(missing, "token");
  assert_int_equal(prepare_session(&x, "{\"Token\":1}", &missing), UVOW_EINVAL);
  assert_string_equal(missing, "token");
  for (size_t i = 0; i < UVOW__COUNT(bad); i++) {
    assert_int_equal(prepare_session(&x, bad[i], &missing), UVOW_EINVAL);
    assert_null(missing);
  }
  assert_int_equal(
      prepare_session(&x, " { \"to\\u006ben\" : [1] , \"b\":2 } ", &missing),
      0);
  assert_true(
      uvow__slice_is(uvow__vars_get(&x.session.opening->vars, "token"), "[1]"));
  assert_true(
      uvow__slice_is(uvow__vars_get(&x.session.opening->vars, "b"), "2"));
  finish(&x);
}

/* Each heartbeat is a request of its own; nobody waits for its answer. */
TEST_CASE(test_heartbeat) {
  opening_t x;
  start(&x, "phoenix2", NULL);
  script_expect(&x.s, "open");
  script_advance(&x.s, 29000);
  script_turns(&x.s);
  expect_heard(&x, "");
  script_advance(&x.s, 1001);
  script_turns(&x.s);
  expect_heard(&x, "[null,\"1\",\"phoenix\",\"heartbeat\",{}]");
  say(&x,
      "[null,\"1\",\"phoenix\",\"phx_reply\",{\"status\":\"ok\","
      "\"response\":{}}]");
  assert_int_equal(x.dispatcher.live, 0);
  script_advance(&x.s, 30001);
  script_turns(&x.s);
  expect_heard(&x, "[null,\"2\",\"phoenix\",\"heartbeat\",{}]");
  uvow__session_stop(&x.session);
  script_advance(&x.s, 90000);
  script_turns(&x.s);
  expect_heard(&x, "");
  script_expect(&x.s, "");
  finish(&x);
}

TEST_MODULE(opening_steps) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_many_words), cmocka_unit_test(test_nothing_to_pick),
      cmocka_unit_test(test_none),       cmocka_unit_test(test_in_order),
      cmocka_unit_test(test_refused),    cmocka_unit_test(test_too_late),
      cmocka_unit_test(test_again),      cmocka_unit_test(test_obs),
      cmocka_unit_test(test_wamp),       cmocka_unit_test(test_vars),
      cmocka_unit_test(test_heartbeat),  cmocka_unit_test(test_close_codes),
  };
  return cmocka_run_group_tests_name("rpc/opening_steps", tests, NULL, NULL);
}
