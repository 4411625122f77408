/* See bmc.h. A session's life: Open Session takes a slot, RAKP 1 to 4 prove the password, then commands, then a close. */

#include "bmc.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

enum {
    /* As many as real BMCs have. All are looked at for a free one, so it is also a bound of work. */
    SLOTS = 8,
    SLOT_BITS = 3,
    /* A session without traffic is gone after a minute (6.12.15), so a table that is full does not stay so. */
    IDLE_S = 60,
    /* A login that stopped half way leaves its slot to others. */
    LOGIN_S = 10,
    /* Datagrams may overtake each other by this much, and as many may be lost in a row (6.12.13). What was heard before
       is answered again: enough for loads, where nobody forges. */
    WINDOW = 16,

    NONCE = 16,
    MAX_NAME = 16,
    MAX_HASH = 32,
    AES = 16,

    /* Requests, offsets from the start of the datagram (table 13-8). */
    AT_AUTH_TYPE = 4,
    AT_PAYLOAD_TYPE = 5,
    AT_SESSION = 6,
    AT_SEQUENCE = 10,
    AT_LENGTH = 14,
    AT_PAYLOAD = 16,
    V15_AT_LENGTH = 13, /* figure 13-4 */
    V15_AT_MESSAGE = 14,

    AUTH_NONE = 0,
    AUTH_RMCP_PLUS = 6,

    /* Payload types (table 13-16); the two highest bits say encrypted and authenticated. */
    PAYLOAD_MASK = 0x3f,
    PAYLOAD_SEALED = 0xc0,
    OPEN_SESSION = 0x10,
    RAKP_1 = 0x12,
    RAKP_3 = 0x14,

    /* RMCP+ statuses (table 13-15). */
    NO_RESOURCES = 0x01,
    INVALID_SESSION = 0x02,
    UNKNOWN_USER = 0x0d,
    BAD_INTEGRITY = 0x0f,
    NO_SUCH_SUITE = 0x11,
    ILLEGAL = 0x12,

    /* Completion codes (table 5-2). */
    INVALID_COMMAND = 0xc1,
    TOO_SHORT = 0xc7,

    /* Get Chassis Status: the machine returns to the state before a power failure (table 28-3). */
    RESTORES = 0x20,

    /* An IPMI message: three bytes of address, three of command, data, a checksum. */
    MESSAGE_HEAD = 6,
    MIN_MESSAGE = 7,
    MAX_MESSAGE = 64,
};

static const uint8_t RMCP[4] = {0x06, 0x00, 0xff, 0x07};

/* Cipher suites 3 and 17 (table 22-20): HMAC-SHA1 and HMAC-SHA256 for proof and integrity, AES-128 for secrecy. */
struct suite {
    uint8_t algorithms[3];
    uint8_t hash_bytes, code_bytes;
    const char *digest;
};
static const struct suite SUITES[] = {
    {{1, 1, 1}, 20, 12, "SHA1"},
    {{3, 4, 1}, 32, 16, "SHA256"},
};
enum { SUITE_COUNT = sizeof SUITES / sizeof SUITES[0] };

enum stage { FREE, OPENED, NAMED, LOGGED_IN };

struct session {
    uint32_t managed_id, console_id;
    uint32_t used_at_s;
    uint32_t heard, said; /* highest sequence number of each side */
    uint8_t stage, suite;
    uint8_t role, name_bytes;
    char name[MAX_NAME];
    uint8_t console_nonce[NONCE], nonce[NONCE];
    uint8_t k1[MAX_HASH], aes_key[AES];
};

struct bmc {
    struct session sessions[SLOTS];
    uint16_t generation; /* goes into session ids, so that one is not the next one's */
    bool is_on, is_silent;
    uint8_t boot_flags[5];
};

struct farm {
    struct bmc *bmcs;
    uint32_t count;
    char username[MAX_NAME + 1], password[21];
    uint64_t random;
    EVP_MD *digests[SUITE_COUNT];
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *crypt;
    struct bmc_counts counts;
};

/* What one datagram is answered with, while it is being put together. */
struct answer {
    uint8_t *at;
    size_t bytes;
};

