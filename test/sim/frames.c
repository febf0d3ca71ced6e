/* See frames.h. */
#include "frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

void sim_bytes_add(sim_bytes_t *bytes, const void *data, size_t len) {
  if (bytes->len + len > bytes->cap) {
    bytes->cap = (bytes->len + len) * 2;
    bytes->data = (uint8_t *)realloc(bytes->data, bytes->cap);
    if (!bytes->data)
      abort();
  }
  if (len)
    memcpy(bytes->data + bytes->len, data, len);
  bytes->len += len;
}

void sim_bytes_done(sim_bytes_t *bytes) {
  free(bytes->data);
  memset(bytes, 0, sizeof(*bytes));
}

void sim_frame_put(sim_bytes_t *out, unsigned first, const void *data,
                   size_t len, int masked) {
  static const uint8_t no_mask[4] = {0, 0, 0, 0};
  uint8_t head[4] = {(uint8_t)first, (uint8_t)(masked ? 0x80 : 0), 0, 0};
  if (len < 126) {
    head[1] |= (uint8_t)len;
    sim_bytes_add(out, head, 2);
  } else if (len < 65536) {
    head[1] |= 126;
    head[2] = (uint8_t)(len >> 8);
    head[3] = (uint8_t)len;
    sim_bytes_add(out, head, 4);
  } else {
    uint8_t length[8] = {0,
                         0,
                         0,
                         0,
                         (uint8_t)(len >> 24),
                         (uint8_t)(len >> 16),
                         (uint8_t)(len >> 8),
                         (uint8_t)len};
    head[1] |= 127;
    sim_bytes_add(out, head, 2);
    sim_bytes_add(out, length, 8);
  }
  if (masked)
    sim_bytes_add(out, no_mask, 4);
  sim_bytes_add(out, data, len);
}

static int refuse(const char **ret_why, const char *why) {
  *ret_why = why;
  return -1;
}

/* What a client's frame may begin with. 0: fine. */
static int judge(const uint8_t *at, const char **ret_why) {
  unsigned opcode = at[0] & 0x0F;
  if (at[0] & 0x70)
    return refuse(ret_why, "reserved bits");
  if (!(at[0] & 0x80))
    return refuse(ret_why, "the client sends no fragments");
  if (opcode != 1 && opcode != 8 && opcode != 9 && opcode != 10)
    return refuse(ret_why, "an opcode that the client has no use for");
  if (!(at[1] & 0x80))
    return refuse(ret_why, "not masked");
  if (opcode >= 8 && (at[1] & 0x7F) > 125)
    return refuse(ret_why, "a long control frame");
  return 0;
}

int sim_frame_take(sim_bytes_t *in, sim_frame_t *ret, const char **ret_why) {
  uint8_t *at = in->data + in->pos;
  size_t left = sim_bytes_left(in);
  size_t head = 2;
  if (left < 2)
    return 0;
  if (judge(at, ret_why))
    return -1;
  size_t len = at[1] & 0x7F;
  size_t more = len == 126 ? 2 : len == 127 ? 8 : 0;
  if (left < head + more)
    return 0;
  if (more)
    len = 0;
  for (size_t i = 0; i < more; i++)
    len = len << 8 | at[head + i];
  if (more && len < (more == 2 ? 126u : 65536u))
    return refuse(ret_why, "a length in too many bytes");
  head += more;
  if (left < head + 4 || left - head - 4 < len)
    return 0;
  ret->first = at[0];
  ret->data = at + head + 4;
  ret->len = len;
  for (size_t i = 0; i < len; i++)
    ret->data[i] ^= at[head + i % 4];
  in->pos += head + 4 + len;
  return 1;
}

/* RFC 6455 4.2.2: base64(SHA-1(key, GUID)). */
static void accept_of(const char *key, size_t len, char ret[29]) {
  uint8_t text[128];
  uint8_t hash[EVP_MAX_MD_SIZE];
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  memcpy(text, key, len);
  memcpy(text + len, guid, sizeof(guid) - 1);
  EVP_Digest(text, len + sizeof(guid) - 1, hash, NULL, EVP_sha1(), NULL);
  EVP_EncodeBlock((unsigned char *)ret, hash, 20);
}

int sim_handshake_take(sim_bytes_t *in, sim_bytes_t *out, int bad_accept) {
  static const char name[] = "\r\nSec-WebSocket-Key: ";
  char accept[29];
  char answer[256];
  char head[1024];
  size_t left = sim_bytes_left(in);
  if (left >= sizeof(head))
    return -1;
  memcpy(head, in->data + in->pos, left);
  head[left] = '\0';
  const char *end = strstr(head, "\r\n\r\n");
  if (!end)
    return 0;
  const char *key = strstr(head, name);
  if (memcmp(head, "GET /sim HTTP/1.1\r\n", 19) || !key ||
      !strstr(head, "\r\nSec-WebSocket-Version: 13\r\n") || key > end)
    return -1;
  accept_of(key + sizeof(name) - 1, 24, accept);
  if (bad_accept)
    accept[0] = accept[0] == 'A' ? 'B' : 'A';
  int len =
      snprintf(answer, sizeof(answer),
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
               accept);
  sim_bytes_add(out, answer, (size_t)len);
  in->pos += (size_t)(end + 4 - head);
  return 1;
}
