/* The application's side of streams, and what the model expects of them: see
 * streams.h. */
#include "streams.h"

#include <stdio.h>

#define UNKNOWN UVOW_MISSED_UNKNOWN

static const char *const names[SIM_KINDS] = {"sub", "events", "part"};

/* ---- requests ---- */

void sim_streams_method(const sim_request_t *r, char ret[32]) {
  static const char *const verbs[] = {"work", "sub", "unsub", "part"};
  if (r->role == SIM_WORK)
    snprintf(ret, 32, "work");
  else
    snprintf(ret, 32, "%s%u", verbs[r->role], r->sub->number);
}

void sim_streams_name(sim_t *s) {
  static const char *const verbs[] = {"sub", "unsub", "part"};
  char name[32];
  for (unsigned i = 0; i < SIM_SUBS * 3; i++) {
    snprintf(name, sizeof(name), "%s%u", verbs[i % 3], i / 3);
    (void)uvow__intern(&s->client->names.methods, name);
  }
}

sim_request_t *sim_streams_own(sim_t *s, const char *method) {
  sim_role_t role = SIM_WORK;
  unsigned number = 0;
  if (sscanf(method, "sub%u", &number) == 1)
    role = SIM_SUBSCRIBES;
  else if (sscanf(method, "unsub%u", &number) == 1)
    role = SIM_UNSUBSCRIBES;
  else if (sscanf(method, "part%u", &number) == 1)
    role = SIM_ASKS_PARTS;
  if (role == SIM_WORK || number >= s->sub_count)
    return NULL;
  sim_request_t *r = sim_new_request(s);
  r->role = role;
  r->sub = s->subs[number];
  r->renewal = role == SIM_SUBSCRIBES && !s->subscribing;
  if (role == SIM_SUBSCRIBES && r->sub->last && !r->sub->last->settled)
    sim_fail(s, "stream %u is asked for twice", number);
  if (role != SIM_UNSUBSCRIBES)
    r->sub->last = r;
  return r;
}

void sim_streams_sent(sim_t *s, const sim_request_t *r) {
  if (r->role == SIM_SUBSCRIBES && r->sub->let_go_idle)
    sim_fail(s, "stream %u was let go of, and is asked for", r->sub->number);
}

void sim_streams_settled(sim_t *s, const sim_request_t *r) {
  sim_sub_t *sub = r->sub;
  if (r->role == SIM_UNSUBSCRIBES &&
      r->code) /* what never left is made again */
    sub->untold |= r->outcome != UVOW_NOT_SENT;
  if (r->role != SIM_SUBSCRIBES || r->code || s->answer->what != SIM_ANSWER)
    return;
  sub->on_link = r->sent_on;
  if (!sub->first_on)
    sub->first_on = r->sent_on;
}

int sim_streams_let_go(const sim_t *s, const sim_sub_t *sub) {
  return sub->let_go || sub->was_full || sub->overrun || s->closing ||
         s->loop_closing || s->alloc_failed;
}

int sim_streams_may_cancel(const sim_t *s, const sim_request_t *r) {
  return sim_streams_let_go(s, r->sub);
}

/* ---- what is read from the wire ---- */

static int is_live(const sim_sub_t *sub) {
  return !sub->let_go && !sub->ended;
}

/* It must become an item, or be counted. */
static void expect_item(sim_sub_t *sub, int link, uint64_t number) {
  sub->read_link = link;
  sub->read = number;
  if (sub->kind == SIM_SUBSCRIPTION && sub->sure_link != link)
    sub->held = number;
  if (++sub->waiting > sub->max_items)
    sub->was_full = 1;
}

/* Partial answers to one that isn't under way. */
static void read_part(sim_t *s, const sim_message_t *message) {
  const sim_request_t *r = sim_request_of(s, message->id);
  if (!r->settled && s->link && r->sent_on == s->link->number)
    expect_item(message->sub, 0, message->nonce);
  else if (!r->settled)
    sim_expect_stray(s, UVOW_STRAY_UNKNOWN);
  else if (r->outcome != UVOW_ANSWERED)
    sim_expect_stray(s, UVOW_STRAY_LATE);
}

/* A tick that may be of whoever waits for an answer is held, and may push out
 * others. */
