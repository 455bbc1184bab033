//! Laws of the matching simulator that compare two runs of one story (section 17 of the matching
//! page): latency, foresight, irrelevance, priority, costs, splits, and the bounds against truth.

mod laws;

use std::collections::BTreeMap;

use laws::*;
use proptest::prelude::*;
use veloz_core::market::{Bar, Tick, TICK_BUY, TICK_LAST, TICK_TRADE};
use veloz_core::matching::timeline::Key;
use veloz_core::matching::{Venue, VenueEvent};
use veloz_core::order::{OrderId, OrderSpec, OrderType, ReportKind, Side};

fn limit(side: Side, qty: i64, price: i64) -> OrderSpec {
    let mut spec = OrderSpec::new(0, side, OrderType::Limit, qty, price);
    spec.post_only = true;
    spec
}

fn market_story(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(prop_oneof![3 => level(), 2 => print()], len)
}

/// Steps at their own times, so that orders can come between the steps of a market.
fn play_at(mut venue: Venue, steps: &[(i64, Step)]) -> Vec<(i64, OrderId, ReportKind)> {
    let (mut owners, mut lines) = (BTreeMap::new(), Vec::new());
    for (now, step) in steps {
        apply(&mut venue, *now, step, &mut owners);
        for line in venue.reports.drain(..) {
            if let VenueEvent::Order(report) = line.event {
                lines.push((report.ts_exchange, report.order, report.kind));
            }
        }
    }
    lines
}

/// A market step every ten instants, and one order somewhere.
fn placed(market: &[Step], at: i64, spec: OrderSpec) -> Vec<(i64, Step)> {
    let mut steps: Vec<_> = market.iter().enumerate().map(|(n, s)| (n as i64 * 10, *s)).collect();
    steps.push((at, Step::Place { account: 0, spec }));
    steps.sort_by_key(|(time, _)| *time);
    steps
}

fn filled_by(lines: &[(i64, OrderId, ReportKind)], time: i64) -> i64 {
    let qty = |kind: &ReportKind| if let ReportKind::Filled(fill) = kind { fill.qty } else { 0 };
    lines.iter().filter(|(at, ..)| *at <= time).map(|(_, _, kind)| qty(kind)).sum()
}

/// What an order-by-order market of others shows the public: its diffs and prints, step by step.
struct Public {
    shown: BTreeMap<(Side, i64), i64>,
    steps: Vec<(i64, Step)>,
}

impl Public {
    fn level(&mut self, now: i64, side: Side, price: i64, qty: i64) {
        if self.shown.insert((side, price), qty).unwrap_or(0) != qty {
            self.steps.push((now, Step::Level { side, price, qty }));
        }
    }
}

/// One thing that another trader does in the order-by-order market.
#[derive(Clone, Copy, Debug)]
enum Other {
    Rest { side: Side, depth: i64, qty: i64 },
    Take { side: Side, qty: i64 },
    Leave { nth: usize },
}

fn others() -> impl Strategy<Value = Vec<Other>> {
    let other = prop_oneof![
        4 => (side(), 0_i64..3, 1_i64..6)
            .prop_map(|(side, depth, qty)| Other::Rest { side, depth, qty: qty * 1_000 }),
        3 => (side(), 1_i64..9).prop_map(|(side, qty)| Other::Take { side, qty: qty * 1_000 }),
        3 => (0_usize..20).prop_map(|nth| Other::Leave { nth }),
    ];
    prop::collection::vec(other, 2..70)
}

/// A first-in-first-out book of others' orders with one tracer of no size in it.
struct Fifo {
    /// Others' orders by age: side, price, left.
    queue: Vec<(Side, i64, i64)>,
    /// The tracer's side, price, and how many orders of the queue are older.
    tracer: (Side, i64),
    older: Option<usize>,
    filled_at: Option<i64>,
}

