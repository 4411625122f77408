/*
 * bmcsim: tens of thousands of simulated BMCs on one UDP port, for measuring what speaks to them.
 *
 *     bmcsim --bmcs 10000 [--port P] [--network 127.101] [--silent PERCENT] [--loss PERCENT] [--seed N] [--seconds N]
 *            [--username NAME] [--password WORD] [--median-ms N --p99-ms N]
 *
 * BMC number n is at the network's address n: 127.101.0.1 is the first. Says "ready PORT" when it serves. Then it takes
 * orders on standard input, a line each, and answers each with a line:
 *
 *     silent FIRST LAST     these BMCs hear and say nothing          answer FIRST LAST     and again they do
 *     on FIRST LAST         the power button of these machines       off FIRST LAST
 *     reboot FIRST LAST     these BMCs forget their sessions         loss PERCENT          from now on
 *     counts                name=value ...
 *
 * It ends when standard input does, so that nobody has to remember to end it, and after --seconds at the latest. The
 * socket is bound to every address, because each BMC has its own; but what does not come from and go to 127.0.0.0/8 is
 * not answered. Silence, loss and delays are decided here: one thread, one epoll. Answers leave at once, unless there is
 * a --median-ms: then half of them leave later than that, and one in a hundred later than --p99-ms.
 */

#define _GNU_SOURCE /* recvmmsg, sendmmsg */

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bmc.h"
#include "late.h"

enum {
    BATCH = 64,                   /* datagrams for each system call: the calls are then no longer what costs most */
    SOCKET_BUFFER = 16 << 20,     /* a burst of 10,000 nodes at once must fit */
    MAX_BMCS = 65534,             /* of a network of 16 bits */
    MAX_LINE = 256,
    LOOPBACK = 127,
    MOST_LATE_MS = 10000,
};

struct options {
    uint32_t bmcs, port, network, silent_percent, loss_percent, seconds, median_ms, p99_ms;
    struct bmc_settings settings;
};

struct server {
    struct farm *farm;
    int udp;
    uint32_t network, bmcs, loss_percent;
    uint64_t random;
    struct manners manners;
    struct late *late;
    char line[MAX_LINE];
    size_t line_bytes;
};

/* Room for a batch, kept for the whole run. */
struct post {
    uint8_t in[BATCH][MAX_DATAGRAM], out[BATCH][MAX_DATAGRAM];
    uint8_t control[BATCH][CMSG_SPACE(sizeof(struct in_pktinfo))];
    struct sockaddr_in peers[BATCH];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
};

static void die(const char *what) {
    perror(what);
    exit(EXIT_FAILURE);
}

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static uint32_t now_s(void) { return (uint32_t)(now_us() / 1000000u); }

/* xorshift64*: which datagrams are lost follows from the seed. */
static bool is_lost(struct server *server) {
    if (!server->loss_percent) return false;
    server->random ^= server->random >> 12;
    server->random ^= server->random << 25;
    server->random ^= server->random >> 27;
    return (server->random * 0x2545f4914f6cdd1du >> 33) % 100 < server->loss_percent;
}

static struct in_pktinfo *arrived_at(struct msghdr *message) {
    for (struct cmsghdr *each = CMSG_FIRSTHDR(message); each; each = CMSG_NXTHDR(message, each)) {
        if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_PKTINFO) return (struct in_pktinfo *)CMSG_DATA(each);
    }
    return NULL;
}

/* The number of the BMC at an address, 0 for none. */
static uint32_t number_at(const struct server *server, struct in_addr address) {
    const uint32_t host = ntohl(address.s_addr);
    return host >> 16 == server->network && (host & 0xffff) <= server->bmcs ? host & 0xffff : 0;
}

/* Keep an answer until it is due. One that finds no room is lost, as on a network. */
static void keep(struct server *server, const struct post *post, int index, struct in_addr from, size_t bytes) {
    struct letter *letter = late_blank(server->late);
    if (!letter) return;
    letter->due_us = now_us() + late_draw_us(&server->manners);
    letter->to = post->peers[index];
    letter->from = from;
    letter->bytes = bytes;
    memcpy(letter->text, post->out[index], bytes);
    late_post(server->late, letter);
}

