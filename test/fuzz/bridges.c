/*
 * Any bytes as calls of uvow/uv.h: files, work, names, sockets, datagrams,
 * children, polls, fibers; and as what is done to their futures, streams and
 * sinks, from outside and from each of their callbacks: a cancel, an end, a
 * drop, one owner less, the loop's close. Whatever comes, the loop closes, and
 * no byte and no handle is left.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include <uvow.h>
#include <uvow/uv.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SLOTS 8
#define STEPS 300
#define COUNT(list) (sizeof(list) / sizeof(*(list)))

typedef struct world {
  const uint8_t *at, *end;
  uv_loop_t uv;
  uvow_loop_t *loop; /* NULL: closed */
  uvow_future_t *futures[SLOTS];
  uvow_stream_t *streams[SLOTS];
  uvow_sink_t *sinks[SLOTS];
  uvow_file_t *files[SLOTS];
  uvow_process_t *process;
  int spawned;
  int steps;
  uint16_t port;
  size_t live; /* allocations */
} world_t;

static char folder[200], path_a[220], path_b[220];

static void must(int fact) {
  if (!fact)
    abort();
}

static uint8_t next(world_t *w) {
  return w->at < w->end ? *w->at++ : 0;
}

static uvow_future_t **any_future(world_t *w) {
  return &w->futures[next(w) % SLOTS];
}
static uvow_stream_t **any_stream(world_t *w) {
  return &w->streams[next(w) % SLOTS];
}
static uvow_sink_t **any_sink(world_t *w) {
  return &w->sinks[next(w) % SLOTS];
}
static uvow_file_t **any_file(world_t *w) {
  return &w->files[next(w) % SLOTS];
}

static const char *any_path(world_t *w) {
  const char *const paths[] = {path_a,         path_b, folder,
                               "/none/at/all", NULL,   "/sys/class/net/lo/mtu"};
  return paths[next(w) % COUNT(paths)];
}

/* Into a slot; what was there is let go of, or canceled. */
static void keep(world_t *w, uvow_future_t *f) {
  uvow_future_t **slot = any_future(w);
  uvow_future_t *old = *slot;
  *slot = f;
  if (next(w) % 2)
    uvow_future_drop(old);
  else
    uvow_future_unref(old);
}

static void keep_stream(world_t *w, uvow_stream_t *s) {
  uvow_stream_t **slot = any_stream(w);
  uvow_stream_t *old = *slot;
  *slot = s;
  uvow_stream_unref(old);
}

static void keep_sink(world_t *w, uvow_sink_t *sink) {
  uvow_sink_t **slot = any_sink(w);
  uvow_sink_t *old = *slot;
  *slot = sink;
  if (next(w) % 2)
    uvow_sink_end(old);
  else
    uvow_sink_drop(old);
}

static void keep_channel(world_t *w, uvow_channel_t c) {
  keep_stream(w, c.in);
  keep_sink(w, c.out);
}

static void keep_file(world_t *w, uvow_file_t *file) {
  uvow_file_t **slot = any_file(w);
  uvow_file_t *old = *slot;
  *slot = file;
  uvow_file_unref(old);
}

/* Callbacks: each may do anything. */

static void act(world_t *w);

static void act_some(world_t *w) {
  for (int n = next(w) % 4; n; n--)
    act(w);
}

static uvow_next_t on_settled(const uvow_result_t *r, void *data) {
  world_t *w = data;
  keep_file(w, uvow_file_ref(uvow_result_file(r)));
  uvow_channel_t channel = uvow_result_channel(r);
  if (channel.in)
    keep_channel(w, channel);
  act_some(w);
  if (next(w) % 8 == 0)
    return uvow_next_code(UVOW_EINVAL, "enough");
  if (next(w) % 8)
    return uvow_next_pass();
  return uvow_next_future(uvow_future_ref(*any_future(w)));
}

static void on_gone(void *data) {
  act_some(data);
}

static uvow_value_t works(void *data) {
  (void)data;
  return uvow_value_int64(1);
}

