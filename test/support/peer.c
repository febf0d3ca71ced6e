#include "peer.h"

#include <ctype.h>
#include <stdio.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

/* Bytes to send. */

static uint8_t *room(peer_t *peer, size_t more) {
  if (peer->out_len + more > peer->out_cap) {
    peer->out_cap = (peer->out_len + more) * 2;
    peer->out = (uint8_t *)realloc(peer->out, peer->out_cap);
    assert_non_null(peer->out);
  }
  peer->out_len += more;
  return peer->out + peer->out_len - more;
}

static void put_byte(peer_t *peer, unsigned byte) {
  *room(peer, 1) = (uint8_t)byte;
}

/* A header; form: 0 the shortest, or 16, 64 bits. Returns where the mask is. */
static void put_head(peer_t *peer, unsigned first, int masked, int form,
                     uint64_t len) {
  int bytes = form ? form / 8 : len < 126 ? 0 : len < 65536 ? 2 : 8;
  unsigned bit = masked ? 0x80u : 0;
  put_byte(peer, first);
  put_byte(peer, bit | (bytes == 0 ? (unsigned)len : bytes == 2 ? 126u : 127u));
  while (bytes--)
    put_byte(peer, (unsigned)(len >> (8 * bytes)) & 0xFF);
}

static void put_payload(peer_t *peer, int masked, const uint8_t *bytes,
                        size_t len) {
  uint8_t key[4];
  peer->mask = peer->mask * 1664525u + 1013904223u;
  for (int i = 0; i < 4; i++)
    key[i] = (uint8_t)(peer->mask >> (8 * i));
  if (masked)
    memcpy(room(peer, 4), key, 4);
  uint8_t *to = room(peer, len);
  for (size_t i = 0; i < len; i++)
    to[i] = masked ? (uint8_t)(bytes[i] ^ key[i % 4]) : bytes[i];
}

void peer_put_frame(peer_t *peer, unsigned first, const void *bytes,
                    size_t len) {
  put_head(peer, first, peer->is_client, 0, len);
  put_payload(peer, peer->is_client, (const uint8_t *)bytes, len);
}

/* The text of frames. */

static unsigned hex_byte(const char *text) {
  unsigned byte;
  assert_int_equal(sscanf(text, "%2x", &byte), 1);
  return byte;
}

/* The pieces of a payload: into bytes. Returns how many; *ret is behind them.
 */
static size_t read_pieces(const char *text, uint8_t *bytes, size_t cap,
                          const char **ret) {
  size_t len = 0;
  for (;;) {
    if (*text == '\'') {
      for (text++; *text != '\'' && len < cap; text++)
        bytes[len++] = (uint8_t)*text;
      text++;
    } else if (*text == '<') {
      for (text++; *text != '>' && len < cap; text += 2)
        bytes[len++] = (uint8_t)hex_byte(text);
      text++;
    } else if (*text == '*') {
      char *end;
      size_t count = strtoul(text + 1, &end, 10);
      assert_true(count <= cap - len);
      memset(bytes + len, '*', count);
      len += count;
      text = end;
    } else {
      *ret = text;
      return len;
    }
  }
}

static const char *put_one(peer_t *peer, const char *text, uint8_t *bytes,
                           size_t cap) {
  size_t more = 0;
  size_t len;
  int form = 0;
  int masked = peer->is_client;
  char *end;
  if (*text == '=') {
    len = read_pieces(text + 1, bytes, cap, &text);
    memcpy(room(peer, len), bytes, len);
    return text;
  }
  unsigned first = hex_byte(text);
  text += 2;
  while (strchr("/+!", *text) && *text) {
    char mark = *text++;
    if (mark == '!') {
      masked = !masked;
      continue;
    }
    size_t number = strtoul(text, &end, 10);
    text = end;
    if (mark == '/')
      form = (int)number;
    else
      more = number;
  }
  len = read_pieces(text, bytes, cap, &text);
  put_head(peer, first, masked, form, len + more);
  put_payload(peer, masked, bytes, len);
  return text;
}

void peer_put(peer_t *peer, const char *frames) {
  size_t cap = strlen(frames) + (size_t)17 * 1024 * 1024;
  uint8_t *bytes = (uint8_t *)malloc(cap);
  assert_non_null(bytes);
  while (*frames) {
    while (*frames == ' ')
      frames++;
    if (*frames)
      frames = put_one(peer, frames, bytes, cap);
    assert_true(*frames == ' ' || *frames == '\0');
  }
  free(bytes);
}

static int is_printable(const uint8_t *bytes, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (bytes[i] < ' ' || bytes[i] > '~' || bytes[i] == '\'')
      return 0;
  return 1;
}

static size_t asterisks(const uint8_t *bytes, size_t len) {
  size_t i = 0;
  while (i < len && bytes[i] == '*')
    i++;
  return i;
}

