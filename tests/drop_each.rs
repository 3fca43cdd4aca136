//! Dropping any single applied delta of any recording is detected in that book's next message.
//!
//! The numbers of every book's messages are collected once; then each applied delta in turn is
//! left out, from a saved state of the book, and the next message must show the loss. The books
//! here hold no levels: only what the sequence proves is under test.

use std::collections::BTreeMap;

use gapless::Replay;
use gapless::book::event::{
    Body, BookKind, BookMessage, Event, Flags, Level, Scales, SeqInfo, Times,
};
use gapless::book::local::{LocalBook, Outcome, Policy, Reason, State};
use gapless::book::sequence::{Chain, Rule, Verdict};
use gapless::replay::driver::{LineId, Watcher};
use gapless::venues::books::{BookEntry, BookId};
use gapless::venues::session::Handler;
use gapless_tests::recordings;

/// One message of one book.
#[derive(Clone, Copy, Debug)]
struct Numbers {
    kind: BookKind,
    seq: SeqInfo,
    rest: bool,
    has_levels: bool,
}

/// Collects the numbers of every book's messages.
#[derive(Default)]
struct Collector {
    line: u32,
    now: Option<Numbers>,
    /// A snapshot that names no symbol, kept until the first delta tells whose it is.
    unnamed: Option<Numbers>,
    told: bool,
    books: BTreeMap<(u32, BookId), (Option<Rule>, Vec<Numbers>)>,
}

impl Handler for Collector {
    fn event(&mut self, event: &Event<'_>, _: Option<BookId>) {
        self.told = false;
        self.now = match &event.body {
            Body::Book(message) => Some(Numbers {
                kind: message.kind,
                seq: SeqInfo { checksum: None, ..message.seq },
                rest: event.flags.has(Flags::REST),
                has_levels: !message.bids.is_empty() || !message.asks.is_empty(),
            }),
            _ => None,
        };
        if event.symbol.is_empty() && self.now.is_some() {
            self.unnamed = self.now.take();
        }
    }

    fn book(&mut self, id: BookId, book: &BookEntry, _: &Outcome) {
        // A second word about the same delta: the kept snapshot was offered to its book.
        let again = std::mem::replace(&mut self.told, true);
        let now = self.now.filter(|_| !again);
        let numbers = now.or_else(|| self.unnamed.take());
        if let Some(mut numbers) = numbers {
            let rule = book.local.rule();
            numbers.rest |= numbers.kind == BookKind::Snapshot
                && rule.bridge == gapless::book::sequence::Bridge::Rest;
            let (known, messages) = self.books.entry((self.line, id)).or_default();
            *known = Some(rule);
            messages.push(numbers);
        }
    }
}

impl Watcher for Collector {
    fn line(&mut self, line: LineId) {
        self.line = line.0;
        self.now = None;
    }
}

/// Feeds one message without levels, but for the one that makes a snapshot no empty book.
fn feed(book: &mut LocalBook, numbers: &Numbers) -> Outcome {
    let one = [Level { price: 1, qty: 1 }];
    let bids: &[Level] = if numbers.has_levels { &one } else { &[] };
    let message = BookMessage {
        kind: numbers.kind,
        seq: numbers.seq,
        scales: Scales::default(),
        bids,
        asks: &[],
        extras: &[],
        depth_limit: None,
    };
    let flags = if numbers.rest { Flags::REST } else { Flags::NONE };
    book.message(&message, flags, &Times::default(), &mut ())
}

/// What was dropped and how it went.
#[derive(Default)]
struct Tally {
    dropped: u64,
    /// Losses of books that were live, seen in the very next message.
    live: u64,
    /// Losses while a snapshot was waited for, by what the book says once it was there.
    bridging: BTreeMap<&'static str, u64>,
    missed: Vec<String>,
}

