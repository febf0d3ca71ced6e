/*
 * The loop: a runtime driven by libuv.
 *
 *   uv reads, connects, closes -> enter .. leave     (tcp.c)
 *   uv_timer: a deadline is due -> enter, expire, leave
 *   uv_idle: user code outside of uvow queued something, or a turn was used up
 *            -> enter, leave
 *
 * 1. One timer for all deadlines. It's set to the first; when that one is
 *    disarmed the timer stays as it is and finds nothing: cheaper than moving
 *    it with every request.
 * 2. The timer holds the uv loop only while something that should is armed
 *    (rt.holds); the idle handle exists only while a drain is wanted.
 *    It also stands for a look at the sockets: a deadline that is noticed late.
 * 3. A handle that the application closes behind our back, as with an uv_walk
 *    over all, tells us nothing: at its own end we close another handle in its
 *    place. libuv tells in one turn what was closed before the last, in any
 *    order, so the second of two such handles is told behind all.
 * 4. Memory goes when the handles are closed and the last future is freed.
 * 5. A driven clock needs no timer: what is due as it's advanced happens in the
 *    next turn of libuv's, by the idle handle.
 */
#include "loop.h"

#include "base/spare.h"
#include "future/fail.h"
#include "future/future.h"

#include <stdio.h>
#include <string.h>

/* Write capacity above this isn't kept for the next turn. */
#define SPARE_WRITE_MAX (1024 * 1024)

static uint64_t clock_ns(uvow__runtime_t *rt) {
  (void)rt;
  return uv_hrtime();
}

static uvow_loop_t *loop_of(uvow__runtime_t *rt) {
  return (uvow_loop_t *)(void *)rt;
}

void uvow__loop_turn(uvow_loop_t *loop) {
  uvow__runtime_enter(&loop->rt);
  uvow__runtime_root(&loop->rt);
  loop->spent = 0;
  uvow__list_splice(loop->rt.queue.in, &loop->next_turn);
  if (loop->looks && --loop->looks == 0)
    uvow__runtime_looked(&loop->rt);
  if (loop->driven_ns)
    uvow__runtime_expire(&loop->rt);
  uvow__runtime_leave(&loop->rt);
}

static void on_idle(uv_idle_t *idle) {
  uvow__loop_turn((uvow_loop_t *)idle->data);
}

/* Returns 0: the handle is closing. */
static int start_idle(uvow_loop_t *loop) {
  if (uv_is_closing((uv_handle_t *)&loop->idle))
    return 0;
  loop->idles = 1;
  uv_idle_start(&loop->idle, on_idle);
  return 1;
}

/* libuv calls its idle handles before it polls: between two of their calls it
 * has polled once, and hasn't waited, as one was active. */
static void look(uvow__runtime_t *rt) {
  uvow_loop_t *loop = loop_of(rt);
  if (start_idle(loop))
    loop->looks = 2;
}

static void wake(uvow__runtime_t *rt) {
  start_idle(loop_of(rt));
}

void uvow__loop_next_turn(uvow_loop_t *loop, uvow__task_t *task) {
  uvow__list_append(&loop->next_turn, &task->link);
  wake(&loop->rt);
}

static void on_timer(uv_timer_t *timer) {
  uvow_loop_t *loop = (uvow_loop_t *)timer->data;
  loop->timer_due = 0;
  uvow__runtime_enter(&loop->rt);
  uvow__runtime_expire(&loop->rt);
  uvow__runtime_leave(&loop->rt);
}

static UVOW__APART void move_timer(uvow_loop_t *loop) {
  uint64_t due;
  if (!uvow__wheel_next(&loop->rt.wheel, &due)) {
    if (loop->timer_due)
      uv_timer_stop(&loop->timer);
    loop->timer_due = 0;
    return;
  }
  if (loop->driven_ns) {
    if (due <= loop->driven_ns / UVOW__NS_PER_MS)
      wake(&loop->rt);
    return;
  }
  if (!loop->timer_due || due < loop->timer_due) {
    uint64_t now = uv_now(loop->uv);
    if (uv_is_closing((uv_handle_t *)&loop->timer))
      return;
    loop->timer_due = due;
    uv_timer_start(&loop->timer, on_timer, due > now ? due - now : 1, 0);
  }
  int holds = loop->rt.holds != 0;
  if (holds == loop->timer_holds)
    return;
  loop->timer_holds = holds;
  if (holds)
    uv_ref((uv_handle_t *)&loop->timer);
  else
    uv_unref((uv_handle_t *)&loop->timer);
}

