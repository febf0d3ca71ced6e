/*
 * The one table of commands and options: the command line is read by it, and
 * --help, the completions of shells and the manual page are printed from it.
 */
#include "table.h"

#define TALKS (COMMAND_CALL | COMMAND_LISTEN | COMMAND_CONNECT)
#define CLIENT (TALKS | COMMAND_BENCH | COMMAND_PING)
#define SPEAKS (TALKS | COMMAND_BENCH | COMMAND_SERVE)
#define ANY (CLIENT | COMMAND_SERVE)
#define AT(field) offsetof(args_t, field)
#define MILLION 1e6

/* Names are curl's where it has one. */
/* clang-format off */
const option_t command_options[] = {
  {"url", CLIENT, KIND_URL, 0, 0, 0, 0, "URL",
   "the same as URL as the first word"},
  {"port", COMMAND_SERVE, KIND_COUNT, AT(port), 0, 65535, 0, "P",
   "default: the system chooses"},
  {"host", COMMAND_SERVE, KIND_TEXT, AT(host), 0, 0, 0, "ADDRESS",
   "default 127.0.0.1"},
  {"unix-socket", COMMAND_SERVE, KIND_TEXT, AT(socket_path), 0, 0, 0, "PATH",
   "instead: a Unix domain socket"},
  {"protocol", SPEAKS, KIND_PROTOCOL, AT(protocol), 0, 0, 0, "P",
   "jsonrpc2 (default), callback_id, cdp or another\n"
   "that uvow has"},
  {"rules", SPEAKS, KIND_TEXT, AT(rules), 0, 0, 0, "FILE",
   "instead of --protocol: a description as JSON, of\n"
   "what requests and answers look like"},
  {"vars", SPEAKS, KIND_TEXT, AT(vars), 0, 0, 0, "JSON",
   "for the protocol's opening, as a token: an object;\n"
   "@FILE: what is in it, so that none sees it"},
  {"header", CLIENT, KIND_HEADER, 0, 0, 0, 'H', "'N: V'",
   "sent with the handshake; up to 16 of them"},
  {"oauth2-bearer", CLIENT, KIND_TEXT, AT(bearer), 0, 0, 0, "T",
   "sent as \"Authorization: Bearer T\""},
  {"origin", CLIENT, KIND_TEXT, AT(origin), 0, 0, 0, "O", "sent as Origin"},
  {"subprotocol", CLIENT, KIND_SUBPROTOCOL, 0, 0, 0, 0, "S",
   "offered in the handshake; up to 16 of them"},
  {"subprotocol", COMMAND_SERVE, KIND_SUBPROTOCOL, 0, 0, 0, 0, "S",
   "that is agreed on where it's offered; up to 16"},
  {"cacert", CLIENT, KIND_TEXT, AT(ca), 0, 0, 0, "FILE",
   "for wss: whom to trust (PEM), instead of the\nsystem's CAs"},
  {"cert", CLIENT, KIND_TEXT, AT(cert), 0, 0, 'E', "FILE",
   "for wss: our own certificate (PEM)"},
  {"cert", COMMAND_SERVE, KIND_TEXT, AT(cert), 0, 0, 'E', "FILE",
   "speak wss, with this certificate (PEM)"},
  {"key", ANY, KIND_TEXT, AT(key), 0, 0, 0, "FILE",
   "and its private key; default: in the same file"},
  {"pass", ANY, KIND_TEXT, AT(password), 0, 0, 0, "PASSWORD",
   "of the key, where it's encrypted"},
  {"cacert", COMMAND_SERVE, KIND_TEXT, AT(ca), 0, 0, 0, "FILE",
   "ask who comes for a certificate of this CA (PEM)"},
  {"insecure", CLIENT, KIND_FLAG, AT(insecure), 0, 0, 'k', NULL,
   "for wss: any certificate will do; says so"},
  {"proxy", CLIENT, KIND_PROXY, AT(proxy), 0, 0, 'x', "URL",
   "http://[user:password@]host[:port]: connects\n"
   "through it, for ws by CONNECT too"},
  {"proxy-env", CLIENT, KIND_FLAG, AT(proxy_env), 0, 0, 0, NULL,
   "connects as https_proxy, http_proxy, all_proxy\n"
   "and no_proxy of the environment say"},
  {"deflate", CLIENT, KIND_FLAG, AT(deflate), 0, 0, 0, NULL,
   "offer compression"},
  {"deflate", COMMAND_SERVE, KIND_FLAG, AT(deflate), 0, 0, 0, NULL,
   "agree to compression"},
  {"no-deflate", ANY, KIND_UNFLAG, AT(deflate), 0, 0, 0, NULL,
   "don't (default)"},
  {"verbose", TALKS | COMMAND_PING, KIND_FLAG, AT(verbose), 0, 0, 'v', NULL,
   "on stderr: the handshake, its headers, TLS, the\n"
   "subprotocol, and what became of each request"},
  {"trace", TALKS, KIND_FLAG, AT(trace), 0, 0, 0, NULL,
   "on stderr: each message, both ways, as it is"},
  {"raw", TALKS, KIND_FLAG, AT(raw), 0, 0, 0, NULL,
   "a terminal, too, gets what came byte by byte;\n"
   "else control characters are written as escapes"},
  {"reconnect", COMMAND_LISTEN | COMMAND_CONNECT, KIND_FLAG, AT(reconnect), 0,
   0, 0, NULL, "when the connection is lost, connect again"},
  {"method", COMMAND_BENCH, KIND_TEXT, AT(method), 0, 0, 0, "M",
   "default echo, with params {\"x\":81}"},
  {"params", COMMAND_BENCH, KIND_TEXT, AT(params), 0, 0, 0, "JSON",
   "as they are sent; @FILE: what is in it"},
  {"params-file", COMMAND_BENCH, KIND_TEXT, AT(params_file), 0, 0, 0, "FILE",
   "instead: the params of the requests, by turns,\n"
   "each a line of JSON"},
  {"inflight", COMMAND_BENCH, KIND_COUNT, AT(inflight), 1, 16 * MILLION, 0, "N",
   "requests at once, of all connections; default 64"},
  {"connections", COMMAND_BENCH, KIND_COUNT, AT(connections), 1, 60000, 0, "C",
   "default 1, or one for each URL"},
  {"seconds", COMMAND_BENCH, KIND_REAL, AT(seconds), 0.01, MILLION, 0, "S",
   "how long to count; default 5"},
  {"requests", COMMAND_BENCH, KIND_COUNT, AT(requests), 1, 1e15, 0, "N",
   "instead of --seconds: how many to make"},
  {"warmup", COMMAND_BENCH, KIND_REAL, AT(warmup), 0, 3600, 0, "S",
   "not counted; default 0.5 s, none with --requests"},
  {"rate", COMMAND_BENCH, KIND_REAL, AT(rate), 0.001, 100 * MILLION, 0, "R",
   "requests a second, at even distances. Latency\n"
   "counts from when each should have started, so\n"
   "that a stall shows in all that it delayed. Keeps\n"
   "a CPU busy, to start them in time."},
  {"ramp", COMMAND_BENCH, KIND_REAL, AT(ramp), 0, 3600, 0, "S",
   "begin with one request in flight, or at no rate,\n"
   "and grow evenly to all of it in S seconds, which\n"
   "are counted"},
  {"timeout", COMMAND_BENCH, KIND_COUNT, AT(timeout_ms), 1, 1000 * MILLION, 0,
   "MS", "of a request; default 10000"},
  {"timeout", COMMAND_CALL, KIND_COUNT, AT(timeout_ms), 1, 1000 * MILLION, 0,
   "MS", "from start to end; of calls on stdin: of each;\ndefault 30000"},
  {"timeout", COMMAND_LISTEN | COMMAND_CONNECT | COMMAND_PING, KIND_COUNT,
   AT(timeout_ms), 1, 1000 * MILLION, 0, "MS",
   "for the connection, and for each answer;\ndefault 30000"},
  {"notify", COMMAND_CALL, KIND_FLAG, AT(notify), 0, 0, 0, NULL,
   "a notification: waits for no answer"},
  {"events", COMMAND_CALL, KIND_COUNT, AT(events), 1, 1e15, 0, "N",
   "print the first N events, too; then it ends"},
  {"events", COMMAND_LISTEN, KIND_COUNT, AT(events), 1, 1e15, 0, "N",
   "end after N; default: at Ctrl-C"},
  {"event", COMMAND_LISTEN, KIND_TEXT, AT(event), 0, 0, 0, "NAME",
   "only events of this name"},
  {"event-key", COMMAND_LISTEN, KIND_TEXT, AT(event_key), 0, 0, 0, "POINTER",
   "with METHOD: where in the event it stands which\n"
   "subscription it is for, as a JSON Pointer"},
  {"answer-key", COMMAND_LISTEN, KIND_TEXT, AT(answer_key), 0, 0, 0, "POINTER",
   "and where in the answer; default: all of it"},
  {"item", COMMAND_LISTEN, KIND_TEXT, AT(item), 0, 0, 0, "POINTER",
   "print this part of each event"},
  {"unsubscribe", COMMAND_LISTEN, KIND_TEXT, AT(unsubscribe), 0, 0, 0, "METHOD",
   "called at the end, with [ID]; default: the\n"
   "protocol's cancel, if it has one"},
  {"unordered", COMMAND_CALL, KIND_FLAG, AT(unordered), 0, 0, 0, NULL,
   "of calls on stdin: print answers as they come"},
  {"inflight", COMMAND_CALL, KIND_COUNT, AT(inflight), 1, 16 * MILLION, 0, "N",
   "of calls on stdin: at most so many at once;\ndefault 64"},
  {"count", COMMAND_PING, KIND_COUNT, AT(count), 1, 1e15, 'c', "N",
   "how many; default: until Ctrl-C"},
  {"interval", COMMAND_PING, KIND_COUNT, AT(interval), 1, 1000 * MILLION, 'i',
   "MS", "between two; default 1000"},
  {"publish", COMMAND_SERVE, KIND_FLAG, AT(publish), 0, 0, 0, NULL,
   "each line on stdin, NAME [PARAMS], is an event\n"
   "for all who are connected"},
  {"json", COMMAND_CALL, KIND_FLAG, AT(json), 0, 0, 0, NULL,
   "for programs: one object on stdout, whatever\n"
   "happens: outcome, result or error, milliseconds"},
  {"json", COMMAND_LISTEN | COMMAND_PING, KIND_FLAG, AT(json), 0, 0, 0, NULL,
   "for programs: an object a line"},
  {"pretty", COMMAND_CALL, KIND_FLAG, AT(pretty), 0, 0, 0, NULL,
   "indent the result"},
  {"verify", COMMAND_BENCH, KIND_FLAG, AT(verify), 0, 0, 0, NULL,
   "each request has params of its own, and its\n"
   "answer must be equal to them (method echo)"},
  {"json-values", COMMAND_BENCH, KIND_FLAG, AT(json_values), 0, 0, 0, NULL,
   "params are built, and answers parsed, as json_t"},
  {"line", COMMAND_BENCH, KIND_FLAG, AT(line), 0, 0, 0, NULL,
   "print one line: name=value pairs"},
  {"report", COMMAND_BENCH, KIND_REPORT, AT(report), 0, 0, 0, "FILE",
   ".html, .svg (pictures) or .json (all numbers)"},
  {"help", ANY | COMMAND_PROTOCOL, KIND_FLAG, AT(help), 0, 0, 'h', NULL, "this text"},
  {"version", ANY | COMMAND_PROTOCOL, KIND_FLAG, AT(version), 0, 0, 0, NULL, "the version"},
};
/* clang-format on */

