// Every trade and every change of a book's state of a recording.
#include <chrono>
#include <iostream>
#include <stdexcept>

#include "gapless.hpp"

namespace {

std::string text(const gapless_number &number) {
    return gapless::decimal(number.number, number.scale);
}

void print(const gapless::Events &events, const gapless_event &event) {
    static const char *const sides[] = {"?", "buy", "sell"};
    if (event.missed > 0) std::cout << event.missed << " events missed\n";
    if (event.topic == GAPLESS_TOPIC_TRADES) {
        const gapless_trade &trade = event.body.trade;
        std::cout << events.name(event.instrument) << ' ' << sides[trade.side] << ' '
                  << text(trade.size) << " at " << text(trade.price) << '\n';
    } else if (event.topic == GAPLESS_TOPIC_STATES) {
        const gapless_book_state &state = event.body.state;
        std::cout << events.name(state.book) << " state " << int{state.state} << '\n';
    }
}

}  // namespace

int main(int argc, char **argv) try {
    gapless::Engine engine =
        gapless::Engine::build(argc > 1 ? argv[1] : R"({"sources":[{"replay":["samples/"]}]})");
    gapless::Events events =
        engine.subscribe({GAPLESS_TOPIC_TRADES, GAPLESS_TOPIC_STATES}, {}, 1 << 20);
    engine.restart();
    // What is thrown in a function that is called leaves run(), and the next event is the next.
    try {
        events.run(
            [&](const gapless_event &event) -> bool {
                print(events, event);
                throw std::runtime_error("after the first");
            },
            std::chrono::minutes(1));
    } catch (const std::runtime_error &) {
    }
    while (auto event = events.next(std::chrono::minutes(1))) print(events, *event);
    return events.ended() ? 0 : 1;
} catch (const gapless::Error &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
