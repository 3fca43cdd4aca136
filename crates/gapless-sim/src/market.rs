//! The market: symbols whose books move by themselves, from a seed, in virtual time.
//!
//! One call of [`Market::step`] is one activity of one symbol: a handful of touched levels,
//! perhaps trades, perhaps a forced liquidation. Invariants, after every step: no book is crossed
//! or locked, each side keeps at least one level and at most `levels_max`, and every price whose
//! size may have changed since is named in the [`Activity`] — also one that is back at its old
//! size, because venues such as Binance send every level touched (protocols.md 0.6.21). Nothing
//! here knows a venue; [`crate::dialect`] puts activities into words.

use gapless_book::decimal::Decimal;
use gapless_book::event::Side;

use crate::book::{Book, Grid, Level};
use crate::profile::Profile;
use crate::rng::Rng;

/// Contracts, underlying and steps of one symbol, with its statistics.
#[derive(Clone, Debug)]
pub struct SymbolSpec {
    /// The venue's name for it (`BTCUSDT`, `BTC-USDT-SWAP`, `BTC-PERPETUAL`).
    pub name: String,
    /// Price and size steps.
    pub grid: Grid,
    /// Where the price starts, in ticks.
    pub mid_ticks: i64,
    /// How it moves.
    pub profile: Profile,
}

impl SymbolSpec {
    /// A symbol from mantissas and scales: `tick = (1, 1)` is 0.1.
    #[must_use]
    pub fn new(name: &str, tick: (i64, u8), lot: (i64, u8), mid: i64, profile: Profile) -> Self {
        let grid = Grid { tick: Decimal::new(tick.0, tick.1), lot: Decimal::new(lot.0, lot.1) };
        Self { name: name.to_owned(), grid, mid_ticks: mid, profile }
    }
}

/// A fill of a taker's order at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Contiguous per symbol, from 1.
    pub id: u64,
    /// Price in ticks.
    pub ticks: i64,
    /// Size in lots.
    pub lots: i64,
    /// Side of the taker: `Bid` bought.
    pub taker: Side,
    /// The taker was a forced liquidation.
    pub liquidation: bool,
}

/// A position closed by force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liquidation {
    /// Side of the order that closed it: `Ask` = a long was closed.
    pub order_side: Side,
    /// Bankruptcy price in ticks.
    pub bankruptcy_ticks: i64,
    /// Price of the last fill in ticks.
    pub fill_ticks: i64,
    /// Lots filled, all of the order.
    pub lots: i64,
}

/// What one symbol did at one moment.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// Virtual time, nanoseconds since the Unix epoch.
    pub at_ns: u64,
    /// Index of the symbol in the market.
    pub symbol: usize,
    /// Prices touched, in ticks, in order of happening, with repeats.
    pub touched: Vec<(Side, i64)>,
    /// Fills, in order.
    pub trades: Vec<Trade>,
    /// The forced order behind the fills, if it was one.
    pub liquidation: Option<Liquidation>,
}

/// What derivatives quote beside the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Mark price, tenths of a tick.
    pub mark_tenths: i64,
    /// Index price, tenths of a tick.
    pub index_tenths: i64,
    /// Funding rate in units of 1e-8.
    pub funding_e8: i64,
    /// Open interest in lots.
    pub open_interest: i64,
}

/// One symbol: what it is, its true book and its reference prices.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// What it is.
    pub spec: SymbolSpec,
    /// The true book.
    pub truth: Book,
    /// Mark, index, funding, open interest.
    pub reference: Reference,
    /// Price of the last trade, ticks.
    pub last_ticks: i64,
    trades: u64,
    rng: Rng,
    next_ns: u64,
    burst: Burst,
}

/// A spell of high activity in one direction.
#[derive(Clone, Copy, Debug)]
struct Burst {
    left: u64,
    taker: Side,
}

/// Symbols moving in virtual time.
#[derive(Clone, Debug)]
pub struct Market {
    symbols: Vec<Symbol>,
}

/// Most levels that one sweep may take out.
const SWEEP_LEVELS_MAX: usize = 12;

impl Market {
    /// A market of the given symbols, all books filled, starting at `start_ns`.
    #[must_use]
    pub fn new(seed: u64, specs: &[SymbolSpec], start_ns: u64) -> Self {
        let mut rng = Rng::new(seed);
        let symbols =
            specs.iter().map(|spec| Symbol::new(spec.clone(), rng.fork(), start_ns)).collect();
        Self { symbols }
    }

    /// The symbols, in the order of their specs.
    #[must_use]
    pub fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// When the next activity happens; `None` for a market without symbols.
    #[must_use]
    pub fn next_ns(&self) -> Option<u64> {
        self.symbols.iter().map(|symbol| symbol.next_ns).min()
    }

