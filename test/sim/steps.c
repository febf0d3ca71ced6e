/* What happens in a world: one random thing after another. */
#include "streams.h"

#include <stdio.h>

static void user(sim_t *s) {
  uint32_t dice = sim_below(&s->random, 40);
  if (dice < 24)
    sim_user_request(s);
  else if (dice < 28)
    sim_user_notify(s);
  else if (dice < 32)
    sim_user_cancel(s);
  else if (dice < 34)
    sim_user_drop(s);
  else if (dice < 35)
    sim_user_watch(s);
  else if (dice < 36 && s->client) {
    s->unref = !s->unref;
    uvow_peer_hold_loop(s->client, !s->unref);
  } else if (!sim_one_in(&s->random, s->config.ends))
    return;
  else if (dice < 38)
    sim_user_close(s);
  else if (dice < 39)
    sim_user_free(s);
  else
    sim_user_close_loop(s);
}

/* Several calls of the application, in one turn or each alone. */
static void users(sim_t *s) {
  uint32_t times = sim_one_in(&s->random, 5) ? sim_below(&s->random, 12) : 1;
  int together = sim_one_in(&s->random, 2);
  if (together)
    sim_enter(s);
  for (uint32_t i = 0; i < times && !s->loop_closing; i++)
    user(s);
  if (together)
    sim_leave(s);
}

/* However long the machine slept, the client takes it for one look's time. */
static void grow_silent(sim_t *s, uint64_t ms) {
  uint64_t look = s->config.ping_ms && s->config.ping_ms < s->config.dead_ms
                      ? s->config.ping_ms
                      : s->config.dead_ms;
  if (s->link)
    s->link->silent_ms += ms < look ? ms : look;
}

/* It was late: all that the server has written has come, and is read. */
static void look(sim_t *s) {
  s->looking = 0;
  if (s->link)
    sim_wire_down(s->link, SIZE_MAX);
  sim_enter(s);
  if (s->loop && !s->loop_closed)
    uvow__runtime_looked(&s->loop->rt);
  sim_leave(s);
}

void sim_advance(sim_t *s, uint64_t ms) {
  int64_t most = (int64_t)s->config.close_ms + 2;
  sim_turn(s);
  sim_adopt(s);
  s->now_ns += ms * SIM_NS_PER_MS;
  if (sim_one_in(&s->random, 3))
    s->now_ns += sim_below(&s->random, 3 * SIM_NS_PER_MS);
  sim_trace(s, "time goes on by %llu ms", (unsigned long long)ms);
  for (sim_watch_t *watch = s->watches; watch; watch = watch->next)
    if (watch->left_ms > 0) {
      watch->left_ms -= (int64_t)ms < most ? (int64_t)ms : most;
      watch->left_ms -= watch->left_ms == 0;
    }
  grow_silent(s, ms);
  sim_enter(s);
  uvow__runtime_expire(&s->loop->rt);
  sim_leave(s);
  if (s->looking)
    look(s);
  sim_turn(s);
}

static void time_passes(sim_t *s) {
  uint32_t dice = sim_below(&s->random, 30);
  if (dice < 20)
    sim_advance(s, sim_below(&s->random, 20));
  else if (dice < 28)
    sim_advance(s, sim_below(&s->random, 1500));
  else if (dice < 29)
    sim_advance(s, sim_below(&s->random, 40000));
  else if (s->config.faults) /* the machine slept */
    sim_advance(s, sim_below(&s->random, 100000000));
}

static size_t part(sim_t *s, const sim_bytes_t *bytes) {
  size_t left = sim_bytes_left(bytes);
  return sim_one_in(&s->random, 3) ? left : 1 + sim_below(&s->random, left);
}

static void move(sim_t *s, sim_link_t *link) {
  uint32_t dice = sim_below(&s->random, 10);
  if (dice < 4)
    sim_wire_up(link, part(s, &link->up));
  else if (dice < 8)
    sim_wire_down(link, part(s, &link->down));
  else if (dice < 9)
    sim_wire_drain(link);
  else if (link->farewell && link->down.pos >= link->farewell)
    sim_wire_end(link, 0);
}

static void network(sim_t *s) {
  sim_link_t *link = s->link;
  uint32_t times = 1 + sim_below(&s->random, 4);
  if (!link)
    return;
  if (!link->connected) {
    sim_wire_connect(link);
  } else if (!link->shaken && !sim_one_in(&s->random, 4)) {
    sim_wire_up(link, SIZE_MAX);
    sim_wire_down(link, SIZE_MAX);
  } else {
    for (uint32_t i = 0; i < times; i++)
      move(s, link);
  }
}

