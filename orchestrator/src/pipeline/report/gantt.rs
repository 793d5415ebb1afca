//! One application under two placements, as a Gantt chart: what ran where, what travelled, what
//! waited.

use std::collections::{BTreeMap, BTreeSet};

use fogbit_scenario::pipeline::{
    Application, Conditions, CostTable, PipelineInstance, Schedule, Scheduler, Span,
};

use super::{Data, not_drawn};
use crate::pipeline::files::{APPLICATIONS_FILE, PlacedApplication};
use crate::pipeline::record::placement_of;
use crate::pipeline::tally::milliseconds;
use crate::report::figures::frame;
use crate::report::markup::{escape, fixed, grouped, put, shortened};
use crate::report::panel::{axis, legend, open};
use crate::report::plot::{CHARACTER, WIDTH, label};

const TITLE: &str = "One application under two placements";
/// Heights of rows, and room for the title of a block.
const SITE_ROW: f64 = 26.0;
const WAY_ROW: f64 = 17.0;
const HEAD: f64 = 30.0;
const TOP: f64 = 4.0;

/// A policy whose placements are drawn.
struct Side {
    name: String,
    look: String,
    /// By number of the application: the placement, and what was measured.
    placed: BTreeMap<u64, (Vec<u8>, Option<Schedule>)>,
}

/// What happened under a placement: a block of the chart.
struct Block<'d> {
    title: String,
    look: &'d str,
    placement: &'d [u8],
    schedule: Schedule,
    delay_ns: u64,
}

/// The chart; says why where there is none.
pub(super) fn figure(data: &Data) -> String {
    let Some(scenario) = &data.scenario else {
        return not_drawn(TITLE, "topology.toml cannot be read");
    };
    let Some((best, other)) = sides(data) else {
        return not_drawn(TITLE, "no application was placed by a policy that could be compared");
    };
    let instance = scenario.instance(data.first.seed);
    let mut bench = Bench { instance: &instance, scheduler: Scheduler::default() };
    let Some(number) = bench.most_different(&best, &other) else {
        return not_drawn(TITLE, "the policies have no application in common");
    };
    let (application, conditions) = (instance.application(number), instance.conditions(number));
    let blocks: Vec<Block<'_>> =
        [&best, &other].into_iter().flat_map(|side| bench.blocks(side, number)).collect();
    let named = scenario.names_of(number);
    let names = named.map_or(&[][..], |(_, sub_tasks)| sub_tasks);
    let chart = Chart::new(data, (&application, names), &conditions, &blocks);
    let name = named.map(|(name, _)| name);
    let caption = caption(data, (number, name), (&best, &other), &blocks);
    frame("gantt", TITLE, &signs(&other.look), &chart.svg(&blocks), &caption)
}

/// The policy that reaches the optimum, and the one beside it. Where none searches for the optimum it
/// is the labels.
fn sides(data: &Data) -> Option<(Side, Side)> {
    const KINDS: [&str; 5] = ["distilled", "imitation", "greedy", "fixed", "random"];
    let policies = &data.summary.policies;
    let place = |kind: &str| KINDS.iter().position(|known| *known == kind);
    let placed = |index: &usize| {
        data.first.policies.get(&policies[*index].name).is_some_and(|own| !own.is_empty())
    };
    let candidates = (0..policies.len()).filter(placed);
    let other =
        candidates.filter_map(|index| Some((place(&policies[index].kind)?, index))).min()?.1;
    let search = (0..policies.len()).filter(placed).find(|own| policies[*own].kind == "search");
    let best = match search {
        Some(index) => side(data, index, |own| &own.placement),
        None => Side {
            name: "the best placement".into(),
            look: "best".into(),
            placed: side(data, other, |own| &own.label)
                .placed
                .into_iter()
                .map(|(number, (placement, _))| (number, (placement, None)))
                .collect(),
        },
    };
    Some((best, side(data, other, |own| &own.placement)))
}

fn side(data: &Data, index: usize, which: impl Fn(&PlacedApplication) -> &String) -> Side {
    let (name, sites) = (&data.summary.policies[index].name, data.summary.run.sites().len());
    let own = data.first.policies.get(name).into_iter().flatten();
    let placed = own.filter_map(|own| {
        let measured = own.measured.as_ref().map(|measured| measured.schedule.clone());
        Some((own.application, (placement_of(which(own), sites)?, measured)))
    });
    Side { name: name.clone(), look: data.looks[index].clone(), placed: placed.collect() }
}

