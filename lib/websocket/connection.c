/*
 * The connection: an io, its opening handshake, its frames, its close.
 *
 *   CONNECTING --on_io_open--> HANDSHAKE --101--> OPEN
 *   HANDSHAKE --on_request--> AWAITING --uvow__connection_answer--> OPEN
 *   HANDSHAKE --another status--> REFUSED --its body, or no more--> DONE
 *   OPEN --uvow__connection_close--> CLOSING (our close frame is out)
 *   OPEN --peer's close frame--> CLOSING (echoed)
 *   CLOSING --peer's close frame and all written--> DONE (a server closes the
 *             io; a client waits for that, RFC 6455 7.1.1)
 *   OPEN --violation, too much, too slow--> LEAVING (the owner was told)
 *   LEAVING --all written, or the peer doesn't read--> DONE
 *   any --lost, deadline--> DONE
 *   DONE: the owner was told; the io is being closed; then freed.
 *
 * 1. The owner is told once, and never again after it gave the connection up.
 * 2. What is sent in a turn gathers in `out`, and leaves in one write, when the
 *    turn's tasks have run (P1); where that would be long, in parts, so that
 *    the peer works on one while we write the next. A handshake or a last close
 *    frame leaves at once.
 * 3. Freed only when the io is closed: so no callback of the framer, which
 *    may end the connection, sees its own memory go.
 * 4. A deadline for what the peer is to read (the close handshake, LEAVING, a
 *    pause) begins anew where the peer has read since.
 * 5. While something is being written, no more than one pong waits.
 */
#include "connection_private.h"

#include <stdio.h>
#include <string.h>

#include "goodbye.h"
#include "intake.h"

#define PART 16384 /* bytes: see (2) */

static void free_connection(uvow__connection_t *c) {
  uvow__task_cancel(&c->flush);
  uvow__wheel_disarm(&c->deadline);
  uvow__silence_stop(&c->silence);
  uvow__intake_done(c);
  if (c->framing) {
    uvow__framer_done(&c->framer);
    uvow__deflate_done(&c->deflate);
  }
  uvow__http_done(&c->http);
  uvow__body_done(&c->body);
  uvow_error_unref(c->goodbye);
  uvow__buf_done(&c->early);
  uvow__buf_done(&c->out);
  uvow__free(uvow__connection_mem(c), c);
}

/* Tells the owner; takes the error. The io goes. */
void uvow__connection_finish(uvow__connection_t *c, uvow_error_t *error) {
  const uvow__connection_callbacks_t *callbacks = c->callbacks;
  if (c->state != DONE) {
    c->state = DONE;
    if (c->framing)
      uvow__framer_stop(&c->framer);
    uvow__wheel_disarm(&c->deadline);
    uvow__wheel_disarm(&c->stall);
    uvow__silence_stop(&c->silence);
    uvow__intake_stop(c);
    uvow__task_cancel(&c->flush);
    uvow__connection_count(c);
    if (!uvow__list_empty(&c->lingerer.link))
      uvow__loop_unlinger(c->loop, &c->lingerer);
    c->io->ops->close(c->io);
  }
  c->callbacks = NULL;
  if (callbacks)
    callbacks->on_end(c->ctx, error);
  else
    uvow_error_unref(error);
}

void uvow__connection_fail(uvow__connection_t *c, int code, int status,
                           const char *detail, const uvow_error_t *cause) {
  uvow__error_spec_t spec = {0};
  spec.code = code;
  spec.status = status;
  spec.cause = cause;
  if (detail)
    spec.detail = (uvow__slice_t){detail, strlen(detail)};
  uvow__connection_finish(c, uvow__error_make(uvow__connection_mem(c), &spec));
}

/* It's closed in order: as the peer said, or else as `detail` (or NULL) says.
 */
static void finish_closed(uvow__connection_t *c, const char *detail) {
  uvow_error_t *goodbye = c->goodbye;
  c->goodbye = NULL;
  if (goodbye)
    uvow__connection_finish(c, goodbye);
  else
    uvow__connection_fail(c, UVOW_ECLOSED, c->close_code, detail, NULL);
}

/* What the io has yet to write counts against the bound of `out`, whatever
 * is put there: messages, pongs. */
static void set_writing(uvow__connection_t *c, size_t size) {
  c->out.max += c->writing;
  c->out.max -= size;
  c->writing = size;
}

