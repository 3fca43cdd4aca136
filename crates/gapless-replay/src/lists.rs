//! Files of instrument lists → the table: one answer of a venue a line, plain, .gz or .zst.
//!
//! ```text
//! URL <TAB> BODY
//! RECV_NS <TAB> H <TAB> URL <TAB> BODY
//! ```
//!
//! The second is the line of a capture, whose other lines say nothing of instruments. The URL tells
//! whose list it is.

use crate::error::{FileName, ReplayError};
use crate::input::{self, Input};
use crate::lines::Found;
use gapless_venues::instruments::{InstrumentError, Instruments};
use gapless_venues::registry::VenueId;

/// What files of lists held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// Every instrument; of one that is listed twice the later row.
    pub table: Instruments,
    /// Rows that could not be read; the others were.
    pub refused: Vec<InstrumentError>,
}

/// Reads files of lists.
///
/// # Errors
/// A file that cannot be read, that holds no list, or a list that is none of its venue's.
pub fn read<I: IntoIterator<Item = Input>>(inputs: I) -> Result<Lists, ReplayError> {
    let mut lists = Lists::default();
    for input in inputs {
        one(&input, &mut lists)?;
    }
    Ok(lists)
}

fn one(input: &Input, lists: &mut Lists) -> Result<(), ReplayError> {
    let mut lines = input::lines(input)?;
    let mut any = false;
    while lines.advance()? != Found::End {
        let Some((url, body)) = answer(lines.line()) else { continue };
        let Some(venue) = VenueId::lists(url) else { continue };
        let unread = |error: InstrumentError| not_lists(input.name(), error.to_string());
        let mut list = venue.read_instruments(body).map_err(unread)?;
        lists.refused.append(&mut list.refused);
        lists.table.update(list);
        any = true;
    }
    if any { Ok(()) } else { Err(not_lists(input.name(), "holds no instrument list".to_owned())) }
}

fn not_lists(file: &FileName, what: String) -> ReplayError {
    let fix = "give lines of URL, tab and the venue's answer";
    ReplayError::UnknownFormat { file: file.clone(), what, fix }
}

/// URL and body of a line.
fn answer(line: &[u8]) -> Option<(&str, &[u8])> {
    let mut fields = line.splitn(4, |byte| *byte == b'\t');
    let first = fields.next()?;
    let (url, body) = match (fields.next()?, fields.next(), fields.next()) {
        (b"H", Some(url), Some(body)) => (url, body),
        (body, None, None) => (first, body),
        _ => return None,
    };
    Some((core::str::from_utf8(url).ok()?, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_answer_alone_or_in_a_capture() {
        let answer = |line: &'static str| answer(line.as_bytes());
        assert_eq!(answer("https://x/y\t{}"), Some(("https://x/y", &b"{}"[..])));
        assert_eq!(answer("7\tH\thttps://x/y\t{}"), Some(("https://x/y", &b"{}"[..])));
        for other in ["", "{}", "7\tR\tws\t{}", "7\tD\tws", "7\tH\thttps://x/y"] {
            assert_eq!(answer(other), None, "{other}");
        }
    }
}
