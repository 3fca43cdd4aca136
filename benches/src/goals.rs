//! What every row must reach: read from `goals.toml`, the one place where the numbers stand.
//!
//! Invariant: every row that is measured has a goal for its instruction set.

use serde::Deserialize;
use std::collections::BTreeMap;

/// One row of `goals.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// What is measured.
    pub work: String,
    /// Least ratio by instruction set; `any` = all of them.
    must: BTreeMap<String, f64>,
    /// Ratio aimed at.
    aim: BTreeMap<String, f64>,
}

/// All rows.
#[derive(Clone, Debug, Deserialize)]
pub struct Goals(BTreeMap<String, Goal>);

impl Goals {
    /// The goals that the project has set itself.
    ///
    /// # Errors
    /// The file does not parse.
    pub fn read() -> Result<Self, toml::de::Error> {
        toml::from_str(include_str!("../goals.toml"))
    }

    /// A row's goal. Its id may have a part after `_`, which is not part of the row's name.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Goal> {
        self.0.get(id)
    }

    /// All rows by id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Goal)> {
        self.0.iter().map(|(id, goal)| (id.as_str(), goal))
    }
}

impl Goal {
    /// Least ratio on an instruction set.
    #[must_use]
    pub fn must(&self, isa: &str) -> Option<f64> {
        self.must.get(isa).or_else(|| self.must.get("any")).copied()
    }

    /// Ratio aimed at on an instruction set.
    #[must_use]
    pub fn aim(&self, isa: &str) -> Option<f64> {
        self.aim.get(isa).or_else(|| self.aim.get("any")).copied()
    }

    /// The instruction sets that have a value of their own; `any` if they share one.
    pub fn isas(&self) -> impl Iterator<Item = &str> {
        self.must.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_must_and_a_higher_aim() {
        let goals = Goals::read().unwrap();
        let rows: Vec<&str> = goals.iter().map(|(id, _)| id).collect();
        for row in ["P1", "P2", "P3", "P4", "P5", "B1", "B2", "B3", "B4", "B5", "E1", "E2"] {
            assert!(rows.contains(&row), "{row}");
        }
        for (id, goal) in goals.iter() {
            for isa in goal.isas() {
                assert!(goal.must(isa) <= goal.aim(isa), "{id} {isa}");
            }
        }
    }
}
