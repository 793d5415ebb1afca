//! stub
#![allow(missing_docs)]
use fogbit_scenario::Scenario;
pub fn mermaid(_: &Scenario) -> String { String::new() }
pub fn dot(_: &Scenario) -> String { String::new() }
pub fn svg(_: &Scenario) -> String { String::new() }
