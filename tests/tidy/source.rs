//! The tree as text: which files there are, and which bytes of a Rust file are code.
//!
//! Every rule works on [`Source`]s; none reads a file of its own. Offsets and line numbers of all
//! views are those of the file, because what a view hides is blanked, not cut.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A tracked file.
pub struct Source {
    /// From the root of the repository, with `/`.
    pub path: String,
    /// Its bytes as text; empty for a file that is not UTF-8.
    pub text: String,
    /// Length in bytes.
    pub len: u64,
}

impl Source {
    /// A file that exists only in a test.
    #[cfg(test)]
    pub fn of(path: &str, text: &str) -> Self {
        Self { path: path.to_string(), text: text.to_string(), len: text.len() as u64 }
    }

    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it is a manifest of cargo.
    pub fn is_manifest(&self) -> bool {
        self.path == "Cargo.toml" || self.path.ends_with("/Cargo.toml")
    }

    /// Whether it is Rust of a crate itself, not of its tests, benches or examples.
    pub fn ships(&self) -> bool {
        let room = self.path.strip_prefix("crates/").and_then(|path| path.split('/').nth(1));
        self.is_rust() && room == Some("src")
    }

    /// The Rust text with comments and the contents of literals blanked.
    pub fn code(&self) -> String {
        blank(&self.text, &[Kind::Comment, Kind::Literal])
    }

    /// The Rust text with the contents of literals blanked.
    pub fn unquoted(&self) -> String {
        blank(&self.text, &[Kind::Literal])
    }

    /// The Rust text with comments and `#[cfg(test)]` items blanked: what ships.
    pub fn shipped(&self) -> String {
        let mut text = blank(&self.text, &[Kind::Comment]);
        let code = self.code();
        for item in test_items(&code) {
            blank_range(&mut text, item);
        }
        text
    }

    /// As [`Self::shipped`], with the contents of literals blanked too.
    pub fn shipped_code(&self) -> String {
        let mut code = self.code();
        for item in test_items(&code) {
            blank_range(&mut code, item);
        }
        code
    }
}

/// Root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the root").to_path_buf()
}

/// Every tracked file, or every file outside build folders where there is no git.
pub fn tree() -> Vec<Source> {
    let root = root();
    tracked(&root)
        .unwrap_or_else(|| walked(&root))
        .into_iter()
        .filter_map(|path| {
            let bytes = std::fs::read(root.join(&path)).ok()?;
            let len = bytes.len() as u64;
            Some(Source { path, text: String::from_utf8(bytes).unwrap_or_default(), len })
        })
        .collect()
}

fn tracked(root: &Path) -> Option<Vec<String>> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").current_dir(root).args(list).output().ok()?;
    let names = String::from_utf8(output.stdout).ok()?;
    let files: Vec<_> = names.split('\0').filter(|n| !n.is_empty()).map(String::from).collect();
    (output.status.success() && !files.is_empty()).then_some(files)
}

