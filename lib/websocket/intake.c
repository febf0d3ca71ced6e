/*
 * What a connection reads: no more in one turn than others can wait for.
 *
 *   feed -> framer -> (all of it was read)
 *                  -> (it paused) the rest is kept, the io pauses
 *        -> go_on, in the next turn: another part of what was kept ... -> the
 *           io goes on
 *   pause (owner) -> nothing is read -> resume -> go_on
 *   on_slow: a message is under way for too long -> the peer is ended
 *
 * 1. In one turn of the loop at most TURN_BYTES, inflated, and TURN_FRAMES are
 *    read, in the midst of a message too (R13). A new part is had by go_on,
 *    which runs once a turn: when half of the last one is used up, so that the
 *    idle cost nothing. Once all connections together have taken UVOW__TURN_ALL,
 *    each further one has CROWD_BYTES and CROWD_FRAMES: a crowd of peers keeps
 *    nobody waiting for long, and none of them waits for the others' end.
 * 2. What is kept is the rest of one read of the io's.
 * 3. An end of the io that comes meanwhile waits until that was read. It ends a
 *    pause for what is unsent, which never leaves any more.
 * 4. Time in which it doesn't read, but for its turn, is neither silence (R9)
 *    nor a message's delay (R14).
 * 5. A message over the limit ends the connection with 1009: at once, or, where
 *    it may be somebody's answer, as soon as its beginning is there, or the time
 *    that a message has is over.
 */
#include "intake.h"

#include <inttypes.h>
#include <stdio.h>

#define TURN_BYTES ((size_t)1024 * 1024)
#define TURN_FRAMES ((size_t)1024)
#define CROWD_BYTES ((size_t)16 * 1024)
#define CROWD_FRAMES ((size_t)16)
#define SLOW_BYTES 65536 /* of a message that have a second more */
#define MS_PER_S 1000u

static uint64_t now_ms(const uvow__connection_t *c) {
  return uvow__runtime_now(&c->loop->rt) / UVOW__NS_PER_MS;
}

static int is_reading(const uvow__connection_t *c) {
  return c->state == OPEN || c->state == CLOSING;
}

static void want_turn(uvow__connection_t *c) {
  if (!uvow__task_queued(&c->intake.go_on))
    uvow__loop_next_turn(c->loop, &c->intake.go_on);
}

/* The io reads if there's no reason why not. */
static void tell_io(uvow__connection_t *c) {
  uvow__intake_t *in = &c->intake;
  int pause = in->pauses != 0 || uvow__framer_paused(&c->framer);
  if (!is_reading(c) || in->io_ended || pause == in->io_paused)
    return;
  in->io_paused = pause;
  c->io->ops->pause(c->io, pause);
}

/* Notes whether a message is under way. */
static void note_progress(uvow__connection_t *c, size_t len) {
  uvow__intake_t *in = &c->intake;
  size_t whole = c->framer.message.whole;
  if (c->config->message_ms == 0)
    return;
  if (!uvow__framer_under_way(&c->framer)) {
    in->slow_since_ms = 0;
    return;
  }
  if (in->slow_since_ms == 0 || whole != in->slow_after) {
    in->slow_since_ms = now_ms(c);
    in->slow_after = whole;
    in->slow_bytes = 0;
  }
  in->slow_bytes += len;
  if (!uvow__deadline_armed(&in->slow))
    uvow__runtime_arm(&c->loop->rt, &in->slow, c->config->message_ms);
}

/* See (5). */
static int tell_excess(uvow__connection_t *c, const char *why) {
  return c->callbacks->on_excess &&
         c->callbacks->on_excess(c->ctx, uvow__framer_beginning(&c->framer),
                                 why);
}

