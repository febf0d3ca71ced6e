/*
 * Which templates messages can be read with, and what the rules say of them.
 *
 * 1. A template reads if the rules say the same, whatever stands in its
 *    variable parts. That can be known where rules look at no more than the
 *    kind of such a part: then a message of each kind shows it.
 * 2. So no rule may compare a variable part with a value, nor look into it.
 */
#include "parse.h"

#include <string.h>

#include <uvow/error.h>

#include "wire/json_text.h"

static const struct {
  uint8_t kind;
  const char *text;
} samples[] = {
    {UVOW__JSON_NULL, "null"},    {UVOW__JSON_TRUE, "true"},
    {UVOW__JSON_FALSE, "false"},  {UVOW__JSON_NUMBER, "5"},
    {UVOW__JSON_STRING, "\"s\""}, {UVOW__JSON_ARRAY, "[]"},
    {UVOW__JSON_OBJECT, "{}"},    {UVOW__JSON_ABSENT, ""},
};

typedef struct walk {
  const char *p;
  const char *end;
  const char *target;
  int bad;
} walk_t;

/* Whether rules look into, or compare, the value at the target. The sample is
 * what we wrote: well-formed, without spaces, no deeper than templates are. */
static void walk_value(walk_t *w, const uvow__place_t *place);

static const uvow__place_t *child(const uvow__place_t *place,
                                  uvow__slice_t name, size_t index) {
  const uvow__place_t *at = place ? place->below : NULL;
  for (; at; at = at->next)
    if (name.ptr
            ? at->name && uvow__json_string_is(
                              name, (uvow__slice_t){at->name, strlen(at->name)})
            : !at->name && at->index == index)
      return at;
  return NULL;
}

static void walk_container(walk_t *w, const uvow__place_t *place) {
  int is_object = *w->p == '{';
  size_t index = 0;
  while (*w->p != '}' && *w->p != ']') {
    uvow__slice_t name = {NULL, 0};
    uvow__json_kind_t kind;
    w->p++; /* a bracket, or a comma */
    if (*w->p == '}' || *w->p == ']')
      break;
    if (is_object) {
      const char *stop = uvow__envelope_skip(w->p, w->end, &kind);
      name = (uvow__slice_t){w->p, (size_t)(stop - w->p)};
      w->p = stop + 1;
    }
    walk_value(w, child(place, name, index++));
  }
  w->p++;
}

static void walk_value(walk_t *w, const uvow__place_t *place) {
  uvow__json_kind_t kind;
  const char *start = w->p;
  const char *stop = uvow__envelope_skip(start, w->end, &kind);
  if (start == w->target && place && (place->compared || place->below))
    w->bad = 1;
  if (start != w->target && kind >= UVOW__JSON_ARRAY)
    walk_container(w, place);
  else
    w->p = stop;
}

static int is_looked_at(const uvow__parser_t *p, uvow__slice_t text,
                        uvow__slice_t part) {
  walk_t w = {text.ptr, text.ptr + text.len, part.ptr, 0};
  if (!part.ptr)
    return 0;
  walk_value(&w, &p->root);
  return w.bad;
}

/* The parts of a message that vary; the session is behind them. */
enum { VARY = 4, PARTS };

static void list_parts(const uvow__msg_t *msg, uvow__slice_t *ret) {
  ret[0] = msg->raw_id;
  ret[1] = msg->name;
  ret[2] = msg->value;
  ret[3] = msg->traceparent;
  ret[VARY] = msg->session;
}

static int have_same_parts(const uvow__msg_t *a, const uvow__msg_t *b) {
  uvow__slice_t of_a[PARTS], of_b[PARTS];
  int same = 1;
  list_parts(a, of_a);
  list_parts(b, of_b);
  for (size_t i = 0; i < PARTS; i++)
    same &= (of_a[i].ptr == of_b[i].ptr) & (of_a[i].len == of_b[i].len);
  return same;
}

static int are_looked_at(const uvow__parser_t *p, uvow__slice_t text,
                         const uvow__msg_t *msg) {
  uvow__slice_t parts[PARTS];
  int looked_at = 0;
  list_parts(msg, parts);
  for (size_t i = 0; i < VARY; i++)
    looked_at |= is_looked_at(p, text, parts[i]);
  return looked_at;
}

/* Both ways agree about a message, and rules look at no variable part; the quick
 * way doesn't read sessions that have names. */
static int agrees(const uvow__parser_t *p, const uvow__template_t *template,
                  uvow__slice_t text) {
  const uvow_protocol_t *protocol = &p->description->protocol;
  uvow__msg_t quick, slow;
  return !protocol->sessions[0] &&
         uvow__template_read(template, &protocol->ids, text.ptr, text.len,
                             &quick) &&
         uvow__protocol_decode_by_rules(protocol, &protocol->ids, text.ptr,
                                        text.len, &slow) == 0 &&
         quick.kind == slow.kind && !slow.half && quick.has_id == slow.has_id &&
         quick.id == slow.id && have_same_parts(&quick, &slow) &&
         !are_looked_at(p, text, &quick);
}

/* Each message that the template writes with params of this kind: with and
 * without a traceparent. One that it can't write doesn't matter. */
static int agrees_with(uvow__parser_t *p, const uvow__template_t *template,
                       size_t sample) {
  const uvow__ids_t *ids = &p->description->protocol.ids;
  for (int traced = 0; traced < 2; traced++) {
    uvow__op_t op = {.id = 7, .method = {"m", 1}};
    uvow__buf_t out;
    op.params =
        (uvow__slice_t){samples[sample].text, strlen(samples[sample].text)};
    if (traced)
      op.traceparent = UVOW__SLICE("t");
    uvow__buf_init(&out, &p->description->mem, SIZE_MAX);
    int rc = uvow__template_write(template, ids, &op, &out);
    uvow__slice_t text = {(const char *)uvow__buf_front(&out),
                          uvow__buf_size(&out)};
    int agreed = rc ? rc != UVOW_ENOMEM : agrees(p, template, text);
    uvow__buf_done(&out);
    if (!agreed)
      return 0;
  }
  return 1;
}

static int is_plain(const uvow__template_t *template) {
  for (size_t i = 0; i < template->count; i++) {
    unsigned kind = template->pieces[i].kind;
    if (kind != UVOW__PUT_TEXT && kind != UVOW__PUT_ID &&
        kind != UVOW__PUT_METHOD && kind != UVOW__PUT_PARAMS &&
        kind != UVOW__PUT_TRACEPARENT)
      return 0;
  }
  return template->count > 0;
}

static void try_template(uvow__parser_t *p, uvow__template_t *template,
                         uvow__msg_kind_t kind) {
  int agreed = 1;
  template->reads = (uint8_t)kind;
  for (size_t i = 0; i < UVOW__COUNT(samples) && agreed; i++)
    agreed = is_plain(template) && agrees_with(p, template, i);
  if (!agreed)
    template->reads = UVOW__MSG_MALFORMED;
}

void uvow__parse_reads(uvow__parser_t *p) {
  uvow__template_t *templates = p->description->protocol.templates;
  try_template(p, &templates[UVOW__OP_REPLY], UVOW__MSG_OK);
  try_template(p, &templates[UVOW__OP_CALL], UVOW__MSG_CALL);
  try_template(p, &templates[UVOW__OP_EVENT], UVOW__MSG_EVENT);
  try_template(p, &templates[UVOW__OP_PARTIAL], UVOW__MSG_PARTIAL);
}
