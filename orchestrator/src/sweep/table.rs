//! Points from a CSV file.

use std::path::Path;
use std::sync::Arc;

use fogbit_scenario::Fault;
use fogbit_scenario::fault::Source;

use super::design::Setting;

const FORM: &str =
    "a header of keys, such as nodes.count,policies.toof.lambda, and one row a point";

/// Reads a table of points: a header of keys, one row a point. An empty cell sets nothing.
pub(super) fn read(path: &Path) -> Result<Vec<Vec<Setting>>, Fault> {
    let file = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Fault::new(format!("cannot read {file}: {error}")).help(FORM))?;
    let mut table = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let broken = |error: csv::Error| Fault::new(format!("{file}: {error}")).help(FORM);
    let keys: Vec<String> =
        table.headers().map_err(broken)?.iter().map(ToOwned::to_owned).collect();
    header(path, &text, &keys)?;
    let mut points = Vec::new();
    for row in table.records() {
        let row = row.map_err(broken)?;
        let line = row.position().map_or(0, csv::Position::line);
        let cells = keys.iter().zip(&row).filter(|(_, value)| !value.is_empty());
        let point = cells.map(|(key, value)| Setting {
            key: key.clone(),
            value: value.to_owned(),
            name: format!("{file}, line {line}"),
            written: None,
        });
        points.push(point.collect());
    }
    Ok(points)
}

fn header(path: &Path, text: &str, keys: &[String]) -> Result<(), Fault> {
    let line = text.lines().next().unwrap_or_default();
    let source = Source { name: path.display().to_string(), text: Arc::from(line), first_line: 1 };
    let fault = |message: String| Fault::new(message).help(FORM).at(&source, 0..line.len());
    for (index, key) in keys.iter().enumerate() {
        if key.is_empty() {
            return Err(fault(format!("column {} has no key", index + 1)));
        }
        if keys[..index].contains(key) {
            return Err(fault(format!("the key `{key}` has two columns")));
        }
    }
    if keys.is_empty() { Err(fault("the table of points is empty".into())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(content: &str) -> Result<Vec<Vec<Setting>>, Fault> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        read(file.path())
    }

    #[test]
    fn rows_are_points_and_empty_cells_set_nothing() {
        let points = table("nodes.count, w\n3,\"[1, 2]\"\n10,\n").unwrap();
        let texts: Vec<Vec<String>> =
            points.iter().map(|p| p.iter().map(Setting::assignment).collect()).collect();
        assert_eq!(texts, [vec!["nodes.count=3", "w=[1, 2]"], vec!["nodes.count=10"]]);
        assert!(points[1][0].name.ends_with("line 3"), "{}", points[1][0].name);
    }

    #[test]
    fn broken_tables_are_refused() {
        for (content, message) in [
            ("a,a\n1,2\n", "two columns"),
            ("a,\n1,2\n", "column 2 has no key"),
            ("a,b\n1\n", "found record with 1 fields"),
            ("", "empty"),
        ] {
            let fault = table(content).unwrap_err();
            assert!(fault.message.contains(message), "{fault}");
        }
    }
}
