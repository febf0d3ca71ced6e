/*
 * WAMP 2: caller, callee, publisher and subscriber, as JSON
 * (https://wamp-proto.org/wamp_latest_ietf.html).
 *
 * -> [1,realm,{}]  <- [2,session,{}], or ABORT [3,{},reason]
 *    meanwhile <- CHALLENGE [4,"ticket",{}]  -> [5,ticket,{}]
 *    or <- [4,"wampcra",{"challenge":"C"}]  -> [5,signature,{}]
 * -> [48,1,{},"procedure",args,kwargs]
 * <- [50,1,{},args,kwargs], a partial answer if its details say "progress"
 * <- [8,48,1,{},"error.uri",args]
 * -> [32,1,{},"topic"]  <- [33,1,subscription]
 * -> [64,1,{},"procedure"]  <- [65,1,registration]
 * <- [68,1,registration,{},args,kwargs]  -> [70,1,{},[value]]
 *    or [8,68,1,{},"wamp.error.runtime_error",["why"]]; <- [69,1,{}]
 * !  [36,subscription,publication,{},args,kwargs]
 *
 * 1. Params are args if they're an array, kwargs if they're an object; both, and
 *    kwargs of what comes, are wamp2_calls.c's, as WAMP's own messages (REGISTER,
 *    ...) and the names of what is invoked are.
 * 2. Events don't say their topic, so all are named "event", and their value is
 *    the whole message: its second element is the subscription.
 */
#include "opening.h"
#include "wamp2_calls.h"

enum {
  ITEM_0 = UVOW__CAPTURE_FIRST,
  PROGRESS,
  ITEM_1,
  ITEM_3,
  ITEM_2,
  ITEM_4,
  ITEM_5,
  REASON,
  CHALLENGE,
  SALT,
  ITERATIONS,
  KEYLEN,
};

static const uvow__key_t item_2_keys[] = {
    UVOW__KEY("progress", PROGRESS, NULL),
    UVOW__KEY("challenge", CHALLENGE, NULL),
    UVOW__KEY("salt", SALT, NULL),
    UVOW__KEY("iterations", ITERATIONS, NULL),
    UVOW__KEY("keylen", KEYLEN, NULL),
};
static const uvow__level_t item_2_level = UVOW__OBJECT(item_2_keys);

static const uvow__key_t item_5_items[] = {UVOW__ITEM(REASON, NULL)};
static const uvow__level_t item_5_level = UVOW__ARRAY(item_5_items);

static const uvow__key_t root_items[] = {
    UVOW__ITEM(ITEM_0, NULL),          UVOW__ITEM(ITEM_1, NULL),
    UVOW__ITEM(ITEM_2, &item_2_level), UVOW__ITEM(ITEM_3, NULL),
    UVOW__ITEM(ITEM_4, NULL),          UVOW__ITEM(ITEM_5, &item_5_level),
};
static const uvow__level_t root = UVOW__ARRAY(root_items);

#define PRESENT UVOW__ONLY(UVOW__KINDS_ANY)
#define PEER_ID (UVOW__KIND(NUMBER) | UVOW__KIND(STRING))

