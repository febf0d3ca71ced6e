/* Where a client connects: a URL that the handshake can say, and headers. */
#include "target.h"

#include <string.h>

#include "base/options.h"

static void free_headers(const uvow__mem_t *mem,
                         uvow__handshake_header_t *headers, size_t count) {
  for (size_t i = 0; headers && i < count; i++) {
    uvow__free(mem, (char *)(uintptr_t)headers[i].name);
    uvow__free(mem, (char *)(uintptr_t)headers[i].value);
  }
  uvow__free(mem, headers);
}

static int copy_header(const uvow__mem_t *mem, const uvow_header_t *header,
                       uvow__handshake_header_t *ret) {
  if (!header->name || !header->value)
    return UVOW_EINVAL;
  ret->name = uvow__strdup(mem, header->name);
  ret->value = uvow__strdup(mem, header->value);
  return ret->name && ret->value ? 0 : UVOW_ENOMEM;
}

/* The array steps by the size of its first element. */
static int copy_headers(const uvow__mem_t *mem, const uvow_header_t *headers,
                        size_t count, uvow__handshake_header_t **ret) {
  uvow_header_t own;
  size_t size;
  int rc = 0;
  *ret = NULL;
  if (count == 0)
    return 0;
  if (!headers || uvow__size_mul(count, sizeof(**ret), &size))
    return UVOW_EINVAL;
  uvow__handshake_header_t *copies =
      (uvow__handshake_header_t *)uvow__calloc(mem, size);
  if (!copies)
    return UVOW_ENOMEM;
  for (size_t i = 0; rc == 0 && i < count; i++) {
    const uvow_header_t *header =
        (const uvow_header_t *)uvow__options_nth(headers, i, &own, sizeof(own));
    rc = header ? copy_header(mem, header, &copies[i]) : UVOW_EINVAL;
  }
  if (rc)
    free_headers(mem, copies, count);
  else
    *ret = copies;
  return rc;
}

int uvow__target_set(uvow__target_t *target, const uvow__mem_t *mem,
                     const char *url, const uvow_header_t *headers,
                     size_t count) {
  uvow__url_t parsed;
  uvow__handshake_header_t *copies;
  memset(&parsed, 0, sizeof(parsed));
  int rc = url ? uvow__url_parse(mem, url, strlen(url), &parsed) : 0;
  if (rc)
    return rc;
  rc = copy_headers(mem, headers, headers ? count : 0, &copies);
  if (rc) {
    uvow__url_done(&parsed);
    return rc;
  }
  if (url) {
    uvow__url_done(&target->url);
    target->url = parsed;
    target->url_code = 0;
  }
  if (headers) {
    free_headers(mem, target->headers, target->header_count);
    target->headers = copies;
    target->header_count = count;
  }
  return 0;
}

int uvow__target_init(uvow__target_t *target, const uvow__mem_t *mem,
                      const char *url, const uvow_header_t *headers,
                      size_t count) {
  memset(target, 0, sizeof(*target));
  if (count && !headers)
    return UVOW_EINVAL;
  int rc = uvow__target_set(target, mem, url, headers, count);
  if (rc != UVOW_EURL && rc != UVOW_ESCHEME)
    return rc;
  target->url_code = rc;
  return uvow__target_set(target, mem, NULL, headers, count);
}

void uvow__target_done(uvow__target_t *target, const uvow__mem_t *mem) {
  uvow__url_done(&target->url);
  free_headers(mem, target->headers, target->header_count);
  memset(target, 0, sizeof(*target));
}
