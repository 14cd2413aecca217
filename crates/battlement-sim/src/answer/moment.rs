//! A moment as calendars have it.

use std::time::SystemTime;

use super::head;

/// A moment in UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
    microsecond: u32,
}

impl Moment {
    pub(super) fn of(at: SystemTime) -> Self {
        let since = head::in_range(at).duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (days, second_of_day) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        // Years that begin in March have their leap day at the end: days are counted from
        // 1 March of the year 0, and four centuries have 146,097 of them.
        let days = days + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        Self { year, month, day, second_of_day, microsecond: since.subsec_micros() }
    }

    /// To the second.
    pub(super) fn rfc3339(self) -> String {
        let Self { year, month, day, second_of_day: second, .. } = self;
        let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}Z")
    }

    /// To the microsecond.
    pub(super) fn precise(self) -> String {
        let mut text = self.rfc3339();
        text.pop();
        format!("{text}.{:06}Z", self.microsecond)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let check = |seconds: u64, expected: &str| {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(Moment::of(at).rfc3339(), expected);
        };
        check(0, "1970-01-01T00:00:00Z");
        check(951_782_399, "2000-02-28T23:59:59Z");
        check(951_782_400, "2000-02-29T00:00:00Z");
        check(951_868_800, "2000-03-01T00:00:00Z");
        check(1_795_176_000, "2026-11-20T12:00:00Z");
        check(4_107_542_400, "2100-03-01T00:00:00Z");
        check(253_402_300_799, "9999-12-31T23:59:59Z");
        check(u64::MAX >> 2, "9999-12-31T23:59:59Z");
        let at = SystemTime::UNIX_EPOCH + Duration::from_micros(5);
        assert_eq!(Moment::of(at).precise(), "1970-01-01T00:00:00.000005Z");
    }
}
