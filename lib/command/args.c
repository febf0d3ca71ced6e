/*
 * The command line.
 *
 * One table has every option, with the commands that know it. An option is
 * "--name value", "--name=value", or a flag; the last one of a name counts. A
 * few have a letter, curl's: "-x value".
 */
#include "args.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

typedef enum kind {
  KIND_FLAG,
  KIND_UNFLAG, /* takes a flag back */
  KIND_TEXT,
  KIND_COUNT,
  KIND_REAL,
  KIND_PROTOCOL,
  KIND_REPORT,
  KIND_HEADER,
  KIND_PROXY,
  KIND_SUBPROTOCOL
} kind_t;

typedef struct option {
  const char *name;
  unsigned commands;
  kind_t kind;
  size_t offset; /* in args_t */
  double min;    /* of a number */
  double max;
  char letter; /* or none */
} option_t;

#define CLIENT (COMMAND_BENCH | COMMAND_CALL)
#define ANY (CLIENT | COMMAND_SERVE)
#define AT(field) offsetof(args_t, field)
#define MILLION 1e6

/* Names are curl's where it has one. */
static const option_t options[] = {
    {"help", ANY, KIND_FLAG, AT(help), 0, 0, 'h'},
    {"version", ANY, KIND_FLAG, AT(version), 0, 0, 0},
    {"url", CLIENT, KIND_TEXT, AT(url), 0, 0, 0},
    {"protocol", ANY, KIND_PROTOCOL, AT(protocol), 0, 0, 0},
    {"header", CLIENT, KIND_HEADER, 0, 0, 0, 'H'},
    {"oauth2-bearer", CLIENT, KIND_TEXT, AT(bearer), 0, 0, 0},
    {"origin", CLIENT, KIND_TEXT, AT(origin), 0, 0, 0},
    {"subprotocol", ANY, KIND_SUBPROTOCOL, 0, 0, 0, 0},
    {"cacert", ANY, KIND_TEXT, AT(ca), 0, 0, 0},
    {"cert", ANY, KIND_TEXT, AT(cert), 0, 0, 'E'},
    {"key", ANY, KIND_TEXT, AT(key), 0, 0, 0},
    {"pass", ANY, KIND_TEXT, AT(password), 0, 0, 0},
    {"insecure", CLIENT, KIND_FLAG, AT(insecure), 0, 0, 'k'},
    {"proxy", CLIENT, KIND_PROXY, AT(proxy), 0, 0, 'x'},
    {"proxy-env", CLIENT, KIND_FLAG, AT(proxy_env), 0, 0, 0},
    {"deflate", ANY, KIND_FLAG, AT(deflate), 0, 0, 0},
    {"no-deflate", ANY, KIND_UNFLAG, AT(deflate), 0, 0, 0},
    {"timeout", CLIENT, KIND_COUNT, AT(timeout_ms), 1, 1000 * MILLION, 0},
    {"pretty", COMMAND_CALL, KIND_FLAG, AT(pretty), 0, 0, 0},
    {"host", COMMAND_SERVE, KIND_TEXT, AT(host), 0, 0, 0},
    {"port", COMMAND_SERVE, KIND_COUNT, AT(port), 0, 65535, 0},
    {"unix-socket", COMMAND_SERVE, KIND_TEXT, AT(socket_path), 0, 0, 0},
    {"inflight", COMMAND_BENCH, KIND_COUNT, AT(inflight), 1, 16 * MILLION, 0},
    {"connections", COMMAND_BENCH, KIND_COUNT, AT(connections), 1, 60000, 0},
    {"seconds", COMMAND_BENCH, KIND_REAL, AT(seconds), 0.01, MILLION, 0},
    {"requests", COMMAND_BENCH, KIND_COUNT, AT(requests), 1, 1e15, 0},
    {"warmup", COMMAND_BENCH, KIND_REAL, AT(warmup), 0, 3600, 0},
    {"rate", COMMAND_BENCH, KIND_REAL, AT(rate), 0.001, 100 * MILLION, 0},
    {"method", COMMAND_BENCH, KIND_TEXT, AT(method), 0, 0, 0},
    {"params", COMMAND_BENCH, KIND_TEXT, AT(params), 0, 0, 0},
    {"json-values", COMMAND_BENCH, KIND_FLAG, AT(json_values), 0, 0, 0},
    {"verify", COMMAND_BENCH, KIND_FLAG, AT(verify), 0, 0, 0},
    {"line", COMMAND_BENCH, KIND_FLAG, AT(line), 0, 0, 0},
    {"report", COMMAND_BENCH, KIND_REPORT, AT(report), 0, 0, 0},
};

