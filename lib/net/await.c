/*
 * await: runs the libuv loop until a future is settled.
 *
 * 1. It keeps the future, so that the result is valid, until the next await or
 *    the loop's close.
 * 2. uv_run is never nested: within what uvow runs it is refused.
 */
#include <uvow/loop.h>

#include <stdio.h>

#include "future/fail.h"
#include "future/future.h"
#include "loop.h"

/* No handle is left that could settle f, which it takes. */
static int fail_broken(uvow_loop_t *loop, uvow_future_t *f) {
  char text[160];
  const uvow_future_t *root = f;
  while (root->flags & UVOW__WAITS)
    root = root->u.wait.source;
  const char *name = uvow__future_name(root);
  (void)snprintf(text, sizeof(text),
                 "no active handle is left, and it waits for a %s%s%s",
                 uvow__future_kind(root), name ? ": " : "", name ? name : "");
  uvow__future_drop(f);
  return uvow__fail_error(loop, uvow_error_new(loop, UVOW_EBROKEN, text));
}

/* Why it can't be awaited: 0, or a code that was noted. */
static int refuse(uvow_loop_t *loop, const uvow_future_t *f) {
  if (!f) {
    int code = uvow_error_code(uvow__failed(loop));
    return code ? code : uvow__fail(loop, UVOW_EINVAL, "f", uvow__fail_null);
  }
  if (uvow__runtime_loop(f->rt) != loop)
    return uvow__fail(loop, UVOW_EINVAL, "f", "must be of this loop");
  if (loop->rt.entered)
    return uvow__fail(loop, UVOW_EINVAL, "await",
                      "can't be called in a callback or fiber of uvow's");
  return 0;
}

void uvow__loop_drop_awaited(uvow_loop_t *loop) {
  uvow_future_t *f = loop->awaited;
  loop->awaited = NULL;
  uvow_future_unref(f);
}

int uvow_loop_await(uvow_loop_t *loop, uvow_future_t *f,
                    uvow_result_t *ret_result) {
  int code = loop ? refuse(loop, f) : UVOW_EINVAL;
  if (code) {
    uvow__future_drop(f);
    return code;
  }
  uvow__loop_drop_awaited(loop);
  f->flags |= UVOW__OBSERVED;
  while (f->state == UVOW_PENDING)
    if (!uv_run(loop->uv, UV_RUN_ONCE) && f->state == UVOW_PENDING)
      return fail_broken(loop, f);
  if (loop->closing) { /* the result goes with the loop */
    uvow_future_unref(f);
    return UVOW_ECLOSED;
  }
  loop->awaited = f;
  if (ret_result)
    uvow__future_result(f, ret_result);
  return f->state == UVOW_REJECTED
             ? uvow__fail_error(loop, uvow_error_ref(f->u.error))
             : 0;
}
