/*
 * Bounded work: map and map_settled, limits, and gates as the application has
 * them.
 *
 *   map:   QUEUED --run_start--> a job in a slot --run_job--> QUEUED ... over
 *   limit: WAITING --a turn--> QUEUED --run_turn--> the job --run_turn--> over
 *
 * 1. A job is started from a task of its own, one a task. After its callback
 *    nothing of the work is touched before its future is looked at: it may have
 *    been canceled, and the work is gone then.
 * 2. A map that is over unlinks all its jobs, settles its future, and then gives
 *    the jobs up.
 * 3. Who waits for a limit is a root that has an owner of the limit.
 */
#include <uvow/work.h>

#include "fail.h"
#include "gate.h"
#include "results.h"

#include <string.h>

struct map;

typedef struct job {
  uvow__task_t task;
  struct map *map;
  uvow_future_t *future; /* NULL: the slot is free */
  size_t i;
} job_t;

typedef struct map {
  uvow__task_t task; /* starts a job; then, frees it all */
  uvow_future_t *future;
  uvow_results_t *results;
  uvow_map_cb start;
  void *data;
  size_t n;
  size_t started;
  size_t done;
  size_t slots;
  int settles; /* all: no error ends it */
  job_t jobs[];
} map_t;

static void run_free_map(uvow__task_t *task) {
  map_t *map = UVOW__CONTAINER(task, map_t, task);
  uvow_future_t *f = map->future;
  uvow_value_t results = uvow__results_value(map->results);
  for (size_t i = 0; i < map->slots; i++)
    uvow__future_drop(map->jobs[i].future);
  if (map->results)
    uvow__value_release_later(f->rt, results);
  uvow__free(&f->rt->mem, map);
  uvow_future_unref(f);
}

/* Its future is settled. */
static void map_over(map_t *map) {
  for (size_t i = 0; i < map->slots; i++)
    uvow__task_cancel(&map->jobs[i].task);
  uvow__task_cancel(&map->task);
  map->task.run = run_free_map;
  uvow__runtime_run_flat(map->future->rt, &map->task);
}

static void reject_map(uvow_future_t *f, int code) {
  uvow__future_reject_code(f, code);
  map_over(*(map_t **)(void *)(f + 1));
}

/* A slot may be free. */
static void queue_start(map_t *map) {
  if (map->started < map->n && map->started - map->done < map->slots &&
      !uvow__task_queued(&map->task))
    uvow__runtime_push(map->future->rt, &map->task);
}

/* Job number i has brought this, which it takes: a value, or an error. */
static void job_done(map_t *map, size_t i, uvow_value_t value) {
  uvow_future_t *f = map->future;
  int failed = value.type == &uvow__type_error;
  uvow_error_t *error = failed ? (uvow_error_t *)value.as.ptr : NULL;
  if (failed && !map->settles) {
    uvow__future_reject(f, error);
    map_over(map);
    return;
  }
  uvow__results_set(map->results, i, value);
  if (++map->done == map->n) {
    uvow__future_fulfill(f, uvow__results_value(map->results));
    map->results = NULL;
    map_over(map);
    return;
  }
  queue_start(map);
}

static uvow_value_t error_value(uvow_error_t *error) {
  return uvow_value_ptr(&uvow__type_error, error);
}

static void run_job(uvow__task_t *task) {
  job_t *job = UVOW__CONTAINER(task, job_t, task);
  uvow_future_t *f = job->future;
  uvow_value_t value;
  job->future = NULL;
  if (f->state == UVOW_REJECTED) {
    value = error_value(uvow_error_ref(f->u.error));
  } else if (f->u.value.type && f->u.value.type->destroy &&
             !f->u.value.type->ref) {
    value = uvow_value_ptr(&uvow__type_shared, uvow_future_ref(f));
  } else {
    value = uvow__future_share(f);
  }
  job_done(job->map, job->i, value);
  uvow_future_unref(f);
}

/* Takes what start has given for job number i. */
static void take_job(map_t *map, size_t i, uvow_future_t *f) {
  uvow__runtime_t *rt = map->future->rt;
  int code = f ? 0 : UVOW_ENOMEM;
  if (f && f->rt != rt)
    code = UVOW_EINVAL;
  if (f == map->future)
    code = UVOW_ECYCLE;
  if (code) {
    uvow_future_unref(f);
    job_done(map, i,
             error_value(uvow__error_code(&rt->mem, code, UVOW_OUTCOME_NONE)));
    return;
  }
  job_t *job = map->jobs;
  while (job->future)
    job++;
  job->future = f;
  job->i = i;
  uvow__future_watch(f, &job->task);
  queue_start(map);
}

