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
 * 3. Memory goes when the handles are closed and the last future is freed.
 */
#include "loop.h"

#include "base/spare.h"
#include "future/future.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_MS 1000000u
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
  uvow__list_splice(loop->rt.queue.in, &loop->next_turn);
  if (loop->looks && --loop->looks == 0)
    uvow__runtime_looked(&loop->rt);
  uvow__runtime_leave(&loop->rt);
}

static void on_idle(uv_idle_t *idle) {
  uvow__loop_turn((uvow_loop_t *)idle->data);
}

/* libuv calls its idle handles before it polls: between two of their calls it
 * has polled once, and hasn't waited, as one was active. */
static void look(uvow__runtime_t *rt) {
  uvow_loop_t *loop = loop_of(rt);
  if (uv_is_closing((uv_handle_t *)&loop->idle))
    return;
  loop->looks = 2;
  uv_idle_start(&loop->idle, on_idle);
}

static void wake(uvow__runtime_t *rt) {
  uvow_loop_t *loop = loop_of(rt);
  if (!uv_is_closing((uv_handle_t *)&loop->idle))
    uv_idle_start(&loop->idle, on_idle);
}

void uvow__loop_next_turn(uvow_loop_t *loop, uvow__task_t *task) {
  uvow__list_append(&loop->next_turn, &task->link);
  wake(&loop->rt);
}

static void on_timer(uv_timer_t *timer) {
  uvow_loop_t *loop = (uvow_loop_t *)timer->data;
  uvow__runtime_enter(&loop->rt);
  uvow__runtime_expire(&loop->rt);
  uvow__runtime_leave(&loop->rt);
}

static void set_timer(uvow_loop_t *loop) {
  uint64_t due;
  int active = uv_is_active((uv_handle_t *)&loop->timer);
  if (!uvow__wheel_next(&loop->rt.wheel, &due)) {
    if (active)
      uv_timer_stop(&loop->timer);
    return;
  }
  if (!active || due < loop->timer_due) {
    uint64_t now = uv_now(loop->uv);
    loop->timer_due = due;
    uv_timer_start(&loop->timer, on_timer, due > now ? due - now : 1, 0);
  }
  if (loop->rt.holds)
    uv_ref((uv_handle_t *)&loop->timer);
  else
    uv_unref((uv_handle_t *)&loop->timer);
}

static uvow_future_info_t info_of(uvow_future_t *f) {
  uvow_future_info_t info;
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
    loop->on_leak(&info, loop->leak_data);
    return;
  }
#ifdef UVOW_DEBUG
  fprintf(stderr, "uvow: a future is owned still after its loop: %s\n",
          info.name ? info.name : "(no name)");
#endif
}

/* Once handles and streams are closed: says so, and lets the memory go. */
static void maybe_closed(uvow_loop_t *loop) {
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
  if (uv_is_closing((uv_handle_t *)&loop->idle)) {
    maybe_closed(loop);
    return;
  }
  if (!rt->awake && !loop->looks && uvow__list_empty(&loop->next_turn) &&
      uv_is_active((uv_handle_t *)&loop->idle))
    uv_idle_stop(&loop->idle);
  set_timer(loop);
}

static void release(uvow__runtime_t *rt) {
  uvow_loop_t *loop = loop_of(rt);
  uvow__mem_t spares = rt->mem;
  uvow__mem_t mem = rt->plain;
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
    loop->on_unhandled(loop, error, loop->unhandled_data);
  else
    fprintf(stderr, "uvow: unhandled rejection: %s: %s\n",
            uvow_err_name(uvow_error_code(error)), uvow_error_message(error));
}

static void set_options(uvow_loop_t *loop, const uvow_loop_options_t *options) {
  if (options) {
    loop->on_unhandled = options->on_unhandled;
    loop->unhandled_data = options->unhandled_data;
    loop->on_leak = options->on_leak;
    loop->leak_data = options->leak_data;
  }
  loop->rt.clock = clock_ns;
  loop->rt.wake = wake;
  loop->rt.rest = rest;
  loop->rt.look = look;
  loop->rt.release = release;
  loop->rt.on_unhandled = unhandled;
}

