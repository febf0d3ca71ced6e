/*
 * A client of pyright, a language server of npm's, over its stdin and stdout:
 * what it finds in a document, before and after a change. It asks, too.
 */
#include "support/interop.h"

#include <stdio.h>

#include <uvow/uv.h>

#define URI "file:///project/a.py"

typedef struct editor {
  interop_t *it;
  uvow_process_t *process;
  uvow_peer_t *server;
  uvow_stream_t *found;
  size_t asked;
} editor_t;

/* An answer for each of the items that it asks for. */
static uvow_next_t configuration(uvow_call_t *call, const uvow_result_t *params,
                                 void *data) {
  editor_t *editor = (editor_t *)data;
  uvow_json_walk_t items = uvow_result_walk(params, "/items");
  uvow_result_t item;
  char answer[256] = "";
  size_t len = 0;
  editor->asked++;
  while (uvow_json_walk_next(&items, &item) && len < sizeof(answer) - 8) {
    len += (size_t)snprintf(answer + len, sizeof(answer) - len, "%cnull",
                            len ? ',' : '[');
  }
  len += (size_t)snprintf(answer + len, sizeof(answer) - len, "]");
  return uvow_next_value(uvow_value_bytes(uvow_call_loop(call), answer, len));
}

static uvow_next_t agree(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_none();
}

/* The protocol says initialize and initialized by itself. */
static void start(editor_t *editor, interop_t *it) {
  char path[1024];
  char vars[256];
  interop_need_npm();
  const char *args[] = {
      "node",
      interop_npm_path("pyright/langserver.index.js", path, sizeof(path)),
      "--stdio", NULL};
  editor->it = it;
  editor->process =
      uvow_spawn(it->loop, UVOW_WITH(process, .args = args,
                                     .pipes = UVOW_STDIN | UVOW_STDOUT));
  assert_non_null(editor->process);
  uvow_methods_t *methods = uvow_methods_new(it->loop);
  uvow_methods_add(methods, "workspace/configuration", configuration, editor);
  uvow_methods_add(methods, "client/registerCapability", agree, NULL);
  uvow_methods_add(methods, "window/workDoneProgress/create", agree, NULL);
  snprintf(
      vars, sizeof(vars),
      "{\"initialize\":{\"processId\":%d,\"rootUri\":null,\"capabilities\":"
      "{\"workspace\":{\"configuration\":true}}}}",
      (int)uv_os_getpid());
  editor->server =
      uvow_peer_new(it->loop,
                    uvow_channel_content_length(
                        uvow_process_stdio(editor->process), 64 << 20),
                    UVOW_WITH(peer, .protocol = uvow_protocol_by_name("lsp"),
                              .vars = vars, .methods = methods));
  uvow_methods_unref(methods);
  editor->found =
      uvow_peer_events(editor->server, "textDocument/publishDiagnostics");
}

static void open_document(editor_t *editor, const char *text) {
  assert_int_equal(uvow_peer_notifyf(editor->server, "textDocument/didOpen",
                                     "{s:{s:s, s:s, s:i, s:s}}", "textDocument",
                                     "uri", URI, "languageId", "python",
                                     "version", 1, "text", text),
                   0);
}

static void change_document(editor_t *editor, int version, const char *text) {
  assert_int_equal(uvow_peer_notifyf(editor->server, "textDocument/didChange",
                                     "{s:{s:s, s:i}, s:[{s:s}]}",
                                     "textDocument", "uri", URI, "version",
                                     version, "contentChanges", "text", text),
                   0);
}

/* What it has found in this version of the document. Borrowed. */
static json_t *found_in(editor_t *editor, int version) {
  for (;;) {
    answer_t *told = interop_next(editor->it, editor->found);
    interop_wait(told);
    assert_int_equal(told->code, 0);
    if (json_integer_value(json_object_get(told->json, "version")) == version)
      return json_object_get(told->json, "diagnostics");
  }
}

static void assert_finds(json_t *diagnostics, int line, const char *part) {
  assert_int_equal(json_array_size(diagnostics), 1);
  json_t *first = json_array_get(diagnostics, 0);
  json_t *range = json_object_get(first, "range");
  json_t *begin = json_object_get(range, "start");
  assert_int_equal(json_integer_value(json_object_get(begin, "line")), line);
  assert_non_null(
      strstr(json_string_value(json_object_get(first, "message")), part));
}

static answer_t *hover(editor_t *editor, int line, int character) {
  return interop_watch(
      editor->it,
      uvow_peer_requestf(editor->server, "textDocument/hover",
                         "{s:{s:s}, s:{s:i, s:i}}", "textDocument", "uri", URI,
                         "position", "line", line, "character", character));
}

/* As the protocol says: shutdown, exit; and it goes. */
static void stop(editor_t *editor) {
  interop_t *it = editor->it;
  answer_t *shutdown =
      interop_watch(it, uvow_peer_requestf(editor->server, "shutdown", NULL));
  interop_wait(shutdown);
  assert_int_equal(shutdown->code, 0);
  uvow_peer_notifyf(editor->server, "exit", NULL);
  answer_t *gone = interop_watch(it, uvow_process_exit(editor->process));
  interop_wait(gone);
  assert_int_equal(gone->code, 0);
  uvow_stream_unref(editor->found);
  uvow_peer_unref(editor->server);
  uvow_process_unref(editor->process);
  interop_finish(it);
}

static void a_document_is_checked(void **state) {
  editor_t editor = {0};
  start(&editor, (interop_t *)*state);
  open_document(&editor, "ok = 1\nx: int = 'n\xC3\xA9'\n");
  assert_finds(found_in(&editor, 1), 1, "\"int\"");
  assert_true(editor.asked > 0);
  change_document(&editor, 2, "ok = 1\nx: int = 2\n");
  assert_int_equal(json_array_size(found_in(&editor, 2)), 0);
  change_document(&editor, 3, "import no_such_module\n");
  assert_finds(found_in(&editor, 3), 0, "no_such_module");
  stop(&editor);
}

/* Many at once, some of which nobody wants any more. */
static void requests_are_answered_or_canceled(void **state) {
  enum { COUNT = 50 };
  editor_t editor = {0};
  answer_t *answers[COUNT];
  start(&editor, (interop_t *)*state);
  open_document(&editor, "value: int = 1\n");
  for (int i = 0; i < COUNT; i++) {
    answers[i] = hover(&editor, 0, i % 5);
    uvow_future_drop(uvow_peer_requestf(editor.server, "workspace/symbol",
                                        "{s:s}", "query", "value"));
  }
  for (int i = 0; i < COUNT; i++) {
    interop_wait(answers[i]);
    assert_int_equal(answers[i]->code, 0);
    char *text = json_dumps(answers[i]->json, 0);
    assert_non_null(strstr(text, "(variable) value: "));
    free(text);
  }
  answer_t *unknown = interop_watch(
      editor.it, uvow_peer_requestf(editor.server, "no/such", NULL));
  assert_rejected(unknown, UVOW_EREMOTE, UVOW_ANSWERED);
  assert_int_equal(uvow_error_peer_code(unknown->error), -32601);
  stop(&editor);
}

#define TEST(name)                                                             \
  cmocka_unit_test_setup_teardown(name, interop_setup, interop_teardown)

TEST_MODULE(pyright) {
  const struct CMUnitTest tests[] = {
      TEST(a_document_is_checked),
      TEST(requests_are_answered_or_canceled),
  };
  return cmocka_run_group_tests_name("interop/pyright", tests, NULL, NULL);
}
