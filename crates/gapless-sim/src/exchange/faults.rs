//! What goes wrong, by script or by seed; each time is counted.
//!
//! A rule names a fault, when it strikes and whom. It is asked at *opportunities*: each kind of
//! fault has one [`Point`] at which it may happen (a data frame about to leave, a request, a
//! second that passed). A script is text, one rule a line:
//!
//! ```text
//! # fault         when and whom
//! drop            every=500 symbol=BTCUSDT
//! drop            chance=0.01 peer=127.0.0.3
//! reset           at=3s
//! stall 2s        chance=0.001 from=5s until=20s
//! refuse 429      nth=3
//! status 418      at=10s times=2
//! ```

use std::collections::BTreeMap;

use crate::rng::Rng;

/// One thing that can go wrong. Durations are nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A data frame is lost.
    Drop,
    /// A data frame comes twice.
    Duplicate,
    /// A data frame comes after the next one of its connection.
    Reorder,
    /// A data frame and all behind it come later.
    Delay(u64),
    /// A byte of a data frame is another one.
    Corrupt,
    /// A data frame ends early.
    Truncate,
    /// A data frame names another symbol.
    WrongSymbol,
    /// A book message carries a checksum that is not the book's (where the venue has one).
    Checksum,
    /// The bytes of a data frame trickle over this time.
    Dribble(u64),
    /// A connection says nothing for this long; then everything comes at once.
    Stall(u64),
    /// A connection loses all data for this long, while it answers pings.
    Silence(u64),
    /// A connection's peer is gone and nobody was told.
    HalfOpen,
    /// A connection ends with an RST.
    Reset,
    /// A connection is closed with this code.
    Close(u16),
    /// The venue announces that it will close the connection after this time, and does.
    Shutdown(u64),
    /// The request for a WebSocket is answered with this status.
    Refuse(u16),
    /// A subscription is not acknowledged.
    NoAck,
    /// A subscription is refused.
    SubscribeError,
    /// A REST request is answered with this status.
    Status(u16),
    /// A REST request is answered with a page of HTML and this status.
    Html(u16),
    /// A REST request is answered with status 200 and an error.
    ErrorBody,
    /// A REST answer takes this much longer.
    Slow(u64),
    /// The body of a REST answer trickles over this time.
    SlowBody(u64),
    /// The body of a REST answer ends early.
    Cut,
    /// A REST request is answered with so many MiB of nothing.
    HugeBody(u32),
    /// A snapshot is this many messages old.
    OldSnapshot(u32),
    /// A snapshot is this much newer than what the stream has sent.
    LateSnapshot(u64),
    /// A REST snapshot whose own sides cross.
    CrossedSnapshot,
    /// A REST snapshot without levels.
    EmptySnapshot,
    /// A REST snapshot of another symbol, where the body names it.
    ForeignSnapshot,
    /// The venue begins its sequences anew, lower.
    SequenceReset,
    /// The venue closes every connection and refuses all for this long.
    Maintenance(u64),
    /// A symbol is traded no more.
    Delist,
    /// A symbol's tick becomes ten times finer.
    TickChange,
    /// Nothing happens in a symbol for this long.
    Halt(u64),
}

/// Where faults may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// A data frame is about to leave on a connection.
    Frame,
    /// A WebSocket is asked for.
    Upgrade,
    /// A topic is subscribed.
    Subscribe,
    /// A REST request arrives.
    Http,
    /// A snapshot is about to be made, over REST or in-stream.
    Snapshot,
    /// A second passed for a symbol.
    Second,
}

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

/// Every kind, with the argument a seed uses and the chance (in a million) at an opportunity.
pub const KINDS: &[(Fault, u32)] = &[
    (Fault::Drop, 4_000),
    (Fault::Duplicate, 4_000),
    (Fault::Reorder, 3_000),
    (Fault::Delay(60 * MS), 3_000),
    (Fault::Corrupt, 1_500),
    (Fault::Truncate, 1_500),
    (Fault::WrongSymbol, 1_500),
    (Fault::Checksum, 20_000),
    (Fault::Dribble(40 * MS), 1_500),
    (Fault::Stall(1_500 * MS), 1_500),
    (Fault::Silence(700 * MS), 1_500),
    (Fault::HalfOpen, 2_000),
    (Fault::Reset, 2_000),
    (Fault::Close(1006), 1_000),
    (Fault::Close(1008), 1_000),
    (Fault::Close(1012), 1_000),
    (Fault::Shutdown(800 * MS), 2_000),
    (Fault::Refuse(401), 0),
    (Fault::Refuse(403), 0),
    (Fault::Refuse(429), 60_000),
    (Fault::Refuse(503), 60_000),
    (Fault::NoAck, 15_000),
    (Fault::SubscribeError, 10_000),
    (Fault::Status(403), 20_000),
    (Fault::Status(418), 20_000),
    (Fault::Status(429), 30_000),
    (Fault::Status(503), 40_000),
    (Fault::Html(502), 30_000),
    (Fault::ErrorBody, 30_000),
    (Fault::Slow(400 * MS), 60_000),
    (Fault::SlowBody(900 * MS), 30_000),
    (Fault::Cut, 30_000),
    (Fault::HugeBody(1), 0),
    (Fault::OldSnapshot(20), 60_000),
    (Fault::LateSnapshot(300 * MS), 60_000),
    (Fault::CrossedSnapshot, 60_000),
    (Fault::EmptySnapshot, 30_000),
    (Fault::ForeignSnapshot, 60_000),
    (Fault::SequenceReset, 100_000),
    (Fault::Maintenance(2 * SECOND), 20_000),
    (Fault::Delist, 0),
    (Fault::TickChange, 40_000),
    (Fault::Halt(3 * SECOND), 40_000),
];

