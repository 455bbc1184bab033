//! What the accounts refuse by name, with nothing changed, and how an instrument gets its mark.

#![allow(clippy::inconsistent_digit_grouping)] // 100_00 is a price of 100.00

mod scene;

use scene::{coins, mark_of, BTC, INVERSE, PERPETUAL, SPOT, USDT};
use veloz_core::account::{AccountError, Accounts, FillInput, LEVERAGE_SCALE};
use veloz_core::order::{PositionSide, Side};
use veloz_core::units::pow10;

fn accounts() -> Accounts {
    let mut accounts = Accounts::new(&scene::assets(), &scene::instruments()).unwrap();
    accounts.add_account(false, None).unwrap();
    accounts.deposit(0, USDT, coins(1_000)).unwrap();
    accounts
}

fn fill(instrument: u32, side: Side, qty: i64) -> FillInput {
    FillInput {
        account: 0,
        strategy: 1,
        instrument,
        position_side: PositionSide::Both,
        side,
        qty,
        price: 100_00,
        fee: 0,
        fee_asset: USDT,
        reduce_only: false,
        order: 0,
        realised: None,
    }
}

#[test]
fn rows_that_do_not_exist_are_named() {
    let mut accounts = accounts();
    let leverage = pow10(LEVERAGE_SCALE) as i64;
    assert_eq!(accounts.leverage(7, PERPETUAL, leverage), Err(AccountError::UnknownAccount(7)));
    assert_eq!(accounts.leverage(0, 9, leverage), Err(AccountError::UnknownInstrument(9)));
    assert_eq!(accounts.mark(9, 1), Err(AccountError::UnknownInstrument(9)));
    assert_eq!(accounts.mark_last(9, 1), Err(AccountError::UnknownInstrument(9)));
    assert_eq!(accounts.mark_of(9).unwrap_err(), AccountError::UnknownInstrument(9));
    assert_eq!(accounts.deposit(0, 9, 1).unwrap_err(), AccountError::UnknownAsset(9));
    assert_eq!(accounts.balance(7, USDT).unwrap_err(), AccountError::UnknownAccount(7));
    assert_eq!(accounts.setting(7, PERPETUAL).unwrap_err(), AccountError::UnknownAccount(7));
    // Nobody ever traded there: that is a flat position, not an error.
    assert_eq!(accounts.position(7, 3, SPOT, PositionSide::Both).qty, 0);
    assert_eq!(accounts.account_position(7, SPOT, PositionSide::Both).qty, 0);
    assert_eq!(accounts.strategy_positions(0, 3).unwrap().count(), 0);
}

#[test]
fn modes_change_only_while_flat() {
    let mut accounts = accounts();
    let not_flat = AccountError::NotFlat("test:BTC/USDT:USDT".into());
    let isolated = |accounts: &mut Accounts| accounts.margin_mode(0, PERPETUAL, true);
    assert_eq!(
        isolated(&mut accounts),
        Err(AccountError::NoLeverage("test:BTC/USDT:USDT".into())),
        "isolated margin needs a leverage"
    );
    assert_eq!(accounts.leverage(0, PERPETUAL, 0), Err(AccountError::NotPositive("leverage")));
    accounts.leverage(0, PERPETUAL, 5 * pow10(LEVERAGE_SCALE) as i64).unwrap();
    accounts.fill(&fill(PERPETUAL, Side::Buy, 1_000)).unwrap();
    assert_eq!(isolated(&mut accounts), Err(not_flat.clone()));
    assert_eq!(accounts.position_mode(0, true), Err(not_flat));
    assert!(!accounts.setting(0, PERPETUAL).unwrap().is_isolated);
    accounts.fill(&fill(PERPETUAL, Side::Sell, 1_000)).unwrap();
    isolated(&mut accounts).unwrap();
    assert!(accounts.setting(0, PERPETUAL).unwrap().is_isolated);
    // Coins are no position: they leave the mode free.
    accounts.fill(&fill(SPOT, Side::Buy, 1_000)).unwrap();
    accounts.position_mode(0, true).unwrap();
    assert_eq!(
        accounts.fill(&fill(PERPETUAL, Side::Buy, 1)).unwrap_err(),
        AccountError::BadSide("test:BTC/USDT:USDT".into())
    );
    assert!(matches!(accounts.margin_mode(0, SPOT, true), Err(AccountError::WrongKind(_))));
}

