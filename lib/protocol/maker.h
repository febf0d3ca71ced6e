#ifndef UVOW__MAKER_H
#define UVOW__MAKER_H

#include "vars.h"

/*
 * Makes a variable of others (uvow__maker_t). Where the peer didn't ask for it,
 * nothing is made. Errors: UVOW_EINVAL: the application's secret isn't set, or
 * what the peer gave can't be used; UVOW_ENOMEM.
 */
int uvow__maker_run(unsigned maker, uvow__vars_t *vars);

#endif
