//! The limits, and what is wrong with some.

use std::time::Duration;

/// How long an attempt may take. `None` is no limit.
///
/// Every limit counts the time that is spent waiting for the provider. The time that the caller takes
/// between two looks at the answer is its own.
///
/// ```
/// use std::time::Duration;
///
/// use battlement::timeout::Timeouts;
///
/// // For a model that thinks in silence.
/// let patient = Timeouts { output: Some(Duration::from_secs(300)), ..Timeouts::streaming() };
/// assert!(patient.total > patient.output);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the beginning of the attempt to the head of the answer.
    pub head: Option<Duration>,
    /// From the beginning of the attempt to the first output of the model: text, reasoning, tool
    /// arguments, a refusal. Neither the head nor a ping nor an event without any of these counts.
    pub output: Option<Duration>,
    /// From one event of a stream to the next, once there was output. Pings and comments do not count:
    /// a proxy sends them whether or not a model is still at work behind it.
    ///
    /// In an answer that is not a stream, or that is not read (audio, an unknown encoding), from one
    /// slice of bytes to the next, once there is a head.
    ///
    /// A dead connection is silent as well, so it ends here too. Keep-alive of TCP or HTTP/2, set at the
    /// client, notices one sooner, which is why there is no limit for it alone.
    pub idle: Option<Duration>,
    /// From the beginning of the attempt to the end of the answer.
    pub total: Option<Duration>,
    /// The lowest speed of an answer, once there was output.
    pub throughput: Option<Throughput>,
}

/// A lowest speed.
///
/// In bytes, since most providers tell tokens only at the end. The event around a token of a chat
/// stream takes 150 to 300 bytes. Events without news, such as pings, count for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throughput {
    /// So many bytes have to come for each second of waiting,
    pub bytes_per_second: u32,
    /// on the average of so long a time.
    pub over: Duration,
}

impl Timeouts {
    /// No limit at all, apart from the deadline of the call.
    pub const NONE: Self =
        Self { head: None, output: None, idle: None, total: None, throughput: None };

    /// The usual limits for streams.
    ///
    /// - `head`, 60 s: providers send it when the model begins, or at once. Whoever has sent none after
    ///   a minute has lost the request or queues it.
    /// - `output`, 90 s: above the first word of nearly all calls, a long prompt included, and below
    ///   the patience of nearly all users. Models that think in silence need more.
    /// - `idle`, 90 s: some providers hold a long tool argument back and send only pings meanwhile,
    ///   for a minute and more. Clients that are used much settled on the same.
    /// - `total`, 10 min: what the official SDKs allow, and the deadline of an interactive call.
    /// - `throughput`, off: how slow is too slow depends on the model.
    pub const fn streaming() -> Self {
        Self {
            head: Some(Duration::from_secs(60)),
            output: Some(Duration::from_secs(90)),
            idle: Some(Duration::from_secs(90)),
            total: Some(Duration::from_secs(600)),
            throughput: None,
        }
    }

    /// The usual limits for answers that come as a whole.
    ///
    /// - `head` and `output`, off: they come when everything is written, so `total` is their limit.
    /// - `idle`, 60 s: what is written is only sent, and a pause is one of the network; some providers
    ///   send blank lines before, and these count.
    /// - `total`, 10 min: as for streams.
    pub const fn whole() -> Self {
        Self {
            idle: Some(Duration::from_secs(60)),
            total: Some(Duration::from_secs(600)),
            ..Self::NONE
        }
    }

    /// Says what is wrong.
    pub(super) fn check(&self) -> Result<(), InvalidTimeouts> {
        let over = self.throughput.map(|throughput| throughput.over);
        let limits = [
            ("head", self.head),
            ("output", self.output),
            ("idle", self.idle),
            ("total", self.total),
            ("throughput.over", over),
        ];
        for (name, limit) in limits {
            if limit.is_some_and(|limit| limit < Duration::from_millis(1)) {
                return Err(InvalidTimeouts::TooShort { name });
            }
        }
        match self.throughput {
            Some(Throughput { bytes_per_second: 0, .. }) => Err(InvalidTimeouts::NoSpeed),
            _ => Ok(()),
        }
    }
}

/// A limit with which no call could succeed, or that limits nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTimeouts {
    /// A time of less than a millisecond, which no answer can keep.
    #[error("{name} is shorter than 1 ms; None turns it off")]
    TooShort {
        /// The setting.
        name: &'static str,
    },
    /// A lowest speed of zero.
    #[error("the lowest speed is zero; None turns it off")]
    NoSpeed,
}