/// What plays applications again.
struct Bench<'i> {
    instance: &'i PipelineInstance,
    scheduler: Scheduler,
}

impl Bench<'_> {
    /// What happens to an application under a placement; none where it may not run so, in files that
    /// were changed.
    fn schedule(&mut self, number: u64, placement: &[u8]) -> Option<Schedule> {
        let application = self.instance.application(number);
        if !application.allows(placement) {
            return None;
        }
        let table = CostTable::new(&application, &self.instance.conditions(number));
        self.scheduler.take(&application);
        Some(self.scheduler.schedule(&table, placement))
    }

    /// The application whose modelled delays differ most; of equal ones the first.
    fn most_different(&mut self, best: &Side, other: &Side) -> Option<u64> {
        let mut most: Option<(u64, u64)> = None;
        for (number, (placement, _)) in &other.placed {
            let Some((reference, _)) = best.placed.get(number) else { continue };
            let delays = [placement, reference]
                .map(|own| self.schedule(*number, own).map(|schedule| schedule.delay_ns()));
            let [Some(own), Some(reference)] = delays else { continue };
            let apart = own.abs_diff(reference);
            if most.is_none_or(|(largest, _)| apart > largest) {
                most = Some((apart, *number));
            }
        }
        most.map(|(_, number)| number)
    }

    /// The application as modelled, and as measured where it was.
    fn blocks<'s>(&mut self, side: &'s Side, number: u64) -> Vec<Block<'s>> {
        let Some((placement, measured)) = side.placed.get(&number) else { return Vec::new() };
        let modelled = self.schedule(number, placement);
        let counts = |schedule: &Schedule| (schedule.sub_tasks.len(), schedule.flows.len());
        // What was measured may be told only in part.
        let measured =
            measured.clone().filter(|own| modelled.as_ref().map(counts) == Some(counts(own)));
        let suffix = if measured.is_some() { ", modelled" } else { "" };
        let block = |schedule: Schedule, suffix: &str| {
            let delay_ns = schedule.delay_ns();
            let title = format!("{}{suffix}: {} ms", side.name, fixed(milliseconds(delay_ns), 1));
            Block { title, look: &side.look, placement, schedule, delay_ns }
        };
        let modelled = modelled.map(|schedule| block(schedule, suffix));
        let measured = measured.map(|schedule| block(schedule, ", measured"));
        modelled.into_iter().chain(measured).collect()
    }
}

fn caption(
    data: &Data,
    (number, name): (u64, Option<&str>),
    (best, other): (&Side, &Side),
    blocks: &[Block<'_>],
) -> String {
    let (best_name, other_name) = (escape(&best.name), escape(&other.name));
    let alike = blocks.windows(2).all(|two| two[0].delay_ns == two[1].delay_ns);
    let why = match alike {
        true => format!("{best_name} and {other_name} are equally fast in all of them"),
        false => format!("the delays of {best_name} and {other_name} differ most in it"),
    };
    let measured = match blocks.len() > 2 {
        true => " Measured times are counted from the arrival of the application.",
        false => "",
    };
    format!(
        "Application {}{} of seed {}, of the first {}: {why}. Rows are sites and the ways between \
         them; a sub-task stands with its number at its site, data on its way. A thin bar is time \
         spent waiting for the site or the way, dashes are the way’s propagation delay, grey is the \
         work of others.{measured} Computed from <code>topology.toml</code> and \
         <a href='{APPLICATIONS_FILE}'><code>{APPLICATIONS_FILE}</code></a>.",
        grouped(number),
        name.map_or(String::new(), |name| format!(" ({})", escape(name))),
        data.first.seed,
        grouped(other.placed.len() as u64)
    )
}

fn signs(look: &str) -> String {
    let entries = [
        (format!("line {look}"), "runs, or is sent"),
        (format!("fly {look}"), "propagates"),
        (format!("line faint {look}"), "waits"),
    ];
    let entries: Vec<(&str, String)> =
        entries.iter().map(|(class, text)| (class.as_str(), (*text).to_owned())).collect();
    legend(&entries)
}

/// A row of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Row {
    Site(usize),
    Way(usize, usize),
}

