#ifndef UVOW_UVOW_HPP
#define UVOW_UVOW_HPP

/**
 * @file uvow.hpp
 * uvow in C++20: futures that are co_awaited, tasks, lambdas as continuations.
 *
 * Header only; the library itself stays C. With exceptions, a rejection is
 * thrown as uvow::error by co_await, and an exception that leaves a task or a
 * lambda given to this header becomes a rejection: uvow::error with its own
 * error, std::bad_alloc with UVOW_ENOMEM, others with UVOW_EINVAL and what().
 * Without exceptions (-fno-exceptions), co_await gives a uvow::result. A plain C
 * callback given to the C functions must not throw: that is undefined.
 *
 * Everything here is for the loop's thread, which keeps up to 256 KiB of frames
 * of coroutines that have ended, for the next ones, until it ends. uvow::work is there if uvow/uv.h was
 * included before.
 */

#include <coroutine>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <new>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "channel.h"
#include "combine.h"
#include "fiber.h"
#include "json.h"
#include "loop.h"

#if defined(__cpp_exceptions)
#define UVOW_HPP_EXCEPTIONS 1
#else
#define UVOW_HPP_EXCEPTIONS 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define UVOW_HPP_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UVOW_HPP_SANITIZED 1
#endif
#endif
#ifndef UVOW_HPP_SANITIZED
#define UVOW_HPP_SANITIZED 0
#endif

namespace uvow {

/** An error, counted: what is thrown. */
class error : public std::exception {
public:
  /** Keeps it. */
  explicit error(const uvow_error_t *e) noexcept : error_(uvow_error_ref(e)) {
  }
  /** One of a code. */
  error(uvow_loop_t *loop, int code, const char *detail = nullptr) noexcept
      : error_(uvow_error_new(loop, code, detail)) {
  }
  error(const error &other) noexcept : error_(uvow_error_ref(other.error_)) {
  }
  error &operator=(const error &other) noexcept {
    uvow_error_t *kept = uvow_error_ref(other.error_);
    uvow_error_unref(error_);
    error_ = kept;
    return *this;
  }
  ~error() override {
    uvow_error_unref(error_);
  }

  int code() const noexcept {
    return uvow_error_code(error_);
  }
  const char *what() const noexcept override {
    return uvow_error_message(error_);
  }
  /** Borrowed. */
  const uvow_error_t *get() const noexcept {
    return error_;
  }

private:
  uvow_error_t *error_;
};

namespace detail {

template <class T> void destroy_box(void *ptr) {
  delete static_cast<T *>(ptr);
}

/* The uvow type of a T on the heap. One object a type in the program. */
template <class T>
inline const uvow_type_t box_type = {sizeof(uvow_type_t), "C++ object", nullptr,
                                     destroy_box<T>};

template <class T>
inline constexpr bool is_integer = std::is_integral_v<T> &&
                                   sizeof(T) <= sizeof(int64_t);

/* A value that owns a T; none: no memory. */
template <class T> uvow_value_t to_value(T &&from) {
  using plain = std::remove_cvref_t<T>;
  if constexpr (is_integer<plain>) {
    return uvow_value_int64(static_cast<int64_t>(from));
  } else if constexpr (std::is_floating_point_v<plain>) {
    return uvow_value_double(static_cast<double>(from));
  } else if constexpr (std::is_same_v<plain, uvow_value_t>) {
    return from;
  } else {
    auto *box = new (std::nothrow) plain(std::forward<T>(from));
    return box ? uvow_value_ptr(&box_type<plain>, box) : uvow_value_none();
  }
}

/* The T in a value, or none. A box is copied. */
template <class T> std::optional<T> from_result(const uvow_result_t &r) {
  if (r.error)
    return std::nullopt;
  if constexpr (is_integer<T>) {
    int64_t n = 0;
    if (uvow_value_get_int64(&r.value, &n))
      return std::nullopt;
    return static_cast<T>(n);
  } else if constexpr (std::is_floating_point_v<T>) {
    double n = 0;
    if (uvow_value_get_double(&r.value, &n))
      return std::nullopt;
    return static_cast<T>(n);
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    const char *text = nullptr;
    if (uvow_value_get_text(&r.value, &text) == 0)
      return std::string_view(text);
    uvow_slice_t bytes = uvow_result_bytes(&r);
    if (!bytes.bytes)
      return std::nullopt;
    return std::string_view(bytes.bytes, bytes.len);
  } else {
    void *ptr = nullptr;
    if (uvow_value_get_ptr(&r.value, &box_type<T>, &ptr))
      return std::nullopt;
    return *static_cast<T *>(ptr);
  }
}

} // namespace detail

/** The owner of a future; empty: no memory was. Moves, doesn't copy: ref(). */
class future {
public:
  future() noexcept = default;
  /** Takes it. */
  explicit future(uvow_future_t *f) noexcept : f_(f) {
  }
  future(future &&other) noexcept : f_(other.release()) {
  }
  future &operator=(future &&other) noexcept {
    if (this != &other) {
      uvow_future_unref(f_);
      f_ = other.release();
    }
    return *this;
  }
  ~future() {
    uvow_future_unref(f_);
  }

