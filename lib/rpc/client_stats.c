/* What a client can tell of itself. */
#include "client.h"

#include <string.h>

#define NS_PER_US 1000u

static uint64_t percentile_us(const uvow_client_t *client, double share) {
  return uvow__histogram_at(&client->rtt, share) / NS_PER_US;
}

int uvow_client_stats(const uvow_client_t *client, uvow_client_stats_t *ret) {
  if (!client || !ret || ret->size != sizeof(*ret))
    return UVOW_EINVAL;
  const uvow__dispatcher_t *d = &client->dispatcher;
  *ret = client->stats;
  ret->size = sizeof(*ret);
  ret->requests = d->count.requests;
  ret->answered = d->count.answered;
  ret->timed_out = d->count.timed_out;
  ret->canceled = d->count.canceled;
  ret->failed = d->count.failed;
  ret->resent = d->count.resent;
  ret->events = client->session.events;
  ret->late = client->session.strays[UVOW__STRAY_LATE];
  ret->duplicate = client->session.strays[UVOW__STRAY_DUPLICATE];
  ret->unknown = client->session.strays[UVOW__STRAY_UNKNOWN];
  ret->malformed = client->session.strays[UVOW__STRAY_MALFORMED];
  ret->pending = d->live;
  ret->in_flight = d->sent;
  ret->queued = d->live - d->sent;
  ret->unsent_bytes = uvow__client_unsent(client);
  ret->rtt_p50_us = percentile_us(client, 0.5);
  ret->rtt_p90_us = percentile_us(client, 0.9);
  ret->rtt_p99_us = percentile_us(client, 0.99);
  ret->rtt_max_us = client->rtt.max / NS_PER_US;
  return 0;
}

uint64_t uvow_client_rtt_us(const uvow_client_t *client, double share) {
  if (!client || !(share >= 0 && share <= 1))
    return 0;
  return percentile_us(client, share);
}

typedef struct walk {
  const uvow__intern_t *methods;
  uvow_pending_cb cb;
  void *data;
  uint64_t now_ns;
} walk_t;

static void visit(const uvow__request_t *request, void *data) {
  walk_t *walk = (walk_t *)data;
  uvow_pending_t pending;
  memset(&pending, 0, sizeof(pending));
  pending.size = sizeof(pending);
  pending.id = request->id;
  pending.method = uvow__intern_text(walk->methods, request->method).ptr;
  pending.in_flight = request->sent;
  pending.idempotent = request->idempotent;
  pending.outcome = request->was_sent ? UVOW_MAYBE_EXECUTED : UVOW_NOT_SENT;
  if (request->sent && walk->now_ns > request->sent_ns)
    pending.age_us = (walk->now_ns - request->sent_ns) / NS_PER_US;
  walk->cb(&pending, walk->data);
}

size_t uvow_client_walk_pending(const uvow_client_t *client, uvow_pending_cb cb,
                                void *data) {
  walk_t walk = {NULL, cb, data, 0};
  if (!client)
    return 0;
  walk.methods = &client->methods;
  walk.now_ns = uvow__runtime_now(&client->loop->rt);
  if (cb)
    uvow__dispatcher_walk(&client->dispatcher, visit, &walk);
  return client->dispatcher.live;
}
