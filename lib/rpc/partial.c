/*
 * Partial answers: what is done about them while their request is in its slot.
 *
 *   PARTIAL -> by id -> an item of a stream          uvow_peer_request_stream
 *                    -> told, by a task of its own   on_partial
 *                    -> the deadline begins anew     partial_moves_deadline
 *                    -> the answer                   first_is_last
 *   half of an answer -> kept until the other one has come, in either order
 *
 * 1. Each that is told lies in a future of its own, so that it may be kept, and
 *    is a root as any other message: so all of them come before the answer.
 * 2. A request that ends without an answer tells nothing any more: the
 *    application may have freed what on_partial is given.
 * 3. A stream owns its request: letting go cancels that; its end is the
 *    answer's, behind the items.
 */
#include "partial.h"

#include <string.h>

#include "base/options.h"
#include "feed.h"
#include "peer.h"
#include "within.h"

/* Of one request. */
typedef struct partial {
  uvow__entry_t entry; /* first */
  uvow__runtime_t *rt;
  size_t refs; /* the slot's, and those of what is to be told */
  int muted;
  uint32_t timeout_ms; /* that each moves; 0: none does */
  uvow_request_options_t options;
  uvow_stream_t *stream; /* or NULL */
  /* Halves of the answer that have come. */
  int has_ended;
  int is_answered;
  uvow_error_t *error; /* that; or NULL: */
  uvow__buf_t answer;
} partial_t;

/* A request whose partial answers are items. */
typedef struct parts {
  uvow_stream_t out; /* first */
  uvow__task_t settled;
  uvow__task_t let_go;
  uvow_future_t *answer;
} parts_t;

void uvow__partials_init(uvow__partials_t *partials, uvow__runtime_t *rt) {
  partials->rt = rt;
  uvow__table_init(&partials->table, &rt->mem);
}

void uvow__partials_done(uvow__partials_t *partials) {
  uvow__table_done(&partials->table);
}

/* No two numbers have one hash. */
static partial_t *find(const uvow__partials_t *partials, uint64_t id) {
  return (partial_t *)(void *)uvow__table_find(&partials->table,
                                               uvow__hash_number(id));
}

static void unref(partial_t *partial) {
  if (--partial->refs)
    return;
  uvow_error_unref(partial->error);
  uvow__buf_done(&partial->answer);
  uvow__cache_give(&partial->rt->texts, partial, sizeof(*partial));
}

/* NULL: no memory. */
static partial_t *watch(uvow__partials_t *partials, uvow__request_t *request) {
  partial_t *partial =
      (partial_t *)uvow__cache_take(&partials->rt->texts, sizeof(*partial));
  if (!partial)
    return NULL;
  memset(partial, 0, sizeof(*partial));
  uvow__buf_init(&partial->answer, &partials->rt->mem, SIZE_MAX);
  partial->rt = partials->rt;
  partial->refs = 1;
  if (uvow__table_add(&partials->table, &partial->entry,
                      uvow__hash_number(request->id))) {
    unref(partial);
    return NULL;
  }
  request->partials = 1;
  return partial;
}

/* The one there is, or another. NULL: no memory. */
static partial_t *of_request(uvow__partials_t *partials,
                             uvow__request_t *request) {
  partial_t *partial = request->partials ? find(partials, request->id) : NULL;
  return partial ? partial : watch(partials, request);
}

int uvow__partials_watch(uvow__partials_t *partials, uvow__request_t *request,
                         const uvow_request_options_t *options,
                         uint32_t timeout_ms) {
  partial_t *partial = watch(partials, request);
  if (!partial)
    return UVOW_ENOMEM;
  partial->options = *options;
  if (options->partial_moves_deadline)
    partial->timeout_ms = timeout_ms;
  return 0;
}

void uvow__partials_left(uvow__partials_t *partials,
                         const uvow__request_t *request, int is_answered) {
  partial_t *partial = find(partials, request->id);
  if (!partial)
    return;
  uvow__table_remove(&partials->table, &partial->entry);
  partial->muted = !is_answered;
  unref(partial);
}

/* ---- plain requests ---- */

static void run_told(uvow__task_t *task) {
  uvow_future_t *f = UVOW__CONTAINER(task, uvow_future_t, task);
  partial_t *partial = (partial_t *)f->data;
  const uvow_request_options_t *options = &partial->options;
  uvow_result_t result;
  uvow__future_result(f, &result);
  if (!partial->muted)
    options->on_partial(&result, options->partial_data);
  uvow_future_unref(f);
  unref(partial);
}

static int tell(partial_t *partial, uvow__slice_t text) {
  uvow_future_t *f =
      uvow__future_new(partial->rt, 1, UVOW__BLOCK | UVOW__OBSERVED);
  if (!f)
    return UVOW_ENOMEM;
  uvow__payload_t *payload = (uvow__payload_t *)(void *)(f + 1);
  int rc = uvow__payload_init(payload, &partial->rt->texts, text);
  uvow__future_fulfill(f, rc ? uvow_value_none()
                             : uvow_value_ptr(&uvow__type_payload, payload));
  if (rc) {
    uvow_future_unref(f);
    return rc;
  }
  f->data = partial;
  f->task.run = run_told;
  partial->refs++;
  uvow__runtime_push(partial->rt, &f->task);
  return 0;
}

/* The time that is left begins anew, but for a point in time. */
static void move_deadline(partial_t *partial, uvow__request_t *request) {
  uint64_t at = partial->options.deadline_at_ms;
  uint64_t now = at ? uvow_loop_now(uvow__runtime_loop(partial->rt)) : 0;
  uint64_t ms = partial->timeout_ms;
  if (at)
    ms = at <= now ? 0 : at - now < ms ? at - now : ms;
  uvow__wheel_disarm(&request->deadline);
  uvow__runtime_arm(partial->rt, &request->deadline, ms);
}

