//! Child processes: where they run, what CPU time and memory they have used, and their end.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Where the proxies run, and where everything else does.
pub struct Pins {
    tool: bool,
}

impl Pins {
    pub fn find() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let tool = Command::new("taskset").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        let tool = tool.is_ok_and(|status| status.success());
        Self { tool: tool && cores > 1 }
    }

    /// The layout in words.
    pub fn describe(&self) -> &'static str {
        if self.tool {
            "one worker each on CPU 0; upstream and load on CPU 1"
        } else {
            "one worker each; NOT pinned: that takes two CPUs and taskset"
        }
    }

    pub fn command(&self, cpu: usize, program: &Path) -> Command {
        if !self.tool {
            return Command::new(program);
        }
        let mut command = Command::new("taskset");
        command.arg("-c").arg(cpu.to_string()).arg(program);
        command
    }

    /// Keeps this process, and what it does not place otherwise, beside the upstream.
    pub fn stay(&self) {
        if self.tool {
            let own = std::process::id().to_string();
            let _ = Command::new("taskset").args(["-a", "-c", "-p", "1", &own]).stdout(Stdio::null()).status();
        }
    }
}

/// A child that ends with its owner.
pub struct Child {
    process: std::process::Child,
}

impl Child {
    pub fn spawn(command: &mut Command) -> std::io::Result<Self> {
        Ok(Self { process: command.stdin(Stdio::null()).spawn()? })
    }

    /// This program once more, as the upstream; and its port.
    pub fn upstream(pins: &Pins, argument: &str) -> (Self, u16) {
        let program = std::env::current_exe().expect("a program");
        let mut child = Self::spawn(pins.command(1, &program).arg(argument).stdout(Stdio::piped())).expect("a process");
        let mut line = String::new();
        let said = child.process.stdout.take().expect("an output");
        BufReader::new(said).read_line(&mut line).expect("a line");
        (child, line.trim().parse().expect("a port"))
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<String> {
        self.process.try_wait().ok().flatten().map(|status| status.to_string())
    }

    /// The process and its children: nginx works in one.
    fn family(&self) -> Vec<u32> {
        let own = self.process.id();
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let children = numbers.filter(|number| parent(*number) == Some(own));
        std::iter::once(own).chain(children).collect()
    }

    /// CPU time of all its threads so far: exact where the kernel keeps it, else to a hundredth of a second.
    pub fn cpu(&self) -> Duration {
        self.family().into_iter().map(|number| exact_cpu(number).unwrap_or_else(|| ticked_cpu(number))).sum()
    }

    /// KiB in memory.
    pub fn rss(&self) -> u64 {
        self.family().into_iter().filter_map(rss).sum()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // A worker process dies with its master only if that is asked to stop.
        let _ = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        for _ in 0..100 {
            if self.ended().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The fields of /proc/N/stat behind the name, which may hold anything.
fn stat(number: u32) -> Option<Vec<u64>> {
    let text = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split(' ').map(|field| field.trim().parse().unwrap_or(0)).collect())
}

fn parent(number: u32) -> Option<u32> {
    stat(number)?.get(1).and_then(|parent| u32::try_from(*parent).ok())
}

fn exact_cpu(number: u32) -> Option<Duration> {
    let mut all = 0_u64;
    for thread in std::fs::read_dir(format!("/proc/{number}/task")).ok()?.flatten() {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        all += text.split(' ').next()?.parse::<u64>().ok()?;
    }
    (all > 0).then(|| Duration::from_nanos(all))
}

fn ticked_cpu(number: u32) -> Duration {
    let fields = stat(number).unwrap_or_default();
    let ticks: u64 = fields.iter().skip(11).take(2).sum();
    Duration::from_millis(ticks * 10)
}

fn rss(number: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{number}/status")).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
