/*
 * Variables: a list, as there are few of them.
 *
 * 1. Each is JSON text that was checked when it was set: where it stands in a
 *    message it is a value, whatever is in it.
 * 2. A variable that is picked hides the application's of the same name, until
 *    the next connection.
 */
#include "vars.h"

#include <string.h>

#include <uvow/error.h>

#include "wire/json_check.h"
#include "wire/json_pointer.h"
#include "wire/json_text.h"

static void free_var(const uvow__mem_t *mem, const uvow__var_t *var) {
  uvow__free(mem, (char *)(uintptr_t)var->name.ptr);
  uvow__free(mem, (char *)(uintptr_t)var->json.ptr);
}

static int copy(const uvow__mem_t *mem, uvow__slice_t text,
                uvow__slice_t *ret) {
  ret->len = text.len;
  ret->ptr = uvow__strndup(mem, text.ptr, text.len);
  return ret->ptr ? 0 : UVOW_ENOMEM;
}

static int append(uvow__vars_t *vars, uvow__slice_t name, uvow__slice_t json) {
  uvow__var_t var = {{NULL, 0}, {NULL, 0}};
  size_t size;
  if (uvow__size_mul(vars->count + 1, sizeof(var), &size))
    return UVOW_ENOMEM;
  uvow__var_t *list = (uvow__var_t *)uvow__realloc(vars->mem, vars->list, size);
  if (list)
    vars->list = list;
  if (!list || copy(vars->mem, name, &var.name) ||
      copy(vars->mem, json, &var.json)) {
    free_var(vars->mem, &var);
    return UVOW_ENOMEM;
  }
  list[vars->count++] = var;
  return 0;
}

/* One member of an object that is JSON: from its name's quote to what is behind
 * its value. */
static int take_member(uvow__vars_t *vars, const char **at, const char *end) {
  uvow__json_kind_t kind;
  uvow__buf_t name;
  const char *stop = uvow__envelope_skip(*at, end, &kind);
  uvow__slice_t raw = {*at, (size_t)(stop - *at)};
  const char *value = uvow__json_space(uvow__json_space(stop, end) + 1, end);
  stop = uvow__envelope_skip(value, end, &kind);
  uvow__buf_init(&name, vars->mem, SIZE_MAX);
  int rc = uvow__json_unescape(&name, raw);
  if (rc == 0) {
    uvow__slice_t text = {(const char *)uvow__buf_front(&name),
                          uvow__buf_size(&name)};
    uvow__slice_t json = {value, (size_t)(stop - value)};
    rc = append(vars, text, json);
  }
  uvow__buf_done(&name);
  *at = uvow__json_space(stop, end);
  return rc;
}

int uvow__vars_init(uvow__vars_t *vars, const uvow__mem_t *mem,
                    const char *json) {
  memset(vars, 0, sizeof(*vars));
  vars->mem = mem;
  if (!json)
    return 0;
  const char *end = json + strlen(json);
  const char *p = uvow__json_space(json, end);
  if (*p != '{' || uvow__json_check((uvow__slice_t){p, (size_t)(end - p)}))
    return UVOW_EINVAL;
  p = uvow__json_space(p + 1, end);
  int rc = 0;
  while (rc == 0 && *p != '}') {
    rc = take_member(vars, &p, end);
    if (*p == ',')
      p = uvow__json_space(p + 1, end);
  }
  vars->own = vars->count;
  if (rc)
    uvow__vars_done(vars);
  return rc;
}

static void shrink(uvow__vars_t *vars, size_t count) {
  while (vars->count > count)
    free_var(vars->mem, &vars->list[--vars->count]);
}

void uvow__vars_done(uvow__vars_t *vars) {
  shrink(vars, 0);
  uvow__free(vars->mem, vars->list);
  vars->list = NULL;
}

void uvow__vars_reset(uvow__vars_t *vars) {
  shrink(vars, vars->own);
}

static int same(uvow__slice_t a, uvow__slice_t b) {
  return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

int uvow__vars_set(uvow__vars_t *vars, uvow__slice_t name, uvow__slice_t json) {
  for (size_t i = vars->own; i < vars->count; i++) {
    uvow__slice_t text;
    if (!same(vars->list[i].name, name))
      continue;
    if (copy(vars->mem, json, &text))
      return UVOW_ENOMEM;
    uvow__free(vars->mem, (char *)(uintptr_t)vars->list[i].json.ptr);
    vars->list[i].json = text;
    return 0;
  }
  return append(vars, name, json);
}

uvow__slice_t uvow__vars_get(const uvow__vars_t *vars, const char *name) {
  uvow__slice_t none = {NULL, 0};
  for (size_t i = vars->count; i > 0; i--)
    if (uvow__slice_is(vars->list[i - 1].name, name))
      return vars->list[i - 1].json;
  return none;
}

/* Whether one of these steps picks or makes it. */
static int is_made(const uvow__step_t *steps, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++) {
    const uvow__step_t *step = &steps[i];
    for (size_t j = 0; j < step->pick_count; j++)
      if (strcmp(step->picks[j].name, name) == 0)
        return 1;
    if (step->makes && strcmp(uvow__maker_gives(step->makes), name) == 0)
      return 1;
  }
  return 0;
}

const char *uvow__vars_missing(const uvow__vars_t *vars,
                               const uvow__step_t *steps, size_t count,
                               size_t *ret_step) {
  for (size_t i = 0; i < count; i++) {
    const uvow__template_t *send = &steps[i].send;
    *ret_step = i;
    const char *same = steps[i].same_if_set ? NULL : steps[i].same.name;
    if (same && !uvow__vars_get(vars, same).ptr && !is_made(steps, i, same))
      return same;
    for (size_t j = 0; j < send->count; j++) {
      const uvow__piece_t *piece = &send->pieces[j];
      if (piece->kind == UVOW__PUT_VAR && piece->absent == UVOW__ABSENT_FAILS &&
          !uvow__vars_get(vars, piece->var).ptr &&
          !is_made(steps, i, piece->var))
        return piece->var;
    }
  }
  return NULL;
}
