/*
 * What became of a request.
 *
 *   uvow: UVOW_EREMOTE, answered: no such customer (code 404): {"id":9}
 *   uvow: UVOW_EHANDSHAKE, not sent: refused: 302
 *     Location: https://example.org/login
 *     <a href=...
 */
#include "verdict.h"

#include <string.h>

const char *verdict_text(uvow_outcome_t outcome) {
  switch (outcome) {
  case UVOW_ANSWERED:
    return "answered";
  case UVOW_MAYBE_EXECUTED:
    return "sent, may have been executed";
  case UVOW_NOT_SENT:
  case UVOW_OUTCOME_NONE:
    break;
  }
  return "not sent";
}

int verdict_status(uvow_outcome_t outcome) {
  if (outcome == UVOW_ANSWERED)
    return EXIT_ANSWERED;
  return outcome == UVOW_MAYBE_EXECUTED ? EXIT_MAYBE : EXIT_NOT_SENT;
}

int verdict_worse(int a, int b) {
  return a > b ? a : b;
}

/* The refused handshake that led to it, which has the server's words; or NULL. */
static const uvow_error_t *refusal_of(const uvow_error_t *error) {
  const uvow_error_t *refusal = NULL;
  for (; error; error = uvow_error_cause(error))
    if (uvow_error_code(error) == UVOW_EHANDSHAKE)
      refusal = error;
  return refusal;
}

/* Each line of what the server said, behind two blanks. */
static void print_body(const screen_t *err, const char *body, size_t len) {
  while (len) {
    const char *newline = (const char *)memchr(body, '\n', len);
    size_t line = newline ? (size_t)(newline - body) : len;
    size_t shown = line && body[line - 1] == '\r' ? line - 1 : line;
    fputs("  ", err->file);
    screen_peer(err, body, shown);
    fputc('\n', err->file);
    line += newline != NULL;
    body += line;
    len -= line;
  }
}

static void print_refusal(const screen_t *err, const uvow_error_t *refusal) {
  size_t len = 0;
  const char *location = uvow_error_header(refusal, "Location", &len);
  if (location) {
    fputs("  Location: ", err->file);
    screen_peer(err, location, len);
    fputc('\n', err->file);
  }
  const char *body = uvow_error_data(refusal, &len);
  if (body)
    print_body(err, body, len);
}

static const char *message_of(const uvow_error_t *error) {
  const char *said = uvow_error_peer_message(error);
  return said ? said : uvow_error_message(error);
}

void verdict_print(const screen_t *err, const uvow_error_t *error) {
  const char *code_text = uvow_error_peer_code_text(error);
  const uvow_error_t *refusal = refusal_of(error);
  int code = uvow_error_code(error);
  size_t len = 0;
  const char *data = uvow_error_data(error, &len);
  fputs("uvow: ", err->file);
  screen_put(err, INK_RED, uvow_err_name(code));
  fprintf(err->file, ", %s: ", verdict_text(uvow_error_outcome(error)));
  screen_peer_text(err, message_of(error));
  if (code_text) {
    fputs(" (code ", err->file);
    screen_peer_text(err, code_text);
    fputc(')', err->file);
  } else if (code == UVOW_EREMOTE) {
    fprintf(err->file, " (code %lld)", (long long)uvow_error_peer_code(error));
  }
  if (data && len && error != refusal) {
    fputs(": ", err->file);
    screen_peer(err, data, len);
  }
  fputc('\n', err->file);
  if (refusal)
    print_refusal(err, refusal);
}

/* Text of a peer's, which may be no UTF-8. */
static json_t *text_json(const char *text, size_t len) {
  json_t *json = json_stringn(text, len);
  return json ? json : json_string("(not UTF-8)");
}

static void set(json_t *object, const char *name, json_t *value) {
  (void)json_object_set_new(object, name, value);
}

static void add_refusal(json_t *object, const uvow_error_t *refusal) {
  size_t len = 0;
  const char *location = uvow_error_header(refusal, "Location", &len);
  if (location)
    set(object, "location", text_json(location, len));
  const char *body = uvow_error_data(refusal, &len);
  if (body)
    set(object, "body", text_json(body, len));
  set(object, "status", json_integer(uvow_error_status(refusal)));
}

static void add_data(json_t *object, const uvow_error_t *error) {
  size_t len = 0;
  const char *data = uvow_error_data(error, &len);
  if (!data || !len)
    return;
  json_t *json = json_loadb(data, len, JSON_DECODE_ANY, NULL);
  set(object, "data", json ? json : text_json(data, len));
}

json_t *verdict_json(const uvow_error_t *error) {
  const uvow_error_t *refusal = refusal_of(error);
  const char *code_text = uvow_error_peer_code_text(error);
  const char *message = message_of(error);
  int code = uvow_error_code(error);
  json_t *object = json_object();
  set(object, "name", json_string(uvow_err_name(code)));
  set(object, "message", text_json(message, strlen(message)));
  if (code_text)
    set(object, "code", text_json(code_text, strlen(code_text)));
  else if (code == UVOW_EREMOTE)
    set(object, "code", json_integer(uvow_error_peer_code(error)));
  if (refusal)
    add_refusal(object, refusal);
  else
    add_data(object, error);
  return object;
}
