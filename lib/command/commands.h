#ifndef UVOW_COMMAND_COMMANDS_H
#define UVOW_COMMAND_COMMANDS_H

#include "args.h"

/* Each runs a loop of its own to its end and returns the exit status. */
int bench_main(const args_t *args);
int call_main(const args_t *args);
int serve_main(const args_t *args);

#endif
