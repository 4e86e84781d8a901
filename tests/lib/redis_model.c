/*
 * redis_model.c: see redis_model.h.
 */
#include "lib/redis_model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHAINS   = 4096,
    COMMANDS = 32,
    WORDS    = 16,
};

struct field {
    struct field *next;
    struct view   name, value; /* owned */
};

struct id {
    uint64_t ms, number;
};

struct entry {
    struct id   id;
    struct view bytes; /* owned */
};

struct key {
    struct key *next;
    char       *name;
    enum {
        HASH,
        STREAM,
        STRING
    } type;
    struct field *chains[CHAINS]; /* HASH; the first one's value is a STRING's */
    size_t        count;
    int64_t       until; /* STRING */
    struct entry *entries;
    struct id     last;
    uint64_t      added;
};

struct redis_model {
    struct key *keys;
    struct {
        char   word[16];
        size_t count;
    } heard[COMMANDS];
    char  *said;
    size_t said_len;
};

/* All that runs has these. */
struct run {
    struct redis_model *model;
    int                 count;
    const struct view  *words;
    int64_t             wall_ms;
    FILE               *out;
};

static bool equal(struct view a, struct view b) { return a.len == b.len && memcmp(a.data, b.data, a.len) == 0; }

static bool is(struct view word, const char *text)
{
    return word.len == strlen(text) && memcmp(word.data, text, word.len) == 0;
}

static struct view copy(struct view bytes)
{
    uint8_t *data = malloc(bytes.len + 1);
    memcpy(data, bytes.data, bytes.len);
    data[bytes.len] = '\0';
    return (struct view){data, bytes.len};
}

static void release(struct view bytes) { free((void *) (uintptr_t) bytes.data); }

static uint64_t number(struct view word)
{
    char text[32] = "";
    memcpy(text, word.data, word.len < sizeof(text) ? word.len : sizeof(text) - 1);
    return strtoull(text, NULL, 10);
}

static void bulk(FILE *out, struct view bytes)
{
    fprintf(out, "$%zu\r\n", bytes.len);
    fwrite(bytes.data, 1, bytes.len, out);
    fprintf(out, "\r\n");
}

static void bulk_text(FILE *out, const char *text) { bulk(out, (struct view){(const uint8_t *) text, strlen(text)}); }

/* ---- keys ---- */

static void free_key(struct key *key)
{
    for (size_t i = 0; i < CHAINS; i++)
        for (struct field *field = key->chains[i], *next; field; field = next) {
            next = field->next;
            release(field->name);
            release(field->value);
            free(field);
        }
    for (size_t i = 0; key->type == STREAM && i < key->count; i++)
        release(key->entries[i].bytes);
    free(key->entries);
    free(key->name);
    free(key);
}

static struct key *find_key(const struct redis_model *model, struct view name)
{
    struct key *key = model->keys;
    while (key && !is(name, key->name))
        key = key->next;
    return key;
}

static void drop_key(struct redis_model *model, struct key *key)
{
    struct key **at = &model->keys;
    while (*at != key)
        at = &(*at)->next;
    *at = key->next;
    free_key(key);
}

static struct key *get_key(struct redis_model *model, struct view name, int type)
{
    struct key *key = find_key(model, name);
    if (key)
        return key;
    key         = calloc(1, sizeof(*key));
    key->name   = strndup((const char *) name.data, name.len);
    key->type   = type;
    key->next   = model->keys;
    model->keys = key;
    return key;
}

/* Where the field is, or would be. */
static struct field **find_field(struct key *key, struct view name)
{
    uint32_t hash = 2166136261;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ name.data[i]) * 16777619;
    struct field **at = &key->chains[key->type == HASH ? hash % CHAINS : 0];
    while (*at && !equal((*at)->name, name))
        at = &(*at)->next;
    return at;
}

