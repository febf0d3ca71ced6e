/*
 * The application: makes requests, hangs chains on them, cancels, drops,
 * closes, frees; also from within its own callbacks.
 */
#include "streams.h"

#include <stdio.h>

#include <jansson.h>

#define MAX_REQUESTS 400

enum {
  CHAIN_DONE,
  CHAIN_LONG,
  CHAIN_TIMEOUT,
  CHAIN_KEPT, /* done, and the root is kept */
  CHAIN_ROOT, /* the root is kept, nothing else */
  CHAIN_LINK, /* a link is kept, not the root */
  CHAIN_NONE, /* dropped at once */
  CHAINS
};

void sim_user_act(sim_t *s) {
  uint32_t dice = sim_below(&s->random, 24);
  if (s->calm || !sim_one_in(&s->random, s->config.acts))
    return;
  if (dice < 12)
    sim_user_request(s);
  else if (dice < 15)
    sim_user_notify(s);
  else if (dice < 19)
    sim_user_cancel(s);
  else if (dice < 20)
    sim_user_watch(s);
  else if (!sim_one_in(&s->random, s->config.ends))
    return;
  else if (dice == 20)
    sim_user_close(s);
  else if (dice == 21)
    sim_user_free(s);
  else if (dice == 22)
    sim_user_close_loop(s);
}

/* A value belongs to its request; an error is the one that the hook told. */
static void check_result(sim_request_t *r, const uvow_result_t *result) {
  sim_t *s = r->sim;
  char nonce[32];
  char text[200];
  if (result->error) {
    int code = uvow_error_code(result->error);
    if (r->chain == CHAIN_TIMEOUT &&
        (code == UVOW_ETIMEDOUT || (code == UVOW_ENOMEM && s->alloc_failed)))
      return;
    /* Its cleanup closed the loop, and itself with it. */
    if (r->chain == CHAIN_LONG && code == UVOW_ECLOSED && s->loop_closing)
      return;
    /* What a value becomes when its payload isn't JSON. */
    if (r->id && r->settled && r->code == 0 &&
        (code == UVOW_EPAYLOAD || (code == UVOW_ENOMEM && s->alloc_failed)) &&
        (uvow_error_outcome(result->error) == UVOW_ANSWERED || s->alloc_failed))
      return;
    if (r->id && (!r->settled || r->code != code ||
                  r->outcome != uvow_error_outcome(result->error)))
      sim_fail(s, "request %u: the hook said %d, its future %d", r->nonce,
               r->code, code);
    return;
  }
  uvow_slice_t got = uvow_result_bytes(result);
  if (!r->settled || r->code || !got.bytes)
    sim_fail(s, "request %u: the hook said %d, its future a value", r->nonce,
             r->code);
  if (r->json && !uvow_result_json(result))
    sim_fail(s, "request %u: fulfilled without JSON", r->nonce);
  size_t part = got.len < sizeof(text) - 1 ? got.len : sizeof(text) - 1;
  memcpy(text, got.bytes, part);
  text[part] = '\0';
  int n = snprintf(nonce, sizeof(nonce), "\"n\":%u", r->nonce);
  const char *at = strstr(text, nonce);
  if (!at || (at[n] != ',' && at[n] != '}'))
    sim_fail(s, "request %u has the value %s", r->nonce, text);
}

static void on_done(const uvow_result_t *result, void *data) {
  sim_request_t *r = (sim_request_t *)data;
  r->done_calls++;
  sim_trace(r->sim, "done %u: %s", r->nonce,
            result->error ? uvow_err_name(uvow_error_code(result->error))
                          : "a value");
  check_result(r, result);
  sim_user_act(r->sim);
}

static uvow_next_t on_link(const uvow_result_t *result, void *data) {
  sim_request_t *r = (sim_request_t *)data;
  if (++r->link_calls > 1)
    sim_fail(r->sim, "request %u: a link ran twice", r->nonce);
  check_result(r, result);
  sim_user_act(r->sim);
  return uvow_next_pass();
}

static uvow_next_t on_finally(void *data) {
  sim_request_t *r = (sim_request_t *)data;
  r->finally_calls++;
  sim_user_act(r->sim);
  return uvow_next_none();
}

