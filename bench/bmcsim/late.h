/*
 * Answers that leave later: how late, and which is due. No sockets and no clock here; main.c has them.
 *
 * How late an answer is follows a log-normal distribution, as busy firmware has it: mostly short, now and then very long.
 */
#ifndef CASTIRON_LATE_H
#define CASTIRON_LATE_H

#include <netinet/in.h>

#include "bmc.h"

struct letter {
    uint64_t due_us;
    struct sockaddr_in to;
    struct in_addr from;
    size_t bytes;
    uint8_t text[MAX_DATAGRAM];
};

/* How late answers are: half of them by less than the median, one in a hundred by more than the 99th percentile. */
struct manners {
    double median_us, p99_us; /* 0: at once */
    uint64_t random;          /* not 0 */
};

struct late;

/* NULL: no memory. */
struct late *late_new(void);
void late_free(struct late *late);

/* Draw how late the next answer is. */
uint64_t late_draw_us(struct manners *manners);

/* Room for one more letter, to be filled and handed to late_post; NULL: there are as many as may be. */
struct letter *late_blank(struct late *late);
void late_post(struct late *late, struct letter *letter);

/* Take the next letter that is due; NULL: none is. It is there until the next late_blank. */
const struct letter *late_take(struct late *late, uint64_t now_us);

/* Milliseconds until the next one is due, rounded up; -1: there is none. */
int late_wait_ms(const struct late *late, uint64_t now_us);

#endif
