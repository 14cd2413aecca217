//! The tables of knobs say what the code says.
//!
//! A row begins with the name of a setting and its default. Those of settings with public fields are compared with
//! the real thing. Each is taken apart completely, so that a new field is a test that does not compile.

use std::{fmt::Display, fs, path::Path, time::Duration};

use battlement::{
    call::{CallLayer, Place, misordered},
    timeout::Timeouts,
};
use battlement_core::{
    Code, Provider, adaptive, backoff, breaker, budget, cooldown, estimator, fallback, hedge,
    lanes::{Lane, Lanes, Terms},
    ledger, queue,
};

/// Looks for a table whose first column has this title, and compares its rows: the first words, and the cells after it
/// which are defaults. Rows that are not told here are of settings whose values nobody can ask for.
fn check(page: &str, title: &str, expected: &[(&str, &[String])]) {
    let text = page_text(&format!("layers/{page}"));
    let mut lines =
        text.lines().skip_while(|line| cells(line).first() != Some(&&*format!("`{title}`")));
    assert!(lines.next().is_some(), "{page} has no table of `{title}`");
    let rows: Vec<_> = lines.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect();
    for (name, values) in expected {
        let row = rows.iter().find(|row| row[0] == format!("`{name}`"));
        let row = row.unwrap_or_else(|| panic!("{page}: `{title}` has no row for `{name}`"));
        assert_eq!(&row[1..=values.len()], *values, "{page}: `{title}`, `{name}`");
    }
    assert_eq!(rows.len(), expected.len(), "{page}: `{title}` has rows that are no settings");
}

fn page_text(page: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(page);
    fs::read_to_string(path).unwrap()
}

fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

fn one(value: impl Display) -> [String; 1] {
    [value.to_string()]
}

/// A time as people write it.
fn time(time: Duration) -> String {
    let millis = time.as_millis();
    match millis {
        0 => "at once".into(),
        _ if millis % 1_000 != 0 => format!("{millis} ms"),
        86_400_000 => "1 day".into(),
        _ if millis % 3_600_000 == 0 => format!("{} h", millis / 3_600_000),
        _ if millis % 60_000 == 0 => format!("{} min", millis / 60_000),
        _ => format!("{} s", millis / 1_000),
    }
}

fn limit(limit: Option<Duration>) -> [String; 1] {
    [limit.map_or("off".into(), time)]
}

/// With a comma between thousands.
fn number(number: u64) -> String {
    let (more, less) = (number / 1_000, number % 1_000);
    if more == 0 { less.to_string() } else { format!("{more},{less:03}") }
}

fn count(of: usize) -> [String; 1] {
    [number(of as u64)]
}

#[test]
fn lanes() {
    let lanes = Lanes::default();
    let of = |show: fn(&Terms) -> String| Lane::ALL.map(|lane| show(lanes.terms(lane)));
    let Terms { time: _, attempts: _, waiting: _, hedge: _ } = Terms::interactive();
    check(
        "call.md",
        "Terms",
        &[
            ("time", &of(|terms| terms.time.map_or("none".into(), time))),
            ("attempts", &of(|terms| terms.attempts.to_string())),
            ("waiting", &of(|terms| time(terms.waiting))),
            ("hedge", &of(|terms| terms.hedge.to_string())),
        ],
    );
    // The layer does not tell its settings, but shows them.
    assert!(format!("{:?}", CallLayer::new()).contains(&format!("most_body: {}", 32 << 20)));
}

