//! The page before a publication in a file: whose it is, which book, how large.
//!
//! Invariant: a header is written once, before its file gets its name; who finds the file finds the
//! header whole. What is read is believed only after it was checked against the file.

use super::owner::Owner;
use gapless_book::publish::LAYOUT;

/// Bytes before the publication: one page, so that it can be mapped by itself.
pub const HEADER_BYTES: usize = 4096;
/// Most bytes of an engine's name, and of a channel's.
pub const WORD_MAX: usize = 64;
/// Most bytes of a book's name.
pub const NAME_MAX: usize = 256;

/// "gapless", "shared memory" and the number of this form.
const MAGIC: u64 = u64::from_le_bytes(*b"gplsshm\x02");
const NUMBERS: usize = 10;
const TEXTS: [usize; 3] = [WORD_MAX, NAME_MAX, WORD_MAX];

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Words of the publication.
    pub words: usize,
    /// Wall clock when it was made, ns since the epoch.
    pub created_ns: i64,
    /// Who writes it.
    pub owner: Owner,
    /// Name of the engine.
    pub engine: String,
    /// `venue[.market]:SYMBOL`.
    pub name: String,
    /// Channel without the symbol.
    pub channel: String,
}

/// Why bytes are not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// Another kind of file.
    Foreign,
    /// Of a version with another layout.
    OtherLayout(u64),
    /// Fewer or more bytes than it says.
    Size,
}

impl Header {
    /// Bytes of the whole file.
    pub const fn file_bytes(&self) -> Option<usize> {
        match self.words.checked_mul(8) {
            Some(bytes) => bytes.checked_add(HEADER_BYTES),
            None => None,
        }
    }

    /// The page. Texts that do not fit are cut: they were checked when they were given.
    pub fn encode(&self) -> Vec<u8> {
        let texts = [&self.engine, &self.name, &self.channel].map(|text| text.as_bytes());
        let numbers: [u64; NUMBERS] = [
            MAGIC,
            LAYOUT,
            self.words as u64,
            self.created_ns.cast_unsigned(),
            u64::from(self.owner.pid),
            self.owner.start_ticks,
            self.owner.boot,
            self.owner.namespace,
            texts.iter().rev().fold(0, |lengths, text| lengths << 16 | text.len() as u64),
            self.owner.clock,
        ];
        let mut page: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        for (text, most) in texts.into_iter().zip(TEXTS) {
            let end = page.len() + most;
            page.extend(text.iter().take(most));
            page.resize(end, 0);
        }
        page.resize(HEADER_BYTES, 0);
        page
    }

    /// Reads a page of a file of so many bytes.
    pub fn decode(page: &[u8], file_bytes: u64) -> Result<Self, HeaderError> {
        let (numbers, _) = page.as_chunks::<8>();
        let number = |at: usize| numbers.get(at).map_or(0, |bytes| u64::from_le_bytes(*bytes));
        if number(0) != MAGIC {
            return Err(HeaderError::Foreign);
        }
        if number(1) != LAYOUT {
            return Err(HeaderError::OtherLayout(number(1)));
        }
        let mut at = NUMBERS * 8;
        let mut texts = TEXTS.iter().enumerate().map(|(place, most)| {
            let len = usize::from((number(8) >> (16 * place)) as u16);
            let text = page.get(at..at + len.min(*most)).and_then(|b| std::str::from_utf8(b).ok());
            at += most;
            text.map(str::to_owned).ok_or(HeaderError::Foreign)
        });
        let mut text = || texts.next().unwrap_or(Err(HeaderError::Foreign));
        let header = Self {
            words: usize::try_from(number(2)).unwrap_or(usize::MAX),
            created_ns: number(3).cast_signed(),
            owner: Owner {
                pid: u32::try_from(number(4)).unwrap_or(0),
                start_ticks: number(5),
                boot: number(6),
                namespace: number(7),
                clock: number(9),
            },
            engine: text()?,
            name: text()?,
            channel: text()?,
        };
        match header.file_bytes() {
            Some(bytes) if bytes as u64 == file_bytes && header.words > 0 => Ok(header),
            _ => Err(HeaderError::Size),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let owner = Owner { pid: 7, start_ticks: 8, boot: u64::MAX, namespace: 9, clock: 10 };
        let (engine, name, channel) = ("e".repeat(64), "venue:A/B-é".into(), String::new());
        Header { words: 100, created_ns: -5, owner, engine, name, channel }
    }

    #[test]
    fn a_header_says_what_was_written() {
        let bytes = (HEADER_BYTES + 800) as u64;
        assert_eq!(Header::decode(&header().encode(), bytes), Ok(header()));
        assert_eq!(header().encode().len(), HEADER_BYTES);
    }

    #[test]
    fn a_changed_byte_is_refused_or_says_something_that_fits_the_file() {
        let bytes = (HEADER_BYTES + 800) as u64;
        for at in 0..NUMBERS * 8 + 16 {
            for bit in 0..8 {
                let mut page = header().encode();
                page[at] ^= 1 << bit;
                if let Ok(read) = Header::decode(&page, bytes) {
                    assert_eq!(read.words, 100, "byte {at}");
                }
            }
        }
        assert_eq!(Header::decode(&header().encode(), bytes - 1), Err(HeaderError::Size));
        assert_eq!(Header::decode(&[0; HEADER_BYTES], bytes), Err(HeaderError::Foreign));
        assert_eq!(Header::decode(b"gapless", 7), Err(HeaderError::Foreign));
    }
}