impl Fault {
    /// The word of a script.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Delay(_) => "delay",
            Self::Corrupt => "corrupt",
            Self::Truncate => "truncate",
            Self::WrongSymbol => "wrong-symbol",
            Self::Checksum => "checksum",
            Self::Dribble(_) => "dribble",
            Self::Stall(_) => "stall",
            Self::Silence(_) => "silence",
            Self::HalfOpen => "half-open",
            Self::Reset => "reset",
            Self::Close(_) => "close",
            Self::Shutdown(_) => "shutdown",
            Self::Refuse(_) => "refuse",
            Self::NoAck => "no-ack",
            Self::SubscribeError => "subscribe-error",
            Self::Status(_) => "status",
            Self::Html(_) => "html",
            Self::ErrorBody => "error-body",
            Self::Slow(_) => "slow",
            Self::SlowBody(_) => "slow-body",
            Self::Cut => "cut",
            Self::HugeBody(_) => "huge-body",
            Self::OldSnapshot(_) => "old-snapshot",
            Self::LateSnapshot(_) => "late-snapshot",
            Self::CrossedSnapshot => "crossed-snapshot",
            Self::EmptySnapshot => "empty-snapshot",
            Self::ForeignSnapshot => "foreign-snapshot",
            Self::SequenceReset => "sequence-reset",
            Self::Maintenance(_) => "maintenance",
            Self::Delist => "delist",
            Self::TickChange => "tick-change",
            Self::Halt(_) => "halt",
        }
    }

    /// Where it may happen.
    #[must_use]
    pub const fn point(self) -> Point {
        match self {
            Self::Refuse(_) => Point::Upgrade,
            Self::NoAck | Self::SubscribeError => Point::Subscribe,
            Self::Status(_)
            | Self::Html(_)
            | Self::ErrorBody
            | Self::Slow(_)
            | Self::SlowBody(_)
            | Self::Cut
            | Self::HugeBody(_) => Point::Http,
            Self::OldSnapshot(_)
            | Self::LateSnapshot(_)
            | Self::CrossedSnapshot
            | Self::EmptySnapshot
            | Self::ForeignSnapshot => Point::Snapshot,
            Self::SequenceReset
            | Self::Maintenance(_)
            | Self::Delist
            | Self::TickChange
            | Self::Halt(_) => Point::Second,
            _ => Point::Frame,
        }
    }

    /// The name with its status or code, where that makes another fault of it.
    #[must_use]
    pub fn label(self) -> String {
        match self {
            Self::Close(code) | Self::Refuse(code) | Self::Status(code) => {
                format!("{} {code}", self.name())
            }
            _ => self.name().to_owned(),
        }
    }

    fn parse(name: &str, argument: Option<&str>) -> Result<Self, String> {
        let kind = KINDS.iter().map(|(kind, _)| *kind).find(|kind| kind.name() == name);
        let kind = kind.ok_or_else(|| format!("no such fault: {name}"))?;
        let Some(text) = argument else { return Ok(kind) };
        let time = || duration(text).ok_or_else(|| format!("{name}: not a duration: {text}"));
        let wrong = |_| format!("{name}: not a number: {text}");
        Ok(match kind {
            Self::Delay(_) => Self::Delay(time()?),
            Self::Dribble(_) => Self::Dribble(time()?),
            Self::Stall(_) => Self::Stall(time()?),
            Self::Silence(_) => Self::Silence(time()?),
            Self::Shutdown(_) => Self::Shutdown(time()?),
            Self::Slow(_) => Self::Slow(time()?),
            Self::SlowBody(_) => Self::SlowBody(time()?),
            Self::LateSnapshot(_) => Self::LateSnapshot(time()?),
            Self::Maintenance(_) => Self::Maintenance(time()?),
            Self::Halt(_) => Self::Halt(time()?),
            Self::Close(_) => Self::Close(text.parse().map_err(wrong)?),
            Self::Refuse(_) => Self::Refuse(text.parse().map_err(wrong)?),
            Self::Status(_) => Self::Status(text.parse().map_err(wrong)?),
            Self::Html(_) => Self::Html(text.parse().map_err(wrong)?),
            Self::HugeBody(_) => Self::HugeBody(text.parse().map_err(wrong)?),
            Self::OldSnapshot(_) => Self::OldSnapshot(text.parse().map_err(wrong)?),
            _ => return Err(format!("{name} takes no argument")),
        })
    }
}

