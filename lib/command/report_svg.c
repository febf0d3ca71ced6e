/*
 * The report's pictures, drawn by hand: throughput and latency over time, and
 * latency by percentile. Readable in the light and in the dark; no script, no font.
 *
 * The percentile axis is logarithmic in what is above: 90 %, 99 %, 99.9 % are
 * equally far apart, as in HdrHistogram's plots.
 */
#include "report.h"

#include <inttypes.h>
#include <math.h>

#define WIDTH 760
#define HEIGHT 320
#define LEFT 76.0
#define RIGHT 736.0
#define TOP 48.0
#define BOTTOM 264.0
#define DECADES_MAX 9
#define MARK_ROOM 96 /* that the mark of the maximum takes */

/* An axis upwards from 0. */
typedef struct axis {
  double max;
  double step;
  double unit; /* what a label's number is divided by */
  const char *unit_name;
} axis_t;

static const char style[] =
    "<style>\n"
    ".uv-bg { fill: #ffffff; }\n"
    ".uv-grid { stroke: #d1d9e0; stroke-width: 1; }\n"
    ".uv-axis { stroke: #818b98; stroke-width: 1; }\n"
    ".uv-line { fill: none; stroke: #0969da; stroke-width: 1.8;\n"
    "  stroke-linejoin: round; }\n"
    ".uv-area { fill: #0969da; opacity: 0.12; }\n"
    ".uv-dot { fill: #0969da; }\n"
    ".uv-mean { stroke: #59636e; stroke-width: 1; stroke-dasharray: 5 4; }\n"
    ".uv-most { fill: none; stroke: #59636e; stroke-width: 1; }\n"
    ".uv-bad { fill: none; stroke: #cf222e; stroke-width: 1.8; }\n"
    ".uv-text { fill: #1f2328; font: 12px system-ui, sans-serif; }\n"
    ".uv-quiet { fill: #59636e; font: 12px system-ui, sans-serif; }\n"
    ".uv-wrong { fill: #cf222e; font: 12px system-ui, sans-serif; }\n"
    ".uv-title { fill: #1f2328; font: 600 15px system-ui, sans-serif; }\n"
    ".uv-end { text-anchor: end; }\n"
    ".uv-mid { text-anchor: middle; }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  .uv-bg { fill: #0d1117; }\n"
    "  .uv-grid { stroke: #2a313c; }\n"
    "  .uv-axis { stroke: #656c76; }\n"
    "  .uv-line { stroke: #58a6ff; }\n"
    "  .uv-area, .uv-dot { fill: #58a6ff; }\n"
    "  .uv-mean, .uv-most { stroke: #9198a1; }\n"
    "  .uv-bad { stroke: #ff7b72; }\n"
    "  .uv-wrong { fill: #ff7b72; }\n"
    "  .uv-text, .uv-title { fill: #e6edf3; }\n"
    "  .uv-quiet { fill: #9198a1; }\n"
    "}\n"
    "</style>\n";

void report_escape(FILE *out, const char *text) {
  for (; *text; text++) {
    if (*text == '<')
      fputs("&lt;", out);
    else if (*text == '>')
      fputs("&gt;", out);
    else if (*text == '&')
      fputs("&amp;", out);
    else if (*text == '"')
      fputs("&quot;", out);
    else if ((unsigned char)*text >= ' ' || *text == '\t')
      fputc(*text, out);
    else
      fputc('?', out); /* XML has no control characters */
  }
}

double report_step(double max, unsigned count) {
  if (!(max > 0) || count == 0)
    return 1;
  double step = pow(10, floor(log10(max / count)));
  static const double times[] = {1, 2, 5, 10, 20};
  for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++)
    if (times[i] * step * count >= max * (1 - 1e-9))
      return times[i] * step;
  return max;
}

/* An axis that has room for max. */
static axis_t axis_to(double max, const char *const names[4], double unit) {
  axis_t axis;
  axis.step = report_step(max, 5);
  axis.max = axis.step * ceil(max / axis.step - 1e-9);
  if (!(axis.max > 0))
    axis.max = axis.step;
  axis.unit = unit;
  size_t i = 0;
  for (; i < 3 && axis.max >= 1000 * axis.unit; i++)
    axis.unit *= 1000;
  axis.unit_name = names[i];
  return axis;
}

