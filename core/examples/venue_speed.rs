//! How long the simulated venue takes per row of L2 data, per request and per bar.
//!
//! `cargo run --release -p veloz-core --example venue_speed [ROWS]`

mod l2;

use std::hint::black_box;
use std::time::Instant;

use l2::rows;
use veloz_core::market::{Bar, Tick, TICK_BUY, TICK_TRADE};
use veloz_core::matching::{Venue, VenueSettings};
use veloz_core::order::{OrderSpec, OrderType, Side};

fn venue(settings: &[&str]) -> Venue {
    let mut chosen = VenueSettings::default();
    for setting in settings {
        chosen.set(setting).expect("a known setting");
    }
    Venue::new(chosen, &[l2::instrument()], &l2::assets())
}

/// Replays the rows; with `quote` a bid and an ask at `offset` ticks behind the touch are
/// cancelled and placed anew each 100 ms. Returns ns per row, fills, requests.
fn replay(rows: &[Tick], quote: bool, offset: i64) -> (f64, u64, u64) {
    let mut venue = venue(&["queue=proportional"]);
    let (mut id, mut fills, mut requests) = (0_u64, 0_u64, 0_u64);
    let (mut at, mut timer) = (0, 100_000_000);
    let (mut bid, mut ask) = (299_990, 300_010);
    let start = Instant::now();
    while at < rows.len() {
        let taken = venue.ticks(&rows[at..], timer + 1);
        at += taken;
        fills += venue.reports.len() as u64;
        venue.reports.clear();
        let due = rows.get(at).is_some_and(|row| row.ts_exchange > timer);
        if due {
            if quote {
                // The touch as a strategy would know it: from the rows just seen.
                for row in rows[at.saturating_sub(40)..at].iter() {
                    if row.flags & TICK_TRADE != 0 {
                        (bid, ask) = match row.flags & TICK_BUY {
                            0 => (row.price, row.price + 1),
                            _ => (row.price - 1, row.price),
                        };
                    }
                }
                for (side, price) in [(Side::Buy, bid - offset), (Side::Sell, ask + offset)] {
                    let old = id.saturating_sub(1);
                    if old > 0 {
                        venue.cancel(timer, 0, old);
                    }
                    id += 1;
                    let mut spec = OrderSpec::new(0, side, OrderType::Limit, 100, price);
                    spec.post_only = true;
                    venue.place(timer, 0, id, &spec);
                    requests += 2;
                }
                venue.reports.clear();
            }
            timer += 100_000_000;
        }
    }
    let ns = start.elapsed().as_nanos() as f64 / rows.len() as f64;
    black_box(&venue);
    (ns, fills, requests)
}

fn requests(n: u64) -> (f64, f64) {
    let mut venue = venue(&[]);
    venue.ticks(&rows(2_000), i64::MAX);
    let bid = OrderSpec::new(0, Side::Buy, OrderType::Limit, 100, 299_900);
    let (mut placing, mut cancelling) = (0, 0);
    for round in 0..n / 100 {
        let start = Instant::now();
        for k in 0..100 {
            venue.place(1, 0, 1 + round * 100 + k, &bid);
            if k % 2 == 1 {
                venue.reports.clear();
            }
        }
        placing += start.elapsed().as_nanos();
        let start = Instant::now();
        for k in 0..100 {
            venue.cancel(1, 0, 1 + round * 100 + k);
            if k % 2 == 1 {
                venue.reports.clear();
            }
        }
        cancelling += start.elapsed().as_nanos();
    }
    (placing as f64 / n as f64, cancelling as f64 / n as f64)
}

fn bars(n: i64) -> f64 {
    let mut venue = venue(&["level=bar"]);
    let start = Instant::now();
    for k in 0..n {
        let bar = Bar {
            ts_open: k * 60,
            ts_close: k * 60 + 60,
            instrument: 0,
            open: 100 + k % 7,
            high: 110,
            low: 90,
            close: 100 + (k + 1) % 7,
            volume: 10,
        };
        venue.advance(veloz_core::matching::timeline::Key::new(bar.ts_open, 2, 1));
        venue.bar(black_box(&bar));
    }
    black_box(&venue);
    start.elapsed().as_nanos() as f64 / n as f64
}

fn main() {
    let n = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let rows = rows(n);
    let (mut empty, mut touch, mut behind) = (f64::MAX, f64::MAX, f64::MAX);
    let (mut place, mut cancel, mut bar) = (f64::MAX, f64::MAX, f64::MAX);
    let (mut fills, mut sent) = (0, 0);
    for _ in 0..8 {
        empty = empty.min(replay(&rows, false, 0).0);
        let quoting = replay(&rows, true, 0);
        touch = touch.min(quoting.0);
        (fills, sent) = (quoting.1, quoting.2);
        behind = behind.min(replay(&rows, true, 3).0);
        let (placing, cancelling) = requests(100_000);
        (place, cancel) = (place.min(placing), cancel.min(cancelling));
        bar = bar.min(bars(1_000_000));
    }
    println!("best of 8, {n} rows:");
    println!("  {empty:.1} ns/row without orders");
    println!(
        "  {touch:.1} ns/row quoting at the touch ({fills} reports, {sent} requests, included)"
    );
    println!("  {behind:.1} ns/row quoting three ticks behind");
    println!("  place {place:.0} ns, cancel {cancel:.0} ns, bar {bar:.1} ns");
}
