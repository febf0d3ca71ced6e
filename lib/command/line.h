#ifndef UVOW_COMMAND_LINE_H
#define UVOW_COMMAND_LINE_H

#include <stddef.h>

/* A call as a line: METHOD [PARAMS]. Both are copied. */
typedef struct line {
  char *method; /* NULL: the line has none; owned */
  const char *params;
  size_t params_len; /* 0: none */
  char error[200];   /* "": the params are JSON, or there are none */
} line_t;

/* Reads it. A blank one, or one that begins with #, has no method. Returns 0;
 * -1: no memory. Release it with line_done. */
int line_read(line_t *line, const char *text, size_t len);
void line_done(line_t *line);

#endif
