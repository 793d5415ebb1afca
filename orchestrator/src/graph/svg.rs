//! The topology as a drawing.

use std::f64::consts::TAU;

use fogbit_scenario::Scenario;
use fogbit_scenario::topology::RunLength;

use super::{DESCRIBED, description, node_lines, policy_lines};
use crate::report::markup::{escape, grouped, put, shortened};

const STYLE: &str = "\
text{font:12px system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:#1c2024}\
.head{font-size:17px;font-weight:600}.name{font-weight:600}.soft{fill:#59626b}\
.page{fill:#fff}.link{stroke:#aab2ba;stroke-width:1.3}\
.card{fill:#f6f7f8;stroke:#7d8790}.task{fill:#0072b2;stroke:#0072b2}\
.ontask{fill:#fff;font-weight:600}.dot{fill:#7d8790}\
@media(prefers-color-scheme:dark){text{fill:#e7e9eb}.soft{fill:#a3acb5}.page{fill:#15181b}\
.link{stroke:#4b545c}.card{fill:#1d2125;stroke:#8b959e}.dot{fill:#8b959e}.ontask{fill:#fff}}";

/// Width and height of the task node.
const TASK: (f64, f64) = (132.0, 46.0);
const MARGIN: f64 = 16.0;
const LINE: f64 = 17.0;
/// Room for one character.
const CHARACTER: f64 = 6.7;

/// How far the picture reaches from the task node.
#[derive(Debug, Clone, Copy)]
struct Reach {
    side: f64,
    up: f64,
    down: f64,
}

/// The topology as SVG: the task node in the middle, the helper nodes around it.
pub fn svg(scenario: &Scenario) -> String {
    let mut star = String::new();
    let mut notes: Vec<(&str, String)> = Vec::new();
    let reach = if scenario.nodes() > DESCRIBED {
        notes.push(("name", "Helper nodes".into()));
        notes.extend(groups(scenario).into_iter().map(|text| ("soft", text)));
        notes.push(("soft", String::new()));
        ring(&mut star, scenario)
    } else {
        cards(&mut star, scenario)
    };
    notes.push(("name", "Policies".into()));
    notes.extend(policy_lines(scenario).into_iter().map(|text| ("soft", text)));

    let facts = facts(scenario);
    let texts = notes.iter().map(|(_, text)| text).chain([&facts]);
    let longest = texts.map(|text| text.chars().count()).max().unwrap_or(0) as f64;
    let width = (2.0 * (reach.side + MARGIN)).max(longest * CHARACTER + 3.0 * MARGIN);
    let middle = 50.0 + MARGIN + reach.up;
    let below = middle + reach.down + 2.0 * MARGIN;
    let height = below + LINE * notes.len() as f64 + 6.0;
    let name = escape(&scenario.name());
    let mut out = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:.0} {height:.0}' \
         width='{width:.0}' height='{height:.0}' role='img'>\n<title>{name}</title>\n\
         <style>{STYLE}</style>\n<rect class='page' width='100%' height='100%'/>\n"
    );
    put!(out, "<text class='head' x='{MARGIN}' y='27'>{name}</text>\n");
    put!(out, "<text class='soft' x='{MARGIN}' y='45'>{}</text>\n", escape(&facts));
    put!(out, "<g transform='translate({:.1} {middle:.1})'>\n{star}</g>\n", width / 2.0);
    for (index, (class, text)) in notes.iter().enumerate() {
        let x = if *class == "name" { MARGIN } else { 1.75 * MARGIN };
        let y = below + LINE * index as f64;
        put!(out, "<text class='{class}' x='{x}' y='{y:.0}'>{}</text>\n", escape(text));
    }
    out.push_str("</svg>\n");
    out
}

