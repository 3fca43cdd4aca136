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
use gapless::book::local::{LocalBook, Outcome, Policy, State};
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
        if !is_detected(before, at, snapshot, messages) {
            tally.missed.push(format!("{name}: {:?}", message.seq));
        }
    }
}

/// Whether the loss of message `at` shows with the next delta that the book can judge: the next
/// one, or, where the book still waits for its snapshot, the first after that.
fn is_detected(mut book: LocalBook, at: usize, snapshot: usize, messages: &[Numbers]) -> bool {
    for (next, message) in messages.iter().enumerate().skip(at + 1) {
        let _ = feed(&mut book, message);
        let judged = next > snapshot.max(at);
        let live = book.state().0 == State::Live;
        if live && next >= snapshot && next > at + 1 {
            return false;
        }
        if judged && !live {
            return true;
        }
        if judged {
            return false;
        }
    }
    // The snapshot was the last message: nothing came after it that could show anything.
    book.state().0 != State::Live
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
    println!("{} deltas dropped, {} losses unseen", tally.dropped, tally.missed.len());
    assert!(tally.dropped >= 99_000, "only {} deltas were dropped", tally.dropped);
    let shown: Vec<_> = tally.missed.iter().take(20).collect();
    assert!(tally.missed.is_empty(), "{} unseen: {shown:#?}", tally.missed.len());
}
