//! A ladder and an ordered map that hear the same words hold the same levels.

use std::collections::BTreeMap;

use proptest::prelude::*;
use veloz_core::ladder::Sides;

fn check<const BID: bool>(ladder: &Sides<i64>, model: &BTreeMap<i64, i64>) {
    let mut expected: Vec<(i64, i64)> = model.iter().map(|(&p, &q)| (p, q)).collect();
    if BID {
        expected.reverse();
    }
    assert_eq!(ladder.len(BID), model.len());
    assert_eq!(ladder.best(BID), expected.first().copied());
    assert_eq!(ladder.iter(BID).collect::<Vec<_>>(), expected);
    for &(price, qty) in expected.iter().take(5) {
        assert_eq!(ladder.get(BID, price), qty);
    }
    // From a price where nothing stands, too: halfway between levels and beyond both ends.
    for probe in expected.iter().flat_map(|&(p, _)| [p.saturating_sub(3), p.saturating_add(5)]) {
        let behind = expected.iter().find(|&&(p, _)| if BID { p < probe } else { p > probe });
        assert_eq!(ladder.next_after(BID, probe), behind.copied());
    }
}

fn play<const BID: bool>(step: i64, words: &[(i64, i64)]) {
    let (mut ladder, mut model) = (Sides::<i64>::new(step), BTreeMap::new());
    for &(price, qty) in words {
        ladder.replace(BID, price, |_| qty);
        ladder.replace(BID, price.wrapping_add(qty), |old| old);
        if qty == 0 {
            model.remove(&price);
        } else {
            model.insert(price, qty);
        }
        let best = if BID { model.last_key_value() } else { model.first_key_value() };
        assert_eq!(ladder.best(BID), best.map(|(&p, &q)| (p, q)), "after {price} x {qty}");
    }
    check::<BID>(&ladder, &model);
    ladder.clear();
    check::<BID>(&ladder, &BTreeMap::new());
    ladder.set(BID, 7, 7);
    check::<BID>(&ladder, &BTreeMap::from([(7, 7)]));
}

/// Prices close together, far apart, off every grid and at the ends of the number range.
fn price() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => 0_i64..40,
        6 => 1_000_000_i64..1_012_000,
        2 => (0_i64..3_000).prop_map(|k| k * 5),
        1 => -20_000_i64..20_000,
        1 => prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(i64::MIN + 1), Just(i64::MAX - 9)],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_ladder_equals_an_ordered_map(
        step in prop_oneof![Just(1_i64), Just(5), Just(1000), Just(64), 1..100_i64, Just(i64::MAX)],
        words in prop::collection::vec((price(), 0_i64..3), 0..400),
    ) {
        play::<true>(step, &words);
        play::<false>(step, &words);
    }
}

#[test]
fn an_off_grid_price_between_levels_becomes_the_best_one() {
    play::<true>(10, &[(1000, 1), (995, 2), (990, 3), (1000, 0), (995, 0)]);
    play::<false>(10, &[(1000, 1), (1005, 2), (1010, 3), (1000, 0), (1005, 0)]);
}

#[test]
fn a_market_that_wanders_far_takes_its_window_along() {
    let words: Vec<(i64, i64)> = (0..60_000_i64)
        .flat_map(|i| [(100_000 + i, 1 + i % 7), (100_000 + i - 5_000, 0)])
        .collect();
    play::<true>(1, &words);
    play::<false>(1, &words);
    let back: Vec<(i64, i64)> = words.iter().rev().map(|&(p, q)| (p, 1 - q.min(1))).collect();
    play::<true>(1, &back);
    play::<false>(1, &back);
}