static size_t describe_bytes(char *text, size_t at, size_t cap,
                             const uint8_t *bytes, size_t len) {
  uint32_t hash = 2166136261u;
  if (len == 0)
    return at;
  if (asterisks(bytes, len) == len)
    return at + (size_t)snprintf(text + at, cap - at, "*%zu", len);
  if (len <= 200 && is_printable(bytes, len))
    return at + (size_t)snprintf(text + at, cap - at, "'%.*s'", (int)len,
                                 (const char *)bytes);
  if (len > 200) {
    for (size_t i = 0; i < len; i++)
      hash = (hash ^ bytes[i]) * 16777619u;
    return at + (size_t)snprintf(text + at, cap - at, "#%zu:%08x", len,
                                 (unsigned)hash);
  }
  at += (size_t)snprintf(text + at, cap - at, "<");
  for (size_t i = 0; i < len; i++)
    at += (size_t)snprintf(text + at, cap - at, "%02x", bytes[i]);
  return at + (size_t)snprintf(text + at, cap - at, ">");
}

size_t peer_describe(char *text, size_t at, size_t cap, unsigned first,
                     const uint8_t *bytes, size_t len) {
  at += (size_t)snprintf(text + at, cap - at, "%s%02x", at ? " " : "", first);
  if ((first & 0x0F) == 8 && len >= 2) {
    at +=
        (size_t)snprintf(text + at, cap - at, "<%02x%02x>", bytes[0], bytes[1]);
    bytes += 2;
    len -= 2;
  }
  return describe_bytes(text, at, cap, bytes, len);
}

char *peer_text(const peer_t *peer) {
  size_t cap = 1024 + peer->frame_count * 512;
  size_t at = 0;
  char *text = (char *)malloc(cap);
  assert_non_null(text);
  text[0] = '\0';
  for (size_t i = 0; i < peer->frame_count; i++)
    at = peer_describe(text, at, cap, peer->frames[i].first,
                       peer->in + peer->frames[i].off, peer->frames[i].len);
  if (peer->at < peer->in_len)
    (void)snprintf(text + at, cap - at, " ...");
  return text;
}

int peer_got_close(const peer_t *peer) {
  return peer->frame_count &&
         (peer->frames[peer->frame_count - 1].first & 0x0F) == 8;
}

/* Frames that come. */

static void add_frame(peer_t *peer, unsigned first, size_t off, size_t len) {
  size_t count = peer->frame_count;
  if ((count & (count + 1)) == 0) {
    peer->frames = (peer_frame_t *)realloc(
        peer->frames, (2 * count + 1) * sizeof(peer_frame_t));
    assert_non_null(peer->frames);
  }
  peer->frames[count].first = first;
  peer->frames[count].off = off;
  peer->frames[count].len = len;
  peer->frame_count++;
}

/* The next whole frame of what is there: 1, or 0. It must be well-formed. */
static int take_frame(peer_t *peer) {
  uint8_t *head = peer->in + peer->at;
  size_t have = peer->in_len - peer->at;
  if (have < 2)
    return 0;
  uint64_t len = head[1] & 0x7F;
  size_t more = len < 126 ? 0 : len == 126 ? 2 : 8;
  int masked = head[1] >> 7;
  size_t size = 2 + more + (masked ? 4u : 0);
  if (have < size)
    return 0;
  assert_int_equal(masked, !peer->is_client); /* RFC 6455 5.1 */
  for (size_t i = 0; i < more; i++)
    len = (i ? len << 8 : 0) | head[2 + i];
  assert_false(more && len < (more == 2 ? 126 : 65536)); /* 5.2: minimal */
  assert_int_equal(len >> 63, 0);
  if (have - size < len)
    return 0;
  for (size_t i = 0; masked && i < len; i++)
    head[size + i] ^= head[size - 4 + i % 4];
  add_frame(peer, head[0], peer->at + size, (size_t)len);
  peer->at += size + (size_t)len;
  return 1;
}

/* The handshake. */

static void put_text(peer_t *peer, const char *text) {
  memcpy(room(peer, strlen(text)), text, strlen(text));
}

static void put_extensions(peer_t *peer) {
  if (!peer->extensions)
    return;
  put_text(peer, "Sec-WebSocket-Extensions: ");
  put_text(peer, peer->extensions);
  put_text(peer, "\r\n");
}

