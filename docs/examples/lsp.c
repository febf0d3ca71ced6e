/* A client of a language server, over its stdin and stdout: opens a document,
 * shows its diagnostics. Run as: lsp pyright-langserver --stdio */
#include <stdio.h>

#include <uvow.h>
#include <uvow/fiber.h>
#include <uvow/uv.h>

/* The server asks, too: an answer for each of the items in params. */
static uvow_next_t configuration(uvow_call_t *call, const uvow_result_t *params,
                                 void *data) {
  (void)params, (void)data;
  return uvow_next_jsonf(uvow_call_loop(call), "[{s:s}]", "pythonVersion",
                         "3.11");
}

static void show(const uvow_result_t *params) {
  uvow_json_walk_t walk = uvow_result_walk(params, "/diagnostics");
  uvow_result_t item;
  const char *uri = "", *text;
  int64_t line;
  uvow_result_get_text(params, "/uri", &uri);
  while (uvow_json_walk_next(&walk, &item))
    if (uvow_result_getf(&item, "{s:{s:{s:I}},s:s}", "range", "start", "line",
                         &line, "message", &text) == 0)
      printf("%s:%d: %s\n", uri, (int)line + 1, text);
}

/* [talk] */
static int talk(uvow_peer_t *lsp) {
  uvow_result_t r;
  uvow_future_t *told = uvow_stream_first(
      uvow_peer_events(lsp, "textDocument/publishDiagnostics"));
  uvow_peer_notifyf(lsp, "textDocument/didOpen", "{s:{s:s,s:s,s:i,s:s}}",
                    "textDocument", "uri", "file:///project/a.py", "languageId",
                    "python", "version", 1, "text", "x: int = 'no'\n");
  int rc = uvow_await(told, &r);
  if (rc == 0)
    show(&r);
  uvow_await(uvow_peer_requestf(lsp, "shutdown", NULL), NULL);
  uvow_peer_notifyf(lsp, "exit", NULL);
  uvow_await(uvow_peer_close(lsp), NULL);
  return rc;
}
/* [talk] */

/* [start] */
static const char initialize[] =
    "{\"initialize\": {\"processId\": null, \"rootUri\": null,"
    " \"capabilities\": {}}}";

static uvow_next_t run(uvow_loop_t *loop, void *args) {
  uvow_process_t *child =
      uvow_spawn(loop, UVOW_WITH(process, .args = (const char *const *)args,
                                 .pipes = UVOW_STDIN | UVOW_STDOUT));
  uvow_methods_t *methods = uvow_methods_new(loop);
  if (!child ||
      uvow_methods_add(methods, "workspace/configuration", configuration, NULL))
    return uvow_next_failed(loop);
  uvow_peer_t *lsp = uvow_peer_new(
      loop, uvow_channel_content_length(uvow_process_stdio(child), 64 << 20),
      UVOW_WITH(peer, .protocol = uvow_protocol_by_name("lsp"),
                .vars = initialize, .methods = methods));
  int rc = talk(lsp);
  uvow_await(uvow_process_close(child), NULL); /* if it hasn't gone */
  uvow_peer_unref(lsp);
  uvow_methods_unref(methods);
  uvow_process_unref(child);
  return rc ? uvow_next_code(rc, NULL) : uvow_next_none();
}
/* [start] */

int main(int argc, char **argv) {
  return argc > 1 ? uvow_fiber_main(run, argv + 1) : 2;
}
