//! Every setting, once: from this list come the config file's keys, the flags, the environment variables, the help
//! and `proxy.example.toml`.

use serde_json::{Map, Value, json};

/// What a setting's value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Switch,
    Number,
    List,
    /// `[repairs]`: ids and modes.
    Modes,
}

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its key in the file, dotted.
    pub key: &'static str,
    /// Its flag without `--`. Its variable is `MCP_MEND_` and the flag in capitals.
    pub flag: &'static str,
    /// What the value is called in the help.
    pub value: &'static str,
    pub kind: Kind,
    /// The default as the file would write it; empty if there is none.
    pub default: &'static str,
    /// A value for the example file where there is no default.
    pub example: &'static str,
    pub help: &'static str,
}

const fn text(
    key: &'static str,
    flag: &'static str,
    value: &'static str,
    default: &'static str,
    example: &'static str,
    help: &'static str,
) -> Setting {
    Setting { key, flag, value, kind: Kind::Text, default, example, help }
}

const fn switch(key: &'static str, flag: &'static str, help: &'static str) -> Setting {
    Setting { key, flag, value: "", kind: Kind::Switch, default: "false", example: "", help }
}

const fn number(
    key: &'static str,
    flag: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting { key, flag, value, kind: Kind::Number, default, example: "", help }
}

const fn list(
    key: &'static str,
    flag: &'static str,
    value: &'static str,
    default: &'static str,
    example: &'static str,
    help: &'static str,
) -> Setting {
    Setting { key, flag, value, kind: Kind::List, default, example, help }
}

/// OpenTelemetry's own variables, and the settings that they stand for. Those of this program win.
pub const OTEL_VARIABLES: &[(&str, &str)] = &[
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp.endpoint"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "otlp.headers"),
    ("OTEL_SERVICE_NAME", "otlp.service_name"),
    ("OTEL_RESOURCE_ATTRIBUTES", "otlp.resource_attributes"),
];

/// The prefix of every environment variable.
pub const ENV_PREFIX: &str = "MCP_MEND_";

