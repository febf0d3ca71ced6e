/* TLS contexts: what options are refused, and what files are read. */
#include "support/folder.h"
#include "support/tls_peer.h"

#include "net/tls_private.h"

/* These options are refused, with these words. */
static void refuse_with(const uvow_tls_options_t *options, int code,
                        const char *a, const char *b) {
  script_t s;
  uvow_tls_t *tls = NULL;
  uvow_error_t *error = NULL;
  script_init(&s);
  assert_int_equal(uvow_tls_new(s.loop, options, &tls, &error), code);
  assert_null(tls);
  assert_int_equal(uvow_error_code(error), code);
  if (!strstr(uvow_error_message(error), a) ||
      !strstr(uvow_error_message(error), b))
    fail_msg("not '%s' and '%s': %s", a, b, uvow_error_message(error));
  uvow_error_unref(error);
  assert_int_equal(uvow_tls_new(s.loop, options, &tls, NULL), code);
  script_end(&s);
}

/* With these it works: a handshake as a whole. */
static void accept_with(const uvow_tls_options_t *options) {
  tls_pair_t pair;
  tls_pair_init(&pair);
  tls_pair_ours(&pair, options);
  tls_pair_peer(&pair, options->is_server ? NULL : tls_certs()->good, NULL);
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_run(&pair);
  assert_int_equal(pair.opened, 1);
  tls_pair_end(&pair);
}

static void options_that_exclude_each_other_are_refused(void **state) {
  const tls_certs_t *c = tls_certs();
  uvow_tls_options_t o = tls_options(1);
  (void)state;
  o.cert_file = "x";
  refuse_with(&o, UVOW_EINVAL, "cert_file, cert_pem", "as a file and as text");
  o = tls_options(1);
  o.key_file = "x";
  refuse_with(&o, UVOW_EINVAL, "key_file, key_pem", "as a file and as text");
  o = tls_options(0);
  o.crl_file = o.crl_pem = "x";
  refuse_with(&o, UVOW_EINVAL, "crl_file, crl_pem", "as a file and as text");
  o = tls_options(1);
  o.key_pem = NULL;
  refuse_with(&o, UVOW_EINVAL, "key_file, key_pem", "go together");
  o = tls_options(0);
  o.key_pem = c->user->key_pem;
  refuse_with(&o, UVOW_EINVAL, "cert_file, cert_pem", "go together");
  o = tls_options(0);
  o.is_server = 1;
  refuse_with(&o, UVOW_EINVAL, "cert_file", "a server needs a certificate");
  o = tls_options(0);
  o.client_certs = UVOW_TLS_CLIENT_CERT_OPTIONAL;
  refuse_with(&o, UVOW_EINVAL, "client_certs", "only servers");
  o = tls_options(1);
  o.client_certs = UVOW_TLS_CLIENT_CERT_REQUIRED;
  refuse_with(&o, UVOW_EINVAL, "client_certs", "must know their CA");
  o.ca_pem = c->ca->pem;
  o.client_certs = (uvow_tls_client_certs_t)3;
  refuse_with(&o, UVOW_EINVAL, "client_certs", "no such value");
}

static void versions_that_are_none_are_refused(void **state) {
  uvow_tls_options_t o = tls_options(0);
  (void)state;
  o.min_version = (uvow_tls_version_t)0x0302;
  refuse_with(&o, UVOW_EINVAL, "min_version", "no such range");
  o.min_version = UVOW_TLS_1_3;
  o.max_version = UVOW_TLS_1_2;
  refuse_with(&o, UVOW_EINVAL, "max_version", "no such range");
  o.max_version = (uvow_tls_version_t)0x0305;
  refuse_with(&o, UVOW_EINVAL, "max_version", "no such range");
  o.max_version = UVOW_TLS_1_3;
  accept_with(&o);
}