impl Row {
    fn height(self) -> f64 {
        match self {
            Row::Site(_) => SITE_ROW,
            Row::Way(..) => WAY_ROW,
        }
    }
}

/// What all blocks share: the application, its rows, and the axis of time.
struct Chart<'d> {
    application: &'d Application,
    /// Names of its sub-tasks; empty where they have none.
    names: &'d [String],
    conditions: &'d Conditions,
    rows: Vec<(Row, String)>,
    left: f64,
    right: f64,
    /// The end of the axis.
    end_ms: f64,
}

/// The ends of a flow under a placement.
fn ends(application: &Application, flow: usize, placement: &[u8]) -> (usize, usize) {
    let at = |sub_task: Option<u32>| sub_task.map_or(0, |own| usize::from(placement[own as usize]));
    let flow = &application.flows()[flow];
    (at(flow.from), at(flow.to))
}

impl<'d> Chart<'d> {
    fn new(
        data: &Data,
        (application, names): (&'d Application, &'d [String]),
        conditions: &'d Conditions,
        blocks: &[Block<'_>],
    ) -> Chart<'d> {
        let sites = data.summary.run.sites();
        let mut used: BTreeSet<Row> = (0..sites.len()).map(Row::Site).collect();
        for block in blocks {
            for flow in 0..application.flows().len() {
                let (from, to) = ends(application, flow, block.placement);
                if from != to {
                    used.insert(Row::Way(from, to));
                }
            }
        }
        let name = |site: usize| shortened(sites.get(site).copied().unwrap_or("?"), 14);
        let rows: Vec<(Row, String)> = used
            .into_iter()
            .map(|row| match row {
                Row::Site(site) => (row, name(site)),
                Row::Way(from, to) => (row, format!("{} → {}", name(from), name(to))),
            })
            .collect();
        let longest = rows.iter().map(|(_, name)| name.chars().count()).max().unwrap_or(0);
        let delays = blocks.iter().map(|block| block.delay_ns);
        let end_ms = milliseconds(delays.max().unwrap_or(0)) * 1.01;
        let left = 18.0 + CHARACTER * longest as f64;
        Chart { application, names, conditions, rows, left, right: WIDTH - 16.0, end_ms }
    }

    fn at(&self, ns: u64) -> f64 {
        let share = if self.end_ms > 0.0 { milliseconds(ns) / self.end_ms } else { 0.0 };
        self.left + share.min(1.0) * (self.right - self.left)
    }

