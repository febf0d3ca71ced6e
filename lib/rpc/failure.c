/*
 * Failures of a connection, judged.
 *
 * An error's status means what its code says: of UVOW_EHANDSHAKE and
 * UVOW_EPROXY it's an HTTP status, of UVOW_ETLS an alert, of a close a close
 * code. Close codes of our own (the peer broke a rule) count as ours only where
 * the message was: the peer may do better next time.
 */
#include "failure.h"

#include <stddef.h>

static int is_http(const uvow_error_t *error) {
  int code = uvow_error_code(error);
  return code == UVOW_EHANDSHAKE || code == UVOW_EPROXY;
}

static int is_fatal_status(int status) {
  return status >= 400 && status < 500 && status != 408 && status != 421 &&
         status != 425 && status != 429;
}

/* RFC 8446 6.2: bad_certificate to unknown_ca but for illegal_parameter, and
 * certificate_required. */
static int is_fatal_alert(int alert) {
  return (alert >= 42 && alert <= 46) || alert == 48 || alert == 116;
}

int uvow__failure_is_fatal(const uvow_error_t *error, int fatal_4xxx) {
  int status = uvow_error_status(error);
  if (is_http(error))
    return is_fatal_status(status);
  switch (uvow_error_code(error)) {
  case UVOW_ECERT:
  case UVOW_EPROTOCOL: /* the server speaks another one */
  case UVOW_EREMOTE:   /* it doesn't let us in, by its own protocol */
    return 1;
  case UVOW_ETLS:
    return is_fatal_alert(status);
  case UVOW_ECLOSED: /* the peer's own words */
    return status == 1002 || status == 1010 ||
           (fatal_4xxx && status >= 4000); /* there is none above 4999 */
  default:
    return 0;
  }
}

int uvow__failure_is_final(const uvow_error_t *error,
                           const uvow__closes_t *closes) {
  if (uvow_error_code(error) != UVOW_ECLOSED)
    return 0;
  for (size_t i = 0; i < UVOW__FINAL_MAX && closes->final[i]; i++)
    if (uvow_error_status(error) == closes->final[i])
      return 1;
  return 0;
}

int uvow__failure_is_denial(const uvow_error_t *error) {
  int status = uvow_error_status(error);
  return uvow_error_code(error) == UVOW_EHANDSHAKE &&
         (status == 401 || status == 403);
}

int uvow__failure_may_be_ours(const uvow_error_t *error) {
  int status = uvow_error_status(error);
  if (is_http(error))
    return 0;
  return status == 1003 || (status >= 1007 && status <= 1009);
}

uint64_t uvow__failure_retry_after_ms(const uvow_error_t *error) {
  size_t len;
  uint64_t seconds = 0;
  const char *text = uvow_error_code(error) == UVOW_EHANDSHAKE
                         ? uvow_error_header(error, "Retry-After", &len)
                         : NULL;
  if (!text)
    return 0;
  for (size_t i = 0; i < len; i++) {
    if (text[i] < '0' || text[i] > '9')
      return 0;
    if (seconds < UINT32_MAX) /* more is no difference */
      seconds = seconds * 10 + (uint64_t)(text[i] - '0');
  }
  return seconds * 1000;
}
