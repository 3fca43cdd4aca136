//! The fast side against the plain one: the same calls, the same answers after each of them.

use super::super::naive::Naive;
use super::*;
use alloc::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Set(i64, i64),
    /// One message: levels in order, all at once.
    SetAll(Vec<(i64, i64)>),
    /// The market goes elsewhere: every later price is shifted by so much.
    Jump(i64),
    /// Removes the best, as trades do.
    TakeBest,
    Truncate(usize),
    Promote(i64, i64),
    Clear,
}

impl Step {
    fn shifted(&self, by: i64) -> Self {
        let shifted = |(price, qty): &(i64, i64)| (price.saturating_add(by), *qty);
        match self {
            Self::Set(price, qty) => Self::Set(price.saturating_add(by), *qty),
            Self::SetAll(levels) => Self::SetAll(levels.iter().map(shifted).collect()),
            other => other.clone(),
        }
    }
}

/// Prices as books have them: around a middle, on a tick grid, stubs far away, and the extremes.
fn price(middle: i64, tick: i64) -> impl Strategy<Value = i64> {
    prop_oneof![
        12 => (-90_i64..90).prop_map(move |d| middle.saturating_add(d * tick)),
        4 => (-9_000_i64..9_000).prop_map(move |d| middle.saturating_add(d * tick)),
        2 => (-40_000_000_i64..40_000_000).prop_map(move |d| middle.saturating_add(d)),
        1 => prop_oneof![Just(i64::MIN), Just(i64::MIN + 1), Just(i64::MAX - 1), Just(i64::MAX)],
        1 => any::<i64>(),
    ]
}

fn qty() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(0), 6 => 1_i64..1_000, 1 => any::<i64>()]
}

