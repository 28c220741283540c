const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Writes a time in milliseconds since 1970 as Java does, in UTC: `Thu Jan 01 00:00:00 UTC 1970`.
pub(super) fn date(ms: i64) -> String {
    // A clock that was stepped by ages still has to be shown.
    let seconds = ms.div_euclid(1000).clamp(0, 253_402_300_799);
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    let weekday = WEEKDAYS[usize::try_from(day % 7).expect("it is from 0 to 6")];
    let (mut year, mut rest) = (1970, day);
    while rest >= days_of_year(year) {
        rest -= days_of_year(year);
        year += 1;
    }
    let mut month = 0;
    while rest >= days_of_month(year, month) {
        rest -= days_of_month(year, month);
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{weekday} {} {:02} {hour:02}:{minute:02}:{second:02} UTC {year}", MONTHS[month], rest + 1)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_year(year: i64) -> i64 {
    365 + i64::from(is_leap(year))
}

fn days_of_month(year: i64, month: usize) -> i64 {
    match month {
        1 => 28 + i64::from(is_leap(year)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "Thu Jan 01 00:00:00 UTC 1970");
        assert_eq!(date(951_827_696_999), "Tue Feb 29 12:34:56 UTC 2000");
        assert_eq!(date(1_795_355_874_000), "Sun Nov 22 13:57:54 UTC 2026");
        assert_eq!(date(4_102_444_799_000), "Thu Dec 31 23:59:59 UTC 2099");
        assert_eq!(date(i64::MAX), "Fri Dec 31 23:59:59 UTC 9999");
    }
}