static uvow_next_t in_fiber(uvow_loop_t *loop, void *data) {
  world_t *w = data;
  uvow_result_t r;
  (void)loop;
  for (int n = next(w) % 4; n; n--) {
    uvow_stream_t *s = uvow_stream_ref(*any_stream(w));
    if (next(w) % 2)
      (void)uvow_await(uvow_future_ref(*any_future(w)), &r);
    else if (s)
      (void)uvow_await_next(s, &r);
    uvow_stream_unref(s);
    act_some(w);
  }
  return uvow_next_none();
}

/* Calls. */

static uvow_value_t some_value(world_t *w) {
  static const char text[] = "some bytes, more than a line\n";
  switch (next(w) % 4) {
  case 0:
    return uvow_value_text("text");
  case 1:
    return uvow_value_int64(7);
  case 2:
    return uvow_value_datagram(w->loop, "x", 1, "127.0.0.1", w->port);
  default:
    return uvow_value_binary(w->loop, text, sizeof(text) - 1);
  }
}

static uvow_future_t *file_call(world_t *w, uvow_file_t *file) {
  switch (next(w) % 8) {
  case 0:
    return uvow_fs_write(file, some_value(w), -1);
  case 1:
    return uvow_fs_fsync(file);
  case 2:
    return uvow_fs_fstat(file);
  case 3:
    return uvow_fs_ftruncate(file, 3);
  case 4:
    return uvow_fs_sendfile(file, *any_file(w), 0, 5);
  default:
    return uvow_fs_read(file, 64, 0);
  }
}

static uvow_future_t *path_call(world_t *w) {
  const char *path = any_path(w);
  switch (next(w) % 12) {
  case 0:
    return uvow_fs_read_file(w->loop, path, 1000);
  case 1:
    return uvow_fs_write_file(w->loop, path_a, some_value(w));
  case 2:
    return uvow_fs_copy(w->loop, path, path_b);
  case 3:
    return uvow_fs_stat(w->loop, path);
  case 4:
    return uvow_fs_realpath(w->loop, path);
  case 5:
    return uvow_fs_statfs(w->loop, path);
  case 6:
    return uvow_fs_rename(w->loop, path_a, path_b);
  case 7:
    return uvow_fs_readlink(w->loop, path);
  default:
    return uvow_fs_open(w->loop, path_a, UV_FS_O_RDWR | UV_FS_O_CREAT, 0600);
  }
}

static uvow_future_t *other_call(world_t *w) {
  switch (next(w) % 10) {
  case 0:
    return uvow_work(w->loop, works, NULL);
  case 1:
    return uvow_work_own(w->loop, works, w, on_gone);
  case 2:
    return uvow_resolve(w->loop, "127.0.0.1");
  case 3:
    return uvow_resolve_address(w->loop, "127.0.0.1", 1, 0);
  case 4:
    return uvow_random(w->loop, 8);
  case 5:
    return uvow_future_delay(w->loop, next(w) % 2);
  case 6:
    return uvow_process_exit(w->process);
  case 7:
    return uvow_process_close(w->process);
  case 8:
    return uvow_fiber_spawn(w->loop, in_fiber, w);
  default:
    return file_call(w, *any_file(w));
  }
}

static uvow_stream_t *some_stream(world_t *w) {
  const char *path = any_path(w);
  switch (next(w) % 7) {
  case 0:
    return uvow_fs_scandir(w->loop, path);
  case 1:
    return uvow_fs_watch(w->loop, path);
  case 2:
    return uvow_fs_poll(w->loop, path, 1);
  case 3:
    return uvow_signal(w->loop, SIGUSR1);
  case 4:
    return uvow_tcp_listen(w->loop, "127.0.0.1", 0, &w->port);
  case 5:
    return uvow_stream_lines(uvow_file_stream(*any_file(w)), 10);
  default:
    return uvow_fs_read_stream(w->loop, path);
  }
}

