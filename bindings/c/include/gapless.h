/* gapless: local order books that are exactly the exchange's book, or say that they are not.
 *
 * Made from bindings/c/src by cbindgen; a test compares it with what the sources say.
 *
 * Prices and sizes are integers: value = number / 10^scale. Times are ns. Text is UTF-8 with a
 * length and needs no zero at its end. Every function but those that say otherwise may be called
 * from any thread at any time; none unwinds into its caller. Handles are numbers: a handle that was
 * freed or never given out is answered with GAPLESS_STATUS_INVALID_HANDLE.
 */

#ifndef GAPLESS_H
#define GAPLESS_H

#include <stddef.h>
#include <stdint.h>

/*
 Looks all the time: answers within some 100 ns, costs a core.
 */
#define GAPLESS_WAIT_SPIN 0

/*
 Lets other threads run between looks.
 */
#define GAPLESS_WAIT_YIELD 1

/*
 Sleeps between looks.
 */
#define GAPLESS_WAIT_SLEEP 2

/*
 What a call came to.
 */
typedef enum gapless_status {
  /*
   Done.
   */
  GAPLESS_STATUS_OK = 0,
  /*
   A pointer that must point somewhere is null or not aligned.
   */
  GAPLESS_STATUS_INVALID_POINTER = 1,
  /*
   A text is not UTF-8, or longer than any text may be.
   */
  GAPLESS_STATUS_INVALID_TEXT = 2,
  /*
   The engine's text cannot be read; gapless_last_error() says where.
   */
  GAPLESS_STATUS_INVALID_CONFIG = 3,
  /*
   The handle was freed, is of another kind, or was never given out.
   */
  GAPLESS_STATUS_INVALID_HANDLE = 4,
  /*
   The engine cannot start; gapless_last_error() says why.
   */
  GAPLESS_STATUS_ENGINE = 5,
  /*
   No book of this name has appeared.
   */
  GAPLESS_STATUS_NO_SUCH_BOOK = 6,
  /*
   Several books have this name; gapless_last_error() lists the names that mean one.
   */
  GAPLESS_STATUS_AMBIGUOUS_BOOK = 7,
  /*
   The book is not live: gapless_reader_state() says why.
   */
  GAPLESS_STATUS_NOT_LIVE = 8,
  /*
   The writer was in the way at every try; try again.
   */
  GAPLESS_STATUS_BUSY = 9,
  /*
   Nothing was published within the time given.
   */
  GAPLESS_STATUS_TIMED_OUT = 10,
  /*
   A buffer is too small; nothing was written to it.
   */
  GAPLESS_STATUS_TOO_SMALL = 11,
  /*
   More handles than there can be.
   */
  GAPLESS_STATUS_TOO_MANY_HANDLES = 12,
  /*
   A number is none of those that are allowed.
   */
  GAPLESS_STATUS_INVALID_ARGUMENT = 13,
  /*
   A fault inside gapless; gapless_last_error() has its words. The process is intact.
   */
  GAPLESS_STATUS_INTERNAL = 14,
} gapless_status;

/*
 State of a book.
 */
typedef enum gapless_state {
  /*
   The book is the venue's.
   */
  GAPLESS_STATE_LIVE = 0,
  /*
   No snapshot yet, or a gap that is not healed.
   */
  GAPLESS_STATE_SYNCING = 1,
  /*
   Silent or late, or its writer is gone.
   */
  GAPLESS_STATE_STALE = 2,
  /*
   Needs a person or another configuration.
   */
  GAPLESS_STATE_FAILED = 3,
} gapless_state;

/*
 Sources, threads and books. Free it with gapless_engine_free().
 */
typedef struct gapless_engine {
  /*
   0 is never given out.
   */
  uint64_t id;
} gapless_engine;

/*
 Reads one book, from any thread, also after its engine was freed. Free it with
 gapless_reader_free().
 */
typedef struct gapless_reader {
  /*
   0 is never given out.
   */
  uint64_t id;
} gapless_reader;

/*
 What may be thought of levels, and which message they stand after.
 */
typedef struct gapless_standing {
  /*
   The venue's number of the last message; INT64_MIN where there is none.
   */
  int64_t seq;
  /*
   When the venue published it, ns since 1970; INT64_MIN if it does not say.
   */
  int64_t venue_ns;
  /*
   When it was received, ns since 1970; INT64_MIN if unknown.
   */
  int64_t recv_ns;
  /*
   When it was published here, ns of the machine's monotonic clock.
   */
  int64_t published_ns;
  /*
   Counts the snapshots that replaced the book.
   */
  uint32_t epoch;
  /*
   A gapless_state.
   */
  uint8_t state;
  /*
   Why it is not live; gapless_reason_name() has its name.
   */
  uint8_t reason;
  /*
   Decimals of prices.
   */
  uint8_t price_scale;
  /*
   Decimals of sizes.
   */
  uint8_t size_scale;
} gapless_standing;

/*
 A price with what stands there; value = number / 10^scale, scales in gapless_standing.
 */
typedef struct gapless_level {
  /*
   In units of 10^-price_scale.
   */
  int64_t price;
  /*
   In units of 10^-size_scale.
   */
  int64_t size;
} gapless_level;

/*
 Best bid and ask.
 */
typedef struct gapless_top {
  /*
   What may be thought of them.
   */
  struct gapless_standing standing;
  /*
   Highest bid; size 0 if there is no bid.
   */
  struct gapless_level bid;
  /*
   Lowest ask; size 0 if there is no ask.
   */
  struct gapless_level ask;
} gapless_top;

/*
 How many levels were copied, and what may be thought of them.
 */
