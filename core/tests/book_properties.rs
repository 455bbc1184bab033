//! A book under its sequence rules equals a naive model, and is whole or says that it is not.

use std::collections::BTreeMap;

use proptest::prelude::*;
use veloz_core::book::{
    Book, BookSide, BookSync, Chain, Outcome, PriceLevel, SyncState, UpdateIds,
};

type Map = BTreeMap<i64, i64>;

fn set(map: &mut Map, levels: &[PriceLevel]) {
    for level in levels {
        if level.qty == 0 {
            map.remove(&level.price);
        } else {
            map.insert(level.price, level.qty);
        }
    }
}

fn listed(map: &Map, side: BookSide) -> Vec<PriceLevel> {
    let mut all: Vec<PriceLevel> = map.iter().map(|(&p, &q)| (p, q).into()).collect();
    if side == BookSide::Bids {
        all.reverse();
    }
    all
}

fn levels() -> impl Strategy<Value = Vec<PriceLevel>> {
    let price = prop_oneof![9 => 9_000_i64..11_000, 1 => 1_i64..100_000];
    prop::collection::vec((price, 0_i64..4).prop_map(PriceLevel::from), 0..12)
}

type Diff = (Vec<PriceLevel>, Vec<PriceLevel>, u64);

fn diffs() -> impl Strategy<Value = Vec<Diff>> {
    prop::collection::vec((levels(), levels(), 1_u64..5), 1..60)
}

/// The sequence numbers that a venue would give to these updates.
fn numbered(chain: Chain, diffs: &[Diff]) -> Vec<UpdateIds> {
    let mut last = 1_000;
    diffs
        .iter()
        .map(|&(_, _, width)| {
            let jump = if chain == Chain::Linked { width * 3 } else { 0 };
            let ids =
                UpdateIds { first: last + 1 + jump, last: last + jump + width, previous: last };
            last = ids.last;
            ids
        })
        .collect()
}

fn assert_equal(sync: &BookSync, model: &(Map, Map)) {
    assert_eq!(sync.book().top(BookSide::Bids, usize::MAX), listed(&model.0, BookSide::Bids));
    assert_eq!(sync.book().top(BookSide::Asks, usize::MAX), listed(&model.1, BookSide::Asks));
}