/* The peer broke a rule: say so to it, and end. */
static void violation(uvow__connection_t *c, int code) {
  int status = uvow__framer_close_code(code);
  const char *why = uvow__framer_why(&c->framer);
  uint64_t excess = uvow__framer_excess(&c->framer);
  char detail[160];
  if (code == UVOW_ETOOBIG && excess)
    snprintf(detail, sizeof(detail),
             "%s: %" PRIu64 " bytes, and max_message_bytes is %zu", why, excess,
             c->framer.message.max);
  else if (code == UVOW_ETOOBIG)
    snprintf(detail, sizeof(detail),
             "%s: at least %zu bytes, and max_message_bytes is %zu", why,
             c->framer.message.max + 1, c->framer.message.max);
  if (code == UVOW_ETOOBIG)
    why = detail;
  if (code == UVOW_ETOOBIG)
    (void)tell_excess(c, why);
  uvow__connection_end_peer(c, code, status, why);
}

static void on_slow(uvow__deadline_t *deadline) {
  uvow__connection_t *c =
      UVOW__CONTAINER(deadline, uvow__connection_t, intake.slow);
  uvow__intake_t *in = &c->intake;
  if (in->slow_since_ms == 0 || c->state != OPEN || in->resting_since_ms)
    return;
  uint64_t took = now_ms(c) - in->slow_since_ms;
  uint64_t may = c->config->message_ms + in->slow_bytes / SLOW_BYTES * MS_PER_S;
  if (took < may)
    uvow__runtime_arm(&c->loop->rt, &in->slow, may - took);
  else if (uvow__framer_is_over(&c->framer))
    violation(c, uvow__framer_refuse(&c->framer));
  else
    uvow__connection_end_peer(c, UVOW_ETIMEDOUT, 1013,
                              "a message was under way for too long");
}

/* See (4). */
static void rest(uvow__connection_t *c) {
  uvow__intake_t *in = &c->intake;
  int rests = in->pauses != 0;
  if (rests && in->resting_since_ms == 0) {
    in->resting_since_ms = now_ms(c);
    uvow__silence_stop(&c->silence);
  } else if (!rests && in->resting_since_ms) {
    if (in->slow_since_ms)
      in->slow_since_ms += now_ms(c) - in->resting_since_ms;
    in->resting_since_ms = 0;
    if (in->slow_since_ms && !uvow__deadline_armed(&in->slow))
      uvow__runtime_arm(&c->loop->rt, &in->slow, c->config->message_ms);
    uvow__silence_start(&c->silence);
  }
}

/* The framer has paused: what it hasn't read is kept. own: see feed. */
static int keep_rest(uvow__connection_t *c, uvow__buf_t *own) {
  size_t len;
  const uint8_t *bytes = uvow__framer_rest(&c->framer, &len);
  if (!own)
    return len ? uvow__buf_append(&c->intake.kept, bytes, len) : 0;
  uvow__buf_consume(own, uvow__buf_size(own) - len);
  c->intake.kept = *own;
  uvow__buf_init(own, own->mem, own->max);
  return 0;
}

static int is_half_used(const uvow__message_t *m) {
  return m->budget < TURN_BYTES / 2 || m->frames < TURN_FRAMES / 2;
}

/* See (1). Feeds, and counts what was read. */
static int feed_within(uvow__connection_t *c, const uint8_t *bytes,
                       size_t len) {
  uvow__message_t *m = &c->framer.message;
  size_t *spent = uvow__loop_spent(c->loop);
  if (*spent >= UVOW__TURN_ALL && m->frames > CROWD_FRAMES)
    m->frames = CROWD_FRAMES;
  if (*spent >= UVOW__TURN_ALL && m->budget > CROWD_BYTES)
    m->budget = CROWD_BYTES;
  size_t frames = m->frames;
  size_t bytes_left = m->budget;
  int rc = uvow__framer_feed(&c->framer, bytes, len);
  *spent += frames - m->frames + (bytes_left - m->budget) / 1024;
  return rc;
}

/* own: where the bytes were kept, and the rest of them is; NULL: they're another's.
 */
