#ifndef UVOW__SILENCE_H
#define UVOW__SILENCE_H

#include "future/runtime.h"

typedef struct uvow__silence uvow__silence_t;

/* Told that nothing came for ping_ms (again), or, dead, for dead_ms: then it's
 * the last call. It may stop the watch. */
typedef void (*uvow__silence_cb)(uvow__silence_t *silence, int dead);

/* Whether the peer still says something (R9). Lives in what listens. */
struct uvow__silence {
  uvow__deadline_t look; /* the next one; first */
  uvow__runtime_t *rt;
  uvow__silence_cb cb;
  uint64_t ping_ms;    /* 0: never */
  uint64_t dead_ms;    /* 0: never */
  uint64_t heard_ns;   /* when something came, if `heard` */
  uint64_t quiet_ms;   /* for how long nothing has come, as of the last look */
  uint64_t ping_at_ms; /* of silence */
  uint64_t next_ms;    /* from the last look to the next one */
  int heard;           /* since the last look */
  int doubt;           /* dead, unless the next look has heard something */
};

/* Doesn't begin yet. */
void uvow__silence_init(uvow__silence_t *silence, uvow__runtime_t *rt,
                        uint64_t ping_ms, uint64_t dead_ms,
                        uvow__silence_cb cb);
void uvow__silence_start(uvow__silence_t *silence);
static inline void uvow__silence_stop(uvow__silence_t *silence) {
  uvow__wheel_disarm(&silence->look);
}
/* Something came. */
static inline void uvow__silence_heard(uvow__silence_t *silence) {
  if (!uvow__deadline_armed(&silence->look))
    return;
  silence->heard_ns = uvow__runtime_now(silence->rt);
  silence->heard = 1;
}

#endif
