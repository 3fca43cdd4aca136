/* Every trade and every change of a book's state of a recording. */
#include <stdio.h>
#include <string.h>

#include "gapless.h"

static const char *const SIDES[] = {"?", "buy", "sell"};

static const char *name(gapless_events events, uint32_t number, char *text, size_t room) {
    size_t length = 0;
    if (gapless_events_name(events, number, text, room - 1, &length)) return "";
    text[length] = 0;
    return text;
}

static int32_t print(const gapless_event *event, void *user) {
    const gapless_events *events = user;
    char text[256], price[GAPLESS_DECIMAL_BYTES], size[GAPLESS_DECIMAL_BYTES];
    if (event->missed > 0) printf("%llu events missed\n", (unsigned long long)event->missed);
    if (event->topic == GAPLESS_TOPIC_TRADES) {
        const gapless_trade *trade = &event->body.trade;
        printf("%s %s %s at %s\n", name(*events, event->instrument, text, sizeof text),
               SIDES[trade->side],
               gapless_decimal(trade->size.number, trade->size.scale, size, sizeof size),
               gapless_decimal(trade->price.number, trade->price.scale, price, sizeof price));
    } else if (event->topic == GAPLESS_TOPIC_STATES) {
        const gapless_book_state *state = &event->body.state;
        printf("%s state %d\n", name(*events, state->book, text, sizeof text), state->state);
    }
    return 0; /* go on */
}

int main(int argc, char **argv) {
    const char *config = argc > 1 ? argv[1] : "{\"sources\":[{\"replay\":[\"samples/\"]}]}";
    const uint32_t topics = 1u << GAPLESS_TOPIC_TRADES | 1u << GAPLESS_TOPIC_STATES;
    const uint64_t minute = 60000000000;
    gapless_engine engine;
    gapless_events events;
    if (gapless_engine_build(config, strlen(config), &engine)) return 1;
    if (gapless_engine_subscribe(engine, topics, NULL, 0, 1 << 20, GAPLESS_SLOW_DROP_OLDEST,
                                 &events))
        return 1;
    gapless_status status = gapless_engine_restart(engine);
    if (status == GAPLESS_STATUS_OK) status = gapless_events_run(events, minute, print, &events);
    gapless_events_free(events);
    gapless_engine_free(engine);
    return status == GAPLESS_STATUS_ENDED ? 0 : 1;
}
