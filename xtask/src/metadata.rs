//! What cargo knows about the workspace.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    Result,
    steps::{cargo, output},
};

/// Every package of the workspace and of its dependencies, all features on.
#[derive(Debug)]
pub(crate) struct Metadata {
    packages: BTreeMap<String, Package>,
    members: Vec<String>,
}

/// One package.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// The oldest compiler it promises to build with.
    pub(crate) rust_version: Option<RustVersion>,
    pub(crate) features: Vec<String>,
    pub(crate) is_published: bool,
    /// What it needs to be built and run: neither tests nor benchmarks.
    dependencies: Vec<String>,
}

/// A compiler's version, such as 1.85.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RustVersion(pub(crate) u32, pub(crate) u32);

impl Metadata {
    /// Asks cargo.
    pub(crate) fn read() -> Result<Self> {
        let text = output(&mut cargo(&["metadata", "--format-version=1", "--all-features"]))?;
        let json: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let mut packages: BTreeMap<_, _> =
            list(&json["packages"]).map(|json| (text_of(&json["id"]), package(json))).collect();
        for node in list(&json["resolve"]["nodes"]) {
            if let Some(package) = packages.get_mut(&text_of(&node["id"])) {
                package.dependencies = list(&node["deps"])
                    .filter(|d| is_needed(d))
                    .map(|d| text_of(&d["pkg"]))
                    .collect();
            }
        }
        let members = list(&json["workspace_members"]).map(text_of).collect();
        Ok(Self { packages, members })
    }

    /// The packages of this workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.members.iter().filter_map(|id| self.packages.get(id))
    }

    /// What a package names in its own manifest.
    pub(crate) fn direct(&self, package: &Package) -> impl Iterator<Item = &Package> {
        package.dependencies.iter().filter_map(|id| self.packages.get(id))
    }

    /// What a package needs, however far away.
    pub(crate) fn reachable<'a>(&'a self, package: &'a Package) -> Vec<&'a Package> {
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<&String> = package.dependencies.iter().collect();
        while let Some(id) = waiting.pop() {
            if let (true, Some(package)) = (seen.insert(id), self.packages.get(id)) {
                waiting.extend(&package.dependencies);
            }
        }
        seen.into_iter().filter_map(|id| self.packages.get(id)).collect()
    }
}

fn package(json: &Value) -> Package {
    Package {
        name: text_of(&json["name"]),
        version: text_of(&json["version"]),
        rust_version: json["rust_version"].as_str().and_then(RustVersion::parse),
        features: json["features"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(f, _)| f.clone())
            .collect(),
        // `publish = false` is an empty list of registries, no restriction is null.
        is_published: json["publish"].is_null(),
        dependencies: Vec::new(),
    }
}

fn is_needed(dependency: &Value) -> bool {
    list(&dependency["dep_kinds"]).any(|kind| kind["kind"] != "dev")
}

fn list(json: &Value) -> impl Iterator<Item = &Value> {
    json.as_array().into_iter().flatten()
}

fn text_of(json: &Value) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

impl RustVersion {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(str::parse);
        Some(Self(parts.next()?.ok()?, parts.next()?.ok()?))
    }
}
