//! What each application of a trial cost.
//!
//! The ledger is told the [`ApplicationStep`]s of one trial, from virtual time or from a task node that
//! may lie. What a placement costs it computes itself, and so it does what the best one would have cost.

use std::io::{self, Write};

use fogbit_policy::pipeline::Optimum;
use fogbit_scenario::pipeline::{
    Application, ApplicationFate, ApplicationStep, CostTable, PipelineInstance, Scheduler,
};

use super::labels::SeedLabels;
use super::metrics;
use super::record::{DecisionRow, header};
use super::tally::{Entry, Tally};
use crate::harness::{LedgerError, Metric, ProblemLedger, Told, TrialSeries, Watch, show};
use crate::validity::Begun;

/// The account of one trial while it goes on.
pub struct PipelineLedger {
    instance: PipelineInstance,
    labels: SeedLabels,
    tally: Tally,
    scheduler: Scheduler,
    table: CostTable,
    told: Told,
    decisions: Option<Box<dyn Write + Send>>,
    text: String,
    watch: Option<Watch<ApplicationStep>>,
}

impl std::fmt::Debug for PipelineLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PipelineLedger").field("tally", &self.tally).finish_non_exhaustive()
    }
}

impl PipelineLedger {
    /// The ledger of the trial that plays `instance`, with its labels. Decisions are written if there is
    /// a file for them.
    ///
    /// # Errors
    /// If the head of the decision file cannot be written.
    pub fn new(
        instance: PipelineInstance,
        labels: SeedLabels,
        told: Told,
        mut decisions: Option<Box<dyn Write + Send>>,
    ) -> io::Result<PipelineLedger> {
        if let Some(file) = &mut decisions {
            file.write_all(header().as_bytes())?;
        }
        Ok(PipelineLedger {
            instance,
            labels,
            tally: Tally::default(),
            scheduler: Scheduler::default(),
            table: CostTable::default(),
            told,
            decisions,
            text: String::new(),
            watch: None,
        })
    }

    /// Has every step that is booked from now on added to `watch`.
    pub fn watched(mut self, watch: Option<Watch<ApplicationStep>>) -> PipelineLedger {
        self.watch = watch;
        self
    }

    /// What is wrong with a step that a task node told.
    fn check(&self, step: &ApplicationStep, application: &Application) -> Result<(), String> {
        if !application.allows(&step.placement) {
            return Err(format!("it cannot run under {:?}", step.placement));
        }
        let is_wall = self.instance.timeout_ns.is_some();
        match (&step.fate, &step.measured) {
            (ApplicationFate::Done, Some(measured)) if is_wall => {
                let schedule = &measured.schedule;
                let told = (schedule.sub_tasks.len(), schedule.flows.len());
                let right = (application.sub_tasks().len(), application.flows().len());
                if told != right {
                    return Err(format!("(sub-tasks, flows) = {told:?}, it has {right:?}"));
                }
                let spans = schedule.sub_tasks.iter().chain(&schedule.flows);
                match spans.clone().all(|span| span.start_ns <= span.end_ns) {
                    true => Ok(()),
                    false => Err("something ended before it began".into()),
                }
            }
            (ApplicationFate::Done, None) if !is_wall => Ok(()),
            (ApplicationFate::TimedOut | ApplicationFate::Refused(_), None) => Ok(()),
            (fate, measured) => {
                let told = if measured.is_some() { "something" } else { "nothing" };
                Err(format!("{fate:?}, and {told} was measured"))
            }
        }
    }

    fn write(
        &mut self,
        step: &ApplicationStep,
        label: &Optimum,
        delay_ns: u64,
        held_up_ns: u64,
    ) -> io::Result<()> {
        let Some(file) = &mut self.decisions else { return Ok(()) };
        self.text.clear();
        DecisionRow { step, delay_ns, label, held_up_ns }.append_to(&mut self.text);
        file.write_all(self.text.as_bytes())
    }
}

