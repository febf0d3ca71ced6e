/* A client of Chromium's DevTools: targets, their sessions, pages. */
#include "support/chromium.h"
#include "support/pages.h"

#include <stdio.h>

#include <openssl/evp.h>
#include <zlib.h>

static interop_t *start(void **state) {
  interop_t *it = (interop_t *)*state;
  char url[128];
  chromium_start(it, url, sizeof(url));
  interop_connect_again(it, url, uvow_protocol_by_name("cdp"));
  return it;
}

/* Where TEST_SCREENSHOT says, to be looked at. */
static void save(const unsigned char *bytes, size_t len) {
  const char *path = getenv("TEST_SCREENSHOT");
  FILE *file = path ? fopen(path, "wb") : NULL;
  if (!file)
    return;
  assert_int_equal(fwrite(bytes, 1, len, file), len);
  fclose(file);
}

static unsigned number_at(const unsigned char *bytes) {
  return (unsigned)bytes[0] << 24 | (unsigned)bytes[1] << 16 |
         (unsigned)bytes[2] << 8 | bytes[3];
}

/* Its first pixel, which no filter changes: red, green and blue. */
static unsigned first_pixel(const unsigned char *png, size_t len) {
  unsigned char row[5] = {0}; /* the filter, and the pixel */
  z_stream z;
  size_t at = 8;
  while (at + 12 < len && memcmp(png + at + 4, "IDAT", 4) != 0)
    at += 12 + number_at(png + at);
  assert_true(at + 12 < len);
  memset(&z, 0, sizeof(z));
  assert_int_equal(inflateInit(&z), Z_OK);
  z.next_in = (Bytef *)(uintptr_t)(png + at + 8);
  z.avail_in = number_at(png + at);
  z.next_out = row;
  z.avail_out = sizeof(row);
  assert_int_equal(inflate(&z, Z_SYNC_FLUSH), Z_OK);
  assert_int_equal(z.avail_out, 0);
  inflateEnd(&z);
  return number_at(row) & 0xFFFFFF;
}

static void assert_png(const char *text, unsigned width, unsigned height,
                       unsigned color) {
  static const unsigned char signature[] = {0x89, 'P',  'N',  'G',
                                            '\r', '\n', 0x1A, '\n'};
  size_t len = strlen(text);
  unsigned char *png = (unsigned char *)malloc(len);
  assert_non_null(png);
  int got = EVP_DecodeBlock(png, (const unsigned char *)text, (int)len);
  assert_true(got > 100);
  assert_memory_equal(png, signature, sizeof(signature));
  assert_int_equal(number_at(png + 16), width);
  assert_int_equal(number_at(png + 20), height);
  assert_int_equal(first_pixel(png, (size_t)got), color);
  save(png, (size_t)got);
  free(png);
}

static void a_page_is_loaded_and_seen(void **state) {
  static const char html[] =
      "<!DOCTYPE html><title>uvow was here</title>"
      "<style>body{background:#204080;color:#fff;font:48px sans-serif}"
      "</style><p>uvow";
  static const page_t list[] = {{"/", "text/html", html, sizeof(html) - 1}};
  interop_t *it = start(state);
  uvow_peer_t *page = chromium_page(it, NULL);
  pages_t pages;
  char url[64];
  pages_serve(&pages, it->loop, list, 1);
  snprintf(url, sizeof(url), "http://127.0.0.1:%d/", pages.port);
  interop_wait(interop_watch(
      it, uvow_peer_requestf(page, "Emulation.setDeviceMetricsOverride",
                             "{s:i, s:i, s:i, s:b}", "width", 320, "height",
                             200, "deviceScaleFactor", 1, "mobile", 0)));
  chromium_navigate(it, page, url);
  assert_string_equal(json_string_value(chromium_value(
                          chromium_evaluate(it, page, "document.title"))),
                      "uvow was here");
  answer_t *shot =
      interop_watch(it, uvow_peer_requestf(page, "Page.captureScreenshot",
                                           "{s:s}", "format", "png"));
  interop_wait(shot);
  assert_int_equal(shot->code, 0);
  assert_png(json_string_value(json_object_get(shot->json, "data")), 320, 200,
             0x204080);
  uvow_peer_unref(page);
  pages_end(&pages);
  chromium_close(it);
  interop_finish(it);
}

