#ifndef UVOW__TARGET_H
#define UVOW__TARGET_H

#include <uvow/websocket.h>

#include "wire/handshake.h"
#include "wire/url.h"

/* Where to connect, and what to say there: what may change from one attempt to
 * the next. All zero: nowhere yet. */
typedef struct uvow__target {
  uvow__url_t url;
  int url_code; /* why there is no URL, or 0 */
  uvow__handshake_header_t *headers;
  size_t header_count;
} uvow__target_t;

/* Replaces URL (NULL: as it is) and headers (NULL: as they are), or, on error,
 * nothing. UVOW_ENOMEM; UVOW_EINVAL: a header without name, value or size;
 * UVOW_EURL, UVOW_ESCHEME. */
int uvow__target_set(uvow__target_t *target, const uvow__mem_t *mem,
                     const char *url, const uvow_header_t *headers,
                     size_t count);
/* The same for the first one; a URL that can't be read is no error, but
 * url_code. */
int uvow__target_init(uvow__target_t *target, const uvow__mem_t *mem,
                      const char *url, const uvow_header_t *headers,
                      size_t count);
void uvow__target_done(uvow__target_t *target, const uvow__mem_t *mem);

#endif
