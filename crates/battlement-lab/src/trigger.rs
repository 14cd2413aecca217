//! What goes wrong for a while, from outside.

use std::time::Duration;

use battlement_sim::capacity::Change;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trigger {
    /// Nothing does.
    Calm,
    /// A quarter of the capacity for two minutes.
    Quarter,
    /// No capacity for half a minute: nothing begins, and nothing is said.
    Outage,
    /// Four times the calls for half a minute.
    Burst,
    /// Half of the limits for two minutes.
    Halved,
    /// 429 for everybody for two minutes, and no word about when to come back.
    Flood,
    /// Ten times as slow for two minutes; in one region, where there are two.
    Slow,
    /// Half of the callers' processes start anew and have forgotten everything.
    Restart,
}

impl Trigger {
    /// All that go wrong.
    pub const ALL: [Self; 7] = [
        Self::Quarter,
        Self::Outage,
        Self::Burst,
        Self::Halved,
        Self::Flood,
        Self::Slow,
        Self::Restart,
    ];

    /// Its name in tables and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Quarter => "capacity / 4",
            Self::Outage => "capacity 0",
            Self::Burst => "burst x 4",
            Self::Halved => "limits / 2",
            Self::Flood => "flood of 429",
            Self::Slow => "latency x 10",
            Self::Restart => "restart",
        }
    }

    /// How long it lasts.
    pub const fn lasts(self) -> Duration {
        match self {
            Self::Outage | Self::Burst => Duration::from_secs(30),
            Self::Restart | Self::Calm => Duration::ZERO,
            _ => Duration::from_secs(120),
        }
    }

    /// What happens to the provider at its beginning and end.
    pub(crate) const fn changes(self) -> Option<(Change, Change)> {
        Some(match self {
            Self::Quarter => (Change::Room(0.25), Change::Room(1.0)),
            Self::Outage => (Change::Room(0.0), Change::Room(1.0)),
            Self::Halved => (Change::Limits(0.5), Change::Limits(1.0)),
            Self::Flood => (Change::Flood(true), Change::Flood(false)),
            Self::Slow => (Change::Slowness(10.0), Change::Slowness(1.0)),
            Self::Calm | Self::Burst | Self::Restart => return None,
        })
    }
}
