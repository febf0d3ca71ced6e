#ifndef UVOW_UV_H
#define UVOW_UV_H

/**
 * @file uv.h
 * What libuv does, as futures, streams and channels: files, work on other
 * threads, names, sockets, signals, processes. Asked for by name: uvow.h doesn't
 * include it, as it needs <uv.h>.
 *
 * Each call returns a new future, stream or channel, or NULL: no memory, or the
 * loop is NULL or closed. What fails is its error: libuv's code, and the call
 * and the path or name in its message ("open /etc/motd: no such file or
 * directory"). Arguments that can't be are UVOW_EINVAL. A cancel is uv_cancel:
 * what still waits for a thread isn't done, what is done already has no effect
 * on the future, and what comes too late (an open file) is closed.
 *
 * Callbacks and destructors run later, from the loop's task queue.
 *
 * A program that writes to sockets and pipes ignores SIGPIPE, as every one on
 * libuv: the library touches no signal.
 *
 * Everything here is for the loop's thread. As libuv, it holds the loop while
 * something is under way.
 */

#include <uv.h>

#include "channel.h"
#include "loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An open file, counted: closed with its last owner. */
typedef struct uvow_file uvow_file_t;
/** A uvow_file_t. */
extern UVOW_API const uvow_type_t uvow_type_file;
/** A uv_stat_t. */
extern UVOW_API const uvow_type_t uvow_type_stat;
/** A uv_statfs_t. */
extern UVOW_API const uvow_type_t uvow_type_statfs;

/* Files, whole. Paths are copied. */

/**
 * A future of a file's bytes (uvow_result_bytes). Larger than max_bytes:
 * UVOW_ETOOBIG; SIZE_MAX: what memory allows. Since 0.2.
 */
UVOW_NEW uvow_future_t *uvow_fs_read_file(uvow_loop_t *loop, const char *path,
                                          size_t max_bytes);
/**
 * Writes a file at once or not at all: a temporary one beside it, which is
 * written, synchronized with the disk, given the mode of what was there, and
 * renamed. A symbolic link is replaced. What fails, or is canceled before the
 * rename, leaves nothing behind.
 *
 * Takes the value: bytes or text, else UVOW_ETYPE. A future (no value).
 * Since 0.2.
 */
UVOW_NEW uvow_future_t *uvow_fs_write_file(uvow_loop_t *loop, const char *path,
                                           uvow_value_t bytes);
/** A stream of a file's bytes, up to 64 KiB an item, read as it has room.
 * Returns new. Since 0.2. */
UVOW_NEW uvow_stream_t *uvow_fs_read_stream(uvow_loop_t *loop,
                                            const char *path);
/**
 * A sink into a file, which is written as by uvow_fs_write_file: when the sink
 * is ended, and then uvow_sink_flushed is fulfilled. Dropped or failed, or if it
 * can't be written, the path is left as it was. Takes bytes or text. Returns new.
 * Since 0.2.
 */
UVOW_NEW uvow_sink_t *uvow_fs_write_sink(uvow_loop_t *loop, const char *path);
/**
 * Copies a file with its permissions (where the file system has any): what is
 * there is replaced at once or not at all, as by uvow_fs_write_file. Onto
 * itself: nothing is done. A device or a pipe is written to. It ends where
 * there is nothing more to read, also in /proc. A cancel is seen between two
 * parts of 16 MiB. A future (no value). Since 0.2. Source: uv_fs_sendfile.
 */
UVOW_NEW uvow_future_t *uvow_fs_copy(uvow_loop_t *loop, const char *from,
                                     const char *to);

/**
 * The entries of a directory, without "." and "..", in no order: items with the
 * name (uvow_result_bytes). Read as far as the stream has room. Returns new.
 * Since 0.2. Source: uv_fs_opendir, uv_fs_readdir.
 */
UVOW_NEW uvow_stream_t *uvow_fs_scandir(uvow_loop_t *loop, const char *path);
/**
 * Changes of a file, or of what is in a directory: items with the name of what
 * has changed, as the system tells it (uvow_result_bytes; maybe empty). Where
 * the oldest had to make room, uvow_result_missed says so: look at all of it
 * again. Holds the loop until it's let go of. Returns new. Since 0.2. Source:
 * uv_fs_event_start.
 */
