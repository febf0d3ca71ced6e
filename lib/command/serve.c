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

#include <uv.h>
#include <uvow/uv.h>

#include "line.h"
#include "methods.h"

#define LINE_MAX_BYTES ((size_t)16 << 20)

typedef struct serve {
  uvow_loop_t *loop;
  uvow_server_t *server;
  uv_signal_t signals[2];
  int closing;
} serve_t;

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

/* --publish: an event for all, by each line of stdin. */
static uvow_next_t on_line(const uvow_result_t *item, void *data) {
  serve_t *serve = (serve_t *)data;
  uvow_slice_t text = uvow_result_bytes(item);
  line_t line;
  if (line_read(&line, text.bytes, text.len))
    return uvow_next_code(UVOW_ENOMEM, NULL);
  uvow_slice_t params = {line.params, line.params_len};
  const char *wrong = *line.error ? line.error : NULL;
  if (line.method && !wrong && serve->server) {
    int rc = uvow_group_notify(uvow_server_peers(serve->server), line.method,
                               uvow_value_slice(&params));
    wrong = rc ? uvow_strerror(rc) : NULL;
  }
  if (wrong)
    fprintf(stderr, "uvow: %s: not published: %s\n", line.method, wrong);
  line_done(&line);
  return uvow_next_pass();
}

static void publish_stdin(serve_t *serve) {
  uvow_stream_t *lines =
      uvow_stream_lines(uvow_stdin(serve->loop), LINE_MAX_BYTES);
  uvow_future_detach(uvow_stream_each(lines, on_line, serve));
}

static void cant_listen(const uvow_listener_options_t *options, int rc) {
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
                      const uvow_listener_options_t *options) {
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
  uvow_listener_options_t listener = {.size = sizeof(listener)};
  uvow_peer_options_t peer = {.size = sizeof(peer)};
  args_to_server(args, &listener, &peer);
  peer.max_calls = (size_t)1 << 24; /* it's here to be measured */
  peer.max_call_bytes = SIZE_MAX;
  listener.max_unsent_bytes = (size_t)1 << 30;
  int rc = args_to_tls(args, serve->loop, &listener.tls);
  if (rc)
    return rc;
  peer.methods = uvow_methods_new(serve->loop);
  rc = methods_add(peer.methods, &serve->server);
  if (rc == 0)
    serve->server =
        uvow_server_new(uvow_listener_new(serve->loop, &listener), &peer);
  if (rc == 0 && !serve->server)
    rc = uvow_error_code(uvow_loop_error(serve->loop));
  uvow_methods_unref(peer.methods);
  uvow_tls_unref(listener.tls);
  if (rc) {
    cant_listen(&listener, rc);
    return rc;
  }
  print_url(serve, args, &listener);
  if (args->publish)
    publish_stdin(serve);
  return fflush(stdout) ? UV_EIO : 0;
}

int serve_main(const args_t *args) {
  static const int numbers[2] = {SIGINT, SIGTERM};
  serve_t serve = {0};
  uv_loop_t uv;
  int rc = uv_loop_init(&uv);
  if (rc == 0) {
    serve.loop = uvow_loop_new(&uv, NULL);
    rc = serve.loop ? 0 : UVOW_ENOMEM;
  }
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