pub const SETTINGS: &[Setting] = &[
    text(
        "upstream.url",
        "upstream",
        "URL",
        "",
        "\"http://localhost:3000\"",
        "The MCP server to stand in front of: http or https, host and port; or a Unix socket, as in \
         unix:/run/mcp.sock. A path of a URL is taken as mcp_path. Also the first argument on the command line.",
    ),
    text(
        "upstream.ca_file",
        "ca-file",
        "FILE",
        "",
        "\"/etc/ssl/internal-ca.pem\"",
        "Certificates (PEM) to trust for an https upstream, beside those of the platform.",
    ),
    text(
        "upstream.cert_file",
        "upstream-cert-file",
        "FILE",
        "",
        "\"/etc/mcp-mend/client.pem\"",
        "The certificate (PEM, with its chain) by which the proxy shows the upstream who it is.",
    ),
    text(
        "upstream.key_file",
        "upstream-key-file",
        "FILE",
        "",
        "\"/etc/mcp-mend/client.key\"",
        "The private key (PEM) of upstream.cert_file.",
    ),
    text(
        "upstream.server_name",
        "upstream-server-name",
        "NAME",
        "",
        "\"mcp.internal\"",
        "The name that the upstream's certificate has to be for, if it is not the host of upstream.url. Also sent as SNI.",
    ),
    switch(
        "upstream.dangerously_accept_any_certificate",
        "dangerously-accept-any-upstream-certificate",
        "Believe any certificate of the upstream. Whoever sits between can read and change everything. For trying out \
         alone: name its authority with upstream.ca_file.",
    ),
    text(
        "upstream.http2",
        "upstream-http2",
        "WHEN",
        "\"auto\"",
        "",
        "When HTTP/2 is spoken to the upstream: auto (where both sides agree on it over TLS), never, or prior-knowledge \
         (always, without TLS too).",
    ),
    list(
        "upstream.addresses",
        "upstream-address",
        "HOST:PORT",
        "[]",
        "[\"10.0.0.1:3000\", \"10.0.0.2:3000\", \"tasks.mcp:3000\", \"unix:/run/mcp.sock\"]",
        "Where the upstream is, if that is not the host of upstream.url, or in several places: a name stands for all its \
         addresses. Each session stays where it began; logins and registrations go to one address.",
    ),
    text(
        "upstream.health_path",
        "upstream-health-path",
        "PATH",
        "",
        "\"/health\"",
        "A path that is asked at each address: one that does not answer 2xx or 3xx twice is left out while there are others.",
    ),
    number(
        "upstream.health_seconds",
        "upstream-health-seconds",
        "SECONDS",
        "10",
        "How often upstream.health_path is asked.",
    ),
    switch(
        "upstream.preserve_host",
        "preserve-host",
        "Send the client's Host header to the upstream instead of the upstream's own. Many servers refuse a Host that \
         they do not know.",
    ),
    text(
        "listen",
        "listen",
        "HOST:PORT",
        "\"127.0.0.1:8808\"",
        "",
        "Where to accept connections. Port 0 takes any free port. Or unix:PATH for a socket file (mode 0660; its clients \
         count as loopback), or systemd for the sockets that a .socket unit passes on.",
    ),
    list(
        "tls.cert_file",
        "tls-cert-file",
        "FILE",
        "[]",
        "[\"/etc/mcp-mend/tls.crt\"]",
        "Certificates (PEM, the server's own first) to speak TLS with. With several files the name that the client asks \
         for chooses; the first serves everybody else. Read again when they change.",
    ),
    list(
        "tls.key_file",
        "tls-key-file",
        "FILE",
        "[]",
        "[\"/etc/mcp-mend/tls.key\"]",
        "The private keys (PEM, without passphrase) of tls.cert_file, in the same order.",
    ),
    switch(
        "tls.self_signed",
        "tls-self-signed",
        "Speak TLS with a certificate made at the start that nobody vouches for: for trying out. Not together with \
         tls.cert_file.",
    ),
    text(
        "tls.min_version",
        "tls-min-version",
        "VERSION",
        "\"1.2\"",
        "",
        "The oldest version of TLS that is spoken: 1.2 or 1.3.",
    ),
    text(
        "admin",
        "admin",
        "HOST:PORT",
        "",
        "\"127.0.0.1:8809\"",
        "Where /healthz, /readyz and /metrics are, and the page of flows. Anybody who reaches it can read it: a loopback \
         address, or no_admin_page. Without it there is none. Port 0 takes any free port.",
    ),
    switch(
        "no_admin_page",
        "no-admin-page",
        "Answer nothing but /healthz, /readyz and /metrics on the admin address, so that others may reach it: probes and \
         Prometheus.",
    ),
    text(
        "public_url",
        "public-url",
        "URL",
        "",
        "\"https://mcp.example.com\"",
        "The address that clients use: scheme, host and port. It stands in metadata, challenges and redirects. \
         Without it: http:// (https:// with TLS) and the listen address.",
    ),
    text("mcp_path", "mcp-path", "PATH", "\"/mcp\"", "", "The path of the MCP endpoint, the same on both sides."),
    list(
        "hosts",
        "host",
        "NAME",
        "[]",
        "[\"mcp-mend\", \"host.docker.internal\"]",
        "Hosts that are answered besides that of public_url, the listen address and localhost, while listen or public_url is \
         a loopback address: others get 421, so that no page can reach the proxy under a name of its own (DNS rebinding).",
    ),
    list(
        "origins",
        "origin",
        "URL",
        "[\"https://claude.ai\", \"https://claude.com\"]",
        "",
        "Web origins whose pages may call the MCP, registration, token and revocation endpoints. Loopback origins \
         may as well while `listen` is a loopback address.",
    ),
    list(
        "scopes",
        "scope",
        "SCOPE",
        "[]",
        "[\"mcp:read\", \"mcp:write\"]",
        "Scopes that challenge and metadata name. Empty: what the upstream says.",
    ),
    list(
        "trusted_proxies",
        "trusted-proxy",
        "NETWORK",
        "[]",
        "[\"10.0.0.0/8\"]",
        "Addresses or networks of proxies before this one whose X-Forwarded-* and Forwarded headers are believed.",
    ),
    switch(
        "no_probe",
        "no-probe",
        "Ask the upstream for its metadata when they are first needed, not already at the start.",
    ),
    switch(
        "show_repairs",
        "show-repairs",
        "Name the repairs that fired in a `mcp-mend` header of the answer: those that had when its head left. The access log names \
         those of a stream as well.",
    ),
    number("threads", "threads", "N", "0", "Worker threads; 0: one for each core."),
    list(
        "access.allow",
        "allow",
        "WHO",
        "[]",
        "[\"anthropic\", \"10.0.0.0/8\", \"127.0.0.1\"]",
        "Who may ask at all: addresses, networks, and vendors of hosted clients (`mcp-mend waf` says which). Others get 403. \
         Empty: everybody. The address is that of the connection, or what one of trusted_proxies says; a user agent \
         never counts.",
    ),
    list(
        "access.classes",
        "access-class",
        "CLASS",
        "[\"mcp\", \"legacy-sse\", \"legacy-post\", \"register\", \"token\", \"revoke\"]",
        "",
        "What only those may ask who are in access.allow. Not in it: authorize and other, where the user's own browser \
         comes to log in, and the public documents resource-metadata, server-metadata and keys.",
    ),
    list(
        "access.ranges_files",
        "ranges",
        "FILE",
        "[]",
        "[\"/etc/mcp-mend/chatgpt-connectors.json\"]",
        "Newer or further address ranges for access.allow: TOML with vendor, date, source and egress, or OpenAI's \
         chatgpt-connectors.json as it is.",
    ),
    list(
        "seal.key_files",
        "seal-key-file",
        "FILE",
        "[]",
        "[\"/etc/mcp-mend/seal.key\"]",
        "Secrets for session ids. An id that clients could not use as it came (session.id-illegal, session.cookie-needed) is \
         given to them encrypted. Each file holds one secret of at least 32 bytes, as `openssl rand -base64 32` writes it, \
         and must not be readable by others. The first seals, all open: to rotate, add the new file at the end at every \
         replica, then put it first, then take the old one out when its sessions are over. Without a file the key is \
         random at each start: sessions with such an id end with the process, and replicas do not know those of each other.",
    ),
    text(
        "log.format",
        "log-format",
        "FORMAT",
        "\"text\"",
        "",
        "How the access log looks, one line an exchange: text, json, combined (as Apache writes it) or off.",
    ),
    text(
        "log.file",
        "log-file",
        "FILE",
        "",
        "\"/var/log/mcp-mend/access.log\"",
        "Where the access log goes instead of standard output. It is opened again when it was moved away, and on SIGUSR1.",
    ),
    text(
        "log.level",
        "log-level",
        "LEVEL",
        "\"warn\"",
        "",
        "What is said on standard error beside it: error, warn, info, debug.",
    ),
    text(
        "otlp.endpoint",
        "otlp-endpoint",
        "URL",
        "",
        "\"http://localhost:4318\"",
        "The OpenTelemetry collector that gets traces and metrics over OTLP (http/protobuf). Without it nothing is sent. \
         Also OTEL_EXPORTER_OTLP_ENDPOINT.",
    ),
    list(
        "otlp.headers",
        "otlp-header",
        "NAME=VALUE",
        "[]",
        "[\"authorization=Bearer ...\"]",
        "Fields that the collector wants, such as credentials; they are never printed. Also OTEL_EXPORTER_OTLP_HEADERS.",
    ),
    number(
        "otlp.sample",
        "otlp-sample",
        "SHARE",
        "1",
        "Which share of the traces that begin here is sent, from 0 to 1. A trace that a client has begun follows its \
         sampled flag.",
    ),
    number("otlp.metrics_seconds", "otlp-metrics-seconds", "SECONDS", "60", "How often metrics are sent."),
    text(
        "otlp.service_name",
        "otlp-service-name",
        "NAME",
        "\"mcp-mend\"",
        "",
        "What this proxy is called there. Also OTEL_SERVICE_NAME.",
    ),
    list(
        "otlp.resource_attributes",
        "otlp-resource-attribute",
        "KEY=VALUE",
        "[]",
        "[\"deployment.environment.name=production\"]",
        "What else is said of this proxy there. Also OTEL_RESOURCE_ATTRIBUTES.",
    ),
    text(
        "capture.dir",
        "capture",
        "DIR",
        "",
        "\"captures\"",
        "Write each login as a file there, without its secrets, so that it can be looked at, replayed (`mcp-mend explain \
         --capture`) and reported (`mcp-mend report`).",
    ),
    number(
        "capture.max_bytes",
        "capture-max-bytes",
        "BYTES",
        "67108864",
        "Bytes of all captures; the oldest are removed.",
    ),
    number("capture.max_age_hours", "capture-max-age-hours", "HOURS", "168", "Captures older than this are removed."),
    number(
        "capture.file_bytes",
        "capture-file-bytes",
        "BYTES",
        "4194304",
        "Bytes of one capture; what comes beyond that is not written.",
    ),
    number(
        "limits.memory_bytes",
        "limit-memory-bytes",
        "BYTES",
        "0",
        "Bytes of memory that the process may use; 0: the least limit of its control groups (cgroup v1 and v2), else what \
         the machine has. The defaults of limits.connections, limits.connections_per_peer and limits.held_bytes follow \
         from it, and the sizes of buffers: all together fit into four fifths of it. What the start says shows them.",
    ),
    Setting {
        key: "limits.connections",
        flag: "limit-connections",
        value: "N",
        kind: Kind::Number,
        default: "",
        example: "10000",
        help: "Client connections at a time, over all threads. By default as many as fit into four fifths of the memory \
               beside 16 MiB, twice limits.held_bytes and a sixteenth of the memory (32 MiB at most) for large buffers, 10000 \
               at most; each may need 128 KiB and four socket buffers (16 KiB each with 256 MiB of memory). Never more than the limit on open files allows.",
    },
    Setting {
        key: "limits.connections_per_peer",
        flag: "limit-connections-per-peer",
        value: "COUNT",
        kind: Kind::Number,
        default: "",
        example: "5000",
        help: "Connections of one client address at a time (of IPv6, one /64); 0: as many as there may be in all. By \
               default half of what the others leave of limits.connections, and seven eighths for clients of this machine, \
               since a proxy in front is one of them. Trusted proxies may have more.",
    },
    number(
        "limits.requests",
        "limit-requests",
        "N",
        "0",
        "Requests under way at a time, over all threads and sites (503 beyond, before a body is read); 0: as many as there \
         may be connections. An event stream is under way until it ends. One client may have half of what the others \
         leave (of IPv6, one /64; whom a trusted proxy names counts), and who speaks for many, which are trusted proxies \
         that name nobody and clients of this machine, seven eighths.",
    ),
    number(
        "limits.register_per_minute",
        "limit-register-per-minute",
        "N",
        "300",
        "Registrations of one address a minute (429 beyond); 0: any number. Many users of a hosted client come from few \
         addresses, and all from one where a proxy stands before this one that is not in trusted_proxies: this stops \
         floods, not people. An IPv6 address counts as its /64. While it is the default, clients of this machine are \
         not counted.",
    ),
    number(
        "limits.token_per_minute",
        "limit-token-per-minute",
        "N",
        "3000",
        "Token requests of one address a minute (429 beyond); 0: any number. Counted as registrations are; more of them, \
         since every login is renewed again and again.",
    ),
    number(
        "limits.head_bytes",
        "limit-head-bytes",
        "BYTES",
        "65536",
        "Bytes of the head of a request (431 beyond) or an answer (502 beyond).",
    ),
    number(
        "limits.target_bytes",
        "limit-target-bytes",
        "BYTES",
        "16384",
        "Bytes of a request's path and query (414 beyond).",
    ),
    number(
        "limits.request_bytes",
        "limit-request-bytes",
        "BYTES",
        "104857600",
        "Bytes of a request's body (413 beyond).",
    ),
    number(
        "limits.body_bytes",
        "limit-body-bytes",
        "BYTES",
        "1048576",
        "Bytes of a body that is held in order to be mended; a longer one passes untouched, streaming.",
    ),
    Setting {
        key: "limits.held_bytes",
        flag: "limit-held-bytes",
        value: "BYTES",
        kind: Kind::Number,
        default: "",
        example: "268435456",
        help: "Bytes of all bodies that are held at a time in order to be mended, over all threads and sites; when there are \
               so many, further ones pass untouched. One client may have half of what the others leave (as of limits.requests), \
               and bodies of up to 8 KiB have an eighth more. By default a sixteenth of the memory, from 1 MiB to 256 MiB.",
    },
    number(
        "limits.head_seconds",
        "limit-head-seconds",
        "SECONDS",
        "10",
        "How long a client may take for a request's head.",
    ),
    number(
        "limits.body_seconds",
        "limit-body-seconds",
        "SECONDS",
        "10",
        "How long a client's upload may stand still (408 beyond). Any byte starts it anew: slow links are no fault, and who \
         drips holds a connection and 64 KiB at most.",
    ),
    number(
        "limits.idle_seconds",
        "limit-idle-seconds",
        "SECONDS",
        "75",
        "How long a client's connection may stay idle.",
    ),
    number(
        "limits.stalled_seconds",
        "limit-stalled-seconds",
        "SECONDS",
        "60",
        "How long a client may take nothing of an answer that waits for it; then its connection is ended (over \
         HTTP/2, where it may wait for the client's window, its stream), and the upstream is let go. Streams in which nothing is said may last.",
    ),
    number(
        "limits.connect_seconds",
        "limit-connect-seconds",
        "SECONDS",
        "5",
        "How long connecting to the upstream may take, TLS included (504 beyond).",
    ),
    number(
        "limits.first_byte_seconds",
        "limit-first-byte-seconds",
        "SECONDS",
        "300",
        "How long the upstream may take to begin its answer after the upload (504 beyond). Tools run for minutes. \
         Nothing limits how long an answer streams.",
    ),
    number(
        "limits.mend_seconds",
        "limit-mend-seconds",
        "SECONDS",
        "10",
        "How long a body that is to be mended may take to arrive; a slower one passes untouched.",
    ),
    number(
        "limits.learned_seconds",
        "limit-learned-seconds",
        "SECONDS",
        "60",
        "How long it is believed what the upstream's metadata and endpoints have shown; then they are asked anew.",
    ),
    number(
        "limits.silence_seconds",
        "limit-silence-seconds",
        "SECONDS",
        "15",
        "After how much silence an event stream gets a comment, so that nobody on the way takes it for dead. Switch \
         `stream.silence` off to send none.",
    ),
    number(
        "limits.pool_idle_seconds",
        "limit-pool-idle-seconds",
        "SECONDS",
        "4",
        "How long an idle connection to the upstream is kept; less than the 5 seconds after which Node and uvicorn \
         close theirs.",
    ),
    number(
        "limits.pool_age_seconds",
        "limit-pool-age-seconds",
        "SECONDS",
        "60",
        "How old a connection to the upstream may grow; a changed address is noticed after this.",
    ),
    number(
        "limits.drain_seconds",
        "limit-drain-seconds",
        "SECONDS",
        "8",
        "How long requests and event streams may go on after SIGTERM; then streams end between two events.",
    ),
    Setting {
        key: "repairs",
        flag: "repair",
        value: "ID=MODE",
        kind: Kind::Modes,
        default: "",
        example: "",
        help: "What becomes of a defect: off, observe (report only) or fix. `mcp-mend repairs` lists the ids.",
    },
];