/* Answer one datagram in place; returns whether there is an answer to send now. */
static bool answer(struct server *server, struct post *post, int index, uint32_t at_s) {
    struct msghdr *message = &post->messages[index].msg_hdr;
    struct in_pktinfo *info = arrived_at(message);
    if (!info || ntohl(post->peers[index].sin_addr.s_addr) >> 24 != LOOPBACK) return false;
    const uint32_t number = number_at(server, info->ipi_addr);
    if (!number || is_lost(server)) return false;
    const size_t bytes = farm_receive(server->farm, number, at_s, post->in[index], post->messages[index].msg_len,
                                      post->out[index]);
    if (!bytes || is_lost(server)) return false;
    if (server->manners.median_us > 0) {
        keep(server, post, index, info->ipi_addr, bytes);
        return false;
    }
    post->parts[index] = (struct iovec){post->out[index], bytes};
    /* From the address that was asked, whatever the routing table prefers. The control message is still that of the
       arrival, with the interface as the kernel wants it back. */
    info->ipi_spec_dst = info->ipi_addr;
    return true;
}

static void serve_batch(struct server *server, struct post *post) {
    for (int index = 0; index < BATCH; index++) {
        post->parts[index] = (struct iovec){post->in[index], MAX_DATAGRAM};
        post->messages[index].msg_hdr = (struct msghdr){
            .msg_name = &post->peers[index],
            .msg_namelen = sizeof post->peers[index],
            .msg_iov = &post->parts[index],
            .msg_iovlen = 1,
            .msg_control = post->control[index],
            .msg_controllen = sizeof post->control[index],
        };
    }
    const int arrived = recvmmsg(server->udp, post->messages, BATCH, MSG_DONTWAIT, NULL);
    if (arrived < 0) {
        if (errno != EAGAIN && errno != EINTR) die("recvmmsg");
        return;
    }
    const uint32_t at_s = now_s();
    int answers = 0;
    struct mmsghdr out[BATCH];
    for (int index = 0; index < arrived; index++) {
        if (answer(server, post, index, at_s)) out[answers++] = post->messages[index];
    }
    for (int sent = 0; sent < answers;) {
        const int more = sendmmsg(server->udp, out + sent, (unsigned)(answers - sent), MSG_DONTWAIT);
        /* An answer that the kernel does not take is lost, as on a network; the others still go. */
        sent += more > 0 ? more : 1;
    }
}

