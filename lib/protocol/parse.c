/*
 * Descriptions: JSON becomes a protocol, the same tables that built-in ones
 * are.
 *
 *   uvow_protocol_parse -> read_all -> base's rules, own rules, opening steps
 *                                   -> levels, from all places they look at
 *                                   -> templates -> checks -> what they read
 *
 * 1. A description that compiles can work: what can't is refused, with the
 *    place and the reason. The first failure is the one that's told.
 * 2. All memory of a protocol is in blocks that hang on it; nothing in it is
 *    written once it's made, but its count of owners.
 * 3. jansson has no places of values: where one is, is found by a walk over the
 *    text, once something failed.
 */
#include "parse.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/error.h"
#include "wire/json_pointer.h"
#include "wire/json_text.h"

/* ---- memory ---- */

typedef struct uvow__block {
  struct uvow__block *next;
  max_align_t content[1];
} block_t;

void *uvow__parse_take(uvow__parser_t *p, size_t size) {
  size_t whole;
  block_t *block = NULL;
  if (uvow__size_add(offsetof(block_t, content), size, &whole) == 0)
    block = (block_t *)uvow__calloc(&p->description->mem, whole);
  if (!block) {
    p->rc = p->rc ? p->rc : UVOW_ENOMEM;
    return NULL;
  }
  block->next = p->description->blocks;
  p->description->blocks = block;
  return block->content;
}

const char *uvow__parse_copy(uvow__parser_t *p, const char *text, size_t len) {
  char *copy = (char *)uvow__parse_take(p, len + 1);
  if (copy)
    memcpy(copy, text, len);
  return copy;
}

static void free_description(uvow__owner_t *owner) {
  uvow__description_t *description = (uvow__description_t *)(void *)owner;
  uvow__mem_t mem = description->mem;
  block_t *block = description->blocks;
  while (block) {
    block_t *next = block->next;
    uvow__free(&mem, block);
    block = next;
  }
  uvow__free(&mem, description);
}

/* ---- failing ---- */

int uvow__parse_fail(uvow__parser_t *p, const char *format, ...) {
  va_list args;
  if (p->rc)
    return -1;
  p->rc = UVOW_EPROTOCOL;
  va_start(args, format);
  vsnprintf(p->why, sizeof(p->why), format, args);
  va_end(args);
  return -1;
}

void uvow__parse_enter(uvow__parser_t *p, const char *name, size_t index) {
  assert(p->rc || p->deep < UVOW__COUNT(p->path));
  if (p->rc == 0)
    p->path[p->deep++] = (uvow__at_t){name, index};
}

void uvow__parse_leave(uvow__parser_t *p) {
  assert(p->rc || p->deep > 0);
  if (p->rc == 0)
    p->deep--;
}

/* From a container's bracket to the member or element, or NULL. The text is
 * JSON: jansson has read it. */
static const char *find_below(const char *at, const char *end,
                              const uvow__at_t *want) {
  uvow__json_kind_t kind;
  for (size_t index = 0;; index++) {
    uvow__slice_t name = {NULL, 0};
    at = uvow__json_space(at + 1, end);
    const char *stop = uvow__envelope_skip(at, end, &kind);
    if (!stop) /* the closing bracket */
      return NULL;
    if (want->name) {
      name = (uvow__slice_t){at, (size_t)(stop - at)};
      at = uvow__json_space(uvow__json_space(stop, end) + 1, end);
    }
    if (want->name ? uvow__json_string_is(
                         name, (uvow__slice_t){want->name, strlen(want->name)})
                   : index == want->index)
      return at;
    at = uvow__json_space(uvow__envelope_skip(at, end, &kind), end);
  }
}

static uvow_error_t *make_error(const uvow__mem_t *mem, int code,
                                const char *detail) {
  uvow__error_spec_t spec = {0};
  spec.code = code;
  if (code != UVOW_EPROTOCOL)
    return uvow__error_code(mem, code, UVOW_OUTCOME_NONE);
  spec.detail = (uvow__slice_t){detail, strlen(detail)};
  return uvow__error_make(mem, &spec);
}

