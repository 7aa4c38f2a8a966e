/* Bytes, and what they look like in the places where they travel. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *allocate(size_t size) {
    void *memory = malloc(size ? size : 1);
    if (!memory) {
        dprintf(2, "out of memory\n");
        _exit(CANNOT_START);
    }
    return memory;
}

void add(Text *text, const char *data, size_t size) {
    if (text->size + size + 1 > text->room) {
        size_t room = (text->size + size + 1) * 2;
        char *more = allocate(room);
        if (text->size) memcpy(more, text->data, text->size);
        free(text->data);
        text->data = more;
        text->room = room;
    }
    if (size) memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = 0;
}

void add_word(Text *text, const char *word) { add(text, word, strlen(word)); }

void add_format(Text *text, const char *format, ...) {
    char buffer[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    add(text, buffer, size < 0 ? 0 : (size_t)size < sizeof buffer ? (size_t)size : sizeof buffer - 1);
}

Text text_of(const char *word) {
    Text text = {0};
    add_word(&text, word);
    return text;
}

/* The length of the character that begins at `at`, or minus the length of the bytes that begin one and end too early. */
static int character(const unsigned char *at, size_t left) {
    unsigned char first = at[0];
    if (first < 0x80) return 1;
    int length = first >= 0xC2 && first <= 0xDF ? 2 : first >= 0xE0 && first <= 0xEF ? 3 : first >= 0xF0 && first <= 0xF4 ? 4 : 0;
    if (!length) return -1;
    for (int i = 1; i < length; i++) {
        if ((size_t)i >= left) return -i;
        unsigned char low = 0x80, high = 0xBF;
        if (i == 1) {
            if (first == 0xE0) low = 0xA0;
            if (first == 0xED) high = 0x9F;
            if (first == 0xF0) low = 0x90;
            if (first == 0xF4) high = 0x8F;
        }
        if (at[i] < low || at[i] > high) return -i;
    }
    return length;
}

Text clean_utf8(const char *data, size_t size) {
    Text out = {0};
    add(&out, "", 0);
    for (size_t i = 0; i < size;) {
        int length = character((const unsigned char *)data + i, size - i);
        if (length > 0) {
            add(&out, data + i, (size_t)length);
            i += (size_t)length;
        } else {
            add(&out, "\xEF\xBF\xBD", 3);
            i += (size_t)-length;
        }
    }
    return out;
}

Text clipped(Text text, size_t characters) {
    size_t i = 0;
    while (i < text.size && characters--) {
        int length = character((const unsigned char *)text.data + i, text.size - i);
        i += (size_t)(length > 0 ? length : -length);
    }
    if (i < text.size) text.data[text.size = i] = 0;
    return text;
}

static bool blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

Text stripped(Text text) {
    size_t start = 0, end = text.size;
    while (start < end && blank(text.data[start])) start++;
    while (end > start && blank(text.data[end - 1])) end--;
    Text out = {0};
    add(&out, text.data + start, end - start);
    return out;
}

void add_json_string(Text *out, Text text) {
    add(out, "\"", 1);
    const unsigned char *at = (const unsigned char *)text.data;
    for (size_t i = 0; i < text.size;) {
        int length = character(at + i, text.size - i);
        uint32_t code;
        if (length == 1) code = at[i];
        else if (length == 2) code = (uint32_t)(at[i] & 0x1F) << 6 | (at[i + 1] & 0x3F);
        else if (length == 3) code = (uint32_t)(at[i] & 0x0F) << 12 | (uint32_t)(at[i + 1] & 0x3F) << 6 | (at[i + 2] & 0x3F);
        else if (length == 4)
            code = (uint32_t)(at[i] & 0x07) << 18 | (uint32_t)(at[i + 1] & 0x3F) << 12 | (uint32_t)(at[i + 2] & 0x3F) << 6 |
                   (at[i + 3] & 0x3F);
        else code = 0xFFFD;
        i += (size_t)(length > 0 ? length : -length);
        if (code == '"' || code == '\\') add_format(out, "\\%c", (char)code);
        else if (code >= 0x20 && code < 0x7F) add(out, (char[]){(char)code}, 1);
        else if (code < 0x10000) add_format(out, "\\u%04x", code);
        else add_format(out, "\\u%04x\\u%04x", 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF));
    }
    add(out, "\"", 1);
}

Text base64(const unsigned char *data, size_t size) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    Text out = {0};
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t group = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) | (left > 2 ? data[i + 2] : 0);
        char four[4] = {letters[group >> 18], letters[group >> 12 & 63], left > 1 ? letters[group >> 6 & 63] : '=',
                        left > 2 ? letters[group & 63] : '='};
        add(&out, four, 4);
    }
    return out;
}

static uint32_t turned(uint32_t x, int by) { return x >> by | x << (32 - by); }

static void sha256_block(uint32_t state[8], const unsigned char *block) {
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
        0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
        0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
        0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
        0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
        0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; i++)
        w[i] = w[i - 16] + (turned(w[i - 15], 7) ^ turned(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
               (turned(w[i - 2], 17) ^ turned(w[i - 2], 19) ^ w[i - 2] >> 10);
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t one = s[7] + (turned(s[4], 6) ^ turned(s[4], 11) ^ turned(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
        uint32_t two = (turned(s[0], 2) ^ turned(s[0], 13) ^ turned(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += one;
        s[0] = one + two;
    }
    for (int i = 0; i < 8; i++) state[i] += s[i];
}

void sha256_hex(const unsigned char *data, size_t size, char hex[65]) {
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    unsigned char last[128] = {0};
    size_t whole = size / 64 * 64, rest = size - whole, length = rest < 56 ? 64 : 128;
    for (size_t i = 0; i < whole; i += 64) sha256_block(state, data + i);
    if (rest) memcpy(last, data + whole, rest);
    last[rest] = 0x80;
    for (int i = 0; i < 8; i++) last[length - 1 - (size_t)i] = (unsigned char)((uint64_t)size * 8 >> 8 * i);
    for (size_t i = 0; i < length; i += 64) sha256_block(state, last + i);
    for (int i = 0; i < 8; i++) snprintf(hex + 8 * i, 9, "%08x", state[i]);
}

Text read_file(const char *path, size_t limit, int *error) {
    Text out = {0};
    add(&out, "", 0);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    *error = file < 0 ? errno : 0;
    if (file < 0) return out;
    char *buffer = allocate(64 << 10);
    while (out.size < limit) {
        size_t wanted = limit - out.size < (64 << 10) ? limit - out.size : 64 << 10;
        ssize_t got = read(file, buffer, wanted);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) *error = errno;
        if (got <= 0) break;
        add(&out, buffer, (size_t)got);
    }
    free(buffer);
    close(file);
    return out;
}

bool write_file(const char *path, const char *data, size_t size) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) return false;
    write_all(file, data, size);
    return close(file) == 0;
}

void write_all(int descriptor, const char *data, size_t size) {
    while (size) {
        ssize_t done = write(descriptor, data, size);
        if (done >= 0) {
            data += done;
            size -= (size_t)done;
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){.fd = descriptor, .events = POLLOUT}, 1, -1);
        } else if (errno != EINTR) {
            return; /* nobody reads it any more: the command's own fate is not decided by that */
        }
    }
}

char *joined(const char *directory, const char *prefix, const char *name) {
    Text path = text_of(directory);
    add_word(&path, "/");
    add_word(&path, prefix);
    add_word(&path, name);
    return path.data;
}
