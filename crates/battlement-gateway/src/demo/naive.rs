//! What people have: the policy of the official SDKs, over the client as it is.
//!
//! As OpenAI's for Python does it: two retries of lost connections, timeouts and the statuses 408, 409, 429 and
//! from 500 on; half a second, doubled up to eight, less up to a quarter of it by chance; a wait that the
//! provider names is kept up to two minutes, by the call that was told; ten minutes of silence are too long.
//! A stream is not tried again. One that ends in good order is over, whether or not it was finished, and nobody
//! has a look at the reason for stopping unless the program does, which few do.

use std::time::Duration;

use battlement_core::random::{Random, Seeded};
use battlement_sim::Provider;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, sleep, timeout};
use tower_service::Service as _;

use super::caller::{Outcome, read, request};

const RETRIES: u32 = 2;
const SILENCE: Duration = Duration::from_secs(600);
const LONGEST_HINT: Duration = Duration::from_secs(120);

pub(super) async fn call(mut provider: Provider, call: usize, mut draws: Seeded) -> Outcome {
    let begun = Instant::now();
    let mut tried = 0;
    loop {
        // Our provider is always ready.
        let answer = timeout(SILENCE, provider.call(request(call))).await;
        let (error, hint) = match answer {
            Err(_) => ("no answer for 600 s".to_owned(), Hint::None),
            Ok(Err(_)) => ("connection error".to_owned(), Hint::None),
            Ok(Ok(response)) if response.status().is_success() => {
                let mut reading = read(response.into_body(), Some(SILENCE)).await;
                let error = reading.error.take().map(|broken| broken.to_string());
                return Outcome::of(reading, begun, error);
            }
            Ok(Ok(response)) => {
                let (status, hint) = (response.status(), hint(response.headers()));
                let _read = response.into_body().collect().await;
                let error = format!("status {}", status.as_u16());
                if !is_retried(status) || hint == Hint::TooLong {
                    return Outcome::failed(begun, error);
                }
                (error, hint)
            }
        };
        if tried == RETRIES {
            return Outcome::failed(begun, error);
        }
        sleep(match hint {
            Hint::For(wait) => wait,
            Hint::None | Hint::TooLong => backoff(tried, &mut draws),
        })
        .await;
        tried += 1;
    }
}

fn is_retried(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 409 | 429 | 500..)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Hint {
    None,
    For(Duration),
    TooLong,
}

/// In the forms that this provider uses; the SDK also reads dates.
fn hint(headers: &HeaderMap) -> Hint {
    let number = |name| headers.get(name)?.to_str().ok()?.parse::<f64>().ok();
    let seconds = number("retry-after-ms").map(|ms| ms / 1e3).or_else(|| number("retry-after"));
    match seconds {
        Some(seconds) if seconds > LONGEST_HINT.as_secs_f64() => Hint::TooLong,
        Some(seconds) if seconds > 0.0 => Hint::For(Duration::from_secs_f64(seconds)),
        _ => Hint::None,
    }
}

fn backoff(tried: u32, draws: &mut Seeded) -> Duration {
    let seconds = (0.5 * f64::from(1_u32 << tried)).min(8.0);
    Duration::from_secs_f64(seconds * (1.0 - 0.25 * draws.unit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_those_of_the_sdk() {
        let mut draws = Seeded(1);
        for (tried, (low, high)) in [(375, 500), (750, 1000)].into_iter().enumerate() {
            let wait = backoff(tried as u32, &mut draws).as_millis();
            assert!((low..=high).contains(&wait), "{wait}");
        }
        let check = |name: &'static str, value: &str, expected| {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                http::HeaderValue::from_str(value).unwrap(),
            )]);
            assert_eq!(hint(&headers), expected, "{name}: {value}");
        };
        check("retry-after", "4", Hint::For(Duration::from_secs(4)));
        check("retry-after", "120", Hint::For(Duration::from_secs(120)));
        check("retry-after", "121", Hint::TooLong);
        check("retry-after", "0", Hint::None);
        check("retry-after-ms", "1500", Hint::For(Duration::from_millis(1500)));
        check("x-unknown", "4", Hint::None);
    }
}
