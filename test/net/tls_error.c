/* What a failed handshake says: which flaw, which alert, which bytes. */
#include "support/tls_peer.h"

#include <stdio.h>

#include <openssl/x509v3.h>

#include "base/error.h"

/* The detail has the flaw, its date, and whose it is. */
static char *date_of(const ASN1_TIME *time) {
  static char text[64];
  struct tm tm;
  assert_int_equal(ASN1_TIME_to_tm(time, &tm), 1);
  snprintf(text, sizeof(text), "%04d-%02d-%02d %02d:%02d:%02d UTC",
           tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
           tm.tm_sec);
  return text;
}

/* A client of ours meets a server with this certificate: takes it. */
static void meet_cert(cert_t *cert, const char *host,
                      const uvow_tls_options_t *options, int status,
                      const char *a, const char *b) {
  uvow_tls_options_t own = tls_options(0);
  tls_pair_t pair;
  tls_pair_init(&pair);
  tls_pair_ours(&pair, options ? options : &own);
  tls_pair_peer(&pair, cert, NULL);
  pair.host = host;
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_run(&pair);
  assert_int_equal(pair.opened, status == 0);
  if (status) {
    tls_pair_expect_end(&pair, UVOW_ECERT, a, b, host);
    assert_int_equal(uvow_error_status(pair.error), status);
    assert_int_equal(uvow_error_outcome(pair.error), UVOW_OUTCOME_NONE);
    assert_int_equal(pair.peer_error, SSL_ERROR_SSL); /* it was told, too */
  } else {
    assert_false(pair.ended);
  }
  tls_pair_end(&pair);
  cert_free(cert);
}

static cert_t *new_cert(const char *name, const char *hosts, long from,
                        long to) {
  cert_spec_t spec = {0};
  spec.name = name;
  spec.hosts = hosts;
  spec.issuer = tls_certs()->ca;
  spec.from = from;
  spec.to = to;
  return cert_new(&spec);
}

TEST_CASE(a_good_certificate_is_accepted) {
  meet_cert(cert_new_localhost(tls_certs()->ca), "localhost", NULL, 0, "", "");
  meet_cert(cert_new_localhost(tls_certs()->ca), "127.0.0.1", NULL, 0, "", "");
  meet_cert(cert_new_localhost(tls_certs()->ca), "::1", NULL, 0, "", "");
}

TEST_CASE(an_expired_one_is_told_with_its_date) {
  cert_t *cert = new_cert("old", "DNS:localhost", -9 * CERT_DAY, -2 * CERT_DAY);
  meet_cert(cert, "localhost", NULL, X509_V_ERR_CERT_HAS_EXPIRED,
            "/CN=old expired on ", date_of(X509_get0_notAfter(cert->x509)));
}

TEST_CASE(one_of_the_future_is_told_with_its_date) {
  cert_t *cert = new_cert("new", "DNS:localhost", CERT_DAY, 9 * CERT_DAY);
  meet_cert(cert, "localhost", NULL, X509_V_ERR_CERT_NOT_YET_VALID,
            "/CN=new is not valid before ",
            date_of(X509_get0_notBefore(cert->x509)));
}

TEST_CASE(a_self_signed_one_is_told) {
  meet_cert(cert_new_localhost(NULL), "localhost", NULL,
            X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "/CN=localhost",
            "self-signed");
}

TEST_CASE(a_self_signed_one_that_is_trusted_is_accepted) {
  cert_t *cert = cert_new_localhost(NULL);
  uvow_tls_options_t options = tls_options(0);
  options.ca_pem = cert->pem;
  meet_cert(cert, "localhost", &options, 0, "", "");
}

TEST_CASE(one_that_is_trusted_itself_is_accepted) {
  cert_t *cert = cert_new_localhost(tls_certs()->ca);
  uvow_tls_options_t options = tls_options(0);
  options.ca_pem = cert->pem;
  meet_cert(cert, "localhost", &options, 0, "", "");
}

TEST_CASE(an_unknown_issuer_is_named) {
  cert_t *other = cert_new_ca("Another CA");
  meet_cert(cert_new_localhost(other), "localhost", NULL,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "unknown issuer",
            "/CN=Another CA");
  cert_free(other);
}

