//! Where answers are made, if that is not for the script alone to say.

use std::{
    fmt,
    task::{Context, Poll, ready},
    time::Duration,
};

use super::Seen;
use crate::answer::{Fault, Limits};

/// What can only make so many answers, and makes them in its own time: slots, a batch, a region. A provider that
/// [has one](super::Provider::at) asks it for each answer of the model.
///
/// The head of a document waits until it is done, that of a stream for its first token. The last event of a stream
/// waits until it is done, and those between come as the script says. What the script lets fail is not asked for.
pub trait Site: Send + Sync {
    /// Asks for an answer.
    ///
    /// # Errors
    ///
    /// When there is no room, or a limit is reached.
    fn ask(&self, wanted: &Wanted<'_>) -> Result<Box<dyn Place>, Refusal>;

    /// What is left of its limits, for the headers of an answer. Those of a [`Quota`](crate::Quota) go first.
    fn left(&self) -> Option<Limits> {
        None
    }
}

/// An answer that is made. When it is dropped before it is done, its caller has left.
pub trait Place: Send + Sync {
    /// What happens next.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Progress>;
}

/// An answer that is asked for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Wanted<'a> {
    /// The request, as far as it is known before it is answered.
    pub seen: &'a Seen,
    /// The tokens of its prompt.
    pub input_tokens: u64,
    /// The tokens that the answer is going to have.
    pub output_tokens: u64,
}

/// How far an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Progress {
    /// The model has said its first word.
    First,
    /// It has said all.
    Done,
    /// It broke off; the connection is closed.
    Broken,
}

/// An answer that is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the caller is told.
    pub fault: Fault,
    /// When to come back, if that is told.
    pub after: Option<Duration>,
}

/// An answer of a site on its way, or one that needs none.
#[derive(Default)]
pub(super) struct Making(Option<Box<dyn Place>>);

impl Making {
    pub(super) fn at(place: Box<dyn Place>) -> Self {
        Self(Some(place))
    }

    #[cfg(feature = "serve")]
    pub(super) fn is_underway(&self) -> bool {
        self.0.is_some()
    }

    /// Waits for the first word.
    pub(super) fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<Progress> {
        let Some(place) = &mut self.0 else { return Poll::Ready(Progress::Done) };
        let progress = ready!(place.poll_next(cx));
        if progress != Progress::First {
            self.0 = None;
        }
        Poll::Ready(progress)
    }

    /// Waits for the end.
    pub(super) fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<Progress> {
        loop {
            let progress = ready!(self.poll_first(cx));
            if progress != Progress::First {
                return Poll::Ready(progress);
            }
        }
    }
}

impl fmt::Debug for Making {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Making").field(&self.0.is_some()).finish()
    }
}
