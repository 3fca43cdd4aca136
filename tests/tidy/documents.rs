//! Rules that keep the documents true to the tree: limits, paths, the map of crates.
//!
//! Each takes the pages as text and the tree, and returns complaints.

use super::source::Source;

/// Rows of the limits table whose constant does not stand in the file with that value.
///
/// A row is `` | `NAME` | `value` | `path` | ``; the code must say `const NAME: … = value;`.
pub fn limits(page: &Source, tree: &[Source]) -> Vec<String> {
    let rows = page.text.lines().filter_map(limit_row).collect::<Vec<_>>();
    if rows.is_empty() {
        return vec![format!("{}: no limits table", page.path)];
    }
    let wrong = rows.iter().filter(|row| !tree.iter().any(|source| states(source, row)));
    wrong.map(|[name, value, path]| format!("{path}: no constant {name} = {value}")).collect()
}

fn limit_row(line: &str) -> Option<[&str; 3]> {
    let mut cells = line.split('|').map(|cell| cell.trim().trim_matches('`'));
    let row = [cells.nth(1)?, cells.next()?, cells.next()?];
    let constant =
        !row[0].is_empty() && row[0].bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    constant.then_some(row)
}

fn states(source: &Source, [name, value, path]: &[&str; 3]) -> bool {
    let line = |line: &str| {
        line.contains(&format!("const {name}:")) && line.ends_with(&format!("= {value};"))
    };
    source.path == *path && source.text.lines().any(line)
}

/// Paths in a page that lead nowhere.
pub fn dead_paths(page: &Source, tree: &[Source]) -> Vec<String> {
    let exists = |path: &str| {
        let folder = format!("{}/", path.trim_end_matches('/'));
        tree.iter().any(|s| s.path == path || s.path.starts_with(&folder))
    };
    let paths = page.text.split(['`', '(', ')', ' ', '\n']).map(|p| p.trim_end_matches([',', '.']));
    let dead = paths.filter(|p| is_path(p)).filter(|p| !exists(p));
    dead.map(|p| format!("{}: `{p}` does not exist", page.path)).collect()
}

/// Words in capitals stand for any name; what is generated or local is not in the tree.
fn is_path(word: &str) -> bool {
    let rooms = ["crates/", "tests/", "fuzz/", "benches/", "scripts/", "docs/"];
    let generated = ["fuzz/artifacts", "fuzz/corpus", "fuzz/target"];
    let placeholder = word.bytes().any(|b| b.is_ascii_uppercase() || b"*<{".contains(&b))
        && !word.ends_with(".md")
        && !word.ends_with("Cargo.toml");
    rooms.iter().any(|room| word.starts_with(room))
        && !generated.iter().any(|path| word.starts_with(path))
        && !placeholder
}

/// Crates that the page does not name.
pub fn unmapped(page: &Source, tree: &[Source]) -> Vec<String> {
    let manifests = tree.iter().filter_map(|s| s.path.strip_suffix("/Cargo.toml"));
    let missing = manifests.filter(|folder| !page.text.contains(&format!("`{folder}`")));
    missing.map(|folder| format!("{}: does not name `{folder}`", page.path)).collect()
}

/// Most lines of the first program that a newcomer reads.
const FIRST_PROGRAM_LINES_MAX: usize = 15;

/// A page that does not print an example word for word, or an example that is too long for it.
pub fn unquoted_code(page: &Source, example: &Source) -> Vec<String> {
    let (_, language) = example.path.rsplit_once('.').unwrap_or_default();
    let language = if language == "rs" { "rust" } else { language };
    let mut program = example.text.trim_end();
    if let Some((header, rest)) = program.split_once("\n\n")
        && header.starts_with("//!")
    {
        program = rest;
    }
    let mut found = Vec::new();
    if !page.text.contains(&format!("```{language}\n{program}\n```")) {
        found.push(format!("{}: does not print {}", page.path, example.path));
    }
    let lines = program.lines().count();
    if lines > FIRST_PROGRAM_LINES_MAX {
        found.push(format!("{}: {lines} lines, at most {FIRST_PROGRAM_LINES_MAX}", example.path));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Vec<Source> {
        vec![
            Source::of("crates/a/Cargo.toml", ""),
            Source::of("crates/a/src/lib.rs", "//! A.\npub const DEPTH_MAX: usize = 20;\n"),
        ]
    }

    fn page(text: &str) -> Source {
        Source::of("ARCHITECTURE.md", text)
    }

    #[test]
    fn a_limit_that_the_code_does_not_state_is_named() {
        let row = |value: &str| format!("| `DEPTH_MAX` | `{value}` | `crates/a/src/lib.rs` |");
        assert_eq!(limits(&page(&row("20")), &tree()), [""; 0]);
        assert_eq!(limits(&page(&row("2")), &tree()).len(), 1);
        assert_eq!(limits(&page("no table"), &tree()).len(), 1);
    }

    #[test]
    fn a_path_that_leads_nowhere_is_named() {
        assert_eq!(dead_paths(&page("see `crates/a/src/` and [b](crates/a)."), &tree()), [""; 0]);
        assert_eq!(dead_paths(&page("see `crates/a/src/gone.rs`"), &tree()).len(), 1);
        assert_eq!(dead_paths(&page("see [gone](docs/GONE.md)"), &tree()).len(), 1);
        assert_eq!(dead_paths(&page("add `crates/a/src/NAME.rs`"), &tree()), [""; 0]);
    }

    #[test]
    fn a_page_prints_the_example_word_for_word() {
        let example = Source::of("x.rs", "//! X.\n\nfn main() {}\n");
        assert_eq!(unquoted_code(&page("```rust\nfn main() {}\n```"), &example), [""; 0]);
        assert_eq!(unquoted_code(&page("```rust\nfn main() { }\n```"), &example).len(), 1);
        let c = Source::of("x.c", "int main(void) {}\n");
        assert_eq!(unquoted_code(&page("```c\nint main(void) {}\n```"), &c), [""; 0]);
        assert_eq!(unquoted_code(&page("```cpp\nint main(void) {}\n```"), &c).len(), 1);
        let long = Source::of("x.rs", &format!("//! X.\n\n{}", "f();\n".repeat(16)));
        assert_eq!(unquoted_code(&page(""), &long).len(), 2);
    }

    #[test]
    fn a_crate_that_the_map_forgets_is_named() {
        assert_eq!(unmapped(&page("| `crates/a` |"), &tree()), [""; 0]);
        assert_eq!(unmapped(&page("nothing"), &tree()).len(), 1);
    }
}
