/*
 * The dispatcher: which future waits for which id.
 *
 *   register -> slot (pending) -> fulfill, reject, expire, cancel -> tombstone
 *
 * 1. Ids are 1, 2, 3 ... and never used again; the slot of an id is id & mask.
 *    An id whose slot is taken is skipped, so no two live requests share one,
 *    and finding one is a load and a compare.
 * 2. The ring doubles when more than three quarters of it are live: an id skips
 *    three slots on average at the very worst, and a pending request takes 22
 *    bytes of ring at the most. Slots that differ stay different, so doubling
 *    never collides.
 * 3. A slot is taken before its request's bytes can leave, and free before its
 *    future settles (R1): whoever sees the result can reuse everything.
 * 4. A freed slot remembers its id and how it ended, until it's taken again: so
 *    a duplicate answer is told from a late one.
 *    Where it's to be known what the peer still works on (keep_owed), the id of
 *    a request that was sent and given up keeps its slot until it's answered;
 *    where the peer couldn't be told that it was, until it is: so that takes no
 *    memory.
 * 5. The slot owns one reference of the future, which is the promise's.
 */
#include "dispatcher.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/intern.h"
#include "protocol/protocol.h"
#include "wire/json.h"

#define SLOTS_MIN 64

/* A tombstone is odd: (id << 4) | how | 1. Addresses are even. */
enum { GIVEN_UP = 0, ANSWERED = 2, OWED = 4, UNSAID = 8 };
#define KEPT ((unsigned)(OWED | UNSAID)) /* its id keeps its slot */

_Static_assert(UVOW__INTERN_MAX < 1 << 13, "a session's number fits");
_Static_assert(sizeof(uvow__request_t) <= UVOW__BLOCK_TAIL, "a tail holds it");
_Static_assert(sizeof(uvow__payload_t) <= UVOW__BLOCK_TAIL, "a tail holds it");

static uvow_future_t *future_of(uvow__request_t *request) {
  return (uvow_future_t *)(void *)request - 1;
}

uvow__request_t *uvow__request_of(uvow_future_t *f) {
  return (uvow__request_t *)(void *)(f + 1);
}

static uint64_t tombstone(uint64_t id, unsigned how) {
  return id << 4 | how | 1;
}

/* Of what is in no live one. */
static inline int is_kept(uint64_t slot) {
  return (slot & KEPT) != 0;
}

void uvow__dispatcher_init(uvow__dispatcher_t *d, uvow__runtime_t *rt,
                           size_t max_live) {
  memset(d, 0, sizeof(*d));
  d->rt = rt;
  d->max_live = max_live;
  d->next_id = 1;
}

void uvow__dispatcher_done(uvow__dispatcher_t *d) {
  assert(d->live == 0);
  uvow__free(&d->rt->plain, d->slots);
  d->slots = NULL;
}

static uint64_t id_in(uint64_t slot) {
  return uvow__slot_is_live(slot) ? uvow__slot_request(slot)->id : slot >> 4;
}

static int grow(uvow__dispatcher_t *d) {
  size_t count = d->slots ? (d->mask + 1) * 2 : SLOTS_MIN;
  size_t size;
  if (uvow__size_mul(count, sizeof(uint64_t), &size))
    return UVOW_ENOMEM;
  uint64_t *slots = (uint64_t *)uvow__calloc(&d->rt->plain, size);
  if (!slots)
    return UVOW_ENOMEM;
  for (size_t i = 0; d->slots && i <= d->mask; i++)
    if (d->slots[i])
      slots[id_in(d->slots[i]) & (count - 1)] = d->slots[i];
  uvow__free(&d->rt->plain, d->slots);
  d->slots = slots;
  d->mask = count - 1;
  d->most = count / 4 * 3;
  return 0;
}

