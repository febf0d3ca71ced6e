#ifndef UVOW__JSON_SKIP_H
#define UVOW__JSON_SKIP_H

/* Containers may be nested so deep within a payload: as deep as jansson takes
 * them. */
#define UVOW__JSON_DEPTH 2048

/* A payload's container, p at its bracket: returns what's behind it. Its
 * brackets must match and its strings end, no more. NULL: they don't, or it is
 * too deep. */
const char *uvow__json_skip(const char *p, const char *end);

/* Why it couldn't be skipped: whether it is too deep. Slow. */
int uvow__json_too_deep(const char *p, const char *end);

#endif
