//! Where the recordings are, and a loud word where they are not.

use std::path::{Path, PathBuf};

/// Environment variable that names the folder of recordings.
pub const VARIABLE: &str = "GAPLESS_RECORDINGS";

/// The folder, or `None` with a line on standard error: the calling test then checks nothing.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os(VARIABLE).map(PathBuf::from).filter(|path| path.is_dir());
    if folder.is_none() {
        eprintln!("!! SKIPPED: set {VARIABLE} to the folder of recordings to run this test");
    }
    folder
}

/// Every capture below the folder, sorted.
#[must_use]
pub fn captures(root: &Path) -> Vec<PathBuf> {
    let children = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
    };
    let mut found: Vec<PathBuf> = children(root)
        .iter()
        .filter(|path| path.is_dir())
        .flat_map(|folder| children(folder))
        .filter(|path| path.to_string_lossy().ends_with(".cap.zst"))
        .collect();
    found.sort();
    found
}
