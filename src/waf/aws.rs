//! AWS WAF: an IP set for each address family, and a rule that allows before the managed groups are asked.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Target, Wanted, comment};

pub const TARGET: Target = Target {
    name: "aws",
    about: "WAFv2 IP sets and a rule, as commands",
    sees_http: true,
    text,
    rules: |wanted| Some(rules(wanted)),
};

const NAME: &str = "mcp-hosted-clients";
/// A regular expression of AWS WAF may have 512 characters, no groups that capture, and not many branches.
const LONGEST_PATTERN: usize = 480;
const MOST_BRANCHES: usize = 5;

fn text(wanted: &Wanted) -> String {
    let mut out = String::new();
    comment(
        &mut out,
        "--scope is CLOUDFRONT (with --region us-east-1) for a distribution. Behind another proxy the IP sets need \
         IPSetForwardedIPConfig, and a proxy that overwrites the header.",
    );
    for (version, networks) in sets(wanted) {
        let name = set_name(version);
        let _ = write!(
            out,
            "\naws wafv2 create-ip-set --scope REGIONAL --name {name} \\\n  --description 'Hosted MCP clients, {}' \
             \\\n  --ip-address-version {version} --addresses",
            wanted.date()
        );
        for network in networks {
            let _ = write!(out, " \\\n    {network}");
        }
        out.push('\n');
    }
    out.push('\n');
    comment(
        &mut out,
        "The rule: put the ARN that create-ip-set answers where it says ARN, and the rule first in the web ACL \
         (aws wafv2 update-web-acl), before the managed groups. `aws wafv2 check-capacity --scope REGIONAL --rules \
         file://rule.json` judges it.",
    );
    let _ = writeln!(out, "\ncat > rule.json <<'END'\n{:#}\nEND", json!([rule(wanted)]));
    out
}

/// The address families that have addresses.
fn sets(wanted: &Wanted) -> Vec<(&'static str, Vec<String>)> {
    let mut sets = vec![("IPV4", wanted.v4()), ("IPV6", wanted.v6())];
    sets.retain(|(_, networks)| !networks.is_empty());
    sets
}

fn set_name(version: &str) -> String {
    format!("{NAME}-{}", version.to_ascii_lowercase())
}

fn rules(wanted: &Wanted) -> Value {
    let sets: Vec<Value> = sets(wanted)
        .into_iter()
        .map(|(version, networks)| {
            json!({
                "Name": set_name(version),
                "Scope": "REGIONAL",
                "Description": format!("Hosted MCP clients, {}", wanted.date()),
                "IPAddressVersion": version,
                "Addresses": networks,
            })
        })
        .collect();
    json!({ "ip_sets": sets, "rule": rule(wanted) })
}

fn rule(wanted: &Wanted) -> Value {
    let sources: Vec<Value> = sets(wanted)
        .into_iter()
        .map(|(version, _)| {
            let arn = format!("arn:aws:wafv2:REGION:ACCOUNT:regional/ipset/{}/ID", set_name(version));
            json!({ "IPSetReferenceStatement": { "ARN": arn } })
        })
        .collect();
    let paths: Vec<Value> = patterns(wanted.paths.iter().map(String::as_str), "^(?:", ")$")
        .into_iter()
        .map(|pattern| regex(&pattern, &json!({ "UriPath": {} })))
        .collect();
    let mut all = vec![any(sources), any(paths)];
    if !wanted.agents().is_empty() {
        let header = json!({ "SingleHeader": { "Name": "user-agent" } });
        let agents = patterns(wanted.agents().into_iter(), "(?:", ")");
        all.push(any(agents.into_iter().map(|pattern| regex(&pattern, &header)).collect()));
    }
    json!({
        "Name": NAME,
        "Priority": 0,
        "Statement": { "AndStatement": { "Statements": all } },
        "Action": { "Allow": {} },
        "VisibilityConfig": {
            "SampledRequestsEnabled": true, "CloudWatchMetricsEnabled": true, "MetricName": NAME,
        },
    })
}

/// An OrStatement takes two or more.
fn any(mut statements: Vec<Value>) -> Value {
    if statements.len() == 1 { statements.remove(0) } else { json!({ "OrStatement": { "Statements": statements } }) }
}

fn regex(pattern: &str, field: &Value) -> Value {
    json!({
        "RegexMatchStatement": {
            "RegexString": pattern,
            "FieldToMatch": field,
            "TextTransformations": [{ "Priority": 0, "Type": "NONE" }],
        },
    })
}

fn has_room(group: &str, text: &str) -> bool {
    group.len() + text.len() < LONGEST_PATTERN && group.matches('|').count() + 1 < MOST_BRANCHES
}

/// As few expressions as hold all these texts.
fn patterns<'a>(texts: impl Iterator<Item = &'a str>, begin: &str, end: &str) -> Vec<String> {
    let mut groups: Vec<String> = Vec::new();
    for text in texts {
        let text = text.replace('.', "\\.");
        match groups.last_mut() {
            Some(group) if has_room(group, &text) => {
                group.push('|');
                group.push_str(&text);
            }
            _ => groups.push(text),
        }
    }
    groups.into_iter().map(|group| format!("{begin}{group}{end}")).collect()
}
