/* A tar as a stream, gzipped or not: links that are the artifact are followed, links inside it stay links. */
#include "shim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define BLOCK 512
#define OCTAL_11 077777777777ULL

typedef struct {
    gzFile packed;
    int plain;
    Text trouble; /* data is NULL while all is well */
} Sink;

static void failed(Sink *sink, const char *what, int error) {
    if (sink->trouble.data) return;
    sink->trouble = text_of(what);
    add_word(&sink->trouble, ": ");
    add_word(&sink->trouble, strerror(error));
}

static void put(Sink *sink, const void *data, size_t size) {
    if (sink->trouble.data || !size) return;
    if (sink->packed) {
        if (gzwrite(sink->packed, data, (unsigned)size) != (int)size) failed(sink, "cannot write the archive", errno ? errno : EIO);
        return;
    }
    for (const char *at = data; size;) {
        ssize_t done = write(sink->plain, at, size);
        if (done < 0 && errno != EINTR) {
            failed(sink, "cannot write the archive", errno);
            return;
        }
        if (done > 0) {
            at += done;
            size -= (size_t)done;
        }
    }
}

static void pad(Sink *sink, unsigned long long size) {
    static const char zeros[BLOCK];
    put(sink, zeros, (BLOCK - size % BLOCK) % BLOCK);
}

static void header(Sink *sink, const char *name, const char *link, char type, unsigned mode, unsigned long long size, long long mtime) {
    char block[BLOCK] = {0};
    unsigned sum = 0;
    memcpy(block, name, strnlen(name, 100));
    snprintf(block + 100, 8, "%07o", mode & 07777);
    snprintf(block + 108, 8, "%07o", 0);
    snprintf(block + 116, 8, "%07o", 0);
    snprintf(block + 124, 12, "%011llo", size > OCTAL_11 ? 0 : size);
    snprintf(block + 136, 12, "%011llo", mtime < 0 ? 0ULL : (unsigned long long)mtime & OCTAL_11);
    memset(block + 148, ' ', 8);
    block[156] = type;
    memcpy(block + 157, link, strnlen(link, 100));
    memcpy(block + 257, "ustar\00000", 8);
    for (int i = 0; i < BLOCK; i++) sum += (unsigned char)block[i];
    snprintf(block + 148, 8, "%06o", sum);
    put(sink, block, BLOCK);
}

/* A record `LENGTH key=value\n`, whose length counts itself. */
static void record(Text *records, const char *key, const char *value) {
    size_t rest = strlen(key) + strlen(value) + 3, length = rest + 1;
    for (size_t digits = 1, bound = 10; length >= bound; bound *= 10) length = rest + ++digits;
    add_format(records, "%zu ", length);
    add_word(records, key);
    add_word(records, "=");
    add_word(records, value);
    add_word(records, "\n");
}

/* What the old header has no room for comes in an extended one before it. */
static void entry(Sink *sink, const char *name, const char *link, char type, const struct stat *found, unsigned long long size) {
    Text records = {0};
    char number[32];
    if (strlen(name) > 100) record(&records, "path", name);
    if (strlen(link) > 100) record(&records, "linkpath", link);
    snprintf(number, sizeof number, "%llu", size);
    if (size > OCTAL_11) record(&records, "size", number);
    if (records.size) {
        header(sink, "././@PaxHeader", "", 'x', 0644, records.size, 0);
        put(sink, records.data, records.size);
        pad(sink, records.size);
    }
    header(sink, name, link, type, found->st_mode, size, found->st_mtime);
}

static void contents(Sink *sink, const char *path, unsigned long long size) {
    static char buffer[1 << 16];
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) failed(sink, path, errno);
    unsigned long long left = size;
    while (left && !sink->trouble.data) {
        ssize_t got = read(file, buffer, left < sizeof buffer ? left : sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) failed(sink, path, errno);
        if (got == 0) { /* it became shorter meanwhile */
            memset(buffer, 0, sizeof buffer);
            got = (ssize_t)(left < sizeof buffer ? left : sizeof buffer);
        }
        if (got > 0) {
            put(sink, buffer, (size_t)got);
            left -= (unsigned long long)got;
        }
    }
    if (file >= 0) close(file);
    pad(sink, size);
}

static void tree(Sink *sink, const char *path, const char *name);

static void below(Sink *sink, const char *path, const char *name) {
    struct dirent **found;
    int count = scandir(path, &found, NULL, alphasort);
    if (count < 0) {
        failed(sink, path, errno);
        return;
    }
    for (int i = 0; i < count; i++) {
        const char *own = found[i]->d_name;
        if (strcmp(own, ".") == 0 || strcmp(own, "..") == 0) continue;
        char *inner = joined(path, "", own), *shown = joined(name, "", own);
        tree(sink, inner, shown);
        free(inner);
        free(shown);
    }
}

static void tree(Sink *sink, const char *path, const char *name) {
    struct stat found;
    if (sink->trouble.data) return;
    if (lstat(path, &found) != 0) {
        failed(sink, path, errno);
    } else if (S_ISDIR(found.st_mode)) {
        char *folder = joined(name, "", "");
        entry(sink, folder, "", '5', &found, 0);
        free(folder);
        below(sink, path, name);
    } else if (S_ISLNK(found.st_mode)) {
        char target[PATH_MAX];
        ssize_t size = readlink(path, target, sizeof target - 1);
        if (size < 0) failed(sink, path, errno);
        target[size < 0 ? 0 : size] = 0;
        entry(sink, name, target, '2', &found, 0);
    } else if (S_ISREG(found.st_mode)) {
        entry(sink, name, "", '0', &found, (unsigned long long)found.st_size);
        contents(sink, path, (unsigned long long)found.st_size);
    } /* sockets, pipes and devices are no contents of an artifact */
}

bool pack_tar(const char *source, const char *name, const char *target, int level, bool plain, Text *trouble) {
    static const char end[2 * BLOCK];
    Sink sink = {.plain = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
    char mode[4] = "wb6", *real = realpath(source, NULL);
    if (level >= 0 && level <= 9) mode[2] = (char)('0' + level);
    if (level == -2) mode[2] = 'h'; /* Huffman coding alone */
    if (sink.plain < 0 || !real) {
        failed(&sink, sink.plain < 0 ? target : source, errno);
    } else {
        if (!plain) sink.packed = gzdopen(sink.plain, mode);
        tree(&sink, real, name);
        put(&sink, end, sizeof end);
    }
    errno = 0;
    if (sink.packed ? gzclose(sink.packed) != Z_OK : sink.plain >= 0 && close(sink.plain) != 0) failed(&sink, target, errno ? errno : EIO);
    *trouble = sink.trouble;
    return !sink.trouble.data;
}
