//! One instrument at the simulated venue: prices, the replayed book, and the lists of own orders.

use super::bar::BarState;
use super::ghosts::Ghosts;
use super::position::Leg;
use super::settings::{Consumed, Evidence, Level, MarketSettings};
use super::slab::{Doing, Orders, Own, RestingSide, Slot};
use crate::instrument::{Instrument, Status};
use crate::order::{OrderType, Side, TriggerBy};

pub(super) const BUY: usize = 0;
pub(super) const SELL: usize = 1;

/// Row of a side in a pair.
#[inline(always)]
pub(super) const fn row(side: Side) -> usize {
    match side {
        Side::Buy => BUY,
        Side::Sell => SELL,
    }
}

/// True if an order of `side` with limit `limit` may trade at `price`.
#[inline(always)]
pub(super) fn meets(side: Side, limit: i64, price: i64) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}

/// What a kind of row does, and at which prices it concerns us.
///
/// Which kind comes next is anybody's guess, and a wrong guess of the processor costs more than all
/// that a row does. So it is looked up, not asked: a compiler makes branches of what it can see.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowKind {
    /// All ones for a print, zero for a level.
    pub print: i64,
    low: i64,
    width: u64,
}

impl RowKind {
    /// Concerns us from one price to another, both included, round the end of the number line if
    /// the second is the lower one.
    fn set(&mut self, low: i64, high: i64) {
        (self.low, self.width) = (low, high.wrapping_sub(low) as u64);
    }

    /// True if a row at this price meets own orders or triggers.
    #[inline(always)]
    pub fn concerns(self, price: i64) -> bool {
        price.wrapping_sub(self.low) as u64 <= self.width
    }
}

/// The last traded price, if there was one: one number, which a row can write without a branch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last(i64);

impl Last {
    pub const NONE: Last = Last(i64::MIN);

    #[inline(always)]
    pub fn at(price: i64) -> Last {
        Last(price)
    }

    #[inline(always)]
    pub fn get(self) -> Option<i64> {
        (self.0 != Last::NONE.0).then_some(self.0)
    }

    /// `price` where `mask` has ones, this where it has zeros.
    #[inline(always)]
    pub fn masked(self, price: i64, mask: i64) -> Last {
        Last((price & mask) | (self.0 & !mask))
    }
}

#[derive(Clone, Debug)]
pub(super) struct Market {
    /// Best own resting price by side; the far end of the number line where there is none.
    pub own_best: [i64; 2],
    /// By the number that `TICK_BUY` and `TICK_TRADE` are in a row's flags.
    pub kinds: [RowKind; 4],
    /// Lowest trigger that a rising last price meets, highest that a falling one meets.
    pub stop_up: i64,
    pub stop_down: i64,
    /// Highest and lowest price between which a print meets neither own order nor trigger.
    pub print_low: i64,
    pub print_high: i64,
    /// Some armed order trails the last price.
    pub trails: bool,
    /// Rows may be applied by the short path.
    pub plain: bool,
    /// Whether the book meets an own order is to be asked at the next row: one of the two moved
    /// since it was asked, or they meet.
    pub is_stirred: bool,
    /// Prints may be applied by the short path.
    pub plain_prints: bool,
    pub ghosts: Option<Box<Ghosts>>,
    pub last: Last,
    /// At mark scale.
    pub mark: Option<i64>,
    pub index: Option<i64>,
    pub status: Status,
    pub set: MarketSettings,
    pub tick: i64,
    pub lot: i64,
    pub price_scale: u8,
    pub qty_scale: u8,
    pub own: [RestingSide; 2],
    /// Armed orders, oldest first.
    pub armed: Vec<Slot>,
    /// Orders that wait for something to take, oldest first.
    pub waiting: Vec<Slot>,
    /// Listed orders that may only reduce.
    pub reducers: usize,
    /// Positions by account and leg.
    pub legs: Vec<[Leg; 3]>,
    pub next_trade_id: u64,
    pub bar: BarState,
    /// Estimated bid and ask of a trades-only market.
    pub estimate: [Option<i64>; 2],
    /// Own trades of a true book that have not been looked at as prints yet.
    pub prints: Vec<i64>,
}

impl Market {
    pub fn new(instrument: &Instrument, set: MarketSettings) -> Market {
        let replays = matches!(set.level, Level::Book | Level::Quote | Level::True);
        let mut market = Market {
            own_best: [i64::MIN, i64::MAX],
            kinds: [0, 0, -1, -1].map(|print| RowKind { print, low: i64::MIN, width: 0 }),
            stop_up: i64::MAX,
            stop_down: i64::MIN,
            print_low: i64::MIN,
            print_high: i64::MAX,
            trails: false,
            plain: false,
            is_stirred: true,
            plain_prints: false,
            ghosts: replays.then(|| Box::new(Ghosts::new(instrument.tick))),
            last: Last::NONE,
            mark: None,
            index: None,
            status: instrument.status,
            set,
            tick: instrument.tick.max(1),
            lot: instrument.lot.max(1),
            price_scale: instrument.price_scale,
            qty_scale: instrument.qty_scale,
            own: [RestingSide::new(true), RestingSide::new(false)],
            armed: Vec::new(),
            waiting: Vec::new(),
            reducers: 0,
            legs: Vec::new(),
            next_trade_id: 1,
            bar: BarState::default(),
            estimate: [None, None],
            prints: Vec::new(),
        };
        market.refresh_plain();
        market.refresh_print_bounds();
        market
    }

