//! The templates of one connection: thousands of symbols, several kinds of frame each.
//!
//! The one invariant: at most [`TEMPLATES_MAX`] templates, at most `SAME_KEY_MAX` of them with
//! one key, whatever the frames are. A frame's likely template is found by a hash of the bytes
//! with which its kind begins; reading it is the proof. Templates come from frames that the
//! general parser has read.

use crate::kernel::{Frame, Isa, Shape};
use crate::template::{Fields, Mark, Slot, Template};
use gapless_book::event::{Level, Scales};

/// Most templates kept; further ones replace those that were not used for longest (approximately:
/// a second chance for each that was used since the last time round).
pub const TEMPLATES_MAX: usize = 4_096;

/// Most templates whose frames begin alike; further ones replace each other in turn.
const SAME_KEY_MAX: usize = 8;

/// Most words (eight bytes) of a frame's beginning that make its key.
const KEY_WORDS: usize = 12;

/// Numbers that stand from here on end what makes the key; the name of the symbol came before.
const NAME_END: usize = 40;

/// Most ways to make a key of a frame; further ones replace each other in turn.
const PREFIXES_MAX: usize = 16;

/// Places for guesses, twice as many as templates: two kinds that share one push each other out of
/// it for ever.
const GUESSES: usize = 2 * TEMPLATES_MAX;

/// Fewer bytes that count in every prefix say too little of a frame for a guess.
const COMMON_MIN: u32 = 16;

/// No template.
const NONE: u16 = u16::MAX;

#[derive(Debug)]
struct Entry {
    key: u64,
    template: Template,
    /// The next one in the same bucket.
    next: u16,
    used: bool,
}

/// A bounded cache of templates.
#[derive(Debug)]
pub struct Templates {
    entries: Vec<Entry>,
    /// First entry of each bucket.
    buckets: Box<[u16]>,
    /// How frames begin: tried in the order in which they were seen.
    prefixes: Vec<Prefix>,
    /// What all of them have in common: names of different lengths make several prefixes, and with
    /// many symbols the right one cannot be foreseen.
    common: Prefix,
    /// The template that last read a frame with such bytes in common.
    guesses: Box<[u16]>,
    /// The prefix that is replaced next.
    oldest: usize,
    /// Where the search for one to replace goes on.
    hand: u16,
    /// Learned here first, so that learning what is known allocates nothing.
    draft: Template,
}

impl Default for Templates {
    fn default() -> Self {
        Self::new()
    }
}

