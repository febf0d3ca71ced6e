/* uvow call with a stream of calls, listen, connect and ping; and what uvow
 * serve has for them. */
#include "support/command.h"

#include <signal.h>
#include <stdio.h>

#include <args.h>

static command_t *serving(void **state) {
  command_t *command = (command_t *)*state;
  const char *const none[] = {NULL};
  command_serve(command, none);
  return command;
}

/* The line number n of stdout, from 0. */
static const char *line(const command_t *command, size_t n, char *text,
                        size_t size) {
  const char *at = command->out;
  for (; n && at; n--) {
    at = strchr(at, '\n');
    at = at ? at + 1 : NULL;
  }
  assert_non_null(at);
  snprintf(text, size, "%.*s", (int)strcspn(at, "\n"), at);
  return text;
}

/* The line has this at its front and that at its end: between them are
 * milliseconds. */
static void expect_line(const command_t *command, size_t n, const char *front,
                        const char *back) {
  char text[1024];
  line(command, n, text, sizeof(text));
  size_t len = strlen(text);
  if (strncmp(text, front, strlen(front)) || len < strlen(back) ||
      strcmp(text + len - strlen(back), back))
    fail_msg("line %d is %s", (int)n, text);
}

/* Calls on stdin. */

static void each_line_of_stdin_is_a_call(void **state) {
  command_t *command = serving(state);
  assert_int_equal(
      COMMAND_RUN_WITH(command,
                       "sleep [30]\n"
                       "\n"
                       "# nothing\n"
                       "echo {\"b\": 1e2}\n"
                       "add [1,2]", /* the last one has no newline */
                       "call", "URL", "-"),
      EXIT_OK);
  assert_int_equal(command->lines, 3);
  expect_line(command, 0,
              "{\"line\":1,\"method\":\"sleep\",\"outcome\":\"answered\",",
              ",\"result\":null}");
  expect_line(command, 1, "{\"line\":4,\"method\":\"echo\",",
              ",\"result\":{\"b\": 1e2}}");
  expect_line(command, 2, "{\"line\":5,\"method\":\"add\",", ",\"result\":3}");
  assert_string_equal(command->err, "");
  assert_int_equal(command_stop(command), 0);
}

static void answers_may_come_as_they_do(void **state) {
  command_t *command = serving(state);
  assert_int_equal(COMMAND_RUN_WITH(command, "sleep [300]\necho [1]\n", "call",
                                    "URL", "-", "--unordered"),
                   EXIT_OK);
  expect_line(command, 0, "{\"line\":2,", ",\"result\":[1]}");
  expect_line(command, 1, "{\"line\":1,", ",\"result\":null}");
  /* One at a time there is no other order. */
  assert_int_equal(COMMAND_RUN_WITH(command, "sleep [30]\necho [1]\n", "call",
                                    "URL", "-", "--unordered", "--inflight",
                                    "1"),
                   EXIT_OK);
  expect_line(command, 0, "{\"line\":1,", ",\"result\":null}");
  expect_line(command, 1, "{\"line\":2,", ",\"result\":[1]}");
  assert_int_equal(command_stop(command), 0);
}

static void the_worst_of_the_calls_is_the_status(void **state) {
  command_t *command = serving(state);
  assert_int_equal(COMMAND_RUN_WITH(command,
                                    "fail {\"code\":4,\"data\":[1]}\n"
                                    "echo [1]\n",
                                    "call", "URL", "-"),
                   EXIT_ANSWERED);
  expect_line(command, 0, "{\"line\":1,\"method\":\"fail\"",
              "\"error\":{\"name\":\"UVOW_EREMOTE\",\"message\":\"you asked "
              "for an error\",\"code\":4,\"data\":[1]}}");
  assert_int_equal(
      COMMAND_RUN_WITH(command, "echo {\nfail\n", "call", "URL", "-"),
      EXIT_NOT_SENT);
  expect_line(command, 0,
              "{\"line\":1,\"method\":\"echo\",\"outcome\":\"not sent\"",
              "expected near end of file\"}}");
  assert_int_equal(COMMAND_RUN_WITH(command,
                                    "sleep [600000]\n"
                                    "echo 5\n",
                                    "call", "URL", "-", "--timeout", "300"),
                   EXIT_MAYBE);
  assert_int_equal(command->lines, 2);
  assert_int_equal(command_stop(command), 0);
  /* No connection: each line says so. */
  assert_int_equal(COMMAND_RUN_WITH(command, "a\nb\n", "call", "URL", "-"),
                   EXIT_NOT_SENT);
  assert_int_equal(command->lines, 2);
  expect_line(command, 1, "{\"line\":2,\"method\":\"b\"", "}}");
}

