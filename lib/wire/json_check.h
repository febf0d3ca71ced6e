#ifndef UVOW__JSON_CHECK_H
#define UVOW__JSON_CHECK_H

#include "base/buf.h"

/* Containers may be nested so deep: what jansson takes. */
#define UVOW__JSON_CHECK_DEPTH 2048

/* Whether the text is one JSON value (RFC 8259), in UTF-8, with space around it
 * or not: 0, or UVOW_EPAYLOAD. What jansson's types can't hold is JSON too: an
 * integer of any length, half a surrogate pair. */
int uvow__json_check(uvow__slice_t text);

#endif
