//! How long messages travel, and the channels that keep them in order.
//!
//! Draws are whole nanoseconds ≥ 0, one per message in the order of sending. A channel is first in,
//! first out: TCP does not reorder, so a quick message waits for a slow one before it.

use super::dice::Dice;

/// One row of a measured latency table, ns: when a request left, when the venue had it, when the
/// answer came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencyRow {
    /// When the request left.
    pub request_ns: i64,
    /// When the venue handled it.
    pub exchange_ns: i64,
    /// When its answer was here.
    pub response_ns: i64,
}

/// A model of the time between sending and arriving.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Latency {
    /// Nothing.
    #[default]
    None,
    /// The same for each message.
    Constant {
        /// In ns.
        ns: i64,
    },
    /// Normally distributed, never below a floor.
    Normal {
        /// In ns.
        mean_ns: i64,
        /// Standard deviation in ns.
        sd_ns: i64,
        /// Smallest value in ns.
        floor_ns: i64,
    },
    /// `(from, value)` by time of sending: the last row that has begun holds. Sorted by time.
    Steps(Vec<(i64, i64)>),
    /// `(time of sending, value)`: linear between rows, clamped at both ends. Sorted by time.
    Table(Vec<(i64, i64)>),
}

impl Latency {
    /// The way to the venue, from measured rows sorted by request time.
    #[must_use]
    pub fn recorded_entry(rows: &[LatencyRow]) -> Latency {
        Latency::Table(
            rows.iter().map(|r| (r.request_ns, (r.exchange_ns - r.request_ns).max(0))).collect(),
        )
    }

    /// The way back, from measured rows sorted by request time.
    #[must_use]
    pub fn recorded_report(rows: &[LatencyRow]) -> Latency {
        Latency::Table(
            rows.iter().map(|r| (r.request_ns, (r.response_ns - r.exchange_ns).max(0))).collect(),
        )
    }

    /// The model that a text names: `none`, `5ms`, `constant:5ms`, `normal:MEAN,SD[,FLOOR]`,
    /// `steps:FROM=VALUE,…`. Durations are whole numbers with `ns` (default), `us`, `ms` or `s`.
    ///
    /// # Errors
    ///
    /// A sentence that lists what exists.
    pub fn parse(text: &str) -> Result<Latency, String> {
        let unknown = || {
            format!(
                "latency {text:?} is unknown; use none, a duration such as 5ms, constant:5ms, \
                 normal:MEAN,SD[,FLOOR] or steps:FROM=VALUE,…"
            )
        };
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        match name {
            "none" => Ok(Latency::None),
            "constant" => Ok(Latency::constant(duration_ns(rest).ok_or_else(unknown)?)),
            "normal" => {
                let parts: Option<Vec<i64>> = rest.split(',').map(duration_ns).collect();
                match parts.ok_or_else(unknown)?[..] {
                    [mean_ns, sd_ns] => Ok(Latency::Normal { mean_ns, sd_ns, floor_ns: 0 }),
                    [mean_ns, sd_ns, floor_ns] => Ok(Latency::Normal { mean_ns, sd_ns, floor_ns }),
                    _ => Err(unknown()),
                }
            }
            "steps" => {
                let mut steps = Vec::new();
                for step in rest.split(',') {
                    let (from, value) = step.split_once('=').ok_or_else(unknown)?;
                    let value = duration_ns(value).ok_or_else(unknown)?;
                    steps.push((from.parse().map_err(|_| unknown())?, value));
                }
                steps.sort_unstable();
                Ok(Latency::Steps(steps))
            }
            _ => Ok(Latency::constant(duration_ns(text).ok_or_else(unknown)?)),
        }
    }

    /// Always `ns`.
    #[must_use]
    pub fn constant(ns: i64) -> Latency {
        if ns == 0 {
            Latency::None
        } else {
            Latency::Constant { ns }
        }
    }

