#ifndef UVOW__FIELDS_H
#define UVOW__FIELDS_H

#include <uvow/json.h>

#include "payload.h"

/* An item of a walk: its pointer is the uvow_json_walk_t that stands at it. */

/* What stands at a place of a result. */
typedef struct uvow__field {
  uvow__payload_t *payload; /* where its strings are kept */
  uvow__slice_t raw;        /* JSON, as it stands in the payload */
} uvow__field_t;

/* A result's JSON. Returns 0, UVOW_EINVAL: NULL, UVOW_ETYPE: there's none,
 * UVOW_EPAYLOAD. */
int uvow__field_open(const uvow_result_t *result, uvow__field_t *ret);

/* What a field is. Each returns 0, or UVOW_ETYPE: something else; ret is
 * untouched then. */
int uvow__field_bool(const uvow__field_t *field, int *ret_bool);
/* UVOW_ENOMEM, too. */
int uvow__field_text(const uvow__field_t *field, const char **ret_text);

/* Notes why a getter failed, and returns rc: `what` and what is expected of it,
 * where it isn't the result itself that is wrong. */
int uvow__field_said(const uvow_result_t *result, int rc, const char *what,
                     const char *expected);

#endif