fn walked(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir() {
                let built = ["target", ".git", ".venv", "artifacts", "corpus", "__pycache__"];
                if !built.iter().any(|b| name == *b) {
                    folders.push(path);
                }
            } else if let Ok(relative) = path.strip_prefix(root) {
                files.push(relative.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    files
}

/// Line number, from 1, of a byte offset.
pub fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count()
}

/// Offset just after the bracket that closes the one at `open`.
pub fn closing(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

/// The items under `#[cfg(test)]`, as ranges of offsets.
fn test_items(code: &str) -> Vec<std::ops::Range<usize>> {
    let mut items = Vec::new();
    let mut from = 0;
    while let Some(at) = code[from..].find("#[cfg(test)]").map(|at| from + at) {
        let after = at + "#[cfg(test)]".len();
        let end = match code[after..].find(['{', ';']).map(|end| after + end) {
            Some(end) if code.as_bytes()[end] == b'{' => closing(code, end),
            Some(end) => Some(end + 1),
            None => None,
        };
        from = end.unwrap_or(code.len());
        items.push(at..from);
    }
    items
}

fn blank_range(text: &mut String, range: std::ops::Range<usize>) {
    let blanked: String = text[range.clone()].bytes().map(blank_byte).collect();
    text.replace_range(range, &blanked);
}

fn blank_byte(byte: u8) -> char {
    if byte == b'\n' { '\n' } else { ' ' }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// The text with every byte of the given kinds replaced by a blank; newlines stay.
fn blank(text: &str, hidden: &[Kind]) -> String {
    let kinds = kinds(text.as_bytes());
    let bytes = text.bytes().zip(kinds);
    let kept =
        bytes.map(|(byte, kind)| if hidden.contains(&kind) && byte != b'\n' { b' ' } else { byte });
    String::from_utf8(kept.collect()).expect("characters are of one kind as a whole")
}

/// What each byte of a Rust text is.
fn kinds(text: &[u8]) -> Vec<Kind> {
    let mut kinds = vec![Kind::Code; text.len()];
    let mut at = 0;
    while at < text.len() {
        let (kind, end) = token(text, at);
        kinds[at..end].fill(kind);
        at = end;
    }
    kinds
}

/// The comment, literal or single byte of code at `at`, and its end.
fn token(text: &[u8], at: usize) -> (Kind, usize) {
    let rest = &text[at..];
    if rest.starts_with(b"//") {
        return (Kind::Comment, at + until(rest, b"\n"));
    }
    if rest.starts_with(b"/*") {
        return (Kind::Comment, at + block_comment(rest));
    }
    match rest[0] {
        b'"' => (Kind::Literal, at + quoted(rest)),
        b'r' if !follows_a_word(text, at) && raw_string(rest).is_some() => {
            (Kind::Literal, at + raw_string(rest).unwrap_or(1))
        }
        b'\'' => match character(rest) {
            Some(len) => (Kind::Literal, at + len),
            None => (Kind::Code, at + 1),
        },
        _ => (Kind::Code, at + 1),
    }
}

fn until(rest: &[u8], end: &[u8]) -> usize {
    rest.windows(end.len()).position(|w| w == end).unwrap_or(rest.len())
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
        if depth == 0 {
            break;
        }
    }
    at.min(rest.len())
}

fn quoted(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != b'"' {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// `br` and `cr` strings are found at their `r`.
fn follows_a_word(text: &[u8], at: usize) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    match at.checked_sub(1).map(|before| text[before]) {
        Some(b'b' | b'c') => at >= 2 && word(text[at - 2]),
        Some(byte) => word(byte),
        None => false,
    }
}

fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|b| **b == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let open = hashes + 2;
    let end = [b"\"".as_slice(), &rest[1..=hashes]].concat();
    Some((open + until(&rest[open..], &end) + end.len()).min(rest.len()))
}

/// Length of a character literal; `None` for a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        return Some(3 + until(&rest[3..], b"'") + 1);
    }
    let first = std::str::from_utf8(&rest[1..rest.len().min(5)])
        .or_else(|e| std::str::from_utf8(&rest[1..1 + e.valid_up_to()]))
        .ok()?
        .chars()
        .next()?;
    let end = 1 + first.len_utf8();
    (rest.get(end) == Some(&b'\'')).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        Source::of("x.rs", text).code()
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        assert_eq!(code("a // b\nc"), "a     \nc");
        assert_eq!(code("a /* b /* c */ d */ e"), "a                   e");
        assert_eq!(code(r#"a("b\"c{") d"#), "a(       ) d");
        assert_eq!(code(r###"a(br#"{"b""#) d"###), "a(b         ) d");
        assert_eq!(
            code("m('{', '\\'', b'}', '\\u{1F}')").trim_end(),
            "m(   ,     , b   ,         )"
        );
    }

    #[test]
    fn lifetimes_and_raw_names_are_code() {
        assert_eq!(code("fn f<'a>(r#type: &'a str) {}"), "fn f<'a>(r#type: &'a str) {}");
    }

    #[test]
    fn what_stands_under_cfg_test_does_not_ship() {
        let source = Source::of("x.rs", "a\n#[cfg(test)]\nmod tests { fn b() {} }\nc\n");
        let words: Vec<_> = source.shipped_code().split_whitespace().map(String::from).collect();
        assert_eq!(words, ["a", "c"]);
        let source = Source::of("x.rs", "#[cfg(test)]\nextern crate std;\nc");
        assert_eq!(source.shipped_code().trim(), "c");
    }

    #[test]
    fn the_tree_holds_this_file() {
        assert!(tree().iter().any(|s| s.path == "tests/tidy/source.rs" && s.is_rust()));
    }
}
