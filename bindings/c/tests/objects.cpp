// What gapless.hpp promises beside what the examples show: objects that were moved from, copies,
// spans, whole books, names of nothing, functions that throw. Says nothing if all holds.
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>

#include "gapless.hpp"

#define HOLDS(what) \
    if (!(what)) { \
        std::cerr << "line " << __LINE__ << ": " #what "\n"; \
        std::exit(1); \
    }

namespace {

using namespace std::chrono_literals;

template <class F> gapless_status refused(F &&call) {
    try {
        call();
    } catch (const gapless::Error &error) {
        return error.status();
    }
    return GAPLESS_STATUS_OK;
}

void readers(const gapless::Reader &book) {
    gapless::Reader copy = book;
    gapless::Reader moved = std::move(copy);
    HOLDS(refused([&] { copy.top(); }) == GAPLESS_STATUS_INVALID_HANDLE);
    HOLDS(refused([&] { copy.state(); }) == GAPLESS_STATUS_INVALID_HANDLE);
    copy = moved;
    HOLDS(copy.handle().id != moved.handle().id);
    HOLDS(copy.top() && moved.top() && book.top());
    moved = std::move(copy);
    HOLDS(moved.state().state == GAPLESS_STATE_LIVE && moved.state().reason == "none");

    auto depth = book.depth(5), known = book.last_known_depth(5);
    HOLDS(depth && known && depth->bids.size() == 5 && known->asks.size() == 5);
    HOLDS(depth->bids[0].price == book.last_known_top()->bid.price);
    HOLDS(depth->asks[0].size == book.top()->ask.size);
#ifdef GAPLESS_HAS_SPAN
    std::array<gapless_level, 3> bids{}, asks{};
    auto into = book.depth_into(std::span<gapless_level>(bids), std::span<gapless_level>(asks));
    HOLDS(into && into->bids == 3 && into->asks == 3 && bids[2].price == depth->bids[2].price);
    HOLDS(book.depth_into(std::span<gapless_level>(), std::span<gapless_level>())->asks == 0);
#endif

    auto version = book.wait(0, 1ms, gapless::Wait::yield);
    HOLDS(version && *version != 0);
    HOLDS(!book.wait(*version, 1ms, gapless::Wait::spin));
    HOLDS(!book.wait(*version, 1ms, gapless::Wait::sleep, 100us) && !book.wait(*version, 1ms));
}

void whole_books(gapless::Replica &replica, const gapless::Reader &book) {
    HOLDS(!replica.depth() && !replica.last_known_depth());
    HOLDS(replica.refresh());
    auto whole = replica.depth(), known = replica.last_known_depth();
    HOLDS(whole && known && whole->bids.size() == known->bids.size());
    HOLDS(whole->bids.size() >= 5 && whole->bids[0].price == book.top()->bid.price);
    gapless::Replica moved = std::move(replica);
    HOLDS(moved.depth());
    HOLDS(refused([&] { replica.refresh(); }) == GAPLESS_STATUS_INVALID_HANDLE);
}

void changes_of(gapless::Changes &changes) {
    gapless::Change change;
    change.bids.resize(7);
    HOLDS(changes.read(change) == gapless::Next::change);
    HOLDS(change.standing.state == GAPLESS_STATE_STALE && change.bids.empty());
    change.asks.resize(7);
    HOLDS(changes.read(change) == gapless::Next::nothing_new);
    // Nothing is left of an older change.
    HOLDS(change.bids.empty() && change.asks.empty());
}

void events_of(gapless::Events &events) {
    int given = 0;
    std::string thrown;
    try {
        events.run(
            [&](const gapless_event &) -> bool {
                ++given;
                throw std::runtime_error("on purpose");
            },
            10s);
    } catch (const std::runtime_error &error) {
        thrown = error.what();
    }
    HOLDS(given == 1 && thrown == "on purpose" && events.counts().received == 1);
    events.run([&](const gapless_event &) { return ++given < 3; }, 10s);
    HOLDS(given == 3 && !events.ended());
    HOLDS(!events.name(0).empty());
    HOLDS(refused([&] { events.name(UINT32_MAX); }) == GAPLESS_STATUS_NO_SUCH_BOOK);
    gapless::Events moved = std::move(events);
    HOLDS(moved.next(10s));
    HOLDS(refused([&] { events.name(0); }) == GAPLESS_STATUS_INVALID_HANDLE);
    HOLDS(refused([&] { events.next(); }) == GAPLESS_STATUS_INVALID_HANDLE);
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 3 || gapless_abi_version() != GAPLESS_ABI_VERSION) return 1;
    gapless::Engine engine = gapless::Engine::build(argv[1]);
    gapless::Events events = engine.subscribe({GAPLESS_TOPIC_TRADES}, {}, 1 << 14);
    HOLDS(engine.books().empty());
    engine.restart();
    gapless::Reader book = engine.book(argv[2], 10s);
    engine.remove("x:NONE");
    engine.join();
    readers(book);
    gapless::Replica replica = book.replica();
    whole_books(replica, book);
    events_of(events);
    auto names = engine.books();
    HOLDS(names.size() > 1 && names[0] < names[1]);
    for (const std::string &name : names) HOLDS(engine.book(name).state().reason != "closed");
    HOLDS(refused([&] { engine.latency(); }) == GAPLESS_STATUS_NOT_MEASURED);
    HOLDS(refused([&] { engine.book("x:NONE"); }) == GAPLESS_STATUS_NO_SUCH_BOOK);
    gapless::Changes changes = book.changes();
    // That it ends is a change.
    engine.stop();
    changes_of(changes);
    HOLDS(!book.top() && book.last_known_top() && book.last_known_depth(5));
    HOLDS(book.state().reason == "closed");
    gapless::Engine moved = std::move(engine);
    HOLDS(refused([&] { engine.join(); }) == GAPLESS_STATUS_INVALID_HANDLE);
    moved.stop();
}
