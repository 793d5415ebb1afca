use crate::common::{play, score, shipped};

#[test]
fn explore() {
    for (file, sets) in [("network-aware.toml", &["slots=100"][..]), ("learned.toml", &[])] {
        let scenario = shipped(file, sets);
        for (name, _) in scenario.policies() {
            let t = std::time::Instant::now();
            let steps = play(&scenario, name, 1);
            let el = t.elapsed().as_secs_f64();
            let mut instance = scenario.instance(1);
            println!(
                "{file} {name} {:?} {:.0}/s",
                score(&mut instance, &steps),
                steps.len() as f64 / el
            );
            if file.starts_with("net") {
                for part in steps.chunks(25) {
                    println!("   {:?}", score(&mut instance, part));
                }
            }
        }
    }
}
