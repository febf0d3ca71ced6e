/* Answers of two halves (jupyter: a reply, and the kernel's being idle): whole
 * when both have come, in either order; what comes between is a part. */
#include "rpc/peer.h"

#include "support/script.h"

#include <stdio.h>

#include <uvow/channel.h>

#define RULES                                                                  \
  "{\"name\":\"halves\",\"call\":{\"id\":\"$id\",\"m\":\"$method\"},"          \
  "\"rules\":[{\"when\":{\"/t\":\"ok\"},\"is\":\"ok\",\"half\":true,"          \
  "\"id\":\"/id\",\"value\":\"/v\"},{\"when\":{\"/t\":\"no\"},\"is\":"         \
  "\"error\",\"half\":true,\"id\":\"/id\",\"message\":\"/v\"},{\"when\":"      \
  "{\"/t\":\"idle\"},\"is\":\"end\",\"half\":true,\"id\":\"/id\"},"            \
  "{\"when\":{\"/t\":\"part\"},\"is\":\"partial\",\"id\":\"/id\","             \
  "\"value\":\"/v\"}]}"

#define OK "{\"id\":1,\"t\":\"ok\",\"v\":[1]}"
#define NO "{\"id\":1,\"t\":\"no\",\"v\":\"why\"}"
#define IDLE "{\"id\":1,\"t\":\"idle\"}"
#define PART "{\"id\":1,\"t\":\"part\",\"v\":5}"

static void on_partial(const uvow_result_t *partial, void *data) {
  uvow_slice_t text;
  char copy[100];
  assert_int_equal(uvow_result_get_slice(partial, "", &text), 0);
  snprintf(copy, sizeof(copy), "%.*s", (int)text.len, text.bytes);
  script_log((script_t *)data, "part:", copy);
}

static uvow_protocol_t *start(script_t *s) {
  uvow_protocol_t *protocol = uvow_protocol_parse(RULES, strlen(RULES), NULL);
  assert_non_null(protocol);
  script_init(s);
  script_drive_clock(s);
  test_connect_t options = script_options(s);
  options.peer.protocol = protocol;
  script_open_client(s, &options);
  return protocol;
}

/* with: on_partial too. */
static void expect(const char *const *messages, size_t count, int with,
                   const char *log) {
  uvow_request_options_t options = {.size = sizeof(options)};
  script_t s;
  uvow_protocol_t *protocol = start(&s);
  options.on_partial = with ? on_partial : NULL;
  options.partial_data = &s;
  script_mark_t a = script_mark(&s, "a");
  script_watch(
      uvow_peer_request_with(s.client, "m", uvow_value_none(), &options), &a);
  script_turns(&s);
  for (size_t i = 0; i < count; i++)
    script_text(&s, messages[i]);
  script_turns(&s);
  script_expect(&s, log);
  script_advance(&s, 31000);
  script_turns(&s);
  assert_int_equal(a.done, 1);
  s.log[0] = '\0';
  uvow_peer_unref(s.client);
  s.client = NULL;
  script_end(&s);
  uvow_protocol_unref(protocol);
}
#define EXPECT(with, log, ...)                                                 \
  do {                                                                         \
    static const char *const messages[] = {__VA_ARGS__};                       \
    expect(messages, UVOW__COUNT(messages), with, log);                        \
  } while (0)

TEST_CASE(test_either_order) {
  EXPECT(0, "a=[1]", OK, IDLE);
  EXPECT(0, "a=[1]", IDLE, OK);
  EXPECT(0, "a!EREMOTE:ANSWERED", NO, IDLE);
  EXPECT(0, "a!EREMOTE:ANSWERED", IDLE, NO);
}

TEST_CASE(test_parts_between) {
  EXPECT(1, "part:5 part:5 a=[1]", PART, OK, PART, IDLE);
  EXPECT(1, "part:5 a=[1]", IDLE, PART, OK);
}

/* One half is no answer, and one that comes twice is the first one. */
TEST_CASE(test_one_half) {
  EXPECT(0, "", OK);
  EXPECT(0, "", IDLE);
  EXPECT(0, "", OK, "{\"id\":1,\"t\":\"ok\",\"v\":[2]}", NO);
  EXPECT(0, "", IDLE, IDLE);
  EXPECT(0, "a=[1]", OK, NO, IDLE);
}

/* Given up, or lost, with a half that is kept. */
TEST_CASE(test_given_up) {
  script_t s;
  uvow_protocol_t *protocol = start(&s);
  script_mark_t a = script_mark(&s, "a");
  script_mark_t b = script_mark(&s, "b");
  uvow_future_t *f = script_request(&s, "m", NULL);
  script_turns(&s);
  script_text(&s, NO);
  script_watch(uvow_future_ref(f), &a);
  assert_int_equal(uvow_future_cancel(f), 0);
  uvow_future_unref(f);
  script_call(&s, "m", &b);
  script_turns(&s);
  script_text(&s, "{\"id\":2,\"t\":\"ok\",\"v\":[1]}");
  script_hang_up(&s, UV_ECONNRESET);
  script_turns(&s);
  script_expect(&s, "a!ECANCELED:MAYBE b!ELOST:MAYBE");
  script_end(&s);
  uvow_protocol_unref(protocol);
}

static void sweep(test_alloc_t *alloc, void *data) {
  uvow_protocol_t *protocol = uvow_protocol_parse(RULES, strlen(RULES), NULL);
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_channel_t a = {NULL, NULL};
  uvow_channel_t b = {NULL, NULL};
  script_t s;
  script_mark_t m;
  script_init_with(&s, alloc);
  options.protocol = protocol;
  if (s.loop && uvow_channel_pair(s.loop, &a, &b) == 0) {
    s.client = uvow_peer_new(s.loop, a, &options);
    uvow_future_t *f = uvow_peer_request(s.client, "m", uvow_value_none());
    m = script_mark(&s, "m");
    if (f)
      (void)uvow_future_done(f, script_done, &m);
    script_turns(&s);
    (void)uvow_sink_push(b.out, uvow_value_text((const char *)data));
    (void)uvow_sink_push(b.out, uvow_value_text(IDLE));
    script_turns(&s);
  }
  uvow_stream_unref(b.in);
  uvow_sink_drop(b.out);
  script_quit(&s);
  uvow_protocol_unref(protocol);
}

TEST_CASE(survives_no_memory) {
  test_alloc_sweep(sweep, (void *)(uintptr_t)OK);
  test_alloc_sweep(sweep, (void *)(uintptr_t)NO);
}

TEST_MODULE(half) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_either_order),
      cmocka_unit_test(test_parts_between),
      cmocka_unit_test(test_one_half),
      cmocka_unit_test(test_given_up),
      cmocka_unit_test(survives_no_memory),
  };
  return cmocka_run_group_tests_name("rpc/half", tests, NULL, NULL);
}
