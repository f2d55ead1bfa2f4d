/*
 * httpload: GraphQL over a few keep-alive HTTP connections, each of which sends its next request when the last one
 * was answered. Every answer is checked.
 *
 * A body may hold @COUNT@, which becomes a new number in each request, or @SEQ@, which becomes a mark that the answer
 * must hold too. Answers to requests that are all alike must be all alike, unless somebody writes meanwhile: with
 * --write-body-file and --write-rate one more connection sends mutations (with @SEQ@) at that rate, and no answer may
 * be older than the last mutation that was acknowledged before its request was sent.
 * Prints one line of JSON; what was wrong stands on stderr.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common.h"

enum { MOST_CONNECTIONS = 256, REQUEST_ROOM = 64 * 1024, PATIENCE_SECONDS = 10 };

typedef struct {
    int socket;
    char *answer;
    size_t length, room;
    uint64_t sent_at;
    uint32_t number;
    uint32_t written; /* the last acknowledged mutation when the request was sent */
    int waiting;
} connection;

static int port, connection_count = 16;
static const char *path = "/graphql";
static double measured_seconds = 4, warm_seconds = 1, write_rate;
static body content, write_content;
static const char *expected[32];
static int expected_count;

static connection connections[MOST_CONNECTIONS + 1]; /* the last one of those in use is the writer */
static uint32_t requests_sent, writes_sent, writes_acknowledged;
static uint64_t bad_answers, stale_answers, requests_counted, bytes_counted;
static samples answer_times;
static char *first_answer;
static size_t first_length;
static int epoll;

static void read_arguments(int count, char **words) {
    for (int i = 1; i + 1 < count; i += 2) {
        const char *name = words[i], *value = words[i + 1];
#define OPTION(text) !strcmp(name, "--" text)
        if (OPTION("port")) port = atoi(value);
        else if (OPTION("path")) path = value;
        else if (OPTION("connections")) connection_count = atoi(value);
        else if (OPTION("seconds")) measured_seconds = atof(value);
        else if (OPTION("warm")) warm_seconds = atof(value);
        else if (OPTION("body-file")) content = body_of(read_file(value));
        else if (OPTION("write-body-file")) write_content = body_of(read_file(value));
        else if (OPTION("write-rate")) write_rate = atof(value);
        else if (OPTION("header")) add_header(value);
        else if (OPTION("processes")) watch_processes(value);
        else if (OPTION("expect") && expected_count < 32) expected[expected_count++] = value;
        else fail(name);
#undef OPTION
    }
    if (count % 2 == 0) fail("every option takes a value");
    if (!port || !content.text) fail("--port and --body-file are missing");
    if (connection_count < 1 || connection_count > MOST_CONNECTIONS) fail("between 1 and 256 connections");
}

static int writing(void) { return write_content.text && write_rate > 0; }

static void open_connection(int index) {
    connections[index] = (connection){.socket = connect_tcp(port, 1), .room = 1 << 18};
    connections[index].answer = allocate(connections[index].room);
    struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
    epoll_ctl(epoll, EPOLL_CTL_ADD, connections[index].socket, &wanted);
}

static void send_request(connection *one, body *what, uint32_t number) {
    static char request[REQUEST_ROOM];
    body_number(what, number);
    size_t length = http_post(request, sizeof request, port, path, what);
    one->number = number;
    one->written = writes_acknowledged;
    one->waiting = 1;
    one->length = 0;
    one->sent_at = now();
    send_all(one->socket, request, length);
}

/* ---- Checking ---- */

static int holds_expected(const char *text, size_t length) {
    for (int i = 0; i < expected_count; i++)
        if (!find(text, length, expected[i])) return 0;
    return 1;
}

/* The number of the mark in an answer, or 0. */
static uint32_t mark_in(const char *text, size_t length) {
    const char *mark = find(text, length, MARK);
    if (!mark || (size_t)(mark - text) + 2 + MARK_DIGITS > length) return 0;
    long number = mark_number(mark + 2);
    return number < 0 ? 0 : (uint32_t)number;
}

static int is_good(const connection *one, const http_answer *answer) {
    const char *text = answer->body;
    size_t length = answer->body_length;
    if (answer->status != 200 || holds_errors(text, length)) return 0;
    if (content.has_mark) return mark_in(text, length) == one->number && holds_expected(text, length);
    if (writing()) {
        if (mark_in(text, length) < one->written) stale_answers++;
        return holds_expected(text, length);
    }
    if (!first_answer) {
        first_answer = allocate(length);
        first_length = length;
        memcpy(first_answer, text, length);
        return holds_expected(text, length);
    }
    return length == first_length && !memcmp(text, first_answer, length);
}

