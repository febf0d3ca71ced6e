/*
 * Messages on their way out, to a peer for which they may have to wait.
 *
 *   request -> slot -> encode -> sent, or the backlog -> pump -> sent
 *
 * 1. A request has its slot before its bytes go anywhere (R1).
 * 2. Whatever can't be sent at once waits in one backlog, first come, first
 *    served: while the connection isn't open, while max_in_flight requests are
 *    in flight, while max_unsent_bytes wait to be written; with max_batch, until
 *    the turn's tasks have run. A message never overtakes one that waits, but
 *    for those that mean something on this connection only: a cancel, the
 *    answer to the peer's call, what an opening step says.
 * 3. A backlog entry names its request; if that was given up meanwhile, its
 *    bytes never leave: it was NOT_SENT, and that's true.
 * 4. Slots that become free are filled once the turn's tasks have run: what is
 *    given up in one cascade, or in its consequences, has gone by then.
 * 5. A codec's message has its opcode before it, one byte, until it leaves: it
 *    may be binary.
 */
#include "peer.h"

_Static_assert(UVOW__FORM_BEYOND <= UVOW__SHORT_BEYOND, "there is room for it");

/* Bytes that a message takes at most beside its text: before it is sent, in the
 * backlog, and after, as a frame. */
#define MESSAGE_OVERHEAD 16

static uvow__slice_t text_in(uvow__buf_t *buf) {
  return (uvow__slice_t){(const char *)uvow__buf_front(buf),
                         uvow__buf_size(buf)};
}

/* Invariant 5. */
static int write_coded(uvow_peer_t *peer, uvow__op_t *op, uvow__buf_t *out) {
  int is_binary;
  int rc = uvow__buf_append(out, "", 1);
  if (rc == 0)
    rc = uvow__callee_write(&peer->session.callee, op, out, &is_binary);
  if (rc == 0)
    *uvow__buf_front(out) = is_binary ? UVOW__OP_BINARY : UVOW__OP_TEXT;
  return rc;
}

static int write_own(uvow_peer_t *peer, const uvow__op_t *op,
                     uvow__buf_t *out) {
  uvow__op_t own = *op;
  int is_binary;
  return peer->outbox->is_coded
             ? write_coded(peer, &own, out)
             : uvow__callee_write(&peer->session.callee, &own, out, &is_binary);
}

/* Into the empty buffer. */
static inline int write_op(uvow_peer_t *peer, const uvow__op_t *op,
                           uvow__buf_t *out) {
  if (peer->outbox->is_plain)
    return uvow__protocol_encode(peer->session.callee.protocol, op, out);
  return write_own(peer, op, out);
}

static size_t queued(const uvow_peer_t *peer) {
  return peer->dispatcher.live - peer->dispatcher.sent + peer->outbox->notes;
}

static inline int at_cap(const uvow_peer_t *peer) {
  const uvow__dispatcher_t *d = &peer->dispatcher;
  return d->sent + d->owed >= peer->outbox->max_in_flight;
}

int uvow__outbox_at_cap(const uvow_peer_t *peer, size_t more) {
  const uvow__dispatcher_t *d = &peer->dispatcher;
  return d->sent + d->owed + more >= peer->outbox->max_in_flight;
}

/* Whether there is a connection: also while it closes, for what came before. */
static inline int is_connected(const uvow_peer_t *peer) {
  const uvow__connection_t *connection = uvow__peer_connection(peer);
  if (connection)
    return uvow__connection_is_open(connection);
  return !peer->link && peer->session.callee.channel;
}

/* Whether messages can leave: not while opening steps are under way. */
static inline int can_send(const uvow_peer_t *peer) {
  return !uvow__session_is_opening(&peer->session) && is_connected(peer);
}

/* What the connection has yet to send. */
static inline size_t unsent_of(const uvow_peer_t *peer) {
  const uvow__channel_t *channel = peer->session.callee.channel;
  const uvow__connection_t *connection = uvow__peer_connection(peer);
  if (connection)
    return uvow__connection_unsent(connection);
  return channel ? uvow__channel_unsent(channel) : 0;
}

static int hand_to_channel(uvow__channel_t *channel, int opcode,
                           uvow__slice_t text) {
  uvow__splice_t message = {text, {NULL, 0}, 0, NULL};
  return channel ? uvow__channel_send(channel, opcode, &message) : UVOW_ECLOSED;
}

