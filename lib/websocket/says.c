/*
 * What the other end said in its handshake, and who it is.
 *
 * 1. The head is copied, as its memory goes with the handshake: one block.
 * 2. A client's target is there from the start, the rest once it's answered.
 */
#include "websocket.h"

#include <stdio.h>
#include <string.h>

static void put(char **at, uvow__slice_t text) {
  if (text.len)
    memcpy(*at, text.ptr, text.len);
  (*at)[text.len] = '\0';
  *at += text.len + 1;
}

/* What of a head is kept. A head's bytes are bounded, a URL's are in memory. */
static size_t size_of(uvow__slice_t target, const uvow__http_t *http) {
  uvow__slice_t key, value;
  size_t size = target.len + 2;
  for (size_t i = 0; http && i < uvow__http_count(http); i++) {
    uvow__http_field(http, i, &key, &value);
    size += key.len + value.len + 2;
  }
  return size;
}

/* The target that is known: what was given, what the head says, or what it was.
 */
static uvow__slice_t target_of(const uvow_websocket_t *ws, const char *target,
                               const uvow__http_t *http) {
  if (!target && http->role == UVOW__HTTP_REQUEST)
    return uvow__http_target(http);
  if (!target)
    target = ws->says.head; /* a client's, there since it began */
  return (uvow__slice_t){target, strlen(target)};
}

int uvow__says_head(uvow_websocket_t *ws, const char *target,
                    const uvow__http_t *http) {
  uvow__slice_t first = target_of(ws, target, http);
  uvow__slice_t key, value;
  char *head =
      (char *)uvow__malloc(uvow__websocket_mem(ws), size_of(first, http));
  if (!head)
    return UVOW_ENOMEM;
  char *at = head;
  put(&at, first);
  for (size_t i = 0; http && i < uvow__http_count(http); i++) {
    uvow__http_field(http, i, &key, &value);
    put(&at, key);
    put(&at, value);
  }
  *at = '\0';
  uvow__free(uvow__websocket_mem(ws), ws->says.head);
  ws->says.head = head;
  return 0;
}

int uvow__says_subprotocol(uvow_websocket_t *ws, const char *subprotocol) {
  const uvow__mem_t *mem = uvow__websocket_mem(ws);
  char *copy = NULL;
  if (subprotocol) {
    copy = uvow__strdup(mem, subprotocol);
    if (!copy)
      return UVOW_ENOMEM;
  }
  uvow__free(mem, ws->says.subprotocol);
  ws->says.subprotocol = copy;
  return 0;
}

int uvow__says_who(uvow_websocket_t *ws, int what) {
  const uvow__mem_t *mem = uvow__websocket_mem(ws);
  char **text =
      what == UVOW__WHO_ADDRESS ? &ws->says.address : &ws->says.certificate;
  uvow__buf_t who;
  uvow__buf_init(&who, mem, SIZE_MAX);
  int rc = uvow__io_who(uvow__connection_io(ws->connection), what, &who);
  if (rc == 0 && uvow__buf_size(&who)) {
    uvow__free(mem, *text);
    *text = uvow__strndup(mem, (const char *)uvow__buf_front(&who),
                          uvow__buf_size(&who));
    rc = *text ? 0 : UVOW_ENOMEM;
  }
  uvow__buf_done(&who);
  return rc;
}

size_t uvow__says_headers(const uvow_websocket_t *ws, uvow_header_t *headers) {
  const char *at = ws->says.head;
  size_t count = 0;
  if (!at)
    return 0;
  for (at += strlen(at) + 1; *at; count++) {
    uvow_header_t header = {sizeof(header), at, at + strlen(at) + 1};
    if (headers)
      headers[count] = header;
    at = header.value + strlen(header.value) + 1;
  }
  return count;
}

void uvow__says_done(uvow_websocket_t *ws) {
  const uvow__mem_t *mem = uvow__websocket_mem(ws);
  uvow__free(mem, ws->says.head);
  uvow__free(mem, ws->says.subprotocol);
  uvow__free(mem, ws->says.address);
  uvow__free(mem, ws->says.certificate);
}

const char *uvow_websocket_target(const uvow_websocket_t *ws) {
  return ws && ws->says.head ? ws->says.head : "";
}

const char *uvow_websocket_header(const uvow_websocket_t *ws,
                                  const char *name) {
  if (!ws || !ws->says.head || !name || !*name)
    return NULL;
  const char *at = ws->says.head + strlen(ws->says.head) + 1;
  while (*at) {
    const char *value = at + strlen(at) + 1;
    if (uvow__slice_is_nocase((uvow__slice_t){at, strlen(at)}, name))
      return value;
    at = value + strlen(value) + 1;
  }
  return NULL;
}

const char *uvow_websocket_subprotocol(const uvow_websocket_t *ws) {
  return ws ? ws->says.subprotocol : NULL;
}

const char *uvow_websocket_address(const uvow_websocket_t *ws) {
  return ws && ws->says.address ? ws->says.address : "";
}

const char *uvow_websocket_certificate(const uvow_websocket_t *ws) {
  return ws ? ws->says.certificate : NULL;
}

int uvow_websocket_header_at(const uvow_websocket_t *ws, size_t i,
                             const char **ret_name, const char **ret_value) {
  if (!ws || !ws->says.head || !ret_name || !ret_value)
    return UVOW_EINVAL;
  const char *at = ws->says.head + strlen(ws->says.head) + 1;
  for (; *at && i; i--)
    for (int text = 0; text < 2; text++)
      at += strlen(at) + 1;
  if (!*at)
    return UVOW_EINVAL;
  *ret_name = at;
  *ret_value = at + strlen(at) + 1;
  return 0;
}

int uvow_websocket_tls(const uvow_websocket_t *ws, char *ret_text,
                       size_t size) {
  uvow__buf_t who;
  int rc = 0;
  if (ret_text && size)
    *ret_text = '\0';
  if (!ws || !ws->connection)
    return 0;
  uvow__buf_init(&who, uvow__websocket_mem(ws), SIZE_MAX);
  rc = uvow__io_who(uvow__connection_io(ws->connection), UVOW__WHO_TLS, &who);
  if (rc == 0 && uvow__buf_size(&who)) {
    rc = (int)uvow__buf_size(&who);
    if (ret_text && size)
      snprintf(ret_text, size, "%.*s", rc, (const char *)uvow__buf_front(&who));
  }
  uvow__buf_done(&who);
  return rc;
}
