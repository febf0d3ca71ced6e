/* Work on other threads, and names. */
#include <string.h>

#include <uvow/combine.h>

#include "op.h"

static void work_cb(uv_work_t *work) {
  uvow__op_t *op = UVOW__CONTAINER(work, uvow__op_t, req.work);
  op->value = op->u.work.cb(op->u.work.data);
}

static void finish_work(uvow__op_t *op, int64_t result) {
  uvow_value_t value = op->value;
  if (result < 0) {
    uvow__op_fail(op, (int)result, NULL);
    return;
  }
  op->value = uvow_value_none();
  uvow__op_fulfill(op, value);
}

static void on_worked(uv_work_t *work, int status) {
  uvow__op_t *op = UVOW__CONTAINER(work, uvow__op_t, req.work);
  uvow__runtime_t *rt = uvow__op_rt(op);
  uvow__runtime_enter(rt);
  op->finish(op, status);
  uvow__runtime_leave(rt);
}

uvow_future_t *uvow_work(uvow_loop_t *loop, uvow_work_cb work, void *data) {
  uvow_future_t *f;
  if (loop && !work)
    return uvow__op_refused(loop, "work", UVOW_EINVAL);
  uvow__op_t *op = uvow__op_new(loop, "work", finish_work, &f);
  if (!op)
    return f;
  op->u.work.cb = work;
  op->u.work.data = data;
  uvow__op_begun(
      op, uv_queue_work(uvow__op_uv(op), &op->req.work, work_cb, on_worked));
  return f;
}

/* One address as bytes; NULL: no memory, or of no known family. */
static uvow__bytes_t *address_of(uvow__runtime_t *rt,
                                 const struct addrinfo *info) {
  char text[INET6_ADDRSTRLEN + 1];
  int rc = UV_EAFNOSUPPORT;
  if (info->ai_family == AF_INET)
    rc = uv_ip4_name((const struct sockaddr_in *)(void *)info->ai_addr, text,
                     sizeof(text));
  else if (info->ai_family == AF_INET6)
    rc = uv_ip6_name((const struct sockaddr_in6 *)(void *)info->ai_addr, text,
                     sizeof(text));
  uvow__bytes_t *bytes = rc == 0 ? uvow__bytes_new(rt, strlen(text)) : NULL;
  if (bytes)
    memcpy(uvow__bytes_room(bytes), text, bytes->len);
  return bytes;
}

/* A future of all; NULL: no memory. */
static uvow_future_t *all_of(uvow_loop_t *loop, const struct addrinfo *first) {
  const struct addrinfo *info;
  size_t count = 0;
  for (info = first; info; info = info->ai_next)
    count++;
  uvow_future_t **each = (uvow_future_t **)uvow__malloc(
      &loop->rt.mem, (count ? count : 1) * sizeof(*each));
  if (!each)
    return NULL;
  size_t i = 0;
  for (info = first; info; info = info->ai_next) {
    uvow__bytes_t *bytes = address_of(&loop->rt, info);
    each[i++] =
        bytes ? uvow_future_fulfilled(loop, uvow__bytes_value(bytes)) : NULL;
  }
  uvow_future_t *f = uvow_future_all(loop, each, count);
  uvow__free(&loop->rt.mem, each);
  return f;
}

static void finish_resolve(uvow__op_t *op, int64_t result) {
  uvow_future_t *f = op->future;
  if (result < 0 || !f) {
    uvow__op_fail(op, result < 0 ? (int)result : UVOW_ECANCELED, op->path);
    return;
  }
  op->future = NULL;
  f->flags &= (uint16_t)~UVOW__OWNED;
  f->data = NULL;
  uvow__future_adopt(f, all_of(op->all->loop, op->req.name.addrinfo));
  uvow__op_fulfill(op, uvow_value_none());
}

static void on_resolved(uv_getaddrinfo_t *req, int status,
                        struct addrinfo *info) {
  uvow__op_t *op = UVOW__CONTAINER(req, uvow__op_t, req.name);
  uvow__runtime_t *rt = uvow__op_rt(op);
  uvow__runtime_enter(rt);
  op->finish(op, status);
  uv_freeaddrinfo(info);
  uvow__runtime_leave(rt);
}

uvow_future_t *uvow_resolve(uvow_loop_t *loop, const char *host) {
  struct addrinfo hints;
  uvow_future_t *f;
  if (loop && !host)
    return uvow__op_refused(loop, "resolve", UVOW_EINVAL);
  uvow__op_t *op = uvow__op_new(loop, "resolve", finish_resolve, &f);
  if (!op)
    return f;
  memset(&hints, 0, sizeof(hints));
  hints.ai_socktype = SOCK_STREAM; /* each address once */
  op->path = uvow__strndup(&loop->rt.mem, host, strlen(host));
  uvow__op_begun(op, op->path ? uv_getaddrinfo(uvow__op_uv(op), &op->req.name,
                                               on_resolved, host, NULL, &hints)
                              : UVOW_ENOMEM);
  return f;
}
