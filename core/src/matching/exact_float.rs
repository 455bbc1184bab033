//! Logarithm, exponential and power from IEEE basic operations only.
//!
//! The platform's own `ln` and `exp` differ in the last bit between libraries; a queue position
//! rounded from them could differ between machines. These use only `+ - * /`, which IEEE 754
//! rounds exactly, so the same inputs give the same bits everywhere. Relative error: below 1e-14.

const LN_2: f64 = std::f64::consts::LN_2;

/// Natural logarithm of a positive finite number; minus infinity at zero.
#[must_use]
pub fn ln(x: f64) -> f64 {
    if x <= 0.0 {
        return f64::NEG_INFINITY;
    }
    // x = m · 2^e with m in [0.75, 1.5); ln m by the series of 2·atanh((m-1)/(m+1)).
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa >= 1.5 {
        mantissa /= 2.0;
        exponent += 1;
    }
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let square = t * t;
    let mut sum = 0.0;
    let mut k = 27.0;
    while k >= 1.0 {
        sum = sum * square + 1.0 / k;
        k -= 2.0;
    }
    2.0 * t * sum + exponent as f64 * LN_2
}

/// e to the power of `x`; 0 or infinity beyond the range.
#[must_use]
pub fn exp(x: f64) -> f64 {
    if x < -700.0 {
        return 0.0;
    }
    if x > 700.0 {
        return f64::INFINITY;
    }
    let halves = (x / LN_2 + if x < 0.0 { -0.5 } else { 0.5 }) as i64;
    let rest = x - halves as f64 * LN_2;
    let mut sum = 1.0;
    let mut k = 20.0;
    while k >= 1.0 {
        sum = 1.0 + sum * rest / k;
        k -= 1.0;
    }
    let power = f64::from_bits(((halves + 1023) as u64) << 52);
    sum * power
}

/// `x` to the power of `n`, for `x` ≥ 0; exact multiplication where `n` is a small whole number.
#[must_use]
pub fn pow(x: f64, n: f64) -> f64 {
    if (0.0..=64.0).contains(&n) && n == (n as u32) as f64 {
        let mut product = 1.0;
        for _ in 0..n as u32 {
            product *= x;
        }
        return product;
    }
    if x == 0.0 {
        return 0.0;
    }
    exp(n * ln(x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_to_the_platform_s_functions() {
        for i in 1..4000 {
            let x = f64::from(i) * 0.37;
            assert!((ln(x) - x.ln()).abs() <= 1e-14 * x.ln().abs().max(1.0), "ln {x}");
            let y = f64::from(i - 2000) * 0.17;
            assert!((exp(y) - y.exp()).abs() <= 1e-13 * y.exp(), "exp {y}");
            assert!((pow(x, 1.7) - x.powf(1.7)).abs() <= 1e-12 * x.powf(1.7), "pow {x}");
        }
        assert_eq!(pow(3.0, 2.0), 9.0);
    }
}
