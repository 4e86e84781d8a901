/*
 * spelling.c: see spelling.h.
 */
#include "base/spelling.h"

#include <ctype.h>
#include <string.h>

enum {
    WORD_MAX_BYTES = 64
};

/* What two bytes have in common that a slip may exchange. */
static int fold(char byte) { return byte == '-' ? '_' : tolower((unsigned char) byte); }

static size_t least(size_t a, size_t b, size_t c)
{
    size_t smaller = a < b ? a : b;
    return smaller < c ? smaller : c;
}

/* The distance of optimal string alignment: three rows of its table at a time. */
size_t spelling_distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX_BYTES + 1], a_len = strlen(a), b_len = strlen(b);
    if (a_len > WORD_MAX_BYTES || b_len > WORD_MAX_BYTES)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        const size_t *above = rows[(i - 1) % 3], *before = rows[(i + 1) % 3]; /* i - 2 */
        size_t       *row = rows[i % 3];
        row[0]            = i;
        for (size_t j = 1; j <= b_len; j++) {
            bool same = fold(a[i - 1]) == fold(b[j - 1]);
            row[j]    = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + !same);
            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]))
                row[j] = least(row[j], before[j - 2] + 1, SIZE_MAX);
        }
    }
    return rows[a_len % 3][b_len];
}

bool spelling_is_nearer(const char *given, const char *candidate, size_t *best)
{
    size_t distance = spelling_distance(given, candidate);
    size_t allowed  = 1 + strlen(candidate) / 3;
    if (distance >= *best || distance > (allowed < 3 ? allowed : 3))
        return false;
    *best = distance;
    return true;
}