typedef struct gapless_depth {
  /*
   What may be thought of them.
   */
  struct gapless_standing standing;
  /*
   Bids copied, best first.
   */
  size_t bids;
  /*
   Asks copied, best first.
   */
  size_t asks;
} gapless_depth;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The version of the library, like "0.1.0". Static; never null.
 */
const char *gapless_version(void);

/*
 The name of a status, like "GAPLESS_STATUS_NOT_LIVE". Static; never null.
 */
const char *gapless_status_name(int32_t status);

/*
 Copies the name of a reason (gapless_standing.reason), like "awaiting_snapshot", into `buffer`
 and writes its length to `length`; no zero is added. GAPLESS_STATUS_TOO_SMALL if it does not
 fit: `length` says what is needed.
 */
enum gapless_status gapless_reason_name(uint8_t reason,
                                        uint8_t *buffer,
                                        size_t capacity,
                                        size_t *length);

/*
 Copies what the last failed call of this thread had to say into `buffer` and writes its length
 to `length`; no zero is added. GAPLESS_STATUS_TOO_SMALL if it does not fit: `length` says what
 is needed.
 */
enum gapless_status gapless_last_error(uint8_t *buffer, size_t capacity, size_t *length);

/*
 Starts an engine from a text in JSON or TOML, like
 `{"sources":[{"replay":["FILE or FOLDER"],"speed":"max"}],"books":["okx:BTC-USDT-SWAP"]}`.
 Without "books" it publishes all. `*engine` is the caller's, to be freed once. Nothing runs if
 it fails.
 */
enum gapless_status gapless_engine_start(const uint8_t *config,
                                         size_t config_length,
                                         struct gapless_engine *engine);

/*
 Waits until every source was read to its end. The books stay as they ended until the engine
 stops. Another thread may not use the engine meanwhile: its calls wait.
 */
enum gapless_status gapless_engine_join(struct gapless_engine engine);

/*
 Stops the threads and waits for them: readers see GAPLESS_STATE_STALE from then on.
 */
enum gapless_status gapless_engine_stop(struct gapless_engine engine);

/*
 Stops the engine and frees it. Its readers stay valid.
 */
enum gapless_status gapless_engine_free(struct gapless_engine engine);

/*
 Makes a reader of a book, `VENUE[.MARKET]:SYMBOL`, that has appeared or appears within
 `wait_ns`. `*reader` is the caller's, to be freed once.
 */
enum gapless_status gapless_engine_book(struct gapless_engine engine,
                                        const uint8_t *name,
                                        size_t name_length,
                                        uint64_t wait_ns,
                                        struct gapless_reader *reader);

/*
 Writes to `count` how many books are published at this moment.
 */
enum gapless_status gapless_engine_book_count(struct gapless_engine engine, size_t *count);

/*
 Copies the name of the book at `index`, in the order of their names, into `buffer` and writes
 its length to `length`; no zero is added. It means this one book whatever else appears.
 */
enum gapless_status gapless_engine_book_name(struct gapless_engine engine,
                                             size_t index,
                                             uint8_t *buffer,
                                             size_t capacity,
                                             size_t *length);

/*
 Makes another reader of the same book. `*clone` is the caller's, to be freed once.
 */
enum gapless_status gapless_reader_clone(struct gapless_reader reader,
                                         struct gapless_reader *clone);

/*
 Frees a reader.
 */
enum gapless_status gapless_reader_free(struct gapless_reader reader);

/*
 Copies the best bid and ask of a live book. GAPLESS_STATUS_NOT_LIVE while it is not: then `*top`
 is untouched. Never blocks, never allocates.
 */
enum gapless_status gapless_reader_top(struct gapless_reader reader, struct gapless_top *top);

/*
 Copies the best bid and ask as last published, whatever the state in it. A writer that died does
 not show there: gapless_reader_state() tells.
 */
enum gapless_status gapless_reader_last_known_top(struct gapless_reader reader,
                                                  struct gapless_top *top);

/*
 Copies the best levels of a live book, best first: at most `bids_capacity` bids and
 `asks_capacity` asks, and no more than the engine publishes. `*depth` says how many. Nothing is
 written if it fails. Never blocks.
 */
enum gapless_status gapless_reader_depth(struct gapless_reader reader,
                                         struct gapless_level *bids,
                                         size_t bids_capacity,
                                         struct gapless_level *asks,
                                         size_t asks_capacity,
                                         struct gapless_depth *depth);

/*
 As gapless_reader_depth(), as last published, whatever the state in it.
 */
enum gapless_status gapless_reader_last_known_depth(struct gapless_reader reader,
                                                    struct gapless_level *bids,
                                                    size_t bids_capacity,
                                                    struct gapless_level *asks,
                                                    size_t asks_capacity,
                                                    struct gapless_depth *depth);

/*
 Writes the state (a gapless_state) and the reason of a book at this moment; a silent writer
 shows as GAPLESS_STATE_STALE.
 */
enum gapless_status gapless_reader_state(struct gapless_reader reader,
                                         uint8_t *state,
                                         uint8_t *reason);

/*
 Waits until something else was published than when the version was `seen` (0 at first), for
 `at_most_ns`, and writes the version now to `*version`. `strategy` is one of GAPLESS_WAIT_;
 `sleep_ns` counts for GAPLESS_WAIT_SLEEP. GAPLESS_STATUS_TIMED_OUT if nothing was.
 */
enum gapless_status gapless_reader_wait(struct gapless_reader reader,
                                        uint64_t seen,
                                        uint32_t strategy,
                                        uint64_t sleep_ns,
                                        uint64_t at_most_ns,
                                        uint64_t *version);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* GAPLESS_H */
