//! `mcp-mend health`: asks a proxy that runs here whether it lives, for a container's health check: an image without a shell
//! has no curl either.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::layers::Layers;
use crate::config::{Complaint, Config};
use crate::terminal::{BAD, GOOD};

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// More than the head of any answer of ours.
const MOST_BYTES: u64 = 64 * 1024;

/// What was asked for.
#[derive(Debug)]
pub struct Wish {
    url: Option<String>,
    ready: bool,
    json: bool,
    /// What the file and the variables say, where no URL is given.
    layers: Box<Layers>,
}

/// The subcommand.
pub(super) fn command(settings: impl Fn(Command) -> Command, json: Arg) -> Command {
    // The settings are taken as for a run, and told of there.
    settings(Command::new("health"))
        .mut_args(|arg| if arg.get_id() == "config" { arg } else { arg.hide(true) })
        .about("Ask a proxy that runs here whether it lives: 0 if so, else 1. For a container's health check")
        .arg(Arg::new("URL").help(
            "Where to ask, as in http://127.0.0.1:8809. Without it: the admin address of the configuration, or the public \
             one if there is no other",
        ))
        .arg(
            Arg::new("ready")
                .long("ready")
                .action(ArgAction::SetTrue)
                .help("Ask whether it takes requests (/readyz) and not only whether it lives"),
        )
        .arg(json)
}

pub(super) fn wish(matches: &ArgMatches, lookup: impl Fn(&str) -> Option<String>) -> Wish {
    let (layers, _) = super::gather(matches, lookup);
    Wish {
        url: matches.get_one::<String>("URL").cloned(),
        ready: matches.get_flag("ready"),
        json: matches.get_flag("json"),
        layers: Box::new(layers),
    }
}

/// Where to ask what.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    address: String,
    method: &'static str,
    target: String,
    /// Whether any answer at all is a sign of life: the public port has no path of its own to ask for.
    any: bool,
}

/// Asks, and says what came of it.
///
/// # Errors
/// Every complaint about the configuration.
pub fn run(wish: Wish) -> Result<ExitCode, Vec<Complaint>> {
    let (json, question) = (wish.json, wish.question()?);
    let result = question.ask();
    let (code, said) = match &result {
        Ok(said) => (ExitCode::SUCCESS, said),
        Err(said) => (ExitCode::FAILURE, said),
    };
    let said = said.trim();
    if json {
        let line = serde_json::json!({ "ok": result.is_ok(), "asked": question.address, "said": said });
        anstream::println!("{line:#}");
    } else if result.is_ok() {
        anstream::println!("{GOOD}ok{GOOD:#} {}", question.address);
    } else {
        anstream::eprintln!("{BAD}error:{BAD:#} {}: {said}", question.address);
    }
    Ok(code)
}

impl Wish {
    fn question(self) -> Result<Question, Vec<Complaint>> {
        let path = if self.ready { "/readyz" } else { "/healthz" };
        if let Some(url) = &self.url {
            return Question::of_url(url, path).map_err(|message| vec![Complaint { place: "URL".into(), message }]);
        }
        // Nothing else of the configuration matters: one that has become wrong changes nothing in a proxy that runs.
        let (listen, admin) = Config::places(&self.layers);
        let wrong = |message: &str| vec![Complaint { place: "health".into(), message: message.to_owned() }];
        match admin {
            Some(admin) if admin.port() == 0 => {
                Err(wrong("`admin` has port 0, which is another one each time; state a port, or give the URL"))
            }
            Some(admin) => {
                Ok(Question { address: near(admin).to_string(), method: "GET", target: path.into(), any: false })
            }
            None if self.ready => Err(wrong("only the admin address says whether the proxy is ready; state `admin`")),
            // The proxy answers this one itself (RFC 9110 section 9.3.7): nothing is asked of the upstream.
            None => {
                let listen = listen.ok_or_else(|| wrong("`listen` is no address; write it like 127.0.0.1:8808"))?;
                let address = near(listen).to_string();
                Ok(Question { address, method: "OPTIONS", target: "*".into(), any: true })
            }
        }
    }
}

/// Where an address that is every address can be called.
fn near(address: SocketAddr) -> SocketAddr {
    let ip = match address {
        address if !address.ip().is_unspecified() => address.ip(),
        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}

impl Question {
    fn of_url(url: &str, path: &str) -> Result<Self, String> {
        let wanted = "write it like http://127.0.0.1:8809";
        let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let url = url::Url::parse(&url).map_err(|error| format!("{error}; {wanted}"))?;
        let (Some(host), "http") = (url.host_str(), url.scheme()) else {
            return Err(format!("the admin address speaks http; {wanted}"));
        };
        let port = url.port_or_known_default().unwrap_or(80);
        let target = if url.path() == "/" { path.to_owned() } else { url.path().to_owned() };
        Ok(Self { address: format!("{host}:{port}"), method: "GET", target, any: false })
    }

    /// What was said; an error for no answer, or one that says no.
    fn ask(&self) -> Result<String, String> {
        let answer = self.exchange().map_err(|error| format!("no answer: {error}"))?;
        let text = String::from_utf8_lossy(&answer);
        let status = text.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5));
        match status {
            // Whatever it says, somebody is there to say it; where TLS is spoken that is no HTTP.
            _ if self.any && !answer.is_empty() => Ok("answers".into()),
            Some("200") => Ok(text.split_once("\r\n\r\n").map_or("ok", |(_, body)| body).to_owned()),
            Some(status) => {
                let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
                Err(format!("it says {status}: {}", body.chars().filter(|c| !c.is_control()).collect::<String>()))
            }
            None if answer.is_empty() => Err("it hung up".into()),
            None => Err("what answers is no HTTP server".into()),
        }
    }

    fn exchange(&self) -> std::io::Result<Vec<u8>> {
        let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
        for address in self.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => return self.over(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn over(&self, mut stream: TcpStream) -> std::io::Result<Vec<u8>> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let Self { address, method, target, .. } = self;
        stream.write_all(
            format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        )?;
        let mut answer = Vec::new();
        match stream.take(MOST_BYTES).read_to_end(&mut answer) {
            // Who does not hang up has answered all the same.
            Err(error) if answer.is_empty() => Err(error),
            _ => Ok(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_may_say_what() {
        for (url, address, target) in [
            ("http://127.0.0.1:8809", "127.0.0.1:8809", "/healthz"),
            ("127.0.0.1:8809", "127.0.0.1:8809", "/healthz"),
            ("http://[::1]:8809/", "[::1]:8809", "/healthz"),
            ("http://admin.local/readyz", "admin.local:80", "/readyz"),
        ] {
            let question = Question::of_url(url, "/healthz").unwrap();
            assert_eq!((question.address.as_str(), question.target.as_str()), (address, target));
        }
        for url in ["https://127.0.0.1:1", "http://", "ftp://a"] {
            assert!(Question::of_url(url, "/healthz").unwrap_err().contains("write it like"), "{url}");
        }
    }

    #[test]
    fn every_address_is_called_on_loopback() {
        assert_eq!(near("0.0.0.0:1".parse().unwrap()).to_string(), "127.0.0.1:1");
        assert_eq!(near("[::]:1".parse().unwrap()).to_string(), "[::1]:1");
        assert_eq!(near("10.0.0.1:1".parse().unwrap()).to_string(), "10.0.0.1:1");
    }
}
