#ifndef UVOW__VALUE_FORMAT_H
#define UVOW__VALUE_FORMAT_H

#include <uvow/json.h>

/* What couldn't be made: as.i64 is the code. It has no size, so nobody takes
 * it for a value. */
extern const uvow_type_t uvow__type_failed;

#endif
