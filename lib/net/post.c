/*
 * Functions that other threads post to a loop.
 *
 *   post (any thread) -> posts -> on_posts (loop) -> a task each, a root -> cb
 *                           |
 *                           +-- the loop closes: what was posted runs, then
 *                               a post is refused
 *
 * 1. The lock guards posts, count, owners and closed; all else belongs to the
 *    loop's thread.
 * 2. uv_async_send is called under the lock, only while not closed: so never on
 *    a handle that closes.
 * 3. The owners are those of the application, and the loop while the handle is
 *    open. Once only the loop is left, it closes the handle; who goes last frees
 *    the memory, by its own copy of the allocator: the loop may be gone.
 */
#include <uv.h>

#include <uvow/thread.h>

#include "future/fail.h"
#include "loop.h"

#define DEFAULT_MAX 65536

typedef struct post {
  uvow__task_t task; /* its link: in posts, then in the queue */
  uvow_thread_loop_t *box;
  uvow_post_cb cb;
  void *data;
  uvow_destroy_cb destroy;
} post_t;

struct uvow_thread_loop {
  uvow__mem_t mem;
  uv_mutex_t lock;
  uvow__list_t posts; /* the oldest first */
  size_t count;       /* of those that haven't begun to run */
  size_t max;
  size_t owners;
  int closed;
  /* Of the loop's thread. */
  uvow__resident_t resident;
  uvow_loop_t *loop;
  uv_async_t async;
  uvow__closing_t closing;
};

static void unref(uvow_thread_loop_t *box) {
  uv_mutex_lock(&box->lock);
  size_t owners = --box->owners;
  if (owners == 1 && !box->closed)
    uv_async_send(&box->async); /* it is to be closed, on its own thread */
  uv_mutex_unlock(&box->lock);
  if (owners)
    return;
  uvow__mem_t mem = box->mem;
  uv_mutex_destroy(&box->lock);
  uvow__free(&mem, box);
}

static void run_post(uvow__task_t *task) {
  post_t *post = UVOW__CONTAINER(task, post_t, task);
  uvow_thread_loop_t *box = post->box;
  uvow_loop_t *loop = box->loop;
  post_t own = *post;
  uv_mutex_lock(&box->lock);
  box->count--;
  uv_mutex_unlock(&box->lock);
  uvow__free(&box->mem, post);
  unref(box);
  own.cb(loop, own.data);
  if (own.destroy)
    own.destroy(own.data);
}

static void on_async_closed(uv_handle_t *handle) {
  uvow_thread_loop_t *box = (uvow_thread_loop_t *)handle->data;
  uvow_loop_t *loop = box->loop;
  loop->rt.pins--;
  unref(box);
  uvow__loop_stream_closed(loop);
}

/* Queues what was posted, each a root. Whether nobody can post any more. */
static int queue_posts(uvow_thread_loop_t *box, int closes) {
  uvow__list_t posts;
  uvow__list_init(&posts);
  uv_mutex_lock(&box->lock);
  uvow__list_splice(&posts, &box->posts);
  if (box->owners == 1 && uvow__list_empty(&posts))
    closes = 1;
  box->closed = closes;
  uv_mutex_unlock(&box->lock);
  while (!uvow__list_empty(&posts)) {
    post_t *post = UVOW__CONTAINER(posts.next, post_t, task.link);
    uvow__list_remove(&post->task.link);
    uvow__runtime_push_root(&box->loop->rt, &post->task);
  }
  return closes;
}

static void on_posts(uv_async_t *async) {
  uvow_thread_loop_t *box = (uvow_thread_loop_t *)async->data;
  uvow_loop_t *loop = box->loop;
  uvow__runtime_enter(&loop->rt);
  if (queue_posts(box, 0)) {
    uvow__loop_depart(loop, &box->resident);
    uvow__loop_close_handle(box->loop, (uv_handle_t *)&box->async,
                            on_async_closed, &box->closing);
  }
  uvow__runtime_leave(&loop->rt);
}