static bool set_field(struct key *key, struct view name, struct view value)
{
    struct field **at = find_field(key, name), *field = *at;
    if (field) {
        release(field->value);
        field->value = copy(value);
        return false;
    }
    *at  = calloc(1, sizeof(**at));
    **at = (struct field){.name = copy(name), .value = copy(value)};
    key->count++;
    return true;
}

static bool drop_field(struct redis_model *model, struct key *key, struct view name, struct view value)
{
    struct field **at = find_field(key, name), *field = *at;
    if (!field || !equal(field->value, value))
        return false;
    *at = field->next;
    release(field->name);
    release(field->value);
    free(field);
    if (--key->count == 0)
        drop_key(model, key);
    return true;
}

/* ---- commands ---- */

static bool hset(struct run *run)
{
    struct key *key = get_key(run->model, run->words[1], HASH);
    fprintf(run->out, ":%d\r\n", set_field(key, run->words[2], run->words[3]));
    return true;
}

static bool hget(struct run *run)
{
    struct key   *key   = find_key(run->model, run->words[1]);
    struct field *field = key ? *find_field(key, run->words[2]) : NULL;
    if (field)
        bulk(run->out, field->value);
    else
        fprintf(run->out, "$-1\r\n");
    return true;
}

/* Whole chains, until there are enough. Returns where to go on; 0: nowhere. */
static size_t scan(const struct key *key, size_t from, size_t most, FILE *out)
{
    size_t found = 0, until = from, count = 0;
    for (; key && until < CHAINS && found < most; until++)
        for (const struct field *field = key->chains[until]; field; field = field->next)
            found++;
    fprintf(out, "*%zu\r\n", 2 * found);
    for (size_t i = from; i < until; i++)
        for (const struct field *field = key->chains[i]; field; field = field->next, count++) {
            bulk(out, field->name);
            bulk(out, field->value);
        }
    return key && until < CHAINS ? until : 0;
}

static bool hgetall(struct run *run)
{
    scan(find_key(run->model, run->words[1]), 0, SIZE_MAX, run->out);
    return true;
}

static bool hscan(struct run *run)
{
    char  *text = NULL, cursor[24];
    size_t len  = 0;
    FILE  *part = open_memstream(&text, &len);
    size_t next = scan(find_key(run->model, run->words[1]), number(run->words[2]), number(run->words[4]), part);
    fclose(part);
    snprintf(cursor, sizeof(cursor), "%zu", next);
    fprintf(run->out, "*2\r\n");
    bulk_text(run->out, cursor);
    fwrite(text, 1, len, run->out);
    free(text);
    return true;
}

static void say_id(FILE *out, struct id id)
{
    char text[48];
    snprintf(text, sizeof(text), "%" PRIu64 "-%" PRIu64, id.ms, id.number);
    bulk_text(out, text);
}

static void say_entry(FILE *out, const struct entry *entry)
{
    fprintf(out, "*2\r\n");
    say_id(out, entry->id);
    fprintf(out, "*2\r\n$1\r\ns\r\n");
    bulk(out, entry->bytes);
}

static struct id add_entry(struct run *run, struct view stream, size_t most, struct view bytes)
{
    struct key *key = get_key(run->model, stream, STREAM);
    uint64_t    ms  = (uint64_t) run->wall_ms;
    key->last       = ms > key->last.ms ? (struct id){ms, 0} : (struct id){key->last.ms, key->last.number + 1};
    key->entries    = realloc(key->entries, (key->count + 1) * sizeof(struct entry));
    key->entries[key->count++] = (struct entry){key->last, copy(bytes)};
    key->added++;
    size_t over = key->count > most ? key->count - most : 0;
    for (size_t i = 0; i < over; i++)
        release(key->entries[i].bytes);
    key->count -= over;
    memmove(key->entries, key->entries + over, key->count * sizeof(struct entry));
    return key->last;
}

