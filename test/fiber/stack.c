/* Stacks: how much fits, and what happens when more is used. */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/faults.h"
#include "support/loop_bed.h"

#define DEEPEST 2048 /* what jansson takes */

static uvow_next_t parses(uvow_loop_t *loop, void *data) {
  char text[2 * DEEPEST];
  json_t *json;
  memset(text, '[', DEEPEST);
  memset(text + DEEPEST, ']', DEEPEST);
  json = json_loadb(text, sizeof(text), 0, NULL);
  assert_non_null(json);
  /* What is freed goes as deep. */
  json_decref(json);
  *(int *)data = 1;
  assert_int_equal(uvow_await_delay(loop, 0), 0);
  return uvow_next_pass();
}

TEST_CASE(the_deepest_answer_fits) {
  loop_bed_t bed;
  int done = 0;
  loop_bed_open(&bed);
  uvow_future_t *f = uvow_fiber_spawn(bed.loop, parses, &done);
  loop_bed_run(&bed);
  assert_int_equal(done, 1);
  uvow_future_unref(f);
  loop_bed_close(&bed, "closed");
}

static uvow_next_t fills(uvow_loop_t *loop, void *data) {
  volatile char room[900 * 1024];
  (void)loop;
  for (size_t i = 0; i < sizeof(room); i += 1024)
    room[i] = (char)i;
  *(int *)data += room[0] + 1;
  return uvow_next_pass();
}

TEST_CASE(a_stack_may_be_larger) {
  uvow_fiber_options_t options = {.size = sizeof(options),
                                  .stack_bytes = 1024 * 1024};
  loop_bed_t bed;
  int done = 0;
  loop_bed_open(&bed);
  for (int i = 0; i < 3; i++) {
    options.no_guard = i == 1;
    uvow_future_detach(uvow_fiber_spawn_with(bed.loop, fills, &done, &options));
  }
  loop_bed_run(&bed);
  assert_int_equal(done, 3);
  loop_bed_close(&bed, "closed");
}

/* Each size has its own stacks, with a guard and without; the largest has a map
 * of its own. */
TEST_CASE(sizes_do_not_mix) {
  static const size_t sizes[] = {1024 * 1024, 2 * 1024 * 1024, 1024 * 1024,
                                 (size_t)64 * 1024 * 1024};
  uvow_fiber_options_t options = {.size = sizeof(options)};
  loop_bed_t bed;
  int done = 0;
  loop_bed_open(&bed);
  for (int i = 0; i < 8; i++) {
    options.stack_bytes = sizes[i % 4];
    options.no_guard = i / 4;
    uvow_future_detach(uvow_fiber_spawn_with(bed.loop, fills, &done, &options));
    loop_bed_run(&bed);
    assert_int_equal(done, i + 1);
  }
  loop_bed_close(&bed, "closed");
}

/* The system gives no memory: none is spawned, and the next one may be. */
TEST_CASE(no_memory_for_a_stack) {
  static const char *const calls[] = {"mmap", "mprotect"};
  loop_bed_t bed;
  int done = 0;
  loop_bed_open(&bed);
  for (int i = 0; i < 2; i++) {
    faults_begin(calls[i], -1, 1, 1);
    assert_null(uvow_fiber_spawn(bed.loop, parses, &done));
    assert_int_equal(faults_end(), 1);
    assert_int_equal(uvow_error_code(uvow_loop_error(bed.loop)), UVOW_ENOMEM);
  }
  uvow_future_detach(uvow_fiber_spawn(bed.loop, parses, &done));
  loop_bed_run(&bed);
  assert_int_equal(done, 1);
  loop_bed_close(&bed, "closed");
}

/* Stacks that are used again are the ones that were: no map is added. */
TEST_CASE(a_stack_is_used_again) {
  loop_bed_t bed;
  int done = 0;
  loop_bed_open(&bed);
  for (int i = 0; i < 100; i++) {
    size_t calls = bed.alloc->calls;
    uvow_future_detach(uvow_fiber_spawn(bed.loop, parses, &done));
    loop_bed_run(&bed);
    if (i > 0)
      assert_int_equal(bed.alloc->calls, calls);
  }
  loop_bed_close(&bed, "closed");
}

static int dig(int depth) {
  volatile char room[512];
  room[0] = (char)depth;
  return depth ? dig(depth - 1) + room[0] : 0;
}

static uvow_next_t waits(uvow_loop_t *loop, void *data) {
  (void)data;
  return uvow_next_code(uvow_await_delay(loop, 1000000), NULL);
}

static uvow_next_t overflows(uvow_loop_t *loop, void *data) {
  (void)loop;
  *(int *)data = dig(800); /* 400 KiB and more */
  return uvow_next_pass();
}

/* The neighbour below is in use: without the guard, it would be overwritten. */
static void overflow_in_child(void) {
  struct rlimit none = {0, 0};
  loop_bed_t bed;
  int sum = 0;
  signal(SIGSEGV, SIG_DFL);
  setrlimit(RLIMIT_CORE, &none);
  (void)freopen("/dev/null", "w", stderr);
  loop_bed_open(&bed);
  uvow_future_detach(uvow_fiber_spawn(bed.loop, waits, NULL));
  uvow_future_detach(uvow_fiber_spawn(bed.loop, overflows, &sum));
  uv_run(&bed.uv, UV_RUN_NOWAIT);
  _exit(sum == 1);
}

TEST_CASE(an_overflow_hits_the_guard) {
  int status = 0;
  (void)fflush(stdout);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0)
    overflow_in_child();
  assert_int_equal(waitpid(child, &status, 0), child);
  /* A sanitizer's handler says so and exits. */
  assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGSEGV
                                  : WEXITSTATUS(status) > 1);
}

TEST_MODULE(stack) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_deepest_answer_fits),
      cmocka_unit_test(a_stack_may_be_larger),
      cmocka_unit_test(sizes_do_not_mix),
      cmocka_unit_test(no_memory_for_a_stack),
      cmocka_unit_test(a_stack_is_used_again),
      cmocka_unit_test(an_overflow_hits_the_guard),
  };
  return cmocka_run_group_tests_name("fiber/stack", tests, NULL, NULL);
}
