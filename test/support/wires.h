#ifndef UVOW_TEST_WIRES_H
#define UVOW_TEST_WIRES_H

#include <uv.h>

#include "net/io.h"
#include "net/loop.h"

/*
 * A transport without sockets: who connects reaches who listens, in one loop,
 * over bytes that the test moves, as many at a time as it says. Each connection
 * is a link; its end 0 has connected, its end 1 was accepted.
 */
typedef struct wires_link wires_link_t;

typedef struct wires {
  uvow__transport_t transport; /* one that outlives its users */
  struct wires_doors *doors;   /* who listens; NULL: nobody */
  wires_link_t *links;         /* the newest first */
  wires_link_t *incoming;      /* it may be accepted now */
  int block;                   /* what is written waits for wires_drain */
} wires_t;

void wires_init(wires_t *wires);
/* Once the loop is closed. */
void wires_done(wires_t *wires);
/* Who waits to be connected is, or is refused. */
void wires_connect(wires_t *wires);
/* The link that was made last, or NULL. */
wires_link_t *wires_last(const wires_t *wires);
/* The other end reads up to so many bytes of what `from` has written, and, once
 * it has read all, that `from` has gone. Returns how many it has read. */
size_t wires_move(wires_link_t *link, int from, size_t most);
/* What that end has written has left. */
void wires_drain(wires_link_t *link, int end);
/* The connection breaks: each end that is there is told this. What was written
 * and not read is lost. */
void wires_cut(wires_link_t *link, int code);
/* Whether that end is there: it was made, and not closed. */
int wires_is_there(const wires_link_t *link, int end);

#endif
