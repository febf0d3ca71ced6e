/*
 * TLS contexts: options checked, an SSL_CTX made of them, counted.
 *
 * 1. A context owns its loop's memory (a pin), a stream owns its context.
 * 2. The context that clients get who bring none is the loop's, shared, and
 *    goes with the last of them.
 * 3. Renegotiation, compression and TLS before 1.2 are off, always.
 */
#include "tls_private.h"

#include <string.h>

#include <openssl/err.h>

/* RFC 7301 3.1: a list of one. */
static const unsigned char alpn[] = "\x08http/1.1";
#define ALPN_LEN (sizeof(alpn) - 1)

/* RFC 7301 3.2: a peer that offers none of ours gets an alert. */
static int choose_alpn(SSL *ssl, const unsigned char **ret, unsigned char *len,
                       const unsigned char *offered, unsigned offered_len,
                       void *data) {
  unsigned char *chosen;
  (void)ssl;
  (void)data;
  if (SSL_select_next_proto(&chosen, len, alpn, ALPN_LEN, offered,
                            offered_len) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *ret = chosen;
  return SSL_TLSEXT_ERR_OK;
}

/* What excludes what. Returns the option that is wrong and, in ret_what, how;
 * or NULL. */
static const char *find_conflict(const uvow_tls_options_t *o,
                                 const char **ret_what) {
  int has_cert = o->cert_file || o->cert_pem;
  int has_key = o->key_file || o->key_pem;
  *ret_what = "given as a file and as text";
  if (o->cert_file && o->cert_pem)
    return "cert_file, cert_pem";
  if (o->key_file && o->key_pem)
    return "key_file, key_pem";
  if (o->crl_file && o->crl_pem)
    return "crl_file, crl_pem";
  *ret_what = "a certificate and its key go together";
  if (has_cert != has_key)
    return has_cert ? "key_file, key_pem" : "cert_file, cert_pem";
  *ret_what = "a server needs a certificate";
  if (o->is_server && !has_cert)
    return "cert_file, cert_pem";
  *ret_what = "only servers ask for them";
  if (!o->is_server && o->client_certs)
    return "client_certs";
  *ret_what = "a server that asks for certificates must know their CA";
  if (o->client_certs && !o->ca_file && !o->ca_dir && !o->ca_pem &&
      !o->add_system_cas)
    return "client_certs";
  *ret_what = "no such value";
  if ((unsigned)o->client_certs > UVOW_TLS_CLIENT_CERT_REQUIRED)
    return "client_certs";
  return NULL;
}

static int is_version(uvow_tls_version_t version) {
  return version == 0 || version == UVOW_TLS_1_2 || version == UVOW_TLS_1_3;
}

static int set_versions(uvow_tls_t *tls, const uvow_tls_options_t *options,
                        uvow_error_t **ret_error) {
  uvow_tls_version_t min = options->min_version;
  uvow_tls_version_t max = options->max_version;
  if (!is_version(min) || !is_version(max) || (max && min > max))
    return uvow__tls_option_error(tls, UVOW_EINVAL, "min_version, max_version",
                                  "no such range", ret_error);
  tls->min_version = min ? (int)min : UVOW_TLS_1_2;
  SSL_CTX_set_min_proto_version(tls->ssl, tls->min_version);
  SSL_CTX_set_max_proto_version(tls->ssl, (int)max);
  return 0;
}

static int set_ciphers(uvow_tls_t *tls, const uvow_tls_options_t *options,
                       uvow_error_t **ret_error) {
  const char *wrong = NULL;
  if (options->ciphers && !SSL_CTX_set_cipher_list(tls->ssl, options->ciphers))
    wrong = "ciphers";
  else if (options->ciphersuites &&
           !SSL_CTX_set_ciphersuites(tls->ssl, options->ciphersuites))
    wrong = "ciphersuites";
  if (!wrong)
    return 0;
  ERR_clear_error();
  return uvow__tls_option_error(tls, UVOW_ETLS, wrong, "OpenSSL knows none",
                                ret_error);
}

/* Whom it believes. */
static int set_verification(uvow_tls_t *tls, const uvow_tls_options_t *options,
                            uvow_error_t **ret_error) {
  int mode = SSL_VERIFY_PEER;
  if (tls->is_server && options->client_certs == UVOW_TLS_CLIENT_CERT_NONE)
    mode = SSL_VERIFY_NONE;
  if (!tls->is_server && options->insecure_no_verify)
    mode = SSL_VERIFY_NONE;
  if (options->client_certs == UVOW_TLS_CLIENT_CERT_REQUIRED)
    mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  tls->check_host = !tls->is_server && mode != SSL_VERIFY_NONE &&
                    !options->insecure_no_host_check;
  SSL_CTX_set_verify(tls->ssl, mode,
                     mode == SSL_VERIFY_NONE ? NULL : uvow__tls_verify);
  if (mode == SSL_VERIFY_NONE)
    return 0;
  /* What the user names is trusted, be it a root or not. */
  X509_STORE_set_flags(SSL_CTX_get_cert_store(tls->ssl),
                       X509_V_FLAG_PARTIAL_CHAIN);
  return uvow__tls_load_trust(tls, options, ret_error);
}

static int set_rules(uvow_tls_t *tls) {
  static const unsigned char name[] = "uvow";
  SSL_CTX_set_options(tls->ssl,
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(tls->ssl, SSL_MODE_RELEASE_BUFFERS);
  if (!SSL_CTX_set_session_id_context(tls->ssl, name, sizeof(name) - 1))
    return UVOW_ENOMEM;
  if (tls->is_server)
    SSL_CTX_set_alpn_select_cb(tls->ssl, choose_alpn, NULL);
  else if (SSL_CTX_set_alpn_protos(tls->ssl, alpn, ALPN_LEN))
    return UVOW_ENOMEM; /* its 0 is success */
  uvow__tls_sessions_init(tls);
  return 0;
}

static int configure(uvow_tls_t *tls, const uvow_tls_options_t *options,
                     uvow_error_t **ret_error) {
  const char *what;
  const char *wrong = find_conflict(options, &what);
  if (wrong)
    return uvow__tls_option_error(tls, UVOW_EINVAL, wrong, what, ret_error);
  tls->bio = uvow__tls_bio_method();
  tls->ssl =
      SSL_CTX_new(tls->is_server ? TLS_server_method() : TLS_client_method());
  if (!tls->bio || !tls->ssl)
    return UVOW_ENOMEM;
  int rc = set_versions(tls, options, ret_error);
  if (rc == 0)
    rc = set_ciphers(tls, options, ret_error);
  if (rc == 0)
    rc = set_rules(tls);
  if (rc == 0)
    rc = set_verification(tls, options, ret_error);
  if (rc == 0)
    rc = uvow__tls_load_identity(tls, options, ret_error);
  return rc;
}

static void free_tls(uvow_tls_t *tls) {
  uvow_loop_t *loop = tls->loop;
  const uvow__mem_t *mem = uvow__loop_mem(loop);
  if (loop->default_tls == tls)
    loop->default_tls = NULL;
  uvow__tls_sessions_done(tls);
  SSL_CTX_free(tls->ssl);
  BIO_meth_free(tls->bio);
  uvow__buf_done(&tls->spare_sealed);
  uvow__free(mem, tls->spare_plain);
  uvow__free(mem, tls);
  uvow__loop_unpin(loop);
}

/* Takes the error: NULL: the code alone. */
static void give_error(uvow_loop_t *loop, int code, uvow_error_t *error,
                       uvow_error_t **ret_error) {
  if (!ret_error) {
    uvow_error_unref(error);
    return;
  }
  if (!error)
    error = uvow__error_code(uvow__loop_mem(loop), code, UVOW_OUTCOME_NONE);
  *ret_error = error;
}

/* There's no loop to ask for memory: of these codes an error takes none. */
static int fail_early(int code, uvow_error_t **ret_error) {
  if (ret_error)
    *ret_error = uvow__error_code(NULL, code, UVOW_OUTCOME_NONE);
  return code;
}

int uvow_tls_new(uvow_loop_t *loop, const uvow_tls_options_t *options,
                 uvow_tls_t **ret_tls, uvow_error_t **ret_error) {
  uvow_tls_options_t defaults;
  uvow_error_t *error = NULL;
  memset(&defaults, 0, sizeof(defaults));
  defaults.size = sizeof(defaults);
  if (!loop || !ret_tls || (options && options->size != sizeof(*options)))
    return fail_early(UVOW_EINVAL, ret_error);
  if (loop->rt.closed)
    return fail_early(UVOW_ECLOSED, ret_error);
  if (!options)
    options = &defaults;
  uvow_tls_t *tls =
      (uvow_tls_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*tls));
  if (!tls) {
    give_error(loop, UVOW_ENOMEM, NULL, ret_error);
    return UVOW_ENOMEM;
  }
  loop->rt.pins++;
  tls->loop = loop;
  tls->refs = 1;
  tls->is_server = options->is_server != 0;
  tls->resume = !options->no_resumption;
  uvow__list_init(&tls->sessions);
  uvow__buf_init(&tls->spare_sealed, uvow__loop_mem(loop), SIZE_MAX);
  ERR_clear_error();
  int rc = configure(tls, options, &error);
  ERR_clear_error();
  if (rc == 0) {
    *ret_tls = tls;
    return 0;
  }
  give_error(loop, rc, error, ret_error);
  free_tls(tls);
  return rc;
}

uvow_tls_t *uvow_tls_ref(uvow_tls_t *tls) {
  if (tls)
    tls->refs++;
  return tls;
}

void uvow_tls_unref(uvow_tls_t *tls) {
  if (tls && --tls->refs == 0)
    free_tls(tls);
}

int uvow_tls_stats(const uvow_tls_t *tls, uvow_tls_stats_t *ret) {
  if (!tls || !ret || ret->size != sizeof(*ret))
    return UVOW_EINVAL;
  *ret = tls->stats;
  ret->size = sizeof(*ret);
  return 0;
}

int uvow__tls_default(uvow_loop_t *loop, uvow_tls_t **ret_tls,
                      uvow_error_t **ret_error) {
  int rc = 0;
  if (loop->default_tls)
    uvow_tls_ref(loop->default_tls);
  else
    rc = uvow_tls_new(loop, NULL, &loop->default_tls, ret_error);
  if (rc == 0)
    *ret_tls = loop->default_tls;
  return rc;
}

int uvow__tls_fits(const uvow_tls_t *tls, const uvow_loop_t *loop,
                   int is_server) {
  return tls->loop == loop && tls->is_server == is_server;
}
