//! Rules about what may be said where: venue names, unsafe code, atomics, I/O.
//!
//! They look at what ships: comments may name the venue that a rule comes from, and the tests
//! inside a file may do as they like. Each rule takes a [`Source`] and returns complaints.

use super::source::{Source, closing, line_of};

/// Names that only the room of that venue may speak.
const VENUES: &[&str] = &["binance", "bybit", "okx", "deribit", "tardis", "holysheep"];

/// Where venue names may be said, and why.
const VENUE_ROOMS: &[(&str, &str)] = &[
    ("crates/gapless-venues/src/lib.rs", "names the rooms"),
    ("crates/gapless-venues/src/registry.rs", "the one list of venues"),
    ("crates/gapless-venues/src/tardis/", "exchange ids that its messages and table name"),
    ("crates/gapless-venues/src/relay/", "its addresses, and the format that it says it speaks"),
    ("crates/gapless-replay/src/", "file formats and exchange ids of recordings: its own rooms"),
    ("crates/gapless-sim/src/", "the dialects that the simulated exchanges speak"),
    ("crates/gapless-cli/src/", "the names that a user types"),
];

/// The only files of product crates with unsafe code, and why.
const UNSAFE_ROOMS: &[(&str, &str)] = &[
    ("crates/gapless-venues/src/kernel/", "SIMD kernels"),
    ("crates/gapless/src/shm.rs", "maps files that processes share"),
    ("bindings/c/src/", "what C passes is followed, and names are exported"),
];

/// Crates that have such a room.
const UNSAFE_CRATES: &[&str] = &["gapless-venues", "gapless", "gapless-c"];

/// Test support with unsafe code, and why.
const UNSAFE_TEST_FILES: &[(&str, &str)] = &[
    ("tests/src/counting_allocator.rs", "implements GlobalAlloc"),
    ("tests/src/guard_page.rs", "maps a page that faults"),
    ("bindings/c/tests/ffi/pointers.rs", "reads the texts that C is given"),
];

/// Atomics outside `publish/`, and why.
const ATOMIC_FILES: &[(&str, &str)] = &[
    ("crates/gapless-replay/src/input.rs", "a count for a progress bar: orders nothing"),
    ("crates/gapless/src/record.rs", "a count of bytes that wait: orders nothing"),
    ("crates/gapless/src/record/", "as above"),
    ("crates/gapless-cli/src/replay.rs", "a flag that Ctrl-C sets: orders nothing"),
];

/// What runs between a frame and its publication, and what readers of a book run.
const LOCK_FREE: &[&str] = &[
    "crates/gapless-book/src/",
    "crates/gapless-venues/src/",
    "crates/gapless/src/clock.rs",
    "crates/gapless/src/events.rs",
    "crates/gapless/src/reader.rs",
    "crates/gapless/src/latency/",
    "crates/gapless/src/engine/live.rs",
    "crates/gapless/src/engine/outlets.rs",
    "crates/gapless/src/engine/publications.rs",
    "crates/gapless/src/engine/recorded.rs",
    "crates/gapless/src/engine/writer.rs",
];

/// What waits for another thread, or wakes one.
const LOCKS: &[&str] = &[
    "Mutex",
    "RwLock",
    "Condvar",
    "Barrier",
    "LazyLock",
    "mpsc",
    "park",
    "park_timeout",
    "unpark",
];

/// Crates whose code runs on bytes from outside: nothing in them may panic.
const HOT_CRATES: &[&str] = &["gapless-book", "gapless-venues", "gapless-feed"];
const HOT_LINTS: &[&str] =
    &["clippy::unwrap_used", "clippy::expect_used", "clippy::panic", "clippy::indexing_slicing"];

/// What a crate may not touch in what it ships.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "crates/gapless-book/src/",
        &["std::", "core::time", "println!", "eprintln!", "HashMap", "f32"],
    ),
    (
        "crates/gapless-venues/src/",
        &[
            "tokio",
            "std::fs",
            "std::net",
            "std::time",
            "std::thread",
            "std::process",
            "std::env",
            "std::io",
            "Instant",
            "SystemTime",
            "println!",
            "eprintln!",
        ],
    ),
    ("crates/gapless-replay/src/", &["tokio", "std::net", "SystemTime"]),
    // What the exchanges say is read by what is tested: they must not have it from there.
    ("crates/gapless-sim/src/exchange/", &["gapless_venues", "gapless_feed"]),
    ("crates/gapless-sim/src/dialect/", &["gapless_venues", "gapless_feed"]),
];

