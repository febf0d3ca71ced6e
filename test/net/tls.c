/* TLS streams on a scripted one, with OpenSSL as the peer. */
#include "support/tls_peer.h"

#include <stdio.h>

#include "base/error.h"

#define BIG ((size_t)16 * 1024 * 1024)
#define PART_MAX ((size_t)65536 + 65536 / 100) /* a part, sealed */

static void expect_got(const tls_pair_t *pair, const char *text) {
  assert_int_equal(pair->got_len, strlen(text));
  assert_memory_equal(pair->got, text, strlen(text));
}

static void expect_peer_got(const tls_pair_t *pair, const char *text) {
  assert_int_equal(pair->peer_got_len, strlen(text));
  assert_memory_equal(pair->peer_got, text, strlen(text));
}

static const uvow_tls_version_t versions[] = {UVOW_TLS_1_2, UVOW_TLS_1_3};

TEST_CASE(both_roles_and_versions_talk) {
  for (int i = 0; i < 4; i++) {
    tls_pair_t pair;
    tls_pair_open(&pair, i % 2, versions[i / 2]);
    assert_int_equal(SSL_version(pair.peer), (int)versions[i / 2]);
    tls_pair_say(&pair, "hello", 5);
    assert_int_equal(tls_pair_write(&pair, "world!", 6), 0);
    assert_false(pair.stream->writing);
    tls_pair_run(&pair);
    expect_got(&pair, "hello");
    expect_peer_got(&pair, "world!");
    assert_int_equal(pair.drained, 0);
    tls_pair_end(&pair);
  }
}

/* Told twice, the io below is paused once, and goes on once. */
TEST_CASE(a_pause_counts_once) {
  for (int is_server = 0; is_server < 2; is_server++) {
    tls_pair_t pair;
    tls_pair_open(&pair, is_server, UVOW_TLS_1_3);
    pair.stream->ops->pause(pair.stream, 1);
    pair.stream->ops->pause(pair.stream, 1);
    assert_int_equal(pair.s.paused, 1);
    pair.stream->ops->pause(pair.stream, 0);
    pair.stream->ops->pause(pair.stream, 0);
    script_turns(&pair.s);
    assert_int_equal(pair.s.paused, 0);
    tls_pair_say(&pair, "hello", 5);
    tls_pair_run(&pair);
    expect_got(&pair, "hello");
    tls_pair_end(&pair);
  }
}

static void talk_in_pieces(int is_server, unsigned cut, size_t split_at) {
  tls_pair_t pair;
  tls_pair_make(&pair, is_server, UVOW_TLS_1_3);
  pair.s.cut = cut;
  pair.split_at = split_at;
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_run(&pair);
  assert_int_equal(pair.opened, 1);
  tls_pair_say(&pair, "one", 3);
  tls_pair_say(&pair, "two", 3);
  SSL_shutdown(pair.peer);
  tls_pair_run(&pair);
  expect_got(&pair, "onetwo");
  tls_pair_expect_end(&pair, 0, "");
  tls_pair_end(&pair);
}

TEST_CASE(it_reads_one_byte_at_a_time) {
  talk_in_pieces(0, 1, 0);
  talk_in_pieces(1, 1, 0);
}

TEST_CASE(it_reads_random_pieces) {
  for (unsigned seed = 2; seed < 12; seed++)
    talk_in_pieces(seed & 1, seed * 7919, 0);
}

/* At each place around the edges of records, and at many within. */
TEST_CASE(it_reads_bytes_split_anywhere) {
  for (size_t at = 1; at < 1400; at += at < 8 ? 1 : 31) {
    talk_in_pieces(0, 0, at);
    talk_in_pieces(1, 0, at);
  }
}

TEST_CASE(a_server_sees_the_name_but_no_address) {
  static const char *const hosts[][2] = {{"localhost", "localhost"},
                                         {"localhost.", "localhost"},
                                         {"127.0.0.1", NULL},
                                         {"::1", NULL}};
  for (size_t i = 0; i < 4; i++) {
    tls_pair_t pair;
    tls_pair_make(&pair, 0, UVOW_TLS_1_3);
    pair.host = hosts[i][0];
    assert_int_equal(tls_pair_start(&pair), 0);
    tls_pair_run(&pair);
    assert_int_equal(pair.opened, 1);
    const char *name = SSL_get_servername(pair.peer, TLSEXT_NAMETYPE_host_name);
    if (hosts[i][1])
      assert_string_equal(name, hosts[i][1]);
    else
      assert_null(name);
    tls_pair_end(&pair);
  }
}

