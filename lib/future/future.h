#ifndef UVOW__FUTURE_H
#define UVOW__FUTURE_H

#include "runtime.h"

#include <assert.h>

/* Bits of a future's flags. */
enum {
  UVOW__PROMISE = 1,  /* its promise is still out */
  UVOW__WAITS = 2,    /* stands in another's list (or the queue): see wait */
  UVOW__OBSERVED = 4, /* had a reaction, or was reported */
  UVOW__BLOCK = 8,    /* has a tail; lives in the pool of blocks */
  UVOW__TIMED = 16,   /* its tail holds a deadline that settling disarms */
  UVOW__FINALLY = 32, /* its callback runs also when it is canceled */
  UVOW__OWNED = 64,   /* an inner root; a request holds its own end */
  UVOW__LAST = 128,   /* the runtime is closed, and waits for it to be freed */
  UVOW__INNER = 256,  /* a root whose owner rejects it itself: see cb.reject */
  UVOW__CANCELED = 512, /* was canceled, though it may be pending still */
  UVOW__TELLS = 1024,   /* its task is the entry of on_cancel */
  UVOW__REPORTS = 2048, /* its task is in a list of unhandled rejections */
  UVOW__OWNS = 4096,    /* its data lives as long as it does */
  UVOW__KINDS = 24576,  /* two bits: see uvow__future_kind_of */
  UVOW__MARKED = 32768, /* settled: its reactions marked a place in the queue */
  UVOW__LOOSE = 32768   /* pending: nobody will settle it; see loose.h */
};

/* What an UVOW__OWNED one is, for reports. */
enum {
  UVOW__KIND_REQUEST,
  UVOW__KIND_FIBER,
  UVOW__KIND_SYSTEM,
  UVOW__KIND_STREAM
};
#define UVOW__KIND_SHIFT 13

/* More is to be done than to give its block back. */
#define UVOW__FREED_SLOWLY                                                     \
  (UVOW__BLOCK | UVOW__LAST | UVOW__OWNS | UVOW__MARKED)

/*
 * A link of a chain: the future, and, until it has run, the reaction to the
 * future before it. 96 bytes on 64-bit machines (F10).
 */
struct uvow_future {
  uvow__task_t task; /* waiting: in source's reactions, then in the queue */
  uvow__runtime_t *rt;
  uint32_t refs;
  uint16_t flags;
  uint8_t state; /* uvow_state_t; 0: free */
  uint8_t spare; /* a stream's: UVOW__MARK_*; a loose link's: it hangs */
  union {
    struct {
      uvow_future_t *source; /* owned */
      union {
        uvow_then_cb on_error;
        uvow_future_t *origin; /* finally waits, and will pass this on */
      } u;
    } wait;
    uvow_value_t value;
    uvow_error_t *error;
    struct {
      uvow_future_t *next;
      uint64_t key;
    } line; /* of a pending UVOW__OWNED one: its owner's, to put some in order
             */
  } u;
  union {
    uvow_then_cb then;
    uvow_finally_cb finally;
    uvow_done_cb done;
    uvow_cancel_cb cancel; /* of a root: its promise's owner */
    /* Of an UVOW__INNER or UVOW__OWNED one. */
    void (*reject)(uvow_future_t *f, int code);
  } cb;
  void *data;
  union {
    uvow_destroy_cb destroy; /* of data, until it's told: see tell.h */
    uvow_done_cb done;       /* of an UVOW__OWNED one: its own end, or NULL */
  } end;
  /* Of uvow__task_t. Once it's settled, a mark in the queue behind those that
   * wait there, or empty. */
  uvow__list_t reactions;
#ifdef UVOW_DEBUG
  const char *name;
  size_t generation; /* of the block: see misuse.h */
#endif
};

/* What an UVOW__OWNED future is: UVOW__KIND_*. */
static inline unsigned uvow__future_kind_of(const uvow_future_t *f) {
  return (f->flags & UVOW__KINDS) >> UVOW__KIND_SHIFT;
}
static inline void uvow__future_set_kind(uvow_future_t *f, unsigned kind) {
  f->flags |= (uint16_t)(kind << UVOW__KIND_SHIFT);
}

#define UVOW__BLOCK_TAIL 72

/* A future with a tail: what a request or a timer adds to it. */
typedef struct uvow__block {
  uvow_future_t future;
  union {
    uint64_t align;
    unsigned char bytes[UVOW__BLOCK_TAIL];
  } tail;
} uvow__block_t;

/* Copies a value as two halves. Mostly each half was stored a moment ago, and a
 * processor forwards a store only to a load that isn't wider. */
static inline void uvow__value_copy(uvow_value_t *to,
                                    const uvow_value_t *from) {
  to->type = from->type;
  to->as = from->as;
}