/* "line 3, column 12: rules[1].is: ...", as deep as the place can be found. */
static uvow_error_t *tell(const uvow__parser_t *p) {
  const char *end = p->text + p->len;
  const char *at = uvow__json_space(p->text, end);
  char text[800];
  char where[200] = "";
  size_t line = 1;
  size_t column = 1;
  size_t used = 0;
  for (size_t i = 0; i < p->deep && used < sizeof(where) - 80; i++) {
    const char *found = find_below(at, end, &p->path[i]);
    if (!found)
      break;
    at = found;
    used += (size_t)(p->path[i].name
                         ? snprintf(where + used, sizeof(where) - used,
                                    "%s%.40s", i ? "." : "", p->path[i].name)
                         : snprintf(where + used, sizeof(where) - used, "[%zu]",
                                    p->path[i].index));
  }
  for (const char *c = p->text; c < at; c++) {
    column = *c == '\n' ? 1 : column + 1;
    line += *c == '\n';
  }
  snprintf(text, sizeof(text), "line %zu, column %zu: %s%s%s", line, column,
           where, used ? ": " : "", p->why);
  return make_error(&p->description->mem, p->rc, text);
}

/* ---- members ---- */

const char *uvow__parse_text(uvow__parser_t *p, json_t *object,
                             const char *name, int needed) {
  json_t *value = json_object_get(object, name);
  if (value && !json_is_string(value)) {
    uvow__parse_enter(p, name, 0);
    uvow__parse_fail(p, "\"%s\" is text", name);
  } else if (!value && needed) {
    uvow__parse_fail(p, "\"%s\" is missing", name);
  }
  return json_string_value(value);
}

/* Says what there is instead. */
static int fail_unknown(uvow__parser_t *p, const char *const *names) {
  char text[sizeof(p->why) - 40] = "";
  size_t used = 0;
  for (size_t i = 0; names[i] && used + strlen(names[i]) + 3 < sizeof(text);
       i++)
    used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
                             i ? ", " : "", names[i]);
  return uvow__parse_fail(p, "there's no such member here, but %s", text);
}

int uvow__parse_known(uvow__parser_t *p, json_t *object,
                      const char *const *names) {
  const char *name;
  json_t *value;
  json_object_foreach(object, name, value) {
    size_t i = 0;
    while (names[i] && strcmp(names[i], name))
      i++;
    if (names[i])
      continue;
    uvow__parse_enter(p, name, 0);
    return fail_unknown(p, names);
  }
  return 0;
}

/* Prefixes of ids come back from any peer as they are: plain characters. */
static int is_prefix(const char *text) {
  for (const char *c = text; *c; c++)
    if (!uvow__is_alpha(*c) && !uvow__is_digit(*c) && !strchr("-_.:", *c))
      return 0;
  return strlen(text) <= 64;
}

static int read_ids(uvow__parser_t *p, json_t *json) {
  uvow__ids_t *ids = &p->description->protocol.ids;
  const char *form = uvow__parse_text(p, json, "ids", 0);
  const char *prefix = uvow__parse_text(p, json, "id_prefix", 0);
  if (form && strcmp(form, "text") == 0)
    ids->form = UVOW__IDS_TEXT;
  else if (form && strcmp(form, "random") == 0)
    ids->form = UVOW__IDS_RANDOM;
  else if (form && strcmp(form, "number") == 0)
    ids->form = UVOW__IDS_NUMBER;
  else if (form)
    return uvow__parse_fail(p, "ids are number, text or random");
  if (!prefix)
    return p->rc ? -1 : 0;
  uvow__parse_enter(p, "id_prefix", 0);
  if (ids->form == UVOW__IDS_NUMBER)
    return uvow__parse_fail(p,
                            "ids that are numbers have no prefix: say "
                            "\"ids\": \"text\"");
  if (!is_prefix(prefix) ||
      (*prefix && strchr("0123456789", prefix[strlen(prefix) - 1])))
    return uvow__parse_fail(p,
                            "a prefix has up to 64 letters, digits and "
                            "-_.: and doesn't end with a digit");
  ids->prefix = uvow__parse_copy(p, prefix, strlen(prefix));
  ids->prefix_len = strlen(prefix);
  uvow__parse_leave(p);
  return p->rc ? -1 : 0;
}

