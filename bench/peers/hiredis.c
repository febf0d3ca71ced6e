/*
 * hiredis on libuv: another protocol, whose answers come in order, so that
 * there is no id to look up. ECHO, with a number of its own for each request.
 */
#include "peer.h"

#include <uv.h>

#include <hiredis/hiredis.h>
#include <hiredis/async.h>
#include <hiredis/adapters/libuv.h>

typedef struct client {
  peer_t peer;
  uv_loop_t *uv;
  redisAsyncContext *redis;
  uint64_t next;
  int done;
} client_t;

/* A request in flight. */
typedef struct slot {
  client_t *client;
  uint64_t sent_ns;
  int len;
  char text[32];
} slot_t;

static void on_reply(redisAsyncContext *redis, void *data, void *context);

static void send_request(slot_t *slot) {
  client_t *client = slot->client;
  slot->len = snprintf(slot->text, sizeof(slot->text), "{\"x\":%llu}",
                       (unsigned long long)client->next++);
  slot->sent_ns = peer_now_ns();
  PEER_CHECK(redisAsyncCommand(client->redis, on_reply, slot, "ECHO %b",
                               slot->text, (size_t)slot->len) == REDIS_OK);
}

static void on_reply(redisAsyncContext *redis, void *data, void *context) {
  slot_t *slot = (slot_t *)context;
  client_t *client = slot->client;
  const redisReply *reply = (const redisReply *)data;
  (void)redis;
  if (client->done)
    return;
  PEER_CHECK(reply && reply->type == REDIS_REPLY_STRING);
  PEER_CHECK((int)reply->len == slot->len &&
             memcmp(reply->str, slot->text, (size_t)slot->len) == 0);
  if (peer_answered(&client->peer, slot->sent_ns, peer_now_ns())) {
    client->done = 1;
    uv_stop(client->uv);
    return;
  }
  send_request(slot);
}

static void on_connected(const redisAsyncContext *redis, int status) {
  PEER_CHECK(status == REDIS_OK && redis);
}

int main(int argc, char **argv) {
  static client_t client;
  peer_init(&client.peer, "hiredis", argc, argv);
  slot_t *slots = (slot_t *)calloc(client.peer.in_flight, sizeof(*slots));
  PEER_CHECK(slots);
  client.uv = uv_default_loop();
  client.redis = redisAsyncConnect("127.0.0.1", client.peer.port);
  PEER_CHECK(client.redis && client.redis->err == 0);
  PEER_CHECK(redisLibuvAttach(client.redis, client.uv) == REDIS_OK);
  redisAsyncSetConnectCallback(client.redis, on_connected);
  peer_start(&client.peer);
  for (uint64_t i = 0; i < client.peer.in_flight; i++) {
    slots[i].client = &client;
    send_request(&slots[i]);
  }
  uv_run(client.uv, UV_RUN_DEFAULT);
  PEER_CHECK(client.done);
  return 0; /* the system cleans up */
}