static void hold(sim_t *s, const sim_sub_t *sub) {
  if (sub && is_live(sub) && !sub->was_full &&
      sub->sure_link == s->link->number)
    return;
  for (size_t i = 0; i < s->sub_count; i++)
    s->subs[i]->overrun |= s->subs[i]->kind == SIM_SUBSCRIPTION &&
                           s->subs[i]->sure_link != s->link->number;
}

void sim_streams_read(sim_t *s, const sim_message_t *message) {
  sim_sub_t *sub = message->sub;
  if (message->what == SIM_PART) {
    read_part(s, message);
    return;
  }
  if (message->what == SIM_TICK) {
    s->expect.events++;
    sim_expect_notice(s, 4, message->nonce);
    hold(s, sub);
    if (sub)
      expect_item(sub, s->link->number, message->nonce);
    return;
  }
  for (size_t i = 0; i < s->sub_count; i++)
    if (s->subs[i]->kind == SIM_EVENTS && is_live(s->subs[i]))
      expect_item(s->subs[i], 0, s->subs[i]->read + 1);
}

uvow_next_t sim_streams_told(sim_t *s, uvow_slice_t params) {
  char text[128] = "";
  const char *at;
  unsigned number = 0;
  if (params.bytes && params.len < sizeof(text))
    memcpy(text, params.bytes, params.len);
  at = strstr(text, "\"n\":");
  if (!at || sscanf(at, "\"n\":%u", &number) != 1)
    sim_fail(s, "a tick: %s", text);
  sim_took_notice(s, 4, number);
  return uvow_next_none();
}

/* What is held of an older link is nobody's in the end. */
int sim_streams_stray(sim_t *s, uvow_slice_t message) {
  char text[256] = "";
  unsigned number = 0;
  int link = 0;
  if (message.len < sizeof(text))
    memcpy(text, message.bytes, message.len);
  const char *at = strstr(text, "\"s\":");
  if (!strstr(text, "\"tick\"") || !at ||
      sscanf(at, "\"s\":%u,\"l\":%d", &number, &link) != 2)
    return 0;
  const sim_sub_t *sub = number < s->sub_count ? s->subs[number] : NULL;
  if (sub && is_live(sub) && !sub->was_full && sub->sure_link == link &&
      sub->sure_link == sub->read_link && s->state == UVOW_PEER_OPEN)
    sim_fail(s, "an event of stream %u is nobody's: %s", number, text);
  return 1;
}

/* ---- items ---- */

static void check_missed(sim_sub_t *sub, int link, uint64_t number) {
  sim_t *s = sub->sim;
  int again = sub->first_on && link > sub->first_on && link != sub->got_link;
  uint64_t missed = sub->gap;
  uint64_t before = link == sub->got_link ? sub->got : 0;
  if (again && missed != UNKNOWN)
    sim_fail(s, "stream %u: the first item of link %d tells no gap",
             sub->number, link);
  if (missed == UNKNOWN && !again && !s->alloc_failed &&
      (sub->full == UVOW_FULL_FAIL || !sub->overrun))
    sim_fail(s, "stream %u: a gap, and there is none", sub->number);
  if (missed != UNKNOWN && number != before + missed + 1)
    sim_fail(s, "stream %u: item %llu behind %llu, and %llu are missing",
             sub->number, (unsigned long long)number,
             (unsigned long long)before, (unsigned long long)missed);
  if (missed && missed != UNKNOWN && !s->alloc_failed &&
      (sub->full == UVOW_FULL_FAIL || !sub->was_full))
    sim_fail(s, "stream %u: %llu are missing, and it wasn't full", sub->number,
             (unsigned long long)missed);
  sub->waiting -= missed == UNKNOWN || missed > sub->waiting ? 0 : missed;
}