static void run_start(uvow__task_t *task) {
  map_t *map = UVOW__CONTAINER(task, map_t, task);
  uvow_future_t *f = uvow_future_ref(map->future);
  size_t i = map->started++;
  uvow_future_t *job = map->start(i, map->data);
  if (f->state == UVOW_PENDING)
    take_job(map, i, job);
  else
    uvow__future_drop(job);
  uvow_future_unref(f);
}

/* Without its jobs' start; NULL: no memory. */
static map_t *map_new(uvow__runtime_t *rt, size_t n, size_t slots) {
  size_t size;
  if (uvow__size_mul(slots, sizeof(job_t), &size) ||
      uvow__size_add(size, sizeof(map_t), &size))
    return (map_t *)uvow__refuse(uvow__runtime_loop(rt), UVOW_ENOMEM, NULL,
                                 NULL);
  map_t *map = (map_t *)uvow__calloc(&rt->mem, size);
  if (!map)
    return NULL;
  map->results = uvow__results_new(rt, n);
  map->future =
      map->results
          ? uvow__future_new(rt, 2, UVOW__BLOCK | UVOW__PROMISE | UVOW__OWNED)
          : NULL;
  if (!map->future) {
    if (map->results)
      uvow_type_results.destroy(map->results);
    uvow__free(&rt->mem, map);
    return NULL;
  }
  map->future->cb.reject = reject_map;
  *(map_t **)(void *)(map->future + 1) = map;
  uvow__task_init(&map->task, run_start);
  map->slots = slots;
  map->n = n;
  for (size_t i = 0; i < slots; i++) {
    uvow__task_init(&map->jobs[i].task, run_job);
    map->jobs[i].map = map;
  }
  return map;
}

static uvow_future_t *map_start(uvow_loop_t *loop, size_t n, size_t at_most,
                                uvow_map_cb start, void *data, int settles) {
  map_t *map = NULL;
  if (loop)
    map = map_new(uvow__runtime_of(loop), n, n < at_most ? n : at_most);
  if (!map)
    return NULL;
  uvow_future_t *f = map->future;
  map->start = start;
  map->data = data;
  map->settles = settles;
  if (at_most == 0 || !start) {
    uvow__future_reject(
        f, at_most ? uvow__invalid(f->rt, "start", uvow__fail_null)
                   : uvow__invalid(f->rt, "at_most", uvow__fail_zero));
    map_over(map);
  } else if (n == 0) {
    uvow__future_fulfill(f, uvow__results_value(map->results));
    map->results = NULL;
    map_over(map);
  } else {
    queue_start(map);
  }
  return f;
}

uvow_future_t *uvow_future_map(uvow_loop_t *loop, size_t n, size_t at_most,
                               uvow_map_cb start, void *data) {
  return map_start(loop, n, at_most, start, data, 0);
}

uvow_future_t *uvow_future_map_settled(uvow_loop_t *loop, size_t n,
                                       size_t at_most, uvow_map_cb start,
                                       void *data) {
  return map_start(loop, n, at_most, start, data, 1);
}

/* Limits. */

struct uvow_limit {
  uvow__runtime_t *rt;
  size_t refs;
  size_t left;          /* turns that are free */
  uvow__list_t waiting; /* of turns' tasks */
};

typedef struct turn {
  uvow__task_t task; /* waits for a turn, for the queue, for the job */
  uvow_limit_t *limit;
  uvow_start_cb start;
  void *data;
  uvow_future_t *job;
  int has_turn;
} turn_t;

_Static_assert(sizeof(turn_t) <= UVOW__BLOCK_TAIL, "a tail holds it");

static turn_t *turn_of(uvow_future_t *f) {
  return (turn_t *)(void *)(f + 1);
}

static void next_turn(uvow_limit_t *limit) {
  while (limit->left && !uvow__list_empty(&limit->waiting)) {
    turn_t *turn = UVOW__CONTAINER(limit->waiting.next, turn_t, task.link);
    uvow__task_cancel(&turn->task);
    turn->has_turn = 1;
    limit->left--;
    uvow__runtime_push(limit->rt, &turn->task);
  }
}

/* Its future is settled. Releases one reference of it, and of the limit. */
static void turn_over(turn_t *turn) {
  uvow_limit_t *limit = turn->limit;
  uvow__task_cancel(&turn->task);
  if (turn->has_turn)
    limit->left++;
  next_turn(limit);
  uvow_limit_unref(limit);
  uvow_future_unref((uvow_future_t *)(void *)turn - 1);
}

static void reject_turn(uvow_future_t *f, int code) {
  turn_t *turn = turn_of(f);
  uvow_future_t *job = turn->job;
  turn->job = NULL;
  uvow__task_cancel(&turn->task);
  uvow__future_reject_code(f, code);
  uvow__future_drop(job);
  turn_over(turn);
}