/// A venue's name outside its room.
pub fn venue_names(source: &Source) -> Vec<String> {
    if !source.ships() || within(&source.path, VENUE_ROOMS) {
        return Vec::new();
    }
    let room = venue_folder(&source.path);
    let shipped = source.shipped().to_ascii_lowercase();
    let mut found = Vec::new();
    for venue in VENUES.iter().filter(|venue| !room.starts_with(**venue)) {
        for (at, _) in shipped.match_indices(venue) {
            let line = line_of(&shipped, at);
            found.push(format!("{}:{line}: `{venue}` outside its room", source.path));
        }
    }
    found
}

/// The folder or file of a venue inside gapless-venues; empty elsewhere.
fn venue_folder(path: &str) -> &str {
    let inside = path.strip_prefix("crates/gapless-venues/src/").unwrap_or("");
    inside.split(['/', '.']).next().unwrap_or("")
}

/// Unsafe code outside its rooms, and unsafe code without its reasons.
pub fn unsafe_code(source: &Source) -> Vec<String> {
    if !source.is_rust() {
        return Vec::new();
    }
    let allowed = within(&source.path, UNSAFE_ROOMS) || within(&source.path, UNSAFE_TEST_FILES);
    let code = source.code();
    let mut found = Vec::new();
    for at in words(&code, "unsafe").filter(|&at| !keeps_a_trait_s_contract(&code, at)) {
        let line = line_of(&code, at);
        if !allowed {
            found.push(format!("{}:{line}: unsafe code outside its rooms", source.path));
        } else if !exports(&code, at) && !has_reason(source, line) {
            found.push(format!("{}:{line}: unsafe without its SAFETY reason", source.path));
        }
    }
    found
}

/// Dependencies of a manifest without a word why, on their line or above it.
pub fn unreasoned_dependencies(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let (mut inside, mut above) = (false, "");
    for (at, line) in source.text.lines().enumerate().filter(|_| source.is_manifest()) {
        if line.starts_with('[') {
            inside = line.contains("dependencies");
            continue;
        }
        let ours = line.starts_with("gapless") || line.contains("workspace = true");
        let dependency = inside && !ours && line.split('=').count() > 1 && !line.starts_with('#');
        if dependency && !line.contains(" # ") && !above.starts_with("# ") {
            found.push(format!("{}:{}: a dependency without its reason", source.path, at + 1));
        }
        // A reason above stands for the one line below it.
        above = line;
    }
    found
}

fn within(path: &str, rooms: &[(&str, &str)]) -> bool {
    rooms.iter().any(|(room, _)| path.starts_with(room))
}

/// Whether this is the attribute of an exported name, which the linker checks to be the only one.
fn exports(code: &str, at: usize) -> bool {
    code[at..].starts_with("unsafe(no_mangle)")
}

/// Whether this is an `unsafe fn` of an `unsafe impl`: the trait says what its caller owes.
fn keeps_a_trait_s_contract(code: &str, at: usize) -> bool {
    let impls = code.match_indices("unsafe impl").filter_map(|(from, _)| {
        let open = from + code[from..].find('{')?;
        Some(open..closing(code, open)?)
    });
    code[at..].starts_with("unsafe fn") && impls.into_iter().any(|body| body.contains(&at))
}

/// Whether the comments, attributes and lines of the same statement above a line hold its reason:
/// the comment that clippy asks for at a block or impl, the section that it asks for at a function.
fn has_reason(source: &Source, line: usize) -> bool {
    let lines: Vec<_> = source.text.lines().take(line).collect();
    let says = |text: &str| text.contains("SAFETY:") || text.contains("# Safety");
    let Some((last, above)) = lines.split_last() else { return false };
    if says(last) || last.contains("unsafe extern") || last.contains("unsafe fn(") {
        return true;
    }
    let ends = |text: &&&str| {
        let text = text.trim();
        !(text.is_empty() || text.ends_with([';', '}']) || (text.ends_with('{') && !says(text)))
    };
    above.iter().rev().take_while(ends).any(|text| says(text))
}