/* A partial answer says what it is, a tick also whose, and of which link. */
static uint64_t parse(sim_sub_t *sub, const uvow_result_t *item,
                      int *ret_link) {
  uvow_slice_t got = uvow_result_bytes(item);
  char text[128] = "";
  unsigned long long number = 0;
  unsigned whose = sub->number;
  if (got.bytes && got.len < sizeof(text))
    memcpy(text, got.bytes, got.len);
  const char *at = strstr(text, "\"n\":");
  const char *owner = strstr(text, "\"s\":");
  const char *link = strstr(text, "\"l\":");
  *ret_link = 0;
  if (owner && link)
    (void)(sscanf(owner, "\"s\":%u", &whose) +
           sscanf(link, "\"l\":%d", ret_link));
  if (!at || sscanf(at, "\"n\":%llu", &number) != 1 || whose != sub->number ||
      (sub->kind == SIM_SUBSCRIPTION && !*ret_link))
    sim_fail(sub->sim, "stream %u has the item %s", sub->number, text);
  return number;
}

/* Events by name are counted from the first that was read for it. */
static uint64_t count_event(sim_sub_t *sub, uint64_t number) {
  const sim_t *s = sub->sim;
  uint64_t count = 0;
  for (size_t l = 0; l < s->link_count; l++) {
    const sim_link_t *link = s->links[l];
    for (size_t i = 0; i < link->message_read; i++)
      if (link->messages[i].what == SIM_EVENT &&
          link->messages[i].nonce > sub->key &&
          link->messages[i].nonce <= number)
        count++;
  }
  return count;
}

static void take_item(sim_sub_t *sub, const uvow_result_t *item) {
  sim_t *s = sub->sim;
  int link;
  uint64_t missed = uvow_result_missed(item);
  sub->gap =
      missed == UNKNOWN || sub->gap == UNKNOWN ? UNKNOWN : sub->gap + missed;
  if (missed && uvow_result_bytes(item).bytes == NULL) {
    if (!sub->tell_gaps)
      sim_fail(s, "stream %u: an item without a value", sub->number);
    return;
  }
  uint64_t number = parse(sub, item, &link);
  sim_trace(s, "stream %u: item %llu of link %d", sub->number,
            (unsigned long long)number, link);
  if (sub->kind == SIM_EVENTS)
    number = count_event(sub, number);
  if (link < sub->got_link || (link == sub->got_link && number <= sub->got) ||
      link > sub->read_link || (link == sub->read_link && number > sub->read))
    sim_fail(s, "stream %u: item %llu of link %d behind %llu of %d",
             sub->number, (unsigned long long)number, link,
             (unsigned long long)sub->got, sub->got_link);
  check_missed(sub, link, number);
  s->tally.items++;
  s->tally.gaps += sub->gap != 0;
  sub->gap = 0;
  sub->got_link = link;
  sub->got = number;
  sub->waiting -= sub->waiting > 0;
}

/* Why it may have ended so. */
static int is_a_reason(const sim_sub_t *sub, int code) {
  const sim_t *s = sub->sim;
  const sim_request_t *last = sub->last;
  if (s->closing || s->loop_closing || s->state == UVOW_PEER_CLOSED ||
      (s->alloc_failed && code == UVOW_ENOMEM))
    return 1;
  if (code == UVOW_EOVERLOAD && sub->full == UVOW_FULL_FAIL &&
      (sub->was_full || sub->overrun))
    return 1;
  if (sub->kind == SIM_EVENTS)
    return 0;
  if (!last) /* it was refused */
    return code == UVOW_EOVERLOAD;
  if (last->settled && last->code == code)
    return code || sub->kind == SIM_PARTS_OF;
  return (code == UVOW_ETYPE && last->settled) ||
         (code == UVOW_EOVERLOAD && (!last->sent || last->settled)) ||
         (sub->no_renewal &&
          (s->state != UVOW_PEER_OPEN || s->link->number > sub->on_link));
}

static void end(sim_sub_t *sub, const uvow_error_t *error) {
  sim_t *s = sub->sim;
  int code = uvow_error_code(error);
  sim_trace(s, "stream %u ends: %s", sub->number,
            code ? uvow_err_name(code) : "in order");
  if (sub->let_go || (code && sub->ended)) /* each next says so */
    return;
  if (!sub->ended && !is_a_reason(sub, code))
    sim_fail(s, "stream %u ends for no reason: %s", sub->number,
             code ? uvow_err_name(code) : "in order");
  sub->ended = 1;
  if (sub->kind == SIM_PARTS_OF && code == 0 && !s->closing &&
      !s->loop_closing && sub->full == UVOW_FULL_FAIL && sub->got != sub->read)
    sim_fail(s, "stream %u ends at part %llu of %llu", sub->number,
             (unsigned long long)sub->got, (unsigned long long)sub->read);
}