static double y_of(const axis_t *axis, double value) {
  return BOTTOM - (BOTTOM - TOP) * value / axis->max;
}

static void text(FILE *out, const char *class, double x, double y,
                 const char *value) {
  fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", class, x,
          y, value);
}

static void line(FILE *out, const char *class, double x1, double y1, double x2,
                 double y2) {
  fprintf(out,
          "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" "
          "y2=\"%.1f\"/>\n",
          class, x1, y1, x2, y2);
}

static void begin(FILE *out, double y, const char *title) {
  fprintf(out,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" y=\"%g\" width=\"%d\" "
          "height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\" "
          "aria-label=\"%s\">\n",
          y, WIDTH, HEIGHT, WIDTH, HEIGHT, title);
  fputs(style, out);
  fprintf(out, "<rect class=\"uv-bg\" width=\"%d\" height=\"%d\"/>\n", WIDTH,
          HEIGHT);
  text(out, "uv-title", LEFT, 22, title);
}

static void draw_y_axis(FILE *out, const axis_t *axis) {
  char label[32];
  for (double at = 0; at <= axis->max * (1 + 1e-9); at += axis->step) {
    line(out, at > 0 ? "uv-grid" : "uv-axis", LEFT, y_of(axis, at), RIGHT,
         y_of(axis, at));
    snprintf(label, sizeof(label), "%g", at / axis->unit);
    text(out, "uv-quiet uv-end", LEFT - 8, y_of(axis, at) + 4, label);
  }
  text(out, "uv-quiet uv-end", LEFT - 8, TOP - 14, axis->unit_name);
}

/* Throughput over time. */

static double time_x(const measure_t *m, double seconds) {
  double all = m->seconds > 0 ? m->seconds : 1;
  return LEFT + (RIGHT - LEFT) * (seconds < all ? seconds / all : 1);
}

static double failed_rate(const measure_t *m, size_t i) {
  double failed = (double)m->points[i].failed;
  uint64_t begin_ns = i ? m->points[i - 1].end_ns : 0;
  double seconds = (double)(m->points[i].end_ns - begin_ns) / 1e9;
  return seconds > 0 ? failed / seconds : 0;
}

static void draw_time_axis(FILE *out, const measure_t *m) {
  double all = m->seconds > 0 ? m->seconds : 1;
  double step = report_step(all, 10);
  char label[32];
  for (double at = 0; at <= all * (1 + 1e-9); at += step) {
    line(out, "uv-axis", time_x(m, at), BOTTOM, time_x(m, at), BOTTOM + 5);
    snprintf(label, sizeof(label), "%g", at);
    text(out, "uv-quiet uv-mid", time_x(m, at), BOTTOM + 20, label);
  }
  text(out, "uv-quiet uv-mid", (LEFT + RIGHT) / 2, BOTTOM + 42,
       "time in seconds");
}

/* Each point is a step as wide as its time. */
static void draw_steps(FILE *out, const measure_t *m, const axis_t *axis,
                       double (*rate)(const measure_t *, size_t)) {
  for (size_t i = 0; i < m->point_count; i++) {
    double from = i ? (double)m->points[i - 1].end_ns / 1e9 : 0;
    double y = y_of(axis, rate(m, i));
    fprintf(out, "%s%.1f %.1fH%.1f", i ? "L" : "M", time_x(m, from), y,
            time_x(m, (double)m->points[i].end_ns / 1e9));
  }
}

static void draw_throughput(FILE *out, const measure_t *m, const axis_t *axis) {
  double mean = y_of(axis, measure_rps(m));
  char label[64];
  if (m->point_count == 0)
    return;
  fprintf(out, "<path class=\"uv-area\" d=\"");
  draw_steps(out, m, axis, measure_point_rps);
  fprintf(out, "V%.1fH%.1fZ\"/>\n<path class=\"uv-line\" d=\"", BOTTOM, LEFT);
  draw_steps(out, m, axis, measure_point_rps);
  fputs("\"/>\n", out);
  line(out, "uv-mean", LEFT, mean, RIGHT, mean);
  snprintf(label, sizeof(label), "mean %.0f/s", measure_rps(m));
  text(out, "uv-text uv-end", RIGHT, 22, label);
  if (m->failed == 0)
    return;
  fputs("<path class=\"uv-bad\" d=\"", out);
  draw_steps(out, m, axis, failed_rate);
  fputs("\"/>\n", out);
  text(out, "uv-wrong uv-end", RIGHT, 38, "failed");
}

