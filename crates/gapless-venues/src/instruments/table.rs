//! All lists together, by (venue, market, symbol).

use gapless_book::decimal::Decimal;

use super::{Instrument, List};
use crate::venue::Market;

/// The table. Sorted by its key, so that a look-up is a binary search and allocates nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instruments {
    rows: Vec<Instrument>,
}

/// A grid that is not what it was: books in the old steps begin a new epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GridChange {
    /// Venue of the instrument.
    pub venue: String,
    /// Its market.
    pub market: Market,
    /// Its symbol.
    pub symbol: String,
    /// Tick and lot before.
    pub old: (Decimal, Decimal),
    /// Tick and lot now.
    pub new: (Decimal, Decimal),
}

impl Instruments {
    /// Takes a list in; rows already known are replaced. Returns those whose grid changed.
    pub fn update(&mut self, list: List) -> Vec<GridChange> {
        let changes = list.instruments.iter().filter_map(|new| self.change(new)).collect();
        self.rows.extend(list.instruments);
        // Stable: of equal keys the later one, which is the newer, ends last and is kept.
        self.rows.sort_by(|a, b| key(a).cmp(&key(b)));
        self.rows.dedup_by(|later, kept| {
            let same = key(later) == key(kept);
            if same {
                core::mem::swap(later, kept);
            }
            same
        });
        changes
    }

    fn change(&self, new: &Instrument) -> Option<GridChange> {
        let old = self.get(&new.venue, new.market, &new.symbol)?;
        let grids = ((old.tick, old.lot), (new.tick, new.lot));
        (grids.0 != grids.1).then(|| GridChange {
            venue: new.venue.clone(),
            market: new.market,
            symbol: new.symbol.clone(),
            old: grids.0,
            new: grids.1,
        })
    }

    /// An instrument by its whole key.
    #[must_use]
    pub fn get(&self, venue: &str, market: Market, symbol: &str) -> Option<&Instrument> {
        let at = self.rows.binary_search_by(|row| key(row).cmp(&(venue, symbol, market))).ok()?;
        self.rows.get(at)
    }

    /// An instrument where the source does not say the market: found only if no other market of
    /// that venue has the symbol.
    #[must_use]
    pub fn only(&self, venue: &str, symbol: &str) -> Option<&Instrument> {
        let start = self
            .rows
            .partition_point(|row| (row.venue.as_str(), row.symbol.as_str()) < (venue, symbol));
        let mut same = self.rows.get(start..)?.iter();
        let first = same.next().filter(|row| row.venue == venue && row.symbol == symbol)?;
        let second = same.next().filter(|row| row.venue == venue && row.symbol == symbol);
        second.is_none().then_some(first)
    }

    /// Every instrument, by venue and symbol.
    pub fn iter(&self) -> impl Iterator<Item = &Instrument> {
        self.rows.iter()
    }

    /// Number of instruments.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

fn key(row: &Instrument) -> (&str, &str, Market) {
    (&row.venue, &row.symbol, row.market)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instruments::{Kind, Status};

    fn row(symbol: &str, market: Market, tick: i64) -> Instrument {
        Instrument {
            venue: "venue".to_owned(),
            symbol: symbol.to_owned(),
            market,
            kind: Kind::Unknown,
            base: String::new(),
            quote: String::new(),
            settle: String::new(),
            tick: Decimal::new(tick, 1),
            lot: Decimal::new(1, 0),
            contract_value: None,
            contract_currency: String::new(),
            status: Status::Trading,
            expiry_ns: None,
            strike: None,
        }
    }

    fn list(instruments: Vec<Instrument>) -> List {
        List { instruments, ..List::default() }
    }

    #[test]
    fn one_symbol_may_stand_in_two_markets() {
        let mut table = Instruments::default();
        table.update(list(vec![
            row("BTCUSDT", Market::Linear, 1),
            row("ETHUSDT", Market::Linear, 2),
            row("BTCUSDT", Market::Spot, 3),
        ]));
        let tick = |market| table.get("venue", market, "BTCUSDT").map(|row| row.tick);
        assert_eq!(tick(Market::Linear), Some(Decimal::new(1, 1)));
        assert_eq!(tick(Market::Spot), Some(Decimal::new(3, 1)));
        assert_eq!(tick(Market::Inverse), None);
        assert!(table.only("venue", "BTCUSDT").is_none(), "two markets, none told");
        assert_eq!(table.only("venue", "ETHUSDT").map(|row| row.market), Some(Market::Linear));
        assert!(table.only("venue", "ETH").is_none() && table.only("other", "ETHUSDT").is_none());
    }

    #[test]
    fn a_new_list_replaces_rows_and_names_the_grids_that_changed() {
        let mut table = Instruments::default();
        let old = vec![row("A", Market::Spot, 1), row("B", Market::Spot, 1)];
        assert!(table.update(list(old)).is_empty());
        let changes =
            table.update(list(vec![row("B", Market::Spot, 5), row("A", Market::Spot, 1)]));
        let named: Vec<_> = changes.iter().map(|change| change.symbol.as_str()).collect();
        assert_eq!(named, ["B"]);
        let (tick, lot) = (Decimal::new(1, 1), Decimal::new(1, 0));
        assert_eq!((changes[0].old, changes[0].new), ((tick, lot), (Decimal::new(5, 1), lot)));
        assert_eq!(table.len(), 2);
        let now = table.get("venue", Market::Spot, "B").map(|row| row.tick);
        assert_eq!(now, Some(Decimal::new(5, 1)));
    }
}
