/*
 * wss with OpenSSL's own programs: s_server with good and bad certificates,
 * s_client against a server of ours.
 */
#include "support/interop.h"

#include <stdio.h>

#include "support/certs.h"
#include "support/folder.h"
#include "support/serve.h"

/* s_server, with this certificate: takes it. A client that trusts ca. */
static answer_t *meet(interop_t *it, const cert_t *ca, cert_t *cert,
                      const char *const *more) {
  char path[FOLDER_PATH];
  char url[64];
  const char *args[16] = {"openssl",     "s_server", "-accept",
                          "127.0.0.1:0", "-www",     "-cert"};
  size_t count = 6;
  uvow_tls_options_t tls = {0};
  folder_t folder;
  folder_make(&folder);
  char *both = cert_join(cert->pem, cert->key_pem);
  args[count++] = folder_file(&folder, "cert.pem", both, path);
  while (more && *more && count < 15)
    args[count++] = *more++;
  interop_run(it, args);
  char *port = interop_expect_line(it, "ACCEPT 127.0.0.1:");
  folder_remove(&folder);
  snprintf(url, sizeof(url), "wss://127.0.0.1:%s/", port);
  test_connect_t options =
      interop_options(it, url, uvow_protocol_by_name("jsonrpc2"));
  tls.size = sizeof(tls);
  tls.ca_pem = ca->pem;
  assert_int_equal(uvow_tls_new(it->loop, &tls, &options.websocket.tls, NULL),
                   0);
  interop_connect_with(it, &options);
  uvow_tls_unref(options.websocket.tls);
  answer_t *answer = interop_watch(it, uvow_peer_ready(it->client));
  interop_wait(answer);
  free(port);
  free(both);
  cert_free(cert);
  return answer;
}

static void expect(answer_t *answer, int code, const char *word) {
  assert_int_equal(answer->code, code);
  if (!strstr(uvow_error_message(answer->error), word))
    fail_msg("'%s' is not in: %s", word, uvow_error_message(answer->error));
  interop_finish(answer->it);
}

/* It speaks HTTP 1.0 on top: that this is refused shows that TLS is there. */
static void a_good_server_is_talked_to(void **state) {
  static const char *const only[] = {"-tls1_3", NULL};
  cert_t *ca = cert_new_ca("CA");
  expect(meet((interop_t *)*state, ca, cert_new_localhost(ca), only),
         UVOW_EHANDSHAKE, "HTTP");
  cert_free(ca);
}

static void a_server_of_tls_12_is_talked_to(void **state) {
  static const char *const only[] = {"-tls1_2", NULL};
  cert_t *ca = cert_new_ca("CA");
  expect(meet((interop_t *)*state, ca, cert_new_localhost(ca), only),
         UVOW_EHANDSHAKE, "HTTP");
  cert_free(ca);
}

static void an_expired_certificate_is_refused(void **state) {
  cert_t *ca = cert_new_ca("CA");
  cert_spec_t spec = {0};
  spec.name = "old";
  spec.hosts = "IP:127.0.0.1";
  spec.issuer = ca;
  spec.from = -9 * CERT_DAY;
  spec.to = -CERT_DAY;
  expect(meet((interop_t *)*state, ca, cert_new(&spec), NULL), UVOW_ECERT,
         "/CN=old expired on");
  cert_free(ca);
}

static void a_self_signed_certificate_is_refused(void **state) {
  cert_t *ca = cert_new_ca("CA");
  expect(meet((interop_t *)*state, ca, cert_new_localhost(NULL), NULL),
         UVOW_ECERT, "self-signed");
  cert_free(ca);
}

static void another_hosts_certificate_is_refused(void **state) {
  cert_t *ca = cert_new_ca("CA");
  cert_spec_t spec = {0};
  spec.name = "other";
  spec.hosts = "DNS:other.test";
  spec.issuer = ca;
  expect(meet((interop_t *)*state, ca, cert_new(&spec), NULL), UVOW_ECERT,
         "but for other.test");
  cert_free(ca);
}

static void a_server_that_wants_our_certificate_is_heard(void **state) {
  static const char *const wants[] = {"-Verify", "1", NULL};
  cert_t *ca = cert_new_ca("CA");
  expect(meet((interop_t *)*state, ca, cert_new_localhost(ca), wants),
         UVOW_ETLS, "alert 116");
  cert_free(ca);
}

/* s_client asks for a WebSocket, and says so on its standard input. */
static void s_client_is_answered(void **state) {
  static char request[] =
      "GET / HTTP/1.1\r\nHost: localhost\r\n"
      "Upgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "\r\n";
  interop_t *it = (interop_t *)*state;
  char path[FOLDER_PATH];
  char address[64];
  uvow_tls_options_t tls = {0};
  test_serve_t options = test_serve_options();
  uvow_server_t *server = NULL;
  folder_t folder;
  folder_make(&folder);
  cert_t *ca = cert_new_ca("CA");
  cert_t *cert = cert_new_localhost(ca);
  tls.size = sizeof(tls);
  tls.is_server = 1;
  tls.cert_pem = cert->pem;
  tls.key_pem = cert->key_pem;
  assert_int_equal(uvow_tls_new(it->loop, &tls, &options.listener.tls, NULL),
                   0);
  assert_int_equal(test_serve(it->loop, &options, &server), 0);
  uvow_tls_unref(options.listener.tls);
  snprintf(address, sizeof(address), "127.0.0.1:%u",
           (unsigned)uvow_server_port(server));
  const char *args[] = {"openssl",
                        "s_client",
                        "-connect",
                        address,
                        "-CAfile",
                        folder_file(&folder, "ca.pem", ca->pem, path),
                        "-verify_return_error",
                        "-verify_hostname",
                        "localhost",
                        "-alpn",
                        "http/1.1",
                        "-quiet",
                        NULL};
  interop_run(it, args);
  uv_buf_t bytes = uv_buf_init(request, sizeof(request) - 1);
  assert_int_equal(uv_try_write((uv_stream_t *)&it->process.in, &bytes, 1),
                   sizeof(request) - 1);
  free(interop_expect_line(it, "HTTP/1.1 101 "));
  free(interop_expect_line(it,
                           "Sec-WebSocket-Accept: "
                           "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
  uvow_server_free(server);
  interop_finish(it);
  folder_remove(&folder);
  cert_free(cert);
  cert_free(ca);
}

TEST_MODULE(openssl) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_good_server_is_talked_to, interop_setup,
                                      interop_teardown),
      cmocka_unit_test_setup_teardown(a_server_of_tls_12_is_talked_to,
                                      interop_setup, interop_teardown),
      cmocka_unit_test_setup_teardown(an_expired_certificate_is_refused,
                                      interop_setup, interop_teardown),
      cmocka_unit_test_setup_teardown(a_self_signed_certificate_is_refused,
                                      interop_setup, interop_teardown),
      cmocka_unit_test_setup_teardown(another_hosts_certificate_is_refused,
                                      interop_setup, interop_teardown),
      cmocka_unit_test_setup_teardown(
          a_server_that_wants_our_certificate_is_heard, interop_setup,
          interop_teardown),
      cmocka_unit_test_setup_teardown(s_client_is_answered, interop_setup,
                                      interop_teardown),
  };
  return cmocka_run_group_tests_name("interop/openssl", tests, NULL, NULL);
}
