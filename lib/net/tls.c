/*
 * TLS on another io.
 *
 *   connect -> (below: on_open) -> begin ---+
 *   accept  --------------------------------+-> shake -> opened: on_open
 *   below: on_read -> shake | read_all -> on_read*, on_end
 *   write -> pump: seal a part -> write below -> (it left: the next part)
 *   below: on_drained -> pump -> (all left) on_drained
 *   close -> close_notify, if it can leave at once -> close below
 *   below: on_closed -> freed
 *
 * 1. What is to be sent waits as plain text, and is sealed in parts, only when
 *    the io below takes more: so ciphertext is bounded, and nothing is
 *    tried again in vain.
 * 2. All bytes from below are given to the engine within on_read; what it doesn't
 *    use at once, it keeps. What it has read goes up before the end does.
 * 3. After on_end no more is called back but on_closed, though the io below
 *    may bring more.
 * 4. The io below calls nothing back from its write and close: so what is
 *    on the stack here stays.
 * 5. While the engine has read a part of a message that is for itself (a ticket in
 *    several records), it seals nothing: plain text waits for the next read.
 * 6. While it's paused, what the engine hasn't taken of the last bytes from below
 *    is kept, at most a read of them; what the engine has taken, it keeps. Both go
 *    up in a later turn once it goes on, before the one below reads again.
 * 7. A step of the handshake that has no time in this turn is kept in the same way:
 *    many that come at once keep nobody waiting.
 */
#include "tls_private.h"

#include <string.h>

#include "system.h"

/* Plain bytes that are sealed before a write below. */
#define PART 65536
/* Ciphertext that may wait: a part, and what the handshake has to say. */
#define SEALED_MAX (1024 * 1024)
/* Capacity above this isn't kept. */
#define SPARE_MAX (1024 * 1024)
#define RECORD 16384 /* bytes: RFC 8446 5.1 */

typedef uvow__tls_io_t tls_t;

static uvow_loop_t *loop_of(const tls_t *t) {
  return t->tls->loop;
}

static void free_io(tls_t *t) {
  uvow_tls_t *tls = t->tls;
  const uvow__mem_t *mem = uvow__loop_mem(tls->loop);
  uvow__task_cancel(&t->go_on);
  uvow__engine_conn_free(t->conn, !t->broken);
  uvow_error_unref(t->refused);
  uvow__buf_done(&t->kept);
  uvow__buf_done(&t->plain);
  uvow__buf_done(&t->sealed);
  uvow__free(mem, t->host);
  uvow__free(mem, t);
  uvow_tls_unref(tls);
}

/* It's over: takes the error; NULL: in order. */
static void end(tls_t *t, uvow_error_t *error) {
  t->state = UVOW__TLS_ENDED;
  t->io.callbacks->on_end(t->io.ctx, error);
}

/* An empty buffer's capacity, for the next that seals. */
static void keep_capacity(tls_t *t, uvow__buf_t *buf) {
  uvow__buf_t *spare = &t->tls->spare_sealed;
  if (spare->cap || buf->cap > SPARE_MAX) {
    uvow__loop_return_write(loop_of(t), buf);
    return;
  }
  spare->data = buf->data;
  spare->cap = buf->cap;
  buf->data = NULL;
  buf->off = buf->len = buf->cap = 0;
}

/* Writing. */

/* Whether something of the plain text waits: for the io below, or for the
 * rest of a message to the engine itself. */
static int is_writing(const tls_t *t) {
  return t->lower->writing || uvow__buf_size(&t->plain);
}

/* Seals the next part, unless that has to wait: see (5). Returns 0, or why it
 * can't. */
static int seal(tls_t *t) {
  size_t part = uvow__buf_size(&t->plain);
  size_t done = 0;
  part = part < PART ? part : PART;
  uvow__engine_said_t said =
      uvow__engine_seal(t->conn, uvow__buf_front(&t->plain), part, &done);
  if (said == UVOW__SAID_WANTS)
    return 0;
  if (said != UVOW__SAID_DONE) {
    t->broken = 1;
    return uvow__engine_why(t->conn)->fault == UVOW__FAULT_NO_MEMORY
               ? UVOW_ENOMEM
               : UVOW_ETLS;
  }
  uvow__buf_consume(&t->plain, done);
  if (uvow__buf_size(&t->plain) == 0)
    keep_capacity(t, &t->plain);
  return 0;
}

