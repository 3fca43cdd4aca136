/* gapless: local order books that are exactly the exchange's book, or say that they are not.
 *
 * Made from bindings/c/src by cbindgen; a test compares it with what the sources say.
 *
 * Prices and sizes are integers: value = number / 10^scale. Times are ns. Text is UTF-8 with a
 * length and needs no zero at its end; GAPLESS_TEXT() gives both of a literal. Every function but
 * those that say otherwise may be called from any thread at any time; none unwinds into its caller.
 * Handles are numbers: a handle that was freed or never given out is answered with
 * GAPLESS_STATUS_INVALID_HANDLE. At most 4096 threads that live may have called functions that take
 * or give one; a further one is answered with GAPLESS_STATUS_INTERNAL.
 */

#ifndef GAPLESS_H
#define GAPLESS_H

#include <stddef.h>
#include <stdint.h>

/* A text in quotation marks as the two arguments that functions take: its bytes, their number. */
#define GAPLESS_TEXT(literal) "" literal, (sizeof(literal) - 1)

/*
 Bytes that hold any decimal number with its sign, its point and a zero at its end.
 */
#define GAPLESS_DECIMAL_BYTES 24

/*
 The number of the interface that this header describes: another one may have other structs.
 */
#define GAPLESS_ABI_VERSION 1

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
 Made by a recorder, not by the venue.
 */
#define GAPLESS_FLAG_GENERATED 1

/*
 A print off the book: insurance fund, deleveraging.
 */
#define GAPLESS_FLAG_OFF_BOOK 2

/*
 A block trade.
 */
#define GAPLESS_FLAG_BLOCK 4

/*
 Retail price improvement.
 */
#define GAPLESS_FLAG_RPI 8

/*
 What happened before the subscription at the venue.
 */
#define GAPLESS_FLAG_HISTORICAL 16

/*
 The last event of its frame.
 */
#define GAPLESS_FLAG_LAST_IN_FRAME 32

/*
 A receiver that is too slow loses the oldest events, and is told how many.
 */
#define GAPLESS_SLOW_DROP_OLDEST 0

/*
 It has the latest event of each instrument or book and topic.
 */
#define GAPLESS_SLOW_CONFLATE 1

/*
 It is given nothing more: GAPLESS_STATUS_TOO_SLOW.
 */
#define GAPLESS_SLOW_DISCONNECT 2

/*
 The report as a table for people.
 */
#define GAPLESS_REPORT_TABLE 0

/*
 The report as one JSON object.
 */
#define GAPLESS_REPORT_JSON 1

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
  /*
   Nothing has changed since the last look.
   */
  GAPLESS_STATUS_NOTHING_NEW = 15,
  /*
   The writer has overtaken this reader: changes were missed.
   */
  GAPLESS_STATUS_LAPPED = 16,
  /*
   The book is published without its changes and whole depth.
   */
  GAPLESS_STATUS_NOT_PUBLISHED = 17,
  /*
   The book holds more levels than its publication has room for.
   */
  GAPLESS_STATUS_TOO_DEEP = 18,
  /*
   A folder or file of shared memory cannot be used; gapless_last_error() says why.
   */
  GAPLESS_STATUS_SHARED_MEMORY = 19,
  /*
   Nothing more comes: the engine was stopped, or has read everything.
   */
  GAPLESS_STATUS_ENDED = 20,
  /*
   The receiver was too slow and is given nothing more.
   */
  GAPLESS_STATUS_TOO_SLOW = 21,
  /*
   Nothing is timed: gapless_engine_measure() was not called.
   */
  GAPLESS_STATUS_NOT_MEASURED = 22,
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
 What a change of a book does.
 */
typedef enum gapless_change_kind {
  /*
   Some levels changed, or none and only the standing did.
   */
  GAPLESS_CHANGE_KIND_DELTA = 0,
  /*
   Levels of before are void; these are all.
   */
  GAPLESS_CHANGE_KIND_RESET = 1,
  /*
   Levels of before are void, and the new ones are too many to be given: who follows levels
   brings a gapless_replica up to date.
   */
  GAPLESS_CHANGE_KIND_RESYNC = 2,
} gapless_change_kind;

/*
 What can be subscribed to.
 */
