/* See publishers.h. */
#include "publishers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 64, ROOM = 64 * 1024 };

typedef struct {
    int socket;
    int waiting; /* for an answer */
    char answer[ROOM];
    size_t length;
} publisher;

uint64_t publications_answered, publication_errors;

static publishing_plan plan;
static publisher *publishers;
static body content;
static int epoll;

static void connect_publisher(int index) {
    publishers[index] = (publisher){.socket = connect_tcp(plan.port, 1)};
    struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = PUBLISHER | (uint32_t)index};
    epoll_ctl(epoll, EPOLL_CTL_ADD, publishers[index].socket, &wanted);
}

void open_publishers(const publishing_plan *wanted, int on_epoll) {
    plan = *wanted;
    epoll = on_epoll;
    if (plan.connections < 1 || plan.connections > MOST) fail("between 1 and 64 publishers");
    content = body_of(plan.body);
    publishers = allocate((size_t)plan.connections * sizeof *publishers);
    for (int i = 0; i < plan.connections; i++) connect_publisher(i);
}

int publisher_free(void) {
    for (int i = 0; i < plan.connections; i++)
        if (!publishers[i].waiting) return i;
    return -1;
}

int publisher_waiting(void) {
    for (int i = 0; i < plan.connections; i++)
        if (publishers[i].waiting) return 1;
    return 0;
}

void publish(int index, phase during) {
    static char request[ROOM];
    uint32_t number = begin_event(during);
    body_number(&content, number);
    size_t length;
    if (plan.redis_channel)
        length = (size_t)snprintf(request, sizeof request, "*3\r\n$7\r\nPUBLISH\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
                                  strlen(plan.redis_channel), plan.redis_channel, content.length, content.text);
    else
        length = http_post(request, sizeof request, plan.port, plan.path, &content);
    publishers[index].waiting = 1;
    event_leaves(number);
    send_all(publishers[index].socket, request, length);
}

/* Whether the answer is complete; a bad one is counted. */
static int complete(const publisher *one) {
    int good;
    if (plan.redis_channel) {
        if (!find(one->answer, one->length, "\r\n")) return 0;
        good = one->answer[0] == ':';
    } else {
        http_answer answer = read_http_answer(one->answer, one->length);
        if (!answer.length) return 0;
        good = answer.status == 200 && !holds_errors(answer.body, answer.body_length);
    }
    if (!good && publication_errors++ < 3)
        fprintf(stderr, "a mutation failed: %.*s\n", (int)(one->length > 800 ? 800 : one->length), one->answer);
    return 1;
}

void publisher_ready(uint32_t index) {
    publisher *one = &publishers[index];
    for (;;) {
        if (one->length == ROOM) fail("an answer to a mutation is too long");
        ssize_t got = recv(one->socket, one->answer + one->length, ROOM - one->length, 0);
        if (got < 0 && errno == EAGAIN) break;
        if (got <= 0) {
            if (one->waiting) fail("the server closed a connection instead of answering a mutation");
            close(one->socket);
            connect_publisher((int)index);
            return;
        }
        one->length += (size_t)got;
    }
    if (!complete(one)) return;
    one->length = 0;
    one->waiting = 0;
    publications_answered++;
}
