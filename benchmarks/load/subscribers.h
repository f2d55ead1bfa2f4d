/* Many WebSockets or event streams, each with one subscription, whose every message is checked. */
#ifndef SUBSCRIBERS_H
#define SUBSCRIBERS_H

#include "common.h"

typedef enum {
    GRAPHQL_TRANSPORT_WS, /* the npm package graphql-ws */
    SOCKET_IO_2,          /* laravel-echo-server */
    PUSHER_7,             /* pusher-js */
    EVENT_STREAM,         /* the npm package graphql-sse: a request each, answered by server-sent events */
} wire;

typedef struct {
    wire protocol;
    int port;
    const char *path;
    const char *init_payloads;     /* JSON for connection_init, a line for each subscriber in turn; NULL: none;
                                    * event streams: a header line */
    const char *document;          /* GraphQL: with a variable $date; socket.io: what the channels' names begin with;
                                    * pusher: the channel */
    const char *date, *other_date; /* what is subscribed to; subscribers to the other date must receive nothing */
    int count;
    double other_share;            /* of subscribers to the other date */
    int opening_at_once;
} subscription_plan;

extern uint64_t duplicates, unexpected, out_of_order, protocol_errors, lost_connections;
extern int subscribers_ready;

/* Opens all of them, and answers how many seconds it took until the last one had sent its subscription. */
double open_subscribers(const subscription_plan *plan, int epoll, void (*poll_once)(int milliseconds));

/* A subscriber's socket can be read or written. */
void subscriber_ready(uint32_t index, uint32_t epoll_events);

/* How often an event from `from` up to `to` (excluded) is missing at a watcher. */
uint64_t missing_deliveries(uint32_t from, uint32_t to);

#endif
