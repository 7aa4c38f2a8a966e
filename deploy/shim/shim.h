/* The shim in C: the same contract as tiphys/executor/shim.py, for images that have no Python.
 *
 * Memory is never given back: the program lives as long as one command and holds little. */
#ifndef SHIM_H
#define SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESULT_BYTES_MAX (256 << 10)
#define CONTENT_BYTES_MAX (2 << 20)
#define MESSAGE_CHARACTERS_MAX 1024
#define SHIM_MOUNT "/var/run/tiphys"
#define CANNOT_START 64
#define STOPPED 143 /* as after SIGTERM */
#define PAUSE_BEFORE "ARGO_DEBUG_PAUSE_BEFORE"
#define PAUSE_AFTER "ARGO_DEBUG_PAUSE_AFTER"

/* Bytes of known length; `data` has a zero behind its end. */
typedef struct {
    char *data;
    size_t size, room;
} Text;

/* text.c */
void *allocate(size_t size);
void add(Text *text, const char *data, size_t size);
void add_word(Text *text, const char *word);
void add_format(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
Text text_of(const char *word);
Text clean_utf8(const char *data, size_t size); /* what is no UTF-8 becomes U+FFFD */
Text clipped(Text text, size_t characters);
Text stripped(Text text);
void add_json_string(Text *out, Text text); /* ASCII only */
Text base64(const unsigned char *data, size_t size);
void sha256_hex(const unsigned char *data, size_t size, char hex[65]);
Text read_file(const char *path, size_t limit, int *error); /* error: 0, or errno */
bool write_file(const char *path, const char *data, size_t size);
void write_all(int descriptor, const char *data, size_t size); /* as long as somebody reads */
char *joined(const char *directory, const char *prefix, const char *name);

/* json.c */
typedef enum { J_NULL, J_BOOL, J_NUMBER, J_STRING, J_LIST, J_MAP } Kind;
typedef struct Json {
    Kind kind;
    double number;
    Text text;
    struct Json *items; /* of a list or a map, in order */
    Text *keys;
    size_t count;
} Json;
bool json_parse(const char *data, size_t size, Json *out);
const Json *json_get(const Json *map, const char *key); /* NULL when absent */
const char *json_text(const Json *map, const char *key, const char *otherwise);
double json_number(const Json *map, const char *key, double otherwise);
bool json_true(const Json *map, const char *key);

/* child.c */
typedef struct {
    char **command;
    bool capture;
    const char *log; /* NULL: none is kept */
    int code;
    Text tail; /* the end of its stdout */
    bool asked_to_stop;
} Child;
bool child_run(Child *child, Text *trouble); /* false: it could not be started, and why */
Text child_result(const Child *child);

/* contents.c: what is reported */
typedef struct {
    int code;
    bool has_result;
    Text result, message, error, progress; /* data is NULL when absent */
    Text parameters;                       /* a JSON map, NULL when there are none */
} Contents;
void collect(Contents *contents, const Json *told, const Child *child, const char *directory);

/* progress.c */
Text last_progress(const char *directory);                  /* data is NULL when the file says none */
int tell_progress(const char *directory, double every_s);   /* one line on stdout for each change, until a signal */

/* pause.c: only where the environment asks for it */
void open_to_pauses(const char *directory, const char *container);
void pause_before(const char *directory, const char *container);
void pause_after(const char *directory, const char *container); /* SIGTERM ends it, and what follows is still done */

/* shim.c */
void pause_s(double seconds);

/* frame.c */
void report(const Contents *contents, const Json *told, const char *directory);

/* stage.c, tar.c */
void stage(const Json *artifact, const char *directory);
bool pack_tar(const char *source, const char *name, const char *target, int level, bool plain, Text *trouble);

#endif
