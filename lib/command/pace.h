#ifndef UVOW_COMMAND_PACE_H
#define UVOW_COMMAND_PACE_H

#include <stdint.h>

/* A fixed schedule: when each request should start, whatever became of those
 * before it. Times are in ns. */
typedef struct pace {
  uint64_t start;
  double rate;   /* a second; what it grows to in `ramp` */
  uint64_t next; /* the number of the next to start, from 0 */
  double ramp;   /* seconds; 0: at once */
} pace_t;

/* When number k should start. Exact: errors don't add up. */
uint64_t pace_at(const pace_t *pace, uint64_t k);
/* Takes the next one if it's due: 1, and when it should have started. */
int pace_take(pace_t *pace, uint64_t now, uint64_t *ret_start);
/* How long until the next one is due; 0: it is. */
uint64_t pace_wait(const pace_t *pace, uint64_t now);
/* How many should have started before `end`, and weren't taken. */
uint64_t pace_missing(const pace_t *pace, uint64_t end);

#endif