static void on_destroy(void *data) {
  ((sim_request_t *)data)->destroy_calls++;
}

static void use_long(sim_request_t *r, uvow_future_t *f) {
  uvow_chain_options_t options;
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  options.on_value = options.on_error = on_link;
  options.data = r;
  options.destroy = on_destroy;
  r->destroy_wanted = 1;
  f = uvow_future_chain(f, &options);
  f = uvow_future_finally(f, on_finally, r);
  r->finally_wanted = f != NULL;
  r->done_wanted = uvow_future_done(f, on_done, r) == 0;
}

static void use(sim_request_t *r, uvow_future_t *f) {
  sim_t *s = r->sim;
  if (!f)
    return;
  switch (r->chain) {
  case CHAIN_LONG:
    use_long(r, f);
    break;
  case CHAIN_TIMEOUT:
    r->may_cancel = 1;
    f = uvow_future_timeout(f, 1 + sim_below(&s->random, 3000));
    r->done_wanted = uvow_future_done(f, on_done, r) == 0;
    break;
  case CHAIN_KEPT:
    r->kept = uvow_future_ref(f);
    r->done_wanted = uvow_future_done(f, on_done, r) == 0;
    break;
  case CHAIN_ROOT:
    r->kept = f;
    break;
  case CHAIN_LINK:
    r->kept = uvow_future_then(f, on_link, r);
    break;
  case CHAIN_NONE:
    uvow_future_detach(f);
    break;
  default:
    r->done_wanted = uvow_future_done(f, on_done, r) == 0;
    break;
  }
}

sim_request_t *sim_new_request(sim_t *s) {
  sim_request_t *r = (sim_request_t *)calloc(1, sizeof(*r));
  if (s->request_count == s->request_cap) {
    s->request_cap = s->request_cap ? s->request_cap * 2 : 64;
    s->requests = (sim_request_t **)realloc(
        s->requests, s->request_cap * sizeof(sim_request_t *));
  }
  r->sim = s;
  r->nonce = (uint32_t)s->request_count;
  s->requests[s->request_count++] = r;
  r->made_ns = s->now_ns;
  r->order = ++s->order;
  r->timeout_ms = s->config.timeout_ms;
  return r;
}

static sim_request_t *new_request(sim_t *s) {
  sim_request_t *r = sim_new_request(s);
  r->idempotent = sim_one_in(&s->random, s->config.idempotent);
  r->json = sim_one_in(&s->random, 3);
  if (s->config.protocol == SIM_CDP)
    r->session = sim_one_in(&s->random, 3) && s->in_session &&
                 uvow_peer_state(s->in_session) != UVOW_PEER_CLOSED;
  r->chain = (int)sim_below(&s->random, CHAINS);
  if (!r->json && sim_one_in(&s->random, s->config.big))
    r->pad =
        sim_below(&s->random,
                  s->config.max_unsent < 70000 ? s->config.max_unsent : 70000);
  else if (!r->json && sim_one_in(&s->random, 10))
    r->pad = sim_below(&s->random, 200);
  return r;
}

static uvow_future_t *send_request(sim_t *s, sim_request_t *r) {
  static char params[SIM_TEXT_MAX];
  uvow_peer_t *peer = r->session ? s->in_session : s->client;
  uvow_request_options_t options;
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  options.idempotent = r->idempotent;
  uint32_t dice = sim_below(&s->random, 4);
  if (dice == 0)
    options.timeout_ms = UVOW_NO_TIMEOUT;
  else if (dice == 1)
    options.timeout_ms = 1 + sim_below(&s->random, 5000);
  if (dice < 2)
    r->timeout_ms = dice ? options.timeout_ms : 0;
  if (r->json)
    return uvow_peer_request_with(
        peer, "work",
        uvow_value_json(json_pack("{s:I}", "n", (json_int_t)r->nonce)),
        &options);
  size_t len = sim_text_params(s, r, params, sizeof(params));
  return uvow_peer_request_with(
      peer, "work", uvow_value_slice(&(uvow_slice_t){params, len}), &options);
}

