//! The header of a CSV: which dataset it is, and where its columns stand.
//!
//! Columns are found by name, so their order and further columns do not matter. Trades and
//! liquidations, and quotes and book tickers, have the same columns: there the file's name says
//! which it is, or the caller.

use crate::error::{FileName, ReplayError, quote};

/// Most columns of a header: four for each of a thousand levels, and some.
pub const COLUMNS_MAX: usize = 4096;

const FIX: &str = "expected the columns of a Tardis dataset (incremental_book_L2, \
    book_snapshot_N, trades, liquidations, derivative_ticker, quotes, book_ticker, options_chain)";

/// Place of a column that the file does not have.
pub(super) const ABSENT: usize = usize::MAX;

/// The datasets that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DatasetKind {
    /// `incremental_book_L2`.
    IncrementalBook,
    /// `book_snapshot_5`, `book_snapshot_25`, …
    BookSnapshot,
    /// `trades`.
    Trades,
    /// `liquidations`.
    Liquidations,
    /// `derivative_ticker`.
    DerivativeTicker,
    /// `quotes`.
    Quotes,
    /// `book_ticker`.
    BookTicker,
    /// `options_chain`, not decoded.
    OptionsChain,
}

impl DatasetKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::IncrementalBook,
        Self::BookSnapshot,
        Self::Trades,
        Self::Liquidations,
        Self::DerivativeTicker,
        Self::Quotes,
        Self::BookTicker,
        Self::OptionsChain,
    ];

    /// Tardis' name, without the depth of a `book_snapshot`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::IncrementalBook => "incremental_book_L2",
            Self::BookSnapshot => "book_snapshot",
            Self::Trades => "trades",
            Self::Liquidations => "liquidations",
            Self::DerivativeTicker => "derivative_ticker",
            Self::Quotes => "quotes",
            Self::BookTicker => "book_ticker",
            Self::OptionsChain => "options_chain",
        }
    }

    /// The kind of a name; `book_snapshot_25` and `book_snapshot` are one kind.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let depth = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
        if name.strip_prefix("book_snapshot_").is_some_and(depth) {
            return Some(Self::BookSnapshot);
        }
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether its messages make books.
    #[must_use]
    pub const fn is_book(self) -> bool {
        matches!(self, Self::IncrementalBook | Self::BookSnapshot)
    }

    /// The columns beside the four that all have, and which of them must be there.
    const fn columns(self) -> (&'static [&'static str], Need) {
        match self {
            Self::IncrementalBook => (&["is_snapshot", "side", "price", "amount"], Need::All),
            Self::Trades | Self::Liquidations => (&["side", "price", "amount", "id"], Need::First3),
            Self::DerivativeTicker => (
                &[
                    "funding_timestamp",
                    "funding_rate",
                    "predicted_funding_rate",
                    "open_interest",
                    "last_price",
                    "index_price",
                    "mark_price",
                ],
                Need::None,
            ),
            Self::Quotes | Self::BookTicker => {
                (&["ask_amount", "ask_price", "bid_price", "bid_amount"], Need::All)
            }
            Self::BookSnapshot | Self::OptionsChain => (&[], Need::None),
        }
    }
}

/// Which of a dataset's columns a file must have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    All,
    First3,
    None,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// The kind.
    pub kind: DatasetKind,
    /// Tardis' full name, the channel of every event.
    pub name: String,
    /// Levels per side of a `book_snapshot`, else 0.
    pub depth: u16,
}

/// Where things stand in a row.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) dataset: Dataset,
    /// Columns of the file.
    pub(super) columns: usize,
    pub(super) exchange: usize,
    pub(super) symbol: usize,
    pub(super) timestamp: usize,
    pub(super) local: usize,
    /// The dataset's own columns, in the order of [`DatasetKind::columns`], or four per level of
    /// a `book_snapshot`: ask price, ask amount, bid price, bid amount.
    pub(super) rest: Vec<usize>,
    /// The columns are exactly those of `incremental_book_L2`, in Tardis' order.
    pub(super) usual_book: bool,
}

impl Schema {
    /// Reads a header.
    pub(super) fn read(
        line: &[u8],
        file: &FileName,
        kind: Option<DatasetKind>,
    ) -> Result<Self, ReplayError> {
        Self::of(line, file.as_str(), kind).map_err(|what| ReplayError::UnknownFormat {
            file: file.clone(),
            what,
            fix: FIX,
        })
    }