/* Writes until all has left, or what is left has to wait. Returns 0, or an
 * error. */
static int pump(tls_t *t) {
  int rc = 0;
  while (rc == 0 && !t->lower->writing) {
    if (uvow__buf_size(&t->plain))
      rc = seal(t);
    if (rc || uvow__buf_size(&t->sealed) == 0)
      break;
    rc = t->lower->ops->write(t->lower, &t->sealed);
  }
  return rc;
}

static int tls_write(uvow__io_t *io, uvow__buf_t *out) {
  tls_t *t = (tls_t *)(void *)io;
  if (t->state != UVOW__TLS_OPEN)
    return UV_ENOTCONN;
  size_t max = t->plain.max;
  t->plain = *out;
  t->plain.max = max;
  out->data = NULL;
  out->off = out->len = out->cap = 0;
  int rc = pump(t);
  io->writing = rc == 0 && is_writing(t);
  return rc;
}

/* Why the engine failed. What it has to say of it to the peer is sent. */
static uvow_error_t *failure(tls_t *t) {
  uvow_error_t *error = uvow__tls_failure(t);
  t->broken = 1;
  uvow__buf_clear(&t->plain, 0);
  (void)pump(t); /* the alert, if it can leave at once */
  return error;
}

static uvow_error_t *error_of(tls_t *t, int code) {
  return uvow__error_code(uvow__loop_mem(loop_of(t)), code, UVOW_OUTCOME_NONE);
}

/* Sends what the engine wrote by itself, and what could not leave before. */
static void flush(tls_t *t) {
  int rc = pump(t);
  if (rc) {
    end(t, error_of(t, rc));
  } else if (t->io.writing && !is_writing(t)) {
    t->io.writing = 0;
    t->io.callbacks->on_drained(t->io.ctx);
  }
}

/* The handshake. */

static void opened(tls_t *t) {
  t->tls->stats.handshakes++;
  t->tls->stats.resumed += (uint64_t)uvow__engine_is_resumed(t->conn);
  t->state = UVOW__TLS_OPEN;
  t->io.callbacks->on_open(t->io.ctx);
  /* With the first bytes of ours, if there were some. */
  if (t->state == UVOW__TLS_OPEN)
    flush(t);
}

static void shake(tls_t *t) {
  uvow__engine_said_t said = uvow__engine_shake(t->conn);
  if (said != UVOW__SAID_WANTS || uvow__buf_size(&t->sealed))
    *uvow__loop_spent(loop_of(t)) += UVOW__TURN_HANDSHAKE;
  if (said == UVOW__SAID_DONE) {
    opened(t);
  } else if (said == UVOW__SAID_WANTS) {
    flush(t);
  } else {
    t->tls->stats.failed++;
    end(t, failure(t));
  }
}

/* Reading. */

static void deliver(tls_t *t, const char *bytes, size_t *len) {
  size_t size = *len;
  *len = 0;
  if (size == 0 || t->state != UVOW__TLS_OPEN)
    return;
  t->delivered = 1;
  t->io.callbacks->on_read(t->io.ctx, (const uint8_t *)bytes, size);
}

/* Reads all that there is, through the buffer. Returns why there is no more;
 * DONE: it was paused. */
static uvow__engine_said_t read_through(tls_t *t, char *buffer) {
  size_t len = 0;
  uvow__engine_said_t said = UVOW__SAID_WANTS;
  while (t->state == UVOW__TLS_OPEN && !t->paused) {
    size_t more = 0;
    said =
        uvow__engine_open(t->conn, buffer + len, UVOW__READ_SIZE - len, &more);
    if (said != UVOW__SAID_DONE)
      break;
    len += more;
    if (len > UVOW__READ_SIZE - RECORD)
      deliver(t, buffer, &len);
  }
  if (len && said != UVOW__SAID_FAILED) {
    deliver(t, buffer, &len);
  } else if (len) {
    /* on_read may use the engine: the reason is noted first */
    uvow_error_t *error = failure(t);
    deliver(t, buffer, &len);
    uvow_error_unref(t->refused);
    t->refused = error;
  }
  return said;
}

