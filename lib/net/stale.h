#ifndef UVOW__STALE_H
#define UVOW__STALE_H

/* Removes the file of a Unix domain socket whose server is gone without having
 * removed it. Whether it did: never what isn't a socket, nor one that somebody
 * listens on. */
int uvow__stale_remove(const char *path);

#endif
