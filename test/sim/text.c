/* What the messages look like: see server.h. */
#include "server.h"

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
  text[0] = '{';
  return 1 + put_data(r->nonce, r->pad, text + 1, cap - 1);
}

size_t sim_text_call(const sim_t *s, const sim_request_t *r, char *text,
                     size_t cap) {
  unsigned long long id = r->id;
  size_t at;
  if (s->config.protocol == SIM_CALLBACK_ID) {
    at = (size_t)snprintf(text, cap, "{\"type\":\"work\",");
    at += put_data(r->nonce, r->pad, text + at, cap - at) - 1;
    return at +
           (size_t)snprintf(text + at, cap - at, ",\"callback_id\":%llu}", id);
  }
  at = (size_t)snprintf(
      text, cap, "{%s\"id\":%llu,\"method\":\"work\",\"params\":",
      s->config.protocol == SIM_JSONRPC2 ? "\"jsonrpc\":\"2.0\"," : "", id);
  at += sim_text_params(s, r, text + at, cap - at);
  return at + (size_t)snprintf(text + at, cap - at, "%s}",
                               r->session ? ",\"sessionId\":\"S\"" : "");
}

/* What comes after the id, or before it. */
static int put_outcome(const sim_t *s, const sim_message_t *m, char *text,
                       size_t cap) {
  switch (m->what) {
  case SIM_ANSWER:
    return snprintf(text, cap, "\"%s\":{",
                    s->config.protocol == SIM_CALLBACK_ID ? "data" : "result");
  case SIM_ANSWER_BROKEN:
    return snprintf(text, cap, "\"%s\":{\"x\":tru,",
                    s->config.protocol == SIM_CALLBACK_ID ? "data" : "result");
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
        text, cap, "{\"method\":\"ev\",\"params\":{\"n\":%u}}", number);
  }
}

size_t sim_text_ask(const sim_t *s, char *text, size_t cap) {
  static const char *const texts[SIM_PROTOCOLS] = {
      "{\"jsonrpc\":\"2.0\",\"id\":\"s1\",\"method\":\"ask\"}",
      "{\"type\":\"ask\",\"callback_id\":5}",
      "{\"id\":\"s1\",\"method\":\"ask\",\"params\":{}}"};
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
