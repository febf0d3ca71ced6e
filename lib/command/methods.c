/*
 * What `uvow serve` answers.
 */
#include "methods.h"

#include <jansson.h>

#include "feed.h"

static uvow_next_t echo(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  (void)call;
  (void)params;
  (void)data;
  return uvow_next_pass();
}

static uvow_next_t refuse(uvow_call_t *call, const char *why) {
  return uvow_next_error(
      uvow_error_new_peer(uvow_call_loop(call), -32602, why, NULL, 0));
}

/* An answer that is an integer as long as everything added is. */
static uvow_next_t add(uvow_call_t *call, const uvow_result_t *params,
                       void *data) {
  json_t *args = uvow_result_json(params);
  json_t *numbers[2] = {json_object_get(args, "a"), json_object_get(args, "b")};
  size_t count = json_is_array(args) ? json_array_size(args) : 2;
  json_int_t whole = 0;
  double sum = 0;
  int is_whole = 1;
  (void)data;
  for (size_t i = 0; i < count; i++) {
    json_t *at = json_is_array(args) ? json_array_get(args, i) : numbers[i];
    if (!json_is_number(at))
      return refuse(call, "add wants {\"a\":1,\"b\":2} or [1,2,...]");
    is_whole = is_whole && json_is_integer(at);
    sum += json_number_value(at);
    if (is_whole && sum > -9e15 && sum < 9e15)
      whole += json_integer_value(at);
    else
      is_whole = 0;
  }
  return uvow_next_value(is_whole ? uvow_value_int64(whole)
                                  : uvow_value_double(sum));
}

static uvow_next_t sleep_ms(uvow_call_t *call, const uvow_result_t *params,
                            void *data) {
  json_t *args = uvow_result_json(params);
  json_t *ms = json_is_array(args) ? json_array_get(args, 0)
                                   : json_object_get(args, "ms");
  (void)data;
  if (!json_is_integer(ms) || json_integer_value(ms) < 0)
    return refuse(call, "sleep wants {\"ms\":N} or [N]");
  return uvow_next_future(uvow_future_delay(uvow_call_loop(call),
                                            (uint64_t)json_integer_value(ms)));
}

static uvow_next_t fail(uvow_call_t *call, const uvow_result_t *params,
                        void *data) {
  json_t *args = uvow_result_json(params);
  json_t *code = json_object_get(args, "code");
  const char *message = json_string_value(json_object_get(args, "message"));
  json_t *extra = json_object_get(args, "data");
  char text[512];
  size_t len = extra ? json_dumpb(extra, text, sizeof(text),
                                  JSON_ENCODE_ANY | JSON_COMPACT)
                     : 0;
  (void)data;
  if (len > sizeof(text))
    return refuse(call, "error wants less data");
  return uvow_next_error(uvow_error_new_peer(
      uvow_call_loop(call), code ? json_integer_value(code) : -32000,
      message ? message : "you asked for an error", len ? text : NULL, len));
}

#define ITEMS_MAX 1000000000

/* {"items":N,"ms":M}, where they are there. Returns 0; -1: they can't be. */
static int read_pace(const uvow_result_t *params, int64_t *ret_items,
                     int64_t *ret_ms) {
  *ret_items = 3;
  *ret_ms = 0;
  (void)uvow_result_get_int64(params, "/items", ret_items);
  (void)uvow_result_get_int64(params, "/ms", ret_ms);
  return *ret_items < 0 || *ret_items > ITEMS_MAX || *ret_ms < 0 ? -1 : 0;
}

static uvow_next_t stream(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  int64_t items, ms;
  (void)data;
  if (read_pace(params, &items, &ms))
    return refuse(call, "stream wants {\"items\":N,\"ms\":M}");
  return uvow_next_stream(
      feed_stream(uvow_call_loop(call), items, (uint64_t)ms));
}

static uvow_next_t events(uvow_call_t *call, const uvow_result_t *params,
                          void *data) {
  int64_t items, ms;
  const char *name = "event";
  (void)data;
  (void)uvow_result_get_text(params, "/name", &name);
  if (read_pace(params, &items, &ms))
    return refuse(call, "events wants {\"name\":\"...\",\"items\":N,\"ms\":M}");
  int rc = feed_events(uvow_call_loop(call), uvow_call_peer(call), name, items,
                       (uint64_t)ms);
  return rc ? uvow_next_code(rc, NULL) : uvow_next_none();
}

static uvow_next_t publish(uvow_call_t *call, const uvow_result_t *params,
                           void *data) {
  uvow_server_t *const *server = (uvow_server_t *const *)data;
  uvow_group_t *peers = uvow_server_peers(*server);
  uvow_slice_t told = {NULL, 0};
  const char *name;
  if (uvow_result_get_text(params, "/name", &name))
    return refuse(call, "publish wants {\"name\":\"...\",\"params\":...}");
  (void)uvow_result_get_slice(params, "/params", &told);
  int rc = uvow_group_notify(peers, name, uvow_value_slice(&told));
  if (rc)
    return uvow_next_code(rc, NULL);
  return uvow_next_value(
      uvow_value_int64((int64_t)uvow_group_walk(peers, NULL, NULL)));
}

int methods_add(uvow_methods_t *methods, uvow_server_t *const *server) {
  static const struct {
    const char *name;
    uvow_method_cb cb;
  } all[] = {{"echo", echo},     {"add", add},        {"sleep", sleep_ms},
             {"error", fail},    {"fail", fail},      {"stream", stream},
             {"events", events}, {"publish", publish}};
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < sizeof(all) / sizeof(*all); i++)
    rc = uvow_methods_add(methods, all[i].name, all[i].cb,
                          (void *)(uintptr_t)server);
  return rc;
}
