#include "turn.h"

#include <stdio.h>

static turn_t *turn_of(uvow__runtime_t *rt) {
  return UVOW__CONTAINER(rt, turn_t, rt);
}

static uint64_t on_clock(uvow__runtime_t *rt) {
  return turn_of(rt)->now_ns;
}

static void on_wake(uvow__runtime_t *rt) {
  turn_of(rt)->wakes++;
}

static void on_rest(uvow__runtime_t *rt) {
  turn_of(rt)->rests++;
}

static void on_release(uvow__runtime_t *rt) {
  turn_of(rt)->releases++;
}

/* Appends to a text, behind a blank. */
static void append(char *text, size_t cap, const char *name, const char *what) {
  size_t len = strlen(text);
  assert_true(len + strlen(name) + strlen(what) + 2 < cap);
  (void)snprintf(text + len, cap - len, "%s%s%s", len ? " " : "", name, what);
}

static const char *code_name(int code) {
  const char *name = uvow__error_name(code);
  return name ? name + strlen("UVOW_") : "UNKNOWN";
}

static void on_unhandled(uvow__runtime_t *rt, const uvow_error_t *error) {
  turn_t *turn = turn_of(rt);
  append(turn->unhandled, sizeof(turn->unhandled),
         code_name(uvow_error_code(error)), "");
}

static void start(turn_t *turn, test_alloc_t *alloc) {
  turn->alloc = alloc;
  turn->now_ns = 1000000000;
  uvow__runtime_init(&turn->rt, &alloc->allocator, turn->now_ns);
  turn->rt.clock = on_clock;
  turn->rt.wake = on_wake;
  turn->rt.rest = on_rest;
  turn->rt.release = on_release;
  turn->rt.on_unhandled = on_unhandled;
  turn->loop = uvow__runtime_loop(&turn->rt);
}

void turn_init(turn_t *turn) {
  memset(turn, 0, sizeof(*turn));
  test_alloc_init(&turn->own_alloc);
  start(turn, &turn->own_alloc);
}

void turn_init_with(turn_t *turn, test_alloc_t *alloc) {
  memset(turn, 0, sizeof(*turn));
  start(turn, alloc);
}

void turn_once(turn_t *turn) {
  uvow__runtime_enter(&turn->rt);
  uvow__runtime_leave(&turn->rt);
}

void turn_run(turn_t *turn) {
  do
    turn_once(turn);
  while (uvow__runtime_busy(&turn->rt));
}

void turn_close(turn_t *turn) {
  uvow__runtime_close(&turn->rt);
  uvow__runtime_done(&turn->rt);
}

void turn_assert_released(turn_t *turn) {
  assert_int_equal(turn->releases, 1);
  assert_int_equal(turn->alloc->live, 0);
}

void turn_end(turn_t *turn) {
  turn_run(turn);
  assert_int_equal(turn->rt.links.live, 0);
  assert_int_equal(turn->rt.blocks.live, 0);
  turn_close(turn);
  turn_assert_released(turn);
  assert_string_equal(turn->log, "");
  assert_string_equal(turn->unhandled, "");
}

void turn_expect_at(turn_t *turn, const char *text, const char *file,
                    int line) {
  _assert_string_equal(turn->log, text, file, line);
  turn->log[0] = '\0';
}

void turn_expect_unhandled_at(turn_t *turn, const char *text, const char *file,
                              int line) {
  _assert_string_equal(turn->unhandled, text, file, line);
  turn->unhandled[0] = '\0';
}

turn_mark_t turn_mark(turn_t *turn, const char *name) {
  turn_mark_t mark;
  memset(&mark, 0, sizeof(mark));
  mark.turn = turn;
  mark.name = name;
  mark.next = uvow_next_pass();
  mark.kept = uvow_value_none();
  return mark;
}

static void describe(const uvow_result_t *result, char *text, size_t cap) {
  int64_t number;
  if (result->error)
    (void)snprintf(text, cap, "!%s", code_name(uvow_error_code(result->error)));
  else if (uvow_value_get_int64(&result->value, &number) == 0)
    (void)snprintf(text, cap, "+%lld", (long long)number);
  else if (!result->value.type)
    (void)snprintf(text, cap, "+");
  else
    (void)snprintf(text, cap, "+%s", uvow_value_type_name(&result->value));
}

static void mark_log(turn_mark_t *mark, const char *what) {
  append(mark->turn->log, sizeof(mark->turn->log), mark->name, what);
}

static uvow_next_t mark_call(turn_mark_t *mark, const char *what) {
  mark_log(mark, what);
  mark->calls++;
  if (mark->act)
    mark->act(mark);
  uvow_next_t next = mark->next;
  mark->next = uvow_next_pass();
  return next;
}

uvow_next_t turn_then(const uvow_result_t *result, void *data) {
  turn_mark_t *mark = (turn_mark_t *)data;
  char what[64];
  describe(result, what, sizeof(what));
  if (mark->keep)
    mark->kept = uvow_result_keep(result);
  return mark_call(mark, what);
}

uvow_next_t turn_finally(void *data) {
  return mark_call((turn_mark_t *)data, "~");
}

void turn_done(const uvow_result_t *result, void *data) {
  (void)turn_then(result, data);
}

void turn_cancel(void *data) {
  (void)mark_call((turn_mark_t *)data, "^");
}

void turn_destroy(void *data) {
  mark_log((turn_mark_t *)data, ".");
}

uvow_future_t *turn_chain(uvow_future_t *f, turn_mark_t *mark) {
  uvow_chain_options_t options = {sizeof(options), turn_then, turn_then, mark,
                                  turn_destroy};
  return uvow_future_chain(f, &options);
}

const char *turn_result(turn_t *turn, uvow_future_t *f) {
  uvow_result_t result;
  if (uvow_future_peek(f, &result))
    return "?";
  describe(&result, turn->result, sizeof(turn->result));
  return turn->result;
}

static void item_ref(void *ptr) {
  turn_item_t *item = (turn_item_t *)ptr;
  assert_true(item->owners > 0);
  item->owners++;
}

static void item_destroy(void *ptr) {
  turn_item_t *item = (turn_item_t *)ptr;
  assert_true(item->owners > 0);
  if (--item->owners == 0)
    item->destroyed++;
}

const uvow_type_t turn_type_counted = {sizeof(uvow_type_t), "counted", item_ref,
                                       item_destroy};
const uvow_type_t turn_type_unique = {sizeof(uvow_type_t), "unique", NULL,
                                      item_destroy};

uvow_value_t turn_item(const uvow_type_t *type, turn_item_t *item) {
  item->owners = 1;
  item->destroyed = 0;
  return uvow_value_ptr(type, item);
}
