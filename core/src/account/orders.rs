//! Open orders: what spot orders lock (rule A9) and what contract orders would cost (A26).

use crate::account::error::{insufficient, AccountError};
use crate::account::fill::closes_leg;
use crate::account::terms::Terms;
use crate::account::wallet::positive;
use crate::account::{Account, Accounts};
use crate::instrument::{AssetId, InstrumentId, Kind};
use crate::order::{OrderId, PositionSide, Side};
use crate::units::{div_round, pow10, Overflow, Rounding, COST_SCALE, MARK_SCALE};

/// An order that rests, as far as money knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// Its number, not zero.
    pub id: OrderId,
    /// Row of the instrument table.
    pub instrument: InstrumentId,
    /// Which leg.
    pub position_side: PositionSide,
    /// Buy or sell.
    pub side: Side,
    /// What is left of it, in quantity units.
    pub qty: i64,
    /// Its limit, in price units.
    pub price: i64,
    /// Never opens a position, so it needs no margin.
    pub reduce_only: bool,
}

impl OpenOrder {
    /// True if the order can open a position and therefore needs margin.
    pub(crate) fn opens(&self) -> bool {
        !self.reduce_only && !closes_leg(self.position_side, self.side)
    }
}

/// What an order takes while it rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderHold {
    /// Spot: coins locked, at the asset's scale.
    Locked {
        /// The asset.
        asset: AssetId,
        /// How much.
        amount: i128,
    },
    /// A contract's order that can open: its margin and what it would lose at once at the mark,
    /// at the settlement currency's scale. The cost is the sum of both.
    Margin {
        /// Notional at the order's price over the leverage.
        initial_margin: i128,
        /// Loss against the mark.
        open_loss: i128,
    },
    /// An order that can only close.
    Nothing,
}

impl Accounts {
    /// What an order would take (rules A9, A26); nothing changes.
    ///
    /// # Errors
    ///
    /// [`AccountError`] for unknown rows, figures that are not positive, no leverage, overflow.
    pub fn order_hold(&self, account: u16, order: &OpenOrder) -> Result<OrderHold, AccountError> {
        positive(i128::from(order.qty), "quantity of an order")?;
        positive(i128::from(order.price), "price of an order")?;
        let terms = self.terms(order.instrument)?;
        let books = self.account(account)?;
        books.check_side(terms, order.position_side)?;
        if terms.kind == Kind::Spot {
            let (asset, amount) = lock(terms, order).map_err(|_| terms.overflow())?;
            return Ok(OrderHold::Locked { asset, amount });
        }
        if !order.opens() {
            return Ok(OrderHold::Nothing);
        }
        let leverage = books.setting(order.instrument).leverage;
        if leverage == 0 {
            return Err(AccountError::NoLeverage(terms.symbol.clone()));
        }
        let mark = self.marks[order.instrument as usize].price;
        margin(terms, order, leverage, mark).map_err(|_| terms.overflow())
    }

    /// Takes an order into the books: locks spot coins, counts it for open-order margin.
    ///
    /// # Errors
    ///
    /// [`AccountError::Insufficient`] if spot coins are missing, [`AccountError::DuplicateOrder`]
    /// for a number in use; nothing changed. Contract margin is a limit of risk, not of the
    /// books: see [`crate::account::PoolMargin::available`].
    pub fn order_open(
        &mut self,
        account: u16,
        order: &OpenOrder,
    ) -> Result<OrderHold, AccountError> {
        positive(i128::from(order.id), "number of an order")?;
        let hold = match self.order_hold(account, order) {
            // Without leverage there is no margin to show, and none is counted.
            Err(AccountError::NoLeverage(_)) => OrderHold::Nothing,
            other => other?,
        };
        let place = match self.account(account)?.find_order(order.id) {
            Ok(_) => return Err(AccountError::DuplicateOrder(order.id)),
            Err(place) => place,
        };
        if let OrderHold::Locked { asset, amount } = hold {
            let left = self.balance(account, asset)?.free() - amount;
            if left < 0 {
                let scale = self.asset_scale(asset)?;
                return Err(insufficient(&self.asset_name(asset), -left, scale));
            }
            self.account_mut(account)?.balances[usize::from(asset)].locked += amount;
        }
        self.account_mut(account)?.orders.insert(place, *order);
        Ok(hold)
    }

