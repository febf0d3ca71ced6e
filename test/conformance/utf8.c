/*
 * RFC 6455 8.1, as group 6 of Autobahn's suite: text is UTF-8, and is refused
 * at the first byte that no valid text has there, wherever frames end.
 *
 * A frame that announces more than comes (+N) shows it: nothing follows, so
 * only that byte can have been the reason.
 */
#include "support/bed.h"

#include <stdio.h>

#define KOSME "cebae1bdb9cf83cebcceb5"

static const bed_case_t fragments[] = {
    BED_OK("6.1.1 empty text", "81", "81"),
    BED_OK("6.1.2 three empty fragments", "01 00 80", "81"),
    BED_OK("6.1.3 text between two empty ones", "01 00'middle' 80",
           "81'middle'"),
    BED_OK("6.2.1 valid text", "81'Hello-'<c2b540c39fc3b6c3a4>",
           "81<48656c6c6f2dc2b540c39fc3b6c3a4>"),
    BED_OK("6.2.2 in two, between characters", "01'-'<c2b5> 80'@'<c39f>",
           "81<2dc2b540c39f>"),
    BED_OK("6.2.3 a fragment for each byte",
           "01<c2> 00<b5> 00<40> 00<c3> "
           "80<9f>",
           "81<c2b540c39f>"),
    BED_OK("6.2.4 three bytes, cut everywhere", "01<e2> 00<82> 80<ac>",
           "81<e282ac>"),
    BED_OK("four bytes, cut everywhere", "01<f0> 00<9f> 89 00<98> 80<80>",
           "8a 81<f09f9880>"),
    BED_OK("cut by empty fragments", "01<e282> 00 00 80<ac>", "81<e282ac>"),
    BED_BAD_TEXT("6.3.1 a surrogate within", "81<" KOSME "eda080656469746564>",
                 ""),
    BED_BAD_TEXT("6.3.2 and each byte a fragment",
                 "01<ce> 00<ba> 00<ed> 00<a0> 00<80> 80", ""),
    BED_BAD_TEXT("6.4.1 what follows is not awaited",
                 "01<" KOSME "> 89'p' 00<f4908080>", "8a'p'"),
    BED_BAD_TEXT("6.4.2 nor the rest of the character",
                 "01<" KOSME "f4> 89'p' 00<90>", "8a'p'"),
    BED_BAD_TEXT("6.4.3 nor the rest of the frame", "81+100<" KOSME "f490>",
                 ""),
    BED_BAD_TEXT("6.4.4 at the byte, not the character", "81+1<f490>", ""),
    BED_BAD_TEXT("a message that ends within a character", "81<" KOSME "ce>",
                 ""),
    BED_BAD_TEXT("in its last, empty fragment", "01<c2> 89 80", "8a"),
    BED_BAD_TEXT("a character's rest in the next message", "81<c2> 81<b5>", ""),
    BED_BAD_TEXT("a bad byte after a good message", "81'ok' 81<ff>", "81'ok'"),
    BED_OK("binary is not looked at", "02<c3> 89 80<28fff4908080>",
           "8a 82<c328fff4908080>"),
    BED_OK("a ping is not looked at", "01<c3> 89<fffe> 80<bc>",
           "8a<fffe> 81<c3bc>"),
};

/* 6.5 to 6.23: whole texts in hex. */
static const char *const valid[] = {
    KOSME,      "00", /* 6.7: the first of each length */
    "c280",     "e0a080",   "f0908080", "7f",     /* 6.9: the last */
    "dfbf",     "efbfbf",   "f48fbfbf", "ed9fbf", /* 6.11: beside what isn't
                                                     allowed */
    "ee8080",   "efbfbd",   "f3bfbfbf", "efbbbf", /* a byte order mark is text
                                                   */
    "efb790",                                     /* 6.22: noncharacters */
    "efbfbe",   "f09fbfbe", "f09fbfbf", "f0afbfbe", "f0bfbfbf",
    "f18fbfbf", "f3afbfbe", "f48fbfbe", "efbfb9", /* 6.23: specials */
    "efbfba",   "efbfbb",   "efbfbc",
};

