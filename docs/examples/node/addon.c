/*
 * uvow in Node: futures on Node's own loop, for uvow.js beside it.
 *
 * What is JavaScript's, a value or a reason, travels in a box, an array of one:
 * N-API keeps no references to numbers. A reason is the value of an error.
 * What JavaScript calls back runs from uvow's queue, on an empty stack.
 */
#include <stdlib.h>

#include <node_api.h>

#include <uvow/combine.h>
#include <uvow/error.h>
#include <uvow/loop.h>

enum { VALUE, REASON, FOLLOW }; /* what a callback returns: [kind, what] */

typedef struct addon {
  napi_env env;
  uvow_loop_t *loop;
  napi_async_cleanup_hook_handle cleanup;
} addon_t;

/* An object of JavaScript's, kept: a box, or a function. */
typedef struct kept {
  napi_env env; /* lives longer than the addon */
  addon_t *addon;
  napi_ref ref;
  size_t owners;
} kept_t;

static kept_t *keep(addon_t *addon, napi_value object) {
  kept_t *kept = malloc(sizeof *kept);
  kept->env = addon->env;
  kept->addon = addon;
  kept->owners = 1;
  napi_create_reference(addon->env, object, 1, &kept->ref);
  return kept;
}

static void kept_ref(void *ptr) {
  ((kept_t *)ptr)->owners++;
}

static void kept_unref(void *ptr) {
  kept_t *kept = ptr;
  if (--kept->owners)
    return;
  napi_delete_reference(kept->env, kept->ref);
  free(kept);
}

static const uvow_type_t js_type = {sizeof(uvow_type_t), "JavaScript's",
                                    kept_ref, kept_unref};

/* [bridge] */
static uvow_value_t to_value(addon_t *addon, napi_value box) {
  return uvow_value_ptr(&js_type, keep(addon, box));
}

static uvow_error_t *to_error(addon_t *addon, napi_value box) {
  return uvow_error_new_value(addon->loop, UVOW_EREMOTE, NULL,
                              to_value(addon, box));
}

static napi_value element(napi_env env, napi_value array, uint32_t i) {
  napi_value value;
  napi_get_element(env, array, i, &value);
  return value;
}

/* What a callback of JavaScript's returned. */
static uvow_next_t to_next(addon_t *addon, napi_value answer) {
  napi_value what = element(addon->env, answer, 1);
  int32_t kind = VALUE;
  void *future = NULL;
  napi_get_value_int32(addon->env, element(addon->env, answer, 0), &kind);
  if (kind == VALUE)
    return uvow_next_value(to_value(addon, what));
  if (kind == REASON)
    return uvow_next_error(to_error(addon, what));
  napi_get_value_external(addon->env, what, &future);
  return uvow_next_future(uvow_future_ref(future));
}

/* The box in a value, or undefined. */
static napi_value to_box(napi_env env, const uvow_value_t *value) {
  napi_value box;
  void *kept = NULL;
  if (value && uvow_value_get_ptr(value, &js_type, &kept) == 0)
    napi_get_reference_value(env, ((kept_t *)kept)->ref, &box);
  else
    napi_get_undefined(env, &box);
  return box;
}

/* Calls fn(box), or fn(box of the reason, its message): neither throws. */
static uvow_next_t on_settled(const uvow_result_t *r, void *data) {
  kept_t *fn = data;
  addon_t *addon = fn->addon;
  napi_env env = addon->env;
  napi_value global, callee, args[2], answer;
  napi_handle_scope scope;
  napi_open_handle_scope(env, &scope);
  napi_get_global(env, &global);
  args[0] = to_box(env, r->error ? uvow_error_value(r->error) : &r->value);
  if (r->error)
    napi_create_string_utf8(env, uvow_error_message(r->error), NAPI_AUTO_LENGTH,
                            &args[1]);
  napi_get_reference_value(env, fn->ref, &callee);
  uvow_next_t next = uvow_next_code(UVOW_ECANCELED, "Node is ending");
  if (napi_make_callback(env, NULL, global, callee, r->error ? 2 : 1, args,
                         &answer) == napi_ok)
    next = to_next(addon, answer);
  napi_close_handle_scope(env, scope);
  return next;
}
/* [bridge] */

