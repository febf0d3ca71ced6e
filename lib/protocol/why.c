/*
 * Why an operation can't be written: the first piece of its template that it
 * has nothing right for. Asked only once it has failed.
 */
#include "why.h"

#include <stdio.h>
#include <string.h>

#include "wire/json_text.h"

static const char *const operations[UVOW__OP_KINDS] = {
    [UVOW__OP_CALL] = "call",           [UVOW__OP_NOTIFY] = "notify",
    [UVOW__OP_REPLY] = "reply",         [UVOW__OP_REPLY_ERROR] = "reply_error",
    [UVOW__OP_EVENT] = "event",         [UVOW__OP_CANCEL] = "cancel",
    [UVOW__OP_PARTIAL] = "partial",     [UVOW__OP_END] = "end",
    [UVOW__OP_SUBSCRIBE] = "subscribe",
};

static const struct {
  uint8_t kind;
  const char *name;
} kinds[] = {
    {UVOW__KIND(OBJECT), "an object"}, {UVOW__KIND(ARRAY), "an array"},
    {UVOW__KIND(STRING), "text"},      {UVOW__KIND(NUMBER), "a number"},
    {UVOW__KIND(TRUE), "true"},        {UVOW__KIND(FALSE), "false"},
    {UVOW__KIND(NULL), "null"},
};

/* "an object or an array"; all of them take 70 bytes */
static const char *name_kinds(unsigned set, char *text, size_t cap) {
  size_t len = 0;
  *text = '\0';
  for (size_t i = 0; i < UVOW__COUNT(kinds); i++)
    if (set & kinds[i].kind)
      len += (size_t)snprintf(text + len, cap - len, "%s%s", len ? " or " : "",
                              kinds[i].name);
  return text;
}

/* JSON where `set` says of which kinds. */
static void tell_json(const char *what, uvow__slice_t json, unsigned set,
                      char *text, size_t cap) {
  char expected[120];
  char is[40];
  uvow__json_kind_t kind;
  if (set == UVOW__KINDS_ANY)
    snprintf(expected, sizeof(expected), "any JSON");
  else
    name_kinds(set, expected, sizeof(expected));
  if (json.len == 0)
    snprintf(text, cap, "%s: there's none, where %s is expected", what,
             expected);
  else if (!uvow__json_utf8(json) || uvow__envelope_value(json, &kind, &json))
    snprintf(text, cap, "%s: it's no JSON, where %s is expected", what,
             expected);
  else
    snprintf(text, cap, "%s: it's %s, where %s is expected", what,
             name_kinds((unsigned)kind, is, sizeof(is)), expected);
}

/* Members of params beside the protocol's own. */
static void tell_fields(const uvow__piece_t *piece, uvow__slice_t params,
                        char *text, size_t cap) {
  uvow__captures_t found;
  if (!uvow__json_utf8(params) ||
      uvow__envelope_scan(piece->reserved, params.ptr, params.len, &found)) {
    tell_json("params", params, UVOW__KIND(OBJECT), text, cap);
    return;
  }
  for (unsigned i = 0; i < piece->denied; i++) {
    const uvow__key_t *key = &piece->reserved->keys[i];
    if (uvow__capture_kind(&found, key->capture) == UVOW__JSON_ABSENT)
      continue;
    snprintf(text, cap,
             "params have the member \"%.*s\", which is the "
             "protocol's own",
             key->len > 200 ? 200 : key->len, uvow__key_name(key));
    return;
  }
}

static void tell_piece(const uvow__piece_t *piece, const uvow__op_t *op,
                       char *text, size_t cap) {
  switch (piece->kind) {
  case UVOW__PUT_METHOD:
    snprintf(text, cap, "method: UTF-8 is expected");
    break;
  case UVOW__PUT_VAR:
    snprintf(text, cap,
             "$%.80s isn't set: JSON is expected, in options.vars or by "
             "uvow_peer_within",
             piece->var);
    break;
  case UVOW__PUT_FIELDS:
    tell_fields(piece, op->params, text, cap);
    break;
  case UVOW__PUT_ID:
    tell_json("id", op->raw_id, piece->kinds, text, cap);
    break;
  case UVOW__PUT_ERROR_DATA:
  case UVOW__PUT_ERROR_DATA_OR_MESSAGE:
    tell_json("data", op->error_data, piece->kinds, text, cap);
    break;
  case UVOW__PUT_ERROR_MESSAGE:
    snprintf(text, cap, "message: UTF-8 is expected");
    break;
  default:
    tell_json("params", op->params, piece->kinds, text, cap);
    break;
  }
}

void uvow__dialect_why(const uvow__dialect_t *dialect, const uvow__op_t *op,
                       char *text, size_t cap) {
  const uvow_protocol_t *protocol = dialect->protocol;
  const uvow__template_t *template = &protocol->templates[op->kind];
  char own[300] = "its parts aren't what is expected";
  if (!template->count && !protocol->codec)
    snprintf(own, sizeof(own), "the protocol has no such message");
  else if (op->session.len && !protocol->has_session)
    snprintf(own, sizeof(own), "the protocol has no sessions");
  else {
    const uvow__piece_t *piece =
        uvow__template_wrong(template, &dialect->ids, op, dialect->mem);
    if (piece)
      tell_piece(piece, op, own, sizeof(own));
    else if (protocol->codec)
      snprintf(own, sizeof(own), "its codec refuses");
    else if (protocol->native)
      snprintf(own, sizeof(own), "%s", protocol->native->expects);
  }
  snprintf(text, cap, "%.60s's %s can't be written: %s", protocol->name,
           operations[op->kind], own);
}
