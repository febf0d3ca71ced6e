/*
 * Certificates, keys and revocation lists, from files and texts.
 *
 * 1. Files are read here, whole, and never by the engine: a TLS library would
 *    look up a directory's later, while it shakes hands, and ask a terminal for
 *    a key's password.
 * 2. What a text holds is all used, or it's an error: but in a directory, where
 *    files that aren't certificates are passed over.
 */
#include "tls_private.h"

#include <stdio.h>
#include <string.h>

#include "system.h"

#define TEXT_MAX ((size_t)16 * 1024 * 1024) /* bytes of a file or text */
#define READ_PART 65536
#define PATH_MAX_LEN 4096
#ifdef _WIN32
#define LIST_SEPARATOR ';'
#else
#define LIST_SEPARATOR ':'
#endif

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
  *ret_error = uvow__error_make(uvow__loop_mem(tls->loop), &spec);
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
  uvow__buf_init(text, uvow__loop_mem(tls->loop), TEXT_MAX + READ_PART);
  if (source->file)
    rc = read_file(tls, source->file, text);
  else
    rc = uvow__buf_append_text(text, source->text);
  if (rc == 0 && uvow__buf_size(text) > TEXT_MAX)
    rc = UVOW_ETOOBIG;
  return rc ? source_error(tls, rc, source, uvow_strerror(rc), ret_error) : 0;
}

static long load_text(uvow_tls_t *tls, uvow__engine_pem_t kind,
                      uvow__buf_t *text, const char *password,
                      const char **ret_reason) {
  size_t len = uvow__buf_size(text);
  const char *bytes = len ? (const char *)uvow__buf_front(text) : "";
  return uvow__engine_load(tls->engine, kind, bytes, len, password, ret_reason);
}

/* Loads a source, if there is one: at least one of the kind. */
static int load(uvow_tls_t *tls, const source_t *source,
                uvow__engine_pem_t kind, const char *password,
                uvow_error_t **ret_error) {
  char what[200];
  uvow__buf_t text;
  if (!source->file && !source->text)
    return 0;
  int rc = get_text(tls, source, &text, ret_error);
  if (rc == 0) {
    const char *reason = NULL;
    long count = load_text(tls, kind, &text, password, &reason);
    snprintf(what, sizeof(what), "%s%s",
             count ? "can't be used: " : "holds no such PEM",
             !count   ? ""
             : reason ? reason
                      : "malformed, or encrypted");
    if (count <= 0)
      rc = source_error(tls, UVOW_ETLS, source, what, ret_error);
  }
  if (uvow__buf_size(&text))
    uvow__engine_erase(uvow__buf_front(&text), uvow__buf_size(&text));
  uvow__buf_done(&text);
  return rc;
}

/* CAs. */

/* The certificates of a file in a directory, or 0: it holds none. UVOW_ENOMEM.
 */
static long take_entry(uvow_tls_t *tls, const char *dir, const char *name) {
  char path[PATH_MAX_LEN];
  const char *reason;
  uvow__buf_t text;
  long count = 0;
  snprintf(path, sizeof(path), "%s/%s", dir, name);
  uvow__buf_init(&text, uvow__loop_mem(tls->loop), TEXT_MAX);
  int rc = read_file(tls, path, &text);
  if (rc == 0)
    count = load_text(tls, UVOW__PEM_CAS, &text, NULL, &reason);
  uvow__buf_done(&text);
  if (rc == UVOW_ENOMEM)
    return rc;
  return count > 0 ? count : 0;
}

/* All certificates of a directory's files: how many, or an error. */
static long take_dir(uvow_tls_t *tls, const char *dir) {
  uv_fs_t req;
  uv_dirent_t entry;
  long count = 0;
  int rc = uv_fs_scandir(tls->loop->uv, &req, dir, 0, NULL);
  if (rc < 0)
    count = rc;
  /* To its end: the last entry's memory is freed only there. */
  while (rc >= 0 && uv_fs_scandir_next(&req, &entry) == 0) {
    long more = count < 0 ? 0 : take_entry(tls, dir, entry.name);
    count = more < 0 ? more : count + more;
  }
  uv_fs_req_cleanup(&req);
  return count;
}

static int load_dir(uvow_tls_t *tls, const source_t *source,
                    uvow_error_t **ret_error) {
  long count = take_dir(tls, source->file);
  if (count > 0)
    return 0;
  return count < 0 ? source_error(tls, (int)count, source,
                                  uvow_strerror((int)count), ret_error)
                   : source_error(tls, UVOW_ETLS, source,
                                  "holds no certificate", ret_error);
}

