/*
 * Certificates, keys and revocation lists, from files and texts.
 *
 * 1. Files are read here, whole, and never by OpenSSL: it would look up a
 *    directory's later, while it shakes hands, and ask a terminal for a
 *    key's password.
 * 2. What a text holds is all used, or it's an error: but in a directory, where
 *    files that aren't certificates are passed over.
 */
#include "tls_private.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#define TEXT_MAX ((size_t)16 * 1024 * 1024) /* bytes of a file or text */
#define READ_PART 65536
#define PATH_MAX_LEN 4096

/* Where the systems have their CAs in one file: OpenSSL's own place, Debian,
 * Fedora, SUSE, Alpine and the BSDs. */
static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

typedef struct source {
  const char *name; /* of the option, for errors */
  const char *file; /* one of these two, */
  const char *text; /* or neither */
} source_t;

static const uvow__mem_t *mem_of(const uvow_tls_t *tls) {
  return uvow__loop_mem(tls->loop);
}

int uvow__tls_option_error(uvow_tls_t *tls, int code, const char *name,
                           const char *what, uvow_error_t **ret_error) {
  char detail[512];
  uvow__error_spec_t spec = {0};
  int len = snprintf(detail, sizeof(detail), "%s: %s", name, what);
  spec.code = code;
  spec.detail.ptr = detail;
  spec.detail.len = len < 0 ? 0 : (size_t)len;
  if (spec.detail.len >= sizeof(detail))
    spec.detail.len = sizeof(detail) - 1;
  *ret_error = uvow__error_make(mem_of(tls), &spec);
  return code;
}

static int source_error(uvow_tls_t *tls, int code, const source_t *source,
                        const char *what, uvow_error_t **ret_error) {
  char name[400];
  snprintf(name, sizeof(name), "%s%s%s", source->name, source->file ? " " : "",
           source->file ? source->file : "");
  return uvow__tls_option_error(tls, code, name, what, ret_error);
}

/* Reading. */

static int read_open_file(uv_loop_t *uv, uv_file file, uvow__buf_t *text) {
  uv_fs_t req;
  for (;;) {
    int rc = uvow__buf_reserve(text, READ_PART);
    if (rc)
      return rc == UVOW_EOVERLOAD ? UVOW_ETOOBIG : rc;
    uv_buf_t room = uv_buf_init((char *)text->data + text->len, READ_PART);
    rc = uv_fs_read(uv, &req, file, &room, 1, -1, NULL);
    uv_fs_req_cleanup(&req);
    if (rc <= 0)
      return rc;
    text->len += (size_t)rc;
  }
}

static int read_file(uvow_tls_t *tls, const char *path, uvow__buf_t *text) {
  uv_loop_t *uv = tls->loop->uv;
  uv_fs_t req;
  int file = uv_fs_open(uv, &req, path, UV_FS_O_RDONLY, 0, NULL);
  uv_fs_req_cleanup(&req);
  if (file < 0)
    return file;
  int rc = read_open_file(uv, file, text);
  uv_fs_close(uv, &req, file, NULL);
  uv_fs_req_cleanup(&req);
  return rc;
}

/* Gets a source's text; it's to be done in any case. */
static int get_text(uvow_tls_t *tls, const source_t *source, uvow__buf_t *text,
                    uvow_error_t **ret_error) {
  int rc;
  uvow__buf_init(text, mem_of(tls), TEXT_MAX + READ_PART);
  if (source->file)
    rc = read_file(tls, source->file, text);
  else
    rc = uvow__buf_append_text(text, source->text);
  if (rc == 0 && uvow__buf_size(text) > TEXT_MAX)
    rc = UVOW_ETOOBIG;
  return rc ? source_error(tls, rc, source, uvow_strerror(rc), ret_error) : 0;
}

/* A BIO that reads the text. Returns new or NULL. */
static BIO *bio_of(uvow__buf_t *text) {
  return BIO_new_mem_buf(uvow__buf_size(text) ? (char *)uvow__buf_front(text)
                                              : "",
                         (int)uvow__buf_size(text));
}

