/* A container that somebody wants to look at waits before or after its command, until a file appears. */
#include "shim.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_S 0.1

static volatile sig_atomic_t stopped;

static void note(int number) { stopped = number; }

static bool wanted(const char *variable) {
    const char *value = getenv(variable);
    return value && strcmp(value, "true") == 0;
}

/* The folder of the files that are waited for; whoever has a shell in the container may write there. */
static char *folder(const char *directory, const char *container) { return joined(joined(directory, "", "ctr"), "", container); }

static void wait_for(const char *path, const char *when) {
    dprintf(2, "paused %s the command: goes on when %s exists\n", when, path);
    while (!stopped && access(path, F_OK) != 0) pause_s(LOOK_S);
}

void open_to_pauses(const char *directory, const char *container) {
    if (!wanted(PAUSE_BEFORE) && !wanted(PAUSE_AFTER)) return;
    mode_t mask = umask(0);
    mkdir(joined(directory, "", "ctr"), 0777);
    mkdir(folder(directory, container), 0777);
    umask(mask);
}

void pause_before(const char *directory, const char *container) {
    if (wanted(PAUSE_BEFORE)) wait_for(joined(folder(directory, container), "", "before"), "before");
}

void pause_after(const char *directory, const char *container) {
    if (!wanted(PAUSE_AFTER)) return;
    signal(SIGTERM, note); /* there is something to report */
    signal(SIGINT, note);
    wait_for(joined(folder(directory, container), "", "after"), "after");
}