static uvow_peer_stats_t stats_of(const sim_t *s) {
  uvow_peer_stats_t stats;
  memset(&stats, 0, sizeof(stats));
  stats.size = sizeof(stats);
  uvow_peer_get_stats(s->client, &stats);
  return stats;
}

/* R6: a limit that was reached, or none. */
static void check_limits(sim_t *s, const sim_request_t *r, int code,
                         const uvow_peer_stats_t *before, size_t notes) {
  const sim_config_t *c = &s->config;
  uvow_peer_stats_t after = stats_of(s);
  size_t queued = before->queued + notes;
  if (code == UVOW_EOVERLOAD) {
    if (before->pending < c->max_pending && queued < c->max_queued &&
        before->unsent_bytes + r->pad + 150 <= c->max_unsent)
      sim_fail(s,
               "request %u: EOVERLOAD with %llu pending, %zu queued, %llu "
               "unsent bytes",
               r->nonce, (unsigned long long)before->pending, queued,
               (unsigned long long)before->unsent_bytes);
    return;
  }
  if (code)
    return;
  if (before->pending >= c->max_pending ||
      (!r->sent && before->queued >= c->max_queued) ||
      after.unsent_bytes > c->max_unsent)
    sim_fail(s,
             "request %u: accepted with %llu pending, %zu queued, %llu "
             "unsent bytes",
             r->nonce, (unsigned long long)before->pending, queued,
             (unsigned long long)after.unsent_bytes);
}

static void check_refusal(sim_t *s, const sim_request_t *r,
                          const uvow_error_t *error) {
  int code = uvow_error_code(error);
  int no_memory = s->alloc_failed && code == UVOW_ENOMEM;
  if (uvow_error_outcome(error) != UVOW_NOT_SENT && !no_memory)
    sim_fail(s, "request %u was refused with outcome %d", r->nonce,
             (int)uvow_error_outcome(error));
  if (code == UVOW_ENOMEM && !s->alloc_failed)
    sim_fail(s, "request %u: ENOMEM for no reason", r->nonce);
  if (code == UVOW_ECLOSED && !s->closing && !s->loop_closing)
    sim_fail(s, "request %u: ECLOSED for no reason", r->nonce);
}

/* What the client made of it: it has a slot now, or was refused. */
static void learn(sim_t *s, sim_request_t *r, uvow_future_t *f,
                  const uvow_peer_stats_t *before, size_t notes) {
  uvow_result_t result;
  int code = 0;
  if (stats_of(s).requests > before->requests && !r->id)
    sim_registered(s, r, s->client->dispatcher.next_id - 1);
  sim_trace(s, "made %u: id %llu, chain %d, idempotent %d, timeout %u, pad %zu",
            r->nonce, (unsigned long long)r->id, r->chain, r->idempotent,
            r->timeout_ms, r->pad);
  if (!f) {
    if (!s->alloc_failed && !s->loop_closing)
      sim_fail(s, "request %u: no future", r->nonce);
    return;
  }
  if (uvow_future_peek(f, &result) == 0) {
    if (!result.error)
      sim_fail(s, "request %u is fulfilled at once", r->nonce);
    code = uvow_error_code(result.error);
    check_refusal(s, r, result.error);
  } else if (!r->id) {
    sim_fail(s, "request %u pends without a slot", r->nonce);
  }
  check_limits(s, r, code, before, notes);
}

/* Notifications that may wait still: at most those that never came. */
static size_t notes_missing(const sim_t *s) {
  size_t count = 0;
  for (uint32_t i = 0; i < s->notes; i++)
    count += !s->note_seen[i];
  return count;
}

void sim_user_request(sim_t *s) {
  if (!s->client || s->request_count >= MAX_REQUESTS)
    return;
  sim_adopt(s);
  uvow_peer_stats_t before = stats_of(s);
  size_t notes = notes_missing(s);
  sim_request_t *r = s->asking = new_request(s);
  uvow_future_t *f = send_request(s, r);
  s->asking = NULL;
  learn(s, r, f, &before, notes);
  use(r, f);
}

