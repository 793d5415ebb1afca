//! Labels in a file: made piece by piece, and gone on with after an interruption.
//!
//! The file begins with a line of JSON, [`Header`]. Then come pieces: how many labels as 4 bytes, the
//! labels, and 32 bytes of SHA-256 over the line, the number of the first label as 8 bytes, and the
//! labels. A label is the least delay in nanoseconds as 8 bytes, and a byte for each of the header's
//! `sub_tasks`: the site, or 255 where the application has none of this number. All numbers are
//! little endian.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use fogbit_scenario::pipeline::PipelineScenario;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::labels::{Examples, LabelError, LabelSet, PIECE, Part};
use super::origin::Origin;

/// What the first line says first.
const FORMAT: &str = "fogbit labels 1";
/// A longer first line is none of ours.
const LONGEST_HEADER: usize = 1 << 16;
/// Bytes of a digest.
const DIGEST: usize = 32;

/// What the labels of a file are about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    /// SHA-256 of how applications and conditions are drawn.
    scenario: String,
    /// The same for people.
    about: String,
    /// Seed of the training.
    seed: u64,
    /// Most sub-tasks of an application.
    sub_tasks: usize,
}

/// Why labels cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum LabelFileError {
    /// The file cannot be read or written.
    #[error("{} cannot be {what}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        what: &'static str,
        /// Why.
        error: io::Error,
    },
    /// It is a folder, a device or a pipe.
    #[error("{} is no regular file", .0.display())]
    NoFile(PathBuf),
    /// It holds something else.
    #[error("{} holds no labels", .0.display())]
    Other(PathBuf),
    /// It holds other labels.
    #[error("{} holds labels {found}, not {wanted}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Of what they are.
        found: String,
        /// Of what they should be.
        wanted: String,
    },
    /// A piece of it is not what was written.
    #[error("{} is damaged: labels {first} to {last} are not what was written", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Number of the piece's first label.
        first: u64,
        /// And of its last.
        last: u64,
    },
    /// Another process adds labels to it.
    #[error("another training makes labels in {}", .0.display())]
    Busy(PathBuf),
    /// No labels come.
    #[error(transparent)]
    Labels(#[from] LabelError),
}

/// A file of labels, which nobody else adds to as long as this lives.
#[derive(Debug)]
pub struct LabelFile {
    path: PathBuf,
    file: File,
    /// The first line.
    head: Vec<u8>,
    labels: LabelSet,
    /// Bytes of the file that are whole.
    end: u64,
}

/// A piece of a file.
struct Piece<'b> {
    count: u32,
    labels: &'b [u8],
    digest: &'b [u8],
}

