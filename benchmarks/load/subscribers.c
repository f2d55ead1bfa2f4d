/* See subscribers.h. */
#define _GNU_SOURCE
#include "subscribers.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "events.h"
#include "websocket.h"

enum { ROOM = 64 * 1024, SHARED_ROOM = 1024 * 1024, STALL_SECONDS = 20 };

typedef enum { CONNECTING, UPGRADING, GREETING, SUBSCRIBED, GONE } state;

typedef struct {
    int socket;
    state state;
    int on_other_date;
    char id[40];            /* of its operation; as long as the UUIDs of real clients, and unlike all others */
    char *rest;             /* what was received of a frame that is not complete yet */
    size_t rest_length, rest_room;
    uint32_t *received;     /* one bit for each event */
    uint32_t received_words;
    uint32_t last_rank;
} subscriber;

uint64_t duplicates, unexpected, out_of_order, protocol_errors, lost_connections;
int subscribers_ready;

static subscription_plan plan;
static subscriber *subscribers;
static int epoll;
static char shared[SHARED_ROOM]; /* received here first: nearly always only whole frames */
static char *escaped_document;
static const char **init_lines;
static long init_line_count;

/* ---- Opening ---- */

static char *json_escaped(const char *text) {
    char *escaped = allocate(strlen(text) * 2 + 1), *to = escaped;
    for (; *text; text++) {
        if (*text == '"' || *text == '\\' || *text == '\n') *to++ = '\\';
        *to++ = *text == '\n' ? 'n' : *text;
    }
    *to = 0;
    return escaped;
}

static void watch(int index, uint32_t what, int operation) {
    struct epoll_event wanted = {.events = what, .data.u32 = (uint32_t)index};
    epoll_ctl(epoll, operation, subscribers[index].socket, &wanted);
}

static void connect_subscriber(int index) {
    subscribers[index].socket = connect_tcp(plan.port, 0);
    subscribers[index].state = CONNECTING;
    watch(index, EPOLLOUT | EPOLLIN, EPOLL_CTL_ADD);
}

static void request_upgrade(subscriber *one) {
    char request[8192];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s\r\n",
                          plan.path, plan.port,
                          plan.protocol == GRAPHQL_TRANSPORT_WS
                              ? "Sec-WebSocket-Protocol: graphql-transport-ws\r\n" : "",
                          added_headers());
    send_all(one->socket, request, (size_t)length);
    one->state = UPGRADING;
}

/* The subscriber's line of plan.init_payloads; NULL when there are none. */
static const char *init_payload_of(long index, size_t *length) {
    if (!plan.init_payloads) return NULL;
    const char *line = init_lines[index % init_line_count];
    *length = strcspn(line, "\n");
    return line;
}

/* The request whose answer is the stream; with a login of its own instead of the publishers'. */
static void request_stream(subscriber *one) {
    char content[8192], request[16384];
    size_t header;
    const char *line = init_payload_of(one - subscribers, &header);
    int length = snprintf(content, sizeof content, "{\"query\":\"%s\",\"variables\":{\"date\":\"%s\"}}",
                          escaped_document, one->on_other_date ? plan.other_date : plan.date);
    int written = snprintf(request, sizeof request,
                           "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                           "Accept: text/event-stream\r\nContent-Length: %d\r\n%.*s%s\r\n%s",
                           plan.path, plan.port, length, line ? (int)header : 0, line ? line : "",
                           line ? "\r\n" : added_headers(), content);
    send_all(one->socket, request, (size_t)written);
    one->state = UPGRADING;
}

static void find_init_lines(void) {
    const char *line = plan.init_payloads;
    while (line && *line) {
        init_lines = reallocate(init_lines, (size_t)(init_line_count + 1) * sizeof *init_lines);
        init_lines[init_line_count++] = line;
        line += strcspn(line, "\n");
        if (*line) line++;
    }
}

static void greet(subscriber *one) {
    one->state = GREETING;
    if (plan.protocol != GRAPHQL_TRANSPORT_WS) return; /* the server speaks first */
    char message[4096];
    size_t payload;
    const char *line = init_payload_of(one - subscribers, &payload);
    int length = line
        ? snprintf(message, sizeof message, "{\"type\":\"connection_init\",\"payload\":%.*s}", (int)payload, line)
        : snprintf(message, sizeof message, "{\"type\":\"connection_init\"}");
    ws_send(one->socket, WS_TEXT, message, (size_t)length);
}