static void complain(const connection *one) {
    if (bad_answers++ < 2)
        fprintf(stderr, "a bad answer: %.*s\n", (int)(one->length > 1500 ? 1500 : one->length), one->answer);
}

/* ---- The loop ---- */

/* Reads what there is; answers whether the HTTP answer is complete. */
static int receive(connection *one, http_answer *answer) {
    for (;;) {
        if (one->room - one->length < 1 << 16) {
            one->room *= 2;
            one->answer = reallocate(one->answer, one->room);
        }
        ssize_t got = recv(one->socket, one->answer + one->length, one->room - one->length, 0);
        if (got < 0 && errno == EAGAIN) break;
        if (got <= 0) fail("the server closed a connection");
        one->length += (size_t)got;
    }
    *answer = read_http_answer(one->answer, one->length);
    return answer->length != 0;
}

static void writer_answered(connection *writer, const http_answer *answer) {
    writer->waiting = 0;
    if (answer->status != 200 || holds_errors(answer->body, answer->body_length))
        complain(writer);
    else
        writes_acknowledged = writer->number;
}

static void write_when_due(uint64_t begun) {
    connection *writer = &connections[connection_count];
    if (writing() && !writer->waiting && seconds_between(begun, now()) * write_rate >= writes_sent)
        send_request(writer, &write_content, ++writes_sent);
}

typedef struct {
    uint64_t at;
    double server_cpu, own_cpu;
} reading;

static reading read_meters(void) { return (reading){now(), watched_cpu_seconds(), own_cpu_seconds()}; }

/* Sends and receives for some seconds; what is answered in them is counted if `counted`. */
static void load_for(double seconds, uint64_t begun, int counted) {
    uint64_t from = now(), moved_at = from;
    while (seconds_between(from, now()) < seconds) {
        struct epoll_event ready[64];
        int count = epoll_wait(epoll, ready, 64, writing() ? 5 : 100);
        if (count) moved_at = now();
        if (seconds_between(moved_at, now()) > PATIENCE_SECONDS) fail("the server has not answered for 10 s");
        for (int i = 0; i < count; i++) {
            connection *one = &connections[ready[i].data.u32];
            http_answer answer;
            if (!receive(one, &answer)) continue;
            if (one == &connections[connection_count]) {
                writer_answered(one, &answer);
                continue;
            }
            uint64_t took = now() - one->sent_at;
            if (!is_good(one, &answer)) complain(one);
            if (counted) {
                add_sample(&answer_times, took);
                requests_counted++;
                bytes_counted += answer.body_length;
            }
            send_request(one, &content, ++requests_sent);
        }
        write_when_due(begun);
    }
}

int main(int count, char **words) {
    read_arguments(count, words);
    signal(SIGPIPE, SIG_IGN);
    epoll = epoll_create1(0);
    for (int i = 0; i < connection_count + (writing() ? 1 : 0); i++) open_connection(i);
    for (int i = 0; i < connection_count; i++) send_request(&connections[i], &content, ++requests_sent);

    uint64_t begun = now();
    load_for(warm_seconds, begun, 0);
    uint32_t writes_before = writes_sent;
    reading from = read_meters();
    load_for(measured_seconds, begun, 1);
    reading to = read_meters();

    double wall = seconds_between(from.at, to.at), cpu = to.server_cpu - from.server_cpu;
    double answers = requests_counted ? (double)requests_counted : 1;
    printf("{\"requests\":%lu,\"seconds\":%.3f,\"requests_per_s\":%.1f", requests_counted, wall,
           (double)requests_counted / wall);
    printf(",\"cpu_s\":%.2f,\"cpu_s_per_1k\":%.4f,\"server_busy\":%.3f,\"load_busy\":%.3f", cpu, cpu / answers * 1e3,
           cpu / wall, (to.own_cpu - from.own_cpu) / wall);
    printf(",\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"answer_bytes\":%.0f,\"writes\":%u", quantile_ms(&answer_times, .5),
           quantile_ms(&answer_times, .99), (double)bytes_counted / answers, writes_sent - writes_before);
    printf(",\"rss_end_kib\":%ld,\"bad_answers\":%lu,\"stale_answers\":%lu,\"ok\":%s}\n", watched_rss_kib(),
           bad_answers, stale_answers, requests_counted && !bad_answers && !stale_answers ? "true" : "false");
    return 0;
}