const size_t command_option_count =
    sizeof(command_options) / sizeof(*command_options);

#define URL_HELP                                                               \
  "URL is ws:// or wss://host:port/path, or ws+unix:///path/to/socket.\n"

static const char bench_about[] =
    "Keeps N requests in flight and measures throughput and latency. Each\n"
    "answer is followed by the next request, or, with --rate, requests start\n"
    "on a fixed schedule. With several URLs the connections go to them by\n"
    "turns.\n" URL_HELP;
static const char bench_after[] =
    "Ctrl-C ends it early, with the results so far. The exit status is 0 if\n"
    "each request was answered, 1 if not, 2 if there was no connection, 64 if\n"
    "the options are wrong, 74 if the output couldn't be written.\n";
static const char call_about[] =
    "Makes one request and prints its result, as JSON. PARAMS is JSON text, -\n"
    "for what stdin has, or @FILE. With - as METHOD each line of stdin is a\n"
    "call, METHOD [PARAMS], and each answer a line: an object as of --json,\n"
    "with the number of the call's line; in order, unless --unordered says\n"
    "otherwise.\n" URL_HELP;
static const char call_after[] =
    "Errors go to stderr, with the code and what is known of the request. The\n"
    "exit status says it too; of several calls, the greatest one:\n"
    "   0  answered; with --notify: sent\n"
    "   1  answered with an error\n"
    "   2  not sent: no connection, or the request can't be sent\n"
    "   3  sent, but no answer came: the service may have acted on it; or\n"
    "      fewer events than --events came in time\n"
    "  64  the options are wrong\n"
    "  74  the result couldn't be written\n";