static void future_gone(napi_env env, void *future, void *hint) {
  (void)env;
  (void)hint;
  uvow_future_unref(future);
}

static napi_value wrap(napi_env env, uvow_future_t *f) {
  napi_value external;
  napi_create_external(env, f, future_gone, NULL, &external);
  return external;
}

static addon_t *arguments(napi_env env, napi_callback_info info, size_t count,
                          napi_value *args) {
  addon_t *addon;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  napi_get_instance_data(env, (void **)&addon);
  return addon;
}

static void *external(napi_env env, napi_value value) {
  void *ptr = NULL;
  napi_get_value_external(env, value, &ptr);
  return ptr;
}

/* create() -> [future, promise]. One that nobody settles is the loop's. */
static napi_value create(napi_env env, napi_callback_info info) {
  addon_t *addon = arguments(env, info, 0, NULL);
  napi_value pair, promise_value;
  uvow_promise_t *promise;
  uvow_future_t *f = uvow_promise_new(addon->loop, &promise);
  napi_create_array_with_length(env, 2, &pair);
  napi_create_external(env, promise, NULL, NULL, &promise_value);
  napi_set_element(env, pair, 0, wrap(env, f));
  napi_set_element(env, pair, 1, promise_value);
  return pair;
}

/* settle(promise, kind, what): once. */
static napi_value settle(napi_env env, napi_callback_info info) {
  napi_value args[3];
  addon_t *addon = arguments(env, info, 3, args);
  uvow_promise_t *promise = external(env, args[0]);
  int32_t kind = VALUE;
  napi_get_value_int32(env, args[1], &kind);
  if (kind == VALUE)
    uvow_promise_fulfill(promise, to_value(addon, args[2]));
  else if (kind == REASON)
    uvow_promise_reject(promise, to_error(addon, args[2]));
  else
    uvow_promise_follow(promise, uvow_future_ref(external(env, args[2])));
  return NULL;
}

/* then(future, fn) -> future */
static napi_value then(napi_env env, napi_callback_info info) {
  napi_value args[2];
  addon_t *addon = arguments(env, info, 2, args);
  uvow_chain_options_t options = {sizeof options, on_settled, on_settled,
                                  keep(addon, args[1]), kept_unref};
  return wrap(env, uvow_future_chain(uvow_future_ref(external(env, args[0])),
                                     &options));
}

/* delay(ms) -> future */
static napi_value delay(napi_env env, napi_callback_info info) {
  napi_value arg;
  addon_t *addon = arguments(env, info, 1, &arg);
  int64_t ms = 0;
  napi_get_value_int64(env, arg, &ms);
  return wrap(env, uvow_future_delay(addon->loop, (uint64_t)ms));
}

static void on_unhandled(uvow_loop_t *loop, const uvow_error_t *error,
                         void *data) {
  (void)loop; /* Node would end the process here; this example doesn't */
  (void)error;
  (void)data;
}

static void on_closed(void *data) {
  addon_t *addon = data;
  napi_remove_async_cleanup_hook(addon->cleanup);
  free(addon);
}

/* Node ends: so does uvow's loop, which is closed once Node's has run. */
static void end(napi_async_cleanup_hook_handle handle, void *data) {
  (void)handle;
  uvow_loop_close(((addon_t *)data)->loop, on_closed, data);
}

NAPI_MODULE_INIT() {
  static const napi_property_descriptor functions[] = {
      {"create", NULL, create, NULL, NULL, NULL, napi_default, NULL},
      {"settle", NULL, settle, NULL, NULL, NULL, napi_default, NULL},
      {"then", NULL, then, NULL, NULL, NULL, napi_default, NULL},
      {"delay", NULL, delay, NULL, NULL, NULL, napi_default, NULL},
  };
  addon_t *addon = malloc(sizeof *addon);
  struct uv_loop_s *uv;
  addon->env = env;
  napi_get_uv_event_loop(env, &uv);
  addon->loop =
      uvow_loop_new(uv, UVOW_WITH(loop, .on_unhandled = on_unhandled));
  napi_set_instance_data(env, addon, NULL, NULL);
  napi_add_async_cleanup_hook(env, end, addon, &addon->cleanup);
  napi_define_properties(env, exports, 4, functions);
  return exports;
}
