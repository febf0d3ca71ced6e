#ifndef UVOW_TEST_LOOP_BED_H
#define UVOW_TEST_LOOP_BED_H

#include <uv.h>

#include <uvow.h>
#include <uvow/fiber.h>

#include "support/support.h"

/* A libuv loop with uvow's, counted memory, and a log. */
typedef struct loop_bed {
  test_alloc_t own_alloc;
  test_alloc_t *alloc;
  uv_loop_t uv;
  uvow_loop_t *loop;
  int closed;
  int leaks;             /* futures that are owned still as it closes */
  uvow_future_t *waited; /* the last one */
  char log[512];
  char unhandled[256];
} loop_bed_t;

void loop_bed_open(loop_bed_t *bed);
/* The same with an allocator that outlives it. Returns uvow_loop_new's. */
int loop_bed_open_with(loop_bed_t *bed, test_alloc_t *alloc);
/* Closes the loops: no byte is left, and the log is as expected. */
void loop_bed_close(loop_bed_t *bed, const char *log);
/* Runs the loop until nothing is left to do. */
void loop_bed_run(loop_bed_t *bed);
/* Runs it until f is settled. Takes f; the result is valid until the next wait.
 * Returns 0, or the code that it rejected with. */
int loop_bed_wait(loop_bed_t *bed, uvow_future_t *f, uvow_result_t *ret_result);
/* Appends a word. */
void loop_bed_log(loop_bed_t *bed, const char *word);
/* As loop_bed_log, with a number behind it. */
void loop_bed_log_number(loop_bed_t *bed, const char *word, int number);
/* Reads the log, and empties it. */
#define loop_bed_expect(bed, text)                                             \
  do {                                                                         \
    assert_string_equal((bed)->log, text);                                     \
    (bed)->log[0] = '\0';                                                      \
  } while (0)

/* Less of it where each thing costs a hundred times as much. */
int loop_bed_many(int wanted);

#endif
