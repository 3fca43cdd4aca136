/* Reads a book that another process publishes in shared memory.
 *
 *   attach FOLDER              lists what engines publish there ("" is /dev/shm)
 *   attach FOLDER BOOK         prints the state and best prices of one book
 *   attach FOLDER BOOK COUNT   prints the next COUNT changes of its levels too
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gapless.h"

enum { LEVELS = 256, WAIT_MS = 5000 };

static int failed(const char *what, gapless_status status) {
    char words[512];
    size_t length = 0;
    if (gapless_last_error(words, sizeof words, &length) != GAPLESS_STATUS_OK) length = 0;
    fprintf(stderr, "%s: %s %.*s\n", what, gapless_status_name(status), (int)length, words);
    return 1;
}

static int list(const char *folder) {
    size_t count = 0, room = 64;
    gapless_region *regions = malloc(room * sizeof *regions);
    gapless_status status = GAPLESS_STATUS_TOO_SMALL;
    while (regions != NULL) {
        status = gapless_regions_list(folder, strlen(folder), regions, room, &count);
        if (status != GAPLESS_STATUS_TOO_SMALL) break;
        room = count;
        free(regions);
        regions = malloc(room * sizeof *regions);
    }
    if (status != GAPLESS_STATUS_OK) return free(regions), failed("list", status);
    for (size_t at = 0; at < count; at++)
        printf("%s/%s@%s\n", regions[at].engine, regions[at].name, regions[at].channel);
    free(regions);
    return 0;
}

static int show(gapless_reader book) {
    uint8_t state, reason;
    char why[64], bid[GAPLESS_DECIMAL_BYTES], ask[GAPLESS_DECIMAL_BYTES];
    size_t length;
    gapless_top top;
    gapless_status status = gapless_reader_top(book, &top);
    if (status == GAPLESS_STATUS_OK) {
        uint8_t scale = top.standing.price_scale;
        return printf("%s x %s\n", gapless_decimal(top.bid.price, scale, bid, sizeof bid),
                      gapless_decimal(top.ask.price, scale, ask, sizeof ask)) < 0;
    }
    if ((status = gapless_reader_state(book, &state, &reason))) return failed("state", status);
    if ((status = gapless_reason_name(reason, why, sizeof why, &length)))
        return failed("reason", status);
    return printf("not live: %.*s\n", (int)length, why) < 0;
}

static int follow(gapless_reader book, long count) {
    static gapless_level bids[LEVELS], asks[LEVELS];
    gapless_changes changes;
    gapless_change change;
    uint64_t seen = 0;
    gapless_status status = gapless_reader_changes(book, &changes);
    if (status != GAPLESS_STATUS_OK) return failed("changes", status);
    while (count > 0) {
        status = gapless_changes_read(changes, bids, LEVELS, asks, LEVELS, &change);
        if (status == GAPLESS_STATUS_OK) {
            printf("seq %" PRId64 ": %zu bids, %zu asks\n", change.standing.seq, change.bids,
                   change.asks);
            count--;
        } else if (status == GAPLESS_STATUS_LAPPED) {
            puts("lapped");
        } else if (status == GAPLESS_STATUS_NOTHING_NEW) {
            const uint64_t ms = 1000000;
            status = gapless_reader_wait(book, seen, GAPLESS_WAIT_SLEEP, ms, WAIT_MS * ms, &seen);
            if (status == GAPLESS_STATUS_TIMED_OUT) break;
        } else {
            break;
        }
    }
    gapless_changes_free(changes);
    return count == 0 ? 0 : failed("follow", status);
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    if (argc == 2) return list(argv[1]);
    gapless_reader book;
    gapless_status status = gapless_regions_attach(argv[1], strlen(argv[1]), argv[2],
                                                   strlen(argv[2]), &book);
    if (status != GAPLESS_STATUS_OK) return failed("attach", status);
    int code = show(book);
    if (code == 0 && argc > 3) code = follow(book, atol(argv[3]));
    gapless_reader_free(book);
    return code;
}