static void many_lines_are_taken_in_parts(void **state) {
  enum { LINES = 5000 };
  static char input[LINES * 12 + 1];
  command_t *command = serving(state);
  size_t at = 0;
  for (int i = 0; i < LINES; i++)
    at += (size_t)snprintf(input + at, sizeof(input) - at, "echo [%d]\n",
                           i % 1000);
  command_start(command, (const char *const[]){"call", "URL", "-", "--inflight",
                                               "7", NULL});
  for (at = 0; input[at];) { /* the pipe has no room for all at once */
    uv_buf_t rest = uv_buf_init(input + at, (unsigned)strlen(input + at));
    int written = uv_try_write((uv_stream_t *)&command->program.in, &rest, 1);
    assert_true(written > 0 || written == UV_EAGAIN);
    at += written > 0 ? (size_t)written : 0;
    uv_run(&command->uv, UV_RUN_NOWAIT);
    command->out[0] = '\0'; /* only counted */
  }
  process_end_input(&command->program);
  while (command->program.handles) {
    uv_run(&command->uv, UV_RUN_ONCE);
    command->out[0] = '\0';
  }
  assert_int_equal(command_wait(command), EXIT_OK);
  assert_int_equal(command->lines, LINES);
  assert_int_equal(command_stop(command), 0);
}

/* Events. */

static void a_call_may_wait_for_events(void **state) {
  command_t *command = serving(state);
  assert_int_equal(COMMAND_RUN(command, "call", "URL", "events",
                               "{\"name\":\"tick\",\"items\":5}", "--events",
                               "2"),
                   EXIT_OK);
  assert_string_equal(command->out, "null\ntick [1]\ntick [2]\n");
  assert_int_equal(COMMAND_RUN(command, "call", "URL", "events",
                               "{\"items\":1}", "--events", "2", "--timeout",
                               "200", "--json"),
                   EXIT_MAYBE);
  expect_line(command, 1, "{\"ms\":", ",\"event\":\"event\",\"params\":[1]}");
  assert_non_null(strstr(command->err, "not all of 2 events came"));
  assert_int_equal(command_stop(command), 0);
}

static void listen_prints_events(void **state) {
  command_t *command = (command_t *)*state;
  const char *const publishes[] = {"--publish", NULL};
  command_serve(command, publishes);
  command_start(command, (const char *const[]){"listen", "URL", "-v",
                                               "--events", "3", NULL});
  while (!strstr(command->err, "open after"))
    uv_run(&command->uv, UV_RUN_ONCE);
  process_say(&command->server, "news {\"n\": 1}\nbad {\n\nother\nnews [2]\n");
  assert_int_equal(command_wait(command), EXIT_OK);
  assert_string_equal(command->out, "news {\"n\": 1}\nother null\nnews [2]\n");
  assert_int_equal(command_stop(command), 0);
}

static void listen_takes_events_of_a_name(void **state) {
  command_t *command = (command_t *)*state;
  const char *const publishes[] = {"--publish", NULL};
  command_serve(command, publishes);
  command_start(command,
                (const char *const[]){"listen", "URL", "-v", "--event", "b",
                                      "--events", "1", "--json", NULL});
  while (!strstr(command->err, "open after"))
    uv_run(&command->uv, UV_RUN_ONCE);
  process_say(&command->server, "a [1]\nb [2]\nb [3]\na [4]\n");
  assert_int_equal(command_wait(command), EXIT_OK);
  assert_int_equal(command->lines, 1);
  expect_line(command, 0, "{\"ms\":", ",\"event\":\"b\",\"params\":[2]}");
  assert_non_null(strstr(command->err, "there came an event"));
  assert_null(strstr(command->err, "[3]")); /* it was enough */
  assert_null(strstr(command->err, "[4]"));
  assert_int_equal(command_stop(command), 0);
}

