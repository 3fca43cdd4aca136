//! JSON objects written key by key, in the venue's own order.
//!
//! Values are the simulator's own words and numbers, none of which needs escaping.

use std::fmt::{Display, Write as _};

/// An object being written.
#[derive(Debug)]
pub struct Object {
    text: String,
}

impl Object {
    /// `{`
    pub fn new() -> Self {
        Self { text: String::from("{") }
    }

    /// `"key":"value"`
    pub fn text(mut self, key: &str, value: impl Display) -> Self {
        self.key(key);
        let _ = write!(self.text, "\"{value}\"");
        self
    }

    /// `"key":value`, for numbers, literals, arrays and nested objects already written.
    pub fn raw(mut self, key: &str, value: impl Display) -> Self {
        self.key(key);
        let _ = write!(self.text, "{value}");
        self
    }

    /// `}`
    pub fn close(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn key(&mut self, key: &str) {
        let comma = if self.text.len() == 1 { "" } else { "," };
        let _ = write!(self.text, "{comma}\"{key}\":");
    }
}

/// `[x,y,z]` of already written elements.
pub fn array(elements: impl Iterator<Item = String>) -> String {
    let mut text = String::from("[");
    for (i, element) in elements.enumerate() {
        let comma = if i == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{element}");
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_keeps_the_order_of_its_keys() {
        let text = Object::new().text("s", "BTCUSDT").raw("u", 7).raw("b", "[]").close();
        assert_eq!(text, r#"{"s":"BTCUSDT","u":7,"b":[]}"#);
        assert_eq!(Object::new().close(), "{}");
        assert_eq!(array(["1", "2"].map(String::from).into_iter()), "[1,2]");
    }
}
