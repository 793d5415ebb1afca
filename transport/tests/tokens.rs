//! Authority and tokens in files: what lies where, who can read it, and when it is gone.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fogbit_transport::token::{published_file, token_file};
use fogbit_transport::{Role, Token, Tokens};

/// Every file and folder under `dir` with its permissions.
fn tree(dir: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            found.insert(path.strip_prefix(dir).unwrap().display().to_string(), mode);
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

fn assert_same(a: &Tokens, b: &Tokens) {
    assert_eq!(a.authority.digest(), b.authority.digest());
    for role in [Role::Helper, Role::TaskNode] {
        assert_eq!(a.token(role), b.token(role));
    }
}

#[test]
fn the_authority_has_a_folder_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = Tokens::generate().unwrap();
    tokens.save(dir.path()).unwrap();
    let expected = [
        ("authority", 0o700),
        ("authority/authority.key", 0o600),
        ("authority/authority.pem", 0o600),
        ("helper.token", 0o600),
        ("task-node.token", 0o600),
    ];
    assert_eq!(tree(dir.path()), expected.map(|(name, mode)| (name.to_owned(), mode)).into());
    assert_same(&Tokens::load(dir.path()).unwrap(), &tokens);
    assert!(Tokens::generate().unwrap().save(dir.path()).is_err(), "tokens were overwritten");
    assert_same(&Tokens::load(dir.path()).unwrap(), &tokens);
}

#[test]
fn where_one_token_lies_nothing_else_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let taken = dir.path().join(token_file(Role::TaskNode));
    std::fs::write(&taken, "mine").unwrap();
    let error = Tokens::generate().unwrap().save(dir.path()).unwrap_err();
    assert!(error.to_string().contains("task-node.token"), "{error}");
    assert_eq!(tree(dir.path()).len(), 1);
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "mine");
}

#[test]
fn four_files_side_by_side_are_read_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let tokens = Tokens::generate().unwrap();
    tokens.save(dir.path()).unwrap();
    for name in ["authority.pem", "authority.key"] {
        std::fs::rename(dir.path().join("authority").join(name), dir.path().join(name)).unwrap();
    }
    std::fs::remove_dir(dir.path().join("authority")).unwrap();
    assert_same(&Tokens::load(dir.path()).unwrap(), &tokens);
}

#[test]
fn what_does_not_belong_together_is_not_loaded() {
    let dir = tempfile::tempdir().unwrap();
    Tokens::generate().unwrap().save(dir.path()).unwrap();
    let other = Tokens::generate().unwrap().token(Role::Helper).unwrap();
    let path = dir.path().join(token_file(Role::Helper));
    std::fs::write(path, other.to_text()).unwrap();
    let error = Tokens::load(dir.path()).unwrap_err();
    assert!(error.to_string().contains("another authority"), "{error}");
    let error = Tokens::load(&dir.path().join("nowhere")).unwrap_err();
    assert!(error.to_string().contains("authority/authority.pem"), "{error}");
}

#[test]
fn published_tokens_are_those_of_the_nodes_alone_and_go_again() {
    let dir = tempfile::tempdir().unwrap();
    let place = |role| published_file(dir.path(), role);
    let read = |role| Token::parse(&std::fs::read_to_string(place(role)).unwrap()).unwrap();
    // A mount point with a token of an older run that everybody could read.
    std::fs::create_dir(dir.path().join("helper")).unwrap();
    std::fs::write(place(Role::Helper), "old").unwrap();

    let tokens = Tokens::generate().unwrap();
    let published = tokens.publish(place).unwrap();
    let files: Vec<_> =
        tree(dir.path()).into_iter().filter(|(path, _)| path.contains('/')).collect();
    assert_eq!(files, [("helper/token".into(), 0o600), ("task-node/token".into(), 0o600)]);
    for role in [Role::Helper, Role::TaskNode] {
        assert_eq!(Some(read(role)), tokens.token(role));
    }
    assert!(!format!("{published:?}").contains("FOGBIT"), "tokens stay out of logs");

    // What a later run has put there is not this run's to remove.
    let later = Tokens::generate().unwrap();
    let later_published = later.publish(place).unwrap();
    drop(published);
    assert_eq!(Some(read(Role::Helper)), later.token(Role::Helper));
    drop(later_published);
    assert!(tree(dir.path()).into_keys().eq(["helper", "task-node"].map(str::to_owned)));
}

#[test]
fn where_tokens_cannot_be_published_none_is_left() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("task-node"), "no folder").unwrap();
    let place = |role| published_file(dir.path(), role);
    let error = Tokens::generate().unwrap().publish(place).unwrap_err();
    assert!(error.to_string().contains("task-node"), "{error}");
    assert!(!place(Role::Helper).exists());
}