/* What /broadcasting/auth answers about the plan's channel, for the socket that the server has just greeted. */
static http_answer authorise(const char *greeting, size_t length) {
    static int http = -1;
    static char request[8192], bytes[8192], content[256];
    if (http < 0) http = connect_tcp(plan.port, 1);
    const char *id = find(greeting, length, "socket_id");
    if (!id) fail("the server has greeted without a socket_id");
    id += strcspn(id, "0123456789");
    int written = snprintf(content, sizeof content, "{\"socket_id\":\"%.*s\",\"channel_name\":\"%s\"}",
                           (int)strspn(id, "0123456789."), id, plan.document);
    body asked = {.text = content, .length = (size_t)written};
    send_all(http, request, http_post(request, sizeof request, plan.port, "/broadcasting/auth", &asked));
    http_answer answer = {0};
    for (size_t received = 0; !answer.length;) {
        struct pollfd waiting = {.fd = http, .events = POLLIN};
        if (poll(&waiting, 1, STALL_SECONDS * 1000) < 1) fail("/broadcasting/auth does not answer");
        ssize_t more = recv(http, bytes + received, sizeof bytes - 1 - received, 0);
        if (more < 1) fail("/broadcasting/auth has hung up");
        received += (size_t)more;
        bytes[received] = 0;
        answer = read_http_answer(bytes, received);
    }
    if (answer.status != 200) fail("/broadcasting/auth has refused");
    return answer;
}

/* `greeting` is what the server said first. */
static void subscribe(subscriber *one, const char *greeting, size_t greeting_length) {
    char message[8192];
    const char *date = one->on_other_date ? plan.other_date : plan.date;
    http_answer authorised = {0};
    if (plan.protocol == PUSHER_7) authorised = authorise(greeting, greeting_length);
    int length = plan.protocol == PUSHER_7 /* the answer is an object: {"auth": …} */
        ? snprintf(message, sizeof message, "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"%s\",%.*s}",
                   plan.document, (int)authorised.body_length - 1, authorised.body + 1)
        : plan.protocol == GRAPHQL_TRANSPORT_WS
        ? snprintf(message, sizeof message,
                   "{\"id\":\"%s\",\"type\":\"subscribe\",\"payload\":"
                   "{\"query\":\"%s\",\"variables\":{\"date\":\"%s\"}}}",
                   one->id, escaped_document, date)
        : snprintf(message, sizeof message, "42[\"subscribe\",{\"channel\":\"%s%s\",\"auth\":{\"headers\":{}}}]",
                   plan.document, date);
    ws_send(one->socket, WS_TEXT, message, (size_t)length);
    one->state = SUBSCRIBED;
    subscribers_ready++;
}

double open_subscribers(const subscription_plan *wanted, int on_epoll, void (*poll_once)(int milliseconds)) {
    plan = *wanted;
    epoll = on_epoll;
    escaped_document = json_escaped(plan.document);
    find_init_lines();
    subscribers = allocate((size_t)plan.count * sizeof *subscribers);
    memset(subscribers, 0, (size_t)plan.count * sizeof *subscribers);
    long others = (long)(plan.count * plan.other_share + 0.5);
    for (long i = 0; i < plan.count; i++) { /* spread evenly, as in a school that looks at two days */
        subscribers[i].on_other_date = (i + 1) * others / plan.count != i * others / plan.count;
        if (!subscribers[i].on_other_date) watchers++;
        if (plan.protocol == GRAPHQL_TRANSPORT_WS)
            snprintf(subscribers[i].id, sizeof subscribers[i].id, "%08x-5f3c-4b1e-9a77-%012lx",
                     (uint32_t)i * 2654435761u, (unsigned long)i);
    }
    uint64_t begun = now(), progress_at = begun;
    int started = 0, before = 0;
    while (subscribers_ready < plan.count) {
        while (started < plan.count && started - subscribers_ready < plan.opening_at_once)
            connect_subscriber(started++);
        poll_once(20);
        if (subscribers_ready != before) progress_at = now();
        before = subscribers_ready;
        if (lost_connections) fail("a connection was lost while the subscribers were opened");
        if (seconds_between(progress_at, now()) > STALL_SECONDS) fail("opening the subscribers has stalled");
    }
    return seconds_between(begun, now());
}

/* ---- Receiving ---- */

static void lose(subscriber *one) {
    epoll_ctl(epoll, EPOLL_CTL_DEL, one->socket, NULL);
    close(one->socket);
    one->state = GONE;
    lost_connections++;
}

