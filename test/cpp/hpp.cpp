// uvow.hpp, with and without exceptions: one program, compiled both ways.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include <uv.h>

#include <uvow/uv.h>
#include <uvow/uvow.hpp>

static int failures;

/* Allocations until one fails, of C++ and of uvow's; 0: none does. */
static long fail_at;

static std::atomic<long> taken, given; /* blocks */

static bool fails() {
  return fail_at > 0 && --fail_at == 0;
}

// GCC compares what it has inlined of the one with what it hasn't of the other.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

void *operator new(std::size_t size, const std::nothrow_t &) noexcept {
  if (fails())
    return nullptr;
  taken++;
  return std::malloc(size);
}

void *operator new(std::size_t size) {
  void *ptr = std::malloc(size);
  if (!ptr)
    std::abort();
  taken++;
  return ptr;
}

void operator delete(void *ptr) noexcept {
  given += ptr != nullptr;
  std::free(ptr);
}

void operator delete(void *ptr, std::size_t) noexcept {
  given += ptr != nullptr;
  std::free(ptr);
}

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
    uvow_loop_options_t options;
    UVOW_INIT(&options);
    options.on_unhandled = [](uvow_loop_t *, const uvow_error_t *, void *data) {
      ++*static_cast<int *>(data);
    };
    options.data = &unhandled;
    uv_loop_init(&uv);
    loop = uvow_loop_new(&uv, &options);
  }
  void run() {
    uv_run(&uv, UV_RUN_DEFAULT);
  }
  void close() {
    if (loop)
      uvow_loop_close(loop, nullptr, nullptr);
    loop = nullptr;
    run();
    CHECK(uv_loop_close(&uv) == 0);
  }
};

