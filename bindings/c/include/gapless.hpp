// C++17 over gapless.h: handles that free themselves, errors as exceptions. Header only.
//
// Objects may be used from any thread: an Engine, a Reader and a Latency by many at once; Changes,
// a Replica and Events by one at a time, and assigned to or moved from by one that is alone. What is
// not an error of the program is no exception: while a book is not live, or a writer is in the way,
// top() and depth() are empty, and state() says why. An object that was moved from may be destroyed
// and assigned to; anything else is an Error with GAPLESS_STATUS_INVALID_HANDLE.
#ifndef GAPLESS_HPP
#define GAPLESS_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "gapless.h"

#if __cplusplus >= 202002L && defined(__has_include)
#if __has_include(<span>)
#include <span>
#define GAPLESS_HAS_SPAN 1
#endif
#endif

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

/// Asks for a text until it fits: for its length, then for itself.
template <class Ask> gapless_status ask_text(Ask ask, std::string &found) {
    std::size_t length = 0;
    for (;;) {
        gapless_status status = ask(found.empty() ? nullptr : &found[0], found.size(), &length);
        if (status != GAPLESS_STATUS_TOO_SMALL) {
            found.resize(status == GAPLESS_STATUS_OK ? length : 0);
            return status;
        }
        found.resize(length);
    }
}

inline void check(gapless_status status) {
    if (status == GAPLESS_STATUS_OK) return;
    std::string words = gapless_status_name(status), more;
    ask_text(gapless_last_error, more);
    throw Error(status, more.empty() ? words : words + ": " + more);
}

template <class Ask> std::string text(Ask ask) {
    std::string found;
    check(ask_text(ask, found));
    return found;
}

/// Whether a book answered; throws what is an error of the program.
inline bool answered(gapless_status status) {
    if (status == GAPLESS_STATUS_NOT_LIVE || status == GAPLESS_STATUS_BUSY) return false;
    check(status);
    return true;
}

inline std::uint64_t ns(std::chrono::nanoseconds time) noexcept {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0));
}

/// Owns a handle.
template <class H, gapless_status (*Free)(H)> class Handle {
public:
    explicit Handle(H handle) noexcept : handle_(handle) {}
    Handle(Handle &&other) noexcept : handle_(std::exchange(other.handle_, H{0})) {}
    Handle &operator=(Handle &&other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~Handle() {
        if (handle_.id) Free(handle_);
    }
    H get() const noexcept { return handle_; }

private:
    H handle_;
};

}  // namespace detail

/// `number / 10^scale` in decimal digits, exact.
inline std::string decimal(std::int64_t number, std::uint8_t scale) {
    char text[GAPLESS_DECIMAL_BYTES];
    return gapless_decimal(number, scale, text, sizeof text);
}

/// The middle weighed by the size on the other side, with so many more decimals than prices have (at
/// most 6); empty without both sides.
inline std::optional<std::int64_t> microprice(const gapless_top &top, std::uint8_t decimals) {
    std::int64_t price = 0;
    if (gapless_microprice(top.bid, top.ask, decimals, &price) != GAPLESS_STATUS_OK)
        return std::nullopt;
    return price;
}

/// State of a book, and the name of why it is not live.
struct State {
    gapless_state state;
    std::string reason;
};

/// Best levels a side, best first.
struct Depth {
    gapless_standing standing{};
    std::vector<gapless_level> bids, asks;
};

namespace detail {

/// Copies levels with their standing; false if the book did not answer: then it has no levels.
template <class Copy>
bool copied(Depth &into, std::size_t bids, std::size_t asks, Copy copy) {
    gapless_depth depth{};
    into.bids.resize(bids);
    into.asks.resize(asks);
    bool is_there = answered(copy(into.bids.data(), bids, into.asks.data(), asks, &depth));
    into.bids.resize(depth.bids);
    into.asks.resize(depth.asks);
    if (is_there) into.standing = depth.standing;
    return is_there;
}

}  // namespace detail

/// What one publication changed; size 0: gone.
struct Change {
    gapless_change_kind kind = GAPLESS_CHANGE_KIND_DELTA;
    gapless_standing standing{};
    std::vector<gapless_level> bids, asks;
};

