/*
 * fanload: many subscribers on one day, and mutations whose events all of them must receive.
 *
 * One thread, one epoll. It opens the subscribers, rests, warms up, then measures one or both of
 *   saturation (--saturate SECONDS): as many events as the server takes, with at most --window of them unfinished;
 *   rate (--rate EVENTS_PER_SECOND --rate-seconds SECONDS): latency at a load that does not depend on the server.
 * Prints one line of JSON; what was wrong stands on stderr.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "common.h"
#include "events.h"
#include "publishers.h"
#include "subscribers.h"

static subscription_plan subscribing = {
    .path = "/graphql", .count = 100, .opening_at_once = 64, .date = "", .other_date = ""};
static publishing_plan publishing = {.path = "/graphql", .connections = 4};
static double rest_seconds = 1, hold_seconds, warm_seconds = 1, saturate_seconds, rate, rate_seconds;
static uint32_t window = 4;
static int epoll;

/* ---- Arguments ---- */

static void read_arguments(int count, char **words) {
    for (int i = 1; i + 1 < count; i += 2) {
        const char *name = words[i], *value = words[i + 1];
#define OPTION(text) !strcmp(name, "--" text)
        if (OPTION("port")) subscribing.port = atoi(value);
        else if (OPTION("path")) subscribing.path = value;
        else if (OPTION("protocol"))
            subscribing.protocol = !strcmp(value, "socket.io") ? SOCKET_IO_2
                : !strcmp(value, "pusher") ? PUSHER_7
                : !strcmp(value, "event-stream") ? EVENT_STREAM : GRAPHQL_TRANSPORT_WS;
        else if (OPTION("init-file")) subscribing.init_payloads = read_file(value);
        else if (OPTION("document-file")) subscribing.document = read_file(value);
        else if (OPTION("channel-prefix") || OPTION("channel")) subscribing.document = value;
        else if (OPTION("date")) subscribing.date = value;
        else if (OPTION("other-date")) subscribing.other_date = value;
        else if (OPTION("other-share")) subscribing.other_share = atof(value);
        else if (OPTION("subscribers")) subscribing.count = atoi(value);
        else if (OPTION("header")) add_header(value);
        else if (OPTION("processes")) watch_processes(value);
        else if (OPTION("rest")) rest_seconds = atof(value);
        else if (OPTION("hold")) hold_seconds = atof(value);
        else if (OPTION("warm")) warm_seconds = atof(value);
        else if (OPTION("saturate")) saturate_seconds = atof(value);
        else if (OPTION("window")) window = (uint32_t)atoi(value);
        else if (OPTION("rate")) rate = atof(value);
        else if (OPTION("rate-seconds")) rate_seconds = atof(value);
        else if (OPTION("body-file")) publishing.body = read_file(value);
        else if (OPTION("publish-port")) publishing.port = atoi(value);
        else if (OPTION("redis-channel")) publishing.redis_channel = value;
        else if (OPTION("publishers")) publishing.connections = atoi(value);
        else if (OPTION("expect")) expect_text(value);
        else fail(name);
#undef OPTION
    }
    if (count % 2 == 0) fail("every option takes a value");
    if (!subscribing.port || !subscribing.document) fail("--port, and --document-file or --channel-prefix");
    if (!publishing.port) publishing.port = subscribing.port;
}

/* ---- The loop ---- */

static void poll_once(int milliseconds) {
    struct epoll_event ready[512];
    int count = epoll_wait(epoll, ready, 512, milliseconds);
    for (int i = 0; i < count; i++) {
        uint32_t who = ready[i].data.u32;
        if (who & PUBLISHER)
            publisher_ready(who & ~PUBLISHER);
        else
            subscriber_ready(who, ready[i].events);
    }
}

static void poll_for(double seconds) {
    uint64_t begun = now();
    while (seconds_between(begun, now()) < seconds) poll_once(20);
}

/* Waits until every event has reached everybody; answers 0 when nothing has moved for that long. */
static int drain(double patience_seconds) {
    uint64_t moved_at = now(), before = 0;
    while (events_done < events_sent || publisher_waiting()) {
        poll_once(5);
        uint64_t moved = deliveries + publications_answered;
        if (moved != before) moved_at = now();
        before = moved;
        if (seconds_between(moved_at, now()) > patience_seconds) return 0;
    }
    return 1;
}

/* A slow server sends a handful of events in a few seconds, too few for a figure: it gets longer. */
enum { LEAST_EVENTS = 10, MOST_SECONDS = 30, PATIENCE_SECONDS = 30 };

static void keep_window_full(double seconds, phase during) {
    uint64_t begun = now();
    uint32_t first = events_sent;
    for (;;) {
        double passed = seconds_between(begun, now());
        int enough = during == WARMING || events_sent - first >= LEAST_EVENTS || passed > MOST_SECONDS;
        if (passed >= seconds && enough) return;
        int free_one;
        while (events_sent - events_done < window && (free_one = publisher_free()) >= 0) publish(free_one, during);
        poll_once(1);
    }
}

/* ---- What is measured ---- */

typedef struct {
    uint64_t begun, deliveries, bytes;
    uint32_t first_event;
    double server_cpu, own_cpu;
} start;

static start begin(void) {
    return (start){.begun = now(), .deliveries = deliveries, .bytes = delivered_bytes, .first_event = events_sent,
                   .server_cpu = watched_cpu_seconds(), .own_cpu = own_cpu_seconds()};
}

