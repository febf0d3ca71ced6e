/*
 * Promises settled by other threads.
 *
 *   new (loop) -> out -> settle (any thread) -> mailbox -> on_mail (loop)
 *                  |                              -> the future settles
 *                  +-- loop closes: dropped -> settle frees it, there
 *
 * 1. The lock guards the mail, `closed`, the number of owners, and each
 *    promise's `unwanted` and `posted`; everything else belongs to the loop's
 *    thread.
 * 2. uv_async_send is called under the lock and only while not closed: so never
 *    on a handle that closes.
 * 3. The mailbox is freed by its last owner: the loop, or the thread of one that was dropped.
 *    It carries its own copy of the allocator, as the loop may be gone.
 * 4. One uv_async_t a loop, made with its first thread promise; it holds the uv
 *    loop while someone waits for a promise that is out.
 */
#include "thread.h"

#include <string.h>

#include <uv.h>

#include "future/fail.h"
#include "future/tell.h"
#include "loop.h"

#define DETAIL_MAX 120

struct uvow_thread_promise {
  uvow__list_t link; /* of those that are out; loop thread */
  uvow_thread_promise_t *next_mail;
  uvow__mailbox_t *mailbox;
  uvow_promise_t *promise; /* NULL: dropped */
  uvow_future_t *future;   /* the promise's: borrowed while that is out */
  uvow__task_t task;       /* releases a value that nobody wants any more */
  int unwanted;
  int posted;
  int holds;
  int code; /* 0: fulfilled */
  uvow_value_t value;
  char detail[DETAIL_MAX];
};

struct uvow__mailbox {
  uvow__mem_t mem;
  uv_mutex_t lock;
  uvow_thread_promise_t *mail; /* newest first */
  size_t owners;
  int closed;
  /* Of the loop's thread. */
  uvow__resident_t resident;
  uvow_loop_t *loop;
  uv_async_t async;
  uvow__closing_t closing;
  uvow__list_t out;
  size_t holds;
};

static void unref(uvow__mailbox_t *box) {
  uv_mutex_lock(&box->lock);
  size_t owners = --box->owners;
  uv_mutex_unlock(&box->lock);
  if (owners)
    return;
  uvow__mem_t mem = box->mem;
  uv_mutex_destroy(&box->lock);
  uvow__free(&mem, box);
}

static void set_hold(uvow__mailbox_t *box) {
  if (box->holds)
    uv_ref((uv_handle_t *)&box->async);
  else
    uv_unref((uv_handle_t *)&box->async);
}

static void unhold(uvow_thread_promise_t *p) {
  if (!p->holds)
    return;
  p->holds = 0;
  p->mailbox->holds--;
  set_hold(p->mailbox);
}

/* Frees p, and last its value: its destroy is the application's. */
static void release_value(uvow_thread_promise_t *p) {
  uvow__mailbox_t *box = p->mailbox;
  uvow_value_t value = p->value;
  uvow__free(&box->mem, p);
  unref(box);
  uvow_value_clear(&value);
}

static void run_unwanted(uvow__task_t *task) {
  release_value(UVOW__CONTAINER(task, uvow_thread_promise_t, task));
}

/* Loop thread: what a thread said reaches the future. Frees p. */
static void deliver(uvow_thread_promise_t *p) {
  uvow__mailbox_t *box = p->mailbox;
  unhold(p);
  uvow__list_remove(&p->link);
  uvow__runtime_root(&box->loop->rt);
  if (p->code == 0 && p->future->state != UVOW_PENDING) {
    uvow_promise_drop(p->promise);
    p->task.run = run_unwanted;
    uvow__tell(&box->loop->rt, &p->task);
    return;
  }
  if (p->code)
    uvow_promise_reject_code(p->promise, p->code,
                             p->detail[0] ? p->detail : NULL);
  else
    uvow_promise_fulfill(p->promise, p->value);
  uvow__free(&box->mem, p);
  unref(box);
}

/* Newest first, as it's taken from the box; delivered oldest first. */
static void deliver_all(uvow_thread_promise_t *mail) {
  uvow_thread_promise_t *first = NULL;
  while (mail) {
    uvow_thread_promise_t *next = mail->next_mail;
    mail->next_mail = first;
    first = mail;
    mail = next;
  }
  while (first) {
    uvow_thread_promise_t *next = first->next_mail;
    deliver(first);
    first = next;
  }
}

static void on_mail(uv_async_t *async) {
  uvow__mailbox_t *box = (uvow__mailbox_t *)async->data;
  uvow_loop_t *loop = box->loop;
  uv_mutex_lock(&box->lock);
  uvow_thread_promise_t *mail = box->mail;
  box->mail = NULL;
  uv_mutex_unlock(&box->lock);
  uvow__runtime_enter(&loop->rt);
  deliver_all(mail);
  uvow__runtime_leave(&loop->rt);
}

static void on_async_closed(uv_handle_t *handle) {
  uvow__mailbox_t *box = (uvow__mailbox_t *)handle->data;
  uvow_loop_t *loop = box->loop;
  loop->rt.pins--;
  unref(box);
  uvow__loop_stream_closed(loop);
}

/* Under the lock: from here on p is its thread's alone. */
static void drop(uvow_thread_promise_t *p) {
  uvow_promise_t *promise = p->promise;
  uvow__list_remove(&p->link);
  p->promise = NULL;
  p->unwanted = 1;
  uvow_promise_reject_code(promise, UVOW_ECLOSED, NULL);
}

