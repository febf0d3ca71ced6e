// What script.c does, in C++20: connect, log in, fetch pages, write a file.
//
// usage: example_script_cpp URL FILE
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include <uv.h>
#include <uvow.h>
#include <uvow/uv.h>
#include <uvow/uvow.hpp>

/* [script] */
using peer = std::unique_ptr<uvow_peer_t, decltype(&uvow_peer_unref)>;

// Page by page, until one says that none is next.
static uvow::task<int> fetch(uvow_loop_t *loop, uvow_peer_t *site,
                             uvow_sink_t *file) {
  const char *text = nullptr;
  auto login = co_await uvow::future(uvow_peer_requestf(
      site, "login", "{s:s,s:s}", "user", "ann", "password", "secret"));
  if (int rc = uvow_result_getf(login.get(), "{s:s}", "token", &text))
    throw uvow::error(loop, rc, "login");
  const std::string token = text;
  int pages = 0;
  for (int next = 1; next; pages++) {
    auto page = co_await uvow::future(uvow_peer_requestf(
        site, "page", "{s:s,s:i}", "token", token.c_str(), "number", next));
    if (int rc = uvow_result_getf(page.get(), "{s:s,s:i}", "text", &text,
                                  "next", &next))
      throw uvow::error(loop, rc, "page");
    if (uvow_sink_push(file, uvow_value_bytes(loop, text, std::strlen(text))))
      co_await uvow::future(uvow_sink_room(file));
  }
  co_return pages;
}

static uvow::task<> script(uvow_loop_t *loop, const char *url,
                           const char *path) {
  uvow_peer_options_t options;
  UVOW_INIT(&options);
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  peer site(uvow_peer_connect(loop, url, &options), uvow_peer_unref);
  uvow::sink file(uvow_fs_write_sink(loop, path)); // dropped on a throw
  int pages = co_await fetch(loop, site.get(), file.get());
  uvow::future written = file.flushed();
  file.end(); // now it is written, and renamed
  co_await std::move(written);
  std::printf("%d pages\n", pages);
}
/* [script] */

int main(int argc, char **argv) {
  if (argc != 3)
    return 2;
  std::signal(SIGPIPE, SIG_IGN);
  uv_loop_t *uv = uv_default_loop();
  uvow_loop_t *loop = uvow_loop_new(uv, nullptr);
  uvow_result_t result;
  int rc = uvow_loop_await(
      loop, uvow::spawn(loop, script(loop, argv[1], argv[2])).release(),
      &result);
  if (rc)
    std::fprintf(stderr, "%s\n", uvow_error_message(uvow_loop_error(loop)));
  uvow_loop_close(loop, nullptr, nullptr);
  uv_run(uv, UV_RUN_DEFAULT);
  return rc || uv_loop_close(uv);
}
