//! `report.html` of a sweep: one page, made from its directory alone, and the same bytes every time.

use std::path::Path;

use super::ReportError;

/// Makes the report of the sweep in `dir`, as HTML.
///
/// # Errors
/// If `sweep.json`, `summary.json` or a curve file is missing or is something else.
pub fn render(dir: &Path) -> Result<String, ReportError> {
    let _ = dir;
    Ok(String::new())
}
