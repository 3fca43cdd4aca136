//! The words of the command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use gapless::replay::input::Format;
use gapless::replay::pace::Speed;
use gapless::venues::registry::VenueId;
use std::path::PathBuf;

/// Local order books that are exactly the exchange's book, or say that they are not.
#[derive(Debug, Parser)]
#[command(name = "gapless", version, about)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Replay recordings into books and show them.
    Replay(ReplayArguments),
    /// Check recordings: exit 3 if any gap, crossed book or refused message is found, 1 if none is
    /// but not everything could be read or checked.
    Verify(VerifyArguments),
    /// Replay recordings on an engine with readers attached, and say how long each stage takes.
    Latency(LatencyArguments),
    /// The engine on simulated exchanges of every venue, with faults: exit 1 unless every book ends
    /// as its exchange says.
    Demo(DemoArguments),
    /// Simulated exchanges, for tests of this engine and of any other client.
    Sim(SimArguments),
    /// Connect to venues and show their books as they are now.
    Watch(WatchArguments),
    /// Record what venues send, so that it replays to the same books.
    #[cfg(unix)]
    Record(RecordArguments),
    /// Say what is wrong with a configuration, or what it asks for.
    CheckConfig(CheckConfigArguments),
    /// List the books that engines of this machine publish in shared memory.
    #[cfg(target_os = "linux")]
    Books(BooksArguments),
    /// Show a book that an engine publishes in shared memory: exit 1 if it is not live.
    #[cfg(target_os = "linux")]
    Read(ReadArguments),
}

impl Command {
    /// What it reads, if it replays.
    pub const fn inputs(&self) -> Option<&Inputs> {
        match self {
            Self::Replay(arguments) => Some(&arguments.inputs),
            Self::Verify(arguments) => Some(&arguments.inputs),
            _ => None,
        }
    }
}

/// Arguments of `latency`.
#[derive(Debug, Args)]
pub struct LatencyArguments {
    /// `max`, or a factor of the recorded pace (1 = as recorded).
    #[arg(long, value_name = "max|X", default_value = "max", value_parser = speed)]
    pub speed: Speed,
    /// One JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Write a plot of the distributions.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Write the distributions as an HdrHistogram log, one tag for each stage, in ns.
    #[arg(long, value_name = "FILE")]
    pub hlog: Option<PathBuf>,
    /// Threads that read every book as fast as they can.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub readers: usize,
    /// Recordings: files, folders, patterns, or - for standard input.
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<String>,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// How long it runs.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub seconds: u64,
    /// One JSON object a line: books, then figures.
    #[arg(long)]
    pub json: bool,
    /// Seed of the markets.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
}

/// Arguments of `sim`.
#[derive(Debug, Args)]
pub struct SimArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: SimCommand,
}

/// What to do with simulated exchanges.
#[derive(Debug, Subcommand)]
pub enum SimCommand {
    /// Serve them on loopback until Ctrl-C: plain ws and http on one port each, printed first.
    /// GET /truth/SYMBOL?seq=N answers with the book at that sequence.
    Serve(SimServeArguments),
}

/// Arguments of `sim serve`.
#[derive(Debug, Args)]
pub struct SimServeArguments {
    /// Port of the first exchange, the next ones above it; 0 = any that are free.
    #[arg(long, value_name = "PORT", default_value_t = 9100)]
    pub port: u16,
    /// Only this exchange (may be given more than once): binance_spot, binance_us, binance_usdm,
    /// binance_coinm, bybit, okx, deribit, tardis, relay.
    #[arg(long, value_name = "V", value_parser = sim_venue)]
    pub venue: Vec<gapless_sim::exchange::Venue>,
    /// Seed of markets and faults.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// How many coins, or names of symbols with commas between.
    #[arg(long, value_name = "N|NAMES", default_value = "2")]
    pub symbols: String,
    /// Resting levels on each side of a book instead of the recorded numbers.
    #[arg(long, value_name = "N")]
    pub levels: Option<usize>,
    /// What goes wrong: a script, one rule a line (docs/simulator.md).
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// End after this time.
    #[arg(long, value_name = "SECONDS")]
    pub seconds: Option<u64>,
}

fn sim_venue(text: &str) -> Result<gapless_sim::exchange::Venue, String> {
    gapless_sim::exchange::Venue::from_name(text).ok_or_else(|| {
        let names = gapless_sim::exchange::Venue::ALL.map(gapless_sim::exchange::Venue::name);
        format!("no such exchange; known are {}", names.join(", "))
    })
}

/// Arguments of `watch`.
#[derive(Debug, Args)]
pub struct WatchArguments {
    /// Configuration of an engine, in TOML or JSON.
    pub config: PathBuf,
    /// One JSON object a line: every change of a state as it happens, and the live books.
    #[arg(long)]
    pub json: bool,
    /// Time between two showings of the books, with the hash of each at its number.
    #[arg(long, value_name = "MS", default_value_t = 1000,
          value_parser = clap::value_parser!(u64).range(10..))]
    pub hash_every: u64,
    /// End after so long; without it, with Ctrl-C.
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
}