/* A pong that waited goes first: before a close frame, too. */
static void put_pong(uvow__connection_t *c) {
  size_t len = (size_t)c->pong_len;
  if (c->pong_len < 0)
    return;
  c->pong_len = -1;
  (void)uvow__framer_send(&c->framer, &c->out, UVOW__OP_PONG, 0, c->pong, len);
}

/* Writes what there is, if nothing is being written. */
static void write_out(uvow__connection_t *c) {
  if (c->io->writing)
    return;
  if (c->state == OPEN)
    put_pong(c);
  if (uvow__buf_size(&c->out) == 0)
    return;
  size_t size = uvow__buf_size(&c->out);
  int rc = c->io->ops->write(c->io, &c->out);
  if (rc)
    uvow__connection_fail(c, UVOW_ELOST, 0, uvow_strerror(rc), NULL);
  else if (c->io->writing)
    set_writing(c, size); /* at most: some of it has left */
}

/* The same for what nobody waits for: how it fails doesn't matter. */
void uvow__connection_write_last(uvow__connection_t *c) {
  if (!c->io->writing && uvow__buf_size(&c->out))
    (void)c->io->ops->write(c->io, &c->out);
}

/* All that there was to do is done: a server closes first. */
static void maybe_finish(uvow__connection_t *c) {
  if (c->io->writing || uvow__buf_size(&c->out))
    return;
  if (c->state == LEAVING)
    uvow__connection_fail(c, UVOW_ECLOSED, 0, NULL, NULL);
  else if (c->state == CLOSING && c->peer_closed && c->is_server)
    finish_closed(c, NULL);
}

static void limit(uvow__connection_t *c, uint64_t ms) {
  uvow__wheel_disarm(&c->deadline);
  if (ms)
    uvow__runtime_arm(&c->loop->rt, &c->deadline, ms);
}

static void run_flush(uvow__task_t *task) {
  uvow__connection_t *c = UVOW__CONTAINER(task, uvow__connection_t, flush);
  uvow__queue_t *queue = &c->loop->rt.queue;
  uvow__list_t *in = uvow__queue_step_out(queue);
  write_out(c);
  if (c->callbacks && !c->io->writing)
    c->callbacks->on_writable(c->ctx);
  if (c->state != DONE) {
    uvow__outflow_watch(c);
    uvow__connection_count(c);
    maybe_finish(c);
  }
  uvow__queue_rejoin(queue, in);
}

void uvow__connection_write_late(uvow__connection_t *c) {
  if (!uvow__task_queued(&c->flush))
    uvow__runtime_push_late(&c->loop->rt, &c->flush, UVOW__LATE_WRITE);
}

/* It isn't connected in time: says what it was at. */
static void connect_late(uvow__connection_t *c) {
  char detail[512];
  uvow_error_t *trouble = uvow__io_trouble(c->io);
  snprintf(detail, sizeof(detail), "connecting took too long%s%.400s",
           trouble ? ": " : "", trouble ? uvow_error_message(trouble) : "");
  uvow__connection_fail(c, UVOW_ETIMEDOUT, 0, detail, trouble);
  uvow_error_unref(trouble);
}

static void on_deadline(uvow__deadline_t *deadline) {
  uvow__connection_t *c =
      UVOW__CONTAINER(deadline, uvow__connection_t, deadline);
  if ((c->state == CLOSING || c->state == LEAVING) && uvow__outflow_moved(c))
    limit(c, c->close_ms);
  else if (c->state == LEAVING)
    uvow__connection_fail(c, UVOW_ECLOSED, 0, NULL, NULL);
  else if (c->state == CLOSING)
    finish_closed(
        c, "closed; the peer did not finish the close handshake in time");
  else if (c->state == CONNECTING)
    connect_late(c);
  else if (c->state == REFUSED)
    uvow__opening_report(c);
  else
    uvow__connection_fail(c, UVOW_ETIMEDOUT, 0,
                          "the WebSocket handshake took too long", NULL);
}

static void on_leave_stopped(uvow__lingerer_t *lingerer) {
  uvow__connection_t *c =
      UVOW__CONTAINER(lingerer, uvow__connection_t, lingerer);
  uvow__connection_fail(c, UVOW_ECLOSED, 0, NULL, NULL);
}

