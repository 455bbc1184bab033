//! Reports of the venue: to the order's facts, to the accounts, to the strategies.

use super::{Desk, DeskError, Notice, Turn};
use crate::account::FillInput;
use crate::facts::{self, number};
use crate::order::{FillFact, OrderId, OrderSpec, Report, ReportKind, FEE_UNSAID};
use crate::order_state::{Change, Order};
use crate::units::format_decimal;

impl Desk {
    /// What the venue says about one of our orders.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if money does not fit or an identity breaks.
    #[inline]
    pub fn report(&mut self, report: &Report) -> Result<(), DeskError> {
        self.report_with(report, None)
    }

    /// As [`report`](Self::report), with the venue's own code and text of a refusal.
    ///
    /// # Errors
    ///
    /// As [`report`](Self::report).
    pub fn report_with(
        &mut self,
        report: &Report,
        words: Option<(i64, &str)>,
    ) -> Result<(), DeskError> {
        if let (ReportKind::Filled(fill), false) = (&report.kind, self.outside.fees_due.is_empty())
        {
            if self.owes_fee(report.order, fill.trade_id) && fill.fee_asset != FEE_UNSAID {
                return self.fee_told(&facts::FillFee {
                    order: report.order,
                    trade_id: fill.trade_id,
                    ts_exchange: report.ts_exchange,
                    fee: fill.fee,
                    fee_asset: fill.fee_asset,
                });
            }
        }
        let Some(order) = self.orders.get_mut(report.order) else { return Ok(()) };
        let was_open = order.is_open();
        let is_fill = matches!(report.kind, ReportKind::Filled(_));
        let before = (self.outside.is_live && is_fill).then(|| order.clone());
        let change = match self.leg {
            0 if order.last_leg() == 0 => order.learn(report),
            leg => order.learn_of(leg, report),
        };
        let (account, strategy) = (order.account, order.strategy);
        // The terms are many, and of no interest to reports that are no fill.
        let filled = matches!(change, Change::Fill(_)).then(|| order.spec);
        self.journal.begin(self.market_seq, self.now_ns);
        match (change, filled) {
            (Change::Fill(fill), Some(spec)) => {
                let (fill, is_fee_due) = self.with_fee(fill, &spec);
                let booked = self.book_fill(report.order, account, strategy, &spec, &fill);
                let realised = match (booked, before) {
                    (Ok(realised), _) => realised,
                    (Err(error), Some(before)) => {
                        self.journal.commit();
                        self.keep_unbooked(before, report, &error);
                        return Ok(());
                    }
                    (Err(error), None) => return Err(error),
                };
                let fact = facts::Fill {
                    order: report.order,
                    ts_exchange: report.ts_exchange,
                    trade_id: fill.trade_id,
                    account,
                    strategy,
                    instrument: spec.instrument,
                    side: spec.side as i8,
                    is_maker: fill.is_maker,
                    qty: fill.qty,
                    price: fill.price,
                    fee: fill.fee,
                    fee_asset: fill.fee_asset,
                    realised,
                };
                self.journal.record(number::FILL, &fact);
                if let Some(realised) = fill.realised {
                    let said = facts::VenueProfit { order: report.order, realised };
                    self.journal.record(number::PROFIT, &said);
                }
                if is_fee_due {
                    let due = facts::FeeDue { order: report.order, trade_id: fill.trade_id };
                    self.journal.record(number::FEE_DUE, &due);
                    self.outside.fees_due.insert((report.order, fill.trade_id), fill.price);
                }
                self.outbox.turns.push_back(Turn::Notice(Notice::Fill(Box::new(fact))));
                if self.outside.is_live || !self.outside.origins.is_empty() {
                    self.after_fill(&fact)?;
                }
            }
            (Change::Fill(_) | Change::State | Change::None, _) => {
                self.journal.record(number::REPORT, &facts::VenueReport::of(report));
            }
        }
        if let Some((code, text)) = words {
            self.note_words(report.order, code, text);
        }
        self.note_leg(report.order);
        self.journal.commit();
        if let Some(spec) = filled.filter(|spec| spec.close_position) {
            self.size_closing_order(report.order, account, &spec);
        }
        self.follow(report.order, was_open);
        if was_open && matches!(report.kind, ReportKind::Rejected { .. }) {
            let is_open = self.orders.get(report.order).is_some_and(Order::is_open);
            self.counts.rejected += u64::from(!is_open);
        }
        if change != Change::None {
            self.tell_order(report.order, strategy);
        }
        if matches!(change, Change::Fill(_)) {
            self.filled_ns = report.ts_exchange;
            self.check_money(account)?;
        }
        Ok(())
    }

