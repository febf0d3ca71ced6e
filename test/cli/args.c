/* The command line: what is understood, and what is said of what isn't. */
#include "support/support.h"

#include <args.h>

/* Parses copies of the words, as a program may change its argv. */
static int parse(args_t *args, const char *const *words) {
  static char texts[40][128];
  static char *argv[41];
  int argc = 0;
  for (; words[argc]; argc++) {
    assert_true(argc < 40 && strlen(words[argc]) < sizeof(texts[0]));
    argv[argc] = strcpy(texts[argc], words[argc]);
  }
  argv[argc] = NULL;
  return args_parse(args, argc, argv);
}

#define PARSE(args, ...)                                                       \
  parse((args), (const char *const[]){"uvow", __VA_ARGS__, NULL})

static void assert_wrong(const char *const *words, const char *error) {
  args_t args;
  assert_int_equal(parse(&args, words), -1);
  assert_string_equal(args.error, error);
}

#define ASSERT_WRONG(error, ...)                                               \
  assert_wrong((const char *const[]){"uvow", __VA_ARGS__, NULL}, (error))

static void a_bench_has_defaults(void **state) {
  args_t args;
  (void)state;
  assert_int_equal(PARSE(&args, "bench", "--url", "ws://h/"), 0);
  assert_int_equal(args.command, COMMAND_BENCH);
  assert_string_equal(args.url, "ws://h/");
  assert_ptr_equal(args.protocol, uvow_protocol_jsonrpc2());
  assert_string_equal(args.method, "echo");
  assert_string_equal(args.params, "{\"x\":81}");
  assert_int_equal(args.inflight, 64);
  assert_int_equal(args.connections, 1);
  assert_int_equal(args.timeout_ms, 10000);
  assert_true(args.seconds == 5);
  assert_true(args.warmup == 0.5);
  assert_int_equal(args.requests, 0);
}

static void each_option_is_taken(void **state) {
  args_t args;
  (void)state;
  assert_int_equal(PARSE(&args, "bench", "--url=ws://h/?a=b", "--protocol",
                         "cdp", "--inflight", "7", "--connections", "3",
                         "--seconds", "0.25", "--rate", "1e3", "--json-values",
                         "--line", "--timeout=9", "--method", "m", "--params",
                         "[1]", "--warmup", "0"),
                   0);
  assert_string_equal(args.url, "ws://h/?a=b");
  assert_ptr_equal(args.protocol, uvow_protocol_cdp());
  assert_int_equal(args.inflight, 7);
  assert_int_equal(args.connections, 3);
  assert_true(args.seconds == 0.25);
  assert_true(args.rate == 1000);
  assert_true(args.json_values && args.line && !args.verify);
  assert_int_equal(args.timeout_ms, 9);
  assert_string_equal(args.method, "m");
  assert_string_equal(args.params, "[1]");
  assert_true(args.warmup == 0);
}

static void requests_replace_seconds_and_warmup(void **state) {
  args_t args;
  (void)state;
  assert_int_equal(PARSE(&args, "bench", "--url", "u", "--requests", "5"), 0);
  assert_int_equal(args.requests, 5);
  assert_true(args.seconds == 0);
  assert_true(args.warmup == 0);
}

static void headers_and_subprotocols_may_be_many(void **state) {
  args_t args;
  uvow_client_options_t options = {.size = sizeof(options)};
  (void)state;
  assert_int_equal(PARSE(&args, "call", "--header", "A: b:c",
                         "--header=D:", "--subprotocol", "s1", "--subprotocol",
                         "s2", "--url", "u", "m"),
                   0);
  args_to_client(&args, &options);
  assert_int_equal(options.header_count, 2);
  assert_string_equal(options.headers[0].name, "A");
  assert_string_equal(options.headers[0].value, "b:c");
  assert_string_equal(options.headers[1].name, "D");
  assert_string_equal(options.headers[1].value, "");
  assert_int_equal(options.subprotocol_count, 2);
  assert_string_equal(options.subprotocols[1], "s2");
  assert_int_equal(options.timeout_ms, 30000);
}

