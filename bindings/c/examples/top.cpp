// Every book of a recording with its state and its best prices.
#include <iostream>

#include "gapless.hpp"

int main(int argc, char **argv) try {
    gapless::Engine engine{argc > 1 ? argv[1] : R"({"sources":[{"replay":["samples/"]}]})"};
    engine.join();
    for (const std::string &name : engine.books()) {
        gapless::Reader book = engine.book(name);
        std::cout << name << ' ';
        if (auto top = book.top())
            std::cout << "GAPLESS_STATUS_OK " << gapless::decimal(top->bid.price, top->standing.price_scale)
                      << " x " << gapless::decimal(top->ask.price, top->standing.price_scale) << '\n';
        else
            std::cout << "GAPLESS_STATUS_NOT_LIVE\n";
    }
} catch (const gapless::Error &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
