//! What can be asked of each market, and where: WebSocket method, HTTP verb, path.

use std::fmt;

use super::draft::{Endpoint, Security};
use super::Market;

/// Why a market cannot be asked for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsupported(
    /// The whole sentence.
    pub &'static str,
);

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Unsupported {}

/// What is done, whatever the market calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is the action that its name says
pub enum Action {
    Place,
    Amend,
    Replace,
    Cancel,
    CancelAll,
    Order,
    OpenOrders,
    AllOrders,
    Trades,
    Account,
    Balances,
    Positions,
    PlaceAlgo,
    CancelAlgo,
    CancelAllAlgo,
    AlgoOrder,
    OpenAlgoOrders,
    AllAlgoOrders,
    Countdown,
    Leverage,
    MarginType,
    PositionMode,
    SetPositionMode,
    StreamStart,
    StreamPing,
    StreamStop,
    Logon,
    Subscribe,
    SubscribeSigned,
    Time,
}

impl Action {
    /// All of them, with the names that settings and logs use.
    #[rustfmt::skip]
    pub const ALL: [(&'static str, Action); 30] = {
        use Action::*;
        [("place", Place), ("amend", Amend), ("replace", Replace), ("cancel", Cancel),
         ("cancel_all", CancelAll), ("order", Order), ("open_orders", OpenOrders),
         ("all_orders", AllOrders), ("trades", Trades), ("account", Account),
         ("balances", Balances), ("positions", Positions), ("place_algo", PlaceAlgo),
         ("cancel_algo", CancelAlgo), ("cancel_all_algo", CancelAllAlgo),
         ("algo_order", AlgoOrder), ("open_algo_orders", OpenAlgoOrders),
         ("all_algo_orders", AllAlgoOrders), ("countdown", Countdown), ("leverage", Leverage),
         ("margin_type", MarginType), ("position_mode", PositionMode),
         ("set_position_mode", SetPositionMode), ("stream_start", StreamStart),
         ("stream_ping", StreamPing), ("stream_stop", StreamStop), ("logon", Logon),
         ("subscribe", Subscribe), ("subscribe_signed", SubscribeSigned), ("time", Time)]
    };

    /// The action of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Action> {
        Action::ALL.iter().find(|(known, _)| *known == name).map(|(_, action)| *action)
    }
}

