#ifndef UVOW__PROTOCOL_JSONRPC2_H
#define UVOW__PROTOCOL_JSONRPC2_H

#include "opening.h"

/* What those share that are JSON-RPC 2.0 with an opening step. */

enum {
  UVOW__JSONRPC2_VERSION = UVOW__CAPTURE_FIRST,
  UVOW__JSONRPC2_ID,
  UVOW__JSONRPC2_RESULT = UVOW__CAPTURE_FIRST + 4,
  UVOW__JSONRPC2_ERROR,
  UVOW__JSONRPC2_MESSAGE = UVOW__CAPTURE_FIRST + 8
};

#define UVOW__JSONRPC2_RULES 12

extern const uvow__level_t uvow__jsonrpc2_root;
extern const uvow__rule_t uvow__jsonrpc2_rules[UVOW__JSONRPC2_RULES];
extern const uvow__piece_t uvow__jsonrpc2_call[5];
extern const uvow__piece_t uvow__jsonrpc2_notify[3];
extern const uvow__piece_t uvow__jsonrpc2_reply[3];
extern const uvow__piece_t uvow__jsonrpc2_reply_error[5];
extern const uvow__piece_t uvow__jsonrpc2_cancel[4];
extern const uvow__piece_t uvow__jsonrpc2_partial[5];
extern const uvow__notes_t uvow__jsonrpc2_notes;

#endif
