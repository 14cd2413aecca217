//! The same calls through the stack, with its defaults.
//!
//! The caller asks one thing more than the other: [`Error::of`], behind each answer.

use battlement::{
    Error,
    breaker::BreakerLayer,
    call::Attempt,
    retry::RetryLayer,
    retry_after::RetryAfterLayer,
    stack::{Stack, Stacked},
};
use battlement_sim::Provider;
use http_body_util::BodyExt as _;
use tokio::time::Instant;
use tower_layer::Layer as _;
use tower_service::Service;

use super::caller::{Broken, Outcome, read, request};

/// The stack as it comes, but for the seed that its waits are drawn from.
pub(super) fn stack(provider: Provider, seed: u64) -> anyhow::Result<Stacked<Provider>> {
    let stack = Stack::openai()
        .retry(RetryLayer::new().seed(seed))
        .retry_after(RetryAfterLayer::new(Default::default())?.seed(seed))
        .breaker(BreakerLayer::new(Default::default())?.seed(seed));
    Ok(stack.layer(provider))
}

pub(super) async fn call(mut stack: Stacked<Provider>, call: usize) -> Outcome {
    let begun = Instant::now();
    // It is ready at once, as all of our layers are.
    let response = match stack.call(request(call)).await {
        Ok(response) => response,
        Err(error) => return Outcome::failed(begun, told(&error)),
    };
    let attempt = response.extensions().get::<Attempt>().cloned();
    let is_success = response.status().is_success();
    let mut reading = if is_success {
        read(response.into_body(), None).await
    } else {
        let _read = response.into_body().collect().await;
        Default::default()
    };
    let error = match reading.error.take() {
        Some(Broken::Body(error)) => Some(told(&Error::from(error))),
        Some(broken) => Some(broken.to_string()),
        None => attempt.as_ref().and_then(Error::of).as_ref().map(told),
    };
    Outcome::of(reading, begun, error)
}

fn told(error: &Error) -> String {
    error.code().to_string()
}
