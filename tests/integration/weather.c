/*
 * weather.c: the weather a program lives in, for LD_PRELOAD: a calendar clock that somebody sets, a disk that is slow
 * or fails, and a death at a chosen byte or call of what it writes. It reads the forecast from the file that WEATHER
 * names, mapped, so that a test changes it at any moment. The monotonic clock is left alone, as setting the clock does.
 * Built and used by test_survival.py, which knows the layout of struct forecast.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct forecast {
    _Atomic int64_t clock_s;    /* added to the calendar clock */
    _Atomic int64_t sync_ms;    /* each sync takes that much longer */
    _Atomic int64_t sync_errno; /* and then fails so, unless 0 */
    _Atomic int64_t bytes_left; /* until the process is killed, among the bytes it writes; negative: for ever */
    _Atomic int64_t calls_left; /* the same among its calls: a write is killed halfway, the others before they begin */
    _Atomic int64_t snapshot;   /* what calls_left becomes when a snapshot is begun; negative: it stays */
};

static struct forecast  fair = {.bytes_left = -1, .calls_left = -1, .snapshot = -1};
static struct forecast *forecast;
static pthread_once_t   once = PTHREAD_ONCE_INIT;

static void look(void)
{
    const char *path = getenv("WEATHER");
    int         file = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void       *map  = file >= 0 ? mmap(NULL, sizeof(*forecast), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : NULL;

    if (file >= 0)
        close(file);
    forecast = map == NULL || map == MAP_FAILED ? &fair : map;
}

static struct forecast *weather(void)
{
    pthread_once(&once, look);
    return forecast;
}

static void *next(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);

    if (function == NULL)
        abort();
    return function;
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* True: the call is the last one. */
static bool count_call(void)
{
    struct forecast *now = weather();

    return atomic_load(&now->calls_left) >= 0 && atomic_fetch_sub(&now->calls_left, 1) == 0;
}

/* ---- the clock ---- */

typedef int (*clock_gettime_fn)(clockid_t clock, struct timespec *ret);

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    static _Atomic(clock_gettime_fn) real;
    int                              result;

    if (real == NULL)
        real = (clock_gettime_fn) next("clock_gettime");
    result = real(clock, ret);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        ret->tv_sec += atomic_load(&weather()->clock_s);
    return result;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec now;

    (void) zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *ret = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (ret != NULL)
        *ret = now.tv_sec;
    return now.tv_sec;
}

/* ---- the disk; programs are built with 64-bit offsets ---- */

static int sync_as(int file, const char *name)
{
    int (*real)(int file)      = (int (*)(int)) next(name);
    const struct forecast *now = weather();
    int64_t                ms  = atomic_load(&now->sync_ms);

    if (count_call())
        die();
    if (ms > 0)
        nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
    errno = (int) atomic_load(&now->sync_errno);
    return errno != 0 ? -1 : real(file);
}

int fsync(int file) { return sync_as(file, "fsync"); }
int fdatasync(int file) { return sync_as(file, "fdatasync"); }

int openat64(int directory, const char *name, int flags, ...)
{
    int (*real)(int, const char *, int, ...) = (int (*)(int, const char *, int, ...)) next("openat64");
    int64_t snapshot                         = atomic_load(&weather()->snapshot);
    mode_t  mode                             = 0;
    va_list arguments;

    if (flags & (O_CREAT | O_TMPFILE)) {
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    if (snapshot >= 0 && strcmp(name, "snapshot.tmp") == 0)
        atomic_store(&weather()->calls_left, snapshot);
    return real(directory, name, flags, mode);
}

ssize_t pwrite64(int file, const void *bytes, size_t len, off64_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off64_t) =
        (ssize_t(*)(int, const void *, size_t, off64_t)) next("pwrite64");
    struct forecast *now  = weather();
    int64_t          left = atomic_load(&now->bytes_left);

    if (count_call()) {
        real(file, bytes, len / 2, offset);
        die();
    }
    if (left >= 0 && (uint64_t) left <= len) {
        real(file, bytes, (size_t) left, offset);
        die();
    }
    if (left >= 0)
        atomic_fetch_sub(&now->bytes_left, (int64_t) len);
    return real(file, bytes, len, offset);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    int (*real)(int, const char *, int, const char *) =
        (int (*)(int, const char *, int, const char *)) next("renameat");

    if (count_call())
        die();
    return real(from_directory, from, to_directory, to);
}

int ftruncate64(int file, off64_t len)
{
    int (*real)(int, off64_t) = (int (*)(int, off64_t)) next("ftruncate64");

    if (count_call())
        die();
    return real(file, len);
}
