//! The strict general reader of JSON frames: fallback for every shape, oracle for the kernels.
//!
//! [`Value`] is a slice of the frame that has been checked to be one JSON value. Fields are found
//! by name ([`Value::object`]), in any order, with unknown fields skipped but checked. Nothing is
//! allocated, nothing recurses, every loop ends at the frame's end.
//!
//! Stricter than plain JSON: a field that is read may stand only once, nesting stops at
//! [`DEPTH_MAX`], a string at [`STRING_MAX`] bytes, an object at [`KEYS_MAX`] keys.

use crate::wire::{WireError, WireErrorKind};
use gapless_book::decimal::{Decimal, Number};

/// Deepest nesting accepted.
pub const DEPTH_MAX: u32 = 32;
/// Longest string accepted, in bytes of the frame.
pub const STRING_MAX: usize = 64 * 1024;
/// Most keys of one object.
pub const KEYS_MAX: usize = 4096;
/// Largest frame accepted.
pub const FRAME_MAX: usize = 8 * 1024 * 1024;

/// One checked JSON value inside a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Value<'a> {
    /// Checks a whole frame: UTF-8, size, one JSON value and nothing after it but white space.
    ///
    /// # Errors
    /// What is wrong, with the byte offset.
    pub fn frame(frame: &'a [u8]) -> Result<Self, WireError> {
        if frame.len() > FRAME_MAX {
            return Err(WireError::new(WireErrorKind::TooLong, FRAME_MAX));
        }
        let text = core::str::from_utf8(frame)
            .map_err(|e| WireError::new(WireErrorKind::Utf8, e.valid_up_to()))?;
        let mut scan = Scan { text, at: 0 };
        scan.white();
        let start = scan.at;
        scan.skip_value()?;
        let end = scan.at;
        scan.white();
        if scan.at != text.len() {
            return Err(scan.error(WireErrorKind::Syntax));
        }
        Ok(Self { text: text.get(start..end).unwrap_or(""), at: start })
    }

    /// The value's own JSON text.
    #[must_use]
    pub const fn raw(self) -> &'a str {
        self.text
    }

    /// Offset of the value in the frame.
    #[must_use]
    pub const fn at(self) -> usize {
        self.at
    }

    fn first(self) -> u8 {
        self.text.as_bytes().first().copied().unwrap_or(0)
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        self.first() == b'{'
    }

    /// Whether it is an array.
    #[must_use]
    pub fn is_array(self) -> bool {
        self.first() == b'['
    }

    /// Whether it is a string.
    #[must_use]
    pub fn is_string(self) -> bool {
        self.first() == b'"'
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.first() == b'n'
    }

    /// Whether it is a number.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self.first(), b'-' | b'0'..=b'9')
    }

    fn wrong(self, field: &'static str) -> WireError {
        WireError::new(WireErrorKind::Type(field), self.at)
    }

    /// Finds the named fields of an object, each at most once.
    ///
    /// # Errors
    /// Not an object, or a named field that stands twice.
    pub fn object<const N: usize>(
        self,
        names: [&'static str; N],
    ) -> Result<[Option<Value<'a>>; N], WireError> {
        let mut found = [None; N];
        for entry in self.entries()? {
            let (key, value) = entry?;
            for (name, slot) in names.iter().zip(found.iter_mut()) {
                if key.is(name) {
                    if slot.is_some() {
                        return Err(WireError::new(WireErrorKind::Duplicate(name), value.at));
                    }
                    *slot = Some(value);
                }
            }
        }
        Ok(found)
    }

    /// One field of an object.
    ///
    /// # Errors
    /// As [`Value::object`].
    pub fn field(self, name: &'static str) -> Result<Option<Value<'a>>, WireError> {
        let [value] = self.object([name])?;
        Ok(value)
    }

    /// Every key and value of an object in order.
    ///
    /// # Errors
    /// Not an object.
    pub fn entries(self) -> Result<Entries<'a>, WireError> {
        if !self.is_object() {
            return Err(self.wrong("object"));
        }
        Ok(Entries { scan: Scan { text: self.text, at: 1 }, base: self.at, keys: 0 })
    }

    /// The elements of an array.
    ///
    /// # Errors
    /// Not an array.
    pub fn elements(self) -> Result<Elements<'a>, WireError> {
        if !self.is_array() {
            return Err(self.wrong("array"));
        }
        Ok(Elements { scan: Scan { text: self.text, at: 1 }, base: self.at })
    }

    /// The text of a string without escapes.
    ///
    /// # Errors
    /// Not a string, or one with an escape (no venue escapes a name or number).
    pub fn string(self) -> Result<&'a str, WireError> {
        let inner = self.raw_string().ok_or_else(|| self.wrong("string"))?;
        if inner.as_bytes().contains(&b'\\') {
            return Err(WireError::new(WireErrorKind::Escape, self.at));
        }
        Ok(inner)
    }

    /// The bytes between a string's quotes, escapes and all.
    #[must_use]
    pub fn raw_string(self) -> Option<&'a str> {
        if !self.is_string() {
            return None;
        }
        self.text.get(1..self.text.len().saturating_sub(1))
    }

    /// Text of a string, or of a number as written; what ids are read with.
    ///
    /// # Errors
    /// Neither string nor number.
    pub fn text(self) -> Result<&'a str, WireError> {
        if self.is_number() { Ok(self.text) } else { self.string() }
    }

    /// Where the digits of a number stand in the frame, quotes not included.
    #[must_use]
    pub fn number_span(self) -> (usize, usize) {
        let quote = usize::from(self.is_string());
        (self.at + quote, self.at + self.text.len() - quote)
    }

    /// An integer, bare or as a string; exact, never through a float.
    ///
    /// # Errors
    /// Not an integer, or beyond `i64`.
    pub fn int(self) -> Result<i64, WireError> {
        let text = self.text()?;
        let whole = !text.is_empty()
            && text.bytes().enumerate().all(|(i, b)| b.is_ascii_digit() || (i == 0 && b == b'-'));
        if !whole {
            return Err(WireError::new(WireErrorKind::Integer, self.at));
        }
        text.parse().map_err(|_| WireError::new(WireErrorKind::Integer, self.at))
    }

    /// An exact number, bare or as a string.
    ///
    /// # Errors
    /// Off the grammar or out of range.
    pub fn decimal(self) -> Result<Decimal, WireError> {
        self.number()?.value().map_err(|e| WireError::new(WireErrorKind::Number(e), self.at))
    }

    /// As [`Value::decimal`], keeping how it was written.
    ///
    /// # Errors
    /// Off the grammar or too long.
    pub fn number(self) -> Result<Number, WireError> {
        Number::read(self.text()?.as_bytes())
            .map_err(|e| WireError::new(WireErrorKind::Number(e), self.at))
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// Neither.
    pub fn bool(self) -> Result<bool, WireError> {
        match self.text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.wrong("bool")),
        }
    }
}