static const uvow__test_t is_0[] = {UVOW__TEST(ITEM_0, "50")};
static const uvow__test_t is_1[] = {UVOW__TEST(ITEM_0, "50")};
static const uvow__test_t is_2[] = {UVOW__TEST(ITEM_0, "8")};
static const uvow__test_t is_3[] = {UVOW__TEST(ITEM_0, "33")};
static const uvow__test_t is_registered[] = {UVOW__TEST(ITEM_0, "65")};
static const uvow__test_t is_published[] = {UVOW__TEST(ITEM_0, "17")};
static const uvow__test_t is_unregistered[] = {UVOW__TEST(ITEM_0, "67")};
static const uvow__test_t is_unsubscribed[] = {UVOW__TEST(ITEM_0, "35")};
static const uvow__test_t is_invocation[] = {UVOW__TEST(ITEM_0, "68")};
static const uvow__test_t is_interrupt[] = {UVOW__TEST(ITEM_0, "69")};
static const uvow__test_t is_4[] = {UVOW__TEST(ITEM_0, "36")};
static const uvow__test_t is_5[] = {UVOW__TEST(ITEM_0, "6")};
static const uvow__rule_t rules[] = {
    {
        .denied = {[ITEM_0] = UVOW__ONLY(UVOW__KIND(NUMBER)),
                   [PROGRESS] = UVOW__ONLY(UVOW__KIND(TRUE)),
                   [ITEM_1] = PRESENT},
        UVOW__TESTS(is_0),
        .kind = UVOW__MSG_PARTIAL,
        .id = ITEM_1,
        .value = ITEM_3,
    },
    {
        .denied =
            {[ITEM_0] = UVOW__ONLY(UVOW__KIND(NUMBER)), [ITEM_1] = PRESENT},
        UVOW__TESTS(is_1),
        .kind = UVOW__MSG_OK,
        .id = ITEM_1,
        .value = ITEM_3,
    },
    {
        .denied = {[ITEM_0] = UVOW__ONLY(UVOW__KIND(NUMBER))},
        UVOW__TESTS(is_2),
        .kind = UVOW__MSG_ERROR,
        .id = ITEM_2,
        .error_code = ITEM_4,
        .error_message = REASON,
        .error_data = ITEM_5,
    },
    {
        .denied =
            {[ITEM_0] = UVOW__ONLY(UVOW__KIND(NUMBER)), [ITEM_1] = PRESENT},
        UVOW__TESTS(is_3),
        .kind = UVOW__MSG_OK,
        .id = ITEM_1,
        .value = ITEM_2,
    },
    {
        .denied =
            {[ITEM_0] = UVOW__ONLY(UVOW__KIND(NUMBER)), [ITEM_1] = PRESENT},
        UVOW__TESTS(is_registered),
        .kind = UVOW__MSG_OK,
        .id = ITEM_1,
        .value = ITEM_2,
    },
    {
        .denied =
            {[ITEM_0] = UVOW__ONLY(UVOW__KIND(NUMBER)), [ITEM_1] = PRESENT},
        UVOW__TESTS(is_published),
        .kind = UVOW__MSG_OK,
        .id = ITEM_1,
        .value = ITEM_2,
    },
    {
        .denied =
            {[ITEM_0] = UVOW__ONLY(UVOW__KIND(NUMBER)), [ITEM_1] = PRESENT},
        UVOW__TESTS(is_unregistered),
        .kind = UVOW__MSG_OK,
        .id = ITEM_1,
    },
    {
        .denied =
            {[ITEM_0] = UVOW__ONLY(UVOW__KIND(NUMBER)), [ITEM_1] = PRESENT},
        UVOW__TESTS(is_unsubscribed),
        .kind = UVOW__MSG_OK,
        .id = ITEM_1,
    },
    {
        .denied = {[ITEM_0] = UVOW__ONLY(UVOW__KIND(NUMBER)),
                   [ITEM_1] = UVOW__ONLY(PEER_ID)},
        UVOW__TESTS(is_invocation),
        .kind = UVOW__MSG_CALL,
        .id = ITEM_1,
        .named = {"\"invocation\"", 12},
        .value = UVOW__CAPTURE_ALL,
    },
    {
        .denied = {[ITEM_0] = UVOW__ONLY(UVOW__KIND(NUMBER)),
                   [ITEM_1] = UVOW__ONLY(PEER_ID)},
        UVOW__TESTS(is_interrupt),
        .kind = UVOW__MSG_CANCEL,
        .id = ITEM_1,
    },
    {
        .denied = {[ITEM_0] = UVOW__ONLY(UVOW__KIND(NUMBER))},
        UVOW__TESTS(is_4),
        .kind = UVOW__MSG_EVENT,
        .value = UVOW__CAPTURE_ALL,
        .named = {"\"event\"", 7},
    },
    {
        .denied = {[ITEM_0] = UVOW__ONLY(UVOW__KIND(NUMBER))},
        UVOW__TESTS(is_5),
        .kind = UVOW__MSG_EVENT,
        .value = UVOW__CAPTURE_ALL,
        .named = {"\"goodbye\"", 9},
    },
};