static void ciphers_are_openssls(void **state) {
  uvow_tls_options_t o = tls_options(0);
  tls_pair_t pair;
  (void)state;
  o.ciphers = "NONE-OF-THESE";
  refuse_with(&o, UVOW_ETLS, "ciphers: ", "knows none");
  o = tls_options(0);
  o.ciphersuites = "NONE_OF_THESE";
  refuse_with(&o, UVOW_ETLS, "ciphersuites: ", "knows none");
  o.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305";
  o.ciphersuites = "TLS_CHACHA20_POLY1305_SHA256";
  for (int version = UVOW_TLS_1_2; version <= UVOW_TLS_1_3; version++) {
    o.max_version = (uvow_tls_version_t)version;
    tls_pair_init(&pair);
    tls_pair_ours(&pair, &o);
    tls_pair_peer(&pair, tls_certs()->good, NULL);
    assert_int_equal(tls_pair_start(&pair), 0);
    tls_pair_run(&pair);
    assert_non_null(strstr(SSL_get_cipher_name(pair.peer), "CHACHA20"));
    tls_pair_end(&pair);
  }
}

static void texts_that_are_no_pem_are_refused(void **state) {
  const tls_certs_t *c = tls_certs();
  uvow_tls_options_t o = tls_options(0);
  (void)state;
  o.ca_pem = "";
  refuse_with(&o, UVOW_ETLS, "ca_pem", "holds no such PEM");
  o.ca_pem = c->ca->key_pem;
  refuse_with(&o, UVOW_ETLS, "ca_pem", "holds no such PEM");
  o.ca_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  refuse_with(&o, UVOW_ETLS, "ca_pem", "can't be used");
  o = tls_options(0);
  o.crl_pem = c->ca->pem;
  refuse_with(&o, UVOW_ETLS, "crl_pem", "holds no such PEM");
  o = tls_options(1);
  o.cert_pem = c->good->key_pem;
  refuse_with(&o, UVOW_ETLS, "cert_pem", "holds no such PEM");
  o = tls_options(1);
  o.key_pem = c->good->pem;
  refuse_with(&o, UVOW_ETLS, "key_pem", "can't be used");
}

static void a_malformed_second_certificate_is_not_passed_over(void **state) {
  const tls_certs_t *c = tls_certs();
  uvow_tls_options_t o = tls_options(0);
  char *both = cert_join(c->ca->pem,
                         "-----BEGIN CERTIFICATE-----\nAAAA\n"
                         "-----END CERTIFICATE-----\n");
  (void)state;
  o.ca_pem = both;
  refuse_with(&o, UVOW_ETLS, "ca_pem", "can't be used");
  free(both);
}

static void a_key_of_another_certificate_is_refused(void **state) {
  uvow_tls_options_t o = tls_options(1);
  (void)state;
  o.key_pem = tls_certs()->user->key_pem;
  refuse_with(&o, UVOW_ETLS, "key_pem", "key values mismatch");
}

static void a_locked_key_needs_its_password(void **state) {
  char *locked = cert_locked_key(tls_certs()->good, "secret");
  uvow_tls_options_t o = tls_options(1);
  (void)state;
  o.key_pem = locked;
  refuse_with(&o, UVOW_ETLS, "key_pem", "can't be used");
  o.key_password = "";
  refuse_with(&o, UVOW_ETLS, "key_pem", "can't be used");
  o.key_password = "wrong";
  refuse_with(&o, UVOW_ETLS, "key_pem", "can't be used");
  o.key_password = "secret";
  accept_with(&o);
  free(locked);
}

static void files_are_read_when_it_is_made_and_never_later(void **state) {
  const tls_certs_t *c = tls_certs();
  char paths[3][FOLDER_PATH];
  folder_t folder;
  tls_pair_t pair;
  uvow_tls_options_t o = {0};
  (void)state;
  folder_make(&folder);
  char *crl = cert_crl(c->ca, NULL);
  o.size = sizeof(o);
  o.ca_file = folder_file(&folder, "ca.pem", c->ca->pem, paths[0]);
  o.crl_file = folder_file(&folder, "crl.pem", crl, paths[1]);
  tls_pair_init(&pair);
  tls_pair_ours(&pair, &o);
  folder_remove(&folder);
  tls_pair_peer(&pair, c->good, NULL);
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_run(&pair);
  assert_int_equal(pair.opened, 1);
  tls_pair_end(&pair);
  free(crl);
}

