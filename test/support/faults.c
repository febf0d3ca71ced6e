#include "faults.h"

#include <stdatomic.h>
#include <stdio.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#ifndef _WIN32
#include <sys/mman.h>
#endif

/* A file's calls come from threads as well. */
static struct {
  const char *function;
  int code;
  size_t count;     /* from the at-th on */
  atomic_size_t at; /* 0: none */
  atomic_size_t calls;
  atomic_size_t failed;
  _Atomic(const char *) last; /* the one that failed */
} faults;

void faults_begin(const char *function, int code, size_t at, size_t count) {
#ifndef TEST_FAULTS
  print_message("# skip: this linker puts nothing in libuv's place\n");
  skip();
#endif
  faults.function = function;
  faults.code = code;
  faults.count = count;
  atomic_store(&faults.calls, 0);
  atomic_store(&faults.failed, 0);
  faults.last = "none";
  faults.at = at;
}

size_t faults_end(void) {
  faults.at = 0;
  return atomic_load(&faults.failed);
}

static size_t sweep_once(int code, void (*body)(void *data), void *data,
                         size_t at, size_t count) {
  int open = faults_descriptors();
  faults_begin(NULL, code, at, count);
  body(data);
  size_t failed = faults_end();
  if (at && faults_descriptors() != open)
    fail_msg("a descriptor stays open where the call %zu fails, %s", at,
             faults.last);
  return failed;
}

/* Valgrind, for which each run takes fifty times as long. */
static int is_slow(void) {
  const char *loaded = getenv("LD_PRELOAD");
  return loaded && strstr(loaded, "vgpreload");
}

void faults_sweep(int code, void (*body)(void *data), void *data) {
  size_t at = 1;
  (void)sweep_once(code, body, data, 0, 0); /* what libuv opens once */
  while (sweep_once(code, body, data, at, 1) > 0) {
    if (!is_slow())
      (void)sweep_once(code, body, data, at, SIZE_MAX);
    at++;
  }
  assert_true(at > 1); /* a body that calls nothing proves nothing */
}

int faults_descriptors(void) {
  uv_fs_t req;
  int count = uv_fs_scandir(NULL, &req, "/proc/self/fd", 0, NULL);
  uv_fs_req_cleanup(&req);
  return count;
}

/* ---- in the place of libuv's ---- */

#ifdef TEST_FAULTS

enum { TRIES = 1, IS_BEGUN = 2, BY_NAME = 4 };

static int fails(const char *function, unsigned kind) {
  if (faults.at == 0 || (faults.code == UV_EAGAIN && !(kind & TRIES)) ||
      (faults.function ? strcmp(faults.function, function) != 0
                       : kind & BY_NAME))
    return 0;
  size_t call = atomic_fetch_add(&faults.calls, 1) + 1;
  if (call < faults.at || call - faults.at >= faults.count ||
      (call > faults.at && kind & IS_BEGUN))
    return 0;
  atomic_fetch_add(&faults.failed, 1);
  faults.last = function;
  return 1;
}

#define DECLARE(name, params)                                                  \
  int __real_##name params;                                                    \
  int __wrap_##name params;                                                    \
  int __wrap_##name params

