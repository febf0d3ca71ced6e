/* What a round needs to know of the library's inside: where bytes are, when
 * nothing moves any more. */
#include "soak.h"

#include <stdio.h>

#include <sys/ioctl.h>
#ifdef __linux__
#include <linux/sockios.h>
#endif

#include "net/tls_private.h"
#include "rpc/peer.h"
#include "websocket/connection_private.h"
#include "rpc/server.h"

void soak_set_budget(soak_t *soak, unsigned budget) {
  if (budget)
    soak->loop->rt.budget = budget;
}

static size_t ask_kernel(int fd, unsigned long what) {
  int bytes = 0;
  return ioctl(fd, what, &bytes) == 0 && bytes > 0 ? (size_t)bytes : 0;
}

static void add_socket(uv_handle_t *handle, void *data) {
  size_t *sum = (size_t *)data;
  uv_os_fd_t fd;
  if (handle->type != UV_TCP || uv_is_closing(handle) || uv_fileno(handle, &fd))
    return;
  *sum += ask_kernel(fd, FIONREAD);
#ifdef SIOCOUTQ
  *sum += ask_kernel(fd, SIOCOUTQ);
#endif
}

size_t soak_in_kernel(soak_t *soak) {
  size_t sum = 0;
  uv_walk(&soak->uv, add_socket, &sum);
  return sum;
}

static void say_socket(uv_handle_t *handle, void *data) {
  size_t sum = 0;
  (void)data;
  add_socket(handle, &sum);
  if (handle->type == UV_TCP && !uv_is_closing(handle))
    printf(
        "#   socket: active %d, readable %d, writable %d, queued %zu, in "
        "the kernel %zu\n",
        uv_is_active(handle), uv_is_readable((uv_stream_t *)handle),
        uv_is_writable((uv_stream_t *)handle),
        uv_stream_get_write_queue_size((uv_stream_t *)handle), sum);
}

static void say_tls(const uvow__tls_io_t *t) {
  printf(
      "#     tls: state %d, plain %zu, sealed %zu, shaken %d, "
      "lower writing %d\n",
      (int)t->state, uvow__buf_size(&t->plain), uvow__buf_size(&t->sealed),
      uvow__engine_is_shaken(t->conn), t->lower->writing);
}

static void say_connection(const char *name, const uvow__connection_t *c,
                           int secure) {
  if (!c) {
    printf("#   %s: no connection\n", name);
    return;
  }
  const uvow__message_t *m = &c->framer.message;
  printf(
      "#   %s: state %d, out %zu of %zu, flush queued %d, writing %zu (%d)\n",
      name, (int)c->state, uvow__buf_size(&c->out), c->out.max,
      uvow__task_queued(&c->flush), c->writing, c->io->writing);
  if (c->framing)
    printf("#     framer: err %d, frame left %llu, message %zu, head %zu\n",
           c->framer.err, (unsigned long long)m->left,
           uvow__buf_size(&m->parts), c->framer.ahead);
  if (secure)
    say_tls((const uvow__tls_io_t *)(const void *)c->io);
}

void soak_report(soak_t *soak) {
  const uvow__runtime_t *rt = &soak->loop->rt;
  int secure = soak->server->listener->config->tls != NULL;
  printf("#   queue empty %d, awake %d, entered %u; chopper holds %zu\n",
         uvow__queue_empty(&rt->queue), rt->awake, rt->entered,
         soak->chopper.held);
  for (size_t i = 0; i < soak->client_count; i++) {
    uvow_peer_t *client = soak->clients[i];
    uvow_peer_stats_t stats = {.size = sizeof(stats)};
    uvow_peer_get_stats(client, &stats);
    printf(
        "#   client %zu: state %d, pending %llu, in flight %llu, backlog "
        "%zu, late %llu, unknown %llu, malformed %llu\n",
        i, (int)client->life.state, (unsigned long long)stats.pending,
        (unsigned long long)stats.in_flight,
        uvow__buf_size(&client->outbox->backlog.buf),
        (unsigned long long)stats.late, (unsigned long long)stats.unknown,
        (unsigned long long)stats.malformed);
    say_connection("client", uvow__peer_connection(client), secure);
  }
  for (uvow__list_t *at = soak->server->peers.next; at != &soak->server->peers;
       at = at->next) {
    const uvow__visitor_t *visitor =
        UVOW__CONTAINER(at, uvow__visitor_t, visit.link);
    printf("#   a peer has %zu calls\n", visitor->peer.session.callee.count);
    say_connection("peer", uvow__peer_connection(&visitor->peer), secure);
  }
  uv_walk(&soak->uv, say_socket, NULL);
  fflush(stdout);
}