typedef enum gapless_topic {
  /*
   Trades: gapless_event.body.trade.
   */
  GAPLESS_TOPIC_TRADES = 0,
  /*
   Forced closings: gapless_event.body.liquidation.
   */
  GAPLESS_TOPIC_LIQUIDATIONS = 1,
  /*
   Funding, mark and index prices, open interest: gapless_event.body.funding.
   */
  GAPLESS_TOPIC_FUNDING = 2,
  /*
   A published book has another state, reason or epoch: gapless_event.body.state.
   */
  GAPLESS_TOPIC_STATES = 3,
  /*
   A published book took a message or has another state: gapless_event.body.state.
   */
  GAPLESS_TOPIC_UPDATES = 4,
} gapless_topic;

/*
 Who took liquidity.
 */
typedef enum gapless_side {
  /*
   The source does not say.
   */
  GAPLESS_SIDE_UNKNOWN = 0,
  /*
   Bought: lifted an ask; a short was liquidated.
   */
  GAPLESS_SIDE_BUY = 1,
  /*
   Sold: hit a bid; a long was liquidated.
   */
  GAPLESS_SIDE_SELL = 2,
} gapless_side;

/*
 A part of the way of a message.
 */
typedef enum gapless_stage {
  /*
   From the venue's time of a message to its receipt: between two clocks, may be negative.
   */
  GAPLESS_STAGE_VENUE = 0,
  /*
   From the time at which a recording's frame was due to the frame; paced sources only.
   */
  GAPLESS_STAGE_LATE = 1,
  /*
   From the frame, whole, to the event.
   */
  GAPLESS_STAGE_PARSE = 2,
  /*
   From the event to the sequencer's verdict.
   */
  GAPLESS_STAGE_SEQUENCE = 3,
  /*
   From the verdict to the finished book.
   */
  GAPLESS_STAGE_APPLY = 4,
  /*
   From the finished book to its publication.
   */
  GAPLESS_STAGE_PUBLISH = 5,
  /*
   From the frame to its publication.
   */
  GAPLESS_STAGE_WHOLE = 6,
  /*
   From the time at which the frame was due to its publication: corrected for coordinated
   omission; paced sources only.
   */
  GAPLESS_STAGE_FROM_DUE = 7,
} gapless_stage;

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

/*
 Follows the changes of one book. Free it with gapless_changes_free().
 */
typedef struct gapless_changes {
  /*
   0 is never given out.
   */
  uint64_t id;
} gapless_changes;

/*
 What one publication changed.
 */
typedef struct gapless_change {
  /*
   What may be thought of the book from here on.
   */
  struct gapless_standing standing;
  /*
   Bids that changed, with their new sizes; size 0: gone.
   */
  size_t bids;
  /*
   Asks that changed.
   */
  size_t asks;
  /*
   A gapless_change_kind.
   */
  uint8_t kind;
} gapless_change;

/*
 A copy of one whole book, brought up to date when asked. Free it with gapless_replica_free().
 */
typedef struct gapless_replica {
  /*
   0 is never given out.
   */
  uint64_t id;
} gapless_replica;

/*
 A publication in shared memory. Texts end with a zero.
 */
typedef struct gapless_region {
  /*
   A gapless_status: GAPLESS_STATUS_OK, or GAPLESS_STATUS_SHARED_MEMORY if the file is not a
   publication of this user and this version; then only its name is known.
   */
  int32_t status;
  /*
   The process that writes it; 0 if unknown.
   */
  uint32_t pid;
  /*
   1: that process lives; 0: it has ended; -1: it cannot be seen from here.
   */
  int32_t alive;
  /*
   Name of the file in its folder.
   */
  char file[260];
  /*
   Name of the engine.
   */
  char engine[72];
  /*
   `VENUE[.MARKET]:SYMBOL`.
   */
  char name[264];
  /*
   Channel without the symbol.
   */
  char channel[72];
  /*
   Wall clock when it was made, ns since 1970.
   */
  int64_t created_ns;
} gapless_region;

/*
 A subscription to events of an engine. Free it with gapless_events_free().
 */
typedef struct gapless_events {
  /*
   0 is never given out.
   */
  uint64_t id;
} gapless_events;