UVOW_NEW uvow_stream_t *uvow_fs_watch(uvow_loop_t *loop, const char *path);
/** The same of a whole tree, where libuv can (macOS, Windows); elsewhere it's
 * uvow_fs_watch. Since 0.2. */
UVOW_NEW uvow_stream_t *uvow_fs_watch_tree(uvow_loop_t *loop, const char *path);
/** Looks at a path every so many milliseconds, at least 1, for where the system
 * tells no changes (a network's files): an item is the new uv_stat_t
 * (uvow_result_stat), all zero where there's nothing any more. The first look
 * makes no item. Else as uvow_fs_watch. Returns new. Since 0.2. Source:
 * uv_fs_poll_start. */
UVOW_NEW uvow_stream_t *uvow_fs_poll(uvow_loop_t *loop, const char *path,
                                     uint32_t interval_ms);
/** What an item of uvow_fs_scandir is (a uv_dirent_type_t), or what has happened
 * to one of uvow_fs_watch (UV_RENAME, UV_CHANGE); 0: neither. Borrows.
 * Since 0.2. */
UVOW_API int uvow_result_kind(const uvow_result_t *item);

/*
 * Files, call by call: uv_fs_* of that name. Those about a path copy it; those
 * about a file keep it, and are NULL if it is, or its loop is closed.
 */

/** A future of a uvow_file_t. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_open(uvow_loop_t *loop, const char *path,
                                     int flags, int mode);
/** Makes a file and opens it: path ends in XXXXXX, which is replaced (see
 * uvow_file_path). A future of a uvow_file_t. Canceled too late, it's removed
 * again. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_mkstemp(uvow_loop_t *loop, const char *path);
/** The file in a result: borrowed (uvow_file_ref keeps it), or NULL. */
UVOW_API uvow_file_t *uvow_result_file(const uvow_result_t *result);
/** One more owner. Returns its argument; accepts NULL. */
UVOW_NEW uvow_file_t *uvow_file_ref(uvow_file_t *file);
/** One owner less; the last one closes it, on another thread while the loop is
 * open. Accepts NULL. */
UVOW_API void uvow_file_unref(uvow_file_t *file);
/** The path that it was opened by: borrowed (as long as the file). NULL for
 * NULL. Since 0.2. */
UVOW_API const char *uvow_file_path(const uvow_file_t *file);
/** Its descriptor, for calls that aren't here; the file closes it. -1 for NULL.
 * Since 0.2. */
UVOW_API uv_file uvow_file_fd(const uvow_file_t *file);
/** A stream of an open file's bytes from where it stands, as
 * uvow_fs_read_stream. Returns new. Since 0.2. */
UVOW_NEW uvow_stream_t *uvow_file_stream(uvow_file_t *file);
/** A sink into an open file, as for a log: what comes is written where the file
 * stands (UV_FS_O_APPEND: at its end), one after the other. Ended, all of it
 * being written is what fulfills uvow_sink_flushed. Takes bytes or text. Returns
 * new. Since 0.2. */
UVOW_NEW uvow_sink_t *uvow_file_sink(uvow_file_t *file);
/** A future of bytes; fewer than len, or none, at the end. offset -1: the
 * file's own. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_read(uvow_file_t *file, size_t len,
                                     int64_t offset);
/** Writes all of the value's bytes, in as many calls as that takes. Takes the
 * value (bytes or text, else UVOW_ETYPE). A future (no value). Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_write(uvow_file_t *file, uvow_value_t bytes,
                                      int64_t offset);
/** A future (no value) of the file being on the disk. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_fsync(uvow_file_t *file);
/** The same of its bytes alone. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_fdatasync(uvow_file_t *file);
/** Gives it a length. A future (no value). Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_ftruncate(uvow_file_t *file, int64_t len);
/** Copies so many bytes from one file to another, at its own offset: a future of
 * how many (an int64), maybe fewer. Keeps both. `from` NULL: UVOW_EINVAL.
 * Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_sendfile(uvow_file_t *to, uvow_file_t *from,
                                         int64_t offset, size_t len);
/** A future of a uv_stat_t (uvow_result_stat). Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_stat(uvow_loop_t *loop, const char *path);
/** The same of a link itself. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_lstat(uvow_loop_t *loop, const char *path);
/** The same of an open file. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_fstat(uvow_file_t *file);
/** A future of a uv_statfs_t: of what a path is mounted on
 * (uvow_result_statfs). Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_statfs(uvow_loop_t *loop, const char *path);
/** The uv_stat_t in a result: borrowed (as long as the result), or NULL: it's
 * something else. Since 0.2. */
