//! Authority and tokens in files.
//!
//! The authority has a folder of its own, so that the tokens beside it can be handed out:
//!
//! ```text
//! authority/authority.pem   authority/authority.key   helper.token   task-node.token
//! ```

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Token, Tokens, TokensError};
use crate::identity::{Authority, Role};

const AUTHORITY_FOLDER: &str = "authority";
const CERTIFICATE_FILE: &str = "authority.pem";
const KEY_FILE: &str = "authority.key";
/// The roles that have tokens.
const NODES: [Role; 2] = [Role::Helper, Role::TaskNode];

/// The file of a role's token beside those of the others.
pub fn token_file(role: Role) -> String {
    format!("{}.token", role.label())
}

/// The file of a role's token in a folder of its own, as nodes find published tokens.
pub fn published_file(dir: &Path, role: Role) -> PathBuf {
    dir.join(role.label()).join("token")
}

impl Tokens {
    /// Writes authority and tokens into the folder `dir`, which must not hold any. Only the owner
    /// can read the secret files, and enter the folder of the authority.
    ///
    /// # Errors
    /// If a file cannot be written or exists.
    pub fn save(&self, dir: &Path) -> Result<(), TokensError> {
        let (certificate, key) = self.authority.to_pem();
        let authority = dir.join(AUTHORITY_FOLDER);
        let mut files =
            vec![(authority.join(CERTIFICATE_FILE), certificate), (authority.join(KEY_FILE), key)];
        files.extend(NODES.map(|role| (dir.join(token_file(role)), self.text(role))));
        // Nothing is written where a later file could not be.
        if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
            return Err(file_error(path, io::ErrorKind::AlreadyExists.into()));
        }
        fs::create_dir_all(&authority)
            .and_then(|()| fs::set_permissions(&authority, Permissions::from_mode(0o700)))
            .map_err(|error| file_error(&authority, error))?;
        for (path, text) in files {
            write_new(&path, &text).map_err(|error| file_error(&path, error))?;
        }
        Ok(())
    }

    /// Reads what [`save`](Self::save) wrote, or the same four files side by side in one folder.
    ///
    /// # Errors
    /// If a file is missing or does not belong to the others.
    pub fn load(dir: &Path) -> Result<Tokens, TokensError> {
        let flat = dir.join(CERTIFICATE_FILE).exists();
        let folder = if flat { dir.to_owned() } else { dir.join(AUTHORITY_FOLDER) };
        let certificate = read(&folder.join(CERTIFICATE_FILE))?;
        let authority = Authority::from_pem(&certificate, &read(&folder.join(KEY_FILE))?)?;
        let secret = |role: Role| {
            let path = dir.join(token_file(role));
            let content =
                |reason: String| TokensError::Content { path: path.display().to_string(), reason };
            let token = Token::parse(&read(&path)?).map_err(|e| content(e.to_string()))?;
            if token.authority != authority.digest() {
                return Err(content("the token belongs to another authority".into()));
            }
            Ok(token.secret)
        };
        let (helper, task_node) = (secret(Role::Helper)?, secret(Role::TaskNode)?);
        Ok(Tokens { authority, helper, task_node })
    }

    /// Puts the token of each kind of node, and nothing of the authority, where `place` says, in
    /// the stead of an older one. They lie there, readable for the owner alone, until what is
    /// returned is dropped.
    ///
    /// # Errors
    /// If a file cannot be written; none is left behind then.
    pub fn publish(&self, place: impl Fn(Role) -> PathBuf) -> Result<Published, TokensError> {
        let mut published = Published { files: Vec::new() };
        for role in NODES {
            let (path, text) = (place(role), self.text(role));
            replace(&path, &text).map_err(|error| file_error(&path, error))?;
            published.files.push((path, text));
        }
        Ok(published)
    }

    fn text(&self, role: Role) -> String {
        self.token(role).expect("nodes have tokens").to_text() + "\n"
    }
}

/// Tokens that lie in files as long as this lives.
pub struct Published {
    files: Vec<(PathBuf, String)>,
}

/// The tokens never appear in a log.
impl std::fmt::Debug for Published {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.files.iter().map(|(path, _)| path)).finish()
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        for (path, text) in &self.files {
            // Another run may have put its own token there in the meantime.
            if fs::read_to_string(path).is_ok_and(|found| found == *text) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

fn file_error(path: &Path, error: io::Error) -> TokensError {
    TokensError::File { path: path.display().to_string(), error }
}

fn read(path: &Path) -> Result<String, TokensError> {
    fs::read_to_string(path).map_err(|error| file_error(path, error))
}

/// Writes a new file that only its owner can read.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_data()))
}

/// Writes a file that only its owner can read, in the stead of an older one: whoever reads it finds
/// one of the two whole.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    // One that a killed process has left; its permissions need not be ours.
    let _ = fs::remove_file(&part);
    let written = write_new(&part, text).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}