/* Mostly it stays as it is, which is known without a call. */
static inline void set_timer(uvow_loop_t *loop) {
  const uvow__wheel_t *wheel = &loop->rt.wheel;
  int stays = loop->timer_due ? loop->timer_due <= uvow__wheel_start(wheel) &&
                                    loop->timer_holds == (loop->rt.holds != 0)
                              : uvow__wheel_empty(wheel);
  if (!stays || loop->driven_ns)
    move_timer(loop);
}

static uvow_future_info_t info_of(uvow_future_t *f) {
  uvow_future_info_t info;
  UVOW_INIT(&info);
  info.future = f;
  info.state = uvow_future_state(f);
  info.name = uvow__future_name(f);
  info.kind = uvow__future_kind(f);
  info.owners = f->refs;
  return info;
}

static void report_leak(uvow_future_t *f, void *data) {
  uvow_loop_t *loop = (uvow_loop_t *)data;
  uvow_future_info_t info = info_of(f);
  if (loop->on_leak) {
    const char *before = uvow__ask(f->rt, "on_leak");
    loop->on_leak(&info, loop->user_data);
    uvow__answered(f->rt, before);
    return;
  }
#ifdef UVOW_DEBUG
  fprintf(stderr, "uvow: a future is owned still after its loop: %s\n",
          info.name ? info.name : "(no name)");
#endif
}

/* Once handles and streams are closed: says so, and lets the memory go. */
static UVOW__APART void maybe_closed(uvow_loop_t *loop) {
  if (loop->handles || loop->streams || loop->rt.entered ||
      loop->rt.closed == UVOW__RUNTIME_DONE)
    return;
  uvow_loop_closed_cb cb = loop->on_closed;
  void *data = loop->closed_data;
  uvow__future_walk(&loop->rt, report_leak, loop);
  uvow__runtime_done(&loop->rt);
  if (cb)
    cb(data);
}

static void rest(uvow__runtime_t *rt) {
  uvow_loop_t *loop = loop_of(rt);
  if (loop->closing && loop->idle_closing.handle) {
    maybe_closed(loop);
    return;
  }
  if (loop->idles && !rt->awake && !loop->looks &&
      uvow__list_empty(&loop->next_turn)) {
    loop->idles = 0;
    uv_idle_stop(&loop->idle);
  }
  set_timer(loop);
}

/* The buffers that all share go to the allocator, which lends them again, or
 * has no use for them. */
static int tidy(uvow__keeper_t *keeper) {
  uvow_loop_t *loop = UVOW__CONTAINER(keeper, uvow_loop_t, keeper);
  uvow__free(&loop->rt.mem, loop->spare_read);
  loop->spare_read = NULL;
  uvow__buf_clear(&loop->spare_write, UVOW__SPARE_MIN);
  uvow__buf_clear(&loop->scratch, UVOW__SPARE_MIN);
  uvow__buf_clear(&loop->params, UVOW__SPARE_MIN);
  return 0;
}

static void release(uvow__runtime_t *rt) {
  uvow_loop_t *loop = loop_of(rt);
  uvow__mem_t spares = rt->mem;
  uvow__mem_t mem = rt->plain;
  uvow__spares_tell(&spares, NULL, NULL);
  if (loop->free_spare_wslay)
    loop->free_spare_wslay(&spares, loop->spare_wslay);
  uvow__free(&spares, loop->spare_read);
  uvow__buf_done(&loop->spare_write);
  uvow__buf_done(&loop->scratch);
  uvow__buf_done(&loop->params);
  uvow__free(&mem, loop);
  uvow__spares_close(&spares);
}