fn ignore(_: (i64, i64), _: &[PriceLevel], _: &[PriceLevel]) {}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_book_that_joins_anywhere_equals_the_model(
        diffs in diffs(),
        linked in any::<bool>(),
        cut in any::<prop::sample::Index>(),
        late in 0_usize..20,
    ) {
        let chain = if linked { Chain::Linked } else { Chain::Contiguous };
        let ids = numbered(chain, &diffs);
        // The snapshot includes the first `cut` updates and arrives `late` updates afterwards.
        let cut = cut.index(diffs.len());
        let arrival = (cut + late).min(diffs.len());
        let mut model = (Map::new(), Map::new());
        for (bids, asks, _) in &diffs[..cut] {
            set(&mut model.0, bids);
            set(&mut model.1, asks);
        }
        let snapshot_id = if cut == 0 { 1_000 } else { ids[cut - 1].last };
        let (bids, asks) = (listed(&model.0, BookSide::Bids), listed(&model.1, BookSide::Asks));
        let mut sync = BookSync::new(1, chain);
        for at in 0..=diffs.len() {
            if at == arrival {
                // On a linked chain a snapshot just between two updates carries no proof that they
                // meet; a venue's snapshot lies inside one, as its first rule says.
                let inside = if linked && cut < diffs.len() { ids[cut].first } else { snapshot_id };
                prop_assert_eq!(sync.snapshot(inside, &bids, &asks, ignore), Outcome::Applied);
                model = (Map::new(), Map::new());
                for (bids, asks, _) in &diffs[..at] {
                    set(&mut model.0, bids);
                    set(&mut model.1, asks);
                }
                assert_equal(&sync, &model);
            }
            let Some((bids, asks, _)) = diffs.get(at) else { break };
            let outcome = sync.apply(ids[at], (0, 0), bids, asks);
            set(&mut model.0, bids);
            set(&mut model.1, asks);
            if at < arrival {
                prop_assert_eq!(outcome, Outcome::Kept);
            } else {
                prop_assert_eq!(outcome, Outcome::Applied);
                assert_equal(&sync, &model);
            }
        }
        prop_assert_eq!(sync.counts().gaps, 0);
        prop_assert_eq!(sync.counts().diffs, diffs.len() as u64);
    }

    #[test]
    fn what_is_shown_within_the_known_range_is_the_venues_best(
        start in (levels(), levels()),
        diffs in diffs(),
        deep in 1_usize..6,
    ) {
        let ids = numbered(Chain::Contiguous, &diffs);
        let mut model = (Map::new(), Map::new());
        set(&mut model.0, &start.0);
        set(&mut model.1, &start.1);
        let top = |map: &Map, side| listed(map, side).into_iter().take(deep).collect::<Vec<_>>();
        let mut sync = BookSync::new(1, Chain::Contiguous);
        let (bids, asks) = (top(&model.0, BookSide::Bids), top(&model.1, BookSide::Asks));
        sync.snapshot(1_000, &bids, &asks, ignore);
        let known = (bids.last().map(|l| l.price), asks.last().map(|l| l.price));
        prop_assert_eq!(sync.known_range(), known);
        for (at, (bids, asks, _)) in diffs.iter().enumerate() {
            prop_assert_eq!(sync.apply(ids[at], (0, 0), bids, asks), Outcome::Applied);
            set(&mut model.0, bids);
            set(&mut model.1, asks);
            if !sync.is_beyond_known() {
                let best = |map: &Map, side| listed(map, side).first().copied();
                if known.0.is_some() {
                    prop_assert_eq!(sync.book().best_bid(), best(&model.0, BookSide::Bids));
                }
                if known.1.is_some() {
                    prop_assert_eq!(sync.book().best_ask(), best(&model.1, BookSide::Asks));
                }
            }
        }
    }

    #[test]
    fn a_missing_update_is_found_and_a_snapshot_heals_it(
        diffs in diffs(),
        linked in any::<bool>(),
        lost in any::<prop::sample::Index>(),
    ) {
        prop_assume!(diffs.len() > 2);
        let chain = if linked { Chain::Linked } else { Chain::Contiguous };
        let ids = numbered(chain, &diffs);
        // Neither the first (nothing was joined yet) nor the last (nothing follows).
        let lost = 1 + lost.index(diffs.len() - 2);
        let mut sync = BookSync::new(1, chain);
        let start = if linked { ids[0].first } else { 1_000 };
        sync.snapshot(start, &[], &[], ignore);
        let mut model = (Map::new(), Map::new());
        for (at, (bids, asks, _)) in diffs.iter().enumerate() {
            if at == lost {
                continue;
            }
            let outcome = sync.apply(ids[at], (0, 0), bids, asks);
            let expected = match at {
                _ if at < lost => Outcome::Applied,
                _ if at == lost + 1 => Outcome::Gap,
                _ => Outcome::Kept,
            };
            prop_assert_eq!(outcome, expected);
            if at < lost {
                set(&mut model.0, bids);
                set(&mut model.1, asks);
            }
            // After the gap the book is as it was before it.
            assert_equal(&sync, &model);
        }
        prop_assert_eq!(sync.state(), SyncState::Stale);
        prop_assert_eq!(sync.counts().gaps, 1);
        let before = if linked { ids[lost].last } else { ids[lost].last - 1 };
        prop_assert_eq!(sync.snapshot(before, &[], &[], ignore), Outcome::TooOld);
        let inside = if linked { ids[lost + 1].first } else { ids[lost].last };
        prop_assert_eq!(sync.snapshot(inside, &[], &[], ignore), Outcome::Applied);
        prop_assert_eq!(sync.state(), SyncState::Live);
        prop_assert_eq!(sync.counts().resyncs, 1);
        prop_assert_eq!(sync.last_id(), ids[diffs.len() - 1].last);
    }

    #[test]
    fn figures_equal_their_definitions(
        bids in prop::collection::vec((9_000_i64..9_990, 1_i64..1_000), 1..40),
        asks in prop::collection::vec((10_010_i64..11_000, 1_i64..1_000), 1..40),
        n in 1_usize..12,
        qty in 1_i64..8_000,
    ) {
        let bid_map: Map = bids.into_iter().collect();
        let ask_map: Map = asks.into_iter().collect();
        let (bids, asks) = (listed(&bid_map, BookSide::Bids), listed(&ask_map, BookSide::Asks));
        let mut book = Book::new(1);
        book.apply(&bids, &asks);
        prop_assert_eq!(book.best(), Some((bids[0], asks[0])));
        prop_assert_eq!(book.spread(), Some(asks[0].price - bids[0].price));
        let mid = (bids[0].price + asks[0].price) as f64 / 2.0;
        prop_assert_eq!(book.mid(), Some(mid));
        let micro = book.microprice().unwrap();
        prop_assert!(bids[0].price as f64 <= micro && micro <= asks[0].price as f64);
        let sum = |levels: &[PriceLevel]| levels.iter().take(n).map(|l| l.qty).sum::<i64>() as f64;
        let imbalance = (sum(&bids) - sum(&asks)) / (sum(&bids) + sum(&asks));
        prop_assert!((book.imbalance(n).unwrap() - imbalance).abs() < 1e-12);
        // Walking the book unit by unit.
        let units: Vec<i64> =
            asks.iter().flat_map(|l| std::iter::repeat_n(l.price, l.qty as usize)).collect();
        match book.vwap(BookSide::Asks, qty) {
            None => prop_assert!((units.len() as i64) < qty),
            Some(vwap) => {
                let expected =
                    units[..qty as usize].iter().sum::<i64>() as f64 / qty as f64;
                prop_assert!((vwap - expected).abs() < 1e-6);
                let impact = (expected - mid) / mid * 1e4;
                prop_assert!((book.impact_bps(BookSide::Asks, qty).unwrap() - impact).abs() < 1e-6);
                prop_assert_eq!(
                    book.walk(BookSide::Asks, qty).worst_price,
                    units[qty as usize - 1]
                );
            }
        }
        let level_vwap = asks.iter().take(n).map(|l| l.price * l.qty).sum::<i64>() as f64
            / sum(&asks);
        prop_assert!((book.vwap_of_levels(BookSide::Asks, n).unwrap() - level_vwap).abs() < 1e-6);
        prop_assert_eq!(book.qty_at(BookSide::Bids, bids[0].price), bids[0].qty);
        prop_assert_eq!(book.qty_at(BookSide::Bids, 1), 0);
    }
}

