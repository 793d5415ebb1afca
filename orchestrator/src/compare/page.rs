//! A comparison as a page that needs nothing but itself.

use super::{Comparison, PolicyInfo};
use crate::report::markup::{
    digits_for, escape, fixed, grouped, mean_sd, parameters, percent, put, seed_ranges, shortened,
};
use crate::report::pairs::{HEAD, Named, forest};
use crate::report::{look, page};
use crate::results::summary::Pair;

/// The page.
pub fn render(comparison: &Comparison) -> String {
    let labels: Vec<&str> = comparison.runs.iter().map(|run| run.label.as_str()).collect();
    let title = labels.join(", ");
    let mut out = page(&format!("{} – Fogbit", shortened(&title, 60)), "");
    put!(out, "<h1>{}</h1>\n", escape(&title));
    put!(out, "<p class='about'>Compared by <code>{}</code></p>\n", escape(&comparison.metric));
    for note in &comparison.notes {
        let class = if comparison.paired { "note" } else { "banner" };
        put!(out, "<div class='{class}'>{}</div>\n", escape(note));
    }
    let looks = looks(&comparison.policies);
    let named = |policy: &str| {
        let index = comparison.policies.iter().position(|p| p.name == policy);
        let look = index.map_or("best", |index| looks[index].as_str()).to_owned();
        let name = format!("<span class='key {look}'></span>{}", escape(policy));
        Named { look, name }
    };
    policies(&mut out, comparison, &named);
    differences(&mut out, comparison, &named);
    runs(&mut out, comparison);
    out.push_str("</body>\n</html>\n");
    out
}

/// One colour for each policy, grey for those that are told the truth.
fn looks(policies: &[PolicyInfo]) -> Vec<String> {
    let mut next = 0;
    policies.iter().map(|policy| look(&policy.kind, &mut next)).collect()
}

fn policies(out: &mut String, comparison: &Comparison, named: &impl Fn(&str) -> Named) {
    out.push_str(
        "<h2>Policies</h2>\n<div class='wide'><table class='full'><thead><tr><th>policy</th>\
         <th>seeds</th><th>mean</th><th>median</th><th>mean rank</th><th>best in</th></tr></thead>\
         <tbody>\n",
    );
    let sizes = comparison.policies.iter().filter_map(|policy| policy.value);
    let sizes = sizes.map(|value| value.mean.abs().max(value.sd.unwrap_or(0.0)));
    let digits = digits_for(sizes.fold(0.0, f64::max));
    for policy in &comparison.policies {
        let mut below = vec![parameters(&policy.parameters)];
        if policy.kind != policy.policy {
            below.insert(0, policy.kind.clone());
        }
        below.retain(|text| !text.is_empty());
        put!(
            out,
            "<tr><td>{}<span class='sub'>{}</span></td><td>{}</td>",
            named(&policy.name).name,
            escape(&below.join(", ")),
            grouped(policy.seeds)
        );
        match policy.value {
            Some(value) => {
                let median = fixed(value.median.unwrap_or(value.mean), digits);
                put!(out, "<td>{}</td><td>{median}</td>", mean_sd(value, digits));
            }
            None => out.push_str("<td>–</td><td>–</td>"),
        }
        match comparison.ranks.iter().find(|rank| rank.policy == policy.name) {
            Some(rank) => {
                let (mean, best) = (fixed(rank.mean_rank, 2), percent(rank.best_share));
                put!(out, "<td>{mean}</td><td>{best}</td></tr>\n");
            }
            None => out.push_str("<td>–</td><td>–</td></tr>\n"),
        }
    }
    out.push_str(
        "</tbody></table></div>\n<p class='small'>Means over all complete trials of a \
                  policy, ± one standard deviation over seeds.",
    );
    if let Some(rank) = comparison.ranks.first() {
        let seeds = grouped(rank.seeds);
        put!(
            out,
            " Ranks are over the {seeds} seeds that all ranked policies completed: 1 is best, equal \
             ones share the mean of their ranks. Policies that are told the truth are not ranked."
        );
    }
    out.push_str("</p>\n");
}

fn differences(out: &mut String, comparison: &Comparison, named: &impl Fn(&str) -> Named) {
    let Some(versus) = &comparison.versus else { return };
    put!(out, "<h2>Paired differences to {}</h2>\n", escape(versus));
    out.push_str(
        "<p>Policy minus reference, seed by seed over the seeds that both completed. Intervals are \
         95 % confidence intervals of the mean (Student; beside it one by the bootstrap, BCa); a \
         filled dot has one without 0, a hollow one leaves the question open. How many seeds would \
         decide it supposes that mean and deviation stay what they are: with so many, chances are \
         about even.</p>\n",
    );
    out.push_str(HEAD);
    forest(out, &comparison.pairs.iter().collect::<Vec<&Pair>>(), named);
    out.push_str("</table></div>\n");
}

fn runs(out: &mut String, comparison: &Comparison) {
    out.push_str(
        "<h2>Runs</h2>\n<div class='wide'><table><thead><tr><th>run</th>\
         <th class='left'>directory</th><th class='left'>topology</th><th class='left'>backend</th>\
         <th>slots</th><th class='left'>seeds</th><th class='left'>Fogbit</th></tr></thead><tbody>\n",
    );
    for run in &comparison.runs {
        put!(out, "<tr><td>{}</td>", escape(&run.label));
        for text in [&run.dir, &run.topology, &run.backend] {
            put!(out, "<td class='left'>{}</td>", escape(text));
        }
        let slots = run.slots.map_or("endless".into(), grouped);
        let seeds = shortened(&seed_ranges(&run.seeds), 60);
        put!(out, "<td>{slots}</td><td class='left'>{seeds}</td>");
        put!(out, "<td class='left'>{}</td></tr>\n", escape(&run.version));
    }
    out.push_str("</tbody></table></div>\n");
}
