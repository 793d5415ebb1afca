//! The program `fogbit`, which plays every role.

fn main() -> std::process::ExitCode {
    fogbit::cli::main()
}
