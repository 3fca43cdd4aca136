//! Rules about the shape of the text: lengths, headers, names, marks left behind.
//!
//! Each rule takes a [`Source`] and returns complaints of the form `path:line: what`.

use super::source::{Source, closing, line_of};

/// Longest line, in characters.
pub const COLUMNS_MAX: usize = 100;
/// Longest function, in lines, from its `fn` to its closing brace.
pub const FUNCTION_LINES_MAX: usize = 70;
/// Largest tracked file.
pub const FILE_BYTES_MAX: u64 = 1 << 20;
/// File and folder names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "common", "commons", "helper", "helpers", "misc", "stuff", "shared"];

/// Marks of unfinished work. Written in halves, so that this file passes its own rule.
const MARKS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[ign", "ore"),
];

/// Paths of one person's machine and hosts of one company's network.
const MACHINE_MARKS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/t", "mp/"),
    concat!("C:", "\\\\"),
    concat!("artif", "actory"),
    concat!("nex", "us."),
    concat!("index-", "url"),
    concat!("replace", "-with"),
];

/// Lines that do not fit the window. In tests a raw literal may be longer: it is a frame as it
/// comes from the wire, and a frame has one line.
pub fn long_lines(source: &Source) -> Vec<String> {
    let script = source.text.starts_with("#!/");
    let suffixes = [".rs", ".py", ".c", ".h"];
    if !script && !suffixes.iter().any(|suffix| source.path.ends_with(suffix)) {
        return Vec::new();
    }
    let (shipped, unquoted) = (source.shipped(), source.unquoted());
    let views = shipped.lines().zip(unquoted.lines());
    let lines = source.text.lines().zip(views).enumerate();
    lines
        .filter(|(_, (line, _))| line.chars().count() > COLUMNS_MAX)
        .filter(|(_, (line, views))| !is_frame(source, line, *views))
        .map(|(at, (line, _))| {
            let columns = line.chars().count();
            format!("{}:{}: {columns} columns, at most {COLUMNS_MAX}", source.path, at + 1)
        })
        .collect()
}

fn is_frame(source: &Source, line: &str, (shipped, unquoted): (&str, &str)) -> bool {
    let in_test = !source.path.contains("/src/")
        || source.path.ends_with("tests.rs")
        || shipped.trim().is_empty();
    // A raw literal begins or ends here, or the line is inside of one.
    in_test && (line.contains("r#\"") || line.contains("\"#") || unquoted.trim().is_empty())
}

/// Functions that do not fit one screen.
pub fn long_functions(source: &Source) -> Vec<String> {
    let code = source.code();
    let functions = function_spans(&code).into_iter();
    functions
        .map(|span| (line_of(&code, span.start), line_of(&code, span.end)))
        .filter(|(first, last)| last - first + 1 > FUNCTION_LINES_MAX)
        .map(|(first, last)| {
            let lines = last - first + 1;
            let path = &source.path;
            format!("{path}:{first}: a function of {lines} lines, at most {FUNCTION_LINES_MAX}")
        })
        .collect()
}

/// From each `fn` with a body to its last brace.
fn function_spans(code: &str) -> Vec<std::ops::Range<usize>> {
    let mut spans = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code[..at].bytes().next_back();
        if before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') {
            continue;
        }
        if let Some(open) = body(code, at) {
            spans.push(at..closing(code, open).unwrap_or(code.len()) - 1);
        }
    }
    spans
}

/// The brace that opens a function's body; `None` where it has none.
fn body(code: &str, function: usize) -> Option<usize> {
    let mut at = function;
    loop {
        match *code.as_bytes().get(at)? {
            b'{' => return Some(at),
            b';' => return None,
            b'(' | b'[' => at = closing(code, at)?,
            _ => at += 1,
        }
    }
}

/// A module that does not say what it holds.
pub fn missing_header(source: &Source) -> Vec<String> {
    if source.is_rust() && !source.text.starts_with("//! ") {
        return vec![format!("{}:1: a module opens with `//!`: what it holds", source.path)];
    }
    Vec::new()
}

/// A file whose name says nothing.
pub fn empty_names(source: &Source) -> Vec<String> {
    let parts = source.path.split('/').map(|part| part.split('.').next().unwrap_or(part));
    parts
        .filter(|stem| EMPTY_NAMES.contains(stem))
        .map(|stem| format!("{}: `{stem}` says nothing about what is inside", source.path))
        .collect()
}

/// A file that belongs in a store, not in a repository.
pub fn large_files(source: &Source) -> Vec<String> {
    if source.len > FILE_BYTES_MAX {
        let (path, len) = (&source.path, source.len);
        return vec![format!("{path}: {len} bytes, at most {FILE_BYTES_MAX}")];
    }
    Vec::new()
}