/* The slot is free from here on; the caller has the slot's reference. */
static uvow_future_t *leave_slot(uvow__request_t *request, unsigned how) {
  uvow__dispatcher_t *d = request->owner;
  uint64_t id = request->id;
  d->slots[id & d->mask] = tombstone(id, how);
  d->live--;
  d->sent -= request->sent;
  if (request->text)
    uvow__cache_give(&d->rt->texts, request->text,
                     sizeof(*request->text) + request->text->len);
  request->text = NULL;
  uvow__wheel_disarm(&request->deadline);
  return future_of(request);
}

/* Its slot is free. value: of a result; else NULL. */
static inline void tell_left(const uvow__request_t *request, int is_answered,
                             const uvow__slice_t *value) {
  uvow__dispatcher_t *d = request->owner;
  if (request->partials)
    d->on_left(d, request, is_answered, value);
}

static uvow_outcome_t outcome_of(const uvow__request_t *request) {
  return request->was_sent ? UVOW_MAYBE_EXECUTED : UVOW_NOT_SENT;
}

static void tell_settled(const uvow__request_t *request,
                         const uvow_error_t *error) {
  uvow__dispatcher_t *d = request->owner;
  if (d->on_settled)
    d->on_settled(d, request, error);
}

uvow_error_t *uvow__dispatcher_error(const uvow__dispatcher_t *d, int code,
                                     uvow_outcome_t outcome) {
  char detail[512];
  uvow__error_spec_t spec = {0};
  if (!d->cause || code == UVOW_ECANCELED)
    return uvow__error_code(&d->rt->mem, code, outcome);
  int len =
      snprintf(detail, sizeof(detail), "%s; the connection's last failure: %s",
               uvow_strerror(code), uvow_error_message(d->cause));
  spec.code = code;
  spec.outcome = outcome;
  spec.cause = d->cause;
  spec.detail.ptr = detail;
  spec.detail.len =
      len < (int)sizeof(detail) ? (size_t)len : sizeof(detail) - 1;
  return uvow__error_make(&d->rt->mem, &spec);
}

/* Nobody wants the answer any more. */
static void give_up(uvow__request_t *request, int code) {
  uvow__dispatcher_t *d = request->owner;
  int owed = d->keep_owed && request->sent;
  d->owed += (size_t)owed;
  d->kept += (size_t)owed;
  uvow_future_t *f = leave_slot(request, owed ? OWED : GIVEN_UP);
  tell_left(request, 0, NULL);
  uvow_error_t *error = uvow__dispatcher_error(d, code, outcome_of(request));
  tell_settled(request, error);
  uvow__future_reject(f, error);
  if (d->on_given_up)
    d->on_given_up(d, request);
  uvow_future_unref(f);
}

static void on_reject(uvow_future_t *f, int code) {
  uvow__request_t *request = uvow__request_of(f);
  request->owner->count.canceled++;
  give_up(request, code);
}

static void on_deadline(uvow__deadline_t *deadline) {
  uvow__request_t *request = (uvow__request_t *)(void *)deadline;
  request->owner->count.timed_out++;
  give_up(request, UVOW_ETIMEDOUT);
}

static int is_taken(uint64_t slot) {
  return uvow__slot_is_live(slot) || is_kept(slot);
}

/* The next id whose slot is free. */
static int next_id(uvow__dispatcher_t *d, uint64_t *ret_id) {
  if (!d->slots || d->live + d->kept >= d->most) {
    int rc = grow(d);
    if (rc)
      return rc;
  }
  uint64_t id = d->next_id;
  while (id <= UVOW__ID_MAX && is_taken(d->slots[id & d->mask]))
    id++;
  if (id > UVOW__ID_MAX)
    return UVOW_ECLOSED;
  d->next_id = id + 1;
  *ret_id = id;
  return 0;
}

