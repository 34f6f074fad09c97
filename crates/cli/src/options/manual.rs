//! Options of `completions` and `man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

const COMPLETIONS_EXAMPLES: &str = "Examples:
  bowline completions bash > ~/.local/share/bash-completion/completions/bowline
  bowline completions zsh > ~/.zfunc/_bowline              with fpath+=~/.zfunc before compinit in ~/.zshrc
  bowline completions fish > ~/.config/fish/completions/bowline.fish
  bowline completions powershell >> $PROFILE

Those of bash, zsh and fish complete the names of configured servers too.";

const MAN_EXAMPLES: &str = "Examples:
  bowline man | man -l -                                   the page of the command as a whole
  bowline man config add | man -l -
  bowline man --dir ~/.local/share/man/man1                all of them";

/// Options of `completions`.
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: Shell,
}

/// Options of `man`.
#[derive(Debug, Args)]
#[command(after_help = MAN_EXAMPLES)]
pub(crate) struct Man {
    /// The command whose page it is
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    pub(crate) command: Vec<String>,
    /// Writes the pages of all commands into this folder
    #[arg(long, value_name = "DIR", env = "BOWLINE_DIR")]
    pub(crate) dir: Option<PathBuf>,
}
