/*
 * The connection: a stream, its opening handshake, its frames, its close.
 *
 *   CONNECTING --on_stream_open--> HANDSHAKE --101--> OPEN
 *   OPEN --uvow__connection_close--> CLOSING (our close frame is out)
 *   OPEN --peer's close frame--> CLOSING (echoed)
 *   CLOSING --peer's close frame and all written--> DONE (a server closes the
 *             stream; a client waits for that, RFC 6455 7.1.1)
 *   any --violation, lost, deadline--> DONE
 *   DONE: the owner was told; the stream is being closed; then freed.
 *
 * 1. The owner is told once, and never again after it gave the connection up.
 * 2. What is sent in a turn gathers in `out`, and leaves in one write, when the
 *    turn's tasks have run (P1). A handshake or a last close frame leaves at
 *    once.
 * 3. Freed only when the stream is closed: so no callback of the framer, which
 *    may end the connection, sees its own memory go.
 */
#include "connection.h"

#include <stdio.h>
#include <string.h>

typedef enum state { CONNECTING, HANDSHAKE, OPEN, CLOSING, DONE } state_t;

struct uvow__connection {
  uvow_loop_t *loop;
  const uvow__connection_callbacks_t *callbacks; /* NULL: nobody to tell */
  void *ctx;
  uvow__stream_t *stream;
  state_t state;
  int is_server;
  int framing;     /* the framer is there */
  int peer_closed; /* its close frame came */
  int close_code;  /* of the peer, or ours if it had none to say */
  uint64_t close_ms;
  uvow__http_t http;
  char key[UVOW__HANDSHAKE_KEY + 1];
  const char *const *subprotocols;
  size_t subprotocol_count;
  size_t max_message;
  uvow__deflate_config_t terms; /* wanted; once it's open, agreed on */
  uvow__deflate_t deflate;
  uvow__framer_t framer;
  uvow__buf_t out;
  uvow__task_t flush;
  uvow__deadline_t deadline; /* to open, or to close */
  size_t writing;            /* bytes that the stream has yet to write */
  uint64_t ping_ms;
  uint64_t dead_ms;
  uint64_t silent_ms;     /* how long nothing came, as far as was looked */
  uint64_t watched_ms;    /* until the next look */
  int heard;              /* something came since the last one */
  uvow__deadline_t watch; /* the next look */
};

static const uvow__mem_t *mem_of(const uvow__connection_t *c) {
  return uvow__loop_mem(c->loop);
}

static void free_connection(uvow__connection_t *c) {
  uvow__task_cancel(&c->flush);
  uvow__wheel_disarm(&c->deadline);
  uvow__wheel_disarm(&c->watch);
  if (c->framing) {
    uvow__framer_done(&c->framer);
    uvow__deflate_done(&c->deflate);
  }
  uvow__http_done(&c->http);
  uvow__buf_done(&c->out);
  uvow__free(mem_of(c), c);
}

/* Tells the owner; takes the error. The stream goes. */
static void finish(uvow__connection_t *c, uvow_error_t *error) {
  const uvow__connection_callbacks_t *callbacks = c->callbacks;
  if (c->state != DONE) {
    c->state = DONE;
    if (c->framing)
      uvow__framer_stop(&c->framer);
    uvow__wheel_disarm(&c->deadline);
    uvow__wheel_disarm(&c->watch);
    uvow__task_cancel(&c->flush);
    c->stream->ops->close(c->stream);
  }
  c->callbacks = NULL;
  if (callbacks)
    callbacks->on_end(c->ctx, error);
  else
    uvow_error_unref(error);
}

static void fail(uvow__connection_t *c, int code, int status,
                 const char *detail, const uvow_error_t *cause) {
  uvow__error_spec_t spec = {0};
  spec.code = code;
  spec.status = status;
  spec.cause = cause;
  if (detail)
    spec.detail = (uvow__slice_t){detail, strlen(detail)};
  finish(c, uvow__error_make(mem_of(c), &spec));
}

/* Writes what there is, if nothing is being written. */
static void write_out(uvow__connection_t *c) {
  if (c->stream->writing || uvow__buf_size(&c->out) == 0)
    return;
  size_t size = uvow__buf_size(&c->out);
  int rc = c->stream->ops->write(c->stream, &c->out);
  if (rc)
    fail(c, UVOW_ELOST, 0, uvow_strerror(rc), NULL);
  else if (c->stream->writing)
    c->writing = size; /* at most: some of it has left */
}