/* A pending future with `refs` owners; flags as given; NULL: no memory, or the
 * runtime is closed. With UVOW__BLOCK it has a tail, undefined. Inline, as what
 * follows: a link's whole life is a few dozen instructions. */
static inline uvow_future_t *uvow__future_new(uvow__runtime_t *rt,
                                              unsigned refs, unsigned flags) {
  uvow__check_asked(rt);
  uvow_future_t *f = (uvow_future_t *)uvow__pool_take(
      flags & UVOW__BLOCK ? &rt->blocks : &rt->links);
  if (!f)
    return NULL;
  f->rt = rt;
  f->refs = refs;
  f->flags = (uint16_t)flags;
  f->state = UVOW_PENDING;
  f->spare = 0; /* so that the three are one store */
  f->cb.then = NULL;
  f->data = NULL;
  f->end.done = NULL;
  uvow__list_init(&f->reactions);
#ifdef UVOW_DEBUG
  f->name = NULL;
#endif
  return f;
}

/* promise_new and then where there is no free link, or a NULL. In another file
 * than those: inlined, they would make them save registers on every call. */
UVOW__APART uvow_future_t *
uvow__promise_new_slowly(uvow_loop_t *loop, uvow_promise_t **ret_promise);
UVOW__APART uvow_future_t *
uvow__future_then_slowly(uvow_future_t *f, uvow_then_cb on_value, void *data);

/* Its last owner has gone. */
UVOW__APART void uvow__future_free(uvow_future_t *f);
/* Its block, once all that it held is released. */
void uvow__future_give_back(uvow_future_t *f);

/* Whether a fulfilled future's value owns nothing. */
static inline int uvow__future_is_plain(const uvow_future_t *f) {
  return !f->u.value.type || !f->u.value.type->destroy;
}

/* Its block is free from now on. */
static inline void uvow__future_mark_free(uvow_future_t *f) {
  f->state = 0;
#ifdef UVOW_DEBUG
  f->generation++;
#endif
}

/* uvow_future_unref where speed matters. f isn't NULL. */
static inline void uvow__future_unref(uvow_future_t *f) {
  if (--f->refs)
    return;
  if (f->state != UVOW_FULFILLED || (f->flags & UVOW__FREED_SLOWLY) ||
      !uvow__future_is_plain(f)) {
    uvow__future_free(f);
    return;
  }
  uvow__future_mark_free(f);
  uvow__pool_give(&f->rt->links, f);
}

/* The same for a fulfilled one whose value owns nothing. */
static inline void uvow__future_unref_plain(uvow_future_t *f) {
  if (--f->refs)
    return;
  if (f->flags & UVOW__FREED_SLOWLY) {
    uvow__future_free(f);
    return;
  }
  uvow__future_mark_free(f);
  uvow__pool_give(&f->rt->links, f);
}

/* Of one that is being settled: disarms its deadline. */
UVOW__APART void uvow__future_disarm(uvow_future_t *f);

/* Marks the place behind its reactions, which went to the roots: what is
 * attached to it within a drain goes there, and not before them. Sees to it
 * that a drain comes. */
UVOW__APART void uvow__future_mark(uvow_future_t *f);

/* As announce, of one without a deadline, within a drain, or that nobody owns
 * but its first reaction: it needs no mark. */
static inline void uvow__future_announce_alone(uvow_future_t *f) {
  if (uvow__list_empty(&f->reactions))
    return;
  uvow__list_splice(f->rt->queue.in, &f->reactions);
  uvow__runtime_poke(f->rt);
}

/* State and content are set: the reactions may go. The caller has a reference.
 * Who has a third could attach another reaction. */
static inline void uvow__future_announce(uvow_future_t *f) {
  if (f->flags & UVOW__TIMED)
    uvow__future_disarm(f);
  if (uvow__list_empty(&f->reactions))
    return;
  uvow__list_splice(f->rt->queue.in, &f->reactions);
  if (f->refs > 2 && uvow__queue_is_outside(&f->rt->queue))
    uvow__future_mark(f);
  else
    uvow__runtime_poke(f->rt);
}

/* Settles a pending future and queues its reactions. Takes value or error. */
static inline void uvow__future_fulfill(uvow_future_t *f, uvow_value_t value) {
  assert(f->state == UVOW_PENDING);
  f->state = UVOW_FULFILLED;
  uvow__value_copy(&f->u.value, &value);
  uvow__future_announce(f);
}
void uvow__future_reject(uvow_future_t *f, uvow_error_t *error);
UVOW__APART void uvow__future_reject_code(uvow_future_t *f, int code);
/* Settles as a settled future was. Borrows it. */
void uvow__future_forward(uvow_future_t *f, uvow_future_t *settled);
/* One more owner, of a type that has a ref. */
static inline void uvow__value_ref(uvow__runtime_t *rt,
                                   const uvow_value_t *value) {
  const char *before = uvow__ask(rt, "a type's ref");
  value->type->ref(value->as.ptr);
  uvow__answered(rt, before);
}
/* The value of a fulfilled future, for one more owner: now the caller's.
 * Borrows f; whoever owns f alone gets the value itself, and f is left without.
 */
