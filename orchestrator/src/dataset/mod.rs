//! Data sets of real images.

mod fashion_mnist;
mod idx;

pub use fashion_mnist::{
    CLASS_NAMES, DATA_LICENCE, DEBIAN_DIGEST, DEBIAN_FOLDER, DEBIAN_PACKAGE, DatasetError,
    FashionMnist, Part, Picture, Pictures, TEST_IMAGES, TRAINING_IMAGES,
};
pub use idx::IdxFault;
