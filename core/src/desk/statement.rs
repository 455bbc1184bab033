//! What the venue says of accounts as a whole: cash that moved, statements, settings; and what
//! follows where they differ from our books: rows of differences, and frozen strategies.
//!
//! A difference is shown and frozen upon, never booked away: a repair is a cash event, a fill or an
//! order that the runtime found at the venue (rule 8 of the fault catalogue).

use super::outside::{CashKind, DifferenceKind, Scope};
use super::{Desk, DeskError, Notice, Turn};
use crate::facts::{self, number};
use crate::instrument::InstrumentId;
use crate::order::PositionSide;
use crate::units::format_decimal;

/// What a [`facts::CashMoved`] holds where it is about no instrument.
const NO_INSTRUMENT: u32 = u32::MAX;

impl Desk {
    /// Money moved without a trade. An entry with a number that was taken before changes nothing.
    /// False then.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if the balance does not fit.
    pub fn cash(&mut self, cash: &facts::CashMoved) -> Result<bool, DeskError> {
        let key = (cash.account, cash.entry_id);
        if cash.entry_id != 0 && self.outside.cash_seen.contains(&key) {
            return Ok(false);
        }
        let Some(kind) = CashKind::of(cash.kind) else {
            return Err(DeskError(format!("cash kind {} has no meaning here", cash.kind)));
        };
        let (account, asset, amount) = (cash.account, cash.asset, cash.amount);
        let booked = if kind == CashKind::Funding && cash.instrument != NO_INSTRUMENT {
            self.accounts.funding_stated(account, cash.instrument, amount)
        } else {
            self.accounts.cash(account, asset, kind.line(), amount)
        };
        booked.map_err(|error| DeskError(format!("a cash entry cannot be booked: {error}")))?;
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record(number::CASH, cash);
        self.journal.commit();
        if cash.entry_id != 0 {
            self.outside.note_cash(account, cash.ts_exchange, cash.entry_id);
        }
        self.outbox.turns.push_back(Turn::Notice(Notice::Funding(account)));
        self.check_money(account)?;
        Ok(true)
    }

    /// The venue stated a balance; it is compared with ours. True if they are equal.
    pub fn balance_stated(&mut self, stated: &facts::BalanceStated) -> bool {
        let balance = self.accounts.balance(stated.account, stated.asset);
        let ours = balance.map_or(0, crate::account::Balance::wallet);
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record(number::BALANCE, stated);
        let (kind, row) = (DifferenceKind::Balance, u32::from(stated.asset));
        let place = (stated.account, kind, row, 0);
        let is_equal = self.compare(place, ours, stated.wallet);
        self.journal.commit();
        is_equal
    }

    /// The venue stated a position; it is compared with ours. True if they are equal.
    pub fn position_stated(&mut self, stated: &facts::PositionStated) -> bool {
        let side = PositionSide::of(stated.position_side).unwrap_or(PositionSide::Both);
        let ours = self.accounts.account_position(stated.account, stated.instrument, side).qty;
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record(number::POSITION, stated);
        let place =
            (stated.account, DifferenceKind::Position, stated.instrument, stated.position_side);
        let is_equal = self.compare(place, i128::from(ours), i128::from(stated.qty));
        self.journal.commit();
        is_equal
    }

    /// Notes a difference that is new, or that one has gone, in the open batch.
    fn compare(&mut self, place: (u16, DifferenceKind, u32, u8), ours: i128, theirs: i128) -> bool {
        let (account, kind, row, position_side) = place;
        let known = self.outside.differences.get(&place).copied();
        if ours == theirs {
            if known.is_some() {
                self.outside.differences.remove(&place);
                self.note_difference(account, kind, row, position_side, (ours, theirs));
            }
            return true;
        }
        if known != Some((ours, theirs)) {
            self.outside.differences.insert(place, (ours, theirs));
            self.note_difference(account, kind, row, position_side, (ours, theirs));
        }
        false
    }

