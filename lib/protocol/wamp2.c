/*
 * WAMP 2, basic profile: caller and subscriber, as JSON
 * (https://wamp-proto.org/wamp_latest_ietf.html).
 *
 * -> [1,realm,{}]  <- [2,session,{}], or ABORT [3,{},reason]
 * -> [48,1,{},"procedure",args,kwargs]
 * <- [50,1,{},args,kwargs], a partial answer if its details say "progress"
 * <- [8,48,1,{},"error.uri",args]
 * -> [32,1,{},"topic"]  <- [33,1,subscription]
 * !  [36,subscription,publication,{},args,kwargs]
 *
 * 1. Params are args if they're an array, kwargs if they're an object.
 * 2. The value of an answer is its args; kwargs beside them aren't read.
 * 3. Events don't say their topic, so all are named "event", and their value is
 *    the whole message: its second element is the subscription.
 *
 * It registers no procedures, and knows no CHALLENGE.
 */
#include "opening.h"

enum {
  ITEM_0 = UVOW__CAPTURE_FIRST,
  PROGRESS,
  ITEM_1,
  ITEM_3,
  ITEM_2,
  ITEM_4,
  ITEM_5,
};

static const uvow__key_t item_2_keys[] = {
    UVOW__KEY("progress", PROGRESS, NULL),
};
static const uvow__level_t item_2_level = UVOW__OBJECT(item_2_keys);

static const uvow__key_t root_items[] = {
    UVOW__ITEM(ITEM_0, NULL),          UVOW__ITEM(ITEM_1, NULL),
    UVOW__ITEM(ITEM_2, &item_2_level), UVOW__ITEM(ITEM_3, NULL),
    UVOW__ITEM(ITEM_4, NULL),          UVOW__ITEM(ITEM_5, NULL),
};
static const uvow__level_t root = UVOW__ARRAY(root_items);

#define PRESENT UVOW__ONLY(UVOW__KINDS_ANY)

static const uvow__test_t is_0[] = {UVOW__TEST(ITEM_0, "50")};
static const uvow__test_t is_1[] = {UVOW__TEST(ITEM_0, "50")};
static const uvow__test_t is_2[] = {UVOW__TEST(ITEM_0, "8")};
static const uvow__test_t is_3[] = {UVOW__TEST(ITEM_0, "33")};
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
    UVOW__TEXT(",{}]"),
};
static const uvow__piece_t subscribe[] = {
    UVOW__PUT(ID, FAILS, UVOW__KIND(NUMBER) | UVOW__KIND(STRING), "[32,"),
    UVOW__PUT(METHOD, FAILS, UVOW__KINDS_ANY, ",{},"),
    UVOW__TEXT("]"),
};
static const uvow__piece_t step_0[] = {
    UVOW__PUT_VARIABLE("realm", FAILS, "[1,"),
    UVOW__TEXT(",{\"roles\":{\"caller\":{\"features\":"),
    UVOW__TEXT("{\"progressive_call_results\":true"),
    UVOW__TEXT(",\"call_canceling\":true}},\"publis"),
    UVOW__TEXT("her\":{},\"subscriber\":{}}}]"),
};
static const uvow__test_t expects_1[] = {UVOW__TEST(ITEM_0, "2")};
static const uvow__test_t refuses_1[] = {UVOW__TEST(ITEM_0, "3")};

static const uvow__step_t steps[] = {
    {.send = UVOW__TEMPLATE(step_0)},
    {.expect = {.denied = {[ITEM_0] = UVOW__ONLY(UVOW__KIND(NUMBER))},
                UVOW__TESTS(expects_1)},
     .refusal = {.denied = {[ITEM_0] = UVOW__ONLY(UVOW__KIND(NUMBER))},
                 UVOW__TESTS(refuses_1),
                 .kind = UVOW__MSG_ERROR,
                 .error_message = ITEM_2}},
};

const uvow_protocol_t uvow__protocol_wamp2 = {
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
        },
};
