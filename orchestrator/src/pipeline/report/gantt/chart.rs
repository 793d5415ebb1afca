//! The chart itself: its rows, its axis of time, and blocks under each other.

use std::collections::BTreeSet;

use fogbit_scenario::pipeline::{Application, Conditions};

use super::super::Data;
use super::sides::Block;
use crate::pipeline::tally::milliseconds;
use crate::report::markup::{put, shortened};
use crate::report::panel::{axis, open};
use crate::report::plot::{CHARACTER, WIDTH, label};

mod bars;

/// Heights of rows, and room for the title of a block.
const SITE_ROW: f64 = 26.0;
const WAY_ROW: f64 = 17.0;
const HEAD: f64 = 30.0;
const TOP: f64 = 4.0;

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
pub(super) struct Chart<'d> {
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
    pub(super) fn new(
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

    pub(super) fn svg(&self, blocks: &[Block<'_>]) -> String {
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
}
