/* What the messages look like: see server.h. */
#include "streams.h"

#include <stdio.h>

static const char *pad_of(size_t len) {
  static char xs[SIM_TEXT_MAX];
  if (!xs[0])
    memset(xs, 'x', sizeof(xs) - 1);
  return xs + sizeof(xs) - 1 - len;
}

/* {"n":5} or {"n":5,"p":"xxx"}, without the first brace. */
static size_t put_data(uint32_t nonce, size_t pad, char *text, size_t cap) {
  int len =
      pad ? snprintf(text, cap, "\"n\":%u,\"p\":\"%s\"}", nonce, pad_of(pad))
          : snprintf(text, cap, "\"n\":%u}", nonce);
  return (size_t)len;
}

size_t sim_text_params(const sim_t *s, const sim_request_t *r, char *text,
                       size_t cap) {
  (void)s;
  if (r->role == SIM_UNSUBSCRIBES)
    return (size_t)snprintf(text, cap, "{\"k\":%u}", r->sub->key);
  if (r->sub)
    return (size_t)snprintf(text, cap, "{\"s\":%u}", r->sub->number);
  text[0] = '{';
  return 1 + put_data(r->nonce, r->pad, text + 1, cap - 1);
}

size_t sim_text_call(const sim_t *s, const sim_request_t *r, char *text,
                     size_t cap) {
  unsigned long long id = r->id;
  char method[32];
  size_t at;
  sim_streams_method(r, method);
  if (s->config.protocol == SIM_CALLBACK_ID) {
    at = (size_t)snprintf(text, cap, "{\"type\":\"%s\"", method);
    size_t end = at + sim_text_params(s, r, text + at, cap - at) - 1;
    text[at] = ','; /* what is within the braces */
    return end + (size_t)snprintf(text + end, cap - end,
                                  ",\"callback_id\":%llu}", id);
  }
  at = (size_t)snprintf(
      text, cap, "{%s\"id\":%llu,\"%s\":\"%s\",\"params\":",
      s->config.protocol == SIM_JSONRPC2 ? "\"jsonrpc\":\"2.0\"," : "", id,
      s->config.protocol == SIM_PARTS ? "call" : "method", method);
  at += sim_text_params(s, r, text + at, cap - at);
  return at + (size_t)snprintf(text + at, cap - at, "%s}",
                               r->session ? ",\"sessionId\":\"S\"" : "");
}

static const char *result_name(const sim_t *s) {
  static const char *const names[SIM_PROTOCOLS] = {"result", "data", "result",
                                                   "ok"};
  return names[s->config.protocol];
}

/* What comes after the id, or before it. */
static int put_outcome(const sim_t *s, const sim_message_t *m, char *text,
                       size_t cap) {
  switch (m->what) {
  case SIM_ANSWER:
    return snprintf(text, cap, "\"%s\":{", result_name(s));
  case SIM_ANSWER_BROKEN:
    return snprintf(text, cap, "\"%s\":{\"x\":tru,", result_name(s));
  case SIM_ANSWER_ERROR:
    return s->config.protocol == SIM_CALLBACK_ID
               ? snprintf(text, cap, "\"data\":{")
               : snprintf(text, cap,
                          "\"error\":{\"code\":-7,\"message\":\"n%u\","
                          "\"data\":{",
                          m->nonce);
  default:
    return snprintf(text, cap, "\"unheard\":{");
  }
}

size_t sim_text_answer(const sim_t *s, const sim_message_t *m, size_t pad,
                       char *text, size_t cap) {
  int callback_id = s->config.protocol == SIM_CALLBACK_ID;
  int error = m->what == SIM_ANSWER_ERROR;
  size_t at = 0;
  text[at++] = '{';
  if (s->config.protocol == SIM_JSONRPC2)
    at += (size_t)snprintf(text + at, cap - at, "\"jsonrpc\":\"2.0\",");
  if (callback_id)
    at += (size_t)snprintf(text + at, cap - at, "\"result\":%s,",
                           m->what == SIM_ANSWER_BAD ? "7"
                           : error                   ? "false"
                                                     : "true");
  at += (size_t)snprintf(text + at, cap - at, "\"%s\":%llu,",
                         callback_id ? "callback_id" : "id",
                         (unsigned long long)m->id);
  at += (size_t)put_outcome(s, m, text + at, cap - at);
  at += put_data(m->nonce, pad, text + at, cap - at);
  return at + (size_t)snprintf(text + at, cap - at,
                               error && !callback_id ? "}}" : "}");
}