static void send_due(const struct server *server) {
    const struct letter *letter;
    for (const uint64_t at_us = now_us(); (letter = late_take(server->late, at_us));) {
        uint8_t control[CMSG_SPACE(sizeof(struct in_pktinfo))] = {0};
        struct iovec part = {(void *)letter->text, letter->bytes};
        struct msghdr message = {
            .msg_name = (void *)&letter->to,
            .msg_namelen = sizeof letter->to,
            .msg_iov = &part,
            .msg_iovlen = 1,
            .msg_control = control,
            .msg_controllen = sizeof control,
        };
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        *head = (struct cmsghdr){.cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
        head->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
        *(struct in_pktinfo *)CMSG_DATA(head) = (struct in_pktinfo){.ipi_spec_dst = letter->from};
        sendmsg(server->udp, &message, MSG_DONTWAIT);
    }
}

/* Orders. */

static void say_counts(const struct server *server) {
    const struct bmc_counts *counts = farm_counts(server->farm);
    printf("datagrams=%llu logins=%llu logouts=%llu commands=%llu checks=%llu controls=%llu refused=%llu dropped=%llu\n",
           (unsigned long long)counts->datagrams, (unsigned long long)counts->logins,
           (unsigned long long)counts->logouts, (unsigned long long)counts->commands,
           (unsigned long long)counts->checks, (unsigned long long)counts->controls,
           (unsigned long long)counts->refused, (unsigned long long)counts->dropped);
}

static bool apply(struct farm *farm, const char *word, uint32_t number) {
    if (!strcmp(word, "silent") || !strcmp(word, "answer")) {
        farm_set_silent(farm, number, *word == 's');
    } else if (!strcmp(word, "on") || !strcmp(word, "off")) {
        farm_set_power(farm, number, !strcmp(word, "on"));
    } else if (!strcmp(word, "reboot")) {
        farm_reboot(farm, number);
    } else {
        return false;
    }
    return true;
}

static void obey_line(struct server *server, const char *line) {
    char word[16];
    unsigned first = 0, last = 0;
    const int fields = sscanf(line, "%15s %u %u", word, &first, &last);
    bool is_known = false;
    if (fields == 1 && !strcmp(word, "counts")) {
        say_counts(server);
        fflush(stdout);
        return;
    }
    if (fields == 2 && !strcmp(word, "loss") && first <= 100) {
        server->loss_percent = first;
        is_known = true;
    } else if (fields == 3 && first >= 1 && first <= last && last <= server->bmcs) {
        is_known = true;
        for (uint32_t number = first; is_known && number <= last; number++) is_known = apply(server->farm, word, number);
    }
    puts(is_known ? "ok" : "error: no such order, or no such BMC");
    fflush(stdout);
}

/* Take what has come in on standard input; returns whether there may be more. */
static bool take_orders(struct server *server) {
    const ssize_t count = read(STDIN_FILENO, server->line + server->line_bytes, MAX_LINE - 1 - server->line_bytes);
    if (count <= 0) return count < 0 && errno == EINTR;
    server->line_bytes += (size_t)count;
    char *begin = server->line, *end = server->line + server->line_bytes, *cut;
    while ((cut = memchr(begin, '\n', (size_t)(end - begin)))) {
        *cut = 0;
        obey_line(server, begin);
        begin = cut + 1;
    }
    server->line_bytes = (size_t)(end - begin);
    memmove(server->line, begin, server->line_bytes);
    /* A line that does not fit is nobody's order. */
    if (server->line_bytes == MAX_LINE - 1) server->line_bytes = 0;
    return true;
}

/* Setting up. */

static uint32_t number_of(const char *text, uint32_t most) {
    char *end;
    errno = 0;
    const unsigned long value = strtoul(text, &end, 10);
    if (errno || *end || end == text || value > most) {
        fprintf(stderr, "bmcsim: %s is not a whole number up to %u\n", text, most);
        exit(EXIT_FAILURE);
    }
    return (uint32_t)value;
}

static uint32_t network_of(const char *text) {
    unsigned first = 0, second = 0;
    char rest;
    if (sscanf(text, "%u.%u%c", &first, &second, &rest) != 2 || first != LOOPBACK || second > 255) {
        fprintf(stderr, "bmcsim: --network is 127.x\n");
        exit(EXIT_FAILURE);
    }
    return first << 8 | second;
}

static struct options read_options(int count, char **words) {
    static const struct option known[] = {
        {"bmcs", required_argument, NULL, 'b'},     {"port", required_argument, NULL, 'p'},
        {"network", required_argument, NULL, 'n'},  {"silent", required_argument, NULL, 's'},
        {"loss", required_argument, NULL, 'l'},     {"seed", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 't'},  {"username", required_argument, NULL, 'u'},
        {"password", required_argument, NULL, 'w'}, {"median-ms", required_argument, NULL, 'm'},
        {"p99-ms", required_argument, NULL, '9'},   {NULL, 0, NULL, 0},
    };
    struct options options = {
        .bmcs = 1000, .network = LOOPBACK << 8 | 101, .seconds = 3600, .settings = {"admin", "password", 1}};
    for (int letter; (letter = getopt_long(count, words, "", known, NULL)) != -1;) {
        switch (letter) {
        case 'b': options.bmcs = number_of(optarg, MAX_BMCS); break;
        case 'p': options.port = number_of(optarg, 65535); break;
        case 'n': options.network = network_of(optarg); break;
        case 's': options.silent_percent = number_of(optarg, 100); break;
        case 'l': options.loss_percent = number_of(optarg, 100); break;
        case 'r': options.settings.seed = number_of(optarg, UINT32_MAX); break;
        case 't': options.seconds = number_of(optarg, 86400); break;
        case 'u': options.settings.username = optarg; break;
        case 'w': options.settings.password = optarg; break;
        case 'm': options.median_ms = number_of(optarg, MOST_LATE_MS); break;
        case '9': options.p99_ms = number_of(optarg, MOST_LATE_MS); break;
        default: exit(EXIT_FAILURE);
        }
    }
    if (options.p99_ms < options.median_ms) {
        fprintf(stderr, "bmcsim: --p99-ms is not below --median-ms\n");
        exit(EXIT_FAILURE);
    }
    return options;
}

static int open_socket(uint32_t port) {
    const int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1, room = SOCKET_BUFFER;
    if (udp < 0) die("socket");
    if (setsockopt(udp, IPPROTO_IP, IP_PKTINFO, &on, sizeof on)) die("IP_PKTINFO");
    /* Beyond the system's limit where we may; else as much as there is. */
    if (setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room)) {
        setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    }
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (bind(udp, (const struct sockaddr *)&any, sizeof any)) die("bind");
    return udp;
}