    /// True if every message arrives when it is sent.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Latency::None
    }

    fn draw(&self, sent_ns: i64, dice: &mut Dice) -> i64 {
        let drawn = match self {
            Latency::None => 0,
            Latency::Constant { ns } => *ns,
            Latency::Normal { mean_ns, sd_ns, floor_ns } => {
                let offset = dice.normal() * *sd_ns as f64;
                mean_ns.saturating_add(offset as i64).max(*floor_ns)
            }
            Latency::Steps(steps) => {
                let after = steps.partition_point(|(from, _)| *from <= sent_ns);
                steps.get(after.saturating_sub(1)).map_or(0, |(_, value)| *value)
            }
            Latency::Table(rows) => interpolate(rows, sent_ns),
        };
        drawn.max(0)
    }
}

fn interpolate(rows: &[(i64, i64)], at: i64) -> i64 {
    let after = rows.partition_point(|(from, _)| *from <= at);
    match (after.checked_sub(1).map(|i| rows[i]), rows.get(after).copied()) {
        (Some((t0, v0)), Some((t1, v1))) => {
            let part = i128::from(v1 - v0) * i128::from(at - t0);
            v0 + part.div_euclid(i128::from(t1 - t0)) as i64
        }
        (Some((_, only)), None) | (None, Some((_, only))) => only,
        (None, None) => 0,
    }
}

fn duration_ns(text: &str) -> Option<i64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => return None,
    };
    digits.parse::<i64>().ok().filter(|n| *n >= 0)?.checked_mul(unit)
}

/// One direction of a connection: messages arrive in the order in which they were sent.
#[derive(Clone, Debug)]
pub struct Channel {
    model: Latency,
    dice: Dice,
    last_ns: i64,
}

impl Channel {
    /// A channel with its own stream of draws.
    #[must_use]
    pub fn new(model: Latency, seed: u64, stream: u64) -> Channel {
        Channel { model, dice: Dice::new(seed, stream), last_ns: i64::MIN }
    }

    /// When a message sent now arrives: `max(arrival of the one before, sent + draw)`.
    #[inline]
    pub fn arrival(&mut self, sent_ns: i64) -> i64 {
        let drawn = match &self.model {
            Latency::None => 0,
            Latency::Constant { ns } => *ns,
            model => model.draw(sent_ns, &mut self.dice),
        };
        self.last_ns = self.last_ns.max(sent_ns.saturating_add(drawn));
        self.last_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_message_waits_for_the_slow_one_before_it() {
        let mut channel = Channel::new(Latency::parse("steps:0=50,5=3").unwrap(), 1, 1);
        assert_eq!([0, 5, 60].map(|sent| channel.arrival(sent)), [50, 50, 63]);
    }

    #[test]
    fn a_recorded_table_is_interpolated_and_clamped() {
        let row = |request_ns, there, back| LatencyRow {
            request_ns,
            exchange_ns: request_ns + there,
            response_ns: request_ns + there + back,
        };
        let rows = [row(100, 10, 7), row(200, 21, 9)];
        let mut dice = Dice::new(1, 1);
        let entry = Latency::recorded_entry(&rows);
        let drawn = [0, 100, 150, 200, 999].map(|at| entry.draw(at, &mut dice));
        assert_eq!(drawn, [10, 10, 15, 21, 21]);
        assert_eq!(Latency::recorded_report(&rows).draw(150, &mut dice), 8);
    }

    #[test]
    fn names_are_read_and_others_refused() {
        assert_eq!(Latency::parse("5ms"), Ok(Latency::Constant { ns: 5_000_000 }));
        assert_eq!(
            Latency::parse("normal:2ms,500us,1ms"),
            Ok(Latency::Normal { mean_ns: 2_000_000, sd_ns: 500_000, floor_ns: 1_000_000 })
        );
        for bad in ["", "fast", "normal:1", "5 ms", "-3ms", "constant:"] {
            let error = Latency::parse(bad).unwrap_err();
            assert!(error.contains("normal:MEAN"), "{error}");
        }
    }

    #[test]
    fn normal_draws_keep_their_floor() {
        let model = Latency::Normal { mean_ns: 100, sd_ns: 80, floor_ns: 60 };
        let mut dice = Dice::new(7, 2);
        let draws: Vec<i64> = (0..500).map(|_| model.draw(0, &mut dice)).collect();
        assert!(draws.iter().all(|d| *d >= 60) && draws.contains(&60));
    }
}
