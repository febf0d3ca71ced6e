/*
 * The report as JSON: all numbers. Latencies in us.
 */
#include "report.h"

#include <jansson.h>
#include <math.h>

static json_t *number(uint64_t value) {
  return json_integer((json_int_t)value);
}

static json_t *urls(const args_t *args) {
  json_t *json = json_array();
  for (size_t i = 0; i < args->url_count; i++)
    json_array_append_new(json, json_string(args->urls[i]));
  return json;
}

static json_t *settings(const args_t *args) {
  json_t *json =
      json_pack("{s:s, s:s, s:s, s:o, s:o, s:b, s:b, s:f}", "url", args->url,
                "protocol", uvow_protocol_name(args->protocol), "method",
                args->method, "inflight", number(args->inflight), "connections",
                number(args->connections), "json_values", args->json_values,
                "verify", args->verify, "warmup_s", args->warmup);
  if (args->params)
    json_object_set_new(json, "params", json_string(args->params));
  if (args->url_count > 1)
    json_object_set_new(json, "urls", urls(args));
  if (args->params_file)
    json_object_set_new(json, "params_file", json_string(args->params_file));
  if (args->ramp > 0)
    json_object_set_new(json, "ramp_s", json_real(args->ramp));
  if (args->rate > 0)
    json_object_set_new(json, "rate", json_real(args->rate));
  if (args->requests)
    json_object_set_new(json, "requests", number(args->requests));
  return json;
}

/* How long what was sent and failed took; null: there's none. */
static json_t *failures(const measure_t *m) {
  const uvow__histogram_t *h = &m->failures;
  if (h->total == 0)
    return json_null();
  return json_pack("{s:o, s:f, s:f, s:f}", "count", number(h->total), "p50",
                   (double)uvow__histogram_at(h, 0.5) / 1e3, "p99",
                   (double)uvow__histogram_at(h, 0.99) / 1e3, "max",
                   (double)uvow__histogram_at(h, 1) / 1e3);
}

static json_t *latency(const measure_t *m) {
  return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "min",
                   (double)m->latency.min / 1e3, "mean",
                   uvow__histogram_mean(&m->latency) / 1e3, "p50",
                   measure_us(m, 0.5), "p90", measure_us(m, 0.9), "p99",
                   measure_us(m, 0.99), "p99.9", measure_us(m, 0.999), "p99.99",
                   measure_us(m, 0.9999), "max", measure_us(m, 1));
}

/* The curve, as HdrHistogram prints it: five values for each time that what is
 * above is halved. */
static json_t *curve(const measure_t *m) {
  json_t *json = json_array();
  double above = 1;
  while (m->latency.total) {
    double share = 1 - above;
    json_array_append_new(json, json_pack("{s:f, s:f}", "share", share, "us",
                                          measure_us(m, share)));
    if (above * (double)m->latency.total < 1)
      break;
    above *= pow(0.5, 0.2);
  }
  return json;
}

static json_t *points(const measure_t *m) {
  json_t *json = json_array();
  for (size_t i = 0; i < m->point_count; i++)
    json_array_append_new(json,
                          json_pack("{s:f, s:o, s:o, s:f, s:f, s:f, s:f}",
                                    "end_s", (double)m->points[i].end_ns / 1e9,
                                    "answered", number(m->points[i].answered),
                                    "failed", number(m->points[i].failed),
                                    "rps", measure_point_rps(m, i), "p50_us",
                                    (double)m->points[i].p50_ns / 1e3, "p99_us",
                                    (double)m->points[i].p99_ns / 1e3, "max_us",
                                    (double)m->points[i].max_ns / 1e3));
  return json;
}

static json_t *faults(const measure_t *m) {
  json_t *json = json_array();
  char name[48];
  for (size_t i = 0; i < m->fault_count; i++) {
    json_t *text = json_string(m->faults[i].text);
    json_array_append_new(
        json,
        json_pack("{s:s, s:o, s:o, s:o}", "name",
                  measure_fault_name(&m->faults[i], name, sizeof(name)),
                  "peer_code", json_integer(m->faults[i].peer_code), "count",
                  number(m->faults[i].count), "first",
                  text ? text : json_null())); /* it may be cut in a letter */
  }
  return json;
}

void report_json(FILE *out, const report_t *report) {
  const measure_t *m = report->measure;
  json_t *json = json_pack(
      "{s:s, s:s, s:o, s:o, s:f, s:f, s:o, s:o, s:f, s:o, s:o, s:o, s:o, s:o, "
      "s:o}",
      "client", "uvow " UVOW_VERSION_STRING, "when", report->when, "settings",
      settings(report->args), "requests", number(m->answered), "seconds",
      m->seconds, "rps", measure_rps(m), "failed", number(m->failed), "overdue",
      number(m->overdue), "cpu_s", m->cpu_s, "maxrss_kb", number(m->maxrss_kb),
      "latency_us", latency(m), "curve_us", curve(m), "points", points(m),
      "faults", faults(m), "failures_us", failures(m));
  if (json)
    json_dumpf(json, out, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
  fputc('\n', out);
  json_decref(json);
}