/*
 A number that may be absent; value = number / 10^scale.
 */
typedef struct gapless_number {
  /*
   In units of 10^-scale.
   */
  int64_t number;
  /*
   Decimals.
   */
  uint8_t scale;
  /*
   0: the venue does not say.
   */
  uint8_t is_there;
} gapless_number;

/*
 A trade. Numbers that the venue does not give are INT64_MIN.
 */
typedef struct gapless_trade {
  /*
   Price.
   */
  struct gapless_number price;
  /*
   Size in the venue's unit.
   */
  struct gapless_number size;
  /*
   A score that a relay attached, 0..1.
   */
  struct gapless_number score;
  /*
   Sequence of the trade, where the venue counts them.
   */
  int64_t seq;
  /*
   First trade of an aggregate.
   */
  int64_t first;
  /*
   Last trade of an aggregate.
   */
  int64_t last;
  /*
   Number of fills in an aggregate.
   */
  int64_t count;
  /*
   A gapless_side, of the taker.
   */
  uint8_t side;
  /*
   The venue's id is longer than what is kept of it.
   */
  uint8_t is_cut;
  /*
   The venue's id, ended by a zero; empty if it gives none.
   */
  char id[46];
} gapless_trade;

/*
 A forced closing.
 */
typedef struct gapless_liquidation {
  /*
   Order or bankruptcy price.
   */
  struct gapless_number price;
  /*
   Original size.
   */
  struct gapless_number size;
  /*
   Size filled so far.
   */
  struct gapless_number filled;
  /*
   Average fill price.
   */
  struct gapless_number average_price;
  /*
   Value in USD.
   */
  struct gapless_number size_usd;
  /*
   A gapless_side, of the order: GAPLESS_SIDE_SELL closed a long.
   */
  uint8_t side;
  /*
   The venue publishes a sample, not every liquidation.
   */
  uint8_t is_sampled;
  /*
   The venue's id is longer than what is kept of it.
   */
  uint8_t is_cut;
  /*
   The venue's id, ended by a zero; empty if it gives none.
   */
  char id[45];
} gapless_liquidation;

/*
 What one message said of a derivative.
 */
typedef struct gapless_funding {
  /*
   Last price.
   */
  struct gapless_number last;
  /*
   Mark price.
   */
  struct gapless_number mark;
  /*
   Index price.
   */
  struct gapless_number index;
  /*
   Estimated settlement price.
   */
  struct gapless_number settle;
  /*
   Open interest.
   */
  struct gapless_number open_interest;
  /*
   Funding rate.
   */
  struct gapless_number funding_rate;
  /*
   Funding rate that is predicted.
   */
  struct gapless_number predicted_funding;
  /*
   Best bid.
   */
  struct gapless_number bid;
  /*
   Its size.
   */
  struct gapless_number bid_size;
  /*
   Best ask.
   */
  struct gapless_number ask;
  /*
   Its size.
   */
  struct gapless_number ask_size;
  /*
   When funding is due, ns since 1970; INT64_MIN if it is not said.
   */
  int64_t funding_time_ns;
} gapless_funding;

/*
 What a published book says of itself.
 */
