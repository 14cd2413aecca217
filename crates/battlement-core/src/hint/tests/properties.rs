//! What holds for any input.

use proptest::prelude::*;

use super::*;

/// Values that are nearly, or exactly, what some header holds.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let number = r#"[-+]?[0-9]{0,40}[.eE]?[-0-9]{0,25}(ms|s|m|h|d){0,4}[0-9]{0,3}"#;
    let items = r#"("?[a-c\\]?"?[;,] ?[rtqw]=[0-9]{0,21}|limit=0|reset=[0-9]|,|"){0,6}"#;
    let timestamp =
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{0,12})?(Z|[-+]0[0-9]:00)";
    let date = "[A-Z][a-z]{2}, [0-9]{2} (Jan|Feb) [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT";
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        number.prop_map(String::into_bytes),
        items.prop_map(String::into_bytes),
        timestamp.prop_map(String::into_bytes),
        date.prop_map(String::into_bytes),
    ]
}

fn name() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(NAMES.to_vec())
}

const NAMES: [&str; 17] = [
    "date",
    "retry-after",
    "retry-after-ms",
    "x-ms-retry-after-ms",
    "x-amz-retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-timeremaining",
    "anthropic-ratelimit-requests-reset",
    "ratelimitbysize-reset",
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
];

fn provider() -> impl Strategy<Value = Provider> {
    proptest::sample::select(Provider::ALL.to_vec())
}

proptest! {
    #[test]
    fn nothing_panics(
        pairs in proptest::collection::vec((name(), value()), 0..12),
        text in ".{0,30}(try again in |please wait |retry after ).{0,30}",
        repeated in ".{0,20}",
        provider in provider(),
        seconds in any::<i64>(),
    ) {
        let offset = Duration::from_secs(seconds.unsigned_abs());
        let now = if seconds < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(offset)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(offset)
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &pairs {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(*name, value);
            }
        }
        let in_body =
            [("X-RateLimit-Reset", &*repeated), (&*repeated, "1"), ("retry-after", &*text)];
        let body =
            BodyHints { retry_delay: Some(&repeated), headers: &in_body, message: Some(&text) };
        let now = now.unwrap_or(SystemTime::UNIX_EPOCH);
        let hint = wait(&headers, &body, provider, now);
        if let Some(Hint { after, .. }) = hint {
            prop_assert!(!after.is_zero());
            prop_assert_eq!(after.subsec_nanos() % 1_000_000, 0);
        }
        let _ = rate_limits(&headers, provider, now).exhausted();
    }

    #[test]
    fn parsers_take_any_text(text in ".{0,60}") {
        let _ = (duration::parse(&text), timestamp::rfc3339(&text), message::find(&text));
        let _ = (number::scaled(&text, SECOND), number::count(&text));
    }

    #[test]
    fn rounding_is_up_and_by_less_than_a_millisecond(whole: u64, fraction in 0..SECOND) {
        let exact = u128::from(whole) * SECOND + fraction;
        let read = number::scaled(&format!("{whole}.{fraction:09}"), SECOND);
        prop_assert_eq!(read, Some(exact));
        let rounded = number::whole_milliseconds(exact);
        // The very last second cannot be rounded up any more.
        prop_assume!(whole < u64::MAX);
        prop_assert!(rounded.as_nanos() >= exact);
        prop_assert!(rounded.as_nanos() - exact < MILLISECOND);
    }

    #[test]
    fn more_digits_are_never_a_shorter_wait(
        text in r"[0-9]{1,9}\.[0-9]{1,40}",
        digit in 0..10u8,
    ) {
        let longer = format!("{text}{digit}");
        prop_assert!(number::scaled(&longer, SECOND) >= number::scaled(&text, SECOND));
    }

    #[test]
    fn durations_survive_formatting(hours: u32, minutes in 0..60u32, milliseconds in 0..60_000u32) {
        let (seconds, fraction) = (milliseconds / 1000, milliseconds % 1000);
        let text = format!("{hours}h{minutes}m{seconds}.{fraction:03}s");
        let minutes = u128::from(hours) * 60 + u128::from(minutes);
        let exact = minutes * 60_000 + u128::from(milliseconds);
        prop_assert_eq!(duration::parse(&text), Some(exact * MILLISECOND));
    }

    #[test]
    fn timestamps_survive_formatting(seconds in 0..253_402_300_800u64, offset in -1439..1440i64) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let expected = i128::from(seconds) * SECOND as i128;
        // `Thu, 01 Jan 1970 00:00:00 GMT`, by a crate that had its calendar tested by many.
        let date = httpdate::fmt_http_date(time);
        let month = "JanFebMarAprMayJunJulAugSepOctNovDec".find(&date[8..11]).unwrap() / 3 + 1;
        let local = format!("{}-{month:02}-{}T{}", &date[12..16], &date[5..7], &date[17..25]);
        prop_assert_eq!(timestamp::rfc3339(&format!("{local}Z")), Some(expected));
        let sign = if offset < 0 { '-' } else { '+' };
        let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
        prop_assert_eq!(
            timestamp::rfc3339(&format!("{local}{sign}{hours:02}:{minutes:02}")),
            Some(expected - i128::from(offset) * 60 * SECOND as i128)
        );
    }
}
