//! Liquidation by a simulated venue: what it does with positions that their margin carries no more.
//!
//! Money is the account's own, exact, with its maintenance tiers (rules A28, A29); orders and
//! quantities are the venue's. When what is behind the cross positions of a currency is no more than
//! their maintenance margin, the account's orders in these contracts expire and the venue takes
//! the positions over, so that nothing of the margin is left (A31): the largest at its bankruptcy
//! price, others at their marks. A gap beyond that price costs no more than there was.
//!
//! A newcomer would work the margin out at each price; there is one number instead, until money
//! moves: the price up to which the only contract of a pool is surely safe.

use crate::desk::{CashKind, Desk, DeskError, Input, Origin};
use crate::facts;
use crate::instrument::{AssetId, InstrumentId, Kind};
use crate::market::Bar;
use crate::matching::{Venue, VenueEvent};
use crate::order::OrderType;
use crate::units::{rescale, to_f64, Rounding, COST_SCALE, MARK_SCALE, RATE_SCALE};

/// Decimals that a liquidation price has more than its instrument's prices.
const FINER: u8 = 6;

/// A contract that an account holds on cross margin, and the prices at which it is surely safe.
#[derive(Clone, Copy, Debug)]
struct Held {
    account: u16,
    instrument: InstrumentId,
    /// Safe at and above, in price units; the highest number where only an exact look can say.
    from: i64,
    /// Safe at and below.
    to: i64,
    /// Sign of what is held over all legs.
    direction: i64,
}

/// See the module.
#[derive(Debug)]
pub struct Liquidation {
    /// Number of the desk's last change of money that `held` is of.
    seen: u64,
    held: Vec<Held>,
}

impl Default for Liquidation {
    fn default() -> Self {
        Liquidation { seen: u64::MAX, held: Vec::new() }
    }
}

impl Liquidation {
    /// Learns what is held, if money moved since.
    #[inline]
    fn refresh(&mut self, desk: &Desk) -> Result<(), DeskError> {
        if self.seen == desk.money_moves() {
            return Ok(());
        }
        self.learn(desk)
    }

    #[cold]
    fn learn(&mut self, desk: &Desk) -> Result<(), DeskError> {
        self.seen = desk.money_moves();
        self.held.clear();
        for account in 0..desk.accounts.count() {
            let mut open: Vec<(InstrumentId, i64, usize)> = Vec::new();
            for leg in desk.accounts.positions(account).map_err(refused)? {
                let row = leg.instrument;
                if leg.qty == 0 || desk.instruments[row as usize].kind == Kind::Spot {
                    continue;
                }
                if desk.accounts.setting(account, row).map_err(refused)?.is_isolated {
                    continue;
                }
                match open.iter_mut().find(|(known, ..)| *known == row) {
                    Some((_, net, legs)) => (*net, *legs) = (*net + leg.qty, *legs + 1),
                    None => open.push((row, leg.qty, 1)),
                }
            }
            let settle = |row: InstrumentId| desk.instruments[row as usize].settle;
            for &(instrument, net, legs) in &open {
                if desk.instruments[instrument as usize].tiers.is_empty() {
                    continue;
                }
                let pool = open.iter().filter(|(other, ..)| settle(*other) == settle(instrument));
                let (from, to) = if legs == 1 && pool.count() == 1 {
                    safe(desk, account, instrument, net)?
                } else {
                    (i64::MAX, i64::MIN)
                };
                self.held.push(Held { account, instrument, from, to, direction: net.signum() });
            }
        }
        Ok(())
    }

    /// A bar is ending: who cannot carry it is liquidated; true if somebody was. Where nothing but
    /// bars tells prices, a position that was held through it is looked at at the bar's worst
    /// price, another at its close.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if a figure does not fit.
    #[inline]
    pub fn bar(
        &mut self,
        desk: &mut Desk,
        venue: &mut Venue,
        bar: &Bar,
    ) -> Result<bool, DeskError> {
        self.refresh(desk)?;
        if self.held.is_empty() || desk.markets[bar.instrument as usize].mark > 0 {
            return Ok(false);
        }
        let said = venue.reports.len();
        for at in 0..self.held.len() {
            let held = self.held[at];
            if held.instrument != bar.instrument {
                continue;
            }
            let was_held = desk.filled_ns() <= bar.ts_open;
            let worst = match held.direction {
                1.. if was_held => bar.low,
                ..=-1 if was_held => bar.high,
                _ => bar.close,
            };
            if worst < held.from && worst > held.to {
                // Within the bar, if nothing later was seen yet.
                let at_ns = desk.now_ns.max(bar.ts_close - 1);
                self.try_at(desk, venue, held, (worst, at_ns))?;
            }
        }
        Ok(venue.reports.len() != said)
    }

