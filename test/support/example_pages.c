/* A server of pages, for the script examples: whoever logs in may read them. It
 * prints its URL, and runs until it's terminated. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <uv.h>
#include <uvow.h>

#define TOKEN "t0k3n"
enum { REFUSED = 401, MISSING = 404 };

static const char *const pages[] = {"One.\n", "Two.\n", "Three.\n"};
enum { PAGES = sizeof(pages) / sizeof(*pages) };

static uvow_next_t refuse(uvow_loop_t *loop, int code, const char *text) {
  return uvow_next_error(uvow_error_new_peer(loop, code, text, NULL, 0));
}

static uvow_next_t login(uvow_call_t *call, const uvow_result_t *params,
                         void *data) {
  uvow_loop_t *loop = uvow_call_loop(call);
  const char *user, *password;
  (void)data;
  if (uvow_result_getf(params, "{s:s,s:s}", "user", &user, "password",
                       &password))
    return uvow_next_failed(loop);
  if (strcmp(user, "ann") || strcmp(password, "secret"))
    return refuse(loop, REFUSED, "wrong user or password");
  return uvow_next_jsonf(loop, "{s:s}", "token", TOKEN);
}

static uvow_next_t page(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  uvow_loop_t *loop = uvow_call_loop(call);
  const char *token;
  int number;
  (void)data;
  if (uvow_result_getf(params, "{s:s,s:i}", "token", &token, "number", &number))
    return uvow_next_failed(loop);
  if (strcmp(token, TOKEN))
    return refuse(loop, REFUSED, "log in first");
  if (number < 1 || number > PAGES)
    return refuse(loop, MISSING, "no such page");
  return uvow_next_jsonf(loop, "{s:s,s:i}", "text", pages[number - 1], "next",
                         number < PAGES ? number + 1 : 0);
}

int main(void) {
  uvow_peer_options_t options = {.size = sizeof(options)};
  signal(SIGPIPE, SIG_IGN);
  uvow_loop_t *loop = uvow_loop_new(uv_default_loop(), NULL);
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  options.methods = uvow_methods_new(loop);
  uvow_methods_add(options.methods, "login", login, NULL);
  uvow_methods_add(options.methods, "page", page, NULL);
  uvow_server_t *server =
      uvow_server_new(uvow_listener_new(loop, NULL), &options);
  uvow_methods_unref(options.methods);
  if (!server)
    return 1;
  printf("ws://127.0.0.1:%u/\n", (unsigned)uvow_server_port(server));
  fflush(stdout);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return 0;
}