static uint32_t read_u32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put(struct answer *answer, const void *bytes, size_t count) {
    memcpy(answer->at + answer->bytes, bytes, count);
    answer->bytes += count;
}

static void put_byte(struct answer *answer, unsigned byte) { answer->at[answer->bytes++] = (uint8_t)byte; }

static void put_u32(struct answer *answer, uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) put_byte(answer, value >> shift);
}

/* splitmix64. Nothing real is protected here, and the same seed must give the same bytes. */
static void draw(struct farm *farm, uint8_t *to, size_t count) {
    while (count) {
        uint64_t z = farm->random += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        z ^= z >> 31;
        size_t part = count < sizeof z ? count : sizeof z;
        memcpy(to, &z, part);
        to += part;
        count -= part;
    }
}

static void hmac(const struct farm *farm, unsigned suite, const void *key, size_t key_bytes, const struct answer *text,
                 uint8_t out[static MAX_HASH]) {
    HMAC(farm->digests[suite], key, (int)key_bytes, text->at, text->bytes, out, NULL);
}

static void hmac_by_password(const struct farm *farm, unsigned suite, const struct answer *text,
                             uint8_t out[static MAX_HASH]) {
    hmac(farm, suite, farm->password, strlen(farm->password), text, out);
}

static bool aes(struct farm *farm, bool encrypt, const uint8_t *key, const uint8_t *vector, const uint8_t *in, size_t bytes,
                uint8_t *out) {
    int done = 0;
    return EVP_CipherInit_ex(farm->crypt, farm->cipher, NULL, key, vector, encrypt) &&
           EVP_CIPHER_CTX_set_padding(farm->crypt, 0) && EVP_CipherUpdate(farm->crypt, out, &done, in, (int)bytes) &&
           (size_t)done == bytes;
}

/* Numbers are identities enough: nobody compares them between farms. */
static void put_guid(struct answer *text, uint32_t number) {
    static const uint8_t rest[12] = "castiron bmc";
    put_u32(text, number);
    put(text, rest, sizeof rest);
}

static void put_role_and_name(struct answer *text, const struct session *session) {
    put_byte(text, session->role);
    put_byte(text, session->name_bytes);
    put(text, session->name, session->name_bytes);
}

/* Sessions. */

static uint32_t managed_id(uint32_t number, unsigned slot, unsigned generation) {
    return (generation & 0xfffu) << 20 | number << SLOT_BITS | slot;
}

static bool is_stale(const struct session *session, uint32_t now_s) {
    uint32_t most_s = session->stage == LOGGED_IN ? IDLE_S : LOGIN_S;
    return session->stage != FREE && now_s - session->used_at_s > most_s;
}

static struct session *find(struct bmc *bmc, uint32_t id, uint32_t now_s) {
    struct session *session = &bmc->sessions[id & (SLOTS - 1)];
    if (session->stage == FREE || session->managed_id != id) return NULL;
    if (is_stale(session, now_s)) {
        session->stage = FREE;
        return NULL;
    }
    return session;
}

static struct session *take_slot(struct bmc *bmc, uint32_t number, uint32_t now_s) {
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        struct session *session = &bmc->sessions[slot];
        if (session->stage != FREE && !is_stale(session, now_s)) continue;
        memset(session, 0, sizeof *session);
        /* Never 0, which would be no session. */
        do bmc->generation++;
        while ((bmc->generation & 0xfffu) == 0);
        session->managed_id = managed_id(number, slot, bmc->generation);
        session->stage = OPENED;
        session->used_at_s = now_s;
        return session;
    }
    return NULL;
}

/* The login (13.17 to 13.23). Each step reads `body`, the request's payload, and fills the answer's. */

static void refuse(struct farm *farm, struct answer *answer, uint8_t tag, uint8_t status, uint32_t console_id) {
    farm->counts.refused++;
    answer->bytes = 0;
    put_byte(answer, tag);
    put_byte(answer, status);
    put(answer, "\0\0", 2);
    put_u32(answer, console_id);
}

static void accept(struct answer *answer, uint8_t tag, uint32_t console_id) {
    put_byte(answer, tag);
    put(answer, "\0\0\0", 3);
    put_u32(answer, console_id);
}

