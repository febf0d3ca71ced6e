#ifndef UVOW_COMMAND_TABLE_H
#define UVOW_COMMAND_TABLE_H

#include <stddef.h>

#include "args.h"

typedef enum kind {
  KIND_FLAG,
  KIND_UNFLAG, /* takes a flag back */
  KIND_TEXT,
  KIND_COUNT,
  KIND_REAL,
  KIND_PROTOCOL,
  KIND_REPORT,
  KIND_HEADER,
  KIND_PROXY,
  KIND_SUBPROTOCOL,
  KIND_URL
} kind_t;

typedef struct option {
  const char *name;
  unsigned commands; /* that know it; a name stands once for each of them */
  kind_t kind;
  size_t offset; /* in args_t */
  double min;    /* of a number */
  double max;
  char letter;      /* or none */
  const char *word; /* what its value is called; NULL: it has none */
  const char *help; /* lines that fit behind 24 columns */
} option_t;

typedef struct command {
  const char *name;
  subcommand_t bit;
  const char *words;   /* what follows the options */
  const char *summary; /* for the overview */
  const char *about;   /* before the options */
  const char *after;   /* and behind them */
} command_t;

extern const option_t command_options[];
extern const size_t command_option_count;
extern const command_t command_names[];
extern const size_t command_name_count;

#endif
