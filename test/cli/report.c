/* Reports: well formed, self-contained, and with the numbers in them. */
#include "support/support.h"

#include <math.h>
#include <stdio.h>

#include <jansson.h>

#include <report.h>

#define MS UINT64_C(1000000)

typedef void (*write_fn)(FILE *out, const report_t *report);

/* What a report writes; to be freed. */
static char *written(write_fn fn, const report_t *report) {
  FILE *file = tmpfile();
  assert_non_null(file);
  fn(file, report);
  assert_int_equal(ferror(file), 0);
  long len = ftell(file);
  assert_true(len > 0);
  rewind(file);
  char *text = (char *)calloc(1, (size_t)len + 1);
  assert_int_equal(fread(text, 1, (size_t)len, file), len);
  fclose(file);
  return text;
}

static void init_args(args_t *args) {
  memset(args, 0, sizeof(*args));
  args->url = "ws://host/?a=1&b=\"><script>alert(1)</script>";
  args->protocol = uvow_protocol_by_name("jsonrpc2");
  args->method = "a<b";
  args->params = "{\"x\":81}";
  args->inflight = 64;
  args->connections = 2;
}

static void measured(measure_t *m, uint64_t count) {
  measure_init(m);
  for (uint64_t i = 1; i <= count; i++) {
    measure_add(m, i * 1000);
    if (i % 100 == 0)
      measure_tick(m, i * MS);
  }
  measure_fail(m, UVOW_EREMOTE, -7, "<no & \"such\" thing>\x01");
  measure_last_tick(m, count * MS);
  measure_merge(m);
  m->seconds = (double)count / 1000;
  m->cpu_s = 0.25;
  m->maxrss_kb = 2048;
}

/* Steps over one tag; keeps count of what is open. Returns what is behind. */
static const char *take_tag(const char *tag, int *depth) {
  static const char *const single[] = {"!DOCTYPE", "meta"};
  const char *end = tag;
  int quoted = 0;
  for (; *end && (quoted || *end != '>'); end++) {
    assert_true(*end != '<');
    quoted ^= *end == '"';
  }
  assert_true(*end == '>' && !quoted);
  for (size_t i = 0; i < sizeof(single) / sizeof(*single); i++)
    if (strncmp(tag, single[i], strlen(single[i])) == 0)
      return end + 1;
  if (*tag == '/')
    --*depth;
  else if (end[-1] != '/')
    ++*depth;
  assert_true(*depth >= 0);
  return end + 1;
}

static void assert_well_formed(const char *text) {
  int depth = 0;
  for (const char *at = text; *at;) {
    assert_true((unsigned char)*at >= ' ' || *at == '\n');
    if (*at == '&')
      assert_true(strncmp(at, "&lt;", 4) == 0 || strncmp(at, "&gt;", 4) == 0 ||
                  strncmp(at, "&amp;", 5) == 0 ||
                  strncmp(at, "&quot;", 6) == 0);
    at = *at == '<' ? take_tag(at + 1, &depth) : at + 1;
  }
  assert_int_equal(depth, 0);
}

/* Nothing is fetched, nothing runs, no number is none. */
static void assert_self_contained(const char *text) {
  static const char *const banned[] = {"<script", "href", "src=",  "url(",
                                       "@import", "NaN",  "\"nan", "inf\"",
                                       " nan",    "-nan", "inf "};
  for (size_t i = 0; i < sizeof(banned) / sizeof(*banned); i++)
    if (strstr(text, banned[i]))
      fail_msg("%s in %.300s", banned[i], strstr(text, banned[i]));
  for (const char *at = text; (at = strstr(at, "://")); at += 3)
    assert_true(strncmp(at, "://www.w3.org/2000/svg", 22) == 0 ||
                strncmp(at - 2, "ws://host", 9) == 0);
}

TEST_CASE(pictures_and_pages_are_well_formed) {
  static const write_fn fns[] = {report_svg, report_html};
  static const uint64_t counts[] = {0, 1, 2, 950, 100000};
  args_t args;
  init_args(&args);
  for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
    measure_t m;
    report_t report = {&args, &m, "2026-01-02 03:04 UTC"};
    measured(&m, counts[i]);
    for (size_t k = 0; k < sizeof(fns) / sizeof(*fns); k++) {
      char *text = written(fns[k], &report);
      assert_well_formed(text);
      assert_self_contained(text);
      free(text);
    }
    measure_done(&m);
  }
}

TEST_CASE(a_page_has_the_numbers) {
  measure_t m;
  args_t args;
  report_t report = {&args, &m, "2026-01-02 03:04 UTC"};
  init_args(&args);
  measured(&m, 1000);
  char *text = written(report_html, &report);
  assert_non_null(strstr(text, "a&lt;b, 64 in flight on 2 connections, "));
  assert_non_null(strstr(text, "<th>answered</th><td class=\"n\">1000</td>"));
  assert_non_null(strstr(text, "<th>failed</th><td class=\"n\">1</td>"));
  assert_non_null(
      strstr(text, "<th>answers a second</th><td class=\"n\">1000"));
  assert_non_null(strstr(text, "<th>latency max</th><td class=\"n\">1.00 ms"));
  assert_non_null(strstr(text,
                         "<td>UVOW_EREMOTE -7</td><td>&lt;no &amp; "
                         "&quot;such&quot; thing&gt;?</td>"));
  assert_non_null(strstr(text, "aria-label=\"Latency by percentile\""));
  assert_non_null(strstr(text, "2026-01-02 03:04 UTC"));
  free(text);
  measure_done(&m);
}

