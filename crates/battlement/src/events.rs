//! What happens to calls, told at one place per transition.
//!
//! Every layer tells the observers of the call, which are set once, at [`CallLayer`]. Metrics, traces
//! and incident records are observers, see [`telemetry`](crate::telemetry); a closure will do.
//!
//! [`CallLayer`]: crate::call::CallLayer::observer
//!
//! ```
//! use battlement::{call::CallLayer, events::Event};
//!
//! let layer = CallLayer::new().observer(|call: &battlement::call::Call, event: &Event<'_>| {
//!     if let Event::Ended { verdict } = event {
//!         println!("{:?}: {}", call.facts().model, verdict.outcome);
//!     }
//! });
//! # let _ = layer;
//! ```

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use battlement_core::{Clock, Code, Verdict, attempts::Role, backoff::Trouble, breaker::Mode};
use http::StatusCode;

use crate::{
    call::{Attempt, Call, Misordered},
    context::Dropped,
    continuation::{Cause, Way},
    fallback::{Served, Why},
    preflight::Finding,
    source::{Hit, Source},
};

/// Is told what happens to calls.
///
/// It runs in the middle of the call, under no lock of ours, and the call waits for it: it should be
/// quick.
pub trait Observer: Send + Sync + 'static {
    /// This has just happened.
    fn event(&self, call: &Call, event: &Event<'_>);

    /// This has just happened to one attempt of a call. Several of a call may run at once, and this is for
    /// those who have to tell them apart. For all others it is the same as an event of the call.
    fn attempt(&self, attempt: &Attempt, event: &Event<'_>) {
        self.event(attempt.call(), event);
    }
}

/// One, and then another.
pub(crate) struct Both(pub(crate) Arc<dyn Observer>, pub(crate) Arc<dyn Observer>);

impl Observer for Both {
    fn event(&self, call: &Call, event: &Event<'_>) {
        self.0.event(call, event);
        self.1.event(call, event);
    }

    fn attempt(&self, attempt: &Attempt, event: &Event<'_>) {
        self.0.attempt(attempt, event);
        self.1.attempt(attempt, event);
    }
}

impl<F> Observer for F
where
    F: Fn(&Call, &Event<'_>) + Send + Sync + 'static,
{
    fn event(&self, call: &Call, event: &Event<'_>) {
        self(call, event);
    }
}

/// Something that happened to a call. Holds nothing of prompt or answer.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A request arrived; the size of its body, if that is held in memory.
    Started {
        /// In bytes.
        size: Option<usize>,
    },
    /// The call comes through its layers in an order that breaks a promise of one of them.
    Misordered {
        /// Which, and what does not work.
        misordered: &'a Misordered,
    },
    /// The caller is an SDK that repeats calls as well, and this is its repetition. What it repeats
    /// and what is repeated here multiply: set the number of its retries to zero.
    Repeated {
        /// How often it has called before.
        times: u32,
    },
    /// Something between our layers, such as another retry or hedge, sends the request again. What it
    /// sends and what is tried again here multiply, and no budget pays for it.
    SentAgain,
    /// An attempt begins.
    Attempt {
        /// Which of the call, from one.
        number: u32,
        /// What it is for.
        role: Role,
    },
    /// Something is wrong with the request, so that it cannot succeed.
    Found {
        /// What, and where.
        finding: &'a Finding,
        /// Whether it is refused for that.
        is_refused: bool,
    },
    /// The conversation is too long, and its oldest turns are left out of what is sent.
    Trimmed {
        /// How much of it.
        dropped: &'a Dropped,
    },
    /// A layer makes the call wait.
    Waiting {
        /// The module of the layer.
        layer: &'static str,
        /// Until when, as far as can be told.
        until: Option<Instant>,
    },
    /// The wait that was told of last is over, and the attempt goes on its way.
    Waited,
    /// A layer turned the call away, before it was sent.
    Rejected {
        /// Why.
        code: Code,
    },
    /// The head of an answer arrived.
    Head {
        /// Its status.
        status: StatusCode,
    },
    /// The model has said something: from here on the answer is worth money, and cannot be replaced.
    FirstOutput,
    /// A time limit of ours passed.
    Overdue {
        /// Which.
        clock: Clock,
    },
    /// An attempt is over, at the end of its answer.
    Ended {
        /// What it means.
        verdict: &'a Verdict,
    },
    /// The call is tried again.
    Retrying {
        /// What went wrong.
        trouble: Trouble,
        /// How long it waits before.
        wait: Duration,
    },
    /// The call could have been tried again, and is not.
    GaveUp {
        /// Why not.
        reason: &'static str,
    },
    /// The call is late, and another attempt goes out beside the one that is on its way.
    Hedging {
        /// How long it has taken since the latest.
        after: Duration,
    },
    /// The call is late, and no other attempt goes out.
    NotHedged {
        /// Why not.
        reason: &'static str,
    },
    /// Of several attempts that ran at once one has an answer, and the others are given up.
    Hedged {
        /// Which, in the order in which they were sent: 0 for the first.
        winner: u32,
        /// How many there were.
        attempts: u32,
        /// What those that were given up may have cost, in tokens.
        lost: u64,
    },
    /// A route is left out, as it cannot serve the call.
    PassedBy {
        /// Its name.
        route: &'a str,
        /// Why it cannot.
        why: &'a Why,
    },
    /// A route has failed, and the call goes to another.
    FallingBack {
        /// The one that failed.
        from: &'a str,
        /// The one that is next.
        to: &'a str,
        /// What it failed with.
        code: Code,
    },
    /// An answer goes to the caller, of one of several routes.
    Served {
        /// Which, and why.
        served: &'a Served,
    },
    /// A further round of an answer that has stopped or broken off has begun to come.
    Continued {
        /// Which, from one.
        round: u32,
        /// How the rest was asked for.
        way: Way,
        /// Why there was a rest.
        cause: Cause,
    },
    /// An answer that was kept goes to the caller, and nothing is sent. It costs nothing: the verdict at its end says so.
    CacheHit {
        /// How old it is, and whether that is older than answers are kept for.
        hit: Hit,
    },
    /// No answer is kept that could be served.
    CacheMiss,
    /// The answer is whole, and is kept for others.
    CacheStored {
        /// What it takes of memory, in bytes.
        size: usize,
    },
    /// The same is on its way for another call, and this one gets that answer, too. It costs nothing: the verdict at its end
    /// says so.
    Joined,
    /// The call is over for its caller, and what it has sent goes on for others that have joined it.
    HandedOver,
    /// The provider asked for a wait: nobody goes out before this.
    Cooling {
        /// Until when.
        until: Instant,
    },
    /// A circuit changed its state.
    Circuit {
        /// What it was.
        from: Mode,
        /// What it is.
        to: Mode,
    },
    /// The number of calls that may run at once has changed.
    Concurrency {
        /// What it is.
        limit: u32,
    },
    /// An answer is not what its schema asks for.
    Invalid {
        /// How often the model was asked again before.
        round: u32,
        /// How many things are wrong with it.
        errors: usize,
    },
    /// An answer that has a schema goes to the caller as it is, without a look at what it says.
    Unchecked {
        /// Why.
        reason: &'static str,
    },
    /// The call has failed for good, and something less goes to the caller instead.
    Degraded {
        /// What: `simplified` or `static`.
        source: Source<'a>,
        /// What it has failed with.
        code: Code,
    },
    /// An answer was withheld from the caller, who gets an error instead.
    Withheld {
        /// What the answer means.
        verdict: &'a Verdict,
    },
}
