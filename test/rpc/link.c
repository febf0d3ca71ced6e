#include "rpc/link.h"

#include <uvow/websocket.h>

#include "rpc/peer.h"

#include "support/link.h"

/* A peer that connects again, on a clock that is driven. */
static void start(script_t *s, uvow_reconnect_options_t *reconnect) {
  script_init(s);
  script_drive_clock(s);
  test_connect_t options = link_options(s, reconnect);
  options.peer.on_state = NULL;
  link_open(s, &options);
}

/* The connection is the WebSocket room's: what was said is there, of the last
 * attempt, and one that is kept outlives it. */
TEST_CASE(its_websocket_is_the_last_attempts) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  start(&s, &reconnect);
  uvow_websocket_t *ws = uvow_peer_websocket(s.client);
  assert_string_equal(uvow_websocket_target(ws), "/");
  assert_string_equal(uvow_websocket_header(ws, "upgrade"), "websocket");
  uvow_websocket_t *kept = uvow_websocket_ref(ws);
  script_hang_up(&s, 0);
  assert_ptr_equal(uvow_peer_websocket(s.client), ws); /* until the next */
  assert_null(uvow__peer_connection(s.client));
  link_again(&s);
  assert_ptr_not_equal(uvow_peer_websocket(s.client), kept);
  assert_non_null(uvow__peer_connection(s.client));
  assert_string_equal(uvow_websocket_header(kept, "upgrade"), "websocket");
  uvow_websocket_unref(kept);
  script_end(&s);
}

/* Its messages are the peer's. */
TEST_CASE(its_messages_are_not_to_be_had) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  start(&s, &reconnect);
  script_mark_t a = script_mark(&s, "a");
  uvow_stream_t *messages =
      uvow_websocket_messages(uvow_peer_websocket(s.client));
  script_watch(uvow_stream_next(messages), &a);
  uvow_stream_unref(messages);
  script_turns(&s);
  script_expect(&s, "a!EBUSY");
  link_prove(&s);
  script_end(&s);
}

/* Who closes it, closes the connection, and not the peer: another follows. */
TEST_CASE(a_close_of_its_websocket_is_a_loss) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  start(&s, &reconnect);
  script_mark_t closed = script_mark(&s, "closed");
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "m", &a);
  script_turns(&s);
  script_watch(
      uvow_websocket_close(uvow_peer_websocket(s.client), 4000, "enough"),
      &closed);
  script_turns(&s);
  script_close_frame(&s, 4000);
  script_hang_up(&s, 0);
  script_turns(&s);
  script_expect(&s, "closed= a!ELOST:MAYBE");
  assert_int_equal(uvow_peer_state(s.client), UVOW_PEER_WAITING);
  link_again(&s);
  link_prove(&s);
  script_end(&s);
}

TEST_CASE(an_attempt_that_was_not_opened_has_a_websocket) {
  script_t s;
  uvow_reconnect_options_t reconnect;
  script_init(&s);
  script_drive_clock(&s);
  test_connect_t options = link_options(&s, &reconnect);
  options.peer.on_state = NULL;
  assert_int_equal(script_client(&s, &options), 0);
  uvow_websocket_t *ws = uvow_peer_websocket(s.client);
  assert_string_equal(uvow_websocket_target(ws), "/");
  assert_null(uvow_websocket_header(ws, "upgrade"));
  uvow_peer_end(s.client); /* drops it on the way */
  assert_int_equal(ws->state, UVOW__WS_CLOSED);
  assert_true(script_gone(&s));
  script_end(&s);
}

TEST_MODULE(link) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(its_websocket_is_the_last_attempts),
      cmocka_unit_test(its_messages_are_not_to_be_had),
      cmocka_unit_test(a_close_of_its_websocket_is_a_loss),
      cmocka_unit_test(an_attempt_that_was_not_opened_has_a_websocket),
  };
  return cmocka_run_group_tests_name("rpc/link", tests, NULL, NULL);
}