static inline int hand(uvow_peer_t *peer, int opcode, uvow__slice_t text) {
  uvow__connection_t *connection = uvow__peer_connection(peer);
  if (!connection)
    return hand_to_channel(peer->session.callee.channel, opcode, text);
  int rc = uvow__connection_send(connection, opcode, text.ptr, text.len);
  if (rc == 0 && peer->config->trace.on_message) {
    uvow__splice_t message = {text, {NULL, 0}, 0, NULL};
    uvow__traced_tell(peer, &message);
  }
  return rc;
}

int uvow__outbox_hand(uvow_peer_t *peer, int opcode, uvow__slice_t text) {
  return hand(peer, opcode, text);
}

/* What is kept of a request, should it have to be sent again. */
int uvow__outbox_keep_text(const uvow_peer_t *peer, uvow__request_t *request,
                           uvow__slice_t text) {
  if (!request->idempotent || request->text || !peer->link ||
      peer->link->reconnect.size == 0)
    return 0;
  return uvow__request_keep_text(request, text);
}

/* It has been sent, unless rc. */
static inline int note_sent(uvow_peer_t *peer, uvow__request_t *request,
                            int rc) {
  if (rc)
    return rc == UVOW_ECLOSED && !peer->life.closing ? UVOW_ELOST : rc;
  if (request)
    uvow__peer_sent(peer, request);
  else
    uvow__session_told(&peer->session);
  if (!peer->link)
    uvow__session_pace(&peer->session);
  return 0;
}

/* Invariant 5. */
static inline int send_now(uvow_peer_t *peer, uvow__request_t *request,
                           uvow__slice_t text) {
  size_t head = peer->outbox->is_coded;
  int opcode = head ? text.ptr[0] : UVOW__OP_TEXT;
  uvow__slice_t message = {text.ptr + head, text.len - head};
  int rc = request && request->idempotent
               ? uvow__outbox_keep_text(peer, request, text)
               : 0;
  if (rc == 0)
    rc = hand(peer, opcode, message);
  return note_sent(peer, request, rc);
}

/* note: the bits of one that no request waits for. */
static int wait_in_backlog(uvow_peer_t *peer, const uvow__request_t *request,
                           uint64_t note, uvow__slice_t text) {
  uvow__outbox_t *outbox = peer->outbox;
  /* The request itself is counted already. */
  if (queued(peer) - (request != NULL) >= outbox->max_queued)
    return UVOW_EOVERLOAD;
  int rc =
      uvow__backlog_push(&outbox->backlog, request ? request->id : note, text);
  if (rc)
    return rc;
  outbox->notes += request == NULL;
  if (outbox->max_batch)
    uvow__outbox_pump_late(peer);
  return 0;
}

/* Whether one more message is within max_unsent_bytes. The connection keeps to
 * it alone; this is about what waits here, too. */
static inline int has_room(const uvow_peer_t *peer, size_t len) {
  size_t max = peer->outbox->max_unsent;
  size_t unsent = uvow__buf_size(&peer->outbox->backlog.buf) + unsent_of(peer);
  return unsent <= max && len <= max - unsent &&
         MESSAGE_OVERHEAD <= max - unsent - len;
}

/* Large params that can be sent at once, and aren't kept: they are copied only
 * once. */
static int transmit_large(uvow_peer_t *peer, const uvow__op_t *op,
                          uvow__request_t *request) {
  uvow__buf_t *scratch = &peer->loop->scratch;
  uvow__splice_t splice = {{NULL, 0}, {NULL, 0}, 0, NULL};
  uvow__op_t spliced = *op;
  spliced.params_how |= UVOW__PARAMS_SPLICED;
  spliced.splice = &splice;
  int rc = write_op(peer, &spliced, scratch);
  splice.text = text_in(scratch);
  if (rc == 0 && !has_room(peer, splice.text.len + splice.inner.len))
    rc = UVOW_EOVERLOAD;
  if (rc == 0) {
    rc = uvow__connection_send_splice(uvow__peer_connection(peer),
                                      UVOW__OP_TEXT, &splice);
    if (rc == 0 && peer->config->trace.on_message)
      uvow__traced_tell(peer, &splice);
    rc = note_sent(peer, request, rc);
  }
  uvow__buf_clear(scratch, UVOW__READ_SIZE);
  return rc;
}

/* Open, and said goodbye by the other end: that's no reason to wait. */
static inline int has_to_wait(const uvow_peer_t *peer,
                              const uvow__request_t *request) {
  int open = peer->life.state == UVOW_PEER_OPEN || can_send(peer);
  return !open || !uvow__backlog_empty(&peer->outbox->backlog) ||
         (request && at_cap(peer)) || peer->outbox->max_batch;
}

