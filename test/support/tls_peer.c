#include "tls_peer.h"

#include <stdio.h>

#include <openssl/err.h>

#define CHUNK 65536

static const unsigned char http11[] = "\x08http/1.1";

static tls_certs_t certs;

int tls_setup(void **state) {
  cert_spec_t spec = {0};
  (void)state;
  certs.ca = cert_new_ca("Test CA");
  certs.good = cert_new_localhost(certs.ca);
  spec.name = "user";
  spec.issuer = certs.ca;
  certs.user = cert_new(&spec);
  return 0;
}

int tls_teardown(void **state) {
  (void)state;
  cert_free(certs.ca);
  cert_free(certs.good);
  cert_free(certs.user);
  return 0;
}

const tls_certs_t *tls_certs(void) {
  return &certs;
}

uvow_tls_options_t tls_options(int is_server) {
  uvow_tls_options_t options = {0};
  options.size = sizeof(options);
  options.is_server = is_server;
  if (is_server) {
    options.cert_pem = certs.good->pem;
    options.key_pem = certs.good->key_pem;
  } else {
    options.ca_pem = certs.ca->pem;
  }
  return options;
}

/* Our stream. */

static void act(tls_pair_t *pair, int when) {
  if (pair->act == when && pair->stream) {
    uvow__io_t *stream = pair->stream;
    pair->stream = NULL;
    stream->ops->close(stream);
  }
}

static void on_open(void *ctx) {
  tls_pair_t *pair = (tls_pair_t *)ctx;
  assert_int_equal(pair->ended + pair->closed, 0);
  pair->opened++;
  act(pair, 1);
}

static void keep(uint8_t **to, size_t *to_len, const uint8_t *bytes,
                 size_t len) {
  size_t old = 1, cap = 1; /* the powers of two that hold it, and a NUL */
  while (*to && old < *to_len + 1)
    old *= 2;
  while (cap < *to_len + len + 1)
    cap *= 2;
  if (!*to || cap > old)
    *to = (uint8_t *)realloc(*to, cap);
  assert_non_null(*to);
  memcpy(*to + *to_len, bytes, len);
  *to_len += len;
  (*to)[*to_len] = '\0';
}

static void on_read(void *ctx, const uint8_t *bytes, size_t len) {
  tls_pair_t *pair = (tls_pair_t *)ctx;
  assert_true(pair->opened && !pair->ended && pair->stream);
  if (len == 0) {
    pair->heard++;
    return;
  }
  pair->reads++;
  keep(&pair->got, &pair->got_len, bytes, len);
  act(pair, 2);
  if (pair->act == 4)
    pair->stream->ops->pause(pair->stream, 1);
}

static void on_drained(void *ctx) {
  tls_pair_t *pair = (tls_pair_t *)ctx;
  assert_true(pair->stream && !pair->stream->writing && !pair->ended);
  pair->drained++;
}

static void on_end(void *ctx, uvow_error_t *error) {
  tls_pair_t *pair = (tls_pair_t *)ctx;
  assert_true(pair->stream && !pair->ended);
  pair->ended++;
  pair->error = error;
  act(pair, 3);
}

static void on_closed(void *ctx) {
  tls_pair_t *pair = (tls_pair_t *)ctx;
  assert_null(pair->stream);
  pair->closed++;
}

static const uvow__io_callbacks_t callbacks = {on_open, on_read, on_drained,
                                               on_end, on_closed};

/* A listener of ours is a script: its next stream is the peer that waits. */
static int accept_script(const uvow__transport_t *transport,
                         uvow__listener_t *listener,
                         const uvow__io_callbacks_t *lower, void *ctx,
                         uvow__io_t **ret_io) {
  script_t *s = (script_t *)(void *)listener;
  (void)transport;
  int rc =
      s->transport.connect(&s->transport, s->loop, NULL, lower, ctx, ret_io);
  if (rc == 0)
    (*ret_io)->is_open = 1;
  return rc;
}

static const uvow__transport_t accepting = {NULL, NULL, accept_script};

void tls_pair_init_with(tls_pair_t *pair, test_alloc_t *alloc) {
  memset(pair, 0, sizeof(*pair));
  script_init_with(&pair->s, alloc);
  pair->host = "localhost";
  pair->port = 443;
}

void tls_pair_init(tls_pair_t *pair) {
  memset(pair, 0, sizeof(*pair));
  script_init(&pair->s);
  pair->host = "localhost";
  pair->port = 443;
}

