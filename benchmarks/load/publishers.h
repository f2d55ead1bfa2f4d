/* A few keep-alive connections that make events: GraphQL mutations over HTTP, or PUBLISH to Redis. */
#ifndef PUBLISHERS_H
#define PUBLISHERS_H

#include "common.h"
#include "events.h"

/* Added to a publisher's number in epoll's data, which tells it from subscribers. */
#define PUBLISHER 0x80000000u

typedef struct {
    int port;
    const char *path;          /* of the mutations */
    const char *redis_channel; /* if given, events are published there, and `path` is not used */
    const char *body;          /* with @SEQ@ */
    int connections;
} publishing_plan;

extern uint64_t publications_answered, publication_errors;

void open_publishers(const publishing_plan *plan, int epoll);
void publisher_ready(uint32_t index);

int publisher_free(void); /* its number; -1 while all of them wait for an answer */
int publisher_waiting(void);
void publish(int publisher, phase during);

#endif