static int says(const char *message, size_t length, const char *type) {
    char compact[64], spaced[64];
    snprintf(compact, sizeof compact, "\"type\":\"%s\"", type);
    snprintf(spaced, sizeof spaced, "\"type\": \"%s\"", type);
    return find(message, length, compact) || find(message, length, spaced);
}

/* A message without a mark: part of the protocol, or a fault. */
static void control_message(subscriber *one, const char *message, size_t length) {
    if (plan.protocol == GRAPHQL_TRANSPORT_WS) {
        if (one->state == GREETING && says(message, length, "connection_ack")) {
            subscribe(one, message, length);
            return;
        }
        if (says(message, length, "ping")) {
            ws_send(one->socket, WS_TEXT, "{\"type\":\"pong\"}", 15);
            return;
        }
        if (says(message, length, "pong")) return;
    } else if (plan.protocol == PUSHER_7) {
        if (one->state == GREETING && find(message, length, "pusher:connection_established")) {
            subscribe(one, message, length);
            return;
        }
        if (find(message, length, "pusher_internal:subscription_succeeded")) return;
    } else if (plan.protocol == EVENT_STREAM) {
        if (!find(message, length, "event: ")) return; /* a comment, or an id without data */
    } else {
        if (length >= 2 && message[0] == '4' && message[1] == '0') { /* connected */
            subscribe(one, message, length);
            return;
        }
        if (message[0] == '0' || message[0] == '3') return; /* opened; pong */
    }
    if (protocol_errors++ < 3)
        fprintf(stderr, "unexpected message: %.*s\n", (int)(length > 600 ? 600 : length), message);
}

/* Whether the subscriber had received the event before; now it has. */
static int had_received(subscriber *one, uint32_t number) {
    uint32_t word = number / 32, bit = 1u << number % 32;
    if (word >= one->received_words) {
        uint32_t words = (word + 64) & ~63u;
        one->received = reallocate(one->received, words * sizeof *one->received);
        memset(one->received + one->received_words, 0, (words - one->received_words) * sizeof *one->received);
        one->received_words = words;
    }
    int had = (one->received[word] & bit) != 0;
    one->received[word] |= bit;
    return had;
}

static void text_message(subscriber *one, const char *message, size_t length, uint64_t at) {
    static size_t mark_at; /* where the last mark stood: mostly the next one stands there too */
    const char *mark;
    if (mark_at + 2 + MARK_DIGITS <= length && !memcmp(message + mark_at, MARK, 2)) {
        mark = message + mark_at;
    } else {
        mark = find(message, length, MARK);
        if (!mark) {
            control_message(one, message, length);
            return;
        }
        mark_at = (size_t)(mark - message);
    }
    size_t left = length - (size_t)(mark + 2 - message);
    long number = left >= MARK_DIGITS ? mark_number(mark + 2) : -1;
    if (one->on_other_date || number < 0 || number >= (long)events_sent) {
        if (unexpected++ < 3)
            fprintf(stderr, "an event for nobody here: %.*s\n", (int)(length > 600 ? 600 : length), message);
        return;
    }
    if (had_received(one, (uint32_t)number)) {
        duplicates++;
        return;
    }
    uint32_t rank = event_arrived((uint32_t)number, one->id, message, length, at);
    if (rank < one->last_rank) out_of_order++;
    one->last_rank = rank;
}

/* Handles the whole frames, and answers how many bytes they had. */
static size_t take_frames(subscriber *one, const char *bytes, size_t length, uint64_t at) {
    size_t used = 0;
    if (one->state == UPGRADING) {
        const char *head_end = find(bytes, length, "\r\n\r\n");
        if (!head_end) return 0;
        if (strncmp(bytes + 9, "101", 3)) {
            fprintf(stderr, "%.*s\n", (int)(length > 400 ? 400 : length), bytes);
            fail("the server refused a WebSocket");
        }
        used = (size_t)(head_end - bytes) + 4;
        greet(one);
    }
    while (one->state != GONE) {
        ws_frame frame = ws_read(bytes + used, length - used);
        if (!frame.size) break;
        used += frame.size;
        if (frame.opcode == WS_PING) ws_send(one->socket, WS_PONG, frame.content, frame.length);
        if (frame.opcode == WS_CLOSE) {
            if (lost_connections < 3)
                fprintf(stderr, "closed: %.*s\n", frame.length > 2 ? (int)frame.length - 2 : 0, frame.content + 2);
            lose(one);
        }
        if (frame.opcode > WS_BINARY) continue;
        if (frame.final && frame.opcode == WS_TEXT)
            text_message(one, frame.content, frame.length, at);
        else
            protocol_errors++;
    }
    return used;
}