/// Arguments of `record`.
#[cfg(unix)]
#[derive(Debug, Args)]
pub struct RecordArguments {
    /// Configuration of an engine, in TOML or JSON; its live sources are recorded.
    pub config: PathBuf,
    /// Folder of the recordings.
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,
    /// Begin another file after so many MiB.
    #[arg(long, value_name = "MIB", default_value_t = 1024,
          value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub file_mib: u64,
    /// Begin another file after so many seconds.
    #[arg(long, value_name = "S", default_value_t = 3600,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub file_seconds: u64,
    /// End after so long; without it, with Ctrl-C.
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
}

/// Arguments of `check-config`.
#[derive(Debug, Args)]
pub struct CheckConfigArguments {
    /// Configuration of an engine, in TOML or JSON.
    pub config: PathBuf,
}

/// Arguments of `books`.
#[cfg(target_os = "linux")]
#[derive(Debug, Args)]
pub struct BooksArguments {
    /// Folder of the publications.
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    pub dir: PathBuf,
}

/// Arguments of `read`.
#[cfg(target_os = "linux")]
#[derive(Debug, Args)]
pub struct ReadArguments {
    /// The book: [ENGINE/]VENUE:SYMBOL[@CHANNEL], or the venue's symbol alone.
    pub symbol: String,
    /// Show it again whenever it changes, and the next one of that name when its writer is gone.
    #[arg(long)]
    pub follow: bool,
    /// Show this many levels of each side.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub depth: usize,
    /// Show levels of a book that is not live too.
    #[arg(long)]
    pub last_known: bool,
    /// Folder of the publications.
    #[arg(long, value_name = "DIR", default_value = "/dev/shm")]
    pub dir: PathBuf,
}

/// What is read, and how.
#[derive(Debug, Args)]
pub struct Inputs {
    /// Venue of captures and raw recordings: binance_spot, binance_us, binance_usdm,
    /// binance_coinm, bybit, okx, deribit. Without it the frames tell.
    #[arg(long, value_name = "V", value_parser = venue)]
    pub venue: Option<VenueId>,
    /// Keep only this symbol (may be given more than once).
    #[arg(long, value_name = "S")]
    pub symbol: Vec<String>,
    /// Form of the inputs where they cannot tell it themselves.
    #[arg(long, value_name = "F", value_parser = format)]
    pub format: Option<Format>,
    /// Count and show only what was received from this time on (RFC 3339, or ns since the epoch).
    /// Books are still built from the beginning.
    #[arg(long, value_name = "T", value_parser = time)]
    pub from: Option<i64>,
    /// Stop at this time.
    #[arg(long, value_name = "T", value_parser = time)]
    pub to: Option<i64>,
    /// A live book that was silent for longer is stale; without it time decides nothing.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub freshness: Option<i64>,
    /// What to do about crossed books.
    #[arg(long, value_enum, default_value_t = Crossed::Report)]
    pub crossed: Crossed,
    /// Join a snapshot to the first later update even where it does not reach it, as Tardis does
    /// with what it recorded (Binance).
    #[arg(long)]
    pub lenient_bridge: bool,
    /// Take the connections of one venue, of all inputs, for lines of the same books: of each
    /// message the first counts, what one line lost is taken from another.
    #[arg(long)]
    pub merge_lines: bool,
    /// Instrument lists of the venues: files with a line of URL, tab and answer for each (may be
    /// given more than once). Levels off an instrument's grid are then told.
    #[arg(long, value_name = "FILE")]
    pub instruments: Vec<PathBuf>,
    /// Recordings: files, folders, patterns, or - for standard input.
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<String>,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArguments {
    #[command(flatten)]
    pub inputs: Inputs,
    /// `max`, or a factor of the recorded pace (1 = as recorded).
    #[arg(long, value_name = "max|X", default_value = "max", value_parser = speed)]
    pub speed: Speed,
    /// One JSON object a line: books, then a summary.
    #[arg(long)]
    pub json: bool,
    /// Show this many levels of each side.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub depth: usize,
    /// Write a plot of the latency distributions.
    #[arg(long, value_name = "FILE")]
    pub latency_svg: Option<PathBuf>,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    #[command(flatten)]
    pub inputs: Inputs,
}

/// Policies for crossed books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Crossed {
    /// Say that the book is not live while it is crossed.
    Report,
    /// Remove the levels that the message did not touch.
    Uncross,
}

fn venue(text: &str) -> Result<VenueId, String> {
    VenueId::from_name(text).ok_or_else(|| {
        let names: Vec<_> = VenueId::ALL.iter().map(|venue| venue.name()).collect();
        format!("no such venue; known are {}", names.join(", "))
    })
}

fn format(text: &str) -> Result<Format, String> {
    Format::from_name(text).ok_or_else(|| {
        let names: Vec<_> = Format::ALL.iter().map(|format| format.name()).collect();
        format!("no such format; known are {}", names.join(", "))
    })
}

fn time(text: &str) -> Result<i64, String> {
    gapless::replay::time::parse_instant(text).ok_or_else(|| {
        "expected a time like 2026-11-20T20:40:31Z or nanoseconds since the epoch".to_owned()
    })
}

fn seconds(text: &str) -> Result<i64, String> {
    let value = gapless::book::decimal::Decimal::parse(text.as_bytes()).ok();
    let ns = value.and_then(|seconds| seconds.at_scale(9)).filter(|ns| *ns > 0);
    ns.ok_or_else(|| "expected a positive number of seconds".to_owned())
}

fn speed(text: &str) -> Result<Speed, String> {
    Speed::parse(text).ok_or_else(|| "expected max or a positive factor".to_owned())
}