static int suite_of(const uint8_t *proposals) {
    for (unsigned suite = 0; suite < SUITE_COUNT; suite++) {
        bool is_same = true;
        for (unsigned kind = 0; kind < 3; kind++) is_same &= proposals[kind * 8 + 4] == SUITES[suite].algorithms[kind];
        if (is_same) return (int)suite;
    }
    return -1;
}

static void open_session(struct farm *farm, uint32_t number, uint32_t now_s, const uint8_t *body, size_t bytes,
                         struct answer *answer) {
    if (bytes < 32) {
        if (bytes >= 8) refuse(farm, answer, body[0], ILLEGAL, read_u32(body + 4));
        return;
    }
    uint32_t console_id = read_u32(body + 4);
    int suite = suite_of(body + 8);
    if (suite < 0) {
        refuse(farm, answer, body[0], NO_SUCH_SUITE, console_id);
        return;
    }
    struct session *session = take_slot(&farm->bmcs[number - 1], number, now_s);
    if (!session) {
        refuse(farm, answer, body[0], NO_RESOURCES, console_id);
        return;
    }
    session->suite = (uint8_t)suite;
    session->console_id = console_id;
    draw(farm, session->nonce, NONCE);
    put_byte(answer, body[0]);
    put_byte(answer, 0);
    put_byte(answer, body[1] ? body[1] : 4); /* the highest level there is, where the console leaves it to us */
    put_byte(answer, 0);
    put_u32(answer, console_id);
    put_u32(answer, session->managed_id);
    for (unsigned kind = 0; kind < 3; kind++) {
        const uint8_t chosen[8] = {(uint8_t)kind, 0, 0, 8, SUITES[suite].algorithms[kind], 0, 0, 0};
        put(answer, chosen, sizeof chosen);
    }
}

static void rakp_1(struct farm *farm, uint32_t number, uint32_t now_s, const uint8_t *body, size_t bytes,
                   struct answer *answer) {
    if (bytes < 28) return;
    struct session *session = find(&farm->bmcs[number - 1], read_u32(body + 4), now_s);
    if (!session || session->stage == LOGGED_IN) {
        refuse(farm, answer, body[0], INVALID_SESSION, 0);
        return;
    }
    size_t name_bytes = body[27];
    if (name_bytes != strlen(farm->username) || bytes < 28 + name_bytes ||
        memcmp(body + 28, farm->username, name_bytes) != 0) {
        session->stage = FREE;
        refuse(farm, answer, body[0], UNKNOWN_USER, session->console_id);
        return;
    }
    session->stage = NAMED;
    session->used_at_s = now_s;
    session->role = body[24];
    session->name_bytes = (uint8_t)name_bytes;
    memcpy(session->name, body + 28, name_bytes);
    memcpy(session->console_nonce, body + 8, NONCE);

    uint8_t said[128], proof[MAX_HASH];
    struct answer text = {said, 0};
    put_u32(&text, session->console_id);
    put_u32(&text, session->managed_id);
    put(&text, session->console_nonce, NONCE);
    put(&text, session->nonce, NONCE);
    put_guid(&text, number);
    put_role_and_name(&text, session);
    hmac_by_password(farm, session->suite, &text, proof);

    accept(answer, body[0], session->console_id);
    put(answer, session->nonce, NONCE);
    put_guid(answer, number);
    put(answer, proof, SUITES[session->suite].hash_bytes);
}

/* Derive the session's keys (13.31, 13.32) and leave the integrity key in the session; `sik` is for the last proof. */
static void derive(const struct farm *farm, struct session *session, uint8_t sik[static MAX_HASH]) {
    uint8_t said[128], constant[20], k2[MAX_HASH];
    struct answer text = {said, 0};
    put(&text, session->console_nonce, NONCE);
    put(&text, session->nonce, NONCE);
    put_role_and_name(&text, session);
    hmac_by_password(farm, session->suite, &text, sik);

    const size_t key_bytes = SUITES[session->suite].hash_bytes;
    const struct answer fill = {constant, sizeof constant};
    memset(constant, 1, sizeof constant);
    hmac(farm, session->suite, sik, key_bytes, &fill, session->k1);
    memset(constant, 2, sizeof constant);
    hmac(farm, session->suite, sik, key_bytes, &fill, k2);
    memcpy(session->aes_key, k2, AES);
}

