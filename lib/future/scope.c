/*
 * Scopes: futures that are canceled together and awaited together.
 *
 *   OPEN --close, free, the deadline, the outer's end--> ended
 *
 * 1. A member is a root in whose tail the future lies that was given: watched
 *    until it is settled, cleanups included, also when the member is settled
 *    before (its own cancel, the deadline).
 * 2. busy: its members' futures that are pending, and inner scopes that are
 *    busy. At 0 whoever waits for idle goes on.
 * 3. Inner scopes end before the outer's members are canceled; without recursion.
 * 4. A scope's memory goes when it is freed, isn't busy, and has no inner scope.
 * 5. The deadline holds the loop while the scope is busy.
 */
#include <uvow/scope.h>

#include "fail.h"
#include "gate.h"

struct uvow_scope {
  uvow__runtime_t *rt;
  uvow_scope_t *outer;  /* NULL: none */
  uvow__list_t link;    /* in outer's inner */
  uvow__list_t inner;   /* scopes that aren't freed */
  uvow__list_t members; /* that aren't canceled */
  uvow__gate_t idle;
  uvow__deadline_t deadline;
  uint64_t due_ns; /* of the deadline, about; 0: none */
  size_t busy;
  int holds; /* the loop */
  int code;  /* it has ended so; 0: it's open */
  int freed;
  unsigned pins;
};

typedef struct member {
  uvow__task_t task;
  uvow__list_t link;
  uvow_scope_t *scope;
  uvow_future_t *f; /* owned */
} member_t;

_Static_assert(sizeof(member_t) <= UVOW__BLOCK_TAIL, "a tail holds it");

static member_t *member_of(uvow_future_t *root) {
  return (member_t *)(void *)(root + 1);
}

/* See (5). */
static void set_hold(uvow_scope_t *scope) {
  int holds = scope->busy && uvow__deadline_armed(&scope->deadline);
  if (holds == scope->holds)
    return;
  scope->holds = holds;
  scope->rt->holds += holds ? (size_t)1 : (size_t)-1;
  uvow__runtime_poke(scope->rt);
}

/* See (4). */
static void unpin(uvow_scope_t *scope) {
  scope->pins--;
  while (scope && scope->freed && !scope->pins && !scope->busy &&
         uvow__list_empty(&scope->inner)) {
    uvow_scope_t *outer = scope->outer;
    uvow__runtime_t *rt = scope->rt;
    uvow__list_remove(&scope->link);
    uvow__free(&rt->mem, scope);
    rt->pins--;
    if (rt->closed)
      uvow__runtime_maybe_release(rt);
    scope = outer;
  }
}

static void busier(uvow_scope_t *scope) {
  for (; scope && scope->busy++ == 0; scope = scope->outer)
    set_hold(scope);
}

static void less_busy(uvow_scope_t *scope) {
  scope->pins++;
  for (uvow_scope_t *at = scope; at && --at->busy == 0; at = at->outer) {
    set_hold(at);
    uvow__gate_pass(&at->idle);
  }
  unpin(scope);
}

/* What was given is settled. */
static void run_member(uvow__task_t *task) {
  member_t *member = UVOW__CONTAINER(task, member_t, task);
  uvow_future_t *root = (uvow_future_t *)(void *)member - 1;
  uvow_scope_t *scope = member->scope;
  uvow_future_t *f = member->f;
  uvow__list_remove(&member->link);
  if (root->state == UVOW_PENDING)
    uvow__future_forward(root, f);
  uvow_future_unref(f);
  uvow_future_unref(root);
  less_busy(scope);
}

/* Nobody wants the member: what it watches is given up, and watched on. */
static void reject_member(uvow_future_t *root, int code) {
  member_t *member = member_of(root);
  uvow_future_t *f = uvow_future_ref(member->f);
  uvow__list_remove(&member->link);
  uvow__future_reject_code(root, code);
  if (f->state == UVOW_PENDING && f->refs <= 3 &&
      f->reactions.next == f->reactions.prev)
    (void)uvow_future_cancel(f);
  uvow_future_unref(f);
}

/* Cancels the members of one. */
static void end_members(uvow_scope_t *scope, int code) {
  scope->code = code;
  uvow__wheel_disarm(&scope->deadline);
  set_hold(scope);
  while (!uvow__list_empty(&scope->members)) {
    member_t *member = UVOW__CONTAINER(scope->members.next, member_t, link);
    uvow_future_t *root = (uvow_future_t *)(void *)member - 1;
    uvow_future_t *f = uvow_future_ref(member->f);
    uvow__list_remove(&member->link);
    if (code == UVOW_ETIMEDOUT && root->state == UVOW_PENDING) {
      root->flags |= UVOW__OBSERVED;
      uvow__future_reject_code(root, code);
    }
    (void)uvow_future_cancel(f);
    uvow_future_unref(f);
  }
}