static int wrong(args_t *args, const char *format, const char *name,
                 const char *value) {
  snprintf(args->error, sizeof(args->error), format, name, value);
  return -1;
}

static int set_count(args_t *args, const option_t *option, const char *value,
                     void *to) {
  char *end;
  errno = 0;
  unsigned long long count = strtoull(value, &end, 10);
  if (*value < '0' || *value > '9' || *end || errno)
    return wrong(args, "--%s wants a whole number, not \"%.80s\"", option->name,
                 value);
  if ((double)count < option->min || (double)count > option->max)
    return wrong(args, "--%s can't be %.80s", option->name, value);
  *(uint64_t *)to = count;
  return 0;
}

static int set_real(args_t *args, const option_t *option, const char *value,
                    void *to) {
  char *end;
  double real = strtod(value, &end);
  if (end == value || *end || !isfinite(real))
    return wrong(args, "--%s wants a number, not \"%.80s\"", option->name,
                 value);
  if (real < option->min || real > option->max)
    return wrong(args, "--%s can't be %.80s", option->name, value);
  *(double *)to = real;
  return 0;
}

static int set_report(args_t *args, const char *value) {
  const char *dot = strrchr(value, '.');
  if (dot && strcmp(dot, ".html") == 0)
    args->report_kind = REPORT_HTML;
  else if (dot && strcmp(dot, ".svg") == 0)
    args->report_kind = REPORT_SVG;
  else if (dot && strcmp(dot, ".json") == 0)
    args->report_kind = REPORT_JSON;
  else
    return wrong(args, "--%s wants a .html, .svg or .json file, not \"%.80s\"",
                 "report", value);
  args->report = value;
  return 0;
}

static int add_header(args_t *args, char *value) {
  char *colon = strchr(value, ':');
  if (!colon || colon == value)
    return wrong(args, "--%s wants \"Name: value\", not \"%.80s\"", "header",
                 value);
  if (args->header_count == ARGS_LISTED)
    return wrong(args, "too many --%s%s", "header", "");
  *colon++ = '\0';
  colon += strspn(colon, " \t");
  args->headers[args->header_count].name = value;
  args->headers[args->header_count++].value = colon;
  return 0;
}

/* Not with the value: there may be a password in it. */
static int set_proxy(args_t *args, const char *value) {
  static const char scheme[] = "http://";
  for (size_t i = 0; *value && i < sizeof(scheme) - 1; i++)
    if (tolower((unsigned char)value[i]) != scheme[i])
      return wrong(args, "--proxy wants %s%s", scheme,
                   "[user:password@]host[:port]");
  args->proxy = value;
  return 0;
}

static int set(args_t *args, const option_t *option, char *value) {
  void *to = (char *)args + option->offset;
  switch (option->kind) {
  case KIND_FLAG:
  case KIND_UNFLAG:
    *(int *)to = option->kind == KIND_FLAG;
    return 0;
  case KIND_TEXT:
    *(const char **)to = value;
    return 0;
  case KIND_COUNT:
    return set_count(args, option, value, to);
  case KIND_REAL:
    return set_real(args, option, value, to);
  case KIND_PROTOCOL:
    args->protocol = uvow_protocol_by_name(value);
    if (!args->protocol)
      return wrong(args, "--%s: there is no \"%.80s\"", option->name, value);
    return 0;
  case KIND_REPORT:
    return set_report(args, value);
  case KIND_HEADER:
    return add_header(args, value);
  case KIND_PROXY:
    return set_proxy(args, value);
  case KIND_SUBPROTOCOL:
    if (args->subprotocol_count == ARGS_LISTED)
      return wrong(args, "too many --%s%s", option->name, "");
    args->subprotocols[args->subprotocol_count++] = value;
    return 0;
  }
  return -1;
}

static const option_t *find(const args_t *args, const char *name, size_t len) {
  for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
    if (strncmp(options[i].name, name, len) == 0 && !options[i].name[len] &&
        (options[i].commands & (unsigned)args->command))
      return &options[i];
  return NULL;
}

static const option_t *find_letter(const args_t *args, const char *word) {
  for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
    if (options[i].letter == word[1] && !word[2] &&
        (options[i].commands & (unsigned)args->command))
      return &options[i];
  return NULL;
}

