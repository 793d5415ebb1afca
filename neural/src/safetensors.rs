//! The file format safetensors: eight bytes with the length of a header, a header in JSON, numbers.
//!
//! Written here rather than by the crate of that name: it puts the metadata into the file in the
//! order of a hash map, so that the same model would not be the same file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Metadata, ModelFault};

/// What the format allows; a longer one is no safetensors.
const LONGEST_HEADER: usize = 100_000_000;

/// Headers end at a multiple of this, so that numbers lie aligned.
const ALIGNMENT: usize = 8;

#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(rename = "__metadata__", default)]
    metadata: Metadata,
    #[serde(flatten)]
    tensors: BTreeMap<String, Info>,
}

#[derive(Serialize, Deserialize)]
struct Info {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// One tensor of a file, in bytes: of what type is not looked at yet.
pub(crate) struct Tensor<'a> {
    pub(crate) dtype: String,
    pub(crate) shape: Vec<usize>,
    bytes: &'a [u8],
}

impl Tensor<'_> {
    /// The values of a tensor of single precision, if it is one.
    pub(crate) fn values(&self) -> Option<Vec<f32>> {
        let (fours, rest) = self.bytes.as_chunks::<4>();
        let fits = self.dtype == "F32" && rest.is_empty();
        fits.then(|| fours.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

/// A file, taken apart.
pub(crate) struct File<'a> {
    pub(crate) metadata: Metadata,
    pub(crate) tensors: BTreeMap<String, Tensor<'a>>,
}

/// A file of these tensors, of single precision: name, shape, values.
pub(crate) fn encode(metadata: Metadata, tensors: &[(String, Vec<usize>, &[f32])]) -> Vec<u8> {
    let mut header = Header { metadata, tensors: BTreeMap::new() };
    let mut end = 0;
    for (name, shape, values) in tensors {
        let begin = end;
        end += size_of_val(*values);
        let info = Info { dtype: "F32".into(), shape: shape.clone(), data_offsets: [begin, end] };
        header.tensors.insert(name.clone(), info);
    }
    let mut text = serde_json::to_vec(&header).expect("names and numbers");
    text.resize(text.len().next_multiple_of(ALIGNMENT), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text);
    for value in tensors.iter().flat_map(|(_, _, values)| *values) {
        bytes.extend(value.to_le_bytes());
    }
    bytes
}

/// Takes a file apart. Every byte of it belongs to the header or to one tensor.
pub(crate) fn decode(bytes: &[u8]) -> Result<File<'_>, ModelFault> {
    let truncated = |want| ModelFault::Truncated { have: bytes.len(), want };
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or(truncated(8))?;
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > LONGEST_HEADER || rest.first().is_some_and(|first| *first != b'{') {
        return Err(malformed("it does not begin with the length of a header and the header"));
    }
    let (text, data) = rest.split_at_checked(length).ok_or(truncated(8 + length))?;
    let header: Header = serde_json::from_slice(text)
        .map_err(|error| malformed(&format!("its header cannot be read: {error}")))?;
    let end = check_places(&header.tensors)?;
    if data.len() < end {
        return Err(truncated(8 + length + end));
    }
    if data.len() > end {
        return Err(malformed(&format!("{} bytes follow the last tensor", data.len() - end)));
    }
    let cut = |(name, Info { dtype, shape, data_offsets: [begin, end] })| {
        (name, Tensor { dtype, shape, bytes: &data[begin..end] })
    };
    Ok(File { metadata: header.metadata, tensors: header.tensors.into_iter().map(cut).collect() })
}

/// Whether the tensors lie one after the other, each as long as its shape says; gives their end.
fn check_places(tensors: &BTreeMap<String, Info>) -> Result<usize, ModelFault> {
    let mut places: Vec<_> = tensors.iter().collect();
    places.sort_by_key(|(_, info)| info.data_offsets);
    let mut last = 0;
    for (name, info) in places {
        let [begin, end] = info.data_offsets;
        if begin != last || end < begin {
            return Err(malformed(&format!("{name} lies at {begin} to {end}, after {last}")));
        }
        last = end;
        let size = info.shape.iter().try_fold(4, |size: usize, side| size.checked_mul(*side));
        if info.dtype == "F32" && size != Some(end - begin) {
            let shape = &info.shape;
            return Err(malformed(&format!(
                "{name}, of shape {shape:?}, has {} bytes",
                end - begin
            )));
        }
    }
    Ok(last)
}

fn malformed(reason: &str) -> ModelFault {
    ModelFault::Malformed(reason.into())
}
