//! The file format idx: four bytes that say what it holds, the lengths of its sides as big-endian
//! numbers of four bytes, the values.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

/// What the fourth byte says of labels: one side.
const LABEL_SIDES: u8 = 1;
/// What the fourth byte says of images: count, height, width.
const IMAGE_SIDES: u8 = 3;
/// What the third byte says of values that are one byte each.
const BYTES: u8 = 8;

/// A file that says it holds more is not read.
const MOST: u32 = 1_000_000;

/// What is wrong with a file of images or labels.
#[derive(Debug, thiserror::Error)]
pub enum IdxFault {
    /// It cannot be opened or read.
    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),
    /// It is compressed, and damaged.
    #[error("it cannot be unpacked: {0}. It is cut off or damaged")]
    Packed(io::Error),
    /// It ends within its head.
    #[error("it ends after {have} bytes, within its head of {head}")]
    NoHead {
        /// How many bytes there are.
        have: usize,
        /// How many the head has.
        head: usize,
    },
    /// It does not begin as such a file does.
    #[error("it begins with {}, and an idx file of {wanted} with {}", hex(found), hex(expected))]
    Magic {
        /// What it should hold.
        wanted: &'static str,
        /// Its first four bytes.
        found: [u8; 4],
        /// What they should be.
        expected: [u8; 4],
    },
    /// It is compressed, and its name does not say so.
    #[error("it is compressed with gzip: its name should end in .gz")]
    Unnamed,
    /// It is the other sort of file.
    #[error("it holds {found}, expected {wanted}: two files are swapped")]
    Swapped {
        /// What it holds.
        found: &'static str,
        /// What it should hold.
        wanted: &'static str,
    },
    /// Its images have another size.
    #[error("its images have {height} x {width} pixels, expected 28 x 28")]
    Size {
        /// Rows.
        height: u32,
        /// Pixels in a row.
        width: u32,
    },
    /// It says that it holds nothing, or far too much.
    #[error("it says that it holds {0} {1}, expected 1 to {MOST}")]
    Count(u32, &'static str),
    /// It is shorter than it says.
    #[error("it says that it holds {count} {what} and ends after {have}: it is cut off")]
    Short {
        /// What it holds.
        what: &'static str,
        /// How many it says there are.
        count: u32,
        /// How many whole ones there are.
        have: usize,
    },
    /// It is longer than it says.
    #[error("it says that it holds {count} {what}, and more follows them")]
    Long {
        /// What it holds.
        what: &'static str,
        /// How many it says there are.
        count: u32,
    },
    /// A label that no class has.
    #[error("label number {place} (from 0) is {label}: classes are 0 to 9")]
    Label {
        /// Its place.
        place: usize,
        /// What it is.
        label: u8,
    },
}

/// The pixels of a file of images of `SIDE` x `SIDE` bytes, image by image. Whether it is compressed
/// is told by its name, which then ends in `.gz`.
pub(super) fn images<const SIDE: u32>(path: &Path) -> Result<Vec<u8>, IdxFault> {
    let mut reader = open(path)?;
    let head = head::<3>(&mut reader, IMAGE_SIDES)?;
    let [count, height, width] = head;
    if (height, width) != (SIDE, SIDE) {
        return Err(IdxFault::Size { height, width });
    }
    values(reader, count, (SIDE * SIDE) as usize, "images")
}

/// The labels of a file, each below `classes`.
pub(super) fn labels(path: &Path, classes: u8) -> Result<Vec<u8>, IdxFault> {
    let mut reader = open(path)?;
    let [count] = head::<1>(&mut reader, LABEL_SIDES)?;
    let labels = values(reader, count, 1, "labels")?;
    match labels.iter().position(|label| *label >= classes) {
        Some(place) => Err(IdxFault::Label { place, label: labels[place] }),
        None => Ok(labels),
    }
}

/// A file that is unpacked while it is read, if it is packed.
struct Unpacked {
    packed: bool,
    reader: Box<dyn Read>,
}

fn open(path: &Path) -> Result<Unpacked, IdxFault> {
    let file = BufReader::new(File::open(path).map_err(IdxFault::Unreadable)?);
    let packed = path.extension().is_some_and(|end| end == "gz");
    let reader: Box<dyn Read> =
        if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(Unpacked { packed, reader })
}

impl Unpacked {
    /// At most so many bytes; fewer where the file ends.
    fn read(&mut self, most: u64) -> Result<Vec<u8>, IdxFault> {
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(most).read_to_end(&mut bytes);
        let packed = self.packed;
        let fault =
            |error| if packed { IdxFault::Packed(error) } else { IdxFault::Unreadable(error) };
        read.map_err(fault)?;
        Ok(bytes)
    }
}

/// The lengths of the sides of a file that should have `sides` of them.
fn head<const N: usize>(reader: &mut Unpacked, sides: u8) -> Result<[u32; N], IdxFault> {
    let length = 4 + 4 * N;
    let bytes = reader.read(length as u64)?;
    let expected = [0, 0, BYTES, sides];
    let wanted = contents(sides);
    if let Some(found) = bytes.first_chunk::<4>().filter(|found| **found != expected) {
        return Err(match *found {
            [0, 0, BYTES, other @ (LABEL_SIDES | IMAGE_SIDES)] => {
                IdxFault::Swapped { found: contents(other), wanted }
            }
            [0x1f, 0x8b, ..] => IdxFault::Unnamed,
            found => IdxFault::Magic { wanted, found, expected },
        });
    }
    if bytes.len() < length {
        return Err(IdxFault::NoHead { have: bytes.len(), head: length });
    }
    let numbers = bytes[4..].as_chunks::<4>().0;
    Ok(std::array::from_fn(|side| u32::from_be_bytes(numbers[side])))
}

fn contents(sides: u8) -> &'static str {
    if sides == IMAGE_SIDES { "images" } else { "labels" }
}

/// What follows the head: `count` things of `size` bytes, and nothing more.
fn values(
    mut reader: Unpacked,
    count: u32,
    size: usize,
    what: &'static str,
) -> Result<Vec<u8>, IdxFault> {
    if !(1..=MOST).contains(&count) {
        return Err(IdxFault::Count(count, what));
    }
    let length = count as usize * size;
    // One more shows whether more follows, and has the check sum of a packed file looked at.
    let values = reader.read(length as u64 + 1)?;
    match values.len() {
        have if have < length => Err(IdxFault::Short { what, count, have: have / size }),
        have if have > length => Err(IdxFault::Long { what, count }),
        _ => Ok(values),
    }
}

fn hex(bytes: &[u8; 4]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(" ")
}
