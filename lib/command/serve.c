/*
 * uvow serve: a server to measure, and to try calls with.
 *
 * The first SIGINT or SIGTERM closes it in order, the second at once.
 */
#include "commands.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <uv.h>

typedef struct serve {
  uvow_loop_t *loop;
  uvow_server_t *server;
  uv_signal_t signals[2];
  int closing;
} serve_t;

static uvow_next_t echo(const uvow_call_t *call, void *data) {
  (void)call;
  (void)data;
  return uvow_next_pass();
}

static uvow_next_t refuse(const uvow_call_t *call, const char *why) {
  return uvow_next_error(
      uvow_error_new_peer(uvow_call_loop(call), -32602, why, NULL, 0));
}

/* An answer that is an integer as long as everything added is. */
static uvow_next_t add(const uvow_call_t *call, void *data) {
  json_t *params = uvow_call_json(call);
  json_t *numbers[2] = {json_object_get(params, "a"),
                        json_object_get(params, "b")};
  size_t count = json_is_array(params) ? json_array_size(params) : 2;
  json_int_t whole = 0;
  double sum = 0;
  int is_whole = 1;
  (void)data;
  for (size_t i = 0; i < count; i++) {
    json_t *at = json_is_array(params) ? json_array_get(params, i) : numbers[i];
    if (!json_is_number(at))
      return refuse(call, "add wants {\"a\":1,\"b\":2} or [1,2,...]");
    is_whole = is_whole && json_is_integer(at);
    sum += json_number_value(at);
    if (is_whole && sum > -9e15 && sum < 9e15)
      whole += json_integer_value(at);
    else
      is_whole = 0;
  }
  return uvow_next_value(is_whole ? uvow_value_int64(whole)
                                  : uvow_value_double(sum));
}

static uvow_next_t sleep_ms(const uvow_call_t *call, void *data) {
  json_t *params = uvow_call_json(call);
  json_t *ms = json_is_array(params) ? json_array_get(params, 0)
                                     : json_object_get(params, "ms");
  (void)data;
  if (!json_is_integer(ms) || json_integer_value(ms) < 0)
    return refuse(call, "sleep wants {\"ms\":N} or [N]");
  return uvow_next_future(uvow_future_delay(uvow_call_loop(call),
                                            (uint64_t)json_integer_value(ms)));
}

static uvow_next_t fail(const uvow_call_t *call, void *data) {
  json_t *params = uvow_call_json(call);
  json_t *code = json_object_get(params, "code");
  const char *message = json_string_value(json_object_get(params, "message"));
  json_t *extra = json_object_get(params, "data");
  char text[512];
  size_t len = extra ? json_dumpb(extra, text, sizeof(text),
                                  JSON_ENCODE_ANY | JSON_COMPACT)
                     : 0;
  (void)data;
  if (len > sizeof(text))
    return refuse(call, "error wants less data");
  return uvow_next_error(uvow_error_new_peer(
      uvow_call_loop(call), code ? json_integer_value(code) : -32000,
      message ? message : "you asked for an error", len ? text : NULL, len));
}

static void end(serve_t *serve) {
  uvow_server_free(serve->server);
  serve->server = NULL;
  for (size_t i = 0; i < 2; i++)
    if (!uv_is_closing((uv_handle_t *)&serve->signals[i]))
      uv_close((uv_handle_t *)&serve->signals[i], NULL);
  uvow_loop_t *loop = serve->loop;
  serve->loop = NULL; /* closing settles on_closed, which comes back here */
  if (loop)
    uvow_loop_close(loop, NULL, NULL);
}

static void on_closed(const uvow_result_t *result, void *data) {
  (void)result;
  end((serve_t *)data);
}

static void on_signal(uv_signal_t *handle, int number) {
  serve_t *serve = (serve_t *)handle->data;
  (void)number;
  if (serve->closing++ == 0 &&
      uvow_future_done(uvow_server_close(serve->server), on_closed, serve) == 0)
    return;
  end(serve);
}

static int add_methods(uvow_server_t *server) {
  int rc = uvow_server_method(server, "echo", echo, NULL, NULL);
  if (rc == 0)
    rc = uvow_server_method(server, "add", add, NULL, NULL);
  if (rc == 0)
    rc = uvow_server_method(server, "sleep", sleep_ms, NULL, NULL);
  if (rc == 0)
    rc = uvow_server_method(server, "error", fail, NULL, NULL);
  return rc;
}

static void cant_listen(const uvow_server_options_t *options, int rc) {
  if (options->socket_path)
    fprintf(stderr, "uvow: can't listen on %s: %s\n", options->socket_path,
            uvow_strerror(rc));
  else
    fprintf(stderr, "uvow: can't listen on %s port %u: %s\n", options->host,
            (unsigned)options->port, uvow_strerror(rc));
}

/* Escaped, for a URL. */
static void put_path(const char *path) {
  for (; *path; path++)
    printf(isalnum((unsigned char)*path) || strchr("/-._~", *path) ? "%c"
                                                                   : "%%%02X",
           (unsigned char)*path);
}

/* A URL that a client can take as it is. */
static void print_url(const serve_t *serve, const args_t *args,
                      const uvow_server_options_t *options) {
  const char *path = options->socket_path;
  char cwd[4096];
  size_t size = sizeof(cwd);
  if (!path) {
    int is_v6 = strchr(options->host, ':') != NULL;
    printf("listening on %s://%s%s%s:%u/\n", args->cert ? "wss" : "ws",
           is_v6 ? "[" : "", options->host, is_v6 ? "]" : "",
           (unsigned)uvow_server_port(serve->server));
    return;
  }
  printf("listening on ws+unix://");
  if (*path != '/' && uv_cwd(cwd, &size) == 0) {
    put_path(cwd);
    putchar('/');
  }
  put_path(path);
  putchar('\n');
}

static int start(serve_t *serve, const args_t *args) {
  uvow_server_options_t options = {.size = sizeof(options)};
  args_to_server(args, &options);
  options.max_calls = (size_t)1 << 24; /* it's here to be measured */
  options.max_call_bytes = SIZE_MAX;
  options.max_unsent_bytes = (size_t)1 << 30;
  int rc = args_to_tls(args, serve->loop, &options.tls);
  if (rc)
    return rc;
  rc = uvow_server_new(serve->loop, &options, &serve->server);
  uvow_tls_unref(options.tls);
  if (rc == 0)
    rc = add_methods(serve->server);
  if (rc) {
    cant_listen(&options, rc);
    return rc;
  }
  print_url(serve, args, &options);
  return fflush(stdout) ? UV_EIO : 0;
}

int serve_main(const args_t *args) {
  static const int numbers[2] = {SIGINT, SIGTERM};
  serve_t serve = {0};
  uv_loop_t uv;
  int rc = uv_loop_init(&uv);
  if (rc == 0)
    rc = uvow_loop_new(&uv, NULL, &serve.loop);
  if (rc) {
    fprintf(stderr, "uvow: %s\n", uvow_strerror(rc));
    return EXIT_NOT_SENT;
  }
  for (size_t i = 0; i < 2; i++) {
    uv_signal_init(&uv, &serve.signals[i]);
    serve.signals[i].data = &serve;
    uv_signal_start(&serve.signals[i], on_signal, numbers[i]);
  }
  rc = start(&serve, args);
  if (rc)
    end(&serve);
  uv_run(&uv, UV_RUN_DEFAULT);
  uv_loop_close(&uv);
  return rc ? EXIT_NOT_SENT : EXIT_OK;
}