static void a_connection_is_as_the_options_say(void **state) {
  args_t args;
  uvow_client_options_t options = {.size = sizeof(options)};
  (void)state;
  assert_int_equal(PARSE(&args, "bench", "--url", "u"), 0);
  args_to_client(&args, &options);
  assert_null(options.proxy);
  assert_false(options.proxy_from_environment);
  assert_null(options.bearer);
  assert_null(options.origin);
  assert_null(options.deflate);
  assert_int_equal(PARSE(&args, "call", "--url", "u", "-x", "HTTP://p:1",
                         "--oauth2-bearer", "t", "--origin", "o", "--deflate",
                         "-H", "A: b", "-k", "m"),
                   0);
  args_to_client(&args, &options);
  assert_string_equal(options.proxy, "HTTP://p:1");
  assert_string_equal(options.bearer, "t");
  assert_string_equal(options.origin, "o");
  assert_string_equal(options.headers[0].value, "b");
  assert_non_null(options.deflate);
  assert_true(args.insecure);
  assert_int_equal(PARSE(&args, "bench", "--url", "u", "--proxy-env",
                         "--deflate", "--no-deflate"),
                   0);
  args_to_client(&args, &options);
  assert_true(options.proxy_from_environment);
  assert_null(options.deflate);
  assert_int_equal(PARSE(&args, "call", "--url", "u", "--proxy=", "m"), 0);
  args_to_client(&args, &options);
  assert_string_equal(options.proxy, ""); /* none */
}

static void a_server_is_as_the_options_say(void **state) {
  args_t args;
  uvow_server_options_t options = {.size = sizeof(options)};
  (void)state;
  assert_int_equal(PARSE(&args, "serve", "--unix-socket", "/s", "--subprotocol",
                         "a", "--subprotocol", "b", "--deflate"),
                   0);
  args_to_server(&args, &options);
  assert_string_equal(options.socket_path, "/s");
  assert_null(options.host);
  assert_int_equal(options.subprotocol_count, 2);
  assert_non_null(options.deflate);
  assert_int_equal(PARSE(&args, "serve", "--host", "::1", "--port", "7"), 0);
  args_to_server(&args, &options);
  assert_null(options.socket_path);
  assert_string_equal(options.host, "::1");
  assert_int_equal(options.port, 7);
}

static void a_call_has_a_method_and_params(void **state) {
  args_t args;
  (void)state;
  assert_int_equal(
      PARSE(&args, "call", "--url", "u", "--pretty", "--", "-m", "[-1]"), 0);
  assert_string_equal(args.method, "-m");
  assert_string_equal(args.params, "[-1]");
  assert_true(args.pretty);
  assert_int_equal(PARSE(&args, "call", "m", "--url", "u"), 0);
  assert_null(args.params);
}

static void help_needs_nothing_else(void **state) {
  args_t args;
  (void)state;
  assert_int_equal(PARSE(&args, "bench", "--help"), 0);
  assert_true(args.help);
  assert_non_null(strstr(args_help(args.command), "--inflight"));
  assert_int_equal(PARSE(&args, "--help"), 0);
  assert_true(args.help);
  assert_int_equal(PARSE(&args, "--version"), 0);
  assert_true(args.version);
}

static void what_is_unknown_is_named(void **state) {
  (void)state;
  ASSERT_WRONG("unknown command fly", "fly");
  ASSERT_WRONG("unknown option --fly", "--fly");
  ASSERT_WRONG("unknown option --fly", "bench", "--fly");
  ASSERT_WRONG("unknown option --fly=3", "bench", "--fly=3");
  ASSERT_WRONG("unknown option -i", "bench", "-i", "3");
  ASSERT_WRONG("unknown option --inflight", "serve", "--inflight", "3");
  ASSERT_WRONG("unknown option --infligh", "bench", "--infligh", "3");
  ASSERT_WRONG("unknown option --=3", "bench", "--=3");
  ASSERT_WRONG("word: what is it for?", "bench", "word");
  ASSERT_WRONG("--protocol: there is no \"x\"", "serve", "--protocol", "x");
}

