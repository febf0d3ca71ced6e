/*
 * Names: the resolver asked, one lookup at a time for whoever tries again.
 *
 *   begin -> (the resolver) -> on_resolved -> cb, freed
 *   cancel -> still in libuv's queue: canceled there, freed when it says so
 *          -> running: nobody's -> begin, for the same name -> somebody's again
 *                               -> on_resolved: freed
 *
 * 1. libuv can't stop a lookup that runs, and a dead name server takes half a
 *    minute, in one of four threads. So who gives one up and tries again gets
 *    the one that still runs: attempts, however many, hold one thread.
 * 2. One that is nobody's keeps the loop from closing, as one that is
 *    somebody's does, until the resolver is back.
 */
#include "lookup.h"

#include <stdio.h>
#include <string.h>

#include "connect.h"

struct uvow__lookup {
  uv_getaddrinfo_t resolve;
  uvow_loop_t *loop;
  uvow__lookup_cb cb; /* NULL: it's nobody's */
  void *ctx;
  uvow__lookup_t *next; /* of those that run for nobody */
  uint16_t port;
  char host[]; /* NUL-terminated */
};

static void free_lookup(uvow__lookup_t *lookup) {
  uvow_loop_t *loop = lookup->loop;
  uvow__free(uvow__loop_mem(loop), lookup);
  uvow__loop_stream_closed(loop);
}

/* Takes it off the list, if it's there. */
static void unlist(uvow__lookup_t *lookup) {
  uvow__lookup_t **at = &lookup->loop->lookups;
  while (*at && *at != lookup)
    at = &(*at)->next;
  if (*at)
    *at = lookup->next;
}

static void on_resolved(uv_getaddrinfo_t *req, int status,
                        struct addrinfo *addresses) {
  uvow__lookup_t *lookup = (uvow__lookup_t *)req->data;
  uvow_loop_t *loop = lookup->loop;
  uvow__lookup_cb cb = lookup->cb;
  void *ctx = lookup->ctx;
  if (!cb) {
    unlist(lookup);
    if (addresses)
      uvow__network_of(loop)->free_addresses(addresses);
    free_lookup(lookup);
    return;
  }
  uvow__runtime_enter(&loop->rt);
  free_lookup(lookup);
  cb(ctx, status, addresses);
  uvow__runtime_leave(&loop->rt);
}

/* One that runs for nobody, of this name. */
static uvow__lookup_t *find(uvow_loop_t *loop, const char *host,
                            uint16_t port) {
  uvow__lookup_t *at = loop->lookups;
  while (at && (at->port != port || strcmp(at->host, host) != 0))
    at = at->next;
  return at;
}

static int ask(uvow__lookup_t *lookup) {
  struct addrinfo hints;
  char port[8];
  memset(&hints, 0, sizeof(hints));
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  snprintf(port, sizeof(port), "%u", (unsigned)lookup->port);
  return uvow__network_of(lookup->loop)
      ->resolve(lookup->loop->uv, &lookup->resolve, on_resolved, lookup->host,
                port, &hints);
}

int uvow__lookup_begin(uvow_loop_t *loop, const char *host, uint16_t port,
                       uvow__lookup_cb cb, void *ctx,
                       uvow__lookup_t **ret_lookup) {
  uvow__lookup_t *lookup = find(loop, host, port);
  int rc = 0;
  if (lookup) {
    unlist(lookup);
  } else {
    size_t len = strlen(host) + 1;
    lookup = (uvow__lookup_t *)uvow__calloc(uvow__loop_mem(loop),
                                            sizeof(*lookup) + len);
    if (!lookup)
      return UVOW_ENOMEM;
    lookup->loop = loop;
    lookup->port = port;
    lookup->resolve.data = lookup;
    memcpy(lookup->host, host, len);
    uvow__loop_stream_opened(loop);
    rc = ask(lookup);
  }
  if (rc) {
    free_lookup(lookup);
    return rc;
  }
  lookup->cb = cb;
  lookup->ctx = ctx;
  *ret_lookup = lookup;
  return 0;
}

void uvow__lookup_cancel(uvow__lookup_t *lookup) {
  lookup->cb = NULL;
  if (uv_cancel((uv_req_t *)&lookup->resolve) == 0)
    return; /* it never ran */
  lookup->next = lookup->loop->lookups;
  lookup->loop->lookups = lookup;
}
