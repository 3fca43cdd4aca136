//! `gapless verify`: says where a recording's books cannot be trusted.

use crate::Exit;
use crate::args::VerifyArguments;
use crate::replay::{self, Done};
use crate::tally::doubts;
use gapless::book::local::State;
use gapless::replay::error::printable;
use gapless::replay::pace::Speed;
use std::io::{self, Write};

/// Runs the command.
pub fn run(arguments: &VerifyArguments) -> Result<Exit, String> {
    let done = replay::read(&arguments.inputs, Speed::Max)?;
    if done.has_nothing() {
        return Ok(replay::exit(&done));
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    match report(&mut out, &done).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => return Err(format!("cannot write the report: {error}")),
        Ok(()) => {}
    }
    let unseen = unseen(arguments, &done);
    for what in &unseen {
        eprintln!("gapless: {what}");
    }
    Ok(match replay::exit(&done) {
        Exit::Interrupted => Exit::Interrupted,
        _ if is_doubtful(&done) => Exit::DataGap,
        Exit::Ok if !unseen.is_empty() || done.replay.reader_stats().cut_streams > 0 => {
            Exit::Failure
        }
        exit => exit,
    })
}

/// Whether any gap, crossed book, bad checksum or refused message was found.
fn is_doubtful(done: &Done) -> bool {
    let books = done.replay.books().any(|book| !doubts(book.counters()).is_empty());
    books || !done.tally.rejects.is_empty() || !done.tally.findings.is_empty()
}

/// What was to be checked and was not there: nothing found in nothing is no proof.
fn unseen(arguments: &VerifyArguments, done: &Done) -> Vec<String> {
    let mut unseen = Vec::new();
    if done.replay.books().next().is_none() {
        let frames = done.replay.stats().frames;
        unseen.push(format!(
            "no book in {frames} frames, so nothing was checked; is it a recording of books, and \
             of the venue that --venue names?"
        ));
    }
    for symbol in &arguments.inputs.symbol {
        let is_it = |name: &str| name.eq_ignore_ascii_case(symbol);
        if !unseen.is_empty() || done.replay.books().any(|book| is_it(book.symbol())) {
            continue;
        }
        unseen.push(format!("no book of the symbol {}; check its name", printable(symbol)));
    }
    unseen
}

fn report(out: &mut impl Write, done: &Done) -> io::Result<()> {
    for finding in &done.tally.findings {
        let file = done.replay.driver().origin_name(finding.input);
        writeln!(out, "{file}:{}: {}", finding.line, finding.what)?;
    }
    if done.tally.findings_dropped > 0 {
        writeln!(out, "… and {} more", done.tally.findings_dropped)?;
    }
    let (mut books, mut live) = (0, 0);
    for book in done.replay.books() {
        books += 1;
        live += u64::from(book.state() == State::Live);
        let doubts = doubts(book.counters());
        let name = printable(&format!("{} {}", book.name(), book.channel()));
        if !doubts.is_empty() {
            writeln!(out, "{} {name}: {doubts}", book.file())?;
        }
        if book.local().last_live().is_none() {
            writeln!(out, "{} {name}: never live: {}", book.file(), book.reason().name())?;
        }
    }
    let frames = done.replay.stats().frames;
    writeln!(out, "{frames} frames, {books} books, {live} live at the end")
}
