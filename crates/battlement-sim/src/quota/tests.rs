use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn cost(input: u64, output: u64) -> Cost {
    Cost { input, output, fails: false }
}

/// Plays calls (their second, what each costs) and says what became of each: the seconds to wait, or what is left
/// of requests and tokens.
fn check(quota: Quota, calls: &[(u64, Cost)], expected: &[&str]) {
    let (accounts, start) = (Accounts::new(quota), Instant::now());
    let told: Vec<String> = calls
        .iter()
        .map(|&(second, cost)| {
            let (admitted, limits) = accounts.admit(b"", cost, start + Duration::from_secs(second));
            let left = |window: Option<Window>| window.map_or(0, |window| window.remaining);
            match admitted {
                Ok(()) => format!("{} {}", left(limits.requests), left(limits.tokens)),
                Err(Denied { fault, after: Some(after), .. }) => {
                    format!("{fault:?} {}", after.as_secs_f64())
                }
                Err(Denied { fault, after: None, .. }) => format!("{fault:?}"),
            }
        })
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn requests_and_tokens_are_counted() {
    let quota = Quota::per_minute(2, 600).unwrap();
    let few = cost(5, 5);
    check(
        quota,
        &[(0, few), (0, few), (0, few), (29, few), (30, few)],
        &["1 590", "0 580", "RateLimited(Requests) 30", "RateLimited(Requests) 1", "0 590"],
    );
    check(
        quota,
        &[(0, cost(500, 50)), (0, cost(51, 50)), (5, cost(50, 50)), (5, cost(601, 0))],
        &["1 50", "RateLimited(Tokens) 5.1", "0 0", "NeverFits"],
    );
}

#[test]
fn failures_count_if_they_should() {
    let quota = Quota::new().requests(Rate::new(2, MINUTE).unwrap());
    let fails = Cost { fails: true, ..cost(1, 1) };
    let few = cost(1, 1);
    check(quota, &[(0, fails), (0, fails), (0, few)], &["2 0", "2 0", "1 0"]);
    check(
        quota.failures_count(true),
        &[(0, fails), (0, few), (0, few), (30, few), (90, few)],
        // Each call that is turned away moves the next admission by half a minute.
        &["1 0", "0 0", "RateLimited(Requests) 60", "RateLimited(Requests) 60", "0 0"],
    );
    // However many ask, the debt is bounded.
    let (accounts, start) = (Accounts::new(quota.failures_count(true)), Instant::now());
    for _ in 0..100 {
        let _ = accounts.admit(b"", few, start);
    }
    let (denied, _) = accounts.admit(b"", few, start);
    assert_eq!(denied.unwrap_err().after, Some(Duration::from_secs(90)));
}

#[test]
fn prompts_and_answers_have_limits_of_their_own() {
    let rate = |tokens| Rate::new(tokens, MINUTE).unwrap();
    let quota = Quota::new().input_tokens(rate(600)).output_tokens(rate(60));
    check(
        quota,
        &[(0, cost(300, 60)), (0, cost(1, 30)), (0, cost(300, 0)), (30, cost(0, 30))],
        &["0 0", "RateLimited(Tokens) 30", "0 0", "0 0"],
    );
}

#[test]
fn keys_have_accounts_of_their_own() {
    let accounts = Accounts::new(Quota::per_minute(1, 100).unwrap());
    let now = Instant::now();
    for key in [&b"one"[..], b"other"] {
        assert!(accounts.admit(key, cost(1, 1), now).0.is_ok());
        assert!(accounts.admit(key, cost(1, 1), now).0.is_err());
    }
    assert!(!format!("{accounts:?}").contains("other"));
}

#[test]
fn a_hint_is_exact() {
    let accounts = Accounts::new(Quota::per_minute(7, 1_000).unwrap());
    let mut now = Instant::now();
    let mut passed = 0;
    for _ in 0..200 {
        match accounts.admit(b"", cost(3, 14), now).0 {
            Ok(()) => passed += 1,
            Err(denied) => {
                let after = denied.after.unwrap();
                assert!(
                    accounts
                        .admit(b"", cost(3, 14), now + after - Duration::from_nanos(1))
                        .0
                        .is_err()
                );
                now += after;
                assert!(accounts.admit(b"", cost(3, 14), now).0.is_ok());
                passed += 1;
            }
        }
    }
    assert_eq!(passed, 200);
}

#[test]
fn a_key_is_found_where_providers_look() {
    let of = |name: &'static str, value: &str, uri: &str| {
        let mut headers = HeaderMap::new();
        if !name.is_empty() {
            headers.insert(name, value.parse().unwrap());
        }
        String::from_utf8(key(&headers, &uri.parse().unwrap()).to_vec()).unwrap()
    };
    assert_eq!(of("authorization", "Bearer sk-1", "/"), "Bearer sk-1");
    assert_eq!(of("x-api-key", "sk-2", "/"), "sk-2");
    assert_eq!(of("", "", "/v1beta/models?alt=sse&key=abc"), "abc");
    assert_eq!(of("", "", "/"), "");
}
