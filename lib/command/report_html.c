/*
 * The report as a page: the pictures and the numbers. It needs nothing else: no
 * script, no font, no file.
 */
#include "report.h"

#include <inttypes.h>

static const char head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n"
    "<title>uvow bench</title>\n"
    "<style>\n"
    "body { font: 15px/1.5 system-ui, sans-serif; max-width: 800px;\n"
    "  margin: 2em auto; padding: 0 1em; color: #1f2328; background: #fff; }\n"
    "h1 { font-size: 1.4em; margin-bottom: 0; overflow-wrap: anywhere; }\n"
    "p { margin-top: 0.2em; color: #59636e; }\n"
    "svg { width: 100%; height: auto; margin: 0.5em 0; }\n"
    "table { border-collapse: collapse; margin: 1em 0; }\n"
    "th, td { padding: 0.2em 1.5em 0.2em 0; text-align: left;\n"
    "  border-bottom: 1px solid #d1d9e0; overflow-wrap: anywhere; }\n"
    "th { font-weight: normal; color: #59636e; white-space: nowrap; }\n"
    "td.n { text-align: right; font-variant-numeric: tabular-nums; }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  body { color: #e6edf3; background: #0d1117; }\n"
    "  p, th { color: #9198a1; }\n"
    "  th, td { border-color: #3d444d; }\n"
    "}\n"
    "</style>\n"
    "</head>\n"
    "<body>\n";

static void row(FILE *out, const char *name, const char *value) {
  fprintf(out, "<tr><th>%s</th><td class=\"n\">%s</td></tr>\n", name, value);
}

static void row_count(FILE *out, const char *name, uint64_t value) {
  char text[24];
  snprintf(text, sizeof(text), "%" PRIu64, value);
  row(out, name, text);
}

static void row_us(FILE *out, const char *name, double us) {
  char text[24];
  row(out, name, measure_format_ns(us * 1e3, text, sizeof(text)));
}

static void row_real(FILE *out, const char *name, double value,
                     const char *unit) {
  char text[64];
  snprintf(text, sizeof(text), "%.2f %s", value, unit);
  row(out, name, text);
}

static void numbers(FILE *out, const measure_t *m) {
  fputs("<table>\n", out);
  row_count(out, "answered", m->answered);
  row_count(out, "failed", m->failed);
  if (m->overdue)
    row_count(out, "overdue, never sent", m->overdue);
  row_real(out, "counted time", m->seconds, "s");
  row_count(out, "answers a second", (uint64_t)(measure_rps(m) + 0.5));
  row_us(out, "latency p50", measure_us(m, 0.5));
  row_us(out, "latency p90", measure_us(m, 0.9));
  row_us(out, "latency p99", measure_us(m, 0.99));
  row_us(out, "latency p99.9", measure_us(m, 0.999));
  row_us(out, "latency p99.99", measure_us(m, 0.9999));
  row_us(out, "latency max", measure_us(m, 1));
  if (m->failures.total)
    row_us(out, "what failed took, p50",
           (double)uvow__histogram_at(&m->failures, 0.5) / 1e3);
  row_real(out, "CPU of this side", m->cpu_s, "s");
  row_real(out, "memory of this side", (double)m->maxrss_kb / 1024, "MiB");
  fputs("</table>\n", out);
}

static void faults(FILE *out, const measure_t *m) {
  char name[48];
  if (m->fault_count == 0)
    return;
  fputs("<table>\n<tr><th>count</th><th>failure</th><th>the first</th></tr>\n",
        out);
  for (size_t i = 0; i < m->fault_count; i++) {
    fprintf(out, "<tr><td class=\"n\">%" PRIu64 "</td><td>%s</td><td>",
            m->faults[i].count,
            i == MEASURE_FAULTS - 1
                ? "others"
                : measure_fault_name(&m->faults[i], name, sizeof(name)));
    report_escape(out, m->faults[i].text);
    fputs("</td></tr>\n", out);
  }
  fputs("</table>\n", out);
}

static void settings(FILE *out, const report_t *report) {
  const args_t *args = report->args;
  fputs("<h1>", out);
  report_escape(out, args->url);
  fprintf(out, "</h1>\n<p>%s ", uvow_protocol_name(args->protocol));
  report_escape(out, args->method);
  fprintf(out, ", %" PRIu64 " in flight on %" PRIu64 " connection%s, ",
          args->inflight, args->connections, args->connections == 1 ? "" : "s");
  if (args->rate > 0)
    fprintf(out, "%.15g requests/s on a schedule, ", args->rate);
  fprintf(out, "%s%suvow %s, %s</p>\n",
          args->json_values ? "JSON values, " : "",
          args->verify ? "each answer compared, " : "", uvow_version(),
          report->when);
}

void report_html(FILE *out, const report_t *report) {
  fputs(head, out);
  settings(out, report);
  report_svg_throughput(out, report);
  report_svg_over_time(out, report);
  report_svg_latency(out, report);
  numbers(out, report->measure);
  faults(out, report->measure);
  fputs("</body>\n</html>\n", out);
}
