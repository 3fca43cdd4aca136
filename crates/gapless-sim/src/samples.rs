//! The sample recordings of the repository's `samples/` folder.
//!
//! Everything here is a function of one seed, so the files can be made again byte for byte: a
//! test does, and compares. Beside each sample stands `NAME.expected.json` with the books that a
//! correct replay ends with.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use gapless_book::event::Side;

use crate::dialect::binance::{Binance, Flavour};
use crate::dialect::bybit::{Bybit, Category};
use crate::dialect::deribit::Deribit;
use crate::dialect::okx::Okx;
use crate::dialect::tardis::{CSV_HEADER, Form, Tardis};
use crate::market::{Market, SymbolSpec};
use crate::profile::Profile;
use crate::recording::{BookTruth, Fault, Plan, Recording};
use crate::rng::Rng;

/// Seed of the committed samples.
pub const SEED: u64 = 20_261_121;

/// Virtual time at which every sample starts: 2026-11-20 20:40:00 UTC.
const START_NS: u64 = 1_795_207_200_000_000_000;
/// Frames per capture.
const FRAMES: usize = 2_200;

/// What a sample's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// `.cap.zst`
    Capture,
    /// `.ndjson.zst`
    Normalized,
    /// `.csv.gz`
    Csv,
}

/// One sample: its file's name, its text and what it must lead to.
#[derive(Clone, Debug)]
pub struct Sample {
    /// File name without its extensions.
    pub name: &'static str,
    /// Container.
    pub container: Container,
    /// The recording.
    pub recording: Recording,
}

impl Sample {
    /// File name with extensions.
    #[must_use]
    pub fn file_name(&self) -> String {
        let extension = match self.container {
            Container::Capture => "cap.zst",
            Container::Normalized => "ndjson.zst",
            Container::Csv => "csv.gz",
        };
        format!("{}.{extension}", self.name)
    }

    /// The uncompressed text.
    ///
    /// # Errors
    /// None in practice: it writes to memory.
    pub fn text(&self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        match self.container {
            Container::Capture => self.recording.write_capture(&mut text)?,
            Container::Normalized => self.recording.write_payloads(&mut text)?,
            Container::Csv => {
                writeln!(text, "{CSV_HEADER}")?;
                self.recording.write_payloads(&mut text)?;
            }
        }
        Ok(text)
    }

    /// The compressed file.
    ///
    /// # Errors
    /// Those of the compressors.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        let text = self.text()?;
        if self.container == Container::Csv {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
            gzip.write_all(&text)?;
            return gzip.finish();
        }
        let mut zstd = zstd::Encoder::new(Vec::new(), 19)?;
        zstd.include_checksum(true)?;
        zstd.write_all(&text)?;
        zstd.finish()
    }

    /// The books that a correct replay ends with, as JSON.
    #[must_use]
    pub fn expected(&self) -> String {
        let books: Vec<String> = self.recording.books.iter().map(expected_book).collect();
        format!(
            "{{\n  \"file\": \"{}\",\n  \"frames\": {},\n  \"books\": {{\n{}\n  }}\n}}\n",
            self.file_name(),
            self.recording.frames.len(),
            books.join(",\n")
        )
    }
}

fn expected_book(truth: &BookTruth) -> String {
    let (name, grid) = (&truth.name, truth.book.grid());
    let best = |side| {
        truth.book.best(side).map_or_else(
            || "null".to_owned(),
            |level| format!("[\"{}\", \"{}\"]", grid.price(level.ticks), grid.qty(level.lots)),
        )
    };
    let mut text = format!("    \"{}\": {{", name.key());
    let state = if truth.live { "live" } else { "syncing" };
    let seq = truth.seq.map_or_else(|| "null".to_owned(), |seq| seq.to_string());
    let _ = write!(text, "\"venue\": \"{}\", \"market\": \"{}\", ", name.venue, name.market);
    let _ = write!(text, "\"symbol\": \"{}\", \"channel\": \"{}\", ", name.symbol, name.channel);
    let _ = write!(text, "\"source\": \"{}\",\n      ", name.source);
    let _ = write!(text, "\"state\": \"{state}\", \"gaps\": {}, ", truth.gaps);
    let _ = write!(text, "\"repeated\": {}, \"seq\": {seq}, ", truth.duplicates);
    let _ = write!(text, "\"best_bid\": {}, ", best(Side::Bid));
    let _ = write!(text, "\"best_ask\": {}, ", best(Side::Ask));
    let _ = write!(text, "\"bid_levels\": {}, ", truth.book.len(Side::Bid));
    let _ = write!(text, "\"ask_levels\": {},\n      ", truth.book.len(Side::Ask));
    let _ = write!(text, "\"book_sha256\": \"{}\"}}", truth.book.canonical_sha256());
    text
}