/* What was sent is to leave, then a close frame, and nothing more is read. */
static void leave(uvow__connection_t *c, int status) {
  uvow__framer_stop(&c->framer);
  uvow__intake_stop(c);
  uvow__silence_stop(&c->silence);
  uvow__wheel_disarm(&c->stall);
  put_pong(c);
  c->out.max = SIZE_MAX; /* a close frame always has room */
  c->state = LEAVING;
  (void)uvow__framer_send_close(&c->framer, &c->out, status, "", 0);
  (void)uvow__outflow_moved(c);
  limit(c, c->close_ms);
  c->io->ops->hold(c->io, 0);
  uvow__loop_linger(c->loop, &c->lingerer);
  uvow__connection_write_late(c);
}

void uvow__connection_end_peer(uvow__connection_t *c, int code, int status,
                               const char *detail) {
  const uvow__connection_callbacks_t *callbacks = c->callbacks;
  uvow__error_spec_t spec = {0};
  if (c->state != OPEN) {
    if (c->state != DONE && c->state != LEAVING)
      uvow__connection_fail(c, code, status, detail, NULL);
    return;
  }
  spec.code = code;
  spec.status = status;
  spec.detail = (uvow__slice_t){detail, detail ? strlen(detail) : 0};
  leave(c, status);
  c->callbacks = NULL;
  if (callbacks)
    callbacks->on_end(c->ctx, uvow__error_make(uvow__connection_mem(c), &spec));
}

/* The peer broke a rule: say so to it, and end. */
void uvow__connection_violation(uvow__connection_t *c, int code) {
  uvow__connection_end_peer(c, code, uvow__framer_close_code(code),
                            uvow__framer_why(&c->framer));
}

static void on_frame_message(void *ctx, int opcode, int rsv1,
                             const uint8_t *bytes, size_t len,
                             uvow__buf_t *whole) {
  uvow__connection_t *c = (uvow__connection_t *)ctx;
  (void)rsv1;
  uvow__runtime_root(&c->loop->rt);
  if (c->callbacks)
    c->callbacks->on_message(c->ctx, opcode, bytes, len, whole);
}

static void on_frame_ping(void *ctx, const uint8_t *bytes, size_t len) {
  uvow__connection_t *c = (uvow__connection_t *)ctx;
  if (c->state != OPEN)
    return;
  if (c->io->writing) { /* see (5): RFC 6455 5.5.3 asks for the last one */
    if (len)
      memcpy(c->pong, bytes, len);
    c->pong_len = (int)len;
    return;
  }
  /* No room for a pong: the peer doesn't read, and asks in vain. */
  if (uvow__framer_send(&c->framer, &c->out, UVOW__OP_PONG, 0, bytes, len) == 0)
    uvow__connection_write_late(c);
}

static void on_frame_pong(void *ctx, const uint8_t *bytes, size_t len) {
  (void)ctx;
  (void)bytes;
  (void)len;
}

static void on_frame_close(void *ctx, int code, const char *reason,
                           size_t len) {
  uvow__connection_t *c = (uvow__connection_t *)ctx;
  uvow__runtime_root(&c->loop->rt);
  c->peer_closed = 1;
  c->close_code = code;
  if (c->state == OPEN) {
    c->goodbye = uvow__goodbye(uvow__connection_mem(c), code, reason, len);
    uvow__framer_send_close(&c->framer, &c->out, code, "", 0);
    c->state = CLOSING;
    limit(c, c->close_ms);
  }
  uvow__connection_write_late(c);
  if (c->goodbye && c->callbacks)
    c->callbacks->on_peer_close(c->ctx, c->goodbye);
}

static const uvow__framer_callbacks_t framer_callbacks = {
    on_frame_message, on_frame_ping, on_frame_pong, on_frame_close};

static int random_cb(void *ctx, uint8_t *bytes, size_t len) {
  return uvow__loop_random(((uvow__connection_t *)ctx)->loop, bytes, len);
}

/* R9. */
static void on_silence(uvow__silence_t *silence, int dead) {
  uvow__connection_t *c = UVOW__CONTAINER(silence, uvow__connection_t, silence);
  if (dead)
    uvow__connection_fail(c, UVOW_ELOST, 0,
                          "nothing came from the peer for too long", NULL);
  else if (c->state == OPEN &&
           uvow__framer_send(&c->framer, &c->out, UVOW__OP_PING, 0, "", 0) == 0)
    uvow__connection_write_late(c);
}

