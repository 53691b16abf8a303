//! The man pages and the shells' completions, all from the one definition of the command line.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, ValueHint, value_parser};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    /// The page of a command; of the program itself without a name.
    Man(Vec<String>),
    /// Every page, as a file each in this folder.
    Pages(PathBuf),
    Completions(Shell),
}

/// `man` and `completions`.
#[must_use]
pub fn commands() -> [Command; 2] {
    let man = Command::new("man")
        .about("Print a man page: mcp-mend man > mcp-mend.1")
        .arg(Arg::new("COMMAND").num_args(0..).help("The page of a command, as in check"))
        .arg(
            Arg::new("dir")
                .long("dir")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .conflicts_with("COMMAND")
                .help("Write every page as a file there instead"),
        );
    let completions = Command::new("completions")
        .about("Print what a shell needs to complete the command line")
        .arg(Arg::new("SHELL").required(true).value_parser(value_parser!(Shell)).help("The shell"))
        .after_help(
            "bash: mcp-mend completions bash > ~/.local/share/bash-completion/completions/mcp-mend\n\
             zsh:  mcp-mend completions zsh > DIR/_mcp-mend, with DIR in $fpath\n\
             fish: mcp-mend completions fish > ~/.config/fish/completions/mcp-mend.fish",
        );
    [man, completions]
}

/// What `man` or `completions` was asked for.
#[must_use]
pub fn wish(matches: &ArgMatches) -> Wish {
    match matches.try_get_one::<Shell>("SHELL") {
        Ok(Some(shell)) => Wish::Completions(*shell),
        _ if matches.contains_id("dir") => Wish::Pages(matches.get_one::<PathBuf>("dir").cloned().unwrap_or_default()),
        _ => Wish::Man(matches.get_many("COMMAND").into_iter().flatten().cloned().collect()),
    }
}

/// What a shell may offer for a value that is called this in the help.
#[must_use]
pub fn hint(value: &str) -> ValueHint {
    match value {
        "FILE" => ValueHint::FilePath,
        "DIR" => ValueHint::DirPath,
        "URL" | "UPSTREAM" => ValueHint::Url,
        _ => ValueHint::Unknown,
    }
}

impl Wish {
    /// What to print of it.
    ///
    /// # Errors
    /// When there is no such command, or a file cannot be written.
    pub fn text(&self, mut command: Command) -> Result<String, String> {
        let mut out = Vec::new();
        match self {
            Self::Completions(shell) => clap_complete::generate(*shell, &mut command, "mcp-mend", &mut out),
            Self::Man(words) => page(&built(command), words, &mut out)?,
            Self::Pages(dir) => {
                std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
                pages(&built(command), &mut Vec::new(), dir)?;
            }
        }
        let text = String::from_utf8_lossy(&out).into_owned();
        // clap_complete 4.6 takes the hyphen of the program's own name for the joint between a command and its
        // subcommand, in one of two places: bash would complete nothing behind a subcommand.
        Ok(if *self == Self::Completions(Shell::Bash) { text.replace("mcp__subcmd__mend", "mcp__mend") } else { text })
    }
}

/// What clap would add while it parses stands in the pages as well.
fn built(command: Command) -> Command {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    command
}

/// The page of a command and of all below it.
fn pages(command: &Command, words: &mut Vec<String>, dir: &Path) -> Result<(), String> {
    let mut out = Vec::new();
    page(command, words, &mut out)?;
    let mut at = command;
    for word in &*words {
        at = at.find_subcommand(word).unwrap_or(at);
    }
    let file = dir.join([&["mcp-mend".to_owned()], words.as_slice()].concat().join("-") + ".1");
    std::fs::write(&file, out).map_err(|error| format!("{}: {error}", file.display()))?;
    for sub in at.get_subcommands() {
        words.push(sub.get_name().to_owned());
        pages(command, words, dir)?;
        words.pop();
    }
    Ok(())
}

fn page(command: &Command, words: &[String], out: &mut Vec<u8>) -> Result<(), String> {
    let mut at = command;
    // `check` and `mcp-mend-check` name the same page.
    for word in words.iter().flat_map(|words| words.trim_start_matches("mcp-mend-").split('-')) {
        at = at.find_subcommand(word).ok_or_else(|| {
            let known: Vec<&str> = at.get_subcommands().map(Command::get_name).collect();
            format!("`{word}` is no command with a page; write one of: {}", known.join(", "))
        })?;
    }
    write(at.clone(), words.is_empty(), out).map_err(|error| error.to_string())
}

