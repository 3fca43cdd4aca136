//! The bodies of the fuzz targets.
//!
//! Each target is a plain function over bytes that panics when a promise is broken. The libFuzzer
//! binaries in `fuzz_targets/` and the seeded driver `smoke` call the same functions, so a finding
//! of one is a test case of the other: `smoke --target NAME FILE`.
//!
//! A new target: `src/NAME.rs`, its entry in [`TARGETS`], `fuzz_targets/NAME.rs` with its `[[bin]]`
//! in `Cargo.toml`, and seeds in `seeds/NAME/`. A new venue: one line of `venues!` and a binary.
#![forbid(unsafe_code)]

mod capture_reader;
mod csv_reader;
mod decimal;
mod frames;
mod json;
mod kernels;
mod sequencer;

pub use capture_reader::capture_reader;
pub use csv_reader::csv_reader;
pub use decimal::decimal;
pub use frames::templates;
pub use json::json;
pub use kernels::kernels;
pub use sequencer::sequencer;

/// The targets that read a connection's frames: one function and one entry for each venue.
macro_rules! venues {
    ($($name:ident = $venue:expr;)*) => {
        $(
            /// Frames of one connection of the venue, one a line.
            pub fn $name(data: &[u8]) {
                frames::frames(&$venue, data);
            }
        )*
        const VENUES: &[Target] = &[$(Target {
            name: stringify!($name),
            run: $name,
            words: frames::WORDS,
        }),*];
    };
}

venues! {
    frames_binance_spot = gapless_venues::binance::BinanceSpot;
    frames_binance_us = gapless_venues::binance::BinanceUs;
    frames_binance_usdm = gapless_venues::binance::BinanceUsdm;
    frames_binance_coinm = gapless_venues::binance::BinanceCoinm;
    frames_bybit = gapless_venues::bybit::Bybit;
    frames_deribit = gapless_venues::deribit::Deribit;
    frames_okx = gapless_venues::okx::Okx;
    frames_relay = gapless_venues::relay::Relay::default();
    frames_tardis = gapless_venues::tardis::Tardis;
}

/// Every target.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    TARGETS.iter().chain(VENUES)
}

/// One target as the drivers see it.
pub struct Target {
    /// Its name: also that of its binary and of its folder of seeds.
    pub name: &'static str,
    /// The body; panics when a promise is broken.
    pub run: fn(&[u8]),
    /// Words that mutations insert: the tokens of the format.
    pub words: &'static [&'static str],
}

const TARGETS: &[Target] = &[
    Target {
        name: "capture_reader",
        run: capture_reader,
        words: &[
            "1617647603424944000\tR\tws\t{\"a\":1}\n",
            "7\tC\tws\twss://x\n",
            "7\tH\thttps://x/depth?symbol=A\t{}\n",
            "7\tB\tws\tZm9vYg==\n",
            "7\tM\t\t{\"capture\":1,\"venue\":\"okx\"}\n",
            "7\tD\tws\n",
            "1970-01-01T00:00:01.4521170Z {\"a\":1}\n\n",
            "{\"localTimestamp\":\"1970-01-01T00:00:01Z\",\"message\":{}}\n",
            "{\"type\":\"trade\",\"localTimestamp\":\"1970-01-01T00:00:01Z\"}\n",
            "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n",
            "\u{1f}\u{8b}\u{8}",
            "\t",
            "\n",
        ],
    },
    Target {
        name: "csv_reader",
        run: csv_reader,
        words: &[
            "x,A,1617647603816491,1617647603816492,true,bid,1.50,2\n",
            "x,A,1617647603816491,1617647603816492,true,ask,2.5,3\n",
            "x,B,,1617647603816492,false,ask,2.25,0\n",
            "x,A,1,9,false,bid,0.00000001,9999999999999999\n",
            "true",
            "false",
            ",",
            "\n",
            "\r\n",
            "1e-7",
        ],
    },
    Target {
        name: "decimal",
        run: decimal,
        words: &["-", ".", "0", "00000000", "9223372036854775808", "e", "E-", "1e18"],
    },
    Target {
        name: "json",
        run: json,
        words: &[
            "{}",
            "[]",
            "\"\"",
            ":",
            ",",
            "null",
            "true",
            "false",
            "-0.1e+7",
            "\\u0061",
            "\\",
            "{\"a\":1,\"a\":[2]}",
            "[[[[[[[[[[[[[[[[",
            "]]]]]]]]]]]]]]]]",
        ],
    },
    Target { name: "kernels", run: kernels, words: kernels::WORDS },
    Target { name: "templates", run: templates, words: frames::TEXTS },
    Target {
        name: "sequencer",
        run: sequencer,
        // A rule and a policy; a snapshot with a level a side; a delta that continues it.
        words: &[
            "\u{2}\u{0}\u{0}",
            "\u{8}\u{0}\u{0}\u{0}\u{0}\u{9}\u{0}\u{0}\u{0}\u{0}\u{0}",
            "\u{a}\u{0}\u{0}\u{0}\u{0}\u{9}\u{0}\u{1}\u{1}\u{0}\u{1}",
        ],
    },
];