UVOW_API const uv_stat_t *uvow_result_stat(const uvow_result_t *result);
/** The same of a uv_statfs_t. Since 0.2. */
UVOW_API const uv_statfs_t *uvow_result_statfs(const uvow_result_t *result);
/** Whether this process may: R_OK, W_OK, X_OK, or F_OK: it's there. A future (no
 * value). Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_access(uvow_loop_t *loop, const char *path,
                                       int mode);
/** Gives it permissions. A future (no value). Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_chmod(uvow_loop_t *loop, const char *path,
                                      int mode);
/** The same of an open file. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_fchmod(uvow_file_t *file, int mode);
/** Gives it an owner and a group. A future (no value). Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_chown(uvow_loop_t *loop, const char *path,
                                      uv_uid_t uid, uv_gid_t gid);
/** The same of a link itself. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_lchown(uvow_loop_t *loop, const char *path,
                                       uv_uid_t uid, uv_gid_t gid);
/** The same of an open file. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_fchown(uvow_file_t *file, uv_uid_t uid,
                                       uv_gid_t gid);
/** Says when it was read and written last, in seconds since 1970. A future (no
 * value). Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_utime(uvow_loop_t *loop, const char *path,
                                      double atime, double mtime);
/** The same of a link itself. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_lutime(uvow_loop_t *loop, const char *path,
                                       double atime, double mtime);
/** The same of an open file. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_futime(uvow_file_t *file, double atime,
                                       double mtime);
/** A second name of a file. A future (no value). Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_link(uvow_loop_t *loop, const char *from,
                                     const char *to);
/** Makes a symbolic link at path. A future (no value). Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_symlink(uvow_loop_t *loop, const char *target,
                                        const char *path);
/** A future of what a link says (uvow_result_bytes). Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_readlink(uvow_loop_t *loop, const char *path);
/** A future of the path without links, "." and ".." (uvow_result_bytes).
 * Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_realpath(uvow_loop_t *loop, const char *path);
/** Removes a file. A future (no value). */
UVOW_NEW uvow_future_t *uvow_fs_unlink(uvow_loop_t *loop, const char *path);
/** Renames, replacing what is there. A future (no value). */
UVOW_NEW uvow_future_t *uvow_fs_rename(uvow_loop_t *loop, const char *from,
                                       const char *to);
/** Makes a directory. A future (no value). */
UVOW_NEW uvow_future_t *uvow_fs_mkdir(uvow_loop_t *loop, const char *path,
                                      int mode);
/** Makes a directory of a name that nobody has: path ends in XXXXXX, which is
 * replaced. A future of its path (uvow_result_bytes). Canceled too late, it's
 * removed again. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_fs_mkdtemp(uvow_loop_t *loop, const char *path);
/** Removes an empty directory. A future (no value). */
UVOW_NEW uvow_future_t *uvow_fs_rmdir(uvow_loop_t *loop, const char *path);

/* Threads. */

/** Runs on libuv's pool: touches nothing of uvow's but values that own nothing,
 * or types of its own. */
typedef uvow_value_t (*uvow_work_cb)(void *data);
/**
 * A future of what work returns, run on another thread. Keeps work and data.
 *
 * Canceled while it waits, it isn't run; while it runs, it runs to its end, and
 * its value is released when it comes, from the task queue. So a cancel doesn't
 * end the thread's use of data: what lies on the stack of a fiber or coroutine,
 * which may be canceled, is gone before the thread is done with it. Such data
 * belongs to uvow_work_own. The loop that closes waits for it.
 * Since 0.2. Source: uv_queue_work.
 */
UVOW_NEW uvow_future_t *uvow_work(uvow_loop_t *loop, uvow_work_cb work,
                                  void *data);
