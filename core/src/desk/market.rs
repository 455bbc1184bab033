//! What the desk learns of markets: bars, levels, prints, quotes and marks.

use super::{Desk, DeskError, MarketView};
use crate::instrument::{InstrumentId, Kind};
use crate::market::{
    Bar, MarkPrice, Quote, Tick, Trade, TICK_BUY, TICK_CLEAR, TICK_EMPTY, TICK_TRADE,
};
use crate::units::{rescale, Rounding, MARK_SCALE};

const _: () = assert!(TICK_BUY == 1 && TICK_TRADE == 2); // a row's side is computed of both

impl MarketView {
    /// One row of a book feed.
    ///
    /// Prints and levels take the same way: which one comes next cannot be guessed.
    #[inline(always)]
    fn apply(&mut self, row: &Tick) {
        if row.flags & (TICK_CLEAR | TICK_EMPTY) != 0 {
            return self.apply_marker(row);
        }
        let print = self.prints[usize::from(row.flags & TICK_TRADE != 0)];
        self.last = (row.price & print) | (self.last & !print);
        // A print changes nothing at the level that it took from, a buyer's from the asks: at its
        // price on the other side it would look like a level ahead of the best.
        let is_bid = (row.flags ^ (row.flags >> 1)) & TICK_BUY != 0;
        self.book.set_unless(print, is_bid, row.price, row.qty);
    }

    /// A row that begins a snapshot, or that names no level.
    #[cold]
    fn apply_marker(&mut self, row: &Tick) {
        if row.flags & TICK_CLEAR != 0 {
            self.book.clear();
        }
        if row.flags & TICK_TRADE != 0 {
            self.last = row.price;
        } else if row.flags & TICK_EMPTY == 0 {
            self.book.set(row.flags & TICK_BUY != 0, row.price, row.qty);
        }
    }
}

impl Desk {
    /// A finished bar.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if a value does not fit.
    #[inline]
    pub fn bar(&mut self, bar: &Bar) -> Result<(), DeskError> {
        self.count_market(1);
        let market = &mut self.markets[bar.instrument as usize];
        market.last = bar.close;
        market.events += 1;
        self.value(bar.instrument)
    }

    /// Rows of a book feed, whole messages.
    #[inline]
    pub fn ticks(&mut self, rows: &[Tick]) {
        self.count_market(rows.len());
        for row in rows {
            self.markets[row.instrument as usize].apply(row);
        }
    }

    /// The rows of a book feed that arrived before `before_ns`; says how many.
    ///
    /// Arrivals never go back, so the end is found by stepping up to it.
    #[inline]
    pub fn ticks_before(&mut self, rows: &[Tick], before_ns: i64) -> usize {
        let Some(first) = rows.first() else { return 0 };
        let mut market = &mut self.markets[first.instrument as usize];
        let (mut instrument, mut count) = (first.instrument, 0);
        for row in rows {
            if row.ts_recv >= before_ns {
                break;
            }
            count += 1;
            if row.instrument != instrument {
                instrument = row.instrument;
                market = &mut self.markets[instrument as usize];
            }
            market.apply(row);
        }
        self.count_market(count);
        count
    }

    /// A public trade outside a book feed.
    pub fn trade(&mut self, trade: &Trade) {
        self.count_market(1);
        let market = &mut self.markets[trade.instrument as usize];
        market.last = trade.price;
        market.events += 1;
    }

    /// A best bid and offer outside a book feed.
    pub fn quote(&mut self, quote: &Quote) {
        self.count_market(1);
        let market = &mut self.markets[quote.instrument as usize];
        market.quote = Some(*quote);
        market.events += 1;
    }

    /// A mark price.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if a value does not fit.
    pub fn mark(&mut self, mark: &MarkPrice) -> Result<(), DeskError> {
        self.count_market(1);
        self.markets[mark.instrument as usize].mark = mark.mark;
        self.value(mark.instrument)
    }

    /// Values positions in an instrument at its mark, else at its last price (A7).
    ///
    /// # Errors
    ///
    /// [`DeskError`] if the value does not fit.
    #[inline]
    pub fn value(&mut self, instrument: InstrumentId) -> Result<(), DeskError> {
        let market = &mut self.markets[instrument as usize];
        let price = if self.instruments[instrument as usize].kind == Kind::Spot {
            match market.touch() {
                Some((bid, ask)) => (bid + ask) / 2,
                None => market.last,
            }
        } else {
            market.last
        };
        let mark = if market.mark > 0 {
            market.mark
        } else if price > 0 {
            let scale = self.instruments[instrument as usize].price_scale;
            let mark = rescale(i128::from(price), scale, MARK_SCALE, Rounding::TowardZero);
            match mark.ok().and_then(|mark| i64::try_from(mark).ok()) {
                Some(mark) => mark,
                None => return Err(self.broken(instrument, "a price does not fit mark scale")),
            }
        } else {
            return Ok(());
        };
        if mark == market.valued {
            return Ok(());
        }
        market.valued = mark;
        self.accounts
            .mark(instrument, mark)
            .map_err(|error| self.broken(instrument, &error.to_string()))
    }
}
