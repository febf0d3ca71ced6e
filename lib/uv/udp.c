/*
 * UDP: datagrams as a channel.
 *
 *   open -> receives -> in            out -> uv_udp_try_send | uv_udp_send
 *   in let go and out over, a drop, the loop's close: closed
 *
 * 1. A datagram is bytes with an address. It's a type of bytes of its own: what
 *    reads bytes reads it.
 * 2. in full: nothing is received, and the system drops what it has no room for,
 *    as UDP does.
 * 3. What can't be sent is an error of `out` where it never can (its size, its
 *    address); that nobody listens there is none: it's lost, as others are.
 */
#include <string.h>

#include "address.h"
#include "base/own.h"
#include "future/fail.h"
#include "future/channel.h"
#include "flow.h"
#include "op.h"
#include "origin.h"

typedef struct datagram {
  const char *ptr; /* it and len first: a type of bytes */
  size_t len;
  uvow__mem_t mem;
  size_t refs;
  struct sockaddr_storage from; /* or to */
  char address[UVOW__ADDRESS_MAX];
  uint16_t port;
} datagram_t;

typedef struct udp {
  uvow__origin_t origin; /* first; its stream is `in` */
  uv_udp_t handle;
  uvow__closing_t closing;
  uvow_stream_t *out; /* NULL: it's over */
  uvow__task_t task;
  uv_udp_send_t send;
  uvow_value_t sending; /* owned */
  int busy;             /* a send is under way */
  int deaf;             /* in is let go of */
  int connected;        /* to the one it talks to */
} udp_t;

static void datagram_ref(void *ptr) {
  ((datagram_t *)ptr)->refs++;
}

static void datagram_destroy(void *ptr) {
  datagram_t *datagram = (datagram_t *)ptr;
  uvow__mem_t mem = datagram->mem;
  if (--datagram->refs == 0)
    uvow__free(&mem, datagram);
}

const uvow_type_t uvow_type_datagram = {
    sizeof(uvow_type_t), uvow__own_names.bytes, datagram_ref, datagram_destroy};

static void set_address(datagram_t *datagram, const struct sockaddr *address) {
  memcpy(&datagram->from, address,
         address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                        : sizeof(struct sockaddr_in));
  datagram->port = uvow__address_text(address, datagram->address);
}

/* NULL: no memory. */
static datagram_t *datagram_new(uvow_loop_t *loop, const void *bytes,
                                size_t len, const struct sockaddr *address) {
  size_t size;
  if (uvow__size_add(sizeof(datagram_t), len, &size))
    return NULL;
  datagram_t *datagram = (datagram_t *)uvow__malloc(&loop->rt.mem, size);
  if (!datagram)
    return NULL;
  memset(datagram, 0, sizeof(*datagram));
  datagram->ptr = (const char *)(datagram + 1);
  datagram->len = len;
  datagram->mem = loop->rt.mem;
  datagram->refs = 1;
  set_address(datagram, address);
  if (len)
    memcpy(datagram + 1, bytes, len);
  return datagram;
}

uvow_value_t uvow_value_datagram(uvow_loop_t *loop, const void *bytes,
                                 size_t len, const char *address,
                                 uint16_t port) {
  struct sockaddr_storage to;
  if (!loop || (len && !bytes) || uvow__address(address, port, &to))
    return uvow__value_failed(UVOW_EINVAL);
  datagram_t *datagram =
      datagram_new(loop, bytes, len, (const struct sockaddr *)&to);
  return datagram ? uvow_value_ptr(&uvow_type_datagram, datagram)
                  : uvow__value_failed(UVOW_ENOMEM);
}

const char *uvow_result_from(const uvow_result_t *item, uint16_t *ret_port) {
  void *ptr;
  if (!item || item->error)
    return NULL;
  if (uvow_value_get_ptr(&item->value, &uvow_type_datagram, &ptr))
    return uvow__channel_from(&item->value, ret_port);
  if (ret_port)
    *ret_port = ((datagram_t *)ptr)->port;
  return ((datagram_t *)ptr)->address;
}

static void leave_out(udp_t *udp, int code) {
  uvow_stream_t *out = udp->out;
  udp->out = NULL;
  uvow__task_cancel(&udp->task);
  if (out)
    uvow__origin_leave(out, code, "send from", udp->origin.name);
}

static void close_both(udp_t *udp) {
  leave_out(udp, UVOW_ECLOSED);
  uvow__loop_close_handle(udp->origin.loop, (uv_handle_t *)&udp->handle,
                          uvow__origin_on_closed, &udp->closing);
}

/* in is let go of, has failed, or the loop closes: out goes on, if it can. */
static void stop(uvow__origin_t *origin) {
  udp_t *udp = (udp_t *)(void *)origin;
  udp->deaf = 1;
  (void)uv_udp_recv_stop(&udp->handle);
  if (!udp->out || origin->loop->closing)
    close_both(udp);
}

