/* The shim runs the user's command as process 1 would, and says in a frame how it ended and what it made.
 *
 * `shim -- COMMAND [ARG...]` starts the command in its own process group, forwards every signal to that group, reaps
 * what is orphaned, passes stdout on as it comes (keeping the end of it when the result is wanted), and after the end
 * reads the output files, packs output artifacts and writes the frame. Its exit code is the command's; 128 + n for a
 * signal; 64 when the command cannot be started; 143 when a container that it waits for was killed. It holds a lock from
 * start to end: who waits for the lock learns of the end whatever its cause. `shim kill SIGNAL` signals the running shim
 * of the same container. `shim progress SECONDS` looks that often at what the commands say of their progress, and prints
 * it when it has changed. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define EARLY_NS 50000000L /* between two looks for a lock file: containers start in any order */

static void leave(int number) { _exit(128 + number); }

void pause_s(double seconds) {
    struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

/* Create and lock a file; it appears under its name only when it is locked. */
static int hold(const char *directory, const char *container) {
    char *path = joined(directory, "lock-", container);
    Text early = text_of(path);
    add_format(&early, ".%d", (int)getpid());
    int lock = open(early.data, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock < 0 || flock(lock, LOCK_EX) != 0 || rename(early.data, path) != 0) {
        fprintf(stderr, "cannot lock %s: %s\n", path, strerror(errno));
        exit(CANNOT_START);
    }
    return lock;
}

/* Block until the shim of a container has started and ended, however it ended. */
static void wait_for_end(const char *directory, const char *container) {
    int lock;
    while ((lock = open(joined(directory, "lock-", container), O_RDONLY | O_CLOEXEC)) < 0) nanosleep(&(struct timespec){0, EARLY_NS}, NULL);
    while (flock(lock, LOCK_SH) != 0 && errno == EINTR) continue;
    close(lock);
}

static void write_number(const char *directory, const char *prefix, const char *name, int number) {
    char text[16];
    int size = snprintf(text, sizeof text, "%d", number);
    write_file(joined(directory, prefix, name), text, (size_t)size);
}

/* Wait until the containers that this one depends on have ended; 0, or what to end with since one of them did not. */
static int wait_for_others(const Json *names, const char *directory, Text *trouble) {
    for (size_t i = 0; names && i < names->count; i++) {
        const char *name = names->items[i].text.data;
        int failure;
        wait_for_end(directory, name);
        Text code = read_file(joined(directory, "exit-", name), 16, &failure);
        if (!failure && strcmp(code.data, "0") == 0) continue;
        *trouble = text_of("dependency \"");
        add_word(trouble, name);
        if (failure || !code.size) {
            add_word(trouble, "\" was killed");
            return STOPPED;
        }
        add_word(trouble, "\" exited with non-zero code: ");
        add_word(trouble, code.data);
        return CANNOT_START;
    }
    return 0;
}

/* Let main's dependants go on, then wait until every container of the set has ended: its outputs may still be written. */
static void gather(const Json *peers, const char *name, const char *directory, int code, int lock) {
    signal(SIGTERM, SIG_IGN); /* the others are told as well, and then there is something to report */
    signal(SIGINT, SIG_IGN);
    write_number(directory, "exit-", name, code);
    close(lock);
    for (size_t i = 0; i < peers->count; i++) wait_for_end(directory, peers->items[i].text.data);
}

/* A node without mounts has no images, so only a program's name can be found. */
static void look_here(char **command, const char *directory) {
    char *last = strrchr(command[0], '/');
    if (strcmp(directory, SHIM_MOUNT) != 0 && last && access(command[0], F_OK) != 0) command[0] = last + 1;
}

static bool attempts(Child *child, const Json *told, Text *trouble) {
    int left = (int)json_number(told, "attempts", 1);
    while (true) {
        child->tail = (Text){0};
        if (!child_run(child, trouble)) return false;
        if (child->code == 0 || --left <= 0 || child->asked_to_stop) return true;
        pause_s(json_number(told, "pause_s", 0));
    }
}

static int run(char **command, const Json *told, const char *directory) {
    const char *name = json_text(told, "container", "main");
    const Json *peers = json_get(told, "peers");
    Contents contents = {0};
    Text trouble = {0};
    Child child = {.command = command, .capture = json_true(told, "result")};
    signal(SIGTERM, leave); /* while nothing runs: process 1 would ignore them */
    signal(SIGINT, leave);
    int outputs = peers && peers->count ? hold(directory, "main.outputs") : -1, own = hold(directory, name);
    write_number(directory, "pid-", name, (int)getpid());
    if (json_true(told, "keep_log")) child.log = joined(directory, "log-", name);
    open_to_pauses(directory, name);
    int refusal = wait_for_others(json_get(told, "after"), directory, &trouble);
    if (!refusal) {
        pause_before(directory, name);
        look_here(command, directory);
        if (!attempts(&child, told, &trouble)) refusal = CANNOT_START;
        else if (!child.asked_to_stop) pause_after(directory, name);
    }
    contents.code = refusal ? refusal : child.code;
    if (refusal) {
        contents.message = trouble;
        fprintf(stderr, "%s\n", trouble.data);
    }
    if (outputs >= 0) gather(peers, name, directory, contents.code, own);
    collect(&contents, told, refusal ? NULL : &child, directory);
    report(&contents, told, directory);
    write_number(directory, "exit-", name, contents.code);
    close(outputs >= 0 ? outputs : own);
    return contents.code;
}

static int signal_shim(const char *word, const char *directory) {
    const char *container = getenv("ARGO_CONTAINER_NAME");
    int failure;
    Text pid = read_file(joined(directory, "pid-", container && *container ? container : "main"), 16, &failure);
    if (failure || atoi(pid.data) <= 0 || kill(atoi(pid.data), atoi(word)) != 0) {
        fprintf(stderr, "kill: %s\n", strerror(failure ? failure : errno));
        return 1;
    }
    return 0;
}

/* The instructions, from TIPHYS_INSTRUCTIONS, TIPHYS_INSTRUCTIONS_1, … */
static bool instructions(Json *told) {
    Text all = {0}, name = text_of("TIPHYS_INSTRUCTIONS");
    int number = 0;
    for (const char *piece; (piece = getenv(name.data)); name = text_of("TIPHYS_INSTRUCTIONS"), add_format(&name, "_%d", ++number))
        add_word(&all, piece);
    return all.size && json_parse(all.data, all.size, told);
}

int main(int count, char **words) {
    const char *mount = getenv("TIPHYS_MOUNT_TIPHYS_SHIM");
    const char *directory = mount && *mount ? mount : SHIM_MOUNT;
    Json told;
    if (count == 3 && strcmp(words[1], "kill") == 0) return signal_shim(words[2], directory);
    if (count == 3 && strcmp(words[1], "progress") == 0 && strtod(words[2], NULL) > 0) return tell_progress(directory, strtod(words[2], NULL));
    if (count < 3 || strcmp(words[1], "--") != 0) {
        fprintf(stderr, "usage: shim -- COMMAND [ARG...] | shim kill SIGNAL | shim progress SECONDS\n");
        return CANNOT_START;
    }
    if (!instructions(&told)) {
        fprintf(stderr, "no readable TIPHYS_INSTRUCTIONS in the environment: this program runs inside a workflow's pod\n");
        return CANNOT_START;
    }
    return run(words + 2, &told, directory);
}
