/* One command: started in its own process group, watched, and ended with all that belongs to it. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_GRACE_MS 2000 /* after the command's end, for whoever it left behind with our pipe open */
#define READ_BYTES (64 << 10)
#define KEPT (RESULT_BYTES_MAX + 1) /* the one trailing newline does not count */

extern char **environ;
static int wakeup = -1;
static struct sigaction before[NSIG];

static void noted(int number) {
    int saved = errno;
    unsigned char byte = (unsigned char)number;
    (void)!write(wakeup, &byte, 1);
    errno = saved;
}

static bool forwarded(int number) {
    switch (number) {
    case SIGKILL: case SIGSTOP: case SIGURG: case SIGPIPE: case SIGXFSZ:                                  /* not ours */
    case SIGSEGV: case SIGBUS: case SIGFPE: case SIGILL: case SIGABRT: case SIGTRAP: case SIGSYS: return false; /* faults */
    }
    return true;
}

static void install(void) {
    for (int number = 1; number < NSIG; number++) {
        if (!forwarded(number)) continue;
        struct sigaction action = {.sa_handler = noted, .sa_flags = SA_RESTART};
        if (sigaction(number, &action, &before[number]) != 0) before[number].sa_handler = SIG_ERR; /* the C library's */
    }
}

static void restore(void) {
    for (int number = 1; number < NSIG; number++)
        if (forwarded(number) && before[number].sa_handler != SIG_ERR) sigaction(number, &before[number], NULL);
}

static long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* The command's environment: all but the instructions, which are none of its business. */
static char **environment(void) {
    size_t count = 0, kept = 0;
    while (environ[count]) count++;
    char **chosen = allocate((count + 1) * sizeof *chosen);
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "TIPHYS_INSTRUCTIONS", 19) != 0) chosen[kept++] = environ[i];
    chosen[kept] = NULL;
    return chosen;
}

static void reason(const char *program, int error, Text *out) {
    *out = text_of("cannot start '");
    add_word(out, program);
    if (error == ENOENT) add_word(out, strchr(program, '/') ? "': no such file or directory" : "': executable file not found in $PATH");
    else if (error == EACCES) add_word(out, "': it is not executable");
    else if (error == ENOEXEC) add_word(out, "': not a program for this machine (a script needs a #! line)");
    else {
        add_word(out, "': ");
        add_word(out, strerror(error));
    }
}

/* In the child: become the command. `outputs` replace 1 and 2 where they are not -1. */
static void become(const Child *child, const int outputs[2], int failure) {
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    for (int i = 0; i < 2; i++)
        if (outputs[i] >= 0) dup2(outputs[i], i + 1);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    environ = environment();
    const char *program = child->command[0];
    if (strchr(program, '/')) execve(program, child->command, environ); /* execvp would try a shell for ENOEXEC */
    else execvpe(program, child->command, environ);
    int error = errno;
    (void)!write(failure, &error, sizeof error);
    _exit(CANNOT_START);
}

static pid_t start(const Child *child, int readers[2], Text *trouble) {
    int outputs[2] = {-1, -1}, failure[2], error = 0;
    for (int i = 0; i < 2; i++) {
        int pair[2];
        if (!(child->log || (child->capture && i == 0))) continue;
        if (pipe2(pair, O_CLOEXEC) != 0) _exit(CANNOT_START);
        readers[i] = pair[0];
        outputs[i] = pair[1];
    }
    if (pipe2(failure, O_CLOEXEC) != 0) _exit(CANNOT_START);
    pid_t pid = fork();
    if (pid == 0) become(child, outputs, failure[1]);
    if (pid > 0) setpgid(pid, pid); /* whoever is first */
    for (int i = 0; i < 2; i++)
        if (outputs[i] >= 0) close(outputs[i]);
    close(failure[1]);
    if (pid < 0) error = errno;
    else while (read(failure[0], &error, sizeof error) < 0 && errno == EINTR) continue;
    close(failure[0]);
    if (!error) return pid;
    if (pid > 0) waitpid(pid, NULL, 0);
    reason(child->command[0], error, trouble);
    return -1;
}

