/*
 * The model server: a client's opposite that breaks every promise a server
 * makes, and remembers what it has executed.
 */
#include "streams.h"

#include <stdio.h>

static void todo_add(sim_link_t *link, const sim_request_t *r) {
  if (link->todo_count == link->todo_cap) {
    link->todo_cap = link->todo_cap ? link->todo_cap * 2 : 32;
    link->todo =
        (sim_todo_t *)realloc(link->todo, link->todo_cap * sizeof(*link->todo));
  }
  link->todo[link->todo_count].id = r->id;
  link->todo[link->todo_count++].nonce = r->nonce;
}

static sim_todo_t todo_take(sim_link_t *link, size_t at) {
  sim_todo_t taken = link->todo[at];
  link->todo_count--;
  memmove(&link->todo[at], &link->todo[at + 1],
          (link->todo_count - at) * sizeof(*link->todo));
  return taken;
}

static void check_order(sim_link_t *link, uint32_t order) {
  if (order <= link->last_order)
    sim_fail(link->sim, "message %u came after message %u", order,
             link->last_order);
  link->last_order = order;
}

/* R2: what the server does, and may do once. */
static void execute(sim_link_t *link, sim_request_t *r) {
  sim_t *s = link->sim;
  sim_trace(s, "server executes %u (id %llu)", r->nonce,
            (unsigned long long)r->id);
  if (r->settled && r->outcome == UVOW_NOT_SENT)
    sim_fail(s, "request %u was NOT_SENT, and is executed", r->nonce);
  if (r->executed && !r->idempotent)
    sim_fail(s, "request %u is executed twice", r->nonce);
  if (r->executed && r->executed_on == link->number)
    sim_fail(s, "request %u is executed twice on one connection", r->nonce);
  if (r->executed && !s->config.reconnect)
    sim_fail(s, "request %u is executed again without a reconnect", r->nonce);
  if (!r->sent)
    sim_fail(s, "request %u is executed, the hook said nothing", r->nonce);
  if (r->sub)
    sim_streams_execute(link, r);
  if (!r->renewal)
    check_order(link, r->order);
  r->executed++;
  r->executed_on = link->number;
  todo_add(link, r);
}

static void take_note(sim_link_t *link, const char *text) {
  sim_t *s = link->sim;
  unsigned number = 0;
  const char *at = strstr(text, "\"n\":");
  if (!at || sscanf(at, "\"n\":%u", &number) != 1 || number >= s->notes)
    sim_fail(s, "a notification that nobody made: %s", text);
  if (s->note_seen[number]++)
    sim_fail(s, "notification %u came twice", number);
  check_order(link, s->note_order[number]);
}

static void take_cancel(sim_link_t *link, const char *text) {
  sim_t *s = link->sim;
  unsigned long long id = 0;
  char expected[128];
  int parts = s->config.protocol == SIM_PARTS;
  const char *at = strstr(text, parts ? "\"cancel\":" : "\"id\":");
  if (at)
    sscanf(strchr(at, ':'), ":%llu", &id);
  snprintf(expected, sizeof(expected),
           parts ? "{\"cancel\":%llu}"
                 : "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\","
                   "\"params\":{\"id\":%llu}}",
           id);
  sim_request_t *r = sim_request_of(s, id);
  if (strcmp(text, expected) || !s->config.send_cancel || !r || !r->settled ||
      r->outcome == UVOW_ANSWERED || r->sent_on != link->number)
    sim_fail(s, "a cancel that must not be: %s", text);
  r->cancel_on = 0;
  if (r->sub)
    sim_streams_canceled(link, r);
  for (size_t i = 0; i < link->todo_count; i++)
    if (link->todo[i].id == id && !sim_one_in(&s->random, 4)) {
      todo_take(link, i);
      return;
    }
}

static void take_text(sim_link_t *link, const char *text, size_t len) {
  sim_t *s = link->sim;
  unsigned long long id = 0;
  static char expected[SIM_TEXT_MAX];
  const char *at =
      strstr(text, s->config.protocol == SIM_CALLBACK_ID ? "\"callback_id\":"
                                                         : "\"id\":");
  if (strstr(text, "$/cancelRequest") || strstr(text, "{\"cancel\":")) {
    take_cancel(link, text);
    return;
  }
  if (strstr(text, "\"note\"")) {
    take_note(link, text);
    return;
  }
  if (strstr(text, "\"code\":-32") || strstr(text, "{\"result\":false"))
    return; /* to the server's own call */
  if (at)
    sscanf(strchr(at, ':'), ":%llu", &id);
  sim_request_t *r = sim_request_of(s, id);
  if (!r || sim_text_call(s, r, expected, sizeof(expected)) != len ||
      strcmp(text, expected))
    sim_fail(s, "the server can't read this: %.200s", text);
  execute(link, r);
}