    /// Takes an order out of the books and frees what it locks.
    ///
    /// # Errors
    ///
    /// [`AccountError::UnknownOrder`] if it is not open; nothing changed.
    pub fn order_close(&mut self, account: u16, id: OrderId) -> Result<OpenOrder, AccountError> {
        let place = self.account(account)?.find_order(id);
        let place = place.map_err(|_| AccountError::UnknownOrder(id))?;
        let order = self.account(account)?.orders[place];
        let terms = self.terms(order.instrument)?;
        let freed = self.account(account)?.lock_freed(terms, id, order.qty);
        let freed = freed.map_err(|_| terms.overflow())?;
        let books = self.account_mut(account)?;
        if let Some((asset, amount)) = freed {
            books.balances[usize::from(asset)].locked -= amount;
        }
        Ok(books.orders.remove(place))
    }

    /// What the open spot orders lock of an asset, added up anew.
    pub(crate) fn locked_by_orders(&self, account: u16, asset: AssetId) -> Result<i128, Overflow> {
        let books = &self.accounts[usize::from(account)];
        let mut sum = 0_i128;
        for order in &books.orders {
            let terms = &self.terms[order.instrument as usize];
            if terms.kind == Kind::Spot {
                let (coin, amount) = lock(terms, order)?;
                let amount = if coin == asset { amount } else { 0 };
                sum = sum.checked_add(amount).ok_or(Overflow)?;
            }
        }
        Ok(sum)
    }

    /// The open orders of an account, by number.
    ///
    /// # Errors
    ///
    /// [`AccountError::UnknownAccount`].
    pub fn open_orders(&self, account: u16) -> Result<&[OpenOrder], AccountError> {
        Ok(&self.account(account)?.orders)
    }
}

impl Account {
    pub(crate) fn find_order(&self, id: OrderId) -> Result<usize, usize> {
        self.orders.binary_search_by_key(&id, |order| order.id)
    }

    /// What a fill of `qty` of an order unlocks, at the limit price; `None` if nothing is locked.
    pub(crate) fn lock_freed(
        &self,
        terms: &Terms,
        id: OrderId,
        qty: i64,
    ) -> Result<Option<(AssetId, i128)>, Overflow> {
        let Ok(place) = self.find_order(id) else { return Ok(None) };
        let mut order = self.orders[place];
        if terms.kind != Kind::Spot {
            return Ok(None);
        }
        let (asset, before) = lock(terms, &order)?;
        order.qty = (order.qty - qty).max(0);
        let (_, after) = lock(terms, &order)?;
        Ok(Some((asset, before - after)))
    }

    /// Takes a filled quantity off an order; it leaves the books when nothing is left.
    #[inline]
    pub(crate) fn reduce_order(&mut self, id: OrderId, qty: i64) {
        if id == 0 {
            return;
        }
        if let Ok(place) = self.find_order(id) {
            let order = &mut self.orders[place];
            order.qty -= qty;
            if order.qty <= 0 {
                self.orders.remove(place);
            }
        }
    }
}

/// A buy locks the quote for its rest at its limit, rounded up; a sell its rest of the base.
fn lock(terms: &Terms, order: &OpenOrder) -> Result<(AssetId, i128), Overflow> {
    let units = terms.units(order.qty);
    match order.side {
        Side::Sell => Ok((terms.base, units)),
        Side::Buy => {
            let exact = terms.notional(units, order.price, terms.price_scale)?;
            let unit = pow10(COST_SCALE - terms.settle_scale);
            Ok((terms.quote, div_round(exact, unit, Rounding::Up)?))
        }
    }
}

fn margin(
    terms: &Terms,
    order: &OpenOrder,
    leverage: i64,
    mark: i64,
) -> Result<OrderHold, Overflow> {
    let units = i128::from(order.qty) * i128::from(order.side.sign());
    let value = terms.fraction(units, order.price, terms.price_scale)?;
    let initial_margin = terms.post(terms.fine_over_leverage(value, leverage)?.floor());
    let mut loss = 0;
    if mark > 0 {
        let asked = terms.value(units, order.price, terms.price_scale)?;
        loss = asked.checked_sub(terms.value(units, mark, MARK_SCALE)?).ok_or(Overflow)?;
    }
    Ok(OrderHold::Margin { initial_margin, open_loss: terms.post(loss.max(0)) })
}
