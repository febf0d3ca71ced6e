/*
 * all, all_settled, any, race: one future of several.
 *
 *   new -> WAITING --the last child settled--> settled: results, or let_go
 *             |--the deciding one, close-----> settled: let_go
 *             +--cancel--> CANCELED --the last child's cleanup--> settled
 *
 * 1. A group is one allocation: a slot for each future, which first waits for
 *    it and then holds its result. With all and all_settled the group becomes
 *    the results that the combined future is fulfilled with.
 * 2. A waiting group owns its sources and one reference of the combined future,
 *    as its promise would.
 * 3. Results that hold values of the application's are told: their task is the
 *    entry. They keep the loop's memory.
 * 4. Groups of groups are given up, and results of results are freed, in loops
 *    (F6). A group that is canceled waits for what it canceled, and nothing
 * else.
 * 5. A value without `ref` stays in its future, which the results then own.
 */
#include <uvow/combine.h>

#include <string.h>

#include "fail.h"
#include "results.h"
#include "tell.h"

enum kind { ALL, ALL_SETTLED, ANY, RACE };

struct slot {
  uvow_results_t *group; /* NULL: settled */
  union {
    struct {
      uvow__task_t task;
      uvow_future_t *source; /* owned; NULL: rejected as task.run says */
    } wait;
    struct {
      uvow_value_t value;
      uvow_error_t *error;
    } done;
  } u;
};

struct uvow_results {
  uvow__runtime_t *rt;
  uvow_future_t *future; /* NULL: these are results */
  uvow__task_t task; /* links it when it is canceled, or freed; tells values */
  size_t refs;
  size_t count;
  size_t pending;
  enum kind kind;
  struct slot slots[];
};

static void results_ref(void *ptr) {
  ((uvow_results_t *)ptr)->refs++;
}

#ifdef UVOW_DEBUG
size_t uvow__results_owners(const uvow_results_t *results) {
  return results->refs;
}
#endif

/* One owner less; without any, it goes to the list. */
static void results_unref(uvow_results_t *results, uvow__list_t *dying) {
  if (--results->refs == 0)
    uvow__list_append(dying, &results->task.link);
}

/* Releases what slots hold, but for values of the application's: the number of
 * these. Results that nobody owns then go to the list. */
static size_t release_slots(uvow_results_t *dead, uvow__list_t *dying) {
  size_t foreign = 0;
  for (size_t i = 0; i < dead->count; i++) {
    uvow_value_t *value = &dead->slots[i].u.done.value;
    uvow_error_unref(dead->slots[i].u.done.error);
    if (!value->type || !value->type->destroy)
      continue;
    if (uvow__type_is_foreign(value->type)) {
      foreign++;
      continue;
    }
    if (value->type == &uvow_type_results)
      results_unref((uvow_results_t *)value->as.ptr, dying);
    else
      value->type->destroy(value->as.ptr);
    *value = uvow_value_none();
  }
  return foreign;
}

static void results_free(uvow_results_t *dead) {
  uvow__runtime_t *rt = dead->rt;
  uvow__free(&rt->mem, dead);
  rt->pins--;
  uvow__runtime_maybe_release(rt);
}

/* All that is left are values of the application's. */
static void run_values(uvow__task_t *task) {
  uvow_results_t *dead = UVOW__CONTAINER(task, uvow_results_t, task);
  for (size_t i = 0; i < dead->count; i++) {
    uvow_value_t value = dead->slots[i].u.done.value;
    uvow__value_drop(&value);
  }
  results_free(dead);
}

static void results_destroy(void *ptr) {
  uvow__list_t dying;
  uvow__list_init(&dying);
  results_unref((uvow_results_t *)ptr, &dying);
  while (!uvow__list_empty(&dying)) {
    uvow_results_t *dead =
        UVOW__CONTAINER(dying.next, uvow_results_t, task.link);
    uvow__list_remove(&dead->task.link);
    if (release_slots(dead, &dying)) {
      dead->task.run = run_values;
      uvow__tell(dead->rt, &dead->task);
    } else {
      results_free(dead);
    }
  }
}

