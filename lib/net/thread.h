#ifndef UVOW__THREAD_H
#define UVOW__THREAD_H

#include <uvow/thread.h>

/* Where other threads leave what they settled, for a loop to fetch. */
typedef struct uvow__mailbox uvow__mailbox_t;

#endif