impl Templates {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self {
            entries: Vec::new(),
            buckets: vec![NONE; TEMPLATES_MAX].into_boxed_slice(),
            prefixes: Vec::new(),
            common: Prefix::NOTHING,
            guesses: vec![NONE; GUESSES].into_boxed_slice(),
            oldest: 0,
            hand: 0,
            draft: Template::blank(),
        }
    }

    /// Number of templates.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was learned yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reads a frame of a known kind; its levels are appended to `out`. `None`, with `out` as it
    /// was: the general parser has to read it, and may teach it here.
    #[inline]
    pub fn read(&mut self, isa: Isa, frame: Frame<'_>, out: &mut Vec<Level>) -> Option<Fields> {
        let place = guess_of(self.common.key(frame.bytes()));
        let guess = self.guesses.get(place).copied().unwrap_or(NONE);
        if let Some(entry) = self.entries.get_mut(usize::from(guess))
            && let Some(fields) = entry.template.read(isa, frame, out)
        {
            entry.used = true;
            return Some(fields);
        }
        let (at, fields) = self.find(isa, frame, out)?;
        if let Some(guess) = self.guesses.get_mut(place).filter(|_| self.common.words > 0) {
            *guess = at;
        }
        Some(fields)
    }

    /// The template that reads a frame, among all with a key that it may have.
    #[inline(never)]
    fn find(&mut self, isa: Isa, frame: Frame<'_>, out: &mut Vec<Level>) -> Option<(u16, Fields)> {
        let Self { entries, buckets, prefixes, .. } = self;
        for prefix in prefixes {
            let key = prefix.key(frame.bytes());
            let mut at = buckets.get(bucket_of(key)).copied().unwrap_or(NONE);
            while let Some(entry) = entries.get_mut(usize::from(at)) {
                if entry.key == key
                    && let Some(fields) = entry.template.read(isa, frame, out)
                {
                    entry.used = true;
                    return Some((at, fields));
                }
                at = entry.next;
            }
        }
        None
    }

    /// Learns the kind of `frame`, as [`Template::learn`]. Says whether a frame of this kind can be
    /// read from now on.
    pub fn learn(
        &mut self,
        frame: Frame<'_>,
        marks: &[Mark],
        shape: Shape,
        tag: u32,
        scales: Scales,
    ) -> bool {
        if !self.draft.relearn(frame.bytes(), marks, shape, tag, scales) {
            return false;
        }
        let prefix = Prefix::of(frame.bytes(), marks);
        let key = prefix.key(frame.bytes());
        self.keep_prefix(prefix);
        let (known, same_key) = self.known(key);
        let at = match known {
            Some(at) => at,
            None if same_key.len >= SAME_KEY_MAX => same_key.last,
            None => self.place(key),
        };
        if let Some(entry) = self.entries.get_mut(usize::from(at)) {
            core::mem::swap(&mut entry.template, &mut self.draft);
            // The second chance is for what proves useful after it was learned.
            entry.used = false;
        }
        true
    }

    /// Levels of all templates learned with `tag` come out at `scales` from now on.
    pub fn set_scales(&mut self, tag: u32, scales: Scales) {
        for entry in self.entries.iter_mut().filter(|e| e.template.tag() == tag) {
            entry.template.set_scales(scales);
        }
    }

    fn keep_prefix(&mut self, prefix: Prefix) {
        if self.prefixes.contains(&prefix) {
            return;
        }
        if self.prefixes.len() < PREFIXES_MAX {
            self.prefixes.push(prefix);
        } else if let Some(oldest) = self.prefixes.get_mut(self.oldest) {
            *oldest = prefix;
            self.oldest = (self.oldest + 1) % PREFIXES_MAX;
        }
        self.common = Prefix::common(&self.prefixes);
        self.guesses.fill(NONE);
    }

    fn entry(&self, at: u16) -> Option<&Entry> {
        self.entries.get(usize::from(at))
    }

    fn bucket(&self, key: u64) -> u16 {
        self.buckets.get(bucket_of(key)).copied().unwrap_or(NONE)
    }

    /// The entry that reads the same frames as the draft, and what else has the key.
    fn known(&self, key: u64) -> (Option<u16>, SameKey) {
        let mut same_key = SameKey { len: 0, last: NONE };
        let mut at = self.bucket(key);
        while let Some(entry) = self.entry(at) {
            if entry.key == key {
                if entry.template.same_kind(&self.draft) {
                    return (Some(at), same_key);
                }
                same_key = SameKey { len: same_key.len + 1, last: at };
            }
            at = entry.next;
        }
        (None, same_key)
    }

    /// A place for a new template with `key`, first in its bucket.
    fn place(&mut self, key: u64) -> u16 {
        let at = if self.entries.len() < TEMPLATES_MAX {
            let template = Template::blank();
            let entry = Entry { key, template, next: NONE, used: false };
            self.entries.push(entry);
            (self.entries.len() - 1) as u16
        } else {
            self.evict()
        };
        let first = self.bucket(key);
        if let Some(entry) = self.entries.get_mut(usize::from(at)) {
            (entry.key, entry.next) = (key, first);
        }
        if let Some(head) = self.buckets.get_mut(bucket_of(key)) {
            *head = at;
        }
        at
    }

    /// Takes the next entry that was not used since the last time round out of its bucket.
    fn evict(&mut self) -> u16 {
        let mut at = self.hand;
        while let Some(entry) = self.entries.get_mut(usize::from(at)).filter(|e| e.used) {
            entry.used = false;
            at = self.after(at);
        }
        self.hand = self.after(at);
        self.unlink(at);
        at
    }

    fn after(&self, at: u16) -> u16 {
        if usize::from(at) + 1 < self.entries.len() { at + 1 } else { 0 }
    }

    fn unlink(&mut self, gone: u16) {
        let Some((key, next)) = self.entry(gone).map(|e| (e.key, e.next)) else { return };
        let mut at = self.bucket(key);
        if at == gone
            && let Some(head) = self.buckets.get_mut(bucket_of(key))
        {
            *head = next;
            return;
        }
        while let Some(entry) = self.entries.get_mut(usize::from(at)) {
            if entry.next == gone {
                entry.next = next;
                return;
            }
            at = entry.next;
        }
    }
}

/// Entries that share a key.
struct SameKey {
    len: usize,
    /// The one that stands last in its bucket: the oldest.
    last: u16,
}

fn guess_of(key: u64) -> usize {
    key as usize % GUESSES
}

