/* What stat and statfs say, as values. */
#include <string.h>

#include "base/own.h"
#include "op.h"

/* Counted. */
typedef struct boxed {
  union {
    uv_stat_t stat;
    uv_statfs_t statfs;
  } is;            /* first */
  uvow__mem_t mem; /* its own copy: it may outlive its loop */
  size_t refs;
} boxed_t;

static void boxed_ref(void *ptr) {
  ((boxed_t *)ptr)->refs++;
}

static void boxed_destroy(void *ptr) {
  boxed_t *boxed = (boxed_t *)ptr;
  uvow__mem_t mem = boxed->mem;
  if (--boxed->refs == 0)
    uvow__free(&mem, boxed);
}

const uvow_type_t uvow_type_stat = {sizeof(uvow_type_t), uvow__own_names.stat,
                                    boxed_ref, boxed_destroy};
const uvow_type_t uvow_type_statfs = {
    sizeof(uvow_type_t), uvow__own_names.statfs, boxed_ref, boxed_destroy};

/* Copies it. NULL: no memory. */
static boxed_t *boxed_new(const uvow__mem_t *mem, const void *what,
                          size_t size) {
  boxed_t *boxed = (boxed_t *)uvow__malloc(mem, sizeof(*boxed));
  if (!boxed)
    return NULL;
  memcpy(&boxed->is, what, size);
  boxed->mem = *mem;
  boxed->refs = 1;
  return boxed;
}

static void end(uvow__op_t *op, int64_t result, const uvow_type_t *type,
                const void *what, size_t size) {
  boxed_t *boxed = NULL;
  if (result >= 0)
    boxed = boxed_new(&uvow__op_rt(op)->mem, what, size);
  if (boxed)
    uvow__op_fulfill(op, uvow_value_ptr(type, boxed));
  else
    uvow__op_fail(op, result < 0 ? (int)result : UVOW_ENOMEM,
                  uvow__op_path(op));
}

void uvow__op_end_stat(uvow__op_t *op, int64_t result) {
  end(op, result, &uvow_type_stat, &op->req.fs.statbuf, sizeof(uv_stat_t));
}

void uvow__op_end_statfs(uvow__op_t *op, int64_t result) {
  end(op, result, &uvow_type_statfs, op->req.fs.ptr, sizeof(uv_statfs_t));
}

static const void *what_is(const uvow_result_t *result,
                           const uvow_type_t *type) {
  void *ptr = NULL;
  if (!result || result->error ||
      uvow_value_get_ptr(&result->value, type, &ptr))
    return NULL;
  return ptr;
}

const uv_stat_t *uvow_result_stat(const uvow_result_t *result) {
  return (const uv_stat_t *)what_is(result, &uvow_type_stat);
}

const uv_statfs_t *uvow_result_statfs(const uvow_result_t *result) {
  return (const uv_statfs_t *)what_is(result, &uvow_type_statfs);
}

int uvow__stat_value(uvow__runtime_t *rt, const uv_stat_t *stat,
                     uvow_value_t *ret) {
  boxed_t *boxed = boxed_new(&rt->mem, stat, sizeof(*stat));
  *ret = boxed ? uvow_value_ptr(&uvow_type_stat, boxed) : uvow_value_none();
  return boxed ? 0 : UVOW_ENOMEM;
}