static int read_liberal(uvow__parser_t *p, json_t *json, int has_base) {
  static const char *const names[] = {"text_ids", "binary", "null_params",
                                      "null_error", NULL};
  uvow_protocol_t *protocol = &p->description->protocol;
  json_t *liberal = json_object_get(json, "liberal");
  if (!liberal)
    return 0;
  uvow__parse_enter(p, "liberal", 0);
  if (!json_is_object(liberal))
    return uvow__parse_fail(p, "it's an object of what is liberal");
  if (uvow__parse_known(p, liberal, names))
    return -1;
  for (size_t i = 0; names[i]; i++) {
    json_t *value = json_object_get(liberal, names[i]);
    uvow__parse_enter(p, names[i], 0);
    if (value && !json_is_boolean(value))
      return uvow__parse_fail(p, "it's true or false");
    if (value && i >= 2 && !has_base)
      return uvow__parse_fail(p, "without a base, rules say this");
    uvow__parse_leave(p);
  }
  if (json_is_true(json_object_get(liberal, "text_ids")))
    protocol->ids.texts = 1;
  if (json_is_true(json_object_get(liberal, "binary")))
    protocol->liberal |= UVOW__LIBERAL_BINARY;
  uvow__parse_leave(p);
  return 0;
}

static int read_params(uvow__parser_t *p, json_t *json, uint8_t *ret) {
  static const struct {
    const char *name;
    uint8_t kinds;
  } sets[] = {{"any", UVOW__KINDS_ANY},
              {"object", UVOW__KIND(OBJECT)},
              {"array", UVOW__KIND(ARRAY)},
              {"structured", UVOW__KIND(OBJECT) | UVOW__KIND(ARRAY)}};
  const char *name = uvow__parse_text(p, json, "params", 0);
  *ret = UVOW__KINDS_ANY;
  for (size_t i = 0; name && i < UVOW__COUNT(sets); i++) {
    *ret = sets[i].kinds;
    if (strcmp(name, sets[i].name) == 0)
      return 0;
  }
  if (!name)
    return p->rc ? -1 : 0;
  uvow__parse_enter(p, "params", 0);
  return uvow__parse_fail(p, "params are any, object, array or structured");
}

/* ---- messages ---- */

static const struct {
  const char *name;
  uvow__op_kind_t kind;
  uvow__parse_use_t use;
} operations[] = {
    {"call", UVOW__OP_CALL, UVOW__FOR_OPERATION},
    {"notify", UVOW__OP_NOTIFY, UVOW__FOR_OPERATION},
    {"cancel", UVOW__OP_CANCEL, UVOW__FOR_OPERATION},
    {"reply", UVOW__OP_REPLY, UVOW__FOR_OPERATION},
    {"reply_error", UVOW__OP_REPLY_ERROR, UVOW__FOR_ERROR},
    {"partial", UVOW__OP_PARTIAL, UVOW__FOR_OPERATION},
    {"event", UVOW__OP_EVENT, UVOW__FOR_OPERATION},
    {"end", UVOW__OP_END, UVOW__FOR_OPERATION},
    {"subscribe", UVOW__OP_SUBSCRIBE, UVOW__FOR_OPERATION},
};

static int has_piece(const uvow__template_t *template, unsigned kind) {
  for (size_t i = 0; i < template->count; i++)
    if (template->pieces[i].kind == kind)
      return 1;
  return 0;
}

/* Messages that are about one call say which. */
static int check_message(uvow__parser_t *p, size_t i,
                         const uvow__template_t *template) {
  if (operations[i].kind == UVOW__OP_NOTIFY ||
      operations[i].kind == UVOW__OP_EVENT || has_piece(template, UVOW__PUT_ID))
    return 0;
  return uvow__parse_fail(p, "without $id, no answer can be told from another");
}

static int read_messages(uvow__parser_t *p, json_t *json) {
  uvow__template_t *templates = p->description->protocol.templates;
  uint8_t params;
  if (read_params(p, json, &params))
    return -1;
  for (size_t i = 0; i < UVOW__COUNT(operations); i++) {
    json_t *message = json_object_get(json, operations[i].name);
    uvow__template_t *made = &templates[operations[i].kind];
    if (!message)
      continue;
    uvow__parse_enter(p, operations[i].name, 0);
    if (uvow__parse_template(p, message, operations[i].use, params, made) ||
        check_message(p, i, made))
      return -1;
    uvow__parse_leave(p);
  }
  return 0;
}

