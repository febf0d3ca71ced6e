/* Chromium, headless, and a client of its DevTools. */
#include "chromium.h"

#include <stdio.h>

void chromium_start(interop_t *it, char *url, size_t size) {
  char own[FOLDER_PATH];
  const char *args[] = {"chromium",
                        "--headless=new",
                        "--no-sandbox", /* as root there's none */
                        "--disable-gpu",
                        "--disable-dev-shm-usage",
                        "--no-first-run",
                        "--no-proxy-server",
                        "--disable-background-networking",
                        "--disable-component-update",
                        "--disable-sync",
                        "--disable-extensions",
                        "--disable-breakpad",
                        "--window-size=640,480",
                        "--remote-debugging-port=0",
                        own,
                        "about:blank",
                        NULL};
  snprintf(own, sizeof(own), "--user-data-dir=%s", interop_folder(it)->path);
  interop_run(it, args);
  char *found = interop_expect_line(it, "DevTools listening on ");
  snprintf(url, size, "%s", found);
  free(found);
}

static char *member(answer_t *answer, const char *name) {
  interop_wait(answer);
  assert_int_equal(answer->code, 0);
  const char *text = json_string_value(json_object_get(answer->json, name));
  assert_non_null(text);
  char *own = (char *)malloc(strlen(text) + 1);
  assert_non_null(own);
  return strcpy(own, text);
}

uvow_peer_t *chromium_page(interop_t *it, char **target) {
  char *id = member(interop_ask(it, "Target.createTarget",
                                json_pack("{ss}", "url", "about:blank")),
                    "targetId");
  char *session =
      member(interop_ask(it, "Target.attachToTarget",
                         json_pack("{ss, sb}", "targetId", id, "flatten", 1)),
             "sessionId");
  uvow_peer_t *page =
      uvow_peer_within(it->client, "{s:s}", "sessionId", session);
  assert_non_null(page);
  free(session);
  if (target)
    *target = id;
  else
    free(id);
  return page;
}

answer_t *chromium_evaluate(interop_t *it, uvow_peer_t *page,
                            const char *script) {
  uvow_future_t *f = uvow_peer_requestf(page, "Runtime.evaluate",
                                        "{s:s, s:b, s:b}", "expression", script,
                                        "returnByValue", 1, "awaitPromise", 1);
  return interop_watch(it, f);
}

json_t *chromium_value(answer_t *answer) {
  interop_wait(answer);
  assert_int_equal(answer->code, 0);
  json_t *result = json_object_get(answer->json, "result");
  json_t *value = json_object_get(result, "value");
  if (!value)
    fail_msg("%s", json_dumps(answer->json, 0));
  return value;
}

void chromium_navigate(interop_t *it, uvow_peer_t *page, const char *url) {
  uvow_stream_t *loads = uvow_peer_events(page, "Page.loadEventFired");
  /* A page may be loaded before its own process has begun to tell. */
  interop_wait(
      interop_watch(it, uvow_peer_requestf(page, "Page.enable", NULL)));
  answer_t *gone = interop_watch(
      it, uvow_peer_requestf(page, "Page.navigate", "{s:s}", "url", url));
  interop_wait(gone);
  assert_int_equal(gone->code, 0);
  const char *why = json_string_value(json_object_get(gone->json, "errorText"));
  if (why)
    fail_msg("%s: %s", url, why);
  answer_t *load = interop_watch(it, uvow_stream_first(loads));
  interop_wait(load);
  assert_int_equal(load->code, 0);
}

void chromium_close(interop_t *it) {
  interop_ask(it, "Browser.close", NULL);
  process_wait(&it->process);
}