/// Boxes around the task node.
fn cards(out: &mut String, scenario: &Scenario) -> Reach {
    const LONGEST: usize = 32;
    let nodes = scenario.nodes();
    let contents: Vec<Vec<String>> = (0..nodes).map(|node| node_lines(scenario, node)).collect();
    let longest = contents.iter().flatten().map(|text| text.chars().count()).max().unwrap_or(0);
    let lines = contents.iter().map(Vec::len).max().unwrap_or(1);
    let card =
        ((longest.min(LONGEST) as f64 * CHARACTER + 18.0).max(90.0), 12.0 + 16.0 * lines as f64);
    let places = places(nodes, card);
    for (x, y) in &places {
        put!(out, "<path class='link' d='M0 0L{x:.1} {y:.1}'/>\n");
    }
    let (w, h) = card;
    for ((x, y), content) in places.iter().zip(&contents) {
        let (left, top) = (x - w / 2.0, y - h / 2.0);
        put!(out, "<rect class='card' x='{left:.1}' y='{top:.1}' width='{w:.1}' height='{h:.1}' ");
        out.push_str("rx='7'/>\n");
        for (line, text) in content.iter().enumerate() {
            let class = if line == 0 { "name" } else { "soft" };
            let (y, text) = (top + 18.0 + 16.0 * line as f64, escape(&shortened(text, LONGEST)));
            put!(out, "<text class='{class}' x='{x:.1}' y='{y:.1}' text-anchor='middle'>{text}");
            out.push_str("</text>\n");
        }
    }
    task_node(out, scenario);
    let most = |of: &dyn Fn(&(f64, f64)) -> f64| places.iter().map(of).fold(0.0, f64::max);
    Reach {
        side: most(&|p| p.0.abs()) + w / 2.0,
        up: (most(&|p| -p.1) + h / 2.0).max(TASK.1 / 2.0),
        down: (most(&|p| p.1) + h / 2.0).max(TASK.1 / 2.0),
    }
}

/// The middles of `nodes` boxes on the smallest ellipse on which none touches another or the task
/// node.
fn places(nodes: usize, card: (f64, f64)) -> Vec<(f64, f64)> {
    const GAP: f64 = 14.0;
    let first = if nodes > 2 { -TAU / 4.0 } else { 0.0 };
    let on = |size: f64| -> Vec<(f64, f64)> {
        let angles = (0..nodes).map(|node| first + TAU * node as f64 / nodes as f64);
        angles.map(|a| (1.45 * size * libm::cos(a), size * libm::sin(a))).collect()
    };
    let apart = |a: (f64, f64), b: (f64, f64), room: (f64, f64)| {
        (a.0 - b.0).abs() >= room.0 || (a.1 - b.1).abs() >= room.1
    };
    let fits = |places: &[(f64, f64)]| {
        let room = (card.0 + GAP, card.1 + GAP);
        let centre = ((card.0 + TASK.0) / 2.0 + 3.0 * GAP, (card.1 + TASK.1) / 2.0 + 3.0 * GAP);
        places.iter().enumerate().all(|(index, a)| {
            apart(*a, (0.0, 0.0), centre) && places[..index].iter().all(|b| apart(*a, *b, room))
        })
    };
    let mut size = 60.0;
    while !fits(&on(size)) {
        size *= 1.04;
    }
    on(size)
}

/// Names around the task node, written outwards.
fn ring(out: &mut String, scenario: &Scenario) -> Reach {
    const LONGEST: usize = 18;
    let nodes = scenario.nodes() as f64;
    let radius = (nodes * 17.0 / TAU).max(200.0);
    let longest = scenario.helpers().iter().map(|h| h.name.chars().count().min(LONGEST)).max();
    for (node, helper) in scenario.helpers().iter().enumerate() {
        let part = node as f64 / nodes;
        let angle = TAU * part - TAU / 4.0;
        let (x, y) = (radius * libm::cos(angle), radius * libm::sin(angle));
        put!(out, "<path class='link' d='M0 0L{x:.1} {y:.1}'/>");
        put!(out, "<circle class='dot' cx='{x:.1}' cy='{y:.1}' r='4'/>");
        // On the left half the names would stand upside down.
        let (turn, offset, anchor) = match part < 0.5 {
            true => (part * 360.0 - 90.0, 10.0, "start"),
            false => (part * 360.0 + 90.0, -10.0, "end"),
        };
        put!(out, "<text transform='translate({x:.1} {y:.1}) rotate({turn:.2})' x='{offset}' ");
        let (name, full) = (escape(&shortened(&helper.name, LONGEST)), escape(&helper.name));
        put!(out, "y='4' text-anchor='{anchor}'>{name}<title>{full}</title></text>\n");
    }
    task_node(out, scenario);
    let reach = radius + 12.0 + CHARACTER * longest.unwrap_or(0) as f64;
    Reach { side: reach, up: reach, down: reach }
}

