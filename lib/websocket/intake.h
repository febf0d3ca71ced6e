#ifndef UVOW__INTAKE_H
#define UVOW__INTAKE_H

#include "connection_private.h"

/* What a connection reads, from OPEN on: bounded in each turn, paused. */

/* Why a connection doesn't read. */
enum {
  UVOW__PAUSE_OWNER = 1, /* uvow__connection_pause */
  UVOW__PAUSE_UNSENT = 2 /* uvow__connection_pause_unsent */
};

void uvow__intake_init(uvow__connection_t *c);
void uvow__intake_done(uvow__connection_t *c);
/* The framer is there. */
void uvow__intake_start(uvow__connection_t *c);
/* No more is read: what was kept is dropped. */
void uvow__intake_stop(uvow__connection_t *c);
/* Frames came. */
void uvow__intake_feed(uvow__connection_t *c, const uint8_t *bytes, size_t len);
void uvow__intake_pause(uvow__connection_t *c, unsigned why);
void uvow__intake_resume(uvow__connection_t *c, unsigned why);
/* The io has ended: takes the error (NULL: in order). Returns 1: what was kept
 * comes first, and uvow__connection_io_ended then. */
int uvow__intake_hold_end(uvow__connection_t *c, uvow_error_t *error);
/* Bytes that it holds of what came. */
size_t uvow__intake_size(const uvow__connection_t *c);

#endif