static void throughput(FILE *out, const measure_t *m, double y) {
  static const char *const names[] = {"1/s", "1000/s", "million/s",
                                      "billion/s"};
  double max = 0;
  for (size_t i = 0; i < m->point_count; i++) {
    max = fmax(max, measure_point_rps(m, i));
    max = fmax(max, failed_rate(m, i));
  }
  axis_t axis = axis_to(fmax(max, 1), names, 1);
  begin(out, y, "Answers a second");
  draw_y_axis(out, &axis);
  draw_time_axis(out, m);
  draw_throughput(out, m, &axis);
  fputs("</svg>\n", out);
}

/* Latency over time. */

static double p50_of(const measure_t *m, size_t i) {
  return (double)m->points[i].p50_ns;
}

static double p99_of(const measure_t *m, size_t i) {
  return (double)m->points[i].p99_ns;
}

static double max_of(const measure_t *m, size_t i) {
  return (double)m->points[i].max_ns;
}

static void draw_over_time(FILE *out, const measure_t *m, const axis_t *axis) {
  static const struct {
    const char *class;
    const char *label;
    double (*of)(const measure_t *, size_t);
  } lines[] = {{"uv-most", "max", max_of},
               {"uv-area", "p99", p99_of},
               {"uv-line", "p50", p50_of}};
  for (size_t i = 0; i < 3; i++) {
    fprintf(out, "<path class=\"%s\" d=\"", lines[i].class);
    draw_steps(out, m, axis, lines[i].of);
    if (i == 1)
      fprintf(out, "V%.1fH%.1fZ", BOTTOM, LEFT);
    fputs("\"/>\n", out);
  }
  text(out, "uv-text uv-end", RIGHT, 22,
       "p50, below p99 (filled) and the maximum");
}

static void over_time(FILE *out, const measure_t *m, double y) {
  static const char *const names[] = {"ns", "us", "ms", "s"};
  double max = 1;
  for (size_t i = 0; i < m->point_count; i++)
    max = fmax(max, max_of(m, i));
  axis_t axis = axis_to(max, names, 1);
  begin(out, y, "Latency over time");
  draw_y_axis(out, &axis);
  draw_time_axis(out, m);
  if (m->point_count)
    draw_over_time(out, m, &axis);
  fputs("</svg>\n", out);
}

/* Latency by percentile. */

/* How many tenths of what is left: 90 % is 1, 99 % is 2. */
static double decades_of(const measure_t *m) {
  double decades = m->latency.total ? log10((double)m->latency.total) : 0;
  return fmin(fmax(decades, 1), DECADES_MAX);
}

static double share_at(double decade) {
  return 1 - pow(10, -decade);
}

static double share_x(double decades, double decade) {
  return LEFT + (RIGHT - LEFT) * decade / decades;
}

static void draw_share_axis(FILE *out, double decades) {
  static const char *const labels[] = {
      "0 %",      "90 %",      "99 %",       "99.9 %",      "99.99 %",
      "99.999 %", "99.9999 %", "99.99999 %", "99.999999 %", "99.9999999 %"};
  for (int i = 0; i <= (int)decades; i++) {
    double x = share_x(decades, i);
    if (i)
      line(out, "uv-grid", x, TOP, x, BOTTOM);
    line(out, "uv-axis", x, BOTTOM, x, BOTTOM + 5);
    text(out, RIGHT - x < 20 ? "uv-quiet uv-end" : "uv-quiet uv-mid", x,
         BOTTOM + 20, labels[i]);
  }
  text(out, "uv-quiet uv-mid", (LEFT + RIGHT) / 2, BOTTOM + 42,
       "share of requests that took no longer");
}

