#include <gapless.h>
#include <stdio.h>
int main(void) {
    gapless_engine engine;
    gapless_reader book;
    gapless_top top;
    char bid[GAPLESS_DECIMAL_BYTES], ask[GAPLESS_DECIMAL_BYTES];
    if (gapless_engine_start(GAPLESS_TEXT("[[sources]]\nreplay = ['samples/']"), &engine)) return 1;
    gapless_engine_join(engine);
    if (gapless_engine_book(engine, GAPLESS_TEXT("okx:BTC-USDT-SWAP"), 0, &book)) return 1;
    if (gapless_reader_top(book, &top)) return 1; /* not live: gapless_reader_state() says why */
    printf("%s x %s\n", gapless_decimal(top.bid.price, top.standing.price_scale, bid, sizeof bid),
           gapless_decimal(top.ask.price, top.standing.price_scale, ask, sizeof ask));
    return gapless_reader_free(book) || gapless_engine_free(engine);
}