fn bucket_of(key: u64) -> usize {
    key as usize % TEMPLATES_MAX
}

/// Which bytes of a frame make its key: all up to the first levels, or the first number behind the
/// symbol's name, but for numbers before that. Kinds of frame that differ only in names of the
/// same length share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Prefix {
    /// The bytes that count, as words.
    masks: [u64; KEY_WORDS],
    words: usize,
}

impl Prefix {
    const NOTHING: Self = Self { masks: [0; KEY_WORDS], words: 0 };

    /// The bytes that count in each of some; nothing, if they are too few.
    fn common(all: &[Self]) -> Self {
        let words = all.iter().map(|prefix| prefix.words).min().unwrap_or(0);
        let mut common = Self { masks: [0; KEY_WORDS], words };
        for (at, mask) in common.masks.iter_mut().enumerate().take(words) {
            let masks = all.iter().filter_map(|prefix| prefix.masks.get(at));
            *mask = masks.fold(u64::MAX, |mask, other| mask & other);
        }
        let bits: u32 = common.masks.iter().map(|mask| mask.count_ones()).sum();
        if bits < 8 * COMMON_MIN { Self::NOTHING } else { common }
    }

    /// How a frame with these marks begins.
    fn of(frame: &[u8], marks: &[Mark]) -> Self {
        let mut bytes = [u8::MAX; 8 * KEY_WORDS];
        let mut len = frame.len().min(bytes.len());
        for mark in marks {
            let (start, end) = (mark.start as usize, mark.end as usize);
            if matches!(mark.slot, Slot::Bids | Slot::Asks) || start >= NAME_END {
                len = len.min(start);
            }
            bytes.iter_mut().take(end).skip(start).for_each(|byte| *byte = 0);
        }
        let mut masks = [0; KEY_WORDS];
        let words = len / 8;
        for (mask, bytes) in masks.iter_mut().zip(bytes.as_chunks().0).take(words) {
            *mask = u64::from_le_bytes(*bytes);
        }
        Self { masks, words }
    }

    /// A hash of the bytes that count.
    #[inline]
    fn key(&self, frame: &[u8]) -> u64 {
        let mut key = (self.words as u64).wrapping_mul(FACTOR);
        let words = frame.as_chunks().0.iter().zip(&self.masks).zip(&FACTORS).take(self.words);
        for ((word, mask), factor) in words {
            let word = u64::from_le_bytes(*word) & mask;
            // A sum of products: no step waits for the one before.
            key = key.wrapping_add((word ^ word >> 29).wrapping_mul(*factor));
        }
        key ^ key >> 32
    }
}

