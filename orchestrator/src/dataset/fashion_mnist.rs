//! Fashion-MNIST: 70,000 grey pictures of clothes in ten classes (Xiao, Rasul and Vollgraf, arXiv
//! 1708.07747).

use std::path::{Path, PathBuf};

use fogbit_neural::{CLASSES, PIXELS, SIDE};
use sha2::{Digest, Sha256};

use super::idx::{self, IdxFault};

/// Images to learn from.
pub const TRAINING_IMAGES: usize = 60_000;
/// Images to judge by.
pub const TEST_IMAGES: usize = 10_000;

/// Debian's package with the data set.
pub const DEBIAN_PACKAGE: &str = "dataset-fashion-mnist";
/// Where it puts the files.
pub const DEBIAN_FOLDER: &str = "/usr/share/datasets/fashion-mnist";
/// [`FashionMnist::digest`] of its files, of the version 0.0~git20200523.55506a9-1.
pub const DEBIAN_DIGEST: &str = "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f";

/// Whose the pictures are, and under which licence: goes wherever something made of them goes.
pub const DATA_LICENCE: &str = "Fashion-MNIST, Copyright 2017 Zalando SE, MIT licence";

/// What is on the pictures of each class.
pub const CLASS_NAMES: [&str; CLASSES] = [
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
];

/// The data set could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// There is no such folder.
    #[error("{} is no folder", .0.display())]
    NoFolder(PathBuf),
    /// A file is missing.
    #[error("{} has neither {name} nor {name}.gz", folder.display())]
    Missing {
        /// Where it was looked for.
        folder: PathBuf,
        /// Its name.
        name: &'static str,
    },
    /// A file is wrong.
    #[error("{}: {fault}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: IdxFault,
    },
    /// Images without labels, or labels without images.
    #[error("{} holds {labels} labels for the {images} images of {}", of_labels.display(), of_images.display())]
    Unequal {
        /// The file of images.
        of_images: PathBuf,
        /// How many it holds.
        images: usize,
        /// The file of labels.
        of_labels: PathBuf,
        /// How many it holds.
        labels: usize,
    },
    /// Both parts are there, under one another's names.
    #[error(
        "the training files hold {TEST_IMAGES} images and those of the test {TRAINING_IMAGES}: \
         they are swapped"
    )]
    PartsSwapped,
    /// A part has another number of images than Fashion-MNIST.
    #[error("the {part} part has {found} images, expected {expected}")]
    Count {
        /// Which part.
        part: &'static str,
        /// How many images it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
}

/// One of the two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Images to learn from.
    Training,
    /// Images to judge by.
    Test,
}

impl Part {
    /// Both.
    pub const ALL: [Part; 2] = [Part::Training, Part::Test];

    /// Its name in a trace's column `split`.
    pub fn name(self) -> &'static str {
        match self {
            Part::Training => "train",
            Part::Test => "test",
        }
    }

    /// Names of its files of images and labels, before `.gz`.
    fn files(self) -> [&'static str; 2] {
        match self {
            Part::Training => ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"],
            Part::Test => ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"],
        }
    }
}

/// Images with their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pictures {
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

/// One image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture<'d> {
    /// Grey values, row by row; 0 is black.
    pub pixels: &'d [u8; PIXELS],
    /// Its class, 0 to 9.
    pub label: u8,
}

impl Pictures {
    /// Images of [`PIXELS`] bytes each, and a label below [`CLASSES`] for each.
    ///
    /// # Panics
    /// If there are more or fewer labels than images, or one is no class.
    pub fn new(pixels: Vec<u8>, labels: Vec<u8>) -> Pictures {
        assert_eq!(pixels.len(), labels.len() * PIXELS, "a label for each image");
        assert!(labels.iter().all(|label| usize::from(*label) < CLASSES), "labels are classes");
        Pictures { pixels, labels }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The pixels of each image.
    pub fn pixels(&self) -> &[[u8; PIXELS]] {
        self.pixels.as_chunks().0
    }

    /// The label of each image.
    pub fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The image of this number, from 0.
    pub fn get(&self, number: usize) -> Option<Picture<'_>> {
        let label = *self.labels.get(number)?;
        Some(Picture { pixels: &self.pixels()[number], label })
    }