/// What a look for the next change found.
enum class Next {
    /// A change.
    change,
    /// None yet.
    nothing_new,
    /// Some were missed; who follows levels refreshes a Replica.
    lapped,
};

/// Follows the changes of one book.
class Changes {
public:
    explicit Changes(gapless_changes changes) noexcept : changes_(changes) {}

    /// Looks for the next change and copies it, into an old one whose memory is used again; if
    /// there is none, that has no levels.
    Next read(Change &into) {
        gapless_change change{};
        gapless_status status;
        for (;;) {
            status = gapless_changes_read(changes_.get(), bids_.data(), bids_.size(), asks_.data(),
                                          asks_.size(), &change);
            if (status != GAPLESS_STATUS_TOO_SMALL) break;
            bids_.resize(std::max(bids_.size(), change.bids));
            asks_.resize(std::max(asks_.size(), change.asks));
        }
        into.bids.clear();
        into.asks.clear();
        if (status == GAPLESS_STATUS_NOTHING_NEW) return Next::nothing_new;
        if (status == GAPLESS_STATUS_LAPPED) return Next::lapped;
        detail::check(status);
        into.bids.assign(bids_.data(), bids_.data() + change.bids);
        into.asks.assign(asks_.data(), asks_.data() + change.asks);
        into.kind = static_cast<gapless_change_kind>(change.kind);
        into.standing = change.standing;
        return Next::change;
    }

    gapless_changes handle() const noexcept { return changes_.get(); }

private:
    detail::Handle<gapless_changes, gapless_changes_free> changes_;
    /// As large as the largest change so far: what is read was not written twice.
    std::vector<gapless_level> bids_, asks_;
};

/// A copy of one whole book, brought up to date when asked.
class Replica {
public:
    explicit Replica(gapless_replica replica) noexcept : replica_(replica) {}

    /// Brings it up to date; false if the writer was in the way at every try.
    bool refresh() {
        gapless_status status = gapless_replica_refresh(replica_.get(), &bids_, &asks_);
        return detail::answered(status);
    }

    /// The whole book as of the last refresh that succeeded, if it is live.
    std::optional<Depth> depth() const { return copy(gapless_replica_depth); }

    /// The whole book as of the last refresh that succeeded, whatever its state.
    std::optional<Depth> last_known_depth() const {
        return copy(gapless_replica_last_known_depth);
    }

    gapless_replica handle() const noexcept { return replica_.get(); }

private:
    using Copy = gapless_status (*)(gapless_replica, gapless_level *, std::size_t, gapless_level *,
                                    std::size_t, gapless_depth *);

    std::optional<Depth> copy(Copy from) const {
        Depth found;
        bool is_there = detail::copied(
            found, bids_, asks_, [&](auto... into) { return from(replica_.get(), into...); });
        if (!is_there) return std::nullopt;
        return found;
    }

    detail::Handle<gapless_replica, gapless_replica_free> replica_;
    std::size_t bids_ = 0, asks_ = 0;
};

/// How to wait for the next publication.
enum class Wait : std::uint32_t {
    /// Looks all the time: answers within some 100 ns, costs a core.
    spin = GAPLESS_WAIT_SPIN,
    /// Lets other threads run between looks.
    yield = GAPLESS_WAIT_YIELD,
    /// Sleeps between looks.
    sleep = GAPLESS_WAIT_SLEEP,
};

/// Reads one book; stays valid after its engine has gone.
class Reader {
public:
    explicit Reader(gapless_reader reader) noexcept : reader_(reader) {}
    Reader(const Reader &other) : reader_(gapless_reader{0}) {
        gapless_reader clone;
        detail::check(gapless_reader_clone(other.handle(), &clone));
        reader_ = detail::Handle<gapless_reader, gapless_reader_free>(clone);
    }
    Reader(Reader &&) noexcept = default;
    Reader &operator=(Reader other) noexcept {
        std::swap(reader_, other.reader_);
        return *this;
    }

    /// Best bid and ask of a live book.
    std::optional<gapless_top> top() const {
        gapless_top top;
        if (!detail::answered(gapless_reader_top(handle(), &top))) return std::nullopt;
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
        return detail::copied(
            into, n, n, [this](auto... to) { return gapless_reader_depth(handle(), to...); });
    }