TEST_CASE(a_name_no_host_has_is_refused) {
  char name[300];
  tls_pair_t pair;
  memset(name, 'a', sizeof(name) - 1);
  name[sizeof(name) - 1] = '\0';
  tls_pair_make(&pair, 0, 0);
  pair.host = name;
  assert_int_equal(tls_pair_start(&pair), UVOW_EINVAL);
  tls_pair_end(&pair);
}

TEST_CASE(alpn_is_http11_in_both_roles) {
  static const unsigned char h2_and_http11[] = "\x02h2\x08http/1.1";
  const unsigned char *name;
  unsigned len;
  tls_pair_t pair;
  tls_pair_open(&pair, 0, 0);
  SSL_get0_alpn_selected(pair.peer, &name, &len);
  assert_int_equal(len, 8);
  assert_memory_equal(name, "http/1.1", 8);
  tls_pair_end(&pair);
  tls_pair_make(&pair, 1, 0);
  SSL_CTX_set_alpn_protos(pair.peer_ctx, h2_and_http11, 12);
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_run(&pair);
  SSL_get0_alpn_selected(pair.peer, &name, &len);
  assert_int_equal(len, 8);
  assert_memory_equal(name, "http/1.1", 8);
  tls_pair_end(&pair);
}

static int choose_h2(SSL *ssl, const unsigned char **ret, unsigned char *len,
                     const unsigned char *offered, unsigned offered_len,
                     void *data) {
  (void)ssl;
  (void)data;
  (void)offered;
  (void)offered_len;
  *ret = (const unsigned char *)"h2";
  *len = 2;
  return SSL_TLSEXT_ERR_OK;
}

TEST_CASE(another_protocol_is_refused_in_both_roles) {
  tls_pair_t pair;
  tls_pair_make(&pair, 0, 0);
  SSL_CTX_set_alpn_select_cb(pair.peer_ctx, choose_h2, NULL);
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_run(&pair);
  assert_int_equal(pair.opened, 0);
  tls_pair_expect_end(&pair, UVOW_ETLS, "bad extension", "localhost");
  tls_pair_end(&pair);
  tls_pair_make(&pair, 1, 0);
  SSL_CTX_set_alpn_protos(pair.peer_ctx, (const unsigned char *)"\x02h2", 3);
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_run(&pair);
  tls_pair_expect_end(&pair, UVOW_ETLS, "no application protocol");
  assert_int_equal(pair.peer_error, SSL_ERROR_SSL);
  tls_pair_end(&pair);
}

/* Bytes that a shift or a gap shows in. */
static uint8_t *pattern(size_t len) {
  uint8_t *bytes = (uint8_t *)malloc(len);
  assert_non_null(bytes);
  for (size_t i = 0; i < len; i++)
    bytes[i] = (uint8_t)(i * 31 + i / 251);
  return bytes;
}

TEST_CASE(much_is_written_in_parts_that_leave_one_by_one) {
  uint8_t *bytes = pattern(BIG);
  tls_pair_t pair;
  for (int version = 0; version < 2; version++) {
    tls_pair_open(&pair, version, versions[version]);
    int writes = pair.s.writes;
    pair.s.block = 1;
    assert_int_equal(tls_pair_write(&pair, bytes, BIG), 0);
    while (pair.stream->writing) {
      assert_true(pair.s.sent_len > 0 && pair.s.sent_len < PART_MAX);
      assert_int_equal(pair.drained, 0);
      tls_pair_to_peer(&pair);
      script_unblock(&pair.s);
    }
    tls_pair_to_peer(&pair);
    assert_int_equal(pair.drained, 1);
    assert_int_equal(pair.s.writes - writes, BIG / 65536);
    assert_int_equal(pair.peer_got_len, BIG);
    assert_memory_equal(pair.peer_got, bytes, BIG);
    tls_pair_end(&pair);
  }
  free(bytes);
}

TEST_CASE(much_is_read_in_large_pieces) {
  uint8_t *bytes = pattern(BIG);
  tls_pair_t pair;
  tls_pair_open(&pair, 0, 0);
  tls_pair_say(&pair, bytes, BIG);
  tls_pair_to_us(&pair);
  assert_int_equal(pair.got_len, BIG);
  assert_memory_equal(pair.got, bytes, BIG);
  assert_true(pair.reads <= BIG / 49152 + 1);
  free(bytes);
  tls_pair_end(&pair);
}