/* The same for what nobody waits for: how it fails doesn't matter. */
static void write_last(uvow__connection_t *c) {
  if (!c->stream->writing && uvow__buf_size(&c->out))
    (void)c->stream->ops->write(c->stream, &c->out);
}

/* All that there was to do is done: a server closes first. */
static void maybe_finish(uvow__connection_t *c) {
  if (c->state == CLOSING && c->peer_closed && c->is_server &&
      !c->stream->writing && uvow__buf_size(&c->out) == 0)
    fail(c, UVOW_ECLOSED, c->close_code, NULL, NULL);
}

static void run_flush(uvow__task_t *task) {
  uvow__connection_t *c = UVOW__CONTAINER(task, uvow__connection_t, flush);
  write_out(c);
  if (c->callbacks && c->state == OPEN && !c->stream->writing)
    c->callbacks->on_writable(c->ctx);
  maybe_finish(c);
}

static void schedule_flush(uvow__connection_t *c) {
  if (!uvow__task_queued(&c->flush))
    uvow__runtime_push_late(&c->loop->rt, &c->flush);
}

/* It isn't connected in time: says what it was at. */
static void connect_late(uvow__connection_t *c) {
  char detail[512];
  uvow_error_t *trouble = uvow__stream_trouble(c->stream);
  snprintf(detail, sizeof(detail), "connecting took too long%s%.400s",
           trouble ? ": " : "", trouble ? uvow_error_message(trouble) : "");
  fail(c, UVOW_ETIMEDOUT, 0, detail, trouble);
  uvow_error_unref(trouble);
}

static void on_deadline(uvow__deadline_t *deadline) {
  uvow__connection_t *c =
      UVOW__CONTAINER(deadline, uvow__connection_t, deadline);
  if (c->state == CLOSING)
    fail(c, UVOW_ECLOSED, c->close_code,
         "closed; the peer did not finish the close handshake in time", NULL);
  else if (c->state == CONNECTING)
    connect_late(c);
  else
    fail(c, UVOW_ETIMEDOUT, 0, "the WebSocket handshake took too long", NULL);
}

static void limit(uvow__connection_t *c, uint64_t ms) {
  uvow__wheel_disarm(&c->deadline);
  if (ms)
    uvow__runtime_arm(&c->loop->rt, &c->deadline, ms);
}

/* The peer broke a rule: say so to it, and end. */
static void violation(uvow__connection_t *c, int code) {
  const char *why = uvow__framer_why(&c->framer);
  int status = uvow__framer_close_code(code);
  if (c->state == OPEN) {
    /* Best effort: what can't leave at once doesn't leave. */
    uvow__framer_send_close(&c->framer, &c->out, status, "", 0);
    write_last(c);
  }
  fail(c, code, status, why, NULL);
}

static void on_frame_message(void *ctx, int opcode, int rsv1,
                             const uint8_t *bytes, size_t len) {
  uvow__connection_t *c = (uvow__connection_t *)ctx;
  (void)rsv1;
  if (c->callbacks)
    c->callbacks->on_message(c->ctx, opcode, bytes, len);
}

static void on_frame_ping(void *ctx, const uint8_t *bytes, size_t len) {
  uvow__connection_t *c = (uvow__connection_t *)ctx;
  if (c->state != OPEN)
    return;
  /* No room for a pong: the peer doesn't read, and asks in vain. */
  if (uvow__framer_send(&c->framer, &c->out, UVOW__OP_PONG, 0, bytes, len) == 0)
    schedule_flush(c);
}

static void on_frame_pong(void *ctx, const uint8_t *bytes, size_t len) {
  (void)ctx;
  (void)bytes;
  (void)len;
}

static void on_frame_close(void *ctx, int code, const char *reason,
                           size_t len) {
  uvow__connection_t *c = (uvow__connection_t *)ctx;
  (void)reason;
  (void)len;
  c->peer_closed = 1;
  c->close_code = code;
  if (c->state == OPEN) {
    uvow__framer_send_close(&c->framer, &c->out, code, "", 0);
    c->state = CLOSING;
    limit(c, c->close_ms);
  }
  schedule_flush(c);
  if (c->callbacks)
    c->callbacks->on_peer_close(c->ctx, code);
}

static const uvow__framer_callbacks_t framer_callbacks = {
    on_frame_message, on_frame_ping, on_frame_pong, on_frame_close};

