#ifndef UVOW_COMMAND_PROGRESS_H
#define UVOW_COMMAND_PROGRESS_H

#include <stdio.h>

#include "args.h"
#include "measure.h"

/* One line of how it goes, over the last one. Before measure_merge. */
void progress_show(FILE *out, const char *phase, const measure_t *m,
                   uint64_t answered, double seconds);
/* Wipes it. */
void progress_end(FILE *out);

/* The results for people; --line's one line. */
void progress_print(FILE *out, const args_t *args, const measure_t *m);
void progress_print_line(FILE *out, const args_t *args, const measure_t *m);

#endif
