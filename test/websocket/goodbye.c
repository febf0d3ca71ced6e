/* The words for a connection that the peer closed. */
#include "websocket/goodbye.h"

#include "support/script.h"

#include <stdio.h>

static void expect(int code, const char *reason, size_t len,
                   const char *message) {
  test_alloc_t alloc;
  test_alloc_init(&alloc);
  uvow_error_t *error = uvow__goodbye(&alloc.allocator, code, reason, len);
  assert_string_equal(uvow_error_message(error), message);
  assert_int_equal(uvow_error_code(error), UVOW_ECLOSED);
  assert_int_equal(uvow_error_status(error), code);
  assert_int_equal(uvow_error_outcome(error), UVOW_OUTCOME_NONE);
  uvow_error_unref(error);
  assert_int_equal(alloc.live, 0);
}

#define EXPECT(code, reason, message)                                          \
  expect((code), (reason), sizeof(reason) - 1, (message))

TEST_CASE(the_code_and_the_reason_are_told) {
  EXPECT(1001, "going away", "closed by the peer: 1001 going away");
  EXPECT(4002, "token expired", "closed by the peer: 4002 token expired");
  EXPECT(1000, "gr\xc3\xbc\xc3\x9f dich",
         "closed by the peer: 1000 gr\xc3\xbc\xc3\x9f dich");
}

TEST_CASE(without_a_reason_the_code_says_it) {
  EXPECT(1000, "", "closed by the peer: 1000 normal closure");
  EXPECT(1001, "", "closed by the peer: 1001 going away");
  EXPECT(1007, "", "closed by the peer: 1007 invalid data");
  EXPECT(1014, "", "closed by the peer: 1014 bad gateway");
  EXPECT(3999, "", "closed by the peer: 3999");
  EXPECT(1005, "", "closed by the peer, which gave no reason");
  expect(4999, NULL, 0, "closed by the peer: 4999");
}

TEST_CASE(control_characters_are_not_copied) {
  EXPECT(1008, "a\x1b[2Jb\r\nc\td\x7f",
         "closed by the peer: 1008 a?[2Jb??c?d?");
  EXPECT(1008, "a\0b", "closed by the peer: 1008 a?b");
  /* C1: U+0080, U+009B, U+009F; but not U+00A0 and on. */
  EXPECT(1008, "\xc2\x80\xc2\x9b[m\xc2\x9f\xc2\xa0\xc2\xa9",
         "closed by the peer: 1008 ??[m?\xc2\xa0\xc2\xa9");
}

TEST_CASE(it_has_a_bound_between_characters) {
  char reason[200];
  char message[200];
  memset(reason, 'x', sizeof(reason));
  snprintf(message, sizeof(message), "closed by the peer: 1011 %.*s", 123,
           reason);
  expect(1011, reason, 123, message);
  expect(1011, reason, sizeof(reason), message);
  memcpy(reason + 121, "\xe2\x82\xac", 3); /* would be cut */
  message[strlen("closed by the peer: 1011 ") + 121] = '\0';
  expect(1011, reason, sizeof(reason), message);
}

/* A server's close frame, with all that's pending, and what comes later. */
TEST_CASE(a_request_says_why_its_server_closed) {
  script_t s;
  uvow_result_t result;
  for (int later = 0; later < 2; later++) {
    script_init(&s);
    script_open_client(&s, NULL);
    uvow_future_t *f = script_request(&s, "m", NULL);
    script_turns(&s);
    script_frame(&s, 0x88, "\x03\xf4restarts\n", 11);
    script_hang_up(&s, later ? UV_ECONNRESET : 0);
    if (later) {
      uvow_future_unref(f);
      s.unhandled[0] = '\0';
      f = uvow_peer_ready(s.client);
    }
    assert_int_equal(uvow_future_peek(f, &result), 0);
    assert_string_equal(
        uvow_error_message(result.error),
        later ? "closed by the peer: 1012 restarts?"
              : "the connection has ended: closed by the peer: 1012 restarts?");
    assert_int_equal(uvow_error_status(result.error), 1012);
    assert_int_equal(uvow_error_outcome(result.error),
                     later ? UVOW_OUTCOME_NONE : UVOW_MAYBE_EXECUTED);
    assert_int_equal(uvow_error_code(result.error),
                     later ? UVOW_ECLOSED : UVOW_ELOST);
    uvow_future_unref(f);
    script_turns(&s);
    s.unhandled[0] = '\0';
    script_end(&s);
  }
}

/* The echo of our own close isn't the peer's doing. */
TEST_CASE(what_we_closed_is_not_closed_by_the_peer) {
  script_t s;
  uvow_result_t result;
  script_init(&s);
  script_open_client(&s, NULL);
  uvow_future_detach(uvow_peer_close(s.client));
  script_turns(&s);
  script_close_frame(&s, 1000);
  script_hang_up(&s, 0);
  uvow_future_t *f = uvow_peer_ready(s.client);
  assert_int_equal(uvow_future_peek(f, &result), 0);
  assert_string_equal(uvow_error_message(result.error), "closed");
  uvow_future_unref(f);
  script_turns(&s);
  s.unhandled[0] = '\0';
  script_end(&s);
}

TEST_MODULE(goodbye) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_code_and_the_reason_are_told),
      cmocka_unit_test(without_a_reason_the_code_says_it),
      cmocka_unit_test(control_characters_are_not_copied),
      cmocka_unit_test(it_has_a_bound_between_characters),
      cmocka_unit_test(a_request_says_why_its_server_closed),
      cmocka_unit_test(what_we_closed_is_not_closed_by_the_peer),
  };
  return cmocka_run_group_tests_name("websocket/goodbye", tests, NULL, NULL);
}