static void unhandled(uvow__runtime_t *rt, const uvow_error_t *error) {
  uvow_loop_t *loop = loop_of(rt);
  if (loop->on_unhandled)
    loop->on_unhandled(loop, error, loop->user_data);
  else
    fprintf(stderr, "uvow: unhandled rejection: %s: %s\n",
            uvow_err_name(uvow_error_code(error)), uvow_error_message(error));
}

static void set_options(uvow_loop_t *loop, const uvow_loop_options_t *options) {
  loop->on_unhandled = options->on_unhandled;
  loop->on_leak = options->on_leak;
  loop->user_data = options->data;
  loop->rt.clock = clock_ns;
  loop->rt.wake = wake;
  loop->rt.rest = rest;
  loop->rt.look = look;
  loop->rt.release = release;
  loop->rt.on_unhandled = unhandled;
}

/* NULL: it can't be read, or lacks a function. */
static const uvow_allocator_t *allocator_of(const uvow_loop_options_t *options,
                                            uvow_allocator_t *own) {
  if (!options->allocator)
    return &uvow__mem_default;
  const uvow_allocator_t *mem = (const uvow_allocator_t *)uvow__options(
      options->allocator, own, sizeof(*own));
  if (!mem || !mem->malloc_cb || !mem->realloc_cb || !mem->free_cb)
    return NULL;
  return mem;
}

uvow_loop_t *uvow_loop_new(struct uv_loop_s *uv,
                           const uvow_loop_options_t *options) {
  uvow_loop_options_t own;
  uvow_allocator_t allocator;
  options = UVOW__OPTIONS(NULL, options, &own, uvow_loop_options_t);
  const uvow_allocator_t *mem =
      options ? allocator_of(options, &allocator) : NULL;
  uint64_t seed;
  if (!uv || !mem || uv_random(NULL, NULL, &seed, sizeof(seed), 0, NULL))
    return NULL;
  uvow_loop_t *loop = (uvow_loop_t *)uvow__calloc(mem, sizeof(*loop));
  if (!loop)
    return NULL;
  uvow__mem_t spares;
  if (uvow__spares_new(mem, &spares)) {
    uvow__free(mem, loop);
    return NULL;
  }
  uvow__runtime_init(&loop->rt, &spares, uv_hrtime());
  loop->rt.plain = *mem;
  uvow__spares_tell(&spares, &loop->rt.reason, &loop->rt.tidy);
  uvow__tidy_join(&loop->rt.tidy, &loop->keeper, tidy);
  uvow__buf_init(&loop->spare_write, &loop->rt.mem, SIZE_MAX);
  uvow__buf_init(&loop->scratch, &loop->rt.mem, SIZE_MAX);
  uvow__buf_init(&loop->params, &loop->rt.mem, SIZE_MAX);
  uvow__list_init(&loop->next_turn);
  uvow__list_init(&loop->residents);
  uvow__list_init(&loop->lingerers);
  loop->linger_max = UVOW__LINGER_MAX;
  uvow__list_init(&loop->strangers);
  loop->uv = uv;
  loop->rt.rng = seed;
  set_options(loop, options);
  /* Neither can fail: they only fill in the struct. */
  uv_timer_init(uv, &loop->timer);
  uv_idle_init(uv, &loop->idle);
  loop->handles = 2;
  loop->timer.data = loop->idle.data = loop;
  uv_unref((uv_handle_t *)&loop->timer);
  return loop;
}

/* What was told meanwhile runs first. */
static void closed_one(uvow_loop_t *loop) {
  uvow__runtime_enter(&loop->rt);
  uvow__runtime_leave(&loop->rt);
}

static void on_handle_closed(uv_handle_t *handle) {
  uvow_loop_t *loop = (uvow_loop_t *)handle->data;
  loop->handles--;
  closed_one(loop);
}

static void on_stand_in_closed(uv_handle_t *handle);

static void close_stand_in(uvow_loop_t *loop) {
  uv_idle_init(loop->uv, &loop->stand_in); /* it can't fail */
  loop->stand_in.data = loop;
  uv_close((uv_handle_t *)&loop->stand_in, on_stand_in_closed);
}

