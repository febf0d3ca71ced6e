/*
 * A client of Firefox: WebDriver BiDi, whose session is made anew on each
 * connection, and whose errors have texts as codes.
 */
#include "support/interop.h"
#include "support/pages.h"

#include <stdio.h>

/* It asks nobody on the internet. */
static const char prefs[] =
    "user_pref('services.settings.server', 'data:,#none/v1');\n"
    "user_pref('app.normandy.enabled', false);\n"
    "user_pref('app.update.enabled', false);\n"
    "user_pref('network.captive-portal-service.enabled', false);\n"
    "user_pref('network.connectivity-service.enabled', false);\n"
    "user_pref('datareporting.policy.dataSubmissionEnabled', false);\n"
    "user_pref('toolkit.telemetry.server', '');\n"
    "user_pref('browser.safebrowsing.update.enabled', false);\n";

static void run_firefox(interop_t *it, char *url, size_t size) {
  char path[FOLDER_PATH];
  const folder_t *folder = interop_folder(it);
  const char *args[] = {
      "firefox-esr", "--headless", "--no-remote", "--remote-debugging-port=0",
      "--profile",   folder->path, "about:blank", NULL};
  folder_file(folder, "user.js", prefs, path);
  interop_run(it, args);
  char *found = interop_expect_line(it, "WebDriver BiDi listening on ");
  snprintf(url, size, "%s/session", found);
  free(found);
}

static uvow_next_t new_session(uvow_peer_t *first, void *data) {
  (void)data;
  return uvow_next_future(
      uvow_peer_requestf(first, "session.new", "{s:{}}", "capabilities"));
}

static interop_t *start(void **state) {
  interop_t *it = (interop_t *)*state;
  uvow_reconnect_options_t reconnect = {0};
  char url[128];
  run_firefox(it, url, sizeof(url));
  test_connect_t options =
      interop_options(it, url, uvow_protocol_by_name("webdriver_bidi"));
  reconnect.size = sizeof(reconnect);
  reconnect.base_ms = 1;
  options.peer.reconnect = &reconnect;
  options.peer.renew = interop_renew;
  options.peer.opening = new_session;
  interop_connect_with(it, &options);
  return it;
}

/* A tab. Returns its id, borrowed. */
static const char *open_tab(interop_t *it) {
  answer_t *made = interop_ask(it, "browsingContext.create",
                               json_pack("{ss}", "type", "tab"));
  interop_wait(made);
  assert_int_equal(made->code, 0);
  return json_string_value(json_object_get(made->json, "context"));
}

static uvow_stream_t *subscribe(interop_t *it, const char *event,
                                const char *item) {
  char params[128];
  snprintf(params, sizeof(params), "{\"events\":[\"%s\"]}", event);
  uvow_stream_t *stream = uvow_peer_subscribe(
      it->client, "session.subscribe", uvow_value_raw(params),
      UVOW_WITH(subscription, .event = event, .item = item));
  assert_non_null(stream);
  return stream;
}

static void quit(interop_t *it) {
  interop_ask(it, "browser.close", NULL);
  process_wait(&it->process);
  interop_finish(it);
}

static void a_page_is_loaded_and_seen(void **state) {
  static const char html[] = "<!DOCTYPE html><title>uvow was here</title>";
  static const page_t list[] = {{"/", "text/html", html, sizeof(html) - 1}};
  interop_t *it = start(state);
  pages_t pages;
  char url[64];
  const char *tab = open_tab(it);
  uvow_stream_t *loads = subscribe(it, "browsingContext.load", "/url");
  pages_serve(&pages, it->loop, list, 1);
  snprintf(url, sizeof(url), "http://127.0.0.1:%d/", pages.port);
  answer_t *gone =
      interop_ask(it, "browsingContext.navigate",
                  json_pack("{ss, ss}", "context", tab, "url", url));
  assert_text(interop_next(it, loads), url);
  interop_wait(gone);
  assert_int_equal(gone->code, 0);
  answer_t *title =
      interop_ask(it, "script.evaluate",
                  json_pack("{ss, s{ss}, sb}", "expression", "document.title",
                            "target", "context", tab, "awaitPromise", 0));
  interop_wait(title);
  assert_int_equal(title->code, 0);
  assert_string_equal(json_string_value(json_object_get(
                          json_object_get(title->json, "result"), "value")),
                      "uvow was here");
  answer_t *shot = interop_ask(it, "browsingContext.captureScreenshot",
                               json_pack("{ss}", "context", tab));
  interop_wait(shot);
  assert_int_equal(shot->code, 0);
  const char *png = json_string_value(json_object_get(shot->json, "data"));
  assert_memory_equal(png, "iVBORw0KGgo", 11); /* a PNG's signature */
  uvow_stream_unref(loads);
  pages_end(&pages);
  quit(it);
}

static void errors_have_texts_as_codes(void **state) {
  interop_t *it = start(state);
  answer_t *unknown = interop_ask(it, "no.such", NULL);
  answer_t *invalid = interop_ask(it, "browsingContext.create", NULL);
  assert_rejected(unknown, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_string_equal(uvow_error_peer_code_text(unknown->error),
                      "unknown command");
  assert_rejected(invalid, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_string_equal(uvow_error_peer_code_text(invalid->error),
                      "invalid argument");
  quit(it);
}

static void subscriptions_come_back_with_their_session(void **state) {
  interop_t *it = start(state);
  char url[128];
  uvow_stream_t *tabs =
      subscribe(it, "browsingContext.contextCreated", "/context");
  answer_t *first = interop_next(it, tabs);
  interop_wait(first);
  assert_int_equal(first->code, 0);
  assert_true(first->missed == 0);
  interop_down(it);
  run_firefox(it, url, sizeof(url));
  interop_up(it, url);
  answer_t *again = first;
  while (again->missed == 0) { /* what was told before the kill */
    again = interop_next(it, tabs);
    interop_wait(again);
    assert_int_equal(again->code, 0);
  }
  assert_true(again->missed == UVOW_MISSED_UNKNOWN);
  uvow_stream_unref(tabs);
  quit(it);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(firefox) {
  const struct CMUnitTest tests[] = {
      TEST(a_page_is_loaded_and_seen),
      TEST(errors_have_texts_as_codes),
      TEST(subscriptions_come_back_with_their_session),
  };
  return cmocka_run_group_tests_name("interop/firefox", tests, NULL, NULL);
}
