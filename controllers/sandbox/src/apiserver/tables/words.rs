//! How tables put times and values into words, as Kubernetes' printers do.

use chrono::{DateTime, Utc};
use serde_json::Value;

/// How long ago a timestamp was, as `kubectl` tells ages.
pub(super) fn since(timestamp: Option<&str>, now: DateTime<Utc>) -> String {
    let parsed = timestamp.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    parsed.map_or_else(|| "<unknown>".to_owned(), |then| duration((now - then.to_utc()).num_seconds()))
}

/// Seconds as `HumanDuration` of `k8s.io/apimachinery/pkg/util/duration` says them: two or three digits that matter.
fn duration(seconds: i64) -> String {
    let (minutes, hours, days, years) =
        (seconds / 60, seconds / 3600, seconds / 86_400, seconds / (86_400 * 365));
    let with = |whole: String, rest: i64, unit: char| {
        if rest == 0 { whole } else { format!("{whole}{rest}{unit}") }
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => with(format!("{minutes}m"), seconds % 60, 's'),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => with(format!("{hours}h"), minutes % 60, 'm'),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => with(format!("{days}d"), hours % 24, 'h'),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => with(format!("{years}y"), days % 365, 'd'),
        _ => format!("{years}y"),
    }
}

/// A value as text: strings as they are, everything else as JSON.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_as_kubectl_tells_them() {
        let hour = 3600;
        let told = [
            (-5, "<invalid>"),
            (-1, "0s"),
            (119, "119s"),
            (120, "2m"),
            (150, "2m30s"),
            (11 * 60 + 5, "11m"),
            (3 * hour, "3h"),
            (3 * hour + 60, "3h1m"),
            (9 * hour + 60, "9h"),
            (50 * hour, "2d2h"),
            (9 * 24 * hour, "9d"),
            (800 * 24 * hour, "2y70d"),
            (9 * 365 * 24 * hour, "9y"),
        ];
        for (seconds, words) in told {
            assert_eq!(duration(seconds), words, "{seconds}");
        }
        assert_eq!(since(None, DateTime::UNIX_EPOCH), "<unknown>");
    }
}