impl Fifo {
    /// Takes from the best price on, oldest first; gives the prints.
    fn take(&mut self, now: i64, taker: Side, mut qty: i64) -> Vec<(i64, i64)> {
        let mut prints: Vec<(i64, i64)> = Vec::new();
        let side = taker.opposite();
        while qty > 0 {
            let better = |p: i64| if side == Side::Buy { -p } else { p };
            let resting = self.queue.iter().enumerate().filter(|(_, o)| o.0 == side && o.2 > 0);
            let Some((at, &(_, price, left))) = resting.min_by_key(|(at, o)| (better(o.1), *at))
            else {
                // What is left meets nobody: the public would see nothing of it.
                break;
            };
            self.reach(now, side, price, at);
            let traded = left.min(qty);
            self.queue[at].2 -= traded;
            qty -= traded;
            match prints.last_mut() {
                Some(last) if last.0 == price => last.1 += traded,
                _ => prints.push((price, traded)),
            }
        }
        prints
    }

    /// The tracer trades when the taking passes its place: `at` is the order about to be taken.
    fn reach(&mut self, now: i64, side: Side, price: i64, at: usize) {
        let Some(older) = self.older else { return };
        let (tracer_side, tracer_price) = self.tracer;
        if side != tracer_side || self.filled_at.is_some() {
            return;
        }
        let through = (tracer_price - price) * side.sign() > 0;
        if through || (price == tracer_price && at >= older && !self.is_ahead(older)) {
            self.filled_at = Some(now);
        }
    }

    fn is_ahead(&self, older: usize) -> bool {
        let (side, price) = self.tracer;
        self.queue[..older].iter().any(|o| o.0 == side && o.1 == price && o.2 > 0)
    }

    fn shown(&self, side: Side, price: i64) -> i64 {
        self.queue.iter().filter(|o| o.0 == side && o.1 == price).map(|o| o.2).sum()
    }
}