static void listen_subscribes(void **state) {
  command_t *command = serving(state);
  assert_int_equal(COMMAND_RUN(command, "listen", "URL", "stream",
                               "{\"items\":3}", "--event", "stream", "--item",
                               "/0", "--unsubscribe", "echo", "--events", "2"),
                   EXIT_OK);
  assert_string_equal(command->out, "stream 1\nstream 2\n");
  assert_string_equal(command->err, "");
  assert_int_equal(COMMAND_RUN(command, "listen", "URL", "fail",
                               "{\"message\":\"no\"}", "--event", "x"),
                   EXIT_ANSWERED);
  assert_non_null(strstr(command->err, "UVOW_EREMOTE, answered: no"));
  assert_int_equal(command_stop(command), 0);
  assert_int_equal(COMMAND_RUN(command, "listen", "URL"), EXIT_NOT_SENT);
  assert_non_null(strstr(command->err, "ECONNREFUSED"));
}

/* What the answer calls it may be a part of the answer. */
static void events_of_a_key_are_the_subscriptions(void **state) {
  command_t *command = (command_t *)*state;
  const char *const publishes[] = {"--publish", NULL};
  command_serve(command, publishes);
  /* echo answers with what it's given; others' events have another key. */
  command_start(command, (const char *const[]){
                             "listen", "URL", "-v", "echo", "{\"of\":[\"b\"]}",
                             "--event", "n", "--event-key", "/id",
                             "--answer-key", "/of/0", "--item", "/v",
                             "--unsubscribe", "echo", "--events", "1", NULL});
  while (!strstr(command->err, "echo answered after"))
    uv_run(&command->uv, UV_RUN_ONCE);
  process_say(&command->server,
              "n {\"id\":\"a\",\"v\":1}\n"
              "n {\"id\":\"b\",\"v\":2}\n");
  assert_int_equal(command_wait(command), EXIT_OK);
  assert_string_equal(command->out, "n 2\n");
  assert_int_equal(command_stop(command), 0);
}

/* A server that is there again, where it was. */
static void serve_again(command_t *command) {
  char port[16];
  const char *const options[] = {"--port", port, "--publish", NULL};
  snprintf(port, sizeof(port), "%.*s", 5, strrchr(command->url, ':') + 1);
  port[strcspn(port, "/")] = '\0';
  process_kill(&command->server);
  command_serve(command, options);
}

static void listening_survives_a_loss(void **state) {
  command_t *command = serving(state);
  command_start(command,
                (const char *const[]){"listen", "URL", "-v", "--reconnect",
                                      "--events", "1", NULL});
  while (!strstr(command->err, "open after"))
    uv_run(&command->uv, UV_RUN_ONCE);
  command->err[0] = '\0';
  serve_again(command);
  while (!strstr(command->err, "open after"))
    uv_run(&command->uv, UV_RUN_ONCE);
  assert_non_null(strstr(command->err, "; again in "));
  process_say(&command->server, "news [1]\n");
  assert_int_equal(command_wait(command), EXIT_OK);
  assert_string_equal(command->out, "news [1]\n");
  assert_int_equal(command_stop(command), 0);
}

static void a_conversation_survives_a_loss(void **state) {
  command_t *command = serving(state);
  command_start(command, (const char *const[]){"connect", "URL", "-v",
                                               "--reconnect", NULL});
  process_say(&command->program, "sleep [600000]\necho [1]\n");
  while (!strstr(command->out, "#2 echo [1]: [1]"))
    uv_run(&command->uv, UV_RUN_ONCE);
  serve_again(command);
  while (!strstr(command->out, "#1 sleep [600000]: UVOW_ELOST"))
    uv_run(&command->uv, UV_RUN_ONCE);
  process_say(&command->program, "echo [2]\n.wait\n.quit\n");
  process_end_input(&command->program);
  assert_int_equal(command_wait(command), EXIT_OK);
  assert_non_null(strstr(command->out, "#3 echo [2]: [2]"));
  assert_int_equal(command_stop(command), 0);
}