int uvow__dispatcher_register(uvow__dispatcher_t *d, uint32_t timeout_ms,
                              uvow_future_t **ret_future,
                              uvow__request_t **ret_request) {
  uint64_t id;
  if (d->rt->closed)
    return UVOW_ECLOSED;
  if (d->live >= d->max_live)
    return UVOW_EOVERLOAD;
  uvow_future_t *f =
      uvow__future_new(d->rt, 2, UVOW__BLOCK | UVOW__PROMISE | UVOW__OWNED);
  if (!f)
    return UVOW_ENOMEM;
  int rc = next_id(d, &id);
  if (rc) {
    f->flags |= UVOW__OBSERVED;
    f->flags &= (uint16_t)~UVOW__OWNED;
    uvow__future_reject_code(f, rc);
    uvow_future_unref(f);
    uvow_future_unref(f);
    return rc;
  }
  uvow__request_t *request = uvow__request_of(f);
  f->cb.reject = on_reject;
  uvow__deadline_init(&request->deadline, on_deadline);
  request->owner = d;
  request->id = id;
  request->sent_ns = 0;
  request->text = NULL;
  request->method = 0;
  request->sent = request->was_sent = 0;
  request->idempotent = request->json = request->partials = 0;
  request->session = 0;
  request->resent = 0;
  d->slots[id & d->mask] = (uint64_t)(uintptr_t)f;
  d->live++;
  d->count.requests++;
  if (timeout_ms)
    uvow__runtime_arm(d->rt, &request->deadline, timeout_ms);
  *ret_future = f;
  *ret_request = request;
  return 0;
}

int uvow__request_keep_text(uvow__request_t *request, uvow__slice_t text) {
  size_t size;
  if (uvow__size_add(sizeof(uvow__kept_text_t), text.len, &size))
    return UVOW_ENOMEM;
  request->text =
      (uvow__kept_text_t *)uvow__cache_take(&request->owner->rt->texts, size);
  if (!request->text)
    return UVOW_ENOMEM;
  request->text->len = text.len;
  memcpy(request->text->bytes, text.ptr, text.len);
  return 0;
}

uvow_stray_t uvow__dispatcher_classify(const uvow__dispatcher_t *d,
                                       uint64_t id) {
  if (id == 0 || id >= d->next_id)
    return UVOW_STRAY_UNKNOWN;
  if (d->slots[id & d->mask] == tombstone(id, ANSWERED))
    return UVOW_STRAY_DUPLICATE;
  return UVOW_STRAY_LATE;
}

uvow__request_t *uvow__dispatcher_only(uvow__dispatcher_t *d) {
  size_t at = 0;
  while (!uvow__slot_is_live(d->slots[at]) ||
         !uvow__slot_request(d->slots[at])->sent)
    at++;
  return uvow__slot_request(d->slots[at]);
}

/* Why a kept id keeps its slot; 0: it isn't one. */
static unsigned kept_for(const uvow__dispatcher_t *d, uint64_t id) {
  uint64_t slot = d->kept ? d->slots[id & d->mask] : 0;
  return slot >> 4 == id && !uvow__slot_is_live(slot) ? slot & KEPT : 0;
}

/* A kept id has these reasons from now on. */
static void keep_for(uvow__dispatcher_t *d, uint64_t id, unsigned why) {
  uint64_t *slot = &d->slots[id & d->mask];
  d->owed -= (*slot & OWED) != 0;
  d->unsaid -= (*slot & UNSAID) != 0;
  d->kept -= (size_t)is_kept(*slot);
  *slot = tombstone(id, why);
  d->owed += (*slot & OWED) != 0;
  d->unsaid += (*slot & UNSAID) != 0;
  d->kept += (size_t)is_kept(*slot);
}

int uvow__dispatcher_paid(uvow__dispatcher_t *d, uint64_t id) {
  unsigned why = kept_for(d, id);
  if (why)
    keep_for(d, id, GIVEN_UP);
  return (why & OWED) != 0;
}

void uvow__dispatcher_forgive(uvow__dispatcher_t *d) {
  for (size_t i = 0; d->kept && i <= d->mask; i++)
    if (!uvow__slot_is_live(d->slots[i]) && is_kept(d->slots[i]))
      keep_for(d, id_in(d->slots[i]), GIVEN_UP);
}