/// Plays the others; gives the public's view and the instant at which a tracer truly trades.
fn truth(others: &[Other], tracer_at: usize, tracer_side: Side) -> (Public, Option<i64>) {
    let price = |side: Side, depth: i64| if side == Side::Buy { 100 - depth } else { 101 + depth };
    let tracer = (tracer_side, price(tracer_side, 0));
    let mut fifo = Fifo { queue: Vec::new(), tracer, older: None, filled_at: None };
    let mut public = Public { shown: BTreeMap::new(), steps: Vec::new() };
    for (n, other) in others.iter().enumerate() {
        let now = n as i64 * 10;
        if n == tracer_at {
            fifo.older = Some(fifo.queue.len());
        }
        match *other {
            Other::Rest { side, depth, qty } => fifo.queue.push((side, price(side, depth), qty)),
            Other::Take { side, qty } => {
                for (price, qty) in fifo.take(now, side, qty) {
                    let buy = side == Side::Buy;
                    public.steps.push((now, Step::Print { price, qty, buy }));
                }
            }
            Other::Leave { nth } => {
                let open: Vec<usize> =
                    (0..fifo.queue.len()).filter(|&at| fifo.queue[at].2 > 0).collect();
                if let Some(&at) = open.get(nth % open.len().max(1)) {
                    fifo.queue[at].2 = 0;
                }
            }
        }
        for side in [Side::Buy, Side::Sell] {
            for depth in 0..3 {
                let price = price(side, depth);
                let shown = fifo.shown(side, price);
                if shown != 0 || public.shown.contains_key(&(side, price)) {
                    public.level(now, side, price, shown);
                }
            }
        }
    }
    (public, fifo.filled_at)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_global_rejects: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn law_7_a_later_arrival_never_has_more_filled(
        market in market_story(5..60),
        side in side(),
        qty in 1_i64..9,
        price in 96_i64..106,
        at in 0_i64..200,
        later in 1_i64..200,
        model in prop::sample::select(vec!["back", "ahead", "proportional"]),
    ) {
        let setting = format!("queue={model}");
        let run = |at| play_at(venue(&[&setting], 1), &placed(&market, at, limit(side, qty, price)));
        let (early, late) = (run(at), run(at + later));
        // An order that would take is refused on arrival; refused early, it has nothing to compare.
        prop_assume!(!early.iter().any(|(_, _, kind)| matches!(kind, ReportKind::Rejected { .. })));
        for (time, ..) in &late {
            prop_assert!(*time >= at + later, "a report before the order arrived");
            prop_assert!(filled_by(&early, *time) >= filled_by(&late, *time), "{model} at {time}");
        }
    }

    #[test]
    fn law_9_what_comes_later_changes_no_line_before_it(
        steps in any_steps(),
        others in any_steps(),
        settings in any_settings(),
        cut in 0_usize..80,
    ) {
        let cut = cut.min(steps.len());
        let mut changed = steps[..cut].to_vec();
        changed.extend(others);
        let before = |steps: &[Step]| {
            let lines = kinds(&play(with(&settings), steps));
            lines.into_iter().filter(|(n, ..)| *n < cut).collect::<Vec<_>>()
        };
        prop_assert_eq!(before(&steps), before(&changed));
    }

    #[test]
    fn law_10_an_order_far_away_changes_nobody_else(
        steps in any_steps(),
        settings in any_settings(),
        far in side(),
        qty in 1_i64..9,
    ) {
        // Ids are step numbers, so the far order comes last in a list that both runs share; it is
        // placed first in time by giving the market to the venue behind it.
        let price = if far == Side::Buy { 1 } else { 100_000 };
        let idle = Step::Cancel { nth: 0 };
        let with_far: Vec<Step> =
            std::iter::once(Step::Place { account: 9, spec: limit(far, qty, price) })
                .chain(steps.iter().copied().filter(|step| !matches!(step, Step::Cancel { .. } | Step::Amend { .. })))
                .collect();
        let without: Vec<Step> = std::iter::once(idle).chain(with_far[1..].iter().copied()).collect();
        let all = kinds(&play(with(&settings), &with_far));
        let fills = |(_, id, kind): &(usize, OrderId, ReportKind)| {
            *id == 1 && matches!(kind, ReportKind::Filled(_))
        };
        prop_assume!(!all.iter().any(fills));
        let lines = |steps: &[Step]| {
            let lines = kinds(&play(with(&settings), steps));
            lines.into_iter().filter(|(_, id, _)| *id != 1).collect::<Vec<_>>()
        };
        prop_assert_eq!(lines(&with_far), lines(&without));
    }

    #[test]
    fn rows_do_the_same_by_the_short_way_and_by_the_long_one(
        rows in prop::collection::vec((side(), -1_i64..3, 0_i64..5, 0_u8..3, 0_u8..6), 1..150),
        queue in prop_oneof![Just("queue=back"), Just("queue=ahead")],
    ) {
        // An armed order that trails takes the short way from all rows, here without ever working.
        let mut far = OrderSpec::new(0, Side::Buy, OrderType::TrailingStop, 1, 0);
        (far.trail_bps, far.activation_price) = (100, 1);
        let play = |is_long: bool| {
            let mut venue = venue(&["level=book", queue], 1);
            if is_long {
                venue.place(0, 9, 1_000, &far);
            }
            for (n, &(side, depth, qty, kind, place)) in rows.iter().enumerate() {
                let now = n as i64 / 3; // messages of several rows, the last of which says so
                let price = if side == Side::Buy { 100 - depth } else { 101 + depth };
                if place == 0 {
                    venue.place(now, 0, n as OrderId + 1, &limit(side.opposite(), qty + 1, price));
                }
                let is_print = kind == 0 && qty > 0;
                let what = if is_print { TICK_TRADE } else { TICK_LAST * u32::from(n % 3 == 2) };
                // A seller takes from the bids.
                let flags = what | if (side == Side::Buy) != is_print { TICK_BUY } else { 0 };
                let row = Tick { ts_exchange: now, price, qty, flags, ..Tick::default() };
                while venue.ticks(&[row], now + 1) == 0 {
                    venue.advance(Key::new(now, 2, 1));
                }
            }
            let lines = venue.reports.drain(..).filter_map(|line| match line.event {
                VenueEvent::Order(report) if report.order != 1_000 => Some(report),
                _ => None,
            });
            (lines.collect::<Vec<_>>(), venue.evidence())
        };
        prop_assert_eq!(play(false), play(true));
    }

    #[test]
    fn law_10_a_cancelled_order_leaves_no_trace(
        before in market_story(3..30),
        after in prop::collection::vec(any_step(), 1..40),
        settings in any_settings(),
        side in side(),
        qty in 1_i64..9,
        depth in 1_i64..4,
    ) {
        // Behind the touch and cancelled in the same breath: nothing can have traded with it.
        let price = if side == Side::Buy { 100 - depth } else { 101 + depth } ;
        let only_places = |step: &Step| !matches!(step, Step::Cancel { .. } | Step::Amend { .. });
        let tail: Vec<Step> = after.into_iter().filter(only_places).collect();
        let story = |ghost: bool| {
            let mut steps = before.clone();
            let (place, cancel) =
                (Step::Place { account: 9, spec: limit(side, qty, price) }, Step::Cancel { nth: 0 });
            steps.extend(if ghost { [place, cancel] } else { [cancel, cancel] });
            steps.extend(tail.iter().copied());
            let ghost_id = before.len() as OrderId + 1;
            let lines = kinds(&play(with(&settings), &steps));
            lines.into_iter().filter(|(_, id, _)| *id != ghost_id).collect::<Vec<_>>()
        };
        prop_assert_eq!(story(true), story(false));
    }

    #[test]
    fn law_11_better_prices_then_older_orders_trade_first(
        orders in prop::collection::vec((0_u16..3, side(), 1_i64..9, 97_i64..105), 2..50),
    ) {
        let steps: Vec<Step> = orders
            .iter()
            .map(|&(account, side, qty, price)| {
                let spec = OrderSpec::new(0, side, OrderType::Limit, qty, price);
                Step::Place { account, spec }
            })
            .collect();
        let mut left: BTreeMap<OrderId, (Side, i64, i64)> = BTreeMap::new();
        let lines = kinds(&play(venue(&["level=true"], 1), &steps));
        let mut lines = lines.into_iter().peekable();
        for (n, &(_, side, qty, price)) in orders.iter().enumerate() {
            left.insert(n as OrderId + 1, (side, price, qty));
            while let Some((_, id, kind)) = lines.next_if(|(at, ..)| *at == n) {
                let ReportKind::Filled(fill) = kind else { continue };
                let (side, price, _) = left[&id];
                if fill.is_maker {
                    for (&other, &(other_side, other_price, open)) in &left {
                        let better = (other_price - price) * side.sign() > 0;
                        let older = other_price == price && other < id;
                        prop_assert!(
                            other_side != side || open == 0 || !(better || older),
                            "order {id} traded before order {other}"
                        );
                    }
                }
                left.get_mut(&id).expect("a placed order").2 -= fill.qty;
            }
        }
    }

    #[test]
    fn law_12_more_slippage_never_gives_a_better_price(
        shapes in prop::collection::vec((-3_i64..4, 0_i64..5, 0_i64..5, 1_i64..60), 2..20),
        side in side(),
        qty in 1_i64..9,
    ) {
        let mut open = 100;
        let bars: Vec<Bar> = shapes.iter().enumerate().map(|(n, &(change, above, below, volume))| {
            let close = open + change;
            let (high, low) = (open.max(close) + above, open.min(close) - below);
            let (ts_open, ts_close) = (n as i64 * 60, n as i64 * 60 + 60);
            let bar = Bar { ts_open, ts_close, instrument: 0, open, high, low, close, volume };
            open = close;
            bar
        }).collect();
        let cost = |slip: &str| {
            let slip = format!("slip={slip}");
            let mut venue = venue(&["level=bar", &slip], 1);
            venue.place(-1, 0, 1, &OrderSpec::new(0, side, OrderType::Market, qty, 0));
            for bar in &bars {
                while !venue.advance(Key::new(bar.ts_open, 2, 1)) {}
                venue.bar(bar);
            }
            while !venue.advance(Key::MAX) {}
            venue.reports.iter().map(|line| match line.event {
                VenueEvent::Order(report) => match report.kind {
                    ReportKind::Filled(fill) => fill.qty * fill.price * side.sign(),
                    _ => 0,
                },
                _ => 0,
            }).sum::<i64>()
        };
        for rising in [["none", "1", "3"], ["none", "bps:10", "bps:200"], ["none", "linear:50", "linear:900"], ["none", "sqrt:50", "sqrt:900"]] {
            let costs = rising.map(cost);
            prop_assert!(costs[0] <= costs[1] && costs[1] <= costs[2], "{rising:?}: {costs:?}");
        }
    }

    #[test]
    fn law_12_forgetting_more_never_costs_a_taker_more(
        market in prop::collection::vec(level(), 5..40),
        takes in prop::collection::vec((0_usize..40, 1_i64..6), 1..6),
        side in side(),
    ) {
        let mut steps = market;
        for (at, qty) in takes {
            let spec = OrderSpec::new(0, side, OrderType::Market, qty, 0);
            steps.insert(at.min(steps.len()), Step::Place { account: 0, spec });
        }
        let run = |consumed: &str| {
            let mut sums = BTreeMap::<OrderId, (i64, i64)>::new();
            for (_, id, kind) in kinds(&play(venue(&[&format!("consumed={consumed}")], 1), &steps)) {
                if let ReportKind::Filled(fill) = kind {
                    let sum = sums.entry(id).or_default();
                    *sum = (sum.0 + fill.qty, sum.1 + fill.qty * fill.price * side.sign());
                }
            }
            sums
        };
        let remembering = run("delta");
        for consumed in ["reset", "none"] {
            let forgetting = run(consumed);
            for (id, &(qty, cost)) in &remembering {
                let &(more, cheaper) = forgetting.get(id).unwrap_or(&(0, 0));
                prop_assert!(more >= qty, "{consumed} filled less of {id}");
                prop_assert!(more > qty || cheaper <= cost, "{consumed} paid more for {id}");
            }
        }
    }

    #[test]
    fn law_17_two_orders_back_to_back_fill_as_one(
        market in market_story(5..60),
        side in side(),
        parts in (1_i64..6, 1_i64..6),
        price in 96_i64..106,
        at in 0_i64..200,
    ) {
        let whole = placed(&market, at, limit(side, parts.0 + parts.1, price));
        // Two steps of one instant would share an id, so the second part comes an instant later:
        // no market step lies between (they stand at multiples of ten).
        let at = at / 10 * 10 + 3;
        let whole: Vec<_> = whole
            .into_iter()
            .map(|(time, step)| if matches!(step, Step::Place { .. }) { (at, step) } else { (time, step) })
            .collect();
        let mut whole = whole;
        whole.sort_by_key(|(time, _)| *time);
        let mut halves = placed(&market, at, limit(side, parts.0, price));
        halves.push((at + 1, Step::Place { account: 0, spec: limit(side, parts.1, price) }));
        halves.sort_by_key(|(time, _)| *time);
        let (one, two) =
            (play_at(venue(&["queue=back"], 1), &whole), play_at(venue(&["queue=back"], 1), &halves));
        for time in (0..600).step_by(10) {
            prop_assert_eq!(filled_by(&one, time), filled_by(&two, time), "at {}", time);
        }
    }

    #[test]
    fn law_18_the_true_fill_lies_between_ahead_and_back(
        others in others(),
        tracer_at in 1_usize..40,
        side in side(),
    ) {
        let tracer_at = tracer_at.min(others.len() - 1);
        let (public, truly) = truth(&others, tracer_at, side);
        let arrives = tracer_at as i64 * 10 - 5;
        let price = if side == Side::Buy { 100 } else { 101 };
        let fill_of = |model: &str| {
            let mut steps = public.steps.clone();
            steps.push((arrives, Step::Place { account: 0, spec: limit(side, 1, price) }));
            steps.sort_by_key(|(time, _)| *time);
            let setting = format!("queue={model}");
            let lines = play_at(venue(&[&setting], 1), &steps);
            let fill = lines.iter().find(|(_, _, kind)| matches!(kind, ReportKind::Filled(_)));
            fill.map_or(i64::MAX, |(time, ..)| *time)
        };

        let truly = truly.unwrap_or(i64::MAX);
        prop_assert!(fill_of("back") >= truly, "back filled before the truth");
        prop_assert!(fill_of("ahead") <= truly, "ahead filled after the truth");
    }
}
