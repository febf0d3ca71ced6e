#ifndef UVOW__JSON_SKIP_H
#define UVOW__JSON_SKIP_H

/* Containers may be nested so deep within a payload. */
#define UVOW__JSON_DEPTH 512

/* A payload's container, p at its bracket: returns what's behind it. Its
 * brackets must match and its strings end, no more. NULL: they don't, or it is
 * too deep. */
const char *uvow__json_skip(const char *p, const char *end);

#endif
