/*
 * The command line.
 *
 * table.c has every option, with the commands that know it. An option is
 * "--name value", "--name=value", or a flag; the last one of a name counts. A
 * few have a letter, curl's: "-x value".
 */
#include "table.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/text.h"

#define CALLS (COMMAND_CALL | COMMAND_LISTEN)
#define CLIENT (CALLS | COMMAND_BENCH | COMMAND_CONNECT | COMMAND_PING)
#define WORDS (CALLS | COMMAND_PROTOCOL)

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
  args->headers[args->header_count].size = sizeof(uvow_header_t);
  args->headers[args->header_count].name = value;
  args->headers[args->header_count++].value = colon;
  return 0;
}

int args_begins(const char *text, const char *with) {
  while (*with && uvow__lower((unsigned char)*text) == *with) {
    text++;
    with++;
  }
  return !*with;
}

/* Not with the value: there may be a password in it. */
static int set_proxy(args_t *args, const char *value) {
  if (*value && !args_begins(value, "http://"))
    return wrong(args, "--proxy wants %s%s", "http://",
                 "[user:password@]host[:port]");
  args->proxy = value;
  return 0;
}

/* --url is a URL, too: both come in here. */
static int add_url(args_t *args, char *url) {
  size_t most = args->command == COMMAND_BENCH ? ARGS_LISTED : 1;
  if (args->url_count == most)
    return wrong(args, "%.80s: one URL too many%s", url, "");
  args->urls[args->url_count++] = url;
  args->url = args->urls[0];
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
  case KIND_URL:
    return add_url(args, value);
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
  for (size_t i = 0; i < command_option_count; i++)
    if (strncmp(command_options[i].name, name, len) == 0 &&
        !command_options[i].name[len] &&
        (command_options[i].commands & (unsigned)args->command))
      return &command_options[i];
  return NULL;
}

static const option_t *find_letter(const args_t *args, const char *word) {
  for (size_t i = 0; i < command_option_count; i++)
    if (command_options[i].letter == word[1] && !word[2] &&
        (command_options[i].commands & (unsigned)args->command))
      return &command_options[i];
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
  if (args->command & CLIENT && strstr(word, "://") &&
      (!args->url || args->command == COMMAND_BENCH))
    return add_url(args, word);
  if (!(args->command & WORDS))
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
  for (size_t i = 0; i < command_name_count; i++)
    if (strcmp(name, command_names[i].name) == 0)
      return command_names[i].bit;
  return COMMAND_NONE;
}

/* All of a file, with a NUL behind it, in memory that is the caller's; NULL. */
static char *read_all(FILE *file) {
  size_t size = 4096, len = 0, got = 1;
  char *text = file ? malloc(size) : NULL;
  while (text && got) {
    got = fread(text + len, 1, size - len - 1, file);
    len += got;
    if (len + 1 < size)
      continue;
    char *larger = size < ((size_t)1 << 30) ? realloc(text, size *= 2) : NULL;
    if (!larger)
      free(text);
    text = larger;
  }
  if (text && ferror(file)) {
    free(text);
    text = NULL;
  }
  if (text)
    text[len] = '\0';
  return text;
}

/* "-" and "@file" are read into memory that lives as long as the process. */
static int read_given(args_t *args, const char *what, const char **text,
                      char **ret_read) {
  int is_stdin = *text && strcmp(*text, "-") == 0;
  if (!*text || (!is_stdin && **text != '@'))
    return 0;
  FILE *file = is_stdin ? stdin : fopen(*text + 1, "rb");
  *ret_read = read_all(file);
  if (file && !is_stdin)
    fclose(file);
  if (!*ret_read)
    return wrong(args, "the %s can't be read from %.80s", what, *text);
  *text = *ret_read;
  return 0;
}

static size_t count_lines(const char *text) {
  size_t count = 1;
  for (; *text; text++)
    count += *text == '\n';
  return count;
}

static int add_line(args_t *args, const char *text, size_t len) {
  json_error_t error;
  json_t *json = json_loadb(text, len, JSON_DECODE_ANY, &error);
  if (!json)
    return wrong(args, "--params-file: %.80s: %.100s", args->params_file,
                 error.text);
  json_decref(json);
  args->lines[args->line_count].bytes = text;
  args->lines[args->line_count++].len = len;
  return 0;
}

