/*
 * How do 500 clients come back when their server restarts?
 *
 * A model, without sockets: each client's pauses are drawn by the library's own
 * backoff. At 0 all connections are lost; the server is back after a while, and
 * takes whoever comes then. Until then an attempt fails at once.
 *
 * How to read it: the most that come in any 100 ms decides whether the server
 * falls over again; "last" is when all are back. A larger base_ms spreads them,
 * and costs a single client that long on average when the server is back at
 * once. base_ms 500 is the default.
 *
 * usage: bench_herd [seeds]
 */
#include <stdint.h>
#include <string.h>

#include "measure.h"

#include "future/backoff.h"

enum { CLIENTS = 500, WINDOW = 100, WINDOWS = 4096 };

static uint64_t state;

/* splitmix64, as the library's own jitter. */
static uint64_t next_random(void) {
  uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

/* When a client is back, ms, and how many attempts it took. */
static uint64_t come_back(uint64_t base_ms, uint64_t away_ms,
                          unsigned *attempts) {
  uvow__backoff_t backoff;
  uint64_t now = 0;
  uvow__backoff_init(&backoff, base_ms, 30000);
  do {
    now += uvow__backoff_next(&backoff, next_random());
    ++*attempts;
  } while (now < away_ms);
  return now;
}

static void measure_restart(uint64_t base_ms, uint64_t away_ms, int seeds) {
  measure_t most = {0};
  measure_t last = {0};
  unsigned attempts = 0;
  for (int seed = 0; seed < seeds; seed++) {
    static unsigned windows[WINDOWS];
    unsigned peak = 0;
    uint64_t end = 0;
    memset(windows, 0, sizeof(windows));
    state = (uint64_t)seed;
    for (int i = 0; i < CLIENTS; i++) {
      uint64_t at = come_back(base_ms, away_ms, &attempts);
      size_t window = (size_t)(at / WINDOW);
      MEASURE_CHECK(window < WINDOWS);
      peak = ++windows[window] > peak ? windows[window] : peak;
      end = at > end ? at : end;
    }
    measure_add(&most, peak);
    measure_add(&last, (double)end);
  }
  printf("%-10llu %10llu %14.0f %12.0f %14.1f\n", (unsigned long long)base_ms,
         (unsigned long long)away_ms, measure_median(&most),
         measure_median(&last), (double)attempts / CLIENTS / seeds);
}

int main(int argc, char **argv) {
  static const uint64_t bases[] = {100, 500, 2000};
  static const uint64_t away[] = {0, 1000, 10000};
  int seeds = argc > 1 ? atoi(argv[1]) : MEASURE_ROUNDS_MAX;
  MEASURE_CHECK(seeds > 0 && seeds <= MEASURE_ROUNDS_MAX);
  printf("%-10s %10s %14s %12s %14s\n", "base ms", "away ms", "most/100 ms",
         "last ms", "attempts each");
  for (int b = 0; b < 3; b++)
    for (int a = 0; a < 3; a++)
      measure_restart(bases[b], away[a], seeds);
  return 0;
}
