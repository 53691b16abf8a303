//! The man pages and the shells' completions, all from the one definition of the command line.

use clap::{Arg, ArgMatches, Command, ValueHint, value_parser};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    /// The page of a command; of the program itself without a name.
    Man(Vec<String>),
    Completions(Shell),
}

/// `man` and `completions`.
#[must_use]
pub fn commands() -> [Command; 2] {
    let man = Command::new("man")
        .about("Print a man page: mcp-mend man > mcp-mend.1")
        .arg(Arg::new("COMMAND").num_args(0..).help("The page of a command, as in check"));
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
    /// The text of it.
    ///
    /// # Errors
    /// When there is no such command.
    pub fn text(&self, mut command: Command) -> Result<String, String> {
        let mut out = Vec::new();
        match self {
            Self::Completions(shell) => clap_complete::generate(*shell, &mut command, "mcp-mend", &mut out),
            Self::Man(words) => page(command, words, &mut out)?,
        }
        Ok(String::from_utf8_lossy(&out).into_owned())
    }
}

fn page(mut command: Command, words: &[String], out: &mut Vec<u8>) -> Result<(), String> {
    // What clap would add while it parses stands in the pages as well.
    command = command.disable_help_subcommand(true);
    command.build();
    let mut at = &command;
    // `check` and `mcp-mend-check` name the same page.
    for word in words.iter().flat_map(|words| words.trim_start_matches("mcp-mend-").split('-')) {
        at = at.find_subcommand(word).ok_or_else(|| {
            let known: Vec<&str> = at.get_subcommands().map(Command::get_name).collect();
            format!("`{word}` is no command with a page; write one of: {}", known.join(", "))
        })?;
    }
    let man = Man::new(at.clone()).manual("mcp-mend").source(concat!("mcp-mend ", env!("CARGO_PKG_VERSION")));
    let whole = if words.is_empty() { program(&man, out) } else { man.render(out) };
    whole.map_err(|error| error.to_string())
}

/// The program's own page says what no flag does: variables, signals, exit codes.
fn program(man: &Man, out: &mut Vec<u8>) -> std::io::Result<()> {
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    man.render_subcommands_section(out)?;
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
    roff.to_writer(out)?;
    man.render_version_section(out)
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
        assert!(page.contains("SIGHUP") && page.contains("NO_COLOR"));
        for sub in command().get_subcommands() {
            let own = man(&[sub.get_name()]).unwrap().replace('\\', "");
            assert!(own.contains(&format!("mcp-mend-{}", sub.get_name())), "{own}");
        }
        assert_eq!(man(&["mcp-mend-check"]), man(&["check"]));
        assert!(man(&["chekc"]).unwrap_err().contains("check"));
    }

    #[test]
    fn completions_come_out_for_each_shell() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            let text = Wish::Completions(shell).text(command()).unwrap();
            assert!(text.contains("public-url"), "{shell}");
        }
    }
}
