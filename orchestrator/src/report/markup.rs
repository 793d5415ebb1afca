//! Small pieces of text: escaping, numbers, parameters.

use serde_json::Value;

use crate::stats::MeanSd;

/// `write!` to a string, which cannot fail.
macro_rules! put {
    ($out:expr, $($format:tt)*) => {{
        use std::fmt::Write as _;
        $out.write_fmt(format_args!($($format)*)).expect("a string takes it all")
    }};
}
pub(crate) use put;

/// `text` as it may stand in HTML, SVG or XML, inside or outside of quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Control characters are not allowed in XML, not even escaped.
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// At most `most` characters of `text`.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// A whole number with commas: `10,000`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with so many digits after the point, commas before it and a true minus sign.
pub(crate) fn fixed(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let text = format!("{:.digits$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped);
    let sign =
        if value < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) { "−" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

/// How many digits after the point show about four significant digits of numbers up to `size`.
pub(crate) fn digits_for(size: f64) -> usize {
    match size.abs() {
        s if s >= 1000.0 => 0,
        s if s >= 100.0 => 1,
        s if s >= 10.0 => 2,
        s if s >= 1.0 => 3,
        _ => 4,
    }
}

/// A share in per cent.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", fixed(share * 100.0, usize::from(share != 0.0)))
}

/// Mean and standard deviation for a cell of a table.
pub(crate) fn mean_sd(value: MeanSd, digits: usize) -> String {
    if value.mean == 0.0 && value.sd.is_none_or(|sd| sd == 0.0) {
        return "0".into();
    }
    let sd = value
        .sd
        .map_or(String::new(), |sd| format!("<span class='sd'>± {}</span>", fixed(sd, digits)));
    format!("{}{sd}", fixed(value.mean, digits))
}

/// Seeds with runs of consecutive numbers drawn together: `1–10, 42`.
pub(crate) fn seed_ranges(seeds: &[u64]) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for seed in seeds {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*seed) => *last = *seed,
            _ => ranges.push((*seed, *seed)),
        }
    }
    let texts: Vec<String> = ranges
        .iter()
        .map(|(first, last)| match last - first {
            0 => first.to_string(),
            1 => format!("{first}, {last}"),
            _ => format!("{first}–{last}"),
        })
        .collect();
    texts.join(", ")
}

/// A policy's parameters in a line: `λ = 1, γ tuned, c = 0.03`. Empty where there are none.
pub(crate) fn parameters(value: &Value) -> String {
    let mut parts = Vec::new();
    collect_parameters("", value, &mut parts);
    parts.join(", ")
}

fn collect_parameters(key: &str, value: &Value, parts: &mut Vec<String>) {
    let symbol = match key {
        "lambda" => "λ",
        "gamma" => "γ",
        "delta" => "δ",
        other => other,
    };
    match value {
        Value::Object(table) => {
            if let Some(kind) = table.get("kind").and_then(Value::as_str) {
                parts.push(format!("{symbol} {kind}").trim_start().to_owned());
            }
            let (tables, numbers): (Vec<_>, Vec<_>) =
                table.iter().filter(|(key, _)| *key != "kind").partition(|(_, v)| v.is_object());
            for (key, value) in numbers.into_iter().chain(tables) {
                collect_parameters(key, value, parts);
            }
        }
        Value::Null => {}
        Value::Number(number) => {
            let text = number.as_f64().map_or_else(|| number.to_string(), |n| n.to_string());
            parts.push(format!("{symbol} = {text}"));
        }
        Value::String(text) => parts.push(format!("{symbol} = {text}")),
        other => parts.push(format!("{symbol} = {other}")),
    }
}

/// Whether elements are closed in order, attributes quoted and entities known: enough of XML for
/// tests of what is written here.
#[cfg(test)]
pub(crate) fn well_formed(xml: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml;
    while let Some(start) = rest.find('<') {
        entities(&rest[..start])?;
        let mut quote = None;
        let end = rest[start..].char_indices().find(|(_, c)| {
            match (quote, c) {
                (None, '\'' | '"') => quote = Some(*c),
                (Some(q), c) if q == *c => quote = None,
                _ => {}
            }
            *c == '>' && quote.is_none()
        });
        let end = start + end.ok_or("a tag without end")?.0;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        let name = tag.trim_matches('/').split_whitespace().next().unwrap_or("");
        if tag.starts_with('/') {
            let last = open.pop();
            if last != Some(name) {
                return Err(format!("</{name}> closes {last:?}"));
            }
            continue;
        }
        if tag[1..].contains('<') {
            return Err(format!("`<` within the tag {tag}"));
        }
        entities(tag)?;
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("not closed: {open:?}")) }
}

#[cfg(test)]
fn entities(text: &str) -> Result<(), String> {
    const KNOWN: [&str; 5] = ["amp;", "lt;", "gt;", "quot;", "#39;"];
    for part in text.split('&').skip(1) {
        if !KNOWN.iter().any(|known| part.starts_with(known)) {
            return Err(format!("not an entity: &{}", &part[..part.len().min(12)]));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(fixed(-1234.567, 2), "−1,234.57");
        assert_eq!(fixed(-0.0001, 2), "0.00");
        assert_eq!(fixed(12.0, 0), "12");
        assert_eq!(percent(0.1234), "12.3 %");
        assert_eq!(seed_ranges(&[1, 2, 3, 7, 9, 10, 42]), "1–3, 7, 9, 10, 42");
        assert_eq!(seed_ranges(&[u64::MAX, 0]), "18446744073709551615, 0");
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(
            escape("<a href=\"x\">'&'\u{1}"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;\u{fffd}"
        );
        assert_eq!(shortened("abcdef", 4), "abc…");
    }

    #[test]
    fn the_check_finds_what_is_wrong() {
        well_formed("<a b='<'>&lt;<c/></a>").unwrap_err();
        well_formed("<a b='>'>&lt;<c/></a>").unwrap();
        for bad in ["<a>", "</a>", "<a></b>", "<a>&x;</a>", "<a b='></a>"] {
            well_formed(bad).unwrap_err();
        }
    }

    #[test]
    fn parameters_are_a_line() {
        let value = serde_json::json!({"gamma": {"c": 0.03, "kind": "tuned"}, "lambda": 1.0});
        assert_eq!(parameters(&value), "λ = 1, γ tuned, c = 0.03");
        assert_eq!(parameters(&serde_json::json!({})), "");
    }
}
