/*
 * The load: slots, each with one request in flight.
 *
 *   load_start -> send_next -> on_answer -> go_on -> send_next ...
 *                            |            `---> retire (time is up, or the
 *                            v                  connection is gone)
 *                      judge: counted, failed, or not in the counted time
 *
 * 1. An answer's time is taken once: it ends one request and starts the next,
 *    which is sent in the same continuation. So nothing that the loop or this
 *    program does falls between two latencies.
 * 2. With --rate a request's latency begins when it should have started; it
 *    counts if that was in the counted time. So does it with --requests. Else
 *    an answer counts if it came in the counted time.
 * 3. Byte payloads: nothing is allocated per request here.
 */
#include "load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1e9

static void on_answer(const uvow_result_t *result, void *data);
static void advance(load_t *load, uint64_t now);

static double cpu_seconds(void) {
  uv_rusage_t usage;
  if (uv_getrusage(&usage))
    return 0;
  return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
         (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
}

int load_init(load_t *load, const args_t *args, measure_t *measure,
              uvow_peer_t *const *clients, load_end_cb on_end, void *data) {
  memset(load, 0, sizeof(*load));
  load->args = args;
  load->measure = measure;
  load->on_end = on_end;
  load->data = data;
  load->left = args->requests ? args->requests : UINT64_MAX;
  load->params_len = args->params ? strlen(args->params) : 0;
  load->next = (load_text_t){sizeof("{\"x\":1}") - 1, "{\"x\":1}"};
  load->slots =
      (load_slot_t *)calloc((size_t)args->inflight, sizeof(*load->slots));
  if (args->params)
    load->params = json_loads(args->params, JSON_DECODE_ANY, NULL);
  if (!load->slots || (args->params && !load->params))
    return UVOW_ENOMEM;
  for (uint64_t i = 0; i < args->inflight; i++) {
    load->slots[i].load = load;
    load->slots[i].client = clients[i % args->connections];
  }
  return 0;
}

void load_done(load_t *load) {
  json_decref(load->params);
  free(load->slots);
}

/* The text of the next number: its last digit counts on, or those before it. It
 * is read, whole, when the next request begins: by then it has been written. */
static void count_on(load_text_t *next) {
  char *at = next->text + next->len - 2;
  for (; *at == '9'; at--)
    *at = '0';
  if (*at != ':') {
    ++*at;
    return;
  }
  memmove(at + 2, at + 1, (size_t)(next->text + next->len - (at + 1)));
  at[1] = '1';
  next->len++;
}

static void write_own_params(load_slot_t *slot) {
  slot->own = slot->load->next;
  count_on(&slot->load->next);
}

static uvow_future_t *request(load_slot_t *slot) {
  const load_t *load = slot->load;
  const args_t *args = load->args;
  if (args->verify)
    write_own_params(slot);
  if (args->verify && args->json_values)
    return uvow_peer_request(
        slot->client, args->method,
        uvow_value_json(json_pack("{s:I}", "x", (json_int_t)slot->number)));
  if (args->verify)
    return uvow_peer_request(
        slot->client, args->method,
        uvow_value_slice(&(uvow_slice_t){slot->own.text, slot->own.len}));
  if (args->lines)
    return uvow_peer_request(
        slot->client, args->method,
        uvow_value_slice(&args->lines[slot->number % args->line_count]));
  if (args->json_values) /* built anew, as a program would */
    return uvow_peer_request(slot->client, args->method,
                             uvow_value_json(json_deep_copy(load->params)));
  return uvow_peer_request(
      slot->client, args->method,
      uvow_value_slice(&(uvow_slice_t){args->params, load->params_len}));
}

/* Ends the run when nothing is in flight that could go on. */
static void end_if_idle(load_t *load) {
  if (load->outstanding || load->phase == LOAD_ENDED)
    return;
  if (load->phase != LOAD_DRAINS && load->alive && load->left)
    return;
  uint64_t now = uv_hrtime();
  if (load->phase != LOAD_DRAINS)
    load_stop(load, now);
  load->phase = LOAD_ENDED;
  load->on_end(load, load->data);
}

static void send_next(load_slot_t *slot, uint64_t start) {
  load_t *load = slot->load;
  slot->start = start;
  slot->number = ++load->numbers;
  if (load->args->requests && start >= load->begin)
    load->left--;
  load->outstanding++;
  int rc = uvow_future_done(request(slot), on_answer, slot);
  if (rc == 0)
    return;
  measure_fail(load->measure, rc, 0, uvow_strerror(rc));
  load->outstanding--;
  load->alive--;
}

/* Those who wait are used in turn, so that all connections are. */
static void put_free(load_slot_t *slot) {
  load_t *load = slot->load;
  slot->next_free = NULL;
  if (load->free_head)
    load->free_tail->next_free = slot;
  else
    load->free_head = slot;
  load->free_tail = slot;
}

static void send_due(load_t *load, uint64_t now) {
  uint64_t start;
  while (load->free_head && load->left && load->phase < LOAD_DRAINS &&
         pace_take(&load->pace, now, &start)) {
    load_slot_t *slot = load->free_head;
    load->free_head = slot->next_free;
    if (start < load->end)
      send_next(slot, start);
    else
      put_free(slot);
  }
}

static void go_on(load_slot_t *slot, uint64_t now) {
  load_t *load = slot->load;
  if (load->args->rate > 0) {
    put_free(slot);
    send_due(load, now);
  } else if (load->phase < LOAD_DRAINS && load->left) {
    send_next(slot, now);
  }
}

/* The answer to --verify's params; else text says what's wrong. */
static int differs(const load_slot_t *slot, const uvow_result_t *result,
                   char *text, size_t size) {
  uvow_slice_t got = uvow_result_bytes(result);
  if (got.bytes && !slot->load->args->json_values && got.len == slot->own.len &&
      memcmp(got.bytes, slot->own.text, got.len) == 0)
    return 0;
  /* Spelled in another way, maybe. */
  json_t *json = uvow_result_json(result);
  json_t *x = json_object_get(json, "x");
  if (json_object_size(json) == 1 && json_is_integer(x) &&
      (uint64_t)json_integer_value(x) == slot->number)
    return 0;
  snprintf(text, size, "sent %.*s, got %.*s", (int)slot->own.len,
           slot->own.text, (int)(got.len < 100 ? got.len : 100),
           got.bytes ? got.bytes : "nothing");
  return 1;
}

/* Whether the connection may go on after this error. */
static int passes(const uvow_error_t *error) {
  return uvow_error_outcome(error) == UVOW_ANSWERED ||
         uvow_error_code(error) == UVOW_ETIMEDOUT;
}

static void note_error(load_t *load, const uvow_error_t *error,
                       uint64_t took_ns) {
  const char *said = uvow_error_peer_message(error);
  if (uvow_error_outcome(error) != UVOW_NOT_SENT)
    measure_fail_took(load->measure, took_ns);
  measure_fail(load->measure, uvow_error_code(error),
               uvow_error_peer_code(error),
               said ? said : uvow_error_message(error));
}

static void judge(load_slot_t *slot, const uvow_result_t *result,
                  uint64_t now) {
  load_t *load = slot->load;
  const args_t *args = load->args;
  uint64_t stamp = args->rate > 0 || args->requests ? slot->start : now;
  char text[160];
  if (result->error)
    note_error(load, result->error, now > slot->start ? now - slot->start : 0);
  else if (args->verify && differs(slot, result, text, sizeof(text)))
    measure_fail(load->measure, MEASURE_MISMATCH, 0, text);
  else if (args->json_values && !uvow_result_json(result))
    measure_fail(load->measure, UVOW_EPAYLOAD, 0, "the result isn't JSON");
  else if (stamp >= load->begin && stamp < load->end)
    measure_add(load->measure, now > slot->start ? now - slot->start : 0);
}

static void on_answer(const uvow_result_t *result, void *data) {
  load_slot_t *slot = (load_slot_t *)data;
  load_t *load = slot->load;
  uint64_t now = uv_hrtime();
  load->outstanding--;
  if (now >= load->turn_at)
    advance(load, now);
  judge(slot, result, now);
  if (result->error && !passes(result->error))
    load->alive--;
  else
    go_on(slot, now);
  if (load->outstanding == 0)
    end_if_idle(load);
}

/* Those whose time has come: all, unless --ramp says when. */
static void begin_slots(load_t *load, uint64_t now) {
  const args_t *args = load->args;
  double part = 1;
  if (args->ramp > 0)
    part = (double)(now - load->ramp_from) / (args->ramp * NS_PER_S);
  double due =
      part < 1 ? part * (double)args->inflight : (double)args->inflight;
  while (load->begun < args->inflight && load->left &&
         load->phase < LOAD_DRAINS &&
         (load->begun == 0 || (double)load->begun < due))
    send_next(&load->slots[load->begun++], now);
}

void load_start(load_t *load) {
  const args_t *args = load->args;
  uint64_t now = uv_hrtime();
  load->begin = now + (uint64_t)(args->warmup * NS_PER_S);
  load->end = args->requests
                  ? UINT64_MAX
                  : load->begin + (uint64_t)(args->seconds * NS_PER_S);
  load->turn_at = load->begin;
  load->phase = LOAD_WARM;
  load->pace.start = now;
  load->pace.rate = args->rate;
  load->pace.ramp = args->ramp;
  load->alive = args->inflight;
  advance(load, now);
  load->ramp_from = now;
  for (uint64_t i = 0; args->rate > 0 && i < args->inflight; i++)
    put_free(&load->slots[i]);
  if (args->rate <= 0)
    begin_slots(load, now);
  if (args->rate > 0)
    send_due(load, now);
  end_if_idle(load);
}

void load_stop(load_t *load, uint64_t now) {
  measure_t *m = load->measure;
  uv_rusage_t usage;
  if (load->phase >= LOAD_DRAINS)
    return;
  load->phase = LOAD_DRAINS;
  load->turn_at = UINT64_MAX;
  if (now < load->end)
    load->end = now;
  if (load->end < load->begin)
    load->end = load->begin;
  m->seconds = (double)(load->end - load->begin) / NS_PER_S;
  m->cpu_s = m->seconds > 0 ? cpu_seconds() - load->cpu_at_begin : 0;
  m->maxrss_kb = uv_getrusage(&usage) ? 0 : usage.ru_maxrss;
  if (load->args->rate > 0 && !load->args->requests && m->seconds > 0) {
    uint64_t missing = pace_missing(&load->pace, load->end);
    if (missing)
      measure_add_overdue(m, missing,
                          load->end - pace_at(&load->pace, load->pace.next));
  }
  measure_last_tick(m, load->end - load->begin);
}

static void advance(load_t *load, uint64_t now) {
  if (load->phase == LOAD_WARM && now >= load->begin) {
    load->phase = LOAD_COUNTS;
    load->turn_at = load->end;
    load->cpu_at_begin = cpu_seconds();
    load->measure->failed_before = load->measure->failed;
    load->pace.start = load->begin; /* what is behind already is forgiven */
    load->pace.next = 0;
  }
  if (load->args->rate > 0)
    send_due(load, now); /* those too that are due, when it ends late */
  if (load->phase == LOAD_COUNTS && now >= load->end)
    load_stop(load, now);
}

void load_time(load_t *load, uint64_t now) {
  advance(load, now);
  if (load->args->rate <= 0 && load->begun < load->args->inflight)
    begin_slots(load, now);
  end_if_idle(load);
}

uint64_t load_wait(const load_t *load, uint64_t now) {
  if (load->args->rate <= 0 || !load->left || load->phase >= LOAD_DRAINS)
    return UINT64_MAX;
  return load->free_head ? pace_wait(&load->pace, now) : 0;
}