static void out_over(udp_t *udp, int code) {
  leave_out(udp, code);
  if (udp->deaf)
    close_both(udp);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  udp_t *udp = (udp_t *)handle->data;
  (void)suggested;
  buf->base = uvow__loop_take_read(udp->origin.loop);
  buf->len = buf->base ? UVOW__READ_SIZE : 0;
}

static void take(udp_t *udp, const uv_buf_t *buf, ssize_t len,
                 const struct sockaddr *from) {
  if (udp->deaf || (len == 0 && !from))
    return; /* nothing came, or nobody wants it */
  if (len < 0) {
    if (len != UV_ECONNREFUSED)
      uvow__origin_fail(&udp->origin, "receive at",
                        len == UV_ENOBUFS ? UVOW_ENOMEM : (int)len);
    return;
  }
  datagram_t *datagram =
      datagram_new(udp->origin.loop, buf->base, (size_t)len, from);
  if (!datagram)
    uvow__origin_fail(&udp->origin, "receive at", UVOW_ENOMEM);
  else if (uvow__origin_put(&udp->origin,
                            uvow_value_ptr(&uvow_type_datagram, datagram)) == 1)
    (void)uv_udp_recv_stop(&udp->handle);
}

static void on_datagram(uv_udp_t *handle, ssize_t len, const uv_buf_t *buf,
                        const struct sockaddr *from, unsigned flags) {
  udp_t *udp = (udp_t *)handle->data;
  uvow_loop_t *loop = udp->origin.loop;
  (void)flags;
  uvow__runtime_enter(&loop->rt);
  take(udp, buf, len, from);
  if (buf->base)
    uvow__loop_give_read(loop, buf->base);
  uvow__runtime_leave(&loop->rt);
}

static void resume(uvow__origin_t *origin) {
  (void)uv_udp_recv_start(&((udp_t *)(void *)origin)->handle, on_alloc,
                          on_datagram);
}

/* What goes. */

static void send_all(udp_t *udp);

static void release_sent(udp_t *udp) {
  uvow__value_release_later(&udp->origin.loop->rt, udp->sending);
  udp->sending = uvow_value_none();
}

static void on_sent(uv_udp_send_t *req, int status) {
  udp_t *udp = UVOW__CONTAINER(req, udp_t, send);
  uvow__runtime_t *rt = &udp->origin.loop->rt;
  uvow__runtime_enter(rt);
  udp->busy = 0;
  release_sent(udp);
  if (udp->out && status && status != UV_ECONNREFUSED)
    out_over(udp, status);
  else if (udp->out)
    send_all(udp);
  uvow__runtime_leave(rt);
}

/* 0: it has left, or is on its way; or an error. */
static int send_one(udp_t *udp) {
  const struct sockaddr *to = NULL;
  uvow__slice_t slice;
  void *ptr;
  if (uvow__value_slice(&udp->sending, &slice))
    return UVOW_ETYPE;
  if (!udp->connected &&
      uvow_value_get_ptr(&udp->sending, &uvow_type_datagram, &ptr))
    return UVOW_ETYPE;
  if (!udp->connected)
    to = (const struct sockaddr *)&((const datagram_t *)ptr)->from;
  uv_buf_t buf = uv_buf_init((char *)(uintptr_t)slice.ptr, (unsigned)slice.len);
  int rc = uv_udp_try_send(&udp->handle, &buf, 1, to);
  if (rc == UV_EAGAIN) {
    rc = uv_udp_send(&udp->send, &udp->handle, &buf, 1, to, on_sent);
    udp->busy = rc == 0;
  }
  return rc == UV_ECONNREFUSED || rc > 0 ? 0 : rc;
}

static void send_all(udp_t *udp) {
  uvow__item_t item;
  int got = UVOW__STREAM_ITEM, rc = 0;
  if (udp->out->end->state == UVOW_REJECTED) { /* dropped */
    leave_out(udp, uvow_error_code(udp->out->end->u.error));
    uvow__origin_fail(&udp->origin, "send from", UVOW_EBROKEN);
    close_both(udp);
    return;
  }
  while (rc == 0 && !udp->busy && got == UVOW__STREAM_ITEM) {
    got = uvow__stream_take(udp->out, &item);
    if (got != UVOW__STREAM_ITEM)
      break;
    udp->sending = item.value;
    rc = send_one(udp);
    if (!udp->busy)
      release_sent(udp);
  }
  if (rc || got == UVOW__STREAM_END)
    out_over(udp, rc);
  else
    udp->out->flags |= UVOW__STREAM_ASKED;
}

static void run_send(uvow__task_t *task) {
  udp_t *udp = UVOW__CONTAINER(task, udp_t, task);
  if (udp->out)
    send_all(udp);
}

static void on_loop_close(uvow__origin_t *origin) {
  close_both((udp_t *)(void *)origin);
}

static const uvow__origin_ops_t ops = {resume, stop, on_loop_close};

