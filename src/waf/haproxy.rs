//! HAProxy: conditions, and the rule that ends the evaluation of the rules behind it.

use std::fmt::Write as _;

use super::{Target, Wanted, comment};

pub const TARGET: Target =
    Target { name: "haproxy", about: "lines for the frontend", sees_http: true, text, rules: |_| None };

fn text(wanted: &Wanted) -> String {
    let mut out = String::new();
    comment(
        &mut out,
        "For the frontend, before its deny, tarpit and track rules: `allow` ends the http-request rules for these \
         requests. Behind another proxy take src from its header first (http-request set-src).",
    );
    out.push('\n');
    for (network, vendor) in wanted.networks() {
        let _ = writeln!(out, "    acl mcp_hosted_client src {network}  # {} {}", vendor.name, vendor.date);
    }
    for path in &wanted.paths {
        let _ = writeln!(out, "    acl mcp_login_path path {path}");
    }
    let agents = wanted.agents();
    for agent in &agents {
        let _ = writeln!(out, "    acl mcp_agent req.hdr(user-agent) -m sub {agent}");
    }
    let and_agent = if agents.is_empty() { "" } else { " mcp_agent" };
    let _ = writeln!(out, "    http-request allow if mcp_hosted_client mcp_login_path{and_agent}");
    out
}
