/*
 * What OpenSSL reads and writes: a BIO on an io's own memory.
 *
 * 1. It reads from the bytes that the io below has just brought, without a
 *    copy, and finds nothing when they are used up: it never blocks.
 * 2. It writes to `sealed`, up to a limit that only a peer reaches that asks
 *    and asks and never reads: that is an error.
 */
#include "tls_private.h"

#include <limits.h>
#include <string.h>

static uvow__tls_io_t *io_of(BIO *bio) {
  return (uvow__tls_io_t *)BIO_get_data(bio);
}

static int bio_read(BIO *bio, char *to, size_t size, size_t *ret_len) {
  uvow__tls_io_t *io = io_of(bio);
  size_t len = size < io->in_len ? size : io->in_len;
  BIO_clear_retry_flags(bio);
  if (len == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  memcpy(to, io->in, len);
  io->in += len;
  io->in_len -= len;
  *ret_len = len;
  return 1;
}

/* Capacity that an io which wrote before has left. */
static void borrow_capacity(uvow__tls_io_t *io) {
  uvow__buf_t *spare = &io->tls->spare_sealed;
  uvow__buf_t *sealed = &io->sealed;
  if (sealed->cap)
    return;
  if (!spare->cap) {
    uvow__loop_lend_write(io->tls->loop, sealed);
    return;
  }
  sealed->data = spare->data;
  sealed->cap = spare->cap;
  spare->data = NULL;
  spare->cap = 0;
}

static int bio_write(BIO *bio, const char *bytes, size_t len, size_t *ret_len) {
  uvow__tls_io_t *io = io_of(bio);
  BIO_clear_retry_flags(bio);
  borrow_capacity(io);
  if (uvow__buf_append(&io->sealed, bytes, len)) {
    io->no_memory = 1;
    return 0;
  }
  *ret_len = len;
  return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer) {
  (void)bio;
  (void)number;
  (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *uvow__tls_bio_method(void) {
  BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "uvow");
  if (method && BIO_meth_set_read_ex(method, bio_read) &&
      BIO_meth_set_write_ex(method, bio_write) &&
      BIO_meth_set_ctrl(method, bio_ctrl))
    return method;
  BIO_meth_free(method);
  return NULL;
}

int uvow__tls_bio_attach(uvow__tls_io_t *io) {
  BIO *bio = BIO_new(io->tls->bio);
  if (!bio)
    return UVOW_ENOMEM;
  BIO_set_data(bio, io);
  BIO_set_init(bio, 1);
  SSL_set_bio(io->ssl, bio, bio);
  return 0;
}