static void partial_answers_are_events(void **state) {
  command_t *command = (command_t *)*state;
  const char *const options[] = {"--protocol", "graphql_transport_ws", NULL};
  command_serve(command, options);
  assert_int_equal(COMMAND_RUN(command, "listen", "URL", "stream",
                               "{\"items\":3}", "--protocol",
                               "graphql_transport_ws"),
                   EXIT_ANSWERED); /* graphql has no methods of these names */
  assert_int_equal(command_stop(command), 0);
}

static void ctrl_c_ends_listening_in_order(void **state) {
  command_t *command = serving(state);
  command_start(command, (const char *const[]){"listen", "URL", "-v", NULL});
  while (!strstr(command->err, "open after"))
    uv_run(&command->uv, UV_RUN_ONCE);
  uv_process_kill(&command->program.handle, SIGINT);
  assert_int_equal(command_wait(command), EXIT_OK);
  assert_non_null(strstr(command->err, "* closed after"));
  /* The server goes: the connection is lost, and that's said. */
  command_start(command, (const char *const[]){"listen", "URL", "-v", NULL});
  while (!strstr(command->err, "open after"))
    uv_run(&command->uv, UV_RUN_ONCE);
  process_kill(&command->server);
  assert_int_equal(command_wait(command), EXIT_MAYBE);
  assert_non_null(strstr(command->err, "UVOW_ELOST"));
}

/* A conversation that isn't on a terminal. */

static void a_conversation_is_read_from_a_pipe(void **state) {
  command_t *command = serving(state);
  assert_int_equal(COMMAND_RUN_WITH(command,
                                    "add [1,2]\n"
                                    ".wait\n"
                                    "fail {\"message\":\"no\",\"data\":[1]}\n"
                                    ".wait\n"
                                    ".notify echo [3]\n"
                                    ".send nonsense\n"
                                    ".help\n"
                                    "echo {\n"
                                    "nope\n",
                                    "connect", "URL"),
                   EXIT_OK);
  expect_line(command, 0, "#1 add [1,2]: 3  ", "s");
  expect_line(command, 1,
              "#2 fail {\"message\":\"no\",\"data\":[1]}: UVOW_EREMOTE, "
              "answered: no (code -32000): [1]  ",
              "s");
  assert_non_null(strstr(command->out, "\n< {\"jsonrpc\":\"2.0\",\"id\":null"));
  assert_non_null(strstr(command->out, "\n#3 nope: UVOW_EREMOTE"));
  assert_non_null(strstr(command->err, ".notify METHOD"));
  assert_non_null(strstr(command->err, "the params are not JSON"));
  assert_int_equal(command_stop(command), 0);
}

static void a_conversation_ends(void **state) {
  command_t *command = serving(state);
  assert_int_equal(COMMAND_RUN_WITH(command,
                                    "echo [1]\n"
                                    ".wait\n"
                                    "sleep [600000]\n"
                                    ".pending\n"
                                    ".quit\n"
                                    "add [1]\n",
                                    "connect", "URL"),
                   EXIT_OK);
  assert_non_null(strstr(command->out, "sleep, "));
  assert_non_null(strstr(command->out, "#2 sleep [600000]: UVOW_ECLOSED"));
  assert_null(strstr(command->out, "#3"));
  assert_int_equal(COMMAND_RUN_WITH(command, "", "connect", "URL"), EXIT_OK);
  assert_string_equal(command->err, "");
  assert_int_equal(command_stop(command), 0);
  assert_int_equal(COMMAND_RUN_WITH(command, "", "connect", "URL"),
                   EXIT_NOT_SENT);
  assert_non_null(strstr(command->err, "ECONNREFUSED"));
}

