/*
 * Channels in memory, and messages over a channel of bytes: lines, and
 * Content-Length headers.
 *
 *   out: the application's sink -> encode (a stage) -> pipe -> bytes.out
 *   in:  bytes.in -> lines, or decode (a stage) -> the application's stream
 *
 * 1. A message is copied once each way: behind its header, and out of the pieces
 *    that it came in (a line in one piece isn't).
 * 2. A head of more than HEAD_MAX bytes, one without a length, or a body over
 *    the bound, fails the stream: what follows can't be told apart any more.
 */
#include <uvow/channel.h>

#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "channel.h"
#include "fail.h"
#include "stream_stage.h"

#define HEAD_MAX 4096
#define LENGTH_MAX 40 /* "Content-Length: 2^64\r\n\r\n" */

static uvow_channel_t none(void) {
  uvow_channel_t channel = {NULL, NULL};
  return channel;
}

static void drop(uvow_channel_t *channel) {
  uvow_stream_unref(channel->in);
  uvow_sink_drop(channel->out);
  *channel = none();
}

int uvow_channel_pair(uvow_loop_t *loop, uvow_channel_t *ret_a,
                      uvow_channel_t *ret_b) {
  if (!ret_a || !ret_b)
    return uvow__fail(loop, UVOW_EINVAL, ret_a ? "ret_b" : "ret_a",
                      uvow__fail_null);
  *ret_a = *ret_b = none();
  if (!loop)
    return UVOW_EINVAL;
  ret_a->in = uvow_stream_new(loop, NULL, &ret_b->out);
  ret_b->in = uvow_stream_new(loop, NULL, &ret_a->out);
  if (ret_a->in && ret_b->in)
    return 0;
  drop(ret_a);
  drop(ret_b);
  return uvow__runtime_of(loop)->reason.code;
}

/* Encoding. */

typedef struct encode {
  uvow__stage_t stage;
  int lines; /* not headers */
} encode_t;

/* A message with what stands around it; NULL: no memory. */
static uvow__bytes_t *frame(encode_t *encode, uvow__slice_t message) {
  char head[LENGTH_MAX];
  size_t head_len = 0, len;
  if (!encode->lines)
    head_len =
        (size_t)snprintf(head, sizeof(head), "Content-Length: %llu\r\n\r\n",
                         (unsigned long long)message.len);
  if (uvow__size_add(message.len, head_len + 1, &len))
    return NULL;
  if (!encode->lines)
    len--;
  uvow__bytes_t *bytes = uvow__bytes_new(encode->stage.out.rt, len);
  if (!bytes)
    return NULL;
  char *room = uvow__bytes_room(bytes);
  memcpy(room, head, head_len);
  if (message.len)
    memcpy(room + head_len, message.ptr, message.len);
  if (encode->lines)
    room[len - 1] = '\n';
  return bytes;
}

static void encode_step(uvow__stage_t *stage) {
  encode_t *encode = (encode_t *)(void *)stage;
  uvow__slice_t message;
  uvow__item_t item, framed = {{NULL, {NULL}}, 0, 0};
  uvow__bytes_t *bytes = NULL;
  if (!uvow__stage_pull(stage, &item))
    return;
  int code = uvow__value_slice(&item.value, &message);
  if (code == 0 && encode->lines && message.len &&
      memchr(message.ptr, '\n', message.len))
    code = UVOW_EINVAL;
  if (code == 0) {
    bytes = frame(encode, message);
    code = bytes ? 0 : UVOW_ENOMEM;
  }
  uvow__value_release_later(stage->out.rt, item.value);
  if (code) {
    uvow__stage_fail_code(stage, code);
    return;
  }
  framed.value = uvow__bytes_value(bytes);
  uvow__stage_emit(stage, &framed);
}

/* A sink of messages over one of bytes, which it takes; or NULL. */
static uvow_sink_t *encoded(uvow__runtime_t *rt, uvow_sink_t *bytes,
                            int lines) {
  uvow_sink_t *sink;
  uvow_stream_t *s = uvow_stream_new(uvow__runtime_loop(rt), NULL, &sink);
  encode_t *encode =
      (encode_t *)(void *)uvow__stage_new(s, sizeof(encode_t), encode_step);
  if (encode)
    encode->lines = lines;
  uvow_future_t *f =
      uvow_stream_pipe(encode ? &encode->stage.out : NULL, bytes);
  if (!f) {
    uvow_sink_drop(sink);
    return NULL;
  }
  f->flags |= UVOW__OBSERVED; /* whoever pushes learns of it */
  uvow_future_unref(f);
  return sink;
}

