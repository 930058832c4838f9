//! Kubernetes quantities as integers.
//!
//! Responsible for reading quantities exactly, with no floating point in between, and for rounding to the safe
//! side: what is free is rounded down, what is requested up. Knows nothing of where they come from.

use std::collections::BTreeMap;

use fedscaler_core::room::Amounts;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use thiserror::Error;

/// The resource that is counted in thousandths.
pub const CPU: &str = "cpu";

const NANO: i128 = 1_000_000_000;

/// A text that is no quantity, or one too large to be one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a quantity")]
pub struct BadQuantity(pub String);

/// Which way a fraction goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// For what is free.
    Down,
    /// For what is requested.
    Up,
}

/// Amounts by resource name, in the units of [`Amounts`]. What is negative counts as 0.
pub fn amounts(of: &BTreeMap<String, Quantity>, round: Round) -> Result<Amounts, BadQuantity> {
    of.iter().map(|(name, quantity)| Ok((name.clone(), amount(name, &quantity.0, round)?))).collect()
}

/// The amount of one resource, in the units of [`Amounts`]. What is negative counts as 0.
pub fn amount(resource: &str, quantity: &str, round: Round) -> Result<u64, BadQuantity> {
    let unit = if resource == CPU { NANO / 1000 } else { NANO };
    let nano = nanos(quantity).ok_or_else(|| BadQuantity(quantity.to_owned()))?.max(0);
    let whole = match round {
        Round::Down => nano / unit,
        Round::Up => nano / unit + i128::from(nano % unit != 0),
    };
    Ok(u64::try_from(whole).unwrap_or(u64::MAX))
}

/// The value in billionths, a finer fraction rounded away from 0 as Kubernetes does.
fn nanos(text: &str) -> Option<i128> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let suffix_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let (number, suffix) = rest.split_at(suffix_at);
    let (digits, divisor) = decimal(number)?;
    let (times, over) = scale(suffix)?;
    let scaled = digits.checked_mul(times)?.checked_mul(NANO)?;
    let divisor = divisor.checked_mul(over)?;
    let nano = scaled / divisor + i128::from(scaled % divisor != 0);
    Some(if negative { -nano } else { nano })
}

/// `12.50` as 1250 over 100.
fn decimal(number: &str) -> Option<(i128, i128)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    if number.is_empty() || number == "." || fraction.contains('.') {
        return None;
    }
    let digits = format!("0{whole}{fraction}").parse().ok()?;
    Some((digits, 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?))
}

/// What a suffix multiplies and divides by.
fn scale(suffix: &str) -> Option<(i128, i128)> {
    Some(match suffix {
        "" => (1, 1),
        "n" => (1, NANO),
        "u" => (1, 1_000_000),
        "m" => (1, 1000),
        "k" => (1000, 1),
        "M" => (1_000_000, 1),
        "G" => (NANO, 1),
        "T" => (1000 * NANO, 1),
        "P" => (1_000_000 * NANO, 1),
        "E" => (NANO * NANO, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        exponent => power_of_ten(exponent.strip_prefix(['e', 'E'])?)?,
    })
}

fn power_of_ten(exponent: &str) -> Option<(i128, i128)> {
    let exponent: i32 = exponent.parse().ok()?;
    let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
    Some(if exponent < 0 { (1, power) } else { (power, 1) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_of_every_notation_are_read() {
        for (resource, text, expected) in [
            ("cpu", "250m", 250),
            ("cpu", "1.5", 1500),
            ("cpu", "2", 2000),
            ("cpu", "+.5", 500),
            ("cpu", "1500000n", 1),
            ("memory", "1Gi", 1 << 30),
            ("memory", "0.5Gi", 1 << 29),
            ("memory", "128974848", 128_974_848),
            ("memory", "129e6", 129_000_000),
            ("memory", "129M", 129_000_000),
            ("memory", "128974848000m", 128_974_848),
            ("memory", "1E", 1_000_000_000_000_000_000),
            ("memory", "1000Ei", u64::MAX),
            ("pods", "110", 110),
            ("cpu", "-3", 0),
        ] {
            assert_eq!(amount(resource, text, Round::Down), Ok(expected), "{resource} {text}");
        }
    }

    #[test]
    fn what_is_free_is_rounded_down_and_what_is_requested_up() {
        assert_eq!(amount("cpu", "1500u", Round::Down), Ok(1));
        assert_eq!(amount("cpu", "1500u", Round::Up), Ok(2));
        assert_eq!(amount("memory", "1500m", Round::Down), Ok(1));
        assert_eq!(amount("memory", "1500m", Round::Up), Ok(2));
    }

    #[test]
    fn what_is_no_quantity_is_an_error_and_not_a_zero() {
        for text in ["", "m", ".", "1.2.3", "1 Gi", "0x10", "1e", "1e99", "--1", "lots"] {
            assert_eq!(amount("cpu", text, Round::Up), Err(BadQuantity(text.to_owned())), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_but_never_panics(text in "[-+0-9.eEinumkMGTPKi]{0,40}") {
            let (down, up) = (amount("cpu", &text, Round::Down), amount("cpu", &text, Round::Up));
            match (down, up) {
                (Ok(down), Ok(up)) => prop_assert!(up - down <= 1),
                (down, up) => prop_assert_eq!(down, up),
            }
        }
    }
}
