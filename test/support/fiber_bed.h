#ifndef UVOW_TEST_FIBER_BED_H
#define UVOW_TEST_FIBER_BED_H

#include <uv.h>

#include <uvow.h>
#include <uvow/fiber.h>

#include "support/support.h"

/* A libuv loop with uvow's, counted memory, and a log. */
typedef struct fiber_bed {
  test_alloc_t own_alloc;
  test_alloc_t *alloc;
  uv_loop_t uv;
  uvow_loop_t *loop;
  int closed;
  char log[512];
  char unhandled[256];
} fiber_bed_t;

void fiber_bed_open(fiber_bed_t *bed);
/* The same with an allocator that outlives it. Returns uvow_loop_new's. */
int fiber_bed_open_with(fiber_bed_t *bed, test_alloc_t *alloc);
/* Closes the loops: no byte is left, and the log is as expected. */
void fiber_bed_close(fiber_bed_t *bed, const char *log);
/* Runs the loop until nothing is left to do. */
void fiber_bed_run(fiber_bed_t *bed);
/* Appends a word. */
void fiber_bed_log(fiber_bed_t *bed, const char *word);
/* As fiber_bed_log, with a number behind it. */
void fiber_bed_log_number(fiber_bed_t *bed, const char *word, int number);
/* Reads the log, and empties it. */
#define fiber_bed_expect(bed, text)                                            \
  do {                                                                         \
    assert_string_equal((bed)->log, text);                                     \
    (bed)->log[0] = '\0';                                                      \
  } while (0)

/* Less of it where each thing costs a hundred times as much. */
int fiber_bed_many(int wanted);

#endif
