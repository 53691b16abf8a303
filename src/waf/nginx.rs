//! nginx: variables that say whether a request is let in, to be used by the rules that are there.

use std::fmt::Write as _;

use super::{Target, Wanted, comment};

pub const TARGET: Target =
    Target { name: "nginx", about: "a file to include in the http block", sees_http: true, text, rules: |_| None };

fn text(wanted: &Wanted) -> String {
    let mut out = String::new();
    comment(
        &mut out,
        "Include this in the http block. Behind another proxy, set real_ip_header and set_real_ip_from first: the \
         address counts that nginx takes for the client's.",
    );
    out.push_str("\ngeo $mcp_hosted_client {\n    default 0;\n");
    for (network, vendor) in wanted.networks() {
        let _ = writeln!(out, "    {network} 1;  # {} {}", vendor.name, vendor.date);
    }
    out.push_str("}\n\nmap $uri $mcp_login_path {\n    default 0;\n");
    for path in &wanted.paths {
        // An expression, since other values are compared without case, and long ones do not fit nginx's tables.
        let _ = writeln!(out, "    \"~^{}$\" 1;", path.replace('.', "\\."));
    }
    out.push_str("}\n\n");
    let agents = wanted.agents();
    if agents.is_empty() {
        out.push_str("map $mcp_hosted_client$mcp_login_path $mcp_let_in {\n    default 0;\n    11 1;\n}\n\n");
    } else {
        out.push_str("map $http_user_agent $mcp_agent {\n    default 0;\n");
        for agent in agents {
            let _ = writeln!(out, "    \"~{}\" 1;", agent.replace('.', "\\."));
        }
        out.push_str("}\n\nmap $mcp_hosted_client$mcp_login_path$mcp_agent $mcp_let_in {\n");
        out.push_str("    default 0;\n    111 1;\n}\n\n");
    }
    comment(&mut out, "Then let your own rules leave out what has $mcp_let_in. A rule by user agent:");
    out.push_str(
        "#     map $mcp_let_in:$http_user_agent $refused {\n\
         #         default 0;\n\
         #         \"~*^0:.*(bot|python|curl)\" 1;\n\
         #     }\n\
         #     if ($refused) { return 403; }\n\
         # A limit on requests (an empty key is not counted):\n\
         #     map $mcp_let_in $limit_key { 0 $binary_remote_addr; 1 \"\"; }\n\
         #     limit_req_zone $limit_key zone=all:10m rate=10r/s;\n\
         # Where `deny all;` keeps everybody out, these before it:\n",
    );
    for (network, _) in wanted.networks() {
        let _ = writeln!(out, "#     allow {network};");
    }
    out
}
