/*
 * famine.c: memory that runs out, for LD_PRELOAD: chosen calls of malloc and its kin fail, those of libraries included.
 * It reads which from the file that FAMINE names, mapped, so that a test changes it at any moment. Built and used by
 * test_memory.py, which knows the layout of struct famine. It stands before a sanitizer in the list of libraries and
 * hands on to its allocator.
 *
 * Spared is what ends the process by design, whoever uses it: libuv's table of descriptors (its only realloc), and what
 * the dynamic linker and a sanitizer take for a thread's variables and its stack.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct famine {
    _Atomic int64_t nth;    /* calls until one fails, once; negative: none does */
    _Atomic int64_t one_in; /* one of that many calls fails, by chance; 0: none does */
    _Atomic int64_t chance; /* state of the generator */
    _Atomic int64_t failed; /* calls that failed so far */
};

static struct famine     *famine; /* NULL before main() */
static _Thread_local bool spared;

/* A sanitizer's allocator, or else that of libc. */
void *__interceptor_malloc(size_t size) __attribute__((weak));
void *__interceptor_calloc(size_t members, size_t size) __attribute__((weak));
void *__interceptor_realloc(void *old, size_t size) __attribute__((weak));
void *__interceptor_aligned_alloc(size_t alignment, size_t size) __attribute__((weak));
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t members, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

__attribute__((constructor)) static void look(void)
{
    const char *path = getenv("FAMINE");
    int         file = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void       *map  = mmap(NULL, sizeof(*famine), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

    if (map == MAP_FAILED)
        abort();
    close(file);
    famine = map;
}

static bool is_in(const void *caller, const char *library)
{
    Dl_info info;

    return dladdr(caller, &info) != 0 && info.dli_fname != NULL && strstr(info.dli_fname, library) != NULL;
}

/* splitmix64 */
static uint64_t draw(void)
{
    uint64_t x = (uint64_t) atomic_fetch_add(&famine->chance, (int64_t) 0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static bool fails(const void *caller, bool resizes)
{
    int64_t one_in;
    bool    chosen;

    if (famine == NULL || spared)
        return false;
    one_in = atomic_load(&famine->one_in);
    chosen = atomic_load(&famine->nth) >= 0 && atomic_fetch_sub(&famine->nth, 1) == 0;
    chosen = chosen || (one_in > 0 && draw() % (uint64_t) one_in == 0);
    if (!chosen || is_in(caller, "/ld-linux") || (resizes && is_in(caller, "/libuv.")))
        return false;
    atomic_fetch_add(&famine->failed, 1);
    errno = ENOMEM;
    return true;
}

#define FAILS(resizes) fails(__builtin_return_address(0), resizes)

void *malloc(size_t size)
{
    if (FAILS(false))
        return NULL;
    return __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
}

void *calloc(size_t members, size_t size)
{
    if (FAILS(false))
        return NULL;
    return __interceptor_calloc ? __interceptor_calloc(members, size) : __libc_calloc(members, size);
}

void *realloc(void *old, size_t size)
{
    if (FAILS(true))
        return NULL;
    return __interceptor_realloc ? __interceptor_realloc(old, size) : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    if (FAILS(false))
        return NULL;
    return __interceptor_aligned_alloc ? __interceptor_aligned_alloc(alignment, size)
                                       : __libc_memalign(alignment, size);
}

/* As a sanitizer asks when a thread begins: without an answer it gives up. */
int pthread_getattr_np(pthread_t thread, pthread_attr_t *ret)
{
    int (*real)(pthread_t, pthread_attr_t *) =
        (int (*)(pthread_t, pthread_attr_t *)) dlsym(RTLD_NEXT, "pthread_getattr_np");
    int error;

    spared = true;
    error  = real(thread, ret);
    spared = false;
    return error;
}

/* A sanitizer's own take memory that does not pass here. */
char *strndup(const char *text, size_t len)
{
    char *copy;

    len  = strnlen(text, len);
    copy = malloc(len + 1);
    if (copy != NULL) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

char *strdup(const char *text) { return strndup(text, SIZE_MAX); }
