/*
 * Several fields of a JSON text in one pass.
 *
 *   plan_read -> read_item -> add            format and arguments -> wants
 *   plan_match -> match_members, match_items  wants, text -> raw values
 *
 * 1. Wants stand in the order of the format, a container before what is in it:
 *    so one loop over them matches from the outside to the inside.
 * 2. A container's text is passed once, however many of its members are wanted,
 *    and a second time only if it is wanted what is in it.
 * 3. Members mostly come in the order they are asked for: the one behind the
 *    last that was found is compared first.
 * 4. Of members with the same name the last one counts.
 * 5. No recursion; a want's parent tells where it belongs.
 */
#include "json_unpack.h"

#include <string.h>

#include <uvow/error.h>

#include "json_pointer.h"

typedef struct reader {
  uvow__json_plan_t *plan;
  const char *at; /* in the format */
  va_list args;
  size_t container; /* the one that is open */
  size_t last;      /* its last item; 0: it has none yet */
  int open;         /* one is */
} reader_t;

static inline int is_space(char c) {
  return c <= ':' &&
         (c == ' ' || c == ',' || c == ':' || c == '\t' || c == '\n');
}

static inline char next_of(reader_t *r) {
  while (is_space(*r->at))
    r->at++;
  return *r->at ? *r->at++ : '\0';
}

static inline int is_container(char type) {
  return type == '{' || type == '[';
}

static inline uvow__json_want_t *add(reader_t *r) {
  uvow__json_plan_t *plan = r->plan;
  if (plan->count == UVOW__JSON_WANTS_MAX)
    return NULL;
  uvow__json_want_t *want = &plan->wants[plan->count++];
  memset(want, 0, sizeof(*want));
  want->parent = (uint8_t)r->container;
  if (r->last)
    plan->wants[r->last].next = (uint8_t)(want - plan->wants);
  r->last = (size_t)(want - plan->wants);
  return want;
}

static inline int read_key(reader_t *r, char c, uvow__json_want_t *want) {
  if (c != 's')
    return UVOW_EINVAL;
  want->key.ptr = va_arg(r->args, const char *);
  if (!want->key.ptr)
    return UVOW_EINVAL;
  want->key.len = strlen(want->key.ptr);
  want->optional = *r->at == '?';
  r->at += want->optional;
  return 0;
}

/* Where a value of this type goes. */
static inline int read_target(reader_t *r, uvow__json_want_t *want) {
  switch (want->type) {
  case 's':
    want->ret = (void *)va_arg(r->args, const char **);
    break;
  case 'i':
  case 'b':
    want->ret = va_arg(r->args, int *);
    break;
  case 'I':
    want->ret = va_arg(r->args, int64_t *);
    break;
  case 'F':
    want->type = 'f';
    want->ret = va_arg(r->args, double *);
    break;
  case 'f':
    want->ret = va_arg(r->args, double *);
    break;
  case 'o':
    want->ret = va_arg(r->args, void *);
    break;
  default:
    return want->type == 'n' ? 0 : UVOW_EINVAL;
  }
  return want->ret ? 0 : UVOW_EINVAL;
}

static inline int read_want(reader_t *r, char c) {
  int member = r->open && r->plan->wants[r->container].type == '{';
  uvow__json_want_t *want = add(r);
  int rc = want ? 0 : UVOW_EINVAL;
  if (rc == 0 && member) {
    rc = read_key(r, c, want);
    c = next_of(r);
  }
  if (rc)
    return rc;
  want->type = c;
  if (!is_container(c))
    return read_target(r, want);
  r->container = (size_t)(want - r->plan->wants);
  r->last = 0;
  r->open = 1;
  return 0;
}

static void close_container(reader_t *r) {
  size_t closed = r->container;
  r->open = closed != 0;
  r->container = r->plan->wants[closed].parent;
  r->last = closed;
}

/* A want, or the end of a container. */
static inline int read_item(reader_t *r) {
  uvow__json_want_t *container = &r->plan->wants[r->container];
  char c = next_of(r);
  char closing = '\0';
  if (r->open)
    closing = container->type == '{' ? '}' : ']';
  if (r->open && (c == '!' || c == '*')) {
    container->strict = c == '!';
    c = next_of(r);
    if (c != closing)
      return UVOW_EINVAL;
  }
  if (!c || c != closing)
    return read_want(r, c);
  close_container(r);
  return 0;
}

int uvow__json_plan_read(uvow__json_plan_t *plan, const char *format,
                         va_list args) {
  reader_t r;
  int rc;
  if (!format)
    return UVOW_EINVAL;
  plan->count = 0;
  r.plan = plan;
  r.at = format;
  r.container = r.last = 0;
  r.open = 0;
  va_copy(r.args, args);
  do
    rc = read_item(&r);
  while (rc == 0 && r.open);
  if (rc == 0 && next_of(&r))
    rc = UVOW_EINVAL;
  va_end(r.args);
  return rc;
}

/* The first want in a container; 0: there's none. */
static size_t first_in(const uvow__json_plan_t *plan, size_t container) {
  size_t first = container + 1;
  return first < plan->count && plan->wants[first].parent == container ? first
                                                                       : 0;
}

/* The want of this key, which is probably `guess`; 0: it is nobody's. */
static inline size_t want_of(const uvow__json_plan_t *plan, size_t first,
                             size_t guess, uvow__slice_t key) {
  if (guess && uvow__json_key_is(key, plan->wants[guess].key))
    return guess;
  for (size_t i = first; i; i = plan->wants[i].next)
    if (i != guess && uvow__json_key_is(key, plan->wants[i].key))
      return i;
  return 0;
}

static inline int match_members(uvow__json_plan_t *plan, size_t container) {
  uvow__json_want_t *object = &plan->wants[container];
  uvow__json_items_t items = uvow__json_items(object->raw);
  size_t first = first_in(plan, container);
  size_t guess = first;
  uvow__slice_t key, value;
  while (uvow__json_items_next(&items, &key, &value)) {
    size_t found = want_of(plan, first, guess, key);
    if (found) {
      plan->wants[found].raw = value;
      guess = plan->wants[found].next;
    } else if (object->strict) {
      return UVOW_ETYPE;
    }
  }
  return 0;
}

static int match_items(uvow__json_plan_t *plan, size_t container) {
  uvow__json_want_t *array = &plan->wants[container];
  uvow__json_items_t items = uvow__json_items(array->raw);
  uvow__slice_t key, value;
  for (size_t i = first_in(plan, container); i; i = plan->wants[i].next) {
    if (!uvow__json_items_next(&items, &key, &value))
      return UVOW_ETYPE;
    plan->wants[i].raw = value;
  }
  return array->strict && uvow__json_items_next(&items, &key, &value)
             ? UVOW_ETYPE
             : 0;
}

static int match(uvow__json_plan_t *plan, size_t i) {
  uvow__json_want_t *want = &plan->wants[i];
  if (!want->raw.ptr) {
    int missing = i && !plan->wants[want->parent].raw.ptr;
    return want->optional || missing ? 0 : UVOW_ETYPE;
  }
  if (!is_container(want->type))
    return 0;
  if (want->raw.len == 0 || *want->raw.ptr != want->type)
    return UVOW_ETYPE;
  return want->type == '{' ? match_members(plan, i) : match_items(plan, i);
}

int uvow__json_plan_match(uvow__json_plan_t *plan, uvow__slice_t text) {
  int rc = 0;
  plan->wants[0].raw = uvow__json_trim(text);
  for (size_t i = 0; rc == 0 && i < plan->count; i++)
    rc = match(plan, i);
  return rc;
}
