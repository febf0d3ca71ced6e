/*
 * uvow protocol check: whether a description can work, and what it says.
 *
 *   mopidy: it can work
 *     has     base        "jsonrpc2"
 *     opens   sends       {"type":"auth","access_token":"$token"}
 *     lets in waits for   {"/type":"auth"}
 *             and         {"same":{"token":"/access_token"}}
 *     writes  call        {"jsonrpc":"2.0", ...}
 *     reads   event       {"/jsonrpc":false}
 *             and         {"name":"/event","value":""}
 *
 * uvow protocol list: the built-in ones, a line each.
 */
#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define TEXT_MAX (1u << 20) /* bytes of a description */

static char *read_file(const char *path, size_t *ret_len) {
  FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
  char *text = (char *)malloc(TEXT_MAX);
  if (!file || !text) {
    fprintf(stderr, "uvow: %s: %s\n", path, strerror(errno));
    free(text);
    if (file && file != stdin)
      fclose(file);
    return NULL;
  }
  *ret_len = fread(text, 1, TEXT_MAX, file);
  int failed = ferror(file) || *ret_len == TEXT_MAX;
  if (file != stdin)
    fclose(file);
  if (!failed)
    return text;
  fprintf(stderr, "uvow: %s: it can't be read, or is longer than %u bytes\n",
          path, TEXT_MAX);
  free(text);
  return NULL;
}

static uvow_protocol_t *parse(const char *path, const char *text, size_t len) {
  uvow_error_t *error = NULL;
  uvow_protocol_t *protocol = uvow_protocol_parse(text, len, &error);
  if (!protocol)
    fprintf(stderr, "uvow: %s: %s\n", path, uvow_error_message(error));
  uvow_error_unref(error);
  return protocol;
}

uvow_protocol_t *protocol_load(const char *path) {
  size_t len;
  char *text = read_file(path, &len);
  uvow_protocol_t *protocol = text ? parse(path, text, len) : NULL;
  free(text);
  return protocol;
}

static void print_json(const char *what, const char *name, json_t *json) {
  char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
  if (text)
    printf("  %-7s %-11s %s\n", what, name, text);
  free(text);
}

/* What an object has beside these two members, on a line of its own. */
static void print_rest(json_t *object, const char *one, const char *other) {
  json_t *rest = json_copy(object);
  (void)json_object_del(rest, one);
  (void)json_object_del(rest, other);
  if (json_object_size(rest))
    print_json("", "and", rest);
  json_decref(rest);
}

static void print_rules(json_t *rules) {
  json_t *rule;
  size_t i;
  json_array_foreach(rules, i, rule) {
    json_t *when = json_object_get(rule, "when");
    const char *is = json_string_value(json_object_get(rule, "is"));
    if (when)
      print_json("reads", is, when);
    else
      printf("  reads   %-11s whatever is left\n", is);
    print_rest(rule, "is", "when");
  }
}

static void print_step(const char *what, json_t *step) {
  json_t *send = json_object_get(step, "send");
  print_json(what, send ? "sends" : "waits for",
             send ? send : json_object_get(step, "expect"));
  print_rest(step, "send", "expect");
}

static void print_steps(json_t *json, const char *name, const char *what) {
  json_t *step;
  size_t i;
  json_array_foreach(json_object_get(json, name), i, step)
      print_step(what, step);
}

/* What a description's messages need, and the protocol doesn't give. */
static void add_wanted(json_t *json, json_t *wanted) {
  static const char *const own[] = {
      "id",        "method",    "params",         "args",
      "kwargs",    "object",    "value",          "traceparent",
      "code",      "message",   "data",           "error",
      "signature", "challenge", "authentication", "data_or_message",
      "asks",      NULL};
  const char *text = json_string_value(json);
  const char *name;
  json_t *value;
  char wants[80];
  size_t i;
  if (text && text[0] == '$' && text[1] && text[1] != '$') {
    size_t len = strcspn(text + 1, "!");
    for (i = 0; own[i]; i++)
      if (strlen(own[i]) == len && strncmp(own[i], text + 1, len) == 0)
        return;
    snprintf(wants, sizeof(wants), "%.*s", (int)len, text + 1);
    (void)json_object_set_new(wanted, wants, json_null());
  }
  json_object_foreach(json, name, value) {
    add_wanted(value, wanted);
  }
  json_array_foreach(json, i, value) {
    add_wanted(value, wanted);
  }
}

static void print_wanted(json_t *json) {
  json_t *wanted = json_object();
  const char *name;
  json_t *value;
  add_wanted(json, wanted);
  json_object_foreach(wanted, name, value) {
    printf("  %-7s %-11s %s\n", "wants", "variable", name);
  }
  json_decref(wanted);
}

/* The description was parsed already: its members are what they must be. */
static void print_description(json_t *json) {
  static const char *const messages[] = {
      "call",    "notify", "cancel", "reply",     "reply_error",
      "partial", "event",  "end",    "subscribe", NULL};
  static const char *const others[] = {
      "base",    "subprotocol", "ids",     "id_prefix", "params",
      "batches", "reply_first", "liberal", "closes",    NULL};
  size_t i;
  printf("%s: it can work\n", json_string_value(json_object_get(json, "name")));
  for (i = 0; others[i]; i++)
    if (json_object_get(json, others[i]))
      print_json("has", others[i], json_object_get(json, others[i]));
  print_wanted(json);
  print_steps(json, "open", "opens");
  print_steps(json, "accept", "lets in");
  for (i = 0; messages[i]; i++)
    if (json_object_get(json, messages[i]))
      print_json("writes", messages[i], json_object_get(json, messages[i]));
  if (json_object_get(json, "heartbeat"))
    print_json("writes", "heartbeat", json_object_get(json, "heartbeat"));
  print_rules(json_object_get(json, "rules"));
}

static int list(void) {
  static const struct {
    const char *name;
    const char *what;
  } all[] = {
      {"jsonrpc2", "JSON-RPC 2.0, with batches, cancel and progress"},
      {"lsp", "a language server: jsonrpc2 that opens with initialize"},
      {"mcp", "the Model Context Protocol: jsonrpc2, with initialize"},
      {"callback_id", "requests with a type and a callback_id"},
      {"cdp", "Chrome DevTools, with sessions"},
      {"webdriver_bidi", "WebDriver BiDi (a client's side)"},
      {"home_assistant", "Home Assistant's WebSocket API (token)"},
      {"obs5", "obs-websocket 5 (password)"},
      {"phoenix2", "Phoenix channels, serializer 2.0.0 (topic, join_ref)"},
      {"graphql_transport_ws", "GraphQL over WebSocket (secret)"},
      {"wamp2", "WAMP 2: caller, callee, publisher, subscriber (realm)"},
  };
  for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
    printf("%-21s %s\n", all[i].name, all[i].what);
  return EXIT_OK;
}

int protocol_main(const args_t *args) {
  size_t len = 0;
  if (strcmp(args->method, "list") == 0)
    return list();
  char *text = read_file(args->params, &len);
  if (!text)
    return EXIT_IO;
  uvow_protocol_t *protocol = parse(args->params, text, len);
  json_t *json = protocol ? json_loadb(text, len, 0, NULL) : NULL;
  if (json)
    print_description(json);
  int status = json ? EXIT_OK : EXIT_ANSWERED;
  json_decref(json);
  uvow_protocol_unref(protocol);
  free(text);
  return status;
}
