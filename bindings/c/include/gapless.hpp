// C++17 over gapless.h: handles that free themselves, errors as exceptions. Header only.
//
// A gapless::Reader may be used from any thread, and so may copies of it. What is not an error of
// the program (a book that is not live, a writer in the way) is no exception: top() and depth() are
// empty then, and state() says why.
#ifndef GAPLESS_HPP
#define GAPLESS_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gapless.h"

namespace gapless {

/// What a call refused, with its words.
class Error : public std::runtime_error {
public:
    Error(gapless_status status, const std::string &words)
        : std::runtime_error(words), status_(status) {}
    gapless_status status() const noexcept { return status_; }

private:
    gapless_status status_;
};

namespace detail {

inline const std::uint8_t *bytes(std::string_view text) noexcept {
    return reinterpret_cast<const std::uint8_t *>(text.data());
}

/// Asks for a text twice: for its length, then for itself.
template <class Ask> std::string text(Ask ask) {
    std::string found;
    std::size_t length = 0;
    for (;;) {
        auto *into = reinterpret_cast<std::uint8_t *>(&found[0]);
        gapless_status status = ask(into, found.size(), &length);
        if (status == GAPLESS_STATUS_OK || length <= found.size()) {
            found.resize(status == GAPLESS_STATUS_OK ? length : 0);
            return found;
        }
        found.resize(length);
    }
}

inline void check(gapless_status status) {
    if (status == GAPLESS_STATUS_OK) return;
    std::string words = gapless_status_name(status);
    std::string more = text(gapless_last_error);
    throw Error(status, more.empty() ? words : words + ": " + more);
}

/// Whether a book answered; throws what is an error of the program.
inline bool answered(gapless_status status) {
    if (status == GAPLESS_STATUS_NOT_LIVE || status == GAPLESS_STATUS_BUSY) return false;
    check(status);
    return true;
}

}  // namespace detail

/// Best levels a side, best first.
struct Depth {
    gapless_standing standing{};
    std::vector<gapless_level> bids, asks;
};

/// Reads one book; stays valid after its engine has gone.
class Reader {
public:
    explicit Reader(gapless_reader reader) noexcept : reader_(reader) {}
    Reader(const Reader &other) { detail::check(gapless_reader_clone(other.reader_, &reader_)); }
    Reader(Reader &&other) noexcept : reader_(std::exchange(other.reader_, gapless_reader{0})) {}
    Reader &operator=(Reader other) noexcept {
        std::swap(reader_, other.reader_);
        return *this;
    }
    ~Reader() {
        if (reader_.id) gapless_reader_free(reader_);
    }

    /// Best bid and ask of a live book.
    std::optional<gapless_top> top() const {
        gapless_top top;
        if (!detail::answered(gapless_reader_top(reader_, &top))) return std::nullopt;
        return top;
    }

    /// The best `n` levels a side of a live book.
    std::optional<Depth> depth(std::size_t n) const {
        Depth found;
        if (!depth_into(found, n)) return std::nullopt;
        return found;
    }

    /// As depth(), into an old answer whose memory is used again.
    bool depth_into(Depth &into, std::size_t n) const {
        gapless_depth depth;
        into.bids.resize(n);
        into.asks.resize(n);
        gapless_status status =
            gapless_reader_depth(reader_, into.bids.data(), n, into.asks.data(), n, &depth);
        bool live = detail::answered(status);
        into.bids.resize(live ? depth.bids : 0);
        into.asks.resize(live ? depth.asks : 0);
        if (live) into.standing = depth.standing;
        return live;
    }

    gapless_state state() const {
        std::uint8_t state = 0, reason = 0;
        detail::check(gapless_reader_state(reader_, &state, &reason));
        return static_cast<gapless_state>(state);
    }

    gapless_reader handle() const noexcept { return reader_; }

private:
    gapless_reader reader_{0};
};

/// Sources, threads and books; stops when it goes.
class Engine {
public:
    explicit Engine(std::string_view config) {
        detail::check(gapless_engine_start(detail::bytes(config), config.size(), &engine_));
    }
    Engine(const Engine &) = delete;
    Engine(Engine &&other) noexcept : engine_(std::exchange(other.engine_, gapless_engine{0})) {}
    Engine &operator=(Engine other) noexcept {
        std::swap(engine_, other.engine_);
        return *this;
    }
    ~Engine() {
        if (engine_.id) gapless_engine_free(engine_);
    }

    void join() const { detail::check(gapless_engine_join(engine_)); }
    void stop() const { detail::check(gapless_engine_stop(engine_)); }

    Reader book(std::string_view name, std::chrono::nanoseconds wait = {}) const {
        gapless_reader reader;
        auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(wait.count(), 0));
        detail::check(
            gapless_engine_book(engine_, detail::bytes(name), name.size(), ns, &reader));
        return Reader(reader);
    }

    /// Names that each mean one book.
    std::vector<std::string> books() const {
        std::size_t count = 0;
        detail::check(gapless_engine_book_count(engine_, &count));
        std::vector<std::string> names;
        for (std::size_t at = 0; at < count; ++at)
            names.push_back(detail::text([&](std::uint8_t *into, std::size_t room, std::size_t *length) {
                return gapless_engine_book_name(engine_, at, into, room, length);
            }));
        return names;
    }

private:
    gapless_engine engine_{0};
};

}  // namespace gapless

#endif