static void read_all(tls_t *t) {
  uvow_tls_t *tls = t->tls;
  char *buffer = tls->spare_plain;
  tls->spare_plain = NULL;
  if (!buffer)
    buffer = (char *)uvow__malloc(uvow__loop_mem(tls->loop), UVOW__READ_SIZE);
  if (!buffer) {
    end(t, uvow__error_nomem());
    return;
  }
  uvow__engine_said_t said = read_through(t, buffer);
  if (tls->spare_plain)
    uvow__free(uvow__loop_mem(tls->loop), buffer);
  else
    tls->spare_plain = buffer;
  if (t->state != UVOW__TLS_OPEN)
    return;
  if (said == UVOW__SAID_ENDED)
    end(t, NULL);
  else if (said == UVOW__SAID_FAILED)
    end(t, failure(t));
  else
    flush(t);
}

/* The engine's bytes. */

size_t uvow__tls_take(tls_t *t, void *to, size_t size) {
  size_t len = size < t->in_len ? size : t->in_len;
  if (len)
    memcpy(to, t->in, len);
  t->in += len;
  t->in_len -= len;
  return len;
}

/* Capacity that an io which wrote before has left. */
static void borrow_capacity(tls_t *t) {
  uvow__buf_t *spare = &t->tls->spare_sealed;
  uvow__buf_t *sealed = &t->sealed;
  if (sealed->cap)
    return;
  if (!spare->cap) {
    uvow__loop_lend_write(loop_of(t), sealed);
    return;
  }
  sealed->data = spare->data;
  sealed->cap = spare->cap;
  spare->data = NULL;
  spare->cap = 0;
}

int uvow__tls_put(tls_t *t, const void *bytes, size_t len) {
  borrow_capacity(t);
  return uvow__buf_append(&t->sealed, bytes, len);
}

/* The io below. */

static void note_first(tls_t *t, const uint8_t *bytes, size_t len) {
  size_t room = UVOW__TLS_FIRST - t->first_len;
  size_t part = len < room ? len : room;
  memcpy(t->first + t->first_len, bytes, part);
  t->first_len += part;
}

/* See (6). What the engine hasn't taken of `in`, which is another's. */
static void keep_rest(tls_t *t) {
  const uint8_t *in = t->in;
  size_t len = t->in_len;
  t->in = NULL;
  t->in_len = 0;
  if (len && t->state == UVOW__TLS_OPEN && uvow__buf_append(&t->kept, in, len))
    end(t, uvow__error_nomem());
}

/* Bytes from below; none: what the engine has kept. */
static void feed(tls_t *t, const uint8_t *bytes, size_t len) {
  t->in = bytes;
  t->in_len = len;
  if (t->state == UVOW__TLS_SHAKING)
    shake(t);
  if (t->state == UVOW__TLS_OPEN)
    read_all(t);
  keep_rest(t);
}

/* See (7). Whether it has time; else it goes on in the next turn. */
static int may_shake(tls_t *t) {
  if (*uvow__loop_spent(loop_of(t)) < UVOW__TURN_ALL)
    return 1;
  uvow__loop_next_turn(loop_of(t), &t->go_on);
  return 0;
}

static void run_go_on(uvow__task_t *task) {
  tls_t *t = UVOW__CONTAINER(task, tls_t, go_on);
  uvow__buf_t kept = t->kept;
  if ((t->state != UVOW__TLS_OPEN || t->paused) &&
      (t->state != UVOW__TLS_SHAKING || !may_shake(t)))
    return;
  t->kept.data = NULL;
  t->kept.off = t->kept.len = t->kept.cap = 0;
  feed(t, uvow__buf_front(&kept), uvow__buf_size(&kept));
  uvow__buf_done(&kept);
  if (t->state <= UVOW__TLS_OPEN && !t->paused)
    t->lower->ops->pause(t->lower, 0);
}

