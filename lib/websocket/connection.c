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
 * 1. The owner is told once, and never again after it gave the connection up:
 *    before LEAVING and DONE, and only there, are its callbacks there.
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

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "goodbye.h"
#include "intake.h"

#define PART 16384    /* bytes: see (2) */
#define BEGINNING 512 /* bytes of a message over the limit that are looked at */

static void free_connection(uvow__connection_t *c) {
  uvow__task_cancel(&c->flush);
  uvow__wheel_disarm(&c->deadline);
  uvow__silence_stop(&c->silence);
  uvow__intake_done(c);
  if (c->framing) {
    uvow__framer_done(&c->framer);
    uvow__deflate_done(&c->deflate);
  }
  uvow__ws_opening_done(c);
  uvow__free(uvow__connection_mem(c), c->pong);
  uvow_error_unref(c->goodbye);
  uvow__buf_done(&c->out);
  uvow__ws_config_unref(c->config);
  uvow__free(uvow__connection_mem(c), c);
}

/* Tells the owner; takes the error. The io goes. */
void uvow__connection_ended(uvow__connection_t *c, uvow_error_t *error) {
  const uvow__connection_callbacks_t *callbacks = c->callbacks;
  assert(c->state != DONE);
  c->state = DONE;
  if (c->framing)
    uvow__framer_stop(&c->framer);
  uvow__wheel_disarm(&c->deadline);
  uvow__silence_stop(&c->silence);
  uvow__intake_stop(c);
  uvow__task_cancel(&c->flush);
  uvow__connection_count(c);
  if (!uvow__list_empty(&c->lingerer.link))
    uvow__loop_unlinger(c->loop, &c->lingerer);
  c->io->ops->close(c->io);
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
  if (cause && detail == uvow_error_message(cause))
    spec.before = UVOW__SLICE("connection lost: ");
  if (detail)
    spec.detail = (uvow__slice_t){detail, strlen(detail)};
  uvow__connection_ended(c, uvow__error_make(uvow__connection_mem(c), &spec));
}

/* It's closed in order: as the peer said, or else as `detail` (or NULL) says.
 */