uvow::result settled(const uvow::future &f) {
  return uvow::result(f.ref());
}

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
  explicit watched(int *g) : gone(g) {
  }
  watched(const watched &) = delete;
  ~watched() {
    ++*gone;
  }
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
  uvow::future f =
      uvow::delay(w.loop, 0)
          .then([kept](const uvow::result &) { return 20; })
          .then([](const uvow::result &r) { return *r.as<int>() + 1.5; })
          .then([&w](const uvow::result &r) {
            return uvow::spawn(w.loop, add(w.loop, int(*r.as<double>()), 1));
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
  auto r =
      co_await uvow::future(uvow_fs_read_file(loop, "/proc/version", 9999));
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
    f = std::move(f).otherwise([](const uvow::result &r) { r.check(); });
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

uvow::task<int> sums(uvow::stream numbers) {
  int sum = 0;
  for (;;) {
    auto item = co_await numbers;
    if (!item || item.is_end())
      co_return sum;
    sum += item.as<int>().value_or(1000);
  }
}

uvow::task<> counts(uvow_loop_t *loop, uvow::sink out, int n) {
  for (int i = 1; i <= n; i++)
    if (out.push(i) == 1)
      co_await out.room();
  co_await uvow::delay(loop, 0);
  out.end();
}

void streams_are_awaited() {
  world w;
  uvow_sink_t *sink = nullptr;
  uvow::stream numbers(uvow_stream_new(w.loop, nullptr, &sink));
  uvow::future f = uvow::spawn(w.loop, sums(std::move(numbers)));
  uvow::spawn(w.loop, counts(w.loop, uvow::sink(sink), 200)).detach();
  w.run();
  CHECK(settled(f).as<int>() == 200 * 201 / 2);
  f = uvow::future();
  w.close();
}

/* Nobody reads any more: a task that waits for an item ends with its cancel, and
 * the stream is let go of. */
void a_cancel_lets_go_of_a_stream() {
  world w;
  uvow_sink_t *raw = nullptr;
  uvow::stream numbers(uvow_stream_new(w.loop, nullptr, &raw));
  uvow::sink out(raw);
  uvow::future f = uvow::spawn(w.loop, sums(std::move(numbers)));
  uv_run(&w.uv, UV_RUN_NOWAIT);
  CHECK(out.push(1) == 0);
  uv_run(&w.uv, UV_RUN_NOWAIT);
  CHECK(f.cancel() == 0);
  w.run();
  CHECK(out.push(2) == UVOW_ECANCELED);
  CHECK(settled(f).code() == UVOW_ECANCELED);
  f = uvow::future();
  out = uvow::sink();
  w.close();
}

void each_item_to_a_lambda() {
  world w;
  int gone = 0, sum = 0;
  uvow_sink_t *raw = nullptr;
  uvow::stream numbers(uvow_stream_new(w.loop, nullptr, &raw));
  auto kept = std::make_shared<watched>(&gone);
  uvow::future f =
      std::move(numbers).each([kept, &sum](const uvow::result &item) {
        sum += *item.as<int>();
        return uvow::delay(item.get()->loop, 0);
      });
  kept.reset();
  for (int i = 1; i <= 4; i++)
    CHECK(uvow_sink_push(raw, uvow_value_int64(i)) == 0);
  uvow_sink_end(raw);
  w.run();
  CHECK(sum == 10);
  CHECK(gone == 1);
  CHECK(f.state() == UVOW_FULFILLED);
  f = uvow::future();
  w.close();
}

uvow::task<int> echoes(uvow::stream peers) {
  uvow::channel peer(co_await peers);
  int count = 0;
  for (;;) {
    auto bytes = co_await peer.in;
    if (!bytes || bytes.is_end())
      break;
    count += static_cast<int>(bytes.as<std::string_view>()->size());
    if (peer.out.push(uvow_result_keep(bytes.get())) == 1)
      co_await peer.out.room();
  }
  auto flushed = peer.out.flushed();
  peer.out.end();
  co_await std::move(flushed);
  co_return count;
}

uvow::task<std::string> asks(uvow_loop_t *loop, uint16_t port) {
  uvow::channel peer(uvow_tcp_connect(loop, "127.0.0.1", port));
  std::string answer;
  peer.out.push(uvow_value_text("hello"));
  peer.out.end();
  for (;;) {
    auto bytes = co_await peer.in;
    if (!bytes || bytes.is_end())
      co_return answer;
    answer += *bytes.as<std::string_view>();
  }
}

void sockets_are_channels() {
  world w;
  uint16_t port = 0;
  uvow::stream peers(uvow_tcp_listen(w.loop, "127.0.0.1", 0, &port));
  uvow::future server = uvow::spawn(w.loop, echoes(std::move(peers)));
  uvow::future client = uvow::spawn(w.loop, asks(w.loop, port));
  w.run();
  CHECK(settled(server).as<int>() == 5);
  CHECK(settled(client).as<std::string>() == "hello");
  server = uvow::future();
  client = uvow::future();
  w.close();
}

void work_is_a_lambda() {
  world w;
  uvow::future sum =
      uvow::work(w.loop, [n = std::make_unique<int>(41)]() { return *n + 1; });
  uvow::future text =
      uvow::work(w.loop, []() { return std::string("another thread"); });
  uvow::future nothing = uvow::work(w.loop, []() {});
  uvow::future dropped = uvow::work(w.loop, []() { return std::string("x"); });
  dropped.cancel();
  w.run();
  CHECK(settled(sum).as<int>() == 42);
  CHECK(settled(text).as<std::string>() == "another thread");
  CHECK(nothing.state() == UVOW_FULFILLED);
  CHECK(dropped.state() == UVOW_REJECTED);
#if UVOW_HPP_EXCEPTIONS
  uvow::future thrown = uvow::work(
      w.loop, []() -> int { throw std::runtime_error("on a thread"); });
  w.run();
  CHECK(settled(thrown).code() == UVOW_EINVAL);
  CHECK(std::strcmp(settled(thrown).message(), "on a thread") == 0);
  thrown = uvow::future();
#endif
  sum = uvow::future();
  text = uvow::future();
  nothing = uvow::future();
  dropped = uvow::future();
  w.close();
}

/* Generators. */

struct traced {
  int begun = 0, yielded = 0, ended = 0, gone = 0;
};

uvow::generator<int> numbers(uvow_loop_t *loop, int n, traced *t) {
  watched on_stack(&t->gone);
  t->begun++;
  for (int i = 1; i <= n; i++) {
    if (i % 3 == 0)
      (void)co_await uvow::as_result(uvow::delay(loop, 0));
    t->yielded = i;
    if (co_yield i)
      co_return;
  }
  t->ended++;
}

void a_generator_is_a_stream() {
  world w;
  traced t;
  uvow::stream s = uvow::generate(w.loop, numbers(w.loop, 100, &t));
  w.run();
  CHECK(t.begun == 1 && t.yielded == 1); // it waits until that's read
  uvow::future first = s.next();
  w.run();
  CHECK(settled(first).as<int>() == 1);
  CHECK(t.yielded == 2);
  first = uvow::future();
  uvow::future rest = uvow::spawn(w.loop, sums(std::move(s)));
  w.run();
  CHECK(settled(rest).as<int>() == 100 * 101 / 2 - 1);
  CHECK(t.ended == 1 && t.gone == 1);
  rest = uvow::future();
  s = uvow::generate(w.loop, numbers(w.loop, 100, &t), 7);
  w.run();
  CHECK(t.yielded == 7);
  s = uvow::stream();
  w.run();
  CHECK(t.gone == 2);
  w.close();
}

uvow::generator<std::string> words(uvow_loop_t *loop, traced *t) {
  uvow::stream s = uvow::generate(loop, numbers(loop, 3, t));
  for (;;) {
    auto r = co_await uvow::as_result(s.next());
    if (!r || r.is_end())
      co_return;
    if (co_yield std::string(static_cast<size_t>(*r.as<int>()), 'x'))
      co_return;
  }
}

void a_generator_reads_another() {
  world w;
  traced t;
  std::string all;
  uvow::future f = uvow::generate(w.loop, words(w.loop, &t))
                       .each([&all](const uvow::result &r) {
                         all += *r.as<std::string>() + ".";
                       });
  w.run();
  CHECK(all == "x.xx.xxx.");
  CHECK(f.state() == UVOW_FULFILLED);
  f = uvow::future();
  w.close();
}

/* Let go of in the first co_yield, in others, in a co_await, as an ask is
 * canceled, and as the loop closes. */
void a_generator_ends_with_its_reader() {
  for (int n = 0; n < 5; n++) {
    world w;
    traced t;
    uvow::stream s = uvow::generate(w.loop, numbers(w.loop, 100, &t));
    uvow::future f;
    for (int i = 0; i < n; i++) {
      f = s.next();
      w.run();
      CHECK(settled(f).as<int>() == i + 1);
    }
    if (n == 3) {
      f = s.next(); // of the fourth, which waits already
      f = s.next();
      f.cancel();
    }
    if (n == 4) {
      uvow_loop_close(w.loop, nullptr, nullptr);
      w.loop = nullptr;
    }
    s = uvow::stream();
    f = uvow::future();
    w.run();
    CHECK(t.gone == 1);
    CHECK(t.ended == 0);
    w.close();
  }
}

uvow::generator<int> fails_at_two(uvow_loop_t *loop, int how) {
  co_yield 1;
#if UVOW_HPP_EXCEPTIONS
  if (how == 0)
    throw uvow::error(loop, UVOW_EPROTO, "two");
  throw std::runtime_error("theirs");
#else
  (void)loop;
  (void)how;
#endif
}

void a_generators_error_is_the_streams() {
  for (int how = 0; how < 2; how++) {
    world w;
    uvow::stream s = uvow::generate(w.loop, fails_at_two(w.loop, how));
    uvow::future first = s.next(), second = s.next();
    w.run();
    CHECK(settled(first).as<int>() == 1);
#if UVOW_HPP_EXCEPTIONS
    CHECK(settled(second).code() == (how ? UVOW_EINVAL : UVOW_EPROTO));
    CHECK(std::strcmp(settled(second).message(), how ? "theirs" : "two") == 0);
#else
    CHECK(settled(second).is_end());
#endif
    first = uvow::future();
    second = uvow::future();
    s = uvow::stream();
    w.close();
  }
}

void a_generator_that_nobody_runs() {
  world w;
  traced t;
  { uvow::generator<int> g = numbers(w.loop, 1, &t); }
  CHECK(t.begun == 0);
  CHECK(!uvow::generate(w.loop, uvow::generator<int>()));
  w.close();
  CHECK(!uvow::generate(nullptr, numbers(nullptr, 1, &t)));
}

uvow::task<int> answers(uvow_loop_t *loop, uint64_t ms, int n) {
  co_await uvow::as_result(uvow::delay(loop, ms));
  co_return n;
}

void the_first_of_many() {
  world w;
  for (auto first : {uvow::when_any, uvow::race}) {
    std::vector<uvow::future> all;
    all.push_back(uvow::spawn(w.loop, answers(w.loop, 1000000, 1)));
    all.push_back(uvow::spawn(w.loop, answers(w.loop, 0, 2)));
    uvow::future f = first(w.loop, std::move(all));
    w.run();
    CHECK(settled(f).as<int>() == 2);
  }
  w.close();
}

uvow::task<int> uses_all(uvow_loop_t *loop) {
  int n = 0;
  auto value = co_await uvow::as_result(
      uvow::future(uvow_future_fulfilled(loop, uvow_value_int64(1))));
  n += value.as<int>().value_or(0);
  auto worked = co_await uvow::as_result(uvow::work(loop, []() { return 2; }));
  n += worked.as<int>().value_or(0);
  auto waited = co_await uvow::as_result(uvow::delay(loop, 1).timeout(1000));
  n += waited.code() ? 0 : 4;
  uvow_sink_t *raw = nullptr;
  uvow::stream items(uvow_stream_new(loop, nullptr, &raw));
  uvow::sink out(raw);
  if (items && out.push(std::string("boxed")) == 0) {
    out.end();
    auto item = co_await uvow::as_result(items.next());
    n += item.as<std::string>() ? 8 : 0;
  }
  static traced t; // a generator may outlive its reader
  uvow::stream some = uvow::generate(loop, words(loop, &t));
  if (some) {
    auto word = co_await uvow::as_result(some.next());
    n += word.as<std::string>() ? 16 : 0;
  }
  co_return n;
}

/* Whatever fails, nothing leaks and nothing hangs; in the end nothing fails. */
void every_allocation_may_fail() {
  int best = -1;
  for (long at = 1; at < 500 && best != 31; at++) {
    uv_loop_t uv;
    uvow_allocator_t allocator;
    uvow_loop_options_t options;
    UVOW_INIT(&options);
    UVOW_INIT(&allocator);
    allocator.malloc_cb = [](size_t size, void *) -> void * {
      return fails() ? nullptr : std::malloc(size);
    };
    allocator.realloc_cb = [](void *ptr, size_t size, void *) -> void * {
      return fails() ? nullptr : std::realloc(ptr, size);
    };
    allocator.free_cb = [](void *ptr, void *) { std::free(ptr); };
    options.allocator = &allocator;
    options.on_unhandled = [](uvow_loop_t *, const uvow_error_t *, void *) {};
    uv_loop_init(&uv);
    fail_at = at;
    uvow_loop_t *loop = uvow_loop_new(&uv, &options);
    if (loop) {
      uvow::future f = uvow::spawn(loop, uses_all(loop));
      uvow::future g = f.ref().then(
          [](const uvow::result &r) { return r.as<int>().value_or(0); });
      uv_run(&uv, UV_RUN_DEFAULT);
      CHECK(!f || f.state() != UVOW_PENDING);
      CHECK(!g || g.state() != UVOW_PENDING);
      if (f)
        best = settled(f).as<int>().value_or(0);
      f = uvow::future();
      g = uvow::future();
      fail_at = 0;
      uvow_loop_close(loop, nullptr, nullptr);
      uv_run(&uv, UV_RUN_DEFAULT);
    }
    fail_at = 0;
    CHECK(uv_loop_close(&uv) == 0);
  }
  CHECK(best == 31);
}

/* So many tasks wait at once, and end. Returns how many blocks that took. */
long crowd(world &w, int n) {
  auto waits = [](uvow::future f) -> uvow::task<int> {
    co_await std::move(f);
    co_return 1;
  };
  std::vector<uvow_promise_t *> promises(std::size_t(n), nullptr);
  long before = taken;
  for (auto &promise : promises)
    uvow::spawn(w.loop, waits(uvow::future(uvow_promise_new(w.loop, &promise))))
        .detach();
  for (auto promise : promises)
    uvow_promise_fulfill(promise, uvow_value_none());
  w.run();
  return taken - before;
}

/* Frames of tasks that have ended are for the next ones: a bounded number, and
 * none is left by a thread that ends. */
void frames_are_used_again() {
  long before = taken - given, again = -1, held = -1;
  {
    std::thread thread([&] {
      world w;
      CHECK(crowd(w, 500) >= 500);
      again = crowd(w, 500);
      CHECK(crowd(w, 5000) >= 3000);
      w.close();
      held = taken - given - before;
    });
    thread.join();
  }
  if (!UVOW_HPP_SANITIZED) {
    CHECK(again == 1); /* the first round's first one began the list */
    CHECK(held > 500 && held < 3000);
  }
  CHECK(taken - given == before);
}

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
    {"streams are awaited", streams_are_awaited},
    {"a cancel lets go of a stream", a_cancel_lets_go_of_a_stream},
    {"each item to a lambda", each_item_to_a_lambda},
    {"sockets are channels", sockets_are_channels},
    {"many levels", many_levels},
    {"work is a lambda", work_is_a_lambda},
    {"a generator is a stream", a_generator_is_a_stream},
    {"a generator reads another", a_generator_reads_another},
    {"a generator ends with its reader", a_generator_ends_with_its_reader},
    {"a generator's error is the stream's", a_generators_error_is_the_streams},
    {"a generator that nobody runs", a_generator_that_nobody_runs},
    {"the first of many", the_first_of_many},
    {"every allocation may fail", every_allocation_may_fail},
    {"frames are used again", frames_are_used_again},
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