  explicit operator bool() const noexcept {
    return f_ != nullptr;
  }
  /** Borrowed. */
  uvow_future_t *get() const noexcept {
    return f_;
  }
  /** Gives it away, as to a C function that takes it. */
  uvow_future_t *release() noexcept {
    return std::exchange(f_, nullptr);
  }
  /** Another owner of the same. */
  future ref() const noexcept {
    return future(uvow_future_ref(f_));
  }
  uvow_state_t state() const noexcept {
    return uvow_future_state(f_);
  }
  int cancel() const noexcept {
    return uvow_future_cancel(f_);
  }
  void detach() &&noexcept {
    uvow_future_detach(release());
  }
  /** See uvow_future_timeout. */
  future timeout(uint64_t ms) &&noexcept {
    return future(uvow_future_timeout(release(), ms));
  }
  /** Continues on a value with fn(const uvow::result &). What it returns is the
   * next value; a future is followed; a uvow_next_t is as in C. */
  template <class F> future then(F &&fn) &&;
  /** Continues on an error. As then. */
  template <class F> future otherwise(F &&fn) &&;

private:
  uvow_future_t *f_ = nullptr;
};

/** How a future was settled. Owns it. */
class result {
public:
  /** Takes a settled future; pending: UVOW_EINVAL, empty: UVOW_ENOMEM. */
  explicit result(future f) noexcept : future_(std::move(f)) {
    if (uvow_future_peek(future_.get(), &result_))
      code_ = future_ ? UVOW_EINVAL : UVOW_ENOMEM;
    else if (result_.error)
      code_ = uvow_error_code(result_.error);
  }
  /** One that failed without a future. */
  explicit result(int code) noexcept : code_(code) {
  }
  /** A view of what a C callback was given, valid as long as that. */
  explicit result(const uvow_result_t &r) noexcept : result_(r) {
    if (r.error)
      code_ = uvow_error_code(r.error);
  }

