//! Orders and questions about them → the parameters of each market's endpoint.
//!
//! ```text
//!            unconditional                    conditional
//!  spot      order.place                      order.place, STOP_LOSS… with stopPrice
//!  usdm      order.place                      algoOrder.place, triggerPrice, clientAlgoId
//!  coinm     order.place                      REST algoOrder: the WebSocket API has no such method
//! ```
//!
//! What a market cannot do is refused here, before anything leaves, by a sentence that says what to
//! change; nothing is dropped in silence. Parameters are added in the order of their names, which is
//! the order in which the WebSocket API wants them signed.

use veloz_core::instrument::Instrument;
use veloz_core::order::{OrderSpec, OrderType, PositionSide, Side, Stp, Tif, TriggerBy};

use super::draft::Draft;
use super::endpoint::{endpoint, Action, Unsupported};
use super::Market;

/// New terms of an order that is at work.
#[derive(Clone, Copy, Debug)]
pub struct Amend<'a> {
    /// Its present terms.
    pub spec: &'a OrderSpec,
    /// New total quantity, what is filled included.
    pub qty: i64,
    /// New price.
    pub price: i64,
    /// What is filled, as far as is known.
    pub filled: i64,
    /// Its id.
    pub client_id: &'a str,
    /// The id of the order that takes its place, where the venue must cancel and place anew.
    pub new_client_id: &'a str,
}

/// Which order is meant: by its client id, or by the venue's number where it has none of ours.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its client id; empty to go by the number.
    pub client_id: &'a str,
    /// The venue's number of it; of the algo service for a conditional order that waits.
    pub venue_order_id: i64,
}

/// Which trades are asked for; zero leaves a bound out.
#[derive(Clone, Copy, Debug, Default)]
pub struct TradesOf {
    /// From this trade id on.
    pub from_id: i64,
    /// From this time on, ms.
    pub start_ms: i64,
    /// Until this time, ms.
    pub end_ms: i64,
    /// Of this order.
    pub order_id: i64,
    /// At most so many.
    pub limit: i64,
}

/// Writes requests of one market into a draft.
#[derive(Clone, Debug)]
pub struct Encoder {
    market: Market,
    /// `newOrderRespType`; empty leaves the venue's default.
    pub response: &'static str,
    draft: Draft,
}

impl Encoder {
    /// An encoder whose draft is empty.
    #[must_use]
    pub fn new(market: Market) -> Self {
        Encoder { market, response: "", draft: Draft::new() }
    }

    /// Its market.
    #[must_use]
    pub fn market(&self) -> Market {
        self.market
    }

    /// The last request.
    pub fn draft(&mut self) -> &mut Draft {
        &mut self.draft
    }

    /// Starts a request of any kind.
    ///
    /// # Errors
    ///
    /// [`Unsupported`] if the market has no such endpoint.
    pub fn open(&mut self, action: Action) -> Result<&mut Draft, Unsupported> {
        let endpoint = endpoint(self.market, action)?;
        Ok(self.draft.open(endpoint))
    }

    /// A new order under a client id.
    ///
    /// # Errors
    ///
    /// [`Unsupported`] names what the market cannot do.
    pub fn place(
        &mut self,
        instrument: &Instrument,
        spec: &OrderSpec,
        client_id: &str,
    ) -> Result<&mut Draft, Unsupported> {
        checked(self.market, spec)?;
        match (self.market, spec.kind.is_conditional()) {
            (Market::Spot, _) => self.place_spot(Action::Place, instrument, spec, client_id, None),
            (_, false) => self.place_futures(instrument, spec, client_id),
            (_, true) => self.place_algo(instrument, spec, client_id),
        }
    }

