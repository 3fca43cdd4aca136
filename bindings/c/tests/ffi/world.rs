//! What random calls are made with, what may be expected of them, and the table of all calls.
//!
//! Every answer is judged: a handle is refused exactly if it is not one that lives, a pointer
//! exactly if it cannot be written to, and no byte changes but those that the call was given.

use crate::pointers::text_at;
use crate::writer::{Folder, NAME};
use gapless_c::changes::*;
use gapless_c::engine::*;
use gapless_c::event::gapless_event;
use gapless_c::events::*;
use gapless_c::latency::*;
use gapless_c::reader::*;
use gapless_c::regions::*;
use gapless_c::replica::*;
use gapless_c::text::*;
use gapless_c::types::*;
use gapless_c::views::*;
use std::collections::BTreeMap;
use std::ffi::{c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::{Arc, Mutex};

/// Live handles of a kind that a world keeps; more are freed at once.
const LIVE_MAX: usize = 12;
/// Engines among them: each is a thread.
const ENGINES_MAX: usize = 2;
/// Records among them: each is 2 MiB.
const LATENCIES_MAX: usize = 3;
const FREED_MAX: usize = 64;
/// Bytes for the answers of one call.
const ARENA: usize = 16 << 10;
const UNTOUCHED: u8 = 0xa5;

/// What a handle is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Engine,
    Reader,
    Changes,
    Replica,
    Events,
    Latency,
}

const KINDS: [Kind; 6] =
    [Kind::Engine, Kind::Reader, Kind::Changes, Kind::Replica, Kind::Events, Kind::Latency];

/// Handles that live, and some that did.
#[derive(Debug, Default)]
pub struct Handles {
    live: [Vec<u64>; KINDS.len()],
    freed: Vec<u64>,
}

/// A handle to call with, and whether it is one.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    id: u64,
    is_live: bool,
}

/// Numbers that look random and are the same every time.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) as usize % end.max(1)
    }

    pub fn is_one_in(&mut self, end: usize) -> bool {
        self.below(end) == 0
    }
}

/// Memory of the caller: what a call is given, and how much of it.
struct Arena {
    words: Vec<u64>,
    used: usize,
    given: Vec<std::ops::Range<usize>>,
}

impl Arena {
    fn new() -> Self {
        let words = vec![u64::from_ne_bytes([UNTOUCHED; 8]); ARENA / 8];
        Self { words, used: 8, given: Vec::new() }
    }

    /// Room for some values, with room that nobody was given around it.
    fn give<T>(&mut self, count: usize) -> *mut T {
        let (from, bytes) = (self.used, count * size_of::<T>());
        assert!(from + bytes + 16 < ARENA && align_of::<T>() <= 8);
        self.given.push(from..from + bytes);
        self.used = (from + bytes).next_multiple_of(8) + 8;
        self.words.as_mut_ptr().cast::<u8>().wrapping_add(from).cast()
    }

    /// Refuses a change of what was not given, and takes everything back.
    fn check(&mut self, call: &str) {
        let (mut at, end) = (0, self.used + 8);
        for given in self.given.drain(..).chain(std::iter::once(end..end)) {
            for outside in at..given.start {
                let word = self.words[outside / 8].to_ne_bytes();
                assert_eq!(word[outside % 8], UNTOUCHED, "{call} wrote where it may not");
            }
            at = given.end;
        }
        self.words[..end / 8].fill(u64::from_ne_bytes([UNTOUCHED; 8]));
        self.used = 8;
    }
}

