//! What a sweep varies: axes, whose values are combined, or points that are listed one by one.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use fogbit_scenario::fault::Source;
use fogbit_scenario::topology::{AxisValue, keys_overlap, same_key, same_value};
use fogbit_scenario::{Fault, Faults};

/// More points than this are more likely a slip than a wish.
pub const MOST_POINTS: usize = 10_000;

/// One override of one point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The dotted key of the topology file.
    pub key: String,
    /// The value, as it was written.
    pub value: String,
    /// What the user calls it: the argument, or the line of a file.
    pub name: String,
    /// Where the topology file itself says it, in its `[sweep]`.
    pub written: Option<AxisValue>,
}

impl Setting {
    /// As `KEY=VALUE`.
    pub fn assignment(&self) -> String {
        format!("{}={}", self.key, self.value)
    }
}

/// What a sweep varies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Design {
    /// Overrides of all points, as `KEY=VALUE`, in the order in which they apply.
    pub plain: Vec<String>,
    /// The keys that points set, in the order in which they were given.
    pub keys: Vec<String>,
    /// The points; one that sets nothing where nothing is varied.
    pub points: Vec<Vec<Setting>>,
}

impl Design {
    /// All combinations of the axes among `sets`, which are assignments `KEY=V1,V2,...`; one with a
    /// single value is a plain override. The last axis varies fastest.
    ///
    /// # Errors
    /// What is wrong with which assignment.
    pub fn grid(sets: &[&str]) -> Result<Design, Faults> {
        let mut design = Design { points: vec![Vec::new()], ..Design::default() };
        let mut given: BTreeMap<String, &str> = BTreeMap::new();
        let mut faults = Vec::new();
        for set in sets {
            match axis(set) {
                Ok(axis) => {
                    if let Some(fault) = twice(&axis, &given, set) {
                        faults.push(fault);
                        continue;
                    }
                    if let [single] = axis.as_slice() {
                        design.plain.push(single.assignment());
                    } else {
                        given.insert(axis[0].key.clone(), set);
                        design.multiply(&axis);
                    }
                }
                Err(fault) => faults.push(fault),
            }
            if design.points.len() > MOST_POINTS {
                let message =
                    format!("these axes have more than {MOST_POINTS} points between them");
                return Err(Fault::new(message)
                    .help("fewer values, or points of their own: --point or --points")
                    .at(&source(set), 0..set.len())
                    .into());
            }
        }
        for plain in &design.plain {
            if let Some(key) = design.keys.iter().find(|key| keys_overlap(key, key_of(plain))) {
                faults.push(overlap(plain, key, "give all its values in one: KEY=V1,V2"));
            }
        }
        if faults.is_empty() { Ok(design) } else { Err(Faults(faults)) }
    }

    /// Takes each point so far once with each value of an axis.
    pub(super) fn multiply(&mut self, axis: &[Setting]) {
        self.keys.push(axis[0].key.clone());
        let points = std::mem::take(&mut self.points);
        for point in points {
            self.points.extend(axis.iter().map(|setting| {
                let mut point = point.clone();
                point.push(setting.clone());
                point
            }));
            // The caller refuses so many; it need not see all of them.
            if self.points.len() > MOST_POINTS {
                return;
            }
        }
    }

