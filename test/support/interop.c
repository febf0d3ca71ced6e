#include "interop.h"

#include <signal.h>
#include <stdio.h>

/* The program. */

/* Something has happened that may be waited for: the loop must not go on to
 * wait for something else, as UV_RUN_ONCE does behind a timer. */
static void happened(interop_t *it) {
  uv_stop(&it->uv);
}

static void on_line(const char *line, void *data) {
  interop_t *it = (interop_t *)data;
  size_t len = strlen(line);
  char *log = (char *)realloc(it->log, it->log_len + len + 2);
  assert_non_null(log);
  memcpy(log + it->log_len, line, len);
  it->log = log;
  it->log_len += len + 1;
  log[it->log_len - 1] = '\n';
  log[it->log_len] = '\0';
  happened(it);
}

int interop_free_port(interop_t *it) {
  uv_tcp_t tcp;
  struct sockaddr_in address;
  int len = sizeof(address);
  assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
  assert_int_equal(uv_tcp_init(&it->uv, &tcp), 0);
  assert_int_equal(uv_tcp_bind(&tcp, (struct sockaddr *)&address, 0), 0);
  assert_int_equal(uv_tcp_getsockname(&tcp, (struct sockaddr *)&address, &len),
                   0);
  uv_close((uv_handle_t *)&tcp, NULL);
  uv_run(&it->uv, UV_RUN_NOWAIT);
  return ntohs(address.sin_port);
}

const folder_t *interop_folder(interop_t *it) {
  if (!it->folder.path[0]) {
    folder_make(&it->folder);
    assert_int_equal(uv_os_setenv("HOME", it->folder.path), 0);
  }
  return &it->folder;
}

uvow_protocol_t *interop_described(const char *name) {
  const char *root = getenv("TEST_ROOT");
  char path[1024];
  char text[8192];
  uvow_error_t *error = NULL;
  snprintf(path, sizeof(path), "%s/docs/examples/protocols/%s.json",
           root ? root : ".", name);
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  size_t len = fread(text, 1, sizeof(text), file);
  fclose(file);
  uvow_protocol_t *protocol = uvow_protocol_parse(text, len, &error);
  if (!protocol)
    fail_msg("%s: %s", name, uvow_error_message(error));
  return protocol;
}

void interop_run(interop_t *it, const char *const *args) {
  interop_run_with(it, args, NULL);
}

void interop_run_with(interop_t *it, const char *const *args,
                      uv_tcp_t *socket) {
  free(it->log);
  it->log = NULL;
  it->log_len = 0;
  process_start_with(&it->process, &it->uv, args, socket, on_line, it);
}

void interop_need(const char *program) {
  const char *folders = getenv("PATH");
  char path[1024];
  uv_fs_t req;
  int rc = UV_ENOENT;
  while (rc && folders && *folders) {
    size_t len = strcspn(folders, ":");
    snprintf(path, sizeof(path), "%.*s/%s", (int)len, folders, program);
    rc = uv_fs_stat(NULL, &req, path, NULL);
    uv_fs_req_cleanup(&req);
    folders += len + (folders[len] == ':');
  }
  if (rc)
    process_skip(program);
}

void interop_need_npm(void) {
  const char *folders = getenv("TEST_NPM");
  if (!folders || !*folders)
    process_skip("npm's packages (TEST_NPM)");
  interop_need("node");
}

void interop_run_npm(interop_t *it, const char *script, const char *first,
                     const char *second) {
  char path[1024];
  const char *args[] = {"node", process_script(script, path, sizeof(path)),
                        first, second, NULL};
  interop_need_npm();
  interop_run(it, args);
  interop_check_script(it);
}

const char *interop_npm_path(const char *name, char *path, size_t size) {
  const char *folders = getenv("TEST_NPM");
  uv_fs_t req;
  int rc = UV_ENOENT;
  while (rc && folders && *folders) {
    size_t len = strcspn(folders, ":");
    snprintf(path, size, "%.*s/%s", (int)len, folders, name);
    rc = uv_fs_stat(NULL, &req, path, NULL);
    uv_fs_req_cleanup(&req);
    folders += len + (folders[len] == ':');
  }
  if (rc)
    process_skip(name);
  return path;
}

