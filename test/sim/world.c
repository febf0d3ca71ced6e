/* What a world is like: see sim_config_t. */
#include "model.h"

static uint32_t pick(sim_t *s, const uint32_t *from, size_t count) {
  return from[sim_below(&s->random, count)];
}
#define PICK(s, ...)                                                           \
  pick((s), (const uint32_t[]){__VA_ARGS__},                                   \
       sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* Subscriptions, and connections that go and come again: what one of them leaves
 * behind meets the next one. */
static void want_renewals(sim_t *s) {
  sim_config_t *c = &s->config;
  c->renewals = 1;
  c->steps = 320;
  c->timeout_ms = c->connect_ms = 10000;
  c->max_in_flight = PICK(s, 1, 2, 5);
  c->max_pending = c->max_queued = 100;
  c->reconnect = 1;
  c->base_ms = 1;
  c->max_ms = 10;
  c->max_attempts = c->alloc = c->ends = c->big = 0;
  c->faults = 15;
  c->streams = 2;
}

void sim_draw_config(sim_t *s) {
  sim_config_t *c = &s->config;
  c->protocol = (sim_protocol_t)sim_below(&s->random, SIM_PROTOCOLS);
  c->steps = PICK(s, 40, 80, 160, 320);
  c->timeout_ms = PICK(s, 50, 1000, 10000, 30000);
  c->connect_ms = PICK(s, 100, 1000, 10000);
  c->close_ms = PICK(s, 50, 1000, 5000);
  c->ping_ms = PICK(s, 0, 0, 200, 3000);
  c->dead_ms = PICK(s, 0, 0, 500, 5000);
  c->max_message = PICK(s, 600, 4096, 1 << 20);
  c->max_unsent = PICK(s, 1500, 8000, 1 << 20);
  c->max_pending = PICK(s, 3, 20, 100, 100000);
  c->max_in_flight = PICK(s, 1, 2, 5, 100, 100000);
  c->max_queued = PICK(s, 2, 10, 100000);
  if (c->max_in_flight > c->max_pending)
    c->max_in_flight = c->max_pending;
  c->send_cancel = sim_one_in(&s->random, 2);
  c->reconnect = !sim_one_in(&s->random, 5);
  c->base_ms = PICK(s, 1, 100, 1000);
  c->max_ms = PICK(s, 10, 1000, 5000);
  c->max_attempts = PICK(s, 0, 0, 0, 2, 5);
  c->idempotent = PICK(s, 0, 1, 3, 3);
  c->faults = PICK(s, 0, 15, 40, 100);
  c->alloc = PICK(s, 0, 0, 0, 30);
  c->acts = PICK(s, 0, 3, 10);
  c->ends = PICK(s, 0, 0, 10, 40);
  c->big = PICK(s, 0, 0, 0, 10);
  c->max_resends = PICK(s, 1, 1, 2, 5);
  c->count_unanswered = sim_one_in(&s->random, 4);
  c->streams = PICK(s, 0, 3, 8);
  if (sim_one_in(&s->random, 6))
    want_renewals(s);
}