/* The server says goodbye, and no more. */
static void say_close(sim_link_t *link, int code) {
  uint8_t bytes[2] = {(uint8_t)(code >> 8), (uint8_t)code};
  sim_wire_send(link, 0x88, bytes, code ? 2 : 0, NULL);
  if (link->down_open && !link->poison && !link->farewell)
    link->farewell = link->down.len;
  sim_trace(link->sim, "link %d: server says close %d", link->number, code);
}

static void take_frame(sim_link_t *link, const sim_frame_t *frame) {
  sim_t *s = link->sim;
  char *text;
  switch (frame->first & 0x0F) {
  case 1:
    text = (char *)malloc(frame->len + 1);
    memcpy(text, frame->data, frame->len);
    text[frame->len] = '\0';
    take_text(link, text, frame->len);
    free(text);
    break;
  case 8:
    link->up_open = 0; /* nothing may follow */
    if (!link->farewell && (s->calm || !sim_one_in(&s->random, 4)))
      say_close(link, 1000);
    break;
  case 9:
    if (s->calm || !sim_one_in(&s->random, 4))
      sim_wire_send(link, 0x8A, frame->data, frame->len, NULL);
    break;
  default:
    break;
  }
}

static void take_handshake(sim_link_t *link) {
  static const char refusal[] =
      "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
  static const char garbage[] = "SSH-2.0-OpenSSH_9.2\r\nHTTP/1.1 101\r\n\r\n";
  sim_bytes_t answer = {NULL, 0, 0, 0};
  int rc =
      sim_handshake_take(&link->rx, &answer, link->plan == SIM_PLAN_BAD_ACCEPT);
  if (rc < 0)
    sim_fail(link->sim, "a handshake that no server accepts");
  if (rc > 0) {
    link->shaken = 1;
    if (link->plan == SIM_PLAN_REFUSE)
      sim_bytes_add(&link->down, refusal, sizeof(refusal) - 1);
    else if (link->plan == SIM_PLAN_GARBAGE)
      sim_bytes_add(&link->down, garbage, sizeof(garbage) - 1);
    else
      sim_bytes_add(&link->down, answer.data, answer.len);
    if (link->plan != SIM_PLAN_GOOD)
      link->poison = link->down.len;
  }
  sim_bytes_done(&answer);
}

void sim_server_read(sim_link_t *link) {
  sim_frame_t frame;
  const char *why = NULL;
  int rc = 1;
  if (!link->shaken)
    take_handshake(link);
  while (link->shaken && link->up_open && rc > 0) {
    rc = sim_frame_take(&link->rx, &frame, &why);
    if (rc < 0)
      sim_fail(link->sim, "the client breaks RFC 6455: %s", why);
    if (rc > 0)
      take_frame(link, &frame);
  }
}

static void say(sim_link_t *link, const sim_message_t *message) {
  static char text[SIM_TEXT_MAX];
  sim_t *s = link->sim;
  size_t room = s->config.max_message - 250;
  size_t pad = 0;
  size_t len;
  if (sim_one_in(&s->random, s->config.big))
    pad = sim_below(&s->random, room < 70000 ? room : 70000);
  else if (sim_one_in(&s->random, 8))
    pad = sim_below(&s->random, room < 200 ? room : 200);
  if (message->what == SIM_EVENT)
    len = sim_text_event(s, message->nonce, text, sizeof(text));
  else if (message->what == SIM_CALL)
    len = sim_text_ask(s, text, sizeof(text));
  else
    len = sim_text_answer(s, message, pad, text, sizeof(text));
  sim_trace(s, "server says %.100s", text);
  sim_wire_send(link, 0x81, text, len, message);
}

static void answer(sim_link_t *link, size_t at) {
  sim_t *s = link->sim;
  sim_message_t message = {SIM_ANSWER, 0, 0, NULL, 0, 0, NULL};
  sim_todo_t todo = todo_take(link, at);
  message.id = todo.id;
  message.nonce = todo.nonce;
  if (!s->calm && sim_one_in(&s->random, 6))
    message.what = (sim_what_t)sim_below(&s->random, SIM_ANSWER_BAD + 1);
  if (message.what == SIM_ANSWER_BAD && s->config.protocol == SIM_PARTS)
    message.what = SIM_ANSWER_ERROR; /* it would name no request */
  if (message.what != SIM_ANSWER)
    sim_streams_refused(sim_request_of(s, message.id));
  say(link, &message);
}

void sim_server_answer(sim_link_t *link, const sim_request_t *r) {
  todo_add(link, r);
  answer(link, link->todo_count - 1);
}