static void break_network(sim_t *s) {
  static const int codes[] = {0, UV_ECONNRESET, UV_EPIPE, UV_ETIMEDOUT};
  sim_link_t *link = s->link;
  uint32_t dice = sim_below(&s->random, 12);
  if (dice == 0)
    sim_server_restart(s);
  if (!sim_wire_alive(link))
    return;
  if (dice < 4) {
    link->stalled = !link->stalled;
  } else if (dice < 7) { /* an end, with what was on its way lost or not */
    if (sim_one_in(&s->random, 2))
      sim_wire_cut(link);
    sim_wire_end(link, codes[sim_below(&s->random, 4)]);
  } else if (dice < 8) { /* a middle box no_takeover the connection */
    sim_wire_cut(link);
  } else if (dice < 9) {
    link->up_open = 0;
  }
}

/* What was written before the end of an old connection may arrive yet. */
static void stragglers(sim_t *s) {
  if (s->link_count < 2)
    return;
  sim_link_t *link = s->links[sim_below(&s->random, s->link_count - 1)];
  sim_wire_up(link, part(s, &link->up));
}

static void break_memory(sim_t *s) {
  s->alloc_failed = 1;
  s->alloc.failed = 0;
  s->alloc.fail_at = s->alloc.calls + 1 + sim_below(&s->random, 12);
  s->alloc.fail_all_after = sim_one_in(&s->random, 3);
  s->alloc_steps = 1 + (int)sim_below(&s->random, 4);
  sim_trace(s, "memory fails%s",
            s->alloc.fail_all_after ? ", for a while" : "");
}

static void mend_memory(sim_t *s) {
  s->alloc.fail_at = 0;
  s->alloc.fail_all_after = 0;
}

void sim_step(sim_t *s) {
  uint32_t dice = sim_below(&s->random, 100);
  if (sim_one_in(&s->random, s->config.alloc))
    break_memory(s);
  if (sim_one_in(&s->random, s->config.faults))
    break_network(s);
  if (!s->loop_closing && sim_one_in(&s->random, s->config.streams))
    sim_streams_act(s);
  if (dice < 30)
    users(s);
  else if (dice < 55)
    sim_server_act(s);
  else if (dice < 90)
    network(s);
  else if (dice < 92)
    stragglers(s);
  else
    time_passes(s);
  sim_turn(s);
  if (s->alloc_steps && --s->alloc_steps == 0)
    mend_memory(s);
}

/* The server answers whatever it has executed on this link. */
static void answer_everything(sim_t *s, sim_link_t *link) {
  sim_server_answer_all(link);
  for (size_t i = 0; i < s->request_count; i++) {
    const sim_request_t *r = s->requests[i];
    int waits = r->id && (!r->settled || r->owed_on == link->number);
    if (waits && r->executed_on == link->number && r->sent_on == link->number)
      sim_server_answer(link, r);
  }
}

/* All that the client wrote has arrived: what had to be said was said. */
static void check_said(sim_t *s, const sim_link_t *link) {
  if (!sim_wire_alive(link) || !link->up_open || !link->shaken ||
      sim_bytes_left(&link->up) || s->state != UVOW_PEER_OPEN)
    return;
  for (size_t i = 0; i < s->request_count; i++)
    if (s->requests[i]->cancel_on == link->number && !s->alloc_failed)
      sim_fail(s, "the server wasn't told that request %u is canceled",
               s->requests[i]->nonce);
  sim_streams_check_said(s, link);
  for (uint32_t i = 0; i < s->notes && s->link_count == 1; i++)
    if (!s->note_seen[i] && !s->live && !s->alloc_failed)
      sim_fail(s, "notification %u never came", i);
}

/* A round in which all that can move moves. */
static void calm_round(sim_t *s) {
  sim_link_t *link = s->link;
  sim_streams_read_all(s);
  if (sim_wire_alive(link)) {
    int cut = !link->down_open || (!link->up_open && !link->farewell);
    link->stalled = 0;
    sim_wire_connect(link);
    sim_wire_drain(link);
    sim_wire_up(link, SIZE_MAX);
    sim_wire_down(link, SIZE_MAX);
    answer_everything(s, link);
    sim_wire_down(link, SIZE_MAX);
    sim_wire_drain(link);
    sim_turn(s);
    sim_wire_up(link, SIZE_MAX);
    check_said(s, link);
    if (cut)
      sim_wire_end(link, UV_ECONNRESET);
    else if (link->farewell)
      sim_wire_end(link, 0);
  }
  sim_turn(s);
  sim_check(s);
}

static int is_busy(const sim_t *s) {
  for (const sim_watch_t *watch = s->watches; watch; watch = watch->next)
    if (watch->left_ms && watch->calls == 0)
      return 1;
  return s->live > 0;
}

void sim_calm(sim_t *s) {
  s->calm = 1;
  mend_memory(s);
  if (s->client)
    calm_round(s);
  for (int round = 0; round < 400 && s->client && is_busy(s); round++) {
    calm_round(s);
    if (is_busy(s))
      sim_advance(s, 50 + sim_below(&s->random, 100));
    sim_check(s);
  }
  if (is_busy(s))
    sim_fail(s, "%zu requests hang, though all is well", s->live);
}
