//! Laws of the matching simulator (section 17 of the matching page), over generated markets.
//!
//! Each test names its law. `Audit` follows every report and checks what always holds; the laws
//! that compare two runs stand in `matching_laws_compared.rs`.

mod laws;

use std::collections::BTreeMap;

use laws::*;
use proptest::prelude::*;
use veloz_core::instrument::Status;
use veloz_core::market::Bar;
use veloz_core::matching::timeline::Key;
use veloz_core::matching::{AccountReport, VenueEvent};
use veloz_core::order::{OrderId, OrderSpec, OrderType, ReportKind, Stp, Tif};

/// What one order has been told.
#[derive(Clone, Debug)]
struct Told {
    spec: OrderSpec,
    qty: i64,
    filled: i64,
    prevented: i64,
    left: i64,
    fills_as_taker: i64,
    triggered: bool,
    accepted: bool,
    closed: bool,
    at: usize,
}

/// Follows the reports of a run and checks laws 1, 3, 4, 14, 19 and 22 at every one of them.
#[derive(Default)]
struct Audit {
    orders: BTreeMap<OrderId, Told>,
    positions: BTreeMap<u16, i64>,
    halted: bool,
    /// Trades-only markets let market orders wait for the next print.
    markets_wait: bool,
}

impl Audit {
    fn run(
        settings: &[String],
        steps: &[Step],
        lines: &[(usize, AccountReport)],
    ) -> Result<Audit, TestCaseError> {
        let markets_wait = settings.contains(&"level=trade".to_owned());
        let mut audit = Audit { markets_wait, ..Audit::default() };
        let mut lines = lines.iter().peekable();
        for (n, step) in steps.iter().enumerate() {
            if let Step::Status(status) = step {
                audit.halted = *status != Status::Trading;
            }
            if let Step::Place { spec, .. } = step {
                let told = Told {
                    spec: *spec,
                    qty: spec.qty,
                    filled: 0,
                    prevented: 0,
                    left: 0,
                    fills_as_taker: 0,
                    triggered: false,
                    accepted: false,
                    closed: false,
                    at: n,
                };
                audit.orders.insert(n as OrderId + 1, told);
            }
            while let Some((_, line)) = lines.next_if(|(at, _)| *at == n) {
                audit.hear(n, line)?;
            }
            audit.after_step(n)?;
        }
        Ok(audit)
    }

    fn hear(&mut self, n: usize, line: &AccountReport) -> Result<(), TestCaseError> {
        let VenueEvent::Order(report) = line.event else { return Ok(()) };
        prop_assert_eq!(report.ts_exchange, n as i64, "a report has the time of its cause");
        let told = self.orders.get_mut(&report.order).expect("a known order");
        let refusal = matches!(
            report.kind,
            ReportKind::CancelRejected { .. } | ReportKind::AmendRejected { .. }
        );
        if refusal {
            return Ok(());
        }
        prop_assert!(!told.closed, "law 3: {report:?} after closing");
        let rejected = matches!(report.kind, ReportKind::Rejected { .. });
        let accepts = matches!(report.kind, ReportKind::Accepted { .. });
        prop_assert_eq!(!told.accepted, rejected || accepts, "law 3: acceptance comes first, once");
        match report.kind {
            ReportKind::Accepted { qty } => {
                prop_assert!(qty <= told.spec.qty);
                (told.accepted, told.qty, told.left) = (true, qty, qty);
            }
            ReportKind::Rejected { .. } => told.closed = true,
            ReportKind::Filled(fill) => {
                prop_assert!(!self.halted, "law 22: a fill in a halt");
                prop_assert!(fill.qty > 0);
                told.left -= fill.qty;
                told.filled += fill.qty;
                prop_assert!(told.filled <= told.qty, "law 1: over-filled");
                if told.spec.kind.has_limit() {
                    let beyond = (fill.price - told.spec.price) * told.spec.side.sign();
                    prop_assert!(beyond <= 0, "law 4: {fill:?} beyond {:?}", told.spec);
                    prop_assert!(!fill.is_maker || beyond == 0, "law 4: makers get their price");
                }
                if !fill.is_maker {
                    told.fills_as_taker += fill.qty;
                    let never = told.spec.post_only && !told.spec.kind.is_conditional();
                    prop_assert!(!never, "law 14: post-only took");
                }
                prop_assert!(
                    !told.spec.kind.is_conditional() || told.triggered,
                    "law 19: a fill before the trigger"
                );
                let position = self.positions.entry(line.account).or_default();
                let after = *position + fill.qty * told.spec.side.sign();
                if told.spec.reduce_only {
                    let shrinks = after.abs() < position.abs() && after * *position >= 0;
                    prop_assert!(shrinks, "law 14: reduce-only went from {position} to {after}");
                }
                *position = after;
                told.closed = told.left == 0;
            }
            ReportKind::Triggered => {
                prop_assert!(!self.halted, "law 22: a trigger in a halt");
                prop_assert!(!told.triggered, "law 19: triggered twice");
                told.triggered = true;
            }
            ReportKind::Canceled { .. } => told.closed = true,
            ReportKind::Expired { left, prevented, .. } => {
                told.left -= prevented - told.prevented;
                told.prevented = prevented;
                prop_assert_eq!(told.left, left, "law 1: what is left at the end");
                told.closed = true;
            }
            ReportKind::Amended { qty, price, .. } => {
                (told.qty, told.spec.price) = (qty, price);
                told.left = qty - told.filled - told.prevented;
            }
            ReportKind::Reduced { left } => {
                prop_assert!(left < told.left, "a cut takes something");
                told.qty -= told.left - left;
                told.left = left;
            }
            ReportKind::Prevented { qty, left } => {
                told.left -= qty;
                told.prevented += qty;
                prop_assert_eq!(told.left, left, "law 1: what prevention left");
            }
            ReportKind::CancelRejected { .. } | ReportKind::AmendRejected { .. } => {}
        }
        let says_left = !matches!(report.kind, ReportKind::Canceled { .. });
        if says_left && !rejected {
            prop_assert_eq!(told.left, line.left, "law 1: {:?}", report);
        }
        prop_assert!(told.left >= 0);
        prop_assert_eq!(
            told.left + told.filled + told.prevented,
            if rejected { 0 } else { told.qty },
            "law 1: filled, left and prevented make up the order"
        );
        Ok(())
    }