static void a_servers_files_are_read_too(void **state) {
  const tls_certs_t *c = tls_certs();
  char *both = cert_join(c->good->pem, c->good->key_pem);
  char *chain = cert_join(both, c->ca->pem);
  char path[FOLDER_PATH];
  folder_t folder;
  uvow_tls_options_t o = {0};
  (void)state;
  folder_make(&folder);
  o.size = sizeof(o);
  o.is_server = 1;
  o.cert_file = o.key_file = folder_file(&folder, "all.pem", chain, path);
  accept_with(&o);
  folder_remove(&folder);
  free(both);
  free(chain);
}

static void a_directory_is_read_whole(void **state) {
  const tls_certs_t *c = tls_certs();
  char paths[3][FOLDER_PATH];
  folder_t folder;
  uvow_tls_options_t o = {0};
  (void)state;
  folder_make(&folder);
  o.size = sizeof(o);
  o.ca_dir = folder.path;
  refuse_with(&o, UVOW_ETLS, "ca_dir", "holds no certificate");
  folder_file(&folder, "README", "not a certificate", paths[0]);
  folder_file(&folder, "another.pem", c->user->pem, paths[1]);
  folder_file(&folder, "no hash.pem", c->ca->pem, paths[2]);
  accept_with(&o);
  folder_remove(&folder);
  refuse_with(&o, UV_ENOENT, "ca_dir", folder.path);
}

static void a_file_that_is_not_there_is_named(void **state) {
  uvow_tls_options_t o = tls_options(0);
  (void)state;
  o.ca_file = "/nonexistent/ca.pem";
  refuse_with(&o, UV_ENOENT, "ca_file /nonexistent/ca.pem", "no such file");
  o.ca_file = "/";
  refuse_with(&o, UV_EISDIR, "ca_file /", "directory");
  o = tls_options(1);
  o.cert_pem = NULL;
  o.cert_file = "/nonexistent/cert.pem";
  refuse_with(&o, UV_ENOENT, "cert_file /nonexistent/cert.pem", "no such");
}

static void a_file_without_end_is_too_big(void **state) {
  uvow_tls_options_t o = tls_options(0);
  (void)state;
  o.ca_file = "/dev/zero";
  refuse_with(&o, UVOW_ETOOBIG, "ca_file /dev/zero", "");
}

/* Every failure has its error, whoever wants it. */
static void expect_no_context(uvow_loop_t *loop, const uvow_tls_options_t *o,
                              uvow_tls_t **ret_tls, int code) {
  uvow_error_t *error = NULL;
  assert_int_equal(uvow_tls_new(loop, o, ret_tls, &error), code);
  assert_int_equal(uvow_error_code(error), code);
  uvow_error_unref(error);
  assert_int_equal(uvow_tls_new(loop, o, ret_tls, NULL), code);
}

static void arguments_are_checked(void **state) {
  uvow_tls_options_t o = tls_options(0);
  uvow_tls_t *tls = NULL;
  script_t s;
  (void)state;
  script_init(&s);
  expect_no_context(NULL, &o, &tls, UVOW_EINVAL);
  expect_no_context(s.loop, &o, NULL, UVOW_EINVAL);
  o.size--;
  expect_no_context(s.loop, &o, &tls, UVOW_EINVAL);
  o.size++;
  assert_null(uvow_tls_ref(NULL));
  uvow_tls_unref(NULL);
  script_end(&s);
}

static void the_default_is_shared_while_it_lives(void **state) {
  uvow_tls_t *a = NULL;
  uvow_tls_t *b = NULL;
  script_t s;
  (void)state;
  script_init(&s);
  assert_int_equal(uvow__tls_default(s.loop, &a, NULL), 0);
  assert_int_equal(uvow__tls_default(s.loop, &b, NULL), 0);
  assert_ptr_equal(a, b);
  assert_true(uvow__tls_fits(a, s.loop, 0));
  assert_false(uvow__tls_fits(a, s.loop, 1));
  assert_false(uvow__tls_fits(a, NULL, 0));
  uvow_tls_unref(a);
  assert_ptr_equal(s.loop->default_tls, b);
  uvow_tls_unref(b);
  assert_null(s.loop->default_tls);
  script_end(&s);
}

