/*
 * Errors: immutable, counted, at most one allocation each.
 *
 * 1. An error of just a code of uvow's is static: ref and unref leave it alone.
 *    Making one never fails: without memory the answer is that of UVOW_ENOMEM,
 *    with the outcome that was asked for.
 * 2. Causes, then texts, stand behind the struct; texts are copied and end with
 *    a NUL.
 * 3. A tree of causes is freed in a loop, with a list through the dying errors:
 *    however deep or wide, no recursion and no memory.
 */
#include "error.h"

#include <string.h>

#include "text.h"

struct uvow_error {
  uvow__mem_t mem; /* its own copy: an error may outlive its loop */
  unsigned refs;
  int code;
  int status;
  uvow_outcome_t outcome;
  int64_t peer_code;
  const char *detail;
  const char *peer_code_text;
  const char *peer_message;
  const char *data;
  size_t data_len;
  const char *head;
  const uvow_value_t *value;
  void *keeper;
  void (*release)(void *keeper);
  uvow_error_t *next_dying;
  size_t cause_count;
  uvow_error_t **causes; /* behind the struct */
  uint64_t missed;
};

#define BARE(number, outcome)                                                  \
  {                                                                            \
    {0, NULL, NULL, NULL, NULL}, 0, (number), 0, (outcome), 0, NULL, NULL,     \
        NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, 0, NULL, 0                \
  }

/* One of each code, with nothing but the code. */
static const uvow_error_t bare_errors[] = {
#define XX(name, number, text) BARE(number, UVOW_OUTCOME_NONE),
    UVOW_ERROR_MAP(XX)
#undef XX
};

/* Out of memory: what is known of the request is said even then (R2). */
static const uvow_error_t nomem_errors[] = {
    BARE(UVOW_ENOMEM, UVOW_OUTCOME_NONE),
    BARE(UVOW_ENOMEM, UVOW_NOT_SENT),
    BARE(UVOW_ENOMEM, UVOW_MAYBE_EXECUTED),
    BARE(UVOW_ENOMEM, UVOW_ANSWERED),
};

/* The static error of a code of uvow's, or NULL. */
static uvow_error_t *bare_error(int code) {
  const size_t count = sizeof(bare_errors) / sizeof(*bare_errors);
  size_t i = (unsigned)UVOW_EINVAL - (unsigned)code;
  if (i >= count || bare_errors[i].code != code)
    return NULL;
  return (uvow_error_t *)(uintptr_t)&bare_errors[i];
}

/* Static: neither counted nor freed. */
static int is_static(const uvow_error_t *error) {
  return error->mem.free_cb == NULL;
}

const uvow_error_t *uvow__error_none(void) {
  static const uvow_error_t none = BARE(0, UVOW_OUTCOME_NONE);
  return &none;
}

uvow_error_t *uvow__error_nomem(void) {
  return bare_error(UVOW_ENOMEM);
}

static uvow_error_t *nomem_error(uvow_outcome_t outcome) {
  if (outcome == UVOW_OUTCOME_NONE)
    return uvow__error_nomem();
  return (uvow_error_t *)(uintptr_t)&nomem_errors[outcome];
}

const char *uvow__error_text(int code) {
  switch (code) {
#define XX(name, number, text)                                                 \
  case number:                                                                 \
    return text;
    UVOW_ERROR_MAP(XX)
#undef XX
  default:
    return NULL;
  }
}

const char *uvow__error_name(int code) {
  switch (code) {
#define XX(name, number, text)                                                 \
  case number:                                                                 \
    return "UVOW_" #name;
    UVOW_ERROR_MAP(XX)
#undef XX
  default:
    return NULL;
  }
}

/* Copies a slice to *at, with a NUL behind it, and moves *at on; where it is
 * there, another one goes before it. */
static const char *place_behind(char **at, uvow__slice_t before,
                                uvow__slice_t slice) {
  char *text = *at;
  if (!slice.ptr)
    return NULL;
  if (before.len)
    memcpy(text, before.ptr, before.len);
  text += before.len;
  if (slice.len)
    memcpy(text, slice.ptr, slice.len);
  text[slice.len] = '\0';
  *at = text + slice.len + 1;
  return text - before.len;
}