/* An option; *at goes on past its value. */
static int take_option(args_t *args, char **argv, int *at, int argc) {
  char *word = argv[*at];
  int is_long = word[1] == '-';
  size_t len = is_long ? strcspn(word + 2, "=") : 0;
  char *value = is_long && word[len + 2] ? word + len + 3 : NULL;
  const option_t *option =
      is_long ? find(args, word + 2, len) : find_letter(args, word);
  if (!option)
    return wrong(args, "unknown option %.80s%s", word, "");
  int is_flag = option->kind == KIND_FLAG || option->kind == KIND_UNFLAG;
  if (is_flag && value)
    return wrong(args, "--%s takes no value%s", option->name, "");
  if (!is_flag && !value) {
    if (*at + 1 >= argc)
      return wrong(args, "--%s wants a value%s", option->name, "");
    value = argv[++*at];
  }
  return set(args, option, value);
}

static int take_word(args_t *args, char *word) {
  if (args->command != COMMAND_CALL)
    return wrong(args, "%s: what is it for?%s", word, "");
  if (!args->method)
    args->method = word;
  else if (!args->params)
    args->params = word;
  else
    return wrong(args, "%.80s: METHOD and PARAMS are there already%s", word,
                 "");
  return 0;
}

static subcommand_t command_named(const char *name) {
  if (strcmp(name, "bench") == 0)
    return COMMAND_BENCH;
  if (strcmp(name, "call") == 0)
    return COMMAND_CALL;
  return strcmp(name, "serve") == 0 ? COMMAND_SERVE : COMMAND_NONE;
}

static int check_json(args_t *args) {
  json_error_t error;
  if (!args->params)
    return 0;
  json_t *json = json_loads(args->params, JSON_DECODE_ANY, &error);
  if (!json)
    return wrong(args, "the params are not JSON: %s%s", error.text, "");
  json_decref(json);
  return 0;
}

static int check_bench(args_t *args) {
  if (args->requests && args->seconds > 0)
    return wrong(args, "--seconds or --requests, not both%s%s", "", "");
  if (args->verify && args->params)
    return wrong(args, "--verify makes params of its own: not with --%s%s",
                 "params", "");
  if (args->inflight < args->connections)
    return wrong(args, "--inflight is of all --%s: it can't be less%s",
                 "connections", "");
  if (!args->requests && args->seconds == 0)
    args->seconds = 5;
  if (args->warmup < 0)
    args->warmup = args->requests ? 0 : 0.5;
  if (!args->method) {
    args->method = "echo";
    if (!args->params)
      args->params = "{\"x\":81}";
  }
  return 0;
}

static int check_connection(args_t *args) {
  if (args->key && !args->cert)
    return wrong(args, "--key is the key of a --%s: there is none%s", "cert",
                 "");
  if (args->command == COMMAND_SERVE && args->ca && !args->cert)
    return wrong(args, "--cacert is for wss: not without --%s%s", "cert", "");
  if (args->proxy && args->proxy_env)
    return wrong(args, "--proxy or --proxy-env, not both%s%s", "", "");
  if (args->socket_path && (args->host || args->port || args->cert))
    return wrong(args, "--unix-socket: not with --host, --port or --%s%s",
                 "cert", "");
  return 0;
}

static int check(args_t *args) {
  if (args->command & CLIENT && !args->url)
    return wrong(args, "--url is missing%s%s", "", "");
  if (args->command == COMMAND_CALL && !args->method)
    return wrong(args, "METHOD is missing%s%s", "", "");
  if (check_connection(args))
    return -1;
  if (args->command == COMMAND_BENCH && check_bench(args))
    return -1;
  return check_json(args);
}

static void set_defaults(args_t *args) {
  args->protocol = uvow_protocol_jsonrpc2();
  args->inflight = 64;
  args->connections = 1;
  args->warmup = -1;
  args->timeout_ms = args->command == COMMAND_BENCH ? 10000 : 30000;
}

int args_parse(args_t *args, int argc, char **argv) {
  memset(args, 0, sizeof(*args));
  const char *first = argc > 1 ? argv[1] : "";
  args->help = !strcmp(first, "--help") || !strcmp(first, "-h") ||
               !strcmp(first, "help");
  args->version = strcmp(first, "--version") == 0;
  if (args->help || args->version)
    return 0;
  args->command = command_named(first);
  if (args->command == COMMAND_NONE && argc > 1)
    return wrong(args, "unknown %s %.80s", *first == '-' ? "option" : "command",
                 first);
  if (args->command == COMMAND_NONE)
    return wrong(args, "bench, call or serve?%s%s", "", "");
  set_defaults(args);
  int words_only = 0;
  for (int i = 2; i < argc; i++) {
    int rc = 0;
    if (words_only || *argv[i] != '-' || !argv[i][1])
      rc = take_word(args, argv[i]);
    else if (strcmp(argv[i], "--") == 0)
      words_only = 1;
    else
      rc = take_option(args, argv, &i, argc);
    if (rc)
      return rc;
  }
  return args->help || args->version ? 0 : check(args);
}
