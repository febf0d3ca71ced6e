/*
 * The head of an HTTP/1.1 message (RFC 9112), read strictly, byte by byte.
 *
 * 1. How the bytes are split never changes what comes out.
 * 2. At most max_head bytes and UVOW__HTTP_MAX_FIELDS fields are kept.
 * 3. head holds the bytes that were used, all of them, whenever feed returns 0
 *    or UVOW__HTTP_MORE; spans are offsets into it. Accessors give nothing
 *    before the head is complete.
 * 4. A line ends in CR LF and nothing else; lines are never folded; nothing
 *    but the value may hold whitespace. Two readers of one head that disagree
 *    on these are how requests are smuggled.
 *
 *             read_method -CR-> read_empty_end -LF-> read_method
 *   request:  read_method -SP-> read_target -SP-> read_version -CR-> (line)
 *   response: read_version -SP-> read_status -SP-> read_reason -CR-> (line)
 *                                read_status -CR-> (line)
 *   HTTP/1.0: read_version -"0"-> read_old_version -SP-> read_old_status
 *                                -not "1"-> read_status
 *   (line):   read_line_end -LF-> read_name
 *             read_name -":"-> read_value_lead -> read_value -CR-> (line)
 *             read_name -CR-> read_head_end -LF-> done
 *
 * Not here: bodies and trailers.
 */
#include "http.h"

#include <string.h>

#include <uvow/error.h>

#include "base/text.h"

enum {
  STATE_METHOD,
  STATE_EMPTY_END,
  STATE_TARGET,
  STATE_VERSION,
  STATE_OLD_VERSION,
  STATE_STATUS,
  STATE_OLD_STATUS,
  STATE_REASON,
  STATE_LINE_END,
  STATE_NAME,
  STATE_VALUE_LEAD,
  STATE_VALUE,
  STATE_HEAD_END,
  STATE_DONE
};

static const char version[] = "HTTP/1.1";

/* RFC 9110 5.6.2: tchar. */
static int is_token_char(uint8_t c) {
  static const char others[] = "!#$%&'*+-.^_`|~";
  return uvow__is_alpha(c) || uvow__is_digit(c) ||
         memchr(others, c, sizeof(others) - 1);
}

/* RFC 9110 5.5: visible, space, tab, or beyond ASCII (obs-text). */
static int is_value_char(uint8_t c) {
  return c == '\t' || (c >= ' ' && c != 0x7f);
}

static int is_blank(uint8_t c) {
  return c == ' ' || c == '\t';
}

/* The piece that ends before this byte. */
static uvow__http_span_t ended(const uvow__http_t *http) {
  uvow__http_span_t span = {http->mark, http->at - http->mark};
  return span;
}

/* What begins behind this byte. */
static int enter(uvow__http_t *http, int state) {
  http->state = state;
  http->mark = http->at + 1;
  return 0;
}

static int add_field(uvow__http_t *http, uvow__http_span_t value) {
  if (http->field_count == UVOW__HTTP_MAX_FIELDS)
    return UVOW_ETOOBIG;
  if (http->field_count == http->field_cap) {
    size_t cap = http->field_cap ? http->field_cap * 2 : 16;
    void *fields = uvow__realloc(http->head.mem, http->fields,
                                 cap * sizeof(*http->fields));
    if (!fields)
      return UVOW_ENOMEM;
    http->fields = (uvow__http_field_t *)fields;
    http->field_cap = cap;
  }
  uvow__http_field_t *field = &http->fields[http->field_count++];
  field->name = http->name;
  field->value = value;
  return 0;
}

/* RFC 9112 3.1. */
static int read_method(uvow__http_t *http, uint8_t c) {
  if (is_token_char(c))
    return 0;
  if (c == '\r' && http->at == http->mark &&
      http->empty < UVOW__HTTP_MAX_EMPTY) {
    http->empty++;
    return enter(http, STATE_EMPTY_END);
  }
  if (c != ' ' || http->at == http->mark)
    return UVOW_EHTTP;
  http->method = ended(http);
  return enter(http, STATE_TARGET);
}

