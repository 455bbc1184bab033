//! What the speed examples share: rows of L2 data and the instrument that they are of.
//!
//! The rows follow the process of the L2 benchmark's generator: 20 levels a side, a batch of 2–6
//! level updates each 20 ms, the mid moving by at most a tick, prints at the touch in between.

use veloz_core::instrument::{Asset, Filters, Instrument, Kind, Origin, Status};
use veloz_core::market::{Tick, TICK_BUY, TICK_LAST, TICK_TRADE};

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> i64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as i64
    }
}

/// The first `n` rows; they reach the strategy half a millisecond after the venue.
pub fn rows(n: usize) -> Vec<Tick> {
    let (mut random, mut rows) = (Random(11), Vec::with_capacity(n + 64));
    let (mut mid, mut t, levels) = (300_000_i64, 0_i64, 20_i64);
    let mut add = |t, price, qty, flags| {
        rows.push(Tick { ts_exchange: t, ts_recv: t + 500_000, price, qty, flags, instrument: 0 });
        rows.len()
    };
    for level in 0..levels {
        add(t, mid - level, 1_500, TICK_BUY);
        add(t, mid + 1 + level, 1_500, if level == levels - 1 { TICK_LAST } else { 0 });
    }
    let mut count = 0;
    while count < n {
        for print in 0..random.below(3).min(random.below(4)) + random.below(2) {
            let buy = random.below(2) == 1;
            let price = if buy { mid + 1 } else { mid };
            let side = if buy { TICK_BUY } else { 0 };
            add(t + 1_000_000 * (print + 1), price, 1 + random.below(300), TICK_TRADE | side);
        }
        t += 20_000_000;
        match random.below(10) {
            0 => {
                add(t, mid + 1, 0, 0);
                add(t, mid + 1, 1 + random.below(3_000), TICK_BUY);
                add(t, mid + 1 + levels, 1 + random.below(3_000), 0);
                add(t, mid - levels + 1, 0, TICK_BUY);
                mid += 1;
            }
            1 => {
                add(t, mid, 0, TICK_BUY);
                add(t, mid, 1 + random.below(3_000), 0);
                add(t, mid - levels, 1 + random.below(3_000), TICK_BUY);
                add(t, mid + levels, 0, 0);
                mid -= 1;
            }
            _ => {}
        }
        let updates = 2 + random.below(5);
        for update in 0..updates {
            let level = random.below(20).min(random.below(20));
            let last = if update == updates - 1 { TICK_LAST } else { 0 };
            let (price, side) = match random.below(2) {
                0 => (mid - level, TICK_BUY),
                _ => (mid + 1 + level, 0),
            };
            count = add(t, price, 1 + random.below(3_000), side | last);
        }
    }
    rows.truncate(n);
    rows
}

/// A linear perpetual with a tick of one unit.
pub fn instrument() -> Instrument {
    Instrument {
        symbol: "bench:BTC/USDT:USDT".to_owned(),
        venue_symbol: "BTCUSDT".to_owned(),
        kind: Kind::Linear,
        base: 0,
        quote: 1,
        settle: 1,
        price_scale: 1,
        qty_scale: 3,
        tick: 1,
        lot: 1,
        multiplier: 1,
        multiplier_scale: 0,
        maker_fee: 200_000_000_000_000,
        taker_fee: 500_000_000_000_000,
        liquidation_fee: 0,
        filters: Filters::default(),
        tiers: Vec::new(),
        expiry_ns: None,
        valid_from_ns: 0,
        status: Status::Trading,
        origin: Origin::File,
    }
}

/// Base and quote coin of the instrument.
pub fn assets() -> Vec<Asset> {
    ["BTC", "USDT"].map(|name| Asset { name: name.to_owned(), scale: 8 }).into()
}
