/* Output artifacts of the main container are packed onto the shared volume; what goes wrong is written beside them. */
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

static bool copy_tree(const char *source, const char *target, bool follow, Text *trouble);

static bool refused(Text *trouble, const char *path) {
    *trouble = text_of(path);
    add_word(trouble, ": ");
    add_word(trouble, strerror(errno));
    return false;
}

static bool copy_file(const char *source, const char *target, mode_t mode, Text *trouble) {
    static char buffer[1 << 16];
    int from = open(source, O_RDONLY | O_CLOEXEC), to = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ssize_t got = -1;
    bool good = from >= 0 && to >= 0;
    while (good && (got = read(from, buffer, sizeof buffer)) != 0) {
        if (got < 0 && errno == EINTR) continue;
        for (ssize_t at = 0, done; good && at < got; at += done)
            if ((done = write(to, buffer + at, (size_t)(got - at))) < 0) {
                good = errno == EINTR;
                done = 0;
            }
        good = good && got > 0;
    }
    if (!good) refused(trouble, from < 0 ? source : target);
    if (to >= 0) {
        fchmod(to, (mode & 0777) | 0444); /* wait may run as somebody else */
        close(to);
    }
    if (from >= 0) close(from);
    return good;
}

static bool copy_folder(const char *source, const char *target, mode_t mode, Text *trouble) {
    if (mkdir(target, (mode & 0777) | 0755) != 0 && errno != EEXIST) return refused(trouble, target);
    DIR *folder = opendir(source);
    if (!folder) return refused(trouble, source);
    bool good = true;
    for (struct dirent *found; good && (found = readdir(folder));) {
        if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0) continue;
        good = copy_tree(joined(source, "", found->d_name), joined(target, "", found->d_name), false, trouble);
    }
    closedir(folder);
    return good;
}

static bool copy_tree(const char *source, const char *target, bool follow, Text *trouble) {
    struct stat found;
    char link[PATH_MAX];
    if ((follow ? stat : lstat)(source, &found) != 0) return refused(trouble, source);
    if (S_ISDIR(found.st_mode)) return copy_folder(source, target, found.st_mode, trouble);
    if (S_ISREG(found.st_mode)) return copy_file(source, target, found.st_mode, trouble);
    if (!S_ISLNK(found.st_mode)) return true;
    ssize_t size = readlink(source, link, sizeof link - 1);
    if (size < 0) return refused(trouble, source);
    link[size] = 0;
    return symlink(link, target) == 0 || refused(trouble, target);
}

/* The last part of a path, as the archive calls its one entry. */
static const char *base_name(char *path) {
    size_t size = strlen(path);
    while (size && path[size - 1] == '/') path[--size] = 0;
    const char *last = strrchr(path, '/');
    const char *name = last ? last + 1 : path;
    return *name ? name : "root";
}

void stage(const Json *artifact, const char *directory) {
    const char *path = json_text(artifact, "path", ""), *form = json_text(artifact, "form", "tar");
    bool zip = strcmp(form, "zip") == 0; /* a plain tar, of which `wait` makes a zip */
    char number[32];
    struct stat found;
    Text trouble = {0};
    if (stat(path, &found) != 0) return; /* `wait` knows whether it had to be there */
    snprintf(number, sizeof number, "%d", (int)json_number(artifact, "number", 0));
    Text target = text_of(joined(directory, "artifact-", number)), error = text_of(target.data);
    if (zip) add_word(&target, ".tar");
    bool good = strcmp(form, "none") == 0
                    ? copy_tree(path, target.data, true, &trouble)
                    : pack_tar(path, base_name(text_of(path).data), target.data, (int)json_number(artifact, "level", -1), zip, &trouble);
    if (good) return;
    add_word(&error, ".error");
    write_file(error.data, trouble.data, trouble.size);
}