/// By how much the sub-tasks of an application took longer than they were to, all together.
fn held_up_ns(step: &ApplicationStep, table: &CostTable) -> u64 {
    let Some(measured) = &step.measured else { return 0 };
    let spans = measured.schedule.sub_tasks.iter().zip(&step.placement).enumerate();
    let longer = spans.map(|(number, (span, site))| {
        let took = span.end_ns.saturating_sub(span.start_ns);
        took.saturating_sub(table.computing_ns(number, usize::from(*site)))
    });
    longer.fold(0, u64::saturating_add)
}

impl ProblemLedger for PipelineLedger {
    type Step = ApplicationStep;
    type Account = Tally;
    const COUNTED: &'static str = "application";
    const TELL_EVERY: u64 = 1 << 8;
    /// The best placement of an application has to be found.
    const TAKES_LONG: bool = true;

    fn record(&mut self, step: &ApplicationStep) -> Result<(), LedgerError> {
        let number = self.tally.counts.applications + 1;
        let most = self.instance.applications;
        if step.application != number || number > most {
            let reason =
                format!("the task node told of application {} of {most}", step.application);
            return Err(LedgerError::untrue::<Self>(number, reason));
        }
        let application = self.instance.application(number);
        if self.told == Told::ByTaskNode {
            self.check(step, &application)
                .map_err(|reason| LedgerError::untrue::<Self>(number, reason))?;
        }
        self.table.fill(&application, &self.instance.conditions(number));
        self.scheduler.take(&application);
        let delay_ns = self.scheduler.delay_ns(&self.table, &step.placement);
        let label = self.labels.label(&self.instance, number);
        let label = label.map_err(|error| LedgerError::unknown::<Self>(number, &error))?;
        let held_up_ns = held_up_ns(step, &self.table);
        self.tally.add(&Entry {
            step,
            application: &application,
            delay_ns,
            label: &label,
            held_up_ns,
        });
        show(self.watch.as_ref(), step);
        let written = self.write(step, &label, delay_ns, held_up_ns);
        written.map_err(|error| LedgerError::write::<Self>(number, error))
    }

    fn booked(&self) -> u64 {
        self.tally.counts.applications
    }

    /// By how much all delays so far exceed the least ones, in milliseconds.
    fn lost(&self) -> f64 {
        self.tally.lost_ms()
    }

    fn held_up(&self) -> Begun {
        let measured = &self.tally.measured;
        Begun { slots: measured.count(), late: measured.late() }
    }

    const METRICS: &'static [Metric] = metrics::ALL;

    fn show(&self, series: &mut TrialSeries<'_>) {
        let Tally { counts, measured, .. } = &self.tally;
        let fates = [counts.done, counts.timed_out, counts.refused];
        for (fate, applications) in metrics::FATES.into_iter().zip(fates) {
            series.set_of(&metrics::APPLICATIONS, fate, applications as f64);
        }
        series.set(&metrics::OPTIMAL, counts.optimal as f64);
        for (site, sub_tasks) in self.tally.at_site.iter().enumerate() {
            series.set_at(&metrics::SUB_TASKS, site, *sub_tasks as f64);
        }
        series.set(&metrics::AS_LABEL, counts.as_label as f64);
        let seconds = |ns: u128| ns as f64 / 1e9;
        series.set(&metrics::DELAY, seconds(self.tally.delay_ns));
        series.set(&metrics::LEAST_DELAY, seconds(self.tally.optimum_ns));
        if measured.count() > 0 {
            series.set(&metrics::MEASURED, seconds(measured.delay_ns()));
            series.set(&metrics::MEASURED_MODELLED, seconds(measured.modelled_ns()));
            series.set(&metrics::HELD_UP, measured.late() as f64);
        }
    }

    fn close(mut self) -> io::Result<Tally> {
        if let Some(file) = &mut self.decisions {
            file.flush()?;
        }
        Ok(self.tally)
    }
}
