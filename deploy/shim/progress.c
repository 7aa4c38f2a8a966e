/* How far the command is, as it says itself in a file of the shared volume: the last line `N/M`. */
#include "shim.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAIL_BYTES 4096 /* of a file that is only ever appended to */
#define DIGITS_MAX 18

static void leave(int number) {
    (void)number;
    _exit(0);
}

/* A whole number of nothing but digits, or -1. */
static long long number_of(const char *text, size_t size) {
    if (size == 0 || size > DIGITS_MAX) return -1;
    for (size_t i = 0; i < size; i++)
        if (text[i] < '0' || text[i] > '9') return -1;
    return strtoll(text, NULL, 10);
}

static bool says_some(Text line) {
    const char *slash = memchr(line.data, '/', line.size);
    if (!slash) return false;
    size_t done_size = (size_t)(slash - line.data);
    long long done = number_of(line.data, done_size), total = number_of(slash + 1, line.size - done_size - 1);
    return done >= 0 && total > 0 && done <= total;
}

static Text end_of(const char *path) {
    char buffer[TAIL_BYTES];
    Text out = {0};
    add(&out, "", 0);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return out;
    off_t size = lseek(file, 0, SEEK_END);
    ssize_t got = pread(file, buffer, sizeof buffer, size > TAIL_BYTES ? size - TAIL_BYTES : 0);
    if (got > 0) add(&out, buffer, (size_t)got);
    close(file);
    return out;
}

Text last_progress(const char *directory) {
    char *path = joined(directory, "", "progress");
    Text text = end_of(path);
    free(path);
    for (size_t end = text.size; end > 0;) {
        size_t start = end;
        while (start > 0 && text.data[start - 1] != '\n') start--;
        Text line = stripped((Text){.data = text.data + start, .size = end - start});
        if (line.data && says_some(line)) {
            free(text.data);
            return line;
        }
        free(line.data);
        end = start ? start - 1 : 0;
    }
    free(text.data);
    return (Text){0};
}

int tell_progress(const char *directory, double every_s) {
    Text told = {0};
    signal(SIGTERM, leave);
    signal(SIGINT, leave);
    while (true) {
        Text now = last_progress(directory);
        if (now.data && (!told.data || strcmp(now.data, told.data) != 0)) {
            free(told.data);
            told = text_of(now.data);
            add_word(&now, "\n");
            write_all(1, now.data, now.size);
        }
        free(now.data);
        pause_s(every_s);
    }
}