const uvow_type_t uvow_type_results = {
    sizeof(uvow_type_t), uvow__own_names.results, results_ref, results_destroy};

/* Ends a slot's wait. Returns its source, now the caller's. */
static uvow_future_t *slot_end(struct slot *slot) {
  uvow_future_t *source = slot->u.wait.source;
  slot->group = NULL;
  slot->u.done.value = uvow_value_none();
  slot->u.done.error = NULL;
  return source;
}

/* The combined future is settled, and not with these results. Takes the group's
 * reference of it. */
static void let_go(uvow_results_t *group) {
  uvow_future_t *f = group->future;
  f->flags &= (uint16_t) ~(UVOW__PROMISE | UVOW__INNER);
  for (size_t i = 0; i < group->count; i++) {
    if (!group->slots[i].group)
      continue;
    uvow__task_cancel(&group->slots[i].u.wait.task);
    uvow__future_drop(slot_end(&group->slots[i]));
  }
  results_destroy(group);
  uvow_future_unref(f);
}

static void on_reject(uvow_future_t *f, int code) {
  f->flags |= UVOW__OBSERVED;
  uvow__future_reject_code(f, code);
  let_go((uvow_results_t *)f->data);
}

/* UVOW_EALL with every error. */
static uvow_error_t *all_rejected(uvow_results_t *group) {
  uvow__error_spec_t spec = {0};
  const uvow__mem_t *mem = &group->rt->mem;
  const uvow_error_t **causes =
      (const uvow_error_t **)uvow__malloc(mem, group->count * sizeof(*causes));
  if (!causes)
    return uvow__error_nomem();
  for (size_t i = 0; i < group->count; i++)
    causes[i] = group->slots[i].u.done.error;
  spec.code = UVOW_EALL;
  spec.causes = causes;
  spec.cause_count = group->count;
  uvow_error_t *error = uvow__error_make(mem, &spec);
  uvow__free(mem, causes);
  return error;
}

/* No future is left to wait for, and none has decided. */
static void complete(uvow_results_t *group) {
  uvow_future_t *f = group->future;
  if (group->kind == RACE) {
    uvow__future_reject(f, uvow__invalid(f->rt, "count", uvow__fail_zero));
    let_go(group);
  } else if (group->kind == ANY) {
    uvow__future_reject(f, all_rejected(group));
    let_go(group);
  } else {
    f->flags &= (uint16_t) ~(UVOW__PROMISE | UVOW__INNER);
    group->future = NULL;
    uvow__future_fulfill(f, uvow_value_ptr(&uvow_type_results, group));
    uvow_future_unref(f);
  }
}

static int decides(enum kind kind, const uvow_error_t *error) {
  return kind == RACE || (kind == ANY && !error) || (kind == ALL && error);
}

/* A value for the results: (5). */
static uvow_value_t keep(uvow_future_t *source) {
  const uvow_type_t *type = source->u.value.type;
  if (type && type->destroy && !type->ref)
    return uvow_value_ptr(&uvow__type_shared, uvow_future_ref(source));
  return uvow__future_share(source);
}

/* A canceled group has one child less to wait for. Returns its future, with a
 * reference, if that was the last: it is to be rejected. */
static uvow_future_t *one_less(uvow_results_t *group) {
  uvow_future_t *f = group->future;
  if (--group->pending)
    return NULL;
  f->flags &= (uint16_t) ~(UVOW__PROMISE | UVOW__INNER);
  results_destroy(group);
  return f;
}

/* Takes what the slot has waited for: a future, or an error instead. */
static void settle(struct slot *slot, uvow_future_t *source,
                   uvow_error_t *error) {
  uvow_results_t *group = slot->group;
  if (group->future->flags & UVOW__CANCELED) {
    slot_end(slot);
    uvow_error_unref(error);
    uvow_future_unref(source);
    uvow__cancel_go_down(one_less(group));
    return;
  }
  slot_end(slot);
  slot->u.done.error = error;
  group->pending--;
  if (decides(group->kind, error)) {
    if (error)
      uvow__future_reject(group->future, uvow_error_ref(error));
    else
      uvow__future_fulfill(group->future, uvow__future_share(source));
    let_go(group);
  } else {
    if (!error)
      slot->u.done.value = keep(source);
    if (group->pending == 0)
      complete(group);
  }
  uvow_future_unref(source);
}