static void feed(uvow__connection_t *c, const uint8_t *bytes, size_t len) {
  int rc = uvow__framer_feed(&c->framer, bytes, len);
  if (rc && c->state != DONE)
    violation(c, rc);
}

static int random_cb(void *ctx, uint8_t *bytes, size_t len) {
  return uvow__loop_random(((uvow__connection_t *)ctx)->loop, bytes, len);
}

/*
 * R9: a look now and then, not a timer moved with every byte. Only what comes
 * counts: a dead link takes what we send for a long time.
 */
static void arm_watch(uvow__connection_t *c) {
  uint64_t next = c->ping_ms ? c->ping_ms : c->dead_ms;
  if (c->dead_ms && c->dead_ms - c->silent_ms < next)
    next = c->dead_ms - c->silent_ms;
  if (next)
    uvow__runtime_arm(&c->loop->rt, &c->watch, next);
  c->heard = 0;
  c->watched_ms = next;
}

static void on_watch(uvow__deadline_t *deadline) {
  uvow__connection_t *c = UVOW__CONTAINER(deadline, uvow__connection_t, watch);
  c->silent_ms = c->heard ? 0 : c->silent_ms + c->watched_ms;
  if (c->dead_ms && c->silent_ms >= c->dead_ms) {
    fail(c, UVOW_ELOST, 0, "nothing came from the peer for too long", NULL);
    return;
  }
  if (c->ping_ms && !c->heard && c->state == OPEN &&
      uvow__framer_send(&c->framer, &c->out, UVOW__OP_PING, 0, "", 0) == 0)
    schedule_flush(c);
  arm_watch(c);
}

static void opened(uvow__connection_t *c) {
  uvow__framer_config_t config = {0};
  config.is_server = c->is_server;
  config.max_message = c->max_message;
  config.random = random_cb;
  uvow__deflate_init(&c->deflate, mem_of(c), &c->terms);
  if (c->terms.terms.on)
    config.deflate = &c->deflate;
  int rc =
      uvow__framer_init(&c->framer, mem_of(c), &config, &framer_callbacks, c);
  if (rc) {
    fail(c, rc, 0, NULL, NULL);
    return;
  }
  c->framing = 1;
  c->state = OPEN;
  uvow__wheel_disarm(&c->deadline);
  arm_watch(c);
  uvow__http_done(&c->http);
  if (c->callbacks)
    c->callbacks->on_open(c->ctx);
}

static void refused(uvow__connection_t *c, int code, const char *why) {
  char detail[160];
  uvow__slice_t reason = uvow__http_reason(&c->http);
  int status = uvow__http_status(&c->http);
  if (code != UVOW_EHANDSHAKE) {
    fail(c, code, status, why, NULL);
    return;
  }
  int shown = reason.len > 100 ? 100 : (int)reason.len;
  snprintf(detail, sizeof(detail), "the server answered HTTP %d %.*s", status,
           shown, shown ? reason.ptr : "");
  fail(c, code, status, detail, NULL);
}

static void check_response(uvow__connection_t *c) {
  const char *subprotocol;
  const char *why = NULL;
  int status = uvow__http_status(&c->http);
  if (status == 100 || status == 102 || status == 103) {
    uvow__http_reset(&c->http); /* interim: the answer comes behind it */
    return;
  }
  int rc = uvow__handshake_check_response(&c->http, c->key, c->subprotocols,
                                          c->subprotocol_count, &c->terms.terms,
                                          &subprotocol, &why);
  if (rc)
    refused(c, rc, why);
  else
    opened(c);
}

static void check_request(uvow__connection_t *c) {
  uvow__handshake_accepted_t accepted;
  char extensions[UVOW__EXTENSION_TEXT];
  int rc = uvow__handshake_check_request(&c->http, &accepted);
  if (rc) {
    uvow__handshake_write_refusal(&c->out, accepted.status, accepted.why);
    write_last(c);
    fail(c, rc, accepted.status, accepted.why, NULL);
    return;
  }
  const char *subprotocol = uvow__handshake_choose_subprotocol(
      &c->http, c->subprotocols, c->subprotocol_count);
  uvow__extension_choose(&c->http, &c->terms.terms);
  uvow__extension_answer(&c->terms.terms, extensions);
  rc = uvow__handshake_write_accept(&c->out, accepted.key, subprotocol,
                                    extensions, NULL, 0);
  if (rc) {
    fail(c, rc, 0, NULL, NULL);
    return;
  }
  schedule_flush(c);
  opened(c);
}