impl Setting {
    /// The environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{ENV_PREFIX}{}", self.flag.to_ascii_uppercase().replace('-', "_"))
    }
}

/// Whether sites may differ in a setting.
#[must_use]
pub fn is_of_a_site(key: &str) -> bool {
    const OF_A_SITE: [&str; 9] = [
        "upstream.",
        "public_url",
        "mcp_path",
        "origins",
        "scopes",
        "access.allow",
        "access.classes",
        "show_repairs",
        "repairs",
    ];
    OF_A_SITE.iter().any(|prefix| key.starts_with(prefix))
}

/// Whether a setting is taken up only by the next start.
#[must_use]
pub fn needs_restart(key: &str) -> bool {
    const AT_THE_START: [&str; 7] = ["listen", "admin", "no_admin_page", "threads", "log.", "otlp.", "capture."];
    AT_THE_START.iter().any(|prefix| key.starts_with(prefix))
}

/// Whether a setting's value is nobody's business.
#[must_use]
pub fn is_secret(key: &str) -> bool {
    key.starts_with("otlp.headers")
}

/// The setting with this key.
#[must_use]
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// What the example file says of sites.
const SITES: &str = "
# Several servers behind one proxy: a [[site]] for each, at the end of the file. A request goes to the site of its host,
# and of the longest path in a public_url that it begins with. A site may have settings of its own for upstream,
# public_url, mcp_path, origins, scopes, access, show_repairs and repairs; others, and what it does not say, are as above.
# With an upstream above, that one serves all other hosts; without, they get 421.
#
# [[site]]
# public_url = \"https://tasks.example.com\"
# upstream = \"http://tasks:3000\"
#
# [[site]]
# public_url = \"https://mcp.example.com/notes\"
# upstream = \"http://notes:3000\"
# repairs.cors.origin = \"off\"
";