/* XADD key MAXLEN ~ n * s bytes */
static bool xadd(struct run *run)
{
    say_id(run->out, add_entry(run, run->words[1], number(run->words[4]), run->words[7]));
    return true;
}

static bool is_after(struct id a, struct id b) { return a.ms != b.ms ? a.ms > b.ms : a.number > b.number; }

/* XREAD COUNT n BLOCK ms STREAMS key id */
static bool xread(struct run *run)
{
    const struct key *key    = find_key(run->model, run->words[6]);
    char              id[48] = "", *end;
    size_t            first  = 0, count;
    struct id         after;
    memcpy(id, run->words[7].data, run->words[7].len);
    after.ms     = strtoull(id, &end, 10);
    after.number = strtoull(end + 1, NULL, 10);
    for (size_t last = key ? key->count : 0; first < last;) { /* [first, last): where it may be */
        size_t middle = (first + last) / 2;
        if (is_after(key->entries[middle].id, after))
            last = middle;
        else
            first = middle + 1;
    }
    count = key ? key->count - first : 0;
    if (count == 0)
        return false;
    count = count < number(run->words[2]) ? count : number(run->words[2]);
    fprintf(run->out, "*1\r\n*2\r\n");
    bulk(run->out, run->words[6]);
    fprintf(run->out, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++)
        say_entry(run->out, &key->entries[first + i]);
    return true;
}

static bool xinfo(struct run *run)
{
    const struct key *key = find_key(run->model, run->words[2]);
    if (!key) {
        fprintf(run->out, "-ERR no such key\r\n");
        return true;
    }
    fprintf(run->out, "*8\r\n$6\r\nlength\r\n:%zu\r\n$17\r\nlast-generated-id\r\n", key->count);
    say_id(run->out, key->last);
    fprintf(run->out, "$13\r\nentries-added\r\n:%" PRIu64 "\r\n$11\r\nfirst-entry\r\n", key->added);
    if (key->count > 0)
        say_entry(run->out, &key->entries[0]);
    else
        fprintf(run->out, "*-1\r\n");
    return true;
}

/* SET key value NX PX ms */
static bool set(struct run *run)
{
    struct key *key = find_key(run->model, run->words[1]);
    if (key && key->until <= run->wall_ms) {
        drop_key(run->model, key);
        key = NULL;
    }
    fprintf(run->out, key ? "$-1\r\n" : "+OK\r\n");
    if (!key) {
        key        = get_key(run->model, run->words[1], STRING);
        key->until = run->wall_ms + (int64_t) number(run->words[5]);
        set_field(key, run->words[1], run->words[2]);
    }
    return true;
}

/* EVAL script 1 key field value, and EVAL script 1 key value */
static bool compare_and_delete(struct run *run)
{
    struct key *key   = find_key(run->model, run->words[3]);
    bool        field = run->count == 6;
    fprintf(run->out, ":%d\r\n",
            key && drop_field(run->model, key, run->words[field ? 4 : 3], run->words[field ? 5 : 4]));
    return true;
}

/* EVAL script 2 hash stream own|another's field value most */
static bool put(struct run *run)
{
    struct key   *key   = get_key(run->model, run->words[3], HASH);
    struct field *field = *find_field(key, run->words[6]);
    if (field && !is(run->words[5], "own")) {
        bulk(run->out, field->value);
        return true;
    }
    set_field(key, run->words[6], run->words[7]);
    add_entry(run, run->words[4], number(run->words[8]), run->words[7]);
    fprintf(run->out, ":1\r\n");
    return true;
}

static bool hdel(struct run *run)
{
    struct key   *key   = find_key(run->model, run->words[1]);
    struct field *field = key ? *find_field(key, run->words[2]) : NULL;
    fprintf(run->out, ":%d\r\n", field && drop_field(run->model, key, run->words[2], field->value));
    return true;
}

static bool del(struct run *run)
{
    struct key *key = find_key(run->model, run->words[1]);
    fprintf(run->out, ":%d\r\n", key != NULL);
    if (key)
        drop_key(run->model, key);
    return true;
}

