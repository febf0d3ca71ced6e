/* Names: their addresses, and the names of addresses. */
#include <string.h>

#include <uvow/combine.h>

#include "address.h"
#include "op.h"

/* A future of a text; NULL: no memory. */
static uvow_future_t *text_of(uvow_loop_t *loop, const char *text) {
  uvow__bytes_t *bytes = uvow__bytes_copy(&loop->rt, text, strlen(text));
  return bytes ? uvow_future_fulfilled(loop, uvow__bytes_value(bytes)) : NULL;
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
    char text[UVOW__ADDRESS_MAX];
    (void)uvow__address_text(info->ai_addr, text);
    each[i++] = text_of(loop, text);
  }
  uvow_future_t *f = uvow_future_all(loop, each, count);
  uvow__free(&loop->rt.mem, each);
  return f;
}

/* Somebody waits: he gets what this future brings. Takes it. */
static void settle_as(uvow__op_t *op, uvow_future_t *as) {
  uvow_future_t *f = op->future;
  op->future = NULL;
  f->flags &= (uint16_t)~UVOW__OWNED;
  f->data = NULL;
  uvow__future_adopt(f, as);
  uvow__op_fulfill(op, uvow_value_none());
}

static void end_resolve(uvow__op_t *op, int64_t result) {
  if (result < 0 || !op->future)
    uvow__op_fail(op, result < 0 ? (int)result : UVOW_ECANCELED, op->path);
  else
    settle_as(op, all_of(op->all->loop, op->req.name.addrinfo));
}

static void on_resolved(uv_getaddrinfo_t *req, int status,
                        struct addrinfo *info) {
  uvow__op_t *op = UVOW__CONTAINER(req, uvow__op_t, req.name);
  uvow__runtime_t *rt = uvow__op_rt(op);
  uvow__runtime_enter(rt);
  op->end(op, status);
  uv_freeaddrinfo(info);
  uvow__runtime_leave(rt);
}

uvow_future_t *uvow_resolve(uvow_loop_t *loop, const char *host) {
  struct addrinfo hints;
  uvow_future_t *f;
  if (loop && !host)
    return uvow__op_invalid(loop, "host");
  uvow__op_t *op = uvow__op_new(loop, "resolve", end_resolve, &f);
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

static void on_named(uv_getnameinfo_t *req, int status, const char *host,
                     const char *service) {
  uvow__op_t *op = UVOW__CONTAINER(req, uvow__op_t, req.address);
  uvow__runtime_t *rt = uvow__op_rt(op);
  uvow__runtime_enter(rt);
  if (status == 0 && op->future) {
    uvow_future_t *both[] = {text_of(op->all->loop, host),
                             text_of(op->all->loop, service)};
    settle_as(op, uvow_future_all(op->all->loop, both, 2));
  } else {
    op->end(op, status ? status : UVOW_ECANCELED);
  }
  uvow__runtime_leave(rt);
}

static void end_named(uvow__op_t *op, int64_t result) {
  uvow__op_fail(op, (int)result, op->path);
}

uvow_future_t *uvow_resolve_address(uvow_loop_t *loop, const char *address,
                                    uint16_t port, int flags) {
  struct sockaddr_storage to;
  uvow_future_t *f;
  if (loop && !address)
    return uvow__op_invalid(loop, "address");
  uvow__op_t *op = uvow__op_new(loop, "resolve", end_named, &f);
  if (!op)
    return f;
  int rc = uvow__address(address, port, &to);
  op->path = uvow__strndup(&loop->rt.mem, address, strlen(address));
  if (rc == 0)
    rc = op->path ? uv_getnameinfo(uvow__op_uv(op), &op->req.address, on_named,
                                   (const struct sockaddr *)&to, flags)
                  : UVOW_ENOMEM;
  uvow__op_begun(op, rc);
  return f;
}
