/* How long each stage of a replay's messages took. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gapless.h"

static const char *const STAGES[] = {"venue", "late",    "parse", "sequence",
                                     "apply", "publish", "whole", "from_due"};

int main(int argc, char **argv) {
    const char *config = argc > 1 ? argv[1] : "{\"sources\":[{\"replay\":[\"samples/\"]}]}";
    gapless_engine engine;
    gapless_latency latency;
    if (gapless_engine_build(config, strlen(config), &engine)) return 1;
    if (gapless_engine_measure(engine, 1) || gapless_engine_restart(engine) ||
        gapless_engine_join(engine) || gapless_engine_latency(engine, &latency))
        return 1;
    gapless_engine_free(engine);
    for (uint32_t stage = GAPLESS_STAGE_VENUE; stage <= GAPLESS_STAGE_FROM_DUE; ++stage) {
        gapless_times times;
        if (gapless_latency_times(latency, stage, &times)) return 1;
        if (times.count > 0)
            printf("%-10s %8" PRIu64 " p50 %" PRId64 " ns, p99 %" PRId64 " ns\n", STAGES[stage],
                   times.count, times.p50_ns, times.p99_ns);
    }
    size_t length = 0;
    gapless_latency_report(latency, GAPLESS_REPORT_JSON, NULL, 0, &length);
    char *json = malloc(length);
    gapless_status status =
        gapless_latency_report(latency, GAPLESS_REPORT_JSON, json, length, &length);
    if (status == GAPLESS_STATUS_OK) printf("%.*s\n", (int)length, json);
    free(json);
    gapless_latency_free(latency);
    return status == GAPLESS_STATUS_OK ? 0 : 1;
}