static void rakp_3(struct farm *farm, uint32_t number, uint32_t now_s, const uint8_t *body, size_t bytes,
                   struct answer *answer) {
    if (bytes < 8) return;
    struct session *session = find(&farm->bmcs[number - 1], read_u32(body + 4), now_s);
    if (!session || session->stage != NAMED) {
        refuse(farm, answer, body[0], INVALID_SESSION, 0);
        return;
    }
    uint8_t said[128], expected[MAX_HASH], sik[MAX_HASH];
    struct answer text = {said, 0};
    put(&text, session->nonce, NONCE);
    put_u32(&text, session->console_id);
    put_role_and_name(&text, session);
    hmac_by_password(farm, session->suite, &text, expected);

    const struct suite *suite = &SUITES[session->suite];
    if (body[1] || bytes < 8u + suite->hash_bytes || memcmp(body + 8, expected, suite->hash_bytes) != 0) {
        session->stage = FREE;
        /* A console that gives up says so, and is not answered (13.22). */
        if (!body[1]) refuse(farm, answer, body[0], BAD_INTEGRITY, session->console_id);
        return;
    }
    derive(farm, session, sik);
    text.bytes = 0;
    put(&text, session->console_nonce, NONCE);
    put_u32(&text, session->managed_id);
    put_guid(&text, number);
    hmac(farm, session->suite, sik, suite->hash_bytes, &text, expected);
    session->stage = LOGGED_IN;
    session->used_at_s = now_s;
    farm->counts.logins++;
    accept(answer, body[0], session->console_id);
    put(answer, expected, suite->code_bytes);
}

/* Commands. Each gets the request's data, and says completion code and data. */

static void channel_capabilities(struct answer *reply) {
    /* Channel 1; v2.0 answers; no v1.5 authentication; named users; v2.0 and v1.5 spoken (table 22-15). */
    static const uint8_t data[] = {0, 1, 0x80, 0x04, 0x03, 0, 0, 0, 0};
    put(reply, data, sizeof data);
}

static void device_id(struct answer *reply) {
    static const uint8_t data[] = {0, 0x20, 1, 2, 0x15, 2, 0xbf, 0x57, 1, 0, 0x34, 0x12, 0, 0, 0, 0};
    put(reply, data, sizeof data);
}

static void chassis_control(struct farm *farm, struct bmc *bmc, uint8_t action, struct answer *reply) {
    farm->counts.controls++;
    switch (action & 0x0f) {
    case 0: /* power down */
    case 5: /* soft shutdown, by an operating system in no time */
        bmc->is_on = false;
        break;
    case 1: /* power up */
    case 2: /* power cycle */
    case 3: /* hard reset; one of a machine that is off has no effect */
        bmc->is_on = bmc->is_on || (action & 0x0f) == 1;
        break;
    default:
        break;
    }
    put_byte(reply, 0);
}

static void boot_options(struct bmc *bmc, bool is_set, const uint8_t *data, size_t bytes, struct answer *reply) {
    enum { BOOT_FLAGS = 5 }; /* table 28-14; other parameters are taken and not kept */
    if (is_set) {
        if (bytes == 1 + sizeof bmc->boot_flags && (data[0] & 0x7f) == BOOT_FLAGS) {
            memcpy(bmc->boot_flags, data + 1, sizeof bmc->boot_flags);
        }
        put_byte(reply, 0);
        return;
    }
    put_byte(reply, 0);
    put_byte(reply, 1);
    put_byte(reply, data[0] & 0x7f);
    put(reply, bmc->boot_flags, sizeof bmc->boot_flags);
}