void uvow__connection_opened(uvow__connection_t *c) {
  uvow__framer_config_t config = {0};
  config.is_server = c->is_server;
  config.max_message = c->max_message;
  config.random = random_cb;
  uvow__deflate_init(&c->deflate, uvow__connection_mem(c), &c->terms);
  if (c->terms.terms.on)
    config.deflate = &c->deflate;
  int rc = uvow__framer_init(&c->framer, uvow__connection_mem(c), &config,
                             &framer_callbacks, c);
  if (rc) {
    uvow__connection_fail(c, rc, 0, NULL, NULL);
    return;
  }
  c->framing = 1;
  c->state = OPEN;
  uvow__intake_start(c);
  uvow__wheel_disarm(&c->deadline);
  uvow__silence_start(&c->silence);
  uvow__http_done(&c->http);
  if (c->callbacks)
    c->callbacks->on_open(c->ctx);
}

static void on_io_read(void *ctx, const uint8_t *bytes, size_t len) {
  uvow__connection_t *c = (uvow__connection_t *)ctx;
  uvow__silence_heard(&c->silence);
  while (len && c->state < OPEN) {
    size_t used = uvow__opening_read(c, bytes, len);
    bytes += used;
    len -= used;
  }
  if (len && c->state < LEAVING)
    uvow__intake_feed(c, bytes, len);
}

static void on_io_open(void *ctx) {
  uvow__connection_t *c = (uvow__connection_t *)ctx;
  c->state = HANDSHAKE;
  write_out(c); /* the request, written when the connection was made */
}

static void on_io_drained(void *ctx) {
  uvow__connection_t *c = (uvow__connection_t *)ctx;
  c->drains++;
  set_writing(c, 0);
  uvow__connection_write_late(c);
  if (c->callbacks)
    c->callbacks->on_writable(c->ctx);
}

/* Since TLS 1.3 a server refuses a client's certificate after the handshake. */
static int is_refusal(const uvow_error_t *error) {
  int code = uvow_error_code(error);
  return code == UVOW_ETLS || code == UVOW_ECERT;
}

static void on_io_end(void *ctx, uvow_error_t *error) {
  uvow__connection_t *c = (uvow__connection_t *)ctx;
  if (!uvow__intake_hold_end(c, error))
    uvow__connection_io_ended(c, error);
}

void uvow__connection_io_ended(uvow__connection_t *c, uvow_error_t *error) {
  if ((c->state == CONNECTING && error) ||
      (c->state == HANDSHAKE && is_refusal(error))) {
    uvow__connection_finish(c, error);
    return;
  }
  if (c->peer_closed)
    finish_closed(c, NULL);
  else if (c->state == REFUSED)
    uvow__opening_report(c); /* without a length, this ends its body */
  else if (c->state < OPEN)
    uvow__connection_fail(c, UVOW_ELOST, 0,
                          "connection lost in the WebSocket handshake", error);
  else
    uvow__connection_fail(
        c, UVOW_ELOST, 1006,
        error ? uvow_error_message(error)
              : "the peer ended the connection without a close frame",
        error);
  uvow_error_unref(error);
}

static void on_io_closed(void *ctx) {
  free_connection((uvow__connection_t *)ctx);
}

static const uvow__io_callbacks_t io_callbacks = {
    on_io_open, on_io_read, on_io_drained, on_io_end, on_io_closed};

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
  c->max_unsent = config->max_unsent;
  c->answers = config->answers;
  c->stall_ms = config->stall_ms;
  c->quota = config->quota;
  c->pong_len = -1;
  c->terms = config->deflate;
  c->on_request = config->on_request;
  c->close_code = UVOW__CLOSE_NONE;
  uvow__buf_init(&c->early, uvow__connection_mem(c), UVOW__EARLY_MAX);
  uvow__buf_init(&c->out, uvow__connection_mem(c), config->max_unsent);
  uvow__task_init(&c->flush, run_flush);
  uvow__deadline_init(&c->deadline, on_deadline);
  uvow__outflow_init(c);
  uvow__list_init(&c->lingerer.link);
  c->lingerer.stop = on_leave_stopped;
  uvow__intake_init(c, config);
  uvow__silence_init(&c->silence, &loop->rt, config->ping_ms, config->dead_ms,
                     on_silence);
  return c;
}

