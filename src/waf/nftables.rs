//! nftables: two sets and a chain of their own, so that loading the file again brings them up to date.

use std::fmt::Write as _;

use super::{Target, Wanted, comment};

pub const TARGET: Target =
    Target { name: "nftables", about: "a file for nft -f", sees_http: false, text, rules: |_| None };

fn text(wanted: &Wanted) -> String {
    let mut out = String::new();
    comment(
        &mut out,
        "Load with `nft -f FILE`, and again with each newer list: the sets and the chain are filled anew. The table is \
         `inet filter`; write the name of yours if it is another, since what one table accepts another may still drop.",
    );
    out.push_str("\nadd table inet filter\n");
    for (family, kind, networks) in [("ip", "ipv4_addr", wanted.v4()), ("ip6", "ipv6_addr", wanted.v6())] {
        let set = format!("mcp_clients_{family}");
        let _ = writeln!(out, "add set inet filter {set} {{\n    type {kind}; flags interval; auto-merge;\n}}");
        let _ = writeln!(out, "flush set inet filter {set}");
        if !networks.is_empty() {
            let _ = writeln!(out, "add element inet filter {set} {{\n    {}\n}}", networks.join(",\n    "));
        }
    }
    out.push_str("add chain inet filter mcp_clients\nflush chain inet filter mcp_clients\n");
    for family in ["ip", "ip6"] {
        let _ = writeln!(
            out,
            "add rule inet filter mcp_clients \\\n    {family} saddr @mcp_clients_{family} tcp dport 443 accept"
        );
    }
    out.push('\n');
    comment(&mut out, "Once, so that your input chain asks it before it drops anything:");
    out.push_str("#     nft insert rule inet filter input jump mcp_clients\n");
    comment(&mut out, "To see whether an address to take out is let in somewhere: nft list ruleset");
    out
}