static void a_lost_connection_ends_it(void **state) {
  command_t *command = serving(state);
  command_start(command, (const char *const[]){"connect", "URL", NULL});
  process_say(&command->program, "sleep [600000]\necho [1]\n");
  while (!strstr(command->out, "#2 echo [1]: [1]"))
    uv_run(&command->uv, UV_RUN_ONCE);
  process_kill(&command->server);
  assert_int_equal(command_wait(command), EXIT_MAYBE);
  assert_non_null(strstr(command->out, "#1 sleep [600000]: UVOW_ELOST, sent"));
  assert_non_null(strstr(command->err, "UVOW_ELOST"));
}

/* Pings. */

static void ping_measures(void **state) {
  unsigned sent = 0, answered = 0;
  command_t *command = serving(state);
  assert_int_equal(COMMAND_RUN(command, "ping", "URL", "-c", "3", "-i", "1"),
                   EXIT_OK);
  assert_int_equal(command->lines, 5);
  expect_line(command, 0, "connected to 127.0.0.1:", "s");
  expect_line(command, 3, "pong 3  ", "s");
  assert_int_equal(
      sscanf(strrchr(command->out, '3') ? strstr(command->out, "3 sent") : "",
             "%u sent, %u answered: min", &sent, &answered),
      2);
  assert_int_equal(answered, 3);
  assert_int_equal(
      COMMAND_RUN(command, "ping", "URL", "--count", "1", "--json"), EXIT_OK);
  expect_line(command, 0, "{\"open_ms\":", "\"}");
  expect_line(command, 1, "{\"ping\":1,\"ms\":", "}");
  expect_line(command, 2, "{\"sent\":1,\"answered\":1,\"min_ms\":", "}");
  command_start(command, (const char *const[]){"ping", "URL", NULL});
  while (!strstr(command->out, "pong 1"))
    uv_run(&command->uv, UV_RUN_ONCE);
  uv_process_kill(&command->program.handle, SIGINT);
  assert_int_equal(command_wait(command), EXIT_OK);
  assert_non_null(strstr(command->out, "1 sent, 1 answered"));
  assert_int_equal(command_stop(command), 0);
  assert_int_equal(COMMAND_RUN(command, "ping", "URL"), EXIT_NOT_SENT);
  assert_non_null(strstr(command->err, "ECONNREFUSED"));
}

static void pings_come_as_often_as_asked(void **state) {
  command_t *command = serving(state);
  /* With a second between them it would take longer than a test may. */
  assert_int_equal(
      COMMAND_RUN(command, "ping", "URL", "-c", "300", "--interval", "1"),
      EXIT_OK);
  assert_non_null(strstr(command->out, "300 sent, 300 answered"));
  assert_int_equal(command_stop(command), 0);
}

/* -v, --trace. */

static void ping_shows_the_handshake(void **state) {
  command_t *command = (command_t *)*state;
  const char *const options[] = {"--subprotocol", "two", NULL};
  command_serve(command, options);
  assert_int_equal(COMMAND_RUN(command, "ping", "URL", "-c", "1", "--verbose",
                               "--subprotocol", "two"),
                   EXIT_OK);
  assert_memory_equal(command->err, "* connecting to ws://127.0.0.1:", 31);
  assert_non_null(strstr(command->err, "\n* connected to 127.0.0.1:"));
  assert_non_null(strstr(command->err, "\n< Sec-WebSocket-Accept: "));
  assert_non_null(strstr(command->err, "\n* subprotocol: two\n* open after "));
  assert_non_null(strstr(command->err, "\n* closed after "));
  expect_line(command, 1, "pong 1  ", "s");
  assert_int_equal(COMMAND_RUN(command, "ping", "URL", "-c", "1"), EXIT_OK);
  assert_string_equal(command->err, "");
  assert_int_equal(command_stop(command), 0);
}

