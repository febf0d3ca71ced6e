/*
 * TLS contexts: options checked, an engine's context made of them, counted.
 *
 * 1. A context owns its loop's memory (a pin), a stream owns its context.
 * 2. The context that clients get who bring none is the loop's, shared, and
 *    goes with the last of them.
 * 3. TLS before 1.2 is off, always.
 */
#include "tls_private.h"

#include "future/fail.h"

#include <string.h>

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

/* Whom it believes. */
static uvow__engine_verify_t verification(const uvow_tls_options_t *options) {
  if (!options->is_server)
    return options->insecure_no_verify ? UVOW__VERIFY_NONE : UVOW__VERIFY_ALL;
  if (options->client_certs == UVOW_TLS_CLIENT_CERT_NONE)
    return UVOW__VERIFY_NONE;
  return options->client_certs == UVOW_TLS_CLIENT_CERT_REQUIRED
             ? UVOW__VERIFY_ALL
             : UVOW__VERIFY_SOME;
}

static int make_engine(uvow_tls_t *tls, const uvow_tls_options_t *options,
                       uvow_error_t **ret_error) {
  uvow__engine_rules_t rules = {0};
  const char *wrong = NULL;
  uvow_tls_version_t max = options->max_version;
  if (!is_version(options->min_version) || !is_version(max) ||
      (max && options->min_version > max))
    return uvow__tls_option_error(tls, UVOW_EINVAL, "min_version, max_version",
                                  "no such range", ret_error);
  tls->min_version = options->min_version ? options->min_version : UVOW_TLS_1_2;
  rules.is_server = tls->is_server;
  rules.resume = tls->resume;
  rules.verify = verification(options);
  rules.min_version = tls->min_version;
  rules.max_version = max;
  rules.ciphers = options->ciphers;
  rules.ciphersuites = options->ciphersuites;
  tls->check_host = !tls->is_server && rules.verify != UVOW__VERIFY_NONE &&
                    !options->insecure_no_host_check;
  int rc =
      uvow__engine_new(uvow__loop_mem(tls->loop), &rules, &tls->engine, &wrong);
  return wrong ? uvow__tls_option_error(tls, rc, wrong, "OpenSSL knows none",
                                        ret_error)
               : rc;
}

static int configure(uvow_tls_t *tls, const uvow_tls_options_t *options,
                     uvow_error_t **ret_error) {
  const char *what;
  const char *wrong = find_conflict(options, &what);
  if (wrong)
    return uvow__tls_option_error(tls, UVOW_EINVAL, wrong, what, ret_error);
  int rc = make_engine(tls, options, ret_error);
  if (rc == 0 && verification(options) != UVOW__VERIFY_NONE)
    rc = uvow__tls_load_trust(tls, options, ret_error);
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
  if (tls->engine)
    uvow__engine_free(tls->engine);
  uvow__buf_done(&tls->spare_sealed);
  uvow__free(mem, tls->spare_plain);
  uvow__free(mem, tls);
  uvow__loop_unpin(loop);
}

/* Takes the error: NULL: the code alone. */
static void give_error(uvow_loop_t *loop, int code, uvow_error_t *error,
                       uvow_error_t **ret_error) {
  if (!error)
    error = uvow__error_code(uvow__loop_mem(loop), code, UVOW_OUTCOME_NONE);
  if (ret_error)
    *ret_error = uvow_error_ref(error);
  uvow__fail_error(loop, error);
}

/* There's no loop to ask for memory: of these codes an error takes none. */
static int fail_early(uvow_loop_t *loop, int code, const char *argument,
                      const char *expected, uvow_error_t **ret_error) {
  uvow__fail(loop, code, argument, expected);
  if (ret_error)
    *ret_error = uvow__error_code(NULL, code, UVOW_OUTCOME_NONE);
  return code;
}

int uvow_tls_new(uvow_loop_t *loop, const uvow_tls_options_t *options,
                 uvow_tls_t **ret_tls, uvow_error_t **ret_error) {
  uvow_tls_options_t own;
  uvow_error_t *error = NULL;
  if (!loop || !ret_tls)
    return fail_early(loop, UVOW_EINVAL, "ret_tls", uvow__fail_null, ret_error);
  options =
      (const uvow_tls_options_t *)uvow__options(options, &own, sizeof(own));
  if (!options)
    return fail_early(loop, UVOW_EINVAL, "options",
                      UVOW__OPTIONS_TEXT(uvow_tls_options_t), ret_error);
  if (loop->rt.closed)
    return fail_early(loop, UVOW_ECLOSED, uvow__fail_closed, NULL, ret_error);
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
  int rc = configure(tls, options, &error);
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

int uvow_tls_get_stats(const uvow_tls_t *tls, uvow_tls_stats_t *ret) {
  if (!tls)
    return UVOW_EINVAL;
  if (!ret)
    return uvow__fail(tls->loop, UVOW_EINVAL, "ret", uvow__fail_null);
  return uvow__options_fill(ret, &tls->stats, sizeof(tls->stats));
}

int uvow__tls_default(uvow_loop_t *loop, uvow_tls_t **ret_tls,
                      uvow_error_t **ret_error) {
  int rc = 0;
  if (loop->default_tls)
    loop->default_tls->refs++;
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