void uvow__dispatcher_unsaid(uvow__dispatcher_t *d, uint64_t id) {
  if (d->unsaid == 0)
    d->unsaid_at = id;
  keep_for(d, id, kept_for(d, id) | UNSAID);
}

uint64_t uvow__dispatcher_to_say(uvow__dispatcher_t *d) {
  uint64_t slot = 0;
  if (d->unsaid == 0)
    return 0;
  for (; uvow__slot_is_live(slot) || !(slot & UNSAID); d->unsaid_at++)
    slot = d->slots[d->unsaid_at & d->mask];
  d->unsaid_at = id_in(slot);
  return d->unsaid_at;
}

void uvow__dispatcher_said(uvow__dispatcher_t *d, uint64_t id) {
  keep_for(d, id, kept_for(d, id) & OWED);
}

/* An answer that can't be kept, or read as the JSON it was asked for as. The
 * text may be the payload's. */
static void reject_payload(uvow_future_t *f, uvow__payload_t *payload, int code,
                           uvow__slice_t text) {
  uvow__error_spec_t spec = {0};
  spec.code = code;
  spec.outcome = UVOW_ANSWERED;
  spec.data = text;
  char reason[200];
  if (code == UVOW_EPAYLOAD) {
    uvow__json_reason(text, reason, sizeof(reason));
    spec.detail = (uvow__slice_t){reason, strlen(reason)};
  }
  uvow_error_t *error = uvow__error_make(&f->rt->mem, &spec);
  uvow__payload_done(payload);
  uvow__future_reject(f, error);
}

/* From here on the tail is the payload. */
static void become_payload(uvow_future_t *f, uvow__slice_t text,
                           uvow__buf_t *whole, int json) {
  uvow__payload_t *payload = (uvow__payload_t *)(void *)(f + 1);
  struct json_t *parsed;
  int rc = uvow__payload_take(payload, &f->rt->texts, text, whole);
  if (rc == 0 && json && text.ptr)
    rc = uvow__payload_json(payload, &parsed);
  if (rc == 0)
    uvow__future_fulfill(f, uvow_value_ptr(&uvow__type_payload, payload));
  else
    reject_payload(f, payload, rc, text);
}

void uvow__dispatcher_fulfill(uvow__request_t *request, uvow__slice_t payload,
                              uvow__buf_t *whole) {
  int json = request->json;
  request->owner->count.answered++;
  uvow_future_t *f = leave_slot(request, ANSWERED);
  tell_left(request, 1, &payload);
  tell_settled(request, NULL);
  become_payload(f, payload, whole, json);
  uvow_future_unref(f);
}

void uvow__dispatcher_reject(uvow__request_t *request, uvow_error_t *error) {
  uvow__dispatcher_t *d = request->owner;
  int answered = uvow_error_outcome(error) == UVOW_ANSWERED;
  if (answered)
    d->count.answered++;
  else
    d->count.failed++;
  uvow_future_t *f = leave_slot(request, answered ? ANSWERED : GIVEN_UP);
  tell_left(request, answered, NULL);
  tell_settled(request, error);
  uvow__future_reject(f, error);
  uvow_future_unref(f);
}

void uvow__dispatcher_fail(uvow__request_t *request, int code) {
  uvow__dispatcher_reject(request, uvow__dispatcher_error(request->owner, code,
                                                          outcome_of(request)));
}

/*
 * All live requests, the oldest first, in a line through their futures: a merge
 * sort of lists, which needs no memory. The ring is in the order of ids within
 * one turn of it; whoever waits for longer than that stands among the others.
 * So mostly it is one ascending run from next_id on, and the sort has nothing
 * to do; at worst it's O(n log n).
 */

#define BINS 48 /* lists of 1, 2, 4 ... runs: more than there are slots */

static uvow_future_t *merge(uvow_future_t *a, uvow_future_t *b) {
  uvow_future_t *first = NULL;
  uvow_future_t **end = &first;
  while (a && b) {
    uvow_future_t **least = a->u.line.key < b->u.line.key ? &a : &b;
    *end = *least;
    end = &(*least)->u.line.next;
    *least = *end;
  }
  *end = a ? a : b;
  return first;
}