typedef struct gapless_book_state {
  /*
   The venue's number of its last message; INT64_MIN where there is none.
   */
  int64_t seq;
  /*
   When it was published, ns of the machine's monotonic clock.
   */
  int64_t published_ns;
  /*
   Number of the name that means this book alone: gapless_events_name().
   */
  uint32_t book;
  /*
   Counts the snapshots that replaced it.
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
} gapless_book_state;

/*
 What an event says: which one is told by gapless_event.topic.
 */
typedef union gapless_event_body {
  /*
   Of GAPLESS_TOPIC_TRADES.
   */
  struct gapless_trade trade;
  /*
   Of GAPLESS_TOPIC_LIQUIDATIONS.
   */
  struct gapless_liquidation liquidation;
  /*
   Of GAPLESS_TOPIC_FUNDING.
   */
  struct gapless_funding funding;
  /*
   Of GAPLESS_TOPIC_STATES and GAPLESS_TOPIC_UPDATES.
   */
  struct gapless_book_state state;
} gapless_event_body;

/*
 One event of a subscription.
 */
typedef struct gapless_event {
  /*
   Counts what a thread of the engine had for this subscription.
   */
  uint64_t number;
  /*
   Events that were lost just before this one.
   */
  uint64_t missed;
  /*
   When the venue published it, ns since 1970; INT64_MIN if it does not say.
   */
  int64_t venue_ns;
  /*
   When the venue's engine did it, ns since 1970; INT64_MIN if it does not say.
   */
  int64_t engine_ns;
  /*
   When it was received, ns since 1970; INT64_MIN if unknown.
   */
  int64_t recv_ns;
  /*
   Number of the instrument's name: gapless_events_name().
   */
  uint32_t instrument;
  /*
   GAPLESS_FLAG_ bits.
   */
  uint16_t flags;
  /*
   A gapless_topic.
   */
  uint8_t topic;
  /*
   What it says.
   */
  union gapless_event_body body;
} gapless_event;

/*
 What gapless_events_run() calls for each event; `user` is what it was given. 0: go on. It may
 call every function of this library. It must not leave by an exception or longjmp.
 */
typedef int32_t (*gapless_event_callback)(const struct gapless_event *event, void *user);

/*
 What a subscription was given and was not.
 */
typedef struct gapless_event_counts {
  /*
   Events that it was given.
   */
  uint64_t received;
  /*
   Events that it lost.
   */
  uint64_t missed;
  /*
   Events that later ones of the same name and topic replaced.
   */
  uint64_t replaced;
} gapless_event_counts;

/*
 What was recorded until it was asked for. Free it with gapless_latency_free().
 */
typedef struct gapless_latency {
  /*
   0 is never given out.
   */
  uint64_t id;
} gapless_latency;

/*
 The times of a stage, ns; all 0 if there are none.
 */
typedef struct gapless_times {
  /*
   How many there are.
   */
  uint64_t count;
  /*
   How many are negative.
   */
  uint64_t negative;
  /*
   The median.
   */
  int64_t p50_ns;
  /*
   90th percentile.
   */
  int64_t p90_ns;
  /*
   99th percentile.
   */
  int64_t p99_ns;
  /*
   99.9th percentile.
   */
  int64_t p999_ns;
  /*
   The longest.
   */
  int64_t max_ns;
} gapless_times;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The version of the library, like "0.1.0". Static; never null.
 */
const char *gapless_version(void);

/*
 GAPLESS_ABI_VERSION of the library that is loaded: for who loads it by hand, as its file's name
 (SONAME) has kept other programs from one with another number.
 */
uint32_t gapless_abi_version(void);

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
                                        char *buffer,
                                        size_t capacity,
                                        size_t *length);

/*
 Copies what the last failed call of this thread had to say into `buffer` and writes its length
 to `length`; no zero is added, and nothing may have been said. GAPLESS_STATUS_TOO_SMALL if it
 does not fit: `length` says what is needed. A failure of this function changes nothing.
 */
enum gapless_status gapless_last_error(char *buffer, size_t capacity, size_t *length);

/*
 Writes `number / 10^scale` in decimal digits into `buffer`, exact and ended by a zero, and
 returns `buffer`; GAPLESS_DECIMAL_BYTES are always enough. Returns an empty text, which is
 static, if they do not fit, `buffer` is null or there is no such scale.
 */
const char *gapless_decimal(int64_t number, uint8_t scale, char *buffer, size_t capacity);

/*
 Starts an engine from a text in JSON or TOML, like
 `{"sources":[{"replay":["FILE or FOLDER"],"speed":"max"}],"books":["okx:BTC-USDT-SWAP"]}`.
 Without "books" it publishes all. `*engine` is the caller's, to be freed once. Nothing runs if
 it fails.
 */
enum gapless_status gapless_engine_start(const char *config,
                                         size_t config_length,
                                         struct gapless_engine *engine);

/*
 As gapless_engine_start(), but nothing runs before gapless_engine_restart(): who subscribes in
 between is given every event.
 */
enum gapless_status gapless_engine_build(const char *config,
                                         size_t config_length,
                                         struct gapless_engine *engine);

/*
 Waits until every source was read to its end. The books stay as they ended until the engine
 stops. Other threads may do anything with the engine meanwhile: it also ends when one of them
 stops or frees it.
 */
