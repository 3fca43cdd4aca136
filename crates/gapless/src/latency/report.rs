//! What was recorded, in words: a table for people, JSON for programs.

use super::legs::{Leg, Records};
use super::probe::Probe;
use serde_json::{Map, Value, json};
use std::fmt;

/// The quantiles of a report by name.
pub const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)];

/// Share of the publications below which what readers saw says nothing of the others, percent.
const SEEN_MIN: u64 = 95;

/// A report of records, with what readers saw if there were any. `Display` is the table.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    records: &'a Records,
    readers: Option<(usize, &'a Probe)>,
}

impl<'a> Report<'a> {
    /// Of an engine's records.
    #[must_use]
    pub const fn new(records: &'a Records) -> Self {
        Self { records, readers: None }
    }

    /// With what so many readers saw together.
    #[must_use]
    pub fn with_readers(mut self, count: usize, saw: &'a Probe) -> Self {
        self.readers = (count > 0).then_some((count, saw));
        self
    }

    /// One object: counts, and times in ns.
    #[must_use]
    pub fn json(&self) -> Value {
        let quantiles = |count: u64, at: &dyn Fn(f64) -> Value| -> Value {
            let mut row = Map::new();
            row.insert("count".to_owned(), json!(count));
            for (name, quantile) in QUANTILES {
                row.insert(name.to_owned(), at(quantile));
            }
            Value::Object(row)
        };
        let legs = Leg::ALL.iter().map(|leg| {
            let times = self.records.leg(*leg);
            let at = |quantile| json!(times.value_at_quantile(quantile));
            (leg.name().to_owned(), quantiles(times.len(), &at))
        });
        let venue = self.records.venue();
        let at = |quantile| json!(venue.value_at_quantile(quantile));
        let mut all = json!({
            "corrected": self.records.is_corrected(),
            "overhead_ns": self.records.overhead_ns(),
            "legs_ns": legs.collect::<Map<_, _>>(),
            "venue_ns": quantiles(venue.count(), &at),
            "venue_negative": venue.negative(),
        });
        if let (Some(all), Some((count, saw))) = (all.as_object_mut(), self.readers) {
            let read = saw.times();
            let at = |quantile| json!(read.value_at_quantile(quantile));
            all.insert("read_ns".to_owned(), quantiles(read.count(), &at));
            all.insert("read_void".to_owned(), json!(is_void(saw)));
            all.insert("readers".to_owned(), json!(count));
            all.insert("books_a_reader".to_owned(), json!(saw.books()));
            all.insert("publications_seen".to_owned(), json!(saw.seen()));
            all.insert("publications_sent".to_owned(), json!(saw.sent()));
        }
        all
    }

    /// What must be known to understand the figures.
    fn notes(&self) -> Vec<String> {
        let venue = self.records.venue();
        let mut notes = vec![
            format!(
                "venue: between two clocks, from the venue's time to the receipt; {} of {} are \
                 negative",
                venue.negative(),
                venue.count()
            ),
            if self.records.is_corrected() {
                "from_due: corrected for coordinated omission; a frame that had to wait is charged \
                 for it"
            } else {
                "not corrected for coordinated omission: nothing says when a frame was due, these \
                 are service times"
            }
            .to_owned(),
        ];
        if let Some((count, saw)) = self.readers {
            notes.push(format!(
                "read: from the stamp with which a publication begins to its first sight by one of \
                 {count} readers, each of which looks at {} books in turn; {} of {} publications \
                 were seen, those written over before are not timed",
                saw.books(),
                saw.seen(),
                saw.sent()
            ));
            if is_void(saw) {
                notes.push(format!(
                    "read is VOID: fewer than {SEEN_MIN} % of the publications were seen; slow the \
                     replay down, or give each reader a core"
                ));
            }
        }
        notes.push(format!("measuring adds {} ns to a message", self.records.overhead_ns()));
        notes
    }
}

fn is_void(saw: &Probe) -> bool {
    saw.seen().saturating_mul(100) < saw.sent().saturating_mul(SEEN_MIN)
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<12}{:>12}", "ns", "count")?;
        QUANTILES.iter().try_for_each(|(name, _)| write!(f, "{name:>14}"))?;
        writeln!(f)?;
        let mut row = |name: &str, count: u64, at: &dyn Fn(f64) -> i64| {
            if count == 0 {
                return Ok(());
            }
            write!(f, "{name:<12}{count:>12}")?;
            QUANTILES.iter().try_for_each(|(_, quantile)| write!(f, "{:>14}", at(*quantile)))?;
            writeln!(f)
        };
        let venue = self.records.venue();
        row("venue", venue.count(), &|quantile| venue.value_at_quantile(quantile))?;
        for leg in Leg::ALL {
            let times = self.records.leg(leg);
            let at = |q| i64::try_from(times.value_at_quantile(q)).unwrap_or(i64::MAX);
            row(leg.name(), times.len(), &at)?;
        }
        if let Some((_, saw)) = self.readers {
            let read = saw.times();
            row("read", read.count(), &|quantile| read.value_at_quantile(quantile))?;
        }
        self.notes().iter().try_for_each(|note| writeln!(f, "{note}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_its_figures_leave_out() {
        let (records, probe) = (Records::new(), Probe::new());
        let plain = Report::new(&records);
        assert!(plain.to_string().contains("not corrected for coordinated omission"));
        assert!(!plain.to_string().contains("VOID") && plain.json().get("read_ns").is_none());
        let watched = Report::new(&records).with_readers(2, &probe);
        assert!(!watched.to_string().contains("VOID"), "nothing was sent, nothing was missed");
        assert_eq!(watched.json()["readers"], 2);
        assert!(watched.to_string().contains("one of 2 readers"));
    }
}