static void end_closed(uvow__connection_t *c, const char *detail) {
  uvow_error_t *goodbye = c->goodbye;
  c->goodbye = NULL;
  if (goodbye)
    uvow__connection_ended(c, goodbye);
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
void uvow__connection_put_pong(uvow__connection_t *c) {
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
    uvow__connection_put_pong(c);
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
static void maybe_end(uvow__connection_t *c) {
  if (c->io->writing || uvow__buf_size(&c->out))
    return;
  if (c->state == LEAVING)
    uvow__connection_fail(c, UVOW_ECLOSED, 0, NULL, NULL);
  else if (c->state == CLOSING && c->peer_closed && c->is_server)
    end_closed(c, NULL);
}

void uvow__connection_limit(uvow__connection_t *c, uint64_t ms) {
  uvow__wheel_disarm(&c->deadline);
  if (ms)
    uvow__runtime_arm(&c->loop->rt, &c->deadline, ms);
}

static void run_flush(uvow__task_t *task) {
  uvow__connection_t *c = UVOW__CONTAINER(task, uvow__connection_t, flush);
  uvow__queue_t *queue = &c->loop->rt.queue;
  uvow__list_t *in = uvow__queue_step_out(queue);
  if (c->state == LEAVING)
    uvow__framer_drop(&c->framer);
  write_out(c);
  if (c->callbacks && !c->io->writing)
    c->callbacks->on_writable(c->ctx);
  if (c->state != DONE) {
    uvow__connection_count(c);
    maybe_end(c);
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
  if (c->state == OPEN)
    uvow__connection_answer_close(c);
  else if ((c->state == CLOSING || c->state == LEAVING) &&
           uvow__outflow_moved(c))
    uvow__connection_limit(c, c->config->close_ms);
  else if (c->state == LEAVING)
    uvow__connection_fail(c, UVOW_ECLOSED, 0, NULL, NULL);
  else if (c->state == CLOSING)
    end_closed(c,
               "closed; the peer did not finish the close handshake in time");
  else if (c->state == CONNECTING)
    connect_late(c);
  else if (c->state == REFUSED)
    uvow__opening_report(c);
  else
    uvow__connection_fail(c, UVOW_ETIMEDOUT, 0,
                          "the WebSocket handshake took too long", NULL);
}

static void on_frame_message(void *ctx, int opcode, int rsv1,
                             const uint8_t *bytes, size_t len,
                             uvow__buf_t *whole) {
  uvow__connection_t *c = (uvow__connection_t *)ctx;
  (void)rsv1;
  uvow__runtime_root(&c->loop->rt);
  c->callbacks->on_message(c->ctx, opcode, bytes, len, whole);
}

/* See (5): RFC 6455 5.5.3 asks for the last one. No memory is no room. */
static void keep_pong(uvow__connection_t *c, const uint8_t *bytes, size_t len) {
  if (!c->pong)
    c->pong =
        (uint8_t *)uvow__malloc(uvow__connection_mem(c), UVOW__CONTROL_MAX);
  if (!c->pong)
    return;
  if (len)
    memcpy(c->pong, bytes, len);
  c->pong_len = (int)len;
}

static void on_frame_ping(void *ctx, const uint8_t *bytes, size_t len) {
  uvow__connection_t *c = (uvow__connection_t *)ctx;
  if (c->state != OPEN)
    return;
  if (c->io->writing) {
    keep_pong(c, bytes, len);
    return;
  }
  /* No room for a pong: the peer doesn't read, and asks in vain. */
  if (uvow__framer_send(&c->framer, &c->out, UVOW__OP_PONG, 0, bytes, len) == 0)
    uvow__connection_write_late(c);
}

static void on_frame_pong(void *ctx, const uint8_t *bytes, size_t len) {
  const uvow__connection_t *c = (const uvow__connection_t *)ctx;
  if (c->callbacks->on_pong)
    c->callbacks->on_pong(c->ctx, bytes, len);
}

/* Its close frame is answered, once its owner has answered what came before. */
static void answer_close(uvow__connection_t *c) {
  c->close_held = 0;
  (void)uvow__connection_put_close(c, c->close_code, "");
  c->state = CLOSING;
  uvow__connection_limit(c, c->config->close_ms);
  uvow__connection_write_late(c);
  c->callbacks->on_peer_close(c->ctx, c->goodbye);
}

void uvow__connection_answer_close(uvow__connection_t *c) {
  if (c->close_held)
    answer_close(c);
}

static void on_frame_close(void *ctx, int code, const char *reason,
                           size_t len) {
  uvow__connection_t *c = (uvow__connection_t *)ctx;
  uvow__runtime_root(&c->loop->rt);
  c->peer_closed = 1;
  c->close_code = code;
  if (c->state != OPEN) {
    uvow__connection_write_late(c);
    return;
  }
  c->goodbye = uvow__goodbye(uvow__connection_mem(c), code, reason, len);
  c->close_held =
      c->callbacks->on_hold_close && c->callbacks->on_hold_close(c->ctx);
  if (c->close_held)
    uvow__connection_limit(c, c->config->close_ms);
  else
    answer_close(c);
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
  config.max_message = c->config->max_message;
  config.beginning = BEGINNING;
  config.random = random_cb;
  config.spare = &c->loop->spare_wslay;
  config.keys = &c->loop->mask_keys;
  c->loop->free_spare_wslay = uvow__wslay_free;
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
  uvow__ws_opening_done(c);
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
    uvow__connection_ended(c, error);
    return;
  }
  if (c->peer_closed)
    end_closed(c, NULL);
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
new_connection(uvow__ws_config_t *config, uvow__http_role_t role,
               const uvow__connection_callbacks_t *callbacks, void *ctx) {
  uvow_loop_t *loop = config->loop;
  uvow__connection_t *c =
      (uvow__connection_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*c));
  if (!c)
    return NULL;
  c->loop = loop;
  if (uvow__ws_opening_init(c, role)) {
    uvow__free(uvow__loop_mem(loop), c);
    return NULL;
  }
  c->config = uvow__ws_config_ref(config);
  c->callbacks = callbacks;
  c->ctx = ctx;
  c->pong_len = -1;
  c->terms = config->deflate;
  c->close_code = UVOW__CLOSE_NONE;
  uvow__buf_init(&c->out, uvow__connection_mem(c), config->max_unsent);
  uvow__task_init(&c->flush, run_flush);
  uvow__deadline_init(&c->deadline, on_deadline);
  uvow__list_init(&c->lingerer.link);
  c->lingerer.stop = uvow__connection_leave_stopped;
  uvow__intake_init(c);
  uvow__silence_init(&c->silence, &loop->rt, config->ping_ms, config->dead_ms,
                     on_silence);
  return c;
}

/* It has begun, or it never will. */
static int deliver(uvow__connection_t *c, int rc,
                   uvow__connection_t **ret_connection) {
  if (rc) {
    free_connection(c);
    return rc;
  }
  uvow__connection_limit(c, c->config->open_ms);
  *ret_connection = c;
  return 0;
}

int uvow__connection_open(uvow__ws_config_t *config,
                          const uvow__target_t *target,
                          const uvow__transport_t *transport,
                          const uvow__connection_callbacks_t *callbacks,
                          void *ctx, uvow__connection_t **ret_connection) {
  uvow__endpoint_t endpoint = {0};
  uvow__connection_t *c =
      new_connection(config, UVOW__HTTP_RESPONSE, callbacks, ctx);
  if (!c)
    return UVOW_ENOMEM;
  endpoint.host = target->url.host;
  endpoint.port = target->url.port;
  endpoint.secure = target->url.secure;
  endpoint.path = target->url.path;
  endpoint.keepalive_s = config->keepalive_s;
  int rc = uvow__opening_request(c, target);
  if (rc == 0)
    rc = transport->connect(transport, c->loop, &endpoint, &io_callbacks, c,
                            &c->io);
  return deliver(c, rc, ret_connection);
}

int uvow__connection_accept(uvow__ws_config_t *config,
                            uvow__listener_t *listener,
                            const uvow__transport_t *transport,
                            const uvow__connection_callbacks_t *callbacks,
                            void *ctx, uvow__connection_t **ret_connection) {
  uvow__connection_t *c =
      new_connection(config, UVOW__HTTP_REQUEST, callbacks, ctx);
  if (!c)
    return UVOW_ENOMEM;
  c->is_server = 1;
  int rc = transport->accept(transport, listener, &io_callbacks, c, &c->io);
  if (rc == 0 && c->io->is_open)
    c->state = HANDSHAKE;
  return deliver(c, rc, ret_connection);
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

uint8_t *uvow__connection_short(uvow__connection_t *c, size_t len,
                                uint32_t *ret_key) {
  if (c->state != OPEN)
    return NULL;
  uvow__loop_lend_write(c->loop, &c->out);
  uint8_t *to = uvow__framer_short(&c->framer, &c->out, len, ret_key);
  if (to)
    write_soon(c);
  return to;
}

static UVOW__APART int send_packed(uvow__connection_t *c, int opcode,
                                   const uvow__splice_t *splice) {
  uvow__loop_lend_write(c->loop, &c->out);
  return uvow__framer_send_packed(&c->framer, &c->out, opcode, splice->text,
                                  splice->packed);
}

int uvow__connection_send_splice(uvow__connection_t *c, int opcode,
                                 const uvow__splice_t *splice) {
  if (!splice->packed && splice->inner.len == 0)
    return uvow__connection_send(c, opcode, splice->text.ptr, splice->text.len);
  if (c->state != OPEN)
    return UVOW_ECLOSED;
  int rc = splice->packed
               ? send_packed(c, opcode, splice)
               : uvow__framer_send_splice(&c->framer, &c->out, opcode, splice);
  if (rc == 0)
    write_soon(c);
  return rc;
}

int uvow__connection_send_part(uvow__connection_t *c, int opcode, int is_last,
                               const void *bytes, size_t len) {
  assert(c->state == OPEN); /* whoever sends parts knows */
  int rc =
      uvow__framer_send_part(&c->framer, &c->out, opcode, is_last, bytes, len);
  if (rc == 0)
    write_soon(c);
  return rc;
}

int uvow__connection_ping(uvow__connection_t *c, const void *bytes,
                          size_t len) {
  assert(c->state == OPEN);
  int rc = uvow__framer_send(&c->framer, &c->out, UVOW__OP_PING, 0, bytes, len);
  if (rc == 0)
    uvow__connection_write_late(c);
  return rc;
}

const uvow__io_t *uvow__connection_io(const uvow__connection_t *c) {
  return c->io;
}

void uvow__connection_hold(uvow__connection_t *c, int hold) {
  c->io->ops->hold(c->io, hold);
}
