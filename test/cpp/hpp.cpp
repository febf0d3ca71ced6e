// uvow.hpp, with and without exceptions: one program, compiled both ways.
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

#include <uv.h>

#include <uvow/uv.h>
#include <uvow/uvow.hpp>

static int failures;

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) {                                                        \
      std::printf("# %s:%d: not true: %s\n", __FILE__, __LINE__, #condition);  \
      failures++;                                                              \
    }                                                                          \
  } while (0)

namespace {

struct world {
  uv_loop_t uv;
  uvow_loop_t *loop = nullptr;
  int unhandled = 0;
  world() {
    uvow_loop_options_t options = {};
    options.size = sizeof(options);
    options.on_unhandled = [](uvow_loop_t *, const uvow_error_t *,
                              void *data) {
      ++*static_cast<int *>(data);
    };
    options.unhandled_data = &unhandled;
    uv_loop_init(&uv);
    uvow_loop_new(&uv, &options, &loop);
  }
  void run() { uv_run(&uv, UV_RUN_DEFAULT); }
  void close() {
    if (loop)
      uvow_loop_close(loop, nullptr, nullptr);
    loop = nullptr;
    run();
    CHECK(uv_loop_close(&uv) == 0);
  }
};

uvow::result settled(const uvow::future &f) { return uvow::result(f.ref()); }

uvow::task<int> add(uvow_loop_t *loop, int a, int b) {
  co_await uvow::delay(loop, 0);
  co_return a + b;
}

uvow::task<int> add_three(uvow_loop_t *loop, int a, int b, int c) {
  int sum = co_await add(loop, a, b);
  co_return co_await add(loop, sum, c);
}

void tasks_await_tasks() {
  world w;
  uvow::future f = uvow::spawn(w.loop, add_three(w.loop, 1, 2, 3));
  CHECK(f.state() == UVOW_PENDING);
  w.run();
  CHECK(settled(f).as<int>() == 6);
  f = uvow::future();
  w.close();
}

uvow::task<std::string> greets(uvow_loop_t *loop) {
  auto r = co_await uvow::future(
      uvow_future_fulfilled(loop, uvow_value_text("you")));
  co_return "hello " + std::string(*r.as<std::string_view>());
}

void any_type_is_returned() {
  world w;
  uvow::future f = uvow::spawn(w.loop, greets(w.loop));
  w.run();
  CHECK(settled(f).as<std::string>() == "hello you");
  CHECK(!settled(f).as<int>());
  f = uvow::future();
  w.close();
}

uvow::task<> sees_error(uvow_loop_t *loop, int *seen) {
  auto r = co_await uvow::as_result(uvow::future(
      uvow_future_rejected(loop, uvow_error_new(loop, UVOW_EURL, "bad"))));
  CHECK(std::strcmp(r.message(), "bad") == 0);
  *seen = r.code();
}

void errors_as_results() {
  world w;
  int seen = 0;
  uvow::spawn(w.loop, sees_error(w.loop, &seen)).detach();
  w.run();
  CHECK(seen == UVOW_EURL);
  CHECK(w.unhandled == 0);
  w.close();
}

struct watched {
  int *gone;
  explicit watched(int *g) : gone(g) {}
  watched(const watched &) = delete;
  ~watched() { ++*gone; }
};

uvow::task<> waits_long(uvow_loop_t *loop, int *codes, int *gone) {
  watched on_stack(gone);
  codes[0] = (co_await uvow::as_result(uvow::delay(loop, 1000000))).code();
  codes[1] = (co_await uvow::as_result(uvow::delay(loop, 0))).code();
}

uvow::task<> waits_within(uvow_loop_t *loop, int *codes, int *gone) {
  co_await waits_long(loop, codes, gone);
}

void a_cancel_ends_it() {
  world w;
  int codes[2] = {0, 0}, gone = 0;
  uvow::future f = uvow::spawn(w.loop, waits_within(w.loop, codes, &gone));
  uv_run(&w.uv, UV_RUN_NOWAIT);
  CHECK(f.cancel() == 0);
  w.run();
  CHECK(codes[0] == UVOW_ECANCELED && codes[1] == UVOW_ECANCELED);
  CHECK(gone == 1);
  f = uvow::future();
  w.close();
}

void closing_ends_it() {
  world w;
  int codes[2] = {0, 0}, gone = 0;
  uvow::spawn(w.loop, waits_within(w.loop, codes, &gone)).detach();
  uv_run(&w.uv, UV_RUN_NOWAIT);
  w.close();
  CHECK(codes[0] < 0 && codes[1] < 0);
  CHECK(gone == 1);
}

uvow::task<> shares(uvow::future f, int *code) {
  *code = (co_await uvow::as_result(std::move(f))).code();
}

void a_cancel_is_nobody_elses() {
  world w;
  int codes[2] = {1, 1};
  uvow_promise_t *promise;
  uvow::future f(uvow_promise_new(w.loop, &promise));
  uvow::future a = uvow::spawn(w.loop, shares(f.ref(), &codes[0]));
  uvow::future b = uvow::spawn(w.loop, shares(f.ref(), &codes[1]));
  w.run();
  a.cancel();
  w.run();
  CHECK(codes[0] == UVOW_ECANCELED && codes[1] == 1);
  uvow_promise_fulfill(promise, uvow_value_none());
  w.run();
  CHECK(codes[1] == 0);
  a = uvow::future();
  b = uvow::future();
  f = uvow::future();
  w.close();
}

uvow::task<> times_out(uvow_loop_t *loop, int *code) {
  auto r = co_await uvow::as_result(uvow::delay(loop, 1000000).timeout(1));
  *code = r.code();
}

void timeouts() {
  world w;
  int code = 0;
  uvow::spawn(w.loop, times_out(w.loop, &code)).detach();
  w.run();
  CHECK(code == UVOW_ETIMEDOUT);
  w.close();
}

uvow::task<int> sums(uvow_loop_t *loop) {
  std::vector<uvow::future> all;
  for (int i = 1; i <= 10; i++)
    all.push_back(uvow::spawn(loop, add(loop, i, 0)));
  auto r = co_await uvow::when_all(loop, std::move(all));
  const uvow_results_t *results = nullptr;
  uvow_value_get_results(&r.get()->value, &results);
  int sum = 0;
  for (size_t i = 0; i < uvow_results_count(results); i++) {
    uvow_result_t one;
    uvow_results_get(results, i, &one);
    sum += *uvow::result(one).as<int>();
  }
  co_return sum;
}

void all_of_many() {
  world w;
  uvow::future f = uvow::spawn(w.loop, sums(w.loop));
  w.run();
  CHECK(settled(f).as<int>() == 55);
  f = uvow::future();
  w.close();
}

void lambdas() {
  world w;
  int gone = 0;
  auto kept = std::make_shared<watched>(&gone);
  uvow::future f = uvow::delay(w.loop, 0)
                       .then([kept](const uvow::result &) { return 20; })
                       .then([](const uvow::result &r) {
                         return *r.as<int>() + 1.5;
                       })
                       .then([&w](const uvow::result &r) {
                         return uvow::spawn(
                             w.loop, add(w.loop, int(*r.as<double>()), 1));
                       });
  kept.reset();
  w.run();
  CHECK(gone == 1);
  CHECK(settled(f).as<int>() == 22);
  f = uvow::future(uvow_future_rejected(
                       w.loop, uvow_error_new(w.loop, UVOW_EURL, nullptr)))
          .then([](const uvow::result &) { return 1; })
          .otherwise([](const uvow::result &r) { return r.code(); });
  w.run();
  CHECK(settled(f).as<int>() == UVOW_EURL);
  f = uvow::future();
  w.close();
}

void a_task_that_nobody_runs() {
  world w;
  { uvow::task<int> t = add(w.loop, 1, 2); }
  CHECK(!uvow::spawn(w.loop, uvow::task<int>()));
  w.close();
}

uvow::task<size_t> reads(uvow_loop_t *loop) {
  auto r = co_await uvow::future(uvow_fs_read_file(loop, "/proc/version", 9999));
  co_return r.as<std::string_view>()->size();
}

void libuv_is_awaited() {
  world w;
  uvow::future f = uvow::spawn(w.loop, reads(w.loop));
  w.run();
  CHECK(*settled(f).as<size_t>() > 10);
  f = uvow::future();
  w.close();
}

/* A million awaits on a small stack: nothing recurses. */
uvow::task<int> deep(uvow_loop_t *loop, int n) {
  if (n == 0)
    co_return 0;
  co_return 1 + co_await deep(loop, n - 1);
}

void many_levels() {
  world w;
  uvow::future f = uvow::spawn(w.loop, deep(w.loop, 1000));
  w.run();
  CHECK(settled(f).as<int>() == 1000);
  f = uvow::future();
  w.close();
}

#if UVOW_HPP_EXCEPTIONS
uvow::task<int> throws(uvow_loop_t *loop, int how) {
  co_await uvow::delay(loop, 0);
  if (how == 0)
    throw uvow::error(loop, UVOW_EPROTO, "own");
  if (how == 1)
    throw std::runtime_error("theirs");
  if (how == 2)
    throw std::bad_alloc();
  throw 3;
}

uvow::task<int> catches(uvow_loop_t *loop) {
  try {
    co_await throws(loop, 0);
  } catch (const uvow::error &e) {
    CHECK(e.code() == UVOW_EPROTO);
  }
  try {
    co_await uvow::delay(loop, 1000000).timeout(0);
  } catch (const uvow::error &e) {
    co_return e.code();
  }
  co_return 0;
}

void exceptions() {
  static const int codes[] = {UVOW_EPROTO, UVOW_EINVAL, UVOW_ENOMEM,
                              UVOW_EINVAL};
  world w;
  for (int how = 0; how < 4; how++) {
    uvow::future f = uvow::spawn(w.loop, throws(w.loop, how));
    f = std::move(f).otherwise([](const uvow::result &r) {
      r.check();
    });
    w.run();
    CHECK(settled(f).code() == codes[how]);
    if (how == 1)
      CHECK(std::strcmp(settled(f).message(), "theirs") == 0);
  }
  w.unhandled = 0;
  uvow::future f = uvow::spawn(w.loop, catches(w.loop));
  w.run();
  CHECK(settled(f).value<int>() == UVOW_ETIMEDOUT);
  bool thrown = false;
  try {
    (void)settled(f).value<std::string>();
  } catch (const uvow::error &e) {
    thrown = e.code() == UVOW_ETYPE;
  }
  CHECK(thrown);
  f = uvow::future();
  w.close();
}
#endif

} // namespace

int main() {
  struct {
    const char *name;
    void (*run)();
  } const tests[] = {
      {"tasks await tasks", tasks_await_tasks},
      {"any type is returned", any_type_is_returned},
      {"errors as results", errors_as_results},
      {"a cancel ends it", a_cancel_ends_it},
      {"closing ends it", closing_ends_it},
      {"a cancel is nobody else's", a_cancel_is_nobody_elses},
      {"timeouts", timeouts},
      {"all of many", all_of_many},
      {"lambdas", lambdas},
      {"a task that nobody runs", a_task_that_nobody_runs},
      {"libuv is awaited", libuv_is_awaited},
      {"many levels", many_levels},
#if UVOW_HPP_EXCEPTIONS
      {"exceptions", exceptions},
#endif
  };
  int n = 0, failed = 0;
  std::printf("1..%d\n", int(sizeof(tests) / sizeof(*tests)));
  for (const auto &test : tests) {
    failures = 0;
    test.run();
    failed += failures != 0;
    std::printf("%sok %d - %s\n", failures ? "not " : "", ++n, test.name);
  }
  return failed != 0;
}