/// Drops each applied delta of one book in turn.
fn drop_each(name: &str, rule: Rule, messages: &[Numbers], tally: &mut Tally) {
    if !matches!(rule.chain, Chain::Range | Chain::Rising | Chain::Linked | Chain::Counter) {
        return;
    }
    let snapshot = messages.iter().rposition(|m| m.kind == BookKind::Snapshot);
    let Some(snapshot) = snapshot else { return };
    let anchor = messages[snapshot].seq.last;
    let mut book = LocalBook::new(rule, Policy::replay());
    for (at, message) in messages.iter().enumerate() {
        let before = book.clone();
        let outcome = feed(&mut book, message);
        let held_and_newer = message.seq.last > anchor && at < snapshot;
        let applied = matches!(outcome.verdict, Verdict::Apply { .. });
        let numbered = message.seq.last.is_some();
        let at_snapshot = rule.chain == Chain::Rising && message.seq.last == anchor;
        let delta = message.kind == BookKind::Delta && numbered && !at_snapshot;
        if !delta || !(applied || held_and_newer) || at + 1 >= messages.len() {
            continue;
        }
        tally.dropped += 1;
        let missed = |how| format!("{name}: {:?} {how:?}", message.seq);
        if before.state().0 == State::Live {
            match loss_shown(before, &messages[at + 1]) {
                Ok(()) => tally.live += 1,
                Err(how) => tally.missed.push(missed(how)),
            }
            continue;
        }
        match loss_bridged(before, at, snapshot, messages) {
            Ok(reason) => *tally.bridging.entry(reason.name()).or_default() += 1,
            Err(how) => tally.missed.push(missed(how)),
        }
    }
}

/// What a book made of a message that must show a loss, where it shows none.
type Unseen = (Verdict, (State, Reason));

/// Whether the message after the one that was lost shows it to a book that was live: by a gap, or
/// because the ids went back, and for no other reason.
fn loss_shown(mut book: LocalBook, next: &Numbers) -> Result<(), Unseen> {
    let verdict = feed(&mut book, next).verdict;
    match (verdict, book.state()) {
        (Verdict::Gap { .. }, (State::Syncing, Reason::Gap))
        | (Verdict::Backwards, (State::Syncing, Reason::SequenceBackwards)) => Ok(()),
        other => Err(other),
    }
}

/// Why a book that waited for its snapshot when message `at` was lost is not live with the first
/// message after both.
fn loss_bridged(
    mut book: LocalBook,
    at: usize,
    snapshot: usize,
    messages: &[Numbers],
) -> Result<Reason, Unseen> {
    let mut verdict = Verdict::Ignore;
    for (next, message) in messages.iter().enumerate().skip(at + 1) {
        verdict = feed(&mut book, message).verdict;
        let live = book.state().0 == State::Live;
        if next > snapshot || (live && next == snapshot && next > at + 1) {
            break;
        }
    }
    // Where the snapshot was the last message, nothing came after it that could show anything.
    match book.state() {
        (State::Live, _) => Err((verdict, book.state())),
        (_, reason) => Ok(reason),
    }
}

#[test]
fn no_single_loss_goes_unseen() {
    let Some(root) = recordings::folder() else { return };
    let mut tally = Tally::default();
    for path in recordings::captures(&root) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("fault_") {
            continue;
        }
        let mut collector = Collector::default();
        Replay::open([path.display().to_string()]).unwrap().run(&mut collector).unwrap();
        for (rule, messages) in collector.books.values() {
            drop_each(&name, rule.unwrap(), messages, &mut tally);
        }
    }
    let Tally { dropped, live, bridging, missed } = &tally;
    println!("{dropped} deltas dropped, {} losses unseen", missed.len());
    println!("{live} of live books; of books that waited for a snapshot: {bridging:?}");
    assert!(tally.dropped >= 99_000, "only {} deltas were dropped", tally.dropped);
    let shown: Vec<_> = tally.missed.iter().take(20).collect();
    assert!(tally.missed.is_empty(), "{} unseen: {shown:#?}", tally.missed.len());
}