/// Memory orderings outside the folder of publications.
pub fn atomic_orderings(source: &Source) -> Vec<String> {
    if !source.ships() || source.path.contains("/publish/") || within(&source.path, ATOMIC_FILES) {
        return Vec::new();
    }
    let code = source.shipped_code();
    let mut found = Vec::new();
    for order in ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"] {
        for at in words(&code, order) {
            let line = line_of(&code, at);
            found.push(format!("{}:{line}: `{order}` outside publish/", source.path));
        }
    }
    found
}

/// Locks on the way from a frame to its publication.
pub fn locks(source: &Source) -> Vec<String> {
    if !LOCK_FREE.iter().any(|room| source.path.starts_with(room)) {
        return Vec::new();
    }
    let code = source.shipped_code();
    let found = LOCKS.iter().flat_map(|word| words(&code, word).map(move |at| (*word, at)));
    let told = found.map(|(word, at)| {
        let line = line_of(&code, at);
        format!("{}:{line}: `{word}` where nobody may be waited for", source.path)
    });
    told.collect()
}

/// I/O, clocks and the like in crates that have none.
pub fn forbidden_words(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for (room, forbidden) in FORBIDDEN.iter().filter(|(room, _)| source.path.starts_with(room)) {
        let code = source.shipped_code();
        for word in *forbidden {
            for at in words(&code, word) {
                let line = line_of(&code, at);
                found.push(format!("{}:{line}: `{word}` is not for {room}", source.path));
            }
        }
    }
    found
}

/// The attributes that each product crate's root must carry.
pub fn crate_attributes(source: &Source) -> Vec<String> {
    let Some(name) = crate_of_root(&source.path) else { return Vec::new() };
    let lint = if UNSAFE_CRATES.contains(&name) { "deny" } else { "forbid" };
    let mut wanted = vec![format!("#![{lint}(unsafe_code)]")];
    if name == "gapless-book" {
        wanted.push("#![no_std]".to_string());
    }
    if HOT_CRATES.contains(&name) {
        wanted.extend(HOT_LINTS.iter().map(|lint| (*lint).to_string()));
    }
    let code = source.code();
    if code.trim().is_empty() {
        return Vec::new();
    }
    let missing = wanted.iter().filter(|attribute| !code.contains(attribute.as_str()));
    missing.map(|attribute| format!("{}: lacks `{attribute}`", source.path)).collect()
}

/// The crate whose root a path is.
fn crate_of_root(path: &str) -> Option<&str> {
    let (name, file) = path.strip_prefix("crates/")?.split_once('/')?;
    let binary = file.strip_prefix("src/bin/").is_some_and(|f| !f.contains('/'));
    (file == "src/lib.rs" || file == "src/main.rs" || binary).then_some(name)
}

