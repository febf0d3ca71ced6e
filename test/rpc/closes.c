/* A server that closes on what its protocol forbids, each with its code, to who
 * writes what it wants; and goes on with whoever does as it must. */
#include "rpc/server.h"

#include <stdio.h>

#include <uvow/stream.h>

#include "support/loop_bed.h"
#include "support/serve.h"

#define INIT "{\"type\":\"connection_init\"}"
#define SUBSCRIBE(id)                                                          \
  "{\"id\":\"" id "\",\"type\":\"subscribe\",\"payload\":{\"a\":1}}"
#define HOLD(id) "{\"id\":\"" id "\",\"type\":\"subscribe\",\"payload\":[]}"
#define COMPLETE(id) "{\"id\":\"" id "\",\"type\":\"complete\"}"
#define PING "{\"type\":\"ping\"}"
#define ACK "{\"type\":\"connection_ack\"}|"
#define NEXT(id)                                                               \
  "{\"id\":\"" id                                                              \
  "\",\"type\":\"next\",\"payload\":{\"a\":1}}|" COMPLETE(id) "|"
#define PONG "{\"type\":\"pong\"}|"

typedef struct house {
  loop_bed_t bed;
  test_serve_t options;
  uvow_server_t *server;
  uvow_promise_t *held[4];
  size_t held_count;
  uvow_websocket_t *ws;
  char came[1000];
  size_t messages;
  size_t until;   /* the message that ends it in order; 0: none */
  size_t then_at; /* the message after which this is said; 0: none */
  const char *then;
  uvow_promise_t *asked;
  int was_open;
  int settle; /* what is asked, once a message has come: 1: well, -1: not */
  int status; /* with which a peer of the server's ended */
} house_t;

/* Objects are sent back; anything else waits. */
static uvow_next_t subscribe(uvow_call_t *call, const uvow_result_t *params,
                             void *data) {
  house_t *house = (house_t *)data;
  uvow_slice_t text = uvow_result_bytes(params);
  if (text.len && *text.bytes == '{')
    return uvow_next_pass();
  assert_true(house->held_count < 4);
  return uvow_next_future(uvow_promise_new(uvow_call_loop(call),
                                           &house->held[house->held_count++]));
}

static void on_state(uvow_peer_t *peer, const uvow_peer_change_t *change,
                     void *data) {
  house_t *house = (house_t *)data;
  (void)peer;
  house->was_open |= change->state == UVOW_PEER_OPEN;
  if (change->state == UVOW_PEER_CLOSED && change->why)
    house->status = uvow_error_status(change->why);
}

static void prepare(house_t *house, const uvow_protocol_t *protocol) {
  memset(house, 0, sizeof(*house));
  loop_bed_open(&house->bed);
  house->options = test_serve_options();
  house->options.peer.protocol = protocol;
  house->options.peer.data = house;
  house->options.peer.on_state = on_state;
}

static void start(house_t *house) {
  static const char *const subprotocol = "graphql-transport-ws";
  uvow_websocket_options_t options = {.size = sizeof(options)};
  char url[64];
  assert_int_equal(test_serve(house->bed.loop, &house->options, &house->server),
                   0);
  assert_int_equal(test_method(house->server, NULL, subscribe, house), 0);
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(house->server));
  options.subprotocols = &subprotocol;
  options.subprotocol_count = 1;
  house->ws = uvow_websocket_connect(house->bed.loop, url, &options);
  assert_int_equal(
      loop_bed_wait(&house->bed, uvow_websocket_ready(house->ws), NULL), 0);
}

static void say(house_t *house, const char *text) {
  assert_int_equal(uvow_websocket_send(house->ws, uvow_value_text(text)), 0);
}

static uvow_next_t on_message(const uvow_result_t *message, void *data) {
  house_t *house = (house_t *)data;
  uvow_slice_t got = uvow_result_bytes(message);
  size_t used = strlen(house->came);
  snprintf(house->came + used, sizeof(house->came) - used, "%.*s|",
           (int)got.len, got.bytes);
  if (++house->messages == house->then_at)
    say(house, house->then);
  if (house->settle && house->asked) {
    if (house->settle > 0)
      uvow_promise_fulfill(house->asked, uvow_value_none());
    else
      uvow_promise_reject(house->asked,
                          uvow_error_new(house->bed.loop, UVOW_EINVAL, "no"));
    house->asked = NULL;
  }
  return house->messages == house->until ? uvow_next_end(uvow_value_none())
                                         : uvow_next_none();
}

/* What came, and the close code; 0: it goes on. */
static void expect(house_t *house, const char *came, int status) {
  uvow_result_t result;
  for (const char *at = strchr(came, '|'); !status && at;
       at = strchr(at + 1, '|'))
    house->until++;
  uvow_future_t *end =
      uvow_stream_each(uvow_websocket_messages(house->ws), on_message, house);
  int rc = loop_bed_wait(&house->bed, end, &result);
  assert_string_equal(house->came, came);
  assert_int_equal(rc, status ? UVOW_ECLOSED : 0);
  if (status)
    assert_int_equal(uvow_error_status(result.error), status);
}