/// One caller.
pub struct World {
    pub random: Random,
    handles: Arc<Mutex<Handles>>,
    /// No other thread uses the handles: what becomes of them is known.
    is_alone: bool,
    folder: String,
    config: String,
    arena: Arena,
    texts: Vec<String>,
    /// Whether every handle and every pointer of this call is good.
    good: (bool, bool),
    /// How often each call was answered how.
    pub tally: BTreeMap<(&'static str, i32), u64>,
}

impl World {
    pub fn new(seed: u64, handles: Arc<Mutex<Handles>>, is_alone: bool, folder: &Folder) -> Self {
        let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/okx.cap.zst");
        Self {
            random: Random(seed),
            handles,
            is_alone,
            folder: folder.text(),
            config: format!(r#"{{"sources":[{{"replay":["{sample}"]}}]}}"#),
            arena: Arena::new(),
            texts: Vec::new(),
            good: (true, true),
            tally: BTreeMap::new(),
        }
    }

    /// Makes one random call and judges its answer.
    pub fn call(&mut self) {
        let total = CALLS.iter().map(|call| call.weight).sum::<usize>();
        let mut at = self.random.below(total);
        let call = CALLS.iter().find(|call| match at.checked_sub(call.weight) {
            Some(rest) => {
                at = rest;
                false
            }
            None => true,
        });
        self.make(call.unwrap_or(&CALLS[0]));
    }

    /// Makes one call and judges its answer.
    pub fn make(&mut self, call: &Call) {
        self.good = (true, true);
        self.texts.clear();
        let status = (call.run)(self);
        let name = call.name;
        self.arena.check(name);
        *self.tally.entry((name, status as i32)).or_default() += 1;
        let (handles, pointers) = self.good;
        assert_ne!(status, gapless_status::Internal, "{name}");
        if pointers {
            assert_ne!(status, gapless_status::InvalidPointer, "{name} refused good pointers");
        }
        if handles && self.is_alone {
            assert_ne!(status, gapless_status::InvalidHandle, "{name} refused a live handle");
        }
        if !handles && pointers && self.is_alone {
            use gapless_status::{InvalidArgument, InvalidHandle, InvalidText};
            let refused = [InvalidHandle, InvalidText, InvalidArgument].contains(&status);
            assert!(refused, "{name} took a handle that is none: {status:?}");
        }
        if !pointers {
            assert_ne!(status, gapless_status::Ok, "{name} took a pointer that leads nowhere");
        }
    }

    /// Frees everything.
    pub fn end(&mut self) {
        for kind in KINDS {
            while let Some(id) = self.take(kind) {
                // Another thread may have guessed it before it was kept.
                let status = free(kind, id);
                assert!(status == gapless_status::Ok || !self.is_alone, "{kind:?} {id}");
                assert_eq!(free(kind, id), gapless_status::InvalidHandle);
            }
        }
    }

    fn take(&mut self, kind: Kind) -> Option<u64> {
        self.handles.lock().unwrap().live[kind as usize].pop()
    }

    /// A handle of this kind, or of another, or one that was freed, or one that never was.
    fn handle(&mut self, kind: Kind) -> Drawn {
        let handles = Arc::clone(&self.handles);
        let handles = handles.lock().unwrap();
        let random = &mut self.random;
        let mut one = |of: &[u64]| of.get(random.below(of.len())).copied();
        let live = &handles.live[kind as usize];
        let id = match one(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap_or(0) {
            0 => one(&handles.freed),
            1 => {
                let kind = one(&[0, 1, 2, 3, 4, 5]).unwrap_or(0) as usize;
                one(&handles.live[kind])
            }
            2 => one(&[0, 1, u64::MAX, u64::MAX / 3, 1 << 32, 1 << 40, 77]),
            3 => {
                let bit = one(&[1, 7, 31, 40, 63]).unwrap_or(0);
                one(live).map(|id| id ^ 1 << bit)
            }
            _ => one(live),
        };
        let id = id.unwrap_or(0);
        let is_live = live.contains(&id);
        self.good.0 &= is_live;
        Drawn { id, is_live }
    }

    /// Keeps what a call has made, or frees it if there are enough.
    fn keep(&mut self, kind: Kind, status: gapless_status, id: u64) {
        if status != gapless_status::Ok {
            assert_eq!(id, u64::from_ne_bytes([UNTOUCHED; 8]), "a handle of a call that failed");
            return;
        }
        let room = match kind {
            Kind::Engine => ENGINES_MAX,
            Kind::Latency => LATENCIES_MAX,
            _ => LIVE_MAX,
        };
        let mut handles = self.handles.lock().unwrap();
        let live = &mut handles.live[kind as usize];
        if live.len() < room {
            live.push(id);
        } else {
            drop(handles);
            assert_eq!(free(kind, id), gapless_status::Ok);
        }
    }

    /// Frees a handle that may be none; twice if it was one.
    fn free(&mut self, kind: Kind) -> gapless_status {
        let drawn = self.handle(kind);
        let status = free(kind, drawn.id);
        let mut handles = self.handles.lock().unwrap();
        if status == gapless_status::Ok {
            handles.live[kind as usize].retain(|id| *id != drawn.id);
            if handles.freed.len() == FREED_MAX {
                handles.freed.remove(0);
            }
            handles.freed.push(drawn.id);
            assert!(drawn.is_live || !self.is_alone);
            assert_eq!(free(kind, drawn.id), gapless_status::InvalidHandle, "freed twice");
        }
        status
    }

    /// A place for an answer; now and then none.
    fn out<T>(&mut self) -> *mut T {
        self.room(1)
    }

    fn room<T>(&mut self, count: usize) -> *mut T {
        let place = self.arena.give::<T>(count);
        let odd = align_of::<T>() > 1 && self.random.is_one_in(16);
        let none = self.random.is_one_in(16);
        self.good.1 &= count == 0 || !(odd || none);
        match (none, odd) {
            (true, _) => null_mut(),
            (_, true) => place.cast::<u8>().wrapping_add(1).cast(),
            _ => place,
        }
    }

    /// Room for several answers, often too little.
    fn rooms<T>(&mut self, most: usize) -> (*mut T, usize) {
        let count = if self.random.is_one_in(4) { most } else { self.random.below(most) };
        (self.room(count), count)
    }

    /// A text that may not be one.
    fn text(&mut self, good: &str) -> (*const c_char, usize) {
        match self.random.below(12) {
            0 => (null(), 0),
            1 => {
                self.good.1 = false;
                (null(), 1 + self.random.below(9))
            }
            // So long that nothing of it may be read.
            2 => (self.kept(good), usize::MAX - self.random.below(99)),
            3 => {
                let at = self.random.below(good.len() + 1);
                (self.kept(good), at)
            }
            4 => (c"\xff\xfe\x80".as_ptr(), 3),
            5 => {
                let words = ["{", "[", "x:Y", "okx:", "/", "@@@@", "\u{1f4d6}", "{\"sources\":3}"];
                let words = words[self.random.below(words.len())];
                (self.kept(words), words.len())
            }
            _ => (self.kept(good), good.len()),
        }
    }

    fn kept(&mut self, text: &str) -> *const c_char {
        self.texts.push(text.to_owned());
        self.texts.last().map_or(null(), |text| text.as_ptr().cast())
    }

    fn folder(&mut self) -> (*const c_char, usize) {
        let folder = self.folder.clone();
        self.text(&folder)
    }

    fn book(&mut self) -> (*const c_char, usize) {
        let names = ["okx:BTC-USDT-SWAP", "okx:BTC-USDT@books", NAME, "okx:NONE"];
        let name = names[self.random.below(names.len())];
        self.text(name)
    }

    fn sides(&mut self) -> [(*mut gapless_level, usize); 2] {
        [self.rooms(24), self.rooms(24)]
    }
}

/// Reads what a call has written to a place of the arena, for the handles in it.
fn written<H: Copy>(world: &World, place: *mut H) -> u64 {
    let base = world.arena.words.as_ptr() as usize;
    let at = (place as usize).wrapping_sub(base) / 8;
    world.arena.words.get(at).copied().unwrap_or(u64::from_ne_bytes([UNTOUCHED; 8]))
}

fn free(kind: Kind, id: u64) -> gapless_status {
    match kind {
        Kind::Engine => gapless_engine_free(gapless_engine { id }),
        Kind::Reader => gapless_reader_free(gapless_reader { id }),
        Kind::Changes => gapless_changes_free(gapless_changes { id }),
        Kind::Replica => gapless_replica_free(gapless_replica { id }),
        Kind::Events => gapless_events_free(gapless_events { id }),
        Kind::Latency => gapless_latency_free(gapless_latency { id }),
    }
}

/// One exported function, called with whatever the world draws.
pub struct Call {
    pub name: &'static str,
    weight: usize,
    run: fn(&mut World) -> gapless_status,
}

macro_rules! calls {
    ($($name:ident * $weight:literal: $run:expr,)*) => {
        /// Every exported function.
        pub const CALLS: &[Call] =
            &[$(Call { name: stringify!($name), weight: $weight, run: $run }),*];
    };
}

fn engine(world: &mut World) -> gapless_engine {
    gapless_engine { id: world.handle(Kind::Engine).id }
}

fn reader(world: &mut World) -> gapless_reader {
    gapless_reader { id: world.handle(Kind::Reader).id }
}

fn events(world: &mut World) -> gapless_events {
    gapless_events { id: world.handle(Kind::Events).id }
}

fn latency(world: &mut World) -> gapless_latency {
    gapless_latency { id: world.handle(Kind::Latency).id }
}

extern "C-unwind" fn goes_on(event: *const gapless_event, _: *mut c_void) -> i32 {
    assert!(!event.is_null());
    0
}

extern "C-unwind" fn stops(_: *const gapless_event, _: *mut c_void) -> i32 {
    1
}

/// Uses the handle whose number it is given, while that gives it an event.
extern "C-unwind" fn reenters(_: *const gapless_event, user: *mut c_void) -> i32 {
    let events = gapless_events { id: user as u64 };
    let mut counts = gapless_event_counts::default();
    assert_ne!(gapless_events_counts(events, &raw mut counts), gapless_status::Internal);
    assert_ne!(gapless_events_run(events, 0, Some(stops), user), gapless_status::Internal);
    0
}

extern "C-unwind" fn panics(_: *const gapless_event, _: *mut c_void) -> i32 {
    // Without the words that a panic prints.
    std::panic::resume_unwind(Box::new("on purpose"))
}

fn run(world: &mut World) -> gapless_status {
    let events = events(world);
    let user = events.id as usize as *mut c_void;
    let callback = match world.random.below(6) {
        0 => {
            world.good.1 = false;
            None
        }
        1 => {
            let status = gapless_events_run(events, 0, Some(panics), user);
            // It was called, and that was told.
            let is_told = status == gapless_status::Internal;
            return if is_told { gapless_status::Ok } else { status };
        }
        2 => Some(stops as EventCallback),
        3 => Some(reenters as EventCallback),
        _ => Some(goes_on as EventCallback),
    };
    gapless_events_run(events, world.random.below(99) as u64, callback, user)
}

type EventCallback = extern "C-unwind" fn(*const gapless_event, *mut c_void) -> i32;

fn replica(world: &mut World) -> gapless_replica {
    gapless_replica { id: world.handle(Kind::Replica).id }
}

fn made<H: Copy>(
    world: &mut World,
    kind: Kind,
    call: impl FnOnce(&mut World, *mut H) -> gapless_status,
) -> gapless_status {
    let place = world.out::<H>();
    let status = call(world, place);
    let id = written(world, place);
    world.keep(kind, status, id);
    status
}

calls! {
    gapless_version * 1: |_| {
        text_at(gapless_version());
        gapless_status::Ok
    },
    gapless_abi_version * 1: |_| {
        assert_eq!(gapless_abi_version(), GAPLESS_ABI_VERSION);
        gapless_status::Ok
    },
    gapless_status_name * 1: |w| {
        text_at(gapless_status_name(w.random.below(99) as i32 - 40));
        gapless_status::Ok
    },
    gapless_decimal * 10: |w| {
        let (number, scale) = (i64::MIN >> w.random.below(64), w.random.below(24) as u8);
        let (buffer, room) = w.rooms(GAPLESS_DECIMAL_BYTES);
        // It says what went wrong by an empty text.
        w.good.1 = true;
        text_at(gapless_decimal(number, scale, buffer, room));
        gapless_status::Ok
    },
    gapless_microprice * 4: |w| {
        let mut level = || gapless_level {
            price: i64::MIN >> w.random.below(64),
            size: i64::MAX >> w.random.below(64),
        };
        let (bid, ask) = (level(), level());
        gapless_microprice(bid, ask, w.random.below(9) as u8, w.out())
    },
    gapless_reason_name * 10: |w| {
        let (reason, (buffer, room)) = (w.random.below(256) as u8, w.rooms(40));
        gapless_reason_name(reason, buffer, room, w.out())
    },
    gapless_last_error * 10: |w| {
        let (buffer, room) = w.rooms(400);
        gapless_last_error(buffer, room, w.out())
    },
    gapless_engine_start * 1: |w| {
        // Few are real: each costs a thread and a recording.
        let config = if w.random.is_one_in(40) { w.config.clone() } else { "{}".to_owned() };
        let (text, length) = w.text(&config);
        made(w, Kind::Engine, |_, place| gapless_engine_start(text, length, place))
    },
    gapless_engine_build * 4: |w| {
        let config = w.config.clone();
        let (text, length) = w.text(&config);
        made(w, Kind::Engine, |_, place| gapless_engine_build(text, length, place))
    },
    gapless_engine_subscribe * 4: |w| {
        let (topics, slow) = (w.random.below(40) as u32, w.random.below(4) as u32);
        let (names, length) = w.text("okx:BTC-USDT-SWAP\nokx:BTC-USDT");
        let capacity = [0, 1, 16, usize::MAX >> 60][w.random.below(4)];
        let engine = engine(w);
        made(w, Kind::Events, |_, place| {
            gapless_engine_subscribe(engine, topics, names, length, capacity, slow, place)
        })
    },
    gapless_events_next * 20: |w| {
        let at_most = w.random.below(99) as u64;
        gapless_events_next(events(w), at_most, w.out())
    },
    gapless_events_run * 20: run,
    gapless_events_name * 4: |w| {
        let (number, (buffer, room)) = (w.random.below(20) as u32, w.rooms(80));
        gapless_events_name(events(w), number, buffer, room, w.out())
    },
    gapless_events_counts * 4: |w| gapless_events_counts(events(w), w.out()),
    gapless_events_free * 4: |w| w.free(Kind::Events),
    gapless_engine_measure * 1: |w| {
        // Most of the engines are timed.
        let on = u8::from(!w.random.is_one_in(8));
        gapless_engine_measure(engine(w), on)
    },
    gapless_engine_latency * 1: |w| {
        let engine = engine(w);
        made(w, Kind::Latency, |_, place| gapless_engine_latency(engine, place))
    },
    gapless_latency_times * 4: |w| {
        let stage = w.random.below(10) as u32;
        gapless_latency_times(latency(w), stage, w.out())
    },
    gapless_latency_quantile * 4: |w| {
        let quantiles = [0.0, 0.5, 0.999, 1.0, -1.0, 1.5, f64::NAN, f64::INFINITY];
        let quantile = quantiles[w.random.below(quantiles.len())];
        let stage = w.random.below(10) as u32;
        gapless_latency_quantile(latency(w), stage, quantile, w.out())
    },
    gapless_latency_report * 2: |w| {
        let (form, (buffer, room)) = (w.random.below(3) as u32, w.rooms(6_000));
        gapless_latency_report(latency(w), form, buffer, room, w.out())
    },
    gapless_latency_free * 1: |w| w.free(Kind::Latency),
    gapless_engine_join * 1: |w| gapless_engine_join(engine(w)),
    gapless_engine_stop * 1: |w| gapless_engine_stop(engine(w)),
    gapless_engine_restart * 1: |w| {
        if !w.random.is_one_in(4) {
            w.good.0 = false;
            return gapless_engine_restart(gapless_engine { id: 0 });
        }
        gapless_engine_restart(engine(w))
    },
    gapless_engine_free * 1: |w| {
        if w.random.is_one_in(20) {
            return w.free(Kind::Engine);
        }
        w.good.0 = false;
        gapless_engine_free(gapless_engine { id: 0 })
    },
    gapless_engine_add * 1: |w| {
        let (name, length) = w.book();
        gapless_engine_add(engine(w), name, length)
    },
    gapless_engine_remove * 1: |w| {
        let (name, length) = w.book();
        gapless_engine_remove(engine(w), name, length)
    },
    gapless_engine_book * 10: |w| {
        let ((name, length), wait) = (w.book(), w.random.below(900) as u64);
        let engine = engine(w);
        made(w, Kind::Reader, |_, place| gapless_engine_book(engine, name, length, wait, place))
    },
    gapless_engine_book_count * 4: |w| gapless_engine_book_count(engine(w), w.out()),
    gapless_engine_book_names * 4: |w| {
        let (buffer, room) = w.rooms(2_000);
        gapless_engine_book_names(engine(w), buffer, room, w.out())
    },
    gapless_reader_clone * 10: |w| {
        let reader = reader(w);
        made(w, Kind::Reader, |_, place| gapless_reader_clone(reader, place))
    },
    gapless_reader_free * 10: |w| w.free(Kind::Reader),
    gapless_reader_top * 20: |w| gapless_reader_top(reader(w), w.out()),
    gapless_reader_last_known_top * 10: |w| gapless_reader_last_known_top(reader(w), w.out()),
    gapless_reader_depth * 20: |w| {
        let [(bids, b), (asks, a)] = w.sides();
        gapless_reader_depth(reader(w), bids, b, asks, a, w.out())
    },
    gapless_reader_last_known_depth * 20: |w| {
        let [(bids, b), (asks, a)] = w.sides();
        gapless_reader_last_known_depth(reader(w), bids, b, asks, a, w.out())
    },
    gapless_reader_state * 10: |w| gapless_reader_state(reader(w), w.out(), w.out()),
    gapless_reader_wait * 5: |w| {
        let (seen, how) = (w.random.below(3) as u64, w.random.below(5) as u32);
        let (sleep, most) = (w.random.below(99) as u64, w.random.below(999) as u64);
        gapless_reader_wait(reader(w), seen, how, sleep, most, w.out())
    },
    gapless_reader_changes * 10: |w| {
        let reader = reader(w);
        made(w, Kind::Changes, |_, place| gapless_reader_changes(reader, place))
    },
    gapless_changes_read * 20: |w| {
        let [(bids, b), (asks, a)] = w.sides();
        let changes = gapless_changes { id: w.handle(Kind::Changes).id };
        gapless_changes_read(changes, bids, b, asks, a, w.out())
    },
    gapless_changes_free * 10: |w| w.free(Kind::Changes),
    gapless_reader_replica * 4: |w| {
        let reader = reader(w);
        made(w, Kind::Replica, |_, place| gapless_reader_replica(reader, place))
    },
    gapless_replica_refresh * 10: |w| gapless_replica_refresh(replica(w), w.out(), w.out()),
    gapless_replica_depth * 10: |w| {
        let [(bids, b), (asks, a)] = w.sides();
        gapless_replica_depth(replica(w), bids, b, asks, a, w.out())
    },
    gapless_replica_last_known_depth * 10: |w| {
        let [(bids, b), (asks, a)] = w.sides();
        gapless_replica_last_known_depth(replica(w), bids, b, asks, a, w.out())
    },
    gapless_replica_free * 4: |w| w.free(Kind::Replica),
    gapless_regions_list * 2: |w| {
        let ((folder, length), (regions, room)) = (w.folder(), w.rooms(8));
        gapless_regions_list(folder, length, regions, room, w.out())
    },
    gapless_regions_attach * 4: |w| {
        let ((folder, f), (name, n)) = (w.folder(), w.text(NAME));
        made(w, Kind::Reader, |_, place| gapless_regions_attach(folder, f, name, n, place))
    },
    gapless_regions_sweep * 1: |w| {
        let (folder, length) = w.folder();
        gapless_regions_sweep(folder, length, w.out())
    },
}
