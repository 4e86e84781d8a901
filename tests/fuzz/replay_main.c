/*
 * replay_main.c: runs a fuzz target over the files of a directory, without libFuzzer: each as it is, cut at every byte,
 * and with every byte replaced by values that parsers stumble over. Each input lies in memory of its own size, so that
 * a sanitizer sees the first byte read too far.
 */
#include "fuzz.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

enum {
    INPUT_MAX  = 70000,
    MUTATE_MAX = 2000, /* larger files are only run as they are */
};

static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    CHECK(copy != NULL);
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_mutants(uint8_t *data, size_t size)
{
    static const uint8_t values[] = {0x00, 0x01, 0x0c, 0x29, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff};

    for (size_t at = 0; at < size; at++) {
        uint8_t original = data[at];

        run(data, at);
        for (size_t i = 0; i < sizeof values; i++) {
            data[at] = values[i];
            run(data, size);
        }
        data[at] = original;
    }
}

static bool replay(const char *path)
{
    static uint8_t data[INPUT_MAX];
    FILE          *file = fopen(path, "rb");
    size_t         size;

    if (file == NULL) {
        perror(path);
        return false;
    }
    size = fread(data, 1, sizeof data, file);
    fclose(file);
    run(data, size);
    if (size <= MUTATE_MAX)
        run_mutants(data, size);
    return true;
}

int main(int argc, char **argv)
{
    char           path[PATH_MAX];
    DIR           *directory = argc == 2 ? opendir(argv[1]) : NULL;
    struct dirent *entry;
    unsigned       count = 0;
    bool           ok    = true;

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        ok &= replay(path);
        count++;
    }
    if (directory != NULL)
        closedir(directory);
    if (count == 0)
        fprintf(stderr, "usage: %s DIRECTORY: one with files in it\n", argv[0]);
    return ok && count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
