#ifndef UVOW_TEST_SIM_WIRE_H
#define UVOW_TEST_SIM_WIRE_H

#include "model.h"

/* A transport whose streams are links of a world: bytes move only when the
 * world says so, as many as it says. */
void sim_wire_init(sim_t *s);
void sim_wire_done(sim_t *s);

/* The server's connection is made, or refused. */
void sim_wire_connect(sim_link_t *link);
/* Moves at most so many bytes. */
void sim_wire_up(sim_link_t *link, size_t max);
void sim_wire_down(sim_link_t *link, size_t max);
/* What was written has left. */
void sim_wire_drain(sim_link_t *link);
/* The end, as the client sees it: 0 in order, or libuv's error. */
void sim_wire_end(sim_link_t *link, int code);
/* Both ends are cut: bytes on their way are lost. */
void sim_wire_cut(sim_link_t *link);
/* Calls back for streams that were closed. */
void sim_wire_free_closed(sim_t *s);

/* Whether the client has a stream here that it didn't close, nor only waits to
 * close: after a violation, for what was sent to leave. */
static inline int sim_wire_alive(const sim_link_t *link) {
  return link && link->stream != NULL && !link->leaving;
}

/* A frame of the server's; message: NULL, or what the client must see. */
void sim_wire_send(sim_link_t *link, unsigned first, const void *bytes,
                   size_t len, const sim_message_t *message);

#endif
