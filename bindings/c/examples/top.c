/* Every book of a recording with its state and its best prices. */
#include <stdio.h>
#include <string.h>

#include "gapless.h"

int main(int argc, char **argv) {
    const char *config = argc > 1 ? argv[1] : "{\"sources\":[{\"replay\":[\"samples/\"]}]}";
    gapless_engine engine;
    if (gapless_engine_start(config, strlen(config), &engine) != GAPLESS_STATUS_OK) return 1;
    gapless_engine_join(engine);
    static char names[1 << 20];
    size_t length = 0;
    if (gapless_engine_book_names(engine, names, sizeof names, &length) != GAPLESS_STATUS_OK)
        return 1;
    for (const char *name = names; name < names + length; name += strlen(name) + 1) {
        char bid[GAPLESS_DECIMAL_BYTES], ask[GAPLESS_DECIMAL_BYTES];
        gapless_reader book;
        gapless_top top;
        if (gapless_engine_book(engine, name, strlen(name), 0, &book)) continue;
        gapless_status status = gapless_reader_top(book, &top);
        printf("%s %s", name, gapless_status_name(status));
        if (status == GAPLESS_STATUS_OK) {
            uint8_t scale = top.standing.price_scale;
            printf(" %s x %s", gapless_decimal(top.bid.price, scale, bid, sizeof bid),
                   gapless_decimal(top.ask.price, scale, ask, sizeof ask));
        }
        puts("");
        gapless_reader_free(book);
    }
    return (int)gapless_engine_free(engine);
}