TEST_CASE(an_unknown_root_that_is_sent_is_named) {
  cert_t *other = cert_new_ca("Another CA");
  cert_t *cert = cert_new_localhost(other);
  tls_pair_t pair;
  tls_pair_make(&pair, 0, 0);
  tls_pair_peer(&pair, cert, NULL);
  SSL_CTX_add1_chain_cert(pair.peer_ctx, other->x509);
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_run(&pair);
  tls_pair_expect_end(&pair, UVOW_ECERT, "/CN=Another CA",
                      "of a CA that is not trusted");
  tls_pair_end(&pair);
  cert_free(cert);
  cert_free(other);
}

TEST_CASE(the_systems_cas_do_not_know_ours) {
  uvow_tls_options_t options = tls_options(0);
  options.ca_pem = NULL;
  meet_cert(cert_new_localhost(tls_certs()->ca), "localhost", &options,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "unknown issuer",
            "/CN=Test CA");
}

TEST_CASE(the_systems_cas_and_ours_add_up) {
  uvow_tls_options_t options = tls_options(0);
  options.add_system_cas = 1;
  meet_cert(cert_new_localhost(tls_certs()->ca), "localhost", &options, 0, "",
            "");
}

TEST_CASE(another_host_is_told_with_the_names_there_are) {
  meet_cert(new_cert("localhost", "DNS:a.test,DNS:*.b.test,IP:10.0.0.1", 0, 0),
            "localhost", NULL, X509_V_ERR_HOSTNAME_MISMATCH,
            "is not for localhost", "but for a.test, *.b.test, 10.0.0.1");
}

/* The root's dot is no part of it; a name may be as short as a letter. */
TEST_CASE(hosts_of_any_length) {
  meet_cert(new_cert("x", "DNS:h", 0, 0), "h.", NULL, 0, "", "");
  meet_cert(new_cert("x", "DNS:h", 0, 0), "h", NULL, 0, "", "");
  meet_cert(new_cert("x", "DNS:h", 0, 0), "i", NULL,
            X509_V_ERR_HOSTNAME_MISMATCH, "is not for i", "but for h");
}

TEST_CASE(another_address_is_told) {
  meet_cert(new_cert("x", "DNS:127.0.0.1,IP:10.0.0.1,IP:fe80::2", 0, 0),
            "127.0.0.1", NULL, X509_V_ERR_IP_ADDRESS_MISMATCH,
            "is not for 127.0.0.1", "10.0.0.1, fe80::2");
}

TEST_CASE(a_common_name_alone_is_no_host) {
  meet_cert(new_cert("localhost", NULL, 0, 0), "localhost", NULL,
            X509_V_ERR_HOSTNAME_MISMATCH, "not for localhost",
            "no host at all");
}

TEST_CASE(a_wildcard_stands_for_one_whole_label) {
  meet_cert(new_cert("w", "DNS:*.b.test", 0, 0), "a.b.test", NULL, 0, "", "");
  meet_cert(new_cert("w", "DNS:*.b.test", 0, 0), "x.a.b.test", NULL,
            X509_V_ERR_HOSTNAME_MISMATCH, "*.b.test", "");
  meet_cert(new_cert("w", "DNS:a*.b.test", 0, 0), "ab.b.test", NULL,
            X509_V_ERR_HOSTNAME_MISMATCH, "a*.b.test", "");
}