    /// `instead`: the order to cancel first and its filled quantity.
    fn place_spot(
        &mut self,
        action: Action,
        instrument: &Instrument,
        spec: &OrderSpec,
        client_id: &str,
        instead: Option<(&str, i64)>,
    ) -> Result<&mut Draft, Unsupported> {
        let response = self.response;
        let (prices, sizes) = (instrument.price_scale, instrument.qty_scale);
        let draft = self.open(action)?;
        if let Some((old, filled)) = instead {
            draft.text("cancelOrigClientOrderId", old).text("cancelReplaceMode", "STOP_ON_FAILURE");
            if filled == 0 {
                // A fill that nobody told us of would come on top of the new quantity.
                draft.text("cancelRestrictions", "ONLY_NEW");
            }
        }
        if spec.display_qty > 0 {
            draft.decimal("icebergQty", spec.display_qty, sizes);
        }
        draft.text("newClientOrderId", client_id);
        if !response.is_empty() {
            draft.text("newOrderRespType", response);
        }
        if spec.kind.has_limit() {
            draft.decimal("price", spec.price, prices);
        }
        draft.decimal("quantity", spec.qty, sizes);
        stp(draft, spec);
        draft.text("side", side(spec.side));
        let stop_price = match spec.kind {
            OrderType::TrailingStop => spec.activation_price,
            _ => spec.trigger_price,
        };
        if spec.kind.is_conditional() && stop_price > 0 {
            draft.decimal("stopPrice", stop_price, prices);
        }
        draft.text("symbol", &instrument.venue_symbol);
        let is_maker_only = spec.post_only && spec.kind == OrderType::Limit;
        if spec.kind.has_limit() && !is_maker_only {
            draft.text("timeInForce", tif(spec));
        }
        if spec.kind == OrderType::TrailingStop {
            draft.whole("trailingDelta", spec.trail_bps);
        }
        Ok(draft.text("type", if is_maker_only { "LIMIT_MAKER" } else { spot_type(spec.kind) }))
    }

    fn place_futures(
        &mut self,
        instrument: &Instrument,
        spec: &OrderSpec,
        client_id: &str,
    ) -> Result<&mut Draft, Unsupported> {
        let response = self.response;
        let draft = self.open(Action::Place)?;
        if spec.tif == Tif::Gtd {
            draft.whole("goodTillDate", spec.expire_ns / 1_000_000);
        }
        draft.text("newClientOrderId", client_id);
        if !response.is_empty() {
            draft.text("newOrderRespType", response);
        }
        leg(draft, spec);
        if spec.kind.has_limit() {
            draft.decimal("price", spec.price, instrument.price_scale);
        }
        draft.decimal("quantity", spec.qty, instrument.qty_scale);
        reduce(draft, spec);
        stp(draft, spec);
        draft.text("side", side(spec.side)).text("symbol", &instrument.venue_symbol);
        if spec.kind.has_limit() {
            draft.text("timeInForce", tif(spec));
        }
        Ok(draft.text("type", if spec.kind.has_limit() { "LIMIT" } else { "MARKET" }))
    }

    fn place_algo(
        &mut self,
        instrument: &Instrument,
        spec: &OrderSpec,
        client_id: &str,
    ) -> Result<&mut Draft, Unsupported> {
        let response = self.response;
        let prices = instrument.price_scale;
        let is_trailing = spec.kind == OrderType::TrailingStop;
        let draft = self.open(Action::PlaceAlgo)?;
        if is_trailing && spec.activation_price > 0 {
            draft.decimal("activatePrice", spec.activation_price, prices);
        }
        draft.text("algoType", "CONDITIONAL");
        if is_trailing {
            draft.decimal("callbackRate", spec.trail_bps, 2);
        }
        draft.text("clientAlgoId", client_id);
        if spec.close_position {
            draft.text("closePosition", "true");
        }
        if spec.tif == Tif::Gtd {
            draft.whole("goodTillDate", spec.expire_ns / 1_000_000);
        }
        if !response.is_empty() {
            draft.text("newOrderRespType", response);
        }
        leg(draft, spec);
        if spec.kind.has_limit() {
            draft.decimal("price", spec.price, prices);
        }
        if spec.price_protect > 0 {
            draft.text("priceProtect", "true");
        }
        if !spec.close_position {
            draft.decimal("quantity", spec.qty, instrument.qty_scale);
            reduce(draft, spec);
        }
        stp(draft, spec);
        draft.text("side", side(spec.side)).text("symbol", &instrument.venue_symbol);
        if spec.kind.has_limit() {
            draft.text("timeInForce", tif(spec));
        }
        if !is_trailing {
            draft.decimal("triggerPrice", spec.trigger_price, prices);
        }
        draft.text("type", algo_type(spec.kind));
        if spec.trigger_by == TriggerBy::Mark {
            draft.text("workingType", "MARK_PRICE");
        }
        Ok(draft)
    }