/* Decoding. */

typedef struct decode {
  uvow__stage_t stage;
  uvow_value_t piece; /* owned: where `rest` is */
  uvow__slice_t rest;
  uvow__buf_t head;
  uvow__bytes_t *body; /* NULL: its head hasn't ended */
  size_t filled;
  size_t max;
} decode_t;

static void decode_done(uvow__stage_t *stage) {
  decode_t *decode = (decode_t *)(void *)stage;
  uvow_value_t piece = decode->piece;
  decode->piece = uvow_value_none();
  decode->rest.len = 0;
  uvow__buf_done(&decode->head);
  uvow__bytes_unref(decode->body);
  decode->body = NULL;
  uvow__value_release_later(stage->out.rt, piece);
}

/* The value of a head's line, if its name is Content-Length. */
static int read_length(uvow__slice_t line, uint64_t *ret) {
  const char *colon =
      line.len ? (const char *)memchr(line.ptr, ':', line.len) : NULL;
  if (!colon)
    return UVOW_EPROTO;
  uvow__slice_t name = {line.ptr, (size_t)(colon - line.ptr)};
  uvow__slice_t value = {colon + 1, line.len - name.len - 1};
  if (!uvow__slice_is_nocase(name, "Content-Length"))
    return 1;
  while (value.len && (*value.ptr == ' ' || *value.ptr == '\t')) {
    value.ptr++;
    value.len--;
  }
  while (value.len &&
         (value.ptr[value.len - 1] == ' ' || value.ptr[value.len - 1] == '\t'))
    value.len--;
  return uvow__slice_u64(value, UINT64_MAX, ret) ? UVOW_EPROTO : 0;
}

/* The head is whole. Returns 0, or an error. */
static int end_head(decode_t *decode) {
  uvow__slice_t rest = {(const char *)uvow__buf_front(&decode->head),
                        uvow__buf_size(&decode->head) - 2};
  uint64_t len = 0;
  int found = 0;
  while (rest.len) {
    const char *end = (const char *)memchr(rest.ptr, '\n', rest.len);
    uvow__slice_t line = {rest.ptr, (size_t)(end - rest.ptr)};
    if (line.len && line.ptr[line.len - 1] == '\r')
      line.len--;
    int rc = read_length(line, &len);
    if (rc < 0)
      return rc;
    found |= rc == 0;
    rest.len -= (size_t)(end + 1 - rest.ptr);
    rest.ptr = end + 1;
  }
  if (!found)
    return UVOW_EPROTO;
  if (len > decode->max)
    return UVOW_ETOOBIG;
  uvow__buf_clear(&decode->head, HEAD_MAX);
  decode->body = uvow__bytes_new(decode->stage.out.rt, (size_t)len);
  decode->filled = 0;
  return decode->body ? 0 : UVOW_ENOMEM;
}

static int head_ended(const decode_t *decode) {
  const uvow__buf_t *head = &decode->head;
  return uvow__buf_size(head) >= 4 &&
         memcmp(head->data + head->len - 4, "\r\n\r\n", 4) == 0;
}

/* Adds bytes to the head until it ends. Returns 0, or an error. */
static int add_to_head(decode_t *decode) {
  while (decode->rest.len && !decode->body) {
    int rc = uvow__buf_append(&decode->head, decode->rest.ptr, 1);
    decode->rest.ptr++;
    decode->rest.len--;
    if (rc == 0 && head_ended(decode))
      rc = end_head(decode);
    if (rc)
      return rc == UVOW_EOVERLOAD ? UVOW_ETOOBIG : rc;
  }
  return 0;
}

static void add_to_body(decode_t *decode) {
  size_t len = decode->body->len - decode->filled;
  if (len > decode->rest.len)
    len = decode->rest.len;
  if (len)
    memcpy(uvow__bytes_room(decode->body) + decode->filled, decode->rest.ptr,
           len);
  decode->filled += len;
  decode->rest.ptr += len;
  decode->rest.len -= len;
}

/* Takes the next piece. Whether there is one. */
static int next_piece(decode_t *decode) {
  uvow__stage_t *stage = &decode->stage;
  uvow__item_t item;
  int got = uvow__stage_try_pull(stage, &item);
  if (got < 0 && stage->up->end->state == UVOW_FULFILLED &&
      (decode->body || uvow__buf_size(&decode->head)))
    uvow__stage_fail_code(stage, UVOW_EPROTO); /* within a message */
  else if (got < 0)
    uvow__stage_end_as_up(stage);
  if (got <= 0)
    return 0;
  uvow__value_release_later(stage->out.rt, decode->piece);
  decode->piece = item.value;
  if (uvow__value_slice(&item.value, &decode->rest) == 0)
    return 1;
  uvow__stage_fail_code(stage, UVOW_ETYPE);
  return 0;
}