    /// Points that are listed: `sets` apply to all, `points` are arguments, each a list of
    /// assignments, and `table` is a CSV file with a header of keys and one row a point, where an
    /// empty cell sets nothing.
    ///
    /// # Errors
    /// What is wrong where.
    pub fn listed(
        sets: &[&str],
        points: &[Vec<&str>],
        table: Option<&Path>,
    ) -> Result<Design, Faults> {
        let mut design = Design::grid(sets)?;
        if let Some(key) = design.keys.first() {
            let set = sets.iter().find(|set| set.trim_start().starts_with(key.as_str()));
            let set = set.copied().unwrap_or_default();
            return Err(Fault::new("points are listed, so --set takes one value")
                .help("name the values in the points, or leave --point and --points out; a value with a comma in it is written in quotes")
                .at(&source(set), 0..set.len())
                .into());
        }
        design.points.clear();
        let mut faults = Vec::new();
        for assignments in points {
            match assignments.iter().map(|one| setting(one, "--point")).collect() {
                Ok(point) => design.points.push(point),
                Err(fault) => faults.push(fault),
            }
        }
        if let Some(path) = table {
            match super::table::read(path) {
                Ok(rows) => design.points.extend(rows),
                Err(fault) => faults.push(fault),
            }
        }
        for point in &design.points {
            for setting in point {
                if !design.keys.contains(&setting.key) {
                    design.keys.push(setting.key.clone());
                }
            }
        }
        // The very key of a point may be set for points that leave it alone.
        let part = |plain: &str, key: &str| {
            keys_overlap(key, key_of(plain)) && !same_key(key, key_of(plain))
        };
        for plain in &design.plain {
            if let Some(key) = design.keys.iter().find(|key| part(plain, key)) {
                faults.push(overlap(plain, key, "leave it out: each point says its own"));
            }
        }
        faults.extend(design.repeated());
        if design.points.is_empty() && faults.is_empty() {
            faults.push(Fault::new("no point is listed").help("one row of --points a point"));
        }
        if design.points.len() > MOST_POINTS {
            faults.push(Fault::new(format!("more than {MOST_POINTS} points are listed")));
        }
        if faults.is_empty() { Ok(design) } else { Err(Faults(faults)) }
    }