/// Reading of fields that may be missing, `null` or empty.
pub trait Field<'a> {
    /// The value of a field that must be there and not `null`.
    ///
    /// # Errors
    /// Names the missing field.
    fn need(self, name: &'static str) -> Result<Value<'a>, WireError>;
    /// The value, if present, not `null` and not the empty string.
    fn present(self) -> Option<Value<'a>>;
    /// A number where the field is [`present`](Field::present).
    ///
    /// # Errors
    /// Present but no number.
    fn optional_decimal(self) -> Result<Option<Decimal>, WireError>;
    /// An integer where the field is [`present`](Field::present).
    ///
    /// # Errors
    /// Present but no integer.
    fn optional_int(self) -> Result<Option<i64>, WireError>;
    /// The text of a string or number field, empty if absent.
    ///
    /// # Errors
    /// Present but neither string nor number.
    fn text_or_empty(self) -> Result<&'a str, WireError>;
}

impl<'a> Field<'a> for Option<Value<'a>> {
    fn need(self, name: &'static str) -> Result<Value<'a>, WireError> {
        self.filter(|v| !v.is_null()).ok_or(WireError::new(WireErrorKind::Missing(name), 0))
    }

    fn present(self) -> Option<Value<'a>> {
        self.filter(|v| !v.is_null() && v.text != "\"\"")
    }

    fn optional_decimal(self) -> Result<Option<Decimal>, WireError> {
        self.present().map(Value::decimal).transpose()
    }

    fn optional_int(self) -> Result<Option<i64>, WireError> {
        self.present().map(Value::int).transpose()
    }

    fn text_or_empty(self) -> Result<&'a str, WireError> {
        self.present().map_or(Ok(""), Value::text)
    }
}

/// A key of an object, perhaps written with escapes.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a>(&'a str);

impl<'a> Key<'a> {
    /// Whether the key, unescaped, is `name` (ASCII).
    #[must_use]
    pub fn is(self, name: &str) -> bool {
        if !self.0.as_bytes().contains(&b'\\') {
            return self.0 == name;
        }
        unescaped(self.0).eq(name.chars().map(Some))
    }

    /// The key as written.
    #[must_use]
    pub const fn raw(self) -> &'a str {
        self.0
    }
}