#define OF_KIND(kind, name, params, args)                                      \
  DECLARE(name, params) {                                                      \
    return fails(#name, kind) ? faults.code : __real_##name args;              \
  }

#define PLAIN(name, params, args) OF_KIND(0, name, params, args)
#define TRY(name, params, args) OF_KIND(TRIES, name, params, args)
/* Where the first of these has failed, who closes what waits needs another. */
#define BEGIN(name, params, args) OF_KIND(IS_BEGUN, name, params, args)

OF_KIND(BY_NAME, uv_loop_init, (uv_loop_t * uv), (uv))
OF_KIND(BY_NAME, uv_os_getenv, (const char *name, char *value, size_t *size),
        (name, value, size))
PLAIN(uv_mutex_init, (uv_mutex_t * mutex), (mutex))
PLAIN(uv_async_init, (uv_loop_t * uv, uv_async_t *async, uv_async_cb cb),
      (uv, async, cb))
PLAIN(uv_random,
      (uv_loop_t * uv, uv_random_t *req, void *buf, size_t len, unsigned flags,
       uv_random_cb cb),
      (uv, req, buf, len, flags, cb))
PLAIN(uv_getaddrinfo,
      (uv_loop_t * uv, uv_getaddrinfo_t *req, uv_getaddrinfo_cb cb,
       const char *node, const char *service, const struct addrinfo *hints),
      (uv, req, cb, node, service, hints))
PLAIN(uv_getnameinfo,
      (uv_loop_t * uv, uv_getnameinfo_t *req, uv_getnameinfo_cb cb,
       const struct sockaddr *address, int flags),
      (uv, req, cb, address, flags))

BEGIN(uv_tcp_init, (uv_loop_t * uv, uv_tcp_t *tcp), (uv, tcp))
PLAIN(uv_tcp_bind,
      (uv_tcp_t * tcp, const struct sockaddr *address, unsigned flags),
      (tcp, address, flags))
PLAIN(uv_tcp_connect,
      (uv_connect_t * req, uv_tcp_t *tcp, const struct sockaddr *address,
       uv_connect_cb cb),
      (req, tcp, address, cb))
PLAIN(uv_tcp_getsockname,
      (const uv_tcp_t *tcp, struct sockaddr *address, int *len),
      (tcp, address, len))
PLAIN(uv_tcp_getpeername,
      (const uv_tcp_t *tcp, struct sockaddr *address, int *len),
      (tcp, address, len))
PLAIN(uv_tcp_close_reset, (uv_tcp_t * tcp, uv_close_cb cb), (tcp, cb))
BEGIN(uv_pipe_init, (uv_loop_t * uv, uv_pipe_t *pipe, int ipc), (uv, pipe, ipc))
PLAIN(uv_pipe_bind, (uv_pipe_t * pipe, const char *name), (pipe, name))
PLAIN(uv_pipe_open, (uv_pipe_t * pipe, uv_file fd), (pipe, fd))
PLAIN(uv_tty_init, (uv_loop_t * uv, uv_tty_t *tty, uv_file fd, int readable),
      (uv, tty, fd, readable))

PLAIN(uv_listen, (uv_stream_t * stream, int backlog, uv_connection_cb cb),
      (stream, backlog, cb))
/* The peer is taken in any case, as libuv does: it would listen no more. */
DECLARE(uv_accept, (uv_stream_t * server, uv_stream_t *client)) {
  int rc = __real_uv_accept(server, client);
  return fails("uv_accept", 0) ? faults.code : rc;
}
PLAIN(uv_read_start, (uv_stream_t * stream, uv_alloc_cb alloc, uv_read_cb cb),
      (stream, alloc, cb))
PLAIN(uv_write,
      (uv_write_t * req, uv_stream_t *stream, const uv_buf_t bufs[],
       unsigned count, uv_write_cb cb),
      (req, stream, bufs, count, cb))
TRY(uv_try_write, (uv_stream_t * stream, const uv_buf_t bufs[], unsigned count),
    (stream, bufs, count))
PLAIN(uv_shutdown,
      (uv_shutdown_t * req, uv_stream_t *stream, uv_shutdown_cb cb),
      (req, stream, cb))

/* It has a handle of libuv's in any case: only what it runs is missing. */
DECLARE(uv_spawn, (uv_loop_t * uv, uv_process_t *process,
                   const uv_process_options_t *options)) {
  uv_process_options_t other = *options;
  if (!fails("uv_spawn", 0))
    return __real_uv_spawn(uv, process, options);
  other.file = "/dev/null/none";
  (void)__real_uv_spawn(uv, process, &other);
  return faults.code;
}

PLAIN(uv_udp_bind,
      (uv_udp_t * udp, const struct sockaddr *address, unsigned flags),
      (udp, address, flags))
PLAIN(uv_udp_connect, (uv_udp_t * udp, const struct sockaddr *address),
      (udp, address))
PLAIN(uv_udp_getsockname,
      (const uv_udp_t *udp, struct sockaddr *address, int *len),
      (udp, address, len))
PLAIN(uv_udp_recv_start, (uv_udp_t * udp, uv_alloc_cb alloc, uv_udp_recv_cb cb),
      (udp, alloc, cb))
PLAIN(uv_udp_send,
      (uv_udp_send_t * req, uv_udp_t *udp, const uv_buf_t bufs[],
       unsigned count, const struct sockaddr *address, uv_udp_send_cb cb),
      (req, udp, bufs, count, address, cb))
TRY(uv_udp_try_send,
    (uv_udp_t * udp, const uv_buf_t bufs[], unsigned count,
     const struct sockaddr *address),
    (udp, bufs, count, address))
PLAIN(uv_udp_set_ttl, (uv_udp_t * udp, int ttl), (udp, ttl))
PLAIN(uv_udp_set_multicast_ttl, (uv_udp_t * udp, int ttl), (udp, ttl))
PLAIN(uv_udp_set_multicast_loop, (uv_udp_t * udp, int on), (udp, on))
PLAIN(uv_udp_set_multicast_interface, (uv_udp_t * udp, const char *address),
      (udp, address))
PLAIN(uv_udp_set_broadcast, (uv_udp_t * udp, int on), (udp, on))
PLAIN(uv_udp_set_membership,
      (uv_udp_t * udp, const char *group, const char *address,
       uv_membership membership),
      (udp, group, address, membership))

PLAIN(uv_poll_init_socket, (uv_loop_t * uv, uv_poll_t *poll, uv_os_sock_t fd),
      (uv, poll, fd))
PLAIN(uv_poll_start, (uv_poll_t * poll, int events, uv_poll_cb cb),
      (poll, events, cb))
PLAIN(uv_signal_start, (uv_signal_t * signal, uv_signal_cb cb, int signum),
      (signal, cb, signum))
PLAIN(uv_fs_event_start,
      (uv_fs_event_t * event, uv_fs_event_cb cb, const char *path,
       unsigned flags),
      (event, cb, path, flags))
PLAIN(uv_fs_poll_start,
      (uv_fs_poll_t * poll, uv_fs_poll_cb cb, const char *path,
       unsigned interval),
      (poll, cb, path, interval))

/* ---- files ---- */

/* As libuv leaves a request that it refuses. */
static int refuse(uv_fs_t *req) {
  req->type = UV_FS;
  req->fs_type = UV_FS_UNKNOWN;
  req->result = faults.code;
  req->ptr = NULL;
  req->path = NULL;
#ifndef _WIN32
  req->new_path = NULL;
  req->bufs = NULL;
#endif
  return faults.code;
}

#define BY_PATH(name, params, args)                                            \
  DECLARE(name, params) {                                                      \
    return fails(#name, 0) ? refuse(req) : __real_##name args;                 \
  }

#define BY_FD(name, params, args)                                              \
  DECLARE(name, params) {                                                      \
    if (fails(#name, 0))                                                       \
      fd = -1;                                                                 \
    return __real_##name args;                                                 \
  }

BY_PATH(uv_fs_open,
        (uv_loop_t * uv, uv_fs_t *req, const char *path, int flags, int mode,
         uv_fs_cb cb),
        (uv, req, path, flags, mode, cb))
BY_PATH(uv_fs_mkstemp,
        (uv_loop_t * uv, uv_fs_t *req, const char *path, uv_fs_cb cb),
        (uv, req, path, cb))
BY_PATH(uv_fs_stat,
        (uv_loop_t * uv, uv_fs_t *req, const char *path, uv_fs_cb cb),
        (uv, req, path, cb))
BY_PATH(uv_fs_lstat,
        (uv_loop_t * uv, uv_fs_t *req, const char *path, uv_fs_cb cb),
        (uv, req, path, cb))
BY_PATH(uv_fs_rename,
        (uv_loop_t * uv, uv_fs_t *req, const char *path, const char *to,
         uv_fs_cb cb),
        (uv, req, path, to, cb))
BY_PATH(uv_fs_scandir,
        (uv_loop_t * uv, uv_fs_t *req, const char *path, int flags,
         uv_fs_cb cb),
        (uv, req, path, flags, cb))
BY_PATH(uv_fs_opendir,
        (uv_loop_t * uv, uv_fs_t *req, const char *path, uv_fs_cb cb),
        (uv, req, path, cb))
BY_PATH(uv_fs_readdir,
        (uv_loop_t * uv, uv_fs_t *req, uv_dir_t *dir, uv_fs_cb cb),
        (uv, req, dir, cb))

BY_FD(uv_fs_read,
      (uv_loop_t * uv, uv_fs_t *req, uv_file fd, const uv_buf_t bufs[],
       unsigned count, int64_t offset, uv_fs_cb cb),
      (uv, req, fd, bufs, count, offset, cb))
BY_FD(uv_fs_write,
      (uv_loop_t * uv, uv_fs_t *req, uv_file fd, const uv_buf_t bufs[],
       unsigned count, int64_t offset, uv_fs_cb cb),
      (uv, req, fd, bufs, count, offset, cb))
BY_FD(uv_fs_fsync, (uv_loop_t * uv, uv_fs_t *req, uv_file fd, uv_fs_cb cb),
      (uv, req, fd, cb))
BY_FD(uv_fs_fstat, (uv_loop_t * uv, uv_fs_t *req, uv_file fd, uv_fs_cb cb),
      (uv, req, fd, cb))

/* On the spot where it's waited for, with the code: file systems refuse it in
 * several ways. */
DECLARE(uv_fs_fchmod,
        (uv_loop_t * uv, uv_fs_t *req, uv_file fd, int mode, uv_fs_cb cb)) {
  if (fails("uv_fs_fchmod", 0)) {
    if (!cb)
      return refuse(req);
    fd = -1;
  }
  return __real_uv_fs_fchmod(uv, req, fd, mode, cb);
}

/* Closed it is, as the system does where it says so of an error of writing. */
DECLARE(uv_fs_close, (uv_loop_t * uv, uv_fs_t *req, uv_file fd, uv_fs_cb cb)) {
  uv_fs_t own;
  if (fails("uv_fs_close", 0)) {
    (void)__real_uv_fs_close(NULL, &own, fd, NULL);
    uv_fs_req_cleanup(&own);
    fd = -1;
  }
  return __real_uv_fs_close(uv, req, fd, cb);
}

/* ---- the system ---- */

#ifndef _WIN32

#define MMAP(name)                                                             \
  void *__real_##name(void *at, size_t len, int access, int flags, int fd,     \
                      off_t offset);                                           \
  void *__wrap_##name(void *at, size_t len, int access, int flags, int fd,     \
                      off_t offset);                                           \
  void *__wrap_##name(void *at, size_t len, int access, int flags, int fd,     \
                      off_t offset) {                                          \
    return fails("mmap", BY_NAME)                                              \
               ? MAP_FAILED                                                    \
               : __real_##name(at, len, access, flags, fd, offset);            \
  }

MMAP(mmap)
#ifdef __GLIBC__
MMAP(mmap64) /* what mmap is where files are large */
#endif
OF_KIND(BY_NAME, mprotect, (void *at, size_t len, int access),
        (at, len, access))

#endif

/* ---- OpenSSL ---- */

#define OPENSSL(type, failure, name, params, args)                             \
  type __real_##name params;                                                   \
  type __wrap_##name params;                                                   \
  type __wrap_##name params {                                                  \
    return fails(#name, BY_NAME) ? failure : __real_##name args;               \
  }

OPENSSL(int, 0, EVP_DigestInit_ex,
        (EVP_MD_CTX * ctx, const EVP_MD *kind, ENGINE *engine),
        (ctx, kind, engine))
OPENSSL(int, 0, EVP_DigestUpdate,
        (EVP_MD_CTX * ctx, const void *bytes, size_t len), (ctx, bytes, len))
OPENSSL(int, 0, EVP_DigestFinal_ex,
        (EVP_MD_CTX * ctx, unsigned char *ret, unsigned *len), (ctx, ret, len))
OPENSSL(unsigned char *, NULL, HMAC,
        (const EVP_MD *kind, const void *key, int key_len,
         const unsigned char *text, size_t text_len, unsigned char *ret,
         unsigned *len),
        (kind, key, key_len, text, text_len, ret, len))
OPENSSL(int, 0, RAND_bytes, (unsigned char *bytes, int len), (bytes, len))
OPENSSL(SSL_CTX *, NULL, SSL_CTX_new, (const SSL_METHOD *method), (method))
OPENSSL(SSL *, NULL, SSL_new, (SSL_CTX * ctx), (ctx))
OPENSSL(BIO_METHOD *, NULL, BIO_meth_new, (int type, const char *name),
        (type, name))
OPENSSL(BIO *, NULL, BIO_new, (const BIO_METHOD *method), (method))
OPENSSL(BIO *, NULL, BIO_new_mem_buf, (const void *bytes, int len),
        (bytes, len))
OPENSSL(int, 0, SSL_CTX_set_session_id_context,
        (SSL_CTX * ctx, const unsigned char *id, unsigned len), (ctx, id, len))
OPENSSL(int, 1, SSL_CTX_set_alpn_protos,
        (SSL_CTX * ctx, const unsigned char *protos, unsigned len),
        (ctx, protos, len))
OPENSSL(int, 0, SSL_set_ex_data, (SSL * ssl, int at, void *data),
        (ssl, at, data))
OPENSSL(int, 0, X509_STORE_add_cert, (X509_STORE * store, X509 *cert),
        (store, cert))
OPENSSL(int, 0, X509_STORE_add_crl, (X509_STORE * store, X509_CRL *crl),
        (store, crl))
OPENSSL(int, 0, SSL_CTX_add_client_CA, (SSL_CTX * ctx, X509 *cert), (ctx, cert))
OPENSSL(int, 0, SSL_CTX_use_certificate, (SSL_CTX * ctx, X509 *cert),
        (ctx, cert))
OPENSSL(int, 0, SSL_CTX_use_PrivateKey, (SSL_CTX * ctx, EVP_PKEY *key),
        (ctx, key))
OPENSSL(int, 0, X509_VERIFY_PARAM_set1_host,
        (X509_VERIFY_PARAM * param, const char *name, size_t len),
        (param, name, len))
OPENSSL(int, 0, X509_VERIFY_PARAM_set1_ip,
        (X509_VERIFY_PARAM * param, const unsigned char *ip, size_t len),
        (param, ip, len))
OPENSSL(int, -1, X509_NAME_print_ex,
        (BIO * bio, const X509_NAME *name, int indent, unsigned long flags),
        (bio, name, indent, flags))

#endif