    /// Looks at everything that is held, at the prices that value it now; true if somebody was
    /// liquidated.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if a figure does not fit.
    pub fn look(&mut self, desk: &mut Desk, venue: &mut Venue) -> Result<bool, DeskError> {
        self.refresh(desk)?;
        let said = venue.reports.len();
        for at in 0..self.held.len() {
            let held = self.held[at];
            let market = &desk.markets[held.instrument as usize];
            let known =
                if market.mark > 0 { desk.reference_price(held.instrument) } else { market.last };
            if known > 0 && known < held.from && known > held.to {
                desk.value(held.instrument)?;
                self.decide(desk, venue, held, desk.now_ns)?;
            }
        }
        Ok(venue.reports.len() != said)
    }

    /// Decides at a price that was passed between two that valued the position.
    fn try_at(
        &self,
        desk: &mut Desk,
        venue: &mut Venue,
        held: Held,
        (price, at_ns): (i64, i64),
    ) -> Result<(), DeskError> {
        let known = desk.accounts.mark_of(held.instrument).map_err(refused)?.price;
        let scale = desk.instruments[held.instrument as usize].price_scale;
        let mark = rescale(i128::from(price), scale, MARK_SCALE, Rounding::TowardZero);
        let Some(mark) = mark.ok().and_then(|mark| i64::try_from(mark).ok()).filter(|m| *m > 0)
        else {
            return Ok(());
        };
        desk.accounts.mark(held.instrument, mark).map_err(refused)?;
        let decided = self.decide(desk, venue, held, at_ns);
        if known > 0 {
            desk.accounts.mark(held.instrument, known).map_err(refused)?;
        }
        decided
    }

    /// Liquidates the pool of a position if its margin balance is used up (A29).
    fn decide(
        &self,
        desk: &mut Desk,
        venue: &mut Venue,
        held: Held,
        at_ns: i64,
    ) -> Result<(), DeskError> {
        for other in self.held.iter().filter(|other| other.instrument != held.instrument) {
            desk.value(other.instrument)?;
        }
        let settle = desk.instruments[held.instrument as usize].settle;
        let pool = desk.accounts.pool_margin(held.account, settle).map_err(refused)?;
        if pool.cross_liquidatable {
            self.seize(desk, venue, (held.account, settle), at_ns)?;
        }
        Ok(())
    }

    /// Takes over every cross position of a currency: the largest first.
    #[cold]
    fn seize(
        &self,
        desk: &Desk,
        venue: &mut Venue,
        (account, settle): (u16, AssetId),
        at_ns: i64,
    ) -> Result<(), DeskError> {
        let is_of = |held: &&Held| {
            held.account == account && desk.instruments[held.instrument as usize].settle == settle
        };
        let mut rows: Vec<(i128, InstrumentId, i64)> = Vec::new();
        for held in self.held.iter().filter(is_of) {
            let legs = desk.accounts.positions(account).map_err(refused)?;
            let mut notional = 0;
            for leg in legs.filter(|leg| leg.instrument == held.instrument) {
                let figures = desk.accounts.position_margin(account, leg.instrument, leg.side);
                notional += figures.map_err(refused)?.map_or(0, |figures| figures.notional.abs());
            }
            rows.push((notional, held.instrument, held.direction));
        }
        rows.sort_by_key(|&(notional, instrument, _)| (-notional, instrument));
        let mut is_first = true;
        for (_, instrument, direction) in rows {
            let bankruptcy = if is_first { bankrupt(desk, account, instrument)? } else { None };
            is_first &= bankruptcy.is_none();
            let scale = desk.instruments[instrument as usize].price_scale;
            // What is left over by the cut stays with the account: it never owes.
            let rounding = if direction > 0 { Rounding::Up } else { Rounding::Down };
            let price = match bankruptcy {
                Some(price) => rescale(price, scale + FINER, scale, rounding),
                None => {
                    let mark = desk.accounts.mark_of(instrument).map_err(refused)?.price;
                    rescale(i128::from(mark), MARK_SCALE, scale, rounding)
                }
            };
            let price = price.ok().and_then(|price| i64::try_from(price).ok()).unwrap_or(0).max(1);
            venue.seize(at_ns, account, instrument, price);
        }
        Ok(())
    }
}