void uvow__partials_came(uvow__partials_t *partials, uvow__request_t *request,
                         uvow__slice_t text) {
  uvow__slice_t no_name = {NULL, 0};
  partial_t *partial = find(partials, request->id);
  if (!partial)
    return;
  if (partial->stream) {
    if (partial->timeout_ms)
      move_deadline(partial, request);
    uvow__feed_put(partial->stream, text, no_name, 0);
  } else if (partial->options.first_is_last) {
    uvow__dispatcher_fulfill(request, text, NULL);
  } else {
    if (partial->timeout_ms)
      move_deadline(partial, request);
    if (partial->options.on_partial && tell(partial, text))
      uvow__dispatcher_fail(request, UVOW_ENOMEM);
  }
}

/* ---- halves ---- */

/* Both are there: what was kept leaves with the request. */
static void settle_halves(partial_t *partial, uvow__request_t *request) {
  uvow_error_t *error = partial->error;
  uvow__buf_t answer = partial->answer;
  uvow__slice_t value = {(const char *)uvow__buf_front(&answer),
                         uvow__buf_size(&answer)};
  partial->error = NULL;
  uvow__buf_init(&partial->answer, &partial->rt->mem, SIZE_MAX);
  if (error)
    uvow__dispatcher_reject(request, error);
  else
    uvow__dispatcher_fulfill(request, value, NULL);
  uvow__buf_done(&answer);
}

void uvow__partials_half(uvow__partials_t *partials, uvow__request_t *request,
                         int is_end, uvow__slice_t value, uvow_error_t *error) {
  partial_t *partial = of_request(partials, request);
  int rc = partial ? 0 : UVOW_ENOMEM;
  if (partial && is_end) {
    partial->has_ended = 1;
  } else if (partial && !partial->is_answered) {
    partial->is_answered = 1;
    partial->error = error;
    error = NULL;
    if (value.len)
      rc = uvow__buf_append(&partial->answer, value.ptr, value.len);
  }
  uvow_error_unref(error);
  if (rc)
    uvow__dispatcher_fail(request, rc);
  else if (partial->has_ended && partial->is_answered)
    settle_halves(partial, request);
}

/* ---- streams ---- */

static void run_settled(uvow__task_t *task) {
  parts_t *parts = UVOW__CONTAINER(task, parts_t, settled);
  uvow_stream_t *s = &parts->out;
  uvow_future_t *answer = parts->answer;
  if (answer->state == UVOW_REJECTED)
    uvow__stream_fail(s, uvow_error_ref(answer->u.error));
  else
    uvow__stream_end(s, uvow__future_share(answer));
  uvow__task_cancel(&parts->let_go); /* see uvow__feed_end */
  uvow_future_unref(answer);
  uvow__stream_sink_gone(s);
}

static void run_let_go(uvow__task_t *task) {
  parts_t *parts = UVOW__CONTAINER(task, parts_t, let_go);
  uvow__task_cancel(&parts->settled);
  uvow__future_drop(parts->answer);
  uvow__stream_sink_gone(&parts->out);
}

static void on_cancel(uvow_stream_t *s) {
  uvow__feed_soon(s, &((parts_t *)(void *)s)->let_go);
}

static const uvow__source_ops_t parts_ops = {NULL, on_cancel};

static int watch_parts(uvow_peer_t *peer, parts_t *parts) {
  partial_t *partial;
  if (parts->answer->state != UVOW_PENDING)
    return 0; /* it has failed */
  if (peer->kin.within)
    peer = peer->kin.within->whole;
  uvow__request_t *request = uvow__request_of(parts->answer);
  partial = of_request(&peer->session.partials, request);
  if (!partial)
    return UVOW_ENOMEM;
  partial->stream = &parts->out;
  return 0;
}

/* Its items are the stream's alone. */
static const uvow_request_options_t *
without_parts(const uvow_request_options_t *options,
              uvow_request_options_t *own) {
  options =
      (const uvow_request_options_t *)uvow__options(options, own, sizeof(*own));
  if (!options)
    return NULL;
  if (options != own)
    *own = *options;
  own->on_partial = NULL;
  own->first_is_last = 0;
  return own;
}

uvow_stream_t *uvow_peer_request_stream(uvow_peer_t *peer, const char *method,
                                        uvow_value_t params) {
  return uvow_peer_request_stream_with(peer, method, params, NULL);
}

uvow_stream_t *
uvow_peer_request_stream_with(uvow_peer_t *peer, const char *method,
                              uvow_value_t params,
                              const uvow_request_options_t *options) {
  uvow_stream_options_t bounds;
  uvow_request_options_t own;
  const uvow_request_options_t *known = without_parts(options, &own);
  parts_t *parts = NULL;
  if (peer) {
    uvow_error_t *none = uvow__feed_bounds(&peer->loop->rt, NULL, &bounds);
    uvow_error_unref(none);
    parts = (parts_t *)(void *)uvow__stream_new(&peer->loop->rt, sizeof(*parts),
                                                &parts_ops, &bounds);
  }
  if (!parts) {
    uvow_value_clear(&params);
    return NULL;
  }
  uvow__task_init(&parts->settled, run_settled);
  uvow__task_init(&parts->let_go, run_let_go);
  parts->answer = uvow_peer_request_with(peer, method, params,
                                         options && known ? known : options);
  if (parts->answer && watch_parts(peer, parts) == 0) {
    uvow__future_watch(parts->answer, &parts->settled);
    return &parts->out;
  }
  uvow__future_drop(parts->answer);
  uvow__feed_end(&parts->out, uvow__error_nomem(), &parts->let_go);
  return &parts->out;
}
