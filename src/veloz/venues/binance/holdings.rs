//! Private events about balances, positions and settings.

use super::cell::{each_field, need, slots, Cell};
use super::json::{DecodeError, Scanner};
use super::report::{AccountReport, BalanceReport, ConfigReport, PositionReport};
use super::user::{each_row_of, UserDecoder};

impl UserDecoder {
    pub(super) fn account_update<'a>(
        &mut self,
        scan: &mut Scanner<'a>,
    ) -> Result<AccountReport<'a>, DecodeError> {
        let bytes = scan.bytes;
        let (mut inner, mut ts) = (None, None);
        each_field(scan, "frame", |cell| {
            slots!(cell, b"a" => inner, Cell::nested; b"T" => ts, Cell::stamp;);
            Ok(())
        })?;
        let inner = need(inner, "a", scan.at)?;
        let mut r = AccountReport::default();
        let (mut balances, mut positions) = (None, None);
        each_field(&mut Scanner::over(bytes, inner), "a", |cell| {
            slots!(cell,
                b"m" => r.reason, Cell::raw;
                b"S" => r.symbol, Cell::text;
                b"B" => balances, Cell::nested;
                b"P" => positions, Cell::nested;
            );
            Ok(())
        })?;
        each_row_of(bytes, balances, "B", |scan| {
            let mut b = BalanceReport { ts_exchange: ts, ..BalanceReport::default() };
            let mut asset = None;
            each_field(scan, "B", |cell| {
                slots!(cell,
                    b"a" => asset, Cell::text;
                    b"wb" => b.wallet, Cell::number;
                    b"cw" => b.cross_wallet, Cell::number;
                    b"bc" => b.change, Cell::number;
                );
                Ok(())
            })?;
            b.asset = need(asset, "a", scan.at)?;
            need(b.wallet, "wb", scan.at)?;
            r.balances.push(b);
            Ok(())
        })?;
        each_row_of(bytes, positions, "P", |scan| {
            let position = self.position(scan, "P", ts)?;
            r.positions.push(position);
            Ok(())
        })?;
        Ok(r)
    }

    /// A position of `ACCOUNT_UPDATE` or `MARGIN_CALL`.
    fn position<'a>(
        &mut self,
        scan: &mut Scanner<'a>,
        field: &'static str,
        ts: Option<i64>,
    ) -> Result<PositionReport<'a>, DecodeError> {
        let mut p = PositionReport { ts_exchange: ts, ..PositionReport::default() };
        let mut symbol = None;
        each_field(scan, field, |cell| {
            slots!(cell,
                b"s" => symbol, Cell::text;
                b"pa" => p.qty, Cell::number;
                b"ep" => p.entry_price, Cell::number;
                b"bep" => p.break_even_price, Cell::number;
                b"cr" => p.realised, Cell::number;
                b"up" => p.unrealised, Cell::number;
                b"mt" => p.margin_type, Cell::raw;
                b"iw" => p.isolated_wallet, Cell::number;
                b"ps" => p.position_side, Cell::leg;
                b"mp" => p.mark_price, Cell::number;
                b"mm" => p.maintenance_margin, Cell::number;
            );
            Ok(())
        })?;
        p.symbol = need(symbol, "s", scan.at)?;
        need(p.qty, "pa", scan.at)?;
        p.is_isolated = p.margin_type.map(|text| text.eq_ignore_ascii_case("isolated"));
        p.row = self.row(&p.symbol);
        Ok(p)
    }

    pub(super) fn margin_call<'a>(
        &mut self,
        scan: &mut Scanner<'a>,
    ) -> Result<AccountReport<'a>, DecodeError> {
        let bytes = scan.bytes;
        let (mut positions, mut cross, mut ts) = (None, None, None);
        each_field(scan, "frame", |cell| {
            slots!(cell,
                b"p" => positions, Cell::nested;
                b"cw" => cross, Cell::number;
                b"E" => ts, Cell::stamp;
            );
            Ok(())
        })?;
        let positions = need(positions, "p", scan.at)?;
        let mut r = AccountReport::default();
        if cross.is_some() {
            let b = BalanceReport { cross_wallet: cross, ts_exchange: ts, ..Default::default() };
            r.balances.push(b);
        }
        each_row_of(bytes, Some(positions), "p", |scan| {
            let position = self.position(scan, "p", ts)?;
            r.positions.push(position);
            Ok(())
        })?;
        Ok(r)
    }
}

pub(super) fn account_position<'a>(
    scan: &mut Scanner<'a>,
) -> Result<AccountReport<'a>, DecodeError> {
    let bytes = scan.bytes;
    let (mut balances, mut ts) = (None, None);
    each_field(scan, "frame", |cell| {
        slots!(cell, b"B" => balances, Cell::nested; b"u" => ts, Cell::stamp;);
        Ok(())
    })?;
    let balances = need(balances, "B", scan.at)?;
    let mut r = AccountReport::default();
    each_row_of(bytes, Some(balances), "B", |scan| {
        let mut b = BalanceReport { ts_exchange: ts, ..BalanceReport::default() };
        let mut asset = None;
        each_field(scan, "B", |cell| {
            slots!(cell,
                b"a" => asset, Cell::text;
                b"f" => b.free, Cell::number;
                b"l" => b.locked, Cell::number;
            );
            Ok(())
        })?;
        b.asset = need(asset, "a", scan.at)?;
        need(b.free, "f", scan.at)?;
        need(b.locked, "l", scan.at)?;
        r.balances.push(b);
        Ok(())
    })?;
    Ok(r)
}

pub(super) fn balance_change<'a>(scan: &mut Scanner<'a>) -> Result<BalanceReport<'a>, DecodeError> {
    let mut b = BalanceReport::default();
    let mut asset = None;
    each_field(scan, "frame", |cell| {
        slots!(cell,
            b"a" => asset, Cell::text;
            b"d" => b.change, Cell::number;
            b"T" => b.ts_exchange, Cell::stamp;
        );
        Ok(())
    })?;
    b.asset = need(asset, "a", scan.at)?;
    need(b.change, "d", scan.at)?;
    Ok(b)
}

pub(super) fn config_update<'a>(scan: &mut Scanner<'a>) -> Result<ConfigReport<'a>, DecodeError> {
    let bytes = scan.bytes;
    let mut r = ConfigReport::default();
    let (mut leverage, mut assets) = (None, None);
    each_field(scan, "frame", |cell| {
        slots!(cell, b"ac" => leverage, Cell::nested; b"ai" => assets, Cell::nested;);
        Ok(())
    })?;
    if let Some(at) = leverage {
        each_field(&mut Scanner::over(bytes, at), "ac", |cell| {
            slots!(cell, b"s" => r.symbol, Cell::text; b"l" => r.leverage, Cell::whole;);
            Ok(())
        })?;
    }
    if let Some(at) = assets {
        each_field(&mut Scanner::over(bytes, at), "ai", |cell| {
            slots!(cell, b"j" => r.multi_assets, Cell::flag;);
            Ok(())
        })?;
    }
    Ok(r)
}
