// What script.c does, in C++20.
#include <cstdio>

#include <uv.h>

#include <uvow/uv.h>
#include <uvow/uvow.hpp>

static const char path[] = "uvow-script-cpp.tmp";

// Runs on another thread: may take its time.
static uvow_value_t add_up(void *data) {
  int64_t sum = 0;
  for (int64_t i = 1; i <= *static_cast<int64_t *>(data); i++)
    sum += i;
  return uvow_value_int64(sum);
}

/* [script] */
static uvow::task<> script(uvow_loop_t *loop) {
  int64_t n = 1000;
  auto sum = co_await uvow::future(uvow_work(loop, add_up, &n));
  std::printf("sum %d\n", sum.value<int>());

  co_await uvow::future(
      uvow_fs_write_file(loop, path, uvow_value_text("hello")));
  auto read = co_await uvow::future(uvow_fs_read_file(loop, path, 100));
  auto text = read.value<std::string_view>();
  std::printf("read %.*s\n", static_cast<int>(text.size()), text.data());
  co_await uvow::future(uvow_fs_unlink(loop, path));

  try {
    co_await uvow::delay(loop, 100000).timeout(10);
  } catch (const uvow::error &e) {
    std::printf("%s\n", uvow_err_name(e.code()));
  }
}
/* [script] */

int main() {
  uvow_loop_t *loop;
  if (uvow_loop_new(uv_default_loop(), nullptr, &loop))
    return 1;
  uvow::future end = uvow::spawn(loop, script(loop));
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  int failed = end.state() != UVOW_FULFILLED;
  end = uvow::future();
  uvow_loop_close(loop, nullptr, nullptr);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return failed || uv_loop_close(uv_default_loop());
}
