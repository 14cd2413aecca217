//! The same day for both clients, in simulated time.

use std::time::Duration;

use anyhow::Context as _;
use battlement_core::random::Seeded;
use tokio::{runtime, task::JoinSet, time::Instant};

use super::{
    caller::Outcome,
    mishap, naive, ours,
    trouble::{Request, Troubled, arrivals},
};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    Naive,
    Ours,
}

impl Client {
    pub(super) const BOTH: [Self; 2] = [Self::Naive, Self::Ours];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive client",
            Self::Ours => "battlement",
        }
    }
}

/// What a client made of its day.
#[derive(Debug)]
pub(super) struct Day {
    /// When each call came, since the beginning.
    pub(super) arrivals: Vec<Duration>,
    /// What each call came to.
    pub(super) outcomes: Vec<Outcome>,
    /// What the provider saw of each call.
    pub(super) requests: Vec<Vec<Request>>,
}

/// What a call came to, compared with what the provider would have said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// All of the answer was delivered, and nothing else was said.
    Whole,
    /// Something else was delivered as if it were the answer.
    Silent,
    /// The caller knows that it failed.
    Told,
}

impl Day {
    /// Plays it: the real code of the client, against a provider in memory, on a clock that jumps to whatever is
    /// next.
    pub(super) fn play(client: Client, seed: u64, calls: u32) -> anyhow::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .context("cannot start a runtime")?;
        runtime.block_on(async {
            let (begun, troubled) = (Instant::now(), Troubled::new(seed, calls));
            let stack = ours::stack(troubled.provider.clone(), seed)?;
            let arrivals = arrivals(seed, calls);
            let mut playing = JoinSet::new();
            for (number, at) in arrivals.iter().enumerate() {
                let (due, stack) = (begun + *at, stack.clone());
                let (provider, draws) =
                    (troubled.provider.clone(), Seeded(seed ^ !(number as u64)).fork());
                playing.spawn(async move {
                    tokio::time::sleep_until(due).await;
                    let outcome = match client {
                        Client::Naive => naive::call(provider, number, draws).await,
                        Client::Ours => ours::call(stack, number).await,
                    };
                    (number, outcome)
                });
            }
            let mut outcomes = playing.join_all().await;
            outcomes.sort_by_key(|(number, _)| *number);
            let outcomes = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
            let mut requests = vec![Vec::new(); arrivals.len()];
            for request in troubled.requests() {
                requests[request.call].push(request);
            }
            Ok(Self { arrivals, outcomes, requests })
        })
    }

    pub(super) fn delivery(&self, call: usize) -> Delivery {
        let outcome = &self.outcomes[call];
        match outcome.error {
            Some(_) => Delivery::Told,
            None if outcome.text == mishap::text(call as u64) => Delivery::Whole,
            None => Delivery::Silent,
        }
    }

    /// How many calls there were.
    pub(super) fn calls(&self) -> usize {
        self.outcomes.len()
    }

    /// When a call was over, since the beginning.
    pub(super) fn end(&self, call: usize) -> Duration {
        self.arrivals[call] + self.outcomes[call].took
    }
}
