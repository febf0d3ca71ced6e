/*
 * What the pages of docs/reference/protocols show as read, and what is known of
 * the services of docs/examples/protocols, through a whole session: in one
 * frame, in fragments, and in pieces of any size, it counts as the same.
 */
#include "rpc/peer.h"

#include "support/described_cases.h"
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

/* Each message of a described one, as a page has them. */
static void say_cases(script_t *s, const service_t *service, unsigned split) {
  for (size_t i = 0; i < service->read_count; i++) {
    const char *text = service->reads[i].text;
    size_t len = strlen(text);
    say(s, text, len, split ? (len * split / 7) % len : 0);
  }
}

/* One of the two is what it reads. */
typedef struct speaker {
  const uvow_protocol_t *protocol;
  const char *page;
  const service_t *service;
} speaker_t;

static counts_t count(const speaker_t *speaker, unsigned cut, unsigned split) {
  counts_t counts;
  script_t s;
  script_init(&s);
  script_drive_clock(&s);
  s.cut = cut;
  test_connect_t options = script_options(&s);
  options.peer.protocol = speaker->protocol;
  options.peer.vars =
      "{\"initialize\":{},\"token\":\"T\",\"realm\":\"r\",\"topic\":\"t\","
      "\"credentials\":{},\"namespace\":\"n\",\"database\":\"d\"}";
  options.peer.on_stray = NULL;
  options.on_event = NULL;
  assert_int_equal(script_client(&s, &options), 0);
  script_mark_t a = script_mark(&s, "a");
  script_call(&s, "m", &a);
  script_connected(&s);
  script_accept(&s);
  script_turns(&s);
  if (speaker->page)
    say_page(&s, speaker->page, split);
  else
    say_cases(&s, speaker->service, split);
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
  return counts;
}

static int is_same(const counts_t *a, const counts_t *b) {
  return a->answered == b->answered && a->calls == b->calls &&
         a->events == b->events && a->unknown == b->unknown &&
         a->late == b->late && a->duplicate == b->duplicate &&
         a->malformed == b->malformed && a->sent == b->sent;
}

static void check_splits(const speaker_t *speaker) {
  counts_t whole = count(speaker, 0, 0);
  if (whole.answered + whole.unknown + whole.calls + whole.events +
          whole.duplicate ==
      0)
    fail_msg("%s: nothing was read", speaker->protocol->name);
  for (unsigned n = 0; n < 12; n++) {
    counts_t parts = count(speaker, n, n % 7);
    if (!is_same(&whole, &parts))
      fail_msg("%s: cut %u, split %u", speaker->protocol->name, n, n % 7);
  }
}

TEST_CASE(test_pages) {
  for (size_t i = 0; i < UVOW__COUNT(names); i++) {
    char *page = load(names[i]);
    speaker_t speaker = {uvow_protocol_by_name(names[i]), page, NULL};
    check_splits(&speaker);
    free(page);
  }
}

/* What a session takes a message for is what the table says, but for what an
 * opening step is waiting for. */
static void check_counts(const speaker_t *speaker) {
  const service_t *service = speaker->service;
  counts_t expected = {0};
  for (size_t i = 0; i < service->read_count; i++) {
    int kind = service->reads[i].kind;
    expected.calls += kind == CALL;
    expected.events += kind == EVENT;
  }
  counts_t counts = count(speaker, 1, 3);
  assert_int_equal(counts.calls, expected.calls);
  assert_int_equal(counts.events, expected.events);
}

TEST_CASE(test_examples) {
  for (size_t i = 0; i < described_count; i++) {
    const service_t *service = &described_cases[i];
    uvow_protocol_t *own = described_load("examples", service->name);
    speaker_t speaker = {own, NULL, service};
    check_splits(&speaker);
    if (own->step_count == 0)
      check_counts(&speaker);
    uvow_protocol_unref(own);
  }
}

TEST_MODULE(splits) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pages),
      cmocka_unit_test(test_examples),
  };
  return cmocka_run_group_tests_name("rpc/splits", tests, NULL, NULL);
}