/* Without a password, an encrypted key is an error; nobody is asked. */
static int give_password(char *to, int size, int writing, void *data) {
  const char *password = (const char *)data;
  size_t len = password ? strlen(password) : 0;
  (void)writing;
  if (len == 0 || len > (size_t)size)
    return -1;
  memcpy(to, password, len);
  return (int)len;
}

/* Whether PEM_read_bio_* ended since there's no more. Empties the queue. */
static int at_end(void) {
  unsigned long why = ERR_peek_last_error();
  int none = why == 0 || (ERR_GET_LIB(why) == ERR_LIB_PEM &&
                          ERR_GET_REASON(why) == PEM_R_NO_START_LINE);
  ERR_clear_error();
  return none;
}

/* Each of these takes all that the BIO has of its kind, and counts it: negative
 * for what can't be read. */
static long take_cas(uvow_tls_t *tls, BIO *bio, const char *password) {
  X509_STORE *store = SSL_CTX_get_cert_store(tls->ssl);
  long count = 0;
  X509 *cert;
  (void)password;
  ERR_clear_error();
  while ((cert = PEM_read_bio_X509_AUX(bio, NULL, give_password, NULL))) {
    int ok = X509_STORE_add_cert(store, cert) &&
             (!tls->is_server || SSL_CTX_add_client_CA(tls->ssl, cert));
    X509_free(cert);
    if (!ok)
      return -1;
    count++;
  }
  return at_end() ? count : -1;
}

static long take_crls(uvow_tls_t *tls, BIO *bio, const char *password) {
  X509_STORE *store = SSL_CTX_get_cert_store(tls->ssl);
  long count = 0;
  X509_CRL *crl;
  (void)password;
  ERR_clear_error();
  while ((crl = PEM_read_bio_X509_CRL(bio, NULL, give_password, NULL))) {
    int ok = X509_STORE_add_crl(store, crl);
    X509_CRL_free(crl);
    if (!ok)
      return -1;
    count++;
  }
  X509_STORE_set_flags(store,
                       X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return at_end() ? count : -1;
}

/* The first is ours, the others lead to its CA. */
static long take_chain(uvow_tls_t *tls, BIO *bio, const char *password) {
  long count = 0;
  X509 *cert;
  (void)password;
  ERR_clear_error();
  while ((cert = PEM_read_bio_X509_AUX(bio, NULL, give_password, NULL))) {
    int ok = count == 0 ? SSL_CTX_use_certificate(tls->ssl, cert)
                        : (int)SSL_CTX_add1_chain_cert(tls->ssl, cert);
    X509_free(cert);
    if (!ok)
      return -1;
    count++;
  }
  return at_end() ? count : -1;
}

static long take_key(uvow_tls_t *tls, BIO *bio, const char *password) {
  ERR_clear_error();
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, give_password,
                                          (void *)(uintptr_t)password);
  if (!key)
    return at_end() ? 0 : -1;
  int ok = SSL_CTX_use_PrivateKey(tls->ssl, key);
  EVP_PKEY_free(key);
  return ok ? 1 : -1;
}

typedef long (*take_cb)(uvow_tls_t *tls, BIO *bio, const char *password);

/* Loads a source, if there is one: at least one of what take takes. */
static int load(uvow_tls_t *tls, const source_t *source, take_cb take,
                const char *password, uvow_error_t **ret_error) {
  char what[200];
  uvow__buf_t text;
  if (!source->file && !source->text)
    return 0;
  int rc = get_text(tls, source, &text, ret_error);
  if (rc == 0) {
    BIO *bio = bio_of(&text);
    long count = bio ? take(tls, bio, password) : -1;
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    BIO_free(bio);
    snprintf(what, sizeof(what), "%s%s",
             count ? "can't be used: " : "holds no such PEM",
             !count   ? ""
             : reason ? reason
                      : "malformed, or encrypted");
    if (count <= 0)
      rc = source_error(tls, UVOW_ETLS, source, what, ret_error);
    ERR_clear_error();
  }
  if (uvow__buf_size(&text))
    OPENSSL_cleanse(uvow__buf_front(&text), uvow__buf_size(&text));
  uvow__buf_done(&text);
  return rc;
}

