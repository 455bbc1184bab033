//! How many orders may leave within a window of time.

use std::collections::VecDeque;

use super::{Exposure, Refusal, Rule};

/// Refuses an order when the window before it is full.
#[derive(Clone, Debug)]
pub struct OrderRate {
    /// Most orders within the window; 0 is no limit.
    pub limit: u32,
    /// Length of the window, ns.
    pub window_ns: i64,
}

impl Rule for OrderRate {
    #[inline]
    fn check(&self, e: &Exposure<'_>) -> Result<(), Refusal> {
        if self.limit == 0 || e.orders_in_window < self.limit {
            return Ok(());
        }
        let (count, limit) = (e.orders_in_window, self.limit);
        let window = self.window_ns as f64 / 1e9;
        let detail = format!("{count} orders within {window} s, limit {limit}");
        Err(Refusal { rule: "order_rate", detail })
    }
}

/// The times of the latest orders, for counting those within a window.
#[derive(Clone, Debug, Default)]
pub struct RateWindow {
    times: VecDeque<i64>,
}

impl RateWindow {
    /// Orders at or after `since_ns`; older ones are forgotten.
    #[inline]
    pub fn count_since(&mut self, since_ns: i64) -> u32 {
        while self.times.front().is_some_and(|&ts| ts <= since_ns) {
            self.times.pop_front();
        }
        self.times.len() as u32
    }

    /// The times after `since_ns`, oldest first.
    pub fn times_since(&self, since_ns: i64) -> impl Iterator<Item = i64> + '_ {
        self.times.iter().copied().filter(move |&ts| ts > since_ns)
    }

    /// Counts an order.
    #[inline]
    pub fn push(&mut self, now_ns: i64) {
        self.times.push_back(now_ns);
    }
}