static const char *place(char **at, uvow__slice_t slice) {
  return place_behind(at, (uvow__slice_t){NULL, 0}, slice);
}

uvow_error_t *uvow__error_make(const uvow__mem_t *mem,
                               const uvow__error_spec_t *spec) {
  const uvow_error_t *const *causes = spec->causes;
  size_t cause_count = spec->cause_count;
  size_t size;
  if (cause_count == 0 && spec->cause) {
    causes = &spec->cause;
    cause_count = 1;
  }
  if (uvow__size_mul(cause_count, sizeof(*causes), &size) ||
      uvow__size_add(size, sizeof(uvow_error_t) + 5, &size) ||
      uvow__size_add(size, spec->before.len, &size) ||
      uvow__size_add(size, spec->detail.len, &size) ||
      uvow__size_add(size, spec->peer_code_text.len, &size) ||
      uvow__size_add(size, spec->peer_message.len, &size) ||
      uvow__size_add(size, spec->data.len, &size) ||
      uvow__size_add(size, spec->head.len, &size))
    return nomem_error(spec->outcome);
  uvow_error_t *error = (uvow_error_t *)uvow__malloc(mem, size);
  if (!error)
    return nomem_error(spec->outcome);
  error->causes = (uvow_error_t **)(void *)(error + 1);
  char *at = (char *)(error->causes + cause_count);
  error->mem = *mem;
  error->refs = 1;
  error->code = spec->code;
  error->status = spec->status;
  error->outcome = spec->outcome;
  error->peer_code = spec->peer_code;
  error->detail = place_behind(&at, spec->before, spec->detail);
  error->peer_code_text = place(&at, spec->peer_code_text);
  error->peer_message = place(&at, spec->peer_message);
  error->data = place(&at, spec->data);
  error->data_len = spec->data.len;
  error->head = place(&at, spec->head);
  error->value = spec->value;
  error->keeper = spec->keeper;
  error->release = spec->release;
  error->next_dying = NULL;
  error->missed = spec->missed;
  error->cause_count = cause_count;
  for (size_t i = 0; i < cause_count; i++)
    error->causes[i] = uvow_error_ref(causes[i]);
  return error;
}

/* Keeps what another one is of: its value is that one's. */
static void release_error(void *keeper) {
  uvow_error_unref((uvow_error_t *)keeper);
}

uvow_error_t *uvow__error_add_missed(const uvow__mem_t *mem,
                                     uvow_error_t *error, uint64_t missed) {
  uvow__error_spec_t spec = {0};
  uvow_error_t *kept = error; /* of several such, the first is */
  if (!missed)
    return error;
  if (error->release == release_error)
    kept = (uvow_error_t *)error->keeper;
  spec.code = error->code;
  spec.status = error->status;
  spec.outcome = error->outcome;
  spec.peer_code = error->peer_code;
  spec.detail = uvow__slice_of(error->detail);
  spec.peer_code_text = uvow__slice_of(error->peer_code_text);
  spec.peer_message = uvow__slice_of(error->peer_message);
  spec.data = (uvow__slice_t){error->data, error->data_len};
  spec.head = uvow__slice_of(error->head);
  spec.causes = (const uvow_error_t *const *)error->causes;
  spec.cause_count = error->cause_count;
  spec.value = error->value;
  spec.missed =
      error->missed > UINT64_MAX - missed ? UINT64_MAX : error->missed + missed;
  spec.keeper = uvow_error_ref(kept);
  spec.release = release_error;
  uvow_error_t *copy = uvow__error_make(mem, &spec);
  if (is_static(copy)) /* there is no memory */
    uvow_error_unref(kept);
  uvow_error_unref(error);
  return copy;
}

