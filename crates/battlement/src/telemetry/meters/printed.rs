//! What `docs/observability` holds, printed from the table. `cargo xtask observability` rewrites it.

use std::fmt::Write;

use super::table::{Kind, Label, Metric, TABLE};

/// A rule for Prometheus: its name, what it computes, and for how long, how bad and why if it is an alert.
enum Rule {
    Record { name: &'static str, expression: String },
    Alert { name: &'static str, expression: String, minutes: u32, summary: &'static str },
}

/// As Prometheus shows a name.
fn prometheus(name: &str) -> String {
    name.replace('.', "_")
}

/// The name of a metric that is in the table, as Prometheus shows it.
fn metric(name: &str) -> String {
    assert!(TABLE.iter().any(|row| row.name == name), "no metric {name}");
    prometheus(name)
}

fn label(label: Label) -> String {
    prometheus(label.as_str())
}

/// How fast something grows, by these labels.
fn rate(name: &str, matching: &str, by: &[Label]) -> String {
    let by: Vec<_> = by.iter().map(|one| label(*one)).collect();
    format!("sum by ({}) (rate({}{{{matching}}}[5m]))", by.join(", "), metric(name))
}

fn p95(name: &str) -> String {
    let (model, provider) = (label(Label::Model), label(Label::Provider));
    let buckets = format!("{}_bucket", metric(name));
    format!("histogram_quantile(0.95, sum by (le, {provider}, {model}) (rate({buckets}[5m])))")
}

const BY: &[Label] = &[Label::Provider, Label::Model];

fn rules() -> Vec<Rule> {
    let outcome = label(Label::Outcome);
    let error = label(Label::Error);
    let share = |part: String, whole: &str| format!("{part} / {}", rate(whole, "", BY));
    let truncated = rate("battlement.calls", &format!(r#"{outcome}=~"length|context_window""#), BY);
    let failed = rate(
        "battlement.calls",
        &format!(r#"{error}!="",{error}!~"llm.caller.*|llm.truncated.*|llm.hedge.*""#),
        BY,
    );
    let limited = rate("battlement.attempts", &format!(r#"{error}=~"llm.rate_limit.*""#), BY);
    let wasted = rate(
        "battlement.tokens",
        &format!(r#"{}="wasted",{}=~"input|output""#, label(Label::Use), label(Label::TokenType)),
        BY,
    );
    let all =
        rate("battlement.tokens", &format!(r#"{}=~"input|output""#, label(Label::TokenType)), BY);
    vec![
        Rule::Record { name: "battlement:truncated:share5m", expression: share(truncated, "battlement.calls") },
        Rule::Record { name: "battlement:failed:share5m", expression: share(failed, "battlement.calls") },
        Rule::Record { name: "battlement:limited:share5m", expression: share(limited, "battlement.attempts") },
        Rule::Record { name: "battlement:wasted_tokens:share5m", expression: format!("{wasted} / {all}") },
        Rule::Record {
            name: "battlement:duration:p95_5m",
            expression: p95("gen_ai.client.operation.duration"),
        },
        Rule::Record {
            name: "battlement:first_chunk:p95_5m",
            expression: p95("gen_ai.client.operation.time_to_first_chunk"),
        },
        Rule::Alert {
            name: "LlmAnswersTruncated",
            expression: "battlement:truncated:share5m > 0.05".into(),
            minutes: 10,
            summary: "More than one answer in twenty stops at the token limit: raise the cap, or shorten what is asked for",
        },
        Rule::Alert {
            name: "LlmCallsFail",
            expression: "battlement:failed:share5m > 0.05".into(),
            minutes: 5,
            summary: "More than one call in twenty fails for its caller: the failure atlas says what to do about each error_type",
        },
        Rule::Alert {
            name: "LlmRateLimitsRising",
            // Unless it was so before: an hour ago there may have been nothing to compare with.
            expression: "battlement:limited:share5m > 0.02 unless battlement:limited:share5m <= 2 * (battlement:limited:share5m offset 1h)"
                .into(),
            minutes: 10,
            summary: "Attempts that the provider turns away with 429 have doubled within the hour",
        },
        Rule::Alert {
            name: "LlmCallsSlow",
            expression: "battlement:duration:p95_5m > 2 * (battlement:duration:p95_5m offset 1d)".into(),
            minutes: 15,
            summary: "One call in twenty takes twice as long as it did at this time yesterday",
        },
        Rule::Alert {
            name: "LlmFirstWordSlow",
            expression: "battlement:first_chunk:p95_5m > 10".into(),
            minutes: 10,
            summary: "One stream in twenty says nothing for ten seconds",
        },
        Rule::Alert {
            name: "LlmCircuitOpen",
            expression: format!("max by ({}) ({}) > 0", BY.iter().map(|one| label(*one)).collect::<Vec<_>>().join(", "), metric("battlement.breaker.open")),
            minutes: 2,
            summary: "The breaker turns calls away: the provider fails, or its circuit was opened by hand",
        },
        Rule::Alert {
            name: "LlmTokensWasted",
            expression: "battlement:wasted_tokens:share5m > 0.1".into(),
            minutes: 15,
            summary: "One token in ten is paid for an answer that nobody could use",
        },
        Rule::Alert {
            name: "LlmBudgetUsedUp",
            expression: format!(
                r#"sum(rate({}{{{}="budget"}}[5m])) > 0"#,
                metric("battlement.gave_up"),
                label(Label::Reason)
            ),
            minutes: 10,
            summary: "Calls are not tried again since the budget for that is used up: most of what is sent fails",
        },
    ]
}

fn alerts() -> String {
    let mut yaml = String::from(
        "# Printed from the table of metrics by `cargo xtask observability`. Thresholds are where to begin.\n\
         #\n\
         # Names are those of `metrics-exporter-prometheus` as it is by default, with the buckets that metrics.md names.\n\
         groups:\n",
    );
    for (group, is_alert) in [("battlement-rates", false), ("battlement-alerts", true)] {
        let _ = writeln!(yaml, "  - name: {group}\n    rules:");
        for rule in rules() {
            let _ = match rule {
                Rule::Record { name, expression } if !is_alert => {
                    writeln!(
                        yaml,
                        "      - record: {name}\n        expr: >-\n          {expression}"
                    )
                }
                Rule::Alert { name, expression, minutes, summary } if is_alert => writeln!(
                    yaml,
                    "      - alert: {name}\n        expr: >-\n          {expression}\n        for: {minutes}m\n        \
                     labels:\n          severity: warning\n        annotations:\n          summary: {summary:?}"
                ),
                _ => Ok(()),
            };
        }
    }
    yaml
}

fn page() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         Printed from the table in `crates/battlement/src/telemetry/meters/table.rs` by `cargo xtask observability`;\n\
         `battlement::telemetry::TABLE` is the same for a program, with the borders of the buckets.\n\n\
         Prometheus shows points in names as underscores: `battlement_calls`, `gen_ai_request_model`. Histograms have\n\
         `_bucket` series if the exporter is told buckets, which `alerts.yml` and `dashboard.json` count on:\n\n\
         ```rust,ignore\n\
         let mut exporter = PrometheusBuilder::new();\n\
         for metric in battlement::telemetry::TABLE.iter().filter(|metric| !metric.buckets.is_empty()) {\n    \
         let name = Matcher::Full(metric.name.to_owned());\n    \
         exporter = exporter.set_buckets_for_metric(name, metric.buckets)?;\n}\n\
         exporter.install()?;\n\
         ```\n\n",
    );
    for Metric { name, kind, unit, labels, help, .. } in TABLE {
        let unit = if unit.is_empty() { String::new() } else { format!(", in `{unit}`") };
        let labels: Vec<_> = labels.iter().map(|label| format!("`{}`", label.as_str())).collect();
        let _ =
            writeln!(page, "## `{name}`\n\nA {kind}{unit}, by {}.\n\n{help}\n", labels.join(", "));
    }
    page.truncate(page.trim_end().len());
    page + "\n"
}

/// A panel of the dashboard: title, unit, and what is drawn with which legend.
type Panel = (&'static str, &'static str, Vec<(String, String)>);

fn panels() -> Vec<Panel> {
    let legend = |labels: &[Label]| {
        labels.iter().map(|one| format!("{{{{{}}}}}", label(*one))).collect::<Vec<_>>().join(" ")
    };
    let drawn = |name: &str, by: &[Label]| vec![(rate(name, "", by), legend(by))];
    let recorded = |name: &str| vec![(name.to_owned(), legend(BY))];
    vec![
        ("Calls by outcome", "reqps", drawn("battlement.calls", &[Label::Outcome])),
        ("Failed calls by code", "reqps", drawn("battlement.calls", &[Label::Error])),
        ("Share of calls that failed", "percentunit", recorded("battlement:failed:share5m")),
        (
            "Share of answers that were truncated",
            "percentunit",
            recorded("battlement:truncated:share5m"),
        ),
        (
            "Share of attempts that were rate limited",
            "percentunit",
            recorded("battlement:limited:share5m"),
        ),
        ("Duration, 95 %", "s", recorded("battlement:duration:p95_5m")),
        ("Time to the first chunk, 95 %", "s", recorded("battlement:first_chunk:p95_5m")),
        ("Attempts by what they are for", "reqps", drawn("battlement.attempts", &[Label::Role])),
        ("Fallbacks by what failed", "reqps", drawn("battlement.fallbacks", &[Label::Error])),
        (
            "Waits by layer, mean",
            "s",
            vec![(
                format!(
                    "sum by ({0}) (rate({1}_sum[5m])) / sum by ({0}) (rate({1}_count[5m]))",
                    label(Label::Layer),
                    metric("battlement.wait")
                ),
                legend(&[Label::Layer]),
            )],
        ),
        (
            "Circuits that are not closed",
            "short",
            vec![(metric("battlement.breaker.open"), legend(BY))],
        ),
        (
            "Calls in flight",
            "short",
            vec![(
                format!(
                    "sum by ({}) ({})",
                    label(Label::Lane),
                    metric("battlement.calls.in_flight")
                ),
                legend(&[Label::Lane]),
            )],
        ),
        (
            "Limit of concurrent calls",
            "short",
            vec![(metric("battlement.concurrency.limit"), legend(BY))],
        ),
        ("Tokens, by whether they were of use", "short", drawn("battlement.tokens", &[Label::Use])),
        (
            "Dollars an hour",
            "currencyUSD",
            vec![(
                format!(
                    "{} * 3600 / 1e9",
                    rate("battlement.cost", "", &[Label::Model, Label::Use])
                ),
                legend(&[Label::Model, Label::Use]),
            )],
        ),
        ("Gave up, by reason", "reqps", drawn("battlement.gave_up", &[Label::Reason])),
    ]
}

fn dashboard() -> String {
    let panels = panels().into_iter().enumerate().map(|(index, (title, unit, drawn))| {
        let targets: Vec<_> = drawn
            .into_iter()
            .map(|(expression, legend)| serde_json::json!({"expr": expression, "legendFormat": legend}))
            .collect();
        serde_json::json!({
            "id": index + 1,
            "type": "timeseries",
            "title": title,
            "datasource": {"type": "prometheus", "uid": "${source}"},
            "gridPos": {"h": 8, "w": 12, "x": index % 2 * 12, "y": index / 2 * 8},
            "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
            "targets": targets,
        })
    });
    let dashboard = serde_json::json!({
        "title": "Battlement",
        "uid": "battlement",
        "schemaVersion": 39,
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus"}]},
        "panels": panels.collect::<Vec<_>>(),
    });
    serde_json::to_string_pretty(&dashboard).unwrap() + "\n"
}

#[test]
fn the_pages_in_the_documentation_are_those_from_the_table() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/observability");
    let pages = [("metrics.md", page()), ("alerts.yml", alerts()), ("dashboard.json", dashboard())];
    for (name, printed) in pages {
        let path = format!("{folder}/{name}");
        if std::env::var_os("REWRITE_OBSERVABILITY").is_some() {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(&path, &printed).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == printed, "{path} is out of date: run `cargo xtask observability`");
    }
}

#[test]
fn the_table_is_in_order() {
    for (index, metric) in TABLE.iter().enumerate() {
        assert!(TABLE[..index].iter().all(|other| other.name != metric.name), "{}", metric.name);
        assert!(metric.help.ends_with('.') && !metric.help.contains("  "), "{}", metric.name);
        assert!(metric.labels.len() <= 7, "{}: they have to fit into a number", metric.name);
        let has_buckets = !metric.buckets.is_empty();
        assert_eq!(has_buckets, metric.kind == Kind::Histogram, "{}", metric.name);
        assert!(metric.buckets.windows(2).all(|pair| pair[0] < pair[1]), "{}", metric.name);
    }
}