/* One more run: bins as the bits of a number, to which 1 is added. */
static void add_run(uvow_future_t *bins[BINS], uvow_future_t *run) {
  size_t i = 0;
  for (; bins[i]; i++) {
    run = merge(bins[i], run);
    bins[i] = NULL;
  }
  bins[i] = run;
}

static uvow_future_t *in_line(const uvow__dispatcher_t *d) {
  uvow_future_t *bins[BINS] = {NULL};
  uvow_future_t *run = NULL;
  uvow_future_t *last = NULL;
  for (size_t i = 0; d->live && i <= d->mask; i++) {
    uint64_t slot = d->slots[(d->next_id + i) & d->mask];
    if (!uvow__slot_is_live(slot))
      continue;
    uvow_future_t *f = (uvow_future_t *)(uintptr_t)slot;
    f->u.line.key = uvow__slot_request(slot)->id;
    f->u.line.next = NULL;
    if (last && last->u.line.key < f->u.line.key) {
      last->u.line.next = f;
    } else {
      if (run)
        add_run(bins, run);
      run = f;
    }
    last = f;
  }
  for (size_t i = 0; i < BINS; i++)
    run = merge(bins[i], run);
  return run;
}

/* The line's first, out of it; NULL: there's none. */
static uvow__request_t *next_in(uvow_future_t **line) {
  uvow_future_t *f = *line;
  if (!f)
    return NULL;
  *line = f->u.line.next;
  return uvow__request_of(f);
}

/* An error for many requests: one object for each outcome. */
static void reject_shared(uvow__request_t *request,
                          const uvow__error_spec_t *spec,
                          uvow_error_t *errors[2]) {
  uvow_error_t **error = &errors[request->was_sent];
  if (!*error) {
    uvow__error_spec_t own = *spec;
    own.outcome = outcome_of(request);
    *error = uvow__error_make(&request->owner->rt->mem, &own);
  }
  uvow__dispatcher_reject(request, uvow_error_ref(*error));
}

void uvow__dispatcher_lost(uvow__dispatcher_t *d,
                           const uvow__error_spec_t *spec,
                           int (*again)(uvow__request_t *request, void *data),
                           void *data) {
  uvow_error_t *errors[2] = {NULL, NULL};
  uvow_future_t *line = in_line(d);
  uvow__request_t *request;
  while (d->sent && (request = next_in(&line)) != NULL) {
    if (!request->sent)
      continue;
    if (request->text) {
      request->sent = 0;
      d->sent--;
      if (again(request, data) == 0)
        continue;
    }
    reject_shared(request, spec, errors);
  }
  uvow_error_unref(errors[0]);
  uvow_error_unref(errors[1]);
}

void uvow__dispatcher_walk(const uvow__dispatcher_t *d,
                           void (*cb)(const uvow__request_t *request,
                                      void *data),
                           void *data) {
  uvow_future_t *line = in_line(d);
  uvow__request_t *request;
  while ((request = next_in(&line)) != NULL)
    cb(request, data);
}

/* session 0: of any, or none. */
static void fail_those(uvow__dispatcher_t *d, unsigned session,
                       const uvow__error_spec_t *spec) {
  uvow_error_t *errors[2] = {NULL, NULL};
  uvow_future_t *line = in_line(d);
  uvow__request_t *request;
  while ((request = next_in(&line)) != NULL)
    if (session == 0 || request->session == session)
      reject_shared(request, spec, errors);
  uvow_error_unref(errors[0]);
  uvow_error_unref(errors[1]);
}

void uvow__dispatcher_fail_session(uvow__dispatcher_t *d, unsigned session,
                                   const uvow__error_spec_t *spec) {
  if (session)
    fail_those(d, session, spec);
}

void uvow__dispatcher_fail_all(uvow__dispatcher_t *d,
                               const uvow__error_spec_t *spec) {
  fail_those(d, 0, spec);
}
