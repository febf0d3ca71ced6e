#ifndef UVOW_COMMAND_REPORT_H
#define UVOW_COMMAND_REPORT_H

#include <stdio.h>

#include "args.h"
#include "measure.h"

/* What a report is of; both borrowed. */
typedef struct report {
  const args_t *args;
  const measure_t *measure; /* merged */
  const char *when;         /* date and time */
} report_t;

/* Each writes the whole file; errors are left in out's error flag. */
void report_html(FILE *out, const report_t *report);
void report_svg(FILE *out, const report_t *report);
void report_json(FILE *out, const report_t *report);

/* One picture: an <svg> element, with no header of XML. */
void report_svg_throughput(FILE *out, const report_t *report);
void report_svg_over_time(FILE *out, const report_t *report);
void report_svg_latency(FILE *out, const report_t *report);

/* Text within XML and HTML. */
void report_escape(FILE *out, const char *text);

/* The step of an axis from 0 to max with up to `count` labels: 1, 2 or 5 times
 * a power of ten. */
double report_step(double max, unsigned count);

#endif
