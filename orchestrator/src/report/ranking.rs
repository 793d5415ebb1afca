//! The ranking: who usually comes first.

use super::markup::{fixed, grouped, percent, put};
use crate::results::summary::PolicyRank;

/// The section; empty where there is nothing to rank, and with one seed, where the table of
/// policies says it all. `columns` are titles and metrics, the first is what the rows are ordered
/// by; of the `policies` of the run some may not be ranked; `name` gives them as HTML.
pub(crate) fn section(
    ranks: &[PolicyRank],
    columns: &[(&str, &str)],
    policies: usize,
    name: impl Fn(&str) -> String,
) -> String {
    let mut order: Vec<&PolicyRank> = ranks.iter().filter(|r| r.metric == columns[0].1).collect();
    order.sort_by(|a, b| a.mean_rank.total_cmp(&b.mean_rank));
    let seeds = order.first().map_or(0, |rank| rank.seeds);
    if seeds < 2 {
        return String::new();
    }
    let mut out = String::from("<h2>Ranking</h2>\n");
    put!(
        out,
        "<p>Under each of {} seeds that all completed, the policies are ranked from 1, the best; \
         equal ones share the mean of their ranks. The mean rank says who usually comes first, and \
         not by how much: that is in the paired differences. “Best in” is the share of the seeds \
         in which a policy comes first.{}</p>\n",
        grouped(seeds),
        match order.len() < policies {
            true => " Policies that are told the truth, or have no complete trial, are not ranked.",
            false => "",
        }
    );
    out.push_str("<div class='wide'><table><thead><tr><th rowspan='2'>policy</th>");
    for (title, _) in columns {
        put!(out, "<th class='group' colspan='2'>by {title}</th>");
    }
    out.push_str("</tr><tr>");
    for _ in columns {
        out.push_str("<th class='number'>mean rank</th><th class='number'>best in</th>");
    }
    out.push_str("</tr></thead><tbody>\n");
    for PolicyRank { policy, .. } in order {
        put!(out, "<tr><td>{}</td>", name(policy));
        for (_, metric) in columns {
            let cells = ranks
                .iter()
                .find(|r| r.policy == *policy && r.metric == *metric)
                .map_or("<td>–</td><td>–</td>".into(), |r| {
                    format!("<td>{}</td><td>{}</td>", fixed(r.mean_rank, 2), percent(r.best_share))
                });
            out.push_str(&cells);
        }
        out.push_str("</tr>\n");
    }
    out.push_str(
        "</tbody></table></div>\n<p class='small'>From <a href='summary.json'><code>summary.json\
         </code></a> (<code>ranks</code>).</p>\n",
    );
    out
}
