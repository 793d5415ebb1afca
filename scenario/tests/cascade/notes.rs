//! What a topology says in vain.

use crate::common::edited;
use crate::{GOOD, TRACE, folder, good};

const PICTURES: (&str, &str) =
    ("[edge]", "[pictures]\nfrom = \"data\"\nclassifiers = \"models\"\n\n[edge]");

#[test]
fn pictures_are_as_large_and_slow_as_they_are() {
    let folder = folder(TRACE);
    let in_vain =
        |edits: &[(&str, &str)]| good(folder.path(), &edited(GOOD, edits)).keys_without_effect();
    assert!(in_vain(&[]).is_empty());
    assert_eq!(in_vain(&[PICTURES]), ["edge.image_kb", "edge.service_ms"]);
    let size = ("image_kb = 0.5\n", "");
    assert_eq!(in_vain(&[PICTURES, size]), ["edge.service_ms"]);
    assert!(in_vain(&[PICTURES, size, ("service_ms = 3\n", "")]).is_empty());
}