#[test]
fn retry() {
    let budget::Config { share, reserve, half_life, weights, cost } = budget::Config::default();
    check(
        "retry.md",
        "budget::Config",
        &[
            ("share", &one(share)),
            ("reserve", &one(reserve)),
            ("half_life", &one(time(half_life))),
            ("cost", &one(cost.map_or("none", |_| "some"))),
        ],
    );
    let budget::Weights { unsent, rate_limit, overloaded, broken, silent, hedge, fallback } =
        weights;
    check(
        "retry.md",
        "budget::Weights",
        &[
            ("unsent", &one(unsent)),
            ("rate_limit", &one(rate_limit)),
            ("overloaded", &one(overloaded)),
            ("broken", &one(broken)),
            ("silent", &one(silent)),
            ("hedge", &one(hedge)),
            ("fallback", &one(fallback)),
        ],
    );
    let backoff::Config { jitter, paces, patience } = backoff::Config::default();
    check(
        "retry.md",
        "backoff::Config",
        &[("jitter", &one(format!("`{jitter:?}`"))), ("patience", &one(time(patience)))],
    );
    let pace = |pace: backoff::Pace| match pace.cap {
        Duration::ZERO => one(time(pace.cap)),
        cap => one(format!("{} to {}", time(pace.base), time(cap))),
    };
    let backoff::Paces { unsent, rate_limit, overloaded, broken, silent } = paces;
    check(
        "retry.md",
        "backoff::Paces",
        &[
            ("unsent", &pace(unsent)),
            ("rate_limit", &pace(rate_limit)),
            ("overloaded", &pace(overloaded)),
            ("broken", &pace(broken)),
            ("silent", &pace(silent)),
        ],
    );
}

#[test]
fn retry_after() {
    let cooldown::Config { unhinted, unhinted_longest, longest, spread, ramp, keys } =
        cooldown::Config::default();
    check(
        "retry_after.md",
        "retry_after::Config",
        &[
            ("unhinted", &one(time(unhinted))),
            ("unhinted_longest", &one(time(unhinted_longest))),
            ("longest", &one(time(longest))),
            ("spread", &one(spread)),
            ("ramp", &one(time(ramp))),
            ("keys", &one(number(keys.get().into()))),
        ],
    );
}

#[test]
fn rate_limit() {
    let config = ledger::Config::new(Provider::Generic, Vec::new());
    let ledger::Config { limits: _, charging: _, lends, max_open, stream_speed } = config;
    check(
        "rate_limit.md",
        "ledger::Config",
        &[
            ("limits", &one("those named above")),
            ("charging", &one("that of the provider")),
            ("lends", &one(lends)),
            ("max_open", &count(max_open)),
            ("stream_speed", &one(stream_speed)),
        ],
    );
    let queue::Config { most_waiting, most_of_tenant, most_idle, shares } =
        queue::Config::default();
    check(
        "rate_limit.md",
        "queue::Config",
        &[
            ("most_waiting", &count(most_waiting)),
            ("most_of_tenant", &count(most_of_tenant)),
            ("most_idle", &count(most_idle)),
            ("shares", &one(shares.map(|share| share.to_string()).join(", "))),
        ],
    );
    let estimator::Config { most_keys, coverage, unknown } = estimator::Config::default();
    check(
        "rate_limit.md",
        "estimator::Config",
        &[
            ("most_keys", &count(most_keys)),
            ("coverage", &one(coverage)),
            ("unknown", &one(number(unknown))),
        ],
    );
}

#[test]
fn how_providers_charge() {
    use ledger::{Charging, Output, Total};
    let of = |provider| {
        let Charging { output, total, settled, unset_maximum, .. } = Charging::of(provider);
        (output, total, settled, unset_maximum)
    };
    assert_eq!(of(Provider::OpenAi), (Output::Maximum, Total::Larger, false, 0));
    assert_eq!(of(Provider::AzureOpenAi), (Output::Maximum, Total::Sum, false, 0));
    assert_eq!(of(Provider::Anthropic), (Output::AsProduced, Total::Sum, true, 64_000));
    assert_eq!(of(Provider::Gemini), (Output::Free, Total::Sum, true, 64_000));
    assert_eq!(of(Provider::Vertex), of(Provider::Gemini));
    assert_eq!(of(Provider::Bedrock), (Output::Maximum, Total::Sum, true, 64_000));
    assert_eq!(of(Provider::Cerebras), (Output::Maximum, Total::Sum, false, 64_000));
    assert_eq!(of(Provider::Groq), (Output::Expected, Total::Sum, true, 64_000));
    assert_eq!(of(Provider::Generic), of(Provider::Groq));
}

