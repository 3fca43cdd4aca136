//! Topics that a venue refused: they are asked for again, alone and ever more rarely, so that none
//! is lost for good and none disturbs the others.

use crate::rng::Rng;

/// A topic that was refused is asked for again after so long, ns; twice as long after each time.
pub const PROBE_NS_MIN: i64 = 300_000_000_000;
/// Longest of these waits, ns.
pub const PROBE_NS_MAX: i64 = 3_600_000_000_000;
/// Refusals in a row for which nothing tells why; after these the topic counts as refused.
pub const DOUBTS_MAX: u32 = 3;

/// What is known of one topic.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    /// When it is asked for again; `None`: it is not refused.
    due_ns: Option<i64>,
    /// Refusals since it was last had for [`PROBE_NS_MAX`].
    times: u32,
    doubts: u32,
    last_ns: i64,
}

/// See the module's page. Topics are known by their place in the connection's list.
#[derive(Clone, Debug)]
pub(crate) struct Quarantine {
    topics: Vec<Standing>,
}

impl Quarantine {
    pub fn new(topics: usize) -> Self {
        Self { topics: vec![Standing::default(); topics] }
    }

    pub fn holds(&self, topic: usize) -> bool {
        self.topics.get(topic).is_some_and(|standing| standing.due_ns.is_some())
    }

    pub fn holds_all(&self) -> bool {
        self.topics.iter().all(|standing| standing.due_ns.is_some())
    }

    pub fn all(&self) -> impl Iterator<Item = usize> + '_ {
        let held = self.topics.iter().enumerate().filter(|(_, s)| s.due_ns.is_some());
        held.map(|(topic, _)| topic)
    }

    /// The venue says that it is not to be had.
    pub fn add(&mut self, topic: usize, now: i64, rng: &mut Rng) {
        let Some(standing) = self.topics.get_mut(topic) else { return };
        if now.saturating_sub(standing.last_ns) > 2 * PROBE_NS_MAX {
            standing.times = 0;
        }
        let wait = PROBE_NS_MIN.saturating_mul(1 << standing.times.min(10)).min(PROBE_NS_MAX);
        standing.times += 1;
        standing.doubts = 0;
        standing.last_ns = now;
        standing.due_ns = Some(now.saturating_add(wait).saturating_add(rng.up_to(wait / 10)));
    }

    /// It was refused and nothing tells why; whether that was often enough to believe it.
    pub fn doubt(&mut self, topic: usize, now: i64) -> bool {
        let Some(standing) = self.topics.get_mut(topic) else { return false };
        if now.saturating_sub(standing.last_ns) > PROBE_NS_MIN {
            standing.doubts = 0;
        }
        standing.doubts += 1;
        standing.last_ns = now;
        standing.doubts >= DOUBTS_MAX
    }

    /// It is to be had; whether that is news.
    pub fn release(&mut self, topic: usize) -> bool {
        let standing = self.topics.get_mut(topic);
        standing.is_some_and(|standing| standing.due_ns.take().is_some())
    }

    /// The topic that is to be asked for now.
    pub fn due(&self, now: i64) -> Option<usize> {
        let due = self.topics.iter().enumerate().filter_map(|(at, s)| Some((s.due_ns?, at)));
        due.min().filter(|(when, _)| *when <= now).map(|(_, topic)| topic)
    }

    /// When the next is to be asked for.
    pub fn next_ns(&self) -> Option<i64> {
        self.topics.iter().filter_map(|standing| standing.due_ns).min()
    }

    /// It was asked for, or could not be: not again before the shortest wait.
    pub fn put_off(&mut self, topic: usize, now: i64) {
        let standing = self.topics.get_mut(topic);
        if let Some(due) = standing.and_then(|standing| standing.due_ns.as_mut()) {
            *due = now.saturating_add(PROBE_NS_MIN);
        }
    }

    /// A new connection: every one is asked for on it.
    pub fn hasten(&mut self, now: i64) {
        for due in self.topics.iter_mut().filter_map(|standing| standing.due_ns.as_mut()) {
            *due = now.min(*due);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn waits_between_two_questions_grow_to_an_hour() {
        let (mut quarantine, mut rng) = (Quarantine::new(2), Rng::new(1));
        let (mut now, mut waits) = (0, Vec::new());
        for _ in 0..6 {
            quarantine.add(1, now, &mut rng);
            let due = quarantine.next_ns().unwrap();
            waits.push((due - now) / (60 * S));
            assert_eq!((quarantine.due(due - 1), quarantine.due(due)), (None, Some(1)));
            now = due;
        }
        let least = [5, 10, 20, 40, 60, 60];
        let fits = |(wait, least): (&i64, i64)| (least..=least + least / 10).contains(wait);
        assert!(waits.iter().zip(least).all(fits), "{waits:?}");
        assert!(quarantine.holds(1) && !quarantine.holds(0) && !quarantine.holds_all());
    }

    #[test]
    fn doubts_of_long_ago_are_forgotten() {
        let mut quarantine = Quarantine::new(1);
        let doubts = [0, S, 400 * S, 401 * S, 402 * S].map(|now| quarantine.doubt(0, now));
        assert_eq!(doubts, [false, false, false, false, true]);
    }

    #[test]
    fn a_new_connection_asks_for_all_and_each_once() {
        let (mut quarantine, mut rng) = (Quarantine::new(2), Rng::new(1));
        quarantine.add(0, 0, &mut rng);
        quarantine.add(1, 0, &mut rng);
        quarantine.hasten(S);
        assert_eq!(quarantine.due(S), Some(0));
        quarantine.put_off(0, S);
        assert_eq!(quarantine.due(S), Some(1));
        assert!(quarantine.release(1) && !quarantine.release(1));
        assert_eq!((quarantine.due(S), quarantine.all().collect::<Vec<_>>()), (None, vec![0]));
    }
}
