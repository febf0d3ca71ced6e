/*
 * JSON-RPC 2.0 (https://www.jsonrpc.org/specification).
 *
 * -> {"jsonrpc":"2.0","id":1,"method":"m","params":[]}
 * <- {"jsonrpc":"2.0","id":1,"result":1}
 * <- {"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}
 * !  {"jsonrpc":"2.0","method":"m","params":{}}
 *
 * A call may have a member "traceparent" (W3C Trace Context), as
 * StreamJsonRpc has it.
 *
 * 1. An answer has a result or an error. Both are accepted where one of them is
 *    null, as some servers send it; an error that is no object, never.
 * 2. An answer that isn't one (two outcomes, no version) keeps its id, so that
 *    the future can be rejected at once. A call that can't be read is told from
 *    that by its method or params, so that it can be refused with its own id:
 *    it must not be taken for ours. What may be either is said to be
 * (`refuses`).
 * 3. Params that are null are taken: many libraries send them so.
 *
 * An array is a batch (section 6): see dialect.c. $/cancelRequest and $/progress
 * are the Language Server Protocol's, and its followers': a partial answer to
 * the call whose params asked for it with a token.
 */
#include "jsonrpc2.h"

enum {
  VERSION = UVOW__JSONRPC2_VERSION,
  ID = UVOW__JSONRPC2_ID,
  METHOD,
  PARAMS,
  RESULT = UVOW__JSONRPC2_RESULT,
  ERROR = UVOW__JSONRPC2_ERROR,
  TRACEPARENT,
  CODE,
  MESSAGE = UVOW__JSONRPC2_MESSAGE,
  DATA
};

static const uvow__key_t error_keys[] = {
    UVOW__KEY("code", CODE, NULL),
    UVOW__KEY("message", MESSAGE, NULL),
    UVOW__KEY("data", DATA, NULL),
};
static const uvow__level_t error_level = UVOW__OBJECT(error_keys);

static const uvow__key_t keys[] = {
    UVOW__KEY("jsonrpc", VERSION, NULL),
    UVOW__KEY("id", ID, NULL),
    UVOW__KEY("result", RESULT, NULL),
    UVOW__KEY("method", METHOD, NULL),
    UVOW__KEY("params", PARAMS, NULL),
    UVOW__KEY("error", ERROR, &error_level),
    UVOW__KEY("traceparent", TRACEPARENT, NULL),
};
const uvow__level_t uvow__jsonrpc2_root = UVOW__OBJECT(keys);

#define STRUCTURED (UVOW__KIND(OBJECT) | UVOW__KIND(ARRAY))
#define PEER_ID (UVOW__KIND(NUMBER) | UVOW__KIND(STRING) | UVOW__KIND(NULL))
#define STRING_ONLY UVOW__ONLY(UVOW__KIND(STRING))
#define PARAMS_KINDS                                                           \
  UVOW__ONLY(STRUCTURED | UVOW__KIND(NULL) | UVOW__KIND(ABSENT))
#define PRESENT UVOW__ONLY(UVOW__KINDS_ANY)

static const uvow__test_t is_2_0[] = {UVOW__TEST(VERSION, "\"2.0\"")};

const uvow__rule_t uvow__jsonrpc2_rules[] = {
    {.denied = {[RESULT] = UVOW__ONLY(UVOW__KINDS_ANY),
                [ID] = UVOW__ONLY(UVOW__KINDS_ANY),
                [ERROR] = UVOW__ONLY(UVOW__KINDS_NO_VALUE),
                [METHOD] = UVOW__NOT,
                [VERSION] = STRING_ONLY},
     UVOW__TESTS(is_2_0),
     .kind = UVOW__MSG_OK,
     .id = ID,
     .value = RESULT},
    {.denied = {[ERROR] = UVOW__ONLY(UVOW__KIND(OBJECT)),
                [RESULT] = UVOW__ONLY(UVOW__KINDS_NO_VALUE),
                [METHOD] = UVOW__NOT,
                [VERSION] = STRING_ONLY},
     UVOW__TESTS(is_2_0),
     .kind = UVOW__MSG_ERROR,
     .id = ID,
     .error_code = CODE,
     .error_message = MESSAGE,
     .error_data = DATA,
     .error_whole = ERROR},
    {.denied = {[METHOD] = UVOW__ONLY(UVOW__KIND(STRING)),
                [PARAMS] = PARAMS_KINDS,
                [ID] = UVOW__NOT,
                [RESULT] = UVOW__NOT,
                [ERROR] = UVOW__NOT,
                [VERSION] = STRING_ONLY},
     UVOW__TESTS(is_2_0),
     .kind = UVOW__MSG_EVENT,
     .name = METHOD,
     .value = PARAMS,
     .traceparent = TRACEPARENT},
    {.denied = {[METHOD] = UVOW__ONLY(UVOW__KIND(STRING)),
                [PARAMS] = PARAMS_KINDS,
                [ID] = UVOW__ONLY(PEER_ID),
                [RESULT] = UVOW__NOT,
                [ERROR] = UVOW__NOT,
                [VERSION] = STRING_ONLY},
     UVOW__TESTS(is_2_0),
     .kind = UVOW__MSG_CALL,
     .id = ID,
     .name = METHOD,
     .value = PARAMS,
     .traceparent = TRACEPARENT},
    {.denied = {[RESULT] = PRESENT, [METHOD] = UVOW__NOT},
     .kind = UVOW__MSG_MALFORMED,
     .id = ID},
    {.denied = {[ERROR] = PRESENT, [METHOD] = UVOW__NOT},
     .kind = UVOW__MSG_MALFORMED,
     .id = ID},
    {.denied = {[RESULT] = PRESENT, [ID] = UVOW__ONLY(PEER_ID)},
     .kind = UVOW__MSG_MALFORMED,
     .id = ID,
     .refuses = 1},
    {.denied = {[ERROR] = PRESENT, [ID] = UVOW__ONLY(PEER_ID)},
     .kind = UVOW__MSG_MALFORMED,
     .id = ID,
     .refuses = 1},
    {.denied = {[METHOD] = PRESENT, [ID] = UVOW__ONLY(PEER_ID)},
     .kind = UVOW__MSG_BAD_CALL,
     .id = ID},
    {.denied = {[PARAMS] = PRESENT, [ID] = UVOW__ONLY(PEER_ID)},
     .kind = UVOW__MSG_BAD_CALL,
     .id = ID},
    {.denied = {[METHOD] = PRESENT}, .kind = UVOW__MSG_BAD_CALL},
    {.denied = {[ID] = UVOW__ONLY(PEER_ID)},
     .kind = UVOW__MSG_MALFORMED,
     .id = ID,
     .refuses = 1},
};