static void put_answer(peer_t *peer) {
  static const char name[] = "Sec-WebSocket-Key: ";
  char text[128];
  unsigned char hash[SHA_DIGEST_LENGTH];
  unsigned char accept[64];
  const char *key = strstr(peer->head, name);
  assert_non_null(key);
  int size =
      snprintf(text, sizeof(text), "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
               key + sizeof(name) - 1);
  SHA1((const unsigned char *)text, (size_t)size, hash);
  EVP_EncodeBlock(accept, hash, sizeof(hash));
  put_text(peer,
           "HTTP/1.1 101 Switching Protocols\r\n"
           "Upgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Accept: ");
  put_text(peer, (const char *)accept);
  put_text(peer, "\r\n");
  put_extensions(peer);
  put_text(peer, "\r\n");
}

static void put_request(peer_t *peer) {
  put_text(peer,
           "GET / HTTP/1.1\r\nHost: localhost\r\n"
           "Upgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
  put_extensions(peer);
  put_text(peer, "\r\n");
}

/* The next byte of a head. */
static void take_head(peer_t *peer, char byte) {
  assert_true(peer->head_len < sizeof(peer->head) - 1);
  peer->head[peer->head_len++] = byte;
  peer->head[peer->head_len] = '\0';
  if (peer->head_len < 4 ||
      strcmp(peer->head + peer->head_len - 4, "\r\n\r\n") != 0)
    return;
  peer->open = 1;
  if (peer->is_client) {
    assert_non_null(strstr(peer->head, "HTTP/1.1 101 "));
    assert_non_null(strstr(peer->head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
  } else {
    put_answer(peer);
    peer_send(peer, 0, 0);
  }
}

/* The socket. */

/* As far as the other end takes it. Returns whether it took it all. */
static int write_all(peer_t *peer, const uint8_t *bytes, size_t len) {
  size_t sent = 0;
  while (sent < len && !peer->ended) {
    uv_buf_t buf =
        uv_buf_init((char *)(uintptr_t)bytes + sent, (unsigned)(len - sent));
    int rc = uv_try_write((uv_stream_t *)&peer->tcp, &buf, 1);
    if (rc < 0 && rc != UV_EAGAIN)
      return 0; /* it has had enough; what it said comes yet */
    sent += rc > 0 ? (size_t)rc : 0;
    if (rc == UV_EAGAIN)
      uv_run(peer->uv, UV_RUN_ONCE);
  }
  return sent == len;
}

/* Writes what TLS has to say. */
static int write_records(peer_t *peer) {
  BIO *bio = SSL_get_wbio(peer->ssl);
  size_t len = BIO_ctrl_pending(bio);
  uint8_t *bytes = (uint8_t *)malloc(len + 1);
  assert_non_null(bytes);
  if (len)
    assert_int_equal(BIO_read(bio, bytes, (int)len), (int)len);
  int ok = write_all(peer, bytes, len);
  free(bytes);
  return ok;
}

static int write_piece(peer_t *peer, const uint8_t *bytes, size_t len) {
  if (!peer->ssl)
    return write_all(peer, bytes, len);
  assert_int_equal(SSL_write(peer->ssl, bytes, (int)len), (int)len);
  return write_records(peer);
}

static void on_closed(uv_handle_t *handle) {
  ((peer_t *)handle->data)->handles--;
}

void peer_close(peer_t *peer) {
  if (peer->ssl && peer->open && !uv_is_closing((uv_handle_t *)&peer->tcp) &&
      SSL_shutdown(peer->ssl) >= 0)
    (void)write_records(peer);
  if (peer->connected && !uv_is_closing((uv_handle_t *)&peer->tcp))
    uv_close((uv_handle_t *)&peer->tcp, on_closed);
  if (peer->listening && !uv_is_closing((uv_handle_t *)&peer->listener))
    uv_close((uv_handle_t *)&peer->listener, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void)handle;
  *buf = uv_buf_init((char *)malloc(suggested), (unsigned)suggested);
}

static void take(peer_t *peer, const char *bytes, size_t len) {
  while (len && !peer->open) {
    take_head(peer, *bytes++);
    len--;
  }
  if (peer->in_len + len > peer->in_cap) {
    peer->in_cap = (peer->in_len + len) * 2;
    peer->in = (uint8_t *)realloc(peer->in, peer->in_cap);
    assert_non_null(peer->in);
  }
  if (len)
    memcpy(peer->in + peer->in_len, bytes, len);
  peer->in_len += len;
  while (take_frame(peer))
    continue;
}

/* Shakes hands, until that's done. Then a client asks. */
static void shake_hands(peer_t *peer) {
  if (SSL_is_init_finished(peer->ssl))
    return;
  (void)SSL_do_handshake(peer->ssl);
  (void)write_records(peer);
  if (SSL_is_init_finished(peer->ssl) && peer->is_client) {
    put_request(peer);
    peer_send(peer, 0, 0);
  }
}

/* Records came. */
static void take_records(peer_t *peer, const char *bytes, size_t len) {
  char plain[16384];
  int size;
  assert_int_equal(BIO_write(SSL_get_rbio(peer->ssl), bytes, (int)len),
                   (int)len);
  shake_hands(peer);
  while ((size = SSL_read(peer->ssl, plain, sizeof(plain))) > 0)
    take(peer, plain, (size_t)size);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
  peer_t *peer = (peer_t *)stream->data;
  if (len > 0 && peer->ssl)
    take_records(peer, buf->base, (size_t)len);
  else if (len > 0)
    take(peer, buf->base, (size_t)len);
  free(buf->base);
  if (len < 0) {
    peer->ended = 1;
    uv_read_stop(stream);
  }
}

static void start_tls(peer_t *peer) {
  BIO *in = BIO_new(BIO_s_mem());
  BIO *out = BIO_new(BIO_s_mem());
  peer->ssl = SSL_new(peer->tls);
  assert_true(in && out && peer->ssl);
  BIO_set_mem_eof_return(in, -1); /* empty: more may come */
  SSL_set_bio(peer->ssl, in, out);
  if (peer->is_client)
    SSL_set_connect_state(peer->ssl);
  else
    SSL_set_accept_state(peer->ssl);
}

static void start(peer_t *peer) {
  peer->connected = 1;
  if (peer->tls)
    start_tls(peer);
  uv_tcp_nodelay(&peer->tcp, 1); /* a byte that is sent alone goes alone */
  assert_int_equal(uv_read_start((uv_stream_t *)&peer->tcp, on_alloc, on_read),
                   0);
}

static void on_connect(uv_connect_t *connect, int status) {
  peer_t *peer = (peer_t *)connect->data;
  if (status == UV_ECANCELED)
    return;
  assert_int_equal(status, 0);
  start(peer);
  if (peer->ssl) {
    shake_hands(peer);
    return;
  }
  put_request(peer);
  peer_send(peer, 0, 0);
}

static void on_incoming(uv_stream_t *listener, int status) {
  peer_t *peer = (peer_t *)listener->data;
  assert_int_equal(status, 0);
  assert_int_equal(uv_accept(listener, (uv_stream_t *)&peer->tcp), 0);
  start(peer);
}

static void open_tcp(peer_t *peer, uv_tcp_t *tcp) {
  assert_int_equal(uv_tcp_init(peer->uv, tcp), 0);
  tcp->data = peer;
  peer->handles++;
}

int peer_listen(peer_t *peer, uv_loop_t *uv) {
  struct sockaddr_in address;
  int size = sizeof(address);
  peer->uv = uv;
  open_tcp(peer, &peer->listener);
  open_tcp(peer, &peer->tcp);
  peer->listening = peer->connected = 1;
  assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
  assert_int_equal(uv_tcp_bind(&peer->listener, (struct sockaddr *)&address, 0),
                   0);
  assert_int_equal(uv_listen((uv_stream_t *)&peer->listener, 1, on_incoming),
                   0);
  assert_int_equal(
      uv_tcp_getsockname(&peer->listener, (struct sockaddr *)&address, &size),
      0);
  return ntohs(address.sin_port);
}

void peer_connect(peer_t *peer, uv_loop_t *uv, int port) {
  struct sockaddr_in address;
  peer->uv = uv;
  peer->is_client = 1;
  open_tcp(peer, &peer->tcp);
  peer->connected = 1;
  peer->connect.data = peer;
  assert_int_equal(uv_ip4_addr("127.0.0.1", port, &address), 0);
  assert_int_equal(uv_tcp_connect(&peer->connect, &peer->tcp,
                                  (struct sockaddr *)&address, on_connect),
                   0);
}

void peer_done(peer_t *peer) {
  peer_close(peer);
  while (peer->handles)
    uv_run(peer->uv, UV_RUN_ONCE);
  SSL_free(peer->ssl);
  SSL_CTX_free(peer->tls);
  free(peer->in);
  free(peer->out);
  free(peer->frames);
}

static size_t piece_size(unsigned *cut, size_t piece, size_t left) {
  size_t size = left;
  if (*cut == 1) {
    size = 1;
  } else if (*cut) {
    *cut = *cut * 1664525u + 1013904223u;
    *cut += *cut < 2 ? 2 : 0;
    size = 1 + (*cut >> 8) % piece;
  }
  return size < left ? size : left;
}

void peer_send(peer_t *peer, unsigned cut, size_t piece) {
  size_t sent = 0;
  while (sent < peer->out_len && !peer->ended) {
    size_t size = piece_size(&cut, piece, peer->out_len - sent);
    if (!write_piece(peer, peer->out + sent, size))
      break;
    sent += size;
    if (sent < peer->out_len)
      (void)(uv_run(peer->uv, UV_RUN_NOWAIT) &&
             uv_run(peer->uv, UV_RUN_NOWAIT));
  }
  peer->out_len = 0;
}