/* Takes what start has given. */
static void take_turns_job(turn_t *turn, uvow_future_t *f, uvow_future_t *job) {
  int code = uvow__future_adoptable(f, job);
  if (code) {
    uvow_future_unref(job);
    uvow__future_reject_code(f, code);
    turn_over(turn);
    return;
  }
  turn->job = job;
  uvow__future_watch(job, &turn->task);
}

static void run_turn(uvow__task_t *task) {
  turn_t *turn = UVOW__CONTAINER(task, turn_t, task);
  uvow_future_t *f = (uvow_future_t *)(void *)turn - 1;
  uvow_future_t *job = turn->job;
  if (job) {
    uvow__future_forward(f, job);
    uvow_future_unref(job);
    turn_over(turn);
    return;
  }
  f->refs++;
  job = turn->start(turn->data);
  if (f->state == UVOW_PENDING)
    take_turns_job(turn, f, job);
  else
    uvow__future_drop(job);
  uvow_future_unref(f);
}

uvow_limit_t *uvow_limit_new(uvow_loop_t *loop, size_t at_most) {
  uvow__runtime_t *rt = loop ? uvow__runtime_of(loop) : NULL;
  uvow_limit_t *limit = NULL;
  if (at_most == 0)
    uvow__fail(loop, UVOW_EINVAL, "at_most", uvow__fail_zero);
  else if (rt && rt->closed)
    uvow__fail(loop, UVOW_ECLOSED, uvow__fail_closed, NULL);
  else if (rt)
    limit = (uvow_limit_t *)uvow__malloc(&rt->mem, sizeof(*limit));
  if (!limit)
    return NULL;
  limit->rt = rt;
  limit->refs = 1;
  limit->left = at_most;
  uvow__list_init(&limit->waiting);
  rt->pins++;
  return limit;
}

uvow_future_t *uvow_limit_run(uvow_limit_t *limit, uvow_start_cb start,
                              void *data) {
  if (!limit)
    return NULL;
  if (!start)
    return (uvow_future_t *)uvow__refuse(uvow__runtime_loop(limit->rt),
                                         UVOW_EINVAL, "start", uvow__fail_null);
  uvow_future_t *f =
      uvow__future_new(limit->rt, 2, UVOW__BLOCK | UVOW__PROMISE | UVOW__OWNED);
  if (!f)
    return NULL;
  turn_t *turn = turn_of(f);
  f->cb.reject = reject_turn;
  uvow__task_init(&turn->task, run_turn);
  turn->limit = uvow_limit_ref(limit);
  turn->start = start;
  turn->data = data;
  turn->job = NULL;
  turn->has_turn = 0;
  uvow__list_append(&limit->waiting, &turn->task.link);
  next_turn(limit);
  return f;
}

uvow_limit_t *uvow_limit_ref(uvow_limit_t *limit) {
  if (limit)
    limit->refs++;
  return limit;
}

/* What outlives its loop keeps the loop's memory. */
static void free_pinned(uvow__runtime_t *rt, void *ptr) {
  uvow__free(&rt->mem, ptr);
  rt->pins--;
  if (rt->closed)
    uvow__runtime_maybe_release(rt);
}

void uvow_limit_unref(uvow_limit_t *limit) {
  if (limit && --limit->refs == 0)
    free_pinned(limit->rt, limit);
}

/* Gates. */

struct uvow_gate {
  uvow__gate_t gate;
  int open;
};

uvow_gate_t *uvow_gate_new(uvow_loop_t *loop) {
  uvow__runtime_t *rt = loop ? uvow__runtime_of(loop) : NULL;
  uvow_gate_t *gate = NULL;
  if (rt && rt->closed)
    uvow__fail(loop, UVOW_ECLOSED, uvow__fail_closed, NULL);
  else if (rt)
    gate = (uvow_gate_t *)uvow__malloc(&rt->mem, sizeof(*gate));
  if (!gate)
    return NULL;
  uvow__gate_init(&gate->gate, rt);
  gate->open = 0;
  rt->pins++;
  return gate;
}

uvow_future_t *uvow_gate_wait(uvow_gate_t *gate) {
  uvow_future_t *f = gate ? uvow__gate_wait(&gate->gate) : NULL;
  if (f && gate->open)
    uvow__gate_pass(&gate->gate);
  return f;
}

void uvow_gate_set(uvow_gate_t *gate, int open) {
  if (!gate)
    return;
  gate->open = open;
  if (open)
    uvow__gate_pass(&gate->gate);
}

void uvow_gate_free(uvow_gate_t *gate) {
  if (!gate)
    return;
  uvow__runtime_t *rt = gate->gate.rt;
  uvow_error_t *error =
      uvow__error_code(&rt->mem, UVOW_EBROKEN, UVOW_OUTCOME_NONE);
  uvow__gate_fail(&gate->gate, error);
  uvow_error_unref(error);
  free_pinned(rt, gate);
}
