/* The names of uvow's own types. */
#include "own.h"

const struct uvow__own_names uvow__own_names = {
    "shared", "results", "bytes", "json", "error", "stat", "file", "statfs",
};
