//! The points of a topology that carries its sweep.

use std::collections::BTreeSet;

use fogbit_scenario::topology::{Axis, AxisValue, keys_overlap, same_key};
use fogbit_scenario::{Fault, Faults};

use super::design::{Design, MOST_POINTS, Setting, key_of, overlap};

impl Design {
    /// The points of the topology's own `[sweep]`, grid after grid, each once. `plain` are overrides
    /// of all points; an axis whose key they set is left out.
    ///
    /// # Errors
    /// If there are too many.
    pub fn of_grids(grids: &[Vec<Axis>], plain: Vec<String>) -> Result<Design, Faults> {
        let axes = || grids.iter().flatten();
        let (replaced, rest): (Vec<&String>, Vec<&String>) =
            plain.iter().partition(|plain| axes().any(|axis| same_key(key_of(plain), &axis.key)));
        let part = rest.into_iter().find_map(|plain| {
            axes().find(|axis| keys_overlap(key_of(plain), &axis.key)).map(|axis| (plain, axis))
        });
        if let Some((plain, axis)) = part {
            let help = "set the very key, which takes the place of its axis; or name other points with \
                        --set KEY=V1,V2";
            return Err(overlap(plain, &axis.key, help).into());
        }
        let set = |axis: &&Axis| !replaced.iter().any(|plain| same_key(key_of(plain), &axis.key));
        let mut design = Design::default();
        let mut seen = BTreeSet::new();
        for grid in grids {
            let axes: Vec<&Axis> = grid.iter().filter(set).collect();
            let count = axes.iter().fold(1, |n: usize, axis| n.saturating_mul(axis.values.len()));
            if count.saturating_add(design.points.len()) > MOST_POINTS {
                let message = format!("this sweep has more than {MOST_POINTS} points");
                return Err(Fault::new(message).help("fewer values in [sweep]").into());
            }
            let mut of_grid = Design { points: vec![Vec::new()], ..Design::default() };
            for axis in axes {
                of_grid.multiply(&settings_of(axis));
            }
            for key in of_grid.keys {
                if !design.keys.contains(&key) {
                    design.keys.push(key);
                }
            }
            for point in of_grid.points {
                let mut told: Vec<String> = point.iter().map(Setting::assignment).collect();
                told.sort_unstable();
                if seen.insert(told) {
                    design.points.push(point);
                }
            }
        }
        design.plain = plain;
        Ok(design)
    }
}

/// The settings of an axis of the topology file.
fn settings_of(axis: &Axis) -> Vec<Setting> {
    let setting = |value: &AxisValue| Setting {
        key: axis.key.clone(),
        value: value.text.clone(),
        name: format!("[sweep] {}={}", axis.key, value.text),
        written: Some(value.clone()),
    };
    axis.values.iter().map(setting).collect()
}
