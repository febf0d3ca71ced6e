/*
 * What does a request cost with two fields out and two in, without trees?
 *
 * 1024 are in flight, so that it isn't the system's waking up that is compared. A
 * server in a process of its own echoes {"id": n, "name": text}: the lean one of
 * bench/peers, if it was built too (bench/run does), which isn't what the client
 * waits for; else uvow's.
 * The client writes it anew for each request, and reads both fields of each
 * answer, which it compares:
 *
 *   json_t   json_pack, uvow_peer_request; uvow_result_json, json_unpack
 *   fields   uvow_peer_requestf; uvow_result_getf
 *   pointer  uvow_peer_requestf; uvow_result_get_int64, _get_text
 *   bytes    the same text each time, and only the answer's length is looked
 * at: what neither writing nor reading costs
 *
 * How to read it: requests/s and the CPU that the client's process spent on a
 * request are medians of interleaved rounds. Under uvow's server, which may be
 * the slower one, only the CPU says what the client could do.
 * Instructions are the client's, counted by callgrind, without starting and
 * ending; no busy machine changes them. "Less bytes" is what JSON alone costs.
 *
 * usage: bench_fields [--rounds N | --count json_t|fields|pointer|bytes N]
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>
#include <uvow.h>

#include "bed.h"

enum { IN_FLIGHT = 1024, REQUESTS = 200000, COUNTED = 4000 };

#define NAME "a name of some length"

typedef enum how { JSON, FIELDS, POINTER, BYTES, HOWS } how_t;

static const char *const names[HOWS] = {"json_t", "fields", "pointer", "bytes"};

typedef struct bench bench_t;

/* A request in flight. */
typedef struct slot {
  bench_t *bench;
  int64_t number;
} slot_t;

struct bench {
  bed_t bed;
  uvow_peer_t *client;
  how_t how;
  int64_t count;
  int64_t sent;
  int64_t answered;
  slot_t slots[IN_FLIGHT];
};

static const char fixed[] = "{\"id\":1234567,\"name\":\"" NAME "\"}";

static uvow_future_t *request(const slot_t *slot) {
  uvow_peer_t *client = slot->bench->client;
  switch (slot->bench->how) {
  case JSON:
    return uvow_peer_request(
        client, "echo",
        uvow_value_json(json_pack("{s:I,s:s}", "id", (json_int_t)slot->number,
                                  "name", NAME)));
  case BYTES:
    return uvow_peer_request(
        client, "echo",
        uvow_value_slice(&(uvow_slice_t){fixed, sizeof(fixed) - 1}));
  default:
    return uvow_peer_requestf(client, "echo", "{s:I,s:s}", "id", slot->number,
                              "name", NAME);
  }
}

static int read_json(const uvow_result_t *result, int64_t *id,
                     const char **name) {
  json_int_t number = 0;
  int rc = json_unpack(uvow_result_json(result), "{s:I,s:s}", "id", &number,
                       "name", name);
  *id = number;
  return rc;
}

static int is_own(const slot_t *slot, const uvow_result_t *result) {
  int64_t id = 0;
  const char *name = "";
  int rc;
  switch (slot->bench->how) {
  case JSON:
    rc = read_json(result, &id, &name);
    break;
  case FIELDS:
    rc = uvow_result_getf(result, "{s:I,s:s}", "id", &id, "name", &name);
    break;
  case POINTER:
    rc = uvow_result_get_int64(result, "/id", &id);
    if (rc == 0)
      rc = uvow_result_get_text(result, "/name", &name);
    break;
  default:
    return uvow_result_bytes(result).len == sizeof(fixed) - 1;
  }
  return rc == 0 && id == slot->number && strcmp(name, NAME) == 0;
}

static void send_request(slot_t *slot);

static void on_answer(const uvow_result_t *result, void *data) {
  slot_t *slot = (slot_t *)data;
  bench_t *bench = slot->bench;
  MEASURE_CHECK(!result->error && is_own(slot, result));
  if (bench->sent < bench->count)
    send_request(slot);
  if (++bench->answered == bench->count)
    uv_stop(&bench->bed.uv);
}

static void send_request(slot_t *slot) {
  slot->number = 1000000 + slot->bench->sent++;
  MEASURE_CHECK(uvow_future_done(request(slot), on_answer, slot) == 0);
}

static void run(bench_t *bench, how_t how, int64_t count) {
  bench->how = how;
  bench->count = count;
  bench->sent = bench->answered = 0;
  for (int i = 0; i < IN_FLIGHT; i++)
    send_request(&bench->slots[i]);
  uv_run(&bench->bed.uv, UV_RUN_DEFAULT);
}

/* The lean server, which lies beside this program: its process, and its port; 0:
 * it wasn't built. */
