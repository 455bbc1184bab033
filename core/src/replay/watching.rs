//! Which feeds the engine must see row by row, and where quotes come from.

use super::stream::{Row, Source};
use super::Replay;
use crate::strategy::{wants, Strategy};

impl<S: Strategy> Replay<S> {
    /// Which instruments' quotes are the best levels of their book: those without a quote feed.
    pub(super) fn choose_quotes(&mut self) {
        for (is_book, told) in [(true, true), (false, false)] {
            for lane in &self.lanes {
                let row = match &lane.source {
                    Source::Ticks(stream) if is_book => {
                        stream.venue_rows().first().map(Row::instrument)
                    }
                    Source::Quotes(stream) if !is_book => {
                        stream.venue_rows().first().map(Row::instrument)
                    }
                    _ => None,
                };
                if let Some(row) = row {
                    self.engine.quotes_of_books[row as usize] = told;
                }
            }
        }
    }

    /// Which lanes the engine must see row by row.
    pub(super) fn watch(&mut self) {
        for lane in &mut self.lanes {
            let (bits, instrument) = match &lane.source {
                Source::Ticks(s) => {
                    let row = s.venue_rows().first().or_else(|| s.local_rows().first());
                    (wants::BOOKS | wants::TRADES | wants::QUOTES, row.map(Row::instrument))
                }
                // Bars drive indicators, marks drive equity: they are seen at their own time.
                _ => (u32::MAX, None),
            };
            lane.watched = match instrument {
                Some(instrument) if !self.engine.is_watched(instrument, bits) => 0,
                Some(_) => bits,
                None if bits == u32::MAX => bits,
                None => 0,
            };
        }
    }
}