static void run_child(uvow__task_t *task) {
  struct slot *slot = UVOW__CONTAINER(task, struct slot, u.wait.task);
  uvow_future_t *source = slot->u.wait.source;
  uvow_error_t *error = NULL;
  if (source->state == UVOW_REJECTED)
    error = uvow_error_ref(source->u.error);
  settle(slot, source, error);
}

static void run_nomem(uvow__task_t *task) {
  settle(UVOW__CONTAINER(task, struct slot, u.wait.task), NULL,
         uvow__error_nomem());
}

static void run_foreign(uvow__task_t *task) {
  struct slot *slot = UVOW__CONTAINER(task, struct slot, u.wait.task);
  settle(
      slot, NULL,
      uvow__error_code(&slot->group->rt->mem, UVOW_EINVAL, UVOW_OUTCOME_NONE));
}

uvow_future_t *uvow__group_of(const uvow__task_t *task) {
  if (task->run != run_child)
    return NULL;
  return UVOW__CONTAINER(task, struct slot, u.wait.task)->group->future;
}

int uvow__is_group(const uvow_future_t *f) {
  return (f->flags & UVOW__INNER) && f->cb.reject == on_reject;
}

int uvow__group_source(const uvow_future_t *f, size_t i,
                       const uvow_future_t **ret_source) {
  const uvow_results_t *group = (const uvow_results_t *)f->data;
  if (i >= group->count)
    return 0;
  *ret_source = group->slots[i].group ? group->slots[i].u.wait.source : NULL;
  return 1;
}

void uvow__group_enlist(uvow_future_t *f, uvow__list_t *groups) {
  uvow__list_append(groups, &((uvow_results_t *)f->data)->task.link);
}

uvow_future_t *uvow__group_lost(uvow__task_t *task) {
  struct slot *slot = UVOW__CONTAINER(task, struct slot, u.wait.task);
  uvow_results_t *group = slot->group;
  uvow_future_unref(slot_end(slot));
  return one_less(group);
}

void uvow__group_cancel(uvow__task_t *task,
                        void (*cancel)(uvow_future_t *f, uvow__list_t *groups),
                        uvow__list_t *groups) {
  uvow_results_t *group = UVOW__CONTAINER(task, uvow_results_t, task);
  uvow__list_remove(&task->link);
  group->pending++; /* until all are looked at */
  for (size_t i = 0; i < group->count; i++) {
    struct slot *slot = &group->slots[i];
    if (!slot->group)
      continue;
    if (uvow__only_waits(slot->u.wait.source, &slot->u.wait.task)) {
      cancel(slot->u.wait.source, groups);
    } else {
      uvow__task_cancel(&slot->u.wait.task);
      uvow_future_unref(slot_end(slot));
      group->pending--;
    }
  }
  uvow__cancel_go_down(one_less(group));
}

/* Takes the future. */
static void slot_init(struct slot *slot, uvow_results_t *group,
                      uvow_future_t *source) {
  uvow__runtime_t *rt = group->future->rt;
  slot->group = group;
  uvow__task_init(&slot->u.wait.task, run_child);
  if (source && source->rt == rt) {
    slot->u.wait.source = source;
    uvow__future_watch(source, &slot->u.wait.task);
    return;
  }
  slot->u.wait.source = NULL;
  slot->u.wait.task.run = source ? run_foreign : run_nomem;
  uvow__runtime_push(rt, &slot->u.wait.task);
  uvow_future_unref(source);
}

