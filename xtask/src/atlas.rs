//! `cargo xtask atlas`: rewrites the failure atlas from the table of codes.
//!
//! The test that compares the two does it when asked to, so that this package need not depend on
//! the crates it checks.

use crate::{
    Result,
    steps::{cargo, passed},
};

pub(crate) fn run() -> Result {
    let arguments = ["test", "--quiet", "--package", "battlement-core", "--lib", "code::tests"];
    passed(cargo(&arguments).env("REWRITE_ATLAS", "true"))
}
