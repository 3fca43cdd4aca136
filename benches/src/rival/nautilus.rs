//! nautilus-model's own book, fed by typed serde_json as its adapters read: text, `f64`, its types.

use super::json::{Texts, read_texts};
use super::serde_json::SerdeJson;
use crate::feed::{DEPTH, Path, Read, Top};
use gapless_book::decimal::POW10;
use gapless_book::event::{Level, Scales};
use nautilus_model::data::{BookOrder, OrderBookDelta};
use nautilus_model::enums::{BookAction, BookType, OrderSide};
use nautilus_model::identifiers::InstrumentId;
use nautilus_model::orderbook::{BookLevel, OrderBook};
use nautilus_model::types::{Price, Quantity};

/// Decimals of its raw integers, without its feature `high-precision`.
const RAW: u8 = 9;

/// Its path.
#[derive(Default)]
pub struct Nautilus(SerdeJson);

type Levels = Vec<(Price, Quantity)>;

/// A book with its name, which every delta repeats.
pub struct Named {
    id: InstrumentId,
    book: OrderBook,
}

impl Path for Nautilus {
    const NAME: &'static str = "nautilus-model";
    type Levels = Levels;
    type Book = Named;
    type Shown = Level;

    fn read<'de>(&mut self, scales: Scales, frame: &'de mut [u8]) -> Option<Read<'de, Levels>> {
        let Texts { symbol, ids, bids, asks } = read_texts(&mut self.0, frame)?;
        let (bids, asks) = (values(scales, &bids)?, values(scales, &asks)?);
        Some(Read { symbol, ids, bids, asks })
    }

    fn load(&self, scales: Scales, bids: &[Level], asks: &[Level]) -> Named {
        let id = InstrumentId::from("SYMBOL-PERP.VENUE");
        let mut named = Named { id, book: OrderBook::new(id, BookType::L2_MBP) };
        named.side(OrderSide::Buy, &raw(scales, bids));
        named.side(OrderSide::Sell, &raw(scales, asks));
        named
    }

    fn apply(&mut self, book: &mut Named, bids: Levels, asks: Levels) {
        book.side(OrderSide::Buy, &bids);
        book.side(OrderSide::Sell, &asks);
    }

    fn publish(&self, named: &Named, top: &mut Top) {
        let book = &named.book;
        if let (Some(bid), Some(ask)) = (book.best_bid_price(), book.best_ask_price())
            && bid >= ask
        {
            return top.clear();
        }
        top.publish(book.bids(Some(DEPTH)).map(level), book.asks(Some(DEPTH)).map(level));
    }

    fn number(shown: &Level, scales: Scales) -> Level {
        let down = |value: i64, scale: u8| value / POW10[usize::from(RAW - scale)];
        Level { price: down(shown.price, scales.price), qty: down(shown.qty, scales.qty) }
    }
}

impl Named {
    fn side(&mut self, side: OrderSide, levels: &[(Price, Quantity)]) {
        for (price, size) in levels {
            let action = if size.is_zero() { BookAction::Delete } else { BookAction::Update };
            let order = BookOrder::new(side, *price, *size, 0);
            let zero = 0.into();
            let delta = OrderBookDelta::new(self.id, action, order, 0, 0, zero, zero);
            // It refuses to delete what it does not hold, which is normal on this venue.
            let _ = self.book.apply_delta(&delta);
        }
    }
}

fn level(level: &BookLevel) -> Level {
    Level { price: level.price.value.raw, qty: level.size_raw() as i64 }
}

fn values(scales: Scales, texts: &[(&str, &str)]) -> Option<Levels> {
    let value = |(price, size): &(&str, &str)| {
        let price = Price::new(price.parse().ok()?, scales.price);
        Some((price, Quantity::new(size.parse().ok()?, scales.qty)))
    };
    texts.iter().map(value).collect()
}

fn raw(scales: Scales, levels: &[Level]) -> Levels {
    let up = |value: i64, scale: u8| value * POW10[usize::from(RAW - scale)];
    let value = |level: &Level| {
        let price = Price::from_raw(up(level.price, scales.price), scales.price);
        let size = up(level.qty, scales.qty).unsigned_abs();
        (price, Quantity::from_raw(size, scales.qty))
    };
    levels.iter().map(value).collect()
}
