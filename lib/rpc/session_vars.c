/*
 * Sessions that a protocol has names for: phoenix2's topic, janus' handles.
 *
 * 1. Values are JSON text as it stood in the message, and go back as such.
 * 2. A session needn't say all that its protocol has names for: what it doesn't
 *    say may be anything.
 */
#include "session_vars.h"

#include <string.h>

#include "wire/json_text.h"

uvow__session_vars_t *uvow__session_vars_new(const uvow__mem_t *mem,
                                             const uvow_protocol_t *protocol,
                                             const uvow__msg_t *msg) {
  uvow__slice_t raw[UVOW__SESSIONS_MAX] = {msg->session, msg->session2};
  size_t size;
  if (uvow__size_add(raw[0].len, raw[1].len, &size) ||
      uvow__size_add(size, sizeof(uvow__session_vars_t), &size))
    return NULL;
  uvow__session_vars_t *vars = (uvow__session_vars_t *)uvow__calloc(mem, size);
  if (!vars)
    return NULL;
  char *to = (char *)(vars + 1);
  for (size_t i = 0; i < UVOW__SESSIONS_MAX; i++) {
    const char *name = protocol->sessions[i];
    if (!name || !raw[i].ptr)
      continue;
    memcpy(to, raw[i].ptr, raw[i].len);
    vars->list[vars->count++] =
        (uvow__var_t){{name, strlen(name)}, {to, raw[i].len}};
    to += raw[i].len;
  }
  return vars;
}

/* Texts that mean the same are equal; anything else as it stands. */
static int is_equal(uvow__slice_t a, uvow__slice_t b) {
  uvow__slice_t plain;
  if (!a.ptr || !b.ptr)
    return 0;
  if (a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0)
    return 1;
  return *a.ptr == '"' && *b.ptr == '"' && uvow__json_plain(a, &plain) &&
         uvow__json_string_is(b, plain);
}

int uvow__session_vars_match(const uvow__vars_t *wanted,
                             const uvow_protocol_t *protocol,
                             uvow__slice_t first, uvow__slice_t second) {
  int matched = 0;
  for (size_t i = 0; i < wanted->count; i++) {
    const uvow__var_t *var = &wanted->list[i];
    for (size_t k = 0; k < UVOW__SESSIONS_MAX; k++) {
      const char *name = protocol->sessions[k];
      if (!name || !uvow__slice_is(var->name, name))
        continue;
      if (!is_equal(var->json, k ? second : first))
        return 0;
      matched = 1;
    }
  }
  return matched;
}

int uvow__session_vars_text(const uvow__session_vars_t *vars,
                            uvow__buf_t *out) {
  int rc = uvow__buf_append(out, "{", 1);
  for (size_t i = 0; rc == 0 && i < vars->count; i++) {
    const uvow__var_t *var = &vars->list[i];
    rc = uvow__buf_append(out, ",", i != 0);
    if (rc == 0)
      rc = uvow__json_escape(out, var->name);
    if (rc == 0)
      rc = uvow__buf_append(out, ":", 1);
    if (rc == 0)
      rc = uvow__buf_append(out, var->json.ptr, var->json.len);
  }
  return rc ? rc : uvow__buf_append(out, "}", 1);
}
