//! Feature columns: floats computed from a live book, and the trades of its symbol, row by row.
//!
//! `Pb, Qb, Pa, Qa` are price and size of the best bid and ask, in the venue's units.
//!
//! | expression | formula | unit |
//! |---|---|---|
//! | `mid` | (Pb + Pa) / 2 | price |
//! | `spread` | Pa − Pb | price |
//! | `spread_bps` | 10⁴ · (Pa − Pb) / mid | basis points |
//! | `microprice` | (Pb·Qa + Pa·Qb) / (Qb + Qa) | price |
//! | `imbalance(n)` | (B − A) / (B + A), the sizes of the best n levels summed | −1..1 |
//! | `bid_depth(x)`, `ask_depth(x)` | size within x basis points of mid, the limit too | size |
//! | `vwap_buy(q)`, `vwap_sell(q)` | mean price of taking size q from asks, from bids | price |
//! | `ofi` | order-flow imbalance at the best prices, summed since the row before | size |
//! | `rv(t)` | √Σ ln(midᵢ / midᵢ₋₁)² over the changes of mid in the last t | 1 |
//! | `buy_volume(t)`, `sell_volume(t)` | size that takers bought, sold in the last t | size |
//! | `trade_sign(t)` | (buy − sell) / (buy + sell) of those | −1..1 |
//! | `trade_count(t)` | trades in the last t | count |
//!
//! Order-flow imbalance (Cont, Kukanov, Stoikov 2014), for each change of the book from `′`:
//! `[Pb ≥ Pb′]·Qb − [Pb ≤ Pb′]·Qb′ − [Pa ≤ Pa′]·Qa + [Pa ≥ Pa′]·Qa′`.
//!
//! A window `t` is written `500ms`, `10s`, `5m` or `1h` and reaches back from the row's receive
//! time, which it includes; its far end it does not. NaN where the book has not what is asked for:
//! an empty side, less than `q` to take, no trade. Windows begin anew with every gap.

use crate::ExtractError;
use gapless::book::book::Book;
use gapless::book::event::{Side, TakerSide};
use gapless::convert::scaled_f64;
use std::collections::VecDeque;
use std::str::FromStr;

/// Most entries of a window; older ones leave it.
pub const WINDOW_MAX: usize = 1 << 20;

/// One expression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Feature {
    /// Middle of the best prices.
    Mid,
    /// Best ask minus best bid.
    Spread,
    /// As a share of mid, in basis points.
    SpreadBps,
    /// Middle weighted by the sizes of the other sides.
    Microprice,
    /// Balance of the best levels.
    Imbalance(usize),
    /// Size within so many basis points of mid.
    Depth(Side, f64),
    /// Mean price of taking a size from a side.
    Vwap(Side, f64),
    /// Order-flow imbalance since the row before.
    Ofi,
    /// Realised volatility over a window, ns.
    Volatility(i64),
    /// Traded size of one taker side over a window, ns.
    Volume(TakerSide, i64),
    /// Balance of traded sizes over a window, ns.
    TradeSign(i64),
    /// Trades in a window, ns.
    TradeCount(i64),
}

impl FromStr for Feature {
    type Err = ExtractError;

    fn from_str(text: &str) -> Result<Self, ExtractError> {
        let wrong = || ExtractError::Feature(text.to_owned());
        let (name, argument) = match text.split_once('(') {
            None => (text.trim(), None),
            Some((name, rest)) => {
                (name.trim(), Some(rest.trim().strip_suffix(')').ok_or_else(wrong)?.trim()))
            }
        };
        let positive = |argument: &str| {
            argument.parse::<f64>().ok().filter(|value| *value > 0.0 && value.is_finite())
        };
        let read = match (name, argument) {
            ("mid", None) => Some(Self::Mid),
            ("spread", None) => Some(Self::Spread),
            ("spread_bps", None) => Some(Self::SpreadBps),
            ("microprice", None) => Some(Self::Microprice),
            ("ofi", None) => Some(Self::Ofi),
            ("imbalance", Some(n)) => {
                n.parse().ok().filter(|n| (1..=1000).contains(n)).map(Self::Imbalance)
            }
            ("bid_depth", Some(x)) => positive(x).map(|x| Self::Depth(Side::Bid, x)),
            ("ask_depth", Some(x)) => positive(x).map(|x| Self::Depth(Side::Ask, x)),
            ("vwap_buy", Some(q)) => positive(q).map(|q| Self::Vwap(Side::Ask, q)),
            ("vwap_sell", Some(q)) => positive(q).map(|q| Self::Vwap(Side::Bid, q)),
            ("rv", Some(t)) => window(t).map(Self::Volatility),
            ("buy_volume", Some(t)) => window(t).map(|t| Self::Volume(TakerSide::Buy, t)),
            ("sell_volume", Some(t)) => window(t).map(|t| Self::Volume(TakerSide::Sell, t)),
            ("trade_sign", Some(t)) => window(t).map(Self::TradeSign),
            ("trade_count", Some(t)) => window(t).map(Self::TradeCount),
            _ => None,
        };
        read.ok_or_else(wrong)
    }
}

