/* The server in its own process: its memory and its files are not the
 * client's. */
#include "load.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct service {
  load_app_t app;
  uvow_promise_t **held;
  size_t count;
  size_t cap;
} service_t;

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static int make_room(service_t *service) {
  if (service->count < service->cap)
    return 0;
  size_t cap = service->cap ? service->cap * 2 : 1024;
  uvow_promise_t **held =
      (uvow_promise_t **)realloc(service->held, cap * sizeof(*held));
  if (!held)
    return UVOW_ENOMEM;
  service->held = held;
  service->cap = cap;
  return 0;
}

static uvow_next_t hold(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  service_t *service = (service_t *)data;
  uvow_promise_t *promise;
  (void)params;
  if (make_room(service))
    return uvow_next_code(UVOW_ENOMEM, NULL);
  uvow_future_t *f = uvow_promise_new(uvow_call_loop(call), &promise);
  if (!f)
    return uvow_next_code(UVOW_ENOMEM, NULL);
  service->held[service->count++] = promise;
  return uvow_next_future(f);
}

static uvow_next_t held(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  return uvow_next_value(uvow_value_int64((int64_t)((service_t *)data)->count));
}

static uvow_next_t release(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  service_t *service = (service_t *)data;
  size_t count = service->count;
  (void)call;
  (void)params;
  service->count = 0;
  for (size_t i = 0; i < count; i++)
    uvow_promise_fulfill(service->held[i], uvow_value_int64(1));
  return uvow_next_none();
}

static uvow_next_t memory(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  (void)call;
  (void)params;
  return uvow_next_value(
      uvow_value_int64((int64_t)((service_t *)data)->app.memory.bytes));
}

size_t load_raise_files(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit))
    return 0;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit); /* as far as it goes */
  return getrlimit(RLIMIT_NOFILE, &limit) ? 0 : (size_t)limit.rlim_cur;
}

static void serve(int out) {
  static const struct {
    const char *name;
    uvow_method_cb cb;
  } methods[] = {{"echo", echo},
                 {"hold", hold},
                 {"held", held},
                 {"release", release},
                 {"memory", memory}};
  static service_t service;
  uvow_listener_options_t listener = {.size = sizeof(listener)};
  uvow_peer_options_t options = {.size = sizeof(options)};
  uvow_server_t *server;
  load_raise_files();
  load_app_init(&service.app);
  options.protocol = uvow_protocol_by_name("jsonrpc2");
  listener.max_peers = SIZE_MAX;
  options.max_calls = SIZE_MAX;
  options.max_call_bytes = SIZE_MAX;
  listener.max_unsent_bytes = (size_t)1 << 30;
  options.methods = uvow_methods_new(service.app.loop);
  for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
    load_must(uvow_methods_add(options.methods, methods[i].name, methods[i].cb,
                               &service),
              "method");
  server =
      uvow_server_new(uvow_listener_new(service.app.loop, &listener), &options);
  load_must(server ? 0 : UVOW_ENOMEM, "server");
  uvow_methods_unref(options.methods);
  unsigned port = uvow_server_port(server);
  if (write(out, &port, sizeof(port)) != (ssize_t)sizeof(port))
    exit(1);
  uv_run(&service.app.uv, UV_RUN_DEFAULT);
  exit(0);
}

void load_peer_start(load_peer_t *peer) {
  int ends[2];
  fflush(stdout);
  load_must(pipe(ends) ? UVOW_ENOMEM : 0, "pipe");
  peer->pid = (int)fork();
  load_must(peer->pid < 0 ? UVOW_ENOMEM : 0, "fork");
  if (peer->pid == 0) {
    close(ends[0]);
    serve(ends[1]);
  }
  close(ends[1]);
  int rc = read(ends[0], &peer->port, sizeof(peer->port)) ==
                   (ssize_t)sizeof(peer->port)
               ? 0
               : UVOW_ELOST;
  close(ends[0]);
  load_must(rc, "the server's port");
}

void load_peer_stop(load_peer_t *peer) {
  kill(peer->pid, SIGKILL);
  waitpid(peer->pid, NULL, 0);
}
