/*
 * The published events, and who still has to receive them.
 *
 * An event carries a mark with its number, such as ~S00000042. Every watcher of the day must receive each event
 * once; its frames must be equal for all of them, but for the id of the subscriber's own operation.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include "common.h"

/* What an event is for: only those that are not for warming up are counted. */
typedef enum { WARMING, SATURATION, RATE } phase;

typedef struct {
    uint64_t sent_at;
    uint32_t remaining; /* watchers that have not received it */
    phase during;
    char *first_frame; /* as the first watcher received it; NULL before and once nobody is missing */
    size_t first_length;
    uint32_t rank;      /* of its first arrival anywhere, counted from 1 */
    long id_at; /* where the operation's id stands in it; -1 when there is none */
} event;

extern uint32_t watchers;      /* subscribers that must receive every event */
extern uint32_t events_sent;
extern uint32_t events_done;   /* nobody is missing them any more */
extern uint64_t deliveries;    /* of counted events */
extern uint64_t delivered_bytes;
extern uint64_t last_delivery; /* when */
extern samples delivery_times; /* of events at a fixed rate: from sending the mutation to each delivery, */
extern samples event_times;    /* and to the last one */
extern uint64_t wrong_content, wrong_id;

/* Texts that every event must hold. */
void expect_text(const char *text);

/* A new event is about to be sent; answers its number. */
uint32_t begin_event(phase during);
/* It is sent now. */
void event_leaves(uint32_t number);
/*
 * A watcher, whose operation has this id (or none: ""), received the event in this frame. Answers the event's rank:
 * mutations under way at once may be carried out in any order, but every watcher must see the same one.
 */
uint32_t event_arrived(uint32_t number, const char *id, const char *frame, size_t length, uint64_t at);

event *event_of(uint32_t number);

/* Warm-up ends: what is under way is not waited for. */
void forget_unfinished_events(void);

#endif
