//! Numbers that are written with a fixed number of decimals, as Binance writes them: constant texts
//! and moves that make integers of them, for every number of decimals and every scale.
//!
//! The one invariant: a number of the form's length whose bytes, after [`Form::zero`] was taken
//! away (`xor`), are all at most nine, and zero where [`Form::strict`] says so, is well-formed,
//! and nothing but zeros is beyond the scale.

/// Longest number, its point included.
pub(super) const TEXT_MAX: usize = 16;

/// How numbers that are written with so many decimals become integers at a scale.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Form {
    /// What becomes zero in the 16 bytes before a number's end: `0`, and the point in its place.
    pub(super) zero: [u8; TEXT_MAX],
    /// Nine where nothing but zero may be: the point, and decimals beyond the scale.
    pub(super) strict: [u8; TEXT_MAX],
    /// Which of these bytes comes to each place of the scaled number; none where bit 7 is set.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    pub(super) place: [u8; TEXT_MAX],
    /// Length of the shortest number that is so written.
    pub(super) shortest: u32,
    /// Length of the longest one whose scaled digits fit.
    pub(super) longest: u32,
}

/// Most decimals of numbers and scales: a digit and the point stand before them.
pub(super) const DECIMALS_MAX: usize = TEXT_MAX - 2;

/// By scale and decimals.
// Only the compiler runs this.
#[allow(clippy::indexing_slicing)]
pub(super) static FORMS: [[Form; DECIMALS_MAX + 1]; DECIMALS_MAX + 1] = {
    let mut forms = [[Form::new(0, 0); DECIMALS_MAX + 1]; DECIMALS_MAX + 1];
    let mut scale = 0;
    while scale <= DECIMALS_MAX {
        let mut written = 0;
        while written <= DECIMALS_MAX {
            forms[scale][written] = Form::new(written, scale);
            written += 1;
        }
        scale += 1;
    }
    forms
};

// Only the compiler runs this.
#[allow(clippy::indexing_slicing)]
impl Form {
    const fn new(written: usize, scale: usize) -> Self {
        let mut form =
            Self { zero: [b'0'; 16], strict: [0; 16], place: [0x80; 16], shortest: 1, longest: 16 };
        // Bytes of the text before its decimals, the point included.
        let whole = 16 - written;
        if written > 0 {
            (form.zero[whole - 1], form.strict[whole - 1]) = (b'.', 9);
            form.shortest = written as u32 + 2;
        }
        if scale > written {
            form.longest -= (scale - written) as u32;
        }
        let mut at = 0;
        while at < 16 {
            // Decimals beyond the scale.
            if at + written >= 16 + scale {
                form.strict[at] = 9;
            }
            // The text's byte that comes to this place: the scale's last decimal to the last one,
            // and digits before the point a byte further on.
            let from = at + scale;
            if from >= written {
                let from = from - written;
                if from >= whole {
                    if from < 16 {
                        form.place[at] = from as u8;
                    }
                } else if written == 0 {
                    form.place[at] = from as u8;
                } else if from > 0 {
                    form.place[at] = from as u8 - 1;
                }
            }
            at += 1;
        }
        form
    }
}
