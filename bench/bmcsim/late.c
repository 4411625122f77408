/* See late.h. A heap by the time at which letters are due, over a pool of letters that is made once. */

#include "late.h"

#include <math.h>
#include <stdlib.h>

enum {
    /* 10,000 BMCs that are asked 5,000 times a second have some 1,000 under way; beyond this answers are lost. */
    MOST = 32768,
    MOST_US = 30 * 1000 * 1000, /* the longest delay: nobody waits for half a minute */
};

struct late {
    struct letter *pool, *free[MOST], *heap[MOST];
    int free_count, count;
};

struct late *late_new(void) {
    struct late *late = calloc(1, sizeof *late);
    if (!late) return NULL;
    late->pool = calloc(MOST, sizeof *late->pool);
    if (!late->pool) {
        free(late);
        return NULL;
    }
    for (int index = 0; index < MOST; index++) late->free[index] = &late->pool[MOST - 1 - index];
    late->free_count = MOST;
    return late;
}

void late_free(struct late *late) {
    free(late->pool);
    free(late);
}

/* xorshift64*, as a share of one, never 0. */
static double draw(uint64_t *random) {
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    return ((double)(*random * 0x2545f4914f6cdd1du >> 11) + 1.0) / 9007199254740993.0;
}

uint64_t late_draw_us(struct manners *manners) {
    static const double deviations_at_p99 = 2.3263478740408408, turn = 6.283185307179586;
    if (manners->median_us <= 0) return 0;
    /* Box and Muller. */
    const double far = sqrt(-2.0 * log(draw(&manners->random))), normal = far * cos(turn * draw(&manners->random));
    const double us = manners->median_us * exp(log(manners->p99_us / manners->median_us) / deviations_at_p99 * normal);
    return us < MOST_US ? (uint64_t)us : MOST_US;
}

struct letter *late_blank(struct late *late) { return late->free_count ? late->free[late->free_count - 1] : NULL; }

void late_post(struct late *late, struct letter *letter) {
    late->free_count--;
    int at = late->count++;
    for (int above; at && late->heap[above = (at - 1) / 2]->due_us > letter->due_us; at = above) {
        late->heap[at] = late->heap[above];
    }
    late->heap[at] = letter;
}

const struct letter *late_take(struct late *late, uint64_t now_us) {
    if (!late->count || late->heap[0]->due_us > now_us) return NULL;
    struct letter *taken = late->heap[0], *last = late->heap[--late->count];
    int at = 0;
    for (int below; (below = 2 * at + 1) < late->count; at = below) {
        if (below + 1 < late->count && late->heap[below + 1]->due_us < late->heap[below]->due_us) below++;
        if (late->heap[below]->due_us >= last->due_us) break;
        late->heap[at] = late->heap[below];
    }
    late->heap[at] = last;
    late->free[late->free_count++] = taken;
    return taken;
}

int late_wait_ms(const struct late *late, uint64_t now_us) {
    if (!late->count) return -1;
    const uint64_t due_us = late->heap[0]->due_us;
    return due_us <= now_us ? 0 : (int)((due_us - now_us + 999) / 1000);
}
