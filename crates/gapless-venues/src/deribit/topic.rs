//! Channel names of this venue: the instrument stands in the middle of them.
//!
//! Invariant: a name taken apart and put together again is the same name.

/// A channel's name taken apart. `head` and `tail` are what surrounds the symbol, without dots at
/// the joints; a channel of no single instrument is all `head`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    /// Kind: `book`, `trades`, `chart.trades`.
    pub head: &'a str,
    /// Native symbol; empty if the channel is of no single instrument.
    pub symbol: &'a str,
    /// Interval, or group, depth and interval; may be empty.
    pub tail: &'a str,
}

/// A kind of book channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Book {
    /// A snapshot, then changes.
    Changes,
    /// Whole images.
    Images {
        /// Levels per side.
        depth: u16,
    },
}

/// The kind of book that a name's tail means. A group may have decimals.
pub(super) fn book(tail: &str) -> Option<Book> {
    if matches!(tail, "raw" | "100ms" | "agg2") {
        return Some(Book::Changes);
    }
    let mut parts = tail.rsplitn(3, '.');
    let (_, depth, _) = (parts.next()?, parts.next()?, parts.next()?);
    depth.parse().ok().map(|depth| Book::Images { depth })
}

impl<'a> Name<'a> {
    /// Takes a name apart. Symbols have no dots.
    pub fn read(name: &'a str) -> Self {
        let whole = Self { head: name, symbol: "", tail: "" };
        let kind = name.split('.').next().unwrap_or("");
        let head = match kind {
            "chart" => "chart.trades",
            // By kind of instrument and currency, not by instrument.
            "trades" if name.split('.').count() > 3 => return whole,
            "instrument" | "platform_state" | "block_rfq" | "block_trade_confirmations" => {
                return whole;
            }
            _ => kind,
        };
        let Some(rest) = name.strip_prefix(head).and_then(|rest| rest.strip_prefix('.')) else {
            return whole;
        };
        let (symbol, tail) = rest.split_once('.').unwrap_or((rest, ""));
        Self { head, symbol, tail }
    }

    /// Takes a channel without symbol apart and puts `symbol` where it belongs. Kinds that need an
    /// interval get the one that needs no login.
    pub fn of(channel: &'a str, symbol: &'a str) -> Self {
        if symbol.is_empty() {
            return Self { head: channel, symbol, tail: "" };
        }
        if let Some(tail) = channel.strip_prefix("chart.trades.") {
            return Self { head: "chart.trades", symbol, tail };
        }
        let (head, tail) = channel.split_once('.').unwrap_or((channel, ""));
        let timed = matches!(head, "book" | "trades" | "ticker" | "perpetual");
        Self { head, symbol, tail: if timed && tail.is_empty() { "100ms" } else { tail } }
    }

    /// Appends the name without the symbol.
    pub fn write_channel(&self, into: &mut String) {
        into.push_str(self.head);
        if !self.tail.is_empty() {
            into.push('.');
            into.push_str(self.tail);
        }
    }

    /// The whole name.
    pub fn whole(&self) -> String {
        let parts = [self.head, self.symbol, self.tail];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_taken_apart_and_put_together_is_the_same() {
        for (whole, channel, symbol) in [
            ("book.BTC-PERPETUAL.raw", "book.raw", "BTC-PERPETUAL"),
            ("book.BTC-PERPETUAL.none.10.100ms", "book.none.10.100ms", "BTC-PERPETUAL"),
            ("trades.BTC-PERPETUAL.100ms", "trades.100ms", "BTC-PERPETUAL"),
            ("trades.future.BTC.100ms", "trades.future.BTC.100ms", ""),
            ("quote.BTC-PERPETUAL", "quote", "BTC-PERPETUAL"),
            ("chart.trades.BTC-PERPETUAL.1", "chart.trades.1", "BTC-PERPETUAL"),
            ("deribit_volatility_index.btc_usd", "deribit_volatility_index", "btc_usd"),
            ("instrument.state.any.BTC", "instrument.state.any.BTC", ""),
            ("platform_state", "platform_state", ""),
        ] {
            let name = Name::read(whole);
            let mut without = String::new();
            name.write_channel(&mut without);
            assert_eq!((without.as_str(), name.symbol), (channel, symbol), "{whole}");
            assert_eq!(Name::of(channel, symbol).whole(), whole);
        }
    }

    #[test]
    fn a_channel_without_its_interval_gets_the_public_one() {
        assert_eq!(Name::of("book", "A").whole(), "book.A.100ms");
        assert_eq!(Name::of("quote", "A").whole(), "quote.A");
    }
}