  /** 0, or the code that it was rejected with. */
  int code() const noexcept {
    return code_;
  }
  explicit operator bool() const noexcept {
    return code_ == 0;
  }
  /** Whether this is no item, but the end of a stream: see uvow_stream_next. */
  bool is_end() const noexcept {
    return uvow_result_is_end(&result_) != 0;
  }
  /** How many items are missing before this one: see uvow_result_missed. */
  uint64_t missed() const noexcept {
    return uvow_result_missed(&result_);
  }
  /** For people. */
  const char *message() const noexcept {
    return result_.error ? uvow_error_message(result_.error)
                         : uvow_strerror(code_);
  }
  /** The error, or NULL. Borrowed. */
  const uvow_error_t *get_error() const noexcept {
    return result_.error;
  }
  /** For C functions. Borrowed. */
  const uvow_result_t *get() const noexcept {
    return &result_;
  }
  /** The value as a T: integers, floating point, std::string_view (text or
   * bytes: valid as long as this), or what a task or lambda returned, copied.
   * None: it's something else, or an error. */
  template <class T> std::optional<T> as() const {
    return detail::from_result<T>(result_);
  }
#if UVOW_HPP_EXCEPTIONS
  /** Throws the error, if there's one. */
  void check() const {
    if (code_ != 0)
      throw result_.error ? error(result_.error) : error(result_.loop, code_);
  }
  /** The value as a T; throws if it's none. */
  template <class T> T value() const {
    check();
    if (auto found = as<T>())
      return *std::move(found);
    throw error(result_.loop, UVOW_ETYPE);
  }
#endif

private:
  future future_;
  uvow_result_t result_ = {nullptr, nullptr, {nullptr, {nullptr}}, nullptr};
  int code_ = 0;
};

namespace detail {

/* What a callable's answer comes to. */
template <class T> uvow_next_t to_next(T &&answer) {
  using plain = std::remove_cvref_t<T>;
  if constexpr (std::is_same_v<plain, uvow_next_t>) {
    return answer;
  } else if constexpr (std::is_same_v<plain, future>) {
    return uvow_next_future(answer.release());
  } else {
    uvow_value_t value = to_value(std::forward<T>(answer));
    return value.type ? uvow_next_value(value)
                      : uvow_next_code(UVOW_ENOMEM, nullptr);
  }
}

/* Calls fn; an exception becomes a rejection. */
template <class F, class... Args>
uvow_next_t guarded(uvow_loop_t *loop, F &fn, Args &&...args) noexcept {
  auto call = [&]() -> uvow_next_t {
    if constexpr (std::is_void_v<std::invoke_result_t<F &, Args...>>) {
      fn(std::forward<Args>(args)...);
      return uvow_next_none();
    } else {
      return to_next(fn(std::forward<Args>(args)...));
    }
  };
#if UVOW_HPP_EXCEPTIONS
  try {
    return call();
  } catch (const error &e) {
    return uvow_next_error(uvow_error_ref(e.get()));
  } catch (const std::bad_alloc &) {
    return uvow_next_code(UVOW_ENOMEM, nullptr);
  } catch (const std::exception &e) {
    return uvow_next_error(uvow_error_new(loop, UVOW_EINVAL, e.what()));
  } catch (...) {
    return uvow_next_code(UVOW_EINVAL, "an exception of another type");
  }
#else
  (void)loop;
  return call();
#endif
}

template <class F>
uvow_next_t call_then(const uvow_result_t *r, void *data) noexcept {
  const result view(*r);
  return guarded(r->loop, *static_cast<F *>(data), view);
}

template <class F> future attach(future f, F &&fn, bool on_error) {
  using plain = std::remove_cvref_t<F>;
  uvow_chain_options_t options = {};
  options.size = sizeof(options);
  auto *kept = new (std::nothrow) plain(std::forward<F>(fn));
  if (!kept)
    return future();
  (on_error ? options.on_error : options.on_value) = call_then<plain>;
  options.data = kept;
  options.destroy = destroy_box<plain>;
  return future(uvow_future_chain(f.release(), &options));
}

} // namespace detail

template <class F> future future::then(F &&fn) && {
  return detail::attach(std::move(*this), std::forward<F>(fn), false);
}

template <class F> future future::otherwise(F &&fn) && {
  return detail::attach(std::move(*this), std::forward<F>(fn), true);
}

/**
 * The owner of a stream; empty: no memory was. Moves, doesn't copy: ref().
 * co_await stream, or co_await stream.next(), gives the next item.
 */
class stream {
public:
  stream() noexcept = default;
  /** Takes it. */
  explicit stream(uvow_stream_t *s) noexcept : s_(s) {
  }
  stream(stream &&other) noexcept : s_(other.release()) {
  }
  stream &operator=(stream &&other) noexcept {
    if (this != &other) {
      uvow_stream_unref(s_);
      s_ = other.release();
    }
    return *this;
  }
  ~stream() {
    uvow_stream_unref(s_);
  }

  explicit operator bool() const noexcept {
    return s_ != nullptr;
  }
  /** Borrowed. */
  uvow_stream_t *get() const noexcept {
    return s_;
  }
  /** Gives it away, as to a C function that takes it. */
  uvow_stream_t *release() noexcept {
    return std::exchange(s_, nullptr);
  }
  /** Another owner of the same. */
  stream ref() const noexcept {
    return stream(uvow_stream_ref(s_));
  }
  /** A future of the next item, or of the end: result::is_end(). */
  future next() const noexcept {
    return future(uvow_stream_next(s_));
  }
  /** Lets go, and waits for its source's end. */
  future close() &&noexcept {
    return future(uvow_stream_close(release()));
  }
  /** Lines of bytes: see uvow_stream_lines. */
  stream lines(size_t max_bytes) &&noexcept {
    return stream(uvow_stream_lines(release(), max_bytes));
  }
  /** Calls fn(const uvow::result &) for each item; a future that it returns is
   * waited for. A future of the end: see uvow_stream_each. */
  template <class F> future each(F &&fn) &&;

private:
  uvow_stream_t *s_ = nullptr;
};

template <class F> future stream::each(F &&fn) && {
  using plain = std::remove_cvref_t<F>;
  auto *kept = new (std::nothrow) plain(std::forward<F>(fn));
  if (!kept) {
    uvow_stream_unref(release());
    return future();
  }
  uvow_chain_options_t options = {}; /* owns it until the end */
  options.size = sizeof(options);
  options.data = kept;
  options.destroy = detail::destroy_box<plain>;
  return future(uvow_future_chain(
      uvow_stream_each(release(), detail::call_then<plain>, kept), &options));
}

/** The owner of a sink: dropped with it, unless it was ended. Moves. */
class sink {
public:
  sink() noexcept = default;
  /** Takes it. */
  explicit sink(uvow_sink_t *s) noexcept : s_(s) {
  }
  sink(sink &&other) noexcept : s_(other.release()) {
  }
  sink &operator=(sink &&other) noexcept {
    if (this != &other) {
      uvow_sink_drop(s_);
      s_ = other.release();
    }
    return *this;
  }
  ~sink() {
    uvow_sink_drop(s_);
  }

