/* Several fields of a result at once, by a format. */
#include "fields.h"

#include <limits.h>

#include "wire/json_number.h"
#include "wire/json_unpack.h"

static int store_int(uvow__slice_t raw, int *ret) {
  int64_t number;
  if (uvow__json_to_i64(raw, &number) || number < INT_MIN || number > INT_MAX)
    return UVOW_ETYPE;
  *ret = (int)number;
  return 0;
}

/* Something was found: what it means goes where it's wanted. */
static int store(const uvow__json_want_t *want, const uvow__field_t *field) {
  switch (want->type) {
  case 's':
    return uvow__field_text(field, (const char **)want->ret);
  case 'i':
    return store_int(field->raw, (int *)want->ret);
  case 'I':
    return uvow__json_to_i64(field->raw, (int64_t *)want->ret);
  case 'f':
    return uvow__json_to_double(field->raw, (double *)want->ret);
  case 'b':
    return uvow__field_bool(field, (int *)want->ret);
  case 'n':
    return *field->raw.ptr == 'n' ? 0 : UVOW_ETYPE;
  case 'o':
    ((uvow_slice_t *)want->ret)->bytes = field->raw.ptr;
    ((uvow_slice_t *)want->ret)->len = field->raw.len;
    return 0;
  default: /* a container: what is in it has its turn */
    return 0;
  }
}

static int read_fields(const uvow_result_t *result, uvow__json_plan_t *plan) {
  uvow__field_t field;
  int rc = uvow__field_open(result, &field);
  if (rc == 0)
    rc = uvow__json_plan_match(plan, field.raw);
  for (size_t i = 0; rc == 0 && i < plan->count; i++) {
    field.raw = plan->wants[i].raw;
    if (field.raw.ptr)
      rc = store(&plan->wants[i], &field);
  }
  return rc;
}

int uvow_result_getf(const uvow_result_t *result, const char *format, ...) {
  uvow__json_plan_t plan;
  va_list args;
  va_start(args, format);
  int rc = uvow__json_plan_read(&plan, format, args);
  va_end(args);
  if (rc)
    return uvow__field_said(result, rc, "format", "is wrong");
  rc = read_fields(result, &plan);
  return uvow__field_said(result, rc, "the result", "isn't as the format says");
}