/* The environment's: as OpenSSL does, but a file that can't be read is an
 * error, and so are directories that hold nothing, without a file. */

static int load_env_dirs(uvow_tls_t *tls, char *dirs, int has_file,
                         uvow_error_t **ret_error) {
  const source_t source = {"SSL_CERT_DIR", dirs, NULL};
  long count = 0;
  for (char *at = dirs, *next; at; at = next) {
    next = strchr(at, LIST_SEPARATOR);
    size_t len = next ? (size_t)(next++ - at) : strlen(at);
    char *dir = uvow__strndup(uvow__loop_mem(tls->loop), at, len);
    long more = !dir ? UVOW_ENOMEM : len ? take_dir(tls, dir) : 0;
    uvow__free(uvow__loop_mem(tls->loop), dir);
    if (more == UVOW_ENOMEM)
      return UVOW_ENOMEM;
    count += more > 0 ? more : 0;
  }
  return count || has_file ? 0
                           : source_error(tls, UVOW_ETLS, &source,
                                          "holds no certificate", ret_error);
}

/* *ret_found: whether it names any. */
static int load_environment(uvow_tls_t *tls, int *ret_found,
                            uvow_error_t **ret_error) {
  source_t source = {"SSL_CERT_FILE", NULL, NULL};
  char *file = NULL;
  char *dirs = NULL;
  int rc = uvow__system_env(uvow__loop_mem(tls->loop), source.name, &file);
  if (rc == 0)
    rc = uvow__system_env(uvow__loop_mem(tls->loop), "SSL_CERT_DIR", &dirs);
  source.file = file;
  if (rc == 0)
    rc = load(tls, &source, UVOW__PEM_CAS, NULL, ret_error);
  if (rc == 0 && dirs)
    rc = load_env_dirs(tls, dirs, file != NULL, ret_error);
  *ret_found = file || dirs;
  uvow__free(uvow__loop_mem(tls->loop), file);
  uvow__free(uvow__loop_mem(tls->loop), dirs);
  return rc;
}

static int load_system(uvow_tls_t *tls, uvow_error_t **ret_error) {
  source_t source = {"the system's CAs", uvow__engine_ca_file(), NULL};
  const source_t dir = {source.name, uvow__engine_ca_dir(), NULL};
  size_t i = 0;
  for (;;) {
    uvow_error_t *error = NULL;
    int rc = load(tls, &source, UVOW__PEM_CAS, NULL, &error);
    uvow_error_unref(error);
    if (rc == 0 || rc == UVOW_ENOMEM)
      return rc;
    if (i == sizeof(bundles) / sizeof(*bundles))
      break;
    source.file = bundles[i++];
  }
  int rc = load_dir(tls, &dir, ret_error);
  if (rc == 0 || rc == UVOW_ENOMEM)
    return rc;
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
  const source_t dir = {"ca_dir", options->ca_dir, NULL};
  int own = options->ca_file || options->ca_dir || options->ca_pem;
  int none = !own && !tls->is_server;
  int found = 0;
  int rc = load(tls, &file, UVOW__PEM_CAS, NULL, ret_error);
  if (rc == 0)
    rc = load(tls, &text, UVOW__PEM_CAS, NULL, ret_error);
  if (rc == 0 && options->ca_dir)
    rc = load_dir(tls, &dir, ret_error);
  if (rc == 0 && none && !options->no_environment)
    rc = load_environment(tls, &found, ret_error);
  if (rc == 0 && (options->add_system_cas || (none && !found)))
    rc = load_system(tls, ret_error);
  if (rc == 0)
    rc = load(tls, &crls, UVOW__PEM_CRLS, NULL, ret_error);
  return rc;
}

int uvow__tls_load_identity(uvow_tls_t *tls, const uvow_tls_options_t *options,
                            uvow_error_t **ret_error) {
  const source_t cert = {options->cert_file ? "cert_file" : "cert_pem",
                         options->cert_file, options->cert_pem};
  const source_t key = {options->key_file ? "key_file" : "key_pem",
                        options->key_file, options->key_pem};
  int rc = load(tls, &cert, UVOW__PEM_CHAIN, NULL, ret_error);
  if (rc == 0)
    rc = load(tls, &key, UVOW__PEM_KEY, options->key_password, ret_error);
  if (rc == 0 && (cert.file || cert.text) &&
      !uvow__engine_key_fits(tls->engine))
    rc = source_error(tls, UVOW_ETLS, &key, "is not the key of the certificate",
                      ret_error);
  return rc;
}