/* Answer one IPMI message; `session` is NULL outside of one. Returns whether there is an answer. */
static bool obey(struct farm *farm, uint32_t number, struct session *session, const uint8_t *message, size_t bytes,
                 struct answer *reply) {
    enum { CHASSIS = 0, APP = 6 };
    if (bytes < MIN_MESSAGE || bytes > MAX_MESSAGE) return false;
    struct bmc *bmc = &farm->bmcs[number - 1];
    const unsigned netfn = message[1] >> 2, command = message[5];
    const uint8_t *data = message + MESSAGE_HEAD;
    const size_t data_bytes = bytes - MIN_MESSAGE;
    if (netfn & 1) return false; /* a response */

    put_byte(reply, message[3]);
    put_byte(reply, (netfn + 1) << 2);
    put_byte(reply, 0u - reply->at[0] - reply->at[1]);
    put_byte(reply, message[0]);
    put_byte(reply, message[4]);
    put_byte(reply, command);
    switch (netfn << 8 | command) {
    case APP << 8 | 0x38:
        channel_capabilities(reply);
        break;
    case APP << 8 | 0x01:
        device_id(reply);
        break;
    case APP << 8 | 0x3b: /* Set Session Privilege Level: whatever is asked for */
        if (!session) return false;
        put_byte(reply, data_bytes ? 0 : TOO_SHORT);
        if (data_bytes) put_byte(reply, data[0] ? data[0] : 2);
        break;
    case APP << 8 | 0x3c: /* Close Session: the answer is the last that it says */
        if (!session) return false;
        session->stage = FREE;
        farm->counts.logouts++;
        put_byte(reply, 0);
        break;
    case CHASSIS << 8 | 0x01:
        if (!session) return false;
        farm->counts.checks++;
        put_byte(reply, 0);
        put_byte(reply, RESTORES | bmc->is_on);
        put(reply, "\0\0", 2);
        break;
    case CHASSIS << 8 | 0x02:
        if (!session) return false;
        if (data_bytes) {
            chassis_control(farm, bmc, data[0], reply);
        } else {
            put_byte(reply, TOO_SHORT);
        }
        break;
    case CHASSIS << 8 | 0x08:
    case CHASSIS << 8 | 0x09:
        if (!session) return false;
        if (data_bytes) {
            boot_options(bmc, command == 0x08, data, data_bytes, reply);
        } else {
            put_byte(reply, TOO_SHORT);
        }
        break;
    default:
        if (!session) return false;
        put_byte(reply, INVALID_COMMAND);
        break;
    }
    uint8_t sum = 0;
    for (size_t at = 3; at < reply->bytes; at++) sum += reply->at[at];
    put_byte(reply, 0u - sum);
    return true;
}

/* Datagrams. */

static size_t receive_v15(struct farm *farm, uint32_t number, const uint8_t *in, size_t in_bytes, uint8_t *out) {
    if (in_bytes < V15_AT_MESSAGE + MIN_MESSAGE || in[V15_AT_LENGTH] > in_bytes - V15_AT_MESSAGE) return 0;
    struct answer reply = {out + V15_AT_MESSAGE, 0};
    if (!obey(farm, number, NULL, in + V15_AT_MESSAGE, in[V15_AT_LENGTH], &reply)) return 0;
    memcpy(out, RMCP, sizeof RMCP);
    memset(out + sizeof RMCP, 0, V15_AT_LENGTH - sizeof RMCP);
    out[V15_AT_LENGTH] = (uint8_t)reply.bytes;
    return V15_AT_MESSAGE + reply.bytes;
}

static void put_head(struct answer *whole, unsigned payload_type, uint32_t session_id, uint32_t sequence, size_t bytes) {
    put(whole, RMCP, sizeof RMCP);
    put_byte(whole, AUTH_RMCP_PLUS);
    put_byte(whole, payload_type);
    put_u32(whole, session_id);
    put_u32(whole, sequence);
    put_byte(whole, (unsigned)bytes);
    put_byte(whole, (unsigned)(bytes >> 8));
}