  explicit operator bool() const noexcept {
    return s_ != nullptr;
  }
  /** Borrowed. */
  uvow_sink_t *get() const noexcept {
    return s_;
  }
  /** Gives it away, as to a C function that takes it. */
  uvow_sink_t *release() noexcept {
    return std::exchange(s_, nullptr);
  }
  /** Adds an item: a uvow_value_t, which it takes, a number, or an object. See
   * uvow_sink_push; 1: wait for room. */
  template <class T> int push(T &&item) const noexcept {
    uvow_value_t value = detail::to_value(std::forward<T>(item));
    if (!std::is_same_v<std::remove_cvref_t<T>, uvow_value_t> && !value.type)
      return UVOW_ENOMEM;
    return uvow_sink_push(s_, value);
  }
  /** A future of room: see uvow_sink_room. */
  future room() const noexcept {
    return future(uvow_sink_room(s_));
  }
  /** A future of all of it being read or written: see uvow_sink_flushed. */
  future flushed() const noexcept {
    return future(uvow_sink_flushed(s_));
  }
  /** Ends the stream behind what waits. */
  void end() noexcept {
    uvow_sink_end(release());
  }

private:
  uvow_sink_t *s_ = nullptr;
};

/** A channel, both halves owned. */
struct channel {
  /** What comes. */
  stream in;
  /** What goes. */
  sink out;

  channel() noexcept = default;
  /** Takes both. */
  explicit channel(uvow_channel_t c) noexcept : in(c.in), out(c.out) {
  }
  /** As an item of uvow_tcp_listen. */
  explicit channel(const result &item) noexcept
      : channel(uvow_result_channel(item.get())) {
  }
  explicit operator bool() const noexcept {
    return bool(in) && bool(out);
  }
  /** Gives both away. */
  uvow_channel_t release() noexcept {
    return uvow_channel_t{in.release(), out.release()};
  }
};

/** A future of time. */
inline future delay(uvow_loop_t *loop, uint64_t ms) noexcept {
  return future(uvow_future_delay(loop, ms));
}

namespace detail {

inline std::vector<uvow_future_t *> released(std::vector<future> &futures) {
  std::vector<uvow_future_t *> plain(futures.size());
  for (std::size_t i = 0; i < futures.size(); i++)
    plain[i] = futures[i].release();
  return plain;
}

} // namespace detail

/** All values, or the first error: see uvow_future_all. Empty: no memory. */
inline future when_all(uvow_loop_t *loop, std::vector<future> futures) {
  auto plain = detail::released(futures);
  return future(uvow_future_all(loop, plain.data(), plain.size()));
}

/** The first value; the others are given up: see uvow_future_any. */
inline future when_any(uvow_loop_t *loop, std::vector<future> futures) {
  auto plain = detail::released(futures);
  return future(uvow_future_any(loop, plain.data(), plain.size()));
}

/** As the first that is settled: see uvow_future_race. */
inline future race(uvow_loop_t *loop, std::vector<future> futures) {
  auto plain = detail::released(futures);
  return future(uvow_future_race(loop, plain.data(), plain.size()));
}

template <class T> class task;
template <class T> class generator;

namespace detail {

class future_awaiter;

/* A spawned task: from spawn until it has returned. It lies in the task's own
 * frame. */
struct root {
  uvow_loop_t *loop = nullptr;
  uvow_promise_t *promise = nullptr;
  future_awaiter *waiting = nullptr; /* what it's suspended on */
  std::coroutine_handle<> top;
  void (*settle)(root *self) noexcept = nullptr; /* by what top returned */
  bool canceled = false;
  bool done = false;

