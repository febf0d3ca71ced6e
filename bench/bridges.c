/*
 * What does libuv cost through uvow, beside libuv alone?
 *
 * The same calls twice: uv_fs_read of 4096 bytes of a cached file, and
 * uv_queue_work of nothing, each in batches of 100; once with libuv's own
 * callback, once as a future with a continuation.
 *
 * How to read it: instructions are those of the loop's thread and of libuv's
 * together; both run the same number of pieces of work on the same threads, so
 * what uvow adds is the difference. They are counted with the pool's one thread
 * held while a batch begins and the loop held while it works, else how often one
 * wakes the other would be in the count. Of the times only the ratios mean much.
 *
 * usage: bench_bridges [--rounds N]
 *        bench_bridges --count MODE N   N batches and nothing else; the pool
 *                                       has to have one thread
 */
#include <fcntl.h>
#include <string.h>

#include <uvow/uv.h>

#include "measure.h"

enum { READ_RAW, READ, WORK_RAW, WORK, MODES };
enum { BATCH = 100, BATCHES = 300, COUNTED = 20, PART = 4096 };

static const char *const names[MODES] = {
    "uv_fs_read",
    "  as a future: uvow_fs_read",
    "uv_queue_work",
    "  as a future: uvow_work",
};

typedef struct raw {
  union {
    uv_fs_t fs;
    uv_work_t work;
  } req;
  char *buffer; /* as uvow, one each */
  long *done;
} raw_t;

typedef struct bench {
  uv_loop_t uv;
  uvow_loop_t *loop;
  uvow_file_t *file;
  uv_file fd;
  long done;
  raw_t raws[BATCH];
  int is_held; /* one thread at a time */
  uv_sem_t held;
  uv_sem_t begun;
  uv_sem_t worked;
  uv_work_t first;
  uv_work_t last;
} bench_t;

static void on_read_raw(uv_fs_t *req) {
  raw_t *raw = (raw_t *)req->data;
  MEASURE_CHECK(req->result == PART);
  uv_fs_req_cleanup(req);
  free(raw->buffer);
  ++*raw->done;
}

static void nothing(uv_work_t *work) {
  (void)work;
}

static void on_worked_raw(uv_work_t *work, int status) {
  raw_t *raw = (raw_t *)work->data;
  MEASURE_CHECK(status == 0);
  ++*raw->done;
}

static uvow_next_t on_read(const uvow_result_t *result, void *data) {
  MEASURE_CHECK(!result->error);
  ++*(long *)data;
  return uvow_next_none();
}

static uvow_value_t no_value(void *data) {
  (void)data;
  return uvow_value_none();
}

static void begin(bench_t *bench, int mode, raw_t *raw) {
  uvow_future_t *f;
  raw->done = &bench->done;
  if (mode == READ_RAW) {
    raw->buffer = (char *)malloc(PART);
    uv_buf_t buf = uv_buf_init(raw->buffer, PART);
    raw->req.fs.data = raw;
    MEASURE_CHECK(uv_fs_read(&bench->uv, &raw->req.fs, bench->fd, &buf, 1, 0,
                             on_read_raw) == 0);
  } else if (mode == WORK_RAW) {
    raw->req.work.data = raw;
    MEASURE_CHECK(
        uv_queue_work(&bench->uv, &raw->req.work, nothing, on_worked_raw) == 0);
  } else {
    f = mode == READ ? uvow_fs_read(bench->file, PART, 0)
                     : uvow_work(bench->loop, no_value, NULL);
    uvow_future_detach(uvow_future_then(f, on_read, &bench->done));
  }
}

static void wait_begun(uv_work_t *work) {
  bench_t *bench = (bench_t *)work->data;
  uv_sem_post(&bench->held);
  uv_sem_wait(&bench->begun);
}

static void post_worked(uv_work_t *work) {
  uv_sem_post(&((bench_t *)work->data)->worked);
}

static void hold(bench_t *bench, uv_work_t *work, uv_work_cb run) {
  work->data = bench;
  MEASURE_CHECK(uv_queue_work(&bench->uv, work, run, NULL) == 0);
}

static void run(bench_t *bench, int mode, long batches) {
  bench->done = 0;
  for (long n = 0; n < batches; n++) {
    if (bench->is_held) {
      hold(bench, &bench->first, wait_begun);
      uv_sem_wait(&bench->held);
    }
    for (int i = 0; i < BATCH; i++)
      begin(bench, mode, &bench->raws[i]);
    if (bench->is_held) {
      hold(bench, &bench->last, post_worked);
      uv_sem_post(&bench->begun);
      uv_sem_wait(&bench->worked);
    }
    uv_run(&bench->uv, UV_RUN_DEFAULT);
  }
  MEASURE_CHECK(bench->done == batches * BATCH);
}

