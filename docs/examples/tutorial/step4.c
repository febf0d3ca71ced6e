/* The tutorial, step 4: many at once, but not too many. */
#include <signal.h>
#include <stdio.h>

#include <uv.h>
#include <uvow.h>

typedef struct app {
  uvow_loop_t *loop;
  uvow_server_t *server;
  uvow_peer_t *client;
  int guests;
} app_t;

static uvow_next_t sign(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  app_t *app = data;
  uvow_loop_t *loop = uvow_call_loop(call);
  const char *name;
  if (uvow_result_get_text(params, "/name", &name))
    return uvow_next_error(
        uvow_error_new_peer(loop, 400, "what is your name?", NULL, 0));
  app->guests++;
  return uvow_next_jsonf(loop, "{s:s,s:i}", "name", name, "number",
                         app->guests);
}

static int start(app_t *app, uv_loop_t *uv) {
  char url[64];
  const uvow_protocol_t *jsonrpc2 = uvow_protocol_by_name("jsonrpc2");
  app->loop = uvow_loop_new(uv, NULL);
  uvow_methods_t *methods = uvow_methods_new(app->loop);
  uvow_methods_add(methods, "sign", sign, app);
  app->server = uvow_server_new(
      uvow_listener_new(app->loop, NULL),
      UVOW_WITH(peer, .protocol = jsonrpc2, .methods = methods));
  uvow_methods_unref(methods);
  if (!app->server)
    return uvow_error_code(uvow_loop_error(app->loop));
  snprintf(url, sizeof(url), "ws://127.0.0.1:%u/",
           (unsigned)uvow_server_port(app->server));
  app->client =
      uvow_peer_connect(app->loop, url, UVOW_WITH(peer, .protocol = jsonrpc2));
  return app->client ? 0 : UVOW_ENOMEM;
}

static void end(app_t *app) {
  uvow_peer_unref(app->client);
  uvow_server_free(app->server);
  uvow_loop_close(app->loop, NULL, NULL);
}

/* [many] */
static const char *const names[] = {"Ada", "Grace", "Joan", "Mary", "Radia"};

#define COUNT (sizeof(names) / sizeof(*names))

static uvow_future_t *sign_one(size_t i, void *data) {
  app_t *app = data;
  return uvow_peer_requestf(app->client, "sign", "{s:s}", "name", names[i]);
}

static void all_signed(const uvow_result_t *result, void *data) {
  app_t *app = data;
  const uvow_results_t *results;
  uvow_result_t one;
  if (result->error)
    printf("not all of them: %s\n", uvow_error_message(result->error));
  else if (uvow_value_get_results(&result->value, &results) == 0)
    for (size_t i = 0; uvow_results_get(results, i, &one) == 0; i++) {
      int64_t number = 0;
      uvow_result_get_int64(&one, "/number", &number);
      printf("%s is guest %d\n", names[i], (int)number);
    }
  end(app);
}

static int ask(app_t *app) {
  uvow_future_t *f = uvow_future_map(app->loop, COUNT, 2, sign_one, app);
  f = uvow_future_timeout(f, 5000); /* ms, for all of them */
  return uvow_future_done(f, all_signed, app);
}
/* [many] */

int main(void) {
  app_t app = {0};
  uv_loop_t uv;
  if (uv_loop_init(&uv))
    return 1;
  signal(SIGPIPE, SIG_IGN); /* as every libuv program that writes to sockets */
  int rc = start(&app, &uv);
  if (rc) {
    fprintf(stderr, "%s\n", uvow_strerror(rc));
    return 1;
  }
  ask(&app);
  uv_run(&uv, UV_RUN_DEFAULT);
  return uv_loop_close(&uv) ? 1 : 0;
}
