/*
 * What does it cost to read an answer and to write a request, by protocol?
 *
 * JSON-RPC 2.0 as it is built in, as a description says it, as that description
 * with ids that are text, and phoenix2 and wamp2, which are code in part: an
 * answer of 3 members with a payload of 26 bytes is read, one whose members
 * stand in another order, and a request with as much is written.
 *
 * How to read it: ns are the medians of rounds that take turns; only the ratios
 * mean much. Instructions don't vary:
 *
 * usage: bench_protocols [--rounds N]
 *        bench_protocols --count WHICH WHAT N
 *                        does one thing N times: WHICH of the lines, WHAT of
 *                        the columns, both from 0
 *   valgrind --tool=callgrind bench_protocols --count 1 0 10000
 */
#include <string.h>

#include "measure.h"
#include "protocol/dialect.h"

#define WITH_IDS(ids)                                                          \
  "{\"name\":\"described\",\"params\":\"structured\",\"ids\":" ids             \
  ",\"call\":{\"jsonrpc\":\"2.0\",\"id\":\"$id\",\"method\":\"$method\","      \
  "\"params\":\"$params\"},\"reply\":{\"jsonrpc\":\"2.0\",\"id\":\"$id\","     \
  "\"result\":\"$value\"},\"reply_error\":{\"jsonrpc\":\"2.0\",\"id\":"        \
  "\"$id\",\"error\":\"$error\"},\"rules\":[{\"when\":{\"/jsonrpc\":\"2.0\","  \
  "\"/error\":false,\"/result\":true},\"is\":\"ok\",\"id\":\"/id\",\"value\":" \
  "\"/result\"},{\"when\":{\"/jsonrpc\":\"2.0\",\"/error\":true},\"is\":"      \
  "\"error\",\"id\":\"/id\",\"code\":\"/error/code\",\"message\":"             \
  "\"/error/message\",\"data\":\"/error/data\"},{\"when\":{\"/jsonrpc\":"      \
  "\"2.0\",\"/id\":true},\"is\":\"call\",\"id\":\"/id\",\"name\":"             \
  "\"/method\",\"value\":\"/params\"},{\"when\":{\"/jsonrpc\":\"2.0\"},"       \
  "\"is\":\"event\",\"name\":\"/method\",\"value\":\"/params\"}]}"
#define PAYLOAD "{\"name\":\"x\",\"values\":[1,2]}"

enum { READ, READ_OTHERWISE, WRITE, COLUMNS };

typedef struct line {
  const char *name;
  const char *description; /* NULL: built in */
  const char *answers[2];
  uvow_protocol_t *protocol;
  measure_t times[COLUMNS];
} line_t;

static line_t lines[] = {
    {"jsonrpc2",
     NULL,
     {"{\"jsonrpc\":\"2.0\",\"id\":12345,\"result\":" PAYLOAD "}",
      "{\"result\":" PAYLOAD ",\"id\":12345,\"jsonrpc\":\"2.0\"}"},
     NULL,
     {{0, {0}}}},
    {"described",
     WITH_IDS("\"number\""),
     {"{\"jsonrpc\":\"2.0\",\"id\":12345,\"result\":" PAYLOAD "}",
      "{\"result\":" PAYLOAD ",\"id\":12345,\"jsonrpc\":\"2.0\"}"},
     NULL,
     {{0, {0}}}},
    {"text ids",
     WITH_IDS("\"text\""),
     {"{\"jsonrpc\":\"2.0\",\"id\":\"12345\",\"result\":" PAYLOAD "}",
      "{\"result\":" PAYLOAD ",\"id\":\"12345\",\"jsonrpc\":\"2.0\"}"},
     NULL,
     {{0, {0}}}},
    {"phoenix2",
     NULL,
     {"[\"1\",\"12345\",\"room:1\",\"phx_reply\",{\"status\":\"ok\","
      "\"response\":" PAYLOAD "}]",
      "[\"1\",\"12345\",\"room:1\",\"phx_reply\",{\"response\":" PAYLOAD
      ",\"status\":\"ok\"}]"},
     NULL,
     {{0, {0}}}},
    {"wamp2",
     NULL,
     {"[50,12345,{},[" PAYLOAD "]]", "[50,12345,{},[],{\"a\":" PAYLOAD "}]"},
     NULL,
     {{0, {0}}}},
};