static void on_open(const uvow_result_t *result, void *data) {
  ((bench_t *)data)->file = uvow_file_ref(uvow_result_file(result));
}

static void bench_init(bench_t *bench, const char *program) {
  uv_fs_t req;
  memset(bench, 0, sizeof(*bench));
  MEASURE_CHECK(uv_loop_init(&bench->uv) == 0);
  MEASURE_CHECK(uv_sem_init(&bench->held, 0) == 0);
  MEASURE_CHECK(uv_sem_init(&bench->begun, 0) == 0);
  MEASURE_CHECK(uv_sem_init(&bench->worked, 0) == 0);
  bench->loop = uvow_loop_new(&bench->uv, NULL);
  MEASURE_CHECK(bench->loop);
  bench->fd = uv_fs_open(NULL, &req, program, O_RDONLY, 0, NULL);
  MEASURE_CHECK(bench->fd >= 0);
  uvow_future_done(uvow_fs_open(bench->loop, program, O_RDONLY, 0), on_open,
                   bench);
  uv_run(&bench->uv, UV_RUN_DEFAULT);
  MEASURE_CHECK(bench->file);
}

static void bench_done(bench_t *bench) {
  uv_fs_t req;
  uvow_file_unref(bench->file);
  MEASURE_CHECK(uv_fs_close(NULL, &req, bench->fd, NULL) == 0);
  measure_close(&bench->uv, bench->loop);
  uv_sem_destroy(&bench->held);
  uv_sem_destroy(&bench->begun);
  uv_sem_destroy(&bench->worked);
}

/* What callgrind counts in so many batches, or -1. */
static long long collected(int mode, int batches) {
  char line[512];
  long long found = -1;
  snprintf(line, sizeof(line),
           "UV_THREADPOOL_SIZE=1 valgrind --tool=callgrind "
           "--callgrind-out-file=/dev/null "
           "\"$UVOW_BENCH_PROGRAM\" --count %d %d 2>&1",
           mode, batches);
  FILE *valgrind = popen(line, "r");
  while (valgrind && fgets(line, sizeof(line), valgrind)) {
    const char *at = strstr(line, "Collected : ");
    if (at)
      (void)sscanf(at, "Collected : %lld", &found);
  }
  if (valgrind)
    pclose(valgrind);
  return found;
}

static double instructions(int mode) {
  long long once = collected(mode, COUNTED);
  long long twice = collected(mode, 2 * COUNTED);
  if (once < 0 || twice < 0)
    return -1;
  return (double)(twice - once) / (COUNTED * BATCH);
}

static void print(measure_t *times) {
  double ns[MODES];
  double counts[MODES];
  printf("%-32s %8s %8s %13s %8s\n", "each", "ns", "more", "instructions",
         "more");
  for (int mode = 0; mode < MODES; mode++) {
    int raw = mode & ~1;
    ns[mode] = measure_median(&times[mode]);
    counts[mode] = instructions(mode);
    printf("%-32s %8.0f %8.0f", names[mode], ns[mode], ns[mode] - ns[raw]);
    if (counts[mode] > 0)
      printf(" %13.0f %8.0f\n", counts[mode], counts[mode] - counts[raw]);
    else
      printf("   not counted: needs valgrind\n");
  }
}

int main(int argc, char **argv) {
  static measure_t times[MODES];
  static bench_t bench;
  char program[4096];
  size_t size = sizeof(program);
  int rounds = 5;
  MEASURE_CHECK(uv_exepath(program, &size) == 0);
  bench_init(&bench, program);
  if (argc == 4 && strcmp(argv[1], "--count") == 0) {
    bench.is_held = 1;
    run(&bench, atoi(argv[2]), atol(argv[3]));
    bench_done(&bench);
    return 0;
  }
  if (argc == 3 && strcmp(argv[1], "--rounds") == 0)
    rounds = atoi(argv[2]);
  MEASURE_CHECK(rounds > 0 && rounds <= MEASURE_ROUNDS_MAX);
  setenv("UVOW_BENCH_PROGRAM", program, 1);
  for (int i = 0; i <= rounds; i++) {
    for (int mode = 0; mode < MODES; mode++) {
      uint64_t start = uv_hrtime();
      run(&bench, mode, BATCHES);
      if (i > 0) /* the first is to warm up */
        measure_add(&times[mode],
                    measure_ns_since(start, (double)BATCHES * BATCH));
    }
  }
  bench_done(&bench);
  print(times);
  return 0;
}
