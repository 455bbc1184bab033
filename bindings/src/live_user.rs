//! Private messages of a live engine's accounts: read in Rust, straight to the desk.

use pyo3::prelude::*;
use veloz_core::desk::Input;
use veloz_core::order::{Reject, RequestKind};
use veloz_core::order_state::Asked;
use veloz_venues::binance::inputs::{Reading, Unplaced};
use veloz_venues::binance::report::OrderRow;

use crate::feed::failed;
use crate::live::{Awaited, LiveEngine};
use crate::live_request::LiveRequest;

/// Only orders of the conditional service have it.
const ALGO_FIELD: &[u8] = b"\"algoStatus\"";

/// What must be asked, as bits.
fn bits(unplaced: Unplaced) -> i64 {
    i64::from(unplaced.unknown_symbol)
        | (i64::from(unplaced.unclear) << 1)
        | (i64::from(unplaced.stream_ended) << 2)
}

impl LiveEngine {
    /// Reads something into inputs and applies them.
    fn read(
        &mut self,
        account: u16,
        ts_recv: i64,
        read: impl FnOnce(
            &mut veloz_venues::binance::user::UserDecoder,
            &mut Reading<'_>,
        ) -> Result<(), veloz_venues::binance::json::DecodeError>,
    ) -> PyResult<i64> {
        self.seat(account)?;
        let seat = &mut self.accounts[usize::from(account)];
        let desk = &self.live.engine.desk;
        let mut reading = Reading::new(desk, seat.market, account, ts_recv);
        read(&mut seat.decoder, &mut reading).map_err(failed)?;
        let Reading { inputs, unplaced, .. } = reading;
        self.take_received(&inputs, ts_recv)?;
        Ok(bits(unplaced))
    }

    pub fn read_user_frame(&mut self, account: u16, bytes: &[u8], now: i64) -> PyResult<i64> {
        let mut heard_ns = 0;
        let bits = self.read(account, now, |decoder, reading| {
            if let Some(frame) = decoder.frame(bytes)? {
                heard_ns = frame.ts_event.unwrap_or(0);
                reading.event(&frame.event, frame.ts_event);
            }
            Ok(())
        })?;
        let seat = self.seat(account)?;
        seat.confirmed_ns = seat.confirmed_ns.max(heard_ns);
        Ok(bits)
    }

    pub fn read_answer(&mut self, number: u64, bytes: &[u8], now: i64) -> PyResult<i64> {
        let Some(Awaited { request, .. }) = self.asked.remove(&number) else { return Ok(0) };
        let about = LiveRequest::asked(&request);
        let is_conditional = self
            .desk()
            .orders
            .get(request.order)
            .is_some_and(|order| order.spec.kind.is_conditional());
        let is_spot = self.seat(request.account)?.market == veloz_venues::binance::Market::Spot;
        self.read(request.account, now, |decoder, reading| {
            // An answer of the WebSocket API holds what REST would have answered.
            let result = decoder.reply(bytes).ok().and_then(|reply| reply.result);
            let bytes = result.map_or(bytes, |value| value.of(bytes));
            if is_conditional && !is_spot {
                decoder.algo_orders(bytes)?.iter().for_each(|report| reading.algo(report));
                return Ok(());
            }
            for row in decoder.orders(bytes)? {
                match (row, about) {
                    (OrderRow::Order(report), Some((order, Asked::Amend)))
                        if matches!(request.kind, RequestKind::Amend { .. }) =>
                    {
                        reading.amended((order, request.leg), &report);
                    }
                    (OrderRow::Order(report), _) => reading.order(&report),
                    (OrderRow::Refused { code, text }, Some((order, asked))) => {
                        reading.refused(
                            (order, request.leg),
                            asked,
                            Reject::BadRequest,
                            code,
                            &text,
                        );
                    }
                    (OrderRow::Refused { .. }, None) => {}
                }
            }
            Ok(())
        })
    }

    pub fn read_found(&mut self, account: u16, bytes: &[u8], now: i64) -> PyResult<i64> {
        self.read(account, now, |decoder, reading| {
            if bytes.windows(ALGO_FIELD.len()).any(|part| part == ALGO_FIELD) {
                // That one has ended says nothing of its fills: the shell looks at those.
                let orders = decoder.algo_orders(bytes)?;
                orders.iter().filter(|order| !order.has_ended()).for_each(|o| reading.algo(o));
                return Ok(());
            }
            for row in decoder.orders(bytes)? {
                if let OrderRow::Order(report) = row {
                    reading.found(&report);
                }
            }
            Ok(())
        })
    }

    pub fn read_trades(&mut self, account: u16, bytes: &[u8], now: i64) -> PyResult<i64> {
        self.read(account, now, |decoder, reading| {
            decoder.trades(bytes)?.iter().for_each(|trade| reading.listed_trade(trade));
            Ok(())
        })
    }

    /// A request was refused, definitely.
    pub fn refuse_request(
        &mut self,
        number: u64,
        reason: &str,
        code: i64,
        text: &str,
        now: i64,
    ) -> PyResult<()> {
        let Some(Awaited { request, .. }) = self.asked.remove(&number) else { return Ok(()) };
        let Some((order, asked)) = LiveRequest::asked(&request) else { return Ok(()) };
        let reason = (1..=21).map(Reject::of).find(|known| known.word() == reason);
        let market = self.seat(request.account)?.market;
        let desk = &self.live.engine.desk;
        let mut reading = Reading::new(desk, market, request.account, now);
        reading.refused(
            (order, request.leg),
            asked,
            reason.unwrap_or(Reject::BadRequest),
            code,
            text,
        );
        let inputs: Vec<Input> = std::mem::take(&mut reading.inputs);
        self.take_received(&inputs, now)
    }
}