/// What an engine hears of a position that was taken over: an order of the venue with its fill,
/// which waits for it and is shared over those who held the position, and the clearance fee.
/// `number` counts the liquidations of a run. Nothing for other events.
#[must_use]
pub fn liquidated(account: u16, event: &VenueEvent, number: u64) -> Vec<Input> {
    let &VenueEvent::Liquidated { instrument, ts_exchange, side, leg, qty, price, fee, asset } =
        event
    else {
        return Vec::new();
    };
    let venue_order_id = (1 << 63) | number;
    let fill = facts::ParkedReport {
        account,
        instrument,
        venue_order_id,
        ts_exchange,
        kind: 10,
        qty,
        extra: price,
        trade_id: venue_order_id,
        fee_asset: asset,
        ..facts::ParkedReport::default()
    };
    let order = facts::ExternalOrder {
        account,
        instrument,
        venue_order_id,
        ts_exchange,
        origin: Origin::Liquidation as u8,
        side: side as i8,
        position_side: leg as u8,
        kind: OrderType::Market as u8,
        qty,
        ..facts::ExternalOrder::default()
    };
    let client_id: Box<str> = format!("autoclose-{number}").into();
    let mut told = vec![
        Input::Park { report: fill, client_id: client_id.clone() },
        Input::External { fact: order, client_id },
    ];
    if fee != 0 {
        told.push(Input::Cash(facts::CashMoved {
            account,
            asset,
            kind: CashKind::Clearance as u8,
            instrument,
            amount: -fee,
            ts_exchange,
            entry_id: 0,
        }));
    }
    told
}

/// What the insurance fund adds after a liquidation in an instrument, once its currency's last
/// position is gone and less than nothing is left (A32).
#[must_use]
pub fn insured(
    desk: &Desk,
    account: u16,
    instrument: InstrumentId,
    ts_exchange: i64,
) -> Option<Input> {
    let asset = desk.instruments[instrument as usize].settle;
    let left = desk.accounts.balance(account, asset).ok()?.cross;
    let is_open = desk.accounts.positions(account).ok()?.any(|leg| {
        let own = &desk.instruments[leg.instrument as usize];
        leg.qty != 0 && own.kind != Kind::Spot && own.settle == asset
    });
    (left < 0 && !is_open).then(|| {
        Input::Cash(facts::CashMoved {
            account,
            asset,
            kind: CashKind::Insurance as u8,
            instrument,
            amount: -left,
            ts_exchange,
            entry_id: 0,
        })
    })
}

/// The prices, in price units, at and above which, or at and below which, the only contract of a
/// pool is surely safe.
///
/// Estimated in floats, by the highest tier's rate and a thousandth besides: what lies beyond is
/// looked at exactly.
fn safe(
    desk: &Desk,
    account: u16,
    instrument: InstrumentId,
    net: i64,
) -> Result<(i64, i64), DeskError> {
    let own = &desk.instruments[instrument as usize];
    let mut legs = desk.accounts.positions(account).map_err(refused)?;
    let leg = legs.find(|leg| leg.instrument == instrument && leg.qty != 0);
    let (Some(leg), Some(tier), Kind::Linear) = (leg, own.tiers.last(), own.kind) else {
        return Ok((i64::MAX, i64::MIN));
    };
    let wallet = desk.accounts.balance(account, own.settle).map_err(refused)?.cross;
    let wallet = to_f64(wallet, desk.assets[usize::from(own.settle)].scale);
    let unit = own.notional(net.abs(), 1).map_or(f64::NAN, |unit| to_f64(unit, COST_SCALE));
    let (cost, rate) = (to_f64(leg.cost, COST_SCALE), to_f64(i128::from(tier.rate), RATE_SCALE));
    // Balance equals maintenance where wallet + unit·p·sign - cost = rate·unit·p.
    let price = if net > 0 {
        (cost - wallet) / (unit * (1.0 - rate))
    } else {
        (wallet - cost) / (unit * (1.0 + rate))
    };
    Ok(if !price.is_finite() {
        (i64::MAX, i64::MIN)
    } else if net > 0 {
        (((price * 1.001).ceil() as i64).saturating_add(2), i64::MIN)
    } else {
        (i64::MAX, ((price * 0.999).floor() as i64).saturating_sub(2))
    })
}

/// The bankruptcy price of an instrument's legs, at its scale and six decimals more.
fn bankrupt(
    desk: &Desk,
    account: u16,
    instrument: InstrumentId,
) -> Result<Option<i128>, DeskError> {
    for leg in desk.accounts.positions(account).map_err(refused)? {
        if leg.instrument != instrument || leg.qty == 0 {
            continue;
        }
        let figures = desk.accounts.position_margin(account, instrument, leg.side);
        return Ok(figures.map_err(refused)?.and_then(|figures| figures.bankruptcy_price));
    }
    Ok(None)
}

fn refused(error: crate::account::AccountError) -> DeskError {
    DeskError(format!("the margin cannot be worked out: {error}"))
}