fn step(middle: i64, tick: i64) -> impl Strategy<Value = Step> {
    prop_oneof![
        200 => (price(middle, tick), qty()).prop_map(|(price, qty)| Step::Set(price, qty)),
        8 => prop::collection::vec((price(middle, tick), qty()), 0..90).prop_map(Step::SetAll),
        2 => prop_oneof![-3_000_i64..3_000, -40_000_000_i64..40_000_000].prop_map(Step::Jump),
        20 => Just(Step::TakeBest),
        2 => (0_usize..400).prop_map(Step::Truncate),
        1 => (1_i64..11, 1_i64..11).prop_map(|(price, qty)| Step::Promote(price, qty)),
        1 => Just(Step::Clear),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let middle = prop_oneof![
        Just(0),
        Just(-50),
        Just(6_160_000),
        Just(i64::MAX - 100),
        Just(i64::MIN + 100),
        any::<i64>()
    ];
    let tick = prop_oneof![3 => Just(1_i64), 1 => Just(5), 1 => Just(64), 1 => Just(4_096)];
    (middle, tick).prop_flat_map(|(m, t)| prop::collection::vec(step(m, t), 1..1_200))
}

fn take(fast: &mut Levels, naive: &mut Naive, step: &Step) {
    match *step {
        Step::SetAll(ref levels) => {
            let levels = levels.iter().map(|(price, qty)| Level { price: *price, qty: *qty });
            let mut did = Vec::new();
            let mut told = |_: Side, level, change| did.push((level, change));
            fast.set_all(Side::Ask, levels.clone(), &mut told);
            let expected = levels.map(|level| (level, naive.set(level.price, level.qty)));
            assert_eq!(did, expected.collect::<Vec<_>>());
        }
        Step::Jump(_) => {}
        Step::Set(price, qty) => assert_eq!(fast.set(price, qty), naive.set(price, qty)),
        Step::TakeBest => {
            if let Some(best) = naive.best() {
                assert_eq!(fast.set(best.price, 0), naive.set(best.price, 0));
            }
        }
        Step::Truncate(depth) => {
            let worst = naive.iter().skip(depth).collect::<Vec<_>>();
            assert_eq!(fast.truncate(depth), worst.len());
            worst.iter().for_each(|level| {
                naive.set(level.price, 0);
            });
        }
        Step::Promote(price, qty) => promote(fast, naive, price, qty),
        Step::Clear => {
            fast.clear();
            naive.clear();
        }
    }
}

fn promote(fast: &mut Levels, naive: &mut Naive, price: i64, qty: i64) {
    let multiply =
        |l: Level| Some(Level { price: l.price.checked_mul(price)?, qty: l.qty.checked_mul(qty)? });
    let levels = naive.iter().map(multiply).collect::<Option<Vec<_>>>();
    assert_eq!(fast.promote(price, qty).is_ok(), levels.is_some());
    if let Some(levels) = levels {
        naive.clear();
        levels.iter().for_each(|level| {
            naive.set(level.price, level.qty);
        });
    }
}

fn assert_same(fast: &Levels, naive: &Naive) {
    assert_eq!(fast.best(), naive.best());
    assert_eq!(fast.worst(), naive.worst());
    assert_eq!((fast.len(), fast.is_empty()), (naive.len(), naive.is_empty()));
}

fn assert_same_levels(fast: &Levels, naive: &Naive) {
    assert!(fast.iter().eq(naive.iter()), "{:?}\n{:?}", fast.iter().collect::<Vec<_>>(), naive);
    assert_eq!(fast.total(), naive.total());
    for depth in [0, 1, 20, naive.len() + 1] {
        let mut top = vec![Level { price: 0, qty: 0 }; depth];
        let found = fast.top(&mut top);
        assert!(top[..found].iter().copied().eq(naive.iter().take(depth)));
    }
    for price in naive.iter().flat_map(|level| [level.price, level.price.wrapping_add(1)]) {
        assert_eq!(fast.qty_at(price), naive.qty_at(price));
    }
    assert_same_rest(fast, naive);
}

/// What follows some held price, one beside it, and the extremes.
fn assert_same_rest(fast: &Levels, naive: &Naive) {
    let some = naive.iter().nth(naive.len() / 3).map_or(0, |level| level.price);
    for price in [some, some.wrapping_add(1), some.wrapping_sub(1), i64::MIN, 0, i64::MAX] {
        let worse = |level: &Level| fast.key(level.price) > fast.key(price);
        for count in [0, 1, 70, naive.len() + 1] {
            let mut rest = vec![Level { price: 0, qty: 0 }; count];
            let found = fast.after(price, &mut rest);
            assert!(rest[..found].iter().copied().eq(naive.iter().filter(worse).take(count)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_call_answers_as_the_plain_side_does(steps in steps(), is_bid: bool) {
        let side = if is_bid { Side::Bid } else { Side::Ask };
        let (mut fast, mut naive) = (Levels::new(side), Naive::new(side));
        let mut by = 0_i64;
        for (done, step) in steps.iter().enumerate() {
            if let Step::Jump(further) = step {
                by += further;
            }
            take(&mut fast, &mut naive, &step.shifted(by));
            assert_same(&fast, &naive);
            if done % 64 == 0 {
                assert_same_levels(&fast, &naive);
            }
        }
        assert_same_levels(&fast, &naive);
    }
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end) as i64
    }
}

#[test]
fn a_drifting_market_stays_exact_and_keeps_its_memory() {
    let (mut fast, mut naive) = (Levels::new(Side::Ask), Naive::new(Side::Ask));
    let (mut numbers, mut middle) = (Numbers(7), 1_000_000_i64);
    let mut most = 0;
    for done in 0..400_000 {
        middle += numbers.below(201) - 95;
        let price = middle + numbers.below(400);
        assert_eq!(fast.set(price, 1 + done), naive.set(price, 1 + done));
        if fast.len() > 300 {
            let worst = if numbers.below(2) == 0 { naive.worst() } else { naive.best() };
            let price = worst.unwrap().price;
            assert_eq!(fast.set(price, 0), naive.set(price, 0));
        }
        assert_same(&fast, &naive);
        most = most.max(fast.memory_bytes());
    }
    assert_same_levels(&fast, &naive);
    assert!(most < 128 * 1024, "{most} bytes for 300 levels");
}

#[test]
fn a_full_side_refuses_new_prices_and_takes_known_ones() {
    let mut side = Levels::new(Side::Bid);
    for price in 0..LEVELS_MAX as i64 {
        assert_eq!(side.set(price * 100_000, 1), Change::Inserted);
    }
    assert_eq!(side.set(1, 1), Change::Full);
    assert_eq!(side.set(i64::MIN, 1), Change::Full);
    assert_eq!(side.set(0, 2), Change::Updated { old: 1 });
    assert_eq!(side.set(7, 0), Change::Absent);
    assert_eq!(side.set(0, 0), Change::Removed { old: 2 });
    assert_eq!(side.set(1, 1), Change::Inserted);
    assert_eq!(side.len(), LEVELS_MAX);
}

#[test]
fn levels_too_far_apart_for_one_window_are_all_held() {
    let (mut fast, mut naive) = (Levels::new(Side::Ask), Naive::new(Side::Ask));
    for round in 0..6 {
        for i in 0..3_000_i64 {
            let price = (i * 1_000_003 * (round + 1)) % 90_000_000_000;
            assert_eq!(fast.set(price, i % 4), naive.set(price, i % 4));
        }
        assert_same(&fast, &naive);
        assert_same_levels(&fast, &naive);
    }
}

#[test]
fn a_promotion_that_overflows_changes_nothing() {
    let mut side = Levels::new(Side::Ask);
    side.set(3, 5);
    side.set(i64::MAX / 10, 7);
    let before = side.iter().collect::<Vec<_>>();
    assert_eq!(side.rescale(100), Err(Overflow));
    assert_eq!(side.promote(1, i64::MAX), Err(Overflow));
    assert_eq!(side.promote(0, 1), Err(Overflow));
    assert_eq!(side.iter().collect::<Vec<_>>(), before);
    assert_eq!(side.rescale(10), Ok(()));
    assert_eq!(side.best(), Some(Level { price: 30, qty: 5 }));
}

#[test]
fn a_full_side_of_lonely_levels_fits_three_mebibytes() {
    let mut side = Levels::new(Side::Ask);
    for round in 0..3 {
        for level in 0..LEVELS_MAX as i64 {
            side.set(level * 800 + round * 64, 1);
        }
        assert_eq!(side.len(), LEVELS_MAX);
        assert!(side.memory_bytes() < 3 << 20, "{}", side.memory_bytes());
        for level in 0..LEVELS_MAX as i64 {
            side.set(level * 800 + round * 64, 0);
        }
    }
    assert!(side.is_empty() && side.iter().next().is_none() && side.worst().is_none());
}

#[test]
fn crowds_that_come_and_go_leave_no_thin_blocks_behind() {
    let (mut fast, mut naive) = (Levels::new(Side::Bid), Naive::new(Side::Bid));
    for page in 0..2_000_i64 {
        for price in (page * 64)..(page * 64 + 20) {
            assert_eq!(fast.set(price, 1), naive.set(price, 1));
        }
        for price in (page * 64)..(page * 64 + 18) {
            assert_eq!(fast.set(price, 0), naive.set(price, 0));
        }
    }
    assert_same_levels(&fast, &naive);
    assert!(fast.memory_bytes() < 256 * 1024, "{}", fast.memory_bytes());
}

#[test]
fn the_window_goes_where_most_levels_are_and_the_stub_stays_exact() {
    let (mut fast, mut naive) = (Levels::new(Side::Ask), Naive::new(Side::Ask));
    assert_eq!(fast.set(1, 9), naive.set(1, 9));
    for round in 1..9 {
        for price in 1_000_000_000..1_000_001_000 {
            assert_eq!(fast.set(price, round), naive.set(price, round));
        }
    }
    assert!(fast.far.len() <= 1, "at most the stub is beyond the windows");
    assert_same(&fast, &naive);
    assert_same_levels(&fast, &naive);
}