    /// Points that set the same as an earlier one, and keys that a point sets twice.
    fn repeated(&self) -> Vec<Fault> {
        let mut seen = BTreeMap::new();
        let mut faults = Vec::new();
        for (index, point) in self.points.iter().enumerate() {
            let mut keys: Vec<(&str, &str)> =
                point.iter().map(|s| (s.key.as_str(), s.value.as_str())).collect();
            keys.sort_unstable();
            let mut pairs = (0..keys.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
            if let Some((a, b)) = pairs.find(|(a, b)| keys_overlap(keys[*a].0, keys[*b].0)) {
                let (a, b) = (keys[a].0, keys[b].0);
                let message = match a == b {
                    true => format!("point {} sets `{a}` twice", index + 1),
                    false => format!("point {} sets the same by `{a}` and by `{b}`", index + 1),
                };
                faults.push(Fault::new(message).help("each key once in a point"));
            }
            if let Some(first) = seen.insert(keys, index) {
                let message = format!("points {} and {} are the same", first + 1, index + 1);
                faults.push(Fault::new(message).help("seeds, not points, are for playing again"));
            }
        }
        faults
    }
}

/// What the user wrote, as a place for faults.
fn source(set: &str) -> Source {
    Source { name: format!("--set {set}"), text: Arc::from(set), first_line: 1 }
}

/// One assignment of a listed point; `flag` is where it was given.
fn setting(assignment: &str, flag: &str) -> Result<Setting, Fault> {
    let name = format!("{flag} {assignment}");
    let Some((key, value)) = assignment.split_once('=').filter(|(key, _)| !key.trim().is_empty())
    else {
        let source = Source { name, text: Arc::from(assignment), first_line: 1 };
        return Err(Fault::new("not of the form KEY=VALUE")
            .help("for example --point \"nodes.count=3;policies.toof.lambda=5\"")
            .at(&source, 0..assignment.len()));
    };
    Ok(Setting { key: key.trim().to_owned(), value: value.trim().to_owned(), name, written: None })
}

/// The settings of `KEY=V1,V2,...`, at least one.
fn axis(set: &str) -> Result<Vec<Setting>, Fault> {
    let Some(equals) = set.find('=').filter(|at| !set[..*at].trim().is_empty()) else {
        return Err(Fault::new("not of the form KEY=VALUE or KEY=V1,V2,...")
            .help("for example --set policies.toof.gamma.c=0.01,0.03,0.1")
            .at(&source(set), 0..set.len()));
    };
    let key = set[..equals].trim();
    let ranges = split_values(&set[equals + 1..]).map_err(|(message, at)| {
        Fault::new(message)
            .help("a value that is a list is written [1, 2], one with a comma in it \"a,b\"")
            .at(&source(set), equals + 1 + at.start..equals + 1 + at.end)
    })?;
    let value = |range: &Range<usize>| set[equals + 1..][range.clone()].trim();
    if ranges.len() > 1 {
        for (index, range) in ranges.iter().enumerate() {
            let wrong = match value(range) {
                "" => "an empty value",
                text if ranges[..index].iter().any(|earlier| same_value(value(earlier), text)) => {
                    "this value is given twice"
                }
                _ => continue,
            };
            let (start, end) = (equals + 1 + range.start, equals + 1 + range.end);
            // Of an empty value there is nothing to underline but its comma.
            let end = end.max(start + 1).min(set.len());
            let start = start.min(end - 1);
            return Err(Fault::new(wrong).help("KEY=V1,V2,...").at(&source(set), start..end));
        }
    }
    let settings = ranges.iter().map(value).map(|text| Setting {
        key: key.to_owned(),
        value: text.to_owned(),
        name: format!("--set {key}={text}"),
        written: None,
    });
    Ok(settings.collect())
}

/// The fault of an axis whose key another one varies, or one that lies within it.
fn twice(axis: &[Setting], given: &BTreeMap<String, &str>, set: &str) -> Option<Fault> {
    let key = &axis[0].key;
    let (_, earlier) = given.iter().find(|(other, _)| keys_overlap(other, key))?;
    Some(
        Fault::new(format!("`{key}` is varied already, by --set {earlier}"))
            .help("give all its values in one: KEY=V1,V2")
            .at(&source(set), 0..set.len()),
    )
}

/// The fault of an override of all points that sets what they vary as `key`.
pub(super) fn overlap(plain: &str, key: &str, help: &str) -> Fault {
    Fault::new(format!("this sets what points vary as `{key}`"))
        .help(help)
        .at(&source(plain), 0..plain.len())
}

/// The key of `KEY=VALUE`.
pub(super) fn key_of(assignment: &str) -> &str {
    assignment.split_once('=').map_or("", |(key, _)| key.trim())
}

/// Where the values of a list lie: commas within brackets, braces and quotes do not part them. An
/// error says what is not closed, and where it begins.
fn split_values(text: &str) -> Result<Vec<Range<usize>>, (String, Range<usize>)> {
    let mut ranges = Vec::new();
    let mut start = 0;
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut quote: Option<(usize, char)> = None;
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(_), _) if escaped => escaped = false,
            (Some((_, '"')), '\\') => escaped = true,
            (Some((_, opened)), letter) if opened == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some((at, letter)),
            (None, '[') => open.push((at, ']')),
            (None, '{') => open.push((at, '}')),
            (None, ']' | '}') => {
                let closing = open.pop().map(|(_, closing)| closing);
                if closing != Some(letter) {
                    return Err((format!("nothing that `{letter}` could close"), at..at + 1));
                }
            }
            (None, ',') if open.is_empty() => {
                ranges.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
    }
    if let Some((at, letter)) = quote.or(open.pop()) {
        let what = if matches!(letter, '"' | '\'') { "quote" } else { "bracket" };
        return Err((format!("a {what} that is not closed"), at..at + 1));
    }
    ranges.push(start..text.len());
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(set: &str) -> Vec<String> {
        axis(set).unwrap().into_iter().map(|s| s.value).collect()
    }

