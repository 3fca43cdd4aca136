//! What can be wrong with an input: one enum whose text is one line that a person can act on.
//!
//! Every variant names the file, what is wrong and what to do. File names and quoted bytes are
//! escaped when the error is made, so a hostile name cannot break the line.

use std::fmt;
use std::io;
use std::sync::Arc;

/// Longest piece of a file quoted in an error, in characters.
const QUOTE_MAX: usize = 60;

/// Name of an input as shown to people; cheap to clone, control characters escaped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(Arc<str>);

impl FileName {
    /// A name fit for one line of text.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(escape(name, usize::MAX).into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why an input, or a line of it, cannot be read.
///
/// After an error for which [`ReplayError::is_fatal`] is false the reader goes on with the next
/// line; the line itself is lost, so every book of that input must be taken for not live.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Nothing at that path.
    #[error("{file}: no such file or folder; check the path")]
    Missing {
        /// The path.
        file: FileName,
    },
    /// The operating system refused.
    #[error("{file}: cannot be read ({error}); check that it is a file that you may read")]
    Unreadable {
        /// The path.
        file: FileName,
        /// What the system said.
        error: io::Error,
    },
    /// A folder or pattern without a recording in it.
    #[error("{file}: holds no recording ({wanted}); name the file itself if it is one")]
    NoneFound {
        /// The folder or pattern.
        file: FileName,
        /// The suffixes that were looked for.
        wanted: &'static str,
    },
    /// A pattern that no file matches.
    #[error("{file}: no file matches; check the path and the pattern")]
    NoMatch {
        /// The pattern.
        file: FileName,
    },
    /// Not a pattern.
    #[error("{file}: not a valid pattern ({what}); quote a name that has *, ? or [ in it")]
    Pattern {
        /// The pattern.
        file: FileName,
        /// What is wrong with it.
        what: String,
    },
    /// More files than can be replayed at once.
    #[error("{file}: more than {max} files; replay a part of them")]
    TooMany {
        /// The folder or pattern.
        file: FileName,
        /// The limit.
        max: usize,
    },
    /// No bytes, or nothing but empty lines.
    #[error("{file}: is empty; there is nothing to replay")]
    Empty {
        /// The input.
        file: FileName,
    },
    /// The form cannot be told, or is not one that is read here.
    #[error("{file}: {what}; {fix}")]
    UnknownFormat {
        /// The input.
        file: FileName,
        /// What was found.
        what: String,
        /// What to do.
        fix: &'static str,
    },
    /// Neither the input nor its first frames tell the venue.
    #[error("{file}: its frames do not tell the venue; name it with --venue")]
    UnknownVenue {
        /// The input.
        file: FileName,
    },
    /// A line that is not of the input's form.
    #[error("{file}: line {line} (byte {byte}): {what}; {fix}")]
    BadLine {
        /// The input.
        file: FileName,
        /// Number of the line, from 1.
        line: u64,
        /// Offset of the line in the unpacked text.
        byte: u64,
        /// What is wrong.
        what: &'static str,
        /// What to do.
        fix: &'static str,
    },
    /// A line beyond [`crate::lines::LINE_MAX`].
    #[error(
        "{file}: line {line} (byte {byte}): longer than {max} bytes; \
         it was skipped, check that the file is a recording"
    )]
    LineTooLong {
        /// The input.
        file: FileName,
        /// Number of the line, from 1.
        line: u64,
        /// Offset of the line in the unpacked text.
        byte: u64,
        /// The limit.
        max: usize,
    },
    /// The compressed stream ends too early.
    #[error(
        "{file}: the {container} stream is cut short after byte {byte}; \
         everything before was read, fetch the file again for the rest"
    )]
    Truncated {
        /// The input.
        file: FileName,
        /// `gzip` or `zstd`.
        container: &'static str,
        /// Unpacked bytes that could be read.
        byte: u64,
    },
    /// The compressed stream is damaged.
    #[error(
        "{file}: the {container} stream is damaged after byte {byte} ({error}); \
         everything before was read, fetch the file again"
    )]
    Corrupt {
        /// The input.
        file: FileName,
        /// `gzip` or `zstd`.
        container: &'static str,
        /// Unpacked bytes that could be read.
        byte: u64,
        /// What the decoder said.
        error: io::Error,
    },
    /// Several of these.
    #[error("{}", listed(.first, .others, *.more))]
    Several {
        /// The first one.
        first: Box<ReplayError>,
        /// Those after it, [`ERRORS_MAX`] with it.
        others: Vec<ReplayError>,
        /// How many came after them.
        more: u64,
    },
}

/// Most errors that [`ReplayError::Several`] keeps; a damaged file may have one a line.
pub const ERRORS_MAX: usize = 100;

