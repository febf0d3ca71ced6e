/* What must be true after each step, and at the end of a world. */
#include "streams.h"

#include <stdio.h>

#define COUNT(name, settles)                                                   \
  { #name, offsetof(uvow_peer_stats_t, name), (settles) }

static const struct {
  const char *name;
  size_t offset;
  int settles; /* counts how requests end */
} counts[] = {COUNT(requests, 0),  COUNT(answered, 1),  COUNT(timed_out, 1),
              COUNT(canceled, 1),  COUNT(failed, 1),    COUNT(events, 0),
              COUNT(unknown, 0),   COUNT(malformed, 0), COUNT(resent, 0),
              COUNT(connected, 0), COUNT(lost, 0)};

static uint64_t count_at(const uvow_peer_stats_t *stats, size_t offset) {
  uint64_t count;
  memcpy(&count, (const char *)stats + offset, sizeof(count));
  return count;
}

static void check_counts(sim_t *s) {
  uvow_peer_stats_t stats;
  memset(&stats, 0, sizeof(stats));
  stats.size = sizeof(stats);
  uvow_peer_get_stats(s->client, &stats);
  for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
    uint64_t is = count_at(&stats, counts[i].offset);
    uint64_t wanted = count_at(&s->expect, counts[i].offset);
    uint64_t more = counts[i].settles ? s->blurred : 0;
    if (s->closing &&
        counts[i].offset == offsetof(uvow_peer_stats_t, connected))
      more = 1; /* opened for what was queued: no state */
    if (is < wanted || is > wanted + more)
      sim_fail(s, "stats say %llu %s, the model %llu", (unsigned long long)is,
               counts[i].name, (unsigned long long)wanted);
  }
  if (stats.late + stats.duplicate !=
          s->expect.late + s->expect.duplicate + s->repeats ||
      stats.late < s->expect.late || stats.duplicate < s->expect.duplicate)
    sim_fail(s,
             "stats say %llu late and %llu duplicate, the model %llu and "
             "%llu",
             (unsigned long long)stats.late,
             (unsigned long long)stats.duplicate,
             (unsigned long long)s->expect.late,
             (unsigned long long)s->expect.duplicate);
  if (stats.requests != stats.answered + stats.timed_out + stats.canceled +
                            stats.failed + stats.pending)
    sim_fail(s, "the counters don't add up");
  if (stats.pending != s->live || stats.in_flight + stats.queued != s->live)
    sim_fail(s, "stats say %llu pending, the model %zu",
             (unsigned long long)stats.pending, s->live);
  if (stats.pending > s->config.max_pending)
    sim_fail(s, "%llu requests pend", (unsigned long long)stats.pending);
}

typedef struct walk {
  sim_t *s;
  uint64_t last;
  size_t count;
} walk_t;

static void visit(const uvow_pending_t *pending, void *data) {
  walk_t *walk = (walk_t *)data;
  sim_t *s = walk->s;
  const sim_request_t *r = sim_request_of(s, pending->id);
  if (!r || r->settled || pending->id <= walk->last)
    sim_fail(s, "id %llu pends, says the walk",
             (unsigned long long)pending->id);
  walk->last = pending->id;
  walk->count++;
  if (pending->idempotent != r->idempotent ||
      pending->outcome != (r->sent ? UVOW_MAYBE_EXECUTED : UVOW_NOT_SENT))
    sim_fail(s, "the walk knows request %u badly", r->nonce);
  const sim_link_t *link = s->link;
  int over = !sim_wire_alive(link) ||
             (link->farewell && link->down.pos >= link->farewell);
  if (pending->in_flight != (!over && r->sent_on == link->number))
    sim_fail(s, "request %u in flight: %d, says the walk", r->nonce,
             pending->in_flight);
}

static void check_pending(sim_t *s) {
  walk_t walk = {s, 0, 0};
  size_t said = uvow_peer_walk(s->client, visit, &walk);
  if (said != s->live || walk.count != s->live)
    sim_fail(s, "the walk found %zu pending, the model has %zu", walk.count,
             s->live);
}

static void check_user(sim_t *s, const sim_request_t *r) {
  int over = !r->id || r->settled;
  if (!over && (r->done_calls || r->link_calls))
    sim_fail(s, "request %u pends, and its callbacks ran", r->nonce);
  if (over && r->done_calls != r->done_wanted)
    sim_fail(s, "request %u: done ran %d times, not %d", r->nonce,
             r->done_calls, r->done_wanted);
  if (over && (r->finally_calls != r->finally_wanted ||
               r->destroy_calls != r->destroy_wanted))
    sim_fail(s, "request %u: finally ran %d times, not %d; destroy %d, not %d",
             r->nonce, r->finally_calls, r->finally_wanted, r->destroy_calls,
             r->destroy_wanted);
  if (r->done_calls > 1 || r->finally_calls > 1 || r->destroy_calls > 1)
    sim_fail(s, "request %u: a callback ran twice", r->nonce);
  if (r->kept && r->id &&
      r->settled != (uvow_future_state(r->kept) != UVOW_PENDING))
    sim_fail(s, "request %u: settled %d, its future's state %d", r->nonce,
             r->settled, (int)uvow_future_state(r->kept));
}