static inline int send_or_wait(uvow_peer_t *peer, uvow__request_t *request,
                               uvow__slice_t text) {
  if (!has_room(peer, text.len))
    return UVOW_EOVERLOAD;
  return has_to_wait(peer, request) ? wait_in_backlog(peer, request, 0, text)
                                    : send_now(peer, request, text);
}

int uvow__outbox_send_raw(uvow_peer_t *peer, int opcode, uvow__slice_t text) {
  uint64_t note = UVOW__NOTE_RAW;
  if (opcode != UVOW__OP_TEXT)
    note |= UVOW__NOTE_BINARY;
  if (!has_room(peer, text.len))
    return UVOW_EOVERLOAD;
  if (has_to_wait(peer, NULL))
    return wait_in_backlog(peer, NULL, note, text);
  return note_sent(peer, NULL, uvow__outbox_hand(peer, opcode, text));
}

int uvow__outbox_send_text(uvow_peer_t *peer, uvow__request_t *request,
                           uvow__slice_t text) {
  return send_or_wait(peer, request, text);
}

int uvow__outbox_transmit(uvow_peer_t *peer, const uvow__op_t *op,
                          uvow__request_t *request) {
  uvow__buf_t *scratch = &peer->loop->scratch;
  if (op->params.len >= UVOW__SPLICE_MIN && uvow__peer_connection(peer) &&
      !peer->outbox->max_batch && can_send(peer) &&
      uvow__backlog_empty(&peer->outbox->backlog) && !peer->outbox->is_coded &&
      !(request && (request->idempotent || at_cap(peer))))
    return transmit_large(peer, op, request);
  int rc = write_op(peer, op, scratch);
  if (rc == 0)
    rc = send_or_wait(peer, request, text_in(scratch));
  uvow__buf_clear(scratch, UVOW__READ_SIZE);
  return rc;
}

int uvow__outbox_call(uvow_peer_t *peer, uvow__form_t *form,
                      uvow__slice_t params, uvow__request_t *request) {
  uint32_t key;
  const uvow__outbox_t *outbox = peer->outbox;
  uvow__connection_t *connection = uvow__peer_connection(peer);
  if (!outbox->is_direct || peer->life.state != UVOW_PEER_OPEN || !connection ||
      !uvow__backlog_empty(&outbox->backlog) || at_cap(peer))
    return 1;
  size_t len = uvow__form_size(form, request->id, params);
  uint8_t *to = len ? uvow__connection_short(connection, len, &key) : NULL;
  if (!to)
    return 1;
  uvow__form_put(form, params, to, key);
  uvow__peer_sent(peer, request);
  return 0;
}

int uvow__outbox_write(uvow_peer_t *peer, const uvow__op_t *op,
                       uvow__backlog_t *front) {
  uvow__buf_t *scratch = &peer->loop->scratch;
  int rc = write_op(peer, op, scratch);
  if (rc == 0)
    rc = uvow__backlog_push(front, op->id, text_in(scratch));
  uvow__buf_clear(scratch, UVOW__READ_SIZE);
  return rc;
}

int uvow__outbox_send_first(uvow_peer_t *peer, const uvow__op_t *op,
                            uvow__request_t *request) {
  uvow__buf_t *scratch = &peer->loop->scratch;
  int rc = is_connected(peer) ? write_op(peer, op, scratch) : UVOW_ELOST;
  if (rc == 0)
    rc = has_room(peer, uvow__buf_size(scratch))
             ? send_now(peer, request, text_in(scratch))
             : UVOW_EOVERLOAD;
  uvow__buf_clear(scratch, UVOW__READ_SIZE);
  return rc;
}

int uvow__outbox_send_aside(uvow_peer_t *peer, const uvow__op_t *op) {
  uvow__buf_t *scratch = &peer->loop->scratch;
  if (!can_send(peer) ||
      !uvow__protocol_can(peer->session.callee.protocol, op->kind))
    return 0;
  int rc = write_op(peer, op, scratch);
  if (rc == 0)
    rc = has_room(peer, uvow__buf_size(scratch))
             ? send_now(peer, NULL, text_in(scratch))
             : UVOW_EOVERLOAD;
  uvow__buf_clear(scratch, UVOW__READ_SIZE);
  return rc;
}

int uvow__outbox_is_over(const uvow_peer_t *peer, int rc) {
  /* Until there's room: but if all of it is free already, there never is. Until
   * the connection's end has come. */
  return rc != UVOW_ELOST && (rc != UVOW_EOVERLOAD || unsent_of(peer) == 0);
}

void uvow__outbox_pop(uvow__outbox_t *outbox, uint64_t id, int is_dead) {
  id &= UVOW__NOTE_ID;
  outbox->notes -= id == 0;
  outbox->dead -= id && is_dead && outbox->dead;
  uvow__backlog_pop(&outbox->backlog);
}

