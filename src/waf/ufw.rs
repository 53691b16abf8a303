//! ufw: commands, since it has no file that one could hand over.

use std::fmt::Write as _;

use super::{Target, Wanted, comment, plain};

pub const TARGET: Target =
    Target { name: "ufw", about: "commands for a shell", sees_http: false, text, rules: |_| None };

fn text(wanted: &Wanted) -> String {
    let mut out = String::new();
    comment(
        &mut out,
        "Read the list and run these as root. Never feed a web page to `ufw allow`: the vendor's own page lists the \
         addresses to take out, too. `prepend` puts a rule before those that deny.",
    );
    out.push('\n');
    for (network, vendor) in wanted.networks() {
        let _ = writeln!(
            out,
            "ufw prepend allow proto tcp from {network} \\\n  to any port 443 comment 'mcp {} {}'",
            vendor.name, vendor.date
        );
    }
    let removed: Vec<_> = wanted.vendors.iter().flat_map(|vendor| &vendor.removed).collect();
    if !removed.is_empty() {
        out.push('\n');
        comment(&mut out, "What was let in once (ufw says so where there is no such rule):");
    }
    for network in removed {
        let _ = writeln!(out, "ufw delete allow from {}", plain(network));
    }
    out
}