fn task_node(out: &mut String, scenario: &Scenario) {
    let (w, h) = TASK;
    let (left, top, round) = (-w / 2.0, -h / 2.0, h / 2.0);
    put!(out, "<rect class='task' x='{left}' y='{top}' width='{w}' height='{h}' rx='{round}'/>");
    let name = escape(&shortened(scenario.topology().task_node_name(), 16));
    put!(out, "<text class='ontask' x='0' y='-2' text-anchor='middle'>{name}</text>");
    out.push_str("<text class='ontask' x='0' y='14' text-anchor='middle'>task node</text>\n");
}

fn facts(scenario: &Scenario) -> String {
    let plural = |number: u64, word: &str| {
        format!("{} {word}{}", grouped(number), if number == 1 { "" } else { "s" })
    };
    format!(
        "{} · {} · {}",
        plural(scenario.nodes() as u64, "helper node"),
        plural(scenario.features() as u64, "feature"),
        match scenario.length() {
            RunLength::Slots(slots) => plural(slots, "slot"),
            RunLength::Endless => "endless".into(),
        }
    )
}

/// How many nodes are alike, and what they are like.
fn groups(scenario: &Scenario) -> Vec<String> {
    const MOST: usize = 8;
    let mut groups: Vec<(String, u64)> = Vec::new();
    for node in 0..scenario.nodes() {
        let text = description(scenario, node).join(" · ");
        match groups.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1,
            None => groups.push((text, 1)),
        }
    }
    let more = groups.len().saturating_sub(MOST);
    let shown = groups.into_iter().take(MOST).map(|(text, count)| format!("{count} × {text}"));
    shown.chain((more > 0).then(|| format!("and {more} other kinds"))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::scenario;
    use super::*;
    use crate::report::markup::well_formed;

    #[test]
    fn every_size_is_drawn_well_formed() {
        for count in [1, 2, 3, 10, 16, 17, 100] {
            let svg = svg(&scenario(&format!("count = {count}")));
            well_formed(&svg).unwrap_or_else(|error| panic!("{count} nodes: {error}\n{svg}"));
            assert!(svg.contains("<title>a &quot;&lt;b&gt;&amp;</title>"), "{svg}");
            for node in 0..count {
                assert!(svg.contains(&format!(">h{node}<")), "h{node} of {count}");
            }
            assert!(svg.contains("toof: toof, λ = 1, γ tuned, c = 0.03"), "{svg}");
        }
    }

    #[test]
    fn boxes_do_not_overlap() {
        for count in 1..=DESCRIBED {
            let svg = svg(&scenario(&format!("count = {count}")));
            let number = |text: &str, key: &str| -> f64 {
                let rest = &text[text.find(key).expect(key) + key.len()..];
                rest[..rest.find('\'').expect("a quote")].parse().expect("a number")
            };
            let mut boxes: Vec<(f64, f64, f64, f64)> = svg
                .split("<rect class='")
                .filter(|rect| rect.starts_with("card") || rect.starts_with("task"))
                .map(|r| {
                    (
                        number(r, " x='"),
                        number(r, " y='"),
                        number(r, "width='"),
                        number(r, "height='"),
                    )
                })
                .collect();
            assert_eq!(boxes.len(), count + 1);
            while let Some((x, y, w, h)) = boxes.pop() {
                for (a, b, c, d) in &boxes {
                    let beside = x + w <= *a || a + c <= x || y + h <= *b || b + d <= y;
                    assert!(beside, "{count} nodes: {x} {y} and {a} {b}");
                }
            }
        }
    }
}