void tls_pair_ours(tls_pair_t *pair, const uvow_tls_options_t *options) {
  uvow_error_t *error = NULL;
  uvow_tls_unref(pair->tls);
  pair->tls = NULL;
  int rc = uvow_tls_new(pair->s.loop, options, &pair->tls, &error);
  if (rc && !pair->s.alloc->failed)
    fail_msg("uvow_tls_new: %s", uvow_error_message(error));
  uvow_error_unref(error);
  pair->is_server = options->is_server;
}

static int choose_alpn(SSL *ssl, const unsigned char **ret, unsigned char *len,
                       const unsigned char *offered, unsigned offered_len,
                       void *data) {
  (void)ssl;
  (void)data;
  return SSL_select_next_proto((unsigned char **)(uintptr_t)ret, len, http11, 9,
                               offered, offered_len) == OPENSSL_NPN_NEGOTIATED
             ? SSL_TLSEXT_ERR_OK
             : SSL_TLSEXT_ERR_NOACK;
}

void tls_pair_peer(tls_pair_t *pair, const cert_t *cert, const cert_t *ca) {
  SSL_CTX_free(pair->peer_ctx);
  pair->peer_ctx = SSL_CTX_new(TLS_method());
  assert_non_null(pair->peer_ctx);
  if (cert) {
    assert_int_equal(SSL_CTX_use_certificate(pair->peer_ctx, cert->x509), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(pair->peer_ctx, cert->key), 1);
  }
  if (ca) {
    X509_STORE *store = SSL_CTX_get_cert_store(pair->peer_ctx);
    assert_int_equal(X509_STORE_add_cert(store, ca->x509), 1);
    SSL_CTX_set_verify(pair->peer_ctx,
                       SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  }
  SSL_CTX_set_alpn_select_cb(pair->peer_ctx, choose_alpn, NULL);
  SSL_CTX_set_session_id_context(pair->peer_ctx, http11, 1);
}

static void start_peer(tls_pair_t *pair) {
  BIO *in = BIO_new(BIO_s_mem());
  BIO *out = BIO_new(BIO_s_mem());
  pair->peer = SSL_new(pair->peer_ctx);
  assert_true(in && out && pair->peer);
  BIO_set_mem_eof_return(in, -1); /* empty: more may come */
  SSL_set_bio(pair->peer, in, out);
  if (pair->is_server)
    SSL_set_connect_state(pair->peer);
  else
    SSL_set_accept_state(pair->peer);
}

int tls_pair_start(tls_pair_t *pair) {
  uvow__tls_transport_t transport;
  uvow__endpoint_t endpoint = {pair->host, pair->port, 1, NULL, 0};
  start_peer(pair);
  uvow__tls_transport_init(
      &transport, pair->is_server ? &accepting : &pair->s.transport, pair->tls);
  if (pair->is_server)
    return transport.transport.accept(&transport.transport,
                                      (uvow__listener_t *)(void *)&pair->s,
                                      &callbacks, pair, &pair->stream);
  int rc =
      transport.transport.connect(&transport.transport, pair->s.loop, &endpoint,
                                  &callbacks, pair, &pair->stream);
  if (rc == 0)
    script_connected(&pair->s);
  return rc;
}

void tls_pair_make(tls_pair_t *pair, int is_server, uvow_tls_version_t max) {
  uvow_tls_options_t options = tls_options(is_server);
  options.max_version = max;
  tls_pair_init(pair);
  tls_pair_ours(pair, &options);
  tls_pair_peer(pair, is_server ? NULL : certs.good, NULL);
}

void tls_pair_open(tls_pair_t *pair, int is_server, uvow_tls_version_t max) {
  tls_pair_make(pair, is_server, max);
  assert_int_equal(tls_pair_start(pair), 0);
  tls_pair_run(pair);
  assert_int_equal(pair->opened, 1);
  assert_true(pair->peer_shaken);
  assert_false(pair->ended);
}

/* The peer shakes hands, and reads. */
static void step_peer(tls_pair_t *pair) {
  uint8_t bytes[16384];
  int rc = 1;
  ERR_clear_error();
  if (!pair->peer_shaken) {
    rc = SSL_do_handshake(pair->peer);
    pair->peer_shaken = rc == 1;
  }
  while (rc > 0) {
    rc = SSL_read(pair->peer, bytes, sizeof(bytes));
    if (rc > 0)
      keep(&pair->peer_got, &pair->peer_got_len, bytes, (size_t)rc);
  }
  int why = SSL_get_error(pair->peer, rc);
  if (why != SSL_ERROR_WANT_READ)
    pair->peer_error = why;
}

int tls_pair_to_peer(tls_pair_t *pair) {
  script_t *s = &pair->s;
  size_t len = s->sent_len;
  if (len)
    BIO_write(SSL_get_rbio(pair->peer), s->sent, (int)len);
  s->sent_len = s->sent_at = 0;
  if (!pair->peer_error)
    step_peer(pair);
  return len > 0;
}

uint8_t *tls_pair_take(tls_pair_t *pair, size_t *ret_len) {
  BIO *bio = SSL_get_wbio(pair->peer);
  size_t len = BIO_ctrl_pending(bio);
  uint8_t *bytes = (uint8_t *)malloc(len + 1);
  assert_non_null(bytes);
  *ret_len = len ? (size_t)BIO_read(bio, bytes, (int)len) : 0;
  assert_int_equal(*ret_len, len);
  return bytes;
}

int tls_pair_to_us(tls_pair_t *pair) {
  size_t len;
  uint8_t *bytes = tls_pair_take(pair, &len);
  size_t first = 0;
  if (pair->split_at > pair->fed && pair->split_at < pair->fed + len)
    first = pair->split_at - pair->fed;
  if (first)
    script_feed(&pair->s, bytes, first);
  if (len > first)
    script_feed(&pair->s, bytes + first, len - first);
  pair->fed += len;
  free(bytes);
  return len > 0;
}

void tls_pair_run(tls_pair_t *pair) {
  int moved;
  do {
    moved = tls_pair_to_peer(pair);
    moved |= tls_pair_to_us(pair);
    if (pair->s.stream)
      script_unblock(&pair->s);
    if (pair->s.stream && pair->s.loop && pair->s.paused && !pair->opened &&
        !pair->ended) {
      uvow__loop_turn(pair->s.loop); /* this one has had enough handshakes */
      moved = 1;
    }
    moved |= pair->s.sent_len > 0;
  } while (moved);
}

int tls_pair_write(tls_pair_t *pair, const void *bytes, size_t len) {
  uvow__buf_t out;
  uvow__buf_init(&out, uvow__loop_mem(pair->s.loop), SIZE_MAX);
  int rc = uvow__buf_append(&out, bytes, len);
  if (rc == 0)
    rc = pair->stream->ops->write(pair->stream, &out);
  if (rc == 0)
    assert_int_equal(uvow__buf_size(&out), 0);
  uvow__buf_done(&out);
  return rc;
}

void tls_pair_say(tls_pair_t *pair, const void *bytes, size_t len) {
  if (len)
    assert_int_equal(SSL_write(pair->peer, bytes, (int)len), (int)len);
}

void tls_pair_close(tls_pair_t *pair) {
  uvow__io_t *stream = pair->stream;
  pair->stream = NULL;
  if (stream)
    stream->ops->close(stream);
  script_turns(&pair->s);
}

static void free_peer(tls_pair_t *pair) {
  if (pair->peer) /* what it knows may be resumed */
    SSL_set_shutdown(pair->peer, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(pair->peer);
  pair->peer = NULL;
  pair->peer_shaken = pair->peer_error = 0;
  free(pair->peer_got);
  pair->peer_got = NULL;
  pair->peer_got_len = pair->fed = 0;
  uvow_error_unref(pair->error);
  pair->error = NULL;
  free(pair->got);
  pair->got = NULL;
  pair->got_len = pair->reads = 0;
  pair->s.sent_len = pair->s.sent_at = 0;
}

void tls_pair_reset(tls_pair_t *pair) {
  int was_open = pair->stream != NULL;
  tls_pair_close(pair);
  free_peer(pair);
  if (was_open)
    assert_int_equal(pair->closed, 1);
  pair->opened = pair->drained = pair->ended = pair->closed = 0;
}

static void release(tls_pair_t *pair) {
  tls_pair_close(pair);
  free_peer(pair);
  SSL_CTX_free(pair->peer_ctx);
  uvow_tls_unref(pair->tls);
}

void tls_pair_end(tls_pair_t *pair) {
  release(pair);
  script_end(&pair->s);
}

void tls_pair_quit(tls_pair_t *pair) {
  release(pair);
  script_quit(&pair->s);
}

void tls_pair_expect_end_at(tls_pair_t *pair, int code,
                            const char *const *words, const char *file,
                            int line) {
  const char *text = uvow_error_message(pair->error);
  if (!pair->ended)
    _fail(file, line);
  if (uvow_error_code(pair->error) != code) {
    print_error("ended with %s: %s\n",
                uvow_err_name(uvow_error_code(pair->error)), text);
    _fail(file, line);
  }
  for (; code && *words; words++) {
    if (!strstr(text, *words)) {
      print_error("'%s' is not in: %s\n", *words, text);
      _fail(file, line);
    }
  }
}