/// Offsets of a word that stands by itself.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let last = word.bytes().next_back().is_some_and(|b| b.is_ascii_alphanumeric());
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let bytes = code.as_bytes();
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        !(part(before) || last && part(bytes.get(at + word.len())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOK: &str = "crates/gapless-book/src/x.rs";

    #[test]
    fn a_venue_is_named_only_in_its_room() {
        let text = "fn f() { let a = \"Binance\"; }";
        assert_eq!(venue_names(&Source::of(BOOK, text)).len(), 1);
        let own = "crates/gapless-venues/src/binance_spot/wire.rs";
        assert_eq!(venue_names(&Source::of(own, text)), [""; 0]);
        let other = "crates/gapless-venues/src/okx/wire.rs";
        assert_eq!(venue_names(&Source::of(other, text)).len(), 1);
    }

    #[test]
    fn a_comment_or_a_test_may_name_a_venue() {
        let text = "// as Binance does\n#[cfg(test)]\nmod tests { const A: &str = \"okx\"; }\n";
        assert_eq!(venue_names(&Source::of(BOOK, text)), [""; 0]);
    }

    #[test]
    fn unsafe_outside_its_rooms_is_refused() {
        let text = "// SAFETY: none\nunsafe { f() }";
        assert_eq!(unsafe_code(&Source::of(BOOK, text)).len(), 1);
        assert_eq!(unsafe_code(&Source::of("tests/gaps.rs", text)).len(), 1);
        assert_eq!(unsafe_code(&Source::of(BOOK, "#![forbid(unsafe_code)] // unsafe")), [""; 0]);
    }

    #[test]
    fn unsafe_in_its_room_needs_its_reason() {
        let kernel = "crates/gapless-venues/src/kernel/avx2.rs";
        let reasoned = "// SAFETY: `i` is masked.\nlet x = unsafe { g(i) };";
        assert_eq!(unsafe_code(&Source::of(kernel, reasoned)), [""; 0]);
        let broken = "// SAFETY: `i` is masked.\nlet x =\n    unsafe { g(i) };";
        assert_eq!(unsafe_code(&Source::of(kernel, broken)), [""; 0]);
        let distant = "// SAFETY: not of this one.\nf();\nlet x = unsafe { g(i) };";
        assert_eq!(unsafe_code(&Source::of(kernel, distant)).len(), 1);
        let function = "/// F.\n///\n/// # Safety\n/// - masked\n#[inline]\npub unsafe fn f() {}";
        assert_eq!(unsafe_code(&Source::of(kernel, function)), [""; 0]);
        let method =
            "// SAFETY: kept.\nunsafe impl A for B {\n    unsafe fn f() {}\n}\nunsafe fn g() {}";
        assert_eq!(unsafe_code(&Source::of(kernel, method)).len(), 1, "g alone owes a reason");
    }

    #[test]
    fn orderings_stay_under_publish() {
        let text = "fn f() { a.load(Ordering::Acquire) }";
        assert_eq!(atomic_orderings(&Source::of(BOOK, text)).len(), 1);
        let publish = "crates/gapless-book/src/publish/seqlock.rs";
        assert_eq!(atomic_orderings(&Source::of(publish, text)), [""; 0]);
        assert_eq!(atomic_orderings(&Source::of(BOOK, "a.cmp(b) == Ordering::Less")), [""; 0]);
    }

    #[test]
    fn nobody_is_waited_for_between_a_frame_and_its_publication() {
        let text = "use std::sync::Mutex;\nfn f(a: &Mutex<u8>) {} // a Mutex";
        assert_eq!(locks(&Source::of("crates/gapless/src/engine/writer.rs", text)).len(), 2);
        assert_eq!(locks(&Source::of(BOOK, "fn f(b: &mut B) { b.locks.open() }")), [""; 0]);
        assert_eq!(locks(&Source::of("crates/gapless/src/engine/names.rs", text)), [""; 0]);
    }

    #[test]
    fn crates_without_io_do_none() {
        let venues = "crates/gapless-venues/src/okx/mod.rs";
        assert_eq!(forbidden_words(&Source::of(venues, "use std::time::Instant;")).len(), 2);
        assert_eq!(forbidden_words(&Source::of(BOOK, "use std::vec::Vec;")).len(), 1);
        assert_eq!(forbidden_words(&Source::of(BOOK, "use core::fmt; // std::fs")), [""; 0]);
    }

    #[test]
    fn a_dependency_gives_its_reason() {
        let manifest = |text: &str| {
            let section = "[target.'cfg(a = \"b\")'.dev-dependencies]";
            let text = format!("[package]\nname = \"x\"\n{section}\n{text}");
            unreasoned_dependencies(&Source::of("crates/x/Cargo.toml", &text)).len()
        };
        assert_eq!(manifest("a = \"1\"\n"), 1);
        assert_eq!(manifest("a = \"1\" # reads x\n"), 0);
        assert_eq!(manifest("# Reads x.\na = \"1\"\nb = \"1\"\n"), 1);
        assert_eq!(manifest("gapless-book.workspace = true\n"), 0);
    }

    #[test]
    fn crate_roots_carry_their_attributes() {
        let book = "crates/gapless-book/src/lib.rs";
        assert_eq!(crate_attributes(&Source::of(book, "//! x\nmod y;")).len(), 6);
        let good =
            format!("#![no_std]\n#![forbid(unsafe_code)]\n#![deny({})]", HOT_LINTS.join(","));
        assert_eq!(crate_attributes(&Source::of(book, &good)), [""; 0]);
        let weak = "#![deny(unsafe_code)]";
        assert_eq!(crate_attributes(&Source::of("crates/gapless-cli/src/main.rs", weak)).len(), 1);
        assert_eq!(crate_attributes(&Source::of("crates/gapless/src/lib.rs", weak)), [""; 0]);
        let venues = "crates/gapless-venues/src/lib.rs";
        assert_eq!(crate_attributes(&Source::of(venues, weak)).len(), 4);
    }
}
