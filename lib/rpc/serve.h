#ifndef UVOW__SERVE_H
#define UVOW__SERVE_H

#include "callee.h"

/* A method has returned a stream, which this takes: its items are sent to who
 * called, its end is the answer. */
void uvow__serve(uvow_call_t *call, uvow_stream_t *stream);
/* Nobody waits for it any more: lets go of the stream, if there is one. The
 * call's task is in no list. */
void uvow__serve_leave(uvow_call_t *call);
/* All that was sent has left: streams that waited for that go on. */
void uvow__serve_resume(uvow__callee_t *callee);

#endif