  static void on_cancel(void *data) noexcept;
  /* Its last act may be its own end. */
  void resume(std::coroutine_handle<> at) noexcept {
    at.resume();
    if (!done)
      return;
    settle(this);
    top.destroy();
  }
};

/* Waits for a future. The task waits at a link of its own, so that its cancel
 * isn't that of others who wait for the same. */
class future_awaiter {
public:
  future_awaiter(future f, root *r) noexcept : future_(std::move(f)), root_(r) {
  }
  bool await_ready() noexcept {
    if (!future_)
      return fail(UVOW_ENOMEM);
    if (root_->canceled) {
      future link(uvow_future_then(future_.release(), nullptr, nullptr));
      (void)link.cancel();
      return fail(UVOW_ECANCELED);
    }
    /* A rejection goes through the queue: so it counts as observed. */
    return future_.state() == UVOW_FULFILLED;
  }
  bool await_suspend(std::coroutine_handle<> at) noexcept {
    uvow_chain_options_t options = {};
    options.size = sizeof(options);
    options.on_value = options.on_error = on_settled;
    options.data = this;
    at_ = at;
    link_ = future(uvow_future_chain(future_.release(), &options));
    if (!link_)
      return !fail(UVOW_ENOMEM);
    root_->waiting = this;
    return true;
  }
  result outcome() noexcept {
    return code_ ? result(code_) : result(std::move(future_));
  }
  /* Resumes: its last act. What only this waited for is canceled too. */
  void cancel() noexcept {
    future link(std::move(link_));
    (void)link.cancel();
    go_on();
  }

protected:
  bool fail(int code) noexcept {
    code_ = code;
    return true;
  }
  int code() const noexcept {
    return code_;
  }

private:
  void go_on() noexcept {
    root *r = root_;
    r->waiting = nullptr;
    if (r->canceled)
      code_ = UVOW_ECANCELED;
    r->resume(at_);
  }
  static uvow_next_t on_settled(const uvow_result_t *r, void *data) noexcept {
    auto *self = static_cast<future_awaiter *>(data);
    self->future_ = future(uvow_future_ref(r->source));
    self->link_ = future();
    self->go_on();
    return uvow_next_none();
  }

