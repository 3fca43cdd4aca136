//! What a venue allows its clients, and what it does to those who ask for more.

use std::collections::BTreeMap;

const SECOND_NS: u64 = 1_000_000_000;

/// What one venue allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages of a client a second on one connection, pings and pongs included.
    pub inbound_per_s: u32,
    /// Topics of one connection.
    pub topics_max: usize,
    /// Subscribe and unsubscribe requests on one connection and the time they are counted in.
    pub requests: (u32, u64),
    /// Connections that an address may have at once.
    pub connections_max: usize,
    /// Connections that an address may open, and the time they are counted in.
    pub connects: (u32, u64),
    /// Weight of REST requests that an address may spend, and the time it is counted in.
    pub weight: (u32, u64),
    /// Refused requests after which an address is banned.
    pub offences_max: u32,
    /// How long the first ban lasts; each next one twice as long.
    pub ban_ns: u64,
}

impl Limits {
    /// No limit at all.
    pub const NONE: Self = Self {
        inbound_per_s: u32::MAX,
        topics_max: usize::MAX,
        requests: (u32::MAX, SECOND_NS),
        connections_max: usize::MAX,
        connects: (u32::MAX, SECOND_NS),
        weight: (u32::MAX, 60 * SECOND_NS),
        offences_max: u32::MAX,
        ban_ns: 0,
    };
}

/// A count within windows of fixed length, as venues count.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    index: u64,
    /// What was spent in the current window.
    pub used: u32,
}

impl Window {
    /// Spends; whether that is within the limit.
    pub fn spend(&mut self, amount: u32, (limit, length_ns): (u32, u64), now_ns: u64) -> bool {
        let index = now_ns / length_ns.max(1);
        if index != self.index {
            *self = Self { index, used: 0 };
        }
        self.used = self.used.saturating_add(amount);
        self.used <= limit
    }

    /// Until the next window begins, in whole seconds, at least one.
    pub const fn wait_s(length_ns: u64, now_ns: u64) -> u64 {
        (length_ns - now_ns % length_ns).div_ceil(SECOND_NS)
    }
}

/// What one address has spent.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    connects: Window,
    weight: Window,
    offences: u32,
    bans: u32,
    banned_until_ns: u64,
}

/// The accounts of all addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    accounts: BTreeMap<u32, Account>,
}

/// What a request over HTTP meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is answered; this much was spent in the window.
    Granted(u32),
    /// It is refused: come back after so many seconds.
    Refused(u64),
    /// The address is banned for so many seconds more.
    Banned(u64),
}

impl Accounts {
    /// A connection is asked for.
    pub fn connect(&mut self, peer: u32, limits: &Limits, now_ns: u64) -> bool {
        let account = self.accounts.entry(peer).or_default();
        account.connects.spend(1, limits.connects, now_ns) && now_ns >= account.banned_until_ns
    }

    /// A REST request is made. Asking on after a refusal leads to a ban.
    pub fn spend(&mut self, peer: u32, weight: u32, limits: &Limits, now_ns: u64) -> Verdict {
        let account = self.accounts.entry(peer).or_default();
        if now_ns < account.banned_until_ns {
            return Verdict::Banned((account.banned_until_ns - now_ns).div_ceil(SECOND_NS));
        }
        if account.weight.spend(weight, limits.weight, now_ns) {
            account.offences = 0;
            return Verdict::Granted(account.weight.used);
        }
        account.offences += 1;
        if account.offences > limits.offences_max {
            let ban_ns = limits.ban_ns << account.bans.min(10);
            account.bans += 1;
            account.offences = 0;
            account.banned_until_ns = now_ns + ban_ns;
            return Verdict::Banned(ban_ns.div_ceil(SECOND_NS));
        }
        Verdict::Refused(Window::wait_s(limits.weight.1, now_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_on_after_a_refusal_is_banned_and_longer_each_time() {
        let minute = 60 * SECOND_NS;
        let limits =
            Limits { weight: (10, minute), offences_max: 2, ban_ns: 2 * minute, ..Limits::NONE };
        let mut accounts = Accounts::default();
        let mut ask = |now_ns| accounts.spend(7, 5, &limits, now_ns);
        assert_eq!(ask(0), Verdict::Granted(5));
        assert_eq!(ask(1), Verdict::Granted(10));
        assert_eq!(ask(SECOND_NS), Verdict::Refused(59));
        assert_eq!(ask(SECOND_NS), Verdict::Refused(59));
        assert_eq!(ask(SECOND_NS), Verdict::Banned(120));
        assert_eq!(ask(minute), Verdict::Banned(61));
        assert_eq!(ask(4 * minute), Verdict::Granted(5));
        for _ in 0..3 {
            ask(4 * minute);
        }
        assert_eq!(ask(4 * minute), Verdict::Banned(240));
        assert_eq!(accounts.spend(8, 5, &limits, 0), Verdict::Granted(5));
    }
}
