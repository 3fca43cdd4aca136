#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gapless.h"

int main(int argc, char **argv) {
    const char *config = argc > 1 ? argv[1] : "{\"sources\":[{\"replay\":[\"samples/\"]}]}";
    gapless_engine engine;
    if (gapless_engine_start((const uint8_t *)config, strlen(config), &engine)) return 1;
    gapless_engine_join(engine);
    size_t count = 0, length;
    gapless_engine_book_count(engine, &count);
    for (size_t at = 0; at < count; at++) {
        uint8_t name[256];
        gapless_reader book;
        gapless_top top;
        if (gapless_engine_book_name(engine, at, name, sizeof name, &length)) continue;
        if (gapless_engine_book(engine, name, length, 0, &book)) continue;
        gapless_status status = gapless_reader_top(book, &top);
        printf("%.*s %s", (int)length, (const char *)name, gapless_status_name(status));
        if (status == GAPLESS_STATUS_OK)
            printf(" %" PRId64 " x %" PRId64, top.bid.price, top.ask.price);
        puts("");
        gapless_reader_free(book);
    }
    return gapless_engine_free(engine);
}
