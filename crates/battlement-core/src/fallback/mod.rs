//! Where a call goes next when one route could not serve it.
//!
//! A failure says where it makes sense to go on: a key without money fails every call, another key
//! none; a prompt that is too long is too long for every model with the same window; and what a
//! filter has stopped is not to be tried at the next provider until one lets it pass. So the
//! [`Policy`] decides by the [`Code`] of the failure, and not by the status.
//!
//! - [`Policy`]: which failures move on, and where to; which are tried again in place before.
//! - [`Choice`]: which route is asked first: by order, by weight, or the one with the least to do.
//! - [`Capabilities`]: what a route cannot do, so that it is not asked at all.
//! - [`Journey`]: where one call has been, and where it goes next. No route is asked twice.
//!
//! ```
//! use battlement_core::{
//!     Code,
//!     fallback::{Choice, Journey, Policy, Standing, Then},
//!     random::Seeded,
//! };
//!
//! let routes = [Standing::new(0), Standing::new(1)];
//! let (policy, mut random) = (Policy::default(), Seeded(7));
//! let mut journey = Journey::default();
//! assert_eq!(journey.next(Choice::Ordered, &routes, &mut random), Some(0));
//! assert_eq!(journey.failed(policy.then(Code::QuotaExhausted), None, 0), Then::Next);
//! assert_eq!(journey.next(Choice::Ordered, &routes, &mut random), Some(1));
//! assert_eq!(policy.then(Code::ContentFilter), Then::End);
//! assert_eq!(journey.next(Choice::Ordered, &routes, &mut random), None);
//! ```

mod capabilities;
mod journey;
mod policy;
#[cfg(test)]
mod tests;

pub use capabilities::{Capabilities, Lack};
pub use journey::{Choice, Journey, MOST_ROUTES, Standing};
pub use policy::{InPlace, Policy, Then};

#[cfg(doc)]
use crate::Code;