    /// As top(), as last published, whatever the state in it; empty only while a writer is in the
    /// way. A writer that died does not show there: state() tells.
    std::optional<gapless_top> last_known_top() const {
        gapless_top top;
        if (!detail::answered(gapless_reader_last_known_top(handle(), &top))) return std::nullopt;
        return top;
    }

    /// As depth(), as last published, whatever the state in it.
    std::optional<Depth> last_known_depth(std::size_t n) const {
        Depth found;
        bool is_there = detail::copied(found, n, n, [this](auto... to) {
            return gapless_reader_last_known_depth(handle(), to...);
        });
        if (!is_there) return std::nullopt;
        return found;
    }

#ifdef GAPLESS_HAS_SPAN
    /// As depth(), into spans: their lengths say how many levels are wanted. Nothing is allocated.
    std::optional<gapless_depth> depth_into(std::span<gapless_level> bids,
                                            std::span<gapless_level> asks) const {
        gapless_depth depth;
        if (!detail::answered(gapless_reader_depth(handle(), bids.data(), bids.size(), asks.data(),
                                                   asks.size(), &depth)))
            return std::nullopt;
        return depth;
    }
#endif

    State state() const {
        std::uint8_t state = 0, reason = 0;
        detail::check(gapless_reader_state(handle(), &state, &reason));
        auto name = [reason](char *into, std::size_t room, std::size_t *length) {
            return gapless_reason_name(reason, into, room, length);
        };
        return {static_cast<gapless_state>(state), detail::text(name)};
    }

    /// Waits until something else was published than when the version was `seen` (0 at first), and
    /// says the version now; empty if nothing was within the time. Sleeps for `interval` between
    /// two looks.
    std::optional<std::uint64_t>
    wait(std::uint64_t seen, std::chrono::nanoseconds at_most,
         std::chrono::nanoseconds interval = std::chrono::milliseconds(1)) const {
        return wait(seen, at_most, Wait::sleep, interval);
    }

    /// As above, in another way; `interval` counts for Wait::sleep.
    std::optional<std::uint64_t>
    wait(std::uint64_t seen, std::chrono::nanoseconds at_most, Wait how,
         std::chrono::nanoseconds interval = std::chrono::milliseconds(1)) const {
        std::uint64_t version = 0;
        gapless_status status =
            gapless_reader_wait(handle(), seen, static_cast<std::uint32_t>(how),
                                detail::ns(interval), detail::ns(at_most), &version);
        if (status == GAPLESS_STATUS_TIMED_OUT) return std::nullopt;
        detail::check(status);
        return version;
    }

    /// Follows the changes from now on.
    Changes changes() const {
        gapless_changes changes;
        detail::check(gapless_reader_changes(handle(), &changes));
        return Changes(changes);
    }

    /// A copy of the whole book; empty until it is refreshed.
    Replica replica() const {
        gapless_replica replica;
        detail::check(gapless_reader_replica(handle(), &replica));
        return Replica(replica);
    }

    gapless_reader handle() const noexcept { return reader_.get(); }

private:
    detail::Handle<gapless_reader, gapless_reader_free> reader_;
};

/// What becomes of a receiver that is too slow; the engine never waits for it.
enum class Slow : std::uint32_t {
    /// It loses the oldest events; gapless_event.missed says how many.
    drop_oldest = GAPLESS_SLOW_DROP_OLDEST,
    /// It has the latest event of each instrument or book and topic.
    conflate = GAPLESS_SLOW_CONFLATE,
    /// It is given nothing more: an Error with GAPLESS_STATUS_TOO_SLOW.
    disconnect = GAPLESS_SLOW_DISCONNECT,
};

/// Events of an engine.
class Events {
public:
    explicit Events(gapless_events events) noexcept : events_(events) {}

    /// The next event, waiting for it at most so long; empty if there was none, or none comes any
    /// more: ended().
    std::optional<gapless_event> next(std::chrono::nanoseconds at_most = {}) {
        gapless_event event;
        gapless_status status = gapless_events_next(events_.get(), detail::ns(at_most), &event);
        if (status == GAPLESS_STATUS_OK) return event;
        nothing(status);
        return std::nullopt;
    }

