/* TLS where files can't be read, and OpenSSL has no memory. */
#include "support/faults.h"
#include "support/folder.h"
#include "support/tls_peer.h"

#include "net/tls_private.h"

static int count_trusted(const uvow_tls_options_t *options) {
  uvow_tls_t *tls = NULL;
  script_t s;
  script_init(&s);
  assert_int_equal(uvow_tls_new(s.loop, options, &tls, NULL), 0);
  /* the engine's first member: see tls_openssl.c */
  SSL_CTX *ctx = *(SSL_CTX **)(void *)tls->engine;
  X509_STORE *store = SSL_CTX_get_cert_store(ctx);
  int count = sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
  uvow_tls_unref(tls);
  script_end(&s);
  return count;
}

/* Where the first files aren't there, others are looked for, and then the
 * directory. */
TEST_CASE(the_systems_cas_are_in_several_places) {
  uvow_tls_options_t o = {.size = sizeof(o), .no_environment = 1};
  for (size_t missing = 1; missing <= 5; missing += 4) {
    faults_begin("uv_fs_open", UV_ENOENT, 1, missing);
    assert_true(count_trusted(&o) > 10);
    assert_true(faults_end() >= 1);
  }
}

TEST_CASE(a_system_without_cas_says_so) {
  uvow_tls_options_t o = {.size = sizeof(o), .no_environment = 1};
  uvow_tls_t *tls = NULL;
  uvow_error_t *error = NULL;
  script_t s;
  faults_begin("uv_fs_open", UV_ENOENT, 1, SIZE_MAX);
  script_init(&s);
  assert_int_equal(uvow_tls_new(s.loop, &o, &tls, &error), UVOW_ETLS);
  assert_true(faults_end() > 4);
  assert_non_null(strstr(uvow_error_message(error), "the system's CAs"));
  assert_non_null(strstr(uvow_error_message(error), "name some with ca_file"));
  uvow_error_unref(error);
  script_end(&s);
}

/* What can't be opened or read is said; that it can't be closed is no matter. */
static void body_of_calls(void *data) {
  test_alloc_t alloc;
  uvow_tls_options_t o = tls_options(1);
  const folder_t *folder = (const folder_t *)data;
  char path[FOLDER_PATH];
  uvow_tls_t *tls = NULL;
  uvow_error_t *error = NULL;
  script_t s;
  test_alloc_init(&alloc);
  script_init_with(&s, &alloc);
  if (s.loop) {
    o.client_certs = UVOW_TLS_CLIENT_CERT_OPTIONAL;
    o.ca_file = folder_file(folder, "ca.pem", NULL, path);
    if (uvow_tls_new(s.loop, &o, &tls, &error)) {
      assert_int_equal(uvow_error_code(error), UV_EBADF);
      assert_non_null(strstr(uvow_error_message(error), "ca_file "));
    }
  }
  uvow_error_unref(error);
  uvow_tls_unref(tls);
  script_quit(&s);
  assert_int_equal(alloc.live, 0);
}

TEST_CASE(every_call_of_libuvs_may_fail) {
  char path[FOLDER_PATH];
  folder_t folder;
  folder_make(&folder);
  folder_file(&folder, "ca.pem", tls_certs()->ca->pem, path);
  faults_sweep(UV_EBADF, body_of_calls, &folder);
  folder_remove(&folder);
}

/* OpenSSL's failures: each is said, and nothing is left. */
TEST_CASE(what_openssl_refuses_is_said) {
  static const struct {
    const char *call;
    int is_server;
    int code;
  } cases[] = {
      {"BIO_meth_new", 0, UVOW_ENOMEM},
      {"SSL_CTX_new", 0, UVOW_ENOMEM},
      {"SSL_CTX_new", 1, UVOW_ENOMEM},
      {"SSL_CTX_set_session_id_context", 0, UVOW_ENOMEM},
      {"SSL_CTX_set_alpn_protos", 0, UVOW_ENOMEM},
      {"BIO_new_mem_buf", 0, UVOW_ETLS},
      {"X509_STORE_add_cert", 0, UVOW_ETLS},
      {"X509_STORE_add_crl", 0, UVOW_ETLS},
      {"SSL_CTX_add_client_CA", 1, UVOW_ETLS},
      {"SSL_CTX_use_certificate", 1, UVOW_ETLS},
      {"SSL_CTX_use_PrivateKey", 1, UVOW_ETLS},
  };
  char *crl = cert_crl(tls_certs()->ca, NULL);
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    uvow_tls_options_t o = tls_options(cases[i].is_server);
    uvow_tls_t *tls = NULL;
    uvow_error_t *error = NULL;
    script_t s;
    script_init(&s);
    o.ca_pem = tls_certs()->ca->pem;
    o.crl_pem = crl;
    if (cases[i].is_server)
      o.client_certs = UVOW_TLS_CLIENT_CERT_OPTIONAL;
    faults_begin(cases[i].call, 0, 1, 1);
    int rc = uvow_tls_new(s.loop, &o, &tls, &error);
    if (faults_end() != 1 || rc != cases[i].code)
      fail_msg("%s: %s", cases[i].call, uvow_err_name(rc));
    assert_null(tls);
    assert_int_equal(uvow_error_code(error), rc);
    uvow_error_unref(error);
    script_end(&s);
  }
  free(crl);
}

/* Those behind the peer's own calls. */
TEST_CASE(a_connection_that_openssl_refuses_is_none) {
  static const struct {
    const char *call;
    const char *host;
    size_t at;
  } cases[] = {
      {"SSL_new", "localhost", 2},
      {"BIO_new", "localhost", 3},
      {"SSL_set_ex_data", "localhost", 1},
      {"X509_VERIFY_PARAM_set1_host", "localhost", 1},
      {"X509_VERIFY_PARAM_set1_ip", "127.0.0.1", 1},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    tls_pair_t pair;
    tls_pair_make(&pair, 0, (uvow_tls_version_t)0);
    pair.host = cases[i].host;
    faults_begin(cases[i].call, 0, cases[i].at, 1);
    int rc = tls_pair_start(&pair);
    if (faults_end() != 1 || rc != UVOW_ENOMEM)
      fail_msg("%s: %s", cases[i].call, uvow_err_name(rc));
    assert_null(pair.stream);
    tls_pair_end(&pair);
  }
}

TEST_MODULE(tls_faults) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_systems_cas_are_in_several_places),
      cmocka_unit_test(a_system_without_cas_says_so),
      cmocka_unit_test(every_call_of_libuvs_may_fail),
      cmocka_unit_test(what_openssl_refuses_is_said),
      cmocka_unit_test(a_connection_that_openssl_refuses_is_none),
  };
  return cmocka_run_group_tests_name("net/tls_faults", tests, tls_setup,
                                     tls_teardown);
}