  future future_;
  future link_;
  root *root_;
  std::coroutine_handle<> at_;
  int code_ = 0;
};

inline void root::on_cancel(void *data) noexcept {
  auto *self = static_cast<root *>(data);
  self->canceled = true;
  if (self->waiting)
    self->waiting->cancel();
}

class result_awaiter : public future_awaiter {
public:
  using future_awaiter::future_awaiter;
  result await_resume() noexcept {
    return outcome();
  }
};

#if UVOW_HPP_EXCEPTIONS
class throwing_awaiter : public future_awaiter {
public:
  using future_awaiter::future_awaiter;
  result await_resume() {
    result r = outcome();
    r.check();
    return r;
  }
};
#else
using throwing_awaiter = result_awaiter;
#endif

/* co_await as_result(f) */
struct quiet {
  future f;
};

/* co_yield: waits for room behind the item, if there's none. */
class yield_awaiter : public future_awaiter {
public:
  yield_awaiter(int pushed, future room, root *r) noexcept
      : future_awaiter(std::move(room), r), pushed_(pushed) {
  }
  bool await_ready() noexcept {
    if (pushed_ == 1)
      return future_awaiter::await_ready();
    return fail(pushed_);
  }
  int await_resume() {
    result r = pushed_ == 1 ? outcome() : result(pushed_);
#if UVOW_HPP_EXCEPTIONS
    r.check();
#endif
    return r.code();
  }

private:
  int pushed_; /* see uvow_sink_push */
};

/* co_await self(): the root. */
struct self {};

struct self_awaiter {
  root *in;
  bool await_ready() noexcept {
    return true;
  }
  void await_suspend(std::coroutine_handle<>) noexcept {
  }
  root *await_resume() noexcept {
    return in;
  }
};

struct final_awaiter {
  bool await_ready() noexcept {
    return false;
  }
  template <class P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> at) noexcept {
    auto &promise = at.promise();
    if (promise.next)
      return promise.next;
    promise.in->done = true;
    return std::noop_coroutine();
  }
  void await_resume() noexcept {
  }
};

/* Coroutines' frames that have ended, for the next ones: each thread has its
 * own, of each size up to 1 KiB, 256 KiB of them at most. malloc is dear where
 * many of a size live at once, as tasks that wait do. */
class frames {
public:
  static void *take(std::size_t size) noexcept {
    const std::size_t kind = (size - 1) / step;
    if (kind >= kinds)
      return ::operator new(size, std::nothrow);
    spare *found = mine.free[kind];
    if (!found)
      return ::operator new((kind + 1) * step, std::nothrow);
    mine.free[kind] = found->next;
    mine.room += (kind + 1) * step;
    return found;
  }
  static void give(void *frame, std::size_t size) noexcept {
    const std::size_t kind = (size - 1) / step;
    if (kind >= kinds || mine.room < (kind + 1) * step) {
      give_back(frame);
      return;
    }
    mine.room -= (kind + 1) * step;
    mine.free[kind] = ::new (frame) spare{mine.free[kind]};
  }

private:
  struct spare {
    spare *next;
  };
  static constexpr std::size_t step = 64;
  static constexpr std::size_t kinds = 16;
#if UVOW_HPP_SANITIZED
  static constexpr std::size_t most = 0; /* each is freed: a use is found */
#else
  static constexpr std::size_t most = 256 * 1024;
#endif
  /* Neither made nor destroyed: it's there as long as the thread is. */
  struct pool {
    spare *free[kinds];
    std::size_t room; /* for so many bytes more */
    bool begun;
  };
  /* Frees them as the thread ends; what ends later, at once. */
  struct sweeper {
    bool armed;
    sweeper() noexcept : armed(false) {
    }
    ~sweeper() {
      mine.room = 0;
      for (spare *&list : mine.free)
        while (list)
          ::operator delete(std::exchange(list, list->next));
    }
  };
  static void give_back(void *frame) noexcept {
    ::operator delete(frame);
    if (!mine.begun) {
      mine.begun = last.armed = true;
      mine.room = most;
    }
  }
  static inline constinit thread_local pool mine = {};
  static inline thread_local sweeper last;
};

/* What the promises of all tasks share. */
struct promise_base {
  static void *operator new(std::size_t size) noexcept {
    return frames::take(size);
  }
  static void operator delete(void *frame, std::size_t size) noexcept {
    frames::give(frame, size);
  }
  root *in = nullptr;           /* the spawned task that it's a part of */
  std::coroutine_handle<> next; /* who awaits it; none: spawned */
  root own;                     /* of a spawned one */
#if UVOW_HPP_EXCEPTIONS
  std::exception_ptr thrown;
  void unhandled_exception() noexcept {
    thrown = std::current_exception();
  }
  void rethrow() {
    if (thrown)
      std::rethrow_exception(std::exchange(thrown, nullptr));
  }
#else
  void unhandled_exception() noexcept {
    std::abort();
  }
  void rethrow() noexcept {
  }
#endif
  std::suspend_always initial_suspend() noexcept {
    return {};
  }
  final_awaiter final_suspend() noexcept {
    return {};
  }
  throwing_awaiter await_transform(future f) noexcept {
    return throwing_awaiter(std::move(f), in);
  }
  throwing_awaiter await_transform(const stream &s) noexcept {
    return throwing_awaiter(s.next(), in);
  }
  result_awaiter await_transform(quiet q) noexcept {
    return result_awaiter(std::move(q.f), in);
  }
  self_awaiter await_transform(self) noexcept {
    return self_awaiter{in};
  }
  template <class T> auto await_transform(task<T> t) noexcept;
  template <class T> auto await_transform(generator<T> &g) noexcept;
};

template <class T> struct task_promise : promise_base {
  std::optional<T> returned;
  task<T> get_return_object() noexcept;
  static task<T> get_return_object_on_allocation_failure() noexcept;
  template <class U> void return_value(U &&value) {
    returned.emplace(std::forward<U>(value));
  }
  T take() {
    rethrow();
    return *std::move(returned);
  }
};

template <> struct task_promise<void> : promise_base {
  task<void> get_return_object() noexcept;
  static task<void> get_return_object_on_allocation_failure() noexcept;
  void return_void() noexcept {
  }
  void take() {
    rethrow();
  }
};

/* What co_yield does in a generator. */
template <class T> struct generator_promise : promise_base {
  sink *out = nullptr;
  generator<T> get_return_object() noexcept;
  static generator<T> get_return_object_on_allocation_failure() noexcept;
  void return_void() noexcept {
  }
  template <class U> yield_awaiter yield_value(U &&item) {
    int rc = UVOW_ECANCELED;
    if (!in->canceled)
      rc = out->push(T(std::forward<U>(item)));
    return yield_awaiter(rc, rc == 1 ? out->room() : future(), in);
  }
};

/* Owns a coroutine's frame, unless it's given away. */
template <class P> class owner {
public:
  using promise_type = P;

  owner() noexcept = default;
  explicit owner(std::coroutine_handle<P> h) noexcept : handle_(h) {
  }
  owner(owner &&other) noexcept : handle_(other.release()) {
  }
  owner &operator=(owner &&other) noexcept {
    if (this != &other) {
      if (handle_)
        handle_.destroy();
      handle_ = other.release();
    }
    return *this;
  }
  ~owner() {
    if (handle_)
      handle_.destroy();
  }
  explicit operator bool() const noexcept {
    return bool(handle_);
  }
  std::coroutine_handle<P> get() const noexcept {
    return handle_;
  }
  std::coroutine_handle<P> release() noexcept {
    return std::exchange(handle_, nullptr);
  }

private:
  std::coroutine_handle<P> handle_ = nullptr;
};

template <class T> struct task_awaiter {
  std::coroutine_handle<task_promise<T>> child;
  root *in;
  bool await_ready() noexcept {
    if (!child) /* its frame found no memory: nothing can be awaited */
      std::abort();
    return false;
  }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> at) noexcept {
    child.promise().in = in;
    child.promise().next = at;
    return child;
  }
  T await_resume() {
    return child.promise().take();
  }
  explicit task_awaiter(std::coroutine_handle<task_promise<T>> h, root *r)
      : child(h), in(r) {
  }
  task_awaiter(const task_awaiter &) = delete;
  ~task_awaiter() {
    if (child)
      child.destroy();
  }
};

} // namespace detail