static uint32_t port_of(int udp) {
    struct sockaddr_in mine;
    socklen_t bytes = sizeof mine;
    if (getsockname(udp, (struct sockaddr *)&mine, &bytes)) die("getsockname");
    return ntohs(mine.sin_port);
}

/* Silence as many as were asked for, evenly spread: of three in ten the 4th, the 7th, the 10th, and so on. */
static void silence(struct farm *farm, uint32_t bmcs, uint32_t percent) {
    for (uint32_t number = 1; number <= bmcs; number++) {
        farm_set_silent(farm, number, number * percent / 100 != (number - 1) * percent / 100);
    }
}

static void watch(int epoll, int file) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = file};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event)) die(file == STDIN_FILENO ? "standard input is no pipe" : "epoll");
}

static void serve(struct server *server, uint32_t seconds) {
    static struct post post;
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) die("epoll");
    watch(epoll, server->udp);
    watch(epoll, STDIN_FILENO);
    const uint32_t begins_s = now_s();
    for (;;) {
        const uint32_t gone_s = now_s() - begins_s;
        if (gone_s >= seconds) return;
        struct epoll_event events[2];
        const int left_ms = (int)(seconds - gone_s) * 1000, due_ms = late_wait_ms(server->late, now_us());
        const int ready = epoll_wait(epoll, events, 2, due_ms < 0 || due_ms > left_ms ? left_ms : due_ms);
        if (ready < 0 && errno != EINTR) die("epoll_wait");
        for (int index = 0; index < ready; index++) {
            if (events[index].data.fd == server->udp) {
                serve_batch(server, &post);
            } else if (!take_orders(server)) {
                return;
            }
        }
        send_due(server);
    }
}

int main(int count, char **words) {
    const struct options options = read_options(count, words);
    struct server server = {
        .farm = farm_new(options.bmcs, &options.settings),
        .udp = open_socket(options.port),
        .network = options.network,
        .bmcs = options.bmcs,
        .loss_percent = options.loss_percent,
        .random = options.settings.seed | 1u << 31,
        .manners = {options.median_ms * 1e3, options.p99_ms * 1e3, options.settings.seed | 1u << 30},
        .late = late_new(),
    };
    if (!server.farm || !server.late) die("farm");
    silence(server.farm, options.bmcs, options.silent_percent);
    printf("ready %u\n", port_of(server.udp));
    fflush(stdout);
    serve(&server, options.seconds);
    close(server.udp);
    late_free(server.late);
    farm_free(server.farm);
    return EXIT_SUCCESS;
}