/* Never later than the turn that saw the time: the clock is rounded up to ms
 * once. */
static void check_deadline(sim_t *s, const sim_request_t *r) {
  uint64_t due = r->made_ns + ((uint64_t)r->timeout_ms + 1) * SIM_NS_PER_MS;
  if (r->id && !r->settled && r->timeout_ms && s->now_ns >= due)
    sim_fail(s, "request %u should have timed out %llu ms ago", r->nonce,
             (unsigned long long)((s->now_ns - due) / SIM_NS_PER_MS));
}

/* Who waits for room waits no longer than there is none. */
static void check_drained(sim_t *s) {
  uvow_peer_stats_t stats;
  memset(&stats, 0, sizeof(stats));
  stats.size = sizeof(stats);
  uvow_peer_get_stats(s->client, &stats);
  for (sim_watch_t *watch = s->watches; watch; watch = watch->next)
    if (watch->calls == 0 && strcmp(watch->name, "drained") == 0 &&
        stats.unsent_bytes <= s->config.max_unsent / 2)
      sim_fail(s, "drained pends, with %llu unsent bytes",
               (unsigned long long)stats.unsent_bytes);
}

/* What waits, waits for a reason: an answer, room, or the connection. */
static void check_idle(sim_t *s) {
  const uvow__connection_t *c = uvow__peer_connection(s->client);
  if (s->state == UVOW_PEER_OPEN && c && uvow__connection_is_open(c) &&
      !uvow__connection_unsent(c) && s->live > s->in_flight &&
      s->in_flight + s->owed < s->config.max_in_flight &&
      !(s->alloc_failed && s->config.count_unanswered))
    sim_fail(s, "%zu requests wait for nothing", s->live - s->in_flight);
}

static void check_watches(sim_t *s) {
  for (sim_watch_t *watch = s->watches; watch; watch = watch->next)
    if (watch->calls > 1 || (watch->calls == 0 && watch->left_ms < 0))
      sim_fail(s, "%s was settled %d times", watch->name, watch->calls);
}

/* E2: an open client keeps the loop going, by a stream or by a timer. */
static void check_held(sim_t *s) {
  int over = s->state == UVOW_PEER_CLOSED || s->unref || s->loop_closing;
  if (!over && !s->loop->rt.holds && !sim_wire_alive(s->link))
    sim_fail(s, "nothing keeps the loop going, in state %d with %zu pending",
             (int)s->state, s->live);
}

/* R9: silence ends a connection, in time. */
static void check_dead(sim_t *s) {
  const sim_link_t *link = s->link;
  if (sim_wire_alive(link) && s->config.dead_ms && s->state == UVOW_PEER_OPEN &&
      link->silent_ms > 3 * (uint64_t)s->config.dead_ms)
    sim_fail(s, "link %d: silent for %llu ms, and alive", link->number,
             (unsigned long long)link->silent_ms);
}

void sim_check(sim_t *s) {
  for (size_t i = 0; i < s->request_count; i++) {
    check_user(s, s->requests[i]);
    if (!s->loop_closing)
      check_deadline(s, s->requests[i]);
  }
  check_watches(s);
  if (!s->client || s->loop_closed)
    return;
  sim_adopt(s);
  sim_streams_check(s);
  check_counts(s);
  check_pending(s);
  check_held(s);
  check_dead(s);
  check_drained(s);
  check_idle(s);
  if (s->notice_count && !s->alloc_failed && !s->loop_closing)
    sim_fail(s, "the application wasn't told %d:%u",
             s->notices[s->notice_first].kind,
             s->notices[s->notice_first].code);
  if (uvow_peer_state(s->client) != s->state)
    sim_fail(s, "the client is in state %d, the hook said %d",
             (int)uvow_peer_state(s->client), (int)s->state);
}

void sim_check_end(sim_t *s) {
  for (size_t i = 0; i < s->request_count; i++) {
    const sim_request_t *r = s->requests[i];
    check_user(s, r);
    if (r->id && !r->settled)
      sim_fail(s, "request %u never settled", r->nonce);
  }
  check_watches(s);
  for (sim_watch_t *watch = s->watches; watch; watch = watch->next)
    if (watch->calls != 1)
      sim_fail(s, "%s was settled %d times", watch->name, watch->calls);
  sim_streams_check_end(s);
  if (s->live)
    sim_fail(s, "%zu requests pend at the end", s->live);
  if (s->alloc.live)
    sim_fail(s, "%zu blocks leak", s->alloc.live);
}