/** The same, with data of its own: destroy is called once, on the loop's thread,
 * when work has returned or will never run; after the future's continuations;
 * also on failure. Takes data. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_work_own(uvow_loop_t *loop, uvow_work_cb work,
                                      void *data, uvow_destroy_cb destroy);

/** A future of so many random bytes, fit for keys (uvow_result_bytes).
 * Since 0.2. Source: uv_random. */
UVOW_NEW uvow_future_t *uvow_random(uvow_loop_t *loop, size_t len);

/* Names. */

/** A future of a host's addresses, each once, in the system's order:
 * uvow_results_t (see combine.h) of bytes, as "127.0.0.1" (uvow_result_bytes).
 * Since 0.2. Source: uv_getaddrinfo. */
UVOW_NEW uvow_future_t *uvow_resolve(uvow_loop_t *loop, const char *host);

/** The other way: a future of two texts (uvow_results_t of bytes), the name of a
 * numeric address and that of the port; as numbers, where they have none. flags:
 * NI_NAMEREQD and its like. Since 0.2. Source: uv_getnameinfo. */
UVOW_NEW uvow_future_t *uvow_resolve_address(uvow_loop_t *loop,
                                             const char *address, uint16_t port,
                                             int flags);

/*
 * Sockets: channels of bytes.
 *
 * in:  what comes, as it comes: items of bytes. It ends when the other side has
 *      ended its own. While it's full (see uvow_stream_options_t) nothing is
 *      read, so the other side has to wait.
 * out: takes bytes or text. What can't leave yet waits in the sink: full, a push
 *      says so. Ending it sends what waits and ends this side (half-close);
 *      uvow_sink_flushed is then told of it. Dropping or failing it ends all, at
 *      once: over TCP by a reset. A value that isn't bytes is UVOW_ETYPE to
 *      flushed, and the end of all.
 *
 * It's closed once both are over; one whose `in` was let go of first sends what
 * waits, and the rest of what comes is dropped. What fails is the end of `in`.
 */

/** Connects by TCP, to the addresses of a name as in RFC 8305. What goes may be
 * pushed at once. TCP_NODELAY is set, here and of what uvow_tcp_listen accepts,
 * and a peer that has been silent for 60 s is probed (SO_KEEPALIVE). Returns a
 * new channel. Since 0.2. */
UVOW_NEW uvow_channel_t uvow_tcp_connect(uvow_loop_t *loop, const char *host,
                                         uint16_t port);
/** The same to a Unix domain socket or named pipe. Since 0.2. */
UVOW_NEW uvow_channel_t uvow_pipe_connect(uvow_loop_t *loop, const char *path);
/**
 * Listens by TCP on a numeric address: a stream of channels
 * (uvow_result_channel, uvow_result_from). Port 0: the system's.
 *
 * A peer is accepted when it's asked for; others wait in the system's queue.
 * Letting go of the stream ends listening. What fails now (UV_EADDRINUSE) is the
 * stream's error at once. The port is written to ret_port, which may be NULL,
 * if it listens. Returns new. Since 0.2.
 */
UVOW_NEW uvow_stream_t *uvow_tcp_listen(uvow_loop_t *loop, const char *address,
                                        uint16_t port, uint16_t *ret_port);
/** The same on a Unix domain socket or named pipe; the file of a socket that
 * nobody listens on any more is replaced. Since 0.2. */
UVOW_NEW uvow_stream_t *uvow_pipe_listen(uvow_loop_t *loop, const char *path);

/** Our own stdin and stdout, whatever they are: a terminal, a pipe, a file.
 * Neither is ever closed. One that isn't open fails (UV_EBADF). Returns a new
 * channel. Since 0.2. */
UVOW_NEW uvow_channel_t uvow_stdio(uvow_loop_t *loop);
/** Our own stdin alone. stdout is left as it is, so that printf may write to it:
 * uvow_stdio makes a pipe non-blocking, where stdio loses what has no room.
 * Returns new. Since 0.2. */
UVOW_NEW uvow_stream_t *uvow_stdin(uvow_loop_t *loop);
/** Our own stderr, as uvow_stdio has stdout: a sink of bytes or text. Returns
 * new. Since 0.2. */
UVOW_NEW uvow_sink_t *uvow_stderr(uvow_loop_t *loop);