static void a_bad_value_is_named(void **state) {
  (void)state;
  ASSERT_WRONG("--url wants a value", "bench", "--url");
  ASSERT_WRONG("--line takes no value", "bench", "--line=1");
  ASSERT_WRONG("--inflight can't be 0", "bench", "--inflight", "0");
  ASSERT_WRONG("--inflight wants a whole number, not \"-1\"", "bench",
               "--inflight", "-1");
  ASSERT_WRONG("--inflight wants a whole number, not \"4x\"", "bench",
               "--inflight", "4x");
  ASSERT_WRONG("--inflight wants a whole number, not \"\"", "bench",
               "--inflight=");
  ASSERT_WRONG("--requests wants a whole number, not \"99999999999999999999\"",
               "bench", "--requests", "99999999999999999999");
  ASSERT_WRONG("--port can't be 65536", "serve", "--port", "65536");
  ASSERT_WRONG("--rate wants a number, not \"nan\"", "bench", "--rate", "nan");
  ASSERT_WRONG("--rate can't be -1", "bench", "--rate", "-1");
  ASSERT_WRONG("--seconds wants a number, not \"5s\"", "bench", "--seconds",
               "5s");
  ASSERT_WRONG("--header wants \"Name: value\", not \"x\"", "call", "--header",
               "x");
  ASSERT_WRONG("--header wants a value", "call", "-H");
  ASSERT_WRONG("unknown option -Hx", "call", "-Hx");
  ASSERT_WRONG("unknown option -k", "serve", "-k");
  /* What is wrong isn't shown: there's a password in it. */
  ASSERT_WRONG("--proxy wants http://[user:password@]host[:port]", "call", "-x",
               "socks5://u:secret@h");
  ASSERT_WRONG("--proxy wants http://[user:password@]host[:port]", "bench",
               "--proxy=localhost:3128");
  ASSERT_WRONG("--report wants a .html, .svg or .json file, not \"a.txt\"",
               "bench", "--report", "a.txt");
}

static void what_is_missing_or_too_much_is_named(void **state) {
  (void)state;
  ASSERT_WRONG("--url is missing", "bench");
  ASSERT_WRONG("--url is missing", "call", "m");
  ASSERT_WRONG("--key is the key of a --cert: there is none", "serve", "--key",
               "c");
  ASSERT_WRONG("--cacert is for wss: not without --cert", "serve", "--cacert",
               "c");
  ASSERT_WRONG("--unix-socket: not with --host, --port or --cert", "serve",
               "--unix-socket", "/s", "--port", "1");
  ASSERT_WRONG("--proxy or --proxy-env, not both", "call", "--url", "u",
               "--proxy", "", "--proxy-env", "m");
  ASSERT_WRONG("METHOD is missing", "call", "--url", "u");
  ASSERT_WRONG("x: METHOD and PARAMS are there already", "call", "--url", "u",
               "m", "1", "x");
  ASSERT_WRONG("--seconds or --requests, not both", "bench", "--url", "u",
               "--seconds", "1", "--requests", "1");
  ASSERT_WRONG("--verify makes params of its own: not with --params", "bench",
               "--url", "u", "--verify", "--params", "[]");
  ASSERT_WRONG("--inflight is of all --connections: it can't be less", "bench",
               "--url", "u", "--inflight", "2", "--connections", "3");
}

static void params_must_be_json(void **state) {
  args_t args;
  (void)state;
  assert_int_equal(PARSE(&args, "call", "--url", "u", "m", "{"), -1);
  assert_non_null(strstr(args.error, "the params are not JSON: "));
  assert_int_equal(PARSE(&args, "bench", "--url", "u", "--params", "1 2"), -1);
  assert_int_equal(PARSE(&args, "call", "--url", "u", "m", "null"), 0);
}

TEST_MODULE(args) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_bench_has_defaults),
      cmocka_unit_test(each_option_is_taken),
      cmocka_unit_test(requests_replace_seconds_and_warmup),
      cmocka_unit_test(headers_and_subprotocols_may_be_many),
      cmocka_unit_test(a_connection_is_as_the_options_say),
      cmocka_unit_test(a_server_is_as_the_options_say),
      cmocka_unit_test(a_call_has_a_method_and_params),
      cmocka_unit_test(help_needs_nothing_else),
      cmocka_unit_test(what_is_unknown_is_named),
      cmocka_unit_test(a_bad_value_is_named),
      cmocka_unit_test(what_is_missing_or_too_much_is_named),
      cmocka_unit_test(params_must_be_json),
  };
  return cmocka_run_group_tests_name("cli/args", tests, NULL, NULL);
}