    /// A fill as it can be booked now, and whether its fee is still to come.
    #[inline]
    fn with_fee(&self, fill: FillFact, spec: &OrderSpec) -> (FillFact, bool) {
        let is_due = fill.fee_asset == FEE_UNSAID;
        let settle = self.instruments[spec.instrument as usize].settle;
        let fee_asset = if is_due { settle } else { fill.fee_asset };
        (FillFact { fee_asset, ..fill }, is_due)
    }

    /// The fee of a fill that was told without it: it is booked as with the fill. Once: a second
    /// one changes nothing.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if money does not fit or an identity breaks.
    pub fn fee_told(&mut self, told: &facts::FillFee) -> Result<(), DeskError> {
        let Some(price) = self.outside.fees_due.remove(&(told.order, told.trade_id)) else {
            return Ok(());
        };
        let Some(order) = self.orders.get(told.order) else { return Ok(()) };
        let (account, strategy, spec) = (order.account, order.strategy, order.spec);
        let input = FillInput {
            account,
            strategy,
            instrument: spec.instrument,
            position_side: spec.position_side,
            side: spec.side,
            qty: 0,
            price,
            fee: told.fee,
            fee_asset: told.fee_asset,
            reduce_only: false,
            order: 0,
            realised: None,
        };
        let symbol = &self.instruments[spec.instrument as usize].symbol;
        self.accounts.late_fee(&input).map_err(|error| {
            DeskError(format!(
                "a fee of order {} on {symbol} cannot be booked: {error}",
                told.order
            ))
        })?;
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record(number::FEE, told);
        self.journal.commit();
        self.outbox.turns.push_back(Turn::Notice(Notice::Funding(account)));
        self.check_money(account)
    }

    /// Keeps the lists in step with an order whose facts changed.
    #[inline]
    pub(super) fn follow(&mut self, id: OrderId, was_open: bool) {
        let Some(order) = self.orders.get(id) else { return };
        let (is_open, missing) = (order.is_open(), order.missing_qty());
        if was_open && !is_open {
            self.orders.close(id);
            self.note_end(id);
        } else if !was_open && is_open {
            self.orders.reopen(id);
        }
        if missing > 0 {
            self.outside.missing.insert(id);
        } else if !self.outside.missing.is_empty() {
            self.outside.missing.remove(&id);
        }
    }

    /// A fill that the books cannot take, as under another position mode, is no reason to stop: it
    /// waits in sight, and its account is frozen until a person has looked.
    #[cold]
    fn keep_unbooked(&mut self, before: Order, report: &Report, error: &DeskError) {
        let (id, account, row) = (before.id, before.account, before.spec.instrument);
        if let Some(order) = self.orders.get_mut(id) {
            *order = before;
        }
        let number = self.venue_id_of(id, self.leg).unwrap_or(0);
        self.park(&facts::ParkedReport::of(account, row, number, report), "");
        self.freeze((account, super::ANY_STRATEGY, super::ANY_INSTRUMENT), &error.to_string());
    }

    /// Gives an order that closes a whole position its quantity: what it filled, and what is left
    /// of the position. The venue decides it at the trigger and does not say.
    fn size_closing_order(&mut self, id: OrderId, account: u16, spec: &OrderSpec) {
        let held = self.net_qty(account, spec.instrument);
        let left = (-spec.side.sign() * held).max(0);
        if let Some(order) = self.orders.get_mut(id) {
            order.spec.qty = order.filled_qty + left;
        }
    }

    fn book_fill(
        &mut self,
        order: OrderId,
        account: u16,
        strategy: u16,
        spec: &crate::order::OrderSpec,
        fill: &crate::order::FillFact,
    ) -> Result<i128, DeskError> {
        let input = FillInput {
            account,
            strategy,
            instrument: spec.instrument,
            position_side: spec.position_side,
            side: spec.side,
            qty: fill.qty,
            price: fill.price,
            fee: fill.fee,
            fee_asset: fill.fee_asset,
            reduce_only: false,
            order: 0,
            realised: fill.realised,
        };
        let outcome = self.accounts.fill(&input).map_err(|error| {
            let symbol = &self.instruments[spec.instrument as usize].symbol;
            let qty = format_decimal(
                i128::from(fill.qty),
                self.instruments[spec.instrument as usize].qty_scale,
            );
            DeskError(format!(
                "a fill of {qty} {symbol} on order {order} cannot be booked: {error}"
            ))
        })?;
        self.counts.fills += 1;
        let at = strategy as usize * self.instruments.len() + spec.instrument as usize;
        if self.positions.len() <= at {
            self.positions.resize(at + 1, 0);
        }
        self.positions[at] += spec.side.sign() * fill.qty;
        Ok(outcome.realised)
    }
}
