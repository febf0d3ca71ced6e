/*
 * Channels in memory: a pair of ends.
 *
 *   send -> the other end's inbox -> (a task a message) -> its on_message
 *   close -> behind what was sent: the other end's on_end, then ours
 *   drop -> the other end's on_end: UVOW_ELOST, behind what was sent
 *
 * 1. Nothing is called back from within a send, a close or a drop.
 * 2. A message is copied once, into memory that its reader may take.
 * 3. An end is freed when it has ended or was dropped, and the other end no
 *    longer points to it.
 */
#include "channel.h"

#include <stdio.h>
#include <string.h>

typedef struct letter {
  uvow__list_t link;
  int opcode;
  uvow__buf_t bytes;
} letter_t;

typedef struct end {
  uvow__channel_t channel; /* first */
  uvow_loop_t *loop;
  struct end *other;  /* NULL: gone */
  uvow__list_t inbox; /* of letter_t */
  size_t unread;      /* bytes in it */
  size_t max_unread;
  uvow__task_t deliver;  /* the first letter, or the end */
  uvow__task_t writable; /* the other has read all */
  int paused;
  int closing;      /* sends no more */
  int ended;        /* by the other: when the inbox is empty, it is over */
  int close_code;   /* of that */
  int lost;         /* it was dropped, not closed */
  char reason[124]; /* RFC 6455 5.5: 123 bytes at most */
} end_t;

static end_t *end_of(uvow__channel_t *channel) {
  return (end_t *)(void *)channel;
}

static void free_letter(letter_t *letter, const uvow__mem_t *mem) {
  uvow__buf_done(&letter->bytes);
  uvow__free(mem, letter);
}

static void free_end(end_t *end) {
  const uvow__mem_t *mem = uvow__loop_mem(end->loop);
  uvow__task_cancel(&end->deliver);
  uvow__task_cancel(&end->writable);
  while (!uvow__list_empty(&end->inbox)) {
    letter_t *letter = UVOW__CONTAINER(end->inbox.next, letter_t, link);
    uvow__list_remove(&letter->link);
    free_letter(letter, mem);
  }
  if (end->other)
    end->other->other = NULL;
  uvow__free(mem, end);
}

static void wake(end_t *end, uvow__task_t *task) {
  if (!uvow__task_queued(task))
    uvow__runtime_push_root(&end->loop->rt, task);
}

static int has_work(const end_t *end) {
  return !end->paused && (!uvow__list_empty(&end->inbox) || end->ended);
}

static uvow_error_t *end_error(const end_t *end) {
  uvow__error_spec_t spec = {0};
  const char *text = end->lost ? "the other end was dropped" : end->reason;
  spec.code = end->lost ? UVOW_ELOST : UVOW_ECLOSED;
  spec.status = end->close_code;
  if (*text)
    spec.detail = (uvow__slice_t){text, strlen(text)};
  return uvow__error_make(uvow__loop_mem(end->loop), &spec);
}

/* The inbox is empty, and nothing comes any more. */
static void tell_end(end_t *end) {
  const uvow__channel_callbacks_t *cbs = end->channel.callbacks;
  void *ctx = end->channel.ctx;
  end_t *other = end->other;
  uvow_error_t *error = end_error(end);
  int first = !end->closing;
  end->closing = 1;
  if (first && other) { /* echo it: the other ends too */
    other->close_code = end->close_code;
    memcpy(other->reason, end->reason, sizeof(other->reason));
    other->ended = 1;
    wake(other, &other->deliver);
  }
  free_end(end);
  cbs->on_end(ctx, error);
}

static void run_deliver(uvow__task_t *task) {
  end_t *end = UVOW__CONTAINER(task, end_t, deliver);
  const uvow__mem_t *mem = uvow__loop_mem(end->loop);
  if (!has_work(end))
    return;
  if (uvow__list_empty(&end->inbox)) {
    tell_end(end);
    return;
  }
  letter_t *letter = UVOW__CONTAINER(end->inbox.next, letter_t, link);
  uvow__list_remove(&letter->link);
  end->unread -= uvow__buf_size(&letter->bytes);
  if (has_work(end))
    wake(end, &end->deliver);
  if (end->unread == 0 && end->other && !end->other->closing)
    wake(end->other, &end->other->writable);
  end->channel.callbacks->on_message(
      end->channel.ctx, letter->opcode, uvow__buf_front(&letter->bytes),
      uvow__buf_size(&letter->bytes), &letter->bytes);
  free_letter(letter, mem); /* the end may be gone */
}

