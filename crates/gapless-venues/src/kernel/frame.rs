//! The receive buffer: bytes of one frame, always followed by [`PAD`] more that may be read.
//!
//! The one invariant: whoever holds a [`Frame`] may load any [`PAD`] bytes that start at or before
//! its end. Only [`FrameBuf`] makes frames, so the type is the proof; the kernels rely on it.
//! Bytes come from a socket or a file; the venues' parsers read them.

/// Bytes that follow every frame: two of the widest vectors.
pub const PAD: usize = 128;

/// What stands behind a buffer that nothing was put into yet.
static NOTHING: [u8; PAD] = [0; PAD];

/// A growable receive buffer for one frame at a time.
#[derive(Debug, Default)]
pub struct FrameBuf {
    /// The frame, then [`PAD`] zeros; or empty, when nothing was put in.
    padded: Vec<u8>,
}

impl FrameBuf {
    /// An empty buffer; the first frame allocates.
    #[must_use]
    pub const fn new() -> Self {
        Self { padded: Vec::new() }
    }

    /// Replaces the content by `bytes`.
    #[inline]
    pub fn fill(&mut self, bytes: &[u8]) -> Frame<'_> {
        self.fill_with(|buffer| buffer.extend_from_slice(bytes));
        self.frame()
    }

    /// Empties the buffer, lets `write` append to it (a line read from a file, chunks of a
    /// message), and pads what is there then. Returns what `write` returned.
    #[inline]
    pub fn fill_with<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        // Taken out, so that a `write` that unwinds leaves an empty buffer and not a bare one.
        let mut bytes = core::mem::take(&mut self.padded);
        bytes.clear();
        let result = write(&mut bytes);
        bytes.extend_from_slice(&NOTHING);
        self.padded = bytes;
        result
    }

    /// The frame that is in the buffer.
    #[must_use]
    #[inline]
    pub fn frame(&self) -> Frame<'_> {
        match self.padded.len().checked_sub(PAD) {
            Some(len) => Frame { padded: &self.padded, len },
            None => Frame { padded: &NOTHING, len: 0 },
        }
    }
}

/// A received frame: any bytes, text or binary.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// At least `len + PAD` bytes.
    padded: &'a [u8],
    len: usize,
}

impl<'a> Frame<'a> {
    /// The content.
    #[must_use]
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        // In bounds by construction; written so that no input can reach a panic.
        self.padded.get(..self.len).unwrap_or_default()
    }

    /// Number of bytes of content.
    #[must_use]
    #[inline]
    pub const fn len(self) -> usize {
        self.len
    }

    /// Whether there is no content.
    #[must_use]
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The part `start..end`, a frame too: what follows it may be read, though it need not be
    /// zero. `None` if the range is not inside.
    #[must_use]
    pub fn slice(self, start: usize, end: usize) -> Option<Frame<'a>> {
        let len = end.checked_sub(start).filter(|_| end <= self.len)?;
        Some(Frame { padded: self.padded.get(start..)?, len })
    }

    /// Content and padding: at least [`PAD`] bytes more than [`Frame::len`].
    #[must_use]
    #[inline]
    pub(crate) const fn padded(self) -> &'a [u8] {
        self.padded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_is_followed_by_readable_zeros() {
        let mut buffer = FrameBuf::new();
        assert!(buffer.frame().is_empty());
        assert_eq!(buffer.frame().padded().len(), PAD);
        for len in [0, 1, 63, 64, 65, 4096, 3] {
            let frame = buffer.fill(&vec![7; len]);
            assert_eq!(frame.bytes(), vec![7; len]);
            assert_eq!(frame.padded().get(len..), Some(&NOTHING[..]));
        }
    }

    #[test]
    fn a_part_of_a_frame_keeps_the_padding_and_never_leaves_the_frame() {
        let mut buffer = FrameBuf::new();
        let frame = buffer.fill(b"abcdef");
        let part = frame.slice(2, 4).unwrap();
        assert_eq!(part.bytes(), b"cd");
        assert!(part.padded().len() >= part.len() + PAD);
        assert!(frame.slice(2, 7).is_none());
        assert!(frame.slice(4, 2).is_none());
        assert!(part.slice(0, 3).is_none());
    }

    #[test]
    fn lines_are_read_in_place() {
        let mut buffer = FrameBuf::new();
        let mut file = std::io::Cursor::new(b"one\ntwo\n");
        let read = |buffer: &mut FrameBuf, file: &mut std::io::Cursor<&[u8; 8]>| {
            buffer.fill_with(|line| std::io::BufRead::read_until(file, b'\n', line))
        };
        assert_eq!(read(&mut buffer, &mut file).unwrap(), 4);
        assert_eq!(buffer.frame().bytes(), b"one\n");
        assert_eq!(read(&mut buffer, &mut file).unwrap(), 4);
        assert_eq!(buffer.frame().bytes(), b"two\n");
    }
}