static void on_next(const uvow_result_t *result, void *data) {
  sim_sub_t *sub = (sim_sub_t *)data;
  sub->nexts--;
  if (result->error || uvow_result_is_end(result))
    end(sub, result->error);
  else if (sub->ended)
    sim_fail(sub->sim, "stream %u: an item behind the end", sub->number);
  else
    take_item(sub, result);
  sim_user_act(sub->sim);
}

static uvow_next_t on_item(const uvow_result_t *item, void *data) {
  sim_sub_t *sub = (sim_sub_t *)data;
  sim_t *s = sub->sim;
  if (!is_live(sub) || sub->busy)
    sim_fail(s, "stream %u: an item, let go %d, ended %d, busy %d", sub->number,
             sub->let_go, sub->ended, sub->busy != NULL);
  take_item(sub, item);
  sim_user_act(s);
  if (sub->reader != SIM_READS_SLOWLY || s->calm || s->loop_closing)
    return uvow_next_none();
  return uvow_next_future(uvow_promise_new(s->loop, &sub->busy));
}

static void on_end(const uvow_result_t *result, void *data) {
  sim_sub_t *sub = (sim_sub_t *)data;
  if (sub->ended)
    sim_fail(sub->sim, "stream %u ends twice", sub->number);
  end(sub, result->error);
  sub->ended = 1;
  sim_user_act(sub->sim);
}

/* ---- what the application does ---- */

static void bound(sim_sub_t *sub, uvow_stream_options_t *ret) {
  static const uvow_full_t policies[] = {
      UVOW_FULL_DEFAULT, UVOW_FULL_DROP_OLDEST, UVOW_FULL_DROP_NEWEST,
      UVOW_FULL_LATEST};
  static const size_t most[] = {1, 2, 8, 0};
  sim_random_t *random = &sub->sim->random;
  memset(ret, 0, sizeof(*ret));
  ret->size = sizeof(*ret);
  ret->full = policies[sim_below(random, 4)];
  ret->max_items = most[sim_below(random, 4)];
  ret->tell_gaps = (int)sim_below(random, 2);
  sub->full = ret->full ? ret->full : UVOW_FULL_FAIL;
  sub->max_items = ret->full == UVOW_FULL_LATEST ? 1
                   : ret->max_items              ? ret->max_items
                                                 : 1024;
  sub->tell_gaps = ret->tell_gaps;
}

static uvow_stream_t *subscribe(sim_sub_t *sub,
                                const uvow_stream_options_t *bounds) {
  sim_t *s = sub->sim;
  uvow_subscription_options_t options;
  char method[32], unsubscribe[32], params[32];
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  options.event = "tick";
  options.key = "/k";
  options.answer_key = "/n";
  options.unsubscribe = unsubscribe;
  options.unsubscribe_params = "{\"k\":$key}";
  options.no_renewal = sub->no_renewal = sim_one_in(&s->random, 5);
  options.stream = bounds;
  snprintf(method, sizeof(method), "sub%u", sub->number);
  snprintf(unsubscribe, sizeof(unsubscribe), "unsub%u", sub->number);
  snprintf(params, sizeof(params), "{\"s\":%u}", sub->number);
  return uvow_peer_subscribe(s->client, method, uvow_value_raw(params),
                             &options);
}

static uvow_stream_t *ask(sim_sub_t *sub) {
  char method[32], params[32];
  sub->full = UVOW_FULL_FAIL;
  sub->max_items = 1024;
  sub->tell_gaps = 0;
  snprintf(method, sizeof(method), "part%u", sub->number);
  snprintf(params, sizeof(params), "{\"s\":%u}", sub->number);
  return uvow_peer_request_stream(sub->sim->client, method,
                                  uvow_value_raw(params));
}

