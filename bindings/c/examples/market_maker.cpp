// A market maker's quotes around the microprice of one book: the twin of market_maker.rs and
// market_maker.c, whose lines it prints.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <optional>

#include "gapless.hpp"

namespace {

using namespace std::chrono_literals;

struct Quotes {
    std::int64_t bid, ask;
    bool operator!=(const Quotes &other) const { return bid != other.bid || ask != other.ask; }
};

// The microprice, half of the spread to either side, never through the other side of the book.
std::optional<Quotes> around(const gapless_top &top) {
    auto fair = gapless::microprice(top, 0);
    if (!fair) return std::nullopt;
    std::int64_t edge = std::max<std::int64_t>((top.ask.price - top.bid.price) / 2, 1);
    return Quotes{std::min(*fair - edge, top.ask.price - 1),
                  std::max(*fair + edge, top.bid.price + 1)};
}

void trade(const gapless::Reader &book, gapless::Events &states) {
    std::optional<Quotes> offered;
    std::uint64_t seen = 0;
    std::int64_t seq = 0;
    for (bool is_over = false; !is_over;) {
        // Asked before the look: what was published until then is not missed.
        is_over = !states.next() && states.ended();
        seen = book.wait(seen, 5ms, 100us).value_or(seen);
        std::optional<Quotes> now;
        auto top = book.top();
        // The writer was in the way: the book has its quotes, and is asked again.
        if (!top && book.state().state == GAPLESS_STATE_LIVE && !(top = book.top())) continue;
        if (top) {
            if (top->standing.seq != INT64_MIN) seq = top->standing.seq;
            now = around(*top);
        }
        if (now.has_value() == offered.has_value() && !(now && *now != *offered)) continue;
        if (now)
            std::cout << seq << ' ' << now->bid << ' ' << now->ask << '\n';
        else
            std::cout << seq << " - -\n";
        offered = now;
    }
}

}  // namespace

int main(int argc, char **argv) try {
    if (argc != 3) return 1;
    gapless::Engine engine = gapless::Engine::build(argv[1]);
    gapless::Events states = engine.subscribe({GAPLESS_TOPIC_STATES});
    engine.restart();
    trade(engine.book(argv[2], 10s), states);
} catch (const gapless::Error &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