/* RFC 9112 2.2: an empty line before a request, as some clients send it behind
 * the body of the one before, is passed over. */
static int read_empty_end(uvow__http_t *http, uint8_t c) {
  return c == '\n' ? enter(http, STATE_METHOD) : UVOW_EHTTP;
}

/* RFC 9112 3.2. What form it has is for the handshake to see. */
static int read_target(uvow__http_t *http, uint8_t c) {
  if (c > ' ' && c < 0x7f)
    return 0;
  if (c != ' ' || http->at == http->mark)
    return UVOW_EHTTP;
  http->target = ended(http);
  return enter(http, STATE_VERSION);
}

/* RFC 9112 2.3; behind it, the end of a request's line or a status. A proxy
 * may have said 1.0 for twenty years. */
static int read_version(uvow__http_t *http, uint8_t c) {
  size_t index = http->at - http->mark;
  if (index == sizeof(version) - 2 && c == '0' &&
      http->role == UVOW__HTTP_TUNNEL)
    return 0;
  if (index == sizeof(version) - 2 && c == '0' &&
      http->role == UVOW__HTTP_RESPONSE) {
    http->state = STATE_OLD_VERSION;
    return 0;
  }
  if (index < sizeof(version) - 1)
    return c == (uint8_t)version[index] ? 0 : UVOW_EHTTP;
  if (http->role == UVOW__HTTP_REQUEST && c == '\r')
    return enter(http, STATE_LINE_END);
  if (http->role != UVOW__HTTP_REQUEST && c == ' ')
    return enter(http, STATE_STATUS);
  return UVOW_EHTTP;
}

/* Servers and proxies that refuse may do so as HTTP/1.0. */
static int read_old_version(uvow__http_t *http, uint8_t c) {
  return c == ' ' ? enter(http, STATE_OLD_STATUS) : UVOW_EHTTP;
}

/* RFC 9112 4. Servers that have no reason leave out its space too, which they
 * must not; nothing can be misread for it. */
static int read_status(uvow__http_t *http, uint8_t c) {
  size_t index = http->at - http->mark;
  if (index < 3) {
    if (c < (index ? '0' : '1') || c > '9')
      return UVOW_EHTTP;
    http->status = http->status * 10 + (c - '0');
    return 0;
  }
  if (c == ' ')
    return enter(http, STATE_REASON);
  return c == '\r' ? enter(http, STATE_LINE_END) : UVOW_EHTTP;
}

/* RFC 9110 15.2: HTTP/1.0 has no 1xx, so it can't switch protocols. */
static int read_old_status(uvow__http_t *http, uint8_t c) {
  http->state = STATE_STATUS;
  return c == '1' ? UVOW_EHTTP : read_status(http, c);
}

/* RFC 9112 4: reason-phrase, even none. */
static int read_reason(uvow__http_t *http, uint8_t c) {
  if (is_value_char(c))
    return 0;
  if (c != '\r')
    return UVOW_EHTTP;
  http->reason = ended(http);
  return enter(http, STATE_LINE_END);
}

/* RFC 9112 2.2: a CR has its LF. */
static int read_line_end(uvow__http_t *http, uint8_t c) {
  return c == '\n' ? enter(http, STATE_NAME) : UVOW_EHTTP;
}

/* RFC 9112 5.1: no whitespace before the colon; 5.2: none before the name
 * either, that would be a folded line; 2.1: an empty line ends the head. */
static int read_name(uvow__http_t *http, uint8_t c) {
  int empty = http->at == http->mark;
  if (is_token_char(c))
    return 0;
  if (c == '\r' && empty)
    return enter(http, STATE_HEAD_END);
  if (c != ':' || empty)
    return UVOW_EHTTP;
  http->name = ended(http);
  return enter(http, STATE_VALUE_LEAD);
}

