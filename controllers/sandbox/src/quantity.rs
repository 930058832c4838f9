//! Kubernetes quantities as integers in thousandths of the base unit, and back as text in canonical form.
//! Does not know what the quantity is of.

/// Thousandths of the base unit: milli-cores of cpu, milli-bytes of memory.
pub(crate) fn milli(written: &str) -> Option<i64> {
    let end = written.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-')).unwrap_or(written.len());
    let (number, suffix) = written.split_at(end);
    let (numerator, denominator) = scale(suffix)?;
    let (digits, places) = decimal(number)?;
    let scaled = digits.checked_mul(numerator)?.checked_mul(1000)?;
    let divisor = denominator.checked_mul(10_i128.checked_pow(places)?)?;
    // A quantity finer than a thousandth is rounded up, as Kubernetes does.
    let rounded = scaled.div_euclid(divisor) + i128::from(scaled.rem_euclid(divisor) != 0);
    i64::try_from(rounded).ok()
}

fn decimal(number: &str) -> Option<(i128, u32)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let places = u32::try_from(fraction.len()).ok()?;
    let digits = format!("{whole}{fraction}").parse().ok()?;
    Some((digits, places))
}

fn scale(suffix: &str) -> Option<(i128, i128)> {
    let binary = |power: u32| Some((1024_i128.pow(power), 1));
    let tens = |power: u32| Some((10_i128.pow(power), 1));
    match suffix {
        "" => Some((1, 1)),
        "n" => Some((1, 1_000_000_000)),
        "u" => Some((1, 1_000_000)),
        "m" => Some((1, 1000)),
        "k" => tens(3),
        "M" => tens(6),
        "G" => tens(9),
        "T" => tens(12),
        "P" => tens(15),
        "E" => tens(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        exponent => tens(exponent.strip_prefix(['e', 'E'])?.parse().ok().filter(|power| *power <= 18)?),
    }
}

/// A decimal quantity (cpu, counts, metrics) from thousandths.
pub(crate) fn decimal_text(milli: i64) -> String {
    if milli % 1000 == 0 { (milli / 1000).to_string() } else { format!("{milli}m") }
}

/// A binary quantity (memory) from whole bytes: the largest suffix that leaves no remainder.
pub(crate) fn binary_text(bytes: i64) -> String {
    let suffixes = [("Ti", 1_i64 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    let fitting = suffixes.iter().find(|(_, unit)| bytes != 0 && bytes % unit == 0);
    fitting.map_or_else(|| bytes.to_string(), |(suffix, unit)| format!("{}{suffix}", bytes / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_in_thousandths() {
        let cases = [
            ("100m", 100),
            ("1", 1000),
            ("0.5", 500),
            ("2k", 2_000_000),
            ("1Gi", 1_073_741_824_000),
            ("1e3", 1_000_000),
            ("1500u", 2),
            ("1024Gi", 1_099_511_627_776_000),
        ];
        for (written, expected) in cases {
            assert_eq!(milli(written), Some(expected), "{written}");
        }
        for wrong in ["", "x", "1Q", "1.2.3"] {
            assert_eq!(milli(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn quantities_are_written_in_canonical_form() {
        assert_eq!(decimal_text(1500), "1500m");
        assert_eq!(decimal_text(4000), "4");
        assert_eq!(binary_text(64 << 30), "64Gi");
        assert_eq!(binary_text(1536 << 20), "1536Mi");
        assert_eq!(binary_text(0), "0");
    }
}
