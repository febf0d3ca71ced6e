/* Sessions that are resumed: when, with whom, and how many are kept. */
#include "support/tls_peer.h"

#include "net/tls_private.h"

/* One more connection of the pair; whether it resumed a session. */
static int connect_again(tls_pair_t *pair) {
  assert_int_equal(tls_pair_start(pair), 0);
  tls_pair_run(pair);
  assert_int_equal(pair->opened, 1);
  assert_false(pair->ended);
  tls_pair_say(pair, "x", 1); /* a client has read the tickets, too */
  tls_pair_run(pair);
  assert_int_equal(pair->got_len, 1);
  int resumed = SSL_session_reused(pair->peer);
  tls_pair_reset(pair);
  return resumed;
}

static uvow_tls_stats_t stats_of(const tls_pair_t *pair) {
  uvow_tls_stats_t stats = {0};
  stats.size = sizeof(stats);
  assert_int_equal(uvow_tls_get_stats(pair->tls, &stats), 0);
  return stats;
}

TEST_CASE(a_clients_second_connection_resumes) {
  tls_pair_t pair;
  for (int version = UVOW_TLS_1_2; version <= UVOW_TLS_1_3; version++) {
    tls_pair_make(&pair, 0, (uvow_tls_version_t)version);
    assert_int_equal(connect_again(&pair), 0);
    for (int i = 0; i < 5; i++)
      assert_int_equal(connect_again(&pair), 1);
    uvow_tls_stats_t stats = stats_of(&pair);
    assert_int_equal(stats.handshakes, 6);
    assert_int_equal(stats.resumed, 5);
    assert_int_equal(stats.failed, 0);
    tls_pair_end(&pair);
  }
}

TEST_CASE(another_host_or_port_does_not) {
  tls_pair_t pair;
  tls_pair_make(&pair, 0, 0);
  connect_again(&pair);
  pair.port++;
  assert_int_equal(connect_again(&pair), 0);
  pair.host = "127.0.0.1";
  assert_int_equal(connect_again(&pair), 0);
  pair.port--;
  assert_int_equal(connect_again(&pair), 0);
  pair.host = "localhost";
  assert_int_equal(connect_again(&pair), 1);
  tls_pair_end(&pair);
}

TEST_CASE(a_ticket_of_tls_13_is_used_once) {
  tls_pair_t pair;
  tls_pair_make(&pair, 0, UVOW_TLS_1_3);
  connect_again(&pair);
  size_t had = pair.tls->session_count;
  assert_true(had > 0);
  for (size_t i = 0; i <= had; i++) {
    assert_int_equal(tls_pair_start(&pair), 0); /* and never reads an answer */
    tls_pair_close(&pair);
    tls_pair_reset(&pair);
    pair.closed = 0;
  }
  assert_int_equal(pair.tls->session_count, 0);
  assert_int_equal(connect_again(&pair), 0);
  tls_pair_end(&pair);
}

/* The peer is a client that keeps its session. */
static SSL_SESSION *kept;

static int keep_session(SSL *ssl, SSL_SESSION *session) {
  (void)ssl;
  SSL_SESSION_free(kept);
  kept = session;
  return 1;
}

TEST_CASE(without_resumption_none_does) {
  tls_pair_t pair;
  for (int i = 0; i < 4; i++) {
    uvow_tls_options_t options = tls_options(i & 1);
    options.no_resumption = 1;
    options.max_version = i < 2 ? UVOW_TLS_1_2 : UVOW_TLS_1_3;
    tls_pair_init(&pair);
    tls_pair_ours(&pair, &options);
    tls_pair_peer(&pair, i & 1 ? NULL : tls_certs()->good, NULL);
    SSL_CTX_set_session_cache_mode(pair.peer_ctx, SSL_SESS_CACHE_CLIENT);
    if (i == 3) /* a session of TLS 1.2 has an id, if no ticket */
      SSL_CTX_sess_set_new_cb(pair.peer_ctx, keep_session);
    assert_int_equal(connect_again(&pair), 0);
    assert_int_equal(connect_again(&pair), 0);
    assert_null(kept);
    assert_int_equal(pair.tls->session_count, 0);
    tls_pair_end(&pair);
  }
}