    /// Calls `each` with every event until it returns false, none came for so long, or none will;
    /// what it throws leaves here. It may use this object.
    template <class F> void run(F &&each, std::chrono::nanoseconds at_most) {
        struct Call {
            std::remove_reference_t<F> &function;
            std::exception_ptr thrown;
        } call{each, nullptr};
        // Nothing may unwind through what calls it: an exception waits until that has returned.
        auto one = [](const gapless_event *event, void *user) -> std::int32_t {
            Call &to = *static_cast<Call *>(user);
            try {
                return to.function(*event) ? 0 : 1;
            } catch (...) {
                to.thrown = std::current_exception();
                return 1;
            }
        };
        gapless_status status = gapless_events_run(events_.get(), detail::ns(at_most), one, &call);
        if (call.thrown) std::rethrow_exception(call.thrown);
        if (status != GAPLESS_STATUS_OK) nothing(status);
    }

    /// Nothing more comes: the engine was stopped, or has read everything.
    bool ended() const noexcept { return ended_; }

    /// The name behind gapless_event.instrument or gapless_book_state.book.
    std::string name(std::uint32_t number) const {
        return detail::text([&](char *into, std::size_t room, std::size_t *length) {
            return gapless_events_name(events_.get(), number, into, room, length);
        });
    }

    gapless_event_counts counts() const {
        gapless_event_counts counts;
        detail::check(gapless_events_counts(events_.get(), &counts));
        return counts;
    }

    gapless_events handle() const noexcept { return events_.get(); }

private:
    void nothing(gapless_status status) {
        ended_ = status == GAPLESS_STATUS_ENDED;
        if (!ended_ && status != GAPLESS_STATUS_NOTHING_NEW) detail::check(status);
    }

    detail::Handle<gapless_events, gapless_events_free> events_;
    bool ended_ = false;
};

/// How long each stage of an engine's messages took, until it was asked for.
class Latency {
public:
    explicit Latency(gapless_latency latency) noexcept : latency_(latency) {}

    /// How many times of a stage there are, and their percentiles.
    gapless_times times(gapless_stage stage) const {
        gapless_times times;
        detail::check(gapless_latency_times(latency_.get(), stage, &times));
        return times;
    }

    /// The time of a stage at a quantile, 0 to 1.
    std::chrono::nanoseconds at(gapless_stage stage, double quantile) const {
        std::int64_t time_ns = 0;
        detail::check(gapless_latency_quantile(latency_.get(), stage, quantile, &time_ns));
        return std::chrono::nanoseconds(time_ns);
    }

    std::string table() const { return report(GAPLESS_REPORT_TABLE); }
    std::string json() const { return report(GAPLESS_REPORT_JSON); }

    gapless_latency handle() const noexcept { return latency_.get(); }

private:
    std::string report(std::uint32_t form) const {
        return detail::text([&](char *into, std::size_t room, std::size_t *length) {
            return gapless_latency_report(latency_.get(), form, into, room, length);
        });
    }

    detail::Handle<gapless_latency, gapless_latency_free> latency_;
};

/// Sources, threads and books; stops when it goes.
class Engine {
public:
    explicit Engine(std::string_view config) : Engine(config, gapless_engine_start) {}

    /// Nothing runs before restart(): who subscribes in between is given every event.
    static Engine build(std::string_view config) { return Engine(config, gapless_engine_build); }

    /// Events of these topics from now on, of these instruments or of all; `capacity` may wait.
    Events subscribe(std::initializer_list<gapless_topic> topics,
                     const std::vector<std::string> &names = {}, std::size_t capacity = 0,
                     Slow slow = Slow::drop_oldest) const {
        std::uint32_t bits = 0;
        for (gapless_topic topic : topics) bits |= std::uint32_t{1} << topic;
        std::string lines;
        for (const std::string &name : names) lines += name + '\n';
        gapless_events events;
        detail::check(gapless_engine_subscribe(engine_.get(), bits, lines.data(), lines.size(),
                                               capacity, static_cast<std::uint32_t>(slow),
                                               &events));
        return Events(events);
    }

