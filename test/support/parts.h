#ifndef UVOW_TEST_PARTS_H
#define UVOW_TEST_PARTS_H

#include "script.h"

#include <stdio.h>

#include <uvow/protocol.h>

/* A protocol with partial answers, both ways: {"id":1,"part":..} and
 * {"id":1,"end":true}, which has no value. */
static const char parts_text[] =
    "{\"name\":\"parts\","
    "\"call\":{\"id\":\"$id\",\"call\":\"$method\",\"params\":\"$params\"},"
    "\"notify\":{\"event\":\"$method\",\"params\":\"$params\"},"
    "\"event\":{\"event\":\"$method\",\"params\":\"$params\"},"
    "\"cancel\":{\"cancel\":\"$id\"},"
    "\"partial\":{\"id\":\"$id\",\"part\":\"$value\"},"
    "\"reply\":{\"id\":\"$id\",\"ok\":\"$value\"},"
    "\"reply_error\":{\"id\":\"$id\",\"error\":\"$error\"},"
    "\"rules\":["
    "{\"when\":{\"/part\":true},\"is\":\"partial\",\"id\":\"/id\","
    "\"value\":\"/part\"},"
    "{\"when\":{\"/end\":true},\"is\":\"end\",\"id\":\"/id\"},"
    "{\"when\":{\"/ok\":true},\"is\":\"ok\",\"id\":\"/id\",\"value\":\"/ok\"},"
    "{\"when\":{\"/error\":true},\"is\":\"error\",\"id\":\"/id\","
    "\"code\":\"/error/code\",\"message\":\"/error/message\"},"
    "{\"when\":{\"/call\":true},\"is\":\"call\",\"id\":\"/id\","
    "\"name\":\"/call\",\"value\":\"/params\"},"
    "{\"when\":{\"/cancel\":true},\"is\":\"cancel\",\"id\":\"/cancel\"},"
    "{\"when\":{\"/event\":true},\"is\":\"event\",\"name\":\"/event\","
    "\"value\":\"/params\"}]}";

/* Returns new. */
static inline uvow_protocol_t *parts_protocol(void) {
  uvow_error_t *error = NULL;
  uvow_protocol_t *protocol =
      uvow_protocol_parse(parts_text, sizeof(parts_text) - 1, &error);
  if (!protocol)
    fail_msg("%s", uvow_error_message(error));
  return protocol;
}

/* An item, as it is logged: "a:1", behind a gap "a:2(+3)", "a:2(+?)". */
static inline uvow_next_t parts_on_item(const uvow_result_t *item, void *data) {
  script_mark_t *mark = (script_mark_t *)data;
  uvow_slice_t got = uvow_result_bytes(item);
  uint64_t missed = uvow_result_missed(item);
  char name[64], text[256], gap[32] = "";
  if (missed == UVOW_MISSED_UNKNOWN)
    snprintf(gap, sizeof(gap), "(+?)");
  else if (missed)
    snprintf(gap, sizeof(gap), "(+%u)", (unsigned)missed);
  snprintf(name, sizeof(name), "%s:", mark->name);
  snprintf(text, sizeof(text), "%.*s%s", (int)got.len,
           got.bytes ? got.bytes : "", gap);
  script_log(mark->s, name, text);
  mark->calls++;
  if (mark->act)
    mark->act(mark);
  return uvow_next_pass();
}

/* Reads a stream to its end: items and end are logged. Takes it. */
static inline void parts_read(uvow_stream_t *stream, script_mark_t *mark) {
  script_watch(uvow_stream_each(stream, parts_on_item, mark), mark);
}

#endif