void sim_server_answer_all(sim_link_t *link) {
  while (link->todo_count)
    answer(link, 0);
}

/* Something that no request waits for. */
static void say_stray(sim_link_t *link) {
  sim_t *s = link->sim;
  sim_message_t message = {SIM_ANSWER, 0, 0, NULL, 0, 0, NULL};
  const sim_request_t *of;
  const char *text;
  switch (sim_below(&s->random, 4)) {
  case 0: /* of any request there ever was: late, duplicate, too early */
    if (s->last_id == 0)
      return;
    message.id = 1 + sim_below(&s->random, s->last_id);
    of = s->by_id[message.id];
    message.nonce = of ? of->nonce : UINT32_MAX;
    if (of && of->sub && !of->settled)
      return; /* it would be believed */
    say(link, &message);
    break;
  case 1:
    message.id = s->last_id + 5000 + sim_below(&s->random, 1000);
    say(link, &message);
    break;
  case 2:
    text = sim_text_stray(s);
    message.what = SIM_STRAY;
    sim_wire_send(link, 0x81, text, strlen(text), &message);
    break;
  default:
    message.what = SIM_STRAY;
    sim_wire_send(link, 0x82, "\xFF\0binary", 8, &message);
    break;
  }
}

/* Breaks a rule: the client must end the connection. */
static void violate(sim_link_t *link) {
  sim_t *s = link->sim;
  static const uint8_t long_frame[] = {0x81, 127, 0, 0, 0, 0, 0, 0, 0, 1, 'x'};
  /* With as much of it as is read to see whose it is. */
  static const uint8_t too_big[10 + 512] = {0x82, 127, 0, 0, 1};
  static const uint8_t garbage[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
  uint32_t which = sim_below(&s->random, 9);
  sim_trace(s, "server breaks rule %u", which);
  if (!link->down_open || link->poison || link->farewell)
    return;
  if (which == 0)
    sim_frame_put(&link->down, 0x81, "{}", 2, 1);
  else if (which == 1)
    sim_frame_put(&link->down, 0x83, "{}", 2, 0);
  else if (which == 2)
    sim_frame_put(&link->down, 0xC1, "{}", 2, 0);
  else if (which == 3)
    sim_frame_put(&link->down, 0x09, "ping", 4, 0);
  else if (which == 4)
    sim_frame_put(&link->down, 0x81, "{\xC0\xAF}", 4, 0);
  else if (which == 5)
    sim_frame_put(&link->down, 0x88, "\x03\xED", 2, 0);
  else if (which == 6)
    sim_bytes_add(&link->down, too_big, sizeof(too_big));
  else if (which == 7)
    sim_bytes_add(&link->down, long_frame, sizeof(long_frame));
  else
    sim_bytes_add(&link->down, garbage, sizeof(garbage) - 1);
  link->poison = link->down.len;
}

static void say_event(sim_link_t *link) {
  sim_message_t message = {SIM_EVENT, 0, 0, NULL, 0, 0, NULL};
  message.nonce = ++link->sim->events;
  say(link, &message);
}

static void say_call(sim_link_t *link) {
  sim_message_t message = {SIM_CALL, 0, 0, NULL, 0, 0, NULL};
  say(link, &message);
}

void sim_server_restart(sim_t *s) {
  sim_trace(s, "the server restarts");
  for (size_t i = 0; i < s->link_count; i++) {
    sim_wire_cut(s->links[i]);
    s->links[i]->todo_count = 0;
  }
}

static void act_badly(sim_link_t *link) {
  static const int codes[] = {0, 1000, 1001, 1011, 1012, 4000};
  sim_t *s = link->sim;
  uint32_t dice = sim_below(&s->random, 12);
  if (dice < 5)
    say_stray(link);
  else if (dice == 7 && link->todo_count)
    todo_take(link, sim_below(&s->random, link->todo_count)); /* no answer */
  else if (dice == 8)
    say_close(link, codes[sim_below(&s->random, 6)]);
  else if (dice == 9)
    violate(link);
}

void sim_server_act(sim_t *s) {
  sim_link_t *link = s->link;
  if (!sim_wire_alive(link) || !link->shaken || !link->down_open)
    return;
  if (sim_one_in(&s->random, s->config.streams))
    sim_streams_say(link);
  uint32_t dice = sim_below(&s->random, 20);
  if (dice < 8 && link->todo_count)
    answer(link, 0);
  else if (dice < 13 && link->todo_count)
    answer(link, sim_below(&s->random, link->todo_count));
  else if (dice < 15)
    say_event(link);
  else if (dice == 15)
    say_call(link);
  else if (dice == 16)
    sim_wire_send(link, 0x89, "hello", 5, NULL);
  else if (s->config.faults && !s->calm)
    act_badly(link);
}
