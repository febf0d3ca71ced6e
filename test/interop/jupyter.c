/*
 * A client of a Jupyter kernel, behind a Jupyter server: what code prints, what
 * it returns, and when it has come to its end. All clients of a kernel see each
 * other's messages.
 */
#include "support/interop.h"

#include <signal.h>
#include <stdio.h>

#include <uvow/uv.h>

/* docs/examples/protocols/jupyter.json for those who only execute: the end is
 * that the kernel is idle again, behind all that it printed. */
static const char description[] =
    "{\"name\":\"jupyter_execute\",\"ids\":\"random\",\"call\":"
    "{\"channel\":\"shell\",\"parent_header\":{},\"metadata\":{},\"header\":"
    "{\"msg_id\":\"$id\",\"msg_type\":\"$method\",\"version\":\"5.3\","
    "\"username\":\"\",\"session\":\"$session_id\","
    "\"date\":\"2026-01-01T00:00:00Z\"},"
    "\"content\":\"$object\",\"buffers\":[]},\"rules\":["
    "{\"when\":{\"/channel\":\"iopub\",\"/msg_type\":\"status\","
    "\"/content/execution_state\":\"idle\",\"/parent_header/msg_id\":true},"
    "\"is\":\"end\",\"id\":\"/parent_header/msg_id\"},"
    "{\"when\":{\"/channel\":\"iopub\",\"/msg_type\":\"error\"},"
    "\"is\":\"error\",\"id\":\"/parent_header/msg_id\","
    "\"code\":\"/content/ename\",\"message\":\"/content/evalue\","
    "\"data\":\"/content\"},"
    "{\"when\":{\"/channel\":\"iopub\",\"/parent_header/msg_id\":true},"
    "\"is\":\"partial\",\"id\":\"/parent_header/msg_id\",\"value\":\"\"},"
    "{\"when\":{\"/channel\":true},\"is\":\"ignore\"}]}";

/* Starts the server. Returns its port. */
static int run_server(interop_t *it) {
  char root[FOLDER_PATH];
  char port_arg[32];
  const char *args[] = {"jupyter-server",
                        "--no-browser",
                        "--allow-root",
                        "--ip=127.0.0.1",
                        "--ServerApp.port_retries=0",
                        "--ServerApp.token=T",
                        port_arg,
                        root,
                        NULL};
  int port = 0;
  char *line = NULL;
  snprintf(root, sizeof(root), "--ServerApp.root_dir=%s",
           interop_folder(it)->path);
  for (int tries = 0; !line; tries++) {
    port = interop_free_port(it);
    snprintf(port_arg, sizeof(port_arg), "--ServerApp.port=%d", port);
    interop_run(it, args);
    line = interop_line(it, "is running at:");
    if (!line && tries == 10)
      fail_msg("jupyter-server ended: %s", it->log);
  }
  free(line);
  return port;
}

static uvow_next_t gather(const uvow_result_t *item, void *data) {
  uvow_slice_t piece = uvow_result_bytes(item);
  char *text = (char *)data;
  size_t len = strlen(text);
  snprintf(text + len, 2048 - len, "%.*s", (int)piece.len, piece.bytes);
  return uvow_next_none();
}

/* Makes a kernel, by HTTP. */
static void make_kernel(interop_t *it, int port, char id[64]) {
  char text[2048] = "";
  uvow_channel_t http = uvow_tcp_connect(it->loop, "127.0.0.1", (uint16_t)port);
  uvow_sink_push(http.out,
                 uvow_value_text("POST /api/kernels?token=T HTTP/1.1\r\n"
                                 "Host: 127.0.0.1\r\nConnection: close\r\n"
                                 "Content-Length: 2\r\n\r\n{}"));
  interop_wait(interop_watch(it, uvow_stream_each(http.in, gather, text)));
  uvow_sink_end(http.out);
  const char *at = strstr(text, "\"id\": \"");
  if (!at)
    fail_msg("no kernel: %s", text);
  snprintf(id, 64, "%.*s", (int)strcspn(at + 7, "\""), at + 7);
}

typedef struct notebook {
  interop_t *it;
  uvow_peer_t *clients[2];
} notebook_t;

static void start(notebook_t *book, void **state) {
  interop_t *it = (interop_t *)*state;
  char kernel[64];
  char url[256];
  uvow_error_t *error = NULL;
  interop_need("jupyter-server");
  uvow_protocol_t *protocol =
      uvow_protocol_parse(description, strlen(description), &error);
  if (!protocol)
    fail_msg("%s", uvow_error_message(error));
  int port = run_server(it);
  make_kernel(it, port, kernel);
  snprintf(url, sizeof(url),
           "ws://127.0.0.1:%d/api/kernels/%s/channels?token=T", port, kernel);
  book->it = it;
  for (int i = 0; i < 2; i++) {
    book->clients[i] =
        uvow_peer_connect(it->loop, url,
                          UVOW_WITH(peer, .protocol = protocol,
                                    .vars = "{\"session_id\":\"s\"}"));
    assert_non_null(book->clients[i]);
  }
  uvow_protocol_unref(protocol);
}