static const char listen_about[] =
    "Prints the events that a service sends, each a line: NAME PARAMS. With\n"
    "METHOD it subscribes first, by that request, and prints what belongs to\n"
    "it: the events that --event and --event-key tell from others, or, "
    "without\n"
    "--event, the request's partial answers. PARAMS is as of uvow "
    "call.\n" URL_HELP;
static const char listen_after[] =
    "Ctrl-C unsubscribes and closes in order. The exit status is 0 then, and\n"
    "after --events N; 1 if the subscription was answered with an error, 2 if\n"
    "there was no connection, 3 if it was lost, 64 if the options are wrong,\n"
    "74 if the output couldn't be written.\n";
static const char connect_about[] =
    "A conversation: each line is a call, METHOD [PARAMS], and its answer is\n"
    "printed when it comes, beside the call; events are printed as they come,\n"
    "above the prompt.\n" URL_HELP;
static const char connect_after[] =
    "Lines that begin with a dot:\n"
    "  .notify METHOD [PARAMS]  a notification\n"
    "  .send TEXT               a message as it is\n"
    "  .wait                    take no further line until all are answered\n"
    "  .pending                 what isn't answered yet\n"
    "  .help                    these\n"
    "  .quit                    close in order, at once; the end of the input\n"
    "                           does it when all is answered\n"
    "The exit status is 0; 2 if there was no connection, 3 if it was lost, 64\n"
    "if the options are wrong, 74 if the output couldn't be written.\n";
