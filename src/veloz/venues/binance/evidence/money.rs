//! Balances, positions and cash entries → inputs of the desk.

use veloz_core::desk::{CashKind, Input};
use veloz_core::facts;

use super::words::{cash_kind, entry, leg_of};
use super::{Evidence, Reader, Unfit};
use crate::binance::cell::Number;
use crate::binance::report::{AccountReport, BalanceReport, PositionReport};

impl Reader {
    /// Balances and positions that an event says have changed, and why.
    pub(super) fn changed(
        &self,
        report: &AccountReport<'_>,
        sent: i64,
        evidence: &mut Evidence,
    ) -> Result<(), Unfit> {
        let kind = report.reason.and_then(cash_kind);
        if let Some(kind) = kind {
            let row = report.symbol.as_deref().and_then(|symbol| {
                let of = |p: &PositionReport<'_>| p.symbol == symbol;
                report.positions.iter().find(|p| of(p)).and_then(|p| p.row)
            });
            let alone = report.positions.first().and_then(|position| position.row);
            let row = row.or(alone).filter(|_| kind == CashKind::Funding).unwrap_or(u32::MAX);
            for balance in &report.balances {
                self.cash(balance, kind, row, sent, evidence)?;
            }
        }
        self.stated(report, sent, evidence)
    }

    pub(super) fn cash(
        &self,
        balance: &BalanceReport<'_>,
        kind: CashKind,
        instrument: u32,
        ts_exchange: i64,
        evidence: &mut Evidence,
    ) -> Result<(), Unfit> {
        let Some(change) = balance.change.filter(|change| !change.is_zero()) else { return Ok(()) };
        let Some(&(asset, scale)) = self.assets.get(&*balance.asset) else { return Ok(()) };
        let amount = change.at(scale).map_err(|problem| ("change", problem))?;
        let entry_id = entry(ts_exchange, kind, asset, instrument, amount);
        let account = self.account;
        let kind = kind as u8;
        let cash =
            facts::CashMoved { account, asset, kind, instrument, amount, ts_exchange, entry_id };
        evidence.inputs.push(Input::Cash(cash));
        Ok(())
    }

    pub(super) fn stated(
        &self,
        report: &AccountReport<'_>,
        sent: i64,
        evidence: &mut Evidence,
    ) -> Result<(), Unfit> {
        for balance in &report.balances {
            let Some(&(asset, scale)) = self.assets.get(&*balance.asset) else { continue };
            let figure = |number: Option<Number>| {
                number.map(|n| n.at(scale).map_err(|problem| ("balance", problem))).transpose()
            };
            let (free, locked) = (figure(balance.free)?, figure(balance.locked)?);
            let wallet = match figure(balance.wallet)? {
                Some(wallet) => wallet,
                None => match free {
                    Some(free) => free + locked.unwrap_or(0),
                    None => continue,
                },
            };
            let (account, ts_exchange) = (self.account, balance.ts_exchange.unwrap_or(sent));
            let fact = facts::BalanceStated { account, asset, wallet, ts_exchange };
            evidence.inputs.push(Input::Balance(fact));
        }
        for position in &report.positions {
            let (Some(instrument), Some(qty)) = (position.row, position.qty) else { continue };
            let Some(units) = self.units.get(&instrument) else { continue };
            let fact = facts::PositionStated {
                account: self.account,
                instrument,
                position_side: leg_of(position.position_side) as u8,
                qty: qty.units(units.qty).map_err(|problem| ("position", problem))?,
                ts_exchange: position.ts_exchange.unwrap_or(sent),
            };
            evidence.inputs.push(Input::Position(fact));
        }
        Ok(())
    }
}
