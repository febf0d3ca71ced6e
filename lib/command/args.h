#ifndef UVOW_COMMAND_ARGS_H
#define UVOW_COMMAND_ARGS_H

#include <stdint.h>
#include <stdio.h>

#include <uvow.h>

#define ARGS_LISTED 16 /* as many headers, subprotocols, and URLs */

/* Exit statuses; those of `uvow call` stand in its help. */
enum {
  EXIT_OK = 0,
  EXIT_ANSWERED = 1,
  EXIT_NOT_SENT = 2,
  EXIT_MAYBE = 3,
  EXIT_USAGE = 64,
  EXIT_IO = 74
};

typedef enum subcommand {
  COMMAND_NONE = 0,
  COMMAND_BENCH = 1,
  COMMAND_CALL = 2,
  COMMAND_SERVE = 4,
  COMMAND_PROTOCOL = 8, /* its words are method and params */
  COMMAND_LISTEN = 16,
  COMMAND_CONNECT = 32,
  COMMAND_PING = 64
} subcommand_t;

typedef enum report_kind {
  REPORT_NONE,
  REPORT_HTML,
  REPORT_SVG,
  REPORT_JSON
} report_kind_t;

/* What the command line says. Texts are borrowed from argv. */
typedef struct args {
  subcommand_t command;
  int help;
  int version;
  const char *url; /* the first of urls */
  const char *urls[ARGS_LISTED];
  size_t url_count;
  const char *host;
  const uvow_protocol_t *protocol;
  const char *vars;  /* JSON, for the protocol; or NULL */
  const char *rules; /* the file that describes it instead; or NULL */
  const char *method;
  const char *params;
  const char *report;
  report_kind_t report_kind;
  uint64_t inflight;
  uint64_t connections;
  uint64_t requests; /* 0: as long as `seconds` */
  uint64_t timeout_ms;
  uint64_t port;
  double seconds;
  double warmup;  /* seconds */
  double rate;    /* a second; 0: as fast as answers come */
  const char *ca; /* whom to trust: a client the server, a server its peers */
  int insecure;
  const char *cert;     /* our own */
  const char *key;      /* its key; in the file of cert if that isn't named */
  const char *password; /* of the key */
  const char *proxy;
  int proxy_env;
  const char *bearer;
  const char *origin;
  const char *socket_path; /* of a server */
  int deflate;
  int json_values;
  int verify;
  int line;
  int pretty;
  int notify;
  int json;
  int verbose;
  int trace;
  int raw;
  int unordered;
  int reconnect;
  int publish;
  uint64_t events;   /* to wait for; 0: call: none, listen: all */
  uint64_t count;    /* pings */
  uint64_t interval; /* ms, between them */
  const char *event; /* of a subscription: see subscription.h */
  const char *event_key;
  const char *answer_key;
  const char *item;
  const char *unsubscribe;
  const char *params_file;
  double ramp;         /* seconds */
  uvow_slice_t *lines; /* of params_file, each JSON text; free it */
  size_t line_count;
  char *params_read; /* params, where a file had them; free it */
  char *vars_read;   /* vars, the same */
  uvow_header_t headers[ARGS_LISTED];
  size_t header_count;
  const char *subprotocols[ARGS_LISTED];
  size_t subprotocol_count;
  char error[256]; /* why args_parse failed */
} args_t;

/* Reads argv[1] and on, whose headers are split in place. -1: see error. */
int args_parse(args_t *args, int argc, char **argv);
/* Whether a text begins so, which is in lower case, whatever the text's is. */
int args_begins(const char *text, const char *with);

/* What the options say of a connection, but for its TLS; the rest is as it
 * was. Points into args. */
void args_to_client(const args_t *args, uvow_peer_options_t *options,
                    uvow_websocket_options_t *websocket);

/* Connects to one of args' URLs. Returns 0, or why that can't work. */
int args_connect(const char *url, uvow_loop_t *loop,
                 const uvow_peer_options_t *options, uvow_peer_t **ret_peer);

/* The same of a server. */
void args_to_server(const args_t *args, uvow_listener_options_t *listener,
                    uvow_peer_options_t *peer);

/* The context that the options ask for, for this loop; NULL: they ask for none.
 * 1: there's something wrong with them, which has been said on stderr. */
int args_to_tls(const args_t *args, uvow_loop_t *loop, uvow_tls_t **ret_tls);

/* Says on stderr why a client can't be made; returns the exit status. */
int args_refused(int code);

/* Prints --help. */
void args_help(subcommand_t command, FILE *out);

/* Prints the completion for a shell, or "man": the manual page. -1: there's no
 * such thing. */
int args_completion(const char *what, FILE *out);

#endif
