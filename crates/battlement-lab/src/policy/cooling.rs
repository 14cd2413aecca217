//! A cool-down, as the routers of gateways have it: after LiteLLM.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::time::{Instant, sleep};

use super::baseline::{Chance, attempt, sdk_wait};
use crate::{log::Ending, service::Provider};

/// Two retries, and five seconds of rest when more than half of the attempts of the minute have failed, or
/// one was throttled.
#[derive(Debug)]
pub(crate) struct Cooling {
    provider: Provider,
    chance: Chance,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    start: Instant,
    minute: u64,
    good: u32,
    bad: u32,
    until: Option<Instant>,
}

const REST: Duration = Duration::from_secs(5);

impl Cooling {
    pub(crate) fn new(provider: Provider, seed: u64) -> Self {
        let state = State { start: Instant::now(), minute: 0, good: 0, bad: 0, until: None };
        Self { provider, chance: Chance::new(seed), state: Mutex::new(state) }
    }

    pub(crate) async fn call(&self, request: Request<Full<Bytes>>) -> Ending {
        let mut ending = Ending::Rejected;
        for number in 0..3 {
            let after = if self.rests() {
                None
            } else {
                match attempt(self.provider.clone(), request.clone()).await {
                    Ok(()) => {
                        self.learn(true, false);
                        return Ending::Answered;
                    }
                    Err(trouble) => {
                        self.learn(false, trouble.is_throttle());
                        ending = Ending::Failed;
                        trouble.after
                    }
                }
            };
            if number < 2 {
                sleep(sdk_wait(number, after, &self.chance)).await;
            }
        }
        ending
    }

    fn rests(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.until.is_some_and(|until| Instant::now() < until)
    }

    fn learn(&self, is_good: bool, is_throttle: bool) {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.duration_since(state.start).as_secs() / 60;
        if minute != state.minute {
            (state.minute, state.good, state.bad) = (minute, 0, 0);
        }
        if is_good {
            state.good += 1;
        } else {
            state.bad += 1;
        }
        let is_bad = state.good + state.bad >= 2 && state.bad > state.good;
        if !is_good && (is_bad || is_throttle) {
            state.until = Some(now + REST);
        }
    }
}