static const uvow__piece_t call[] = {
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER) | UVOW__KIND(STRING), "[48,"),
    UVOW__PUT(METHOD, FAILS, UVOW__KINDS_ANY, ",{\"receive_progress\":true},"),
    UVOW__PUT(ARGS, NULL, UVOW__KINDS_ANY, ","),
    UVOW__PUT(KWARGS, OMITS, UVOW__KINDS_ANY, ","),
    UVOW__TEXT("]"),
};
static const uvow__piece_t cancel[] = {
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER) | UVOW__KIND(STRING), "[49,"),
    UVOW__TEXT(",{"),
    UVOW__PUT_VARIABLE("cancel_mode", OMITS, "\"mode\":"),
    UVOW__TEXT("}]"),
};
static const uvow__piece_t subscribe[] = {
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER) | UVOW__KIND(STRING), "[32,"),
    UVOW__PUT(METHOD, FAILS, UVOW__KINDS_ANY, ",{},"),
    UVOW__TEXT("]"),
};
static const uvow__piece_t reply[] = {
    UVOW__PUT(ID, FAILS, PEER_ID, "[70,"),
    UVOW__PUT(PARAMS, NULL, UVOW__KINDS_ANY, ",{},["),
    UVOW__TEXT("]]"),
};
static const uvow__piece_t partial[] = {
    UVOW__PUT(ID, FAILS, PEER_ID, "[70,"),
    UVOW__PUT(PARAMS, NULL, UVOW__KINDS_ANY, ",{\"progress\":true},["),
    UVOW__TEXT("]]"),
};
static const uvow__piece_t reply_error[] = {
    UVOW__PUT(ID, NULL, PEER_ID | UVOW__KIND(NULL), "[8,68,"),
    UVOW__TEXT(",{},\"wamp.error.runtime_error\""),
    UVOW__PUT(ERROR_MESSAGE, FAILS, 0, ",["),
    UVOW__TEXT("]]"),
};
static const uvow__piece_t step_0[] = {
    UVOW__PUT_VARIABLE("realm", FAILS, "[1,"),
    UVOW__TEXT(",{\"roles\":{\"caller\":{\"features\":"),
    UVOW__TEXT("{\"progressive_call_results\":true"),
    UVOW__TEXT(",\"call_canceling\":true}},\"callee"),
    UVOW__TEXT("\":{\"features\":"),
    UVOW__TEXT("{\"progressive_call_results\":true"),
    UVOW__TEXT(",\"call_canceling\":true}},\"publis"),
    UVOW__TEXT("her\":{},\"subscriber\":{}}"),
    UVOW__PUT_VARIABLE("authmethods", OMITS, ",\"authmethods\":"),
    UVOW__PUT_VARIABLE("authid", OMITS, ",\"authid\":"),
    UVOW__TEXT("}]"),
};
static const uvow__test_t expects_1[] = {UVOW__TEST(ITEM_0, "2")};
static const uvow__test_t refuses_1[] = {UVOW__TEST(ITEM_0, "3")};

/* What the router asks before it answers. */
static const uvow__piece_t ticket[] = {
    UVOW__PUT_VARIABLE("ticket", FAILS, "[5,"),
    UVOW__TEXT(",{}]"),
};
static const uvow__piece_t signature[] = {
    UVOW__PUT_VARIABLE("signature", FAILS, "[5,"),
    UVOW__TEXT(",{}]"),
};
static const uvow__test_t asks_ticket[] = {UVOW__TEST(ITEM_0, "4"),
                                           UVOW__TEST(ITEM_1, "\"ticket\"")};
static const uvow__test_t asks_wampcra[] = {UVOW__TEST(ITEM_0, "4"),
                                            UVOW__TEST(ITEM_1, "\"wampcra\"")};
#define ASKS(list, asked)                                                      \
  .expect = {.denied = {[ITEM_0] = UVOW__ONLY(UVOW__KIND(NUMBER)),             \
                        [ITEM_1] = UVOW__ONLY(UVOW__KIND(STRING)),             \
                        [asked] = UVOW__KIND(ABSENT)},                         \
             UVOW__TESTS(list)}
static const uvow__step_t challenges[] = {
    {ASKS(asks_ticket, ITEM_2), .send = UVOW__TEMPLATE(ticket)},
    {ASKS(asks_wampcra, CHALLENGE),
     .picks = {{"challenge", CHALLENGE},
               {"salt", SALT},
               {"iterations", ITERATIONS},
               {"keylen", KEYLEN}},
     .pick_count = 4, .makes = UVOW__MAKES_WAMPCRA,
     .send = UVOW__TEMPLATE(signature)},
};

static const uvow__step_t steps[] = {
    {.send = UVOW__TEMPLATE(step_0)},
    {.expect = {.denied = {[ITEM_0] = UVOW__ONLY(UVOW__KIND(NUMBER))},
                UVOW__TESTS(expects_1)},
     .refusal = {.denied = {[ITEM_0] = UVOW__ONLY(UVOW__KIND(NUMBER))},
                 UVOW__TESTS(refuses_1),
                 .kind = UVOW__MSG_ERROR,
                 .error_message = ITEM_2},
     .meanwhile = challenges,
     .meanwhile_count = UVOW__COUNT(challenges)},
};

const uvow_protocol_t uvow__protocol_wamp2 = {
    .native = &uvow__wamp2_calls,
    .name = "wamp2",
    .subprotocol = "wamp.2.json",
    .root = &root,
    .rules = rules,
    .rule_count = UVOW__COUNT(rules),
    .steps = steps,
    .step_count = UVOW__COUNT(steps),
    .templates =
        {
            [UVOW__OP_CALL] = UVOW__TEMPLATE(call),
            [UVOW__OP_CANCEL] = UVOW__TEMPLATE(cancel),
            [UVOW__OP_SUBSCRIBE] = UVOW__TEMPLATE(subscribe),
            [UVOW__OP_REPLY] = UVOW__TEMPLATE(reply),
            [UVOW__OP_PARTIAL] = UVOW__TEMPLATE(partial),
            [UVOW__OP_REPLY_ERROR] = UVOW__TEMPLATE(reply_error),
        },
};
