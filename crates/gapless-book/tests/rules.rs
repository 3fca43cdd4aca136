//! Every rule of the sequencer and of the local book, as tables of messages and what each must do.
//!
//! A row is a message and its verdict, the state after it and what the book then asks for; a table
//! ends with every counter. Sections and rows (C01 …) are those of the protocol specification.
//! The tests are sharp on purpose: changing any rule in `sequence.rs`, `local/` or `held.rs`
//! turns one of them red (`CONTRIBUTING.md`, mutation testing).

#[path = "rules/bridging.rs"]
mod bridging;
#[path = "rules/chains.rs"]
mod chains;
#[path = "rules/script.rs"]
mod script;
#[path = "rules/states.rs"]
mod states;