static size_t receive_login(struct farm *farm, uint32_t number, uint32_t now_s, unsigned kind, const uint8_t *body,
                            size_t bytes, uint8_t *out) {
    struct answer payload = {out + AT_PAYLOAD, 0}, whole = {out, 0};
    switch (kind) {
    case OPEN_SESSION:
        open_session(farm, number, now_s, body, bytes, &payload);
        break;
    case RAKP_1:
        rakp_1(farm, number, now_s, body, bytes, &payload);
        break;
    case RAKP_3:
        rakp_3(farm, number, now_s, body, bytes, &payload);
        break;
    default:
        break;
    }
    if (!payload.bytes) return 0;
    put_head(&whole, kind + 1, 0, 0, payload.bytes);
    return whole.bytes + payload.bytes;
}

/* Decrypt what a sealed datagram holds into `plain`; returns its length, 0 if it is not to be believed. */
static size_t unseal(struct farm *farm, struct session *session, const uint8_t *in, size_t in_bytes, size_t sealed_bytes,
                     uint8_t plain[static MAX_DATAGRAM]) {
    const struct suite *suite = &SUITES[session->suite];
    if (in_bytes < AT_PAYLOAD + sealed_bytes + 2 + suite->code_bytes) return 0;
    if (sealed_bytes < 2 * AES || sealed_bytes % AES) return 0;
    uint8_t code[MAX_HASH];
    const size_t signed_bytes = in_bytes - suite->code_bytes;
    const struct answer text = {(uint8_t *)in + AT_AUTH_TYPE, signed_bytes - AT_AUTH_TYPE};
    hmac(farm, session->suite, session->k1, suite->hash_bytes, &text, code);
    if (memcmp(code, in + signed_bytes, suite->code_bytes) != 0) return 0;

    const uint8_t *sealed = in + AT_PAYLOAD;
    if (!aes(farm, false, session->aes_key, sealed, sealed + AES, sealed_bytes - AES, plain)) return 0;
    const size_t bytes = sealed_bytes - AES, pad = plain[bytes - 1];
    return pad + 1 < bytes ? bytes - pad - 1 : 0;
}

static size_t seal(struct farm *farm, struct session *session, struct answer *reply, uint8_t *out) {
    const struct suite *suite = &SUITES[session->suite];
    const size_t pad = (AES - (reply->bytes + 1) % AES) % AES;
    for (size_t at = 1; at <= pad; at++) put_byte(reply, (unsigned)at);
    put_byte(reply, (unsigned)pad);

    struct answer whole = {out, 0};
    put_head(&whole, PAYLOAD_SEALED, session->console_id, ++session->said, AES + reply->bytes);
    uint8_t *vector = out + whole.bytes;
    draw(farm, vector, AES);
    if (!aes(farm, true, session->aes_key, vector, reply->at, reply->bytes, vector + AES)) return 0;
    whole.bytes += AES + reply->bytes;

    /* What is signed ends at a multiple of four bytes (13.28.4). */
    const unsigned fill = (4 - (whole.bytes - AT_AUTH_TYPE + 2) % 4) % 4;
    put(&whole, "\xff\xff\xff", fill);
    put_byte(&whole, fill);
    put_byte(&whole, 0x07);
    uint8_t code[MAX_HASH];
    const struct answer text = {out + AT_AUTH_TYPE, whole.bytes - AT_AUTH_TYPE};
    hmac(farm, session->suite, session->k1, suite->hash_bytes, &text, code);
    put(&whole, code, suite->code_bytes);
    return whole.bytes;
}

static bool is_in_order(struct session *session, uint32_t sequence) {
    if (sequence == 0) return false;
    if (sequence <= session->heard) return session->heard - sequence < WINDOW;
    if (sequence - session->heard > WINDOW) return false;
    session->heard = sequence;
    return true;
}

static size_t receive_sealed(struct farm *farm, uint32_t number, uint32_t now_s, const uint8_t *in, size_t in_bytes,
                             size_t sealed_bytes, uint8_t *out) {
    struct session *session = find(&farm->bmcs[number - 1], read_u32(in + AT_SESSION), now_s);
    if (!session || session->stage != LOGGED_IN) return 0;
    uint8_t message[MAX_DATAGRAM], said[MAX_DATAGRAM];
    const size_t bytes = unseal(farm, session, in, in_bytes, sealed_bytes, message);
    if (!bytes || !is_in_order(session, read_u32(in + AT_SEQUENCE))) return 0;
    session->used_at_s = now_s;
    struct answer reply = {said, 0};
    if (!obey(farm, number, session, message, bytes, &reply)) return 0;
    farm->counts.commands++;
    return seal(farm, session, &reply, out);
}