/* CAs. */

/* All certificates of a directory's files. */
static int load_dir(uvow_tls_t *tls, const char *dir,
                    uvow_error_t **ret_error) {
  char path[PATH_MAX_LEN];
  uv_fs_t req;
  uv_dirent_t entry;
  long count = 0;
  source_t source = {"ca_dir", dir, NULL};
  int rc = uv_fs_scandir(tls->loop->uv, &req, dir, 0, NULL);
  if (rc < 0)
    source_error(tls, rc, &source, uvow_strerror(rc), ret_error);
  while (rc >= 0 && uv_fs_scandir_next(&req, &entry) == 0) {
    uvow__buf_t text;
    snprintf(path, sizeof(path), "%s/%s", dir, entry.name);
    uvow__buf_init(&text, mem_of(tls), TEXT_MAX);
    BIO *bio = NULL;
    if (read_file(tls, path, &text) == 0)
      bio = bio_of(&text);
    long more = bio ? take_cas(tls, bio, NULL) : 0;
    count += more > 0 ? more : 0;
    BIO_free(bio);
    uvow__buf_done(&text);
  }
  ERR_clear_error();
  uv_fs_req_cleanup(&req);
  if (rc < 0 || count)
    return rc < 0 ? rc : 0;
  return source_error(tls, UVOW_ETLS, &source, "holds no certificate",
                      ret_error);
}

static int load_system(uvow_tls_t *tls, uvow_error_t **ret_error) {
  source_t source = {"the system's CAs", X509_get_default_cert_file(), NULL};
  size_t i = 0;
  for (;;) {
    uvow_error_t *error = NULL;
    int rc = load(tls, &source, take_cas, NULL, &error);
    uvow_error_unref(error);
    if (rc == 0 || rc == UVOW_ENOMEM)
      return rc;
    if (i == sizeof(bundles) / sizeof(*bundles))
      break;
    source.file = bundles[i++];
  }
  if (load_dir(tls, X509_get_default_cert_dir(), ret_error) == 0)
    return 0;
  uvow_error_unref(*ret_error);
  *ret_error = NULL;
  return uvow__tls_option_error(tls, UVOW_ETLS, source.name,
                                "there are none; name some with ca_file",
                                ret_error);
}

int uvow__tls_load_trust(uvow_tls_t *tls, const uvow_tls_options_t *options,
                         uvow_error_t **ret_error) {
  const source_t file = {"ca_file", options->ca_file, NULL};
  const source_t text = {"ca_pem", NULL, options->ca_pem};
  const source_t crls = {options->crl_file ? "crl_file" : "crl_pem",
                         options->crl_file, options->crl_pem};
  int own = options->ca_file || options->ca_dir || options->ca_pem;
  int system = options->add_system_cas || (!own && !tls->is_server);
  int rc = load(tls, &file, take_cas, NULL, ret_error);
  if (rc == 0)
    rc = load(tls, &text, take_cas, NULL, ret_error);
  if (rc == 0 && options->ca_dir)
    rc = load_dir(tls, options->ca_dir, ret_error);
  if (rc == 0 && system)
    rc = load_system(tls, ret_error);
  if (rc == 0)
    rc = load(tls, &crls, take_crls, NULL, ret_error);
  return rc;
}

int uvow__tls_load_identity(uvow_tls_t *tls, const uvow_tls_options_t *options,
                            uvow_error_t **ret_error) {
  const source_t cert = {options->cert_file ? "cert_file" : "cert_pem",
                         options->cert_file, options->cert_pem};
  const source_t key = {options->key_file ? "key_file" : "key_pem",
                        options->key_file, options->key_pem};
  int rc = load(tls, &cert, take_chain, NULL, ret_error);
  if (rc == 0)
    rc = load(tls, &key, take_key, options->key_password, ret_error);
  if (rc == 0 && (cert.file || cert.text) &&
      !SSL_CTX_check_private_key(tls->ssl)) {
    ERR_clear_error();
    rc = source_error(tls, UVOW_ETLS, &key, "is not the key of the certificate",
                      ret_error);
  }
  return rc;
}