/* RFC 9112 5.1: whitespace around a value is none of it. */
static int read_value(uvow__http_t *http, uint8_t c) {
  uvow__http_span_t value = {http->mark, http->value_end - http->mark};
  if (c == '\r') {
    int rc = add_field(http, value);
    return rc ? rc : enter(http, STATE_LINE_END);
  }
  if (!is_value_char(c))
    return UVOW_EHTTP;
  if (!is_blank(c))
    http->value_end = http->at + 1;
  return 0;
}

static int read_value_lead(uvow__http_t *http, uint8_t c) {
  if (is_blank(c))
    return enter(http, STATE_VALUE_LEAD);
  http->state = STATE_VALUE;
  http->mark = http->value_end = http->at;
  return read_value(http, c);
}

static int read_head_end(uvow__http_t *http, uint8_t c) {
  return c == '\n' ? enter(http, STATE_DONE) : UVOW_EHTTP;
}

static int step(uvow__http_t *http, uint8_t c) {
  switch (http->state) {
  case STATE_METHOD:
    return read_method(http, c);
  case STATE_EMPTY_END:
    return read_empty_end(http, c);
  case STATE_TARGET:
    return read_target(http, c);
  case STATE_VERSION:
    return read_version(http, c);
  case STATE_OLD_VERSION:
    return read_old_version(http, c);
  case STATE_STATUS:
    return read_status(http, c);
  case STATE_OLD_STATUS:
    return read_old_status(http, c);
  case STATE_REASON:
    return read_reason(http, c);
  case STATE_LINE_END:
    return read_line_end(http, c);
  case STATE_NAME:
    return read_name(http, c);
  case STATE_VALUE_LEAD:
    return read_value_lead(http, c);
  case STATE_VALUE:
    return read_value(http, c);
  default:
    return read_head_end(http, c);
  }
}

void uvow__http_init(uvow__http_t *http, const uvow__mem_t *mem,
                     uvow__http_role_t role, size_t max_head) {
  memset(http, 0, sizeof(*http));
  http->role = role;
  uvow__buf_init(&http->head, mem, max_head);
  uvow__http_reset(http);
}

void uvow__http_done(uvow__http_t *http) {
  uvow__buf_done(&http->head);
  uvow__free(http->head.mem, http->fields);
  http->fields = NULL;
  http->field_cap = 0;
  uvow__http_reset(http);
}

void uvow__http_reset(uvow__http_t *http) {
  uvow__http_span_t none = {0, 0};
  uvow__buf_clear(&http->head, SIZE_MAX);
  http->state = http->role == UVOW__HTTP_REQUEST ? STATE_METHOD : STATE_VERSION;
  http->error = http->status = 0;
  http->empty = 0;
  http->at = http->mark = http->value_end = 0;
  http->method = http->target = http->reason = http->name = none;
  http->field_count = 0;
}

int uvow__http_feed(uvow__http_t *http, const void *bytes, size_t len,
                    size_t *ret_used) {
  const uint8_t *in = (const uint8_t *)bytes;
  size_t used = 0;
  int rc = http->error;
  while (rc == 0 && used < len && http->state != STATE_DONE) {
    rc = http->at == http->head.max ? UVOW_ETOOBIG : step(http, in[used]);
    http->at++;
    used++;
  }
  if (rc == 0)
    rc = uvow__buf_append(&http->head, in, used);
  if (rc) {
    http->error = rc;
    return rc;
  }
  *ret_used = used;
  return http->state == STATE_DONE ? 0 : UVOW__HTTP_MORE;
}

#define TEXT_OF(number) #number
#define NUMBER(macro) TEXT_OF(macro)

const char *uvow__http_why(const uvow__http_t *http) {
  if (http->error != UVOW_ETOOBIG)
    return NULL;
  return http->field_count == UVOW__HTTP_MAX_FIELDS
             ? "its head has more than " NUMBER(UVOW__HTTP_MAX_FIELDS) " fields"
             : "its head has more than " NUMBER(UVOW__HTTP_MAX_HEAD) " bytes";
}