static size_t receive_v20(struct farm *farm, uint32_t number, uint32_t now_s, const uint8_t *in, size_t in_bytes,
                          uint8_t *out) {
    if (in_bytes < AT_PAYLOAD) return 0;
    const size_t bytes = in[AT_LENGTH] | (size_t)in[AT_LENGTH + 1] << 8;
    if (bytes > in_bytes - AT_PAYLOAD) return 0;
    if (in[AT_PAYLOAD_TYPE] == PAYLOAD_SEALED) return receive_sealed(farm, number, now_s, in, in_bytes, bytes, out);
    return receive_login(farm, number, now_s, in[AT_PAYLOAD_TYPE] & PAYLOAD_MASK, in + AT_PAYLOAD, bytes, out);
}

size_t farm_receive(struct farm *farm, uint32_t number, uint32_t now_s, const uint8_t *in, size_t in_bytes,
                    uint8_t out[static MAX_DATAGRAM]) {
    if (number < 1 || number > farm->count || farm->bmcs[number - 1].is_silent) return 0;
    farm->counts.datagrams++;
    size_t bytes = 0;
    if (in_bytes > AT_AUTH_TYPE && in_bytes <= MAX_DATAGRAM && in[0] == RMCP[0] && in[3] == RMCP[3]) {
        if (in[AT_AUTH_TYPE] == AUTH_NONE) bytes = receive_v15(farm, number, in, in_bytes, out);
        if (in[AT_AUTH_TYPE] == AUTH_RMCP_PLUS) bytes = receive_v20(farm, number, now_s, in, in_bytes, out);
    }
    if (!bytes) farm->counts.dropped++;
    return bytes;
}

/* The farm. */

struct farm *farm_new(uint32_t bmcs, const struct bmc_settings *settings) {
    struct farm *farm = calloc(1, sizeof *farm);
    if (!farm) return NULL;
    /* Untouched pages cost nothing, so a farm of many BMCs is as large as what is spoken to. */
    farm->bmcs = calloc(bmcs, sizeof *farm->bmcs);
    farm->count = bmcs;
    farm->random = settings->seed;
    strncpy(farm->username, settings->username, sizeof farm->username - 1);
    strncpy(farm->password, settings->password, sizeof farm->password - 1);
    farm->cipher = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
    farm->crypt = EVP_CIPHER_CTX_new();
    bool is_whole = farm->bmcs && farm->cipher && farm->crypt;
    for (unsigned suite = 0; suite < SUITE_COUNT; suite++) {
        farm->digests[suite] = EVP_MD_fetch(NULL, SUITES[suite].digest, NULL);
        is_whole = is_whole && farm->digests[suite];
    }
    if (is_whole) return farm;
    farm_free(farm);
    return NULL;
}

void farm_free(struct farm *farm) {
    for (unsigned suite = 0; suite < SUITE_COUNT; suite++) EVP_MD_free(farm->digests[suite]);
    EVP_CIPHER_free(farm->cipher);
    EVP_CIPHER_CTX_free(farm->crypt);
    free(farm->bmcs);
    free(farm);
}

bool farm_is_silent(const struct farm *farm, uint32_t number) {
    return number < 1 || number > farm->count || farm->bmcs[number - 1].is_silent;
}

void farm_set_silent(struct farm *farm, uint32_t number, bool is_silent) {
    if (number >= 1 && number <= farm->count) farm->bmcs[number - 1].is_silent = is_silent;
}

void farm_set_power(struct farm *farm, uint32_t number, bool is_on) {
    if (number >= 1 && number <= farm->count) farm->bmcs[number - 1].is_on = is_on;
}

void farm_reboot(struct farm *farm, uint32_t number) {
    if (number < 1 || number > farm->count) return;
    for (unsigned slot = 0; slot < SLOTS; slot++) farm->bmcs[number - 1].sessions[slot].stage = FREE;
}

const struct bmc_counts *farm_counts(const struct farm *farm) { return &farm->counts; }
