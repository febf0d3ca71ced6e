/* Messages past the protocol: sent as they are, in turn, bounded; and what comes
 * back is read by on_stray. */
#include <uvow/channel.h>

#include "support/script.h"

#include <stdio.h>

#include <jansson.h>

static uvow_peer_options_t default_options(void) {
  uvow_peer_options_t options = {0};
  options.size = sizeof(options);
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  return options;
}

TEST_CASE(test_as_it_is) {
  script_t s;
  script_init(&s);
  uvow_channel_t a, b;
  uvow_peer_options_t options = default_options();
  assert_int_equal(uvow_channel_pair(s.loop, &a, &b), 0);
  uvow_peer_t *peer = uvow_peer_new(s.loop, a, &options);
  assert_int_equal(uvow_peer_send(peer, uvow_value_text("hello")), 0);
  assert_int_equal(uvow_peer_send(peer, uvow_value_bytes(s.loop, "[1", 2)), 0);
  assert_int_equal(uvow_peer_notifyf(peer, "n", NULL), 0);
  assert_int_equal(
      uvow_peer_send(peer, uvow_value_jsonf(s.loop, "{s:i}", "x", 1)), 0);
  assert_int_equal(uvow_peer_send(peer, uvow_value_json(json_pack("[s]", "j"))),
                   0);
  assert_int_equal(uvow_peer_send(peer, uvow_value_binary(s.loop, "\1\2", 2)),
                   0);
  assert_int_equal(uvow_peer_send(peer, uvow_value_none()), UVOW_ETYPE);
  assert_int_equal(uvow_peer_send(NULL, uvow_value_json(json_array())),
                   UVOW_EINVAL);
  script_mark_t m = script_mark(&s, "");
  for (int i = 0; i < 5; i++)
    script_watch(uvow_stream_next(b.in), &m);
  script_turns(&s);
  script_expect(&s,
                "=hello =[1 ={\"jsonrpc\":\"2.0\",\"method\":\"n\"} "
                "={\"x\":1} =[\"j\"]");
  uvow_future_t *f = uvow_stream_next(b.in);
  script_turns(&s);
  uvow_result_t r;
  assert_int_equal(uvow_future_peek(f, &r), 0);
  assert_int_equal(uvow_result_is_binary(&r), 1);
  uvow_future_unref(f);
  uvow_peer_end(peer);
  assert_int_equal(uvow_peer_send(peer, uvow_value_text("late")), UVOW_ECLOSED);
  uvow_peer_unref(peer);
  uvow_stream_unref(b.in);
  uvow_sink_drop(b.out);
  script_end(&s);
}

/* Of a peer that we connect to: it waits until that is open, in its turn. */
TEST_CASE(test_in_turn) {
  script_t s;
  script_init(&s);
  test_connect_t options = script_options(&s);
  assert_int_equal(script_client(&s, &options), 0);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "m", &a);
  assert_int_equal(uvow_peer_send(s.client, uvow_value_text("first")), 0);
  assert_int_equal(uvow_peer_send(s.client, uvow_value_binary(s.loop, "w", 1)),
                   0);
  script_connected(&s);
  script_accept(&s);
  script_turns(&s);
  (void)script_next(&s);
  script_expect_sent(&s, "first");
  script_expect_sent(&s, "binary:w");
  assert_int_equal(uvow_peer_send(s.client, uvow_value_text("second")), 0);
  assert_int_equal(uvow_peer_send(s.client, uvow_value_binary(s.loop, "x", 1)),
                   0);
  script_turns(&s);
  script_expect_sent(&s, "second");
  script_expect_sent(&s, "binary:x");
  uvow_peer_unref(s.client);
  s.client = NULL;
  script_turns(&s);
  script_expect(&s, "a!ECLOSED:MAYBE");
  script_end(&s);
}

/* To a peer whose protocol is code: it may be binary, and waits as well. */
static int write_nothing(void *data, const uvow_operation_t *op,
                         uvow_writer_t *out) {
  (void)data, (void)op, (void)out;
  return UVOW_EINVAL;
}

static int read_nothing(void *data, uvow_slice_t message, int is_binary,
                        uvow_reader_t *out) {
  (void)data, (void)message, (void)is_binary, (void)out;
  return 0;
}

TEST_CASE(test_coded) {
  script_t s;
  script_init(&s);
  uvow_codec_t codec = {.size = sizeof(codec)};
  codec.name = "nothing";
  codec.write = write_nothing;
  codec.read = read_nothing;
  uvow_protocol_t *protocol = uvow_protocol_new(s.loop, &codec);
  assert_non_null(protocol);
  test_connect_t options = script_options(&s);
  options.peer.protocol = protocol;
  assert_int_equal(script_client(&s, &options), 0);
  assert_int_equal(uvow_peer_send(s.client, uvow_value_binary(s.loop, "b", 1)),
                   0);
  script_connected(&s);
  script_accept(&s);
  assert_int_equal(uvow_peer_send(s.client, uvow_value_text("text")), 0);
  script_turns(&s);
  script_expect_sent(&s, "binary:b");
  script_expect_sent(&s, "text");
  uvow_peer_unref(s.client);
  s.client = NULL;
  uvow_protocol_unref(protocol);
  script_end(&s);
}

/* "It's mine": not counted, and the rest is. */
static int mine(uvow_peer_t *peer, uvow_stray_t stray, uvow_slice_t message,
                const uvow_error_t *error, void *data) {
  char text[16];
  (void)peer, (void)error;
  snprintf(text, sizeof(text), "%.*s", (int)message.len, message.bytes);
  script_log((script_t *)data, stray == UVOW_STRAY_MALFORMED ? "stray:" : "?",
             text);
  return message.bytes[0] == 'm';
}

TEST_CASE(test_mine) {
  script_t s;
  script_init(&s);
  uvow_channel_t a, b;
  uvow_peer_options_t options = default_options();
  options.on_stray = mine;
  options.data = &s;
  assert_int_equal(uvow_channel_pair(s.loop, &a, &b), 0);
  uvow_peer_t *peer = uvow_peer_new(s.loop, a, &options);
  assert_int_equal(uvow_sink_push(b.out, uvow_value_text("mine")), 0);
  assert_int_equal(uvow_sink_push(b.out, uvow_value_text("other")), 0);
  script_turns(&s);
  script_expect(&s, "stray:mine stray:other");
  uvow_peer_stats_t stats = {.size = sizeof(stats)};
  assert_int_equal(uvow_peer_get_stats(peer, &stats), 0);
  assert_int_equal(stats.malformed, 1);
  uvow_peer_unref(peer);
  uvow_stream_unref(b.in);
  uvow_sink_drop(b.out);
  script_end(&s);
}

TEST_MODULE(peer_send) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_as_it_is),
      cmocka_unit_test(test_in_turn),
      cmocka_unit_test(test_coded),
      cmocka_unit_test(test_mine),
  };
  return cmocka_run_group_tests_name("rpc/peer_send", tests, NULL, NULL);
}