/* A group without slots' content, or NULL. */
static uvow_results_t *group_new(uvow_loop_t *loop, size_t count,
                                 enum kind kind) {
  size_t size;
  if (!loop || uvow__size_mul(count, sizeof(struct slot), &size) ||
      uvow__size_add(size, sizeof(uvow_results_t), &size))
    return (uvow_results_t *)uvow__refuse(loop, UVOW_ENOMEM, NULL, NULL);
  uvow__runtime_t *rt = uvow__runtime_of(loop);
  uvow_results_t *group = (uvow_results_t *)uvow__malloc(&rt->mem, size);
  if (!group)
    return NULL;
  group->future = uvow__future_new(rt, 2, UVOW__PROMISE | UVOW__INNER);
  if (!group->future) {
    uvow__free(&rt->mem, group);
    return NULL;
  }
  group->future->cb.reject = on_reject;
  group->future->data = group;
  group->rt = rt;
  rt->pins++;
  uvow__task_init(&group->task, run_values);
  group->refs = 1;
  group->count = count;
  group->pending = count;
  group->kind = kind;
  return group;
}

static uvow_future_t *combine(uvow_loop_t *loop, uvow_future_t *const *futures,
                              size_t count, enum kind kind) {
  int invalid = !futures && count;
  if (invalid)
    count = 0;
  uvow_results_t *group = group_new(loop, count, kind);
  if (!group) {
    for (size_t i = 0; i < count; i++)
      uvow_future_unref(futures[i]);
    return NULL;
  }
  uvow_future_t *f = group->future;
  for (size_t i = 0; i < count; i++)
    slot_init(&group->slots[i], group, futures[i]);
  if (invalid) {
    uvow__future_reject(f, uvow__invalid(f->rt, "futures", uvow__fail_null));
    let_go(group);
  } else if (count == 0) {
    complete(group);
  }
  return f;
}

uvow_future_t *uvow_future_all(uvow_loop_t *loop, uvow_future_t *const *futures,
                               size_t count) {
  return combine(loop, futures, count, ALL);
}

uvow_future_t *uvow_future_all_settled(uvow_loop_t *loop,
                                       uvow_future_t *const *futures,
                                       size_t count) {
  return combine(loop, futures, count, ALL_SETTLED);
}

uvow_future_t *uvow_future_any(uvow_loop_t *loop, uvow_future_t *const *futures,
                               size_t count) {
  return combine(loop, futures, count, ANY);
}

uvow_future_t *uvow_future_race(uvow_loop_t *loop,
                                uvow_future_t *const *futures, size_t count) {
  return combine(loop, futures, count, RACE);
}

uvow_results_t *uvow__results_new(uvow__runtime_t *rt, size_t count) {
  size_t size;
  if (uvow__size_mul(count, sizeof(struct slot), &size) ||
      uvow__size_add(size, sizeof(uvow_results_t), &size))
    return NULL;
  uvow_results_t *results = (uvow_results_t *)uvow__calloc(&rt->mem, size);
  if (!results)
    return NULL;
  results->rt = rt;
  rt->pins++;
  uvow__task_init(&results->task, run_values);
  results->refs = 1;
  results->count = count;
  return results;
}

void uvow__results_set(uvow_results_t *results, size_t i, uvow_value_t value) {
  struct slot *slot = &results->slots[i];
  if (value.type == &uvow__type_error)
    slot->u.done.error = (uvow_error_t *)value.as.ptr;
  else
    slot->u.done.value = value;
}

int uvow_value_get_results(const uvow_value_t *value,
                           const uvow_results_t **ret_results) {
  void *ptr;
  int code = uvow_value_get_ptr(value, &uvow_type_results, &ptr);
  if (code == 0)
    *ret_results = (const uvow_results_t *)ptr;
  return code;
}

size_t uvow_results_count(const uvow_results_t *results) {
  return results ? results->count : 0;
}

int uvow_results_get(const uvow_results_t *results, size_t i,
                     uvow_result_t *ret_result) {
  if (!results || i >= results->count)
    return UVOW_EINVAL;
  const struct slot *slot = &results->slots[i];
  if (slot->u.done.value.type == &uvow__type_shared) {
    uvow__future_result((uvow_future_t *)slot->u.done.value.as.ptr, ret_result);
    return 0;
  }
  ret_result->loop = uvow__runtime_loop(results->rt);
  ret_result->error = slot->u.done.error;
  ret_result->value = slot->u.done.value;
  ret_result->source = NULL;
  return 0;
}