    fn after_step(&self, n: usize) -> Result<(), TestCaseError> {
        for told in self.orders.values().filter(|told| told.at == n && told.accepted) {
            let unconditional = !told.spec.kind.is_conditional();
            let at_once = (told.spec.kind == OrderType::Market && !self.markets_wait)
                || (told.spec.kind == OrderType::Limit && told.spec.tif != Tif::Gtc);
            prop_assert!(
                !(unconditional && at_once) || told.closed,
                "law 14: {:?} rests",
                told.spec
            );
            let kills = unconditional && told.spec.tif == Tif::Fok;
            let all_or_nothing = told.filled == 0 || told.filled == told.qty;
            let prevents = told.spec.stp != Stp::None;
            prop_assert!(!kills || prevents || all_or_nothing, "law 14: FOK in part");
        }
        Ok(())
    }
}

fn mirrored(step: &Step) -> Step {
    let price = |p: i64| 201 - p;
    match *step {
        Step::Level { side, price: p, qty } => {
            Step::Level { side: side.opposite(), price: price(p), qty }
        }
        Step::Print { price: p, qty, buy } => Step::Print { price: price(p), qty, buy: !buy },
        Step::Place { account, mut spec } => {
            spec.side = spec.side.opposite();
            let given = |p: i64| if p == 0 { 0 } else { price(p) };
            (spec.price, spec.trigger_price) = (given(spec.price), given(spec.trigger_price));
            Step::Place { account, spec }
        }
        Step::Amend { nth, qty, price: p } => Step::Amend { nth, qty, price: price(p) },
        Step::Cancel { .. } | Step::Status(_) => *step,
    }
}

fn mirrored_kind(kind: ReportKind) -> ReportKind {
    match kind {
        ReportKind::Filled(mut fill) => {
            fill.price = 201 - fill.price;
            ReportKind::Filled(fill)
        }
        ReportKind::Amended { qty, price, queue_kept } => {
            ReportKind::Amended { qty, price: 201 - price, queue_kept }
        }
        other => other,
    }
}

/// Bars of a walk, and one limit order before the first.
fn bar_story() -> impl Strategy<Value = (Vec<Bar>, OrderSpec)> {
    let bar = (-3_i64..4, 0_i64..5, 0_i64..5, 0_i64..60);
    let order = (side(), 1_i64..20, 92_i64..109);
    (prop::collection::vec(bar, 1..25), order).prop_map(|(shapes, (side, qty, price))| {
        let (mut open, mut bars) = (100, Vec::new());
        for (n, (change, above, below, volume)) in shapes.into_iter().enumerate() {
            let close = open + change;
            let (ts_open, ts_close) = (n as i64 * 60, n as i64 * 60 + 60);
            let (high, low) = (open.max(close) + above, open.min(close) - below);
            bars.push(Bar { ts_open, ts_close, instrument: 0, open, high, low, close, volume });
            open = close;
        }
        (bars, OrderSpec::new(0, side, OrderType::Limit, qty, price))
    })
}