static void decode_step(uvow__stage_t *stage) {
  decode_t *decode = (decode_t *)(void *)stage;
  uvow__item_t item = {{NULL, {NULL}}, 0, 0};
  if (!uvow__stage_is_asked(stage) ||
      (decode->rest.len == 0 && !next_piece(decode)))
    return;
  int rc = add_to_head(decode);
  if (rc) {
    uvow__stage_fail_code(stage, rc);
    return;
  }
  if (decode->body)
    add_to_body(decode);
  if (!decode->body || decode->filled < decode->body->len) {
    uvow__stage_queue(stage);
    return;
  }
  item.value = uvow__bytes_value(decode->body);
  decode->body = NULL;
  uvow__stage_emit(stage, &item);
}

static uvow_stream_t *decoded(uvow_stream_t *bytes, size_t max_bytes) {
  decode_t *decode =
      (decode_t *)(void *)uvow__stage_new(bytes, sizeof(decode_t), decode_step);
  if (!decode)
    return NULL;
  decode->stage.done = decode_done;
  decode->max = max_bytes;
  uvow__buf_init(&decode->head, &decode->stage.out.rt->mem, HEAD_MAX);
  return &decode->stage.out;
}

static uvow_channel_t framed(uvow_channel_t bytes, size_t max_bytes,
                             int lines) {
  uvow_channel_t channel = none();
  if (!bytes.in || !bytes.out) {
    drop(&bytes); /* what was NULL has said why */
    return channel;
  }
  channel.out = encoded(bytes.in->rt, bytes.out, lines);
  channel.in = lines ? uvow_stream_lines(bytes.in, max_bytes)
                     : decoded(bytes.in, max_bytes);
  if (!channel.in || !channel.out)
    drop(&channel);
  return channel;
}

uvow_channel_t uvow_channel_lines(uvow_channel_t bytes, size_t max_bytes) {
  return framed(bytes, max_bytes, 1);
}

uvow_channel_t uvow_channel_content_length(uvow_channel_t bytes,
                                           size_t max_bytes) {
  return framed(bytes, max_bytes, 0);
}

/* A channel as a value. */

typedef struct boxed {
  uvow__mem_t mem;
  uvow_channel_t channel;
  char from[UVOW__CHANNEL_FROM_MAX];
  uint16_t port;
} boxed_t;

static void boxed_destroy(void *ptr) {
  boxed_t *boxed = (boxed_t *)ptr;
  uvow__mem_t mem = boxed->mem;
  drop(&boxed->channel);
  uvow__free(&mem, boxed);
}

const uvow_type_t uvow_type_channel = {sizeof(uvow_type_t), "channel", NULL,
                                       boxed_destroy};

int uvow__channel_box(uvow__runtime_t *rt, uvow_channel_t channel,
                      const char *from, uint16_t port, uvow_value_t *ret) {
  boxed_t *boxed = (boxed_t *)uvow__malloc(&rt->mem, sizeof(*boxed));
  if (!boxed) {
    drop(&channel);
    return UVOW_ENOMEM;
  }
  boxed->mem = rt->mem;
  boxed->channel = channel;
  (void)snprintf(boxed->from, sizeof(boxed->from), "%s", from);
  boxed->port = port;
  *ret = uvow_value_ptr(&uvow_type_channel, boxed);
  return 0;
}

const char *uvow__channel_from(const uvow_value_t *value, uint16_t *ret_port) {
  void *ptr;
  if (uvow_value_get_ptr(value, &uvow_type_channel, &ptr) ||
      !((boxed_t *)ptr)->from[0])
    return NULL;
  if (ret_port)
    *ret_port = ((boxed_t *)ptr)->port;
  return ((boxed_t *)ptr)->from;
}

uvow_channel_t uvow_result_channel(const uvow_result_t *item) {
  uvow_channel_t channel = none();
  void *ptr;
  if (!item || item->error ||
      uvow_value_get_ptr(&item->value, &uvow_type_channel, &ptr))
    return channel;
  channel = ((boxed_t *)ptr)->channel;
  ((boxed_t *)ptr)->channel = none();
  return channel;
}
