//! Laws that every indicator keeps, and the exactness of the means.

use proptest::prelude::*;

use super::window::ratio;
use super::*;

/// A random walk of `n` bars, the same for the same seed.
fn walk(n: usize, seed: u64) -> Vec<Sample> {
    let mut state = seed | 1;
    let mut draw = |below: i64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as i64 % below
    };
    let mut close = 9_000_000;
    let bar = |i| {
        let open = close;
        close = (open + draw(2001) - 1000).max(1000);
        let (high, low) = (open.max(close) + draw(300), open.min(close) - draw(300));
        let ts_open = i as i64 * 60 * 1_000_000_000;
        Sample { ts_open, open, high, low, close, volume: draw(5000), price_scale: 2, qty_scale: 3 }
    };
    (0..n).map(bar).collect()
}

fn made(spec: &IndicatorSpec) -> Box<dyn Indicator> {
    spec.build(&spec.defaults()).expect("the defaults are allowed")
}

fn run(indicator: &mut dyn Indicator, samples: &[Sample]) -> Vec<Vec<u64>> {
    let bits = |sample| {
        indicator.update(sample);
        indicator.values().iter().map(|v| v.to_bits()).collect()
    };
    samples.iter().map(bits).collect()
}

fn last(spec: &IndicatorSpec, samples: &[Sample]) -> Vec<f64> {
    let mut indicator = made(spec);
    samples.iter().for_each(|sample| indicator.update(sample));
    indicator.values().to_vec()
}

fn close_to(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1.0);
    a.len() == b.len() && a.iter().zip(b).all(near)
}

#[test]
fn the_first_value_comes_after_the_warm_up_and_all_outputs_with_it() {
    for spec in INDICATORS {
        let (mut indicator, need) = (made(spec), (spec.warm_up)(&spec.defaults()));
        for (i, sample) in walk(need + 3, 7).iter().enumerate() {
            indicator.update(sample);
            assert_eq!(indicator.is_ready(), i + 1 >= need, "{} after {} bars", spec.name, i + 1);
            let numbers = indicator.values().iter().filter(|v| v.is_finite()).count();
            let expected = if i + 1 >= need { spec.outputs.len() } else { 0 };
            assert_eq!(numbers, expected, "{} after {} bars", spec.name, i + 1);
        }
        assert!(spec.outputs.len() <= MAX_OUTPUTS);
    }
}

#[test]
fn a_market_that_stands_still_gives_numbers_that_stand_still() {
    let still = Sample { volume: 10, qty_scale: 1, ..Sample::of_price(12_345, 2) };
    let price = 123.45;
    for spec in INDICATORS {
        let expected: &[f64] = match spec.name {
            "sma" | "ema" | "vwap" => &[price],
            "bollinger" => &[price; 3],
            "rsi" | "atr" | "zscore" => &[0.0],
            "macd" | "adx" => &[0.0; 3],
            "stochastic" => &[0.0; 2],
            name => panic!("say what {name} is in a market that stands still"),
        };
        assert!(close_to(&last(spec, &[still; 500]), expected, 1e-13), "{}", spec.name);
    }
}

#[test]
fn a_million_updates_leave_no_trace_of_the_past() {
    let samples = walk(1_000_000, 3);
    for spec in INDICATORS {
        // Recursive averages forget 1e-13 of the past in a few hundred bars.
        let fresh = last(spec, &samples[samples.len() - 2000..]);
        let old = last(spec, &samples);
        match spec.name {
            "sma" | "bollinger" | "zscore" | "vwap" => assert_eq!(old, fresh, "{}", spec.name),
            _ => assert!(close_to(&old, &fresh, 1e-11), "{}: {old:?} {fresh:?}", spec.name),
        }
    }
}

#[test]
fn parameters_out_of_bounds_are_refused_with_a_sentence() {
    let refused = |name, parameters: &[f64]| find(name).unwrap().build(parameters).err().unwrap();
    assert_eq!(
        refused("sma", &[0.0]),
        "sma: period is 0, but must be a whole number from 1 to 10000"
    );
    assert!(refused("sma", &[2.5]).contains("whole"));
    assert!(refused("sma", &[f64::NAN]).contains("NaN"));
    assert_eq!(refused("macd", &[26.0, 12.0, 9.0]), "macd: fast is 26, but must be below slow, 12");
    assert_eq!(refused("ema", &[]), "ema: 0 parameters given, it takes period");
    assert!(find("smma")
        .err()
        .unwrap()
        .starts_with("there is no indicator 'smma'; there are sma,"));
}

