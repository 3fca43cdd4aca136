//! The `gapless` command.
//!
//! Exit codes: 0 ok, 1 failure, 2 usage, 3 data gap found (`verify`), 130 interrupted.
#![forbid(unsafe_code)]

mod args;
mod json;
mod plot;
#[cfg(target_os = "linux")]
mod regions;
mod replay;
mod table;
mod tally;
mod verify;

use args::{Arguments, Command};
use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Ok = 0,
    /// Something failed; it was said on standard error.
    Failure = 1,
    /// A gap, crossed book or refused message was found.
    DataGap = 3,
    /// Ended by Ctrl-C.
    Interrupted = 130,
}

fn main() -> ExitCode {
    let exit = match Arguments::parse().command {
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        #[cfg(target_os = "linux")]
        Command::Books(arguments) => regions::books(&arguments),
        #[cfg(target_os = "linux")]
        Command::Read(arguments) => regions::read(&arguments),
    };
    let exit = exit.unwrap_or_else(|message| {
        eprintln!("gapless: {message}");
        Exit::Failure
    });
    ExitCode::from(exit as u8)
}
