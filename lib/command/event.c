/* One event as a line: NAME PARAMS, or an object with --json. */
#include "client.h"

#include <string.h>

#include <jansson.h>
#include <uvow/subscription.h>

static void print_object(const client_t *client, const char *name,
                         uvow_slice_t got, uint64_t missed) {
  json_t *text = name ? json_string(name) : NULL;
  fprintf(stdout, "{\"ms\":%.3f", client_ms(client));
  if (text) {
    fputs(",\"event\":", stdout);
    json_dumpf(text, stdout, JSON_ENCODE_ANY);
    json_decref(text);
  }
  if (missed == UVOW_MISSED_UNKNOWN)
    fputs(",\"missed\":\"unknown\"", stdout);
  else if (missed)
    fprintf(stdout, ",\"missed\":%llu", (unsigned long long)missed);
  fputs(",\"params\":", stdout);
  if (got.len)
    screen_json(&client->out, got.bytes, got.len);
  else
    fputs("null", stdout);
  fputs("}\n", stdout);
}

static void say_missed(uint64_t missed) {
  if (missed == UVOW_MISSED_UNKNOWN)
    fputs("uvow: the connection was lost: some may be missing here\n", stderr);
  else if (missed)
    fprintf(stderr, "uvow: %llu are missing here\n",
            (unsigned long long)missed);
}

void event_print(const client_t *client, const uvow_result_t *event,
                 const char *name) {
  uvow_slice_t got = uvow_result_bytes(event);
  if (!name)
    name = uvow_result_event(event);
  if (client->args->json) {
    print_object(client, name, got, uvow_result_missed(event));
    fflush(stdout);
    return;
  }
  say_missed(uvow_result_missed(event));
  if (name) {
    screen_ink(&client->out, INK_CYAN);
    screen_peer_text(&client->out, name);
    screen_ink(&client->out, INK_NONE);
    fputc(' ', stdout);
  }
  if (got.len)
    screen_json(&client->out, got.bytes, got.len);
  else
    fputs("null", stdout);
  fputc('\n', stdout);
  fflush(stdout);
}
