/* See events.h. */
#include "events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t watchers, events_sent, events_done;
uint64_t deliveries, delivered_bytes, last_delivery, wrong_content, wrong_id;
samples delivery_times, event_times;

static event *events;
static uint32_t capacity;
static uint32_t forgotten; /* events before this number are not waited for */
static const char *expected[32];
static int expected_count;
static uint32_t ranks;

void expect_text(const char *text) {
    if (expected_count == 32) fail("at most 32 expected texts");
    expected[expected_count++] = text;
}

uint32_t begin_event(phase during) {
    if (events_sent == capacity) {
        capacity = capacity ? capacity * 2 : 4096;
        events = reallocate(events, capacity * sizeof *events);
    }
    events[events_sent] = (event){.remaining = watchers, .during = during};
    return events_sent++;
}

void event_leaves(uint32_t number) { events[number].sent_at = now(); }

event *event_of(uint32_t number) { return &events[number]; }

void forget_unfinished_events(void) { events_done = forgotten = events_sent; }

static int holds_expected(const char *frame, size_t length) {
    for (int i = 0; i < expected_count; i++)
        if (!find(frame, length, expected[i])) return 0;
    return 1;
}

static void complain(const char *what, const char *frame, size_t length, uint64_t *count) {
    if ((*count)++ < 3) fprintf(stderr, "%s: %.*s\n", what, (int)(length > 900 ? 900 : length), frame);
}

static void keep_first_frame(event *of, const char *id, const char *frame, size_t length) {
    if (!holds_expected(frame, length)) complain("an event lacks what was expected", frame, length, &wrong_content);
    of->first_frame = allocate(length);
    of->first_length = length;
    of->rank = ++ranks;
    memcpy(of->first_frame, frame, length);
    const char *found = *id ? find(frame, length, id) : NULL;
    of->id_at = found ? found - frame : -1;
    if (*id && !found) complain("an event has not the operation's id", frame, length, &wrong_id);
}

static int equals_first_frame(const event *of, const char *id, const char *frame, size_t length) {
    if (length != of->first_length) return 0;
    if (of->id_at < 0) return !memcmp(frame, of->first_frame, length);
    size_t before = (size_t)of->id_at, after = before + strlen(id);
    return !memcmp(frame, of->first_frame, before) && !memcmp(frame + before, id, strlen(id)) &&
           !memcmp(frame + after, of->first_frame + after, length - after);
}

uint32_t event_arrived(uint32_t number, const char *id, const char *frame, size_t length, uint64_t at) {
    event *arrived = &events[number];
    if (!arrived->first_frame)
        keep_first_frame(arrived, id, frame, length);
    else if (!equals_first_frame(arrived, id, frame, length))
        complain("an event differs between subscribers", frame, length, &wrong_content);
    if (arrived->during != WARMING) {
        deliveries++;
        delivered_bytes += length;
        last_delivery = at;
    }
    if (arrived->during == RATE) add_sample(&delivery_times, at - arrived->sent_at);
    if (--arrived->remaining) return arrived->rank;
    if (arrived->during == RATE) add_sample(&event_times, at - arrived->sent_at);
    if (number >= forgotten) events_done++;
    free(arrived->first_frame);
    arrived->first_frame = NULL;
    return arrived->rank;
}