static bool tell_time(struct run *run)
{
    char text[24];
    fprintf(run->out, "*2\r\n");
    snprintf(text, sizeof(text), "%" PRId64, run->wall_ms / 1000);
    bulk_text(run->out, text);
    bulk_text(run->out, "0");
    return true;
}

static bool auth(struct run *run)
{
    fprintf(run->out, "+OK\r\n");
    return true;
}

static const struct {
    const char *word;
    int         words, key; /* of it; which is the key; 0: none */
    int         type;
    bool (*run)(struct run *run);
} commands[] = {
    {"AUTH", 2, 0, 0, auth},
    {"AUTH", 3, 0, 0, auth},
    {"TIME", 1, 0, 0, tell_time},
    {"HSET", 4, 1, HASH, hset},
    {"HGET", 3, 1, HASH, hget},
    {"HDEL", 3, 1, HASH, hdel},
    {"DEL", 2, 0, 0, del},
    {"HGETALL", 2, 1, HASH, hgetall},
    {"HSCAN", 5, 1, HASH, hscan},
    {"XADD", 8, 1, STREAM, xadd},
    {"XREAD", 8, 6, STREAM, xread},
    {"XINFO", 3, 2, STREAM, xinfo},
    {"SET", 6, 0, STRING, set},
    {"EVAL", 6, 3, HASH, compare_and_delete},
    {"EVAL", 5, 3, STRING, compare_and_delete},
    {"EVAL", 9, 4, STREAM, put},
};

static void count(struct redis_model *model, struct view word)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (model->heard[i].count == 0 || is(word, model->heard[i].word)) {
            snprintf(model->heard[i].word, sizeof(model->heard[i].word), "%.*s", (int) word.len,
                     (const char *) word.data);
            model->heard[i].count++;
            return;
        }
}

bool redis_model_run(struct redis_model *model, int words_count, const struct view *words, int64_t wall_ms, FILE *out)
{
    struct run run = {model, words_count, words, wall_ms, out};
    count(model, words[0]);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (!is(words[0], commands[i].word) || words_count != commands[i].words)
            continue;
        const struct key *key = commands[i].key ? find_key(model, words[commands[i].key]) : NULL;
        if (!key || (int) key->type == commands[i].type)
            return commands[i].run(&run);
        fprintf(out, "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
        return true;
    }
    fprintf(out, "-ERR unknown command or wrong number of arguments\r\n");
    return true;
}

const char *redis_model_say(struct redis_model *model, int64_t wall_ms, ...)
{
    struct view words[WORDS];
    int         words_count = 0;
    va_list     list;
    va_start(list, wall_ms);
    for (const char *word; (word = va_arg(list, const char *));)
        words[words_count++] = (struct view){(const uint8_t *) word, strlen(word)};
    va_end(list);
    free(model->said);
    FILE *out = open_memstream(&model->said, &model->said_len);
    redis_model_run(model, words_count, words, wall_ms, out);
    fclose(out);
    return model->said;
}

size_t redis_model_count(const struct redis_model *model, const char *name)
{
    const struct key *key = find_key(model, (struct view){(const uint8_t *) name, strlen(name)});
    return key ? key->count : 0;
}

size_t redis_model_heard(const struct redis_model *model, const char *command)
{
    for (size_t i = 0; i < COMMANDS && model->heard[i].count > 0; i++)
        if (strcmp(model->heard[i].word, command) == 0)
            return model->heard[i].count;
    return 0;
}

struct redis_model *redis_model_create(void) { return calloc(1, sizeof(struct redis_model)); }

void redis_model_empty(struct redis_model *model)
{
    while (model->keys)
        drop_key(model, model->keys);
}

void redis_model_destroy(struct redis_model *model)
{
    redis_model_empty(model);
    free(model->said);
    free(model);
}