const uvow__piece_t uvow__jsonrpc2_call[] = {
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER), "{\"jsonrpc\":\"2.0\",\"id\":"),
    UVOW__PUT(METHOD, FAILS, 0, ",\"method\":"),
    UVOW__PUT(PARAMS, OMITS, STRUCTURED, ",\"params\":"),
    UVOW__PUT(TRACEPARENT, OMITS, 0, ",\"traceparent\":"),
    UVOW__TEXT("}"),
};
const uvow__piece_t uvow__jsonrpc2_notify[] = {
    UVOW__PUT(METHOD, FAILS, 0, "{\"jsonrpc\":\"2.0\",\"method\":"),
    UVOW__PUT(PARAMS, OMITS, STRUCTURED, ",\"params\":"),
    UVOW__TEXT("}"),
};
const uvow__piece_t uvow__jsonrpc2_reply[] = {
    UVOW__PUT(ID, FAILS, PEER_ID, "{\"jsonrpc\":\"2.0\",\"id\":"),
    UVOW__PUT(PARAMS, NULL, UVOW__KINDS_ANY, ",\"result\":"),
    UVOW__TEXT("}"),
};
const uvow__piece_t uvow__jsonrpc2_reply_error[] = {
    UVOW__PUT(ID, NULL, PEER_ID, "{\"jsonrpc\":\"2.0\",\"id\":"),
    UVOW__PUT(ERROR_CODE, FAILS, 0, ",\"error\":{\"code\":"),
    UVOW__PUT(ERROR_MESSAGE, FAILS, 0, ",\"message\":"),
    UVOW__PUT(ERROR_DATA, OMITS, UVOW__KINDS_ANY, ",\"data\":"),
    UVOW__TEXT("}}"),
};
/* As the Language Server Protocol has it, and its followers. */
const uvow__piece_t uvow__jsonrpc2_cancel[] = {
    UVOW__TEXT("{\"jsonrpc\":\"2.0\","),
    UVOW__TEXT("\"method\":\"$/cancelRequest\","),
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER), "\"params\":{\"id\":"),
    UVOW__TEXT("}}"),
};

const uvow__piece_t uvow__jsonrpc2_partial[] = {
    UVOW__TEXT("{\"jsonrpc\":\"2.0\","),
    UVOW__TEXT("\"method\":\"$/progress\","),
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER) | UVOW__KIND(STRING),
              "\"params\":{\"token\":"),
    UVOW__PUT(PARAMS, NULL, UVOW__KINDS_ANY, ",\"value\":"),
    UVOW__TEXT("}}"),
};

static const uvow__key_t cancel_keys[] = {
    UVOW__KEY("id", UVOW__CAPTURE_FIRST, NULL)};
static const uvow__level_t cancel_id = UVOW__OBJECT(cancel_keys);
static const uvow__key_t token_keys[] = {
    UVOW__KEY("token", UVOW__CAPTURE_FIRST, NULL)};
static const uvow__level_t progress_token = UVOW__OBJECT(token_keys);
static const uvow__key_t value_keys[] = {
    UVOW__KEY("value", UVOW__CAPTURE_FIRST, NULL)};
static const uvow__level_t progress_value = UVOW__OBJECT(value_keys);
const uvow__notes_t uvow__jsonrpc2_notes = {
    "$/cancelRequest",    &cancel_id,      "$/progress",
    &progress_token,      &progress_value, uvow__jsonrpc2_partial,
    "/partialResultToken"};

const uvow_protocol_t uvow__protocol_jsonrpc2 = {
    .name = "jsonrpc2",
    .root = &uvow__jsonrpc2_root,
    .rules = uvow__jsonrpc2_rules,
    .rule_count = UVOW__COUNT(uvow__jsonrpc2_rules),
    .batches = 1,
    .templates =
        {
            [UVOW__OP_CALL] = UVOW__TEMPLATE_READS(uvow__jsonrpc2_call, CALL),
            [UVOW__OP_NOTIFY] = UVOW__TEMPLATE(uvow__jsonrpc2_notify),
            [UVOW__OP_REPLY] = UVOW__TEMPLATE_READS(uvow__jsonrpc2_reply, OK),
            [UVOW__OP_REPLY_ERROR] = UVOW__TEMPLATE(uvow__jsonrpc2_reply_error),
            [UVOW__OP_EVENT] =
                UVOW__TEMPLATE_READS(uvow__jsonrpc2_notify, EVENT),
            [UVOW__OP_CANCEL] = UVOW__TEMPLATE(uvow__jsonrpc2_cancel),
            [UVOW__OP_PARTIAL] = UVOW__TEMPLATE(uvow__jsonrpc2_partial),
        },
    .notes = &uvow__jsonrpc2_notes,
};