    /// Nothing happens in a symbol before this time.
    pub fn halt(&mut self, symbol: usize, until_ns: u64) {
        if let Some(symbol) = self.symbols.get_mut(symbol) {
            symbol.next_ns = symbol.next_ns.max(until_ns);
        }
    }

    /// What should have happened while nobody called happens from now on instead.
    pub fn catch_up(&mut self, now_ns: u64) {
        self.symbols.iter_mut().for_each(|symbol| symbol.next_ns = symbol.next_ns.max(now_ns));
    }

    /// Makes a symbol's tick finer: its tenth, hundredth, … by `factor`. Whether it could: prices
    /// have at most eight decimals.
    pub fn refine(&mut self, symbol: usize, factor: i64) -> bool {
        let Some(symbol) = self.symbols.get_mut(symbol) else { return false };
        let grid = symbol.spec.grid;
        let finer = Decimal::new(grid.tick.mantissa(), grid.tick.scale() + 1);
        let unit = Decimal::new(grid.tick.mantissa() * factor, grid.tick.scale() + 1);
        if finer.scale() > 8 || unit != grid.tick {
            return false;
        }
        symbol.spec.grid.tick = finer;
        symbol.truth = symbol.truth.refined(symbol.spec.grid, factor);
        symbol.spec.mid_ticks *= factor;
        symbol.last_ticks *= factor;
        symbol.reference.mark_tenths *= factor;
        symbol.reference.index_tenths *= factor;
        true
    }

    /// Lets the next activity happen.
    pub fn step(&mut self) -> Activity {
        let due = (0..self.symbols.len()).min_by_key(|&i| self.symbols[i].next_ns);
        due.map_or_else(Activity::default, |index| self.symbols[index].act(index))
    }
}

impl Symbol {
    fn new(spec: SymbolSpec, mut rng: Rng, start_ns: u64) -> Self {
        let tenths = spec.mid_ticks * 10;
        let reference = Reference {
            mark_tenths: tenths,
            index_tenths: tenths + 3,
            funding_e8: 10_000,
            open_interest: i64_of(rng.between(1_000_000, 9_000_000)),
        };
        let mut symbol = Self {
            truth: Book::new(spec.grid),
            last_ticks: spec.mid_ticks,
            reference,
            trades: 0,
            next_ns: start_ns + rng.geometric(spec.profile.gap_ns),
            burst: Burst { left: 0, taker: Side::Bid },
            rng,
            spec,
        };
        symbol.fill();
        symbol
    }

    /// Ids of trades run from 1; this is the last one.
    #[must_use]
    pub const fn last_trade_id(&self) -> u64 {
        self.trades
    }

    fn fill(&mut self) {
        let mid = self.spec.mid_ticks;
        for (side, best) in [(Side::Bid, mid), (Side::Ask, mid + 1)] {
            let lots = self.lots();
            self.truth.set(side, best, lots);
            for _ in 0..self.spec.profile.levels * 4 {
                if self.truth.len(side) >= self.spec.profile.levels {
                    break;
                }
                let ticks = self.price_near(side, best);
                let lots = self.lots();
                self.truth.set(side, ticks, lots);
            }
        }
    }

    fn act(&mut self, index: usize) -> Activity {
        let mut activity = Activity { at_ns: self.next_ns, symbol: index, ..Activity::default() };
        self.begin_or_continue_burst();
        if self.rng.chance(if self.burst.left > 0 { 600 } else { self.spec.profile.trade_permille })
        {
            self.sweep(&mut activity);
        }
        let factor = if self.burst.left > 0 { 4 } else { 1 };
        for _ in 0..=self.rng.geometric(self.spec.profile.touches) * factor {
            self.touch(&mut activity);
        }
        self.requote(&mut activity);
        self.drift();
        let gap = self.spec.profile.gap_ns / if self.burst.left > 0 { 16 } else { 1 };
        self.next_ns += 1_000 + self.rng.geometric(gap);
        activity
    }

    fn begin_or_continue_burst(&mut self) {
        if self.burst.left > 0 {
            self.burst.left -= 1;
        } else if self.rng.chance(self.spec.profile.burst_permille) {
            self.burst = Burst { left: self.rng.between(10, 40), taker: self.any_side() };
        }
    }