char *interop_npm_file(const char *name, size_t *len) {
  char path[1024];
  FILE *file = fopen(interop_npm_path(name, path, sizeof(path)), "rb");
  assert_non_null(file);
  assert_int_equal(fseek(file, 0, SEEK_END), 0);
  long size = ftell(file);
  rewind(file);
  assert_true(size > 0);
  char *text = (char *)malloc((size_t)size);
  assert_non_null(text);
  *len = fread(text, 1, (size_t)size, file);
  assert_int_equal(*len, size);
  fclose(file);
  return text;
}

void interop_listening(interop_t *it, const char *path, char *url,
                       size_t size) {
  char *port = interop_expect_line(it, "listening ");
  (void)snprintf(url, size, "ws://127.0.0.1:%s%s", port, path);
  free(port);
}

static char *copy(const char *bytes, size_t len) {
  char *text = (char *)malloc(len + 1);
  assert_non_null(text);
  if (len)
    memcpy(text, bytes, len);
  text[len] = '\0';
  return text;
}

/* What is behind this text, in the first line that has it. */
static char *find_line(const interop_t *it, const char *text) {
  const char *found = it->log ? strstr(it->log, text) : NULL;
  if (!found)
    return NULL;
  found += strlen(text);
  return copy(found, strcspn(found, "\n"));
}

char *interop_line(interop_t *it, const char *text) {
  char *found = find_line(it, text);
  while (!found && it->process.handles) {
    uv_run(&it->uv, UV_RUN_ONCE);
    found = find_line(it, text);
  }
  return found;
}

char *interop_expect_line(interop_t *it, const char *text) {
  char *found = interop_line(it, text);
  if (!found)
    fail_msg("no line \"%s\"; the program said:\n%s", text,
             it->log ? it->log : "nothing");
  return found;
}

void interop_check_script(interop_t *it) {
  while (!it->log && it->process.handles)
    uv_run(&it->uv, UV_RUN_ONCE);
  char *missing = find_line(it, "missing ");
  if (!missing)
    return;
  char name[64];
  (void)snprintf(name, sizeof(name), "%s", missing);
  free(missing);
  process_skip(name);
}

/* What is heard. */

static heard_t *hear(interop_t *it, const char *bytes, size_t len) {
  heard_t *heard = (heard_t *)calloc(1, sizeof(*heard));
  assert_non_null(heard);
  heard->text = copy(bytes, len);
  heard->turn = it->settled;
  heard->next = it->heard;
  it->heard = heard;
  it->heard_count++;
  happened(it);
  return heard;
}

static uvow_next_t on_event(uvow_call_t *call, const uvow_result_t *params,
                            void *data) {
  const char *name = uvow_call_method(call);
  uvow_slice_t got = uvow_result_bytes(params);
  if (!uvow_call_wants_answer(call)) {
    heard_t *heard = hear((interop_t *)data, got.bytes, got.len);
    heard->name = copy(name, strlen(name));
  }
  return test_event_end(call);
}

static int on_stray(uvow_peer_t *peer, uvow_stray_t stray, uvow_slice_t message,
                    const uvow_error_t *error, void *data) {
  heard_t *heard = hear((interop_t *)data, message.bytes, message.len);
  (void)peer;
  (void)error;
  heard->stray = stray;
  return 0;
}

size_t interop_count(const interop_t *it, uvow_stray_t stray) {
  size_t count = 0;
  for (const heard_t *at = it->heard; at; at = at->next)
    count += at->stray == stray;
  return count;
}

const heard_t *interop_event(const interop_t *it, const char *name) {
  const heard_t *found = NULL;
  for (const heard_t *at = it->heard; at; at = at->next)
    if (at->name && strcmp(at->name, name) == 0)
      found = at;
  return found;
}

/* The client. */

test_connect_t interop_options(interop_t *it, const char *url,
                               const uvow_protocol_t *protocol) {
  test_connect_t options = test_connect_options(protocol);
  options.url = url;
  options.on_event = on_event;
  options.peer.on_stray = on_stray;
  options.peer.data = it;
  options.peer.timeout_ms = UVOW_NO_TIMEOUT; /* the runner has one */
  options.peer.opening_timeout_ms = UVOW_NO_TIMEOUT;
  return options;
}

