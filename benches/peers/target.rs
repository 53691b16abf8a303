//! The proxies: how each is started, and what it can do.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::configs::{self, Scripting};
use super::kit::requests;
use super::process::{Child, Pins};

/// Longer than this no proxy takes to start.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    McpMend,
    Nginx(Scripting),
    Haproxy,
}

pub struct Target<'a> {
    pub name: &'static str,
    kind: Kind,
    program: PathBuf,
    /// Whether it can mend a registration's body.
    pub rewrites: bool,
    upstream: u16,
    directory: &'a Path,
    pins: &'a Pins,
}

/// A proxy that serves.
pub struct Running {
    pub child: Child,
    pub address: SocketAddr,
    /// How long it took from its start to its first answer.
    pub began: Duration,
}

impl<'a> Target<'a> {
    /// mcp-mend first, then what it is compared with; says what is missing.
    pub fn all(baseline: Option<&Path>, alone: bool, upstream: u16, directory: &'a Path, pins: &'a Pins) -> Vec<Self> {
        let target = |name, kind, program: &Path, rewrites| Self {
            name,
            kind,
            program: program.to_owned(),
            rewrites,
            upstream,
            directory,
            pins,
        };
        let own = Path::new(env!("CARGO_BIN_EXE_mcp-mend"));
        let mut all = vec![target("mcp-mend", Kind::McpMend, own, true)];
        if alone {
            return all;
        }
        match find("nginx") {
            Some(program) => {
                let scripting = Scripting::find();
                if scripting == Scripting::None {
                    println!(
                        "nginx: neither its Lua nor its njs module is here: no registrations (Debian:\n  apt install libnginx-mod-http-lua)"
                    );
                }
                all.push(target("nginx", Kind::Nginx(scripting), &program, scripting != Scripting::None));
            }
            None => println!("nginx: not installed, left out (Debian: apt install nginx-light libnginx-mod-http-lua)"),
        }
        match find("haproxy") {
            Some(program) => all.push(target("haproxy", Kind::Haproxy, &program, true)),
            None => println!("haproxy: not installed, left out (Debian: apt install haproxy)"),
        }
        if let Some(program) = baseline {
            all.push(target("baseline", Kind::McpMend, program, true));
        }
        all
    }

    /// Starts it on a free port and waits until it passes a request on.
    pub fn start(&self) -> Running {
        let address = free_address();
        let mut command = self.pins.command(0, &self.program);
        let said = self.directory.join(format!("{}-{}.err", self.name, address.port()));
        command.stdout(Stdio::null()).stderr(std::fs::File::create(&said).expect("a file"));
        self.configure(&mut command, address);
        let begun = Instant::now();
        let mut child = Child::spawn(&mut command).expect("a process");
        let request = requests::message(&address.to_string(), "");
        while !serves(address, &request) {
            let ended = child.ended();
            if ended.is_some() || begun.elapsed() > PATIENCE {
                let said = std::fs::read_to_string(&said).unwrap_or_default();
                unreachable!("{} does not serve: {}\n{said}", self.name, ended.unwrap_or_default());
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        let began = begun.elapsed();
        Running { child, address, began }
    }

    fn configure(&self, command: &mut Command, address: SocketAddr) {
        let port = address.port();
        match self.kind {
            Kind::McpMend => {
                let upstream = format!("http://127.0.0.1:{}", self.upstream);
                command.args([&upstream, "--listen", &address.to_string(), "--threads", "1"]);
            }
            Kind::Nginx(scripting) => {
                let place = self.directory.join(format!("nginx-{port}"));
                std::fs::create_dir_all(&place).expect("a directory");
                let file = place.join("nginx.conf");
                std::fs::write(&file, configs::nginx(&place, port, self.upstream, scripting)).expect("a file");
                command.arg("-p").arg(&place).arg("-c").arg(&file).args(["-e", "stderr"]);
            }
            Kind::Haproxy => {
                let file = self.directory.join(format!("haproxy-{port}.cfg"));
                std::fs::write(&file, configs::haproxy(port, self.upstream)).expect("a file");
                command.arg("-db").arg("-q").arg("-f").arg(&file);
            }
        }
    }
}

/// Debian keeps servers where only root's path leads.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    places.map(|place| place.join(program)).find(|file| file.is_file())
}

fn free_address() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a port")
}

fn serves(address: SocketAddr, request: &[u8]) -> bool {
    let asked = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request)?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        Ok(answer.ends_with(b" 200"))
    };
    asked().unwrap_or(false)
}