#[test]
fn an_update_that_comes_twice_or_late_changes_nothing() {
    for chain in [Chain::Contiguous, Chain::Linked] {
        let mut sync = BookSync::new(1, chain);
        let (bid, ask) = ([PriceLevel::from((10, 1))], [PriceLevel::from((11, 1))]);
        sync.snapshot(5, &[], &[], ignore);
        let first = UpdateIds { first: 5, last: 7, previous: 4 };
        assert_eq!(sync.apply(first, (0, 0), &bid, &ask), Outcome::Applied);
        assert_eq!(sync.apply(first, (0, 0), &[(10, 0).into()], &[]), Outcome::Old);
        assert_eq!(sync.book().best(), Some((bid[0], ask[0])));
        assert_eq!(sync.counts().gaps, 0);
    }
}

#[test]
fn a_crossed_book_is_counted_and_a_snapshot_behind_a_live_book_is_old() {
    let mut sync = BookSync::new(1, Chain::Contiguous);
    sync.snapshot(1, &[(10, 1).into()], &[(11, 1).into()], ignore);
    let ids = UpdateIds { first: 2, last: 3, previous: 0 };
    sync.apply(ids, (0, 0), &[(11, 2).into()], &[]);
    assert_eq!(sync.counts().crossed, 1);
    assert_eq!(sync.snapshot(3, &[], &[], ignore), Outcome::Old);
    assert!(sync.book().is_crossed());
}
