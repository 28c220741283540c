//! The deadline that a request carries: `grpc-timeout`.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

pub(super) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Returns the time that the headers allow. `None` without one, and if it makes no sense: the server then judges it.
pub(super) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match &text[digits.len()..] {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// Writes a time: not less than it is, in at most eight digits.
pub(super) fn write(time: Duration) -> HeaderValue {
    const MOST: u128 = 99_999_999;
    let (number, unit) = match time.as_millis() + 1 {
        millis @ ..=MOST => (millis, 'm'),
        millis => match millis / 1000 + 1 {
            seconds @ ..=MOST => (seconds, 'S'),
            seconds => ((seconds / 3600 + 1).min(MOST), 'H'),
        },
    };
    HeaderValue::try_from(format!("{number}{unit}")).expect("digits and a letter")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &'static str) -> Option<Duration> {
        read(&HeaderMap::from_iter([(GRPC_TIMEOUT, HeaderValue::from_static(text))]))
    }

    #[test]
    fn reads_what_the_specification_knows() {
        assert_eq!(of("3H"), Some(Duration::from_secs(3 * 3600)));
        assert_eq!(of("99999999M"), Some(Duration::from_secs(99_999_999 * 60)));
        assert_eq!(of("5S"), Some(Duration::from_secs(5)));
        assert_eq!(of("250m"), Some(Duration::from_millis(250)));
        assert_eq!(of("7u"), Some(Duration::from_micros(7)));
        assert_eq!(of("7n"), Some(Duration::from_nanos(7)));
        for wrong in ["", "m", "5", "5x", "5mm", "-5S", "+5S", "5 S", "123456789S", "S5"] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
        assert_eq!(read(&HeaderMap::new()), None);
    }

    #[test]
    fn what_is_written_is_read_again_and_is_no_less() {
        for seconds in [0.0, 0.0001, 0.25, 99_999.0, 100_000.0, 1e8, 1e9] {
            let time = Duration::from_secs_f64(seconds);
            let read = read(&HeaderMap::from_iter([(GRPC_TIMEOUT, write(time))])).expect("a time");
            assert!(
                read > time && read <= time.mul_f64(1.001) + Duration::from_secs(1),
                "{seconds}: {read:?}"
            );
        }
        assert!(read(&HeaderMap::from_iter([(GRPC_TIMEOUT, write(Duration::MAX))])).is_some());
    }
}