/// Reads a span of time: `500ms`, `10s`, `5m`, `1h`; ns.
#[must_use]
pub fn window(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit_scale = match unit.trim() {
        "ns" => 0,
        "us" => 3,
        "ms" => 6,
        "s" | "m" | "h" => 9,
        _ => return None,
    };
    let factor = match unit.trim() {
        "m" => 60,
        "h" => 3600,
        _ => 1,
    };
    let value = gapless::book::decimal::Decimal::parse(number.as_bytes()).ok()?;
    value.at_scale(unit_scale)?.checked_mul(factor).filter(|ns| *ns > 0)
}

impl Feature {
    /// Whether it looks at trades.
    #[must_use]
    pub const fn needs_trades(self) -> bool {
        matches!(self, Self::Volume(..) | Self::TradeSign(_) | Self::TradeCount(_))
    }

    /// Its unit, for the schema.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Mid | Self::Spread | Self::Microprice | Self::Vwap(..) => "price",
            Self::SpreadBps => "bps",
            Self::Depth(..) | Self::Ofi | Self::Volume(..) => "size",
            Self::TradeCount(_) => "count",
            Self::Imbalance(_) | Self::Volatility(_) | Self::TradeSign(_) => "1",
        }
    }
}

/// A window over time of values and a running sum; what is asked for is at most `span` old.
#[derive(Clone, Debug, Default)]
struct Window {
    entries: VecDeque<(i64, f64)>,
    sum: f64,
}

impl Window {
    fn push(&mut self, now_ns: i64, value: f64) {
        if self.entries.len() == WINDOW_MAX {
            self.pop();
        }
        self.entries.push_back((now_ns, value));
        self.sum += value;
    }

    fn pop(&mut self) {
        if let Some((_, value)) = self.entries.pop_front() {
            self.sum -= value;
        }
        if self.entries.is_empty() {
            // What rounding left behind.
            self.sum = 0.0;
        }
    }

    /// Drops what is older than `span` before `now_ns`.
    fn until(&mut self, now_ns: i64, span: i64) -> &Self {
        while self.entries.front().is_some_and(|(at, _)| *at <= now_ns.saturating_sub(span)) {
            self.pop();
        }
        self
    }
}

#[derive(Clone, Copy, Debug)]
struct Best {
    bid: f64,
    bid_size: f64,
    ask: f64,
    ask_size: f64,
}

impl Best {
    fn of(book: &Book) -> Option<Self> {
        let (bid, ask, scales) = (book.best_bid()?, book.best_ask()?, book.scales());
        Some(Self {
            bid: scaled_f64(bid.price, scales.price),
            bid_size: scaled_f64(bid.qty, scales.qty),
            ask: scaled_f64(ask.price, scales.price),
            ask_size: scaled_f64(ask.qty, scales.qty),
        })
    }

    fn mid(&self) -> f64 {
        f64::midpoint(self.bid, self.ask)
    }

    fn flow(&self, before: &Self) -> f64 {
        let when = |is: bool, size: f64| if is { size } else { 0.0 };
        when(self.bid >= before.bid, self.bid_size)
            - when(self.bid <= before.bid, before.bid_size)
            - when(self.ask <= before.ask, self.ask_size)
            + when(self.ask >= before.ask, before.ask_size)
    }
}

/// What one expression remembers of one book.
#[derive(Clone, Debug, Default)]
struct Memory {
    /// Squared returns, or sizes of takers that bought.
    first: Window,
    /// Sizes of takers that sold.
    second: Window,
}

/// The features of one book.
#[derive(Clone, Debug)]
pub struct Features {
    wanted: Vec<Feature>,
    memory: Vec<Memory>,
    best: Option<Best>,
    flow: f64,
}

impl Features {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(wanted: &[Feature]) -> Self {
        let memory = vec![Memory::default(); wanted.len()];
        Self { wanted: wanted.to_vec(), memory, best: None, flow: 0.0 }
    }

    /// The book is not live: what was seen before says nothing of what comes.
    pub fn void(&mut self) {
        *self = Self::new(&self.wanted);
    }

    /// A row was made.
    pub const fn shown(&mut self) {
        self.flow = 0.0;
    }

    /// A trade of the book's symbol.
    pub fn trade(&mut self, now_ns: i64, side: TakerSide, size: f64) {
        for (feature, memory) in self.wanted.iter().zip(&mut self.memory) {
            if !feature.needs_trades() {
                continue;
            }
            match side {
                TakerSide::Buy => memory.first.push(now_ns, size),
                TakerSide::Sell => memory.second.push(now_ns, size),
                TakerSide::Unknown if matches!(feature, Feature::TradeCount(_)) => {
                    memory.first.push(now_ns, 0.0);
                }
                TakerSide::Unknown => {}
            }
        }
    }

    /// The live book has changed.
    pub fn change(&mut self, now_ns: i64, book: &Book) {
        if self.wanted.is_empty() {
            return;
        }
        let best = Best::of(book);
        if let (Some(best), Some(before)) = (&best, &self.best) {
            self.flow += best.flow(before);
            let change = (best.mid() / before.mid()).ln();
            if change != 0.0 {
                for (feature, memory) in self.wanted.iter().zip(&mut self.memory) {
                    if matches!(feature, Feature::Volatility(_)) {
                        memory.first.push(now_ns, change * change);
                    }
                }
            }
        }
        self.best = best;
    }

