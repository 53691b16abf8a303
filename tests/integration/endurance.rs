//! The built program under what wears a proxy out: streams by the thousand, clients that dawdle by the hundred, exchanges
//! that break off, and too few descriptors. What it costs is read from the system.
#![cfg(target_os = "linux")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

use crate::kit::{Binary, Upstream, Wire, chunk, get, noise, ok, post, reply, soon};

const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const QUIET: [&str; 5] = ["--no-probe", "--log-format", "off", "--repair", "stream.silence=off"];

/// What the system says of a process.
struct Process(u32);

impl Process {
    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.0)).expect("the process has ended")
    }

    /// Resident memory, in kB.
    fn memory(&self) -> i64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    fn files(&self) -> i64 {
        i64::try_from(std::fs::read_dir(format!("/proc/{}/fd", self.0)).unwrap().count()).unwrap()
    }

    /// Time that it has spent on a processor.
    fn processor(&self) -> Duration {
        let stat = self.read("stat");
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: u64 = [fields[11], fields[12]].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }
}

async fn start(upstream: SocketAddr, arguments: &[&str]) -> (Binary, Process) {
    let url = format!("http://{upstream}");
    let proxy = Binary::start(&[&[url.as_str()], &QUIET[..], arguments].concat()).await;
    let process = Process(proxy.id());
    (proxy, process)
}