    /// A taker's order eats levels from the top of the other side.
    fn sweep(&mut self, activity: &mut Activity) {
        let burst = self.burst.left > 0;
        let taker = if burst { self.burst.taker } else { self.any_side() };
        let liquidation = self.rng.chance(if burst { 250 } else { 15 });
        let mut left = self.lots() * if burst { 3 } else { 1 };
        let mut filled = 0;
        for _ in 0..SWEEP_LEVELS_MAX {
            let resting = opposite(taker);
            let Some(level) = self.truth.best(resting).filter(|_| self.truth.len(resting) > 4)
            else {
                break;
            };
            let lots = left.min(level.lots);
            self.put(activity, resting, level.ticks, level.lots - lots);
            self.trades += 1;
            self.last_ticks = level.ticks;
            let id = self.trades;
            activity.trades.push(Trade { id, ticks: level.ticks, lots, taker, liquidation });
            filled += lots;
            left -= lots;
            if left <= 0 {
                break;
            }
        }
        if liquidation && filled > 0 {
            activity.liquidation = Some(self.liquidation(taker, filled));
        }
    }

    fn liquidation(&mut self, order_side: Side, lots: i64) -> Liquidation {
        let worse = i64_of(1 + self.rng.geometric(20));
        let fill_ticks = self.last_ticks;
        let bankruptcy_ticks = match order_side {
            Side::Ask => (fill_ticks - worse).max(1),
            Side::Bid => fill_ticks + worse,
        };
        Liquidation { order_side, bankruptcy_ticks, fill_ticks, lots }
    }

    /// One level changes, comes, goes, or comes and goes between two messages.
    fn touch(&mut self, activity: &mut Activity) {
        let side = self.any_side();
        let Some(best) = self.truth.best(side) else { return };
        let ticks = self.price_near(side, best.ticks);
        let resting = self.truth.at_or_beyond(side, ticks).unwrap_or(best);
        let lots = self.lots();
        match self.rng.below(1000) {
            0..560 => self.put(activity, side, resting.ticks, lots),
            560..600 => self.put(activity, side, resting.ticks, resting.lots),
            600..640 if self.truth.lots(side, ticks) == 0 => self.put(activity, side, ticks, 0),
            _ => self.come_or_go(activity, side, ticks, resting),
        }
    }

    /// Keeps the number of levels around the profile's: the fuller the side, the likelier a
    /// level goes.
    fn come_or_go(&mut self, activity: &mut Activity, side: Side, ticks: i64, resting: Level) {
        let profile = self.spec.profile;
        let count = self.truth.len(side);
        let full = u32::try_from(count * 500 / profile.levels.max(1)).unwrap_or(1000);
        if count > 4 && (count >= profile.levels_max || self.rng.chance(full)) {
            self.put(activity, side, resting.ticks, 0);
        } else {
            let lots = self.lots();
            self.put(activity, side, ticks, lots);
        }
    }

    /// After the top was eaten or cancelled away, somebody quotes inside the spread again: on the
    /// side that was hit the price comes back, on the other it follows. Both are as likely, so the
    /// price walks.
    fn requote(&mut self, activity: &mut Activity) {
        let (Some(bid), Some(ask)) = (self.truth.best(Side::Bid), self.truth.best(Side::Ask))
        else {
            return;
        };
        let spread = ask.ticks - bid.ticks;
        if spread <= 1 || !self.rng.chance(if spread > 8 { 950 } else { 500 }) {
            return;
        }
        let behind = i64_of(1 + self.rng.geometric(1)).min(spread - 1);
        let lots = self.lots();
        match self.any_side() {
            Side::Bid => self.put(activity, Side::Bid, ask.ticks - behind, lots),
            Side::Ask => self.put(activity, Side::Ask, bid.ticks + behind, lots),
        }
    }

    /// Mark and index follow the top; funding and open interest wander.
    fn drift(&mut self) {
        let (bid, ask) = (self.truth.best(Side::Bid), self.truth.best(Side::Ask));
        if let (Some(bid), Some(ask)) = (bid, ask) {
            let mid = (bid.ticks + ask.ticks) * 5;
            self.reference.index_tenths = mid + self.wander(9);
            self.reference.mark_tenths = mid + self.wander(4);
        }
        self.reference.funding_e8 =
            (self.reference.funding_e8 + self.wander(25)).clamp(-75_000, 75_000);
        self.reference.open_interest = (self.reference.open_interest + self.wander(500)).max(1);
    }

    fn put(&mut self, activity: &mut Activity, side: Side, ticks: i64, lots: i64) {
        let last = lots <= 0 && self.truth.len(side) <= 1 && self.truth.lots(side, ticks) > 0;
        if last || (lots > 0 && self.truth.len(side) > self.spec.profile.levels_max) {
            return;
        }
        self.truth.set(side, ticks, lots);
        activity.touched.push((side, ticks));
    }