TEST_CASE(what_a_certificate_says_is_shown_harmless) {
  meet_cert(new_cert("evil\r\nname\x1b[2J",
                     "DNS:a b,DNS:"
                     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
                     "ffffffffffffffffffffffff,DNS:1,DNS:2,DNS:3,DNS:4,DNS:5,"
                     "DNS:6,DNS:7,DNS:8,DNS:9",
                     0, 0),
            "localhost", NULL, X509_V_ERR_HOSTNAME_MISMATCH,
            "evil\\x0D\\x0Aname\\x1B[2J",
            "a?b, ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            "ffff..., 1, 2, 3, 4, 5, 6, ...");
}

TEST_CASE(a_revoked_one_is_told) {
  cert_t *cert = cert_new_localhost(tls_certs()->ca);
  char *crl = cert_crl(tls_certs()->ca, cert);
  uvow_tls_options_t options = tls_options(0);
  options.crl_pem = crl;
  meet_cert(cert_new_localhost(tls_certs()->ca), "localhost", &options, 0, "",
            "");
  meet_cert(cert, "localhost", &options, X509_V_ERR_CERT_REVOKED,
            "/CN=localhost", "was revoked");
  free(crl);
}

TEST_CASE(without_verification_any_will_do) {
  uvow_tls_options_t options = tls_options(0);
  options.ca_pem = NULL;
  options.insecure_no_verify = 1;
  meet_cert(cert_new_localhost(NULL), "other.test", &options, 0, "", "");
  meet_cert(new_cert("x", NULL, -9 * CERT_DAY, -CERT_DAY), "10.1.1.1", &options,
            0, "", "");
}

/* What wasn't to be looked at isn't blamed for something else. */
TEST_CASE(without_verification_other_trouble_is_told) {
  uvow_tls_options_t options = tls_options(0);
  cert_t *cert = cert_new_localhost(NULL);
  tls_pair_t pair;
  size_t len;
  options.insecure_no_verify = 1;
  tls_pair_init(&pair);
  tls_pair_ours(&pair, &options);
  tls_pair_peer(&pair, cert, NULL);
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_run(&pair);
  tls_pair_say(&pair, "evil", 4);
  uint8_t *bytes = tls_pair_take(&pair, &len);
  bytes[len - 1] ^= 1;
  script_feed(&pair.s, bytes, len);
  free(bytes);
  tls_pair_expect_end(&pair, UVOW_ETLS, "TLS failed");
  tls_pair_end(&pair);
  cert_free(cert);
}

TEST_CASE(without_a_host_check_the_rest_counts) {
  uvow_tls_options_t options = tls_options(0);
  options.insecure_no_host_check = 1;
  meet_cert(new_cert("x", NULL, 0, 0), "other.test", &options, 0, "", "");
  meet_cert(new_cert("x", NULL, 0, 0), "10.1.1.1", &options, 0, "", "");
  meet_cert(cert_new_localhost(NULL), "localhost", &options,
            X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "self-signed", "");
}

/* Client certificates. */

static void meet_user(const cert_t *user, uvow_tls_client_certs_t wanted,
                      int code, const char *word) {
  uvow_tls_options_t options = tls_options(1);
  tls_pair_t pair;
  options.client_certs = wanted;
  options.ca_pem = tls_certs()->ca->pem;
  for (int version = UVOW_TLS_1_2; version <= UVOW_TLS_1_3; version++) {
    options.max_version = (uvow_tls_version_t)version;
    tls_pair_init(&pair);
    tls_pair_ours(&pair, &options);
    tls_pair_peer(&pair, user, NULL);
    assert_int_equal(tls_pair_start(&pair), 0);
    tls_pair_run(&pair);
    assert_int_equal(pair.opened, code == 0);
    if (code)
      tls_pair_expect_end(&pair, code, "the peer", word);
    tls_pair_end(&pair);
  }
}

TEST_CASE(a_server_that_requires_certificates_says_what_is_wrong) {
  cert_t *foreign = cert_new_localhost(NULL);
  const cert_t *user = tls_certs()->user;
  meet_user(user, UVOW_TLS_CLIENT_CERT_REQUIRED, 0, "");
  meet_user(user, UVOW_TLS_CLIENT_CERT_OPTIONAL, 0, "");
  meet_user(user, UVOW_TLS_CLIENT_CERT_NONE, 0, "");
  meet_user(NULL, UVOW_TLS_CLIENT_CERT_OPTIONAL, 0, "");
  meet_user(NULL, UVOW_TLS_CLIENT_CERT_REQUIRED, UVOW_ECERT,
            "sent no certificate");
  meet_user(foreign, UVOW_TLS_CLIENT_CERT_OPTIONAL, UVOW_ECERT, "self-signed");
  meet_user(foreign, UVOW_TLS_CLIENT_CERT_REQUIRED, UVOW_ECERT, "self-signed");
  cert_free(foreign);
}

TEST_CASE(a_server_names_the_cas_it_wants) {
  uvow_tls_options_t options = tls_options(1);
  tls_pair_t pair;
  options.client_certs = UVOW_TLS_CLIENT_CERT_REQUIRED;
  options.ca_pem = tls_certs()->ca->pem;
  tls_pair_init(&pair);
  tls_pair_ours(&pair, &options);
  tls_pair_peer(&pair, tls_certs()->user, NULL);
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_run(&pair);
  STACK_OF(X509_NAME) *names = SSL_get_client_CA_list(pair.peer);
  assert_int_equal(sk_X509_NAME_num(names), 1);
  assert_int_equal(X509_NAME_cmp(sk_X509_NAME_value(names, 0),
                                 X509_get_subject_name(tls_certs()->ca->x509)),
                   0);
  tls_pair_end(&pair);
}

/* A client of ours, with this certificate, and a server that wants one. */
static void show_user(const cert_t *user, uvow_tls_version_t version, int code,
                      const char *word) {
  uvow_tls_options_t options = tls_options(0);
  tls_pair_t pair;
  options.max_version = version;
  options.cert_pem = user ? user->pem : NULL;
  options.key_pem = user ? user->key_pem : NULL;
  tls_pair_init(&pair);
  tls_pair_ours(&pair, &options);
  tls_pair_peer(&pair, tls_certs()->good, tls_certs()->ca);
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_run(&pair);
  if (code) {
    tls_pair_expect_end(&pair, code, word);
    assert_true(uvow_error_status(pair.error) > 0);
  } else {
    X509 *shown = SSL_get0_peer_certificate(pair.peer);
    assert_non_null(shown);
    assert_int_equal(X509_cmp(shown, user->x509), 0);
    assert_false(pair.ended);
  }
  tls_pair_end(&pair);
}

TEST_CASE(a_client_shows_its_certificate_or_hears_why_not) {
  cert_t *foreign = cert_new_localhost(NULL);
  show_user(tls_certs()->user, UVOW_TLS_1_2, 0, "");
  show_user(tls_certs()->user, UVOW_TLS_1_3, 0, "");
  show_user(NULL, UVOW_TLS_1_2, UVOW_ETLS, "alert 40, handshake failure");
  show_user(NULL, UVOW_TLS_1_3, UVOW_ETLS, "alert 116");
  show_user(foreign, UVOW_TLS_1_2, UVOW_ETLS, "alert 48, unknown CA");
  show_user(foreign, UVOW_TLS_1_3, UVOW_ETLS, "alert 48, unknown CA");
  cert_free(foreign);
}

/* Other trouble. */

/* What isn't TLS, or is none any more. */
static void meet_bytes(int is_server, const char *bytes, size_t len,
                       const char *word) {
  tls_pair_t pair;
  tls_pair_make(&pair, is_server, 0);
  assert_int_equal(tls_pair_start(&pair), 0);
  script_feed(&pair.s, bytes, len);
  if (!pair.ended)
    script_hang_up(&pair.s, 0);
  tls_pair_expect_end(&pair, UVOW_ETLS, word);
  assert_int_equal(uvow_error_outcome(pair.error), UVOW_OUTCOME_NONE);
  tls_pair_end(&pair);
}

static void meet(int is_server, const char *bytes, const char *word) {
  meet_bytes(is_server, bytes, strlen(bytes), word);
}

TEST_CASE(what_is_not_tls_is_named) {
  meet(0, "HTTP/1.1 400 Bad Request\r\n\r\n", "plain HTTP");
  meet(1, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "the peer speaks plain HTTP");
  meet(0, "\x01\x02garbage", "01 02 67 61 72 62 61 67");
  meet(1, "SSH-2.0-OpenSSH", "53 53 48 2d 32 2e 30 2d");
  meet(0, "HTTP/", "plain HTTP");
  meet(0, "x", "78");
  meet(1, "POST / HTTP/1.1\r\n\r\n", "the peer speaks plain HTTP");
  meet(1, "HEAD / HTTP/1.1\r\n\r\n", "the peer speaks plain HTTP");
  meet(1, "\x16\x02\x01\x01", "its first bytes are 16 02 01 01");
  meet(0, "\x15\x02\x01\x01", "its first bytes are 15 02 01 01");
  meet(1, "\x16", "the peer ended the connection");
  meet(0, "\x15", "ended the connection in the TLS handshake");
  meet(0, "", "ended the connection in the TLS handshake");
  meet(1, "\x16\x03\x01", "the peer ended the connection");
  meet_bytes(0, "\x16\x03\x03\x00\x05\x63garb", 10, "handshake failed: ");
  meet_bytes(0, "\x15\x03\x03\x00\x02\x02\x28", 7, "alert 40");
}

TEST_CASE(a_loss_in_the_handshake_names_its_cause) {
  tls_pair_t pair;
  tls_pair_make(&pair, 0, 0);
  assert_int_equal(tls_pair_start(&pair), 0);
  script_hang_up(&pair.s, UV_ECONNRESET);
  tls_pair_expect_end(&pair, UVOW_ETLS, "connection reset by peer");
  assert_int_equal(uvow_error_code(uvow_error_cause(pair.error)),
                   UV_ECONNRESET);
  tls_pair_end(&pair);
}

TEST_CASE(a_peers_alert_is_named) {
  tls_pair_t pair;
  tls_pair_make(&pair, 0, 0);
  tls_pair_peer(&pair, NULL, NULL); /* it has no certificate */
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_run(&pair);
  tls_pair_expect_end(&pair, UVOW_ETLS, "alert 40", "handshake failure");
  assert_int_equal(uvow_error_status(pair.error), 40);
  tls_pair_end(&pair);
}

TEST_CASE(an_old_version_is_refused_in_both_roles) {
  tls_pair_t pair;
  for (int role = 0; role < 2; role++) {
    uvow_tls_options_t options = tls_options(role);
    options.min_version = UVOW_TLS_1_3;
    tls_pair_init(&pair);
    tls_pair_ours(&pair, &options);
    tls_pair_peer(&pair, role ? NULL : tls_certs()->good, NULL);
    SSL_CTX_set_max_proto_version(pair.peer_ctx, TLS1_2_VERSION);
    assert_int_equal(tls_pair_start(&pair), 0);
    tls_pair_run(&pair);
    if (role)
      tls_pair_expect_end(&pair, UVOW_ETLS, "no version of TLS from 1.3");
    else
      tls_pair_expect_end(&pair, UVOW_ETLS, "alert 70", "protocol version");
    tls_pair_end(&pair);
  }
}

TEST_MODULE(tls_error) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_good_certificate_is_accepted),
      cmocka_unit_test(an_expired_one_is_told_with_its_date),
      cmocka_unit_test(one_of_the_future_is_told_with_its_date),
      cmocka_unit_test(a_self_signed_one_is_told),
      cmocka_unit_test(a_self_signed_one_that_is_trusted_is_accepted),
      cmocka_unit_test(one_that_is_trusted_itself_is_accepted),
      cmocka_unit_test(an_unknown_issuer_is_named),
      cmocka_unit_test(an_unknown_root_that_is_sent_is_named),
      cmocka_unit_test(the_systems_cas_do_not_know_ours),
      cmocka_unit_test(the_systems_cas_and_ours_add_up),
      cmocka_unit_test(another_host_is_told_with_the_names_there_are),
      cmocka_unit_test(hosts_of_any_length),
      cmocka_unit_test(another_address_is_told),
      cmocka_unit_test(a_common_name_alone_is_no_host),
      cmocka_unit_test(a_wildcard_stands_for_one_whole_label),
      cmocka_unit_test(what_a_certificate_says_is_shown_harmless),
      cmocka_unit_test(a_revoked_one_is_told),
      cmocka_unit_test(without_verification_any_will_do),
      cmocka_unit_test(without_verification_other_trouble_is_told),
      cmocka_unit_test(without_a_host_check_the_rest_counts),
      cmocka_unit_test(a_server_that_requires_certificates_says_what_is_wrong),
      cmocka_unit_test(a_server_names_the_cas_it_wants),
      cmocka_unit_test(a_client_shows_its_certificate_or_hears_why_not),
      cmocka_unit_test(what_is_not_tls_is_named),
      cmocka_unit_test(a_loss_in_the_handshake_names_its_cause),
      cmocka_unit_test(a_peers_alert_is_named),
      cmocka_unit_test(an_old_version_is_refused_in_both_roles),
  };
  return cmocka_run_group_tests_name("net/tls_error", tests, tls_setup,
                                     tls_teardown);
}
