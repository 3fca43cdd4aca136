#include <gapless.hpp>
#include <iostream>

int main() try {
    gapless::Engine engine("[[sources]]\nreplay = ['samples/']");
    engine.join();
    if (auto top = engine.book("okx:BTC-USDT-SWAP").top()) {
        std::uint8_t scale = top->standing.price_scale;
        std::cout << gapless::decimal(top->bid.price, scale) << " x "
                  << gapless::decimal(top->ask.price, scale) << '\n';
    }
} catch (const gapless::Error &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