    fn of(line: &[u8], file: &str, kind: Option<DatasetKind>) -> Result<Self, String> {
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line).trim_ascii_end();
        let names: Vec<&[u8]> = line.split(|b| *b == b',').take(COLUMNS_MAX + 1).collect();
        if names.len() > COLUMNS_MAX {
            return Err(format!("its header has more than {COLUMNS_MAX} columns"));
        }
        let header = Header { names, line };
        let [exchange, symbol, timestamp, local] =
            ["exchange", "symbol", "timestamp", "local_timestamp"].map(|name| header.need(name));
        let (exchange, symbol, timestamp, local) = (exchange?, symbol?, timestamp?, local?);
        let kind = match kind {
            Some(kind) => kind,
            None => header.kind(file)?,
        };
        let (depth, rest) = header.rest(kind)?;
        let name = match kind {
            DatasetKind::BookSnapshot => format!("book_snapshot_{depth}"),
            _ => kind.name().to_owned(),
        };
        let columns = header.names.len();
        let places = [exchange, symbol, timestamp, local];
        let usual_book = kind == DatasetKind::IncrementalBook
            && places.iter().chain(&rest).copied().eq(0..columns);
        let dataset = Dataset { kind, name, depth };
        Ok(Self { dataset, columns, exchange, symbol, timestamp, local, rest, usual_book })
    }
}

struct Header<'a> {
    names: Vec<&'a [u8]>,
    line: &'a [u8],
}

impl Header<'_> {
    fn find(&self, name: &str) -> Result<Option<usize>, String> {
        let mut places =
            self.names.iter().enumerate().filter(|(_, n)| **n == name.as_bytes()).map(|(at, _)| at);
        let first = places.next();
        match places.next() {
            Some(_) => Err(format!("column \"{name}\" stands twice in its header")),
            None => Ok(first),
        }
    }

    fn need(&self, name: &str) -> Result<usize, String> {
        self.find(name)?.ok_or_else(|| {
            format!("a CSV without column \"{name}\"; its header is \"{}\"", quote(self.line))
        })
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(&name.as_bytes())
    }

    fn kind(&self, file: &str) -> Result<DatasetKind, String> {
        let named = |name: &str, a, b| if is_named(file, name) { a } else { b };
        if self.has("is_snapshot") {
            Ok(DatasetKind::IncrementalBook)
        } else if self.has("asks[0].price") || self.has("bids[0].price") {
            Ok(DatasetKind::BookSnapshot)
        } else if self.has("strike_price") {
            Ok(DatasetKind::OptionsChain)
        } else if self.has("mark_price") || self.has("funding_rate") {
            Ok(DatasetKind::DerivativeTicker)
        } else if self.has("ask_price") {
            Ok(named("book_ticker", DatasetKind::BookTicker, DatasetKind::Quotes))
        } else if self.has("side") {
            Ok(named("liquidations", DatasetKind::Liquidations, DatasetKind::Trades))
        } else {
            Err(format!("a CSV of no known dataset; its header is \"{}\"", quote(self.line)))
        }
    }

    /// Depth and places of a dataset's own columns.
    fn rest(&self, kind: DatasetKind) -> Result<(u16, Vec<usize>), String> {
        if kind == DatasetKind::BookSnapshot {
            return self.levels();
        }
        let (names, need) = kind.columns();
        let mut rest = Vec::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            let must = need == Need::All || (need == Need::First3 && at < 3);
            let place = if must { Some(self.need(name)?) } else { self.find(name)? };
            rest.push(place.unwrap_or(ABSENT));
        }
        Ok((0, rest))
    }

    /// The columns `asks[i].price` and so on. The names are compared one by one as they come, so
    /// that a header of thousands of levels costs no search per level.
    fn levels(&self) -> Result<(u16, Vec<usize>), String> {
        let mut rest: Vec<usize> = Vec::new();
        for (at, name) in self.names.iter().enumerate() {
            let Some((level, which)) = level_column(name) else { continue };
            let place = level * 4 + which;
            if rest.len() <= place {
                rest.resize(level * 4 + 4, ABSENT);
            }
            match rest.get_mut(place) {
                Some(slot) if *slot == ABSENT => *slot = at,
                _ => return Err(format!("column \"{}\" stands twice in its header", quote(name))),
            }
        }
        if rest.is_empty() || rest.contains(&ABSENT) {
            return Err(format!("levels are missing in its header \"{}\"", quote(self.line)));
        }
        Ok((u16::try_from(rest.len() / 4).unwrap_or(u16::MAX), rest))
    }
}