void interop_connect_with(interop_t *it, const test_connect_t *options) {
  assert_int_equal(test_connect(it->loop, options, &it->client), 0);
}

void interop_connect(interop_t *it, const char *url,
                     const uvow_protocol_t *protocol) {
  test_connect_t options = interop_options(it, url, protocol);
  interop_connect_with(it, &options);
}

uvow_next_t interop_renew(uvow_peer_t *peer, uint32_t attempt, void *data) {
  interop_t *it = (interop_t *)data;
  (void)peer;
  (void)attempt;
  if (!it->is_down)
    return uvow_next_none();
  return uvow_next_future(uvow_promise_new(it->loop, &it->waiting));
}

void interop_connect_again(interop_t *it, const char *url,
                           const uvow_protocol_t *protocol) {
  test_connect_t options = interop_options(it, url, protocol);
  uvow_reconnect_options_t reconnect = {0};
  reconnect.size = sizeof(reconnect);
  reconnect.base_ms = 1;
  options.peer.reconnect = &reconnect;
  options.peer.renew = interop_renew;
  interop_connect_with(it, &options);
}

void interop_down(interop_t *it) {
  it->is_down = 1;
  process_kill(&it->process);
}

void interop_up(interop_t *it, const char *url) {
  uvow_promise_t *waiting = it->waiting;
  it->is_down = 0;
  it->waiting = NULL;
  assert_int_equal(uvow_peer_set_target(it->client, url, NULL, 0), 0);
  if (waiting)
    uvow_promise_fulfill(waiting, uvow_value_none());
}

static void on_settled(const uvow_result_t *result, void *data) {
  answer_t *answer = (answer_t *)data;
  if (answer->calls++)
    return;
  answer->turn = ++answer->it->settled;
  answer->error = uvow_error_ref(result->error);
  answer->code = uvow_error_code(result->error);
  answer->json = json_incref(uvow_result_json(result));
  answer->missed = uvow_result_missed(result);
  answer->is_end = uvow_result_is_end(result);
  happened(answer->it);
  if (answer->then)
    answer->then(answer);
}

answer_t *interop_watch(interop_t *it, uvow_future_t *f) {
  answer_t *answer = (answer_t *)calloc(1, sizeof(*answer));
  assert_non_null(answer);
  answer->it = it;
  answer->next = it->answers;
  it->answers = answer;
  assert_non_null(f);
  assert_int_equal(uvow_future_done(f, on_settled, answer), 0);
  return answer;
}

answer_t *interop_ask_with(interop_t *it, const char *method, json_t *params,
                           const uvow_request_options_t *options) {
  return interop_watch(it, uvow_peer_request_with(it->client, method,
                                                  uvow_value_json(params),
                                                  options));
}

answer_t *interop_ask(interop_t *it, const char *method, json_t *params) {
  return interop_ask_with(it, method, params, NULL);
}

answer_t *interop_next(interop_t *it, uvow_stream_t *stream) {
  return interop_watch(it, uvow_stream_next(stream));
}

/* One turn of the loop; 0: it has nothing to wait for any more. */
static int turn(interop_t *it) {
  return uv_run(&it->uv, UV_RUN_ONCE) != 0;
}

static void fail_idle(interop_t *it) {
  fail_msg("nothing is left to wait for; the program said:\n%s",
           it->log ? it->log : "nothing");
}

void interop_wait(answer_t *answer) {
  int busy = 1;
  while (!answer->calls && busy)
    busy = turn(answer->it);
  if (!answer->calls)
    fail_idle(answer->it);
}

void interop_wait_all(interop_t *it) {
  for (answer_t *at = it->answers; at; at = at->next)
    interop_wait(at);
}

void interop_wait_heard(interop_t *it, size_t count) {
  int busy = 1;
  while (it->heard_count < count && busy)
    busy = turn(it);
  if (it->heard_count < count)
    fail_idle(it);
}