impl LabelFile {
    /// Opens the file at `path`, with labels of the training of `scenario` with `seed`; it is made if it
    /// is not there. What a process left behind that was killed while it wrote is cut off.
    ///
    /// # Errors
    /// If it holds other labels or something else, is damaged, or somebody else adds to it.
    pub fn open(
        path: &Path,
        scenario: &PipelineScenario,
        seed: u64,
    ) -> Result<LabelFile, LabelFileError> {
        let failed = |what| move |error| LabelFileError::Io { path: path.into(), what, error };
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            return Err(LabelFileError::NoFile(path.into()));
        }
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(failed("written"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LabelFileError::Busy(path.into())),
            Err(TryLockError::Error(error)) => return Err(failed("written")(error)),
        }
        let origin = Origin::of(scenario);
        let most = scenario.source().most_sub_tasks();
        let header = Header {
            format: FORMAT.into(),
            scenario: origin.digest,
            about: origin.summary,
            seed,
            sub_tasks: most,
        };
        let mut head = serde_json::to_vec(&header).expect("plain data");
        head.push(b'\n');
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed("read"))?;
        let labels = LabelSet::new(most);
        let mut own = LabelFile { path: path.into(), file, head, labels, end: 0 };
        if own.head.starts_with(&bytes) {
            // It is new, or whoever began it did not come far.
            own.end = own.head.len() as u64;
            own.write_at(0, &own.head.clone())?;
        } else {
            own.read(&bytes, &header)?;
        }
        let end = own.end;
        own.file.set_len(end).map_err(failed("written"))?;
        Ok(own)
    }

    /// Takes on what the file holds.
    fn read(&mut self, bytes: &[u8], wanted: &Header) -> Result<(), LabelFileError> {
        let other = || LabelFileError::Other(self.path.clone());
        let start = &bytes[..bytes.len().min(LONGEST_HEADER)];
        let line = start.iter().position(|byte| *byte == b'\n').ok_or_else(other)?;
        let found: Header = serde_json::from_slice(&bytes[..line]).map_err(|_| other())?;
        if found.format != FORMAT {
            return Err(other());
        }
        let same = Header { about: found.about.clone(), ..wanted.clone() };
        if found != same {
            let of = |own: &Header| format!("of seed {} of {}", own.seed, own.about);
            let (path, found, mut wanted) = (self.path.clone(), of(&found), of(wanted));
            if found == wanted {
                wanted += " as it is now: what is drawn has changed";
            }
            return Err(LabelFileError::Foreign { path, found, wanted });
        }
        self.head = bytes[..=line].to_vec();
        self.end = self.head.len() as u64;
        let mut rest = &bytes[line + 1..];
        while let Some(count) = rest.first_chunk::<4>().map(|count| u32::from_le_bytes(*count)) {
            // Nobody writes such a piece, so it is no tail that a killed process left.
            if !(1..=PIECE).contains(&u64::from(count)) {
                let first = self.labels.len() + 1;
                let last = first.saturating_add(PIECE - 1);
                return Err(LabelFileError::Damaged { path: self.path.clone(), first, last });
            }
            let Some((Piece { count, labels, digest }, next)) = self.piece(rest) else {
                break;
            };
            let first = self.labels.len() + 1;
            if self.digest(first, labels) != digest {
                let last = first + u64::from(count) - 1;
                return Err(LabelFileError::Damaged { path: self.path.clone(), first, last });
            }
            self.labels.add_bytes(labels);
            self.end += (rest.len() - next.len()) as u64;
            rest = next;
        }
        Ok(())
    }

    /// The next piece and what follows; none where it is not whole.
    fn piece<'b>(&self, rest: &'b [u8]) -> Option<(Piece<'b>, &'b [u8])> {
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let count = u32::from_le_bytes(*count);
        let size = (count as usize).checked_mul(self.labels.bytes_each())?;
        let (labels, rest) = rest.split_at_checked(size)?;
        let (digest, rest) = rest.split_at_checked(DIGEST)?;
        Some((Piece { count, labels, digest }, rest))
    }

    fn digest(&self, first: u64, labels: &[u8]) -> [u8; DIGEST] {
        let hash = Sha256::new().chain_update(&self.head).chain_update(first.to_le_bytes());
        hash.chain_update(labels).finalize().into()
    }

    fn write_at(&mut self, place: u64, bytes: &[u8]) -> Result<(), LabelFileError> {
        let written =
            self.file.seek(SeekFrom::Start(place)).and_then(|_| self.file.write_all(bytes));
        written.map_err(|error| {
            // A piece that is not whole is in nobody's way; whoever goes on cuts it off.
            let _ = self.file.set_len(place);
            LabelFileError::Io { path: self.path.clone(), what: "written", error }
        })
    }

    /// How many labels there are.
    pub fn len(&self) -> u64 {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The first `count` labels of the training of `scenario` with `seed`, as the file was opened for:
    /// those that are not there are made and kept, piece by piece. `watch` is told how many there are.
    ///
    /// # Errors
    /// If `stop` is set or the file cannot be written; what was made before is kept.
    pub fn first(
        mut self,
        scenario: &PipelineScenario,
        seed: u64,
        count: u64,
        stop: &AtomicBool,
        mut watch: impl FnMut(u64),
    ) -> Result<LabelSet, LabelFileError> {
        let examples = Examples::new(scenario, seed, Part::Training);
        while self.labels.len() < count {
            let first = self.labels.len() + 1;
            let made = LabelSet::piece(&examples, first..(first + PIECE).min(count + 1), stop)?;
            let bytes = made.to_bytes();
            let mut piece = (made.len() as u32).to_le_bytes().to_vec();
            piece.extend(&bytes);
            piece.extend(self.digest(first, &bytes));
            self.write_at(self.end, &piece)?;
            self.end += piece.len() as u64;
            self.labels.add_bytes(&bytes);
            watch(self.labels.len());
        }
        self.labels.truncate(count);
        Ok(self.labels)
    }
}
