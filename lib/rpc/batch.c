/*
 * Batches: the answers to an array of calls (JSON-RPC 2.0, section 6).
 *
 *   array -> new -> each call that wants an answer is an owner
 *   answer -> add        call ends -> leave -> the last one: sent
 *
 * 1. Answers stand in the order in which they came to be.
 * 2. Bytes that wait here count as bytes of calls, so that they are bounded as
 *    those are; what is beyond is told as what the peer doesn't read.
 * 3. Without answers nothing is sent.
 */
#include "batch.h"

#include <uvow/error.h>

#include "callee.h"

uvow__batch_t *uvow__batch_new(uvow__callee_t *callee) {
  const uvow__mem_t *mem = uvow__loop_mem(callee->loop);
  uvow__batch_t *batch = (uvow__batch_t *)uvow__calloc(mem, sizeof(*batch));
  if (!batch)
    return NULL;
  batch->callee = callee;
  batch->owners = 1;
  uvow__buf_init(&batch->text, mem, callee->max_bytes);
  return batch;
}

int uvow__batch_add(uvow__batch_t *batch, uvow__op_t *op) {
  uvow__callee_t *callee = batch->callee;
  size_t size = uvow__buf_size(&batch->text);
  int is_binary;
  int rc = uvow__buf_append(&batch->text, size ? "," : "[", 1);
  if (rc == 0)
    rc = uvow__callee_write(callee, op, &batch->text, &is_binary);
  if (rc && batch->text.data)
    batch->text.len = batch->text.off + size;
  callee->bytes += uvow__buf_size(&batch->text) - size;
  return rc;
}

static void send_all(uvow__batch_t *batch) {
  uvow__splice_t text = {{NULL, 0}, {NULL, 0}, 0, NULL};
  batch->text.max = SIZE_MAX;
  if (uvow__buf_append(&batch->text, "]", 1)) {
    batch->callee->hooks->on_failed(batch->callee, UVOW_ENOMEM);
    return;
  }
  text.text.ptr = (const char *)uvow__buf_front(&batch->text);
  text.text.len = uvow__buf_size(&batch->text);
  uvow__callee_send_text(batch->callee, &text);
}

void uvow__batch_leave(uvow__batch_t *batch) {
  if (!batch || --batch->owners)
    return;
  uvow__callee_t *callee = batch->callee;
  size_t size = uvow__buf_size(&batch->text);
  callee->bytes -= size;
  if (size && callee->channel)
    send_all(batch);
  uvow__buf_done(&batch->text);
  uvow__free(uvow__loop_mem(callee->loop), batch);
}
