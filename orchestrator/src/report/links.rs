//! Links as configured beside links as measured.

use serde_json::{Map, Value};

use super::markup::{escape, fixed, put};

/// Of more rows than these only the first are shown.
const MOST_ROWS: usize = 100;

/// The table of `links.json`: a row for each check, a column for each of its keys that holds one
/// value; empty where nothing was measured.
pub(crate) fn section(links: Option<&Value>) -> String {
    let rows: Vec<&Map<String, Value>> = links
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .collect();
    let Some(first) = rows.first() else { return String::new() };
    let plain = |key: &&String| rows.iter().any(|row| row.get(*key).is_some_and(is_plain));
    let columns: Vec<&String> = first.keys().filter(plain).collect();
    let mut out = String::from(
        "<h2>Links: configured and measured</h2>\n<div class='wide'><table><thead><tr>",
    );
    for column in &columns {
        put!(out, "<th>{}</th>", escape(&column.replace('_', " ")));
    }
    out.push_str("</tr></thead><tbody>\n");
    for row in rows.iter().take(MOST_ROWS) {
        out.push_str("<tr>");
        for column in &columns {
            put!(out, "<td>{}</td>", row.get(*column).map_or(String::new(), cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str(
        "</tbody></table></div>\n<p class='small'>A link is wrong only if what is \
                  configured lies outside the 99.9 % interval of what was measured. Drawn from \
                  <a href='links.json'><code>links.json</code></a>.</p>\n",
    );
    out
}

fn is_plain(value: &Value) -> bool {
    !value.is_object() && !value.is_array() && !value.is_null()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escape(text),
        Value::Number(number) if number.is_f64() => {
            let value = number.as_f64().unwrap_or(f64::NAN);
            fixed(value, if value.abs() < 1.0 { 5 } else { 2 })
        }
        other => escape(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn checks_are_shown_as_they_are() {
        assert_eq!(section(None), "");
        assert_eq!(section(Some(&json!([]))), "");
        let links = json!([
            {"link": "<edge>", "configured": 70.0, "measured": 70.31, "verdict": null, "counts": [1]},
            {"link": "far", "configured": 0.001, "measured": 2, "verdict": "right", "counts": [2]},
        ]);
        let page = section(Some(&links));
        for part in ["&lt;edge&gt;", "70.31", "0.00100", "<th>verdict</th>", "<td>right</td>"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("counts"), "{page}");
    }
}