static void on_loop_close(uvow__resident_t *resident) {
  uvow_thread_loop_t *box =
      UVOW__CONTAINER(resident, uvow_thread_loop_t, resident);
  (void)queue_posts(box, 1);
  uvow__loop_close_handle(box->loop, (uv_handle_t *)&box->async,
                          on_async_closed, &box->closing);
}

/* Opens the lock and the handle. Returns 0, or libuv's error: then nothing is
 * open. */
static int open_box(uvow_thread_loop_t *box, uvow_loop_t *loop) {
  int rc = uv_mutex_init(&box->lock);
  if (rc)
    return rc;
  rc = uv_async_init(loop->uv, &box->async, on_posts);
  if (rc)
    uv_mutex_destroy(&box->lock);
  return rc;
}

static uvow_thread_loop_t *box_new(uvow_loop_t *loop,
                                   const uvow_thread_loop_options_t *options) {
  const uvow__mem_t *mem = &loop->rt.plain; /* threads take and free */
  uvow_thread_loop_t *box =
      (uvow_thread_loop_t *)uvow__calloc(mem, sizeof(*box));
  int rc = box ? open_box(box, loop) : UVOW_ENOMEM;
  if (rc) {
    uvow__free(mem, box);
    return (uvow_thread_loop_t *)uvow__refuse(loop, rc, NULL, NULL);
  }
  box->mem = *mem;
  box->loop = loop;
  box->owners = 2;
  box->max = options->max_posted ? options->max_posted : DEFAULT_MAX;
  box->async.data = box;
  box->resident.on_loop_close = on_loop_close;
  uvow__list_init(&box->posts);
  if (!options->hold_loop)
    uv_unref((uv_handle_t *)&box->async);
  uvow__loop_enroll(loop, &box->resident);
  uvow__loop_stream_opened(loop);
  return box;
}

uvow_thread_loop_t *
uvow_thread_loop_new(uvow_loop_t *loop,
                     const uvow_thread_loop_options_t *options) {
  uvow_thread_loop_options_t own;
  if (!loop)
    return NULL;
  options = UVOW__OPTIONS(loop, options, &own, uvow_thread_loop_options_t);
  if (!options)
    return NULL;
  if (loop->rt.closed || loop->closing)
    return (uvow_thread_loop_t *)uvow__refuse(loop, UVOW_ECLOSED,
                                              uvow__fail_closed, NULL);
  return box_new(loop, options);
}

/* Adds it, or says why not. */
static int add(uvow_thread_loop_t *box, post_t *post) {
  int rc = 0;
  uv_mutex_lock(&box->lock);
  if (box->closed)
    rc = UVOW_ECLOSED;
  else if (box->count >= box->max)
    rc = UVOW_EOVERLOAD;
  if (rc == 0) {
    int first = uvow__list_empty(&box->posts);
    uvow__list_append(&box->posts, &post->task.link);
    box->count++;
    box->owners++; /* the post: its memory is the box's allocator's */
    if (first)
      uv_async_send(&box->async);
  }
  uv_mutex_unlock(&box->lock);
  return rc;
}

int uvow_thread_loop_post(uvow_thread_loop_t *box, uvow_post_cb cb, void *data,
                          uvow_destroy_cb destroy) {
  int rc = box && cb ? 0 : UVOW_EINVAL;
  post_t *post = NULL;
  if (rc == 0) {
    post = (post_t *)uvow__malloc(&box->mem, sizeof(*post));
    rc = post ? 0 : UVOW_ENOMEM;
  }
  if (rc == 0) {
    uvow__task_init(&post->task, run_post);
    post->box = box;
    post->cb = cb;
    post->data = data;
    post->destroy = destroy;
    rc = add(box, post);
  }
  if (rc == 0)
    return 0;
  if (post)
    uvow__free(&box->mem, post);
  if (destroy)
    destroy(data);
  return rc;
}

uvow_thread_loop_t *uvow_thread_loop_ref(uvow_thread_loop_t *box) {
  if (!box)
    return NULL;
  uv_mutex_lock(&box->lock);
  box->owners++;
  uv_mutex_unlock(&box->lock);
  return box;
}

void uvow_thread_loop_unref(uvow_thread_loop_t *box) {
  if (box)
    unref(box);
}
