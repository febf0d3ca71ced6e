#ifndef UVOW_COMMAND_METHODS_H
#define UVOW_COMMAND_METHODS_H

#include <uvow.h>

/* What `uvow serve` answers. server: whose peers `publish` tells; it is read
 * when that is called. */
int methods_add(uvow_methods_t *methods, uvow_server_t *const *server);

#endif
