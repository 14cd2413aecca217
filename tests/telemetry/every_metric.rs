//! Every metric of the table is told of in some run, and none that is not in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use battlement::{
    call::CallLayer,
    fallback::{FallbackLayer, Route},
    retry::{Budget, RetryLayer},
    stack::Stack,
    telemetry::{TABLE, TelemetryLayer},
};
use battlement_core::budget;
use battlement_sim::{Provider, script::Step};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::{task::JoinSet, time::Instant};
use tower::{Layer, ServiceExt};

use crate::recorder::Values;

fn ask(stream: bool) -> Request<Full<Bytes>> {
    let body = format!(
        r#"{{"model":"gpt-5-mini","stream":{stream},"stream_options":{{"include_usage":true}},"messages":[]}}"#
    );
    let request = Request::post("https://api.openai.com/v1/chat/completions");
    request.header("x-stainless-retry-count", "1").body(Full::from(body)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_table_is_all_that_is_measured_and_all_of_it_is() {
    let values = Values::default();
    let _installed = metrics::set_default_local_recorder(&values);
    let telemetry = TelemetryLayer::new().metrics();
    // A bad day on the first route, a good one on the second.
    let mut day = vec![Step::ok().every(Duration::from_millis(100)); 160];
    day.extend([
        Step::rate_limited().hint(Duration::from_secs(2)),
        Step::ok(),
        Step::ok().cut_after(2),
    ]);
    day.extend(vec![Step::internal(); 200]);
    let down = Provider::serving(day);
    let up = Stack::openai().layer(Provider::new());
    let routes = FallbackLayer::builder(Route::new("a")).route("b", up).build().unwrap();
    let budget = budget::Config { reserve: 5.0, ..budget::Config::default() };
    let budget = Budget::new(&budget, Instant::now().into_std()).unwrap();
    let first = Stack::openai().retry(RetryLayer::new().budget(Arc::new(budget))).layer(down);
    let service = CallLayer::new().layer(telemetry.layer(routes.layer(first)));
    for _ in 0..40 {
        // More at once than there is room for in the beginning.
        let mut calls = JoinSet::new();
        for number in 0..8 {
            let call = service.clone().oneshot(ask(number % 2 == 0));
            calls.spawn(async move {
                if let Ok(response) = call.await {
                    let _read = response.into_body().collect().await;
                }
            });
        }
        calls.join_all().await;
    }
    let measured = values.metrics();
    let table: BTreeMap<String, BTreeSet<String>> = TABLE
        .iter()
        .map(|row| {
            let labels = row.labels.iter().map(|label| label.as_str().to_owned()).collect();
            (row.name.to_owned(), labels)
        })
        .collect();
    let missing: Vec<_> = table.keys().filter(|name| !measured.contains_key(*name)).collect();
    assert!(missing.is_empty(), "never measured: {missing:?}");
    assert_eq!(measured, table);
}
