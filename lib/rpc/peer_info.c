/* What a peer can tell of itself. */
#include "peer.h"

#include "base/options.h"
#include "future/fail.h"
#include "within.h"

#define NS_PER_US 1000u

const char *uvow_peer_state_name(uvow_peer_state_t state) {
  static const char *const names[] = {"unknown", "connecting", "opening",
                                      "open",    "waiting",    "closing",
                                      "closed"};
  unsigned at = (unsigned)state;
  return at < sizeof(names) / sizeof(*names) ? names[at] : names[0];
}

void uvow_peer_set_data(uvow_peer_t *peer, void *data,
                        uvow_destroy_cb destroy) {
  uvow_destroy_cb old_destroy = destroy;
  void *old = data;
  if (peer) {
    old_destroy = peer->notices.destroy;
    old = peer->notices.data;
    peer->notices.data = data;
    peer->notices.destroy = destroy;
  }
  if (old_destroy)
    old_destroy(old);
}

void *uvow_peer_data(const uvow_peer_t *peer) {
  return peer ? peer->notices.data : NULL;
}

uvow_slice_t uvow_peer_var(const uvow_peer_t *peer, const char *name) {
  uvow_slice_t none = {NULL, 0};
  if (peer && peer->kin.within)
    peer = peer->kin.within->whole;
  if (!peer || !name)
    return none;
  const uvow__opening_t *opening = peer->session.opening;
  if (!opening)
    return none;
  uvow__slice_t json = uvow__vars_get(&opening->vars, name);
  return (uvow_slice_t){json.ptr, json.len};
}

uvow_websocket_t *uvow_peer_websocket(const uvow_peer_t *peer) {
  return peer ? peer->kin.ws : NULL;
}

static uint64_t percentile_us(const uvow_peer_t *peer, double share) {
  return uvow__histogram_at(&peer->session.rtt, share) / NS_PER_US;
}

static void count_messages(const uvow__session_t *session,
                           uvow_peer_stats_t *ret) {
  const uvow__dispatcher_t *d = session->dispatcher;
  ret->requests = d->count.requests;
  ret->answered = d->count.answered;
  ret->timed_out = d->count.timed_out;
  ret->canceled = d->count.canceled;
  ret->failed = d->count.failed;
  ret->resent = d->count.resent;
  ret->calls = session->calls;
  ret->events = session->events;
  ret->late = session->strays[UVOW_STRAY_LATE];
  ret->duplicate = session->strays[UVOW_STRAY_DUPLICATE];
  ret->unknown = session->strays[UVOW_STRAY_UNKNOWN];
  ret->malformed = session->strays[UVOW_STRAY_MALFORMED];
  ret->pending = d->live;
  ret->in_flight = d->sent;
  ret->queued = d->live - d->sent;
  ret->calls_under_way = session->callee.count;
  ret->call_bytes = session->callee.bytes;
}

int uvow_peer_get_stats(const uvow_peer_t *peer, uvow_peer_stats_t *ret) {
  uvow_peer_stats_t stats = {0};
  if (!peer || !ret)
    return uvow__fail(peer ? peer->loop : NULL, UVOW_EINVAL,
                      peer ? "ret" : "peer", uvow__fail_null);
  if (peer->kin.within && !peer->kin.within->whole)
    return uvow__options_fill(ret, &stats, sizeof(stats));
  if (peer->kin.within)
    peer = peer->kin.within->whole;
  count_messages(&peer->session, &stats);
  stats.connected =
      peer->link ? peer->link->connected : peer->life.was_open != 0;
  if (peer->link)
    stats.lost = peer->link->lost;
  stats.unsent_bytes = uvow__peer_unsent(peer);
  stats.rtt_p50_us = percentile_us(peer, 0.5);
  stats.rtt_p90_us = percentile_us(peer, 0.9);
  stats.rtt_p99_us = percentile_us(peer, 0.99);
  stats.rtt_max_us = peer->session.rtt.max / NS_PER_US;
  return uvow__options_fill(ret, &stats, sizeof(stats));
}

typedef struct walk {
  uvow__runtime_t *rt;
  const uvow__intern_t *methods;
  uvow_pending_cb cb;
  void *data;
  uint64_t now_ns;
  unsigned session; /* 0: of all, and none */
  size_t count;
} walk_t;

static void visit(const uvow__request_t *request, void *data) {
  walk_t *walk = (walk_t *)data;
  uvow_pending_t pending;
  if (walk->session && request->session != walk->session)
    return;
  walk->count++;
  if (!walk->cb)
    return;
  memset(&pending, 0, sizeof(pending));
  pending.size = sizeof(pending);
  pending.id = request->id;
  pending.method = uvow__intern_text(walk->methods, request->method).ptr;
  pending.in_flight = request->sent;
  pending.idempotent = request->idempotent;
  pending.outcome = request->was_sent ? UVOW_MAYBE_EXECUTED : UVOW_NOT_SENT;
  if (request->sent && walk->now_ns > request->sent_ns)
    pending.age_us = (walk->now_ns - request->sent_ns) / NS_PER_US;
  const char *before = uvow__ask(walk->rt, "a walk over requests");
  walk->cb(&pending, walk->data);
  uvow__answered(walk->rt, before);
}

size_t uvow_peer_walk(const uvow_peer_t *peer, uvow_pending_cb cb, void *data) {
  walk_t walk = {NULL, NULL, cb, data, 0, 0, 0};
  if (!peer || (peer->kin.within && !peer->kin.within->whole))
    return 0;
  if (peer->kin.within) {
    walk.session = peer->kin.within->number;
    peer = peer->kin.within->whole;
  }
  walk.rt = &peer->loop->rt;
  walk.methods = &peer->names.methods;
  walk.now_ns = uvow__runtime_now(&peer->loop->rt);
  if (cb || walk.session)
    uvow__dispatcher_walk(&peer->dispatcher, visit, &walk);
  return walk.session ? walk.count : peer->dispatcher.live;
}