static void finish(house_t *house) {
  uvow_websocket_unref(house->ws);
  uvow_server_free(house->server);
  for (size_t i = 0; i < house->held_count; i++)
    uvow_promise_drop(house->held[i]);
  if (house->asked)
    uvow_promise_drop(house->asked);
  loop_bed_close(&house->bed, "closed");
}

static void play_in(const char *protocol, const char *const *texts,
                    const char *came, int status) {
  house_t house;
  prepare(&house, uvow_protocol_by_name(protocol));
  start(&house);
  for (; *texts; texts++)
    say(&house, *texts);
  expect(&house, came, status);
  assert_int_equal(house.status, house.was_open ? status : 0);
  finish(&house);
}

#define PLAY_IN(protocol, came, status, ...)                                   \
  play_in(protocol, (const char *const[]){__VA_ARGS__, NULL}, came, status)
#define PLAY(came, status, ...)                                                \
  PLAY_IN("graphql_transport_ws", came, status, __VA_ARGS__)

TEST_CASE(test_who_does_as_it_must) {
  PLAY(ACK NEXT("1") NEXT("2"), 0, INIT, SUBSCRIBE("1"), SUBSCRIBE("2"));
  PLAY(PONG ACK PONG NEXT("1"), 0, PING, INIT, PING, SUBSCRIBE("1"));
}

/* An id that was answered may be given again. */
TEST_CASE(test_one_after_another) {
  house_t house;
  prepare(&house, uvow_protocol_by_name("graphql_transport_ws"));
  start(&house);
  say(&house, INIT);
  say(&house, SUBSCRIBE("1"));
  house.then = SUBSCRIBE("1"); /* behind the end of the first */
  house.then_at = 3;
  expect(&house, ACK NEXT("1") NEXT("1"), 0);
  finish(&house);
}

TEST_CASE(test_early) {
  PLAY("", 4401, SUBSCRIBE("1"));
  PLAY(PONG, 4401, PING, SUBSCRIBE("1"), INIT, SUBSCRIBE("2"));
}

TEST_CASE(test_again) {
  PLAY(ACK, 4429, INIT, INIT);
  PLAY(ACK, 4429, INIT, HOLD("1"),
       "{\"type\":\"connection_init\",\"payload\":1}", SUBSCRIBE("2"));
}

TEST_CASE(test_twice) {
  PLAY(ACK, 4409, INIT, HOLD("1"), HOLD("2"), HOLD("1"), SUBSCRIBE("3"));
  PLAY(ACK, 4409, INIT, HOLD("1"), SUBSCRIBE("1"));
  /* It's over, though nothing came. */
  PLAY(ACK NEXT("1") NEXT("2"), 0, INIT, HOLD("1"), COMPLETE("1"),
       SUBSCRIBE("1"), SUBSCRIBE("2"));
}

TEST_CASE(test_malformed) {
  PLAY(ACK, 4400, INIT, "nonsense");
  PLAY("", 4400, "{}");
  PLAY("", 4400, "");
  PLAY(ACK, 4400, INIT, "{\"type\":\"start\",\"id\":\"1\"}", SUBSCRIBE("1"));
  PLAY(ACK, 4400, INIT, "{\"type\":\"subscribe\",\"payload\":{}}");
  PLAY(ACK, 4400, INIT, "{\"id\":\"1\",\"type\":\"next\",\"payload\":[}");
}

#define HELLO                                                                  \
  "{\"op\":0,\"d\":{\"obsWebSocketVersion\":\"5.0.0\",\"rpcVersion\":1}}|"
#define IDENTIFY "{\"op\":1,\"d\":{\"rpcVersion\":1}}"
#define IDENTIFIED "{\"op\":2,\"d\":{\"negotiatedRpcVersion\":1}}|"
#define ASK                                                                    \
  "{\"op\":6,\"d\":{\"requestType\":\"m\",\"requestId\":\"1\","                \
  "\"requestData\":{}}}"

/* obs5's codes; what can't be read is answered. */
TEST_CASE(test_obs5) {
  PLAY_IN("obs5", HELLO, 4007, ASK, IDENTIFY);
  PLAY_IN("obs5", HELLO IDENTIFIED, 4008, IDENTIFY, IDENTIFY, ASK);
  PLAY_IN("obs5",
          HELLO IDENTIFIED
          "{\"op\":7,\"d\":{\"requestId\":null,\"requestStatus\":{\"result\":"
          "false,\"code\":-32600,\"comment\":\"Invalid Request\"}}}|"
          "{\"op\":7,\"d\":{\"requestType\":\"m\",\"requestId\":\"1\","
          "\"requestStatus\":{\"result\":true,\"code\":100},\"responseData\":"
          "{}}}|",
          0, IDENTIFY, "{\"op\":3,\"d\":{}}", ASK);
}

