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
    type Levels = Levels;
    type Book = OrderBook;
    type Shown = BarterLevel;

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

    fn publish(&self, book: &OrderBook, top: &mut Top<BarterLevel>) {
        if let (Some(bid), Some(ask)) = (book.bids().best(), book.asks().best())
            && bid.price >= ask.price
        {
            return top.clear();
        }
        let bids = book.bids().levels().iter().take(DEPTH).copied();
        top.publish(bids, book.asks().levels().iter().take(DEPTH).copied());
    }

    /// Its decimals keep the zeros with which a number was written, so one book has several scales.
    fn number(shown: &BarterLevel, scales: Scales) -> Level {
        let at = |mut number: Decimal, scale: u8| {
            number.rescale(scale.into());
            number.mantissa() as i64
        };
        Level { price: at(shown.price, scales.price), qty: at(shown.amount, scales.qty) }
    }
}

/// The symbol, which its type keeps only as a part of an owned name.
fn symbol_of(frame: &[u8]) -> Option<&str> {
    const KEY: &[u8] = b"\"s\":\"";
    let rest = frame.get(memmem::find(frame, KEY)? + KEY.len()..)?;
    std::str::from_utf8(rest.get(..memchr::memchr(b'"', rest)?)?).ok()
}