#[test]
fn vwap_sessions_start_over_at_midnight_and_zero_volume_has_no_price() {
    let day = 86_400_i64;
    let mut vwap = find("vwap").unwrap().build(&[0.0, day as f64]).unwrap();
    let at = |s: i64, price, volume| Sample {
        ts_open: s * 1_000_000_000,
        volume,
        ..Sample::of_price(price, 0)
    };
    for (sample, expected) in [
        (at(day - 120, 10, 0), f64::NAN),
        (at(day - 60, 10, 1), 10.0),
        (at(day - 1, 16, 2), 14.0),
        (at(day, 20, 5), 20.0),
    ] {
        vwap.update(&sample);
        assert_eq!(vwap.values()[0].to_bits(), expected.to_bits());
    }
}

#[test]
fn what_does_not_fit_is_not_ready() {
    // The sum of squares fits, n times the sum does not.
    let mut bands = find("bollinger").unwrap().build(&[5000.0, 2.0]).unwrap();
    for _ in 0..5001 {
        bands.update(&Sample::of_price(1 << 54, 0));
        assert!(bands.values().iter().all(|v| v.is_nan()));
    }
    for name in ["bollinger", "zscore"] {
        let mut indicator = made(find(name).unwrap());
        for i in 0..100 {
            indicator.update(&Sample::of_price(i64::MAX - i, 0));
            assert!(!indicator.is_ready(), "{name}");
        }
        for i in 0..20 {
            indicator.update(&Sample::of_price(100 + i, 0));
        }
        assert!(indicator.is_ready(), "{name}");
    }
}

proptest! {
    #[test]
    fn reset_makes_it_new(seed: u64, before in 0_usize..120) {
        let samples = walk(200, seed);
        for spec in INDICATORS {
            let (mut fresh, mut used) = (made(spec), made(spec));
            run(&mut *used, &samples[..before]);
            used.reset();
            prop_assert_eq!(run(&mut *fresh, &samples), run(&mut *used, &samples), "{}", spec.name);
        }
    }

    #[test]
    fn a_finer_scale_of_the_same_prices_changes_nothing(seed: u64, from in 0_usize..150) {
        // The scale changes in the middle, as with a new version of an instrument, and back.
        let samples = walk(150, seed);
        let finer = |(i, s): (usize, &Sample)| if i < from || i > from + 40 { *s } else { Sample {
            open: s.open * 1000, high: s.high * 1000, low: s.low * 1000, close: s.close * 1000,
            volume: s.volume * 10, price_scale: 5, qty_scale: 4, ..*s
        }};
        let changed: Vec<_> = samples.iter().enumerate().map(finer).collect();
        for spec in INDICATORS {
            let (mut a, mut b) = (made(spec), made(spec));
            let (plain, finer) = (run(&mut *a, &samples), run(&mut *b, &changed));
            // The root of a larger integer may round the other way: some last places.
            let slack = if ["bollinger", "zscore"].contains(&spec.name) { 4 } else { 0 };
            for (x, y) in plain.iter().flatten().zip(finer.iter().flatten()) {
                prop_assert!(x.abs_diff(*y) <= slack, "{}: {x:x} {y:x}", spec.name);
            }
        }
    }

    #[test]
    fn equal_averages_are_equal_floats(
        prices in prop::collection::vec(1_i64..50_000_000_000, 30), scale in 0_u8..9,
    ) {
        let average = |period| find("sma").unwrap().build(&[period]).unwrap();
        let (mut fast, mut slow) = (average(10.0), average(30.0));
        // The last price is set so that both means are the same fraction.
        let mut prices = prices;
        let tail: i64 = prices[20..29].iter().sum();
        let head: i64 = prices[..20].iter().sum();
        prices[19] += head % 2;
        let head = head + head % 2;
        prices[29] = head / 2 - tail;
        for price in prices {
            fast.update(&Sample::of_price(price, scale));
            slow.update(&Sample::of_price(price, scale));
        }
        prop_assert_eq!(fast.values()[0].to_bits(), slow.values()[0].to_bits());
    }

    #[test]
    fn a_mean_is_the_nearest_float(sum in -(1_i64 << 40)..1 << 40, n in 1_i64..10_000, grow in 0_u32..18) {
        // The short way is one division of exact floats; the long way must agree with it.
        let factor = 10_i128.pow(grow);
        let direct = sum as f64 / n as f64;
        let divisor = i128::from(n) * factor;
        prop_assume!(divisor < 1 << 64);
        prop_assert_eq!(ratio(i128::from(sum) * factor, divisor).to_bits(), direct.to_bits());
    }
}
