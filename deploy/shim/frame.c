/* The frame: one line that says how the command ended, and what does not fit it at the end of the log. */
#include "shim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define SPILL_CHUNK 3000

static Text packed(Text payload) {
    uLongf size = compressBound(payload.size);
    unsigned char *out = allocate(size);
    compress2(out, &size, (const unsigned char *)payload.data, payload.size, 6);
    return base64(out, size);
}

static Text framed(Text payload, const char *nonce) {
    Text shorter = packed(payload), out = {0};
    char letter = 'j';
    if (shorter.size < payload.size) {
        payload = shorter;
        letter = 'z';
    }
    uLong checksum = crc32(0, (const unsigned char *)payload.data, (uInt)payload.size);
    add_word(&out, "tiphys/1 ");
    add_word(&out, nonce);
    add_format(&out, " %c %zu %08lx ", letter, payload.size, checksum);
    add(&out, payload.data, payload.size);
    return out;
}

static void member(Text *out, const char *name, Text text) {
    if (!text.data) return;
    add_format(out, ",\"%s\":", name);
    add_json_string(out, text);
}

static Text payload_of(const Contents *contents) {
    Text out = {0};
    add_format(&out, "{\"code\":%d", contents->code);
    if (contents->has_result) member(&out, "result", contents->result);
    member(&out, "message", contents->message.data ? clipped(contents->message, MESSAGE_CHARACTERS_MAX) : contents->message);
    member(&out, "error", contents->error.data ? clipped(contents->error, MESSAGE_CHARACTERS_MAX) : contents->error);
    member(&out, "progress", contents->progress);
    if (contents->parameters.data) {
        add_word(&out, ",\"parameters\":");
        add(&out, contents->parameters.data, contents->parameters.size);
    }
    add_word(&out, "}");
    return out;
}

static size_t spill(Text payload, const char *nonce) {
    Text all = packed(payload);
    size_t lines = 0;
    for (size_t at = 0; at < all.size; at += SPILL_CHUNK) {
        Text line = text_of("tiphys-spill/1 ");
        add_word(&line, nonce);
        add_format(&line, " %zu ", ++lines);
        add(&line, all.data + at, all.size - at < SPILL_CHUNK ? all.size - at : SPILL_CHUNK);
        add_word(&line, "\n");
        write_all(1, line.data, line.size);
    }
    return lines;
}

static Text encoded(const Contents *contents, const char *nonce, size_t limit) {
    Text payload = payload_of(contents), out = framed(payload, nonce), rest = {0};
    if (out.size <= limit) return out;
    if (payload.size > CONTENT_BYTES_MAX) {
        add_format(&rest, "{\"error\":\"outputs have %zu bytes, more than %d: save them as an artifact\",\"code\":%d}", payload.size,
                   CONTENT_BYTES_MAX, contents->code);
        return framed(rest, nonce);
    }
    char hex[65];
    sha256_hex((const unsigned char *)payload.data, payload.size, hex);
    size_t lines = spill(payload, nonce);
    add_format(&rest, "{\"spilled\":{\"bytes\":%zu,\"lines\":%zu,\"sha256\":\"%s\"},\"code\":%d}", payload.size, lines, hex, contents->code);
    return framed(rest, nonce);
}

void report(const Contents *contents, const Json *told, const char *directory) {
    size_t limit = (size_t)json_number(told, "budget", 1500);
    Text text = encoded(contents, json_text(told, "nonce", ""), limit);
    const char *path = getenv("TIPHYS_TERMINATION_MESSAGE_PATH");
    if (!path || !*path) path = joined(directory, "termination-", json_text(told, "container", "main"));
    if (!write_file(path, text.data, text.size)) fprintf(stderr, "cannot write the termination message: %s\n", strerror(errno));
}
