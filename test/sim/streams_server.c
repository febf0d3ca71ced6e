/* The server's side of streams: it subscribes, tells, and forgets. Its keys are
 * small numbers that begin anew on every second connection, as many servers' do
 * on each. What it tells nobody has a key of the next connection's: so what a
 * client holds of it is somebody's there. */
#include "streams.h"

#include <stdio.h>

/* Those of a link, and those of the next one, have none in common. */
static uint32_t first_key(int link_number) {
  return link_number % 2 ? 1 : SIM_SUBS + 1;
}

static void subscribe(sim_link_t *link, sim_request_t *r) {
  sim_t *s = link->sim;
  sim_sub_t *sub = r->sub;
  if (sub->key_link == link->number)
    sim_fail(s, "stream %u is subscribed twice on link %d", sub->number,
             link->number);
  if (sub->no_renewal && sub->key_link)
    sim_fail(s, "stream %u mustn't be subscribed again", sub->number);
  if (r->renewal && link->last_order)
    sim_fail(s, "stream %u is subscribed again behind other messages",
             sub->number);
  if (r->renewal && sub->number < link->renewed)
    sim_fail(s, "stream %u is subscribed again behind stream %u", sub->number,
             link->renewed - 1);
  s->tally.renewed += (uint64_t)r->renewal;
  link->renewed = r->renewal ? sub->number + 1 : link->renewed;
  sub->key = first_key(link->number) + link->keys++;
  sub->key_link = link->number;
  sub->active = 1;
  sub->said = 0;
  r->nonce = sub->key; /* the answer says it */
}

static void unsubscribe(sim_link_t *link, const sim_request_t *r) {
  sim_t *s = link->sim;
  sim_sub_t *sub = r->sub;
  if (!sub->active || sub->key_link != link->number)
    sim_fail(s, "stream %u is unsubscribed, and wasn't subscribed here",
             sub->number);
  if (!sim_streams_let_go(s, sub))
    sim_fail(s, "stream %u is unsubscribed by nobody", sub->number);
  sub->active = 0;
}

/* What arrives behind the end of its connection changes nothing. */
void sim_streams_execute(sim_link_t *link, sim_request_t *r) {
  if (link != link->sim->link)
    return;
  if (r->role == SIM_SUBSCRIBES)
    subscribe(link, r);
  else if (r->role == SIM_UNSUBSCRIBES)
    unsubscribe(link, r);
  else
    r->sub->said = 0;
}

void sim_streams_canceled(sim_link_t *link, const sim_request_t *r) {
  if (r->role == SIM_SUBSCRIBES && r->sub->key_link == link->number)
    r->sub->active = 0;
}

void sim_streams_refused(const sim_request_t *r) {
  if (r->sub && r->role == SIM_SUBSCRIBES)
    r->sub->active = 0;
}

static void say(sim_link_t *link, const sim_message_t *message) {
  static char text[256];
  sim_t *s = link->sim;
  size_t len = message->what == SIM_TICK
                   ? sim_text_tick(link, message, text, sizeof(text))
                   : sim_text_part(message, text, sizeof(text));
  sim_trace(s, "server says %s", text);
  sim_wire_send(link, 0x81, text, len, message);
}

static void say_tick(sim_link_t *link, sim_sub_t *sub) {
  sim_message_t message = {SIM_TICK, 0, 0, NULL, 0, 0, NULL};
  message.sub = sub;
  message.id = sub->key;
  message.nonce = ++sub->said;
  say(link, &message);
}

/* To a request that isn't answered yet. */
static void say_part(sim_link_t *link, sim_sub_t *sub) {
  sim_message_t message = {SIM_PART, 0, 0, NULL, 0, 0, NULL};
  const sim_request_t *r = sub->last;
  for (size_t i = 0; r && i < link->todo_count; i++)
    if (link->todo[i].id == r->id) {
      message.sub = sub;
      message.id = r->id;
      message.nonce = ++sub->said;
      say(link, &message);
      return;
    }
}

/* With a key that nobody has on this link. */
static void say_nobodys(sim_link_t *link) {
  sim_message_t message = {SIM_TICK, 0, 0, NULL, 0, 0, NULL};
  message.id =
      first_key(link->number + 1) + sim_below(&link->sim->random, SIM_SUBS / 4);
  message.nonce = 1;
  say(link, &message);
}

void sim_streams_say(sim_link_t *link) {
  sim_t *s = link->sim;
  uint32_t times = 1 + sim_below(&s->random, 6);
  if (s->sub_count == 0)
    return;
  if (sim_one_in(&s->random, 12)) {
    say_nobodys(link);
    return;
  }
  for (uint32_t i = 0; i < times; i++) {
    sim_sub_t *sub = s->subs[sim_below(&s->random, s->sub_count)];
    if (sub->kind == SIM_SUBSCRIPTION && sub->active &&
        sub->key_link == link->number)
      say_tick(link, sub);
    else if (sub->kind == SIM_PARTS_OF && s->config.protocol == SIM_PARTS)
      say_part(link, sub);
  }
}