static int count_trusted(const uvow_tls_options_t *options) {
  uvow_tls_t *tls = NULL;
  script_t s;
  script_init(&s);
  assert_int_equal(uvow_tls_new(s.loop, options, &tls, NULL), 0);
  X509_STORE *store = SSL_CTX_get_cert_store(tls->ssl);
  int count = sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
  uvow_tls_unref(tls);
  script_end(&s);
  return count;
}

static void own_cas_replace_the_systems_or_add_to_them(void **state) {
  uvow_tls_options_t o = tls_options(0);
  (void)state;
  assert_int_equal(count_trusted(&o), 1);
  o.ca_pem = NULL;
  int system = count_trusted(&o);
  assert_true(system > 10);
  o.ca_pem = tls_certs()->ca->pem;
  o.add_system_cas = 1;
  assert_int_equal(count_trusted(&o), system + 1);
}

static void it_may_outlive_its_loop(void **state) {
  uvow_tls_options_t o = tls_options(0);
  uvow_tls_t *tls = NULL;
  uvow_tls_t *other = NULL;
  test_alloc_t alloc;
  script_t s;
  (void)state;
  test_alloc_init(&alloc);
  script_init_with(&s, &alloc);
  assert_int_equal(uvow_tls_new(s.loop, &o, &tls, NULL), 0);
  assert_ptr_equal(uvow_tls_ref(tls), tls);
  uvow_tls_unref(tls);
  uvow_loop_t *loop = s.loop;
  script_quit(&s);
  assert_true(alloc.live > 0);
  expect_no_context(loop, &o, &other, UVOW_ECLOSED);
  assert_null(other);
  uvow_tls_unref(tls);
  assert_int_equal(alloc.live, 0);
}

static void make_from_files(test_alloc_t *alloc, void *data) {
  uvow_tls_options_t o = tls_options(1);
  const folder_t *folder = (const folder_t *)data;
  char path[FOLDER_PATH];
  uvow_tls_t *tls = NULL;
  uvow_error_t *error = NULL;
  script_t s;
  script_init_with(&s, alloc);
  o.client_certs = UVOW_TLS_CLIENT_CERT_OPTIONAL;
  o.ca_file = folder_file(folder, "ca.pem", NULL, path);
  o.ca_pem = tls_certs()->ca->pem;
  int rc = s.loop ? uvow_tls_new(s.loop, &o, &tls, &error) : UVOW_ENOMEM;
  assert_int_equal(rc, alloc->failed ? UVOW_ENOMEM : 0);
  if (s.loop)
    assert_int_equal(uvow_error_code(error), rc);
  uvow_error_unref(error);
  uvow_tls_unref(tls);
  script_quit(&s);
}

static void every_allocation_may_fail(void **state) {
  char path[FOLDER_PATH];
  folder_t folder;
  (void)state;
  folder_make(&folder);
  folder_file(&folder, "ca.pem", tls_certs()->ca->pem, path);
  test_alloc_sweep(make_from_files, &folder);
  folder_remove(&folder);
}

TEST_MODULE(tls_context) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(options_that_exclude_each_other_are_refused),
      cmocka_unit_test(versions_that_are_none_are_refused),
      cmocka_unit_test(ciphers_are_openssls),
      cmocka_unit_test(texts_that_are_no_pem_are_refused),
      cmocka_unit_test(a_malformed_second_certificate_is_not_passed_over),
      cmocka_unit_test(a_key_of_another_certificate_is_refused),
      cmocka_unit_test(a_locked_key_needs_its_password),
      cmocka_unit_test(files_are_read_when_it_is_made_and_never_later),
      cmocka_unit_test(a_servers_files_are_read_too),
      cmocka_unit_test(a_directory_is_read_whole),
      cmocka_unit_test(a_file_that_is_not_there_is_named),
      cmocka_unit_test(a_file_without_end_is_too_big),
      cmocka_unit_test(arguments_are_checked),
      cmocka_unit_test(the_default_is_shared_while_it_lives),
      cmocka_unit_test(own_cas_replace_the_systems_or_add_to_them),
      cmocka_unit_test(it_may_outlive_its_loop),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests_name("net/tls_context", tests, tls_setup,
                                     tls_teardown);
}