static void on_stand_in_closed(uv_handle_t *handle) {
  uvow_loop_t *loop = (uvow_loop_t *)handle->data;
  uvow__list_t told;
  if (--loop->rounds) {
    close_stand_in(loop);
    return;
  }
  uvow__list_init(&told);
  uvow__list_splice(&told, &loop->strangers);
  while (!uvow__list_empty(&told)) {
    uvow__closing_t *closing =
        UVOW__CONTAINER(told.next, uvow__closing_t, link);
    uvow__list_remove(&closing->link);
    closing->cb(closing->handle);
  }
  on_handle_closed(handle);
}

void uvow__loop_close_handle(uvow_loop_t *loop, uv_handle_t *handle,
                             uv_close_cb cb, uvow__closing_t *closing) {
  if (closing->handle)
    return;
  closing->handle = handle;
  closing->cb = cb;
  if (!uv_is_closing(handle)) {
    uv_close(handle, cb);
    return;
  }
  uvow__list_append(&loop->strangers, &closing->link);
  if (loop->rounds == 0) {
    loop->handles++;
    close_stand_in(loop);
  }
  loop->rounds = loop->rounds ? 3 : 2;
}

void uvow_loop_close(uvow_loop_t *loop, uvow_loop_closed_cb cb, void *data) {
  if (!loop || loop->rt.closed || loop->closing)
    return; /* from one of the callbacks that it causes */
  loop->closing = 1;
  loop->on_closed = cb;
  loop->closed_data = data;
  uvow__runtime_enter(&loop->rt);
  uvow__loop_drop_awaited(loop);
  while (!uvow__list_empty(&loop->residents)) {
    uvow__resident_t *resident =
        UVOW__CONTAINER(loop->residents.next, uvow__resident_t, link);
    uvow__list_remove(&resident->link);
    resident->on_loop_close(resident);
  }
  while (!uvow__list_empty(&loop->lingerers)) {
    uvow__lingerer_t *lingerer =
        UVOW__CONTAINER(loop->lingerers.next, uvow__lingerer_t, link);
    lingerer->stop(lingerer);
  }
  uvow__loop_close_handle(loop, (uv_handle_t *)&loop->timer, on_handle_closed,
                          &loop->timer_closing);
  uvow__loop_close_handle(loop, (uv_handle_t *)&loop->idle, on_handle_closed,
                          &loop->idle_closing);
  uvow__runtime_close(&loop->rt);
  uvow__runtime_leave(&loop->rt);
}

const uvow_error_t *uvow_loop_error(const uvow_loop_t *loop) {
  return uvow__failed((uvow_loop_t *)(uintptr_t)loop);
}

uvow_next_t uvow_next_failed(uvow_loop_t *loop) {
  const uvow_error_t *error = uvow__failed(loop);
  if (uvow_error_code(error) == 0)
    return uvow_next_code(UVOW_EINVAL, "no call has failed");
  return uvow_next_error(uvow_error_ref(error));
}

typedef struct walk {
  uvow_walk_cb cb;
  void *data;
  size_t count;
} walk_t;

static void walk_unsettled(uvow_future_t *f, void *data) {
  walk_t *walk = (walk_t *)data;
  if (f->state != UVOW_PENDING)
    return;
  uvow_future_info_t info = info_of(f);
  walk->count++;
  if (walk->cb) {
    const char *before = uvow__ask(f->rt, "a walk over futures");
    walk->cb(&info, walk->data);
    uvow__answered(f->rt, before);
  }
}

size_t uvow_loop_walk(uvow_loop_t *loop, uvow_walk_cb cb, void *data) {
  walk_t walk = {cb, data, 0};
  if (loop)
    uvow__future_walk(&loop->rt, walk_unsettled, &walk);
  return walk.count;
}

struct uv_loop_s *uvow_loop_uv(const uvow_loop_t *loop) {
  return loop ? loop->uv : NULL;
}