/// Level and place (ask price, ask amount, bid price, bid amount) of a column `asks[3].price`.
fn level_column(name: &[u8]) -> Option<(usize, usize)> {
    let name = std::str::from_utf8(name).ok()?;
    let (side, rest) = match name.split_once('[')? {
        ("asks", rest) => (0, rest),
        ("bids", rest) => (2, rest),
        _ => return None,
    };
    let (level, what) = rest.split_once("].")?;
    let what = match what {
        "price" => 0,
        "amount" => 1,
        _ => return None,
    };
    let level = level.parse::<usize>().ok().filter(|level| *level < COLUMNS_MAX / 4)?;
    Some((level, side + what))
}

/// Whether a path names a dataset, in the file's name or a folder as Tardis lays them out.
fn is_named(file: &str, dataset: &str) -> bool {
    file.split(['/', '\\']).any(|part| {
        part == dataset
            || part.split('.').any(|word| word == dataset)
            || part.contains(&format!("_{dataset}_"))
            || part.starts_with(&format!("{dataset}_"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "exchange,symbol,timestamp,local_timestamp";

    fn dataset(rest: &str, file: &str) -> Result<String, String> {
        Schema::of(format!("{BASE}{rest}").as_bytes(), file, None).map(|s| s.dataset.name)
    }

    #[test]
    fn a_dataset_is_told_by_its_columns_and_where_they_are_the_same_by_its_name() {
        let levels = ",asks[0].price,asks[0].amount,bids[0].price,bids[0].amount";
        for (rest, file, expected) in [
            (",is_snapshot,side,price,amount", "x", "incremental_book_L2"),
            (levels, "x", "book_snapshot_1"),
            (",id,side,price,amount", "x", "trades"),
            (",id,side,price,amount", "a/bybit_liquidations_2024-01-01_BTC.csv.gz", "liquidations"),
            (",id,side,price,amount", "d/liquidations/2024/01/01/BTC.csv.gz", "liquidations"),
            (",id,side,price,amount", "d/x.liquidations.csv", "liquidations"),
            (",ask_amount,ask_price,bid_price,bid_amount", "x", "quotes"),
            (",ask_amount,ask_price,bid_price,bid_amount", "a/x.book_ticker.csv", "book_ticker"),
            (",funding_rate,mark_price", "x", "derivative_ticker"),
            (",type,strike_price,mark_price", "x", "options_chain"),
        ] {
            assert_eq!(dataset(rest, file).as_deref(), Ok(expected), "{rest} {file}");
        }
    }

    #[test]
    fn what_is_no_dataset_says_why() {
        for (header, why) in [
            ("symbol,timestamp,first_update_id,side,price", "without column \"exchange\""),
            ("exchange,symbol,timestamp,local_timestamp", "no known dataset"),
            ("exchange,symbol,symbol,timestamp,local_timestamp", "stands twice"),
            ("exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price", "\"amount\""),
            ("exchange,symbol,timestamp,local_timestamp,asks[0].price", "levels are missing"),
        ] {
            let error = Schema::of(header.as_bytes(), "x", None).unwrap_err();
            assert!(error.contains(why), "{header}: {error}");
        }
        let wide = vec![b','; 1_000_000];
        assert!(Schema::of(&wide, "x", None).unwrap_err().contains("4096 columns"));
    }

    #[test]
    fn only_tardis_own_order_takes_the_quick_way() {
        let usual = format!("{BASE},is_snapshot,side,price,amount");
        assert!(Schema::of(usual.as_bytes(), "x", None).unwrap().usual_book);
        for other in [format!("{usual},more"), format!("is_snapshot,{BASE},side,price,amount")] {
            assert!(!Schema::of(other.as_bytes(), "x", None).unwrap().usual_book);
        }
    }
}