    /// Times every message from now on, or no more; what was recorded before is forgotten.
    void measure(bool on = true) const {
        detail::check(gapless_engine_measure(engine_.get(), on ? 1 : 0));
    }

    /// What was recorded so far; an Error with GAPLESS_STATUS_NOT_MEASURED if nothing is timed.
    Latency latency() const {
        gapless_latency latency;
        detail::check(gapless_engine_latency(engine_.get(), &latency));
        return Latency(latency);
    }

    void join() const { detail::check(gapless_engine_join(engine_.get())); }
    void stop() const { detail::check(gapless_engine_stop(engine_.get())); }
    void restart() const { detail::check(gapless_engine_restart(engine_.get())); }
    void add(std::string_view name) const {
        detail::check(gapless_engine_add(engine_.get(), name.data(), name.size()));
    }
    void remove(std::string_view name) const {
        detail::check(gapless_engine_remove(engine_.get(), name.data(), name.size()));
    }

    Reader book(std::string_view name, std::chrono::nanoseconds wait = {}) const {
        gapless_reader reader;
        detail::check(gapless_engine_book(engine_.get(), name.data(), name.size(),
                                          detail::ns(wait), &reader));
        return Reader(reader);
    }

    /// Names that each mean one book, of one moment, in their order.
    std::vector<std::string> books() const {
        const std::string text =
            detail::text([this](char *into, std::size_t room, std::size_t *length) {
                return gapless_engine_book_names(engine_.get(), into, room, length);
            });
        std::vector<std::string> names;
        for (std::size_t from = 0; from < text.size(); from += names.back().size() + 1)
            names.emplace_back(text.c_str() + from);
        return names;
    }

    gapless_engine handle() const noexcept { return engine_.get(); }

private:
    using Make = gapless_status (*)(const char *, std::size_t, gapless_engine *);

    Engine(std::string_view config, Make make) : engine_(made(config, make)) {}

    static gapless_engine made(std::string_view config, Make make) {
        gapless_engine engine;
        detail::check(make(config.data(), config.size(), &engine));
        return engine;
    }

    detail::Handle<gapless_engine, gapless_engine_free> engine_;
};

/// A publication in shared memory.
struct Region {
    std::string file, engine, name, channel;
    /// The process that writes it; 0 if unknown.
    std::uint32_t pid;
    /// Whether that process lives; empty if it cannot be seen from here.
    std::optional<bool> alive;
    /// Wall clock when it was made, ns since 1970.
    std::int64_t created_ns;
    /// GAPLESS_STATUS_OK, or why nothing but the name of the file is known.
    gapless_status status;
};

/// What engines publish in shared memory; an empty folder means /dev/shm.
inline std::vector<Region> regions(std::string_view folder = {}) {
    std::vector<gapless_region> found;
    std::size_t count = 0;
    for (;;) {
        gapless_status status = gapless_regions_list(folder.data(), folder.size(), found.data(),
                                                     found.size(), &count);
        if (status != GAPLESS_STATUS_TOO_SMALL) {
            detail::check(status);
            break;
        }
        found.resize(count);
    }
    std::vector<Region> all;
    for (std::size_t at = 0; at < count; ++at) {
        const gapless_region &one = found[at];
        std::optional<bool> alive;
        if (one.alive >= 0) alive = one.alive != 0;
        all.push_back({one.file, one.engine, one.name, one.channel, one.pid, alive, one.created_ns,
                       static_cast<gapless_status>(one.status)});
    }
    return all;
}

/// A reader of a book in shared memory, `[ENGINE/]NAME[@CHANNEL]`.
inline Reader attach(std::string_view name, std::string_view folder = {}) {
    gapless_reader reader;
    detail::check(gapless_regions_attach(folder.data(), folder.size(), name.data(), name.size(),
                                         &reader));
    return Reader(reader);
}

/// Removes the files that ended processes left, and says how many.
inline std::size_t sweep(std::string_view folder = {}) {
    std::size_t removed = 0;
    detail::check(gapless_regions_sweep(folder.data(), folder.size(), &removed));
    return removed;
}

}  // namespace gapless

#endif
