//! In virtual time processes decide as one process does.

use super::{both, topology};

#[test]
fn without_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let more = "[policies.mdp]\nkind = \"mdp\"\ndiscount = 0.99\n\n\
                [policies.searching]\nkind = \"mdp\"\ndiscount = 0.99\nsearch = true\n\n\
                [policies.belief]\nkind = \"belief\"\ndiscount = 0.99\nplaces = 16\n\n\
                [policies.hidden]\nkind = \"hidden-state\"\ndiscount = 0.99\nplaces = 16\n\n\
                [policies.clairvoyant]\nkind = \"clairvoyant\"\n\n[policies.baseline]";
    let file = topology(dir.path(), 300, &[("[policies.baseline]", more)]);
    let summary = both(&file, dir.path());
    for policy in summary["policies"].as_array().unwrap() {
        let [answered, timed_out, refused] = super::fates(&policy["whole"]);
        assert!(answered > 0, "{policy}");
        assert_eq!((timed_out, refused), (0, 0), "nothing is in the way of an image");
    }
}

/// Images as long as several packets, and a helper node without room for a second one.
#[test]
fn with_long_images_and_no_queue() {
    let dir = tempfile::tempdir().unwrap();
    let edge = "[edge]\nqueue_limit = 0\nimage_kb = 300\nservice_ms = 0.2\n\n[policies.baseline]";
    let changes = [("images = 1500", "images = 200"), ("[policies.baseline]", edge)];
    both(&topology(dir.path(), 50, &changes), dir.path());
}

/// The model is trained before the run, under the same seed in both, and its bytes travel.
#[test]
fn with_a_network() {
    let dir = tempfile::tempdir().unwrap();
    let dqn = "[policies.dqn]\nkind = \"dqn\"\ntrain = { iterations = 6, updates = 4, batch = 16, \
               hidden = [8, 8], images = 2000, history = 9 }\n\n[policies.baseline]";
    let changes = [("images = 1500", "images = 400"), ("[policies.baseline]", dqn)];
    both(&topology(dir.path(), 300, &changes), dir.path());
}