int uvow__connection_open(uvow_loop_t *loop,
                          const uvow__connection_config_t *config,
                          const uvow__connection_callbacks_t *callbacks,
                          void *ctx, uvow__connection_t **ret_connection) {
  uvow__endpoint_t endpoint = {0};
  uvow__connection_t *c = new_connection(loop, config, callbacks, ctx);
  if (!c)
    return UVOW_ENOMEM;
  uvow__http_init(&c->http, uvow__connection_mem(c), UVOW__HTTP_RESPONSE,
                  UVOW__HTTP_MAX_HEAD);
  int rc = uvow__opening_request(c, config);
  if (rc)
    goto done;
  endpoint.host = config->url->host;
  endpoint.port = config->url->port;
  endpoint.secure = config->url->secure;
  endpoint.path = config->url->path;
  endpoint.keepalive_s = config->keepalive_s;
  rc = config->transport->connect(config->transport, loop, &endpoint,
                                  &io_callbacks, c, &c->io);
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
  uvow__http_init(&c->http, uvow__connection_mem(c), UVOW__HTTP_REQUEST,
                  UVOW__HTTP_MAX_HEAD);
  int rc = config->transport->accept(config->transport, listener, &io_callbacks,
                                     c, &c->io);
  if (rc) {
    free_connection(c);
    return rc;
  }
  if (c->io->is_open)
    c->state = HANDSHAKE;
  limit(c, config->open_ms);
  *ret_connection = c;
  return 0;
}

int uvow__connection_is_open(const uvow__connection_t *c) {
  return c->state == OPEN;
}

size_t uvow__connection_unsent(const uvow__connection_t *c) {
  if (c->state < OPEN)
    return 0; /* that's no message */
  return uvow__buf_size(&c->out) + c->writing;
}

/* With the turn's other messages; what has become as long as a part, at once.
 */
static inline void write_soon(uvow__connection_t *c) {
  if (uvow__buf_size(&c->out) < PART || c->io->writing) {
    uvow__connection_write_late(c);
    return;
  }
  uvow__task_cancel(&c->flush);
  uvow__runtime_push_first(&c->loop->rt, &c->flush);
}

int uvow__connection_send(uvow__connection_t *c, int opcode, const void *bytes,
                          size_t len) {
  if (c->state != OPEN)
    return UVOW_ECLOSED;
  uvow__loop_lend_write(c->loop, &c->out);
  int rc = uvow__framer_send(&c->framer, &c->out, opcode, 0, bytes, len);
  if (rc == 0)
    write_soon(c);
  return rc;
}

int uvow__connection_send_splice(uvow__connection_t *c, int opcode,
                                 const uvow__splice_t *splice) {
  if (splice->inner.len == 0)
    return uvow__connection_send(c, opcode, splice->text.ptr, splice->text.len);
  if (c->state != OPEN)
    return UVOW_ECLOSED;
  int rc = uvow__framer_send_splice(&c->framer, &c->out, opcode, splice);
  if (rc == 0)
    write_soon(c);
  return rc;
}

void uvow__connection_close(uvow__connection_t *c, int code,
                            const char *reason) {
  if (c->state < OPEN) {
    uvow__connection_fail(c, UVOW_ECLOSED, 0, "closed before it was open",
                          NULL);
    return;
  }
  if (c->state != OPEN)
    return;
  c->state = CLOSING;
  c->close_code = code;
  uvow__intake_resume(c, UVOW__PAUSE_OWNER); /* its close frame is awaited */
  (void)uvow__outflow_moved(c);
  limit(c, c->close_ms);
  int rc = uvow__framer_send_close(&c->framer, &c->out, code, reason,
                                   strlen(reason));
  if (rc)
    uvow__connection_fail(c, UVOW_ECLOSED, code,
                          "closed; no room for a close frame", NULL);
  else
    uvow__connection_write_late(c);
}

void uvow__connection_abandon(uvow__connection_t *c) {
  c->callbacks = NULL;
  if (c->state == OPEN)
    uvow__framer_send_close(&c->framer, &c->out, 1001, "", 0);
  if (c->state == OPEN || c->state == CLOSING)
    uvow__connection_write_last(c);
  if (c->state != DONE)
    uvow__connection_fail(c, UVOW_ECLOSED, 0, NULL, NULL);
}

void uvow__connection_hold(uvow__connection_t *c, int hold) {
  if (c->state != DONE)
    c->io->ops->hold(c->io, hold);
}