/** Awaits without throwing: auto r = co_await uvow::as_result(std::move(f)). */
inline detail::quiet as_result(future f) noexcept {
  return detail::quiet{std::move(f)};
}

/**
 * A coroutine that gives a T. It begins when it's awaited, or spawned; it moves,
 * and is used once. Within it, co_await takes futures, streams and tasks. Empty:
 * its frame found no memory.
 */
template <class T = void>
class task : public detail::owner<detail::task_promise<T>> {
public:
  using promise_type = detail::task_promise<T>;
  using detail::owner<promise_type>::owner;
};

/**
 * A coroutine that co_yields items of type T, for uvow::generate. Within it,
 * co_await takes what it takes in a task. Empty: its frame found no memory.
 */
template <class T>
class generator : public detail::owner<detail::generator_promise<T>> {
public:
  using promise_type = detail::generator_promise<T>;
  using detail::owner<promise_type>::owner;
};

namespace detail {

template <class T> task<T> task_promise<T>::get_return_object() noexcept {
  return task<T>(std::coroutine_handle<task_promise>::from_promise(*this));
}
template <class T>
task<T> task_promise<T>::get_return_object_on_allocation_failure() noexcept {
  return task<T>();
}
inline task<void> task_promise<void>::get_return_object() noexcept {
  return task<void>(std::coroutine_handle<task_promise>::from_promise(*this));
}
inline task<void>
task_promise<void>::get_return_object_on_allocation_failure() noexcept {
  return task<void>();
}

template <class T>
generator<T> generator_promise<T>::get_return_object() noexcept {
  return generator<T>(
      std::coroutine_handle<generator_promise>::from_promise(*this));
}
template <class T>
generator<T>
generator_promise<T>::get_return_object_on_allocation_failure() noexcept {
  return generator<T>();
}

template <class T> auto promise_base::await_transform(task<T> t) noexcept {
  return task_awaiter<T>(t.release(), in);
}

/* Waits for a generator's end, however it ended. Its owner keeps the frame. */
template <class T> struct generator_awaiter {
  std::coroutine_handle<generator_promise<T>> child;
  root *in;
  bool await_ready() noexcept {
    return false;
  }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> at) noexcept {
    child.promise().in = in;
    child.promise().next = at;
    return child;
  }
  void await_resume() noexcept {
  }
};

template <class T>
auto promise_base::await_transform(generator<T> &g) noexcept {
  return generator_awaiter<T>{g.get(), in};
}

/* Settles a root's promise by what its task returned or threw. */
template <class T> void settle(root *r) noexcept {
  auto at =
      std::coroutine_handle<task_promise<T>>::from_address(r->top.address());
  auto take = [&]() { return at.promise().take(); };
  uvow_next_t next = guarded(r->loop, take);
  if (next.kind == UVOW_NEXT_VALUE)
    uvow_promise_fulfill(r->promise, next.u.value);
  else if (next.kind == UVOW_NEXT_FUTURE)
    uvow_promise_follow(r->promise, next.u.future);
  else if (next.kind == UVOW_NEXT_ERROR)
    uvow_promise_reject(r->promise, next.u.error);
  else
    uvow_promise_reject_code(r->promise, next.code, next.u.text);
}

} // namespace detail

/**
 * Runs a task, at once and up to its first co_await that has to wait: a future of
 * what it returns (integers and floating point as such, other types as an object
 * that result::as copies). Canceling that has the current co_await and all later
 * ones fail with UVOW_ECANCELED, at once: it has to return then, as one that
 * awaits on and on holds the thread. Closing the loop does the same. Empty: no
 * memory, or closed.
 */
template <class T> future spawn(uvow_loop_t *loop, task<T> t) noexcept {
  uvow_promise_t *promise = nullptr;
  if (!t)
    return future();
  future f(uvow_promise_new(loop, &promise));
  if (!f)
    return future();
  auto handle = t.release();
  detail::root *r = &handle.promise().own;
  r->loop = loop;
  r->promise = promise;
  r->top = handle;
  r->settle = detail::settle<T>;
  handle.promise().in = r;
  uvow_promise_on_cancel(promise, detail::root::on_cancel, r, nullptr);
  r->resume(handle);
  return f;
}

