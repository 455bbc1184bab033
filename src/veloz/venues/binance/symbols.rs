//! The instruments of one market by the venue's own names.

use veloz_core::instrument::{Instrument, InstrumentId};

use super::number::Scale;

/// What the decoder must know of an instrument.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The venue's own string.
    pub name: Box<[u8]>,
    /// Row of the instrument table.
    pub row: InstrumentId,
    /// Decimals of a price.
    pub price: Scale,
    /// Decimals of a quantity.
    pub qty: Scale,
}

/// Finds instruments by name; the last one found is tried first.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    by_name: Vec<Listed>,
    last: usize,
}

impl Symbols {
    /// Adds an instrument; a later version takes the place of an earlier one.
    pub fn add(&mut self, row: InstrumentId, instrument: &Instrument) {
        let name = instrument.venue_symbol.as_bytes();
        let listed = Listed {
            name: name.into(),
            row,
            price: Scale::new(instrument.price_scale),
            qty: Scale::new(instrument.qty_scale),
        };
        match self.search(name) {
            Ok(at) => self.by_name[at] = listed,
            Err(at) => self.by_name.insert(at, listed),
        }
    }

    fn search(&self, name: &[u8]) -> Result<usize, usize> {
        self.by_name.binary_search_by(|listed| (*listed.name).cmp(name))
    }

    /// The instrument's place in this table; `None` if it is not listed.
    #[inline]
    pub fn find(&mut self, name: &[u8]) -> Option<usize> {
        if self.by_name.get(self.last).is_some_and(|listed| *listed.name == *name) {
            return Some(self.last);
        }
        self.last = self.search(name).ok()?;
        Some(self.last)
    }

    /// What is listed at a place that [`find`](Self::find) gave.
    #[inline]
    #[must_use]
    pub fn at(&self, place: usize) -> &Listed {
        &self.by_name[place]
    }
}
