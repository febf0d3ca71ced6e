/*
 * The Language Server Protocol, client's side
 * (https://microsoft.github.io/language-server-protocol/).
 *
 * JSON-RPC 2.0 that begins with initialize, whose params are the variable
 * "initialize", and the notification initialized. Cancels as jsonrpc2 does.
 */
#include "jsonrpc2.h"

static const uvow__piece_t initialize[] = {
    UVOW__TEXT("{\"jsonrpc\":\"2.0\","),
    UVOW__TEXT("\"id\":\"uvow-initialize\","),
    UVOW__TEXT("\"method\":\"initialize\","),
    UVOW__PUT_VARIABLE("initialize", FAILS, "\"params\":"),
    UVOW__TEXT("}"),
};
static const uvow__piece_t initialized[] = {
    UVOW__TEXT("{\"jsonrpc\":\"2.0\",\"method\":"),
    UVOW__TEXT("\"initialized\",\"params\":{}}"),
};

static const uvow__test_t is_it[] = {
    UVOW__TEST(UVOW__JSONRPC2_ID, "\"uvow-initialize\"")};

#define STRING_ONLY UVOW__ONLY(UVOW__KIND(STRING))

static const uvow__step_t steps[] = {
    {.send = UVOW__TEMPLATE(initialize)},
    {.expect = {.denied = {[UVOW__JSONRPC2_ID] = STRING_ONLY,
                           [UVOW__JSONRPC2_RESULT] =
                               UVOW__ONLY(UVOW__KINDS_ANY)},
                UVOW__TESTS(is_it)},
     .refusal = {.denied = {[UVOW__JSONRPC2_ID] = STRING_ONLY,
                            [UVOW__JSONRPC2_ERROR] =
                                UVOW__ONLY(UVOW__KINDS_ANY)},
                 UVOW__TESTS(is_it),
                 .kind = UVOW__MSG_ERROR,
                 .error_message = UVOW__JSONRPC2_MESSAGE}},
    {.send = UVOW__TEMPLATE(initialized)},
};

const uvow_protocol_t uvow__protocol_lsp = {
    .name = "lsp",
    .root = &uvow__jsonrpc2_root,
    .rules = uvow__jsonrpc2_rules,
    .rule_count = UVOW__JSONRPC2_RULES,
    .steps = steps,
    .step_count = UVOW__COUNT(steps),
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