static void run_writable(uvow__task_t *task) {
  end_t *end = UVOW__CONTAINER(task, end_t, writable);
  if (!end->closing && end->other)
    end->channel.callbacks->on_writable(end->channel.ctx);
}

/* There's room for all of it. */
static void fill(letter_t *letter, const uvow__splice_t *message) {
  size_t at = message->inner.len ? message->at : message->text.len;
  (void)uvow__buf_append(&letter->bytes, message->text.ptr, at);
  (void)uvow__buf_append(&letter->bytes, message->inner.ptr,
                         message->inner.len);
  if (at < message->text.len)
    (void)uvow__buf_append(&letter->bytes, message->text.ptr + at,
                           message->text.len - at);
}

static int send_op(uvow__channel_t *channel, int opcode,
                   const uvow__splice_t *message) {
  end_t *other = end_of(channel)->other;
  const uvow__mem_t *mem = uvow__loop_mem(end_of(channel)->loop);
  size_t size;
  if (!other || end_of(channel)->closing)
    return UVOW_ECLOSED;
  if (uvow__size_add(message->text.len, message->inner.len, &size) ||
      size > other->max_unread || other->unread > other->max_unread - size)
    return UVOW_EOVERLOAD;
  letter_t *letter = (letter_t *)uvow__calloc(mem, sizeof(*letter));
  if (!letter)
    return UVOW_ENOMEM;
  letter->opcode = opcode;
  uvow__list_init(&letter->link);
  uvow__buf_init(&letter->bytes, mem, SIZE_MAX);
  int rc = uvow__buf_reserve(&letter->bytes, size);
  if (rc) {
    free_letter(letter, mem);
    return rc;
  }
  fill(letter, message);
  other->unread += size;
  uvow__list_append(&other->inbox, &letter->link);
  if (has_work(other))
    wake(other, &other->deliver);
  return 0;
}

static size_t unsent_op(const uvow__channel_t *channel) {
  const end_t *end = (const end_t *)(const void *)channel;
  return end->other ? end->other->unread : 0;
}

static void pause_op(uvow__channel_t *channel, int on) {
  end_t *end = end_of(channel);
  end->paused = on;
  if (has_work(end))
    wake(end, &end->deliver);
}

/* The other end gets no more letters. */
static void end_other(end_t *other, int code, const char *reason, int lost) {
  other->ended = 1;
  other->close_code = code;
  other->lost = lost;
  snprintf(other->reason, sizeof(other->reason), "%s", reason);
  if (has_work(other))
    wake(other, &other->deliver);
}

static void close_op(uvow__channel_t *channel, int code, const char *reason) {
  end_t *end = end_of(channel);
  if (end->closing || end->ended)
    return; /* its end comes */
  end->closing = 1;
  end->paused = 0;
  end_other(end->other, code, reason, 0); /* it's there, or this had ended */
}

static void drop_op(uvow__channel_t *channel) {
  end_t *end = end_of(channel);
  if (end->other && !end->other->ended)
    end_other(end->other, 1006, "", !end->closing);
  free_end(end);
}

static void hold_op(uvow__channel_t *channel, int on) {
  (void)channel; /* memory holds no loop */
  (void)on;
}

static const uvow__channel_ops_t ops = {send_op,  unsent_op, pause_op,
                                        close_op, drop_op,   hold_op};

static end_t *new_end(uvow_loop_t *loop, size_t max_unread) {
  end_t *end = (end_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*end));
  if (!end)
    return NULL;
  end->channel.ops = &ops;
  end->loop = loop;
  end->max_unread = max_unread;
  uvow__list_init(&end->inbox);
  uvow__task_init(&end->deliver, run_deliver);
  uvow__task_init(&end->writable, run_writable);
  return end;
}

int uvow__channel_pair(uvow_loop_t *loop, size_t max_a, size_t max_b,
                       uvow__channel_t **ret_a, uvow__channel_t **ret_b) {
  end_t *a = new_end(loop, max_b);
  end_t *b = new_end(loop, max_a);
  if (!a || !b) {
    uvow__free(uvow__loop_mem(loop), a);
    uvow__free(uvow__loop_mem(loop), b);
    return UVOW_ENOMEM;
  }
  a->other = b;
  b->other = a;
  *ret_a = &a->channel;
  *ret_b = &b->channel;
  return 0;
}