/// A smaller BTC perpetual, so that a sample stays small.
const CALM_MAJOR: Profile = Profile {
    levels: 260,
    levels_max: 600,
    gap_ns: 30_000_000,
    touches: 3,
    near_ticks: 120,
    ..Profile::MAJOR
};

/// All samples of a seed, in a fixed order.
#[must_use]
pub fn all(seed: u64) -> Vec<Sample> {
    let mut rng = Rng::new(seed);
    let mut seeds = || (rng.next_u64(), rng.next_u64());
    let usdm = [Fault::Drop { symbol: 1, nth: 120 }, Fault::DropAndResync { symbol: 0, nth: 90 }];
    vec![
        capture("binance_spot", binance(Flavour::Spot, &[], seeds())),
        capture("binance_us", binance(Flavour::Us, &[], seeds())),
        capture("binance_usdm", binance(Flavour::Usdm, &[], seeds())),
        capture("binance_usdm_gap", binance(Flavour::Usdm, &usdm, seeds())),
        capture("binance_coinm", binance(Flavour::Coinm, &[], seeds())),
        capture("bybit", bybit(&[], seeds())),
        capture("bybit_dup", bybit(&[Fault::Duplicate { symbol: 0, nth: 77 }], seeds())),
        capture("okx", okx(seeds())),
        capture("deribit", deribit(seeds())),
        tardis("tardis_normalized", Form::Normalized, seeds()),
        tardis("tardis_incremental_book_L2", Form::IncrementalBookL2, seeds()),
    ]
}

/// Writes all samples and their expectations into a folder, which is made if it is not there.
///
/// # Errors
/// Those of the file system.
pub fn write_all(folder: &Path, seed: u64) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for sample in all(seed) {
        fs::write(folder.join(sample.file_name()), sample.bytes()?)?;
        let expected = format!("{}.expected.json", sample.name);
        fs::write(folder.join(expected), sample.expected())?;
    }
    Ok(())
}

const fn capture(name: &'static str, recording: Recording) -> Sample {
    Sample { name, container: Container::Capture, recording }
}

fn plan(seed: u64, frames: usize, faults: &[Fault]) -> Plan {
    Plan { seed, frames, faults: faults.to_vec() }
}

fn binance(flavour: Flavour, faults: &[Fault], seeds: (u64, u64)) -> Recording {
    let small = Profile::SMALL_CAP;
    let specs = match flavour {
        Flavour::Spot => vec![
            SymbolSpec::new("BTCUSDT", (1, 2), (1, 5), 9_123_010, CALM_MAJOR),
            SymbolSpec::new("ZILUSDT", (1, 5), (1, 1), 2_431, small),
            SymbolSpec::new("PEPEUSDT", (1, 8), (1, 0), 1_122, small),
        ],
        Flavour::Us => vec![
            SymbolSpec::new("BTCUSDT", (1, 2), (1, 5), 9_122_480, small),
            SymbolSpec::new("ADAUSD", (1, 4), (1, 1), 7_321, small),
        ],
        Flavour::Usdm => vec![
            SymbolSpec::new("BTCUSDT", (1, 1), (1, 3), 912_289, CALM_MAJOR),
            SymbolSpec::new("CTKUSDT", (1, 4), (1, 0), 7_310, small),
            SymbolSpec::new("1000PEPEUSDT", (1, 7), (1, 0), 112_200, small),
        ],
        Flavour::Coinm => vec![
            SymbolSpec::new("BTCUSD_PERP", (1, 1), (1, 0), 912_260, CALM_MAJOR),
            SymbolSpec::new("LINKUSD_PERP", (1, 3), (1, 0), 15_070, small),
        ],
    };
    let market = Market::new(seeds.0, &specs, START_NS);
    let dialect = Binance::new(flavour, &market);
    Recording::of(market, dialect, &plan(seeds.1, FRAMES, faults))
}