void sim_user_notify(sim_t *s) {
  char params[64];
  if (!s->client || s->notes >= SIM_NOTES)
    return;
  sim_adopt(s);
  uint32_t number = s->notes++;
  s->note_order[number] = ++s->order;
  int len = snprintf(params, sizeof(params), "{\"n\":%u}", number);
  int rc =
      uvow_peer_notify(s->client, "note",
                       uvow_value_slice(&(uvow_slice_t){params, (size_t)len}));
  sim_trace(s, "notify %u: %s", number, rc ? uvow_err_name(rc) : "made");
  s->note_seen[number] = rc != 0; /* then it may not come */
  if ((s->config.protocol == SIM_CDP && rc == 0) ||
      (rc == UVOW_ENOMEM && !s->alloc_failed))
    sim_fail(s, "notification %u: %s", number, rc ? uvow_err_name(rc) : "0");
}

static sim_request_t *pick_kept(sim_t *s) {
  size_t from = sim_below(&s->random, s->request_count);
  for (size_t i = 0; i < s->request_count; i++) {
    sim_request_t *r = s->requests[(from + i) % s->request_count];
    if (r->kept)
      return r;
  }
  return NULL;
}

void sim_user_cancel(sim_t *s) {
  sim_request_t *r = pick_kept(s);
  if (!r || s->loop_closing)
    return;
  int pending = uvow_future_state(r->kept) == UVOW_PENDING;
  sim_trace(s, "cancel %u", r->nonce);
  r->may_cancel = 1;
  int rc = uvow_future_cancel(r->kept);
  if (rc != (pending ? 0 : UVOW_EALREADY))
    sim_fail(s, "cancel of request %u: %d", r->nonce, rc);
  if (r->id && !r->settled)
    sim_fail(s, "request %u was canceled, and pends", r->nonce);
}

void sim_user_drop(sim_t *s) {
  sim_request_t *r = pick_kept(s);
  if (!r)
    return;
  sim_trace(s, "drop %u", r->nonce);
  uvow_future_unref(r->kept);
  r->kept = NULL;
}

void sim_user_release(sim_t *s) {
  for (size_t i = 0; i < s->request_count; i++) {
    uvow_future_unref(s->requests[i]->kept);
    s->requests[i]->kept = NULL;
  }
}

static void on_watch(const uvow_result_t *result, void *data) {
  sim_watch_t *watch = (sim_watch_t *)data;
  sim_trace(watch->sim, "%s: %s", watch->name,
            result->error ? uvow_err_name(uvow_error_code(result->error))
                          : "fulfilled");
  watch->calls++;
  sim_user_act(watch->sim);
}

static void watch_future(sim_t *s, uvow_future_t *f, const char *name,
                         int64_t left_ms) {
  sim_watch_t *watch = (sim_watch_t *)calloc(1, sizeof(*watch));
  watch->sim = s;
  watch->name = name;
  watch->left_ms = watch->most_ms = left_ms;
  if (uvow_future_done(f, on_watch, watch)) {
    free(watch);
    return;
  }
  watch->next = s->watches;
  s->watches = watch;
}

void sim_user_watch(sim_t *s) {
  if (!s->client)
    return;
  if (sim_one_in(&s->random, 2))
    watch_future(s, uvow_peer_ready(s->client), "ready", 0);
  else
    watch_future(s, uvow_peer_room(s->client), "drained", 0);
}

void sim_user_close(sim_t *s) {
  if (!s->client)
    return;
  sim_trace(s, "close");
  s->closing = 1;
  watch_future(s, uvow_peer_close(s->client), "closed",
               4 * (int64_t)s->config.close_ms + 10);
}

void sim_user_free(sim_t *s) {
  uvow_peer_t *client = s->client;
  if (!client)
    return;
  sim_trace(s, "free");
  s->closing = 1;
  uvow_peer_unref(client);
  uvow_peer_unref(s->in_session);
  s->client = s->in_session = NULL;
  s->notice_count = 0;
}

static void on_loop_closed(void *data) {
  ((sim_t *)data)->loop_closed++;
}

void sim_user_close_loop(sim_t *s) {
  if (s->loop_closing)
    return;
  sim_trace(s, "close the loop");
  s->loop_closing = 1;
  uvow_loop_close(s->loop, on_loop_closed, s);
}