/// Characters of an escaped string; `None` for what no ASCII name can contain.
fn unescaped(text: &str) -> impl Iterator<Item = Option<char>> + '_ {
    let mut rest = text;
    core::iter::from_fn(move || {
        let mut chars = rest.chars();
        let first = chars.next()?;
        if first != '\\' {
            rest = chars.as_str();
            return Some(Some(first));
        }
        let kind = chars.next()?;
        let plain = match kind {
            'u' => {
                let hex = chars.as_str().get(..4)?;
                rest = chars.as_str().get(4..)?;
                return Some(u32::from_str_radix(hex, 16).ok().and_then(char::from_u32));
            }
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            other => other,
        };
        rest = chars.as_str();
        Some(Some(plain))
    })
}

/// Iterator over the entries of an object.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    scan: Scan<'a>,
    base: usize,
    keys: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<(Key<'a>, Value<'a>), WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.scan.separator(b'}')?;
        self.keys += 1;
        if self.keys > KEYS_MAX {
            return Some(Err(WireError::new(WireErrorKind::TooLong, self.base)));
        }
        Some(self.scan.entry(self.base))
    }
}

/// Iterator over the elements of an array.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    scan: Scan<'a>,
    base: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Value<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.scan.separator(b']')?;
        Some(self.scan.value(self.base))
    }
}

