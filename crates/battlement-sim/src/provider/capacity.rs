//! Models of capacity as the site of a provider.

use std::task::{Context, Poll};

use battlement_core::hint::Dimension;

use super::{
    Provider,
    site::{Place, Progress, Refusal, Site, Wanted},
};
use crate::{
    answer::{Fault, Limits, Window},
    capacity::{self, Capacity, Job, Machine, Why},
};

impl Provider {
    /// Has its answers made by a model with limits, see [`at`](Self::at) and [`Capacity`]. `job` says what an
    /// answer asks of it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use battlement_sim::{
    ///     Provider,
    ///     capacity::{Capacity, Job, Slots, slots},
    /// };
    /// use bytes::Bytes;
    /// use http::Request;
    /// use http_body_util::Full;
    /// use tokio::time::Instant;
    /// use tower::ServiceExt;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// // One at once, and ten seconds each.
    /// let slots = Slots::new(slots::Config { slots: 1, ..slots::Config::default() });
    /// let provider = Provider::new().of_capacity(Capacity::start(slots), |wanted| Job {
    ///     work: Duration::from_secs(10),
    ///     input: wanted.input_tokens,
    ///     output: wanted.output_tokens,
    ///     ..Job::default()
    /// });
    /// let call = || {
    ///     let request = Request::post("https://api.openai.com/v1/chat/completions")
    ///         .body(Full::<Bytes>::from(r#"{"model": "gpt-5-mini", "messages": []}"#));
    ///     tokio::spawn(provider.clone().oneshot(request.unwrap()))
    /// };
    /// let start = Instant::now();
    /// let (first, second) = (call(), call());
    /// first.await.unwrap().unwrap();
    /// assert_eq!(start.elapsed(), Duration::from_secs(10));
    /// second.await.unwrap().unwrap();
    /// assert_eq!(start.elapsed(), Duration::from_secs(20));
    /// # }
    /// ```
    #[must_use]
    pub fn of_capacity<M: Machine>(
        self,
        capacity: Capacity<M>,
        job: impl Fn(&Wanted<'_>) -> Job + Send + Sync + 'static,
    ) -> Self {
        self.at(Model { capacity, job })
    }
}

struct Model<M, J> {
    capacity: Capacity<M>,
    job: J,
}

impl<M, J> Site for Model<M, J>
where
    M: Machine,
    J: Fn(&Wanted<'_>) -> Job + Send + Sync,
{
    fn ask(&self, wanted: &Wanted<'_>) -> Result<Box<dyn Place>, Refusal> {
        match self.capacity.ask((self.job)(wanted)) {
            Ok(place) => Ok(Box::new(place)),
            Err(refusal) => Err(Refusal {
                fault: match refusal.why {
                    Why::RateLimit => Fault::RateLimited(Dimension::Requests),
                    Why::Overloaded => Fault::Overloaded,
                },
                after: refusal.after,
            }),
        }
    }

    fn left(&self) -> Option<Limits> {
        let told = self.capacity.told()?;
        let window = Window { limit: told.limit, remaining: told.left, reset: told.reset };
        Some(Limits { requests: Some(window), ..Limits::default() })
    }
}

impl<M: Machine> Place for capacity::Place<M> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Progress> {
        // Its own method, not this one.
        Self::poll_next(self, cx).map(|progress| match progress {
            capacity::Progress::First => Progress::First,
            capacity::Progress::Done { .. } => Progress::Done,
            capacity::Progress::Broken => Progress::Broken,
        })
    }
}
