//! A script and what is to come of it, played over sockets and in memory.

use std::{sync::Arc, time::Duration};

use battlement_sim::Script;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout},
};
use tower::Layer;

use crate::{
    rig::{Notes, SOCKETS, Way, call, ends, http1, http2, millis, provider, quick, stack},
    words::Spoken,
};

/// How long a scenario may take on a socket beyond what it takes at least: the machine may be busy.
const SLACK: Duration = Duration::from_secs(10);

/// A script, and what is to come of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) script: &'static str,
    pub(crate) spoken: Spoken,
    pub(crate) stream: bool,
    /// What the caller gets, see [`Got::told`].
    pub(crate) gets: &'static str,
    /// What became of each attempt.
    pub(crate) attempts: &'static str,
    /// How each call ended at the provider: so many there were, and not one more.
    pub(crate) ends: &'static str,
    /// How long it takes: exactly in memory, and at least on a socket.
    pub(crate) takes: u64,
}

impl Scenario {
    /// A call of OpenAI's chat that is streamed, and takes no time.
    pub(crate) const fn new(
        script: &'static str,
        gets: &'static str,
        attempts: &'static str,
        ends: &'static str,
    ) -> Self {
        Self { script, spoken: Spoken::OpenAi, stream: true, gets, attempts, ends, takes: 0 }
    }

    pub(crate) const fn takes(self, millis: u64) -> Self {
        Self { takes: millis, ..self }
    }

    pub(crate) const fn whole(self) -> Self {
        Self { stream: false, ..self }
    }

    pub(crate) const fn to(self, spoken: Spoken) -> Self {
        Self { spoken, ..self }
    }

    async fn play(self, way: Way) -> Result<(), String> {
        let Self { script, spoken, stream, .. } = self;
        let provider = provider(script.parse::<Script>().unwrap());
        let notes = Notes::default();
        let mut stack = stack(spoken).call(notes.layer(spoken));
        if self.attempts.contains("overdue") {
            // Where no limit is to pass, none passes because the machine is busy.
            stack = stack.timeout(quick());
        }
        let request = spoken.request(stream);
        let (got, took) = match way {
            Way::Memory => {
                let stack = stack.base("http://provider.test").unwrap();
                timed(call(stack.layer(provider.clone()), request)).await
            }
            Way::Http1 | Way::Http2 => {
                let server = provider.listen().await.unwrap();
                let client = if way == Way::Http1 { http1() } else { http2() };
                let stack = stack.base(server.url()).unwrap();
                let result = timed(call(stack.layer(client), request)).await;
                // The provider is a little behind.
                let calls = provider.counts().arrived;
                let _ = timeout(Duration::from_secs(5), provider.ended(calls)).await;
                result
            }
        };
        let told = (got.told(spoken), notes.told(), ends(&provider));
        let expected = (self.gets.to_owned(), self.attempts.to_owned(), self.ends.to_owned());
        let (least, most) = match way {
            Way::Memory => (millis(self.takes), millis(self.takes)),
            Way::Http1 | Way::Http2 => (millis(self.takes), millis(self.takes) + SLACK),
        };
        let arrived = provider.counts().arrived as usize;
        let is_single_error = got.status.is_none() && arrived == 1;
        let in_account = if is_single_error { 0 } else { arrived };
        let is_account_right = notes.sent() == arrived && got.attempts == in_account;
        if told == expected && (least..=most).contains(&took) && is_account_right {
            return Ok(());
        }
        Err(format!(
            "{self:#?} over {way:?}\n  gets: {:?}\n  attempts: {:?}\n  ends: {:?}\n  took {took:?}, {} attempts in its account\n",
            told.0, told.1, told.2, got.attempts
        ))
    }
}

async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let start = Instant::now();
    (future.await, start.elapsed())
}

/// Plays all of them over sockets, a few at the same time: most of them wait most of the time.
pub(crate) async fn on_sockets(scenarios: &'static [Scenario]) {
    let few = Arc::new(Semaphore::new(4));
    let mut plays = JoinSet::new();
    for scenario in scenarios {
        for way in SOCKETS {
            let few = few.clone();
            plays.spawn(async move {
                let _turn = few.acquire().await;
                scenario.play(way).await
            });
        }
    }
    let failed: Vec<_> = plays.join_all().await.into_iter().filter_map(Result::err).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Plays all of them in memory, to the millisecond.
pub(crate) async fn in_memory(scenarios: &[Scenario]) {
    let mut failed = Vec::new();
    for scenario in scenarios {
        failed.extend(scenario.play(Way::Memory).await.err());
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Both, as tests of their own.
macro_rules! played {
    ($scenarios:expr) => {
        #[tokio::test]
        async fn on_sockets() {
            crate::scenario::on_sockets($scenarios).await;
        }

        #[tokio::test(start_paused = true)]
        async fn in_memory() {
            crate::scenario::in_memory($scenarios).await;
        }
    };
}
pub(crate) use played;
