//! What the caller says about a call.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    num::NonZeroU16,
    sync::Arc,
    time::Duration,
};

use battlement_core::{Dialect, Provider, deadline::Deadline, lanes::Lane, queue};

/// What the caller says about a call, as a request extension. All of it is optional.
///
/// ```
/// use std::time::Duration;
///
/// use battlement::call::Options;
/// use battlement_core::lanes::Lane;
///
/// let mut request = http::Request::new("");
/// request.extensions_mut().insert(
///     Options::default()
///         .lane(Lane::Batch)
///         .tenant("acme")
///         .time(Duration::from_secs(3600)),
/// );
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Options {
    pub(super) deadline: Option<Deadline>,
    pub(super) time: Option<Duration>,
    pub(super) lane: Option<Lane>,
    pub(super) tenant: Option<Tenant>,
    pub(super) attempts: Option<u32>,
    pub(super) repeatable: Option<bool>,
    pub(super) dialect: Option<Dialect>,
    pub(super) provider: Option<Provider>,
    pub(super) caching: Caching,
}

impl Options {
    /// Until when the answer is of use. The earlier of this and [`Options::time`] counts; without
    /// both, the lane's [`Terms`](battlement_core::lanes::Terms) do.
    pub fn deadline(mut self, deadline: Deadline) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// For how long from now the answer is of use.
    pub fn time(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// How urgent the call is. [`Lane::Interactive`] unless told otherwise.
    pub fn lane(mut self, lane: Lane) -> Self {
        self.lane = Some(lane);
        self
    }

    /// On whose behalf the call is made. Those who wait for the same limit take turns by tenant.
    pub fn tenant(mut self, tenant: impl Into<Tenant>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// How often the call is tried, the first attempt included: 1 to 100, and what is outside is
    /// taken for the nearest. The lane's terms say otherwise.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// Whether the request may be sent twice, whatever it looks like.
    ///
    /// A request that makes the provider run tools, or refers to state that is kept there, is not
    /// repeated once it may have been sent, unless this says so.
    pub fn repeatable(mut self, repeatable: bool) -> Self {
        self.repeatable = Some(repeatable);
        self
    }

    /// What is spoken, where the address does not tell.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// Who answers, where the address does not tell.
    pub fn provider(mut self, provider: Provider) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Whether the answer may be one that is kept, or that another call gets, too.
    pub fn caching(mut self, caching: Caching) -> Self {
        self.caching = caching;
        self
    }
}

/// Whether the answer to a call may be one that is kept, or that another call gets, too: for the layers `cache` and
/// `single_flight`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Caching {
    /// As the layers are told: for requests that ask for the same answer each time, unless told otherwise.
    #[default]
    Usual,
    /// It may, whatever the temperature is.
    Allow,
    /// The answer has to be a new one, and is kept for others.
    Refresh,
    /// The answer has to be this call's own, and is not kept.
    Bypass,
}

/// On whose behalf a call is made.
///
/// The name is for events and logs; turns are taken by a hash of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Tenant {
    name: Arc<str>,
    share: queue::Tenant,
}

impl Tenant {
    /// A tenant that gets as much as any other.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Self { share: queue::Tenant::new(hasher.finish()), name }
    }

    /// A tenant that gets so many times as much as one of weight 1.
    #[must_use]
    pub fn weight(mut self, weight: NonZeroU16) -> Self {
        self.share.weight = weight;
        self
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How turns are counted.
    pub fn share(&self) -> queue::Tenant {
        self.share
    }
}

impl<T: Into<Arc<str>>> From<T> for Tenant {
    fn from(name: T) -> Self {
        Self::new(name)
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tenant").field(&self.name).finish()
    }
}