    #[test]
    fn values_part_at_commas_outside_of_brackets_and_quotes() {
        assert_eq!(values("a.b=0.01, 0.03,1"), ["0.01", "0.03", "1"]);
        assert_eq!(values("w=[1,2],[3,[4,5]]"), ["[1,2]", "[3,[4,5]]"]);
        assert_eq!(values("w={a=1,b=2},{a=3}"), ["{a=1,b=2}", "{a=3}"]);
        assert_eq!(values(r#"w="a,b",'c,"d',"e\",f""#), [r#""a,b""#, r#"'c,"d'"#, r#""e\",f""#]);
        assert_eq!(values("about="), [""]);
    }

    #[test]
    fn combinations_vary_the_last_axis_fastest() {
        let design = Design::grid(&["a=1,2", "c=9", "b=x,y"]).unwrap();
        assert_eq!((design.plain, design.keys), (vec!["c=9".into()], vec!["a".into(), "b".into()]));
        let points: Vec<String> = design
            .points
            .iter()
            .map(|p| p.iter().map(Setting::assignment).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(points, ["a=1 b=x", "a=1 b=y", "a=2 b=x", "a=2 b=y"]);
        assert_eq!(Design::grid(&[]).unwrap().points, [vec![]]);
    }

    #[test]
    fn mistakes_are_underlined() {
        for (sets, message, underlined) in [
            (vec!["a"], "not of the form", "a"),
            (vec!["=1,2"], "not of the form", "=1,2"),
            (vec!["a=1,,2"], "an empty value", ","),
            (vec!["a=1,2,"], "an empty value", ","),
            (vec!["a=1,2,1"], "given twice", "1"),
            (vec!["a=[1,2"], "a bracket that is not closed", "["),
            (vec!["a=1],2"], "nothing that `]` could close", "]"),
            (vec!["a=\"x,2"], "a quote that is not closed", "\""),
            (vec!["a=1,2", "a=3,4"], "`a` is varied already", "a=3,4"),
            (vec!["a=1,2", "a=3"], "varied", "a=3"),
            (vec!["a=3", "a=1,2"], "what points vary as `a`", "a=3"),
            (vec!["a=1,2,1.0"], "given twice", "1.0"),
            (vec!["a.b=1,2", "a={b=3},{b=4}"], "`a` is varied already", "a={b=3},{b=4}"),
            (vec!["a={b=3}", "a.b=1,2"], "what points vary as `a.b`", "a={b=3}"),
            (vec!["a.b=1,2", "\"a\" . b=3,4"], "varied already", "\"a\" . b=3,4"),
        ] {
            let faults = Design::grid(&sets).unwrap_err().0;
            assert!(faults[0].message.contains(message), "{sets:?}: {}", faults[0]);
            let place = faults[0].place.as_ref().unwrap();
            assert_eq!(&place.source.text[place.span.clone()], underlined, "{sets:?}");
        }
        let many = format!("a={}", (0..200).map(|i| i.to_string()).collect::<Vec<_>>().join(","));
        let other = many.replacen('a', "b", 1);
        let faults = Design::grid(&[&many, &other]).unwrap_err().0;
        assert!(faults[0].message.contains("more than 10000 points"), "{}", faults[0]);
    }

    #[test]
    fn listed_points_are_told_apart() {
        let design =
            Design::listed(&["slots=9"], &[vec!["a=1", "b=2"], vec!["a=2"]], None).unwrap();
        assert_eq!(design.keys, ["a", "b"]);
        assert_eq!(design.points.len(), 2);
        for (points, message) in [
            (vec![vec!["a=1"], vec!["a=1"]], "points 1 and 2 are the same"),
            (vec![vec!["a=1", "a=2"]], "point 1 sets `a` twice"),
            (vec![vec!["a.b=1", "a={b=2}"]], "point 1 sets the same by `a` and by `a.b`"),
            (vec![vec!["a"]], "not of the form KEY=VALUE"),
        ] {
            let faults = Design::listed(&[], &points, None).unwrap_err().0;
            assert!(faults[0].message.contains(message), "{}", faults[0]);
        }
        assert!(Design::listed(&["a=1"], &[vec!["a=2"], vec!["b=1"]], None).is_ok());
        let faults = Design::listed(&["a=1"], &[vec!["a.b=1"]], None).unwrap_err().0;
        assert!(faults[0].message.contains("what points vary as `a.b`"), "{}", faults[0]);
        let faults = Design::listed(&["a=1,2"], &[vec!["b=1"]], None).unwrap_err().0;
        assert!(faults[0].message.contains("takes one value"), "{}", faults[0]);
    }
}