namespace detail {

/* Ends the sink as its generator ended. */
template <class T>
void end_as(uvow_loop_t *loop, sink out, const generator<T> &g) noexcept {
  auto take = [&]() { g.get().promise().rethrow(); };
  uvow_next_t next = guarded(loop, take);
  if (next.kind == UVOW_NEXT_ERROR)
    uvow_sink_fail(out.release(), next.u.error);
  else if (next.kind == UVOW_NEXT_VALUE)
    out.end();
  else
    uvow_sink_fail(out.release(), uvow_error_new(loop, next.code, next.u.text));
}

/* Runs it; it ends with its reader, too. */
template <class T> task<> drive(uvow_loop_t *loop, sink out, generator<T> g) {
  root *in = co_await self();
  uvow_sink_on_cancel(out.get(), root::on_cancel, in, nullptr);
  g.get().promise().out = &out;
  co_await g;
  end_as(loop, std::move(out), g);
}

} // namespace detail

/**
 * Runs a generator: a stream of what it yields, integers and floating point as
 * such, other types as an object that result::as copies. It begins at once, as a
 * task does, and a co_yield waits while max_items of them wait for a reader.
 *
 * An exception that leaves it is the stream's error. Whoever lets go of the stream
 * cancels it, as a task is canceled: it returns later, which stream::close waits
 * for, and uses until then what it was given; so does closing the loop. co_yield gives 0;
 * with -fno-exceptions also the code of why it must return. Empty: no memory, or
 * closed.
 */
template <class T>
stream generate(uvow_loop_t *loop, generator<T> g,
                std::size_t max_items = 1) noexcept {
  uvow_sink_t *out = nullptr;
  uvow_stream_options_t options = {};
  options.size = sizeof(options);
  options.max_items = max_items;
  if (!g)
    return stream();
  stream s(uvow_stream_new(loop, &options, &out));
  future run = spawn(loop, detail::drive<T>(loop, sink(out), std::move(g)));
  if (!run)
    return stream();
  std::move(run).detach();
  return s;
}

#ifdef UVOW_UV_H
namespace detail {

/* A callable for another thread, and what it threw there. */
template <class F> struct job {
  explicit job(F &&f) : fn(std::move(f)) {
  }
  explicit job(const F &f) : fn(f) {
  }
  F fn;
  uvow_next_t next = uvow_next_none();
#if UVOW_HPP_EXCEPTIONS
  std::exception_ptr thrown;
#endif
  /* On the thread: nothing of the loop's is touched. */
  static uvow_value_t run(void *data) noexcept {
    auto *self = static_cast<job *>(data);
#if UVOW_HPP_EXCEPTIONS
    try {
      self->call();
    } catch (...) {
      self->thrown = std::current_exception();
    }
#else
    self->call();
#endif
    return uvow_value_none();
  }
  void call() {
    if constexpr (std::is_void_v<std::invoke_result_t<F &>>)
      fn();
    else
      next = to_next(fn());
  }
  /* On the loop's, before the job is destroyed: see uvow_work_own. */
  static uvow_next_t give(const uvow_result_t *r, void *data) noexcept {
    auto *self = static_cast<job *>(data);
    auto take = [self]() -> uvow_next_t {
#if UVOW_HPP_EXCEPTIONS
      if (self->thrown)
        std::rethrow_exception(self->thrown);
#endif
      return std::exchange(self->next, uvow_next_none());
    };
    return guarded(r->loop, take);
  }
  ~job() {
    if (next.kind == UVOW_NEXT_VALUE)
      uvow_value_clear(&next.u.value);
  }
};

} // namespace detail

/** Runs fn() on another thread: a future of what it returns, as of a task; an
 * exception is its rejection. It owns fn, which is destroyed on the loop's thread
 * once it has run, or never will. Canceled: see uvow_work. */
template <class F> future work(uvow_loop_t *loop, F &&fn) {
  using job = detail::job<std::remove_cvref_t<F>>;
  auto *kept = new (std::nothrow) job(std::forward<F>(fn));
  if (!kept)
    return future();
  return future(uvow_future_then(
      uvow_work_own(loop, job::run, kept, detail::destroy_box<job>), job::give,
      kept));
}
#endif

/** Waits for a future in a fiber: see uvow_await. */
inline result await(future f) noexcept {
  future kept = f.ref();
  int code = uvow_await(f.release(), nullptr);
  return kept.state() == UVOW_PENDING || !kept || code == UVOW_EFIBER ||
                 code == UVOW_ECANCELED
             ? result(code)
             : result(std::move(kept));
}

} // namespace uvow

#endif
