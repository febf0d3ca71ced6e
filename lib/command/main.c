/*
 * The `uvow` command: measures a service, calls it, or is one.
 */
#include <signal.h>
#include <stdio.h>

#include "commands.h"

static int run(const args_t *args) {
  switch (args->command) {
  case COMMAND_BENCH:
    return bench_main(args);
  case COMMAND_CALL:
    return call_main(args);
  case COMMAND_SERVE:
    return serve_main(args);
  case COMMAND_NONE:
    break;
  }
  return EXIT_USAGE;
}

int main(int argc, char **argv) {
  args_t args;
  if (args_parse(&args, argc, argv)) {
    fprintf(stderr, "uvow: %s\n", args.error);
    if (argc < 2)
      fputs(args_help(COMMAND_NONE), stderr);
    else
      fprintf(stderr, "See uvow%s%s --help.\n", args.command ? " " : "",
              args.command ? argv[1] : "");
    return EXIT_USAGE;
  }
#ifdef SIGPIPE
  signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error, not our end */
#endif
  int status = EXIT_OK;
  if (args.version)
    printf("uvow %s\n", uvow_version());
  else if (args.help)
    fputs(args_help(args.command), stdout);
  else
    status = run(&args);
  if (fflush(stdout) || ferror(stdout)) {
    fprintf(stderr, "uvow: the output couldn't be written\n");
    return EXIT_IO;
  }
  return status;
}
