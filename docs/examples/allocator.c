/*
 * An allocator of the application's own: one that counts, and has a limit.
 *
 * What uvow allocates for a loop comes from the allocator that the loop was
 * given. Where it says NULL, the caller is told UVOW_ENOMEM, and all else goes
 * on.
 */
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>
#include <uvow.h>

/* [allocator] */
typedef struct budget {
  size_t blocks; /* that are out */
  int is_used_up;
} budget_t;

static void *take(size_t size, void *data) {
  budget_t *budget = data;
  void *block = budget->is_used_up ? NULL : malloc(size);
  budget->blocks += block != NULL;
  return block;
}

static void *resize(void *block, size_t size, void *data) {
  budget_t *budget = data;
  void *other = budget->is_used_up ? NULL : realloc(block, size);
  budget->blocks += other && !block;
  return other;
}

static void give_back(void *block, void *data) {
  budget_t *budget = data;
  budget->blocks -= block != NULL;
  free(block);
}
/* [allocator] */

/* [use] */
static uvow_loop_t *make_loop(uv_loop_t *uv, budget_t *budget) {
  uvow_allocator_t allocator = {sizeof(allocator), take, resize, give_back,
                                budget};
  return uvow_loop_new(uv, UVOW_WITH(loop, .allocator = &allocator));
}

/* A chain that there is no memory for says so at its end, once. */
static int chain(uvow_loop_t *loop) {
  uvow_future_t *f = uvow_future_delay(loop, 1);
  for (int i = 0; i < 10000; i++)
    f = uvow_future_timeout(f, 1000); /* NULL in, NULL out */
  return uvow_loop_await(loop, f, NULL);
}
/* [use] */

int main(void) {
  budget_t budget = {0};
  uv_loop_t uv;
  uv_loop_init(&uv);
  uvow_loop_t *loop = make_loop(&uv, &budget);
  if (!loop)
    return 1;
  printf("with memory: %s\n", uvow_strerror(chain(loop)));
  budget.is_used_up = 1;
  uvow_value_t text = uvow_value_bytes(loop, "x", 1);
  uvow_error_t *error = uvow_error_new(loop, -1, "a detail");
  printf("without: %s\n", uvow_error_message(error));
  uvow_error_unref(error);
  uvow_value_clear(&text);
  uvow_loop_close(loop, NULL, NULL);
  uv_run(&uv, UV_RUN_DEFAULT);
  printf("left: %d\n", (int)budget.blocks);
  return uv_loop_close(&uv) ? 1 : 0;
}
