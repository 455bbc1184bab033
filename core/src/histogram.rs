//! Counts of durations in buckets that grow with the duration: 1/64 of it at most.

/// Powers of two covered, and buckets in each: two to the power of `BITS`.
const POWERS: usize = 40;
const BITS: usize = 6;
const PARTS: usize = 1 << BITS;

/// A histogram of nanoseconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max_ns: i64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { buckets: vec![0; POWERS * PARTS], count: 0, max_ns: 0 }
    }
}

impl Histogram {
    /// Counts a duration; one below zero counts as zero.
    #[inline]
    pub fn add(&mut self, ns: i64) {
        let value = ns.max(0) as u64;
        self.buckets[place(value)] += 1;
        self.count += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest, ns.
    #[must_use]
    pub fn max_ns(&self) -> i64 {
        self.max_ns
    }

    /// The upper end of the bucket below which a share of all lies, ns; 0 if nothing was counted.
    #[must_use]
    pub fn quantile_ns(&self, share: f64) -> i64 {
        let wanted = (share * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return ceiling(at).min(self.max_ns);
            }
        }
        0
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Histogram::default();
    }
}

fn place(value: u64) -> usize {
    if value < PARTS as u64 {
        return value as usize;
    }
    let power = 63 - value.leading_zeros() as usize;
    let part = ((value >> (power - BITS)) as usize) & (PARTS - 1);
    ((power + 1 - BITS) * PARTS + part).min(POWERS * PARTS - 1)
}

/// Largest value of a bucket.
fn ceiling(at: usize) -> i64 {
    if at < PARTS {
        return at as i64;
    }
    let (power, part) = (at / PARTS + BITS - 1, at % PARTS);
    ((((PARTS + part + 1) as u64) << (power - BITS)) - 1) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_at_most_a_64th_above_the_value() {
        for value in (0..5_000_000_i64).step_by(997) {
            let mut histogram = Histogram::default();
            histogram.add(value);
            histogram.add(value * 100 + 1);
            let half = histogram.quantile_ns(0.5);
            assert!(half >= value && half <= value + value / 64, "{value} gave {half}");
        }
        assert_eq!(Histogram::default().quantile_ns(0.5), 0);
    }
}
