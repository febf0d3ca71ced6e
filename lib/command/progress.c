/*
 * What a run says on a terminal: while it runs, and at its end.
 */
#include "progress.h"

#include <inttypes.h>

static const char *format(double ns, char text[16]) {
  return measure_format_ns(ns, text, 16);
}

void progress_show(FILE *out, const char *phase, const measure_t *m,
                   uint64_t answered, double seconds) {
  char p50[16];
  char p99[16];
  fprintf(out, "\r\033[K%s  %.0f/s  p50 %s  p99 %s  %" PRIu64 " failed", phase,
          seconds > 0 ? (double)answered / seconds : 0,
          format((double)uvow__histogram_at(&m->second, 0.5), p50),
          format((double)uvow__histogram_at(&m->second, 0.99), p99), m->failed);
  fflush(out);
}

void progress_end(FILE *out) {
  fputs("\r\033[K", out);
  fflush(out);
}

static void print_latency(FILE *out, const uvow__histogram_t *latency) {
  static const struct {
    const char *name;
    double share;
  } shown[] = {{"p50", 0.5},     {"p90", 0.9},       {"p99", 0.99},
               {"p99.9", 0.999}, {"p99.99", 0.9999}, {"max", 1}};
  char text[16];
  for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++)
    fprintf(out, "%s%s %s", i ? "   " : "", shown[i].name,
            format((double)uvow__histogram_at(latency, shown[i].share), text));
  fputc('\n', out);
}

static void print_faults(FILE *out, const measure_t *m) {
  char name[48];
  fprintf(out, "failed     %" PRIu64 "\n", m->failed);
  if (m->failures.total) {
    fputs("after      ", out);
    print_latency(out, &m->failures);
  }
  for (size_t i = 0; i < m->fault_count; i++) {
    const measure_fault_t *fault = &m->faults[i];
    int rest = i == MEASURE_FAULTS - 1;
    fprintf(out, "           %" PRIu64 " %s: %s\n", fault->count,
            rest ? "and others" : measure_fault_name(fault, name, sizeof(name)),
            fault->text);
  }
}

void progress_print(FILE *out, const args_t *args, const measure_t *m) {
  char text[16];
  fprintf(out, "%s", args->url);
  for (size_t i = 1; i < args->url_count; i++)
    fprintf(out, " %s", args->urls[i]);
  fprintf(out, "  %s %s, %" PRIu64 " in flight on %" PRIu64 " connection%s",
          uvow_protocol_name(args->protocol), args->method, args->inflight,
          args->connections, args->connections == 1 ? "" : "s");
  if (args->rate > 0)
    fprintf(out, ", %.15g/s", args->rate);
  fprintf(out, "\nanswered   %" PRIu64 " in %s: %.0f/s\n", m->answered,
          format(m->seconds * 1e9, text), measure_rps(m));
  if (m->latency.total) {
    fputs("latency    ", out);
    print_latency(out, &m->latency);
  }
  fprintf(out, "this side  %s of CPU", format(m->cpu_s * 1e9, text));
  if (m->answered)
    fprintf(out, ", %s a request",
            format(m->cpu_s * 1e9 / (double)m->answered, text));
  fprintf(out, "; %.1f MiB\n", (double)m->maxrss_kb / 1024);
  if (m->overdue)
    fprintf(out,
            "overdue    %" PRIu64 " were never sent: all %" PRIu64
            " in flight were waiting; counted with their age\n",
            m->overdue, args->inflight);
  if (m->failed)
    print_faults(out, m);
}

void progress_print_line(FILE *out, const args_t *args, const measure_t *m) {
  fprintf(out,
          "client=uvow inflight=%" PRIu64 " requests=%" PRIu64
          " seconds=%.3f rps=%.0f p50_us=%.1f p99_us=%.1f cpu_s=%.3f "
          "maxrss_kb=%" PRIu64 "\n",
          args->inflight, m->answered, m->seconds, measure_rps(m),
          measure_us(m, 0.5), measure_us(m, 0.99), m->cpu_s, m->maxrss_kb);
}
