/*
 * What do C++20 coroutines cost, beside uvco's?
 *
 * 200 waiters a turn, each released by the program. Once a task awaits a new
 * promise, again and again; once it awaits, each time, a task that awaits a new
 * promise; once such a task is spawned each time, and its future is kept until it
 * has returned. The same over uvco (peers/uvco.cpp, see there), if there's its
 * source.
 *
 * How to read it: instructions hardly vary from machine to machine; of the times
 * only the ratios mean much.
 *
 * usage: bench_tasks [--rounds N]
 *        bench_tasks --count MODE N   N turns of 200, to be counted
 */
#include <uvow/uvow.hpp>

#include <string>

#include "tasks.h"

namespace {

struct bench {
  uv_loop_t uv;
  uvow_loop_t *loop;
  uvow_promise_t *promises[PER_TURN];
  uvow::future spawned[PER_TURN];
  long done = 0;
};

bench the;

/* Waits for a new promise. */
uvow::future wait_for(int i) {
  return uvow::future(uvow_promise_new(the.loop, &the.promises[i]));
}

uvow::task<> once(int i) {
  co_await wait_for(i);
  the.done++;
}

uvow::task<> awaits(int i, long turns) {
  while (turns-- > 0) {
    co_await wait_for(i);
    the.done++;
  }
}

uvow::task<> awaits_tasks(int i, long turns) {
  while (turns-- > 0)
    co_await once(i);
}

void release_all() {
  for (uvow_promise_t *promise : the.promises)
    uvow_promise_fulfill(promise, uvow_value_none());
  uv_run(&the.uv, UV_RUN_NOWAIT);
}

} // namespace

void tasks_open() {
  MEASURE_CHECK(uv_loop_init(&the.uv) == 0);
  the.loop = uvow_loop_new(&the.uv, NULL);
  MEASURE_CHECK(the.loop);
}

void tasks_close() {
  measure_close(&the.uv, the.loop);
}

void tasks_run(int mode, long turns) {
  the.done = 0;
  for (int i = 0; i < PER_TURN && mode != TASKS_SPAWN; i++)
    the.spawned[i] =
        uvow::spawn(the.loop, mode == TASKS_AWAIT ? awaits(i, turns)
                                                  : awaits_tasks(i, turns));
  for (long n = 0; n < turns; n++) {
    for (int i = 0; i < PER_TURN && mode == TASKS_SPAWN; i++)
      the.spawned[i] = uvow::spawn(the.loop, once(i));
    release_all();
  }
  for (uvow::future &f : the.spawned)
    f = uvow::future();
  MEASURE_CHECK(the.done == turns * PER_TURN);
}

namespace {

/* The number behind a text in what a command prints, or -1. */
double found(const std::string &command, const char *text) {
  char line[512];
  double number = -1;
  FILE *out = popen((command + " 2>&1").c_str(), "r");
  while (out && fgets(line, sizeof(line), out)) {
    const char *at = strstr(line, text);
    if (at)
      (void)sscanf(at + strlen(text), "%lf", &number);
  }
  if (out)
    pclose(out);
  return number;
}

std::string with(const std::string &program, const char *what, int mode,
                 int turns) {
  return "'" + program + "' " + what + " " + std::to_string(mode) + " " +
         std::to_string(turns);
}

/* Instructions of each; what starting and ending cost is taken out. */
double instructions(const std::string &program, int mode) {
  const std::string valgrind =
      "valgrind --tool=callgrind --callgrind-out-file=/dev/null ";
  double once =
      found(valgrind + with(program, "--count", mode, 100), "Collected : ");
  double twice =
      found(valgrind + with(program, "--count", mode, 200), "Collected : ");
  return once < 0 || twice < 0 ? -1
                               : (twice - once) / (100.0 * double(PER_TURN));
}

void print(int mode, const char *what, const std::string *programs, int count,
           int rounds) {
  measure_t times[2] = {};
  for (int round = 0; round < rounds; round++)
    for (int i = 0; i < count; i++)
      measure_add(&times[i],
                  found(with(programs[i], "--time", mode, 2000), ""));
  for (int i = 0; i < count; i++)
    printf("%-5s %-36s %8.0f %8.1f\n", i ? "uvco" : "uvow", what,
           instructions(programs[i], mode), measure_median(&times[i]));
}

} // namespace

int main(int argc, char **argv) {
  static const char *const names[TASKS_MODES] = {
      "a task awaits, again and again", "a task that awaits, awaited",
      "a task that awaits, spawned"};
  char program[4096];
  size_t size = sizeof(program);
  int rounds = 5;
  if (tasks_main(argc, argv))
    return 0;
  if (argc == 3 && strcmp(argv[1], "--rounds") == 0)
    rounds = atoi(argv[2]);
  MEASURE_CHECK(rounds > 0 && rounds <= MEASURE_ROUNDS_MAX);
  MEASURE_CHECK(uv_exepath(program, &size) == 0);
  const char *uvco = getenv("UVOW_BENCH_UVCO");
  const std::string programs[] = {program, uvco ? uvco : ""};
  printf("%-42s %8s %8s\n", "each (-1: valgrind isn't there)", "instr.", "ns");
  for (int mode = 0; mode < TASKS_MODES; mode++)
    print(mode, names[mode], programs, uvco ? 2 : 1, rounds);
  return 0;
}
