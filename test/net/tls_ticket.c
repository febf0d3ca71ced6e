/* A message of TLS's own, after the handshake, that comes in several records
 * and not all at once: what is written meanwhile must wait, and not be lost. */
#include "support/tls_peer.h"

#include "net/io.h"

#define FRAGMENT 512
#define TICKET 2000

/* A ticket of more than one record. */
static int make_large(SSL *ssl, void *data) {
  (void)data;
  static uint8_t bytes[TICKET];
  return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), bytes,
                                         sizeof(bytes));
}

/* A client of ours, whose peer has one more ticket to give: returns it, in its
 * records, to be freed. */
static uint8_t *open_with_ticket(tls_pair_t *pair, size_t *ret_len) {
  tls_pair_make(pair, 0, UVOW_TLS_1_3);
  SSL_CTX_set_session_ticket_cb(pair->peer_ctx, make_large, NULL, NULL);
  SSL_CTX_set_max_send_fragment(pair->peer_ctx, FRAGMENT);
  assert_int_equal(tls_pair_start(pair), 0);
  tls_pair_run(pair);
  assert_int_equal(pair->opened, 1);
  assert_int_equal(SSL_new_session_ticket(pair->peer), 1);
  assert_int_equal(SSL_do_handshake(pair->peer), 1);
  uint8_t *bytes = tls_pair_take(pair, ret_len);
  assert_true(*ret_len > 4 * FRAGMENT);
  return bytes;
}

static void expect_peer_got(const tls_pair_t *pair, const char *text) {
  assert_int_equal(pair->peer_got_len, strlen(text));
  assert_memory_equal(pair->peer_got, text, strlen(text));
}

/* Wherever it's cut: a write between the two halves arrives. */
TEST_CASE(a_write_within_a_ticket_arrives) {
  size_t len = 2;
  for (size_t at = 1; at < len; at += 97) {
    tls_pair_t pair;
    uint8_t *bytes = open_with_ticket(&pair, &len);
    script_feed(&pair.s, bytes, at);
    assert_int_equal(tls_pair_write(&pair, "hello", 5), 0);
    int waits = pair.stream->writing;
    script_feed(&pair.s, bytes + at, len - at);
    assert_false(pair.stream->writing);
    assert_int_equal(pair.drained, waits);
    assert_int_equal(tls_pair_write(&pair, " world", 6), 0);
    tls_pair_say(&pair, "yes", 3);
    tls_pair_run(&pair);
    expect_peer_got(&pair, "hello world");
    assert_int_equal(pair.got_len, 3);
    assert_false(pair.ended);
    free(bytes);
    tls_pair_end(&pair);
  }
}

/* The same while the stream below takes nothing: it's sent once both let it. */
TEST_CASE(a_write_within_a_ticket_waits_for_the_stream_too) {
  size_t len;
  tls_pair_t pair;
  uint8_t *bytes = open_with_ticket(&pair, &len);
  pair.s.block = 1;
  assert_int_equal(tls_pair_write(&pair, "one ", 4), 0);
  script_feed(&pair.s, bytes, FRAGMENT + 100);
  pair.s.block = 0;
  script_unblock(&pair.s);
  assert_int_equal(pair.drained, 1); /* "one" had been sealed before */
  assert_int_equal(tls_pair_write(&pair, "two", 3), 0);
  assert_true(pair.stream->writing);
  pair.s.block = 1;
  script_feed(&pair.s, bytes + FRAGMENT + 100, len - FRAGMENT - 100);
  assert_true(pair.stream->writing); /* below */
  assert_int_equal(pair.drained, 1);
  pair.s.block = 0;
  script_unblock(&pair.s);
  assert_false(pair.stream->writing);
  assert_int_equal(pair.drained, 2);
  tls_pair_run(&pair);
  expect_peer_got(&pair, "one two");
  free(bytes);
  tls_pair_end(&pair);
}

TEST_CASE(it_may_be_closed_while_a_write_waits) {
  size_t len;
  tls_pair_t pair;
  uint8_t *bytes = open_with_ticket(&pair, &len);
  script_feed(&pair.s, bytes, FRAGMENT + 100);
  assert_int_equal(tls_pair_write(&pair, "never", 5), 0);
  tls_pair_close(&pair);
  assert_int_equal(pair.closed, 1);
  free(bytes);
  tls_pair_end(&pair);
}

TEST_MODULE(tls_ticket) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_write_within_a_ticket_arrives),
      cmocka_unit_test(a_write_within_a_ticket_waits_for_the_stream_too),
      cmocka_unit_test(it_may_be_closed_while_a_write_waits),
  };
  return cmocka_run_group_tests_name("net/tls_ticket", tests, tls_setup,
                                     tls_teardown);
}