    /// The values at `now_ns`, in the order that they were asked for.
    pub fn values(&mut self, now_ns: i64, book: &Book, out: &mut Vec<f64>) {
        out.clear();
        for at in 0..self.wanted.len() {
            out.push(self.value(at, now_ns, book).unwrap_or(f64::NAN));
        }
    }

    /// Brings the values of windows to `now_ns`; the book has not changed since the others were
    /// computed.
    pub fn refresh(&mut self, now_ns: i64, values: &mut [f64]) {
        for (at, value) in values.iter_mut().enumerate() {
            if let Some(now) = self.windowed(at, now_ns) {
                *value = now;
            }
        }
    }

    /// The value of a feature that looks back; `None` for one of the book alone.
    fn windowed(&mut self, at: usize, now_ns: i64) -> Option<f64> {
        let (feature, memory) = (*self.wanted.get(at)?, self.memory.get_mut(at)?);
        Some(match feature {
            Feature::Volatility(span) => memory.first.until(now_ns, span).sum.max(0.0).sqrt(),
            Feature::Volume(TakerSide::Buy, span) => memory.first.until(now_ns, span).sum,
            Feature::Volume(_, span) => memory.second.until(now_ns, span).sum,
            Feature::TradeSign(span) => {
                let buy = memory.first.until(now_ns, span).sum;
                balance(buy, memory.second.until(now_ns, span).sum)
            }
            Feature::TradeCount(span) => {
                let buy = memory.first.until(now_ns, span).entries.len();
                let sell = memory.second.until(now_ns, span).entries.len();
                #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
                let count = (buy + sell) as f64;
                count
            }
            _ => return None,
        })
    }

    fn value(&mut self, at: usize, now_ns: i64, book: &Book) -> Option<f64> {
        let feature = *self.wanted.get(at)?;
        let best = self.best;
        Some(match feature {
            Feature::Mid => best?.mid(),
            Feature::Spread => best?.ask - best?.bid,
            Feature::SpreadBps => 1e4 * (best?.ask - best?.bid) / best?.mid(),
            Feature::Microprice => {
                let best = best?;
                let weighted = best.bid * best.ask_size + best.ask * best.bid_size;
                weighted / (best.bid_size + best.ask_size)
            }
            Feature::Imbalance(n) => {
                let sum = |side| {
                    let scale = book.scales().qty;
                    book.depth(side, n).map(|level| scaled_f64(level.qty, scale)).sum::<f64>()
                };
                balance(sum(Side::Bid), sum(Side::Ask))
            }
            Feature::Depth(side, bps) => depth(book, side, bps, best?.mid()),
            Feature::Vwap(side, size) => vwap(book, side, size)?,
            Feature::Ofi => self.flow,
            _ => return self.windowed(at, now_ns),
        })
    }
}

/// (a − b) / (a + b); NaN where both are zero.
fn balance(a: f64, b: f64) -> f64 {
    (a - b) / (a + b)
}

fn depth(book: &Book, side: Side, bps: f64, mid: f64) -> f64 {
    let scales = book.scales();
    let reach = mid * bps / 1e4;
    let near = book.side(side).iter().take_while(|level| {
        let price = scaled_f64(level.price, scales.price);
        match side {
            Side::Bid => price >= mid - reach,
            Side::Ask => price <= mid + reach,
        }
    });
    near.map(|level| scaled_f64(level.qty, scales.qty)).sum()
}

fn vwap(book: &Book, side: Side, size: f64) -> Option<f64> {
    let scales = book.scales();
    let (mut left, mut paid) = (size, 0.0);
    for level in book.side(side).iter() {
        let (price, qty) =
            (scaled_f64(level.price, scales.price), scaled_f64(level.qty, scales.qty));
        let taken = qty.min(left);
        paid += taken * price;
        left -= taken;
        if left <= 0.0 {
            return Some(paid / size);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_or_refused_by_name() {
        assert_eq!("mid".parse::<Feature>().ok(), Some(Feature::Mid));
        assert_eq!("imbalance(5)".parse::<Feature>().ok(), Some(Feature::Imbalance(5)));
        assert_eq!("rv( 1.5s )".parse::<Feature>().ok(), Some(Feature::Volatility(1_500_000_000)));
        for wrong in ["", "mid()", "imbalance", "imbalance(0)", "rv(5)", "vwap_buy(-1)", "x(1)"] {
            let error = wrong.parse::<Feature>().unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn a_window_forgets_what_is_older_and_keeps_no_rounding() {
        let mut window = Window::default();
        window.push(0, 0.1);
        window.push(5, 0.2);
        assert!((window.until(9, 10).sum - 0.3).abs() < 1e-12);
        assert!((window.until(10, 10).sum - 0.2).abs() < 1e-12);
        assert!(window.until(15, 10).sum.abs() == 0.0);
    }
}
