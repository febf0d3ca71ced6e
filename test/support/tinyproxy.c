#include "tinyproxy.h"

#include <stdio.h>

#include "folder.h"

static void write_config(const folder_t *folder, int port,
                         const unsigned ports[2], const char *more,
                         char path[FOLDER_PATH]) {
  char config[512];
  snprintf(config, sizeof(config),
           "Port %d\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\n"
           "LogLevel Info\nMaxClients 10\nConnectPort %u\nConnectPort %u\n%s",
           port, ports[0], ports[1] ? ports[1] : 1, more);
  folder_file(folder, "config", config, path);
}

int tinyproxy_run(interop_t *it, const unsigned ports[2], const char *more) {
  char path[FOLDER_PATH];
  const char *args[] = {"tinyproxy", "-d", "-c", path, NULL};
  folder_t folder;
  char *line = NULL;
  int port = 0;
  folder_make(&folder);
  for (int tries = 0; !line; tries++) {
    port = interop_free_port(it);
    write_config(&folder, port, ports, more, path);
    interop_run(it, args);
    line = interop_line(it, "Starting main loop");
    if (!line && tries == 10)
      fail_msg("tinyproxy ended: %s", it->log);
  }
  free(line);
  folder_remove(&folder);
  return port;
}