/**
 * A descriptor of your own, as another library's: a stream of what can be done
 * with it, an item each (an int64 of UV_READABLE, UV_WRITABLE, UV_DISCONNECT,
 * UV_PRIORITIZED, of those that `events` has).
 *
 * The system is asked when an item is asked for, and until there's one it holds
 * the loop, also if the ask is canceled. Leaves the descriptor open; whoever
 * closes it lets go of the stream, and waits for its end (uvow_stream_close),
 * before. Returns new. Since 0.2. Source: uv_poll_start.
 */
UVOW_NEW uvow_stream_t *uvow_poll(uvow_loop_t *loop, uv_os_sock_t fd,
                                  int events);

/* Datagrams. */

/** A datagram: bytes (uvow_result_bytes), and whom they are from or go to. */
extern UVOW_API const uvow_type_t uvow_type_datagram;

/** Options of uvow_udp_open. */
typedef struct uvow_udp_options {
  /** Required. sizeof(uvow_udp_options_t). */
  size_t size;
  /** Optional, default "0.0.0.0". A numeric address of this machine's. */
  const char *address;
  /** Optional. A multicast group to join, as "239.1.2.3". */
  const char *group;
  /** Optional, default 0: the system's. */
  uint16_t port;
  uint16_t reserved;
  /** Optional, default 0. 1: datagrams may go to a broadcast address. */
  int broadcast;
  /** Optional, default 0. 1: others may have the same port, as for multicast. */
  int shared;
  uint32_t reserved2;
  /** Optional, default: the system's choice. The interface's own address: the
   * group is joined there, and what goes to groups goes out there. */
  const char *multicast_interface;
  /** Optional, default 0: the system's, 64 and for multicast 1. How many routers
   * a datagram may pass, up to 255. */
  int ttl;
  /** Optional, default 0. 1: what goes to a group that this machine is in isn't
   * received here too. */
  int no_loopback;
  /** Optional. A numeric address: the only one to send to and receive from. Then
   * `out` takes bytes or text. */
  const char *peer;
  /** With peer. */
  uint16_t peer_port;
  uint16_t reserved3;
  uint32_t reserved4;
} uvow_udp_options_t;

/**
 * Opens a UDP socket: a channel of datagrams, each an item. While `in` is full,
 * nothing is received, and the system drops what it has no room for. `out` takes
 * values of uvow_value_datagram, and what was received: then it's an answer.
 *
 * A datagram that can't be sent (its size, its address) ends `out` with libuv's
 * code; that nobody listens there isn't known. It's closed when `in` is let go
 * of and `out` ended, or when `out` is dropped. The port is written to
 * ret_port, which may be NULL. Options NULL: the defaults. Returns a new
 * channel; what fails now is the error of both. Since 0.2.
 */
UVOW_NEW uvow_channel_t uvow_udp_open(uvow_loop_t *loop,
                                      const uvow_udp_options_t *options,
                                      uint16_t *ret_port);
/**
 * The socket of a channel joins a multicast group, or leaves it, from now on. in:
 * what uvow_udp_open returned, not a stage of it. multicast_interface: as in
 * uvow_udp_options_t, for this group; NULL: the system's choice. Borrows all.
 *
 * Returns 0; UVOW_EINVAL: in isn't such a stream, or is over; or libuv's code:
 * UV_EADDRINUSE (it has joined already), UV_EADDRNOTAVAIL (it hasn't), UV_EINVAL
 * (that's no address of a group). Since 0.2.
 * Source: uv_udp_set_membership.
 */
UVOW_API int uvow_udp_join(uvow_stream_t *in, const char *group,
                           const char *multicast_interface);
/** See uvow_udp_join. Since 0.2. */
UVOW_API int uvow_udp_leave(uvow_stream_t *in, const char *group,
                            const char *multicast_interface);
/** A datagram to a numeric address. Copies the bytes. UVOW_EINVAL: no address,
 * or no loop; UVOW_ENOMEM: to the push. Since 0.2. */
UVOW_API uvow_value_t uvow_value_datagram(uvow_loop_t *loop, const void *bytes,
                                          size_t len, const char *address,
                                          uint16_t port);
