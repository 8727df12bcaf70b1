/* Which word was meant? Optimal string alignment distance: insert, delete, replace, swap two neighbours. */
#include "keys.h"

#include <string.h>

#define WORD_MAX 32 /* longer words are no slip of a key */

static unsigned char fold(char c) {
    if (c == '-')
        return '_';
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len) {
    size_t cost[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= a_len; i++)
        cost[i][0] = i;
    for (size_t j = 0; j <= b_len; j++)
        cost[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        for (size_t j = 1; j <= b_len; j++) {
            size_t differs = fold(a[i - 1]) != fold(b[j - 1]);
            size_t best = least(cost[i - 1][j - 1] + differs, least(cost[i - 1][j], cost[i][j - 1]) + 1);
            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) && fold(a[i - 2]) == fold(b[j - 1]))
                best = least(best, cost[i - 2][j - 2] + 1);
            cost[i][j] = best;
        }
    }
    return cost[a_len][b_len];
}

/* True and *best lowered when `known` is nearer to `word` than anything before, and near enough: a third of it wrong.
 */
static int nearer(const char *word, const char *known, size_t *best) {
    size_t len = strlen(word), known_len = strlen(known);
    if (len == 0 || len > WORD_MAX || known_len > WORD_MAX)
        return 0;
    size_t apart = distance(word, len, known, known_len);
    if (apart > (len + 2) / 3 || apart >= *best)
        return 0;
    *best = apart;
    return 1;
}

const struct config_key *config_key_nearest(enum key_section section, const char *name) {
    const struct config_key *found = NULL;
    size_t best = WORD_MAX;
    for (size_t i = 0; i < config_key_count; i++) {
        if (config_keys[i].section == section && nearer(name, config_keys[i].name, &best))
            found = &config_keys[i];
    }
    return found;
}

enum key_section config_section_nearest(const char *word) {
    enum key_section found = SECTION_KINDS;
    size_t best = WORD_MAX;
    for (enum key_section section = 0; section < SECTION_KINDS; section++) {
        if (nearer(word, config_section_word(section), &best))
            found = section;
    }
    return found;
}
