/*
 * calendar.c: a clock that is wrong, for LD_PRELOAD: the calendar is as many seconds off as the file that CALENDAR names
 * says, an int64_t that is mapped, so that a test changes it at any moment. The monotonic clock is right. Built and used
 * by test_cluster_clock.py.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const _Atomic int64_t *ahead; /* NULL before main() */

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("CALENDAR");
    int         fd   = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void       *map  = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*ahead), PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        abort();
    close(fd);
    ahead = map;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    long failed = syscall(SYS_clock_gettime, clock, ret);
    if (!failed && ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        ret->tv_sec += atomic_load(ahead);
    return (int) failed;
}

time_t time(time_t *ret)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}