/// `proxy.example.toml`: every key, its default and what it is for.
#[must_use]
pub fn example_file() -> String {
    let mut out = String::from(
        "#:schema ./proxy.schema.json\n\
         # Every setting of mcp-mend with its default. A line that begins with `#` has no default: take the `#` away and\n\
         # put your value. Flags and MCP_MEND_* variables win over this file (`mcp-mend --help`).\n",
    );
    let mut table = "";
    // A key without a table cannot follow a table in TOML.
    let plain = SETTINGS.iter().filter(|setting| !setting.key.contains('.') && setting.kind != Kind::Modes);
    let tabled = SETTINGS.iter().filter(|setting| setting.key.contains('.'));
    for setting in plain.chain(tabled) {
        let (group, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
        if group != table {
            table = group;
            out.push_str(&format!("\n[{group}]\n"));
        }
        out.push('\n');
        for line in wrap(setting.help, 116) {
            out.push_str(&format!("# {line}\n"));
        }
        out.push_str(&format!("# Flag --{}, variable {}.\n", setting.flag, setting.variable()));
        if setting.default.is_empty() {
            out.push_str(&format!("# {name} = {}\n", setting.example));
        } else {
            if !setting.example.is_empty() {
                out.push_str(&format!("# For example: {name} = {}\n", setting.example));
            }
            out.push_str(&format!("{name} = {}\n", setting.default));
        }
    }
    out.push_str(SITES);
    out.push_str("\n# What becomes of each defect: \"off\", \"observe\" (report only) or \"fix\".\n");
    out.push_str("# Flag --repair ID=MODE, variable MCP_MEND_REPAIR=\"ID=MODE,ID=MODE\".\n[repairs]\n");
    for repair in crate::repairs::REPAIRS {
        out.push_str(&format!("\n# {}.\n{} = \"{}\"\n", repair.summary, repair.id, repair.default));
    }
    out
}

/// The configuration file's form as JSON Schema (draft 2020-12), for editors that check TOML.
#[must_use]
pub fn schema() -> Value {
    let mut tables: Map<String, Value> = Map::new();
    let mut plain: Map<String, Value> = Map::new();
    for setting in SETTINGS.iter().filter(|setting| setting.kind != Kind::Modes) {
        let Some((table, name)) = setting.key.split_once('.') else {
            plain.insert(setting.key.to_owned(), leaf(setting));
            continue;
        };
        let members = tables.entry(table).or_insert_with(|| json!({})).as_object_mut();
        if let Some(members) = members {
            members.insert(name.to_owned(), leaf(setting));
        }
    }
    for (name, members) in tables {
        let short = find(&format!("{name}.url")).map(|_| "string");
        let kinds: Vec<&str> = std::iter::once("object").chain(short).collect();
        plain.insert(name, json!({ "type": kinds, "additionalProperties": false, "properties": members }));
    }
    let mut groups: Map<String, Value> = Map::new();
    for repair in crate::repairs::REPAIRS {
        let Some((group, name)) = repair.id.split_once('.') else { continue };
        let mode = json!({
            "enum": ["off", "observe", "fix"], "default": repair.default.to_string(), "description": repair.summary,
        });
        let table = groups
            .entry(group)
            .or_insert_with(|| json!({ "type": "object", "additionalProperties": false, "properties": {} }));
        table["properties"][name] = mode;
    }
    let mut site = plain.clone();
    site.retain(|name, _| is_of_a_site(name) || is_of_a_site(&format!("{name}.")) || name == "access");
    if let Some(access) = site.get_mut("access").and_then(|access| access["properties"].as_object_mut()) {
        access.retain(|name, _| is_of_a_site(&format!("access.{name}")));
    }
    site.insert("repairs".into(), json!({ "$ref": "#/properties/repairs" }));
    plain.insert(
        "site".into(),
        json!({
            "type": "array",
            "description": "Several servers behind one proxy, told apart by host and path of their public_url.",
            "items": { "type": "object", "additionalProperties": false, "properties": site,
                       "required": ["public_url", "upstream"] },
        }),
    );
    plain.insert("repairs".into(), json!({ "type": "object", "additionalProperties": false, "properties": groups }));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mcp-mend",
        "type": "object",
        "additionalProperties": false,
        "properties": plain,
    })
}

fn leaf(setting: &Setting) -> Value {
    let kind = match setting.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Number => json!({ "type": "number" }),
        Kind::List => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Modes => json!({ "type": "object" }),
    };
    let mut leaf = kind;
    leaf["description"] = setting.help.into();
    // What TOML and JSON write alike: strings, numbers, booleans, lists of strings.
    if let Ok(default) = serde_json::from_str::<Value>(setting.default) {
        leaf["default"] = default;
    }
    leaf
}

/// Breaks a text into lines of at most `width` characters.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
}