/// When a rule strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Once, at the first opportunity at or after this time since the start.
    At(u64),
    /// At this opportunity, counted from 1, and at no other.
    Nth(u64),
    /// At every so many opportunities.
    Every(u64),
    /// By chance, in a million.
    Chance(u32),
}

/// A fault, when, and whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What happens.
    pub fault: Fault,
    /// When.
    pub when: When,
    /// Only this symbol.
    pub symbol: Option<String>,
    /// Only the client of this address.
    pub peer: Option<u32>,
    /// Not before this time since the start, nanoseconds.
    pub from_ns: u64,
    /// Not at or after this time.
    pub until_ns: u64,
    /// At most so many times.
    pub times: u64,
}

impl Rule {
    /// A rule for everybody, at any time.
    #[must_use]
    pub const fn new(fault: Fault, when: When) -> Self {
        let times = if matches!(when, When::At(_) | When::Nth(_)) { 1 } else { u64::MAX };
        Self { fault, when, symbol: None, peer: None, from_ns: 0, until_ns: u64::MAX, times }
    }

    /// The same for one symbol alone.
    #[must_use]
    pub fn of(mut self, symbol: &str) -> Self {
        self.symbol = Some(symbol.to_owned());
        self
    }

    /// The same for the client of one address alone; see [`super::Request::peer`].
    #[must_use]
    pub const fn at(mut self, peer: u32) -> Self {
        self.peer = Some(peer);
        self
    }

    fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.split_whitespace().peekable();
        let name = words.next().unwrap_or_default();
        let argument = words.next_if(|word| !word.contains('='));
        let mut rule = Self::new(Fault::parse(name, argument)?, When::Chance(1_000_000));
        for word in words {
            let (key, value) = word.split_once('=').ok_or_else(|| format!("what is {word}?"))?;
            rule.set(key, value).ok_or_else(|| format!("cannot use {word}"))?;
        }
        Ok(rule)
    }

    fn set(&mut self, key: &str, value: &str) -> Option<()> {
        match key {
            "at" => (self.when, self.times) = (When::At(duration(value)?), 1),
            "nth" => (self.when, self.times) = (When::Nth(value.parse().ok()?), 1),
            "every" => self.when = When::Every(value.parse().ok().filter(|n| *n > 0)?),
            "chance" => self.when = When::Chance(millionths(value)?),
            "symbol" => self.symbol = Some(value.to_owned()),
            "peer" => self.peer = Some(value.parse::<std::net::Ipv4Addr>().ok()?.to_bits()),
            "from" => self.from_ns = duration(value)?,
            "until" => self.until_ns = duration(value)?,
            "times" => self.times = value.parse().ok()?,
            _ => return None,
        }
        Some(())
    }
}

/// `1.5s`, `20ms`, `3` (seconds).
fn duration(text: &str) -> Option<u64> {
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, MS),
        (None, Some(number)) => (number, SECOND),
        (None, None) => (text, SECOND),
    };
    Some(u64::from(millionths(number)?) * (unit / 1_000_000))
}

/// A plain decimal in units of a millionth.
fn millionths(text: &str) -> Option<u32> {
    let value = gapless_book::decimal::Decimal::parse(text.as_bytes()).ok()?;
    u32::try_from(value.at_scale(6)?).ok()
}

/// The rules of one exchange and how often each fault struck.
#[derive(Clone, Debug)]
pub struct Faults {
    rules: Vec<(Rule, u64)>,
    rng: Rng,
    counts: BTreeMap<String, u64>,
}

impl Faults {
    /// Nothing goes wrong; chances will be drawn from this seed.
    #[must_use]
    pub const fn none(seed: u64) -> Self {
        Self { rules: Vec::new(), rng: Rng::new(seed), counts: BTreeMap::new() }
    }