    /// New terms for an order: in place where the market can, else by cancelling and placing anew
    /// in one request.
    ///
    /// # Errors
    ///
    /// [`Unsupported`] names what the market cannot do.
    pub fn amend(
        &mut self,
        instrument: &Instrument,
        amend: &Amend<'_>,
    ) -> Result<&mut Draft, Unsupported> {
        let now = amend.spec;
        if amend.qty <= amend.filled || amend.price <= 0 {
            return Err(Unsupported("an amendment needs a price, and more than what is filled"));
        }
        if now.kind != OrderType::Limit {
            return Err(Unsupported(
                "Binance changes only limit orders at work: cancel this one and place another",
            ));
        }
        if self.market != Market::Spot {
            return Ok(self
                .open(Action::Amend)?
                .text("origClientOrderId", amend.client_id)
                .decimal("price", amend.price, instrument.price_scale)
                .decimal("quantity", amend.qty, instrument.qty_scale)
                .text("side", side(now.side))
                .text("symbol", &instrument.venue_symbol));
        }
        if amend.price == now.price && amend.qty < now.qty {
            // Without newClientOrderId the venue would give the order a random one.
            return Ok(self
                .open(Action::Amend)?
                .text("newClientOrderId", amend.client_id)
                .decimal("newQty", amend.qty, instrument.qty_scale)
                .text("origClientOrderId", amend.client_id)
                .text("symbol", &instrument.venue_symbol));
        }
        let next = OrderSpec { qty: amend.qty - amend.filled, price: amend.price, ..*now };
        self.replace(instrument, &next, amend.new_client_id, (amend.client_id, amend.filled))
    }

    /// Cancels an order of spot, named by its client id, of which so much is filled, and places
    /// another: nothing is placed if the cancel fails.
    ///
    /// # Errors
    ///
    /// [`Unsupported`] names what the market cannot do.
    pub fn replace(
        &mut self,
        instrument: &Instrument,
        next: &OrderSpec,
        client_id: &str,
        instead: (&str, i64),
    ) -> Result<&mut Draft, Unsupported> {
        checked(self.market, next)?;
        self.place_spot(Action::Replace, instrument, next, client_id, Some(instead))
    }

    /// The end of one order; `is_algo` while a futures order waits for its trigger.
    ///
    /// # Errors
    ///
    /// [`Unsupported`] if spot is asked about an algo order.
    pub fn cancel(
        &mut self,
        instrument: &Instrument,
        target: &Target<'_>,
        is_algo: bool,
    ) -> Result<&mut Draft, Unsupported> {
        self.one(instrument, target, [Action::Cancel, Action::CancelAlgo], is_algo)
    }

    /// What became of one order; `is_algo` for the conditional half of a futures order.
    ///
    /// # Errors
    ///
    /// [`Unsupported`] if spot is asked about an algo order.
    pub fn order(
        &mut self,
        instrument: &Instrument,
        target: &Target<'_>,
        is_algo: bool,
    ) -> Result<&mut Draft, Unsupported> {
        self.one(instrument, target, [Action::Order, Action::AlgoOrder], is_algo)
    }

    fn one(
        &mut self,
        instrument: &Instrument,
        target: &Target<'_>,
        [plain, algo]: [Action; 2],
        is_algo: bool,
    ) -> Result<&mut Draft, Unsupported> {
        let is_named = !target.client_id.is_empty();
        if !is_named && target.venue_order_id <= 0 {
            return Err(Unsupported("an order is named by its client id or the venue's number"));
        }
        if is_algo {
            let draft = self.open(algo)?;
            return Ok(match is_named {
                true => draft.text("clientAlgoId", target.client_id),
                false => draft.whole("algoId", target.venue_order_id),
            });
        }
        let draft = self.open(plain)?;
        match is_named {
            true => draft.text("origClientOrderId", target.client_id),
            false => draft.whole("orderId", target.venue_order_id),
        };
        Ok(draft.text("symbol", &instrument.venue_symbol))
    }

