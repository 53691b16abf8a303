//! By what one knows a firewall or a login wall that stands before a server: header fields, status, words of a page. Pure.

use http::header::{LOCATION, SERVER};
use http::{HeaderMap, StatusCode};

/// Of a page, so much is looked at.
const MOST: usize = 16 * 1024;

/// Something that stands before a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wall {
    pub name: &'static str,
    /// What to look for in its settings.
    pub cure: &'static str,
}

const CLOUDFLARE: Wall = Wall {
    name: "Cloudflare",
    cure: "let the hosted clients' addresses skip WAF, Bot Fight Mode and \"Block AI bots\": mcp-mend waf cloudflare",
};
const AWS: Wall = Wall { name: "AWS WAF", cure: "allow the hosted clients' addresses first: mcp-mend waf aws" };
const MOD_SECURITY: Wall = Wall {
    name: "mod_security",
    cure: "exempt the MCP, well-known and OAuth paths from the rule set that its audit log names",
};
const IMPERVA: Wall = Wall { name: "Imperva", cure: "allow the hosted clients' addresses and clients without cookies" };
const AKAMAI: Wall = Wall { name: "Akamai", cure: "allow the hosted clients' addresses in Bot Manager" };
const SUCURI: Wall = Wall { name: "Sucuri", cure: "allow the hosted clients' addresses" };
const ACCESS: Wall = Wall {
    name: "Cloudflare Access",
    cure: "bypass Access for the MCP, well-known, authorize, token and registration paths",
};
const IAP: Wall =
    Wall { name: "Google Identity-Aware Proxy", cure: "take the MCP host out of it, or use a service account" };
const VERCEL: Wall = Wall { name: "Vercel deployment protection", cure: "switch it off for this deployment" };
const LOGIN: Wall =
    Wall { name: "a login page before the server", cure: "let the MCP, well-known and OAuth paths past it" };

/// What stands before the server and has answered instead of it; `None` if the answer looks like the server's own.
#[must_use]
pub fn wall(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<Wall> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let page = String::from_utf8_lossy(&body[..body.len().min(MOST)]).to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| page.contains(word));
    let server = text(SERVER.as_str()).to_ascii_lowercase();
    if let Some(to) = headers.get(LOCATION).and_then(|to| to.to_str().ok()).filter(|_| status.is_redirection()) {
        return behind(to);
    }
    let blocks = matches!(status.as_u16(), 403 | 405 | 406 | 418 | 429 | 503 | 202);
    if text("cf-mitigated") == "challenge"
        || (says(&["just a moment...", "attention required! | cloudflare", "cf-error-details"]))
    {
        return Some(CLOUDFLARE);
    }
    if !text("x-amzn-waf-action").is_empty() {
        return Some(AWS);
    }
    if !text("x-goog-iap-generated-response").is_empty() {
        return Some(IAP);
    }
    if !blocks {
        return None;
    }
    let is_page = says(&["<html", "<!doctype"]);
    match () {
        () if says(&["mod_security", "modsecurity", "not acceptable!"]) => Some(MOD_SECURITY),
        () if !text("x-iinfo").is_empty() || says(&["incapsula incident", "imperva"]) => Some(IMPERVA),
        () if server.contains("akamaighost") || says(&["errors.edgesuite.net"]) => Some(AKAMAI),
        () if !text("x-sucuri-id").is_empty() && is_page => Some(SUCURI),
        () if server.contains("cloudfront") && says(&["request could not be satisfied", "request blocked"]) => {
            Some(AWS)
        }
        () if server == "awselb/2.0" && status == StatusCode::FORBIDDEN && is_page => Some(AWS),
        () if server == "cloudflare" && is_page => Some(CLOUDFLARE),
        () => None,
    }
}

/// What a redirect leads to, if that is a wall of somebody else.
fn behind(to: &str) -> Option<Wall> {
    let to = to.to_ascii_lowercase();
    let leads = |words: &[&str]| words.iter().any(|word| to.contains(word));
    match () {
        () if leads(&["cloudflareaccess.com", "/cdn-cgi/access"]) => Some(ACCESS),
        () if leads(&["vercel.com/sso-api", "/.vercel/"]) => Some(VERCEL),
        () if leads(&[
            "/oauth2/start",
            "/oauth2/sign_in",
            "login.microsoftonline.com",
            "accounts.google.com/o/oauth2",
        ]) =>
        {
            Some(LOGIN)
        }
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    fn of(text: &str) -> Option<&'static str> {
        let reply = example::reply(text).unwrap();
        let body = text.split_once("\n\n").map_or("", |(_, body)| body);
        wall(reply.status, &reply.headers, body.as_bytes()).map(|wall| wall.name)
    }

    #[test]
    fn walls_are_known_by_their_signs() {
        for (answer, name) in [
            ("403\ncf-mitigated: challenge\nserver: cloudflare", Some("Cloudflare")),
            (
                "403\nserver: cloudflare\n\n<!DOCTYPE html><title>Attention Required! | Cloudflare</title>",
                Some("Cloudflare"),
            ),
            ("503\nserver: cloudflare\n\n<html><title>Just a moment...</title>", Some("Cloudflare")),
            ("202\nx-amzn-waf-action: challenge", Some("AWS WAF")),
            ("403\nserver: CloudFront\n\n<HTML>The request could not be satisfied. Request blocked.", Some("AWS WAF")),
            ("406\n\n<head><title>Not Acceptable!</title></head> generated by Mod_Security", Some("mod_security")),
            ("403\nserver: AkamaiGHost\n\n<HTML><TITLE>Access Denied</TITLE>", Some("Akamai")),
            ("403\nx-iinfo: 1-2-3\n\n<html>", Some("Imperva")),
            ("302\nlocation: https://team.cloudflareaccess.com/cdn-cgi/access/login/x", Some("Cloudflare Access")),
            (
                "302\nlocation: https://login.microsoftonline.com/t/oauth2/authorize",
                Some("a login page before the server"),
            ),
            ("403\nserver: cloudflare\ncontent-type: application/json\n\n{\"error\":\"insufficient_scope\"}", None),
            ("401\nserver: cloudflare\nwww-authenticate: Bearer", None),
            ("307\nlocation: /mcp/", None),
            ("429\ncontent-type: application/json\n\n{\"error\":\"slow_down\"}", None),
        ] {
            assert_eq!(of(answer), name, "{answer}");
        }
    }
}
