//! The walls of the house, checked by a machine.
//!
//! Each test runs one rule over the whole tree and prints every place that breaks it. The rules
//! are functions over text, in `tidy/`; each is shown red there on a bad snippet.

#[path = "tidy/documents.rs"]
mod documents;
#[path = "tidy/graph.rs"]
mod graph;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/walls.rs"]
mod walls;

use source::Source;

/// Runs a rule over every file.
fn check(rule: fn(&Source) -> Vec<String>) {
    none(source::tree().iter().flat_map(rule).collect());
}

#[track_caller]
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn lines_fit_the_window() {
    check(shape::long_lines);
}

#[test]
fn functions_fit_one_screen() {
    check(shape::long_functions);
}

#[test]
fn modules_say_what_they_hold() {
    check(shape::missing_header);
}

#[test]
fn names_say_what_is_inside() {
    check(shape::empty_names);
}

#[test]
fn files_are_small() {
    check(shape::large_files);
}

#[test]
fn nothing_is_left_unfinished() {
    check(shape::unfinished);
}

#[test]
fn nothing_is_bound_to_one_machine() {
    check(shape::machine_bound);
}

#[test]
fn venues_are_named_in_their_rooms_only() {
    check(walls::venue_names);
}

#[test]
fn unsafe_code_is_in_its_rooms_and_reasoned() {
    check(walls::unsafe_code);
}

#[test]
fn memory_orderings_are_under_publish_only() {
    check(walls::atomic_orderings);
}

#[test]
fn no_lock_is_on_the_way_of_a_frame() {
    check(walls::locks);
}

#[test]
fn crates_without_io_have_none() {
    check(walls::forbidden_words);
}

#[test]
fn dependencies_give_their_reason() {
    check(walls::unreasoned_dependencies);
}

#[test]
fn crate_roots_refuse_unsafe_code() {
    check(walls::crate_attributes);
}

#[test]
fn dependencies_point_down_only() {
    none(graph::Graph::load().walls());
}

#[test]
fn licences_and_origins_are_those_that_deny_toml_allows() {
    let deny = std::fs::read_to_string(source::root().join("deny.toml")).expect("deny.toml");
    none(graph::Graph::load().licences(&graph::Allowed::read(&deny)));
}

#[test]
fn the_front_door_is_complete() {
    let wanted =
        ["LICENSE-MIT", "LICENSE-APACHE", "deny.toml", "rust-toolchain.toml", "Cargo.lock"];
    let missing = wanted.iter().filter(|file| !source::root().join(file).is_file());
    none(missing.map(|file| format!("{file} is missing")).collect());
}

#[test]
fn the_limits_table_states_the_code_s_constants() {
    none(documents::limits(&document("ARCHITECTURE.md"), &source::tree()));
}

#[test]
fn the_documents_point_at_what_exists() {
    let tree = source::tree();
    let pages = tree.iter().filter(|s| s.path.ends_with(".md"));
    none(pages.flat_map(|page| documents::dead_paths(page, &tree)).collect());
}

#[test]
fn the_map_names_every_crate() {
    none(documents::unmapped(&document("ARCHITECTURE.md"), &source::tree()));
}

#[test]
fn the_first_books_of_the_readme_are_the_examples_that_are_compiled_and_run() {
    let page = document("README.md");
    let examples = [
        "crates/gapless/examples/first_book.rs",
        "bindings/c/examples/first_book.c",
        "bindings/c/examples/first_book.cpp",
    ];
    none(examples.iter().flat_map(|e| documents::unquoted_code(&page, &document(e))).collect());
}

fn document(name: &str) -> Source {
    let found = source::tree().into_iter().find(|s| s.path == name);
    found.unwrap_or_else(|| panic!("{name} is there"))
}
