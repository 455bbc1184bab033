//! The accounts as bytes, field by field: for snapshots, and for the hash of a desk's state.
//!
//! Marks are not among them: they are the market's, and no balance depends on the last one.

use super::position::{Legs, Position};
use super::wallet::{Balance, Line, Lines};
use super::{Accounts, Strategy};
use crate::order::PositionSide;
use crate::record::FieldValue;

impl Accounts {
    /// Appends every book, balance and setting.
    pub fn put(&self, out: &mut Vec<u8>) {
        (self.accounts.len() as u32).put(out);
        for account in &self.accounts {
            account.hedge.put(out);
            (account.settings.len() as u32).put(out);
            for setting in &account.settings {
                setting.is_isolated.put(out);
                setting.leverage.put(out);
            }
            put_legs(&account.legs, out);
            (account.balances.len() as u32).put(out);
            account.balances.iter().for_each(|balance| put_balance(balance, out));
            // A strategy that only ever looked has rows of zeros: they say nothing.
            let spoken = account.strategies.iter().rposition(|owner| !is_blank(owner));
            let strategies = &account.strategies[..spoken.map_or(0, |at| at + 1)];
            (strategies.len() as u32).put(out);
            for owner in strategies {
                put_legs(&owner.legs, out);
                (owner.rows.len() as u32).put(out);
                for row in &owner.rows {
                    row.fees.put(out);
                    row.funding.put(out);
                }
            }
        }
    }

    /// Reads what [`put`](Self::put) wrote into accounts over the same tables; `None` if the bytes
    /// are not that, or these accounts are others.
    pub fn restore(&mut self, bytes: &mut &[u8]) -> Option<()> {
        if u32::take(bytes)? as usize != self.accounts.len() {
            return None;
        }
        let assets = self.assets.len();
        for account in &mut self.accounts {
            account.hedge = bool::take(bytes)?;
            if u32::take(bytes)? as usize != account.settings.len() {
                return None;
            }
            for setting in &mut account.settings {
                setting.is_isolated = bool::take(bytes)?;
                setting.leverage = i64::take(bytes)?;
            }
            account.legs = take_legs(bytes)?;
            if u32::take(bytes)? as usize != account.balances.len() {
                return None;
            }
            for balance in &mut account.balances {
                *balance = take_balance(bytes)?;
            }
            account.strategies.clear();
            for row in 0..u32::take(bytes)? {
                let legs = take_legs(bytes)?;
                let owner = account.strategy_mut(row as u16, assets);
                owner.legs = legs;
                if u32::take(bytes)? as usize != owner.rows.len() {
                    return None;
                }
                for row in &mut owner.rows {
                    row.fees = i128::take(bytes)?;
                    row.funding = i128::take(bytes)?;
                }
            }
        }
        Some(())
    }
}

fn is_blank(owner: &Strategy) -> bool {
    owner.legs.iter().next().is_none()
        && owner.rows.iter().all(|row| row.fees == 0 && row.funding == 0)
}

fn put_legs(legs: &Legs, out: &mut Vec<u8>) {
    (legs.iter().len() as u32).put(out);
    for leg in legs.iter() {
        leg.instrument.put(out);
        (leg.side as u8).put(out);
        leg.qty.put(out);
        leg.dust.put(out);
        for figure in
            [leg.cost, leg.realised, leg.funding, leg.fees, leg.rounding, leg.isolated_wallet]
        {
            figure.put(out);
        }
    }
}

fn take_legs(bytes: &mut &[u8]) -> Option<Legs> {
    let mut legs = Legs::default();
    for _ in 0..u32::take(bytes)? {
        let instrument = u32::take(bytes)?;
        let mut leg = Position::flat(instrument, PositionSide::of(u8::take(bytes)?)?);
        (leg.qty, leg.dust) = (i64::take(bytes)?, i64::take(bytes)?);
        leg.cost = i128::take(bytes)?;
        leg.realised = i128::take(bytes)?;
        leg.funding = i128::take(bytes)?;
        leg.fees = i128::take(bytes)?;
        leg.rounding = i128::take(bytes)?;
        leg.isolated_wallet = i128::take(bytes)?;
        legs.put(&leg);
    }
    Some(legs)
}

fn put_balance(balance: &Balance, out: &mut Vec<u8>) {
    for figure in
        [balance.cross, balance.isolated, balance.locked, balance.liability, balance.rounding]
    {
        figure.put(out);
    }
    Line::ALL.iter().for_each(|line| balance.lines.get(*line).put(out));
}

fn take_balance(bytes: &mut &[u8]) -> Option<Balance> {
    let mut balance = Balance {
        cross: i128::take(bytes)?,
        isolated: i128::take(bytes)?,
        locked: i128::take(bytes)?,
        liability: i128::take(bytes)?,
        rounding: i128::take(bytes)?,
        lines: Lines::default(),
    };
    for line in Line::ALL {
        let amount = i128::take(bytes)?;
        balance.lines.add(line, amount).ok()?;
    }
    Some(balance)
}
