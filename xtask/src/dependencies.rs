//! Dependencies point one way, as drawn in ARCHITECTURE.md.
//!
//! Only what a crate needs to be built and run counts: its tests may use whatever they like.

use crate::{Result, metadata::Metadata};

/// Our crates that a crate may depend on. Packages not named here, such as tests and benchmarks, may
/// depend on all of these, and nothing on them.
const ALLOWED: [(&str, &[&str]); 6] = [
    ("battlement-core", &[]),
    ("battlement", &["battlement-core"]),
    ("battlement-redis", &["battlement-core", "battlement"]),
    ("battlement-sim", &["battlement-core"]),
    ("battlement-lab", &["battlement-core", "battlement", "battlement-sim"]),
    (
        "battlement-gateway",
        &["battlement-core", "battlement", "battlement-lab", "battlement-redis", "battlement-sim"],
    ),
];

/// What must not be reachable from a crate, by the beginning of the name.
const FORBIDDEN: [(&str, &[&str]); 2] = [
    ("battlement-core", &["tokio", "futures", "tower", "hyper", "reqwest"]),
    ("battlement", &["redis", "fred"]),
];

pub(crate) fn check(metadata: &Metadata) -> Result {
    let members: Vec<&str> = metadata.members().map(|package| package.name.as_str()).collect();
    for package in metadata.members() {
        let allowed = ALLOWED.iter().find(|(name, _)| *name == package.name);
        if allowed.is_none() && package.is_published {
            return Err(format!("{} is published, but has no place in the picture", package.name));
        }
        for dependency in metadata.direct(package).map(|package| package.name.as_str()) {
            let has_place = ALLOWED.iter().any(|(name, _)| *name == dependency);
            let is_allowed = allowed.map_or(has_place, |(_, names)| names.contains(&dependency));
            if members.contains(&dependency) && !is_allowed {
                return Err(format!("{} must not depend on {dependency}", package.name));
            }
        }
        let forbidden = FORBIDDEN.iter().find(|(name, _)| *name == package.name);
        for prefix in forbidden.map_or(&[][..], |(_, prefixes)| prefixes) {
            if let Some(found) =
                metadata.reachable(package).into_iter().find(|found| found.name.starts_with(prefix))
            {
                return Err(format!("{} must not reach {}", package.name, found.name));
            }
        }
    }
    Ok(())
}