fn write(mut command: Command, is_program: bool, out: &mut Vec<u8>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    // By hand, since the crate leaves an empty date out and all behind it moves up. A build has no date of its own.
    writeln!(out, ".TH \"{name}\" \"1\" \"\" \"mcp-mend {}\" \"mcp-mend\"", env!("CARGO_PKG_VERSION"))?;
    let usage = command.render_usage().to_string();
    let has_commands = command.has_subcommands();
    let has_more = command.get_after_help().is_some();
    let man = Man::new(command);
    man.render_name_section(out)?;
    // The crate's own would name every flag.
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    for line in usage.trim_start_matches("Usage:").lines() {
        roff.text([bold(line.trim())]);
        roff.control("br", []);
    }
    roff.to_writer(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if has_commands {
        man.render_subcommands_section(out)?;
    }
    match is_program {
        true => program(out),
        false if has_more => man.render_extra_section(out),
        false => Ok(()),
    }
}

/// The program's own page says what no flag does: variables, signals, exit codes.
fn program(out: &mut Vec<u8>) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", ["ENVIRONMENT"]);
    roff.text(text(
        "Each flag has a variable: --listen is MCP_MEND_LISTEN. Flags win over variables, variables over the file.",
    ));
    for (name, meaning) in VARIABLES {
        entry(&mut roff, name, meaning);
    }
    roff.control("SH", ["SIGNALS"]);
    for (name, meaning) in SIGNALS {
        entry(&mut roff, name, meaning);
    }
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in CODES {
        entry(&mut roff, code, meaning);
    }
    roff.to_writer(out)
}

fn entry(roff: &mut Roff, name: &str, meaning: &str) {
    roff.control("TP", []);
    roff.text([bold(name)]);
    roff.text(text(meaning));
}

fn text(text: &str) -> [Inline; 1] {
    [roman(text)]
}

const VARIABLES: [(&str, &str); 4] = [
    ("MCP_MEND_CONFIG", "The file of --config."),
    ("RUST_LOG", "What is logged, finer than --log-level, as in mcp_mend=debug."),
    ("NO_COLOR", "If set, nothing is coloured."),
    ("NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS", "Set by a service manager; see sd_notify(3) and sd_listen_fds(3)."),
];

const SIGNALS: [(&str, &str); 3] = [
    (
        "SIGTERM, SIGINT",
        "Stop accepting, finish what is under way within limits.drain_seconds, end event streams between two events, exit 0.",
    ),
    ("SIGTERM, SIGINT again", "Exit at once, with 130."),
    (
        "SIGHUP",
        "Read the configuration and the certificates anew. What is wrong is logged, and the old configuration stays.",
    ),
];

const CODES: [(&str, &str); 3] = [
    ("0", "Done."),
    ("1", "A check fell short, or the proxy could not start."),
    ("2", "Wrong usage or configuration."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command;

    fn man(words: &[&str]) -> Result<String, String> {
        Wish::Man(words.iter().map(ToString::to_string).collect()).text(command())
    }

    #[test]
    fn the_page_has_every_setting_and_each_command_has_one() {
        let page = man(&[]).unwrap().replace('\\', "");
        for setting in crate::config::settings::SETTINGS {
            assert!(page.contains(&format!("--{}", setting.flag)), "{}", setting.flag);
        }
        assert!(page.contains("SIGHUP") && page.contains("NO_COLOR") && page.contains("[OPTIONS] [UPSTREAM]"));
        for sub in command().get_subcommands() {
            let own = man(&[sub.get_name()]).unwrap().replace('\\', "");
            assert!(own.contains(&format!("mcp-mend-{}", sub.get_name())), "{own}");
        }
        assert_eq!(man(&["mcp-mend-check"]), man(&["check"]));
        assert!(man(&["chekc"]).unwrap_err().contains("check"));
    }

    #[test]
    fn every_page_is_a_file() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Wish::Pages(dir.path().to_owned()).text(command()), Ok(String::new()));
        for name in ["mcp-mend.1", "mcp-mend-check.1", "mcp-mend-demo.1"] {
            assert!(dir.path().join(name).exists(), "{name}");
        }
    }

    #[test]
    fn completions_come_out_for_each_shell() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            let text = Wish::Completions(shell).text(command()).unwrap();
            assert!(text.contains("public-url"), "{shell}");
        }
        // Where it goes to, and where it is.
        let bash = Wish::Completions(Shell::Bash).text(command()).unwrap();
        assert!(
            bash.contains("cmd=\"mcp__mend__subcmd__demo\"") && bash.contains("\n        mcp__mend__subcmd__demo)")
        );
    }
}
