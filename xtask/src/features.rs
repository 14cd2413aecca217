//! Each feature alone: code that only compiles beside another feature is found here.
//!
//! What `cargo hack check --each-feature --no-dev-deps` does, without asking anybody to install it.
//! Development dependencies need no treatment: resolver 3 leaves their features out of a `check`.

use crate::{
    Result,
    metadata::Metadata,
    steps::{cargo, passed},
};

pub(crate) fn check(metadata: &Metadata) -> Result {
    for package in metadata.members().filter(|package| package.is_published) {
        let check =
            ["check", "--quiet", "--package", package.name.as_str(), "--no-default-features"];
        println!("{} without features", package.name);
        passed(&mut cargo(&check))?;
        for feature in &package.features {
            println!("{} with {feature}", package.name);
            passed(cargo(&check).args(["--features", feature]))?;
        }
    }
    Ok(())
}
