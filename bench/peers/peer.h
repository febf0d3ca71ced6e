#ifndef UVOW_BENCH_PEER_H
#define UVOW_BENCH_PEER_H

/*
 * What the clients of bench/compare share: their arguments, what they count,
 * and the line that they print. C11 and C++.
 *
 *   NAME <port> <in flight> <seconds>
 *
 * Half a second of warm-up isn't counted. Latencies are exact to 0.4 %, as
 * uvow's are: of a bucket its end counts.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* A benchmark whose work goes wrong measures nothing. */
#define PEER_CHECK(condition)                                                  \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__,             \
              #condition);                                                     \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

#define PEER_WARMUP_NS UINT64_C(500000000)

/* 256 buckets for each power of two, up to 2^42 ns. */
enum { PEER_BITS = 8, PEER_BUCKETS = (42 - PEER_BITS + 2) << PEER_BITS };

typedef struct peer {
  const char *name;
  int port;
  uint64_t in_flight;
  uint64_t length_ns;
  uint64_t start_ns; /* the warm-up's, then what is counted */
  int counting;
  uint64_t counted;
  double cpu_s;
  uint64_t latencies[PEER_BUCKETS];
} peer_t;

static inline uint64_t peer_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline double peer_cpu_s(long *ret_maxrss_kb) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  *ret_maxrss_kb = usage.ru_maxrss;
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static inline void peer_init(peer_t *peer, const char *name, int argc,
                             char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s <port> <in flight> <seconds>\n", name);
    exit(2);
  }
  memset(peer, 0, sizeof(*peer));
  peer->name = name;
  peer->port = atoi(argv[1]);
  peer->in_flight = strtoull(argv[2], NULL, 10);
  peer->length_ns = (uint64_t)(strtod(argv[3], NULL) * 1e9);
  PEER_CHECK(peer->port > 0 && peer->in_flight > 0 && peer->length_ns > 0);
}

static inline unsigned peer_bucket(uint64_t ns) {
  unsigned shift = 0;
  uint64_t rest = ns >> (PEER_BITS + 1);
  for (unsigned step = rest ? 32 : 0; step; step /= 2) {
    if (rest >> step) {
      rest >>= step;
      shift += step;
    }
  }
  shift += rest > 0;
  unsigned bucket = (shift << PEER_BITS) + (unsigned)(ns >> shift);
  return bucket < PEER_BUCKETS ? bucket : PEER_BUCKETS - 1;
}

static inline double peer_us(const peer_t *peer, double share) {
  uint64_t left = (uint64_t)(share * (double)peer->counted);
  unsigned i = 0;
  while (i < PEER_BUCKETS - 1 && peer->latencies[i] <= left)
    left -= peer->latencies[i++];
  unsigned shift = i < 2u << PEER_BITS ? 0 : (i >> PEER_BITS) - 1;
  uint64_t top = i - (shift << PEER_BITS);
  return (double)(((top + 1) << shift) - 1) / 1e3;
}

static inline void peer_print(const peer_t *peer, uint64_t now) {
  long maxrss_kb;
  double seconds = (double)(now - peer->start_ns) / 1e9;
  double cpu_s = peer_cpu_s(&maxrss_kb) - peer->cpu_s;
  printf(
      "client=%s inflight=%llu requests=%llu seconds=%.3f rps=%.0f "
      "p50_us=%.1f p99_us=%.1f cpu_s=%.3f maxrss_kb=%ld\n",
      peer->name, (unsigned long long)peer->in_flight,
      (unsigned long long)peer->counted, seconds,
      (double)peer->counted / seconds, peer_us(peer, 0.5), peer_us(peer, 0.99),
      cpu_s, maxrss_kb);
  fflush(stdout);
}

/* Before the first request. */
static inline void peer_start(peer_t *peer) {
  peer->start_ns = peer_now_ns();
}

/* An answer came at `now`. 1: the time is up, and the line is printed. */
static inline int peer_answered(peer_t *peer, uint64_t sent_ns, uint64_t now) {
  uint64_t since = now - peer->start_ns;
  if (!peer->counting) {
    long unused;
    if (since < PEER_WARMUP_NS)
      return 0;
    peer->counting = 1;
    peer->start_ns = now;
    peer->cpu_s = peer_cpu_s(&unused);
    return 0;
  }
  peer->counted++;
  peer->latencies[peer_bucket(now - sent_ns)]++;
  if (since < peer->length_ns)
    return 0;
  peer_print(peer, now);
  return 1;
}

#endif
