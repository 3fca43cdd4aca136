//! The columns of each kind of table.

use super::{Options, TableKind};
use crate::table::{Kind, Row, Spec, Table};
use gapless::book::event::Event;

/// An empty table of a kind.
pub(super) fn table(kind: TableKind, options: &Options) -> Table {
    let mut specs = vec![
        Spec::new("recv_ns", Kind::Time, "ns"),
        Spec::new("venue_ns", Kind::Time, "ns"),
        Spec::new("venue", Kind::Word, ""),
        Spec::new("symbol", Kind::Word, ""),
        Spec::new("venue_channel", Kind::Word, ""),
    ];
    let book = matches!(kind, TableKind::Books | TableKind::Deltas | TableKind::States);
    if book {
        specs.push(Spec::new("source", Kind::Word, ""));
        specs.push(Spec::new("input", Kind::Int, ""));
    }
    specs.extend(match kind {
        TableKind::Books => books(options),
        TableKind::Deltas => deltas(),
        TableKind::Trades => trades(),
        TableKind::Liquidations => liquidations(),
        TableKind::Funding => funding(),
        TableKind::States => states(),
    });
    let scaled: Vec<(String, &str)> = specs
        .iter()
        .filter(|spec| spec.kind == Kind::Number)
        .map(|spec| (spec.name.clone(), spec.unit))
        .collect();
    let mut table = Table::new(specs, options.numbers);
    for (name, unit) in scaled {
        let scale = match unit {
            "price" => options.price_scale,
            "size" => options.size_scale,
            _ => None,
        };
        if let Some(scale) = scale {
            table.fix_scale(&name, scale);
        }
    }
    table
}

fn price(name: impl Into<String>) -> Spec {
    Spec::new(name, Kind::Number, "price")
}

fn size(name: impl Into<String>) -> Spec {
    Spec::new(name, Kind::Number, "size")
}

fn books(options: &Options) -> Vec<Spec> {
    let mut specs = vec![Spec::new("seq", Kind::Int, ""), Spec::new("live", Kind::Int, "")];
    for level in 0..options.depth {
        let name = |what: &str| match options.depth {
            1 => what.to_owned(),
            _ => format!("{what}_{level}"),
        };
        specs.push(price(name("bid_price")));
        specs.push(size(name("bid_size")));
        specs.push(price(name("ask_price")));
        specs.push(size(name("ask_size")));
    }
    let features = options.features.iter();
    specs.extend(features.map(|(name, feature)| Spec::new(name, Kind::Float, feature.unit())));
    specs
}

fn deltas() -> Vec<Spec> {
    vec![
        Spec::new("seq", Kind::Int, ""),
        Spec::new("kind", Kind::Word, ""),
        Spec::new("side", Kind::Word, ""),
        price("price"),
        size("size"),
        Spec::new("last", Kind::Int, ""),
    ]
}

fn trades() -> Vec<Spec> {
    vec![
        Spec::new("side", Kind::Word, ""),
        price("price"),
        size("size"),
        Spec::new("count", Kind::Int, ""),
        Spec::new("flags", Kind::Int, ""),
        Spec::new("id", Kind::Text, ""),
    ]
}

fn liquidations() -> Vec<Spec> {
    vec![
        Spec::new("side", Kind::Word, ""),
        price("price"),
        size("size"),
        size("filled"),
        price("average_price"),
        Spec::new("sampled", Kind::Int, ""),
        Spec::new("flags", Kind::Int, ""),
        Spec::new("id", Kind::Text, ""),
    ]
}

fn funding() -> Vec<Spec> {
    let mut specs: Vec<Spec> = ["last", "mark", "index", "settle"].map(price).into();
    specs.push(size("open_interest"));
    specs.push(Spec::new("funding_rate", Kind::Number, "1"));
    specs.push(Spec::new("predicted_funding", Kind::Number, "1"));
    specs.push(Spec::new("funding_time_ns", Kind::Time, "ns"));
    specs
}

fn states() -> Vec<Spec> {
    let mut specs: Vec<Spec> =
        ["change", "verdict", "state", "reason"].map(|name| Spec::new(name, Kind::Word, "")).into();
    specs.extend(["expected", "got", "seq"].map(|name| Spec::new(name, Kind::Int, "")));
    specs
}

/// A row with the columns that every event has.
pub(super) fn begin<'t>(table: &'t mut Table, event: &Event<'_>, venue: &str) -> Row<'t> {
    table
        .row()
        .time(event.times.recv_ns)
        .time(event.times.venue_ns)
        .word(venue)
        .word(event.symbol)
        .word(event.channel)
}