/* The server ends its kernel, and goes. */
static void stop(notebook_t *book) {
  uvow_peer_unref(book->clients[0]);
  uvow_peer_unref(book->clients[1]);
  uv_process_kill(&book->it->process.handle, SIGTERM);
  process_wait(&book->it->process);
  interop_finish(book->it);
}

static uvow_stream_t *execute(notebook_t *book, int client, const char *code) {
  uvow_loop_t *loop = book->it->loop;
  uvow_stream_t *stream = uvow_peer_request_stream(
      book->clients[client], "execute_request",
      uvow_value_jsonf(loop, "{s:s, s:b, s:b, s:{}, s:b}", "code", code,
                       "silent", 0, "store_history", 1, "user_expressions",
                       "allow_stdin", 0));
  assert_non_null(stream);
  return stream;
}

/* The next message of this type. Borrowed: its content; NULL: the end. */
static json_t *content_of(notebook_t *book, uvow_stream_t *stream,
                          const char *type) {
  for (;;) {
    answer_t *item = interop_next(book->it, stream);
    interop_wait(item);
    assert_int_equal(item->code, 0);
    if (item->is_end)
      return NULL;
    const char *got =
        json_string_value(json_object_get(item->json, "msg_type"));
    if (strcmp(got, type) == 0)
      return json_object_get(item->json, "content");
  }
}

static const char *text_in(json_t *object, const char *name) {
  const char *text = json_string_value(json_object_get(object, name));
  assert_non_null(text);
  return text;
}

static void code_prints_and_returns(void **state) {
  notebook_t book = {0};
  start(&book, state);
  uvow_stream_t *run = execute(&book, 0, "print('s\xC3\xA9l'); 6 * 7");
  assert_string_equal(text_in(content_of(&book, run, "execute_input"), "code"),
                      "print('s\xC3\xA9l'); 6 * 7");
  json_t *printed = content_of(&book, run, "stream");
  assert_string_equal(text_in(printed, "name"), "stdout");
  assert_string_equal(text_in(printed, "text"), "s\xC3\xA9l\n");
  json_t *result = content_of(&book, run, "execute_result");
  assert_string_equal(text_in(json_object_get(result, "data"), "text/plain"),
                      "42");
  assert_null(content_of(&book, run, "none"));
  uvow_stream_unref(run);
  stop(&book);
}

static void an_exception_is_an_error(void **state) {
  notebook_t book = {0};
  start(&book, state);
  uvow_stream_t *run = execute(&book, 0, "1 / 0");
  answer_t *item;
  do {
    item = interop_next(book.it, run);
    interop_wait(item);
  } while (item->code == 0);
  assert_int_equal(item->code, UVOW_EREMOTE);
  assert_string_equal(uvow_error_peer_code_text(item->error),
                      "ZeroDivisionError");
  assert_string_equal(uvow_error_peer_message(item->error), "division by zero");
  uvow_stream_unref(run);
  stop(&book);
}

/* Each has its own, though both see all. */
static void two_clients_of_one_kernel(void **state) {
  enum { COUNT = 20 };
  notebook_t book = {0};
  uvow_stream_t *runs[2][COUNT];
  char code[32];
  start(&book, state);
  for (int i = 0; i < COUNT; i++)
    for (int client = 0; client < 2; client++) {
      snprintf(code, sizeof(code), "%d", 100 * client + i);
      runs[client][i] = execute(&book, client, code);
    }
  for (int i = 0; i < COUNT; i++)
    for (int client = 0; client < 2; client++) {
      uvow_stream_t *run = runs[client][i];
      snprintf(code, sizeof(code), "%d", 100 * client + i);
      json_t *result = content_of(&book, run, "execute_result");
      assert_string_equal(
          text_in(json_object_get(result, "data"), "text/plain"), code);
      assert_null(content_of(&book, run, "none"));
      uvow_stream_unref(run);
    }
  stop(&book);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(jupyter) {
  const struct CMUnitTest tests[] = {
      TEST(code_prints_and_returns),
      TEST(an_exception_is_an_error),
      TEST(two_clients_of_one_kernel),
  };
  return cmocka_run_group_tests_name("interop/jupyter", tests, NULL, NULL);
}
