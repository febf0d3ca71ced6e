/*
 * libwebsockets with jansson, as its documentation has it: one lws_write per
 * WRITEABLE callback, and another callback asked for while there is more to
 * send. Ids are the numbers of the slots, with a generation above.
 */
#include "peer.h"

#include <jansson.h>
#include <libwebsockets.h>

enum { TEXT_MAX = 256 };

/* A request in flight. */
typedef struct slot {
  uint64_t sent_ns;
  json_int_t id;
} slot_t;

typedef struct client {
  peer_t peer;
  slot_t *slots;
  uint64_t *unsent; /* a ring of slots that wait for their write */
  uint64_t first_unsent;
  uint64_t end_unsent;
  json_int_t next;
  size_t len; /* of what is there of a message */
  char message[TEXT_MAX];
  int done;
} client_t;

static void queue(client_t *client, uint64_t slot) {
  client->slots[slot].sent_ns = peer_now_ns();
  client->slots[slot].id =
      client->next++ * (json_int_t)client->peer.in_flight + (json_int_t)slot;
  client->unsent[client->end_unsent++ % client->peer.in_flight] = slot;
}

static int write_one(client_t *client, struct lws *wsi) {
  unsigned char bytes[LWS_PRE + TEXT_MAX];
  uint64_t slot = client->unsent[client->first_unsent % client->peer.in_flight];
  json_int_t id = client->slots[slot].id;
  if (client->first_unsent == client->end_unsent)
    return 0;
  client->first_unsent++;
  json_t *request = json_pack("{s:s,s:I,s:s,s:{s:I}}", "jsonrpc", "2.0", "id",
                              id, "method", "echo", "params", "x", id);
  size_t len =
      json_dumpb(request, (char *)bytes + LWS_PRE, TEXT_MAX, JSON_COMPACT);
  json_decref(request);
  PEER_CHECK(len > 0 && len <= TEXT_MAX);
  if (lws_write(wsi, bytes + LWS_PRE, len, LWS_WRITE_TEXT) < (int)len)
    return -1;
  if (client->first_unsent < client->end_unsent)
    lws_callback_on_writable(wsi);
  return 0;
}

static void take_answer(client_t *client, struct lws *wsi) {
  json_t *answer = json_loadb(client->message, client->len, 0, NULL);
  json_int_t id = json_integer_value(json_object_get(answer, "id"));
  uint64_t slot = (uint64_t)id % client->peer.in_flight;
  PEER_CHECK(answer && client->slots[slot].id == id);
  json_t *x = json_object_get(json_object_get(answer, "result"), "x");
  PEER_CHECK(json_is_integer(x) && json_integer_value(x) == id);
  json_decref(answer);
  if (peer_answered(&client->peer, client->slots[slot].sent_ns,
                    peer_now_ns())) {
    client->done = 1;
    lws_cancel_service(lws_get_context(wsi));
    return;
  }
  queue(client, slot);
  lws_callback_on_writable(wsi);
}

static void take_bytes(client_t *client, struct lws *wsi, const void *bytes,
                       size_t len) {
  PEER_CHECK(len <= TEXT_MAX - client->len);
  memcpy(client->message + client->len, bytes, len);
  client->len += len;
  if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi))
    return;
  take_answer(client, wsi);
  client->len = 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason,
                    void *user, void *in, size_t len) {
  client_t *client = (client_t *)lws_context_user(lws_get_context(wsi));
  (void)user;
  if (client->done)
    return 0;
  switch (reason) {
  case LWS_CALLBACK_CLIENT_ESTABLISHED:
    peer_start(&client->peer);
    for (uint64_t i = 0; i < client->peer.in_flight; i++)
      queue(client, i);
    lws_callback_on_writable(wsi);
    return 0;
  case LWS_CALLBACK_CLIENT_WRITEABLE:
    return write_one(client, wsi);
  case LWS_CALLBACK_CLIENT_RECEIVE:
    take_bytes(client, wsi, in, len);
    return 0;
  case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
  case LWS_CALLBACK_CLIENT_CLOSED:
    PEER_CHECK(client->done);
    return 0;
  default:
    return 0;
  }
}

static const struct lws_protocols protocols[] = {
    {"", on_event, 0, 65536, 0, NULL, 0}, {NULL, NULL, 0, 0, 0, NULL, 0}};

int main(int argc, char **argv) {
  static client_t client;
  struct lws_context_creation_info info;
  struct lws_client_connect_info connect;
  peer_init(&client.peer, "libwebsockets", argc, argv);
  client.slots = (slot_t *)calloc(client.peer.in_flight, sizeof(slot_t));
  client.unsent = (uint64_t *)calloc(client.peer.in_flight, sizeof(uint64_t));
  PEER_CHECK(client.slots && client.unsent);
  lws_set_log_level(LLL_ERR, NULL);
  memset(&info, 0, sizeof(info));
  info.port = CONTEXT_PORT_NO_LISTEN;
  info.protocols = protocols;
  info.user = &client;
  struct lws_context *context = lws_create_context(&info);
  PEER_CHECK(context);
  memset(&connect, 0, sizeof(connect));
  connect.context = context;
  connect.address = connect.host = "127.0.0.1";
  connect.port = client.peer.port;
  connect.path = "/";
  connect.local_protocol_name = protocols[0].name;
  PEER_CHECK(lws_client_connect_via_info(&connect));
  while (!client.done)
    PEER_CHECK(lws_service(context, 0) >= 0);
  lws_context_destroy(context);
  free(client.slots);
  free(client.unsent);
  return 0;
}