/* Each page's answers and events are its own. */
static void sessions_are_apart(void **state) {
  enum { PAGES = 3, COUNT = 100 };
  interop_t *it = start(state);
  uvow_peer_t *pages[PAGES];
  uvow_stream_t *logs[PAGES];
  answer_t *answers[PAGES][COUNT];
  char script[64];
  for (int i = 0; i < PAGES; i++) {
    pages[i] = chromium_page(it, NULL);
    logs[i] = uvow_peer_events(pages[i], "Runtime.consoleAPICalled");
    interop_wait(interop_watch(
        it, uvow_peer_requestf(pages[i], "Runtime.enable", NULL)));
  }
  for (int j = 0; j < COUNT; j++)
    for (int i = 0; i < PAGES; i++) {
      snprintf(script, sizeof(script), "console.log(%d); %d", 1000 * i + j,
               1000 * i + j);
      answers[i][j] = chromium_evaluate(it, pages[i], script);
    }
  for (int i = 0; i < PAGES; i++)
    for (int j = 0; j < COUNT; j++) {
      assert_int_equal(json_integer_value(chromium_value(answers[i][j])),
                       1000 * i + j);
      answer_t *log = interop_next(it, logs[i]);
      interop_wait(log);
      json_t *arg = json_array_get(json_object_get(log->json, "args"), 0);
      assert_int_equal(json_integer_value(json_object_get(arg, "value")),
                       1000 * i + j);
    }
  for (int i = 0; i < PAGES; i++) {
    uvow_stream_unref(logs[i]);
    uvow_peer_unref(pages[i]);
  }
  chromium_close(it);
  interop_finish(it);
}

static void a_closed_target_ends_what_was_asked_of_it(void **state) {
  interop_t *it = start(state);
  char *target;
  uvow_peer_t *page = chromium_page(it, &target);
  answer_t *never = chromium_evaluate(it, page, "new Promise(() => {})");
  chromium_value(chromium_evaluate(it, page, "1"));
  interop_ask(it, "Target.closeTarget", json_pack("{ss}", "targetId", target));
  assert_rejected(never, UVOW_ECLOSED, UVOW_MAYBE_EXECUTED);
  assert_rejected(chromium_evaluate(it, page, "2"), UVOW_ECLOSED,
                  UVOW_NOT_SENT);
  free(target);
  uvow_peer_unref(page);
  /* The browser itself is still there. */
  interop_wait(interop_ask(it, "Browser.getVersion", NULL));
  chromium_close(it);
  interop_finish(it);
}

static void targets_are_told_of_again_after_a_kill(void **state) {
  interop_t *it = start(state);
  char url[128];
  uvow_stream_t *targets = uvow_peer_subscribe(
      it->client, "Target.setDiscoverTargets",
      uvow_value_raw("{\"discover\":true}"),
      UVOW_WITH(subscription, .event = "Target.targetCreated",
                .item = "/targetInfo"));
  answer_t *item = interop_next(it, targets);
  interop_wait(item);
  assert_int_equal(item->code, 0);
  assert_true(item->missed == 0);
  interop_down(it);
  chromium_start(it, url, sizeof(url));
  interop_up(it, url);
  do {
    item = interop_next(it, targets);
    interop_wait(item);
    assert_int_equal(item->code, 0);
  } while (item->missed == 0); /* what was told before the kill */
  assert_true(item->missed == UVOW_MISSED_UNKNOWN);
  assert_non_null(json_object_get(item->json, "targetId"));
  uvow_stream_unref(targets);
  chromium_close(it);
  interop_finish(it);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(chromium) {
  const struct CMUnitTest tests[] = {
      TEST(a_page_is_loaded_and_seen),
      TEST(sessions_are_apart),
      TEST(a_closed_target_ends_what_was_asked_of_it),
      TEST(targets_are_told_of_again_after_a_kill),
  };
  return cmocka_run_group_tests_name("interop/chromium", tests, NULL, NULL);
}