/* A dot and its value: above to the left, where the curve never is. */
static void draw_mark(FILE *out, double x, double y, const char *name,
                      double ns) {
  char value[24];
  char label[64];
  fprintf(out, "<circle class=\"uv-dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n",
          x, y);
  snprintf(label, sizeof(label), "%s%s", name,
           measure_format_ns(ns, value, sizeof(value)));
  if (x - LEFT > MARK_ROOM)
    text(out, "uv-text uv-end", x, y - 9, label);
  else if (y < BOTTOM - 30) /* no room there, but below to the right */
    text(out, "uv-text", x + 7, y + 15, label);
  else
    text(out, "uv-text uv-mid", x, y - 9, label);
}

static void draw_marks(FILE *out, const measure_t *m, const axis_t *axis,
                       double decades) {
  double max = measure_us(m, 1) * 1e3;
  double p50 = measure_us(m, 0.5) * 1e3;
  draw_mark(out, share_x(decades, log10(2)), y_of(axis, p50), "", p50);
  for (int i = 1; share_x(decades, i) < RIGHT - MARK_ROOM; i++) {
    double ns = measure_us(m, share_at(i)) * 1e3;
    if (i == 1 && decades > 6)
      continue; /* no room beside the median */
    draw_mark(out, share_x(decades, i), y_of(axis, ns), "", ns);
  }
  draw_mark(out, RIGHT, y_of(axis, max), "max ", max);
}

static void draw_curve(FILE *out, const measure_t *m, const axis_t *axis,
                       double decades) {
  enum { STEPS = 300 };
  fputs("<path class=\"uv-line\" d=\"", out);
  for (int i = 0; i <= STEPS; i++) {
    double decade = decades * i / STEPS;
    double share = i < STEPS ? share_at(decade) : 1;
    fprintf(out, "%s%.1f %.1f", i ? "L" : "M", share_x(decades, decade),
            y_of(axis, measure_us(m, share) * 1e3));
  }
  fputs("\"/>\n", out);
}

static void latency(FILE *out, const measure_t *m, double y) {
  static const char *const names[] = {"ns", "us", "ms", "s"};
  double decades = decades_of(m);
  axis_t axis = axis_to(fmax(measure_us(m, 1) * 1e3, 1), names, 1);
  begin(out, y, "Latency by percentile");
  draw_y_axis(out, &axis);
  draw_share_axis(out, decades);
  if (m->latency.total) {
    draw_curve(out, m, &axis, decades);
    draw_marks(out, m, &axis, decades);
  } else {
    text(out, "uv-quiet uv-mid", (LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2 - 12,
         "nothing was answered");
  }
  fputs("</svg>\n", out);
}

void report_svg_throughput(FILE *out, const report_t *report) {
  throughput(out, report->measure, 0);
}

void report_svg_over_time(FILE *out, const report_t *report) {
  over_time(out, report->measure, 0);
}

void report_svg_latency(FILE *out, const report_t *report) {
  latency(out, report->measure, 0);
}

void report_svg(FILE *out, const report_t *report) {
  const args_t *args = report->args;
  const int head = 34;
  fprintf(out,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
          "height=\"%d\" viewBox=\"0 0 %d %d\">\n",
          WIDTH, 3 * HEIGHT + head, WIDTH, 3 * HEIGHT + head);
  fputs(style, out);
  fprintf(out, "<rect class=\"uv-bg\" width=\"%d\" height=\"%d\"/>\n", WIDTH,
          3 * HEIGHT + head);
  fprintf(out, "<text class=\"uv-quiet\" x=\"%.1f\" y=\"22\">", LEFT);
  report_escape(out, args->url);
  fprintf(out, "  %s ", uvow_protocol_name(args->protocol));
  report_escape(out, args->method);
  fprintf(out, ", %" PRIu64 " in flight, %s</text>\n", args->inflight,
          report->when);
  throughput(out, report->measure, head);
  over_time(out, report->measure, HEIGHT + head);
  latency(out, report->measure, 2 * HEIGHT + head);
  fputs("</svg>\n", out);
}