    fn svg(&self, blocks: &[Block<'_>]) -> String {
        let block = HEAD + self.rows.iter().map(|(row, _)| row.height()).sum::<f64>();
        let bottom = TOP + block * blocks.len() as f64 + 4.0;
        let mut svg = open(WIDTH, bottom + 42.0, "Gantt chart of one application by two policies");
        let out = &mut svg;
        for (ms, text) in axis("", 0.0, self.end_ms).ticks() {
            let x = self.at((ms * 1e6) as u64);
            put!(out, "<path class='grid' d='M{x:.1} {TOP}V{bottom:.1}'/>");
            label(out, "tick", x, bottom + 17.0, "middle", &text);
        }
        put!(out, "<path class='axis' d='M{:.1} {bottom:.1}H{:.1}'/>\n", self.left, self.right);
        let middle = (self.left + self.right) / 2.0;
        label(out, "name", middle, bottom + 36.0, "middle", "ms since the application arrived");
        for (index, own) in blocks.iter().enumerate() {
            self.block(out, own, TOP + block * index as f64);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn block(&self, out: &mut String, block: &Block<'_>, top: f64) {
        label(out, "name", 4.0, top + 20.0, "start", &block.title);
        let mut y = top + HEAD;
        for (row, name) in &self.rows {
            let middle = y + row.height() / 2.0;
            put!(out, "<path class='row' d='M{:.1} {middle:.1}H{:.1}'/>", self.left, self.right);
            label(out, "tick", self.left - 8.0, middle + 4.0, "end", name);
            match *row {
                Row::Site(site) => self.site(out, block, site, y),
                Row::Way(from, to) => self.way(out, block, (from, to), y),
            }
            y += row.height();
        }
    }

    /// Work of others, waiting sub-tasks, and those that run.
    fn site(&self, out: &mut String, block: &Block<'_>, site: usize, y: f64) {
        let busy = self.conditions.sites().get(site).map_or(0, |own| own.busy_ns);
        if busy > 0 {
            self.bar(out, "busy", (0, busy), (y + 4.0, 18.0), "the work of others");
        }
        let own = block.placement.iter().zip(&block.schedule.sub_tasks).enumerate();
        let own = || own.clone().filter(|(_, (at, _))| usize::from(**at) == site);
        for (number, (_, span)) in own() {
            let waits = spell(span.ready_ns, span.start_ns);
            let title = format!("{} waits for {waits}", self.name(number));
            let class = format!("wait {}", block.look);
            self.bar(out, &class, (span.ready_ns, span.start_ns), (y + 22.0, 4.0), &title);
        }
        for (number, (_, span)) in own() {
            let title = format!("{}: {}", self.name(number), spell(span.start_ns, span.end_ns));
            let class = format!("run {}", block.look);
            self.bar(out, &class, (span.start_ns, span.end_ns), (y + 4.0, 17.0), &title);
            let (from, to) = (self.at(span.start_ns), self.at(span.end_ns));
            let fits = |text: &String| to - from > 4.0 + CHARACTER * text.chars().count() as f64;
            let name = self.names.get(number).map(|name| format!("{} {name}", number + 1));
            let text = name.filter(fits).or_else(|| Some((number + 1).to_string()).filter(fits));
            if let Some(text) = text {
                label(out, "inside", (from + to) / 2.0, y + 16.5, "middle", &text);
            }
        }
    }

    /// Waiting data, data that is sent, and how long its last byte is on its way.
    fn way(&self, out: &mut String, block: &Block<'_>, (from, to): (usize, usize), y: f64) {
        let delay = self.conditions.way(from, to).delay_ns;
        for (flow, span) in block.schedule.flows.iter().enumerate() {
            if ends(self.application, flow, block.placement) != (from, to) {
                continue;
            }
            let Span { ready_ns, start_ns, end_ns } = *span;
            let sent = end_ns.saturating_sub(delay).max(start_ns);
            let name = self.flow_name(flow);
            let class = |what: &str| format!("{what} {}", block.look);
            let title = format!("{name} waits for {}", spell(ready_ns, start_ns));
            self.bar(out, &class("wait"), (ready_ns, start_ns), (y + 13.0, 3.0), &title);
            let title = format!("{name}: {}", spell(start_ns, end_ns));
            self.bar(out, &class("send"), (start_ns, sent), (y + 4.0, 9.0), &title);
            let (from, to, middle) = (self.at(sent), self.at(end_ns), y + WAY_ROW / 2.0);
            put!(out, "<path class='{}' d='M{from:.1} {middle:.1}H{to:.1}'/>", class("fly"));
        }
    }

    /// `sub-task 3`, with its name where it has one.
    fn name(&self, number: usize) -> String {
        let name = self.names.get(number).map(|name| format!(" ({name})")).unwrap_or_default();
        format!("sub-task {}{name}", number + 1)
    }

    /// `1 → 3`, `input → 1`, `5 → output`.
    fn flow_name(&self, flow: usize) -> String {
        let flow = &self.application.flows()[flow];
        let name = |end: Option<u32>, device: &str| {
            end.map_or_else(|| device.to_owned(), |own| (own + 1).to_string())
        };
        format!("{} → {}", name(flow.from, "input"), name(flow.to, "output"))
    }

    /// A bar with a title; nothing where it has no length.
    fn bar(
        &self,
        out: &mut String,
        class: &str,
        (from, to): (u64, u64),
        (y, height): (f64, f64),
        title: &str,
    ) {
        if to <= from {
            return;
        }
        let (x, end) = (self.at(from), self.at(to));
        let (width, title) = ((end - x).max(0.6), escape(title));
        put!(out, "<rect class='{class}' x='{x:.1}' y='{y:.1}' width='{width:.1}' ");
        put!(out, "height='{height:.1}'><title>{title}</title></rect>\n");
    }
}

/// A stretch of time in words.
fn spell(from_ns: u64, to_ns: u64) -> String {
    let ms = |ns| fixed(milliseconds(ns), 2);
    let length = to_ns.saturating_sub(from_ns);
    format!("{} ms, from {} to {} ms", ms(length), ms(from_ns), ms(to_ns))
}