fn bybit(faults: &[Fault], seeds: (u64, u64)) -> Recording {
    let linear = [
        SymbolSpec::new("BTCUSDT", (1, 1), (1, 3), 912_251, CALM_MAJOR),
        SymbolSpec::new("DOGEUSDT", (1, 5), (1, 0), 17_053, Profile::SMALL_CAP),
    ];
    let spot = [SymbolSpec::new("BTCUSDT", (1, 1), (1, 6), 912_302, Profile::SMALL_CAP)];
    let (linear, spot) =
        (Market::new(seeds.0, &linear, START_NS), Market::new(seeds.0 ^ 1, &spot, START_NS));
    let futures = Bybit::new(Category::Linear, 200, &linear, seeds.1);
    let cash = Bybit::new(Category::Spot, 50, &spot, seeds.1 ^ 1);
    Recording::of(linear, futures, &plan(seeds.1, FRAMES * 2 / 3, faults)).merge(Recording::of(
        spot,
        cash,
        &plan(seeds.1 ^ 1, FRAMES / 3, &[]),
    ))
}

fn okx(seeds: (u64, u64)) -> Recording {
    let specs = [
        SymbolSpec::new("BTC-USDT-SWAP", (1, 1), (1, 2), 912_302, CALM_MAJOR),
        SymbolSpec::new("BTC-USDT", (1, 1), (1, 8), 912_298, Profile::SMALL_CAP),
        SymbolSpec::new("SATS-USDT", (1, 11), (1, 0), 21_840, Profile::SMALL_CAP),
    ];
    let market = Market::new(seeds.0, &specs, START_NS);
    let dialect = Okx::new(&market, seeds.1);
    Recording::of(market, dialect, &plan(seeds.1, FRAMES, &[]))
}

fn deribit(seeds: (u64, u64)) -> Recording {
    let specs = [
        SymbolSpec::new("BTC-PERPETUAL", (5, 1), (10, 0), 182_441, CALM_MAJOR),
        SymbolSpec::new("XRP_USDC-PERPETUAL", (1, 5), (1, 0), 214_210, Profile::SMALL_CAP),
        SymbolSpec::new("BTC-25DEC26-100000-C", (5, 4), (1, 1), 97, Profile::OPTION),
        SymbolSpec::new("PEPE_USDC-PERPETUAL", (1, 8), (100, 0), 1_122, Profile::SMALL_CAP),
    ];
    let market = Market::new(seeds.0, &specs, START_NS);
    let dialect = Deribit::new(&market, seeds.1);
    Recording::of(market, dialect, &plan(seeds.1, FRAMES, &[]))
}

fn tardis(name: &'static str, form: Form, seeds: (u64, u64)) -> Sample {
    let specs = [
        SymbolSpec::new("BTCUSDT", (1, 1), (1, 3), 912_289, CALM_MAJOR),
        SymbolSpec::new("1000PEPEUSDT", (1, 7), (1, 0), 112_200, Profile::SMALL_CAP),
    ];
    let market = Market::new(seeds.0, &specs, START_NS);
    let dialect = Tardis::new(form, &market);
    let (container, frames) = match form {
        Form::Normalized => (Container::Normalized, FRAMES),
        Form::IncrementalBookL2 => (Container::Csv, FRAMES * 6),
    };
    let recording = Recording::of(market, dialect, &plan(seeds.1, frames, &[]));
    Sample { name, container, recording }
}
