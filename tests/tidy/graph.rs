//! Rules about who depends on whom, and under which licence.
//!
//! The graph comes from `cargo metadata` for the host, the allowed licences from `deny.toml`: the
//! same list that cargo-deny reads, so that the wall stands where that tool is not installed.

use super::source::root;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Dependencies that a crate may have, whole list.
const ONLY: &[(&str, &[&str])] = &[("gapless-book", &[])];

/// Packages that may not be anywhere below a crate.
const NEVER: &[(&str, &[&str])] = &[
    ("gapless-venues", &["tokio", "mio", "socket2", "serde_derive", "gapless-replay", "gapless"]),
    ("gapless-replay", &["tokio", "mio", "socket2", "gapless"]),
    // What it says is compared with what these read: it must not have it from them. Its `soak`
    // drives the feeds; that nothing else of it does is a wall of the source.
    ("gapless-sim", &["gapless-replay", "gapless"]),
    // A strategy gets no simulator; the command may, and does.
    ("gapless", &["gapless-cli", "gapless-sim", "redis", "axum", "lettre"]),
    // Nor does it get the tables of research, and what they stand on.
    ("gapless", &["gapless-research", "arrow-array", "parquet", "pyo3"]),
];

/// Most packages below the engine, itself not counted.
const ENGINE_PACKAGES_MAX: usize = 120;

/// The packages of the workspace and what they stand on.
pub struct Graph {
    packages: BTreeMap<String, Package>,
    members: BTreeSet<String>,
}

struct Package {
    name: String,
    version: String,
    licence: String,
    source: Option<String>,
    /// What is linked or run to build it: no dev-dependencies.
    uses: Vec<String>,
    /// Dev-dependencies beside.
    tests_with: Vec<String>,
}

impl Graph {
    /// Asks cargo.
    pub fn load() -> Self {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
        let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let mut command = Command::new(cargo);
        command.current_dir(root()).args(["metadata", "--format-version", "1", "--locked"]);
        if cfg!(target_os = "linux") {
            // Other systems' packages need not be downloaded to run this test.
            command.args(["--filter-platform", &platform]);
        }
        let output = command.output().expect("cargo runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo metadata: {errors}");
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
        Self::read(&metadata)
    }

    /// Reads the output of `cargo metadata`.
    pub fn read(metadata: &Value) -> Self {
        let mut packages = BTreeMap::new();
        for package in array(&metadata["packages"]) {
            packages.insert(text(&package["id"]), Package::read(package));
        }
        for node in array(&metadata["resolve"]["nodes"]) {
            let Some(package) = packages.get_mut(&text(&node["id"])) else { continue };
            for edge in array(&node["deps"]) {
                let dev = array(&edge["dep_kinds"]).iter().all(|k| k["kind"] == "dev");
                let list = if dev { &mut package.tests_with } else { &mut package.uses };
                list.push(text(&edge["pkg"]));
            }
        }
        let members = array(&metadata["workspace_members"]).iter().map(text).collect();
        Self { packages, members }
    }