static uvow_stream_t *stream_of(sim_sub_t *sub) {
  uvow_stream_options_t bounds;
  sim_t *s = sub->sim;
  bound(sub, &bounds);
  if (sub->kind == SIM_SUBSCRIPTION)
    return subscribe(sub, &bounds);
  if (sub->kind == SIM_PARTS_OF)
    return ask(sub);
  sub->key = s->told_events; /* those that were read are none of it */
  for (size_t l = 0; l < s->link_count; l++)
    for (size_t i = 0; i < s->links[l]->message_read; i++)
      if (s->links[l]->messages[i].what == SIM_EVENT)
        sub->key = s->links[l]->messages[i].nonce;
  return uvow_peer_events_with(s->client, "ev", &bounds);
}

/* There is no memory for it: nobody reads it, and nobody is told of its end. */
static void without_memory(sim_sub_t *sub, const char *what) {
  sim_t *s = sub->sim;
  uvow_stream_t *stream = sub->stream;
  uvow_future_t *each = sub->each;
  if (!s->alloc_failed)
    sim_fail(s, "%s", what);
  sim_trace(s, "stream %u: %s", sub->number, what);
  sub->let_go = sub->ended = 1;
  sub->stream = NULL;
  sub->each = NULL;
  if (each)
    uvow_future_cancel(each);
  uvow_future_unref(each);
  uvow_stream_unref(stream);
}

static void read_each(sim_sub_t *sub, uvow_stream_t *stream) {
  sub->each = uvow_stream_each(stream, on_item, sub);
  if (uvow_future_done(uvow_future_ref(sub->each), on_end, sub))
    without_memory(sub, "no each");
}

static void make(sim_t *s) {
  if (!s->client || s->sub_count == SIM_SUBS)
    return;
  sim_adopt(s);
  sim_sub_t *sub = (sim_sub_t *)calloc(1, sizeof(*sub));
  s->subs =
      (sim_sub_t **)realloc(s->subs, (s->sub_count + 1) * sizeof(sim_sub_t *));
  sub->sim = s;
  sub->number = (uint32_t)s->sub_count;
  s->subs[s->sub_count++] = sub;
  sub->kind = s->config.renewals && !sim_one_in(&s->random, 4)
                  ? SIM_SUBSCRIPTION
                  : (sim_kind_t)sim_below(&s->random, SIM_KINDS);
  sub->reader = (sim_reader_t)sim_below(&s->random, 3);
  s->tally.streams++;
  s->subscribing = 1;
  uvow_stream_t *stream = stream_of(sub);
  sim_adopt(s);
  s->subscribing = 0;
  sim_trace(s, "stream %u: %s, reader %d, policy %d, %zu items, gaps %d",
            sub->number, names[sub->kind], (int)sub->reader, (int)sub->full,
            sub->max_items, sub->tell_gaps);
  if (!stream)
    without_memory(sub, "no stream");
  else if (sub->reader == SIM_READS_NEXT)
    sub->stream = stream;
  else
    read_each(sub, stream);
}

static void read_on(sim_sub_t *sub) {
  if (sub->busy) {
    uvow_promise_t *busy = sub->busy;
    sub->busy = NULL;
    uvow_promise_fulfill(busy, uvow_value_none());
  } else if (sub->stream && sub->nexts < 3) {
    uvow_future_t *next = uvow_stream_next(sub->stream);
    sub->nexts++;
    if (uvow_future_done(uvow_future_ref(next), on_next, sub)) {
      if (next)
        uvow_future_cancel(next);
      sub->nexts--;
      without_memory(sub, "no next");
    }
    uvow_future_unref(next);
  }
}

static void on_closed(const uvow_result_t *result, void *data) {
  (void)result;
  ((sim_sub_t *)data)->closes--;
}

static void let_go(sim_sub_t *sub) {
  sim_t *s = sub->sim;
  uvow_stream_t *stream = sub->stream;
  if (sub->let_go || (!stream && !sub->each) || (sub->each && sub->ended))
    return;
  sim_adopt(s);
  sim_trace(s, "stream %u is let go of", sub->number);
  sub->let_go = 1;
  sub->stream = NULL;
  if (sub->each) {
    uvow_future_cancel(sub->each);
  } else if (sub->nexts == 0 && sim_one_in(&s->random, 2)) {
    uvow_stream_unref(stream);
  } else {
    sub->closes++;
    if (uvow_future_done(uvow_stream_close(stream), on_closed, sub)) {
      sub->closes--;
      without_memory(sub, "no close");
    }
  }
}