    /// Recomputes whether the short paths hold.
    pub fn refresh_plain(&mut self) {
        let whole = self.ghosts.as_ref().is_some_and(|g| !g.in_snapshot && !g.stale);
        let trade_first = self.set.book.evidence == Evidence::TradeFirst;
        self.plain_prints =
            trade_first && self.set.level == Level::Book && self.set.margin.is_none();
        self.plain = self.plain_prints
            && whole
            && !self.trails
            && matches!(self.set.book.consumed, Consumed::Delta | Consumed::None);
    }

    /// Orders in any list.
    pub fn live(&self) -> usize {
        self.own[BUY].len() + self.own[SELL].len() + self.armed.len() + self.waiting.len()
    }

    /// The price that a trigger watches, cut down to the tick.
    pub fn watched(&self, by: TriggerBy) -> Option<i64> {
        match by {
            TriggerBy::Last => self.last.get(),
            TriggerBy::Mark => self.mark.map(|mark| self.cut(mark)),
            TriggerBy::Index => self.index.map(|index| self.cut(index)),
        }
    }

    /// A mark or index in price units, down to the tick.
    pub fn cut(&self, mark: i64) -> i64 {
        use crate::units::{rescale, Rounding, MARK_SCALE};
        let units =
            rescale(i128::from(mark), MARK_SCALE, self.price_scale, Rounding::Down).unwrap_or(0);
        let units = i64::try_from(units).unwrap_or(i64::MAX);
        units - units.rem_euclid(self.tick)
    }

    /// Puts an order into the list that `doing` names.
    #[inline]
    pub fn enlist(&mut self, orders: &mut Orders, slot: Slot, doing: Doing) {
        let own = orders.get_mut(slot);
        own.doing = doing;
        self.reducers += usize::from(own.reduces() && doing != Doing::Armed);
        match doing {
            Doing::Resting => {
                let side = row(own.spec.side);
                self.own[side].join(own.price, slot);
                self.refresh_bounds(side);
            }
            Doing::Armed => {
                self.armed.push(slot);
                self.refresh_stops(orders);
            }
            Doing::Waiting => self.waiting.push(slot),
            Doing::Nothing | Doing::Acting => {}
        }
    }

    /// Takes an order out of its list; it is `Acting` afterwards.
    #[inline]
    pub fn delist(&mut self, orders: &mut Orders, slot: Slot) {
        let own = orders.get_mut(slot);
        let doing = std::mem::replace(&mut own.doing, Doing::Acting);
        if doing == Doing::Acting {
            return;
        }
        self.reducers -= usize::from(own.reduces() && doing != Doing::Armed);
        match doing {
            Doing::Resting => {
                let side = row(own.spec.side);
                self.own[side].leave(own.price, slot);
                self.refresh_bounds(side);
            }
            Doing::Armed => {
                self.armed.retain(|s| *s != slot);
                self.refresh_stops(orders);
            }
            Doing::Waiting => self.waiting.retain(|s| *s != slot),
            Doing::Nothing | Doing::Acting => {}
        }
    }

    #[inline]
    fn refresh_bounds(&mut self, side: usize) {
        let none = if side == BUY { (i64::MIN, i64::MAX) } else { (i64::MAX, i64::MIN) };
        let best = self.own[side].best().unwrap_or(none.0);
        let worst = self.own[side].worst().unwrap_or(none.1);
        self.own_best[side] = best;
        self.is_stirred = true;
        // Levels are looked at where own orders stand, between the best and the worst of a side;
        // without any that is the end of the number line.
        if side == BUY {
            self.kinds[1].set(worst.min(best), best);
        } else {
            self.kinds[0].set(best, worst.max(best));
        }
        self.refresh_print_bounds();
    }

    #[inline]
    fn refresh_print_bounds(&mut self) {
        self.print_low = self.own_best[BUY].max(self.stop_down);
        self.print_high = self.own_best[SELL].min(self.stop_up);
        for kind in &mut self.kinds[2..] {
            kind.set(self.print_high, self.print_low);
            // Own orders of both sides that overlap leave no price between them.
            kind.width = if self.print_low < self.print_high { kind.width } else { u64::MAX };
        }
    }

    /// Recomputes the nearest triggers on the last price.
    pub fn refresh_stops(&mut self, orders: &Orders) {
        (self.stop_up, self.stop_down, self.trails) = (i64::MAX, i64::MIN, false);
        for slot in &self.armed {
            let own = orders.get(*slot);
            if own.spec.trigger_by != TriggerBy::Last {
                continue;
            }
            if own.spec.kind == OrderType::TrailingStop {
                self.trails = true;
            } else if triggers_up(own) {
                self.stop_up = self.stop_up.min(own.spec.trigger_price);
            } else {
                self.stop_down = self.stop_down.max(own.spec.trigger_price);
            }
        }
        self.refresh_plain();
        self.refresh_print_bounds();
    }

    /// The leg of a position that an order belongs to.
    pub fn leg(&self, own: &Own) -> Leg {
        let side = own.spec.position_side as usize;
        self.legs.get(usize::from(own.account)).map_or_else(Leg::default, |legs| legs[side])
    }

    /// How much an order of `side` may reduce.
    pub fn reducible(&self, own: &Own) -> i64 {
        (-self.leg(own).qty * own.spec.side.sign()).max(0)
    }
}

/// True if a rising price triggers the order.
pub(super) fn triggers_up(own: &Own) -> bool {
    let takes_profit = matches!(own.spec.kind, OrderType::TakeProfit | OrderType::TakeProfitLimit);
    (own.spec.side == Side::Buy) != takes_profit
}
