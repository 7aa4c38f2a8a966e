/* Instructions are JSON: parsed whole, then asked by name. */
#include "shim.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32

typedef struct {
    const char *at, *end;
} Input;

static void skip(Input *in) {
    while (in->at < in->end && strchr(" \t\r\n", *in->at) && *in->at) in->at++;
}

static bool take(Input *in, char c) {
    skip(in);
    if (in->at >= in->end || *in->at != c) return false;
    in->at++;
    return true;
}

static bool hex4(Input *in, uint32_t *code) {
    if (in->end - in->at < 4) return false;
    char digits[5] = {in->at[0], in->at[1], in->at[2], in->at[3], 0}, *rest;
    *code = (uint32_t)strtoul(digits, &rest, 16);
    in->at += 4;
    return *rest == 0;
}

static void add_code(Text *out, uint32_t code) {
    if (code < 0x80) add(out, (char[]){(char)code}, 1);
    else if (code < 0x800) add(out, (char[]){(char)(0xC0 | code >> 6), (char)(0x80 | (code & 0x3F))}, 2);
    else if (code < 0x10000) add(out, (char[]){(char)(0xE0 | code >> 12), (char)(0x80 | (code >> 6 & 0x3F)), (char)(0x80 | (code & 0x3F))}, 3);
    else
        add(out, (char[]){(char)(0xF0 | code >> 18), (char)(0x80 | (code >> 12 & 0x3F)), (char)(0x80 | (code >> 6 & 0x3F)),
                          (char)(0x80 | (code & 0x3F))}, 4);
}

static bool escaped(Input *in, Text *out) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (in->at >= in->end) return false;
    char c = *in->at++;
    if (c != 'u') {
        const char *found = c ? strchr(from, c) : NULL;
        if (!found) return false;
        add(out, to + (found - from), 1);
        return true;
    }
    uint32_t code, low;
    if (!hex4(in, &code)) return false;
    if (code >= 0xD800 && code < 0xDC00 && in->end - in->at > 6 && in->at[0] == '\\' && in->at[1] == 'u') {
        in->at += 2;
        if (!hex4(in, &low)) return false;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    add_code(out, code);
    return true;
}

static bool string(Input *in, Text *out) {
    *out = (Text){0};
    add(out, "", 0);
    if (!take(in, '"')) return false;
    while (in->at < in->end && *in->at != '"') {
        if (*in->at == '\\') {
            in->at++;
            if (!escaped(in, out)) return false;
        } else {
            add(out, in->at++, 1);
        }
    }
    return take(in, '"');
}

static bool value(Input *in, Json *out, int depth);

static bool members(Input *in, Json *out, char end, int depth) {
    size_t room = 0;
    if (take(in, end)) return true;
    do {
        if (out->count == room) {
            room = room ? 2 * room : 8;
            Json *items = allocate(room * sizeof *items);
            Text *keys = allocate(room * sizeof *keys);
            if (out->count) {
                memcpy(items, out->items, out->count * sizeof *items);
                memcpy(keys, out->keys, out->count * sizeof *keys);
            }
            out->items = items;
            out->keys = keys;
        }
        out->keys[out->count] = (Text){0};
        if (end == '}' && !(string(in, &out->keys[out->count]) && take(in, ':'))) return false;
        if (!value(in, &out->items[out->count], depth)) return false;
        out->count++;
    } while (take(in, ','));
    return take(in, end);
}

static bool word(Input *in, const char *expected) {
    size_t size = strlen(expected);
    if ((size_t)(in->end - in->at) < size || memcmp(in->at, expected, size) != 0) return false;
    in->at += size;
    return true;
}

static bool value(Input *in, Json *out, int depth) {
    *out = (Json){0};
    if (depth > DEPTH_MAX) return false;
    skip(in);
    if (in->at >= in->end) return false;
    switch (*in->at) {
    case '{': in->at++; out->kind = J_MAP; return members(in, out, '}', depth + 1);
    case '[': in->at++; out->kind = J_LIST; return members(in, out, ']', depth + 1);
    case '"': out->kind = J_STRING; return string(in, &out->text);
    case 't': out->kind = J_BOOL; out->number = 1; return word(in, "true");
    case 'f': out->kind = J_BOOL; return word(in, "false");
    case 'n': return word(in, "null");
    }
    char *rest;
    out->kind = J_NUMBER;
    out->number = strtod(in->at, &rest); /* the whole text ends with a zero */
    if (rest == in->at) return false;
    in->at = rest;
    return true;
}

bool json_parse(const char *data, size_t size, Json *out) {
    Input in = {data, data + size};
    if (!value(&in, out, 0)) return false;
    skip(&in);
    return in.at == in.end;
}

const Json *json_get(const Json *map, const char *key) {
    for (size_t i = 0; map && map->kind == J_MAP && i < map->count; i++)
        if (strcmp(map->keys[i].data, key) == 0 && map->items[i].kind != J_NULL) return &map->items[i];
    return NULL;
}

const char *json_text(const Json *map, const char *key, const char *otherwise) {
    const Json *found = json_get(map, key);
    return found && found->kind == J_STRING ? found->text.data : otherwise;
}

double json_number(const Json *map, const char *key, double otherwise) {
    const Json *found = json_get(map, key);
    return found && found->kind == J_NUMBER ? found->number : otherwise;
}

bool json_true(const Json *map, const char *key) {
    const Json *found = json_get(map, key);
    return found && found->kind == J_BOOL && found->number != 0;
}
