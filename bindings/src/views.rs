//! The reports of Binance's private messages as frozen Python values.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use veloz_venues::binance::cell::{Number, Word};
use veloz_venues::binance::report::{
    AccountReport, AlgoReport, AlgoStatus, BalanceReport, ConfigReport, ListReport, OrderReport,
    OrderStatus, PositionReport, TradeRow,
};

use crate::numbers::decimal;

/// A number that Python sees as an exact `Decimal`.
#[derive(Clone, Copy)]
pub struct Exact(Number);

impl<'py> IntoPyObject<'py> for Exact {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(decimal(py, self.0.value, self.0.scale)?.into_bound(py))
    }
}

pub fn owned(text: Option<impl AsRef<str>>) -> Option<String> {
    text.map(|text| text.as_ref().to_owned())
}

fn exact(number: Option<Number>) -> Option<Exact> {
    number.map(Exact)
}

fn word<T>(word: Option<Word<'_, T>>) -> Option<String> {
    word.map(|word| word.text.to_owned())
}

/// A frozen Python class that copies a report field by field.
macro_rules! view {
    ($(#[$about:meta])* $name:ident of $source:ident, $report:ident {
        $($(#[$doc:meta])* $field:ident: $type:ty = $value:expr;)*
    }) => {
        $(#[$about])*
        #[pyclass(frozen, get_all, module = "veloz._core")]
        #[derive(Clone)]
        pub struct $name { $($(#[$doc])* $field: $type,)* }

        impl $name {
            pub fn of($report: &$source<'_>) -> Self {
                $name { $($field: $value,)* }
            }
        }

        #[pymethods]
        impl $name {
            /// as_dict() -> dict[str, Any]
            ///
            /// The fields by name.
            fn as_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
                let fields = PyDict::new(py);
                $(fields.set_item(stringify!($field), self.$field.clone())?;)*
                Ok(fields)
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                Ok(format!(concat!(stringify!($name), "({})"), self.as_dict(py)?.repr()?))
            }
        }
    };
}

view! {
    /// What a message of Binance says about one order; None where it does not say.
    BinanceOrderReport of OrderReport, r {
        /// str: The venue's symbol.
        symbol: String = r.symbol.clone().into_owned();
        /// int | None: Row of the instrument table, if the symbol is in it.
        row: Option<u32> = r.row;
        /// str | None: The order's own client id.
        client_id: Option<String> = owned(r.client_id.as_deref());
        /// str | None: Client id of the cancel or change that the message is about.
        request_id: Option<String> = owned(r.request_id.as_deref());
        /// int: The venue's number of the order.
        venue_order_id: i64 = r.venue_order_id;
        /// int | None: The venue's number of its order list.
        list_id: Option<i64> = r.list_id;
        /// str | None: "BUY" or "SELL".
        side: Option<String> = owned(r.side);
        /// str | None: The venue's order type.
        type_: Option<String> = owned(r.kind);
        /// str | None: The type that it was placed as.
        orig_type: Option<String> = owned(r.orig_kind);
        /// str | None: Time in force.
        tif: Option<String> = owned(r.tif);
        /// str | None: The venue's word for where it stands.
        status: Option<String> = word(r.status);
        /// bool | None: True if it can trade no more; None if the status is not known.
        is_final: Option<bool> = r.status.and_then(|word| word.known).map(OrderStatus::is_final);
        /// str | None: The venue's word for what happened.
        execution: Option<String> = word(r.execution);
        /// Decimal | None: Total quantity.
        qty: Option<Exact> = exact(r.qty);
        /// Decimal | None: Limit price.
        price: Option<Exact> = exact(r.price);
        /// Decimal | None: Trigger price.
        trigger_price: Option<Exact> = exact(r.trigger_price);
        /// Decimal | None: Mean price of its fills.
        avg_price: Option<Exact> = exact(r.avg_price);
        /// Decimal | None: Filled quantity.
        cum_qty: Option<Exact> = exact(r.cum_qty);
        /// Decimal | None: Filled value: in the quote currency, on COIN-M in the base coin.
        cum_quote: Option<Exact> = exact(r.cum_quote);
        /// Decimal | None: Quantity of this fill.
        last_qty: Option<Exact> = exact(r.last_qty);
        /// Decimal | None: Price of this fill.
        last_price: Option<Exact> = exact(r.last_price);
        /// int | None: The venue's number of this trade.
        trade_id: Option<i64> = r.trade_id;
        /// Decimal | None: Fee of this fill; negative is a rebate.
        fee: Option<Exact> = exact(r.fee);
        /// str | None: What the fee is paid in.
        fee_asset: Option<String> = owned(r.fee_asset.as_deref());
        /// bool | None: True if the order was resting.
        is_maker: Option<bool> = r.is_maker;
        /// int | None: When it happened at the venue, ns.
        ts_exchange: Option<i64> = r.ts_exchange;
        /// int | None: When the venue sent it, ns.
        ts_event: Option<i64> = r.ts_event;
        /// int | None: When the order was created, ns.
        ts_created: Option<i64> = r.ts_created;
        /// int | None: End of a GTD order, ns.
        ts_expire: Option<i64> = r.ts_expire;
        /// str | None: Why it was refused or expired.
        reason: Option<String> = owned(r.reason.as_deref());
        /// str | None: Self-trade prevention.
        stp: Option<String> = owned(r.stp);
        /// str | None: Which leg in hedge mode.
        position_side: Option<String> = owned(r.position_side);
        /// bool | None: Never opens a position.
        reduce_only: Option<bool> = r.reduce_only;
        /// bool | None: Closes the whole position.
        close_position: Option<bool> = r.close_position;
        /// str | None: What the trigger watches.
        working_type: Option<String> = owned(r.working_type);
        /// Decimal | None: Profit of this fill.
        realised_pnl: Option<Exact> = exact(r.realised_pnl);
        /// Decimal | None: Visible quantity of an iceberg.
        display_qty: Option<Exact> = exact(r.display_qty);
        /// Decimal | None: Price at which a trailing order is armed.
        activation_price: Option<Exact> = exact(r.activation_price);
        /// Decimal | None: Trailing distance, per cent.
        callback_rate: Option<Exact> = exact(r.callback_rate);
        /// int | None: Trailing distance of spot, hundredths of a per cent.
        trailing_delta: Option<i64> = r.trailing_delta;
        /// Decimal | None: Quantity that self-trade prevention took.
        prevented_qty: Option<Exact> = exact(r.prevented_qty);
        /// bool: True if it reports a fill.
        is_fill: bool = r.is_fill();
        /// bool: True if the order's terms were changed.
        is_amended: bool = r.is_amended();
        /// bool: True if the venue placed the order itself.
        is_system: bool = r.is_system();
        /// bool: True if a word in it is not known: ask the venue.
        is_unclear: bool = r.is_unclear();
        /// list[BinanceTrade]: What traded at once, in the answer to a place request.
        fills: Vec<BinanceTrade> = r.fills.iter().map(BinanceTrade::of).collect();
    }
}

view! {
    /// What a message of Binance says about one conditional order of futures.
    BinanceAlgoReport of AlgoReport, r {
        /// str: The venue's symbol; empty in the answer to a cancel.
        symbol: String = r.symbol.clone().into_owned();
        /// int | None: Row of the instrument table, if the symbol is in it.
        row: Option<u32> = r.row;
        /// str | None: Its client id.
        client_id: Option<String> = owned(r.client_id.as_deref());
        /// int: The algo service's number of it.
        algo_id: i64 = r.algo_id;
        /// int | None: The order that its trigger made.
        venue_order_id: Option<i64> = r.venue_order_id;
        /// str | None: "BUY" or "SELL".
        side: Option<String> = owned(r.side);
        /// str | None: The venue's order type.
        type_: Option<String> = owned(r.kind);
        /// str | None: Time in force.
        tif: Option<String> = owned(r.tif);
        /// str | None: The venue's word for where it stands.
        status: Option<String> = word(r.status);
        /// bool: True if the status is not known: ask the venue.
        is_unclear: bool = r.status.is_some_and(|word: Word<'_, AlgoStatus>| word.known.is_none());
        /// Decimal | None: Total quantity.
        qty: Option<Exact> = exact(r.qty);
        /// Decimal | None: Limit price.
        price: Option<Exact> = exact(r.price);
        /// Decimal | None: Trigger price.
        trigger_price: Option<Exact> = exact(r.trigger_price);
        /// Decimal | None: Mean price of the fills.
        avg_price: Option<Exact> = exact(r.avg_price);
        /// Decimal | None: Filled quantity.
        cum_qty: Option<Exact> = exact(r.cum_qty);
        /// Decimal | None: Price at which a trailing order is armed.
        activation_price: Option<Exact> = exact(r.activation_price);
        /// Decimal | None: Trailing distance, per cent.
        callback_rate: Option<Exact> = exact(r.callback_rate);
        /// bool | None: A trailing order is armed.
        is_activated: Option<bool> = r.is_activated;
        /// str | None: Self-trade prevention.
        stp: Option<String> = owned(r.stp);
        /// str | None: Which leg in hedge mode.
        position_side: Option<String> = owned(r.position_side);
        /// str | None: What the trigger watches.
        working_type: Option<String> = owned(r.working_type);
        /// bool | None: Never opens a position.
        reduce_only: Option<bool> = r.reduce_only;
        /// bool | None: Closes the whole position.
        close_position: Option<bool> = r.close_position;
        /// int | None: The venue's answer to a cancel: 200 if it was done.
        code: Option<i64> = r.code;
        /// str | None: Why it was refused or expired.
        reason: Option<String> = owned(r.reason.as_deref());
        /// int | None: When it happened at the venue, ns.
        ts_exchange: Option<i64> = r.ts_exchange;
        /// int | None: When the venue sent it, ns.
        ts_event: Option<i64> = r.ts_event;
        /// int | None: When it was created, ns.
        ts_created: Option<i64> = r.ts_created;
        /// int | None: When it was triggered, ns.
        ts_triggered: Option<i64> = r.ts_triggered;
    }
}

view! {
    /// One asset of an account at Binance.
    BinanceBalance of BalanceReport, r {
        /// str: The venue's name of the asset; empty for a margin call's cross wallet.
        asset: String = r.asset.clone().into_owned();
        /// Decimal | None: Spot: what may be spent.
        free: Option<Exact> = exact(r.free);
        /// Decimal | None: Spot: what orders hold.
        locked: Option<Exact> = exact(r.locked);
        /// Decimal | None: Futures: the wallet.
        wallet: Option<Exact> = exact(r.wallet);
        /// Decimal | None: Futures: the wallet that cross positions share.
        cross_wallet: Option<Exact> = exact(r.cross_wallet);
        /// Decimal | None: Futures: what may be used for orders.
        available: Option<Exact> = exact(r.available);
        /// Decimal | None: Futures: profit of what is held.
        unrealised: Option<Exact> = exact(r.unrealised);
        /// Decimal | None: By how much it changed, fills and fees not included.
        change: Option<Exact> = exact(r.change);
        /// int | None: When it changed, ns.
        ts_exchange: Option<i64> = r.ts_exchange;
    }
}

view! {
    /// One position of an account at Binance.
    BinancePosition of PositionReport, r {
        /// str: The venue's symbol.
        symbol: String = r.symbol.clone().into_owned();
        /// int | None: Row of the instrument table, if the symbol is in it.
        row: Option<u32> = r.row;
        /// str | None: "BOTH", "LONG" or "SHORT".
        position_side: Option<String> = owned(r.position_side);
        /// Decimal | None: Signed quantity.
        qty: Option<Exact> = exact(r.qty);
        /// Decimal | None: Average entry price.
        entry_price: Option<Exact> = exact(r.entry_price);
        /// Decimal | None: Price at which it would come out even.
        break_even_price: Option<Exact> = exact(r.break_even_price);
        /// Decimal | None: The mark.
        mark_price: Option<Exact> = exact(r.mark_price);
        /// Decimal | None: Where it would be liquidated.
        liquidation_price: Option<Exact> = exact(r.liquidation_price);
        /// Decimal | None: Profit of what is held.
        unrealised: Option<Exact> = exact(r.unrealised);
        /// Decimal | None: Profit of what was closed, before fees.
        realised: Option<Exact> = exact(r.realised);
        /// str | None: As the message spells it.
        margin_type: Option<String> = owned(r.margin_type);
        /// bool | None: True if its margin is isolated.
        is_isolated: Option<bool> = r.is_isolated;
        /// Decimal | None: Wallet of an isolated position.
        isolated_wallet: Option<Exact> = exact(r.isolated_wallet);
        /// Decimal | None: Margin of an isolated position.
        isolated_margin: Option<Exact> = exact(r.isolated_margin);
        /// Decimal | None: Maintenance margin.
        maintenance_margin: Option<Exact> = exact(r.maintenance_margin);
        /// Decimal | None: Leverage.
        leverage: Option<Exact> = exact(r.leverage);
        /// Decimal | None: Value at the mark.
        notional: Option<Exact> = exact(r.notional);
        /// int | None: When it changed, ns.
        ts_exchange: Option<i64> = r.ts_exchange;
    }
}

view! {
    /// One trade of ours at Binance.
    BinanceTrade of TradeRow, r {
        /// str: The venue's symbol; empty inside an order.
        symbol: String = r.symbol.clone().into_owned();
        /// int | None: Row of the instrument table, if the symbol is in it.
        row: Option<u32> = r.row;
        /// int: The venue's number of the trade.
        trade_id: i64 = r.trade_id;
        /// int | None: The venue's number of the order.
        venue_order_id: Option<i64> = r.venue_order_id;
        /// Decimal | None: Price.
        price: Option<Exact> = exact(r.price);
        /// Decimal | None: Quantity.
        qty: Option<Exact> = exact(r.qty);
        /// Decimal | None: Value: in the quote currency, on COIN-M in the base coin.
        quote_qty: Option<Exact> = exact(r.quote_qty);
        /// Decimal | None: Fee; negative is a rebate.
        fee: Option<Exact> = exact(r.fee);
        /// str | None: What the fee is paid in.
        fee_asset: Option<String> = owned(r.fee_asset.as_deref());
        /// bool | None: True if we bought.
        is_buyer: Option<bool> = r.is_buyer;
        /// bool | None: True if our order was resting.
        is_maker: Option<bool> = r.is_maker;
        /// str | None: Which leg in hedge mode.
        position_side: Option<String> = owned(r.position_side);
        /// Decimal | None: Profit of this trade.
        realised_pnl: Option<Exact> = exact(r.realised_pnl);
        /// int | None: When it traded, ns.
        ts_exchange: Option<i64> = r.ts_exchange;
    }
}

view! {
    /// What an account at Binance holds; in events, only what changed.
    BinanceAccount of AccountReport, r {
        /// str | None: Why it changed, in events.
        reason: Option<String> = owned(r.reason);
        /// str | None: The symbol that a funding fee is for.
        symbol: Option<String> = owned(r.symbol.as_deref());
        /// bool | None: True if the account may trade.
        can_trade: Option<bool> = r.can_trade;
        /// bool | None: True if the account may withdraw.
        can_withdraw: Option<bool> = r.can_withdraw;
        /// list[BinanceBalance]: Assets.
        balances: Vec<BinanceBalance> = r.balances.iter().map(BinanceBalance::of).collect();
        /// list[BinancePosition]: Positions.
        positions: Vec<BinancePosition> = r.positions.iter().map(BinancePosition::of).collect();
    }
}

view! {
    /// What a message of Binance says about linked orders.
    BinanceOrderList of ListReport, r {
        /// str: The venue's symbol.
        symbol: String = r.symbol.clone().into_owned();
        /// int: The venue's number of the list.
        list_id: i64 = r.list_id;
        /// str | None: "OCO" or "OTO".
        contingency: Option<String> = owned(r.contingency);
        /// str | None: The venue's word for where the list stands.
        status: Option<String> = owned(r.status);
        /// str | None: The venue's word for where its orders stand.
        order_status: Option<String> = owned(r.order_status);
        /// str | None: Its client id.
        client_id: Option<String> = owned(r.client_id.as_deref());
        /// str | None: Why it was refused.
        reason: Option<String> = owned(r.reason.as_deref());
        /// list[tuple[int, str]]: Its orders, by the venue's number and client id.
        orders: Vec<(i64, String)> =
            r.orders.iter().map(|(id, client)| (*id, client.clone().into_owned())).collect();
        /// int | None: When it happened at the venue, ns.
        ts_exchange: Option<i64> = r.ts_exchange;
    }
}

view! {
    /// A setting of an account at Binance that was changed.
    BinanceConfig of ConfigReport, r {
        /// str | None: The venue's symbol, of a leverage.
        symbol: Option<String> = owned(r.symbol.as_deref());
        /// int | None: The new leverage.
        leverage: Option<i64> = r.leverage;
        /// bool | None: Whether assets are margin for each other.
        multi_assets: Option<bool> = r.multi_assets;
    }
}
