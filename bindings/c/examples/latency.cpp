// How long each stage of a replay's messages took.
#include <cstdint>
#include <cstdio>

#include "gapless.hpp"

int main(int argc, char **argv) {
    const char *const stages[] = {"venue", "late",    "parse", "sequence",
                                  "apply", "publish", "whole", "from_due"};
    const char *config = argc > 1 ? argv[1] : R"({"sources":[{"replay":["samples/"]}]})";
    try {
        gapless::Engine engine = gapless::Engine::build(config);
        engine.measure();
        engine.restart();
        engine.join();
        gapless::Latency latency = engine.latency();
        for (int stage = GAPLESS_STAGE_VENUE; stage <= GAPLESS_STAGE_FROM_DUE; ++stage) {
            gapless_times times = latency.times(static_cast<gapless_stage>(stage));
            if (times.count == 0) continue;
            std::printf("%-10s %8llu p50 %lld ns, p99 %lld ns\n", stages[stage],
                        static_cast<unsigned long long>(times.count),
                        static_cast<long long>(times.p50_ns), static_cast<long long>(times.p99_ns));
        }
        std::printf("%s\n", latency.json().c_str());
    } catch (const gapless::Error &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