TEST_CASE(steady_traffic_takes_no_memory) {
  char text[1000] = {0};
  tls_pair_t pair;
  tls_pair_open(&pair, 0, 0);
  size_t calls = 0;
  for (int i = 0; i < 20; i++) {
    uvow__buf_t out;
    if (i == 3)
      calls = pair.s.alloc->calls;
    uvow__buf_init(&out, uvow__loop_mem(pair.s.loop), SIZE_MAX);
    uvow__loop_lend_write(pair.s.loop, &out);
    assert_int_equal(uvow__buf_append(&out, text, sizeof(text)), 0);
    assert_int_equal(pair.stream->ops->write(pair.stream, &out), 0);
    assert_int_equal(out.cap, 0);
    tls_pair_say(&pair, text, sizeof(text));
    tls_pair_run(&pair);
  }
  assert_int_equal(pair.s.alloc->calls, calls);
  assert_int_equal(pair.got_len, 20 * sizeof(text));
  tls_pair_end(&pair);
}

TEST_CASE(parts_share_their_memory) {
  size_t len = 1024 * 1024;
  uint8_t *bytes = pattern(len);
  size_t calls = 0;
  tls_pair_t pair;
  tls_pair_open(&pair, 0, 0);
  for (int i = 0; i < 3; i++) {
    calls = pair.s.alloc->calls;
    assert_int_equal(tls_pair_write(&pair, bytes, len), 0);
    tls_pair_run(&pair);
  }
  assert_true(pair.s.alloc->calls - calls < 16); /* there are 16 parts */
  assert_int_equal(pair.peer_got_len, 3 * len);
  free(bytes);
  tls_pair_end(&pair);
}

TEST_CASE(a_close_notify_behind_data_loses_none) {
  tls_pair_t pair;
  tls_pair_open(&pair, 0, 0);
  for (int i = 0; i < 100; i++)
    tls_pair_say(&pair, "0123456789", 10);
  SSL_shutdown(pair.peer);
  tls_pair_to_us(&pair);
  assert_int_equal(pair.got_len, 1000);
  assert_int_equal(pair.reads, 1);
  tls_pair_expect_end(&pair, 0, "");
  assert_null(pair.error);
  script_hang_up(&pair.s, 0); /* what follows is no second end */
  assert_int_equal(pair.ended, 1);
  tls_pair_end(&pair);
}

/* R9: a record that comes slowly isn't silence, though there's nothing to read
 * before its last byte. */
TEST_CASE(a_part_of_a_record_is_heard) {
  tls_pair_t pair;
  tls_pair_open(&pair, 0, 0);
  pair.s.cut = 1; /* byte by byte */
  tls_pair_say(&pair, "0123456789", 10);
  size_t reads = pair.reads;
  pair.heard = 0;
  tls_pair_to_us(&pair);
  expect_got(&pair, "0123456789");
  assert_int_equal(pair.reads, reads + 1);
  assert_true(pair.heard > 10 + 5); /* header, tag, and all but one */
  tls_pair_close(&pair);
  tls_pair_end(&pair);
}

TEST_CASE(an_end_without_close_notify_is_an_error) {
  tls_pair_t pair;
  tls_pair_open(&pair, 0, 0);
  tls_pair_say(&pair, "half of ", 8);
  tls_pair_run(&pair);
  script_hang_up(&pair.s, 0);
  expect_got(&pair, "half of ");
  tls_pair_expect_end(&pair, UVOW_ELOST, "without a TLS close", "localhost");
  int writes = pair.s.writes;
  tls_pair_close(&pair); /* nobody is there to be told */
  assert_int_equal(pair.s.writes, writes);
  tls_pair_end(&pair);
}

TEST_CASE(an_error_below_is_passed_on) {
  tls_pair_t pair;
  tls_pair_open(&pair, 0, 0);
  script_hang_up(&pair.s, UV_ECONNRESET);
  tls_pair_expect_end(&pair, UV_ECONNRESET, "");
  tls_pair_end(&pair);
}

TEST_CASE(a_changed_byte_is_an_error_but_none_before_it_is_lost) {
  size_t len;
  tls_pair_t pair;
  tls_pair_open(&pair, 0, 0);
  tls_pair_say(&pair, "good", 4);
  tls_pair_say(&pair, "evil", 4);
  uint8_t *bytes = tls_pair_take(&pair, &len);
  bytes[len - 1] ^= 1;
  script_feed(&pair.s, bytes, len);
  free(bytes);
  expect_got(&pair, "good");
  tls_pair_expect_end(&pair, UVOW_ETLS, "bad record mac");
  assert_true(pair.s.sent_len > 0); /* the alert */
  tls_pair_end(&pair);
}