    /// Complaints about the walls between crates.
    pub fn walls(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, allowed) in ONLY {
            for used in self.direct(name) {
                if !allowed.contains(&used) {
                    found.push(format!("{name} may not depend on {used}"));
                }
            }
        }
        for (name, never) in NEVER {
            let below = self.below(name);
            let names = below.iter().map(|id| self.packages[id].name.as_str());
            let forbidden: Vec<_> = names.filter(|used| never.contains(used)).collect();
            let alone = if forbidden.is_empty() { None } else { alone(name) };
            let stands = |used: &&str| alone.as_ref().is_none_or(|all| all.contains(*used));
            for used in forbidden.into_iter().filter(stands) {
                found.push(format!("{name} may not stand on {used}"));
            }
        }
        let engine = self.below("gapless").len();
        // What another member switched on for itself is not below the engine alone; that list has
        // the engine in it.
        let is_more = || alone("gapless").is_none_or(|all| all.len() > ENGINE_PACKAGES_MAX + 1);
        if engine > ENGINE_PACKAGES_MAX && is_more() {
            found.push(format!("gapless: {engine} packages, at most {ENGINE_PACKAGES_MAX}"));
        }
        found
    }

    /// Complaints about licences and origins.
    pub fn licences(&self, allowed: &Allowed) -> Vec<String> {
        let product = self.product_packages();
        let mut found = Vec::new();
        for (id, package) in &self.packages {
            let Package { name, version, licence, source, .. } = package;
            if !self.members.contains(id) && source.as_deref() != Some(CRATES_IO) {
                found.push(format!("{name} {version}: not from crates.io: {source:?}"));
            }
            let excepted = |l: &str| !product.contains(id) && allowed.except(name, l);
            if !satisfied(licence, &|l| allowed.licences.contains(l) || excepted(l)) {
                found.push(format!("{name} {version}: licence `{licence}`"));
            }
        }
        found
    }

    /// Everything that the product crates stand on.
    fn product_packages(&self) -> BTreeSet<String> {
        let product = self.members.iter().map(|id| self.packages[id].name.clone());
        let product = product.filter(|name| name.starts_with("gapless"));
        let shipped = product.filter(|name| !NOT_SHIPPED.contains(&name.as_str()));
        shipped.flat_map(|name| self.below(&name)).collect()
    }

    fn member(&self, name: &str) -> Option<&Package> {
        self.members.iter().map(|id| &self.packages[id]).find(|p| p.name == name)
    }

    fn direct(&self, name: &str) -> Vec<&str> {
        let uses = self.member(name).map_or(&[][..], |p| &p.uses);
        uses.iter().map(|id| self.packages[id].name.as_str()).collect()
    }

    /// Every package below a member, itself not counted; dev-dependencies are not below.
    fn below(&self, name: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&String> = self.member(name).iter().flat_map(|p| &p.uses).collect();
        while let Some(id) = open.pop() {
            if seen.insert(id.clone()) {
                open.extend(&self.packages[id].uses);
            }
        }
        seen
    }
}

/// Members that nobody links: their dependencies may be listed exceptions.
const NOT_SHIPPED: &[&str] = &["gapless-benches", "gapless-tests"];

/// Names of the packages below a member that is built by itself, without the features that other
/// members ask of shared packages; `None` where cargo does not know the member.
fn alone(name: &str) -> Option<BTreeSet<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
    let mut command = Command::new(cargo);
    command.current_dir(root()).args(["tree", "--locked", "-p", name, "-e", "normal,build"]);
    let output = command.args(["--prefix", "none"]).output().expect("cargo runs");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = lines.lines().filter_map(|line| line.split_whitespace().next().map(String::from));
    output.status.success().then(|| names.collect())
}

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

impl Package {
    fn read(package: &Value) -> Self {
        Self {
            name: text(&package["name"]),
            version: text(&package["version"]),
            licence: text(&package["license"]),
            source: package["source"].as_str().map(String::from),
            uses: Vec::new(),
            tests_with: Vec::new(),
        }
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

/// What `deny.toml` allows.
pub struct Allowed {
    licences: BTreeSet<String>,
    /// Package and licence.
    exceptions: BTreeSet<(String, String)>,
}

impl Allowed {
    /// Reads the `allow` and `exceptions` lists of the `[licenses]` section.
    pub fn read(deny: &str) -> Self {
        let section = deny.split("\n[licenses]").nth(1).unwrap_or("");
        let section = section.split("\n[").next().unwrap_or("");
        let list = |name: &str, end: &str| {
            let list = section.split(&format!("\n{name} = [")).nth(1).unwrap_or("");
            list.split(end).next().unwrap_or("").to_string()
        };
        let licences = strings(&list("allow", "]")).into_iter().collect();
        let entries = list("exceptions", "\n]");
        let mut exceptions = BTreeSet::new();
        for line in entries.lines() {
            let mut words = strings(line.split('#').next().unwrap_or("")).into_iter();
            let Some(name) = words.next() else { continue };
            exceptions.extend(words.map(|licence| (name.clone(), licence)));
        }
        Self { licences, exceptions }
    }

    fn except(&self, name: &str, licence: &str) -> bool {
        self.exceptions.contains(&(name.to_string(), licence.to_string()))
    }
}

/// The quoted words of a text, comments left out.
fn strings(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or(""));
    lines.flat_map(|line| line.split('"').skip(1).step_by(2).map(String::from)).collect()
}

/// Whether an SPDX expression can be met with allowed licences.
fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let spaced = spaced.replace(" WITH ", "+WITH+");
    let mut tokens = spaced.split_whitespace().peekable();
    any_of(&mut tokens, allowed) && tokens.next().is_none()
}