/* ---- the whole ---- */

static int read_rules(uvow__parser_t *p, json_t *json,
                      const uvow_protocol_t *base) {
  uvow_protocol_t *protocol = &p->description->protocol;
  json_t *list = json_object_get(json, "rules");
  size_t own = json_array_size(list);
  size_t count = own + (base ? base->rule_count : 0);
  uvow__parse_enter(p, "rules", 0);
  if (list && !json_is_array(list))
    return uvow__parse_fail(p, "rules are an array");
  if (count == 0) {
    uvow__parse_leave(p);
    return uvow__parse_fail(p,
                            "without \"rules\", or a \"base\", nothing can "
                            "be read");
  }
  uvow__rule_t *rules =
      (uvow__rule_t *)uvow__parse_take(p, count * sizeof(*rules));
  for (size_t i = 0; rules && i < own; i++) {
    uvow__parse_enter(p, NULL, i);
    if (uvow__parse_rule(p, json_array_get(list, i), &rules[i]))
      return -1;
    uvow__parse_leave(p);
  }
  if (!rules || uvow__parse_reachable(p, rules, own) ||
      (base && uvow__parse_base(p, base, &rules[own],
                                json_object_get(json, "liberal"))))
    return -1;
  uvow__parse_leave(p);
  protocol->rules = rules;
  protocol->rule_count = count;
  return 0;
}

static int check_whole(uvow__parser_t *p) {
  const uvow_protocol_t *protocol = &p->description->protocol;
  unsigned kinds = 0;
  unsigned halves = 0;
  for (size_t i = 0; i < protocol->rule_count; i++) {
    kinds |= 1u << protocol->rules[i].kind;
    if (protocol->rules[i].half)
      halves |= protocol->rules[i].kind == UVOW__MSG_END ? 1u : 2u;
  }
  if (halves == 1 || halves == 2)
    return uvow__parse_fail(p, halves == 1
                                   ? "the half of kind end has no other half: "
                                     "an ok or error with \"half\""
                                   : "the half of kind ok or error has no "
                                     "other half: an end with \"half\"");
  int reads = (kinds & (1u << UVOW__MSG_OK | 1u << UVOW__MSG_END)) != 0;
  int calls = uvow__protocol_can(protocol, UVOW__OP_CALL);
  if (calls && !reads)
    return uvow__parse_fail(p,
                            "calls are written, and no rule of kind ok or "
                            "end reads their answers");
  if (!calls && reads)
    return uvow__parse_fail(p,
                            "answers are read, and without \"call\" nothing "
                            "is asked");
  return 0;
}

static void set_groups(const uvow__step_t *made, size_t count, uint8_t groups) {
  uvow__step_t *steps = (uvow__step_t *)(uintptr_t)made;
  for (size_t i = 0; i < count; i++) {
    uvow__step_t *others = (uvow__step_t *)(uintptr_t)steps[i].meanwhile;
    steps[i].expect.groups = steps[i].refusal.groups = groups;
    for (size_t j = 0; j < steps[i].meanwhile_count; j++)
      others[j].expect.groups = groups;
  }
}

/* What every rule needs, once all places are known. */
static int make_levels(uvow__parser_t *p) {
  uvow_protocol_t *protocol = &p->description->protocol;
  uvow__rule_t *rules = (uvow__rule_t *)(uintptr_t)protocol->rules;
  uint8_t groups = uvow__parse_groups(p);
  protocol->root = uvow__parse_levels(p);
  for (size_t i = 0; i < protocol->rule_count; i++)
    rules[i].groups = groups;
  set_groups(protocol->steps, protocol->step_count, groups);
  set_groups(protocol->accepts, protocol->accept_count, groups);
  return protocol->root ? 0 : -1;
}