uvow_value_t uvow__future_share(uvow_future_t *f);
/* Why a value can't be taken whose type isn't as long as ours: 0, it can: there
 * is none, or it is of a newer program, and says nothing that we don't know;
 * what uvow__type_failed says; UVOW_ETYPE. */
int uvow__value_fault(const uvow_value_t *value);
/* As fulfill, for a value from a user: an unknown type rejects (UVOW_ETYPE). */
static inline void uvow__future_fulfill_checked(uvow_future_t *f,
                                                uvow_value_t value) {
  int fault = value.type && value.type->size != sizeof(uvow_type_t)
                  ? uvow__value_fault(&value)
                  : 0;
  if (fault)
    uvow__future_reject_code(f, fault);
  else
    uvow__future_fulfill(f, value);
}

/* Whether f may wait for inner: 0, UVOW_ENOMEM (NULL), UVOW_EINVAL (another
 * loop's), UVOW_ECYCLE (inner waits for f). */
int uvow__future_adoptable(uvow_future_t *f, uvow_future_t *inner);
/* Lets a pending future, in no list, follow another, or rejects it where that
 * can't be. Takes `inner`, and one reference of f. */
void uvow__future_adopt(uvow_future_t *f, uvow_future_t *inner);

/* The task of a reaction to a settled one, where others may wait, or to a loose
 * one. */
UVOW__APART void uvow__future_push_behind(uvow_future_t *f, uvow__task_t *task);

/* Runs the task when f is settled; borrows f, which must stay owned until then.
 * uvow__task_cancel undoes it. */
UVOW__WITHIN void uvow__future_watch(uvow_future_t *f, uvow__task_t *task) {
  f->flags |= UVOW__OBSERVED;
  if (f->flags & UVOW__MARKED) /* or UVOW__LOOSE */
    uvow__future_push_behind(f, task);
  else if (f->state == UVOW_PENDING)
    uvow__list_append(&f->reactions, &task->link);
  else if (uvow__queue_is_outside(&f->rt->queue) ||
           !uvow__list_empty(&f->rt->queue.torn))
    uvow__future_push_behind(f, task);
  else
    uvow__runtime_push(f->rt, task);
}

/* The link waits for `source`, which it takes, and then runs. One reference of
 * f belongs to the wait. */
static inline void uvow__future_wait(uvow_future_t *f, uvow_future_t *source,
                                     void (*run)(uvow__task_t *task)) {
  f->flags |= UVOW__WAITS;
  f->u.wait.source = source;
  f->task.run = run;
  uvow__future_watch(source, &f->task);
}

/* The wait is over. Returns its source, now the caller's. */
static inline uvow_future_t *uvow__future_unwait(uvow_future_t *f) {
  f->flags &= (uint16_t)~UVOW__WAITS;
  return f->u.wait.source;
}
/* Takes f from who waited for it: cancels it if nobody else does, and so up the
 * chain. Accepts NULL. */
void uvow__future_drop(uvow_future_t *f);
/* The loop goes away: rejects f, which is pending, with UVOW_ECLOSED if it
 * waits for no other future. */
void uvow__future_close(uvow_future_t *f);
/* Rejects f, which follows another, and lets go of that. */
void uvow__future_leave(uvow_future_t *f, int code);
/* f is canceled, pending, in no list, and waits for nothing any more: rejects
 * it, and what is canceled and only waited for it, down to the first cleanup.
 * Takes a reference of f. */
void uvow__cancel_go_down(uvow_future_t *f);

/* Whether a task is that of a future that follows another. */
int uvow__task_is_adopt(const uvow__task_t *task);
/* Whether a task is that of a then, finally or done link. */
int uvow__task_is_link(const uvow__task_t *task);
/* Whether f's cleanup runs, or is to run without a source, or is waited for. */
int uvow__link_cleans(const uvow_future_t *f);
/* What a cleanup that is waited for passes on, owned; or NULL. */
uvow_future_t *uvow__link_origin(const uvow_future_t *f);
/* f is canceled: its callbacks won't run, but for a cleanup. */
void uvow__link_pass_by(uvow_future_t *f);
/* f, a finally link that waits for nothing, runs its cleanup. Takes the wait's
 * reference. */
