/*
 * Simulated BMCs, as a state machine: a datagram in, a datagram out. No sockets, no clock, no files here; main.c has them.
 *
 * Sources: IPMI v2.0 (sections and tables are named where they are used), RFC 2104, FIPS 197.
 */
#ifndef CASTIRON_BMC_H
#define CASTIRON_BMC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest datagram that is read or written. The longest that we say has 140 bytes. */
enum { MAX_DATAGRAM = 512 };

/* What all BMCs of a farm have in common. */
struct bmc_settings {
    const char *username; /* at most 16 bytes */
    const char *password; /* at most 20 bytes */
    uint64_t seed;        /* of session ids, nonces and initialization vectors */
};

/* Since the start, over all BMCs. */
struct bmc_counts {
    uint64_t datagrams; /* heard by a BMC that is there and not silent */
    uint64_t logins;    /* sessions opened */
    uint64_t logouts;   /* sessions that their console has closed */
    uint64_t commands;  /* answered inside sessions */
    uint64_t checks;    /* Get Chassis Status among them */
    uint64_t controls;  /* Chassis Control among them */
    uint64_t refused;   /* login steps refused */
    uint64_t dropped;   /* not IPMI, not of an open session, forged, replayed */
};

struct farm;

/* Make `bmcs` BMCs, numbered from 1, all of them powered off. NULL: no memory, or no AES or SHA in libcrypto. */
struct farm *farm_new(uint32_t bmcs, const struct bmc_settings *settings);

void farm_free(struct farm *farm);

/*
 * Hand a datagram to a BMC. `now_s` never goes backwards. Returns the length of the answer in `out`, 0 for none.
 * Whatever the datagram holds, nothing outside the BMC is touched.
 */
size_t farm_receive(struct farm *farm, uint32_t number, uint32_t now_s, const uint8_t *in, size_t in_bytes,
                    uint8_t out[static MAX_DATAGRAM]);

/* Whether a BMC hears nothing and says nothing. */
bool farm_is_silent(const struct farm *farm, uint32_t number);
void farm_set_silent(struct farm *farm, uint32_t number, bool is_silent);

/* The power button: the machine changes at once, and nobody is told. */
void farm_set_power(struct farm *farm, uint32_t number, bool is_on);

/* Restart the BMC, not the machine: its sessions are forgotten. */
void farm_reboot(struct farm *farm, uint32_t number);

const struct bmc_counts *farm_counts(const struct farm *farm);

#endif