static int complete(const uvow__http_t *http) {
  return http->state == STATE_DONE && !http->error;
}

static uvow__slice_t slice(const uvow__http_t *http, uvow__http_span_t span) {
  uvow__slice_t text = {"", 0};
  if (complete(http)) {
    text.ptr = (const char *)http->head.data + span.off;
    text.len = span.len;
  }
  return text;
}

uvow__slice_t uvow__http_method(const uvow__http_t *http) {
  return slice(http, http->method);
}

uvow__slice_t uvow__http_target(const uvow__http_t *http) {
  return slice(http, http->target);
}

uvow__slice_t uvow__http_reason(const uvow__http_t *http) {
  return slice(http, http->reason);
}

int uvow__http_status(const uvow__http_t *http) {
  return complete(http) ? http->status : 0;
}

size_t uvow__http_count(const uvow__http_t *http) {
  return complete(http) ? http->field_count : 0;
}

void uvow__http_field(const uvow__http_t *http, size_t index,
                      uvow__slice_t *ret_name, uvow__slice_t *ret_value) {
  *ret_name = slice(http, http->fields[index].name);
  *ret_value = slice(http, http->fields[index].value);
}

size_t uvow__http_header(const uvow__http_t *http, const char *name,
                         uvow__slice_t *ret_value) {
  size_t found = 0;
  uvow__slice_t first = {"", 0};
  for (size_t i = 0; i < uvow__http_count(http); i++) {
    uvow__slice_t key, value;
    uvow__http_field(http, i, &key, &value);
    if (!uvow__slice_is_nocase(key, name))
      continue;
    if (found++ == 0)
      first = value;
  }
  if (found == 1 && ret_value)
    *ret_value = first;
  return found;
}

/* The next member of one list that isn't empty, from *off on: 1, or 0. */
static int next_member(uvow__slice_t list, size_t *off, uvow__slice_t *ret) {
  while (*off < list.len) {
    size_t begin = *off;
    const void *comma = memchr(list.ptr + begin, ',', list.len - begin);
    size_t end = comma ? (size_t)((const char *)comma - list.ptr) : list.len;
    *off = comma ? end + 1 : end;
    while (begin < end && is_blank((uint8_t)list.ptr[begin]))
      begin++;
    while (end > begin && is_blank((uint8_t)list.ptr[end - 1]))
      end--;
    if (end > begin) {
      ret->ptr = list.ptr + begin;
      ret->len = end - begin;
      return 1;
    }
  }
  return 0;
}

int uvow__http_list_next(const uvow__http_t *http, const char *name,
                         uvow__http_list_t *list, uvow__slice_t *ret_member) {
  for (; list->field < uvow__http_count(http); list->field++) {
    uvow__slice_t key, value;
    uvow__http_field(http, list->field, &key, &value);
    if (uvow__slice_is_nocase(key, name) &&
        next_member(value, &list->off, ret_member))
      return 1;
    list->off = 0;
  }
  return 0;
}

int uvow__http_has_token(const uvow__http_t *http, const char *name,
                         const char *token) {
  uvow__http_list_t list = {0, 0};
  uvow__slice_t member;
  while (uvow__http_list_next(http, name, &list, &member))
    if (uvow__slice_is_nocase(member, token))
      return 1;
  return 0;
}

int uvow__http_is_token(uvow__slice_t text) {
  for (size_t i = 0; i < text.len; i++)
    if (!is_token_char((uint8_t)text.ptr[i]))
      return 0;
  return text.len > 0;
}

int uvow__http_is_value(uvow__slice_t text) {
  for (size_t i = 0; i < text.len; i++)
    if (!is_value_char((uint8_t)text.ptr[i]))
      return 0;
  return 1;
}