/* Of the application's own. */
static int send_raw(uvow_peer_t *peer, uint64_t note, uvow__slice_t text) {
  int opcode = note & UVOW__NOTE_BINARY ? UVOW__OP_BINARY : UVOW__OP_TEXT;
  return note_sent(peer, NULL, uvow__outbox_hand(peer, opcode, text));
}

int uvow__outbox_pump_one(uvow_peer_t *peer) {
  uvow__outbox_t *outbox = peer->outbox;
  uvow__slice_t text;
  uint64_t id = uvow__backlog_first(&outbox->backlog, &text);
  uvow__request_t *request = uvow__dispatcher_find(&peer->dispatcher, id);
  int rc = 0;
  if (request && at_cap(peer))
    return 0;
  if (id & UVOW__NOTE_RAW)
    rc = send_raw(peer, id, text);
  else if (request || id == 0)
    rc = send_now(peer, request, text);
  if (!uvow__outbox_is_over(peer, rc))
    return 0;
  uvow__outbox_pop(outbox, id, request == NULL);
  if (rc && request)
    uvow__dispatcher_fail(request, rc);
  return 1;
}

void uvow__outbox_pump(uvow_peer_t *peer) {
  uvow__outbox_t *outbox = peer->outbox;
  while (can_send(peer) && !uvow__backlog_empty(&outbox->backlog))
    if (!(outbox->max_batch ? uvow__batch_out_pump(peer)
                            : uvow__outbox_pump_one(peer)))
      break;
  uvow__peer_maybe_room(peer);
}

void uvow__outbox_pump_late(uvow_peer_t *peer) {
  if (!uvow__task_queued(&peer->outbox->pump) && !uvow__peer_is_over(peer))
    uvow__runtime_push_late(&peer->loop->rt, &peer->outbox->pump,
                            UVOW__LATE_FILL);
}

static void run_pump(uvow__task_t *task) {
  uvow_peer_t *peer = UVOW__CONTAINER(task, uvow__outbox_t, pump)->peer;
  uvow__outbox_pump(peer);
  uvow__peer_maybe_close(peer);
}

static int is_wanted(uint64_t id, void *data) {
  return (id & UVOW__NOTE_ID) == 0 ||
         uvow__dispatcher_find((uvow__dispatcher_t *)data, id);
}

void uvow__outbox_given_up(uvow_peer_t *peer) {
  uvow__outbox_t *outbox = peer->outbox;
  if (++outbox->dead <= queued(peer))
    return;
  uvow__backlog_sift(&outbox->backlog, is_wanted, &peer->dispatcher);
  outbox->dead = 0;
}

void uvow__outbox_init(uvow_peer_t *peer, uvow__outbox_t *outbox) {
  const uvow_peer_options_t *options = &peer->config->options;
  const uvow__dialect_t *dialect = &peer->session.callee.dialect;
  peer->outbox = outbox;
  outbox->peer = peer;
  uvow__backlog_init(&outbox->backlog, uvow__peer_mem(peer), SIZE_MAX);
  uvow__task_init(&outbox->pump, run_pump);
  outbox->max_queued = options->max_queued;
  outbox->max_in_flight = options->max_in_flight;
  outbox->max_batch = options->max_batch;
  outbox->is_coded = uvow__dialect_is_coded(dialect) != 0;
  outbox->is_plain = !outbox->is_coded && !dialect->vars &&
                     dialect->ids.form != UVOW__IDS_RANDOM;
  outbox->is_direct = outbox->is_plain && !outbox->max_batch && peer->link &&
                      !peer->config->trace.on_message;
}

int uvow__outbox_add(uvow_peer_t *peer) {
  if (!peer->config->options.max_batch &&
      !uvow__session_has_steps(&peer->session))
    return 0;
  uvow__outbox_t *outbox =
      (uvow__outbox_t *)uvow__calloc(uvow__peer_mem(peer), sizeof(*outbox));
  if (!outbox)
    return UVOW_ENOMEM;
  uvow__outbox_init(peer, outbox);
  outbox->max_unsent = peer->session.max_unsent;
  return 0;
}

void uvow__outbox_remove(uvow_peer_t *peer) {
  if (peer->outbox && !peer->link)
    uvow__free(uvow__peer_mem(peer), peer->outbox);
}

void uvow__outbox_clear(uvow_peer_t *peer) {
  uvow__backlog_clear(&peer->outbox->backlog);
  peer->outbox->notes = peer->outbox->dead = 0;
  uvow__task_cancel(&peer->outbox->pump);
}