/* y is where a latency of the picture is drawn, above the axis at 264. */
TEST_CASE(the_curve_is_where_the_values_are) {
  measure_t m;
  args_t args;
  report_t report = {&args, &m, ""};
  init_args(&args);
  measure_init(&m);
  for (int i = 0; i < 1000; i++) /* 90 %, 9 %, 1 % */
    measure_add(&m, (i < 900 ? 1000 : i < 990 ? 2000 : 4000) * MS);
  measure_tick(&m, 1000 * MS);
  measure_merge(&m);
  m.seconds = 1;
  char *text = written(report_svg_latency, &report);
  const char *path = strstr(text, "<path class=\"uv-line\" d=\"M76.0 ");
  assert_non_null(path);
  /* The axis ends at 4 s, at y 48; three decades are 660 wide. */
  double y = 0;
  assert_int_equal(sscanf(path, "<path class=\"uv-line\" d=\"M76.0 %lf", &y),
                   1);
  assert_in_range((int)(y * 10), 2095, 2105);
  const char *p99 = strstr(text, "cx=\"516.0\" cy=\"");
  assert_non_null(p99);
  assert_in_range(atof(p99 + 15) * 10, 1550, 1560);
  assert_non_null(strstr(text, ">2.00 s</text>"));
  assert_non_null(strstr(path, "L736.0 48.0\"/>"));
  assert_non_null(strstr(text, ">99.9 %</text>"));
  assert_null(strstr(text, ">99.99 %</text>"));
  assert_non_null(strstr(text, ">max 4.00 s</text>"));
  free(text);
  measure_done(&m);
}

TEST_CASE(json_has_all_numbers) {
  measure_t m;
  args_t args;
  report_t report = {&args, &m, "now"};
  init_args(&args);
  args.rate = 500;
  measured(&m, 1000);
  m.overdue = 3;
  char *text = written(report_json, &report);
  json_t *json = json_loads(text, 0, NULL);
  const char *url;
  const char *name;
  double p99;
  double max;
  double rate;
  json_int_t requests;
  json_int_t overdue;
  json_t *points;
  json_t *curve;
  assert_int_equal(
      json_unpack(
          json, "{s:{s:s, s:F}, s:I, s:I, s:{s:F, s:F}, s:o, s:o, s:[{s:s}]}",
          "settings", "url", &url, "rate", &rate, "requests", &requests,
          "overdue", &overdue, "latency_us", "p99", &p99, "max", &max, "points",
          &points, "curve_us", &curve, "faults", "name", &name),
      0);
  assert_string_equal(url, args.url);
  assert_string_equal(name, "UVOW_EREMOTE -7");
  assert_true(rate == 500);
  assert_int_equal(requests, 1000);
  assert_int_equal(overdue, 3);
  assert_true(p99 >= 990 && p99 <= 994);
  assert_true(max == 1000);
  assert_int_equal(json_array_size(points), 10);
  /* Five values each time that what's above is halved: ten times. */
  assert_in_range(json_array_size(curve), 49, 52);
  json_t *last = json_array_get(curve, json_array_size(curve) - 1);
  assert_true(json_real_value(json_object_get(last, "share")) > 0.999);
  assert_true(json_real_value(json_object_get(last, "us")) == 1000);
  json_decref(json);
  free(text);
  measure_done(&m);
}

TEST_CASE(steps_are_round_numbers) {
  assert_true(report_step(5, 5) == 1);
  assert_true(report_step(5.1, 5) == 2);
  assert_true(report_step(100, 5) == 20);
  assert_true(report_step(101, 5) == 50);
  assert_true(report_step(251, 5) == 100);
  assert_true(fabs(report_step(0.003, 5) - 0.001) < 1e-12);
  assert_true(report_step(1e6, 10) == 1e5);
  assert_true(report_step(0, 5) == 1);
  for (double max = 1e-6; max < 1e12; max *= 1.37)
    for (unsigned count = 2; count <= 10; count++) {
      double step = report_step(max, count);
      assert_true(step * count >= max * (1 - 1e-9));
      assert_true(step * count <= max * 10);
    }
}

TEST_MODULE(report) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pictures_and_pages_are_well_formed),
      cmocka_unit_test(a_page_has_the_numbers),
      cmocka_unit_test(the_curve_is_where_the_values_are),
      cmocka_unit_test(json_has_all_numbers),
      cmocka_unit_test(steps_are_round_numbers),
  };
  return cmocka_run_group_tests_name("cli/report", tests, NULL, NULL);
}