static void on_message(uvow_reader_t *reader, int rc, const uvow__msg_t *msg,
                       uvow__slice_t bytes) {
  (void)reader, (void)bytes;
  MEASURE_CHECK(rc == 0 && msg->kind == UVOW__MSG_OK && msg->id == 12345);
}

/* As a session does. */
static void read_answer(uvow__dialect_t *dialect, const char *text) {
  uvow_reader_t reader = {0};
  uvow__slice_t message = {text, strlen(text)};
  uvow__msg_t msg;
  if (uvow__dialect_is_many(dialect, 0, message)) {
    reader.dialect = dialect;
    reader.on_message = on_message;
    uvow__dialect_read(&reader, 0, message);
    return;
  }
  int rc = uvow__protocol_decode_as(dialect->protocol, &dialect->ids, text,
                                    message.len, &msg);
  on_message(&reader, rc, &msg, message);
}

static void write_request(uvow__dialect_t *dialect, uvow__buf_t *out) {
  uvow__op_t op;
  int is_binary;
  uvow__op_init(&op);
  op.kind = UVOW__OP_CALL;
  op.id = 12345;
  op.method = UVOW__SLICE("customers.list");
  op.params = UVOW__SLICE(PAYLOAD);
  MEASURE_CHECK(uvow__dialect_write(dialect, &op, out, &is_binary) == 0);
  uvow__buf_clear(out, SIZE_MAX);
}

static void run(const line_t *line, int what, long times) {
  uvow__dialect_t dialect;
  uvow__buf_t out;
  uvow__dialect_init(&dialect, &uvow__mem_default, line->protocol, NULL);
  uvow__buf_init(&out, &uvow__mem_default, 65536);
  for (; times > 0; times--)
    if (what == WRITE)
      write_request(&dialect, &out);
    else
      read_answer(&dialect, line->answers[what]);
  uvow__buf_done(&out);
  uvow__dialect_done(&dialect);
}

static void measure_all(int rounds) {
  for (int round = 0; round < rounds; round++)
    for (size_t i = 0; i < UVOW__COUNT(lines); i++)
      for (int what = 0; what < COLUMNS; what++) {
        uint64_t start = uv_hrtime();
        run(&lines[i], what, 200000);
        measure_add(&lines[i].times[what], measure_ns_since(start, 200000));
      }
  printf("%-10s %10s %18s %10s\n", "", "read, ns", "other order, ns",
         "write, ns");
  for (size_t i = 0; i < UVOW__COUNT(lines); i++)
    printf("%-10s %10.0f %18.0f %10.0f\n", lines[i].name,
           measure_median(&lines[i].times[READ]),
           measure_median(&lines[i].times[READ_OTHERWISE]),
           measure_median(&lines[i].times[WRITE]));
}

int main(int argc, char **argv) {
  int rounds =
      argc == 3 && strcmp(argv[1], "--rounds") == 0 ? atoi(argv[2]) : 7;
  MEASURE_CHECK(rounds > 0 && rounds <= MEASURE_ROUNDS_MAX);
  for (size_t i = 0; i < UVOW__COUNT(lines); i++) {
    const char *text = lines[i].description;
    lines[i].protocol = text ? uvow_protocol_parse(text, strlen(text), NULL)
                             : uvow_protocol_by_name(lines[i].name);
    MEASURE_CHECK(lines[i].protocol);
  }
  if (argc == 5 && strcmp(argv[1], "--count") == 0)
    run(&lines[(size_t)atoi(argv[2]) % UVOW__COUNT(lines)],
        atoi(argv[3]) % COLUMNS, atol(argv[4]));
  else
    measure_all(rounds);
  for (size_t i = 0; i < UVOW__COUNT(lines); i++)
    uvow_protocol_unref(lines[i].protocol);
  return 0;
}