static pid_t start_lean(const char *program, unsigned *ret_port) {
  char path[4200];
  char line[80] = "";
  int ends[2];
  const char *name = strrchr(program, '/');
  snprintf(path, sizeof(path), "%.*s/bench_lean",
           name ? (int)(name - program) : 1, name ? program : ".");
  if (access(path, X_OK) != 0)
    return 0;
  MEASURE_CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  MEASURE_CHECK(pid >= 0);
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    execl(path, path, (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  MEASURE_CHECK(read(ends[0], line, sizeof(line) - 1) > 0);
  close(ends[0]);
  MEASURE_CHECK(sscanf(line, "listening on ws://127.0.0.1:%u/", ret_port) == 1);
  return pid;
}

static void stop_lean(pid_t pid) {
  if (pid == 0)
    return;
  kill(pid, SIGTERM);
  waitpid(pid, NULL, 0);
}

/* port 0: of a server of uvow's. */
static void begin(bench_t *bench, unsigned port) {
  for (int i = 0; i < IN_FLIGHT; i++)
    bench->slots[i].bench = bench;
  bed_start(&bench->bed);
  if (port)
    bench->bed.ports[BED_PLAIN] = port;
  bench->client = bed_client(&bench->bed, BED_PLAIN);
  bed_await(&bench->bed, bench->client);
}

static void end(bench_t *bench) {
  uvow_peer_unref(bench->client);
  bed_stop(&bench->bed);
}

/* What callgrind counts in so many requests, or -1. */
static long long collected(const char *program, how_t how, int count) {
  char line[512];
  long long found = -1;
  setenv("UVOW_BENCH_PROGRAM", program, 1);
  snprintf(line, sizeof(line),
           "valgrind --tool=callgrind --callgrind-out-file=/dev/null "
           "\"$UVOW_BENCH_PROGRAM\" --count %s %d 2>&1",
           names[how], count);
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

/* A request's, without starting and ending. */
static double instructions(const char *program, how_t how) {
  long long once = collected(program, how, COUNTED);
  long long twice = collected(program, how, 2 * COUNTED);
  return once < 0 || twice < 0 ? 0 : (double)(twice - once) / COUNTED;
}

typedef struct row {
  measure_t rate;
  measure_t cpu_us;
  double instructions;
} row_t;

static void run_round(bench_t *bench, how_t how, row_t *row) {
  double cpu = bed_cpu_us();
  uint64_t start = uv_hrtime();
  run(bench, how, REQUESTS);
  measure_add(&row->rate, 1e9 / measure_ns_since(start, REQUESTS));
  measure_add(&row->cpu_us, (bed_cpu_us() - cpu) / REQUESTS);
}

static void print_rows(row_t *rows) {
  double rate = measure_median(&rows[JSON].rate);
  double cpu = measure_median(&rows[JSON].cpu_us);
  double all = rows[JSON].instructions;
  double bare = rows[BYTES].instructions;
  printf("%-8s %10s %6s %8s %6s %13s %6s %12s %6s\n", "", "requests/s", "x",
         "CPU us", "x", "instructions", "x", "less bytes", "x");
  for (int i = 0; i < HOWS; i++) {
    row_t *row = &rows[i];
    double json = row->instructions - bare;
    printf("%-8s %10.0f %6.2f %8.3f %6.2f %13.0f %6.2f %12.0f %6.2f\n",
           names[i], measure_median(&row->rate),
           measure_median(&row->rate) / rate, measure_median(&row->cpu_us),
           cpu / measure_median(&row->cpu_us), row->instructions,
           row->instructions > 0 ? all / row->instructions : 0, json,
           json > 0 ? (all - bare) / json : 0);
  }
}

/* For callgrind. */
static int count(bench_t *bench, const char *name, int64_t requests) {
  for (int i = 0; i < HOWS; i++) {
    if (strcmp(names[i], name) != 0)
      continue;
    begin(bench, 0);
    run(bench, (how_t)i, requests);
    end(bench);
    return 0;
  }
  return 1;
}

int main(int argc, char **argv) {
  static bench_t bench;
  static row_t rows[HOWS];
  static const bed_serve_options_t options = {0};
  char program[4096];
  size_t size = sizeof(program);
  unsigned port = 0;
  int rounds = 7;
  if (bed_is_server(argc, argv))
    return bed_serve(&options);
  if (argc == 4 && strcmp(argv[1], "--count") == 0)
    return count(&bench, argv[2], atol(argv[3]));
  if (argc == 3 && strcmp(argv[1], "--rounds") == 0)
    rounds = atoi(argv[2]);
  MEASURE_CHECK(rounds > 0 && rounds <= MEASURE_ROUNDS_MAX);
  MEASURE_CHECK(uv_exepath(program, &size) == 0);
  pid_t lean = start_lean(program, &port);
  begin(&bench, port);
  for (int i = 0; i < HOWS; i++)
    run(&bench, (how_t)i, REQUESTS / 10);
  for (int round = 0; round < rounds; round++)
    for (int i = 0; i < HOWS; i++)
      run_round(&bench, (how_t)i, &rows[i]);
  end(&bench);
  stop_lean(lean);
  for (int i = 0; i < HOWS; i++)
    rows[i].instructions = instructions(program, (how_t)i);
  printf("The server: %s.\n", lean ? "lean" : "uvow's");
  print_rows(rows);
  return 0;
}
