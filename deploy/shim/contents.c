/* What the command made: its result, its parameters, its own message and progress, and the artifacts to pack. */
#include "shim.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The value of an output parameter; false: there is none, and why. */
static bool parameter(const Json *entry, Text *value, Text *error) {
    const char *path = json_text(entry, "path", "");
    const Json *otherwise = json_get(entry, "default");
    int failure = 0;
    Text read = {0};
    if (*path) read = read_file(path, CONTENT_BYTES_MAX + 1, &failure);
    if ((!*path || failure) && otherwise) {
        *value = otherwise->text;
        return true;
    }
    if (!*path) {
        *error = text_of("no path and no default");
        return false;
    }
    if (failure) {
        *error = text_of("cannot read ");
        add_word(error, path);
        add_word(error, ": ");
        add_word(error, failure == ENOENT ? "no such file" : strerror(failure));
        add_word(error, "; write the file, or give the parameter a valueFrom.default");
        return false;
    }
    if (read.size > CONTENT_BYTES_MAX) {
        *error = text_of(path);
        add_format(error, " has more than %d bytes: make it an output artifact", CONTENT_BYTES_MAX);
        return false;
    }
    size_t start = 0, end = read.size - (read.size && read.data[read.size - 1] == '\n' ? 1 : 0);
    if (end >= RESULT_BYTES_MAX - 1)
        for (int i = 0; i < 3 && start < end && (read.data[start] & 0xC0) == 0x80; i++) start++;
    *value = clean_utf8(read.data + start, end - start);
    return true;
}

static void parameters(Contents *contents, const Json *wanted) {
    Text values = text_of("{");
    for (size_t i = 0; wanted && i < wanted->count; i++) {
        const Json *entry = &wanted->items[i], *name = json_get(entry, "name");
        Text value = {0}, error = {0};
        if (!name) continue;
        if (parameter(entry, &value, &error)) {
            if (values.size > 1) add_word(&values, ",");
            add_json_string(&values, name->text);
            add_word(&values, ":");
            add_json_string(&values, value);
        } else if (!contents->error.data) {
            contents->error = text_of("output parameter '");
            add(&contents->error, name->text.data, name->text.size);
            add_word(&contents->error, "': ");
            add(&contents->error, error.data, error.size);
        }
    }
    add_word(&values, "}");
    if (values.size > 2) contents->parameters = values;
}

void collect(Contents *contents, const Json *told, const Child *child, const char *directory) {
    int failure;
    if (json_true(told, "result")) {
        contents->has_result = true;
        contents->result = child ? child_result(child) : text_of("");
    }
    const char *message = json_text(told, "user_message", "");
    if (*message && strcmp(directory, SHIM_MOUNT) == 0 && !contents->message.data) {
        Text raw = read_file(message, MESSAGE_CHARACTERS_MAX, &failure);
        Text said = stripped(clean_utf8(raw.data, raw.size));
        if (said.size) contents->message = said;
    }
    contents->progress = last_progress(directory);
    parameters(contents, json_get(told, "parameters"));
    const Json *staged = json_get(told, "staged");
    for (size_t i = 0; staged && i < staged->count; i++) stage(&staged->items[i], directory);
}
