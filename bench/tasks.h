#ifndef UVOW_BENCH_TASKS_H
#define UVOW_BENCH_TASKS_H

/*
 * What bench/tasks.cpp and bench/peers/uvco.cpp share: each is a program of its
 * own that runs the same modes over its library.
 */
#include <string.h>

#include "measure.h"

enum { TASKS_AWAIT, TASKS_TASK, TASKS_SPAWN, TASKS_MODES };
enum { PER_TURN = 200 };

void tasks_open(void);
void tasks_close(void);
/* So many turns of 200 waiters. */
void tasks_run(int mode, long turns);

/* --count MODE N: runs so many turns, to be counted. --time MODE N: prints the
 * nanoseconds of each. 0: it's neither. */
static inline int tasks_main(int argc, char **argv) {
  if (argc != 4 ||
      (strcmp(argv[1], "--count") != 0 && strcmp(argv[1], "--time") != 0))
    return 0;
  int mode = atoi(argv[2]);
  long turns = atol(argv[3]);
  MEASURE_CHECK(mode >= 0 && mode < TASKS_MODES && turns > 0);
  tasks_open();
  tasks_run(mode, 10); /* to warm up */
  uint64_t start = uv_hrtime();
  tasks_run(mode, turns);
  if (strcmp(argv[1], "--time") == 0)
    printf("%.1f\n", measure_ns_since(start, (double)turns * (double)PER_TURN));
  tasks_close();
  return 1;
}

#endif