static uvow_channel_t some_channel(world_t *w) {
  uvow_udp_options_t options = {.size = sizeof(options)};
  uvow_channel_t other = {NULL, NULL}, c = {NULL, NULL};
  options.address = "127.0.0.1";
  switch (next(w) % 6) {
  case 5:
    c.out = uvow_file_sink(*any_file(w));
    return c;
  case 0:
    return uvow_udp_open(w->loop, &options, &w->port);
  case 1:
    return uvow_pipe_connect(w->loop, path_a);
  case 2:
    c.out = uvow_fs_write_sink(w->loop, path_b);
    return c;
  case 3:
    (void)uvow_channel_pair(w->loop, &c, &other);
    keep_channel(w, other);
    return c;
  default:
    return uvow_tcp_connect(w->loop, "127.0.0.1", w->port);
  }
}

/* One a run: forking is dear. */
static void spawn(world_t *w) {
  const char *args[] = {next(w) % 2 ? "cat" : "true", NULL};
  uvow_process_options_t options = {.size = sizeof(options)};
  if (w->spawned++ || next(w) % 8)
    return;
  options.args = args;
  options.grace_ms = 1;
  options.pipes = UVOW_STDIN | UVOW_STDOUT;
  w->process = uvow_spawn(w->loop, &options);
  keep_channel(w, uvow_process_stdio(w->process));
}

/* What is done to them. */

static void to_future(world_t *w) {
  uvow_future_t **slot = any_future(w), *f = *slot;
  uint8_t how = next(w) % 6;
  if (how == 5) {
    (void)uvow_future_cancel(f);
    return;
  }
  *slot = NULL; /* taken; and a destructor may run at once, if it's NULL */
  if (how == 0)
    keep(w, uvow_future_then(f, on_settled, w));
  else if (how == 1)
    keep(w, uvow_future_catch(f, on_settled, w));
  else if (how == 2)
    keep(w, uvow_future_own(f, w, on_gone));
  else if (how == 3)
    keep(w, uvow_future_timeout(f, 1));
  else
    uvow_future_detach(f);
}

static void to_stream(world_t *w) {
  uvow_stream_t **slot = any_stream(w), *s = *slot;
  switch (next(w) % 6) {
  case 0:
    *slot = NULL;
    keep(w, uvow_stream_each(s, on_settled, w));
    break;
  case 1:
    *slot = NULL;
    keep(w, uvow_stream_close(s));
    break;
  case 2:
    *slot = NULL;
    keep(w, uvow_stream_pipe(
                s, *any_sink(w) ? uvow_fs_write_sink(w->loop, path_b) : NULL));
    break;
  case 3:
    *slot = NULL;
    uvow_stream_unref(s);
    break;
  default:
    keep(w, uvow_future_then(uvow_stream_next(s), on_settled, w));
  }
}

static void to_sink(world_t *w) {
  uvow_sink_t **slot = any_sink(w), *sink = *slot;
  switch (next(w) % 8) {
  case 0:
    *slot = NULL;
    uvow_sink_end(sink);
    break;
  case 1:
    *slot = NULL;
    uvow_sink_drop(sink);
    break;
  case 2:
    if (sink)
      uvow_sink_on_cancel(sink, on_gone, w, NULL);
    break;
  case 3:
    keep(w, uvow_future_then(uvow_sink_room(sink), on_settled, w));
    break;
  case 4:
    keep(w, uvow_future_then(uvow_sink_flushed(sink), on_settled, w));
    break;
  default:
    if (sink)
      (void)uvow_sink_push(sink, some_value(w));
    else
      keep_channel(w, some_channel(w));
  }
}

static void on_closed(void *data) {
  world_t *w = data;
  w->loop = NULL;
}

static void close_loop(world_t *w) {
  if (w->loop)
    uvow_loop_close(w->loop, on_closed, w);
}

static void to_process(world_t *w) {
  uvow_process_t *process = w->process;
  if (!process) {
    spawn(w);
  } else if (next(w) % 2) {
    (void)uvow_process_kill(process, SIGTERM);
  } else {
    w->process = NULL;
    uvow_process_unref(process);
  }
}