TEST_CASE(closing_says_so_to_the_peer) {
  tls_pair_t pair;
  for (int role = 0; role < 2; role++) {
    tls_pair_open(&pair, role, 0);
    tls_pair_write(&pair, "bye", 3);
    tls_pair_close(&pair);
    assert_int_equal(pair.closed, 1);
    tls_pair_to_peer(&pair);
    expect_peer_got(&pair, "bye");
    assert_int_equal(pair.peer_error, SSL_ERROR_ZERO_RETURN);
    tls_pair_end(&pair);
  }
}

TEST_CASE(closing_under_pressure_writes_nothing_more) {
  uint8_t *bytes = pattern(300000);
  tls_pair_t pair;
  tls_pair_open(&pair, 0, 0);
  pair.s.block = 1;
  tls_pair_write(&pair, bytes, 300000);
  int writes = pair.s.writes;
  tls_pair_close(&pair);
  assert_int_equal(pair.s.writes, writes);
  assert_int_equal(pair.closed, 1);
  free(bytes);
  tls_pair_end(&pair);
}

TEST_CASE(it_may_be_closed_at_any_step) {
  tls_pair_t pair;
  for (int i = 0; i < 2 * 8; i++) {
    tls_pair_make(&pair, i & 1, 0);
    int steps = i / 2;
    assert_int_equal(tls_pair_start(&pair), 0);
    for (int step = 0; step < steps; step++) {
      tls_pair_to_peer(&pair);
      tls_pair_to_us(&pair);
      if (pair.peer_shaken)
        tls_pair_say(&pair, "x", 1);
    }
    tls_pair_close(&pair);
    assert_int_equal(pair.closed, 1);
    assert_int_equal(pair.ended, 0);
    tls_pair_end(&pair);
  }
}

TEST_CASE(it_may_be_closed_in_each_callback) {
  tls_pair_t pair;
  for (int i = 0; i < 6; i++) {
    tls_pair_make(&pair, i & 1, 0);
    pair.act = i / 2 + 1;
    assert_int_equal(tls_pair_start(&pair), 0);
    tls_pair_run(&pair);
    if (pair.act > 1)
      tls_pair_say(&pair, "bytes", 5);
    if (pair.act > 1)
      SSL_shutdown(pair.peer);
    tls_pair_run(&pair);
    assert_null(pair.stream);
    script_turns(&pair.s);
    assert_int_equal(pair.closed, 1);
    assert_int_equal(pair.ended, pair.act == 3);
    tls_pair_end(&pair);
  }
}

TEST_CASE(nothing_is_written_before_it_is_open) {
  tls_pair_t pair;
  tls_pair_make(&pair, 0, 0);
  assert_int_equal(tls_pair_start(&pair), 0);
  size_t sent = pair.s.sent_len;
  assert_int_equal(tls_pair_write(&pair, "too soon", 8), UV_ENOTCONN);
  assert_int_equal(pair.s.sent_len, sent);
  tls_pair_end(&pair);
}

TEST_CASE(a_write_error_below_is_returned_or_ends_it) {
  tls_pair_t pair;
  tls_pair_open(&pair, 0, 0);
  pair.s.write_error = UV_EPIPE;
  assert_int_equal(tls_pair_write(&pair, "x", 1), UV_EPIPE);
  tls_pair_end(&pair);
  tls_pair_make(&pair, 0, 0);
  pair.s.write_error = UV_EPIPE;
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_expect_end(&pair, UV_EPIPE, "");
  tls_pair_end(&pair);
}

TEST_CASE(holding_is_the_lower_streams) {
  tls_pair_t pair;
  tls_pair_open(&pair, 0, 0);
  pair.stream->ops->hold(pair.stream, 0);
  assert_int_equal(pair.s.held, 0);
  pair.stream->ops->hold(pair.stream, 1);
  assert_int_equal(pair.s.held, 1);
  tls_pair_end(&pair);
}

TEST_CASE(a_key_update_is_followed) {
  tls_pair_t pair;
  for (int role = 0; role < 2; role++) {
    tls_pair_open(&pair, role, UVOW_TLS_1_3);
    for (int i = 0; i < 3; i++) {
      assert_int_equal(SSL_key_update(pair.peer, SSL_KEY_UPDATE_REQUESTED), 1);
      tls_pair_say(&pair, "new", 3);
      tls_pair_run(&pair);
      tls_pair_write(&pair, "keys", 4);
      tls_pair_run(&pair);
    }
    expect_got(&pair, "newnewnew");
    expect_peer_got(&pair, "keyskeyskeys");
    tls_pair_end(&pair);
  }
}