static void verbose_shows_the_handshake(void **state) {
  command_t *command = (command_t *)*state;
  const char *const options[] = {"--subprotocol", "two", NULL};
  command_serve(command, options);
  assert_int_equal(COMMAND_RUN(command, "call", "URL", "echo", "[1]", "-v",
                               "--trace", "--subprotocol", "one",
                               "--subprotocol", "two"),
                   EXIT_OK);
  assert_string_equal(command->out, "[1]\n");
  assert_non_null(strstr(command->err, "* connecting to ws://127.0.0.1:"));
  assert_non_null(strstr(command->err, "* connected to 127.0.0.1:"));
  assert_non_null(strstr(command->err, "\n< Sec-WebSocket-Accept: "));
  assert_non_null(strstr(command->err, "\n* subprotocol: two\n* open after "));
  assert_non_null(strstr(command->err,
                         "\n> {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
                         "\"echo\",\"params\":[1]}\n"));
  assert_non_null(strstr(command->err,
                         "\n< {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[1]}\n"
                         "* echo answered after "));
  assert_int_equal(command_stop(command), 0);
}

/* The server's part. */

static void the_server_publishes_for_a_caller(void **state) {
  command_t *command = serving(state);
  assert_int_equal(COMMAND_RUN(command, "call", "URL", "publish",
                               "{\"name\":\"n\",\"params\":{\"a\":1}}",
                               "--events", "1"),
                   EXIT_OK);
  assert_non_null(strstr(command->out, "n {\"a\":1}\n"));
  assert_non_null(strstr(command->out, "1\n"));
  assert_int_equal(COMMAND_RUN(command, "call", "URL", "publish", "[]"),
                   EXIT_ANSWERED);
  assert_int_equal(
      COMMAND_RUN(command, "call", "URL", "stream", "{\"items\":-1}"),
      EXIT_ANSWERED);
  assert_int_equal(COMMAND_RUN(command, "call", "URL", "events", "{\"ms\":-1}"),
                   EXIT_ANSWERED);
  assert_int_equal(command_stop(command), 0);
}

static void wrong_words_are_said(void **state) {
  static const char *const wrong[][7] = {
      {"call", "URL", "-", "[1]", NULL},
      {"call", "URL", "-", "--notify", NULL},
      {"call", "URL", "echo", "--unordered", NULL},
      {"call", "URL", NULL},
      {"listen", "URL", "--event-key", "/a", NULL},
      {"listen", "URL", "m", "--event-key", "/a", NULL},
      {"listen", NULL},
      {"connect", "URL", "what", NULL},
      {"ping", "URL", "--count", "0", NULL},
      {"bench", "URL", "URL", "--connections", "1", NULL},
      {"bench", "URL", "--ramp", "9", "--seconds", "1", NULL}};
  command_t *command = (command_t *)*state;
  snprintf(command->url, sizeof(command->url), "ws://127.0.0.1:1/");
  for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
    assert_int_equal(command_run(command, wrong[i]), EXIT_USAGE);
    assert_non_null(strstr(command->err, "uvow: "));
    assert_string_equal(command->out, "");
  }
}

TEST_MODULE(talk) {
#define CASE(name)                                                             \
  cmocka_unit_test_setup_teardown(name, command_setup, command_teardown)
  const struct CMUnitTest tests[] = {
      CASE(each_line_of_stdin_is_a_call),
      CASE(answers_may_come_as_they_do),
      CASE(the_worst_of_the_calls_is_the_status),
      CASE(many_lines_are_taken_in_parts),
      CASE(a_call_may_wait_for_events),
      CASE(listen_prints_events),
      CASE(listen_takes_events_of_a_name),
      CASE(listen_subscribes),
      CASE(events_of_a_key_are_the_subscriptions),
      CASE(listening_survives_a_loss),
      CASE(a_conversation_survives_a_loss),
      CASE(partial_answers_are_events),
      CASE(ctrl_c_ends_listening_in_order),
      CASE(a_conversation_is_read_from_a_pipe),
      CASE(a_conversation_ends),
      CASE(a_lost_connection_ends_it),
      CASE(ping_measures),
      CASE(pings_come_as_often_as_asked),
      CASE(ping_shows_the_handshake),
      CASE(verbose_shows_the_handshake),
      CASE(the_server_publishes_for_a_caller),
      CASE(wrong_words_are_said),
  };
  return cmocka_run_group_tests_name("cli/talk", tests, NULL, NULL);
}
