//! What a query in PromQL speaks of.

use super::*;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) metric: String,
    pub(crate) labels: Vec<String>,
    /// The function or parenthesis it stands in directly, "" for the latter.
    pub(crate) within: String,
    pub(crate) ranged: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Spoken {
    pub(crate) selectors: Vec<Selector>,
    /// The labels of `by`, `on` and the like.
    pub(crate) groupings: Vec<String>,
    /// What stands in square brackets.
    pub(crate) windows: Vec<String>,
}

pub(crate) fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// Takes apart as much of PromQL as the queries here use; that they are right as a whole is for
/// promtool to say.
pub(crate) fn spoken(expr: &str) -> Spoken {
    let chars: Vec<char> = expr.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or(' ');
    let taken = |from: usize, to: usize| chars[from..to].iter().collect::<String>();
    let until = |from: usize, good: &dyn Fn(char) -> bool| {
        (from..chars.len()).find(|i| !good(chars[*i])).unwrap_or(chars.len())
    };
    let after_space = |from: usize| until(from, &|c| c.is_whitespace());
    let after_text = |from: usize| {
        let quote = chars[from];
        until(from + 1, &|c| c != quote) + 1
    };
    let mut spoken = Spoken::default();
    let (mut open, mut function) = (Vec::new(), String::new());
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        if c.is_ascii_alphabetic() || c == '_' {
            let end = until(i, &is_name);
            let word = taken(i, end);
            i = after_space(end);
            function.clear();
            match word.as_str() {
                "by" | "without" | "on" | "ignoring" | "group_left" | "group_right" => {
                    if at(i) == '(' {
                        let end = until(i, &|c| c != ')');
                        let labels = taken(i + 1, end);
                        let labels = labels.split(',').map(str::trim).filter(|l| !l.is_empty());
                        spoken.groupings.extend(labels.map(str::to_owned));
                        i = end + 1;
                    }
                }
                "and" | "or" | "unless" | "bool" | "offset" => {}
                _ if at(i) == '(' => function = word,
                _ if AGGREGATIONS.contains(&word.as_str()) => {}
                _ => {
                    let within = open.last().cloned().unwrap_or_default();
                    let mut selector = Selector { metric: word, within, ..Selector::default() };
                    if at(i) == '{' {
                        i += 1;
                        while at(i) != '}' {
                            assert!(i < chars.len(), "no end of the labels: {expr}");
                            if at(i) == '"' {
                                i = after_text(i);
                            } else if is_name(at(i)) {
                                let end = until(i, &is_name);
                                selector.labels.push(taken(i, end));
                                i = end;
                            } else {
                                i += 1;
                            }
                        }
                        i = after_space(i + 1);
                    }
                    selector.ranged = at(i) == '[';
                    spoken.selectors.push(selector);
                }
            }
            continue;
        }
        match c {
            '"' | '\'' => i = after_text(i),
            '[' => {
                let end = until(i, &|c| c != ']');
                spoken.windows.push(taken(i + 1, end));
                i = end + 1;
            }
            '(' => {
                open.push(std::mem::take(&mut function));
                i += 1;
            }
            ')' => {
                assert!(open.pop().is_some(), "one `)` too many: {expr}");
                i += 1;
            }
            // Numbers and durations.
            _ if c.is_ascii_digit() => i = until(i, &|c| c.is_ascii_alphanumeric() || c == '.'),
            _ => {
                assert!(!"{}$]".contains(c), "`{c}` is not expected here: {expr}");
                i += 1;
            }
        }
    }
    assert!(open.is_empty(), "a `)` is missing: {expr}");
    spoken
}

#[test]
fn queries_are_taken_apart() {
    let selector = |metric: &str, labels: &[&str], within: &str, ranged| Selector {
        metric: metric.to_owned(),
        labels: labels.iter().map(|l| (*l).to_owned()).collect(),
        within: within.to_owned(),
        ranged,
    };
    let texts = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        spoken(
            "histogram_quantile(0.95, sum by (policy, le) (rate(a_bucket{x=~\"} $p\", y!=\"\"}[$__r])))\n\
             / on () group_left (z) topk(5, b @ end()) or (c offset 2m) > 1e-9 * a:b_c:d30s"
        ),
        Spoken {
            selectors: vec![
                selector("a_bucket", &["x", "y"], "rate", true),
                selector("b", &[], "topk", false),
                selector("c", &[], "", false),
                selector("a:b_c:d30s", &[], "", false),
            ],
            groupings: texts(&["policy", "le", "z"]),
            windows: texts(&["$__r"]),
        }
    );
}
