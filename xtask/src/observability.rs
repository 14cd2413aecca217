//! `cargo xtask observability`: rewrites `docs/observability` from the table of metrics.
//!
//! The test that compares the two does it when asked to, so that this package need not depend on
//! the crates it checks.

use crate::{
    Result,
    steps::{cargo, passed},
};

pub(crate) fn run() -> Result {
    let arguments =
        ["test", "--quiet", "--package", "battlement", "--features", "metrics", "--lib", "printed"];
    passed(cargo(&arguments).env("REWRITE_OBSERVABILITY", "true"))
}