/// Position in JSON text.
#[derive(Clone, Debug)]
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn error(&self, kind: WireErrorKind) -> WireError {
        let kind = if self.at >= self.text.len() { WireErrorKind::Truncated } else { kind };
        WireError::new(kind, self.at)
    }

    fn white(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let hit = self.peek() == Some(byte);
        self.at += usize::from(hit);
        hit
    }

    /// Steps over white space and a comma inside checked text; `None` at the closing bracket.
    fn separator(&mut self, close: u8) -> Option<()> {
        self.white();
        self.eat(b',');
        self.white();
        match self.peek() {
            None => None,
            Some(byte) if byte == close => None,
            Some(_) => Some(()),
        }
    }

    fn entry(&mut self, base: usize) -> Result<(Key<'a>, Value<'a>), WireError> {
        let start = self.at + 1;
        self.skip_string()?;
        let key = self.text.get(start..self.at.saturating_sub(1)).unwrap_or("");
        self.white();
        if !self.eat(b':') {
            return Err(self.error(WireErrorKind::Syntax));
        }
        self.white();
        Ok((Key(key), self.value(base)?))
    }

    fn value(&mut self, base: usize) -> Result<Value<'a>, WireError> {
        let start = self.at;
        self.skip_value()?;
        Ok(Value { text: self.text.get(start..self.at).unwrap_or(""), at: base + start })
    }

    /// Checks one value of any depth without recursion: `nest` holds one bit per open bracket,
    /// 1 = object.
    fn skip_value(&mut self) -> Result<(), WireError> {
        let (mut nest, mut depth) = (0u64, 0u32);
        loop {
            self.white();
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if depth == DEPTH_MAX {
                        return Err(self.error(WireErrorKind::TooDeep));
                    }
                    self.at += 1;
                    let object = open == b'{';
                    nest = nest << 1 | u64::from(object);
                    depth += 1;
                    self.white();
                    if self.eat(if object { b'}' } else { b']' }) {
                        nest >>= 1;
                        depth -= 1;
                    } else if object {
                        self.skip_key()?;
                        continue;
                    } else {
                        continue;
                    }
                }
                Some(b'"') => self.skip_string()?,
                Some(b'-' | b'0'..=b'9') => self.skip_number()?,
                _ => self.skip_word()?,
            }
            if !self.close(&mut nest, &mut depth)? {
                return Ok(());
            }
        }
    }

    /// After a value: closes what ends here. `false` when the outermost value is complete.
    fn close(&mut self, nest: &mut u64, depth: &mut u32) -> Result<bool, WireError> {
        while *depth > 0 {
            self.white();
            let object = *nest & 1 == 1;
            if self.eat(b',') {
                if object {
                    self.white();
                    self.skip_key()?;
                }
                return Ok(true);
            }
            if !self.eat(if object { b'}' } else { b']' }) {
                return Err(self.error(WireErrorKind::Syntax));
            }
            *nest >>= 1;
            *depth -= 1;
        }
        Ok(false)
    }

    fn skip_key(&mut self) -> Result<(), WireError> {
        if self.peek() != Some(b'"') {
            return Err(self.error(WireErrorKind::Syntax));
        }
        self.skip_string()?;
        self.white();
        if self.eat(b':') { Ok(()) } else { Err(self.error(WireErrorKind::Syntax)) }
    }

    fn skip_string(&mut self) -> Result<(), WireError> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.skip_escape()?,
                Some(0x20..) => self.at += 1,
                _ => return Err(self.error(WireErrorKind::Syntax)),
            }
        }
        self.at += 1;
        if self.at - start > STRING_MAX {
            return Err(WireError::new(WireErrorKind::TooLong, start));
        }
        Ok(())
    }

    fn skip_escape(&mut self) -> Result<(), WireError> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                let high = self.hex4()?;
                match high {
                    0xD800..=0xDBFF if self.text.as_bytes().get(self.at) == Some(&b'\\') => {
                        self.at += 1;
                        match self.hex4()? {
                            0xDC00..=0xDFFF => Ok(()),
                            _ => Err(self.error(WireErrorKind::Syntax)),
                        }
                    }
                    0xD800..=0xDFFF => Err(self.error(WireErrorKind::Syntax)),
                    _ => Ok(()),
                }
            }
            _ => Err(self.error(WireErrorKind::Syntax)),
        }
    }

    /// `u` and four hexadecimal digits.
    fn hex4(&mut self) -> Result<u32, WireError> {
        if !self.eat(b'u') {
            return Err(self.error(WireErrorKind::Syntax));
        }
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|b| (b as char).to_digit(16));
            code = code << 4 | digit.ok_or_else(|| self.error(WireErrorKind::Syntax))?;
            self.at += 1;
        }
        Ok(code)
    }

    fn skip_number(&mut self) -> Result<(), WireError> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.skip_digits()?;
        }
        if self.eat(b'.') {
            self.skip_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if !self.eat(b'-') {
                self.eat(b'+');
            }
            self.skip_digits()?;
        }
        Ok(())
    }

    fn skip_digits(&mut self) -> Result<(), WireError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.error(WireErrorKind::Syntax));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn skip_word(&mut self) -> Result<(), WireError> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or(&[]);
        for word in [&b"null"[..], b"true", b"false"] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(());
            }
        }
        Err(self.error(WireErrorKind::Syntax))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> WireErrorKind {
        Value::frame(text.as_bytes()).unwrap_err().kind
    }

    #[test]
    fn what_json_refuses_is_refused_at_its_byte() {
        for (text, at) in [
            ("{\"a\":01}", 6),
            ("[1,]", 3),
            ("{\"a\":1,}", 7),
            ("[1 2]", 3),
            ("{\"a\" 1}", 5),
            ("{a:1}", 1),
            ("[1]x", 3),
            ("[\"\u{1}\"]", 2),
            ("[\"\\ud800\"]", 8),
            ("[tru]", 1),
        ] {
            let error = Value::frame(text.as_bytes()).unwrap_err();
            assert_eq!((error.kind, error.at as usize), (WireErrorKind::Syntax, at), "{text}");
        }
        for text in ["", " ", "{", "[1", "{\"a\":", "\"abc", "-", "1.", "1e"] {
            assert_eq!(kind(text), WireErrorKind::Truncated, "{text}");
        }
        assert_eq!(Value::frame(b"[\"\xff\"]").unwrap_err().kind, WireErrorKind::Utf8);
    }

    #[test]
    fn nesting_stops_at_the_limit() {
        let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(Value::frame(deep(32).as_bytes()).is_ok());
        assert_eq!(kind(&deep(33)), WireErrorKind::TooDeep);
    }

    #[test]
    fn fields_are_found_in_any_order_and_only_once() {
        let value = Value::frame(br#" { "b" : [ 1 , 2 ] , "x":{"a":3}, "\u0061":"7" } "#).unwrap();
        let [a, b] = value.object(["a", "b"]).unwrap();
        assert_eq!(a.need("a").unwrap().int().unwrap(), 7);
        let inner: Vec<_> = b.unwrap().elements().unwrap().map(|v| v.unwrap().raw()).collect();
        assert_eq!(inner, ["1", "2"]);
        let twice = Value::frame(br#"{"a":1,"a":2}"#).unwrap();
        assert_eq!(twice.field("a").unwrap_err().kind, WireErrorKind::Duplicate("a"));
        assert!(twice.field("b").unwrap().is_none());
    }

    #[test]
    fn ids_above_two_to_the_53_are_exact() {
        let value = Value::frame(b"[9007199254740993,\"9223372036854775807\"]").unwrap();
        let ids: Vec<_> = value.elements().unwrap().map(|v| v.unwrap().int().unwrap()).collect();
        assert_eq!(ids, [9_007_199_254_740_993, i64::MAX]);
        assert!(Value::frame(b"1.0").unwrap().int().is_err());
    }
}
