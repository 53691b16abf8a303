//! Cloudflare: an IP list, and a custom rule that skips what would refuse these clients.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Target, Wanted, comment};

pub const TARGET: Target = Target {
    name: "cloudflare",
    about: "an IP list and a custom rule with Skip",
    sees_http: true,
    text,
    rules: |wanted| Some(rules(wanted)),
};

const LIST: &str = "mcp_hosted_clients";
const DESCRIPTION: &str = "Hosted MCP clients: login and messages";
/// More networks than this are unhandy in an expression (which may have 4096 characters).
const MOST_INLINE: usize = 20;

fn text(wanted: &Wanted) -> String {
    let mut out = String::new();
    comment(
        &mut out,
        "Bot Fight Mode (the Free plan's) cannot be skipped by any rule: turn it off under Security > Settings > Bot \
         traffic. Super Bot Fight Mode is skipped by the rule below. \"Block AI bots\" (AI Crawl Control) has to be \
         off, or to make an exception: it stops Claude-User (claude-ai-mcp#1061).",
    );
    out.push('\n');
    comment(&mut out, &format!("1. Manage account > Configurations > Lists: an IP list named {LIST} with"));
    out.push('\n');
    for (network, _) in wanted.networks() {
        let _ = writeln!(out, "{network}");
    }
    out.push('\n');
    comment(&mut out, "2. Security > Security rules > Custom rules, first in the order, with the expression");
    let _ = writeln!(out, "\n{}\n", expression(wanted, &format!("${LIST}"), "\n  "));
    comment(
        &mut out,
        "action Skip: all remaining custom rules, all rate limiting rules, all managed rules, all Super Bot Fight Mode \
         rules, and under \"more components\" Browser Integrity Check, Security Level and User Agent Blocking.",
    );
    if wanted.networks().len() <= MOST_INLINE {
        out.push('\n');
        comment(&mut out, "Without a list, the same expression is");
        let networks: Vec<String> = wanted.networks().iter().map(|(network, _)| format!("\n    {network}")).collect();
        let source = format!("{{{}\n  }}", networks.concat());
        let _ = writeln!(out, "\n{}", expression(wanted, &source, "\n  "));
    }
    out.push('\n');
    comment(&mut out, "--json prints what the API takes for both.");
    out
}

fn expression(wanted: &Wanted, source: &str, space: &str) -> String {
    let mut out = format!("(ip.src in {source}{space}and http.request.uri.path in {{");
    for path in &wanted.paths {
        let _ = write!(out, "{space}  \"{path}\"");
    }
    let _ = write!(out, "{space}}}");
    let agents: Vec<String> =
        wanted.agents().iter().map(|agent| format!("http.user_agent contains \"{agent}\"")).collect();
    if !agents.is_empty() {
        let _ = write!(out, "{space}and ({})", agents.join(&format!("{space}  or ")));
    }
    out.push(')');
    out
}

/// What the API takes: `POST accounts/ID/rules/lists`, `POST accounts/ID/rules/lists/LIST/items`,
/// `POST zones/ID/rulesets/RULESET/rules` (of the phase http_request_firewall_custom).
fn rules(wanted: &Wanted) -> Value {
    let items: Vec<Value> = wanted
        .networks()
        .iter()
        .map(|(network, vendor)| {
            json!({ "ip": network.to_string(), "comment": format!("{} {}", vendor.name, vendor.date) })
        })
        .collect();
    json!({
        "list": { "name": LIST, "kind": "ip", "description": DESCRIPTION },
        "items": items,
        "rule": {
            "action": "skip",
            "action_parameters": {
                "ruleset": "current",
                "phases": ["http_ratelimit", "http_request_firewall_managed", "http_request_sbfm"],
                "products": ["bic", "securityLevel", "uaBlock"],
            },
            "description": format!("{DESCRIPTION} (addresses of {})", wanted.date()),
            "enabled": true,
            "expression": expression(wanted, &format!("${LIST}"), " "),
            "logging": { "enabled": true },
            "position": { "index": 1 },
        },
    })
}
