/*
 * heap.c: the wrappers behind heap.h; `ld --wrap=malloc` names ours __wrap_malloc and the real one __real_malloc.
 */
#include "lib/heap.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

enum heap_mode {
    HEAP_WORKS,
    HEAP_FAILS_ONCE, /* when `countdown` is over */
    HEAP_FAILS_SOME, /* one in `odds` */
    HEAP_FAILS,
};

static _Thread_local enum heap_mode mode;
static _Thread_local size_t         countdown;
static _Thread_local size_t         count;
static _Thread_local uint64_t       chance;
static _Thread_local uint32_t       odds;
static _Thread_local int            failed;

void *__real_malloc(size_t size);
void *__real_calloc(size_t members, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t members, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

void heap_fail_at(size_t nth)
{
    mode      = HEAP_FAILS_ONCE;
    countdown = nth;
    failed    = 0;
}

void heap_fail_some(uint64_t seed, uint32_t one_in)
{
    mode   = HEAP_FAILS_SOME;
    chance = seed;
    odds   = one_in;
    failed = 0;
}

void heap_fail_all(void)
{
    mode   = HEAP_FAILS;
    failed = 0;
}

int heap_restore(void)
{
    mode = HEAP_WORKS;
    return failed;
}

size_t heap_count(void) { return count; }

/* Knuth's MMIX generator, whose high bits are the good ones. */
static int heap_draws(void)
{
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    return (chance >> 32) % odds == 0;
}

/* Counts this allocation and tells whether it may go on. */
static int heap_allows(void)
{
    count++;
    if (mode == HEAP_WORKS || (mode == HEAP_FAILS_ONCE && countdown-- > 0) ||
        (mode == HEAP_FAILS_SOME && !heap_draws()))
        return 1;
    if (mode == HEAP_FAILS_ONCE)
        mode = HEAP_WORKS;
    failed = 1;
    errno  = ENOMEM;
    return 0;
}

void *__wrap_malloc(size_t size) { return heap_allows() ? __real_malloc(size) : NULL; }

void *__wrap_calloc(size_t members, size_t size) { return heap_allows() ? __real_calloc(members, size) : NULL; }

void *__wrap_realloc(void *old, size_t size) { return heap_allows() ? __real_realloc(old, size) : NULL; }

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return heap_allows() ? __real_aligned_alloc(alignment, size) : NULL;
}

char *__wrap_strndup(const char *text, size_t len)
{
    char *copy;

    len  = strnlen(text, len);
    copy = __wrap_malloc(len + 1);
    if (copy != NULL) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

char *__wrap_strdup(const char *text) { return __wrap_strndup(text, SIZE_MAX); }