#[test]
fn a_last_trade_stands_in_until_there_is_a_mark() {
    let mut accounts = accounts();
    accounts.fill(&fill(PERPETUAL, Side::Buy, 2_000)).unwrap();
    let gained = |accounts: &Accounts| {
        let held = accounts.account_position(0, PERPETUAL, PositionSide::Both);
        accounts.unrealised(&held).unwrap() / pow10(18)
    };
    assert_eq!(gained(&accounts), 0, "no price is known yet");
    accounts.mark_last(PERPETUAL, 110_00).unwrap();
    assert_eq!(gained(&accounts), 20);
    accounts.mark(PERPETUAL, mark_of(90)).unwrap();
    accounts.mark_last(PERPETUAL, 120_00).unwrap();
    assert_eq!(gained(&accounts), -20, "a mark is not overwritten by a trade");
    assert_eq!(accounts.mark(PERPETUAL, 0), Err(AccountError::NotPositive("mark price")));
    let too_large = accounts.mark_last(PERPETUAL, i64::MAX).unwrap_err();
    assert_eq!(too_large, AccountError::Overflow("test:BTC/USDT:USDT".into()));
    assert_eq!(accounts.mark_of(PERPETUAL).unwrap().price, mark_of(90));
}

#[test]
fn a_price_finer_than_a_mark_is_refused_rather_than_cut() {
    let mut instruments = scene::instruments();
    instruments[0].price_scale = 10;
    let mut accounts = Accounts::new(&scene::assets(), &instruments).unwrap();
    accounts.mark_last(PERPETUAL, 12_300).unwrap();
    assert_eq!(accounts.mark_of(PERPETUAL).unwrap().price, 123);
    let cut = accounts.mark_last(PERPETUAL, 12_301).unwrap_err();
    assert_eq!(cut, AccountError::BadScale("test:BTC/USDT:USDT".into()));
    assert_eq!(accounts.mark_of(PERPETUAL).unwrap().price, 123);
}

#[test]
fn a_refused_withdrawal_says_what_is_missing_and_changes_nothing() {
    let mut accounts = accounts();
    let error = accounts.withdraw(0, USDT, coins(1_001)).unwrap_err();
    assert_eq!(error.to_string(), "insufficient USDT: 1 is missing");
    let error = accounts.withdraw(0, BTC, 1).unwrap_err();
    assert_eq!(error.to_string(), "insufficient BTC: 0.00000001 is missing");
    assert_eq!(accounts.balance(0, USDT).unwrap().wallet(), coins(1_000));
    accounts.check_identity(0).unwrap();
}

#[test]
fn the_average_entry_of_an_inverse_contract_is_harmonic() {
    let mut accounts = accounts();
    for price in [100_00, 300_00] {
        let bought = FillInput { price, ..fill(INVERSE, Side::Buy, 1_000) };
        accounts.fill(&bought).unwrap();
    }
    let held = accounts.account_position(0, INVERSE, PositionSide::Both);
    // Two contracts for 1 + 1/3 coins: 150, at scale 2 + 6.
    assert_eq!(accounts.average_entry(&held).unwrap(), Some(150 * pow10(8)));
    accounts.fill(&fill(INVERSE, Side::Sell, 2_000)).unwrap();
    let flat = accounts.account_position(0, INVERSE, PositionSide::Both);
    assert_eq!(accounts.average_entry(&flat).unwrap(), None);
}