static void act(world_t *w) {
  if (++w->steps > STEPS || w->at == w->end)
    return;
  switch (next(w) % 16) {
  case 0:
  case 1:
    keep(w, path_call(w));
    break;
  case 2:
  case 3:
    keep(w, other_call(w));
    break;
  case 4:
  case 5:
    keep_stream(w, some_stream(w));
    break;
  case 6:
    keep_channel(w, some_channel(w));
    break;
  case 7:
    to_process(w);
    break;
  case 8:
    keep_file(w, NULL);
    break;
  case 9:
    if (next(w) % 32 == 0)
      close_loop(w);
    break;
  case 10:
  case 11:
  case 12:
    to_future(w);
    break;
  case 13:
  case 14:
    to_stream(w);
    break;
  default:
    to_sink(w);
  }
}

/* All that is held is let go of. */
static void let_go(world_t *w) {
  for (size_t i = 0; i < SLOTS; i++) {
    uvow_future_unref(w->futures[i]);
    uvow_stream_unref(w->streams[i]);
    uvow_sink_drop(w->sinks[i]);
    uvow_file_unref(w->files[i]);
    w->futures[i] = NULL;
    w->streams[i] = NULL;
    w->sinks[i] = NULL;
    w->files[i] = NULL;
  }
  uvow_process_unref(w->process);
  w->process = NULL;
}

static void *on_malloc(size_t size, void *data) {
  ((world_t *)data)->live++;
  return malloc(size);
}

static void *on_realloc(void *ptr, size_t size, void *data) {
  ((world_t *)data)->live += !ptr;
  return realloc(ptr, size);
}

static void on_free(void *ptr, void *data) {
  ((world_t *)data)->live -= ptr != NULL;
  free(ptr);
}

static void on_unhandled(uvow_loop_t *loop, const uvow_error_t *error,
                         void *data) {
  (void)loop;
  (void)error;
  (void)data;
}

/* What is let go of behind the closed callback. */
static void on_leak(const uvow_future_info_t *info, void *data) {
  (void)info;
  (void)data;
}

static void open_world(world_t *w) {
  uvow_allocator_t allocator = {.size = sizeof(allocator)};
  uvow_loop_options_t options = {.size = sizeof(options)};
  allocator.malloc_cb = on_malloc;
  allocator.realloc_cb = on_realloc;
  allocator.free_cb = on_free;
  allocator.data = w;
  options.allocator = &allocator;
  options.on_unhandled = on_unhandled;
  options.on_leak = on_leak;
  must(uv_loop_init(&w->uv) == 0);
  w->loop = uvow_loop_new(&w->uv, &options);
  must(w->loop != NULL);
}

static void remove_folder(void) {
  uv_fs_t req;
  (void)uv_fs_unlink(NULL, &req, path_a, NULL);
  (void)uv_fs_unlink(NULL, &req, path_b, NULL);
  (void)uv_fs_rmdir(NULL, &req, folder, NULL);
}

static void make_folder(void) {
  char base[150];
  size_t size = sizeof(base);
  uv_fs_t req;
  if (folder[0])
    return;
  signal(SIGPIPE, SIG_IGN);
  must(uv_os_tmpdir(base, &size) == 0);
  snprintf(folder, sizeof(folder), "%s/uvow-fuzz-XXXXXX", base);
  must(uv_fs_mkdtemp(NULL, &req, folder, NULL) == 0);
  snprintf(folder, sizeof(folder), "%s", req.path);
  uv_fs_req_cleanup(&req);
  snprintf(path_a, sizeof(path_a), "%s/a", folder);
  snprintf(path_b, sizeof(path_b), "%s/b", folder);
  (void)atexit(remove_folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  world_t w;
  memset(&w, 0, sizeof(w));
  make_folder();
  w.at = data;
  w.end = data + size;
  open_world(&w);
  int late = next(&w) % 2;
  while (w.at < w.end && w.steps < STEPS) {
    act_some(&w);
    uv_run(&w.uv, UV_RUN_NOWAIT); /* nothing may ever come */
  }
  w.at = w.end; /* callbacks do nothing any more */
  if (!late)
    let_go(&w);
  close_loop(&w);
  uv_run(&w.uv, UV_RUN_DEFAULT);
  must(w.loop == NULL);
  let_go(&w);
  must(uv_loop_close(&w.uv) == 0);
  must(w.live == 0);
  return 0;
}