/* Without codes of a protocol's, calls are refused, and it goes on. */
TEST_CASE(test_without) {
  house_t house;
  prepare(&house, uvow_protocol_by_name("jsonrpc2"));
  start(&house);
  say(&house, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":[]}");
  say(&house, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{}}");
  say(&house, "{\"jsonrpc\":\"2.0\"}");
  expect(&house,
         "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"
         "\"message\":\"Invalid Request\"}}|"
         "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}|",
         0);
  finish(&house);
}

/* The application's own step is behind the protocol's: who is acknowledged, and
 * calls, isn't early. */
static uvow_next_t hold_back(uvow_peer_t *peer, void *data) {
  house_t *house = (house_t *)data;
  (void)peer;
  return uvow_next_future(uvow_promise_new(house->bed.loop, &house->asked));
}

TEST_CASE(test_in_its_own_step) {
  static const char own[] =
      "{\"name\":\"g\",\"base\":\"graphql_transport_ws\",\"accept\":["
      "{\"expect\":{\"/type\":\"connection_init\"}},"
      "{\"send\":{\"type\":\"connection_ack\"}}]}";
  house_t house;
  uvow_protocol_t *protocol = uvow_protocol_parse(own, sizeof(own) - 1, NULL);
  prepare(&house, protocol);
  house.options.peer.opening = hold_back;
  start(&house);
  say(&house, INIT);
  say(&house, SUBSCRIBE("1"));
  say(&house, INIT);
  expect(&house,
         ACK
         "{\"id\":\"1\",\"type\":\"error\",\"payload\":[{\"message\":\"not "
         "open yet\"}]}|",
         4429);
  finish(&house);
  uvow_protocol_unref(protocol);
}

/* Who is let in is up to the application, by what is said first: before it is
 * acknowledged, on the spot or later. */
static uvow_next_t by_payload(uvow_peer_t *first, void *data) {
  uvow_slice_t payload = uvow_peer_var(first, "payload");
  assert_null(uvow_peer_var(first, "nothing").bytes);
  assert_null(uvow_peer_var(first, NULL).bytes);
  assert_int_equal(uvow_peer_state(first), UVOW_PEER_OPENING);
  if (!payload.bytes)
    return uvow_next_code(UVOW_EINVAL, "who is it?");
  if (payload.len == 8)
    return hold_back(first, data);
  return payload.len == 1 && *payload.bytes == '1'
             ? uvow_next_none()
             : uvow_next_code(UVOW_EINVAL, "go away");
}

#define INIT_WITH(payload)                                                     \
  "{\"type\":\"connection_init\",\"payload\":" payload "}"

TEST_CASE(test_let_in_by_the_application) {
  static const struct {
    const char *first;
    const char *then;
    const char *came;
    int settle; /* what waits: 1: let in, -1: not */
    int status;
  } rows[] = {
      {INIT_WITH("1"), PING, PONG ACK NEXT("1"), 0, 0},
      {INIT_WITH("2"), PING, PONG, 0, 4403},
      {INIT, PING, PONG, 0, 4403},
      {INIT_WITH("\"later.\""), PING, PONG ACK NEXT("1"), 1, 0},
      {INIT_WITH("\"later.\""), PING, PONG, -1, 4403},
      {INIT_WITH("1"), SUBSCRIBE("1"), "", 0, 4401},
      {INIT_WITH("\"later.\""), SUBSCRIBE("1"), "", 0, 4401},
      {INIT_WITH("\"later.\""), INIT, "", 0, 4429},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    house_t house;
    prepare(&house, uvow_protocol_by_name("graphql_transport_ws"));
    house.options.peer.opening = by_payload;
    house.settle = rows[i].settle;
    house.then = SUBSCRIBE("1"); /* once it's acknowledged */
    house.then_at = 2;
    start(&house);
    say(&house, rows[i].first);
    say(&house, rows[i].then);
    expect(&house, rows[i].came, rows[i].status);
    finish(&house);
  }
}

TEST_MODULE(closes) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_who_does_as_it_must),
      cmocka_unit_test(test_one_after_another),
      cmocka_unit_test(test_early),
      cmocka_unit_test(test_again),
      cmocka_unit_test(test_twice),
      cmocka_unit_test(test_malformed),
      cmocka_unit_test(test_obs5),
      cmocka_unit_test(test_without),
      cmocka_unit_test(test_in_its_own_step),
      cmocka_unit_test(test_let_in_by_the_application),
  };
  return cmocka_run_group_tests_name("rpc/closes", tests, NULL, NULL);
}