    fn note_difference(
        &mut self,
        account: u16,
        kind: DifferenceKind,
        row: u32,
        position_side: u8,
        (ours, theirs): (i128, i128),
    ) {
        let (what, scale) = match kind {
            DifferenceKind::Balance => {
                let asset = &self.assets[row as usize];
                (asset.name.clone(), asset.scale)
            }
            DifferenceKind::Position => {
                let instrument = &self.instruments[row as usize];
                (instrument.symbol.clone(), instrument.qty_scale)
            }
        };
        let (a, b) = (format_decimal(ours, scale), format_decimal(theirs, scale));
        let text = if ours == theirs {
            format!("{what}: ours and the venue's are equal again, {a}")
        } else {
            format!("{what}: ours {a}, the venue's {b}")
        };
        let fact = facts::Differs { account, kind: kind as u8, row, position_side, ours, theirs };
        self.journal.record_with_text(number::DIFFERS, &fact, text.as_bytes());
    }

    /// Stops a scope from giving orders; cancels still pass. Calls are answered with a refusal of
    /// the rule `frozen`.
    pub fn freeze(&mut self, scope: Scope, reason: &str) {
        self.journal.begin(self.market_seq, self.now_ns);
        self.freeze_in_batch(scope, reason);
        self.journal.commit();
    }

    pub(super) fn freeze_in_batch(&mut self, scope: Scope, reason: &str) {
        if self.outside.frozen.get(&scope).is_some_and(|known| **known == *reason) {
            return;
        }
        let (account, strategy, instrument) = scope;
        let fact = facts::Frozen { account, strategy, instrument, on: true };
        self.journal.record_with_text(number::FROZEN, &fact, reason.as_bytes());
        self.outside.frozen.insert(scope, reason.into());
        self.outbox.turns.push_back(Turn::Notice(Notice::Frozen(Box::new(fact), reason.into())));
    }

    /// Lets a scope give orders again. False if it was not frozen.
    pub fn unfreeze(&mut self, scope: Scope, reason: &str) -> bool {
        if self.outside.frozen.remove(&scope).is_none() {
            return false;
        }
        let (account, strategy, instrument) = scope;
        let fact = facts::Frozen { account, strategy, instrument, on: false };
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record_with_text(number::FROZEN, &fact, reason.as_bytes());
        self.journal.commit();
        self.outbox.turns.push_back(Turn::Notice(Notice::Frozen(Box::new(fact), reason.into())));
        true
    }

    /// The venue's leverage of an instrument; orders are judged with it from here on.
    pub fn setting_stated(&mut self, account: u16, instrument: InstrumentId, leverage: i64) {
        let fact = facts::AccountSetting { account, instrument, leverage };
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record(number::SETTING, &fact);
        self.journal.commit();
        self.set_leverage(account, instrument, leverage);
    }

    /// The engine starts: client ids carry this epoch and instance from the next handle on.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if the epoch is not above the last one.
    pub fn begin_epoch(&mut self, epoch: u32, instance: u32) -> Result<(), DeskError> {
        let last = self.outside.epochs.last().map_or(0, |last| last.epoch);
        if epoch <= last {
            return Err(DeskError(format!(
                "epoch {epoch} is not above the last one, {last}: client ids could come twice"
            )));
        }
        let first_order = self.orders.next_id();
        let fact = facts::Epoch { epoch, instance, first_order };
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record(number::EPOCH, &fact);
        self.journal.commit();
        self.outside.epochs.push(fact);
        Ok(())
    }

    /// The last epoch that began; 0 before the first.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.outside.epochs.last().map_or(0, |last| last.epoch)
    }

    /// Notes that a timer was due: an input of its strategy like any other.
    pub fn note_timer(&mut self, strategy: u16, timer: u32, due_ns: i64) {
        let fact = facts::TimerDue { strategy, timer, due_ns };
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record(number::TIMER, &fact);
        self.journal.commit();
    }
}
