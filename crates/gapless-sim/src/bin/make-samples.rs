//! Writes the sample recordings: `make-samples DIR [--seed N]`.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use gapless_sim::samples;

fn main() -> ExitCode {
    let Some((folder, seed)) = arguments() else {
        eprintln!("usage: make-samples DIR [--seed N]");
        return ExitCode::from(2);
    };
    match samples::write_all(&folder, seed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("make-samples: {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Option<(PathBuf, u64)> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [folder] => Some((PathBuf::from(folder), samples::SEED)),
        [folder, flag, seed] if flag == "--seed" => {
            Some((PathBuf::from(folder), seed.parse().ok()?))
        }
        _ => None,
    }
}