uvow_error_t *uvow__error_code(const uvow__mem_t *mem, int code,
                               uvow_outcome_t outcome) {
  uvow__error_spec_t spec;
  uvow_error_t *bare = outcome == UVOW_OUTCOME_NONE ? bare_error(code) : NULL;
  if (bare)
    return bare;
  memset(&spec, 0, sizeof(spec));
  spec.code = code;
  spec.outcome = outcome;
  return uvow__error_make(mem, &spec);
}

uvow_error_t *uvow_error_ref(const uvow_error_t *borrowed) {
  uvow_error_t *error = (uvow_error_t *)(uintptr_t)borrowed;
  if (error && !is_static(error))
    error->refs++;
  return error;
}

/* One owner less; without any, it goes on top of the list. */
static void let_go(uvow_error_t *error, uvow_error_t **dying) {
  if (!error || is_static(error) || --error->refs)
    return;
  error->next_dying = *dying;
  *dying = error;
}

void uvow_error_unref(uvow_error_t *error) {
  uvow_error_t *dying = NULL;
  let_go(error, &dying);
  while (dying) {
    uvow_error_t *dead = dying;
    uvow__mem_t mem = dead->mem;
    dying = dead->next_dying;
    for (size_t i = 0; i < dead->cause_count; i++)
      let_go(dead->causes[i], &dying);
    void (*release)(void *keeper) = dead->release;
    void *keeper = dead->keeper;
    uvow__free(&mem, dead);
    if (release)
      release(keeper);
  }
}

int uvow_error_code(const uvow_error_t *error) {
  return error ? error->code : 0;
}

const char *uvow_error_message(const uvow_error_t *error) {
  if (!error)
    return "no error";
  return error->detail ? error->detail : uvow_strerror(error->code);
}

uvow_outcome_t uvow_error_outcome(const uvow_error_t *error) {
  return error ? error->outcome : UVOW_OUTCOME_NONE;
}

const uvow_value_t *uvow_error_value(const uvow_error_t *error) {
  return error ? error->value : NULL;
}

const uvow_error_t *uvow_error_cause(const uvow_error_t *error) {
  return uvow_error_nth_cause(error, 0);
}

size_t uvow_error_cause_count(const uvow_error_t *error) {
  return error ? error->cause_count : 0;
}

const uvow_error_t *uvow_error_nth_cause(const uvow_error_t *error, size_t i) {
  return error && i < error->cause_count ? error->causes[i] : NULL;
}

int64_t uvow_error_peer_code(const uvow_error_t *error) {
  return error ? error->peer_code : 0;
}

const char *uvow_error_peer_code_text(const uvow_error_t *error) {
  return error ? error->peer_code_text : NULL;
}

const char *uvow_error_peer_message(const uvow_error_t *error) {
  return error ? error->peer_message : NULL;
}

const char *uvow_error_data(const uvow_error_t *error, size_t *ret_len) {
  if (ret_len)
    *ret_len = error ? error->data_len : 0;
  return error ? error->data : NULL;
}

/* Whether the field that begins here has this name. Returns its value. */
static const char *value_of(const char *line, const char *name) {
  uvow__slice_t front = {line, strlen(name)};
  if (strlen(line) <= front.len || line[front.len] != ':' ||
      !uvow__slice_is_nocase(front, name))
    return NULL;
  line += front.len + 1;
  return line + strspn(line, " \t");
}

const char *uvow_error_header(const uvow_error_t *error, const char *name,
                              size_t *ret_len) {
  const char *value = NULL;
  while (error && !error->head)
    error = uvow_error_cause(error);
  const char *line = error && name ? strstr(error->head, "\r\n") : NULL;
  for (; line && !value; line = strstr(line, "\r\n")) {
    line += 2;
    value = value_of(line, name);
  }
  if (ret_len)
    *ret_len = 0;
  if (!value)
    return NULL;
  size_t len = strcspn(value, "\r");
  while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
    len--;
  if (ret_len)
    *ret_len = len;
  return value;
}

uint64_t uvow__error_missed(const uvow_error_t *error) {
  return error ? error->missed : 0;
}

int uvow_error_status(const uvow_error_t *error) {
  return error ? error->status : 0;
}