/* What goes to groups, and how far. */
static int set_routes(udp_t *udp, const uvow_udp_options_t *options) {
  int rc = 0;
  if (options->ttl)
    rc = uv_udp_set_ttl(&udp->handle, options->ttl);
  if (rc == 0 && options->ttl)
    rc = uv_udp_set_multicast_ttl(&udp->handle, options->ttl);
  if (rc == 0 && options->no_loopback)
    rc = uv_udp_set_multicast_loop(&udp->handle, 0);
  if (rc == 0 && options->multicast_interface)
    rc = uv_udp_set_multicast_interface(&udp->handle,
                                        options->multicast_interface);
  return rc;
}

/* Where it's bound to: if nothing is said, any address of the family that it
 * talks to. */
static const char *address_of(const uvow_udp_options_t *options) {
  if (options->address)
    return options->address;
  return options->peer && strchr(options->peer, ':') ? "::" : "0.0.0.0";
}

static int connect_to(udp_t *udp, const uvow_udp_options_t *options) {
  struct sockaddr_storage peer;
  int rc = uvow__address(options->peer, options->peer_port, &peer);
  if (rc == 0)
    rc = uv_udp_connect(&udp->handle, (const struct sockaddr *)&peer);
  udp->connected = rc == 0;
  return rc;
}

static int bind_to(udp_t *udp, const uvow_udp_options_t *options) {
  struct sockaddr_storage address;
  int rc = uvow__address(address_of(options), options->port, &address);
  if (rc == 0)
    rc = uv_udp_bind(&udp->handle, (const struct sockaddr *)&address,
                     options->shared ? UV_UDP_REUSEADDR : 0);
  if (rc == 0 && options->broadcast)
    rc = uv_udp_set_broadcast(&udp->handle, 1);
  if (rc == 0)
    rc = set_routes(udp, options);
  if (rc == 0 && options->group)
    rc = uv_udp_set_membership(&udp->handle, options->group,
                               options->multicast_interface, UV_JOIN_GROUP);
  if (rc == 0 && options->peer)
    rc = connect_to(udp, options);
  return rc ? rc : uv_udp_recv_start(&udp->handle, on_alloc, on_datagram);
}

static int port_of(udp_t *udp, uint16_t *ret_port) {
  struct sockaddr_storage address;
  char text[UVOW__ADDRESS_MAX];
  int len = (int)sizeof(address);
  int rc = uv_udp_getsockname(&udp->handle, (struct sockaddr *)&address, &len);
  if (rc)
    return rc;
  *ret_port = uvow__address_text((const struct sockaddr *)&address, text);
  return 0;
}

static udp_t *udp_new(uvow_loop_t *loop, const char *name,
                      uvow_channel_t *ret) {
  static const uvow_stream_options_t bounds = {sizeof(bounds), 0, 0,
                                               UVOW_FULL_WAIT, 0};
  udp_t *udp = (udp_t *)(void *)uvow__origin_new(loop, sizeof(*udp), &ops,
                                                 &bounds, name);
  if (!udp)
    return NULL;
  (void)uv_udp_init(loop->uv, &udp->handle); /* can't fail without flags */
  udp->handle.data = udp;
  uvow__task_init(&udp->task, run_send);
  ret->in = udp->origin.stream;
  udp->out = uvow_stream_new(loop, &bounds, &ret->out);
  if (!udp->out) {
    uvow_stream_unref(ret->in);
    ret->in = NULL;
    return NULL;
  }
  (void)uvow__stream_claim(udp->out, &udp->task);
  udp->out->flags |= UVOW__STREAM_ASKED;
  return udp;
}

uvow_channel_t uvow_udp_open(uvow_loop_t *loop,
                             const uvow_udp_options_t *options,
                             uint16_t *ret_port) {
  uvow_udp_options_t own;
  uvow_channel_t channel = {NULL, NULL};
  options = UVOW__OPTIONS(loop, options, &own, uvow_udp_options_t);
  udp_t *udp =
      udp_new(loop, options ? address_of(options) : "0.0.0.0", &channel);
  if (!udp)
    return channel;
  int rc = options ? bind_to(udp, options) : UVOW_EINVAL;
  if (rc == 0 && ret_port)
    rc = port_of(udp, ret_port);
  if (rc) {
    uvow__origin_fail(&udp->origin, "open UDP at", rc);
    out_over(udp, rc);
  }
  return channel;
}

static int set_membership(uvow_stream_t *in, const char *group,
                          const char *multicast_interface, uv_membership how) {
  udp_t *udp = in ? (udp_t *)(void *)uvow__origin_of(in, &ops) : NULL;
  if (!udp || udp->deaf)
    return UVOW_EINVAL;
  if (!group)
    return uvow__fail(udp->origin.loop, UVOW_EINVAL, "group", uvow__fail_null);
  return uv_udp_set_membership(&udp->handle, group, multicast_interface, how);
}

int uvow_udp_join(uvow_stream_t *in, const char *group,
                  const char *multicast_interface) {
  return set_membership(in, group, multicast_interface, UV_JOIN_GROUP);
}

int uvow_udp_leave(uvow_stream_t *in, const char *group,
                   const char *multicast_interface) {
  return set_membership(in, group, multicast_interface, UV_LEAVE_GROUP);
}