#[test]
fn breaker() {
    let breaker::Config {
        threshold,
        confidence,
        half_life,
        streak,
        open,
        probes,
        good_probes,
        half_open_max_age,
        ramp,
    } = breaker::Config::default();
    check(
        "breaker.md",
        "breaker::Config",
        &[
            ("threshold", &one(threshold)),
            ("confidence", &one(confidence)),
            ("half_life", &one(time(half_life))),
            ("streak", &one(streak.map_or(0, u32::from))),
            ("open", &one("see below")),
            ("probes", &one(probes)),
            ("good_probes", &one(good_probes)),
            ("half_open_max_age", &one(time(half_open_max_age))),
            ("ramp", &one(time(ramp))),
        ],
    );
    let breaker::OpenTime { first, growth, longest, jitter } = open;
    check(
        "breaker.md",
        "breaker::OpenTime",
        &[
            ("first", &one(time(first))),
            ("growth", &one(growth)),
            ("longest", &one(time(longest))),
            ("jitter", &one(jitter)),
        ],
    );
}

#[test]
fn concurrency() {
    let adaptive::Config { min, max, initial, cut, growth, epoch, idle } =
        adaptive::Config::default();
    check(
        "concurrency.md",
        "adaptive::Config",
        &[
            ("min", &one(min)),
            ("max", &one(max)),
            ("initial", &one(initial)),
            ("cut", &one(cut)),
            ("growth", &one(format!("`{growth:?}`"))),
            ("epoch", &one(time(epoch))),
            ("idle", &one(time(idle))),
        ],
    );
}

#[test]
fn timeout() {
    for (title, limits) in [("streaming", Timeouts::streaming()), ("whole", Timeouts::whole())] {
        let Timeouts { head, output, idle, total, throughput } = limits;
        check(
            "timeout.md",
            title,
            &[
                ("head", &limit(head)),
                ("output", &limit(output)),
                ("idle", &limit(idle)),
                ("total", &limit(total)),
                ("throughput", &one(throughput.map_or("off", |_| "on"))),
            ],
        );
    }
}

#[test]
fn hedge() {
    let hedge::Config { quantile, earliest, samples, attempts, headroom, share } =
        hedge::Config::default();
    check(
        "hedge.md",
        "hedge::Config",
        &[
            ("quantile", &one(quantile)),
            ("earliest", &one(time(earliest))),
            ("samples", &one(samples)),
            ("attempts", &one(attempts)),
            ("headroom", &one(headroom)),
            ("share", &one(share)),
        ],
    );
}

#[test]
fn fallback() {
    let fallback::InPlace { hinted, broken, longest } = fallback::Policy::default().stay();
    check(
        "fallback.md",
        "Policy::in_place",
        &[("hinted", &one(hinted)), ("broken", &one(broken)), ("longest", &one(time(longest)))],
    );
    assert_eq!(fallback::Policy::key_pool().stay().hinted, 0);
    assert_eq!(fallback::MOST_ROUTES, 64);
}

#[test]
fn what_other_orders_break() {
    let text = page_text("order.md");
    let place = |name: &str| {
        let name = name.trim_matches('`');
        Place::ALL.into_iter().find(|place| place.as_str() == name)
    };
    let pairs = text.lines().filter(|line| line.starts_with('|')).map(cells);
    let pairs: Vec<_> = pairs.filter_map(|row| Some([place(row[0])?, place(row[1])?])).collect();
    assert!(pairs.len() > 9, "{pairs:?}");
    for pair in pairs {
        assert!(!misordered(&pair).is_empty(), "{pair:?} is fine");
    }
    // The list of layers leaves out places that have no layer yet, and is in their order.
    let list = text.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let listed: Vec<_> = list.split(['·', '\n', ' ']).filter_map(place).collect();
    assert!(listed.is_sorted() && listed.len() > 13, "{listed:?}");
}

#[test]
fn the_runbook_knows_whose_turn_each_code_is() {
    let text = page_text("runbook.md");
    let rows = text.lines().filter(|line| line.starts_with("| `llm.")).map(cells);
    let beginnings: Vec<_> = rows.flat_map(|row| row[0].split('`').collect::<Vec<_>>()).collect();
    for code in Code::ALL {
        let is_told = beginnings
            .iter()
            .any(|beginning| beginning.starts_with("llm.") && code.as_str().starts_with(beginning));
        assert!(is_told, "{code}");
        // What we say ourselves has a row of its own.
        let is_ours = code.as_str().starts_with("llm.local.");
        assert!(!is_ours || text.contains(&format!("`{code}`")), "{code}");
    }
}
