//! Arguments of subscriptions, packed into as few requests as a venue's limits allow.

/// Joins JSON texts with commas into groups of at most `count_max` items and `bytes_max` bytes.
/// An item that is longer by itself gets its own group: the venue shall say so, not we.
pub(crate) fn groups(
    items: impl Iterator<Item = String>,
    count_max: usize,
    bytes_max: usize,
) -> Vec<String> {
    let mut groups: Vec<String> = Vec::new();
    let mut count = 0;
    for item in items {
        match groups.last_mut() {
            Some(group) if count < count_max && group.len() + 1 + item.len() <= bytes_max => {
                group.push(',');
                group.push_str(&item);
                count += 1;
            }
            _ => {
                groups.push(item);
                count = 1;
            }
        }
    }
    groups
}

/// A JSON string. Symbols come from configuration, so they are not trusted to need no escapes.
pub(crate) fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => {
                json.push('\\');
                json.push(char);
            }
            control if control < ' ' => {
                json.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            plain => json.push(plain),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(items: &[&str], count_max: usize, bytes_max: usize) -> Vec<String> {
        groups(items.iter().map(|item| (*item).to_owned()), count_max, bytes_max)
    }

    #[test]
    fn no_group_breaks_either_limit_and_nothing_is_lost() {
        assert_eq!(of(&["a", "b", "c"], 2, 99), ["a,b", "c"]);
        assert_eq!(of(&["aa", "bb", "c"], 9, 5), ["aa,bb", "c"]);
        assert_eq!(of(&["aa", "bb", "c"], 9, 4), ["aa", "bb,c"]);
        assert_eq!(of(&["toolong", "b"], 9, 3), ["toolong", "b"]);
        assert_eq!(of(&[], 9, 9), [""; 0]);
    }

    #[test]
    fn a_symbol_cannot_break_out_of_its_string() {
        assert_eq!(quoted("A\"],\\\n"), "\"A\\\"],\\\\\\u000a\"");
    }
}