void uvow__link_begin_cleanup(uvow_future_t *f);
/* Whether nobody but this reaction waits for f, which may be NULL, or holds it.
 * Not where f is loose: then it's freed, with all above it, once it's let go. */
static inline int uvow__only_waits(const uvow_future_t *f,
                                   const uvow__task_t *task) {
  return f && f->state == UVOW_PENDING && !(f->flags & UVOW__LOOSE) &&
         f->refs == 2 && f->reactions.next == &task->link &&
         f->reactions.prev == &task->link;
}
/* The future that a reaction settles, or NULL: none that is known. */
uvow_future_t *uvow__task_target(const uvow__task_t *task);

/* cycle.c. Whether inner waits for f, as far as it looks. */
int uvow__future_is_cycle(const uvow_future_t *f, const uvow_future_t *inner);

/* combine.c. The group whose slot this task is of, as its future; or NULL. */
uvow_future_t *uvow__group_of(const uvow__task_t *task);
/* Whether f is the future of a group that waits. */
int uvow__is_group(const uvow_future_t *f);
/* What the group's slot number i waits for, or NULL. Returns 0: there are not
 * so many. */
int uvow__group_source(const uvow_future_t *f, size_t i,
                       const uvow_future_t **ret_source);
/* A group is to be canceled: its task goes to the list. */
void uvow__group_enlist(uvow_future_t *f, uvow__list_t *groups);
/* A group of the list: cancels what only it waits for, by `cancel`. */
void uvow__group_cancel(uvow__task_t *task,
                        void (*cancel)(uvow_future_t *f, uvow__list_t *groups),
                        uvow__list_t *groups);
/* What a canceled group's slot waited for is settled, and out of the slot's
 * reach. Returns the group's future, with a reference, if that was the last. */
uvow_future_t *uvow__group_lost(uvow__task_t *task);

/* retry.c, the same. */
uvow_future_t *uvow__retry_of(const uvow__task_t *task);
/* The attempt that f, a retry's, waits for; or NULL. */
uvow_future_t *uvow__retry_attempt(const uvow_future_t *f);
/* f is canceled, and waits for its attempt, but for no pause or deadline. */
void uvow__retry_cancel(uvow_future_t *f);
uvow_future_t *uvow__retry_lost(uvow__task_t *task);

/* Calls cb for each future of the loop that is alive, settled or not. */
typedef void (*uvow__future_cb)(uvow_future_t *f, void *data);
void uvow__future_walk(uvow__runtime_t *rt, uvow__future_cb cb, void *data);
/* Its name, or NULL. Static text. */
const char *uvow__future_name(const uvow_future_t *f);
/* What it is, in a word. Static text. */
const char *uvow__future_kind(const uvow_future_t *f);

/* A value that couldn't be made: as.i64 is the code. It has no size, so nobody
 * takes it for a value. */
extern const uvow_type_t uvow__type_failed;
static inline uvow_value_t uvow__value_failed(int code) {
  uvow_value_t failed = uvow_value_int64(code);
  failed.type = &uvow__type_failed;
  return failed;
}
/* A value in another future: its pointer is that future, owned. */
extern const uvow_type_t uvow__type_shared;

/* What a callback sees of a settled future. Borrowed. */
static inline void uvow__future_result(uvow_future_t *f, uvow_result_t *ret) {
  ret->loop = uvow__runtime_loop(f->rt);
  ret->source = f;
  if (f->state == UVOW_FULFILLED) {
    if (f->u.value.type == &uvow__type_shared)
      ret->source = (uvow_future_t *)f->u.value.as.ptr;
    ret->error = NULL;
    uvow__value_copy(&ret->value, &ret->source->u.value);
  } else {
    ret->error = f->u.error;
    ret->value = uvow_value_none();
  }
}

/* Settles f by a callback's answer to `source`. Takes what next owns, and one
 * reference of f. */
UVOW__APART void uvow__future_next(uvow_future_t *f, const uvow_next_t *next,
                                   uvow_future_t *source);
/* The error of an answer that is one. Takes it. */
uvow_error_t *uvow__next_error(uvow_future_t *f, const uvow_next_t *next);
/* Releases a callback's answer that nobody takes, but for a value: that is the
 * caller's, who releases it last (see uvow__tell_rest). */
uvow_value_t uvow__next_left(const uvow_next_t *next);
/* The same with the value: the last that its caller does. */
void uvow__next_drop(uvow_next_t *next);
/* The last that its caller does: it may be code of the application's. */
static inline void uvow__value_drop(uvow_value_t *value) {
  if (value->type && value->type->destroy)
    value->type->destroy(value->as.ptr);
}

#endif
