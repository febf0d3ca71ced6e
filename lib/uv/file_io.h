#ifndef UVOW__FILE_IO_H
#define UVOW__FILE_IO_H

#include <uv.h>

#include <uvow/stream.h>

/* file_in.c, file_out.c: an open file, which stays open, as a stream or sink.
 * Copies name. NULL: no memory, or the loop is closed. */
uvow_stream_t *uvow__file_in(uvow_loop_t *loop, uv_file fd, const char *name);
uvow_sink_t *uvow__file_out(uvow_loop_t *loop, uv_file fd, const char *name);

#endif