size_t sim_text_event(const sim_t *s, uint32_t number, char *text, size_t cap) {
  switch (s->config.protocol) {
  case SIM_JSONRPC2:
    return (size_t)snprintf(text, cap,
                            "{\"jsonrpc\":\"2.0\",\"method\":\"ev\","
                            "\"params\":{\"n\":%u}}",
                            number);
  case SIM_CALLBACK_ID:
    return (size_t)snprintf(text, cap, "{\"type\":\"ev\",\"data\":{\"n\":%u}}",
                            number);
  default:
    return (size_t)snprintf(
        text, cap, "{\"%s\":\"ev\",\"params\":{\"n\":%u}}",
        s->config.protocol == SIM_PARTS ? "event" : "method", number);
  }
}

/* What an event of a subscription's begins with, to its value. */
static const char *tick_head(const sim_t *s) {
  static const char *const heads[SIM_PROTOCOLS] = {
      "{\"jsonrpc\":\"2.0\",\"method\":\"tick\",\"params\":",
      "{\"type\":\"tick\",\"data\":", "{\"method\":\"tick\",\"params\":",
      "{\"event\":\"tick\",\"params\":"};
  return heads[s->config.protocol];
}

size_t sim_text_tick(const sim_link_t *link, const sim_message_t *m, char *text,
                     size_t cap) {
  return (size_t)snprintf(
      text, cap, "%s{\"k\":%llu,\"s\":%u,\"l\":%d,\"n\":%u}}",
      tick_head(link->sim), (unsigned long long)m->id,
      m->sub ? m->sub->number : SIM_SUBS, link->number, m->nonce);
}

size_t sim_text_part(const sim_message_t *m, char *text, size_t cap) {
  return (size_t)snprintf(text, cap, "{\"id\":%llu,\"part\":{\"n\":%u}}",
                          (unsigned long long)m->id, m->nonce);
}

static const char parts[] =
    "{\"name\":\"parts\","
    "\"call\":{\"id\":\"$id\",\"call\":\"$method\",\"params\":\"$params\"},"
    "\"notify\":{\"event\":\"$method\",\"params\":\"$params\"},"
    "\"cancel\":{\"cancel\":\"$id\"},"
    "\"reply\":{\"id\":\"$id\",\"ok\":\"$value\"},"
    "\"reply_error\":{\"id\":\"$id\",\"error\":\"$error\"},"
    "\"rules\":["
    "{\"when\":{\"/part\":true},\"is\":\"partial\",\"id\":\"/id\","
    "\"value\":\"/part\"},"
    "{\"when\":{\"/ok\":true},\"is\":\"ok\",\"id\":\"/id\",\"value\":\"/ok\"},"
    "{\"when\":{\"/error\":true},\"is\":\"error\",\"id\":\"/id\","
    "\"code\":\"/error/code\",\"message\":\"/error/message\"},"
    "{\"when\":{\"/call\":true},\"is\":\"call\",\"id\":\"/id\","
    "\"name\":\"/call\",\"value\":\"/params\"},"
    "{\"when\":{\"/event\":true},\"is\":\"event\",\"name\":\"/event\","
    "\"value\":\"/params\"}]}";

uvow_protocol_t *sim_text_protocol(void) {
  return uvow_protocol_parse(parts, sizeof(parts) - 1, NULL);
}

size_t sim_text_ask(const sim_t *s, char *text, size_t cap) {
  static const char *const texts[SIM_PROTOCOLS] = {
      "{\"jsonrpc\":\"2.0\",\"id\":\"s1\",\"method\":\"ask\"}",
      "{\"type\":\"ask\",\"callback_id\":5}",
      "{\"id\":\"s1\",\"method\":\"ask\",\"params\":{}}",
      "{\"id\":\"s1\",\"call\":\"ask\"}"};
  return (size_t)snprintf(text, cap, "%s", texts[s->config.protocol]);
}

const char *sim_text_stray(sim_t *s) {
  static const char *const texts[] = {
      "",
      "{",
      "[]",
      "null",
      "nonsense",
      "{}",
      "{\"jsonrpc\":\"2.0\"}",
      "{\"jsonrpc\":\"2.0\",\"id\":1",
      "{\"id\":0,\"result\":1,\"jsonrpc\":\"2.0\"}",
      "{\"callback_id\":0,\"result\":true}",
      "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,"
      "\"message\":\"m\"}}",
      "{\"id\":0,\"id\":0,\"result\":1,\"callback_id\":0,\"callback_id\":0}",
      "{\"id\":9007199254740993,\"callback_id\":9007199254740993,"
      "\"result\":true,\"jsonrpc\":\"2.0\"}",
  };
  return texts[sim_below(&s->random, sizeof(texts) / sizeof(*texts))];
}
