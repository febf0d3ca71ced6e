#ifndef UVOW__WAMP2_CALLS_H
#define UVOW__WAMP2_CALLS_H

#include "dialect.h"

/* What WAMP's tables can't say: see wamp2_calls.c. */
extern const uvow__native_t uvow__wamp2_calls;

#endif