uvow_peer_stats_t interop_stats(const interop_t *it) {
  uvow_peer_stats_t stats;
  stats.size = sizeof(stats);
  assert_int_equal(uvow_peer_get_stats(it->client, &stats), 0);
  assert_int_equal(stats.pending, 0);
  assert_int_equal(stats.queued, 0);
  assert_int_equal(stats.requests, stats.answered + stats.timed_out +
                                       stats.canceled + stats.failed);
  assert_int_equal(stats.late, interop_count(it, UVOW_STRAY_LATE));
  assert_int_equal(stats.duplicate, interop_count(it, UVOW_STRAY_DUPLICATE));
  assert_int_equal(stats.unknown, interop_count(it, UVOW_STRAY_UNKNOWN));
  assert_int_equal(stats.malformed, interop_count(it, UVOW_STRAY_MALFORMED) +
                                        interop_count(it, UVOW_STRAY_FAULT));
  assert_int_equal(stats.events, interop_count(it, (uvow_stray_t)0));
  return stats;
}

/* Begin and end. */

int interop_setup(void **state) {
#ifdef SIGPIPE
  /* libuv's writes raise it: every program on libuv ignores it. */
  signal(SIGPIPE, SIG_IGN);
#endif
  interop_t *it = (interop_t *)calloc(1, sizeof(*it));
  if (!it || uv_loop_init(&it->uv))
    return -1;
  it->loop = uvow_loop_new(&it->uv, NULL);
  if (!it->loop)
    return -1;
  *state = it;
  return 0;
}

/* Closes all that there is; the answers stay. Returns uv_loop_close's. */
static int close_all(interop_t *it) {
  it->finished = 1;
  uvow_peer_unref(it->client);
  uvow_promise_drop(it->waiting);
  uvow_loop_close(it->loop, NULL, NULL);
  process_kill(&it->process);
  while (uv_run(&it->uv, UV_RUN_DEFAULT))
    ;
  return uv_loop_close(&it->uv);
}

void interop_finish(interop_t *it) {
  assert_int_equal(close_all(it), 0);
  for (answer_t *at = it->answers; at; at = at->next)
    assert_int_equal(at->calls, 1);
}

int interop_teardown(void **state) {
  interop_t *it = (interop_t *)*state;
  int rc = it->finished ? 0 : close_all(it);
  while (it->answers) {
    answer_t *answer = it->answers;
    it->answers = answer->next;
    uvow_error_unref(answer->error);
    json_decref(answer->json);
    free(answer);
  }
  while (it->heard) {
    heard_t *heard = it->heard;
    it->heard = heard->next;
    free(heard->name);
    free(heard->text);
    free(heard);
  }
  if (it->folder.path[0])
    folder_remove(&it->folder);
  free(it->log);
  free(it);
  return rc;
}

/* Assertions. */

void interop_assert_text(answer_t *answer, const char *text, const char *file,
                         int line) {
  interop_wait(answer);
  if (answer->error)
    print_error("rejected: %s\n", uvow_error_message(answer->error));
  _assert_int_equal((uintmax_t)answer->code, 0, file, line);
  _assert_true(json_is_string(answer->json), "a string", file, line);
  _assert_string_equal(json_string_value(answer->json), text, file, line);
}

void interop_assert_number(answer_t *answer, json_int_t number,
                           const char *file, int line) {
  interop_wait(answer);
  if (answer->error)
    print_error("rejected: %s\n", uvow_error_message(answer->error));
  _assert_int_equal((uintmax_t)answer->code, 0, file, line);
  _assert_true(json_is_integer(answer->json), "a number", file, line);
  _assert_int_equal((uintmax_t)json_integer_value(answer->json),
                    (uintmax_t)number, file, line);
}

void interop_assert_rejected(answer_t *answer, int code, uvow_outcome_t outcome,
                             const char *file, int line) {
  interop_wait(answer);
  if (answer->code != code)
    print_error("ended with %s: %s\n", uvow_err_name(answer->code),
                answer->error ? uvow_error_message(answer->error) : "a value");
  _assert_int_equal((uintmax_t)answer->code, (uintmax_t)code, file, line);
  _assert_int_equal((uintmax_t)uvow_error_outcome(answer->error),
                    (uintmax_t)outcome, file, line);
}
