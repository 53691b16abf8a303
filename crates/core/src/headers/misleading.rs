//! Fields that make a server act on something else than what was decided here. CGI and WSGI turn every byte of a name that is
//! no letter or digit into `_` (RFC 3875 section 4.1.18): `X_Real_IP` and `X-Real-IP` are one variable there.

use http::header::{HeaderMap, HeaderName};

use super::{is_forwarding, is_hop_by_hop, is_protected};

/// Removes the fields that a server may fold into one that this proxy sets, drops or judges by; the fields by which some
/// servers take another path or method for that of the request; and `Proxy`, which CGI turns into `HTTP_PROXY`, the proxy
/// that programs send their own requests through.
pub fn drop_misleading(headers: &mut HeaderMap) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| is_misleading(name.as_str())).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

pub(super) fn is_misleading(name: &str) -> bool {
    let is_plain = name.bytes().all(|byte| PLAIN[usize::from(byte)]);
    name == "proxy" || is_override(name) || !is_plain && is_ours(&folded(name))
}

/// The bytes of a name that no server takes for others. Names come in small letters.
static PLAIN: [bool; 256] = {
    let (mut plain, mut byte) = ([false; 256], 0);
    while byte < plain.len() {
        plain[byte] = matches!(byte as u8, b'a'..=b'z' | b'0'..=b'9' | b'-');
        byte += 1;
    }
    plain
};

fn folded(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect()
}

fn is_ours(name: &str) -> bool {
    is_forwarding(name) || is_protected(name) || is_hop_by_hop(name) || is_override(name)
}

/// IIS, Azure, Envoy, Symfony, Zend and gunicorn read the path or a part of it from one of these; middleware of Rack, Express
/// and ASP.NET the method.
fn is_override(name: &str) -> bool {
    matches!(
        name,
        "x-original-url"
            | "x-original-uri"
            | "x-rewrite-url"
            | "x-rewrite-uri"
            | "x-override-url"
            | "x-http-path-override"
            | "x-envoy-original-path"
            | "x-waws-unencoded-url"
            | "x-original-method"
            | "x-http-method-override"
            | "x-http-method"
            | "x-method-override"
            | "script-name"
            | "x-script-name"
            | "path-info"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(names: &[&str]) -> Vec<String> {
        let mut headers: HeaderMap =
            names.iter().map(|name| (name.parse::<HeaderName>().unwrap(), "x".parse().unwrap())).collect();
        drop_misleading(&mut headers);
        headers.keys().map(|name| name.as_str().to_owned()).collect()
    }

    #[test]
    fn no_other_spelling_of_a_field_of_ours_passes() {
        let lookalikes = [
            "X_Real_IP",
            "X_Forwarded_For",
            "X-Forwarded_Proto",
            "X.Forwarded.For",
            "Client_IP",
            "Content_Length",
            "Transfer_Encoding",
            "Mcp_Session_Id",
            "X_Original_URL",
            "SCRIPT_NAME",
            "Path_Info",
            "X_HTTP_Method_Override",
            "CF_Connecting_IP",
            "X_Envoy_Original_Path",
            "Proxy",
        ];
        assert_eq!(left(&lookalikes), [""; 0]);
        let others = ["api_key", "x_request_id", "x-proxy", "x-real-ip", "content-length", "mcp-session-id"];
        assert_eq!(left(&others), others);
    }

    #[test]
    fn nobody_says_that_another_path_or_method_is_meant() {
        let names = [
            "X-Original-URL",
            "X-Rewrite-URL",
            "X-HTTP-Method-Override",
            "X-HTTP-Path-Override",
            "X-Original-Method",
            "X-Envoy-Original-Path",
            "X-Waws-Unencoded-URL",
            "X-Script-Name",
            "accept",
        ];
        assert_eq!(left(&names), ["accept"]);
    }
}
