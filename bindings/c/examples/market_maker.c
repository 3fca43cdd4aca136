/* A market maker's quotes around the microprice of one book: the twin of market_maker.rs.
 *
 *   market_maker CONFIG BOOK
 *
 * Whenever the quotes change it prints `seq bid ask`: the venue's number of the message after
 * which they stand, and both prices as integers in units of the book's last decimal; `seq - -`
 * while there are none.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "gapless.h"

typedef struct quotes {
    bool are_there;
    int64_t bid, ask;
} quotes;

/* The microprice, half of the spread to either side, never through the other side of the book. */
static quotes around(const gapless_top *top) {
    quotes made = {false, 0, 0};
    int64_t fair;
    if (gapless_microprice(top->bid, top->ask, 0, &fair) != GAPLESS_STATUS_OK) return made;
    int64_t half = (top->ask.price - top->bid.price) / 2, edge = half > 1 ? half : 1;
    made.are_there = true;
    made.bid = fair - edge < top->ask.price - 1 ? fair - edge : top->ask.price - 1;
    made.ask = fair + edge > top->bid.price + 1 ? fair + edge : top->bid.price + 1;
    return made;
}

static void trade(gapless_reader book, gapless_events states) {
    quotes offered = {false, 0, 0};
    gapless_event event;
    uint64_t seen = 0;
    int64_t seq = 0;
    bool is_over = false;
    while (!is_over) {
        gapless_top top;
        /* Asked before the look: what was published until then is not missed. */
        gapless_status status = gapless_events_next(states, 0, &event);
        is_over = status == GAPLESS_STATUS_ENDED;
        gapless_reader_wait(book, seen, GAPLESS_WAIT_YIELD, 0, 5000000, &seen);
        while ((status = gapless_reader_top(book, &top)) == GAPLESS_STATUS_BUSY) continue;
        quotes now = {false, 0, 0};
        if (status == GAPLESS_STATUS_OK) {
            if (top.standing.seq != INT64_MIN) seq = top.standing.seq;
            now = around(&top);
        }
        if (now.are_there == offered.are_there && now.bid == offered.bid && now.ask == offered.ask)
            continue;
        if (now.are_there)
            printf("%" PRId64 " %" PRId64 " %" PRId64 "\n", seq, now.bid, now.ask);
        else
            printf("%" PRId64 " - -\n", seq);
        offered = now;
    }
}

int main(int argc, char **argv) {
    const uint64_t second = 1000000000;
    gapless_engine engine;
    gapless_events states;
    gapless_reader book;
    if (argc != 3 || gapless_engine_build(argv[1], strlen(argv[1]), &engine)) return 1;
    if (gapless_engine_subscribe(engine, 1u << GAPLESS_TOPIC_STATES, NULL, 0, 0,
                                 GAPLESS_SLOW_DROP_OLDEST, &states))
        return 1;
    if (gapless_engine_restart(engine)) return 1;
    gapless_status status =
        gapless_engine_book(engine, argv[2], strlen(argv[2]), 10 * second, &book);
    if (status == GAPLESS_STATUS_OK) {
        trade(book, states);
        gapless_reader_free(book);
    }
    gapless_events_free(states);
    gapless_engine_free(engine);
    return status == GAPLESS_STATUS_OK ? 0 : 1;
}
