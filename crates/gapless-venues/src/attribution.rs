//! Whose book is an unnamed message? (protocols.md 0.6.5, 0.6.6, C13)
//!
//! Some frames name no symbol or no stream. This file remembers what a connection has shown and
//! subscribed, and says to whom such a frame belongs, or that it cannot be told.

use crate::venue::{Topic, Venue};
use gapless_book::sequence::Chain;

/// Most topics remembered per connection.
pub const TOPICS_MAX: usize = 16_384;

/// What a connection has shown of itself.
#[derive(Debug, Default)]
pub struct Attribution {
    topics: Vec<(String, String)>,
    wrapped: bool,
    unwrapped: bool,
    symbol: Option<String>,
    several: bool,
    images: bool,
    deltas: bool,
}

/// What to do with a whole book that names no symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unnamed {
    /// It is a snapshot of this symbol.
    Snapshot(String),
    /// It is an image of this channel and symbol.
    Image(String, String),
    /// Keep the latest until the first delta tells the symbol.
    Keep,
    /// It is an image, and cannot be told to be of one book or another.
    AnyImage,
    /// It cannot be told.
    Drop,
}

impl Attribution {
    /// Forgets everything: a new connection.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Notes what a URL or a client's frame subscribes.
    pub fn subscribe(&mut self, topic: Topic<'_>) {
        let known = self.topics.iter().any(|(c, s)| c == topic.channel && s == topic.symbol);
        if !known && self.topics.len() < TOPICS_MAX {
            self.topics.push((topic.channel.to_owned(), topic.symbol.to_owned()));
        }
    }

    /// Notes a frame that names its symbol. Returns whether this is a second symbol's delta.
    pub fn saw(&mut self, symbol: &str, unwrapped: bool, image: bool, delta: bool) -> bool {
        self.unwrapped |= unwrapped;
        self.wrapped |= !unwrapped;
        self.images |= image;
        self.deltas |= delta;
        match self.symbol.as_deref() {
            None => self.symbol = Some(symbol.to_owned()),
            Some(first) if first != symbol => self.several = true,
            Some(_) => return false,
        }
        self.several && delta
    }

    /// Whether a delta was seen on this connection.
    #[must_use]
    pub const fn has_deltas(&self) -> bool {
        self.deltas
    }

    /// Judges a whole book without a symbol. `recorded`: it stands in a recording, where a REST
    /// body may have been written among the frames.
    #[must_use]
    pub fn unnamed<V: Venue>(&self, venue: &V, recorded: bool) -> Unnamed {
        let partial = self.images || self.books(venue).any(|book| book.2 == Chain::Image);
        if recorded && !self.unwrapped && !partial {
            return match (&self.symbol, self.several, self.deltas) {
                (_, true, _) => Unnamed::Drop,
                (Some(symbol), false, true) if self.wrapped => Unnamed::Snapshot(symbol.clone()),
                _ => Unnamed::Keep,
            };
        }
        if self.wrapped && !self.unwrapped {
            // Its images name their stream: this is none.
            return Unnamed::Drop;
        }
        let mut images = self.books(venue).filter(|(_, _, chain)| *chain == Chain::Image);
        match (images.next(), images.next()) {
            (Some((channel, symbol, _)), None) => Unnamed::Image(channel.into(), symbol.into()),
            _ => Unnamed::AnyImage,
        }
    }

    /// The book stream that a message of `symbol` outside any wrapper must be of, with its chain:
    /// the only one that the connection subscribed.
    #[must_use]
    pub fn only_book<'a, V: Venue>(
        &'a self,
        venue: &'a V,
        symbol: &str,
    ) -> Option<(&'a str, Chain)> {
        let mut books = self.books(venue);
        match (books.next(), books.next()) {
            (Some((channel, only, chain)), None) if only == symbol => Some((channel, chain)),
            _ => None,
        }
    }

    fn books<'a, V: Venue>(
        &'a self,
        venue: &'a V,
    ) -> impl Iterator<Item = (&'a str, &'a str, Chain)> {
        self.topics.iter().filter_map(|(channel, symbol)| {
            let chain = venue.rule(channel)?.chain;
            Some((channel.as_str(), symbol.as_str(), chain))
        })
    }
}