/// An odd number without pattern: the golden ratio.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Its powers, one for each word of a key.
const FACTORS: [u64; KEY_WORDS] = {
    let mut factors = [0; KEY_WORDS];
    let (mut rest, mut product): (&mut [u64], u64) = (&mut factors, 1);
    while let [factor, others @ ..] = rest {
        product = product.wrapping_mul(FACTOR);
        *factor = product;
        rest = others;
    }
    factors
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::FrameBuf;
    use crate::template::Slot;

    fn frame(kind: &str, symbol: &str, id: u64) -> String {
        format!(
            r#"{{"stream":"{symbol}@{kind}","data":{{"E":17{id:011},"s":"{symbol}","u":{id},"b":[["1","2"]]}}}}"#
        )
    }

    /// What the general parser would do: read the frame, then teach it.
    fn teach(templates: &mut Templates, text: &str, tag: u32) -> bool {
        let end = text.find(r#","b":"#).unwrap();
        let start = text.find(r#""u":"#).unwrap() + 4;
        let marks = [
            Mark { start: start as u32, end: end as u32, slot: Slot::Last },
            Mark { start: end as u32 + 5, end: text.len() as u32 - 2, slot: Slot::Bids },
            {
                let at = text.find(r#""E":"#).unwrap() as u32 + 4;
                Mark { start: at, end: at + 13, slot: Slot::VenueTime }
            },
        ];
        let mut buffer = FrameBuf::new();
        let frame = buffer.fill(text.as_bytes());
        templates.learn(frame, &marks, Shape::QuotedPairs, tag, Scales::default())
    }

    fn read(templates: &mut Templates, text: &str) -> Option<u32> {
        let mut buffer = FrameBuf::new();
        let frame = buffer.fill(text.as_bytes());
        let mut out = Vec::new();
        let fields = templates.read(Isa::PORTABLE, frame, &mut out)?;
        assert_eq!(out, [Level { price: 1, qty: 2 }]);
        Some(fields.tag)
    }

    #[test]
    fn every_symbol_is_found_among_thousands_in_any_order() {
        let mut templates = Templates::new();
        let name = |n: u32| format!("{}coin{n}usdt", n % 7);
        for n in 0..2_000 {
            assert_eq!(read(&mut templates, &frame("depth", &name(n), 1000)), None);
            assert!(teach(&mut templates, &frame("depth", &name(n), 1000), n));
        }
        let mut n = 1;
        for id in 1001..9000 {
            n = (n * 1_664_525 + 1_013_904_223) % 2_000;
            assert_eq!(read(&mut templates, &frame("depth", &name(n), id)), Some(n));
        }
        assert_eq!(templates.len(), 2_000, "no kind was learned twice");
    }

    #[test]
    fn names_that_differ_only_in_digits_have_keys_of_their_own() {
        let text = |id: u64, name: &str| format!(r#"{{"E":{id},"s":"{name}","u":12,"b":[]}}"#);
        let mark = |start, end, slot| Mark { start, end, slot };
        let learned = text(1_723_161_256_299, "1000PEPEUSDT");
        let end = learned.len() as u32;
        let marks = [
            mark(5, 18, Slot::VenueTime),
            mark(end - 10, end - 8, Slot::Last),
            mark(end - 3, end - 1, Slot::Bids),
        ];
        let prefix = Prefix::of(learned.as_bytes(), &marks);
        let key = |text: String| prefix.key(text.as_bytes());
        let same = key(learned.clone());
        assert_eq!(key(text(1_899_999_999_999, "1000PEPEUSDT")), same);
        assert_ne!(key(text(1_723_161_256_299, "2000PEPEUSDT")), same);
        assert_ne!(key(text(1_723_161_256_299, "1000PEPEUSDC")), same);
    }

    #[test]
    fn alternating_kinds_stay_learned() {
        let mut templates = Templates::new();
        let kinds = [("depth", "btc", 1), ("depth5", "btc", 2), ("depth", "eth", 3)];
        for (kind, symbol, tag) in kinds {
            assert!(teach(&mut templates, &frame(kind, symbol, 1000), tag));
        }
        for id in 1001..2000 {
            for (kind, symbol, tag) in kinds {
                assert_eq!(read(&mut templates, &frame(kind, symbol, id)), Some(tag));
            }
        }
        assert_eq!(templates.len(), 3);
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let mut templates = Templates::new();
        let name = |n: usize| format!("symbol-{n}-");
        for n in 0..3 * TEMPLATES_MAX {
            assert!(teach(&mut templates, &frame("depth", &name(n), 1000), n as u32));
            assert_eq!(read(&mut templates, &frame("depth", &name(0), 1001)), Some(0), "{n}");
        }
        assert_eq!(templates.len(), TEMPLATES_MAX);
        let last = 3 * TEMPLATES_MAX - 1;
        assert_eq!(read(&mut templates, &frame("depth", &name(last), 1000)), Some(last as u32));
        assert_eq!(read(&mut templates, &frame("depth", &name(1), 1000)), None, "replaced");
    }

    #[test]
    fn frames_that_always_differ_do_not_fill_the_cache() {
        let mut templates = Templates::new();
        for n in 1000..2000 {
            let text = frame("depth", "btc", 1000).replace("}}", &format!(r#","x":{n}}}}}"#));
            let end = text.find(r#","x""#).unwrap() as u32;
            let start = text.find(r#""b":"#).unwrap() as u32 + 4;
            let mark = Mark { start, end, slot: Slot::Bids };
            let mut buffer = FrameBuf::new();
            let frame = buffer.fill(text.as_bytes());
            assert!(templates.learn(frame, &[mark], Shape::QuotedPairs, 0, Scales::default()));
        }
        assert_eq!(templates.len(), SAME_KEY_MAX);
    }

    #[test]
    fn new_scales_reach_every_template_of_the_symbol() {
        let mut templates = Templates::new();
        assert!(teach(&mut templates, &frame("depth", "btc", 1000), 5));
        templates.set_scales(5, Scales { price: 1, qty: 2 });
        let mut buffer = FrameBuf::new();
        let mut out = Vec::new();
        let text = frame("depth", "btc", 1001);
        let frame = buffer.fill(text.as_bytes());
        let fields = templates.read(Isa::PORTABLE, frame, &mut out).unwrap();
        assert_eq!((out[0], fields.scales.price), (Level { price: 10, qty: 200 }, 1));
    }
}
