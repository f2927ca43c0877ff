//! The `tandem` binary: arguments in, a command run, an exit code out.

fn main() -> std::process::ExitCode {
    appliance::main()
}