static void on_lower_open(void *ctx) {
  tls_t *t = (tls_t *)ctx;
  t->state = UVOW__TLS_SHAKING;
  shake(t);
}

static void on_lower_read(void *ctx, const uint8_t *bytes, size_t len) {
  tls_t *t = (tls_t *)ctx;
  note_first(t, bytes, len);
  if (t->state == UVOW__TLS_SHAKING && !may_shake(t)) {
    t->lower->ops->pause(t->lower, 1);
    if (uvow__buf_append(&t->kept, bytes, len))
      end(t, uvow__error_nomem());
    return;
  }
  t->delivered = 0;
  feed(t, bytes, len);
  /* A part of a record: nothing to read, but the peer isn't silent. */
  if (t->state == UVOW__TLS_OPEN && !t->delivered)
    t->io.callbacks->on_read(t->io.ctx, bytes, 0);
}

static void on_lower_drained(void *ctx) {
  tls_t *t = (tls_t *)ctx;
  if (t->state == UVOW__TLS_OPEN || t->state == UVOW__TLS_SHAKING)
    flush(t);
}

static void on_lower_end(void *ctx, uvow_error_t *error) {
  tls_t *t = (tls_t *)ctx;
  t->lower_ended = 1;
  if (t->state == UVOW__TLS_ENDED) {
    uvow_error_unref(error);
    return;
  }
  if (t->state == UVOW__TLS_SHAKING)
    t->tls->stats.failed++;
  if (t->state == UVOW__TLS_SHAKING || (t->state == UVOW__TLS_OPEN && !error))
    error = uvow__tls_cut(t, error);
  end(t, error);
}

static void on_lower_closed(void *ctx) {
  tls_t *t = (tls_t *)ctx;
  const uvow__io_callbacks_t *callbacks = t->io.callbacks;
  void *own_ctx = t->io.ctx;
  free_io(t);
  callbacks->on_closed(own_ctx);
}

static const uvow__io_callbacks_t lower_callbacks = {
    on_lower_open, on_lower_read, on_lower_drained, on_lower_end,
    on_lower_closed};

static void tls_close(uvow__io_t *io) {
  tls_t *t = (tls_t *)(void *)io;
  if (t->state == UVOW__TLS_CLOSED)
    return;
  t->state = UVOW__TLS_CLOSED;
  if (!t->broken && !t->lower_ended && uvow__engine_is_shaken(t->conn) &&
      !t->lower->writing) {
    uvow__engine_close(t->conn);
    (void)pump(t);
  }
  t->lower->ops->close(t->lower);
}

static void tls_hold(uvow__io_t *io, int hold) {
  tls_t *t = (tls_t *)(void *)io;
  t->lower->ops->hold(t->lower, hold);
}

/* See (6). */
static void tls_pause(uvow__io_t *io, int pause) {
  tls_t *t = (tls_t *)(void *)io;
  if (t->state != UVOW__TLS_OPEN || t->paused == pause)
    return;
  t->paused = pause;
  uvow__task_cancel(&t->go_on);
  if (pause)
    t->lower->ops->pause(t->lower, 1);
  else
    uvow__loop_next_turn(loop_of(t), &t->go_on);
}

static size_t tls_unsent(const uvow__io_t *io) {
  const tls_t *t = (const tls_t *)(const void *)io;
  return t->plain.len - t->plain.off + t->sealed.len - t->sealed.off +
         t->lower->ops->unsent(t->lower);
}

static uvow_error_t *tls_trouble(const uvow__io_t *io) {
  const tls_t *t = (const tls_t *)(const void *)io;
  return uvow__io_trouble(t->lower);
}

static int tls_who(const uvow__io_t *io, int what, uvow__buf_t *out) {
  const tls_t *t = (const tls_t *)(const void *)io;
  if (what == UVOW__WHO_CERTIFICATE)
    return uvow__engine_subject(t->conn, out);
  return what == UVOW__WHO_TLS ? uvow__engine_session(t->conn, out)
                               : uvow__io_who(t->lower, what, out);
}

static const uvow__io_ops_t tls_ops = {tls_write, tls_close, tls_hold,
                                       tls_pause, tls_unsent};