TEST_CASE(a_server_lets_clients_resume) {
  tls_pair_t pair;
  for (int version = UVOW_TLS_1_2; version <= UVOW_TLS_1_3; version++) {
    tls_pair_make(&pair, 1, (uvow_tls_version_t)version);
    SSL_CTX_set_session_cache_mode(pair.peer_ctx, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(pair.peer_ctx, keep_session);
    assert_int_equal(connect_again(&pair), 0);
    assert_non_null(kept);
    assert_int_equal(tls_pair_start(&pair), 0);
    SSL_set_session(pair.peer, kept);
    tls_pair_run(&pair);
    assert_int_equal(SSL_session_reused(pair.peer), 1);
    assert_int_equal(stats_of(&pair).resumed, 1);
    SSL_SESSION_free(kept);
    kept = NULL;
    tls_pair_end(&pair);
  }
}

TEST_CASE(a_server_that_knows_its_clients_lets_them_resume) {
  uvow_tls_options_t options = tls_options(1);
  tls_pair_t pair;
  options.client_certs = UVOW_TLS_CLIENT_CERT_REQUIRED;
  options.ca_pem = tls_certs()->ca->pem;
  tls_pair_init(&pair);
  tls_pair_ours(&pair, &options);
  tls_pair_peer(&pair, tls_certs()->user, NULL);
  SSL_CTX_set_session_cache_mode(pair.peer_ctx, SSL_SESS_CACHE_CLIENT);
  SSL_CTX_sess_set_new_cb(pair.peer_ctx, keep_session);
  assert_int_equal(connect_again(&pair), 0);
  assert_int_equal(tls_pair_start(&pair), 0);
  SSL_set_session(pair.peer, kept);
  tls_pair_run(&pair);
  assert_int_equal(pair.opened, 1);
  assert_int_equal(SSL_session_reused(pair.peer), 1);
  SSL_SESSION_free(kept);
  kept = NULL;
  tls_pair_end(&pair);
}

TEST_CASE(a_flood_of_tickets_is_bounded) {
  tls_pair_t pair;
  tls_pair_make(&pair, 0, UVOW_TLS_1_3);
  connect_again(&pair);
  pair.port = 1;
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_run(&pair);
  for (int i = 0; i < 200; i++) {
    assert_int_equal(SSL_new_session_ticket(pair.peer), 1);
    tls_pair_say(&pair, "x", 1);
    tls_pair_run(&pair);
  }
  assert_int_equal(pair.got_len, 200);
  assert_true(pair.tls->session_count <= 8);
  tls_pair_reset(&pair);
  pair.port = 443; /* another's are still there */
  assert_int_equal(connect_again(&pair), 1);
  tls_pair_end(&pair);
}

TEST_CASE(many_servers_are_forgotten_the_oldest_first) {
  tls_pair_t pair;
  tls_pair_make(&pair, 0, UVOW_TLS_1_2); /* one ticket each */
  for (uint16_t i = 0; i < 70; i++) {
    pair.port = (uint16_t)(i + 1);
    assert_int_equal(connect_again(&pair), 0);
  }
  assert_int_equal(pair.tls->session_count, 64);
  pair.port = 70;
  assert_int_equal(connect_again(&pair), 1);
  pair.port = 7;
  assert_int_equal(connect_again(&pair), 1);
  pair.port = 6;
  assert_int_equal(connect_again(&pair), 0);
  tls_pair_end(&pair);
}

TEST_CASE(a_connection_that_broke_is_not_resumed) {
  size_t len;
  tls_pair_t pair;
  tls_pair_make(&pair, 0, UVOW_TLS_1_2);
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_run(&pair);
  tls_pair_say(&pair, "evil", 4);
  uint8_t *bytes = tls_pair_take(&pair, &len);
  bytes[len - 1] ^= 1;
  script_feed(&pair.s, bytes, len);
  free(bytes);
  tls_pair_expect_end(&pair, UVOW_ETLS, "TLS failed");
  tls_pair_reset(&pair);
  assert_int_equal(connect_again(&pair), 0);
  tls_pair_end(&pair);
}

TEST_CASE(a_connection_closed_under_pressure_is_resumed) {
  tls_pair_t pair;
  tls_pair_make(&pair, 0, UVOW_TLS_1_2);
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_run(&pair);
  pair.s.block = 1;
  assert_int_equal(tls_pair_write(&pair, "x", 1), 0);
  assert_true(pair.stream->writing);
  tls_pair_reset(&pair);
  pair.s.block = 0;
  assert_int_equal(connect_again(&pair), 1);
  tls_pair_end(&pair);
}

TEST_CASE(stats_want_their_size) {
  uvow_tls_stats_t stats = {0};
  tls_pair_t pair;
  tls_pair_make(&pair, 0, 0);
  assert_int_equal(uvow_tls_get_stats(pair.tls, &stats), UVOW_EINVAL);
  assert_int_equal(uvow_tls_get_stats(NULL, &stats), UVOW_EINVAL);
  assert_int_equal(uvow_tls_get_stats(pair.tls, NULL), UVOW_EINVAL);
  tls_pair_end(&pair);
}

TEST_MODULE(tls_session) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_clients_second_connection_resumes),
      cmocka_unit_test(another_host_or_port_does_not),
      cmocka_unit_test(a_ticket_of_tls_13_is_used_once),
      cmocka_unit_test(without_resumption_none_does),
      cmocka_unit_test(a_server_lets_clients_resume),
      cmocka_unit_test(a_server_that_knows_its_clients_lets_them_resume),
      cmocka_unit_test(a_flood_of_tickets_is_bounded),
      cmocka_unit_test(many_servers_are_forgotten_the_oldest_first),
      cmocka_unit_test(a_connection_that_broke_is_not_resumed),
      cmocka_unit_test(a_connection_closed_under_pressure_is_resumed),
      cmocka_unit_test(stats_want_their_size),
  };
  return cmocka_run_group_tests_name("net/tls_session", tests, tls_setup,
                                     tls_teardown);
}
