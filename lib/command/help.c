/*
 * What --help prints.
 */
#include "args.h"

#define PROTOCOL_HELP                                                          \
  "      --protocol P      jsonrpc2 (default), callback_id or cdp\n"

#define CONNECTION_HELP                                                        \
  "      --url URL         ws://, wss://host:port/path, or\n"                  \
  "                        ws+unix:///path/to/socket\n" PROTOCOL_HELP          \
  "  -H, --header 'N: V'   sent with the handshake; up to 16 of them\n"        \
  "      --oauth2-bearer T sent as \"Authorization: Bearer T\"\n"              \
  "      --origin O        sent as Origin\n"                                   \
  "      --subprotocol S   offered in the handshake; up to 16 of them\n"       \
  "      --cacert FILE     for wss: whom to trust (PEM), instead of the\n"     \
  "                        system's CAs\n"                                     \
  "  -E, --cert FILE       for wss: our own certificate (PEM)\n"               \
  "      --key FILE        and its private key; default: in the same file\n"   \
  "      --pass PASSWORD   of the key, where it's encrypted\n"                 \
  "  -k, --insecure        for wss: any certificate will do; says so\n"        \
  "  -x, --proxy URL       http://[user:password@]host[:port]: connects\n"     \
  "                        through it, for ws by CONNECT too\n"                \
  "      --proxy-env       connects as https_proxy, http_proxy, all_proxy\n"   \
  "                        and no_proxy of the environment say\n"              \
  "      --deflate         offer compression\n"                                \
  "      --no-deflate      don't (default)\n"

static const char overview[] =
    "usage: uvow bench --url URL [options]    how fast a service answers\n"
    "       uvow call --url URL METHOD [PARAMS]    one request, from a shell\n"
    "       uvow serve [options]              a server to try them with\n"
    "       uvow --version\n"
    "\n"
    "uvow COMMAND --help says more.\n";

static const char bench[] =
    "usage: uvow bench --url URL [options]\n"
    "\n"
    "Keeps N requests in flight and measures throughput and latency. Each\n"
    "answer is followed by the next request, or, with --rate, requests start\n"
    "on a fixed schedule.\n"
    "\n" CONNECTION_HELP
    "      --method M        default echo, with params {\"x\":81}\n"
    "      --params JSON     as they are sent\n"
    "      --inflight N      requests at once, of all connections; default 64\n"
    "      --connections C   default 1\n"
    "      --seconds S       how long to count; default 5\n"
    "      --requests N      instead of --seconds: how many to make\n"
    "      --warmup S        not counted; default 0.5 s, none with --requests\n"
    "      --rate R          requests a second, at even distances. Latency\n"
    "                        counts from when each should have started, so\n"
    "                        that a stall shows in all that it delayed. Keeps\n"
    "                        a CPU busy, to start them in time.\n"
    "      --timeout MS      of a request; default 10000\n"
    "      --verify          each request has params of its own, and its\n"
    "                        answer must be equal to them (method echo)\n"
    "      --json-values     params are built, and answers parsed, as json_t\n"
    "      --line            print one line: name=value pairs\n"
    "      --report FILE     .html, .svg (pictures) or .json (all numbers)\n"
    "\n"
    "Ctrl-C ends it early, with the results so far. The exit status is 0 if\n"
    "each request was answered, 1 if not, 2 if there was no connection, 64 if\n"
    "the options are wrong, 74 if the output couldn't be written.\n";

static const char call[] =
    "usage: uvow call --url URL [options] METHOD [PARAMS]\n"
    "\n"
    "Makes one request and prints its result, as JSON. PARAMS is JSON text.\n"
    "\n" CONNECTION_HELP
    "      --timeout MS      from start to end; default 30000\n"
    "      --pretty          indent the result\n"
    "\n"
    "Errors go to stderr, with the code and what is known of the request. The\n"
    "exit status says it too:\n"
    "   0  answered\n"
    "   1  answered with an error\n"
    "   2  not sent: no connection, or the request can't be sent\n"
    "   3  sent, but no answer came: the service may have acted on it\n"
    "  64  the options are wrong\n"
    "  74  the result couldn't be written\n";

static const char serve[] =
    "usage: uvow serve [options]\n"
    "\n"
    "Serves until SIGINT or SIGTERM, and prints where it listens.\n"
    "\n"
    "      --port P          default: the system chooses\n"
    "      --host ADDRESS    default 127.0.0.1\n"
    "      --unix-socket PATH  instead: a Unix domain socket\n" PROTOCOL_HELP
    "      --subprotocol S   that is agreed on where it's offered; up to 16\n"
    "  -E, --cert FILE       speak wss, with this certificate (PEM)\n"
    "      --key FILE        and its private key; default: in the same file\n"
    "      --pass PASSWORD   of the key, where it's encrypted\n"
    "      --cacert FILE     ask who comes for a certificate of this CA (PEM)\n"
    "      --deflate         agree to compression\n"
    "      --no-deflate      don't (default)\n"
    "\n"
    "Methods:\n"
    "  echo                answers with its params\n"
    "  add                 {\"a\":1,\"b\":2} or [1,2,...]: their sum\n"
    "  sleep               {\"ms\":N} or [N]: answers null after N ms\n"
    "  error               {\"code\":N,\"message\":\"...\",\"data\":...}: that "
    "error\n";

const char *args_help(subcommand_t command) {
  switch (command) {
  case COMMAND_BENCH:
    return bench;
  case COMMAND_CALL:
    return call;
  case COMMAND_SERVE:
    return serve;
  case COMMAND_NONE:
    break;
  }
  return overview;
}
