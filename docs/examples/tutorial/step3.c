/* The tutorial, step 3: one after the other, and errors. */
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

/* [chain] */
static uvow_next_t then_grace(const uvow_result_t *result, void *data) {
  app_t *app = data;
  int64_t number;
  if (uvow_result_get_int64(result, "/number", &number))
    return uvow_next_failed(app->loop); /* it wasn't what we expected */
  printf("Ada is guest %d\n", (int)number);
  return uvow_next_future(
      uvow_peer_requestf(app->client, "sign", "{s:s}", "name", "Grace"));
}

static uvow_next_t then_nobody(const uvow_result_t *result, void *data) {
  app_t *app = data;
  int64_t number = 0;
  uvow_result_get_int64(result, "/number", &number);
  printf("Grace is guest %d\n", (int)number);
  return uvow_next_future(
      uvow_peer_request(app->client, "sign", uvow_value_none()));
}

static uvow_next_t on_error(const uvow_result_t *result, void *data) {
  (void)data;
  printf("the server says %d: %s\n", (int)uvow_error_peer_code(result->error),
         uvow_error_message(result->error));
  return uvow_next_none(); /* dealt with */
}

static void finished(const uvow_result_t *result, void *data) {
  (void)result;
  end(data);
}

static int ask(app_t *app) {
  uvow_future_t *f;
  f = uvow_peer_requestf(app->client, "sign", "{s:s}", "name", "Ada");
  f = uvow_future_then(f, then_grace, app);
  f = uvow_future_then(f, then_nobody, app);
  f = uvow_future_catch(f, on_error, app); /* of any of them */
  return uvow_future_done(f, finished, app);
}
/* [chain] */

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