TEST_CASE(renegotiation_is_refused) {
  tls_pair_t pair;
  for (int role = 0; role < 2; role++) {
    tls_pair_open(&pair, role, UVOW_TLS_1_2);
    assert_int_equal(SSL_renegotiate(pair.peer), 1);
    SSL_do_handshake(pair.peer);
    tls_pair_run(&pair);
    assert_int_equal(pair.opened, 1);
    assert_int_equal(pair.peer_error, SSL_ERROR_SSL);
    tls_pair_end(&pair);
  }
}

TEST_CASE(a_peer_that_asks_and_never_reads_is_bounded) {
  tls_pair_t pair;
  tls_pair_open(&pair, 1, UVOW_TLS_1_3);
  pair.s.block = 1;
  tls_pair_write(&pair, "x", 1);
  size_t live = pair.s.alloc->live;
  for (int i = 0; i < 1000 && !pair.ended; i++) {
    SSL_key_update(pair.peer, SSL_KEY_UPDATE_REQUESTED);
    tls_pair_say(&pair, "y", 1);
    tls_pair_to_us(&pair);
  }
  assert_true(pair.s.alloc->live <= live + 2);
  assert_int_equal(pair.s.writes, 3); /* its hello, its tickets, "x" */
  tls_pair_end(&pair);
}

/* Whatever fails: it's told, once, and all is given back. */
static void talk_without_memory(test_alloc_t *alloc, void *data) {
  int is_server = *(const int *)data;
  uvow_tls_options_t options = tls_options(is_server);
  tls_pair_t pair;
  tls_pair_init_with(&pair, alloc);
  if (pair.s.loop)
    tls_pair_ours(&pair, &options);
  if (pair.tls) {
    tls_pair_peer(&pair, is_server ? NULL : tls_certs()->good, NULL);
    if (tls_pair_start(&pair) == 0) {
      tls_pair_run(&pair);
      if (pair.stream && pair.opened && !pair.ended)
        tls_pair_write(&pair, "a", 1);
      if (pair.peer_shaken)
        tls_pair_say(&pair, "b", 1);
      tls_pair_run(&pair);
    }
  }
  if (!alloc->failed) {
    expect_got(&pair, "b");
    expect_peer_got(&pair, "a");
  }
  tls_pair_quit(&pair);
}

TEST_CASE(every_allocation_may_fail) {
  int role = 0;
  test_alloc_sweep(talk_without_memory, &role);
  role = 1;
  test_alloc_sweep(talk_without_memory, &role);
}

TEST_MODULE(tls) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(both_roles_and_versions_talk),
      cmocka_unit_test(a_pause_counts_once),
      cmocka_unit_test(it_reads_one_byte_at_a_time),
      cmocka_unit_test(it_reads_random_pieces),
      cmocka_unit_test(it_reads_bytes_split_anywhere),
      cmocka_unit_test(a_server_sees_the_name_but_no_address),
      cmocka_unit_test(a_name_no_host_has_is_refused),
      cmocka_unit_test(alpn_is_http11_in_both_roles),
      cmocka_unit_test(another_protocol_is_refused_in_both_roles),
      cmocka_unit_test(much_is_written_in_parts_that_leave_one_by_one),
      cmocka_unit_test(much_is_read_in_large_pieces),
      cmocka_unit_test(steady_traffic_takes_no_memory),
      cmocka_unit_test(parts_share_their_memory),
      cmocka_unit_test(a_close_notify_behind_data_loses_none),
      cmocka_unit_test(a_part_of_a_record_is_heard),
      cmocka_unit_test(an_end_without_close_notify_is_an_error),
      cmocka_unit_test(an_error_below_is_passed_on),
      cmocka_unit_test(a_changed_byte_is_an_error_but_none_before_it_is_lost),
      cmocka_unit_test(closing_says_so_to_the_peer),
      cmocka_unit_test(closing_under_pressure_writes_nothing_more),
      cmocka_unit_test(it_may_be_closed_at_any_step),
      cmocka_unit_test(it_may_be_closed_in_each_callback),
      cmocka_unit_test(nothing_is_written_before_it_is_open),
      cmocka_unit_test(a_write_error_below_is_returned_or_ends_it),
      cmocka_unit_test(holding_is_the_lower_streams),
      cmocka_unit_test(a_key_update_is_followed),
      cmocka_unit_test(renegotiation_is_refused),
      cmocka_unit_test(a_peer_that_asks_and_never_reads_is_bounded),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests_name("net/tls", tests, tls_setup, tls_teardown);
}