/// Fills of a bar run as (time, quantity).
fn bar_fills(settings: &[&str], bars: &[Bar], spec: &OrderSpec) -> Vec<(i64, i64)> {
    let mut settings = settings.to_vec();
    settings.insert(0, "level=bar");
    let mut venue = venue(&settings, 1);
    venue.place(-1, 0, 1, spec);
    let mut said = Vec::new();
    for bar in bars {
        while !venue.advance(Key::new(bar.ts_open, 2, 1)) {}
        venue.bar(bar);
    }
    while !venue.advance(Key::MAX) {}
    said.append(&mut venue.reports);
    said.iter()
        .filter_map(|line| match line.event {
            VenueEvent::Order(report) => match report.kind {
                ReportKind::Filled(fill) => Some((report.ts_exchange, fill.qty)),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

fn filled_by(fills: &[(i64, i64)], time: i64) -> i64 {
    fills.iter().filter(|(at, _)| *at <= time).map(|(_, qty)| qty).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn laws_1_3_4_14_19_hold_at_every_report(steps in any_steps(), settings in any_settings()) {
        let lines = play(with(&settings), &steps);
        let audit = Audit::run(&settings, &steps, &lines)?;
        if settings.contains(&"level=true".to_owned()) {
            prop_assert_eq!(audit.positions.values().sum::<i64>(), 0, "law 1: bought = sold");
        }
    }

    #[test]
    fn law_5_a_print_fills_no_more_than_its_quantity(
        market in prop::collection::vec(prop_oneof![3 => level(), 3 => print()], 5..60),
        orders in prop::collection::vec((0_usize..60, side(), 1_i64..6, 96_i64..106), 1..8),
    ) {
        let mut steps = market;
        for (at, side, qty, price) in orders {
            let mut spec = OrderSpec::new(0, side, OrderType::Limit, qty, price);
            spec.post_only = true;
            steps.insert(at.min(steps.len()), Step::Place { account: 0, spec });
        }
        let lines = play(venue(&["queue=ahead"], 1), &steps);
        for (n, step) in steps.iter().enumerate() {
            let filled: i64 = kinds(&lines)
                .iter()
                .filter(|(at, _, _)| *at == n)
                .map(|(_, _, kind)| if let ReportKind::Filled(f) = kind { f.qty } else { 0 })
                .sum();
            match step {
                Step::Print { qty, .. } => prop_assert!(filled <= *qty, "{filled} of {qty}"),
                Step::Level { .. } | Step::Place { .. } => {}
                Step::Cancel { .. } | Step::Amend { .. } | Step::Status(_) => {}
            }
        }
    }

    #[test]
    fn law_5_a_level_gives_no_more_than_it_showed(
        market in prop::collection::vec(level(), 5..60),
        orders in prop::collection::vec((0_usize..60, side(), 1_i64..9), 1..20),
    ) {
        let mut steps = market;
        for (at, side, qty) in orders {
            let spec = OrderSpec::new(0, side, OrderType::Market, qty, 0);
            steps.insert(at.min(steps.len()), Step::Place { account: 0, spec });
        }
        let lines = kinds(&play(venue(&[], 1), &steps));
        let (mut shown, mut grown, mut taken) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (n, step) in steps.iter().enumerate() {
            match *step {
                Step::Level { side, price, qty } => {
                    let before = shown.insert((side, price), qty).unwrap_or(0);
                    *grown.entry((side, price)).or_insert(0) += (qty - before).max(0);
                    if qty == 0 {
                        grown.insert((side, price), 0);
                        taken.insert((side, price), 0);
                    }
                }
                Step::Place { spec, .. } => {
                    for (_, _, kind) in lines.iter().filter(|(at, _, _)| *at == n) {
                        if let ReportKind::Filled(fill) = kind {
                            let place = (spec.side.opposite(), fill.price);
                            *taken.entry(place).or_insert(0) += fill.qty;
                            let most = grown.get(&place).copied().unwrap_or(0);
                            prop_assert!(taken[&place] <= most, "{place:?}: {taken:?} of {most}");
                        }
                    }
                }
                Step::Print { .. } | Step::Cancel { .. } | Step::Amend { .. } => {}
                Step::Status(_) => {}
            }
        }
    }

    #[test]
    fn law_6_back_fills_no_more_than_any_model_and_ahead_no_less(steps in passive_story()) {
        let run = |model: &str| {
            filled_over_time(venue(&[&format!("queue={model}")], 1), &steps)
        };
        let (back, ahead) = (run("back"), run("ahead"));
        for model in MODELS {
            for (n, filled) in run(model).into_iter().enumerate() {
                prop_assert!(back[n] <= filled && filled <= ahead[n], "{model} at step {n}");
            }
        }
    }

    #[test]
    fn law_8_the_same_inputs_give_the_same_lines(steps in any_steps(), settings in any_settings()) {
        prop_assert_eq!(play(with(&settings), &steps), play(with(&settings), &steps));
    }

    #[test]
    fn law_13_more_penetration_never_fills_earlier((bars, spec) in bar_story()) {
        let mut before: Option<Vec<(i64, i64)>> = None;
        for penetration in 0..4 {
            let fills = bar_fills(&[&format!("penetration={penetration}")], &bars, &spec);
            if let Some(easier) = before {
                for (time, _) in &fills {
                    prop_assert!(filled_by(&easier, *time) >= filled_by(&fills, *time));
                }
            }
            before = Some(fills);
        }
    }

    #[test]
    fn law_13_a_smaller_share_of_volume_never_fills_more((bars, spec) in bar_story()) {
        let mut before: Option<Vec<(i64, i64)>> = None;
        for share in ["none", "0.5", "0.2", "0.05"] {
            let fills = bar_fills(&[&format!("participation={share}")], &bars, &spec);
            if let Some(larger) = before {
                for (time, _) in &fills {
                    prop_assert!(filled_by(&larger, *time) >= filled_by(&fills, *time));
                }
            }
            before = Some(fills);
        }
    }

    #[test]
    fn law_15_a_mirrored_market_gives_mirrored_lines(
        steps in any_steps(),
        settings in any_settings(),
    ) {
        // Trailing distances are a share of the price and have no mirror.
        let trails = |step: &Step| {
            matches!(step, Step::Place { spec, .. } if spec.kind == OrderType::TrailingStop)
        };
        let steps: Vec<Step> = steps.into_iter().filter(|step| !trails(step)).collect();
        let mirror: Vec<Step> = steps.iter().map(mirrored).collect();
        let lines = kinds(&play(with(&settings), &steps));
        let expected: Vec<_> =
            lines.into_iter().map(|(n, id, kind)| (n, id, mirrored_kind(kind))).collect();
        prop_assert_eq!(kinds(&play(with(&settings), &mirror)), expected);
    }

    #[test]
    fn law_16_scaled_quantities_give_scaled_fills(steps in passive_story(), factor in 2_i64..50) {
        let scaled: Vec<Step> = steps
            .iter()
            .map(|step| match *step {
                Step::Level { side, price, qty } => Step::Level { side, price, qty: qty * factor },
                Step::Print { price, qty, buy } => Step::Print { price, qty: qty * factor, buy },
                Step::Place { account, mut spec } => {
                    spec.qty *= factor;
                    Step::Place { account, spec }
                }
                other => other,
            })
            .collect();
        for model in ["back", "ahead", "proportional", "power:2", "sqrt", "log"] {
            let setting = format!("queue={model}");
            let small = filled_over_time(venue(&[&setting], 1), &steps);
            let large = filled_over_time(venue(&[&setting], factor), &scaled);
            let expected: Vec<i64> = small.iter().map(|qty| qty * factor).collect();
            prop_assert_eq!(large, expected, "{}", model);
        }
    }

    #[test]
    fn law_20_a_venue_saved_anywhere_goes_on_the_same(
        steps in any_steps(),
        settings in any_settings(),
        cut in 0_usize..80,
    ) {
        let whole = play(with(&settings), &steps);
        let (mut first, mut owners, mut lines) = (with(&settings), BTreeMap::new(), Vec::new());
        let cut = cut.min(steps.len());
        for (n, step) in steps[..cut].iter().enumerate() {
            apply(&mut first, n as i64, step, &mut owners);
            lines.extend(first.reports.drain(..).map(|report| (n, report)));
        }
        let mut second = first.clone();
        drop(first);
        for (n, step) in steps.iter().enumerate().skip(cut) {
            apply(&mut second, n as i64, step, &mut owners);
            lines.extend(second.reports.drain(..).map(|report| (n, report)));
        }
        prop_assert_eq!(lines, whole);
    }

    #[test]
    fn law_22_nothing_fills_or_triggers_in_a_halt(
        steps in any_steps(),
        settings in any_settings(),
        from in 0_usize..80,
        len in 1_usize..40,
        halt in prop_oneof![Just(Status::Halt), Just(Status::CancelOnly)],
    ) {
        let mut steps = steps;
        steps.insert(from.min(steps.len()), Step::Status(halt));
        steps.insert((from + len).min(steps.len()), Step::Status(Status::Trading));
        let lines = play(with(&settings), &steps);
        Audit::run(&settings, &steps, &lines)?;
    }
}
