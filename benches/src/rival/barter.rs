//! barter-data's own path: its serde type of the venue's delta, `Decimal`s, its book.

use crate::feed::{DEPTH, Path, Read, Top};
use barter_data::books::{Level as BarterLevel, OrderBook};
use barter_data::exchange::binance::book::BinanceLevel;
use barter_data::exchange::binance::futures::l2::BinanceFuturesOrderBookL2Update;
use barter_data::subscription::book::OrderBookEvent;
use gapless_book::event::{Level, Scales};
use memchr::memmem;
use rust_decimal::Decimal;
use serde::Deserialize;

/// Its path.
#[derive(Default)]
pub struct Barter;

type Levels = Vec<BinanceLevel>;

#[derive(Deserialize)]
struct Wrapped {
    data: BinanceFuturesOrderBookL2Update,
}

impl Path for Barter {
    const NAME: &'static str = "barter-data";
    const SCALES: Option<Scales> = None;
    type Levels = Levels;
    type Book = OrderBook;

    fn read<'de>(&mut self, _: Scales, frame: &'de mut [u8]) -> Option<Read<'de, Levels>> {
        let frame: &'de [u8] = frame;
        let update = if frame.starts_with(b"{\"stream\"") {
            ::serde_json::from_slice::<Wrapped>(frame).ok()?.data
        } else {
            ::serde_json::from_slice::<BinanceFuturesOrderBookL2Update>(frame).ok()?
        };
        let id = |id: u64| i64::try_from(id).unwrap_or(i64::MAX);
        let ids =
            (id(update.first_update_id), id(update.last_update_id), id(update.prev_last_update_id));
        Some(Read { symbol: symbol_of(frame)?, ids, bids: update.bids, asks: update.asks })
    }

    fn load(&self, scales: Scales, bids: &[Level], asks: &[Level]) -> OrderBook {
        let level = |level: &Level| BarterLevel {
            price: Decimal::new(level.price, scales.price.into()),
            amount: Decimal::new(level.qty, scales.qty.into()),
        };
        OrderBook::new(0, None, bids.iter().map(level), asks.iter().map(level))
    }

    fn apply(&mut self, book: &mut OrderBook, bids: Levels, asks: Levels) {
        book.update(&OrderBookEvent::Update(OrderBook::new(0, None, bids, asks)));
    }

    fn publish(&self, book: &OrderBook, top: &mut Top) {
        if let (Some(bid), Some(ask)) = (book.bids().best(), book.asks().best())
            && bid.price >= ask.price
        {
            return top.clear();
        }
        let bids = book.bids().levels().iter().take(DEPTH).map(level);
        top.publish(bids, book.asks().levels().iter().take(DEPTH).map(level));
    }
}

/// The symbol, which its type keeps only as a part of an owned name.
fn symbol_of(frame: &[u8]) -> Option<&str> {
    const KEY: &[u8] = b"\"s\":\"";
    let rest = frame.get(memmem::find(frame, KEY)? + KEY.len()..)?;
    std::str::from_utf8(rest.get(..memchr::memchr(b'"', rest)?)?).ok()
}

/// The venue writes every number of a symbol with the same decimals.
fn level(level: &BarterLevel) -> Level {
    Level { price: level.price.mantissa() as i64, qty: level.amount.mantissa() as i64 }
}
