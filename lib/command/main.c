/*
 * The `uvow` command: measures a service, calls it, or is one.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

static int run(const args_t *args) {
  switch (args->command) {
  case COMMAND_BENCH:
    return bench_main(args);
  case COMMAND_CALL:
    return call_main(args);
  case COMMAND_LISTEN:
    return listen_main(args);
  case COMMAND_CONNECT:
    return connect_main(args);
  case COMMAND_PING:
    return ping_main(args);
  case COMMAND_SERVE:
    return serve_main(args);
  case COMMAND_PROTOCOL:
    return protocol_main(args);
  case COMMAND_NONE:
    break;
  }
  return EXIT_USAGE;
}

/* With the protocol that a file describes. */
static int run_described(args_t *args) {
  uvow_protocol_t *protocol = protocol_load(args->rules);
  if (!protocol)
    return EXIT_USAGE;
  args->protocol = protocol;
  int status = run(args);
  uvow_protocol_unref(protocol);
  return status;
}

int main(int argc, char **argv) {
  args_t args;
  if (argc == 3 && strcmp(argv[1], "completion") == 0 &&
      args_completion(argv[2], stdout) == 0)
    return fflush(stdout) ? EXIT_IO : EXIT_OK;
  if (args_parse(&args, argc, argv)) {
    fprintf(stderr, "uvow: %s\n", args.error);
    if (argc < 2)
      args_help(COMMAND_NONE, stderr);
    else
      fprintf(stderr, "See uvow%s%s --help.\n", args.command ? " " : "",
              args.command ? argv[1] : "");
    free(args.lines);
    free(args.params_read);
    free(args.vars_read);
    return EXIT_USAGE;
  }
#ifdef SIGPIPE
  signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error, not our end */
#endif
  int status = EXIT_OK;
  if (args.version)
    printf("uvow %s\n", uvow_version());
  else if (args.help)
    args_help(args.command, stdout);
  else
    status = args.rules ? run_described(&args) : run(&args);
  free(args.lines);
  free(args.params_read);
  free(args.vars_read);
  if (fflush(stdout) || ferror(stdout)) {
    fprintf(stderr, "uvow: the output couldn't be written\n");
    return EXIT_IO;
  }
  return status;
}
