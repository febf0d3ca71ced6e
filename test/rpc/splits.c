/*
 * What the pages of docs/reference/protocols show as read, through a whole
 * session: in one frame, in fragments, and in pieces of any size, it counts as
 * the same.
 */
#include "rpc/peer.h"

#include "support/script.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const names[] = {"callback_id",
                                    "cdp",
                                    "graphql_transport_ws",
                                    "home_assistant",
                                    "jsonrpc2",
                                    "lsp",
                                    "mcp",
                                    "obs5",
                                    "phoenix2",
                                    "wamp2",
                                    "webdriver_bidi"};

typedef struct counts {
  uint64_t answered;
  uint64_t calls;
  uint64_t events;
  uint64_t unknown;
  uint64_t late;
  uint64_t duplicate;
  uint64_t malformed;
  size_t sent; /* bytes: what was answered at once */
} counts_t;

static char *load(const char *name) {
  char path[1000];
  const char *root = getenv("TEST_ROOT");
  char *text = (char *)calloc(1, 65536);
  assert_non_null(text);
  snprintf(path, sizeof(path), "%s/docs/reference/protocols/%s.md",
           root ? root : "../..", name);
  FILE *file = fopen(path, "rb");
  if (!file)
    fail_msg("%s is missing", path);
  assert_true(fread(text, 1, 65535, file) > 0);
  fclose(file);
  return text;
}

/* In two frames from the byte `at` on; 0: in one. */
static void say(script_t *s, const char *text, size_t len, size_t at) {
  if (at == 0 || at >= len) {
    script_frame(s, 0x81, text, len);
    return;
  }
  script_frame(s, 0x01, text, at);
  script_frame(s, 0x80, text + at, len - at);
}

static void say_page(script_t *s, const char *page, unsigned split) {
  for (const char *at = strstr(page, "\n<- "); at; at = strstr(at, "\n<- ")) {
    at += 4;
    const char *text = at + strcspn(at, " ");
    text += strspn(text, " ");
    size_t len = strcspn(text, "\n");
    say(s, text, len, split ? (len * split / 7) % len : 0);
  }
}

static counts_t count(const char *name, unsigned cut, unsigned split) {
  counts_t counts;
  script_t s;
  char *page = load(name);
  script_init(&s);
  script_drive_clock(&s);
  s.cut = cut;
  test_connect_t options = script_options(&s);
  options.peer.protocol = uvow_protocol_by_name(name);
  options.peer.vars =
      "{\"initialize\":{},\"token\":\"T\",\"realm\":\"r\",\"topic\":\"t\"}";
  options.peer.on_stray = NULL;
  options.on_event = NULL;
  assert_int_equal(script_client(&s, &options), 0);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "m", &a);
  script_connected(&s);
  script_accept(&s);
  script_turns(&s);
  say_page(&s, page, split);
  script_turns(&s);
  uvow_peer_stats_t stats = script_stats(&s);
  counts = (counts_t){stats.answered,  stats.calls, stats.events,
                      stats.unknown,   stats.late,  stats.duplicate,
                      stats.malformed, s.sent_len};
  uvow_peer_unref(s.client);
  s.client = NULL;
  script_turns(&s);
  s.log[0] = '\0';
  script_end(&s);
  free(page);
  return counts;
}

static int is_same(const counts_t *a, const counts_t *b) {
  return a->answered == b->answered && a->calls == b->calls &&
         a->events == b->events && a->unknown == b->unknown &&
         a->late == b->late && a->duplicate == b->duplicate &&
         a->malformed == b->malformed && a->sent == b->sent;
}

TEST_CASE(test_splits) {
  for (size_t i = 0; i < UVOW__COUNT(names); i++) {
    counts_t whole = count(names[i], 0, 0);
    assert_true(whole.answered + whole.unknown + whole.calls + whole.events +
                    whole.duplicate >
                0);
    for (unsigned n = 0; n < 12; n++) {
      counts_t parts = count(names[i], n, n % 7);
      if (!is_same(&whole, &parts))
        fail_msg("%s: cut %u, split %u", names[i], n, n % 7);
    }
  }
}

TEST_MODULE(splits) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_splits),
  };
  return cmocka_run_group_tests_name("rpc/splits", tests, NULL, NULL);
}
