//! `dataset`: what data sets of real images hold.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::print;
use super::run::Format;
use super::table::grouped;
use crate::dataset::{
    CLASS_NAMES, DATA_LICENCE, DEBIAN_DIGEST, DEBIAN_FOLDER, DEBIAN_PACKAGE, DatasetError,
    FashionMnist, Part, Pictures,
};
use crate::exit::{Exit, Failure};

/// Check a data set of real images, and say what it holds
#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    FashionMnist(FashionMnistArgs),
}

/// Check the files of Fashion-MNIST, and say what they hold
///
/// Fashion-MNIST is 70,000 grey pictures of clothes, 28 x 28 pixels, in ten classes: what
/// `fogbit train classifiers` learns from. Its four files (train-images-idx3-ubyte,
/// train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, or the same with .gz)
/// come with Debian's and Ubuntu's package dataset-fashion-mnist.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sudo apt-get install dataset-fashion-mnist\n  \
    fogbit dataset fashion-mnist\n  \
    fogbit dataset fashion-mnist --from ~/fashion-mnist --format json")]
pub(crate) struct FashionMnistArgs {
    #[command(flatten)]
    from: FromArgs,

    /// What goes to standard output
    #[arg(long, value_enum, default_value_t = Format::Table, env = "FOGBIT_FORMAT")]
    format: Format,
}

/// Where the files are.
#[derive(Debug, Args)]
pub(super) struct FromArgs {
    /// The folder with the four files; the default is where Debian's package puts them
    #[arg(long, value_name = "DIR", default_value = DEBIAN_FOLDER, env = "FOGBIT_FROM")]
    from: PathBuf,
}

impl FromArgs {
    /// Reads the data set, which must be whole.
    pub(super) fn read(&self) -> Result<FashionMnist, Failure> {
        let data = FashionMnist::read(&self.from).map_err(wrong)?;
        data.check_counts().map_err(wrong)?;
        Ok(data)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.from
    }
}

fn wrong(error: DatasetError) -> Failure {
    let help = match &error {
        DatasetError::NoFolder(_) | DatasetError::Missing { .. } => {
            format!(
                "--from names the folder; the files come with Debian's package {DEBIAN_PACKAGE}"
            )
        }
        _ => format!("the files of Debian's package {DEBIAN_PACKAGE} are whole"),
    };
    Failure::usage(error).help(help)
}

pub(crate) fn run(command: DatasetCommand) -> Result<Exit, Failure> {
    let DatasetCommand::FashionMnist(args) = command;
    let data = args.from.read()?;
    let told = Told::of(&data, args.from.folder());
    print(&match args.format {
        Format::Table => told.table(),
        Format::Json => serde_json::to_string_pretty(&told).expect("plain data") + "\n",
    })?;
    Ok(Exit::Well)
}

/// What there is, as `--format json` prints it.
#[derive(Debug, Serialize)]
struct Told {
    folder: String,
    training: PartTold,
    test: PartTold,
    /// Of all pixels and labels.
    sha256: String,
    /// Whether these are the files of Debian's package.
    as_in_debian: bool,
    licence: &'static str,
}

#[derive(Debug, Serialize)]
struct PartTold {
    images: usize,
    /// Images of each class, from class 0.
    classes: Vec<usize>,
}

impl PartTold {
    fn of(pictures: &Pictures) -> PartTold {
        PartTold { images: pictures.len(), classes: pictures.balance().to_vec() }
    }
}

impl Told {
    fn of(data: &FashionMnist, folder: &Path) -> Told {
        let sha256 = data.digest();
        let [training, test] = Part::ALL.map(|part| PartTold::of(data.part(part)));
        Told {
            folder: folder.display().to_string(),
            training,
            test,
            as_in_debian: sha256 == DEBIAN_DIGEST,
            sha256,
            licence: DATA_LICENCE,
        }
    }

    fn table(&self) -> String {
        let count = |count: usize| grouped(count as f64);
        let mut text = format!(
            "{}: {} training and {} test images\n\n{:<16}{:>10}{:>8}\n",
            self.folder,
            count(self.training.images),
            count(self.test.images),
            "class",
            "training",
            "test"
        );
        let classes = self.training.classes.iter().zip(&self.test.classes);
        for ((number, name), (training, test)) in CLASS_NAMES.iter().enumerate().zip(classes) {
            let class = format!("{number} {name}");
            let _ = writeln!(text, "{class:<16}{:>10}{:>8}", count(*training), count(*test));
        }
        let same = match self.as_in_debian {
            true => "the very images of Debian's package",
            false => "NOT the images of Debian's package: figures of the documentation do not hold",
        };
        let _ = writeln!(text, "\nSHA-256 {}\n{same}\n{}", self.sha256, self.licence);
        text
    }
}