int uvow_loop_new(struct uv_loop_s *uv, const uvow_loop_options_t *options,
                  uvow_loop_t **ret_loop) {
  const uvow_allocator_t *mem = &uvow__mem_default;
  if (!uv || !ret_loop || (options && options->size != sizeof(*options)))
    return UVOW_EINVAL;
  if (options && options->allocator)
    mem = options->allocator;
  uvow_loop_t *loop = (uvow_loop_t *)uvow__calloc(mem, sizeof(*loop));
  if (!loop)
    return UVOW_ENOMEM;
  uvow__mem_t spares;
  int rc = uvow__spares_new(mem, &spares);
  if (rc) {
    uvow__free(mem, loop);
    return rc;
  }
  uvow__runtime_init(&loop->rt, &spares, uv_hrtime());
  loop->rt.plain = *mem;
  uvow__buf_init(&loop->spare_write, &loop->rt.mem, SIZE_MAX);
  uvow__buf_init(&loop->scratch, &loop->rt.mem, SIZE_MAX);
  uvow__buf_init(&loop->params, &loop->rt.mem, SIZE_MAX);
  uvow__list_init(&loop->next_turn);
  uvow__list_init(&loop->residents);
  uvow__list_init(&loop->lingerers);
  loop->uv = uv;
  set_options(loop, options);
  rc = uv_random(NULL, NULL, &loop->rt.rng, sizeof(loop->rt.rng), 0, NULL);
  if (rc) {
    uvow__free(mem, loop);
    uvow__spares_close(&spares);
    return rc;
  }
  /* Neither can fail: they only fill in the struct. */
  uv_timer_init(uv, &loop->timer);
  uv_idle_init(uv, &loop->idle);
  loop->handles = 2;
  loop->timer.data = loop->idle.data = loop;
  uv_unref((uv_handle_t *)&loop->timer);
  *ret_loop = loop;
  return 0;
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

void uvow_loop_close(uvow_loop_t *loop, uvow_loop_closed_cb cb, void *data) {
  if (loop->rt.closed || loop->closing)
    return; /* from one of the callbacks that it causes */
  loop->closing = 1;
  loop->on_closed = cb;
  loop->closed_data = data;
  uvow__runtime_enter(&loop->rt);
  while (!uvow__list_empty(&loop->residents)) {
    uvow__resident_t *resident =
        UVOW__CONTAINER(loop->residents.next, uvow__resident_t, link);
    uvow__list_remove(&resident->link);
    resident->evict(resident);
  }
  while (!uvow__list_empty(&loop->lingerers)) {
    uvow__lingerer_t *lingerer =
        UVOW__CONTAINER(loop->lingerers.next, uvow__lingerer_t, link);
    lingerer->stop(lingerer);
  }
  uv_close((uv_handle_t *)&loop->timer, on_handle_closed);
  uv_close((uv_handle_t *)&loop->idle, on_handle_closed);
  uvow__runtime_close(&loop->rt);
  uvow__runtime_leave(&loop->rt);
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
  if (walk->cb)
    walk->cb(&info, walk->data);
}

size_t uvow_loop_walk_futures(uvow_loop_t *loop, uvow_walk_cb cb, void *data) {
  walk_t walk = {cb, data, 0};
  uvow__future_walk(&loop->rt, walk_unsettled, &walk);
  return walk.count;
}

struct uv_loop_s *uvow_loop_uv(const uvow_loop_t *loop) {
  return loop->uv;
}

uint64_t uvow_loop_now(uvow_loop_t *loop) {
  return loop->rt.clock(&loop->rt) / NS_PER_MS;
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
  if (++loop->lingering <= UVOW__LINGER_MAX)
    return;
  uvow__lingerer_t *first =
      UVOW__CONTAINER(loop->lingerers.next, uvow__lingerer_t, link);
  first->stop(first);
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
