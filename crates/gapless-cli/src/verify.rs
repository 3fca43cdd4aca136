//! `gapless verify`: says where a recording's books cannot be trusted.

use crate::Exit;
use crate::args::VerifyArguments;
use crate::replay::{self, Done};
use gapless::book::local::Counters;
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
    Ok(match replay::exit(&done) {
        Exit::Ok if is_doubtful(&done) => Exit::DataGap,
        exit => exit,
    })
}

/// Whether any gap, crossed book, bad checksum or refused message was found.
fn is_doubtful(done: &Done) -> bool {
    let books = done.replay.books().any(|book| doubts(book.counters()) > 0);
    books || !done.tally.rejects.is_empty() || !done.tally.findings.is_empty()
}

const fn doubts(counters: &Counters) -> u64 {
    counters.gaps
        + counters.crossed
        + counters.rejects
        + counters.checksum_bad
        + counters.backwards
        + counters.audit_differences
}

fn report(out: &mut impl Write, done: &Done) -> io::Result<()> {
    for finding in &done.tally.findings {
        let file = done.replay.input_name(finding.input);
        writeln!(out, "{file}:{}: {}", finding.line, finding.what)?;
    }
    if done.tally.findings_dropped > 0 {
        writeln!(out, "… and {} more", done.tally.findings_dropped)?;
    }
    let (mut books, mut live) = (0, 0);
    for book in done.replay.books() {
        books += 1;
        live += u64::from(book.state() == gapless::book::local::State::Live);
        let counters = book.counters();
        if doubts(counters) > 0 {
            writeln!(
                out,
                "{} {} {}: {} gaps, {} crossed, {} refused, {} bad checksums, {} steps back",
                book.file(),
                book.name(),
                book.channel(),
                counters.gaps,
                counters.crossed,
                counters.rejects,
                counters.checksum_bad,
                counters.backwards,
            )?;
        }
    }
    let frames = done.replay.stats().frames;
    writeln!(out, "{frames} frames, {books} books, {live} live at the end")
}