/* Collect whoever has ended; whether the command is among them. */
static bool reap(pid_t command, int *code) {
    bool ended = false;
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        if (pid == command) {
            ended = true;
            *code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
    return ended;
}

static void keep(Child *child, const char *data, size_t size) {
    add(&child->tail, data, size);
    if (child->tail.size > 2 * KEPT) {
        memmove(child->tail.data, child->tail.data + child->tail.size - KEPT, KEPT);
        child->tail.size = KEPT;
    }
}

/* Pass on what a pipe holds; whether more may come. */
static bool copy(Child *child, int reader, int target, int log, char *buffer) {
    ssize_t got = read(reader, buffer, READ_BYTES);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (got <= 0) return false;
    if (child->capture && target == 1) keep(child, buffer, (size_t)got);
    write_all(target, buffer, (size_t)got);
    if (log >= 0) write_all(log, buffer, (size_t)got);
    return true;
}

static void pass_on(Child *child, pid_t pid, int signals, bool *ended) {
    unsigned char numbers[256];
    ssize_t got = read(signals, numbers, sizeof numbers);
    for (ssize_t i = 0; i < got; i++) {
        int number = numbers[i];
        if (number == SIGCHLD) {
            if (reap(pid, &child->code)) *ended = true;
        } else if (!*ended) {
            if (number == SIGTERM || number == SIGINT || number == SIGQUIT) child->asked_to_stop = true;
            if (killpg(pid, number) != 0 && errno == EPERM) kill(pid, number); /* the leader may still be ours */
        }
    }
}

static void follow(Child *child, pid_t pid, int signals, int readers[2], int log) {
    char *buffer = allocate(READ_BYTES);
    bool ended = reap(pid, &child->code);
    long long close_at = ended ? now_ms() + OUTPUT_GRACE_MS : 0;
    while (!ended || readers[0] >= 0 || readers[1] >= 0) {
        long long left = close_at - now_ms();
        if (ended && left <= 0) break;
        struct pollfd polled[3] = {{signals, POLLIN, 0}, {readers[0], POLLIN, 0}, {readers[1], POLLIN, 0}};
        if (poll(polled, 3, ended ? (int)left + 1 : -1) < 0) continue;
        if (polled[0].revents) pass_on(child, pid, signals, &ended);
        for (int i = 0; i < 2; i++)
            if (readers[i] >= 0 && polled[i + 1].revents && !copy(child, readers[i], i + 1, log, buffer)) {
                close(readers[i]);
                readers[i] = -1;
            }
        if (ended && !close_at) close_at = now_ms() + OUTPUT_GRACE_MS;
    }
}

bool child_run(Child *child, Text *trouble) {
    int signals[2], readers[2] = {-1, -1};
    int log = child->log ? open(child->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    if (log < 0) child->log = NULL;
    if (getpid() != 1) prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* the parent of what the command leaves behind */
    if (pipe2(signals, O_CLOEXEC | O_NONBLOCK) != 0) _exit(CANNOT_START);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    wakeup = signals[1];
    install();
    pid_t pid = start(child, readers, trouble);
    if (pid > 0) follow(child, pid, signals[0], readers, log);
    restore();
    for (int i = 0; i < 2; i++) {
        close(signals[i]);
        if (readers[i] >= 0) close(readers[i]);
    }
    if (log >= 0) close(log);
    return pid > 0;
}

Text child_result(const Child *child) {
    Text tail = child->tail;
    bool newline = tail.size && tail.data[tail.size - 1] == '\n';
    size_t limit = newline ? KEPT : RESULT_BYTES_MAX;
    size_t start = tail.size > limit ? tail.size - limit : 0, end = tail.size - (newline ? 1 : 0);
    if (end - start >= RESULT_BYTES_MAX - 1) /* the tail of a long output may begin inside a character */
        for (int i = 0; i < 3 && start < end && (tail.data[start] & 0xC0) == 0x80; i++) start++;
    return clean_utf8(tail.data + start, end - start);
}