static uvow_scope_t *open_inner(uvow_scope_t *scope) {
  for (uvow__list_t *at = scope->inner.next; at != &scope->inner;
       at = at->next) {
    uvow_scope_t *inner = UVOW__CONTAINER(at, uvow_scope_t, link);
    if (!inner->code)
      return inner;
  }
  return NULL;
}

/* See (3). */
static void end(uvow_scope_t *scope, int code) {
  uvow_scope_t *at = scope;
  scope->pins++;
  while (!scope->code) {
    uvow_scope_t *inner = open_inner(at);
    if (inner) {
      at = inner;
      continue;
    }
    uvow_scope_t *outer = at->outer;
    end_members(at, code);
    at = at == scope ? scope : outer;
  }
  unpin(scope);
}

static void expire(uvow__deadline_t *deadline) {
  uvow_scope_t *scope = UVOW__CONTAINER(deadline, uvow_scope_t, deadline);
  end(scope, UVOW_ETIMEDOUT);
}

static uvow_scope_t *scope_new(uvow__runtime_t *rt) {
  if (rt->closed)
    return (uvow_scope_t *)uvow__refuse(uvow__runtime_loop(rt), UVOW_ECLOSED,
                                        uvow__fail_closed, NULL);
  uvow_scope_t *scope = (uvow_scope_t *)uvow__calloc(&rt->mem, sizeof(*scope));
  if (!scope)
    return NULL;
  scope->rt = rt;
  uvow__list_init(&scope->link);
  uvow__list_init(&scope->inner);
  uvow__list_init(&scope->members);
  uvow__gate_init(&scope->idle, rt);
  uvow__deadline_init(&scope->deadline, expire);
  rt->pins++;
  return scope;
}

uvow_scope_t *uvow_scope_new(uvow_loop_t *loop) {
  return loop ? scope_new(uvow__runtime_of(loop)) : NULL;
}

uvow_scope_t *uvow_scope_nest(uvow_scope_t *outer) {
  uvow_scope_t *scope = outer ? scope_new(outer->rt) : NULL;
  if (!scope)
    return NULL;
  scope->outer = outer;
  scope->code = outer->code;
  uvow__list_append(&outer->inner, &scope->link);
  return scope;
}

uvow_future_t *uvow_scope_add(uvow_scope_t *scope, uvow_future_t *f) {
  if (!scope || !f)
    return f;
  uvow_future_t *root =
      uvow__future_new(scope->rt, 2, UVOW__BLOCK | UVOW__PROMISE | UVOW__OWNED);
  if (!root) {
    uvow_future_unref(f);
    return NULL;
  }
  int code = f->rt == scope->rt ? scope->code : UVOW_EINVAL;
  root->cb.reject = reject_member;
  if (code) {
    uvow__future_reject_code(root, code);
    if (f->rt == scope->rt)
      uvow__future_drop(f);
    else
      uvow_future_unref(f);
    uvow_future_unref(root);
    return root;
  }
  member_t *member = member_of(root);
  uvow__task_init(&member->task, run_member);
  member->scope = scope;
  member->f = f;
  uvow__list_append(&scope->members, &member->link);
  busier(scope);
  uvow__future_watch(f, &member->task);
  return root;
}

int uvow_scope_timeout(uvow_scope_t *scope, uint64_t timeout_ms) {
  if (!scope)
    return UVOW_EINVAL;
  if (scope->code)
    return 0;
  uint64_t ms = timeout_ms < UVOW__MS_MAX ? timeout_ms : UVOW__MS_MAX;
  uint64_t due_ns = uvow__runtime_now(scope->rt) + ms * UVOW__NS_PER_MS;
  if (scope->due_ns && scope->due_ns <= due_ns)
    return 0;
  scope->due_ns = due_ns;
  uvow__wheel_disarm(&scope->deadline);
  uvow__runtime_arm(scope->rt, &scope->deadline, ms);
  set_hold(scope);
  return 0;
}

uvow_future_t *uvow_scope_idle(uvow_scope_t *scope) {
  uvow_future_t *f = scope ? uvow__gate_wait(&scope->idle) : NULL;
  if (f && scope->busy == 0)
    uvow__gate_pass(&scope->idle);
  return f;
}

uvow_future_t *uvow_scope_close(uvow_scope_t *scope) {
  if (!scope)
    return NULL;
  end(scope, UVOW_ECANCELED);
  return uvow_scope_idle(scope);
}

void uvow_scope_free(uvow_scope_t *scope) {
  if (!scope)
    return;
  scope->pins++;
  end(scope, UVOW_ECANCELED);
  scope->freed = 1;
  unpin(scope);
}
