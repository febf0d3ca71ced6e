/*
 * bench/tasks.cpp over uvco (github.com/dermesser/uvco): the same modes, turns
 * and waiters, released by the program, through uvco's WaitPoint.
 *
 * It isn't packaged: bench/run tasks builds this where the variable UVCO_SOURCE
 * names a folder with its source, and libfmt-dev and Boost's headers are there.
 */
#include "uvco/combinators.h"
#include "uvco/run.h"

#include <optional>

#include "../tasks.h"

namespace {

struct bench {
  uvco::WaitPoint point;
  std::optional<uvco::Promise<void>> begun[PER_TURN];
  long done = 0;
};

bench the;

uvco::Promise<void> once() {
  co_await the.point.wait();
  the.done++;
}

uvco::Promise<void> awaits(long turns) {
  while (turns-- > 0) {
    co_await the.point.wait();
    the.done++;
  }
}

uvco::Promise<void> awaits_tasks(long turns) {
  while (turns-- > 0)
    co_await once();
}

/* All turns: each releases those who wait, and lets them run. */
uvco::Promise<void> all(int mode, long turns) {
  for (auto &promise : the.begun)
    if (mode != TASKS_SPAWN)
      promise.emplace(mode == TASKS_AWAIT ? awaits(turns)
                                          : awaits_tasks(turns));
  for (long n = 0; n < turns; n++) {
    for (auto &promise : the.begun)
      if (mode == TASKS_SPAWN)
        promise.emplace(once());
    while (the.point.waiting() < PER_TURN)
      co_await uvco::yield();
    the.point.releaseAll();
    while (the.done < (n + 1) * PER_TURN)
      co_await uvco::yield();
  }
}

} // namespace

void tasks_open() {
}

void tasks_close() {
}

void tasks_run(int mode, long turns) {
  the.done = 0;
  uvco::runMain<void>([=](const uvco::Loop &) { return all(mode, turns); });
  for (auto &promise : the.begun)
    promise.reset();
  MEASURE_CHECK(the.done == turns * PER_TURN);
}

int main(int argc, char **argv) {
  return tasks_main(argc, argv) ? 0 : 2;
}
