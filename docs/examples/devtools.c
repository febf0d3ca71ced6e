/*
 * The Chrome DevTools Protocol: runs a script in Node or in Chromium, and hears
 * what it says on its console.
 *
 *   devtools [node]              starts node --inspect
 *   devtools chromium [FOLDER]   starts Chromium, headless, with that profile
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <uvow.h>
#include <uvow/fiber.h>
#include <uvow/uv.h>

typedef struct asked {
  int is_chromium;
  char profile[512]; /* --user-data-dir=FOLDER */
} asked_t;

/* [start] */
/* Both say where their DevTools listen: "... listening on ws://..." */
static int find_url(uvow_process_t *process, char *url, size_t size) {
  uvow_stream_t *lines = uvow_stream_lines(uvow_process_errors(process), 65536);
  const char *at = NULL;
  uvow_result_t r;
  int rc;
  while (!at && (rc = uvow_await_next(lines, &r)) > 0) {
    uvow_slice_t line = uvow_result_bytes(&r);
    snprintf(url, size, "%.*s", (int)line.len, line.bytes);
    at = strstr(url, "ws://");
  }
  if (at)
    memmove(url, at, strlen(at) + 1);
  uvow_stream_unref(lines);
  return at ? 0 : UVOW_EURL;
}

static uvow_process_t *start(uvow_loop_t *loop, asked_t *asked) {
  const char *node[] = {"node", "--inspect=127.0.0.1:0", "-e",
                        "setInterval(() => {}, 1000)", NULL};
  const char *chromium[] = {"chromium",       "--headless=new",
                            "--no-sandbox",   "--disable-gpu",
                            "--no-first-run", "--remote-debugging-port=0",
                            asked->profile,   NULL};
  return uvow_spawn(loop,
                    UVOW_WITH(process, .pipes = UVOW_STDOUT | UVOW_STDERR,
                              .args = asked->is_chromium ? chromium : node));
}
/* [start] */

/* [page] */
/* Chromium has many targets: each is a session within the connection. */
static uvow_peer_t *open_page(uvow_peer_t *chromium) {
  uvow_result_t r;
  const char *id;
  if (uvow_await(uvow_peer_requestf(chromium, "Target.createTarget", "{s:s}",
                                    "url", "about:blank"),
                 &r) ||
      uvow_result_get_text(&r, "/targetId", &id) ||
      uvow_await(uvow_peer_requestf(chromium, "Target.attachToTarget",
                                    "{s:s,s:b}", "targetId", id, "flatten", 1),
                 &r) ||
      uvow_result_get_text(&r, "/sessionId", &id))
    return NULL;
  return uvow_peer_within(chromium, "{s:s}", "sessionId", id);
}
/* [page] */

/* [evaluate] */
static int evaluate(uvow_peer_t *page, const char *script) {
  uvow_result_t r;
  uvow_slice_t value = {"nothing", 7};
  const char *thrown;
  int rc = uvow_await(uvow_peer_requestf(page, "Runtime.evaluate",
                                         "{s:s,s:b,s:b}", "expression", script,
                                         "returnByValue", 1, "awaitPromise", 1),
                      &r);
  if (rc)
    return rc; /* DevTools' own error, or the connection's */
  if (uvow_result_get_text(&r, "/exceptionDetails/exception/className",
                           &thrown) == 0) {
    printf("%s: throws a %s\n", script, thrown);
    return 0;
  }
  (void)uvow_result_get_slice(&r, "/result/value", &value);
  printf("%s: %.*s\n", script, (int)value.len, value.bytes);
  return 0;
}
/* [evaluate] */

/* [console] */
/* Runtime.enable is what subscribes; the items are what was said. */
static uvow_stream_t *console(uvow_peer_t *page) {
  return uvow_peer_subscribe(
      page, "Runtime.enable", uvow_value_none(),
      UVOW_WITH(subscription, .event = "Runtime.consoleAPICalled",
                .item = "/args/0/value", .unsubscribe = "Runtime.disable",
                .unsubscribe_params = "{}"));
}
/* [console] */

static int talk(uvow_peer_t *page) {
  uvow_stream_t *said = console(page);
  uvow_result_t r;
  const char *text = "?";
  int rc = evaluate(page, "6 * 7");
  if (rc == 0)
    rc = evaluate(page, "no.such.thing");
  if (rc == 0)
    rc = evaluate(page, "new Promise(r => setTimeout(r, 1, 'later'))");
  if (rc == 0)
    rc = evaluate(page, "console.log('hello')");
  if (rc == 0 && uvow_await_next(said, &r) > 0 &&
      uvow_result_get_text(&r, "", &text) == 0)
    printf("the console says %s\n", text);
  uvow_await(uvow_stream_close(said), NULL);
  return rc;
}

static uvow_next_t run(uvow_loop_t *loop, void *data) {
  asked_t *asked = data;
  char url[1024];
  uvow_process_t *process = start(loop, asked);
  if (!process)
    return uvow_next_failed(loop);
  int rc = find_url(process, url, sizeof(url));
  uvow_peer_t *peer = uvow_peer_connect(
      loop, url, UVOW_WITH(peer, .protocol = uvow_protocol_by_name("cdp")));
  uvow_peer_t *page =
      asked->is_chromium ? open_page(peer) : uvow_peer_ref(peer);
  if (rc == 0)
    rc = page ? talk(page) : uvow_error_code(uvow_loop_error(loop));
  uvow_peer_unref(page);
  uvow_await(uvow_peer_close(peer), NULL);
  uvow_peer_unref(peer);
  uvow_await(uvow_process_close(process), NULL);
  uvow_process_unref(process);
  return rc ? uvow_next_code(rc, NULL) : uvow_next_none();
}

int main(int argc, char **argv) {
  asked_t asked = {argc > 1 && strcmp(argv[1], "chromium") == 0, ""};
  snprintf(asked.profile, sizeof(asked.profile), "--user-data-dir=%s",
           argc > 2 ? argv[2] : "chromium.tmp");
  signal(SIGPIPE, SIG_IGN); /* as every libuv program that writes to sockets */
  return uvow_fiber_main(run, &asked);
}
