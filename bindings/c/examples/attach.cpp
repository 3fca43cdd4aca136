// As attach.c.
#include <chrono>
#include <iostream>
#include <string>

#include "gapless.hpp"

namespace {

void show(const gapless::Reader &book) {
    if (auto top = book.top()) {
        std::uint8_t scale = top->standing.price_scale;
        std::cout << gapless::decimal(top->bid.price, scale) << " x "
                  << gapless::decimal(top->ask.price, scale) << '\n';
    } else {
        std::cout << "not live: " << book.state().reason << '\n';
    }
}

void follow(const gapless::Reader &book, long count) {
    gapless::Changes changes = book.changes();
    gapless::Change change;
    std::uint64_t seen = 0;
    while (count > 0) {
        switch (changes.read(change)) {
        case gapless::Next::change:
            std::cout << "seq " << change.standing.seq << ": " << change.bids.size() << " bids, "
                      << change.asks.size() << " asks\n";
            --count;
            break;
        case gapless::Next::lapped:
            std::cout << "lapped\n";
            break;
        case gapless::Next::nothing_new:
            auto version = book.wait(seen, std::chrono::seconds(5));
            if (!version) throw std::runtime_error("nothing was published");
            seen = *version;
        }
    }
}

}  // namespace

int main(int argc, char **argv) try {
    if (argc < 2) return 2;
    if (argc == 2) {
        for (const gapless::Region &region : gapless::regions(argv[1]))
            std::cout << region.engine << '/' << region.name << '@' << region.channel << '\n';
        return 0;
    }
    gapless::Reader book = gapless::attach(argv[2], argv[1]);
    show(book);
    if (argc > 3) follow(book, std::stol(argv[3]));
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
