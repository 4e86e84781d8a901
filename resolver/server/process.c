/*
 * process.c: see process.h.
 */
#include "server/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static double seconds_of(const struct timeval *time) { return (double) time->tv_sec + (double) time->tv_usec / 1e6; }

static uint64_t resident(void)
{
    uint64_t pages = 0;
    FILE    *file  = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*u %" SCNu64, &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (uint64_t) sysconf(_SC_PAGESIZE);
}

/* But for the one that reads them. */
static uint64_t descriptors(void)
{
    DIR     *directory = opendir("/proc/self/fd");
    uint64_t count     = 0;
    if (!directory)
        return 0;
    for (struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count - 1;
}

void process_read(struct process *ret)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    *ret = (struct process){.cpu_seconds      = seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime),
                            .resident_bytes   = resident(),
                            .open_descriptors = descriptors()};
}