static const char *const invalid[] = {
    "80", /* 6.14: continuation bytes */
    "bf",           "80bf",
    "80bf80",       "c0", /* 6.15 to 6.17: starts that are none, or alone */
    "c1",           "c220",
    "df20",         "e020",
    "e12020",       "ef20",
    "f020",         "f42020",
    "f5",           "f6",
    "f7",           "f8",
    "f88880808080", "fb",
    "fc",           "fd",
    "fe", /* 6.18 */
    "ff",           "fefeffff",
    "c2", /* 6.19: cut short, at the end */
    "e0a0",         "e282",
    "f09080",       "f48fbf",
    "c0af", /* 6.19, 6.20: longer than they need be */
    "c1bf",         "e080af",
    "e09fbf",       "f08080af",
    "f08fbfbf",     "c080",
    "e08080",       "f0808080",
    "f888808080",   "f4908080", /* 6.12: beyond Unicode */
    "f5808080",     "f7bfbfbf",
    "eda080", /* 6.21: surrogates */
    "edadbf",       "edae80",
    "edafbf",       "edb080",
    "edbe80",       "edbfbf",
    "eda080edb080", "edafbfedbfbf",
    "c2c2", /* starts where a continuation is due */
    "e282c2",       "f09080f0",
};

static void run_text(const char *name, const char *format, const char *hex,
                     const bed_case_t *like, const char *expect) {
  char send[512];
  char text[512];
  bed_case_t one = *like;
  (void)snprintf(send, sizeof(send), format, hex);
  (void)snprintf(text, sizeof(text), expect, hex);
  one.name = name;
  one.send = send;
  one.expect = text;
  for (int is_client = 0; is_client < 2; is_client++)
    for (unsigned cut = 0; cut < 2; cut++)
      bed_run_one(&one, is_client, cut, 1);
}

TEST_CASE(test_fragments) {
  BED_RUN(fragments);
}

TEST_CASE(test_valid) {
  const bed_case_t ok = BED_OK("", "", "");
  for (size_t i = 0; i < sizeof(valid) / sizeof(*valid); i++)
    run_text("6.x valid", "81<3c%s3e> 88<03e8>", valid[i], &ok,
             "81<3c%s3e> 88<03e8>");
}

TEST_CASE(test_invalid) {
  const bed_case_t bad = BED_BAD_TEXT("", "", "");
  for (size_t i = 0; i < sizeof(invalid) / sizeof(*invalid); i++) {
    run_text("6.x invalid", "81<%s>", invalid[i], &bad, "88<03ef>");
    run_text("6.x invalid behind text", "81<" KOSME "%s>", invalid[i], &bad,
             "88<03ef>");
  }
}

/* The one byte that makes it invalid is the last that comes: the frame isn't
 * over. Before it, a ping is answered: nothing was wrong yet. */
TEST_CASE(test_first_offending_byte) {
  static const struct {
    const char *good;
    const char *bad;
  } cases[] = {
      {"", "80"},         {"", "c0"},       {"", "c1"},       {"", "f5"},
      {"", "ff"},         {"c3", "28"},     {"e0", "9f"},     {"ed", "a0"},
      {"f0", "8f"},       {"f4", "90"},     {"e2", "20"},     {"e282", "28"},
      {"f09f98", "c0"},   {"f09f", "28"},   {"e0a0", "c0"},   {"c2", "c2"},
      {KOSME "ed", "bf"}, {"61e282", "7f"}, {"efbfbf", "bf"}, {"f48fbf", "ff"},
  };
  const bed_case_t like = BED_BAD_TEXT("", "", "");
  for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    char send[256];
    bed_case_t one = like;
    one.name = "the first offending byte";
    one.send = send;
    one.expect = "8a 88<03ef>";
    (void)snprintf(send, sizeof(send), "01<%s> 89 00+9<%s>", cases[i].good,
                   cases[i].bad);
    for (int is_client = 0; is_client < 2; is_client++)
      for (unsigned cut = 0; cut < 2; cut++)
        bed_run_one(&one, is_client, cut, 1);
  }
}

TEST_MODULE(utf8) {
  const struct CMUnitTest tests[] = {
      {"text is checked across fragments", test_fragments, NULL, NULL, NULL},
      {"valid text comes back", test_valid, NULL, NULL, NULL},
      {"invalid text is refused", test_invalid, NULL, NULL, NULL},
      {"it is refused at the first offending byte", test_first_offending_byte,
       NULL, NULL, NULL},
  };
  return cmocka_run_group_tests_name("conformance/utf8", tests, NULL, NULL);
}