    /// How many images each class has.
    pub fn balance(&self) -> [usize; CLASSES] {
        let mut counts = [0; CLASSES];
        self.labels.iter().for_each(|label| counts[usize::from(*label)] += 1);
        counts
    }

    fn read(folder: &Path, part: Part) -> Result<Pictures, DatasetError> {
        let [of_images, of_labels] = part.files().map(|name| find(folder, name));
        let (of_images, of_labels) = (of_images?, of_labels?);
        let wrong = |path: &Path| {
            let path = path.to_owned();
            |fault| DatasetError::File { path, fault }
        };
        let pixels = idx::images::<{ SIDE as u32 }>(&of_images).map_err(wrong(&of_images))?;
        let labels = idx::labels(&of_labels, CLASSES as u8).map_err(wrong(&of_labels))?;
        let (images, count) = (pixels.len() / PIXELS, labels.len());
        if images != count {
            return Err(DatasetError::Unequal { of_images, images, of_labels, labels: count });
        }
        Ok(Pictures { pixels, labels })
    }
}

/// The file of this name in the folder, or the compressed one.
fn find(folder: &Path, name: &'static str) -> Result<PathBuf, DatasetError> {
    let plain = folder.join(name);
    let packed = folder.join(format!("{name}.gz"));
    [plain, packed]
        .into_iter()
        .find(|path| path.exists())
        .ok_or_else(|| DatasetError::Missing { folder: folder.to_owned(), name })
}

/// The data set, or one in its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FashionMnist {
    /// Images to learn from.
    pub training: Pictures,
    /// Images to judge by.
    pub test: Pictures,
}

impl FashionMnist {
    /// Reads the four files of a folder, compressed or not. Any number of images is taken;
    /// [`FashionMnist::check_counts`] asks for those of Fashion-MNIST.
    ///
    /// # Errors
    /// If a file is missing, damaged, or does not fit to the others.
    pub fn read(folder: &Path) -> Result<FashionMnist, DatasetError> {
        if !folder.is_dir() {
            return Err(DatasetError::NoFolder(folder.to_owned()));
        }
        let training = Pictures::read(folder, Part::Training)?;
        let test = Pictures::read(folder, Part::Test)?;
        Ok(FashionMnist { training, test })
    }

    /// Whether there are as many images as Fashion-MNIST has.
    ///
    /// # Errors
    /// If not.
    pub fn check_counts(&self) -> Result<(), DatasetError> {
        let expected = [TRAINING_IMAGES, TEST_IMAGES];
        let found = Part::ALL.map(|part| self.part(part).len());
        if found == [TEST_IMAGES, TRAINING_IMAGES] {
            return Err(DatasetError::PartsSwapped);
        }
        for ((part, found), expected) in Part::ALL.into_iter().zip(found).zip(expected) {
            if found != expected {
                return Err(DatasetError::Count { part: part.name(), found, expected });
            }
        }
        Ok(())
    }

    /// The images of one part.
    pub fn part(&self, part: Part) -> &Pictures {
        match part {
            Part::Training => &self.training,
            Part::Test => &self.test,
        }
    }

    /// The number that a trace has for image `number` of a part: those of the training come first,
    /// from 0, and those of the test go on.
    pub fn id(&self, part: Part, number: usize) -> u32 {
        let before = if part == Part::Test { self.training.len() } else { 0 };
        (before + number) as u32
    }

    /// The image that has this number in a trace; none if there is no such image.
    pub fn picture(&self, id: u32) -> Option<Picture<'_>> {
        let number = id as usize;
        match number.checked_sub(self.training.len()) {
            None => self.training.get(number),
            Some(number) => self.test.get(number),
        }
    }

    /// SHA-256, in hexadecimal digits, of all pixels and labels, of the training and then of the
    /// test; packed or not makes no difference.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for part in Part::ALL {
            let pictures = self.part(part);
            hash.update(&pictures.pixels);
            hash.update(&pictures.labels);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
