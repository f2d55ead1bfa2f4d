/* See common.h. */
#define _GNU_SOURCE
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void fail(const char *message) {
    fprintf(stderr, "load generator: %s\n", message);
    exit(3);
}

void *allocate(size_t bytes) { return reallocate(NULL, bytes); }

void *reallocate(void *old, size_t bytes) {
    void *memory = realloc(old, bytes);
    if (!memory) fail("out of memory");
    return memory;
}

/* ---- Time ---- */

uint64_t now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * SECOND + (uint64_t)at.tv_nsec;
}

double seconds_between(uint64_t from, uint64_t to) { return ((double)to - (double)from) / SECOND; }

/* ---- The measured processes ---- */

static int watched[64];
static int watched_count;

void watch_processes(const char *comma_separated_ids) {
    char *copy = strdup(comma_separated_ids), *rest = NULL;
    for (char *word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
        if (watched_count < 64) watched[watched_count++] = atoi(word);
    free(copy);
}

static double cpu_seconds_of(int id) {
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", id);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = 0;
    char *after_name = strrchr(line, ')'); /* a program's name may hold spaces */
    unsigned long user = 0, system = 0;
    if (after_name)
        sscanf(after_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

double watched_cpu_seconds(void) {
    double total = 0;
    for (int i = 0; i < watched_count; i++) total += cpu_seconds_of(watched[i]);
    return total;
}

long watched_rss_kib(void) {
    long total = 0;
    for (int i = 0; i < watched_count; i++) {
        char path[64], line[256];
        snprintf(path, sizeof path, "/proc/%d/status", watched[i]);
        FILE *file = fopen(path, "r");
        if (!file) continue;
        while (fgets(line, sizeof line, file))
            if (!strncmp(line, "VmRSS:", 6)) total += atol(line + 6);
        fclose(file);
    }
    return total;
}

double own_cpu_seconds(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* ---- Samples ---- */

void add_sample(samples *all, uint64_t nanoseconds) {
    if (all->count == all->capacity) {
        all->capacity = all->capacity ? all->capacity * 2 : 1 << 16;
        all->microseconds = reallocate(all->microseconds, all->capacity * sizeof *all->microseconds);
    }
    uint64_t microseconds = nanoseconds / 1000;
    all->microseconds[all->count++] = microseconds > UINT32_MAX ? UINT32_MAX : (uint32_t)microseconds;
}

static int by_size(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

double quantile_ms(samples *all, double share) {
    if (!all->count) return 0;
    qsort(all->microseconds, all->count, sizeof *all->microseconds, by_size);
    size_t index = (size_t)((double)all->count * share);
    return all->microseconds[index < all->count ? index : all->count - 1] / 1e3;
}

/* ---- Bodies of requests ---- */

body body_of(const char *source) {
    body made = {.text = allocate(strlen(source) * 2 + 32)};
    while (*source) {
        int mark = !strncmp(source, "@SEQ@", 5), count = !strncmp(source, "@COUNT@", 7);
        if (!mark && !count) {
            made.text[made.length++] = *source++;
            continue;
        }
        if (made.places == 8) fail("a body has at most 8 numbers");
        if (mark) {
            memcpy(made.text + made.length, MARK, 2);
            made.length += 2;
            made.has_mark = 1;
        }
        made.digits_at[made.places++] = made.length;
        memset(made.text + made.length, '0', MARK_DIGITS);
        made.length += MARK_DIGITS;
        source += mark ? 5 : 7;
    }
    made.text[made.length] = 0;
    return made;
}

void body_number(body *of, uint32_t number) {
    for (int place = 0; place < of->places; place++) {
        uint32_t rest = number;
        for (int digit = MARK_DIGITS - 1; digit >= 0; digit--, rest /= 10)
            of->text[of->digits_at[place] + (size_t)digit] = (char)('0' + rest % 10);
    }
}

long mark_number(const char *digits) {
    long number = 0;
    for (int i = 0; i < MARK_DIGITS; i++) {
        if (digits[i] < '0' || digits[i] > '9') return -1;
        number = number * 10 + (digits[i] - '0');
    }
    return number;
}

/* ---- Sockets ---- */

/* An address may have no more of a server than it has left, and its open files bound it. */
enum { OF_ONE_ADDRESS = 2000 };

/* The next address of the loopback, as further clients would have. */
static void bind_source(int made) {
    static int connected;
    int one = 1, others = connected++ / OF_ONE_ADDRESS;
    if (!others) return;
    setsockopt(made, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)others)};
    if (bind(made, (struct sockaddr *)&from, sizeof from) < 0) fail("cannot bind to another address of the loopback");
}

int connect_tcp(int port, int wait) {
    int one = 1, made = socket(AF_INET, SOCK_STREAM | (wait ? 0 : SOCK_NONBLOCK), 0);
    if (made < 0) fail("no more sockets: is `ulimit -n` too low?");
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    bind_source(made);
    if (connect(made, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) fail("cannot connect");
    if (wait) fcntl(made, F_SETFL, O_NONBLOCK);
    return made;
}

void send_all(int socket, const char *bytes, size_t length) {
    while (length) {
        ssize_t sent = send(socket, bytes, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            struct pollfd writable = {.fd = socket, .events = POLLOUT};
            if (poll(&writable, 1, 10000) <= 0) fail("the server has read nothing for 10 s");
            continue;
        }
        if (sent < 0) return; /* the loss of the connection is seen when it is read */
        bytes += sent;
        length -= (size_t)sent;
    }
}

char *read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(path);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = allocate((size_t)size + 1);
    if (fread(text, 1, (size_t)size, file) != (size_t)size) fail(path);
    fclose(file);
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r')) size--;
    text[size] = 0;
    return text;
}

/* ---- HTTP ---- */

static char headers[4096];

void add_header(const char *line) {
    size_t used = strlen(headers);
    if (used + strlen(line) + 3 > sizeof headers) fail("too many headers");
    snprintf(headers + used, sizeof headers - used, "%s\r\n", line);
}

const char *added_headers(void) { return headers; }

size_t http_post(char *to, size_t room, int port, const char *path, const body *content) {
    int length = snprintf(to, room,
                          "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                          "Accept: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
                          path, port, headers, content->length, content->text);
    if (length < 0 || (size_t)length >= room) fail("the request is too long");
    return (size_t)length;
}

http_answer read_http_answer(const char *bytes, size_t length) {
    http_answer answer = {0};
    const char *head_end = find(bytes, length, "\r\n\r\n");
    if (!head_end || length < 12) return answer;
    size_t head = (size_t)(head_end - bytes) + 4;
    long declared = 0;
    int chunked = 0;
    for (const char *line = bytes; line < head_end;) {
        const char *end = find(line, (size_t)(head_end + 2 - line), "\r\n");
        if (!end) break;
        if (!strncasecmp(line, "content-length:", 15)) declared = atol(line + 15);
        if (!strncasecmp(line, "transfer-encoding:", 18) && find(line, (size_t)(end - line), "chunked")) chunked = 1;
        line = end + 2;
    }
    answer.status = atoi(bytes + 9);
    answer.body = bytes + head;
    if (chunked) { /* the chunks are compared as they are: equal answers of one server have equal chunks */
        if (length < head + 5 || memcmp(bytes + length - 5, "0\r\n\r\n", 5)) return answer;
        answer.body_length = length - head;
        answer.length = length;
    } else if (length >= head + (size_t)declared) {
        answer.body_length = (size_t)declared;
        answer.length = head + (size_t)declared;
    }
    return answer;
}

int holds_errors(const char *text, size_t length) {
    const char *end = text + length;
    while ((text = find(text, (size_t)(end - text), "\"errors\""))) {
        text += 8;
        while (text < end && (*text == ':' || *text == ' ' || *text == '[')) text++;
        if (text < end && *text == '{') return 1;
    }
    return 0;
}

const char *find(const char *in, size_t length, const char *what) { return memmem(in, length, what, strlen(what)); }
