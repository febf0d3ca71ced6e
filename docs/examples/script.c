/* A fiber that reads like a script: connect, log in, fetch pages, write a file.
 *
 * usage: example_script URL FILE */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>
#include <uvow.h>
#include <uvow/fiber.h>
#include <uvow/uv.h>

/* [script] */
/* Page by page, until one says that none is next. Returns how many, or an error;
 * r has it, or what came last. */
static int fetch(uvow_loop_t *loop, uvow_peer_t *site, uvow_sink_t *file,
                 uvow_result_t *r) {
  const char *text;
  char token[64];
  int pages = 0, next = 1;
  int rc = uvow_await(uvow_peer_requestf(site, "login", "{s:s,s:s}", "user",
                                         "ann", "password", "secret"),
                      r);
  if (rc == 0 && (rc = uvow_result_getf(r, "{s:s}", "token", &text)) == 0)
    snprintf(token, sizeof token, "%s", text); /* r is read: it's kept */
  while (rc == 0 && next) {
    rc = uvow_await(uvow_peer_requestf(site, "page", "{s:s,s:i}", "token",
                                       token, "number", next),
                    r);
    if (rc == 0)
      rc = uvow_result_getf(r, "{s:s,s:i}", "text", &text, "next", &next);
    if (rc == 0)
      rc = uvow_await_push(file, uvow_value_bytes(loop, text, strlen(text)));
    pages++;
  }
  return rc ? rc : pages;
}

static uvow_next_t script(uvow_loop_t *loop, void *data) {
  char **args = data;
  uvow_peer_t *site = uvow_peer_connect(
      loop, args[1],
      UVOW_WITH(peer, .protocol = uvow_protocol_by_name("jsonrpc2")));
  uvow_sink_t *file = uvow_fs_write_sink(loop, args[2]);
  uvow_future_t *written = uvow_sink_flushed(file);
  uvow_result_t r = {0};
  int pages = fetch(loop, site, file, &r), rc = pages;
  if (pages >= 0) {
    uvow_sink_end(file); /* now it is written, and renamed */
    rc = uvow_await(written, &r);
  } else {
    uvow_sink_drop(file); /* what was there before stays */
    uvow_future_drop(written);
  }
  uvow_next_t next = uvow_next_none();
  if (rc < 0)
    next = r.error ? uvow_next_error(uvow_error_ref(r.error))
                   : uvow_next_code(rc, "the script");
  else
    printf("%d pages\n", pages);
  uvow_peer_unref(site);
  return next;
}
/* [script] */

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN); /* as every libuv program that writes to sockets */
  return argc == 3 ? uvow_fiber_main(script, argv) : 2;
}
