/*
 * The Chrome DevTools Protocol (https://chromedevtools.github.io).
 *
 * -> {"id":1,"method":"Page.enable","params":{},"sessionId":"S"}
 * <- {"id":1,"result":{},"sessionId":"S"}
 * <- {"id":1,"error":{"code":-32601,"message":"no"},"sessionId":"S"}
 * !  {"method":"Page.loadEventFired","params":{},"sessionId":"S"}
 *
 * As JSON-RPC without its version, with sessions; see jsonrpc2.c for what is
 * done about bad answers.
 */
#include "protocol.h"

enum {
  ID = UVOW__CAPTURE_FIRST,
  METHOD,
  PARAMS,
  SESSION,
  RESULT,
  ERROR,
  CODE,
  MESSAGE,
  DATA
};

static const uvow__key_t error_keys[] = {
    UVOW__KEY("code", CODE, NULL),
    UVOW__KEY("message", MESSAGE, NULL),
    UVOW__KEY("data", DATA, NULL),
};
static const uvow__level_t error_level = UVOW__OBJECT(error_keys);

static const uvow__key_t keys[] = {
    UVOW__KEY("id", ID, NULL),
    UVOW__KEY("result", RESULT, NULL),
    UVOW__KEY("sessionId", SESSION, NULL),
    UVOW__KEY("method", METHOD, NULL),
    UVOW__KEY("params", PARAMS, NULL),
    UVOW__KEY("error", ERROR, &error_level),
};
static const uvow__level_t root = UVOW__OBJECT(keys);

#define PEER_ID (UVOW__KIND(NUMBER) | UVOW__KIND(STRING))
#define PRESENT UVOW__ONLY(UVOW__KINDS_ANY)
#define PARAMS_KINDS                                                           \
  UVOW__ONLY(UVOW__KIND(OBJECT) | UVOW__KIND(NULL) | UVOW__KIND(ABSENT))
#define SESSION_KIND UVOW__ONLY(UVOW__KIND(STRING) | UVOW__KIND(ABSENT))

static const uvow__rule_t rules[] = {
    {.denied = {[RESULT] = UVOW__ONLY(UVOW__KINDS_ANY),
                [ID] = UVOW__ONLY(UVOW__KINDS_ANY),
                [ERROR] = UVOW__ONLY(UVOW__KINDS_NO_VALUE),
                [METHOD] = UVOW__NOT,
                [SESSION] = SESSION_KIND},
     .kind = UVOW__MSG_OK,
     .id = ID,
     .value = RESULT,
     .session = SESSION},
    /* Without an id: Chrome's answer to what it couldn't read. */
    {.denied = {[ERROR] = UVOW__ONLY(UVOW__KIND(OBJECT)),
                [RESULT] = UVOW__ONLY(UVOW__KINDS_NO_VALUE),
                [METHOD] = UVOW__NOT,
                [SESSION] = SESSION_KIND},
     .kind = UVOW__MSG_ERROR,
     .id = ID,
     .error_code = CODE,
     .error_message = MESSAGE,
     .error_data = DATA,
     .error_whole = ERROR,
     .session = SESSION},
    {.denied = {[METHOD] = UVOW__ONLY(UVOW__KIND(STRING)),
                [PARAMS] = PARAMS_KINDS,
                [ID] = UVOW__NOT,
                [RESULT] = UVOW__NOT,
                [ERROR] = UVOW__NOT,
                [SESSION] = SESSION_KIND},
     .kind = UVOW__MSG_EVENT,
     .name = METHOD,
     .value = PARAMS,
     .session = SESSION},
    {.denied = {[METHOD] = UVOW__ONLY(UVOW__KIND(STRING)),
                [PARAMS] = PARAMS_KINDS,
                [ID] = UVOW__ONLY(PEER_ID),
                [RESULT] = UVOW__NOT,
                [ERROR] = UVOW__NOT,
                [SESSION] = SESSION_KIND},
     .kind = UVOW__MSG_CALL,
     .id = ID,
     .name = METHOD,
     .value = PARAMS,
     .session = SESSION},
    {.denied = {[METHOD] = PRESENT, [ID] = UVOW__ONLY(PEER_ID)},
     .kind = UVOW__MSG_BAD_CALL,
     .id = ID},
    {.denied = {[METHOD] = PRESENT}, .kind = UVOW__MSG_BAD_CALL},
    {.denied = {[RESULT] = PRESENT}, .kind = UVOW__MSG_MALFORMED, .id = ID},
    {.denied = {[ERROR] = PRESENT}, .kind = UVOW__MSG_MALFORMED, .id = ID},
    {.denied = {[PARAMS] = PRESENT, [ID] = UVOW__ONLY(PEER_ID)},
     .kind = UVOW__MSG_BAD_CALL,
     .id = ID},
    {.denied = {[ID] = PRESENT},
     .kind = UVOW__MSG_MALFORMED,
     .id = ID,
     .refuses = 1},
};

#define PUT_SESSION UVOW__PUT(SESSION, OMITS, 0, ",\"sessionId\":")

static const uvow__piece_t call[] = {
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER), "{\"id\":"),
    UVOW__PUT(METHOD, FAILS, 0, ",\"method\":"),
    UVOW__PUT(PARAMS, OMITS, UVOW__KIND(OBJECT), ",\"params\":"),
    PUT_SESSION,
    UVOW__TEXT("}"),
};
static const uvow__piece_t reply[] = {
    UVOW__PUT(ID, FAILS, PEER_ID, "{\"id\":"),
    UVOW__PUT(PARAMS, NULL, UVOW__KINDS_ANY, ",\"result\":"),
    PUT_SESSION,
    UVOW__TEXT("}"),
};
static const uvow__piece_t reply_error[] = {
    UVOW__PUT(ID, NULL, PEER_ID, "{\"id\":"),
    UVOW__PUT(ERROR_CODE, FAILS, 0, ",\"error\":{\"code\":"),
    UVOW__PUT(ERROR_MESSAGE, FAILS, 0, ",\"message\":"),
    UVOW__PUT(ERROR_DATA, OMITS, UVOW__KINDS_ANY, ",\"data\":"),
    UVOW__TEXT("}"),
    PUT_SESSION,
    UVOW__TEXT("}"),
};
static const uvow__piece_t event[] = {
    UVOW__PUT(METHOD, FAILS, 0, "{\"method\":"),
    UVOW__PUT(PARAMS, OMITS, UVOW__KIND(OBJECT), ",\"params\":"),
    PUT_SESSION,
    UVOW__TEXT("}"),
};

/* No NOTIFY: DevTools answers whatever it is sent. */
const uvow_protocol_t uvow__protocol_cdp = {
    .name = "cdp",
    .root = &root,
    .rules = rules,
    .rule_count = UVOW__COUNT(rules),
    .has_session = 1,
    .session_end = "Target.detachedFromTarget",
    .templates =
        {
            [UVOW__OP_CALL] = UVOW__TEMPLATE_READS(call, CALL),
            [UVOW__OP_REPLY] = UVOW__TEMPLATE_READS(reply, OK),
            [UVOW__OP_REPLY_ERROR] = UVOW__TEMPLATE(reply_error),
            [UVOW__OP_EVENT] = UVOW__TEMPLATE_READS(event, EVENT),
        },
};
