#ifndef UVOW_TEST_WS_END_H
#define UVOW_TEST_WS_END_H

#include "script.h"

#include "websocket/websocket.h"

/* The public WebSocket on a script: a client's, whose server the test plays. */

/* Connects to ws://h/p?q. Options may be NULL. */
uvow_websocket_t *ws_connect(script_t *s,
                             const uvow_websocket_options_t *options);
/* The same, opened: nothing of the handshake is in `sent`. */
uvow_websocket_t *ws_open(script_t *s, const uvow_websocket_options_t *options);
/* Logs how f settles: script_done with a mark. Takes f. */
#define WS_WATCH(s, name, f)                                                   \
  script_mark_t name = script_mark((s), #name);                                \
  script_watch((f), &name)
/* Logs what comes, each "text" or "binary:text", and the end: "end", or
 * "end!ELOST". Takes the stream, reads it to its end. */
void ws_log_all(script_t *s, uvow_stream_t *messages);
/* The same for the next one only. Borrows. */
void ws_log_next(script_t *s, uvow_stream_t *messages);
/* A binary value. */
uvow_value_t ws_binary(script_t *s, const char *text);

#endif