/* A server answers what it can't read, too. */
static void unreadable(uvow__connection_t *c, int rc) {
  if (c->is_server) {
    uvow__handshake_write_refusal(&c->out, rc == UVOW_ETOOBIG ? 431 : 400,
                                  uvow_strerror(rc));
    write_last(c);
  }
  fail(c, rc, 0, NULL, NULL);
}

static size_t shake(uvow__connection_t *c, const uint8_t *bytes, size_t len) {
  size_t used = len;
  int rc = uvow__http_feed(&c->http, bytes, len, &used);
  if (rc < 0)
    unreadable(c, rc);
  else if (rc == 0 && c->is_server)
    check_request(c);
  else if (rc == 0)
    check_response(c);
  return used;
}

static void on_stream_read(void *ctx, const uint8_t *bytes, size_t len) {
  uvow__connection_t *c = (uvow__connection_t *)ctx;
  c->heard = 1;
  while (len && c->state == HANDSHAKE) {
    size_t used = shake(c, bytes, len);
    bytes += used;
    len -= used;
  }
  if (len && c->state != DONE)
    feed(c, bytes, len);
}

static void on_stream_open(void *ctx) {
  uvow__connection_t *c = (uvow__connection_t *)ctx;
  c->state = HANDSHAKE;
  write_out(c); /* the request, written when the connection was made */
}

static void on_stream_drained(void *ctx) {
  uvow__connection_t *c = (uvow__connection_t *)ctx;
  c->writing = 0;
  schedule_flush(c);
  if (c->callbacks && c->state == OPEN)
    c->callbacks->on_writable(c->ctx);
}

/* Since TLS 1.3 a server refuses a client's certificate after the handshake. */
static int is_refusal(const uvow_error_t *error) {
  int code = uvow_error_code(error);
  return code == UVOW_ETLS || code == UVOW_ECERT;
}

static void on_stream_end(void *ctx, uvow_error_t *error) {
  uvow__connection_t *c = (uvow__connection_t *)ctx;
  if ((c->state == CONNECTING && error) ||
      (c->state == HANDSHAKE && is_refusal(error))) {
    finish(c, error);
    return;
  }
  if (c->peer_closed)
    fail(c, UVOW_ECLOSED, c->close_code, NULL, NULL);
  else if (c->state == HANDSHAKE)
    fail(c, UVOW_ELOST, 0, "connection lost in the WebSocket handshake", error);
  else
    fail(c, UVOW_ELOST, 1006,
         error ? uvow_error_message(error)
               : "the peer ended the connection without a close frame",
         error);
  uvow_error_unref(error);
}

static void on_stream_closed(void *ctx) {
  free_connection((uvow__connection_t *)ctx);
}

static const uvow__stream_callbacks_t stream_callbacks = {
    on_stream_open, on_stream_read, on_stream_drained, on_stream_end,
    on_stream_closed};

static uvow__connection_t *
new_connection(uvow_loop_t *loop, const uvow__connection_config_t *config,
               const uvow__connection_callbacks_t *callbacks, void *ctx) {
  uvow__connection_t *c =
      (uvow__connection_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*c));
  if (!c)
    return NULL;
  c->loop = loop;
  c->callbacks = callbacks;
  c->ctx = ctx;
  c->close_ms = config->close_ms;
  c->subprotocols = config->subprotocols;
  c->subprotocol_count = config->subprotocol_count;
  c->max_message = config->max_message;
  c->terms = config->deflate;
  c->close_code = UVOW__CLOSE_NONE;
  uvow__buf_init(&c->out, mem_of(c), config->max_unsent);
  uvow__task_init(&c->flush, run_flush);
  uvow__deadline_init(&c->deadline, on_deadline);
  uvow__deadline_init(&c->watch, on_watch);
  c->ping_ms = config->ping_ms;
  c->dead_ms = config->dead_ms;
  return c;
}

static int write_request(uvow__connection_t *c,
                         const uvow__connection_config_t *config) {
  uint8_t nonce[UVOW__HANDSHAKE_NONCE];
  char extensions[UVOW__EXTENSION_TEXT];
  uvow__handshake_request_t request = {0};
  int rc = uvow__loop_random(c->loop, nonce, sizeof(nonce));
  if (rc)
    return rc;
  uvow__handshake_key(nonce, c->key);
  request.target = config->url->target;
  request.authority = config->url->authority;
  request.user = config->url->user;
  request.password = config->url->password;
  request.key = c->key;
  request.subprotocols = config->subprotocols;
  request.subprotocol_count = config->subprotocol_count;
  uvow__extension_offer(&config->deflate.terms, extensions);
  request.extensions = extensions;
  request.headers = config->headers;
  request.header_count = config->header_count;
  return uvow__handshake_write_request(&c->out, &request);
}