/* The same for the chunks of an event stream, each of which holds whole events. */
static size_t take_chunks(subscriber *one, const char *bytes, size_t length, uint64_t at) {
    size_t used = 0;
    if (one->state == UPGRADING) {
        const char *head_end = find(bytes, length, "\r\n\r\n");
        if (!head_end) return 0;
        if (strncmp(bytes + 9, "200", 3)) {
            fprintf(stderr, "%.*s\n", (int)(length > 400 ? 400 : length), bytes);
            fail("the server refused an event stream");
        }
        used = (size_t)(head_end - bytes) + 4;
        one->state = GREETING;
    }
    for (;;) {
        const char *chunk = bytes + used;
        const char *line_end = find(chunk, length - used, "\r\n");
        if (!line_end) return used;
        size_t head = (size_t)(line_end - chunk) + 2, content = strtoul(chunk, NULL, 16);
        if (length - used < head + content + 2) return used;
        used += head + content + 2;
        if (!content) {
            lose(one);
            return used;
        }
        if (one->state == GREETING) {
            one->state = SUBSCRIBED;
            subscribers_ready++;
        }
        for (const char *event = chunk + head, *end = event + content; event < end;) {
            const char *event_end = find(event, (size_t)(end - event), "\n\n");
            if (!event_end) {
                protocol_errors++;
                break;
            }
            text_message(one, event, (size_t)(event_end - event), at);
            event = event_end + 2;
        }
    }
}

static void keep_rest(subscriber *one, const char *bytes, size_t length) {
    if (!length) { /* an idle subscriber needs no memory here, so that thousands of them fit */
        free(one->rest);
        one->rest = NULL;
        one->rest_length = one->rest_room = 0;
        return;
    }
    if (bytes == one->rest) { /* nothing of it was used */
        one->rest_length = length;
        return;
    }
    if (one->rest && bytes > one->rest && bytes < one->rest + one->rest_room) {
        memmove(one->rest, bytes, length);
    } else {
        one->rest_room = length + 2 * ROOM;
        one->rest = reallocate(one->rest, one->rest_room);
        memcpy(one->rest, bytes, length);
    }
    one->rest_length = length;
}

static void read_subscriber(subscriber *one) {
    while (one->state != GONE) {
        char *to = shared;
        size_t room = sizeof shared;
        if (one->rest_length) {
            if (one->rest_room < one->rest_length + ROOM) {
                one->rest_room = one->rest_length + 2 * ROOM;
                one->rest = reallocate(one->rest, one->rest_room);
            }
            to = one->rest + one->rest_length;
            room = one->rest_room - one->rest_length;
        }
        ssize_t got = recv(one->socket, to, room, 0);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) {
            lose(one);
            return;
        }
        char *bytes = one->rest_length ? one->rest : shared;
        size_t length = one->rest_length + (size_t)got;
        size_t used = (plan.protocol == EVENT_STREAM ? take_chunks : take_frames)(one, bytes, length, now());
        keep_rest(one, bytes + used, length - used);
        if ((size_t)got < room) return; /* the socket is empty: epoll tells when there is more */
    }
}

void subscriber_ready(uint32_t index, uint32_t epoll_events) {
    subscriber *one = &subscribers[index];
    if (one->state == CONNECTING) {
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(one->socket, SOL_SOCKET, SO_ERROR, &error, &length);
        if (error) fail(strerror(error));
        if (!(epoll_events & EPOLLOUT)) return;
        (plan.protocol == EVENT_STREAM ? request_stream : request_upgrade)(one);
        watch((int)index, EPOLLIN, EPOLL_CTL_MOD);
        return;
    }
    read_subscriber(one);
}

uint64_t missing_deliveries(uint32_t from, uint32_t to) {
    uint64_t missing = 0;
    for (int i = 0; i < plan.count; i++) {
        const subscriber *one = &subscribers[i];
        if (one->on_other_date) continue;
        for (uint32_t number = from; number < to; number++)
            if (number / 32 >= one->received_words || !(one->received[number / 32] >> number % 32 & 1)) missing++;
    }
    return missing;
}
