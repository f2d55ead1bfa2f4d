/* What both load generators need: time, the server's CPU and memory, sockets, request bodies, HTTP answers. */
#ifndef COMMON_H
#define COMMON_H

#include <stddef.h>
#include <stdint.h>

/* Ends the program with a message on stderr. */
void fail(const char *message) __attribute__((noreturn));

/* As malloc and realloc, but they end the program when there is no memory. */
void *allocate(size_t bytes);
void *reallocate(void *old, size_t bytes);

/* ---- Time ---- */

#define SECOND 1000000000ull /* nanoseconds */

uint64_t now(void); /* nanoseconds on a clock that never goes back */
double seconds_between(uint64_t from, uint64_t to);

/* ---- The measured processes ---- */

void watch_processes(const char *comma_separated_ids);
double watched_cpu_seconds(void); /* user and system time of all of them, from /proc/ID/stat */
long watched_rss_kib(void);       /* their resident memory, from /proc/ID/status */
double own_cpu_seconds(void);     /* of this load generator */

/* ---- Samples, of which quantiles are asked ---- */

typedef struct {
    uint32_t *microseconds;
    size_t count, capacity;
} samples;

void add_sample(samples *all, uint64_t nanoseconds);
double quantile_ms(samples *all, double share); /* sorts; 0 when there are none */

/* ---- Bodies of requests ---- */

/*
 * A text in which @SEQ@ was replaced by a mark such as ~S00000042, and @COUNT@ by the digits alone. Both are
 * of constant width, so a new number is written over the old one.
 */
#define MARK "~S"
#define MARK_DIGITS 8

typedef struct {
    char *text;
    size_t length;
    size_t digits_at[8];
    int places;
    int has_mark; /* whether @SEQ@ occurs, which comes back in answers and events */
} body;

body body_of(const char *source);
void body_number(body *of, uint32_t number);
long mark_number(const char *digits); /* -1 when these are not digits */

/* ---- Sockets ---- */

int connect_tcp(int port, int wait); /* to 127.0.0.1, from several addresses when there are thousands;
    non-blocking afterwards; `wait` until it is connected */
void send_all(int socket, const char *bytes, size_t length);
char *read_file(const char *path); /* without the line ends at its end */

/* ---- HTTP ---- */

typedef struct {
    int status;
    const char *body;
    size_t body_length;
    size_t length; /* of the whole answer; 0 while it is not complete */
} http_answer;

/* A header line that every request carries, upgrades to WebSocket included. */
void add_header(const char *line);
const char *added_headers(void);

size_t http_post(char *to, size_t room, int port, const char *path, const body *content);
http_answer read_http_answer(const char *bytes, size_t length);

/* Whether "errors" holds an error: top-level errors of GraphQL, or a payload's own list with something in it. */
int holds_errors(const char *text, size_t length);

const char *find(const char *in, size_t length, const char *what);

#endif