    /// The end of all orders of an instrument; futures have conditional ones apart.
    ///
    /// # Errors
    ///
    /// [`Unsupported`] if spot is asked about algo orders.
    pub fn cancel_all(
        &mut self,
        instrument: &Instrument,
        is_algo: bool,
    ) -> Result<&mut Draft, Unsupported> {
        let action = if is_algo { Action::CancelAllAlgo } else { Action::CancelAll };
        Ok(self.open(action)?.text("symbol", &instrument.venue_symbol))
    }

    /// All open orders of an instrument, or of the account.
    ///
    /// # Errors
    ///
    /// [`Unsupported`] if spot is asked about algo orders.
    pub fn open_orders(
        &mut self,
        instrument: Option<&Instrument>,
        is_algo: bool,
    ) -> Result<&mut Draft, Unsupported> {
        let action = if is_algo { Action::OpenAlgoOrders } else { Action::OpenOrders };
        let draft = self.open(action)?;
        if let Some(instrument) = instrument {
            draft.text("symbol", &instrument.venue_symbol);
        }
        Ok(draft)
    }

    /// The account's own trades in an instrument.
    ///
    /// # Errors
    ///
    /// None in any market so far.
    pub fn trades(
        &mut self,
        instrument: &Instrument,
        of: &TradesOf,
    ) -> Result<&mut Draft, Unsupported> {
        let draft = self.open(Action::Trades)?;
        for (name, value) in [
            ("endTime", of.end_ms),
            ("fromId", of.from_id),
            ("limit", of.limit),
            ("orderId", of.order_id),
            ("startTime", of.start_ms),
        ] {
            if value > 0 {
                draft.whole(name, value);
            }
        }
        Ok(draft.text("symbol", &instrument.venue_symbol))
    }

    /// Arms the venue's dead-man switch of an instrument; 0 disarms it.
    ///
    /// # Errors
    ///
    /// [`Unsupported`] on spot, which has none.
    pub fn countdown(
        &mut self,
        instrument: &Instrument,
        countdown_ms: i64,
    ) -> Result<&mut Draft, Unsupported> {
        let draft = self.open(Action::Countdown)?;
        Ok(draft.whole("countdownTime", countdown_ms).text("symbol", &instrument.venue_symbol))
    }
}

/// Refuses what the market cannot do.
fn checked(market: Market, spec: &OrderSpec) -> Result<(), Unsupported> {
    let refuse = |sentence| Err(Unsupported(sentence));
    let is_limit = spec.kind.has_limit();
    if spec.oco_group != 0 {
        return refuse("Binance links orders only as one list: give them without oco_group");
    }
    if is_limit && spec.price <= 0 {
        return refuse("a limit order needs a price above zero");
    }
    if spec.post_only && (!is_limit || spec.tif != Tif::Gtc) {
        return refuse("post-only needs a limit order with time in force gtc");
    }
    if spec.close_position {
        let can = matches!(spec.kind, OrderType::Stop | OrderType::TakeProfit);
        if market == Market::Spot || !can || spec.reduce_only {
            return refuse(
                "close_position is for stop and take_profit of futures, without reduce_only",
            );
        }
    } else if spec.qty <= 0 {
        return refuse("an order needs a quantity above zero");
    }
    match spec.kind {
        OrderType::TrailingStop => trailing(market, spec)?,
        _ if spec.kind.is_conditional() && spec.trigger_price <= 0 => {
            return refuse("a conditional order needs a trigger price above zero");
        }
        _ => {}
    }
    if spec.trigger_by == TriggerBy::Index && spec.kind.is_conditional() {
        return refuse("Binance has no trigger by the index price");
    }
    if market == Market::Spot {
        return checked_spot(spec);
    }
    if spec.display_qty > 0 {
        return refuse("Binance's futures have no iceberg orders");
    }
    if matches!(spec.stp, Stp::Decrement | Stp::Transfer) {
        return refuse("futures have no self-trade prevention by decrement or transfer");
    }
    if spec.tif == Tif::Gtd && (market == Market::CoinM || !is_limit || spec.expire_ns <= 0) {
        return refuse("gtd is for limit orders of USDT-M with an end in time");
    }
    Ok(())
}