/// One a line.
fn listed(first: &ReplayError, others: &[ReplayError], more: u64) -> String {
    let mut text = first.to_string();
    for other in others {
        text.push_str(&format!("\n{other}"));
    }
    if more > 0 {
        text.push_str(&format!("\nand {more} more"));
    }
    text
}

impl ReplayError {
    /// This error and one that came after it.
    #[must_use]
    pub fn and(self, next: Self) -> Self {
        let (first, mut others, mut more) = match self {
            Self::Several { first, others, more } => (first, others, more),
            one => (Box::new(one), Vec::new(), 0),
        };
        if others.len() + 1 < ERRORS_MAX {
            others.push(next);
        } else {
            more += 1;
        }
        Self::Several { first, others, more }
    }

    /// The input that it is about.
    #[must_use]
    pub fn file(&self) -> &FileName {
        match self {
            Self::Missing { file }
            | Self::Unreadable { file, .. }
            | Self::NoneFound { file, .. }
            | Self::NoMatch { file }
            | Self::Pattern { file, .. }
            | Self::TooMany { file, .. }
            | Self::Empty { file }
            | Self::UnknownVenue { file }
            | Self::UnknownFormat { file, .. }
            | Self::BadLine { file, .. }
            | Self::LineTooLong { file, .. }
            | Self::Truncated { file, .. }
            | Self::Corrupt { file, .. } => file,
            Self::Several { first, .. } => first.file(),
        }
    }

    /// The line that it is about, from 1.
    #[must_use]
    pub fn line(&self) -> Option<u64> {
        match self {
            Self::BadLine { line, .. } | Self::LineTooLong { line, .. } => Some(*line),
            Self::Several { first, .. } => first.line(),
            _ => None,
        }
    }

    /// Whether the input ends here. If not, one line is lost and reading goes on after it.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::BadLine { .. } | Self::LineTooLong { .. } => false,
            Self::Several { first, others, .. } => {
                first.is_fatal() || others.iter().any(Self::is_fatal)
            }
            _ => true,
        }
    }
}

/// Bytes of a file as one short line: what is no text as hexadecimal escapes, cut with `…`.
#[must_use]
pub fn quote(bytes: &[u8]) -> String {
    let head = bytes.get(..QUOTE_MAX * 4).unwrap_or(bytes);
    let text = head.utf8_chunks().fold(String::new(), |mut text, chunk| {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
        text
    });
    let mut quoted = escape(&text, QUOTE_MAX);
    if text.chars().count() > QUOTE_MAX || head.len() < bytes.len() {
        quoted.push('…');
    }
    quoted
}

/// A name from a recording, fit for a line of text: control characters and such as turn or hide
/// what stands beside them are escaped.
#[must_use]
pub fn printable(text: &str) -> String {
    escape(text, usize::MAX)
}

fn escape(text: &str, max: usize) -> String {
    let mut out = String::with_capacity(text.len().min(256));
    for c in text.chars().take(max) {
        if c.is_control() || is_invisible(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Characters that turn or hide what stands beside them on a terminal.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_on_one_line() {
        let error = ReplayError::Empty { file: FileName::new("a\nb\u{1b}[31m") };
        let text = error.to_string();
        assert!(text.starts_with("a\\nb\\u{1b}[31m: is empty"), "{text}");
        assert!(!text.contains('\n') && !text.contains('\u{1b}'));
    }

    #[test]
    fn several_errors_are_listed_and_bounded() {
        let line = |line| {
            let file = FileName::new("a");
            ReplayError::BadLine { file, line, byte: 0, what: "no time", fix: "mend it" }
        };
        let two = line(7).and(line(8));
        let lines: Vec<_> =
            ["7", "8"].map(|n| format!("a: line {n} (byte 0): no time; mend it")).into();
        assert_eq!(two.to_string(), lines.join("\n"));
        assert_eq!((two.line(), two.is_fatal()), (Some(7), false));
        assert!(two.and(ReplayError::Empty { file: FileName::new("b") }).is_fatal());
        let many = (1..=1000).map(line).reduce(ReplayError::and).unwrap().to_string();
        assert_eq!(many.lines().count(), ERRORS_MAX + 1);
        assert!(many.ends_with("and 900 more"), "{many}");
    }

    #[test]
    fn quoted_bytes_are_short_and_printable() {
        assert_eq!(quote(b"abc\t\xff\0"), "abc\\t\\xff\\u{0}");
        assert_eq!(quote("a\u{202e}b é".as_bytes()), "a\\u{202e}b é");
        let long = quote(&[b'x'; 100_000]);
        assert_eq!(long.chars().count(), QUOTE_MAX + 1);
        assert!(long.ends_with('…'));
    }
}