    /// The rules of a script.
    ///
    /// # Errors
    /// The first line that is no rule, by number.
    pub fn script(text: &str, seed: u64) -> Result<Self, String> {
        let mut faults = Self::none(seed);
        for (at, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                let rule = Rule::parse(line).map_err(|why| format!("line {}: {why}", at + 1))?;
                faults.add(rule);
            }
        }
        Ok(faults)
    }

    /// A random half of all kinds, each at its usual chance: another mixture for every seed, so
    /// that one frequent fault does not hide another.
    #[must_use]
    pub fn swarm(seed: u64) -> Self {
        let mut faults = Self::none(seed);
        for (fault, chance) in KINDS {
            if *chance > 0 && faults.rng.chance(500) {
                faults.add(Rule::new(*fault, When::Chance(*chance)));
            }
        }
        faults
    }

    /// One rule more.
    pub fn add(&mut self, rule: Rule) {
        self.rules.retain(|(rule, _)| rule.times > 0);
        self.rules.push((rule, 0));
    }

    /// From now on nothing goes wrong any more.
    pub fn stop(&mut self) {
        self.rules.clear();
    }

    /// How often each fault struck, by its label.
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }

    /// The fault that strikes at an opportunity, if one does. `since_ns` counts from the start.
    pub(super) fn strike(
        &mut self,
        point: Point,
        (symbol, peer): (&str, Option<u32>),
        since_ns: u64,
    ) -> Option<Fault> {
        let mut struck = None;
        for (rule, seen) in &mut self.rules {
            let other = rule.symbol.as_deref().is_some_and(|only| only != symbol)
                || rule.peer.is_some() && rule.peer != peer;
            let early = since_ns < rule.from_ns || since_ns >= rule.until_ns;
            if rule.fault.point() != point || other || early || rule.times == 0 {
                continue;
            }
            *seen += 1;
            let strikes = match rule.when {
                When::At(at_ns) => since_ns >= at_ns,
                When::Nth(nth) => *seen == nth,
                When::Every(count) => seen.is_multiple_of(count),
                When::Chance(chance) => self.rng.below(1_000_000) < u64::from(chance),
            };
            if strikes && struck.is_none() {
                rule.times -= 1;
                struck = Some(rule.fault);
            }
        }
        struck
    }

    /// A fault happened: counted where it had an effect.
    pub(super) fn count(&mut self, fault: Fault) {
        *self.counts.entry(fault.label()).or_default() += 1;
    }

    pub(super) const fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_line_by_line() {
        let text = "# nothing\n\ndrop every=5 symbol=BTCUSDT\nstall 1.5s at=20ms\nrefuse 429\n";
        let faults = Faults::script(text, 1).unwrap();
        let rules: Vec<&Rule> = faults.rules.iter().map(|(rule, _)| rule).collect();
        assert_eq!(*rules[0], Rule::new(Fault::Drop, When::Every(5)).of("BTCUSDT"));
        let stall = Rule::new(Fault::Stall(1_500 * MS), When::At(20 * MS));
        assert_eq!(*rules[1], stall);
        assert_eq!(rules[2].fault, Fault::Refuse(429));
    }

    #[test]
    fn a_wrong_line_is_named_with_its_reason() {
        for (text, why) in [
            ("\nexplode", "line 2: no such fault: explode"),
            ("drop 3", "line 1: drop takes no argument"),
            ("stall soon", "line 1: stall: not a duration: soon"),
            ("drop every=0", "line 1: cannot use every=0"),
            ("drop now", "line 1: drop takes no argument"),
        ] {
            assert_eq!(Faults::script(text, 1).unwrap_err(), why);
        }
    }

    #[test]
    fn rules_strike_when_they_say() {
        let mut faults =
            Faults::script("drop every=3\nreset at=2s\nclose nth=2 symbol=A", 1).unwrap();
        let mut told = |symbol, since_s: u64| {
            faults.strike(Point::Frame, (symbol, None), since_s * SECOND).map(Fault::name)
        };
        assert_eq!(told("B", 0), None);
        assert_eq!(told("A", 0), None);
        assert_eq!(told("A", 0), Some("drop"));
        assert_eq!(told("B", 2), Some("reset"));
        assert_eq!(told("B", 3), None);
        assert_eq!(told("B", 3), Some("drop"));
    }

    #[test]
    fn a_rule_for_one_address_strikes_nobody_else() {
        let mut faults = Faults::script("drop peer=127.0.0.3", 1).unwrap();
        let mut told = |peer: Option<u32>| faults.strike(Point::Frame, ("A", peer), 0).is_some();
        assert!(!told(None) && !told(Some(0x7f00_0002)) && told(Some(0x7f00_0003)));
    }

    #[test]
    fn a_swarm_takes_another_half_for_every_seed() {
        let names = |seed| -> Vec<_> {
            Faults::swarm(seed).rules.iter().map(|(rule, _)| rule.fault.label()).collect()
        };
        assert_ne!(names(1), names(2));
        assert!((8..32).contains(&names(1).len()), "{}", names(1).len());
    }
}