static const char ping_about[] =
    "Connects and pings, by the WebSocket's own pings: how long the way there\n"
    "and back is, without the service.\n" URL_HELP;
static const char ping_after[] =
    "The exit status is 0 if each ping was answered, 2 if there was no\n"
    "connection, 3 if not each was, 64 if the options are wrong, 74 if the\n"
    "output couldn't be written.\n";
static const char serve_about[] =
    "Serves until SIGINT or SIGTERM, and prints where it listens.\n";
static const char serve_after[] =
    "Methods:\n"
    "  echo         answers with its params\n"
    "  add          {\"a\":1,\"b\":2} or [1,2,...]: their sum\n"
    "  sleep        {\"ms\":N} or [N]: answers null after N ms\n"
    "  error, fail  {\"code\":N,\"message\":\"...\",\"data\":...}: that error\n"
    "  stream       {\"items\":N,\"ms\":M}: N partial answers, M ms apart;\n"
    "               events named stream, where the protocol has none\n"
    "  events       {\"name\":\"...\",\"items\":N,\"ms\":M}: N events of that\n"
    "               name, to the caller\n"
    "  publish      {\"name\":\"...\",\"params\":...}: an event for all who "
    "are\n"
    "               connected; answers how many they are\n"
    "The exit status is 0 after SIGINT or SIGTERM, 2 if it can't listen, 64 "
    "if\n"
    "the options are wrong.\n";

static const char protocol_about[] =
    "Says what a protocol's description (JSON, see uvow/protocol.h) writes\n"
    "and reads, or, with line and column, what in it can't work. FILE may be\n"
    "\"-\".\n";
static const char protocol_after[] =
    "The exit status is 0 if it can work, 1 if not, 64 if the options are\n"
    "wrong, 74 if the file can't be read.\n";

const command_t command_names[] = {
    {"call", COMMAND_CALL, "URL METHOD [PARAMS]", "one request, from a shell",
     call_about, call_after},
    {"listen", COMMAND_LISTEN, "URL [METHOD [PARAMS]]", "events as they come",
     listen_about, listen_after},
    {"connect", COMMAND_CONNECT, "URL", "a conversation", connect_about,
     connect_after},
    {"ping", COMMAND_PING, "URL", "how far away a service is", ping_about,
     ping_after},
    {"bench", COMMAND_BENCH, "URL ...", "how fast a service answers",
     bench_about, bench_after},
    {"serve", COMMAND_SERVE, "", "a server to try them with", serve_about,
     serve_after},
    {"protocol", COMMAND_PROTOCOL, "check FILE | list",
     "what a description says", protocol_about, protocol_after},
};

const size_t command_name_count =
    sizeof(command_names) / sizeof(*command_names);