uint64_t uvow_loop_now(uvow_loop_t *loop) {
  return loop ? loop->rt.clock(&loop->rt) / UVOW__NS_PER_MS : 0;
}

static uint64_t driven_clock(uvow__runtime_t *rt) {
  return loop_of(rt)->driven_ns;
}

/* What was armed before is counted from before. A driven clock is at a whole ms:
 * deadlines are rounded up, and would else be due one later. */
int uvow_loop_advance(uvow_loop_t *loop, uint64_t ms) {
  if (!loop)
    return UVOW_EINVAL;
  uint64_t now = loop->rt.clock(&loop->rt);
  if (ms > (INT64_MAX - now) / UVOW__NS_PER_MS - 1)
    return uvow__fail(loop, UVOW_EINVAL, "ms", "is more than the clock holds");
  uvow__wheel_stamp(&loop->rt.wheel, now);
  if (!loop->driven_ns)
    uv_timer_stop(&loop->timer);
  loop->rt.clock = driven_clock;
  ms += (now + UVOW__NS_PER_MS - 1) / UVOW__NS_PER_MS;
  loop->driven_ns = ms * UVOW__NS_PER_MS;
  loop->rt.turn_ns = 0;
  wake(&loop->rt);
  return 0;
}

char *uvow__loop_take_read(uvow_loop_t *loop) {
  char *buffer = loop->spare_read;
  loop->spare_read = NULL;
  return buffer ? buffer
                : (char *)uvow__malloc(uvow__loop_mem(loop), UVOW__READ_SIZE);
}

void uvow__loop_give_read(uvow_loop_t *loop, char *buffer) {
  if (loop->spare_read)
    uvow__free(uvow__loop_mem(loop), buffer);
  else
    loop->spare_read = buffer;
}

/* Swaps the memory, not the limits. */
static void swap_memory(uvow__buf_t *a, uvow__buf_t *b) {
  uint8_t *data = a->data;
  size_t cap = a->cap;
  a->data = b->data;
  a->cap = b->cap;
  b->data = data;
  b->cap = cap;
}

void uvow__loop_lend_write(uvow_loop_t *loop, uvow__buf_t *buf) {
  if (buf->cap == 0)
    swap_memory(buf, &loop->spare_write);
}

void uvow__loop_return_write(uvow_loop_t *loop, uvow__buf_t *buf) {
  buf->off = buf->len = 0;
  if (loop->spare_write.cap == 0 && buf->cap <= SPARE_WRITE_MAX)
    swap_memory(buf, &loop->spare_write);
  uvow__buf_done(buf);
}

void uvow__loop_enroll(uvow_loop_t *loop, uvow__resident_t *resident) {
  loop->rt.pins++;
  uvow__list_append(&loop->residents, &resident->link);
}

void uvow__loop_depart(uvow_loop_t *loop, uvow__resident_t *resident) {
  (void)loop;
  uvow__list_remove(&resident->link);
}

void uvow__loop_unpin(uvow_loop_t *loop) {
  loop->rt.pins--;
  uvow__runtime_maybe_release(&loop->rt);
}

void uvow__loop_linger(uvow_loop_t *loop, uvow__lingerer_t *lingerer) {
  uvow__list_append(&loop->lingerers, &lingerer->link);
  if (++loop->lingering <= loop->linger_max)
    return;
  uvow__lingerer_t *first =
      UVOW__CONTAINER(loop->lingerers.next, uvow__lingerer_t, link);
  loop->crowded = 1;
  first->stop(first);
  loop->crowded = 0;
}

int uvow__loop_may_linger(const uvow_loop_t *loop) {
  return !loop->closing && !loop->crowded;
}

void uvow__loop_unlinger(uvow_loop_t *loop, uvow__lingerer_t *lingerer) {
  uvow__list_remove(&lingerer->link);
  loop->lingering--;
}

void uvow__loop_stream_opened(uvow_loop_t *loop) {
  loop->streams++;
}

void uvow__loop_stream_closed(uvow_loop_t *loop) {
  loop->streams--;
  if (loop->closing)
    closed_one(loop);
}