static int read_all(uvow__parser_t *p, json_t *json) {
  static const char *const names[] = {
      "name",    "subprotocol", "base",        "ids",     "id_prefix",
      "params",  "open",        "accept",      "call",    "notify",
      "cancel",  "reply",       "reply_error", "partial", "event",
      "end",     "subscribe",   "heartbeat",   "rules",   "liberal",
      "batches", "reply_first", "closes",      NULL};
  uvow_protocol_t *protocol = &p->description->protocol;
  const char *name = uvow__parse_text(p, json, "name", 1);
  const char *subprotocol = uvow__parse_text(p, json, "subprotocol", 0);
  const char *base_name = uvow__parse_text(p, json, "base", 0);
  const uvow_protocol_t *base = uvow_protocol_by_name(base_name);
  if (p->rc || uvow__parse_known(p, json, names))
    return -1;
  if (base_name && !base) {
    uvow__parse_enter(p, "base", 0);
    return uvow__parse_fail(p, "no built-in protocol has this name");
  }
  if (base)
    *protocol = *base;
  protocol->owner = &p->description->owner;
  protocol->name = uvow__parse_copy(p, name, strlen(name));
  if (subprotocol)
    protocol->subprotocol =
        uvow__parse_copy(p, subprotocol, strlen(subprotocol));
  if (json_object_get(json, "reply_first"))
    protocol->replies_first =
        json_is_true(json_object_get(json, "reply_first"));
  if (json_object_get(json, "batches"))
    protocol->batches = json_is_true(json_object_get(json, "batches"));
  if (p->rc || read_ids(p, json) || read_liberal(p, json, base != NULL) ||
      read_messages(p, json) || read_rules(p, json, base) ||
      uvow__parse_open(p, json) || uvow__parse_closes(p, json) ||
      uvow__parse_heartbeat(p, json) || check_whole(p) || make_levels(p))
    return -1;
  uvow__parse_reads(p);
  return 0;
}

/* Where jansson has no memory, it says so, or nothing. */
static int is_no_memory(const json_error_t *error) {
  return !error->text[0] || json_error_code(error) == json_error_out_of_memory;
}

static json_t *load(uvow__parser_t *p) {
  json_error_t error;
  json_t *json = json_loadb(p->text, p->len, JSON_REJECT_DUPLICATES, &error);
  if (json && json_is_object(json))
    return json;
  if (json)
    uvow__parse_fail(p, "a description is a JSON object");
  else if (is_no_memory(&error))
    p->rc = UVOW_ENOMEM;
  else
    uvow__parse_fail(p, "%s", error.text);
  json_decref(json);
  return NULL;
}

/* jansson says itself where a text isn't JSON. */
static uvow_error_t *tell_json(const uvow__parser_t *p) {
  json_error_t error;
  char text[300];
  json_t *json = json_loadb(p->text, p->len, JSON_REJECT_DUPLICATES, &error);
  json_decref(json);
  if (json || is_no_memory(&error))
    return tell(p);
  snprintf(text, sizeof(text), "line %d, column %d: %s", error.line,
           error.column, error.text);
  return make_error(&p->description->mem, p->rc, text);
}

uvow_protocol_t *uvow__protocol_parse(const uvow__mem_t *mem,
                                      const char *description, size_t len,
                                      uvow_error_t **ret_error) {
  uvow__parser_t parser;
  uvow_error_t *error = NULL;
  memset(&parser, 0, sizeof(parser));
  parser.text = description ? description : "";
  parser.len = description ? len : 0;
  parser.captures = UVOW__CAPTURE_FIRST;
  parser.root.capture = UVOW__CAPTURE_ALL;
  uvow__description_t *made =
      (uvow__description_t *)uvow__calloc(mem, sizeof(*made));
  if (!made) {
    if (ret_error)
      *ret_error = make_error(mem, UVOW_ENOMEM, NULL);
    return NULL;
  }
  made->mem = *mem;
  atomic_init(&made->owner.refs, 1);
  made->owner.release = free_description;
  parser.description = made;
  json_t *json = load(&parser);
  if (!json)
    error = parser.len && parser.rc == UVOW_EPROTOCOL ? tell_json(&parser)
                                                      : tell(&parser);
  else if (read_all(&parser, json))
    error = tell(&parser);
  json_decref(json);
  if (!error)
    return &made->protocol;
  free_description(&made->owner);
  if (ret_error)
    *ret_error = error;
  else
    uvow_error_unref(error);
  return NULL;
}

uvow_protocol_t *uvow_protocol_parse(const char *description, size_t len,
                                     uvow_error_t **ret_error) {
  return uvow__protocol_parse(&uvow__mem_default, description, len, ret_error);
}