type Tokens<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(tokens: &mut Tokens<'_>, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = all_of(tokens, allowed);
    while tokens.next_if(|t| *t == "OR").is_some() {
        met |= all_of(tokens, allowed);
    }
    met
}

fn all_of(tokens: &mut Tokens<'_>, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = one(tokens, allowed);
    while tokens.next_if(|t| *t == "AND").is_some() {
        met &= one(tokens, allowed);
    }
    met
}

fn one(tokens: &mut Tokens<'_>, allowed: &dyn Fn(&str) -> bool) -> bool {
    match tokens.next() {
        Some("(") => {
            let met = any_of(tokens, allowed);
            tokens.next() == Some(")") && met
        }
        Some(licence) => allowed(&licence.replace("+WITH+", " WITH ")),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DENY: &str = "\n[licenses]\nallow = [\n    \"MIT\", # plain\n    \"Apache-2.0\",\n]\n\
         exceptions = [\n    { name = \"rival\", allow = [\"GPL-3.0\"] }, # bench\n]\n[bans]\n";

    /// A workspace of `gapless-book` and `gapless-benches`, each with one dependency.
    fn workspace(book_uses: Value, rival: &str, kind: Value) -> Graph {
        let package = |id: &str, licence: &str, source: Value| {
            let version = "1.0.0";
            json!({"id": id, "name": id, "version": version, "license": licence, "source": source})
        };
        Graph::read(&json!({
            "packages": [
                package("gapless-book", "MIT OR Apache-2.0", Value::Null),
                package("gapless-benches", "MIT OR Apache-2.0", Value::Null),
                package(rival, "GPL-3.0", json!(CRATES_IO)),
            ],
            "workspace_members": ["gapless-book", "gapless-benches"],
            "resolve": {"nodes": [
                {"id": "gapless-book", "deps": book_uses},
                {"id": "gapless-benches", "deps": [{"pkg": rival, "dep_kinds": [{"kind": kind}]}]},
            ]},
        }))
    }

    #[test]
    fn the_engine_depends_on_nothing_but_its_tests_may() {
        let uses = |kind: Value| json!([{"pkg": "rival", "dep_kinds": [{"kind": kind}]}]);
        let graph = workspace(uses(Value::Null), "rival", Value::Null);
        assert_eq!(graph.walls(), ["gapless-book may not depend on rival"]);
        assert_eq!(workspace(uses(json!("dev")), "rival", Value::Null).walls(), [""; 0]);
    }

    #[test]
    fn a_licence_off_the_list_is_refused_save_for_a_listed_rival_in_a_bench() {
        let allowed = Allowed::read(DENY);
        let graph = workspace(json!([]), "rival", Value::Null);
        assert_eq!(graph.licences(&allowed), [""; 0]);
        let graph = workspace(json!([]), "other", Value::Null);
        assert_eq!(graph.licences(&allowed), ["other 1.0.0: licence `GPL-3.0`"]);
        let uses = json!([{"pkg": "rival", "dep_kinds": [{"kind": null}]}]);
        let graph = workspace(uses, "rival", Value::Null);
        assert_eq!(graph.licences(&allowed), ["rival 1.0.0: licence `GPL-3.0`"]);
    }

    #[test]
    fn expressions_are_read_as_spdx_says() {
        let allowed = |l: &str| ["MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"].contains(&l);
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(GPL-3.0 OR MIT) AND Zlib",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
        ] {
            assert!(satisfied(good, &allowed), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "GPL-3.0 OR MIT AND BSL-1.0", "(MIT", "MIT)"]
        {
            assert!(!satisfied(bad, &allowed), "{bad}");
        }
    }
}