/// Marks of unfinished work.
pub fn unfinished(source: &Source) -> Vec<String> {
    marks(source, MARKS, "unfinished")
}

/// Names of one machine or one network.
pub fn machine_bound(source: &Source) -> Vec<String> {
    marks(source, MACHINE_MARKS, "bound to a machine")
}

fn marks(source: &Source, marks: &[&str], why: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, line) in source.text.lines().enumerate() {
        for mark in marks.iter().filter(|mark| has_mark(line, mark)) {
            found.push(format!("{}:{}: `{mark}`: {why}", source.path, at + 1));
        }
    }
    found
}

/// A mark of letters only must stand as a word of its own.
fn has_mark(line: &str, mark: &str) -> bool {
    let word = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    let letters = mark.bytes().all(|b| b.is_ascii_alphabetic());
    line.match_indices(mark).any(|(at, _)| {
        let bytes = line.as_bytes();
        let before = at.checked_sub(1).map(|at| bytes[at]);
        !letters || !(word(before) || word(bytes.get(at + mark.len()).copied()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Source {
        Source::of("crates/gapless-book/src/x.rs", text)
    }

    #[test]
    fn a_line_of_101_characters_is_too_long_and_one_of_100_is_not() {
        assert_eq!(long_lines(&of(&"é".repeat(100))), [""; 0]);
        assert_eq!(long_lines(&of(&"é".repeat(101))).len(), 1);
        assert_eq!(
            long_lines(&Source::of("scripts/x", &format!("#!/bin/sh\n{:101}x", ""))).len(),
            1
        );
    }

    #[test]
    fn only_a_frame_in_a_test_may_be_longer() {
        let frame = format!("const A: &str = r#\"{:100}\"#;", "");
        assert_eq!(long_lines(&of(&frame)).len(), 1);
        assert_eq!(long_lines(&of(&format!("#[cfg(test)]\nmod t {{\n{frame}\n}}"))), [""; 0]);
        assert_eq!(long_lines(&Source::of("tests/gaps.rs", &frame)), [""; 0]);
        let middle = format!("const A: &str = r#\"\n{:101}{{\n\"#;", "");
        assert_eq!(long_lines(&Source::of("tests/gaps.rs", &middle)), [""; 0]);
        let comment = format!("// {:101}.", "");
        assert_eq!(long_lines(&Source::of("tests/gaps.rs", &comment)).len(), 1);
    }

    #[test]
    fn a_function_of_71_lines_is_too_long_and_one_of_70_is_not() {
        let function = |lines: usize| {
            format!(
                "fn f(a: [u8; 2]) -> u8 {{\n{}}}\nfn g();\n",
                "    a(); // }\n".repeat(lines - 2)
            )
        };
        assert_eq!(long_functions(&of(&function(70))), [""; 0]);
        let complaints = long_functions(&of(&function(71)));
        assert_eq!(
            complaints,
            ["crates/gapless-book/src/x.rs:1: a function of 71 lines, at most 70"]
        );
    }

    #[test]
    fn a_module_without_a_header_is_named() {
        assert_eq!(missing_header(&of("//! Holds x.\n")), [""; 0]);
        assert_eq!(missing_header(&of("// Holds x.\n")).len(), 1);
        assert_eq!(missing_header(&of("use x;\n//! late\n")).len(), 1);
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        for path in ["crates/x/src/utils.rs", "crates/x/src/common/mod.rs", "tests/helpers.rs"] {
            assert_eq!(empty_names(&Source::of(path, "")).len(), 1, "{path}");
        }
        assert_eq!(empty_names(&Source::of("crates/x/src/levels.rs", "")), [""; 0]);
    }

    #[test]
    fn marks_of_unfinished_work_are_found_in_code_and_comments() {
        for mark in MARKS {
            assert_eq!(unfinished(&of(&format!("// {mark} later"))).len(), 1, "{mark}");
        }
        assert_eq!(unfinished(&of(concat!("// TO", "DOS and MASTO", "DON"))), [""; 0]);
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        for mark in MACHINE_MARKS {
            assert_eq!(machine_bound(&of(&format!("let x = \"{mark}\";"))).len(), 1, "{mark}");
        }
    }

    #[test]
    fn a_file_over_a_mebibyte_is_refused() {
        let mut source = of("");
        source.len = FILE_BYTES_MAX + 1;
        assert_eq!(large_files(&source).len(), 1);
        source.len -= 1;
        assert_eq!(large_files(&source), [""; 0]);
    }
}
