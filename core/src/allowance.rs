//! A venue's limit as a count in a window, and how much of it may be taken.
//!
//! A window begins at whole multiples of its length since the epoch, of the venue's clock; it is
//! never opened again once a later one was.

/// Nanoseconds of a second.
const NS: i64 = 1_000_000_000;

/// One limit: units in the window of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Units in a window.
    pub limit: i64,
    /// Length of a window, s; at least 1.
    pub window_s: i64,
    /// Units taken in `window`.
    pub used: i64,
    /// Number of the window of now; -1 before the first.
    pub window: i64,
}

impl Allowance {
    /// Of which nothing has been taken.
    #[must_use]
    pub fn new(limit: i64, window_s: i64) -> Self {
        Allowance { limit, window_s: window_s.max(1), used: 0, window: -1 }
    }

    /// Starts the window anew if it is over at `venue_ns`.
    #[inline]
    pub fn roll(&mut self, venue_ns: i64) {
        let window = venue_ns.div_euclid(self.window_s.saturating_mul(NS));
        if window > self.window {
            (self.window, self.used) = (window, 0);
        }
    }

    /// True if so many units may be taken, with `reserved` hundredths of the limit left to others.
    #[inline]
    #[must_use]
    pub fn has_room(&self, units: i64, reserved: i64) -> bool {
        let kept = self.limit.saturating_mul(reserved) / 100;
        self.used.saturating_add(units) <= self.limit - kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_at_a_multiple_of_its_length_and_is_not_opened_again() {
        let mut weight = Allowance::new(100, 60);
        weight.roll(60 * NS);
        weight.used = 100;
        weight.roll(120 * NS - 1);
        assert_eq!((weight.window, weight.used), (1, 100));
        weight.roll(120 * NS);
        assert_eq!((weight.window, weight.used), (2, 0));
        weight.used = 7;
        weight.roll(60 * NS);
        assert_eq!((weight.window, weight.used), (2, 7));
    }

    #[test]
    fn what_is_reserved_is_left_to_others_and_the_last_unit_can_be_taken() {
        let mut weight = Allowance::new(100, 60);
        weight.used = 85;
        assert!(weight.has_room(5, 10));
        assert!(!weight.has_room(6, 10));
        assert!(weight.has_room(15, 0));
        assert!(!weight.has_room(16, 0));
        // Parts of a unit are nobody's: the limit less the rounded reserve, as it always was.
        assert!(Allowance { limit: 19, ..Allowance::new(0, 1) }.has_room(18, 10));
    }
}
