/*
 * What does it cost to check that a text is UTF-8?
 *
 * 1 MiB of text is checked whole, in pieces of 4 KiB as they come from frames,
 * and copied by memcpy beside it, by turns: ASCII, Latin (every other character
 * of 2 bytes), Greek (2), Chinese (3), emoji (4), and a mixture without any
 * order, which leaves nothing to predict.
 *
 * How to read it: GB/s are the best of all rounds, in the cache; `x` is how
 * often memcpy copies it in that time. Instructions per byte hardly vary; of
 * the rest only the ratios mean much.
 *
 * usage: bench_utf8 [--rounds N]
 *        bench_utf8 --count TEXT N   checks text TEXT (0 to 5) N times and does
 *                                    nothing else, to be counted:
 *   valgrind --tool=callgrind bench_utf8 --count 3 20
 */
#include <string.h>

#include "measure.h"
#include "wire/utf8.h"

#define SIZE ((size_t)1 << 20)
#define PIECE 4096
#define TEXTS 6

typedef struct text {
  const char *name;
  const char *parts[4]; /* in this order, or at random */
  int random;
} text_t;

static const text_t texts[TEXTS] = {
    {"ASCII", {"the quick ", "brown ", "fox ", "jumps"}, 0},
    {"Latin", {"\xC3\xA9", "t", "\xC3\xA0", "n"}, 0},
    {"Greek", {"\xCE\xB1", "\xCE\xB2", "\xCE\xB3", "\xCF\x89"}, 0},
    {"Chinese",
     {"\xE6\x97\xA5", "\xE6\x9C\xAC", "\xE8\xAA\x9E", "\xE4\xB8\x80"},
     0},
    {"emoji",
     {"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x81", "\xF0\x9F\x98\x82",
      "\xF0\x9F\x98\x83"},
     0},
    {"mixed", {"a b", "\xC3\xA9", "\xE6\x97\xA5", "\xF0\x9F\x98\x80"}, 1},
};

/* What a text takes, in ns a byte. */
typedef struct times {
  double whole;
  double pieces;
  double copy;
} times_t;

static size_t fill(uint8_t *bytes, const text_t *text) {
  uint32_t seed = 1;
  size_t len = 0;
  for (size_t i = 0;; i++) {
    seed = seed * 1664525 + 1013904223;
    const char *part = text->parts[text->random ? seed >> 30 : i % 4];
    size_t n = strlen(part);
    if (SIZE - len < n)
      return len;
    memcpy(bytes + len, part, n);
    len += n;
  }
}

static void check(const uint8_t *bytes, size_t len, size_t piece) {
  uvow__utf8_t utf8;
  uvow__utf8_init(&utf8);
  for (size_t at = 0; at < len; at += piece)
    MEASURE_CHECK(uvow__utf8_feed(&utf8, bytes + at,
                                  len - at < piece ? len - at : piece) == 0);
  MEASURE_CHECK(uvow__utf8_end(&utf8) == 0);
}

static void keep_least(double *least, uint64_t start, size_t len) {
  double ns = measure_ns_since(start, (double)len);
  if (*least == 0 || ns < *least)
    *least = ns;
}

static void round_of(const uint8_t *bytes, uint8_t *to, size_t len,
                     times_t *times) {
  uint64_t start = uv_hrtime();
  check(bytes, len, len);
  keep_least(&times->whole, start, len);
  start = uv_hrtime();
  check(bytes, len, PIECE);
  keep_least(&times->pieces, start, len);
  start = uv_hrtime();
  memcpy(to, bytes, len);
  keep_least(&times->copy, start, len);
  MEASURE_CHECK(to[len / 2] == bytes[len / 2]);
}

static void measure_all(uint8_t *bytes, uint8_t *to, int rounds) {
  printf("%-8s %12s %12s %12s %8s\n", "text", "whole GB/s", "4 KiB GB/s",
         "memcpy GB/s", "x");
  for (size_t i = 0; i < TEXTS; i++) {
    times_t times = {0, 0, 0};
    size_t len = fill(bytes, &texts[i]);
    for (int round = 0; round < rounds; round++)
      round_of(bytes, to, len, &times);
    printf("%-8s %12.2f %12.2f %12.2f %8.1f\n", texts[i].name, 1 / times.whole,
           1 / times.pieces, 1 / times.copy, times.whole / times.copy);
  }
}

int main(int argc, char **argv) {
  int rounds =
      argc == 3 && strcmp(argv[1], "--rounds") == 0 ? atoi(argv[2]) : 50;
  uint8_t *bytes = (uint8_t *)malloc(SIZE);
  uint8_t *to = (uint8_t *)malloc(SIZE);
  MEASURE_CHECK(bytes && to && rounds > 0);
  if (argc == 4 && strcmp(argv[1], "--count") == 0) {
    size_t len = fill(bytes, &texts[atoi(argv[2]) % TEXTS]);
    for (long times = atol(argv[3]); times > 0; times--)
      check(bytes, len, len);
  } else {
    measure_all(bytes, to, rounds);
  }
  free(bytes);
  free(to);
  return 0;
}