/// An upstream of streams that costs little: each sends the events it hears of, with the query of its request before them.
async fn choir() -> (SocketAddr, broadcast::Sender<String>) {
    let (conductor, _) = broadcast::channel::<String>(64);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let beats = conductor.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut beats = beats.subscribe();
            tokio::spawn(async move {
                let mut head = [0; 1024];
                let count = stream.read(&mut head).await.unwrap_or(0);
                let asked = String::from_utf8_lossy(&head[..count]).into_owned();
                let voice = asked.split(['?', ' ']).nth(2).unwrap_or_default().to_owned();
                let first = chunk(&format!("data: {voice} 0\n\n"));
                let _ = stream.write_all(&[STREAM.as_bytes(), &first].concat()).await;
                while let Ok(beat) = beats.recv().await {
                    if stream.write_all(&chunk(&format!("data: {voice} {beat}\n\n"))).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, conductor)
}

/// A stream's client, and what it has heard.
async fn listener(proxy: SocketAddr, voice: usize, heard: watch::Sender<usize>) -> Result<Vec<String>, String> {
    let mut stream = TcpStream::connect(proxy).await.map_err(|error| error.to_string())?;
    let asked = format!("GET /mcp?{voice} HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n\r\n");
    stream.write_all(asked.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut text = Vec::new();
    let (mut buffer, mut counted) = ([0; 512], 0);
    loop {
        let count = stream.read(&mut buffer).await.map_err(|error| error.to_string())?;
        text.extend_from_slice(&buffer[..count]);
        let events = text.windows(2).filter(|pair| pair == b"\n\n").count();
        heard.send_modify(|all| *all += events - counted);
        counted = events;
        if text.ends_with(b"\r\n0\r\n\r\n") {
            let text = String::from_utf8_lossy(&text).into_owned();
            return Ok(text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect());
        }
        if count == 0 {
            return Err(format!("{voice} was cut after {:?}", String::from_utf8_lossy(&text)));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_streams_bring_every_event_and_end_in_order() {
    streams_bring_every_event(200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "heavy: run alone, see .ci/run"]
async fn five_thousand_streams_bring_every_event_and_end_in_order() {
    // Two ends of each stream are in this process.
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    assert!(files >= 11_000, "5,000 streams need 11,000 open files; the limit is {files}");
    let each = streams_bring_every_event(5000).await;
    // Far above what a stream needs; for a leak.
    assert!(each < 60_000, "{each} bytes a stream");
}

/// Opens so many streams, has each bring a few events, ends them, and answers how many bytes of memory each took.
async fn streams_bring_every_event(streams: usize) -> i64 {
    let (upstream, conductor) = choir().await;
    let (proxy, process) = start(upstream, &["--limit-connections", "6000", "--limit-drain-seconds", "1"]).await;
    let (heard, mut hearing) = watch::channel(0);
    let mut warm = proxy.connect().await;
    warm.send(get("/none", &[])).await;
    let before = process.memory();
    let mut clients = JoinSet::new();
    for voice in 0..streams {
        clients.spawn(listener(proxy.address, voice, heard.clone()));
        if voice % 100 == 99 {
            // No more at a time than a backlog holds.
            soon(hearing.wait_for(|heard| *heard + 200 > voice)).await.unwrap();
        }
    }
    let minute = Duration::from_secs(60);
    for beat in 1..=3 {
        tokio::time::timeout(minute, hearing.wait_for(|heard| *heard == streams * beat)).await.unwrap().unwrap();
        conductor.send(beat.to_string()).unwrap();
    }
    tokio::time::timeout(minute, hearing.wait_for(|heard| *heard == streams * 4)).await.unwrap().unwrap();
    let each = (process.memory() - before) * 1024 / i64::try_from(streams).unwrap();
    eprintln!("{streams} streams, {each} bytes of memory each");
    proxy.terminate();
    let began = Instant::now();
    let mut wrong = Vec::new();
    while let Some(done) = tokio::time::timeout(minute, clients.join_next()).await.unwrap() {
        match done.unwrap() {
            Ok(events) => {
                let voice = events[0].split(' ').next().unwrap().to_owned();
                if (0..4).map(|beat| format!("{voice} {beat}")).ne(events.iter().cloned()) {
                    wrong.push(format!("{events:?}"));
                }
            }
            Err(error) => wrong.push(error),
        }
    }
    assert!(wrong.is_empty(), "{} of {streams}: {:?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    eprintln!("all ended in order {:?} after the order to stop", began.elapsed());
    assert_eq!(proxy.ended().await.0, 0);
    each
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "heavy: run alone, see .ci/run"]
async fn no_event_is_lost_before_the_drain_time_is_over() {
    let (upstream, conductor) = choir().await;
    let (proxy, _) = start(upstream, &["--limit-drain-seconds", "1"]).await;
    let (heard, mut hearing) = watch::channel(0);
    let mut clients = JoinSet::new();
    for voice in 0..50 {
        clients.spawn(listener(proxy.address, voice, heard.clone()));
    }
    soon(hearing.wait_for(|heard| *heard == 50)).await.unwrap();
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let (mut beat, mut ordered, mut safe) = (0, None::<Instant>, 0);
    while ordered.is_none_or(|ordered| ordered.elapsed() < Duration::from_millis(1300)) {
        ticks.tick().await;
        beat += 1;
        let _ = conductor.send(beat.to_string());
        if beat == 20 {
            proxy.terminate();
            ordered = Some(Instant::now());
        }
        if ordered.is_some_and(|ordered| ordered.elapsed() < Duration::from_millis(800)) {
            safe = beat;
        }
    }
    assert!(safe > 40, "the test was held up: {safe}");
    while let Some(done) = soon(clients.join_next()).await {
        let events = done.unwrap().expect("a stream was cut");
        let voice = events[0].split(' ').next().unwrap().to_owned();
        assert!((0..events.len()).map(|beat| format!("{voice} {beat}")).eq(events.iter().cloned()), "{events:?}");
        assert!(events.len() > safe, "{} events of {safe}", events.len());
    }
    assert_eq!(proxy.ended().await.0, 0);
}

/// One exchange that ends badly, of the kind `number`; and some that do not.
async fn broken_exchange(proxy: SocketAddr, number: usize) {
    let Ok(stream) = TcpStream::connect(proxy).await else { return };
    let mut client = Wire::new(stream);
    match number % 12 {
        0 => drop(client.send("GET /x HT").await),
        1 => drop(client.send(get("/hang", &[])).await),
        2 => {
            client.send(post("/hang", &[], "hi")).await;
            client.reset();
        }
        3 => {
            client.send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nhalf").await;
            client.reset();
        }
        4 => {
            client.send(get("/stream", &["Accept: text/event-stream"])).await;
            client.head().await;
            client.chunk().await;
        }
        5 => {
            client.send(get("/large", &[])).await;
            client.head().await;
            client.reset();
        }
        6 => {
            client.send(post("/cut", &[], "hi")).await;
            assert!(!client.reply().await.whole);
        }
        7 => {
            client.send(post("/rubbish", &[], "hi")).await;
            assert_eq!(client.reply().await.status(), 502);
        }
        8 => {
            client.send(post("/reset", &[], "hi")).await;
            assert_eq!(client.reply().await.status(), 502);
        }
        9 => {
            client.send("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n").await;
            assert_eq!(client.reply().await.status(), 400);
        }
        10 => {
            client.send(format!("GET /x HTTP/1.1\r\nHost: h\r\nA: {}\r\n\r\n", "a".repeat(70_000))).await;
            client.reply().await;
        }
        _ => {
            client.send(post("/mcp", &["Content-Type: application/json"], r#"{"jsonrpc":"2.0","id":1}"#)).await;
            assert_eq!(client.reply().await.text(), "hello");
        }
    }
}

async fn unreliable() -> Upstream {
    let large = [reply("200 OK", &[], ""), noise(1 << 20)].concat();
    let large =
        [b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n".as_slice(), &large[large.len() - (1 << 20)..]].concat();
    let large = std::sync::Arc::new(large);
    Upstream::script(move |mut conn| {
        let large = large.clone();
        async move {
            while let Some(request) = conn.request().await.filter(|request| request.whole) {
                match request.target() {
                    "/hang" => return drop(conn.until_closed().await),
                    "/stream" => {
                        conn.send(STREAM).await;
                        while conn.send(chunk("data: 1\n\n")).await {
                            tokio::time::sleep(Duration::from_millis(10)).await;
                        }
                        return;
                    }
                    "/large" => drop(conn.send(&*large).await),
                    "/cut" => {
                        conn.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").await;
                        return;
                    }
                    "/rubbish" => {
                        conn.send("rubbish\r\n\r\n").await;
                        return;
                    }
                    "/reset" => return conn.reset(),
                    _ => drop(conn.send(ok("hello")).await),
                }
            }
        }
    })
    .await
}

async fn break_exchanges(proxy: SocketAddr, count: usize) {
    let turns = std::sync::Arc::new(tokio::sync::Semaphore::new(50));
    let mut running = JoinSet::new();
    for number in 0..count {
        let turn = turns.clone().acquire_owned().await.unwrap();
        running.spawn(async move {
            broken_exchange(proxy, number).await;
            drop(turn);
        });
    }
    running.join_all().await;
}

/// Waits until the process has no more files open than this, and answers how many it has.
async fn settled(process: &Process, most: i64) -> i64 {
    let began = Instant::now();
    loop {
        let files = process.files();
        if files <= most || began.elapsed() > Duration::from_secs(8) {
            return files;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "heavy: run alone, see .ci/run"]
async fn three_thousand_broken_exchanges_leave_nothing_behind() {
    let upstream = unreliable().await;
    let (proxy, process) = start(upstream.address, &["--threads", "2", "--limit-pool-idle-seconds", "1"]).await;
    let idle = process.files();
    break_exchanges(proxy.address, 600).await;
    let files = settled(&process, idle + 4).await;
    let memory = process.memory();
    break_exchanges(proxy.address, 3000).await;
    let more_files = settled(&process, files).await - files;
    let more_memory = process.memory() - memory;
    eprintln!("after 3000 broken exchanges: {more_files} more files open, {more_memory} kB more memory");
    assert!(more_files <= 20 && more_memory < 16 * 1024, "{more_files} files, {more_memory} kB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "heavy: run alone, see .ci/run"]
async fn without_descriptors_it_waits_and_comes_back() {
    let upstream = Upstream::script(|mut conn| async move {
        while let Some(request) = conn.next().await {
            match request.target() {
                "/hang" => return drop(conn.until_closed().await),
                _ => drop(conn.send(ok("hello")).await),
            }
        }
    })
    .await;
    let url = format!("http://{}", upstream.address);
    // Fewer than its own cap on connections takes for granted, so that the system's limit is met as well.
    for files in [60, 100, 200] {
        let arguments = [&[url.as_str()], &QUIET[..], &["--threads", "1", "--limit-connections", "5000"]].concat();
        let proxy = Binary::start_with_files(files, &arguments).await;
        let process = Process(proxy.id());
        let mut crowd = Vec::new();
        for number in 0..400 {
            let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(proxy.address)).await
            else {
                continue;
            };
            let mut client = Wire::new(stream);
            if number % 2 == 0 {
                client.send(get("/hang", &[])).await;
            }
            crowd.push(client);
        }
        let (spent, began) = (process.processor(), Instant::now());
        tokio::time::sleep(Duration::from_secs(1)).await;
        let share = (process.processor() - spent).as_secs_f64() / began.elapsed().as_secs_f64();
        eprintln!("{files} files: {:.0} % of a core, {} open", share * 100.0, process.files());
        assert!(share < 0.5, "{share} of a core with {files} files");
        drop(crowd);
        let began = Instant::now();
        loop {
            let mut client = proxy.connect().await;
            client.send(get("/x", &[])).await;
            if client.reply().await.text() == "hello" {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(2), "it did not come back with {files} files");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        proxy.terminate();
        assert_eq!(proxy.ended().await.0, 0, "{files}");
    }
}

/// Sends these bytes, and then one more now and then; answers after how long it was hung up on.
async fn dawdle(proxy: SocketAddr, bytes: &'static str, drip: Option<&'static str>) -> Duration {
    let began = Instant::now();
    let mut client = Wire::new(TcpStream::connect(proxy).await.unwrap());
    client.send(bytes).await;
    let Some(drip) = drip else {
        client.until_closed().await;
        return began.elapsed();
    };
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let mut heard = [0; 1024];
    loop {
        tokio::select! {
            _ = ticks.tick() => if client.stream.write_all(drip.as_bytes()).await.is_err() { return began.elapsed() },
            read = client.stream.read(&mut heard) => if !matches!(read, Ok(1..)) { return began.elapsed() },
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "heavy: run alone, see .ci/run"]
async fn hundreds_that_dawdle_hold_up_nobody() {
    let upstream = Upstream::sound().await;
    let limits =
        ["--limit-head-seconds", "2", "--limit-body-seconds", "2", "--limit-idle-seconds", "2", "--threads", "1"];
    let (proxy, process) = start(upstream.address, &limits).await;
    let kinds: [(&str, Option<&str>, usize); 5] = [
        ("", None, 150),
        ("GET /x HTTP/1.1\r\nHost: h\r\nA: ", Some("a"), 200),
        ("GET /x HTTP/1.1\r\nHost: h\r\n", Some("A: b\r\n"), 100),
        ("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 90\r\n\r\nhalf", None, 150),
        ("POST /mcp HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", None, 100),
    ];
    let mut slow = JoinSet::new();
    for (bytes, drip, count) in kinds {
        for _ in 0..count {
            slow.spawn(dawdle(proxy.address, bytes, drip));
        }
    }
    let (mut slowest, began, mut asked) = (Duration::ZERO, Instant::now(), 0);
    while began.elapsed() < Duration::from_millis(1800) {
        let mut client = proxy.connect().await;
        let sent = Instant::now();
        client.send(post("/x", &[], "hi")).await;
        assert_eq!(client.reply().await.text(), "hello");
        slowest = slowest.max(sent.elapsed());
        asked += 1;
    }
    eprintln!("{asked} others were answered, the slowest in {slowest:?}; {} files open", process.files());
    assert!(slowest < Duration::from_secs(1) && asked > 20, "{slowest:?} {asked}");
    let longest = soon(slow.join_all()).await.into_iter().max().unwrap();
    assert!(longest < Duration::from_secs(5), "one was kept for {longest:?}");
}
