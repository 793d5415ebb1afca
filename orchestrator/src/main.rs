//! The program `fogbit`, which plays every role.

use std::panic::catch_unwind;
use std::process::ExitCode;

use fogbit::exit::Exit;

fn main() -> ExitCode {
    // What happened is on standard error already.
    catch_unwind(fogbit::cli::main).unwrap_or_else(|_| Exit::Internal.into())
}
