/* Order across messages: what one causes runs to its end before what the next
 * causes begins, also where both came in one read. */
#include "support/parts.h"

#include <uvow/stream.h>

/* What a message may be, and where the test hears of it. */
typedef struct message {
  const char *name; /* as it is logged */
  const char *text;
} message_t;

static const message_t messages[] = {
    {"answer", "{\"id\":1,\"ok\":1}"},
    {"error", "{\"id\":2,\"error\":{\"code\":1,\"message\":\"m\"}}"},
    {"part", "{\"id\":3,\"part\":1}"},
    {"item", "{\"id\":4,\"part\":1}"},
    {"end", "{\"id\":4,\"ok\":1}"},
    {"event", "{\"event\":\"e\",\"params\":1}"},
    {"call", "{\"id\":1,\"call\":\"c\",\"params\":1}"},
    {"stray", "{\"id\":99,\"ok\":1}"},
};

static uvow_next_t go_on(const uvow_result_t *result, void *data) {
  script_t *s = (script_t *)data;
  script_log(s, "then", "");
  return uvow_next_future(
      uvow_future_fulfilled(result->loop, uvow_value_none()));
}

static void on_last(const uvow_result_t *result, void *data) {
  (void)result;
  script_log((script_t *)data, "last", "");
}

/* A message's own callback: it causes more, and that more. */
static void cause(script_t *s, const char *name) {
  script_log(s, name, "");
  uvow_future_t *f = uvow_future_fulfilled(s->loop, uvow_value_none());
  f = uvow_future_then(f, go_on, s);
  f = uvow_future_then(f, go_on, s);
  assert_int_equal(uvow_future_done(f, on_last, s), 0);
}

static uvow_next_t on_answer(const uvow_result_t *result, void *data) {
  (void)result;
  cause((script_t *)data, "answer");
  return uvow_next_pass();
}

static uvow_next_t on_error(const uvow_result_t *result, void *data) {
  (void)result;
  cause((script_t *)data, "error");
  return uvow_next_none();
}

static void on_part(const uvow_result_t *part, void *data) {
  (void)part;
  cause((script_t *)data, "part");
}

static uvow_next_t on_item(const uvow_result_t *item, void *data) {
  (void)item;
  cause((script_t *)data, "item");
  return uvow_next_pass();
}

static void on_end(const uvow_result_t *end, void *data) {
  if (!end->error)
    cause((script_t *)data, "end");
}

static uvow_next_t on_event(const uvow_result_t *item, void *data) {
  (void)item;
  cause((script_t *)data, "event");
  return uvow_next_pass();
}

static uvow_next_t on_call(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  (void)call, (void)params;
  cause((script_t *)data, "call");
  return uvow_next_none();
}

static int on_stray(uvow_peer_t *peer, uvow_stray_t stray, uvow_slice_t message,
                    const uvow_error_t *error, void *data) {
  (void)peer, (void)stray, (void)message, (void)error;
  cause((script_t *)data, "stray");
  return 0;
}

static void on_over(const uvow_result_t *result, void *data) {
  (void)result, (void)data;
}

/* Its end isn't looked at. */
static void let_be(uvow_future_t *f) {
  assert_int_equal(uvow_future_done(f, on_over, NULL), 0);
}

/* Whoever hears of each of them. */
static void start(script_t *s) {
  script_init(s);
  test_connect_t options = script_options(s);
  uvow_protocol_t *protocol = parts_protocol();
  uvow_methods_t *methods = uvow_methods_new(s->loop);
  assert_int_equal(uvow_methods_add(methods, "c", on_call, s), 0);
  options.peer.protocol = protocol;
  options.peer.methods = methods;
  options.peer.on_stray = on_stray;
  options.peer.data = s;
  options.on_event = NULL;
  script_open_client(s, &options);
  uvow_methods_unref(methods);
  uvow_protocol_unref(protocol);
  uvow_request_options_t of_parts = {.size = sizeof(of_parts)};
  of_parts.on_partial = on_part;
  of_parts.partial_data = s;
  let_be(uvow_future_then(script_request(s, "m", NULL), on_answer, s));
  let_be(uvow_future_catch(script_request(s, "m", NULL), on_error, s));
  let_be(uvow_peer_request_with(s->client, "m", uvow_value_none(), &of_parts));
  uvow_stream_t *items =
      uvow_peer_request_stream(s->client, "m", uvow_value_none());
  assert_int_equal(
      uvow_future_done(uvow_stream_each(items, on_item, s), on_end, s), 0);
  let_be(uvow_stream_each(uvow_peer_events(s->client, "e"), on_event, s));
  script_turns(s);
}

static size_t put(uint8_t *to, const message_t *message) {
  return script_put_frame(to, 0x81, message->text, strlen(message->text));
}

/* Both in one read. */
static void feed(script_t *s, const message_t *first, const message_t *second) {
  uint8_t bytes[256];
  size_t len = put(bytes, first);
  len += put(bytes + len, second);
  script_feed(s, bytes, len);
  script_turns(s);
}

TEST_CASE(each_before_the_next) {
  for (size_t i = 0; i < UVOW__COUNT(messages); i++)
    for (size_t k = 0; k < UVOW__COUNT(messages); k++) {
      char expected[128];
      script_t s;
      if (i == k || (strcmp(messages[i].name, "end") == 0 &&
                     strcmp(messages[k].name, "item") == 0))
        continue; /* a second answer, an item behind the end: nobody's */
      start(&s);
      feed(&s, &messages[i], &messages[k]);
      snprintf(expected, sizeof(expected),
               "%s then then last %s then then last", messages[i].name,
               messages[k].name);
      script_expect(&s, expected);
      uvow_peer_end(s.client);
      script_turns(&s);
      s.log[0] = '\0';
      script_end(&s);
    }
}

TEST_MODULE(order) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_before_the_next),
  };
  return cmocka_run_group_tests_name("rpc/order", tests, NULL, NULL);
}