    /// A price at a drawn distance from `best`, never beyond the other side and never below one
    /// tick.
    fn price_near(&mut self, side: Side, best: i64) -> i64 {
        let profile = self.spec.profile;
        let distance = if self.rng.chance(profile.far_permille) {
            self.rng.log_uniform(profile.far_bits.0, profile.far_bits.1)
        } else {
            self.rng.geometric(profile.near_ticks)
        };
        match side {
            Side::Bid => best - i64_of(distance) % best.max(1),
            Side::Ask => best + i64_of(distance),
        }
    }

    fn lots(&mut self) -> i64 {
        i64_of(1 + self.rng.geometric(self.spec.profile.size_lots))
    }

    fn any_side(&mut self) -> Side {
        if self.rng.chance(500) { Side::Bid } else { Side::Ask }
    }

    fn wander(&mut self, most: u64) -> i64 {
        i64_of(self.rng.below(2 * most + 1)) - i64_of(most)
    }
}

/// The other side.
#[must_use]
pub const fn opposite(side: Side) -> Side {
    match side {
        Side::Bid => Side::Ask,
        Side::Ask => Side::Bid,
    }
}

fn i64_of(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn market(seed: u64) -> Market {
        let specs = [
            SymbolSpec::new("MAJOR", (1, 1), (1, 3), 912_000, Profile::MAJOR),
            SymbolSpec::new("SMALL", (1, 5), (1, 0), 2_400, Profile::SMALL_CAP),
            SymbolSpec::new("OPTION", (5, 4), (1, 1), 130, Profile::OPTION),
        ];
        Market::new(seed, &specs, 1_763_600_000_000_000_000)
    }

    fn uncrossed(book: &Book) -> bool {
        match (book.best(Side::Bid), book.best(Side::Ask)) {
            (Some(bid), Some(ask)) => 0 < bid.ticks && bid.ticks < ask.ticks,
            _ => false,
        }
    }

    #[test]
    fn no_step_crosses_a_book_empties_a_side_or_exceeds_its_levels() {
        for seed in 0..8 {
            let mut market = market(seed);
            for _ in 0..4_000 {
                let index = market.step().symbol;
                let symbol = &market.symbols()[index];
                assert!(uncrossed(&symbol.truth), "seed {seed}: {}", symbol.spec.name);
                for side in [Side::Bid, Side::Ask] {
                    assert!(symbol.truth.len(side) <= symbol.spec.profile.levels_max + 1);
                }
            }
        }
    }

    #[test]
    fn every_price_whose_size_changed_is_named_as_touched() {
        let mut market = market(3);
        for _ in 0..2_000 {
            let before = market.clone();
            let activity = market.step();
            let (old, new) = (
                &before.symbols()[activity.symbol].truth,
                &market.symbols()[activity.symbol].truth,
            );
            let mut image = old.clone();
            for (side, ticks) in &activity.touched {
                image.set(*side, *ticks, new.lots(*side, *ticks));
            }
            assert_eq!(&image, new);
        }
    }

    #[test]
    fn a_seed_is_a_market_and_another_seed_another() {
        let run = |seed| {
            let mut market = market(seed);
            (0..500).for_each(|_| drop(market.step()));
            market.symbols().iter().map(|s| s.truth.canonical_sha256()).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn time_goes_forward_and_trade_ids_are_contiguous() {
        let mut market = market(5);
        let mut last = 0;
        let mut ids = vec![0; market.symbols().len()];
        for _ in 0..3_000 {
            let activity = market.step();
            assert!(activity.at_ns >= last);
            last = activity.at_ns;
            for trade in activity.trades {
                ids[activity.symbol] += 1;
                assert_eq!(trade.id, ids[activity.symbol]);
            }
        }
        assert!(ids[0] > 100 && ids[1] > 20, "{ids:?}");
    }

    #[test]
    fn the_price_walks_and_liquidations_come_in_bursts_of_one_side() {
        let mut market = market(11);
        let mut same_side_neighbours = 0;
        let mut previous: Option<(u64, Side)> = None;
        for _ in 0..30_000 {
            let activity = market.step();
            let Some(liquidation) = activity.liquidation else { continue };
            if let Some((at, side)) = previous
                && activity.at_ns - at < 500_000_000
                && side == liquidation.order_side
            {
                same_side_neighbours += 1;
            }
            previous = Some((activity.at_ns, liquidation.order_side));
        }
        assert!(same_side_neighbours > 10, "{same_side_neighbours}");
        let major = &market.symbols()[0];
        assert_ne!(major.truth.best(Side::Bid).map(|l| l.ticks), Some(major.spec.mid_ticks));
    }
}
