#ifndef UVOW__PHOENIX2_BINARY_H
#define UVOW__PHOENIX2_BINARY_H

#include "dialect.h"

/* Phoenix' messages whose payload is bytes. */
extern const uvow__native_t uvow__phoenix2_binary;

#endif