void sim_streams_act(sim_t *s) {
  uint32_t dice = sim_below(&s->random, 20);
  sim_sub_t *sub =
      s->sub_count ? s->subs[sim_below(&s->random, s->sub_count)] : NULL;
  if (dice < 6 || !sub)
    make(s);
  else if (dice < 18)
    read_on(sub);
  else
    let_go(sub);
}

void sim_streams_read_all(sim_t *s) {
  for (size_t i = 0; i < s->sub_count; i++)
    read_on(s->subs[i]);
}

void sim_streams_release(sim_t *s) {
  for (size_t i = 0; i < s->sub_count; i++) {
    sim_sub_t *sub = s->subs[i];
    uvow_stream_unref(sub->stream);
    uvow_future_unref(sub->each);
    uvow_promise_drop(sub->busy);
    sub->stream = NULL;
    sub->each = NULL;
    sub->busy = NULL;
  }
}

void sim_streams_done(sim_t *s) {
  for (size_t i = 0; i < s->sub_count; i++)
    free(s->subs[i]);
  free(s->subs);
}

/* ---- what must be true ---- */

static int waits(const sim_sub_t *sub) {
  return sub->reader == SIM_READS_NEXT ? sub->nexts > 0 : !sub->busy;
}

static void check_awake(const sim_sub_t *sub) {
  if (!is_live(sub) || !waits(sub) || sub->full == UVOW_FULL_DROP_NEWEST ||
      sub->sim->alloc_failed) /* the next item says what is missing */
    return;
  if (sub->kind == SIM_SUBSCRIPTION && sub->on_link != sub->read_link)
    return; /* what was held is given when the answer comes */
  if (sub->held && sub->held == sub->read &&
      (sub->full != UVOW_FULL_FAIL || sub->sim->state != UVOW_PEER_OPEN ||
       sub->sim->link->number != sub->read_link))
    return; /* it may have been pushed out, or lost with its connection */
  if (sub->got != sub->read || sub->got_link != sub->read_link)
    sim_fail(sub->sim,
             "stream %u: its reader waits at %llu of link %d, and "
             "%llu of link %d was read",
             sub->number, (unsigned long long)sub->got, sub->got_link,
             (unsigned long long)sub->read, sub->read_link);
}

void sim_streams_check(sim_t *s) {
  if (s->closing || s->loop_closing || s->state == UVOW_PEER_CLOSED)
    return;
  for (size_t i = 0; i < s->sub_count; i++) {
    sim_sub_t *sub = s->subs[i];
    sub->sure_link = sub->on_link;
    sub->let_go_idle |= sub->let_go && s->state != UVOW_PEER_OPEN &&
                        sub->last && sub->last->settled;
    check_awake(sub);
  }
}

void sim_streams_check_said(sim_t *s, const sim_link_t *link) {
  if (s->live || s->closing)
    return;
  for (size_t i = 0; i < s->sub_count; i++) {
    const sim_sub_t *sub = s->subs[i];
    const sim_request_t *last = sub->last;
    if (sub->kind != SIM_SUBSCRIPTION)
      continue;
    if (sub->let_go && sub->active && sub->key_link == link->number &&
        last->outcome == UVOW_ANSWERED && !sub->untold && !s->alloc_failed)
      sim_fail(s, "the server wasn't told that stream %u is let go of",
               sub->number);
    if (is_live(sub) && !sub->no_renewal && !sub->was_full && last &&
        last->code == 0 && sub->on_link == last->sent_on &&
        sub->key_link != link->number)
      sim_fail(s, "stream %u isn't subscribed again", sub->number);
  }
}

void sim_streams_check_end(sim_t *s) {
  for (size_t i = 0; i < s->sub_count; i++) {
    const sim_sub_t *sub = s->subs[i];
    if (sub->nexts || sub->closes)
      sim_fail(s, "stream %u: %d nexts, %d closes pend", sub->number,
               sub->nexts, sub->closes);
    if (sub->reader != SIM_READS_NEXT && !sub->ended)
      sim_fail(s, "stream %u never ended", sub->number);
  }
}
