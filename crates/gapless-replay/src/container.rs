//! Compressed streams → bytes: plain, gzip of any number of members, zstd of any number of frames.
//!
//! The container is told from its first bytes, never from a name. What is wrong with a stream
//! comes out as an [`io::Error`] that holds a [`Damage`], so that a stream cut short (a killed
//! writer, a broken download) is kept apart from a damaged one and from a failing disk.
//! Memory: one input buffer and the decoder's window, at most 2^[`WINDOW_LOG_MAX`] bytes.

use std::fmt;
use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use zstd::stream::raw::{DParameter, Decoder, Operation};

/// Largest zstd window accepted, as a power of two: 128 MiB, what zstd itself allows unasked.
pub const WINDOW_LOG_MAX: u32 = 27;

/// Packed bytes read at once.
const INPUT_BUFFER: usize = 128 * 1024;

/// Bytes that tell a container.
const MAGIC_LEN: usize = 4;

/// How the bytes of an input are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// Not packed.
    Plain,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Container {
    /// Name used in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// What the first bytes of a file say.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A skippable frame, which a seekable file may begin with.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// What a decoder found wrong with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// It ends in the middle; so many packed bytes at its end gave nothing.
    Cut {
        /// `gzip` or `zstd`.
        container: &'static str,
        /// Packed bytes.
        lost: u64,
    },
    /// Its bytes contradict the format or a checksum.
    Corrupt {
        /// `gzip` or `zstd`.
        container: &'static str,
    },
}

impl Damage {
    /// The damage that an error of a reader made by [`unpack`] stands for.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Self>().copied()
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut { .. } => f.write_str("cut short"),
            Self::Corrupt { .. } => f.write_str("bytes do not fit the format or its checksum"),
        }
    }
}

impl std::error::Error for Damage {}

/// Tells the container of a stream and unpacks it.
///
/// # Errors
/// Reading the first bytes failed, or no decoder could be made.
pub fn unpack(
    mut inner: impl Read + Send + 'static,
) -> io::Result<(Container, Box<dyn Read + Send>)> {
    let mut head = Vec::with_capacity(MAGIC_LEN);
    inner.by_ref().take(MAGIC_LEN as u64).read_to_end(&mut head)?;
    let container = Container::of(&head);
    let whole = Cursor::new(head).chain(inner);
    Ok(match container {
        Container::Plain => (container, Box::new(whole)),
        Container::Gzip => (container, Box::new(GzipMembers::new(buffered(whole)))),
        Container::Zstd => (container, Box::new(ZstdFrames::new(buffered(whole))?)),
    })
}

fn buffered<R: Read>(inner: R) -> BufReader<R> {
    BufReader::with_capacity(INPUT_BUFFER, inner)
}

/// gzip with its errors named.
struct GzipMembers<R> {
    decoder: MultiGzDecoder<R>,
}

impl<R: BufRead> GzipMembers<R> {
    fn new(inner: R) -> Self {
        Self { decoder: MultiGzDecoder::new(inner) }
    }
}

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(out).map_err(|error| match error.kind() {
            // DEFLATE gives bytes as it goes: nothing worth counting is left in the packed end.
            io::ErrorKind::UnexpectedEof => io::Error::new(
                io::ErrorKind::UnexpectedEof,
                Damage::Cut { container: "gzip", lost: 0 },
            ),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => corrupt("gzip"),
            _ => error,
        })
    }
}

fn corrupt(container: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Damage::Corrupt { container })
}

/// Concatenated zstd frames, with a cut last frame told from a damaged one.
struct ZstdFrames<R> {
    inner: R,
    decoder: Decoder<'static>,
    /// Input was taken of a frame that is not complete yet.
    in_frame: bool,
    /// Packed bytes taken since anything last came out.
    silent: u64,
}

impl<R: BufRead> ZstdFrames<R> {
    fn new(inner: R) -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
        Ok(Self { inner, decoder, in_frame: false, silent: 0 })
    }

    fn end(&self) -> io::Result<usize> {
        if self.in_frame {
            let cut = Damage::Cut { container: "zstd", lost: self.silent };
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, cut));
        }
        Ok(0)
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let input = self.inner.fill_buf()?;
            let at_end = input.is_empty();
            if at_end && !self.in_frame {
                return Ok(0);
            }
            let step = self.decoder.run_on_buffers(input, out).map_err(|_| corrupt("zstd"))?;
            self.inner.consume(step.bytes_read);
            self.silent += step.bytes_read as u64;
            if step.remaining == 0 {
                self.decoder.reinit()?;
                self.in_frame = false;
                self.silent = 0;
            } else {
                self.in_frame |= step.bytes_read > 0;
            }
            if step.bytes_written > 0 {
                self.silent = 0;
                return Ok(step.bytes_written);
            }
            if at_end {
                return self.end();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn zst(parts: &[&[u8]]) -> Vec<u8> {
        parts.iter().flat_map(|p| zstd::encode_all(*p, 1).unwrap()).collect()
    }

    fn gz(parts: &[&[u8]]) -> Vec<u8> {
        let pack = |part: &&[u8]| {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(1));
            encoder.write_all(part).unwrap();
            encoder.finish().unwrap()
        };
        parts.iter().flat_map(pack).collect()
    }

    fn read(bytes: Vec<u8>) -> (Vec<u8>, Option<Damage>) {
        let (_, mut reader) = unpack(Cursor::new(bytes)).unwrap();
        let mut out = Vec::new();
        let error = reader.read_to_end(&mut out).err();
        (out, error.map(|e| Damage::of(&e).expect("a damage")))
    }

    #[test]
    fn concatenated_members_and_frames_are_one_stream() {
        for packed in [zst(&[b"ab", b"", b"cd"]), gz(&[b"ab", b"", b"cd"]), b"abcd".to_vec()] {
            assert_eq!(read(packed), (b"abcd".to_vec(), None));
        }
    }

    #[test]
    fn every_cut_is_called_a_cut_and_keeps_what_came_before() {
        let whole = b"first frame\nsecond".as_slice();
        for packed in [zst(&[b"first frame\n", b"second"]), gz(&[b"first frame\n", b"second"])] {
            for length in MAGIC_LEN..packed.len() {
                let (out, damage) = read(packed[..length].to_vec());
                assert!(whole.starts_with(&out), "{length}");
                match damage {
                    Some(Damage::Cut { .. }) => {}
                    // A cut between two frames is a shorter stream, not a damaged one.
                    None => assert_eq!(out, b"first frame\n", "{length}"),
                    other => panic!("{length}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn the_packed_bytes_of_a_lost_frame_are_counted() {
        let first = zst(&[b"first frame\n"]);
        let mut packed = zst(&[b"first frame\n", &[b'x'; 1000]]);
        packed.truncate(packed.len() - 3);
        let lost = (packed.len() - first.len()) as u64;
        let (out, damage) = read(packed);
        assert_eq!(out, b"first frame\n");
        assert_eq!(damage, Some(Damage::Cut { container: "zstd", lost }));
    }

    #[test]
    fn a_flipped_bit_is_corruption() {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(b"some text that is stored").unwrap();
        let mut packed = encoder.finish().unwrap();
        let last = packed.len() - 1;
        packed[last] ^= 1;
        assert_eq!(read(packed).1, Some(Damage::Corrupt { container: "zstd" }));
        let mut packed = gz(&[b"some text that is stored"]);
        let crc = packed.len() - 6;
        packed[crc] ^= 1;
        assert_eq!(read(packed).1, Some(Damage::Corrupt { container: "gzip" }));
    }
}
