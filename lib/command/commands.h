#ifndef UVOW_COMMAND_COMMANDS_H
#define UVOW_COMMAND_COMMANDS_H

#include "args.h"

/* Each runs a loop of its own to its end and returns the exit status. */
int bench_main(const args_t *args);
int call_main(const args_t *args);
/* uvow call URL -: a call for each line of stdin. */
int calls_main(const args_t *args);
int listen_main(const args_t *args);
int connect_main(const args_t *args);
int ping_main(const args_t *args);
int serve_main(const args_t *args);
/* Says whether a description can work, and what it describes. */
int protocol_main(const args_t *args);

/* The protocol that a file describes. Returns new, or NULL: it has been said on
 * stderr why. */
uvow_protocol_t *protocol_load(const char *path);

#endif