fn trailing(market: Market, spec: &OrderSpec) -> Result<(), Unsupported> {
    match market {
        Market::Spot if spec.trail_bps <= 0 => {
            Err(Unsupported("a trailing stop needs a distance above zero"))
        }
        Market::UsdM | Market::CoinM if !(10..=2_000).contains(&spec.trail_bps) => {
            Err(Unsupported("a trailing stop of futures needs a distance of 0.1 to 20 per cent"))
        }
        _ => Ok(()),
    }
}

fn checked_spot(spec: &OrderSpec) -> Result<(), Unsupported> {
    let refuse = |sentence| Err(Unsupported(sentence));
    if spec.reduce_only || spec.position_side != PositionSide::Both {
        return refuse("spot has no positions: neither reduce_only nor position_side");
    }
    if spec.tif == Tif::Gtd {
        return refuse("spot has no time in force gtd");
    }
    if spec.kind.is_conditional() && (spec.trigger_by == TriggerBy::Mark || spec.price_protect > 0)
    {
        return refuse("spot has no mark price to watch");
    }
    if spec.post_only && spec.kind != OrderType::Limit {
        return refuse("spot has no post-only order behind a trigger");
    }
    if spec.display_qty > 0 && (!spec.kind.has_limit() || spec.tif != Tif::Gtc) {
        return refuse("an iceberg needs a limit order with time in force gtc");
    }
    Ok(())
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

const fn tif(spec: &OrderSpec) -> &'static str {
    match spec.tif {
        Tif::Gtc if spec.post_only => "GTX",
        Tif::Gtc => "GTC",
        Tif::Ioc => "IOC",
        Tif::Fok => "FOK",
        Tif::Gtd => "GTD",
    }
}

const fn spot_type(kind: OrderType) -> &'static str {
    match kind {
        OrderType::Market => "MARKET",
        OrderType::Limit => "LIMIT",
        OrderType::Stop | OrderType::TrailingStop => "STOP_LOSS",
        OrderType::StopLimit => "STOP_LOSS_LIMIT",
        OrderType::TakeProfit => "TAKE_PROFIT",
        OrderType::TakeProfitLimit => "TAKE_PROFIT_LIMIT",
    }
}

/// Only conditional orders come here; the others have their own endpoint.
const fn algo_type(kind: OrderType) -> &'static str {
    match kind {
        OrderType::Market => "MARKET",
        OrderType::Limit => "LIMIT",
        OrderType::Stop => "STOP_MARKET",
        OrderType::StopLimit => "STOP",
        OrderType::TakeProfit => "TAKE_PROFIT_MARKET",
        OrderType::TakeProfitLimit => "TAKE_PROFIT",
        OrderType::TrailingStop => "TRAILING_STOP_MARKET",
    }
}

/// Without a word the account's or symbol's own mode holds.
fn stp(draft: &mut Draft, spec: &OrderSpec) {
    let word = match spec.stp {
        Stp::None => return,
        Stp::ExpireMaker => "EXPIRE_MAKER",
        Stp::ExpireTaker => "EXPIRE_TAKER",
        Stp::ExpireBoth => "EXPIRE_BOTH",
        Stp::Decrement => "DECREMENT",
        Stp::Transfer => "TRANSFER",
    };
    draft.text("selfTradePreventionMode", word);
}

fn leg(draft: &mut Draft, spec: &OrderSpec) {
    match spec.position_side {
        PositionSide::Both => {}
        PositionSide::Long => drop(draft.text("positionSide", "LONG")),
        PositionSide::Short => drop(draft.text("positionSide", "SHORT")),
    }
}

/// In hedge mode the leg and the side say it, and the flag is refused.
fn reduce(draft: &mut Draft, spec: &OrderSpec) {
    if spec.reduce_only && spec.position_side == PositionSide::Both {
        draft.text("reduceOnly", "true");
    }
}
