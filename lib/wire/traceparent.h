#ifndef UVOW__TRACEPARENT_H
#define UVOW__TRACEPARENT_H

#include "base/buf.h"

#define UVOW__TRACEPARENT_LEN 55

/* Whether it is a traceparent of version 00 (W3C Trace Context 3.2):
 * "00-" 32 hex digits "-" 16 hex digits "-" 2 hex digits, lower case; neither
 * id all zeros. */
int uvow__traceparent_valid(uvow__slice_t text);

#endif