/* Prints what a phase has in common with the others; the braces are closed by the caller. */
static void print_phase(const char *name, const start *since, uint64_t ended, int drained) {
    double wall = seconds_between(since->begun, ended), cpu = watched_cpu_seconds() - since->server_cpu;
    uint64_t delivered = deliveries - since->deliveries;
    uint32_t sent = events_sent - since->first_event;
    printf(",\"%s\":{\"events\":%u,\"deliveries\":%lu,\"seconds\":%.3f,\"deliveries_per_s\":%.1f", name, sent,
           delivered, wall, (double)delivered / wall);
    printf(",\"cpu_s\":%.2f,\"cpu_s_per_100k\":%.4f,\"server_busy\":%.3f,\"load_busy\":%.3f", cpu,
           delivered ? cpu / (double)delivered * 1e5 : 0, cpu / wall, (own_cpu_seconds() - since->own_cpu) / wall);
    printf(",\"frame_bytes\":%.0f,\"missing\":%lu",
           delivered ? (double)(delivered_bytes - since->bytes) / (double)delivered : 0,
           drained ? 0ul : missing_deliveries(since->first_event, events_sent));
}

/* Events one by one until one has reached everybody: only then do all the subscriptions stand. */
static void first_event(void) {
    for (int tries = 0; tries < 30; tries++) {
        publish(publisher_free(), WARMING);
        uint32_t number = events_sent - 1;
        uint64_t begun = now();
        while (seconds_between(begun, now()) < 2) {
            poll_once(5);
            if (!event_of(number)->remaining && !publisher_waiting()) return;
        }
        while (publisher_waiting() && seconds_between(begun, now()) < 10) poll_once(5);
        if (publisher_waiting()) fail("the first mutation was not answered within 10 s");
    }
    fail("no event has reached every subscriber");
}

static int saturate(void) {
    start since = begin();
    keep_window_full(saturate_seconds, SATURATION);
    int drained = drain(PATIENCE_SECONDS);
    print_phase("saturation", &since, last_delivery > since.begun ? last_delivery : now(), drained);
    printf(",\"window\":%u}", window);
    return drained;
}

static int at_rate(void) {
    start since = begin();
    uint64_t latest = 0; /* by how much an event was sent too late, since all publishers were waiting */
    for (int sent = 0; sent < (int)(rate * rate_seconds);) {
        uint64_t due = since.begun + (uint64_t)(sent * (double)SECOND / rate), at = now();
        int free_one = publisher_free();
        if (at < due) {
            poll_once(due - at > SECOND / 500 ? (int)((due - at) / (SECOND / 1000)) - 1 : 0);
        } else if (free_one < 0) {
            poll_once(1);
        } else {
            if (at - due > latest) latest = at - due;
            publish(free_one, RATE);
            sent++;
        }
    }
    int drained = drain(PATIENCE_SECONDS);
    print_phase("rate", &since, now(), drained);
    printf(",\"per_second\":%.1f,\"sent_late_ms\":%.2f", rate, (double)latest / 1e6);
    printf(",\"delivery_p50_ms\":%.3f,\"delivery_p99_ms\":%.3f", quantile_ms(&delivery_times, .5),
           quantile_ms(&delivery_times, .99));
    printf(",\"last_p50_ms\":%.3f,\"last_p99_ms\":%.3f}", quantile_ms(&event_times, .5),
           quantile_ms(&event_times, .99));
    return drained;
}

static void open_and_rest(void) {
    long rss_before = watched_rss_kib();
    double cpu_before = watched_cpu_seconds();
    double connect_seconds = open_subscribers(&subscribing, epoll, poll_once);
    poll_for(rest_seconds);
    double connect_cpu = watched_cpu_seconds() - cpu_before;
    long rss_idle = watched_rss_kib();
    printf("{\"subscribers\":%d,\"watchers\":%u,\"connect_s\":%.3f,\"connect_cpu_s\":%.2f", subscribing.count,
           watchers, connect_seconds, connect_cpu);
    printf(",\"rss_before_kib\":%ld,\"rss_idle_kib\":%ld,\"rss_kib_per_subscriber\":%.3f", rss_before, rss_idle,
           (double)(rss_idle - rss_before) / subscribing.count);
    if (hold_seconds > 0) {
        double before = watched_cpu_seconds();
        poll_for(hold_seconds);
        printf(",\"idle_cpu_share\":%.4f", (watched_cpu_seconds() - before) / hold_seconds);
    }
}

int main(int count, char **words) {
    read_arguments(count, words);
    signal(SIGPIPE, SIG_IGN);
    epoll = epoll_create1(0);
    open_and_rest();
    int good = 1;
    if (publishing.body) {
        open_publishers(&publishing, epoll);
        first_event();
        poll_for(0.3); /* for what is left of events before the one that reached everybody */
        forget_unfinished_events();
        keep_window_full(warm_seconds, WARMING);
        good = drain(PATIENCE_SECONDS);
        if (!good) fprintf(stderr, "the events of the warm-up did not reach everybody\n");
        if (good && saturate_seconds > 0) good = saturate();
        if (good && saturate_seconds > 0) poll_for(0.5); /* long enough to see a duplicate */
        if (good && rate > 0) good = at_rate();
        poll_for(0.3);
    }
    uint64_t faults = wrong_content + wrong_id + duplicates + unexpected + out_of_order + protocol_errors +
                      lost_connections + publication_errors;
    printf(",\"rss_end_kib\":%ld,\"wrong_content\":%lu,\"wrong_id\":%lu,\"duplicates\":%lu,\"unexpected\":%lu",
           watched_rss_kib(), wrong_content, wrong_id, duplicates, unexpected);
    printf(",\"out_of_order\":%lu,\"protocol_errors\":%lu,\"lost_connections\":%lu", out_of_order, protocol_errors,
           lost_connections);
    printf(",\"mutation_errors\":%lu,\"ok\":%s}\n", publication_errors, good && !faults ? "true" : "false");
    return 0;
}