static void feed(uvow__connection_t *c, const uint8_t *bytes, size_t len,
                 uvow__buf_t *own) {
  int rc = feed_within(c, bytes, len);
  if (rc == 0 && uvow__framer_is_over(&c->framer) && !tell_excess(c, NULL))
    rc = uvow__framer_refuse(&c->framer);
  if (rc == 0 && is_reading(c) && uvow__framer_paused(&c->framer))
    rc = keep_rest(c, own);
  if (rc && is_reading(c))
    violation(c, rc);
  if (!is_reading(c))
    return;
  if (is_half_used(&c->framer.message))
    want_turn(c);
  note_progress(c, len);
  uvow__connection_count(c);
  tell_io(c);
}

void uvow__intake_feed(uvow__connection_t *c, const uint8_t *bytes,
                       size_t len) {
  feed(c, bytes, len, NULL);
}

static void run_go_on(uvow__task_t *task) {
  uvow__connection_t *c =
      UVOW__CONTAINER(task, uvow__connection_t, intake.go_on);
  uvow__intake_t *in = &c->intake;
  uvow__framer_allow(&c->framer, TURN_BYTES, TURN_FRAMES);
  if (in->pauses)
    return;
  if (uvow__framer_paused(&c->framer)) {
    uvow__buf_t kept = in->kept;
    uvow__buf_init(&in->kept, kept.mem, kept.max);
    feed(c, kept.data ? uvow__buf_front(&kept) : (const uint8_t *)"",
         uvow__buf_size(&kept), &kept);
    uvow__buf_done(&kept);
  }
  if (!is_reading(c) || in->pauses || uvow__framer_paused(&c->framer))
    return;
  if (in->io_ended) {
    uvow_error_t *error = in->io_error;
    in->io_ended = 0;
    in->io_error = NULL;
    uvow__connection_io_ended(c, error);
    return;
  }
  tell_io(c);
}

void uvow__intake_pause(uvow__connection_t *c, unsigned why) {
  if (!is_reading(c) || (why == UVOW__PAUSE_UNSENT && c->intake.io_ended))
    return;
  c->intake.pauses |= why;
  uvow__framer_pause(&c->framer);
  rest(c);
  tell_io(c);
}

void uvow__intake_resume(uvow__connection_t *c, unsigned why) {
  if (!(c->intake.pauses & why))
    return;
  c->intake.pauses &= ~why;
  rest(c);
  if (c->intake.pauses == 0)
    want_turn(c);
}

int uvow__intake_hold_end(uvow__connection_t *c, uvow_error_t *error) {
  uvow__intake_t *in = &c->intake;
  if (!is_reading(c) || !uvow__framer_paused(&c->framer) || in->io_ended)
    return 0;
  in->io_ended = 1;
  in->io_error = error;
  uvow__intake_resume(c, UVOW__PAUSE_UNSENT);
  return 1;
}

size_t uvow__intake_size(const uvow__connection_t *c) {
  const uvow__message_t *m = &c->framer.message;
  return c->intake.kept.cap + m->parts.cap + m->rest.cap;
}

void uvow__intake_init(uvow__connection_t *c) {
  uvow__intake_t *in = &c->intake;
  uvow__task_init(&in->go_on, run_go_on);
  uvow__deadline_init(&in->slow, on_slow);
  uvow__buf_init(&in->kept, uvow__connection_mem(c), SIZE_MAX);
}

void uvow__intake_start(uvow__connection_t *c) {
  uvow__framer_allow(&c->framer, TURN_BYTES, TURN_FRAMES);
}

void uvow__intake_stop(uvow__connection_t *c) {
  uvow__task_cancel(&c->intake.go_on);
  uvow__wheel_disarm(&c->intake.slow);
  uvow_error_unref(c->intake.io_error);
  c->intake.io_error = NULL;
  uvow__buf_done(&c->intake.kept);
}

void uvow__intake_done(uvow__connection_t *c) {
  uvow__intake_stop(c);
}