/* Each line of --params-file that isn't empty. */
static int read_lines(args_t *args) {
  FILE *file = args->params_file ? fopen(args->params_file, "rb") : NULL;
  char *text = read_all(file);
  if (!args->params_file)
    return 0;
  if (file)
    fclose(file);
  args->params_read = text;
  args->lines = text ? calloc(count_lines(text), sizeof(*args->lines)) : NULL;
  if (!args->lines)
    return wrong(args, "--params-file: %.80s can't be read%s",
                 args->params_file, "");
  for (char *at = text; *at;) {
    size_t len = strcspn(at, "\r\n");
    if (len && add_line(args, at, len))
      return -1;
    at += len;
    at += strspn(at, "\r\n");
  }
  if (args->line_count)
    return 0;
  return wrong(args, "--params-file: %.80s has no line%s", args->params_file,
               "");
}

static int check_vars(args_t *args) {
  json_error_t error;
  json_t *vars = args->vars ? json_loads(args->vars, 0, &error) : NULL;
  int is_object = json_is_object(vars);
  const char *why = args->vars && !vars ? error.text : "";
  json_decref(vars);
  return args->vars && !is_object ? wrong(args, "--vars is no JSON object%s%s",
                                          *why ? ": " : "", why)
                                  : 0;
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
  if (args->params_file && (args->params || args->verify || args->json_values))
    return wrong(args, "--params-file: not with --params, --verify or --%s%s",
                 "json-values", "");
  if (args->ramp > 0 && args->seconds > 0 && args->ramp > args->seconds)
    return wrong(args, "--ramp can't be longer than --%s%s", "seconds", "");
  if (args->connections == 0)
    args->connections = args->url_count;
  if (args->connections < args->url_count)
    return wrong(args, "fewer --%s than URLs%s", "connections", "");
  if (args->inflight < args->connections)
    return wrong(args, "--inflight is of all --%s: it can't be less%s",
                 "connections", "");
  if (!args->requests && args->seconds == 0)
    args->seconds = 5;
  if (args->warmup < 0)
    args->warmup = args->requests || args->ramp > 0 ? 0 : 0.5;
  if (!args->method) {
    args->method = "echo";
    if (!args->params && !args->params_file)
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

static int check_protocol(args_t *args) {
  if (args->method && strcmp(args->method, "list") == 0)
    return args->params ? wrong(args, "list takes nothing%s%s", "", "") : 0;
  if (!args->method || strcmp(args->method, "check") != 0)
    return wrong(args, "what about it? uvow protocol check FILE, or list%s%s",
                 "", "");
  return args->params ? 0 : wrong(args, "FILE is missing%s%s", "", "");
}

static int check_call(args_t *args) {
  int is_stream = args->method && strcmp(args->method, "-") == 0;
  if (!args->method)
    return wrong(args, "METHOD is missing%s%s", "", "");
  if (is_stream && (args->params || args->notify || args->events))
    return wrong(args, "calls are on stdin: not with PARAMS%s%s",
                 ", --notify or --events", "");
  if (args->unordered && !is_stream)
    return wrong(args, "--unordered is for calls on stdin: METHOD is -%s%s", "",
                 "");
  return 0;
}

static int check_listen(args_t *args) {
  int is_told = args->event_key || args->answer_key || args->unsubscribe;
  if (!args->method && (is_told || args->item))
    return wrong(args, "--event-key, --answer-key, --item and --%s%s",
                 "unsubscribe", " are for a METHOD that subscribes");
  if (args->event_key && !args->event)
    return wrong(args, "--event-key is of events: --%s is missing%s", "event",
                 "");
  return 0;
}

static int check(args_t *args) {
  if (args->command == COMMAND_PROTOCOL)
    return check_protocol(args);
  if (args->command & CLIENT && !args->url)
    return wrong(args, "URL is missing%s%s", "", "");
  if (args->command == COMMAND_CALL && check_call(args))
    return -1;
  if (args->command == COMMAND_LISTEN && check_listen(args))
    return -1;
  if (check_connection(args))
    return -1;
  if (args->command == COMMAND_BENCH && check_bench(args))
    return -1;
  if (read_given(args, "params", &args->params, &args->params_read) ||
      read_given(args, "vars", &args->vars, &args->vars_read) ||
      read_lines(args))
    return -1;
  return check_vars(args) ? -1 : check_json(args);
}

static void set_defaults(args_t *args) {
  args->protocol = uvow_protocol_by_name("jsonrpc2");
  args->inflight = 64;
  args->interval = 1000;
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
    return wrong(args, "which command?%s%s", "", "");
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