/* The loop closes: deliver what came, drop what is out. */
static void on_loop_close(uvow__resident_t *resident) {
  uvow__mailbox_t *box = UVOW__CONTAINER(resident, uvow__mailbox_t, resident);
  uv_mutex_lock(&box->lock);
  uvow_thread_promise_t *mail = box->mail;
  box->mail = NULL;
  box->closed = 1;
  uvow__list_t *at = box->out.next;
  while (at != &box->out) {
    uvow_thread_promise_t *p = UVOW__CONTAINER(at, uvow_thread_promise_t, link);
    at = at->next;
    if (!p->posted)
      drop(p);
  }
  uv_mutex_unlock(&box->lock);
  deliver_all(mail);
  box->loop->mailbox = NULL;
  uvow__loop_close_handle(box->loop, (uv_handle_t *)&box->async,
                          on_async_closed, &box->closing);
}

static uvow__mailbox_t *refuse(uvow_loop_t *loop, int rc) {
  return (uvow__mailbox_t *)uvow__refuse(loop, rc, NULL, NULL);
}

static uvow__mailbox_t *new_mailbox(uvow_loop_t *loop) {
  /* Threads settle and free: not the spares, which are the loop's alone. */
  const uvow__mem_t *mem = &loop->rt.plain;
  uvow__mailbox_t *box = (uvow__mailbox_t *)uvow__calloc(mem, sizeof(*box));
  if (!box)
    return refuse(loop, UVOW_ENOMEM);
  int rc = uv_mutex_init(&box->lock);
  if (rc) {
    uvow__free(mem, box);
    return refuse(loop, rc);
  }
  rc = uv_async_init(loop->uv, &box->async, on_mail);
  if (rc) {
    uv_mutex_destroy(&box->lock);
    uvow__free(mem, box);
    return refuse(loop, rc);
  }
  box->mem = *mem;
  box->loop = loop;
  box->owners = 1;
  box->async.data = box;
  box->resident.on_loop_close = on_loop_close;
  uvow__list_init(&box->out);
  set_hold(box);
  uvow__loop_enroll(loop, &box->resident);
  uvow__loop_stream_opened(loop);
  loop->mailbox = box;
  return box;
}

static void on_reject(uvow_future_t *f, int code) {
  uvow_thread_promise_t *p = (uvow_thread_promise_t *)f->data;
  f->flags |= UVOW__OBSERVED;
  uvow__future_reject_code(f, code);
  unhold(p);
  uv_mutex_lock(&p->mailbox->lock);
  p->unwanted = 1;
  uv_mutex_unlock(&p->mailbox->lock);
}

uvow_future_t *uvow_thread_promise_new(uvow_loop_t *loop,
                                       uvow_thread_promise_t **ret_promise) {
  if (!ret_promise)
    return (uvow_future_t *)uvow__refuse(loop, UVOW_EINVAL, "ret_promise",
                                         uvow__fail_null);
  *ret_promise = NULL;
  if (!loop)
    return NULL;
  if (loop->rt.closed)
    return (uvow_future_t *)uvow__refuse(loop, UVOW_ECLOSED, uvow__fail_closed,
                                         NULL);
  uvow__mailbox_t *box = loop->mailbox ? loop->mailbox : new_mailbox(loop);
  if (!box)
    return NULL;
  uvow_thread_promise_t *p =
      (uvow_thread_promise_t *)uvow__calloc(&box->mem, sizeof(*p));
  if (!p)
    return (uvow_future_t *)uvow__refuse(loop, UVOW_ENOMEM, NULL, NULL);
  uvow_future_t *f = uvow_promise_new(loop, &p->promise);
  if (!f) {
    uvow__free(&box->mem, p);
    return NULL;
  }
  f->flags |= UVOW__INNER;
  f->cb.reject = on_reject;
  f->data = p;
  p->future = f;
  p->mailbox = box;
  p->holds = 1;
  box->holds++;
  set_hold(box);
  uvow__list_append(&box->out, &p->link);
  uv_mutex_lock(&box->lock);
  box->owners++;
  uv_mutex_unlock(&box->lock);
  *ret_promise = p;
  return f;
}

/* Any thread: p is the mailbox's from here on. */
static void post(uvow_thread_promise_t *p) {
  uvow__mailbox_t *box = p->mailbox;
  uv_mutex_lock(&box->lock);
  int closed = box->closed;
  if (!closed) {
    int first = box->mail == NULL;
    p->posted = 1;
    p->next_mail = box->mail;
    box->mail = p;
    if (first)
      uv_async_send(&box->async);
  }
  uv_mutex_unlock(&box->lock);
  if (!closed)
    return;
  release_value(p);
}

void uvow_thread_promise_fulfill(uvow_thread_promise_t *promise,
                                 uvow_value_t value) {
  if (!promise) {
    uvow_value_clear(&value);
    return;
  }
  promise->value = value;
  post(promise);
}

void uvow_thread_promise_reject(uvow_thread_promise_t *promise, int code,
                                const char *detail) {
  if (!promise)
    return;
  promise->code = code < 0 ? code : UVOW_EINVAL;
  size_t len = detail ? strlen(detail) : 0;
  if (len >= DETAIL_MAX)
    len = DETAIL_MAX - 1;
  if (len)
    memcpy(promise->detail, detail, len);
  promise->detail[len] = '\0';
  post(promise);
}

void uvow_thread_promise_drop(uvow_thread_promise_t *promise) {
  uvow_thread_promise_reject(promise, UVOW_EBROKEN, NULL);
}

int uvow_thread_promise_canceled(uvow_thread_promise_t *promise) {
  if (!promise)
    return 1;
  uv_mutex_lock(&promise->mailbox->lock);
  int unwanted = promise->unwanted;
  uv_mutex_unlock(&promise->mailbox->lock);
  return unwanted;
}