enum gapless_status gapless_engine_join(struct gapless_engine engine);

/*
 Stops the threads and waits for them: readers see GAPLESS_STATE_STALE from then on. A thread
 that waits for bytes of standard input or another pipe is waited for until they come or it is
 closed; so wait gapless_engine_restart() and gapless_engine_free(), and after many calls
 gapless_engine_add(), _remove(), _subscribe() and _measure().
 */
enum gapless_status gapless_engine_stop(struct gapless_engine engine);

/*
 Stops the engine, as gapless_engine_stop(), and frees it; while another call uses it, that call
 does so at its end and this one returns at once. Its readers stay valid.
 */
enum gapless_status gapless_engine_free(struct gapless_engine engine);

/*
 Begins, or begins again, with the sources from their beginning. Readers of
 before stay GAPLESS_STATE_STALE.
 */
enum gapless_status gapless_engine_restart(struct gapless_engine engine);

/*
 Publishes the books of a name, `VENUE[.MARKET]:SYMBOL`, now or when they appear.
 */
enum gapless_status gapless_engine_add(struct gapless_engine engine,
                                       const char *name,
                                       size_t name_length);

/*
 Ends the publication of the books of a name: their readers see GAPLESS_STATE_STALE.
 */
enum gapless_status gapless_engine_remove(struct gapless_engine engine,
                                          const char *name,
                                          size_t name_length);

/*
 Makes a reader of a book, `VENUE[.MARKET]:SYMBOL`, that has appeared or appears within
 `wait_ns`. `*reader` is the caller's, to be freed once. Other threads may do anything with the
 engine meanwhile: the wait also ends when one of them stops or frees it.
 */
enum gapless_status gapless_engine_book(struct gapless_engine engine,
                                        const char *name,
                                        size_t name_length,
                                        uint64_t wait_ns,
                                        struct gapless_reader *reader);

/*
 Writes to `count` how many books are published at this moment.
 */
enum gapless_status gapless_engine_book_count(struct gapless_engine engine, size_t *count);

/*
 Copies the names of all books that are published at this moment into `buffer`, in their order,
 each ended by a zero, and writes to `length` how many bytes they are. A name means this one book
 whatever else appears. GAPLESS_STATUS_TOO_SMALL if they do not fit: `length` says what is needed
 at this moment.
 */
