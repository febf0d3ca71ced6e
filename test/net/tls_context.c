/* TLS contexts: what options are refused, and what files are read. */
#include "support/folder.h"
#include "support/tls_peer.h"

#include <stdio.h>

#include "net/system.h"
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

TEST_CASE(options_that_exclude_each_other_are_refused) {
  const tls_certs_t *c = tls_certs();
  uvow_tls_options_t o = tls_options(1);
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

TEST_CASE(versions_that_are_none_are_refused) {
  uvow_tls_options_t o = tls_options(0);
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

TEST_CASE(ciphers_are_openssls) {
  uvow_tls_options_t o = tls_options(0);
  tls_pair_t pair;
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

/* Whether TLS 1.2 with a peer that has these ciphers comes about. */
static int talks(const uvow_tls_options_t *options, const cert_t *cert,
                 const char *cipher) {
  tls_pair_t pair;
  tls_pair_init(&pair);
  tls_pair_ours(&pair, options);
  tls_pair_peer(&pair, options->is_server ? NULL : cert, NULL);
  SSL_CTX_set_max_proto_version(pair.peer_ctx, TLS1_2_VERSION);
  assert_true(SSL_CTX_set_cipher_list(pair.peer_ctx, cipher));
  assert_int_equal(tls_pair_start(&pair), 0);
  tls_pair_run(&pair);
  int opened = pair.opened;
  tls_pair_end(&pair);
  return opened;
}

static void only_ciphers_with_forward_secrecy_and_aead_are_spoken(void **st) {
  static const struct {
    const char *cipher;
    int by_default;
  } cases[] = {{"ECDHE-RSA-AES128-GCM-SHA256", 1},
               {"ECDHE-RSA-CHACHA20-POLY1305", 1},
               {"kRSA", 0}, /* the key isn't ephemeral */
               {"ECDHE+AES:!AESGCM:!AESCCM", 0} /* CBC */};
  cert_spec_t spec = {0};
  (void)st;
  spec.is_rsa = 1;
  spec.name = "localhost";
  spec.hosts = "DNS:localhost";
  spec.issuer = tls_certs()->ca;
  cert_t *rsa = cert_new(&spec);
  for (int is_server = 0; is_server < 2; is_server++)
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
      uvow_tls_options_t o = tls_options(is_server);
      if (is_server) {
        o.cert_pem = rsa->pem;
        o.key_pem = rsa->key_pem;
      }
      assert_int_equal(talks(&o, rsa, cases[i].cipher), cases[i].by_default);
      o.ciphers = "DEFAULT";
      assert_int_equal(talks(&o, rsa, cases[i].cipher), 1);
    }
  cert_free(rsa);
}

TEST_CASE(texts_that_are_no_pem_are_refused) {
  const tls_certs_t *c = tls_certs();
  uvow_tls_options_t o = tls_options(0);
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

TEST_CASE(a_malformed_second_certificate_is_not_passed_over) {
  const tls_certs_t *c = tls_certs();
  uvow_tls_options_t o = tls_options(0);
  char *both = cert_join(c->ca->pem,
                         "-----BEGIN CERTIFICATE-----\nAAAA\n"
                         "-----END CERTIFICATE-----\n");
  o.ca_pem = both;
  refuse_with(&o, UVOW_ETLS, "ca_pem", "can't be used");
  free(both);
}

TEST_CASE(a_key_of_another_certificate_is_refused) {
  uvow_tls_options_t o = tls_options(1);
  o.key_pem = tls_certs()->user->key_pem;
  refuse_with(&o, UVOW_ETLS, "key_pem", "key values mismatch");
}

TEST_CASE(a_locked_key_needs_its_password) {
  char *locked = cert_locked_key(tls_certs()->good, "secret");
  uvow_tls_options_t o = tls_options(1);
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

TEST_CASE(files_are_read_when_it_is_made_and_never_later) {
  const tls_certs_t *c = tls_certs();
  char paths[3][FOLDER_PATH];
  folder_t folder;
  tls_pair_t pair;
  uvow_tls_options_t o = {0};
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

TEST_CASE(a_servers_files_are_read_too) {
  const tls_certs_t *c = tls_certs();
  char *both = cert_join(c->good->pem, c->good->key_pem);
  char *chain = cert_join(both, c->ca->pem);
  char path[FOLDER_PATH];
  folder_t folder;
  uvow_tls_options_t o = {0};
  folder_make(&folder);
  o.size = sizeof(o);
  o.is_server = 1;
  o.cert_file = o.key_file = folder_file(&folder, "all.pem", chain, path);
  accept_with(&o);
  folder_remove(&folder);
  free(both);
  free(chain);
}

TEST_CASE(a_directory_is_read_whole) {
  const tls_certs_t *c = tls_certs();
  char paths[3][FOLDER_PATH];
  folder_t folder;
  uvow_tls_options_t o = {0};
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

TEST_CASE(a_file_that_is_not_there_is_named) {
  uvow_tls_options_t o = tls_options(0);
  o.ca_file = "/nonexistent/ca.pem";
  refuse_with(&o, UV_ENOENT, "ca_file /nonexistent/ca.pem", "no such file");
  o.ca_file = "/";
  refuse_with(&o, UV_EISDIR, "ca_file /", "directory");
  o = tls_options(1);
  o.cert_pem = NULL;
  o.cert_file = "/nonexistent/cert.pem";
  refuse_with(&o, UV_ENOENT, "cert_file /nonexistent/cert.pem", "no such");
}

TEST_CASE(a_file_without_end_is_too_big) {
  uvow_tls_options_t o = tls_options(0);
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

TEST_CASE(arguments_are_checked) {
  uvow_tls_options_t o = tls_options(0);
  uvow_tls_t *tls = NULL;
  script_t s;
  script_init(&s);
  expect_no_context(NULL, &o, &tls, UVOW_EINVAL);
  expect_no_context(s.loop, &o, NULL, UVOW_EINVAL);
  o.size = 0;
  expect_no_context(s.loop, &o, &tls, UVOW_EINVAL);
  o.size = sizeof(o);
  assert_null(uvow_tls_ref(NULL));
  uvow_tls_unref(NULL);
  script_end(&s);
}

TEST_CASE(the_default_is_shared_while_it_lives) {
  uvow_tls_t *a = NULL;
  uvow_tls_t *b = NULL;
  script_t s;
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
  /* the engine's first member: see tls_openssl.c */
  SSL_CTX *ctx = *(SSL_CTX **)(void *)tls->engine;
  X509_STORE *store = SSL_CTX_get_cert_store(ctx);
  int count = sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
  uvow_tls_unref(tls);
  script_end(&s);
  return count;
}

TEST_CASE(own_cas_replace_the_systems_or_add_to_them) {
  uvow_tls_options_t o = tls_options(0);
  assert_int_equal(count_trusted(&o), 1);
  o.ca_pem = NULL;
  int system = count_trusted(&o);
  assert_true(system > 10);
  o.ca_pem = tls_certs()->ca->pem;
  o.add_system_cas = 1;
  assert_int_equal(count_trusted(&o), system + 1);
}

/* The environment: of this process, put back as it was. */

#define FILE_VARIABLE "SSL_CERT_FILE"
#define DIR_VARIABLE "SSL_CERT_DIR"

typedef struct saved {
  char *file;
  char *dir;
} saved_t;

static void set_variable(const char *name, const char *value) {
  assert_int_equal(value ? uv_os_setenv(name, value) : uv_os_unsetenv(name), 0);
}

static int save_environment(void **state) {
  const uvow__mem_t *mem = &uvow__mem_default;
  saved_t *saved = (saved_t *)calloc(1, sizeof(*saved));
  assert_non_null(saved);
  assert_int_equal(uvow__system_env(mem, FILE_VARIABLE, &saved->file), 0);
  assert_int_equal(uvow__system_env(mem, DIR_VARIABLE, &saved->dir), 0);
  set_variable(FILE_VARIABLE, NULL);
  set_variable(DIR_VARIABLE, NULL);
  *state = saved;
  return 0;
}

static int restore_environment(void **state) {
  saved_t *saved = (saved_t *)*state;
  set_variable(FILE_VARIABLE, saved->file);
  set_variable(DIR_VARIABLE, saved->dir);
  uvow__free(&uvow__mem_default, saved->file);
  uvow__free(&uvow__mem_default, saved->dir);
  free(saved);
  return 0;
}

TEST_CASE(the_environment_names_the_cas) {
  const tls_certs_t *c = tls_certs();
  char *both = cert_join(c->ca->pem, c->good->pem);
  char path[FOLDER_PATH], user[FOLDER_PATH];
  folder_t folder;
  uvow_tls_options_t o = {0};
  folder_make(&folder);
  o.size = sizeof(o);
  set_variable(FILE_VARIABLE, folder_file(&folder, "ca.pem", both, path));
  assert_int_equal(count_trusted(&o), 2);
  accept_with(&o);
  set_variable(DIR_VARIABLE, folder.path);
  folder_file(&folder, "user.pem", c->user->pem, user);
  assert_int_equal(count_trusted(&o), 3);
  set_variable(FILE_VARIABLE, NULL);
  assert_int_equal(count_trusted(&o), 3);
  /* Only where nothing else is said. */
  o.no_environment = 1;
  assert_true(count_trusted(&o) > 10);
  o.no_environment = 0;
  o.ca_pem = c->ca->pem;
  assert_int_equal(count_trusted(&o), 1);
  o = tls_options(1);
  assert_int_equal(count_trusted(&o), 0);
  folder_remove(&folder);
  free(both);
}

TEST_CASE(what_the_environment_names_must_be_there) {
  const tls_certs_t *c = tls_certs();
  char path[FOLDER_PATH], dirs[2 * FOLDER_PATH];
  folder_t folder;
  uvow_tls_options_t o = {0};
  folder_make(&folder);
  o.size = sizeof(o);
  set_variable(FILE_VARIABLE, "/nonexistent/ca.pem");
  refuse_with(&o, UV_ENOENT, FILE_VARIABLE " /nonexistent/ca.pem", "no such");
  set_variable(FILE_VARIABLE, "");
  set_variable(DIR_VARIABLE, folder.path);
  refuse_with(&o, UVOW_ETLS, DIR_VARIABLE, "holds no certificate");
  /* Of several directories, one that has some is enough, as for OpenSSL. */
  folder_file(&folder, "ca.pem", c->ca->pem, path);
  snprintf(dirs, sizeof(dirs), ":/nonexistent:%s:", folder.path);
  set_variable(DIR_VARIABLE, dirs);
  assert_int_equal(count_trusted(&o), 1);
  set_variable(DIR_VARIABLE, ":");
  refuse_with(&o, UVOW_ETLS, DIR_VARIABLE, "holds no certificate");
  folder_remove(&folder);
}

/* One call that fails is made again where the loop has blocks to give up. */
static void expect_no_memory(const test_alloc_t *alloc, int rc) {
  if (rc != 0 || alloc->failed == 0 || alloc->fail_all_after)
    assert_int_equal(rc, alloc->failed ? UVOW_ENOMEM : 0);
}

static void make_from_environment(test_alloc_t *alloc, void *data) {
  uvow_tls_options_t o = {0};
  uvow_tls_t *tls = NULL;
  script_t s;
  (void)data;
  script_init_with(&s, alloc);
  o.size = sizeof(o);
  int rc = s.loop ? uvow_tls_new(s.loop, &o, &tls, NULL) : UVOW_ENOMEM;
  expect_no_memory(alloc, rc);
  uvow_tls_unref(tls);
  script_quit(&s);
}

TEST_CASE(reading_the_environment_survives_no_memory) {
  char path[FOLDER_PATH];
  folder_t folder;
  folder_make(&folder);
  folder_file(&folder, "ca.pem", tls_certs()->ca->pem, path);
  set_variable(FILE_VARIABLE, path);
  set_variable(DIR_VARIABLE, folder.path);
  test_alloc_sweep(make_from_environment, NULL);
  folder_remove(&folder);
}

TEST_CASE(it_may_outlive_its_loop) {
  uvow_tls_options_t o = tls_options(0);
  uvow_tls_t *tls = NULL;
  uvow_tls_t *other = NULL;
  test_alloc_t alloc;
  script_t s;
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
  expect_no_memory(alloc, rc);
  if (s.loop)
    assert_int_equal(uvow_error_code(error), rc);
  uvow_error_unref(error);
  uvow_tls_unref(tls);
  script_quit(&s);
}

TEST_CASE(every_allocation_may_fail) {
  char path[FOLDER_PATH];
  folder_t folder;
  folder_make(&folder);
  folder_file(&folder, "ca.pem", tls_certs()->ca->pem, path);
  test_alloc_sweep(make_from_files, &folder);
  folder_remove(&folder);
}

#define WITH_ENVIRONMENT(test)                                                 \
  cmocka_unit_test_setup_teardown(test, save_environment, restore_environment)

TEST_MODULE(tls_context) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(options_that_exclude_each_other_are_refused),
      cmocka_unit_test(versions_that_are_none_are_refused),
      cmocka_unit_test(ciphers_are_openssls),
      cmocka_unit_test(only_ciphers_with_forward_secrecy_and_aead_are_spoken),
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
      WITH_ENVIRONMENT(the_default_is_shared_while_it_lives),
      WITH_ENVIRONMENT(own_cas_replace_the_systems_or_add_to_them),
      WITH_ENVIRONMENT(the_environment_names_the_cas),
      WITH_ENVIRONMENT(what_the_environment_names_must_be_there),
      WITH_ENVIRONMENT(reading_the_environment_survives_no_memory),
      cmocka_unit_test(it_may_outlive_its_loop),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests_name("net/tls_context", tests, tls_setup,
                                     tls_teardown);
}