/// Where an action goes.
///
/// # Errors
///
/// [`Unsupported`] if the market has no such endpoint.
pub fn endpoint(market: Market, action: Action) -> Result<Endpoint, Unsupported> {
    use Action::*;
    use Security::{Key, Open, Signed};
    let at = |ws, verb, path, security| Ok(Endpoint { ws, verb, path, security });
    #[rustfmt::skip] // a table: the columns matter
    let found = match (market, action) {
        (Market::Spot, Place)           => at("order.place", "POST", "/api/v3/order", Signed),
        (Market::Spot, Amend)           => at("order.amend.keepPriority", "PUT", "/api/v3/order/amend/keepPriority", Signed),
        (Market::Spot, Replace)         => at("order.cancelReplace", "POST", "/api/v3/order/cancelReplace", Signed),
        (Market::Spot, Cancel)          => at("order.cancel", "DELETE", "/api/v3/order", Signed),
        (Market::Spot, CancelAll)       => at("openOrders.cancelAll", "DELETE", "/api/v3/openOrders", Signed),
        (Market::Spot, Order)           => at("order.status", "GET", "/api/v3/order", Signed),
        (Market::Spot, OpenOrders)      => at("openOrders.status", "GET", "/api/v3/openOrders", Signed),
        (Market::Spot, AllOrders)       => at("allOrders", "GET", "/api/v3/allOrders", Signed),
        (Market::Spot, Trades)          => at("myTrades", "GET", "/api/v3/myTrades", Signed),
        (Market::Spot, Account | Balances) => at("account.status", "GET", "/api/v3/account", Signed),
        (Market::Spot, Logon)           => at("session.logon", "", "", Signed),
        (Market::Spot, Subscribe)       => at("userDataStream.subscribe", "", "", Open),
        (Market::Spot, SubscribeSigned) => at("userDataStream.subscribe.signature", "", "", Signed),
        (Market::Spot, Time)            => at("time", "GET", "/api/v3/time", Open),
        (Market::Spot, _)               => Err(Unsupported("spot has no such request")),
        (Market::UsdM, Place)           => at("order.place", "POST", "/fapi/v1/order", Signed),
        (Market::UsdM, Amend)           => at("order.modify", "PUT", "/fapi/v1/order", Signed),
        (Market::UsdM, Cancel)          => at("order.cancel", "DELETE", "/fapi/v1/order", Signed),
        (Market::UsdM, CancelAll)       => at("", "DELETE", "/fapi/v1/allOpenOrders", Signed),
        (Market::UsdM, Order)           => at("order.status", "GET", "/fapi/v1/order", Signed),
        (Market::UsdM, OpenOrders)      => at("", "GET", "/fapi/v1/openOrders", Signed),
        (Market::UsdM, AllOrders)       => at("", "GET", "/fapi/v1/allOrders", Signed),
        (Market::UsdM, Trades)          => at("", "GET", "/fapi/v1/userTrades", Signed),
        (Market::UsdM, Account)         => at("v2/account.status", "GET", "/fapi/v3/account", Signed),
        (Market::UsdM, Balances)        => at("v2/account.balance", "GET", "/fapi/v3/balance", Signed),
        (Market::UsdM, Positions)       => at("v2/account.position", "GET", "/fapi/v3/positionRisk", Signed),
        (Market::UsdM, PlaceAlgo)       => at("algoOrder.place", "POST", "/fapi/v1/algoOrder", Signed),
        (Market::UsdM, CancelAlgo)      => at("algoOrder.cancel", "DELETE", "/fapi/v1/algoOrder", Signed),
        (Market::UsdM, CancelAllAlgo)   => at("", "DELETE", "/fapi/v1/algoOpenOrders", Signed),
        (Market::UsdM, AlgoOrder)       => at("", "GET", "/fapi/v1/algoOrder", Signed),
        (Market::UsdM, OpenAlgoOrders)  => at("", "GET", "/fapi/v1/openAlgoOrders", Signed),
        (Market::UsdM, AllAlgoOrders)   => at("", "GET", "/fapi/v1/allAlgoOrders", Signed),
        (Market::UsdM, Countdown)       => at("", "POST", "/fapi/v1/countdownCancelAll", Signed),
        (Market::UsdM, Leverage)        => at("", "POST", "/fapi/v1/leverage", Signed),
        (Market::UsdM, MarginType)      => at("", "POST", "/fapi/v1/marginType", Signed),
        (Market::UsdM, PositionMode)    => at("", "GET", "/fapi/v1/positionSide/dual", Signed),
        (Market::UsdM, SetPositionMode) => at("", "POST", "/fapi/v1/positionSide/dual", Signed),
        (Market::UsdM, StreamStart)     => at("userDataStream.start", "POST", "/fapi/v1/listenKey", Key),
        (Market::UsdM, StreamPing)      => at("userDataStream.ping", "PUT", "/fapi/v1/listenKey", Key),
        (Market::UsdM, StreamStop)      => at("userDataStream.stop", "DELETE", "/fapi/v1/listenKey", Key),
        (Market::UsdM, Logon)           => at("session.logon", "", "", Signed),
        (Market::UsdM, Time)            => at("", "GET", "/fapi/v1/time", Open),
        (Market::CoinM, Place)          => at("order.place", "POST", "/dapi/v1/order", Signed),
        (Market::CoinM, Amend)          => at("order.modify", "PUT", "/dapi/v1/order", Signed),
        (Market::CoinM, Cancel)         => at("order.cancel", "DELETE", "/dapi/v1/order", Signed),
        (Market::CoinM, CancelAll)      => at("", "DELETE", "/dapi/v1/allOpenOrders", Signed),
        (Market::CoinM, Order)          => at("order.status", "GET", "/dapi/v1/order", Signed),
        (Market::CoinM, OpenOrders)     => at("", "GET", "/dapi/v1/openOrders", Signed),
        (Market::CoinM, AllOrders)      => at("", "GET", "/dapi/v1/allOrders", Signed),
        (Market::CoinM, Trades)         => at("", "GET", "/dapi/v1/userTrades", Signed),
        (Market::CoinM, Account)        => at("account.status", "GET", "/dapi/v1/account", Signed),
        (Market::CoinM, Balances)       => at("account.balance", "GET", "/dapi/v1/balance", Signed),
        (Market::CoinM, Positions)      => at("account.position", "GET", "/dapi/v1/positionRisk", Signed),
        (Market::CoinM, PlaceAlgo)      => at("", "POST", "/dapi/v1/algoOrder", Signed),
        (Market::CoinM, CancelAlgo)     => at("", "DELETE", "/dapi/v1/algoOrder", Signed),
        (Market::CoinM, CancelAllAlgo)  => at("", "DELETE", "/dapi/v1/algoOpenOrders", Signed),
        (Market::CoinM, AlgoOrder)      => at("", "GET", "/dapi/v1/algoOrder", Signed),
        (Market::CoinM, OpenAlgoOrders) => at("", "GET", "/dapi/v1/openAlgoOrders", Signed),
        (Market::CoinM, AllAlgoOrders)  => at("", "GET", "/dapi/v1/allAlgoOrders", Signed),
        (Market::CoinM, Countdown)      => at("", "POST", "/dapi/v1/countdownCancelAll", Signed),
        (Market::CoinM, Leverage)       => at("", "POST", "/dapi/v1/leverage", Signed),
        (Market::CoinM, MarginType)     => at("", "POST", "/dapi/v1/marginType", Signed),
        (Market::CoinM, PositionMode)   => at("", "GET", "/dapi/v1/positionSide/dual", Signed),
        (Market::CoinM, SetPositionMode) => at("", "POST", "/dapi/v1/positionSide/dual", Signed),
        (Market::CoinM, StreamStart)    => at("userDataStream.start", "POST", "/dapi/v1/listenKey", Key),
        (Market::CoinM, StreamPing)     => at("userDataStream.ping", "PUT", "/dapi/v1/listenKey", Key),
        (Market::CoinM, StreamStop)     => at("userDataStream.stop", "DELETE", "/dapi/v1/listenKey", Key),
        (Market::CoinM, Logon)          => at("session.logon", "", "", Signed),
        (Market::CoinM, Time)           => at("", "GET", "/dapi/v1/time", Open),
        (Market::UsdM | Market::CoinM, Replace | Subscribe | SubscribeSigned) =>
            Err(Unsupported("only spot has this request")),
    };
    found
}