enum gapless_status gapless_engine_book_names(struct gapless_engine engine,
                                              char *buffer,
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

/*
 Follows the changes of a book from now on. GAPLESS_STATUS_NOT_PUBLISHED if the book is published
 without them. `*changes` is the caller's, to be freed once; it outlives the reader.
 */
enum gapless_status gapless_reader_changes(struct gapless_reader reader,
                                           struct gapless_changes *changes);

/*
 Copies the next change: its bids, its asks, and in `*change` how many they are, what they do and
 what may be thought of the book. Never blocks.

 GAPLESS_STATUS_NOTHING_NEW if there is none yet. GAPLESS_STATUS_TOO_SMALL if it does not fit:
 then `*change` says how much room is needed, and the next call gives the same change again.
 GAPLESS_STATUS_LAPPED if the writer was faster by more than its log: what was missed is lost,
 the next call goes on with what is published from now on, and who follows levels takes the whole
 book anew: gapless_replica_refresh(). Changes that come after that may be in the copy already;
 they are absolute, so that applying them again is right.

 Threads that share it take turns, and each change is given to one of them.
 */
enum gapless_status gapless_changes_read(struct gapless_changes changes,
                                         struct gapless_level *bids,
                                         size_t bids_capacity,
                                         struct gapless_level *asks,
                                         size_t asks_capacity,
                                         struct gapless_change *change);

/*
 Frees it.
 */
enum gapless_status gapless_changes_free(struct gapless_changes changes);

/*
 Makes a copy of the whole book, which is empty until it is refreshed. `*replica` is the
 caller's, to be freed once; it outlives the reader.
 */
enum gapless_status gapless_reader_replica(struct gapless_reader reader,
                                           struct gapless_replica *replica);

/*
 Brings the copy up to date and writes how many levels it has. Costs what changed since the last
 time; the first time, and after having been overtaken, what the book holds. Never blocks.

 GAPLESS_STATUS_BUSY if the writer was faster at every try: try again. GAPLESS_STATUS_TOO_DEEP or
 GAPLESS_STATUS_NOT_PUBLISHED if the publication has not the whole book.
 */
enum gapless_status gapless_replica_refresh(struct gapless_replica replica,
                                            size_t *bids,
                                            size_t *asks);

/*
 Copies the best levels of the book as of the last gapless_replica_refresh(), as
 gapless_reader_depth() does, if both it and the publication are live now.
 */
enum gapless_status gapless_replica_depth(struct gapless_replica replica,
                                          struct gapless_level *bids,
                                          size_t bids_capacity,
                                          struct gapless_level *asks,
                                          size_t asks_capacity,
                                          struct gapless_depth *depth);

/*
 As gapless_replica_depth(), whatever the state. GAPLESS_STATUS_BUSY if no refresh has succeeded.
 */
enum gapless_status gapless_replica_last_known_depth(struct gapless_replica replica,
                                                     struct gapless_level *bids,
                                                     size_t bids_capacity,
                                                     struct gapless_level *asks,
                                                     size_t asks_capacity,
                                                     struct gapless_depth *depth);

/*
 Frees it.
 */
enum gapless_status gapless_replica_free(struct gapless_replica replica);

/*
 Lists the publications of this user in a folder (empty: /dev/shm) in the order of their files,
 and writes how many there are to `count`. GAPLESS_STATUS_TOO_SMALL if they do not fit: `count`
 says how much room is needed. Looks at every file; not for the hot path.
 */
enum gapless_status gapless_regions_list(const char *folder,
                                         size_t folder_length,
                                         struct gapless_region *regions,
                                         size_t capacity,
                                         size_t *count);

/*
 Makes a reader of a book that an engine publishes in shared memory: `[ENGINE/]NAME[@CHANNEL]` in
 a folder (empty: /dev/shm), where NAME is `VENUE[.MARKET]:SYMBOL` or the symbol alone. It is a
 reader like those of gapless_engine_book(), read-only, and says GAPLESS_STATE_STALE once the
 writer has ended, however it ended. (If another program of the same user makes the file shorter,
 which gapless never does, the system ends processes that read it, by SIGBUS.) A writer that
 comes again has a new publication: attach again. `*reader` is the caller's, to be freed once.

 GAPLESS_STATUS_NO_SUCH_BOOK, GAPLESS_STATUS_AMBIGUOUS_BOOK, or GAPLESS_STATUS_SHARED_MEMORY.
 */
enum gapless_status gapless_regions_attach(const char *folder,
                                           size_t folder_length,
                                           const char *name,
                                           size_t name_length,
                                           struct gapless_reader *reader);

/*
 Removes the files that ended processes left in a folder (empty: /dev/shm), and writes how many.
 Their readers stay valid.
 */
enum gapless_status gapless_regions_sweep(const char *folder,
                                          size_t folder_length,
                                          size_t *removed);

/*
 Gives events of an engine from now on, also after it stopped and started again.

 `topics` has the bit `1 << gapless_topic` of each topic that is wanted. `names` are those of the
 instruments that are wanted, one a line; empty: all. `capacity` is how many events may wait of
 each thread of the engine, at most 1048576, 0: 8192; of each thread they take up to 256 bytes
 each at once, and GAPLESS_STATUS_ENGINE says that there is no such memory. `slow` is one of
 GAPLESS_SLOW_: what becomes of a receiver that is too slow; the engine never waits for it.
 `*events` is the caller's, to be freed once; it outlives the engine.
 */
enum gapless_status gapless_engine_subscribe(struct gapless_engine engine,
                                             uint32_t topics,
                                             const char *names,
                                             size_t names_length,
                                             size_t capacity,
                                             uint32_t slow,
                                             struct gapless_events *events);

/*
 Copies the next event, waiting for it at most so long; asleep, woken by a thread of the engine.

 GAPLESS_STATUS_NOTHING_NEW if there was none in that time. GAPLESS_STATUS_ENDED once the engine
 has stopped or read everything and all events were given. GAPLESS_STATUS_TOO_SLOW, for good, if
 GAPLESS_SLOW_DISCONNECT was asked for and it was. Threads that share it take turns, and each
 event is given to one of them.
 */
enum gapless_status gapless_events_next(struct gapless_events events,
                                        uint64_t at_most_ns,
                                        struct gapless_event *event);

/*
 Calls a function with each event, on this thread, until it answers another number than 0
 (GAPLESS_STATUS_OK), none came for `at_most_ns` (GAPLESS_STATUS_NOTHING_NEW), or none will
 (GAPLESS_STATUS_ENDED, GAPLESS_STATUS_TOO_SLOW). The event is the function's until it returns.
 If it unwinds as Rust does, GAPLESS_STATUS_INTERNAL; an exception of C++ ends the process, so
 that gapless.hpp keeps them from leaving it.
 */
enum gapless_status gapless_events_run(struct gapless_events events,
                                       uint64_t at_most_ns,
                                       gapless_event_callback callback,
                                       void *user);

/*
 Copies the name behind a number of an event, gapless_event.instrument or
 gapless_book_state.book, into `buffer` and writes its length to `length`; no zero is added. The
 same number means the same name for as long as the engine lives. GAPLESS_STATUS_NO_SUCH_BOOK if
 it means none.
 */
enum gapless_status gapless_events_name(struct gapless_events events,
                                        uint32_t number,
                                        char *buffer,
                                        size_t capacity,
                                        size_t *length);

/*
 Writes how many events were given, lost, and replaced by later ones so far.
 */
enum gapless_status gapless_events_counts(struct gapless_events events,
                                          struct gapless_event_counts *counts);

/*
 Ends the subscription and frees it. Calls that wait for its next event end at once, with
 GAPLESS_STATUS_ENDED.
 */
enum gapless_status gapless_events_free(struct gapless_events events);

/*
 Times every message of an engine from now on, or no more if `on` is 0; what was recorded before
 is forgotten. It adds some 100 ns to a message (the report says how much), and takes 2 MiB for
 each thread of the engine.
 */
enum gapless_status gapless_engine_measure(struct gapless_engine engine, uint8_t on);

/*
 Takes a copy of what was recorded since gapless_engine_measure(), also over restarts, from all
 threads of the engine. GAPLESS_STATUS_NOT_MEASURED if nothing is timed. `*latency` is the
 caller's, to be freed once; it does not change and outlives the engine.
 */
enum gapless_status gapless_engine_latency(struct gapless_engine engine,
                                           struct gapless_latency *latency);

/*
 Writes how many times of a stage (a gapless_stage) there are, and their percentiles.
 */
enum gapless_status gapless_latency_times(struct gapless_latency latency,
                                          uint32_t stage,
                                          struct gapless_times *times);

/*
 Writes the time of a stage (a gapless_stage) at a quantile, 0 to 1, in ns; 0 if there are none.
 */
enum gapless_status gapless_latency_quantile(struct gapless_latency latency,
                                             uint32_t stage,
                                             double quantile,
                                             int64_t *time_ns);

/*
 Copies the report, in a form that is one of GAPLESS_REPORT_, into `buffer` and writes its length
 to `length`; no zero is added. It says beside the times what measuring adds to a message, and
 whether coordinated omission is corrected. GAPLESS_STATUS_TOO_SMALL if it does not fit: `length`
 says what is needed.
 */
enum gapless_status gapless_latency_report(struct gapless_latency latency,
                                           uint32_t form,
                                           char *buffer,
                                           size_t capacity,
                                           size_t *length);

/*
 Frees it.
 */
enum gapless_status gapless_latency_free(struct gapless_latency latency);

/*
 Writes the middle of best bid and ask, weighed by the size on the other side: (bid × ask size +
 ask × bid size) / (bid size + ask size), with `decimals` more decimals than the prices have (at
 most 6), rounded to the nearest, halves up. GAPLESS_STATUS_INVALID_ARGUMENT without both sizes,
 or if it does not fit.
 */
enum gapless_status gapless_microprice(struct gapless_level bid,
                                       struct gapless_level ask,
                                       uint8_t decimals,
                                       int64_t *microprice);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* GAPLESS_H */
