//! A market maker's quotes around the microprice of one book, without an exchange behind them.
//!
//! ```text
//! cargo run --release -p gapless --example market_maker -- [BOOK [SPEED [INPUT...]]]
//! ```
//! Whenever the quotes change it prints a line `seq bid ask`: the venue's number of the message
//! after which they stand, and both prices as integers in units of the book's last decimal. Quotes
//! are a function of the best bid and ask alone: the microprice rounded to that unit, half of the
//! spread (at least one unit) to either side, and never through the other side of the book. While
//! the book is not live there are no quotes: `seq - -`, where `seq` is the last one known (0 before
//! the first).

use gapless::book::event::Level;
use gapless::book::publish::{ReadError, View};
use gapless::engine::SourceState;
use gapless::replay::pace::Speed;
use gapless::{BookReader, Engine, Source, Wait};
use std::io::{self, Write};
use std::time::Duration;

/// Prices that are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotes {
    /// To buy at.
    pub bid: i64,
    /// To sell at.
    pub ask: i64,
}

/// The quotes for a best bid and ask.
#[must_use]
pub fn quotes(bid: Level, ask: Level) -> Option<Quotes> {
    let view = View { bids: &[bid], asks: &[ask] };
    let fair = i64::try_from(view.microprice(0)?).ok()?;
    let edge = ((ask.price - bid.price) / 2).max(1);
    Some(Quotes { bid: (fair - edge).min(ask.price - 1), ask: (fair + edge).max(bid.price + 1) })
}

/// What is to be offered now, with the number that it stands after; `None` if the writer was in
/// the way and must be asked again.
fn look(book: &BookReader, last_seq: i64) -> Option<(i64, Option<Quotes>)> {
    match book.top() {
        Ok(top) => {
            let offered = top.bid.zip(top.ask).and_then(|(bid, ask)| quotes(bid, ask));
            Some((top.status.seq.unwrap_or(last_seq), offered))
        }
        Err(ReadError::NotLive(_)) => Some((last_seq, None)),
        Err(ReadError::Busy) => None,
    }
}

/// Quotes one book of some recordings until they end.
///
/// # Errors
/// The engine does not start, the book never appears, or the output fails.
pub fn trade(
    inputs: &[String],
    name: &str,
    speed: Speed,
    out: &mut impl Write,
) -> Result<(), Box<dyn std::error::Error>> {
    let source = Source::replay(inputs.to_vec()).speed(speed);
    let engine = Engine::builder().source(source).start()?;
    let book = engine.wait_for(name, Duration::from_secs(10))?;
    let (mut seen, mut seq, mut offered) = (0, 0, None);
    loop {
        // Asked before the look: what was published until then is not missed.
        let is_over = engine.status().iter().all(|source| source.state != SourceState::Running);
        seen = book.wait(seen, Wait::Yield, Duration::from_millis(5)).unwrap_or(seen);
        let Some((now_seq, now)) = look(&book, seq) else { continue };
        if now != offered {
            match now {
                Some(Quotes { bid, ask }) => writeln!(out, "{now_seq} {bid} {ask}")?,
                None => writeln!(out, "{now_seq} - -")?,
            }
        }
        (seq, offered) = (now_seq, now);
        if is_over {
            return Ok(());
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "okx:BTC-USDT-SWAP".to_owned());
    let speed = arguments.next().unwrap_or_else(|| "1".to_owned());
    let speed = Speed::parse(&speed).ok_or("SPEED is max or a factor")?;
    let mut inputs: Vec<String> = arguments.collect();
    if inputs.is_empty() {
        inputs.push("samples/".to_owned());
    }
    trade(&inputs, &name, speed, &mut io::stdout().lock())
}
