//! The words in which serde reports an error, made those of a topology file.

/// The message and the help that take the place of serde's `message`.
pub(super) fn rewritten(message: &str) -> (String, Option<String>) {
    for (theirs, ours) in [
        ("unknown field", "unknown key"),
        ("unknown variant", "unknown value"),
        ("unknown kind", "unknown kind"),
    ] {
        if let Some(rest) = message.strip_prefix(theirs) {
            let mut quoted = rest.split('`').skip(1).step_by(2);
            let unknown = quoted.next().unwrap_or_default();
            return (
                format!("{ours} `{unknown}`"),
                Some(suggestion(unknown, &quoted.collect::<Vec<_>>())),
            );
        }
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        return (format!("missing key {rest}"), example(rest).map(str::to_owned));
    }
    for (theirs, ours) in [("invalid type: ", "wrong type: "), ("invalid value: ", "wrong value: ")]
    {
        if let Some((got, expected)) =
            message.strip_prefix(theirs).and_then(|rest| rest.split_once(", expected "))
        {
            let got = match got {
                "map" => "a table".into(),
                "sequence" => "a list".into(),
                // Integers that do not fit are told with the type that they were tried as.
                other => other
                    .trim_end_matches(" as i128")
                    .trim_end_matches(" as u128")
                    .replace("floating point", "the number"),
            };
            return (format!("{ours}{got}"), Some(format!("expected {}", type_name(expected))));
        }
    }
    if let Some((count, expected)) =
        message.strip_prefix("invalid length ").and_then(|rest| rest.split_once(", expected "))
    {
        // Of a structure serde says also how many fields it has, which nobody wrote as a list.
        let expected = expected.split_once(" with ").map_or(expected, |(name, _)| name);
        return (
            format!("wrong type: a list of {count}"),
            Some(format!("expected {}", type_name(expected))),
        );
    }
    match message.split_once(": ") {
        Some((message, help)) if message.starts_with("missing key") => {
            (message.to_owned(), Some(help.to_owned()))
        }
        _ => (message.to_owned(), None),
    }
}

/// A type as the reader of a TOML file knows it.
fn type_name(serde: &str) -> &str {
    match serde {
        "u64" | "u32" => "a whole number, 0 or above",
        "f64" => "a number",
        // Signs are the only small integers there are.
        "i8" => "-1 or 1",
        "a sequence" => "a list",
        "a map" => "a table",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}

/// The known name nearest to the one that is not known, or all of them.
fn suggestion(unknown: &str, known: &[&str]) -> String {
    let likeness = |name: &&&str| strsim::jaro_winkler(unknown, name);
    let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest {
        Some(name) if likeness(&name) > 0.8 => format!("did you mean `{name}`?"),
        Some(_) => format!("known here: {}", known.join(", ")),
        None => "no key but `kind` belongs here".into(),
    }
}

/// What a key that cannot be left out looks like.
fn example(key: &str) -> Option<&'static str> {
    match key {
        "`slots`" => Some("for example slots = 10000, above the first [table]"),
        "`policies`" => Some(
            "add at least one, for example [policies.NAME] with its kind; `fogbit policy list` names them",
        ),
        _ => None,
    }
}