/* Making one. */

static tls_t *new_io(uvow_tls_t *tls, const uvow__io_callbacks_t *callbacks,
                     void *ctx) {
  const uvow__mem_t *mem = uvow__loop_mem(tls->loop);
  tls_t *t = (tls_t *)uvow__calloc(mem, sizeof(*t));
  if (!t)
    return NULL;
  t->io.ops = &tls_ops;
  t->io.callbacks = callbacks;
  t->io.ctx = ctx;
  t->io.trouble = tls_trouble;
  t->io.who = tls_who;
  t->tls = uvow_tls_ref(tls);
  uvow__task_init(&t->go_on, run_go_on);
  uvow__buf_init(&t->kept, mem, SIZE_MAX);
  uvow__buf_init(&t->plain, mem, SIZE_MAX);
  uvow__buf_init(&t->sealed, mem, SEALED_MAX);
  t->conn = uvow__engine_conn_new(tls->engine, t);
  if (t->conn)
    return t;
  free_io(t);
  return NULL;
}

/* Whom we want to talk to: says so, and checks the certificate for it.
 * UVOW_ENOMEM; UVOW_EINVAL: no host has this name. */
static int expect_host(tls_t *t, const char *host) {
  uint8_t address[16];
  size_t len = strlen(host);
  if (len > 1 && host[len - 1] == '.')
    len--; /* a name's root: none of the certificate's business */
  t->host = uvow__strndup(uvow__loop_mem(loop_of(t)), host, len);
  if (!t->host)
    return UVOW_ENOMEM;
  return uvow__engine_expect(t->conn, t->host, address,
                             uvow__system_ip(t->host, address),
                             t->tls->check_host);
}

static int tls_connect(const uvow__transport_t *transport, uvow_loop_t *loop,
                       const uvow__endpoint_t *endpoint,
                       const uvow__io_callbacks_t *callbacks, void *ctx,
                       uvow__io_t **ret_io) {
  const uvow__tls_transport_t *self =
      (const uvow__tls_transport_t *)(const void *)transport;
  tls_t *t = new_io(self->tls, callbacks, ctx);
  if (!t)
    return UVOW_ENOMEM;
  t->port = endpoint->port;
  int rc = expect_host(t, endpoint->host);
  if (rc == 0) {
    uvow__tls_session_offer(t);
    rc = self->lower->connect(self->lower, loop, endpoint, &lower_callbacks, t,
                              &t->lower);
  }
  if (rc) {
    free_io(t);
    return rc;
  }
  *ret_io = &t->io;
  return 0;
}

static int tls_accept(const uvow__transport_t *transport,
                      uvow__listener_t *listener,
                      const uvow__io_callbacks_t *callbacks, void *ctx,
                      uvow__io_t **ret_io) {
  const uvow__tls_transport_t *self =
      (const uvow__tls_transport_t *)(const void *)transport;
  tls_t *t = new_io(self->tls, callbacks, ctx);
  if (!t)
    return UVOW_ENOMEM;
  int rc = self->lower->accept(self->lower, listener, &lower_callbacks, t,
                               &t->lower);
  if (rc) {
    free_io(t);
    return rc;
  }
  if (t->lower->is_open)
    t->state = UVOW__TLS_SHAKING;
  *ret_io = &t->io;
  return 0;
}

static int tls_listen(const uvow__transport_t *transport, uvow_loop_t *loop,
                      const uvow__endpoint_t *endpoint,
                      const uvow__listener_callbacks_t *callbacks, void *ctx,
                      uvow__listener_t **ret_listener) {
  const uvow__transport_t *lower =
      ((const uvow__tls_transport_t *)(const void *)transport)->lower;
  return lower->listen(lower, loop, endpoint, callbacks, ctx, ret_listener);
}

void uvow__tls_transport_init(uvow__tls_transport_t *transport,
                              const uvow__transport_t *lower, uvow_tls_t *tls) {
  transport->transport.connect = tls_connect;
  transport->transport.listen = tls_listen;
  transport->transport.accept = tls_accept;
  transport->lower = lower;
  transport->tls = tls;
}