int uvow__connection_open(uvow_loop_t *loop,
                          const uvow__connection_config_t *config,
                          const uvow__connection_callbacks_t *callbacks,
                          void *ctx, uvow__connection_t **ret_connection) {
  uvow__endpoint_t endpoint = {0};
  uvow__connection_t *c = new_connection(loop, config, callbacks, ctx);
  if (!c)
    return UVOW_ENOMEM;
  uvow__http_init(&c->http, mem_of(c), UVOW__HTTP_RESPONSE,
                  UVOW__HTTP_MAX_HEAD);
  int rc = write_request(c, config);
  if (rc)
    goto done;
  endpoint.host = config->url->host;
  endpoint.port = config->url->port;
  endpoint.secure = config->url->secure;
  endpoint.path = config->url->path;
  endpoint.keepalive_s = config->keepalive_s;
  rc = config->transport->connect(config->transport, loop, &endpoint,
                                  &stream_callbacks, c, &c->stream);
done:
  if (rc) {
    free_connection(c);
    return rc;
  }
  limit(c, config->open_ms);
  *ret_connection = c;
  return 0;
}

int uvow__connection_accept(uvow_loop_t *loop, uvow__listener_t *listener,
                            const uvow__connection_config_t *config,
                            const uvow__connection_callbacks_t *callbacks,
                            void *ctx, uvow__connection_t **ret_connection) {
  uvow__connection_t *c = new_connection(loop, config, callbacks, ctx);
  if (!c)
    return UVOW_ENOMEM;
  c->is_server = 1;
  c->state = config->tls ? CONNECTING : HANDSHAKE;
  uvow__http_init(&c->http, mem_of(c), UVOW__HTTP_REQUEST, UVOW__HTTP_MAX_HEAD);
  int rc = config->tls
               ? uvow__tls_accept(config->tls, uvow__tcp_accept, listener,
                                  &stream_callbacks, c, &c->stream)
               : uvow__tcp_accept(listener, &stream_callbacks, c, &c->stream);
  if (rc) {
    free_connection(c);
    return rc;
  }
  limit(c, config->open_ms);
  *ret_connection = c;
  return 0;
}

int uvow__connection_is_open(const uvow__connection_t *c) {
  return c->state == OPEN;
}

size_t uvow__connection_unsent(const uvow__connection_t *c) {
  return uvow__buf_size(&c->out) + c->writing;
}

int uvow__connection_send(uvow__connection_t *c, int opcode, const void *bytes,
                          size_t len) {
  if (c->state != OPEN)
    return UVOW_ECLOSED;
  uvow__loop_lend_write(c->loop, &c->out);
  int rc = uvow__framer_send(&c->framer, &c->out, opcode, 0, bytes, len);
  if (rc == 0)
    schedule_flush(c);
  return rc;
}

void uvow__connection_close(uvow__connection_t *c, int code,
                            const char *reason) {
  if (c->state == CONNECTING || c->state == HANDSHAKE) {
    fail(c, UVOW_ECLOSED, 0, "closed before it was open", NULL);
    return;
  }
  if (c->state != OPEN)
    return;
  c->state = CLOSING;
  c->close_code = code;
  limit(c, c->close_ms);
  int rc = uvow__framer_send_close(&c->framer, &c->out, code, reason,
                                   strlen(reason));
  if (rc)
    fail(c, UVOW_ECLOSED, code, "closed; no room for a close frame", NULL);
  else
    schedule_flush(c);
}

void uvow__connection_abandon(uvow__connection_t *c) {
  c->callbacks = NULL;
  if (c->state == OPEN)
    uvow__framer_send_close(&c->framer, &c->out, 1001, "", 0);
  if (c->state == OPEN || c->state == CLOSING)
    write_last(c);
  if (c->state != DONE)
    fail(c, UVOW_ECLOSED, 0, NULL, NULL);
}

void uvow__connection_hold(uvow__connection_t *c, int hold) {
  if (c->state != DONE)
    c->stream->ops->hold(c->stream, hold);
}
