//! What stands in the rows: bars of what runs, waits and is sent.

use fogbit_scenario::pipeline::Span;

use super::super::sides::Block;
use super::{Chart, WAY_ROW, ends};
use crate::pipeline::tally::milliseconds;
use crate::report::markup::{escape, fixed, put};
use crate::report::plot::{CHARACTER, label};

impl Chart<'_> {
    /// Work of others, waiting sub-tasks, and those that run.
    pub(super) fn site(&self, out: &mut String, block: &Block<'_>, site: usize, y: f64) {
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
    pub(super) fn way(
        &self,
        out: &mut String,
        block: &Block<'_>,
        (from, to): (usize, usize),
        y: f64,
    ) {
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