/** Who sent a datagram, or connected by TCP (an item of uvow_tcp_listen): the
 * numeric address, borrowed (as long as the result); NULL: it's none. ret_port
 * may be NULL. Since 0.2. */
UVOW_API const char *uvow_result_from(const uvow_result_t *item,
                                      uint16_t *ret_port);

/* Signals. */

/** An item (an int64: the signal) each time the signal comes. Doesn't hold the
 * loop. Returns new. Since 0.2. Source: uv_signal_start. */
UVOW_NEW uvow_stream_t *uvow_signal(uvow_loop_t *loop, int signum);

/* Processes. */

/** For uvow_process_options_t's pipes. */
#define UVOW_STDIN 1u
/** The same. */
#define UVOW_STDOUT 2u
/** The same. */
#define UVOW_STDERR 4u

/** A child, counted. */
typedef struct uvow_process uvow_process_t;

/** What to run. Everything is copied. */
typedef struct uvow_process_options {
  /** Required. sizeof(uvow_process_options_t). */
  size_t size;
  /** Required. args[0] is looked up in PATH; NULL-terminated. */
  const char *const *args;
  /** Optional, default: ours. NULL-terminated. */
  const char *const *env;
  /** Optional, default: ours. */
  const char *cwd;
  /** Optional, default 2000 ms: between SIGTERM and SIGKILL. */
  uint32_t grace_ms;
  /** Optional, default 0: its stdin is empty, its stdout and stderr are ours.
   * Which are pipes: UVOW_STDIN, UVOW_STDOUT, UVOW_STDERR, or several of them.
   */
  uint32_t pipes;
  /** Optional, default 0. libuv's: UV_PROCESS_DETACHED, UV_PROCESS_SETUID, and
   * what else it has. */
  uint32_t flags;
  /** With UV_PROCESS_SETUID. */
  uint32_t uid;
  /** With UV_PROCESS_SETGID. */
  uint32_t gid;
  uint32_t reserved;
} uvow_process_options_t;

/**
 * Runs a program. It runs on whoever owns it, and whatever is canceled, also
 * when the loop is closed.
 *
 * Returns new, or NULL: see uvow_loop_error: UVOW_EINVAL: options that can't be;
 * UVOW_ECLOSED; UVOW_ENOMEM; libuv's codes (UV_ENOENT: no such program).
 * Since 0.2.
 */
UVOW_NEW uvow_process_t *uvow_spawn(uvow_loop_t *loop,
                                    const uvow_process_options_t *options);
/** Its stdout and stdin, where they are pipes: a channel of bytes, owned: the
 * first time; then, or for what isn't a pipe, NULL. Its stdout ends when all who
 * have it have closed it. Borrows. Since 0.2. */
UVOW_NEW uvow_channel_t uvow_process_stdio(uvow_process_t *process);
/** Its stderr, where it is a pipe: owned, the first time; then NULL. Borrows.
 * Since 0.2. */
UVOW_NEW uvow_stream_t *uvow_process_errors(uvow_process_t *process);
/** Its number, as long as it hasn't ended. Borrows. */
UVOW_API int uvow_process_pid(const uvow_process_t *process);
/** A future of its exit status (an int64; 128 + signal), also if it has ended.
 * Each is its own: canceled, nothing happens to the child. Borrows.
 * Since 0.2. */
UVOW_NEW uvow_future_t *uvow_process_exit(uvow_process_t *process);
/** Asks it to go: SIGTERM, and SIGKILL after grace_ms. As uvow_process_exit: a
 * cancel withdraws nothing. Since 0.2. */
UVOW_NEW uvow_future_t *uvow_process_close(uvow_process_t *process);
/** Sends a signal. Errors: libuv's; UV_ESRCH: it has ended. Since 0.2. */
UVOW_API int uvow_process_kill(uvow_process_t *process, int signum);
/** One more owner. Returns its argument; accepts NULL. */
UVOW_NEW uvow_process_t *uvow_process_ref(uvow_process_t *process);
/** One owner less; the last one lets it run, without the pipes that nobody has
 * asked for. Accepts NULL. */
UVOW_API void uvow_process_unref(uvow_process_t *process);

#ifdef __cplusplus
}
#endif

#endif
